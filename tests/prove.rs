//! `lazaret prove`: that its table tells what was stopped from what was not.

use std::fs;

use serde_json::Value as Json;

use crate::support::{directory, lazaret, policy_file, scratch, text};

fn proof(words: &[&str], status: i32) -> Json {
    let output = lazaret([&["prove", "--json"], words].concat());
    let (out, errors) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(status), "{words:?}\n{out}\n{errors}");
    assert_eq!(errors, "", "with --json everything is on standard output");
    let proof: Json = serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {out}"));
    assert_eq!(proof["schema"], 1);
    proof
}

fn rows(proof: &Json) -> &Vec<Json> {
    proof["acts"].as_array().expect("a list")
}

/// The names of the acts: one for each file.
fn names() -> Vec<String> {
    let groups = fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/attacks")).expect("the groups of acts");
    let files = groups.flat_map(|group| fs::read_dir(group.expect("a group").path()).into_iter().flatten());
    let paths = files.map(|file| file.expect("a file").path());
    let acts = paths.filter(|path| path.extension().is_some_and(|extension| extension == "c"));
    acts.map(|path| path.file_stem().expect("a name").to_string_lossy().into_owned()).collect()
}

#[test]
fn no_act_gets_its_way_under_a_policy_that_permits_computing() {
    let proof = proof(&[], 0);
    let mut proved: Vec<&str> = rows(&proof).iter().filter_map(|row| row["name"].as_str()).collect();
    let mut names = names();
    proved.sort_unstable();
    names.sort_unstable();
    assert_eq!(proved, names, "every act of the tests is part of the program");
    assert_eq!((&proof["policy"]["name"], &proof["summary"]["not_stopped"]), (&"compute".into(), &0.into()));
    assert!(proof["kernel"]["release"].as_str().is_some_and(|release| !release.is_empty()));
    for row in rows(&proof) {
        // What is permitted here is so everywhere, and says why.
        let permitted = row["verdict"] == "permitted";
        assert!(row["verdict"] == "stopped" || permitted && row["how"].is_string(), "{row}");
    }
    // A table that could not show a failure would prove nothing.
    for part in ["process", "seccomp", "landlock", "limits"] {
        let with = |result: &str| rows(&proof).iter().filter(|row| row["alone"][part]["result"] == result).count();
        assert!(with("not-stopped") > 0 && with("stopped") > 0, "{part} alone stops something, and not everything");
        assert_eq!(with("failed"), 0, "{part}");
    }
}

#[test]
fn each_layer_alone_stops_what_it_is_for() {
    let acts = ["executes", "opens_a_file_not_granted", "fills_memory_at_once", "loops_for_ever", "claims_a_length"];
    let proof = proof(&[&["--act"], &acts[..]].concat(), 0);
    let row = |name: &str| rows(&proof).iter().find(|row| row["name"] == name).expect("a row");
    let alone = |name: &str, part: &str| row(name)["alone"][part]["result"].as_str().expect("a result").to_owned();
    assert_eq!(row("executes")["stopped_by"], "seccomp");
    assert_eq!(row("executes")["how"], "`execve` refused");
    assert_eq!((alone("executes", "seccomp"), alone("executes", "process")), ("stopped".into(), "not-stopped".into()));
    assert_eq!(alone("opens_a_file_not_granted", "landlock"), "stopped");
    assert_eq!(alone("opens_a_file_not_granted", "limits"), "not-stopped");
    assert_eq!(row("fills_memory_at_once")["stopped_by"], "limits");
    assert_eq!(alone("fills_memory_at_once", "seccomp"), "untried", "the machine would be without memory");
    assert_eq!(row("loops_for_ever")["stopped_by"], "process");
    assert_eq!(alone("loops_for_ever", "seccomp"), "same-as-process");
    assert_eq!(row("claims_a_length")["how"], "a lie, noticed");
}

const READER: &str = "lazaret = 1\nname = \"reader\"\n[trust]\nunsigned = true\n[elf]\nneeded = [\"libc.so.6\"]\n\
                      [files]\nread = [\"/etc/passwd\"]\n[syscalls]\nallow = [\"@compute\", \"@files-read\"]\n";

#[test]
fn what_a_policy_grants_is_permitted_by_its_line() {
    let policy = policy_file("prove-reader", READER);
    let policy = policy.to_str().expect("UTF-8");
    let granted = proof(&["--policy", policy, "--act", "opens_a_file_not_granted", "lists_the_root"], 0);
    let row = |name: &str| rows(&granted).iter().find(|row| row["name"] == name).expect("a row");
    let twin = row("lists_the_root");
    let row = row("opens_a_file_not_granted");
    assert_eq!(row["verdict"], "permitted");
    let line = &row["permitted_by"][0];
    assert_eq!((&line["source"], &line["line"], &line["key"]), (&policy.into(), &8.into(), &"files.read".into()));
    assert_eq!(row["alone"]["landlock"]["result"], "not-stopped");
    // Beside it, what the same calls are refused for, by the layer that can tell.
    assert_eq!((&twin["stopped_by"], &twin["how"]), (&"landlock".into(), &"answered EACCES".into()));
    let output = lazaret(["prove", "--policy", policy, "--act", "opens_a_file_not_granted"]);
    assert!(text(&output.stdout).contains(&format!("by {policy}:8 `files.read`")), "{}", text(&output.stdout));
}

