//! Every shipped profile on every kernel level, on both architectures: the plan as text, held against a file. After a
//! change that is meant, `LAZARET_BLESS=1 cargo test -p lazaret-policy --test golden` writes the files anew.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use lazaret_policy::{
    Arch, Filter, KernelSupport, Namespaces, Policy, ProfileState, Request, Seccomp, State, Variables, builtin,
    builtin_names, syscall_name,
};

/// What the tests vary.
const KERNEL: KernelSupport = KernelSupport {
    arch: Arch::X86_64,
    landlock_abi: 7,
    seccomp: true,
    mdwe: true,
    root: false,
    namespaces: Namespaces::NONE,
    cgroup: false,
    profile: ProfileState::Off,
    processors: 4,
};

fn resolve(name: &str) -> Policy {
    let request = Request::new(builtin(name).expect("shipped").clone());
    Policy::resolve(&request, |path, _| Err(format!("{path} is not shipped"))).expect("a shipped policy resolves")
}

/// FNV-1a over the instructions: enough to notice a change.
fn hash(filter: &Filter) -> u64 {
    let bytes = filter.0.iter().flat_map(|one| {
        let [a, b] = one.code.to_le_bytes();
        let [c, d, e, f] = one.k.to_le_bytes();
        [a, b, one.jt, one.jf, c, d, e, f]
    });
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// What a filter does with a number, as far as the number decides: the answer, or `None` where arguments do.
fn answer(filter: &Filter, arch: Arch, number: u32) -> Option<u32> {
    let native = if arch == Arch::X86_64 { 0xc000_003e } else { 0xc000_00b7 };
    let (mut at, mut accumulator) = (0, 0);
    loop {
        let one = filter.0[at];
        let jump = |taken: bool| usize::from(if taken { one.jt } else { one.jf });
        at += 1;
        match (one.code, one.k) {
            (0x20, 0) => accumulator = number,
            (0x20, 4) => accumulator = native,
            (0x20, _) => return None,
            (0x05, over) => at += over as usize,
            (0x15, value) => at += jump(accumulator == value),
            (0x35, value) => at += jump(accumulator >= value),
            (0x06, action) => return Some(action),
            other => panic!("{other:?}"),
        }
    }
}

/// Calls by what they are answered with; what the numbers without a call are answered with is left out.
fn calls(filter: &Filter, arch: Arch) -> Vec<(String, BTreeSet<&'static str>)> {
    let otherwise = answer(filter, arch, u32::MAX);
    let mut all: BTreeMap<String, BTreeSet<_>> = BTreeMap::new();
    for number in 0..1024 {
        let found = answer(filter, arch, number);
        if found == otherwise {
            continue;
        }
        let name = match found {
            None => "by argument".to_owned(),
            Some(0x7fff_0000) => "allowed".to_owned(),
            Some(other) => format!("answered {other:#x}"),
        };
        all.entry(name).or_default().insert(syscall_name(arch, number).expect("a call"));
    }
    all.into_iter().collect()
}

fn seccomp(out: &mut String, plan: &Seccomp, arch: Arch) {
    for (phase, filter) in [("load", &plan.load), ("call", &plan.call)] {
        let Some(filter) = filter else { continue };
        let (length, hash) = (filter.0.len(), hash(filter));
        let otherwise = answer(filter, arch, u32::MAX).expect("no call");
        writeln!(out, "  {phase}: {length} instructions, {hash:016x}, otherwise {otherwise:#x}").expect("text");
        for (how, calls) in calls(filter, arch) {
            writeln!(out, "    {how}: {} calls", calls.len()).expect("text");
            for line in calls.into_iter().collect::<Vec<_>>().chunks(8) {
                writeln!(out, "      {}", line.join(" ")).expect("text");
            }
        }
    }
}

fn describe(policy: &Policy, kernel: &KernelSupport, filters: bool) -> String {
    let variables = Variables { bundle: Some(PathBuf::from("/opt/plugins/demo")), state: None };
    let mut out = String::new();
    let mut line = |text: String| writeln!(out, "  {text}").expect("text");
    let planned = match policy.plan(kernel, &variables) {
        Ok(planned) => planned,
        Err(missing) => {
            for layer in &missing.layers {
                line(format!("missing {}: {}; {} ({})", layer.required, layer.found, layer.help, layer.origin));
            }
            return out;
        }
    };
    let plan = &planned.plan;
    line(format!("{:?}", plan.limits));
    line(format!("{:?} mdwe={} {:?}", plan.identity, plan.mdwe, plan.channel));
    if let Some(cgroup) = &plan.cgroup {
        line(format!("{cgroup:?}"));
    }
    if plan.namespaces != Namespaces::NONE {
        line(format!("{:?}", plan.namespaces));
    }
    if let Some(landlock) = &plan.landlock {
        line(format!(
            "landlock {} fs={:#x} net={:#x} scoped={:#x}",
            landlock.abi, landlock.handled_fs, landlock.handled_net, landlock.scoped
        ));
        for rule in &landlock.paths {
            line(format!("  {} {:#x}", String::from_utf8_lossy(&rule.path), rule.access));
        }
        for rule in &landlock.ports {
            line(format!("  port {} {:#x}", rule.port, rule.access));
        }
    }
    for layer in &planned.enforcement {
        let state = match &layer.state {
            State::Enforced { detail, lacking } if lacking.is_empty() => detail.clone(),
            State::Enforced { detail, lacking } => format!("{detail}; not {}", lacking.join(", ")),
            State::Absent { why } => format!("absent: {why}"),
        };
        line(format!("{} {:?}: {state} ({})", layer.layer.name(), layer.demand, layer.origin));
    }
    for dropped in &planned.dropped {
        line(format!("dropped {}: {} ({})", dropped.what, dropped.why, dropped.origin));
    }
    if filters {
        seccomp(&mut out, &plan.seccomp, kernel.arch);
    }
    out
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a test is asked by its user to write its expectations anew")]
fn every_profile_means_on_every_kernel_what_it_meant_before() {
    let bless = std::env::var_os("LAZARET_BLESS").is_some();
    let mut changed = Vec::new();
    for name in builtin_names() {
        let policy = resolve(name);
        let mut text = String::new();
        for landlock_abi in 0..=11 {
            for (mdwe, root, processors) in [(false, false, 1), (true, false, 4), (true, true, 4)] {
                let kernel = KernelSupport { landlock_abi, mdwe, root, processors, ..KERNEL };
                writeln!(text, "landlock {landlock_abi} mdwe={mdwe} root={root} processors={processors}")
                    .expect("text");
                text.push_str(&describe(&policy, &kernel, false));
            }
        }
        let kernel = KernelSupport { seccomp: false, ..KERNEL };
        writeln!(text, "no seccomp").expect("text");
        text.push_str(&describe(&policy, &kernel, false));
        for root in [false, true] {
            let namespaces = Namespaces { user: true, pid: true, mount: true, net: true, ipc: true, uts: true };
            let kernel = KernelSupport { landlock_abi: 10, root, namespaces, cgroup: true, ..KERNEL };
            writeln!(text, "everything, root={root}").expect("text");
            text.push_str(&describe(&policy, &kernel, false));
        }
        for arch in [Arch::X86_64, Arch::Aarch64] {
            let kernel = KernelSupport { arch, ..KERNEL };
            writeln!(text, "filters of {}", arch.name()).expect("text");
            text.push_str(&describe(&policy, &kernel, true));
        }
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(format!("{name}.txt"));
        if bless {
            std::fs::write(&path, &text).expect("the golden file is written");
        } else if std::fs::read_to_string(&path).unwrap_or_default() != text {
            changed.push(name);
        }
    }
    assert!(changed.is_empty(), "these plans changed: {changed:?}; if that is meant, bless them (see above)");
}

#[test]
fn every_profile_opens_with_what_it_is_for_and_what_it_refuses_and_raises_no_warning() {
    for name in builtin_names() {
        let text = &builtin(name).expect("shipped").text;
        assert!(text.starts_with("# For "), "{name}");
        assert!(text.contains("\n# Refuses "), "{name}");
        let policy = resolve(name);
        assert!(policy.warnings().is_empty(), "{name}:\n{}", policy.warnings());
        assert_eq!(policy.name(), name);
        assert!(policy.description().is_some(), "{name}");
    }
}

#[test]
fn a_plan_survives_its_byte_form() {
    for name in builtin_names() {
        let kernel = KernelSupport { landlock_abi: 10, root: true, processors: 2, ..KERNEL };
        let plan = resolve(name).plan(&kernel, &Variables::default()).expect("plans").plan;
        assert_eq!(lazaret_policy::Plan::from_bytes(&plan.to_bytes()), Ok(plan));
    }
}

#[test]
fn a_grant_without_a_value_for_its_variable_is_dropped_and_listed() {
    let kernel = KernelSupport { processors: 2, ..KERNEL };
    let policy = resolve("file-reader");
    for bundle in [None, Some(PathBuf::from("relative"))] {
        let planned = policy.plan(&kernel, &Variables { bundle, state: None }).expect("plans");
        assert_eq!(planned.dropped.len(), 1);
        assert_eq!(planned.dropped[0].what, "files.read ${bundle}");
        assert_eq!(planned.plan.landlock.expect("enforced").paths.len(), 1);
    }
    let variables = Variables { bundle: Some(PathBuf::from("/b/")), state: None };
    let planned = policy.plan(&kernel, &variables).expect("plans");
    assert!(planned.dropped.is_empty());
    assert!(planned.plan.landlock.expect("enforced").paths.iter().any(|rule| rule.path == b"/b"));
}
