//! A host that lives long: a million calls, and cells that die in every way there is. What the kernel counts for the host must
//! be the same afterwards. `cargo bench --bench soak`; a quick look otherwise.
#![expect(clippy::disallowed_methods, clippy::print_stdout, reason = "a program that measures and prints")]

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Instant;

use lazaret::{Host, Opened, Outcome, Planned, Signature};

/// Acts that end a cell, from a call (`result`) and from a constructor.
const DEATHS: [&str; 12] = [
    "kernel/executes",
    "lifetime/aborts",
    "lifetime/crashes",
    "lifetime/divides_by_zero",
    "lifetime/exits",
    "lifetime/fills_memory",
    "lifetime/halts_the_processor",
    "lifetime/loops_for_ever",
    "lifetime/overflows_its_stack",
    "lifetime/sleeps_for_ever",
    "region/claims_a_length",
    "timing/blocks_the_report_signal_and_executes",
];

/// What the kernel counts for this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Count {
    descriptors: usize,
    threads: usize,
    mappings: usize,
    children: usize,
    zombies: usize,
    resident_kib: u64,
}

impl Count {
    fn now() -> Self {
        let status = fs::read_to_string("/proc/self/status").expect("status");
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("VmRSS");
        let entries = |path: &str| fs::read_dir(path).expect("an own directory").count();
        let children: Vec<String> = fs::read_dir("/proc/self/task")
            .expect("threads")
            .flatten()
            .flat_map(|task| {
                let children = fs::read_to_string(task.path().join("children")).unwrap_or_default();
                children.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
            })
            .collect();
        let zombie = |pid: &&String| {
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            stat.rsplit_once(')').is_some_and(|(_, rest)| rest.trim_start().starts_with('Z'))
        };
        Self {
            // Without the one that lists them.
            descriptors: entries("/proc/self/fd") - 1,
            threads: entries("/proc/self/task"),
            mappings: fs::read_to_string("/proc/self/maps").expect("maps").lines().count(),
            children: children.len(),
            zombies: children.iter().filter(zombie).count(),
            resident_kib: resident.trim().trim_end_matches(" kB").parse().expect("a number"),
        }
    }
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { descriptors, threads, mappings, children, zombies, resident_kib } = self;
        write!(
            f,
            "{descriptors} descriptors, {threads} threads, {mappings} mappings, {children} children ({zombies} zombies), \
             {resident_kib} KiB resident"
        )
    }
}

fn main() -> ExitCode {
    let long = std::env::args().any(|word| word == "--bench");
    let (calls, rounds) = if long { (1_000_000, 84) } else { (2_000, 1) };
    let host = Host::with_cell_program(Path::new(env!("CARGO_BIN_EXE_lazaret-cell"))).expect("a host");
    let good = prepared(&host, &build("../tests/plugins/good/types.c", &[]));
    let deadly: Vec<Planned> = DEATHS
        .iter()
        .flat_map(|act| {
            let source = format!("attacks/{act}.c");
            ["-DFROM_CALL", "-DFROM_CONSTRUCTOR"].map(|when| prepared(&host, &build(&source, &[when])))
        })
        .collect();

    // Everything has happened once before the first count.
    serve(&host, &good, 1000);
    let mut ends = Ends::default();
    deadly.iter().for_each(|planned| ends.add(die(&host, planned)));
    serve(&host, &good, 1000);
    let before = Count::now();
    println!("before: {before}");

    let began = Instant::now();
    serve(&host, &good, calls);
    println!("{calls} calls in {:.1?}; {}", began.elapsed(), Count::now());
    let began = Instant::now();
    for round in 0..rounds {
        deadly.iter().for_each(|planned| ends.add(die(&host, planned)));
        if long && round % 20 == 19 {
            println!("{} cells died; {}", (round + 1) * deadly.len(), Count::now());
        }
    }
    println!("{} cells died in {:.1?}: {ends}", rounds * deadly.len(), began.elapsed());
    serve(&host, &good, 1000);
    let after = Count::now();
    println!("after:  {after}");

    // Memory that the allocator keeps is not lost; a leak of even 64 bytes for each cell would be more than this.
    let grown = after.resident_kib.saturating_sub(before.resident_kib);
    let flat = Count { resident_kib: 0, ..after } == Count { resident_kib: 0, ..before } && grown <= 1024;
    println!("{}", if flat { "flat" } else { "NOT FLAT" });
    if flat { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn serve(host: &Host, planned: &Planned, calls: u32) {
    let mut cell = host.start(planned).expect("start").cell;
    let nothing = cell.bind(&Signature::parse("nothing()").expect("valid")).expect("bind");
    for _ in 0..calls {
        let outcome = cell.call(&nothing, &[]);
        assert!(matches!(outcome, Outcome::Returned(_)), "{outcome:?}");
    }
}

/// How cells ended, by code.
#[derive(Default)]
struct Ends(std::collections::BTreeMap<String, u32>);

impl Ends {
    fn add(&mut self, code: String) {
        *self.0.entry(code).or_default() += 1;
    }
}

impl fmt::Display for Ends {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|(code, count)| write!(f, "{code} {count}  "))
    }
}

fn die(host: &Host, planned: &Planned) -> String {
    match host.start(planned) {
        Err(error) => format!("{} while loading", error.code()),
        Ok(mut loaded) => {
            let outcome = match loaded.cell.bind(&Signature::parse("result() -> i32").expect("valid")) {
                Ok(result) => loaded.cell.call(&result, &[]),
                Err(outcome) => outcome,
            };
            outcome.code().unwrap_or("ended by its host").to_owned()
        }
    }
}

fn prepared(host: &Host, file: &Path) -> Planned {
    let text = "lazaret = 1\nname = \"soak\"\n[trust]\nunsigned = true\n[elf]\nneeded = [\"libc.so.6\"]\n\
                [syscalls]\nallow = [\"@compute\", \"@threads\"]\n[limits]\nthreads = 16\nmemory = \"16 MiB\"\n\
                call-time = \"20 ms\"\nload-time = \"100 ms\"\n";
    let policy = scratch().join("soak.toml");
    fs::write(&policy, text).expect("write");
    let policy = host.policy(policy.to_str().expect("UTF-8")).expect("a policy");
    host.prepare(Opened::open(file).expect("open"), policy).expect("prepare")
}

fn build(source: &str, flags: &[&str]) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let source = root.join(source);
    let stem = source.file_stem().expect("a name").to_string_lossy().into_owned();
    let object = scratch().join(format!("{stem}{}.so", flags.concat()));
    let include = format!("-I{}", root.join("attacks").display());
    let flags = [&["-shared", "-fPIC", "-O1", "-pthread", &include], flags].concat();
    let built = Command::new("cc").args(flags).arg(source).arg("-o").arg(&object).status();
    assert!(built.expect("a C compiler").success());
    object
}

fn scratch() -> &'static Path {
    Path::new(env!("CARGO_TARGET_TMPDIR"))
}
