//! One tree for what TOML texts and the `requests` of a `plugin.json` say, so that one reader judges both.

use std::collections::BTreeMap;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::front::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::front::text::{Lines, Place};

/// Nothing in the language nests deeper; what does is not looked into.
const MAX_DEPTH: usize = 6;

/// A value with the bytes it was written in; JSON values have none.
pub(crate) struct Node {
    pub(crate) value: Value,
    pub(crate) span: Option<Range<usize>>,
}

pub(crate) enum Value {
    String(String),
    /// `None` where the number does not fit 64 bits.
    Integer(Option<i64>),
    Boolean(bool),
    Array(Vec<Node>),
    Table(Table),
    /// A value of a kind the language does not use, by name.
    Other(&'static str),
}

/// Keys in order, each with the bytes of the key itself.
pub(crate) type Table = BTreeMap<String, (Option<Range<usize>>, Node)>;

impl Value {
    /// What a diagnostic calls it.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::String(_) => "a string",
            Self::Integer(_) => "a number",
            Self::Boolean(_) => "a boolean",
            Self::Array(_) => "a list",
            Self::Table(_) => "a table",
            Self::Other(name) => name,
        }
    }
}

/// Where a tree came from; turns spans into places.
pub(crate) enum Context<'a> {
    Text(Lines<'a>),
    Json(&'a str),
}

impl Context<'_> {
    pub(crate) fn place(&self, span: Option<&Range<usize>>, key: &str) -> Place {
        match (self, span) {
            (Self::Text(lines), Some(span)) => lines.place(span, key),
            (Self::Text(lines), None) => Place::unlined(lines.source(), key),
            (Self::Json(name), _) => Place::unlined(name, key),
        }
    }
}

/// Parses TOML; every mistake of syntax is reported, not only the first.
pub(crate) fn parse(text: &str, lines: &Lines<'_>) -> Result<Table, Diagnostics> {
    let (root, errors) = DeTable::parse_recoverable(text);
    if errors.is_empty() {
        return Ok(table(root.get_ref(), 0));
    }
    let mut found = Diagnostics::default();
    for error in errors {
        let place = lines.place(&error.span().unwrap_or(0..0), "");
        let mut message = error.message().split_whitespace().collect::<Vec<_>>().join(" ");
        let code = if message == "duplicate key" { Code::DuplicateKey } else { Code::Syntax };
        if code == Code::DuplicateKey {
            let key = place.excerpt.get(place.mark.clone()).unwrap_or("");
            message = format!("the key `{key}` is written twice");
        }
        found.push(Diagnostic::error(code, message, &place));
    }
    Err(found)
}

fn table(entries: &DeTable<'_>, depth: usize) -> Table {
    entries.iter().map(|(key, value)| (key.get_ref().to_string(), (Some(key.span()), node(value, depth)))).collect()
}

fn node(spanned: &Spanned<DeValue<'_>>, depth: usize) -> Node {
    let value = match spanned.get_ref() {
        _ if depth >= MAX_DEPTH => Value::Other("a deeply nested value"),
        DeValue::String(text) => Value::String(text.to_string()),
        DeValue::Integer(number) => Value::Integer(i64::from_str_radix(number.as_str(), number.radix()).ok()),
        DeValue::Boolean(value) => Value::Boolean(*value),
        DeValue::Float(_) => Value::Other("a fraction"),
        DeValue::Datetime(_) => Value::Other("a date"),
        DeValue::Array(items) => Value::Array(items.iter().map(|item| node(item, depth + 1)).collect()),
        DeValue::Table(entries) => Value::Table(table(entries, depth + 1)),
    };
    Node { value, span: Some(spanned.span()) }
}

/// The same tree from JSON.
pub(crate) fn from_json(json: &serde_json::Value, depth: usize) -> Node {
    let value = match json {
        _ if depth >= MAX_DEPTH => Value::Other("a deeply nested value"),
        serde_json::Value::Null => Value::Other("null"),
        serde_json::Value::Bool(value) => Value::Boolean(*value),
        serde_json::Value::Number(number) if number.is_f64() => Value::Other("a fraction"),
        serde_json::Value::Number(number) => Value::Integer(number.as_i64()),
        serde_json::Value::String(text) => Value::String(text.clone()),
        serde_json::Value::Array(items) => Value::Array(items.iter().map(|item| from_json(item, depth + 1)).collect()),
        serde_json::Value::Object(entries) => Value::Table(
            entries.iter().map(|(key, value)| (key.clone(), (None, from_json(value, depth + 1)))).collect(),
        ),
    };
    Node { value, span: None }
}
