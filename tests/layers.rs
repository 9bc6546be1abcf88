//! Each layer by itself, with the other layers permitting the act, and each denial beside what the policy permits.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use lazaret::{CellError, Error, Layer, Opened, Outcome, Reports, Value};

use crate::support::{attack, bytes, call, directory, load, plugin, policy_file, returned};

const EACCES: i64 = 13;
const READ: &str = "read_file(path: cstr, into: out [u8; length], length: u64) -> i64";
const WRITE: &str = "write_file(path: cstr, from: in [u8; length], length: u64) -> i64";
const CONNECT: &str = "connect_to(port: u16) -> i32";

/// A policy with its own grants on top of what every plugin here needs.
fn policy(name: &str, sections: &str, calls: &str) -> String {
    let text = format!(
        "lazaret = 1\nname = \"{name}\"\n[trust]\nunsigned = true\n[elf]\nneeded = [\"libc.so.6\"]\n\
         [syscalls]\nallow = [\"@compute\", {calls}]\non-deny = \"kill\"\n{sections}"
    );
    policy_file(name, &text).to_str().expect("UTF-8").to_owned()
}

fn attempt(policy: &str, signature: &str, arguments: &[Value]) -> Outcome {
    let mut loaded = load(&plugin("good/touches_files.c", &[]), policy).expect("load");
    call(&mut loaded.cell, signature, arguments)
}

fn path(path: &Path) -> Value {
    bytes(path.to_str().expect("UTF-8").as_bytes())
}

/// A file that everybody may read, so that only Landlock can refuse it.
fn readable(directory: &Path, content: &str) -> std::path::PathBuf {
    fs::set_permissions(directory, fs::Permissions::from_mode(0o755)).expect("permissions");
    let file = directory.join("file");
    fs::write(&file, content).expect("write");
    file
}

#[test]
fn landlock_alone_refuses_a_file_that_is_not_granted() {
    let (granted, other) = (directory("landlock-granted"), directory("landlock-other"));
    let (file, outside) = (readable(&granted, "granted"), readable(&other, "not granted"));
    let grant = format!("[files]\nread = [\"{}\"]\n", granted.display());
    let policy = policy("landlock-read", &grant, "\"@files-read\"");
    let outcome = attempt(&policy, READ, &[path(&file), Value::Unsigned(100)]);
    let Outcome::Returned(back) = outcome else { panic!("{outcome:?}") };
    assert_eq!(back.result, Value::Signed(7), "the granted file is read");
    let outcome = attempt(&policy, READ, &[path(&outside), Value::Unsigned(100)]);
    assert_eq!(returned(outcome), Value::Signed(-EACCES), "seccomp permits the call; Landlock refuses the file");
}

/// The manifest of a bundle that asks to read one directory.
fn manifest_asking(bundle: &Path, directory: &str) -> String {
    let bytes = fs::read(bundle.join("plugin.so")).expect("read");
    let hash = ring::digest::digest(&ring::digest::SHA256, &bytes);
    let digest = lazaret_policy::Digest(hash.as_ref().try_into().expect("32 bytes")).to_string();
    format!(
        r#"{{"_type":"https://lazaret/plugin/v1","name":"acme/links","version":"1.0.0","epoch":1,"serial":1,
            "created":"2026-11-22T00:00:00Z","publisher":"acme","targets":[{{"arch":"{}","os":"linux","libc":"glibc",
            "files":[{{"role":"elf","path":"plugin.so","size":{},"sha256":"{}"}}]}}],
            "requests":{{"files":{{"read":["{directory}"]}}}}}}"#,
        std::env::consts::ARCH,
        bytes.len(),
        digest.trim_start_matches("sha256:")
    )
}

