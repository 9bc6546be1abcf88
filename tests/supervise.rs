//! A plugin that is kept going: replaced when it ends, paused and quarantined when it only fails, swapped without losing a call.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use lazaret::{Host, Opened, Outcome, Planned, Signature, Standing, Supervisor, Terms, Unavailable, Value};

use crate::support::{attack, directory, host, plugin, policy_file, returned};

fn prepared(host: &Host, file: &Path) -> Planned {
    let text = "lazaret = 1\nname = \"kept\"\n[trust]\nunsigned = true\n[elf]\nneeded = [\"libc.so.6\"]\n\
                [syscalls]\nallow = [\"@compute\", \"@threads\"]\n[limits]\nthreads = 16\ncall-time = \"5 s\"\n";
    let policy = host.policy(policy_file("kept", text).to_str().expect("UTF-8")).expect("a policy");
    host.prepare(Opened::open(file).expect("open"), policy).expect("prepare")
}

fn supervised(file: &Path, terms: Terms) -> Result<Supervisor, Unavailable> {
    let host = Arc::new(host());
    let planned = prepared(&host, file);
    Supervisor::new(host, planned, terms)
}

fn signature(text: &str) -> Signature {
    Signature::parse(text).expect("valid")
}

/// What tells one cell from another: a counter in its memory.
fn count(supervisor: &Supervisor) -> Value {
    returned(supervisor.call(&signature("count() -> u32"), &[]).expect("served"))
}

/// Fails without pausing for long.
fn impatient() -> Terms {
    let pause = Duration::from_millis(1);
    Terms { first_pause: pause, longest_pause: pause, failures: 3, ..Terms::default() }
}

#[test]
fn a_cell_is_replaced_after_as_many_calls_as_it_may_serve() {
    let supervisor = supervised(&plugin("good/counts.c", &[]), Terms { calls: 3, ..Terms::default() }).expect("new");
    let counts: Vec<Value> = (0..7).map(|_| count(&supervisor)).collect();
    assert_eq!(counts, [1, 2, 3, 1, 2, 3, 1].map(Value::Unsigned));
}

#[test]
fn a_call_after_a_crash_is_served_by_a_new_cell() {
    let supervisor = supervised(&plugin("good/counts.c", &[]), impatient()).expect("new");
    assert_eq!(count(&supervisor), Value::Unsigned(1));
    let crashed = supervisor.call(&signature("crash()"), &[]).expect("served");
    assert!(matches!(crashed, Outcome::Crashed(_)), "{crashed:?}");
    let began = Instant::now();
    let again = loop {
        match supervisor.call(&signature("count() -> u32"), &[]) {
            Ok(outcome) => break returned(outcome),
            Err(Unavailable::Paused { failures, .. }) => assert_eq!(failures, 1),
            Err(other) => panic!("{other:?}"),
        }
        assert!(began.elapsed() < Duration::from_secs(20), "never served");
        std::thread::yield_now();
    };
    assert_eq!(again, Value::Unsigned(1), "a cell of its own");
}

#[test]
fn a_plugin_that_failed_is_not_started_before_its_pause_is_over() {
    let terms =
        Terms { first_pause: Duration::from_secs(3600), longest_pause: Duration::from_secs(3600), ..Terms::default() };
    let supervisor = supervised(&plugin("good/counts.c", &[]), terms).expect("new");
    drop(supervisor.call(&signature("crash()"), &[]).expect("served"));
    match supervisor.call(&signature("count() -> u32"), &[]) {
        Err(Unavailable::Paused { failures: 1, left }) => assert!(left > Duration::from_secs(3000)),
        other => panic!("{other:?}"),
    }
    assert!(matches!(supervisor.standing(), Standing::Paused(_)));
}

