//! Nothing that extends, asks or caps can add: every pair of shipped policies, and each kind of key by itself.

use std::collections::BTreeSet;

use lazaret_policy::{
    Allowance, Arch, Claim, Code, Explanation, Hardening, KernelSupport, Layer, Layout, Limit, Namespaces, OnDeny,
    Policy, ProfileState, Request, Source, State, SymbolPattern, Variables, builtin, builtin_names, syscall_number,
};
use serde_json::json;

const HEAD: &str = "lazaret = 1\nname = \"p\"\n";

fn source(name: &str, text: &str) -> Source {
    Source { name: name.into(), text: format!("{HEAD}{text}") }
}

/// A kernel of today but for its Landlock.
fn kernel(landlock_abi: u32) -> KernelSupport {
    KernelSupport {
        arch: Arch::X86_64,
        landlock_abi,
        seccomp: true,
        mdwe: true,
        root: false,
        namespaces: Namespaces::NONE,
        cgroup: false,
        profile: ProfileState::Off,
        processors: 2,
    }
}

/// A policy `child.toml` that extends `base.toml`.
fn extend(base: &str, child: &str) -> Policy {
    let base = source("base.toml", base);
    let request = Request::new(source("child.toml", &format!("extends = \"base.toml\"\n{child}")));
    Policy::resolve(&request, |_, _| Ok(base.clone())).expect("resolves")
}

fn alone(text: &str) -> Policy {
    Policy::resolve(&Request::new(source("p.toml", text)), |_, _| Err("none".into())).expect("resolves")
}

fn grants(policy: &Policy, key: &str) -> Vec<String> {
    let lines = policy.explain().grants.into_iter().filter(|line| line.key == key);
    lines.map(|line| line.what).collect()
}

fn warnings(policy: &Policy) -> Vec<(Code, u32)> {
    policy.warnings().iter().map(|one| (one.code, one.line)).collect()
}

#[test]
fn no_pair_of_shipped_policies_grants_more_than_either() {
    let kernel = KernelSupport { root: true, ..kernel(10) };
    let variables = Variables { bundle: Some("/b".into()), state: Some("/s".into()) };
    let profile = |name: &str| {
        let request = Request::new(builtin(name).expect("shipped").clone());
        Policy::resolve(&request, |_, _| Err("none".into())).expect("resolves")
    };
    for below in builtin_names() {
        for above in builtin_names() {
            let base = profile(below);
            let cap = profile(above);
            let request = Request {
                policy: builtin(below).expect("shipped").clone(),
                ceiling: Some(builtin(above).expect("shipped").clone()),
            };
            let both = Policy::resolve(&request, |_, _| Err("none".into())).expect("resolves");
            for one in [&base, &cap] {
                for limit in Limit::ALL {
                    assert!(both.limit(limit).value <= one.limit(limit).value, "{below} under {above}: {limit:?}");
                }
                // Each line is a call by itself, or a call and when; a call by itself is allowed whatever its arguments.
                let lines = |policy: &Policy| grants(policy, "syscalls.allow").into_iter().collect::<BTreeSet<_>>();
                let call = |line: &String| line.split(' ').next().map(str::to_owned);
                let (wide, narrow) = (lines(one), lines(&both));
                for line in &narrow {
                    assert!(wide.iter().any(|other| call(other) == call(line)), "{below} under {above}: {line}");
                    assert!(line.contains(' ') || wide.contains(line), "{below} under {above}: {line}");
                }
                let plan = both.plan(&kernel, &variables).expect("plans").plan.landlock.expect("enforced");
                let wide = one.plan(&kernel, &variables).expect("plans").plan.landlock.expect("enforced");
                if std::ptr::eq(one, &base) {
                    for rule in &plan.paths {
                        let within = |outer: &&lazaret_policy::PathRule| rule.path.starts_with(&outer.path);
                        let outer = wide.paths.iter().find(within).expect("a path of the base");
                        assert_eq!(rule.access & !outer.access, 0);
                    }
                    assert!(plan.ports.iter().all(|port| wide.ports.contains(port)));
                }
                assert!(one.elf().require.keys().all(|property| both.elf().require.contains_key(property)));
                let denied = |policy: &Policy| {
                    policy.elf().imports_deny.iter().map(|one| one.value.clone()).collect::<BTreeSet<_>>()
                };
                assert!(denied(one).is_subset(&denied(&both)));
                let written = one.elf().direct_syscalls.as_ref().is_some_and(|origin| origin.line > 0);
                assert!(!written || both.elf().direct_syscalls.is_some());
            }
            let again = Request {
                policy: builtin(below).expect("shipped").clone(),
                ceiling: Some(builtin(below).expect("shipped").clone()),
            };
            let again = Policy::resolve(&again, |_, _| Err("none".into())).expect("resolves");
            let shown = |policy: &Policy| policy.explain().grants.into_iter().map(|line| line.what).collect::<Vec<_>>();
            assert_eq!(shown(&again), shown(&base), "narrowing {below} by itself changes nothing");
            assert!(again.removed().is_empty());
        }
    }
}

