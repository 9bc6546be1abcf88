//! `lazaret inspect`: the audit of files. Nothing of them is executed, and nobody needs to vouch for them.

mod files;
mod graph;
mod html;
mod origin;
mod sarif;
mod summary;
pub(super) mod terminal;

use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::time::Instant;

use lazaret_policy::Policy;
use schemars::JsonSchema;
use serde::Serialize;

use super::{InspectWords, show};
use crate::audit::Verdict;
use crate::closure::inspect_among;
use crate::error::ExitStatus;
use crate::{Audit, Error, Libraries, Opened, Policies};

pub(super) const HELP: &str = "\
Examples:
  lazaret inspect libcodec.so --policy codec.toml
  lazaret inspect libcodec.so --html audit.html
  lazaret inspect build/plugins --sarif > audit.sarif
  lazaret inspect /usr/lib
A directory that is no bundle stands for every shared object in it, and for many files a table is printed.";

/// More files than these are a table, not one report after the other.
const MAX_REPORTS: usize = 8;

/// What `lazaret inspect --json` prints.
#[derive(JsonSchema, Serialize)]
struct Inspected<'a> {
    /// Version of this form: raised when a field changes its meaning or disappears. Fields may be added.
    schema: u32,
    policy: Under<'a>,
    /// One for each file, in the order of the words.
    files: Vec<File>,
}

/// The policy that the files were held against.
#[derive(JsonSchema, Serialize)]
struct Under<'a> {
    name: &'a str,
    /// The texts it is made of, the first one extending the next.
    sources: &'a [String],
}

#[derive(JsonSchema, Serialize)]
#[serde(untagged)]
enum File {
    /// What was found.
    Audited(Box<Audit>),
    /// A file that was not audited, and why.
    Unreadable { file: String, error: serde_json::Value },
}

/// The JSON Schema of what `--json` prints.
fn schema() -> schemars::Schema {
    let settings = schemars::generate::SchemaSettings::draft2020_12().for_serialize();
    settings.into_generator().into_root_schema_for::<Inspected<'_>>()
}

/// What one file came to.
type Seen = Result<(Box<Audit>, bool), Error>;

/// Where audits go as they come.
enum Form {
    Text,
    Table(summary::Summary),
    /// Whether a file was written already.
    Json {
        some: bool,
    },
    Sarif(sarif::Run),
}

pub(super) fn run(words: &InspectWords, out: &mut impl Write) -> io::Result<ExitStatus> {
    if words.schema {
        show::json(&schema(), out)?;
        return Ok(ExitStatus::Done);
    }
    let policies = Policies::of_this_machine();
    let policy = match policies.and_then(|policies| policies.resolve(&words.policy.policy)) {
        Ok(policy) => policy,
        Err(error) => return show::error(&error, words.json || words.sarif, out),
    };
    let (files, walked) = files::named(&words.files);
    if files.is_empty() {
        let message = "there is no shared object in what was named";
        return show::mistake(
            "E-NO-FILE",
            message,
            Some("give files, bundles, or directories of them"),
            words.json,
            out,
        );
    }
    if words.sbom.is_some() && (walked || files.len() != 1) {
        let message = "an SBOM is about one file";
        return show::mistake("E-USAGE", message, Some("name one shared object, or one bundle"), words.json, out);
    }
    let table = walked || files.len() > MAX_REPORTS;
    let form = match (words.json, words.sarif) {
        (true, _) => Form::Json { some: false },
        (_, true) => Form::Sarif(sarif::Run::default()),
        _ if table => Form::Table(summary::Summary::default()),
        _ => Form::Text,
    };
    let mut report = Report {
        sbom: words.sbom.as_ref().map(|_| serde_json::Value::Null),
        form,
        page: words.html.as_ref().map(|_| html::Page::new(&policy, files.len())),
        status: ExitStatus::Done,
    };
    let began = Instant::now();
    report.begin(&policy, out)?;
    let machine = Libraries::default();
    let work = |path: &Path| -> Seen {
        let opened = Opened::open(path).map_err(Error::Open)?;
        Ok((Box::new(inspect_among(&opened, &policy, &machine)), opened.is_bundle()))
    };
    files::each(&files, table, work, |path, seen| report.add(path, seen, out))?;
    let (page, sbom, status) = (report.page.take(), report.sbom.take(), report.status);
    report.end(&policy, began, out)?;
    if let (Some(sbom), Some(path)) = (sbom.filter(|sbom| !sbom.is_null()), &words.sbom) {
        if let Err(error) = fs::write(path, format!("{sbom:#}\n")) {
            return unwritten(path, &error, out);
        }
        if !words.json && !words.sarif {
            show::note(&format!("the SBOM is in `{}`", crate::open::shown(path)))?;
        }
    }
    if let (Some(page), Some(path)) = (page, &words.html) {
        if let Err(error) = fs::write(path, page.finish()) {
            return unwritten(path, &error, out);
        }
        if !words.json && !words.sarif {
            show::note(&format!("the page is in `{}`", crate::open::shown(path)))?;
        }
    }
    Ok(status)
}

