//! Each kind of mistake once, with the code, the place and the advice it gets.

use lazaret_policy::{Code, Diagnostic, Document, MAX_TEXT, Palette, Policy, Request, Severity, Source};

fn source(text: &str) -> Source {
    Source { name: "p.toml".into(), text: text.into() }
}

fn mistakes(text: &str) -> Vec<Diagnostic> {
    Document::read(&source(text)).expect_err(text).as_slice().to_vec()
}

/// The one mistake in a policy whose first two lines are right.
fn mistake(rest: &str) -> Diagnostic {
    let text = format!("lazaret = 1\nname = \"p\"\n{rest}");
    let all = mistakes(&text);
    assert_eq!(all.len(), 1, "{text}\n{all:#?}");
    all.into_iter().next().expect("one")
}

fn resolve(text: &str) -> Result<Policy, Vec<Diagnostic>> {
    Policy::resolve(&Request::new(source(text)), |path, _| Err(format!("no file {path}")))
        .map_err(|all| all.as_slice().to_vec())
}

/// Code, line, column and suggestion of the one mistake.
#[track_caller]
fn assert_mistake(rest: &str, code: Code, (line, column): (u32, u32), suggestion: Option<&str>) {
    let found = mistake(rest);
    assert_eq!(
        (found.code, found.line, found.column, found.suggestion.as_deref()),
        (code, line, column, suggestion),
        "{rest}\n{found:#?}"
    );
    assert!(!found.message.ends_with('.'), "{}", found.message);
    assert!(!found.message.starts_with(char::is_uppercase), "{}", found.message);
}

#[test]
fn a_key_that_does_not_exist_shows_the_nearest_one() {
    assert_mistake("[limits]\nmemroy = \"1 GiB\"\n", Code::UnknownKey, (4, 1), Some("memory"));
    assert_mistake("[limits]\nprocesors = 1\n", Code::UnknownKey, (4, 1), Some("processors"));
    assert_mistake("[limit]\nmemory = \"1 GiB\"\n", Code::UnknownKey, (3, 2), Some("limits"));
    assert_mistake("[elf]\nimports.denny = [\"@exec\"]\n", Code::UnknownKey, (4, 9), Some("deny"));
    assert_mistake("[files]\n  execute = [\"/usr\"]\n", Code::UnknownKey, (4, 3), None);
    assert_mistake(
        "[syscalls]\nrules = [{ call = \"socket\", when = \"domain == 1\", wen = \"\" }]\n",
        Code::UnknownKey,
        (4, 51),
        Some("when"),
    );
    assert_mistake(
        "[elf]\nneeded = [{ name = \"libz.so.1\", digset = \"\", digest = \"sha256:0000000000000000000000000000000000000000000000000000000000000000\" }]\n",
        Code::UnknownKey,
        (4, 33),
        Some("digest"),
    );
}

#[test]
fn a_key_written_twice_is_named() {
    let found = mistake("[limits]\nthreads = 1\nthreads = 2\n");
    assert_eq!((found.code, found.line, found.column), (Code::DuplicateKey, 5, 1));
    assert_eq!(found.message, "the key `threads` is written twice");
}

#[test]
fn text_that_is_not_toml_is_placed() {
    assert_eq!(mistake("[trust\n").code, Code::Syntax);
    let all = mistakes("lazaret = 1\nname = \"p\nnext = 2\n");
    assert_eq!((all[0].code, all[0].line), (Code::Syntax, 2));
    assert!(mistakes("a = \nb = \n").len() > 1, "every mistake of syntax is reported");
}

#[test]
fn version_and_name_are_required() {
    let all = mistakes("");
    let codes: Vec<_> = all.iter().map(|one| (one.code, one.key.as_str())).collect();
    assert_eq!(codes, [(Code::MissingKey, "lazaret"), (Code::MissingKey, "name")]);
    let all = mistakes("lazaret = 2\nname = \"p\"\n");
    assert_eq!((all[0].code, all[0].line, all[0].column), (Code::Version, 1, 11));
    assert_eq!(mistakes("lazaret = \"1\"\nname = \"p\"\n")[0].code, Code::Type);
    assert_eq!(mistakes("lazaret = 1\nname = \"a b\"\n")[0].code, Code::Name);
}