#[test]
fn what_the_outermost_policy_does_not_state_is_not_granted() {
    let policy = alone("");
    let Explanation { grants, .. } = policy.explain();
    assert_eq!(grants, []);
    assert!(policy.trust().unsigned.is_none() && policy.trust().publishers.is_empty());
    assert!(policy.elf().direct_syscalls.is_some(), "direct syscalls are denied");
    assert_eq!(policy.on_deny(), OnDeny::Kill);
    assert_eq!(warnings(&policy), [(Code::Useless, 0)], "no file is accepted");
    let core: Vec<_> = policy.required_layers().map(|(layer, ..)| layer).collect();
    assert_eq!(core, [Layer::Landlock, Layer::Seccomp, Layer::Capabilities, Layer::Limits]);
}

#[test]
fn paths_narrow_by_containment() {
    let policy = extend(
        "[trust]\nunsigned = true\n[syscalls]\nallow = [\"@files-read\"]\n[files]\nread = [\"/usr\", \"/opt/a\"]\n",
        "[files]\nread = [\"/usr/share\", \"/opt\", \"/home\"]\n",
    );
    assert_eq!(grants(&policy, "files.read"), ["/usr/share", "/opt/a"]);
    assert_eq!(warnings(&policy), [(Code::NoEffect, 5)]);
    let removed: Vec<_> =
        policy.removed().iter().map(|one| (one.what.as_str(), one.written.line, one.by.line)).collect();
    assert_eq!(removed, [("/usr beyond /usr/share", 8, 5), ("/home", 5, 8)]);
}

#[test]
fn what_a_narrower_text_adds_to_a_path_leads_through_no_link() {
    let calls = "[trust]\nunsigned = true\n[syscalls]\nallow = [\"@files-read\"]\n";
    let followed = |policy: &Policy| {
        let plan = policy.plan(&kernel(7), &Variables::default()).expect("plans").plan;
        let paths = plan.landlock.expect("enforced").paths;
        paths.into_iter().map(|rule| (String::from_utf8(rule.path).expect("text"), rule.followed)).collect::<Vec<_>>()
    };
    let base = format!("{calls}[files]\nread = [\"/srv\"]\n");
    assert_eq!(followed(&alone(&base)), [("/srv".into(), 4)]);
    let inner = "[files]\nread = [\"/srv/a/b\"]\n";
    let narrowed = [("/srv/a/b".to_owned(), 4)];
    assert_eq!(followed(&extend(&base, inner)), narrowed);
    let asked = alone(&base).narrowed(&json!({ "files": { "read": ["/srv/a/b"] } })).expect("narrows");
    assert_eq!(followed(&asked), narrowed);
    let capped = Request { policy: source("p.toml", &base), ceiling: Some(source("c.toml", inner)) };
    assert_eq!(followed(&Policy::resolve(&capped, |_, _| Err("none".into())).expect("resolves")), narrowed);
    // Who is granted everything is granted what any link leads to.
    let everything = format!("{calls}[files]\nread = [\"/\"]\n");
    assert_eq!(followed(&extend(&everything, inner)), [("/srv/a/b".into(), 8)]);
}

