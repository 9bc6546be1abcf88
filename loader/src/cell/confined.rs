//! From a plan to a cell that is ready: forked, confirmed from outside, the plugin mapped, and confirmed once more.

use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use lazaret_cell::region::{Descriptors, HostRegion, ReplyHead};
use lazaret_cell::wire::{self, Failure, Operation, Program, Relro, Start, Status, Step};
use lazaret_policy::{Layer, State};
use ring::rand::{SecureRandom as _, SystemRandom};
use rustix::net::RecvFlags;

use super::{Cell, CellError, Confined, End, Load, Ready, SPIN_LIMIT};
use crate::call::Lie;
use crate::cgroup::Delegated;
use crate::confirm::{self, Inherited, Phase, Unconfined};
use crate::kernel;
use crate::kernel_log::KernelLog;
use crate::outcome::{TimeLimit, libc_signal};
use crate::plan::NamedLibraries;
use crate::process;
use crate::runner::Runner;
use crate::zygote::Zygote;

impl Cell<Confined> {
    /// Forks a cell and waits until it says that it is confined.
    pub(crate) fn spawn(
        mut load: Load,
        libraries: NamedLibraries,
        runner: Option<&Runner>,
        zygote: &Arc<Zygote>,
        groups: Option<&Delegated>,
    ) -> Result<Self, CellError> {
        let deadline = Instant::now() + load.policy.load_time();
        let first = random().map_err(CellError::Channel)?;
        let (region, descriptors) = HostRegion::create(&load.plan.channel, first).map_err(CellError::Channel)?;
        let inherited = Inherited::of(zygote, &mut load.plan).map_err(CellError::Unconfined)?;
        identify(&mut load).map_err(CellError::Channel)?;
        let start = Start {
            plan: load.plan.clone(),
            libraries: u32::try_from(libraries.len()).unwrap_or(u32::MAX),
            program: if runner.is_some() { Program::Runner } else { Program::Cell },
            relro: load.object.relro().map(|(address, size)| Relro { address, size }).unwrap_or_default(),
            first,
        };
        // Before there is a cell: it finds them when it looks for the first time, and nobody waits.
        let (control, theirs) = process::pair().map_err(CellError::Channel)?;
        send(&control, &start, &load, runner, &libraries, &descriptors)?;
        drop(descriptors);
        let caps = load.plan.cgroup.as_ref().zip(groups);
        let group = caps.map(|(caps, groups)| groups.leaf(caps)).transpose().map_err(CellError::Group)?;
        let process = zygote.fork(load.plan.namespaces, theirs)?;
        if let Some(group) = &group {
            group.adopt(process.pid()).map_err(CellError::Group)?;
        }
        static NUMBER: AtomicU64 = AtomicU64::new(1);
        let cell = Self {
            process,
            group,
            zygote: Arc::downgrade(zygote),
            region,
            sequence: first,
            spin: Duration::ZERO,
            number: NUMBER.fetch_add(1, Ordering::Relaxed),
            object: load.object,
            plan: load.plan,
            policy: load.policy,
            enforcement: load.enforcement,
            state: Confined {
                control,
                inherited,
                profile: load.profile,
                libraries: libraries.into_iter().map(|(name, _)| name).collect(),
                deadline,
            },
        };
        cell.confined()
    }

    fn confined(mut self) -> Result<Self, CellError> {
        let head = match self.wait(self.left()) {
            Ok(head) => head,
            Err(end) => {
                return Err(match self.said() {
                    Some(Ok(failure)) => self.step(failure),
                    Some(Err(lie)) => self.died(End::Lied(lie)),
                    None => self.died(end),
                });
            }
        };
        match head.status {
            Some(Status::Confined) => Ok(self),
            Some(Status::Failed) => Err(self.failed(head)),
            _ => Err(self.died(End::Lied(Lie::Status))),
        }
    }

    /// What is left of the time that a load may take.
    fn left(&self) -> Duration {
        self.state.deadline.saturating_duration_since(Instant::now())
    }

