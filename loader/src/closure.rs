//! Third step: what the dynamic loader would see, in the plugin and in every library that it needs, and whether the policy
//! permits it. Nothing is executed.

mod gather;

use std::fs::File;
use std::io::{self, Seek as _, Write as _};
use std::path::{Path, PathBuf};

use lazaret_cell::sealed::{CopyError, Sealed};
use lazaret_policy::{Arch, Digest, Policy, SymbolPattern};
use rustix::fs::{MemfdFlags, memfd_create};
use schemars::JsonSchema;
use serde::Serialize;

use self::gather::Closure;
use crate::audit::provenance::{self, Provenance};
use crate::audit::{
    self, Code, Denial, DirectSyscalls, Facts, Finding, Object, Report, Severity, Subject, Symbol, Verdict,
};
use crate::libraries::Libraries;
use crate::open::{self, Opened};
use crate::plan::NamedLibraries;
use crate::reach::{self, Reach};
use crate::search::{FoundBy, libc_of};
use crate::trust::{self, Libc};
use crate::verify::{LIBC, Verified, digest_of};

/// What every cell has mapped before it maps anything else, on glibc: what `lazaret-cell` needs. For an audit that no load
/// follows; a load asks the program itself.
const CELL_LIBRARIES: [&str; 2] = ["libgcc_s.so.1", "libc.so.6"];

/// Most libraries of one plugin: as many as one message has descriptors for, with room for the others.
const LIBRARY_LIMIT: usize = 128;

/// A plugin that the policy permits, with the sealed files of every library it needs.
#[derive(Debug)]
pub struct Audited {
    pub(crate) plugin: Sealed,
    /// Each after those that it needs itself.
    pub(crate) libraries: NamedLibraries,
    pub(crate) object: Object,
    pub(crate) bundle: Option<PathBuf>,
    pub(crate) verdict: trust::Verdict,
}

/// The audit of a plugin and of the libraries it needs.
#[derive(Debug, JsonSchema, Serialize)]
pub struct Audit {
    /// File name, made printable.
    pub file: String,
    /// SHA-256 of the file.
    #[schemars(with = "String")]
    pub digest: Digest,
    /// The plugin's own report. Its verdict is about the plugin alone; [`Audit::verdict`] is about everything.
    #[serde(flatten)]
    pub report: Report,
    /// The C library it is made for, by what it needs; `None` where it needs none.
    #[schemars(with = "Option<String>")]
    pub libc: Option<Libc>,
    /// One for each library that would be mapped with it.
    pub libraries: Vec<LibraryAudit>,
    /// What it reaches by the names that it and its libraries import; for [`inspect`] alone.
    pub reach: Vec<Reach>,
    /// Where it calls the kernel itself, whatever the policy says about that; `None` when it has no single reading.
    pub direct_syscalls: Option<DirectSyscalls>,
    /// What the plugin says about its making; for [`inspect`] alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provenance: Option<Provenance>,
}

/// The audit of a library that a plugin needs.
#[derive(Debug, JsonSchema, Serialize)]
pub struct LibraryAudit {
    /// The `DT_NEEDED` name.
    pub name: String,
    /// Where it was found.
    pub path: PathBuf,
    /// What led there.
    pub found_by: FoundBy,
    /// The libraries that need it, by their `DT_NEEDED` names; the plugin itself is the empty name.
    pub needed_by: Vec<String>,
    /// `DT_NEEDED` of the library, in order.
    pub needs: Vec<String>,
    /// SHA-256 of the file.
    #[schemars(with = "String")]
    pub digest: Digest,
    /// What speaks against it. Its facts are left out: they fill pages and are not the plugin's.
    pub findings: Vec<Finding>,
    /// What it says about its making, but for paths; for [`inspect`] alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provenance: Option<Provenance>,
}

