//! Layers that a host may or may not have: what the plan says, what the report says, and what is missing.

use lazaret_policy::{
    Arch, Cgroup, Demand, KernelSupport, Layer, LayerStatus, Limit, MissingLayer, Namespaces, Plan, Planned, Policy,
    ProfileState, Request, Source, State, Variables, lack, lack_of_profile,
};

const EVERY: Namespaces = Namespaces { user: true, pid: true, mount: true, net: true, ipc: true, uts: true };

/// A policy that grants nothing but what these lines say.
fn policy(lines: &str) -> Policy {
    let text = format!("lazaret = 1\nname = \"p\"\n[trust]\nunsigned = true\n{lines}");
    Policy::resolve(&Request::new(Source { name: "p.toml".into(), text }), |_, _| Err("none".into())).expect("resolves")
}

/// A kernel that has everything but namespaces.
fn kernel() -> KernelSupport {
    KernelSupport {
        arch: Arch::X86_64,
        landlock_abi: 10,
        seccomp: true,
        mdwe: true,
        root: false,
        namespaces: Namespaces::NONE,
        cgroup: false,
        profile: ProfileState::Off,
        processors: 4,
    }
}

fn planned(lines: &str, kernel: &KernelSupport) -> Planned {
    policy(lines).plan(kernel, &Variables::default()).expect("plans")
}

fn plan(lines: &str, kernel: &KernelSupport) -> Plan {
    planned(lines, kernel).plan
}

fn missing(lines: &str, kernel: &KernelSupport) -> MissingLayer {
    let missing = policy(lines).plan(kernel, &Variables::default()).expect_err("refused");
    assert_eq!(missing.layers.len(), 1, "{missing}");
    missing.layers[0].clone()
}

fn status(planned: &Planned, layer: Layer) -> Option<&LayerStatus> {
    planned.enforcement.iter().find(|status| status.layer == layer)
}

/// How a layer is enforced, and what of it is not.
#[track_caller]
fn enforced(planned: &Planned, layer: Layer) -> (String, Vec<String>) {
    match &status(planned, layer).expect("reported").state {
        State::Enforced { detail, lacking } => (detail.clone(), lacking.clone()),
        State::Absent { why } => panic!("{why}"),
    }
}

#[test]
fn a_cell_gets_every_namespace_that_the_host_can_make_without_being_asked() {
    let user = KernelSupport { namespaces: EVERY, ..kernel() };
    let ordinary = planned("", &user);
    assert_eq!(ordinary.plan.namespaces, Namespaces { mount: false, ..EVERY });
    assert_eq!(enforced(&ordinary, Layer::Namespaces), ("its own pid, ipc, uts, net, user".into(), vec![]));
    assert_eq!(status(&ordinary, Layer::Namespaces).expect("reported").demand, Demand::Optional);
    let root = plan("", &KernelSupport { root: true, ..user });
    assert_eq!(
        root.namespaces,
        Namespaces { user: false, mount: false, ..EVERY },
        "root needs none to make the others"
    );
    let none = planned("", &kernel());
    assert_eq!(none.plan.namespaces, Namespaces::NONE);
    assert!(status(&none, Layer::Namespaces).is_none(), "nobody asked");
    let wished = planned("[layers]\noptional = [\"namespaces\"]\n", &kernel());
    assert!(matches!(status(&wished, Layer::Namespaces).expect("asked for").state, State::Absent { .. }));
}

#[test]
fn an_ordinary_user_without_user_namespaces_makes_none() {
    let kernel = KernelSupport { namespaces: Namespaces { user: false, ..EVERY }, ..kernel() };
    assert_eq!(plan("", &kernel).namespaces, Namespaces::NONE);
    let only_user = KernelSupport { namespaces: Namespaces { user: true, ..Namespaces::NONE }, ..kernel };
    assert_eq!(plan("", &only_user).namespaces, Namespaces::NONE, "by itself it keeps nothing apart");
}

#[test]
fn the_network_stays_shared_where_the_policy_grants_it_and_only_there() {
    let kernel = KernelSupport { namespaces: EVERY, ..kernel() };
    for lines in [
        "[network]\nconnect = [\"tcp:443\"]\n",
        "[network]\nbind = [\"udp:53\"]\n",
        "[syscalls]\nallow = [\"@network-client\"]\n",
        "[syscalls]\nallow = [\"socket\"]\n",
        "[syscalls]\nrules = [{ call = \"socket\", when = \"domain == AF_INET6\" }]\n",
        "[syscalls]\nrules = [{ call = \"socket\", when = \"type & SOCK_TYPE_MASK == SOCK_STREAM\" }]\n",
    ] {
        let planned = planned(lines, &kernel);
        assert!(!planned.plan.namespaces.net, "{lines}");
        let (detail, lacking) = enforced(&planned, Layer::Namespaces);
        assert_eq!(detail, "its own pid, ipc, uts, user");
        assert!(lacking[0].starts_with("`net`: shared with the host, since p.toml:6 `"), "{lacking:?}");
    }
    for lines in [
        "[syscalls]\nallow = [\"@compute\", \"socketpair\"]\n",
        "[syscalls]\nrules = [{ call = \"socket\", when = \"domain == AF_UNIX\" }]\n",
    ] {
        assert!(plan(lines, &kernel).namespaces.net, "{lines}");
    }
}

