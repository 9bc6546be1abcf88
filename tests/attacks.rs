//! Every act of `loader/attacks`, one row each: what stops it when it is called and when a constructor does it, what it
//! comes to where a policy grants exactly what it needs, that it gets its way where there is no cell, and that the host
//! goes on.

mod files;
mod host;
mod kernel;
mod lifetime;
mod memory;
mod network;
mod region;
mod timing;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use lazaret::{Cell, CellError, Error, Layer, Lie, Outcome, Ready, TimeLimit, Value};

use crate::support::{attack, call, compute, directory, load, plugin, policy_file, scratch, source};

/// The errors that acts are answered with, the same on both architectures (errno(3)).
mod errno {
    pub(super) const EPERM: i32 = 1;
    pub(super) const ENOENT: i32 = 2;
    pub(super) const EAGAIN: i32 = 11;
    pub(super) const ENOMEM: i32 = 12;
    pub(super) const EACCES: i32 = 13;
    pub(super) const EXDEV: i32 = 18;
    pub(super) const EINVAL: i32 = 22;
    pub(super) const EMFILE: i32 = 24;
    pub(super) const ENOTTY: i32 = 25;
    pub(super) const ENOSYS: i32 = 38;
    pub(super) const EOPNOTSUPP: i32 = 95;
    pub(super) const ECONNREFUSED: i32 = 111;
}

/// Which part answers with an errno: what the row claims, by leaving no other that could.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    Seccomp,
    Landlock,
    Limits,
    Capabilities,
    /// The kernel's ordinary checks: the user, missing capabilities, or what the call itself demands.
    Kernel,
}

