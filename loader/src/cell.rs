//! The cell as its host sees it: started, confirmed from outside, called, and ended. One type per state, so that a call
//! on a cell whose confinement was not confirmed does not compile.

mod confined;
mod error;
mod ready;

use std::os::fd::OwnedFd;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use lazaret_cell::region::{HostRegion, ReplyHead, Spin};
use lazaret_cell::sealed::Sealed;
use lazaret_policy::{Dropped, LayerStatus, Plan, Policy};
use serde::Serialize;

pub use self::error::CellError;
use crate::apparmor::LoadedProfile;
use crate::audit::Object;
use crate::call::Lie;
use crate::cgroup::Leaf;
use crate::confirm::Inherited;
use crate::kernel_log::KernelLog;
use crate::outcome::{Outcome, Symbols, TimeLimit, Violation, of_death};
use crate::process::{self, Process};
use crate::zygote::Zygote;

/// What a cell is loaded with, once everything before it is done.
#[derive(Clone, Debug)]
pub(crate) struct Load {
    pub(crate) plugin: Arc<Sealed>,
    pub(crate) object: Arc<Object>,
    pub(crate) plan: Plan,
    /// What the plan's AppArmor profile was found to be.
    pub(crate) profile: Option<LoadedProfile>,
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

/// Whether a cell is there to be tried and ended ([`Zygote::needs_trial`]), or to be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trial {
    Yes,
    No,
}

/// State: every layer is in force as the cell says, and nothing is mapped.
#[derive(Debug)]
pub struct Confined {
    control: OwnedFd,
    inherited: Inherited,
    profile: Option<LoadedProfile>,
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
    /// What the kernel says, where the host watches and AppArmor may refuse something.
    log: Option<KernelLog>,
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
        // No other cell is to have this one's address-space layout.
        if let Some(zygote) = self.zygote.upgrade() {
            zygote.spend();
        }
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
