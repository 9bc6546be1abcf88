//! Decides which bytes are strings (rules Y3 and Y9): loaders ignore `DT_STRSZ`, parsers drop what lies behind it
//! without a word, so every reference must begin and end inside.

use super::bytes::len;
use super::dynamic::{DT_RPATH, DT_SONAME, DT_STRSZ, DT_STRTAB, Dynamic};
use super::finding::{Code, Findings, Stop};
use super::image::Image;
use super::steps;
use super::text::{hex, shown};

/// How many times its own size the references into a string table may add up to. Linkers share endings, repeat a name
/// per version and a version per symbol; without a limit every symbol of a small file could have a name of a megabyte.
const MAX_SHARING: u64 = 8;
/// What references may add up to beyond that: a handful of short names may share one long version.
const SHARING_SLACK: u64 = 0x4000;

/// A string of the table: its place, which is in bounds and on character boundaries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) start: u32,
    pub(super) len: u32,
}

impl Span {
    /// The string, out of the table that made the span.
    pub(super) fn of(self, table: &str) -> &str {
        let start = usize::try_from(self.start).unwrap_or(usize::MAX);
        let len = usize::try_from(self.len).unwrap_or(usize::MAX);
        table.get(start..start.saturating_add(len)).unwrap_or_default()
    }
}

/// Why a reference is not a string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotAString {
    Outside,
    InsideCharacter,
    SharedTooOften,
}

impl std::fmt::Display for NotAString {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Outside => "lies outside the string table",
            Self::InsideCharacter => "begins inside a character",
            Self::SharedTooOften => "is one too many: names add up to many times the string table",
        })
    }
}

/// The dynamic string table.
pub(super) struct Strings<'a> {
    pub(super) table: &'a str,
    /// Bytes that references may still cover.
    budget: u64,
}

impl Strings<'_> {
    /// The string at a byte of the table.
    pub(super) fn at(&mut self, offset: u64) -> Result<Span, NotAString> {
        let from = usize::try_from(offset).map_err(|_| NotAString::Outside)?;
        if from >= self.table.len() {
            return Err(NotAString::Outside);
        }
        let rest = self.table.get(from..).ok_or(NotAString::InsideCharacter)?;
        // Not before the budget is known to cover it: a scan is paid for as well.
        let room = usize::try_from(self.budget).unwrap_or(usize::MAX);
        steps::take(1);
        let head = rest.as_bytes().get(..room.min(rest.len())).unwrap_or_default();
        let Ok(string) = std::ffi::CStr::from_bytes_until_nul(head) else {
            // The scan is paid for with all that is left, so that a million like it cost nothing.
            self.budget = 0;
            steps::take(head.len());
            return Err(NotAString::SharedTooOften);
        };
        steps::take(string.count_bytes());
        let (start, len) = (u32::try_from(from), u32::try_from(string.count_bytes()));
        let (Ok(start), Ok(len)) = (start, len) else { return Err(NotAString::Outside) };
        let span = Span { start, len };
        self.charge(span).map(|()| span)
    }

    /// Pays for one more use of a string: reports show a version and its library with every symbol.
    pub(super) fn charge(&mut self, span: Span) -> Result<(), NotAString> {
        let left = self.budget.checked_sub(span.len.into());
        self.budget = left.unwrap_or(0);
        left.map(|_| ()).ok_or(NotAString::SharedTooOften)
    }

    /// The string of a tag, if the tag stands.
    pub(super) fn of_tag(&mut self, dynamic: &Dynamic, tag: u64, findings: &mut Findings) -> Option<Span> {
        let offset = dynamic.value(tag)?;
        let (code, name) = match tag {
            DT_SONAME => (Code::SonameString, "DT_SONAME"),
            DT_RPATH => (Code::SearchPathString, "DT_RPATH"),
            _ => (Code::SearchPathString, "DT_RUNPATH"),
        };
        let span = self.at(offset);
        span.map_err(|why| {
            findings.refuse(code, || format!("the string of `{name}` {why}")).with("offset", || hex(offset));
        })
        .ok()
    }

    /// The dependencies, in order.
    pub(super) fn needed(&mut self, dynamic: &Dynamic, findings: &mut Findings) -> Vec<Span> {
        let mut spans = Vec::new();
        for &offset in &dynamic.needed {
            let span = match self.at(offset) {
                Ok(span) => span,
                Err(why) => {
                    let refused = findings.refuse(Code::NeededString, || format!("the name of a dependency {why}"));
                    refused.with("offset", || hex(offset));
                    continue;
                }
            };
            let name = span.of(self.table);
            // A path or a `$ORIGIN` in it would be followed; an unprintable name is one that reports show wrongly.
            if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'/' | b'$')) {
                let what = || format!("the dependency `{}` is not a plain file name", shown(name));
                findings.refuse(Code::NeededName, what).with("offset", || hex(offset));
            }
            spans.push(span);
        }
        spans
    }
}

/// Reads the string table.
pub(super) fn read<'a>(image: &Image<'a>, dynamic: &Dynamic, findings: &mut Findings) -> Result<Strings<'a>, Stop> {
    let (Some(address), Some(size)) = (dynamic.value(DT_STRTAB), dynamic.value(DT_STRSZ)) else {
        return Err(findings.stop(Code::NotDynamic, || "the dynamic array names no string table".to_owned()));
    };
    let bytes = image.table("the string table", address, size, findings)?;
    if u32::try_from(size).is_err() || bytes.first() != Some(&0) || bytes.last() != Some(&0) {
        let what = || "the string table does not begin and end with an empty string".to_owned();
        return Err(findings.refuse(Code::StringTable, what).with("size", || hex(size)).halt());
    }
    match std::str::from_utf8(bytes) {
        Ok(table) => {
            Ok(Strings { table, budget: MAX_SHARING.saturating_mul(len(table.len())).saturating_add(SHARING_SLACK) })
        }
        Err(error) => {
            let what = || "the string table contains bytes that are not text".to_owned();
            let refused = findings.refuse(Code::StringEncoding, what);
            Err(refused.with("offset", || hex(len(error.valid_up_to()))).halt())
        }
    }
}
