//! What real files say about their making, what a policy makes of it, and the document for other programs.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use lazaret::audit::provenance::Provenance;
use lazaret::audit::{Code, Finding, Severity};
use lazaret::{Audit, Error, Opened, sbom};
use serde_json::{Value, json};

use crate::support::{directory, host, lazaret, library, load, plugin, policy_file, source, text};

fn inspect(file: &Path, policy: &str) -> Audit {
    let policy = host().policy(policy).expect("a policy");
    lazaret::inspect(&Opened::open(file).expect("open"), &policy)
}

fn claims(file: &Path) -> Provenance {
    inspect(file, "builtin:compute").provenance.expect("the file has one reading")
}

/// A policy that extends another by what it says about provenance.
fn policy(name: &str, extends: &str, provenance: &str) -> String {
    let text = format!("lazaret = 1\nname = \"p\"\nextends = \"{extends}\"\n[provenance]\n{provenance}\n");
    policy_file(name, &text).to_str().expect("UTF-8").to_owned()
}

fn objcopy(file: &Path, name: &str, words: &[&str]) -> PathBuf {
    let out = directory("provenance").join(name);
    let run = Command::new("objcopy").args(words).arg(file).arg(&out).output().expect("objcopy; run tests/setup");
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    out
}

/// The file with a section that holds `content`.
fn with_section(file: &Path, name: &str, section: &str, content: &[u8]) -> PathBuf {
    let from = directory("provenance").join(format!("{name}.section"));
    fs::write(&from, content).expect("write a section");
    objcopy(file, name, &["--add-section", &format!("{section}={}", from.display())])
}

/// The file without section headers.
fn without_sections(file: &Path, name: &str) -> PathBuf {
    let mut bytes = fs::read(file).expect("readable");
    bytes[40..48].fill(0);
    bytes[58..64].fill(0);
    let out = directory("provenance").join(name);
    fs::write(&out, bytes).expect("write");
    out
}

/// The crates of a plugin as `cargo auditable` writes them.
fn audit_data() -> Vec<u8> {
    let list = json!({ "packages": [
        { "name": "plugin", "version": "0.3.0", "source": "local", "root": true, "dependencies": [1, 2] },
        { "name": "openssl", "version": "0.10.55", "source": "crates.io", "dependencies": [3] },
        { "name": "cc", "version": "1.0.0", "source": "crates.io", "kind": "build" },
        { "name": "helper", "version": "0.1.0", "source": "git" },
    ], "format": 1 });
    miniz_oxide::deflate::compress_to_vec_zlib(list.to_string().as_bytes(), 9)
}

fn go_plugin() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let out = directory("provenance").join("go.so");
        let words = ["build", "-mod=vendor", "-buildvcs=false", "-trimpath", "-buildmode=c-shared", "-o"];
        let mut go = Command::new("go");
        go.args(words).arg(&out).arg(".").current_dir(source("go"));
        go.env("GOCACHE", directory("go-cache")).env("GOPATH", directory("go-path"));
        go.env("GOPROXY", "off").env("GOTOOLCHAIN", "local").env("GOFLAGS", "").env("CGO_ENABLED", "1");
        let run = go.output().unwrap_or_else(|error| panic!("{go:?}: {error}; run tests/setup"));
        assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
        out
    })
}

fn found(findings: &[Finding], code: Code) -> Vec<&Finding> {
    findings.iter().filter(|finding| finding.code == code).collect()
}

#[track_caller]
fn assert_denied(file: &Path, policy: &str, module: &str, version: &str) {
    let audit = inspect(file, policy);
    let denied = found(&audit.report.findings, Code::ModuleDenied);
    let shown: Vec<_> = denied.iter().map(ToString::to_string).collect();
    assert_eq!(shown.len(), 1, "{shown:?}");
    assert!(shown[0].contains(module) && shown[0].contains(version), "{}", shown[0]);
    assert!(shown[0].contains(":5 `provenance.deny`"), "{}", shown[0]);
    match load(file, policy) {
        Err(Error::Audit(audit)) => assert_eq!(found(&audit.report.findings, Code::ModuleDenied).len(), 1),
        other => panic!("a load decides as an inspection does: {:?}", other.map(|_| ())),
    }
}

#[track_caller]
fn assert_not_denied(file: &Path, policy: &str) {
    let audit = inspect(file, policy);
    assert!(found(&audit.report.findings, Code::ModuleDenied).is_empty(), "{}", audit.refusals());
}

