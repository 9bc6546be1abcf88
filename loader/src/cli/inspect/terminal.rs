//! One audit on a terminal of a hundred columns: what speaks against the file, the gravest first and each thing once; what
//! it reaches; what it is.

use std::io::{self, Write};

use lazaret_policy::Origin;

use super::super::show::{Paint, WIDTH, wrapped};
use super::origin;
use crate::audit::{Code, DirectSyscalls, Facts, Finding, Place, RunFact, Severity, Verdict, tally};
use crate::open::shown;
use crate::reach::{Names, Reach};
use crate::{Audit, FoundBy, LibraryAudit};

/// Where the second column begins.
const COLUMN: usize = 24;

/// How many places of one kind are listed; the JSON form has more.
const MAX_LISTED: usize = 8;

/// How many libraries are named through which a group is reached.
const MAX_PATHS: usize = 2;

/// How many things a sentence is said of at once.
const MAX_LIKEWISE: usize = 24;

pub(super) fn print(audit: &Audit, out: &mut impl Write) -> io::Result<()> {
    let paint = Paint::stdout();
    let verdict = match audit.verdict() {
        Verdict::Accepted => paint.green("accepted"),
        Verdict::Refused => paint.bold_red("refused"),
    };
    writeln!(out, "{}  {verdict}: {}", paint.bold(&audit.file), tallied(&audit.report.findings))?;
    writeln!(out, "{}", audit.digest)?;
    for (severity, title) in [(Severity::Refuse, "REFUSED"), (Severity::Warn, "WARNINGS"), (Severity::Note, "NOTES")] {
        section(title, &audit.report.findings, severity, &paint, out)?;
    }
    reach(&audit.reach, &paint, out)?;
    libraries(&audit.libraries, &paint, out)?;
    if let Some(facts) = &audit.report.facts {
        rows("FILE", &facts_of(facts), &paint, out)?;
    }
    if let Some(found) = audit.direct_syscalls.as_ref().filter(|found| found.instructions > 0) {
        rows("CALLS THE KERNEL ITSELF", &direct_syscalls(found), &paint, out)?;
    }
    rows("MADE FROM, as it says itself", &origin::lines(audit), &paint, out)
}

/// Facts under a title, a line for each.
fn rows(title: &str, lines: &[(&str, String)], paint: &Paint, out: &mut impl Write) -> io::Result<()> {
    if lines.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{}", paint.bold(title))?;
    lines.iter().try_for_each(|(name, value)| row(out, name, value))
}

/// What refuses a file, for somebody who wanted to use it.
pub(in super::super) fn refusals(audit: &Audit, out: &mut impl Write) -> io::Result<()> {
    let paint = Paint::stderr();
    kinds_of(&audit.report.findings, Severity::Refuse, &paint, out)?;
    for library in &audit.libraries {
        if library.findings.iter().any(|finding| finding.severity == Severity::Refuse) {
            writeln!(out, "  in {}, which it needs:", shown(&library.path))?;
            kinds_of(&library.findings, Severity::Refuse, &paint, out)?;
        }
    }
    Ok(())
}

/// How many findings there are of each severity, in words.
pub(super) fn tallied(findings: &[Finding]) -> String {
    let [refusals, warnings, notes] = tally(findings);
    [counted(refusals, "refusal"), counted(warnings, "warning"), counted(notes, "note")].join(", ")
}

pub(super) fn counted(count: u64, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

/// Findings of one kind: advice and rule are said once for all of them.
pub(super) struct Kind<'a> {
    pub(super) code: Code,
    pub(super) rule: Option<&'a Origin>,
    pub(super) next: Option<&'a str>,
    pub(super) findings: Vec<&'a Finding>,
}

