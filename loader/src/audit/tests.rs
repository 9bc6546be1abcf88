//! What the structural rules refuse, each beside a control that passes. The numbers in brackets name the cases of
//! the design's list of differences between loaders and parsers.

use lazaret_policy::Arch;

use super::dynamic::*;
use super::hash::sysv_hash;
use super::image::{PT_DYNAMIC, PT_GNU_STACK, PT_LOAD};
use super::sample::*;
use super::{Code, Finding, Object, Severity, read};

fn refusals(bytes: &[u8]) -> Vec<Finding> {
    let findings = read(bytes, Arch::X86_64).expect_err("the file is refused");
    assert!(findings.iter().all(|finding| finding.rule.is_none() && finding.next.is_some()), "{findings:?}");
    findings.into_iter().filter(|finding| finding.severity == Severity::Refuse).collect()
}

/// The file is refused, and for that reason alone.
#[track_caller]
fn refused(built: &Built, code: Code) {
    refused_bytes(&built.bytes, code);
}

#[track_caller]
fn refused_bytes(bytes: &[u8], code: Code) {
    let findings = refusals(bytes);
    assert!(!findings.is_empty() && findings.iter().all(|finding| finding.code == code), "{code}: {findings:?}");
}

#[track_caller]
fn accepted(bytes: &[u8]) -> Object {
    match read(bytes, Arch::X86_64) {
        Ok(object) => object,
        Err(findings) => panic!("{findings:?}"),
    }
}

/// Builds the sample after one change to what it contains.
fn with(change: impl FnOnce(&mut Sample)) -> Built {
    let mut sample = Sample::new();
    change(&mut sample);
    sample.build()
}

/// Changes one thing of the finished sample.
fn edited(change: impl FnOnce(&mut Built)) -> Built {
    let mut built = Sample::new().build();
    change(&mut built);
    built
}

#[test]
fn an_ordinary_plugin_is_read() {
    let object = accepted(&Sample::new().bytes());
    assert_eq!(object.soname(), Some("libplugin.so"));
    assert_eq!(object.needed().collect::<Vec<_>>(), ["libc.so.6"]);
    assert_eq!(object.build_id(), Some(&[0xab; 8][..]));
    let imports: Vec<_> = object.imports().collect();
    assert_eq!(imports.len(), 1);
    assert_eq!(
        (imports[0].name, imports[0].version, imports[0].library),
        ("strlen", Some("GLIBC_2.2.5"), Some("libc.so.6"))
    );
    assert!(object.exports_function("transform") && !object.exports_function("plugin_table"));
    assert!(!object.exports_function("strlen"));
    assert_eq!(object.symbol_at(TEXT + 7), Some(("transform", 7)));
    assert_eq!(object.symbol_at(0x10), None);
    assert!(object.remarks.is_empty());
}

#[test]
fn the_usual_variants_of_a_plugin_are_read() {
    accepted(&with(|sample| sample.sections = false).bytes); // ok01
    accepted(&with(|sample| sample.needed = vec!["libc.so.6", "libm.so.6", "libc.so.6"]).bytes); // ok02 ok04
    accepted(&with(|sample| sample.relr = vec![TABLE + 0x20, 0b1011]).bytes); // ok05
    accepted(&with(|sample| sample.hash = HashStyle::Sysv).bytes); // ok06
    accepted(&with(|sample| sample.hash = HashStyle::Both).bytes); // ok07
    // ok10: nothing exported, an empty table
    let object = accepted(&with(|sample| sample.symbols.truncate(1)).bytes);
    assert_eq!(object.symbols().map(|symbol| symbol.name).collect::<Vec<_>>(), ["strlen"]);
    assert!(read(&Sample::of(Arch::Aarch64).bytes(), Arch::Aarch64).is_ok());
}

#[test]
fn packed_relocations_are_reported_where_the_c_library_may_ignore_them() {
    let needing = |needed, relr| {
        let built = with(|sample| {
            (sample.needed, sample.version_file) = (vec![needed], needed);
            sample.relr = relr;
        });
        accepted(&built.bytes).remarks.iter().map(|remark| remark.code).collect::<Vec<_>>()
    };
    for musl in ["libc.so", "libc.musl-x86_64.so.1"] {
        assert_eq!(needing(musl, vec![TABLE + 0x20]), [Code::PackedForMusl]);
        assert_eq!(needing(musl, vec![]), []);
    }
    assert_eq!(needing("libc.so.6", vec![TABLE + 0x20]), []);
}

