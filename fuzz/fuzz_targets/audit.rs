//! Any bytes as a shared object: read, and where there is one reading, reported.
#![no_main]

use lazaret::audit::{Report, read};
use lazaret_policy::Arch;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    match read(bytes, Arch::X86_64) {
        Ok(object) => drop(Report::new(Some(&object), Vec::new()).to_string()),
        Err(findings) => assert!(!findings.is_empty(), "a refusal says why"),
    }
});
