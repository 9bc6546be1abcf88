//! Keeps a plugin callable: cells are started before they are needed, replaced when they end or have served enough, and no
//! longer started when the plugin only ever fails.

use std::collections::VecDeque;
use std::fmt;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use thiserror::Error;

use crate::call::{Function, Signature, Value};
use crate::cell::{Cell, CellError, Ready};
use crate::error::Error;
use crate::host::Host;
use crate::outcome::Outcome;
use crate::plan::Planned;

/// The terms on which a plugin is kept going.
#[derive(Clone, Debug)]
pub struct Terms {
    /// Most cells at once, each serving one call at a time. A caller waits for one to come free.
    pub cells: usize,
    /// Cells that are kept ready for calls to come; at most [`Terms::cells`].
    pub prewarmed: usize,
    /// Calls that one cell serves before it is replaced, so that what a plugin keeps between calls does not pile up.
    pub calls: u64,
    /// How long a cell beyond the prewarmed ones is kept without a call.
    pub idle: Duration,
    /// How long after a first failure no new cell is started. It doubles with each failure in a row, up to
    /// [`Terms::longest_pause`].
    pub first_pause: Duration,
    /// The longest pause after a failure.
    pub longest_pause: Duration,
    /// So many failures within [`Terms::window`] are a crash loop: the plugin is quarantined.
    pub failures: usize,
    /// The time in which failures are counted.
    pub window: Duration,
    /// A directory in which a quarantine is written down, so that it holds for later hosts too: until a person ends it, with
    /// [`Supervisor::release`] or by removing the file.
    pub quarantine: Option<PathBuf>,
}

impl Default for Terms {
    /// One cell, ready before the first call, for 10,000 calls; pauses from 100 ms to 30 s; 5 failures in a minute are a loop.
    fn default() -> Self {
        Self {
            cells: 1,
            prewarmed: 1,
            calls: 10_000,
            idle: Duration::from_secs(60),
            first_pause: Duration::from_millis(100),
            longest_pause: Duration::from_secs(30),
            failures: 5,
            window: Duration::from_secs(60),
            quarantine: None,
        }
    }
}