#[test]
fn what_is_no_plugin_at_all_is_told_apart() {
    let byte = |at: usize, value: u8| edited(|built| built.bytes[at] = value);
    refused_bytes(b"", Code::Empty);
    refused_bytes(b"#!/bin/sh\n", Code::NotElf);
    refused_bytes(b"\x7fEL", Code::Truncated);
    refused_bytes(b"\x7fELF\x01", Code::Class);
    refused(&byte(4, 1), Code::Class); // d36
    refused(&byte(4, 9), Code::Class);
    refused(&byte(5, 2), Code::Endian);
    refused(&byte(6, 2), Code::Ident);
    refused(&byte(7, 9), Code::Ident);
    refused(&byte(15, 1), Code::Ident);
    refused(&byte(20, 2), Code::Ident);
    refused(&byte(18, 183), Code::Machine);
    refused_bytes(&Sample::of(Arch::Aarch64).bytes(), Code::Machine);
    refused(&byte(16, 1), Code::TypeRelocatable);
    refused(&byte(16, 2), Code::TypeExecutable);
    refused(&byte(16, 4), Code::TypeCore);
    refused(&byte(16, 77), Code::TypeUnknown);
    accepted(&byte(7, 3).bytes);
}

#[test]
fn a_program_is_not_a_plugin() {
    refused(&with(|sample| sample.tags.push((0x6fff_fffb, 0x0800_0001))), Code::Pie); // d41
    accepted(&with(|sample| sample.tags.push((0x6fff_fffb, 1))).bytes);
    let program = |soname, debug: bool| {
        let mut built = with(|sample| {
            sample.soname = soname;
            sample.tags.extend(debug.then_some((21, 0)));
        });
        built.segment(SPARE, 3, 4, 0x40, 8, 8);
        built
    };
    refused(&program(None, true), Code::Pie);
    assert_eq!(accepted(&program(None, false).bytes).remarks[0].code, Code::Interpreter);
    assert_eq!(accepted(&program(Some("libc.so.6"), true).bytes).remarks[0].severity, Severity::Warn);
    refused(&with(|sample| sample.tags.push((0x6fff_fffb, 0x40))), Code::NoOpen);
}

#[test]
fn header_tables_of_unusual_shape_are_refused() {
    refused(&edited(|built| built.put(54, &112_u16.to_le_bytes())), Code::EntrySize); // d35
    refused(&edited(|built| built.put(56, &65535_u16.to_le_bytes())), Code::SegmentCount); // c07
    refused(&edited(|built| built.put(56, &0_u16.to_le_bytes())), Code::SegmentCount);
    refused(&edited(|built| built.put(32, &u64::MAX.to_le_bytes())), Code::Truncated);
}

#[test]
fn segments_that_loaders_map_differently_are_refused() {
    let load = |field, value| edited(|built| built.set_segment(LOAD_DATA, field, value));
    refused(&load(MEMSZ, 0x800), Code::Load);
    refused(&load(MEMSZ, 1 << 47), Code::Load);
    refused(&load(MEMSZ, u64::MAX), Code::Load);
    refused(&load(ALIGN, 0x1800), Code::Load);
    refused(&load(ALIGN, 1), Code::Load);
    refused(&load(VADDR, DATA + 8), Code::Load);
    refused(&edited(|built| built.set_segment(LOAD_CODE, FILESZ, 0x800)), Code::Load);
    refused(&load(OFFSET, 0x10_0000), Code::LoadPastEnd); // c01
    refused(&load(VADDR, TEXT), Code::LoadOverlap); // d09
    refused(&edited(|built| built.segment(SPARE, PT_LOAD, 4, 0, 0x100, 0x100)), Code::LoadOverlap);
    refused(&edited(|built| built.segment(SPARE, PT_LOAD, 4, 0x3000, 0, 0)), Code::Load);
}

