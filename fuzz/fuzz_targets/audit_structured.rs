//! Files near valid ones: what is read behind the first checks. Refused or not, every accessor and both forms of a report are total.
#![no_main]

use lazaret::audit::{Report, direct_syscalls, provenance, read};
use lazaret_fuzz::{elf, noise, printable, seed};
use lazaret_policy::Arch;

libfuzzer_sys::fuzz_target!(init: seed(noise()), |input: &[u8]| {
    let Some(file) = elf::described(input) else { return };
    let bytes = file.bytes();
    match read(&bytes, Arch::X86_64) {
        Ok(object) => {
            for load in object.loads() {
                std::hint::black_box(object.symbol_at(load.address));
                std::hint::black_box(object.symbol_at(load.address.wrapping_add(load.size)));
            }
            let report = Report::new(Some(&object), Vec::new());
            printable(&report);
            printable(&provenance::read(&bytes, &object));
            printable(&direct_syscalls(&bytes, &object));
            let facts = report.facts.expect("an object has facts");
            assert!(facts.exports.len() + facts.imports.len() <= object.symbols().count());
        }
        Err(findings) => {
            assert!(!findings.is_empty() && findings.len() < 1000, "a refusal says why, and ends");
            printable(&findings);
            for finding in findings {
                let text = finding.to_string();
                assert!(text.bytes().all(|byte| byte == b'\n' || (b' '..=b'~').contains(&byte)), "{text:?}");
            }
        }
    }
});
