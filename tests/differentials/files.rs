//! Makes every file, each from a plugin that a compiler and a linker made, by one trick. What each trick does to which
//! loader stands in the table of the test.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::editor::*;

/// Where the sources are.
fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/differentials").join(name)
}

/// What keeps a plugin small enough to edit: no start files, one known order of symbols.
const PLAIN: [&str; 9] = [
    "-O1",
    "-fPIC",
    "-fno-builtin",
    "-fno-asynchronous-unwind-tables",
    "-fno-stack-protector",
    "-shared",
    "-nostartfiles",
    "-nostdlib",
    "-fcf-protection=none",
];
const LINK: &str = "-Wl,--build-id=none,-z,now,-z,relro,-z,noexecstack,--no-as-needed";
const NAMED: &str = "-Wl,-soname,libplugin.so";

fn run(compiler: &str, flags: &[&str], source: &Path, out: &Path) {
    let mut command = Command::new(compiler);
    command.args(flags).arg(source).arg("-o").arg(out);
    // A library is looked for in what stands in front of it.
    command.args(flags.contains(&"-nostdlib").then_some("-lc"));
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}; run tests/setup"));
    assert!(output.status.success(), "{command:?}\n{}", String::from_utf8_lossy(&output.stderr));
}

/// A directory of files.
pub(super) struct Files {
    pub(super) directory: PathBuf,
    /// Whether this machine can build programs for musl.
    pub(super) has_musl: bool,
}

impl Files {
    /// Compiles a source of this test and returns the bytes.
    fn compiled(&self, name: &str, from: &str, flags: &[&str]) -> Vec<u8> {
        let path = self.directory.join(name);
        let arguments = [&PLAIN[..], &[LINK, NAMED], flags].concat();
        run("cc", &arguments, &source(from), &path);
        fs::read(path).expect("the compiler wrote it")
    }

    fn base(&self, id: &str, flags: &[&str]) -> Editor {
        Editor::new(self.compiled(&format!("{id}.so"), "base.c", &[&["-Wl,--hash-style=gnu"], flags].concat()))
    }

    fn plain(&self) -> Editor {
        Editor::new(fs::read(self.directory.join("base.so")).expect("made first"))
    }

    fn write(&self, id: &str, bytes: &[u8]) {
        fs::write(self.directory.join(format!("{id}.so")), bytes).expect("write a file");
    }

    /// Makes every file.
    pub(super) fn make(directory: PathBuf) -> Self {
        let has_musl = Command::new("musl-gcc").arg("--version").output().is_ok_and(|output| output.status.success());
        let files = Self { directory, has_musl };
        files.make_all();
        files
    }

    fn make_all(&self) {
        self.base("base", &[]);
        for (name, message, mark) in [("libevil.so", "EVIL-CTOR-RAN", "evil_mark"), ("libgood.so", "good-ctor", "good")]
        {
            let flags = [format!("-DMESSAGE=\"{message}\""), format!("-DLIBRARY_MARK={mark}")];
            let flags = ["-shared", "-fPIC", "-O1", &flags[0], &flags[1], LINK];
            run(
                "cc",
                &[&flags[..], &[&format!("-Wl,-soname,{name}")]].concat(),
                &source("constructor.c"),
                &self.directory.join(name),
            );
        }
        let evil = fs::read(self.directory.join("libevil.so")).expect("made above");
        fs::create_dir_all(self.directory.join("plant")).expect("a directory");
        fs::write(self.directory.join("plant/libm.so.6"), &evil).expect("write a file");
        fs::write(self.directory.join(OsStr::from_bytes(b"lib\xffevil.so")), &evil).expect("write a file");
        run("cc", &["-O1"], &source("tester.c"), &self.directory.join("tester-glibc"));
        if self.has_musl {
            run("musl-gcc", &["-O1"], &source("tester.c"), &self.directory.join("tester-musl"));
        }
        self.controls();
        self.arrays();
        self.names();
        self.relocations();
        self.symbol_counts();
        self.headers();
        self.acts();
        self.crashes();
    }

    fn edit(&self, id: &str, change: impl FnOnce(&mut Editor)) {
        let mut editor = self.plain();
        change(&mut editor);
        self.write(id, &editor.finish());
    }

