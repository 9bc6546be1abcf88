//! The trust document, `trust.json`: decides which publishers exist, which keys speak for them, how many of these must
//! sign, and which plugins each may publish. JSON under the rules of [`super::json`]:
//!
//! ```json
//! {"_type": "https://lazaret/trust/v1", "root_id": "example-site", "version": 1,
//!  "keys": [{"id": "k1", "scheme": "ssh-ed25519", "public": "AAAAC3NzaC1lZDI1NTE5AAAA…", "owner": "alice"}],
//!  "publishers": [{"name": "acme", "keys": ["k1"], "threshold": 1, "plugins": ["acme/*"]}]}
//! ```
//!
//! `scheme` and `public` are the first and the second field of the key's `.pub` file. One encoding serves all schemes,
//! and it can be copied and compared by eye. The blob names its scheme too; the two must agree.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::json::{self, Record, Unreadable, present, words};
use super::key::{KeyBytes, KeyError, PublicKey, Scheme};
use super::text::{Label, NotAllowed, PluginName, Text, is_label};

/// The longest document that is read.
const MAX_BYTES: usize = 1024 * 1024;
/// The most keys, publishers, or patterns of a publisher: comparing them stays cheap whatever the document says.
const MAX_RECORDS: usize = 1024;

/// Why a trust document cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DocumentError {
    /// Longer than 1 MiB.
    #[error("the trust document has {0} bytes; at most {MAX_BYTES} are read")]
    TooLarge(usize),
    /// Not a record of this type.
    #[error("the trust document is not a valid record")]
    Json(#[source] Unreadable),
    /// A document without a version.
    #[error("the version of the trust document is 0; versions begin with 1")]
    Version,
    /// More records than are compared.
    #[error("the trust document has {found} {what}; at most {MAX_RECORDS} are accepted")]
    TooMany {
        /// Which list.
        what: &'static str,
        /// Its length.
        found: usize,
    },
    /// The base64 of a key cannot be read.
    #[error("`public` of the key `{0}` is not base64 with padding, as in the second field of a `.pub` file")]
    Base64(Label),
    /// A key that cannot be relied on.
    #[error("the key `{id}` is not acceptable")]
    Key {
        /// Its id.
        id: Label,
        /// Why.
        source: KeyError,
    },
    /// `scheme` names another type than the key itself.
    #[error("the key `{id}` is of type `{found}`, but its `scheme` says `{stated}`")]
    Scheme {
        /// Its id.
        id: Label,
        /// What `scheme` says.
        stated: Text<64>,
        /// What the blob says.
        found: Scheme,
    },
    /// `application` differs from the one the key is bound to.
    #[error("`application` of the key `{0}` is not the one the key is bound to")]
    Application(Label),
    /// Two keys with one id.
    #[error("two keys have the id `{0}`")]
    SameId(Label),
    /// One key under two ids: it would count twice towards a threshold.
    #[error("the keys `{first}` and `{second}` are the same key")]
    SameKey {
        /// The id that came first.
        first: Label,
        /// The id that came second.
        second: Label,
    },
    /// Two publishers with one name.
    #[error("two publishers have the name `{0}`")]
    SamePublisher(Label),
    /// A publisher names a key that the document does not have.
    #[error("the publisher `{publisher}` names the key `{key}`, which the document does not have")]
    NoSuchKey {
        /// The publisher.
        publisher: Label,
        /// The id it names.
        key: Label,
    },
    /// A publisher names a key twice.
    #[error("the publisher `{publisher}` names the key `{key}` twice")]
    KeyTwice {
        /// The publisher.
        publisher: Label,
        /// The id it names.
        key: Label,
    },
    /// A threshold of 0, which everybody meets, or above the number of keys, which nobody meets.
    #[error("the threshold of the publisher `{publisher}` is {threshold}, and the publisher has {keys} keys")]
    Threshold {
        /// The publisher.
        publisher: Label,
        /// What the document says.
        threshold: u64,
        /// How many keys there are.
        keys: usize,
    },
    /// A publisher that may publish nothing.
    #[error("the publisher `{0}` has no plugins")]
    NoPlugins(Label),
    /// The same pattern twice: the second can never match.
    #[error("the pattern `{0}` appears twice")]
    PatternTwice(NamePattern),
}

impl DocumentError {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::TooLarge(_) | Self::TooMany { .. } => "E-TRUST-DOCUMENT-SIZE",
            Self::Json(_) | Self::Version => "E-TRUST-DOCUMENT-FORMAT",
            Self::Base64(_) | Self::Key { .. } | Self::Scheme { .. } | Self::Application(_) => "E-TRUST-DOCUMENT-KEY",
            Self::SameId(_) | Self::SameKey { .. } | Self::SamePublisher(_) => "E-TRUST-DOCUMENT-DUPLICATE",
            Self::NoSuchKey { .. } | Self::KeyTwice { .. } | Self::Threshold { .. } => "E-TRUST-DOCUMENT-THRESHOLD",
            Self::NoPlugins(_) | Self::PatternTwice(_) => "E-TRUST-DOCUMENT-SCOPE",
        }
    }
}

