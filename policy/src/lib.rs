//! Lazaret's policy language as a compiler: text → [`Document`] → [`Policy`] → [`Plan`].
//!
//! The crate is pure: no clock, no environment, no kernel, no unsafe code. What it needs of the machine is handed to it
//! as [`KernelSupport`] and [`Variables`].
//!
//! ```
//! # #[cfg(feature = "front")] {
//! use lazaret_policy::{Arch, KernelSupport, Namespaces, Policy, ProfileState, Request, Source, Variables};
//!
//! let text = r#"
//! lazaret = 1
//! name    = "image-codec"
//! extends = "builtin:compute"
//!
//! [limits]
//! memory = "64 MiB"
//! "#;
//! let request = Request::new(Source { name: "codec.toml".into(), text: text.into() });
//! let policy = Policy::resolve(&request, |path, _| Err(format!("`{path}` is not needed here")))?;
//!
//! let kernel = KernelSupport {
//!     arch: Arch::X86_64,
//!     landlock_abi: 7,
//!     seccomp: true,
//!     mdwe: true,
//!     root: false,
//!     namespaces: Namespaces::NONE,
//!     cgroup: false,
//!     profile: ProfileState::Off,
//!     processors: 4,
//! };
//! let planned = policy.plan(&kernel, &Variables::default())?;
//! assert_eq!(planned.plan.limits.data, 64 << 20);
//! # }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::unwrap_used))]

mod plan;
pub use plan::{
    Apparmor, Cgroup, Channel, Filter, GATE, GATE_RETURN, Identity, Instruction, Landlock, Limits, Namespaces,
    NotAPlan, PathRule, Plan, PortRule, RELRO_ADDRESS, RELRO_LENGTH, RUNNER_REPLIES, Seccomp, TRAP_REPORT,
    TRAP_VIOLATION, TRAP_WATCH, WATCH_ADDRESS,
};

#[cfg(feature = "front")]
mod front;
#[cfg(feature = "front")]
pub use front::*;
