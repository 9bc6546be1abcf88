//! Turns the words of a command line into the values of a call, by the function's signature.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use crate::call::{Direction, Kind, Parameter, Scalar, Signature, Value};

/// Largest file that `@FILE` reads; the message size has the last word.
const FILE_LIMIT: u64 = 1 << 30;

/// A word that does not fit its parameter.
#[derive(Debug)]
pub(super) struct WordError {
    pub(super) what: String,
    pub(super) hint: Option<String>,
}

/// The values for a signature's parameters. `out` parameters take no word. That there are as many words as parameters is
/// for the call to say, which says it for every host.
pub(super) fn values(signature: &Signature, words: &[OsString]) -> Result<Vec<Value>, WordError> {
    let takes = |parameter: &&Parameter| !matches!(parameter.kind, Kind::Buffer { direction: Direction::Out, .. });
    let mut parameters = signature.parameters.iter().filter(takes);
    words
        .iter()
        .map(|word| match parameters.next() {
            Some(parameter) => value(parameter, word),
            None => Ok(Value::Nothing),
        })
        .collect()
}

fn value(parameter: &Parameter, word: &OsStr) -> Result<Value, WordError> {
    match &parameter.kind {
        Kind::Scalar(scalar) => number(parameter, *scalar, word),
        Kind::Cstr => Ok(Value::Bytes(word.as_bytes().to_vec())),
        Kind::Buffer { direction: Direction::InOut, element, length } if length.is_one() => {
            number(parameter, *element, word)
        }
        Kind::Buffer { element, .. } => Ok(Value::Bytes(elements(parameter, *element, word)?)),
    }
}

fn wrong(parameter: &Parameter, word: &OsStr, hint: &str) -> WordError {
    WordError {
        what: format!(
            "argument `{}`: `{}` is not a value of the type `{}`",
            parameter.name,
            crate::audit::escape(&word.to_string_lossy()),
            parameter.kind
        ),
        hint: Some(hint.to_owned()),
    }
}

fn number(parameter: &Parameter, scalar: Scalar, word: &OsStr) -> Result<Value, WordError> {
    let text = word.to_str().unwrap_or("").trim();
    if text == "_" && scalar.is_integer() {
        return Ok(Value::Length);
    }
    read_number(scalar, text)
        .ok_or_else(|| wrong(parameter, word, "numbers are decimal (`-5`, `0.25`) or hexadecimal (`0xff`)"))
}

fn read_number(scalar: Scalar, text: &str) -> Option<Value> {
    if let Some(digits) = text.strip_prefix("0x") {
        return u64::from_str_radix(digits, 16).ok().map(Value::Unsigned);
    }
    match scalar {
        Scalar::Float(_) => text.parse().ok().map(Value::Float),
        Scalar::Unsigned(_) | Scalar::Signed(_) => {
            let signed = || text.parse().ok().map(Value::Signed);
            text.parse().ok().map(Value::Unsigned).or_else(signed)
        }
    }
}

/// The bytes of a buffer: text, `hex:…`, `@FILE`, or numbers with commas between them.
fn elements(parameter: &Parameter, element: Scalar, word: &OsStr) -> Result<Vec<u8>, WordError> {
    let bytes = word.as_bytes();
    if let Some(path) = bytes.strip_prefix(b"@") {
        let path = Path::new(OsStr::from_bytes(path));
        return crate::open::small(path, FILE_LIMIT).map_err(|error| WordError {
            what: format!("argument `{}`: {}", parameter.name, crate::error::chain(&error)),
            hint: Some("`@FILE` passes what a file holds, and `text:@…` a text that begins with `@`".into()),
        });
    }
    if let Some(digits) = bytes.strip_prefix(b"hex:") {
        return crate::call::unhex(digits)
            .ok_or_else(|| wrong(parameter, word, "`hex:` takes pairs of hexadecimal digits"));
    }
    if element.size() == 1 {
        return Ok(bytes.strip_prefix(b"text:").unwrap_or(bytes).to_vec());
    }
    let mut out = Vec::new();
    for text in word.to_str().unwrap_or("").split(',') {
        let packed = read_number(element, text.trim()).and_then(|value| pack(element, &value));
        out.extend(packed.ok_or_else(|| wrong(parameter, word, "write numbers with commas between them, as `1,2,3`"))?);
    }
    Ok(out)
}

/// A number as it lies in memory.
fn pack(element: Scalar, value: &Value) -> Option<Vec<u8>> {
    let bytes = match (element, value) {
        (Scalar::Float(4), Value::Float(number)) => u64::from((*number as f32).to_bits()).to_le_bytes(),
        (Scalar::Float(_), Value::Float(number)) => number.to_le_bytes(),
        (Scalar::Unsigned(size), Value::Unsigned(number)) => {
            let fits = size == 8 || *number >> (8 * u32::from(size)) == 0;
            fits.then(|| number.to_le_bytes())?
        }
        (Scalar::Signed(size), value) => {
            let number = match value {
                Value::Signed(number) => *number,
                Value::Unsigned(number) => i64::try_from(*number).ok()?,
                _ => return None,
            };
            let unused = 64 - 8 * u32::from(size);
            (number << unused >> unused == number).then(|| number.to_le_bytes())?
        }
        _ => return None,
    };
    bytes.get(..element.size()).map(<[u8]>::to_vec)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(signature: &str, words: &[&str]) -> Result<Vec<Value>, WordError> {
        let signature = Signature::parse(signature).expect("valid");
        values(&signature, &words.iter().map(OsString::from).collect::<Vec<_>>())
    }

    #[test]
    fn words_become_values_by_the_type_of_their_parameter() {
        let values = read(
            "f(a: i32, b: f64, c: cstr, d: in [u8; n], n: u32, e: in [i16; 2], o: out u8)",
            &["-5", "0.5", "7", "hex:00ff", "_", "-1,2"],
        )
        .expect("valid");
        assert_eq!(
            values,
            [
                Value::Signed(-5),
                Value::Float(0.5),
                Value::Bytes(b"7".to_vec()),
                Value::Bytes(vec![0, 255]),
                Value::Length,
                Value::Bytes(vec![255, 255, 2, 0]),
            ]
        );
    }

    #[test]
    fn a_word_of_the_wrong_type_names_its_parameter() {
        for (signature, word) in [
            ("f(a: u8)", "five"),
            ("f(a: u8)", "1.5"),
            ("f(a: f64)", "_"),
            ("f(a: in [u8; 4])", "hex:0"),
            ("f(a: in [i8; 4])", "@/no/such/file"),
            ("f(a: in [u16; 2])", "1,70000"),
            ("f(a: in [i16; 2])", "1,x"),
        ] {
            let error = read(signature, &[word]).expect_err(word);
            assert!(error.what.starts_with("argument `a`"), "{}", error.what);
            assert!(error.hint.is_some());
        }
    }
}
