//! Which libraries a plugin gets: the ones that the dynamic loader would find, or none where nobody answers for those.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use lazaret::audit::{Code, Finding, Severity};
use lazaret::{Audit, FoundBy, Opened, Value, inspect};

use crate::support::{CELL, call, directory, host, library, policy_file, returned};

/// Compiles C source into a shared object.
fn cc(compiler: &str, into: &Path, source: &str, flags: &[&str]) {
    let name = into.file_name().expect("a name").to_str().expect("UTF-8");
    let file = into.with_file_name(format!("{name}.c"));
    fs::write(&file, source).expect("write");
    let mut command = Command::new(compiler);
    command.args(["-shared", "-fPIC", "-g0", "-o"]).arg(into).arg(&file).args(flags);
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}; run tests/setup"));
    assert!(output.status.success(), "{command:?}\n{}", String::from_utf8_lossy(&output.stderr));
}

/// A policy that permits the names, and search paths too.
fn listing<'a>(name: &str, needed: impl IntoIterator<Item = &'a str>) -> String {
    let needed: Vec<String> = needed.into_iter().map(|name| format!("{name:?}")).collect();
    let text = format!(
        "lazaret = 1\nname = \"{name}\"\n[trust]\nunsigned = true\n[elf]\nneeded = [{}]\n[syscalls]\nallow = [\"@compute\"]\n",
        needed.join(", ")
    );
    policy_file(name, &text).to_str().expect("UTF-8").to_owned()
}

fn audit(plugin: &Path, policy: &str) -> Audit {
    let policy = host().policy(policy).unwrap_or_else(|error| panic!("{error:?}"));
    inspect(&Opened::open(plugin).expect("open"), &policy)
}

fn refused(audit: &Audit) -> Vec<(Code, &Finding)> {
    let all = audit.report.findings.iter().chain(audit.libraries.iter().flat_map(|library| &library.findings));
    all.filter(|finding| finding.severity == Severity::Refuse).map(|finding| (finding.code, finding)).collect()
}

fn codes(audit: &Audit) -> Vec<Code> {
    refused(audit).into_iter().map(|(code, _)| code).collect()
}

/// A plugin that needs `libf.so`, which lies beside it, and how it finds that.
fn redirecting(place: &str, flags: &[&str]) -> (PathBuf, PathBuf) {
    let place = directory(place);
    let (plugin, library) = (place.join("plugin.so"), place.join("libf.so"));
    cc("cc", &library, "int f(void) { return 1; }", &["-Wl,-soname,libf.so"]);
    let at = format!("-L{}", place.display());
    cc("cc", &plugin, "int f(void); int g(void) { return f(); }", &[&[at.as_str(), "-lf"], flags].concat());
    (plugin, library)
}

#[test]
fn a_search_path_leads_nowhere_but_to_libraries_of_the_machine() {
    for (at, flag) in ["-Wl,-rpath,$ORIGIN", "-Wl,--disable-new-dtags,-rpath,$ORIGIN"].into_iter().enumerate() {
        let (plugin, _) = redirecting(&format!("redirected-{at}"), &[flag]);
        let audit = audit(&plugin, &listing("listed-f", ["libc.so.6", "libf.so"]));
        assert_eq!(codes(&audit), [Code::LibraryRedirected], "{}", audit.refusals());
        assert!(audit.libraries.iter().all(|library| library.name != "libf.so"), "it is not even read");
    }
}

#[test]
fn a_library_beside_the_plugin_is_taken_where_the_policy_pins_it_and_no_other_in_its_place() {
    let (plugin, library) = redirecting("pinned", &["-Wl,-rpath,$ORIGIN"]);
    let digest = |path: &Path| audit(path, &listing("pins-nothing", ["libc.so.6"])).digest.to_string();
    let (right, wrong) = (digest(&library), digest(&plugin));
    for (name, digest, wanted) in [("right", right, vec![]), ("wrong", wrong, vec![Code::LibraryDigest])] {
        let text = format!(
            "lazaret = 1\nname = \"pins\"\n[trust]\nunsigned = true\n[elf]\n\
             needed = [\"libc.so.6\", {{ name = \"libf.so\", digest = \"{digest}\" }}]\n[syscalls]\nallow = [\"@compute\"]\n"
        );
        let audit = audit(&plugin, policy_file(&format!("pins-{name}"), &text).to_str().expect("UTF-8"));
        assert_eq!(codes(&audit), wanted, "{name}: {}", audit.refusals());
        let found = audit.libraries.iter().find(|library| library.name == "libf.so").expect("found");
        assert_eq!((found.found_by, found.needed_by.as_slice()), (FoundBy::Runpath, &[String::new()][..]));
        assert_eq!(found.path, library);
    }
    let mut loaded = crate::support::load(&plugin, &pinning("pins-to-load", &library)).expect("load");
    assert_eq!(returned(call(&mut loaded.cell, "g() -> i32", &[])), Value::Signed(1), "mapped from what was found");
}

