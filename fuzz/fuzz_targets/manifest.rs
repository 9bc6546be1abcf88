//! Any bytes as the `plugin.json` of a file that a policy accepts unsigned.
#![no_main]

use lazaret_fuzz::judge;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| judge(Some(bytes), &[]));
