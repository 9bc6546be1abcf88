//! Typed calls of plugins in C, C++ and Rust: what goes in comes back.

use lazaret::{CallRefusal, Outcome, Output, Value};

use crate::support::{bytes, call, compute, load, plugin, policy_file, returned};

#[test]
fn every_scalar_comes_back_as_it_went_in() {
    let mut cell = compute(&plugin("good/types.c", &[]));
    let unsigned =
        [("u8", u64::from(u8::MAX)), ("u16", u64::from(u16::MAX)), ("u32", u64::from(u32::MAX)), ("u64", u64::MAX)];
    for (ty, most) in unsigned {
        for number in [0, 1, most] {
            let signature = format!("{ty}(x: {ty}) -> {ty}");
            assert_eq!(
                returned(call(&mut cell, &signature, &[Value::Unsigned(number)])),
                Value::Unsigned(number),
                "{ty}"
            );
        }
    }
    let signed =
        [("i8", i64::from(i8::MIN)), ("i16", i64::from(i16::MIN)), ("i32", i64::from(i32::MIN)), ("i64", i64::MIN)];
    for (ty, least) in signed {
        for number in [least, -1, 0, -(least + 1)] {
            let signature = format!("{ty}(x: {ty}) -> {ty}");
            assert_eq!(returned(call(&mut cell, &signature, &[Value::Signed(number)])), Value::Signed(number), "{ty}");
        }
    }
    for number in [0.0, -1.5, f64::MAX, f64::INFINITY] {
        assert_eq!(returned(call(&mut cell, "f64(x: f64) -> f64", &[Value::Float(number)])), Value::Float(number));
    }
    assert_eq!(returned(call(&mut cell, "f32(x: f32) -> f32", &[Value::Float(0.5)])), Value::Float(0.5));
}

#[test]
fn parameters_of_mixed_types_arrive_in_their_places() {
    let mut cell = compute(&plugin("good/types.c", &[]));
    let signature = "mix(a: i8, b: f64, c: u16, d: f32, e: i64, f: u8, g: i32, h: f32, i: u64, j: f64) -> f64";
    let arguments = [
        Value::Signed(-1),
        Value::Float(0.5),
        Value::Unsigned(1000),
        Value::Float(0.25),
        Value::Signed(-20),
        Value::Unsigned(200),
        Value::Signed(-300),
        Value::Float(4.0),
        Value::Unsigned(5),
        Value::Float(0.125),
    ];
    assert_eq!(returned(call(&mut cell, signature, &arguments)), Value::Float(888.875));
}

#[test]
fn strings_and_buffers_cross_both_ways() {
    let mut cell = compute(&plugin("good/types.c", &[]));
    assert_eq!(returned(call(&mut cell, "greet(name: cstr) -> cstr", &[bytes(b"world")])), bytes(b"hello world"));
    assert_eq!(returned(call(&mut cell, "nothing() -> cstr", &[])), Value::Nothing);
    let numbers: Vec<u8> = [5_i32, -7, 100].iter().flat_map(|number| number.to_le_bytes()).collect();
    let sum = "sum(numbers: in [i32; count], count: u64) -> i32";
    assert_eq!(returned(call(&mut cell, sum, &[bytes(&numbers), Value::Length])), Value::Signed(98));
    assert_eq!(returned(call(&mut cell, sum, &[bytes(&numbers), Value::Unsigned(2)])), Value::Signed(-2), "a prefix");
    let outcome =
        call(&mut cell, "reverse(text: inout [u8; length], length: u32)", &[bytes(b"stressed"), Value::Length]);
    let Outcome::Returned(back) = outcome else { panic!("{outcome:?}") };
    assert_eq!(back.outputs, [("text".to_owned(), Output::Bytes(b"desserts".to_vec()))]);
    let squares = "squares(into: out [f64; count], count: u32, written: out u32) -> i32";
    let Outcome::Returned(back) = call(&mut cell, squares, &[Value::Unsigned(4)]) else { panic!("returned") };
    let wanted = [0.0, 1.0, 4.0, 9.0].map(Value::Float).to_vec();
    assert_eq!(back.outputs[0].1, Output::Numbers(wanted));
    assert_eq!(back.outputs[1].1, Output::Number(Value::Unsigned(4)));
    let Outcome::Returned(back) = call(&mut cell, "count_up(counter: inout u64)", &[Value::Unsigned(41)]) else {
        panic!("returned")
    };
    assert_eq!(back.outputs[0].1, Output::Number(Value::Unsigned(42)));
}

