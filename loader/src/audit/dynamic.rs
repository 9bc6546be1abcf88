//! Reads the dynamic array as the loaders do, through its address up to `DT_NULL`, and decides rules Y1, Y2, Y7 (as
//! facts) and Y8: each tag once, and none that loads or runs more than the audit looks at.

use std::collections::BTreeMap;

use lazaret_policy::Arch;

use super::bytes::u64_at;
use super::finding::{Code, Findings, Stop};
use super::image::Image;
use super::steps;
use super::text::hex;

pub(super) const DT_NULL: u64 = 0;
pub(super) const DT_NEEDED: u64 = 1;
pub(super) const DT_PLTRELSZ: u64 = 2;
pub(super) const DT_HASH: u64 = 4;
pub(super) const DT_STRTAB: u64 = 5;
pub(super) const DT_SYMTAB: u64 = 6;
pub(super) const DT_PLTGOT: u64 = 3;
pub(super) const DT_RELA: u64 = 7;
pub(super) const DT_RELASZ: u64 = 8;
pub(super) const DT_RELAENT: u64 = 9;
pub(super) const DT_STRSZ: u64 = 10;
pub(super) const DT_SYMENT: u64 = 11;
pub(super) const DT_INIT: u64 = 12;
pub(super) const DT_FINI: u64 = 13;
pub(super) const DT_SONAME: u64 = 14;
pub(super) const DT_RPATH: u64 = 15;
pub(super) const DT_PLTREL: u64 = 20;
const DT_DEBUG: u64 = 21;
pub(super) const DT_TEXTREL: u64 = 22;
pub(super) const DT_JMPREL: u64 = 23;
const DT_BIND_NOW: u64 = 24;
pub(super) const DT_INIT_ARRAY: u64 = 25;
pub(super) const DT_FINI_ARRAY: u64 = 26;
pub(super) const DT_INIT_ARRAYSZ: u64 = 27;
pub(super) const DT_FINI_ARRAYSZ: u64 = 28;
pub(super) const DT_RUNPATH: u64 = 29;
pub(super) const DT_FLAGS: u64 = 30;
pub(super) const DT_RELRSZ: u64 = 35;
pub(super) const DT_RELR: u64 = 36;
pub(super) const DT_RELRENT: u64 = 37;
pub(super) const DT_TLSDESC_GOT: u64 = 0x6fff_fef7;
pub(super) const DT_GNU_HASH: u64 = 0x6fff_fef5;
pub(super) const DT_VERSYM: u64 = 0x6fff_fff0;
pub(super) const DT_RELACOUNT: u64 = 0x6fff_fff9;
pub(super) const DT_FLAGS_1: u64 = 0x6fff_fffb;
pub(super) const DT_VERDEF: u64 = 0x6fff_fffc;
pub(super) const DT_VERDEFNUM: u64 = 0x6fff_fffd;
pub(super) const DT_VERNEED: u64 = 0x6fff_fffe;
pub(super) const DT_VERNEEDNUM: u64 = 0x6fff_ffff;

const DF_TEXTREL: u64 = 4;
const DF_BIND_NOW: u64 = 8;
const DF_1_NOW: u64 = 1;
const DF_1_NOOPEN: u64 = 0x40;
const DF_1_PIE: u64 = 0x0800_0000;

/// Tags that may stand once, beside those with a constant above: what linkers write for every target.
const KNOWN: [u64; 5] = [
    DT_PLTGOT,
    16,          // DT_SYMBOLIC
    0x6fff_fdf8, // DT_CHECKSUM
    0x6fff_fef6, // DT_TLSDESC_PLT
    DT_TLSDESC_GOT,
];

/// Tags that are refused, and why: each makes a loader read or run more than the other tables say.
const FORBIDDEN: [(u64, Code, &str, &str); 9] = [
    (
        17,
        Code::RelWithoutAddend,
        "DT_REL",
        "relocations of the kind without addend, which glibc ignores and musl applies",
    ),
    (
        18,
        Code::RelWithoutAddend,
        "DT_RELSZ",
        "relocations of the kind without addend, which glibc ignores and musl applies",
    ),
    (
        19,
        Code::RelWithoutAddend,
        "DT_RELENT",
        "relocations of the kind without addend, which glibc ignores and musl applies",
    ),
    (32, Code::PreInit, "DT_PREINIT_ARRAY", "initialisers that run only in programs"),
    (33, Code::PreInit, "DT_PREINIT_ARRAYSZ", "initialisers that run only in programs"),
    (0x6fff_fefb, Code::Auditor, "DT_DEPAUDIT", "libraries that watch and redirect the loader"),
    (0x6fff_fefc, Code::Auditor, "DT_AUDIT", "libraries that watch and redirect the loader"),
    (0x7fff_fffd, Code::Auxiliary, "DT_AUXILIARY", "a library that glibc loads in place of this one and musl does not"),
    (0x7fff_ffff, Code::Filter, "DT_FILTER", "a library that glibc loads in place of this one and musl does not"),
];

/// The dynamic array.
pub(super) struct Dynamic {
    tags: BTreeMap<u64, u64>,
    /// The values of `DT_NEEDED`, in order.
    pub(super) needed: Vec<u64>,
    /// Entries in front of `DT_NULL`.
    pub(super) count: usize,
}

impl Dynamic {
    pub(super) fn value(&self, tag: u64) -> Option<u64> {
        self.tags.get(&tag).copied()
    }

    fn flag(&self, tag: u64, bit: u64) -> bool {
        self.value(tag).is_some_and(|flags| flags & bit != 0)
    }