/// Cells come from a process that has the machine's C++ library, which runs before anything confines it.
#[test]
fn a_pinned_library_of_a_usual_name_runs_in_the_cell_alone() {
    let place = directory("usual");
    let (plugin, library) = (place.join("plugin.so"), place.join("libstdc++.so.6"));
    // A cell is process 1 of its own namespace.
    let source = "#include <unistd.h>\nstatic int at;\n__attribute__((constructor)) static void on(void) { at = getpid(); }\n\
                  int f(void) { return at; }";
    cc("cc", &library, source, &["-Wl,-soname,libstdc++.so.6"]);
    let at = format!("-L{}", place.display());
    let flags = [at.as_str(), "-l:libstdc++.so.6", "-Wl,-rpath,$ORIGIN"];
    cc("cc", &plugin, "int f(void); int g(void) { return f(); }", &flags);
    let digest = audit(&library, &listing("pins-nothing", ["libc.so.6"])).digest.to_string();
    let text = format!(
        "lazaret = 1\nname = \"usual\"\n[trust]\nunsigned = true\n[elf]\n\
         needed = [\"libc.so.6\", {{ name = \"libstdc++.so.6\", digest = \"{digest}\" }}]\n[syscalls]\nallow = [\"@compute\"]\n"
    );
    let policy = policy_file("usual", &text);
    for _ in 0..2 {
        let mut loaded = crate::support::load(&plugin, policy.to_str().expect("UTF-8")).expect("load");
        assert_eq!(returned(call(&mut loaded.cell, "g() -> i32", &[])), Value::Signed(1));
    }
}

#[test]
fn a_library_that_does_not_go_by_the_name_it_is_needed_by_is_refused_before_the_loader_misses_it() {
    let (plugin, library) = redirecting("renamed", &["-Wl,-rpath,$ORIGIN"]);
    for flags in [&[][..], &["-Wl,-soname,libother.so"]] {
        cc("cc", &library, "int f(void) { return 1; }", flags);
        let audit = audit(&plugin, &pinning("renamed", &library));
        assert_eq!(codes(&audit), [Code::LibraryName], "{flags:?}: {}", audit.refusals());
    }
}

#[test]
fn no_search_path_leads_to_another_c_library() {
    let place = directory("own-c-library");
    fs::copy(library("libz.so.1"), place.join("libc.so.6")).expect("copy");
    let plugin = place.join("plugin.so");
    cc("cc", &plugin, "int g(void) { return 1; }", &["-Wl,-rpath,$ORIGIN", "-Wl,--no-as-needed", "-lc"]);
    let audit =
        audit(&plugin, &listing("listed-c-and-loader", ["libc.so.6", "ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1"]));
    assert_eq!(codes(&audit), []);
    let found = audit.libraries.iter().find(|library| library.name == "libc.so.6").expect("found");
    assert!(!found.path.starts_with(&place), "{}", found.path.display());
}

#[test]
fn a_search_path_that_others_can_fill_is_named_and_one_of_the_machine_is_not() {
    let place = directory("filled");
    for (path, warned) in [("/tmp", true), ("lib", true), ("/usr/lib", false)] {
        let plugin = place.join("plugin.so");
        cc("cc", &plugin, "int g(void) { return 1; }", &[&format!("-Wl,-rpath,{path}")]);
        let audit = audit(&plugin, &listing("listed-c", ["libc.so.6"]));
        let found = audit.report.findings.iter().any(|finding| finding.code == Code::SearchPathWritable);
        assert_eq!(found, warned, "{path}");
    }
}

