//! The cell as its host sees it: started, confirmed from outside, called, and ended. One type per state, so that a call
//! on a cell whose confinement was not confirmed does not compile.

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use lazaret_cell::region::{Descriptors, HostRegion, ReplyHead, Spin};
use lazaret_cell::sealed::Sealed;
use lazaret_cell::wire::{self, Answer, Failure, Operation, Program, Relro, Start, Status, Step};
use lazaret_policy::{Dropped, Layer, LayerStatus, Plan, Policy, RulesTooLarge, State};
use ring::rand::{SecureRandom as _, SystemRandom};
use rustix::net::{RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags};
use serde::Serialize;
use thiserror::Error;

use crate::audit::Object;
use crate::call::{self, Function, Lie, Signature, Value};
use crate::cgroup::{Delegated, Leaf};
use crate::confirm::{self, Phase, Unconfined};
use crate::kernel;
use crate::outcome::{CallRefusal, Outcome, Symbols, TimeLimit, Violation, of_death, of_report};
use crate::plan::NamedLibraries;
use crate::process::{self, Process};
use crate::runner::Runner;
use crate::zygote::Zygote;

/// Why a plugin did not come to be ready in a cell.
#[derive(Debug, Error)]
pub enum CellError {
    /// The cell program could not be started.
    #[error("the cell program `{program}` could not be started")]
    Start {
        /// Its path.
        program: String,
        /// Why.
        source: io::Error,
    },
    /// The region or the control socket could not be set up.
    #[error("the channel to the cell could not be set up")]
    Channel(#[source] io::Error),
    /// The plan does not fit into one message.
    #[error("the plan has {bytes} bytes and {descriptors} descriptors, more than one message carries")]
    PlanTooLarge {
        /// Bytes of its byte form.
        bytes: usize,
        /// Descriptors that go with it.
        descriptors: usize,
    },
    /// The filter of a cell with a runner does not fit.
    #[error("the policy leaves no room for a runner")]
    Rules(#[source] RulesTooLarge),
    /// A step of the cell failed, so nothing was mapped.
    #[error("the cell could not {step}{}", errno_text(*errno))]
    Step {
        /// Which.
        step: Step,
        /// `errno`, or 0.
        errno: i32,
        /// Which of several, as a path of the policy.
        subject: Option<String>,
    },
    /// The control group of the cell could not be made.
    #[error("the control group of the cell could not be made")]
    Group(#[source] io::Error),
    /// The kernel's view of the cell does not match the plan.
    #[error("the cell is not confined as planned")]
    Unconfined(#[source] Unconfined),
    /// The dynamic loader refused the file.
    #[error("the dynamic loader refused `{object}`: {message}")]
    NotMapped {
        /// The plugin or the library.
        object: String,
        /// The loader's words, made printable. The cell's claim.
        message: String,
    },
    /// The plugin did something else than load: its initialisers crashed, violated, exited or never ended.
    #[error("the plugin did not load")]
    Died(Box<Outcome>),
}

/// Too many symbolic links, which is one where none is followed (`openat2(2)`).
const ELOOP: i32 = 40;

fn errno_text(errno: i32) -> String {
    if errno == 0 { String::new() } else { format!(": {}", io::Error::from_raw_os_error(errno)) }
}

impl CellError {
    /// Stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Start { .. } => "E-CELL-START",
            Self::Channel(_) => "E-CELL-CHANNEL",
            Self::PlanTooLarge { .. } => "E-CELL-PLAN",
            Self::Rules(_) => "E-CELL-RULES",
            Self::Step { .. } => "E-CELL-STEP",
            Self::Group(_) => "E-CELL-GROUP",
            Self::Unconfined(_) => "E-CELL-UNCONFINED",
            Self::NotMapped { .. } => "E-CELL-NOT-MAPPED",
            Self::Died(_) => "E-CELL-DIED",
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Start { .. } => Some("`lazaret-cell` belongs beside `lazaret`, or in /usr/libexec/lazaret".into()),
            Self::Step { step: Step::Paths, subject: Some(path), errno } if *errno == ELOOP => Some(format!(
                "`{path}` leads through a symbolic link beneath what the policy grants; grant the place it leads to"
            )),
            Self::Step { step: Step::Paths, subject: Some(path), .. } => {
                Some(format!("the policy grants `{path}`: create it, or take the grant out"))
            }
            Self::Step { step: Step::Identity, .. } => {
                Some("the host is root but may not change user: run it as an ordinary user".into())
            }
            Self::Unconfined(Unconfined { wanted, .. }) if wanted == "readable" => Some(
                "the host must see its cells in /proc: mount it without `hidepid`, or with `gid=` of the host's group"
                    .into(),
            ),
            Self::Rules(_) => Some("state fewer rules on arguments, or whole groups of calls".into()),
            Self::PlanTooLarge { .. } => Some("grant whole directories instead of many files".into()),
            Self::NotMapped { .. } => Some("`lazaret inspect FILE` shows what it needs".into()),
            _ => None,
        }
    }
}

/// What a cell is loaded with, once everything before it is done.
#[derive(Clone, Debug)]
pub(crate) struct Load {
    pub(crate) plugin: Arc<Sealed>,
    pub(crate) object: Arc<Object>,
    pub(crate) plan: Plan,
    pub(crate) enforcement: Enforcement,
    pub(crate) policy: Arc<Policy>,
}

/// What is enforced on a cell, and what the policy grants and this load does not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Enforcement {
    /// Every layer that the policy speaks of, enforced or absent.
    pub layers: Vec<LayerStatus>,
    /// Grants whose variable (`${bundle}`, `${state}`) has no value in this load.
    pub dropped: Vec<Dropped>,
}

/// State: every layer is in force as the cell says, and nothing is mapped.
#[derive(Debug)]
pub struct Confined {
    control: OwnedFd,
    inherited_filters: u64,
    libraries: Vec<String>,
    deadline: Instant,
}

/// State: confirmed from outside, the plugin mapped, calls served.
#[derive(Debug)]
pub struct Ready {
    /// The outcome that ended the cell.
    gone: Option<Outcome>,
    /// What the dynamic loader added to addresses in the file, as the cell claims.
    bias: u64,
    /// How many functions are bound.
    bound: u32,
    /// How many reports of the cell were looked at.
    reported: u64,
}

/// Refused calls of a cell that lives.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Reports {
    /// Oldest first.
    pub list: Vec<Violation>,
    /// How many came in between and were overwritten.
    pub lost: u64,
}

