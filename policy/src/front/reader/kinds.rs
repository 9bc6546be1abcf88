//! The kinds of values a text may hold: tables with known keys, words, booleans, lists. Each reads one value, or says
//! what belongs there instead.

use std::collections::BTreeSet;
use std::ops::Range;

use super::{At, MAX_ITEMS, Reader};
use crate::front::diagnostic::{Code, Diagnostic};
use crate::front::document::{List, Written};
use crate::front::node::{Node, Table, Value};
use crate::front::schema;
use crate::front::text::Place;
use crate::front::words::Fault;

/// Lists of what is granted. Nothing at all, which a policy may say to take away what it extends, is a word: an empty list
/// is as often a mistake.
const GRANTS: [&str; 6] =
    ["elf.needed", "files.read", "files.write", "network.connect", "network.bind", "syscalls.allow"];
const NOTHING: &str = "none";

impl Reader<'_> {
    pub(super) fn section<'n, 'p>(
        &mut self,
        parent: &'n Table,
        at: At<'_>,
        key: &'p str,
        keys: &'p str,
    ) -> Option<(&'n Table, At<'p>)> {
        let (_, node) = parent.get(key)?;
        let path = if at.keys.is_empty() { key.to_owned() } else { format!("{}.{key}", at.table) };
        let table = self.table(node, &path)?;
        let inner = At { table: keys, keys };
        self.check_keys(table, inner);
        Some((table, inner))
    }

    pub(super) fn table<'n>(&mut self, node: &'n Node, path: &str) -> Option<&'n Table> {
        match &node.value {
            Value::Table(table) => Some(table),
            other => {
                let place = self.context.place(node.span.as_ref(), path);
                self.wrong_kind(other, "a table", &place);
                None
            }
        }
    }

    pub(super) fn check_keys(&mut self, table: &Table, at: At<'_>) {
        let valid = schema::keys(at.keys);
        for (key, (span, _)) in table.iter().filter(|(key, _)| !valid.contains(*key)) {
            let place = self.context.place(span.as_ref(), &dotted(at, key));
            let owner = if at.table.is_empty() { "a policy".to_owned() } else { format!("`{}`", at.table) };
            let message = format!("{owner} has no key `{key}`");
            let diagnostic = Diagnostic::error(Code::UnknownKey, message, &place)
                .suggest(key, valid.iter().map(String::as_str))
                .help(format!("its keys are `{}`", valid.join("`, `")));
            self.found.push(diagnostic);
        }
    }

    pub(super) fn word<T>(
        &mut self,
        table: &Table,
        at: At<'_>,
        key: &str,
        read: impl FnOnce(&str) -> Result<T, Fault>,
    ) -> Option<Written<T>> {
        let (_, node) = table.get(key)?;
        let place = self.context.place(node.span.as_ref(), &dotted(at, key));
        let value = match &node.value {
            Value::String(text) => self.check(read(text), &place)?,
            other => {
                self.wrong_kind(other, "a string", &place);
                return None;
            }
        };
        Some(Written { value, place })
    }

    pub(super) fn boolean(&mut self, table: &Table, at: At<'_>, key: &str) -> Option<Written<bool>> {
        let (_, node) = table.get(key)?;
        let place = self.context.place(node.span.as_ref(), &dotted(at, key));
        match node.value {
            Value::Boolean(value) => Some(Written { value, place }),
            ref other => {
                self.wrong_kind(other, "`true` or `false`", &place);
                None
            }
        }
    }

    /// A list of words; `identity` says when two of them are the same.
    pub(super) fn list<T>(
        &mut self,
        table: &Table,
        at: At<'_>,
        key: &str,
        read: impl Fn(&str) -> Result<T, Fault>,
        identity: impl Fn(&T) -> String,
    ) -> Option<List<T>> {
        let path = dotted(at, key);
        let list = self.items(table, at, key, |reader, node| {
            let place = reader.context.place(node.span.as_ref(), &path);
            match &node.value {
                Value::String(text) => reader.check(read(text), &place),
                other => {
                    reader.wrong_kind(other, "a string", &place);
                    None
                }
            }
        })?;
        self.twice(&list, identity);
        Some(list)
    }

    pub(super) fn items<T>(
        &mut self,
        table: &Table,
        at: At<'_>,
        key: &str,
        mut read: impl FnMut(&mut Self, &Node) -> Option<T>,
    ) -> Option<List<T>> {
        let (span, node) = table.get(key)?;
        let path = dotted(at, key);
        let place = self.context.place(span.as_ref().or(node.span.as_ref()), &path);
        let grants = GRANTS.contains(&path.strip_prefix("requests.").unwrap_or(&path));
        let nodes = match &node.value {
            Value::Array(nodes) => nodes,
            Value::String(text) if grants && text == NOTHING => return Some(List { place, items: Vec::new() }),
            other => {
                let place = self.context.place(node.span.as_ref(), &path);
                self.wrong_kind(other, if grants { "a list, or `\"none\"`" } else { "a list" }, &place);
                return None;
            }
        };
        if nodes.is_empty() {
            let message = format!("the list `{path}` is empty");
            let place = self.context.place(node.span.as_ref(), &path);
            let help = if grants {
                "leave the key out to say nothing, or write `\"none\"` to say that nothing is granted"
            } else {
                "leave the key out to say nothing"
            };
            self.found.push(Diagnostic::error(Code::EmptyList, message, &place).help(help));
        }
        if nodes.len() > MAX_ITEMS {
            let message = format!("the list `{path}` has more than {MAX_ITEMS} entries");
            self.found.push(Diagnostic::error(Code::Range, message, &place));
        }
        let mut items = Vec::new();
        for node in nodes.iter().take(MAX_ITEMS) {
            if let Some(value) = read(self, node) {
                items.push(Written { value, place: self.context.place(node.span.as_ref(), &path) });
            }
        }
        Some(List { place, items })
    }

    pub(super) fn twice<T>(&mut self, list: &List<T>, identity: impl Fn(&T) -> String) {
        let mut seen = BTreeSet::new();
        for item in &list.items {
            let name = identity(&item.value);
            if !seen.insert(name.clone()) {
                let message = format!("`{name}` stands twice in the list");
                self.found.push(Diagnostic::error(Code::DuplicateValue, message, &item.place));
            }
        }
    }

    pub(super) fn check<T>(&mut self, read: Result<T, Fault>, place: &Place) -> Option<T> {
        match read {
            Ok(value) => Some(value),
            Err(fault) => {
                let mut diagnostic = Diagnostic::error(fault.code, fault.message, place);
                diagnostic.suggestion = fault.suggestion;
                diagnostic.help = fault.help;
                self.found.push(diagnostic);
                None
            }
        }
    }

    pub(super) fn wrong_kind(&mut self, found: &Value, wanted: &str, place: &Place) {
        let message = format!("`{}` takes {wanted}, not {}", place.key, found.kind());
        self.found.push(Diagnostic::error(Code::Type, message, place));
    }

    pub(super) fn missing(&mut self, key: &str, help: &str) {
        let start: Range<usize> = 0..0;
        let place = self.context.place(Some(&start), key);
        let message = format!("the key `{key}` is missing");
        self.found.push(Diagnostic::error(Code::MissingKey, message, &place).help(help));
    }
}

pub(super) fn dotted(at: At<'_>, key: &str) -> String {
    if at.table.is_empty() { key.to_owned() } else { format!("{}.{key}", at.table) }
}

pub(super) fn section_keys(at: At<'_>, key: &str) -> String {
    if at.keys.is_empty() { key.to_owned() } else { format!("{}.{key}", at.keys) }
}
