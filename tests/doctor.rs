//! What `lazaret doctor` says of the machine that the tests run on, and of one with less.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use lazaret::doctor::{Diagnosis, State, examine};
use lazaret::{CellError, Error, Host};
use serde_json::Value as Json;

use crate::support::{CELL, LAZARET, lazaret, text};

fn json(output: &Output) -> Json {
    let out = text(&output.stdout);
    serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {out}\n{}", text(&output.stderr)))
}

#[track_caller]
fn check<'a>(answer: &'a Json, id: &str) -> &'a Json {
    let checks = answer["checks"].as_array().expect("a list");
    checks.iter().find(|check| check["id"] == id).unwrap_or_else(|| panic!("no {id}: {answer}"))
}

/// Whether this machine has AppArmor on.
fn apparmor() -> bool {
    fs::read("/proc/self/attr/apparmor/current").is_ok()
}

/// The programs where every user may execute them, or `None` where this user cannot become another.
fn for_everybody(name: &str) -> Option<PathBuf> {
    if !rustix::process::geteuid().is_root() {
        eprintln!("SKIPPED: only root can change what this test changes");
        return None;
    }
    let directory = std::env::temp_dir().join(format!("lazaret-doctor-{name}-{}", std::process::id()));
    fs::create_dir_all(&directory).expect("a directory");
    fs::set_permissions(&directory, fs::Permissions::from_mode(0o755)).expect("permissions");
    for program in [LAZARET, CELL] {
        fs::copy(program, directory.join(Path::new(program).file_name().expect("a name"))).expect("copy");
    }
    Some(directory)
}

#[test]
fn a_machine_on_which_the_tests_run_lacks_nothing_that_is_required() {
    let output = lazaret(["doctor", "--json"]);
    let answer = json(&output);
    assert_eq!((output.status.code(), text(&output.stderr).as_str()), (Some(0), ""), "{answer}");
    assert_eq!(answer["schema"], 1);
    for id in ["kernel", "procfs", "host", "cell", "landlock", "seccomp", "policy-compute"] {
        // An old Landlock is a warning: it is enough for `builtin:compute`.
        let expected = if id == "landlock" { &["ok", "warning"][..] } else { &["ok"] };
        assert!(expected.iter().any(|state| check(&answer, id)["state"] == *state), "{}", check(&answer, id));
    }
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").expect("the release");
    assert!(check(&answer, "kernel")["found"].as_str().expect("text").contains(release.trim()), "{answer}");
    let abi = crate::support::host().kernel().expect("a cell").landlock_abi;
    assert!(check(&answer, "landlock")["found"].as_str().expect("text").starts_with(&format!("ABI {abi}")));
}

