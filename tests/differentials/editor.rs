//! Edits a shared object as a loader reads it: header, program headers, dynamic array. The program headers move to the end
//! of the file, so that segments can be added, and the sections are made to agree, so that the trick of a file is its only
//! defect.

pub(super) const PAGE: u64 = 0x1000;

pub(super) const PT_LOAD: u32 = 1;
pub(super) const PT_DYNAMIC: u32 = 2;
pub(super) const PT_GNU_STACK: u32 = 0x6474_e551;
pub(super) const PT_GNU_RELRO: u32 = 0x6474_e552;

pub(super) const R: u32 = 4;
pub(super) const RW: u32 = 6;
pub(super) const RWX: u32 = 7;

pub(super) const NEEDED: u64 = 1;
pub(super) const PLTRELSZ: u64 = 2;
pub(super) const HASH: u64 = 4;
pub(super) const STRTAB: u64 = 5;
pub(super) const SYMTAB: u64 = 6;
pub(super) const RELA: u64 = 7;
pub(super) const RELASZ: u64 = 8;
pub(super) const RELAENT: u64 = 9;
pub(super) const STRSZ: u64 = 10;
pub(super) const SONAME: u64 = 14;
pub(super) const PLTREL: u64 = 20;
pub(super) const TEXTREL: u64 = 22;
pub(super) const JMPREL: u64 = 23;
pub(super) const RUNPATH: u64 = 29;
pub(super) const FLAGS: u64 = 30;
pub(super) const GNU_HASH: u64 = 0x6fff_fef5;
pub(super) const VERSYM: u64 = 0x6fff_fff0;
pub(super) const FLAGS_1: u64 = 0x6fff_fffb;
pub(super) const VERNEED: u64 = 0x6fff_fffe;
pub(super) const AUXILIARY: u64 = 0x7fff_fffd;
pub(super) const FILTER: u64 = 0x7fff_ffff;

/// A program header.
#[derive(Clone, Copy)]
pub(super) struct Segment {
    pub(super) kind: u32,
    pub(super) flags: u32,
    pub(super) offset: u64,
    pub(super) vaddr: u64,
    pub(super) filesz: u64,
    pub(super) memsz: u64,
    pub(super) align: u64,
}

impl Segment {
    pub(super) fn bytes(&self) -> Vec<u8> {
        let words = [self.offset, self.vaddr, self.vaddr, self.filesz, self.memsz, self.align];
        [self.kind.to_le_bytes(), self.flags.to_le_bytes()].concat().into_iter().chain(dwords(&words)).collect()
    }
}

/// A file that is being edited.
pub(super) struct Editor {
    pub(super) bytes: Vec<u8>,
    pub(super) segments: Vec<Segment>,
    /// The dynamic array without its end.
    pub(super) tags: Vec<(u64, u64)>,
    /// Whether the dynamic array gets a segment of its own; otherwise it has to fit where it is.
    pub(super) own_array: bool,
    /// Bytes of the array's entries behind its end, inside what `PT_DYNAMIC` describes.
    pub(super) behind: Vec<(u64, u64)>,
}

pub(super) fn dwords(list: &[u64]) -> Vec<u8> {
    list.iter().flat_map(|word| word.to_le_bytes()).collect()
}

/// A dynamic array as bytes, with its end.
pub(super) fn array(tags: &[(u64, u64)]) -> Vec<u8> {
    tags.iter().chain([&(0, 0)]).flat_map(|(tag, value)| dwords(&[*tag, *value])).collect()
}

impl Editor {
    pub(super) fn new(bytes: Vec<u8>) -> Self {
        let mut editor = Self { bytes, segments: Vec::new(), tags: Vec::new(), own_array: false, behind: Vec::new() };
        let (table, count) = (editor.u64(32), editor.u16(56));
        for at in (0..u64::from(count)).map(|index| table + index * 56) {
            let segment = Segment {
                kind: editor.u32(at),
                flags: editor.u32(at + 4),
                offset: editor.u64(at + 8),
                vaddr: editor.u64(at + 16),
                filesz: editor.u64(at + 32),
                memsz: editor.u64(at + 40),
                align: editor.u64(at + 48),
            };
            editor.segments.push(segment);
        }
        let array = *editor.segment(PT_DYNAMIC);
        for at in (array.offset..array.offset + array.filesz).step_by(16) {
            match (editor.u64(at), editor.u64(at + 8)) {
                (0, _) => break,
                entry => editor.tags.push(entry),
            }
        }
        editor
    }

