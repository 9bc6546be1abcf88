//! Groups of syscalls, as data with a reason per entry: what each takes in, what holds whatever a policy says, and what
//! no policy can allow.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use serde::Deserialize;

use crate::front::condition::{Conjunction, Permission, parse};
use crate::front::kernel::Arch;

/// Error numbers that answers use; they are the same on both architectures.
const ERRNOS: [(&str, u16); 7] =
    [("EPERM", 1), ("ENOENT", 2), ("ENOMEM", 12), ("EACCES", 13), ("EINVAL", 22), ("ENOTTY", 25), ("ENOSYS", 38)];

/// One entry of a group.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) call: String,
    pub(crate) why: String,
    pub(crate) when: Conjunction,
    /// The call is not made but fails with this number.
    pub(crate) answer: Option<u16>,
    /// The one architecture that has the call.
    #[cfg_attr(not(test), expect(dead_code, reason = "the tests compare it with the kernel's tables"))]
    pub(crate) arch: Option<Arch>,
}

/// One group with everything it includes.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) why: String,
    pub(crate) internal: bool,
    pub(crate) entries: Vec<Entry>,
    include: Vec<String>,
}

/// What holds on a call whatever a policy says.
#[derive(Debug)]
pub(crate) struct Guard {
    pub(crate) call: Permission,
    pub(crate) load: Permission,
    pub(crate) why: String,
}

struct Tables {
    groups: BTreeMap<String, Group>,
    guards: BTreeMap<String, Guard>,
    never: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Data {
    guard: Vec<GuardData>,
    never: Vec<NeverData>,
    group: Vec<GroupData>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GuardData {
    call: String,
    why: String,
    when: Vec<String>,
    load: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NeverData {
    call: String,
    why: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GroupData {
    name: String,
    why: String,
    #[serde(default)]
    internal: bool,
    #[serde(default)]
    include: Vec<String>,
    entries: Vec<EntryData>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EntryData {
    call: String,
    why: String,
    when: Option<String>,
    answer: Option<String>,
    arch: Option<String>,
}

static TABLES: LazyLock<Tables> = LazyLock::new(|| {
    let data: Data = toml::from_str(include_str!("../../data/syscall-groups.toml")).expect("shipped data, tested");
    let groups = data.group.into_iter().map(|group| {
        let entries = group.entries.into_iter().map(entry).collect();
        (group.name, Group { why: group.why, internal: group.internal, entries, include: group.include })
    });
    let guards = data.guard.into_iter().map(|guard| {
        let call = alternatives(&guard.call, &guard.when);
        let load = guard.load.as_ref().map_or_else(|| call.clone(), |load| alternatives(&guard.call, load));
        (guard.call, Guard { call, load, why: guard.why })
    });
    Tables {
        groups: groups.collect(),
        guards: guards.collect(),
        never: data.never.into_iter().map(|never| (never.call, never.why)).collect(),
    }
});

fn entry(data: EntryData) -> Entry {
    let when = data.when.map_or_else(Conjunction::default, |text| {
        parse(&data.call, &text).unwrap_or_else(|error| panic!("shipped data, tested: {}", error.message))
    });
    let answer = data.answer.map(|name| {
        let known = ERRNOS.iter().find(|(known, _)| *known == name);
        known.expect("shipped data, tested").1
    });
    let arch = data.arch.map(|name| {
        let known = Arch::ALL.into_iter().find(|arch| arch.name() == name);
        known.expect("shipped data, tested")
    });
    Entry { call: data.call, why: data.why, when, answer, arch }
}

/// No alternatives in the data means no guard.
fn alternatives(call: &str, texts: &[String]) -> Permission {
    if texts.is_empty() {
        return Permission::always();
    }
    let mut permission = Permission::default();
    for text in texts {
        permission.add(parse(call, text).unwrap_or_else(|error| panic!("shipped data, tested: {}", error.message)));
    }
    permission
}

/// The group of that name, `@` included.
pub(crate) fn group(name: &str) -> Option<&'static Group> {
    TABLES.groups.get(name)
}

/// Names of the groups a policy may write.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    TABLES.groups.iter().filter(|(_, group)| !group.internal).map(|(name, _)| name.as_str())
}

/// What the guard on a call is, if there is one.
pub(crate) fn guard(call: &str) -> Option<&'static Guard> {
    TABLES.guards.get(call)
}

/// Why no policy can allow a call.
pub(crate) fn never(call: &str) -> Option<&'static str> {
    TABLES.never.get(call).map(String::as_str)
}

/// Every entry of a group and of what it includes, each group once.
pub(crate) fn expand(name: &str) -> Vec<&'static Entry> {
    let mut seen = BTreeSet::new();
    let mut open = vec![name];
    let mut entries = Vec::new();
    while let Some(name) = open.pop() {
        if let Some(group) = TABLES.groups.get(name).filter(|_| seen.insert(name)) {
            entries.extend(&group.entries);
            open.extend(group.include.iter().map(String::as_str));
        }
    }
    entries
}

