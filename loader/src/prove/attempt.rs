//! What one run of an act came to, as its host saw it.

use std::io;

use super::acts::Act;
use super::part::Part;
use crate::call::Value;
use crate::cell::CellError;
use crate::error::Error;
use crate::outcome::{Outcome, TimeLimit};

/// What one run came to.
#[derive(Debug)]
pub(super) enum Attempt {
    GotItsWay,
    Stopped {
        /// `None` for an answer that any part may have given.
        by: Option<Part>,
        how: String,
    },
    /// There was no cell to run it in.
    NoCell(Error),
}

/// How an act ends that does not.
pub(super) const DEADLINE: &str = "killed at its deadline";

impl Attempt {
    /// Of a load that failed: initialisers run then, so that the act may have been what failed it.
    pub(super) fn of_error(act: &Act, error: Error) -> Self {
        let stopped = |how: &str| Self::Stopped { by: Some(Part::Process), how: how.to_owned() };
        match error {
            Error::Cell(CellError::Died(outcome)) => Self::of_outcome(act, &outcome),
            Error::Cell(CellError::Unconfined(_)) => stopped("refused: not confined as planned"),
            Error::Cell(CellError::NotMapped { .. }) => stopped("refused by the dynamic loader"),
            error => Self::NoCell(error),
        }
    }

    pub(super) fn of_outcome(act: &Act, outcome: &Outcome) -> Self {
        let stopped = |by, how: String| Self::Stopped { by: Some(by), how };
        match outcome {
            Outcome::Returned(returned) => match &returned.result {
                Value::Signed(result) => Self::of_result(act, *result),
                _ => Self::GotItsWay,
            },
            Outcome::Violated(violation) => {
                let by = Part::ALL.into_iter().find(|part| part.name() == violation.layer.name());
                let how = match violation.act.as_str() {
                    "?" => "killed, with no word of the call".to_owned(),
                    call => format!("`{}` refused", crate::audit::escape(call)),
                };
                Self::Stopped { by, how }
            }
            Outcome::Crashed(crash) if act.succeeds_by(&crash.name) => Self::GotItsWay,
            Outcome::Crashed(crash) => stopped(Part::Process, format!("{} in the cell", crash.name)),
            Outcome::Exited { status } if act.succeeds_by(&format!("exit {status}")) => Self::GotItsWay,
            Outcome::Exited { status } => stopped(Part::Process, format!("exit {status} of the cell")),
            Outcome::TimedOut { limit: TimeLimit::Processor } => stopped(Part::Limits, "out of processor time".into()),
            Outcome::TimedOut { .. } => stopped(Part::Process, DEADLINE.to_owned()),
            Outcome::OutOfMemory { .. } => stopped(Part::Limits, "out of memory".to_owned()),
            Outcome::Refused(_) => stopped(Part::Process, "refused by the host".to_owned()),
            Outcome::Lied { .. } => stopped(Part::Process, "a lie, noticed".to_owned()),
        }
    }

    fn of_result(act: &Act, result: i64) -> Self {
        if act.fails_with == Some(result.to_string().as_str()) {
            return Self::Stopped { by: Some(Part::Process), how: "nothing to be had".to_owned() };
        }
        if result >= 0 {
            return Self::GotItsWay;
        }
        let name = errno_name(result.checked_neg().and_then(|errno| i32::try_from(errno).ok()).unwrap_or(0));
        if act.succeeds_by(&name) {
            return Self::GotItsWay;
        }
        Self::Stopped { by: None, how: format!("answered {name}") }
    }
}

impl Act {
    fn succeeds_by(&self, end: &str) -> bool {
        self.succeeds_with.is_some_and(|ends| ends.split(',').any(|one| one.trim() == end))
    }
}

/// The names of those that acts are answered with, the same on both architectures (errno(3)).
fn errno_name(errno: i32) -> String {
    let name = match errno {
        1 => "EPERM",
        2 => "ENOENT",
        3 => "ESRCH",
        4 => "EINTR",
        5 => "EIO",
        6 => "ENXIO",
        9 => "EBADF",
        11 => "EAGAIN",
        12 => "ENOMEM",
        13 => "EACCES",
        14 => "EFAULT",
        16 => "EBUSY",
        17 => "EEXIST",
        18 => "EXDEV",
        19 => "ENODEV",
        20 => "ENOTDIR",
        22 => "EINVAL",
        24 => "EMFILE",
        25 => "ENOTTY",
        27 => "EFBIG",
        28 => "ENOSPC",
        29 => "ESPIPE",
        30 => "EROFS",
        36 => "ENAMETOOLONG",
        38 => "ENOSYS",
        40 => "ELOOP",
        88 => "ENOTSOCK",
        92 => "ENOPROTOOPT",
        93 => "EPROTONOSUPPORT",
        94 => "ESOCKTNOSUPPORT",
        95 => "EOPNOTSUPP",
        97 => "EAFNOSUPPORT",
        98 => "EADDRINUSE",
        99 => "EADDRNOTAVAIL",
        101 => "ENETUNREACH",
        111 => "ECONNREFUSED",
        126 => "ENOKEY",
        _ => return io::Error::from_raw_os_error(errno).to_string(),
    };
    name.to_owned()
}