    pub(super) fn u16(&self, at: u64) -> u16 {
        u16::from_le_bytes(self.read(at, 2).try_into().expect("two bytes"))
    }

    pub(super) fn u32(&self, at: u64) -> u32 {
        u32::from_le_bytes(self.read(at, 4).try_into().expect("four bytes"))
    }

    pub(super) fn u64(&self, at: u64) -> u64 {
        u64::from_le_bytes(self.read(at, 8).try_into().expect("eight bytes"))
    }

    pub(super) fn read(&self, at: u64, size: u64) -> &[u8] {
        &self.bytes[at as usize..(at + size) as usize]
    }

    pub(super) fn put(&mut self, at: u64, bytes: &[u8]) {
        self.bytes[at as usize..at as usize + bytes.len()].copy_from_slice(bytes);
    }

    /// The first segment of a kind.
    pub(super) fn segment(&mut self, kind: u32) -> &mut Segment {
        self.segments.iter_mut().find(|segment| segment.kind == kind).expect("the file has the segment")
    }

    /// The value of a tag.
    pub(super) fn tag(&self, tag: u64) -> u64 {
        self.tags.iter().find(|(name, _)| *name == tag).expect("the file has the tag").1
    }

    /// Changes or adds a tag.
    pub(super) fn set(&mut self, tag: u64, value: u64) {
        match self.tags.iter_mut().find(|(name, _)| *name == tag) {
            Some(entry) => entry.1 = value,
            None => self.tags.push((tag, value)),
        }
    }

    /// Where an address is in the file.
    pub(super) fn offset(&self, address: u64) -> u64 {
        let holds = |load: &&Segment| load.kind == PT_LOAD && (load.vaddr..load.vaddr + load.filesz).contains(&address);
        let load = self.segments.iter().find(holds).expect("the address is in the file");
        address - load.vaddr + load.offset
    }

    /// The first page above everything that is mapped.
    pub(super) fn next_page(&self) -> u64 {
        let loads = self.segments.iter().filter(|segment| segment.kind == PT_LOAD);
        loads.map(|load| load.vaddr + load.memsz).max().expect("a load").next_multiple_of(PAGE)
    }

    /// Bytes at the next page of the file, in no segment. Returns their offset.
    pub(super) fn raw(&mut self, bytes: &[u8]) -> u64 {
        let at = self.bytes.len().next_multiple_of(PAGE as usize);
        self.bytes.resize(at, 0);
        self.bytes.extend(bytes);
        at as u64
    }

    /// Bytes in a segment of their own above all others. Returns their address.
    pub(super) fn add(&mut self, bytes: &[u8], flags: u32) -> u64 {
        let (offset, vaddr, size) = (self.raw(bytes), self.next_page(), bytes.len() as u64);
        self.segments.push(Segment { kind: PT_LOAD, flags, offset, vaddr, filesz: size, memsz: size, align: PAGE });
        vaddr
    }

    /// Makes the section that describes the table at `from` describe the one at `to`.
    pub(super) fn move_section(&mut self, from: u64, to: u64, size: u64) {
        let (table, count) = (self.u64(40), u64::from(self.u16(60)));
        let offset = self.offset(to);
        let header = (1..count).map(|index| table + index * 64).find(|at| self.u64(at + 16) == from);
        if let Some(at) = header {
            self.put(at + 16, &dwords(&[to, offset, size]));
        }
    }

    /// Puts a table that a tag names into a segment of its own.
    pub(super) fn replace(&mut self, tag: u64, bytes: &[u8], flags: u32) -> u64 {
        let (from, to) = (self.tag(tag), self.add(bytes, flags));
        self.move_section(from, to, bytes.len() as u64);
        self.set(tag, to);
        to
    }

    /// The dynamic string table.
    pub(super) fn strings(&self) -> Vec<u8> {
        self.read(self.offset(self.tag(STRTAB)), self.tag(STRSZ)).to_vec()
    }

