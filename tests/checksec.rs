//! What a policy can require, compared with what `checksec` says of the libraries of this machine. Where the two differ,
//! `docs/audit.md` says why.

use std::fs;
use std::path::Path;
use std::process::Command;

use lazaret::audit::{Object, read};
use lazaret_policy::{Arch, Hardening};

use crate::readelf::{each, shared_objects};

/// Files that are compared, from all over the list: each costs checksec a fifth of a second.
const SAMPLE: usize = 120;

/// The reasons for which the two may say different things of a file, by the names that `docs/audit.md` explains.
fn explained(object: &Object, property: Hardening) -> Option<&'static str> {
    const DF_BIND_NOW: u64 = 8;
    const DF_1_NOW: u64 = 1;
    let now_by_flag_alone = object.flags() & DF_BIND_NOW == 0 && object.flags_1() & DF_1_NOW != 0;
    let empty = |path: Option<&str>| path.is_none_or(str::is_empty);
    match property {
        Hardening::FullRelro if now_by_flag_alone => Some("now by DF_1_NOW alone"),
        Hardening::NoRpath if empty(object.rpath()) && empty(object.runpath()) => Some("an empty search path"),
        Hardening::Fortify if object.imports().all(|symbol| !symbol.name.ends_with("_chk")) => Some("nothing to check"),
        _ => None,
    }
}

/// The value of a key in its JSON.
fn value<'a>(json: &'a str, key: &str) -> &'a str {
    let rest = json.split_once(&format!("\"{key}\":\"")).unwrap_or_else(|| panic!("no {key}: {json}")).1;
    rest.split_once('"').expect("JSON").0
}

/// Where the two differ in a file: the property, and the name of the reason if there is one.
fn compared(path: &Path) -> Vec<(Hardening, Option<&'static str>)> {
    let Ok(object) = read(&fs::read(path).expect("a library can be read"), Arch::NATIVE) else { return Vec::new() };
    let output = Command::new("checksec").arg("--format=json").arg(format!("--file={}", path.display())).output();
    let output = output.unwrap_or_else(|error| panic!("checksec: {error}; run tests/setup"));
    let json = String::from_utf8_lossy(&output.stdout);
    let theirs = [
        (Hardening::FullRelro, value(&json, "relro") == "full"),
        (Hardening::NxStack, value(&json, "nx") == "yes"),
        (Hardening::NoRpath, value(&json, "rpath") == "no" && value(&json, "runpath") == "no"),
        (Hardening::StackProtector, value(&json, "canary") == "yes"),
        (Hardening::Fortify, value(&json, "fortify_source") == "yes"),
    ];
    let differ = theirs.into_iter().filter(|(property, has)| object.lacks(*property).is_none() != *has);
    differ.map(|(property, _)| (property, explained(&object, property))).collect()
}

fn differences(path: &Path) -> Vec<String> {
    let unexplained = compared(path).into_iter().filter(|(_, reason)| reason.is_none());
    unexplained.map(|(property, _)| format!("{property:?}")).collect()
}

#[test]
fn hardening_that_a_policy_can_require_is_what_checksec_says() {
    let paths = shared_objects();
    let step = paths.len().div_ceil(SAMPLE);
    let sample: Vec<_> = paths.into_iter().step_by(step.max(1)).collect();
    assert!(sample.len() >= 20, "only {} libraries are installed", sample.len());
    let different = each(&sample, &differences);
    assert!(different.is_empty(), "{} of {}:\n{}", different.len(), sample.len(), different.join("\n"));
}

#[test]
fn both_call_a_lazy_file_with_a_search_path_and_without_a_word_on_its_stack_what_it_is() {
    let build = |flags: &[&str]| crate::support::plugin("good/types.c", flags);
    let read = |path: &Path| read(&fs::read(path).expect("just built"), Arch::NATIVE).expect("one reading");
    let hard = ["-Wl,-z,relro,-z,now,-z,noexecstack"];
    let soft = ["-Wl,-z,norelro,-z,lazy,-z,execstack,-rpath,/nowhere"];
    for (flags, has) in [(hard, true), (soft, false)] {
        let path = build(&flags);
        assert_eq!(differences(&path), [""; 0]);
        let object = read(&path);
        for property in [Hardening::FullRelro, Hardening::NxStack, Hardening::NoRpath] {
            assert_eq!(object.lacks(property).is_none(), has, "{property:?}");
        }
    }
}

#[test]
fn each_explained_difference_is_there_and_stands_in_the_document() {
    let document = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/audit.md")).expect("the document");
    // It calls nothing that has a checking twin.
    let source = crate::support::directory("checksec").join("one.c");
    fs::write(&source, "int one(void) { return 1; }\n").expect("write a source");
    let plain = compared(&crate::support::plugin(source.to_str().expect("UTF-8"), &[]));
    assert!(
        plain.contains(&(Hardening::Fortify, Some("nothing to check"))) && document.contains("| nothing to check |")
    );
    let flags = ["-Wl,-z,relro,-z,now,-z,noexecstack,-rpath,/nowhere"];
    let bytes = fs::read(crate::support::plugin("good/types.c", &flags)).expect("just built");
    let place = |what: &[u8]| bytes.windows(what.len()).position(|window| window == what).expect("it is there");
    // DT_FLAGS with DF_BIND_NOW; the linker writes DF_1_NOW as well.
    let flags = place(&[30, 0, 0, 0, 0, 0, 0, 0, 8]) + 8;
    let path = place(b"/nowhere");
    let cases =
        [(Hardening::FullRelro, "now by DF_1_NOW alone", flags), (Hardening::NoRpath, "an empty search path", path)];
    for (property, name, at) in cases {
        let mut changed = bytes.clone();
        changed[at] = 0;
        let file = crate::support::directory("checksec").join(format!("{property:?}.so"));
        fs::write(&file, &changed).expect("write a file");
        assert!(compared(&file).contains(&(property, Some(name))), "{name}");
        assert!(document.contains(&format!("| {name} |")), "{name}");
    }
}
