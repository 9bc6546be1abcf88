//! Any bytes as the signature beside a `plugin.json`.
#![no_main]

use lazaret_fuzz::judge;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| judge(Some(b"{}"), bytes));