/// The findings of one severity, those of one kind together.
pub(super) fn kinds(findings: &[Finding], severity: Severity) -> Vec<Kind<'_>> {
    let mut kinds: Vec<Kind<'_>> = Vec::new();
    for finding in findings.iter().filter(|finding| finding.severity == severity) {
        let (code, rule, next) = (finding.code, finding.rule.as_ref(), finding.next.as_deref());
        match kinds.iter_mut().find(|kind| (kind.code, kind.rule, kind.next) == (code, rule, next)) {
            Some(kind) => kind.findings.push(finding),
            None => kinds.push(Kind { code, rule, next, findings: vec![finding] }),
        }
    }
    kinds
}

fn section(
    title: &str,
    findings: &[Finding],
    severity: Severity,
    paint: &Paint,
    out: &mut impl Write,
) -> io::Result<()> {
    if findings.iter().all(|finding| finding.severity != severity) {
        return Ok(());
    }
    writeln!(out, "\n{}", paint.bold(title))?;
    kinds_of(findings, severity, paint, out)
}

fn kinds_of(findings: &[Finding], severity: Severity, paint: &Paint, out: &mut impl Write) -> io::Result<()> {
    for kind in kinds(findings, severity) {
        let name = match severity {
            Severity::Refuse => paint.bold_red(kind.code.name()),
            Severity::Warn => paint.yellow(kind.code.name()),
            Severity::Note => kind.code.name().to_owned(),
        };
        let rule = kind.rule.map(|rule| format!("  decided by {rule}")).unwrap_or_default();
        writeln!(out, "  {name}{rule}")?;
        match kind.findings.as_slice() {
            [first, others @ ..] if others.len() > 1 && others.iter().all(|other| alike(first, other)) => {
                one(first, out)?;
                likewise(others, out)?;
            }
            all => {
                for finding in all.iter().take(MAX_LISTED) {
                    one(finding, out)?;
                }
                if all.len() > MAX_LISTED {
                    writeln!(out, "    and {} more, which `--json` lists", all.len() - MAX_LISTED)?;
                }
            }
        }
        if let Some(next) = kind.next {
            put(out, "    next: ", 10, next)?;
        }
    }
    Ok(())
}

/// Whether two findings of one kind say the same of two things, which the first word of evidence tells apart.
fn alike(first: &Finding, other: &Finding) -> bool {
    let of = |finding: &Finding| finding.evidence.first().map(|evidence| evidence.name);
    of(first).is_some() && of(first) == of(other)
}

/// What a sentence that was just said holds for as well.
fn likewise(others: &[&Finding], out: &mut impl Write) -> io::Result<()> {
    let values = others.iter().filter_map(|finding| finding.evidence.first()).map(|evidence| evidence.value.as_str());
    let listed: Vec<&str> = values.take(MAX_LIKEWISE).collect();
    let times: u64 = others.iter().map(|finding| finding.times).sum();
    let more = times.saturating_sub(u64::try_from(listed.len()).unwrap_or(u64::MAX));
    let more = if more > 0 { format!(" and {more} more, which `--json` lists") } else { String::new() };
    put(out, "    likewise ", 6, &format!("{}{more}", listed.join(", ")))
}

fn one(finding: &Finding, out: &mut impl Write) -> io::Result<()> {
    let times = if finding.times > 1 { format!(" ({} times)", finding.times) } else { String::new() };
    put(out, "    ", 4, &format!("{}{times}", finding.what))?;
    // What the sentence says already is not said twice.
    let said = |value: &str| finding.what.contains(&format!("`{value}`"));
    let evidence: Vec<String> = finding
        .evidence
        .iter()
        .filter(|evidence| !said(&evidence.value))
        .map(|evidence| format!("{} {}", evidence.name, evidence.value))
        .collect();
    if evidence.is_empty() { Ok(()) } else { put(out, "      ", 6, &evidence.join(", ")) }
}

/// Text behind a label, with the lines that follow indented.
fn put(out: &mut impl Write, label: &str, indent: usize, text: &str) -> io::Result<()> {
    for (at, line) in wrapped(text, WIDTH - indent).into_iter().enumerate() {
        if at == 0 { writeln!(out, "{label}{line}")? } else { writeln!(out, "{:indent$}{line}", "")? }
    }
    Ok(())
}

