//! The program as scripts and people use it: what it prints where, and with which status it ends.

use serde_json::Value as Json;

use crate::support::{attack, lazaret, library, plugin, policy_file, text};

fn json(words: &[&str], status: i32) -> Json {
    let output = lazaret(words);
    let (out, errors) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(status), "{words:?}\n{out}\n{errors}");
    assert_eq!(errors, "", "with --json everything is on standard output");
    let value: Json = serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {out}"));
    assert_eq!(value["schema"], 1, "{out}");
    value
}

#[test]
fn the_main_job_works_on_libraries_that_nobody_here_wrote() {
    let (zlib, libm) = (library("libz.so.1"), library("libm.so.6"));
    let (zlib, libm) = (zlib.to_str().expect("UTF-8"), libm.to_str().expect("UTF-8"));
    let crc32 = "crc32(crc: u64, buf: in [u8; len], len: u32) -> u64";
    for (words, printed) in [
        (vec!["call", zlib, crc32, "0", "hello", "5"], "907060870\n"),
        (vec!["call", zlib, crc32, "0", "hello", "_"], "907060870\n"),
        (vec!["call", zlib, crc32, "0", "hex:68656c6c6f", "_"], "907060870\n"),
        (vec!["call", libm, "cos(x: f64) -> f64", "0.5"], "0.8775825618903728\n"),
    ] {
        let output = lazaret(&words);
        assert_eq!((output.status.code(), text(&output.stdout).as_str()), (Some(0), printed), "{words:?}");
        assert!(text(&output.stderr).contains("nobody vouches for this file"), "unsigned, and it says so");
    }
    let output = lazaret(["call", zlib, "zlibVersion() -> cstr"]);
    assert!(text(&output.stdout).starts_with("1."), "{output:?}");
}

#[test]
fn zlib_compresses_and_gives_back_what_went_in() {
    let zlib = library("libz.so.1");
    let zlib = zlib.to_str().expect("UTF-8");
    let compress = "compress(into: out [u8; size], size: inout u64, from: in [u8; count], count: u64) -> i32";
    let plain = "to be compressed, ".repeat(30);
    let output = lazaret(["call", zlib, compress, "1000", &plain, "_", "--json"]);
    let answer: Json = serde_json::from_str(&text(&output.stdout)).expect("JSON");
    assert_eq!(answer["result"], 0, "{answer}");
    let packed = &answer["outputs"][0][1];
    let packed = packed["hex"].as_str().unwrap_or_else(|| panic!("{answer}"));
    assert!(packed.len() / 2 < plain.len() / 4, "as long as the function says, not as the buffer: {packed}");
    let uncompress = "uncompress(into: out [u8; size], size: inout u64, from: in [u8; count], count: u64) -> i32";
    let output = lazaret(["call", zlib, uncompress, "1000", &format!("hex:{packed}"), "_"]);
    let out = text(&output.stdout);
    assert!(out.contains(&format!("into = {plain}\n")), "{out}");
}

#[test]
fn json_says_how_a_call_ended_and_what_was_enforced() {
    let plugin = plugin("good/types.c", &[]);
    let answer = json(&["call", plugin.to_str().expect("UTF-8"), "u8(x: u8) -> u8", "7", "--json"], 0);
    assert_eq!((&answer["outcome"], &answer["result"]), (&"returned".into(), &7.into()));
    assert_eq!(answer["acceptance"]["how"], "unsigned");
    let layers: Vec<&str> = answer["enforcement"]["layers"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|layer| layer["layer"].as_str())
        .collect();
    for layer in ["landlock", "seccomp", "capabilities", "limits"] {
        assert!(layers.contains(&layer), "{layers:?}");
    }
}

#[test]
fn a_grant_whose_variable_has_no_value_is_reported() {
    let plugin = plugin("good/types.c", &[]);
    let words = ["call", plugin.to_str().expect("UTF-8"), "u8(x: u8) -> u8", "7", "--policy", "builtin:file-reader"];
    let output = lazaret(words);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("`${bundle}`"), "{}", text(&output.stderr));
    let words = words.into_iter().chain(["--json"]).collect::<Vec<_>>();
    assert_eq!(json(&words, 0)["enforcement"]["dropped"][0]["what"], "files.read ${bundle}");
}

#[test]
fn json_says_what_a_plugin_tried() {
    let plugin = attack("executes", &[]);
    let answer = json(&["call", plugin.to_str().expect("UTF-8"), "result() -> i32", "--json"], 4);
    assert_eq!(answer["outcome"], "violated");
    assert_eq!((&answer["layer"], &answer["act"]), (&"seccomp".into(), &"execve".into()));
    assert_eq!(answer["place"]["symbol"], "result");
}

#[test]
fn json_says_why_something_was_refused() {
    let plugin = plugin("good/types.c", &[]);
    let plugin = plugin.to_str().expect("UTF-8");
    assert_eq!(json(&["call", "/no/such.so", "f()", "--json"], 2)["error"]["code"], "E-OPEN-READ");
    assert_eq!(json(&["call", plugin, "f(", "--json"], 2)["error"]["code"], "E-SIGNATURE");
    assert_eq!(json(&["call", plugin, "u8(x: u8)", "x", "--json"], 2)["error"]["code"], "E-ARGUMENT");
    let audit = json(&["call", "/bin/true", "f()", "--json"], 1);
    assert_eq!(audit["error"]["code"], "E-AUDIT");
    assert!(audit["error"]["details"]["findings"].is_array(), "{audit}");
}

