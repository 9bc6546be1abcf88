//! The memory that host and cell share.

use lazaret::Lie;

use super::Alone::{Maybe, Works};
use super::Stop::{Anything, Crash, Does, Ends, Errno, Lies, Refused, TimesOut};
use super::errno::EOPNOTSUPP;
use super::{Act, By, act, try_all};

pub(super) fn acts() -> Vec<Act> {
    vec![
        act("answers_the_future", "R08", Lies(Lie::Sequence), Maybe("outside of a cell there is no region"))
            .in_the_region(),
        act("claims_a_length", "R03 R01", Lies(Lie::Length), Maybe("outside of a cell there is no region"))
            .in_the_region(),
        act("claims_a_length_just_too_long", "R03", Lies(Lie::Length), Maybe("outside of a cell there is no region"))
            .in_the_region(),
        act("claims_no_length", "R03", Lies(Lie::Length), Maybe("outside of a cell there is no region"))
            .in_the_region(),
        act("claims_a_status", "R01", Lies(Lie::Status), Maybe("outside of a cell there is no region")).in_the_region(),
        act("overwrites_the_region", "R01", Lies(Lie::Sequence), Maybe("outside of a cell there is no region"))
            .in_the_region(),
        act("corrupts_the_region_at_random", "R01", Ends, Maybe("outside of a cell there is no region"))
            .in_the_region(),
        act("forges_a_note", "R08 L03", Crash("SIGSEGV"), Maybe("outside of a cell there is no region"))
            .in_the_region(),
        act("changes_its_reply_while_it_is_read", "R02 R09", Anything, Maybe("outside of a cell there is no region"))
            .in_the_region()
            .repeated(300),
        act("changes_a_result_while_it_is_read", "R02 R09", Anything, Maybe("outside of a cell there is no region"))
            .in_the_region()
            .repeated(300),
        act("answers_from_another_thread", "R09", Anything, Maybe("outside of a cell there is no region"))
            .in_the_region()
            .repeated(2),
        act("answers_twice", "R08", Anything, Maybe("outside of a cell there is no region"))
            .in_the_region()
            .repeated(20),
        act("wakes_without_end", "R10", TimesOut, Maybe("outside of a cell there is no region")).in_the_region(),
        act("always_claims_to_sleep", "R10", Anything, Maybe("outside of a cell there is no region"))
            .in_the_region()
            .repeated(300),
        act("makes_the_region_executable", "K08", Refused("mprotect"), Maybe("outside of a cell there is no region"))
            .in_the_region(),
        act("punches_a_hole_into_the_region", "R05", Refused("madvise"), Maybe("outside of a cell there is no region"))
            .in_the_region(),
        act("unmaps_the_region", "T12", Ends, Maybe("outside of a cell there is no region")).in_the_region(),
        act("points_its_robust_list_into_the_region", "K16", Ends, Maybe("outside of a cell there is no region"))
            .in_the_region(),
        act("returns_an_endless_string", "R03", Does, Works),
        act(
            "writes_into_its_request",
            "R02 R12",
            Errno(By::Kernel, EOPNOTSUPP),
            Maybe("outside of a cell there is no region"),
        ),
        act("shrinks_the_region", "R04", Refused("ftruncate"), Maybe("needs a descriptor of it")),
        act("seals_the_region", "R06", Refused("fcntl"), Maybe("needs a descriptor of it")),
        act("opens_the_region_again", "R06", Refused("openat"), Maybe("needs a descriptor of it")),
        act("floods_the_standard_streams", "R11", Does, Works),
        act("overwrites_the_cell", "T12", Ends, Maybe("it ends whatever it is in")).at_load(),
    ]
}

#[test]
fn acts_on_the_region_are_noticed() {
    try_all(&acts());
}
