//! Trust documents: what is refused, and that the smallest good one is not.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::super::key::KeyError;
use super::super::text::PluginName;
use super::super::wire::put_string;
use super::super::{DocumentError, TrustDocument};
use super::{Signer, document, document_value, publisher};

fn parse(document: &Value) -> Result<TrustDocument, DocumentError> {
    TrustDocument::parse(document.to_string().as_bytes())
}

fn refusal(document: &Value) -> DocumentError {
    parse(document).expect_err("refused")
}

/// The message of the JSON reader, which is the source of the refusal.
fn json_refusal(text: &str) -> String {
    match TrustDocument::parse(text.as_bytes()).expect_err("refused") {
        DocumentError::Json(reason) => reason.to_string(),
        other => panic!("{text}: {other}"),
    }
}

/// The record of an Ed25519 key with these 32 bytes.
fn raw_key(id: &str, bytes: &[u8; 32]) -> Value {
    let mut blob = Vec::new();
    put_string(&mut blob, b"ssh-ed25519");
    put_string(&mut blob, bytes);
    json!({"id": id, "scheme": "ssh-ed25519", "public": STANDARD.encode(blob)})
}

fn hardware_key(id: &str, bytes: &[u8; 32], application: &str) -> Value {
    let mut blob = Vec::new();
    put_string(&mut blob, b"sk-ssh-ed25519@openssh.com");
    put_string(&mut blob, bytes);
    put_string(&mut blob, application.as_bytes());
    json!({"id": id, "scheme": "sk-ssh-ed25519@openssh.com", "public": STANDARD.encode(blob)})
}

fn good() -> Value {
    document_value(&[raw_key("k1", &[9; 32])], &[publisher("acme", &["k1"], 1, &["acme/*"])])
}

#[test]
fn a_document_with_keys_as_ssh_keygen_writes_them_is_read() {
    let signers = ["ed25519", "ecdsa 256", "ecdsa 384", "rsa 3072"].map(Signer::new);
    let keys: Vec<Value> = signers.iter().enumerate().map(|(i, signer)| signer.record(&format!("k{i}"))).collect();
    let document = document(&keys, &[publisher("acme", &["k0", "k1", "k2", "k3"], 2, &["acme/*", "other/one"])]);
    assert_eq!((document.keys().len(), document.version(), document.root_id().as_str()), (4, 1, "test"));
    assert_eq!(document.keys()[0].owner(), Some("somebody"));
    assert_eq!(document.publishers()[0].threshold(), 2);
    assert!(document.publishers()[0].has(&signers[3].key()));
}

#[test]
fn a_threshold_is_at_least_one_and_at_most_the_number_of_keys() {
    let keys = [raw_key("k1", &[9; 32]), raw_key("k2", &[8; 32])];
    for (threshold, accepted) in [(0, false), (1, true), (2, true), (3, false), (u64::MAX, false)] {
        let value = document_value(&keys, &[publisher("acme", &["k1", "k2"], threshold, &["acme/*"])]);
        assert_eq!(parse(&value).is_ok(), accepted, "{threshold}");
        assert!(accepted || matches!(refusal(&value), DocumentError::Threshold { .. }));
    }
    let none = document_value(&keys, &[publisher("acme", &[], 1, &["acme/*"])]);
    assert!(matches!(refusal(&none), DocumentError::Threshold { keys: 0, .. }));
    for threshold in ["-1", "1.0", "1e0", "\"1\"", "18446744073709551616", "null", "true"] {
        json_refusal(&good().to_string().replace("\"threshold\":1", &format!("\"threshold\":{threshold}")));
    }
}

#[test]
fn one_key_under_two_ids_is_refused_also_when_it_is_dressed_as_a_hardware_key() {
    let publishers = [publisher("acme", &["k1", "k2"], 2, &["acme/*"])];
    for second in [raw_key("k2", &[9; 32]), hardware_key("k2", &[9; 32], "ssh:")] {
        let refused = refusal(&document_value(&[raw_key("k1", &[9; 32]), second], &publishers));
        assert!(matches!(refused, DocumentError::SameKey { .. }), "{refused}");
    }
    let two_applications = [hardware_key("k1", &[9; 32], "ssh:a"), hardware_key("k2", &[9; 32], "ssh:b")];
    assert!(matches!(refusal(&document_value(&two_applications, &publishers)), DocumentError::SameKey { .. }));
    assert!(parse(&document_value(&[raw_key("k1", &[9; 32]), raw_key("k2", &[8; 32])], &publishers)).is_ok());
}