/// How an act must end.
#[derive(Clone, Debug, PartialEq)]
enum Stop {
    /// seccomp ends the cell, and the report names this call.
    Refused(&'static str),
    /// One of two, where the architectures differ.
    RefusedEither(&'static str, &'static str),
    /// seccomp ends the cell and nothing is known of the call.
    Unnamed,
    /// seccomp refuses this call, or answers it with an errno.
    RefusedOr(&'static str, i32),
    /// The act is done, where the kernel has what the policy demands for it; otherwise nothing is loaded.
    NeedsLayer,
    /// The act is answered with this errno.
    Errno(By, i32),
    ErrnoEither(By, i32, i32),
    /// The act returns this.
    Returns(i64),
    /// The act is done: it is permitted, and harms nobody but the plugin.
    Does,
    DoesOr(&'static str),
    Crash(&'static str),
    CrashEither(&'static str, &'static str),
    Exit(i32),
    /// A limit of `limits(2)` that kills.
    Limit,
    OutOfMemory,
    TimesOut,
    TimesOutLoading,
    Lies(Lie),
    /// The cell ends, whichever way.
    Ends,
    /// Every outcome will do, as long as there is one and the host goes on.
    Anything,
}

/// What the act comes to without a cell.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Alone {
    /// It gets its way: what stops it in a cell is the cell.
    Works,
    /// It ends its process by a signal, or by becoming another program.
    Dies,
    /// It ends its process with a status.
    Exits,
    /// It neither returns nor ends.
    Stays,
    /// The kernel itself refuses it, everywhere.
    Fails(i32),
    /// It depends on the machine, or on what there is to inherit: not run.
    Maybe(&'static str),
    /// Nobody runs this without limits.
    Never(&'static str),
}

/// What a policy grants on top of `@compute` and `@threads`.
#[derive(Clone, Copy, Debug)]
struct Grant {
    calls: &'static [&'static str],
    /// Sections of the policy. `{here}` is the directory of the act's target, `{elsewhere}` another.
    sections: &'static str,
}

impl Grant {
    const fn new(calls: &'static [&'static str], sections: &'static str) -> Self {
        Self { calls, sections }
    }
}

const NOTHING: Grant = Grant::new(&[], "");
const READ: Grant = Grant::new(&["@files-read"], "[files]\nread = [\"{here}\"]\n");
const READ_ELSEWHERE: Grant = Grant::new(&["@files-read"], "[files]\nread = [\"{elsewhere}\"]\n");
const NOTHING_BUT_THE_PATH: Grant = Grant::new(&[], "[files]\nread = [\"{here}\"]\n");
const WRITE: Grant =
    Grant::new(&["@files-read", "@files-write"], "[files]\nwrite = [\"{here}\"]\n[limits]\nfile-size = \"1 MiB\"\n");
const WRITE_ELSEWHERE: Grant = Grant::new(
    &["@files-read", "@files-write"],
    "[files]\nwrite = [\"{elsewhere}\"]\n[limits]\nfile-size = \"1 MiB\"\n",
);
const WRITE_LITTLE: Grant =
    Grant::new(&["@files-read", "@files-write"], "[files]\nwrite = [\"{here}\"]\n[limits]\nfile-size = \"1 KiB\"\n");
const POLL: Grant = Grant::new(&["@poll"], "[limits]\nopen-files = 64\n");
const CLIENT: Grant =
    Grant::new(&["@network-client"], "[network]\nconnect = [\"tcp:9\"]\n[layers]\nrequire = [\"landlock>=4\"]\n");
const CLIENT_OF_ANOTHER_PORT: Grant =
    Grant::new(&["@network-client"], "[network]\nconnect = [\"tcp:443\"]\n[layers]\nrequire = [\"landlock>=4\"]\n");
const SERVER: Grant =
    Grant::new(&["@network-server"], "[network]\nbind = [\"tcp:40009\"]\n[layers]\nrequire = [\"landlock>=4\"]\n");
const SERVER_OF_ANOTHER_PORT: Grant =
    Grant::new(&["@network-server"], "[network]\nbind = [\"tcp:443\"]\n[layers]\nrequire = [\"landlock>=4\"]\n");
/// Rules for UDP begin with Landlock ABI 10: on an older kernel the plan is refused.
const UDP: Grant = Grant::new(&["@network-udp"], "[network]\nconnect = [\"udp:9\"]\n");
const TRUNCATE_ELSEWHERE: Grant =
    Grant::new(&["truncate", "@files-read"], "[files]\nread = [\"{here}\"]\nwrite = [\"{elsewhere}\"]\n");
const LINK: Grant = Grant::new(&["symlinkat", "@files-read", "@files-write"], "[files]\nwrite = [\"{here}\"]\n");
const NODE: Grant = Grant::new(&["mknodat", "@files-read", "@files-write"], "[files]\nwrite = [\"{here}\"]\n");

/// How the host calls the act.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Entry {
    Result,
    /// With a buffer of the reply, so many times.
    InTheRegion(usize),
}

/// Whether a constructor tries the act too.
#[derive(Clone, Copy, Debug, PartialEq)]
enum AtLoad {
    Tried,
    /// Not tried: the act chooses its own moment, or is like another that is.
    Untried,
}

/// A row.
#[derive(Clone, Debug)]
struct Act {
    name: &'static str,
    /// Ids of the catalogue of what plugins try ([`WITHOUT_AN_ACT`] has those that no act proves).
    proves: &'static str,
    called: Stop,
    alone: Alone,
    at_load: AtLoad,
    under: Vec<(Grant, Stop)>,
    entry: Entry,
    only_x86: bool,
}

fn act(name: &'static str, proves: &'static str, called: Stop, alone: Alone) -> Act {
    Act {
        name,
        proves,
        called,
        alone,
        at_load: AtLoad::Untried,
        under: Vec::new(),
        entry: Entry::Result,
        only_x86: false,
    }
}

impl Act {
    /// A constructor tries it as well: the same filter is in force then, so the same must come of it.
    fn at_load(mut self) -> Self {
        self.at_load = AtLoad::Tried;
        self
    }

    fn at_load_is_its_own(mut self) -> Self {
        self.at_load = AtLoad::Untried;
        self
    }

    /// What it comes to where a policy grants more.
    fn under(mut self, grant: Grant, stop: Stop) -> Self {
        self.under.push((grant, stop));
        self
    }

    /// What it comes to where the policy permits nothing more than these calls: whatever stops it then is another layer.
    fn if_permitted(self, calls: &'static [&'static str], stop: Stop) -> Self {
        self.under(Grant::new(calls, ""), stop)
    }

    /// It needs the address of the region.
    fn in_the_region(mut self) -> Self {
        self.entry = Entry::InTheRegion(1);
        self.at_load_is_its_own()
    }

    fn repeated(mut self, times: usize) -> Self {
        self.entry = Entry::InTheRegion(times);
        self
    }

    fn only_x86(mut self) -> Self {
        self.only_x86 = true;
        self
    }

    fn exists_here(&self) -> bool {
        !self.only_x86 || cfg!(target_arch = "x86_64")
    }
}

fn every_act() -> Vec<Act> {
    let groups = [
        files::acts(),
        host::acts(),
        kernel::acts(),
        lifetime::acts(),
        memory::acts(),
        network::acts(),
        region::acts(),
        timing::acts(),
    ];
    groups.into_iter().flatten().collect()
}

/// A policy with a grant.
fn policy(grant: Grant, stop: &Stop, here: &Path, elsewhere: &Path) -> String {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    let name = format!("attack-{}", NUMBER.fetch_add(1, Ordering::Relaxed));
    let calls: String = grant.calls.iter().map(|call| format!(", \"{call}\"")).collect();
    let sections = grant.sections.replace("{here}", &here.display().to_string());
    let mut sections = sections.replace("{elsewhere}", &elsewhere.display().to_string());
    let mut limits = "threads = 16\naddress-space = \"1 GiB\"\nmemory = \"128 MiB\"\nmessage = \"1 MiB\"\n".to_owned();
    limits += match stop {
        Stop::TimesOut => "call-time = \"300 ms\"\nload-time = \"300 ms\"\n",
        Stop::TimesOutLoading => "load-time = \"300 ms\"\n",
        Stop::Ends | Stop::Anything => "call-time = \"1 s\"\n",
        _ => "call-time = \"20 s\"\nload-time = \"20 s\"\n",
    };
    match sections.find("[limits]\n") {
        Some(at) => sections.insert_str(at + "[limits]\n".len(), &limits),
        None => write!(sections, "[limits]\n{limits}").expect("a string"),
    }
    let text = format!(
        "lazaret = 1\nname = \"{name}\"\n[trust]\nunsigned = true\n[elf]\nneeded = [\"libc.so.6\"]\n\
         [syscalls]\nallow = [\"@compute\", \"@threads\"{calls}]\n{sections}"
    );
    policy_file(&name, &text).to_str().expect("UTF-8").to_owned()
}

/// Loads, calls, and says how it ended. A load that ends with an outcome counts as well as a call.
fn outcome(path: &Path, policy: &str, entry: Entry) -> Result<Outcome, Error> {
    let mut loaded = match load(path, policy) {
        Ok(loaded) => loaded,
        Err(Error::Cell(CellError::Died(outcome))) => return Ok(*outcome),
        Err(error) => return Err(error),
    };
    let (signature, times) = match entry {
        Entry::Result => ("result() -> i32", 1),
        Entry::InTheRegion(times) => ("in_the_region(buffer: out [u8; 16]) -> i32", times),
    };
    let mut last = call(&mut loaded.cell, signature, &[]);
    for _ in 1..times {
        if !matches!(last, Outcome::Returned(_)) {
            break;
        }
        last = call(&mut loaded.cell, signature, &[]);
    }
    Ok(last)
}

impl Stop {
    fn is(&self, outcome: &Result<Outcome, Error>) -> bool {
        match outcome {
            Ok(outcome) => self.is_outcome(outcome),
            Err(Error::Plan(_)) => *self == Self::NeedsLayer,
            Err(_) => false,
        }
    }

