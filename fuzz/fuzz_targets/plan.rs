//! Any bytes as the byte form of a plan.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok(plan) = lazaret_policy::Plan::from_bytes(bytes) {
        assert_eq!(lazaret_policy::Plan::from_bytes(&plan.to_bytes()), Ok(plan));
    }
});
