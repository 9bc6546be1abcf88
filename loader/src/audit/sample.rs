//! A small shared object built in memory, for tests: every table a real one has, at known places, so that a test can
//! change one thing.

use std::collections::BTreeMap;

use lazaret_policy::Arch;

use super::dynamic::*;
use super::hash::gnu_hash;
use super::image::{PT_DYNAMIC, PT_GNU_RELRO, PT_GNU_STACK, PT_LOAD, PT_NOTE};

pub(super) const TEXT: u64 = 0x1000;
pub(super) const DATA: u64 = 0x2000;
/// Two writable pages: the initialiser, the dynamic array, and things that relocations write.
pub(super) const ARRAY: u64 = DATA + 0x10;
pub(super) const TABLE: u64 = DATA + 0x800;
const DATA_FILE: u64 = 0x900;
const DATA_MEMORY: u64 = 0x1000;
const ENTRY: usize = 56;

/// Fields of a program header, by their place.
pub(super) const FLAGS: usize = 4;
pub(super) const OFFSET: usize = 8;
pub(super) const VADDR: usize = 16;
pub(super) const FILESZ: usize = 32;
pub(super) const MEMSZ: usize = 40;
pub(super) const ALIGN: usize = 48;

/// Indices of the program headers; two more are empty.
pub(super) const PHDR: usize = 0;
pub(super) const LOAD_READ: usize = 1;
pub(super) const LOAD_CODE: usize = 2;
pub(super) const LOAD_DATA: usize = 3;
pub(super) const DYNAMIC: usize = 4;
pub(super) const NOTE: usize = 5;
pub(super) const STACK: usize = 6;
pub(super) const RELRO: usize = 7;
pub(super) const SPARE: usize = 8;

/// One symbol: name, `st_info`, `st_shndx`, `st_value`.
pub(super) type Sym = (&'static str, u8, u16, u64);

/// Which hash tables there are.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum HashStyle {
    Gnu,
    Sysv,
    Both,
}

/// What a file will contain.
pub(super) struct Sample {
    pub(super) arch: Arch,
    pub(super) needed: Vec<&'static str>,
    pub(super) soname: Option<&'static str>,
    /// Imports first: the GNU hash table covers what is behind them.
    pub(super) symbols: Vec<Sym>,
    pub(super) rela: Vec<[u64; 3]>,
    pub(super) jmprel: Vec<[u64; 3]>,
    pub(super) relr: Vec<u64>,
    pub(super) relacount: u64,
    /// Further entries of the dynamic array.
    pub(super) tags: Vec<(u64, u64)>,
    /// A string at the end of the string table, and a tag that names it.
    pub(super) string: Option<(u64, &'static [u8])>,
    pub(super) hash: HashStyle,
    pub(super) sections: bool,
    pub(super) version_file: &'static str,
}

/// A file and where its tables are.
pub(super) struct Built {
    pub(super) bytes: Vec<u8>,
    /// Address (and offset) and size.
    pub(super) tables: BTreeMap<&'static str, (u64, u64)>,
}

/// A relocation of a type, in either architecture's numbers.
pub(super) fn relocation(target: u64, kind: u64, symbol: u64, addend: u64) -> [u64; 3] {
    [target, symbol << 32 | kind, addend]
}

impl Sample {
    /// A plugin that needs `libc.so.6`, imports `strlen`, exports `transform` and `plugin_table`.
    pub(super) fn new() -> Self {
        Self::of(Arch::X86_64)
    }

    pub(super) fn of(arch: Arch) -> Self {
        let (relative, slot) = if arch == Arch::X86_64 { (8, 7) } else { (1027, 1026) };
        Self {
            arch,
            needed: vec!["libc.so.6"],
            soname: Some("libplugin.so"),
            symbols: vec![("strlen", 0x12, 0, 0), ("transform", 0x12, 7, TEXT), ("plugin_table", 0x11, 9, TABLE)],
            rela: vec![relocation(DATA, relative, 0, TEXT), relocation(TABLE, relative, 0, TEXT + 0x10)],
            jmprel: vec![relocation(TABLE + 0x10, slot, 1, 0)],
            relr: vec![],
            relacount: 2,
            tags: vec![(DT_FLAGS, 8)],
            string: None,
            hash: HashStyle::Gnu,
            sections: true,
            version_file: "libc.so.6",
        }
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        self.build().bytes
    }