#[test]
fn a_link_in_a_bundle_does_not_choose_what_is_granted() {
    let place = directory("linked-bundle");
    let secret = directory("linked-secret");
    let file = readable(&secret, "secret");
    fs::set_permissions(&place, fs::Permissions::from_mode(0o755)).expect("permissions");
    fs::copy(plugin("good/touches_files.c", &[]), place.join("plugin.so")).expect("copy");
    fs::write(place.join("plugin.json"), manifest_asking(&place, "${bundle}/assets")).expect("write");
    let grant = "[files]\nread = [\"${bundle}/assets\"]\n";
    let policy = policy("linked-bundle", grant, "\"@files-read\"");
    // Its twin first: a directory is granted.
    fs::create_dir_all(place.join("assets")).expect("a directory");
    let inside = readable(&place.join("assets"), "granted");
    let mut loaded = load(&place, &policy).expect("load");
    let outcome = call(&mut loaded.cell, READ, &[path(&inside), Value::Unsigned(100)]);
    assert_eq!(returned(outcome), Value::Signed(7));
    // What the plugin asks for beneath a grant leads through no link either.
    std::os::unix::fs::symlink(&secret, place.join("way-out")).expect("link");
    let asked = manifest_asking(&place, &format!("{}/way-out", place.display()));
    fs::write(place.join("plugin.json"), asked).expect("write");
    let whole = format!("[files]\nread = [\"{}\"]\n", place.display());
    let whole = self::policy("linked-requests", &whole, "\"@files-read\"");
    match load(&place, &whole) {
        Err(Error::Cell(error)) => assert!(error.hint().expect("a hint").contains("symbolic link"), "{error}"),
        other => panic!("{other:?}"),
    }
    fs::write(place.join("plugin.json"), manifest_asking(&place, "${bundle}/assets")).expect("write");
    // A link to a directory elsewhere is not.
    fs::remove_dir_all(place.join("assets")).expect("remove");
    std::os::unix::fs::symlink(&secret, place.join("assets")).expect("link");
    match load(&place, &policy) {
        Err(Error::Cell(CellError::Step { subject: Some(subject), .. })) => assert!(subject.contains("assets")),
        Err(other) => panic!("{other:?}"),
        Ok(mut loaded) => {
            panic!("{:?}", call(&mut loaded.cell, READ, &[path(&file), Value::Unsigned(100)]));
        }
    }
}

