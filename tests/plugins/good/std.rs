//! A Rust cdylib with the standard library: hashing, threads, a caught and an uncaught panic.
use std::collections::HashMap;

#[unsafe(no_mangle)]
pub extern "C" fn words(text: *const u8, length: usize) -> u32 {
    // SAFETY: the signature passes `length` bytes.
    let bytes = unsafe { std::slice::from_raw_parts(text, length) };
    let mut counts: HashMap<&str, u32> = HashMap::new();
    for word in std::str::from_utf8(bytes).unwrap_or("").split_whitespace() {
        *counts.entry(word).or_default() += 1;
    }
    counts.len() as u32
}

#[unsafe(no_mangle)]
pub extern "C" fn sum_in_threads(count: u32) -> u64 {
    let threads: Vec<_> = (0..count).map(|n| std::thread::spawn(move || u64::from(n))).collect();
    threads.into_iter().map(|thread| thread.join().unwrap()).sum()
}

#[unsafe(no_mangle)]
pub extern "C" fn catches_a_panic() -> u32 {
    u32::from(std::panic::catch_unwind(|| panic!("on purpose")).is_err())
}

#[unsafe(no_mangle)]
pub extern "C" fn panics() {
    panic!("nobody catches this");
}
