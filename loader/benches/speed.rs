//! Speed against floors: what the same work costs without confinement, measured in the same run, in turns. Prints a table
//! of medians and ratios. `cargo bench --bench speed`.
#![expect(clippy::disallowed_methods, clippy::print_stdout, reason = "a program that measures and prints")]

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use lazaret::{Host, Opened, Outcome, Signature, Supervisor, Terms};
use lazaret_policy::{Arch, Policy};

const CELL: &str = env!("CARGO_BIN_EXE_lazaret-cell");

/// One line of the table.
struct Row {
    what: String,
    against: &'static str,
    ours: Duration,
    floor: Duration,
    goal: &'static str,
}

fn main() {
    // `cargo test --benches` asks for a quick look only.
    let rounds = if std::env::args().any(|word| word == "--bench") { 41 } else { 1 };
    let host = self::host();
    // `cargo bench --bench speed -- audit` measures the audit alone.
    let audit_only = std::env::args().any(|word| word == "audit");
    let mut rows = if audit_only { Vec::new() } else { loads_and_calls(&host, rounds) };
    rows.push(audit_alone(&find("libstdc++.so.6"), rounds));
    let mut memory = vec![peak(&find("libstdc++.so.6"))];
    for (least, most) in SIZES {
        let Some((file, policy)) = library_of(&host, least << 20..most << 20) else {
            println!("no library of {least} to {most} MiB is here that needs only what is installed");
            continue;
        };
        rows.push(verify_and_audit(&host, &file, &policy, rounds.min(11)));
        rows.push(audit_alone(&file, rounds.min(11)));
        memory.push(peak(&file));
    }
    println!("| what | median | against | median | ratio | goal |");
    println!("|---|---|---|---|---|---|");
    for Row { what, against, ours, floor, goal } in rows {
        let ratio = ours.as_secs_f64() / floor.as_secs_f64();
        println!("| {what} | {ours:.1?} | {against} | {floor:.1?} | {ratio:.2}× | {goal} |");
    }
    memory.iter().for_each(|row| println!("{row}"));
}

fn loads_and_calls(host: &Host, rounds: usize) -> Vec<Row> {
    let floors = build_floors();
    let policy = host.policy("builtin:compute").expect("a policy");
    let zlib = find("libz.so.1");
    vec![
        first_load(&zlib, &floors, rounds),
        further_load(host, &policy, &zlib, rounds),
        again(host, &policy, &zlib, rounds),
        with_more(host, &zlib, rounds, "further load in a file tree of its own", "require = [\"mount\"]"),
        with_more(host, &zlib, rounds, "further load in a layout of its own", "layout = \"fresh\""),
        prewarmed(&policy, &zlib, rounds),
        syscalls(host, &floors, rounds, "getppid", "≤ 1.2×"),
        syscalls(host, &floors, rounds, "wake", "≤ 1.6×"),
        empty_call(host, &policy, &floors, rounds, true),
        empty_call(host, &policy, &floors, rounds, false),
    ]
}

/// Classes of libraries to audit, in MiB.
const SIZES: [(u64, u64); 3] = [(10, 64), (64, 180), (180, 1024)];

/// Takes both measurements in turns, so that noise of the machine meets both, and returns their medians.
fn medians(rounds: usize, mut ours: impl FnMut() -> Duration, mut floor: impl FnMut() -> Duration) -> [Duration; 2] {
    let (mut a, mut b) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        a.push(ours());
        b.push(floor());
    }
    [a, b].map(|mut samples| {
        samples.sort();
        samples[samples.len() / 2]
    })
}

fn time(act: impl FnOnce()) -> Duration {
    let began = Instant::now();
    act();
    began.elapsed()
}

/// The first load of a host starts the process that cells are forked from.
fn first_load(zlib: &Path, floors: &Path, rounds: usize) -> Row {
    let [ours, floor] = medians(
        rounds,
        || {
            let host = self::host();
            let policy = host.policy("builtin:compute").expect("a policy");
            let mut loaded = None;
            let took = time(|| loaded = Some(load(&host, &policy, zlib)));
            drop(loaded);
            took
        },
        || time(|| assert!(Command::new(floors).arg("dlopen").arg(zlib).status().expect("run").success())),
    );
    let against = "exec + dlopen + exit, unconfined";
    Row { what: "first load of a host, to ready".into(), against, ours, floor, goal: "≤ 2×" }
}