#[test]
fn two_dynamic_arrays_or_one_with_two_readings_are_refused() {
    let size = Sample::new().build().tables["dynamic"].1;
    refused(&edited(|built| built.segment(SPARE, PT_DYNAMIC, 6, ARRAY, size, size)), Code::DynamicTwice); // d02
    let field = |field, value| edited(|built| built.set_segment(DYNAMIC, field, value));
    refused(&field(OFFSET, 0x40), Code::DynamicOffset); // d01
    refused(&field(FILESZ, size - 16), Code::DynamicSize); // d03
    refused(&field(VADDR, 0x9000), Code::DynamicOffset);
    refused(
        &edited(|built| {
            built.set_segment(DYNAMIC, FILESZ, size - 16);
            built.set_segment(DYNAMIC, MEMSZ, size - 16);
        }),
        Code::DynamicEnd,
    );
    refused(&with(|sample| sample.tags.extend([(DT_NULL, 0), (DT_NEEDED, 1)])), Code::DynamicEnd); // ok03
    accepted(&with(|sample| sample.tags.extend([(DT_NULL, 7), (DT_NULL, 9)])).bytes);
    refused(&edited(|built| built.put(0x40 + DYNAMIC * 56, &0_u32.to_le_bytes())), Code::NotDynamic);
}

#[test]
fn other_segments_have_one_reading_too() {
    refused(&edited(|built| built.segment(SPARE, PT_GNU_STACK, 7, 0, 0, 0)), Code::AmbiguousSegment);
    refused(&edited(|built| built.segment(SPARE, 7, 4, TABLE, 0x20, 0x10)), Code::Tls);
    accepted(&edited(|built| built.segment(SPARE, 7, 4, TABLE, 0x20, 0x40)).bytes);
    refused(&edited(|built| built.set_segment(PHDR, OFFSET, 0x48)), Code::AmbiguousHeaders);
    refused(&edited(|built| built.set_segment(RELRO, MEMSZ, 0x40_0000)), Code::Relro); // c11
    accepted(&edited(|built| built.set_segment(RELRO, MEMSZ, 0x1000)).bytes);
    refused(&edited(|built| built.set_segment(NOTE, OFFSET, 0x40)), Code::SegmentOffset);
}

#[test]
fn tags_that_loaders_take_differently_are_refused() {
    refused(&with(|sample| sample.tags.push((DT_STRTAB, 0x280))), Code::StringTableTwice); // d27 d28
    refused(&with(|sample| sample.tags.push((DT_GNU_HASH, 0x280))), Code::HashTwice); // d26
    refused(&with(|sample| sample.tags.push((DT_SYMTAB, 0x280))), Code::AmbiguousTag);
    // d14, d15, auditors, pre-initialisers, relocations without addend
    let forbidden = [
        (0x7fff_fffd, Code::Auxiliary),
        (0x7fff_ffff, Code::Filter),
        (0x6fff_fefc, Code::Auditor),
        (0x6fff_fefb, Code::Auditor),
        (32, Code::PreInit),
        (17, Code::RelWithoutAddend),
    ];
    for (tag, code) in forbidden {
        refused(&with(|sample| sample.tags.push((tag, 1))), code);
    }
    refused(&with(|sample| sample.tags.push((0x6fff_fe00, 1))), Code::UnknownTag);
    accepted(&with(|sample| sample.tags.push((0x6fff_fef6, 1))).bytes);
}

