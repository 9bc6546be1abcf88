//! Decides whether a public key can be relied on. One encoding serves every scheme: the SSH public key blob (RFC 4253
//! §6.6, RFC 5656 §3.1, RFC 8709 §4, OpenSSH's PROTOCOL.u2f), the second field of a `.pub` file.
//!
//! `ring` checks signatures, not keys: it accepts Ed25519 keys of small order, for which one constant signature is
//! valid for every message, and keys with several encodings. Both are refused here, when a key is read.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use serde::Serialize;

use super::text;
use super::wire::{Reader, WireError};

/// RSA below this is not worth trusting for as long as plugins live; `ring` alone would accept 2048.
const RSA_MIN_BITS: usize = 3072;
/// The largest that `ring` verifies, and a bound on what one signature can cost.
const RSA_MAX_BITS: usize = 8192;
/// 65537, the exponent that every `ssh-keygen` writes. With 1 anybody could sign.
const RSA_EXPONENT: [u8; 3] = [1, 0, 1];

/// A public key that cannot be relied on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not an SSH public key blob.
    #[error("the public key is not an SSH public key blob")]
    Wire(#[from] WireError),
    /// A certificate: it names its own authority, and its validity depends on the clock.
    #[error("`{0}` is a certificate; only plain keys are accepted")]
    Certificate(String),
    /// A key type this verifier does not implement.
    #[error("keys of type `{0}` are not supported")]
    Unsupported(String),
    /// The name of the curve inside the key differs from the one its type names.
    #[error("the key of type `{scheme}` names the curve `{curve}`")]
    Curve {
        /// The type of the key.
        scheme: Scheme,
        /// What it names.
        curve: String,
    },
    /// A key of the wrong length, or a curve point that is not in uncompressed form.
    #[error("the key of type `{0}` has the wrong length or form")]
    Form(Scheme),
    /// An Ed25519 point of small order: signatures for it can be made without a private key.
    #[error("the ed25519 key has small order: anybody can sign for it")]
    SmallOrder,
    /// An Ed25519 key whose coordinate is not reduced: one point under two encodings.
    #[error("the ed25519 key is not in its canonical encoding")]
    NonCanonical,
    /// An RSA modulus outside 3072 to 8192 bits.
    #[error("the rsa key has {0} bits; {RSA_MIN_BITS} to {RSA_MAX_BITS} are accepted")]
    RsaSize(usize),
    /// An RSA exponent other than 65537.
    #[error("the rsa key has an exponent other than 65537")]
    RsaExponent,
    /// A hardware key that is not bound to SSH.
    #[error("the hardware key is bound to the application `{0}`, which does not begin with `ssh:`")]
    Application(String),
}

/// The kinds of key and signature that are verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scheme {
    /// Ed25519, RFC 8709.
    Ed25519,
    /// ECDSA over P-256 with SHA-256, RFC 5656.
    EcdsaP256,
    /// ECDSA over P-384 with SHA-384, RFC 5656.
    EcdsaP384,
    /// RSA PKCS#1 v1.5 with SHA-256 or SHA-512, RFC 8332.
    Rsa,
    /// Ed25519 in a FIDO authenticator.
    SkEd25519,
    /// ECDSA over P-256 in a FIDO authenticator.
    SkEcdsaP256,
}

impl Scheme {
    /// Every scheme.
    pub const ALL: [Self; 6] =
        [Self::Ed25519, Self::EcdsaP256, Self::EcdsaP384, Self::Rsa, Self::SkEd25519, Self::SkEcdsaP256];

    /// The first field of a `.pub` file, and the `scheme` of a trust document.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ed25519 => "ssh-ed25519",
            Self::EcdsaP256 => "ecdsa-sha2-nistp256",
            Self::EcdsaP384 => "ecdsa-sha2-nistp384",
            Self::Rsa => "ssh-rsa",
            Self::SkEd25519 => "sk-ssh-ed25519@openssh.com",
            Self::SkEcdsaP256 => "sk-ecdsa-sha2-nistp256@openssh.com",
        }
    }

    pub(super) fn from_name(name: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|scheme| scheme.name().as_bytes() == name)
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a key *is*, apart from how it is labelled: thresholds count these. The same point as a plain key and as a
/// hardware key, or under two applications, is one signer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum KeyBytes {
    Ed25519([u8; 32]),
    P256([u8; 65]),
    P384([u8; 97]),
    /// The modulus without leading zeros; the exponent is always 65537.
    Rsa(Vec<u8>),
}

/// A public key that passed every rule of this file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    blob: Vec<u8>,
    scheme: Scheme,
    bytes: KeyBytes,
    application: Option<String>,
}