    fn controls(&self) {
        self.edit("ok00", |_| {});
        self.edit("ok01", Editor::strip_sections);
        self.edit("ok02", |file| {
            let good = file.add_strings(&[b"libgood.so"], 1)[0];
            file.tags.insert(1, (NEEDED, good));
            file.own_array = true;
        });
        self.edit("ok03", |file| {
            let evil = file.add_strings(&[b"libevil.so"], 1)[0];
            file.behind = vec![(NEEDED, evil), (0, 0)];
        });
        self.edit("ok04", |file| file.tags.insert(1, (NEEDED, file.tag(NEEDED))));
        self.edit("ok12", |file| {
            let strings = file.strings();
            file.set_strings(&strings, strings.len() as u64, RW);
        });
        let moved = |id: &str, editor: Editor| self.write(id, &editor.finish());
        moved("ok05", self.base("ok05", &["-Wl,-z,pack-relative-relocs"]));
        moved("ok06", self.base("ok06", &["-Wl,--hash-style=sysv"]));
        moved("ok07", self.base("ok07", &["-Wl,--hash-style=both"]));
        moved("ok08", self.base("ok08", &["-Wl,-z,noseparate-code"]));
        moved("ok09", self.base("ok09", &["-DTHREAD_LOCAL"]));
        moved("ok10", self.base("ok10", &["-DNO_EXPORTS"]));
        let flags = ["-shared", "-fPIC", "-O1", LINK];
        run("c++", &flags, &source("unique.cpp"), &self.directory.join("ok11.so"));
    }

    /// Which dynamic array, and which tags of it.
    fn arrays(&self) {
        // Both arrays are what `PT_DYNAMIC` could mean; the benign one is in the file alone.
        let benign = |file: &mut Editor| {
            let bytes = array(&file.tags);
            (file.raw(&bytes), bytes.len() as u64)
        };
        let with_evil = |file: &mut Editor| file.add_strings(&[b"libevil.so"], 1)[0];
        let mut file = self.plain();
        let evil = with_evil(&mut file);
        let (offset, size) = benign(&mut file);
        file.tags.insert(0, (NEEDED, evil));
        file.place_array();
        let dynamic = file.segment(PT_DYNAMIC);
        (dynamic.offset, dynamic.filesz) = (offset, size);
        self.write("d01", &file.finish_headers());

        let mut file = self.plain();
        let evil = with_evil(&mut file);
        file.write_array();
        let first = *file.segment(PT_DYNAMIC);
        file.tags.insert(0, (NEEDED, evil));
        file.place_array();
        let last = std::mem::replace(file.segment(PT_DYNAMIC), first);
        file.segments.push(last);
        let section = first.vaddr;
        file.move_section(last.vaddr, section, first.filesz);
        self.write("d02", &file.finish_headers());

        let mut file = self.plain();
        let evil = with_evil(&mut file);
        file.tags.push((NEEDED, evil));
        file.place_array();
        file.segment(PT_DYNAMIC).filesz -= 32;
        self.write("d03", &file.finish_headers());

        for (id, tag) in [("d14", AUXILIARY), ("d15", FILTER)] {
            self.edit(id, |file| {
                let evil = with_evil(file);
                file.tags.push((tag, evil));
            });
        }
        // The real table first, and one last in which nothing is found.
        self.edit("d26", |file| {
            let count = file.index("plugin_hello") as u32 + 1;
            let empty: Vec<u8> = [1, count, 1, 0, 0, 0, 0].into_iter().flat_map(u32::to_le_bytes).collect();
            let table = file.add(&empty, R);
            file.tags.push((GNU_HASH, table));
        });
        for (id, evil_last) in [("d27", true), ("d28", false)] {
            self.edit(id, |file| {
                let benign = file.tag(STRTAB);
                let evil = file.add(&renamed(&file.strings()), R);
                let (first, last) = if evil_last { (benign, evil) } else { (evil, benign) };
                file.set(STRTAB, first);
                file.tags.push((STRTAB, last));
            });
        }
        self.edit("d41", |file| file.set(FLAGS_1, file.tag(FLAGS_1) | 0x0800_0000));
    }

