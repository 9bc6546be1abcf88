//! Finds the instructions by which code asks the kernel itself instead of calling the C library: what no import shows.
//!
//! It is a sign and no proof. Instructions of x86_64 have no fixed places, so bytes inside one are another to whoever jumps
//! there; code may also borrow the instruction of another library. What holds a plugin is the filter of its cell.

mod anchors;
mod x86;

use std::ops::Range;
use std::thread;

use lazaret_policy::{Arch, Origin, syscall_name};
use schemars::JsonSchema;
use serde::Serialize;

use super::bytes::{len, range};
use super::finding::{Code, Finding, Severity};
use super::image::{Image, PT_GNU_EH_FRAME, Segment};
use super::object::Object;
use super::text::{hex, shown};
use anchors::Anchors;

/// How many instructions, and how many other places, are described: a hostile file is nothing but such bytes.
pub const MAX_PLACES: usize = 64;

/// How many bytes of code are worth another thread: searching them takes a millisecond.
const SHARE: usize = 4 << 20;

/// How many words of aarch64 before an `svc` are searched for its number: what a compiler puts there are arguments.
const NEARBY_WORDS: usize = 12;

/// What a file says to the kernel itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, JsonSchema, Serialize)]
pub struct DirectSyscalls {
    /// Instructions that enter the kernel.
    pub instructions: u64,
    /// Bytes of such instructions that lie inside others, in data that can be executed, or beside a segment and in its pages.
    pub bytes: u64,
    /// How many executable bytes were searched.
    pub searched: u64,
    /// The first [`MAX_PLACES`] of each sort, in the order of the file.
    pub places: Vec<Place>,
    /// How many bytes were decoded to tell one sort from the other.
    #[serde(skip)]
    pub(super) decoded: u64,
}

/// One place where code enters the kernel, or could.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize)]
pub struct Place {
    /// Which instruction its bytes are.
    pub kind: Kind,
    /// Whether it is an instruction if decoding begins where functions do; otherwise somebody has to jump into another.
    pub instruction: bool,
    /// Relative to the load address.
    pub address: u64,
    /// In the file.
    pub offset: u64,
    /// The exported function that it lies in or behind, escaped and cut, and how far from its start.
    pub symbol: Option<(String, u64)>,
    /// The number of the system call, where an instruction shortly before loads it.
    pub number: Option<u64>,
    /// The name of that call. `int 0x80` and `sysenter` count by the table of 32-bit programs, so none is given for them.
    pub name: Option<&'static str>,
}

/// Instructions that enter the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, JsonSchema, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// `syscall`, bytes `0f 05`.
    Syscall,
    /// `sysenter`, bytes `0f 34`: system calls of 32-bit programs.
    Sysenter,
    /// `int 0x80`, bytes `cd 80`: system calls of 32-bit programs.
    #[serde(rename = "int-0x80")]
    Int80,
    /// `svc`, of aarch64.
    Svc,
}

impl Kind {
    /// As an assembler writes it.
    #[must_use]
    pub const fn mnemonic(self) -> &'static str {
        match self {
            Self::Syscall => "syscall",
            Self::Sysenter => "sysenter",
            Self::Int80 => "int 0x80",
            Self::Svc => "svc",
        }
    }
}

/// One stretch of a file and where it is mapped.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part {
    address: u64,
    offset: u64,
    size: u64,
    /// Whether a segment does not describe it: pages are mapped whole, so it can be executed all the same.
    beside: bool,
}

impl Part {
    fn of(segment: &Segment) -> Self {
        Self { address: segment.vaddr, offset: segment.offset, size: segment.filesz, beside: false }
    }

    fn bytes<'a>(&self, file: &'a [u8]) -> &'a [u8] {
        range(file, self.offset, self.size).unwrap_or_default()
    }

    /// The part without its first bytes, down to a place of the file.
    fn from(&self, offset: u64) -> Self {
        let gone = offset.saturating_sub(self.offset).min(self.size);
        Self {
            address: self.address.saturating_add(gone),
            offset: self.offset.saturating_add(gone),
            size: self.size.saturating_sub(gone),
            ..*self
        }
    }

    fn end(&self) -> u64 {
        self.offset.saturating_add(self.size)
    }

    /// The part up to a place of the file.
    fn up_to(&self, offset: u64) -> Self {
        Self { size: self.size.min(offset.saturating_sub(self.offset)), ..*self }
    }
}

/// Where code is, and the table that says where functions begin.
#[derive(Clone, Debug, Default)]
pub(super) struct Layout {
    /// Apart from each other in the file, ascending there: two segments can map the same bytes, which are searched once.
    executable: Vec<Part>,
    /// `PT_GNU_EH_FRAME`, translated as a loader would.
    unwind: Option<Part>,
}

