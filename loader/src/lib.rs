//! Use native plugins that you do not trust.
//!
//! A plugin (a shared object in C, C++, Rust or Go) is copied, verified and audited against a policy, and then mapped in
//! a child process that Landlock, seccomp, capabilities and limits restrict from the same policy. The host calls its
//! functions through shared memory and gets an [`Outcome`] whatever the plugin does.
//!
//! ```no_run
//! use lazaret::{Host, Opened, Outcome, Signature, Value};
//! use std::path::Path;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let host = Host::new()?;
//! let policy = host.policy("builtin:compute")?;
//! let mut plugin = host.load(Opened::open(Path::new("/usr/lib/libz.so.1"))?, policy)?;
//! let signature = Signature::parse("crc32(crc: u64, buf: in [u8; len], len: u32) -> u64")?;
//! match plugin.cell.bind(&signature) {
//!     Ok(crc32) => {
//!         let arguments = [Value::Unsigned(0), Value::Bytes(b"hello".to_vec()), Value::Length];
//!         match plugin.cell.call(&crc32, &arguments) {
//!             Outcome::Returned(returned) => println!("{:?}", returned.result),
//!             outcome => println!("{outcome:?}"),
//!         }
//!     }
//!     Err(outcome) => println!("{outcome:?}"),
//! }
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::unwrap_used))]

mod apparmor;
pub mod audit;
mod call;
mod cell;
mod cgroup;
#[doc(hidden)]
pub mod cli;
mod closure;
mod confirm;
pub mod doctor;
mod error;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing;
mod host;
mod kernel;
mod kernel_log;
mod libraries;
#[cfg(test)]
mod noise;
mod open;
mod outcome;
mod plan;
mod policies;
mod process;
pub mod prove;
mod reach;
mod resolve;
mod runner;
pub mod sbom;
mod search;
mod supervise;
pub mod trust;
mod verify;
mod zygote;

pub use call::{ArgumentError, Function, Lie, Output, Returned, Signature, SignatureError, Value};
pub use cell::{Cell, CellError, Confined, Enforcement, Ready, Reports};
pub use closure::{Audit, Audited, LibraryAudit, inspect};
pub use confirm::Unconfined;
pub use error::{Error, ExitStatus};
pub use host::{Host, Loaded};
pub use lazaret_policy::Layer;
pub use libraries::Libraries;
pub use open::{FILE_LIMIT, OpenError, Opened};
pub use outcome::{CallRefusal, Crash, Evidence, Outcome, Place, TimeLimit, Violation};
pub use plan::Planned;
pub use policies::Policies;
pub use reach::{Names, Reach, Through};
pub use runner::Runner;
pub use search::FoundBy;
pub use supervise::{Standing, Supervisor, Terms, Unavailable};
pub use verify::Verified;
