//! Single values: the harder answer and the lesser limit hold.

use std::collections::BTreeMap;

use super::Log;
use crate::front::document::{Direct, Document, Layout, Limit, OnDeny, Written};
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
    let show = |on_deny: OnDeny| format!("on-deny = \"{}\"", on_deny.name());
    stricter(base, layer.syscalls.on_deny.as_ref(), show, log)
}

pub(super) fn narrow_layout(base: Option<(Layout, Place)>, layer: &Document, log: &mut Log) -> Option<(Layout, Place)> {
    stricter(base, layer.layers.layout.as_ref(), |layout| format!("layout = \"{}\"", layout.name()), log)
}

/// The greater of two values, which is the stricter one.
fn stricter<T: Copy + Ord>(
    base: Option<(T, Place)>,
    written: Option<&Written<T>>,
    show: impl Fn(T) -> String,
    log: &mut Log,
) -> Option<(T, Place)> {
    let Some(written) = written else { return base };
    Some(match base {
        Some((base, by)) if base >= written.value => {
            if base > written.value {
                log.without_effect(&show(written.value), &written.place, &by);
            }
            (base, by)
        }
        Some((base, place)) => {
            log.took(show(base), &place, &written.place);
            (written.value, written.place.clone())
        }
        None => (written.value, written.place.clone()),
    })
}

/// Each side says how a call is refused: by a rule of its own, else by `on-deny`. The stricter answer holds.
pub(super) fn narrow_refusals(
    base: BTreeMap<String, (OnDeny, Place)>,
    on_deny: Option<&(OnDeny, Place)>,
    layer: &Document,
    log: &mut Log,
) -> BTreeMap<String, (OnDeny, Place)> {
    let show = |call: &str, answer: OnDeny| format!("{call} with the answer {}", answer.name());
    let mut out = base;
    if let Some(general) = &layer.syscalls.on_deny {
        for (call, (answer, place)) in &mut out {
            let own = layer.syscalls.refusals.iter().any(|item| item.value.call == *call);
            if !own && general.value > *answer {
                log.took(show(call, *answer), place, &general.place);
                (*answer, *place) = (general.value, general.place.clone());
            }
        }
    }
    for item in &layer.syscalls.refusals {
        let (call, answer) = (item.value.call.as_str(), item.value.answer);
        let below = out.get(call).or(on_deny).cloned();
        let holds = match below {
            Some((below, by)) if below >= answer => {
                if below > answer {
                    log.without_effect(&show(call, answer), &item.place, &by);
                }
                (below, by)
            }
            Some((below, place)) => {
                if out.contains_key(call) {
                    log.took(show(call, below), &place, &item.place);
                }
                (answer, item.place.clone())
            }
            None => (answer, item.place.clone()),
        };
        out.insert(call.to_owned(), holds);
    }
    out
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
