//! That reading ends, without a panic and with an answer, on any bytes; and that the libraries of a real system pass.

use std::path::{Path, PathBuf};

use lazaret_policy::Arch;

use super::dynamic::*;
use super::image::PT_LOAD;
use super::sample::*;
use super::{Code, Facts, read, steps};
use crate::noise::Noise;

fn samples() -> Vec<Vec<u8>> {
    let mut full = Sample::new();
    (full.hash, full.relr) = (HashStyle::Both, vec![0x2820, 0b1011]);
    let mut bare = Sample::new();
    bare.sections = false;
    vec![full.bytes(), bare.bytes(), Sample::of(Arch::Aarch64).bytes()]
}

/// Shared objects that the loader uses on this machine.
fn system_libraries() -> Vec<PathBuf> {
    let directories = ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib", "/lib"];
    let list = |directory| std::fs::read_dir(directory).into_iter().flatten().flatten();
    let files = directories.into_iter().flat_map(list).map(|entry| entry.path());
    let named = |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().contains(".so"));
    let mut files: Vec<_> =
        files.filter(named).filter_map(|path| path.canonicalize().ok()).filter(|path| path.is_file()).collect();
    files.sort();
    files.dedup();
    files
}

fn native() -> Arch {
    if cfg!(target_arch = "aarch64") { Arch::Aarch64 } else { Arch::X86_64 }
}

fn libc() -> Vec<u8> {
    let is_libc = |path: &&PathBuf| path.file_name().is_some_and(|name| name == "libc.so.6");
    let path = system_libraries().iter().find(is_libc).expect("this machine has glibc in a usual place").clone();
    std::fs::read(path).expect("libc can be read")
}

#[test]
fn a_file_cut_short_anywhere_is_refused() {
    for bytes in samples() {
        for length in 0..bytes.len() {
            let arch = if bytes[18] == 62 { Arch::X86_64 } else { Arch::Aarch64 };
            // A bare sample ends with data of its last segment; a full one with section headers.
            assert!(read(&bytes[..length], arch).is_err(), "{length} of {}", bytes.len());
        }
    }
    let bytes = libc();
    for length in (0..bytes.len()).step_by(4093).chain(bytes.len() - 100..bytes.len()) {
        assert!(read(&bytes[..length], native()).is_err(), "{length}");
    }
}

#[test]
fn no_change_to_a_file_makes_reading_panic() {
    let mut random = Noise(0x2545_f491_4f6c_dd1d);
    let values = [0, 1, 7, 8, 0x7f, 0x80, 0xff, 0x1000, 0xffff, 0x7fff_ffff, 0xffff_ffff, u64::MAX >> 1, u64::MAX];
    let (mut refused, mut accepted) = (0, 0);
    for bytes in samples() {
        // Where the tables are; most of the rest is padding.
        let places: Vec<_> =
            (0..bytes.len()).filter(|at| (*at < 0x600) || (0x2000..0x2200).contains(at) || *at > 0x2900).collect();
        for _ in 0..20_000 {
            let mut changed = bytes.clone();
            for _ in 0..=random.below(3) {
                let at = places[random.below(places.len())];
                let value = if random.below(2) == 0 { random.next() } else { values[random.below(values.len())] };
                let width = [1, 2, 4, 8][random.below(4)].min(changed.len() - at);
                changed[at..at + width].copy_from_slice(&value.to_le_bytes()[..width]);
            }
            let arch = if bytes[18] == 62 { Arch::X86_64 } else { Arch::Aarch64 };
            match read(&changed, arch) {
                Ok(object) => {
                    accepted += 1;
                    // Every accessor is total as well.
                    assert!(Facts::of(&object).exports.len() <= object.symbols().count());
                    std::hint::black_box(object.symbol_at(random.next() % 0x4000));
                }
                Err(findings) => {
                    refused += 1;
                    assert!(!findings.is_empty());
                }
            }
        }
    }
    assert!(refused > 1000 && accepted > 1000, "{refused} refused, {accepted} accepted");
}

#[test]
fn no_change_to_a_real_library_makes_reading_panic() {
    let mut random = Noise(0x9e37_79b9_7f4a_7c15);
    let mut bytes = libc();
    for _ in 0..500 {
        let at = random.below(0x3_0000.min(bytes.len()));
        let before = std::mem::replace(&mut bytes[at], random.next() as u8);
        drop(read(&bytes, native()));
        bytes[at] = before;
    }
}

#[test]
fn the_libraries_of_this_machine_have_one_reading() {
    let mut count = 0;
    for path in system_libraries() {
        let bytes = std::fs::read(&path).expect("a library can be read");
        if !bytes.starts_with(b"\x7fELF") {
            let findings = read(&bytes, native()).expect_err("a linker script is no ELF file");
            assert!(matches!(findings[0].code, Code::NotElf | Code::Empty), "{}", path.display());
            continue;
        }
        count += 1;
        let object = read(&bytes, native()).unwrap_or_else(|findings| panic!("{}: {findings:#?}", path.display()));
        assert!(object.remarks.iter().all(|remark| remark.code == Code::Interpreter), "{:?}", object.remarks);
    }
    assert!(count >= 3, "this machine has libraries in a usual place");
}

