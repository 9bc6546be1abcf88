//! Decides what loaders may write into the mapped object (rules Y5, Y6 and R1). Relocations are a small machine: tables
//! of broken sizes, targets in code and types that store constants have all been used to change what was audited.

use std::ops::Range;

use lazaret_policy::Arch;

use super::bytes::{u32_at, u64_at};
use super::dynamic::{
    DT_JMPREL, DT_PLTREL, DT_PLTRELSZ, DT_RELA, DT_RELACOUNT, DT_RELAENT, DT_RELASZ, DT_RELR, DT_RELRENT, DT_RELRSZ,
    DT_TEXTREL, Dynamic,
};
use super::finding::{Code, Findings, Stop};
use super::image::{Image, Segment};
use super::init::{Initialisers, Written};
use super::steps;
use super::text::{hex, shown};
use super::writable::Exposed;

/// The size of a relocation with addend.
const RELA: u64 = 24;
/// The size of a word of `DT_RELR`.
const WORD: u64 = 8;
/// How many resolvers are kept by their address: a file can have one in every third word.
const MAX_RESOLVERS: usize = 256;
/// Words that one bitmap of `DT_RELR` covers.
const BITMAP: u64 = 63;

/// What a relocation does, on either architecture.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Writes the address of a symbol.
    Address,
    /// Writes an offset of a symbol in its thread-local block.
    Offset,
    /// Adds the load address.
    Relative,
    /// Calls a function of the object and writes what it returns.
    Irelative,
    /// Writes a module number.
    Module,
    /// Writes an offset from the thread pointer.
    ThreadPointer,
    /// Writes a thread-local descriptor of two words.
    Descriptor,
}

impl Kind {
    fn of(arch: Arch, kind: u32) -> Option<Self> {
        // R_X86_64_* and R_AARCH64_*. COPY is missing: it is for programs, and takes symbols over from libraries.
        Some(match (arch, kind) {
            (Arch::X86_64, 1 | 6 | 7) | (Arch::Aarch64, 257 | 1025 | 1026) => Self::Address,
            (Arch::X86_64, 8) | (Arch::Aarch64, 1027) => Self::Relative,
            (Arch::X86_64, 16) | (Arch::Aarch64, 1028) => Self::Module,
            (Arch::X86_64, 18) | (Arch::Aarch64, 1030) => Self::ThreadPointer,
            (Arch::X86_64, 17) | (Arch::Aarch64, 1029) => Self::Offset,
            (Arch::X86_64, 36) | (Arch::Aarch64, 1031) => Self::Descriptor,
            (Arch::X86_64, 37) | (Arch::Aarch64, 1032) => Self::Irelative,
            _ => return None,
        })
    }

    fn size(self) -> u64 {
        if self == Self::Descriptor { 16 } else { 8 }
    }
}

/// What the relocation tables hold.
#[derive(Clone, Debug, Default)]
pub(super) struct Relocations {
    /// Where the two tables with addends lie in the file, and how long they are: `DT_RELA`, then `DT_JMPREL`.
    pub(super) tables: [Option<(u64, u64)>; 2],
    /// The highest symbol index in use; 0 is none.
    pub(super) last_symbol: u32,
    /// The symbols in use, ascending: what loaders look up.
    pub(super) symbols: Vec<u32>,
    /// Relocations with addend.
    pub(super) count: u64,
    /// Those that call a resolver of the object.
    pub(super) irelative: u64,
    /// The first [`MAX_RESOLVERS`] of the resolvers.
    pub(super) resolvers: Vec<u64>,
    /// Those that ask for thread-local memory at a fixed distance from the thread pointer (initial-exec).
    pub(super) static_tls: u64,
    /// Words of `DT_RELR`.
    pub(super) relr: u64,
}

impl Relocations {
    /// Reports packed relocations of a file that needs the C library of musl. With glibc a version stands for them
    /// (`GLIBC_ABI_DT_RELR`), without which an old one does not load the file; musl has no versions.
    pub(super) fn packed_for<'a>(&self, mut needed: impl Iterator<Item = &'a str>, findings: &mut Findings) {
        let musl = |name: &str| name == "libc.so" || name.starts_with("libc.musl-") || name.starts_with("ld-musl-");
        if self.relr > 0
            && let Some(name) = needed.find(|name| musl(name))
        {
            let what = || "the file has packed relocations, which its C library ignores before musl 1.2.4".to_owned();
            findings.warn(Code::PackedForMusl, what).with("DT_NEEDED", || shown(name));
        }
    }
}

