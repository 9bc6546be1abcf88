//! That reading ends, without a panic and with an answer, on any bytes; and that the libraries of a real system pass.

use std::path::{Path, PathBuf};

use lazaret_policy::Arch;

use super::sample::{HashStyle, Sample};
use super::{Code, Facts, read};
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

/// Tables of a megabyte and more in which everything is wrong, or refers to everything else.
#[test]
fn a_large_hostile_table_costs_no_more_than_its_size() {
    use super::dynamic::{DT_NULL, DT_RELR, DT_RELRSZ};
    use super::image::PT_LOAD;
    use super::sample::SPARE;

    const SIZE: usize = 4 << 20;
    let large = |fill: u64, tags: &dyn Fn(u64) -> Vec<(u64, u64)>| {
        let mut sample = Sample::new();
        sample.sections = false;
        let at = sample.bytes().len().next_multiple_of(0x1000) as u64;
        sample.tags.extend(tags(at));
        let mut built = sample.build();
        built.bytes.resize(at as usize, 0);
        built.bytes.extend(fill.to_le_bytes().repeat(SIZE / 8));
        built.segment(SPARE, PT_LOAD, 4, at, SIZE as u64, SIZE as u64);
        built.bytes
    };
    let start = std::time::Instant::now();
    // Bitmaps that relocate every word of memory that is not there.
    let packed = large(u64::MAX, &|at| vec![(DT_RELR, at), (DT_RELRSZ, SIZE as u64)]);
    assert!(read(&packed, Arch::X86_64).is_err());
    // The same with addresses.
    let packed = large(0x10, &|at| vec![(DT_RELR, at), (DT_RELRSZ, SIZE as u64)]);
    let findings = read(&packed, Arch::X86_64).expect_err("no such memory is writable");
    assert!(findings.len() < 100 && findings.iter().any(|finding| finding.code == Code::RelocationTarget));
    assert!(read(&large(0, &|_| vec![(DT_NULL, 0)]), Arch::X86_64).is_ok());
    // Not a measurement: the square of any of these tables would take hours.
    assert!(start.elapsed().as_secs() < 60);
}