#[test]
fn a_violation_reads_like_a_compiler_error() {
    let plugin = attack("connects", &[]);
    let lenient = policy_file("import-sockets", SOCKETS);
    let words =
        ["call", plugin.to_str().expect("UTF-8"), "result() -> i32", "--policy", lenient.to_str().expect("UTF-8")];
    let output = lazaret(words);
    let errors = text(&output.stderr);
    assert_eq!(output.status.code(), Some(4), "{errors}");
    for part in ["violation[V-SYSCALL]", "`socket`", "seccomp", "`result`", "syscalls.allow", "@sockets"] {
        assert!(errors.contains(part), "{part} is missing:\n{errors}");
    }
}

/// Computing alone, for plugins whose imports name sockets.
const SOCKETS: &str = "lazaret = 1\nname = \"sockets\"\n[trust]\nunsigned = true\n[elf]\nneeded = [\"libc.so.6\"]\n\
                       [syscalls]\nallow = [\"@compute\"]\n";

#[test]
fn inspect_prints_the_audit_and_executes_nothing() {
    let zlib = library("libz.so.1");
    let output = lazaret(["inspect", zlib.to_str().expect("UTF-8")]);
    let out = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{out}\n{}", text(&output.stderr));
    for part in ["libz.so.1", "libc.so.6", "x86_64"] {
        assert!(out.contains(part), "{part} is missing:\n{out}");
    }
    let answer = json(&["inspect", zlib.to_str().expect("UTF-8"), "--json"], 0);
    assert_eq!(answer["files"].as_array().expect("a list").len(), 1);
    let output = lazaret(["inspect", "/bin/true"]);
    assert_eq!(output.status.code(), Some(1));
    // Its constructor would end the process with status 7.
    let exits = attack("exits", &["-DFROM_CONSTRUCTOR"]);
    assert_eq!(lazaret(["inspect", exits.to_str().expect("UTF-8")]).status.code(), Some(0));
}

#[test]
fn policies_are_checked_and_explained() {
    for name in ["compute", "file-reader", "network-client", "go"] {
        let name = format!("builtin:{name}");
        let output = lazaret(["policy", "check", &name]);
        assert_eq!((output.status.code(), text(&output.stdout)), (Some(0), format!("{name}: valid\n")));
        assert_eq!(text(&output.stderr), "", "a shipped policy has no warnings");
    }
    let output = lazaret(["policy", "explain", "builtin:compute"]);
    assert!(text(&output.stdout).contains("builtin:compute:"), "lines are named");
    assert_eq!(json(&["policy", "explain", "builtin:compute", "--json"], 0)["name"], "compute");
    let checked = json(&["policy", "check", "builtin:go", "--json"], 0);
    assert_eq!(checked["policies"][0]["valid"], true);
    let schema: Json = serde_json::from_str(&text(&lazaret(["policy", "schema"]).stdout)).expect("JSON");
    assert!(schema["properties"]["limits"].is_object() || schema["$defs"].is_object());
}

