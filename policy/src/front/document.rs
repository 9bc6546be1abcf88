//! What one text says, before anything is combined: each value with the place it was written at. A key that is not
//! written is `None`, which is an opinion about nothing.

mod layer;
mod limit;

use std::collections::BTreeMap;
use std::fmt;

use crate::front::condition::Conjunction;
use crate::front::modules::{Claim, ModulePattern};
use crate::front::rules::{Digest, Hardening, Needed, SymbolPattern};
use crate::front::text::Place;

pub use layer::Layer;
pub(crate) use layer::LayerNeed;
pub use limit::Limit;
pub(crate) use limit::Unit;

/// A value where it was written.
#[derive(Clone, Debug)]
pub(crate) struct Written<T> {
    pub(crate) value: T,
    pub(crate) place: Place,
}

/// A list, with the place of its key.
#[derive(Clone, Debug)]
pub(crate) struct List<T> {
    pub(crate) place: Place,
    pub(crate) items: Vec<Written<T>>,
}

/// One policy text, a ceiling, or the requests of a `plugin.json`, read and checked by itself.
#[derive(Clone, Debug)]
pub struct Document {
    pub(crate) source: String,
    pub(crate) name: Option<Written<String>>,
    pub(crate) description: Option<Written<String>>,
    pub(crate) extends: Option<Written<String>>,
    pub(crate) trust: Trust,
    pub(crate) elf: Elf,
    pub(crate) provenance: Provenance,
    pub(crate) files: Files,
    pub(crate) network: Network,
    pub(crate) syscalls: Syscalls,
    pub(crate) limits: BTreeMap<Limit, Written<u64>>,
    pub(crate) layers: Layers,
}

impl Document {
    pub(crate) fn empty(source: &str) -> Self {
        Self {
            source: source.to_owned(),
            name: None,
            description: None,
            extends: None,
            trust: Trust::default(),
            elf: Elf::default(),
            provenance: Provenance::default(),
            files: Files::default(),
            network: Network::default(),
            syscalls: Syscalls::default(),
            limits: BTreeMap::new(),
            layers: Layers::default(),
        }
    }

    /// Name of the text.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Name of the policy.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.name.as_ref().map(|name| name.value.as_str())
    }

    /// What the policy says it is for.
    #[must_use]
    pub fn description(&self) -> Option<&str> {
        self.description.as_ref().map(|text| text.value.as_str())
    }

    /// The policy it narrows, as written.
    #[must_use]
    pub fn extends(&self) -> Option<&str> {
        self.extends.as_ref().map(|reference| reference.value.as_str())
    }
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Trust {
    pub(crate) publishers: Option<List<String>>,
    pub(crate) digests: Option<List<Digest>>,
    pub(crate) unsigned: Option<Written<bool>>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Elf {
    pub(crate) require: Option<List<Hardening>>,
    pub(crate) needed: Option<List<Needed>>,
    pub(crate) imports_deny: Option<List<SymbolPattern>>,
    pub(crate) exports_require: Option<List<String>>,
    /// Whether direct syscalls are allowed.
    pub(crate) direct_syscalls: Option<Written<Direct>>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Provenance {
    pub(crate) deny: Option<List<ModulePattern>>,
    pub(crate) require: Option<List<Claim>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direct {
    Deny,
    Allow,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Files {
    pub(crate) read: Option<List<GrantedPath>>,
    pub(crate) write: Option<List<GrantedPath>>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Network {
    pub(crate) connect: Option<List<Port>>,
    pub(crate) bind: Option<List<Port>>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Syscalls {
    pub(crate) allow: Option<List<Allowed>>,
    /// Rules that allow a call; rules that say how one is refused are no opinion about what is allowed.
    pub(crate) rules: Option<List<Rule>>,
    pub(crate) refusals: Vec<Written<Refusal>>,
    pub(crate) on_deny: Option<Written<OnDeny>>,
}

/// An entry of `syscalls.allow`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Allowed {
    Group(String),
    Call(String),
}

impl fmt::Display for Allowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Group(name) | Self::Call(name)) = self;
        f.write_str(name)
    }
}

/// An entry of `syscalls.rules`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rule {
    pub(crate) call: String,
    pub(crate) when: Conjunction,
}

/// An entry of `syscalls.rules` that says how a call is refused where it is not allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) call: String,
    pub(crate) answer: OnDeny,
}

