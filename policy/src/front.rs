//! Everything that reads text: what a policy says, what it means, and its plan. The cell is built without it.

mod advice;
mod apparmor;
mod arch;
mod calls;
mod compile;
mod condition;
mod diagnostic;
mod document;
mod explain;
mod groups;
mod kernel;
mod landlock;
mod modules;
mod narrow;
mod node;
mod policy;
mod profiles;
mod reader;
mod rules;
mod schema;
mod seccomp;
mod sockets;
mod symbols;
mod text;
mod units;
mod words;

pub use advice::{Advice, Allowance};
pub use apparmor::{PROFILE_PREFIX, Profile};
pub use arch::{syscall_name, syscall_number};
pub use compile::{
    Demand, Dropped, Lack, LayerStatus, Missing, MissingLayer, Planned, RulesTooLarge, State, Variables, lack,
    lack_of_profile,
};
pub use diagnostic::{Code, Diagnostic, Diagnostics, Palette, Severity};
pub use document::{Document, Layer, Layout, Limit, OnDeny};
pub use explain::{Explanation, Line};
pub use kernel::{Arch, KernelSupport, ProfileState};
pub use landlock::lacking as lacking_landlock;
pub use modules::{Claim, Ecosystem, GO_STDLIB, Match, ModulePattern, ProvenanceRules};
pub use narrow::Removed;
pub use policy::{MAX_CHAIN, Policy, Request};
pub use profiles::{builtin, builtin_names};
pub use rules::{Digest, ElfRules, Hardening, Needed, NotADigest, Origin, Placed, SymbolPattern, TrustRules};
pub use schema::json_schema;
pub use symbols::{SymbolGroup, UNKNOWN_SYMBOLS, groups_of, symbol_groups};
pub use text::{MAX_TEXT, Source};
