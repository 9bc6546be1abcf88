//! Any bytes as the byte form of a plan.
#![no_main]

use lazaret_fuzz::seed;
use lazaret_policy::{Arch, KernelSupport, Namespaces, Plan, Policy, ProfileState, Request, Source, Variables};

libfuzzer_sys::fuzz_target!(init: seed(plans()), |bytes: &[u8]| {
    if let Ok(plan) = Plan::from_bytes(bytes) {
        assert_eq!(Plan::from_bytes(&plan.to_bytes()), Ok(plan));
    }
});

/// The plans of the profiles that come with it.
fn plans() -> impl Iterator<Item = Vec<u8>> {
    ["compute", "file-reader", "network-client", "go"].into_iter().map(|profile| {
        let text = format!("lazaret = 1\nname = \"seed\"\nextends = \"builtin:{profile}\"\n");
        let request = Request::new(Source { name: "seed.toml".into(), text: text.into() });
        let policy = Policy::resolve(&request, |_, _| Err("nothing is fetched".into())).expect("a profile");
        let kernel = KernelSupport {
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
        policy.plan(&kernel, &Variables::default()).expect("a plan").plan.to_bytes()
    })
}
