//! The small language in which a C function is described: `crc32(crc: u64, buf: in [u8; len], len: u32) -> u64`.
//!
//! ```text
//! function   = name "(" [ parameter { "," parameter } ] ")" [ "->" ( scalar | "cstr" ) ]
//! parameter  = name ":" ( scalar | "cstr" | direction "[" scalar ";" length "]" | ( "out" | "inout" ) scalar )
//! direction  = "in" | "out" | "inout"
//! length     = number of elements | name of an integer parameter
//! scalar     = u8 i8 u16 i16 u32 i32 u64 i64 usize isize f32 f64
//! ```

use std::fmt;

use lazaret_cell::wire::{Prototype, Type};
use serde::Serialize;

/// Longest text of a signature, in bytes.
const TEXT_LIMIT: usize = 4096;

/// A C function's name, parameters and result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    pub(crate) name: String,
    pub(crate) parameters: Vec<Parameter>,
    pub(crate) result: Returns,
}

/// What a function returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Returns {
    Nothing,
    Scalar(Scalar),
    Cstr,
}

/// One parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Parameter {
    pub(crate) name: String,
    pub(crate) kind: Kind,
}

/// How a parameter is passed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Scalar(Scalar),
    Cstr,
    Buffer { direction: Direction, element: Scalar, length: Length },
}

/// Who fills a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    In,
    Out,
    InOut,
}

/// How many elements a buffer has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Length {
    Fixed(u32),
    /// The parameter with this index says.
    Parameter(usize),
}

impl Length {
    /// Whether the buffer is a single number behind a pointer.
    pub(crate) const fn is_one(self) -> bool {
        matches!(self, Self::Fixed(1))
    }
}

/// A number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scalar {
    Unsigned(u8),
    Signed(u8),
    Float(u8),
}

impl Scalar {
    const NAMES: [(&'static str, Self); 12] = [
        ("u8", Self::Unsigned(1)),
        ("i8", Self::Signed(1)),
        ("u16", Self::Unsigned(2)),
        ("i16", Self::Signed(2)),
        ("u32", Self::Unsigned(4)),
        ("i32", Self::Signed(4)),
        ("u64", Self::Unsigned(8)),
        ("i64", Self::Signed(8)),
        ("usize", Self::Unsigned(8)),
        ("isize", Self::Signed(8)),
        ("f32", Self::Float(4)),
        ("f64", Self::Float(8)),
    ];

    fn named(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(known, _)| *known == name).map(|(_, scalar)| *scalar)
    }

    pub(crate) fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(_, scalar)| *scalar == self).map_or("?", |(name, _)| name)
    }

    /// Bytes of one value.
    pub(crate) fn size(self) -> usize {
        match self {
            Self::Unsigned(size) | Self::Signed(size) | Self::Float(size) => size.into(),
        }
    }

    pub(crate) fn is_integer(self) -> bool {
        !matches!(self, Self::Float(_))
    }

    fn wire(self) -> Type {
        match self {
            Self::Unsigned(1) => Type::U8,
            Self::Signed(1) => Type::I8,
            Self::Unsigned(2) => Type::U16,
            Self::Signed(2) => Type::I16,
            Self::Unsigned(4) => Type::U32,
            Self::Signed(4) => Type::I32,
            Self::Unsigned(_) => Type::U64,
            Self::Signed(_) => Type::I64,
            Self::Float(4) => Type::F32,
            Self::Float(_) => Type::F64,
        }
    }
}

impl Signature {
    /// Reads a signature.
    ///
    /// # Errors
    /// [`SignatureError`] names the place in the text and, where there is one, the nearest thing that would be right.
    pub fn parse(text: &str) -> Result<Self, SignatureError> {
        if text.len() > TEXT_LIMIT {
            let what = format!("a signature has at most {TEXT_LIMIT} bytes");
            return Err(SignatureError { text: String::new(), at: 0, what, hint: None });
        }
        Parser { text, at: 0 }.function().map_err(|Wrong { at, what, hint }| SignatureError {
            text: text.to_owned(),
            at,
            what,
            hint,
        })
    }

