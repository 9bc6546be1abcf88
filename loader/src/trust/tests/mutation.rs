//! Damaged input, the same in every run: nothing panics, and no damaged signature is accepted.

use std::ffi::OsStr;

use super::super::key::PublicKey;
use super::super::sshsig::{MANIFEST_NAMESPACE, Signature};
use super::super::{Evidence, PluginFile, SignatureFile, TrustDocument, verify};
use crate::noise::Noise;

use super::{
    MACHINE, PLUGIN, Signer, acme, armored, dearmored, document_value, manifest, plugin_digest, publisher, unsigned,
};

/// Flips, cuts, repeats and overwrites with bytes that parsers care about.
fn damage(bytes: &[u8], noise: &mut Noise) -> Vec<u8> {
    let mut out = bytes.to_vec();
    for _ in 0..=noise.below(3) {
        let at = noise.below(out.len());
        match noise.below(5) {
            0 if !out.is_empty() => out[at] ^= 1 << noise.below(8),
            1 => out.truncate(at),
            2 => out.splice(at..at, bytes[..noise.below(bytes.len().min(64))].iter().copied()).for_each(drop),
            3 if !out.is_empty() => out[at] = [0, 0xff, 0x7f, 0x80, b'"', b'{', b'[', b'\\', b'\n'][noise.below(9)],
            _ => out.drain(at..(at + noise.below(8)).min(out.len())).for_each(drop),
        }
    }
    out
}

#[test]
fn no_single_flipped_bit_leaves_a_signature_valid() {
    let alice = Signer::new("ed25519");
    let signature = dearmored(&alice.sign(b"message"));
    let holds = |blob: &[u8]| {
        Signature::parse(&armored(blob), MANIFEST_NAMESPACE)
            .and_then(|read| read.verify(&alice.key(), b"message"))
            .is_ok()
    };
    assert!(holds(&signature));
    for bit in 0..signature.len() * 8 {
        let mut flipped = signature.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(!holds(&flipped), "bit {bit}");
    }
}

#[test]
fn damaged_signatures_and_keys_are_refused_without_panic() {
    let mut noise = Noise(0x5eed);
    for kind in ["ed25519", "ecdsa 256", "rsa 3072"] {
        let signer = Signer::new(kind);
        let good = signer.sign(b"message");
        let (blob, key) = (dearmored(&good), signer.key());
        for _ in 0..2000 {
            let damaged = damage(&blob, &mut noise);
            let outcome = Signature::parse(&armored(&damaged), MANIFEST_NAMESPACE)
                .and_then(|signature| signature.verify(&key, b"message"));
            assert!(outcome.is_err() || damaged == blob, "{kind}");
            if let Ok(signature) = Signature::parse(&damage(&good, &mut noise), MANIFEST_NAMESPACE) {
                assert!(signature.verify(&key, b"other").is_err());
            }
            if let Ok(key) = PublicKey::parse(&damage(&signer.blob(), &mut noise)) {
                assert!(key.blob() == signer.blob() || key != signer.key());
            }
        }
    }
}

#[test]
fn damaged_documents_and_manifests_are_judged_without_panic() {
    let alice = Signer::new("ed25519");
    let good = document_value(&[alice.record("k1")], &[publisher("acme", &["k1"], 1, &["acme/*"])]).to_string();
    let document = acme(&[&alice], 1);
    let signature = alice.sign(&manifest());
    let mut noise = Noise(0xfeed);
    for _ in 0..5000 {
        if let Ok(read) = TrustDocument::parse(&damage(good.as_bytes(), &mut noise)) {
            assert!(read.publishers().iter().all(|publisher| publisher.threshold() >= 1));
        }
        let damaged = damage(&manifest(), &mut noise);
        let plugin = PluginFile { name: OsStr::new("demo.so"), size: PLUGIN.len() as u64, digest: plugin_digest() };
        let signatures = [SignatureFile { name: "plugin.json.sig", bytes: &signature }];
        let signed = Evidence { manifest: Some(&damaged), signatures: &signatures, plugin, machine: MACHINE };
        assert!(verify(&signed, Some(&document), &unsigned()).is_err() || damaged == manifest());
        match verify(&Evidence { signatures: &[], ..signed }, None, &unsigned()) {
            Ok(verdict) => assert!(verdict.manifest().is_none()),
            Err(error) => assert!(error.code().starts_with("E-") && !error.hint().is_empty()),
        }
    }
}
