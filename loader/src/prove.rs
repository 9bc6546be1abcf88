//! Whether a policy on this machine stops what it should: every built-in act runs in cells of its own, once with all layers
//! of the policy and once with each layer alone, and a table says what came of it.
//!
//! The acts are hostile, and they run for real. With layers taken off, a cell still is a process of its own, without
//! capabilities, with another user where the host is root; an act that would harm the machine all the same is not run then
//! (`alone` in `loader/attacks/act.h`).

mod acts;
mod attempt;
mod bench;
mod grants;
mod part;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use lazaret_policy::{LayerStatus, Origin, Policy};
use serde::Serialize;

use crate::error::Error;
use crate::host::Host;
use attempt::Attempt;
use bench::Bench;

pub use acts::{Act, acts};
pub use part::Part;

/// What came of all acts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Proof {
    /// The policy.
    pub policy: PolicyName,
    /// The machine.
    pub kernel: Kernel,
    /// What the policy enforces here, and what it lists as optional and is absent.
    pub layers: Vec<LayerStatus>,
    /// One row for each act, in the order of [`acts`].
    pub acts: Vec<Row>,
    /// How many came to what.
    pub summary: Summary,
}

/// Which policy it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PolicyName {
    /// The name that it gives itself.
    pub name: String,
    /// The texts that it is made of, the outermost first.
    pub sources: Vec<String>,
}

/// Which machine it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Kernel {
    /// Release, as `uname -r` says it.
    pub release: String,
    /// Architecture.
    pub machine: String,
    /// Whether the host is root, and cells have another user than it.
    pub root: bool,
    /// The AppArmor label of the process that cells are forked from, where that is under a profile itself: every part, alone or
    /// not, is tried under it, and what it stops is [`Part::Process`]'s.
    pub confined_by: Option<String>,
}

/// How many acts came to what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// All that ran.
    pub acts: usize,
    /// Stopped.
    pub stopped: usize,
    /// Permitted by the policy.
    pub permitted: usize,
    /// Neither.
    pub not_stopped: usize,
}

/// What came of one act.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Row {
    /// Its name.
    pub name: &'static str,
    /// What it attacks.
    pub group: &'static str,
    /// What it tries, and what that would mean.
    pub sentence: &'static str,
    /// What came of it with all layers.
    #[serde(flatten)]
    pub verdict: Verdict,
    /// What came of it with one part of a cell at a time.
    pub alone: BTreeMap<Part, Alone>,
}

/// What came of an act with all layers of the policy together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "verdict", rename_all = "kebab-case")]
pub enum Verdict {
    /// It did not get its way.
    Stopped {
        /// What stopped it; `None` where several do and none was tried alone.
        stopped_by: Option<Part>,
        /// How it ended.
        how: String,
    },
    /// It got its way, as the policy says it may.
    Permitted {
        /// The lines that say so; none where every policy permits it.
        permitted_by: Vec<Origin>,
        /// Why every policy permits it.
        #[serde(skip_serializing_if = "Option::is_none")]
        how: Option<&'static str>,
    },
    /// It got its way, and the policy does not say that it may.
    NotStopped {
        /// How that showed.
        how: String,
    },
}

/// What came of an act with one part of a cell alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "result", rename_all = "kebab-case")]
pub enum Alone {
    /// This part stops it.
    Stopped {
        /// How it ended.
        how: String,
    },
    /// This part does not stop it.
    NotStopped,
    /// It ends as it does in any process of its own, which says nothing about this part.
    SameAsProcess,
    /// The policy does not ask for this part, or the machine lacks it.
    Absent,
    /// It would harm the machine.
    Untried,
    /// The cell did not come up.
    Failed {
        /// Why.
        how: String,
    },
}