#[test]
fn strings_outside_the_table_are_refused() {
    refused(&edited(|built| built.set_tag(DT_NEEDED, 0x5000)), Code::NeededString); // d04
    refused(&edited(|built| built.set_tag(DT_SONAME, 0x5000)), Code::SonameString); // d40
    refused(&with(|sample| sample.tags.push((DT_RUNPATH, 0x5000))), Code::SearchPathString); // d08
    refused(&edited(|built| built.put(built.table("symbols") + 24, &0x5000_u32.to_le_bytes())), Code::SymbolString); // d06
    refused(&edited(|built| built.set_tag(DT_STRTAB, 0x7f00_0000)), Code::Address); // c02
    refused(&edited(|built| built.set_tag(DT_STRTAB, TEXT - 0x100)), Code::AddressPage); // d11
    let size = Sample::new().build().tables["strings"].1;
    refused(&edited(|built| built.set_tag(DT_STRSZ, size - 1)), Code::StringTable);
    refused(&with(|sample| sample.string = Some((DT_RUNPATH, b"lib\xffevil.so"))), Code::StringEncoding); // d38
    // Two bytes of one letter; the tag names the second.
    let mut built = with(|sample| sample.string = Some((DT_RUNPATH, "é".as_bytes())));
    accepted(&built.bytes);
    let at = built.tag_at(DT_RUNPATH) + 8;
    built.bytes[at] += 1;
    refused(&built, Code::SearchPathString);
}

#[test]
fn a_name_shared_by_every_symbol_does_not_multiply() {
    let shared = |count: usize| {
        let mut built = with(|sample| {
            sample.symbols.splice(0..0, std::iter::repeat_n(("x", 0x12, 0, 0), count));
            sample.string = Some((DT_RUNPATH, &[b'a'; 500]));
        });
        let runpath = built.tag_at(DT_RUNPATH) + 8;
        let (name, at) = (built.bytes[runpath..runpath + 4].to_vec(), built.table("symbols"));
        (1..=count).for_each(|symbol| built.put(at + symbol * 24, &name));
        built
    };
    accepted(&shared(4).bytes);
    refused(&shared(60), Code::SymbolString);
}

#[test]
fn a_long_version_used_by_every_symbol_does_not_multiply() {
    let versioned = |count: usize| {
        let mut built = with(|sample| {
            sample.symbols.splice(0..0, std::iter::repeat_n(("x", 0x12, 0, 0), count));
            sample.string = Some((DT_RUNPATH, &[b'V'; 500]));
        });
        let runpath = built.tag_at(DT_RUNPATH) + 8;
        let (name, at) = (built.bytes[runpath..runpath + 4].to_vec(), built.table("verneed"));
        built.put(at + 24, &name);
        built.put(at + 16, &sysv_hash(&[b'V'; 500]).to_le_bytes());
        built
    };
    accepted(&versioned(4).bytes);
    refused(&versioned(60), Code::Versions);
}

#[test]
fn dependencies_are_plain_names() {
    for name in ["$ORIGIN/libevil.so", "/tmp/libevil.so", "lib evil.so", ""] {
        refused(&with(|sample| sample.needed.push(name)), Code::NeededName); // p01
    }
}

/// The sample with one table copied to `to`, which is in its data.
fn moved(tag: u64, table: &str, to: u64, change: impl FnOnce(&mut Sample)) -> Built {
    let mut built = with(|sample| {
        sample.sections = false;
        change(sample);
    });
    let (from, size) = built.tables[table];
    let bytes = built.bytes[from as usize..(from + size) as usize].to_vec();
    built.bytes.resize(built.bytes.len().max((to + size) as usize), 0);
    built.put(to as usize, &bytes);
    built.set_tag(tag, to);
    built
}

const MOVABLE: [(u64, &str); 6] = [
    (DT_STRTAB, "strings"),
    (DT_SYMTAB, "symbols"),
    (DT_GNU_HASH, "gnu"),
    (DT_RELA, "rela"),
    (DT_VERSYM, "versym"),
    (DT_VERNEED, "verneed"),
];

#[test]
fn tables_among_data_that_is_relocated_are_refused() {
    for (tag, table) in MOVABLE {
        refused(&moved(tag, table, TABLE + 0x40, |_| {}), Code::RelocatedTable); // d13
    }
}

