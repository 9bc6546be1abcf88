//! What a plugin can reach by the names it imports, and through which of the libraries it needs. A reading aid and the
//! matter of `imports.deny`, never a boundary: a name that is not imported can be searched for at run time.

use std::collections::{BTreeMap, BTreeSet};

use lazaret_policy::{ElfRules, Origin, UNKNOWN_SYMBOLS, groups_of, symbol_groups};
use schemars::JsonSchema;
use serde::Serialize;

use crate::audit::{Object, escape};

/// How many symbols of one group are named for one file; the rest is counted.
const MAX_NAMED: usize = 16;

/// One group of symbols that a plugin or a library of it imports.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize)]
pub struct Reach {
    /// The group, as in the policy's `imports.deny` but without `@`.
    pub group: &'static str,
    /// What its symbols let a plugin do.
    pub means: String,
    /// Whether about every file that a compiler makes imports some of it (the group `@base`).
    pub everyday: bool,
    /// What the plugin itself imports of it.
    pub imports: Names,
    /// What the libraries that it needs import of it; left out for everyday groups.
    pub through: Vec<Through>,
    /// The line of the policy that denies the group to plugins.
    pub denied_by: Option<Origin>,
}

/// What a library imports of a group.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize)]
pub struct Through {
    /// The libraries from what the plugin needs to the one that imports.
    pub path: Vec<String>,
    /// What that one imports.
    pub imports: Names,
}

/// Imported symbols.
#[derive(Clone, Debug, Default, PartialEq, Eq, JsonSchema, Serialize)]
pub struct Names {
    /// How many there are.
    pub count: u64,
    /// The first of them, in printable ASCII.
    pub first: Vec<String>,
}

impl Names {
    fn add(&mut self, name: &str) {
        self.count = self.count.saturating_add(1);
        if self.first.len() < MAX_NAMED {
            self.first.push(escape(name));
        }
    }
}

/// A library of a closure, by the name it is needed by.
pub(crate) type Named<'a> = (&'a str, &'a Object);

/// What a plugin reaches by itself and through its libraries, what the policy denies first, then what is out of the ordinary.
pub(crate) fn reach(plugin: &Object, libraries: &[Named<'_>], rules: &ElfRules) -> Vec<Reach> {
    let everyday: BTreeSet<&str> =
        symbol_groups().get("@base").into_iter().flat_map(|base| &base.members).map(String::as_str).collect();
    let mut found: BTreeMap<&'static str, Reach> = BTreeMap::new();
    let mut entry = |group: &'static str, names: Names, path: Vec<String>| {
        let reach = found.entry(group).or_insert_with(|| Reach {
            group,
            means: symbol_groups().get(&format!("@{group}")).map(|known| known.why.clone()).unwrap_or_default(),
            everyday: everyday.contains(group),
            imports: Names::default(),
            through: Vec::new(),
            denied_by: None,
        });
        if path.is_empty() {
            reach.imports = names;
        } else {
            reach.through.push(Through { path, imports: names });
        }
    };
    for (group, names) in imports_of(plugin) {
        entry(group, names, Vec::new());
    }
    let paths = paths(plugin, libraries);
    for (name, object) in libraries.iter().filter(|(_, object)| !object.is_c_library()) {
        let Some(path) = paths.get(name) else { continue };
        // Names that nobody knows say nothing of a library that others wrote, and everyday ones say it of each.
        let telling = |group: &&'static str| !everyday.contains(*group) && *group != UNKNOWN_SYMBOLS;
        for (group, names) in imports_of(object).into_iter().filter(|(group, _)| telling(group)) {
            entry(group, names, path.clone());
        }
    }
    let mut all: Vec<Reach> = found.into_values().collect();
    for reach in &mut all {
        reach.denied_by = rules.group_denied_by(reach.group).map(|denied| denied.origin.clone());
    }
    all.sort_by_key(|reach| (reach.everyday, reach.denied_by.is_none(), reach.imports.count == 0));
    all
}

fn imports_of(object: &Object) -> BTreeMap<&'static str, Names> {
    let mut groups: BTreeMap<&'static str, Names> = BTreeMap::new();
    for symbol in object.imports().filter(|symbol| !symbol.name.is_empty()) {
        let mut known = groups_of(symbol.name).peekable();
        let unknown = known.peek().is_none().then_some(UNKNOWN_SYMBOLS);
        for group in known.chain(unknown) {
            groups.entry(group).or_default().add(symbol.name);
        }
    }
    groups
}

/// The shortest way to each library, from what the plugin needs itself.
fn paths<'a>(plugin: &Object, libraries: &[Named<'a>]) -> BTreeMap<&'a str, Vec<String>> {
    let by_name: BTreeMap<&str, Named<'a>> = libraries.iter().map(|library| (library.0, *library)).collect();
    let mut paths: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    let mut next: Vec<(Vec<String>, Vec<&str>)> = vec![(Vec::new(), plugin.needed().collect())];
    while !next.is_empty() {
        for (path, needed) in std::mem::take(&mut next) {
            for (name, object) in needed.into_iter().filter_map(|name| by_name.get(name)) {
                if !paths.contains_key(name) {
                    let mut path = path.clone();
                    path.push(escape(name));
                    next.push((path.clone(), object.needed().collect()));
                    paths.insert(name, path);
                }
            }
        }
    }
    paths
}
