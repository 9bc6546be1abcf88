//! The section view. Loaders never look at section headers, most other tools look at nothing else; so where a file has
//! them, they must describe the tables that loaders use.

use super::bytes::{len, range, u32_at, u64_at};
use super::dynamic::{DT_GNU_HASH, DT_HASH, DT_STRSZ, DT_STRTAB, DT_SYMTAB, DT_VERDEF, DT_VERNEED, DT_VERSYM, Dynamic};
use super::finding::{Code, Findings, Stop};
use super::header::Header;
use super::image::Image;
use super::steps;
use super::symbols::SYMBOL;
use super::text::hex;

/// The size of a section header, `e_shentsize`.
const SECTION: usize = 64;

const SHT_SYMTAB: u32 = 2;
const SHT_STRTAB: u32 = 3;
const SHT_HASH: u32 = 5;
const SHT_DYNAMIC: u32 = 6;
const SHT_NOTE: u32 = 7;
const SHT_NOBITS: u32 = 8;
const SHT_DYNSYM: u32 = 11;
const SHT_GNU_HASH: u32 = 0x6fff_fff6;
const SHT_GNU_VERDEF: u32 = 0x6fff_fffd;
const SHT_GNU_VERNEED: u32 = 0x6fff_fffe;
const SHT_GNU_VERSYM: u32 = 0x6fff_ffff;
const SHF_ALLOC: u64 = 2;

/// One section header.
struct Section {
    name: u32,
    kind: u32,
    flags: u64,
    address: u64,
    offset: u64,
    size: u64,
    link: u32,
    align: u64,
}

impl Section {
    fn content<'a>(&self, bytes: &'a [u8]) -> Option<&'a [u8]> {
        if self.kind == SHT_NOBITS { None } else { range(bytes, self.offset, self.size) }
    }
}

/// The section headers; none is a legal file.
pub(super) struct Sections {
    list: Vec<Section>,
}

/// Reads the section headers.
pub(super) fn read(bytes: &[u8], header: &Header, findings: &mut Findings) -> Result<Sections, Stop> {
    if header.shoff == 0 && header.shnum == 0 {
        return Ok(Sections { list: Vec::new() });
    }
    if header.shnum == 0 || usize::from(header.shentsize) != SECTION {
        let what = || "the ELF header counts section headers that nothing can read".to_owned();
        let refused = findings.refuse(Code::AmbiguousSections, what);
        refused.with("e_shnum", || header.shnum.to_string()).with("e_shentsize", || header.shentsize.to_string());
        return Err(findings.halt());
    }
    let Some(table) = range(bytes, header.shoff, u64::from(header.shnum).saturating_mul(len(SECTION))) else {
        let refused =
            findings.refuse(Code::Truncated, || "the file ends before the end of the section headers".to_owned());
        return Err(refused.with("e_shoff", || hex(header.shoff)).with("file_size", || hex(len(bytes.len()))).halt());
    };
    let parse = |entry: &[u8; SECTION]| Section {
        name: u32_at::<0, _>(entry),
        kind: u32_at::<4, _>(entry),
        flags: u64_at::<8, _>(entry),
        address: u64_at::<16, _>(entry),
        offset: u64_at::<24, _>(entry),
        size: u64_at::<32, _>(entry),
        link: u32_at::<40, _>(entry),
        align: u64_at::<48, _>(entry),
    };
    Ok(Sections { list: table.as_chunks().0.iter().map(parse).collect() })
}

impl Sections {
    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Whether there is a symbol table beside the dynamic one.
    pub(super) fn has_static_symbols(&self) -> bool {
        self.list.iter().any(|section| section.kind == SHT_SYMTAB && section.size > 0)
    }

