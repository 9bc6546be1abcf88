//! The SSHSIG reader against stock `ssh-keygen`, against hardware keys played by `ring`, and against everything that
//! `ssh-keygen -Y verify` lets pass and we do not.

use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair};

use super::super::key::{KeyError, PublicKey};
use super::super::sshsig::{MANIFEST_NAMESPACE, Signature, SignatureError};
use super::super::text::sha256;
use super::super::wire::{WireError, put_string};
use super::{Signer, armored, dearmored, ssh_keygen};

const MESSAGE: &[u8] = b"{\"any\": \"bytes\"}\n";

fn check(armored: &[u8], key: &PublicKey) -> Result<(), SignatureError> {
    Signature::parse(armored, MANIFEST_NAMESPACE)?.verify(key, MESSAGE)
}

/// The fields of an SSHSIG, each of which a test can falsify.
struct Parts {
    version: u32,
    key: Vec<u8>,
    namespace: Vec<u8>,
    reserved: Vec<u8>,
    hash: Vec<u8>,
    inner: Vec<u8>,
}

impl Parts {
    fn new(key: Vec<u8>, inner: Vec<u8>) -> Self {
        let namespace = MANIFEST_NAMESPACE.as_bytes().to_vec();
        Self { version: 1, key, namespace, reserved: vec![], hash: b"sha512".to_vec(), inner }
    }

    fn of(armored: &[u8]) -> Self {
        let blob = dearmored(armored);
        let mut rest = &blob[10..];
        let mut next = || {
            let length = u32::from_be_bytes(rest[..4].try_into().expect("four bytes")) as usize;
            let field = rest[4..4 + length].to_vec();
            rest = &rest[4 + length..];
            field
        };
        Self { version: 1, key: next(), namespace: next(), reserved: next(), hash: next(), inner: next() }
    }

    fn blob(&self) -> Vec<u8> {
        let mut blob = b"SSHSIG".to_vec();
        blob.extend(self.version.to_be_bytes());
        for field in [&self.key, &self.namespace, &self.reserved, &self.hash, &self.inner] {
            put_string(&mut blob, field);
        }
        blob
    }

    fn armored(&self) -> Vec<u8> {
        armored(&self.blob())
    }

    /// What a hardware key signs for these fields.
    fn authenticator_data(&self, application: &str, flags: u8) -> Vec<u8> {
        let mut signed = b"SSHSIG".to_vec();
        for field in [&self.namespace, &self.reserved, &self.hash] {
            put_string(&mut signed, field);
        }
        put_string(&mut signed, ring::digest::digest(&ring::digest::SHA512, MESSAGE).as_ref());
        let mut data = sha256(application.as_bytes()).to_vec();
        data.push(flags);
        data.extend(77u32.to_be_bytes());
        data.extend(sha256(&signed));
        data
    }
}

fn strings(fields: &[&[u8]]) -> Vec<u8> {
    let mut out = Vec::new();
    fields.iter().for_each(|field| put_string(&mut out, field));
    out
}

fn mpint(digits: &[u8]) -> Vec<u8> {
    let digits: Vec<u8> = digits.iter().copied().skip_while(|&digit| digit == 0).collect();
    let padded = if digits[0] & 0x80 == 0 { digits } else { [vec![0], digits].concat() };
    strings(&[&padded])
}

fn sk_ed25519(application: &str, flags: u8) -> Parts {
    const KIND: &[u8] = b"sk-ssh-ed25519@openssh.com";
    let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).expect("a seed");
    let key = strings(&[KIND, pair.public_key().as_ref(), application.as_bytes()]);
    let mut parts = Parts::new(key, vec![]);
    let signature = pair.sign(&parts.authenticator_data(application, flags));
    parts.inner = strings(&[KIND, signature.as_ref()]);
    parts.inner.push(flags);
    parts.inner.extend(77u32.to_be_bytes());
    parts
}

fn sk_ecdsa(application: &str, flags: u8) -> Parts {
    const KIND: &[u8] = b"sk-ecdsa-sha2-nistp256@openssh.com";
    let random = SystemRandom::new();
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).expect("randomness");
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref(), &random).expect("a key");
    let key = strings(&[KIND, b"nistp256", pair.public_key().as_ref(), application.as_bytes()]);
    let mut parts = Parts::new(key, vec![]);
    let signature = pair.sign(&random, &parts.authenticator_data(application, flags)).expect("randomness");
    let (r, s) = signature.as_ref().split_at(32);
    parts.inner = strings(&[KIND, &[mpint(r), mpint(s)].concat()]);
    parts.inner.push(flags);
    parts.inner.extend(77u32.to_be_bytes());
    parts
}