/// What a refused syscall does, from the mildest to the strictest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnDeny {
    /// The call fails with `EPERM`.
    Errno,
    /// The call fails with `EPERM`, and the host is told of it.
    Report,
    /// The cell ends, and the host learns which call it was.
    Kill,
}

impl OnDeny {
    /// Every consequence, from the mildest to the strictest.
    pub const ALL: [Self; 3] = [Self::Errno, Self::Report, Self::Kill];

    /// The word a policy writes.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Errno => "errno",
            Self::Report => "report",
            Self::Kill => "kill",
        }
    }
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Layers {
    pub(crate) require: Option<List<LayerNeed>>,
    pub(crate) optional: Option<List<LayerNeed>>,
    pub(crate) layout: Option<Written<Layout>>,
}

/// Where a cell's address-space layout comes from, from the weaker to the stricter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Layout {
    /// From a process that cells of this host are forked from: a start is faster, and a plugin that learns addresses in its
    /// cell knows those of the others.
    Shared,
    /// From the kernel: the cell's program is executed anew.
    Fresh,
}

impl Layout {
    /// Both, from the weaker to the stricter.
    pub const ALL: [Self; 2] = [Self::Shared, Self::Fresh];

    /// The word a policy writes.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Shared => "shared",
            Self::Fresh => "fresh",
        }
    }
}

/// What a granted path begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Root {
    Absolute,
    Bundle,
    State,
}

/// A path as a policy grants it: absolute or beneath a variable, without `.`, `..` and doubled slashes.
#[derive(Clone, Debug)]
pub(crate) struct GrantedPath {
    pub(crate) root: Root,
    /// Empty, or `/` and components.
    pub(crate) rest: String,
    /// How many bytes of `rest` may lead through symbolic links: what the policy that granted the most wrote itself. What a
    /// narrower text adds must lie beneath that, and a link would lead out of it.
    pub(crate) followed: usize,
}

/// By what is granted, not by how it is reached.
impl PartialEq for GrantedPath {
    fn eq(&self, other: &Self) -> bool {
        (self.root, &self.rest) == (other.root, &other.rest)
    }
}

impl Eq for GrantedPath {}

impl GrantedPath {
    /// Whether `other` is this path or beneath it.
    pub(crate) fn contains(&self, other: &Self) -> bool {
        if self.root == Root::Absolute && self.rest.is_empty() {
            return true;
        }
        self.root == other.root
            && other.rest.strip_prefix(&self.rest).is_some_and(|below| below.is_empty() || below.starts_with('/'))
    }
}

impl fmt::Display for GrantedPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let root = match self.root {
            Root::Absolute if self.rest.is_empty() => "/",
            Root::Absolute => "",
            Root::Bundle => "${bundle}",
            Root::State => "${state}",
        };
        write!(f, "{root}{}", self.rest)
    }
}

/// Transport protocols whose ports Landlock knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Protocol {
    Tcp,
    Udp,
}

/// A port of `network.connect` or `network.bind`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Port {
    pub(crate) protocol: Protocol,
    pub(crate) number: u16,
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let protocol = match self.protocol {
            Protocol::Tcp => "tcp",
            Protocol::Udp => "udp",
        };
        write!(f, "{protocol}:{}", self.number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_contains_itself_and_what_is_beneath_but_not_its_namesakes() {
        let path = |root, rest: &str| GrantedPath { root, rest: rest.to_owned(), followed: rest.len() };
        let usr = path(Root::Absolute, "/usr");
        assert!(usr.contains(&usr));
        assert!(usr.contains(&path(Root::Absolute, "/usr/share")));
        assert!(!usr.contains(&path(Root::Absolute, "/usrlocal")));
        assert!(!usr.contains(&path(Root::Absolute, "")));
        assert!(!usr.contains(&path(Root::Bundle, "/usr")));
        assert!(path(Root::Absolute, "").contains(&path(Root::Bundle, "/assets")));
        assert!(path(Root::Bundle, "").contains(&path(Root::Bundle, "/assets")));
    }
}
