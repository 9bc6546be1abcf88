//! What one text says, before anything is combined: each value with the place it was written at. A key that is not
//! written is `None`, which is an opinion about nothing.

use std::collections::BTreeMap;
use std::fmt;

use crate::front::condition::Conjunction;
use crate::front::rules::{Digest, Hardening, Needed, SymbolPattern};
use crate::front::text::Place;
use crate::front::units;

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
    pub(crate) rules: Option<List<Rule>>,
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

/// What a refused syscall does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnDeny {
    /// The cell ends, and the host learns which call it was.
    Kill,
    /// The call fails with `EPERM`.
    Errno,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Layers {
    pub(crate) require: Option<List<LayerNeed>>,
    pub(crate) optional: Option<List<LayerNeed>>,
}

/// One mechanism that enforces a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Layer {
    /// Files and ports, by the kernel's Landlock.
    Landlock,
    /// Syscalls.
    Seccomp,
    /// No capability is left.
    Capabilities,
    /// Resource limits.
    Limits,
    /// Memory that was writable never becomes executable.
    Mdwe,
    /// Mandatory access control by path.
    Apparmor,
    /// Memory and tasks by control group.
    Cgroup,
    /// Process, network and mount namespaces.
    Namespaces,
}

impl Layer {
    /// Every layer, in the order of reports.
    pub const ALL: [Self; 8] = [
        Self::Landlock,
        Self::Seccomp,
        Self::Capabilities,
        Self::Limits,
        Self::Mdwe,
        Self::Apparmor,
        Self::Cgroup,
        Self::Namespaces,
    ];

    /// The word a policy writes.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Landlock => "landlock",
            Self::Seccomp => "seccomp",
            Self::Capabilities => "capabilities",
            Self::Limits => "limits",
            Self::Mdwe => "mdwe",
            Self::Apparmor => "apparmor",
            Self::Cgroup => "cgroup",
            Self::Namespaces => "namespaces",
        }
    }

    /// Required unless a policy lists it as optional.
    #[must_use]
    pub const fn is_core(self) -> bool {
        matches!(self, Self::Landlock | Self::Seccomp | Self::Capabilities | Self::Limits)
    }
}

/// A layer, with the least Landlock ABI asked for; 0 for the other layers and where none is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LayerNeed {
    pub(crate) layer: Layer,
    pub(crate) abi: u32,
}

impl fmt::Display for LayerNeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.layer.name())?;
        if self.abi > 0 { write!(f, ">={}", self.abi) } else { Ok(()) }
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

/// A cap; `limits` has one key for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Limit {
    /// Private writable memory, in bytes.
    Memory,
    /// Address space, in bytes.
    AddressSpace,
    /// Stack of a thread, in bytes.
    Stack,
    /// The largest file that may be written, in bytes.
    FileSize,
    /// Arguments of one call, and its results, in bytes.
    Message,
    /// Threads.
    Threads,
    /// Open descriptors.
    OpenFiles,
    /// Processor time over the life of the cell, in milliseconds.
    CpuTime,
    /// One call, in milliseconds.
    CallTime,
    /// Mapping the plugin and its constructors, in milliseconds.
    LoadTime,
}

/// How a limit is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    Bytes,
    Count,
    Milliseconds,
}

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

impl Limit {
    /// Every limit, in the order of the documentation.
    pub const ALL: [Self; 10] = [
        Self::Memory,
        Self::AddressSpace,
        Self::Stack,
        Self::FileSize,
        Self::Message,
        Self::Threads,
        Self::OpenFiles,
        Self::CpuTime,
        Self::CallTime,
        Self::LoadTime,
    ];

    /// The key a policy writes.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::AddressSpace => "address-space",
            Self::Stack => "stack",
            Self::FileSize => "file-size",
            Self::Message => "message",
            Self::Threads => "threads",
            Self::OpenFiles => "open-files",
            Self::CpuTime => "cpu-time",
            Self::CallTime => "call-time",
            Self::LoadTime => "load-time",
        }
    }

    pub(crate) const fn unit(self) -> Unit {
        match self {
            Self::Threads | Self::OpenFiles => Unit::Count,
            Self::CpuTime | Self::CallTime | Self::LoadTime => Unit::Milliseconds,
            Self::Memory | Self::AddressSpace | Self::Stack | Self::FileSize | Self::Message => Unit::Bytes,
        }
    }

    /// What holds where the outermost policy states nothing: enough for a library that computes, and no more. A policy
    /// that extends another cannot raise it, since a default is a cap like any other.
    #[must_use]
    pub const fn default(self) -> u64 {
        match self {
            Self::Memory => 256 * MIB,
            Self::AddressSpace => GIB,
            Self::Stack => 8 * MIB,
            Self::FileSize => 0,
            Self::Message => MIB,
            Self::Threads => 16,
            Self::OpenFiles => 64,
            Self::CpuTime => 600_000,
            Self::CallTime => 2_000,
            Self::LoadTime => 5_000,
        }
    }

    /// Least and greatest values that can work.
    pub(crate) const fn bounds(self) -> (u64, u64) {
        match self {
            // Below this the cell itself does not start.
            Self::Memory => (4 * MIB, 1 << 46),
            Self::AddressSpace => (64 * MIB, 1 << 47),
            Self::Stack => (128 << 10, GIB),
            Self::FileSize => (0, 1 << 50),
            // Offsets inside a region are 32 bits wide.
            Self::Message => (1 << 12, GIB),
            Self::Threads => (1, 4096),
            Self::OpenFiles => (16, 65_536),
            // The kernel counts processor time in whole seconds.
            Self::CpuTime => (1_000, 1 << 40),
            Self::CallTime | Self::LoadTime => (1, 24 * 3_600_000),
        }
    }

    /// Prints a value as a policy would write it.
    #[must_use]
    pub fn show(self, value: u64) -> String {
        match self.unit() {
            Unit::Bytes => units::show_size(value),
            Unit::Count => value.to_string(),
            Unit::Milliseconds => units::show_milliseconds(value),
        }
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

    #[test]
    fn every_default_is_within_its_bounds_and_fits_the_others() {
        for limit in Limit::ALL {
            let (least, greatest) = limit.bounds();
            assert!((least..=greatest).contains(&limit.default()), "{}", limit.name());
        }
        assert!(Limit::Memory.default() <= Limit::AddressSpace.default());
    }
}
