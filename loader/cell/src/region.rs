//! The call channel: two pieces of shared memory, one per direction, and the rules that keep a hostile peer harmless.
//!
//! | half | who writes | who maps it how |
//! |---|---|---|
//! | requests | host | host read-write; cell read-only, held to it by `F_SEAL_FUTURE_WRITE` |
//! | replies | cell | cell read-write; host read-only |
//!
//! Both are memfds made by the host and sealed against every change of size before the cell sees them (a peer that
//! shrinks a file turns the reader's next load into `SIGBUS`). The first page of a half belongs to no lane. Each lane has
//! a page of control words and then its payload.
//!
//! A lane carries one call at a time. The host's sequence number is private; the copy in memory only tells the cell. A
//! reply counts when its number equals the request's; every other change is a lie. Words that a peer writes are loaded
//! once, and lengths are checked against numbers that the peer cannot change.

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use lazaret_policy::Channel;
use rustix::fs::{FallocateFlags, SealFlags, fallocate, fcntl_add_seals};
use rustix::thread::futex;

use crate::sealed::memory_file;
use crate::shared::Mapping;
use crate::wire::{Operation, Status};

/// Bytes of the control page of a half and of a lane. A constant, not the machine's page size: where pages are larger the
/// layout stays what it is.
const PAGE: usize = 4096;

/// Lanes of a region. One for now; each further lane is another stride.
const LANES: usize = 1;

/// Largest message a region can carry; lengths and offsets travel in 32 bits.
pub const MESSAGE_LIMIT: u32 = 1 << 30;

/// Control words of a lane, as byte offsets from its start. The same in both halves.
mod word {
    /// Sequence number: the word a peer waits on.
    pub(super) const SEQUENCE: usize = 0;
    /// Not 0 while the writer of this half sleeps and must be woken.
    pub(super) const SLEEPS: usize = 4;
    /// Requests: [`super::Operation`]. Replies: [`super::Status`].
    pub(super) const VERB: usize = 8;
    /// Requests: number of the function.
    pub(super) const FUNCTION: usize = 12;
    /// Bytes of payload.
    pub(super) const LENGTH: usize = 16;
}

fn stride(message: u32) -> usize {
    PAGE + (message as usize).next_multiple_of(PAGE)
}

fn half_size(message: u32) -> usize {
    PAGE + LANES * stride(message)
}

/// The descriptors of a region, for the cell.
#[derive(Debug)]
pub struct Descriptors {
    /// The host's half.
    pub requests: OwnedFd,
    /// The cell's half.
    pub replies: OwnedFd,
}

/// One half's lane, with where its words and payload lie.
#[derive(Debug)]
struct Half {
    mapping: Mapping,
    message: u32,
}

impl Half {
    fn lane(&self) -> usize {
        PAGE
    }

    fn payload(&self) -> usize {
        self.lane() + PAGE
    }

    fn word(&self, which: usize) -> &AtomicU32 {
        self.mapping.word(self.lane() + which)
    }

    /// Where `length` bytes from `offset` of the payload begin, when they lie in it.
    fn payload_at(&self, offset: u32, length: u32) -> Option<usize> {
        if offset.checked_add(length)? > self.message {
            return None;
        }
        self.payload().checked_add(offset as usize)
    }

    fn read(&self, offset: u32, into: &mut [u8]) -> Option<()> {
        let length = u32::try_from(into.len()).ok()?;
        self.mapping.read(self.payload_at(offset, length)?, into)
    }

    fn write(&self, offset: u32, from: &[u8]) -> Option<()> {
        let length = u32::try_from(from.len()).ok()?;
        self.mapping.write(self.payload_at(offset, length)?, from)
    }

    /// Tells the sleeper on `own` words that the sequence number of this half has changed, if the peer says it sleeps.
    fn announce(&self, sequence: u32, peer: &Self) {
        // SeqCst on these four accesses (here and in `sleep`): the store of the number must not pass the load of the
        // peer's flag, nor the peer's store of its flag pass its load of the number, or both would sleep.
        self.word(word::SEQUENCE).store(sequence, Ordering::SeqCst);
        if peer.word(word::SLEEPS).load(Ordering::SeqCst) != 0 {
            // The answer is the number of woken threads. An error would mean a bad address, which the mapping excludes;
            // and a peer that is not woken only delays itself, since both sides sleep with a limit.
            let _woken = futex::wake(self.word(word::SEQUENCE), futex::Flags::empty(), 1);
        }
    }

