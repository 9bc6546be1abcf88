//! Audits as one page that needs nothing else: no script, no font, no file beside it. Strings of files are printable ASCII
//! in an audit; here they are text, never markup.

use std::path::Path;

use lazaret_policy::Policy;

use super::super::page::{self, escape, markup, put, sentence};
use super::terminal::{bytes, counted, facts_of, kinds, place_of, tallied};
use super::{graph, origin};
use crate::audit::{DirectSyscalls, Facts, Finding, Load, Severity, Verdict, tally};
use crate::error::chain;
use crate::open::shown;
use crate::reach::{Names, Reach};
use crate::{Audit, Error, LibraryAudit};

const STYLE: &str = include_str!("style.css");

/// Of more files than these, a page has the table alone: a section is about twenty kilobytes.
const MAX_SECTIONS: usize = 200;

/// A page about files, file by file.
pub(super) struct Page {
    title: String,
    rows: String,
    sections: String,
    /// Whether every file has a section of its own.
    whole: bool,
    files: usize,
    refused: usize,
}

impl Page {
    pub(super) fn new(policy: &Policy, files: usize) -> Self {
        let plural = if files == 1 { "" } else { "s" };
        let title = format!("{files} file{plural} under the policy {}", policy.name());
        let whole = files <= MAX_SECTIONS;
        Self { title, rows: String::new(), sections: String::new(), whole, files: 0, refused: 0 }
    }

    pub(super) fn add(&mut self, path: &Path, audit: &Audit) {
        let (at, verdict) = (self.files, verdict(audit));
        self.files += 1;
        self.refused += usize::from(audit.verdict() == Verdict::Refused);
        let [refusals, warnings, notes] = tally(&audit.report.findings);
        let name = markup(&shown(path));
        let name = if self.whole { format!("<a href=\"#file-{at}\">{name}</a>") } else { name };
        let cells = [refusals, warnings, notes].map(|count| format!("<td>{count}</td>")).concat();
        let row = format_args!("<tr><th scope=\"row\">{name}</th><td class=\"{verdict}\">{verdict}</td>{cells}</tr>\n");
        put(&mut self.rows, row);
        if self.whole {
            section(&mut self.sections, at, path, audit);
        }
    }

    pub(super) fn failed(&mut self, path: &Path, error: &Error) {
        self.files += 1;
        let (name, why) = (markup(&shown(path)), escape(&chain(error)));
        let row =
            format_args!("<tr><th scope=\"row\">{name}</th><td class=\"refused\" colspan=\"4\">{why}</td></tr>\n");
        put(&mut self.rows, row);
    }

    pub(super) fn finish(self) -> String {
        let title = escape(&self.title);
        let mut body = format!("<h1>{title}</h1>\n");
        if self.files > 1 {
            let head: String = ["File", "Verdict", "Refusals", "Warnings", "Notes"]
                .map(|name| format!("<th scope=\"col\">{name}</th>"))
                .concat();
            let class = if self.refused > 0 { "refused" } else { "accepted" };
            put(
                &mut body,
                format_args!("<p class=\"summary {class}\">{} of {} refused</p>\n", self.refused, self.files),
            );
            put(
                &mut body,
                format_args!(
                    "<div class=\"wide\"><table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{}</tbody>\n</table></div>\n",
                    self.rows
                ),
            );
        } else if self.sections.is_empty() {
            put(&mut body, format_args!("<table><tbody>{}</tbody></table>\n", self.rows));
        }
        body += &self.sections;
        page::page(&format!("lazaret inspect: {}", self.title), STYLE, &body)
    }
}

fn verdict(audit: &Audit) -> &'static str {
    match audit.verdict() {
        Verdict::Accepted => "accepted",
        Verdict::Refused => "refused",
    }
}

fn section(page: &mut String, at: usize, path: &Path, audit: &Audit) {
    let verdict = verdict(audit);
    put(
        page,
        format_args!(
            "<section id=\"file-{at}\">\n<h2>{}</h2>\n\
             <p class=\"summary {verdict}\">{verdict}: {}</p>\n\
             <p class=\"mono quiet\">{}</p>\n",
            markup(&shown(path)),
            tallied(&audit.report.findings),
            audit.digest
        ),
    );
    findings(page, &audit.report.findings);
    reach(page, &audit.reach);
    if audit.report.facts.as_ref().is_some_and(|facts| !facts.needed.is_empty()) {
        put(page, format_args!("<h3>What is mapped with it</h3>\n<div class=\"graph\">{}</div>\n", graph::svg(audit)));
        libraries(page, &audit.libraries);
    }
    if let Some(facts) = &audit.report.facts {
        memory(page, facts);
        if let Some(found) = &audit.direct_syscalls {
            direct_syscalls(page, found);
        }
        lines(page, "The file", &facts_of(facts));
    }
    lines(page, "What it is made from, as it says itself", &origin::lines(audit));
    *page += "</section>\n";
}

