//! Lazaret's policy language as a compiler: text → [`Document`] → [`Policy`] → [`Plan`].
//!
//! The crate is pure: no clock, no environment, no kernel, no unsafe code. What it needs of the machine is handed to it
//! as [`KernelSupport`] and [`Variables`].
//!
//! ```
//! # #[cfg(feature = "front")] {
//! use lazaret_policy::{Arch, KernelSupport, Policy, Request, Source, Variables};
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
pub use plan::{Channel, Filter, Identity, Instruction, Landlock, Limits, NotAPlan, PathRule, Plan, PortRule, Seccomp};

#[cfg(feature = "front")]
mod advice;
#[cfg(feature = "front")]
mod arch;
#[cfg(feature = "front")]
mod calls;
#[cfg(feature = "front")]
mod compile;
#[cfg(feature = "front")]
mod condition;
#[cfg(feature = "front")]
mod diagnostic;
#[cfg(feature = "front")]
mod document;
#[cfg(feature = "front")]
mod explain;
#[cfg(feature = "front")]
mod groups;
#[cfg(feature = "front")]
mod kernel;
#[cfg(feature = "front")]
mod landlock;
#[cfg(feature = "front")]
mod narrow;
#[cfg(feature = "front")]
mod node;
#[cfg(feature = "front")]
mod policy;
#[cfg(feature = "front")]
mod profiles;
#[cfg(feature = "front")]
mod reader;
#[cfg(feature = "front")]
mod rules;
#[cfg(feature = "front")]
mod schema;
#[cfg(feature = "front")]
mod seccomp;
#[cfg(feature = "front")]
mod symbols;
#[cfg(feature = "front")]
mod text;
#[cfg(feature = "front")]
mod units;
#[cfg(feature = "front")]
mod words;

#[cfg(feature = "front")]
pub use advice::{Advice, Allowance};
#[cfg(feature = "front")]
pub use arch::{syscall_name, syscall_number};
#[cfg(feature = "front")]
pub use compile::{Demand, Dropped, LayerStatus, Missing, MissingLayer, Planned, State, Variables};
#[cfg(feature = "front")]
pub use diagnostic::{Code, Diagnostic, Diagnostics, Palette, Severity};
#[cfg(feature = "front")]
pub use document::{Document, Layer, Limit, OnDeny};
#[cfg(feature = "front")]
pub use explain::{Explanation, Line};
#[cfg(feature = "front")]
pub use kernel::{Arch, KernelSupport};
#[cfg(feature = "front")]
pub use narrow::Removed;
#[cfg(feature = "front")]
pub use policy::{MAX_CHAIN, Policy, Request};
#[cfg(feature = "front")]
pub use profiles::{builtin, builtin_names};
#[cfg(feature = "front")]
pub use rules::{Digest, ElfRules, Hardening, Needed, NotADigest, Origin, Placed, SymbolPattern, TrustRules};
#[cfg(feature = "front")]
pub use schema::json_schema;
#[cfg(feature = "front")]
pub use symbols::{SymbolGroup, groups_of, symbol_groups};
#[cfg(feature = "front")]
pub use text::{MAX_TEXT, Source};
