//! The life of a cell: one list of steps, in the one order that works, and then calls until it is killed.

use std::io::IoSliceMut;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd, RawFd};

use lazaret_policy::Identity;
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendFlags};

use crate::confine::{self, NotConfined};
use crate::region::{CellRegion, Descriptors};
use crate::runner::{self, Parts, Prepared};
use crate::wire::{self, Failure, Operation, Program, Start, Status, Step};
use crate::{gate, incident, map, namespaces, serve};

/// The life of a cell, from its fork on. `control` is its socket, `host` the pidfd of its host, `outside` the host's user.
pub(crate) fn main(control: OwnedFd, host: &OwnedFd, outside: Identity) -> ! {
    match alone(control, host) {
        Ok((given, host)) => confined(given, host, outside),
        Err(failure) => {
            // The host may be gone, or may have stopped listening; either way the process ends here.
            let _told = rustix::net::send(rustix::stdio::stdin(), &failure.to_bytes(), SendFlags::NOSIGNAL);
            incident::end(1)
        }
    }
}

enum Never {}

/// What a cell was given, once it has no more use for the control socket.
struct Given {
    start: Start,
    /// Mapped for as long as the process lives: the signal handlers write into it.
    region: &'static CellRegion,
    halves: Descriptors,
    plugin: OwnedFd,
    /// A runner and the dynamic loader that executes it.
    executed: Option<(OwnedFd, OwnedFd)>,
    libraries: Vec<OwnedFd>,
}

/// Keeps of the zygote's descriptors the standard ones and the host's, and takes what it is given. Ends without the control
/// socket: from here on host and cell share the region and nothing else.
fn alone(control: OwnedFd, host: &OwnedFd) -> Result<(Given, OwnedFd), Failure> {
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
    at(Step::Descriptors, confine::own_null_device())?;
    let (start, descriptors) = begin(rustix::stdio::stdin())?;
    let mut descriptors = descriptors.into_iter();
    let mut take = || descriptors.next().ok_or(failure(Step::Receive, 0, 0));
    let plugin = take()?;
    let halves = Descriptors { requests: take()?, replies: take()? };
    let executed = match start.program {
        Program::Cell => None,
        Program::Runner => Some((take()?, take()?)),
    };
    let libraries = descriptors.collect();
    let region = Box::leak(Box::new(at(Step::Region, CellRegion::map(&halves, &start.plan.channel))?));
    at(Step::Descriptors, confine::no_control())?;
    Ok((Given { start, region, halves, plugin, executed, libraries }, host))
}

/// From here on the host learns through the region what failed.
fn confined(given: Given, host: OwnedFd, outside: Identity) -> ! {
    let (region, first) = (given.region, given.start.first);
    let Err(failure) = live(given, host, outside);
    failed(region, first, failure, "")
}

/// Every step returns before the next is taken, and the first failure ends the cell: there is no half-confined cell.
fn live(given: Given, host: OwnedFd, outside: Identity) -> Result<Never, Failure> {
    let Given { start, region, halves, plugin, executed, libraries } = given;
    let plan = &start.plan;
    at(Step::Session, rustix::process::setsid())?;
    let work = match executed {
        None => {
            drop(halves);
            Work::Map { plugin, libraries }
        }
        Some((runner, loader)) => {
            let Descriptors { requests, replies } = halves;
            let parts = Parts { requests, replies, plugin, runner, loader, libraries };
            // The request to map is the next one after the first reply: to the runner, the one it answers first.
            let words = [plan.channel.message, start.first.wrapping_add(1), plan.channel.spin_ns];
            let words = words.map(|word| word.to_string());
            let filter = plan.seccomp.call.as_ref();
            let prepared = runner::prepare(parts, filter, start.relro, plan.limits.open_files, &words);
            Work::Execute(at(Step::Runner, prepared)?)
        }
    };
    // Before the file tree goes, which has the file.
    let label = plan.apparmor.as_ref().map(|_| at(Step::Profile, confine::own_label())).transpose()?;
    let rules = plan.landlock.as_ref().map_or(&[][..], |landlock| &landlock.paths);
    let paths = each(Step::Paths, rules, confine::open_path)?;
    if plan.namespaces.mount {
        at(Step::Tree, namespaces::own_tree(rules, &paths, plan.namespaces.user.then_some(outside)))?;
    }

    // It looks at the paths, which nobody may any more under a profile: in a file tree of the cell's own they lie outside.
    let ruleset = plan.landlock.as_ref().map(|landlock| at(Step::Landlock, confine::ruleset(landlock, paths)));
    let ruleset = ruleset.transpose()?;

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
    if let (Some(apparmor), Some(label)) = (&plan.apparmor, label) {
        at(Step::Profile, confine::profile(apparmor, label))?;
        if apparmor.trial {
            at(Step::ProfileProof, confine::profile_holds())?;
        }
    }
    at(Step::NoNewPrivs, confine::no_new_privs())?;
    if plan.mdwe {
        at(Step::Mdwe, confine::mdwe())?;
    }
    if let (Some(landlock), Some(ruleset)) = (&plan.landlock, ruleset) {
        at(Step::Landlock, confine::landlock(ruleset))?;
        at(Step::LandlockProof, confine::landlock_holds(landlock))?;
    }
    at(Step::Handlers, incident::install(region.replies()))?;
    if let Some(filter) = &plan.seccomp.load {
        at(Step::SeccompLoad, confine::seccomp(filter))?;
    }

    // The host looks at this process from outside before it lets untrusted code in.
    region.reply(start.first, Status::Confined, 0);
    let go = region.next(start.first);
    if go.operation != Some(Operation::Map) {
        return Err(failure(Step::Receive, 0, 0));
    }
    match work {
        Work::Map { plugin, libraries } => map_and_serve(region, &start, go.sequence, plugin, libraries),
        Work::Execute(prepared) => {
            // The host learns of it by the death of this process.
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
    sequence: u32,
    plugin: OwnedFd,
    libraries: Vec<OwnedFd>,
) -> Result<Never, Failure> {
    for (index, library) in libraries.iter().enumerate() {
        if let Err(error) = map::library(library.as_fd()) {
            failed(region, sequence, failure(Step::MapLibrary, 0, index), &error.0);
        }
    }
    // What this program was given goes before the plugin comes. The standard descriptors are /dev/null.
    drop(libraries);
    let mapped = match map::plugin(plugin, start.relro, start.plan.seccomp.call.as_ref()) {
        Ok(mapped) => mapped,
        Err(error) => failed(region, sequence, failure(Step::MapPlugin, 0, 0), &error.0),
    };
    incident::plugin_code(mapped.place.code_start, mapped.place.code_end);

    let bias = (mapped.place.bias as u64).to_ne_bytes();
    region.write(0, &bias).ok_or(failure(Step::Region, 0, 0))?;
    region.reply(sequence, Status::Done, bias.len() as u32);
    serve::serve(region, &mapped.library, sequence)
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

/// Tells the host, through the region, what failed, and ends.
fn failed(region: &CellRegion, sequence: u32, failure: Failure, message: &str) -> ! {
    let mut payload = failure.to_bytes();
    payload.extend(message.bytes().take(1024));
    let length = region.write(0, &payload).map_or(0, |()| payload.len() as u32);
    region.reply(sequence, Status::Failed, length);
    incident::end(1)
}