#[test]
fn the_libc_of_this_machine_is_described_as_it_is() {
    let object = read(&libc(), native()).expect("libc has one reading");
    assert_eq!(object.soname(), Some("libc.so.6"));
    assert!(object.exports_function("system") && object.exports_function("strtol"));
    let system = object.exports().find(|symbol| symbol.name == "system").expect("libc exports it");
    assert_eq!(object.symbol_at(system.value + 1).map(|(_, offset)| offset), Some(1));
    assert!(system.version.is_some_and(|version| version.starts_with("GLIBC_")) && system.library.is_none());
    assert!(object.imports().any(|symbol| symbol.library.is_some_and(|library| library.starts_with("ld-linux"))));
    assert!(object.build_id().is_some());
    assert!(Path::new("/proc").exists());
}

/// A file without sections, with more bytes in a read-only segment of its own; `tags` says what the tags are for an address.
fn with_table(hash: HashStyle, more: &[u8], tags: &dyn Fn(u64) -> Vec<(u64, u64)>) -> Built {
    let mut sample = Sample::new();
    (sample.sections, sample.hash) = (false, hash);
    sample.string = Some((DT_RUNPATH, &[b'a'; 500]));
    let mut built = sample.build();
    let at = built.bytes.len().next_multiple_of(0x1000);
    built.bytes.resize(at, 0);
    built.bytes.extend(more);
    built.segment(SPARE, PT_LOAD, 4, at as u64, more.len() as u64, more.len() as u64);
    for (tag, value) in tags(at as u64) {
        built.set_tag(tag, value);
    }
    built
}

fn halfwords(list: impl IntoIterator<Item = u32>) -> Vec<u8> {
    list.into_iter().flat_map(u32::to_le_bytes).collect()
}

fn words(list: impl IntoIterator<Item = u64>) -> Vec<u8> {
    list.into_iter().flat_map(u64::to_le_bytes).collect()
}

/// Symbols that are all called by one long name, found by one long chain.
fn names(size: u32) -> Vec<u8> {
    let runpath = with_table(HashStyle::Sysv, &[], &|_| Vec::new());
    let name = &runpath.bytes[runpath.tag_at(DT_RUNPATH) + 8..][..4];
    let hash = halfwords([1, size, size - 1].into_iter().chain((0..size).map(|at| at.saturating_sub(1))));
    let symbols_at = hash.len().next_multiple_of(8);
    let mut more = hash;
    more.resize(symbols_at + 24, 0);
    for _ in 1..size {
        more.extend([name, &[0x12, 0, 0, 0], &[0; 16]].concat());
    }
    let versions_at = more.len();
    more.resize(versions_at + size as usize * 2, 0);
    let tags = |at| vec![(DT_HASH, at), (DT_SYMTAB, at + symbols_at as u64), (DT_VERSYM, at + versions_at as u64)];
    with_table(HashStyle::Sysv, &more, &tags).bytes
}

/// Buckets that all begin with the last symbol, whose chain leads through all others.
fn chains(size: u32) -> Vec<u8> {
    let chain = (0..size).map(|at| at.saturating_sub(1));
    let table = [size, size].into_iter().chain((0..size).map(|_| size - 1)).chain(chain);
    with_table(HashStyle::Sysv, &halfwords(table), &|at| vec![(DT_HASH, at)]).bytes
}

/// The same for the other kind, in which no chain ends.
fn endless(size: u32) -> Vec<u8> {
    let table = [size, 1, 1, 0, 0, 0].into_iter().chain((0..size).map(|at| at + 1)).chain((0..size).map(|_| 2));
    with_table(HashStyle::Gnu, &halfwords(table), &|at| vec![(DT_GNU_HASH, at)]).bytes
}

/// Lists of versions that share one sublist, as long as the table.
fn versions(size: u32) -> Vec<u8> {
    let mut more = Vec::new();
    let file = with_table(HashStyle::Gnu, &[], &|_| Vec::new());
    let verneed = file.table("verneed");
    let library = &file.bytes[verneed + 4..][..4];
    for left in (0..size).rev() {
        let auxes = (size as u16).to_le_bytes();
        let (aux, next) = ((left + 1) * 16, if left == 0 { 0_u32 } else { 16 });
        more.extend([&[1, 0], &auxes[..], library, &aux.to_le_bytes(), &next.to_le_bytes()].concat());
    }
    for left in (0..size).rev() {
        let next = if left == 0 { 0_u32 } else { 16 };
        // The empty name costs nothing, so that nothing but the length of the lists bounds this.
        more.extend([&[0; 6], &(left as u16 + 2).to_le_bytes()[..], &[0; 4], &next.to_le_bytes()].concat());
    }
    with_table(HashStyle::Gnu, &more, &|at| vec![(DT_VERNEED, at), (DT_VERNEEDNUM, size.into())]).bytes
}