impl PublicKey {
    /// Reads an SSH public key blob.
    ///
    /// # Errors
    /// When the blob is malformed, of an unsupported type, or a key that cannot be relied on.
    pub fn parse(blob: &[u8]) -> Result<Self, KeyError> {
        let mut reader = Reader::new(blob);
        let kind = reader.string()?;
        let scheme = Scheme::from_name(kind).ok_or_else(|| unsupported(kind))?;
        let bytes = match scheme {
            Scheme::Ed25519 | Scheme::SkEd25519 => KeyBytes::Ed25519(ed25519(scheme, reader.string()?)?),
            Scheme::EcdsaP256 | Scheme::SkEcdsaP256 => KeyBytes::P256(point(scheme, "nistp256", &mut reader)?),
            Scheme::EcdsaP384 => KeyBytes::P384(point(scheme, "nistp384", &mut reader)?),
            Scheme::Rsa => KeyBytes::Rsa(rsa(&mut reader)?),
        };
        let application = match scheme {
            Scheme::SkEd25519 | Scheme::SkEcdsaP256 => Some(application(reader.string()?)?),
            Scheme::Ed25519 | Scheme::EcdsaP256 | Scheme::EcdsaP384 | Scheme::Rsa => None,
        };
        reader.end()?;
        Ok(Self { blob: blob.to_vec(), scheme, bytes, application })
    }

    /// The kind of key.
    #[must_use]
    pub const fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The application a hardware key is bound to, `ssh:` or `ssh:` and a name.
    #[must_use]
    pub fn application(&self) -> Option<&str> {
        self.application.as_deref()
    }

    /// What `ssh-keygen -l` prints for this key.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&self.blob)
    }

    pub(super) fn blob(&self) -> &[u8] {
        &self.blob
    }

    pub(super) const fn bytes(&self) -> &KeyBytes {
        &self.bytes
    }

    pub(super) const fn rsa_exponent() -> &'static [u8] {
        &RSA_EXPONENT
    }
}

/// SHA-256 of a public key blob, shown as OpenSSH shows it: `SHA256:` and base64 without padding.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    pub(super) fn of(blob: &[u8]) -> Self {
        Self(super::text::sha256(blob))
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SHA256:{}", STANDARD_NO_PAD.encode(self.0))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Fingerprint {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

fn unsupported(kind: &[u8]) -> KeyError {
    let name = text::shown_bytes(kind);
    if name.contains("-cert-v0") { KeyError::Certificate(name) } else { KeyError::Unsupported(name) }
}

/// The y coordinates, sign bit cleared, of the points whose order divides 8: order 4, the identity, order 2, and the two
/// of order 8 (each stands for two points that differ in sign). With the sign bit and the encodings of y ≥ p these are the 14 keys
/// that were measured to be forgeable.
const SMALL_ORDER: [[u8; 32]; 5] = {
    let mut identity = [0; 32];
    identity[0] = 1;
    let mut minus_one = [0xff; 32];
    minus_one[0] = 0xec;
    minus_one[31] = 0x7f;
    let order_8 = [
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5, 0xdf,
        0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
    ];
    let order_8_other = [
        0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a, 0x20,
        0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
    ];
    [[0; 32], identity, minus_one, order_8, order_8_other]
};

fn ed25519(scheme: Scheme, bytes: &[u8]) -> Result<[u8; 32], KeyError> {
    let key: [u8; 32] = bytes.try_into().map_err(|_| KeyError::Form(scheme))?;
    let mut y = key;
    y[31] &= 0x7f;
    // p = 2^255 - 19, little-endian `ed ff … ff 7f`: y ≥ p exactly when all but the lowest byte are those of p.
    let unreduced = y[31] == 0x7f && y[1..31].iter().all(|&byte| byte == 0xff) && y[0] >= 0xed;
    if unreduced {
        return Err(KeyError::NonCanonical);
    }
    if SMALL_ORDER.contains(&y) { Err(KeyError::SmallOrder) } else { Ok(key) }
}

/// The one accepted form is the uncompressed point; whether it lies on the curve is checked by `ring` with each
/// signature, and a point that does not verifies nothing.
fn point<const N: usize>(scheme: Scheme, curve: &str, reader: &mut Reader<'_>) -> Result<[u8; N], KeyError> {
    let named = reader.string()?;
    if named != curve.as_bytes() {
        return Err(KeyError::Curve { scheme, curve: text::shown_bytes(named) });
    }
    let point: [u8; N] = reader.string()?.try_into().map_err(|_| KeyError::Form(scheme))?;
    if point[0] == 4 { Ok(point) } else { Err(KeyError::Form(scheme)) }
}

fn rsa(reader: &mut Reader<'_>) -> Result<Vec<u8>, KeyError> {
    let exponent = reader.positive_mpint()?;
    let modulus = reader.positive_mpint()?;
    // A modulus has no leading zero byte, so its length bounds the bits; far too long ones are refused before counting.
    let unused = modulus.first().map_or(0, |byte| byte.leading_zeros() as usize);
    let bits = modulus.len().saturating_mul(8).saturating_sub(unused);
    if !(RSA_MIN_BITS..=RSA_MAX_BITS).contains(&bits) {
        return Err(KeyError::RsaSize(bits));
    }
    if exponent == RSA_EXPONENT { Ok(modulus.to_vec()) } else { Err(KeyError::RsaExponent) }
}

