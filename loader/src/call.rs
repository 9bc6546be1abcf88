//! Calls of a plugin's functions: what a caller may get wrong, and the functions it has bound.

mod signature;
mod value;

use std::fmt;

use serde::Serialize;

pub(crate) use signature::{Direction, Kind, Parameter, Scalar, nearest};
pub use signature::{Signature, SignatureError};
pub use value::{Output, Returned, Value};
pub(crate) use value::{hex, put, take, unhex};

/// A function of one cell, ready to be called there.
#[derive(Debug)]
pub struct Function {
    pub(crate) signature: Signature,
    /// The cell's number for it.
    pub(crate) number: u32,
    /// Which cell: a number means nothing in another.
    pub(crate) cell: u64,
}

impl Function {
    /// What it was bound as.
    #[must_use]
    pub fn signature(&self) -> &Signature {
        &self.signature
    }
}

/// Arguments that do not fit a signature. Nothing was sent to the cell.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ArgumentError {
    parameter: Option<String>,
    what: String,
    hint: Option<String>,
}

impl ArgumentError {
    pub(crate) fn new(parameter: &Parameter, what: &str) -> Self {
        Self::named(&parameter.name, what)
    }

    pub(crate) fn named(parameter: &str, what: &str) -> Self {
        Self { parameter: Some(parameter.to_owned()), what: what.to_owned(), hint: None }
    }

    pub(crate) fn count(function: &str, wanted: &[&str], given: usize) -> Self {
        let names = wanted.join(", ");
        let takes = match wanted.len() {
            0 => "no arguments".to_owned(),
            1 => format!("1 argument ({names})"),
            count => format!("{count} arguments ({names})"),
        };
        let hint = "`out` parameters take none; `_` stands for the length of a buffer that is given";
        Self { parameter: None, what: format!("`{function}` takes {takes}, not {given}"), hint: Some(hint.into()) }
    }

    pub(crate) fn hint(mut self, hint: &str) -> Self {
        self.hint = Some(hint.to_owned());
        self
    }

    /// What to change.
    #[must_use]
    pub fn next_step(&self) -> Option<&str> {
        self.hint.as_deref()
    }
}

impl fmt::Display for ArgumentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.parameter {
            Some(parameter) => write!(f, "argument `{parameter}`: {}", self.what),
            None => f.write_str(&self.what),
        }
    }
}

impl std::error::Error for ArgumentError {}

/// Something a cell said that cannot be true. The numbers are those of the rules for an untrusted peer in ARCHITECTURE.md.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Lie {
    /// A reply to a request that was not made (R8).
    Sequence,
    /// A status that is none (R5).
    Status,
    /// A length or offset that does not fit the request (R7).
    Length,
    /// A message on the control socket that is none (R12).
    Message,
}

impl fmt::Display for Lie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sequence => "it answered a request that was not made (R8)",
            Self::Status => "it answered with a status that does not exist (R5)",
            Self::Length => "it claimed a length that does not fit the request (R7)",
            Self::Message => "it sent a control message that is none (R12)",
        })
    }
}
