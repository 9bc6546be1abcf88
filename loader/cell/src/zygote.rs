//! The process that cells are forked from: executed once, it keeps what all cells have in common. It holds nothing of its
//! host's memory and never sees a plan, a plugin or a request: what a cell is told, the host tells the cell alone.

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd as _, BorrowedFd, FromRawFd as _, OwnedFd};
use std::process::ExitCode;

use lazaret_policy::{Identity, Namespaces};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketType};
use rustix::thread::UnshareFlags;

use crate::child::{self, at, failure};
use crate::confine::{self, NotConfined};
use crate::hook;
use crate::map;
use crate::namespaces;
use crate::wire::{self, Failure, Order, Step, Word};

/// The program `lazaret-cell`. Its standard input is the socket of its host, its standard output the audit module (`hook`);
/// it has no arguments.
#[must_use]
pub fn main() -> ExitCode {
    let host = rustix::stdio::stdin();
    if rustix::net::sockopt::socket_type(host) != Ok(SocketType::SEQPACKET) {
        eprintln!("lazaret-cell is started by lazaret, with a socket as its standard input");
        return ExitCode::from(2);
    }
    match serve(host) {
        // The host closed its end: it has no more use for this process.
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // Whether the host still listens or not, the process ends here.
            drop(say(host, Word::Failed(failure), None));
            ExitCode::FAILURE
        }
    }
}

fn serve(socket: BorrowedFd<'_>) -> Result<(), Failure> {
    at(Step::Descriptors, begin())?;
    let Some((Order::Begin(network), mut descriptors)) = at(Step::Receive, receive(socket))? else {
        return Err(failure(Step::Receive, 0, 0));
    };
    let host = descriptors.pop().filter(|_| descriptors.is_empty()).ok_or(failure(Step::Receive, 0, 0))?;
    // Never dropped: a plugin's exception that nobody catches would drop it while the filters forbid that.
    let host: &'static OwnedFd = Box::leak(Box::new(host));
    let own = Identity { uid: rustix::process::geteuid().as_raw(), gid: rustix::process::getegid().as_raw() };
    let namespaces = at(Step::Namespaces, namespaces::enter(network))?;
    at(Step::Bounding, confine::bounding())?;
    at(Step::ParentDeath, confine::parent_death(host))?;
    at(Step::Speculation, confine::speculation())?;
    at(Step::Dumpable, confine::not_dumpable())?;
    if !hook::is_present() {
        // A plugin's initialisers would run under the wider filter, and could keep it.
        return Err(failure(Step::Hook, 0, 0));
    }
    at(Step::Receive, say(socket, Word::Ready { namespaces }, None))?;
    while let Some((order, mut descriptors)) = at(Step::Receive, receive(socket))? {
        let descriptor = descriptors.pop().filter(|_| descriptors.is_empty()).ok_or(failure(Step::Receive, 0, 0))?;
        match order {
            Order::Begin(_) => return Err(failure(Step::Receive, 0, 0)),
            Order::Library => {
                let mapped = map::library(descriptor.as_fd()).is_ok();
                at(Step::Receive, say(socket, Word::Library { mapped }, None))?;
            }
            Order::Cell(namespaces) => match fork(namespaces) {
                Ok(Fork::Cell) => child::main(descriptor, host, own),
                Ok(Fork::Zygote(cell)) => at(Step::Receive, say(socket, Word::Born, Some(&cell)))?,
                Err(error) => {
                    let failed = failure(Step::Fork, error.raw_os_error().unwrap_or(0), 0);
                    at(Step::Receive, say(socket, Word::Failed(failed), None))?;
                }
            },
        }
    }
    Ok(())
}

/// Leaves nothing of how it was started: the module in the place of standard output, and its name in the environment.
fn begin() -> Result<(), NotConfined> {
    confine::close_others(3)?;
    rustix::stdio::dup2_stdout(rustix::stdio::stderr())?;
    confine::forget_environment();
    Ok(())
}

