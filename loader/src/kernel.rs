//! What this machine's kernel can enforce, asked once.

use std::path::Path;

use lazaret_policy::{Arch, KernelSupport};

/// Asks the running kernel.
#[must_use]
pub(crate) fn probe() -> KernelSupport {
    KernelSupport {
        arch: Arch::NATIVE,
        landlock_abi: lazaret_cell::probe::landlock_abi(),
        seccomp: Path::new("/proc/sys/kernel/seccomp/actions_avail").exists(),
        mdwe: lazaret_cell::probe::mdwe(),
        root: rustix::process::geteuid().is_root(),
        processors: std::thread::available_parallelism().map_or(1, |count| count.get().try_into().unwrap_or(u32::MAX)),
    }
}