#[test]
fn required_namespaces_that_the_host_cannot_make_are_missing_by_name() {
    let required = "[layers]\nrequire = [\"namespaces\"]\n";
    let found = missing(required, &kernel());
    assert_eq!((found.layer, found.origin.line), (Layer::Namespaces, 6));
    assert_eq!(found.found, "this host cannot make namespaces of the kinds pid, ipc, uts, net");
    for setting in
        ["kernel.unprivileged_userns_clone", "user.max_user_namespaces", "kernel.apparmor_restrict_unprivileged_userns"]
    {
        assert!(found.help.contains(setting), "{}", found.help);
    }
    let without_net = KernelSupport { namespaces: Namespaces { net: false, ..EVERY }, ..kernel() };
    assert_eq!(missing(required, &without_net).found, "this host cannot make namespaces of the kinds net");
    let root = KernelSupport { root: true, ..kernel() };
    assert!(missing(required, &root).help.contains("CONFIG_NAMESPACES"));
    let connects = format!("[network]\nconnect = [\"tcp:443\"]\n{required}");
    assert!(!plan(&connects, &without_net).namespaces.net, "the network is shared, so it is not needed");
    let partly = planned("", &without_net);
    let (detail, lacking) = enforced(&partly, Layer::Namespaces);
    assert_eq!((detail.as_str(), lacking.len()), ("its own pid, ipc, uts, user", 1));
    assert_eq!(lacking, ["`net`: this host cannot make one"]);
}

#[test]
fn a_file_tree_of_its_own_is_for_who_asks() {
    let kernel = KernelSupport { namespaces: EVERY, ..kernel() };
    let unasked = planned("", &kernel);
    assert!(!unasked.plan.namespaces.mount);
    assert!(status(&unasked, Layer::Mount).is_none());
    for key in ["require", "optional"] {
        let planned = planned(&format!("[layers]\n{key} = [\"mount\"]\n"), &kernel);
        assert_eq!(planned.plan.namespaces, EVERY);
        assert_eq!(enforced(&planned, Layer::Mount).0, "a file tree of its own: the granted paths and nothing else");
    }
    for (lacks, name) in [
        (Namespaces { pid: false, ..EVERY }, "pid"),
        (Namespaces { mount: false, ..EVERY }, "mount"),
        (Namespaces { user: false, ..EVERY }, "mount, pid"),
    ] {
        let kernel = KernelSupport { namespaces: lacks, ..kernel };
        let found = missing("[layers]\nrequire = [\"mount\"]\n", &kernel);
        assert_eq!(found.found, format!("this host cannot make namespaces of the kinds {name}"));
        assert!(!plan("[layers]\noptional = [\"mount\"]\n", &kernel).namespaces.mount);
    }
}

#[test]
fn threads_are_capped_where_the_cell_is_the_only_one_that_counts() {
    let lines = "[limits]\nthreads = 4\n";
    let shared = planned(lines, &kernel());
    assert_eq!(shared.plan.limits.tasks, u64::MAX);
    assert!(enforced(&shared, Layer::Limits).1[0].starts_with("`threads`: without root, a user namespace"));
    let root = planned(lines, &KernelSupport { root: true, ..kernel() });
    assert_eq!((root.plan.limits.tasks, enforced(&root, Layer::Limits).1), (4, vec![]));
    let own = planned(lines, &KernelSupport { namespaces: EVERY, ..kernel() });
    assert_eq!(
        (own.plan.limits.tasks, enforced(&own, Layer::Limits).1),
        (5, vec![]),
        "and the namespace's first process"
    );
}

