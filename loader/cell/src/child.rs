//! The life of a cell: one list of steps, in the one order that works, and then calls until it is killed.

use std::io::IoSliceMut;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd, RawFd};

use lazaret_policy::{Filter, Identity};
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendFlags};

use crate::confine::{self, NotConfined};
use crate::region::{CellRegion, Descriptors};
use crate::runner::{self, Parts, Prepared};
use crate::wire::{self, Answer, Failure, Program, Start, Status, Step};
use crate::{gate, incident, map, namespaces, serve};

/// The life of a cell, from its fork on. `control` is its socket, `host` the pidfd of its host, `outside` the host's user.
pub(crate) fn main(control: OwnedFd, host: &OwnedFd, outside: Identity) -> ! {
    let Err(failure) = alone(control, host, outside);
    // The host may be gone, or may have stopped listening; either way the process ends here.
    drop(say(rustix::stdio::stdin(), Answer::Failed(failure)));
    incident::end(1)
}

enum Never {}

/// Keeps of the zygote's descriptors the two standard ones, the control socket as standard input, and the host's.
fn alone(control: OwnedFd, host: &OwnedFd, outside: Identity) -> Result<Never, Failure> {
    at(Step::Descriptors, rustix::stdio::dup2_stdin(&control))?;
    drop(control);
    // The zygote's first descriptor after the standard ones; all later ones are other cells'.
    const HOST: RawFd = 3;
    if host.as_raw_fd() != HOST {
        return Err(failure(Step::Descriptors, 0, 0));
    }
    at(Step::Descriptors, confine::close_others(HOST as u32 + 1))?;
    // SAFETY: open, as the zygote's, which gave this process a copy that nothing else in it will close.
    let host = unsafe { OwnedFd::from_raw_fd(HOST) };
    live(rustix::stdio::stdin(), host, outside)
}

/// Every step returns before the next is taken, and the first failure ends the cell: there is no half-confined cell.
fn live(control: BorrowedFd<'_>, host: OwnedFd, outside: Identity) -> Result<Never, Failure> {
    at(Step::Descriptors, confine::own_null_device())?;
    let (start, descriptors) = begin(control)?;
    let plan = &start.plan;
    let mut descriptors = descriptors.into_iter();
    let mut take = || descriptors.next().ok_or(failure(Step::Receive, 0, 0));
    let plugin = take()?;
    let halves = Descriptors { requests: take()?, replies: take()? };
    let executed = match start.program {
        Program::Cell => None,
        Program::Runner => Some((take()?, take()?)),
    };
    let libraries: Vec<OwnedFd> = descriptors.collect();

    at(Step::Session, rustix::process::setsid())?;
    // Mapped for as long as the process lives: the signal handlers write into it.
    let region: &'static CellRegion = Box::leak(Box::new(at(Step::Region, CellRegion::map(&halves, &plan.channel))?));
    let work = match executed {
        None => {
            drop(halves);
            Work::Map { plugin, libraries }
        }
        Some((runner, loader)) => {
            let Descriptors { requests, replies } = halves;
            let parts = Parts { requests, replies, plugin, runner, loader, libraries };
            let words = [plan.channel.message, start.first, plan.channel.spin_ns].map(|word| word.to_string());
            let filter = plan.seccomp.call.as_ref();
            let prepared = runner::prepare(parts, filter, start.relro, plan.limits.open_files, &words);
            Work::Execute(at(Step::Runner, prepared)?)
        }
    };
    let rules = plan.landlock.as_ref().map_or(&[][..], |landlock| &landlock.paths);
    let paths = each(Step::Paths, rules, confine::open_path)?;
    if plan.namespaces.mount {
        at(Step::Tree, namespaces::own_tree(rules, &paths, plan.namespaces.user.then_some(outside)))?;
    }

    if plan.watch {
        at(Step::Gate, gate::install())?;
    }
    at(Step::Limits, confine::limits(&plan.limits))?;
    if plan.namespaces.user {
        // In a new user namespace the set is full again; otherwise the zygote has emptied it.
        at(Step::Bounding, confine::bounding())?;
    }
    if let Some(identity) = plan.identity {
        at(Step::Identity, confine::identity(identity))?;
    }
    at(Step::Capabilities, confine::capabilities())?;
    at(Step::ParentDeath, confine::parent_death(&host))?;
    drop(host);
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
    if let Some(filter) = &plan.seccomp.load {
        at(Step::SeccompLoad, confine::seccomp(filter))?;
    }

    // The host looks at this process from outside before it lets untrusted code in.
    at(Step::Receive, say(control, Answer::Confined))?;
    proceed(control)?;

    match work {
        Work::Map { plugin, libraries } => {
            let filter = plan.seccomp.call.as_ref();
            map_and_serve(region, &start, filter, plugin, libraries)
        }
        Work::Execute(prepared) => {
            at(Step::Descriptors, confine::no_control())?;
            // The host learns of it by the death of this process: what it said on the socket is over.
            let NotConfined(errno) = prepared.execute();
            incident::end(errno)
        }
    }
}

