//! The host: its memory, its signals, its limits, its terminal.

use super::Alone::{Dies, Maybe, Works};
use super::Stop::{Does, Errno, Refused, Returns};
use super::errno::{EINVAL, ENOTTY};
use super::{Act, By, act, try_all};

pub(super) fn acts() -> Vec<Act> {
    vec![
        act("aborts_the_host", "H07", Refused("tgkill"), Works).at_load(),
        act("closes_every_descriptor", "H01", Returns(3), Maybe("as many as are open")).at_load(),
        act("lowers_the_limits_of_the_host", "H09", Refused("prlimit64"), Works).at_load(),
        act("moves_the_host_to_idle", "H10 L21", Refused("sched_setscheduler"), Works).at_load(),
        act("opens_the_memory_of_the_host", "H05 L21", Refused("openat"), Works).at_load(),
        act("reads_the_memory_of_the_host", "H04 L21", Refused("process_vm_readv"), Works).at_load(),
        act("requeues_the_waiters_of_the_host", "K16", Refused("futex"), Works).at_load(),
        act("signals_the_host", "H07 L21", Refused("kill"), Works).at_load(),
        act("traces_the_host", "H03 L21", Refused("ptrace"), Works).at_load(),
        act("reads_every_descriptor", "H01", Refused("read"), Maybe("nothing may be open")).at_load(),
        act("writes_to_every_descriptor", "H01", Refused("write"), Works).at_load(),
        act("lists_its_descriptors", "H01", Refused("openat"), Works).at_load(),
        act("copies_a_descriptor", "H01", Refused("dup"), Works),
        act("makes_inherited_descriptors_not_wait", "H02", Refused("fcntl"), Works).at_load(),
        act("moves_the_offset_of_inherited_descriptors", "H02", Does, Maybe("a pipe has no offset")),
        act("locks_inherited_descriptors", "H02", Refused("flock"), Works),
        act("seizes_the_host", "H03 L21", Refused("ptrace"), Works),
        act("asks_the_host_to_trace_it", "H03 K12", Refused("ptrace"), Works),
        act("writes_into_the_memory_of_the_host", "H04 L21", Refused("process_vm_writev"), Works),
        act("takes_a_handle_of_the_host", "H04 L21", Refused("pidfd_open"), Works),
        act("takes_a_descriptor_of_the_host", "H04 L21", Refused("pidfd_open"), Works),
        act("takes_a_descriptor_by_number", "H04 H01", Refused("pidfd_getfd"), Maybe("needs a handle to inherit")),
        act("compares_descriptors_with_the_host", "H04", Refused("kcmp"), Works),
        act(
            "gives_back_the_memory_of_the_host",
            "H04",
            Refused("pidfd_open"),
            Maybe("the address means nothing there"),
        ),
        act("reads_the_environment_of_the_host", "H05 L21", Refused("openat"), Works).at_load(),
        act("reads_the_mappings_of_the_host", "H05 L21", Refused("openat"), Works).at_load(),
        act("opens_a_descriptor_of_the_host", "H05 L21", Refused("openat"), Works).at_load(),
        act("enters_the_root_of_the_host", "H05 L21", Refused("openat"), Works).at_load(),
        act("enters_the_directory_of_the_host", "H05 L21", Refused("openat"), Works).at_load(),
        act("signals_every_process", "H07", Refused("kill"), Works),
        act("signals_its_group", "H07", Refused("kill"), Dies),
        act("signals_the_group_of_the_host", "H07", Refused("getpgid"), Maybe("its own group is the same")),
        act("queues_a_signal_for_the_host", "H07", Refused("rt_sigqueueinfo"), Works),
        act("queues_a_signal_for_a_thread_of_the_host", "H07", Refused("rt_tgsigqueueinfo"), Works),
        act("signals_the_host_by_handle", "H07", Refused("pidfd_open"), Works),
        act(
            "signals_by_an_inherited_handle",
            "H07 H01",
            Refused("pidfd_send_signal"),
            Maybe("needs a handle to inherit"),
        ),
        act("signals_a_thread_of_the_host", "H07", Refused("tkill"), Works),
        act("has_the_kernel_signal_the_host", "H08", Refused("fcntl"), Maybe("a plain file has no owner")),
        act("limits_the_processor_time_of_the_host", "H09", Refused("prlimit64"), Works),
        act("reads_the_limits_of_the_host", "H09", Refused("prlimit64"), Works),
        act("raises_its_own_limits", "H09", Refused("prlimit64"), Works),
        act("lowers_the_priority_of_the_host", "H10 L21", Refused("setpriority"), Works),
        act("pins_the_host_to_one_processor", "H10 L16 L21", Refused("sched_setaffinity"), Works),
        act("lowers_the_io_priority_of_the_host", "H10 L21", Refused("ioprio_set"), Works),
        act("schedules_the_host_by_attributes", "H10", Refused("sched_setattr"), Works),
        act("sets_the_scheduling_parameters_of_the_host", "H10", Refused("sched_setparam"), Works),
        act("injects_a_child_into_the_host", "H11", Refused("clone"), Works).at_load(),
        act("moves_the_host_to_another_group", "H12", Refused("setpgid"), Maybe("only a parent may")),
        act("takes_the_terminal", "H12", Errno(By::Seccomp, ENOTTY), Maybe("there may be no terminal")),
        act("types_into_the_terminal", "H13", Errno(By::Seccomp, ENOTTY), Maybe("there may be no terminal")),
        act(
            "types_into_the_terminal_past_a_check",
            "H13",
            Errno(By::Seccomp, ENOTTY),
            Maybe("there may be no terminal"),
        ),
        act("pastes_into_the_console", "H13", Errno(By::Seccomp, ENOTTY), Maybe("there may be no console")),
        act(
            "changes_the_discipline_of_the_terminal",
            "H13",
            Errno(By::Seccomp, ENOTTY),
            Maybe("there may be no terminal"),
        ),
        act("opens_the_terminal", "H13", Refused("openat"), Maybe("there may be no terminal")),
        act("passes_a_descriptor", "H14 N04", Refused("sendmsg"), Maybe("needs a socket to inherit")).at_load(),
        act("makes_a_pair_of_sockets", "H14", Refused("socketpair"), Works),
        act("connects_to_an_abstract_socket", "H14", Refused("socket"), Maybe("needs a service")),
        act("connects_to_the_bus", "H14", Refused("socket"), Maybe("needs a service")),
        act("connects_to_the_container_service", "H14", Refused("socket"), Maybe("needs a service")),
        act("lets_itself_be_traced", "H15", Refused("prctl"), Works),
        act("chooses_its_tracer", "H15", Refused("prctl"), Maybe("needs Yama")),
        act("renames_itself", "H15 R11", Errno(By::Seccomp, EINVAL), Works).at_load(),
        act("moves_its_arguments", "H15", Refused("prctl"), Maybe("needs CAP_SYS_RESOURCE")),
        act("confines_itself_strictly", "H15 H16", Refused("prctl"), Works),
        act("adopts_orphans", "H15", Refused("prctl"), Works),
        act("listens_to_its_own_calls", "H16", Refused("seccomp"), Works),
        act("adds_an_answering_filter", "H16", Refused("seccomp"), Works).at_load(),
        act("stacks_domains", "H16", Refused("landlock_create_ruleset"), Works),
    ]
}

#[test]
fn acts_on_the_host_are_stopped() {
    try_all(&acts());
}