    fn is_outcome(&self, outcome: &Outcome) -> bool {
        let refused = |name: &str| {
            matches!(outcome, Outcome::Violated(violation)
                if violation.layer == Layer::Seccomp && violation.act == name && violation.claim
                    && violation.advice.as_ref().is_some_and(|advice| !advice.to_string().is_empty()))
        };
        let answered = |value: i64| matches!(outcome, Outcome::Returned(back) if back.result == Value::Signed(value));
        let crashed = |name: &str| matches!(outcome, Outcome::Crashed(crash) if crash.name == name);
        match self {
            Self::Refused(call) => refused(call),
            Self::RefusedEither(one, other) => refused(one) || refused(other),
            Self::RefusedOr(call, errno) => refused(call) || answered(-i64::from(*errno)),
            Self::Unnamed => matches!(outcome, Outcome::Violated(violation)
                if violation.layer == Layer::Seccomp && violation.act == "?" && !violation.claim),
            Self::Errno(_, errno) => answered(-i64::from(*errno)),
            Self::ErrnoEither(_, one, other) => answered(-i64::from(*one)) || answered(-i64::from(*other)),
            // Where the kernel has it, what the policy grants is done.
            Self::NeedsLayer => answered(0),
            Self::Returns(value) => answered(*value),
            Self::Does => answered(0),
            Self::DoesOr(signal) => answered(0) || crashed(signal),
            Self::Crash(signal) => crashed(signal),
            Self::CrashEither(one, other) => crashed(one) || crashed(other),
            Self::Exit(status) => matches!(outcome, Outcome::Exited { status: is } if is == status),
            Self::Limit => matches!(outcome, Outcome::Violated(violation) if violation.layer == Layer::Limits),
            Self::OutOfMemory => matches!(outcome, Outcome::OutOfMemory { .. }),
            Self::TimesOut => matches!(outcome, Outcome::TimedOut { .. }),
            Self::TimesOutLoading => matches!(outcome, Outcome::TimedOut { limit: TimeLimit::Load(_) }),
            Self::Lies(lie) => matches!(outcome, Outcome::Lied { lie: said } if said == lie),
            Self::Ends => !matches!(outcome, Outcome::Returned(_) | Outcome::Refused(_)),
            Self::Anything => !matches!(outcome, Outcome::Refused(_)),
        }
    }
}

/// A cell beside the one that attacks: it must answer after every act.
struct Neighbour(Cell<Ready>);

impl Neighbour {
    fn new() -> Self {
        Self(compute(&plugin("good/types.c", &[])))
    }

