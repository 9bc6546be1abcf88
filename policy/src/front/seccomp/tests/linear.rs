//! The tree against seccompiler's own complete filters: an allow list, and in front of it a filter per error for the
//! calls that are answered, stacked as the kernel stacks them.

use std::collections::BTreeSet;

use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, TargetArch};

use super::*;
use crate::front::condition::{Comparison, Conjunction, Width};
use crate::front::seccomp::program::{chain, instruction};

fn stack(phase: &Phase, on_deny: OnDeny, arch: Arch) -> Vec<Filter> {
    let mut out = Vec::new();
    for (errno, calls) in &phase.answers {
        // The arch check of each filter kills; what this filter does not know is for the allow list to decide.
        let action = SeccompAction::Errno(u32::from(*errno));
        out.extend(linear(calls, SeccompAction::Allow, action, arch));
    }
    let deny = match on_deny {
        OnDeny::Kill => SeccompAction::Trap,
        OnDeny::Report => unreachable!("seccompiler has no data for its traps"),
        OnDeny::Errno => SeccompAction::Errno(EPERM),
    };
    out.extend(linear(&phase.allow, deny, SeccompAction::Allow, arch));
    out
}

/// `None` where the architecture has none of the calls.
fn linear(calls: &Calling, otherwise: SeccompAction, matched: SeccompAction, arch: Arch) -> Option<Filter> {
    let mut rules = BTreeMap::new();
    for (call, when) in calls.iter().filter(|(_, when)| !when.is_never()) {
        if let Some(number) = syscall_number(arch, call) {
            rules.insert(i64::from(number), chain(when).expect("short"));
        }
    }
    if rules.is_empty() {
        return None;
    }
    let target = match arch {
        Arch::X86_64 => TargetArch::x86_64,
        Arch::Aarch64 => TargetArch::aarch64,
    };
    let filter = SeccompFilter::new(rules, otherwise, matched, target).expect("two actions");
    let program: BpfProgram = filter.try_into().expect("fits");
    Some(Filter(program.into_iter().map(instruction).collect()))
}

/// Compares for every number, native, with the bit of x32, and of foreign architectures, at the edges of every rule. Returns
/// the lengths.
fn compare(phase: &Phase, on_deny: OnDeny, arch: Arch, what: &str) -> (usize, usize) {
    let tree = filter(phase, &always(on_deny), arch).expect("fits");
    let stack = stack(phase, on_deny, arch);
    assert_kernel_takes(&tree);
    stack.iter().for_each(assert_kernel_takes);
    let foreign = [0x4000_0003, audit_arch(Arch::ALL[usize::from(arch == Arch::X86_64)]), 0, u32::MAX];
    let never = Permission::default();
    for number in (0..1024).chain([u32::MAX, u32::MAX - 1, 0x8000_0000]) {
        let call = crate::front::arch::syscall_name(arch, number);
        let asked = |calls: &Calling| call.and_then(|call| calls.get(call)).cloned().unwrap_or_default();
        let answers = phase.answers.values().map(asked).fold(never.clone(), |all, one| all.or(&one));
        let all: BTreeSet<[u64; 6]> = edges(&asked(&phase.allow)).into_iter().chain(edges(&answers)).collect();
        for arguments in all {
            let native = Data { number, arch: audit_arch(arch), pointer: 0, arguments };
            assert_eq!(run(&tree, &native), verdict(&stack, &native), "{what}: {call:?} {number:#x} {arguments:x?}");
        }
        for arguments in edges(&never) {
            let far = Data { number: number | 0x4000_0000, arch: audit_arch(arch), pointer: 0, arguments };
            assert_eq!(run(&tree, &far), verdict(&stack, &far), "{what}: x32 {number}");
            for arch in foreign {
                assert_eq!(
                    run(&tree, &Data { number, arch, pointer: 0, arguments }),
                    KILL_PROCESS,
                    "{what}: {arch:#x} {number}"
                );
            }
        }
    }
    (tree.0.len(), stack.iter().map(|filter| filter.0.len()).sum())
}

