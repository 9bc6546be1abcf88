//! Decides whether a file is one OpenSSH signature (PROTOCOL.sshsig of OpenSSH) made for a given purpose, and whether
//! it holds over given bytes under a given key. The key never comes from the signature: the caller looks it up.
//!
//! Stricter than `ssh-keygen -Y verify` where that tool is lenient: one armor per file and nothing behind it, an empty
//! reserved field, and the touch of a hardware key is demanded.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA512,
    RsaPublicKeyComponents, UnparsedPublicKey,
};

use super::key::{KeyBytes, KeyError, PublicKey};
use super::text;
use super::wire::{Reader, WireError, put_string};

/// The namespace of signatures over `plugin.json`, the argument of `ssh-keygen -Y sign -n`. A signature that the same
/// key made for mail, git or another document has another namespace and does not count.
pub const MANIFEST_NAMESPACE: &str = "plugin-manifest.v1@lazaret";

/// The longest signature file that is read; RSA with 8192 bits needs 3 KiB.
const MAX_ARMOR: usize = 16 * 1024;

const BEGIN: &str = "-----BEGIN SSH SIGNATURE-----";
const END: &str = "-----END SSH SIGNATURE-----";
const MAGIC: [u8; 6] = *b"SSHSIG";

/// "User present": somebody touched the hardware key. Bit 0 of the FIDO flags.
const USER_PRESENT: u8 = 1;

/// Why a signature does not count.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// Longer than any signature.
    #[error("the file has {0} bytes; a signature has at most {MAX_ARMOR}")]
    TooLarge(usize),
    /// Not one armored block and nothing else.
    #[error("the file is not exactly one `{BEGIN}` block")]
    Armor,
    /// The armor holds no valid base64.
    #[error("the armor does not contain base64")]
    Base64,
    /// The blob is not an SSHSIG.
    #[error("the signature blob is malformed")]
    Wire(#[from] WireError),
    /// The blob does not begin with `SSHSIG`.
    #[error("the signature blob does not begin with `SSHSIG`")]
    Magic,
    /// Not version 1.
    #[error("the signature has version {0}; version 1 is supported")]
    Version(u32),
    /// Made for another purpose.
    #[error("the signature was made for the namespace `{found}`, not `{expected}`")]
    Namespace {
        /// The namespace in the signature.
        found: String,
        /// What it has to be.
        expected: &'static str,
    },
    /// The reserved field is used.
    #[error("the reserved field of the signature is not empty")]
    Reserved,
    /// A message hash other than `sha256` and `sha512`.
    #[error("the message hash `{0}` is not supported")]
    MessageHash(String),
    /// The key in the signature cannot be relied on.
    #[error("the key of the signature is not acceptable")]
    Key(#[from] KeyError),
    /// The algorithm inside the signature does not belong to the key.
    #[error("the algorithm `{found}` is not acceptable for a key of type `{key}`")]
    Algorithm {
        /// The algorithm the signature names.
        found: String,
        /// The type of the key.
        key: super::key::Scheme,
    },
    /// A hardware key signed without being touched.
    #[error("the hardware key signed without being touched")]
    NotTouched,
    /// The mathematics does not hold: other bytes were signed, or another key signed.
    #[error("the signature does not hold over these bytes")]
    Invalid,
}

/// A well-formed signature for the purpose it was read for. Says nothing yet: [`Signature::verify`] does.
pub(super) struct Signature {
    namespace: &'static str,
    hash: MessageHash,
    key_blob: Vec<u8>,
    /// `string algorithm, string signature`, and flags and counter for hardware keys: read once the key is known.
    inner: Vec<u8>,
}

#[derive(Clone, Copy)]
enum MessageHash {
    Sha256,
    Sha512,
}

impl MessageHash {
    const fn name(self) -> &'static [u8] {
        match self {
            Self::Sha256 => b"sha256",
            Self::Sha512 => b"sha512",
        }
    }

    fn of(self, message: &[u8]) -> ring::digest::Digest {
        let algorithm = match self {
            Self::Sha256 => &ring::digest::SHA256,
            Self::Sha512 => &ring::digest::SHA512,
        };
        ring::digest::digest(algorithm, message)
    }
}

impl Signature {
    /// Reads the armored file that `ssh-keygen -Y sign` wrote. The namespace is an argument so that no caller can
    /// forget to compare it.
    pub(super) fn parse(armored: &[u8], namespace: &'static str) -> Result<Self, SignatureError> {
        let blob = dearmor(armored)?;
        let mut reader = Reader::new(&blob);
        if reader.array()? != MAGIC {
            return Err(SignatureError::Magic);
        }
        match reader.u32()? {
            1 => {}
            other => return Err(SignatureError::Version(other)),
        }
        let key_blob = reader.string()?.to_vec();
        let found = reader.string()?;
        if found != namespace.as_bytes() {
            return Err(SignatureError::Namespace { found: text::shown_bytes(found), expected: namespace });
        }
        if !reader.string()?.is_empty() {
            return Err(SignatureError::Reserved);
        }
        let hash = match reader.string()? {
            b"sha256" => MessageHash::Sha256,
            b"sha512" => MessageHash::Sha512,
            other => return Err(SignatureError::MessageHash(text::shown_bytes(other))),
        };
        let inner = reader.string()?.to_vec();
        reader.end()?;
        Ok(Self { namespace, hash, key_blob, inner })
    }