#[test]
fn a_go_plugin_is_refused_for_a_module_and_version_that_the_policy_denies() {
    let file = go_plugin();
    let deny = |name: &str, entry: &str| policy(name, "builtin:go", &format!("deny = [\"{entry}\"]"));
    assert_denied(file, &deny("go-below", "go:example.com/old < 1.3"), "example.com/old", "v1.2.3");
    assert_denied(file, &deny("go-toolchain", "go:stdlib < 99"), "stdlib", "go1.");
    assert_denied(file, &deny("go-fork", "go:example.com/fork"), "example.com/fork", "v1.1.0");
    assert_not_denied(file, &deny("go-above", "go:example.com/old < 1.2.3"));
    assert_not_denied(file, &deny("go-other", "go:example.com/ol"));
}

#[test]
fn what_go_writes_is_found_without_section_headers_and_missed_where_it_was_wiped() {
    let claimed = claims(go_plugin()).go.expect("build information");
    let bare = claims(&without_sections(go_plugin(), "go-bare.so"));
    assert_eq!(bare.go.as_ref(), Some(&claimed));
    assert!(bare.go_build_id.is_some(), "notes are mapped");
    assert_eq!(claimed.settings["GOOS"], "linux");

    let mut bytes = fs::read(go_plugin()).expect("readable");
    let places: Vec<_> = bytes.windows(14).enumerate().filter(|(_, part)| part == b"\xff Go buildinf:").collect();
    let places: Vec<_> = places.into_iter().map(|(at, _)| at).collect();
    places.into_iter().for_each(|at| bytes[at] = 0);
    let wiped = directory("provenance").join("go-wiped.so");
    fs::write(&wiped, bytes).expect("write");
    let demands = policy("go-demanded", "builtin:go", "require = [\"go-buildinfo\"]");
    let audit = inspect(&wiped, &demands);
    let missing = found(&audit.report.findings, Code::ProvenanceMissing);
    assert_eq!(missing.len(), 1, "{}", audit.refusals());
    assert!(missing[0].rule.as_ref().is_some_and(|rule| rule.line == 5 && rule.key == "provenance.require"));
    assert!(found(&inspect(go_plugin(), &demands).report.findings, Code::ProvenanceMissing).is_empty());
}

#[test]
fn a_rust_plugin_is_refused_for_a_crate_that_the_policy_denies() {
    let file = with_section(&plugin("good/types.c", &[]), "crates.so", ".dep-v0", &audit_data());
    let deny = |name: &str, entry: &str| policy(name, "builtin:compute", &format!("deny = [\"{entry}\"]"));
    assert_denied(&file, &deny("crate-below", "cargo:openssl < 0.10.60"), "openssl", "0.10.55");
    assert_not_denied(&file, &deny("crate-above", "cargo:openssl >= 0.10.60"));
    assert_not_denied(&file, &deny("crate-build", "cargo:cc"));
}

#[test]
fn a_zip_bomb_is_named_and_refused_only_where_somebody_relies_on_the_list() {
    let bomb = miniz_oxide::deflate::compress_to_vec_zlib(&vec![b' '; 64 << 20], 9);
    let file = with_section(&plugin("good/types.c", &[]), "bomb.so", ".dep-v0", &bomb);
    let severity = |policy: &str| {
        let audit = inspect(&file, policy);
        let broken = found(&audit.report.findings, Code::ProvenanceBroken);
        assert!(broken.iter().all(|finding| finding.what.contains("8 MiB")), "{broken:?}");
        broken.iter().map(|finding| finding.severity).collect::<Vec<_>>()
    };
    assert_eq!(severity("builtin:compute"), [Severity::Warn]);
    assert_eq!(severity(&policy("bomb", "builtin:compute", "deny = [\"cargo:openssl\"]")), [Severity::Refuse]);
    assert!(load(&file, "builtin:compute").is_ok(), "nobody asked");
}

