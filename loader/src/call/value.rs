//! Values that go into and come out of a call, and how they lie in a request and a reply.

use lazaret_cell::region::{HostRegion, ReplyHead};
use lazaret_cell::wire::{BUFFER_ALIGN, Extent, NULL_STRING, RESULT_BYTES};
use serde::{Serialize, Serializer};

use super::signature::{Direction, Kind, Length, Parameter, Returns, Scalar, Signature};
use super::{ArgumentError, Lie};

/// A value of a call. Integers keep their sign; buffers are the bytes of their elements in the machine's order.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Value {
    /// Nothing: the result of a function without one, or a null string.
    Nothing,
    /// `u8` to `u64`.
    Unsigned(u64),
    /// `i8` to `i64`.
    Signed(i64),
    /// `f32` or `f64`.
    #[serde(serialize_with = "number_or_word")]
    Float(f64),
    /// A string without its NUL, or the bytes of a buffer.
    #[serde(serialize_with = "text_or_hex")]
    Bytes(Vec<u8>),
    /// As an argument only: the number of elements of the buffer that this parameter is the length of.
    Length,
}

/// What a call returned.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Returned {
    /// The function's result.
    pub result: Value,
    /// Every `out` and `inout` parameter by name, in order.
    pub outputs: Vec<(String, Output)>,
}

/// An `out` or `inout` parameter after a call.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Output {
    /// A single number.
    Number(Value),
    /// A buffer of bytes.
    #[serde(serialize_with = "text_or_hex")]
    Bytes(Vec<u8>),
    /// A buffer of other numbers.
    Numbers(Vec<Value>),
}

/// Bytes in JSON: a string where they are UTF-8, else `{"hex": "…"}`.
fn text_or_hex<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    match std::str::from_utf8(bytes) {
        Ok(text) => serializer.serialize_str(text),
        Err(_) => serializer.collect_map([("hex", hex(bytes))]),
    }
}

/// A number in JSON, which has no infinities and no NaN: those as the words that Rust and C read back.
fn number_or_word<S: Serializer>(number: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    if number.is_finite() { serializer.serialize_f64(*number) } else { serializer.collect_str(number) }
}

/// Pairs of hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Bytes from pairs of hexadecimal digits.
pub(crate) fn unhex(digits: &[u8]) -> Option<Vec<u8>> {
    if !digits.len().is_multiple_of(2) {
        return None;
    }
    let nibble = |digit: u8| char::from(digit).to_digit(16);
    digits
        .chunks_exact(2)
        .map(|pair| match pair {
            [high, low] => u8::try_from(nibble(*high)? << 4 | nibble(*low)?).ok(),
            _ => None,
        })
        .collect()
}

/// Where the parts of a request and of its reply lie. The host's own numbers: the reply is read by them alone.
#[derive(Debug)]
pub(crate) struct Layout {
    /// Bytes of the request, 0 buffers included.
    pub(crate) request: u32,
    /// Bytes of the reply before a returned string.
    reply: u32,
    outputs: Vec<Place>,
}

#[derive(Debug)]
struct Place {
    parameter: usize,
    element: Scalar,
    extent: Extent,
}

