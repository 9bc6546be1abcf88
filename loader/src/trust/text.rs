//! Decides which strings a signed document may contain, and how strings of strangers are shown. A name becomes part of
//! a path, a log line and somebody's decision on a terminal: each kind has a grammar, and what has none may still not
//! contain characters that move the cursor or reorder a line.

use std::fmt;

use lazaret_policy::Digest;
use serde::{Deserialize, Serialize};

/// The longest name of one part: label, publisher, key id.
const MAX_LABEL: usize = 64;
/// How much of a stranger's string a message repeats.
const MAX_SHOWN: usize = 80;

/// A string outside its grammar.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a valid {what}: {rule}")]
pub struct NotAllowed {
    what: &'static str,
    /// Already made safe to show.
    text: String,
    rule: &'static str,
}

impl NotAllowed {
    pub(super) fn new(what: &'static str, text: &str, rule: &'static str) -> Self {
        Self { what, text: shown(text), rule }
    }
}

/// Whether a character has no business in a signed document: it is invisible, moves the cursor, or changes the order in
/// which its neighbours are shown (Unicode TR 36, "Trojan Source").
pub(super) fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// A stranger's string made fit for a terminal: unsafe characters escaped, the rest cut. Applying it twice changes
/// nothing but the cut.
pub(super) fn shown(text: &str) -> String {
    let mut out = shown_whole(text.chars().take(MAX_SHOWN));
    if text.chars().nth(MAX_SHOWN).is_some() {
        out.push('…');
    }
    out
}

/// As [`shown`], uncut: for text whose length is bounded otherwise.
pub(super) fn shown_whole(text: impl Iterator<Item = char>) -> String {
    let mut out = String::new();
    for c in text {
        if is_unsafe(c) { out.extend(c.escape_unicode()) } else { out.push(c) }
    }
    out
}

/// As [`shown`], for bytes that should have been text.
pub(super) fn shown_bytes(bytes: &[u8]) -> String {
    // Cut before decoding: the bytes may be as long as the file.
    let head = bytes.get(..MAX_SHOWN.saturating_mul(4)).unwrap_or(bytes);
    shown(&String::from_utf8_lossy(head))
}

pub(super) fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    // `ring` returns 32 bytes for SHA-256; zipping says so without a way to panic.
    out.iter_mut().zip(ring::digest::digest(&ring::digest::SHA256, bytes).as_ref()).for_each(|(to, from)| *to = *from);
    out
}