    /// Replaces the string table by one with more strings at its end, of which the first `inside` are in `DT_STRSZ`.
    /// Returns where they are.
    pub(super) fn add_strings(&mut self, more: &[&[u8]], inside: usize) -> Vec<u64> {
        let mut table = self.strings();
        let mut size = table.len();
        let mut places = Vec::new();
        for (index, string) in more.iter().enumerate() {
            places.push(table.len() as u64);
            table.extend(*string);
            table.push(0);
            if index < inside {
                size = table.len();
            }
        }
        self.set_strings(&table, size as u64, R);
        places
    }

    /// Replaces the string table.
    pub(super) fn set_strings(&mut self, table: &[u8], size: u64, flags: u32) -> u64 {
        let from = self.tag(STRTAB);
        let to = self.add(table, flags);
        self.move_section(from, to, size);
        self.set(STRTAB, to);
        self.set(STRSZ, size);
        to
    }

    /// Where the entry of a symbol is in the file.
    pub(super) fn symbol(&self, index: u64) -> u64 {
        self.offset(self.tag(SYMTAB)) + index * 24
    }

    /// The number of the symbol of a name.
    pub(super) fn index(&self, name: &str) -> u64 {
        let strings = self.strings();
        let named = |index: &u64| {
            let at = self.u32(self.symbol(*index)) as usize;
            strings[at..].starts_with(&[name.as_bytes(), b"\0"].concat())
        };
        (1..64).find(named).expect("the file has the symbol")
    }

    /// Makes a symbol bear the name at a place of the string table.
    pub(super) fn rename(&mut self, index: u64, name: u64) {
        let at = self.symbol(index);
        self.put(at, &(name as u32).to_le_bytes());
    }

    /// One table of both kinds of relocations with others between them, so that every loader applies them in one order.
    pub(super) fn one_relocation_table(&mut self, between: &[[u64; 3]]) {
        let mut table = self.read(self.offset(self.tag(RELA)), self.tag(RELASZ)).to_vec();
        table.extend(between.iter().flat_map(|entry| dwords(entry)));
        table.extend(self.read(self.offset(self.tag(JMPREL)), self.tag(PLTRELSZ)));
        self.replace(RELA, &table, R);
        self.set(RELASZ, table.len() as u64);
        self.tags.retain(|(tag, _)| ![JMPREL, PLTRELSZ, PLTREL].contains(tag));
    }

    /// Puts the dynamic array into a segment of its own and returns that segment's number; `PT_DYNAMIC` and the section follow.
    pub(super) fn place_array(&mut self) -> u64 {
        let mut bytes = array(&self.tags);
        bytes.extend(self.behind.iter().flat_map(|(tag, value)| dwords(&[*tag, *value])));
        let old = *self.segment(PT_DYNAMIC);
        let size = bytes.len() as u64;
        let vaddr = self.add(&bytes, RW);
        let offset = self.offset(vaddr);
        let new = self.segment(PT_DYNAMIC);
        (new.offset, new.vaddr, new.filesz, new.memsz) = (offset, vaddr, size, size);
        self.move_section(old.vaddr, vaddr, size);
        vaddr
    }

    /// Writes the dynamic array where it belongs.
    pub(super) fn write_array(&mut self) {
        if self.own_array || !self.behind.is_empty() {
            self.place_array();
            return;
        }
        let place = *self.segment(PT_DYNAMIC);
        let mut bytes = array(&self.tags);
        assert!(bytes.len() as u64 <= place.filesz, "the dynamic array has room");
        bytes.resize(place.filesz as usize, 0);
        self.put(place.offset, &bytes);
    }

    /// The file, with its program headers in a segment at the end.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.write_array();
        self.finish_headers()
    }

    /// The file, with its dynamic array left as it is.
    pub(super) fn finish_headers(mut self) -> Vec<u8> {
        let size = (self.segments.len() as u64 + 1) * 56;
        let vaddr = self.add(&vec![0; size as usize], R);
        let offset = self.offset(vaddr);
        let table: Vec<u8> = self.segments.iter().flat_map(Segment::bytes).collect();
        self.put(offset, &table);
        self.put(32, &offset.to_le_bytes());
        let count = self.segments.len() as u16;
        self.put(54, &[56_u16.to_le_bytes(), count.to_le_bytes()].concat());
        self.bytes
    }

    /// Takes the section headers away.
    pub(super) fn strip_sections(&mut self) {
        self.put(40, &[0; 8]);
        self.put(60, &[0; 4]);
    }
}
