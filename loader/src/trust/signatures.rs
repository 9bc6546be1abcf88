//! Decides which trusted keys signed a manifest, and whether its bytes may be parsed: [`Admitted`] is the proof that a
//! parser asks for. Works on raw bytes; nothing of the manifest has been read at this point.

use std::collections::BTreeSet;

use lazaret_policy::TrustRules;

use super::document::{Publisher, TrustDocument};
use super::key::{Fingerprint, KeyBytes, PublicKey};
use super::sshsig::{MANIFEST_NAMESPACE, Signature, SignatureError};
use super::text::{self, Label};

/// The most signature files that are looked at. Verification costs time, and a stranger chooses how many files there
/// are (CVE-2020-6173).
pub const MAX_SIGNATURES: usize = 16;

/// One signature file of a bundle.
#[derive(Clone, Copy, Debug)]
pub struct SignatureFile<'a> {
    /// What to call it in reports.
    pub name: &'a str,
    /// Its content, as `ssh-keygen -Y sign` wrote it.
    pub bytes: &'a [u8],
}

/// What became of one signature file.
#[derive(Debug)]
pub struct SignatureReport {
    file: String,
    outcome: SignatureOutcome,
}

impl SignatureReport {
    /// The name of the file, fit for a terminal.
    #[must_use]
    pub fn file(&self) -> &str {
        &self.file
    }

    /// What became of it.
    #[must_use]
    pub const fn outcome(&self) -> &SignatureOutcome {
        &self.outcome
    }
}

/// What one signature is worth.
#[derive(Debug)]
pub enum SignatureOutcome {
    /// A key of the trust document signed exactly these bytes.
    Valid {
        /// The document's name for the key.
        key: Label,
        /// The key.
        fingerprint: Fingerprint,
    },
    /// Somebody signed exactly these bytes whom the trust document does not know. Worth nothing, but not damaged.
    Stranger(Fingerprint),
    /// The file is not a signature of these bytes.
    Bad(SignatureError),
}

/// The signatures of one manifest, examined.
pub(super) struct Examined<'d> {
    pub(super) reports: Vec<SignatureReport>,
    signers: BTreeSet<&'d KeyBytes>,
}

impl<'d> Examined<'d> {
    /// Looks at each file. The caller has bounded their number.
    pub(super) fn new(manifest: &[u8], files: &[SignatureFile<'_>], document: Option<&'d TrustDocument>) -> Self {
        let mut signers = BTreeSet::new();
        let mut reports = Vec::new();
        for file in files.iter().take(MAX_SIGNATURES) {
            let outcome = examine(manifest, file.bytes, document, &mut signers).unwrap_or_else(SignatureOutcome::Bad);
            reports.push(SignatureReport { file: text::shown(file.name), outcome });
        }
        Self { reports, signers }
    }

    /// How many different keys of a publisher signed.
    pub(super) fn count(&self, publisher: &Publisher) -> usize {
        publisher.count(&self.signers)
    }

    /// Whether enough keys of a publisher signed. A document cannot state a threshold of 0; if it could, this would
    /// still ask for one.
    pub(super) fn reached(&self, publisher: &Publisher) -> bool {
        self.count(publisher) >= publisher.threshold().max(1)
    }

    /// The fingerprints of the publisher's keys that signed, each once.
    pub(super) fn fingerprints(&self, publisher: &Publisher, document: &TrustDocument) -> Vec<Fingerprint> {
        let signed = |key: &PublicKey| publisher.has(key) && self.signers.contains(key.bytes());
        let keys = document.keys().iter().map(super::TrustedKey::key);
        keys.filter(|key| signed(key)).map(PublicKey::fingerprint).collect()
    }

    /// Every key that signed, known or not, each once.
    pub(super) fn all_fingerprints(&self) -> Vec<Fingerprint> {
        let fingerprints = self.reports.iter().filter_map(|report| match report.outcome {
            SignatureOutcome::Valid { fingerprint, .. } | SignatureOutcome::Stranger(fingerprint) => Some(fingerprint),
            SignatureOutcome::Bad(_) => None,
        });
        fingerprints.collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// The first file that is not a signature of these bytes.
    pub(super) fn bad(&self) -> Option<(&str, &SignatureError)> {
        self.reports.iter().find_map(|report| match &report.outcome {
            SignatureOutcome::Bad(reason) => Some((report.file.as_str(), reason)),
            SignatureOutcome::Valid { .. } | SignatureOutcome::Stranger(_) => None,
        })
    }
}

fn examine<'d>(
    manifest: &[u8],
    armored: &[u8],
    document: Option<&'d TrustDocument>,
    signers: &mut BTreeSet<&'d KeyBytes>,
) -> Result<SignatureOutcome, SignatureError> {
    let signature = Signature::parse(armored, MANIFEST_NAMESPACE)?;
    if let Some(trusted) = document.and_then(|document| document.key(signature.key_blob())) {
        signature.verify(trusted.key(), manifest)?;
        signers.insert(trusted.key().bytes());
        return Ok(SignatureOutcome::Valid { key: trusted.id().clone(), fingerprint: trusted.key().fingerprint() });
    }
    // The key in the signature lends no trust. It tells a damaged manifest from one that somebody unknown signed.
    let key = PublicKey::parse(signature.key_blob())?;
    signature.verify(&key, manifest)?;
    Ok(SignatureOutcome::Stranger(key.fingerprint()))
}

/// Manifest bytes that may be parsed. The field is private to this file; the two constructors are the two reasons.
#[derive(Clone, Copy)]
pub(super) struct Admitted<'a>(&'a [u8]);

impl<'a> Admitted<'a> {
    /// At least one publisher's threshold is reached: the bytes are what a trusted publisher wrote. Whether it may
    /// speak for this plugin can be judged only once the name has been read.
    pub(super) fn by_a_publisher(
        manifest: &'a [u8],
        examined: &Examined<'_>,
        document: &TrustDocument,
    ) -> Option<Self> {
        document.publishers().iter().any(|publisher| examined.reached(publisher)).then_some(Self(manifest))
    }

    /// The policy accepts this very file without a signature, so that what lies beside it is read as its claims.
    pub(super) fn by_the_policy(
        manifest: &'a [u8],
        plugin: lazaret_policy::Digest,
        rules: &TrustRules,
    ) -> Option<Self> {
        let accepted = rules.unsigned.is_some() || rules.digests.iter().any(|pinned| pinned.value == plugin);
        accepted.then_some(Self(manifest))
    }

    pub(super) const fn bytes(self) -> &'a [u8] {
        self.0
    }
}
