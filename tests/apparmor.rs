//! AppArmor's profiles as text, before the parser that distributions ship: those in `apparmor/`, and those of policies. What
//! kernels make of them is tried in `vm`.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use lazaret_policy::{PROFILE_PREFIX, Policy, Profile, Request, Source, Variables, builtin, builtin_names};

use crate::support::{LAZARET, directory, lazaret};

/// What is shipped.
fn shipped() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../apparmor")
}

/// A copy of the machine's `/etc/apparmor.d` with what is shipped in it.
fn base() -> &'static Path {
    static BASE: OnceLock<PathBuf> = OnceLock::new();
    BASE.get_or_init(|| {
        let base = directory("apparmor.d");
        for source in [Path::new("/etc/apparmor.d"), &shipped()] {
            let copied = Command::new("cp").arg("-rT").arg(source).arg(&base).status();
            assert!(copied.expect("cp").success(), "{}: AppArmor's own files are needed", source.display());
        }
        base
    })
}

/// Runs the parser as strictly as it can be: every warning is an error, and all that the oldest ABI has counts as there.
fn parse(words: &[&str], text: &str) -> Output {
    let features = base().join("abi/3.0");
    let mut parser = Command::new("/usr/sbin/apparmor_parser")
        .args(["--skip-kernel-load", "--skip-cache", "--config-file", "/dev/null", "--warn=all", "--Werror"])
        .args(["--quiet", "--base"])
        .arg(base())
        .arg("--kernel-features")
        .arg(features)
        .args(words)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("apparmor_parser");
    parser.stdin.take().expect("a pipe").write_all(text.as_bytes()).expect("the parser reads");
    parser.wait_with_output().expect("the parser ends")
}

fn accepts(what: &str, text: &str) {
    let parsed = parse(&[], text);
    assert!(parsed.status.success(), "{what}: {}", String::from_utf8_lossy(&parsed.stderr));
}

fn policy(name: &str, text: String) -> Policy {
    let request = Request::new(Source { name: name.to_owned(), text });
    Policy::resolve(&request, |path, _| Err(path.to_owned())).unwrap_or_else(|error| panic!("{name}: {error:?}"))
}

fn profile_of(policy: &Policy) -> Profile {
    // As they are shipped: no links of this machine are followed.
    policy.apparmor(&Variables::default(), |_| None)
}

fn builtin_policy(name: &str) -> Policy {
    policy(&format!("builtin:{name}"), builtin(name).expect("shipped").text.clone())
}

#[test]
fn the_parser_accepts_every_shipped_profile() {
    let mut seen = 0;
    for entry in fs::read_dir(shipped()).expect("what is shipped") {
        let path = entry.expect("an entry").path();
        if path.is_file() {
            accepts(&path.display().to_string(), &fs::read_to_string(&path).expect("text"));
            seen += 1;
        }
    }
    assert_eq!(seen, builtin_names().count() + 2, "one for each shipped policy, the program and the cell");
}

/// `LAZARET_BLESS=1` writes them anew after a change that is meant.
#[test]
fn the_shipped_profiles_of_policies_are_what_lazaret_prints() {
    for name in builtin_names() {
        let profile = profile_of(&builtin_policy(name));
        assert_eq!(profile.name, format!("{PROFILE_PREFIX}{name}"));
        let file = shipped().join(&profile.name);
        if std::env::var_os("LAZARET_BLESS").is_some() {
            fs::write(&file, &profile.text).expect("write");
        }
        assert_eq!(fs::read_to_string(&file).expect("shipped"), profile.text, "{}", file.display());
        assert_eq!(profile_of(&builtin_policy(name)), profile, "the same each time");
    }
}

/// Names that code, profiles and packages must have in common.
#[test]
fn the_shipped_profiles_are_called_as_the_code_calls_them() {
    let text = |file: &str| fs::read_to_string(shipped().join(file)).expect("shipped");
    for (file, profile) in [("usr.bin.lazaret", "lazaret"), ("usr.libexec.lazaret.lazaret-cell", "lazaret-cell")] {
        let local = format!("include if exists <local/{file}>");
        assert_eq!(text(file).lines().rev().nth(1).map(str::trim), Some(local.as_str()), "the last rule of {file}");
        let names = parse(&["--names"], &text(file));
        assert_eq!(String::from_utf8_lossy(&names.stdout).trim(), profile, "{file}");
    }
    // Every place in which the library looks for the cell program is one that the profile is attached to.
    let tunables = text("tunables/lazaret");
    let places = tunables.lines().find_map(|line| line.strip_prefix("@{lazaret_cell} = ")).expect("the places");
    let places: BTreeSet<&str> = places.split_whitespace().collect();
    let looked_at = lazaret::Host::CELL_PROGRAMS;
    for place in looked_at.into_iter().chain(["/usr/bin/lazaret-cell"]) {
        assert!(places.contains(place), "{place}");
    }
    // What the cell's profile lets cells enter is what those profiles are called.
    let enters = format!("change_profile -> &{PROFILE_PREFIX}*,");
    assert!(text("abstractions/lazaret-cell").contains(&enters), "{enters}");
}