#[test]
fn acts_that_the_kernel_does_not_see_are_missing_landlock() {
    for (calls, abi) in [("\"@go\"", 6), ("\"tgkill\"", 6), ("\"@files-write\"", 3)] {
        let policy = alone(&format!("[trust]\nunsigned = true\n[syscalls]\nallow = [\"@compute\", {calls}]\n"));
        let missing = policy.plan(&kernel(abi - 1), &Variables::default()).expect_err(calls);
        assert_eq!(missing.layers[0].required, format!("landlock>={abi}"), "{calls}");
        assert!(policy.plan(&kernel(abi), &Variables::default()).is_ok(), "{calls}");
    }
    for rule in ["domain == AF_UNIX && type == 5", "domain == AF_INET && type == 0x80002"] {
        let text = format!(
            "[trust]\nunsigned = true\n[syscalls]\nallow = [\"@compute\", \"sendto\"]\n\
             rules = [{{ call = \"socket\", when = \"{rule}\" }}]\n"
        );
        assert!(alone(&text).plan(&kernel(7), &Variables::default()).is_err(), "{rule}");
    }
    let pair = alone("[trust]\nunsigned = true\n[syscalls]\nallow = [\"@compute\", \"socketpair\", \"sendto\"]\n");
    assert!(pair.plan(&kernel(7), &Variables::default()).is_err());
}

#[test]
fn a_cap_on_reading_reaches_what_may_be_written() {
    let base = "[trust]\nunsigned = true\n[files]\nwrite = [\"/srv/a\", \"/srv/b\"]\n[limits]\nfile-size = \"1 MiB\"\n\
                [syscalls]\nallow = [\"@files-write\"]\n";
    let policy = extend(base, "[files]\nread = [\"/srv/a\"]\n");
    assert_eq!(grants(&policy, "files.write"), ["/srv/a", "/srv/b (not reading)"]);
    let paths = policy.plan(&kernel(7), &Variables::default()).expect("plans").plan.landlock.expect("enforced").paths;
    let (read_file, write_file) = (1 << 2, 1 << 1);
    assert_eq!(paths[0].access & (read_file | write_file), read_file | write_file);
    assert_eq!(paths[1].access & (read_file | write_file), write_file);
}

#[test]
fn the_word_none_takes_everything_away() {
    let base = "[trust]\nunsigned = true\n[elf]\nneeded = [\"libc.so.6\"]\n[files]\nread = [\"/usr\"]\nwrite = [\"/srv\"]\n\
                [network]\nconnect = [\"tcp:443\"]\nbind = [\"tcp:80\"]\n[limits]\nfile-size = \"1 MiB\"\n\
                [syscalls]\nallow = [\"@files-write\", \"@network-client\", \"@network-server\"]\n";
    let lists = [
        ("elf", "needed"),
        ("files", "read"),
        ("files", "write"),
        ("network", "connect"),
        ("network", "bind"),
        ("syscalls", "allow"),
    ];
    for (table, key) in lists {
        let path = format!("{table}.{key}");
        assert!(!grants(&alone(base), &path).is_empty(), "{path}");
        let policy = extend(base, &format!("[{table}]\n{key} = \"none\"\n"));
        assert_eq!(grants(&policy, &path), Vec::<String>::new());
        assert!(policy.removed().iter().any(|one| one.key == path && one.by.line == 5), "{path}");
        if table != "elf" {
            let asked = alone(base).narrowed(&json!({ table: { key: "none" } })).expect("narrows");
            assert_eq!(grants(&asked, &path), Vec::<String>::new());
        }
    }
    // With rules beside it, they are all that is allowed.
    let rules = "rules = [{ call = \"write\", when = \"fd == 1\" }]\n";
    let policy = extend(base, &format!("[syscalls]\nallow = \"none\"\n{rules}"));
    assert_eq!(grants(&policy, "syscalls.allow"), ["write when fd == 1"]);
}