fn row(out: &mut impl Write, name: &str, text: &str) -> io::Result<()> {
    let label = format!("  {name:<0$}  ", COLUMN - 4);
    put(out, &label, label.chars().count().clamp(COLUMN, WIDTH / 2), text)
}

fn names(names: &Names, most: usize) -> String {
    let mut text = names.first.iter().take(most).cloned().collect::<Vec<_>>().join(" ");
    let shown = u64::try_from(names.first.len().min(most)).unwrap_or(u64::MAX);
    if names.count > shown {
        text += &format!(" and {} more", names.count - shown);
    }
    text
}

fn reach(reach: &[Reach], paint: &Paint, out: &mut impl Write) -> io::Result<()> {
    if reach.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{}", paint.bold("REACHES by the names it imports"))?;
    for group in reach.iter().filter(|group| !group.everyday) {
        let denied = group.denied_by.as_ref().map(|rule| format!(" [denied by {rule}]")).unwrap_or_default();
        let own = if group.imports.count > 0 { names(&group.imports, 8) } else { "not by itself".to_owned() };
        row(out, group.group, &format!("{own}{denied}"))?;
        for through in group.through.iter().take(MAX_PATHS) {
            row(out, "", &format!("through {}: {}", through.path.join(" > "), names(&through.imports, 4)))?;
        }
        if group.through.len() > MAX_PATHS {
            row(out, "", &format!("and {} more", group.through.len() - MAX_PATHS))?;
        }
    }
    let everyday: Vec<String> = reach
        .iter()
        .filter(|group| group.everyday)
        .map(|group| format!("{} {}", group.group, group.imports.count))
        .collect();
    if everyday.is_empty() { Ok(()) } else { row(out, "everyday", &everyday.join(", ")) }
}

/// Where a library is, and what led there if that was a stranger's search path.
pub(super) fn place_of(library: &LibraryAudit) -> String {
    let led = match library.found_by {
        FoundBy::Rpath => ", found by `DT_RPATH`",
        FoundBy::Runpath => ", found by `DT_RUNPATH`",
        FoundBy::Cache | FoundBy::PathFile | FoundBy::Default => "",
    };
    format!("{}{led}", shown(&library.path))
}

fn libraries(libraries: &[LibraryAudit], paint: &Paint, out: &mut impl Write) -> io::Result<()> {
    if libraries.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{}", paint.bold("NEEDS"))?;
    for library in libraries {
        let notes = tally(&library.findings)[2];
        let notes = if notes > 0 { format!("  ({})", counted(notes, "note")) } else { String::new() };
        row(out, &library.name, &format!("{}{notes}", place_of(library)))?;
        // Notes on libraries of the system are many and nobody's to mend; they are in the JSON form.
        for finding in library.findings.iter().filter(|finding| finding.severity != Severity::Note) {
            put(out, &format!("    {} ", paint.bold_red(finding.code.name())), 6, &finding.what)?;
        }
    }
    Ok(())
}