#[test]
fn tables_in_a_writable_segment_that_nothing_writes_are_reported() {
    const APART: u64 = 0x3000;
    let apart = |tag, table, change: &dyn Fn(&mut Sample)| {
        let mut built = moved(tag, table, APART, change);
        let size = built.bytes.len() as u64 - APART;
        built.segment(SPARE, PT_LOAD, 6, APART, size, size);
        built
    };
    for (tag, table) in MOVABLE {
        let object = accepted(&apart(tag, table, &|_| {}).bytes);
        let remarks: Vec<_> = object.remarks.iter().map(|remark| (remark.code, remark.severity)).collect();
        assert_eq!(remarks, [(Code::WritableTable, Severity::Warn)], "{table}");
    }
    let strings = |change: &dyn Fn(&mut Sample)| apart(DT_STRTAB, "strings", change);
    refused(&strings(&|sample| sample.rela.push(relocation(APART, 8, 0, TEXT))), Code::RelocatedTable);
    refused(&strings(&|sample| sample.relr = vec![APART]), Code::RelocatedTable);
    refused(&strings(&|sample| sample.relr = vec![TABLE + 0x7f0, 0b111]), Code::RelocatedTable);
    refused(&strings(&|sample| sample.rela.push(relocation(TABLE + 0x20, 37, 0, TEXT))), Code::RelocatedTable);
    refused(&strings(&|sample| sample.symbols.push(("f", 0x1a, 7, TEXT))), Code::RelocatedTable);
    for tag in [3, 0x6fff_fef7] {
        refused(&strings(&|sample| sample.tags.push((tag, APART - 16))), Code::RelocatedTable);
        accepted(&strings(&|sample| sample.tags.push((tag, TABLE))).bytes);
    }
}

#[test]
fn tables_that_share_bytes_with_the_dynamic_array_are_refused() {
    // The array in a segment of its own, in which the string table reaches over its end.
    let overlapping = |by: usize| {
        let mut built = with(|sample| sample.sections = false);
        let (array, size) = built.tables["dynamic"];
        let (from, length) = built.tables["strings"];
        let bytes = [
            &built.bytes[array as usize..(array + size) as usize],
            &built.bytes[from as usize..(from + length) as usize],
        ]
        .concat();
        let at = 0x3000;
        built.bytes.resize(at, 0);
        built.bytes.extend(bytes);
        let room = built.bytes.len() as u64 - at as u64;
        built.segment(SPARE, PT_LOAD, 6, at as u64, room, room);
        for field in [OFFSET, VADDR] {
            built.set_segment(DYNAMIC, field, at as u64);
        }
        let entries = (at..at + size as usize).step_by(16);
        for (tag, value) in [(DT_STRTAB, at as u64 + size - by as u64), (DT_STRSZ, length + by as u64)] {
            let entry = entries.clone().find(|entry| built.bytes[*entry..*entry + 8] == tag.to_le_bytes());
            built.put(entry.expect("the array has the tag") + 8, &value.to_le_bytes());
        }
        // Strings begin later by as much.
        for tag in [DT_NEEDED, DT_SONAME] {
            let entry = entries.clone().find(|entry| built.bytes[*entry..*entry + 8] == tag.to_le_bytes());
            built.bytes[entry.expect("the array has the tag") + 8] += by as u8;
        }
        for symbol in 1..4 {
            let name = built.table("symbols") + symbol * 24;
            built.bytes[name] += by as u8;
        }
        let verneed = built.table("verneed");
        built.bytes[verneed + 4] += by as u8;
        built.bytes[verneed + 24] += by as u8;
        built
    };
    assert_eq!(accepted(&overlapping(0).bytes).remarks[0].code, Code::WritableTable);
    // The entry of the end is all zeros.
    refused(&overlapping(16), Code::RelocatedTable);
}

#[test]
fn hash_tables_that_hang_a_loader_or_hide_symbols_are_refused() {
    let gnu = |at: usize, value: u32| edited(|built| built.put(built.table("gnu") + at, &value.to_le_bytes()));
    refused(&gnu(0, 0), Code::Hash);
    refused(&gnu(8, 3), Code::Hash);
    refused(&gnu(12, 32), Code::Hash);
    refused(&gnu(24, 1), Code::Hash);
    refused(&gnu(24, 0x00ff_ffff), Code::Hash);
    refused(&gnu(0, u32::MAX), Code::Hash);
    let sysv = |at: usize, value: u32| {
        let mut built = with(|sample| sample.hash = HashStyle::Sysv);
        built.put(built.table("hash") + at, &value.to_le_bytes());
        built
    };
    refused(&sysv(0, 0), Code::Hash);
    refused(&sysv(4, 1), Code::HashCount); // d23
    refused(&sysv(12 + 4, 3), Code::Hash); // 3 -> 2 -> 1 -> 3
    let mut both = with(|sample| sample.hash = HashStyle::Both);
    both.put(both.table("hash") + 4, &5_u32.to_le_bytes());
    refused(&both, Code::HashCount); // d24: section and hash tables disagree as well
    refused(&edited(|built| built.set_tag(DT_GNU_HASH, TEXT - 0x100)), Code::HashAddress); // d24
}

