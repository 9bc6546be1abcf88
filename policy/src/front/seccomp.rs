//! From rights on calls to the kernel's filters: what each of the two phases permits and answers, and a program for
//! each.

mod program;
mod tree;

use std::collections::BTreeMap;

use crate::front::arch::syscall_number;
use crate::front::calls::Calls;
use crate::front::condition::{Comparison, Conjunction, Permission, Test, Width};
use crate::front::document::OnDeny;
use crate::front::groups::{self, Entry};
use crate::front::kernel::Arch;
use crate::plan::{
    Filter, GATE_RETURN, Instruction, RUNNER_REPLIES, Seccomp, TRAP_REPORT, TRAP_VIOLATION, TRAP_WATCH, WATCH_ADDRESS,
};

use program::{Question, Then, decide};
use tree::Leaf;

/// Actions of `<linux/seccomp.h>`; the lower half of the word is data.
const ALLOW: u32 = 0x7fff_0000;
const ERRNO: u32 = 0x0005_0000;
const TRAP: u32 = 0x0003_0000;

/// What a filter answers with `EPERM` where the policy says so.
const EPERM: u32 = 1;

/// Permissions by call; the same map serves grants and answers.
type Calling = BTreeMap<String, Permission>;

/// What one phase permits and answers, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Phase {
    /// Everything the allow list lets through, answered calls included.
    pub(crate) allow: Calling,
    /// Error numbers and the calls answered with them.
    pub(crate) answers: BTreeMap<u16, Calling>,
}

/// The two phases of a policy, before they are numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Phases {
    pub(crate) load: Phase,
    /// Answers here come on top of those of the load phase, which stay in force.
    pub(crate) call: Phase,
}

impl Phases {
    pub(crate) fn of(calls: &Calls) -> Self {
        let (mut granted, answered) = policy_calls(calls);
        let (channel, _) = internal("@channel");
        let guarded = channel.into_iter().map(|(call, when)| (call.clone(), during_call(&call, &when)));
        merge(&mut granted, guarded);
        let (loading, load_answers) = internal("@load");

        let mut load = Phase { allow: granted.clone(), answers: BTreeMap::new() };
        merge(&mut load.allow, loading.iter().map(|(call, when)| (call.clone(), during_load(call, when))));
        let mut call = Phase { allow: granted.clone(), answers: BTreeMap::new() };

        // What a policy grants is not answered. What only mapping needs is real while mapping, and answered later.
        for (name, (errno, when)) in load_answers.iter().chain(&answered) {
            if granted.contains_key(name) {
                continue;
            }
            let phase = if loading.contains_key(name) { &mut call } else { &mut load };
            // A call that only mapping answers stays outside the list of the call phase.
            if loading.contains_key(name) && !answered.contains_key(name) {
                continue;
            }
            merge(phase.answers.entry(*errno).or_default(), [(name.clone(), when.clone())]);
        }
        // The allow list lets answered calls through to their answer. A call that mapping really makes is let through for
        // the arguments that mapping needs and for no others, or the load phase would do what it is only to answer.
        for (name, (_, when)) in load_answers.iter().chain(&answered) {
            if !loading.contains_key(name) {
                merge(&mut load.allow, [(name.clone(), when.clone())]);
            }
        }
        for (name, (_, when)) in &answered {
            let when = loading.get(name).map_or_else(|| when.clone(), |real| when.and(&during_load(name, real)));
            merge(&mut call.allow, [(name.clone(), when)]);
        }
        Self { load, call }
    }
}

type Answered = BTreeMap<String, (u16, Permission)>;

fn policy_calls(calls: &Calls) -> (Calling, Answered) {
    let mut granted = Calling::new();
    let mut answered = Answered::new();
    for (call, right) in &calls.rights {
        let when = during_call(call, &right.grant);
        if !when.is_never() {
            granted.insert(call.clone(), when);
        } else if let Some((errno, when)) = &right.answer {
            answered.insert(call.clone(), (*errno, when.clone()));
        }
    }
    (granted, answered)
}