fn unwritten(path: &Path, error: &io::Error, out: &mut impl Write) -> io::Result<ExitStatus> {
    let message = format!("`{}` cannot be written: {error}", crate::open::shown(path));
    show::mistake("E-OUTPUT", &message, None, false, out)
}

/// What is made of the audits of one command.
struct Report {
    form: Form,
    page: Option<html::Page>,
    /// Null until there is an audit.
    sbom: Option<serde_json::Value>,
    status: ExitStatus,
}

impl Report {
    fn begin(&self, policy: &Policy, out: &mut impl Write) -> io::Result<()> {
        let Form::Json { .. } = self.form else { return Ok(()) };
        let under = serde_json::to_string(&Under { name: policy.name(), sources: policy.sources() })?;
        // Written file by file: what is said of a thousand files does not fit into memory.
        write!(out, "{{\n\"schema\": {},\n\"policy\": {under},\n\"files\": [", show::SCHEMA)
    }

    fn add(&mut self, path: &Path, seen: Seen, out: &mut impl Write) -> io::Result<()> {
        let (audit, bundle) = match seen {
            Ok(seen) => seen,
            Err(error) => return self.failed(path, &error, out),
        };
        if audit.verdict() == Verdict::Refused && self.status == ExitStatus::Done {
            self.status = ExitStatus::Refused;
        }
        if let Some(page) = &mut self.page {
            page.add(path, &audit);
        }
        if let Some(sbom) = &mut self.sbom {
            *sbom = crate::sbom::cyclonedx(&audit);
        }
        match &mut self.form {
            Form::Text => {
                terminal::print(&audit, out)?;
                if bundle {
                    show::note("an audit is about the shared object; `plugin.json` and signatures are for loading")?;
                }
                writeln!(out)
            }
            Form::Table(table) => {
                table.add(path, &audit);
                Ok(())
            }
            Form::Sarif(run) => {
                run.add(path, &audit);
                Ok(())
            }
            Form::Json { some } => json_file(some, &File::Audited(audit), out),
        }
    }

    /// The others are still audited; that one could not be read outranks what they say.
    fn failed(&mut self, path: &Path, error: &Error, out: &mut impl Write) -> io::Result<()> {
        self.status = ExitStatus::Usage;
        if let Some(page) = &mut self.page {
            page.failed(path, error);
        }
        match &mut self.form {
            Form::Text => show::error(error, false, out).map(drop),
            Form::Table(table) => {
                table.failed();
                show::error(error, false, out).map(drop)
            }
            Form::Sarif(run) => {
                run.failed(path, error);
                Ok(())
            }
            Form::Json { some } => {
                let error = serde_json::to_value(show::reason(error)?)?;
                json_file(some, &File::Unreadable { file: crate::open::shown(path), error }, out)
            }
        }
    }

    fn end(self, policy: &Policy, began: Instant, out: &mut impl Write) -> io::Result<()> {
        match self.form {
            Form::Text => Ok(()),
            Form::Table(table) => {
                table.print(&format!("the policy {}", crate::audit::escape(policy.name())), began.elapsed(), out)
            }
            Form::Sarif(run) => show::json(&run.log(), out),
            Form::Json { .. } => writeln!(out, "\n]\n}}"),
        }
    }
}

fn json_file(some: &mut bool, file: &File, out: &mut impl Write) -> io::Result<()> {
    out.write_all(if std::mem::replace(some, true) { b",\n" } else { b"\n" })?;
    serde_json::to_writer_pretty(&mut *out, file)?;
    Ok(())
}
