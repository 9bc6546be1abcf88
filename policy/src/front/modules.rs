//! Which modules a file may not be built from, `provenance.deny`, and what it must say about its making,
//! `provenance.require`.

mod versions;

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::{Serialize, Serializer};

use crate::front::rules::{Origin, Placed};

use versions::Version;

/// The longest name and the longest version of an entry.
const MAX_WORD: usize = 255;

/// The Go toolchain itself, whose library is part of every Go program.
pub const GO_STDLIB: &str = "stdlib";

/// What the file's own account of its making may contain and must contain.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ProvenanceRules {
    /// Modules and versions that may not be part of what is mapped.
    pub deny: Vec<Placed<ModulePattern>>,
    /// Accounts that the plugin must carry.
    pub require: BTreeMap<Claim, Origin>,
}

impl ProvenanceRules {
    /// Whether nothing is asked, so that nobody has to read what a file says about its making.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.deny.is_empty() && self.require.is_empty()
    }
}

/// Where a module's name comes from, and how its versions are ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ecosystem {
    /// Go modules, and the Go toolchain as `stdlib`.
    Go,
    /// Rust crates.
    Cargo,
    /// Packages of Debian and its kind.
    Deb,
    /// Packages of Fedora, SUSE and their kind.
    Rpm,
}

impl Ecosystem {
    /// Every ecosystem.
    pub const ALL: [Self; 4] = [Self::Go, Self::Cargo, Self::Deb, Self::Rpm];

    /// The word in front of the colon.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Go => "go",
            Self::Cargo => "cargo",
            Self::Deb => "deb",
            Self::Rpm => "rpm",
        }
    }
}

/// What a file can say about its making, `provenance.require`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, JsonSchema, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Claim {
    /// Any of the others.
    Any,
    /// What the Go linker writes: the toolchain and every module.
    GoBuildinfo,
    /// What `cargo auditable` writes: every crate.
    RustAuditData,
    /// The package note of a distribution: name and version of the package.
    PackageNote,
}

impl Claim {
    /// Every claim.
    pub const ALL: [Self; 4] = [Self::Any, Self::GoBuildinfo, Self::RustAuditData, Self::PackageNote];

    /// The word a policy writes.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Any => "any",
            Self::GoBuildinfo => "go-buildinfo",
            Self::RustAuditData => "rust-audit-data",
            Self::PackageNote => "package-note",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Less,
    LessOrEqual,
    Equal,
    GreaterOrEqual,
    Greater,
}

impl Operator {
    /// The longer ones first: `<` begins `<=`.
    const ALL: [(&'static str, Self); 5] = [
        ("<=", Self::LessOrEqual),
        (">=", Self::GreaterOrEqual),
        ("<", Self::Less),
        (">", Self::Greater),
        ("=", Self::Equal),
    ];

    fn holds(self, order: std::cmp::Ordering) -> bool {
        match self {
            Self::Less => order.is_lt(),
            Self::LessOrEqual => order.is_le(),
            Self::Equal => order.is_eq(),
            Self::GreaterOrEqual => order.is_ge(),
            Self::Greater => order.is_gt(),
        }
    }

    fn sign(self) -> &'static str {
        Self::ALL.iter().find(|(_, operator)| *operator == self).map_or("", |(sign, _)| sign)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Comparison {
    operator: Operator,
    written: String,
    version: Version,
}

/// An entry of `provenance.deny`: `go:golang.org/x/crypto < 0.17.0`, `cargo:openssl*`, `deb:zlib1g >= 1:1.2, < 1:1.3`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModulePattern {
    ecosystem: Ecosystem,
    name: String,
    /// Every name that begins so is meant.
    prefix: bool,
    /// All of them hold for a denied version; without any, every version is denied.
    comparisons: Vec<Comparison>,
}

/// How a module relates to an entry of `provenance.deny`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Match {
    /// The entry is about other modules or other versions.
    No,
    /// The module is what the entry denies.
    Yes,
    /// The entry names the module, and nobody can tell whether its version is denied: it has none, or one without an
    /// order such as `(devel)`.
    Unordered,
}

impl ModulePattern {
    /// How a module of an ecosystem relates to the entry. A version without an order counts as denied by whoever has to
    /// decide: a file could choose it to get around the entry.
    pub fn matches(&self, ecosystem: Ecosystem, name: &str, version: Option<&str>) -> Match {
        let named = if self.prefix { name.starts_with(&self.name) } else { name == self.name };
        if ecosystem != self.ecosystem || !named {
            return Match::No;
        }
        if self.comparisons.is_empty() {
            return Match::Yes;
        }
        let Some(version) = version.and_then(|version| Version::read(ecosystem, name, version)) else {
            return Match::Unordered;
        };
        let mut orders = self.comparisons.iter().map(|one| one.version.order(&version).map(|order| (one, order)));
        // The order of the entry's version to the module's, turned round.
        let denied =
            orders.try_fold(true, |all, found| found.map(|(one, order)| all && one.operator.holds(order.reverse())));
        match denied {
            Some(true) => Match::Yes,
            Some(false) => Match::No,
            None => Match::Unordered,
        }
    }