/// Every further cell of a plugin that is verified and audited.
fn further_load(host: &Host, policy: &Arc<Policy>, zlib: &Path, rounds: usize) -> Row {
    let planned = host.prepare(Opened::open(zlib).expect("open"), Arc::clone(policy)).expect("prepare");
    let ours = || {
        let mut loaded = None;
        let took = time(|| loaded = Some(host.start(&planned).expect("start")));
        drop(loaded);
        took
    };
    let [ours, floor] =
        medians(rounds, ours, || time(|| assert!(Command::new("/bin/true").status().expect("run").success())));
    let against = "posix_spawn of /bin/true, to its end";
    Row { what: "further load, to ready".into(), against, ours, floor, goal: "≤ 1×" }
}

/// What layers cost that a policy has to ask for, against the same without.
fn with_more(host: &Host, zlib: &Path, rounds: usize, what: &'static str, layers: &str) -> Row {
    let text = |layers: &str| {
        format!(
            "lazaret = 1\nname = \"more\"\n[trust]\nunsigned = true\n[elf]\nneeded = [\"libc.so.6\"]\n\
             [syscalls]\nallow = [\"@compute\", \"@threads\"]\n[layers]\noptional = [\"apparmor\"]\n{layers}\n"
        )
    };
    let start = |name: &str, layers: &str| {
        let file = scratch().join(name);
        std::fs::write(&file, text(layers)).expect("write");
        let policy = host.policy(file.to_str().expect("UTF-8")).expect("a policy");
        let planned = host.prepare(Opened::open(zlib).expect("open"), policy).expect("prepare");
        move || {
            let mut loaded = None;
            let took = time(|| loaded = Some(host.start(&planned).expect("start")));
            drop(loaded);
            took
        }
    };
    let [ours, floor] = medians(rounds, start("more.toml", layers), start("less.toml", ""));
    Row { what: what.into(), against: "further load", ours, floor, goal: "" }
}

/// A call whose cell is ready before it comes, as a supervisor keeps one, against starting a process.
fn prewarmed(policy: &Arc<Policy>, zlib: &Path, rounds: usize) -> Row {
    let host = Arc::new(self::host());
    let planned = host.prepare(Opened::open(zlib).expect("open"), Arc::clone(policy)).expect("prepare");
    // Each cell serves one call, so every call needs another.
    let terms = Terms { calls: 1, ..Terms::default() };
    let supervisor = Supervisor::new(host, planned, terms).expect("a supervisor");
    let signature = Signature::parse("zlibCompileFlags() -> u64").expect("valid");
    let ours = || {
        std::thread::sleep(Duration::from_millis(20));
        time(|| assert!(matches!(supervisor.call(&signature, &[]), Ok(Outcome::Returned(_)))))
    };
    let [ours, floor] =
        medians(rounds, ours, || time(|| assert!(Command::new("/bin/true").status().expect("run").success())));
    let against = "posix_spawn of /bin/true, to its end";
    Row { what: "first call in a new cell, prewarmed".into(), against, ours, floor, goal: "≤ 1×" }
}