#[test]
fn a_value_of_the_wrong_kind_says_what_belongs_there() {
    assert_mistake("files = 1\n", Code::Type, (3, 9), None);
    assert_mistake("[files]\nread = \"/usr\"\n", Code::Type, (4, 8), None);
    assert_mistake("[files]\nread = [1]\n", Code::Type, (4, 9), None);
    assert_mistake("[trust]\nunsigned = \"yes\"\n", Code::Type, (4, 12), None);
    assert_mistake("[limits]\nmemory = 1\n", Code::Type, (4, 10), None);
    assert_mistake("[limits]\nthreads = \"8\"\n", Code::Type, (4, 11), None);
    assert_mistake("[syscalls]\nrules = [\"socket\"]\n", Code::Type, (4, 10), None);
    assert_mistake("[elf]\nneeded = [1.5]\n", Code::Type, (4, 11), None);
    assert_eq!(
        mistake("[limits]\nmemory = 1\n").message,
        "`limits.memory` takes a size, as in `\"256 MiB\"`, not a number"
    );
}

#[test]
fn an_entry_that_denies_no_module_says_what_is_wrong_with_it() {
    let deny = |entry: &str| format!("[provenance]\ndeny = [\"{entry}\"]\n");
    assert_mistake(&deny("crago:openssl"), Code::UnknownWord, (4, 9), Some("cargo"));
    assert_mistake(&deny("openssl"), Code::UnknownWord, (4, 9), None);
    assert_mistake(&deny("go:golang.org/*/net"), Code::Name, (4, 9), None);
    assert_mistake(&deny("go:golang.org/x/net < latest"), Code::ModuleVersion, (4, 9), None);
    assert_mistake(&deny("go:golang.org/x/net < 1.0, 2.0"), Code::ModuleVersion, (4, 9), None);
    assert_mistake("[provenance]\ndeny = [\"go:a<1.0\", \"go:a < 1.0\"]\n", Code::DuplicateValue, (4, 21), None);
    assert_mistake("[provenance]\nrequire = [\"go-buildinfos\"]\n", Code::UnknownWord, (4, 12), Some("go-buildinfo"));
    assert_mistake("[provenence]\ndeny = [\"go:a\"]\n", Code::UnknownKey, (3, 2), Some("provenance"));
}

#[test]
fn an_empty_list_and_a_repeated_value_are_mistakes() {
    assert_mistake("[files]\nread = []\n", Code::EmptyList, (4, 8), None);
    assert!(mistake("[files]\nread = []\n").help.is_some_and(|help| help.contains("\"none\"")));
    assert_mistake("[elf]\nrequire = \"none\"\n", Code::Type, (4, 11), None);
    assert_mistake("[trust]\npublishers = \"none\"\n", Code::Type, (4, 14), None);
    assert_mistake("[files]\nread = [\"none\"]\n", Code::Path, (4, 9), None);
    assert_mistake("[syscalls]\nallow = [\"read\", \"read\"]\n", Code::DuplicateValue, (4, 18), None);
    assert_mistake("[elf]\nneeded = [\"a.so\", \"a.so\"]\n", Code::DuplicateValue, (4, 19), None);
    assert_mistake("[layers]\nrequire = [\"landlock\", \"landlock>=4\"]\n", Code::DuplicateValue, (4, 24), None);
}

#[test]
fn words_that_do_not_exist_show_the_nearest_one() {
    assert_mistake("[elf]\nrequire = [\"nx-stak\"]\n", Code::UnknownWord, (4, 12), Some("nx-stack"));
    assert_mistake("[elf]\ndirect-syscalls = \"dney\"\n", Code::UnknownWord, (4, 19), Some("deny"));
    assert_mistake("[syscalls]\non-deny = \"kil\"\n", Code::UnknownWord, (4, 11), Some("kill"));
    assert_mistake("[syscalls]\non-deny = \"repot\"\n", Code::UnknownWord, (4, 11), Some("report"));
    assert_mistake("[layers]\nrequire = [\"secomp\"]\n", Code::UnknownWord, (4, 12), Some("seccomp"));
    assert_mistake("[layers]\nlayout = \"frsh\"\n", Code::UnknownWord, (4, 10), Some("fresh"));
    assert_mistake("[layers]\nlayout = [\"fresh\"]\n", Code::Type, (4, 10), None);
    assert_mistake("[layers]\nlayuot = \"fresh\"\n", Code::UnknownKey, (4, 1), Some("layout"));
    assert_mistake("[layers]\nrequire = [\"namespace\"]\n", Code::UnknownWord, (4, 12), Some("namespaces"));
    assert_mistake("[layers]\noptional = [\"mont\"]\n", Code::UnknownWord, (4, 13), Some("mount"));
    assert_mistake("[layers]\nrequire = [\"seccomp>=2\"]\n", Code::UnknownWord, (4, 12), None);
    assert_mistake("[layers]\nrequire = [\"landlock>=99\"]\n", Code::Range, (4, 12), None);
    assert_mistake("[syscalls]\nallow = [\"@threds\"]\n", Code::UnknownGroup, (4, 10), Some("@threads"));
    assert_mistake("[syscalls]\nallow = [\"opennat\"]\n", Code::UnknownCall, (4, 10), Some("openat"));
    assert_mistake("[elf]\nimports.deny = [\"@exce\"]\n", Code::UnknownGroup, (4, 17), Some("@exec"));
    assert_mistake("extends = \"builtin:compute\"\n[elf]\nrequire = [\"\"]\n", Code::UnknownWord, (5, 12), None);
}

