//! Files that a C library looks for by itself and does without. Looking for them is no violation: a plugin that starts
//! threads or asks for the local time has not asked for a file. It is answered as if Landlock had refused it.

use std::ffi::{CStr, c_char};

/// A path, or with a `/` at its end everything beneath it; and who looks for it.
const PROBES: [(&CStr, &str); 11] = [
    (c"/sys/devices/system/cpu/online", "glibc: how many arenas malloc may have; it then asks sched_getaffinity"),
    (c"/sys/devices/system/cpu/possible", "glibc: the same, for sysconf"),
    (c"/proc/stat", "glibc: the same, where /sys is not mounted"),
    (c"/proc/sys/vm/overcommit_memory", "glibc: how malloc gives memory back; it then assumes the usual"),
    (c"/etc/localtime", "localtime: it then takes UTC"),
    (c"/usr/share/zoneinfo/", "localtime: it then takes UTC"),
    (c"/usr/lib/locale/", "setlocale: it then stays with the C locale"),
    (c"/usr/share/locale/", "gettext: it then returns the text as it is"),
    (c"/usr/lib/gconv/", "iconv: it then knows the built-in encodings"),
    (c"/usr/lib/aarch64-linux-gnu/gconv/", "iconv: it then knows the built-in encodings"),
    (c"/usr/lib/x86_64-linux-gnu/gconv/", "iconv: it then knows the built-in encodings"),
];

/// Whether a refused `openat(2)` is such a look. Called in a signal handler: it only reads.
///
/// # Safety
/// `path` must point to a string or to memory that is not mapped; in the latter case the process ends here by `SIGSEGV`,
/// as is right for a process that is about to end.
pub(crate) unsafe fn is_probe(path: *const c_char, flags: u64) -> bool {
    const ACCESS: u64 = libc::O_ACCMODE as u64 | libc::O_CREAT as u64 | libc::O_TRUNC as u64;
    if flags & ACCESS != libc::O_RDONLY as u64 || path.is_null() {
        return false;
    }
    PROBES.iter().any(|(probe, _)| {
        let length = probe.count_bytes();
        let beneath = probe.to_bytes().ends_with(b"/");
        let compared = if beneath { length } else { length + 1 };
        // SAFETY: both are strings by this function's contract, and the comparison ends at the first difference, so it
        // does not go past the end of either.
        let difference = unsafe { libc::strncmp(path, probe.as_ptr(), compared) };
        difference == 0
    })
}
