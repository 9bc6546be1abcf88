//! Relocations, hash tables and code of a described file.

use super::write::{le32, words32};
use super::{CODE, MOST, MOST_INITIALISERS, Relocation, Shape, Sym};

impl Shape {
    /// `DT_RELA`, `DT_JMPREL` and `DT_RELR`.
    pub(super) fn relocations(&self, symbols: usize, imports: usize) -> (Vec<u64>, Vec<u64>, Vec<u64>) {
        let (mut rela, mut jmprel, mut relr) = (Vec::new(), Vec::new(), Vec::new());
        for which in 0..self.initialisers() + usize::from(self.finalisers % 3) {
            let slot = self.data() + 8 * which as u64;
            let content = if which < self.initialisers() { which } else { which - self.initialisers() };
            if self.packed {
                relr.push(slot);
            } else {
                rela.extend([slot, 8, self.text() + 0x20 * content as u64]);
            }
        }
        // A protected or hidden function of an own IFUNC may not be bound by name on every loader; imports always.
        let symbol = |which: u8| 1 + u64::from(which) % (imports.max(1).min(symbols) as u64);
        for relocation in self.relocations.iter().take(MOST) {
            match *relocation {
                Relocation::Relative(slot) => rela.extend([self.slot(slot), 8, self.text()]),
                Relocation::Address(slot, which) => rela.extend([self.slot(slot), symbol(which) << 32 | 6, 0]),
                Relocation::Slot(slot, which) => jmprel.extend([self.slot(slot), symbol(which) << 32 | 7, 0]),
                Relocation::Irelative(slot) => rela.extend([self.slot(slot), 37, self.text() + 0x1e0]),
                Relocation::Module(slot) if self.tls => rela.extend([self.slot(slot), 16, 0]),
                Relocation::Module(_) => {}
            }
        }
        (rela, jmprel, relr)
    }

    pub(super) fn gnu_hash(&self, symbols: &[Sym], imports: usize) -> Vec<u8> {
        // One bucket: more would need the symbols sorted by it. A filter that lets everything pass.
        let hash =
            |name: &[u8]| name.iter().fold(5381_u32, |hash, byte| hash.wrapping_mul(33).wrapping_add((*byte).into()));
        let mut chain: Vec<_> = symbols.iter().skip(imports).map(|symbol| hash(&symbol.name) & !1).collect();
        if let Some(last) = chain.last_mut() {
            *last |= 1;
        }
        let bloom = 1_usize << (self.buckets % 3);
        let first = imports as u32 + 1;
        let filter = std::iter::repeat_n(u32::MAX, 2 * bloom);
        let head = [1, first, bloom as u32, 6];
        words32(&head.into_iter().chain(filter).chain([first]).chain(chain).collect::<Vec<_>>())
    }

    pub(super) fn sysv_hash(&self, symbols: &[Sym]) -> Vec<u8> {
        let count = 1 + usize::from(self.buckets % 4);
        let (mut buckets, mut chains) = (vec![0; count], vec![0; symbols.len() + 1]);
        for (index, symbol) in symbols.iter().enumerate() {
            let bucket = sysv(&symbol.name) as usize % count;
            chains[index + 1] = std::mem::replace(&mut buckets[bucket], index as u32 + 1);
        }
        words32(&[vec![count as u32, chains.len() as u32], buckets, chains].concat())
    }

    /// Initialisers at every 32 bytes, then [`RAN`], a resolver, and functions that return their number.
    pub(super) fn code(&self) -> Vec<u8> {
        let mut code = vec![0xcc; CODE as usize];
        let mut put = |at: usize, bytes: &[&[u8]]| {
            let bytes = bytes.concat();
            code[at..at + bytes.len()].copy_from_slice(&bytes);
        };
        let distance = |to: u64, from: u64| le32((to as i64 - from as i64) as u32);
        for which in 0..=MOST_INITIALISERS {
            let at = 0x20 * which;
            // or dword [rip + word], bit; ret
            let word = distance(self.writable(), self.text() + at as u64 + 10);
            put(at, &[&[0x81, 0x0d], &word, &le32(1 << which), &[0xc3]]);
        }
        // mov eax, [rip + word]; ret
        put(0x1c0, &[&[0x8b, 0x05], &distance(self.writable(), self.text() + 0x1c6), &[0xc3]]);
        // lea rax, [rip + function 0]; ret
        put(0x1e0, &[&[0x48, 0x8d, 0x05], &distance(self.function(0), self.text() + 0x1e7), &[0xc3]]);
        for which in 0..MOST {
            // mov eax, number; ret
            put(0x200 + 16 * which, &[&[0xb8], &le32(which as u32), &[0xc3]]);
        }
        code
    }
}

/// The hash of System V (gABI, "Hash Table").
pub(super) fn sysv(name: &[u8]) -> u32 {
    name.iter().fold(0, |hash: u32, byte| {
        let hash = (hash << 4).wrapping_add((*byte).into());
        (hash ^ (hash & 0xf000_0000) >> 24) & 0x0fff_ffff
    })
}