/// An allowed system call in a cell, against the same without a filter.
fn syscalls(host: &Host, floors: &Path, rounds: usize, which: &'static str, goal: &'static str) -> Row {
    const CALLS: u32 = 100_000;
    let plugin = scratch().join("floors.so");
    compile(&["-shared", "-fPIC", "-O2"], &Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/floors.c"), &plugin);
    let file = scratch().join("calls.toml");
    let text = "lazaret = 1\nname = \"calls\"\n[trust]\nunsigned = true\n[elf]\nneeded = [\"libc.so.6\"]\n\
                [syscalls]\nallow = [\"@compute\", \"@threads\"]\n";
    std::fs::write(&file, text).expect("write");
    let policy = host.policy(file.to_str().expect("UTF-8")).expect("a policy");
    let mut cell = load(host, &policy, &plugin).cell;
    let (function, what) = match which {
        "getppid" => ("getppids(count: u32) -> u32", "system call, allowed"),
        _ => ("wakes(count: u32) -> u32", "system call, allowed by its arguments"),
    };
    let function = cell.bind(&Signature::parse(function).expect("valid")).expect("bind");
    let arguments = [lazaret::Value::Unsigned(CALLS.into())];
    let ours = || time(|| assert!(matches!(cell.call(&function, &arguments), Outcome::Returned(_)))) / CALLS;
    let floor = || {
        let output = Command::new(floors).args([which, &CALLS.to_string()]).output().expect("run");
        let text = String::from_utf8(output.stdout).expect("text");
        Duration::from_secs_f64(text.trim().parse::<f64>().expect("a number") * 1e-9)
    };
    let [ours, floor] = medians(rounds, ours, floor);
    Row { what: what.into(), against: "the same without a filter", ours, floor, goal }
}

/// The same with the file read, hashed and audited again.
fn again(host: &Host, policy: &Arc<Policy>, zlib: &Path, rounds: usize) -> Row {
    let ours = || {
        let mut loaded = None;
        let took = time(|| loaded = Some(load(host, policy, zlib)));
        drop(loaded);
        took
    };
    let [ours, floor] =
        medians(rounds, ours, || time(|| assert!(Command::new("/bin/true").status().expect("run").success())));
    let against = "posix_spawn of /bin/true, to its end";
    Row { what: "further load, file read and audited anew".into(), against, ours, floor, goal: "" }
}

fn empty_call(host: &Host, policy: &Arc<Policy>, floors: &Path, rounds: usize, spinning: bool) -> Row {
    const CALLS: u32 = 2000;
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/plugins/good/types.c");
    let plugin = scratch().join("types.so");
    compile(&["-shared", "-fPIC", "-O1"], &source, &plugin);
    let mut cell = load(host, policy, &plugin).cell;
    let function = cell.bind(&Signature::parse("nothing()").expect("valid")).expect("bind");
    let mut calls = |count: u32, pause: Duration| {
        let mut total = Duration::ZERO;
        for _ in 0..count {
            total += time(|| assert!(matches!(cell.call(&function, &[]), Outcome::Returned(_))));
            std::thread::sleep(pause);
        }
        total / count
    };
    let floor = |mode: &str, count: u32| {
        let output = Command::new(floors).args([mode, &count.to_string()]).output().expect("run");
        let text = String::from_utf8(output.stdout).expect("text");
        Duration::from_secs_f64(text.trim().parse::<f64>().expect("a number") * 1e-9)
    };
    if spinning {
        let [ours, floor] = medians(rounds, || calls(CALLS, Duration::ZERO), || floor("spin", CALLS * 10));
        let against = "two processes spinning on one cache line";
        return Row { what: "empty call, caller spinning".into(), against, ours, floor, goal: "≤ 2×" };
    }
    // The cell stops spinning after 20 µs, so after a pause it sleeps.
    let [ours, floor] = medians(rounds, || calls(50, Duration::from_micros(200)), || floor("futex", CALLS));
    let against = "futex ping-pong of two processes";
    Row { what: "empty call, cell asleep".into(), against, ours, floor, goal: "≤ 1.3×" }
}

fn verify_and_audit(host: &Host, file: &Path, policy: &Policy, rounds: usize) -> Row {
    let bytes = std::fs::read(file).expect("read");
    let [ours, floor] = medians(
        rounds,
        || {
            // Taking the copy, and giving its memory back, are not part of verifying.
            let opened = Opened::open(file).expect("open");
            let began = Instant::now();
            let audited = opened.verify(policy, None).expect("unsigned").audit(policy, host.libraries());
            let took = began.elapsed();
            audited.expect("accepted");
            took
        },
        || {
            time(|| {
                black_box(ring::digest::digest(&ring::digest::SHA256, &bytes));
            })
        },
    );
    let what = format!("verify + audit, {} of {} MiB", name(file), bytes.len() >> 20);
    Row { what, against: "SHA-256 of the same bytes (ring)", ours, floor, goal: "≤ 1.25×" }
}

/// What a file is and which system calls it makes itself; nothing of what it needs.
fn audit_alone(file: &Path, rounds: usize) -> Row {
    let bytes = std::fs::read(file).expect("read");
    let [ours, floor] = medians(
        rounds,
        || {
            time(|| {
                let object = lazaret::audit::read(&bytes, Arch::NATIVE).expect("one reading");
                black_box(lazaret::audit::direct_syscalls(&bytes, &object));
            })
        },
        || {
            time(|| {
                let words = ["-W", "-d", "-s", "-l"];
                assert!(Command::new("readelf").args(words).arg(file).output().expect("run").status.success());
            })
        },
    );
    let what = format!("audit alone, {} of {} MiB", name(file), bytes.len() >> 20);
    Row { what, against: "exec of readelf -W -d -s -l", ours, floor, goal: "≤ 0.2×" }
}

/// The most memory that a process takes which inspects a file, as the kernel counts it (`VmHWM` of proc_pid_status(5)):
/// looked at every half millisecond, which misses what the process does in the last.
fn peak(file: &Path) -> String {
    let mut child = Command::new(env!("CARGO_BIN_EXE_lazaret"))
        .arg("inspect")
        .arg(file)
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .expect("run");
    let status = PathBuf::from(format!("/proc/{}/status", child.id()));
    let mut kib = 0_u64;
    while child.try_wait().expect("wait").is_none() {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0).max(kib);
        std::thread::sleep(Duration::from_micros(500));
    }
    let mib = |bytes: f64| bytes / f64::from(1 << 20);
    let size = file.metadata().expect("a file").len() as f64;
    let (ours, most) = (mib(kib as f64 * 1024.0), mib(size) * 1.2 + 16.0);
    let (name, ratio) = (name(file), ours / most);
    format!(
        "| peak memory of inspect, {name} | {ours:.1} MiB | 1.2 × file + 16 MiB | {most:.1} MiB | {ratio:.2}× | ≤ 1× |"
    )
}