#[test]
fn symbols_that_parsers_take_for_something_else_are_refused() {
    let symbol = |symbol: Sym| with(|sample| sample.symbols[0] = symbol);
    refused(&symbol(("system", 0x12, 0, 1)), Code::UndefinedValue); // d17
    refused(&symbol(("system", 0x02, 0, 0)), Code::Symbol);
    refused(&symbol(("system", 0x52, 0, 0)), Code::Symbol);
    refused(&symbol(("system", 0x19, 0, 0)), Code::Symbol);
    refused(&symbol(("", 0x12, 0, 0)), Code::Symbol);
    let export = |symbol: Sym| with(|sample| sample.symbols[1] = symbol);
    refused(&export(("transform", 0x12, 7, DATA)), Code::Symbol);
    refused(&export(("transform", 0x11, 7, 0x9000)), Code::Symbol);
    refused(&export(("transform", 0x11, 0xfff2, 8)), Code::Symbol);
    accepted(&export(("_end", 0x10, 9, DATA + 0x1000)).bytes);
    accepted(&export(("constant", 0x10, 0xfff1, 0x9000)).bytes);
    refused(&edited(|built| built.bytes[built.tables["symbols"].0 as usize] = 1), Code::SymbolTable);
    refused(&edited(|built| built.set_tag(DT_SYMENT, 16)), Code::SymbolTable);
    refused(&with(|sample| sample.jmprel[0] = relocation(TABLE, 7, 4, 0)), Code::SymbolTable); // d21
}

#[test]
fn relocations_stay_in_writable_data() {
    let rela = |relocation: [u64; 3]| with(|sample| sample.rela.push(relocation));
    accepted(&rela(relocation(TABLE + 0x20, 1, 2, 0)).bytes);
    refused(&rela(relocation(TEXT, 8, 0, TEXT)), Code::RelocationTarget);
    let text = |tag, value| {
        with(|sample| {
            sample.tags = vec![(tag, value)];
            sample.rela.push(relocation(TEXT, 8, 0, TEXT));
        })
    };
    refused(&text(DT_FLAGS, 4), Code::RelocationTextFlag); // d32
    refused(&text(DT_TEXTREL, 0), Code::RelocationText); // d33
    refused(&rela(relocation(0x1000_u64.wrapping_neg(), 8, 0, TEXT)), Code::RelocationTarget); // c09
    refused(&rela(relocation(ARRAY, 8, 0, TEXT)), Code::RelocationTarget);
    refused(&rela(relocation(DATA + 0xff9, 8, 0, TEXT)), Code::RelocationTarget);
    refused(&rela(relocation(DATA + 0xff8, 36, 0, 0)), Code::RelocationTarget);
    accepted(&rela(relocation(DATA + 0xff0, 36, 0, 0)).bytes);
    refused(&with(|sample| sample.relr = vec![TEXT]), Code::RelocationTarget);
    refused(&with(|sample| sample.relr = vec![TABLE + 0x7f0, 0b110]), Code::RelocationTarget);
}

#[test]
fn relocations_of_kinds_that_plugins_do_not_need_are_refused() {
    let rela = |relocation: [u64; 3]| with(|sample| sample.rela.push(relocation));
    refused(&rela(relocation(TABLE, 5, 1, 0)), Code::RelocationType); // COPY
    refused(&rela(relocation(TABLE, 33, 1, 0)), Code::RelocationType); // SIZE64
    refused(&rela(relocation(TABLE, 17, 0, 0x6d65_7473_7973)), Code::RelocationConstant); // d13
    refused(&rela(relocation(TABLE, 1, 0, 5)), Code::RelocationConstant);
    refused(&rela(relocation(TABLE, 8, 1, 5)), Code::RelocationType);
    refused(&rela(relocation(TABLE, 37, 0, DATA)), Code::RelocationType);
    accepted(&rela(relocation(TABLE, 37, 0, TEXT)).bytes);
}

