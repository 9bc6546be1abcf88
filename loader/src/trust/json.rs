//! Decides which JSON (RFC 8259) a signed document may be. Two readers must never see two documents in the same bytes,
//! so what parsers differ on is refused: duplicate keys, unknown keys, a list where a record belongs, fractions,
//! `null`.
//!
//! `serde` alone is not that strict, and each type here closes one hole: derived records also accept a list of their
//! fields in order ([`Record`]), derived enums also accept `{"word": null}` ([`words`]), an optional field also accepts
//! `null` ([`present`]), and `serde_json::Value` keeps the last of two equal keys ([`StrictObject`]). No record uses
//! `flatten`, which loses the duplicate check. Depth is limited by `serde_json` (128).

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeOwned, Error as _, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Number, Value};

use super::text;

/// How much of a parser's message is shown; it may repeat a stranger's string of any length.
const MAX_MESSAGE: usize = 400;

/// Why bytes are not the strict JSON record that was expected, with line and column.
pub struct Unreadable(serde_json::Error);

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let message = self.0.to_string();
        f.write_str(&text::shown_whole(message.chars().take(MAX_MESSAGE)))?;
        // The parser puts the position last, where the cut would lose it.
        if message.chars().nth(MAX_MESSAGE).is_some() {
            write!(f, "… at line {} column {}", self.0.line(), self.0.column())?;
        }
        Ok(())
    }
}

impl fmt::Debug for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Unreadable {}

/// Reads one record and nothing after it.
pub(super) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Unreadable> {
    serde_json::from_slice::<Record<T>>(bytes).map(|record| record.0).map_err(Unreadable)
}

/// A record that was written as a JSON object.
pub(super) struct Record<T>(pub(super) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Record<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Object<T> {
            type Value = Record<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(Record)
            }
        }

        deserializer.deserialize_map(Object(PhantomData))
    }
}

/// Reads an optional field that is there: absent is the one way to say nothing.
pub(super) fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// An enum that is written as one of a few words.
macro_rules! words {
    ($(#[$doc:meta])* $vis:vis $name:ident, $what:literal, $($(#[$word_doc:meta])* $variant:ident = $word:literal),+ $(,)?) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        #[serde(try_from = "String", into = "&'static str")]
        $vis enum $name {
            $($(#[$word_doc])* $variant,)+
        }

        impl $name {
            /// The word a document writes.
            #[must_use]
            $vis const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }
        }

        impl From<$name> for &'static str {
            fn from(word: $name) -> Self {
                word.name()
            }
        }

        impl TryFrom<String> for $name {
            type Error = $crate::trust::text::NotAllowed;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                match text.as_str() {
                    $($word => Ok(Self::$variant),)+
                    _ => Err($crate::trust::text::NotAllowed::new($what, &text, concat!("one of", $(" `", $word, "`"),+))),
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.name())
            }
        }
    };
}
pub(super) use words;

/// An object of any shape whose meaning is somebody else's, under the same rules: no duplicate keys, no `null`, no
/// fractions, no unsafe characters in keys or strings.
pub(super) struct StrictObject(pub(super) Map<String, Value>);

impl<'de> Deserialize<'de> for StrictObject {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Strict::deserialize(deserializer)?.0 {
            Value::Object(object) => Ok(Self(object)),
            _ => Err(D::Error::custom("expected an object")),
        }
    }
}

struct Strict(Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StrictVisitor)
    }
}

struct StrictVisitor;

impl<'de> Visitor<'de> for StrictVisitor {
    type Value = Strict;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object, list, string, integer or boolean")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Strict, E> {
        Ok(Strict(Value::Bool(value)))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Strict, E> {
        Ok(Strict(Value::Number(Number::from(value))))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Strict, E> {
        Ok(Strict(Value::Number(Number::from(value))))
    }

    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<Strict, E> {
        safe(value.to_owned()).map(|text| Strict(Value::String(text)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Strict, A::Error> {
        let mut out = Vec::new();
        while let Some(Strict(value)) = list.next_element()? {
            out.push(value);
        }
        Ok(Strict(Value::Array(out)))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Strict, A::Error> {
        let mut out = Map::new();
        while let Some(key) = map.next_key::<String>()? {
            let key = safe(key)?;
            if out.contains_key(&key) {
                return Err(A::Error::custom(format_args!("duplicate field `{}`", text::shown(&key))));
            }
            let Strict(value) = map.next_value()?;
            out.insert(key, value);
        }
        Ok(Strict(Value::Object(out)))
    }
}

fn safe<E: serde::de::Error>(text: String) -> Result<String, E> {
    if text.contains(text::is_unsafe) {
        return Err(E::custom(format_args!("`{}` contains control or direction characters", text::shown(&text))));
    }
    Ok(text)
}
