//! Files near valid ones: what is read behind the first checks. Refused or not, every accessor and both reports are total.
#![no_main]

use lazaret::audit::{Report, read};
use lazaret_fuzz::{elf, noise, seed};
use lazaret_policy::Arch;

libfuzzer_sys::fuzz_target!(init: seed(noise()), |input: &[u8]| {
    let Some(file) = elf::described(input) else { return };
    match read(&file.bytes(), Arch::X86_64) {
        Ok(object) => {
            for load in object.loads() {
                std::hint::black_box(object.symbol_at(load.address));
                std::hint::black_box(object.symbol_at(load.address.wrapping_add(load.size)));
            }
            let report = Report::new(Some(&object), Vec::new());
            assert!(report.to_string().bytes().all(|byte| byte == b'\n' || (b' '..=b'~').contains(&byte)));
            let facts = report.facts.expect("an object has facts");
            assert!(facts.exports.len() + facts.imports.len() <= object.symbols().count());
        }
        Err(findings) => {
            assert!(!findings.is_empty() && findings.len() < 1000, "a refusal says why, and ends");
            drop(Report::new(None, findings).to_string());
        }
    }
});
