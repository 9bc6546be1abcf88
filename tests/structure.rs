//! What a cell is made of, seen from outside; and what becomes of one whose program does not play along.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use lazaret::{CellError, Error, Host, Lie, Opened, Outcome, Value};

use crate::support::{LAZARET, attack, bare, compute, plugin, policy_file, scratch, source};

/// Builds one of the cell programs that lie.
fn cell_program(name: &str) -> PathBuf {
    let program = scratch().join(name);
    let built = Command::new("cc").arg(source(&format!("cell/{name}.c"))).arg("-o").arg(&program).status();
    assert!(built.expect("a C compiler").success());
    program
}

fn load_with(program: &str) -> Error {
    let host = Host::with_cell_program(&cell_program(program)).expect("a host");
    let policy = policy_file(
        "impatient",
        "lazaret = 1\nname = \"impatient\"\nextends = \"builtin:compute\"\n[limits]\nload-time = \"2 s\"\n",
    );
    let policy = host.policy(policy.to_str().expect("UTF-8")).expect("a policy");
    let opened = Opened::open(&plugin("good/types.c", &[])).expect("open");
    host.load(opened, policy).err().unwrap_or_else(|| panic!("{program}: loaded"))
}

#[test]
fn a_cell_that_only_claims_confinement_is_not_believed() {
    match load_with("only_claims") {
        Error::Cell(CellError::Unconfined(unconfined)) => assert_eq!(unconfined.field, "NoNewPrivs"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_cell_that_talks_nonsense_has_lied() {
    match load_with("talks_nonsense") {
        Error::Cell(CellError::Died(outcome)) => assert_eq!(*outcome, Outcome::Lied { lie: Lie::Message }),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_cell_that_says_nothing_is_killed_at_the_deadline() {
    let began = Instant::now();
    match load_with("says_nothing") {
        Error::Cell(CellError::Died(outcome)) => assert!(matches!(*outcome, Outcome::TimedOut { .. })),
        other => panic!("{other:?}"),
    }
    assert!(began.elapsed() < Duration::from_secs(20));
    let left = cells_of(std::process::id()).into_iter().filter(|pid| name_of(*pid).contains("says_nothing"));
    assert_eq!(left.count(), 0);
}

/// Whatever a cell program says or gives, a load ends with an error soon, the host lives, and nothing is left.
#[test]
fn a_cell_program_that_speaks_wrongly_is_an_error_and_no_more() {
    let descriptors = || fs::read_dir("/proc/self/fd").expect("own descriptors").count();
    for program in [
        "bears_without_a_handle",
        "hands_out_its_host",
        "hands_out_a_stranger",
        "hands_out_a_file",
        "dies_when_asked",
        "answers_too_much",
        "says_another_word",
        "fails_at_nothing",
        "leaves_the_room",
        "fails_with_a_wild_index",
        "confines_without_end",
    ] {
        let began = Instant::now();
        let before = descriptors();
        match load_with(program) {
            Error::Cell(
                CellError::Channel(_) | CellError::Step { .. } | CellError::Died(_) | CellError::Unconfined(_),
            ) => {}
            other => panic!("{program}: {other:?}"),
        }
        assert!(began.elapsed() < Duration::from_secs(20), "{program}");
        // Other tests open and close some meanwhile; a leak for each of these would show in the end.
        assert!(descriptors() < before + 64, "{program}");
        let named = |pid: &u32| Some(name_of(*pid)).filter(|name| !name.is_empty());
        let left = cells_of(std::process::id());
        let left = left.iter().filter_map(named).filter(|name| program.starts_with(name.trim()));
        assert_eq!(left.count(), 0, "{program}");
    }
    compute(&plugin("good/types.c", &[]));
}

fn name_of(pid: u32) -> String {
    fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default()
}

/// Children of a process.
fn cells_of(parent: u32) -> Vec<u32> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").expect("/proc") {
        let Some(pid) = entry.expect("an entry").file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
        if fields.split_whitespace().nth(1) == Some(&parent.to_string()) {
            found.push(pid);
        }
    }
    found
}

#[test]
fn a_ready_cell_has_no_descriptor_but_the_null_device_and_no_environment() {
    let cell = compute(&plugin("good/types.c", &[]));
    let descriptors = fs::read_dir(format!("/proc/{}/fd", cell.pid()));
    let Ok(descriptors) = descriptors else {
        // A cell is not dumpable, so only root sees this.
        eprintln!("SKIPPED: the descriptors of a cell can only be listed by root");
        return;
    };
    for descriptor in descriptors {
        let path = descriptor.expect("an entry").path();
        assert_eq!(fs::read_link(&path).expect("a link"), Path::new("/dev/null"), "{}", path.display());
    }
    let environment = fs::read(format!("/proc/{}/environ", cell.pid())).expect("readable for root");
    assert!(environment.iter().all(|byte| *byte == 0), "{}", String::from_utf8_lossy(&environment));
}

#[test]
fn the_kernel_says_of_a_ready_cell_what_the_plan_demands() {
    let cell = compute(&plugin("good/types.c", &[]));
    let status = fs::read_to_string(format!("/proc/{}/status", cell.pid())).expect("status");
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.map(str::trim).unwrap_or_else(|| panic!("{name}")).to_owned()
    };
    assert_eq!((field("NoNewPrivs"), field("Seccomp")), ("1".into(), "2".into()));
    for set in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
        assert_eq!(field(set), "0000000000000000", "{set}");
    }
}

#[test]
fn a_cell_dies_with_its_host() {
    let patient = policy_file(
        "patient",
        "lazaret = 1\nname = \"patient\"\nextends = \"builtin:compute\"\n[limits]\ncall-time = \"2 s\"\n",
    );
    let mut host = Command::new(LAZARET)
        .arg("call")
        .arg(attack("loops_for_ever", &[]))
        .args(["result() -> i32", "--policy"])
        .arg(patient)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("run lazaret");
    let wait_for = |wanted: &dyn Fn() -> bool| {
        let began = Instant::now();
        while !wanted() {
            assert!(began.elapsed() < Duration::from_secs(20), "waited in vain");
            std::thread::sleep(Duration::from_millis(2));
        }
    };
    let confined = |pid: &u32| {
        fs::read_to_string(format!("/proc/{pid}/status")).is_ok_and(|status| status.contains("\nSeccomp:\t2"))
    };
    wait_for(&|| cells_of(host.id()).iter().any(confined));
    let cells = cells_of(host.id());
    host.kill().expect("SIGKILL");
    host.wait().expect("wait");
    wait_for(&|| {
        // Gone, or a zombie that whoever inherited it has yet to reap.
        cells.iter().all(|cell| {
            let stat = fs::read_to_string(format!("/proc/{cell}/stat")).unwrap_or_default();
            stat.rsplit_once(')').is_none_or(|(_, rest)| rest.trim_start().starts_with('Z'))
        })
    });
}

#[test]
fn the_cell_program_alone_says_who_starts_it() {
    let output = Command::new(crate::support::CELL).stdin(Stdio::null()).output().expect("run");
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("is started by lazaret"));
}