    /// Whether every symbol is bound before the first instruction runs.
    pub(super) fn binds_now(&self) -> bool {
        self.value(DT_BIND_NOW).is_some() || self.flag(DT_FLAGS, DF_BIND_NOW) || self.flag(DT_FLAGS_1, DF_1_NOW)
    }

    /// Whether loaders make code writable while they relocate. musl looks at the tag only, glibc at the flag too.
    pub(super) fn text_relocations(&self) -> bool {
        self.value(DT_TEXTREL).is_some() || self.flag(DT_FLAGS, DF_TEXTREL)
    }
}

/// Reads the array that `PT_DYNAMIC` describes.
pub(super) fn read(image: &Image<'_>, arch: Arch, findings: &mut Findings) -> Result<Dynamic, Stop> {
    let bytes = image.read(image.dynamic.vaddr, image.dynamic.filesz).unwrap_or_default();
    let entries = bytes.as_chunks::<16>().0;
    let mut dynamic = Dynamic { tags: BTreeMap::new(), needed: Vec::new(), count: 0 };
    let mut rest = entries.iter().map(|entry| (u64_at::<0, _>(entry), u64_at::<8, _>(entry)));
    let mut ended = false;
    for (tag, value) in rest.by_ref() {
        steps::take(1);
        if tag == DT_NULL {
            ended = true;
            break;
        }
        dynamic.count = dynamic.count.saturating_add(1);
        if tag == DT_NEEDED {
            dynamic.needed.push(value);
        } else if let Some((_, code, name, why)) = FORBIDDEN.iter().find(|(forbidden, ..)| *forbidden == tag) {
            findings.refuse(*code, || format!("the file has `{name}`: {why}"));
        } else if !known(tag, arch) {
            let what = || format!("the dynamic array has the unknown tag `{tag:#x}`");
            findings.refuse(Code::UnknownTag, what).with("value", || hex(value));
        } else if let Some(first) = dynamic.tags.insert(tag, value) {
            let what = || format!("the dynamic array has the tag `{tag:#x}` twice, and loaders differ in which counts");
            let code = match tag {
                DT_STRTAB => Code::StringTableTwice,
                DT_HASH | DT_GNU_HASH => Code::HashTwice,
                _ => Code::AmbiguousTag,
            };
            findings.refuse(code, what).with("first", || hex(first)).with("last", || hex(value));
        }
    }
    if !ended {
        return Err(findings
            .stop(Code::DynamicEnd, || "the dynamic array has no `DT_NULL`: loaders read on after it".to_owned()));
    }
    // Only the tag: glib's build writes values there.
    if rest.any(|(tag, _)| tag != DT_NULL) {
        findings.refuse(Code::DynamicEnd, || "entries stand behind the end of the dynamic array".to_owned());
    }
    purpose(&dynamic, image, findings);
    Ok(dynamic)
}

fn purpose(dynamic: &Dynamic, image: &Image<'_>, findings: &mut Findings) {
    if dynamic.flag(DT_FLAGS_1, DF_1_PIE) {
        findings.refuse(Code::Pie, || "the file is a position-independent program (`DF_1_PIE`)".to_owned());
    } else if image.has_interpreter() && dynamic.value(DT_SONAME).is_none() && dynamic.value(DT_DEBUG).is_some() {
        // Linkers of before 2016 do not write `DF_1_PIE`, but a place for the debugger into programs only.
        findings.refuse(Code::Pie, || "the file names a program interpreter and is laid out as a program".to_owned());
    } else if image.has_interpreter() {
        // libc.so.6 and pam_cap.so can be started as well as loaded.
        findings.warn(Code::Interpreter, || "the file names a program interpreter: it can be started, too".to_owned());
    }
    if dynamic.flag(DT_FLAGS_1, DF_1_NOOPEN) {
        findings.refuse(Code::NoOpen, || "the file says that it must not be opened (`DF_1_NOOPEN`)".to_owned());
    }
}

fn known(tag: u64, arch: Arch) -> bool {
    let target = match arch {
        // DT_X86_64_PLT, PLTSZ, PLTENT
        Arch::X86_64 => matches!(tag, 0x7000_0000 | 0x7000_0001 | 0x7000_0003),
        // DT_AARCH64_BTI_PLT, PAC_PLT, VARIANT_PCS
        Arch::Aarch64 => matches!(tag, 0x7000_0001 | 0x7000_0003 | 0x7000_0005),
    };
    let named = matches!(
        tag,
        DT_PLTRELSZ
            | DT_HASH
            | DT_STRTAB
            | DT_SYMTAB
            | DT_RELA
            | DT_RELASZ
            | DT_RELAENT
            | DT_STRSZ
            | DT_SYMENT
            | DT_INIT
            | DT_FINI
            | DT_SONAME
            | DT_RPATH
            | DT_PLTREL
            | DT_DEBUG
            | DT_TEXTREL
            | DT_JMPREL
            | DT_BIND_NOW
            | DT_INIT_ARRAY
            | DT_FINI_ARRAY
            | DT_INIT_ARRAYSZ
            | DT_FINI_ARRAYSZ
            | DT_RUNPATH
            | DT_FLAGS
            | DT_RELRSZ
            | DT_RELR
            | DT_RELRENT
            | DT_GNU_HASH
            | DT_VERSYM
            | DT_RELACOUNT
            | DT_FLAGS_1
            | DT_VERDEF
            | DT_VERDEFNUM
            | DT_VERNEED
            | DT_VERNEEDNUM
    );
    target || named || KNOWN.contains(&tag)
}
