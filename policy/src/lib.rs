//! Lazaret's policy language as a compiler: text → [`Document`] → [`Policy`] → [`Plan`].
//!
//! The crate is pure: no clock, no environment, no kernel, no unsafe code. What it needs of the machine is handed to it
//! as [`KernelSupport`] and [`Variables`].
#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::unwrap_used))]

mod plan;
pub use plan::{
    Channel, Filter, Identity, Instruction, Landlock, Limits, NotAPlan, PathRule, Plan, PortRule, Seccomp,
};

#[cfg(feature = "front")]
mod kernel;
#[cfg(feature = "front")]
mod rules;
#[cfg(feature = "front")]
pub use kernel::{Arch, KernelSupport};
#[cfg(feature = "front")]
pub use rules::{
    Digest, ElfRules, Hardening, Needed, NotADigest, Origin, Placed, SymbolPattern, TrustRules,
};
