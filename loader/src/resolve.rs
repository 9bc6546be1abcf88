//! Whether everything that an object expects of the libraries it needs is there: versions of symbols, and the symbols. A
//! loader looks all of it up before anything runs (`RTLD_NOW`), so what is missing is known before a file is mapped.

use std::collections::BTreeSet;
use std::path::Path;

use crate::audit::{Code, Finding, Object, Severity, Symbol, escape};

/// How many symbols are named; the rest is counted.
const NAMED_LIMIT: usize = 8;

/// Weak symbols that compilers put into every shared object, for a profiler and for transactions that hardly anybody has.
const NOWHERE: [&str; 4] =
    ["__gmon_start__", "_ITM_deregisterTMCloneTable", "_ITM_registerTMCloneTable", "_Jv_RegisterClasses"];

/// A library that an object needs, as it was found.
pub(crate) struct Needed<'a> {
    pub(crate) path: &'a Path,
    pub(crate) object: &'a Object,
}

/// Versions that an object needs and that the library, as it was found, does not define. glibc stops for these
/// (`elf/dl-version.c`), but not for weak ones, and not where a library defines no versions at all. musl does not look.
pub(crate) fn version_gaps<'a>(object: &Object, find: &dyn Fn(&str) -> Option<Needed<'a>>) -> Vec<Finding> {
    let mut gaps = Vec::new();
    for needed in object.needed_versions().filter(|needed| !needed.weak) {
        let Some(library) = find(needed.library) else { continue };
        let mut defined: Vec<&str> = library.object.defined_versions().collect();
        if defined.is_empty() || defined.contains(&needed.version) || gaps.len() >= NAMED_LIMIT {
            continue;
        }
        let (version, name) = (escape(needed.version), escape(needed.library));
        let what = format!("the version `{version}` is needed of `{name}`, which does not define it");
        let family = family(needed.version);
        defined.retain(|version| self::family(version) == family);
        let newest = defined.into_iter().max_by_key(|version| numbers(version)).map(escape);
        let gap = Finding::new(Code::VersionMissing, Severity::Refuse, what);
        let gap = gap.with("library", crate::open::shown(library.path)).with("version", version);
        gaps.push(gap.with("newest", newest.unwrap_or_else(|| "none of that name".to_owned())));
    }
    gaps
}

/// `GLIBC_2.36` is of `GLIBC`.
fn family(version: &str) -> &str {
    version.split_once(|c: char| c.is_ascii_digit()).map_or(version, |(family, _)| family)
}

/// `GLIBC_2.4` is older than `GLIBC_2.36`: numbers count, not letters.
fn numbers(version: &str) -> Vec<u64> {
    let parts = version.split(|c: char| !c.is_ascii_digit()).filter(|part| !part.is_empty());
    parts.map(|part| part.parse().unwrap_or(u64::MAX)).collect()
}

/// Symbols that no object in reach defines: neither the object itself, nor what it needs, nor what every cell has, which are
/// its `libraries`. Strong ones make loading fail, weak ones are 0 then.
pub(crate) fn unresolved(object: &Object, libraries: &[&Object], versions: Versions) -> Vec<Finding> {
    let defined = |object: &Object, symbol: &Symbol<'_>| {
        object.defines(symbol.name, symbol.version.filter(|_| versions == Versions::Count))
    };
    let elsewhere = |symbol: &Symbol<'_>| libraries.iter().any(|library| defined(library, symbol));
    let expected = |symbol: &Symbol<'_>| !symbol.weak || !NOWHERE.contains(&symbol.name);
    let mut open: Vec<_> = object.bound_imports().filter(expected).filter(|symbol| !elsewhere(symbol)).collect();
    // Seldom one of its own, which a look at all of them shows; to sort a hundred thousand for that takes longer.
    let names: BTreeSet<&str> = open.iter().map(|symbol| symbol.name).collect();
    if !names.is_empty() && object.exports_one_of(&names) {
        open.retain(|symbol| !defined(object, symbol));
    }
    let (mut strong, mut weak) = (Vec::new(), Vec::new());
    for symbol in open {
        let version = symbol.version.map(|version| format!("@{version}")).unwrap_or_default();
        let list = if symbol.weak { &mut weak } else { &mut strong };
        list.push(escape(&format!("{}{version}", symbol.name)));
    }
    let strong = grouped(Code::Unresolved, Severity::Refuse, "is defined by no library in reach", strong);
    strong.into_iter().chain(grouped(Code::UnresolvedWeak, Severity::Note, "is weak and not there", weak)).collect()
}

/// Whether the loader compares versions of symbols: musl does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Versions {
    Count,
    AreIgnored,
}

fn grouped(code: Code, severity: Severity, what: &str, names: Vec<String>) -> Option<Finding> {
    let first = names.first()?;
    let mut finding = Finding::new(code, severity, format!("the symbol `{first}` {what}"));
    finding.times = u64::try_from(names.len()).unwrap_or(u64::MAX);
    Some(names.into_iter().take(NAMED_LIMIT).fold(finding, |finding, name| finding.with("symbol", name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_by_their_numbers_and_within_their_family() {
        let newest = ["GLIBC_2.4", "GLIBC_2.36", "GLIBC_2.2.5"].into_iter().max_by_key(|version| numbers(version));
        assert_eq!(newest, Some("GLIBC_2.36"));
        assert_eq!((family("GLIBC_2.36"), family("GLIBC_PRIVATE")), ("GLIBC_", "GLIBC_PRIVATE"));
    }
}