#[test]
fn what_gets_its_way_without_a_grant_is_a_failure() {
    // The call is granted, and no act says that this is what permits it.
    let policy = policy_file(
        "prove-careless",
        "lazaret = 1\nname = \"careless\"\n[trust]\nunsigned = true\n[elf]\nneeded = [\"libc.so.6\"]\n\
         [syscalls]\nallow = [\"@compute\", \"setfsuid\"]\n",
    );
    let words = ["--policy", policy.to_str().expect("UTF-8"), "--act", "opens_files_as_root"];
    let careless = proof(&words, 1);
    assert_eq!(rows(&careless)[0]["verdict"], "not-stopped");
    let output = lazaret([&["prove"], &words[..]].concat());
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stdout).contains("1 NOT STOPPED: opens_files_as_root"), "{}", text(&output.stdout));
}

#[test]
fn a_broken_policy_gives_its_diagnostics() {
    let policy = policy_file("prove-broken", "lazaret = 1\nname = \"broken\"\n[syscalls]\nalow = [\"@compute\"]\n");
    let output = lazaret(["prove", "--policy", policy.to_str().expect("UTF-8")]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("alow"), "{}", text(&output.stderr));
    let broken = proof(&["--policy", policy.to_str().expect("UTF-8")], 1);
    assert_eq!(broken["error"]["code"], "E-POLICY");
}

#[test]
fn what_this_machine_lacks_is_said_before_anything_runs() {
    let policy = policy_file(
        "prove-demanding",
        "lazaret = 1\nname = \"demanding\"\n[trust]\nunsigned = true\n[layers]\nrequire = [\"apparmor\"]\n",
    );
    let lacking = proof(&["--policy", policy.to_str().expect("UTF-8"), "--act", "executes"], 3);
    assert_eq!(lacking["error"]["code"], "E-MACHINE");
}

#[test]
fn a_name_that_is_no_act_gets_the_nearest_ones() {
    for (word, near) in [
        ("execute", "executes"),
        ("signals_teh_host", "signals_the_host"),
        ("fills_memroy", "fills_memory"),
        ("kernel_mod", "loads_a_kernel_module"),
    ] {
        let output = lazaret(["prove", "--act", word]);
        assert_eq!(output.status.code(), Some(2), "{word}");
        let errors = text(&output.stderr);
        assert!(errors.contains("E-NO-ACT") && errors.contains(&format!("`{near}`")), "{errors}");
    }
    assert_eq!(proof(&["--act", "\u{1b}[31m"], 2)["error"]["code"], "E-NO-ACT");
}

#[test]
fn the_page_needs_nothing_else_and_takes_what_a_policy_says_for_text() {
    let place = directory("prove <b>&\"page\"");
    let policy = place.join("policy.toml");
    fs::write(&policy, READER).expect("write");
    let page = scratch().join("proof.html");
    let words = ["prove", "--act", "executes", "opens_a_file_not_granted", "--policy"];
    let output =
        lazaret(words.into_iter().chain([policy.to_str().expect("UTF-8"), "--html", page.to_str().expect("UTF-8")]));
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("proof.html"), "{}", text(&output.stderr));
    let page = fs::read_to_string(page).expect("the page");
    for part in ["<!DOCTYPE html>", "executes", "seccomp", "1 of 2 acts stopped", "&lt;b&gt;&amp;&quot;page&quot;"] {
        assert!(page.contains(part), "{part} is missing:\n{page}");
    }
    for outside in ["http", "<script", "<link", "<img", "url(", "@import", "<b>", "style="] {
        assert!(!page.contains(outside), "{outside}");
    }
    let output = lazaret(["prove", "--act", "executes", "--html", "/no/such/directory/page.html"]);
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn the_table_fits_a_terminal_and_is_not_coloured_for_a_file() {
    let output = lazaret(["prove", "--act", "reads_fine_clocks", "executes", "leaves_a_thread", "claims_no_length"]);
    let out = text(&output.stdout);
    assert!(!out.contains('\u{1b}'), "{out:?}");
    for line in out.lines() {
        assert!(line.chars().count() <= 100, "{line}");
    }
    for part in ["KERNEL", "executes", "seccomp: `execve`", "harmless", "stops it alone"] {
        assert!(out.contains(part), "{part} is missing:\n{out}");
    }
}
