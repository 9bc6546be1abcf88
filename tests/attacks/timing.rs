//! Code at times when nobody called it.

use super::Alone::{Dies, Exits, Fails, Maybe, Never, Stays, Works};
use super::Stop::{Ends, Errno, Exit, Refused, TimesOutLoading, Unnamed};
use super::errno::{EAGAIN, ENOENT};
use super::{Act, By, act, try_all};

pub(super) fn acts() -> Vec<Act> {
    vec![
        act("blocks_the_report_signal_and_executes", "T13 K07", Unnamed, Dies).at_load(),
        act("leaves_a_thread", "T06", Refused("openat"), Works).at_load_is_its_own(),
        act("takes_the_report_signal", "T13", Refused("rt_sigaction"), Works).at_load(),
        act("handles_the_report_signal", "T13", Refused("rt_sigaction"), Works).at_load(),
        act("takes_the_report_signal_past_a_check", "T13", Refused("rt_sigaction"), Works),
        act("forges_the_report_signal", "T13", Refused("tgkill"), Dies),
        act("connects_in_a_constructor", "T01", Refused("socket"), Works).at_load_is_its_own(),
        act("connects_in_the_first_constructor", "T03", Refused("socket"), Works).at_load_is_its_own(),
        act("connects_in_the_initialiser", "T03", Refused("socket"), Works).at_load_is_its_own(),
        act("connects_in_the_finaliser", "T07", Refused("socket"), Exits).at_load_is_its_own(),
        act("connects_in_a_destructor", "T07", Refused("socket"), Exits).at_load_is_its_own(),
        act("connects_at_exit", "T07", Refused("socket"), Exits).at_load_is_its_own(),
        act("connects_from_a_thread", "T06", Refused("socket"), Works).at_load_is_its_own(),
        act("connects_from_a_thread_of_a_constructor", "T06", Refused("socket"), Works).at_load_is_its_own(),
        act("connects_as_a_thread_ends", "T07", Refused("socket"), Works).at_load_is_its_own(),
        act("connects_as_thread_local_data_goes", "T07", Refused("socket"), Works).at_load_is_its_own(),
        act("connects_in_a_fault_handler", "T11", Refused("socket"), Works).at_load_is_its_own(),
        act("connects_when_a_timer_fires", "T11 L12", Refused("setitimer"), Works)
            .at_load_is_its_own()
            .if_permitted(&["setitimer"], Refused("socket")),
        act("connects_in_a_resolver", "T02", Refused("socket"), Works).at_load_is_its_own(),
        act("races_the_change_of_filters", "T06 T01", Refused("openat"), Works).at_load_is_its_own(),
        act(
            "starts_threads_without_end_in_a_constructor",
            "T06 L06",
            Errno(By::Limits, EAGAIN),
            Never("it fills the machine with threads"),
        )
        .at_load_is_its_own(),
        act("stays_in_a_constructor", "T04", TimesOutLoading, Stays).at_load_is_its_own(),
        act("sleeps_in_a_constructor", "T04", TimesOutLoading, Stays).at_load_is_its_own(),
        act("leaves_in_a_constructor", "T05", Exit(0), Exits).at_load_is_its_own(),
        act("replaces_the_allocator", "T08", Errno(By::Kernel, ENOENT), Fails(ENOENT)).at_load(),
        act("jumps_out_of_the_call", "T11", Ends, Maybe("where it lands nobody knows")),
        act("returns_from_a_signal_that_never_came", "T11", Ends, Dies),
    ]
}

#[test]
fn acts_at_odd_times_are_stopped() {
    try_all(&acts());
}
