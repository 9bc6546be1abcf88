//! How a process ends, or does not, and what it takes while it lives.

use super::Alone::{Dies, Exits, Fails, Maybe, Never, Stays, Works};
use super::Stop::{Crash, CrashEither, Does, Ends, Errno, Exit, OutOfMemory, Refused, TimesOut};
use super::errno::{EAGAIN, ENOENT, ENOMEM, EPERM};
use super::{Act, By, POLL, act, try_all};

pub(super) fn acts() -> Vec<Act> {
    vec![
        act("aborts", "L03 F11", Crash("SIGABRT"), Dies),
        act("clears_its_death_signal", "H15 L20", Refused("prctl"), Works).at_load(),
        act("crashes", "L03", Crash("SIGSEGV"), Dies).at_load(),
        act("exits", "T05 L04", Exit(7), Exits).at_load(),
        act("fills_memory", "L07", OutOfMemory, Never("it fills the memory of the machine")),
        act("forks", "L05 L10 L11", Refused("clone"), Works).at_load(),
        act("grows_a_stack", "L07", Refused("mmap"), Works).at_load(),
        act("grows_its_own_stack", "L07 K08", Errno(By::Seccomp, ENOMEM), Works).at_load(),
        act("hides_memory", "L07", Refused("mprotect"), Works).at_load(),
        act("kills_itself", "L03", Refused("kill"), Dies).at_load(),
        act("loops_for_ever", "L01 R07 T04", TimesOut, Stays).at_load(),
        act("overflows_its_stack", "L08", Crash("SIGSEGV"), Dies).at_load(),
        act("sleeps_for_ever", "R07 T04", TimesOut, Stays).at_load(),
        act("starts_many_threads", "L06", Errno(By::Limits, EAGAIN), Never("it fills the machine with threads"))
            .at_load(),
        act("unmaps_everything", "T12", Ends, Dies),
        act("leaves_with_success", "T05 L04", Exit(0), Exits).at_load(),
        act("stops_itself", "L02", Refused("kill"), Stays),
        act("stops_itself_by_thread", "L02", Refused("tgkill"), Stays),
        act("ends_its_thread", "L04", Ends, Maybe("the process ends with its last thread")),
        act("ends_its_thread_at_once", "L04", Ends, Maybe("the process ends with its last thread")),
        act("ends_its_thread_and_leaves_another", "L04", TimesOut, Stays).at_load_is_its_own(),
        act("raises_an_illegal_instruction", "L03", CrashEither("SIGILL", "SIGTRAP"), Dies),
        act("divides_by_zero", "L03", CrashEither("SIGFPE", "SIGABRT"), Dies).at_load(),
        act("halts_the_processor", "L03", CrashEither("SIGSEGV", "SIGTRAP"), Dies),
        act("breaks_for_a_debugger", "L03", CrashEither("SIGTRAP", "SIGTRAP"), Dies),
        act("forks_without_end", "L05", Refused("clone"), Never("it fills the machine with processes")),
        act("forks_by_the_old_call", "L05", Refused("fork"), Works).only_x86(),
        act("borrows_its_memory_to_a_child", "L15 L05", Refused("vfork"), Works).only_x86(),
        act("reserves_address_space", "L07", Errno(By::Limits, ENOMEM), Works),
        act("fills_memory_at_once", "L07", Errno(By::Limits, ENOMEM), Never("it takes a gigabyte")),
        act("fills_memory_by_the_heap", "L07", Errno(By::Limits, ENOMEM), Maybe("the machine may not lend so much")),
        act("fills_shared_memory", "L07", Refused("mmap"), Works),
        act("fills_page_tables", "L07", Errno(By::Limits, ENOMEM), Works),
        act("catches_its_own_stack_overflow", "L08 T11", Does, Works),
        act("ignores_every_signal", "L09", TimesOut, Stays),
        act("starts_a_session", "L10 H12", Refused("setsid"), Maybe("a leader of a group cannot"))
            .if_permitted(&["setsid"], Errno(By::Kernel, EPERM)),
        act("becomes_a_daemon", "L10", Refused("clone"), Works),
        act("leaves_a_child_with_its_pipes", "L11 L10", Refused("clone"), Works),
        act("leaves_zombies", "L14", Refused("clone"), Works),
        act("floods_itself_with_timers", "L12", Refused("timer_create"), Works)
            .if_permitted(&["timer_create"], Errno(By::Limits, EAGAIN)),
        act("sets_an_alarm", "L12", Refused("setitimer"), Works).if_permitted(&["setitimer"], Does),
        act("sets_an_alarm_the_old_way", "L12", Refused("alarm"), Works).only_x86(),
        act("makes_a_timer_file", "L12 F09", Refused("timerfd_create"), Works).under(POLL, Does),
        act("raises_its_priority", "L16", Refused("setpriority"), Maybe("needs CAP_SYS_NICE")),
        act("becomes_a_realtime_process", "L16", Refused("sched_setscheduler"), Maybe("needs CAP_SYS_NICE")),
        act("leaves_state", "L17", Errno(By::Kernel, ENOENT), Fails(ENOENT)),
        act("drains_the_random_numbers", "L18", Does, Works),
        act("raises_the_limit_of_its_core", "F11", Refused("prlimit64"), Maybe("the hard limit may be lower")),
        act("starves_the_other_processors", "L16 L01", TimesOut, Stays),
    ]
}

#[test]
fn acts_on_lifetime_and_resources_are_stopped() {
    try_all(&acts());
}
