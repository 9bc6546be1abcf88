//! What a policy means on one kernel: numbers and lists, nothing left to interpret. A cell enforces exactly this, and
//! this file is all of the policy crate that is linked into a cell.

use serde::{Deserialize, Serialize};

/// What one cell enforces, in the order in which it is applied.
///
/// A plan is made by [`Policy::plan`](crate::Policy::plan) in the host and travels to the cell in its byte form. It
/// holds no names: syscalls are filters, Landlock rights are kernel bits, sizes are bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// Resource limits, `setrlimit(2)`.
    pub limits: Limits,
    /// Caps by control group; `None` where no group is delegated to the host.
    pub cgroup: Option<Cgroup>,
    /// The user and group the cell becomes, when the host is root; `None` keeps the host's own. The host puts an id of each
    /// cell's own here where there are enough ids.
    pub identity: Option<Identity>,
    /// Namespaces of the cell's own. The user namespace is made before the limits are set: a limit on tasks reaches into
    /// the namespaces that are made beneath it.
    pub namespaces: Namespaces,
    /// Refuse memory that is writable and later executable: `PR_SET_MDWE` (Linux 6.3).
    pub mdwe: bool,
    /// Landlock domain; `None` only where the policy lists the layer as optional and the kernel lacks it.
    pub landlock: Option<Landlock>,
    /// The AppArmor profile of the cell; `None` where the policy does not ask for the layer, or lists it as optional and the
    /// machine does not enforce the profile.
    pub apparmor: Option<Apparmor>,
    /// seccomp filters of the two phases.
    pub seccomp: Seccomp,
    /// Whether the call-phase filter lets the calls that Landlock may refuse through the gate alone ([`GATE`]), so that the
    /// cell can tell which file it was.
    pub watch: bool,
    /// Sizes and waiting of the call channel.
    pub channel: Channel,
}

/// Values for `setrlimit(2)`; soft and hard limit are set to the same number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Bytes of private writable memory, `RLIMIT_DATA`. The policy's `limits.memory`.
    pub data: u64,
    /// Bytes of address space, `RLIMIT_AS`: above `data`, since runtimes reserve more than they use.
    pub address_space: u64,
    /// Bytes of a thread's stack, `RLIMIT_STACK`.
    pub stack: u64,
    /// Seconds of processor time over the life of the cell, `RLIMIT_CPU`.
    pub cpu_seconds: u64,
    /// Open descriptors, `RLIMIT_NOFILE`.
    pub open_files: u64,
    /// Bytes of the largest file the cell may write, `RLIMIT_FSIZE`.
    pub file_size: u64,
    /// Tasks of the cell's user, `RLIMIT_NPROC`; the kernel ignores it for uid 0. In a user namespace of the cell's own
    /// (Linux 5.14) only the tasks in there count, the first process of a pid namespace among them; without one, and without
    /// a user of the cell's own, there is no limit: `u64::MAX`.
    pub tasks: u64,
}

/// Caps of one cell's control group, `cgroups(7)` version 2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cgroup {
    /// Bytes, `memory.max`: the policy's `limits.memory` and what the channel takes.
    pub memory: u64,
    /// Tasks, `pids.max`: the policy's `limits.threads` and the first process of a pid namespace.
    pub tasks: u64,
    /// Processor time per time, `cpu.max`, in hundredths: 100 is one processor.
    pub cpu_percent: u32,
}

/// Namespaces by kind, `namespaces(7)`: which a host can make, or which a cell has to itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Namespaces {
    /// Users and capabilities, `user_namespaces(7)`: what an ordinary user makes the others with.
    pub user: bool,
    /// Process ids, `pid_namespaces(7)`: no other process can be named, and everything inside ends with its first process.
    pub pid: bool,
    /// The file tree, `mount_namespaces(7)`.
    pub mount: bool,
    /// Network devices, addresses, ports and abstract sockets, `network_namespaces(7)`.
    pub net: bool,
    /// System V objects and POSIX message queues, `ipc_namespaces(7)`.
    pub ipc: bool,
    /// Host and domain name, `uts_namespaces(7)`.
    pub uts: bool,
}

impl Namespaces {
    /// None at all.
    pub const NONE: Self = Self { user: false, pid: false, mount: false, net: false, ipc: false, uts: false };
}

/// Numeric credentials a root host gives its cells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Real, effective and saved user id.
    pub uid: u32,
    /// Real, effective and saved group id; supplementary groups are cleared.
    pub gid: u32,
}