#[test]
fn what_stock_ssh_keygen_signs_verifies_for_every_kind_of_key_and_both_hashes() {
    for kind in ["ed25519", "ecdsa 256", "ecdsa 384", "rsa 3072", "rsa 4096"] {
        let signer = Signer::new(kind);
        for hash in ["hashalg=sha256", "hashalg=sha512"] {
            // Several rounds: ECDSA numbers vary in length.
            for _ in 0..if kind.starts_with("ecdsa") { 12 } else { 1 } {
                let signature = signer.sign_with(MESSAGE, MANIFEST_NAMESPACE, &["-O", hash]);
                assert_eq!(check(&signature, &signer.key()), Ok(()), "{kind} {hash}");
            }
        }
        let other = signer.sign(b"other bytes");
        assert_eq!(check(&other, &signer.key()), Err(SignatureError::Invalid), "{kind}");
    }
}

#[test]
fn a_fingerprint_reads_as_ssh_keygen_prints_it() {
    let signer = Signer::new("ed25519");
    let output =
        ssh_keygen().arg("-lf").arg(signer.scratch.0.join("key.pub")).output().expect("ssh-keygen is installed");
    let printed = String::from_utf8(output.stdout).expect("text");
    assert_eq!(printed.split(' ').nth(1), Some(signer.key().fingerprint().to_string().as_str()));
}

#[test]
fn the_signature_of_one_key_is_not_that_of_another() {
    let (alice, bob) = (Signer::new("ed25519"), Signer::new("ed25519"));
    assert_eq!(check(&alice.sign(MESSAGE), &bob.key()), Err(SignatureError::Invalid));
    // The same with the key field changed to bob's, which is all that a lookup by that field would notice.
    let mut parts = Parts::of(&alice.sign(MESSAGE));
    parts.key = bob.blob();
    assert_eq!(check(&parts.armored(), &bob.key()), Err(SignatureError::Invalid));
}

#[test]
fn p_521_small_rsa_dsa_and_certificates_are_refused_by_name() {
    let p521 = PublicKey::parse(&Signer::new("ecdsa 521").blob()).expect_err("unsupported");
    assert_eq!(p521.to_string(), "keys of type `ecdsa-sha2-nistp521` are not supported");
    assert_eq!(PublicKey::parse(&Signer::new("rsa 2048").blob()), Err(KeyError::RsaSize(2048)));
    let kind = |kind: &str| PublicKey::parse(&strings(&[kind.as_bytes(), b"rest"])).expect_err("refused");
    assert!(matches!(kind("ssh-dss"), KeyError::Unsupported(_)));
    for certificate in ["ssh-ed25519-cert-v01@openssh.com", "sk-ecdsa-sha2-nistp256-cert-v01@openssh.com"] {
        assert!(matches!(kind(certificate), KeyError::Certificate(_)), "{certificate}");
    }
    assert!(matches!(kind("webauthn-sk-ecdsa-sha2-nistp256@openssh.com"), KeyError::Unsupported(_)));
}

#[test]
fn a_touched_hardware_key_counts_and_an_untouched_one_does_not() {
    for make in [sk_ed25519, sk_ecdsa] {
        for (flags, outcome) in
            [(1, Ok(())), (5, Ok(())), (0, Err(SignatureError::NotTouched)), (4, Err(SignatureError::NotTouched))]
        {
            let parts = make("ssh:", flags);
            let key = PublicKey::parse(&parts.key).expect("a good key");
            assert_eq!(check(&parts.armored(), &key), outcome, "flags {flags}");
        }
        // Claiming the touch after the fact breaks the signature, which covers the flags; so does the counter.
        let mut parts = make("ssh:", 0);
        let key = PublicKey::parse(&parts.key).expect("a good key");
        let flags = parts.inner.len() - 5;
        parts.inner[flags] = 1;
        assert_eq!(check(&parts.armored(), &key), Err(SignatureError::Invalid));
    }
}

