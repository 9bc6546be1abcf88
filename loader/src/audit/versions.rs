//! Reads which version, and so which library, a symbol is bound to (rule Y12). glibc stops the process when a version
//! names a library that is not loaded, and indexes its tables with whatever number a symbol carries.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::bytes::{entry, len, u16_at, u32_at};
use super::dynamic::{DT_VERDEF, DT_VERDEFNUM, DT_VERNEED, DT_VERNEEDNUM, DT_VERSYM, Dynamic};
use super::finding::{Code, Findings, Stop};
use super::hash::sysv_hash;
use super::image::Image;
use super::steps;
use super::strings::{Span, Strings};
use super::text::{hex, shown};

/// The bit of a version number that hides a definition; the rest is the number.
pub(super) const HIDDEN: u16 = 0x8000;

/// One version of symbols.
#[derive(Clone, Copy, Debug)]
pub(super) struct Version {
    pub(super) name: Span,
    /// The library that has to have it; none for a version of this object.
    pub(super) library: Option<Span>,
    /// `VER_FLG_WEAK`: loaders go on where it is missing. `VER_FLG_BASE` stands for the file itself.
    pub(super) flags: u16,
}

/// The version of a definition is the file's own name.
pub(super) const VER_FLG_BASE: u16 = 1;
/// A needed version may be missing.
pub(super) const VER_FLG_WEAK: u16 = 2;

/// The version tables.
pub(super) struct Versions<'a> {
    /// By the number that symbols carry.
    pub(super) by_number: BTreeMap<u16, Version>,
    /// One number per symbol; empty when the object has no versions.
    pub(super) of_symbols: &'a [[u8; 2]],
    /// Where the lists lie, from their beginning to the furthest entry.
    pub(super) tables: Vec<Range<u64>>,
}

/// A list of the two kinds: needed and defined versions have the same shape with other offsets.
struct List {
    name: &'static str,
    tags: (u64, u64),
    /// The size of an entry of the list, and of an entry of its sublist.
    sizes: (u64, u64),
}

const NEEDED: List = List { name: "DT_VERNEED", tags: (DT_VERNEED, DT_VERNEEDNUM), sizes: (16, 16) };
const DEFINED: List = List { name: "DT_VERDEF", tags: (DT_VERDEF, DT_VERDEFNUM), sizes: (20, 8) };

/// Reads the tables for `count` symbols.
pub(super) fn read<'a>(
    image: &Image<'a>,
    dynamic: &Dynamic,
    strings: &mut Strings<'_>,
    needed: &[Span],
    count: u64,
    findings: &mut Findings,
) -> Result<Versions<'a>, Stop> {
    let mut by_number = BTreeMap::new();
    let mut tables = Vec::new();
    // Both lists can be as long as the file: looked up, not searched.
    let table = strings.table;
    let needed: BTreeSet<_> = needed.iter().map(|span| span.of(table)).collect();
    for list in [&NEEDED, &DEFINED] {
        let Some(bytes) = list.bytes(image, dynamic, findings)? else { continue };
        let entries = dynamic.value(list.tags.1).unwrap_or(0);
        let mut reader = Reader {
            list,
            bytes,
            strings,
            needed: &needed,
            by_number: &mut by_number,
            findings,
            rooms: 0,
            furthest: 0,
        };
        reader.rooms = len(bytes.len()).checked_div(list.sizes.1).unwrap_or(0);
        reader.walk(entries)?;
        let start = dynamic.value(list.tags.0).unwrap_or(0);
        // The largest entry is of 20 bytes.
        tables.push(start..start.saturating_add(len(reader.furthest)).saturating_add(20));
    }
    let of_symbols = match dynamic.value(DT_VERSYM) {
        Some(address) => image.table("the table `DT_VERSYM`", address, count.saturating_mul(2), findings)?,
        None => &[],
    };
    Ok(Versions { by_number, of_symbols: of_symbols.as_chunks().0, tables })
}

impl List {
    fn bytes<'a>(
        &self,
        image: &Image<'a>,
        dynamic: &Dynamic,
        findings: &mut Findings,
    ) -> Result<Option<&'a [u8]>, Stop> {
        match (dynamic.value(self.tags.0), dynamic.value(self.tags.1)) {
            (None, None | Some(0)) => Ok(None),
            (Some(address), Some(1..)) => {
                image.table(&format!("the table `{}`", self.name), address, self.sizes.0, findings)?;
                Ok(image.read_on(address))
            }
            _ => {
                Err(findings
                    .stop(Code::Versions, || format!("`{}` has an address or a number, but not both", self.name)))
            }
        }
    }
}

struct Reader<'a, 'b, 's> {
    list: &'a List,
    bytes: &'a [u8],
    strings: &'b mut Strings<'s>,
    needed: &'a BTreeSet<&'s str>,
    by_number: &'b mut BTreeMap<u16, Version>,
    findings: &'b mut Findings,
    /// Sublist entries that there is room for: lists whose entries share bytes would take the square of that.
    rooms: u64,
    /// The furthest place that an entry was looked for at.
    furthest: usize,
}