struct Pass<'a, 'b> {
    arch: Arch,
    image: &'a Image<'a>,
    inits: &'a mut Initialisers,
    exposed: &'a Exposed,
    findings: &'b mut Findings,
    /// Writable memory around the last target with nothing special in it. Relocations come in order of their targets,
    /// hundreds of thousands of them, and almost all fall in here.
    plain: Range<u64>,
    /// The code for what writes into memory that is not writable: who makes it so, if anybody, is the dynamic array's word.
    into_text: Code,
    sum: Relocations,
}

/// Reads every relocation.
pub(super) fn read(
    image: &Image<'_>,
    dynamic: &Dynamic,
    arch: Arch,
    inits: &mut Initialisers,
    exposed: &Exposed,
    findings: &mut Findings,
) -> Result<Relocations, Stop> {
    let rela = table(image, dynamic, (DT_RELA, DT_RELASZ), RELA, "DT_RELA", findings)?;
    let jmprel = table(image, dynamic, (DT_JMPREL, DT_PLTRELSZ), RELA, "DT_JMPREL", findings)?;
    let relr = table(image, dynamic, (DT_RELR, DT_RELRSZ), WORD, "DT_RELR", findings)?;
    entry_size(dynamic, DT_RELAENT, RELA, "DT_RELAENT", rela.is_some(), findings);
    entry_size(dynamic, DT_RELRENT, WORD, "DT_RELRENT", relr.is_some(), findings);
    entry_size(dynamic, DT_PLTREL, DT_RELA, "DT_PLTREL", jmprel.is_some(), findings);
    // glibc takes this tag for a promise of the other two, and reads them at address 8 (`elf_dynamic_do_Rela`).
    let promised = [DT_JMPREL, DT_PLTRELSZ].into_iter().all(|tag| dynamic.value(tag).is_some());
    if dynamic.value(DT_PLTREL).is_some() && !promised {
        findings.refuse(Code::RelocationTable, || "`DT_PLTREL` stands without the table that it is about".to_owned());
    }
    // glibc takes one that ends where the other ends for a part of it (`_ELF_DYNAMIC_DO_RELOC`), however long it is.
    let range = |start, size| Some((dynamic.value(start)?, dynamic.value(start)?.checked_add(dynamic.value(size)?)?));
    if let (Some(whole), Some(part)) = (range(DT_RELA, DT_RELASZ), range(DT_JMPREL, DT_PLTRELSZ))
        && whole.1 == part.1
        && part.0 < whole.0
    {
        let what = || "`DT_JMPREL` ends with `DT_RELA` and begins before it, which glibc does not apply".to_owned();
        findings.refuse(Code::RelocationTable, what).with("DT_JMPREL", || hex(part.0)).with("DT_RELA", || hex(whole.0));
    }
    let [rela, jmprel, relr] = [rela, jmprel, relr].map(Option::unwrap_or_default);

    let into_text = if dynamic.value(DT_TEXTREL).is_some() {
        Code::RelocationText
    } else if dynamic.text_relocations() {
        Code::RelocationTextFlag
    } else {
        Code::RelocationTarget
    };
    let mut pass = Pass { arch, image, inits, exposed, findings, plain: 0..0, into_text, sum: Relocations::default() };
    let place = |start, size| Some((image.offset(dynamic.value(start)?, dynamic.value(size)?)?, dynamic.value(size)?));
    pass.sum.tables = [place(DT_RELA, DT_RELASZ), place(DT_JMPREL, DT_PLTRELSZ)];
    // glibc applies that many entries as relative ones, whatever their type and the size of the table.
    let relative = dynamic.value(DT_RELACOUNT).unwrap_or(0);
    let entries = rela.as_chunks::<24>().0;
    let relative = usize::try_from(relative).ok().and_then(|count| entries.get(..count)).unwrap_or_else(|| {
        let what = || "`DT_RELACOUNT` is larger than the table".to_owned();
        pass.findings.refuse(Code::RelocationTable, what).with("DT_RELACOUNT", || relative.to_string());
        &[]
    });
    if relative.iter().any(|entry| Kind::of(arch, u32_at::<8, _>(entry)) != Some(Kind::Relative)) {
        let what = || "an entry that `DT_RELACOUNT` counts as relative is not".to_owned();
        pass.findings.refuse(Code::RelocationTable, what);
    }
    for entry in entries.iter().chain(jmprel.as_chunks::<24>().0) {
        if pass.findings.enough() {
            break;
        }
        pass.apply(entry);
    }
    pass.apply_packed(relr);
    pass.sum.symbols.sort_unstable();
    pass.sum.symbols.dedup();
    Ok(pass.sum)
}

