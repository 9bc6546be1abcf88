//! Reads the dynamic symbol table (rules Y4 and S1). Which symbol is an import is a question with several answers, so
//! fields on which loaders and parsers differ are refused and the policy later looks at every name.

use super::bytes::{u16_at, u32_at, u64_at};
use super::dynamic::{DT_SYMENT, DT_SYMTAB, Dynamic};
use super::finding::{Code, Findings, Stop};
use super::image::{Image, Segment};
use super::steps;
use super::strings::{Span, Strings};
use super::text::{hex, shown};
use super::versions::{HIDDEN, Versions};

/// The size of a symbol.
pub(super) const SYMBOL: u64 = 24;

const SHN_UNDEF: u16 = 0;
pub(super) const SHN_ABS: u16 = 0xfff1;
const SHN_COMMON: u16 = 0xfff2;

pub(super) const STT_FUNC: u8 = 2;
const STT_SECTION: u8 = 3;
pub(super) const STT_TLS: u8 = 6;
pub(super) const STT_GNU_IFUNC: u8 = 10;
pub(super) const STB_LOCAL: u8 = 0;
const STB_GLOBAL: u8 = 1;
pub(super) const STB_WEAK: u8 = 2;
pub(super) const STB_GNU_UNIQUE: u8 = 10;

/// One entry of the table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub(super) name: Span,
    pub(super) value: u64,
    pub(super) size: u64,
    pub(super) info: u8,
    pub(super) other: u8,
    pub(super) section: u16,
    /// The number of its version; 0 and 1 stand for none.
    pub(super) version: u16,
}

impl Entry {
    pub(super) fn kind(&self) -> u8 {
        self.info & 0xf
    }

    pub(super) fn binding(&self) -> u8 {
        self.info >> 4
    }

    pub(super) fn defined(&self) -> bool {
        self.section != SHN_UNDEF
    }

    pub(super) fn function(&self) -> bool {
        matches!(self.kind(), STT_FUNC | STT_GNU_IFUNC)
    }

    /// Whether other objects can bind to it: defined here, not local, not hidden.
    pub(super) fn exported(&self) -> bool {
        self.defined() && self.binding() != STB_LOCAL && !matches!(self.other & 3, 1 | 2)
    }
}

/// The bytes of the table for `count` symbols.
pub(super) fn table<'a>(
    image: &Image<'a>,
    dynamic: &Dynamic,
    count: u64,
    findings: &mut Findings,
) -> Result<&'a [[u8; 24]], Stop> {
    let Some(address) = dynamic.value(DT_SYMTAB) else {
        return Err(findings.stop(Code::NotDynamic, || "the dynamic array names no symbol table".to_owned()));
    };
    if dynamic.value(DT_SYMENT) != Some(SYMBOL) {
        return Err(findings.stop(Code::SymbolTable, || format!("`DT_SYMENT` is missing or not {SYMBOL}")));
    }
    let table = image.table("the symbol table", address, count.saturating_mul(SYMBOL), findings)?.as_chunks().0;
    if table.first() != Some(&[0; 24]) {
        findings.refuse(Code::SymbolTable, || "the first symbol, which stands for none, is not empty".to_owned());
    }
    Ok(table)
}

