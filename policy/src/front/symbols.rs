//! Groups of imported symbols, as data, and the question `imports.deny` asks of each import.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::LazyLock;

use serde::Deserialize;

use crate::front::rules::{ElfRules, Placed, SymbolPattern};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Data {
    composite: BTreeMap<String, Vec<String>>,
    group: BTreeMap<String, GroupData>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GroupData {
    description: String,
    #[cfg_attr(not(test), expect(dead_code, reason = "the tests compare it with the list"))]
    count: usize,
    symbols: Vec<String>,
}

struct Tables {
    /// Name with `@`, the fine groups it stands for, and why it exists. A fine group stands for itself.
    groups: BTreeMap<String, SymbolGroup>,
    /// Fine groups, without `@`, by symbol.
    by_symbol: HashMap<String, BTreeSet<String>>,
}

/// One group that `imports.deny` may name.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct SymbolGroup {
    /// The fine groups it stands for, without `@`.
    pub members: Vec<String>,
    /// What its symbols let a plugin reach.
    pub why: String,
}

/// The group, without `@`, of imports that no C library and no compiler has to do with: another library defines them, and
/// nothing is known of what they do.
pub const UNKNOWN_SYMBOLS: &str = "unknown";

static TABLES: LazyLock<Tables> = LazyLock::new(|| {
    let data: Data = toml::from_str(include_str!("../../data/symbol-groups.toml")).expect("shipped data, tested");
    let mut groups = BTreeMap::new();
    let mut by_symbol: HashMap<String, BTreeSet<String>> = HashMap::new();
    for (name, group) in &data.group {
        let itself = SymbolGroup { members: vec![name.clone()], why: group.description.clone() };
        groups.insert(format!("@{name}"), itself);
        for symbol in &group.symbols {
            by_symbol.entry(symbol.clone()).or_default().insert(name.clone());
        }
    }
    let why = "imports that are in no other group: another library defines them".to_owned();
    groups.insert(format!("@{UNKNOWN_SYMBOLS}"), SymbolGroup { members: vec![UNKNOWN_SYMBOLS.to_owned()], why });
    // A composite may bear the name of a fine group, which it then includes.
    for (name, members) in data.composite {
        let why = members.iter().filter_map(|member| Some(data.group.get(member)?.description.as_str()));
        let why = why.collect::<Vec<_>>().join("; ");
        groups.insert(name, SymbolGroup { members, why });
    }
    Tables { groups, by_symbol }
});

/// Every group that `imports.deny` may name, by its name with `@`.
#[must_use]
pub fn symbol_groups() -> &'static BTreeMap<String, SymbolGroup> {
    &TABLES.groups
}

/// The fine groups of a symbol, without `@`; none for a symbol that no C library exports.
pub fn groups_of(symbol: &str) -> impl Iterator<Item = &'static str> {
    known(symbol).into_iter().flatten().map(String::as_str)
}

fn known(symbol: &str) -> Option<&'static BTreeSet<String>> {
    // Names of C++ and of Rust, of which a large file has a hundred thousand and no C library any.
    if symbol.starts_with("_Z") || symbol.starts_with("_R") { None } else { TABLES.by_symbol.get(symbol) }
}

impl ElfRules {
    /// The entry of `imports.deny` that denies all of a fine group, which is given without `@`.
    #[must_use]
    pub fn group_denied_by(&self, group: &str) -> Option<&Placed<SymbolPattern>> {
        self.imports_deny.iter().find(|denied| match &denied.value {
            SymbolPattern::Name(_) => false,
            SymbolPattern::Group(name) => {
                TABLES.groups.get(name).is_some_and(|denied| denied.members.iter().any(|member| member == group))
            }
        })
    }

    /// Whether `imports.deny` can deny a symbol that is in no group: by its name, or as unknown.
    #[must_use]
    pub fn denies_outside_groups(&self) -> bool {
        self.group_denied_by(UNKNOWN_SYMBOLS).is_some()
            || self.imports_deny.iter().any(|denied| match &denied.value {
                SymbolPattern::Name(name) => known(name).is_none(),
                SymbolPattern::Group(_) => false,
            })
    }