/// A confined process with one plugin. Dropping it kills the process and leaves nothing behind.
#[derive(Debug)]
pub struct Cell<State> {
    process: Process,
    /// Removed after the process.
    group: Option<Leaf>,
    /// Where it was forked; replaced if this cell ends badly.
    zygote: Weak<Zygote>,
    region: HostRegion,
    /// Sequence number of the newest request; the one in shared memory only tells the cell.
    sequence: u32,
    spin: Duration,
    number: u64,
    object: Arc<Object>,
    plan: Plan,
    policy: Arc<Policy>,
    enforcement: Enforcement,
    state: State,
}

/// Longest busy wait for a reply. A cell that answers later than this costs a sleep, so that it cannot burn the host's
/// processor (R11).
const SPIN_LIMIT: Duration = Duration::from_micros(20);

/// Why no reply came.
enum End {
    Died(process::Exit),
    TimedOut,
    Lied(Lie),
}

impl<State> Cell<State> {
    /// What is enforced, layer by layer.
    #[must_use]
    pub fn enforcement(&self) -> &Enforcement {
        &self.enforcement
    }

    /// Process id of the cell.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Waits for the reply to the newest request.
    fn wait(&mut self, limit: Duration) -> Result<ReplyHead, End> {
        let began = Instant::now();
        let previous = self.sequence.wrapping_sub(1);
        let mut spin = Spin::new(self.spin);
        // Short at first, to notice the death of a cell soon; longer later, to cost little.
        let mut slice = Duration::from_millis(1);
        loop {
            let replied = self.region.replied();
            if replied == self.sequence {
                self.learn(began.elapsed());
                return Ok(self.region.reply());
            }
            if replied != previous {
                return Err(End::Lied(Lie::Sequence));
            }
            if spin.again() {
                continue;
            }
            if let Some(exit) = self.process.exited() {
                // Its last words may have come between the look and the death.
                let replied = self.region.replied() == self.sequence;
                return if replied { Ok(self.region.reply()) } else { Err(End::Died(exit)) };
            }
            let Some(left) = limit.checked_sub(began.elapsed()) else {
                return Err(End::TimedOut);
            };
            self.region.sleep(previous, slice.min(left));
            slice = (slice * 2).min(Duration::from_millis(16));
        }
    }

