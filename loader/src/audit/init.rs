//! Decides whether what runs when the object is mapped is code of the object (rule Y10): `DT_INIT`, `DT_FINI` and the
//! slots of the two arrays, whose contents relocations write.

use super::bytes::u64_at;
use super::dynamic::{DT_FINI, DT_FINI_ARRAY, DT_FINI_ARRAYSZ, DT_INIT, DT_INIT_ARRAY, DT_INIT_ARRAYSZ, Dynamic};
use super::finding::{Code, Findings};
use super::image::Image;
use super::text::hex;

/// The address of one slot, in bytes.
const SLOT: u64 = 8;

/// What a relocation puts into a slot.
#[derive(Clone, Copy)]
pub(super) enum Written {
    /// An address of this object.
    Own(u64),
    /// What the symbol of that index stands for, known only when it is bound.
    Symbol(u32),
    /// Anything else, such as a place behind what a symbol stands for.
    Other,
}

struct Array {
    name: &'static str,
    start: u64,
    end: u64,
    /// What a relocation writes into each slot.
    slots: Vec<Option<Written>>,
}

/// The arrays of functions that run while mapping and unmapping.
pub(super) struct Initialisers {
    arrays: Vec<Array>,
    /// `DT_INIT` and `DT_FINI`, which need no relocation.
    single: Vec<(&'static str, u64)>,
}

/// Reads both arrays and checks the two single functions.
pub(super) fn read(image: &Image<'_>, dynamic: &Dynamic, findings: &mut Findings) -> Initialisers {
    let mut single = Vec::new();
    for (tag, name) in [(DT_INIT, "DT_INIT"), (DT_FINI, "DT_FINI")] {
        let address = dynamic.value(tag);
        single.extend(address.map(|address| (name, address)));
        // musl takes 0 for no function, glibc calls the first byte of the file (`call_init` of `elf/dl-init.c`).
        if let Some(address) = address.filter(|&address| address == 0 || !image.executable(address)) {
            findings
                .refuse(Code::Init, || format!("`{name}` is not code of this file"))
                .with("address", || hex(address));
        }
    }
    let tags = [(DT_INIT_ARRAY, DT_INIT_ARRAYSZ, "DT_INIT_ARRAY"), (DT_FINI_ARRAY, DT_FINI_ARRAYSZ, "DT_FINI_ARRAY")];
    let mut arrays = Vec::new();
    for (start, size, name) in tags {
        let (start, size) = match (dynamic.value(start), dynamic.value(size)) {
            (None, None | Some(0)) | (Some(_), Some(0)) => continue,
            (Some(start), Some(size)) => (start, size),
            _ => {
                findings.refuse(Code::Init, || format!("`{name}` has an address or a size, but not both"));
                continue;
            }
        };
        let array = &image.dynamic;
        let shared = start < array.vaddr.saturating_add(array.memsz) && start.saturating_add(size) > array.vaddr;
        match image.read(start, size) {
            // glibc adds the load address to some of its words (`elf_get_dynamic_info`): no relocation shows what is called.
            Some(_) if shared => {
                let what = || format!("`{name}` shares bytes with the dynamic array, which loaders adjust");
                findings.refuse(Code::Init, what).with("address", || hex(start));
            }
            Some(bytes) if size % SLOT == 0 => {
                let slots = vec![None; bytes.as_chunks::<8>().0.len()];
                arrays.push(Array { name, start, end: start.saturating_add(size), slots });
            }
            _ => {
                let refused = findings
                    .refuse(Code::Init, || format!("`{name}` is not whole slots of one mapped part of the file"));
                refused.with("address", || hex(start)).with("size", || hex(size));
            }
        }
    }
    Initialisers { arrays, single }
}

impl Initialisers {
    /// Whether `size` bytes at an address touch a slot.
    pub(super) fn touches(&self, address: u64, size: u64) -> bool {
        self.ranges().any(|(start, end)| address < end && address.saturating_add(size) > start)
    }

    /// Where the arrays lie.
    pub(super) fn ranges(&self) -> impl Iterator<Item = (u64, u64)> {
        self.arrays.iter().map(|array| (array.start, array.end))
    }