    /// What a cell that had no region yet said of its end.
    fn said(&self) -> Option<Result<Failure, Lie>> {
        let mut bytes = [0; wire::FAILURE_LIMIT];
        let flags = RecvFlags::DONTWAIT | RecvFlags::TRUNC;
        let (_, length) = rustix::net::recv(&self.state.control, &mut bytes, flags).ok()?;
        let failure = |bytes| Failure::from_front(bytes).filter(|(_, rest)| rest.is_empty());
        (length > 0).then(|| bytes.get(..length).and_then(failure).map(|(failure, _)| failure).ok_or(Lie::Message))
    }

    /// The load ended with the cell.
    fn died(&mut self, end: End) -> CellError {
        let limit = TimeLimit::Load(self.policy.load_time());
        CellError::Died(Box::new(self.ended(end, limit, None)))
    }

    fn step(&self, failure: Failure) -> CellError {
        let path = |index: u32| {
            let rule = self.plan.landlock.as_ref()?.paths.get(usize::try_from(index).ok()?)?;
            Some(crate::audit::escape(&String::from_utf8_lossy(&rule.path)))
        };
        let subject = match failure.step {
            Step::Paths | Step::Landlock => path(failure.index),
            _ => None,
        };
        CellError::Step { step: failure.step, errno: failure.errno, subject }
    }

    /// Ends it, of which a trial is made: the profile of this process may forbid that, signal by signal.
    pub(crate) fn end(mut self) -> Result<(), CellError> {
        match self.process.kill() {
            Some(process::Exit::Signal(libc_signal::KILL)) => Ok(()),
            _ => Err(self.out_of_reach()),
        }
    }

    /// Whatever is wrong with it may be wrong with what it was forked from: its label, for one, may be another than it was.
    fn unconfined(&self, unconfined: Unconfined) -> CellError {
        self.zygote.upgrade().inspect(|zygote| zygote.spend());
        CellError::Unconfined(unconfined)
    }

    /// A cell that nobody can end ends by itself when it is asked for anything but to map.
    fn out_of_reach(&self) -> CellError {
        self.region.publish(self.sequence.wrapping_add(1), Operation::Bind, 0, 0);
        CellError::OutOfReach
    }

    /// Checks the confinement from outside, lets the cell map the plugin, and checks once more.
    pub(crate) fn confirm(mut self) -> Result<Cell<Ready>, CellError> {
        let pid = self.pid();
        let look = |phase, cell: &Self| {
            confirm::confirm(pid, &cell.plan, phase, &cell.state.inherited)?;
            confirm::profile_stands(cell.state.profile.as_ref())?;
            cell.group.as_ref().map_or(Ok(()), |group| confirm::in_group(pid, group))
        };
        if !self.process.in_reach() {
            return Err(self.out_of_reach());
        }
        look(Phase::Load, &self).map_err(|unconfined| self.unconfined(unconfined))?;
        self.sequence = self.sequence.wrapping_add(1);
        self.region.publish(self.sequence, Operation::Map, 0, 0);
        let head = self.wait(self.left()).map_err(|end| self.died(end))?;
        let bias = match head.status {
            Some(Status::Done) => self.bias(head),
            Some(Status::Failed) => return Err(self.not_mapped(head)),
            _ => Err(Lie::Status),
        };
        let bias = bias.map_err(|lie| self.died(End::Lied(lie)))?;
        look(Phase::Call, &self).map_err(|unconfined| self.unconfined(unconfined))?;
        tracing::debug!(pid, "cell ready");
        let Self {
            process,
            group,
            zygote,
            region,
            sequence,
            spin: _,
            number,
            object,
            plan,
            policy,
            enforcement,
            state,
        } = self;
        let spin = if plan.channel.spin_ns == 0 { Duration::ZERO } else { SPIN_LIMIT };
        let log = plan.watch.then(|| Some(KernelLog::open()?.of(state.inherited.profiles(&plan)?))).flatten();
        let state = Ready { gone: None, bias, bound: 0, reported: 0, log };
        Ok(Cell { process, group, zygote, region, sequence, spin, number, object, plan, policy, enforcement, state })
    }

