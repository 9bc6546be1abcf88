//! Libraries that nobody here wrote: what this machine has installed, audited, and some of it loaded.

use std::fs;
use std::path::PathBuf;

use lazaret::audit::Verdict;
use lazaret::{Opened, Value, inspect};

use crate::support::{call, compute, host, library, returned};

/// Every shared object in the directory of zlib.
fn installed() -> Vec<PathBuf> {
    let zlib = library("libz.so.1");
    let directory = zlib.parent().expect("a directory");
    let mut paths: Vec<PathBuf> = fs::read_dir(directory)
        .expect("read")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.to_string_lossy().contains(".so") && path.is_file())
        .filter(|path| fs::read(path).is_ok_and(|bytes| bytes.starts_with(b"\x7fELF")))
        .map(|path| fs::canonicalize(path).expect("exists"))
        .collect();
    paths.sort();
    paths.dedup();
    paths
}

#[test]
fn the_structural_rules_accept_the_libraries_of_the_distribution() {
    let policy = host().policy("builtin:compute").expect("a policy");
    let paths = installed();
    assert!(paths.len() >= 20, "only {} libraries are installed", paths.len());
    // What a policy refuses is the policy's; a structural refusal has no rule that decides it.
    let structural: Vec<String> = paths
        .iter()
        .flat_map(|path| {
            let audit = inspect(&Opened::open(path).expect("open"), &policy);
            let refused = audit
                .report
                .findings
                .into_iter()
                .filter(|finding| finding.severity == lazaret::audit::Severity::Refuse && finding.rule.is_none());
            refused.map(|finding| format!("{}: {}: {}", path.display(), finding.code, finding.what)).collect::<Vec<_>>()
        })
        .collect();
    // Files that an old patchelf rewrote have their tables in writable memory; a distribution has a few of them at most.
    assert!(
        structural.len() * 100 <= paths.len(),
        "{} of {}:\n{}",
        structural.len(),
        paths.len(),
        structural.join("\n")
    );
}

#[test]
fn zlib_and_libm_are_permitted_by_the_policy_for_computing() {
    let policy = host().policy("builtin:compute").expect("a policy");
    for name in ["libz.so.1", "libm.so.6", "libstdc++.so.6"] {
        let audit = inspect(&Opened::open(&library(name)).expect("open"), &policy);
        assert_eq!(audit.verdict(), Verdict::Accepted, "{name}:\n{}", audit.refusals());
    }
}

#[test]
fn libm_is_loaded_though_it_bears_the_name_of_a_trusted_library() {
    let mut cell = compute(&library("libm.so.6"));
    let hypot = "hypot(x: f64, y: f64) -> f64";
    assert_eq!(returned(call(&mut cell, hypot, &[Value::Float(3.0), Value::Float(4.0)])), Value::Float(5.0));
}