#[test]
fn empty_buffers_and_strings_are_passed() {
    let mut cell = compute(&plugin("good/types.c", &[]));
    let sum = "sum(numbers: in [i32; count], count: u64) -> i32";
    assert_eq!(returned(call(&mut cell, sum, &[bytes(b""), Value::Length])), Value::Signed(0));
    assert_eq!(returned(call(&mut cell, "greet(name: cstr) -> cstr", &[bytes(b"")])), bytes(b"hello "));
}

#[test]
fn arguments_that_do_not_fit_are_refused_before_the_cell_hears_of_them() {
    let mut cell = compute(&plugin("good/types.c", &[]));
    let sum = "sum(numbers: in [i32; count], count: u64) -> i32";
    let mistakes: [(&str, &[Value], &str); 9] = [
        ("u8(x: u8) -> u8", &[], "`u8` takes 1 argument (x), not 0"),
        ("u8(x: u8) -> u8", &[Value::Unsigned(1), Value::Unsigned(2)], "`u8` takes 1 argument (x), not 2"),
        ("u8(x: u8) -> u8", &[Value::Unsigned(256)], "argument `x`: the number does not fit into `u8`"),
        ("u8(x: u8) -> u8", &[Value::Signed(-1)], "argument `x`: the number does not fit into `u8`"),
        ("u8(x: u8) -> u8", &[Value::Float(1.0)], "argument `x`: takes a number (`u8`)"),
        (
            "greet(name: cstr) -> cstr",
            &[Value::Bytes(vec![b'a', 0, b'b'])],
            "argument `name`: a `cstr` cannot contain a zero byte",
        ),
        (
            sum,
            &[Value::Bytes(vec![1, 2, 3]), Value::Length],
            "argument `numbers`: the bytes are not a whole number of `i32`",
        ),
        (
            sum,
            &[Value::Bytes(vec![0; 8]), Value::Unsigned(3)],
            "argument `numbers`: has 2 elements, fewer than its length says (3)",
        ),
        (
            sum,
            &[Value::Bytes(vec![0; 2 << 20]), Value::Length],
            "argument `numbers`: the arguments exceed the message size of 1048576 bytes",
        ),
    ];
    for (signature, arguments, message) in mistakes {
        match call(&mut cell, signature, arguments) {
            Outcome::Refused(refusal @ CallRefusal::Argument(_)) => assert_eq!(refusal.to_string(), message),
            other => panic!("{signature}: {other:?}"),
        }
    }
    assert_eq!(returned(call(&mut cell, "u8(x: u8) -> u8", &[Value::Unsigned(1)])), Value::Unsigned(1));
}

