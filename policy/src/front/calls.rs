//! Which syscalls the layers of a policy allow: each call with the arguments it is allowed for, and the calls that are
//! answered with an error instead of being made.

use std::collections::BTreeMap;

use crate::front::condition::{Conjunction, Permission};
use crate::front::document::{Allowed, Syscalls};
use crate::front::groups;
use crate::front::narrow::Log;
use crate::front::text::Place;

/// Alternatives on one call after which a filter would no longer be one a person can follow, or the kernel take.
const MAX_ALTERNATIVES: usize = 64;

/// What holds for one call.
#[derive(Clone, Debug, Default)]
pub(crate) struct Right {
    /// The arguments it may be made with.
    pub(crate) grant: Permission,
    /// The arguments it is answered for, and the error.
    pub(crate) answer: Option<(u16, Permission)>,
    /// Every line that states it.
    pub(crate) lines: Vec<Place>,
}

impl Right {
    fn is_nothing(&self) -> bool {
        self.grant.is_never() && self.answer.as_ref().is_none_or(|(_, when)| when.is_never())
    }

    fn add(&mut self, when: Conjunction, answer: Option<u16>, line: &Place) {
        match answer {
            None => self.grant.add(when),
            Some(errno) => self.answer.get_or_insert_with(|| (errno, Permission::default())).1.add(when),
        }
        if self.lines.last() != Some(line) {
            self.lines.push(line.clone());
        }
    }

    /// What both allow. An answer is less than a grant: what one side grants and the other answers is answered.
    fn and(&self, other: &Self) -> Self {
        let none = Permission::default();
        let answered = |right: &Self| right.answer.as_ref().map_or_else(|| none.clone(), |(_, when)| when.clone());
        let either = |right: &Self| right.grant.or(&answered(right));
        let when = answered(self).and(&either(other)).or(&answered(other).and(&either(self)));
        let errno = self.answer.as_ref().or(other.answer.as_ref()).map(|(errno, _)| *errno);
        let mut lines = self.lines.clone();
        lines.extend(other.lines.iter().cloned());
        Self {
            grant: self.grant.and(&other.grant),
            answer: errno.filter(|_| !when.is_never()).map(|errno| (errno, when)),
            lines,
        }
    }
}

/// The calls of some layers.
#[derive(Clone, Debug)]
pub(crate) struct Calls {
    /// The line that last stated the whole list; none before any layer did.
    pub(crate) by: Option<Place>,
    /// What that line says, for advice.
    pub(crate) written: Vec<String>,
    pub(crate) rights: BTreeMap<String, Right>,
}

impl Calls {
    pub(crate) fn undecided() -> Self {
        Self { by: None, written: Vec::new(), rights: BTreeMap::new() }
    }

    pub(crate) fn settle(&mut self, root: &str) {
        self.by.get_or_insert_with(|| Place::unlined(root, "syscalls.allow"));
    }

    /// Applies a layer. `allow` and `rules` together are the list; `rules` without `allow` speaks about the calls it
    /// names and no others.
    pub(crate) fn narrow(self, layer: &Syscalls, log: &mut Log) -> Self {
        let allow = layer.allow.as_ref();
        let rules = layer.rules.as_ref();
        let Some(place) = allow.map(|list| &list.place).or(rules.map(|list| &list.place)) else { return self };
        let items = Item::all(layer);
        let mut stated = BTreeMap::new();
        for item in &items {
            item.add_to(&mut stated);
        }
        let written: Vec<String> =
            allow.into_iter().flat_map(|list| &list.items).map(|item| item.value.to_string()).collect();
        let Some(decided) = self.by else {
            return Self { by: Some(place.clone()), written, rights: stated };
        };
        let mut rights = BTreeMap::new();
        let mut lost: Vec<(Place, Vec<String>)> = Vec::new();
        for (call, right) in &self.rights {
            let both = match stated.get(call) {
                Some(other) => right.and(other),
                None if allow.is_none() => right.clone(),
                None => Right::default(),
            };
            if both.grant != right.grant {
                let what = if both.grant.is_never() { call.clone() } else { format!("{call} beyond {}", both.grant) };
                match lost.iter_mut().find(|(line, _)| *line == right.lines[0]) {
                    Some((_, calls)) => calls.push(what),
                    None => lost.push((right.lines[0].clone(), vec![what])),
                }
            }
            if !both.is_nothing() {
                rights.insert(call.clone(), both);
            }
        }
        for (line, calls) in lost {
            log.took(calls.join(", "), &line, place);
        }
        for item in &items {
            item.judge(&self.rights, &decided, log);
        }
        let by = if allow.is_some() { place.clone() } else { decided };
        let written = if allow.is_some() { written } else { self.written };
        Self { by: Some(by), written, rights }
    }

    /// Calls that may be made with some arguments.
    pub(crate) fn granted(&self) -> impl Iterator<Item = &str> {
        self.rights.iter().filter(|(_, right)| !right.grant.is_never()).map(|(call, _)| call.as_str())
    }

    /// The first call whose rules are too many, with the line that says one of them.
    pub(crate) fn too_many(&self) -> Option<(&str, &Place)> {
        self.rights.iter().find_map(|(call, right)| {
            let answers = right.answer.iter().map(|(_, when)| when.alternatives().len()).sum::<usize>();
            let long = right.grant.alternatives().any(|one| one.0.len() > MAX_ALTERNATIVES);
            let many = right.grant.alternatives().len() + answers > MAX_ALTERNATIVES;
            (long || many).then(|| (call.as_str(), &right.lines[0]))
        })
    }
}

/// One entry of `allow` or `rules` with what it stands for.
struct Item<'a> {
    text: String,
    place: &'a Place,
    entries: Vec<(&'a str, Conjunction, Option<u16>)>,
}

impl<'a> Item<'a> {
    fn all(layer: &'a Syscalls) -> Vec<Self> {
        let allow = layer.allow.iter().flat_map(|list| &list.items).map(|item| {
            let entries = match &item.value {
                Allowed::Call(name) => vec![(name.as_str(), Conjunction::default(), None)],
                Allowed::Group(name) => groups::expand(name)
                    .into_iter()
                    .map(|entry| (entry.call.as_str(), entry.when.clone(), entry.answer))
                    .collect(),
            };
            Self { text: item.value.to_string(), place: &item.place, entries }
        });
        let rules = layer.rules.iter().flat_map(|list| &list.items).map(|item| Self {
            text: format!("{} when {}", item.value.call, item.value.when),
            place: &item.place,
            entries: vec![(&item.value.call, item.value.when.clone(), None)],
        });
        allow.chain(rules).collect()
    }

    fn add_to(&self, rights: &mut BTreeMap<String, Right>) {
        for (call, when, answer) in &self.entries {
            rights.entry((*call).to_owned()).or_default().add(when.clone(), *answer, self.place);
        }
    }

    /// Compares what the entry states with what is granted below it.
    fn judge(&self, below: &BTreeMap<String, Right>, decided: &Place, log: &mut Log) {
        let mut own = BTreeMap::new();
        self.add_to(&mut own);
        let stated = own.iter().filter(|(_, right)| !right.grant.is_never());
        let (mut kept, mut lost) = (0, Vec::new());
        for (call, right) in stated {
            if below.get(call).is_some_and(|base| !base.and(right).grant.is_never()) {
                kept += 1;
            } else {
                lost.push(call.as_str());
            }
        }
        if lost.is_empty() {
            return;
        }
        if kept == 0 {
            log.without_effect(&self.text, self.place, decided);
        } else {
            log.took(format!("{} of {}", lost.join(", "), self.text), self.place, decided);
        }
    }
}
