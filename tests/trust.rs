//! Bundles signed with the `ssh-keygen` of the machine, from the key to the answered call.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use lazaret_policy::Digest;

use crate::support::{attack, directory, lazaret, plugin, policy_file, text};

const CALL: &str = "u8(x: u8) -> u8";

fn keygen(words: &[&str]) {
    let output = Command::new("ssh-keygen").args(words).output().expect("ssh-keygen; run tests/setup");
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// A new key; returns the second field of its public file.
fn key(path: &Path) -> String {
    keygen(&["-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", path.to_str().expect("UTF-8")]);
    let public = fs::read_to_string(path.with_extension("pub")).expect("the public key");
    public.split(' ').nth(1).expect("the key").to_owned()
}

fn sha256(bytes: &[u8]) -> String {
    let hash = ring::digest::digest(&ring::digest::SHA256, bytes);
    let digest = Digest(hash.as_ref().try_into().expect("32 bytes"));
    digest.to_string().trim_start_matches("sha256:").to_owned()
}

/// A bundle, its key, its trust document and a policy that asks for the signature.
struct Signed {
    bundle: PathBuf,
    trust: PathBuf,
    policy: PathBuf,
    key: PathBuf,
}

impl Signed {
    fn new(name: &str) -> Self {
        let place = directory(&format!("signed-{name}"));
        let bundle = place.join("bundle");
        fs::create_dir_all(&bundle).expect("a bundle");
        let key_path = place.join("key");
        let public = key(&key_path);
        fs::copy(plugin("good/types.c", &[]), bundle.join("types.so")).expect("copy");
        let trust = place.join("trust.json");
        let document = format!(
            r#"{{"_type":"https://lazaret/trust/v1","root_id":"test","version":1,
                "keys":[{{"id":"k1","scheme":"ssh-ed25519","public":"{public}"}}],
                "publishers":[{{"name":"acme","keys":["k1"],"threshold":1,"plugins":["acme/*"]}}]}}"#
        );
        fs::write(&trust, document).expect("write");
        let text = "lazaret = 1\nname = \"signed\"\n[trust]\npublishers = [\"acme\"]\n[elf]\nneeded = [\"libc.so.6\"]\n\
                    [syscalls]\nallow = [\"@compute\"]\n";
        let signed = Self { bundle, trust, policy: policy_file(&format!("signed-{name}"), text), key: key_path };
        signed.write_manifest("acme/types");
        signed.sign("plugin-manifest.v1@lazaret");
        signed
    }

    fn write_manifest(&self, name: &str) {
        let bytes = fs::read(self.bundle.join("types.so")).expect("read");
        let arch = std::env::consts::ARCH;
        let manifest = format!(
            r#"{{"_type":"https://lazaret/plugin/v1","name":"{name}","version":"1.0.0","epoch":1,"serial":1,
                "created":"2026-11-22T00:00:00Z","publisher":"acme",
                "targets":[{{"arch":"{arch}","os":"linux","libc":"glibc",
                "files":[{{"role":"elf","path":"types.so","size":{},"sha256":"{}"}}]}}]}}"#,
            bytes.len(),
            sha256(&bytes)
        );
        fs::write(self.bundle.join("plugin.json"), manifest).expect("write");
    }

    fn sign(&self, namespace: &str) {
        let manifest = self.bundle.join("plugin.json");
        let signature = self.bundle.join("plugin.json.sig");
        if signature.exists() {
            fs::remove_file(&signature).expect("remove");
        }
        let path = |path: &Path| path.to_str().expect("UTF-8").to_owned();
        keygen(&["-q", "-Y", "sign", "-n", namespace, "-f", &path(&self.key), &path(&manifest)]);
    }

    fn call(&self) -> (Option<i32>, String, String) {
        self.call_of(CALL, "7")
    }

    fn call_of(&self, signature: &str, argument: &str) -> (Option<i32>, String, String) {
        let output = lazaret([
            "call".as_ref(),
            self.bundle.as_os_str(),
            signature.as_ref(),
            argument.as_ref(),
            "--policy".as_ref(),
            self.policy.as_os_str(),
            "--trust".as_ref(),
            self.trust.as_os_str(),
        ]);
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    }

    #[track_caller]
    fn refused(&self, code: &str) {
        let (status, out, errors) = self.call();
        assert_eq!((status, out.as_str()), (Some(1), ""), "{errors}");
        assert!(errors.contains(&format!("[{code}]")), "{errors}");
    }
}

#[test]
fn a_signed_bundle_is_loaded_and_called() {
    let (status, out, errors) = Signed::new("good").call();
    assert_eq!((status, out.as_str()), (Some(0), "7\n"), "{errors}");
    assert_eq!(errors, "", "somebody vouches for it, so there is nothing to note");
}

