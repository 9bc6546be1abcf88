//! What to write to allow a syscall that was refused: the words a violation report gives to a security team.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::LazyLock;

use serde::Serialize;

use crate::front::arch::syscall_name;
use crate::front::groups;
use crate::front::kernel::Arch;
use crate::front::narrow::DEFAULTS;
use crate::front::policy::{Policy, Request};
use crate::front::profiles::{PREFIX, builtin, builtin_names};
use crate::front::rules::Origin;

/// What each shipped policy grants: a report names the one to extend, and may ask for many calls.
static SHIPPED: LazyLock<Vec<(&str, BTreeSet<String>)>> = LazyLock::new(|| {
    let granted = |name| {
        let request = Request::new(builtin(name)?.clone());
        let policy = Policy::resolve(&request, |_, _| Err("shipped policies stand alone".to_owned())).ok()?;
        Some((name, policy.outermost))
    };
    builtin_names().filter_map(granted).collect()
});

/// What a policy says about one syscall, and how to make it say something else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Advice {
    /// Name of the call; none for a number the architecture does not have.
    pub call: Option<&'static str>,
    /// The file or port, where that is what was refused and not the call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub what: Option<String>,
    /// What the policy says.
    pub granted: Allowance,
    /// The key that decides.
    pub key: &'static str,
    /// The line that decides.
    pub origin: Origin,
    /// What the call is for, as the group of the snippet says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub purpose: Option<String>,
    /// Lines to paste into that text, where something can be written that allows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snippet: Option<String>,
    /// Where those lines have an effect, when it is not the text that decides.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Why the language does not allow it, or allows it in part.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub because: Option<String>,
}

/// How far a policy allows a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Allowance {
    /// For no arguments.
    No,
    /// For some arguments, as a policy would write them.
    When(String),
    /// For any arguments.
    Always,
}

impl Policy {
    /// What the policy says about a syscall number, and what would allow it. With the arguments that were refused, only
    /// what would allow these.
    #[must_use]
    pub fn syscall_advice(&self, number: u32, arch: Arch, arguments: Option<&[u64; 6]>) -> Advice {
        let call = syscall_name(arch, number);
        let calls = &self.effective.calls;
        let right = call.and_then(|call| calls.rights.get(call)).filter(|right| !right.grant.is_never());
        let granted = match right {
            None => Allowance::No,
            Some(right) if right.grant.is_always() => Allowance::Always,
            Some(right) => Allowance::When(right.grant.to_string()),
        };
        let decided = right.map(|right| &right.lines[0]).or(calls.by.as_ref());
        let origin = decided.map_or_else(
            || Origin { source: DEFAULTS.to_owned(), line: 0, key: "syscalls.allow".to_owned() },
            crate::front::text::Place::origin,
        );
        let never = call.and_then(groups::never);
        let guard = call.and_then(groups::guard);
        let guarded = guard.zip(arguments).is_some_and(|(guard, arguments)| !guard.call.holds(arguments));
        let writable = call.filter(|_| never.is_none() && !guarded && granted != Allowance::Always);
        let group = writable.and_then(|call| self.smallest_group(call));
        let purpose = group.zip(call).and_then(|(group, call)| purpose(group, call));
        let snippet = writable.map(|call| self.snippet(group.unwrap_or(call)));
        let note = writable.and_then(|call| self.note(call, &origin));
        let because = match (never, guard) {
            (Some(why), _) => Some(format!("no policy can allow it: {why}")),
            (None, Some(guard)) => Some(format!("whatever a policy says, only when {}: {}", guard.call, guard.why)),
            (None, None) => None,
        };
        Advice { call, what: None, granted, key: "syscalls.allow", origin, purpose, snippet, note, because }
    }

    /// What would grant a file, for reading or for writing too, that Landlock refused.
    #[must_use]
    pub fn file_advice(&self, path: &str, write: bool) -> Advice {
        let (key, list) = match write {
            true => ("write", &self.effective.write),
            false => ("read", &self.effective.read),
        };
        let written: Vec<String> = list.items().iter().map(|path| path.value.to_string()).collect();
        let line = list.items().iter().find_map(|path| path.lines.first());
        self.list_advice(path, "files", key, &written, line)
    }

    /// What would grant a port that Landlock refused.
    #[must_use]
    pub fn port_advice(&self, port: &str, bind: bool) -> Advice {
        let (key, list) = match bind {
            true => ("bind", &self.effective.bind),
            false => ("connect", &self.effective.connect),
        };
        let written: Vec<String> = list.items().iter().map(|port| port.value.to_string()).collect();
        let line = list.items().iter().find_map(|port| port.lines.first());
        self.list_advice(port, "network", key, &written, line)
    }