/// A trust document in which every name resolves, every key is one that can be relied on, and no key counts twice.
#[derive(Debug)]
pub struct TrustDocument {
    root_id: Label,
    version: u64,
    keys: Vec<TrustedKey>,
    publishers: Vec<Publisher>,
}

/// One key of the document.
#[derive(Debug)]
pub struct TrustedKey {
    id: Label,
    owner: Option<Text<256>>,
    key: PublicKey,
}

/// Who may publish what, and how many of its keys must sign.
#[derive(Debug)]
pub struct Publisher {
    name: Label,
    keys: BTreeSet<KeyBytes>,
    threshold: usize,
    plugins: Vec<NamePattern>,
}

/// Which plugins a publisher may publish: `acme/demo` or `acme/*`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum NamePattern {
    /// One plugin.
    Exact(PluginName),
    /// Every plugin whose name begins with this and `/`.
    All(Label),
}

impl TrustDocument {
    /// Reads a document.
    ///
    /// # Errors
    /// When the bytes are not such a document, a key cannot be relied on, or the document contradicts itself.
    pub fn parse(bytes: &[u8]) -> Result<Self, DocumentError> {
        if bytes.len() > MAX_BYTES {
            return Err(DocumentError::TooLarge(bytes.len()));
        }
        let written: Written = json::parse(bytes).map_err(DocumentError::Json)?;
        let DocumentType::V1 = written.kind;
        if written.version == 0 {
            return Err(DocumentError::Version);
        }
        bounded("keys", written.keys.len())?;
        bounded("publishers", written.publishers.len())?;
        let keys = written.keys.into_iter().map(|key| key.0.resolve()).collect::<Result<Vec<_>, _>>()?;
        let by_id = distinct(&keys)?;
        let mut publishers: Vec<Publisher> = Vec::new();
        let mut patterns = BTreeSet::new();
        for Record(written) in written.publishers {
            let publisher = written.resolve(&by_id)?;
            if publishers.iter().any(|other| other.name == publisher.name) {
                return Err(DocumentError::SamePublisher(publisher.name));
            }
            if let Some(pattern) = publisher.plugins.iter().find(|&pattern| !patterns.insert(pattern.clone())) {
                return Err(DocumentError::PatternTwice(pattern.clone()));
            }
            publishers.push(publisher);
        }
        Ok(Self { root_id: written.root_id, version: written.version, keys, publishers })
    }

    /// What the chain of documents is called that this one belongs to.
    #[must_use]
    pub const fn root_id(&self) -> &Label {
        &self.root_id
    }

    /// Version, counted from 1.
    #[must_use]
    pub const fn version(&self) -> u64 {
        self.version
    }

    /// The keys, in the order of the document.
    #[must_use]
    pub fn keys(&self) -> &[TrustedKey] {
        &self.keys
    }

    /// The publishers, in the order of the document, which is the order in which their patterns are tried.
    #[must_use]
    pub fn publishers(&self) -> &[Publisher] {
        &self.publishers
    }

    /// The one publisher that may publish a plugin: the first that has a matching pattern. No later one is asked, so
    /// that a name cannot be claimed by a wider pattern further down.
    #[must_use]
    pub fn publisher_of(&self, plugin: &PluginName) -> Option<&Publisher> {
        self.publishers.iter().find(|publisher| publisher.plugins.iter().any(|pattern| pattern.matches(plugin)))
    }

    /// The trusted key with exactly this blob.
    pub(super) fn key(&self, blob: &[u8]) -> Option<&TrustedKey> {
        self.keys.iter().find(|trusted| trusted.key.blob() == blob)
    }
}

impl TrustedKey {
    /// The document's name for the key.
    #[must_use]
    pub const fn id(&self) -> &Label {
        &self.id
    }

    /// Who holds it, for people.
    #[must_use]
    pub fn owner(&self) -> Option<&str> {
        self.owner.as_ref().map(Text::as_str)
    }

    /// The key.
    #[must_use]
    pub const fn key(&self) -> &PublicKey {
        &self.key
    }
}

impl Publisher {
    /// The name that a policy's `trust.publishers` lists.
    #[must_use]
    pub const fn name(&self) -> &Label {
        &self.name
    }

    /// How many different keys must have signed, at least 1.
    #[must_use]
    pub const fn threshold(&self) -> usize {
        self.threshold
    }

    /// What it may publish.
    #[must_use]
    pub fn plugins(&self) -> &[NamePattern] {
        &self.plugins
    }

    /// Whether this key speaks for the publisher.
    #[must_use]
    pub fn has(&self, key: &PublicKey) -> bool {
        self.keys.contains(key.bytes())
    }

    /// How many of these keys speak for the publisher. The set holds key bytes, so nothing counts twice.
    pub(super) fn count(&self, signers: &BTreeSet<&KeyBytes>) -> usize {
        self.keys.iter().filter(|key| signers.contains(key)).count()
    }
}

