//! The one operation that combines policies. A layer can take away from what is below it and never add: lists of what
//! is allowed are intersected, lists of what is denied or demanded are united, limits take the lesser value.

mod layers;
mod meet;
mod trust;
mod values;

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use crate::front::calls::Calls;
use crate::front::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::front::document::{Direct, Document, GrantedPath, Layer, Layout, Limit, List, OnDeny, Port};
use crate::front::modules::{Claim, ModulePattern};
use crate::front::profiles::PREFIX;
use crate::front::rules::{Digest, Hardening, Needed, Origin, SymbolPattern};
use crate::front::seccomp::Refusals;
use crate::front::text::Place;

use layers::{narrow_optional, require_layers};
pub(crate) use meet::Meet;
use trust::narrow_trust;
use values::{narrow_direct, narrow_layout, narrow_limits, narrow_on_deny, narrow_refusals};

/// Something that was written and is not in effect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Removed {
    /// Dotted key.
    pub key: String,
    /// What is not granted, as a policy would write it.
    pub what: String,
    /// The line that grants it.
    pub written: Origin,
    /// The line that takes it.
    pub by: Origin,
}

/// A grant with every line that states it; the first one decided its present form.
#[derive(Clone, Debug)]
pub(crate) struct Granted<T> {
    pub(crate) value: T,
    pub(crate) lines: Vec<Place>,
}

/// A list of grants. Until a layer states it, nothing is known; the outermost policy settles that nothing is granted.
#[derive(Clone, Debug)]
pub(crate) enum Stated<T> {
    Undecided,
    Decided { by: Place, items: Vec<Granted<T>> },
}

impl<T> Stated<T> {
    pub(crate) fn items(&self) -> &[Granted<T>] {
        match self {
            Self::Undecided => &[],
            Self::Decided { items, .. } => items,
        }
    }

    fn settle(&mut self, root: &str, key: &str) {
        if matches!(self, Self::Undecided) {
            *self = Self::Decided { by: Place::unlined(root, key), items: Vec::new() };
        }
    }
}

/// What was taken away, and what to tell the author about it.
pub(crate) struct Log {
    pub(crate) removed: Vec<Removed>,
    pub(crate) warnings: Diagnostics,
    /// The layer being applied is what a plugin asks for, not what a policy says.
    pub(crate) asking: bool,
}

impl Log {
    pub(crate) fn took(&mut self, what: String, written: &Place, by: &Place) {
        let key = if written.key.is_empty() { by.key.clone() } else { written.key.clone() };
        self.removed.push(Removed { key, what, written: written.origin(), by: by.origin() });
    }

    /// A layer states what is not granted below it.
    pub(crate) fn without_effect(&mut self, what: &str, written: &Place, by: &Place) {
        self.took(what.to_owned(), written, by);
        let base = by.source.to_string();
        let diagnostic = if self.asking {
            Diagnostic::warning(Code::Refused, format!("the plugin asks for `{what}`, which is not granted"), written)
                .help(format!("if the plugin needs it, add it to `{}` in {base}", by.key))
        } else {
            Diagnostic::warning(Code::NoEffect, format!("`{what}` has no effect: {base} does not grant it"), written)
                .help(if base.starts_with(PREFIX) {
                    "a policy can only narrow what it extends; extend one that grants it, or remove it here".to_owned()
                } else {
                    format!("a policy can only narrow what it extends; grant it in {base}, or remove it here")
                })
        };
        self.warnings.push(diagnostic.related(by.origin()));
    }
}

/// What holds after some layers.
#[derive(Clone, Debug)]
pub(crate) struct Effective {
    /// `None` before any layer spoke about trust.
    pub(crate) trust: Option<Accepted>,
    pub(crate) require: BTreeMap<Hardening, Place>,
    pub(crate) needed: Stated<Needed>,
    pub(crate) imports_deny: Vec<Granted<SymbolPattern>>,
    pub(crate) exports_require: Vec<Granted<String>>,
    pub(crate) direct_syscalls: Option<(Direct, Place)>,
    pub(crate) modules_deny: Vec<Granted<ModulePattern>>,
    pub(crate) claims: BTreeMap<Claim, Place>,
    pub(crate) read: Stated<GrantedPath>,
    pub(crate) write: Stated<GrantedPath>,
    /// Written trees that a layer does not let be read, with the line that says so.
    pub(crate) write_only: Vec<(GrantedPath, Place)>,
    pub(crate) connect: Stated<Port>,
    pub(crate) bind: Stated<Port>,
    pub(crate) calls: Calls,
    pub(crate) on_deny: Option<(OnDeny, Place)>,
    /// Calls that are refused in another way than the others.
    pub(crate) refusals: BTreeMap<String, (OnDeny, Place)>,
    pub(crate) limits: BTreeMap<Limit, (u64, Place)>,
    pub(crate) required: BTreeMap<Layer, (u32, Place)>,
    pub(crate) optional: BTreeMap<Layer, Place>,
    pub(crate) layout: Option<(Layout, Place)>,
}