    /// The function's symbol.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn prototype(&self) -> Prototype {
        let parameter = |parameter: &Parameter| match parameter.kind {
            Kind::Scalar(scalar) => scalar.wire(),
            Kind::Cstr => Type::Cstr,
            Kind::Buffer { direction: Direction::In, .. } => Type::In,
            Kind::Buffer { direction: Direction::Out, .. } => Type::Out,
            Kind::Buffer { direction: Direction::InOut, .. } => Type::InOut,
        };
        Prototype {
            result: match self.result {
                Returns::Nothing => Type::Void,
                Returns::Scalar(scalar) => scalar.wire(),
                Returns::Cstr => Type::Cstr,
            },
            parameters: self.parameters.iter().map(parameter).collect(),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scalar(scalar) => f.write_str(scalar.name()),
            Self::Cstr => f.write_str("cstr"),
            Self::Buffer { direction, element, .. } => {
                let direction = match direction {
                    Direction::In => "in",
                    Direction::Out => "out",
                    Direction::InOut => "inout",
                };
                write!(f, "{direction} [{}]", element.name())
            }
        }
    }
}

/// A signature that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SignatureError {
    text: String,
    /// Byte offset of the offending place.
    at: usize,
    what: String,
    hint: Option<String>,
}

impl SignatureError {
    /// What to write instead.
    #[must_use]
    pub fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// Column of the offending place, counted from 1.
    #[must_use]
    pub fn column(&self) -> usize {
        self.text.get(..self.at).map_or(1, |before| before.chars().count() + 1)
    }

    /// The text with a mark under the offending place.
    #[must_use]
    pub fn excerpt(&self) -> String {
        let printable: String = self.text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
        format!("{printable}\n{:>1$}", '^', self.column())
    }
}

impl fmt::Display for SignatureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for SignatureError {}

struct Wrong {
    at: usize,
    what: String,
    hint: Option<String>,
}

fn wrong(at: usize, what: impl Into<String>) -> Wrong {
    Wrong { at, what: what.into(), hint: None }
}

/// A word and where it stands.
type Word<'a> = (usize, &'a str);