#[test]
fn a_function_that_does_not_exist_has_a_neighbour() {
    let mut cell = compute(&plugin("good/types.c", &[]));
    match call(&mut cell, "gret(name: cstr) -> cstr", &[bytes(b"x")]) {
        Outcome::Refused(CallRefusal::NoFunction { near, .. }) => assert_eq!(near.as_deref(), Some("greet")),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_function_of_one_cell_is_refused_by_another() {
    let path = plugin("good/types.c", &[]);
    let (mut one, mut other) = (compute(&path), compute(&path));
    let signature = "u8(x: u8) -> u8".parse_signature();
    let function = one.bind(&signature).expect("bind");
    assert!(matches!(other.call(&function, &[Value::Unsigned(1)]), Outcome::Refused(CallRefusal::OtherCell)));
    assert_eq!(returned(one.call(&function, &[Value::Unsigned(1)])), Value::Unsigned(1));
}

trait ParseSignature {
    fn parse_signature(&self) -> lazaret::Signature;
}

impl ParseSignature for str {
    fn parse_signature(&self) -> lazaret::Signature {
        lazaret::Signature::parse(self).expect("valid")
    }
}

#[test]
fn binding_without_end_is_refused_and_the_cell_goes_on() {
    let mut cell = compute(&plugin("good/types.c", &[]));
    let signature = "u8(x: u8) -> u8".parse_signature();
    let function = cell.bind(&signature).expect("bind");
    let refused = (0..5000).find_map(|_| cell.bind(&signature).err()).expect("an end");
    assert!(matches!(refused, Outcome::Refused(CallRefusal::TooManyFunctions)), "{refused:?}");
    assert_eq!(returned(cell.call(&function, &[Value::Unsigned(1)])), Value::Unsigned(1));
}

#[test]
fn cpp_has_static_constructors_exceptions_and_threads() {
    let mut cell = compute(&plugin("good/throws.cpp", &[]));
    assert_eq!(returned(call(&mut cell, "registered() -> i32", &[])), Value::Signed(3));
    assert_eq!(returned(call(&mut cell, "catches(deep: i32) -> i32", &[Value::Signed(5)])), Value::Signed(22));
    assert_eq!(returned(call(&mut cell, "threads(count: i32) -> i32", &[Value::Signed(4)])), Value::Signed(6));
    let Outcome::Crashed(crash) = call(&mut cell, "uncaught() -> i32", &[]) else { panic!("crashed") };
    assert_eq!(crash.name, "SIGABRT");
}

#[test]
fn what_a_c_library_looks_for_by_itself_is_no_violation() {
    let mut cell = compute(&plugin("good/asks_its_runtime.c", &[]));
    // Where the files are not to be had: processors are counted another way, the time is UTC, the locale stays as it is.
    let Value::Signed(processors) = returned(call(&mut cell, "processors() -> i32", &[])) else { panic!("a number") };
    assert!(processors >= 1);
    assert_eq!(returned(call(&mut cell, "hour_of(time: i64) -> i32", &[Value::Signed(3600)])), Value::Signed(1));
    assert_eq!(returned(call(&mut cell, "has_locale(name: cstr) -> i32", &[bytes(b"de_DE.UTF-8")])), Value::Signed(0));
    // Anything else is one.
    let Outcome::Violated(violation) = call(&mut cell, "opens(path: cstr) -> i32", &[bytes(b"/etc/hostname")]) else {
        panic!("violated")
    };
    assert_eq!(violation.act, "openat");
}

#[test]
fn rust_has_its_standard_library() {
    let mut cell = compute(&plugin("good/std.rs", &[]));
    let words = "words(text: in [u8; length], length: usize) -> u32";
    assert_eq!(returned(call(&mut cell, words, &[bytes(b"a b a c"), Value::Length])), Value::Unsigned(3));
    let sum = "sum_in_threads(count: u32) -> u64";
    assert_eq!(returned(call(&mut cell, sum, &[Value::Unsigned(5)])), Value::Unsigned(10));
    assert_eq!(returned(call(&mut cell, "catches_a_panic() -> u32", &[])), Value::Unsigned(1));
}

#[test]
fn a_rust_panic_that_nobody_catches_ends_the_cell() {
    // On its way out the Rust runtime looks for files to print a backtrace from. `compute` refuses that call; where the
    // policy permits it, Landlock answers and the runtime goes on to abort.
    let path = plugin("good/std.rs", &[]);
    let Outcome::Violated(violation) = call(&mut compute(&path), "panics()", &[]) else { panic!("violated") };
    assert_eq!(violation.act, "getcwd");
    let text = "lazaret = 1\nname = \"backtrace\"\n[trust]\nunsigned = true\n[elf]\n\
                needed = [\"libc.so.6\", \"libgcc_s.so.1\", \"ld-linux-x86-64.so.2\", \"ld-linux-aarch64.so.1\"]\n\
                [syscalls]\nallow = [\"@compute\", \"@threads\", \"@files-read\"]\n";
    let policy = policy_file("backtrace", text);
    let mut loaded = load(&path, policy.to_str().expect("UTF-8")).expect("load");
    let Outcome::Crashed(crash) = call(&mut loaded.cell, "panics()", &[]) else { panic!("crashed") };
    assert_eq!(crash.name, "SIGABRT");
}

#[test]
fn ten_thousand_calls_give_ten_thousand_answers() {
    let mut cell = compute(&plugin("good/types.c", &[]));
    let function = cell.bind(&"u64(x: u64) -> u64".parse_signature()).expect("bind");
    for number in 0..10_000 {
        assert_eq!(returned(cell.call(&function, &[Value::Unsigned(number)])), Value::Unsigned(number));
    }
}
