//! Files that a loader and an auditor can read differently, and files that break a policy without any trick. Each is made
//! here from a real plugin, audited, and then loaded by the two loaders of this machine: so the table says not only that a
//! file is refused, but what it would have done.

mod editor;
mod files;
mod naive;

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use lazaret::audit::Severity;
use lazaret::{Opened, inspect};

use self::files::Files;
use self::naive::Naive::{self, CannotParse, Passes, Refuses};
use crate::support::{directory, host, policy_file};

/// A file: its name, its trick, what it is refused for, what the naive audit says, and what happens under glibc and under musl.
struct Row {
    id: &'static str,
    trick: &'static str,
    codes: &'static str,
    naive: Naive,
    glibc: &'static [&'static str],
    musl: &'static [&'static str],
}

const fn row(
    id: &'static str,
    trick: &'static str,
    codes: &'static str,
    naive: Naive,
    glibc: &'static [&'static str],
    musl: &'static [&'static str],
) -> Row {
    Row { id, trick, codes, naive, glibc, musl }
}

/// Several observations where versions of a loader differ: since glibc 2.41 none makes stacks executable, and since 1.2.4
/// musl knows packed relocations.
const TABLE: &[Row] = &[
    row("ok00", "the plain plugin, its program headers moved to the end", "", Passes, &["loads"], &["loads"]),
    row("ok01", "no section headers", "", Passes, &["loads"], &["loads"]),
    row(
        "ok02",
        "another dependency, and a dynamic array in its own segment",
        "",
        Passes,
        &["good library, loads"],
        &["good library, loads"],
    ),
    row(
        "ok03",
        "entries behind the end of the dynamic array, which no loader reads",
        "ELF-DYNAMIC-END",
        Passes,
        &["loads"],
        &["loads"],
    ),
    row("ok04", "one dependency twice", "", Passes, &["loads"], &["loads"]),
    row("ok05", "packed relocations, which an old musl ignores", "", Passes, &["loads"], &["loads, SIGSEGV", "loads"]),
    row("ok06", "the old hash table", "", Passes, &["loads"], &["loads"]),
    row("ok07", "both hash tables", "", Passes, &["loads"], &["loads"]),
    row("ok08", "headers and code in one segment", "", Passes, &["loads"], &["loads"]),
    row("ok09", "a thread-local variable", "", Passes, &["loads"], &["refused"]),
    row("ok10", "no exports", "", Passes, &["loads, no exports"], &["loads, no exports"]),
    row("ok11", "what a C++ compiler makes", "", Refuses, &["loads"], &["refused"]),
    row(
        "ok12",
        "strings in writable memory that nothing writes, as patchelf leaves them",
        "",
        Passes,
        &["loads"],
        &["loads"],
    ),
    row(
        "d01",
        "the array at the offset is not the one at the address",
        "ELF-DYNAMIC-OFFSET",
        Passes,
        &["hidden library, loads"],
        &["hidden library, loads"],
    ),
    row(
        "d02",
        "two arrays: parsers take the first, loaders the last",
        "ELF-DYNAMIC-TWICE",
        Passes,
        &["hidden library, loads"],
        &["hidden library, loads"],
    ),
    row(
        "d03",
        "a dependency behind what the segment describes",
        "ELF-DYNAMIC-SIZE",
        Passes,
        &["hidden library, loads"],
        &["hidden library, loads"],
    ),
    row(
        "d04",
        "a dependency named behind the end of the string table",
        "ELF-NEEDED-STRING",
        Passes,
        &["hidden library, loads"],
        &["hidden library, loads"],
    ),
    row(
        "d06",
        "an import named behind the end of the string table",
        "ELF-SYMBOL-STRING",
        Passes,
        &["loads, system()"],
        &["loads, system()"],
    ),
    row(
        "d08",
        "a search path behind the end of the string table",
        "ELF-SEARCH-PATH-STRING",
        Passes,
        &["hidden library, loads"],
        &["loads"],
    ),
    row(
        "d09",
        "two string tables mapped over each other",
        "ELF-LOAD-OVERLAP",
        Passes,
        &["loads, system()"],
        &["loads, system()"],
    ),
    row(
        "d11",
        "a string table in a page that no segment describes",
        "ELF-ADDRESS-PAGE",
        Passes,
        &["loads, system()"],
        &["loads, system()"],
    ),
    row(
        "d13",
        "a relocation that renames an import while the loader works",
        "ELF-RELOCATED-TABLE ELF-RELOCATION-CONSTANT",
        Passes,
        &["loads, system()"],
        &["loads, system()"],
    ),
    row("d14", "an auxiliary library", "ELF-AUXILIARY", Passes, &["hidden library, loads"], &["loads"]),
    row("d15", "a filter library", "ELF-FILTER", Passes, &["hidden library, loads"], &["loads"]),
    row(
        "d16",
        "calls itself like a library that is trusted: the next plugin gets it",
        "SONAME-TRUSTED",
        Passes,
        &["loads"],
        &["good library, loads"],
    ),
    row("d17", "an import with a value", "ELF-UNDEFINED-VALUE", Passes, &["loads, system()"], &["loads, system()"]),
    row(
        "d20",
        "defines what it is not to import, and is bound to the real one",
        "IMPORT-DENIED",
        Passes,
        &["loads, system()"],
        &["loads, system()"],
    ),
    row(
        "d21",
        "a relocation that ends behind its table",
        "ELF-RELOCATION-SIZE",
        Passes,
        &["loads, system()"],
        &["refused"],
    ),
    row(
        "d23",
        "a hash table that counts too few symbols",
        "ELF-HASH-COUNT",
        Passes,
        &["loads, hidden export"],
        &["loads, hidden export"],
    ),
    row(
        "d24",
        "the same, and a second table that parsers cannot find",
        "ELF-HASH-ADDRESS",
        Passes,
        &["loads, hidden export"],
        &["loads, hidden export"],
    ),
    row("d26", "two hash tables, the last of them empty", "ELF-HASH-TWICE", Passes, &["loads, no exports"], &["loads"]),
    row(
        "d27",
        "two string tables, the last with the evil name",
        "ELF-STRING-TABLE-TWICE",
        Refuses,
        &["loads, system()"],
        &["loads, system()"],
    ),
    row(
        "d28",
        "two string tables, the first with the evil name",
        "ELF-STRING-TABLE-TWICE",
        Passes,
        &["loads"],
        &["loads"],
    ),
    row(
        "d29",
        "section headers that point to benign copies",
        "ELF-AMBIGUOUS-SECTIONS",
        Refuses,
        &["hidden library, loads, system()"],
        &["hidden library, loads, system()"],
    ),
    row("d30", "no word about the stack", "HARDENING-NX-STACK", Passes, &["loads, stack rwx", "refused"], &["loads"]),
    row(
        "d32",
        "code rewritten by a relocation, announced by a flag",
        "ELF-RELOCATION-CONSTANT ELF-RELOCATION-TEXT-FLAG",
        Passes,
        &["loads, code rewritten"],
        &["SIGSEGV"],
    ),
    row(
        "d33",
        "code rewritten by a relocation, announced by a tag",
        "ELF-RELOCATION-CONSTANT ELF-RELOCATION-TEXT",
        Refuses,
        &["loads, code rewritten"],
        &["loads, code rewritten, mapping rwx"],
    ),
    row("d35", "program headers of twice the size", "ELF-ENTRY-SIZE", Passes, &["refused"], &["hidden library, loads"]),
    row("d36", "a 32-bit header inside a 64-bit one", "ELF-CLASS", Passes, &["refused"], &["hidden library, loads"]),
    row(
        "d38",
        "a dependency whose name is not text",
        "ELF-STRING-ENCODING",
        CannotParse,
        &["hidden library, loads"],
        &["hidden library, loads"],
    ),
    row(
        "d40",
        "as d16, named behind the end of the string table",
        "ELF-SONAME-STRING",
        Passes,
        &["loads"],
        &["good library, loads"],
    ),
    row("d41", "says that it is a program", "ELF-PIE", Passes, &["refused"], &["loads"]),
    row("p01", "a dependency by path", "ELF-NEEDED-NAME", Refuses, &["hidden library, loads"], &["refused"]),
    row(
        "p02",
        "code that runs while relocations are applied",
        "DIRECT-SYSCALL HARDENING-NO-IFUNC",
        Passes,
        &["hidden library, loads"],
        &["refused"],
    ),
    row("p03", "system calls without any import", "DIRECT-SYSCALL", Passes, &["loads, system()"], &["loads, system()"]),
    row(
        "p05",
        "memory to write to and to execute",
        "HARDENING-NO-WX",
        Refuses,
        &["loads, mapping rwx"],
        &["loads, mapping rwx"],
    ),
    row(
        "p06",
        "finds `system` by itself: no audit sees that, the cell has to stop it",
        "",
        Passes,
        &["loads, system()"],
        &["loads, system()"],
    ),
    row("p07", "looks `system` up by name", "IMPORT-DENIED", Refuses, &["loads, system()"], &["loads, system()"]),
    row("c01", "a string table behind the end of the file", "ELF-LOAD-PAST-END", CannotParse, &["SIGBUS"], &["SIGBUS"]),
    row("c02", "a string table that is mapped nowhere", "ELF-ADDRESS", CannotParse, &["SIGSEGV"], &["SIGSEGV"]),
    row("c03", "versions of a library that is not needed", "ELF-VERSION-LIBRARY", Passes, &["exit 127"], &["loads"]),
    row("c04", "relocations of another size", "ELF-RELOCATION-ENTRY", Passes, &["exit 127"], &["loads"]),
    row("c07", "65535 program headers, on a stack of 4 MiB", "ELF-SEGMENT-COUNT", Passes, &["SIGSEGV"], &["loads"]),
    row(
        "c09",
        "a relocation in front of the object",
        "ELF-RELOCATION-CONSTANT ELF-RELOCATION-TARGET",
        Passes,
        &["SIGSEGV"],
        &["SIGSEGV"],
    ),
    row("c11", "makes memory behind it read-only", "ELF-RELRO", Passes, &["SIGSEGV"], &["SIGSEGV"]),
];