/// Why no cell took a call.
#[derive(Debug, Error)]
pub enum Unavailable {
    /// The plugin failed, and its next cell may not be started yet.
    #[error("the plugin failed {failures} times in a row; its next cell may be started in {left:?}")]
    Paused {
        /// Failures without a call that returned in between.
        failures: u32,
        /// How long it still takes.
        left: Duration,
    },
    /// The plugin was in a crash loop. Only a person ends this.
    #[error("the plugin is quarantined: {reason}")]
    Quarantined {
        /// What it did, in one sentence.
        reason: String,
    },
    /// A new cell could not be started, for a reason that is not the plugin's.
    #[error("no cell could be started")]
    Load(#[source] Box<Error>),
    /// The quarantine could not be written down or ended.
    #[error("the quarantine in `{}` could not be changed", path.display())]
    Record {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl Unavailable {
    /// Stable code.
    #[must_use]
    pub fn code(&self) -> &str {
        match self {
            Self::Paused { .. } => "E-PAUSED",
            Self::Quarantined { .. } => "E-QUARANTINED",
            Self::Load(error) => error.code(),
            Self::Record { .. } => "E-QUARANTINE-RECORD",
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Paused { .. } => Some("call again later".into()),
            Self::Quarantined { .. } => {
                Some("find out why it fails; then release it, or load a version that does not fail".into())
            }
            Self::Load(error) => error.hint(),
            Self::Record { .. } => Some("check that the host may write there".into()),
        }
    }
}

/// Whether a plugin takes calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It does.
    Serving,
    /// Not before so long.
    Paused(Duration),
    /// Not before a person says so.
    Quarantined(String),
}

/// A plugin that is kept going. Calls may come from any number of threads. Dropping it ends its cells.
#[derive(Debug)]
pub struct Supervisor {
    shared: Arc<Shared>,
    keeper: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    host: Arc<Host>,
    terms: Terms,
    state: Mutex<State>,
    /// Something in the state changed.
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    planned: Arc<Planned>,
    /// Counts versions of the plugin; a cell of an earlier one is not called again.
    version: u64,
    ready: VecDeque<Member>,
    /// Cells that served enough: ending a process takes longer than a call, so the keeper does it and not a caller.
    spent: Vec<Member>,
    /// Cells that are being started or called, of this version and of earlier ones.
    busy: usize,
    earlier: usize,
    /// Times of failures within the window.
    failed: VecDeque<Instant>,
    in_a_row: u32,
    not_before: Option<Instant>,
    quarantined: Option<String>,
    closing: bool,
}

/// A cell with what is bound in it.
#[derive(Debug)]
struct Member {
    cell: Cell<Ready>,
    version: u64,
    functions: Vec<Function>,
    calls: u64,
    since: Instant,
}

impl Member {
    fn call(&mut self, signature: &Signature, arguments: &[Value]) -> Outcome {
        let bound = self.functions.iter().position(|function| function.signature == *signature);
        let index = match bound {
            Some(index) => index,
            None => match self.cell.bind(signature) {
                Ok(function) => {
                    self.functions.push(function);
                    self.functions.len() - 1
                }
                Err(outcome) => return outcome,
            },
        };
        self.calls += 1;
        match self.functions.get(index) {
            Some(function) => self.cell.call(function, arguments),
            None => unreachable!("it was found or put there"),
        }
    }
}

impl Supervisor {
    /// Keeps a plugin going that a [`Host`] prepared.
    ///
    /// # Errors
    /// [`Unavailable::Quarantined`] where an earlier host wrote that down.
    pub fn new(host: Arc<Host>, planned: Planned, terms: Terms) -> Result<Self, Unavailable> {
        let terms = Terms { cells: terms.cells.max(1), prewarmed: terms.prewarmed.min(terms.cells.max(1)), ..terms };
        let state = State {
            planned: Arc::new(planned),
            version: 0,
            ready: VecDeque::new(),
            spent: Vec::new(),
            busy: 0,
            earlier: 0,
            failed: VecDeque::new(),
            in_a_row: 0,
            not_before: None,
            quarantined: None,
            closing: false,
        };
        let shared = Arc::new(Shared { host, terms, state: Mutex::new(state), changed: Condvar::new() });
        if let Some(reason) = shared.recorded(&shared.state().planned)? {
            return Err(Unavailable::Quarantined { reason });
        }
        let keeping = Arc::clone(&shared);
        let keeper = thread::Builder::new().name("lazaret-keeper".into()).spawn(move || keeping.keep());
        let keeper = keeper.map_err(|source| {
            let start = CellError::Start { program: "lazaret-keeper".into(), source };
            Unavailable::Load(Box::new(start.into()))
        })?;
        Ok(Self { shared, keeper: Some(keeper) })
    }

    /// Calls a function in some cell, and waits for one to come free or to be started.
    ///
    /// # Errors
    /// [`Unavailable`] when no cell took the call. What the plugin did with it is the outcome.
    pub fn call(&self, signature: &Signature, arguments: &[Value]) -> Result<Outcome, Unavailable> {
        let mut member = self.shared.take()?;
        let outcome = member.call(signature, arguments);
        self.shared.give_back(member, &outcome)?;
        Ok(outcome)
    }

    /// Replaces the plugin by another version of it. Calls that come from now on go to the new one; this returns when the
    /// last call of the old one has ended, which takes at most its `limits.call-time`. A new version that does not load
    /// changes nothing. A quarantine ends with the version that earned it.
    ///
    /// # Errors
    /// [`Unavailable::Load`] when the new version does not load, [`Unavailable::Quarantined`] where it is quarantined already.
    pub fn swap(&self, planned: Planned) -> Result<(), Unavailable> {
        let planned = Arc::new(planned);
        if let Some(reason) = self.shared.recorded(&planned)? {
            return Err(Unavailable::Quarantined { reason });
        }
        let cell = self.shared.host.start(&planned).map_err(|error| Unavailable::Load(Box::new(error)))?.cell;
        let mut state = self.shared.state();
        state.version += 1;
        state.planned = planned;
        state.earlier += state.busy;
        state.busy = 0;
        let old = std::mem::take(&mut state.ready);
        let version = state.version;
        state.ready.push_back(Member::new(cell, version));
        state.failed.clear();
        (state.in_a_row, state.not_before, state.quarantined) = (0, None, None);
        self.shared.changed.notify_all();
        drop(old);
        while state.earlier > 0 {
            state = self.shared.wait(state, None);
        }
        Ok(())
    }

    /// Ends a quarantine: a person found out why the plugin failed.
    ///
    /// # Errors
    /// [`Unavailable::Record`] when the record cannot be removed.
    pub fn release(&self) -> Result<(), Unavailable> {
        let mut state = self.shared.state();
        if let Some(path) = self.shared.record(&state.planned) {
            match fs::remove_file(&path) {
                Err(source) if source.kind() != io::ErrorKind::NotFound => {
                    return Err(Unavailable::Record { path, source });
                }
                _ => {}
            }
        }
        state.failed.clear();
        (state.in_a_row, state.not_before, state.quarantined) = (0, None, None);
        self.shared.changed.notify_all();
        Ok(())
    }

    /// Whether the plugin takes calls.
    #[must_use]
    pub fn standing(&self) -> Standing {
        let state = self.shared.state();
        match (&state.quarantined, state.pause()) {
            (Some(reason), _) => Standing::Quarantined(reason.clone()),
            (None, Some(left)) => Standing::Paused(left),
            (None, None) => Standing::Serving,
        }
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        self.shared.state().closing = true;
        self.shared.changed.notify_all();
        if let Some(keeper) = self.keeper.take() {
            // It only returns; a panic of it has been printed.
            drop(keeper.join());
        }
    }
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Serving => f.write_str("serving"),
            Self::Paused(left) => write!(f, "paused for {left:?}"),
            Self::Quarantined(reason) => write!(f, "quarantined: {reason}"),
        }
    }
}

