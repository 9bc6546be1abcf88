//! Shared objects from descriptions: what a fuzzer changes is which tables there are and what they say, so that almost every
//! input is near a valid file and reaches the readers behind the first checks. x86_64, of which it writes the code.
//!
//! Sources: the gABI's chapters on object files, program loading and dynamic linking; `elf.h` for the numbers.

mod edit;
mod tables;
mod write;

use arbitrary::{Arbitrary, Unstructured};

pub use edit::Edit;
use tables::sysv;
use write::{Writer, halves, le32, words, words32};

/// Bytes of a page, and the alignment of every segment.
const PAGE: u64 = 0x1000;
/// Where the code lies in the file.
const TEXT: u64 = 0x2000;
/// Where the data lies in the file: a page that becomes read-only, then a page that stays writable.
const DATA: u64 = 0x3000;
const DATA_FILE: u64 = 0x1800;
/// Bytes of code.
const CODE: u64 = 0x400;
/// Most functions that run while mapping: each sets one bit.
const MOST_INITIALISERS: usize = 6;
/// Most symbols and relocations of a kind, and bytes of a name, so that every table fits into its page.
const MOST: usize = 6;
const MOST_LETTERS: usize = 12;

/// The function that says which initialisers ran, a bit for each. Every file exports it.
pub const RAN: &str = "ran";

/// A file: what it consists of, and what is changed in it afterwards.
#[derive(Arbitrary, Clone, Debug)]
pub struct File {
    shape: Shape,
    edits: Vec<Edit>,
}

/// What a file consists of. Where its names are text, a strict audit and the system's loader both take it.
#[derive(Arbitrary, Clone, Debug)]
struct Shape {
    needs_libc: bool,
    needs_libm: bool,
    soname: Option<Text>,
    rpath: Option<Text>,
    runpath: Option<Text>,
    imports: Vec<Import>,
    exports: Vec<Export>,
    initialisers: u8,
    /// Whether the slots are relocated by `DT_RELR`.
    packed: bool,
    init: bool,
    finalisers: u8,
    relocations: Vec<Relocation>,
    hash: Hash,
    buckets: u8,
    defines_versions: bool,
    sections: bool,
    note: bool,
    tls: bool,
    relro: bool,
    stack: Stack,
    header_segment: bool,
    binds_now: bool,
    bss: u16,
    /// Pages between the segments in memory.
    gaps: (u8, u8),
}

#[derive(Arbitrary, Clone, Debug)]
enum Text {
    Usual(u8),
    Letters(Vec<u8>),
}

#[derive(Arbitrary, Clone, Debug)]
struct Import {
    name: u8,
    weak: bool,
    versioned: bool,
}

#[derive(Arbitrary, Clone, Debug)]
struct Export {
    name: Text,
    kind: Kind,
    weak: bool,
    visibility: u8,
}

#[derive(Arbitrary, Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Function,
    Ifunc,
    Data,
    Absolute,
}

#[derive(Arbitrary, Clone, Debug)]
enum Relocation {
    Relative(u8),
    Address(u8, u8),
    Slot(u8, u8),
    Irelative(u8),
    Module(u8),
}

#[derive(Arbitrary, Clone, Copy, Debug, PartialEq, Eq)]
enum Hash {
    Gnu,
    Sysv,
    Both,
}

#[derive(Arbitrary, Clone, Copy, Debug, PartialEq, Eq)]
enum Stack {
    Plain,
    Executable,
    Missing,
}

const USUAL: [&str; 8] = ["transform", "libplugin.so", "$ORIGIN/lib", "/tmp", "libc.so.6", "init", "a", "x\u{e9}\n"];
/// What glibc has under the version of its first release for x86_64.
const LIBC: [&str; 6] = ["strlen", "memcpy", "system", "getpid", "malloc", "free"];
const VERSION: &str = "GLIBC_2.2.5";
const OWN_VERSION: &str = "OWN_1";

impl Text {
    /// Never empty, and without a zero byte.
    fn bytes(&self) -> Vec<u8> {
        let mut bytes = match self {
            Self::Usual(which) => USUAL[usize::from(*which) % USUAL.len()].as_bytes().to_vec(),
            Self::Letters(bytes) => bytes.iter().take(MOST_LETTERS).copied().filter(|byte| *byte != 0).collect(),
        };
        if bytes.is_empty() {
            bytes.push(b'_');
        }
        bytes
    }
}

