//! Files that are no plugins, words that are no calls, policies with mistakes: each gets one clear answer with a code.

use std::ffi::CString;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use crate::support::{attack, directory, lazaret, library, plugin, policy_file, text};

const CALL: &str = "u8(x: u8) -> u8";

/// `lazaret call` refuses, with this status and this code, in words and not by panicking.
#[track_caller]
fn refused(words: &[&str], status: i32, code: &str) -> String {
    let output = lazaret(words);
    let errors = text(&output.stderr);
    assert_eq!(output.status.code(), Some(status), "{words:?}: {errors}");
    assert!(errors.contains(&format!("[{code}]")), "{words:?}: {errors}");
    assert!(!errors.contains("panicked"), "{errors}");
    assert_eq!(text(&output.stdout), "", "nothing on standard output");
    errors
}

#[track_caller]
fn refused_file(file: &Path, status: i32, code: &str) -> String {
    refused(&["call", file.to_str().expect("UTF-8"), CALL, "1"], status, code)
}

fn file(name: &str, bytes: &[u8]) -> PathBuf {
    let path = directory("bad-input").join(name);
    fs::write(&path, bytes).expect("write");
    path
}

fn good() -> Vec<u8> {
    fs::read(plugin("good/types.c", &[])).expect("read")
}

#[test]
fn what_is_no_elf_file_is_refused_by_the_audit() {
    for (name, bytes, finding) in [
        ("empty", &b""[..], "ELF-EMPTY"),
        ("text", b"hello, I am a plugin", "ELF-NOT-ELF"),
        ("zeros", &[0; 4096], "ELF-NOT-ELF"),
        ("magic", b"\x7fELF", "ELF-TRUNCATED"),
    ] {
        let errors = refused_file(&file(name, bytes), 1, "E-AUDIT");
        assert!(errors.contains(finding), "{name}: {errors}");
    }
}

#[test]
fn another_machine_class_or_type_is_refused_by_name() {
    let cases: [(&str, usize, &[u8], &str); 6] = [
        ("machine", 18, &[0xf3, 0], "ELF-MACHINE"),
        ("class", 4, &[1], "ELF-CLASS"),
        ("endian", 5, &[2], "ELF-ENDIAN"),
        ("executable", 16, &[2, 0], "ELF-TYPE-EXEC"),
        ("core", 16, &[4, 0], "ELF-TYPE-CORE"),
        ("relocatable", 16, &[1, 0], "ELF-TYPE-REL"),
    ];
    for (name, at, change, finding) in cases {
        let mut bytes = good();
        bytes[at..at + change.len()].copy_from_slice(change);
        let errors = refused_file(&file(name, &bytes), 1, "E-AUDIT");
        assert!(errors.contains(finding), "{name}: {errors}");
    }
}

#[test]
fn the_name_in_a_file_leads_nowhere() {
    // The host looks for the installed library of a trusted name; a name that is a path would make it read any file.
    let decoy = directory("bad-input").join("decoy.so");
    fs::copy("/bin/true", &decoy).expect("copy");
    let soname = format!("-Wl,-soname,{}", decoy.display());
    let plugin = plugin("good/types.c", &[&soname]);
    let before = fs::metadata(&decoy).expect("metadata").accessed().expect("access time");
    let output = lazaret(["inspect", plugin.to_str().expect("UTF-8")]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stdout));
    assert_eq!(fs::metadata(&decoy).expect("metadata").accessed().expect("access time"), before);
}

#[test]
fn a_real_executable_is_no_plugin() {
    let errors = refused_file(Path::new("/bin/true"), 1, "E-AUDIT");
    assert!(errors.contains("ELF-PIE") || errors.contains("ELF-TYPE-EXEC"), "{errors}");
}

#[test]
fn a_file_cut_at_any_length_is_refused_and_never_mapped() {
    use lazaret::{Error, Opened};
    let whole = good();
    let host = crate::support::host();
    let policy = host.policy("builtin:compute").expect("a policy");
    let path = directory("bad-input").join("cut");
    // Every length up to the end of the headers, then in steps: the file ends where its section headers end.
    let lengths = (0..1024).chain((1024..whole.len()).step_by(97)).chain([whole.len() - 1]);
    for length in lengths.filter(|length| *length < whole.len()) {
        fs::write(&path, &whole[..length]).expect("write");
        match host.load(Opened::open(&path).expect("open"), policy.clone()) {
            Err(Error::Audit(report)) => assert!(!report.refusals().is_empty(), "{length}"),
            Err(other) => panic!("{length}: {other:?}"),
            Ok(_) => panic!("{length} of {} bytes were loaded", whole.len()),
        }
    }
}

