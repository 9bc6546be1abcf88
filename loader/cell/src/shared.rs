//! Mapped memory that another process may change: every load and store of it is in this file.
//!
//! No reference to shared memory is ever made except to an atomic: words are `AtomicU32` and `AtomicU64`, and bytes are
//! copied in and out through them, so that a peer that writes at the wrong moment can make the copy a mixture but
//! nothing worse.

use std::io;
use std::num::NonZeroUsize;
use std::os::fd::BorrowedFd;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};

use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

/// A mapping of a whole file, undone when dropped.
#[derive(Debug)]
pub(crate) struct Mapping {
    base: NonNull<u8>,
    /// `None` for an empty file, which cannot be mapped and needs no mapping.
    length: Option<NonZeroUsize>,
    writable: bool,
}

// SAFETY: a mapping is an address range of the process, not of a thread, and every access to it is atomic or read-only.
unsafe impl Send for Mapping {}
// SAFETY: as above; there is no unsynchronised interior state.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Maps `length` bytes of a file that is sealed against change, for reading only.
    pub(crate) fn sealed(fd: BorrowedFd<'_>, length: usize) -> io::Result<Self> {
        // Private: a shared mapping of a write-sealed file is refused before Linux 6.7.
        Self::new(fd, length, ProtFlags::READ, MapFlags::PRIVATE | MapFlags::POPULATE)
    }

    /// Maps `length` bytes that a peer also maps. The file must be sealed against shrinking: otherwise the peer could
    /// make any access a `SIGBUS`.
    pub(crate) fn shared(fd: BorrowedFd<'_>, length: usize, writable: bool) -> io::Result<Self> {
        let protection = if writable { ProtFlags::READ | ProtFlags::WRITE } else { ProtFlags::READ };
        Self::new(fd, length, protection, MapFlags::SHARED)
    }

    fn new(fd: BorrowedFd<'_>, length: usize, protection: ProtFlags, flags: MapFlags) -> io::Result<Self> {
        let writable = protection.contains(ProtFlags::WRITE);
        let Some(nonzero) = NonZeroUsize::new(length) else {
            return Ok(Self { base: NonNull::dangling(), length: None, writable });
        };
        // SAFETY: a null hint lets the kernel choose an unused range, so no existing mapping is replaced.
        let address = unsafe { mmap(ptr::null_mut(), length, protection, flags, fd, 0) }?;
        let base = NonNull::new(address.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self { base, length: Some(nonzero), writable })
    }

    /// Bytes of the mapping.
    pub(crate) fn len(&self) -> usize {
        self.length.map_or(0, NonZeroUsize::get)
    }

    /// The bytes of a mapping made by [`Mapping::sealed`].
    ///
    /// # Panics
    /// When the mapping is writable, which would mean that the file is not sealed.
    pub(crate) fn sealed_bytes(&self) -> &[u8] {
        assert!(!self.writable, "a shared mapping has no plain bytes");
        // SAFETY: `base` is valid for `len` bytes until drop, and the file's seals keep every process from changing
        // them; for an empty file the dangling pointer is non-null and the length 0.
        unsafe { std::slice::from_raw_parts(self.base.as_ptr(), self.len()) }
    }

    /// Address of byte `offset`, when `length` bytes from there lie inside.
    pub(crate) fn at(&self, offset: usize, length: usize) -> Option<NonNull<u8>> {
        if offset.checked_add(length)? > self.len() {
            return None;
        }
        // SAFETY: `offset` is at most the length of the mapping, so the result stays in it or one past its end.
        Some(unsafe { self.base.add(offset) })
    }

    /// The 32-bit word at `offset`.
    ///
    /// # Panics
    /// When the offset is unaligned or outside: offsets of words are constants of the layout, never a peer's numbers.
    pub(crate) fn word(&self, offset: usize) -> &AtomicU32 {
        let place = self.at(offset, size_of::<u32>()).expect("words of the layout lie inside");
        assert!(offset.is_multiple_of(size_of::<u32>()), "words of the layout are aligned");
        // SAFETY: inside the mapping, aligned (mappings start on a page), and only ever accessed atomically by us; the
        // mapping outlives the reference, which borrows `self`.
        unsafe { AtomicU32::from_ptr(place.as_ptr().cast()) }
    }

    /// The 64-bit word at `offset`.
    ///
    /// # Panics
    /// As [`Mapping::word`].
    pub(crate) fn long(&self, offset: usize) -> &AtomicU64 {
        let place = self.at(offset, size_of::<u64>()).expect("words of the layout lie inside");
        assert!(offset.is_multiple_of(size_of::<u64>()), "words of the layout are aligned");
        // SAFETY: as in `word`.
        unsafe { AtomicU64::from_ptr(place.as_ptr().cast()) }
    }

    /// Copies bytes out of the mapping into private memory. `None` when they do not lie inside.
    pub(crate) fn read(&self, offset: usize, into: &mut [u8]) -> Option<()> {
        let mut place = self.at(offset, into.len())?.as_ptr();
        let (head, middle, tail) = split_at_longs(place, into.len());
        let (first, rest) = into.split_at_mut(head);
        let (second, third) = rest.split_at_mut(middle);
        for byte in first {
            *byte = load_byte(&mut place);
        }
        for chunk in second.chunks_exact_mut(size_of::<u64>()) {
            // SAFETY: `split_at_longs` leaves an aligned place here with `middle` bytes, all inside the mapping.
            let long = unsafe { AtomicU64::from_ptr(place.cast()) };
            chunk.copy_from_slice(&long.load(Ordering::Relaxed).to_ne_bytes());
            // SAFETY: within the `middle` bytes of the mapping.
            place = unsafe { place.add(size_of::<u64>()) };
        }
        debug_assert_eq!(third.len(), tail);
        for byte in third {
            *byte = load_byte(&mut place);
        }
        Some(())
    }

    /// Copies private bytes into the mapping. `None` when they do not fit.
    ///
    /// # Panics
    /// When the mapping is read-only: which half of the region a side writes is fixed in its code.
    pub(crate) fn write(&self, offset: usize, from: &[u8]) -> Option<()> {
        assert!(self.writable, "only the own half of a region is written");
        let mut place = self.at(offset, from.len())?.as_ptr();
        let (head, middle, _) = split_at_longs(place, from.len());
        let (first, rest) = from.split_at(head);
        let (second, third) = rest.split_at(middle);
        for byte in first {
            store_byte(&mut place, *byte);
        }
        for chunk in second.chunks_exact(size_of::<u64>()) {
            let mut bytes = [0; size_of::<u64>()];
            bytes.copy_from_slice(chunk);
            // SAFETY: `split_at_longs` leaves an aligned place here with `middle` bytes, all inside the mapping.
            let long = unsafe { AtomicU64::from_ptr(place.cast()) };
            long.store(u64::from_ne_bytes(bytes), Ordering::Relaxed);
            // SAFETY: within the `middle` bytes of the mapping.
            place = unsafe { place.add(size_of::<u64>()) };
        }
        for byte in third {
            store_byte(&mut place, *byte);
        }
        Some(())
    }
}

