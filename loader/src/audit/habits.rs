//! What is worth saying of a file although no key of a policy decides it: habits that other checkers of ELF files report,
//! and that change how a loader treats the file or how it is used.

use super::bytes::len;
use super::finding::{Code, Finding, Severity};
use super::judge::Subject;
use super::object::{Object, is_c};
use super::text::{hex, shown};

/// How many symbols a sentence names.
const MAX_NAMED: usize = 4;

/// `DF_STATIC_TLS` of `DT_FLAGS`.
const DF_STATIC_TLS: u64 = 0x10;

/// Bits of `DT_FLAGS_1` that change what a loader does with a file that is opened, and how (`elf.h`, dlopen(3)).
const FLAGS_1: [(u64, &str, &str); 6] = [
    (0x2, "DF_1_GLOBAL", "asks to be searched for the symbols of others"),
    (0x8, "DF_1_NODELETE", "stays mapped when it is closed"),
    (0x20, "DF_1_INITFIRST", "asks to run before all others"),
    (0x80, "DF_1_ORIGIN", "asks for paths relative to its own"),
    (0x400, "DF_1_INTERPOSE", "asks to be searched before all others"),
    (0x800, "DF_1_NODEFLIB", "is not searched for in the usual directories"),
];

/// Functions whose manual page says never to use them.
const UNSAFE: [&str; 6] = ["gets", "getwd", "mktemp", "tempnam", "tmpnam", "tmpnam_r"];

/// The habits of a file; notes, but of a plugin that takes names of the C library a warning.
pub(super) fn of(object: &Object, subject: Subject) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut note = |code, what: String| findings.push(Finding::new(code, Severity::Note, what));
    for (bit, name, does) in FLAGS_1 {
        if object.flags_1() & bit != 0 {
            note(Code::LoaderFlags, format!("the file {does} (`{name}`)"));
        }
    }
    if object.flags() & DF_STATIC_TLS != 0 || object.relocations.static_tls > 0 {
        note(
            Code::StaticTls,
            "the file needs thread-local memory at a fixed place, of which there is little".to_owned(),
        );
    }
    if object.soname().is_none() {
        note(Code::NoSoname, "the file has no name of its own (`DT_SONAME`)".to_owned());
    }
    let imports = object.c_names().filter(|symbol| !symbol.defined);
    let risky: Vec<&str> = imports.map(|symbol| symbol.name).filter(|name| UNSAFE.contains(name)).collect();
    if !risky.is_empty() {
        note(
            Code::UnsafeFunction,
            format!("the file calls {}, which cannot be used safely", list(risky.len(), &risky)),
        );
    }
    findings.extend(interposes(object, subject));
    findings
}

/// The first object that is loaded with a name has it for all: a file that exports `malloc` can become the one that others
/// call. In a cell it is not, since plugins are opened with symbols of their own; elsewhere it may be.
fn interposes(object: &Object, subject: Subject) -> Option<Finding> {
    if object.is_c_library() {
        return None;
    }
    let mut names = Vec::new();
    let mut count = 0_usize;
    let mut first = None;
    // Every file may have the two that older linkers make.
    let own = |name: &str| matches!(name, "_init" | "_fini");
    for symbol in object.c_names().filter(|symbol| symbol.exported && is_c(symbol.name) && !own(symbol.name)) {
        count = count.saturating_add(1);
        first = first.or(Some(symbol.value));
        if names.len() < MAX_NAMED {
            names.push(symbol.name);
        }
    }
    let severity = if subject == Subject::Plugin { Severity::Warn } else { Severity::Note };
    let what = || format!("the file exports {}, names of the C library", list(count, &names));
    let finding = Finding::new(Code::Interposes, severity, first.map(|_| what())?);
    Some(finding.with("symbols", len(count).to_string()).with("st_value", hex(first?)))
}

/// Some names out of `count`, as a sentence has them.
fn list(count: usize, names: &[&str]) -> String {
    let named: Vec<String> = names.iter().take(MAX_NAMED).map(|name| format!("`{}`", shown(name))).collect();
    let more = count.saturating_sub(named.len());
    if more == 0 { named.join(", ") } else { format!("{} and {more} more", named.join(", ")) }
}
