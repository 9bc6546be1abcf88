//! From rights on calls to the kernel's filters: an allow list for each phase, and in front of each a filter per error
//! for the calls that are answered.

use std::collections::BTreeMap;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule, TargetArch,
};

use crate::front::arch::syscall_number;
use crate::front::calls::Calls;
use crate::front::condition::{Comparison, Permission, Test, Width};
use crate::front::document::OnDeny;
use crate::front::groups::{self, Entry};
use crate::front::kernel::Arch;
use crate::plan::{Filter, Instruction, Seccomp};

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

/// The filters for one architecture. Calls it does not have are left out.
pub(crate) fn compile(calls: &Calls, on_deny: OnDeny, arch: Arch) -> Result<Seccomp, TooLarge> {
    let phases = Phases::of(calls);
    Ok(Seccomp { load: filters(&phases.load, on_deny, arch)?, call: filters(&phases.call, on_deny, arch)? })
}

fn filters(phase: &Phase, on_deny: OnDeny, arch: Arch) -> Result<Vec<Filter>, TooLarge> {
    let mut out = Vec::new();
    for (errno, calls) in &phase.answers {
        // The arch check of each filter kills; what this filter does not know is for the allow list to decide.
        let action = SeccompAction::Errno(u32::from(*errno));
        out.extend(filter(calls, SeccompAction::Allow, action, arch)?);
    }
    let deny = match on_deny {
        OnDeny::Kill => SeccompAction::Trap,
        OnDeny::Errno => SeccompAction::Errno(EPERM),
    };
    out.extend(filter(&phase.allow, deny, SeccompAction::Allow, arch)?);
    Ok(out)
}

/// `None` where the architecture has none of the calls.
fn filter(
    calls: &Calling,
    otherwise: SeccompAction,
    matched: SeccompAction,
    arch: Arch,
) -> Result<Option<Filter>, TooLarge> {
    let mut rules = BTreeMap::new();
    for (call, when) in calls.iter().filter(|(_, when)| !when.is_never()) {
        if let Some(number) = syscall_number(arch, call) {
            rules.insert(i64::from(number), chain(when)?);
        }
    }
    if rules.is_empty() {
        return Ok(None);
    }
    let target = match arch {
        Arch::X86_64 => TargetArch::x86_64,
        Arch::Aarch64 => TargetArch::aarch64,
    };
    let filter = SeccompFilter::new(rules, otherwise, matched, target).map_err(|_| TooLarge)?;
    let program: BpfProgram = filter.try_into().map_err(|_| TooLarge)?;
    let instructions = program.into_iter().map(|one| Instruction { code: one.code, jt: one.jt, jf: one.jf, k: one.k });
    Ok(Some(Filter(instructions.collect())))
}

/// seccompiler's form: no rule at all means always.
fn chain(when: &Permission) -> Result<Vec<SeccompRule>, TooLarge> {
    if when.is_always() {
        return Ok(Vec::new());
    }
    let alternative = |conjunction: &crate::front::condition::Conjunction| {
        let conditions = conjunction.0.iter().map(condition).collect::<Result<Vec<_>, _>>()?;
        SeccompRule::new(conditions).map_err(|_| TooLarge)
    };
    when.alternatives().map(alternative).collect()
}

fn condition(comparison: &Comparison) -> Result<SeccompCondition, TooLarge> {
    let width = match comparison.width {
        Width::Bits32 => SeccompCmpArgLen::Dword,
        Width::Bits64 => SeccompCmpArgLen::Qword,
    };
    let operator = match comparison.test {
        Test::Equal => SeccompCmpOp::Eq,
        Test::NotEqual => SeccompCmpOp::Ne,
        Test::Less => SeccompCmpOp::Lt,
        Test::LessOrEqual => SeccompCmpOp::Le,
        Test::Greater => SeccompCmpOp::Gt,
        Test::GreaterOrEqual => SeccompCmpOp::Ge,
        Test::Masked(mask) => SeccompCmpOp::MaskedEq(mask),
    };
    SeccompCondition::new(comparison.index, width, operator, comparison.value).map_err(|_| TooLarge)
}

#[cfg(test)]
mod tests;