    /// The ecosystem that the entry is about.
    #[must_use]
    pub fn ecosystem(&self) -> Ecosystem {
        self.ecosystem
    }
}

impl fmt::Display for ModulePattern {
    /// As a policy would write it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}{}", self.ecosystem.name(), self.name, if self.prefix { "*" } else { "" })?;
        for (at, one) in self.comparisons.iter().enumerate() {
            write!(f, "{} {} {}", if at == 0 { "" } else { "," }, one.operator.sign(), one.written)?;
        }
        Ok(())
    }
}

impl Serialize for ModulePattern {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Why a text is no entry of `provenance.deny`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum NotAPattern<'a> {
    /// No colon, or nothing known in front of it.
    Ecosystem(&'a str),
    Name(&'a str),
    Comparison(&'a str),
    Version(&'a str),
}

impl ModulePattern {
    pub(crate) fn read(text: &str) -> Result<Self, NotAPattern<'_>> {
        let (ecosystem, rest) = text.split_once(':').ok_or(NotAPattern::Ecosystem(text))?;
        let ecosystem =
            Ecosystem::ALL.into_iter().find(|one| one.name() == ecosystem).ok_or(NotAPattern::Ecosystem(ecosystem))?;
        let end = rest.find(['<', '>', '=']).unwrap_or(rest.len());
        let (written, comparisons) = rest.split_at_checked(end).unwrap_or((rest, ""));
        let written = written.trim_end();
        let (name, prefix) = written.strip_suffix('*').map_or((written, false), |name| (name, true));
        let plain = name.len() <= MAX_WORD
            && name.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'*' | b',' | b'\\' | b'`'));
        if !plain || (name.is_empty() && !prefix) {
            return Err(NotAPattern::Name(written));
        }
        let mut pattern = Self { ecosystem, name: name.to_owned(), prefix, comparisons: Vec::new() };
        if comparisons.is_empty() {
            return Ok(pattern);
        }
        for comparison in comparisons.split(',').map(str::trim) {
            let found =
                Operator::ALL.iter().find_map(|(sign, operator)| Some((*operator, comparison.strip_prefix(sign)?)));
            let (operator, written) = found.ok_or(NotAPattern::Comparison(comparison))?;
            let written = written.trim();
            let version = Some(written).filter(|written| written.len() <= MAX_WORD);
            let version = version.and_then(|written| Version::read(ecosystem, name, written));
            let version = version.ok_or(NotAPattern::Version(written))?;
            pattern.comparisons.push(Comparison { operator, written: written.to_owned(), version });
        }
        Ok(pattern)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, ecosystem: Ecosystem, name: &str, version: Option<&str>) -> Match {
        ModulePattern::read(pattern).expect(pattern).matches(ecosystem, name, version)
    }

    fn denied(pattern: &str, version: &str) -> Match {
        let read = ModulePattern::read(pattern).expect(pattern);
        let name = read.name.clone();
        read.matches(read.ecosystem, &name, Some(version))
    }

    #[test]
    fn an_entry_is_about_one_name_or_all_that_begin_so() {
        let crypto = "golang.org/x/crypto";
        assert_eq!(matches("go:golang.org/x/crypto", Ecosystem::Go, crypto, None), Match::Yes);
        assert_eq!(matches("go:golang.org/x/crypto", Ecosystem::Go, "golang.org/x/crypto/v2", None), Match::No);
        assert_eq!(matches("go:golang.org/x/*", Ecosystem::Go, crypto, None), Match::Yes);
        assert_eq!(matches("go:golang.org/x/*", Ecosystem::Cargo, crypto, None), Match::No);
        assert_eq!(matches("cargo:*", Ecosystem::Cargo, "serde", Some("1.0.0")), Match::Yes);
    }

    #[test]
    fn versions_of_modules_and_crates_are_ordered_as_semver_does() {
        assert_eq!(denied("go:a < 0.17.0", "v0.16.9"), Match::Yes);
        assert_eq!(denied("go:a < 0.17.0", "v0.17.0"), Match::No);
        assert_eq!(denied("go:a < 0.17.0", "v0.17.0-rc.1"), Match::Yes);
        // Not by letters, and a pseudo-version lies before the release that it leads to.
        assert_eq!(denied("go:a < 0.17.0", "v0.9.0"), Match::Yes);
        assert_eq!(denied("go:a < v0.9", "v0.17.0"), Match::No);
        assert_eq!(denied("go:a < 0.1.1", "v0.1.1-0.20230102030405-abcdefabcdef"), Match::Yes);
        assert_eq!(
            denied("go:a < v0.0.0-20230201000000-000000000000", "v0.0.0-20230102030405-abcdefabcdef"),
            Match::Yes
        );
        assert_eq!(denied("go:a <= 2.0.0", "v2.0.0+incompatible"), Match::Yes);
        assert_eq!(denied("cargo:a >= 1.2, < 1.5", "1.4.9"), Match::Yes);
        assert_eq!(denied("cargo:a >= 1.2, < 1.5", "1.5.0"), Match::No);
        assert_eq!(denied("cargo:a = 1.2.3", "1.2.3"), Match::Yes);
        assert_eq!(denied("cargo:a > 1.2.3", "1.2.3"), Match::No);
    }

    #[test]
    fn the_go_toolchain_is_ordered_by_its_own_versions() {
        assert_eq!(denied("go:stdlib < 1.25.4", "go1.25.3"), Match::Yes);
        assert_eq!(denied("go:stdlib < 1.25.4", "go1.25.4"), Match::No);
        assert_eq!(denied("go:stdlib < 1.25.4", "go1.9"), Match::Yes);
        assert_eq!(denied("go:stdlib < 1.25", "go1.25rc2"), Match::Yes);
        assert_eq!(denied("go:stdlib < go1.25rc2", "go1.25rc1"), Match::Yes);
        assert_eq!(denied("go:stdlib < go1.25rc2", "go1.25rc10"), Match::No);
        assert_eq!(denied("go:stdlib < 1.26.0-0", "go1.26rc1"), Match::No);
        assert_eq!(denied("go:stdlib < 1.25.4", "go1.25.4-bigcorp"), Match::No);
        assert_eq!(denied("go:stdlib < 1.25.4", "go1.25.3 X:boringcrypto"), Match::Yes);
    }

    #[test]
    fn packages_are_ordered_as_their_distribution_does() {
        assert_eq!(denied("deb:zlib < 1:1.3", "1:1.2.13.dfsg-1"), Match::Yes);
        assert_eq!(denied("deb:zlib < 1:1.3", "2:0"), Match::No);
        assert_eq!(denied("rpm:curl < 8.2.1-5", "8.2.1-4.fc39"), Match::Yes);
        assert_eq!(denied("rpm:curl < 8.2.1-5", "8.10.0-1.fc41"), Match::No);
    }

    #[test]
    fn a_version_without_an_order_does_not_get_around_an_entry() {
        for version in [Some("(devel)"), Some(""), None] {
            assert_eq!(matches("go:a < 1.0.0", Ecosystem::Go, "a", version), Match::Unordered);
            assert_eq!(matches("go:a", Ecosystem::Go, "a", version), Match::Yes);
        }
        assert_eq!(denied("go:stdlib < 1.25", "devel go1.26-abcdef Mon"), Match::Unordered);
        assert_eq!(denied("deb:zlib < 1", "\u{661}"), Match::Unordered);
    }

    #[test]
    fn an_entry_reads_back_what_it_shows() {
        for text in ["go:golang.org/x/crypto < 0.17.0", "cargo:openssl*", "deb:zlib1g >= 1:1.2, < 1:1.3", "go:*"] {
            assert_eq!(ModulePattern::read(text).expect(text).to_string(), text);
        }
        let read = ModulePattern::read("go:a<1.0").expect("spaces are not needed");
        assert_eq!(read.to_string(), "go:a < 1.0");
    }

    #[test]
    fn what_is_no_entry_is_refused_for_its_reason() {
        for (text, fault) in [
            ("openssl", NotAPattern::Ecosystem("openssl")),
            ("npm:left-pad", NotAPattern::Ecosystem("npm")),
            ("go:", NotAPattern::Name("")),
            ("go:a b", NotAPattern::Name("a b")),
            ("go:a*b", NotAPattern::Name("a*b")),
            ("go:a < 1.0,", NotAPattern::Comparison("")),
            ("go:a < 1.0, 2.0", NotAPattern::Comparison("2.0")),
            ("go:a < banana", NotAPattern::Version("banana")),
            ("cargo:a == 1.0", NotAPattern::Version("= 1.0")),
            ("cargo:a < 01.0", NotAPattern::Version("01.0")),
        ] {
            assert_eq!(ModulePattern::read(text), Err(fault), "{text}");
        }
    }
}