    /// Sleeps until the peer's sequence number is no longer `seen`, a wake arrives, or `limit` has passed. Which of them
    /// it was means nothing: the caller looks at the number again.
    fn sleep(&self, peer: &Self, seen: u32, limit: Option<Duration>) {
        let sleeps = self.word(word::SLEEPS);
        sleeps.store(1, Ordering::SeqCst);
        if peer.word(word::SEQUENCE).load(Ordering::SeqCst) == seen {
            let limit = limit.and_then(|limit| futex::Timespec::try_from(limit).ok());
            // EAGAIN, EINTR, ETIMEDOUT and whatever a peer can provoke all mean the same: look again.
            let _cause = futex::wait(peer.word(word::SEQUENCE), futex::Flags::empty(), seen, limit.as_ref());
        }
        sleeps.store(0, Ordering::Relaxed);
    }
}

/// The head of a reply, as the cell wrote it: nothing in it is checked yet but that the words are words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplyHead {
    /// How the cell says that the request ended; `None` for a word that is no status.
    pub status: Option<Status>,
    /// Bytes of payload it claims.
    pub length: u32,
}

/// The host's side of a region.
#[derive(Debug)]
pub struct HostRegion {
    requests: Half,
    replies: Half,
}

/// Bytes that do not fit into a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutOfRange;

impl HostRegion {
    /// Makes a region for messages of `channel.message` bytes. `first` is the sequence number of the first reply, which
    /// answers no request: it says that the cell is confined. Numbers begin anywhere (R8).
    ///
    /// # Errors
    /// Whatever `memfd_create(2)`, `fallocate(2)`, `mmap(2)` or sealing answers. The whole size is allocated here, so
    /// that a full memory is an error now and not `SIGBUS` in a later call.
    pub fn create(channel: &Channel, first: u32) -> io::Result<(Self, Descriptors)> {
        let message = channel.message.min(MESSAGE_LIMIT);
        let size = half_size(message);
        let requests = allocate("lazaret-requests", size)?;
        let mapping = Mapping::shared(requests.as_fd(), size, true)?;
        // Only now: the seal refuses every writable mapping that does not exist yet, so the cell gets none.
        seal(&requests, SealFlags::FUTURE_WRITE)?;
        mapping.word(PAGE + word::SEQUENCE).store(first, Ordering::Relaxed);
        let replies = allocate("lazaret-replies", size)?;
        // Written through the descriptor: the host has no writable mapping of the cell's half.
        rustix::io::pwrite(&replies, &first.wrapping_sub(1).to_ne_bytes(), (PAGE + word::SEQUENCE) as u64)?;
        seal(&replies, SealFlags::empty())?;
        let answer = Mapping::shared(replies.as_fd(), size, false)?;
        let region = Self { requests: Half { mapping, message }, replies: Half { mapping: answer, message } };
        Ok((region, Descriptors { requests, replies }))
    }

    /// Bytes a message may have.
    #[must_use]
    pub fn message(&self) -> u32 {
        self.requests.message
    }

    /// Puts bytes into the payload of the next request.
    ///
    /// # Errors
    /// [`OutOfRange`] when they do not fit.
    pub fn write(&self, offset: u32, bytes: &[u8]) -> Result<(), OutOfRange> {
        self.requests.write(offset, bytes).ok_or(OutOfRange)
    }

    /// Hands the request to the cell.
    pub fn publish(&self, sequence: u32, operation: Operation, function: u32, length: u32) {
        self.requests.word(word::VERB).store(operation as u32, Ordering::Relaxed);
        self.requests.word(word::FUNCTION).store(function, Ordering::Relaxed);
        self.requests.word(word::LENGTH).store(length, Ordering::Relaxed);
        self.requests.announce(sequence, &self.replies);
    }

    /// The sequence number of the newest reply, as the cell wrote it.
    #[must_use]
    pub fn replied(&self) -> u32 {
        self.replies.word(word::SEQUENCE).load(Ordering::Acquire)
    }

    /// Sleeps until [`HostRegion::replied`] is no longer `seen`, or `limit` has passed, or for no reason.
    pub fn sleep(&self, seen: u32, limit: Duration) {
        self.requests.sleep(&self.replies, seen, Some(limit));
    }

