//! All that a Lazaret cell ever does, and the shared memory that host and cell both use.
//!
//! A cell is the restricted child process in which one plugin is mapped. [`zygote::main`] is the program; it forks cells, and
//! `child` is the list of steps that each takes; each step is a file of its own. The host side of this crate is [`sealed`], [`region`] and [`wire`]: it is the home of
//! the unsafe code that `lazaret` itself forbids.
#![expect(unsafe_code, reason = "mapping memory, calling foreign code and handling signals cannot be done otherwise")]
#![cfg_attr(not(test), warn(clippy::unwrap_used))]

mod child;
mod confine;
mod gate;
pub mod hook;
mod incident;
mod map;
mod namespaces;
pub mod probe;
mod probes;
pub mod region;
mod report;
pub mod runner;
pub mod sealed;
mod serve;
mod shared;
pub mod wire;
pub mod zygote;

pub use incident::{Incident, IncidentKind};
pub use report::{REPORTS, Refused, Report};
