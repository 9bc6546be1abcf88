//! The life of a cell: one list of steps, in the one order that works, and then calls until it is killed.

use std::io::IoSliceMut;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::process::ExitCode;

use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendFlags, SocketType};

use crate::confine::{self, NotConfined};
use crate::region::{CellRegion, Descriptors};
use crate::wire::{self, Answer, Failure, Start, Status, Step};
use crate::{incident, map, serve};

/// The program `lazaret-cell`. Its standard input is the control socket; it has no arguments and no environment.
#[must_use]
pub fn main() -> ExitCode {
    let control = rustix::stdio::stdin();
    if rustix::net::sockopt::socket_type(control) != Ok(SocketType::SEQPACKET) {
        eprintln!("lazaret-cell is started by lazaret, with a control socket as its standard input");
        return ExitCode::from(2);
    }
    let Err(failure) = live(control);
    // The host may be gone, or may have stopped listening; either way the process ends here.
    drop(say(control, Answer::Failed(failure)));
    ExitCode::FAILURE
}

enum Never {}

/// Every step returns before the next is taken, and the first failure ends the cell: there is no half-confined cell.
fn live(control: BorrowedFd<'_>) -> Result<Never, Failure> {
    at(Step::Descriptors, confine::close_others())?;
    let (start, descriptors) = receive(control)?;
    let plan = start.plan;
    let mut descriptors = descriptors.into_iter();
    let mut take = || descriptors.next().ok_or(failure(Step::Receive, 0, 0));
    let plugin = take()?;
    let halves = Descriptors { requests: take()?, replies: take()? };
    let libraries: Vec<OwnedFd> = descriptors.collect();

    at(Step::Session, rustix::process::setsid())?;
    let rules = plan.landlock.as_ref().map_or(&[][..], |landlock| &landlock.paths);
    let paths = each(Step::Paths, rules, confine::open_path)?;
    // Mapped for as long as the process lives: the signal handlers write into it.
    let region: &'static CellRegion = Box::leak(Box::new(at(Step::Region, CellRegion::map(&halves, &plan.channel))?));
    drop(halves);

    at(Step::Limits, confine::limits(&plan.limits))?;
    at(Step::Bounding, confine::bounding())?;
    if let Some(identity) = plan.identity {
        at(Step::Identity, confine::identity(identity))?;
    }
    at(Step::Capabilities, confine::capabilities())?;
    at(Step::ParentDeath, confine::parent_death(start.host))?;
    at(Step::Dumpable, confine::not_dumpable())?;
    at(Step::NoNewPrivs, confine::no_new_privs())?;
    if plan.mdwe {
        at(Step::Mdwe, confine::mdwe())?;
    }
    if let Some(landlock) = &plan.landlock {
        at(Step::Landlock, confine::landlock(landlock, paths))?;
        at(Step::LandlockProof, confine::landlock_holds(landlock))?;
    }
    at(Step::Handlers, incident::install(region.replies()))?;
    each(Step::SeccompLoad, &plan.seccomp.load, confine::seccomp)?;

    // The host looks at this process from outside before it lets untrusted code in.
    at(Step::Receive, say(control, Answer::Confined))?;
    proceed(control)?;

    for (index, library) in libraries.iter().enumerate() {
        if let Err(error) = map::library(library.as_fd()) {
            return not_mapped(region, start.first, Step::MapLibrary, index, &error.0);
        }
    }
    let mapped = match map::plugin(plugin.as_fd()) {
        Ok(mapped) => mapped,
        Err(error) => return not_mapped(region, start.first, Step::MapPlugin, 0, &error.0),
    };
    incident::plugin_code(mapped.place.code_start, mapped.place.code_end);
    // What the plugin's initialisers opened is the plugin's; what this program was given goes, the control socket too: from
    // here on host and cell share the region and nothing else. The standard descriptors are /dev/null.
    drop((plugin, libraries));
    at(Step::Descriptors, confine::no_control())?;
    each(Step::SeccompCall, &plan.seccomp.call, confine::seccomp)?;

    let bias = (mapped.place.bias as u64).to_ne_bytes();
    region.write(0, &bias).ok_or(failure(Step::Region, 0, 0))?;
    region.reply(start.first, Status::Done, bias.len() as u32);
    serve::serve(region, &mapped.library, start.first)
}

fn failure(step: Step, errno: i32, index: usize) -> Failure {
    Failure { step, errno, index: u32::try_from(index).unwrap_or(u32::MAX) }
}

fn at<T>(step: Step, result: Result<T, impl Into<NotConfined>>) -> Result<T, Failure> {
    result.map_err(|error| failure(step, error.into().0, 0))
}

fn each<T, U>(step: Step, items: &[T], act: impl Fn(&T) -> Result<U, NotConfined>) -> Result<Vec<U>, Failure> {
    let act = |(index, item)| act(item).map_err(|NotConfined(errno)| failure(step, errno, index));
    items.iter().enumerate().map(act).collect()
}

/// Receives the one message that starts a cell.
fn receive(control: BorrowedFd<'_>) -> Result<(Start, Vec<OwnedFd>), Failure> {
    let mut message = vec![0; wire::CONTROL_LIMIT];
    let mut space = vec![MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(wire::DESCRIPTOR_LIMIT))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let received = at(
        Step::Receive,
        rustix::net::recvmsg(control, &mut [IoSliceMut::new(&mut message)], &mut ancillary, RecvFlags::CMSG_CLOEXEC),
    )?;
    let mut descriptors = Vec::new();
    for part in ancillary.drain() {
        if let RecvAncillaryMessage::ScmRights(rights) = part {
            descriptors.extend(rights);
        }
    }
    let whole = !received.flags.intersects(rustix::net::ReturnFlags::TRUNC | rustix::net::ReturnFlags::CTRUNC);
    let start = message
        .get(..received.bytes)
        .filter(|_| whole)
        .and_then(Start::from_bytes)
        .filter(|start| descriptors.len() == wire::FIXED_DESCRIPTORS + start.libraries as usize)
        .ok_or(failure(Step::Receive, 0, 0))?;
    Ok((start, descriptors))
}

fn say(control: BorrowedFd<'_>, answer: Answer) -> Result<(), NotConfined> {
    // NOSIGNAL: a host that is gone must not look like a fault of ours.
    rustix::net::send(control, &answer.to_bytes(), SendFlags::NOSIGNAL)?;
    Ok(())
}

/// Waits for the host's word: one byte. End of file means that the host has seen enough.
fn proceed(control: BorrowedFd<'_>) -> Result<(), Failure> {
    let mut word = [0];
    match rustix::net::recv(control, &mut word, RecvFlags::empty()) {
        Ok((1, _)) => Ok(()),
        Ok(_) => Err(failure(Step::Receive, 0, 0)),
        Err(errno) => Err(failure(Step::Receive, errno.raw_os_error(), 0)),
    }
}

/// Tells the host, through the region, why mapping failed, and ends.
fn not_mapped(region: &CellRegion, sequence: u32, step: Step, index: usize, message: &str) -> Result<Never, Failure> {
    let mut payload = failure(step, 0, index).to_bytes();
    payload.extend(message.bytes().take(1024));
    let length = region.write(0, &payload).map_or(0, |()| payload.len() as u32);
    region.reply(sequence, Status::NotMapped, length);
    Err(failure(step, 0, index))
}