    /// The entry of `imports.deny` that a symbol falls under, and the fine group that decided, if a group did.
    ///
    /// A symbol is denied when its name is listed, or when one of its groups is listed or belongs to a listed composite.
    #[must_use]
    pub fn denied_by(&self, symbol: &str) -> Option<(&Placed<SymbolPattern>, Option<&'static str>)> {
        // Looked up once: most symbols of a file are in no group.
        let groups = known(symbol);
        self.imports_deny.iter().find_map(|denied| match &denied.value {
            SymbolPattern::Name(name) => (name == symbol).then_some((denied, None)),
            SymbolPattern::Group(group) => {
                let fine = groups?;
                let members = &TABLES.groups.get(group)?.members;
                let decided = fine.iter().find(|fine| members.contains(fine))?;
                Some((denied, Some(decided.as_str())))
            }
        })
    }

    /// The same of a symbol that the file does not define: where it is in no other group, it is in [`UNKNOWN_SYMBOLS`].
    #[must_use]
    pub fn import_denied_by(&self, symbol: &str) -> Option<(&Placed<SymbolPattern>, Option<&'static str>)> {
        let unknown = || {
            let denied = self.group_denied_by(UNKNOWN_SYMBOLS).filter(|_| groups_of(symbol).next().is_none())?;
            Some((denied, Some(UNKNOWN_SYMBOLS)))
        };
        self.denied_by(symbol).or_else(unknown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_counts_in_the_data_are_true_and_no_symbol_is_listed_twice() {
        let data: Data = toml::from_str(include_str!("../../data/symbol-groups.toml")).expect("parses");
        for (name, group) in &data.group {
            let distinct: BTreeSet<_> = group.symbols.iter().collect();
            assert_eq!((group.symbols.len(), distinct.len()), (group.count, group.count), "{name}");
            assert!(!group.description.is_empty(), "{name}");
        }
        for (name, members) in &data.composite {
            assert!(name.starts_with('@'), "{name}");
            members.iter().for_each(|member| assert!(data.group.contains_key(member), "{name}: {member}"));
        }
    }

    #[test]
    fn no_symbol_has_a_mangled_name() {
        assert!(TABLES.by_symbol.keys().all(|symbol| known(symbol).is_some()));
    }

    #[test]
    fn a_composite_includes_the_fine_group_whose_name_it_bears() {
        let data: Data = toml::from_str(include_str!("../../data/symbol-groups.toml")).expect("parses");
        for (name, members) in &data.composite {
            let fine = name.trim_start_matches('@');
            assert!(!data.group.contains_key(fine) || members.contains(&fine.to_owned()), "{name}");
        }
    }

    #[test]
    fn a_symbol_has_the_groups_of_what_it_does() {
        assert!(groups_of("system").any(|group| group == "exec"));
        assert!(groups_of("open64").any(|group| group == "filesystem-open"));
        assert_eq!(groups_of("no_such_symbol").count(), 0);
        assert!(groups_of("stdout").eq(["data"]));
        assert!(groups_of("__udivti3").eq(["compiler-runtime"]));
    }

    #[test]
    fn an_import_that_nobody_knows_is_a_group_of_its_own() {
        let origin = crate::front::rules::Origin { source: "p".to_owned(), line: 1, key: "imports.deny".to_owned() };
        let denied = SymbolPattern::Group("@unknown".to_owned());
        let rules = ElfRules {
            require: BTreeMap::new(),
            needed: Vec::new(),
            imports_deny: vec![Placed { value: denied, origin }],
            exports_require: Vec::new(),
            direct_syscalls: None,
        };
        assert_eq!(rules.import_denied_by("deflate").and_then(|(_, group)| group), Some(UNKNOWN_SYMBOLS));
        // Its own functions have names that nobody knows, too.
        assert!(rules.denied_by("deflate").is_none() && rules.import_denied_by("strlen").is_none());
    }
}