/// Which files are accepted: everything, or what some publisher signed or some digest names.
#[derive(Clone, Debug)]
pub(crate) struct Accepted {
    /// The line that last spoke about trust.
    pub(crate) by: Place,
    pub(crate) publishers: Vec<Granted<String>>,
    pub(crate) digests: Vec<Granted<Digest>>,
    /// The line that accepts every file.
    pub(crate) unsigned: Option<Place>,
}

impl Effective {
    /// Before any layer: nothing is decided.
    fn undecided() -> Self {
        Self {
            trust: None,
            require: BTreeMap::new(),
            needed: Stated::Undecided,
            imports_deny: Vec::new(),
            exports_require: Vec::new(),
            direct_syscalls: None,
            modules_deny: Vec::new(),
            claims: BTreeMap::new(),
            read: Stated::Undecided,
            write: Stated::Undecided,
            write_only: Vec::new(),
            connect: Stated::Undecided,
            bind: Stated::Undecided,
            calls: Calls::undecided(),
            on_deny: None,
            refusals: BTreeMap::new(),
            limits: BTreeMap::new(),
            required: BTreeMap::new(),
            optional: BTreeMap::new(),
            layout: None,
        }
    }

    /// The outermost policy, with everything it does not state settled: not granted, denied, or the default cap.
    pub(crate) fn root(document: &Document, log: &mut Log) -> Self {
        let mut all = narrow(Self::undecided(), document, log);
        let root = document.source.as_str();
        all.trust.get_or_insert_with(|| Accepted {
            by: Place::unlined(root, "trust"),
            publishers: Vec::new(),
            digests: Vec::new(),
            unsigned: None,
        });
        all.needed.settle(root, "elf.needed");
        all.read.settle(root, "files.read");
        all.write.settle(root, "files.write");
        all.connect.settle(root, "network.connect");
        all.bind.settle(root, "network.bind");
        all.calls.settle(root);
        let default = |key: &str| Place::unlined(DEFAULTS, key);
        all.direct_syscalls.get_or_insert_with(|| (Direct::Deny, default("elf.direct-syscalls")));
        all.on_deny.get_or_insert_with(|| (OnDeny::Kill, default("syscalls.on-deny")));
        // How many processors is as many as threads until somebody says fewer.
        for limit in Limit::ALL.into_iter().filter(|limit| *limit != Limit::Processors) {
            let key = format!("limits.{}", limit.name());
            all.limits.entry(limit).or_insert_with(|| (limit.default(), default(&key)));
        }
        for layer in Layer::ALL.into_iter().filter(|layer| layer.is_core() && !all.optional.contains_key(layer)) {
            all.required.entry(layer).or_insert_with(|| (0, default("layers.require")));
        }
        all
    }
}

impl Effective {
    /// How calls are refused.
    pub(crate) fn refusals(&self) -> Refusals {
        Refusals {
            otherwise: self.on_deny.as_ref().map_or(OnDeny::Kill, |(on_deny, _)| *on_deny),
            calls: self.refusals.iter().map(|(call, (answer, _))| (call.clone(), *answer)).collect(),
        }
    }
}

/// Source of what the language itself decides.
pub(crate) const DEFAULTS: &str = "default";