    /// Notes that a relocation writes `size` bytes at an address.
    pub(super) fn write(
        &mut self,
        image: &Image<'_>,
        address: u64,
        size: u64,
        value: Written,
        findings: &mut Findings,
    ) {
        if !self.touches(address, size) {
            return;
        }
        let slot = self.arrays.iter_mut().find_map(|array| {
            let at = address.checked_sub(array.start).filter(|at| at % SLOT == 0 && size == SLOT)?;
            array.slots.get_mut(usize::try_from(at.checked_div(SLOT)?).ok()?)
        });
        let again = slot.map(|slot| slot.replace(value).is_some());
        let wrong = match (again, value) {
            (None, _) => Some("a relocation writes a part of an initialiser"),
            (Some(true), _) => Some("two relocations write one initialiser"),
            (Some(false), Written::Own(target)) if !image.executable(target) => {
                Some("an initialiser is not code of this file")
            }
            (Some(false), Written::Other) => {
                Some("a relocation writes something into an initialiser that is no address")
            }
            (Some(false), Written::Own(_) | Written::Symbol(_)) => None,
        };
        if let Some(wrong) = wrong {
            findings.refuse(Code::Init, || wrong.to_owned()).with("slot", || hex(address));
        }
    }

    /// Reports the slots that nothing relocates: loaders call their contents as absolute addresses.
    pub(super) fn finish(&self, image: &Image<'_>, findings: &mut Findings) {
        for array in &self.arrays {
            let contents = image.read(array.start, array.end.saturating_sub(array.start)).unwrap_or_default();
            let words = contents.as_chunks::<8>().0.iter().map(u64_at::<0, _>);
            for (at, (value, _)) in words.zip(&array.slots).enumerate().filter(|(_, (_, written))| written.is_none()) {
                let what = || format!("no relocation writes slot {at} of `{}`", array.name);
                findings.warn(Code::InitUnrelocated, what).with("content", || hex(value));
            }
        }
    }

    /// What runs while the file is mapped and unmapped, in the order in which loaders call it.
    pub(super) fn runs(&self) -> impl Iterator<Item = (When, Called)> {
        let single = |name| self.single.iter().filter(move |(which, _)| *which == name);
        let slots = |name| self.arrays.iter().filter(move |array| array.name == name).flat_map(|array| &array.slots);
        let called = |written: &Option<Written>| match written {
            Some(Written::Own(address)) => Called::Address(*address),
            Some(Written::Symbol(index)) => Called::Symbol(*index),
            Some(Written::Other) | None => Called::Unknown,
        };
        let address = |(_, address): &(&str, u64)| Called::Address(*address);
        let init = single("DT_INIT").map(move |one| (When::Init, address(one)));
        let init_array = slots("DT_INIT_ARRAY").map(move |slot| (When::InitArray, called(slot)));
        let fini_array = slots("DT_FINI_ARRAY").rev().map(move |slot| (When::FiniArray, called(slot)));
        let fini = single("DT_FINI").map(move |one| (When::Fini, address(one)));
        init.chain(init_array).chain(fini_array).chain(fini)
    }
}

/// When a function of a file runs without being called by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, schemars::JsonSchema, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum When {
    /// While the file is relocated: the resolver of an IFUNC.
    Resolver,
    /// `DT_INIT`, when the file has been mapped.
    Init,
    /// `DT_INIT_ARRAY`, after that.
    InitArray,
    /// `DT_FINI_ARRAY`, when the file is unmapped or the process ends.
    FiniArray,
    /// `DT_FINI`, after that.
    Fini,
}

impl When {
    /// A few letters for it, as a table has them.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Resolver => "resolver",
            Self::Init => "init",
            Self::InitArray => "init-array",
            Self::FiniArray => "fini-array",
            Self::Fini => "fini",
        }
    }
}

/// What is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Called {
    /// Code at an address of the file.
    Address(u64),
    /// The definition that a symbol, by its index, is bound to.
    Symbol(u32),
    /// What stands in a slot that nothing relocates.
    Unknown,
}
