//! `lazaret inspect`: the forms in which an audit is read, and many files at once.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::support::{lazaret, library, plugin, scratch, text};

fn run(words: &[&str], status: i32) -> String {
    let output = lazaret(words);
    assert_eq!(output.status.code(), Some(status), "{words:?}\n{}", text(&output.stderr));
    text(&output.stdout)
}

fn path(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

/// A policy that permits libcurl's names and nothing of what it needs, or whatever the lines say.
fn policy(name: &str, lines: &str) -> String {
    let file = scratch().join(name);
    let text = format!(
        "lazaret = 1\nname = \"inspected\"\n[trust]\nunsigned = true\n[elf]\n{lines}\n[syscalls]\nallow = [\"@compute\"]\n"
    );
    fs::write(&file, text).expect("written");
    path(&file).to_owned()
}

#[test]
fn the_published_schema_is_that_of_the_code() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/inspect.schema.json");
    let now = run(&["inspect", "--schema"], 0);
    if std::env::var_os("LAZARET_BLESS").is_some() {
        fs::create_dir_all(file.parent().expect("a directory")).expect("made");
        fs::write(&file, &now).expect("written");
    }
    let published = fs::read_to_string(&file).unwrap_or_default();
    assert!(published == now, "docs/inspect.schema.json is not what the code says; LAZARET_BLESS=1 writes it");
}

/// Every field of an answer is a property of the schema, and every required property a field. Not a validator: types of
/// values are the serializer's.
fn agrees(value: &Value, schema: &Value, root: &Value, at: &str) {
    let schema = match schema["$ref"].as_str() {
        Some(reference) => &root["$defs"][reference.rsplit('/').next().expect("a name")],
        None => schema,
    };
    let some = |kind: &str| schema[kind].as_array().into_iter().flatten();
    if let Some(choices) = schema["anyOf"].as_array().or(schema["oneOf"].as_array()).filter(|_| !value.is_null()) {
        let of_kind = |choice: &&Value| choice["type"] != "null";
        let choices: Vec<_> = choices.iter().filter(of_kind).collect();
        if choices.len() == 1 {
            agrees(value, choices[0], root, at);
        }
        return;
    }
    match value {
        Value::Object(fields) if schema["properties"].is_object() => {
            for (name, field) in fields {
                let known = &schema["properties"][name];
                assert!(!known.is_null(), "{at}.{name} is not in the schema");
                agrees(field, known, root, &format!("{at}.{name}"));
            }
            some("required").for_each(|name| {
                assert!(fields.contains_key(name.as_str().expect("a name")), "{at} lacks {name}");
            });
        }
        Value::Array(items) => items.iter().for_each(|item| agrees(item, &schema["items"], root, &format!("{at}[]"))),
        _ => {}
    }
}

#[test]
fn an_answer_has_the_fields_of_the_schema_and_no_others() {
    let schema: Value = serde_json::from_str(&run(&["inspect", "--schema"], 0)).expect("JSON");
    let file = library("libstdc++.so.6");
    let policy =
        policy("fields.toml", "needed = [\"libc.so.6\", \"libm.so.6\"]\nimports.deny = [\"@exec\", \"@unknown\"]");
    let answer: Value =
        serde_json::from_str(&run(&["inspect", path(&file), "--policy", &policy, "--json"], 1)).expect("JSON");
    agrees(&answer, &schema, &schema, "$");
    let audited = &answer["files"][0];
    let of_file =
        schema["$defs"].as_object().expect("definitions").iter().find(|(name, _)| *name == "Audit").expect("Audit").1;
    agrees(audited, of_file, &schema, "$.files[]");
    assert!(audited["reach"].as_array().is_some_and(|groups| !groups.is_empty()));
    assert!(audited["facts"]["runs"].as_array().is_some_and(|runs| !runs.is_empty()));
}

#[test]
fn what_a_plugin_reaches_is_said_with_the_way_there() {
    let answer = run(&["inspect", path(&library("libstdc++.so.6")), "--json"], 0);
    let answer: Value = serde_json::from_str(&answer).expect("JSON");
    let reach = answer["files"][0]["reach"].as_array().expect("groups");
    let group =
        |name: &str| reach.iter().find(|group| group["group"] == name).unwrap_or_else(|| panic!("{name}: {reach:#?}"));
    assert!(group("filesystem-open")["imports"]["first"].to_string().contains("fopen"));
    assert_eq!(group("compute")["everyday"], true);
    assert_eq!(group("dynload")["through"][0]["path"][0], "libgcc_s.so.1");
    let out = run(&["inspect", path(&library("libstdc++.so.6"))], 0);
    assert!(out.contains("through libgcc_s.so.1"), "{out}");
}

#[test]
fn an_unknown_import_is_a_group_that_a_policy_can_deny() {
    let calls = scratch().join("unknown.c");
    fs::write(&calls, "extern int nobody_knows(void); int ask(void) { return nobody_knows(); }\n").expect("written");
    let file = plugin(path(&calls), &[]);
    let denied = policy("unknown.toml", "needed = [\"libc.so.6\"]\nimports.deny = [\"@unknown\"]");
    let out = run(&["inspect", path(&file), "--policy", &denied], 1);
    assert!(out.contains("imports `nobody_knows`, which `@unknown` denies"), "{out}");
}