#[test]
fn the_policy_in_the_readme_is_valid() {
    let readme = include_str!("../README.md");
    let section = readme.split("### Policies").nth(1).and_then(|rest| rest.split("A refused call").next());
    let lines = section.expect("a section about policies").lines().map(|line| line.trim_start_matches("    "));
    let path = policy_file("readme", &lines.collect::<Vec<_>>().join("\n"));
    let output = lazaret(["policy", "check", path.to_str().expect("UTF-8")]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!(text(&output.stderr), "", "and has no warnings");
}

#[test]
fn a_removed_grant_is_explained_with_both_lines() {
    let path = policy_file(
        "grants-too-much",
        "lazaret = 1\nname = \"more\"\nextends = \"builtin:compute\"\n[files]\nread = [\"/usr/share\"]\n",
    );
    let output = lazaret(["policy", "explain", path.to_str().expect("UTF-8")]);
    let out = text(&output.stdout);
    assert!(out.contains("/usr/share") && out.contains("builtin:compute"), "{out}");
    let output = lazaret(["policy", "check", path.to_str().expect("UTF-8")]);
    assert_eq!(output.status.code(), Some(0));
    assert!(text(&output.stderr).contains("warning"), "{}", text(&output.stderr));
}

#[test]
fn whatever_is_said_of_a_policy_ends_its_last_line() {
    let (plugin, broken) = (plugin("good/types.c", &[]), policy_file("broken", "lazaret = 1\nnmae = \"x\"\n"));
    let (plugin, broken) = (plugin.to_str().expect("UTF-8"), broken.to_str().expect("UTF-8"));
    for words in [
        &["apparmor", broken][..],
        &["policy", "check", broken],
        &["policy", "explain", broken],
        &["call", plugin, "u8(x: u8) -> u8", "7", "--policy", broken],
        &["prove", "--policy", broken],
        &["inspect", plugin, "--policy", broken],
    ] {
        let output = lazaret(words);
        let errors = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{words:?}: {errors}");
        assert!(
            errors.contains("error[P-") && errors.ends_with('\n') && !errors.ends_with("\n\n"),
            "{words:?}: {errors:?}"
        );
    }
}

#[test]
fn the_demo_shows_what_was_stopped() {
    let output = lazaret(["demo"]);
    let out = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{out}\n{}", text(&output.stderr));
    for part in ["libz.so.1", "907060870", "`openat`", "`socket`", "`execve`", "SIGSEGV", "deadline"] {
        assert!(out.contains(part), "{part} is missing:\n{out}");
    }
    assert!(!out.contains("NOT STOPPED"), "{out}");
}

#[test]
fn mistakes_in_words_are_json_where_json_is_asked_for() {
    for words in [&["call", "--json"][..], &["inspect", "--json", "--frob"], &["policy", "check", "--json"]] {
        assert_eq!(json(words, 2)["error"]["code"], "E-USAGE", "{words:?}");
    }
    let plugin = plugin("good/types.c", &[]);
    let plugin = plugin.to_str().expect("UTF-8");
    // One shape, whether a word is wrong by itself or only for the function.
    assert_eq!(json(&["call", plugin, "u8(x: u8)", "256", "--json"], 2)["error"]["code"], "E-ARGUMENT");
    assert_eq!(json(&["call", plugin, "u9(x: u8)", "1", "--json"], 1)["error"]["code"], "E-NO-FUNCTION");
    assert_eq!(json(&["call", plugin, "f64(x: f64) -> f64", "NaN", "--json"], 0)["result"], "NaN");
}

#[test]
fn one_file_that_cannot_be_read_does_not_lose_the_others() {
    let zlib = library("libz.so.1");
    let zlib = zlib.to_str().expect("UTF-8");
    let answer = json(&["inspect", zlib, "/no/such/file", zlib, "--json"], 2);
    let files = answer["files"].as_array().expect("a list");
    assert_eq!(files.len(), 3);
    assert_eq!((&files[1]["error"]["code"], &files[2]["verdict"]), (&"E-OPEN-READ".into(), &"accepted".into()));
    let answer = json(&["policy", "check", "/no/such", "builtin:go", "--json"], 2);
    assert_eq!(answer["policies"][1]["valid"], true);
}

#[test]
fn a_reader_that_goes_away_does_not_change_the_status() {
    let mut child = std::process::Command::new(crate::support::LAZARET)
        .args(["policy", "schema"])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("run lazaret");
    drop(child.stdout.take());
    assert_eq!(child.wait().expect("wait").code(), Some(0));
    let full = std::fs::File::create("/dev/full").expect("/dev/full");
    let output = std::process::Command::new(crate::support::LAZARET)
        .args(["policy", "schema"])
        .stdout(full.try_clone().expect("clone"))
        .output()
        .expect("run lazaret");
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("E-OUTPUT"));
    let refused = std::process::Command::new(crate::support::LAZARET)
        .args(["inspect", "/bin/true"])
        .stderr(full)
        .output()
        .expect("run lazaret");
    assert_eq!(refused.status.code(), Some(1), "messages that cannot be written do not change what happened");
}

#[test]
fn names_of_files_cannot_move_the_cursor() {
    let output = lazaret(["inspect", "/no/such/\u{1b}[31mfile\nerror[E-X]: forged"]);
    let errors = text(&output.stderr);
    assert!(!errors.contains('\u{1b}') && !errors.contains("\nerror[E-X]"), "{errors:?}");
}

#[test]
fn help_and_version_are_on_standard_output() {
    for words in [&["--help"][..], &["--version"], &["call", "--help"]] {
        let output = lazaret(words);
        assert_eq!(output.status.code(), Some(0));
        assert!(!output.stdout.is_empty() && output.stderr.is_empty());
    }
}

#[test]
fn logs_are_quiet_unless_asked_for() {
    let zlib = library("libz.so.1");
    let zlib = zlib.to_str().expect("UTF-8");
    let quiet = lazaret(["policy", "check", "builtin:compute"]);
    assert!(quiet.stderr.is_empty());
    let loud = lazaret(["call", zlib, "zlibVersion() -> cstr", "--log", "lazaret=info"]);
    assert!(text(&loud.stderr).contains("verified"), "{}", text(&loud.stderr));
    let wrong = lazaret(["demo", "--log", "=/"]);
    assert_eq!(wrong.status.code(), Some(2));
}

#[test]
fn what_a_plugin_returns_cannot_move_the_cursor() {
    let plugin = plugin("good/types.c", &[]);
    let output = lazaret(["call", plugin.to_str().expect("UTF-8"), "greet(name: cstr) -> cstr", "\u{1b}[2J\u{202e}"]);
    let out = text(&output.stdout);
    assert!(out.chars().all(|c| c == '\n' || (!c.is_control() && c != '\u{202e}')), "{out:?}");
}
