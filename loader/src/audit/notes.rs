//! Reads the notes that are mapped with a file: the build id, and what the processor is told about its code. Loaders read
//! them too, glibc to decide whether a process may keep its branch protection.

use lazaret_policy::Arch;

use super::bytes::{entry, range, u32_at};
use super::image::{Image, PT_GNU_PROPERTY, PT_NOTE, Segment};

/// `NT_GNU_BUILD_ID` of `elf.h`.
const NT_GNU_BUILD_ID: u32 = 3;
/// `NT_GNU_PROPERTY_TYPE_0`.
const NT_GNU_PROPERTY: u32 = 5;
/// `GNU_PROPERTY_X86_FEATURE_1_AND`: holds for all code of the file.
const X86_FEATURE_1_AND: u32 = 0xc000_0002;
/// `GNU_PROPERTY_X86_ISA_1_NEEDED`.
const X86_ISA_1_NEEDED: u32 = 0xc000_8002;
/// `GNU_PROPERTY_AARCH64_FEATURE_1_AND`.
const AARCH64_FEATURE_1_AND: u32 = 0xc000_0000;

/// The longest build id that is one: linkers write 8 to 32 bytes.
const MAX_BUILD_ID: usize = 64;

/// One note.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Note<'a> {
    /// Who defined the type, with the NUL that ends it.
    pub(super) owner: &'a [u8],
    pub(super) kind: u32,
    pub(super) content: &'a [u8],
}

/// The notes of one segment or section, up to the first that is broken.
pub(super) struct Notes<'a> {
    rest: &'a [u8],
    align: usize,
}

impl<'a> Notes<'a> {
    /// Notes in `bytes`, whose parts are aligned to 8 bytes or, as in most files, to 4.
    pub(super) fn new(bytes: &'a [u8], align: u64) -> Self {
        Self { rest: bytes, align: if align == 8 { 8 } else { 4 } }
    }

    fn of(image: &Image<'a>, segment: &Segment) -> Self {
        Self::new(range(image.bytes, segment.offset, segment.filesz).unwrap_or_default(), segment.align)
    }

    fn read(&self) -> Option<(Note<'a>, usize)> {
        let head = entry::<12>(self.rest, 0)?;
        let (owner, content) = (u32_at::<0, _>(head), u32_at::<4, _>(head));
        let owner_end = usize::try_from(owner).ok()?.checked_add(12)?;
        let content_at = owner_end.checked_next_multiple_of(self.align)?;
        let content_end = content_at.checked_add(usize::try_from(content).ok()?)?;
        let note = Note {
            owner: self.rest.get(12..owner_end)?,
            kind: u32_at::<8, _>(head),
            content: self.rest.get(content_at..content_end)?,
        };
        Some((note, content_end.checked_next_multiple_of(self.align)?))
    }
}

impl<'a> Iterator for Notes<'a> {
    type Item = Note<'a>;

    fn next(&mut self) -> Option<Note<'a>> {
        let read = self.read();
        self.rest = read.and_then(|(_, next)| self.rest.get(next..)).unwrap_or_default();
        read.map(|(note, _)| note)
    }
}

/// What the file says of its own code. The processor is held to it only where loader and kernel turn that on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, schemars::JsonSchema, serde::Serialize)]
pub struct Properties {
    /// x86_64: every indirect branch lands on `endbr64` (IBT).
    pub indirect_branch_tracking: bool,
    /// x86_64: returns agree with a shadow stack (SHSTK).
    pub shadow_stack: bool,
    /// aarch64: every indirect branch lands on `bti`.
    pub branch_target_identification: bool,
    /// aarch64: return addresses are signed (PAC).
    pub pointer_authentication: bool,
    /// x86_64: the lowest level of the processor, 1 to 4 as in `x86-64-v3`; loaders refuse the file on a lower one.
    pub isa_level: Option<u8>,
}

/// The properties of `NT_GNU_PROPERTY_TYPE_0`, out of the segment that loaders take them from.
pub(super) fn properties(image: &Image<'_>, arch: Arch) -> Properties {
    let mut found = Properties::default();
    let segments = || image.of_kind(PT_GNU_PROPERTY).chain(image.of_kind(PT_NOTE));
    let note = segments()
        .flat_map(|segment| Notes::of(image, segment))
        .find(|note| note.owner == b"GNU\0" && note.kind == NT_GNU_PROPERTY);
    let mut rest = note.map(|note| note.content).unwrap_or_default();
    while let Some(head) = entry::<8>(rest, 0) {
        let (kind, size) = (u32_at::<0, _>(head), u32_at::<4, _>(head));
        let bits = entry::<4>(rest, 8).filter(|_| size == 4).map(u32_at::<0, _>);
        match (arch, kind, bits) {
            (Arch::X86_64, X86_FEATURE_1_AND, Some(bits)) => {
                found.indirect_branch_tracking = bits & 1 != 0;
                found.shadow_stack = bits & 2 != 0;
            }
            (Arch::X86_64, X86_ISA_1_NEEDED, Some(bits)) => {
                // One bit for each level, the lowest for the first.
                found.isa_level = (0..4_u8).rev().find(|bit| bits >> bit & 1 == 1).map(|bit| bit.saturating_add(1));
            }
            (Arch::Aarch64, AARCH64_FEATURE_1_AND, Some(bits)) => {
                found.branch_target_identification = bits & 1 != 0;
                found.pointer_authentication = bits & 2 != 0;
            }
            _ => {}
        }
        let next = usize::try_from(size).ok().and_then(|size| size.checked_add(8)?.checked_next_multiple_of(8));
        rest = next.and_then(|next| rest.get(next..)).unwrap_or_default();
    }
    found
}

/// The build id of `NT_GNU_BUILD_ID`.
pub(super) fn build_id<'a>(image: &Image<'a>) -> Option<&'a [u8]> {
    let mut notes = image.of_kind(PT_NOTE).flat_map(|segment| Notes::of(image, segment));
    let id = notes.find(|note| note.owner == b"GNU\0" && note.kind == NT_GNU_BUILD_ID)?;
    Some(id.content).filter(|id| id.len() <= MAX_BUILD_ID)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(owner: &[u8], kind: u32, content: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for word in [owner.len() as u32, content.len() as u32, kind] {
            bytes.extend(word.to_le_bytes());
        }
        for part in [owner, content] {
            bytes.extend(part);
            bytes.resize(bytes.len().next_multiple_of(4), 0);
        }
        bytes
    }

    #[test]
    fn notes_are_read_one_after_the_other_and_end_at_a_broken_one() {
        let mut bytes = note(b"GNU\0", 3, &[1, 2, 3]);
        bytes.extend(note(b"FDO\0", 7, b"{}"));
        let whole = bytes.len();
        bytes.extend(note(b"Go\0\0", 4, &[9; 40]));
        let kinds = |bytes: &[u8]| Notes::new(bytes, 4).map(|note| note.kind).collect::<Vec<_>>();
        assert_eq!(kinds(&bytes), [3, 7, 4]);
        assert_eq!(kinds(&bytes[..whole + 20]), [3, 7]);
        // The padding of the last one may be missing.
        assert_eq!(kinds(&bytes[..whole - 2]), [3, 7]);
        bytes[whole + 4..whole + 8].copy_from_slice(&u32::MAX.to_le_bytes());
        assert_eq!(kinds(&bytes), [3, 7]);
    }

    #[test]
    fn a_note_without_content_does_not_stand_still() {
        assert_eq!(Notes::new(&[0; 1200], 4).count(), 100);
    }
}