#[test]
fn groups_and_names_of_syscalls_meet_call_by_call() {
    let policy = extend("[syscalls]\nallow = [\"@compute\"]\n", "[syscalls]\nallow = [\"getpid\", \"openat\"]\n");
    assert_eq!(grants(&policy, "syscalls.allow"), ["getpid"]);
    assert!(warnings(&policy).contains(&(Code::NoEffect, 5)), "openat is not in @compute");
    let policy = extend("[syscalls]\nallow = [\"getpid\"]\n", "[syscalls]\nallow = [\"@compute\"]\n");
    assert_eq!(grants(&policy, "syscalls.allow"), ["getpid"]);
}

#[test]
fn conditions_of_both_sides_must_hold() {
    let rule = |when: &str| format!("[syscalls]\nrules = [{{ call = \"write\", when = \"{when}\" }}]\n");
    let policy = extend(&rule("fd == 1"), &rule("count < 100"));
    assert_eq!(grants(&policy, "syscalls.allow"), ["write when fd == 1 && count < 100"]);
    let policy = extend(&rule("fd == 1"), &rule("fd == 2"));
    assert_eq!(grants(&policy, "syscalls.allow"), Vec::<String>::new());
    assert!(warnings(&policy).contains(&(Code::NoEffect, 5)));
}

#[test]
fn rules_alone_speak_only_about_their_calls() {
    let base = "[syscalls]\nallow = [\"read\", \"write\"]\n";
    let policy = extend(base, "[syscalls]\nrules = [{ call = \"write\", when = \"fd == 1\" }]\n");
    assert_eq!(grants(&policy, "syscalls.allow"), ["read", "write when fd == 1"]);
}

#[test]
fn a_pinned_library_stays_pinned() {
    let pin = |digit: &str| format!("{{ name = \"libz.so.1\", digest = \"sha256:{}\" }}", digit.repeat(64));
    let needed = |items: &str| format!("[elf]\nneeded = [{items}]\n");
    let policy = extend(&needed("\"libz.so.1\", \"libc.so.6\""), &needed(&pin("a")));
    assert_eq!(policy.elf().needed.len(), 1);
    assert!(policy.elf().needed[0].value.digest.is_some());
    assert_eq!(policy.elf().needed[0].origin.source, "child.toml", "the line that pins it decides");
    let policy = extend(&needed(&pin("a")), &needed("\"libz.so.1\""));
    assert!(policy.elf().needed[0].value.digest.is_some());
    let policy = extend(&needed(&pin("a")), &needed(&pin("b")));
    assert!(policy.elf().needed.is_empty());
}

#[test]
fn demands_add_up() {
    let policy = extend(
        "[elf]\nrequire = [\"no-wx\"]\nimports.deny = [\"@exec\"]\nexports.require = [\"f\"]\n",
        "[elf]\nrequire = [\"no-rpath\"]\nimports.deny = [\"getenv\"]\nexports.require = [\"g\"]\n",
    );
    assert!(policy.elf().require.keys().eq([&Hardening::NoWx, &Hardening::NoRpath]));
    assert_eq!(policy.elf().exports_require.len(), 2);
    let (denied, group) = policy.elf().denied_by("execve").expect("in @exec");
    assert_eq!((&denied.value, group), (&SymbolPattern::Group("@exec".into()), Some("exec")));
    let (denied, group) = policy.elf().denied_by("getenv").expect("by name");
    assert_eq!((denied.origin.line, group), (6, None));
    assert!(policy.elf().denied_by("malloc").is_none());
}

