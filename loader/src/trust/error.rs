//! The refusals of the trust step: for each a stable code, one sentence, the policy key that decides, and what to do.

use lazaret_policy::Digest;

use super::document::DocumentError;
use super::key::Fingerprint;
use super::manifest::ManifestError;
use super::signatures::MAX_SIGNATURES;
use super::sshsig::SignatureError;
use super::text::{Label, PluginName};
use super::verify::Machine;

/// Why nobody vouches for a plugin, or what contradicts it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrustError {
    /// The policy does not say who may have made the plugin.
    #[error("the policy does not state whose plugins it accepts")]
    NothingStated,
    /// No signature, and the policy asks for one.
    #[error("`{0}` is not signed, and the policy accepts signed plugins only")]
    Unsigned(String),
    /// The policy accepts files by digest, and this is none of them.
    #[error("`{plugin}` is not one of the files the policy pins; it has the digest `{digest}`")]
    NotPinned {
        /// The file.
        plugin: String,
        /// Its digest.
        digest: Digest,
    },
    /// Publishers are names of a trust document, and there is none.
    #[error("there is no trust document to say which keys the publishers of the policy have")]
    NoDocument,
    /// The trust document cannot be used.
    #[error(transparent)]
    Document(#[from] DocumentError),
    /// More signature files than are looked at.
    #[error("there are {0} signature files; at most {MAX_SIGNATURES} are examined")]
    TooManySignatures(usize),
    /// A file that is not a signature of the manifest.
    #[error("`{file}` is not a good signature of `plugin.json`")]
    BadSignature {
        /// The signature file.
        file: String,
        /// Why.
        source: SignatureError,
    },
    /// Nobody whom the trust document knows signed.
    #[error("`plugin.json` is signed by {} only, which no publisher of the trust document has", listed(.0))]
    KeyUnknown(Vec<Fingerprint>),
    /// Too few keys signed.
    #[error("`plugin.json` is signed by {found} of the keys of `{publisher}`, which needs {threshold}")]
    Threshold {
        /// The publisher.
        publisher: Label,
        /// How many different keys signed.
        found: usize,
        /// How many have to.
        threshold: usize,
    },
    /// The trust document gives the plugin's name to no publisher.
    #[error("no publisher of the trust document may publish `{0}`")]
    NobodysPlugin(PluginName),
    /// Somebody signed a plugin that is another publisher's.
    #[error("`{plugin}` belongs to the publisher `{publisher}`, which did not sign it")]
    Scope {
        /// The plugin.
        plugin: PluginName,
        /// Whose it is.
        publisher: Label,
    },
    /// The manifest names another publisher than the one whose plugin it is.
    #[error("`plugin.json` names the publisher `{claimed}`, but the plugin belongs to `{publisher}`")]
    OtherPublisher {
        /// The publisher in the manifest.
        claimed: Label,
        /// The publisher in the trust document.
        publisher: Label,
    },
    /// A good signature of a publisher that the policy does not list.
    #[error("the plugin is signed by the publisher `{0}`, which the policy does not list")]
    PublisherNotAllowed(Label),
    /// Signatures without what they sign.
    #[error("there are signatures but no `plugin.json`")]
    ManifestMissing,
    /// A manifest that cannot be used.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// The manifest has nothing for this machine.
    #[error("`plugin.json` has no target for {} with {}", arch(.0), .0.libc)]
    NoTarget(Machine),
    /// The manifest does not speak of the file.
    #[error("`plugin.json` does not list `{0}` as a plugin for this machine")]
    NotListed(String),
    /// The file has another size than the manifest says.
    #[error("`{plugin}` has {found} bytes; `plugin.json` says {stated}")]
    OtherSize {
        /// The file.
        plugin: String,
        /// Bytes in the manifest.
        stated: u64,
        /// Bytes of the file.
        found: u64,
    },
    /// The file has another content than the manifest says.
    #[error("`{plugin}` has the digest `{found}`; `plugin.json` says `{stated}`")]
    OtherDigest {
        /// The file.
        plugin: String,
        /// The digest in the manifest.
        stated: Digest,
        /// The digest of the file.
        found: Digest,
    },
}