    /// The head of the newest reply, loaded once.
    #[must_use]
    pub fn reply(&self) -> ReplyHead {
        ReplyHead {
            status: Status::from_word(self.replies.word(word::VERB).load(Ordering::Relaxed)),
            length: self.replies.word(word::LENGTH).load(Ordering::Relaxed),
        }
    }

    /// Copies bytes of the newest reply's payload.
    ///
    /// # Errors
    /// [`OutOfRange`] when they lie outside of a message.
    pub fn read(&self, offset: u32, into: &mut [u8]) -> Result<(), OutOfRange> {
        self.replies.read(offset, into).ok_or(OutOfRange)
    }

    /// What the cell's signal handlers noted before it died, if anything. Read it after the death: then it stands still.
    #[must_use]
    pub fn incident(&self) -> Option<crate::Incident> {
        crate::incident::read(&self.replies.mapping)
    }
}

/// Reports of a cell that lives.
impl HostRegion {
    /// What the cell's handler reported after the first `seen` reports, oldest first, and how many there are by now. The cell
    /// writes both; at most [`REPORTS`](crate::REPORTS) are kept.
    #[must_use]
    pub fn reports(&self, seen: u64) -> (Vec<crate::Report>, u64) {
        crate::report::read(&self.replies.mapping, seen)
    }
}

fn allocate(name: &str, size: usize) -> io::Result<OwnedFd> {
    let fd = memory_file(name)?;
    fallocate(&fd, FallocateFlags::empty(), 0, size as u64)?;
    Ok(fd)
}

fn seal(fd: &OwnedFd, also: SealFlags) -> io::Result<()> {
    Ok(fcntl_add_seals(fd, SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL | also)?)
}

/// A request, as the cell reads it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request {
    pub(crate) sequence: u32,
    pub(crate) operation: Option<Operation>,
    pub(crate) function: u32,
    pub(crate) length: u32,
}

/// The cell's side of a region. The host is trusted; that offsets are checked all the same keeps a slip of the host's
/// from becoming a strange crash here.
pub(crate) struct CellRegion {
    requests: Half,
    replies: Half,
    spin: Duration,
}

impl CellRegion {
    pub(crate) fn map(descriptors: &Descriptors, channel: &Channel) -> io::Result<Self> {
        let message = channel.message.min(MESSAGE_LIMIT);
        let size = half_size(message);
        let requests = Mapping::shared(descriptors.requests.as_fd(), size, false)?;
        let replies = Mapping::shared(descriptors.replies.as_fd(), size, true)?;
        Ok(Self {
            requests: Half { mapping: requests, message },
            replies: Half { mapping: replies, message },
            spin: Duration::from_nanos(channel.spin_ns.into()),
        })
    }

    /// The half that signal handlers write their note into.
    pub(crate) fn replies(&self) -> &Mapping {
        &self.replies.mapping
    }

    pub(crate) fn message(&self) -> u32 {
        self.replies.message
    }

    /// Waits for the request after `last`: spins for a while, then sleeps for as long as it takes. The host's death ends
    /// the process, so no limit is needed.
    pub(crate) fn next(&self, last: u32) -> Request {
        let number = self.requests.word(word::SEQUENCE);
        let mut spinning = Spin::new(self.spin);
        loop {
            let sequence = number.load(Ordering::Acquire);
            if sequence != last {
                return Request {
                    sequence,
                    operation: Operation::from_word(self.requests.word(word::VERB).load(Ordering::Relaxed)),
                    function: self.requests.word(word::FUNCTION).load(Ordering::Relaxed),
                    length: self.requests.word(word::LENGTH).load(Ordering::Relaxed),
                };
            }
            if !spinning.again() {
                self.replies.sleep(&self.requests, last, None);
            }
        }
    }

    pub(crate) fn read(&self, offset: u32, into: &mut [u8]) -> Option<()> {
        self.requests.read(offset, into)
    }

    pub(crate) fn write(&self, offset: u32, from: &[u8]) -> Option<()> {
        self.replies.write(offset, from)
    }

    /// Address of bytes of the request, for a function that only reads them.
    pub(crate) fn request_at(&self, offset: u32, length: u32) -> Option<NonNull<u8>> {
        self.requests.mapping.at(self.requests.payload_at(offset, length)?, length as usize)
    }

    /// Address of bytes of the reply, for a function that writes them.
    pub(crate) fn reply_at(&self, offset: u32, length: u32) -> Option<NonNull<u8>> {
        self.replies.mapping.at(self.replies.payload_at(offset, length)?, length as usize)
    }