struct Parser<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Parser<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or("")
    }

    fn space(&mut self) {
        self.at = self.text.len() - self.rest().trim_start().len();
    }

    fn take(&mut self, token: &str) -> bool {
        self.space();
        let found = self.rest().starts_with(token);
        if found {
            self.at += token.len();
        }
        found
    }

    fn expect(&mut self, token: &str, after: &str) -> Result<(), Wrong> {
        if self.take(token) { Ok(()) } else { Err(wrong(self.at, format!("expected `{token}` {after}"))) }
    }

    /// A word of letters, digits and `_`; empty where there is none.
    fn word(&mut self) -> Word<'a> {
        self.space();
        let start = self.at;
        let rest = self.rest();
        let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(rest.len());
        self.at += end;
        (start, rest.get(..end).unwrap_or(""))
    }

    fn name(&mut self, of: &str) -> Result<&'a str, Wrong> {
        match self.word() {
            (at, "") => Err(wrong(at, format!("expected the name of {of}"))),
            (at, word) if word.starts_with(|c: char| c.is_ascii_digit()) => {
                Err(wrong(at, format!("`{word}` is a number, not the name of {of}")))
            }
            (_, word) => Ok(word),
        }
    }

    fn function(mut self) -> Result<Signature, Wrong> {
        let name = self.name("a function")?.to_owned();
        self.expect("(", "after the function's name")?;
        let mut parameters: Vec<Parameter> = Vec::new();
        // Lengths name parameters that may come later, so they are resolved at the end.
        let mut lengths: Vec<(usize, usize, &str)> = Vec::new();
        if !self.take(")") {
            loop {
                self.space();
                let at = self.at;
                if parameters.len() == Prototype::PARAMETERS {
                    return Err(wrong(at, format!("a function has at most {} parameters", Prototype::PARAMETERS)));
                }
                let name = self.name("a parameter")?;
                if parameters.iter().any(|parameter| parameter.name == name) {
                    return Err(wrong(at, format!("there are two parameters `{name}`")));
                }
                self.expect(":", "and a type after the parameter's name")?;
                let (kind, length) = self.kind()?;
                if let Some((at, word)) = length {
                    lengths.push((parameters.len(), at, word));
                }
                parameters.push(Parameter { name: name.to_owned(), kind });
                if self.take(")") {
                    break;
                }
                self.expect(",", "or `)` after a parameter")?;
            }
        }
        for (index, at, word) in lengths {
            let length = resolve(&parameters, at, word)?;
            if let Some(Parameter { kind: Kind::Buffer { length: place, .. }, .. }) = parameters.get_mut(index) {
                *place = length;
            }
        }
        let result = if self.take("->") { self.result()? } else { Returns::Nothing };
        self.space();
        if self.at != self.text.len() {
            return Err(wrong(self.at, "expected nothing after the signature"));
        }
        Ok(Signature { name, parameters, result })
    }

    /// A type, and for a buffer the place and word of its length, which is put right once all parameters are known.
    fn kind(&mut self) -> Result<(Kind, Option<Word<'a>>), Wrong> {
        let (at, word) = self.word();
        let direction = match word {
            "in" => Direction::In,
            "out" => Direction::Out,
            "inout" => Direction::InOut,
            "cstr" => return Ok((Kind::Cstr, None)),
            _ => return Ok((Kind::Scalar(scalar(at, word)?), None)),
        };
        if self.take("[") {
            let (at, word) = self.word();
            let element = scalar(at, word)?;
            self.expect(";", "and a length after the element type")?;
            let (at, word) = self.word();
            if word.is_empty() {
                return Err(wrong(at, "expected a length: a number, or the name of a parameter"));
            }
            self.expect("]", "after the length")?;
            return Ok((Kind::Buffer { direction, element, length: Length::Fixed(0) }, Some((at, word))));
        }
        if direction == Direction::In {
            return Err(Wrong {
                at: self.at,
                what: "`in` goes with a buffer".into(),
                hint: Some("write `in [u8; LENGTH]`, or leave `in` out for a number".into()),
            });
        }
        let (at, word) = self.word();
        Ok((Kind::Buffer { direction, element: scalar(at, word)?, length: Length::Fixed(1) }, None))
    }

    fn result(&mut self) -> Result<Returns, Wrong> {
        let (at, word) = self.word();
        match word {
            "cstr" => Ok(Returns::Cstr),
            "void" => Ok(Returns::Nothing),
            "in" | "out" | "inout" => Err(wrong(at, "a function returns a number or a `cstr`, not a buffer")),
            _ => Ok(Returns::Scalar(scalar(at, word)?)),
        }
    }
}

fn resolve(parameters: &[Parameter], at: usize, word: &str) -> Result<Length, Wrong> {
    if let Ok(count) = word.parse::<u32>() {
        return if count == 0 { Err(wrong(at, "a buffer has at least one element")) } else { Ok(Length::Fixed(count)) };
    }
    let Some(index) = parameters.iter().position(|parameter| parameter.name == word) else {
        let near = nearest(word, parameters.iter().map(|parameter| parameter.name.as_str()));
        return Err(Wrong {
            at,
            what: format!("there is no parameter `{word}`"),
            hint: near.map(|near| format!("did you mean `{near}`?")),
        });
    };
    let counts = match parameters.get(index).map(|parameter| &parameter.kind) {
        Some(Kind::Scalar(scalar)) => scalar.is_integer(),
        Some(Kind::Buffer { direction: Direction::InOut, element, length: Length::Fixed(1) }) => element.is_integer(),
        _ => false,
    };
    if counts {
        Ok(Length::Parameter(index))
    } else {
        Err(wrong(at, format!("`{word}` is not an integer, so it cannot be a length")))
    }
}