/// `abstractions/base` of AppArmor 3 lets whoever includes it map every library below /usr/lib as code, plugins among them.
#[test]
fn no_shipped_profile_maps_all_libraries_as_code() {
    for file in ["usr.bin.lazaret", "usr.libexec.lazaret.lazaret-cell"] {
        let text = fs::read_to_string(shipped().join(file)).expect("shipped");
        let parsed = parse(&["--debug"], &text);
        let rules = String::from_utf8_lossy(&parsed.stdout).into_owned();
        let mapped: Vec<&str> = rules
            .lines()
            .filter_map(|line| line.strip_prefix("Mode:\t")?.split_once("\tName:\t"))
            .filter(|(mode, _)| mode.contains('m'))
            .map(|(_, name)| name.trim_matches(['(', ')']))
            .collect();
        assert!(mapped.len() >= 2, "{file}: {rules}");
        for name in mapped {
            assert!(!name.contains("**") && !name.contains("/*.") && !name.contains("{*"), "{file} maps {name}");
        }
    }
}

/// Paths as a policy may write them.
fn odd_paths() -> Vec<String> {
    // Everything that means something to patterns, variables, quotes, comments and rules, in every order: the numbers are a
    // linear congruential generator's, so that each run tries the same.
    const PARTS: [&str; 34] = [
        "\"",
        "\\",
        "*",
        "**",
        "?",
        "[",
        "]",
        "{",
        "}",
        "^",
        ",",
        "@",
        "@{HOME}",
        "#",
        "\n",
        "\t",
        "\r",
        "(",
        ")",
        ";",
        ":",
        "=",
        "->",
        "-",
        "'",
        " ",
        "é",
        "☃",
        "\u{202e}",
        "\u{7f}",
        "7",
        "\\052",
        " rw,",
        "}\nprofile x {",
    ];
    let mut number = 1_u64;
    let mut next = |below: usize| {
        number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(number >> 33).expect("31 bits") % below
    };
    let mut paths: Vec<String> = PARTS.iter().map(|part| format!("/srv/{part}")).collect();
    for _ in 0..600 {
        let count = 1 + next(6);
        paths.push(format!("/srv/{}x", (0..count).map(|_| PARTS[next(PARTS.len())]).collect::<String>()));
    }
    paths
}

/// How the parser shows a rule whose pattern means exactly this path.
fn shown(path: &[u8]) -> Vec<u8> {
    let special = |byte: &u8| b"\\*?[]{}^,".contains(byte);
    path.iter().flat_map(|byte| if special(byte) { vec![b'\\', *byte] } else { vec![*byte] }).collect()
}

fn count(haystack: &[u8], needle: &[u8]) -> usize {
    haystack.windows(needle.len()).filter(|window| window == &needle).count()
}

#[test]
fn no_text_of_a_policy_breaks_out_of_its_rule() {
    for some in odd_paths().chunks(40) {
        let list: BTreeSet<&str> = some.iter().map(String::as_str).collect();
        let text = format!(
            "lazaret = 1\nname = \"odd\"\n[files]\nread = {}\n[syscalls]\nallow = [\"@files-read\"]\n",
            serde_json::to_string(&list)
                .expect("JSON strings are strings of TOML as well")
                .replace('\u{7f}', "\\u007f")
        );
        // A policy's file can be called anything, too.
        let profile = profile_of(&policy("a\n}\nprofile b {\n#\".toml", text));
        let parsed = parse(&["--debug"], &profile.text);
        assert!(parsed.status.success(), "{}\n{}", String::from_utf8_lossy(&parsed.stderr), profile.text);
        for path in &list {
            for form in ["", "/", "/**"] {
                let rule = [b"\tName:\t(", &shown(path.as_bytes())[..], form.as_bytes(), b")"].concat();
                assert_eq!(count(&parsed.stdout, &rule), 1, "{path:?}{form}:\n{}", profile.text);
            }
        }
        // And no rule else but that of the null device.
        assert_eq!(count(&parsed.stdout, b"\tName:\t("), 3 * list.len() + 1, "{}", profile.text);
        let names = parse(&["--names"], &profile.text);
        assert_eq!(names.stdout, b"lazaret-cell.odd\n");
    }
}