    /// Spins next time only if the cell has been answering within the limit.
    fn learn(&mut self, took: Duration) {
        self.spin = if self.plan.channel.spin_ns == 0 {
            Duration::ZERO
        } else if took <= SPIN_LIMIT {
            SPIN_LIMIT
        } else {
            self.spin / 2
        };
    }

    /// Ends the process and says what became of it. `bias` is what the dynamic loader added to addresses, once that is
    /// known.
    fn ended(&mut self, end: End, limit: TimeLimit, bias: Option<u64>) -> Outcome {
        self.spend();
        match end {
            End::Died(exit) => {
                let symbols = Symbols { object: &self.object, bias };
                let starved = self.group.as_ref().is_some_and(Leaf::ran_out_of_memory);
                of_death(exit, starved, self.region.incident(), &symbols, &self.policy)
            }
            End::TimedOut => {
                self.process.kill();
                Outcome::TimedOut { limit }
            }
            End::Lied(lie) => {
                self.process.kill();
                Outcome::Lied { lie }
            }
        }
    }
}

impl<State> Cell<State> {
    /// No other cell is to have this one's address-space layout.
    fn spend(&self) {
        if let Some(zygote) = self.zygote.upgrade() {
            zygote.spend();
        }
    }
}

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
        let inherited_filters = confirm::inherited_filters().map_err(CellError::Channel)?;
        identify(&mut load).map_err(CellError::Channel)?;
        if !zygote.hook() {
            say_what_is_late(&mut load.enforcement);
        }
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
                inherited_filters,
                libraries: libraries.into_iter().map(|(name, _)| name).collect(),
                deadline,
            },
        };
        cell.confined()
    }

    fn confined(mut self) -> Result<Self, CellError> {
        match self.answer()? {
            Answer::Confined => Ok(self),
            Answer::Failed(failure) => Err(self.failed(failure)),
        }
    }

    fn answer(&mut self) -> Result<Answer, CellError> {
        let left = self.state.deadline.saturating_duration_since(Instant::now());
        if !process::readable(&self.state.control, left).map_err(CellError::Channel)? {
            return Err(self.died(End::TimedOut));
        }
        let mut bytes = [0; wire::ANSWER_LIMIT];
        let receive = || rustix::net::recv(&self.state.control, &mut bytes, RecvFlags::TRUNC);
        let (_, length) = rustix::io::retry_on_intr(receive).map_err(|errno| CellError::Channel(errno.into()))?;
        if length == 0 {
            // It closed its end, so it is dying or dead.
            let exit = self.process.kill().unwrap_or(process::Exit::Signal(0));
            return Err(self.died(End::Died(exit)));
        }
        bytes.get(..length).and_then(Answer::from_bytes).ok_or_else(|| self.died(End::Lied(Lie::Message)))
    }

    /// The load ended with the cell.
    fn died(&mut self, end: End) -> CellError {
        let limit = TimeLimit::Load(self.policy.load_time());
        CellError::Died(Box::new(self.ended(end, limit, None)))
    }

    fn failed(&self, failure: Failure) -> CellError {
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

    /// Checks the confinement from outside, lets the cell map the plugin, and checks once more.
    pub(crate) fn confirm(mut self) -> Result<Cell<Ready>, CellError> {
        let pid = self.pid();
        let look = |phase, cell: &Self| {
            confirm::confirm(pid, &cell.plan, phase, cell.state.inherited_filters)?;
            cell.group.as_ref().map_or(Ok(()), |group| confirm::in_group(pid, group))
        };
        look(Phase::Load, &self).map_err(CellError::Unconfined)?;
        let channel = |errno: rustix::io::Errno| CellError::Channel(errno.into());
        rustix::net::send(&self.state.control, &[1], SendFlags::NOSIGNAL).map_err(channel)?;
        let left = self.state.deadline.saturating_duration_since(Instant::now());
        let head = self.wait(left).map_err(|end| self.died(end))?;
        let bias = match head.status {
            Some(Status::Done) => self.bias(head),
            Some(Status::NotMapped) => return Err(self.not_mapped(head)),
            _ => Err(Lie::Status),
        };
        let bias = bias.map_err(|lie| self.died(End::Lied(lie)))?;
        look(Phase::Call, &self).map_err(CellError::Unconfined)?;
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
            state: _,
        } = self;
        let spin = if plan.channel.spin_ns == 0 { Duration::ZERO } else { SPIN_LIMIT };
        let state = Ready { gone: None, bias, bound: 0, reported: 0 };
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

    fn not_mapped(&mut self, head: ReplyHead) -> CellError {
        let mut payload = vec![0; (head.length as usize).min(2048)];
        let read = self.region.read(0, &mut payload);
        self.process.kill();
        match read.ok().and_then(|()| Failure::from_front(&payload)) {
            Some((failure, message)) => {
                let library = usize::try_from(failure.index).ok().and_then(|index| self.state.libraries.get(index));
                let object = match failure.step {
                    Step::MapLibrary => library.map_or("a library", String::as_str),
                    _ => "the plugin",
                };
                CellError::NotMapped {
                    object: crate::audit::escape(object),
                    message: crate::audit::escape(&String::from_utf8_lossy(message)),
                }
            }
            None => self.died(End::Lied(Lie::Message)),
        }
    }
}