#[test]
fn a_name_twice_is_refused() {
    let keys = [raw_key("k1", &[9; 32]), raw_key("k2", &[8; 32])];
    let acme = publisher("acme", &["k1"], 1, &["acme/*"]);
    let ids = document_value(&[raw_key("k1", &[9; 32]), raw_key("k1", &[8; 32])], &[]);
    assert!(matches!(refusal(&ids), DocumentError::SameId(_)));
    let names = document_value(&keys[..1], &[acme.clone(), publisher("acme", &["k1"], 1, &["b/*"])]);
    assert!(matches!(refusal(&names), DocumentError::SamePublisher(_)));
    let twice = document_value(&keys, &[publisher("acme", &["k1", "k1"], 2, &["acme/*"])]);
    assert!(matches!(refusal(&twice), DocumentError::KeyTwice { .. }));
    let patterns = document_value(&keys[..1], &[acme, publisher("b", &["k1"], 1, &["acme/*"])]);
    assert!(matches!(refusal(&patterns), DocumentError::PatternTwice(_)));
    let unknown = document_value(&keys[..1], &[publisher("acme", &["k9"], 1, &["acme/*"])]);
    assert!(matches!(refusal(&unknown), DocumentError::NoSuchKey { .. }));
    let nothing = document_value(&keys, &[publisher("acme", &["k1"], 1, &[])]);
    assert!(matches!(refusal(&nothing), DocumentError::NoPlugins(_)));
}

#[test]
fn a_key_for_which_anybody_can_sign_is_refused_at_load() {
    let mut identity = [0; 32];
    identity[0] = 1;
    let mut unreduced = [0xff; 32];
    (unreduced[0], unreduced[31]) = (0xee, 0x7f);
    for (bytes, expected) in [(identity, KeyError::SmallOrder), (unreduced, KeyError::NonCanonical)] {
        match refusal(&document_value(&[raw_key("k1", &bytes)], &[])) {
            DocumentError::Key { source, .. } => assert_eq!(source, expected),
            other => panic!("{other}"),
        }
    }
}

#[test]
fn scheme_and_application_have_to_agree_with_the_key() {
    let with = |mut key: Value, field: &str, value: &str| {
        key[field] = json!(value);
        parse(&document_value(&[key], &[]))
    };
    let plain = raw_key("k1", &[9; 32]);
    let hardware = hardware_key("k1", &[9; 32], "ssh:");
    assert!(matches!(with(plain.clone(), "scheme", "ssh-rsa"), Err(DocumentError::Scheme { .. })));
    assert!(matches!(with(plain.clone(), "application", "ssh:"), Err(DocumentError::Application(_))));
    assert!(matches!(with(hardware.clone(), "application", "ssh:x"), Err(DocumentError::Application(_))));
    assert!(with(hardware, "application", "ssh:").is_ok());
    for base64 in ["AAAA====", "AAA", "AAAA AAAA", "-_-_", "AB=="] {
        assert!(matches!(with(plain.clone(), "public", base64), Err(DocumentError::Base64(_))), "{base64}");
    }
}

#[test]
fn the_first_matching_publisher_owns_a_name_and_no_later_one_is_asked() {
    let keys = [raw_key("k1", &[9; 32]), raw_key("k2", &[8; 32])];
    let publishers =
        [publisher("special", &["k1"], 1, &["acme/special"]), publisher("acme", &["k2"], 1, &["acme/*", "x/y"])];
    let document = document(&keys, &publishers);
    let owner = |name: &str| {
        let name = PluginName::try_from(name.to_owned()).expect("a name");
        document.publisher_of(&name).map(|publisher| publisher.name().to_string())
    };
    assert_eq!(owner("acme/special").as_deref(), Some("special"));
    assert_eq!(owner("acme/specials").as_deref(), Some("acme"));
    assert_eq!(owner("x/y").as_deref(), Some("acme"));
    assert_eq!(owner("x/z"), None);
    assert_eq!(owner("acmes/demo"), None);
}