const POLICY: &str = r#"
lazaret = 1
name = "differentials"
[trust]
unsigned = true
[elf]
needed = ["libc.so.6", "libm.so.6", "libstdc++.so.6", "libgcc_s.so.1", "libgood.so", "ld-linux-x86-64.so.2"]
require = ["full-relro", "nx-stack", "no-wx", "no-textrel", "no-rpath", "no-ifunc"]
direct-syscalls = "deny"
[elf.imports]
deny = ["system", "execve", "dlopen", "dlsym", "socket", "mprotect", "fork", "popen"]
[syscalls]
allow = ["@compute"]
"#;

/// What a loader does with a file, as facts in a fixed order.
fn observed(files: &Files, loader: &str, id: &str) -> String {
    let path = |id: &str| format!("./{id}.so");
    // Twins: the second of the two is looked at, in a process that has the first.
    let arguments = if matches!(id, "d16" | "d40") { vec![path(id), path("ok02")] } else { vec![path(id)] };
    // A stack of 4 MiB, for c07.
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -S -s 4096; ulimit -c 0; exec \"$@\"", "sh", &format!("./tester-{loader}")]);
    let output = command
        .args(arguments)
        .current_dir(&files.directory)
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("LD_LIBRARY_PATH", ".")
        .output()
        .expect("run the tester");
    let text = String::from_utf8_lossy(&output.stdout);
    let facts = [
        ("EVIL-CTOR-RAN", "hidden library"),
        ("good-ctor", "good library"),
        ("loads\n", "loads"),
        ("refused:", "refused"),
        ("no exports", "no exports"),
        ("code rewritten", "code rewritten"),
        ("hidden export", "hidden export"),
        ("EVIL-SYSTEM-RAN", "system()"),
        ("stack=rwx", "stack rwx"),
        ("mapping=rwx", "mapping rwx"),
        ("table changed", "table changed"),
        ("signal 7", "SIGBUS"),
        ("signal 11", "SIGSEGV"),
        ("exit 127", "exit 127"),
    ];
    let mut words: Vec<&str> = facts.iter().filter(|(mark, _)| text.contains(mark)).map(|(_, fact)| *fact).collect();
    if words.is_empty() {
        words.push("nothing");
    }
    words.join(", ")
}

