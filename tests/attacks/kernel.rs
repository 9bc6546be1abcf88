//! The kernel: what few programs ask of it, and what is not for plugins.

use super::Alone::{Dies, Fails, Maybe, Works};
use super::Stop::{Does, DoesOr, Errno, ErrnoEither, Refused, RefusedEither, Unnamed};
use super::errno::{EACCES, EMFILE, ENOSYS, EPERM};
use super::{Act, By, act, try_all};

pub(super) fn acts() -> Vec<Act> {
    vec![
        act("executes", "K07", Refused("execve"), Dies).at_load(),
        act("leaves_its_namespaces", "K06", Refused("unshare"), Works).at_load(),
        act("sets_another_filter", "H16", Refused("seccomp"), Works).at_load(),
        act("starts_io_uring", "K01", Refused("io_uring_setup"), Maybe("kernel.io_uring_disabled")).at_load(),
        act("uses_the_calls_of_another_architecture", "K09", Unnamed, Maybe("needs 32-bit calls")).only_x86().at_load(),
        act("uses_x32_calls", "K09", Refused("system call 1073741863"), Maybe("needs x32")).only_x86().at_load(),
        act("enters_an_inherited_ring", "K01", Refused("io_uring_enter"), Maybe("needs a ring to inherit")),
        act("registers_with_an_inherited_ring", "K01", Refused("io_uring_register"), Maybe("needs a ring to inherit")),
        act("answers_its_own_page_faults", "K02", Refused("userfaultfd"), Maybe("vm.unprivileged_userfaultfd")),
        act("opens_the_device_of_page_faults", "K02", Refused("openat"), Maybe("the device may be missing, or root's")),
        act("loads_a_program_into_the_kernel", "K03", Refused("bpf"), Maybe("kernel.unprivileged_bpf_disabled")),
        act("counts_events_of_the_kernel", "K03", Refused("perf_event_open"), Maybe("kernel.perf_event_paranoid")),
        act("loads_another_kernel", "K03", Refused("kexec_load"), Maybe("needs a capability of the whole machine")),
        act("loads_a_kernel_module", "K03", Refused("init_module"), Maybe("needs a capability of the whole machine")),
        act(
            "loads_a_kernel_module_from_a_file",
            "K03",
            Refused("finit_module"),
            Maybe("needs a capability of the whole machine"),
        ),
        act(
            "removes_a_kernel_module",
            "K03",
            Refused("delete_module"),
            Maybe("needs a capability of the whole machine"),
        )
        .if_permitted(&["delete_module"], ErrnoEither(By::Capabilities, EPERM, ENOSYS)),
        act("reads_the_log_of_the_kernel", "K03", Refused("syslog"), Maybe("needs a capability of the whole machine"))
            .if_permitted(&["syslog"], ErrnoEither(By::Capabilities, EPERM, EACCES)),
        act(
            "asks_for_a_directory_by_cookie",
            "K03",
            Refused("lookup_dcookie"),
            Maybe("kernels from 6.7 have forgotten it"),
        ),
        act("adds_a_key", "K04", Refused("add_key"), Works),
        act("asks_for_a_key", "K04", Refused("request_key"), Maybe("there may be no such key")),
        act("joins_the_session_keys", "K04", Refused("keyctl"), Works),
        act("mounts", "K05", Refused("mount"), Works).at_load(),
        act("unmounts", "K05", Refused("umount2"), Maybe("needs a mount of its own")),
        act("opens_a_file_system", "K05", Refused("fsopen"), Works),
        act("configures_a_file_system", "K05", Refused("fsconfig"), Maybe("needs one to inherit")),
        act("mounts_by_descriptor", "K05", Refused("fsmount"), Maybe("needs one to inherit")),
        act("picks_a_file_system", "K05", Refused("fspick"), Maybe("needs a mount of its own")),
        act("opens_a_file_tree", "K05", Refused("open_tree"), Maybe("locked mounts are not copied alone")),
        act("moves_a_mount", "K05", Refused("move_mount"), Maybe("needs a mount of its own")),
        act("changes_the_attributes_of_a_mount", "K05", Refused("mount_setattr"), Maybe("needs a mount of its own")),
        act("turns_the_root", "K05", Refused("pivot_root"), Maybe("needs a mount of its own")),
        act("changes_the_root", "K05", Refused("chroot"), Works).at_load(),
        act("asks_for_a_mount", "K05", Refused("statmount"), Maybe("newer than many kernels")),
        act("lists_the_mounts", "K05", Refused("listmount"), Maybe("newer than many kernels")),
        act("enters_another_namespace", "K06", Refused("setns"), Maybe("needs one to inherit")),
        act("makes_a_namespace_of_mounts", "K06", Refused("unshare"), Works),
        act("makes_a_namespace_of_networks", "K06", Refused("unshare"), Works),
        act("starts_a_child_in_new_namespaces", "K06", Refused("clone"), Works),
        act(
            "starts_a_thread_with_its_own_mounts",
            "K06",
            Refused("clone"),
            Maybe("the kernel itself refuses a thread with a user namespace"),
        ),
        act("starts_a_child_by_a_struct", "K06 L05", Errno(By::Seccomp, ENOSYS), Works),
        act("executes_by_descriptor", "K07", Refused("execveat"), Dies),
        act("executes_from_memory", "K07 L07", Refused("memfd_create"), Dies),
        act("executes_an_inherited_descriptor", "K07 H01", Refused("execveat"), Maybe("needs one to inherit")),
        act("executes_through_the_dynamic_loader", "K07", Refused("execve"), Dies),
        act("executes_in_a_child_that_shares_its_memory", "K07 L15", Refused("clone"), Works),
        act("makes_its_own_segments", "K10", Refused("modify_ldt"), Works).only_x86(),
        act("moves_its_thread_pointer", "K10", Refused("arch_prctl"), Works).only_x86(),
        act("takes_io_ports", "K10", Refused("ioperm"), Maybe("needs CAP_SYS_RAWIO"))
            .only_x86()
            .if_permitted(&["ioperm"], ErrnoEither(By::Capabilities, EPERM, ENOSYS)),
        act("takes_every_io_port", "K10", Refused("iopl"), Maybe("needs CAP_SYS_RAWIO"))
            .only_x86()
            .if_permitted(&["iopl"], ErrnoEither(By::Capabilities, EPERM, ENOSYS)),
        act("sets_a_thread_area", "K10", Refused("set_thread_area"), Maybe("64-bit programs have no such areas"))
            .only_x86(),
        act("becomes_root", "K11", Refused("setuid"), Works).if_permitted(&["setuid"], Errno(By::Kernel, EPERM)),
        act("becomes_the_group_of_root", "K11", Refused("setgid"), Works)
            .if_permitted(&["setgid"], Errno(By::Kernel, EPERM)),
        act("becomes_root_by_three_ids", "K11", Refused("setresuid"), Works)
            .if_permitted(&["setresuid"], Errno(By::Kernel, EPERM)),
        act("opens_files_as_root", "K11", Refused("setfsuid"), Works),
        act("joins_groups", "K11", Refused("setgroups"), Maybe("a namespace may forbid it"))
            .if_permitted(&["setgroups"], Errno(By::Capabilities, EPERM)),
        act("takes_capabilities", "K11", Refused("capget"), Works),
        act("sets_capabilities", "K11", Refused("capset"), Maybe("the kernel refuses more than it has"))
            .if_permitted(&["capset"], Errno(By::Capabilities, EPERM)),
        act("keeps_its_capabilities", "K11", Refused("prctl"), Works),
        act("raises_an_ambient_capability", "K11", Refused("prctl"), Works),
        act("opens_its_securebits", "K11", Refused("prctl"), Works),
        act(
            "drives_a_thread_past_the_filter",
            "K12",
            Refused("ptrace"),
            Maybe("the kernel refuses a tracer of itself"),
        ),
        act("shares_memory_by_number", "K13", Refused("shmget"), Works),
        act("counts_with_others", "K13", Refused("semget"), Works),
        act("leaves_messages", "K13", Refused("msgget"), Works),
        act("opens_a_message_queue", "K13", Refused("mq_open"), Works)
            .if_permitted(&["mq_open"], ErrnoEither(By::Limits, EMFILE, EACCES)),
        act("removes_a_message_queue", "K13", Refused("mq_unlink"), Maybe("there may be none")),
        act("meets_in_shared_memory", "K13", Refused("openat"), Works),
        act("gives_its_pages_to_a_pipe", "K14", Refused("vmsplice"), Maybe("needs a pipe to inherit")),
        act("splices", "K14", Refused("splice"), Maybe("needs a pipe to inherit")),
        act("copies_a_pipe", "K14", Refused("tee"), Maybe("needs pipes to inherit")),
        act("copies_between_descriptors", "K14", Refused("copy_file_range"), Maybe("needs files to inherit")),
        act("sends_a_file", "K14", Refused("sendfile"), Maybe("needs files to inherit")),
        act("hides_memory_from_the_kernel", "K14", Refused("memfd_secret"), Maybe("kernels have it switched off")),
        act("pins_its_memory", "K14", Refused("mlock"), Works).if_permitted(&["mlock"], Errno(By::Limits, EPERM)),
        act("pins_all_its_memory", "K14", Refused("mlockall"), Works)
            .if_permitted(&["mlockall"], Errno(By::Limits, EPERM)),
        act("moves_pages", "K14", Refused("move_pages"), Maybe("kernels without nodes lack it")),
        act("binds_its_memory", "K14", Refused("mbind"), Maybe("kernels without nodes lack it")),
        act("moves_the_pages_of_the_host", "K14 H04", Refused("migrate_pages"), Maybe("kernels without nodes lack it")),
        act("restarts_the_machine", "K15", Refused("reboot"), Maybe("needs a capability of the whole machine"))
            .if_permitted(&["reboot"], Errno(By::Capabilities, EPERM)),
        act("adds_swap", "K15", Refused("swapon"), Maybe("needs a capability of the whole machine"))
            .if_permitted(&["swapon"], Errno(By::Capabilities, EPERM)),
        act("removes_swap", "K15", Refused("swapoff"), Maybe("needs a capability of the whole machine"))
            .if_permitted(&["swapoff"], Errno(By::Capabilities, EPERM)),
        act("renames_the_machine", "K15", Refused("sethostname"), Works)
            .if_permitted(&["sethostname"], Errno(By::Capabilities, EPERM)),
        act("renames_the_domain", "K15", Refused("setdomainname"), Works)
            .if_permitted(&["setdomainname"], Errno(By::Capabilities, EPERM)),
        act("sets_the_time", "K15", Refused("settimeofday"), Maybe("needs a capability of the whole machine"))
            .if_permitted(&["settimeofday"], Errno(By::Capabilities, EPERM)),
        act("sets_a_clock", "K15", Refused("clock_settime"), Maybe("needs a capability of the whole machine"))
            .if_permitted(&["clock_settime"], Errno(By::Capabilities, EPERM)),
        act("tunes_the_clock", "K15", Refused("adjtimex"), Works),
        act("keeps_accounts", "K15", Refused("acct"), Maybe("needs a capability of the whole machine"))
            .if_permitted(&["acct"], Errno(By::Capabilities, EPERM)),
        act("changes_quotas", "K15", Refused("quotactl"), Maybe("needs a capability of the whole machine")),
        act("hangs_up_the_terminal", "K15", Refused("vhangup"), Maybe("needs a capability of the whole machine"))
            .if_permitted(&["vhangup"], Errno(By::Capabilities, EPERM)),
        act("inherits_priority_from_the_host", "K16", Refused("futex"), Works),
        act("requeues_by_comparison", "K16", Refused("futex"), Works),
        act("wakes_by_operation", "K16", Refused("futex"), Works),
        act("requeues_by_the_newer_call", "K16 K17", Refused("futex_requeue"), Maybe("newer than many kernels")),
        act("calls_beyond_the_table", "K17", Refused("system call 4000"), Fails(ENOSYS)).at_load(),
        act("calls_number_minus_one", "K17", RefusedEither("system call 4294967295", "?"), Fails(ENOSYS)).at_load(),
        act("reads_fine_clocks", "K18", Does, Works),
        act("uses_the_old_page_of_calls", "K18", DoesOr("SIGSEGV"), Maybe("kernels have it switched off")).only_x86(),
    ]
}

#[test]
fn acts_on_the_kernel_are_stopped() {
    try_all(&acts());
}
