//! The step: decides whether a plugin file may go on to the audit, and on whose word.
//!
//! A policy can accept a file in three ways, tried in this order: the signature of a publisher it lists, a digest it
//! pins, no signature at all. The order only decides what is reported; what decides the outcome is that evidence which
//! is *absent* (no signature, an unknown key, a threshold not reached) can be made up for by a later way, and evidence
//! that *contradicts* the file (a damaged manifest or signature, another digest, a name outside the signer's scope)
//! cannot: a tampered bundle is never accepted as merely unsigned.

use std::ffi::OsStr;

use lazaret_policy::{Arch, Digest, Origin, TrustRules};
use serde::Serialize;

use super::document::{Publisher, TrustDocument};
use super::error::TrustError;
use super::key::Fingerprint;
use super::manifest::{self, Libc, Manifest, ManifestError};
use super::signatures::{Admitted, Examined, MAX_SIGNATURES, SignatureFile, SignatureReport};
use super::text;

/// The file that is about to be loaded, as it was hashed.
#[derive(Clone, Copy, Debug)]
pub struct PluginFile<'a> {
    /// Its file name, without directories.
    pub name: &'a OsStr,
    /// Its size in bytes.
    pub size: u64,
    /// SHA-256 of the sealed copy, which is what will be mapped.
    pub digest: Digest,
}

/// What the plugin is to run on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Machine {
    /// Processor architecture.
    pub arch: Arch,
    /// C library.
    pub libc: Libc,
}

/// Everything that speaks for or against a plugin.
#[derive(Clone, Copy, Debug)]
pub struct Evidence<'a> {
    /// The bytes of `plugin.json`, where there is one.
    pub manifest: Option<&'a [u8]>,
    /// The signature files beside it.
    pub signatures: &'a [SignatureFile<'a>],
    /// The file.
    pub plugin: PluginFile<'a>,
    /// The machine.
    pub machine: Machine,
}

/// On whose word a file was accepted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "how", rename_all = "kebab-case")]
pub enum Acceptance {
    /// A publisher that the policy lists signed a manifest that names this file.
    Signed {
        /// The publisher.
        publisher: String,
        /// Its keys that signed, each once.
        keys: Vec<Fingerprint>,
        /// How many had to.
        threshold: usize,
        /// Where the policy lists the publisher.
        origin: Origin,
    },
    /// The policy names exactly this file.
    Pinned {
        /// SHA-256 of the file.
        digest: Digest,
        /// Where the policy says so.
        origin: Origin,
    },
    /// The policy accepts any file. Nobody vouches for this one.
    Unsigned {
        /// Where the policy says so.
        origin: Origin,
    },
}

/// Proof that a file may go on to the audit. Made by [`verify`] only.
#[derive(Debug)]
#[must_use = "the verdict is what the next step asks for"]
pub struct Verdict {
    digest: Digest,
    acceptance: Acceptance,
    manifest: Option<Manifest>,
    signatures: Vec<SignatureReport>,
}

impl Verdict {
    /// For bytes that are part of this program: it vouches for them itself, and no policy is asked.
    pub(crate) fn built_in(digest: Digest) -> Self {
        let origin = Origin { source: "lazaret".to_owned(), line: 0, key: String::new() };
        let acceptance = Acceptance::Pinned { digest, origin };
        Self { digest, acceptance, manifest: None, signatures: Vec::new() }
    }

    /// SHA-256 of the file that was accepted: the next step compares it with the bytes it holds.
    #[must_use]
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    /// On whose word.
    #[must_use]
    pub const fn acceptance(&self) -> &Acceptance {
        &self.acceptance
    }

    /// The manifest, where the publisher in [`Verdict::acceptance`] signed it: what rollback and state may rely on.
    #[must_use]
    pub const fn manifest(&self) -> Option<&Manifest> {
        match self.acceptance {
            Acceptance::Signed { .. } => self.manifest.as_ref(),
            Acceptance::Pinned { .. } | Acceptance::Unsigned { .. } => None,
        }
    }

