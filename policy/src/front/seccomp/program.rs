//! The program of one call whose arguments decide: seccompiler's programs for that call, one for each question, linked
//! so that an answer of one leads to the next.

use std::collections::BTreeMap;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule, TargetArch,
};

use crate::front::condition::{Comparison, Conjunction, Permission, Test, Width};
use crate::front::kernel::Arch;
use crate::front::seccomp::TooLarge;
use crate::front::seccomp::tree::{self, Leaf, NUMBER, answer, audit_arch, equal, load, skip};
use crate::plan::Instruction;

/// What a question leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Then {
    /// `SECCOMP_RET_*` with its data.
    Answer(u32),
    /// The next question.
    Ask,
}

/// One question about the arguments of a call.
#[derive(Clone, Debug)]
pub(super) struct Question<'a> {
    pub(super) when: &'a Permission,
    pub(super) holds: Then,
    pub(super) fails: Then,
}

/// Asks in order, and answers with `last` where the last question leads on.
pub(super) fn decide(questions: &[Question<'_>], last: u32, number: u32, arch: Arch) -> Result<Leaf, TooLarge> {
    let mut last = last;
    let mut open = Vec::new();
    for question in questions {
        let certain = match (question.when.is_always(), question.when.is_never()) {
            (true, _) => question.holds,
            (_, true) => question.fails,
            (false, false) => {
                open.push(question);
                continue;
            }
        };
        if let Then::Answer(action) = certain {
            last = action;
            break;
        }
    }
    let mut program = Vec::new();
    for (at, question) in open.iter().enumerate() {
        let body = ask(question.when, number, arch)?;
        let next = program.len() + body.len();
        for instruction in body {
            let then = match instruction {
                HOLDS => question.holds,
                FAILS => question.fails,
                other => {
                    program.push(other);
                    continue;
                }
            };
            program.push(match then {
                Then::Answer(action) => answer(action),
                Then::Ask if at + 1 == open.len() => answer(last),
                Then::Ask => skip(next - program.len() - 1),
            });
        }
    }
    Ok(if program.is_empty() { Leaf::Answer(last) } else { Leaf::Program(program) })
}

/// Marks of the two ways out of a program of seccompiler, which knows no jumps between filters. `SECCOMP_RET_TRACE` is
/// in no filter of ours: it would ask a tracer.
const HOLDS: Instruction = answer(0x7ff0_0001);
const FAILS: Instruction = answer(0x7ff0_0002);

/// seccompiler's program that tells whether the arguments match, from where the call is known: without the checks of
/// architecture and number that precede it. The answer to other numbers, which ends it, stays: jumps that are never taken
/// lead there, and the kernel takes no program with a jump out of it.
fn ask(when: &Permission, number: u32, arch: Arch) -> Result<Vec<Instruction>, TooLarge> {
    let target = match arch {
        Arch::X86_64 => TargetArch::x86_64,
        Arch::Aarch64 => TargetArch::aarch64,
    };
    let rules = BTreeMap::from([(i64::from(number), chain(when)?)]);
    let filter = SeccompFilter::new(rules, SeccompAction::Trace(2), SeccompAction::Trace(1), target);
    let program: BpfProgram = filter.map_err(|_| TooLarge)?.try_into().map_err(|_| TooLarge)?;
    let program: Vec<Instruction> = program.into_iter().map(instruction).collect();
    let [a, b, c, d, e, body @ ..] = program.as_slice() else { panic!("seccompiler wrote no filter") };
    let head = [load(tree::ARCHITECTURE), equal(audit_arch(arch), 1, 0), answer(tree::KILL_PROCESS), load(NUMBER)];
    // What would be cut off otherwise decides about calls.
    assert_eq!([*a, *b, *c, *d], head, "seccompiler begins its filters in another way");
    assert_eq!(*e, equal(number, 0, 1), "seccompiler asks for the number in another way");
    assert!(body.ends_with(&[FAILS, FAILS]), "seccompiler ends its filters in another way");
    Ok(body.to_vec())
}

pub(super) fn instruction(one: seccompiler::sock_filter) -> Instruction {
    Instruction { code: one.code, jt: one.jt, jf: one.jf, k: one.k }
}

/// seccompiler's form: no rule at all means always.
pub(super) fn chain(when: &Permission) -> Result<Vec<SeccompRule>, TooLarge> {
    if when.is_always() {
        return Ok(Vec::new());
    }
    let alternative = |conjunction: &Conjunction| {
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
