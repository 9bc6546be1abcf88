//! Which layers must be enforced: demands add up, and only the outermost policy makes a core layer optional.

use std::collections::BTreeMap;

use super::Log;
use crate::front::document::{Document, Layer};
use crate::front::text::Place;

pub(super) fn require_layers(
    mut base: BTreeMap<Layer, (u32, Place)>,
    layer: &Document,
) -> BTreeMap<Layer, (u32, Place)> {
    for item in layer.layers.require.iter().flat_map(|list| &list.items) {
        let need = item.value;
        match base.get(&need.layer) {
            Some((abi, _)) if *abi >= need.abi && *abi > 0 => {}
            Some((0, place)) if need.abi == 0 && place.line > 0 => {}
            _ => {
                base.insert(need.layer, (need.abi, item.place.clone()));
            }
        }
    }
    base
}

/// Making a core layer optional is a grant, which only the outermost policy can make; any other layer can be wished for
/// at any level, since it only restricts.
pub(super) fn narrow_optional(
    base: BTreeMap<Layer, Place>,
    required: &BTreeMap<Layer, (u32, Place)>,
    layer: &Document,
    log: &mut Log,
) -> BTreeMap<Layer, Place> {
    let mut out = base;
    for item in layer.layers.optional.iter().flat_map(|list| &list.items) {
        match required.get(&item.value.layer) {
            Some((_, by)) => {
                let what = format!("optional {}", item.value.layer.name());
                log.without_effect(&what, &item.place, by);
            }
            None => {
                out.entry(item.value.layer).or_insert_with(|| item.place.clone());
            }
        }
    }
    for item in layer.layers.require.iter().flat_map(|list| &list.items) {
        if let Some(place) = out.remove(&item.value.layer) {
            log.took(format!("optional {}", item.value.layer.name()), &place, &item.place);
        }
    }
    out
}