fn findings(page: &mut String, findings: &[Finding]) {
    for (severity, title, class) in [
        (Severity::Refuse, "What refuses it", "refuse"),
        (Severity::Warn, "Warnings", "warn"),
        (Severity::Note, "Notes", "note"),
    ] {
        let kinds = kinds(findings, severity);
        if kinds.is_empty() {
            continue;
        }
        let open = if severity == Severity::Note { "" } else { " open" };
        put(page, format_args!("<details{open}>\n<summary><strong>{title}</strong></summary>\n"));
        for kind in kinds {
            put(page, format_args!("<div class=\"finding {class}\">\n<p class=\"kind\">{}</p>\n<ul>\n", kind.code));
            for finding in &kind.findings {
                let times = if finding.times > 1 { format!(" ({} times)", finding.times) } else { String::new() };
                put(page, format_args!("<li>{}{times}", sentence(&finding.what)));
                let evidence = finding.evidence.iter().map(|evidence| format!("{} {}", evidence.name, evidence.value));
                let evidence = evidence.collect::<Vec<_>>().join(", ");
                if !evidence.is_empty() {
                    put(page, format_args!("<br><span class=\"evidence mono\">{}</span>", markup(&evidence)));
                }
                *page += "</li>\n";
            }
            *page += "</ul>\n";
            if let Some(rule) = &kind.rule {
                put(page, format_args!("<p class=\"rule\">decided by {}</p>\n", sentence(&rule.to_string())));
            }
            if let Some(next) = &kind.next {
                put(page, format_args!("<p class=\"next\">next: {}</p>\n", sentence(next)));
            }
            *page += "</div>\n";
        }
        *page += "</details>\n";
    }
}

fn names(names: &Names) -> String {
    let more = names.count.saturating_sub(u64::try_from(names.first.len()).unwrap_or(u64::MAX));
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{more}", markup(&names.first.join(" ")))
}

/// A bar for each group: longer for more symbols, by the square root, so that three are seen beside a thousand.
fn reach(page: &mut String, reach: &[Reach]) {
    if reach.is_empty() {
        return;
    }
    *page += "<h3>What it reaches by the names it imports</h3>\n<p class=\"quiet\">";
    for (class, means) in [("denied", "denied by the policy"), ("power", "out of the ordinary"), ("", "everyday")] {
        let colour = match class {
            "denied" => "#b3261e",
            "power" => "#c07800",
            _ => "#4a5a6a",
        };
        put(page, format_args!("<span class=\"key\" style=\"background:{colour}\"></span>{means} &nbsp; "));
    }
    *page += "</p>\n<div class=\"groups\">\n";
    let most = reach.iter().map(|group| group.imports.count).max().unwrap_or(1).max(1);
    for group in reach {
        let class = match (&group.denied_by, group.everyday) {
            (Some(_), _) => "denied",
            (None, true) => "",
            (None, false) => "power",
        };
        let width = (group.imports.count as f64 / most as f64).sqrt() * 100.0;
        let bar = if group.imports.count > 0 {
            format!("<div class=\"bar {class}\" style=\"width:{width:.0}%\"></div>")
        } else {
            String::new()
        };
        let own = if group.imports.count > 0 { names(&group.imports) } else { "not by itself".to_owned() };
        let paths: String = group
            .through
            .iter()
            .map(|through| {
                let path = markup(&through.path.join(" › "));
                format!("<span class=\"through\">{path}: {}</span>", names(&through.imports))
            })
            .collect();
        let through = match group.through.len() {
            0 => String::new(),
            1 => format!("<details><summary>through 1 library</summary>{paths}</details>"),
            count => format!("<details><summary>through {count} libraries</summary>{paths}</details>"),
        };
        let rule = group
            .denied_by
            .as_ref()
            .map(|rule| format!("<span class=\"through\">denied by {}</span>", sentence(&rule.to_string())));
        put(
            page,
            format_args!(
                "<div title=\"{}\"><strong>{}</strong> {}</div><div>{bar}</div><div class=\"names mono\">{own}{through}{}</div>\n",
                markup(&group.means),
                group.group,
                group.imports.count,
                rule.unwrap_or_default()
            ),
        );
    }
    *page += "</div>\n";
}