pub(super) fn layout(image: &Image<'_>, arch: Arch) -> Layout {
    let mut parts: Vec<_> = image.loads.iter().filter(|load| load.executable()).map(Part::of).collect();
    parts.sort_by_key(|part| part.offset);
    let mut searched = 0_u64;
    for part in &mut parts {
        *part = part.from(searched);
        searched = searched.max(part.offset.saturating_add(part.size));
    }
    parts.retain(|part| part.size > 0);
    let beside = beside(image, arch, &parts);
    parts.extend(beside);
    Layout { executable: parts, unwind: image.of_kind(PT_GNU_EH_FRAME).next().map(Part::of) }
}

/// What lies in the file before and behind executable segments and comes into memory with their first and last page, but for
/// what is searched already. With each come the few bytes around it in which one of the instructions could begin or end.
fn beside(image: &Image<'_>, arch: Arch, searched: &[Part]) -> Vec<Part> {
    let shared = match arch {
        Arch::X86_64 => 1,
        Arch::Aarch64 => 3,
    };
    let mask = image.page().saturating_sub(1);
    let file = len(image.bytes.len());
    let mut found: Vec<Part> = Vec::new();
    for load in image.loads.iter().filter(|load| load.executable() && load.filesz > 0) {
        let whole = Part::of(load);
        let before = whole.offset & mask;
        let head = Part {
            address: whole.address.saturating_sub(before),
            offset: whole.offset.saturating_sub(before),
            size: before,
            beside: true,
        };
        let end = (whole.end().saturating_add(mask) & !mask).min(file);
        let tail = Part { size: end.saturating_sub(whole.offset), beside: true, ..whole }.from(whole.end());
        found.push(head);
        // Behind what comes from the file a loader writes zeros.
        found.extend((load.memsz == load.filesz).then_some(tail));
    }
    for part in searched {
        let cut = |one: Part| [one.up_to(part.offset), one.from(part.end())].into_iter().filter(|one| one.size > 0);
        found = found.into_iter().flat_map(cut).collect();
    }
    found.sort_by_key(|part| part.offset);
    let mut searched_to = 0_u64;
    for part in &mut found {
        *part = part.from(searched_to);
        searched_to = searched_to.max(part.end());
    }
    found.retain(|part| part.size > 0);
    for part in &mut found {
        let (start, size) = (part.offset.min(shared), part.size);
        part.address = part.address.saturating_sub(start);
        part.offset = part.offset.saturating_sub(start);
        part.size = size.saturating_add(start).saturating_add(shared).min(file.saturating_sub(part.offset));
    }
    found
}

/// Searches what a file lets the processor execute. `bytes` are those that the object was read from.
///
/// Every byte is looked at once. Those around a find are decoded, each once but for what two neighbouring functions share.
/// Data in a segment that is executed is code to the processor, and here: a file linked with `-z noseparate-code` can have
/// tables that read like instructions.
#[must_use]
pub fn direct_syscalls(bytes: &[u8], object: &Object) -> DirectSyscalls {
    let mut found = DirectSyscalls::default();
    for part in &object.code.executable {
        let code = part.bytes(bytes);
        found.searched = found.searched.saturating_add(len(code.len()));
        let threads = thread::available_parallelism().map_or(1, usize::from).min(code.len().div_ceil(SHARE).max(1));
        let share = code.len().div_ceil(threads).next_multiple_of(4);
        let search = |index: usize| {
            let begin = index.saturating_mul(share);
            let range = begin.min(code.len())..begin.saturating_add(share).min(code.len());
            let mut found = DirectSyscalls::default();
            let anchors = Anchors::new(bytes, object);
            match object.arch {
                Arch::X86_64 => x86::search(code, range, part, &anchors, &mut found),
                Arch::Aarch64 => search_words(code, range, part, &anchors, &mut found),
            }
            found
        };
        if threads == 1 {
            found.append(search(0));
            continue;
        }
        thread::scope(|scope| {
            let search = &search;
            let shares: Vec<_> = (0..threads).map(|index| scope.spawn(move || search(index))).collect();
            for share in shares {
                match share.join() {
                    Ok(part) => found.append(part),
                    Err(panic) => std::panic::resume_unwind(panic),
                }
            }
        });
    }
    found
}

impl DirectSyscalls {
    /// Adds what was found behind.
    fn append(&mut self, other: Self) {
        for place in other.places {
            let count = self.places.iter().filter(|before| before.instruction == place.instruction).count();
            if count < MAX_PLACES {
                self.places.push(place);
            }
        }
        self.instructions = self.instructions.saturating_add(other.instructions);
        self.bytes = self.bytes.saturating_add(other.bytes);
        self.decoded = self.decoded.saturating_add(other.decoded);
    }

