//! Questions to the running kernel that no file answers. Nothing here changes anything.

use std::ptr;

/// Highest Landlock ABI of the kernel, 0 where it has none or was started without it (`landlock_create_ruleset(2)`).
#[must_use]
pub fn landlock_abi() -> u32 {
    const VERSION: u32 = 1;
    // SAFETY: with this flag the call takes no attributes and returns a number.
    let version = unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, ptr::null::<u8>(), 0_usize, VERSION) };
    u32::try_from(version).unwrap_or(0)
}

/// Whether the kernel has filters that end a process (`seccomp(2)`, Linux 4.14).
#[must_use]
pub fn seccomp() -> bool {
    const NO_FLAGS: libc::c_uint = 0;
    let action = libc::SECCOMP_RET_KILL_PROCESS;
    // SAFETY: this operation reads one number, which lives until the call returned.
    let answer =
        unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_GET_ACTION_AVAIL, NO_FLAGS, &raw const action) };
    answer == 0
}

/// Whether the kernel has `PR_SET_MDWE(2const)` (Linux 6.3).
#[must_use]
pub fn mdwe() -> bool {
    // SAFETY: this prctl reads a flag and takes no arguments.
    unsafe { libc::prctl(libc::PR_GET_MDWE, 0, 0, 0, 0) != -1 }
}