#[test]
fn a_bundle_whose_path_is_no_text_is_granted_and_nothing_else() {
    let text =
        "lazaret = 1\nname = \"b\"\n[files]\nread = [\"${bundle}/data\"]\n[syscalls]\nallow = [\"@files-read\"]\n";
    let bytes = b"/srv/\xff\"\\\n*/7";
    let bundle = Some(PathBuf::from(std::ffi::OsStr::from_bytes(bytes)));
    let profile = policy("b", text.to_owned()).apparmor(&Variables { bundle, state: None }, |_| None);
    let parsed = parse(&["--debug"], &profile.text);
    assert!(parsed.status.success(), "{}", String::from_utf8_lossy(&parsed.stderr));
    let rule = [b"\tName:\t(", &shown(bytes)[..], b"/data/**)"].concat();
    assert_eq!(count(&parsed.stdout, &rule), 1, "{}", profile.text);
    // Another place is another profile.
    let other = Variables { bundle: Some("/srv/other".into()), state: None };
    let other = policy("b", text.to_owned()).apparmor(&other, |_| None);
    assert_ne!(profile.name, other.name);
    accepts("the other", &other.text);
}

#[test]
fn the_program_prints_a_profile_and_says_what_it_leaves_out() {
    let printed = lazaret(["apparmor", "builtin:file-reader"]);
    assert!(printed.status.success());
    let text = String::from_utf8_lossy(&printed.stdout).into_owned();
    accepts("file-reader", &text);
    assert!(text.contains("\"/usr/share/**\" r,") && text.contains("builtin:file-reader:"), "{text}");
    let said = String::from_utf8_lossy(&printed.stderr).into_owned();
    assert!(said.contains("files.read ${bundle}") && said.contains("--bundle"), "{said}");
    let bundle = directory("a \"bundle\"");
    fs::write(bundle.join("plugin.json"), "{}").expect("write");
    let words = ["apparmor", "builtin:file-reader", "--bundle", bundle.to_str().expect("UTF-8")];
    let printed = lazaret(words);
    accepts("with a bundle", &String::from_utf8_lossy(&printed.stdout));
    assert!(printed.stderr.is_empty(), "{}", String::from_utf8_lossy(&printed.stderr));
    let wrong = Command::new(LAZARET).args(["apparmor", "builtin:file-reader", "--bundle", "/no/such"]).output();
    assert_eq!(wrong.expect("runs").status.code(), Some(2));
}

/// A link in a bundle, or beneath what a wider policy grants, would let whoever made it choose what is granted.
#[test]
fn a_link_beneath_what_is_followed_does_not_choose_what_a_profile_grants() {
    let bundle = directory("linked-bundle");
    fs::write(bundle.join("plugin.json"), "{}").expect("write");
    drop(fs::remove_file(bundle.join("data")));
    std::os::unix::fs::symlink("/etc", bundle.join("data")).expect("a link");
    let policy = crate::support::policy_file(
        "linked",
        "lazaret = 1\nname = \"linked\"\n[files]\nread = [\"${bundle}/data\"]\n[syscalls]\nallow = [\"@files-read\"]\n",
    );
    let words = ["apparmor", policy.to_str().expect("UTF-8"), "--bundle", bundle.to_str().expect("UTF-8")];
    let printed = lazaret(words);
    let text = String::from_utf8_lossy(&printed.stdout).into_owned();
    assert!(text.contains("linked-bundle/data/**\" r,") && !text.contains("\"/etc"), "{text}");
}

#[test]
fn a_profile_is_put_in_place_whole_or_not_at_all() {
    let place = directory("profiles.d");
    let file = place.join("lazaret-cell.compute");
    let into = |policy: &str| lazaret(["apparmor", policy, "--into", place.to_str().expect("UTF-8")]);
    let put = into("builtin:compute");
    assert_eq!(String::from_utf8_lossy(&put.stdout).trim(), file.to_str().expect("UTF-8"));
    let text = fs::read_to_string(&file).expect("written");
    accepts("compute", &text);
    assert_eq!(into("builtin:none").status.code(), Some(2));
    assert_eq!(fs::read_dir(&place).expect("there").count(), 1, "nothing else");
    assert_eq!(fs::read_to_string(&file).expect("still there"), text);
    let nowhere = lazaret(["apparmor", "builtin:compute", "--into", "/no/such/directory"]);
    assert_eq!(nowhere.status.code(), Some(2));
    let file = lazaret(["apparmor", "builtin:file-reader", "--bundle", "/etc/passwd"]);
    assert_eq!((file.status.code(), file.stdout.len()), (Some(2), 0));
}
