//! Bytes of a described file: its tables one behind the other, the section headers and the ELF header.

use super::{DATA, Shape};

/// A file while it is made: tables in front of the code, at addresses that are their offsets.
pub(super) struct Writer {
    pub(super) bytes: Vec<u8>,
    /// Section type, offset and size.
    pub(super) tables: Vec<(u32, u64, u64)>,
}

impl Writer {
    pub(super) fn add(&mut self, kind: u32, table: Vec<u8>) -> (u64, u64) {
        let at = self.bytes.len().next_multiple_of(8);
        self.bytes.resize(at, 0);
        let place = (at as u64, table.len() as u64);
        self.tables.push((kind, place.0, place.1));
        self.bytes.extend(table);
        place
    }

    pub(super) fn put(&mut self, at: usize, bytes: &[u8]) {
        self.bytes[at..at + bytes.len()].copy_from_slice(bytes);
    }

    pub(super) fn finish(mut self, shape: &Shape, dynamic: (u64, u64)) -> Vec<u8> {
        let (mut shoff, mut count) = (0, 0);
        if shape.sections {
            // The dynamic symbols are section 1 and their strings section 2.
            let moved = shape.data() - DATA;
            let tables = self.tables.iter().map(|table| (table.0, table.1, table.1, table.2));
            let sections: Vec<_> = tables.chain([(6, dynamic.0, dynamic.0 + moved, dynamic.1)]).collect();
            shoff = self.bytes.len() as u64;
            count = sections.len() as u16 + 1;
            self.bytes.extend([0; 64]);
            for (kind, offset, address, size) in sections {
                let link = if matches!(kind, 3 | 7) {
                    0
                } else if matches!(kind, 11 | 6 | 0x6fff_fffd | 0x6fff_fffe) {
                    2
                } else {
                    1
                };
                let info = u32::from(matches!(kind, 11 | 0x6fff_fffd | 0x6fff_fffe));
                let entry = match kind {
                    11 | 4 => 24,
                    6 => 16,
                    0x6fff_ffff => 2,
                    _ => 0,
                };
                let header = [words32(&[0, kind]), words(&[2, address, offset, size]), words32(&[link, info])];
                self.bytes.extend([header.concat(), words(&[8, entry])].concat());
            }
        }
        self.bytes.splice(..7, *b"\x7fELF\x02\x01\x01");
        self.put(16, &halves(&[3, 62]));
        self.put(20, &words32(&[1]));
        self.put(32, &words(&[64, shoff]));
        self.put(52, &halves(&[64, 56, shape.headers() as u16, 64, count, 0]));
        self.bytes
    }
}
pub(super) fn le32(word: u32) -> [u8; 4] {
    word.to_le_bytes()
}

pub(super) fn words(list: &[u64]) -> Vec<u8> {
    list.iter().flat_map(|word| word.to_le_bytes()).collect()
}

pub(super) fn words32(list: &[u32]) -> Vec<u8> {
    list.iter().flat_map(|word| word.to_le_bytes()).collect()
}

pub(super) fn halves(list: &[u16]) -> Vec<u8> {
    list.iter().flat_map(|word| word.to_le_bytes()).collect()
}
