//! Memory that runs, and what the audit did not see.

use super::Alone::{Dies, Fails, Maybe, Works};
use super::Stop::{Crash, Errno, Refused, RefusedOr};
use super::errno::{EINVAL, ENOMEM, ENOSYS};
use super::{Act, By, act, try_all};

pub(super) fn acts() -> Vec<Act> {
    vec![
        act("makes_a_memory_file", "K08 L07", Refused("memfd_create"), Works).at_load(),
        act("makes_data_executable", "K08", Refused("mprotect"), Works).at_load(),
        act("maps_writable_executable_memory", "K08", Refused("mmap"), Works).at_load(),
        act("maps_executable_memory", "K08", Refused("mmap"), Works),
        act("maps_unreadable_executable_memory", "K08", Refused("mmap"), Works),
        act("makes_memory_executable_past_a_check", "K08", Refused("mprotect"), Fails(EINVAL)),
        act("makes_code_writable", "K08", Refused("mprotect"), Works),
        act("rewrites_its_code_in_two_steps", "K08", Refused("mprotect"), Works),
        act("makes_data_executable_with_a_key", "K08", Refused("pkey_mprotect"), Works),
        act("maps_code_from_a_memory_file", "K08", Refused("memfd_create"), Works),
        act("maps_code_from_an_inherited_file", "K08 H01", Refused("mmap"), Maybe("needs a file to inherit")),
        act("maps_shared_code", "K08", Refused("openat"), Works).at_load(),
        act("attaches_executable_shared_memory", "K08 K13", Refused("shmget"), Works),
        act("attaches_inherited_shared_memory", "K08 K13", Refused("shmat"), Maybe("there may be none")),
        act("makes_readable_mean_executable", "K08", Refused("personality"), Works),
        act("switches_randomisation_off", "K08", Refused("personality"), Works),
        act("moves_code", "K08", RefusedOr("mremap", ENOMEM), Works),
        act("rearranges_a_mapped_file", "K08", Refused("remap_file_pages"), Maybe("needs a shared mapping")),
        act("writes_its_code_through_proc", "H06 K08", Refused("openat"), Maybe("CONFIG_PROC_MEM_ALWAYS_FORCE")),
        act("executes_data", "K08", Crash("SIGSEGV"), Dies),
        act("executes_its_stack", "K08", Crash("SIGSEGV"), Dies),
        act("switches_writable_or_executable_off", "K08 H15", Refused("prctl"), Maybe("needs a kernel from 6.3")),
        act("punches_a_hole", "R05", Refused("madvise"), Fails(EINVAL)),
        act("merges_its_pages", "K14", Refused("madvise"), Maybe("kernels without merging")),
        act("makes_a_shadow_stack", "K08 K17", Errno(By::Seccomp, ENOSYS), Maybe("newer than many processors"))
            .at_load(),
    ]
}

#[test]
fn acts_on_memory_are_stopped() {
    try_all(&acts());
}