/// Lays the arguments out in the region's request.
pub(crate) fn put(region: &HostRegion, signature: &Signature, arguments: &[Value]) -> Result<Layout, ArgumentError> {
    let values = pair(signature, arguments)?;
    let counts = counts(signature, &values)?;
    let mut next = (signature.parameters.len() * size_of::<u64>()).max(RESULT_BYTES);
    let mut layout = Layout { request: 0, reply: RESULT_BYTES as u32, outputs: Vec::new() };
    for (index, parameter) in signature.parameters.iter().enumerate() {
        let value = values.get(index).copied().flatten();
        let slot = match &parameter.kind {
            Kind::Scalar(scalar) => match value {
                Some(Value::Length) | None => implied(signature, &counts, index)
                    .ok_or_else(|| ArgumentError::new(parameter, "no buffer determines this length; give a number"))
                    .and_then(|count| bits(parameter, *scalar, &Value::Unsigned(count)))?,
                Some(value) => bits(parameter, *scalar, value)?,
            },
            Kind::Cstr => {
                let Some(Value::Bytes(text)) = value else {
                    return Err(ArgumentError::new(parameter, "a `cstr` takes text"));
                };
                if text.contains(&0) {
                    return Err(ArgumentError::new(parameter, "a `cstr` cannot contain a zero byte"));
                }
                let extent = place(region, parameter, &mut next, text.len() + 1)?;
                write(region, parameter, extent.offset, text)?;
                // The NUL, which an earlier request may have overwritten.
                write(region, parameter, extent.offset + text.len() as u32, [0])?;
                extent.to_slot()
            }
            Kind::Buffer { direction, element, .. } => {
                let count = counts.get(index).copied().flatten().unwrap_or(0);
                let length = usize::try_from(count)
                    .ok()
                    .and_then(|count| count.checked_mul(element.size()))
                    .ok_or_else(|| ArgumentError::new(parameter, "that many elements fit into no message"))?;
                let extent = place(region, parameter, &mut next, length)?;
                match (direction, value) {
                    (Direction::Out, _) => {}
                    (_, Some(Value::Bytes(bytes))) => {
                        write(region, parameter, extent.offset, bytes.get(..length).unwrap_or(bytes))?;
                    }
                    (_, Some(Value::Length)) => {
                        let count = implied(signature, &counts, index).ok_or_else(|| {
                            ArgumentError::new(parameter, "no buffer determines this length; give a number")
                        })?;
                        let bits = bits(parameter, *element, &Value::Unsigned(count))?;
                        write(region, parameter, extent.offset, low_bytes(&bits, *element))?;
                    }
                    (_, Some(number)) => {
                        let bits = bits(parameter, *element, number)?;
                        write(region, parameter, extent.offset, low_bytes(&bits, *element))?;
                    }
                    (_, None) => return Err(ArgumentError::new(parameter, "an argument is missing")),
                }
                if *direction != Direction::In {
                    layout.outputs.push(Place { parameter: index, element: *element, extent });
                    layout.reply = layout.reply.max(extent.offset + extent.length);
                }
                extent.to_slot()
            }
        };
        write(region, parameter, (index * size_of::<u64>()) as u32, slot.to_ne_bytes())?;
    }
    layout.request = u32::try_from(next).unwrap_or(u32::MAX);
    Ok(layout)
}

/// Gives each parameter its argument. `out` parameters take none.
fn pair<'a>(signature: &Signature, arguments: &'a [Value]) -> Result<Vec<Option<&'a Value>>, ArgumentError> {
    let takes = |parameter: &&Parameter| !matches!(parameter.kind, Kind::Buffer { direction: Direction::Out, .. });
    let wanted = signature.parameters.iter().filter(takes).count();
    if arguments.len() != wanted {
        let names: Vec<&str> =
            signature.parameters.iter().filter(takes).map(|parameter| parameter.name.as_str()).collect();
        return Err(ArgumentError::count(&signature.name, &names, arguments.len()));
    }
    let mut arguments = arguments.iter();
    Ok(signature.parameters.iter().map(|parameter| if takes(&parameter) { arguments.next() } else { None }).collect())
}

/// How many elements each buffer has: what the arguments say, made to agree.
fn counts(signature: &Signature, values: &[Option<&Value>]) -> Result<Vec<Option<u64>>, ArgumentError> {
    let given = |index: usize| -> Option<u64> {
        match values.get(index).copied().flatten()? {
            Value::Unsigned(count) => Some(*count),
            Value::Signed(count) => u64::try_from(*count).ok(),
            _ => None,
        }
    };
    let mut counts: Vec<Option<u64>> = Vec::with_capacity(signature.parameters.len());
    for (parameter, value) in signature.parameters.iter().zip(values) {
        let Kind::Buffer { element, length, .. } = &parameter.kind else {
            counts.push(None);
            continue;
        };
        let held = match value {
            Some(Value::Bytes(bytes)) if bytes.len().is_multiple_of(element.size()) => {
                Some((bytes.len() / element.size()) as u64)
            }
            Some(Value::Bytes(_)) => {
                let what = format!("the bytes are not a whole number of `{}`", element.name());
                return Err(ArgumentError::new(parameter, &what));
            }
            _ => None,
        };
        counts.push(match (*length, held) {
            (Length::Fixed(count), Some(held)) if held != u64::from(count) => {
                return Err(ArgumentError::new(parameter, &format!("takes {count} elements, not {held}")));
            }
            (Length::Fixed(count), _) => Some(count.into()),
            (Length::Parameter(by), held) => match (given(by), held) {
                (Some(count), Some(held)) if count > held => {
                    let what = format!("has {held} elements, fewer than its length says ({count})");
                    return Err(ArgumentError::new(parameter, &what));
                }
                (Some(count), _) | (None, Some(count)) => Some(count),
                (None, None) => None,
            },
        });
    }
    // An `out` buffer whose length is left open has as many elements as an input of the same length.
    for index in 0..counts.len() {
        if let (None, Some(Kind::Buffer { length: Length::Parameter(by), .. })) =
            (counts.get(index).copied().flatten(), signature.parameters.get(index).map(|parameter| &parameter.kind))
        {
            let count = implied(signature, &counts, *by).ok_or_else(|| {
                let parameter = signature.parameters.get(*by).map_or("?", |parameter| &parameter.name);
                ArgumentError::named(parameter, "no buffer determines this length; give a number")
            })?;
            if let Some(place) = counts.get_mut(index) {
                *place = Some(count);
            }
        }
    }
    Ok(counts)
}