/// What is left to do once every layer is in force.
enum Work {
    /// Map the plugin, and serve calls of it.
    Map { plugin: OwnedFd, libraries: Vec<OwnedFd> },
    /// Execute the program that does.
    Execute(Prepared),
}

fn map_and_serve(
    region: &'static CellRegion,
    start: &Start,
    filter: Option<&Filter>,
    plugin: OwnedFd,
    libraries: Vec<OwnedFd>,
) -> Result<Never, Failure> {
    for (index, library) in libraries.iter().enumerate() {
        if let Err(error) = map::library(library.as_fd()) {
            not_mapped(region, start.first, Step::MapLibrary, index, &error.0);
        }
    }
    // What this program was given goes before the plugin comes, the control socket too: from here on host and cell share the
    // region and nothing else. The standard descriptors are /dev/null.
    drop(libraries);
    at(Step::Descriptors, confine::no_control())?;
    let mapped = match map::plugin(plugin, start.relro, filter) {
        Ok(mapped) => mapped,
        Err(error) => not_mapped(region, start.first, Step::MapPlugin, 0, &error.0),
    };
    incident::plugin_code(mapped.place.code_start, mapped.place.code_end);

    let bias = (mapped.place.bias as u64).to_ne_bytes();
    region.write(0, &bias).ok_or(failure(Step::Region, 0, 0))?;
    region.reply(start.first, Status::Done, bias.len() as u32);
    serve::serve(region, &mapped.library, start.first)
}

pub(crate) fn failure(step: Step, errno: i32, index: usize) -> Failure {
    Failure { step, errno, index: u32::try_from(index).unwrap_or(u32::MAX) }
}

pub(crate) fn at<T>(step: Step, result: Result<T, impl Into<NotConfined>>) -> Result<T, Failure> {
    result.map_err(|error| failure(step, error.into().0, 0))
}

fn each<T, U>(step: Step, items: &[T], act: impl Fn(&T) -> Result<U, NotConfined>) -> Result<Vec<U>, Failure> {
    let act = |(index, item)| act(item).map_err(|NotConfined(errno)| failure(step, errno, index));
    items.iter().enumerate().map(act).collect()
}

/// Receives the one message that starts a cell.
fn begin(control: BorrowedFd<'_>) -> Result<(Start, Vec<OwnedFd>), Failure> {
    let mut message = vec![0; wire::CONTROL_LIMIT];
    let (length, descriptors) = at(Step::Receive, receive(control, &mut message, wire::DESCRIPTOR_LIMIT))?;
    let start = message
        .get(..length)
        .and_then(Start::from_bytes)
        .filter(|start| descriptors.len() == start.program.descriptors() + start.libraries as usize)
        .ok_or(failure(Step::Receive, 0, 0))?;
    Ok((start, descriptors))
}

/// Receives one whole message and its descriptors.
pub(crate) fn receive(
    socket: BorrowedFd<'_>,
    message: &mut [u8],
    most: usize,
) -> Result<(usize, Vec<OwnedFd>), NotConfined> {
    let mut space = vec![MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(most))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let received =
        rustix::net::recvmsg(socket, &mut [IoSliceMut::new(message)], &mut ancillary, RecvFlags::CMSG_CLOEXEC)?;
    let mut descriptors = Vec::new();
    for part in ancillary.drain() {
        if let RecvAncillaryMessage::ScmRights(rights) = part {
            descriptors.extend(rights);
        }
    }
    if received.flags.intersects(rustix::net::ReturnFlags::TRUNC | rustix::net::ReturnFlags::CTRUNC) {
        return Err(NotConfined(0));
    }
    Ok((received.bytes, descriptors))
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
fn not_mapped(region: &CellRegion, sequence: u32, step: Step, index: usize, message: &str) -> ! {
    let mut payload = failure(step, 0, index).to_bytes();
    payload.extend(message.bytes().take(1024));
    let length = region.write(0, &payload).map_or(0, |()| payload.len() as u32);
    region.reply(sequence, Status::NotMapped, length);
    incident::end(1)
}
