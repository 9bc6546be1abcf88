//! Second step: whether somebody the policy names vouches for exactly the bytes of the copy.

use std::path::PathBuf;
use std::sync::Arc;

use lazaret_cell::sealed::Sealed;
use lazaret_policy::{Arch, Diagnostics, Digest, Policy};
use ring::digest::{SHA256, digest};

use crate::open::Opened;
use crate::trust::{self, Evidence, Libc, Machine, PluginFile, SignatureFile, TrustDocument, TrustError, Verdict};

/// A plugin that may be parsed: somebody the policy names vouches for it, or the policy says that nobody needs to.
#[derive(Debug)]
pub struct Verified {
    pub(crate) plugin: Sealed,
    pub(crate) name: String,
    pub(crate) verdict: Verdict,
    pub(crate) bundle: Option<PathBuf>,
    pub(crate) directory: Option<PathBuf>,
}

/// SHA-256 of a sealed copy.
pub(crate) fn digest_of(sealed: &Sealed) -> Digest {
    let hash = digest(&SHA256, sealed.bytes());
    let mut bytes = [0; 32];
    bytes.copy_from_slice(hash.as_ref());
    Digest(bytes)
}

impl Opened {
    /// Verifies the copy.
    ///
    /// # Errors
    /// [`TrustError`] says what is missing, or what contradicts the file.
    pub fn verify(self, policy: &Policy, document: Option<&TrustDocument>) -> Result<Verified, TrustError> {
        let signatures: Vec<SignatureFile<'_>> = self
            .signatures
            .iter()
            .map(|signature| SignatureFile { name: &signature.name, bytes: &signature.bytes })
            .collect();
        let evidence = Evidence {
            manifest: self.manifest.as_deref(),
            signatures: &signatures,
            plugin: PluginFile {
                name: &self.name,
                size: self.plugin.bytes().len() as u64,
                digest: digest_of(&self.plugin),
            },
            machine: Machine { arch: Arch::NATIVE, libc: LIBC },
        };
        let verdict = trust::verify(&evidence, document, policy.trust())?;
        let name = self.name.to_string_lossy().into_owned();
        tracing::info!(plugin = %crate::audit::escape(&name), digest = %verdict.digest(), "verified");
        Ok(Verified { plugin: self.plugin, name, verdict, bundle: self.bundle, directory: self.directory })
    }
}

impl Verified {
    /// The policy for this plugin: no more than it asks for in `plugin.json`, where it asks.
    pub(crate) fn narrow(&self, policy: Arc<Policy>) -> Result<Arc<Policy>, Diagnostics> {
        // Anybody's claim will do: it can only take away.
        let Some(requests) = self.verdict.claims().and_then(|manifest| manifest.requests.as_ref()) else {
            return Ok(policy);
        };
        let narrowed = policy.narrowed(&serde_json::Value::Object(requests.clone()))?;
        for warning in narrowed.warnings() {
            tracing::warn!(%warning.message, "the plugin's requests");
        }
        Ok(Arc::new(narrowed))
    }
}

/// The C library that this program, and so its cells, are linked with.
pub(crate) const LIBC: Libc = if cfg!(target_env = "musl") { Libc::Musl } else { Libc::Glibc };