#[test]
fn what_is_no_file_is_refused_without_waiting() {
    let fifo = directory("bad-input").join(format!("fifo-{}", std::process::id()));
    let name = CString::new(fifo.as_os_str().as_bytes()).expect("no NUL");
    rustix::fs::mkfifoat(rustix::fs::CWD, name.as_c_str(), rustix::fs::Mode::from_raw_mode(0o600)).expect("mkfifo");
    refused_file(&fifo, 2, "E-OPEN-NOT-A-FILE");
    refused_file(Path::new("/dev/zero"), 2, "E-OPEN-NOT-A-FILE");
    refused_file(&directory("no-bundle"), 2, "E-OPEN-NOT-A-BUNDLE");
    refused_file(Path::new("/no/such/file.so"), 2, "E-OPEN-READ");
}

#[test]
fn a_file_that_changes_while_it_is_read_is_one_file_or_refused() {
    // A writer that never stops swaps the plugin for another and cuts it short; every load is of some copy.
    use lazaret::{Error, Opened};
    use std::sync::atomic::{AtomicBool, Ordering};
    let (one, other) = (good(), fs::read(attack("exits", &[])).expect("read"));
    let path = file("changing.so", &one);
    let host = crate::support::host();
    let policy = host.policy("builtin:compute").expect("a policy");
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                for bytes in [&one[..], &other[..], &one[..one.len() / 2]] {
                    fs::write(&path, bytes).expect("write");
                }
            }
        });
        for _ in 0..40 {
            match host.load(Opened::open(&path).expect("open"), policy.clone()) {
                // A mixture whose symbols say nothing of its code is still one file: it was audited as it is mapped.
                Ok(_) | Err(Error::Audit(_) | Error::Cell(_)) => {}
                Err(error) => panic!("{error:?}"),
            }
        }
        stop.store(true, Ordering::Relaxed);
    });
}

#[test]
fn a_signature_with_a_typo_is_marked() {
    let zlib = library("libz.so.1");
    let zlib = zlib.to_str().expect("UTF-8");
    let errors = refused(&["call", zlib, "crc32(crc: u46) -> u64", "0"], 2, "E-SIGNATURE");
    assert!(errors.contains("crc32(crc: u46) -> u64\n               ^"), "{errors}");
    assert!(errors.contains("did you mean `u64`?"), "{errors}");
}

#[test]
fn wrong_arguments_are_usage_errors() {
    let plugin = plugin("good/types.c", &[]);
    let plugin = plugin.to_str().expect("UTF-8");
    refused(&["call", plugin, CALL], 2, "E-ARGUMENT");
    refused(&["call", plugin, CALL, "1", "2"], 2, "E-ARGUMENT");
    refused(&["call", plugin, CALL, "256"], 2, "E-ARGUMENT");
    refused(&["call", plugin, CALL, "one"], 2, "E-ARGUMENT");
    refused(&["call", plugin, "greet(name: in [u8; 4]) -> cstr", "hex:0g"], 2, "E-ARGUMENT");
    refused(&["call", plugin, "greet(name: in [u8; 4]) -> cstr", "@/no/such/file"], 2, "E-ARGUMENT");
}

#[test]
fn a_function_that_does_not_exist_is_refused_with_its_neighbour() {
    let zlib = library("libz.so.1");
    let errors = refused(&["call", zlib.to_str().expect("UTF-8"), "zlibVersio() -> cstr"], 1, "E-NO-FUNCTION");
    assert!(errors.contains("did you mean `zlibVersion`?"), "{errors}");
}

