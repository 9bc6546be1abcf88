//! What a cell tells its host while it lives: calls that were refused with an error instead of ending it. A short ring in
//! the replies half, written by the signal handler; the newest entries stay.
//!
//! All of it is the cell's claim: a plugin shares the cell's memory and could have written it.

use std::ffi::c_char;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::shared::Mapping;

/// Entries of the ring. A host that looks after every call misses none of a plugin that tries fewer between two looks.
pub const REPORTS: usize = 8;

/// Most bytes of a path that are kept.
const PATH: usize = 256;

/// One refused call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Who refused it.
    pub refused: Refused,
    /// Its number.
    pub syscall: u32,
    /// Its arguments.
    pub arguments: [u64; 6],
    /// Where the program stood.
    pub instruction: u64,
    /// Probable return addresses into the plugin.
    pub callers: Vec<u64>,
    /// The path it named, at most 256 bytes; of `connect(2)` and `bind(2)` the first 8 bytes of the address.
    pub path: Option<Vec<u8>>,
}

/// Who refused a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// A seccomp filter, which answered `EPERM`.
    Filter,
    /// The kernel, with this error number, after the filters let the call through: Landlock, or the file's own permissions.
    Kernel(i32),
}

/// 64-bit words, from the start of the replies half: the count, then the entries. In front of it is the note of `incident`.
mod place {
    pub(super) const COUNT: usize = 64;
    pub(super) const FIRST: usize = COUNT + 1;

    /// Words of an entry.
    pub(super) const REFUSED: usize = 0;
    pub(super) const SYSCALL: usize = 1;
    pub(super) const ARGUMENTS: usize = 2;
    pub(super) const INSTRUCTION: usize = 8;
    pub(super) const CALLERS: usize = 9;
    pub(super) const LENGTH: usize = 11;
    pub(super) const PATH: usize = 12;
    pub(super) const WORDS: usize = PATH + super::PATH / 8;

    pub(super) const END: usize = FIRST + super::REPORTS * WORDS;
}

// The ring lies on the first page, which belongs to no lane.
const _: () = assert!(place::END * size_of::<u64>() <= 4096);

/// Bytes from the start of the half to the end of the ring.
pub(crate) const END: usize = place::END * size_of::<u64>();

/// No path.
const NONE: u64 = u64::MAX;

/// Reads what came after the first `seen` reports, oldest first, and how many there are by now.
pub(crate) fn read(replies: &Mapping, seen: u64) -> (Vec<Report>, u64) {
    let load = |index: usize| replies.long(index * size_of::<u64>()).load(Ordering::Relaxed);
    let count = replies.long(place::COUNT * size_of::<u64>()).load(Ordering::Acquire);
    let new = count.saturating_sub(seen).min(REPORTS as u64);
    let entry = |number: u64| {
        let base = place::FIRST + (number % REPORTS as u64) as usize * place::WORDS;
        let refused = match load(base + place::REFUSED) {
            0 => Refused::Filter,
            errno => Refused::Kernel(errno as i32),
        };
        let mut arguments = [0; 6];
        for (index, argument) in arguments.iter_mut().enumerate() {
            *argument = load(base + place::ARGUMENTS + index);
        }
        let callers = [0, 1].map(|index: usize| load(base + place::CALLERS + index));
        let path = Some(load(base + place::LENGTH)).filter(|length| *length != NONE).map(|length| {
            let bytes = (0..PATH / 8).flat_map(|index| load(base + place::PATH + index).to_ne_bytes());
            bytes.take(length.min(PATH as u64) as usize).collect()
        });
        Report {
            refused,
            syscall: load(base + place::SYSCALL) as u32,
            arguments,
            instruction: load(base + place::INSTRUCTION),
            callers: callers.into_iter().filter(|caller| *caller != 0).collect(),
            path,
        }
    };
    ((count - new..count).map(entry).collect(), count)
}

/// What a handler knows of a refused call.
pub(crate) struct Refusal<'a> {
    pub(crate) refused: Refused,
    pub(crate) syscall: u32,
    pub(crate) arguments: &'a [u64; 6],
    pub(crate) instruction: u64,
    pub(crate) callers: [u64; 2],
    pub(crate) names: Names,
}

/// What a refused call names.
pub(crate) enum Names {
    /// Nothing that is kept.
    Nothing,
    /// A path; null where there is none.
    Path(*const c_char),
    /// A socket address, of which the first 8 bytes are kept: family, port, and where it is IPv4 the address.
    Address(*const u8),
}

/// Writes a report. Called in a signal handler.
///
/// # Safety
/// `base` must point to at least [`END`] bytes, aligned and never unmapped, that only atomics touch. What is named is null, or
/// a string or address that the kernel just read; where it is gone since, this process ends, as is right for it.
pub(crate) unsafe fn write(base: *mut u64, refusal: &Refusal<'_>) {
    let set = |index: usize, value: u64| {
        // SAFETY: all indices are below `place::END`, which lies inside by this function's contract.
        let word = unsafe { base.add(index) };
        // SAFETY: aligned, mapped, and accessed only atomically.
        unsafe { AtomicU64::from_ptr(word) }.store(value, Ordering::Relaxed);
    };
    // SAFETY: as in `set`.
    let count = unsafe { base.add(place::COUNT) };
    // SAFETY: as in `set`.
    let count = unsafe { AtomicU64::from_ptr(count) };
    let entry = place::FIRST + (count.load(Ordering::Relaxed) % REPORTS as u64) as usize * place::WORDS;
    let refused = match refusal.refused {
        Refused::Filter => 0,
        Refused::Kernel(errno) => errno as u64,
    };
    set(entry + place::REFUSED, refused);
    set(entry + place::SYSCALL, refusal.syscall.into());
    for (index, argument) in refusal.arguments.iter().enumerate() {
        set(entry + place::ARGUMENTS + index, *argument);
    }
    set(entry + place::INSTRUCTION, refusal.instruction);
    for (index, caller) in refusal.callers.into_iter().enumerate() {
        set(entry + place::CALLERS + index, caller);
    }
    let (start, most, ends) = match refusal.names {
        Names::Nothing => (std::ptr::null(), 0, false),
        Names::Path(path) => (path.cast::<u8>(), PATH, true),
        Names::Address(address) => (address, 8, false),
    };
    let mut length = if start.is_null() { NONE } else { 0 };
    let mut word = [0; 8];
    while !start.is_null() && (length as usize) < most {
        // SAFETY: not past the end of the string or address by this function's contract.
        let place = unsafe { start.add(length as usize) };
        // SAFETY: as above.
        let byte = unsafe { place.read_volatile() };
        if ends && byte == 0 {
            break;
        }
        if let Some(place) = word.get_mut(length as usize % 8) {
            *place = byte;
        }
        set(entry + place::PATH + length as usize / 8, u64::from_ne_bytes(word));
        length += 1;
        if length.is_multiple_of(8) {
            word = [0; 8];
        }
    }
    set(entry + place::LENGTH, length);
    // Two threads that write at once spoil an entry, which is a claim anyway.
    count.fetch_add(1, Ordering::Release);
}