    /// Answers the request.
    pub(crate) fn reply(&self, sequence: u32, status: Status, length: u32) {
        self.replies.word(word::VERB).store(status as u32, Ordering::Relaxed);
        self.replies.word(word::LENGTH).store(length, Ordering::Relaxed);
        self.replies.announce(sequence, &self.requests);
    }
}

/// A bounded busy wait.
#[derive(Debug)]
pub struct Spin {
    limit: Duration,
    since: Option<std::time::Instant>,
    turns: u32,
}

impl Spin {
    /// A wait of at most `limit`; none at all for zero.
    #[must_use]
    pub fn new(limit: Duration) -> Self {
        Self { limit, since: None, turns: 0 }
    }

    /// Whether to look again at once. The clock is read every 64 turns: it costs more than a look.
    #[must_use]
    pub fn again(&mut self) -> bool {
        if self.limit.is_zero() {
            return false;
        }
        std::hint::spin_loop();
        self.turns = self.turns.wrapping_add(1);
        if self.turns.is_multiple_of(64) {
            let since = *self.since.get_or_insert_with(std::time::Instant::now);
            if since.elapsed() >= self.limit {
                self.limit = Duration::ZERO;
                return false;
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHANNEL: Channel = Channel { message: 100, spin_ns: 0 };

    fn pair() -> (HostRegion, CellRegion, Descriptors) {
        let (host, descriptors) = HostRegion::create(&CHANNEL, 7).expect("create");
        let cell = CellRegion::map(&descriptors, &CHANNEL).expect("map");
        (host, cell, descriptors)
    }

    #[test]
    fn a_request_and_its_reply_cross() {
        let (host, cell, _descriptors) = pair();
        assert_eq!(host.replied(), 6, "no reply yet");
        host.write(3, b"hello").expect("fits");
        host.publish(8, Operation::Call, 2, 8);
        let request = cell.next(7);
        assert_eq!(
            (request.sequence, request.operation, request.function, request.length),
            (8, Some(Operation::Call), 2, 8)
        );
        let mut bytes = [0; 5];
        cell.read(3, &mut bytes).expect("inside");
        assert_eq!(&bytes, b"hello");
        cell.write(95, b"world").expect("inside");
        cell.reply(8, Status::Done, 100);
        assert_eq!(host.replied(), 8);
        assert_eq!(host.reply(), ReplyHead { status: Some(Status::Done), length: 100 });
        host.read(95, &mut bytes).expect("inside");
        assert_eq!(&bytes, b"world");
    }

    #[test]
    fn a_sleeper_is_woken_by_the_reply() {
        let (host, cell, _descriptors) = pair();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let request = cell.next(7);
                cell.reply(request.sequence, Status::Done, 0);
            });
            let before = host.replied();
            host.publish(8, Operation::Call, 0, 0);
            while host.replied() == before {
                host.sleep(before, Duration::from_secs(10));
            }
        });
        assert_eq!(host.replied(), 8);
    }

    #[test]
    fn payloads_end_at_the_message_size_and_not_at_the_page() {
        let (host, cell, _descriptors) = pair();
        assert_eq!(host.write(96, b"12345"), Err(OutOfRange));
        assert_eq!(host.read(u32::MAX, &mut [0]), Err(OutOfRange));
        assert!(cell.reply_at(96, 5).is_none());
        assert!(cell.request_at(u32::MAX, u32::MAX).is_none());
        assert!(cell.reply_at(100, 0).is_some());
    }

    #[test]
    fn the_cell_cannot_map_requests_for_writing_nor_resize_either_half() {
        let (_host, _cell, descriptors) = pair();
        let size = half_size(CHANNEL.message);
        let refused = Mapping::shared(descriptors.requests.as_fd(), size, true).expect_err("sealed");
        assert_eq!(refused.raw_os_error(), Some(libc::EPERM));
        for fd in [&descriptors.requests, &descriptors.replies] {
            assert_eq!(rustix::fs::ftruncate(fd, 0), Err(rustix::io::Errno::PERM));
            assert_eq!(rustix::fs::ftruncate(fd, 1 << 20), Err(rustix::io::Errno::PERM));
            assert_eq!(fcntl_add_seals(fd, SealFlags::FUTURE_WRITE), Err(rustix::io::Errno::PERM));
        }
    }
}