/// The file of a fuzzer's input: the bytes themselves where they begin like a shared object, so that real ones can be seeds.
#[must_use]
pub fn file(input: &[u8]) -> Vec<u8> {
    if input.starts_with(b"\x7fELF") {
        input.to_vec()
    } else {
        described(input).map_or(Vec::new(), |file| file.bytes())
    }
}

/// What an input describes.
#[must_use]
pub fn described(input: &[u8]) -> Option<File> {
    File::arbitrary_take_rest(Unstructured::new(input)).ok()
}

impl File {
    /// The file without the changes.
    #[must_use]
    pub fn whole(mut self) -> Self {
        self.edits.clear();
        self
    }

    /// The file with names of letters where they were any bytes. Others are refused, and what is refused no loader sees.
    #[must_use]
    pub fn legible(mut self) -> Self {
        let Shape { soname, rpath, runpath, exports, .. } = &mut self.shape;
        let texts = [soname, rpath, runpath].into_iter().flatten();
        for text in texts.chain(exports.iter_mut().map(|export| &mut export.name)) {
            if let Text::Letters(bytes) = text {
                bytes.iter_mut().for_each(|byte| *byte = b'a' + *byte % 26);
            }
        }
        self
    }

    /// Whether nothing was changed after the file was made.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.edits.is_empty()
    }

    /// Whether a cell can map it: nothing was changed, it wants no executable stack, which a cell does not get, and no packed
    /// relocations, which glibc refuses of a file that does not say so by a version (`GLIBC_ABI_DT_RELR`).
    #[must_use]
    pub fn is_loadable(&self) -> bool {
        self.is_whole() && self.shape.stack == Stack::Plain && !(self.shape.packed && self.shape.needs_libc)
    }

    /// Its bytes.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.shape.bytes();
        edit::apply(&mut bytes, &self.edits);
        bytes
    }

    /// The same changes of another file.
    #[must_use]
    pub fn applied_to(&self, bytes: &[u8]) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        edit::apply(&mut bytes, &self.edits);
        bytes
    }

    /// Which bits [`RAN`] returns when every initialiser ran; what runs first is `DT_INIT`.
    #[must_use]
    pub fn initialisers(&self) -> u64 {
        (1 << self.shape.initialisers()) - 1 | u64::from(self.shape.init) << MOST_INITIALISERS
    }
}

/// One symbol, as it is written.
struct Sym {
    name: Vec<u8>,
    info: u8,
    other: u8,
    section: u16,
    value: u64,
    version: u16,
}

/// The string table while it is made.
struct Strings(Vec<u8>);

impl Strings {
    fn add(&mut self, text: &[u8]) -> u64 {
        let at = self.0.len() as u64;
        self.0.extend_from_slice(text);
        self.0.push(0);
        at
    }
}

impl Shape {
    fn initialisers(&self) -> usize {
        usize::from(self.initialisers) % (MOST_INITIALISERS + 1)
    }

    fn text(&self) -> u64 {
        TEXT + u64::from(self.gaps.0 % 4) * PAGE
    }

    fn data(&self) -> u64 {
        DATA + u64::from(self.gaps.0 % 4) * PAGE + u64::from(self.gaps.1 % 4) * PAGE
    }

    /// What stays writable: the word of the initialisers, then what relocations write.
    fn writable(&self) -> u64 {
        self.data() + PAGE
    }

    fn slot(&self, which: u8) -> u64 {
        self.writable() + 0x100 + u64::from(which % 64) * 16
    }

    fn function(&self, which: usize) -> u64 {
        self.text() + 0x200 + 16 * which as u64
    }

