//! The verdict: each refusal has its accepted twin beside it.

use std::ffi::OsStr;

use lazaret_policy::{Arch, Digest, TrustRules};
use serde_json::json;

use super::super::{
    Acceptance, Evidence, Libc, MAX_SIGNATURES, Machine, PluginFile, SignatureFile, SignatureOutcome, TrustDocument,
    TrustError, Verdict, verify,
};
use super::{
    MACHINE, PLUGIN, Signer, acme, document, from_publisher, manifest, manifest_value, nothing, pinned, plugin_digest,
    publisher, unsigned,
};

/// A bundle, as a test describes it.
struct Bundle {
    manifest: Option<Vec<u8>>,
    signatures: Vec<Vec<u8>>,
    name: &'static str,
    bytes: Vec<u8>,
    machine: Machine,
}

impl Bundle {
    fn bare() -> Self {
        Self { manifest: None, signatures: vec![], name: "demo.so", bytes: PLUGIN.to_vec(), machine: MACHINE }
    }

    fn described() -> Self {
        Self { manifest: Some(manifest()), ..Self::bare() }
    }

    fn signed_by(signers: &[&Signer]) -> Self {
        Self { signatures: signers.iter().map(|signer| signer.sign(&manifest())).collect(), ..Self::described() }
    }

    fn judged(&self, document: Option<&TrustDocument>, rules: &TrustRules) -> Result<Verdict, TrustError> {
        let signatures: Vec<_> =
            self.signatures.iter().map(|bytes| SignatureFile { name: "plugin.json.sig", bytes }).collect();
        let digest = Digest(super::super::text::sha256(&self.bytes));
        let plugin = PluginFile { name: OsStr::new(self.name), size: self.bytes.len() as u64, digest };
        let (manifest, machine) = (self.manifest.as_deref(), self.machine);
        verify(&Evidence { manifest, signatures: &signatures, plugin, machine }, document, rules)
    }

    #[track_caller]
    fn refused(&self, document: Option<&TrustDocument>, rules: &TrustRules) -> &'static str {
        let error = self.judged(document, rules).expect_err("refused");
        assert!(!error.hint().is_empty() && !error.to_string().ends_with('.'));
        error.code()
    }

    #[track_caller]
    fn accepted(&self, document: Option<&TrustDocument>, rules: &TrustRules) -> Verdict {
        self.judged(document, rules).expect("accepted")
    }

    #[track_caller]
    fn counts_as_signed(&self, document: Option<&TrustDocument>, rules: &TrustRules) {
        let verdict = self.accepted(document, rules);
        assert!(matches!(verdict.acceptance(), Acceptance::Signed { .. }), "{verdict:?}");
    }
}

fn also(mut rules: TrustRules, other: TrustRules) -> TrustRules {
    rules.publishers.extend(other.publishers);
    rules.digests.extend(other.digests);
    rules.unsigned = rules.unsigned.or(other.unsigned);
    rules
}

#[test]
fn a_plugin_signed_by_a_listed_publisher_is_accepted_and_the_verdict_says_who_signed() {
    let alice = Signer::new("ed25519");
    let document = acme(&[&alice], 1);
    let verdict = Bundle::signed_by(&[&alice]).accepted(Some(&document), &from_publisher("acme"));
    let Acceptance::Signed { publisher, keys, threshold, origin } = verdict.acceptance() else { panic!("{verdict:?}") };
    assert_eq!((publisher.as_str(), *threshold, origin.key.as_str()), ("acme", 1, "trust.publishers"));
    assert_eq!(keys, &[alice.key().fingerprint()]);
    assert_eq!(verdict.digest(), plugin_digest());
    assert_eq!(verdict.manifest().map(|manifest| manifest.serial), Some(7));
    let json = serde_json::to_value(verdict.acceptance()).expect("serialisable");
    assert_eq!((&json["how"], &json["keys"][0]), (&json!("signed"), &json!(alice.key().fingerprint().to_string())));
}

#[test]
fn with_nothing_stated_nothing_is_accepted() {
    let alice = Signer::new("ed25519");
    let document = acme(&[&alice], 1);
    for bundle in [Bundle::bare(), Bundle::described(), Bundle::signed_by(&[&alice])] {
        assert_eq!(bundle.refused(Some(&document), &nothing()), "E-TRUST-NOTHING-STATED");
    }
}

#[test]
fn a_file_without_a_signature_is_accepted_only_where_the_policy_says_so() {
    for bundle in [Bundle::bare(), Bundle::described()] {
        assert_eq!(bundle.refused(None, &from_publisher("acme")), "E-TRUST-UNSIGNED");
        let verdict = bundle.accepted(None, &unsigned());
        assert!(matches!(verdict.acceptance(), Acceptance::Unsigned { .. }));
        assert!(verdict.manifest().is_none());
        assert_eq!(verdict.claims().is_some(), bundle.manifest.is_some());
    }
}