#[test]
fn denied_modules_and_demanded_claims_add_up_and_name_the_first_line_that_says_so() {
    let policy = extend(
        "[provenance]\ndeny = [\"go:stdlib < 1.25.4\", \"cargo:openssl\"]\nrequire = [\"any\"]\n",
        "[provenance]\ndeny = [\"cargo:openssl\", \"go:golang.org/x/*\"]\nrequire = [\"go-buildinfo\"]\n",
    );
    let rules = policy.provenance();
    let denied: Vec<_> = rules.deny.iter().map(|one| (one.value.to_string(), one.origin.line)).collect();
    let denied: Vec<_> = denied.iter().map(|(what, line)| (what.as_str(), *line)).collect();
    assert_eq!(denied, [("go:stdlib < 1.25.4", 4), ("cargo:openssl", 4), ("go:golang.org/x/*", 5)]);
    assert!(rules.require.keys().eq([&Claim::Any, &Claim::GoBuildinfo]));
    let shown: Vec<_> =
        policy.explain().demands.into_iter().map(|line| format!("{} {}", line.key, line.what)).collect();
    for line in ["provenance.deny go:stdlib < 1.25.4", "provenance.deny go:golang.org/x/*", "provenance.require any"] {
        assert!(shown.iter().any(|shown| shown == line), "{line}: {shown:?}");
    }
    assert!(alone("").provenance().is_empty());
}

#[test]
fn trust_narrows_from_everyone_to_some() {
    let policy = extend("[trust]\nunsigned = true\n", "[trust]\npublishers = [\"acme\"]\n");
    assert!(policy.trust().unsigned.is_none(), "a publisher is less than everyone");
    assert_eq!(policy.trust().publishers[0].value, "acme");
    let policy = extend("[trust]\npublishers = [\"acme\", \"beta\"]\n", "[trust]\npublishers = [\"beta\", \"evil\"]\n");
    let names: Vec<_> = policy.trust().publishers.iter().map(|one| one.value.as_str()).collect();
    assert_eq!(names, ["beta"]);
    let policy = extend("[trust]\npublishers = [\"acme\"]\n", "[trust]\nunsigned = true\n");
    assert!(policy.trust().unsigned.is_none());
    assert_eq!(policy.trust().publishers[0].value, "acme", "everyone includes acme");
    assert_eq!(warnings(&policy), [(Code::NoEffect, 5)]);
    let policy = extend("[trust]\nunsigned = true\n", "[trust]\nunsigned = false\n");
    assert!(policy.trust().unsigned.is_none());
}

#[test]
fn the_lesser_limit_and_the_harder_answer_hold() {
    let policy = extend(
        "[limits]\nthreads = 4\nprocessors = 2\nmemory = \"64 MiB\"\n[syscalls]\non-deny = \"errno\"\n[elf]\ndirect-syscalls = \"allow\"\n",
        "[limits]\nthreads = 8\nprocessors = 1\nmemory = \"32 MiB\"\ncall-time = \"1 h\"\n[syscalls]\non-deny = \"kill\"\n[elf]\ndirect-syscalls = \"deny\"\n",
    );
    assert_eq!(policy.limit(Limit::Threads).value, 4);
    assert_eq!(policy.limit(Limit::Memory).value, 32 << 20);
    assert_eq!(policy.limit(Limit::Processors).value, 1);
    assert_eq!(policy.limit(Limit::CallTime).value, Limit::CallTime.default(), "a default is a cap like any other");
    assert_eq!(policy.on_deny(), OnDeny::Kill);
    assert!(policy.elf().direct_syscalls.is_some());
    let lines: Vec<_> = warnings(&policy).into_iter().filter(|(code, _)| *code == Code::NoEffect).collect();
    assert_eq!(lines, [(Code::NoEffect, 5), (Code::NoEffect, 8)]);
}