impl Cell<Ready> {
    /// Looks a function up and prepares calls of it.
    ///
    /// # Errors
    /// [`Outcome::Refused`] when the plugin exports no such function; any other outcome when the cell ended meanwhile.
    pub fn bind(&mut self, signature: &Signature) -> Result<Function, Outcome> {
        self.alive()?;
        if !self.object.exports_function(signature.name()) {
            let exported = self.object.exports().map(|symbol| symbol.name);
            let near = call::nearest(signature.name(), exported).map(str::to_owned);
            return Err(Outcome::Refused(CallRefusal::NoFunction { name: signature.name().to_owned(), near }));
        }
        if self.state.bound >= wire::FUNCTION_LIMIT {
            return Err(Outcome::Refused(CallRefusal::TooManyFunctions));
        }
        let mut payload = signature.prototype().to_bytes();
        payload.extend_from_slice(signature.name().as_bytes());
        self.region.write(0, &payload).map_err(|_| Outcome::Refused(CallRefusal::TooLong))?;
        let head = self.request(Operation::Bind, 0, payload.len() as u32)?;
        let mut number = [0; size_of::<u32>()];
        match head.status {
            Some(Status::Done) if head.length as usize == number.len() => {
                self.region.read(0, &mut number).map_err(|_| self.lied(Lie::Length))?;
                let number = u32::from_ne_bytes(number);
                self.state.bound += 1;
                Ok(Function { signature: signature.clone(), number, cell: self.number })
            }
            Some(Status::NoSymbol) => {
                let name = signature.name().to_owned();
                Err(Outcome::Refused(CallRefusal::NoFunction { name, near: None }))
            }
            Some(Status::Done) => Err(self.lied(Lie::Length)),
            _ => Err(self.lied(Lie::Status)),
        }
    }

    /// Calls a function. It gets `limits.call-time` of the policy, after which the cell is killed.
    pub fn call(&mut self, function: &Function, arguments: &[Value]) -> Outcome {
        self.try_call(function, arguments).unwrap_or_else(|outcome| outcome)
    }

