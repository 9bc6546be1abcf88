//! Reads little-endian numbers out of entries whose size the type states: a field outside its entry does not compile.

/// The `u16` at byte `AT` of an entry.
pub(super) fn u16_at<const AT: usize, const SIZE: usize>(entry: &[u8; SIZE]) -> u16 {
    u16::from_le_bytes(part::<AT, 2, SIZE>(entry))
}

/// The `u32` at byte `AT` of an entry.
pub(super) fn u32_at<const AT: usize, const SIZE: usize>(entry: &[u8; SIZE]) -> u32 {
    u32::from_le_bytes(part::<AT, 4, SIZE>(entry))
}

/// The `u64` at byte `AT` of an entry.
pub(super) fn u64_at<const AT: usize, const SIZE: usize>(entry: &[u8; SIZE]) -> u64 {
    u64::from_le_bytes(part::<AT, 8, SIZE>(entry))
}

fn part<const AT: usize, const LEN: usize, const SIZE: usize>(entry: &[u8; SIZE]) -> [u8; LEN] {
    const { assert!(AT + LEN <= SIZE, "a field lies inside its entry") };
    std::array::from_fn(|at| entry[AT + at])
}

/// The entry of `SIZE` bytes at byte `at`, if it is there.
pub(super) fn entry<const SIZE: usize>(bytes: &[u8], at: usize) -> Option<&[u8; SIZE]> {
    bytes.get(at..)?.first_chunk()
}

/// The bytes `offset..offset + len` of a file, if all of them are there.
pub(super) fn range(bytes: &[u8], offset: u64, len: u64) -> Option<&[u8]> {
    let start = usize::try_from(offset).ok()?;
    let end = usize::try_from(offset.checked_add(len)?).ok()?;
    bytes.get(start..end)
}

/// A length as the `u64` that file formats count in: no machine of ours has longer ones.
pub(super) fn len(of: usize) -> u64 {
    u64::try_from(of).unwrap_or(u64::MAX)
}
