//! Any text as the signature of a function.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| {
    if let Err(error) = lazaret::Signature::parse(text) {
        drop(error.excerpt());
    }
});
