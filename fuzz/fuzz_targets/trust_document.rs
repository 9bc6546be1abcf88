//! Any bytes as a trust document.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| drop(lazaret::trust::TrustDocument::parse(bytes)));