impl Audit {
    /// Whether everything that would be mapped is permitted.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        if self.refused().next().is_some() { Verdict::Refused } else { Verdict::Accepted }
    }

    fn refused(&self) -> impl Iterator<Item = (Option<&LibraryAudit>, &Finding)> {
        let own = self.report.findings.iter().map(|finding| (None, finding));
        let libraries = self
            .libraries
            .iter()
            .flat_map(|library| library.findings.iter().map(move |finding| (Some(library), finding)));
        own.chain(libraries).filter(|(_, finding)| finding.severity == Severity::Refuse)
    }

    /// Every refusal as text, for people.
    #[must_use]
    pub fn refusals(&self) -> String {
        self.refused()
            .map(|(library, finding)| match library {
                None => format!("{finding}\n"),
                Some(library) => format!("in {}, which it needs:\n{finding}\n", open::shown(&library.path)),
            })
            .collect()
    }
}

impl Audited {
    /// Takes bytes that are part of this program, or made from such, as they are: no policy is asked whether it trusts or
    /// permits them. For `prove` alone, whose acts are what every policy refuses. They need nothing but the C library.
    pub(crate) fn built_in(bytes: &[u8]) -> io::Result<Self> {
        let mut file = File::from(memfd_create("lazaret-built-in", MemfdFlags::CLOEXEC)?);
        file.write_all(bytes)?;
        file.rewind()?;
        let plugin = Sealed::copy_of(&file, open::FILE_LIMIT).map_err(|error| match error {
            CopyError::TooLarge => io::ErrorKind::FileTooLarge.into(),
            CopyError::Io(error) => error,
        })?;
        let object = audit::read(plugin.bytes(), Arch::NATIVE).map_err(|findings| {
            io::Error::other(findings.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
        })?;
        let verdict = trust::Verdict::built_in(digest_of(&plugin));
        Ok(Self { plugin, libraries: Vec::new(), object, bundle: None, verdict })
    }
}

/// Where a library is for a process that nothing tells where to search.
pub(crate) fn find(name: &str, machine: &Libraries) -> Option<PathBuf> {
    Some(machine.directories(LIBC).find(name, &[])?.path)
}

impl Verified {
    /// Audits the plugin and every library it needs.
    ///
    /// # Errors
    /// The audit, when it refuses anything that would be mapped.
    pub fn audit(self, policy: &Policy, machine: &Libraries) -> Result<Audited, Box<Audit>> {
        let place = Place { name: &self.name, directory: self.directory.as_deref() };
        let (mut audit, object, libraries) = audited(&place, &self.plugin, self.verdict.digest(), policy, machine);
        match (audit.verdict(), object) {
            (Verdict::Accepted, Some(object)) => {
                tracing::info!(plugin = %audit.file, libraries = libraries.len(), "audited");
                let Self { plugin, verdict, bundle, name: _, directory: _ } = self;
                Ok(Audited { plugin, libraries, object, bundle, verdict })
            }
            (_, object) => {
                audit.report.facts = object.as_ref().map(Facts::of);
                Err(Box::new(audit))
            }
        }
    }
}

/// Audits a file without loading it, and every library that it needs; also one that nobody vouches for.
#[must_use]
pub fn inspect(opened: &Opened, policy: &Policy) -> Audit {
    inspect_among(opened, policy, &Libraries::default())
}

/// The same, for somebody who audits many files with the same libraries.
pub(crate) fn inspect_among(opened: &Opened, policy: &Policy, machine: &Libraries) -> Audit {
    let name = opened.name.to_string_lossy();
    let place = Place { name: &name, directory: opened.directory.as_deref() };
    let (mut audit, object, libraries) = audited(&place, &opened.plugin, digest_of(&opened.plugin), policy, machine);
    if let Some(object) = object {
        audit.report.facts = Some(Facts::of(&object));
        claims_of(&mut audit, provenance::read(opened.plugin.bytes(), &object), &libraries, policy);
        let known = libraries.iter().filter_map(|(name, library)| Some((name.as_str(), library.object.as_ref().ok()?)));
        let libraries: Vec<_> = known.collect();
        // Not in a load, which decides by the policy alone.
        audit.reach = reach::reach(&object, &libraries, policy.elf());
    }
    audit
}

/// What the plugin and its libraries say about their making. A load reads it only where its policy asks.
fn claims_of(audit: &mut Audit, own: Provenance, libraries: &NamedLibraries, policy: &Policy) {
    let warn = |findings: &mut Vec<Finding>, provenance: &Provenance, subject| {
        // Where the policy asks, this was judged.
        if policy.provenance().is_empty() {
            findings.extend(provenance::judge(provenance, subject, policy.provenance()));
            findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
        }
    };
    warn(&mut audit.report.findings, &own, Subject::Plugin);
    audit.provenance = Some(own);
    for (name, library) in libraries {
        let Ok(object) = &library.object else { continue };
        let claims = provenance::claims(library.sealed.bytes(), object);
        if let Some(audit) = audit.libraries.iter_mut().find(|audit| audit.name == *name) {
            warn(&mut audit.findings, &claims, Subject::Dependency);
            audit.provenance = Some(claims);
        }
    }
}

/// What the policy holds against a file's account of its making; nothing is read where it asks for nothing.
fn judge_claims(bytes: &[u8], object: &Object, subject: Subject, policy: &Policy) -> Vec<Finding> {
    let rules = policy.provenance();
    if rules.is_empty() {
        return Vec::new();
    }
    provenance::judge(&provenance::claims(bytes, object), subject, rules)
}

/// What the plugin is called, and the directory it lies in.
struct Place<'a> {
    name: &'a str,
    directory: Option<&'a Path>,
}