impl Member {
    fn new(cell: Cell<Ready>, version: u64) -> Self {
        Self { cell, version, functions: Vec::new(), calls: 0, since: Instant::now() }
    }
}

impl State {
    /// How long no cell may be started.
    fn pause(&self) -> Option<Duration> {
        self.not_before.map(|then| then.saturating_duration_since(Instant::now())).filter(|left| !left.is_zero())
    }

    fn free(&self) -> Result<(), Unavailable> {
        if let Some(reason) = &self.quarantined {
            return Err(Unavailable::Quarantined { reason: reason.clone() });
        }
        match self.pause() {
            Some(left) => Err(Unavailable::Paused { failures: self.in_a_row, left }),
            None => Ok(()),
        }
    }

    /// One cell fewer at work.
    fn done(&mut self, version: u64) {
        if version == self.version { self.busy -= 1 } else { self.earlier -= 1 }
    }
}

/// Whether a load failed by what the plugin did or is, and not by the machine.
fn is_the_plugins(error: &Error) -> bool {
    matches!(error, Error::Cell(CellError::Died(_) | CellError::NotMapped { .. } | CellError::Unconfined(_)))
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>, limit: Option<Duration>) -> MutexGuard<'a, State> {
        match limit {
            None => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
            Some(limit) => self.changed.wait_timeout(state, limit).unwrap_or_else(PoisonError::into_inner).0,
        }
    }

    /// A cell for one call.
    fn take(&self) -> Result<Member, Unavailable> {
        let mut state = self.state();
        loop {
            if let Some(reason) = &state.quarantined {
                return Err(Unavailable::Quarantined { reason: reason.clone() });
            }
            // The one that was used last: the others come to their idle time.
            if let Some(member) = state.ready.pop_back() {
                state.busy += 1;
                // The keeper makes up for it, before the next caller comes.
                self.changed.notify_all();
                return Ok(member);
            }
            state.free()?;
            if state.busy < self.terms.cells {
                return self.start(state);
            }
            state = self.wait(state, None);
        }
    }

    /// Starts a cell, without holding on to the state meanwhile.
    fn start(&self, mut state: MutexGuard<'_, State>) -> Result<Member, Unavailable> {
        state.busy += 1;
        let (planned, version) = (Arc::clone(&state.planned), state.version);
        drop(state);
        let started = self.host.start(&planned);
        match started {
            Ok(loaded) => Ok(Member::new(loaded.cell, version)),
            Err(error) => {
                let mut state = self.state();
                state.done(version);
                // Whoever waits for a cell to come free, or for the last of an old version.
                self.changed.notify_all();
                if is_the_plugins(&error) {
                    self.failed(&mut state, version, &error.to_string())?;
                }
                Err(Unavailable::Load(Box::new(error)))
            }
        }
    }

    fn give_back(&self, mut member: Member, outcome: &Outcome) -> Result<(), Unavailable> {
        let mut state = self.state();
        state.done(member.version);
        self.changed.notify_all();
        match outcome {
            Outcome::Returned(_) | Outcome::Refused(_) if member.cell.gone().is_none() => {
                if member.version == state.version {
                    state.in_a_row = 0;
                    if member.calls < self.terms.calls {
                        member.since = Instant::now();
                        state.ready.push_back(member);
                        return Ok(());
                    }
                }
                state.spent.push(member);
                Ok(())
            }
            ended => self.failed(&mut state, member.version, &ended.to_string()),
        }
    }

    /// Counts a failure: a pause, or a quarantine.
    fn failed(&self, state: &mut State, version: u64, what: &str) -> Result<(), Unavailable> {
        if version != state.version {
            return Ok(());
        }
        let now = Instant::now();
        state.in_a_row = state.in_a_row.saturating_add(1);
        let doubled = self.terms.first_pause.saturating_mul(1 << state.in_a_row.saturating_sub(1).min(20));
        state.not_before = now.checked_add(doubled.min(self.terms.longest_pause));
        state.failed.push_back(now);
        state.failed.retain(|then| now.duration_since(*then) <= self.terms.window);
        if state.failed.len() < self.terms.failures || state.quarantined.is_some() {
            return Ok(());
        }
        let reason = format!("{} failures within {:?}, the last: {what}", state.failed.len(), self.terms.window);
        tracing::error!(%reason, "quarantined");
        state.quarantined = Some(reason.clone());
        let Some(path) = self.record(&state.planned) else { return Ok(()) };
        // Whole or not at all: another host may look at any time.
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let half = path.with_extension(format!("half-{}-{number}", std::process::id()));
        fs::write(&half, reason)
            .and_then(|()| fs::rename(&half, &path))
            .map_err(|source| Unavailable::Record { path, source })
    }

    /// Where a quarantine of the present version is written down: by the digest, since names are anybody's.
    fn record(&self, planned: &Planned) -> Option<PathBuf> {
        let digest = planned.verdict().digest().to_string();
        Some(self.terms.quarantine.as_ref()?.join(format!("{}.quarantine", digest.replace(':', "-"))))
    }

    fn recorded(&self, planned: &Planned) -> Result<Option<String>, Unavailable> {
        let Some(path) = self.record(planned) else { return Ok(None) };
        match fs::read_to_string(&path) {
            Ok(reason) => Ok(Some(reason)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(Unavailable::Record { path, source }),
        }
    }

    /// The keeper's work: cells before they are needed, and none that nobody needs.
    fn keep(&self) {
        let mut state = self.state();
        while !state.closing {
            let spent = std::mem::take(&mut state.spent);
            if !spent.is_empty() {
                drop(state);
                drop(spent);
                state = self.state();
                continue;
            }
            let spare = state.ready.len();
            if spare < self.terms.prewarmed && spare + state.busy < self.terms.cells && state.free().is_ok() {
                match self.start(state) {
                    Ok(member) => {
                        state = self.state();
                        state.done(member.version);
                        if member.version == state.version {
                            state.ready.push_back(member);
                        }
                    }
                    Err(error) => {
                        tracing::warn!(%error, "no cell is ready");
                        state = self.state();
                    }
                }
                self.changed.notify_all();
                continue;
            }
            let idle = |member: &Member| member.since.elapsed() >= self.terms.idle;
            if state.ready.len() > self.terms.prewarmed && state.ready.front().is_some_and(idle) {
                let ended = state.ready.pop_front();
                drop(state);
                drop(ended);
                state = self.state();
                continue;
            }
            let oldest = state.ready.front().filter(|_| state.ready.len() > self.terms.prewarmed);
            let idle = oldest.map(|member| self.terms.idle.saturating_sub(member.since.elapsed()));
            let limit = idle.into_iter().chain(state.pause()).min();
            state = self.wait(state, limit);
        }
        let rest = std::mem::take(&mut state.ready);
        drop(state);
        drop(rest);
    }
}
