//! Manifests: what is refused, and that the full one of the specification is not. Read through [`verify`], which is the
//! only way in.

use std::ffi::OsStr;

use lazaret_policy::{Arch, Digest};
use serde_json::{Value, json};

use super::super::{Evidence, Libc, ManifestError, PluginFile, TrustError, Verdict, verify};
use super::{MACHINE, PLUGIN, manifest_value, plugin_digest, unsigned};

fn read(text: &str) -> Result<Verdict, TrustError> {
    let plugin = PluginFile { name: OsStr::new("demo.so"), size: PLUGIN.len() as u64, digest: plugin_digest() };
    let evidence = Evidence { manifest: Some(text.as_bytes()), signatures: &[], plugin, machine: MACHINE };
    verify(&evidence, None, &unsigned())
}

fn refusal(text: &str) -> ManifestError {
    match read(text) {
        Err(TrustError::Manifest(error)) => error,
        other => panic!("{text}: {other:?}"),
    }
}

fn json_refusal(text: &str) -> String {
    match refusal(text) {
        ManifestError::Json(reason) => reason.to_string(),
        other => panic!("{text}: {other}"),
    }
}

fn with(pointer: &str, value: Value) -> String {
    let mut manifest = manifest_value();
    let (parent, field) = pointer.rsplit_once('/').expect("a pointer");
    let parent = manifest.pointer_mut(parent).expect("a place");
    parent[field] = value;
    manifest.to_string()
}

const FILE: &str = "/targets/0/files/0";

#[test]
fn a_manifest_with_every_field_of_the_specification_is_read() {
    let mut manifest = manifest_value();
    manifest["abi"] = json!({"name": "host-abi", "version": 2, "entry": "plugin_init"});
    manifest["sbom"] = json!({"sha256": "ab".repeat(32), "size": 12});
    manifest["requests"] =
        json!({"files": {"read": ["${bundle}/assets"]}, "limits": {"threads": 8}, "n": -1, "b": true});
    manifest["supersedes"] = json!(["acme/demo<1.2.0"]);
    let target = &mut manifest["targets"][0];
    (target["libc_min"], target["kernel_min"], target["cpu"]) = (json!("2.36"), json!("5.13"), json!("x86-64-v2"));
    let file = &mut target["files"][0];
    (file["fsverity_sha256"], file["build_id"]) = (json!("cd".repeat(32)), json!("00ff"));
    (file["soname"], file["needed"]) = (json!("demo.so"), json!(["libc.so.6"]));
    file["exports"] = json!(["plugin_init", "_ZN3fooEv"]);
    let verdict = read(&manifest.to_string()).expect("a good manifest");
    let read = verdict.claims().expect("there is one");
    assert_eq!((read.epoch, read.serial, read.name.as_str()), (1, 7, "acme/demo"));
    assert_eq!(read.abi.as_ref().map(|abi| abi.version), Some(2));
    assert_eq!(read.sbom.map(|sbom| sbom.sha256), Some(Digest([0xab; 32])));
    assert_eq!(read.requests.as_ref().and_then(|requests| requests["limits"]["threads"].as_u64()), Some(8));
    assert_eq!(read.supersedes[0].before.as_str(), "1.2.0");
    let target = read.targets_for(Arch::X86_64, Libc::Glibc).next().expect("the target");
    assert_eq!(target.libc_min.as_ref().map(ToString::to_string).as_deref(), Some("2.36"));
    assert_eq!(target.plugin(OsStr::new("demo.so")).map(|file| file.sha256), Some(plugin_digest()));
    assert!(verdict.manifest().is_none(), "nobody signed it");
}

