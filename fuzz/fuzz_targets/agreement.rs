//! Where the audit accepts a file, goblin's whole view of it is the same. What is compared inside the audit is taken in
//! pieces; here it is what `Elf::parse` makes of the file for everybody else. A difference is a crash.
#![no_main]

use goblin::elf::Elf;
use lazaret::audit::{Object, Report, read};
use lazaret_fuzz::{elf, noise, seed};
use lazaret_policy::Arch;

libfuzzer_sys::fuzz_target!(init: seed(noise()), |input: &[u8]| {
    let bytes = elf::file(input);
    let Ok(object) = read(&bytes, Arch::X86_64) else { return };
    match Elf::parse(&bytes) {
        Ok(theirs) => compare(&object, &theirs),
        // It also reads what loaders do not, through section headers and notes. Those alone may be broken.
        Err(error) => {
            let mut bare = bytes.clone();
            bare[40..48].fill(0);
            bare[60..64].fill(0);
            let segments = usize::from(u16::from_le_bytes([bare[56], bare[57]]));
            for header in bare[64..].chunks_exact_mut(56).take(segments).filter(|header| header[..4] == [4, 0, 0, 0]) {
                header[..4].fill(0);
            }
            let theirs = Elf::parse(&bare).unwrap_or_else(|_| panic!("goblin cannot read what was accepted: {error}"));
            compare(&object, &theirs);
        }
    }
});

fn compare(object: &Object, theirs: &Elf<'_>) {
    assert!(theirs.is_64 && theirs.little_endian);
    assert_eq!(object.needed().collect::<Vec<_>>(), theirs.libraries);
    assert_eq!(object.soname(), theirs.soname);
    assert_eq!(object.rpath().into_iter().collect::<Vec<_>>(), theirs.rpaths);
    assert_eq!(object.runpath().into_iter().collect::<Vec<_>>(), theirs.runpaths);

    let mine: Vec<_> =
        object.symbols().map(|symbol| (symbol.name, symbol.value, symbol.size, symbol.defined)).collect();
    let symbols = theirs.dynsyms.iter().skip(1);
    let of = |symbol: goblin::elf::Sym| {
        let name = theirs.dynstrtab.get_at(symbol.st_name).expect("a name that the audit read");
        (name, symbol.st_value, symbol.st_size, symbol.st_shndx != 0)
    };
    // It counts by one hash table, which may be the one that covers less.
    let symbols: Vec<_> = symbols.map(of).collect();
    assert!(symbols.len() <= mine.len(), "{} symbols, and the audit has {}", symbols.len(), mine.len());
    assert_eq!(mine[..symbols.len()], symbols[..]);

    let facts = Report::new(Some(object), Vec::new()).facts.expect("an object has facts");
    assert_eq!(facts.relocations, (theirs.dynrelas.len() + theirs.pltrelocs.len()) as u64);
    assert!(theirs.dynrels.is_empty(), "relocations without addend are refused");
    let highest = theirs.dynrelas.iter().chain(theirs.pltrelocs.iter()).map(|relocation| relocation.r_sym).max();
    assert!(highest.unwrap_or(0) <= mine.len(), "a relocation uses a symbol that the audit has not seen");

    let loads = theirs.program_headers.iter().filter(|segment| segment.p_type == goblin::elf::program_header::PT_LOAD);
    let loads = loads.map(|load| (load.p_vaddr, load.p_memsz, load.p_filesz, load.is_write(), load.is_executable()));
    let mine = object.loads().iter();
    let mine = mine.map(|load| (load.address, load.size, load.file_size, load.writable, load.executable));
    assert_eq!(mine.collect::<Vec<_>>(), loads.collect::<Vec<_>>());
}
