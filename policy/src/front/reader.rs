//! From text to [`Document`]: judges one text by itself and collects every mistake in one pass.

mod kinds;

use std::collections::BTreeMap;

use crate::front::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::front::document::{
    Document, Elf, Files, Layers, Limit, List, Network, Provenance, Refusal, Rule, Syscalls, Trust, Unit, Written,
};
use crate::front::node::{Context, Node, Table, Value, from_json, parse};
use crate::front::rules::Needed;
use crate::front::text::{Lines, MAX_TEXT, Place, Source, too_large};
use crate::front::{units, words};

use kinds::{dotted, section_keys};

/// The language version this release reads.
const VERSION: i64 = 1;

/// The longest list. Combining two lists looks at every pair of their entries.
const MAX_ITEMS: usize = 1024;

/// The most rules on one call; each becomes a branch of a kernel filter.
const MAX_RULES: usize = 32;

/// Name of the source of a plugin's own requests.
pub(crate) const REQUESTS: &str = "plugin.json";

impl Document {
    /// Reads one policy or ceiling by itself, without what it extends.
    ///
    /// # Errors
    /// Every mistake in the text, each with its place.
    pub fn read(source: &Source) -> Result<Self, Diagnostics> {
        if source.text.len() > MAX_TEXT {
            return Err(too_large(&source.name).into());
        }
        let lines = Lines::new(source);
        let root = parse(&source.text, &lines)?;
        let mut reader = Reader { context: Context::Text(lines), found: Diagnostics::default() };
        let document = reader.policy(&source.name, &root);
        if reader.found.has_errors() { Err(reader.found) } else { Ok(document) }
    }

    /// Reads the `requests` of a `plugin.json`.
    ///
    /// # Errors
    /// Every mistake in them.
    pub fn read_requests(requests: &serde_json::Value) -> Result<Self, Diagnostics> {
        let mut reader = Reader { context: Context::Json(REQUESTS), found: Diagnostics::default() };
        let mut document = Self::empty(REQUESTS);
        let node = from_json(requests, 0);
        if let Some(table) = reader.table(&node, "requests") {
            let at = At { table: "requests", keys: "requests" };
            reader.check_keys(table, at);
            document.files = reader.files(table, at);
            document.network = reader.network(table, at);
            document.syscalls = reader.syscalls(table, at);
            document.limits = reader.limits(table, at);
        }
        if reader.found.has_errors() { Err(reader.found) } else { Ok(document) }
    }
}

/// Where a table stands: its dotted path for people, and for the schema.
#[derive(Clone, Copy)]
struct At<'a> {
    table: &'a str,
    keys: &'a str,
}

/// One entry of `syscalls.rules`.
enum Ruling {
    Allow(Rule),
    Refuse(Refusal),
}

struct Reader<'a> {
    context: Context<'a>,
    found: Diagnostics,
}