#[test]
fn a_version_that_a_library_does_not_have_is_named_with_the_newest_one_that_it_has() {
    // Built against a library that defines F_1.0 and F_1.10, and run with one that has F_1.0 and F_1.9.
    for (offered, wanted) in [("F_1.9", vec![Code::VersionMissing]), ("F_1.10", vec![])] {
        let place = directory(&format!("versions-{offered}"));
        let (plugin, library) = (place.join("plugin.so"), place.join("libf.so"));
        let build = |newest: &str| {
            let map = place.join("map");
            fs::write(&map, format!("F_1.0 {{ global: e; local: *; }};\n{newest} {{ global: f; }} F_1.0;\n"))
                .expect("map");
            let map = format!("-Wl,--version-script={}", map.display());
            cc("cc", &library, "int e(void) { return 1; } int f(void) { return 1; }", &["-Wl,-soname,libf.so", &map]);
        };
        build("F_1.10");
        let at = format!("-L{}", place.display());
        cc("cc", &plugin, "int f(void); int g(void) { return f(); }", &[&at, "-lf", "-Wl,-rpath,$ORIGIN"]);
        build(offered);
        let audit = audit(&plugin, &pinning("versions", &library));
        assert_eq!(codes(&audit), wanted, "{}", audit.refusals());
        if let Some((_, finding)) = refused(&audit).first() {
            let of = |name| finding.evidence.iter().find(|evidence| evidence.name == name).map(|of| of.value.as_str());
            assert_eq!((of("version"), of("newest")), (Some("F_1.10"), Some("F_1.9")));
            assert_eq!(of("library"), library.to_str());
        }
    }
}

/// A policy that pins `libf.so`.
fn pinning(name: &str, library: &Path) -> String {
    let digest = audit(library, &listing("pins-nothing", ["libc.so.6"])).digest.to_string();
    let text = format!(
        "lazaret = 1\nname = \"{name}\"\n[trust]\nunsigned = true\n[elf]\n\
         needed = [\"libc.so.6\", \"libc.so\", {{ name = \"libf.so\", digest = \"{digest}\" }}]\n[syscalls]\nallow = [\"@compute\"]\n"
    );
    policy_file(&format!("{name}-{}", &digest[7..15]), &text).to_str().expect("UTF-8").to_owned()
}

#[test]
fn symbols_that_nothing_defines_are_named_before_loading_and_weak_ones_are_noted() {
    let place = directory("unresolved");
    let plugin = place.join("plugin.so");
    let policy = listing("listed-c-and-loader", ["libc.so.6", "ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1"]);
    cc("cc", &plugin, "void nowhere(void); void nor_here(void); void g(void) { nowhere(); nor_here(); }", &[]);
    let strong = audit(&plugin, &policy);
    assert_eq!(codes(&strong), [Code::Unresolved]);
    let (_, finding) = refused(&strong)[0];
    let names: Vec<_> = finding.evidence.iter().map(|evidence| evidence.value.as_str()).collect();
    assert_eq!((finding.times, names), (2, vec!["nowhere", "nor_here"]));
    let loaded = crate::support::load(&plugin, &policy);
    assert!(matches!(loaded, Err(lazaret::Error::Audit(_))), "refused in a load too: {loaded:?}");
    let weak = "__attribute__((weak)) void nowhere(void); void g(void) { if (nowhere) nowhere(); }";
    cc("cc", &plugin, weak, &[]);
    let weak = audit(&plugin, &policy);
    assert_eq!(codes(&weak), []);
    assert!(weak.report.findings.iter().any(|finding| finding.code == Code::UnresolvedWeak));
    cc("cc", &plugin, "int puts(const char *); void g(void) { puts(\"\"); }", &[]);
    assert_eq!(codes(&audit(&plugin, &policy)), []);
}

#[test]
fn a_library_that_is_not_there_is_one_refusal_and_not_one_for_each_of_its_symbols() {
    let (plugin, _) = redirecting("gone", &[]);
    assert_eq!(codes(&audit(&plugin, &listing("listed-f", ["libc.so.6", "libf.so"]))), [Code::LibraryMissing]);
    assert_eq!(codes(&audit(&plugin, &listing("listed-c", ["libc.so.6"]))), [Code::NeededDenied]);
}

/// What `ldd` says of a file: the path for each name, and whether `ldd -r` complains.
fn ldd(path: &Path) -> Option<(BTreeMap<String, PathBuf>, String)> {
    let output = Command::new("ldd").arg("-r").arg(path).output().expect("run ldd");
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    let line = |line: &str| {
        let (name, rest) = line.trim().split_once(" => ")?;
        Some((name.to_owned(), PathBuf::from(rest.split_once(" (")?.0)))
    };
    // What the loader cannot even begin with is nothing to compare.
    output.status.success().then(|| (text.lines().filter_map(line).collect(), text))
}