/// The length that a buffer implies for the parameter `index`.
fn implied(signature: &Signature, counts: &[Option<u64>], index: usize) -> Option<u64> {
    signature.parameters.iter().zip(counts).find_map(|(parameter, count)| match parameter.kind {
        Kind::Buffer { length: Length::Parameter(by), .. } if by == index => *count,
        _ => None,
    })
}

/// The slot of a number: as wide as a register, sign-extended.
fn bits(parameter: &Parameter, scalar: Scalar, value: &Value) -> Result<u64, ArgumentError> {
    let range = || ArgumentError::new(parameter, &format!("the number does not fit into `{}`", scalar.name()));
    let kind = || ArgumentError::new(parameter, &format!("takes a number (`{}`)", scalar.name()));
    match (scalar, value) {
        (Scalar::Unsigned(size), Value::Unsigned(number)) => {
            let most = u64::MAX >> (64 - 8 * u32::from(size));
            if *number <= most { Ok(*number) } else { Err(range()) }
        }
        (Scalar::Unsigned(_), Value::Signed(number)) => {
            let number = u64::try_from(*number).map_err(|_| range())?;
            bits(parameter, scalar, &Value::Unsigned(number))
        }
        (Scalar::Signed(size), Value::Signed(number)) => {
            let most = i64::MAX >> (64 - 8 * u32::from(size));
            if (-most - 1..=most).contains(number) { Ok(*number as u64) } else { Err(range()) }
        }
        (Scalar::Signed(_), Value::Unsigned(number)) => {
            let number = i64::try_from(*number).map_err(|_| range())?;
            bits(parameter, scalar, &Value::Signed(number))
        }
        (Scalar::Float(4), Value::Float(number)) => Ok((*number as f32).to_bits().into()),
        (Scalar::Float(_), Value::Float(number)) => Ok(number.to_bits()),
        (Scalar::Float(_), Value::Unsigned(number)) => bits(parameter, scalar, &Value::Float(*number as f64)),
        (Scalar::Float(_), Value::Signed(number)) => bits(parameter, scalar, &Value::Float(*number as f64)),
        _ => Err(kind()),
    }
}

/// The bytes of a slot that a number of this type occupies in memory; both architectures are little-endian.
fn low_bytes(bits: &u64, scalar: Scalar) -> Vec<u8> {
    bits.to_le_bytes().get(..scalar.size()).unwrap_or_default().to_vec()
}

fn place(region: &HostRegion, parameter: &Parameter, next: &mut usize, length: usize) -> Result<Extent, ArgumentError> {
    let offset = next.next_multiple_of(BUFFER_ALIGN);
    let end = offset.checked_add(length).filter(|end| *end <= region.message() as usize).ok_or_else(|| {
        let most = region.message();
        ArgumentError::new(parameter, &format!("the arguments exceed the message size of {most} bytes"))
            .hint("raise `limits.message` in the policy")
    })?;
    *next = end;
    Ok(Extent { offset: offset as u32, length: length as u32 })
}

fn write(
    region: &HostRegion,
    parameter: &Parameter,
    offset: u32,
    bytes: impl AsRef<[u8]>,
) -> Result<(), ArgumentError> {
    region
        .write(offset, bytes.as_ref())
        .map_err(|_| ArgumentError::new(parameter, "the arguments exceed the message size"))
}