#[test]
fn a_pinned_file_is_accepted_and_another_is_not() {
    let verdict = Bundle::bare().accepted(None, &also(pinned(plugin_digest()), unsigned()));
    assert!(matches!(verdict.acceptance(), Acceptance::Pinned { digest, .. } if *digest == plugin_digest()));
    assert_eq!(Bundle::bare().refused(None, &pinned(Digest([0; 32]))), "E-TRUST-NOT-PINNED");
    let verdict = Bundle::bare().accepted(None, &also(pinned(Digest([0; 32])), unsigned()));
    assert!(matches!(verdict.acceptance(), Acceptance::Unsigned { .. }));
}

#[test]
fn a_listed_publisher_is_what_is_reported_even_where_less_would_do() {
    let alice = Signer::new("ed25519");
    let rules = also(from_publisher("acme"), also(pinned(plugin_digest()), unsigned()));
    let verdict = Bundle::signed_by(&[&alice]).accepted(Some(&acme(&[&alice], 1)), &rules);
    assert!(matches!(verdict.acceptance(), Acceptance::Signed { .. }));
}

#[test]
fn what_is_tampered_with_is_refused_and_never_accepted_as_merely_unsigned_or_pinned() {
    let alice = Signer::new("ed25519");
    let document = acme(&[&alice], 1);
    let lenient = also(from_publisher("acme"), also(pinned(plugin_digest()), unsigned()));
    let good = || Bundle::signed_by(&[&alice]);
    for document in [Some(&document), None] {
        let changed = Bundle { manifest: Some([manifest(), b" ".to_vec()].concat()), ..good() };
        assert_eq!(changed.refused(document, &lenient), "E-SIG-INVALID");
        let garbage = Bundle { signatures: vec![b"garbage".to_vec()], ..good() };
        assert_eq!(garbage.refused(document, &lenient), "E-SIG-FORMAT");
        let other_purpose = Bundle { signatures: vec![alice.sign_with(&manifest(), "git", &[])], ..good() };
        assert_eq!(other_purpose.refused(document, &lenient), "E-SIG-NAMESPACE");
        let orphan = Bundle { manifest: None, ..good() };
        assert_eq!(orphan.refused(document, &lenient), "E-MANIFEST-MISSING");
        let huge = Bundle { manifest: Some(vec![b' '; 256 * 1024 + 1]), ..good() };
        assert_eq!(huge.refused(document, &lenient), "E-MANIFEST-SIZE");
        let other_file = Bundle { bytes: vec![0; PLUGIN.len()], ..good() };
        assert_eq!(other_file.refused(document, &also(from_publisher("acme"), unsigned())), "E-FILE-DIGEST");
    }
    // Nobody signed it, but it describes another file.
    let mut lying = manifest_value();
    lying["targets"][0]["files"][0]["sha256"] = json!("00".repeat(32));
    let lying = Bundle { manifest: Some(lying.to_string().into_bytes()), ..Bundle::bare() };
    assert_eq!(lying.refused(None, &unsigned()), "E-FILE-DIGEST");
    assert_eq!(lying.refused(None, &pinned(plugin_digest())), "E-FILE-DIGEST");
    let unreadable = Bundle { manifest: Some(b"{}".to_vec()), ..Bundle::bare() };
    assert_eq!(unreadable.refused(None, &unsigned()), "E-MANIFEST-FORMAT");
}

#[test]
fn a_stranger_lends_no_trust_and_takes_none_away() {
    let (alice, mallory) = (Signer::new("ed25519"), Signer::new("ecdsa 256"));
    let document = acme(&[&alice], 1);
    let bundle = Bundle::signed_by(&[&mallory]);
    assert_eq!(bundle.refused(Some(&document), &from_publisher("acme")), "E-SIG-KEY-UNKNOWN");
    assert_eq!(bundle.refused(None, &from_publisher("acme")), "E-TRUST-NO-DOCUMENT");
    let verdict = bundle.accepted(Some(&document), &unsigned());
    assert!(matches!(verdict.acceptance(), Acceptance::Unsigned { .. }));
    let expected = mallory.key().fingerprint();
    assert!(matches!(verdict.signatures()[0].outcome(), SignatureOutcome::Stranger(found) if *found == expected));
    let error = bundle.judged(Some(&document), &from_publisher("acme")).expect_err("refused").to_string();
    assert!(error.contains(&expected.to_string()), "{error}");
    Bundle::signed_by(&[&mallory, &alice]).counts_as_signed(Some(&document), &from_publisher("acme"));
}