#[test]
fn a_package_note_is_read_from_its_segment_and_its_version_denied() {
    let note = r#"{"type":"deb","os":"debian","name":"zlib","version":"1:1.2.13-1","architecture":"amd64"}"#;
    let metadata = format!("--package-metadata={note}");
    let file = plugin("good/types.c", &["-Xlinker", &metadata]);
    let bare = without_sections(&file, "package-bare.so");
    for file in [&file, &bare] {
        let package = claims(file).package.expect("a package");
        assert_eq!((package.kind.as_str(), package.version.as_deref()), ("deb", Some("1:1.2.13-1")));
    }
    let deny = |name: &str, entry: &str| policy(name, "builtin:compute", &format!("deny = [\"{entry}\"]"));
    assert_denied(&bare, &deny("deb-below", "deb:zlib < 1:1.3"), "zlib", "1:1.2.13-1");
    assert_not_denied(&file, &deny("deb-above", "deb:zlib < 1:1.2"));
}

#[test]
fn compilers_debug_files_and_paths_of_the_build_are_named() {
    let plain = plugin("good/types.c", &["-g"]);
    let debug = objcopy(&plain, "types.debug", &["--only-keep-debug"]);
    let file = objcopy(&plain, "linked.so", &["--strip-debug", &format!("--add-gnu-debuglink={}", debug.display())]);
    let claimed = claims(&file);
    assert!(claimed.compilers.iter().any(|name| name.contains("GCC") || name.contains("clang")), "{claimed:?}");
    let link = claimed.debug_link.expect("a debug link");
    assert_eq!((link.name.as_str(), link.crc32), ("types.debug", crc32(&fs::read(&debug).expect("readable"))));
    // Debugging information has the path of the source; only what is mapped counts.
    assert_eq!(claims(&plain).paths.expect("searched").count, 0);
    let c = directory("provenance").join("paths.c");
    fs::write(&c, "const char *where(void) { return \"/home/ada/src/secret.c\"; }\n").expect("write");
    let built = directory("provenance").join("paths.so");
    let run = Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&built).arg(&c).status();
    assert!(run.expect("a C compiler").success());
    let paths = claims(&built).paths.expect("searched");
    assert_eq!((paths.count, paths.examples), (1, vec!["/home/ada/src/secret.c".to_owned()]));
    let zlib = claims(&library("libz.so.1"));
    assert_eq!((zlib.broken.as_slice(), zlib.go, zlib.crates), ([].as_slice(), None, vec![]));
}

/// As gdb has it: reflected, 0xedb88320.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| crc >> 1 ^ (0xedb8_8320 & 0_u32.wrapping_sub(crc & 1)))
    })
}

#[test]
fn a_mistake_in_the_policy_is_shown_with_its_place() {
    let path = policy("provenance-mistake", "builtin:compute", "deny = [\"go:golang.org/x/net < latest\"]");
    let shown = lazaret(["policy", "check", &path]);
    let shown = format!("{}{}", text(&shown.stdout), text(&shown.stderr));
    assert!(shown.contains("P-MODULE-VERSION") && shown.contains("`latest`"), "{shown}");
}

/// The keys of a component that this document uses, out of the schema of CycloneDX 1.6, which allows no others.
const COMPONENT: [&str; 8] = ["type", "bom-ref", "name", "version", "hashes", "purl", "scope", "properties"];

#[track_caller]
fn assert_component(component: &Value) {
    let keys = component.as_object().expect("an object");
    assert!(keys.keys().all(|key| COMPONENT.contains(&key.as_str())), "{component}");
    assert!(["library", "application"].contains(&component["type"].as_str().expect("a type")), "{component}");
    assert!(component["name"].as_str().is_some_and(|name| !name.is_empty()), "{component}");
    assert!(component["bom-ref"].as_str().is_some_and(|name| !name.is_empty()), "{component}");
    for hash in keys.get("hashes").and_then(Value::as_array).into_iter().flatten() {
        let digits = hash["content"].as_str().expect("digits");
        assert!(hash["alg"] == "SHA-256" && digits.len() == 64 && digits.bytes().all(|one| one.is_ascii_hexdigit()));
    }
    if let Some(scope) = keys.get("scope") {
        assert_eq!(scope, "excluded");
    }
    if let Some(purl) = keys.get("purl") {
        assert!(purl.as_str().is_some_and(|purl| purl.starts_with("pkg:") && purl.is_ascii()), "{purl}");
    }
    for property in keys.get("properties").and_then(Value::as_array).into_iter().flatten() {
        assert!(property["name"].is_string() && property["value"].is_string(), "{property}");
    }
}