fn name(file: &Path) -> String {
    file.file_name().expect("a name").to_string_lossy().into_owned()
}

fn host() -> Host {
    Host::with_cell_program(Path::new(CELL)).expect("a host")
}

fn load(host: &Host, policy: &Arc<Policy>, file: &Path) -> lazaret::Loaded {
    host.load(Opened::open(file).expect("open"), Arc::clone(policy)).expect("load")
}

fn scratch() -> &'static Path {
    Path::new(env!("CARGO_TARGET_TMPDIR"))
}

fn build_floors() -> PathBuf {
    let program = scratch().join("floors");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/floors.c");
    compile(&["-O2"], &source, &program);
    program
}

fn compile(flags: &[&str], source: &Path, program: &Path) {
    let built = Command::new("cc").args(flags).arg(source).arg("-o").arg(program).status().expect("a C compiler");
    assert!(built.success());
}

/// A library of the distribution.
fn find(name: &str) -> PathBuf {
    ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib"]
        .iter()
        .map(|directory| Path::new(directory).join(name))
        .find(|path| path.exists())
        .unwrap_or_else(|| panic!("{name} is not installed"))
}

/// The largest shared object within a range of bytes, of the Rust compiler or of the distribution, that needs only what is
/// installed; and a policy that permits it.
fn library_of(host: &Host, sizes: std::ops::Range<u64>) -> Option<(PathBuf, Arc<Policy>)> {
    let output = Command::new("rustc").args(["--print", "sysroot"]).output().expect("rustc");
    let compiler = Path::new(String::from_utf8(output.stdout).expect("text").trim()).join("lib");
    let zlib = find("libz.so.1");
    let directories = [compiler.as_path(), zlib.parent().expect("a directory")];
    let entries = directories.iter().flat_map(|directory| std::fs::read_dir(directory).expect("read"));
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    let size = |path: &Path| path.metadata().map_or(0, |metadata| metadata.len());
    files.retain(|path| path.is_file() && path.to_string_lossy().contains(".so") && sizes.contains(&size(path)));
    files.sort_by_key(|path| std::cmp::Reverse(size(path)));
    let permitted = |file: PathBuf| {
        let bytes = std::fs::read(&file).ok()?;
        let object = lazaret::audit::read(&bytes, Arch::NATIVE).ok()?;
        // The libraries of the C library need the loader, whether or not this file names it.
        let mut needed: Vec<&str> =
            object.needed().chain(["libc.so.6", "ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1"]).collect();
        needed.sort_unstable();
        needed.dedup();
        let text = format!(
            "lazaret = 1\nname = \"large\"\n[trust]\nunsigned = true\n[elf]\nneeded = {needed:?}\n\
             [syscalls]\nallow = [\"@compute\"]\n"
        );
        let path = scratch().join(format!("{}.toml", name(&file)));
        std::fs::write(&path, text).expect("write");
        let policy = host.policy(path.to_str()?).expect("a policy");
        let verified = Opened::open(&file).ok()?.verify(&policy, None).ok()?;
        verified.audit(&policy, host.libraries()).ok()?;
        Some((file, policy))
    };
    files.into_iter().find_map(permitted)
}
