//! What a plugin must show to be accepted, told with the keys and signatures of the `ssh-keygen` of this machine. A
//! test machine without it fails: nothing here may pass by not running.

mod document;
mod manifest;
mod mutation;
mod sshsig;
mod verify;

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use lazaret_policy::{Arch, Digest, Origin, Placed, TrustRules};
use serde_json::{Value, json};

use super::text::sha256;
use super::{Libc, MANIFEST_NAMESPACE, Machine, PublicKey, TrustDocument};

const MACHINE: Machine = Machine { arch: Arch::X86_64, libc: Libc::Glibc };
const PLUGIN: &[u8] = b"\x7fELF, as far as these tests are concerned";

/// A directory that goes away with the test.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("lazaret-trust-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).expect("the scratch directory can be made");
        Self(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            eprintln!("{} stays behind: {error}", self.0.display());
        }
    }
}

/// A person with a key that `ssh-keygen` made.
struct Signer {
    scratch: Scratch,
    /// The two fields of the `.pub` file.
    scheme: String,
    public: String,
}

impl Signer {
    fn new(kind: &str) -> Self {
        let scratch = Scratch::new();
        let (algorithm, bits) = kind.split_once(' ').unwrap_or((kind, "0"));
        let mut command = ssh_keygen();
        command.args(["-q", "-N", "", "-C", "", "-t", algorithm, "-f"]).arg(scratch.0.join("key"));
        if bits != "0" {
            command.args(["-b", bits]);
        }
        run(&mut command);
        let line = std::fs::read_to_string(scratch.0.join("key.pub")).expect("ssh-keygen wrote a public key");
        let mut fields = line.split_whitespace().map(str::to_owned);
        let (scheme, public) = (fields.next().expect("a scheme"), fields.next().expect("a key"));
        Self { scratch, scheme, public }
    }

    fn sign(&self, manifest: &[u8]) -> Vec<u8> {
        self.sign_with(manifest, MANIFEST_NAMESPACE, &[])
    }

    fn sign_with(&self, manifest: &[u8], namespace: &str, options: &[&str]) -> Vec<u8> {
        let place = Scratch::new();
        let file = place.0.join("plugin.json");
        std::fs::write(&file, manifest).expect("the manifest can be written");
        let mut command = ssh_keygen();
        command.args(["-q", "-Y", "sign", "-n", namespace]).args(options);
        run(command.arg("-f").arg(self.scratch.0.join("key")).arg(&file));
        std::fs::read(place.0.join("plugin.json.sig")).expect("ssh-keygen wrote a signature")
    }

    fn key(&self) -> PublicKey {
        PublicKey::parse(&self.blob()).expect("ssh-keygen makes good keys")
    }

    fn blob(&self) -> Vec<u8> {
        STANDARD.decode(&self.public).expect("base64")
    }

    fn record(&self, id: &str) -> Value {
        json!({"id": id, "scheme": self.scheme, "public": self.public, "owner": "somebody"})
    }
}

#[expect(clippy::disallowed_methods, reason = "a test, not the loader, starts `ssh-keygen` to sign as people do")]
fn ssh_keygen() -> Command {
    Command::new("ssh-keygen")
}

fn run(command: &mut Command) {
    let output = command.stdin(Stdio::null()).output().expect("ssh-keygen is installed");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn publisher(name: &str, keys: &[&str], threshold: u64, plugins: &[&str]) -> Value {
    json!({"name": name, "keys": keys, "threshold": threshold, "plugins": plugins})
}

fn document_value(keys: &[Value], publishers: &[Value]) -> Value {
    json!({"_type": "https://lazaret/trust/v1", "root_id": "test", "version": 1, "keys": keys, "publishers": publishers})
}

fn document(keys: &[Value], publishers: &[Value]) -> TrustDocument {
    TrustDocument::parse(document_value(keys, publishers).to_string().as_bytes()).expect("a good document")
}

/// A document in which `acme` has these keys.
fn acme(signers: &[&Signer], threshold: u64) -> TrustDocument {
    let ids: Vec<String> = (0..signers.len()).map(|index| format!("k{index}")).collect();
    let keys: Vec<Value> = signers.iter().zip(&ids).map(|(signer, id)| signer.record(id)).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    document(&keys, &[publisher("acme", &ids, threshold, &["acme/*"])])
}

fn hex(digest: Digest) -> String {
    digest.to_string().trim_start_matches("sha256:").to_owned()
}

fn plugin_digest() -> Digest {
    Digest(sha256(PLUGIN))
}

/// A manifest that speaks of [`PLUGIN`].
fn manifest_value() -> Value {
    json!({
        "_type": "https://lazaret/plugin/v1", "name": "acme/demo", "version": "1.2.3", "epoch": 1, "serial": 7,
        "created": "2026-11-22T00:00:00Z", "publisher": "acme",
        "targets": [{"arch": "x86_64", "os": "linux", "libc": "glibc", "files": [
            {"role": "elf", "path": "demo.so", "size": PLUGIN.len(), "sha256": hex(plugin_digest())},
        ]}],
    })
}

fn manifest() -> Vec<u8> {
    manifest_value().to_string().into_bytes()
}

fn origin(key: &str) -> Origin {
    Origin { source: "test.toml".to_owned(), line: 1, key: key.to_owned() }
}

fn nothing() -> TrustRules {
    TrustRules { publishers: vec![], digests: vec![], unsigned: None }
}

fn from_publisher(name: &str) -> TrustRules {
    let listed = Placed { value: name.to_owned(), origin: origin("trust.publishers") };
    TrustRules { publishers: vec![listed], ..nothing() }
}

fn pinned(digest: Digest) -> TrustRules {
    TrustRules { digests: vec![Placed { value: digest, origin: origin("trust.digests") }], ..nothing() }
}

fn unsigned() -> TrustRules {
    TrustRules { unsigned: Some(origin("trust.unsigned")), ..nothing() }
}

/// The blob inside an armored signature, and an armor around a blob.
fn dearmored(armored: &[u8]) -> Vec<u8> {
    let text = std::str::from_utf8(armored).expect("armor is text");
    let base64: String = text.lines().filter(|line| !line.starts_with('-')).collect();
    STANDARD.decode(base64).expect("base64")
}

fn armored(blob: &[u8]) -> Vec<u8> {
    let base64 = STANDARD.encode(blob);
    format!("-----BEGIN SSH SIGNATURE-----\n{base64}\n-----END SSH SIGNATURE-----\n").into_bytes()
}
