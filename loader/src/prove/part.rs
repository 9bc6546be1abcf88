//! The parts of a cell that stop something, and a plan in which one of them is left.

use lazaret_policy::{Limits, Namespaces, Plan, Seccomp};
use serde::Serialize;

/// A part of a cell that can stop an act: the process that it is, or a layer of the policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// A process of its own, which is always there: another address space, the deadline, the checks of the region, no
    /// capabilities, and another user where the host is root.
    Process,
    /// System calls.
    Seccomp,
    /// Files and ports.
    Landlock,
    /// Files, sockets, signals, tracing, executing and attributes of files, by profile.
    Apparmor,
    /// Processes, network and System V objects of its own.
    Namespaces,
    /// A file tree of its own, and the process ids that it needs for `/proc`. Alone it is without the granted paths, which a
    /// plan keeps with Landlock.
    Mount,
    /// Resource limits.
    Limits,
    /// Memory that was writable never becomes executable.
    Mdwe,
    /// Memory, tasks and processor time by control group.
    Cgroup,
}

impl Part {
    /// Every part, in the order of the table.
    pub const ALL: [Self; 9] = [
        Self::Process,
        Self::Seccomp,
        Self::Landlock,
        Self::Apparmor,
        Self::Namespaces,
        Self::Mount,
        Self::Limits,
        Self::Mdwe,
        Self::Cgroup,
    ];

    /// The word of policies and reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Process => "process",
            Self::Seccomp => "seccomp",
            Self::Landlock => "landlock",
            Self::Apparmor => "apparmor",
            Self::Namespaces => "namespaces",
            Self::Mount => "mount",
            Self::Limits => "limits",
            Self::Mdwe => "mdwe",
            Self::Cgroup => "cgroup",
        }
    }

    /// Whether a plan has it.
    pub(super) fn is_in(self, plan: &Plan) -> bool {
        let own = plan.namespaces;
        match self {
            Self::Process | Self::Limits => true,
            Self::Seccomp => plan.seccomp.call.is_some(),
            Self::Landlock => plan.landlock.is_some(),
            Self::Apparmor => plan.apparmor.is_some(),
            Self::Namespaces => own.pid || own.net || own.ipc || own.uts,
            Self::Mount => own.mount,
            Self::Mdwe => plan.mdwe,
            Self::Cgroup => plan.cgroup.is_some(),
        }
    }

    /// The plan with this part alone. Every part is named, so that a new one cannot stay in force by being forgotten.
    pub(super) fn alone(self, plan: &Plan) -> Plan {
        let only = |part| self == part;
        let Plan { limits, cgroup, identity, namespaces, mdwe, landlock, apparmor, seccomp, watch: _, channel } = plan;
        let none = Namespaces::NONE;
        Plan {
            limits: if only(Self::Limits) { *limits } else { UNLIMITED },
            cgroup: cgroup.filter(|_| only(Self::Cgroup)),
            identity: *identity,
            namespaces: match self {
                Self::Namespaces => Namespaces { mount: false, ..*namespaces },
                // An ordinary user makes the others in a user namespace; `/proc` shows the processes of a pid namespace.
                Self::Mount => {
                    Namespaces { user: namespaces.user, pid: namespaces.pid, mount: namespaces.mount, ..none }
                }
                // What the limit on tasks counts in.
                Self::Limits => Namespaces { user: namespaces.user, ..none },
                _ => none,
            },
            mdwe: *mdwe && only(Self::Mdwe),
            landlock: landlock.clone().filter(|_| only(Self::Landlock)),
            apparmor: apparmor.clone().filter(|_| only(Self::Apparmor)),
            seccomp: if only(Self::Seccomp) { seccomp.clone() } else { Seccomp { load: None, call: None } },
            // A report tells what is stopped; nothing is stopped by it.
            watch: false,
            channel: *channel,
        }
    }
}

/// What the host itself lives under.
const UNLIMITED: Limits = Limits {
    data: u64::MAX,
    address_space: u64::MAX,
    stack: u64::MAX,
    cpu_seconds: u64::MAX,
    open_files: u64::MAX,
    file_size: u64::MAX,
    tasks: u64::MAX,
};