fn libraries(page: &mut String, libraries: &[LibraryAudit]) {
    if libraries.is_empty() {
        return;
    }
    *page += "<div class=\"wide\"><table>\n<thead><tr><th scope=\"col\">Library</th><th scope=\"col\">File</th>\
              <th scope=\"col\">Found</th></tr></thead>\n<tbody>\n";
    for library in libraries {
        let grave = library.findings.iter().filter(|finding| finding.severity != Severity::Note);
        let mut found: String = grave
            .map(|finding| format!("<span class=\"refuse\">{} {}</span><br>", finding.code, sentence(&finding.what)))
            .collect();
        let notes = tally(&library.findings)[2];
        if notes > 0 {
            found += &counted(notes, "note");
        }
        put(
            page,
            format_args!(
                "<tr><th scope=\"row\">{}</th><td class=\"mono\">{}<br><span class=\"quiet\">{}</span></td><td>{found}</td></tr>\n",
                markup(&library.name),
                markup(&place_of(library)),
                library.digest
            ),
        );
    }
    *page += "</tbody>\n</table></div>\n";
}

fn class_of(load: &Load) -> &'static str {
    match (load.writable, load.executable) {
        (false, false) => "r",
        (true, false) => "rw",
        (false, true) => "rx",
        (true, true) => "rwx",
    }
}

/// The parts of the file in memory, each as wide as the square root of its size.
fn memory(page: &mut String, facts: &Facts) {
    *page += "<h3>Memory</h3>\n<div class=\"memory\">\n";
    for load in &facts.loads {
        let class = class_of(load);
        let (grow, size) = ((load.size as f64).sqrt().max(1.0), bytes(load.size));
        let title =
            format!("{class} at {:#x}, {} bytes, {} of them from the file", load.address, load.size, load.file_size);
        put(
            page,
            format_args!(
                "<div class=\"{class}\" style=\"flex-grow:{grow:.0}\" title=\"{title}\">{class}<br>{size}</div>\n"
            ),
        );
    }
    *page += "</div>\n<div class=\"wide\"><table>\n<thead><tr><th scope=\"col\">Address</th><th scope=\"col\">May</th>\
              <th scope=\"col\">In memory</th><th scope=\"col\">From the file</th></tr></thead>\n<tbody>\n";
    for load in &facts.loads {
        let class = class_of(load);
        let may = match class {
            "r" => "be read",
            "rw" => "be read and written",
            "rx" => "be read and executed",
            _ => "be read, written and executed",
        };
        put(
            page,
            format_args!(
                "<tr><td class=\"mono\">{:#x}</td><td><span class=\"key {class}\"></span>{may}</td><td>{} bytes</td><td>{}</td></tr>\n",
                load.address, load.size, load.file_size
            ),
        );
    }
    *page += "</tbody>\n</table></div>\n";
}

fn lines(page: &mut String, title: &str, lines: &[(&str, String)]) {
    if lines.is_empty() {
        return;
    }
    put(page, format_args!("<h3>{title}</h3>\n<dl class=\"facts\">\n"));
    for (name, value) in lines {
        put(page, format_args!("<dt>{name}</dt><dd>{}</dd>\n", markup(value)));
    }
    *page += "</dl>\n";
}

/// Where code calls the kernel itself, the first places of each sort.
fn direct_syscalls(page: &mut String, found: &DirectSyscalls) {
    if found.places.is_empty() {
        return;
    }
    let bytes = if found.bytes > 0 {
        format!(", and {} in other instructions or in data", counted(found.bytes, "place"))
    } else {
        String::new()
    };
    put(
        page,
        format_args!("<h3>Direct system calls</h3>\n<p>{}{bytes}</p>\n", counted(found.instructions, "instruction")),
    );
    *page += "<details><summary>the first of them</summary><div class=\"wide\"><table>\n<thead><tr><th scope=\"col\">Address</th>\
              <th scope=\"col\">In</th><th scope=\"col\">Instruction</th><th scope=\"col\">Call</th></tr></thead>\n<tbody>\n";
    for place in &found.places {
        let symbol =
            place.symbol.as_ref().map(|(name, from)| format!("{}+{from:#x}", markup(name))).unwrap_or_default();
        let sort = if place.instruction { "" } else { ", if jumped to" };
        let call = match (place.name, place.number) {
            (Some(name), _) => name.to_owned(),
            (None, Some(number)) => number.to_string(),
            (None, None) => String::new(),
        };
        put(
            page,
            format_args!(
                "<tr><td class=\"mono\">{:#x}</td><td class=\"mono\">{symbol}</td><td>{}{sort}</td><td class=\"mono\">{call}</td></tr>\n",
                place.address,
                place.kind.mnemonic()
            ),
        );
    }
    *page += "</tbody>\n</table></div></details>\n";
}
