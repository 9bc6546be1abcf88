//! Where functions begin, as far as a file says: decoding starts there. A hostile file may say anything, which makes bytes
//! look like something else and costs no more.

use std::cell::OnceCell;

use super::super::bytes::{entry, len, u32_at};
use super::super::object::Object;
use super::Part;

/// The head of `.eh_frame_hdr` as every linker writes it (Linux Standard Base, Exception Frames): version 1, and a table
/// of pairs of 32-bit offsets, sorted by the first, which is relative to the head.
const UNWIND_HEAD: [u8; 4] = [1, 0x1b, 0x03, 0x3b];

/// Before the table: those four bytes, where `.eh_frame` is, and how many pairs there are.
const UNWIND_HEAD_SIZE: usize = 12;

pub(super) struct Anchors<'a> {
    pub(super) object: &'a Object,
    /// `DT_INIT`, initialisers and resolvers, sorted.
    runs: OnceCell<Vec<u64>>,
    /// The pairs of the unwind table, and the address they are relative to.
    unwind: (&'a [[u8; 8]], u64),
}

impl<'a> Anchors<'a> {
    pub(super) fn new(file: &'a [u8], object: &'a Object) -> Self {
        let unwind = object.code.unwind.as_ref().and_then(|part| table(part, file)).unwrap_or_default();
        Self { object, runs: OnceCell::new(), unwind }
    }

    /// The nearest place at or before an address of a part where a function begins; the part's begin if there is none.
    pub(super) fn before(&self, address: u64, part: &Part) -> u64 {
        let functions = self.object.functions();
        let function = functions.partition_point(|(value, ..)| *value <= address).checked_sub(1);
        let function = function.and_then(|at| functions.get(at)).map(|(value, ..)| *value);
        let runs = self.runs.get_or_init(|| {
            let mut runs: Vec<_> = self.object.run_addresses().collect();
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
}

/// The pairs of an unwind table as far as they are there, and the address they are relative to.
fn table<'a>(part: &Part, file: &'a [u8]) -> Option<(&'a [[u8; 8]], u64)> {
    let bytes = part.bytes(file);
    let head = entry::<UNWIND_HEAD_SIZE>(bytes, 0).filter(|head| head.starts_with(&UNWIND_HEAD))?;
    let (pairs, _) = bytes.get(UNWIND_HEAD_SIZE..)?.as_chunks();
    let count = u64::from(u32_at::<8, _>(head)).min(len(pairs.len()));
    Some((pairs.get(..usize::try_from(count).ok()?)?, part.address))
}