    pub(super) fn build(&self) -> Built {
        let mut built = Built { bytes: vec![0; 0x40 + 10 * ENTRY], tables: BTreeMap::new() };
        let mut strings = vec![0];
        let mut string = |text: &[u8]| {
            let at = strings.len() as u64;
            strings.extend_from_slice(text);
            strings.push(0);
            at
        };
        let needed: Vec<_> = self.needed.iter().map(|name| string(name.as_bytes())).collect();
        let soname = self.soname.map(|name| string(name.as_bytes()));
        let names: Vec<_> = self.symbols.iter().map(|symbol| string(symbol.0.as_bytes())).collect();
        let (file, version) = (string(self.version_file.as_bytes()), string(b"GLIBC_2.2.5"));
        let extra = self.string.map(|(tag, text)| (tag, string(text)));

        let mut symbols = vec![0; 24];
        for (symbol, name) in self.symbols.iter().zip(&names) {
            symbols.extend((*name as u32).to_le_bytes());
            symbols.extend([symbol.1, 0]);
            symbols.extend(symbol.2.to_le_bytes());
            symbols.extend(words(&[symbol.3, 16]));
        }
        let imported = |symbol: &&Sym| symbol.2 == 0;
        let imports = self.symbols.iter().filter(imported).count();
        let versions = (0..=self.symbols.len()).flat_map(|at| {
            let number: u16 = if at == 0 {
                0
            } else if at <= imports {
                2
            } else {
                1
            };
            number.to_le_bytes()
        });
        let need = [halves(&[1, 1]), halfwords(&[file as u32, 16, 0]), halfwords(&[0x0969_1a75]), halves(&[0, 2])];
        let need = [need.concat(), halfwords(&[version as u32, 0])].concat();
        let rela = |list: &[[u64; 3]]| list.iter().flat_map(|entry| words(entry)).collect::<Vec<_>>();

        built.add("symbols", symbols);
        built.add("strings", strings);
        if self.hash != HashStyle::Sysv {
            built.add("gnu", self.gnu(imports));
        }
        if self.hash != HashStyle::Gnu {
            let count = self.symbols.len() as u32;
            let chain = (0..=count).map(|at| at.saturating_sub(1));
            built.add("hash", halfwords(&[1, count + 1, count].into_iter().chain(chain).collect::<Vec<_>>()));
        }
        built.add("versym", versions.collect());
        built.add("verneed", need);
        built.add("rela", rela(&self.rela));
        built.add("jmprel", rela(&self.jmprel));
        built.add("relr", words(&self.relr));
        let property = if self.arch == Arch::X86_64 { 0xc000_0002 } else { 0xc000_0000 };
        let properties = [halfwords(&[4, 16, 5]), b"GNU\0".to_vec(), halfwords(&[property, 4, 3, 0])];
        let build_id = [halfwords(&[4, 8, 3]), b"GNU\0".to_vec(), vec![0xab; 8]];
        built.add("note", build_id.into_iter().chain(properties).collect::<Vec<_>>().concat());
        let end = built.bytes.len() as u64;
        built.bytes.resize(TEXT as usize, 0);
        built.bytes.resize(DATA as usize, 0xcc);

        let at = |name: &str| built.tables.get(name).copied().unwrap_or_default();
        let mut tags: Vec<_> = needed.iter().map(|&name| (DT_NEEDED, name)).collect();
        tags.extend(soname.map(|name| (DT_SONAME, name)));
        tags.extend(extra);
        tags.extend([(DT_SYMTAB, at("symbols").0), (DT_SYMENT, 24)]);
        tags.extend([(DT_STRTAB, at("strings").0), (DT_STRSZ, at("strings").1)]);
        let tables = [(DT_GNU_HASH, 0, "gnu"), (DT_HASH, 0, "hash"), (DT_RELA, DT_RELASZ, "rela")];
        let more = [(DT_JMPREL, DT_PLTRELSZ, "jmprel"), (DT_RELR, DT_RELRSZ, "relr"), (DT_VERSYM, 0, "versym")];
        for (start, size, name) in tables.into_iter().chain(more).filter(|table| at(table.2).1 > 0) {
            tags.push((start, at(name).0));
            tags.extend((size != 0).then_some((size, at(name).1)));
        }
        tags.extend([(DT_VERNEED, at("verneed").0), (DT_VERNEEDNUM, 1), (DT_RELAENT, 24), (DT_RELRENT, 8)]);
        tags.extend((!self.jmprel.is_empty()).then_some((DT_PLTREL, DT_RELA)));
        tags.push((DT_RELACOUNT, self.relacount));
        tags.extend([(DT_INIT_ARRAY, DATA), (DT_INIT_ARRAYSZ, 8)]);
        tags.extend(&self.tags);
        tags.push((DT_NULL, 0));
        let array: Vec<_> = tags.iter().flat_map(|(tag, value)| words(&[*tag, *value])).collect();
        let (note, size) = (at("note"), array.len() as u64);
        built.bytes.resize(ARRAY as usize, 0);
        built.bytes.extend(array);
        assert!(built.bytes.len() as u64 <= TABLE, "the sample's dynamic array fits");
        built.bytes.resize((DATA + DATA_FILE) as usize, 0);

        built.segment(PHDR, 6, 4, 0x40, 10 * ENTRY as u64, 10 * ENTRY as u64);
        built.segment(LOAD_READ, PT_LOAD, 4, 0, end, end);
        built.segment(LOAD_CODE, PT_LOAD, 5, TEXT, 0x1000, 0x1000);
        built.segment(LOAD_DATA, PT_LOAD, 6, DATA, DATA_FILE, DATA_MEMORY);
        built.segment(DYNAMIC, PT_DYNAMIC, 6, ARRAY, size, size);
        built.segment(NOTE, PT_NOTE, 4, note.0, note.1, note.1);
        built.segment(STACK, PT_GNU_STACK, 6, 0, 0, 0);
        built.segment(RELRO, PT_GNU_RELRO, 4, DATA, 0x800, 0x800);
        built.tables.insert("dynamic", (ARRAY, size));
        self.header(&mut built);
        built
    }

