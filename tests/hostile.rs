//! How a hostile plugin ends, and what its report says; `attacks.rs` has a row for every act.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use lazaret::{CellError, Error, Layer, Outcome, TimeLimit, Value};

use crate::support::{attack, bare, bytes, call, compute, load, plugin, policy_file, returned};

fn hostile(name: &str) -> PathBuf {
    attack(name, &[])
}

/// What comes of an act when it is called.
fn called(name: &str) -> Outcome {
    let mut loaded = load(&hostile(name), &bare()).unwrap_or_else(|error| panic!("{name}: {error:?}"));
    call(&mut loaded.cell, "result() -> i32", &[])
}

/// What comes of an act in a constructor: the load fails with an outcome, or the plugin tells later.
fn constructed(name: &str) -> Outcome {
    let path = attack(name, &["-DFROM_CONSTRUCTOR"]);
    match load(&path, &bare()) {
        Err(Error::Cell(CellError::Died(outcome))) => *outcome,
        Err(error) => panic!("{name}: {error:?}"),
        Ok(mut loaded) => call(&mut loaded.cell, "result() -> i32", &[]),
    }
}

/// The host still loads and calls a plugin.
fn host_goes_on() {
    let mut cell = compute(&plugin("good/types.c", &[]));
    assert_eq!(returned(call(&mut cell, "u8(x: u8) -> u8", &[Value::Unsigned(7)])), Value::Unsigned(7));
}

/// seccomp stopped exactly this system call, and the report says where in the plugin it was made.
#[track_caller]
fn assert_refused_call(outcome: &Outcome, act: &str) {
    let Outcome::Violated(violation) = outcome else { panic!("{act}: {outcome:?}") };
    assert_eq!((violation.layer, violation.act.as_str()), (Layer::Seccomp, act));
    assert!(violation.claim);
    let advice = violation.advice.as_ref().expect("advice on a call that has a number");
    assert!(!advice.to_string().is_empty());
}

#[test]
fn imports_that_compute_denies_are_refused_before_anything_is_mapped() {
    for name in ["connects", "forks", "leaves_its_namespaces"] {
        match load(&hostile(name), "builtin:compute") {
            Err(Error::Audit(audit)) => assert!(audit.refusals().contains("IMPORT-DENIED"), "{name}"),
            other => panic!("{name}: {other:?}"),
        }
    }
}

#[test]
fn a_refused_call_is_placed_in_the_plugin() {
    let Outcome::Violated(violation) = called("executes") else { panic!("violated") };
    let place = violation.place.expect("a place");
    assert_eq!(place.symbol, "result");
    assert!(!place.exact, "the call was made inside the C library, so the place is a caller");
}

#[test]
fn blocking_the_signal_of_the_report_does_not_save_a_plugin() {
    // The kernel ends a process whose forced SIGSYS is blocked; nothing is noted then, but that it violated is certain.
    let Outcome::Violated(violation) = called("blocks_the_report_signal_and_executes") else { panic!("violated") };
    assert_eq!((violation.act.as_str(), violation.claim), ("?", false));
    host_goes_on();
}

#[cfg(target_arch = "x86_64")]
#[test]
fn calls_of_another_architecture_end_the_plugin() {
    let Outcome::Violated(violation) = called("uses_the_calls_of_another_architecture") else { panic!("violated") };
    assert_eq!(violation.layer, Layer::Seccomp);
    let Outcome::Violated(_) = called("uses_x32_calls") else { panic!("violated") };
    host_goes_on();
}

/// A policy whose limits pass soon.
fn hurried() -> String {
    let text = "lazaret = 1\nname = \"hurried\"\nextends = \"builtin:compute\"\n[limits]\n\
                call-time = \"300 ms\"\nload-time = \"2 s\"\n";
    policy_file("hurried", text).to_str().expect("UTF-8").to_owned()
}

fn hurried_call(name: &str) -> Outcome {
    let mut loaded = load(&hostile(name), &hurried()).expect("load");
    call(&mut loaded.cell, "result() -> i32", &[])
}

#[test]
fn a_plugin_that_does_not_return_is_killed_at_its_deadline() {
    for name in ["loops_for_ever", "sleeps_for_ever"] {
        let began = Instant::now();
        let outcome = hurried_call(name);
        assert_eq!(outcome, Outcome::TimedOut { limit: TimeLimit::Call(Duration::from_millis(300)) }, "{name}");
        assert!(began.elapsed() < Duration::from_secs(20), "{name}");
    }
    host_goes_on();
}