#[test]
fn a_hardware_key_is_bound_to_its_application() {
    let mut parts = sk_ed25519("ssh:a", 1);
    let key = PublicKey::parse(&parts.key).expect("a good key");
    assert_eq!(check(&parts.armored(), &key), Ok(()));
    // The same point under another application.
    let length = parts.key.len();
    parts.key[length - 1] = b'b';
    let other = PublicKey::parse(&parts.key).expect("a good key");
    assert_eq!(check(&parts.armored(), &other), Err(SignatureError::Invalid));
    for application in ["", "https://example.org", "SSH:", "ssh:\n", "ssh"] {
        let refused = PublicKey::parse(&sk_ed25519(application, 1).key);
        assert!(matches!(refused, Err(KeyError::Application(_))), "{application}");
    }
}

#[test]
fn a_hardware_signature_without_its_last_five_bytes_is_refused() {
    let mut parts = sk_ed25519("ssh:", 1);
    let key = PublicKey::parse(&parts.key).expect("a good key");
    for _ in 0..5 {
        parts.inner.pop();
        assert_eq!(check(&parts.armored(), &key), Err(SignatureError::Wire(WireError::Truncated)));
    }
}

#[test]
fn the_other_half_of_an_ecdsa_signature_is_valid_too_so_signatures_are_never_counted() {
    const ORDER: [u8; 32] = [
        0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa, 0xad,
        0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
    ];
    let signer = Signer::new("ecdsa 256");
    let twin = malleated(&signer.sign(MESSAGE), &ORDER);
    assert_eq!(check(&twin, &signer.key()), Ok(()));
}

/// (r, s) → (r, n-s).
pub(super) fn malleated(armored: &[u8], order: &[u8; 32]) -> Vec<u8> {
    let mut parts = Parts::of(armored);
    let kind = b"ecdsa-sha2-nistp256";
    let numbers = &parts.inner[4 + kind.len() + 4..];
    let r_length = usize::from(numbers[3]);
    let (r, s) = (&numbers[4..4 + r_length], &numbers[8 + r_length..]);
    let mut wide = [0u8; 32];
    let s: Vec<u8> = s.iter().copied().skip_while(|&digit| digit == 0).collect();
    wide[32 - s.len()..].copy_from_slice(&s);
    let mut borrow = 0;
    let mut twin = [0u8; 32];
    for index in (0..32).rev() {
        let difference = i16::from(order[index]) - i16::from(wide[index]) - borrow;
        borrow = i16::from(difference < 0);
        twin[index] = u8::try_from(difference.rem_euclid(256)).expect("a byte");
    }
    parts.inner = strings(&[kind, &[mpint(r), mpint(&twin)].concat()]);
    parts.armored()
}

#[test]
fn ecdsa_numbers_have_one_form_and_their_width() {
    let signer = Signer::new("ecdsa 256");
    let kind = b"ecdsa-sha2-nistp256";
    let with = |numbers: &[u8]| {
        let mut parts = Parts::of(&signer.sign(MESSAGE));
        parts.inner = strings(&[kind, numbers]);
        check(&parts.armored(), &signer.key())
    };
    let one = strings(&[&[1]]);
    assert_eq!(with(&[&one[..], &one].concat()), Err(SignatureError::Invalid));
    assert_eq!(with(&[&one[..], &strings(&[&[1; 33]])].concat()), Err(SignatureError::Invalid));
    assert_eq!(with(&[&one[..], &strings(&[&[0, 1]])].concat()), Err(SignatureError::Wire(WireError::Number)));
    assert_eq!(with(&[&one[..], &strings(&[b""])].concat()), Err(SignatureError::Wire(WireError::Number)));
    assert_eq!(with(&[&one[..], &one, &[0]].concat()), Err(SignatureError::Wire(WireError::Trailing(1))));
}