/// The next order with its descriptors; `None` when the host closed its end.
fn receive(socket: BorrowedFd<'_>) -> Result<Option<(Order, Vec<OwnedFd>)>, NotConfined> {
    let mut message = [0; wire::ORDER_LIMIT];
    let (length, descriptors) = child::receive(socket, &mut message, 1)?;
    if length == 0 {
        return Ok(None);
    }
    let order = message.get(..length).and_then(Order::from_bytes).ok_or(NotConfined(0))?;
    Ok(Some((order, descriptors)))
}

fn say(socket: BorrowedFd<'_>, word: Word, descriptor: Option<&OwnedFd>) -> Result<(), NotConfined> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    let descriptor = descriptor.map(|descriptor| [descriptor.as_fd()]);
    if let Some(descriptor) = &descriptor
        && !ancillary.push(SendAncillaryMessage::ScmRights(descriptor))
    {
        return Err(NotConfined(0));
    }
    // NOSIGNAL: a host that is gone must not look like a fault of ours.
    rustix::net::sendmsg(socket, &[IoSlice::new(&word.to_bytes())], &mut ancillary, SendFlags::NOSIGNAL)?;
    Ok(())
}

enum Fork {
    Cell,
    Zygote(OwnedFd),
}

/// Forks a cell in new namespaces. It is a child of the host's and not of this process (`CLONE_PARENT`): the host waits for
/// it, and its life is tied to the host's.
fn fork(own: Namespaces) -> io::Result<Fork> {
    let mut flags = (libc::CLONE_PARENT | libc::CLONE_PIDFD) as u64;
    for (wanted, flag) in [
        (own.user, UnshareFlags::NEWUSER),
        (own.pid, UnshareFlags::NEWPID),
        (own.mount, UnshareFlags::NEWNS),
        (own.ipc, UnshareFlags::NEWIPC),
    ] {
        // The others are this process's already, and so the cell's.
        if wanted {
            flags |= u64::from(flag.bits());
        }
    }
    let mut pidfd: libc::c_int = -1;
    // SAFETY: all-zero is a valid `clone_args`.
    let mut arguments: libc::clone_args = unsafe { std::mem::zeroed() };
    arguments.flags = flags;
    arguments.pidfd = &raw mut pidfd as u64;
    if let Some(thread) = thread_id_word() {
        // The C library keeps the id of each thread and believes it; in a pid namespace of its own the cell has another.
        arguments.flags |= (libc::CLONE_CHILD_SETTID | libc::CLONE_CHILD_CLEARTID) as u64;
        arguments.child_tid = thread;
    }
    // SAFETY: as fork(2): the arguments are initialised, no stack is given, so both go on from here with a copy each. This
    // process has one thread, so no lock is held by another that the copy lacks.
    let result = unsafe { libc::syscall(libc::SYS_clone3, &raw const arguments, size_of::<libc::clone_args>()) };
    match result {
        0 => Ok(Fork::Cell),
        -1 => Err(io::Error::last_os_error()),
        // SAFETY: the kernel put a new descriptor there, which nothing else owns.
        _ => Ok(Fork::Zygote(unsafe { OwnedFd::from_raw_fd(pidfd) })),
    }
}

/// Where the C library keeps the id of the calling thread: it told the kernel to clear that word when the thread ends
/// (`PR_GET_TID_ADDRESS`). `None` on a kernel without CONFIG_CHECKPOINT_RESTORE; the id is then the one of this process,
/// which matters only to recursive locks of a plugin that starts as many threads.
fn thread_id_word() -> Option<u64> {
    let mut address: *mut libc::c_int = std::ptr::null_mut();
    // SAFETY: this prctl writes one pointer to the given place.
    let result = unsafe { libc::prctl(libc::PR_GET_TID_ADDRESS, &raw mut address, 0, 0, 0) };
    (result == 0 && !address.is_null()).then_some(address as u64)
}