#[test]
fn a_constructor_that_does_not_return_is_killed_at_its_deadline() {
    for name in ["loops_for_ever", "sleeps_for_ever"] {
        let path = attack(name, &["-DFROM_CONSTRUCTOR"]);
        let Err(Error::Cell(CellError::Died(outcome))) = load(&path, &hurried()) else { panic!("{name}: loaded") };
        assert_eq!(*outcome, Outcome::TimedOut { limit: TimeLimit::Load(Duration::from_secs(2)) }, "{name}");
    }
    host_goes_on();
}

#[test]
fn a_crash_names_its_signal_and_place() {
    let Outcome::Crashed(crash) = called("crashes") else { panic!("crashed") };
    assert_eq!((crash.name.as_str(), crash.address), ("SIGSEGV", Some(8)));
    let place = crash.place.expect("a place");
    assert_eq!((place.symbol.as_str(), place.exact), ("result", true));
    let Outcome::Crashed(crash) = called("aborts") else { panic!("crashed") };
    assert_eq!(crash.name, "SIGABRT");
    let Outcome::Crashed(crash) = called("overflows_its_stack") else { panic!("crashed") };
    assert_eq!(crash.name, "SIGSEGV");
    let Outcome::Crashed(_) = called("unmaps_everything") else { panic!("crashed") };
    host_goes_on();
}

#[test]
fn a_crash_or_exit_in_a_constructor_is_no_success() {
    let Outcome::Crashed(crash) = constructed("crashes") else { panic!("crashed") };
    assert_eq!(crash.name, "SIGSEGV");
    assert_eq!(constructed("exits"), Outcome::Exited { status: 7 });
    host_goes_on();
}

#[test]
fn leaving_the_process_is_an_outcome() {
    assert_eq!(called("exits"), Outcome::Exited { status: 7 });
    host_goes_on();
}

#[test]
fn a_plugin_that_fills_its_memory_is_stopped_by_its_limit() {
    let text = "lazaret = 1\nname = \"small\"\n[trust]\nunsigned = true\n[elf]\nneeded = [\"libc.so.6\"]\n\
                [syscalls]\nallow = [\"@compute\"]\n[limits]\nmemory = \"64 MiB\"\ncall-time = \"20 s\"\n";
    let policy = policy_file("small", text);
    let mut loaded = load(&hostile("fills_memory"), policy.to_str().expect("UTF-8")).expect("load");
    match call(&mut loaded.cell, "result() -> i32", &[]) {
        Outcome::OutOfMemory { crash } => assert_eq!(crash.name, "SIGSEGV"),
        other => panic!("{other:?}"),
    }
    host_goes_on();
}

#[test]
fn threads_end_at_the_limit() {
    // As root the cell has a user of its own; otherwise the user's other processes count too, and the limit comes sooner.
    const EAGAIN: i64 = 11;
    assert_eq!(returned(called("starts_many_threads")), Value::Signed(-EAGAIN));
    host_goes_on();
}

#[test]
fn only_the_null_device_is_open_when_calls_begin() {
    assert_eq!(returned(called("closes_every_descriptor")), Value::Signed(3));
    host_goes_on();
}