    fn list_advice(
        &self,
        what: &str,
        section: &str,
        key: &'static str,
        written: &[String],
        line: Option<&crate::front::text::Place>,
    ) -> Advice {
        let sources = self.sources();
        let outer = sources.first().map_or(DEFAULTS, |outer| outer.as_ref());
        let key_path = match (section, key) {
            ("files", "read") => "files.read",
            ("files", _) => "files.write",
            (_, "connect") => "network.connect",
            _ => "network.bind",
        };
        let origin = line.map_or_else(
            || Origin { source: outer.to_owned(), line: 0, key: key_path.to_owned() },
            crate::front::text::Place::origin,
        );
        let words =
            written.iter().map(String::as_str).chain([what]).map(|word| format!("{word:?}")).collect::<Vec<_>>();
        let shipped = outer.starts_with(PREFIX);
        Advice {
            call: None,
            what: Some(what.to_owned()),
            granted: Allowance::No,
            key: key_path,
            origin,
            purpose: None,
            snippet: Some(format!("[{section}]\n{key} = [{}]\n", words.join(", "))),
            note: shipped.then(|| format!("{outer} cannot be edited; write one without `extends`")),
            because: None,
        }
    }

    /// The smallest group that grants the call and that the policy does not name yet.
    fn smallest_group(&self, call: &str) -> Option<&'static str> {
        let written = &self.effective.calls.written;
        let size =
            |name: &str| groups::expand(name).iter().map(|entry| entry.call.as_str()).collect::<BTreeSet<_>>().len();
        groups::names()
            .filter(|name| !written.iter().any(|have| have == name) && purpose(name, call).is_some())
            .min_by_key(|name| (size(name), *name))
    }

    /// A shipped policy cannot be edited, and a policy cannot add to what it extends.
    fn note(&self, call: &str, origin: &Origin) -> Option<String> {
        let outer = self.sources().first()?;
        let shipped = outer.starts_with(PREFIX);
        if self.outermost.contains(call) || (*outer == origin.source && !shipped) {
            return None;
        }
        let place = if shipped {
            format!("{outer} does not grant it and cannot be edited")
        } else {
            format!("{outer}, which is extended, does not grant it: it must say so first")
        };
        let granting = SHIPPED.iter().find(|(_, calls)| calls.contains(call)).map(|(name, _)| *name);
        Some(match granting {
            Some(name) => format!("{place}; {PREFIX}{name} grants it"),
            None => format!("{place}; no shipped policy grants it, so write one without `extends`"),
        })
    }

    /// The list that decided, with one word more.
    fn snippet(&self, word: &str) -> String {
        let written = self.effective.calls.written.iter().map(String::as_str);
        let words = written.chain([word]).map(|word| format!("\"{word}\"")).collect::<Vec<_>>();
        format!("[syscalls]\nallow = [{}]\n", words.join(", "))
    }
}

/// Lines for people, each ended: what the policy says, why, and what to paste.
impl fmt::Display for Advice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let call = self.what.as_deref().or(self.call).unwrap_or("this number");
        match &self.granted {
            Allowance::No if self.what.is_some() => writeln!(f, "policy: `{call}` is not granted by {}", self.origin)?,
            Allowance::No => writeln!(f, "policy: `{call}` is not allowed by {}", self.origin)?,
            Allowance::When(when) => writeln!(f, "policy: `{call}` is allowed only when {when}, by {}", self.origin)?,
            Allowance::Always => writeln!(f, "policy: `{call}` is allowed by {}", self.origin)?,
        }
        if let Some(because) = &self.because {
            writeln!(f, "why: {because}")?;
        }
        let Some(snippet) = &self.snippet else { return Ok(()) };
        match &self.purpose {
            Some(purpose) => writeln!(f, "to allow it ({purpose}), write:")?,
            None => writeln!(f, "to allow it, write:")?,
        }
        snippet.lines().try_for_each(|line| writeln!(f, "    {line}"))?;
        self.note.iter().try_for_each(|note| writeln!(f, "note: {note}"))
    }
}

/// Why a group grants a call; `None` where it does not.
fn purpose(group: &str, call: &str) -> Option<String> {
    let granting = |entry: &&&groups::Entry| entry.call == call && entry.answer.is_none();
    groups::expand(group).iter().find(granting).map(|entry| entry.why.clone())
}