/// Applies a layer. A key the layer does not state is no opinion; `trust` is one opinion, whichever of its keys is
/// stated.
pub(crate) fn narrow(base: Effective, layer: &Document, log: &mut Log) -> Effective {
    let write = narrow_list(base.write, layer.files.write.as_ref(), log);
    let write_only = narrow_reading(base.write_only, &write, layer, log);
    Effective {
        trust: narrow_trust(base.trust, &layer.trust, log),
        require: unite(base.require, layer.elf.require.as_ref()),
        needed: narrow_list(base.needed, layer.elf.needed.as_ref(), log),
        imports_deny: unite_list(base.imports_deny, layer.elf.imports_deny.as_ref()),
        exports_require: unite_list(base.exports_require, layer.elf.exports_require.as_ref()),
        direct_syscalls: narrow_direct(base.direct_syscalls, layer, log),
        modules_deny: unite_list(base.modules_deny, layer.provenance.deny.as_ref()),
        claims: unite(base.claims, layer.provenance.require.as_ref()),
        read: narrow_list(base.read, layer.files.read.as_ref(), log),
        write,
        write_only,
        connect: narrow_list(base.connect, layer.network.connect.as_ref(), log),
        bind: narrow_list(base.bind, layer.network.bind.as_ref(), log),
        calls: base.calls.narrow(&layer.syscalls, log),
        refusals: narrow_refusals(base.refusals, base.on_deny.as_ref(), layer, log),
        on_deny: narrow_on_deny(base.on_deny, layer, log),
        limits: narrow_limits(base.limits, layer, log),
        required: require_layers(base.required.clone(), layer),
        optional: narrow_optional(base.optional, &base.required, layer, log),
        layout: narrow_layout(base.layout, layer, log),
    }
}

fn narrow_list<T: Meet>(base: Stated<T>, layer: Option<&List<T>>, log: &mut Log) -> Stated<T> {
    let Some(list) = layer else { return base };
    let by = list.place.clone();
    let Stated::Decided { by: decided, items } = base else {
        let items = list.items.iter();
        let items = items.map(|item| Granted { value: item.value.clone(), lines: vec![item.place.clone()] });
        return Stated::Decided { by, items: items.collect() };
    };
    let mut out: Vec<Granted<T>> = Vec::new();
    let mut used = vec![false; list.items.len()];
    for granted in &items {
        let mut kept = Vec::new();
        for (item, used) in list.items.iter().zip(&mut used) {
            let Some(both) = granted.value.meet(&item.value) else { continue };
            *used = true;
            let mut lines = granted.lines.clone();
            let at = if both == granted.value { lines.len() } else { 0 };
            lines.insert(at, item.place.clone());
            kept.push(Granted { value: both, lines });
        }
        if kept.is_empty() {
            log.took(granted.value.show(), &granted.lines[0], &by);
        } else if kept.iter().all(|one| one.value != granted.value) {
            let narrower: Vec<String> = kept.iter().map(|one| one.value.show()).collect();
            let what = format!("{} beyond {}", granted.value.show(), narrower.join(", "));
            log.took(what, &granted.lines[0], &by);
        }
        for one in kept {
            if !out.iter().any(|have| have.value == one.value) {
                out.push(one);
            }
        }
    }
    for (item, _) in list.items.iter().zip(&used).filter(|(_, used)| !**used) {
        log.without_effect(&item.value.show(), &item.place, &decided);
    }
    Stated::Decided { by, items: out }
}

/// `write` includes reading, so a layer that states what may be read also speaks about what may be written.
fn narrow_reading(
    mut write_only: Vec<(GrantedPath, Place)>,
    write: &Stated<GrantedPath>,
    layer: &Document,
    log: &mut Log,
) -> Vec<(GrantedPath, Place)> {
    let Some(read) = &layer.files.read else { return write_only };
    let stated = || read.items.iter().chain(layer.files.write.iter().flat_map(|list| &list.items));
    for granted in write.items() {
        if !stated().any(|item| item.value.contains(&granted.value)) {
            log.took(format!("reading {}", granted.value), &granted.lines[0], &read.place);
            write_only.push((granted.value.clone(), read.place.clone()));
        }
    }
    write_only
}

fn unite<T: Copy + Ord>(mut base: BTreeMap<T, Place>, layer: Option<&List<T>>) -> BTreeMap<T, Place> {
    for item in layer.into_iter().flat_map(|list| &list.items) {
        base.entry(item.value).or_insert_with(|| item.place.clone());
    }
    base
}

fn unite_list<T: Clone + PartialEq>(mut base: Vec<Granted<T>>, layer: Option<&List<T>>) -> Vec<Granted<T>> {
    for item in layer.into_iter().flat_map(|list| &list.items) {
        match base.iter_mut().find(|have| have.value == item.value) {
            Some(have) => have.lines.push(item.place.clone()),
            None => base.push(Granted { value: item.value.clone(), lines: vec![item.place.clone()] }),
        }
    }
    base
}

impl fmt::Display for Removed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}  written {}, taken by {}", self.what, self.written, self.by)
    }
}