    fn symbols(&self) -> Vec<Sym> {
        let imports = self.imports.iter().take(MOST).filter(|_| self.needs_libc);
        let import = |import: &Import| Sym {
            name: LIBC[usize::from(import.name) % LIBC.len()].into(),
            info: if import.weak { 0x22 } else { 0x12 },
            other: 0,
            section: 0,
            value: 0,
            version: if import.versioned { 2 } else { 1 },
        };
        let mut symbols: Vec<_> = imports.map(import).collect();
        let defined = if self.defines_versions { 3 } else { 1 };
        let ran =
            Sym { name: RAN.into(), info: 0x12, other: 0, section: 2, value: self.text() + 0x1c0, version: defined };
        symbols.push(ran);
        symbols.extend(self.exports.iter().take(MOST).enumerate().map(|(index, export)| {
            let (kind, section, value) = match export.kind {
                Kind::Function => (2, 2, self.function(index)),
                Kind::Ifunc => (10, 2, self.text() + 0x1e0),
                Kind::Data => (1, 3, self.slot(index as u8)),
                Kind::Absolute => (0, 0xfff1, 0x1234),
            };
            let name = [export.name.bytes(), index.to_string().into()].concat();
            let binding = if export.weak { 0x20 } else { 0x10 };
            Sym { name, info: binding | kind, other: export.visibility % 4, section, value, version: defined }
        }));
        symbols
    }

    fn bytes(&self) -> Vec<u8> {
        let symbols = self.symbols();
        let imports = symbols.iter().filter(|symbol| symbol.section == 0).count();
        let mut strings = Strings(vec![0]);
        let mut tags = Vec::new();
        let mut need = |needed: bool, name: &str| needed.then(|| strings.add(name.as_bytes()));
        let (libc, libm) = (need(self.needs_libc, "libc.so.6"), need(self.needs_libm, "libm.so.6"));
        tags.extend([libc, libm].into_iter().flatten().map(|name| (1, name)));
        for (tag, text) in [(14, &self.soname), (15, &self.rpath), (29, &self.runpath)] {
            tags.extend(text.as_ref().map(|text| (tag, strings.add(&text.bytes()))));
        }
        let names: Vec<_> = symbols.iter().map(|symbol| strings.add(&symbol.name)).collect();
        let (version, own) = (strings.add(VERSION.as_bytes()), strings.add(OWN_VERSION.as_bytes()));

        let mut out = Writer { bytes: vec![0; 64 + 56 * self.headers()], tables: Vec::new() };
        let table = symbols.iter().zip(&names).flat_map(|(symbol, name)| {
            let head = [&le32(*name as u32)[..], &[symbol.info, symbol.other], &symbol.section.to_le_bytes()].concat();
            [head, words(&[symbol.value, 16])].concat()
        });
        let symtab = out.add(11, [vec![0; 24], table.collect()].concat());
        let strtab = out.add(3, strings.0.clone());
        tags.extend([(6, symtab.0), (11, 24), (5, strtab.0), (10, strtab.1)]);
        if self.hash != Hash::Sysv {
            tags.push((0x6fff_fef5, out.add(0x6fff_fff6, self.gnu_hash(&symbols, imports)).0));
        }
        if self.hash != Hash::Gnu {
            tags.push((4, out.add(5, self.sysv_hash(&symbols)).0));
        }
        if self.needs_libc || self.defines_versions {
            let numbers = std::iter::once(0)
                .chain(symbols.iter().map(|symbol| symbol.version))
                .flat_map(u16::to_le_bytes)
                .collect();
            tags.push((0x6fff_fff0, out.add(0x6fff_ffff, numbers).0));
        }
        if let Some(libc) = libc {
            let need =
                [halves(&[1, 1]), words32(&[libc as u32, 16, 0, sysv(VERSION.as_bytes())]), halves(&[0, 2])].concat();
            let need = [need, words32(&[version as u32, 0])].concat();
            tags.extend([(0x6fff_fffe, out.add(0x6fff_fffe, need).0), (0x6fff_ffff, 1)]);
        }
        if self.defines_versions {
            let define =
                [halves(&[1, 0, 3, 1]), words32(&[sysv(OWN_VERSION.as_bytes()), 20, 0, own as u32, 0])].concat();
            tags.extend([(0x6fff_fffc, out.add(0x6fff_fffd, define).0), (0x6fff_fffd, 1)]);
        }
        let (rela, jmprel, relr) = self.relocations(symbols.len(), imports);
        for (tag, size, kind, table) in
            [(7, 8, 4, words(&rela)), (23, 2, 4, words(&jmprel)), (36, 35, 19, words(&relr))]
        {
            if !table.is_empty() {
                let (at, length) = out.add(kind, table);
                tags.extend([(tag, at), (size, length)]);
            }
        }
        tags.extend([(9, 24), (37, 8)]);
        // Without the table that it is about, glibc crashes.
        tags.extend((!jmprel.is_empty()).then_some((20, 7)));
        let note = out.add(7, [words32(&[4, 8, 3]), b"GNU\0".to_vec(), vec![0xab; 8]].concat());
        let end = out.bytes.len() as u64;
        assert!(end <= TEXT, "the tables fit in front of the code");

        out.bytes.resize(TEXT as usize, 0);
        out.bytes.extend(self.code());
        out.bytes.resize(DATA as usize, 0);
        let (inits, finis) = (self.initialisers(), usize::from(self.finalisers % 3));
        // Contents are what `DT_RELR` relocates; the other kind writes them anyway.
        let slots = (0..inits).chain(0..finis).map(|which| self.text() + 0x20 * which as u64);
        out.bytes.extend(words(&slots.collect::<Vec<_>>()));
        let array = |at: usize, count: usize| (self.data() + 8 * at as u64, 8 * count as u64);
        for ((start, size), (at, length)) in [((25, 27), array(0, inits)), ((26, 28), array(inits, finis))] {
            if length > 0 {
                tags.extend([(start, at), (size, length)]);
            }
        }
        tags.extend(self.init.then(|| (12, self.text() + 0x20 * MOST_INITIALISERS as u64)));
        tags.extend(self.binds_now.then_some((30, 8)));
        tags.push((0, 0));
        let dynamic = (out.bytes.len() as u64, 16 * tags.len() as u64);
        out.bytes.extend(tags.iter().flat_map(|(tag, value)| words(&[*tag, *value])));
        assert!(out.bytes.len() as u64 <= DATA + PAGE, "what becomes read-only is one page");
        out.bytes.resize((DATA + DATA_FILE) as usize, 0);

        for (index, (kind, flags, [offset, address, filesz, memsz, align])) in
            self.segments(end, note, dynamic).into_iter().enumerate()
        {
            let header = [words32(&[kind, flags]), words(&[offset, address, address, filesz, memsz, align])];
            out.put(64 + 56 * index, &header.concat());
        }
        out.finish(self, dynamic)
    }

