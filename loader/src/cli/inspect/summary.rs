//! Many audits as one table: what became of the files, what was found how often, how they are built.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use lazaret_policy::Hardening;

use super::super::show::{Paint, WIDTH, wrapped};
use crate::Audit;
use crate::audit::{Code, Severity, Verdict};
use crate::open::shown;

/// How many files that nothing can accept are listed.
const MAX_LISTED: usize = 50;

/// How often something was found.
#[derive(Default)]
struct Found {
    files: u64,
    times: u64,
    /// The first of them.
    example: String,
}

/// What is kept of many audits.
#[derive(Default)]
pub(super) struct Summary {
    files: u64,
    accepted: u64,
    /// Files that no policy accepts: code and sentence of the first structural finding.
    structural: Vec<(PathBuf, Code, String)>,
    structural_count: u64,
    unreadable: u64,
    found: BTreeMap<(std::cmp::Reverse<Severity>, Code), Found>,
    hardening: BTreeMap<Hardening, u64>,
    /// Files whose hardening is known.
    read: u64,
}

impl Summary {
    pub(super) fn add(&mut self, path: &Path, audit: &Audit) {
        self.files += 1;
        if audit.verdict() == Verdict::Accepted {
            self.accepted += 1;
        }
        if let Some(facts) = &audit.report.facts {
            self.read += 1;
            for (property, _) in facts.hardening.iter().filter(|(_, holds)| **holds) {
                *self.hardening.entry(*property).or_default() += 1;
            }
        } else if let Some(first) = audit.report.findings.first() {
            self.structural_count += 1;
            if self.structural.len() < MAX_LISTED {
                self.structural.push((path.to_owned(), first.code, first.what.clone()));
            }
        }
        let mut last = None;
        let mut findings: Vec<_> = audit.report.findings.iter().collect();
        findings.sort_by_key(|finding| (std::cmp::Reverse(finding.severity), finding.code));
        for finding in findings {
            let kind = (std::cmp::Reverse(finding.severity), finding.code);
            let found = self
                .found
                .entry(kind)
                .or_insert_with(|| Found { example: format!("{}: {}", audit.file, finding.what), ..Found::default() });
            found.files += u64::from(last != Some(kind));
            found.times += finding.times;
            last = Some(kind);
        }
    }

    pub(super) fn failed(&mut self) {
        self.files += 1;
        self.unreadable += 1;
    }

    pub(super) fn print(&self, policy: &str, took: Duration, out: &mut impl Write) -> io::Result<()> {
        let paint = Paint::stdout();
        let by_policy = self.files - self.accepted - self.structural_count - self.unreadable;
        let plural = if self.files == 1 { "" } else { "s" };
        writeln!(out, "{} file{plural} in {:.1} s under {policy}:", self.files, took.as_secs_f64())?;
        writeln!(out, "  {:>6} {}", self.accepted, paint.green("accepted"))?;
        writeln!(out, "  {by_policy:>6} refused by the policy")?;
        writeln!(out, "  {:>6} {}", self.structural_count, paint.bold_red("refused for what they are, by any policy"))?;
        if self.unreadable > 0 {
            writeln!(out, "  {:>6} {}", self.unreadable, paint.bold_red("could not be read"))?;
        }
        writeln!(out, "\n{}", paint.bold(&format!("{:<36}{:>6}  {:>7}  FIRST", "FOUND", "FILES", "TIMES")))?;
        for ((severity, code), found) in &self.found {
            let word = match severity.0 {
                Severity::Refuse => paint.bold_red("refuse"),
                Severity::Warn => paint.yellow("warn  "),
                Severity::Note => "note  ".to_owned(),
            };
            let example: String = found.example.chars().take(WIDTH - 53).collect();
            writeln!(out, "{word} {:<28} {:>6}  {:>7}  {example}", code.name(), found.files, found.times)?;
        }
        writeln!(out, "\n{}", paint.bold("BUILT WITH"))?;
        for property in Hardening::ALL {
            let count = self.hardening.get(&property).copied().unwrap_or(0);
            let percent = (count * 100).checked_div(self.read).unwrap_or(0);
            writeln!(out, "{:<20} {count:>6} of {} ({percent} %)", property.name(), self.read)?;
        }
        if self.structural.is_empty() {
            return Ok(());
        }
        writeln!(out, "\n{}", paint.bold("REFUSED FOR WHAT THEY ARE"))?;
        for (path, code, what) in &self.structural {
            writeln!(out, "{}", shown(path))?;
            for line in wrapped(&format!("{} {what}", code.name()), WIDTH - 4) {
                writeln!(out, "    {line}")?;
            }
        }
        let more = self.structural_count.saturating_sub(u64::try_from(self.structural.len()).unwrap_or(u64::MAX));
        if more > 0 { writeln!(out, "and {more} more, which `--json` lists") } else { Ok(()) }
    }
}