fn table<'a>(
    image: &Image<'a>,
    dynamic: &Dynamic,
    (start, size): (u64, u64),
    entry: u64,
    name: &'static str,
    findings: &mut Findings,
) -> Result<Option<&'a [u8]>, Stop> {
    let (start, size) = match (dynamic.value(start), dynamic.value(size)) {
        (None, None | Some(0)) | (Some(_), Some(0)) => return Ok(None),
        (Some(start), Some(size)) => (start, size),
        _ => {
            return Err(
                findings.stop(Code::RelocationTable, || format!("`{name}` has an address or a size, but not both"))
            );
        }
    };
    if size.checked_rem(entry) != Some(0) {
        // Loaders go on while the next entry begins inside, so the last one would be applied, unseen by parsers.
        let refused = findings.refuse(Code::RelocationSize, || format!("`{name}` is not made of whole entries"));
        return Err(refused.with("size", || size.to_string()).with("entry_size", || entry.to_string()).halt());
    }
    image.table(&format!("the table `{name}`"), start, size, findings).map(Some)
}

fn entry_size(dynamic: &Dynamic, tag: u64, wanted: u64, name: &str, needed: bool, findings: &mut Findings) {
    let value = dynamic.value(tag);
    if value.map_or(needed, |value| value != wanted) {
        let what = || format!("`{name}` is not {wanted}, and loaders either stop or do not look");
        findings
            .refuse(Code::RelocationEntry, what)
            .with("value", || value.map_or("missing".to_owned(), |value| value.to_string()));
    }
}

impl Pass<'_, '_> {
    fn apply(&mut self, entry: &[u8; 24]) {
        let (target, kind, symbol) = (u64_at::<0, _>(entry), u32_at::<8, _>(entry), u32_at::<12, _>(entry));
        let addend = u64_at::<16, _>(entry);
        steps::take(1);
        self.sum.count = self.sum.count.saturating_add(1);
        self.sum.last_symbol = self.sum.last_symbol.max(symbol);
        // A table of functions that are called uses each once; others come in rows of the same.
        if symbol != 0 && self.sum.symbols.last() != Some(&symbol) {
            self.sum.symbols.push(symbol);
        }
        let mut constant = false;
        let wrong = match Kind::of(self.arch, kind) {
            None => Some("is of a type that plugins do not need"),
            Some(Kind::Address | Kind::Offset) if symbol == 0 => {
                constant = true;
                Some("needs a symbol and has none: it stores a constant")
            }
            Some(Kind::Relative | Kind::Irelative) if symbol != 0 => Some("has a symbol that it does not need"),
            Some(Kind::Irelative) if !self.image.executable(addend) => {
                Some("calls something that is not code of this file")
            }
            Some(_) => None,
        };
        if let Some(wrong) = wrong {
            let code = if constant { Code::RelocationConstant } else { Code::RelocationType };
            let refused = self.findings.refuse(code, || format!("a relocation {wrong}"));
            refused
                .with("r_offset", || hex(target))
                .with("type", || kind.to_string())
                .with("symbol", || symbol.to_string());
        }
        let Some(kind) = Kind::of(self.arch, kind) else { return };
        if kind == Kind::ThreadPointer {
            self.sum.static_tls = self.sum.static_tls.saturating_add(1);
        }
        if kind == Kind::Irelative {
            self.sum.irelative = self.sum.irelative.saturating_add(1);
            if self.sum.resolvers.len() < MAX_RESOLVERS {
                self.sum.resolvers.push(addend);
            }
        }
        if self.is_plain(target, kind.size()) {
            return;
        }
        self.check_target(target, kind.size());
        let written = match kind {
            Kind::Relative => Written::Own(addend),
            Kind::Address if addend == 0 => Written::Symbol(symbol),
            Kind::Address | Kind::Offset | Kind::Irelative | Kind::Module | Kind::ThreadPointer | Kind::Descriptor => {
                Written::Other
            }
        };
        self.inits.write(self.image, target, kind.size(), written, self.findings);
    }

