//! Changes of one field of a finished file, by the table it lies in, to values on which readers disagree.

use arbitrary::Arbitrary;

/// Most edits of a file: with more, the first check refuses it.
const MOST: usize = 4;

/// A change.
#[derive(Arbitrary, Clone, Debug)]
pub enum Edit {
    /// One field.
    Field { place: u8, entry: u8, field: u8, value: Value },
    /// One entry of a table over another.
    Copy { place: u8, from: u8, to: u8 },
    /// Bytes at the end: taken away, or added.
    Length { by: i16 },
}

/// What a field becomes.
#[derive(Arbitrary, Clone, Debug)]
pub enum Value {
    Small(u8),
    /// What it was, and a little more or less.
    Near(i8),
    /// A power of two, and a little more or less.
    Power(u8, i8),
    /// Where another table lies, and a little more or less.
    At(u8, i8),
    /// The size of the file, and a little more or less.
    End(i8),
    Tag(u8),
    Any(u64),
}

/// Tags that loaders and parsers disagree about: those of the gABI below, those of the GNU above.
const TAGS: [u64; 12] = [17, 18, 19, 22, 24, 32, 33, 0x6fff_fefb, 0x6fff_fefc, 0x6fff_fff9, 0x6fff_fffb, 0x7fff_fffd];

/// Offset and width of the fields of an entry.
type Fields = &'static [(usize, usize)];

const HEADER: Fields = &[
    (0, 4),
    (4, 1),
    (5, 1),
    (6, 1),
    (7, 1),
    (8, 1),
    (16, 2),
    (18, 2),
    (20, 4),
    (24, 8),
    (32, 8),
    (40, 8),
    (48, 4),
    (52, 2),
    (54, 2),
    (56, 2),
    (58, 2),
    (60, 2),
    (62, 2),
];
const SEGMENT: Fields = &[(0, 4), (4, 4), (8, 8), (16, 8), (24, 8), (32, 8), (40, 8), (48, 8)];
const SECTION: Fields = &[(0, 4), (4, 4), (8, 8), (16, 8), (24, 8), (32, 8), (40, 4), (44, 4), (48, 8), (56, 8)];
const DYNAMIC: Fields = &[(0, 8), (8, 8)];
const SYMBOL: Fields = &[(0, 4), (4, 1), (5, 1), (6, 2), (8, 8), (16, 8)];
const RELOCATION: Fields = &[(0, 8), (8, 4), (12, 4), (16, 8)];
const LONG: Fields = &[(0, 8)];
const WORD: Fields = &[(0, 4)];
const HALF: Fields = &[(0, 2)];
const BYTE: Fields = &[(0, 1)];

/// A table of a file.
struct Table {
    at: usize,
    entry: usize,
    count: usize,
    fields: Fields,
}

/// Makes the changes, each to the tables of the file as it was.
pub(super) fn apply(bytes: &mut Vec<u8>, edits: &[Edit]) {
    let tables = tables(bytes);
    for edit in edits.iter().take(MOST) {
        match edit {
            Edit::Field { place, entry, field, value } => {
                let Some(table) = tables.get(usize::from(*place) % tables.len().max(1)) else { continue };
                let (offset, width) = table.fields[usize::from(*field) % table.fields.len()];
                let at = table.at + usize::from(*entry) % table.count.max(1) * table.entry + offset;
                let end = bytes.len() as u64;
                let Some(place) = bytes.get_mut(at..at + width) else { continue };
                let mut was = [0; 8];
                was[..width].copy_from_slice(place);
                let value = value.of(u64::from_le_bytes(was), &tables, end);
                place.copy_from_slice(&value.to_le_bytes()[..width]);
            }
            Edit::Copy { place, from, to } => {
                let Some(table) = tables.get(usize::from(*place) % tables.len().max(1)) else { continue };
                let at = |which: u8| table.at + usize::from(which) % table.count.max(1) * table.entry;
                let (from, to) = (at(*from), at(*to));
                if from.max(to) + table.entry <= bytes.len() {
                    bytes.copy_within(from..from + table.entry, to);
                }
            }
            Edit::Length { by } => {
                let length = bytes.len().saturating_add_signed(isize::from(*by));
                bytes.resize(length, 0);
            }
        }
    }
}

impl Value {
    fn of(&self, was: u64, tables: &[Table], end: u64) -> u64 {
        let near = |value: u64, by: i8| value.wrapping_add_signed(by.into());
        match *self {
            Self::Small(value) => value.into(),
            Self::Near(by) => near(was, by),
            Self::Power(bit, by) => near(1 << (bit % 64), by),
            Self::At(which, by) => near(tables[usize::from(which) % tables.len()].at as u64, by),
            Self::End(by) => near(end, by),
            Self::Tag(which) => TAGS[usize::from(which) % TAGS.len()],
            Self::Any(value) => value,
        }
    }
}

/// Finds the tables of a file that has them: the headers, and what the dynamic array names. Nothing of a broken file.
fn tables(bytes: &[u8]) -> Vec<Table> {
    let number = |at: usize, width: usize| {
        let mut word = [0; 8];
        word[..width].copy_from_slice(bytes.get(at..at.checked_add(width)?)?);
        usize::try_from(u64::from_le_bytes(word)).ok()
    };
    let found = || -> Option<Vec<Table>> {
        let (phoff, shoff) = (number(32, 8)?, number(40, 8)?);
        let (segments, sections) = (number(56, 2)?, number(60, 2)?);
        let mut tables = vec![
            Table { at: 0, entry: 64, count: 1, fields: HEADER },
            Table { at: phoff, entry: 56, count: segments, fields: SEGMENT },
        ];
        if sections > 0 {
            tables.push(Table { at: shoff, entry: 64, count: sections, fields: SECTION });
        }
        let header = |index: usize, field: usize| number(phoff + 56 * index + field, if field == 0 { 4 } else { 8 });
        let dynamic = (0..segments).find(|index| header(*index, 0) == Some(2))?;
        let (array, count) = (header(dynamic, 8)?, header(dynamic, 32)? / 16);
        tables.push(Table { at: array, entry: 16, count, fields: DYNAMIC });
        let value = |tag: usize| {
            let at = (0..count).map(|index| array + 16 * index).find(|at| number(*at, 8) == Some(tag))?;
            number(at + 8, 8)
        };
        let offset = |address: usize| {
            (0..segments).filter(|index| header(*index, 0) == Some(1)).find_map(|index| {
                let from = address.checked_sub(header(index, 16)?)?;
                (from < header(index, 32)?).then_some(header(index, 8)? + from)
            })
        };
        let named = [
            (6, None, 24, SYMBOL),
            (5, Some(10), 1, BYTE),
            (7, Some(8), 24, RELOCATION),
            (23, Some(2), 24, RELOCATION),
            (36, Some(35), 8, LONG),
            (25, Some(27), 8, LONG),
            (4, None, 4, WORD),
            (0x6fff_fef5, None, 4, WORD),
            (0x6fff_fff0, None, 2, HALF),
            (0x6fff_fffe, None, 2, HALF),
            (0x6fff_fffc, None, 2, HALF),
        ];
        for (tag, size, entry, fields) in named {
            let Some(at) = value(tag).and_then(offset) else { continue };
            // What has no size of its own: as many entries as a small file has.
            let count = size.and_then(value).map_or(32, |size| size / entry);
            tables.push(Table { at, entry, count, fields });
        }
        Some(tables)
    };
    found().unwrap_or_default()
}
