//! Why a plugin was not loaded: one variant per step, each with the step's own error inside.

use lazaret_policy::{Diagnostics, Missing};
use thiserror::Error;

use crate::cell::CellError;
use crate::closure::Audit;
use crate::open::OpenError;
use crate::trust::TrustError;

/// Why a plugin was not loaded.
#[derive(Debug, Error)]
pub enum Error {
    /// The file could not be opened.
    #[error("the plugin could not be opened")]
    Open(#[from] OpenError),
    /// Another file than the plugin could not be read.
    #[error("the {what} could not be read")]
    Read {
        /// Which.
        what: &'static str,
        /// Why.
        source: OpenError,
    },
    /// The trust document has mistakes.
    #[error("the trust document was refused")]
    Trust(#[source] TrustError),
    /// A policy that does not come with Lazaret.
    #[error("there is no policy `builtin:{0}`")]
    NoBuiltin(String),
    /// A policy, or what it extends, has mistakes.
    #[error("the policy has mistakes")]
    Policy(Diagnostics),
    /// Nobody vouches for the file, or something contradicts it.
    #[error("the plugin was not verified")]
    Verify(#[from] TrustError),
    /// The audit holds something against the file that the policy does not permit.
    #[error("the plugin was refused by the audit")]
    Audit(Box<Audit>),
    /// The kernel lacks what the policy requires.
    #[error("this machine cannot enforce the policy")]
    Plan(Missing),
    /// The cell did not come up.
    #[error("the plugin was not loaded")]
    Cell(#[from] CellError),
}

/// What a program of ours exits with. A contract: scripts rely on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitStatus {
    /// Done.
    Done = 0,
    /// The file or the policy was refused, or an act of a proof was not stopped.
    Refused = 1,
    /// Usage, or input that cannot be read.
    Usage = 2,
    /// This machine lacks what the policy requires.
    Machine = 3,
    /// The plugin violated, crashed, lied, or ran out of time or memory.
    Plugin = 4,
    /// A mistake of ours.
    Bug = 70,
}

impl Error {
    /// Stable code of the innermost reason.
    #[must_use]
    pub fn code(&self) -> &str {
        match self {
            Self::Open(error) | Self::Read { source: error, .. } => error.code(),
            Self::Trust(error) => error.code(),
            Self::NoBuiltin(_) => "E-NO-POLICY",
            Self::Policy(_) => "E-POLICY",
            Self::Verify(error) => error.code(),
            Self::Audit(_) => "E-AUDIT",
            Self::Plan(_) => "E-MACHINE",
            Self::Cell(error) => error.code(),
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Open(error) => error.hint().map(str::to_owned),
            Self::Read { what, .. } => Some(format!("give the path of a {what} that this user may read")),
            Self::Trust(error) => Some(error.hint().to_owned()),
            Self::Verify(error) => Some(error.hint().to_owned()),
            Self::Cell(error) => error.hint(),
            Self::NoBuiltin(_) => {
                let names: Vec<String> =
                    lazaret_policy::builtin_names().map(|name| format!("`builtin:{name}`")).collect();
                Some(format!("there are {}", names.join(", ")))
            }
            Self::Policy(_) | Self::Audit(_) | Self::Plan(_) => None,
        }
    }

    /// What a program ends with.
    #[must_use]
    pub const fn exit_status(&self) -> ExitStatus {
        match self {
            Self::Open(_) | Self::Read { .. } | Self::NoBuiltin(_) => ExitStatus::Usage,
            Self::Policy(_) | Self::Trust(_) | Self::Verify(_) | Self::Audit(_) => ExitStatus::Refused,
            Self::Plan(_) => ExitStatus::Machine,
            Self::Cell(error) => match error {
                CellError::Died(_) => ExitStatus::Plugin,
                CellError::NotMapped { .. } => ExitStatus::Refused,
                CellError::PlanTooLarge { .. } | CellError::Rules(_) => ExitStatus::Refused,
                CellError::Step { subject: Some(_), .. } => ExitStatus::Refused,
                CellError::Step { .. } | CellError::Start { .. } | CellError::Group(_) | CellError::Channel(_) => {
                    ExitStatus::Machine
                }
                CellError::Unconfined(_) | CellError::OutOfReach | CellError::NoProc => ExitStatus::Machine,
            },
        }
    }
}

/// The sentence of an error and of everything below it, once each.
pub(crate) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