    fn try_call(&mut self, function: &Function, arguments: &[Value]) -> Result<Outcome, Outcome> {
        self.alive()?;
        if function.cell != self.number {
            return Err(Outcome::Refused(CallRefusal::OtherCell));
        }
        let layout = call::put(&self.region, &function.signature, arguments)
            .map_err(|error| Outcome::Refused(CallRefusal::Argument(error)))?;
        let head = self.request(Operation::Call, function.number, layout.request)?;
        match head.status {
            Some(Status::Done) => {
                let returned = call::take(&self.region, &function.signature, &layout, head);
                returned.map(Outcome::Returned).map_err(|lie| self.lied(lie))
            }
            Some(Status::TooLong) => Err(Outcome::Refused(CallRefusal::TooLong)),
            _ => Err(self.lied(Lie::Status)),
        }
    }

    /// Calls that were refused since the last look and did not end the cell: those that the policy answers with `report`, and
    /// where the host watches ([`Host::watching`](crate::Host::watching)) those that Landlock refused. They are the cell's
    /// claim; that it was Landlock is predicted from the plan.
    pub fn reports(&mut self) -> Reports {
        let (reports, count) = self.region.reports(self.state.reported);
        let lost = count.saturating_sub(self.state.reported).saturating_sub(reports.len() as u64);
        // Never backwards, whatever the cell writes there.
        self.state.reported = self.state.reported.max(count);
        let symbols = Symbols { object: &self.object, bias: Some(self.state.bias) };
        let list = reports.iter().filter_map(|report| of_report(report, &symbols, &self.policy, &self.plan)).collect();
        Reports { list, lost }
    }

    /// The outcome that ended the cell, if one did.
    #[must_use]
    pub fn gone(&self) -> Option<&Outcome> {
        self.state.gone.as_ref()
    }

    fn alive(&self) -> Result<(), Outcome> {
        if self.state.gone.is_some() { Err(Outcome::Refused(CallRefusal::CellGone)) } else { Ok(()) }
    }

    fn request(&mut self, operation: Operation, function: u32, length: u32) -> Result<ReplyHead, Outcome> {
        self.sequence = self.sequence.wrapping_add(1);
        self.region.publish(self.sequence, operation, function, length);
        let limit = self.policy.call_time();
        self.wait(limit).map_err(|end| {
            let outcome = self.ended(end, TimeLimit::Call(limit), Some(self.state.bias));
            self.end_with(outcome)
        })
    }

    fn lied(&mut self, lie: Lie) -> Outcome {
        self.process.kill();
        self.spend();
        self.end_with(Outcome::Lied { lie })
    }

    fn end_with(&mut self, outcome: Outcome) -> Outcome {
        tracing::info!(pid = self.process.pid(), ?outcome, "cell ended");
        self.state.gone = Some(outcome.clone());
        outcome
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

/// Where the C library has no hook, the call-phase filter comes after the plugin's initialisers.
fn say_what_is_late(enforcement: &mut Enforcement) {
    for status in &mut enforcement.layers {
        if let (Layer::Seccomp, State::Enforced { lacking, .. }) = (status.layer, &mut status.state) {
            lacking.push(
                "the call-phase filter in initialisers: the C library of the cell program does not call back before they run"
                    .to_owned(),
            );
        }
    }
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
    let too_large = CellError::PlanTooLarge { bytes: bytes.len(), descriptors: descriptors.len() };
    if bytes.len() > wire::CONTROL_LIMIT || descriptors.len() > wire::DESCRIPTOR_LIMIT {
        return Err(too_large);
    }
    let mut space = vec![MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(descriptors.len()))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !ancillary.push(SendAncillaryMessage::ScmRights(&descriptors)) {
        return Err(too_large);
    }
    rustix::net::sendmsg(control, &[IoSlice::new(&bytes)], &mut ancillary, SendFlags::NOSIGNAL)
        .map_err(|errno| CellError::Channel(errno.into()))?;
    Ok(())
}