    /// The names of sections, empty where nothing names them. No loader reads them, so no rule depends on them.
    pub(super) fn names<'a>(&self, bytes: &'a [u8], header: &Header) -> &'a [u8] {
        self.list.get(usize::from(header.shstrndx)).and_then(|names| names.content(bytes)).unwrap_or_default()
    }

    /// The content of the first section of a name.
    pub(super) fn named<'a>(&self, bytes: &'a [u8], names: &[u8], name: &str) -> Option<&'a [u8]> {
        let is = |section: &&Section| {
            let rest = usize::try_from(section.name).ok().and_then(|at| names.get(at..)?.strip_prefix(name.as_bytes()));
            rest.is_some_and(|rest| rest.starts_with(&[0]))
        };
        self.list.iter().find(is)?.content(bytes)
    }

    /// The content of every section of notes, and what its notes are aligned to.
    pub(super) fn notes<'a>(&self, bytes: &'a [u8]) -> impl Iterator<Item = (&'a [u8], u64)> {
        let notes = self.list.iter().filter(|section| section.kind == SHT_NOTE);
        notes.filter_map(|section| Some((section.content(bytes)?, section.align)))
    }

    /// Symbols of the dynamic symbol table, as its section says.
    pub(super) fn symbol_count(&self) -> Option<u64> {
        self.list.iter().find(|section| section.kind == SHT_DYNSYM)?.size.checked_div(SYMBOL)
    }

    /// Compares the view with the image for `symbols` symbols.
    pub(super) fn compare(&self, image: &Image<'_>, dynamic: &Dynamic, symbols: u64, findings: &mut Findings) {
        if self.is_empty() {
            return;
        }
        for (index, section) in self.list.iter().enumerate() {
            steps::take(1);
            let mapped = section.flags & SHF_ALLOC != 0 && section.kind != SHT_NOBITS && section.size > 0;
            if mapped && image.offset(section.address, section.size) != Some(section.offset) {
                differ(index, section, "another place of the file than its address is mapped from", findings);
            }
            if let Some(tag) = tag_of(section.kind)
                && dynamic.value(tag) != Some(section.address)
            {
                differ(index, section, "another table than the dynamic array names", findings);
            }
            match section.kind {
                SHT_DYNAMIC if !self.is_dynamic(section, image) => {
                    differ(index, section, "another dynamic array than `PT_DYNAMIC`", findings);
                }
                SHT_DYNSYM if section.size != symbols.saturating_mul(SYMBOL) => {
                    differ(index, section, "another number of symbols than the hash tables", findings);
                }
                SHT_DYNSYM if !self.links_strings(section, dynamic) => {
                    differ(index, section, "symbols with another string table than the dynamic array names", findings);
                }
                _ => {}
            }
        }
        for (kind, name) in [(SHT_DYNAMIC, "dynamic array"), (SHT_DYNSYM, "dynamic symbol table")] {
            let count = self.list.iter().filter(|section| section.kind == kind).count();
            if count != 1 {
                let what = || format!("the section headers describe {count} of the {name}, of which there is one");
                findings.refuse(Code::AmbiguousSections, what);
            }
        }
    }

    fn is_dynamic(&self, section: &Section, image: &Image<'_>) -> bool {
        let dynamic = &image.dynamic;
        (section.address, section.offset, section.size) == (dynamic.vaddr, dynamic.offset, dynamic.filesz)
    }

    fn links_strings(&self, symbols: &Section, dynamic: &Dynamic) -> bool {
        let strings = usize::try_from(symbols.link).ok().and_then(|at| self.list.get(at));
        strings.is_some_and(|strings| {
            strings.kind == SHT_STRTAB
                && Some(strings.address) == dynamic.value(DT_STRTAB)
                && Some(strings.size) == dynamic.value(DT_STRSZ)
        })
    }
}

fn tag_of(kind: u32) -> Option<u64> {
    Some(match kind {
        SHT_DYNSYM => DT_SYMTAB,
        SHT_HASH => DT_HASH,
        SHT_GNU_HASH => DT_GNU_HASH,
        SHT_GNU_VERSYM => DT_VERSYM,
        SHT_GNU_VERNEED => DT_VERNEED,
        SHT_GNU_VERDEF => DT_VERDEF,
        _ => return None,
    })
}

fn differ(index: usize, section: &Section, what: &str, findings: &mut Findings) {
    let refused = findings.refuse(Code::AmbiguousSections, || format!("section {index} describes {what}"));
    refused.with("sh_type", || hex(section.kind.into())).with("sh_addr", || hex(section.address));
    findings.with("sh_offset", || hex(section.offset)).with("sh_size", || hex(section.size));
}