    /// What the bundle says of itself, whoever wrote it. It agrees with the file; unless [`Verdict::manifest`] returns
    /// it too, nobody vouches for the rest, and it may be used only to narrow what the plugin gets, and for display.
    #[must_use]
    pub const fn claims(&self) -> Option<&Manifest> {
        self.manifest.as_ref()
    }

    /// What became of each signature file, in order; also those that were bad while others sufficed.
    #[must_use]
    pub fn signatures(&self) -> &[SignatureReport] {
        &self.signatures
    }
}

/// Judges a plugin file.
///
/// # Errors
/// When the policy states nothing that accepts the file, or something in the evidence contradicts it.
pub fn verify(
    evidence: &Evidence<'_>,
    document: Option<&TrustDocument>,
    rules: &TrustRules,
) -> Result<Verdict, TrustError> {
    if evidence.signatures.len() > MAX_SIGNATURES {
        return Err(TrustError::TooManySignatures(evidence.signatures.len()));
    }
    let digest = evidence.plugin.digest;
    let Some(bytes) = evidence.manifest else {
        if !evidence.signatures.is_empty() {
            return Err(TrustError::ManifestMissing);
        }
        let acceptance = without_signature(evidence, rules, TrustError::Unsigned(plugin_name(evidence)))?;
        return Ok(Verdict { digest, acceptance, manifest: None, signatures: Vec::new() });
    };
    // Before hashing: the length of what is hashed once per signature is a stranger's choice.
    if bytes.len() > manifest::MAX_BYTES {
        return Err(TrustError::Manifest(ManifestError::TooLarge(bytes.len())));
    }

    let examined = Examined::new(bytes, evidence.signatures, document);
    let absent = match by_publisher(evidence, bytes, document, rules, &examined) {
        Ok((manifest, acceptance)) => {
            let signatures = examined.reports;
            return Ok(Verdict { digest, acceptance, manifest: Some(manifest), signatures });
        }
        Err(Shortfall::Contradicted(error)) => return Err(error),
        Err(Shortfall::Absent(error)) => error,
    };
    if let Some((file, reason)) = examined.bad() {
        return Err(TrustError::BadSignature { file: file.to_owned(), source: reason.clone() });
    }
    let acceptance = without_signature(evidence, rules, absent)?;
    let admitted = Admitted::by_the_policy(bytes, digest, rules).ok_or(TrustError::NothingStated)?;
    let claims = Manifest::parse(admitted)?;
    agrees(&claims, evidence)?;
    Ok(Verdict { digest, acceptance, manifest: Some(claims), signatures: examined.reports })
}

/// Why no publisher vouches for the file.
enum Shortfall {
    /// Nothing speaks against it; the policy may accept it otherwise.
    Absent(TrustError),
    /// Something speaks against it; nothing makes up for that.
    Contradicted(TrustError),
}

