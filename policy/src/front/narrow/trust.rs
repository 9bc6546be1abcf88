//! Which files are accepted, after one more layer.

use super::{Accepted, Granted, Log, Meet};
use crate::front::document::{List, Trust};

pub(super) fn narrow_trust(base: Option<Accepted>, layer: &Trust, log: &mut Log) -> Option<Accepted> {
    let lists = [layer.publishers.as_ref().map(|list| &list.place), layer.digests.as_ref().map(|list| &list.place)];
    let unsigned = layer.unsigned.as_ref().map(|unsigned| &unsigned.place);
    let Some(by) = lists.into_iter().flatten().chain(unsigned).next().cloned() else { return base };
    let above = Accepted {
        by,
        publishers: granted(layer.publishers.as_ref()),
        digests: granted(layer.digests.as_ref()),
        unsigned: layer.unsigned.as_ref().filter(|unsigned| unsigned.value).map(|unsigned| unsigned.place.clone()),
    };
    let Some(below) = base else { return Some(above) };
    let publishers = narrow_signers(&below, &above, |accepted| &accepted.publishers, log);
    let digests = narrow_signers(&below, &above, |accepted| &accepted.digests, log);
    match (&below.unsigned, &above.unsigned) {
        (Some(written), None) => log.took("unsigned = true".to_owned(), written, &above.by),
        (None, Some(written)) => log.without_effect("unsigned = true", written, &below.by),
        (Some(_), Some(_)) | (None, None) => {}
    }
    let unsigned = below.unsigned.filter(|_| above.unsigned.is_some());
    Some(Accepted { by: above.by, publishers, digests, unsigned })
}

fn granted<T: Clone>(list: Option<&List<T>>) -> Vec<Granted<T>> {
    let items = list.into_iter().flat_map(|list| &list.items);
    items.map(|item| Granted { value: item.value.clone(), lines: vec![item.place.clone()] }).collect()
}

/// Names survive where the other side has them too, or accepts everything.
fn narrow_signers<T: Meet>(
    below: &Accepted,
    above: &Accepted,
    list: impl Fn(&Accepted) -> &Vec<Granted<T>>,
    log: &mut Log,
) -> Vec<Granted<T>> {
    let mut out: Vec<Granted<T>> = Vec::new();
    for one in list(below) {
        let mut one = one.clone();
        if let Some(same) = list(above).iter().find(|item| item.value == one.value) {
            one.lines.extend(same.lines.iter().cloned());
            out.push(one);
        } else if above.unsigned.is_some() {
            out.push(one);
        } else {
            log.took(one.value.show(), &one.lines[0], &above.by);
        }
    }
    for item in list(above) {
        if out.iter().any(|have| have.value == item.value) {
            continue;
        }
        if below.unsigned.is_some() {
            out.push(item.clone());
        } else {
            log.without_effect(&item.value.show(), &item.lines[0], &below.by);
        }
    }
    out
}