#[test]
fn a_crash_loop_is_quarantined_until_a_person_releases_it() {
    let records = directory("quarantine");
    let terms = Terms { quarantine: Some(records.clone()), ..impatient() };
    let file = plugin("good/counts.c", &["-DQUARANTINED"]);
    let supervisor = supervised(&file, terms.clone()).expect("new");
    let began = Instant::now();
    while !matches!(supervisor.standing(), Standing::Quarantined(_)) {
        match supervisor.call(&signature("crash()"), &[]) {
            Ok(outcome) => assert!(matches!(outcome, Outcome::Crashed(_))),
            Err(error) => assert!(matches!(error, Unavailable::Paused { .. } | Unavailable::Quarantined { .. })),
        }
        assert!(began.elapsed() < Duration::from_secs(20), "never quarantined");
    }
    match supervisor.call(&signature("count() -> u32"), &[]) {
        Err(Unavailable::Quarantined { reason }) => assert!(reason.contains("SIGSEGV"), "{reason}"),
        other => panic!("{other:?}"),
    }
    // Another host reads what this one wrote down.
    match supervised(&file, terms.clone()) {
        Err(Unavailable::Quarantined { .. }) => {}
        other => panic!("{other:?}"),
    }
    // Nor does it come back as a version of something else.
    let host = Arc::new(host());
    let other = prepared(&host, &plugin("good/counts.c", &["-DVERSION=7"]));
    let other = Supervisor::new(Arc::clone(&host), other, terms.clone()).expect("not quarantined");
    assert!(matches!(other.swap(prepared(&host, &file)), Err(Unavailable::Quarantined { .. })));
    assert_eq!(count(&other), Value::Unsigned(1));

    supervisor.release().expect("release");
    assert_eq!(count(&supervisor), Value::Unsigned(1));
    supervised(&file, terms).expect("released for other hosts too");
}

#[test]
fn a_swap_loses_no_call_and_a_version_that_does_not_load_changes_nothing() {
    let host = Arc::new(host());
    let version = |number: &str| prepared(&host, &plugin("good/counts.c", &[&format!("-DVERSION={number}")]));
    let terms = Terms { cells: 3, prewarmed: 1, ..Terms::default() };
    let supervisor = Supervisor::new(Arc::clone(&host), version("1"), terms).expect("new");
    let ask = || returned(supervisor.call(&signature("version() -> u32"), &[]).expect("served"));
    assert_eq!(ask(), Value::Unsigned(1));

    let (stop, calls) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let mut newest = 1;
                while !stop.load(Ordering::Relaxed) {
                    let Value::Unsigned(answer) = ask() else { panic!("a number") };
                    assert!(answer >= newest, "{answer} after {newest}");
                    newest = answer;
                    calls.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        for number in [2, 3] {
            supervisor.swap(version(&number.to_string())).expect("swap");
            assert_eq!(ask(), Value::Unsigned(number));
        }
        stop.store(true, Ordering::Relaxed);
    });
    assert!(calls.load(Ordering::Relaxed) > 0);

    let broken = prepared(&host, &attack("exits", &["-DFROM_CONSTRUCTOR"]));
    assert!(matches!(supervisor.swap(broken), Err(Unavailable::Load(_))));
    assert_eq!(ask(), Value::Unsigned(3));
}

#[test]
fn cells_that_nobody_calls_are_ended() {
    let terms = Terms { cells: 2, prewarmed: 0, idle: Duration::from_millis(20), ..Terms::default() };
    let supervisor = supervised(&plugin("good/counts.c", &[]), terms).expect("new");
    assert_eq!(count(&supervisor), Value::Unsigned(1));
    assert_eq!(count(&supervisor), Value::Unsigned(2));
    // Waiting longer than the idle time is the point; how much longer does not matter.
    std::thread::sleep(Duration::from_millis(200));
    assert_eq!(count(&supervisor), Value::Unsigned(1), "a new cell");
}

#[test]
fn everybody_who_waits_for_a_cell_is_told_when_it_does_not_load() {
    let terms = Terms { prewarmed: 0, first_pause: Duration::from_secs(3600), ..Terms::default() };
    let supervisor = supervised(&attack("exits", &["-DFROM_CONSTRUCTOR"]), terms).expect("new");
    std::thread::scope(|scope| {
        let callers = [(); 4].map(|()| scope.spawn(|| supervisor.call(&signature("result() -> i32"), &[])));
        for caller in callers {
            assert!(matches!(
                caller.join().expect("no panic"),
                Err(Unavailable::Load(_) | Unavailable::Paused { .. } | Unavailable::Quarantined { .. })
            ));
        }
    });
}

#[test]
fn a_fault_of_the_machine_is_not_the_plugins() {
    let host = Arc::new(Host::with_cell_program(Path::new("/bin/true")).expect("a host of nothing"));
    // Its program forks no cells, so even its kernel is not known; a plan from elsewhere cannot be started.
    let planned = prepared(&crate::support::host(), &plugin("good/counts.c", &[]));
    let supervisor =
        Supervisor::new(host, planned, Terms { failures: 1, prewarmed: 0, ..Terms::default() }).expect("new");
    for _ in 0..3 {
        assert!(matches!(supervisor.call(&signature("count() -> u32"), &[]), Err(Unavailable::Load(_))));
    }
    assert_eq!(supervisor.standing(), Standing::Serving);
}