fn internal(name: &str) -> (Calling, Answered) {
    let mut granted = Calling::new();
    let mut answered = Answered::new();
    for Entry { call, when, answer, .. } in groups::expand(name) {
        match answer {
            None => granted.entry(call.clone()).or_default().add(when.clone()),
            Some(errno) => {
                answered.entry(call.clone()).or_insert_with(|| (*errno, Permission::default())).1.add(when.clone());
            }
        }
    }
    answered.retain(|call, _| !granted.contains_key(call));
    (granted, answered)
}

pub(crate) fn during_call(call: &str, when: &Permission) -> Permission {
    groups::guard(call).map_or_else(|| when.clone(), |guard| when.and(&guard.call))
}

fn during_load(call: &str, when: &Permission) -> Permission {
    groups::guard(call).map_or_else(|| when.clone(), |guard| when.and(&guard.load))
}

fn merge(into: &mut Calling, from: impl IntoIterator<Item = (String, Permission)>) {
    for (call, when) in from {
        let have = into.entry(call).or_default();
        *have = have.or(&when);
    }
}

/// The rules of a policy do not fit into a filter.
#[derive(Debug)]
pub(crate) struct TooLarge;

/// How calls are refused, in either phase.
#[derive(Clone, Debug)]
pub(crate) struct Refusals {
    pub(crate) otherwise: OnDeny,
    pub(crate) calls: BTreeMap<String, OnDeny>,
}

impl Refusals {
    fn action(&self, call: &str) -> u32 {
        action(self.calls.get(call).copied().unwrap_or(self.otherwise))
    }
}

fn action(answer: OnDeny) -> u32 {
    match answer {
        OnDeny::Kill => TRAP | u32::from(TRAP_VIOLATION),
        OnDeny::Report => TRAP | u32::from(TRAP_REPORT),
        OnDeny::Errno => ERRNO | EPERM,
    }
}

/// The filters for one architecture. Calls it does not have are left out.
pub(crate) fn compile(calls: &Calls, refusals: &Refusals, arch: Arch) -> Result<Seccomp, TooLarge> {
    let phases = Phases::of(calls);
    let load = filter(&phases.load, refusals, arch)?;
    Ok(Seccomp { load: Some(load), call: Some(filter(&phases.call, refusals, arch)?) })
}

/// The load-phase filter of a cell that executes a runner: once, under a number that no descriptor can have afterwards.
pub(crate) fn compile_for_runner(
    calls: &Calls,
    refusals: &Refusals,
    arch: Arch,
    program: u64,
) -> Result<Filter, TooLarge> {
    const AT_EMPTY_PATH: u64 = 0x1000;
    const PROT_EXEC: u64 = 4;
    let mut load = Phases::of(calls).load;
    let (granted, answered) = internal("@runner");
    merge(&mut load.allow, granted);
    for (call, (errno, when)) in answered {
        // What the policy lets a plugin do, the loader may do too.
        if !load.allow.contains_key(&call) {
            merge(&mut load.allow, [(call.clone(), when.clone())]);
            merge(load.answers.entry(errno).or_default(), [(call, when)]);
        }
    }
    let is = |index, name, value| Comparison { index, name, width: Width::Bits32, test: Test::Equal, value };
    let mut once = Permission::default();
    once.add(Conjunction([is(0, "dirfd", program), is(4, "flags", AT_EMPTY_PATH)].into()));
    load.allow.insert("execveat".to_owned(), once);
    // The guard on mmap lets no written memory be shared; this is what is shared with the host.
    let masked =
        |index, name, mask| Comparison { index, name, width: Width::Bits32, test: Test::Masked(mask), value: 0 };
    let mut replies = Permission::default();
    const MAP_ANONYMOUS: u64 = 0x20;
    let parts = [is(4, "fd", RUNNER_REPLIES as u64), masked(2, "prot", PROT_EXEC), masked(3, "flags", MAP_ANONYMOUS)];
    replies.add(Conjunction(parts.into()));
    merge(&mut load.allow, [("mmap".to_owned(), replies)]);
    filter(&load, refusals, arch)
}

/// The call-phase filter of a cell that watches what Landlock and AppArmor refuse: such calls are let through at the gate and nowhere else.
pub(crate) fn compile_watching(calls: &Calls, refusals: &Refusals, arch: Arch) -> Result<Filter, TooLarge> {
    let mut leaves = leaves(&Phases::of(calls).call, refusals, arch)?;
    for (call, what, _) in WATCHED {
        let Some(leaf) = syscall_number(arch, call).and_then(|number| leaves.get_mut(&number)) else { continue };
        *leaf = watched(leaf, TRAP | u32::from(TRAP_WATCH | what));
    }
    tree::assemble(leaves, action(refusals.otherwise), arch)
}