/// A string type that exists only inside its grammar.
macro_rules! grammar {
    ($(#[$doc:meta])* $name:ident, $what:literal, $rule:literal, $holds:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String")]
        pub struct $name(String);

        impl $name {
            /// The string.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = NotAllowed;

            fn try_from(text: String) -> Result<Self, NotAllowed> {
                let holds: fn(&str) -> bool = $holds;
                if holds(&text) { Ok(Self(text)) } else { Err(NotAllowed::new($what, &text, $rule)) }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

grammar!(
    /// A name of one part: a publisher, a key id, a root id, a processor level.
    Label,
    "name",
    "1 to 64 of `a-z`, `0-9`, `.`, `_`, `-`, the first a letter or digit",
    is_label
);
grammar!(
    /// The name of a plugin, `publisher/name`.
    PluginName,
    "plugin name",
    "`publisher/name`, each part 1 to 64 of `a-z`, `0-9`, `.`, `_`, `-`, the first a letter or digit",
    |text| text.split_once('/').is_some_and(|(publisher, name)| is_label(publisher) && is_label(name))
);
grammar!(
    /// A plain file name: no directory, not hidden, nothing a shell or an option parser would take for more.
    FileName,
    "file name",
    "1 to 255 of `A-Z`, `a-z`, `0-9`, `.`, `_`, `+`, `@`, `~`, `-`, the first not `.`, `-`, `~`",
    |text| {
        (1..=255).contains(&text.len())
            && !text.starts_with(['.', '-', '~'])
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._+@~-".contains(&byte))
    }
);
grammar!(
    /// A version for people, such as `1.2.3-rc.1`. Never used to order releases: `epoch` and `serial` do that.
    Version,
    "version",
    "1 to 64 of `A-Z`, `a-z`, `0-9`, `.`, `+`, `-`, the first a letter or digit",
    |text| {
        (1..=64).contains(&text.len())
            && text.starts_with(|c: char| c.is_ascii_alphanumeric())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".+-".contains(&byte))
    }
);
grammar!(
    /// A moment in UTC, `2026-11-22T00:00:00Z`, the one form of RFC 3339 that sorts as text.
    Timestamp,
    "time",
    "`YYYY-MM-DDTHH:MM:SSZ` in UTC",
    is_timestamp
);
grammar!(
    /// Whole bytes in lower-case hexadecimal, at most 64 of them: a build id.
    HexText,
    "hexadecimal string",
    "2 to 128 of `0-9`, `a-f`, an even number",
    |text| {
        (2..=128).contains(&text.len())
            && text.len().is_multiple_of(2)
            && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    }
);

/// Text for people or symbol tables, at most `MAX` bytes, not empty, without characters that are unsafe to show.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct Text<const MAX: usize>(String);

impl<const MAX: usize> Text<MAX> {
    /// The string.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<const MAX: usize> TryFrom<String> for Text<MAX> {
    type Error = NotAllowed;

    fn try_from(text: String) -> Result<Self, NotAllowed> {
        let allowed = (1..=MAX).contains(&text.len()) && !text.contains(is_unsafe);
        let rule = "it is empty, too long, or contains control or direction characters";
        if allowed { Ok(Self(text)) } else { Err(NotAllowed::new("text", &text, rule)) }
    }
}

impl<const MAX: usize> fmt::Display for Text<MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A release of a libc or kernel, such as `2.36`; ordered by its numbers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Release(Vec<u32>);

impl TryFrom<String> for Release {
    type Error = NotAllowed;

    fn try_from(text: String) -> Result<Self, NotAllowed> {
        let number = |digits: &str| {
            let plain = digits.bytes().all(|byte| byte.is_ascii_digit()) && (digits == "0" || !digits.starts_with('0'));
            if plain { digits.parse().ok() } else { None }
        };
        // Five parts at most are looked at, so that a long string costs nothing.
        let numbers: Option<Vec<u32>> = text.split('.').take(5).map(number).collect();
        match numbers {
            Some(numbers) if numbers.len() <= 4 => Ok(Self(numbers)),
            _ => Err(NotAllowed::new("release", &text, "1 to 4 numbers separated by `.`")),
        }
    }
}

impl From<Release> for String {
    fn from(release: Release) -> Self {
        release.to_string()
    }
}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, number) in self.0.iter().enumerate() {
            write!(f, "{}{number}", if position == 0 { "" } else { "." })?;
        }
        Ok(())
    }
}

/// A SHA-256 as signed documents write it: 64 hexadecimal digits, no prefix.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Hex(pub(super) Digest);

impl TryFrom<String> for Hex {
    type Error = NotAllowed;

    fn try_from(text: String) -> Result<Self, NotAllowed> {
        let refused = || NotAllowed::new("sha-256", &text, "64 lower-case hexadecimal digits");
        if text.len() == 64 {
            format!("sha256:{text}").parse().map(Self).map_err(|_| refused())
        } else {
            Err(refused())
        }
    }
}

pub(super) fn is_label(text: &str) -> bool {
    (1..=MAX_LABEL).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
        && text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-'))
}

fn is_timestamp(text: &str) -> bool {
    let shape = b"0000-00-00T00:00:00Z";
    let formed = text.len() == shape.len()
        && text.bytes().zip(shape).all(|(byte, &form)| if form == b'0' { byte.is_ascii_digit() } else { byte == form });
    let field = |from: usize, to: usize| text.get(from..to).and_then(|digits| digits.parse::<u32>().ok());
    let (Some(year), Some(month), Some(day)) = (field(0, 4), field(5, 7), field(8, 10)) else { return false };
    let days = match month {
        4 | 6 | 9 | 11 => 30,
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => 29,
        2 => 28,
        _ => 31,
    };
    let below = |from, to, limit| field(from, to).is_some_and(|value| value < limit);
    // No leap second: no two clocks agree on it, and `created` orders nothing.
    formed
        && (1..=12).contains(&month)
        && (1..=days).contains(&day)
        && below(11, 13, 24)
        && below(14, 16, 60)
        && below(17, 19, 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepts<T: TryFrom<String>>(text: &str) -> bool {
        T::try_from(text.to_owned()).is_ok()
    }

    #[test]
    fn names_outside_their_grammar_do_not_exist() {
        assert!(accepts::<PluginName>("acme/demo"));
        for text in
            ["acme", "acme/", "/demo", "acme/demo/x", "Acme/demo", "acme/..", "acme/de\u{202e}mo", "acme/d m", ""]
        {
            assert!(!accepts::<PluginName>(text), "{text}");
        }
        assert!(accepts::<Label>(&"a".repeat(64)));
        assert!(!accepts::<Label>(&"a".repeat(65)));
    }

    #[test]
    fn a_file_name_cannot_leave_its_directory_or_become_an_option() {
        for text in ["demo.so", "libx.so.1", "a..b", "a+b@c~d"] {
            assert!(accepts::<FileName>(text), "{text}");
        }
        for text in ["", ".", "..", "a/b", "/a", "..\\a", "-rf", "~", ".hidden", "a\0b", "a b", "a\nb", "é"] {
            assert!(!accepts::<FileName>(text), "{text}");
        }
    }

    #[test]
    fn times_that_do_not_exist_are_refused() {
        for text in ["2026-11-22T00:00:00Z", "2024-02-29T23:59:59Z", "2000-02-29T00:00:00Z"] {
            assert!(accepts::<Timestamp>(text), "{text}");
        }
        for text in [
            "2026-02-29T00:00:00Z",
            "1900-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-00-01T00:00:00Z",
            "2026-01-00T00:00:00Z",
            "2026-04-31T00:00:00Z",
            "2026-01-01T24:00:00Z",
            "2026-01-01T00:60:00Z",
            "2026-01-01T00:00:60Z",
            "2026-01-01 00:00:00Z",
            "2026-01-01T00:00:00",
            "+026-01-01T00:00:00Z",
            "",
        ] {
            assert!(!accepts::<Timestamp>(text), "{text}");
        }
    }

    #[test]
    fn releases_are_ordered_by_number_and_written_one_way() {
        let release = |text: &str| Release::try_from(text.to_owned()).expect(text);
        assert!(release("2.9") < release("2.36"));
        assert_eq!(release("5.13").to_string(), "5.13");
        for text in ["", ".", "2.", "2.036", "+2", "2.36.0.0.1", "4294967296", "2.x"] {
            assert!(!accepts::<Release>(text), "{text}");
        }
    }

    #[test]
    fn what_a_stranger_wrote_cannot_drive_a_terminal() {
        let shown = shown("a\u{1b}[2J\u{202e}b\0");
        assert_eq!(shown, "a\\u{1b}[2J\\u{202e}b\\u{0}");
        assert_eq!(super::shown(&shown), shown);
        assert_eq!(super::shown(&"x".repeat(1000)).chars().count(), MAX_SHOWN + 1);
    }
}