#[test]
fn each_field_of_the_blob_has_one_value_that_is_accepted() {
    let signer = Signer::new("ed25519");
    let signature = signer.sign(MESSAGE);
    let falsified = |change: fn(&mut Parts)| {
        let mut parts = Parts::of(&signature);
        change(&mut parts);
        check(&parts.armored(), &signer.key())
    };
    assert_eq!(falsified(|_| ()), Ok(()));
    assert_eq!(falsified(|parts| parts.version = 2), Err(SignatureError::Version(2)));
    assert_eq!(falsified(|parts| parts.version = 0), Err(SignatureError::Version(0)));
    assert_eq!(falsified(|parts| parts.reserved.push(0)), Err(SignatureError::Reserved));
    assert_eq!(falsified(|parts| parts.hash = b"sha256".to_vec()), Err(SignatureError::Invalid));
    assert_eq!(falsified(|parts| parts.hash = b"md5".to_vec()), Err(SignatureError::MessageHash("md5".to_owned())));
    assert_eq!(falsified(|parts| parts.inner.push(0)), Err(SignatureError::Wire(WireError::Trailing(1))));
    for namespace in ["", "file", "plugin-manifest.v2@lazaret", "plugin-manifest.v1@lazaret\0"] {
        let mut parts = Parts::of(&signature);
        parts.namespace = namespace.as_bytes().to_vec();
        let refused = check(&parts.armored(), &signer.key());
        assert!(matches!(refused, Err(SignatureError::Namespace { .. })), "{namespace}: {refused:?}");
    }
    let mut blob = dearmored(&signature);
    blob.push(0);
    assert_eq!(check(&armored(&blob), &signer.key()), Err(SignatureError::Wire(WireError::Trailing(1))));
    blob[0] = b's';
    assert_eq!(check(&armored(&blob), &signer.key()), Err(SignatureError::Magic));
}

#[test]
fn a_signature_made_for_another_purpose_is_refused() {
    let signer = Signer::new("ed25519");
    let signature = signer.sign_with(MESSAGE, "git", &[]);
    let expected = SignatureError::Namespace { found: "git".to_owned(), expected: MANIFEST_NAMESPACE };
    assert_eq!(check(&signature, &signer.key()), Err(expected));
}

#[test]
fn the_inner_algorithm_has_to_be_one_of_the_key() {
    let signer = Signer::new("rsa 3072");
    let mut parts = Parts::of(&signer.sign(MESSAGE));
    let signature = parts.inner[4 + b"rsa-sha2-512".len() + 4..].to_vec();
    for (algorithm, expected) in [("rsa-sha2-512", true), ("ssh-rsa", false), ("ssh-ed25519", false), ("", false)] {
        parts.inner = strings(&[algorithm.as_bytes(), &signature]);
        let outcome = check(&parts.armored(), &signer.key());
        assert_eq!(outcome.is_ok(), expected, "{algorithm}");
        assert_eq!(matches!(outcome, Err(SignatureError::Algorithm { .. })), !expected, "{algorithm}");
    }
    // The other hash is acceptable, so the mathematics has to refuse it.
    parts.inner = strings(&[b"rsa-sha2-256", &signature]);
    assert_eq!(check(&parts.armored(), &signer.key()), Err(SignatureError::Invalid));
    parts.inner = strings(&[b"rsa-sha2-512", &[&[0][..], &signature].concat()]);
    assert_eq!(check(&parts.armored(), &signer.key()), Err(SignatureError::Invalid));
}

#[test]
fn one_armor_per_file_and_nothing_around_it() {
    let signer = Signer::new("ed25519");
    let good = String::from_utf8(signer.sign(MESSAGE)).expect("text");
    let outcome = |text: &str| check(text.as_bytes(), &signer.key());
    assert_eq!(outcome(&good), Ok(()));
    assert_eq!(outcome(&good.replace('\n', "\r\n")), Ok(()), "CRLF, as a mail program makes it");
    assert_eq!(outcome(good.trim_end()), Ok(()), "without the last line end");

    for (name, text) in [
        ("two armors", format!("{good}{good}")),
        ("a blank line behind", format!("{good}\n")),
        ("text behind", format!("{good}x")),
        ("text before", format!("x\n{good}")),
        ("a blank before", format!(" {good}")),
        ("a BOM", format!("\u{feff}{good}")),
        ("another label", good.replace("SSH SIGNATURE", "PGP SIGNATURE")),
        ("no end", good.replace("-----END SSH SIGNATURE-----\n", "")),
        ("nothing", String::new()),
        ("a header line", good.replacen('\n', "\nVersion: 1\n\n", 1)),
    ] {
        assert_eq!(outcome(&text), Err(SignatureError::Armor), "{name}");
    }
    assert_eq!(outcome(&good.replacen('\n', "\n ", 1)), Err(SignatureError::Base64));
    assert_eq!(outcome(&good.replacen('\n', "\n=", 1)), Err(SignatureError::Base64));
    assert_eq!(outcome(&good.replace('\n', "\r")), Err(SignatureError::Armor));
    assert_eq!(check(&[0xff; 100], &signer.key()), Err(SignatureError::Armor));
    assert_eq!(check(&vec![b'A'; 16 * 1024 + 1], &signer.key()), Err(SignatureError::TooLarge(16 * 1024 + 1)));
}