#[test]
fn libraries_of_the_distribution_get_what_ldd_says_and_miss_what_ldd_says() {
    let zlib = library("libz.so.1");
    let mut paths: Vec<PathBuf> = fs::read_dir(zlib.parent().expect("a directory"))
        .expect("read")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.to_string_lossy().contains(".so.") && path.is_file() && !path.is_symlink())
        .collect();
    paths.sort();
    // Some of them, so that a run takes seconds; every one with LAZARET_EVERY_LIBRARY in the environment.
    let step = if std::env::var_os("LAZARET_EVERY_LIBRARY").is_some() { 1 } else { paths.len().div_ceil(25) };
    let (mut compared, mut edges, mut differences) = (0, 0, Vec::new());
    for path in paths.iter().step_by(step.max(1)) {
        // Nobody gets more than 128 libraries.
        let Some((found, text)) = ldd(path).filter(|(found, _)| found.len() < 128) else { continue };
        let all: BTreeSet<&str> = found.keys().map(String::as_str).collect();
        let loader = ["ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1"];
        let audit = audit(path, &listing("what-ldd-finds", all.into_iter().chain(loader)));
        compared += 1;
        let same = |path: &Path| fs::canonicalize(path).expect("exists");
        for library in audit.libraries.iter().filter(|library| !library.name.starts_with("ld-linux")) {
            edges += 1;
            match found.get(&library.name) {
                Some(wanted) if same(wanted) == same(&library.path) => {}
                wanted => differences.push(format!("{}: {library:?} and not {wanted:?}", path.display())),
            }
        }
        let missing = found.keys().filter(|name| !audit.libraries.iter().any(|library| library.name == **name));
        differences.extend(missing.map(|name| format!("{}: {name} is not found", path.display())));
        let codes = codes_of_the_file(&audit);
        let complains = text.contains("undefined symbol:") || text.contains("not found (required by");
        // A library that finds its symbols in another one of the plugin's, without needing it, is no complaint of `ldd`'s and
        // one of the audit's: a cell opens each for itself.
        let of_itself = audit.report.findings.iter().any(|finding| {
            matches!(finding.code, Code::Unresolved | Code::VersionMissing) && finding.severity == Severity::Refuse
        });
        if (complains && !codes) || (of_itself && !complains) {
            differences.push(format!(
                "{}: ldd -r {complains}, audit {codes}\n{text}{}",
                path.display(),
                audit.refusals()
            ));
        }
    }
    eprintln!("{compared} libraries, {edges} dependencies compared with ldd -r");
    assert!(compared >= 20 && edges >= 40, "only {compared} libraries and {edges} dependencies");
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

/// Whether versions or symbols are missing, for the file or for what it needs.
fn codes_of_the_file(audit: &Audit) -> bool {
    codes(audit).iter().any(|code| matches!(code, Code::Unresolved | Code::VersionMissing))
}

#[test]
fn what_an_audit_without_a_host_takes_for_granted_is_what_the_cell_program_needs() {
    let (found, _) = ldd(Path::new(CELL)).expect("a program");
    let names: Vec<&str> = found.keys().map(String::as_str).collect();
    assert_eq!(names, ["libc.so.6", "libgcc_s.so.1"]);
}

#[cfg(target_arch = "x86_64")]
#[test]
fn a_plugin_for_musl_finds_what_the_loader_of_musl_finds_and_is_refused_by_name_in_a_cell_of_glibc() {
    let loader = Path::new("/lib/ld-musl-x86_64.so.1");
    if !loader.exists() {
        eprintln!("SKIPPED: musl is not installed");
        return;
    }
    let place = directory("musl");
    let (plugin, library) = (place.join("plugin.so"), place.join("libf.so"));
    cc("musl-gcc", &library, "int f(void) { return 1; }", &["-Wl,-soname,libf.so"]);
    let at = format!("-L{}", place.display());
    cc("musl-gcc", &plugin, "int f(void); int g(void) { return f(); }", &[&at, "-lf", "-Wl,-rpath,$ORIGIN"]);
    let output = Command::new(loader).arg("--list").arg(&plugin).output().expect("run the loader");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let audit = audit(&plugin, &pinning("musl", &library));
    assert_eq!(codes(&audit), [Code::LibcFlavour], "{}", audit.refusals());
    for name in ["libf.so", "libc.so"] {
        let found = audit.libraries.iter().find(|library| library.name == name).expect("found");
        let line = format!("{name} => {}", found.path.display());
        assert!(text.contains(&line), "{line}\n{text}");
    }
}