/// Tries acts under a policy. `progress` is told of each act that is done, with how many are.
///
/// # Errors
/// [`Error::Plan`] when the machine lacks what the policy requires, and [`Error::Cell`] when cells do not come up at all.
pub fn prove(
    host: &Host,
    policy: &Arc<Policy>,
    acts: &[&'static Act],
    progress: &(dyn Fn(&Act, usize) + Sync),
) -> Result<Proof, Error> {
    let first = Bench::new(host, policy)?;
    let layers = first.enforcement()?;
    let spare = Mutex::new(Some(first));
    let rows = Mutex::new(BTreeMap::new());
    let failed = Mutex::new(None);
    let next = AtomicUsize::new(0);
    let done = AtomicUsize::new(0);
    let work = || -> Result<(), Error> {
        let ready = lock(&spare).take();
        let mut bench = ready.map_or_else(|| Bench::new(host, policy), Ok)?;
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let (Some(act), true) = (acts.get(at), lock(&failed).is_none()) else { return Ok(()) };
            let row = row(act, policy, &mut bench)?;
            lock(&rows).insert(at, row);
            progress(act, done.fetch_add(1, Ordering::Relaxed) + 1);
        }
    };
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from).min(acts.len().max(1)) {
            scope.spawn(|| {
                if let Err(error) = work() {
                    *lock(&failed) = Some(error);
                }
            });
        }
    });
    if let Some(error) = failed.into_inner().unwrap_or_else(PoisonError::into_inner) {
        return Err(error);
    }
    let acts: Vec<Row> = rows.into_inner().unwrap_or_else(PoisonError::into_inner).into_values().collect();
    let mut summary = Summary { acts: acts.len(), ..Summary::default() };
    for row in &acts {
        match row.verdict {
            Verdict::Stopped { .. } => summary.stopped += 1,
            Verdict::Permitted { .. } => summary.permitted += 1,
            Verdict::NotStopped { .. } => summary.not_stopped += 1,
        }
    }
    let uname = rustix::system::uname();
    let kernel = Kernel {
        release: uname.release().to_string_lossy().into_owned(),
        machine: uname.machine().to_string_lossy().into_owned(),
        root: host.kernel()?.root,
        confined_by: host.confined_by()?,
    };
    let policy = PolicyName { name: policy.name().to_owned(), sources: policy.sources().to_vec() };
    Ok(Proof { policy, kernel, layers, acts, summary })
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Tries one act in every way.
fn row(act: &'static Act, policy: &Policy, bench: &mut Bench<'_>) -> Result<Row, Error> {
    let together = bench.attempt(act, None)?;
    let (tried, alone) = alone(act, bench, &together)?;
    let verdict = match together {
        Attempt::GotItsWay => match (act.harmless, grants::that_permit(act, policy, bench.directory())) {
            (Some(why), _) => Verdict::Permitted { permitted_by: Vec::new(), how: Some(why) },
            (None, Some(lines)) => Verdict::Permitted { permitted_by: lines, how: None },
            (None, None) => Verdict::NotStopped { how: "it got its way".to_owned() },
        },
        Attempt::Stopped { by, how } => {
            let stopped_by = by.or_else(|| answered_alike(&tried, &how));
            Verdict::Stopped { stopped_by, how }
        }
        Attempt::NoCell(error) => return Err(error),
    };
    Ok(Row { name: act.name, group: act.group, sentence: act.sentence, verdict, alone })
}

type Tried = BTreeMap<Part, Attempt>;

/// Tries an act with one part of a cell at a time.
fn alone(
    act: &'static Act,
    bench: &mut Bench<'_>,
    together: &Attempt,
) -> Result<(Tried, BTreeMap<Part, Alone>), Error> {
    let mut tried = Tried::new();
    let mut alone = BTreeMap::new();
    // Whatever waits for its deadline does so with every layer, and each wait costs a second.
    let waits = |attempt: &Attempt| matches!(attempt, Attempt::Stopped { how, .. } if how == attempt::DEADLINE);
    for part in Part::ALL {
        let result = if !bench.has(act, part)? {
            Alone::Absent
        } else if !act.may_run_with(part, bench.is_apart(act, part)?)
            || act.fills_something() && !bench.caps_tasks(act)?
        {
            Alone::Untried
        } else if part != Part::Process && tried.get(&Part::Process).is_some_and(waits) && waits(together) {
            Alone::SameAsProcess
        } else {
            let attempt = bench.attempt(act, Some(part))?;
            let result = match (&attempt, tried.get(&Part::Process)) {
                (Attempt::Stopped { by: Some(Part::Process), .. }, _) if part != Part::Process => Alone::SameAsProcess,
                (Attempt::Stopped { how, .. }, Some(Attempt::Stopped { how: process, .. })) if how == process => {
                    Alone::SameAsProcess
                }
                (Attempt::Stopped { how, .. }, _) => Alone::Stopped { how: how.clone() },
                (Attempt::GotItsWay, _) => Alone::NotStopped,
                (Attempt::NoCell(error), _) => Alone::Failed { how: error.to_string() },
            };
            tried.insert(part, attempt);
            result
        };
        alone.insert(part, result);
    }
    Ok((tried, alone))
}

/// The part that, alone, ends the act as all of them do: of an answer alone nobody can tell who gave it.
fn answered_alike(tried: &Tried, answer: &str) -> Option<Part> {
    let alike = |(part, attempt): (&Part, &Attempt)| {
        matches!(attempt, Attempt::Stopped { how, .. } if how == answer).then_some(*part)
    };
    let stops = |(part, attempt): (&Part, &Attempt)| matches!(attempt, Attempt::Stopped { .. }).then_some(*part);
    tried.iter().find_map(alike).or_else(|| tried.iter().find_map(stops))
}