    /// Which string table, and which bytes of it.
    fn names(&self) {
        self.edit("d04", |file| {
            let evil = file.add_strings(&[b"libevil.so"], 0)[0];
            file.tags.insert(1, (NEEDED, evil));
        });
        self.edit("d06", |file| {
            let system = file.add_strings(&[b"system"], 0)[0];
            file.rename(file.index("strlen"), system);
        });
        self.edit("d08", |file| {
            let places = file.add_strings(&[b"libm.so.6", b"$ORIGIN/plant"], 1);
            file.tags.insert(1, (NEEDED, places[0]));
            file.tags.push((RUNPATH, places[1]));
        });
        self.edit("d09", |file| {
            let strings = file.strings();
            let first = file.set_strings(&strings, strings.len() as u64, R);
            file.add(&renamed(&strings), R);
            file.segments.last_mut().expect("just added").vaddr = first;
        });
        self.edit("d11", page_before_the_segment);
        self.edit("d16", |file| {
            let good = file.add_strings(&[b"libgood.so"], 1)[0];
            file.set(SONAME, good);
        });
        self.edit("d17", |file| {
            let system = file.add_strings(&[b"system"], 1)[0];
            let strlen = file.index("strlen");
            file.rename(strlen, system);
            file.put(file.symbol(strlen) + 8, &1_u64.to_le_bytes());
        });
        self.edit("d38", |file| {
            let evil = file.add_strings(&[b"lib\xffevil.so"], 1)[0];
            file.tags.insert(1, (NEEDED, evil));
        });
        self.edit("d40", |file| {
            let good = file.add_strings(&[b"libgood.so"], 0)[0];
            file.set(SONAME, good);
        });
        // Section headers that point to benign copies, which are in no segment.
        let mut file = self.plain();
        let old: Vec<_> = [SYMTAB, STRTAB].iter().map(|tag| (file.tag(*tag), file.offset(file.tag(*tag)))).collect();
        let copies = [file.read(old[0].1, 7 * 24).to_vec(), file.strings(), array(&file.tags)];
        let places = file.add_strings(&[b"libevil.so", b"system"], 2);
        file.rename(file.index("strlen"), places[1]);
        file.tags.insert(1, (NEEDED, places[0]));
        file.write_array();
        let array = file.segment(PT_DYNAMIC).vaddr;
        for (address, copy) in [file.tag(SYMTAB), file.tag(STRTAB), array].into_iter().zip(copies) {
            let (table, count, offset) = (file.u64(40), u64::from(file.u16(60)), file.raw(&copy));
            let header = (1..count).map(|index| table + index * 64).find(|at| file.u64(at + 16) == address);
            file.put(header.expect("the table has a section") + 24, &dwords(&[offset, copy.len() as u64]));
        }
        self.write("d29", &file.finish_headers());
    }

    fn relocations(&self) {
        // The name of an import becomes another by a relocation, between two looks of the loader.
        self.edit("d13", |file| {
            let mut strings = file.strings();
            strings.resize(strings.len().next_multiple_of(8), 0);
            let place = strings.len() as u64;
            strings.extend(b"strlen\0\0");
            file.rename(file.index("strlen"), place);
            let table = file.set_strings(&strings, strings.len() as u64, RW);
            file.one_relocation_table(&[[table + place, 17, u64::from_le_bytes(*b"system\0\0")]]);
        });
        self.edit("d21", |file| {
            let count = file.index("plugin_hello") + 1;
            let system = file.add_strings(&[b"system"], 1)[0];
            let strlen = file.index("strlen");
            let mut symbols = file.read(file.symbol(0), count * 24).to_vec();
            let mut hidden = symbols[strlen as usize * 24..][..24].to_vec();
            hidden[..4].copy_from_slice(&(system as u32).to_le_bytes());
            symbols.extend(hidden);
            file.replace(SYMTAB, &symbols, R);
            let mut versions = file.read(file.offset(file.tag(VERSYM)), count * 2).to_vec();
            versions.extend_from_within(strlen as usize * 2..strlen as usize * 2 + 2);
            file.replace(VERSYM, &versions, R);
            let mut relocations = file.read(file.offset(file.tag(JMPREL)), file.tag(PLTRELSZ)).to_vec();
            let entry = relocations.chunks(24).find(|entry| entry[12] == strlen as u8).expect("strlen has a slot");
            let mut entry = entry.to_vec();
            entry[12] = count as u8;
            relocations.extend(entry);
            file.replace(JMPREL, &relocations, R);
            file.set(PLTRELSZ, 49);
        });
        // mov eax, 39 (getpid); syscall; ret
        let code = u64::from_le_bytes([0xb8, 39, 0, 0, 0, 0x0f, 0x05, 0xc3]);
        for (id, flag) in [("d32", true), ("d33", false)] {
            self.edit(id, |file| {
                let abi = file.u64(file.symbol(file.index("plugin_abi")) + 8);
                file.one_relocation_table(&[[abi, 17, code]]);
                if flag {
                    file.set(FLAGS, file.tag(FLAGS) | 4);
                } else {
                    file.tags.push((TEXTREL, 0));
                }
            });
        }
        self.edit("c04", |file| file.set(RELAENT, 16));
        self.edit("c09", |file| file.one_relocation_table(&[[0x1000_u64.wrapping_neg(), 17, 7]]));
    }

