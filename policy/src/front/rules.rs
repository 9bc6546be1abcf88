//! What a policy says about a file before it is mapped: who may have made it, and what it may be and contain. These
//! are the effective rules, after `extends`, requests and ceiling, each with the place that decided it.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

/// A place in a policy text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, JsonSchema, Serialize)]
pub struct Origin {
    /// Name of the text: a path, `builtin:NAME`, or `plugin.json`.
    pub source: String,
    /// Line, counted from 1; 0 where the text has no lines of its own (a default of the language).
    pub line: u32,
    /// Dotted key, as in `imports.deny`.
    pub key: String,
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.source)?;
        if self.line > 0 {
            write!(f, ":{}", self.line)?;
        }
        if self.key.is_empty() { Ok(()) } else { write!(f, " `{}`", self.key) }
    }
}

/// A value with the place that gave it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Placed<T> {
    /// What holds.
    pub value: T,
    /// Where it was written.
    pub origin: Origin,
}

impl<T> Placed<T> {
    pub(crate) fn new(value: T, origin: Origin) -> Self {
        Self { value, origin }
    }
}

/// SHA-256 of a file.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(pub [u8; 32]);

/// Who may have made the plugin. With nothing stated no file is accepted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TrustRules {
    /// Publishers of the trust document whose signature is accepted.
    pub publishers: Vec<Placed<String>>,
    /// Files that are accepted by their SHA-256 alone.
    pub digests: Vec<Placed<Digest>>,
    /// Whether a file without a signature is accepted, and who said so.
    pub unsigned: Option<Origin>,
}

/// What the ELF file may be and contain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ElfRules {
    /// Properties that must hold.
    pub require: BTreeMap<Hardening, Origin>,
    /// Allowed `DT_NEEDED` names, the whole closure.
    pub needed: Vec<Placed<Needed>>,
    /// Symbols that may not be named in the dynamic symbol table.
    pub imports_deny: Vec<Placed<SymbolPattern>>,
    /// Symbols that must be defined.
    pub exports_require: Vec<Placed<String>>,
    /// Where direct syscall instructions are denied; `None` permits them.
    pub direct_syscalls: Option<Origin>,
}

/// One library a plugin may need.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Needed {
    /// The `DT_NEEDED` string.
    pub soname: String,
    /// The one file accepted under that name, or any.
    pub digest: Option<Digest>,
}

/// One entry of `imports.deny`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SymbolPattern {
    /// A symbol group, written `@name`.
    Group(String),
    /// One symbol by its exact name, without version.
    Name(String),
}

/// Properties of an ELF file that a policy can require, `elf.require`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, JsonSchema, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Hardening {
    /// `PT_GNU_RELRO` and `DF_BIND_NOW` (or `DT_BIND_NOW`, `DF_1_NOW`).
    FullRelro,
    /// `PT_GNU_STACK` present and without `PF_X`.
    NxStack,
    /// No segment both writable and executable.
    NoWx,
    /// Neither `DT_TEXTREL` nor `DF_TEXTREL`.
    NoTextrel,
    /// Neither `DT_RPATH` nor `DT_RUNPATH`.
    NoRpath,
    /// No `STT_GNU_IFUNC` and no `R_*_IRELATIVE`: code that runs while relocating.
    NoIfunc,
    /// A reference to `__stack_chk_fail`: at least one function of it checks its stack before it returns. What is not
    /// compiled with `-fstack-protector` beside that one cannot be seen.
    StackProtector,
    /// A reference to a `__*_chk` function, or to none of the functions that have such a twin (`_FORTIFY_SOURCE`).
    Fortify,
    /// x86_64: indirect branch tracking and shadow stack (`-fcf-protection`); aarch64: branch target identification and
    /// return address signing (`-mbranch-protection=standard`). What `.note.gnu.property` says of all code of the file.
    ControlFlow,
    /// No executable segment that also holds headers and tables of the file (`-z separate-code`).
    SeparateCode,
    /// `NT_GNU_BUILD_ID` present: the file can be found again in a list of builds.
    BuildId,
}

impl Hardening {
    /// Every property, in the order of the documentation.
    pub const ALL: [Self; 11] = [
        Self::FullRelro,
        Self::NxStack,
        Self::NoWx,
        Self::NoTextrel,
        Self::NoRpath,
        Self::NoIfunc,
        Self::StackProtector,
        Self::Fortify,
        Self::ControlFlow,
        Self::SeparateCode,
        Self::BuildId,
    ];

    /// The word a policy writes.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::FullRelro => "full-relro",
            Self::NxStack => "nx-stack",
            Self::NoWx => "no-wx",
            Self::NoTextrel => "no-textrel",
            Self::NoRpath => "no-rpath",
            Self::NoIfunc => "no-ifunc",
            Self::StackProtector => "stack-protector",
            Self::Fortify => "fortify",
            Self::ControlFlow => "control-flow",
            Self::SeparateCode => "separate-code",
            Self::BuildId => "build-id",
        }
    }
}

/// Text that is not `sha256:` and 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotADigest;

impl std::fmt::Display for NotADigest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a digest is `sha256:` and 64 lower-case hexadecimal digits")
    }
}

impl std::error::Error for NotADigest {}

impl std::str::FromStr for Digest {
    type Err = NotADigest;

    fn from_str(text: &str) -> Result<Self, NotADigest> {
        let digits = text.strip_prefix("sha256:").ok_or(NotADigest)?.as_bytes();
        if digits.len() != 64 {
            return Err(NotADigest);
        }
        let mut out = [0; 32];
        for (byte, pair) in out.iter_mut().zip(digits.chunks_exact(2)) {
            let [high, low] = [pair[0], pair[1]].map(|digit| match digit {
                b'0'..=b'9' => Some(digit - b'0'),
                b'a'..=b'f' => Some(digit - b'a' + 10),
                _ => None,
            });
            *byte = high.ok_or(NotADigest)? << 4 | low.ok_or(NotADigest)?;
        }
        Ok(Self(out))
    }
}

impl std::fmt::Display for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("sha256:")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl std::fmt::Debug for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

impl Serialize for Digest {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_reads_back_what_it_prints() {
        let digest = Digest([0xa5; 32]);
        assert_eq!(digest.to_string().parse(), Ok(digest));
    }

    #[test]
    fn a_digest_in_upper_case_or_cut_short_is_refused() {
        for text in ["sha256:", "sha256:AA", &format!("sha256:{}", "A".repeat(64)), &"a".repeat(64)] {
            assert_eq!(text.parse::<Digest>(), Err(NotADigest), "{text}");
        }
    }
}
