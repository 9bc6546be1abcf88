//! Any bytes as a shared object: read, and where there is one reading, reported with what stands beside the strict view: the
//! code, and what the file says about its making.
#![no_main]

use lazaret::audit::{Report, direct_syscalls, provenance, read};
use lazaret_fuzz::printable;
use lazaret_policy::Arch;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    match read(bytes, Arch::X86_64) {
        Ok(object) => {
            printable(&Report::new(Some(&object), Vec::new()));
            printable(&provenance::read(bytes, &object));
            printable(&direct_syscalls(bytes, &object));
        }
        Err(findings) => {
            assert!(!findings.is_empty(), "a refusal says why");
            printable(&findings);
        }
    }
});