/// Bytes before the first aligned 64-bit word, in whole words, and after the last.
fn split_at_longs(place: *const u8, length: usize) -> (usize, usize, usize) {
    let head = place.align_offset(size_of::<u64>()).min(length);
    let tail = (length - head) % size_of::<u64>();
    (head, length - head - tail, tail)
}

fn load_byte(place: &mut *mut u8) -> u8 {
    // SAFETY: callers step through a range that `Mapping::at` found inside the mapping.
    let byte = unsafe { AtomicU8::from_ptr(*place) }.load(Ordering::Relaxed);
    // SAFETY: one byte further is at most one past the end of that range.
    *place = unsafe { place.add(1) };
    byte
}

fn store_byte(place: &mut *mut u8, byte: u8) {
    // SAFETY: as in `load_byte`; the mapping is writable, which `write` asserts.
    unsafe { AtomicU8::from_ptr(*place) }.store(byte, Ordering::Relaxed);
    // SAFETY: one byte further is at most one past the end of that range.
    *place = unsafe { place.add(1) };
}

impl Drop for Mapping {
    fn drop(&mut self) {
        if let Some(length) = self.length {
            // SAFETY: the range was mapped by `new` and every reference into it borrows `self`, so none is left.
            let unmapped = unsafe { munmap(self.base.as_ptr().cast(), length.get()) };
            debug_assert!(unmapped.is_ok(), "munmap of an own mapping");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::{MemfdFlags, ftruncate, memfd_create};
    use std::os::fd::AsFd as _;

    #[test]
    fn every_offset_and_length_copies_the_same_bytes() {
        let fd = memfd_create("test", MemfdFlags::CLOEXEC).expect("memfd");
        ftruncate(&fd, 4096).expect("size");
        let mapping = Mapping::shared(fd.as_fd(), 4096, true).expect("map");
        let pattern: Vec<u8> = (0..64).collect();
        for offset in 0..17 {
            for length in 0..40 {
                mapping.write(offset, &pattern[..length]).expect("inside");
                let mut back = vec![0xff; length];
                mapping.read(offset, &mut back).expect("inside");
                assert_eq!(back, pattern[..length], "{offset} {length}");
            }
        }
    }

    #[test]
    fn what_does_not_lie_inside_is_none() {
        let fd = memfd_create("test", MemfdFlags::CLOEXEC).expect("memfd");
        ftruncate(&fd, 16).expect("size");
        let mapping = Mapping::shared(fd.as_fd(), 16, true).expect("map");
        assert_eq!(mapping.read(9, &mut [0; 8]), None);
        assert_eq!(mapping.write(usize::MAX, b"x"), None);
        assert_eq!(mapping.read(16, &mut []), Some(()));
    }
}