fn scalar(at: usize, word: &str) -> Result<Scalar, Wrong> {
    if let Some(scalar) = Scalar::named(word) {
        return Ok(scalar);
    }
    if word.is_empty() {
        return Err(wrong(at, "expected a type"));
    }
    let c_name = match word {
        "int" => Some("i32"),
        "unsigned" | "uint" => Some("u32"),
        "long" | "ssize_t" | "off_t" => Some("i64"),
        "size_t" | "uintptr_t" => Some("usize"),
        "short" => Some("i16"),
        "char" => Some("i8"),
        "float" => Some("f32"),
        "double" => Some("f64"),
        "str" | "string" => Some("cstr"),
        "bool" => Some("u8"),
        _ => None,
    };
    let near = c_name.or_else(|| nearest(word, Scalar::NAMES.iter().map(|(name, _)| *name).chain(["cstr"])));
    Err(Wrong {
        at,
        what: format!("there is no type `{word}`"),
        hint: near.map(|near| format!("did you mean `{near}`?")),
    })
}

fn letters(word: &str) -> Vec<char> {
    let mut letters: Vec<char> = word.chars().collect();
    letters.sort_unstable();
    letters
}

/// The candidate that is a small slip away from `word`.
pub(crate) fn nearest<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .map(|candidate| (strsim::damerau_levenshtein(word, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= 1 + candidate.len() / 4)
        // At the same distance letters in another order are the likelier slip.
        .min_by_key(|(distance, candidate)| (*distance, letters(candidate) != letters(word)))
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> (usize, String, Option<String>) {
        let error = Signature::parse(text).expect_err(text);
        (error.column(), error.to_string(), error.hint().map(str::to_owned))
    }

    #[test]
    fn the_length_may_come_after_its_buffer() {
        let signature = Signature::parse("crc32(crc: u64, buf: in [u8; len], len: u32) -> u64").expect("valid");
        assert_eq!(signature.name, "crc32");
        let kind = &signature.parameters[1].kind;
        assert_eq!(
            *kind,
            Kind::Buffer { direction: Direction::In, element: Scalar::Unsigned(1), length: Length::Parameter(2) }
        );
        assert_eq!(signature.prototype().parameters, [Type::U64, Type::In, Type::U32]);
    }

    #[test]
    fn no_parameters_and_no_result_are_fine() {
        let signature = Signature::parse(" tick ( ) ").expect("valid");
        assert_eq!((signature.parameters.len(), signature.result), (0, Returns::Nothing));
        assert_eq!(Signature::parse("v() -> cstr").expect("valid").result, Returns::Cstr);
    }

    #[test]
    fn a_typo_is_pointed_at_and_answered() {
        assert_eq!(error("f(a: u46)"), (6, "there is no type `u46`".into(), Some("did you mean `u64`?".into())));
        assert_eq!(error("f(a: int)").2, Some("did you mean `i32`?".into()));
        let (column, what, hint) = error("f(b: in [u8; lne], len: u32)");
        assert_eq!((column, what.as_str()), (14, "there is no parameter `lne`"));
        assert_eq!(hint.as_deref(), Some("did you mean `len`?"));
    }

    #[test]
    fn each_kind_of_mistake_has_its_message() {
        for (text, what) in [
            ("", "expected the name of a function"),
            ("f", "expected `(` after the function's name"),
            ("f(", "expected the name of a parameter"),
            ("f(a)", "expected `:` and a type after the parameter's name"),
            ("f(a: u8, a: u8)", "there are two parameters `a`"),
            ("f(a: u8", "expected `,` or `)` after a parameter"),
            ("f(a: in u8)", "`in` goes with a buffer"),
            ("f(a: in [u8])", "expected `;` and a length after the element type"),
            ("f(a: in [u8; 0])", "a buffer has at least one element"),
            ("f(a: in [u8; n], n: f64)", "`n` is not an integer, so it cannot be a length"),
            ("f() -> out", "a function returns a number or a `cstr`, not a buffer"),
            ("f() u8", "expected nothing after the signature"),
            ("1f()", "`1f` is a number, not the name of a function"),
        ] {
            assert_eq!(error(text).1, what, "{text}");
        }
    }

    #[test]
    fn no_text_panics() {
        for text in ["f(é: u8)", "\u{202e}(", "f(a: in [u8; 99999999999999999999])", "((((((", "f(a:\0)"] {
            let error = Signature::parse(text).expect_err(text);
            assert!(!error.excerpt().is_empty());
        }
    }
}
