//! Any bytes as a policy: resolved, explained, or every mistake shown.
#![no_main]

use lazaret_policy::{Palette, Policy, Request, Source};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let resolved = Source::from_bytes("fuzz.toml", bytes)
        .and_then(|source| Policy::resolve(&Request::new(source), |_, _| Err("nothing is fetched".into())));
    match resolved {
        Ok(policy) => drop(policy.explain().to_string()),
        Err(diagnostics) => drop(diagnostics.render(Palette::Plain)),
    }
});