#[test]
fn the_tree_answers_every_call_of_the_shipped_policies_as_the_complete_filters_do_and_is_shorter() {
    for name in builtin_names() {
        let phases = Phases::of(&profile(name).effective.calls);
        for (phase, title) in [(&phases.load, "load"), (&phases.call, "call")] {
            for arch in Arch::ALL {
                for on_deny in [OnDeny::Kill, OnDeny::Errno] {
                    let what = format!("{name} {title} {} {on_deny:?}", arch.name());
                    let (tree, linear) = compare(phase, on_deny, arch, &what);
                    assert!(tree < linear, "{what}: {tree} instructions, {linear} as a list");
                }
            }
        }
    }
}

/// A linear congruential generator: the same policies on every run.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % end
    }

    fn comparison(&mut self) -> Comparison {
        let values = [0, 1, 2, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff, 0x1_0000_0000, 0x1_0000_0001, u64::MAX];
        let width = [Width::Bits32, Width::Bits64][self.below(2)];
        let bits = if width == Width::Bits32 { 0xffff_ffff } else { u64::MAX };
        let value = values[self.below(values.len())] & bits;
        let mask = values[self.below(values.len())] & bits;
        let test = [
            Test::Equal,
            Test::NotEqual,
            Test::Less,
            Test::LessOrEqual,
            Test::Greater,
            Test::GreaterOrEqual,
            Test::Masked(mask),
        ][self.below(7)];
        let value = if let Test::Masked(mask) = test { value & mask } else { value };
        Comparison { index: self.below(6) as u8, name: "any", width, test, value }
    }

    fn permission(&mut self) -> Permission {
        let mut all = Permission::default();
        for _ in 0..self.below(4) {
            all.add(Conjunction((0..self.below(5)).map(|_| self.comparison()).collect()));
        }
        all
    }

    fn calling(&mut self, share: usize) -> Calling {
        let mut all = Calling::new();
        for name in crate::front::arch::known_names() {
            if self.below(share) == 0 {
                all.insert((*name).to_owned(), self.permission());
            }
        }
        all
    }
}

#[test]
fn the_tree_answers_every_call_of_any_policy_as_the_complete_filters_do() {
    let mut random = Random(1);
    for round in 0..24 {
        let share = 12 + random.below(24);
        let answers = [1, 22, 38].into_iter().map(|errno| (errno, random.calling(share * 2))).collect();
        let mut phase = Phase { allow: random.calling(share), answers };
        // Runs of neighbours, as large allow lists have.
        for number in 0..random.below(400) as u32 {
            if let Some(call) = crate::front::arch::syscall_name(Arch::X86_64, number) {
                phase.allow.entry(call.to_owned()).or_insert_with(Permission::always);
            }
        }
        for arch in Arch::ALL {
            let on_deny = [OnDeny::Kill, OnDeny::Errno][round % 2];
            compare(&phase, on_deny, arch, &format!("round {round}"));
        }
    }
}

#[test]
fn a_conjunction_as_long_as_the_language_permits_is_asked_in_full() {
    let conjunction = Conjunction((0..64).map(not_equal).collect());
    let mut when = Permission::default();
    when.add(conjunction);
    let phase = Phase { allow: Calling::from([("read".to_owned(), when)]), answers: BTreeMap::new() };
    for arch in Arch::ALL {
        compare(&phase, OnDeny::Kill, arch, "long");
    }
}

fn not_equal(value: u64) -> Comparison {
    Comparison { index: 2, name: "any", width: Width::Bits64, test: Test::NotEqual, value: value << 31 }
}

#[test]
fn a_filter_that_the_kernel_would_not_take_is_refused() {
    let mut when = Permission::default();
    for first in 0..60 {
        when.add(Conjunction((0..4).map(|value| not_equal(first * 8 + value)).collect()));
    }
    let names = crate::front::arch::known_names().iter();
    let allow: Calling = names.map(|name| ((*name).to_owned(), when.clone())).collect();
    let phase = Phase { allow, answers: BTreeMap::new() };
    // The same program for every call would be written once: each must ask something of its own.
    let mut own = phase.clone();
    for (at, (_, permission)) in own.allow.iter_mut().enumerate() {
        permission.add(Conjunction([Comparison { index: 1, ..not_equal(at as u64) }].into()));
    }
    assert!(filter(&phase, &always(OnDeny::Kill), Arch::X86_64).is_ok());
    assert!(filter(&own, &always(OnDeny::Kill), Arch::X86_64).is_err());
}