#[test]
fn a_control_group_caps_memory_tasks_and_processors_wherever_one_is_delegated() {
    let delegated = KernelSupport { cgroup: true, ..kernel() };
    let lines = "[limits]\nmemory = \"64 MiB\"\nmessage = \"5000 B\"\nthreads = 8\nprocessors = 2\n";
    let capped = planned(lines, &delegated);
    assert_eq!(
        capped.plan.cgroup,
        Some(Cgroup { memory: (64 << 20) + 2 * 8192 + (8 << 20), tasks: 9, cpu_percent: 200 })
    );
    let (detail, lacking) = enforced(&capped, Layer::Cgroup);
    assert_eq!((detail.as_str(), lacking.len()), ("73744 KiB of memory, 9 tasks, 200 % of a processor", 0));
    assert_eq!(enforced(&capped, Layer::Limits).1, Vec::<String>::new(), "threads and processors are capped by it");
    assert_eq!(plan(lines, &kernel()).cgroup, None);
    let found = missing("[layers]\nrequire = [\"cgroup\"]\n", &kernel());
    assert!(found.found.contains("memory, pids and cpu"), "{}", found.found);
    assert!(found.help.contains("Delegate=yes") && found.help.contains("cgroup.subtree_control"), "{}", found.help);
    assert!(plan("[layers]\nrequire = [\"cgroup\"]\n", &delegated).cgroup.is_some());
}

#[test]
fn as_many_processors_as_threads_unless_somebody_says_fewer() {
    let processors = |lines: &str| policy(lines).limit(Limit::Processors).value;
    assert_eq!(processors(""), Limit::Threads.default());
    assert_eq!(processors("[limits]\nthreads = 4\n"), 4);
    assert_eq!(processors("[limits]\nthreads = 4096\n"), 1024);
    assert_eq!(processors("[limits]\nthreads = 4\nprocessors = 1\n"), 1);
    let delegated = KernelSupport { cgroup: true, ..kernel() };
    let more = plan("[limits]\nthreads = 2\nprocessors = 8\n", &delegated).cgroup.expect("delegated");
    assert_eq!(more.cpu_percent, 200, "two threads use two processors");
    let root = KernelSupport { root: true, ..kernel() };
    let fewer = planned("[limits]\nprocessors = 1\n", &root);
    assert!(enforced(&fewer, Layer::Limits).1[0].starts_with("`processors`: "));
    assert_eq!(enforced(&planned("", &root), Layer::Limits).1, Vec::<String>::new());
}

#[test]
fn what_a_kernel_lacks_is_said_in_the_words_of_a_refused_load() {
    let bare = KernelSupport { landlock_abi: 2, seccomp: false, mdwe: false, ..kernel() };
    for (layer, require) in [
        (Layer::Seccomp, "seccomp"),
        (Layer::Mdwe, "mdwe"),
        (Layer::Namespaces, "namespaces"),
        (Layer::Mount, "mount"),
        (Layer::Cgroup, "cgroup"),
    ] {
        let said = policy(&format!("[layers]\nrequire = [\"{require}\"]\n")).plan(&bare, &Variables::default());
        let layers = said.expect_err("refused").layers;
        let said = layers.iter().find(|missing| missing.layer == layer).expect("missing");
        let lack = lack(layer, 0, &bare).expect("a lack");
        assert_eq!((&lack.found, &lack.help), (&said.found, &said.help), "{require}");
    }
    assert_eq!(lack(Layer::Landlock, 2, &bare), None);
    assert_eq!(lack(Layer::Landlock, 6, &bare).expect("a lack").help, "use Linux 6.12 or newer");
    let whole = KernelSupport { namespaces: EVERY, cgroup: true, ..kernel() };
    assert!(Layer::ALL.into_iter().all(|layer| lack(layer, 0, &whole).is_none()));
}

#[test]
fn every_state_of_a_profile_but_the_best_has_a_remedy() {
    use ProfileState::{Different, Enforced, Lenient, Missing, Off, Uncompared, Unseen};
    let policy = policy("[layers]\nrequire = [\"apparmor\"]\n");
    for state in [Off, Unseen, Missing, Lenient, Different, Uncompared] {
        let kernel = KernelSupport { profile: state, ..kernel() };
        let said = policy.plan(&kernel, &Variables::default()).expect_err("refused").layers.remove(0);
        let lack = policy.lack_of_profile(state, &Variables::default()).expect("a lack");
        assert_eq!((lack.found, lack.help), (said.found, said.help), "{state:?}");
    }
    assert_eq!(policy.lack_of_profile(Enforced, &Variables::default()), None);
    let program = lack_of_profile(Missing, "host", "/etc/apparmor.d/usr.bin.host", "write it").expect("a lack");
    assert!(
        program.help.starts_with("write it, then `apparmor_parser -r /etc/apparmor.d/usr.bin.host`"),
        "{program:?}"
    );
}