impl Reader<'_> {
    fn policy(&mut self, source: &str, root: &Table) -> Document {
        let at = At { table: "", keys: "" };
        self.check_keys(root, at);
        self.version(root);
        let mut document = Document::empty(source);
        document.name = self.word(root, at, "name", words::name);
        if !root.contains_key("name") {
            self.missing("name", "give the policy a name, as in `name = \"image-codec\"`");
        }
        document.description = self.word(root, at, "description", words::description);
        document.extends = self.word(root, at, "extends", words::reference);
        document.trust = self.trust(root, at);
        document.elf = self.elf(root, at);
        document.provenance = self.provenance(root, at);
        document.files = self.files(root, at);
        document.network = self.network(root, at);
        document.syscalls = self.syscalls(root, at);
        document.limits = self.limits(root, at);
        document.layers = self.layers(root, at);
        document
    }

    fn version(&mut self, root: &Table) {
        let Some((_, node)) = root.get("lazaret") else {
            self.missing("lazaret", "the first line of a policy is `lazaret = 1`, the version of the language");
            return;
        };
        let place = self.context.place(node.span.as_ref(), "lazaret");
        match &node.value {
            Value::Integer(Some(VERSION)) => {}
            Value::Integer(_) => {
                let message = format!("this release reads version {VERSION} of the language only");
                self.found.push(Diagnostic::error(Code::Version, message, &place));
            }
            other => self.wrong_kind(other, "a number", &place),
        }
    }

    fn trust(&mut self, root: &Table, at: At<'_>) -> Trust {
        let Some((table, at)) = self.section(root, at, "trust", "trust") else { return Trust::default() };
        Trust {
            publishers: self.list(table, at, "publishers", words::publisher, Clone::clone),
            digests: self.list(table, at, "digests", words::digest, ToString::to_string),
            unsigned: self.boolean(table, at, "unsigned"),
        }
    }

    fn elf(&mut self, root: &Table, at: At<'_>) -> Elf {
        let Some((table, at)) = self.section(root, at, "elf", "elf") else { return Elf::default() };
        let mut elf = Elf {
            require: self.list(table, at, "require", words::hardening, |item| item.name().to_owned()),
            needed: self.needed(table, at),
            direct_syscalls: self.word(table, at, "direct-syscalls", words::direct),
            ..Elf::default()
        };
        if let Some((imports, at)) = self.section(table, at, "imports", "elf.imports") {
            elf.imports_deny = self.list(imports, at, "deny", words::symbol_pattern, words::show_pattern);
        }
        if let Some((exports, at)) = self.section(table, at, "exports", "elf.exports") {
            elf.exports_require = self.list(exports, at, "require", words::symbol, Clone::clone);
        }
        elf
    }

    fn provenance(&mut self, root: &Table, at: At<'_>) -> Provenance {
        let Some((table, at)) = self.section(root, at, "provenance", "provenance") else {
            return Provenance::default();
        };
        Provenance {
            deny: self.list(table, at, "deny", words::module_pattern, ToString::to_string),
            require: self.list(table, at, "require", words::claim, |item| item.name().to_owned()),
        }
    }

    fn needed(&mut self, table: &Table, at: At<'_>) -> Option<List<Needed>> {
        let key = dotted(at, "needed");
        self.items(table, at, "needed", |reader, node| {
            let place = reader.context.place(node.span.as_ref(), &key);
            match &node.value {
                Value::String(text) => {
                    let soname = reader.check(words::soname(text), &place)?;
                    Some(Needed { soname, digest: None })
                }
                Value::Table(entries) => {
                    let inner = At { table: &key, keys: "elf.needed[]" };
                    reader.check_keys(entries, inner);
                    for name in ["name", "digest"].iter().filter(|name| !entries.contains_key(**name)) {
                        let message = format!("a pinned library needs `{name}`");
                        reader.found.push(Diagnostic::error(Code::MissingKey, message, &place));
                    }
                    let soname = reader.word(entries, inner, "name", words::soname);
                    let digest = reader.word(entries, inner, "digest", words::digest);
                    Some(Needed { soname: soname?.value, digest: Some(digest?.value) })
                }
                other => {
                    reader.wrong_kind(other, "a library name or a table", &place);
                    None
                }
            }
        })
        .inspect(|list| self.twice(list, |item| item.soname.clone()))
    }

    fn files(&mut self, root: &Table, at: At<'_>) -> Files {
        let keys = section_keys(at, "files");
        let Some((table, at)) = self.section(root, at, "files", &keys) else { return Files::default() };
        Files {
            read: self.list(table, at, "read", words::path, ToString::to_string),
            write: self.list(table, at, "write", words::path, ToString::to_string),
        }
    }

    fn network(&mut self, root: &Table, at: At<'_>) -> Network {
        let keys = section_keys(at, "network");
        let Some((table, at)) = self.section(root, at, "network", &keys) else { return Network::default() };
        Network {
            connect: self.list(table, at, "connect", words::port, ToString::to_string),
            bind: self.list(table, at, "bind", words::port, ToString::to_string),
        }
    }

    fn syscalls(&mut self, root: &Table, at: At<'_>) -> Syscalls {
        let keys = section_keys(at, "syscalls");
        let Some((table, at)) = self.section(root, at, "syscalls", &keys) else { return Syscalls::default() };
        let allow = self.list(table, at, "allow", words::allowed, ToString::to_string);
        let (rules, refusals) = self.rules(table, at);
        let on_deny = self.word(table, at, "on-deny", words::on_deny);
        if let (Some(allow), Some(rules)) = (&allow, &rules) {
            self.found_conflicts(allow, rules);
        }
        Syscalls { allow, rules, refusals, on_deny }
    }

    /// The rules that allow, and those that say how a call is refused.
    fn rules(&mut self, table: &Table, at: At<'_>) -> (Option<List<Rule>>, Vec<Written<Refusal>>) {
        let key = dotted(at, "rules");
        let list = self.items(table, at, "rules", |reader, node| {
            let place = reader.context.place(node.span.as_ref(), &key);
            let Value::Table(entries) = &node.value else {
                reader.wrong_kind(&node.value, "a table with `call` and `when` or `answer`", &place);
                return None;
            };
            reader.rule(entries, At { table: &key, keys: "syscalls.rules[]" }, &place)
        });
        let Some(list) = list else { return (None, Vec::new()) };
        self.twice(&list, |rule| match rule {
            Ruling::Allow(rule) => format!("{} when {}", rule.call, rule.when),
            Ruling::Refuse(refusal) => format!("{} with an answer", refusal.call),
        });
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for item in &list.items {
            let Ruling::Allow(Rule { call, .. }) = &item.value else { continue };
            let count = counts.entry(call).or_default();
            *count += 1;
            if *count == MAX_RULES + 1 {
                let message = format!("there are more than {MAX_RULES} rules on `{call}`");
                self.found.push(Diagnostic::error(Code::TooManyRules, message, &item.place));
            }
        }
        let (mut allow, mut refuse) = (Vec::new(), Vec::new());
        for Written { value, place } in list.items {
            match value {
                Ruling::Allow(value) => allow.push(Written { value, place }),
                Ruling::Refuse(value) => refuse.push(Written { value, place }),
            }
        }
        let allow = (!allow.is_empty()).then_some(List { place: list.place, items: allow });
        (allow, refuse)
    }

    fn rule(&mut self, entries: &Table, at: At<'_>, place: &Place) -> Option<Ruling> {
        self.check_keys(entries, at);
        if !entries.contains_key("call") {
            self.found.push(Diagnostic::error(Code::MissingKey, "a rule needs `call`", place));
        }
        match (entries.contains_key("when"), entries.contains_key("answer")) {
            (false, false) => {
                let help = "`when` says for which arguments the call is allowed, `answer` how it is refused";
                let missing = Diagnostic::error(Code::MissingKey, "a rule needs `when` or `answer`", place);
                self.found.push(missing.help(help));
                None
            }
            (true, true) => {
                let message = "a rule has `when` or `answer`, not both";
                let help = "write two rules: one says when the call is allowed, the other how it is refused elsewhere";
                self.found.push(Diagnostic::error(Code::Conflict, message, place).help(help));
                None
            }
            (true, false) => {
                let call = self.word(entries, at, "call", words::call)?;
                let when = self.word(entries, at, "when", |text| words::condition(&call.value, text))?;
                Some(Ruling::Allow(Rule { call: call.value, when: when.value }))
            }
            (false, true) => {
                let call = self.word(entries, at, "call", words::any_call);
                let answer = self.word(entries, at, "answer", words::on_deny);
                Some(Ruling::Refuse(Refusal { call: call?.value, answer: answer?.value }))
            }
        }
    }

    /// A call that is allowed for any arguments and for some: a filter would silently keep only one of the two.
    fn found_conflicts(&mut self, allow: &List<crate::front::document::Allowed>, rules: &List<Rule>) {
        for rule in &rules.items {
            let by = allow.items.iter().find(|item| words::allows_always(&item.value, &rule.value.call));
            if let Some(by) = by {
                let message = format!(
                    "`{}` is allowed for any arguments by `{}`, so this rule decides nothing",
                    rule.value.call, by.value
                );
                let help = format!("remove the rule, or remove `{}` from `allow`", by.value);
                let diagnostic = Diagnostic::error(Code::Conflict, message, &rule.place);
                self.found.push(diagnostic.related(by.place.origin()).help(help));
            }
        }
    }

    fn limits(&mut self, root: &Table, at: At<'_>) -> BTreeMap<Limit, Written<u64>> {
        let keys = section_keys(at, "limits");
        let mut limits = BTreeMap::new();
        let Some((table, at)) = self.section(root, at, "limits", &keys) else { return limits };
        for limit in Limit::ALL {
            let Some((_, node)) = table.get(limit.name()) else { continue };
            let place = self.context.place(node.span.as_ref(), &dotted(at, limit.name()));
            if let Some(value) = self.limit(limit, node, &place) {
                limits.insert(limit, Written { value, place });
            }
        }
        if let (Some(memory), Some(space)) = (limits.get(&Limit::Memory), limits.get(&Limit::AddressSpace))
            && memory.value > space.value
        {
            let message = "`memory` is above `address-space`, which it is part of";
            let diagnostic = Diagnostic::error(Code::Range, message, &memory.place);
            self.found.push(diagnostic.related(space.place.origin()));
        }
        limits
    }

    fn limit(&mut self, limit: Limit, node: &Node, place: &Place) -> Option<u64> {
        let value = match (limit.unit(), &node.value) {
            (Unit::Count, Value::Integer(number)) => number.and_then(|number| u64::try_from(number).ok()),
            (Unit::Bytes, Value::String(text)) => {
                let size = units::size(text);
                if size.is_none() {
                    let message = format!("`{text}` is not a size");
                    let help = "a size is a whole number and `B`, `KiB`, `MiB` or `GiB`, as in `256 MiB`";
                    self.found.push(Diagnostic::error(Code::Size, message, place).help(help));
                    return None;
                }
                size
            }
            (Unit::Milliseconds, Value::String(text)) => {
                let time = units::milliseconds(text);
                if time.is_none() {
                    let message = format!("`{text}` is not a duration");
                    let help = "a duration is a whole number and `ms`, `s`, `min` or `h`, as in `500 ms`";
                    self.found.push(Diagnostic::error(Code::Duration, message, place).help(help));
                    return None;
                }
                time
            }
            (unit, other) => {
                let wanted = match unit {
                    Unit::Bytes => "a size, as in `\"256 MiB\"`",
                    Unit::Milliseconds => "a duration, as in `\"2 s\"`",
                    Unit::Count => "a number",
                };
                self.wrong_kind(other, wanted, place);
                return None;
            }
        };
        let (least, greatest) = limit.bounds();
        let within = value.filter(|value| (least..=greatest).contains(value));
        if within.is_none() {
            let message = format!("`{}` lies between {} and {}", limit.name(), limit.show(least), limit.show(greatest));
            self.found.push(Diagnostic::error(Code::Range, message, place));
        }
        within
    }

    fn layers(&mut self, root: &Table, at: At<'_>) -> Layers {
        let Some((table, at)) = self.section(root, at, "layers", "layers") else { return Layers::default() };
        let name = |need: &crate::front::document::LayerNeed| need.layer.name().to_owned();
        let layers = Layers {
            require: self.list(table, at, "require", words::layer, name),
            optional: self.list(table, at, "optional", words::layer, name),
            layout: self.word(table, at, "layout", words::layout),
        };
        if let (Some(require), Some(optional)) = (&layers.require, &layers.optional) {
            for item in &optional.items {
                if let Some(other) = require.items.iter().find(|other| other.value.layer == item.value.layer) {
                    let message = format!("`{}` is both required and optional", item.value.layer.name());
                    let diagnostic = Diagnostic::error(Code::Conflict, message, &item.place);
                    self.found.push(diagnostic.related(other.place.origin()));
                }
            }
        }
        layers
    }
}