    fn answers(&mut self) -> bool {
        let outcome = call(&mut self.0, "u8(x: u8) -> u8", &[Value::Unsigned(7)]);
        matches!(outcome, Outcome::Returned(returned) if returned.result == Value::Unsigned(7))
    }
}

/// Short enough for a list of failures.
fn brief(outcome: &Result<Outcome, Error>) -> String {
    match outcome {
        Ok(Outcome::Violated(violation)) => format!("violated {:?} {}", violation.layer, violation.act),
        Ok(Outcome::Returned(returned)) => format!("returned {:?}", returned.result),
        Ok(Outcome::Crashed(crash)) => format!("crashed {}", crash.name),
        Ok(other) => format!("{other:?}"),
        Err(error) => format!("not loaded: {error:?}"),
    }
}

/// Tries one row; every mismatch is a line.
fn try_row(row: &Act, neighbour: &mut Neighbour, failures: &Mutex<Vec<String>>) {
    if !row.exists_here() {
        return;
    }
    let nowhere = Path::new("/nonexistent");
    let fail = |moment: &str, expected: &dyn std::fmt::Debug, outcome: &Result<Outcome, Error>| {
        let line = format!("{} {moment}: expected {expected:?}, was {}", row.name, brief(outcome));
        failures.lock().expect("no panic with it held").push(line);
    };
    let got = outcome(&attack(row.name, &[]), &policy(NOTHING, &row.called, nowhere, nowhere), row.entry);
    if !row.called.is(&got) {
        fail("called", &row.called, &got);
    }
    if row.at_load == AtLoad::Tried {
        let (_, target) = target(row.name);
        let path = attack(row.name, &["-DFROM_CONSTRUCTOR", &aimed_at(&target)]);
        let got = outcome(&path, &policy(NOTHING, &row.called, nowhere, nowhere), row.entry);
        if !row.called.is(&got) {
            fail("in a constructor", &row.called, &got);
        }
    }
    for (number, (grant, stop)) in row.under.iter().enumerate() {
        let (here, target) = target(&format!("{}-{number}", row.name));
        let elsewhere = directory("attack-elsewhere");
        let aim = aimed_at(&target);
        let flags: &[&str] = if grant.sections.contains("[files]") { &[&aim] } else { &[] };
        let path = attack(row.name, flags);
        let got = outcome(&path, &policy(*grant, stop, &here, &elsewhere), row.entry);
        if !stop.is(&got) {
            fail(&format!("under {:?} {:?}", grant.calls, grant.sections), stop, &got);
        }
    }
    if !neighbour.answers() {
        failures.lock().expect("no panic with it held").push(format!("{}: another cell is gone", row.name));
        *neighbour = Neighbour::new();
    }
}

fn aimed_at(target: &Path) -> String {
    format!("-DTARGET=\"{}\"", target.display())
}

/// A directory with a file that an act may aim at; anybody may write there, so that only a layer stops it.
fn target(name: &str) -> (PathBuf, PathBuf) {
    let here = directory(&format!("attack-{name}"));
    fs::set_permissions(&here, fs::Permissions::from_mode(0o777)).expect("permissions");
    for file in ["file", "file.other"] {
        let file = here.join(file);
        fs::write(&file, "granted").expect("write");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o666)).expect("permissions");
    }
    let file = here.join("file");
    (here, file)
}