impl NamePattern {
    fn matches(&self, plugin: &PluginName) -> bool {
        match self {
            Self::Exact(name) => name == plugin,
            Self::All(space) => plugin.as_str().split_once('/').is_some_and(|(first, _)| first == space.as_str()),
        }
    }
}

impl TryFrom<String> for NamePattern {
    type Error = NotAllowed;

    fn try_from(text: String) -> Result<Self, NotAllowed> {
        let refused = || NotAllowed::new("plugin pattern", &text, "`publisher/name` or `publisher/*`, in lower case");
        match text.strip_suffix("/*") {
            Some(space) if is_label(space) => Label::try_from(space.to_owned()).map(Self::All).map_err(|_| refused()),
            Some(_) => Err(refused()),
            None => PluginName::try_from(text.clone()).map(Self::Exact).map_err(|_| refused()),
        }
    }
}

impl fmt::Display for NamePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(name) => write!(f, "{name}"),
            Self::All(space) => write!(f, "{space}/*"),
        }
    }
}

impl From<NamePattern> for String {
    fn from(pattern: NamePattern) -> Self {
        pattern.to_string()
    }
}

words!(
    /// What `_type` says.
    DocumentType, "type of trust document",
    /// The first and only one.
    V1 = "https://lazaret/trust/v1",
);

/// The document as it is written. Roles, floors and revocations will be further fields; until a loader understands
/// them, a document that has them must not be read as if it had not.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(rename = "_type")]
    kind: DocumentType,
    root_id: Label,
    version: u64,
    keys: Vec<Record<WrittenKey>>,
    publishers: Vec<Record<WrittenPublisher>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenKey {
    id: Label,
    scheme: Text<64>,
    public: Text<4096>,
    #[serde(default, deserialize_with = "present")]
    owner: Option<Text<256>>,
    #[serde(default, deserialize_with = "present")]
    application: Option<Text<255>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenPublisher {
    name: Label,
    keys: Vec<Label>,
    threshold: u64,
    plugins: Vec<NamePattern>,
}

impl WrittenKey {
    fn resolve(self) -> Result<TrustedKey, DocumentError> {
        let blob = STANDARD.decode(self.public.as_str()).map_err(|_| DocumentError::Base64(self.id.clone()))?;
        let key = PublicKey::parse(&blob).map_err(|source| DocumentError::Key { id: self.id.clone(), source })?;
        if key.scheme().name() != self.scheme.as_str() {
            return Err(DocumentError::Scheme { id: self.id, stated: self.scheme, found: key.scheme() });
        }
        // The blob binds the application already; where people wrote it down as well, both have to say the same.
        if self.application.is_some_and(|stated| key.application() != Some(stated.as_str())) {
            return Err(DocumentError::Application(self.id));
        }
        Ok(TrustedKey { id: self.id, owner: self.owner, key })
    }
}

impl WrittenPublisher {
    fn resolve(self, keys: &BTreeMap<&Label, &KeyBytes>) -> Result<Publisher, DocumentError> {
        bounded("plugin patterns of one publisher", self.plugins.len())?;
        let publisher = || self.name.clone();
        let mut resolved = BTreeSet::new();
        for key in self.keys {
            let Some(&bytes) = keys.get(&key) else {
                return Err(DocumentError::NoSuchKey { publisher: publisher(), key });
            };
            if !resolved.insert(bytes.clone()) {
                return Err(DocumentError::KeyTwice { publisher: publisher(), key });
            }
        }
        let threshold = usize::try_from(self.threshold).unwrap_or(usize::MAX);
        if !(1..=resolved.len()).contains(&threshold) {
            let keys = resolved.len();
            return Err(DocumentError::Threshold { publisher: publisher(), threshold: self.threshold, keys });
        }
        if self.plugins.is_empty() {
            return Err(DocumentError::NoPlugins(publisher()));
        }
        Ok(Publisher { name: self.name, keys: resolved, threshold, plugins: self.plugins })
    }
}

const fn bounded(what: &'static str, found: usize) -> Result<(), DocumentError> {
    if found > MAX_RECORDS { Err(DocumentError::TooMany { what, found }) } else { Ok(()) }
}

/// The keys by id, once neither an id nor a key appears twice. Published under two ids, one key would meet a threshold
/// of two (rust-tuf#283, CVE-2026-6966).
fn distinct(keys: &[TrustedKey]) -> Result<BTreeMap<&Label, &KeyBytes>, DocumentError> {
    let mut by_id = BTreeMap::new();
    let mut by_bytes: BTreeMap<&KeyBytes, &Label> = BTreeMap::new();
    for trusted in keys {
        if by_id.insert(&trusted.id, trusted.key.bytes()).is_some() {
            return Err(DocumentError::SameId(trusted.id.clone()));
        }
        if let Some(first) = by_bytes.insert(trusted.key.bytes(), &trusted.id) {
            return Err(DocumentError::SameKey { first: first.clone(), second: trusted.id.clone() });
        }
    }
    Ok(by_id)
}