    fn bias(&self, head: ReplyHead) -> Result<u64, Lie> {
        let mut bytes = [0; size_of::<u64>()];
        if head.length as usize != bytes.len() {
            return Err(Lie::Length);
        }
        self.region.read(0, &mut bytes).map_err(|_| Lie::Length)?;
        Ok(u64::from_ne_bytes(bytes))
    }

    /// What a cell says of a step that it could not take, before anything of the plugin was there.
    fn failed(&mut self, head: ReplyHead) -> CellError {
        match self.failure(head) {
            Some((failure, _)) => self.step(failure),
            None => self.died(End::Lied(Lie::Message)),
        }
    }

    fn failure(&mut self, head: ReplyHead) -> Option<(Failure, String)> {
        let mut payload = vec![0; (head.length as usize).min(2048)];
        let read = self.region.read(0, &mut payload);
        self.process.kill();
        let (failure, message) = read.ok().and_then(|()| Failure::from_front(&payload))?;
        Some((failure, crate::audit::escape(&String::from_utf8_lossy(message))))
    }

    /// What it says when it was asked to map; initialisers of the plugin may have said it.
    fn not_mapped(&mut self, head: ReplyHead) -> CellError {
        let Some((failure, message)) = self.failure(head) else { return self.died(End::Lied(Lie::Message)) };
        let library = || usize::try_from(failure.index).ok().and_then(|index| self.state.libraries.get(index));
        let object = match failure.step {
            Step::MapLibrary => library().map_or("a library", String::as_str),
            Step::MapPlugin => "the plugin",
            Step::Region => return self.step(failure),
            // No other step is left.
            _ => return self.died(End::Lied(Lie::Message)),
        };
        CellError::NotMapped { object: crate::audit::escape(object), message }
    }
}

/// Gives a root host's cell a user of its own. Not where files may be written: those belong to a user who comes back.
fn identify(load: &mut Load) -> io::Result<()> {
    let Some(identity) = &mut load.plan.identity else { return Ok(()) };
    let own = if load.policy.writes_files() { None } else { kernel::cell_identity(random()?) };
    if let Some(own) = own {
        *identity = own;
        return Ok(());
    }
    for status in &mut load.enforcement.layers {
        if let (Layer::Limits, State::Enforced { lacking, .. }) = (status.layer, &mut status.state) {
            lacking
                .push(format!("a user of the cell's own: threads are counted over every process of {}", identity.uid));
        }
    }
    Ok(())
}

fn random() -> io::Result<u32> {
    let mut bytes = [0; 4];
    SystemRandom::new().fill(&mut bytes).map_err(|_| io::Error::other("no randomness"))?;
    Ok(u32::from_ne_bytes(bytes))
}

fn send(
    control: &OwnedFd,
    start: &Start,
    load: &Load,
    runner: Option<&Runner>,
    libraries: &NamedLibraries,
    region: &Descriptors,
) -> Result<(), CellError> {
    let bytes = start.to_bytes();
    let mut descriptors: Vec<BorrowedFd<'_>> =
        vec![load.plugin.as_fd(), region.requests.as_fd(), region.replies.as_fd()];
    descriptors.extend(runner.iter().flat_map(|runner| [runner.program.as_fd(), runner.loader.as_fd()]));
    descriptors.extend(libraries.iter().map(|(_, library)| library.sealed.as_fd()));
    if bytes.len() > wire::CONTROL_LIMIT || descriptors.len() > wire::DESCRIPTOR_LIMIT {
        return Err(CellError::PlanTooLarge { bytes: bytes.len(), descriptors: descriptors.len() });
    }
    process::send(control, &bytes, &descriptors).map_err(CellError::Channel)
}