/// Tries a table, as many rows at once as there are processors.
fn try_all(rows: &[Act]) {
    let failures = Mutex::new(Vec::new());
    in_parallel(rows, Neighbour::new, |row, neighbour| try_row(row, neighbour, &failures));
    report(failures);
}

fn in_parallel<T: Sync, S>(items: &[T], state: impl Fn() -> S + Sync, work: impl Fn(&T, &mut S) + Sync) {
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                let mut own = state();
                while let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed)) {
                    work(item, &mut own);
                }
            });
        }
    });
}

fn report(failures: Mutex<Vec<String>>) {
    let failures = failures.into_inner().expect("no panic with it held");
    assert!(failures.is_empty(), "{} acts came to something else:\n{}", failures.len(), failures.join("\n"));
}

/// What an act aimed at this process could have changed about it.
#[derive(Debug, PartialEq)]
struct Condition {
    limits: String,
    status: Vec<String>,
    /// Group, session, terminal and its group, priority, niceness, real-time priority and policy: proc_pid_stat(5).
    stat: Vec<String>,
    io_priority: String,
    streams: Vec<String>,
}

impl Condition {
    fn now() -> Self {
        let read = |path: &str| fs::read_to_string(path).expect("/proc of this process");
        let wanted = [
            "Umask",
            "TracerPid",
            "Uid",
            "Gid",
            "Groups",
            "SigPnd",
            "ShdPnd",
            "SigBlk",
            "SigIgn",
            "SigCgt",
            "CapEff",
            "NoNewPrivs",
            "Seccomp",
            "Cpus_allowed",
            "Threads",
        ];
        let status = read("/proc/self/status");
        let status = status.lines().filter(|line| wanted.contains(&line.split(':').next().unwrap_or_default()));
        let stat = read("/proc/self/stat");
        let fields: Vec<&str> = stat.rsplit_once(')').expect("a name").1.split_whitespace().collect();
        // The first field after the name is the third of the manual.
        let stat = [5, 6, 7, 8, 18, 19, 40, 41].map(|number: usize| fields[number - 3].to_owned());
        let io_priority = Command::new("ionice").args(["-p", &std::process::id().to_string()]).output();
        let mut streams = Vec::new();
        for fd in 0..3 {
            if let Ok(file) = fs::read_link(format!("/proc/self/fd/{fd}")) {
                let about = fs::read_to_string(format!("/proc/self/fdinfo/{fd}")).unwrap_or_default();
                let flags = about.lines().find(|line| line.starts_with("flags:")).unwrap_or_default().to_owned();
                streams.push(format!("{fd} {} {flags}", file.display()));
            }
        }
        Self {
            limits: read("/proc/self/limits"),
            status: status.map(str::to_owned).collect(),
            stat: stat.to_vec(),
            io_priority: io_priority.map(|out| String::from_utf8_lossy(&out.stdout).into_owned()).unwrap_or_default(),
            streams,
        }
    }
}