fn by_publisher(
    evidence: &Evidence<'_>,
    bytes: &[u8],
    document: Option<&TrustDocument>,
    rules: &TrustRules,
    examined: &Examined<'_>,
) -> Result<(Manifest, Acceptance), Shortfall> {
    use Shortfall::{Absent, Contradicted};

    if evidence.signatures.is_empty() {
        return Err(Absent(TrustError::Unsigned(plugin_name(evidence))));
    }
    let Some(document) = document else { return Err(Absent(TrustError::NoDocument)) };
    let Some(admitted) = Admitted::by_a_publisher(bytes, examined, document) else {
        return Err(Absent(not_reached(document, examined)));
    };
    let manifest = Manifest::parse(admitted).map_err(|error| Contradicted(error.into()))?;

    let plugin = &manifest.name;
    let Some(publisher) = document.publisher_of(plugin) else {
        return Err(Contradicted(TrustError::NobodysPlugin(plugin.clone())));
    };
    if !examined.reached(publisher) {
        return Err(match examined.count(publisher) {
            0 => Contradicted(TrustError::Scope { plugin: plugin.clone(), publisher: publisher.name().clone() }),
            found => Absent(below(publisher, found)),
        });
    }
    if &manifest.publisher != publisher.name() {
        let (claimed, publisher) = (manifest.publisher, publisher.name().clone());
        return Err(Contradicted(TrustError::OtherPublisher { claimed, publisher }));
    }
    agrees(&manifest, evidence).map_err(Contradicted)?;

    let listed = rules.publishers.iter().find(|listed| listed.value == publisher.name().as_str());
    let Some(listed) = listed else {
        return Err(Absent(TrustError::PublisherNotAllowed(publisher.name().clone())));
    };
    let acceptance = Acceptance::Signed {
        publisher: publisher.name().to_string(),
        keys: examined.fingerprints(publisher, document),
        threshold: publisher.threshold(),
        origin: listed.origin.clone(),
    };
    Ok((manifest, acceptance))
}

/// No publisher's threshold is reached: names the one that came closest, or the keys that nobody knows.
fn not_reached(document: &TrustDocument, examined: &Examined<'_>) -> TrustError {
    let counted = document.publishers().iter().map(|publisher| (publisher, examined.count(publisher)));
    let missing = |publisher: &Publisher, found| publisher.threshold().saturating_sub(found);
    match counted.filter(|(_, found)| *found > 0).min_by_key(|(publisher, found)| missing(publisher, *found)) {
        Some((publisher, found)) => below(publisher, found),
        None => TrustError::KeyUnknown(examined.all_fingerprints()),
    }
}

fn below(publisher: &Publisher, found: usize) -> TrustError {
    TrustError::Threshold { publisher: publisher.name().clone(), found, threshold: publisher.threshold() }
}

/// What the policy says about files that no listed publisher signed. `absent` is why there is no such signature, which
/// is the refusal wherever the policy asked for one.
fn without_signature(
    evidence: &Evidence<'_>,
    rules: &TrustRules,
    absent: TrustError,
) -> Result<Acceptance, TrustError> {
    let digest = evidence.plugin.digest;
    if let Some(pinned) = rules.digests.iter().find(|pinned| pinned.value == digest) {
        return Ok(Acceptance::Pinned { digest, origin: pinned.origin.clone() });
    }
    if let Some(origin) = &rules.unsigned {
        return Ok(Acceptance::Unsigned { origin: origin.clone() });
    }
    if !rules.publishers.is_empty() {
        return Err(absent);
    }
    if rules.digests.is_empty() {
        return Err(TrustError::NothingStated);
    }
    Err(TrustError::NotPinned { plugin: plugin_name(evidence), digest })
}

/// Whether a manifest speaks of this file on this machine.
fn agrees(manifest: &Manifest, evidence: &Evidence<'_>) -> Result<(), TrustError> {
    let (plugin, machine) = (evidence.plugin, evidence.machine);
    let mut targets = manifest.targets_for(machine.arch, machine.libc).peekable();
    if targets.peek().is_none() {
        return Err(TrustError::NoTarget(machine));
    }
    let mut refusal = TrustError::NotListed(plugin_name(evidence));
    for file in targets.filter_map(|target| target.plugin(plugin.name)) {
        if file.size == plugin.size && file.sha256 == plugin.digest {
            return Ok(());
        }
        refusal = if file.size == plugin.size {
            TrustError::OtherDigest { plugin: plugin_name(evidence), stated: file.sha256, found: plugin.digest }
        } else {
            TrustError::OtherSize { plugin: plugin_name(evidence), stated: file.size, found: plugin.size }
        };
    }
    Err(refusal)
}

fn plugin_name(evidence: &Evidence<'_>) -> String {
    text::shown(&evidence.plugin.name.to_string_lossy())
}