#[test]
fn the_stricter_answer_to_a_refused_call_holds() {
    let on_deny = |answer: &str| format!("on-deny = \"{answer}\"\n");
    let rule = |answer: &str| format!("rules = [{{ call = \"socket\", answer = \"{answer}\" }}]\n");
    let (none, answers) = (String::new(), ["errno", "report", "kill"]);
    let lines: Vec<(Option<usize>, Option<usize>)> = [None, Some(0), Some(1), Some(2)]
        .into_iter()
        .flat_map(|a| [None, Some(0), Some(1), Some(2)].map(|b| (a, b)))
        .collect();
    let text = |(general, own): (Option<usize>, Option<usize>)| {
        let general = general.map_or(none.clone(), |at| on_deny(answers[at]));
        let own = own.map_or(none.clone(), |at| rule(answers[at]));
        format!("[syscalls]\n{general}{own}")
    };
    for base in &lines {
        for child in &lines {
            let policy = extend(&text(*base), &text(*child));
            // What the outermost policy does not say ends the cell; what a narrower one does not say is no opinion.
            let of_all = base.0.unwrap_or(2).max(child.0.unwrap_or(0));
            let of_one = base.1.or(base.0).unwrap_or(2).max(child.1.or(child.0).unwrap_or(0));
            let what = format!("{base:?} under {child:?}");
            assert_eq!(policy.answer_to("bind").value, OnDeny::ALL[of_all], "{what}");
            assert_eq!(policy.answer_to("socket").value, OnDeny::ALL[of_one], "{what}");
            assert_eq!(policy.on_deny(), OnDeny::ALL[of_all], "{what}");
        }
    }
}

#[test]
fn a_rule_that_refuses_decides_nothing_about_what_is_allowed() {
    let rule = "rules = [{ call = \"read\", answer = \"errno\" }]\n";
    let policy = extend(&format!("[syscalls]\nallow = [\"read\", \"write\"]\n{rule}"), &format!("[syscalls]\n{rule}"));
    assert_eq!(grants(&policy, "syscalls.allow"), ["read", "write"]);
    let policy = extend(&format!("[syscalls]\n{rule}"), "[syscalls]\nallow = [\"read\"]\n");
    assert_eq!(grants(&policy, "syscalls.allow"), Vec::<String>::new());
    let text = policy.explain().to_string();
    assert!(text.contains("read, where it is refused: errno  [base.toml:4]"), "{text}");
    let milder = extend("[syscalls]\non-deny = \"report\"\n", &format!("[syscalls]\n{rule}"));
    assert!(warnings(&milder).contains(&(Code::NoEffect, 5)), "an answer is not made milder by who extends");
}

#[test]
fn a_layout_of_its_own_is_never_taken_back() {
    let layout = |word: &str| format!("[layers]\nlayout = \"{word}\"\n");
    assert_eq!(alone("").layout(), Layout::Shared);
    assert_eq!(extend("", &layout("fresh")).layout(), Layout::Fresh, "at any level, since it only takes away");
    assert_eq!(extend(&layout("shared"), &layout("fresh")).layout(), Layout::Fresh);
    let policy = extend(&layout("fresh"), &layout("shared"));
    assert_eq!(policy.layout(), Layout::Fresh);
    assert!(warnings(&policy).contains(&(Code::NoEffect, 5)));
    assert!(policy.explain().to_string().contains("fresh  [base.toml:4]"));
}

#[test]
fn only_the_outermost_policy_makes_a_core_layer_optional() {
    let policy = extend("", "[layers]\noptional = [\"landlock\", \"cgroup\"]\n");
    assert!(policy.required_layers().any(|(layer, ..)| layer == Layer::Landlock));
    assert!(policy.optional_layers().map(|(layer, _)| layer).eq([Layer::Cgroup]));
    let policy = extend("[layers]\noptional = [\"landlock\"]\n", "");
    assert!(policy.optional_layers().any(|(layer, _)| layer == Layer::Landlock));
    // Any layer only takes away, so whoever wants one may ask for it.
    let policy = extend("", "[layers]\nrequire = [\"namespaces\"]\noptional = [\"mount\"]\n");
    assert!(policy.required_layers().any(|(layer, ..)| layer == Layer::Namespaces));
    assert!(policy.optional_layers().any(|(layer, _)| layer == Layer::Mount));
    let policy = extend("[layers]\nrequire = [\"mount\"]\n", "[layers]\noptional = [\"mount\"]\n");
    assert!(policy.required_layers().any(|(layer, ..)| layer == Layer::Mount));
    let policy = extend("[layers]\noptional = [\"landlock\"]\n", "[layers]\nrequire = [\"landlock>=4\"]\n");
    assert!(policy.required_layers().any(|(layer, abi, _)| (layer, abi) == (Layer::Landlock, 4)));
    assert!(policy.optional_layers().all(|(layer, _)| layer != Layer::Landlock));
}

