//! Why a plugin did not come to be ready in a cell.

use std::io;

use lazaret_cell::wire::Step;
use lazaret_policy::{ProfileState, RulesTooLarge, lack_of_profile};
use thiserror::Error;

use crate::apparmor;
use crate::confirm::Unconfined;
use crate::outcome::Outcome;

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
    /// What a host asks the kernel about itself and its cells, it asks in `/proc`.
    #[error("`/proc` is not mounted")]
    NoProc,
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
    /// The host may not send signals to the cell, so nothing would end it.
    #[error("this process may not end the cell")]
    OutOfReach,
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
            Self::NoProc => "E-CELL-PROC",
            Self::Channel(_) => "E-CELL-CHANNEL",
            Self::PlanTooLarge { .. } => "E-CELL-PLAN",
            Self::Rules(_) => "E-CELL-RULES",
            Self::Step { .. } => "E-CELL-STEP",
            Self::Group(_) => "E-CELL-GROUP",
            Self::Unconfined(_) => "E-CELL-UNCONFINED",
            Self::OutOfReach => "E-CELL-REACH",
            Self::NotMapped { .. } => "E-CELL-NOT-MAPPED",
            Self::Died(_) => "E-CELL-DIED",
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Start { source, .. }
                if !matches!(source.kind(), io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied) =>
            {
                Some("the host may start no further process: look at its limits and its control group".into())
            }
            Self::Step { step: Step::Tree, .. } => Some(
                "a file tree of its own needs a root that can be left: not that of an initramfs or a chroot".into(),
            ),
            Self::Group(_) => Some(
                "the group above the host's must take another: look at its owner and `cgroup.max.descendants`".into(),
            ),
            // The file is there, or it would be another error: it is this process that may not.
            Self::Start { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => Some(match apparmor::own() {
                Some(label) => format!(
                    "the AppArmor profile `{}` does not let this process execute it: load the profile `lazaret-cell`, and include \
                     <abstractions/lazaret-host>, which says what to write for a process with no_new_privs",
                    crate::audit::escape(&label)
                ),
                None => "let this user execute it, and read it".into(),
            }),
            Self::Start { .. } => Some("`lazaret-cell` belongs beside `lazaret`, or in /usr/libexec/lazaret".into()),
            Self::NoProc => Some("`mount -t proc proc /proc`, as root".into()),
            Self::Step { step: Step::Paths, subject: Some(path), errno } if *errno == ELOOP => Some(format!(
                "`{path}` leads through a symbolic link beneath what the policy grants; grant the place it leads to"
            )),
            Self::Step { step: Step::Paths, subject: Some(path), .. } => {
                Some(format!("the policy grants `{path}`: create it, or take the grant out"))
            }
            Self::Step { step: Step::Hook, .. } => Some(
                "the C library ignored LD_AUDIT, as it does for programs that gain privileges when they are executed"
                    .into(),
            ),
            Self::Step { step: Step::ProfileProof, .. } => {
                lack_of_profile(ProfileState::Overruled, "", "", "").map(|lack| lack.help)
            }
            Self::Step { step: Step::Profile, .. } => Some(
                "the profile that confines the host must let its cells enter theirs: `change_profile -> &lazaret-cell.*,`".into(),
            ),
            Self::Step { step: Step::Identity, .. } => {
                Some("the host is root but may not change user: run it as an ordinary user".into())
            }
            Self::Unconfined(Unconfined { wanted, .. }) if wanted == "readable" => Some(
                "the host must see its cells in /proc: mount it without `hidepid`, or with `gid=` of the host's group"
                    .into(),
            ),
            Self::OutOfReach => Some(
                "the AppArmor profile of the host must let it end its cells: `include <abstractions/lazaret-host>`, and for a host that \
                 is root `capability kill,`"
                    .into(),
            ),
            Self::Rules(_) => Some("state fewer rules on arguments, or whole groups of calls".into()),
            Self::PlanTooLarge { .. } => Some("grant whole directories instead of many files".into()),
            Self::NotMapped { .. } => Some("`lazaret inspect FILE` shows what it needs".into()),
            _ => None,
        }
    }
}