/// Reads the reply by the host's own layout. What the cell says is the result, the buffers' content, and the length of a
/// returned string; that length is checked, and everything is copied once before it is looked at.
pub(crate) fn take(
    region: &HostRegion,
    signature: &Signature,
    layout: &Layout,
    head: ReplyHead,
) -> Result<Returned, Lie> {
    let mut fixed = [0; RESULT_BYTES];
    region.read(0, &mut fixed).map_err(|_| Lie::Length)?;
    let (word, string) = fixed.split_at(size_of::<u64>());
    let word = u64::from_ne_bytes(word.try_into().map_err(|_| Lie::Length)?);
    let string = Extent::from_slot(u64::from_ne_bytes(string.try_into().map_err(|_| Lie::Length)?));
    let result = match signature.result {
        Returns::Nothing => {
            exactly(head.length, layout.reply)?;
            Value::Nothing
        }
        Returns::Scalar(scalar) => {
            exactly(head.length, layout.reply)?;
            number(word, scalar)
        }
        Returns::Cstr if string.length == NULL_STRING => {
            exactly(head.length, layout.reply)?;
            Value::Nothing
        }
        Returns::Cstr => {
            exactly(string.offset, layout.reply)?;
            let end = layout.reply.checked_add(string.length).filter(|end| *end <= region.message());
            exactly(head.length, end.ok_or(Lie::Length)?)?;
            let mut text = vec![0; string.length as usize];
            region.read(string.offset, &mut text).map_err(|_| Lie::Length)?;
            Value::Bytes(text)
        }
    };
    let mut outputs = Vec::with_capacity(layout.outputs.len());
    let mut contents: Vec<(usize, Vec<u8>)> = Vec::with_capacity(layout.outputs.len());
    for place in &layout.outputs {
        let mut bytes = vec![0; place.extent.length as usize];
        region.read(place.extent.offset, &mut bytes).map_err(|_| Lie::Length)?;
        contents.push((place.parameter, bytes));
    }
    for place in &layout.outputs {
        let Some(parameter) = signature.parameters.get(place.parameter) else { continue };
        let content = |index: usize| contents.iter().find(|(place, _)| *place == index).map(|(_, bytes)| bytes);
        let mut bytes = content(place.parameter).cloned().unwrap_or_default();
        // A length that the function may change says how much of the buffer it filled.
        if let Kind::Buffer { length: Length::Parameter(by), element, .. } = parameter.kind
            && let Some(filled) = content(by)
        {
            let filled = usize::try_from(unsigned(filled)).unwrap_or(usize::MAX);
            bytes.truncate(filled.saturating_mul(element.size()));
        }
        outputs.push((parameter.name.clone(), output(&parameter.kind, place.element, bytes)));
    }
    Ok(Returned { result, outputs })
}

fn exactly(said: u32, known: u32) -> Result<(), Lie> {
    if said == known { Ok(()) } else { Err(Lie::Length) }
}

fn unsigned(bytes: &[u8]) -> u64 {
    let mut word = [0; size_of::<u64>()];
    let length = bytes.len().min(word.len());
    if let (Some(into), Some(from)) = (word.get_mut(..length), bytes.get(..length)) {
        into.copy_from_slice(from);
    }
    u64::from_le_bytes(word)
}

fn output(kind: &Kind, element: Scalar, bytes: Vec<u8>) -> Output {
    if matches!(kind, Kind::Buffer { length, .. } if length.is_one()) {
        return Output::Number(number(unsigned(&bytes), element));
    }
    if element == Scalar::Unsigned(1) {
        return Output::Bytes(bytes);
    }
    Output::Numbers(bytes.chunks_exact(element.size()).map(|bytes| number(unsigned(bytes), element)).collect())
}

/// A number from the low end of a register-wide word; the rest is whatever the cell left there.
fn number(word: u64, scalar: Scalar) -> Value {
    match scalar {
        Scalar::Unsigned(size) => Value::Unsigned(word & (u64::MAX >> (64 - 8 * u32::from(size)))),
        Scalar::Signed(size) => {
            let unused = 64 - 8 * u32::from(size);
            Value::Signed((word << unused).cast_signed() >> unused)
        }
        Scalar::Float(4) => Value::Float(f32::from_bits(word as u32).into()),
        Scalar::Float(_) => Value::Float(f64::from_bits(word)),
    }
}