/// Not the schema itself, which would need a validator: what it demands of the keys that are used.
#[track_caller]
fn assert_cyclonedx(document: &Value) {
    assert_eq!((&document["bomFormat"], &document["specVersion"]), (&json!("CycloneDX"), &json!("1.6")));
    assert_eq!(document["version"], 1);
    let serial = document["serialNumber"].as_str().expect("a serial number");
    let parts: Vec<_> = serial.strip_prefix("urn:uuid:").expect("a UUID").split('-').map(str::len).collect();
    assert_eq!(parts, [8, 4, 4, 4, 12]);
    let components = document["components"].as_array().expect("components");
    let root = &document["metadata"]["component"];
    components.iter().chain([root]).for_each(assert_component);
    let references: Vec<_> = components.iter().chain([root]).map(|one| one["bom-ref"].as_str().expect("one")).collect();
    let distinct: BTreeSet<_> = references.iter().copied().collect();
    assert_eq!(distinct.len(), references.len(), "references are unique");
    let dependencies = document["dependencies"].as_array().expect("dependencies");
    let named: BTreeSet<_> = dependencies.iter().map(|one| one["ref"].as_str().expect("a reference")).collect();
    assert_eq!((named.len(), &named), (dependencies.len(), &distinct), "each component stands once in the graph");
    let on = dependencies.iter().filter_map(|one| one.get("dependsOn")).flat_map(|on| on.as_array().expect("a list"));
    on.for_each(|on| assert!(distinct.contains(on.as_str().expect("a reference")), "{on}"));
}

#[test]
fn the_document_for_other_programs_has_what_the_files_name_and_is_the_same_each_time() {
    let file = with_section(&plugin("good/types.c", &["-Wl,--no-as-needed,-lm"]), "sbom.so", ".dep-v0", &audit_data());
    let file = objcopy(&file, "sbom-2.so", &[]);
    let document = sbom::cyclonedx(&inspect(&file, "builtin:compute"));
    assert_cyclonedx(&document);
    assert_eq!(document, sbom::cyclonedx(&inspect(&file, "builtin:compute")));
    let root = document["metadata"]["component"]["bom-ref"].as_str().expect("a reference");
    let on = |reference: &str| {
        let entries = document["dependencies"].as_array().expect("a list");
        entries.iter().find(|entry| entry["ref"] == reference).expect("in the graph")["dependsOn"].clone()
    };
    let direct = on(root);
    let direct: Vec<_> = direct.as_array().expect("some").iter().filter_map(Value::as_str).collect();
    for part in ["cargo:openssl@0.10.55 (crates.io)", "cargo:cc@1.0.0 (crates.io)", "library:libm.so.6"] {
        assert!(direct.contains(&part), "{part}: {direct:?}");
    }
    assert!(!direct.contains(&"cargo:helper@0.1.0 (git)"), "only what needs it depends on it");
    assert_eq!(on("cargo:openssl@0.10.55 (crates.io)"), json!(["cargo:helper@0.1.0 (git)"]));
    let libm = on("library:libm.so.6");
    assert!(libm.as_array().is_some_and(|on| on.contains(&json!("library:libc.so.6"))), "{libm}");
    let text = document.to_string();
    assert!(text.contains("pkg:cargo/openssl@0.10.55") && !text.contains("pkg:cargo/helper"), "{text}");
    fs::write(directory("provenance").join("c.cdx.json"), format!("{document:#}")).expect("write");
}

#[test]
fn the_document_of_a_go_plugin_names_the_toolchain_and_what_replaced_a_module() {
    let document = sbom::cyclonedx(&inspect(go_plugin(), "builtin:go"));
    assert_cyclonedx(&document);
    let text = document.to_string();
    for purl in ["pkg:golang/stdlib@1.", "pkg:golang/example.com/old@v1.2.3", "pkg:golang/example.com/fork@v1.1.0"] {
        assert!(text.contains(purl), "{purl}: {text}");
    }
    assert!(!text.contains("pkg:golang/example.com/kept"), "{text}");
    fs::write(directory("provenance").join("go.cdx.json"), format!("{document:#}")).expect("write");
}

#[test]
fn a_file_without_one_reading_still_gets_a_document() {
    let file = directory("provenance").join("text.so");
    fs::write(&file, "no ELF file").expect("write");
    let document = sbom::cyclonedx(&inspect(&file, "builtin:compute"));
    assert_cyclonedx(&document);
    assert_eq!(document["components"], json!([]));
}