/// The children of every thread of this process.
fn children() -> String {
    let mut all = Vec::new();
    for task in fs::read_dir("/proc/self/task").expect("threads of this process") {
        let list = task.expect("a thread").path().join("children");
        all.push(fs::read_to_string(list).unwrap_or_default());
    }
    all.concat()
}

/// The host of the acts on hosts: this test in a process of its own, so that nothing else starts children or takes signals
/// in it, and nobody else is hurt. Standard input says where the plugins and the policy are.
#[test]
#[ignore = "acts_on_the_host_leave_it_as_it_was runs it in a process of its own"]
fn a_host_of_its_own() {
    let orders = std::io::read_to_string(std::io::stdin()).expect("orders");
    let mut orders = orders.lines();
    let Some((policy, neighbour)) = orders.next().and_then(|line| line.split_once('\t')) else {
        eprintln!("SKIPPED: nobody gave this host its orders");
        return;
    };
    let host = crate::support::host();
    let load = |path: &str| {
        let policy = host.policy(policy).expect("a policy");
        host.load(lazaret::Opened::open(Path::new(path)).expect("open"), policy)
    };
    let mut neighbour = Neighbour(load(neighbour).expect("load").cell);
    assert!(neighbour.answers());
    // The zygote goes with a cell that crashed, and its successor has other numbers: children and descriptors are counted.
    let many = || (children().split_whitespace().count(), fs::read_dir("/proc/self/fd").expect("descriptors").count());
    let (before, (kin_before, open_before)) = (Condition::now(), many());
    for path in orders {
        // What came of it is for the tables; here it is what became of the host.
        drop(load(path).map(|mut loaded| call(&mut loaded.cell, "result() -> i32", &[])));
        assert_eq!(Condition::now(), before, "{path}");
        let (kin, open) = many();
        assert!(kin <= kin_before && open <= open_before, "{path}: {kin} children, {open} descriptors");
        assert!(neighbour.answers(), "{path}");
    }
}

/// Runs the acts of the table in a process of its own, as its user or as another.
fn harm(user: Option<u32>) -> std::io::Result<std::process::Output> {
    let none = Path::new("/nonexistent");
    let mut orders =
        format!("{}\t{}\n", policy(NOTHING, &Stop::Does, none, none), plugin("good/types.c", &[]).display());
    for row in host::acts() {
        // Of an ordinary user every process could die, were it not stopped: no test is worth that.
        if row.name != "signals_every_process" || user.is_some() || rustix::process::geteuid().is_root() {
            writeln!(orders, "{}", attack(row.name, &[]).display()).expect("a string");
        }
    }
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.args(["--exact", "attacks::a_host_of_its_own", "--ignored", "--nocapture"]).process_group(0);
    if let Some(user) = user {
        command.uid(user).gid(user);
    }
    let mut host = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    host.stdin.take().expect("piped").write_all(orders.as_bytes())?;
    host.wait_with_output()
}

#[test]
fn acts_on_the_host_leave_it_as_it_was() {
    // Where the tests are run by root, as a user whom no other process has: then the cell has the host's user, and nothing
    // but its layers is between them.
    let user = rustix::process::geteuid().is_root().then(|| 1_900_000_000 + std::process::id());
    match harm(user) {
        Ok(output) => assert_passed(&output),
        Err(error) => {
            eprintln!("SKIPPED: another user cannot run this program where it lies: {error}");
            assert_passed(&harm(None).expect("this program"));
        }
    }
}

/// The one test that a process of its own ran has passed.
#[track_caller]
fn assert_passed(output: &std::process::Output) {
    let said = String::from_utf8_lossy(&output.stdout);
    let passed = output.status.success() && said.contains("1 passed");
    assert!(passed, "{said}\n{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn cells_that_die_in_many_ways_leave_nothing_behind() {
    let output = Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "attacks::dies_in_many_ways", "--ignored", "--nocapture"])
        .output()
        .expect("this program");
    assert_passed(&output);
}