    fn symbol_counts(&self) {
        let mut file = self.base("d23", &["-DSECRET", "-Wl,--hash-style=sysv"]);
        file.put(file.offset(file.tag(HASH)) + 4, &1_u32.to_le_bytes());
        self.write("d23", &file.finish());

        // The table that loaders prefer lies where only the rounding to pages maps it.
        let mut file = self.base("d24", &["-DSECRET", "-Wl,--hash-style=both"]);
        file.put(file.offset(file.tag(HASH)) + 4, &1_u32.to_le_bytes());
        let from = file.offset(file.tag(GNU_HASH));
        let size = file.read(from, 0x100).to_vec();
        let mut page = size;
        page.resize(0x808, 0);
        let address = hidden_page(&mut file, &page);
        file.set(GNU_HASH, address);
        self.write("d24", &file.finish());
    }

    fn headers(&self) {
        self.edit("d30", |file| file.segments.retain(|segment| segment.kind != PT_GNU_STACK));
        self.write("d35", &wide_headers(self.plain()));
        self.write("d36", &two_classes(self.plain()));
    }

    fn acts(&self) {
        self.edit("p01", |file| {
            let evil = file.add_strings(&[b"$ORIGIN/libevil.so"], 1)[0];
            file.tags.insert(1, (NEEDED, evil));
        });
        self.edit("p05", |file| {
            file.add(&[0; 64], RWX);
        });
        self.base("d20", &["-DSTUB"]);
        for (id, act) in [("p02", "IFUNC"), ("p03", "SYSCALLS"), ("p06", "WALK"), ("p07", "DLSYM")] {
            self.compiled(&format!("{id}.so"), "acts.c", &["-Wl,--hash-style=gnu", &format!("-DACT_{act}")]);
        }
    }

    fn crashes(&self) {
        // The string table is in the part of a segment that the file does not have.
        let mut file = self.plain();
        file.write_array();
        let mut bytes = file.finish_headers();
        let mut file = Editor::new(std::mem::take(&mut bytes));
        let (offset, vaddr) = (file.raw(&[0; 64]), file.next_page());
        // The headers have room for none, so they move once more.
        file.set(STRTAB, vaddr + 0x8000);
        file.set(STRSZ, 1);
        file.write_array();
        let headers = file.bytes.len() as u64;
        let size = 0x9000;
        let align = PAGE;
        file.segments.push(Segment { kind: PT_LOAD, flags: R, offset, vaddr, filesz: size, memsz: size, align });
        let table: Vec<u8> = file.segments.iter().flat_map(Segment::bytes).collect();
        file.bytes.extend(table);
        file.put(32, &headers.to_le_bytes());
        file.put(56, &(file.segments.len() as u16).to_le_bytes());
        self.write("c01", &file.bytes);

        self.edit("c02", |file| file.set(STRTAB, 0x7f00_0000));
        self.edit("c03", |file| {
            let nothing = file.add_strings(&[b"libnothere.so.9"], 1)[0];
            let need = file.offset(file.tag(VERNEED));
            file.put(need + 4, &(nothing as u32).to_le_bytes());
        });
        self.edit("c07", |file| {
            let empty = Segment { kind: 0, flags: 0, offset: 0, vaddr: 0, filesz: 0, memsz: 0, align: 0 };
            file.segments.resize(65534, empty);
        });
        self.edit("c11", |file| file.segment(PT_GNU_RELRO).memsz = 0x40_0000);
    }
}

/// A string table in which the harmless import is called `system`.
fn renamed(strings: &[u8]) -> Vec<u8> {
    let at = strings.windows(7).position(|name| name == b"strlen\0").expect("the plugin imports strlen");
    [&strings[..at], b"system", &strings[at + 6..]].concat()
}

/// A page of which a segment describes only what follows byte 0x800. Returns the address of the page.
fn hidden_page(file: &mut Editor, page: &[u8]) -> u64 {
    let address = file.add(page, R);
    let load = file.segments.last_mut().expect("just added");
    (load.offset, load.vaddr) = (load.offset + 0x800, load.vaddr + 0x800);
    (load.filesz, load.memsz) = (load.filesz - 0x800, load.memsz - 0x800);
    address
}