    /// Y6: writable memory of the object, and not the dynamic array, which the loader is reading.
    fn check_target(&mut self, target: u64, size: u64) {
        if let Some(table) = self.exposed.touched_by(target, size) {
            let what = || format!("a relocation writes into the segment that holds {table}");
            self.findings.refuse(Code::RelocatedTable, what).with("r_offset", || hex(target));
        }
        if !self.may_write(target, size) {
            let what = || "a relocation writes outside the writable memory of the file".to_owned();
            let code = if self.image.mapped(target, size).is_some_and(|load| !load.writable()) {
                self.into_text
            } else {
                Code::RelocationTarget
            };
            self.findings.refuse(code, what).with("r_offset", || hex(target));
        }
    }

    fn may_write(&self, target: u64, size: u64) -> bool {
        let dynamic = &self.image.dynamic;
        let end = dynamic.vaddr.saturating_add(dynamic.memsz);
        self.image.mapped(target, size).is_some_and(Segment::writable)
            && (target >= end || target.saturating_add(size) <= dynamic.vaddr)
    }

    /// Whether a target lies in writable memory, away from the dynamic array and the initialisers.
    fn is_plain(&mut self, target: u64, size: u64) -> bool {
        let covers = |plain: &Range<u64>| target >= plain.start && target.saturating_add(size) <= plain.end;
        if covers(&self.plain) {
            return true;
        }
        let Some(load) = self.image.mapped(target, size).filter(|load| load.writable()) else { return false };
        if self.exposed.touched_by(target, size).is_some() {
            return false;
        }
        self.plain = load.vaddr..load.vaddr.saturating_add(load.memsz);
        let dynamic = &self.image.dynamic;
        let array = (dynamic.vaddr, dynamic.vaddr.saturating_add(dynamic.memsz));
        for (start, end) in self.inits.ranges().chain([array]) {
            if end <= target {
                self.plain.start = self.plain.start.max(end);
            } else {
                self.plain.end = self.plain.end.min(start);
            }
        }
        covers(&self.plain)
    }

    /// `DT_RELR`: an even word is an address to relocate, an odd one a bitmap of the 63 words that follow.
    fn apply_packed(&mut self, table: &[u8]) {
        let mut next = None;
        for word in table.as_chunks::<8>().0.iter().map(u64_at::<0, _>) {
            if self.findings.enough() {
                return;
            }
            steps::take(1);
            self.sum.relr = self.sum.relr.saturating_add(1);
            if word & 1 == 0 {
                self.relocate_word(word);
                next = Some(word.saturating_add(WORD));
                continue;
            }
            let Some(base) = next else {
                let what = || "`DT_RELR` begins with a bitmap, which belongs to no address".to_owned();
                self.findings.refuse(Code::RelocationTable, what);
                return;
            };
            let covered = BITMAP.saturating_mul(WORD);
            // Only at the edges of plain data each word is looked at.
            if !self.is_plain(base, covered) {
                let bits = (1..=BITMAP).filter(|bit| word >> bit & 1 == 1);
                bits.for_each(|bit| {
                    self.relocate_word(base.saturating_add(bit.saturating_sub(1).saturating_mul(WORD)))
                });
            }
            next = Some(base.saturating_add(covered));
        }
    }

    fn relocate_word(&mut self, target: u64) {
        steps::take(1);
        self.check_target(target, WORD);
        if self.inits.touches(target, WORD) {
            let content =
                self.image.read(target, WORD).and_then(|word| word.first_chunk()).map(|word| u64::from_le_bytes(*word));
            let written = content.map_or(Written::Other, Written::Own);
            self.inits.write(self.image, target, WORD, written, self.findings);
        }
    }
}