#[test]
fn what_is_required_and_absent_is_missing_and_what_is_optional_is_reported() {
    let bare = KernelSupport {
        arch: Arch::X86_64,
        landlock_abi: 0,
        seccomp: false,
        mdwe: false,
        root: false,
        namespaces: Namespaces::NONE,
        cgroup: false,
        profile: ProfileState::Off,
        processors: 1,
    };
    let strict = alone("[layers]\nrequire = [\"landlock>=4\", \"seccomp\", \"mdwe\", \"apparmor\"]\n");
    let missing = strict.plan(&bare, &Variables::default()).expect_err("everything is missing");
    let names: Vec<_> = missing.layers.iter().map(|one| one.required.as_str()).collect();
    assert_eq!(names, ["landlock>=4", "seccomp", "mdwe", "apparmor"]);
    assert!(missing.layers.iter().all(|one| one.origin.line == 4 && !one.help.is_empty()));
    let lax = alone("[layers]\noptional = [\"landlock\", \"seccomp\", \"cgroup\"]\n");
    let planned = lax.plan(&bare, &Variables::default()).expect("goes on without");
    assert!(planned.plan.landlock.is_none() && planned.plan.seccomp.load.is_none());
    let absent = planned.enforcement.iter().filter(|one| matches!(one.state, State::Absent { .. }));
    assert!(absent.map(|one| one.layer).eq([Layer::Landlock, Layer::Seccomp, Layer::Cgroup]));
}

#[test]
fn a_port_that_the_kernel_cannot_tell_apart_is_missing_landlock() {
    let text =
        "[network]\nconnect = [\"tcp:443\", \"udp:53\"]\n[syscalls]\nallow = [\"@network-client\", \"@network-udp\"]\n";
    let policy = alone(text);
    for (abi, required) in [(3, "landlock>=4"), (9, "landlock>=10")] {
        let missing = policy.plan(&kernel(abi), &Variables::default()).expect_err("too old");
        assert_eq!((missing.layers.len(), missing.layers[0].required.as_str()), (1, required));
        assert_eq!(missing.layers[0].origin.key, "network.connect");
    }
    assert!(policy.plan(&kernel(10), &Variables::default()).is_ok());
}

#[test]
fn sockets_that_the_kernel_does_not_see_are_missing_landlock_though_no_port_is_listed() {
    for (calls, abi) in [("\"@network-udp\"", 10), ("\"socket\", \"connect\"", 9), ("\"@network-client\"", 4)] {
        let policy = alone(&format!("[trust]\nunsigned = true\n[syscalls]\nallow = [\"@compute\", {calls}]\n"));
        let missing = policy.plan(&kernel(abi - 1), &Variables::default()).expect_err(calls);
        assert_eq!(missing.layers[0].required, format!("landlock>={abi}"), "{calls}");
        assert_eq!(missing.layers[0].origin.key, "syscalls.allow");
    }
    let policy = alone("[trust]\nunsigned = true\n[syscalls]\nallow = [\"@compute\", \"@network-client\"]\n");
    assert!(policy.plan(&kernel(4), &Variables::default()).is_ok());
}

#[test]
fn a_line_that_denies_direct_syscalls_is_named_wherever_it_stands() {
    let policy = extend("[trust]\nunsigned = true\n", "[elf]\ndirect-syscalls = \"deny\"\n");
    let origin = policy.elf().direct_syscalls.clone().expect("denied");
    assert_eq!((origin.source.as_str(), origin.line), ("child.toml", 5));
}

#[test]
fn a_message_that_does_not_fit_into_the_address_space_is_refused() {
    let text = "[limits]\nmessage = \"512 MiB\"\naddress-space = \"1 GiB\"\n";
    let found = Policy::resolve(&Request::new(source("p.toml", text)), |_, _| Err("none".into())).expect_err("refused");
    assert_eq!((found.as_slice()[0].code, found.as_slice()[0].line), (Code::Range, 4));
}