/// What a file is, a line for each fact.
pub(super) fn facts_of(facts: &Facts) -> Vec<(&'static str, String)> {
    let none = || "none".to_owned();
    let or_none = |list: Vec<String>| if list.is_empty() { none() } else { list.join(" ") };
    let hardening = |holds: bool| facts.hardening.iter().filter(move |(_, has)| **has == holds);
    let names = |holds| or_none(hardening(holds).map(|(name, _)| name.name().to_owned()).collect());
    let symbols = format!("{} imported, {} exported", facts.imports.len(), facts.exports.len());
    let mut lines = vec![
        ("architecture", format!("{:?}", facts.arch).to_lowercase()),
        ("soname", facts.soname.clone().unwrap_or_else(none)),
        ("needed", or_none(facts.needed.clone())),
        ("build id", facts.build_id.clone().unwrap_or_else(none)),
        ("hardening", format!("{}; without {}", names(true), names(false))),
        ("flags", or_none(facts.flags.clone())),
        ("mapped", facts.loads.iter().map(load).collect::<Vec<_>>().join(", ")),
        ("symbols", format!("{symbols}{}", if facts.static_symbols { ", not stripped" } else { "" })),
        ("relocations", format!("{}, packed words {}", facts.relocations, facts.packed_relocations)),
        (
            "checked calls",
            format!("{} fortified, {} that could be", facts.fortified.checked, facts.fortified.unchecked),
        ),
    ];
    if let Some(path) = facts.rpath.as_ref().or(facts.runpath.as_ref()) {
        lines.push(("search path", path.clone()));
    }
    if let Some(block) = facts.thread_local {
        let fixed = if block.fixed > 0 { ", at a fixed place" } else { "" };
        lines.push(("thread-local", format!("{} bytes{fixed}", block.size)));
    }
    let clang = [("control-flow integrity", facts.clang_cfi), ("safe stack", facts.safe_stack)];
    let clang: Vec<&str> = clang.iter().filter(|(_, has)| *has).map(|(name, _)| *name).collect();
    if !clang.is_empty() {
        lines.push(("of Clang", clang.join(", ")));
    }
    if let Some(level) = facts.properties.isa_level {
        lines.push(("processor", format!("x86-64-v{level} at least")));
    }
    let run = |run: &RunFact| {
        let address = run.address.map(|address| format!(" {address:#x}")).unwrap_or_default();
        let symbol = run.symbol.as_ref().map(|symbol| format!(" {symbol}")).unwrap_or_default();
        format!("{}{address}{symbol}", run.when.name())
    };
    let runs: Vec<String> = facts.runs.iter().take(MAX_LISTED).map(run).collect();
    let more = facts.runs.len().saturating_sub(MAX_LISTED);
    let more = if more > 0 { format!(", and {more} more") } else { String::new() };
    lines.push(("runs by itself", format!("{}{more}", if runs.is_empty() { none() } else { runs.join(", ") })));
    lines
}

/// The first instructions that enter the kernel, a line for each.
fn direct_syscalls(found: &DirectSyscalls) -> Vec<(&'static str, String)> {
    let instructions = found.places.iter().filter(|place| place.instruction);
    let line = |place: &Place| {
        let call = place.name.map(str::to_owned).or(place.number.map(|number| number.to_string()));
        let symbol = place.symbol.as_ref().map(|(name, from)| format!(" {name}+{from:#x}")).unwrap_or_default();
        let call = call.map(|call| format!(": {call}")).unwrap_or_default();
        (place.kind.mnemonic(), format!("at {:#x}{symbol}{call}", place.address))
    };
    let mut lines: Vec<_> = instructions.take(MAX_LISTED).map(line).collect();
    let more = found.instructions.saturating_sub(u64::try_from(lines.len()).unwrap_or(u64::MAX));
    if more > 0 {
        lines.push(("", format!("and {more} more, of which `--json` lists the first")));
    }
    lines
}

fn load(load: &crate::audit::Load) -> String {
    let flags = [('w', load.writable), ('x', load.executable)];
    let flags: String = flags.iter().map(|(flag, on)| if *on { *flag } else { '-' }).collect();
    format!("r{flags} {}", bytes(load.size))
}

/// A size as people read it.
pub(super) fn bytes(size: u64) -> String {
    match size {
        0..1024 => format!("{size} B"),
        1024..0x10_0000 => format!("{} KiB", size / 1024),
        _ => format!("{}.{} MiB", size >> 20, (size >> 10) % 1024 * 10 / 1024),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_short() {
        assert_eq!([0, 1023, 1024, 1_572_864].map(bytes), ["0 B", "1023 B", "1 KiB", "1.5 MiB"]);
    }
}
