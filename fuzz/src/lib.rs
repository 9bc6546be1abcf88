//! What several targets share.

pub mod elf;

use std::path::PathBuf;

use lazaret::trust::{Evidence, Libc, Machine, PluginFile, SignatureFile, verify};
use lazaret_policy::{Arch, Digest, Origin, TrustRules};

/// Judges a bundle of a manifest and a signature under a policy that accepts unsigned files.
pub fn judge(manifest: Option<&[u8]>, signature: &[u8]) {
    let origin = Origin { source: "fuzz".into(), line: 1, key: "trust.unsigned".into() };
    let rules = TrustRules { publishers: Vec::new(), digests: Vec::new(), unsigned: Some(origin) };
    let signatures = [SignatureFile { name: "plugin.json.sig", bytes: signature }];
    let evidence = Evidence {
        manifest,
        signatures: if signature.is_empty() { &[] } else { &signatures },
        plugin: PluginFile { name: "demo.so".as_ref(), size: 0, digest: Digest([0; 32]) },
        machine: Machine { arch: Arch::X86_64, libc: Libc::Glibc },
    };
    drop(verify(&evidence, None, &rules));
}

/// Writes something as JSON, which is total and printable whatever a file says.
///
/// # Panics
/// Where it is not.
pub fn printable(said: &impl serde::Serialize) {
    let text = serde_json::to_string(said).expect("it is data");
    assert!(text.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{text:?}");
}

/// Writes seeds that are made rather than kept into the directory that `LAZARET_FUZZ_SEEDS` names, before the fuzzer reads it.
///
/// # Panics
/// Where that directory cannot be written: a run without seeds would pass for one with.
pub fn seed(seeds: impl IntoIterator<Item = Vec<u8>>) {
    let Some(directory) = std::env::var_os("LAZARET_FUZZ_SEEDS").map(PathBuf::from) else { return };
    for (number, bytes) in seeds.into_iter().enumerate() {
        std::fs::write(directory.join(format!("made-{number}")), bytes).expect("the directory of seeds can be written");
    }
}

/// Bytes for descriptions to be made from: the same in every run.
pub fn noise() -> impl Iterator<Item = Vec<u8>> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = move || {
        // xorshift64 (Marsaglia, "Xorshift RNGs").
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    (0..32).map(move |number| (0..64 + 16 * number).map(|_| next()).collect())
}