#[test]
fn what_no_policy_can_allow_says_why() {
    for call in ["execve", "ptrace", "io_uring_setup", "bpf", "clone3", "pkey_mprotect"] {
        let found = mistake(&format!("[syscalls]\nallow = [\"{call}\"]\n"));
        assert_eq!((found.code, found.line, found.column), (Code::ForbiddenCall, 4, 10), "{call}");
        assert!(found.help.is_some(), "{call}");
    }
    assert_mistake("[syscalls]\nallow = [\"@load\"]\n", Code::ForbiddenCall, (4, 10), None);
    assert_mistake(
        "[syscalls]\nrules = [{ call = \"execve\", when = \"fd == 1\" }]\n",
        Code::ForbiddenCall,
        (4, 19),
        None,
    );
}

#[test]
fn a_condition_that_cannot_be_read_is_placed_at_its_text() {
    for (when, suggestion) in [
        ("domian == AF_UNIX", Some("domain")),
        ("domain == AF_UNXI", Some("AF_UNIX")),
        ("domain AF_UNIX", None),
        ("type & 1 == 2", None),
    ] {
        let rest = format!("[syscalls]\nrules = [{{ call = \"socket\", when = \"{when}\" }}]\n");
        assert_mistake(&rest, Code::Condition, (4, 36), suggestion);
    }
    let found = mistake("[syscalls]\nrules = [{ call = \"socket\" }]\n");
    assert_eq!((found.code, found.message.as_str()), (Code::MissingKey, "a rule needs `when` or `answer`"));
}

#[test]
fn a_rule_that_says_how_a_call_is_refused_says_nothing_else() {
    let rule = |rule: &str| format!("[syscalls]\nrules = [{{ {rule} }}]\n");
    assert_mistake(&rule("call = \"socket\", answer = \"reprot\""), Code::UnknownWord, (4, 38), Some("report"));
    assert_mistake(&rule("call = \"sokcet\", answer = \"kill\""), Code::UnknownCall, (4, 19), Some("socket"));
    assert_mistake(&rule("answer = \"kill\""), Code::MissingKey, (4, 10), None);
    assert_mistake(
        &rule("call = \"socket\", anser = \"kill\", when = \"domain == 1\""),
        Code::UnknownKey,
        (4, 29),
        Some("answer"),
    );
    let both = "call = \"socket\", answer = \"kill\", when = \"domain == 1\"";
    assert_mistake(&rule(both), Code::Conflict, (4, 10), None);
    let twice = "call = \"socket\", answer = \"kill\" }, { call = \"socket\", answer = \"errno\"";
    assert_mistake(&rule(twice), Code::DuplicateValue, (4, 48), None);
    // It allows nothing, so it may name what no policy can allow.
    Document::read(&source(&format!("lazaret = 1\nname = \"p\"\n{}", rule("call = \"execve\", answer = \"errno\""))))
        .expect("reads");
}

#[test]
fn rules_that_another_line_makes_void_are_conflicts() {
    let rule = "rules = [{ call = \"getsockname\", when = \"fd == 1\" }]\n";
    let found = mistakes(&format!("lazaret = 1\nname = \"p\"\n[syscalls]\nallow = [\"getsockname\"]\n{rule}"));
    // `getsockname` has no named arguments: that is said first.
    assert_eq!(found[0].code, Code::Condition);
    let rule = "rules = [{ call = \"read\", when = \"fd == 5\" }]\n";
    for allow in ["read", "@files-read"] {
        let found = mistake(&format!("[syscalls]\nallow = [\"{allow}\"]\n{rule}"));
        assert_eq!((found.code, found.line, found.column), (Code::Conflict, 5, 10));
        assert_eq!(found.related.expect("the other line").line, 4);
    }
    assert_mistake("[layers]\nrequire = [\"mdwe\"]\noptional = [\"mdwe\"]\n", Code::Conflict, (5, 13), None);
}