#[test]
fn every_file_with_two_readings_is_refused_and_does_what_the_table_says() {
    let files = Files::make(directory("differentials"));
    if !files.has_musl {
        eprintln!("NOT TRIED under musl: there is no musl-gcc; run tests/setup");
    }
    let policy = host().policy(policy_file("differentials", POLICY).to_str().expect("UTF-8")).expect("a policy");
    let mut wrong = Vec::new();
    let mut tricks: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for row in TABLE {
        let path = files.directory.join(format!("{}.so", row.id));
        let audit = inspect(&Opened::open(&path).expect("open"), &policy);
        let refusals = audit.report.findings.iter().filter(|finding| finding.severity == Severity::Refuse);
        // The good library is in no directory of the machine, which is not what these files are about.
        let mut codes: Vec<_> =
            refusals.map(|finding| finding.code.name()).filter(|code| *code != "NEEDED-NOT-FOUND").collect();
        codes.sort_unstable();
        codes.dedup();
        let codes = codes.join(" ");
        let naive = naive::audit(&fs::read(&path).expect("made above"));
        let [glibc, musl] = [("glibc", row.glibc), ("musl", row.musl)].map(|(loader, expected)| {
            let here = loader == "glibc" || files.has_musl;
            if here { observed(&files, loader, row.id) } else { expected[0].to_owned() }
        });
        if codes != row.codes || naive != row.naive || !row.glibc.contains(&&*glibc) || !row.musl.contains(&&*musl) {
            let row = format!("row(\"{}\", \"{}\", \"{codes}\"", row.id, row.trick);
            wrong.push(format!("{row}, {naive:?}, &[\"{glibc}\"], &[\"{musl}\"]),"));
        }
        if row.id.starts_with('d') {
            tricks.entry(codes).or_default().push(row.id);
        }
    }
    assert!(wrong.is_empty(), "{} of {} rows are otherwise:\n{}", wrong.len(), TABLE.len(), wrong.join("\n"));
    // One trick, one code: a reader learns what was done. The two orders of one trick may share theirs.
    let shared: Vec<_> = tricks.into_iter().filter(|(_, ids)| ids.len() > 1).collect();
    assert_eq!(shared, [("ELF-STRING-TABLE-TWICE".to_owned(), vec!["d27", "d28"])]);
}

#[test]
fn the_table_has_a_file_for_each_kind_of_effect_that_a_naive_audit_lets_through() {
    let misled = |effect: &str| {
        let shows = |facts: &[&str]| facts.iter().any(|fact| fact.contains(effect));
        TABLE.iter().filter(|row| row.naive == Passes && (shows(row.glibc) || shows(row.musl))).count()
    };
    assert_eq!(TABLE.iter().filter(|row| row.id.starts_with('d') && row.naive == Passes).count(), 25);
    for effect in ["hidden library", "system()", "code rewritten", "hidden export", "stack rwx", "SIGSEGV", "exit 127"]
    {
        assert!(misled(effect) > 0, "{effect}");
    }
}