#[test]
fn a_constructor_may_close_what_the_host_still_uses_and_hurts_only_itself() {
    // Control socket and files are the cell's own copies; mapping goes on or fails, and either is an answer.
    match constructed("closes_every_descriptor") {
        Outcome::Returned(_) | Outcome::Crashed(_) | Outcome::Exited { .. } => host_goes_on(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_forged_note_does_not_turn_a_crash_into_a_violation() {
    // The cell notes a refused execve and then dies of SIGSEGV: that it died, and of what, is the kernel's word.
    let mut loaded = load(&hostile("forges_a_note"), "builtin:compute").expect("load");
    match call(&mut loaded.cell, "in_the_region(buffer: out [u8; 16]) -> i32", &[]) {
        Outcome::Crashed(crash) => assert_eq!((crash.name.as_str(), crash.claim), ("SIGSEGV", false)),
        other => panic!("{other:?}"),
    }
    host_goes_on();
}

#[test]
fn a_plugin_cannot_move_its_stack_out_of_the_memory_limit() {
    const ENOMEM: i64 = 12;
    assert_eq!(returned(called("grows_its_own_stack")), Value::Signed(-ENOMEM));
    assert_eq!(returned(constructed("grows_its_own_stack")), Value::Signed(-ENOMEM));
    host_goes_on();
}

#[test]
fn a_thread_that_a_constructor_left_lives_under_the_filters_of_calls() {
    assert_refused_call(&called("leaves_a_thread"), "openat");
    host_goes_on();
}

#[test]
fn processor_time_ends_a_plugin_and_says_so() {
    let text = "lazaret = 1\nname = \"cpu\"\nextends = \"builtin:compute\"\n[limits]\ncpu-time = \"1 s\"\n\
                call-time = \"2 s\"\n";
    let policy = policy_file("cpu", text);
    let mut loaded = load(&hostile("loops_for_ever"), policy.to_str().expect("UTF-8")).expect("load");
    match call(&mut loaded.cell, "result() -> i32", &[]) {
        Outcome::TimedOut { limit: TimeLimit::Processor } => {}
        // On a machine so busy that a second of processor time takes two, the other deadline is first.
        Outcome::TimedOut { limit: TimeLimit::Call(_) } => eprintln!("the call's deadline came first"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn cells_of_a_root_host_do_not_share_a_user() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("SKIPPED: only a root host can give its cells users of their own");
        return;
    }
    let path = plugin("good/throws.cpp", &[]);
    let mut cells = [compute(&path), compute(&path)];
    // Each starts as many threads as its policy permits a user; together they would be over it.
    for cell in &mut cells {
        assert_eq!(returned(call(cell, "threads(count: i32) -> i32", &[Value::Signed(12)])), Value::Signed(66));
    }
    let user = |pid: u32| {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("status");
        status.lines().find(|line| line.starts_with("Uid:")).map(str::to_owned).expect("a user")
    };
    assert_ne!(user(cells[0].pid()), user(cells[1].pid()));
}

#[test]
fn a_string_without_end_is_refused_and_the_cell_goes_on() {
    let mut loaded = load(&hostile("returns_an_endless_string"), "builtin:compute").expect("load");
    let outcome = call(&mut loaded.cell, "returns_an_endless_string() -> cstr", &[]);
    assert!(matches!(outcome, Outcome::Refused(lazaret::CallRefusal::TooLong)), "{outcome:?}");
    assert_eq!(returned(call(&mut loaded.cell, "result() -> i32", &[])), Value::Signed(0));
}

#[test]
fn a_cell_that_ended_refuses_further_calls() {
    let mut cell = compute(&hostile("exits"));
    assert_eq!(call(&mut cell, "result() -> i32", &[]), Outcome::Exited { status: 7 });
    assert!(matches!(call(&mut cell, "result() -> i32", &[]), Outcome::Refused(lazaret::CallRefusal::CellGone)));
    assert_eq!(cell.gone(), Some(&Outcome::Exited { status: 7 }));
}

#[test]
fn a_dropped_cell_leaves_no_process() {
    let pid = {
        let cell = compute(&plugin("good/types.c", &[]));
        cell.pid()
    };
    assert!(!std::path::Path::new(&format!("/proc/{pid}")).exists());
}

#[test]
fn arguments_never_reach_a_neighbour() {
    // What one call put into the reply is gone in the next: `out` buffers begin as zeros.
    let mut cell = compute(&plugin("good/types.c", &[]));
    let reverse = "reverse(bytes: inout [u8; length], length: u32)";
    call_ok(&mut cell, reverse, &[bytes(b"secret-secret-secret"), Value::Length]);
    let outcome = call(&mut cell, "count_up(counter: out u64)", &[]);
    let Outcome::Returned(returned) = outcome else { panic!("{outcome:?}") };
    assert_eq!(returned.outputs[0].1, lazaret::Output::Number(Value::Unsigned(1)));
}

fn call_ok(cell: &mut lazaret::Cell<lazaret::Ready>, signature: &str, arguments: &[Value]) {
    let outcome = call(cell, signature, arguments);
    assert!(matches!(outcome, Outcome::Returned(_)), "{outcome:?}");
}

#[test]
fn an_heir_cannot_soften_death_to_an_errno() {
    let policy = "lazaret = 1\nname = \"lenient\"\nextends = \"builtin:compute\"\n[syscalls]\non-deny = \"errno\"\n";
    let path = policy_file("lenient", policy);
    let mut loaded = load(&hostile("executes"), path.to_str().expect("UTF-8")).expect("load");
    assert_refused_call(&call(&mut loaded.cell, "result() -> i32", &[]), "execve");
}