#[test]
#[ignore = "cells_that_die_in_many_ways_leave_nothing_behind runs it in a process of its own"]
fn dies_in_many_ways() {
    let ways = [
        "crashes",
        "exits",
        "leaves_with_success",
        "aborts",
        "kills_itself",
        "forks",
        "executes",
        "overflows_its_stack",
        "unmaps_everything",
        "raises_an_illegal_instruction",
        "divides_by_zero",
        "stops_itself",
        "ends_its_thread",
        "leaves_zombies",
        "becomes_a_daemon",
        "starts_many_threads",
        "overwrites_the_cell",
        "connects_at_exit",
        "connects_in_a_constructor",
        "leaves_in_a_constructor",
        "uses_the_calls_of_another_architecture",
        "blocks_the_report_signal_and_executes",
        "closes_every_descriptor",
        "jumps_out_of_the_call",
        "fills_memory",
        "returns_from_a_signal_that_never_came",
        "floods_the_standard_streams",
        "halts_the_processor",
        "starts_threads_without_end_in_a_constructor",
        "ends_its_thread_at_once",
    ];
    let none = Path::new("/nonexistent");
    let policy = policy(NOTHING, &Stop::Ends, none, none);
    let paths = ways.map(|name| attack(name, &[]));
    // What is made once and stays (the thread that starts cells, allocator arenas) is made before the first look.
    let round = |paths: &[PathBuf]| {
        for path in paths {
            drop(outcome(path, &policy, Entry::Result));
        }
    };
    round(&paths[..4]);
    let count = |directory: &str| fs::read_dir(directory).expect("/proc of this process").count();
    let maps = || fs::read_to_string("/proc/self/maps").expect("maps").matches("lazaret-").count();
    let look = || (count("/proc/self/fd"), count("/proc/self/task"), maps(), children().split_whitespace().count());
    let before = look();
    round(&paths);
    assert_eq!(look(), before);
}

#[test]
fn what_a_call_left_is_gone_in_another_cell() {
    let path = attack("leaves_state", &[]);
    let mut cells = [compute(&path), compute(&path)];
    for expected in [-2, 0] {
        let outcome = call(&mut cells[0], "result() -> i32", &[]);
        assert!(Stop::Returns(expected).is_outcome(&outcome), "{outcome:?}");
    }
    let outcome = call(&mut cells[1], "result() -> i32", &[]);
    assert!(Stop::Returns(-2).is_outcome(&outcome), "{outcome:?}");
}

#[test]
fn a_request_is_read_only_for_the_cell() {
    let mut cell = compute(&attack("writes_into_its_request", &[]));
    let outcome = call(&mut cell, "into_the_request(from: in [u8; 4]) -> i32", &[crate::support::bytes(b"true")]);
    assert!(Stop::Crash("SIGSEGV").is_outcome(&outcome), "{outcome:?}");
}

#[test]
fn every_act_has_a_row_and_says_what_it_tries() {
    let mut files = BTreeSet::new();
    for group in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("attacks")).expect("the groups") {
        let group = group.expect("a group").path();
        if !group.is_dir() {
            continue;
        }
        for file in fs::read_dir(group).expect("acts") {
            let file = file.expect("an act").path();
            if file.extension().is_some_and(|extension| extension == "c") {
                let text = fs::read_to_string(&file).expect("read");
                let first = text.lines().next().unwrap_or_default();
                let sentence = first.strip_prefix("/* ").and_then(|rest| rest.strip_suffix(". */"));
                assert!(sentence.is_some(), "{}: its first line is no sentence", file.display());
                let name = file.file_stem().expect("a name").to_str().expect("UTF-8").to_owned();
                assert!(files.insert(name), "{}: two acts of one name", file.display());
            }
        }
    }
    let rows: BTreeSet<String> = every_act().iter().map(|row| row.name.to_owned()).collect();
    assert_eq!(rows.len(), every_act().len(), "an act has two rows");
    assert_eq!(files, rows);
    for row in every_act() {
        assert!(!row.proves.is_empty(), "{}", row.name);
    }
}

