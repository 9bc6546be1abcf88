//! Decides what becomes of a table in writable memory, where patchelf puts those that it makes longer. Loaders read tables
//! while they relocate, so what could be written there before every name is bound could change what was audited.
//!
//! Nothing writes there when no relocation of the file has a target in that segment, the table shares no byte with the
//! dynamic array, whose addresses glibc adjusts in place (`_dl_relocate_object` and `elf_get_dynamic_info` of glibc 2.36),
//! no place that a loader fills in for lazy binding is in the segment (`DT_PLTGOT`, `DT_TLSDESC_GOT`), and no code of the
//! file runs by then: cells bind at once (`RTLD_NOW`) and before any initialiser, which leaves IFUNC resolvers. Other
//! objects' relocations stay in their own memory, which their own audit demands. What runs of libraries is the policy's
//! choice, and such code needs no table to do harm.

use std::ops::Range;

use super::dynamic::{
    DT_GNU_HASH, DT_HASH, DT_JMPREL, DT_PLTGOT, DT_RELA, DT_RELR, DT_STRTAB, DT_SYMTAB, DT_TLSDESC_GOT, DT_VERDEF,
    DT_VERNEED, DT_VERSYM, Dynamic,
};
use super::finding::{Code, Findings};
use super::image::{Image, Segment};
use super::text::hex;

const TABLES: [(u64, &str); 10] = [
    (DT_STRTAB, "the string table"),
    (DT_SYMTAB, "the symbol table"),
    (DT_GNU_HASH, "the GNU hash table"),
    (DT_HASH, "the hash table"),
    (DT_RELA, "the table `DT_RELA`"),
    (DT_JMPREL, "the table `DT_JMPREL`"),
    (DT_RELR, "the table `DT_RELR`"),
    (DT_VERSYM, "the table `DT_VERSYM`"),
    (DT_VERNEED, "the table `DT_VERNEED`"),
    (DT_VERDEF, "the table `DT_VERDEF`"),
];

/// The writable segments that hold tables.
pub(super) struct Exposed {
    /// What each segment maps, with the first table in it.
    segments: Vec<(Range<u64>, &'static str, u64)>,
}

/// Finds the tables that lie in writable memory.
pub(super) fn read(image: &Image<'_>, dynamic: &Dynamic) -> Exposed {
    let mut segments: Vec<(Range<u64>, &'static str, u64)> = Vec::new();
    for (tag, name) in TABLES {
        let Some(address) = dynamic.value(tag) else { continue };
        let Some(load) = image.mapped(address, 1).filter(|load| load.writable()) else { continue };
        let memory = memory(load);
        if !segments.iter().any(|(known, ..)| *known == memory) {
            segments.push((memory, name, address));
        }
    }
    Exposed { segments }
}

fn memory(load: &Segment) -> Range<u64> {
    load.vaddr..load.vaddr.saturating_add(load.memsz)
}

impl Exposed {
    /// The table that a write of `size` bytes at `address` comes too close to.
    pub(super) fn touched_by(&self, address: u64, size: u64) -> Option<&'static str> {
        let meets = |memory: &Range<u64>| address < memory.end && address.saturating_add(size) > memory.start;
        self.segments.iter().find(|(memory, ..)| meets(memory)).map(|(_, name, _)| *name)
    }

    /// Refuses tables that something other than a relocation writes, and reports the rest. `tables` is where every table
    /// lies, `resolvers` how many functions of the file run while it is relocated.
    pub(super) fn judge(
        &self,
        image: &Image<'_>,
        dynamic: &Dynamic,
        tables: &[Range<u64>],
        resolvers: u64,
        findings: &mut Findings,
    ) {
        let Some((_, name, address)) = self.segments.first() else { return };
        let refuse = |why: &str, findings: &mut Findings| {
            let what = || format!("{name} lies in a writable segment, and {why}");
            findings.refuse(Code::RelocatedTable, what).with("address", || hex(*address));
        };
        if resolvers > 0 {
            refuse("functions of the file run while it is relocated", findings);
        }
        for tag in [DT_PLTGOT, DT_TLSDESC_GOT] {
            // Three words are a loader's own: of the procedure linkage table, the second and the third.
            if dynamic.value(tag).is_some_and(|place| self.touched_by(place, 24).is_some()) {
                refuse("loaders fill in words of the same segment for lazy binding", findings);
            }
        }
        let array = &image.dynamic;
        let end = array.vaddr.saturating_add(array.memsz);
        if tables.iter().any(|table| table.start < end && table.end > array.vaddr) {
            refuse("a table shares bytes with the dynamic array, which loaders adjust", findings);
        }
        for (_, name, address) in &self.segments {
            findings.warn(Code::WritableTable, || format!("{name} lies in a segment that is writable, and only read"));
            findings.with("address", || hex(*address));
        }
    }
}