/// Reads every symbol but the empty first one.
pub(super) fn read(
    image: &Image<'_>,
    table: &[[u8; 24]],
    versions: &Versions<'_>,
    strings: &mut Strings<'_>,
    findings: &mut Findings,
) -> Vec<Entry> {
    let mut symbols = Vec::with_capacity(table.len());
    for (index, bytes) in table.iter().enumerate().skip(1) {
        if findings.enough() {
            break;
        }
        steps::take(1);
        let at = u32_at::<0, _>(bytes);
        let name = match strings.at(at.into()) {
            Ok(name) => name,
            Err(why) => {
                let refused = findings.refuse(Code::SymbolString, || format!("the name of symbol {index} {why}"));
                refused.with("st_name", || hex(at.into()));
                continue;
            }
        };
        let symbol = Entry {
            name,
            value: u64_at::<8, _>(bytes),
            size: u64_at::<16, _>(bytes),
            info: bytes[4],
            other: bytes[5],
            section: u16_at::<6, _>(bytes),
            version: versions.of_symbols.get(index).map_or(1, |number| u16::from_le_bytes(*number)),
        };
        let number = symbol.version & !HIDDEN;
        if number > 1 {
            let version = versions.by_number.get(&number);
            let wrong = version.map_or(Some("that no table defines"), |version| {
                let spans = [Some(version.name), version.library].into_iter().flatten();
                let paid = spans.into_iter().all(|span| strings.charge(span).is_ok());
                (!paid).then_some("whose name is long and used too often")
            });
            if let Some(wrong) = wrong {
                let what = || format!("the symbol `{}` has a version {wrong}", shown(name.of(strings.table)));
                findings.refuse(Code::Versions, what).with("version", || number.to_string());
                // Nothing is left to pay for the names behind it, or the tables belong to another file.
                break;
            }
        }
        if let Some(wrong) = wrong_with(&symbol, image) {
            let what = || format!("the symbol `{}` {wrong}", shown(name.of(strings.table)));
            let code = if !symbol.defined() && symbol.value != 0 { Code::UndefinedValue } else { Code::Symbol };
            findings.refuse(code, what).with("index", || index.to_string());
            findings.with("st_value", || hex(symbol.value)).with("st_info", || hex(symbol.info.into()));
            findings.with("st_shndx", || hex(symbol.section.into()));
        }
        symbols.push(symbol);
    }
    symbols
}

/// Refuses definitions that relocations name and loaders pass over: those are bound to another file's of the same name.
/// `used` are positions in the symbol table, whose empty first one is not in `symbols`.
pub(super) fn bind(symbols: &[Entry], used: &[u32], musl: bool, strings: &str, findings: &mut Findings) {
    let at = |index: &u32| symbols.get(usize::try_from(*index).ok()?.checked_sub(1)?);
    let definitions = used.iter().filter_map(at).filter(|entry| entry.defined() && entry.binding() != STB_LOCAL);
    for symbol in definitions {
        if findings.enough() {
            return;
        }
        // `check_match` of glibc's `elf/dl-lookup.c`, `find_sym2` of musl's `ldso/dynlink.c`.
        let empty = symbol.value == 0 && symbol.kind() != STT_TLS;
        let of_musl = empty || symbol.kind() == STT_GNU_IFUNC || symbol.version & HIDDEN != 0;
        if symbol.kind() == STT_SECTION || empty && symbol.section != SHN_ABS || musl && of_musl {
            let name = shown(symbol.name.of(strings));
            let what = || format!("a relocation names `{name}`, whose definition in the file loaders pass over");
            findings.refuse(Code::Symbol, what).with("st_info", || hex(symbol.info.into()));
        }
    }
}

fn wrong_with(symbol: &Entry, image: &Image<'_>) -> Option<&'static str> {
    let (binding, kind) = (symbol.binding(), symbol.kind());
    if !matches!(binding, STB_LOCAL | STB_GLOBAL | STB_WEAK | STB_GNU_UNIQUE) {
        return Some("has an unknown binding");
    }
    if !matches!(kind, 0..=STT_SECTION | STT_TLS | STT_GNU_IFUNC) {
        return Some("has an unknown type");
    }
    if symbol.name.len == 0 && kind != STT_SECTION {
        return Some("has no name");
    }
    if !symbol.defined() {
        // goblin calls it an import only without a value, loaders look it up in any case.
        if symbol.value != 0 {
            return Some("is undefined and has a value");
        }
        return (!matches!(binding, STB_GLOBAL | STB_WEAK)).then_some("is undefined and not global");
    }
    if symbol.section == SHN_COMMON {
        return Some("is a common block, which a linked file has none of");
    }
    // glibc takes the value for the address, musl adds the load address.
    if symbol.section == SHN_ABS && symbol.function() {
        return Some("is a function at a fixed address");
    }
    if symbol.section == SHN_ABS || matches!(kind, STT_SECTION | STT_TLS) {
        return None;
    }
    if symbol.function() {
        return (!image.executable(symbol.value)).then_some("is a function outside the code of the file");
    }
    // A symbol such as `_end` marks the first byte behind a segment.
    let mapped = image.loads.iter().any(|load: &Segment| load.holds(symbol.value, 0));
    (!mapped).then_some("lies outside the memory of the file")
}