#[test]
fn a_policy_with_a_mistake_is_refused_with_its_line() {
    let plugin = plugin("good/types.c", &[]);
    let plugin = plugin.to_str().expect("UTF-8");
    let mistakes = [
        ("syntax", "lazaret = ", "P-SYNTAX"),
        ("version", "lazaret = 9\nname = \"x\"\n", "P-VERSION"),
        ("key", "lazaret = 1\nname = \"x\"\n[limts]\nmemory = \"1 MiB\"\n", "P-UNKNOWN-KEY"),
        ("twice", "lazaret = 1\nname = \"x\"\nname = \"y\"\n", "P-DUPLICATE-KEY"),
        ("empty", "lazaret = 1\nname = \"x\"\n[elf]\nneeded = []\n", "P-EMPTY-LIST"),
        ("size", "lazaret = 1\nname = \"x\"\n[limits]\nmemory = \"much\"\n", "P-SIZE"),
        ("group", "lazaret = 1\nname = \"x\"\n[syscalls]\nallow = [\"@compote\"]\n", "P-UNKNOWN-GROUP"),
        ("extends", "lazaret = 1\nname = \"x\"\nextends = \"no-such.toml\"\n", "P-EXTENDS"),
    ];
    for (name, policy, code) in mistakes {
        let path = policy_file(&format!("mistake-{name}"), policy);
        let path = path.to_str().expect("UTF-8");
        let errors = refused(&["call", plugin, CALL, "1", "--policy", path], 1, code);
        assert!(errors.contains(&format!("mistake-{name}.toml")), "{errors}");
        refused(&["policy", "check", path], 1, code);
    }
    refused(&["call", plugin, CALL, "1", "--policy", "builtin:compote"], 2, "E-NO-POLICY");
    refused(&["call", plugin, CALL, "1", "--policy", "/no/such/policy.toml"], 2, "E-OPEN-READ");
}

#[test]
fn a_layer_that_this_release_does_not_enforce_is_status_3() {
    let policy = policy_file(
        "apparmor",
        "lazaret = 1\nname = \"apparmor\"\nextends = \"builtin:compute\"\n[layers]\nrequire = [\"apparmor\"]\n",
    );
    let plugin = plugin("good/types.c", &[]);
    let words = ["call", plugin.to_str().expect("UTF-8"), CALL, "1", "--policy", policy.to_str().expect("UTF-8")];
    let errors = refused(&words, 3, "E-MACHINE");
    assert!(errors.contains("apparmor"), "{errors}");
}

#[test]
fn a_granted_path_that_does_not_exist_is_named() {
    let policy = policy_file(
        "absent",
        "lazaret = 1\nname = \"absent\"\n[trust]\nunsigned = true\n[elf]\nneeded = [\"libc.so.6\"]\n\
         [files]\nread = [\"/no/such/directory\"]\n[syscalls]\nallow = [\"@compute\", \"@files-read\"]\n",
    );
    let plugin = plugin("good/types.c", &[]);
    let words = ["call", plugin.to_str().expect("UTF-8"), CALL, "1", "--policy", policy.to_str().expect("UTF-8")];
    let errors = refused(&words, 1, "E-CELL-STEP");
    assert!(errors.contains("/no/such/directory"), "{errors}");
}

#[test]
fn an_import_that_the_policy_denies_is_refused_before_anything_is_mapped() {
    let plugin = attack("connects", &[]);
    let policy = policy_file(
        "no-sockets",
        "lazaret = 1\nname = \"no-sockets\"\nextends = \"builtin:compute\"\n[elf]\nimports.deny = [\"connect\"]\n",
    );
    let words =
        ["call", plugin.to_str().expect("UTF-8"), "result() -> i32", "--policy", policy.to_str().expect("UTF-8")];
    let errors = refused(&words, 1, "E-AUDIT");
    assert!(errors.contains("IMPORT-DENIED") && errors.contains("connect"), "{errors}");
}

#[test]
fn a_pin_holds_for_a_library_that_every_cell_has() {
    let policy = policy_file(
        "pinned-libc",
        "lazaret = 1\nname = \"pinned\"\n[trust]\nunsigned = true\n[elf]\nneeded = [{ name = \"libc.so.6\", digest = \
         \"sha256:0000000000000000000000000000000000000000000000000000000000000000\" }]\n[syscalls]\nallow = [\"@compute\"]\n",
    );
    let plugin = plugin("good/types.c", &[]);
    let words = ["call", plugin.to_str().expect("UTF-8"), CALL, "1", "--policy", policy.to_str().expect("UTF-8")];
    let errors = refused(&words, 1, "E-AUDIT");
    assert!(errors.contains("NEEDED-DIGEST"), "{errors}");
}

#[test]
fn words_that_are_no_command_are_usage_errors() {
    for words in [&["frobnicate"][..], &["call"], &["policy"], &["inspect"], &["call", "a", "b", "--polcy", "x"]] {
        let output = lazaret(words);
        assert_eq!(output.status.code(), Some(2), "{words:?}");
        assert!(text(&output.stderr).contains("Usage"), "{words:?}");
    }
}