#[test]
fn relocation_tables_of_broken_sizes_are_refused() {
    refused(&edited(|built| built.set_tag(DT_PLTRELSZ, 25)), Code::RelocationSize); // d21
    refused(&edited(|built| built.set_tag(DT_RELAENT, 16)), Code::RelocationEntry); // c04
    refused(&edited(|built| built.set_tag(DT_RELRENT, 16)), Code::RelocationEntry);
    refused(&edited(|built| built.set_tag(DT_PLTREL, 17)), Code::RelocationEntry);
    refused(&with(|sample| sample.relacount = 3), Code::RelocationTable);
    refused(
        &with(|sample| {
            sample.rela.push(relocation(TABLE + 0x20, 1, 2, 0));
            sample.relacount = 3;
        }),
        Code::RelocationTable,
    );
    refused(&with(|sample| sample.relr = vec![1]), Code::RelocationTable);
}

#[test]
fn initialisers_are_code_of_the_file() {
    refused(&with(|sample| sample.rela[0][2] = DATA), Code::Init);
    refused(&with(|sample| sample.tags.push((DT_INIT, DATA))), Code::Init);
    accepted(&with(|sample| sample.tags.push((DT_INIT, TEXT))).bytes);
    // glibc calls what lies there, musl does not.
    refused(&with(|sample| sample.tags.push((DT_INIT, 0))), Code::Init);
    refused(&with(|sample| sample.tags.push((DT_FINI, 0))), Code::Init);
    refused(&edited(|built| built.set_tag(DT_INIT_ARRAYSZ, 12)), Code::Init);
    refused(&with(|sample| sample.rela[0][0] = DATA + 4), Code::Init);
    refused(&with(|sample| sample.relr = vec![DATA]), Code::Init); // written twice
    let object = accepted(&with(|sample| sample.rela[0][0] = TABLE + 8).bytes);
    assert_eq!(object.remarks[0].code, Code::InitUnrelocated);
    refused(&edited(|built| built.set_tag(DT_INIT_ARRAY, ARRAY + 8)), Code::Init); // glibc writes there
    let behind = |addend| {
        with(|sample| {
            sample.rela = vec![sample.rela[1], relocation(DATA, 1, 2, addend)];
            sample.relacount = 1;
        })
    };
    let object = accepted(&behind(0).bytes);
    let runs: Vec<_> = object.runs().map(|run| (run.address, run.symbol)).collect();
    assert_eq!(runs, [(Some(TEXT), Some(("transform", 0)))]);
    refused(&behind(4), Code::Init);
}

/// Of such tables glibc applies nothing, musl all.
#[test]
fn plt_relocations_do_not_end_with_others_that_they_are_no_part_of() {
    let ending = |size: u64| {
        edited(|built| {
            let (start, length) = built.tables["jmprel"];
            built.set_tag(DT_RELA, start + length - size);
            built.set_tag(DT_RELASZ, size);
            built.set_tag(DT_RELACOUNT, 0);
        })
    };
    refused(&ending(0), Code::RelocationTable);
    accepted(&ending(24).bytes);
}