impl TrustError {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NothingStated => "E-TRUST-NOTHING-STATED",
            Self::Unsigned(_) => "E-TRUST-UNSIGNED",
            Self::NotPinned { .. } => "E-TRUST-NOT-PINNED",
            Self::NoDocument => "E-TRUST-NO-DOCUMENT",
            Self::Document(error) => error.code(),
            Self::TooManySignatures(_) => "E-SIG-COUNT",
            Self::BadSignature { source, .. } => match source {
                SignatureError::Namespace { .. } => "E-SIG-NAMESPACE",
                SignatureError::Key(_) => "E-SIG-KEY",
                SignatureError::NotTouched => "E-SIG-TOUCH",
                SignatureError::Algorithm { .. } | SignatureError::MessageHash(_) => "E-SIG-ALGORITHM",
                SignatureError::Invalid => "E-SIG-INVALID",
                SignatureError::TooLarge(_)
                | SignatureError::Armor
                | SignatureError::Base64
                | SignatureError::Wire(_)
                | SignatureError::Magic
                | SignatureError::Version(_)
                | SignatureError::Reserved => "E-SIG-FORMAT",
            },
            Self::KeyUnknown(_) => "E-SIG-KEY-UNKNOWN",
            Self::Threshold { .. } => "E-SIG-THRESHOLD",
            Self::NobodysPlugin(_) | Self::Scope { .. } => "E-PUBLISHER-SCOPE",
            Self::OtherPublisher { .. } => "E-MANIFEST-PUBLISHER",
            Self::PublisherNotAllowed(_) => "E-PUBLISHER-NOT-ALLOWED",
            Self::ManifestMissing => "E-MANIFEST-MISSING",
            Self::Manifest(error) => error.code(),
            Self::NoTarget(_) => "E-MANIFEST-TARGET",
            Self::NotListed(_) => "E-FILE-NOT-LISTED",
            Self::OtherSize { .. } => "E-FILE-SIZE",
            Self::OtherDigest { .. } => "E-FILE-DIGEST",
        }
    }

    /// The key of the policy that the refusal rests on. Where it is `trust` itself, no key would change the outcome:
    /// the evidence contradicts the file.
    #[must_use]
    pub const fn policy_key(&self) -> &'static str {
        match self {
            Self::Unsigned(_)
            | Self::NoDocument
            | Self::KeyUnknown(_)
            | Self::Threshold { .. }
            | Self::PublisherNotAllowed(_) => "trust.publishers",
            Self::NotPinned { .. } => "trust.digests",
            _ => "trust",
        }
    }

    /// What to do about it.
    #[must_use]
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::NothingStated => {
                "say in `[trust]` of the policy which `publishers` or `digests` it accepts, or `unsigned = true`"
            }
            Self::Unsigned(_) => {
                "sign `plugin.json` with `ssh-keygen -Y sign -n plugin-manifest.v1@lazaret -f KEY plugin.json`, or pin \
                 the file in `trust.digests`"
            }
            Self::NotPinned { .. } => "if this is the intended file, add its digest to `trust.digests` of the policy",
            Self::NoDocument => "provide the trust document that lists the publishers' keys",
            Self::Document(_) => "correct the trust document; it is refused as a whole",
            Self::TooManySignatures(_) => "remove the signature files that the publisher's threshold does not need",
            Self::BadSignature { source, .. } => match source {
                SignatureError::Namespace { .. } => {
                    "sign again with `ssh-keygen -Y sign -n plugin-manifest.v1@lazaret`"
                }
                SignatureError::Key(_) | SignatureError::Algorithm { .. } => {
                    "sign with an ed25519, ecdsa (256 or 384 bits), rsa (3072 bits or more) or security key"
                }
                SignatureError::NotTouched => "sign again and touch the security key when it asks",
                SignatureError::Invalid => {
                    "`plugin.json` was changed after signing: fetch the bundle again, or sign again"
                }
                _ => "fetch the bundle again, or sign `plugin.json` again with `ssh-keygen -Y sign`",
            },
            Self::KeyUnknown(_) => {
                "compare the fingerprint with one the publisher gave you, then add the key to the trust document"
            }
            Self::Threshold { .. } => "have further keys of the publisher sign `plugin.json`, one file each",
            Self::NobodysPlugin(_) | Self::Scope { .. } => {
                "have the publisher of that name sign it, or change `plugins` of the publishers in the trust document"
            }
            Self::OtherPublisher { .. } => "correct `publisher` in `plugin.json` and sign it again",
            Self::PublisherNotAllowed(_) => {
                "add the publisher to `trust.publishers` of the policy if it is to be accepted"
            }
            Self::ManifestMissing => "put `plugin.json` beside its signatures",
            Self::Manifest(_) => "correct `plugin.json` and sign it again",
            Self::NoTarget(_) | Self::NotListed(_) => "use the bundle or the file that was built for this machine",
            Self::OtherSize { .. } | Self::OtherDigest { .. } => {
                "the file is not the one that was described: fetch the bundle again, or write and sign `plugin.json` anew"
            }
        }
    }
}

fn listed(fingerprints: &[Fingerprint]) -> String {
    fingerprints.iter().map(|fingerprint| format!("`{fingerprint}`")).collect::<Vec<_>>().join(", ")
}

const fn arch(machine: &Machine) -> &'static str {
    match machine.arch {
        lazaret_policy::Arch::X86_64 => "x86_64",
        lazaret_policy::Arch::Aarch64 => "aarch64",
    }
}