#[test]
fn paths_are_absolute_and_plain() {
    for path in ["usr", "./usr", "", "/usr/../etc", "/usr//share", "/usr/./share", "${bundle}x", "/usr\\u0000"] {
        assert_mistake(&format!("[files]\nread = [\"{path}\"]\n"), Code::Path, (4, 9), None);
    }
    assert_mistake("[files]\nwrite = [\"${stat}/x\"]\n", Code::Path, (4, 10), Some("${state}"));
    for path in ["/", "/usr/", "${bundle}", "${state}/x", "/a b/ü"] {
        Document::read(&source(&format!("lazaret = 1\nname = \"p\"\n[files]\nread = [\"{path}\"]\n"))).expect(path);
    }
}

#[test]
fn ports_have_a_protocol_and_a_number() {
    for port in ["443", "tcp:", "tcp:0", "tcp:65536", "tcp:-1", "tcp:+1", "tcp:https", ":1"] {
        assert_mistake(&format!("[network]\nconnect = [\"{port}\"]\n"), Code::Port, (4, 12), None);
    }
    assert_mistake("[network]\nbind = [\"tpc:80\"]\n", Code::Port, (4, 9), Some("tcp"));
}

#[test]
fn limits_have_units_and_can_work() {
    assert_mistake("[limits]\nmemory = \"256 MB\"\n", Code::Size, (4, 10), None);
    assert_mistake("[limits]\ncall-time = \"2 sec\"\n", Code::Duration, (4, 13), None);
    for limit in [
        "threads = 0",
        "threads = -1",
        "processors = 0",
        "processors = 1025",
        "open-files = 1",
        "call-time = \"0 s\"",
        "memory = \"1 KiB\"",
    ] {
        let found = mistake(&format!("[limits]\n{limit}\n"));
        assert_eq!((found.code, found.line), (Code::Range, 4), "{limit}");
    }
    let found = mistake("[limits]\nmemory = \"2 GiB\"\naddress-space = \"1 GiB\"\n");
    assert_eq!((found.code, found.line), (Code::Range, 4));
    assert_eq!(found.related.expect("the other line").line, 5);
    assert_mistake("[limits]\nthreads = 99999999999999999999\n", Code::Range, (4, 11), None);
}

#[test]
fn names_of_libraries_symbols_publishers_and_digests_are_checked() {
    assert_mistake("[elf]\nneeded = [\"/lib/libc.so.6\"]\n", Code::Name, (4, 11), None);
    assert_mistake("[elf]\nneeded = [{ name = \"libz.so.1\", digest = \"sha256:00\" }]\n", Code::Digest, (4, 42), None);
    assert_mistake("[elf]\nneeded = [{ name = \"libz.so.1\" }]\n", Code::MissingKey, (4, 11), None);
    assert_mistake("[elf]\nexports.require = [\"f@V1\"]\n", Code::Name, (4, 20), None);
    assert_mistake("[trust]\npublishers = [\"acme/*\"]\n", Code::Name, (4, 15), None);
    assert_mistake("[trust]\ndigests = [\"md5:00\"]\n", Code::Digest, (4, 12), None);
}

#[test]
fn a_chain_of_policies_ends_and_exists() {
    let found = resolve("lazaret = 1\nname = \"p\"\nextends = \"builtin:compote\"\n").expect_err("unknown");
    assert_eq!((found[0].code, found[0].line, found[0].column), (Code::UnknownBuiltin, 3, 11));
    assert_eq!(found[0].suggestion.as_deref(), Some("compute"));
    let found = resolve("lazaret = 1\nname = \"p\"\nextends = \"base.toml\"\n").expect_err("no file");
    assert_eq!(found[0].code, Code::Extends);
    let text = "lazaret = 1\nname = \"p\"\nextends = \"p.toml\"\n";
    let found = Policy::resolve(&Request::new(source(text)), |_, _| Ok(source(text))).expect_err("a circle");
    assert_eq!(found.as_slice()[0].code, Code::ExtendsCycle);
    let mut depth = 0;
    let found = Policy::resolve(&Request::new(source(text)), |_, _| {
        depth += 1;
        Ok(Source { name: format!("{depth}.toml"), text: text.into() })
    });
    assert_eq!(found.expect_err("too deep").as_slice()[0].code, Code::ExtendsDepth);
    assert_eq!(depth, lazaret_policy::MAX_CHAIN - 1);
}

#[test]
fn a_ceiling_stands_alone() {
    let request = Request {
        policy: source("lazaret = 1\nname = \"p\"\n"),
        ceiling: Some(Source {
            name: "ceiling.toml".into(),
            text: "lazaret = 1\nname = \"c\"\nextends = \"x\"\n".into(),
        }),
    };
    let found = Policy::resolve(&request, |_, _| Err("none".into())).expect_err("extends");
    assert_eq!((found.as_slice()[0].code, found.as_slice()[0].file.as_str()), (Code::Extends, "ceiling.toml"));
}

