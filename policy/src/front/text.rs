//! A policy's text and the places in it: where a line begins, what stands there, and what a diagnostic or an origin
//! has to remember so that it needs the text no longer.

use std::ops::Range;
use std::sync::Arc;

use serde::Serialize;

use crate::front::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::front::rules::Origin;

/// The largest text that is parsed. A policy is read by people; more than this is an attack or a mistake.
pub const MAX_TEXT: usize = 256 * 1024;

/// The longest part of a line that an excerpt keeps, so that diagnostics stay a small multiple of their input.
const MAX_EXCERPT: usize = 240;

/// A policy text and the name people know it by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Source {
    /// A path as the reader of a report would write it, `builtin:NAME`, or `plugin.json`.
    pub name: String,
    /// The whole text.
    pub text: String,
}

impl Source {
    /// Takes bytes that came from a file or a peer.
    ///
    /// # Errors
    /// `P-NOT-UTF8` and `P-TOO-LARGE`.
    pub fn from_bytes(name: impl Into<String>, bytes: &[u8]) -> Result<Self, Diagnostics> {
        let name = name.into();
        if bytes.len() > MAX_TEXT {
            return Err(too_large(&name).into());
        }
        match std::str::from_utf8(bytes) {
            Ok(text) => Ok(Self { name, text: text.to_owned() }),
            Err(error) => {
                let line = 1 + bytes[..error.valid_up_to()].iter().filter(|byte| **byte == b'\n').count();
                let message = format!("the text is not UTF-8 at byte {}", error.valid_up_to());
                let place = Place { line: narrow(line), ..Place::whole(&name) };
                Err(Diagnostic::error(Code::NotUtf8, message, &place).into())
            }
        }
    }
}

/// The diagnostic for a text above [`MAX_TEXT`].
pub(crate) fn too_large(name: &str) -> Diagnostic {
    let message = format!("the text is larger than {} KiB", MAX_TEXT / 1024);
    Diagnostic::error(Code::TooLarge, message, &Place::whole(name))
}

fn narrow(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

/// Where something was written: enough to print it and to point at it without the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) source: Arc<str>,
    pub(crate) key: String,
    /// From 1; 0 where there is no line.
    pub(crate) line: u32,
    /// In characters, from 1; 0 where there is no line.
    pub(crate) column: u32,
    /// The line, or its first part.
    pub(crate) excerpt: Arc<str>,
    /// The offending bytes of `excerpt`.
    pub(crate) mark: Range<usize>,
}

impl Place {
    /// A text as a whole.
    pub(crate) fn whole(source: &str) -> Self {
        Self { source: source.into(), key: String::new(), line: 0, column: 0, excerpt: "".into(), mark: 0..0 }
    }

    /// The same text, at a key that has no line of its own.
    pub(crate) fn unlined(source: &str, key: &str) -> Self {
        Self { key: key.to_owned(), ..Self::whole(source) }
    }

    pub(crate) fn origin(&self) -> Origin {
        Origin { source: self.source.to_string(), line: self.line, key: self.key.clone() }
    }
}

/// Finds lines by byte offset.
pub(crate) struct Lines<'a> {
    source: Arc<str>,
    text: &'a str,
    starts: Vec<usize>,
}

impl<'a> Lines<'a> {
    pub(crate) fn new(source: &'a Source) -> Self {
        let newlines = source.text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
        Self {
            source: source.name.as_str().into(),
            text: &source.text,
            starts: std::iter::once(0).chain(newlines).collect(),
        }
    }

    pub(crate) fn source(&self) -> &str {
        &self.source
    }

    /// The place of a byte range; a range over several lines is marked on its first line only.
    pub(crate) fn place(&self, span: &Range<usize>, key: &str) -> Place {
        let start = floor(self.text, span.start);
        let end = floor(self.text, span.end.max(start));
        let index = self.starts.partition_point(|line| *line <= start).saturating_sub(1);
        let line_start = self.starts.get(index).copied().unwrap_or(0);
        let rest = self.text.get(line_start..).unwrap_or("");
        let line = rest.lines().next().unwrap_or("");
        let line = line.get(..floor(line, MAX_EXCERPT)).unwrap_or(line);
        let from = floor(line, start - line_start);
        let to = floor(line, (end - line_start).max(from));
        let column = self.text.get(line_start..start).map_or(0, |before| before.chars().count()) + 1;
        Place {
            source: Arc::clone(&self.source),
            key: key.to_owned(),
            line: narrow(index + 1),
            column: narrow(column),
            excerpt: line.into(),
            mark: from..to,
        }
    }
}

/// The nearest character boundary at or before `at`.
fn floor(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_count_characters_from_one() {
        let source = Source { name: "p.toml".into(), text: "a = 1\né = \"ü\" # x\n".into() };
        let lines = Lines::new(&source);
        let at = source.text.find("\"ü\"").expect("present");
        let place = lines.place(&(at..at + 4), "é");
        assert_eq!((place.line, place.column, &place.excerpt[place.mark.clone()]), (2, 5, "\"ü\""));
    }

    #[test]
    fn a_range_outside_the_text_or_inside_a_character_is_clamped() {
        let source = Source { name: "p".into(), text: "ü".into() };
        let lines = Lines::new(&source);
        for span in [1..1, 1..9, 7..9, 0..1] {
            let place = lines.place(&span, "");
            assert_eq!(place.line, 1);
            assert!(place.excerpt.get(place.mark.clone()).is_some());
        }
    }

    #[test]
    fn bytes_that_are_not_text_are_refused_with_their_line() {
        let refused = Source::from_bytes("p", b"a = 1\n\xff").expect_err("not UTF-8");
        assert_eq!((refused.as_slice()[0].code, refused.as_slice()[0].line), (Code::NotUtf8, 2));
        let refused = Source::from_bytes("p", &vec![b' '; MAX_TEXT + 1]).expect_err("large");
        assert_eq!(refused.as_slice()[0].code, Code::TooLarge);
    }
}