#[test]
fn a_key_that_no_publisher_has_is_unknown_even_when_the_document_lists_it() {
    let (alice, idle) = (Signer::new("ed25519"), Signer::new("ed25519"));
    let keys = [alice.record("k1"), idle.record("k2")];
    let document = document(&keys, &[publisher("acme", &["k1"], 1, &["acme/*"])]);
    let error = Bundle::signed_by(&[&idle]).judged(Some(&document), &from_publisher("acme")).expect_err("refused");
    assert_eq!(error.code(), "E-SIG-KEY-UNKNOWN");
    assert!(error.to_string().contains(&idle.key().fingerprint().to_string()));
}

#[test]
fn a_threshold_counts_keys_not_signatures() {
    const P256_ORDER: [u8; 32] = [
        0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa, 0xad,
        0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
    ];
    let (alice, bob) = (Signer::new("ecdsa 256"), Signer::new("rsa 3072"));
    let document = acme(&[&alice, &bob], 2);
    let rules = from_publisher("acme");
    assert_eq!(Bundle::signed_by(&[&alice]).refused(Some(&document), &rules), "E-SIG-THRESHOLD");
    assert_eq!(Bundle::signed_by(&[&alice, &alice]).refused(Some(&document), &rules), "E-SIG-THRESHOLD");
    let mut twins = Bundle::signed_by(&[&alice]);
    twins.signatures.push(super::sshsig::malleated(&twins.signatures[0], &P256_ORDER));
    assert_eq!(twins.refused(Some(&document), &rules), "E-SIG-THRESHOLD");
    // The same bytes a second time under the other hash.
    twins.signatures.push(alice.sign_with(&manifest(), super::MANIFEST_NAMESPACE, &["-O", "hashalg=sha256"]));
    assert_eq!(twins.refused(Some(&document), &rules), "E-SIG-THRESHOLD");

    let verdict = Bundle::signed_by(&[&alice, &bob, &bob]).accepted(Some(&document), &rules);
    assert!(matches!(verdict.acceptance(), Acceptance::Signed { keys, threshold: 2, .. } if keys.len() == 2));
    // Too few signatures contradict nothing: a policy that asks for none gets what it asked for.
    let verdict = Bundle::signed_by(&[&alice]).accepted(Some(&document), &also(rules, unsigned()));
    assert!(matches!(verdict.acceptance(), Acceptance::Unsigned { .. }));
}

#[test]
fn keys_of_different_publishers_do_not_add_up() {
    let (alice, bob) = (Signer::new("ed25519"), Signer::new("ed25519"));
    let spare = Signer::new("ed25519");
    let keys = [alice.record("k1"), bob.record("k2"), spare.record("k3")];
    let publishers =
        [publisher("acme", &["k1", "k3"], 2, &["acme/*"]), publisher("other", &["k2", "k3"], 2, &["other/*"])];
    let document = document(&keys, &publishers);
    let bundle = Bundle::signed_by(&[&alice, &bob]);
    assert_eq!(bundle.refused(Some(&document), &from_publisher("acme")), "E-SIG-THRESHOLD");
    Bundle::signed_by(&[&alice, &spare]).counts_as_signed(Some(&document), &from_publisher("acme"));
}

#[test]
fn a_bad_signature_is_reported_even_when_another_suffices() {
    let (alice, old) = (Signer::new("ed25519"), Signer::new("ecdsa 521"));
    let mut bundle = Bundle::signed_by(&[&alice, &old]);
    bundle.signatures.insert(0, b"garbage".to_vec());
    let verdict = bundle.accepted(Some(&acme(&[&alice], 1)), &from_publisher("acme"));
    let outcomes: Vec<_> = verdict.signatures().iter().map(|report| report.outcome()).collect();
    assert!(
        matches!(outcomes[..], [SignatureOutcome::Bad(_), SignatureOutcome::Valid { .. }, SignatureOutcome::Bad(_)]),
        "{outcomes:?}"
    );
    // Without the good one, the bad ones decide.
    bundle.signatures.remove(1);
    assert_eq!(bundle.refused(Some(&acme(&[&alice], 1)), &unsigned()), "E-SIG-FORMAT");
    bundle.signatures.remove(0);
    assert_eq!(bundle.refused(Some(&acme(&[&alice], 1)), &unsigned()), "E-SIG-KEY");
}

