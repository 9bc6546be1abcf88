//! The mechanisms that enforce a plan, by the words a policy writes.

use std::fmt;

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
    /// Memory, tasks and processor time by control group.
    Cgroup,
    /// Processes, network, System V objects and host name of the cell's own.
    Namespaces,
    /// A file tree of the cell's own: the granted paths and nothing else.
    Mount,
}

impl Layer {
    /// Every layer, in the order of reports.
    pub const ALL: [Self; 9] = [
        Self::Landlock,
        Self::Seccomp,
        Self::Capabilities,
        Self::Limits,
        Self::Mdwe,
        Self::Apparmor,
        Self::Cgroup,
        Self::Namespaces,
        Self::Mount,
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
            Self::Mount => "mount",
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