/// One Landlock domain, `landlock_create_ruleset(2)`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Landlock {
    /// The ABI the bits below belong to; the cell demands it and never falls back.
    pub abi: u32,
    /// Handled `LANDLOCK_ACCESS_FS_*` bits.
    pub handled_fs: u64,
    /// Handled `LANDLOCK_ACCESS_NET_*` bits.
    pub handled_net: u64,
    /// Scoped `LANDLOCK_SCOPE_*` bits.
    pub scoped: u64,
    /// Granted files and trees.
    pub paths: Vec<PathRule>,
    /// Granted TCP and UDP ports.
    pub ports: Vec<PortRule>,
}

/// One granted path: everything beneath a directory, or one file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PathRule {
    /// Absolute path, as bytes: a path is not text.
    pub path: Vec<u8>,
    /// How many bytes of it, from the start, may lead through symbolic links. The rest lies in a bundle, whose maker could
    /// point a link at anything.
    pub followed: u32,
    /// `LANDLOCK_ACCESS_FS_*` bits. The cell masks rights of directories away where the path is a file.
    pub access: u64,
}

/// One granted port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortRule {
    /// Port number in host byte order.
    pub port: u16,
    /// `LANDLOCK_ACCESS_NET_*` bits.
    pub access: u64,
}

/// The profile that a cell enters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Apparmor {
    /// Name of the profile.
    pub profile: String,
    /// Whether it comes on top of a profile that the cell inherits. The host says so, since it knows its own.
    pub stacked: bool,
    /// Whether the cell tries what no profile permits: labels say `enforce` where the kernel itself overrules that
    /// (`apparmor.mode`), and only root can read so.
    pub trial: bool,
}

/// A filter for each phase; they stack, so the call phase only narrows the load phase. `None` only where the policy lists
/// the layer as optional and the kernel lacks it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seccomp {
    /// In force while libraries and the plugin are mapped.
    pub load: Option<Filter>,
    /// Added before the first call.
    pub call: Option<Filter>,
}

/// `SECCOMP_RET_DATA` of a trapped call that ends the cell as a violation.
pub const TRAP_VIOLATION: u16 = 0;

/// `SECCOMP_RET_DATA` of a trapped call that the cell's handler answers with `EPERM` and reports to the host.
pub const TRAP_REPORT: u16 = 1;

/// `SECCOMP_RET_DATA` of a trapped call that the cell's handler makes itself, at the gate, to see whether the kernel refuses it.
/// The lower bits say which argument is a path, or [`WATCH_ADDRESS`].
pub const TRAP_WATCH: u16 = 0x10;

/// In the place of a path's argument: the second argument is a socket address.
pub const WATCH_ADDRESS: u16 = 6;

/// Where a cell that watches has a page with one system call instruction. Calls from there are not trapped.
pub const GATE: u64 = 0x20_0001_0000;

/// What `seccomp_data.instruction_pointer` says of a call at the gate: the address behind the instruction, on both
/// architectures.
pub const GATE_RETURN: u64 = GATE + 64;

/// One classic BPF program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Filter(pub Vec<Instruction>);

/// The descriptor of a runner's half of the region, which it maps to write to. No other may be mapped so.
pub const RUNNER_REPLIES: i32 = 5;

/// The address that a call-phase filter lets `mprotect(2)` make read-only, before it is known: no address of a process. The
/// cell puts the plugin's `PT_GNU_RELRO` in its place, word by word, when the plugin is mapped.
pub const RELRO_ADDRESS: u64 = 0xf1a2_0001_f1a2_0002;

/// The length that goes with [`RELRO_ADDRESS`].
pub const RELRO_LENGTH: u64 = 0xf1a2_0003_f1a2_0004;

/// One `struct sock_filter` of `<linux/filter.h>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instruction {
    /// Operation.
    pub code: u16,
    /// Jump when true, in instructions.
    pub jt: u8,
    /// Jump when false, in instructions.
    pub jf: u8,
    /// Operand.
    pub k: u32,
}

/// The call channel's terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Channel {
    /// Bytes of arguments, and of results, that one call may carry.
    pub message: u32,
    /// Nanoseconds a cell spins for the next request before it sleeps; 0 where there is one processor.
    pub spin_ns: u32,
}

/// The byte form was not a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAPlan;

impl std::fmt::Display for NotAPlan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the bytes are not a plan")
    }
}

impl std::error::Error for NotAPlan {}

impl Plan {
    /// The byte form (postcard) in which a plan travels to the cell of the same release.
    ///
    /// # Panics
    /// Never: a plan holds only integers, vectors and options, which the format always can express.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        postcard::to_allocvec(self).expect("integers, vectors and options always serialise")
    }

    /// Reads the byte form back.
    ///
    /// # Errors
    /// [`NotAPlan`] when the bytes are cut short, run over, or say something a plan cannot say.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, NotAPlan> {
        match postcard::take_from_bytes(bytes) {
            Ok((plan, [])) => Ok(plan),
            Ok(_) | Err(_) => Err(NotAPlan),
        }
    }
}