    fn gnu(&self, imports: usize) -> Vec<u8> {
        let hashes = self.symbols.iter().skip(imports).map(|symbol| gnu_hash(symbol.0.as_bytes()) & !1);
        let mut chain: Vec<_> = hashes.collect();
        let first = imports as u32 + 1;
        let bucket = if chain.is_empty() { 0 } else { first };
        chain.iter_mut().last().into_iter().for_each(|last| *last |= 1);
        let head = [1, first, 1, 6, u32::MAX, u32::MAX, bucket];
        halfwords(&head.into_iter().chain(chain).collect::<Vec<_>>())
    }

    fn header(&self, built: &mut Built) {
        let kinds = [("symbols", 11), ("strings", 3), ("gnu", 0x6fff_fff6), ("hash", 5), ("versym", 0x6fff_ffff)];
        let more = [("verneed", 0x6fff_fffe), ("rela", 4), ("jmprel", 4), ("dynamic", 6)];
        let sections: Vec<_> =
            kinds.into_iter().chain(more).filter_map(|(name, kind)| Some((kind, *built.tables.get(name)?))).collect();
        let shoff = built.bytes.len() as u64;
        if self.sections {
            built.bytes.extend([0; 64]);
            for (kind, (address, size)) in &sections {
                built.bytes.extend(halfwords(&[0, *kind]));
                built.bytes.extend(words(&[2, *address, *address, *size]));
                // `.dynsym` is section 1, its strings are section 2.
                built.bytes.extend(halfwords(&[2, 0]));
                built.bytes.extend(words(&[8, 0]));
            }
        }
        let machine = if self.arch == Arch::X86_64 { 62 } else { 183 };
        built.bytes.splice(..7, *b"\x7fELF\x02\x01\x01");
        built.put(16, &halves(&[3, machine]));
        built.put(20, &halfwords(&[1]));
        built.put(32, &words(&[0x40, if self.sections { shoff } else { 0 }]));
        let count = if self.sections { sections.len() as u16 + 1 } else { 0 };
        built.put(52, &halves(&[64, 56, 10, 64, count, 0]));
    }
}

impl Built {
    fn add(&mut self, name: &'static str, bytes: Vec<u8>) {
        let at = self.bytes.len().next_multiple_of(8);
        self.bytes.resize(at, 0);
        self.tables.insert(name, (at as u64, bytes.len() as u64));
        self.bytes.extend(bytes);
    }

    pub(super) fn put(&mut self, at: usize, bytes: &[u8]) {
        self.bytes[at..at + bytes.len()].copy_from_slice(bytes);
    }

    /// Writes a program header whose address equals its offset.
    pub(super) fn segment(&mut self, index: usize, kind: u32, flags: u32, at: u64, filesz: u64, memsz: u64) {
        let align = if kind == PT_LOAD { 0x1000 } else { 8 };
        let header = [halfwords(&[kind, flags]), words(&[at, at, at, filesz, memsz, align])].concat();
        self.put(0x40 + index * ENTRY, &header);
    }

    /// Changes one 64-bit field of a program header.
    pub(super) fn set_segment(&mut self, index: usize, field: usize, value: u64) {
        self.put(0x40 + index * ENTRY + field, &value.to_le_bytes());
    }

    /// Changes the flags of a program header.
    pub(super) fn set_flags(&mut self, index: usize, flags: u32) {
        self.put(0x40 + index * ENTRY + FLAGS, &flags.to_le_bytes());
    }

    /// Changes the value of a tag of the dynamic array.
    pub(super) fn set_tag(&mut self, tag: u64, value: u64) {
        let at = self.tag_at(tag);
        self.put(at + 8, &value.to_le_bytes());
    }

    /// Where the entry of a tag is.
    pub(super) fn tag_at(&self, tag: u64) -> usize {
        let entries = (ARRAY as usize..TABLE as usize).step_by(16);
        let is = |at: &usize| self.bytes[*at..*at + 8] == tag.to_le_bytes();
        entries.into_iter().find(is).expect("the sample has the tag")
    }

    /// Where a table begins in the file.
    pub(super) fn table(&self, name: &str) -> usize {
        self.tables[name].0 as usize
    }
}

fn words(list: &[u64]) -> Vec<u8> {
    list.iter().flat_map(|word| word.to_le_bytes()).collect()
}

fn halfwords(list: &[u32]) -> Vec<u8> {
    list.iter().flat_map(|word| word.to_le_bytes()).collect()
}

fn halves(list: &[u16]) -> Vec<u8> {
    list.iter().flat_map(|word| word.to_le_bytes()).collect()
}