/// Every way in which a profile can fail to be there is a refusal where the policy requires the layer, an entry in the report
/// where it lists it, and nothing where it says nothing.
#[test]
fn a_profile_is_entered_where_it_is_enforced_as_the_policy_says_and_nowhere_else() {
    use ProfileState::{Different, Enforced, Lenient, Missing, Off, Overruled, Uncompared, Unfit, Unseen};
    let (required, optional) = ("[layers]\nrequire = [\"apparmor\"]\n", "[layers]\noptional = [\"apparmor\"]\n");
    let on = KernelSupport { profile: Enforced, ..kernel() };
    for lines in [required, optional] {
        let planned = planned(lines, &on);
        let apparmor = planned.plan.apparmor.as_ref().expect("entered");
        assert_eq!((apparmor.profile.as_str(), apparmor.stacked), ("lazaret-cell.p", false));
        assert_eq!(enforced(&planned, Layer::Apparmor).0, "profile lazaret-cell.p, enforced");
    }
    assert!(planned("", &on).plan.apparmor.is_none(), "nobody asks for it");
    let mut said = std::collections::BTreeSet::new();
    for profile in [Off, Unseen, Overruled, Missing, Lenient, Different, Uncompared, Unfit] {
        let kernel = KernelSupport { profile, ..kernel() };
        let missing = missing(required, &kernel);
        assert_eq!((missing.layer, missing.origin.line), (Layer::Apparmor, 6), "{profile:?}");
        let planned = planned(optional, &kernel);
        assert!(planned.plan.apparmor.is_none(), "{profile:?}");
        match &status(&planned, Layer::Apparmor).expect("reported").state {
            State::Absent { why } => assert_eq!(*why, missing.found),
            State::Enforced { .. } => panic!("{profile:?}"),
        }
        assert!(!missing.help.is_empty() && said.insert(missing.found), "each has words of its own");
    }
}

/// A policy whose plugins write files needs something that sees files being cut short: a newer Landlock, or AppArmor.
#[test]
fn apparmor_sees_files_being_cut_short_where_landlock_is_too_old() {
    let lines = "[files]\nwrite = [\"/srv\"]\n[syscalls]\nallow = [\"@files-write\"]\n[limits]\nfile-size = \"1 MiB\"\n\
                 [layers]\noptional = [\"apparmor\"]\n";
    let old = KernelSupport { landlock_abi: 2, ..kernel() };
    let missing = missing(lines, &old);
    assert_eq!(missing.required, "landlock>=3");
    assert!(missing.help.contains("AppArmor profile"), "{}", missing.help);
    planned(lines, &KernelSupport { profile: ProfileState::Enforced, ..old });
}

/// What a plugin asks for narrows everything but the profile: that is the policy's, or there would be one for each plugin.
#[test]
fn a_plugin_that_asks_for_less_is_under_the_profile_of_its_policy() {
    let policy = policy(
        "[files]\nread = [\"/srv\", \"${bundle}\"]\n[syscalls]\nallow = [\"@files-read\"]\n[layers]\nrequire = [\"apparmor\"]\n",
    );
    let narrowed = policy.narrowed(&serde_json::json!({ "files": { "read": ["/srv/a"] } })).expect("narrowed");
    let variables = Variables { bundle: Some("/opt/bundle".into()), state: None };
    let profile = policy.apparmor(&variables, |_| None);
    assert_eq!(narrowed.apparmor(&variables, |_| None), profile);
    let on = KernelSupport { profile: ProfileState::Enforced, ..kernel() };
    let plan = narrowed.plan(&on, &variables).expect("plans").plan;
    assert_eq!(plan.apparmor.expect("entered").profile, profile.name);
    assert_eq!(plan.landlock.expect("there").paths.len(), 1);
}

/// Links are followed as a cell follows them; a path that leads nowhere stands as it is written.
#[test]
fn a_profile_names_the_places_that_paths_lead_to() {
    let policy = policy(
        "[files]\nread = [\"/lib\", \"/srv\", \"/\"]\nwrite = [\"/srv\"]\n[syscalls]\nallow = [\"@files-read\"]\n",
    );
    let text =
        policy.apparmor(&Variables::default(), |path| (path.as_os_str() == "/lib").then(|| "/usr/lib".into())).text;
    for rule in ["\"/usr/lib/**\" r,", "\"/srv\" rw,", "\"/srv/\" r,", "\"/srv/**\" rw,", "\"/\" r,", "\"/**\" r,"] {
        assert_eq!(text.matches(rule).count(), 1, "{rule}\n{text}");
    }
    assert!(!text.contains("\"/lib") && !text.contains("network") && !text.contains("signal (send)"), "{text}");
    assert!(!text.contains("k,"), "no locks: {text}");
}
