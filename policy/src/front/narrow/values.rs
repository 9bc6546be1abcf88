//! Single values: the harder answer and the lesser limit hold.

use std::collections::BTreeMap;

use super::Log;
use crate::front::document::{Direct, Document, Limit, OnDeny};
use crate::front::text::Place;

pub(super) fn narrow_direct(base: Option<(Direct, Place)>, layer: &Document, log: &mut Log) -> Option<(Direct, Place)> {
    let Some(written) = &layer.elf.direct_syscalls else { return base };
    match base {
        None => Some((written.value, written.place.clone())),
        Some((Direct::Deny, by)) => {
            if written.value == Direct::Allow {
                log.without_effect("direct-syscalls = \"allow\"", &written.place, &by);
            }
            // A line that demands it outranks the default of the language: it is what somebody relies on.
            let demanded = written.value == Direct::Deny && by.line == 0;
            Some((Direct::Deny, if demanded { written.place.clone() } else { by }))
        }
        Some((Direct::Allow, place)) if written.value == Direct::Deny => {
            log.took("direct-syscalls = \"allow\"".to_owned(), &place, &written.place);
            Some((Direct::Deny, written.place.clone()))
        }
        Some(base) => Some(base),
    }
}

pub(super) fn narrow_on_deny(
    base: Option<(OnDeny, Place)>,
    layer: &Document,
    log: &mut Log,
) -> Option<(OnDeny, Place)> {
    let Some(written) = &layer.syscalls.on_deny else { return base };
    match base {
        None => Some((written.value, written.place.clone())),
        Some((OnDeny::Kill, by)) => {
            if written.value == OnDeny::Errno {
                log.without_effect("on-deny = \"errno\"", &written.place, &by);
            }
            Some((OnDeny::Kill, by))
        }
        Some((OnDeny::Errno, place)) if written.value == OnDeny::Kill => {
            log.took("on-deny = \"errno\"".to_owned(), &place, &written.place);
            Some((OnDeny::Kill, written.place.clone()))
        }
        Some(base) => Some(base),
    }
}

pub(super) fn narrow_limits(
    mut base: BTreeMap<Limit, (u64, Place)>,
    layer: &Document,
    log: &mut Log,
) -> BTreeMap<Limit, (u64, Place)> {
    for (limit, written) in &layer.limits {
        match base.get(limit) {
            Some((value, by)) if *value < written.value => {
                let what = format!("{} = {}", limit.name(), limit.show(written.value));
                log.without_effect(&what, &written.place, by);
            }
            Some((value, place)) if *value > written.value => {
                let what = format!("{} = {}", limit.name(), limit.show(*value));
                log.took(what, place, &written.place);
                base.insert(*limit, (written.value, written.place.clone()));
            }
            Some(_) => {}
            None => {
                base.insert(*limit, (written.value, written.place.clone()));
            }
        }
    }
    base
}
