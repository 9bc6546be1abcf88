//! What `lazaret policy explain` prints: every grant with the lines that give it, and everything that was written and is
//! not in effect with the line that took it.

use std::fmt;

use serde::Serialize;

use crate::front::condition::Permission;
use crate::front::document::{Direct, Layer, Limit};
use crate::front::groups;
use crate::front::narrow::{Accepted, Granted, Meet, Removed};
use crate::front::policy::Policy;
use crate::front::rules::Origin;
use crate::front::text::Place;
use crate::front::words::show_pattern;

/// A policy laid open.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// Name of the policy.
    pub name: String,
    /// What it says it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The texts in the order in which they were applied.
    pub sources: Vec<String>,
    /// What is allowed, by key.
    pub grants: Vec<Line>,
    /// What is demanded of the file and of the machine, by key.
    pub demands: Vec<Line>,
    /// The caps.
    pub limits: Vec<Line>,
    /// What was written and is not in effect.
    pub removed: Vec<Removed>,
}

/// One fact with the lines that state it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Line {
    /// Dotted key.
    pub key: String,
    /// What holds, as a policy would write it.
    pub what: String,
    /// The lines that state it; the first one decides.
    pub lines: Vec<Origin>,
}

impl Line {
    fn new(key: &str, what: impl Into<String>, places: &[Place]) -> Self {
        Self { key: key.to_owned(), what: what.into(), lines: places.iter().map(Place::origin).collect() }
    }
}

impl Policy {
    /// Lays the policy open.
    #[must_use]
    pub fn explain(&self) -> Explanation {
        Explanation {
            name: self.name().to_owned(),
            description: self.description().map(str::to_owned),
            sources: self.sources().to_vec(),
            grants: self.explain_grants(),
            demands: self.explain_demands(),
            limits: self.explain_limits(),
            removed: self.removed.clone(),
        }
    }

    fn explain_grants(&self) -> Vec<Line> {
        let all = &self.effective;
        let mut out = Vec::new();
        if let Some(Accepted { publishers, digests, unsigned, .. }) = &all.trust {
            out.extend(granted("trust.publishers", publishers));
            out.extend(granted("trust.digests", digests));
            out.extend(unsigned.iter().map(|place| Line::new("trust.unsigned", "true", std::slice::from_ref(place))));
        }
        out.extend(granted("elf.needed", all.needed.items()));
        if let Some((Direct::Allow, place)) = &all.direct_syscalls {
            out.push(Line::new("elf.direct-syscalls", "allow", std::slice::from_ref(place)));
        }
        out.extend(granted("files.read", all.read.items()));
        for item in all.write.items() {
            let only = all.write_only.iter().any(|(outer, _)| outer.contains(&item.value));
            let what = if only { format!("{} (not reading)", item.value) } else { item.value.to_string() };
            out.push(Line::new("files.write", what, &item.lines));
        }
        out.extend(granted("network.connect", all.connect.items()));
        out.extend(granted("network.bind", all.bind.items()));
        for (call, right) in &all.calls.rights {
            if !right.grant.is_never() {
                // With what holds whatever a policy says, or the reader would think that more is allowed.
                let guarded =
                    groups::guard(call).map_or_else(|| right.grant.clone(), |guard| right.grant.and(&guard.call));
                out.push(Line::new("syscalls.allow", show(call, &guarded), &right.lines));
            } else if let Some((errno, when)) = &right.answer {
                let what = format!("{} is answered {}", show(call, when), groups::errno_name(*errno));
                out.push(Line::new("syscalls.allow", what, &right.lines));
            }
        }
        out
    }

    fn explain_demands(&self) -> Vec<Line> {
        let all = &self.effective;
        let mut out = Vec::new();
        for (property, place) in &all.require {
            out.push(Line::new("elf.require", property.name(), std::slice::from_ref(place)));
        }
        for item in &all.imports_deny {
            out.push(Line::new("elf.imports.deny", show_pattern(&item.value), &item.lines));
        }
        for item in &all.exports_require {
            out.push(Line::new("elf.exports.require", item.value.clone(), &item.lines));
        }
        for item in &all.modules_deny {
            out.push(Line::new("provenance.deny", item.value.to_string(), &item.lines));
        }
        for (claim, place) in &all.claims {
            out.push(Line::new("provenance.require", claim.name(), std::slice::from_ref(place)));
        }
        if let Some((Direct::Deny, place)) = &all.direct_syscalls {
            out.push(Line::new("elf.direct-syscalls", "deny", std::slice::from_ref(place)));
        }
        if let Some((on_deny, place)) = &all.on_deny {
            out.push(Line::new("syscalls.on-deny", on_deny.name(), std::slice::from_ref(place)));
        }
        for (call, (answer, place)) in &all.refusals {
            let what = format!("{call}, where it is refused: {}", answer.name());
            out.push(Line::new("syscalls.rules", what, std::slice::from_ref(place)));
        }
        for layer in Layer::ALL {
            if let Some((abi, place)) = all.required.get(&layer) {
                let what = if *abi > 0 { format!("{}>={abi}", layer.name()) } else { layer.name().to_owned() };
                out.push(Line::new("layers.require", what, std::slice::from_ref(place)));
            } else if let Some(place) = all.optional.get(&layer) {
                out.push(Line::new("layers.optional", layer.name(), std::slice::from_ref(place)));
            }
        }
        if let Some((layout, place)) = &all.layout {
            out.push(Line::new("layers.layout", layout.name(), std::slice::from_ref(place)));
        }
        out
    }

    fn explain_limits(&self) -> Vec<Line> {
        let line = |limit: Limit| {
            let limited = self.limit(limit);
            let key = format!("limits.{}", limit.name());
            Line { key, what: limit.show(limited.value), lines: vec![limited.origin] }
        };
        Limit::ALL.into_iter().map(line).collect()
    }
}

fn granted<T: Meet>(key: &str, items: &[Granted<T>]) -> Vec<Line> {
    items.iter().map(|item| Line::new(key, item.value.show(), &item.lines)).collect()
}

fn show(call: &str, when: &Permission) -> String {
    if when.is_always() { call.to_owned() } else { format!("{call} when {when}") }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.name)?;
        if let Some(description) = &self.description {
            writeln!(f, "{}", description.escape_debug())?;
        }
        writeln!(f, "from {}", self.sources.join(", then "))?;
        section(f, "granted", &self.grants)?;
        section(f, "demanded", &self.demands)?;
        section(f, "capped", &self.limits)?;
        if !self.removed.is_empty() {
            writeln!(f, "\nnot in effect")?;
        }
        for removed in &self.removed {
            writeln!(f, "  {} {}", removed.key, removed.what)?;
            writeln!(f, "      written {}", removed.written)?;
            writeln!(f, "      taken by {}", removed.by)?;
        }
        Ok(())
    }
}

fn section(f: &mut fmt::Formatter<'_>, title: &str, lines: &[Line]) -> fmt::Result {
    if lines.is_empty() {
        return Ok(());
    }
    writeln!(f, "\n{title}")?;
    for line in lines {
        let mut places: Vec<String> = Vec::new();
        for origin in &line.lines {
            let place =
                if origin.line > 0 { format!("{}:{}", origin.source, origin.line) } else { origin.source.clone() };
            if !places.contains(&place) {
                places.push(place);
            }
        }
        writeln!(f, "  {:<22} {}  [{}]", line.key, line.what, places.join(", "))?;
    }
    Ok(())
}