/// d11: the table that loaders read cannot be translated by a parser, which then reads offset 0 of the file: there stand
/// the same names, but for one.
fn page_before_the_segment(file: &mut Editor) {
    const SHIFT: u64 = 64;
    let decoy = file.strings();
    let mut evil = vec![0; SHIFT as usize];
    evil.extend(renamed(&decoy));
    evil.resize(0x808, 0);
    let strings = hidden_page(file, &evil);
    // Where the program headers were.
    file.put(SHIFT, &[0; 7 * 56]);
    file.put(SHIFT, &decoy);
    for index in 1..=file.index("plugin_hello") {
        let name = u64::from(file.u32(file.symbol(index)));
        file.rename(index, name + SHIFT);
    }
    let need = file.offset(file.tag(VERNEED));
    for at in [need + 4, need + 16 + 8] {
        let name = file.u32(at) + SHIFT as u32;
        file.put(at, &name.to_le_bytes());
    }
    for tag in [NEEDED, SONAME] {
        file.set(tag, file.tag(tag) + SHIFT);
    }
    file.set(STRTAB, strings);
    file.set(STRSZ, decoy.len() as u64 + SHIFT);
    file.strip_sections();
}

/// d35: program headers of twice their size. Whoever takes them for ordinary ones reads a decoy after each, and never comes
/// to the last.
fn wide_headers(mut file: Editor) -> Vec<u8> {
    let strings = file.strings();
    let mut longer = strings.clone();
    longer.extend(b"libevil.so\0");
    file.set_strings(&longer, longer.len() as u64, R);
    let benign = array(&file.tags);
    let benign_at = file.raw(&benign);
    file.tags.insert(1, (NEEDED, strings.len() as u64));
    file.write_array();
    // The segment of strings comes second, so that a parser can translate its address; the array comes last.
    let strings = file.segments.pop().expect("just added");
    file.segments.insert(1, strings);
    let at = file.segments.iter().position(|segment| segment.kind == PT_DYNAMIC).expect("an array");
    let dynamic = file.segments.remove(at);
    file.segments.push(dynamic);
    let empty = Segment { kind: 0, flags: 0, offset: 0, vaddr: 0, filesz: 0, memsz: 0, align: 0 };
    let size = benign.len() as u64;
    let decoy = Segment { kind: PT_DYNAMIC, offset: benign_at, filesz: size, memsz: size, ..dynamic };
    let decoys = std::iter::once(decoy).chain(std::iter::repeat(empty));
    let table: Vec<u8> =
        file.segments.iter().zip(decoys).flat_map(|(real, decoy)| [real.bytes(), decoy.bytes()].concat()).collect();
    let at = file.raw(&table);
    file.put(32, &at.to_le_bytes());
    file.put(54, &[112_u16.to_le_bytes(), (file.segments.len() as u16).to_le_bytes()].concat());
    file.bytes
}

/// d36: a 64-bit file that says that it is a 32-bit one. The fields of that header lie inside others of this one.
fn two_classes(mut file: Editor) -> Vec<u8> {
    let needed = file.tag(NEEDED) as u32;
    let evil = file.add_strings(&[b"libevil.so"], 1)[0];
    file.tags.insert(1, (NEEDED, evil));
    let (strings, size, symbols) = (file.tag(STRTAB), file.tag(STRSZ), file.tag(SYMTAB));
    let words = |list: &[u32]| list.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<u8>>();
    let array = words(&[1, needed, 5, strings as u32, 10, size as u32, 6, symbols as u32, 11, 16, 0, 0]);
    let (at, length) = (file.raw(&array) as u32, array.len() as u32);
    // Everything is one segment in which addresses of the strings are what they are.
    let offset = file.offset(strings) as u32;
    let load = words(&[1, offset, strings as u32, strings as u32, size as u32, size as u32, 4, 0x1000]);
    let headers = file.raw(&[load, words(&[2, at, at, at, length, length, 6, 4])].concat());
    let mut bytes = file.finish();
    let mut put = |at: usize, value: &[u8]| bytes[at..at + value.len()].copy_from_slice(value);
    put(4, &[1]);
    put(28, &(headers as u32).to_le_bytes());
    // e_shoff of the 64-bit header, with e_phentsize and e_phnum of the other one inside; no sections.
    put(40, &[52, 0, 32, 0, 2, 0, 0, 0]);
    put(58, &[0; 6]);
    bytes
}
