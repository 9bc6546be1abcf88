//! Any bytes in the half of the region that a cell writes, and every reader of the host: replies, values of a call, the note
//! of a dead cell, reports of a living one, and what it says on the control socket.
#![no_main]

use arbitrary::{Arbitrary, Unstructured};
use lazaret::fuzzing::{Replies, control_message};
use lazaret::{Output, Signature, Value};
use lazaret_fuzz::{noise, seed};

/// Bytes of a message.
const MESSAGE: u32 = 512;

const SIGNATURES: [(&str, &[Argument]); 8] = [
    ("f()", &[]),
    ("f() -> i32", &[]),
    ("f() -> f32", &[]),
    ("f() -> cstr", &[]),
    (
        "f(into: out [u8; size], size: inout u64, from: in [u8; count], count: u64) -> cstr",
        &[Argument::Size, Argument::Bytes, Argument::Length],
    ),
    ("f(numbers: inout [f64; count], count: u32) -> u64", &[Argument::Bytes, Argument::Length]),
    ("f(one: out i16, two: inout u8, text: cstr) -> u8", &[Argument::Size, Argument::Bytes]),
    ("f(all: out [u32; 16]) -> f64", &[]),
];

enum Argument {
    Size,
    Bytes,
    Length,
}

/// What a cell leaves behind.
#[derive(Arbitrary, Debug)]
struct Left {
    signature: u8,
    size: u8,
    seen: u64,
    words: Vec<(Place, u64)>,
    payload: Vec<u8>,
}

/// Where a host looks.
#[derive(Arbitrary, Debug)]
enum Place {
    Note(u8),
    Reports(u16),
    Lane(u8),
    Head(u8),
}

impl Place {
    /// A byte offset in the half, as in `lazaret_cell::region`: a page of notes and reports, a page of a lane's words, the payload.
    fn offset(&self) -> usize {
        match *self {
            Self::Note(word) => usize::from(word % 18) * 8,
            Self::Reports(word) => 512 + usize::from(word) % 448 * 8,
            Self::Lane(word) => 4096 + usize::from(word % 6) * 4,
            Self::Head(word) => 8192 + usize::from(word % 4) * 4,
        }
    }
}

libfuzzer_sys::fuzz_target!(init: seed(noise()), |input: &[u8]| {
    control_message(input);
    let Ok(left) = Left::arbitrary_take_rest(Unstructured::new(input)) else { return };
    let mut half = vec![0; 8192 + MESSAGE as usize];
    let payload = left.payload.get(..MESSAGE as usize).unwrap_or(&left.payload);
    half[8192..8192 + payload.len()].copy_from_slice(payload);
    for (place, word) in &left.words {
        let at = place.offset();
        half[at..at + 8].copy_from_slice(&word.to_ne_bytes());
    }

    let (text, arguments) = &SIGNATURES[usize::from(left.signature) % SIGNATURES.len()];
    let signature = Signature::parse(text).expect("a signature");
    let argument = |argument: &Argument| match argument {
        Argument::Size => Value::Unsigned(u64::from(left.size)),
        Argument::Bytes => Value::Bytes(vec![7; usize::from(left.size / 8) * 8]),
        Argument::Length => Value::Length,
    };
    let arguments: Vec<_> = arguments.iter().map(argument).collect();
    let said = Replies::left(MESSAGE, &half, left.seen).read(&signature, &arguments);
    // Nothing is longer than what there was to read, and nothing is invented.
    assert!(said.reports <= 8, "the ring has 8 places");
    let Some(returned) = said.returned else { return };
    let inside = |bytes: &[u8]| bytes.is_empty() || half[8192..].windows(bytes.len()).any(|window| window == bytes);
    if let Value::Bytes(text) = &returned.result {
        assert!(inside(text), "a string that is not in the reply");
    }
    for (name, output) in &returned.outputs {
        match output {
            Output::Bytes(bytes) => assert!(inside(bytes), "`{name}` is not in the reply"),
            Output::Numbers(numbers) => assert!(numbers.len() <= MESSAGE as usize),
            Output::Number(_) => {}
        }
    }
    drop(serde_json::to_string(&returned));
});