/// Relocations whose targets go back and forth between what has to be looked at closely.
fn relocations(size: u32) -> Vec<u8> {
    let targets = (0..size).map(|at| if at % 2 == 0 { TABLE + 0x100 } else { DATA + 0xff8 });
    let more = words(targets.flat_map(|target| [target, 8, TEXT]));
    with_table(HashStyle::Gnu, &more, &|at| {
        vec![(DT_RELA, at), (DT_RELASZ, u64::from(size) * 24), (DT_RELACOUNT, size.into())]
    })
    .bytes
}

/// A dynamic array of nothing but dependencies, each named by the same long string.
fn needed(size: u32) -> Vec<u8> {
    let file = with_table(HashStyle::Gnu, &[], &|_| Vec::new());
    let length = file.tables["dynamic"].1 as usize;
    let array = &file.bytes[ARRAY as usize..ARRAY as usize + length];
    let name = file.bytes[file.tag_at(DT_RUNPATH) + 8];
    let entries = words((0..size).flat_map(|_| [DT_NEEDED, u64::from(name)]));
    let more = [&entries[..], array].concat();
    let mut built = with_table(HashStyle::Gnu, &more, &|_| Vec::new());
    let at = u64::from_le_bytes(built.bytes[0x40 + SPARE * 56 + 8..][..8].try_into().expect("eight bytes"));
    for (field, value) in [(OFFSET, at), (VADDR, at), (FILESZ, more.len() as u64), (MEMSZ, more.len() as u64)] {
        built.set_segment(DYNAMIC, field, value);
    }
    built.bytes
}

/// Section headers that describe the dynamic array once more, and wrongly.
fn sections(size: u32) -> Vec<u8> {
    let mut bytes = Sample::new().bytes();
    let at = bytes.len() as u64;
    for _ in 0..size {
        bytes.extend([halfwords([0, 6]), words([2, TEXT, 7, 8, 0, 0, 0])].concat());
    }
    bytes[40..48].copy_from_slice(&at.to_le_bytes());
    bytes[60..62].copy_from_slice(&(size as u16).to_le_bytes());
    bytes
}

/// Bitmaps that relocate every word of memory that is not there.
fn bitmaps(size: u32) -> Vec<u8> {
    packed(size, std::iter::repeat(u64::MAX))
}

/// The same with addresses.
fn addresses(size: u32) -> Vec<u8> {
    packed(size, std::iter::repeat(0x10))
}

fn packed(size: u32, rest: impl Iterator<Item = u64>) -> Vec<u8> {
    let mut sample = Sample::new();
    (sample.sections, sample.relr) = (false, vec![TABLE]);
    let mut built = sample.build();
    let more = words(std::iter::once(TABLE).chain(rest).take(size as usize));
    let at = built.bytes.len().next_multiple_of(0x1000);
    built.bytes.resize(at, 0);
    built.bytes.extend(&more);
    built.segment(SPARE, PT_LOAD, 4, at as u64, more.len() as u64, more.len() as u64);
    built.set_tag(DT_RELR, at as u64);
    built.set_tag(DT_RELRSZ, more.len() as u64);
    built.bytes
}

#[test]
fn a_hostile_table_of_twice_the_size_takes_twice_the_steps() {
    type Table = fn(u32) -> Vec<u8>;
    // Each with the code that shows that the table was reached, where it is not sound.
    let tables: [(&str, Table, Option<Code>); 9] = [
        ("names", names, Some(Code::SymbolString)),
        ("chains", chains, Some(Code::Hash)),
        ("endless", endless, Some(Code::Hash)),
        ("versions", versions, Some(Code::Versions)),
        ("relocations", relocations, None),
        ("needed", needed, Some(Code::NeededString)),
        ("sections", sections, Some(Code::AmbiguousSections)),
        ("bitmaps", bitmaps, Some(Code::RelocationTarget)),
        ("addresses", addresses, Some(Code::RelocationTarget)),
    ];
    const SIZE: u32 = 4000;
    for (name, table, code) in tables {
        let steps = |size: u32| {
            let bytes = table(size);
            let mut result = Ok(());
            let steps = steps::of(|| result = read(&bytes, Arch::X86_64).map(drop));
            match (result, code) {
                (Err(findings), Some(code)) => {
                    assert!(findings.iter().any(|finding| finding.code == code), "{name}: {findings:?}");
                    assert!(findings.len() < 100, "{name}");
                }
                (Err(findings), None) => panic!("{name}: {findings:?}"),
                (Ok(()), code) => assert_eq!(code, None, "{name}"),
            }
            steps
        };
        let (once, twice) = (steps(SIZE), steps(2 * SIZE));
        assert!(once >= u64::from(SIZE) / 8, "{name}: {once} steps, so the table was not reached");
        assert!(twice * 10 <= once * 22, "{name}: {once} steps, and {twice} for twice the size");
    }
}