impl Reader<'_, '_, '_> {
    /// Loaders follow the links to the end, parsers count: both must come to the same.
    fn walk(&mut self, entries: u64) -> Result<(), Stop> {
        let mut at = 0_usize;
        for left in (0..entries).rev() {
            let next = if self.list.sizes.0 == 16 { self.needed_entry(at)? } else { self.defined_entry(at)? };
            if (next == 0) != (left == 0) {
                return Err(self.wrong("does not have as many entries as the dynamic array says"));
            }
            at = self.step(at, next)?;
        }
        Ok(())
    }

    fn step(&mut self, at: usize, by: u32) -> Result<usize, Stop> {
        let to = usize::try_from(by).ok().and_then(|by| at.checked_add(by));
        let to = to.ok_or_else(|| self.wrong("reaches outside its segment"))?;
        self.furthest = self.furthest.max(to);
        Ok(to)
    }

    fn wrong(&mut self, what: &str) -> Stop {
        let name = self.list.name;
        self.findings.stop(Code::Versions, || format!("the table `{name}` {what}"))
    }

    fn string(&mut self, offset: u32) -> Result<Span, Stop> {
        self.strings.at(offset.into()).map_err(|why| {
            let refused = self.findings.refuse(Code::VersionString, || format!("the string of a version {why}"));
            refused.with("offset", || hex(offset.into())).halt()
        })
    }

    fn take_room(&mut self) -> Result<(), Stop> {
        match self.rooms.checked_sub(1) {
            Some(left) => {
                self.rooms = left;
                Ok(())
            }
            None => Err(self.wrong("has lists that share their entries")),
        }
    }

    /// Notes a version. glibc finds it by the hash that stands beside its name, and takes whatever number it has for one
    /// of symbols (`_dl_check_map_versions` of `elf/dl-version.c`): 0 and 1 are those of symbols without a version.
    fn define(&mut self, number: u16, hash: u32, version: Version) {
        // The file's own name, which no symbol has for a version.
        let base = version.library.is_none() && version.flags & VER_FLG_BASE != 0;
        let number = number & !HIDDEN;
        let table = self.strings.table;
        let name = version.name.of(table);
        let wrong = if base != (number == 1) || number == 0 {
            Some("has a number that stands for something else")
        } else if !base && hash != sysv_hash(name.as_bytes()) {
            Some("has the hash of another name")
        } else {
            None
        };
        if let Some(wrong) = wrong {
            let what = || format!("the version `{}` {wrong}", shown(name));
            self.findings.refuse(Code::Versions, what).with("version", || number.to_string());
        }
        if self.by_number.insert(number, version).is_some() {
            self.findings.refuse(Code::Versions, || format!("two versions have the number {number}"));
        }
    }

    fn needed_entry(&mut self, at: usize) -> Result<u32, Stop> {
        steps::take(1);
        let Some(need) = entry::<16>(self.bytes, at) else { return Err(self.wrong("reaches outside its segment")) };
        let (auxes, file, aux, next) =
            (u16_at::<2, _>(need), u32_at::<4, _>(need), u32_at::<8, _>(need), u32_at::<12, _>(need));
        let library = self.string(file)?;
        let name = library.of(self.strings.table);
        if !self.needed.contains(name) {
            let what = || format!("versions are expected of `{}`, which is not a dependency", shown(name));
            self.findings.refuse(Code::VersionLibrary, what);
        }
        let mut at = self.step(at, aux)?;
        for left in (0..auxes).rev() {
            self.take_room()?;
            steps::take(1);
            let Some(aux) = entry::<16>(self.bytes, at) else { return Err(self.wrong("reaches outside its segment")) };
            let (hash, flags, number) = (u32_at::<0, _>(aux), u16_at::<4, _>(aux), u16_at::<6, _>(aux));
            let (name, next) = (u32_at::<8, _>(aux), u32_at::<12, _>(aux));
            let name = self.string(name)?;
            self.define(number, hash, Version { name, library: Some(library), flags });
            if (next == 0) != (left == 0) {
                return Err(self.wrong("has a list that does not have as many entries as it says"));
            }
            at = self.step(at, next)?;
        }
        Ok(next)
    }

    fn defined_entry(&mut self, at: usize) -> Result<u32, Stop> {
        steps::take(1);
        let Some(definition) = entry::<20>(self.bytes, at) else {
            return Err(self.wrong("reaches outside its segment"));
        };
        let (flags, number, auxes) =
            (u16_at::<2, _>(definition), u16_at::<4, _>(definition), u16_at::<6, _>(definition));
        let (hash, aux, next) = (u32_at::<8, _>(definition), u32_at::<12, _>(definition), u32_at::<16, _>(definition));
        let at = self.step(at, aux)?;
        self.take_room()?;
        // The first name is the version, others are its ancestors.
        let Some(aux) = entry::<8>(self.bytes, at).filter(|_| auxes > 0) else {
            return Err(self.wrong("has a version without a name"));
        };
        let name = self.string(u32_at::<0, _>(aux))?;
        self.define(number, hash, Version { name, library: None, flags });
        Ok(next)
    }
}