#[test]
fn every_check_has_a_name_and_whatever_is_not_well_has_a_fix() {
    let answer = json(&lazaret(["doctor", "--json"]));
    let checks = answer["checks"].as_array().expect("a list");
    let ids: BTreeSet<&str> = checks.iter().map(|check| check["id"].as_str().expect("a name")).collect();
    assert_eq!(ids.len(), checks.len(), "no two of one name");
    for check in checks {
        let id = check["id"].as_str().expect("a name");
        assert!(id.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'), "{id}");
        assert!(!check["found"].as_str().expect("text").is_empty(), "{check}");
        match check["state"].as_str().expect("a state") {
            "ok" => assert!(check.get("fix").is_none(), "{check}"),
            "warning" | "missing" => assert!(!check["fix"].as_str().expect("a fix").is_empty(), "{check}"),
            other => panic!("{other}"),
        }
    }
}

#[test]
fn profiles_are_looked_at_where_apparmor_is_on_and_its_absence_is_one_warning_where_it_is_not() {
    let answer = json(&lazaret(["doctor", "--json"]));
    let checks = answer["checks"].as_array().expect("a list");
    let profiles = checks.iter().filter(|check| check["id"].as_str().is_some_and(|id| id.starts_with("profile-")));
    let profiles = profiles.count();
    if apparmor() {
        // Its list of profiles may still be out of sight.
        assert!(profiles == 6 || check(&answer, "apparmor")["state"] == "warning", "{answer}");
        return;
    }
    assert_eq!((profiles, &check(&answer, "apparmor")["state"]), (0, &Json::from("warning")), "{answer}");
    let fix = check(&answer, "apparmor")["fix"].as_str().expect("a fix");
    assert!(fix.contains("apparmor=1 security=apparmor"), "{fix}");
}

#[test]
fn people_get_a_line_for_each_check_and_its_fix_beneath() {
    let output = lazaret(["doctor"]);
    let out = text(&output.stdout);
    assert!(!out.contains('\u{1b}'), "no colours where nobody looks: {out:?}");
    assert!(out.lines().all(|line| line.chars().count() <= 100 || !line.contains("  ")), "{out}");
    let answer = json(&lazaret(["doctor", "--json"]));
    let checks = answer["checks"].as_array().expect("a list");
    let heads: Vec<&str> = out.lines().filter(|line| !line.starts_with(' ')).collect();
    assert_eq!(heads.len(), checks.len(), "{out}");
    for (head, check) in heads.iter().zip(checks) {
        let words: Vec<&str> = head.split_whitespace().take(2).collect();
        assert_eq!(words, [check["state"].as_str().expect("a state"), check["id"].as_str().expect("a name")], "{out}");
    }
    let fixes = checks.iter().filter(|check| check.get("fix").is_some()).count();
    assert_eq!(out.lines().filter(|line| line.trim_start().starts_with("fix: ")).count(), fixes, "{out}");
}

#[test]
fn without_a_cell_program_everything_else_is_still_looked_at() {
    let absent = Host::with_cell_program(Path::new("/no/such/lazaret-cell")).expect_err("there is none");
    // A program that is no cell: it ends at once.
    let another = Host::with_cell_program(Path::new("/bin/true")).expect("a program");
    let whole = examine(Ok(&crate::support::host()));
    assert!(whole.is_able(), "{whole:?}");
    for (diagnosis, said) in [(examine(Err(&absent)), "/no/such/lazaret-cell"), (examine(Ok(&another)), "")] {
        assert!(!diagnosis.is_able());
        let ids = |diagnosis: &Diagnosis| diagnosis.checks.iter().map(|check| check.id.clone()).collect::<Vec<_>>();
        assert_eq!(ids(&diagnosis), ids(&whole));
        let missing: Vec<_> =
            diagnosis.checks.iter().filter(|check| matches!(check.state, State::Missing { .. })).collect();
        assert_eq!(missing.len(), 1, "{missing:?}");
        assert_eq!(missing[0].id, "cell");
        assert!(missing[0].found.contains(said), "{missing:?}");
    }
    let unreadable = Error::Cell(CellError::OutOfReach);
    let cell = examine(Err(&unreadable)).checks.into_iter().find(|check| check.id == "cell").expect("a check");
    assert!(cell.state.fix().expect("a fix").contains("abstractions/lazaret-host"), "the hint of the error itself");
}

#[test]
fn an_ordinary_user_and_one_without_new_privileges_get_an_answer_of_their_own() {
    let Some(directory) = for_everybody("user") else { return };
    let words = ["--reuid=65534", "--regid=65534", "--clear-groups", "--no-new-privs"];
    let output = Command::new("setpriv").args(words).arg(directory.join("lazaret")).args(["doctor", "--json"]).output();
    fs::remove_dir_all(&directory).expect("remove");
    let answer = json(output.as_ref().expect("setpriv"));
    assert_eq!(check(&answer, "cell")["state"], "ok", "{answer}");
    let host = check(&answer, "host")["found"].as_str().expect("text");
    assert!(host.starts_with("user 65534, under ") && host.contains("no_new_privs"), "{host}");
    assert_eq!(output.expect("setpriv").status.code(), Some(0));
}

#[test]
fn without_procfs_the_answer_says_what_to_mount() {
    let Some(directory) = for_everybody("proc") else { return };
    let script = "mount --make-rprivate / && umount -l /proc || exit 99; exec \"$0\" doctor --json";
    let output = Command::new("unshare").args(["-m", "sh", "-c", script]).arg(directory.join("lazaret")).output();
    fs::remove_dir_all(&directory).expect("remove");
    let output = output.expect("unshare");
    if !matches!(output.status.code(), Some(0 | 3)) {
        eprintln!("SKIPPED: this machine lets nobody unmount: {}", text(&output.stderr));
        return;
    }
    let answer = json(&output);
    assert_eq!(output.status.code(), Some(3), "{answer}");
    assert_eq!(check(&answer, "procfs")["fix"], "`mount -t proc proc /proc`, as root");
    assert_eq!(check(&answer, "cell")["fix"], check(&answer, "procfs")["fix"]);
    assert_eq!(check(&answer, "seccomp")["state"], "ok", "which no file needs to say");
}