/// What is linked into a child stays small: nothing that parses TOML, JSON, ELF or signatures.
#[test]
fn the_cell_links_no_parser() {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.toml");
    let output = Command::new(env!("CARGO"))
        .args([
            "tree",
            "--locked",
            "--offline",
            "-e",
            "normal",
            "-p",
            "lazaret-cell",
            "--prefix",
            "none",
            "--manifest-path",
        ])
        .arg(manifest)
        .output()
        .expect("run cargo");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let tree = String::from_utf8(output.stdout).expect("UTF-8");
    for parser in ["toml", "serde_json", "goblin", "ring", "seccompiler", "clap", "tracing"] {
        assert!(!tree.lines().any(|line| line.split(' ').next() == Some(parser)), "{parser} is linked:\n{tree}");
    }
}

/// Where a cell's C library lies, for root to see.
fn layout_of(cell: &lazaret::Cell<lazaret::Ready>) -> Option<String> {
    let maps = fs::read_to_string(format!("/proc/{}/maps", cell.pid())).ok()?;
    maps.lines().find(|line| line.contains("libc.so.6")).map(|line| line.split('-').next().unwrap_or("").to_owned())
}

#[test]
fn cells_share_a_layout_until_one_crashes_or_the_policy_asks_for_its_own() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("SKIPPED: where a cell's code lies can only be seen by root");
        return;
    }
    let host = crate::support::host();
    let file = plugin("good/counts.c", &[]);
    let load = |policy: &str| {
        let policy = host.policy(policy).expect("a policy");
        host.load(Opened::open(&file).expect("open"), policy).expect("load").cell
    };
    let (one, mut two) = (load("builtin:compute"), load("builtin:compute"));
    let shared = layout_of(&one).expect("maps");
    assert_eq!(layout_of(&two).as_ref(), Some(&shared));

    let text = "lazaret = 1\nname = \"fresh\"\nextends = \"builtin:compute\"\n[layers]\nlayout = \"fresh\"\n";
    let fresh = policy_file("fresh", text);
    let fresh = [(); 2].map(|()| layout_of(&load(fresh.to_str().expect("UTF-8"))).expect("maps"));
    assert!(fresh[0] != fresh[1] && !fresh.contains(&shared), "{fresh:?} {shared}");

    assert!(matches!(crate::support::call(&mut two, "crash()", &[]), Outcome::Crashed(_)));
    assert_ne!(layout_of(&load("builtin:compute")), Some(shared), "nobody tries one layout twice");
}

