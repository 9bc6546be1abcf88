//! What people and programs read of an audit: the findings, the facts of the object, and the verdict. Every string of
//! the file is printable ASCII here, whatever it was there.

use std::collections::BTreeMap;
use std::fmt;

use lazaret_policy::{Arch, Hardening};
use serde::Serialize;

use super::finding::{Finding, Severity};
use super::object::{Load, Object};
use super::text::{escaped, shown};

/// The version of the report's JSON form: raised when a field changes its meaning or disappears.
pub const SCHEMA: u32 = 1;

/// What the audit decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Nothing speaks against loading the file.
    Accepted,
    /// At least one finding refuses it.
    Refused,
}

/// The result of an audit.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// [`SCHEMA`].
    pub schema: u32,
    /// What was decided.
    pub verdict: Verdict,
    /// What speaks against the file, the gravest first.
    pub findings: Vec<Finding>,
    /// What the file is; `None` when it has no single reading.
    pub facts: Option<Facts>,
}

/// What a file is.
#[derive(Clone, Debug, Serialize)]
pub struct Facts {
    /// The architecture it is for.
    pub arch: Arch,
    /// `DT_SONAME`.
    pub soname: Option<String>,
    /// `DT_NEEDED`, in order.
    pub needed: Vec<String>,
    /// `DT_RPATH`.
    pub rpath: Option<String>,
    /// `DT_RUNPATH`.
    pub runpath: Option<String>,
    /// The GNU build id in hexadecimal.
    pub build_id: Option<String>,
    /// Which hardening properties hold.
    pub hardening: BTreeMap<Hardening, bool>,
    /// What is mapped.
    pub loads: Vec<Load>,
    /// Functions that run while it is mapped, as far as `DT_INIT_ARRAY` says.
    pub initialisers: u64,
    /// Relocations with addend.
    pub relocations: u64,
    /// Words of packed relocations, which loaders before glibc 2.36 and musl 1.2.4 ignore.
    pub packed_relocations: u64,
    /// Whether it has section headers, which loaders do not use.
    pub section_headers: bool,
    /// Symbols that others have to define.
    pub imports: Vec<Import>,
    /// Names of symbols that others can bind to.
    pub exports: Vec<String>,
}

/// One symbol that a file imports.
#[derive(Clone, Debug, Serialize)]
pub struct Import {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: Option<String>,
    /// The library that has to define it, where the version says.
    pub library: Option<String>,
    /// Whether it may stay unbound.
    pub weak: bool,
}

impl Report {
    /// A report of findings, about an object when the file is one.
    ///
    /// Names are kept once per symbol and escaped: at most fifty times the file, where a linker's output takes about once.
    #[must_use]
    pub fn new(object: Option<&Object>, findings: Vec<Finding>) -> Self {
        let refused = object.is_none() || findings.iter().any(|finding| finding.severity == Severity::Refuse);
        let verdict = if refused { Verdict::Refused } else { Verdict::Accepted };
        Self { schema: SCHEMA, verdict, findings, facts: object.map(Facts::of) }
    }
}

impl Facts {
    /// The facts of an object, escaped.
    #[must_use]
    pub fn of(object: &Object) -> Self {
        let import = |symbol: super::object::Symbol<'_>| Import {
            name: escaped(symbol.name),
            version: symbol.version.map(escaped),
            library: symbol.library.map(escaped),
            weak: symbol.weak,
        };
        Self {
            arch: object.arch,
            soname: object.soname().map(escaped),
            needed: object.needed().map(escaped).collect(),
            rpath: object.rpath().map(escaped),
            runpath: object.runpath().map(escaped),
            build_id: object.build_id().map(|id| id.iter().map(|byte| format!("{byte:02x}")).collect()),
            hardening: Hardening::ALL
                .into_iter()
                .map(|property| (property, object.lacks(property).is_none()))
                .collect(),
            loads: object.loads.clone(),
            initialisers: object.initialisers,
            relocations: object.relocations.count,
            packed_relocations: object.relocations.relr,
            section_headers: object.has_sections,
            imports: object.imports().map(import).collect(),
            exports: object.exports().map(|symbol| escaped(symbol.name)).collect(),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Refuse => "refuse",
            Severity::Warn => "warn",
            Severity::Note => "note",
        };
        write!(f, "{severity:<6} {:<24} {}", self.code, self.what)?;
        if self.times > 1 {
            write!(f, " ({} times)", self.times)?;
        }
        let line =
            |f: &mut fmt::Formatter<'_>, name: &str, value: &dyn fmt::Display| write!(f, "\n{:31} {name}: {value}", "");
        for evidence in &self.evidence {
            line(f, evidence.name, &evidence.value)?;
        }
        if let Some(rule) = &self.rule {
            line(f, "decided by", rule)?;
        }
        self.next.as_ref().map_or(Ok(()), |next| line(f, "next", next))
    }
}

impl fmt::Display for Report {
    /// For a terminal: findings, then one line per fact. Ends without a line break.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [refusals, warnings, notes] = super::judge::tally(&self.findings);
        let verdict = if self.verdict == Verdict::Refused { "refused" } else { "accepted" };
        write!(f, "{verdict}: {refusals} refusals, {warnings} warnings, {notes} notes")?;
        self.findings.iter().try_for_each(|finding| write!(f, "\n{finding}"))?;
        self.facts.as_ref().map_or(Ok(()), |facts| write!(f, "\n{facts}"))
    }
}

impl fmt::Display for Facts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let none = "none".to_owned();
        let holds: Vec<_> = self.hardening.iter().filter(|(_, holds)| **holds).map(|(name, _)| name.name()).collect();
        let needed: Vec<_> = self.needed.iter().map(|name| shown(name)).collect();
        let lines: [(&str, String); 8] = [
            ("soname", self.soname.as_deref().map_or(none.clone(), shown)),
            ("needed", if needed.is_empty() { none.clone() } else { needed.join(" ") }),
            ("search path", self.rpath.as_deref().or(self.runpath.as_deref()).map_or(none.clone(), shown)),
            ("build id", self.build_id.clone().unwrap_or_else(|| none.clone())),
            ("hardening", if holds.is_empty() { none } else { holds.join(" ") }),
            ("symbols", format!("{} imported, {} exported", self.imports.len(), self.exports.len())),
            ("initialisers", self.initialisers.to_string()),
            ("relocations", format!("{}, packed words {}", self.relocations, self.packed_relocations)),
        ];
        write!(f, "file   {:<24} {:?}", "architecture", self.arch)?;
        lines.iter().try_for_each(|(name, value)| write!(f, "\nfile   {name:<24} {value}"))
    }
}