/// What an error number is called.
pub(crate) fn errno_name(number: u16) -> &'static str {
    ERRNOS.iter().find(|(_, known)| *known == number).map_or("an error", |(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::front::arch::{known_names, syscall_number};

    #[test]
    fn every_call_exists_where_the_data_says() {
        for (name, group) in &TABLES.groups {
            for entry in &group.entries {
                assert!(known_names().contains(entry.call.as_str()), "{name}: `{}`", entry.call);
                for arch in Arch::ALL {
                    let has = syscall_number(arch, &entry.call).is_some();
                    let says = entry.arch.is_none_or(|only| only == arch);
                    // What one table lacks must be said in the data.
                    assert_eq!(has, says, "{name}: `{}` on {}", entry.call, arch.name());
                }
                assert!(!entry.why.is_empty());
            }
        }
        for call in TABLES.guards.keys().chain(TABLES.never.keys()) {
            assert!(known_names().contains(call.as_str()), "`{call}`");
        }
    }

    #[test]
    fn no_group_grants_what_no_policy_can_allow() {
        for (name, group) in TABLES.groups.iter().filter(|(_, group)| !group.internal) {
            for entry in group.entries.iter().filter(|entry| entry.answer.is_none()) {
                assert_eq!(never(&entry.call), None, "{name}");
            }
        }
    }

    #[test]
    fn no_entry_is_written_twice_and_no_call_is_both_granted_and_answered_in_one_group() {
        for (name, group) in &TABLES.groups {
            let mut seen = BTreeSet::new();
            for entry in &group.entries {
                assert!(seen.insert((&entry.call, &entry.when)), "{name}: `{}` twice", entry.call);
                let both = group.entries.iter().any(|other| other.call == entry.call && other.answer != entry.answer);
                assert!(!both, "{name}: `{}`", entry.call);
            }
        }
    }

    #[test]
    fn includes_exist_and_never_lead_back() {
        fn walk(name: &str, path: &mut Vec<String>) {
            assert!(!path.contains(&name.to_owned()), "{path:?} leads back to {name}");
            path.push(name.to_owned());
            let group = group(name).unwrap_or_else(|| panic!("{name} is included but does not exist"));
            group.include.iter().for_each(|next| walk(next, path));
            path.pop();
        }
        TABLES.groups.keys().for_each(|name| walk(name, &mut Vec::new()));
    }

    #[test]
    fn the_data_lists_guards_and_refusals_once() {
        let data: Data = toml::from_str(include_str!("../../data/syscall-groups.toml")).expect("parses");
        assert_eq!(data.guard.len(), TABLES.guards.len());
        assert_eq!(data.never.len(), TABLES.never.len());
        assert_eq!(data.group.len(), TABLES.groups.len());
    }

    #[test]
    fn an_internal_group_is_not_offered() {
        assert!(names().all(|name| name != "@load" && name != "@channel"));
        assert!(group("@load").is_some_and(|group| group.internal));
    }
}