#[test]
fn seccomp_alone_refuses_a_call_on_a_granted_file() {
    let granted = directory("seccomp-granted");
    let file = readable(&granted, "granted");
    let grant = format!("[files]\nread = [\"{}\"]\n", granted.display());
    let policy = policy("seccomp-read", &grant, "\"@threads\"");
    match attempt(&policy, READ, &[path(&file), Value::Unsigned(100)]) {
        Outcome::Violated(violation) => {
            assert_eq!((violation.layer, violation.act.as_str()), (Layer::Seccomp, "openat"));
            assert_eq!(violation.place.expect("a place").symbol, "read_file");
            let advice = violation.advice.expect("advice");
            assert!(advice.snippet.expect("a snippet").contains("@files-read"));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_granted_directory_is_written_and_a_read_only_one_is_not() {
    let (writable, only_read) = (directory("write-granted"), directory("write-read-only"));
    for directory in [&writable, &only_read] {
        fs::set_permissions(directory, fs::Permissions::from_mode(0o777)).expect("permissions");
    }
    let grants = format!(
        "[files]\nread = [\"{}\"]\nwrite = [\"{}\"]\n[limits]\nfile-size = \"1 KiB\"\n",
        only_read.display(),
        writable.display()
    );
    let policy = policy("landlock-write", &grants, "\"@files-read\", \"@files-write\"");
    let text = bytes(b"written");
    let outcome = attempt(&policy, WRITE, &[path(&writable.join("new")), text.clone(), Value::Length]);
    assert_eq!(returned(outcome), Value::Signed(7));
    assert_eq!(fs::read(writable.join("new")).expect("read"), b"written");
    let outcome = attempt(&policy, WRITE, &[path(&only_read.join("new")), text, Value::Length]);
    assert_eq!(returned(outcome), Value::Signed(-EACCES));
    assert!(!only_read.join("new").exists());
}

#[test]
fn a_file_cannot_grow_past_its_limit() {
    let writable = directory("size-granted");
    fs::set_permissions(&writable, fs::Permissions::from_mode(0o777)).expect("permissions");
    let grants = format!("[files]\nwrite = [\"{}\"]\n[limits]\nfile-size = \"1 KiB\"\n", writable.display());
    let policy = policy("size", &grants, "\"@files-read\", \"@files-write\"");
    let file = writable.join("new");
    let arguments = [path(&file), bytes(&[b'x'; 4096]), Value::Length];
    // The first write stops at the limit; what is beyond is the signal SIGXFSZ or EFBIG, as setrlimit(2) has it.
    match attempt(&policy, WRITE, &arguments) {
        Outcome::Returned(back) => assert_eq!(back.result, Value::Signed(1024)),
        Outcome::Violated(violation) => assert_eq!(violation.layer, Layer::Limits),
        other => panic!("{other:?}"),
    }
    assert!(fs::metadata(&file).expect("metadata").len() <= 1024);
}

#[test]
fn landlock_alone_refuses_a_port_that_is_not_granted() {
    let listeners = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").expect("listen"));
    let [granted, other] = [0, 1].map(|at: usize| listeners[at].local_addr().expect("address").port());
    let grant = format!("[network]\nconnect = [\"tcp:{granted}\"]\n[layers]\nrequire = [\"landlock>=4\"]\n");
    let policy = policy("landlock-port", &grant, "\"@network-client\"");
    assert_eq!(returned(attempt(&policy, CONNECT, &[Value::Unsigned(granted.into())])), Value::Signed(0));
    assert_eq!(returned(attempt(&policy, CONNECT, &[Value::Unsigned(other.into())])), Value::Signed(-EACCES));
}

#[test]
fn seccomp_alone_refuses_a_socket_for_a_granted_port() {
    let policy = policy("seccomp-port", "[network]\nconnect = [\"tcp:443\"]\n", "\"@threads\"");
    match attempt(&policy, CONNECT, &[Value::Unsigned(443)]) {
        Outcome::Violated(violation) => {
            assert_eq!((violation.layer, violation.act.as_str()), (Layer::Seccomp, "socket"))
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_root_host_gives_its_cells_another_user_without_capabilities() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("SKIPPED: the change of user is for root hosts; this test does not run as root");
        return;
    }
    let granted = directory("identity");
    let file = readable(&granted, "for root alone");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("permissions");
    let grant = format!("[files]\nread = [\"{}\"]\n", granted.display());
    let policy = policy("identity", &grant, "\"@files-read\"");
    // Landlock and seccomp permit it; the file's owner is root, and the cell is not, nor has it CAP_DAC_OVERRIDE.
    let outcome = attempt(&policy, READ, &[path(&file), Value::Unsigned(100)]);
    assert_eq!(returned(outcome), Value::Signed(-EACCES));
}

#[test]
fn a_refused_call_answers_with_an_errno_where_the_policy_says_so() {
    let text = "lazaret = 1\nname = \"errno\"\n[trust]\nunsigned = true\n[elf]\nneeded = [\"libc.so.6\"]\n\
                [syscalls]\nallow = [\"@compute\"]\non-deny = \"errno\"\n";
    let policy = policy_file("errno", text);
    let mut loaded = load(&attack("executes", &[]), policy.to_str().expect("UTF-8")).expect("load");
    assert_eq!(returned(call(&mut loaded.cell, "result() -> i32", &[])), Value::Signed(-1), "EPERM");
}

/// What a watching host is told after a call.
fn watched(policy: &str, signature: &str, arguments: &[Value]) -> (Outcome, Reports) {
    let host = crate::support::host().watching();
    let policy = host.policy(policy).expect("a policy");
    let opened = Opened::open(&plugin("good/touches_files.c", &[])).expect("open");
    let mut cell = host.load(opened, policy).expect("load").cell;
    let outcome = call(&mut cell, signature, arguments);
    let reports = cell.reports();
    assert_eq!(cell.reports(), Reports::default(), "told once");
    (outcome, reports)
}

#[test]
fn a_watching_host_is_told_which_file_landlock_refused_and_what_would_grant_it() {
    let granted = directory("watch-granted");
    let (inside, outside) = (readable(&granted, "inside"), readable(&directory("watch-other"), "outside"));
    let grant = format!("[files]\nread = [\"{}\"]\n", granted.display());
    let policy = policy("watch", &grant, "\"@files-read\", \"@files-write\"");

    let (outcome, reports) = watched(&policy, READ, &[path(&inside), Value::Unsigned(6)]);
    assert_eq!((returned(outcome), reports.list.len()), (Value::Signed(6), 0), "permitted, and nothing to tell");

    let (outcome, reports) = watched(&policy, READ, &[path(&outside), Value::Unsigned(6)]);
    assert_eq!(returned(outcome), Value::Signed(-EACCES), "as without watching");
    let [report] = &reports.list[..] else { panic!("{reports:?}") };
    assert_eq!((report.layer, report.act.as_str(), report.claim), (Layer::Landlock, "openat", true));
    assert_eq!(report.path.as_deref(), outside.to_str());
    assert_eq!(report.place.as_ref().expect("a place").symbol, "read_file");
    let advice = report.advice.as_ref().expect("advice");
    let snippet = advice.snippet.as_ref().expect("a snippet");
    assert_eq!(advice.key, "files.read");
    assert!(snippet.contains(granted.to_str().expect("UTF-8")) && snippet.contains(outside.to_str().expect("UTF-8")));
    // What it says can be pasted: then the same is permitted.
    let list = snippet.lines().nth(1).expect("a list");
    let policy = self::policy("watch-pasted", &format!("[files]\n{list}\n"), "\"@files-read\", \"@files-write\"");
    let (outcome, reports) = watched(&policy, READ, &[path(&outside), Value::Unsigned(6)]);
    assert_eq!((returned(outcome), reports.list.len()), (Value::Signed(6), 0));

    let (outcome, reports) =
        watched(&policy, WRITE, &[path(&inside.with_file_name("new")), bytes(b"x"), Value::Length]);
    assert_eq!(returned(outcome), Value::Signed(-EACCES));
    assert_eq!(reports.list[0].advice.as_ref().expect("advice").key, "files.write");
    // A file that is not there is nobody's refusal.
    let (_, reports) = watched(&policy, READ, &[path(&inside.with_file_name("none")), Value::Unsigned(6)]);
    assert_eq!(reports, Reports::default());
}

#[test]
fn a_watching_host_is_told_which_port_landlock_refused() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("listen");
    let port = listener.local_addr().expect("address").port();
    let policy = policy("watch-port", "[network]\nconnect = [\"tcp:1\"]\n", "\"@network-client\"");
    let (outcome, reports) = watched(&policy, CONNECT, &[Value::Unsigned(port.into())]);
    assert_eq!(returned(outcome), Value::Signed(-EACCES));
    assert_eq!(reports.list[0].path.as_deref(), Some(format!("tcp:{port}").as_str()));
    let advice = reports.list[0].advice.as_ref().expect("advice");
    assert_eq!(advice.snippet.as_deref(), Some(format!("[network]\nconnect = [\"tcp:1\", \"tcp:{port}\"]\n").as_str()));
}

#[test]
fn a_file_tree_of_its_own_has_what_is_granted_and_nothing_else() {
    if !crate::support::host().kernel().expect("a cell").namespaces.mount {
        eprintln!("SKIPPED: this machine gives cells no mount namespace");
        return;
    }
    let granted = directory("tree-granted");
    let (inside, outside) = (readable(&granted, "inside"), readable(&directory("tree-other"), "outside"));
    fs::set_permissions(&granted, fs::Permissions::from_mode(0o777)).expect("permissions");
    let grant = format!("[files]\nread = [\"{}\"]\n[layers]\nrequire = [\"mount\"]\n", granted.display());
    let policy = policy("tree", &grant, "\"@files-read\", \"@files-write\"");
    let (outcome, _) = watched(&policy, READ, &[path(&inside), Value::Unsigned(6)]);
    assert_eq!(returned(outcome), Value::Signed(6));
    let (outcome, reports) = watched(&policy, READ, &[path(&outside), Value::Unsigned(6)]);
    assert_eq!(returned(outcome), Value::Signed(-2), "ENOENT: it is not there");
    assert_eq!(reports.list[0].layer, Layer::Mount);
}

#[test]
fn a_refused_call_is_reported_and_the_plugin_goes_on_where_the_policy_says_so() {
    let text = "lazaret = 1\nname = \"report\"\n[trust]\nunsigned = true\n[elf]\nneeded = [\"libc.so.6\"]\n\
                [syscalls]\nallow = [\"@compute\"]\nrules = [{ call = \"execve\", answer = \"report\" }]\n";
    let policy = policy_file("report", text);
    let mut cell = load(&attack("executes", &[]), policy.to_str().expect("UTF-8")).expect("load").cell;
    assert_eq!(returned(call(&mut cell, "result() -> i32", &[])), Value::Signed(-1), "EPERM");
    let reports = cell.reports();
    assert_eq!((reports.list.len(), reports.lost), (1, 0));
    assert_eq!((reports.list[0].layer, reports.list[0].act.as_str()), (Layer::Seccomp, "execve"));
    for _ in 0..20 {
        assert_eq!(returned(call(&mut cell, "result() -> i32", &[])), Value::Signed(-1));
    }
    let reports = cell.reports();
    assert_eq!((reports.list.len(), reports.lost), (8, 12), "the newest, and how many there were");
}