/// What the catalogue names and no act can show, and where it is looked after instead.
const WITHOUT_AN_ACT: [(&str, &str); 7] = [
    ("T09", "a matter of the file, not of its code: the audit decides before anything is mapped (bad_input.rs)"),
    ("T10", "as T09"),
    ("R13", "there are no handles yet: a plugin calls no function of the host"),
    ("L13", "the host knows its cells by descriptor (process.rs), and a plugin cannot choose a process id"),
    ("L19", "out of scope: whoever shares a processor shares its caches"),
    ("L22", "the cell's own steps fail, not the plugin: structure.rs has cell programs that stop halfway"),
    ("L23", "a matter of the kernel: the plans in policy/tests/golden say what is demanded of each"),
];

#[test]
fn every_entry_of_the_catalogue_has_an_act_or_a_reason() {
    let lengths = [('T', 13), ('H', 16), ('F', 11), ('N', 4), ('K', 18), ('R', 13), ('L', 23)];
    let ids = lengths.iter().flat_map(|(group, length)| (1..=*length).map(move |id| format!("{group}{id:02}")));
    let ids: BTreeSet<String> = ids.collect();
    let acts = every_act();
    let proved: BTreeSet<String> = acts.iter().flat_map(|act| act.proves.split(' ')).map(str::to_owned).collect();
    assert_eq!(ids.len(), 98);
    assert!(proved.is_subset(&ids), "{:?}", proved.difference(&ids));
    for id in &ids {
        let excused = WITHOUT_AN_ACT.iter().any(|(excused, _)| excused == id);
        assert!(proved.contains(id) || excused, "{id}");
    }
}

/// Starts a program as the first process of namespaces of its own; as an ordinary user, for a root that acts get must not
/// be this machine's.
fn in_namespaces(program: &Path) -> Command {
    let mut command = Command::new("unshare");
    command.args([
        "--user",
        "--map-root-user",
        "--mount",
        "--pid",
        "--fork",
        "--net",
        "--ipc",
        "--uts",
        "--kill-child",
    ]);
    command.arg(program).stdin(Stdio::null());
    if rustix::process::geteuid().is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    command
}

const NOBODY: u32 = 65534;

#[test]
fn acts_get_their_way_where_there_is_no_cell() {
    let runner = scratch().join("runs_without_a_cell");
    let source = source("host/runs_without_a_cell.c");
    let built = Command::new("cc").arg(source).arg("-o").arg(&runner).arg("-ldl").status();
    assert!(built.expect("a C compiler").success());
    let run = |path: &Path| in_namespaces(&runner).arg(path).output();
    let probe = run(&attack("reads_fine_clocks", &[]));
    match &probe {
        Ok(output) if output.stdout == b"returned 0\n" => {}
        other => {
            eprintln!("SKIPPED: no namespaces for an ordinary user here, so no act runs without a cell: {other:?}");
            return;
        }
    }
    let rows: Vec<Act> = every_act().into_iter().filter(Act::exists_here).collect();
    let failures = Mutex::new(Vec::new());
    in_parallel(
        &rows,
        || (),
        |row, ()| {
            if let Alone::Never(_) | Alone::Maybe(_) = row.alone {
                return;
            }
            let output = run(&attack(row.name, &[])).expect("unshare");
            let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
            let returned = said.strip_prefix("returned ").and_then(|value| value.parse::<i32>().ok());
            // A kernel that was built without what the act is about: nothing to get.
            let lacks = matches!(returned, Some(-38 | -93 | -94 | -95 | -96 | -97));
            let is = match row.alone {
                Alone::Works if lacks => {
                    eprintln!("SKIPPED: {} without a cell: this kernel has no such thing ({said})", row.name);
                    true
                }
                Alone::Works => returned.is_some_and(|value| value >= 0),
                Alone::Dies => said.starts_with("signal ") || said == "exit 0",
                Alone::Exits => said.starts_with("exit "),
                Alone::Stays => said == "stays",
                Alone::Fails(errno) => returned == Some(-errno),
                Alone::Maybe(_) | Alone::Never(_) => true,
            };
            if !is {
                let line = format!("{}: expected {:?}, was {said} {output:?}", row.name, row.alone);
                failures.lock().expect("no panic with it held").push(line);
            }
        },
    );
    report(failures);
}
