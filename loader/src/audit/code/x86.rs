//! Searches code of x86_64: by bytes first, since nearly all code has none of them, and by decoding around what is found.

use std::ops::Range;

use iced_x86::{Code, Decoder, DecoderOptions, Instruction, Mnemonic, OpKind, Register};
use memchr::memmem::Finder;

use super::super::bytes::len;
use super::anchors::Anchors;
use super::{DirectSyscalls, Kind, Part};

/// The bytes of the instructions (Intel SDM, volume 2; the last is `int` with its operand).
const BYTES: [([u8; 2], Kind); 3] =
    [([0x0f, 0x05], Kind::Syscall), ([0x0f, 0x34], Kind::Sysenter), ([0xcd, 0x80], Kind::Int80)];

/// How many bytes are searched for each of them in turn: they stay in the processor's first cache meanwhile.
const CHUNK: usize = 16 << 10;

/// How far before a find decoding begins at most. Without this, a file that names no function has all of it decoded for
/// one find at its end. Decoders that begin inside an instruction are in step again after a few: on the largest libraries of
/// Debian and of Rust, a thousand times this distance changes no answer.
pub(super) const MAX_RUN: usize = 2 << 10;

/// How many bytes before an instruction its number may be loaded: arguments are loaded in between.
const NEARBY: usize = 64;

/// Searches what begins in a range of one part. Decoding may begin before it.
pub(super) fn search(
    code: &[u8],
    within: Range<usize>,
    part: &Part,
    anchors: &Anchors<'_>,
    found: &mut DirectSyscalls,
) {
    let finders = BYTES.map(|(bytes, kind)| (Finder::new(&bytes).into_owned(), kind));
    let mut sweep = Sweep::new(code, part.address);
    let mut finds: Vec<(usize, Kind)> = Vec::new();
    for begin in within.clone().step_by(CHUNK) {
        // One byte more, which the last find of a chunk needs; the next chunk finds nothing that begins before it.
        let end = begin.saturating_add(CHUNK).min(within.end).saturating_add(1).min(code.len());
        let chunk = code.get(begin..end).unwrap_or_default();
        finds.clear();
        for (finder, kind) in &finders {
            finds.extend(finder.find_iter(chunk).map(|at| (at.saturating_add(begin), *kind)));
        }
        finds.sort_unstable_by_key(|(at, _)| *at);
        for &(at, kind) in &finds {
            let address = part.address.saturating_add(len(at));
            let anchor = anchors.before(address, part).saturating_sub(part.address);
            let anchor = usize::try_from(anchor).unwrap_or(at).max(at.saturating_sub(MAX_RUN));
            let instruction = !part.beside && sweep.is_instruction(at, kind, anchor);
            let number = if instruction { sweep.number(at) } else { None };
            found.add(kind, instruction, at, part, number, anchors);
        }
    }
    found.decoded = found.decoded.saturating_add(sweep.decoded);
}

/// Decoding that only goes forward.
struct Sweep<'a> {
    decoder: Decoder<'a>,
    address: u64,
    /// The instruction decoded last, and its bytes.
    last: Instruction,
    span: Range<usize>,
    /// What was put into `rax`, and by the instruction at which byte; of the instructions before the last.
    loaded: Option<(u64, usize)>,
    decoded: u64,
}

impl<'a> Sweep<'a> {
    fn new(code: &'a [u8], address: u64) -> Self {
        let decoder = Decoder::with_ip(64, code, address, DecoderOptions::NONE);
        Self { decoder, address, last: Instruction::default(), span: 0..0, loaded: None, decoded: 0 }
    }

    /// Whether the two bytes at `at` end an instruction of that kind, when decoding begins at `anchor` or went past it.
    fn is_instruction(&mut self, at: usize, kind: Kind, anchor: usize) -> bool {
        // A function that begins inside the instruction decoded last: no more than that one is decoded twice.
        if anchor > self.span.start && anchor != self.span.end && self.decoder.set_position(anchor).is_ok() {
            self.decoder.set_ip(self.address.saturating_add(len(anchor)));
            (self.last, self.span, self.loaded) = (Instruction::default(), anchor..anchor, None);
        }
        while self.span.end <= at {
            self.loaded = effect(&self.last, self.loaded, self.span.start);
            let start = self.decoder.position();
            self.decoder.decode_out(&mut self.last);
            self.span = start..self.decoder.position();
            self.decoded = self.decoded.saturating_add(len(self.span.len()));
            if self.span.is_empty() {
                return false;
            }
        }
        // Prefixes may stand before the two bytes.
        let same = match (self.last.code(), kind) {
            (Code::Syscall, Kind::Syscall) | (Code::Sysenter, Kind::Sysenter) => true,
            (Code::Int_imm8, Kind::Int80) => self.last.immediate8() == 0x80,
            _ => false,
        };
        same && self.span.end == at.saturating_add(2)
    }

    /// What is in `rax` when the instruction at `at` runs, if that was put there shortly before.
    fn number(&self, at: usize) -> Option<u64> {
        self.loaded.filter(|(_, from)| at.saturating_sub(*from) <= NEARBY).map(|(number, _)| number)
    }
}

/// What is known of `rax` after an instruction. A guess where code is reached from elsewhere, which decoding does not tell.
fn effect(of: &Instruction, before: Option<(u64, usize)>, at: usize) -> Option<(u64, usize)> {
    let is_rax =
        |register| matches!(register, Register::RAX | Register::EAX | Register::AX | Register::AL | Register::AH);
    let wide = matches!(of.op0_register(), Register::RAX | Register::EAX);
    let constant = match (of.mnemonic(), of.op1_kind()) {
        (Mnemonic::Mov, OpKind::Immediate32) => Some(of.immediate32().into()),
        (Mnemonic::Mov, OpKind::Immediate64) => Some(of.immediate64()),
        (Mnemonic::Mov, OpKind::Immediate32to64) => Some(of.immediate32to64().cast_unsigned()),
        (Mnemonic::Xor, OpKind::Register) if of.op0_register() == of.op1_register() => Some(0),
        _ => None,
    };
    match of.mnemonic() {
        // They read it only.
        Mnemonic::Cmp | Mnemonic::Test | Mnemonic::Push => before,
        // What is behind them is reached from elsewhere, or after somebody else used the register.
        Mnemonic::Call | Mnemonic::Jmp | Mnemonic::Ret | Mnemonic::Syscall | Mnemonic::INVALID => None,
        // They write it without naming it.
        Mnemonic::Mul | Mnemonic::Div | Mnemonic::Idiv | Mnemonic::Imul | Mnemonic::Cmpxchg | Mnemonic::Cpuid => None,
        Mnemonic::Cdqe | Mnemonic::Cwde | Mnemonic::Rdtsc | Mnemonic::Int | Mnemonic::Sysenter => None,
        _ if wide && of.op0_kind() == OpKind::Register && constant.is_some() => constant.map(|value| (value, at)),
        _ if of.op0_kind() == OpKind::Register && is_rax(of.op0_register()) => None,
        Mnemonic::Xchg if of.op1_kind() == OpKind::Register && is_rax(of.op1_register()) => None,
        _ => before,
    }
}