/// Loaders bind to the next file that defines the name: an import that the symbol table does not show.
#[test]
fn a_definition_that_loaders_do_not_find_is_refused() {
    let table = |built: &Built, name: &str| built.tables[name].0 as usize;
    // In front of what the table covers, where imports stand.
    let uncovered = edited(|built| {
        let at = table(built, "symbols") + 24;
        built.put(at + 4, &[0x10, 0, 9, 0]);
        built.put(at + 8, &TABLE.to_le_bytes());
    });
    refused(&uncovered, Code::Hash);
    let other_hash = edited(|built| {
        let at = table(built, "gnu") + 28;
        built.bytes[at] ^= 0x10;
    });
    refused(&other_hash, Code::Hash);
    refused(&edited(|built| built.put(table(built, "gnu") + 16, &[0; 8])), Code::Hash);
    let sysv = |first: u32| {
        let mut built = with(|sample| sample.hash = HashStyle::Sysv);
        built.put(table(&built, "hash") + 8, &first.to_le_bytes());
        built
    };
    accepted(&sysv(3).bytes);
    refused(&sysv(1), Code::Hash);
    // Found by their names, and passed over for what they are.
    let used = |info: u8, section: u16, value: u64, libc: &'static str| {
        with(|sample| {
            sample.symbols.push(("other", info, section, value));
            sample.rela.push(relocation(TABLE + 0x20, 1, 4, 0));
            (sample.needed, sample.version_file) = (vec![libc], libc);
        })
    };
    accepted(&used(0x10, 9, TABLE, "libc.so.6").bytes);
    accepted(&used(0x1a, 7, TEXT, "libc.so.6").bytes);
    accepted(&used(0x11, 0xfff1, 0, "libc.so.6").bytes);
    refused(&used(0x10, 9, 0, "libc.so.6"), Code::Symbol);
    refused(&used(0x13, 9, TABLE, "libc.so.6"), Code::Symbol);
    refused(&used(0x1a, 7, TEXT, "libc.so"), Code::Symbol);
    refused(&used(0x11, 0xfff1, 0, "libc.so"), Code::Symbol);
    refused(&used(0x12, 0xfff1, TEXT, "libc.so.6"), Code::Symbol);
}

#[test]
fn versions_belong_to_dependencies_and_exist() {
    refused(&with(|sample| sample.version_file = "libnothere.so.9"), Code::VersionLibrary); // c03
    refused(&edited(|built| built.set_tag(DT_VERNEEDNUM, 2)), Code::Versions);
    refused(&edited(|built| built.bytes[built.tables["versym"].0 as usize + 2] = 9), Code::Versions);
    refused(&edited(|built| built.bytes[built.tables["verneed"].0 as usize + 2] = 2), Code::Versions);
    refused(&with(|sample| sample.tags.push((DT_VERDEF, 0x280))), Code::Versions);
    let versioned = |at: usize, value: u16, number: u16| {
        edited(|built| {
            built.put(built.tables["verneed"].0 as usize + at, &value.to_le_bytes());
            built.put(built.tables["versym"].0 as usize + 2, &number.to_le_bytes());
        })
    };
    accepted(&versioned(22, 3, 3).bytes);
    // The number of symbols that have no version, and a hash by which glibc takes it for none.
    refused(&versioned(22, 1, 1), Code::Versions);
    refused(&versioned(16, 0, 2), Code::Versions);
}

#[test]
fn sections_tell_the_same_story_as_segments() {
    let section = |index: usize, field: usize, value: u64| {
        edited(|built| {
            let at = u64::from_le_bytes(built.bytes[40..48].try_into().expect("eight bytes")) as usize;
            built.put(at + index * 64 + field, &value.to_le_bytes());
        })
    };
    refused(&section(1, 24, 0x40), Code::AmbiguousSections); // d29
    refused(&section(1, 32, 48), Code::AmbiguousSections);
    refused(&section(2, 16, 0x40), Code::AmbiguousSections);
    refused(&section(8, 24, 0x40), Code::AmbiguousSections);
    refused(&edited(|built| built.put(58, &32_u16.to_le_bytes())), Code::AmbiguousSections);
    refused(&edited(|built| built.put(40, &u64::MAX.to_le_bytes())), Code::Truncated);
}

/// Found by the fuzz target `mapped`: glibc ends with `SIGSEGV` at address 8.
#[test]
fn a_kind_of_plt_relocations_without_them_is_refused() {
    let mut sample = Sample::new();
    sample.jmprel.clear();
    assert!(read(&sample.bytes(), Arch::X86_64).is_ok());
    sample.tags.push((DT_PLTREL, DT_RELA));
    refused(&sample.build(), Code::RelocationTable);
    sample.tags.push((DT_PLTRELSZ, 0));
    refused(&sample.build(), Code::RelocationTable);
}