    /// The key that the signature says made it: a name to look up, not a key to believe.
    pub(super) fn key_blob(&self) -> &[u8] {
        &self.key_blob
    }

    /// Whether `key` signed `message`.
    pub(super) fn verify(&self, key: &PublicKey, message: &[u8]) -> Result<(), SignatureError> {
        if key.blob() != self.key_blob {
            return Err(SignatureError::Invalid);
        }
        let mut reader = Reader::new(&self.inner);
        let algorithm = reader.string()?;
        let signature = reader.string()?;
        let mut signed = self.signed_data(message);
        if let Some(application) = key.application() {
            signed = authenticator_data(application, &mut reader, &signed)?;
        }
        reader.end()?;

        let refused = || SignatureError::Algorithm { found: text::shown_bytes(algorithm), key: key.scheme() };
        if let KeyBytes::Rsa(modulus) = key.bytes() {
            // The hash is what the signature names, whatever the message hash is: OpenSSH 9.2 signs `rsa-sha2-512` even
            // with `-O hashalg=sha256`. `ssh-rsa`, which is SHA-1, falls into the refusal.
            let parameters = match algorithm {
                b"rsa-sha2-256" => &RSA_PKCS1_2048_8192_SHA256,
                b"rsa-sha2-512" => &RSA_PKCS1_2048_8192_SHA512,
                _ => return Err(refused()),
            };
            let signature = left_padded(signature, modulus.len())?;
            return RsaPublicKeyComponents { n: modulus.as_slice(), e: PublicKey::rsa_exponent() }
                .verify(parameters, &signed, &signature)
                .map_err(|_| SignatureError::Invalid);
        }
        if algorithm != key.scheme().name().as_bytes() {
            return Err(refused());
        }
        match key.bytes() {
            KeyBytes::Ed25519(key) => UnparsedPublicKey::new(&ED25519, key).verify(&signed, signature),
            KeyBytes::P256(key) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, key).verify(&signed, &fixed_ecdsa(signature, 32)?)
            }
            KeyBytes::P384(key) => {
                UnparsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, key).verify(&signed, &fixed_ecdsa(signature, 48)?)
            }
            KeyBytes::Rsa(_) => return Err(SignatureError::Invalid),
        }
        .map_err(|_| SignatureError::Invalid)
    }

    /// What is signed in place of the message. Contains neither the version nor the key.
    fn signed_data(&self, message: &[u8]) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        put_string(&mut out, self.namespace.as_bytes());
        put_string(&mut out, b"");
        put_string(&mut out, self.hash.name());
        put_string(&mut out, self.hash.of(message).as_ref());
        out
    }
}

/// What a FIDO authenticator signs: SHA-256 of the application, flags, counter, SHA-256 of the data (PROTOCOL.u2f).
/// `ssh-keygen -Y verify` accepts flags without a touch; malware on the signer's machine could then sign unnoticed.
fn authenticator_data(application: &str, reader: &mut Reader<'_>, data: &[u8]) -> Result<Vec<u8>, SignatureError> {
    let [flags] = reader.array()?;
    let counter: [u8; 4] = reader.array()?;
    if flags & USER_PRESENT == 0 {
        return Err(SignatureError::NotTouched);
    }
    let mut out = text::sha256(application.as_bytes()).to_vec();
    out.push(flags);
    out.extend_from_slice(&counter);
    out.extend_from_slice(&text::sha256(data));
    Ok(out)
}

/// Two `mpint`s to the fixed form that `ring` takes. (r, n-s) is valid wherever (r, s) is, so signature bytes identify
/// nothing; keys are what is counted.
fn fixed_ecdsa(signature: &[u8], width: usize) -> Result<Vec<u8>, SignatureError> {
    let mut reader = Reader::new(signature);
    let mut out = left_padded(reader.positive_mpint()?, width)?;
    out.extend(left_padded(reader.positive_mpint()?, width)?);
    reader.end()?;
    Ok(out)
}

/// Signatures are numbers of a fixed width; some agents drop the leading zeros of RSA, and OpenSSH puts them back too.
fn left_padded(digits: &[u8], width: usize) -> Result<Vec<u8>, SignatureError> {
    let missing = width.checked_sub(digits.len()).ok_or(SignatureError::Invalid)?;
    let mut out = vec![0; missing];
    out.extend_from_slice(digits);
    Ok(out)
}

/// Exactly one armored block. `ssh-keygen` reads the first of several and ignores the rest, so that a second signature
/// in the same file would be shown to people and checked by nobody.
fn dearmor(armored: &[u8]) -> Result<Vec<u8>, SignatureError> {
    if armored.len() > MAX_ARMOR {
        return Err(SignatureError::TooLarge(armored.len()));
    }
    let text = std::str::from_utf8(armored).map_err(|_| SignatureError::Armor)?;
    // `lines` takes off `\n` and `\r\n`; a lone `\r` stays and is refused as base64.
    let mut lines = text.lines();
    if lines.next() != Some(BEGIN) {
        return Err(SignatureError::Armor);
    }
    let mut base64 = String::with_capacity(text.len());
    loop {
        match lines.next() {
            Some(END) => break,
            Some(line) if !line.is_empty() && !line.starts_with('-') => base64.push_str(line),
            Some(_) | None => return Err(SignatureError::Armor),
        }
    }
    if lines.next().is_some() {
        return Err(SignatureError::Armor);
    }
    STANDARD.decode(base64).map_err(|_| SignatureError::Base64)
}