/// A FIDO key signs for one application. Those outside `ssh:` belong to web sites, which can ask for signatures too.
fn application(bytes: &[u8]) -> Result<String, KeyError> {
    let refused = || KeyError::Application(text::shown_bytes(bytes));
    let application = std::str::from_utf8(bytes).map_err(|_| refused())?;
    let plain = application.len() <= 255 && application.bytes().all(|byte| byte.is_ascii_graphic());
    if plain && application.starts_with("ssh:") { Ok(application.to_owned()) } else { Err(refused()) }
}

#[cfg(test)]
mod tests {
    use super::super::wire::put_string;
    use super::*;

    fn ed25519_blob(key: &[u8]) -> Vec<u8> {
        let mut blob = Vec::new();
        put_string(&mut blob, b"ssh-ed25519");
        put_string(&mut blob, key);
        blob
    }

    fn rsa_blob(exponent: &[u8], modulus: &[u8]) -> Vec<u8> {
        let mut blob = Vec::new();
        put_string(&mut blob, b"ssh-rsa");
        put_string(&mut blob, exponent);
        put_string(&mut blob, modulus);
        blob
    }

    #[test]
    fn the_fourteen_forgeable_ed25519_keys_are_refused() {
        let filled = |first: u8, middle: u8, last: u8| {
            let mut key = [middle; 32];
            (key[0], key[31]) = (first, last);
            key
        };
        let mut forgeable = vec![];
        for (first, middle, last) in [(0, 0, 0), (1, 0, 0), (0xec, 0xff, 0x7f), (0xed, 0xff, 0x7f), (0xee, 0xff, 0x7f)]
        {
            forgeable.extend([filled(first, middle, last), filled(first, middle, last | 0x80)]);
        }
        for y in [SMALL_ORDER[3], SMALL_ORDER[4]] {
            let mut negative = y;
            negative[31] |= 0x80;
            forgeable.extend([y, negative]);
        }
        assert_eq!(forgeable.len(), 14);
        for key in forgeable {
            let refused = PublicKey::parse(&ed25519_blob(&key));
            assert!(matches!(refused, Err(KeyError::SmallOrder | KeyError::NonCanonical)), "{key:x?}: {refused:?}");
        }
    }

    #[test]
    fn ring_accepts_a_forgery_for_the_identity_key_which_is_why_keys_are_checked() {
        let mut identity = [0; 32];
        identity[0] = 1;
        let mut forgery = [0; 64];
        forgery[0] = 1;
        let key = ring::signature::UnparsedPublicKey::new(&ring::signature::ED25519, identity);
        assert!(key.verify(b"any message at all", &forgery).is_ok());
    }

    #[test]
    fn every_unreduced_ed25519_key_is_refused_and_the_largest_reduced_are_not() {
        let mut key = [0xff; 32];
        key[31] = 0x7f;
        for lowest in 0xed..=0xff {
            key[0] = lowest;
            assert_eq!(PublicKey::parse(&ed25519_blob(&key)), Err(KeyError::NonCanonical));
        }
        key[0] = 0xeb;
        assert!(PublicKey::parse(&ed25519_blob(&key)).is_ok());
    }

    #[test]
    fn rsa_with_2047_bits_or_another_exponent_is_refused_and_3072_bits_with_65537_are_not() {
        let modulus = |bytes: usize, high: u8| {
            let mut modulus = vec![0xff; bytes];
            modulus[0] = high;
            if high & 0x80 != 0 {
                modulus.insert(0, 0);
            }
            modulus
        };
        assert!(PublicKey::parse(&rsa_blob(&[1, 0, 1], &modulus(384, 0x80))).is_ok());
        for (bits, blob) in [
            (2047, rsa_blob(&[1, 0, 1], &modulus(256, 0x7f))),
            (3071, rsa_blob(&[1, 0, 1], &modulus(384, 0x7f))),
            (8200, rsa_blob(&[1, 0, 1], &modulus(1025, 0xff))),
        ] {
            assert_eq!(PublicKey::parse(&blob), Err(KeyError::RsaSize(bits)));
        }
        for exponent in [&[1][..], &[3], &[1, 0, 0], &[1, 0, 1, 0, 1]] {
            assert_eq!(PublicKey::parse(&rsa_blob(exponent, &modulus(384, 0x80))), Err(KeyError::RsaExponent));
        }
    }

    #[test]
    fn a_key_with_bytes_behind_it_or_of_another_length_is_refused() {
        let mut blob = ed25519_blob(&[9; 32]);
        blob.push(0);
        assert_eq!(PublicKey::parse(&blob), Err(KeyError::Wire(WireError::Trailing(1))));
        for length in [0, 31, 33] {
            let refused = PublicKey::parse(&ed25519_blob(&vec![9; length]));
            assert_eq!(refused, Err(KeyError::Form(Scheme::Ed25519)), "{length}");
        }
    }
}