#[test]
fn requests_and_ceiling_take_away_and_say_so() {
    let text = "[trust]\nunsigned = true\n[files]\nread = [\"/usr/share\"]\n[syscalls]\nallow = [\"@files-read\"]\n";
    let request = Request {
        policy: source("p.toml", text),
        ceiling: Some(source("ceiling.toml", "[limits]\nmemory = \"64 MiB\"\n")),
    };
    let requests = json!({ "files": { "read": ["/usr/share/zoneinfo", "/etc"] }, "limits": { "threads": 2 } });
    let policy = Policy::resolve(&request, |_, _| Err("none".into())).expect("resolves");
    let policy = policy.narrowed(&requests).expect("resolves");
    assert_eq!(policy.sources(), ["p.toml", "ceiling.toml", "plugin.json"]);
    assert_eq!(grants(&policy, "files.read"), ["/usr/share/zoneinfo"]);
    assert_eq!(policy.limit(Limit::Threads).origin.source, "plugin.json");
    assert_eq!(policy.limit(Limit::Memory).origin.source, "ceiling.toml");
    assert_eq!(warnings(&policy), [(Code::Refused, 0)]);
    let text = policy.explain().to_string();
    for part in
        ["/usr/share/zoneinfo", "not in effect", "/etc", "taken by p.toml:6 `files.read`", "64 MiB  [ceiling.toml:4]"]
    {
        assert!(text.contains(part), "{part}\n{text}");
    }
}

#[test]
fn grants_that_cannot_be_used_raise_a_warning() {
    for (text, line) in [
        ("[files]\nread = [\"/usr\"]\n", 6),
        ("[network]\nconnect = [\"tcp:443\"]\n", 6),
        ("[network]\nbind = [\"tcp:443\"]\n", 6),
        ("[files]\nwrite = [\"/srv\"]\n[syscalls]\nallow = [\"@files-write\"]\n", 6),
    ] {
        let policy = alone(&format!("[trust]\nunsigned = true\n{text}"));
        assert_eq!(warnings(&policy), [(Code::Useless, line)], "{text}");
    }
}

#[test]
fn advice_names_the_smallest_group_and_the_line_that_decides() {
    let policy = alone("[syscalls]\nallow = [\"@compute\"]\n");
    let number = |call| syscall_number(Arch::X86_64, call).expect("exists");
    let advice = policy.syscall_advice(number("openat"), Arch::X86_64, None);
    assert_eq!((advice.call, &advice.granted, advice.origin.line), (Some("openat"), &Allowance::No, 4));
    let snippet = advice.snippet.clone().expect("can be allowed");
    assert_eq!(snippet, "[syscalls]\nallow = [\"@compute\", \"@files-read\"]\n");
    alone(&snippet);
    assert_eq!(advice.note, None, "p.toml is the outermost policy and can be edited");
    assert!(advice.to_string().contains("`openat` is not allowed by p.toml:4 `syscalls.allow`"), "{advice}");

    let child = alone("extends = \"builtin:compute\"\n");
    let note = child.syscall_advice(number("openat"), Arch::X86_64, None).note.expect("a shipped policy decides");
    assert_eq!(note, "builtin:compute does not grant it and cannot be edited; builtin:file-reader grants it");

    let advice = policy.syscall_advice(number("execve"), Arch::X86_64, None);
    assert_eq!(advice.snippet, None);
    assert!(advice.because.expect("a reason").starts_with("no policy can allow it"));

    let advice = policy.syscall_advice(number("write"), Arch::X86_64, None);
    assert_eq!(advice.granted, Allowance::When("fd == 1 or fd == 2".into()));

    let advice = policy.syscall_advice(number("sethostname"), Arch::X86_64, None);
    assert_eq!(advice.snippet.as_deref(), Some("[syscalls]\nallow = [\"@compute\", \"sethostname\"]\n"));
    assert_eq!(policy.syscall_advice(u32::MAX, Arch::X86_64, None).call, None);
}