#[test]
fn a_bundle_that_asks_for_less_gets_less() {
    let signed = Signed::new("requests");
    let file = signed.bundle.join("plugin.json");
    let manifest = fs::read_to_string(&file).expect("read");
    let asking = |requests: &str| {
        let end = manifest.rfind('}').expect("an object");
        fs::write(&file, format!("{},\"requests\":{requests}}}", &manifest[..end])).expect("write");
        signed.sign("plugin-manifest.v1@lazaret");
        signed.call_of("greet(name: cstr) -> cstr", &"x".repeat(5000))
    };
    let (status, out, errors) = asking(r#"{"limits":{"memory":"64 MiB"}}"#);
    assert_eq!((status, out.as_str()), (Some(0), format!("hello {}\n", "x".repeat(40)).as_str()), "{errors}");
    let (status, _, errors) = asking(r#"{"limits":{"message":"4 KiB"}}"#);
    assert_eq!(status, Some(2), "{errors}");
    assert!(errors.contains("the message size of 4096 bytes"), "{errors}");
    let (status, _, errors) = asking(r#"{"limits":{"memroy":"64 MiB"}}"#);
    assert_eq!(status, Some(1), "{errors}");
    assert!(errors.contains("P-UNKNOWN-KEY") && errors.contains("plugin.json"), "{errors}");
}

#[test]
fn a_plugin_that_was_changed_after_signing_is_refused() {
    let signed = Signed::new("changed-plugin");
    let file = signed.bundle.join("types.so");
    let mut bytes = fs::read(&file).expect("read");
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(&file, bytes).expect("write");
    signed.refused("E-FILE-DIGEST");
}

#[test]
fn a_manifest_that_was_changed_after_signing_is_refused() {
    let signed = Signed::new("changed-manifest");
    let file = signed.bundle.join("plugin.json");
    let text = fs::read_to_string(&file).expect("read").replace("1.0.0", "1.0.1");
    fs::write(&file, text).expect("write");
    signed.refused("E-SIG-INVALID");
}

#[test]
fn a_signature_for_another_purpose_is_refused() {
    let signed = Signed::new("namespace");
    signed.sign("file");
    signed.refused("E-SIG-NAMESPACE");
}

#[test]
fn a_key_that_nobody_trusts_is_refused() {
    let mut signed = Signed::new("stranger");
    signed.key = signed.key.with_file_name("another");
    key(&signed.key);
    signed.sign("plugin-manifest.v1@lazaret");
    signed.refused("E-SIG-KEY-UNKNOWN");
}

#[test]
fn a_bundle_without_a_signature_is_refused_where_one_is_asked_for() {
    let signed = Signed::new("unsigned");
    fs::remove_file(signed.bundle.join("plugin.json.sig")).expect("remove");
    signed.refused("E-TRUST-UNSIGNED");
}

#[test]
fn a_name_that_belongs_to_another_is_refused() {
    let signed = Signed::new("scope");
    signed.write_manifest("other/types");
    signed.sign("plugin-manifest.v1@lazaret");
    let (status, _, errors) = signed.call();
    assert_eq!(status, Some(1), "{errors}");
    assert!(errors.contains("E-PUBLISHER-SCOPE") || errors.contains("E-MANIFEST-PUBLISHER"), "{errors}");
}

#[test]
fn a_tampered_bundle_is_not_merely_unsigned() {
    // `builtin:compute` accepts unsigned files; a bundle that contradicts itself is none.
    let signed = Signed::new("tampered");
    fs::copy(attack("exits", &[]), signed.bundle.join("types.so")).expect("copy");
    let output = lazaret(["call".as_ref(), signed.bundle.as_os_str(), CALL.as_ref(), "7".as_ref()]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
}

#[test]
fn a_pinned_digest_accepts_one_file_and_no_other() {
    let good = plugin("good/types.c", &[]);
    let digest = sha256(&fs::read(&good).expect("read"));
    let text_of = format!(
        "lazaret = 1\nname = \"pinned\"\n[trust]\ndigests = [\"sha256:{digest}\"]\n[elf]\nneeded = [\"libc.so.6\"]\n\
         [syscalls]\nallow = [\"@compute\"]\n"
    );
    let policy = policy_file("pinned", &text_of);
    let run = |file: &Path, call: &str, argument: &[&str]| {
        let mut words = vec!["call".to_owned(), file.to_str().expect("UTF-8").to_owned(), call.to_owned()];
        words.extend(argument.iter().map(|word| (*word).to_owned()));
        words.extend(["--policy".to_owned(), policy.to_str().expect("UTF-8").to_owned()]);
        lazaret(words)
    };
    let output = run(&good, CALL, &["7"]);
    assert_eq!(text(&output.stdout), "7\n", "{}", text(&output.stderr));
    let output = run(&attack("exits", &[]), "result() -> i32", &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("[E-TRUST-NOT-PINNED]"), "{}", text(&output.stderr));
}
