//! One program for one phase: a head that lets native calls in and nothing else, a balanced tree over the numbers of
//! calls, and behind it the programs of those calls whose arguments decide.
//!
//! A list of comparisons would do the same. The kernel runs a filter once for every number when it is installed, so the
//! length of the way to an answer is the largest part of what a start of a cell costs.

use std::collections::BTreeMap;

use crate::front::kernel::Arch;
use crate::front::seccomp::TooLarge;
use crate::plan::{Filter, Instruction};

/// The longest program that the kernel takes, `BPF_MAXINSNS` of `<linux/bpf_common.h>`.
const MAX_INSTRUCTIONS: usize = 4096;

/// `SECCOMP_RET_KILL_PROCESS`: what a call of a foreign architecture is answered with, whatever a policy says.
pub(super) const KILL_PROCESS: u32 = 0x8000_0000;

/// Places in `struct seccomp_data`.
pub(super) const NUMBER: u32 = 0;
pub(super) const ARCHITECTURE: u32 = 4;

/// `AUDIT_ARCH_*` of `<linux/audit.h>`.
pub(super) const fn audit_arch(arch: Arch) -> u32 {
    match arch {
        Arch::X86_64 => 0xc000_003e,
        Arch::Aarch64 => 0xc000_00b7,
    }
}

/// `BPF_LD | BPF_W | BPF_ABS`.
pub(super) const fn load(place: u32) -> Instruction {
    Instruction { code: 0x20, jt: 0, jf: 0, k: place }
}

/// `BPF_RET | BPF_K`.
pub(super) const fn answer(action: u32) -> Instruction {
    Instruction { code: 0x06, jt: 0, jf: 0, k: action }
}

/// `BPF_JMP | BPF_JA`.
pub(super) const fn skip(instructions: usize) -> Instruction {
    // No program that is handed out is longer than `MAX_INSTRUCTIONS`.
    Instruction { code: 0x05, jt: 0, jf: 0, k: instructions as u32 }
}

/// `BPF_JMP | BPF_JEQ | BPF_K`.
pub(super) const fn equal(k: u32, jt: u8, jf: u8) -> Instruction {
    Instruction { code: 0x15, jt, jf, k }
}

/// `BPF_JMP | BPF_JGE | BPF_K`.
const fn at_least(k: u32, jt: u8, jf: u8) -> Instruction {
    Instruction { code: 0x35, jt, jf, k }
}

/// What decides about one call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Leaf {
    /// Its number alone: `SECCOMP_RET_*` with its data.
    Answer(u32),
    /// Its arguments: a program that never falls off its end.
    Program(Vec<Instruction>),
}

/// The same, with programs by their position.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Exit {
    Answer(u32),
    Program(usize),
}

/// The program that answers these numbers so, and every other one, x32's and -1 among them, with `otherwise`.
pub(super) fn assemble(leaves: BTreeMap<u32, Leaf>, otherwise: u32, arch: Arch) -> Result<Filter, TooLarge> {
    let (runs, programs) = runs(leaves, otherwise);
    let mut out = vec![load(ARCHITECTURE), equal(audit_arch(arch), 1, 0), answer(KILL_PROCESS), load(NUMBER)];
    let mut jumps = Vec::new();
    branch(&runs, &mut out, &mut jumps);
    let mut starts = Vec::with_capacity(programs.len());
    for program in programs {
        starts.push(out.len());
        out.extend(program);
    }
    for (at, program) in jumps {
        out[at] = skip(starts[program] - at - 1);
    }
    if out.len() > MAX_INSTRUCTIONS { Err(TooLarge) } else { Ok(Filter(out)) }
}

/// Neighbours that are answered alike become one run, which begins at its number and ends before the next one. The last
/// has no end.
fn runs(leaves: BTreeMap<u32, Leaf>, otherwise: u32) -> (Vec<(u32, Exit)>, Vec<Vec<Instruction>>) {
    let mut runs: Vec<(u32, Exit)> = Vec::new();
    let mut programs: Vec<Vec<Instruction>> = Vec::new();
    let mut add = |number, exit| {
        if runs.last().is_none_or(|(_, last)| *last != exit) {
            runs.push((number, exit));
        }
    };
    let mut next = 0;
    for (number, leaf) in leaves {
        if number > next {
            add(next, Exit::Answer(otherwise));
        }
        add(
            number,
            match leaf {
                Leaf::Answer(action) => Exit::Answer(action),
                Leaf::Program(program) => {
                    Exit::Program(programs.iter().position(|have| *have == program).unwrap_or_else(|| {
                        programs.push(program);
                        programs.len() - 1
                    }))
                }
            },
        );
        next = number + 1;
    }
    add(next, Exit::Answer(otherwise));
    (runs, programs)
}

/// Emits the tree over these runs; `jumps` are the instructions that lead to a program.
fn branch(runs: &[(u32, Exit)], out: &mut Vec<Instruction>, jumps: &mut Vec<(usize, usize)>) {
    if let [(_, exit)] = runs {
        match exit {
            Exit::Answer(action) => out.push(answer(*action)),
            Exit::Program(program) => {
                jumps.push((out.len(), *program));
                out.push(skip(0));
            }
        }
        return;
    }
    let (lower, upper) = runs.split_at(runs.len() / 2);
    let over = size(lower.len());
    match u8::try_from(over) {
        Ok(over) => out.push(at_least(upper[0].0, over, 0)),
        // Conditional jumps reach 255 instructions.
        Err(_) => out.extend([at_least(upper[0].0, 0, 1), skip(over)]),
    }
    branch(lower, out, jumps);
    branch(upper, out, jumps);
}

/// Instructions of the tree over so many runs.
fn size(runs: usize) -> usize {
    if runs == 1 {
        return 1;
    }
    let (lower, upper) = (size(runs / 2), size(runs - runs / 2));
    1 + usize::from(u8::try_from(lower).is_err()) + lower + upper
}