#[test]
fn json_that_two_readers_could_read_differently_is_refused_at_every_depth() {
    let good = manifest_value().to_string();
    assert!(read(&good).is_ok());
    for (text, reason) in [
        (good.replacen('{', r#"{"serial":9,"#, 1), "duplicate field `serial`"),
        (good.replacen('{', r#"{"\u0073erial":9,"#, 1), "duplicate field `serial`"),
        (good.replace(r#""role":"elf""#, r#""role":"elf","rol\u0065":"elf""#), "duplicate field `role`"),
        (good.replacen('{', r#"{"extra":9,"#, 1), "unknown field `extra`"),
        (good.replace(r#""role":"elf""#, r#""role":"elf","mode":7"#), "unknown field `mode`"),
        (with("/targets", json!([["x86_64", "linux", "glibc", null, null, null, []]])), "expected an object"),
        (with("/targets/0/files", json!([["elf", "demo.so", 1, "00"]])), "expected an object"),
        (with("/abi", json!(["host-abi", 2, "x"])), "expected an object"),
        (with("/sbom", json!(["00", 2])), "expected an object"),
        (with("/abi", Value::Null), "expected an object"),
        (with("/requests", json!([])), "expected an object"),
        (with("/requests", Value::Null), "expected an object, list"),
        (with("/requests", json!({"a": null})), "invalid type: null"),
        (with("/requests", json!({"a": 1.5})), "floating point"),
        (with("/requests", json!({"a": {"b\u{202e}": 1}})), "control or direction"),
        (with("/requests", json!({"a": ["\0"]})), "control or direction"),
        (good.replacen('{', r#"{"requests":{"a":1,"a":2},"#, 1), "duplicate field `a`"),
        (good.replacen('{', r#"{"requests":{"x":[{"a":1,"\u0061":2}]},"#, 1), "duplicate field `a`"),
        (good.replacen('{', &format!(r#"{{"requests":{{"a":{}"#, "[".repeat(200)), 1), "recursion limit"),
        (with("/serial", json!(1.0)), "floating point"),
        (with("/serial", json!(-1)), "integer"),
        (good.replace(r#""serial":7"#, r#""serial":18446744073709551616"#), "invalid type"),
        (good.replace(r#""serial":7"#, r#""serial":7e0"#), "floating point"),
        (with("/_type", json!("https://lazaret/trust/v1")), "is not a valid type of manifest"),
        (with("/targets/0/libc", json!({"glibc": null})), "expected a string"),
        (with("/targets/0/libc", json!("uclibc")), "is not a valid libc"),
        (with("/targets/0/arch", json!("riscv64")), "is not a valid architecture"),
        (with("/targets/0/os", json!("freebsd")), "is not a valid operating system"),
        (with("/name", json!("acme/de\u{202e}mo")), "is not a valid plugin name"),
        (with("/name", json!("acme/demo\0")), "is not a valid plugin name"),
        (with("/created", json!("yesterday")), "is not a valid time"),
        (with("/supersedes", json!(["acme/demo"])), "is not a valid superseded release"),
        (format!("\u{feff}{good}"), "expected value"),
        (format!("{good} x"), "trailing characters"),
        (good.replace(r#""epoch":1,"#, ""), "missing field `epoch`"),
    ] {
        let found = json_refusal(&text);
        assert!(found.contains(reason), "{text}\n{found}");
    }
}

#[test]
fn a_path_is_a_plain_file_name() {
    for path in ["../demo.so", "/demo.so", "a/demo.so", "..", ".", "", "-x", "a\\b", "a\0"] {
        let found = json_refusal(&with(&format!("{FILE}/path"), json!(path)));
        assert!(found.contains("is not a valid file name"), "{path}: {found}");
    }
}

#[test]
fn a_digest_is_64_lower_case_digits_without_a_prefix() {
    let good = "ab".repeat(32);
    for digest in
        [good.to_uppercase(), format!("sha256:{good}"), format!("{good}0"), good[..63].to_owned(), String::new()]
    {
        let found = json_refusal(&with(&format!("{FILE}/sha256"), json!(digest)));
        assert!(found.contains("is not a valid sha-256"), "{digest}: {found}");
    }
}

#[test]
fn a_manifest_that_says_two_things_is_refused() {
    let target = manifest_value()["targets"][0].clone();
    let twice = with("/targets", json!([target, target]));
    assert!(matches!(refusal(&twice), ManifestError::TargetTwice(machine) if machine == "x86_64-linux-glibc"));
    let mut level = target.clone();
    level["cpu"] = json!("x86-64-v3");
    assert!(read(&with("/targets", json!([target, level]))).is_ok(), "two processor levels are two targets");

    let file = target["files"][0].clone();
    assert!(matches!(refusal(&with("/targets/0/files", json!([file, file]))), ManifestError::FileTwice(_)));
    let mut asset = file;
    asset["role"] = json!("asset");
    assert!(matches!(refusal(&with("/targets/0/files", json!([asset]))), ManifestError::NoPlugin(_)));
    assert!(matches!(refusal(&with("/targets/0/files", json!([]))), ManifestError::Count { found: 0, .. }));
    assert!(matches!(refusal(&with("/targets", json!([]))), ManifestError::Count { found: 0, .. }));
}

#[test]
fn a_manifest_that_is_too_long_is_not_read() {
    let long = " ".repeat(256 * 1024 + 1);
    assert!(matches!(refusal(&long), ManifestError::TooLarge(_)));
}