/// Calls that Landlock or AppArmor may refuse though the filter permits them: where their path is, and what is asked.
const WATCHED: [(&str, u16, &str); 26] = [
    ("open", 0, "whether the file may be read, written or executed"),
    ("openat", 1, "the same"),
    ("openat2", 1, "the same"),
    ("creat", 0, "whether a file may be made there"),
    ("mkdir", 0, "whether a directory may be made there"),
    ("mkdirat", 1, "the same"),
    ("unlink", 0, "whether files may be removed there"),
    ("unlinkat", 1, "the same"),
    ("rmdir", 0, "whether directories may be removed there"),
    ("rename", 0, "both of the above, and whether files may leave their directory"),
    ("renameat", 1, "the same"),
    ("renameat2", 1, "the same"),
    ("link", 1, "whether a file may be made there"),
    ("linkat", 3, "the same"),
    ("symlink", 1, "whether a link may be made there"),
    ("symlinkat", 2, "the same"),
    ("truncate", 0, "whether the file may be cut short"),
    ("connect", WATCH_ADDRESS, "whether the port may be connected to"),
    ("bind", WATCH_ADDRESS, "whether the port may be bound"),
    ("mknodat", 1, "whether such a node may be made there"),
    ("chmod", 0, "by AppArmor, whether the file may be written"),
    ("fchmodat", 1, "the same"),
    ("fchmodat2", 1, "the same"),
    ("chown", 0, "the same"),
    ("lchown", 0, "the same"),
    ("fchownat", 1, "the same"),
];

/// Where the leaf permits, it asks once more: from where.
fn watched(leaf: &Leaf, trap: u32) -> Leaf {
    const INSTRUCTION_POINTER: u32 = 8;
    let (low, high) = (GATE_RETURN as u32, (GATE_RETURN >> 32) as u32);
    let tail = [
        tree::load(INSTRUCTION_POINTER),
        tree::equal(low, 0, 3),
        tree::load(INSTRUCTION_POINTER + 4),
        tree::equal(high, 0, 1),
        tree::answer(ALLOW),
        tree::answer(trap),
    ];
    let permits = tree::answer(ALLOW);
    match leaf {
        Leaf::Answer(ALLOW) => Leaf::Program(tail.to_vec()),
        Leaf::Answer(other) => Leaf::Answer(*other),
        Leaf::Program(body) => {
            let onward = |(at, one): (usize, &Instruction)| {
                if *one == permits { tree::skip(body.len() - at - 1) } else { *one }
            };
            Leaf::Program(body.iter().enumerate().map(onward).chain(tail).collect())
        }
    }
}

fn filter(phase: &Phase, refusals: &Refusals, arch: Arch) -> Result<Filter, TooLarge> {
    tree::assemble(leaves(phase, refusals, arch)?, action(refusals.otherwise), arch)
}

fn leaves(phase: &Phase, refusals: &Refusals, arch: Arch) -> Result<BTreeMap<u32, Leaf>, TooLarge> {
    let mut leaves = BTreeMap::new();
    for (call, answer) in &refusals.calls {
        if let Some(number) = syscall_number(arch, call) {
            leaves.insert(number, Leaf::Answer(action(*answer)));
        }
    }
    for (call, allow) in phase.allow.iter().filter(|(_, allow)| !allow.is_never()) {
        let Some(number) = syscall_number(arch, call) else { continue };
        let deny = refusals.action(call);
        let mut questions = vec![Question { when: allow, holds: Then::Ask, fails: Then::Answer(deny) }];
        questions.extend(phase.answers.iter().rev().filter_map(|(errno, calls)| {
            let action = ERRNO | u32::from(*errno);
            Some(Question { when: calls.get(call)?, holds: Then::Answer(action), fails: Then::Ask })
        }));
        leaves.insert(number, decide(&questions, ALLOW, number, arch)?);
    }
    Ok(leaves)
}

#[cfg(test)]
mod tests;