/// The table of SECURITY.md says what the plans say.
#[cfg(target_arch = "x86_64")]
#[test]
fn the_documents_count_the_calls_that_are_left() {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../SECURITY.md")).expect("read");
    let host = crate::support::host();
    for name in ["compute", "file-reader", "network-client", "go"] {
        let policy = host.policy(&format!("builtin:{name}")).expect("a policy");
        let planned = policy.plan(host.kernel().expect("a cell"), &Default::default()).expect("a plan");
        let details = serde_json::to_string(&planned.enforcement).expect("JSON");
        let (count, _) = details.split_once(" syscalls while calls are served").expect("a count");
        let count = count.rsplit(|letter: char| !letter.is_ascii_digit()).next().expect("a number");
        let row = text.lines().find(|line| line.starts_with(&format!("| `builtin:{name}` |"))).expect("a row");
        assert!(row.starts_with(&format!("| `builtin:{name}` | {count} |")), "{count}: {row}");
    }
}

#[test]
fn a_host_whose_zygote_was_killed_loads_again() {
    let host = crate::support::host();
    let load = || {
        let policy = host.policy("builtin:compute").expect("a policy");
        host.load(Opened::open(&plugin("good/counts.c", &[])).expect("open"), policy).expect("load").cell
    };
    let before = cells_of(std::process::id());
    let cell = load();
    // Other tests start some meanwhile: what is new, of this program, without a filter, and no cell.
    let filtered = |pid: &u32| {
        fs::read_to_string(format!("/proc/{pid}/status")).is_ok_and(|status| status.contains("\nSeccomp:\t2"))
    };
    drop(cell);
    let zygotes = cells_of(std::process::id()).into_iter().filter(|pid| !before.contains(pid) && !filtered(pid));
    for zygote in zygotes.filter(|pid| name_of(*pid).contains("lazaret-cell")) {
        let pid = rustix::process::Pid::from_raw(i32::try_from(zygote).expect("a pid")).expect("not 0");
        // One of another test may be among them, and will be replaced as well.
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap_or(());
    }
    assert_eq!(crate::support::returned(crate::support::call(&mut load(), "count() -> u32", &[])), Value::Unsigned(1));
}

/// A host program may leave any descriptor open to its children; the cell program must take none of them for its own.
#[test]
fn what_a_host_leaves_open_does_not_open_a_cell() {
    let file = attack("opens_a_file_not_granted", &["-DFROM_CONSTRUCTOR"]);
    let empty = scratch().join("empty");
    fs::write(&empty, "").expect("write");
    for number in 3..=12 {
        for left in [Path::new("/etc/hostname"), &empty] {
            let script = format!("exec \"$0\" \"$@\" {number}<{}", left.display());
            let output = Command::new("sh")
                .args(["-c", &script, LAZARET, "call"])
                .arg(&file)
                .args(["result() -> i32", "--policy", &bare()])
                .output()
                .expect("run");
            let said = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(4), "{number}: {said}");
            assert!(said.contains("`openat` and seccomp stopped it"), "the call-phase filter, {number}: {said}");
        }
    }
}
