//! What several targets share.

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