#[test]
fn a_text_that_is_too_large_is_not_parsed() {
    let text = "#".repeat(MAX_TEXT + 1);
    assert_eq!(mistakes(&text)[0].code, Code::TooLarge);
    let list = vec!["\"read\""; 2000].join(", ");
    let all = mistakes(&format!("lazaret = 1\nname = \"p\"\n[syscalls]\nallow = [{list}]\n"));
    assert_eq!(all[0].code, Code::Range);
}

#[test]
fn too_many_rules_on_one_call_are_refused() {
    let rules: Vec<String> = (0..40).map(|fd| format!("{{ call = \"read\", when = \"fd == {fd}\" }}")).collect();
    let found = mistake(&format!("[syscalls]\nrules = [{}]\n", rules.join(", ")));
    assert_eq!((found.code, found.line), (Code::TooManyRules, 4));
}

#[test]
fn one_pass_finds_everything() {
    let all =
        mistakes("lazaret = 1\nname = \"p\"\n[limits]\nmemroy = 1\nthreads = 0\n[files]\nread = [\"x\", \"y\"]\n");
    let codes: Vec<_> = all.iter().map(|one| one.code).collect();
    assert_eq!(codes, [Code::Path, Code::Path, Code::UnknownKey, Code::Range]);
}

#[test]
fn requests_are_judged_like_policies_without_lines() {
    let request = Request::new(source("lazaret = 1\nname = \"p\"\n"));
    let policy = Policy::resolve(&request, |_, _| Err("none".into())).expect("resolves");
    let requests = serde_json::json!({
        "files": { "raed": ["/usr"], "read": ["usr"] },
        "syscalls": { "allow": ["@compute"], "on-deny": "errno" },
        "limits": { "memory": null },
    });
    let found = policy.narrowed(&requests).expect_err("mistakes");
    let seen: Vec<_> = found.iter().map(|one| (one.code, one.key.as_str(), one.line)).collect();
    assert_eq!(
        seen,
        [
            (Code::UnknownKey, "requests.files.raed", 0),
            (Code::Path, "requests.files.read", 0),
            (Code::UnknownKey, "requests.syscalls.on-deny", 0),
            (Code::Type, "requests.limits.memory", 0),
        ]
    );
}

#[test]
fn a_diagnostic_is_text_and_data() {
    let text = "lazaret = 1\nname = \"p\"\n[limits]\nmemroy = \"1 GiB\"\n";
    let found = Document::read(&source(text)).expect_err("a mistake");
    let shown = found.render(Palette::Plain);
    for part in ["error[P-UNKNOWN-KEY]", "p.toml:4", "memroy = \"1 GiB\"", "^^^^^^", "did you mean `memory`?"] {
        assert!(shown.contains(part), "{part}\n{shown}");
    }
    assert!(found.render(Palette::Coloured).contains("\u{1b}["));
    let json = serde_json::to_value(&found).expect("JSON");
    assert_eq!(json[0]["code"], "P-UNKNOWN-KEY");
    assert_eq!(json[0]["severity"], "error");
    assert_eq!(json[0]["suggestion"], "memory");
    assert_eq!(found.as_slice()[0].severity, Severity::Error);
}

#[test]
fn damaged_texts_are_refused_or_read_but_never_panic() {
    let texts = lazaret_policy::builtin_names().map(|name| &lazaret_policy::builtin(name).expect("shipped").text);
    // A linear congruential generator: the same damage on every run.
    let mut state = 1_u64;
    let mut next = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below.max(1)
    };
    let pieces =
        ["\"", "[", "]", "{", "}", "=", "\n", "\0", "ü", "\u{1b}", ".", ",", "@", "[[", "'''", "999999999999999999999"];
    for text in texts {
        for _ in 0..400 {
            let mut bytes = text.clone().into_bytes();
            for _ in 0..=next(3) {
                let at = next(bytes.len());
                match next(3) {
                    0 => bytes.truncate(at),
                    1 => drop(bytes.splice(at..at, pieces[next(pieces.len())].bytes())),
                    _ => drop(bytes.drain(at..(at + next(40)).min(bytes.len()))),
                }
            }
            if let Ok(source) = Source::from_bytes("damaged.toml", &bytes) {
                match Policy::resolve(&Request::new(source), |_, _| Err("none".into())) {
                    Ok(policy) => drop(policy.explain().to_string()),
                    Err(found) => drop(found.render(Palette::Coloured)),
                }
            }
        }
    }
}
