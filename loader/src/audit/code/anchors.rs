//! Where functions begin, as far as a file says: decoding starts there. A hostile file may say anything, which makes bytes
//! look like something else and costs no more.

use std::cell::OnceCell;

use super::super::bytes::{entry, len, u32_at};
use super::super::object::Object;
use super::super::symbols::Entry;
use super::Part;

/// The head of `.eh_frame_hdr` as every linker writes it (Linux Standard Base, Exception Frames): version 1, and a table
/// of pairs of 32-bit offsets, sorted by the first, which is relative to the head.
const UNWIND_HEAD: [u8; 4] = [1, 0x1b, 0x03, 0x3b];

/// Before the table: those four bytes, where `.eh_frame` is, and how many pairs there are.
const UNWIND_HEAD_SIZE: usize = 12;

pub(super) struct Anchors<'a> {
    pub(super) object: &'a Object,
    /// Functions by address, of several the longest last. Sorted when they are first asked for: most files have no finds.
    functions: OnceCell<Vec<&'a Entry>>,
    /// `DT_INIT`, initialisers and resolvers, sorted.
    runs: OnceCell<Vec<u64>>,
    /// The pairs of the unwind table, and the address they are relative to.
    unwind: (&'a [[u8; 8]], u64),
}

impl<'a> Anchors<'a> {
    pub(super) fn new(file: &'a [u8], object: &'a Object) -> Self {
        let unwind = object.code.unwind.as_ref().and_then(|part| table(part, file)).unwrap_or_default();
        Self { object, functions: OnceCell::new(), runs: OnceCell::new(), unwind }
    }

    /// The nearest place at or before an address of a part where a function begins; the part's begin if there is none.
    pub(super) fn before(&self, address: u64, part: &Part) -> u64 {
        let functions = self.functions();
        let function = functions.partition_point(|entry| entry.value <= address).checked_sub(1);
        let function = function.and_then(|at| functions.get(at)).map(|entry| entry.value);
        let runs = self.runs.get_or_init(|| {
            let mut runs: Vec<_> = self.object.runs().filter_map(|run| run.address).collect();
            runs.sort_unstable();
            runs
        });
        let run = runs.partition_point(|run| *run <= address).checked_sub(1).and_then(|at| runs.get(at)).copied();
        let (pairs, base) = self.unwind;
        let begin = |pair: &[u8; 8]| base.wrapping_add_signed(i64::from(u32_at::<0, _>(pair).cast_signed()));
        let pair = pairs.partition_point(|pair| begin(pair) <= address).checked_sub(1).and_then(|at| pairs.get(at));
        // A table that is not sorted can lead behind the address.
        let frame = pair.map(begin).filter(|begin| *begin <= address);
        [function, run, frame].into_iter().flatten().max().unwrap_or(0).max(part.address)
    }

    /// The function that an address lies in or behind, as [`Object::symbol_at`] finds it, and how far from its start.
    pub(super) fn symbol(&self, address: u64) -> Option<(&'a str, u64)> {
        let load =
            self.object.loads.iter().find(|load| address.checked_sub(load.address).is_some_and(|at| at < load.size))?;
        let functions = self.functions();
        let at = functions.partition_point(|entry| entry.value <= address).checked_sub(1)?;
        let nearest = functions.get(at).filter(|entry| entry.value >= load.address)?;
        Some((self.object.string(nearest.name), address.checked_sub(nearest.value)?))
    }

    fn functions(&self) -> &[&'a Entry] {
        self.functions.get_or_init(|| {
            let functions = self.object.symbols.iter().filter(|entry| entry.defined() && entry.function());
            let mut functions: Vec<_> = functions.collect();
            functions.sort_unstable_by_key(|entry| (entry.value, entry.size));
            functions
        })
    }
}

/// The pairs of an unwind table as far as they are there, and the address they are relative to.
fn table<'a>(part: &Part, file: &'a [u8]) -> Option<(&'a [[u8; 8]], u64)> {
    let bytes = part.bytes(file);
    let head = entry::<UNWIND_HEAD_SIZE>(bytes, 0).filter(|head| head.starts_with(&UNWIND_HEAD))?;
    let (pairs, _) = bytes.get(UNWIND_HEAD_SIZE..)?.as_chunks();
    let count = u64::from(u32_at::<8, _>(head)).min(len(pairs.len()));
    Some((pairs.get(..usize::try_from(count).ok()?)?, part.address))
}
