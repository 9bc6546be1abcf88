//! What a kernel can enforce, as a value: the compiler is handed it and never probes, so that every profile can be
//! planned for every kernel in a test.

use serde::Serialize;

use crate::plan::Namespaces;

/// Processor architectures that Lazaret knows the syscall tables of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Arch {
    /// `x86_64`, `AUDIT_ARCH_X86_64`.
    X86_64,
    /// `aarch64`, `AUDIT_ARCH_AARCH64`.
    Aarch64,
}

impl Arch {
    /// The architecture this program was built for.
    #[cfg(target_arch = "x86_64")]
    pub const NATIVE: Self = Self::X86_64;
    /// The architecture this program was built for.
    #[cfg(target_arch = "aarch64")]
    pub const NATIVE: Self = Self::Aarch64;
}

#[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))))]
compile_error!("Lazaret confines plugins with Linux on x86_64 and aarch64");

/// What the running kernel and this build together can enforce.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct KernelSupport {
    /// Whose syscall numbers.
    pub arch: Arch,
    /// Landlock ABI, 0 where the kernel has none.
    pub landlock_abi: u32,
    /// `seccomp(2)` filters.
    pub seccomp: bool,
    /// `PR_SET_MDWE` (Linux 6.3).
    pub mdwe: bool,
    /// The host runs as uid 0: limits on tasks need a user of the cell's own.
    pub root: bool,
    /// Namespaces that the host can make for a cell; for an ordinary user, those inside a user namespace.
    pub namespaces: Namespaces,
    /// A cgroup v2 that is delegated to the host, with the controllers memory, pids and cpu.
    pub cgroup: bool,
    /// What stands in the way of the AppArmor profile of the policy that is planned.
    pub profile: ProfileState,
    /// Processors the host may use; with one, spinning only delays the peer.
    pub processors: u32,
}

/// How the AppArmor profile of a policy stands on a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProfileState {
    /// Loaded as the policy says, and enforced.
    Enforced,
    /// AppArmor is not in the kernel, or not switched on.
    Off,
    /// Whether it is on cannot be seen: securityfs or procfs is not mounted.
    Unseen,
    /// The kernel enforces no profile at all, whatever their modes are (`apparmor.mode`).
    Overruled,
    /// No profile of that name is loaded.
    Missing,
    /// Loaded, and not enforced: it complains, or is unconfined.
    Lenient,
    /// A profile of that name with other rules is loaded.
    Different,
    /// Loaded and enforced, but nothing is there to say what its rules are: `apparmor_parser(8)` cannot be run.
    Uncompared,
    /// As it should be, but of no use to a cell that executes a runner.
    Unfit,
}
