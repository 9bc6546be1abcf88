//! Who vouches for a plugin: decides from a manifest, its signatures, the trust document and the policy whether a file
//! may go on to the audit.
//!
//! The parts, in the order in which bytes pass through them:
//!
//! | file | decides |
//! |---|---|
//! | `wire` | whether bytes are SSH wire data |
//! | `key` | whether a public key is one that can be relied on |
//! | `sshsig` | whether a signature file is an SSHSIG and holds over bytes |
//! | `signatures` | which trusted keys signed, and whether the manifest may be parsed at all |
//! | `text`, `json` | what strings and JSON a signed document may contain |
//! | `document` | which publishers exist, with which keys, for which plugins |
//! | `manifest` | what a publisher says of a plugin |
//! | `verify` | the verdict |
//!
//! Nothing here opens a file, a socket or a clock: bytes come in, a [`Verdict`] or a [`TrustError`] goes out.

mod document;
mod error;
mod json;
mod key;
mod manifest;
mod signatures;
mod sshsig;
mod text;
mod verify;
mod wire;

#[cfg(test)]
mod tests;

pub use document::{DocumentError, NamePattern, Publisher, TrustDocument, TrustedKey};
pub use error::TrustError;
pub use json::Unreadable;
pub use key::{Fingerprint, KeyError, PublicKey, Scheme};
pub use manifest::{Abi, File, Libc, Manifest, ManifestError, Os, Role, Sbom, Supersedes, Target};
pub use signatures::{MAX_SIGNATURES, SignatureFile, SignatureOutcome, SignatureReport};
pub use sshsig::{MANIFEST_NAMESPACE, SignatureError};
pub use text::{FileName, HexText, Label, NotAllowed, PluginName, Release, Text, Timestamp, Version};
pub use verify::{Acceptance, Evidence, Machine, PluginFile, Verdict, verify};
pub use wire::WireError;