fn audited(
    place: &Place<'_>,
    plugin: &Sealed,
    digest: Digest,
    policy: &Policy,
    machine: &Libraries,
) -> (Audit, Option<Object>, NamedLibraries) {
    let file = audit::escape(place.name);
    let audit = |report, libc, libraries| Audit {
        file,
        digest,
        report,
        libc,
        libraries,
        reach: Vec::new(),
        direct_syscalls: None,
        provenance: None,
    };
    match audit::read(plugin.bytes(), Arch::NATIVE) {
        Err(findings) => (audit(Report::new(None, findings), None, Vec::new()), None, Vec::new()),
        Ok(object) => {
            let mut findings = judge(&object, Subject::Plugin, policy);
            // Not in what it needs: the C library and everything like it calls the kernel, that is its work.
            let direct = audit::direct_syscalls(plugin.bytes(), &object);
            findings.extend(direct.judged(policy.elf().direct_syscalls.as_ref()));
            findings.extend(judge_claims(plugin.bytes(), &object, Subject::Plugin, policy));
            let trusted_name = |finding: &Finding| finding.code == Code::SonameTrusted;
            if findings.iter().any(trusted_name) && is_the_library_itself(&object, digest, machine) {
                findings.retain(|finding| !trusted_name(finding));
            }
            let libc = libc_of(&object);
            let mut closure = Closure::new(&object, place.directory, policy, machine);
            closure.gather();
            closure.resolve();
            findings.append(&mut closure.missing);
            findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
            let report = Report::of_findings(findings);
            let (audits, sealed) = closure.finish();
            let audit = Audit { direct_syscalls: Some(direct), ..audit(report, libc, audits) };
            (audit, Some(object), sealed)
        }
    }
}

/// Whether the file is the installed library of its own name: it takes no other's place then.
fn is_the_library_itself(object: &Object, digest: Digest, machine: &Libraries) -> bool {
    let installed = object.soname().and_then(|name| machine.installed(name));
    installed.is_some_and(|installed| installed.digest() == digest)
}

fn judge(object: &Object, subject: Subject, policy: &Policy) -> Vec<Finding> {
    let denied = |symbol: &Symbol<'_>| {
        let rules = policy.elf();
        let denied = if symbol.defined { rules.denied_by(symbol.name) } else { rules.import_denied_by(symbol.name) };
        let (entry, group) = denied?;
        let pattern = match &entry.value {
            SymbolPattern::Group(name) | SymbolPattern::Name(name) => name.clone(),
        };
        Some(Denial { pattern, group: group.map(str::to_owned), origin: entry.origin.clone() })
    };
    audit::judge(object, subject, policy.elf(), &denied)
}