#[test]
fn patterns_are_a_name_or_a_publisher_and_a_star() {
    for pattern in ["*", "*/*", "a*/x", "acme/d*", "acme/**", "acme", "/*", "acme/", "ACME/*", "acme/*/x", ""] {
        let text = good().to_string().replace("acme/*", pattern);
        assert!(json_refusal(&text).contains("is not a valid plugin pattern"), "{pattern}");
    }
}

#[test]
fn json_that_two_readers_could_read_differently_is_refused() {
    let good = good().to_string();
    assert!(TrustDocument::parse(good.as_bytes()).is_ok());
    assert!(TrustDocument::parse(format!(" {good}\n").as_bytes()).is_ok());
    let fields = r#""https://lazaret/trust/v1","test",1,[],[]"#;
    for (text, reason) in [
        (good.replacen('{', r#"{"version":1,"#, 1), "duplicate field `version`"),
        (good.replacen('{', r#"{"v\u0065rsion":1,"#, 1), "duplicate field `version`"),
        (good.replacen('{', r#"{"roles":[],"#, 1), "unknown field `roles`"),
        (good.replacen(r#"{"id""#, r#"{"require_uv":true,"id""#, 1), "unknown field `require_uv`"),
        (format!("[{fields}]"), "expected an object"),
        (good.replace(r#"[{"id":"k1","#, r#"[["k1"],{"id":"k1","#), "expected an object"),
        (format!("\u{feff}{good}"), "expected value"),
        (format!("{good}{good}"), "trailing characters"),
        (good.replace(r#""version":1"#, r#""version":1.0"#), "floating point"),
        (good.replace("trust/v1", "trust/v2"), "is not a valid type of trust document"),
        (good.replace(r#""https://lazaret/trust/v1""#, r#"{"https://lazaret/trust/v1":null}"#), "expected a string"),
        (good.replacen(r#"{"id""#, r#"{"owner":null,"id""#, 1), "expected a string"),
        (good.replacen(r#"{"id""#, r#"{"owner":"a\u0000b","id""#, 1), "control or direction"),
        (good.replacen(r#"{"id""#, r#"{"owner":"a\u202eb","id""#, 1), "control or direction"),
        (good.replacen(r#"{"id""#, r#"{"owner":"","id""#, 1), "is not a valid text"),
        (good.replace(r#""root_id":"test""#, r#""root_id":"te\u0000st""#), "is not a valid name"),
        (good.replace(r#""root_id":"test""#, &format!(r#""root_id":"{}""#, "t".repeat(65))), "is not a valid name"),
        (good.replace(r#""name":"acme""#, r#""name":"ac\u2066me""#), "is not a valid name"),
        ("[".repeat(200), "expected an object"),
        (good.replace(r#""root_id":"test""#, &format!(r#""root_id":{}"#, "[".repeat(200))), "expected a string"),
        (good.replacen(r#""root_id":"test","#, "", 1), "missing field `root_id`"),
        (String::new(), "EOF"),
    ] {
        let found = json_refusal(&text);
        assert!(found.contains(reason), "{text}\n{found}");
    }
    assert!(matches!(TrustDocument::parse(&[0xff]), Err(DocumentError::Json(_))));
    assert!(matches!(
        TrustDocument::parse(good.replace(r#""version":1"#, r#""version":0"#).as_bytes()),
        Err(DocumentError::Version)
    ));
}

#[test]
fn a_document_that_is_too_long_is_not_read() {
    let long = vec![b' '; 1024 * 1024 + 1];
    assert!(matches!(TrustDocument::parse(&long), Err(DocumentError::TooLarge(_))));
}

#[test]
fn a_refusal_never_repeats_what_could_drive_a_terminal() {
    let text = good().to_string().replacen('{', &format!("{{\"\\u001b[2J\\u202e{}\":1,", "x".repeat(10_000)), 1);
    let shown = json_refusal(&text);
    assert!(shown.contains("\\u{1b}[2J\\u{202e}"), "{shown}");
    assert!(!shown.contains(super::super::text::is_unsafe), "{shown}");
    assert!(shown.len() < 600 && shown.contains("line 1 column"), "{shown}");
}
