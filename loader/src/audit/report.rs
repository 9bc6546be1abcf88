//! What people and programs read of an audit: the findings, the facts of the object, and the verdict. Every string of
//! the file is printable ASCII here, whatever it was there.

use std::collections::BTreeMap;
use std::fmt;

use lazaret_policy::{Arch, Hardening};
use schemars::JsonSchema;
use serde::Serialize;

use super::finding::{Finding, Severity};
use super::init::When;
use super::notes::Properties;
use super::object::{Fortified, Load, Object, Run};
use super::text::{escaped, hex};

/// The version of the report's JSON form: raised when a field changes its meaning or disappears.
pub const SCHEMA: u32 = 1;

/// What the audit decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, JsonSchema, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Nothing speaks against loading the file.
    Accepted,
    /// At least one finding refuses it.
    Refused,
}

/// The result of an audit.
#[derive(Clone, Debug, JsonSchema, Serialize)]
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
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub struct Facts {
    /// The architecture it is for.
    #[schemars(with = "String")]
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
    /// Functions that run while it is mapped: `DT_INIT` and those of `DT_INIT_ARRAY`.
    pub initialisers: u64,
    /// The first 256 functions that run without being called by name, in the order in which loaders call them.
    pub runs: Vec<RunFact>,
    /// Bits of `DT_FLAGS` and `DT_FLAGS_1`, by their names in `elf.h`.
    pub flags: Vec<String>,
    /// Memory that each thread has of its own.
    pub thread_local: Option<ThreadLocal>,
    /// What the file says of its own code.
    pub properties: Properties,
    /// Calls of functions that have a checking twin.
    pub fortified: Fortified,
    /// Whether it was compiled with `-fsanitize=cfi-icall` across libraries (Clang), which exports `__cfi_check`.
    pub clang_cfi: bool,
    /// Whether it was compiled with `-fsanitize=safe-stack` (Clang).
    pub safe_stack: bool,
    /// Relocations with addend.
    pub relocations: u64,
    /// Words of packed relocations, which loaders before glibc 2.36 and musl 1.2.4 ignore.
    pub packed_relocations: u64,
    /// Whether it has section headers, which loaders do not use.
    pub section_headers: bool,
    /// Whether it has the symbol table that debuggers use beside the one that loaders use: it is not stripped.
    pub static_symbols: bool,
    /// Symbols that others have to define.
    pub imports: Vec<Import>,
    /// Names of symbols that others can bind to.
    pub exports: Vec<String>,
}

/// A function that runs without being called by name.
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub struct RunFact {
    /// When it runs.
    pub when: When,
    /// Its address relative to the load address; `None` where a symbol of another file decides it, or nothing does.
    pub address: Option<u64>,
    /// The dynamic symbol that it lies in, and how far behind its start, as `name+0x10`.
    pub symbol: Option<String>,
}

/// `PT_TLS`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, JsonSchema, Serialize)]
pub struct ThreadLocal {
    /// Bytes for each thread.
    pub size: u64,
    /// Their alignment.
    pub align: u64,
    /// Relocations that demand a fixed distance from the thread pointer (the initial-exec model).
    pub fixed: u64,
}

/// One symbol that a file imports.
#[derive(Clone, Debug, JsonSchema, Serialize)]
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
        let mut report = Self::of_findings(findings);
        if object.is_none() {
            report.verdict = Verdict::Refused;
        }
        report.facts = object.map(Facts::of);
        report
    }

    /// A report of findings about an object whose facts nobody reads: a load decides by the findings.
    pub(crate) fn of_findings(findings: Vec<Finding>) -> Self {
        let refused = findings.iter().any(|finding| finding.severity == Severity::Refuse);
        let verdict = if refused { Verdict::Refused } else { Verdict::Accepted };
        Self { schema: SCHEMA, verdict, findings, facts: None }
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
        let named = |name: &str| object.symbols().any(|symbol| symbol.name == name);
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
            runs: object.runs().map(RunFact::of).collect(),
            flags: flag_names(object.flags(), object.flags_1()),
            thread_local: object.thread_local().map(|(size, align)| ThreadLocal {
                size,
                align,
                fixed: object.relocations.static_tls,
            }),
            properties: object.properties(),
            fortified: object.fortified(),
            clang_cfi: named("__cfi_check"),
            safe_stack: named("__safestack_init") || named("__safestack_unsafe_stack_ptr"),
            relocations: object.relocations.count,
            packed_relocations: object.relocations.relr,
            section_headers: object.has_sections,
            static_symbols: object.static_symbols,
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

impl RunFact {
    fn of(run: Run<'_>) -> Self {
        let symbol = run.symbol.map(|(name, offset)| match offset {
            0 => escaped(name),
            offset => format!("{}+{}", escaped(name), hex(offset)),
        });
        Self { when: run.when, address: run.address, symbol }
    }
}

/// The bits of the two words of flags that `elf.h` names; others by their value.
fn flag_names(flags: u64, flags_1: u64) -> Vec<String> {
    const FLAGS: [&str; 5] = ["ORIGIN", "SYMBOLIC", "TEXTREL", "BIND_NOW", "STATIC_TLS"];
    const FLAGS_1: [&str; 28] = [
        "NOW",
        "GLOBAL",
        "GROUP",
        "NODELETE",
        "LOADFLTR",
        "INITFIRST",
        "NOOPEN",
        "ORIGIN",
        "DIRECT",
        "TRANS",
        "INTERPOSE",
        "NODEFLIB",
        "NODUMP",
        "CONFALT",
        "ENDFILTEE",
        "DISPRELDNE",
        "DISPRELPND",
        "NODIRECT",
        "IGNMULDEF",
        "NOKSYMS",
        "NOHDR",
        "EDITED",
        "NORELOC",
        "SYMINTPOSE",
        "GLOBAUDIT",
        "SINGLETON",
        "STUB",
        "PIE",
    ];
    let bits = |word: u64, prefix: &'static str, names: &'static [&'static str]| {
        (0..u64::BITS).filter(move |bit| word >> bit & 1 == 1).map(move |bit| {
            let name = usize::try_from(bit).ok().and_then(|bit| names.get(bit));
            name.map_or_else(|| format!("{prefix}{}", hex(1 << bit)), |name| format!("{prefix}{name}"))
        })
    };
    bits(flags, "DF_", &FLAGS).chain(bits(flags_1, "DF_1_", &FLAGS_1)).collect()
}