    /// How many program headers there are.
    fn headers(&self) -> usize {
        let optional = [self.header_segment, self.note, self.tls, self.relro, self.stack != Stack::Missing];
        4 + optional.into_iter().filter(|there| *there).count()
    }

    /// Type, flags, offset, address, size in the file, size in memory and alignment of each program header. The tables end
    /// at `end`; what is handed over are offsets and sizes.
    fn segments(&self, end: u64, note: (u64, u64), dynamic: (u64, u64)) -> Vec<(u32, u32, [u64; 5])> {
        let (table, moved) = (56 * self.headers() as u64, self.data() - DATA);
        let memory = DATA_FILE + u64::from(self.bss);
        let stack = if self.stack == Stack::Executable { 7 } else { 6 };
        let all = [
            (self.header_segment, 6, 4, [64, 64, table, table, 8]),
            (true, 1, 4, [0, 0, end, end, PAGE]),
            (true, 1, 5, [TEXT, self.text(), CODE, CODE, PAGE]),
            (true, 1, 6, [DATA, self.data(), DATA_FILE, memory, PAGE]),
            (true, 2, 6, [dynamic.0, dynamic.0 + moved, dynamic.1, dynamic.1, 8]),
            (self.note, 4, 4, [note.0, note.0, note.1, note.1, 4]),
            (self.tls, 7, 4, [DATA + PAGE + 0x700, self.writable() + 0x700, 16, 32, 8]),
            (self.relro, 0x6474_e552, 4, [DATA, self.data(), PAGE, PAGE, 1]),
            (self.stack != Stack::Missing, 0x6474_e551, stack, [0, 0, 0, 0, 16]),
        ];
        all.into_iter().filter(|segment| segment.0).map(|(_, kind, flags, rest)| (kind, flags, rest)).collect()
    }
}