#[test]
fn sarif_has_what_code_scanning_asks_for() {
    let file = library("libstdc++.so.6");
    let policy = policy("sarif.toml", "needed = [\"libc.so.6\", \"libm.so.6\"]\nimports.deny = [\"@filesystem-read\"]");
    let answer = run(&["inspect", path(&file), "/no/such.so", "--policy", &policy, "--sarif"], 2);
    let log: Value = serde_json::from_str(&answer).expect("JSON");
    assert_eq!(log["version"], "2.1.0");
    let run = &log["runs"][0];
    assert_eq!(run["tool"]["driver"]["name"], "lazaret");
    let rules = run["tool"]["driver"]["rules"].as_array().expect("rules");
    let results = run["results"].as_array().expect("results");
    assert!(!results.is_empty());
    for result in results {
        let index = usize::try_from(result["ruleIndex"].as_u64().expect("an index")).expect("small");
        assert_eq!(rules[index]["id"], result["ruleId"]);
        assert!(["error", "warning", "note"].contains(&result["level"].as_str().expect("a level")));
        let place = &result["locations"][0]["physicalLocation"];
        assert!(place["artifactLocation"]["uri"].as_str().is_some_and(|uri| uri.starts_with("file:///")));
        assert_eq!(place["region"]["startLine"], 1);
        assert!(result["partialFingerprints"]["lazaretFact/v1"].is_string());
    }
    let denied = results.iter().find(|result| result["ruleId"] == "IMPORT-DENIED").expect("a denial");
    let line = &denied["relatedLocations"][0]["physicalLocation"];
    assert_eq!(line["region"]["startLine"], 7);
    assert!(line["artifactLocation"]["uri"].as_str().is_some_and(|uri| uri.ends_with("sarif.toml")));
    // The file that is not there is a failed invocation, and no result.
    assert_eq!(run["invocations"][0]["executionSuccessful"], false);
    assert_eq!(run["invocations"][0]["toolExecutionNotifications"][0]["descriptor"]["id"], "E-OPEN-READ");
}

#[test]
fn the_page_needs_nothing_else_and_what_a_file_says_is_no_markup() {
    let hostile = scratch().join("hostile.c");
    fs::write(
        &hostile,
        "__asm__(\".globl \\\"<script>alert(1)</script>\\\"\\n.type \\\"<script>alert(1)</script>\\\", @function\\n\
         \\\"<script>alert(1)</script>\\\": ret\\n\");\nextern int system(const char *); int run(void) { return system(\"\"); }\n",
    )
    .expect("written");
    let file = plugin(path(&hostile), &["-Wl,-soname,<img src=x onerror=alert(1)>"]);
    let page = scratch().join("audit.html");
    run(&["inspect", path(&file), path(&library("libz.so.1")), "--html", path(&page)], 1);
    let html = fs::read_to_string(&page).expect("the page");
    for part in ["<svg", "IMPORT-DENIED", "class=\"memory\"", "class=\"groups\"", "libz.so.1", "&lt;img src=x"] {
        assert!(html.contains(part), "{part} is missing");
    }
    for part in ["<script", "<img", "http://", "https://", "src=\"", "@import", "url("] {
        assert!(!html.contains(part), "{part} is in the page");
    }
    assert_eq!(html.matches("<section").count(), html.matches("</section>").count());
    assert_eq!(html.matches("<div").count(), html.matches("</div>").count());
    let output = lazaret(["inspect", path(&file), "--html", "/no/such/directory/page.html"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("E-OUTPUT"));
}

#[test]
fn a_directory_stands_for_the_shared_objects_in_it_and_is_a_table() {
    let directory = scratch().join("many");
    fs::create_dir_all(directory.join("deep/er")).expect("made");
    let good = plugin("good/types.c", &[]);
    for name in ["a.so", "b.so.1.2", "deep/er/c.so"] {
        fs::copy(&good, directory.join(name)).expect("copied");
    }
    fs::write(directory.join("script.so"), "INPUT(a.so)").expect("written");
    fs::write(directory.join("broken.so"), b"\x7fELF\x02\x01\x01 and no more").expect("written");
    std::os::unix::fs::symlink(".", directory.join("circle")).expect("linked");
    let out = run(&["inspect", path(&directory)], 1);
    assert!(out.starts_with("4 files in "), "{out}");
    for part in ["3 accepted", "1 refused for what they are", "ELF-TRUNCATED", "broken.so"] {
        assert!(out.contains(part), "{part} is missing:\n{out}");
    }
    let answer: Value = serde_json::from_str(&run(&["inspect", path(&directory), "--json"], 1)).expect("JSON");
    let names: Vec<_> =
        answer["files"].as_array().expect("files").iter().map(|file| file["file"].as_str().expect("a name")).collect();
    assert_eq!(names, ["a.so", "b.so.1.2", "broken.so", "c.so"]);
    let empty = scratch().join("no-objects");
    fs::create_dir_all(&empty).expect("made");
    assert!(text(&lazaret(["inspect", path(&empty)]).stderr).contains("E-NO-FILE"));
}

#[test]
fn a_finding_is_said_once_and_its_advice_once() {
    let file = library("libstdc++.so.6");
    let policy = policy(
        "once.toml",
        "needed = [\"libc.so.6\", \"libm.so.6\", \"libgcc_s.so.1\"]\nimports.deny = [\"@filesystem-read\", \"@filesystem-write\"]",
    );
    let out = run(&["inspect", path(&file), "--policy", &policy], 1);
    assert_eq!(
        out.matches("build the plugin without it, or take it out of `imports.deny`").count(),
        out.matches("IMPORT-DENIED").count(),
        "{out}"
    );
    let refused = out.find("REFUSED").expect("refusals");
    assert!(
        refused < out.find("WARNINGS").unwrap_or(usize::MAX) && refused < out.find("NOTES").expect("notes"),
        "{out}"
    );
}