    /// Counts one place, and describes it if there is room.
    fn add(
        &mut self,
        kind: Kind,
        instruction: bool,
        at: usize,
        part: &Part,
        number: Option<u64>,
        anchors: &Anchors<'_>,
    ) {
        let count = if instruction { &mut self.instructions } else { &mut self.bytes };
        *count = count.saturating_add(1);
        if *count > len(MAX_PLACES) {
            return;
        }
        let address = part.address.saturating_add(len(at));
        let arch = anchors.object.arch;
        let call = number.filter(|_| matches!(kind, Kind::Syscall | Kind::Svc));
        self.places.push(Place {
            kind,
            instruction,
            address,
            offset: part.offset.saturating_add(len(at)),
            symbol: anchors.object.symbol_at(address).map(|(name, from)| (shown(name), from)),
            number,
            name: call.and_then(|number| syscall_name(arch, u32::try_from(number).ok()?)),
        });
    }

    /// What a policy that denies direct system calls, in a line of its own or by default, holds against a plugin.
    pub(crate) fn judged(&self, denied: Option<&Origin>) -> Vec<Finding> {
        let Some(origin) = denied else { return Vec::new() };
        // Where nothing but the default denies them it is said and not demanded: a filter decides about the calls.
        let written = origin.line > 0;
        let sorts = [
            (true, self.instructions, Code::DirectSyscall, if written { Severity::Refuse } else { Severity::Warn }),
            (false, self.bytes, Code::DirectSyscallBytes, if written { Severity::Warn } else { Severity::Note }),
        ];
        let found = |(instruction, times, code, severity)| {
            let place = self.places.iter().find(|place| place.instruction == instruction)?;
            let what = if instruction {
                format!("the file calls the kernel itself, by `{}`", place.kind.mnemonic())
            } else {
                format!(
                    "bytes inside other instructions or data are `{}` to whoever jumps there",
                    place.kind.mnemonic()
                )
            };
            let mut finding = Finding::new(code, severity, what).decided_by(Some(origin.clone()));
            finding.times = times;
            Some(place.evidence(finding))
        };
        sorts.into_iter().filter_map(found).collect()
    }
}

impl Place {
    fn evidence(&self, finding: Finding) -> Finding {
        let mut finding = finding.with("address", hex(self.address)).with("offset", hex(self.offset));
        if let Some((name, from)) = &self.symbol {
            finding = finding.with("symbol", format!("{name}+{from:#x}"));
        }
        let Some(number) = self.number else { return finding };
        finding.with("number", self.name.map_or(number.to_string(), |name| format!("{number}, {name}")))
    }
}

/// Instructions of aarch64 are words, so there is no doubt what is one; only whether a word is data.
fn search_words(code: &[u8], within: Range<usize>, part: &Part, anchors: &Anchors<'_>, found: &mut DirectSyscalls) {
    // Arm ARM, C6.2: SVC; the kernel ignores its immediate.
    let svc = |word: u32| word & 0xffe0_001f == 0xd400_0001;
    let skip = part.address.wrapping_neg() & 3;
    let skip = usize::try_from(skip).unwrap_or(0);
    let words = code.get(skip..).unwrap_or_default().as_chunks().0;
    // Words that begin in the range.
    let word_of = |at: usize| at.saturating_sub(skip).div_ceil(4).min(words.len());
    let within = word_of(within.start)..word_of(within.end);
    // In blocks, each looked over without a branch.
    let searched = words.get(within.clone()).unwrap_or_default();
    for (block, first) in searched.chunks(256).zip((within.start..).step_by(256)) {
        if !block.iter().fold(false, |any, word| any | svc(u32::from_le_bytes(*word))) {
            continue;
        }
        for (word, index) in block.iter().zip(first..) {
            if svc(u32::from_le_bytes(*word)) {
                let before = words.get(index.saturating_sub(NEARBY_WORDS)..index).unwrap_or_default();
                let number = before.iter().rev().find_map(|word| moved_to_8(u32::from_le_bytes(*word)));
                let at = index.saturating_mul(4).saturating_add(skip);
                found.add(Kind::Svc, !part.beside, at, part, number, anchors);
            }
        }
    }
}

/// The constant that an instruction of aarch64 puts into register 8 (Arm ARM, C6.2: MOVZ without shift, ORR of nothing).
fn moved_to_8(word: u32) -> Option<u64> {
    match word & 0x7fe0_001f {
        0x5280_0008 => Some((word >> 5 & 0xffff).into()),
        _ => (word & 0x7fff_ffff == 0x2a1f_03e8).then_some(0),
    }
}

#[cfg(test)]
mod tests;