#[test]
fn more_than_sixteen_signatures_are_not_examined() {
    let alice = Signer::new("ed25519");
    let document = acme(&[&alice], 1);
    let good = Bundle::signed_by(&[&alice]);
    let sixteen = Bundle { signatures: vec![good.signatures[0].clone(); MAX_SIGNATURES], ..Bundle::described() };
    sixteen.counts_as_signed(Some(&document), &from_publisher("acme"));
    let more = Bundle { signatures: vec![good.signatures[0].clone(); MAX_SIGNATURES + 1], ..Bundle::described() };
    assert_eq!(more.refused(Some(&document), &from_publisher("acme")), "E-SIG-COUNT");
}

#[test]
fn a_trusted_publisher_that_the_policy_does_not_list_is_refused() {
    let alice = Signer::new("ed25519");
    let document = acme(&[&alice], 1);
    let bundle = Bundle::signed_by(&[&alice]);
    assert_eq!(bundle.refused(Some(&document), &from_publisher("other")), "E-PUBLISHER-NOT-ALLOWED");
    bundle.counts_as_signed(Some(&document), &also(from_publisher("other"), from_publisher("acme")));
    let verdict = bundle.accepted(Some(&document), &unsigned());
    assert!(verdict.manifest().is_none(), "the policy did not ask whose it is, so the verdict does not vouch");
}

#[test]
fn a_publisher_cannot_sign_another_ones_plugin() {
    let (alice, mallory) = (Signer::new("ed25519"), Signer::new("ed25519"));
    let keys = [alice.record("k1"), mallory.record("k2")];
    let publishers = [publisher("acme", &["k1"], 1, &["acme/*"]), publisher("mallory", &["k2"], 1, &["mallory/*"])];
    let both = also(from_publisher("acme"), also(from_publisher("mallory"), unsigned()));
    let wide = document(&keys, &publishers);
    assert_eq!(Bundle::signed_by(&[&mallory]).refused(Some(&wide), &both), "E-PUBLISHER-SCOPE");
    Bundle::signed_by(&[&alice]).counts_as_signed(Some(&wide), &both);
    Bundle::signed_by(&[&mallory, &alice]).counts_as_signed(Some(&wide), &both);

    let narrow = document(&keys[..1], &[publisher("acme", &["k1"], 1, &["acme/other"])]);
    assert_eq!(Bundle::signed_by(&[&alice]).refused(Some(&narrow), &both), "E-PUBLISHER-SCOPE");
}

#[test]
fn the_publisher_in_the_manifest_is_the_one_whose_plugin_it_is() {
    let alice = Signer::new("ed25519");
    let mut value = manifest_value();
    value["publisher"] = json!("other");
    let text = value.to_string().into_bytes();
    let bundle = Bundle { signatures: vec![alice.sign(&text)], manifest: Some(text), ..Bundle::bare() };
    assert_eq!(bundle.refused(Some(&acme(&[&alice], 1)), &from_publisher("acme")), "E-MANIFEST-PUBLISHER");
}

#[test]
fn the_file_is_the_one_that_the_manifest_describes() {
    let alice = Signer::new("ed25519");
    let document = acme(&[&alice], 1);
    let rules = from_publisher("acme");
    let good = || Bundle::signed_by(&[&alice]);
    let refused = |bundle: Bundle| bundle.refused(Some(&document), &rules);
    assert_eq!(refused(Bundle { bytes: vec![0; PLUGIN.len()], ..good() }), "E-FILE-DIGEST");
    assert_eq!(refused(Bundle { bytes: [PLUGIN, b"\0"].concat(), ..good() }), "E-FILE-SIZE");
    assert_eq!(refused(Bundle { name: "other.so", ..good() }), "E-FILE-NOT-LISTED");
    let musl = Machine { libc: Libc::Musl, ..MACHINE };
    assert_eq!(refused(Bundle { machine: musl, ..good() }), "E-MANIFEST-TARGET");
    let arm = Machine { arch: Arch::Aarch64, ..MACHINE };
    assert_eq!(refused(Bundle { machine: arm, ..good() }), "E-MANIFEST-TARGET");
    good().counts_as_signed(Some(&document), &rules);
}

#[test]
fn a_signed_manifest_that_cannot_be_read_is_refused() {
    let alice = Signer::new("ed25519");
    let text = b"{\"name\": 1}".to_vec();
    let bundle = Bundle { signatures: vec![alice.sign(&text)], manifest: Some(text), ..Bundle::bare() };
    assert_eq!(bundle.refused(Some(&acme(&[&alice], 1)), &from_publisher("acme")), "E-MANIFEST-FORMAT");
    // Unsigned, it is refused before anything reads it.
    let unsigned = Bundle { signatures: vec![], ..bundle };
    assert_eq!(unsigned.refused(Some(&acme(&[&alice], 1)), &from_publisher("acme")), "E-TRUST-UNSIGNED");
}
