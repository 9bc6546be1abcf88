//! How the program speaks: text for people on standard error, results on standard output, or JSON for both.
//!
//! Whatever a plugin or a file may have written is made printable before it is printed.

use std::io::{self, IsTerminal as _, Write};

use lazaret_policy::{Palette, State};
use serde::Serialize;

use crate::audit::escape;
use crate::call::{Output, SignatureError, Value};
use crate::cell::{CellError, Enforcement, Reports};
use crate::error::{Error, ExitStatus, chain};
use crate::outcome::{CallRefusal, Crash, Evidence, Outcome, TimeLimit, Violation};
use crate::trust::Acceptance;

/// Version of everything printed with `--json`.
pub(super) const SCHEMA: u32 = 1;

/// How a call ended, in JSON: with the code and the sentence that people read.
#[derive(Serialize)]
pub(super) struct Ended<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
    message: String,
    #[serde(flatten)]
    outcome: &'a Outcome,
}

impl<'a> Ended<'a> {
    pub(super) fn of(outcome: &'a Outcome) -> Self {
        Self { code: outcome.code(), message: outcome.to_string(), outcome }
    }
}

/// Prints one JSON document.
pub(super) fn json(value: &impl Serialize, out: &mut impl Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, value)?;
    writeln!(out)
}

#[derive(Serialize)]
struct JsonError<'a> {
    schema: u32,
    error: JsonReason<'a>,
}

/// Why something was not done, in JSON.
#[derive(Serialize)]
pub(super) struct JsonReason<'a> {
    code: &'a str,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<serde_json::Value>,
}

/// Standard error, for messages. One that cannot be written must not change what a command's status says. One that does not
/// end its last line has it ended when this is dropped, except for progress, which begins at the carriage return that the next
/// one overwrites.
pub(super) fn messages() -> impl Write {
    Messages { to: io::stderr(), first: None, last: None }
}

struct Messages<W: Write> {
    to: W,
    first: Option<u8>,
    last: Option<u8>,
}

impl<W: Write> Write for Messages<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.to.write(bytes).unwrap_or(bytes.len());
        self.first = self.first.or(bytes.first().copied());
        self.last = bytes[..written].last().copied().or(self.last);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush().or(Ok(()))
    }
}

impl<W: Write> Drop for Messages<W> {
    fn drop(&mut self) {
        if self.first != Some(b'\r') && self.last.is_some_and(|last| last != b'\n') {
            // As above: what cannot be written is lost.
            drop(self.to.write_all(b"\n"));
        }
    }
}

/// Colours, where somebody looks at them.
pub(super) struct Paint {
    on: bool,
}

impl Paint {
    /// Where standard error is a terminal.
    pub(super) fn stderr() -> Self {
        Self { on: io::stderr().is_terminal() }
    }

    /// Where standard output is a terminal.
    pub(super) fn stdout() -> Self {
        Self { on: io::stdout().is_terminal() }
    }

    fn with(&self, code: &str, text: &str) -> String {
        if self.on { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    pub(super) fn bold(&self, text: &str) -> String {
        self.with("1", text)
    }

    pub(super) fn bold_red(&self, text: &str) -> String {
        self.with("1;31", text)
    }

    pub(super) fn green(&self, text: &str) -> String {
        self.with("32", text)
    }

    pub(super) fn yellow(&self, text: &str) -> String {
        self.with("33", text)
    }

    fn cyan(&self, text: &str) -> String {
        self.with("36", text)
    }
}

/// Widest line of a table for people.
pub(super) const WIDTH: usize = 100;

/// Text in lines of at most so many characters; a longer word has a line of its own.
pub(super) fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

fn headline(kind: &str, code: &str, message: &str) -> io::Result<()> {
    let paint = Paint::stderr();
    writeln!(messages(), "{}: {message}", paint.bold_red(&format!("{kind}[{code}]")))
}

fn line(label: &str, text: &str) -> io::Result<()> {
    let paint = Paint::stderr();
    writeln!(messages(), "  {} {text}", paint.cyan(&format!("{label}:")))
}

/// A remark.
pub(super) fn note(text: &str) -> io::Result<()> {
    line("note", text)
}

/// A mistake in the words of a command line.
pub(super) fn mistake(
    code: &str,
    message: &str,
    hint: Option<&str>,
    as_json: bool,
    out: &mut impl Write,
) -> io::Result<ExitStatus> {
    if as_json {
        let reason = JsonReason { code, message: message.to_owned(), hint: hint.map(str::to_owned), details: None };
        json(&JsonError { schema: SCHEMA, error: reason }, out)?;
    } else {
        headline("error", code, message)?;
        if let Some(hint) = hint {
            line("hint", hint)?;
        }
    }
    Ok(ExitStatus::Usage)
}

/// A signature that cannot be read, with a mark under the place.
pub(super) fn signature_error(error: &SignatureError, as_json: bool, out: &mut impl Write) -> io::Result<ExitStatus> {
    if !as_json {
        headline("error", "E-SIGNATURE", &error.to_string())?;
        for text in error.excerpt().lines() {
            writeln!(messages(), "    {text}")?;
        }
        if let Some(hint) = error.hint() {
            line("hint", hint)?;
        }
        return Ok(ExitStatus::Usage);
    }
    let details = serde_json::to_value(error)?;
    let reason = JsonReason {
        code: "E-SIGNATURE",
        message: error.to_string(),
        hint: error.hint().map(str::to_owned),
        details: Some(details),
    };
    json(&JsonError { schema: SCHEMA, error: reason }, out)?;
    Ok(ExitStatus::Usage)
}

/// An error in JSON, with what its step knows.
pub(super) fn reason(error: &Error) -> io::Result<JsonReason<'_>> {
    let details = match error {
        Error::Policy(diagnostics) => Some(serde_json::to_value(diagnostics)?),
        Error::Audit(report) => Some(serde_json::to_value(report)?),
        Error::Plan(missing) => Some(serde_json::to_value(missing)?),
        _ => None,
    };
    Ok(JsonReason { code: error.code(), message: chain(error), hint: error.hint(), details })
}

/// Why a plugin was not loaded.
pub(super) fn error(error: &Error, as_json: bool, out: &mut impl Write) -> io::Result<ExitStatus> {
    if let Error::Cell(CellError::Died(outcome)) = error {
        if as_json {
            #[derive(Serialize)]
            struct Died<'a> {
                schema: u32,
                phase: &'static str,
                #[serde(flatten)]
                ended: Ended<'a>,
            }
            json(&Died { schema: SCHEMA, phase: "load", ended: Ended::of(outcome) }, out)?;
        } else {
            self::outcome(outcome, out)?;
            line("when", "while the plugin was loading: its initialisers run then")?;
        }
        return Ok(status_of(outcome));
    }
    if as_json {
        let reason = reason(error)?;
        json(&JsonError { schema: SCHEMA, error: reason }, out)?;
        return Ok(error.exit_status());
    }
    let palette = if io::stderr().is_terminal() { Palette::Coloured } else { Palette::Plain };
    match error {
        Error::Policy(diagnostics) => write!(messages(), "{}", diagnostics.render(palette))?,
        Error::Audit(report) => {
            headline("error", error.code(), &chain(error))?;
            super::inspect::terminal::refusals(report, &mut messages())?;
        }
        Error::Plan(missing) => {
            headline("error", error.code(), &chain(error))?;
            for layer in &missing.layers {
                writeln!(messages(), "  `{}` is required by {}: {}", layer.required, layer.origin, layer.found)?;
                line("hint", &layer.help)?;
            }
        }
        _ => headline("error", error.code(), &chain(error))?,
    }
    if let Some(hint) = error.hint() {
        line("hint", &hint)?;
    }
    Ok(error.exit_status())
}

/// Says on whose word a file was accepted, where it was nobody's.
pub(super) fn acceptance(acceptance: &Acceptance) -> io::Result<()> {
    if let Acceptance::Unsigned { origin } = acceptance {
        line("note", &format!("nobody vouches for this file; {origin} accepts that"))?;
    }
    Ok(())
}

/// Says what of the policy this load is without: optional layers that are absent, and grants that have no value.
pub(super) fn without(enforcement: &Enforcement) -> io::Result<()> {
    for layer in &enforcement.layers {
        if let State::Absent { why } = &layer.state {
            line(
                "note",
                &format!("without `{}`, which {} lists as optional: {why}", layer.layer.name(), layer.origin),
            )?;
        }
    }
    enforcement.dropped.iter().try_for_each(|dropped| {
        line("note", &format!("`{}` of {} is not granted: {}", dropped.what, dropped.origin, dropped.why))
    })
}

/// How a call ended: what it returned on `out`, anything else as text on standard error.
pub(super) fn outcome(outcome: &Outcome, out: &mut impl Write) -> io::Result<()> {
    match outcome {
        Outcome::Returned(returned) => {
            if returned.result != Value::Nothing || returned.outputs.is_empty() {
                writeln!(out, "{}", value(&returned.result))?;
            }
            for (name, output) in &returned.outputs {
                writeln!(out, "{name} = {}", self::output(output))?;
            }
            Ok(())
        }
        Outcome::Refused(refusal) => {
            headline("error", refusal.code(), &refusal.to_string())?;
            refusal.hint().map_or(Ok(()), |hint| line("hint", &hint))
        }
        ended => {
            let kind = if matches!(ended, Outcome::Violated(_)) { "violation" } else { "outcome" };
            headline(kind, ended.code().unwrap_or_default(), &ended.to_string())?;
            details(ended)
        }
    }
}

/// Refused calls after which the plugin went on.
pub(super) fn reports(reports: &Reports) -> io::Result<()> {
    for report in &reports.list {
        headline("report", report.code(), &report.to_string())?;
        violation(report)?;
    }
    if reports.lost > 0 {
        note(&format!("{} more were refused before these; only the newest are kept", reports.lost))?;
    }
    Ok(())
}

/// What is known of an end, and what to do about it.
fn details(ended: &Outcome) -> io::Result<()> {
    match ended {
        Outcome::Violated(violation) => self::violation(violation),
        Outcome::Crashed(crash) => crashed(crash),
        Outcome::OutOfMemory { crash } => {
            crashed(crash)?;
            let word = if crash.claim { "what the cell noted" } else { "the kernel's word" };
            line("policy", &format!("`limits.memory` is the limit; that it was reached is {word}"))
        }
        Outcome::TimedOut { limit } => {
            let key = match limit {
                TimeLimit::Call(_) => "call-time",
                TimeLimit::Load(_) => "load-time",
                TimeLimit::Processor => "cpu-time",
            };
            line("policy", &format!("`limits.{key}` is the limit"))
        }
        Outcome::Exited { .. } => line("hint", "a plugin returns to its caller; find what calls `exit` in it"),
        Outcome::Lied { .. } => {
            line("note", "no plugin does this by accident alone: it wrote over the memory it shares with its host")
        }
        Outcome::Returned(_) | Outcome::Refused(_) => Ok(()),
    }
}

fn crashed(crash: &Crash) -> io::Result<()> {
    if let Some(place) = &crash.place {
        line("at", &place.to_string())?;
    }
    if let Some(address) = crash.address {
        line("address", &format!("{address:#x}"))?;
    }
    Ok(())
}

fn violation(violation: &Violation) -> io::Result<()> {
    if let Some(place) = &violation.place {
        line("at", &place.to_string())?;
    }
    if !violation.arguments.is_empty() {
        let arguments: Vec<String> = violation.arguments.iter().map(|argument| format!("{argument:#x}")).collect();
        line("arguments", &arguments.join(" "))?;
    }
    if let Some(advice) = &violation.advice {
        write!(messages(), "{advice}")?;
    }
    let word = match (violation.evidence, violation.claim) {
        (Evidence::Death, true) | (Evidence::Cell, _) => {
            "that it was stopped is the kernel's word; call, arguments and place are what the cell noted"
        }
        (Evidence::Death, false) => return Ok(()),
        (Evidence::Prediction, _) => {
            "the cell watched the call and noted that the kernel refused it; the layer is predicted from the plan"
        }
        (Evidence::KernelLog, true) => {
            "the kernel's log says that it was this layer; call, arguments and place are what the cell noted"
        }
        (Evidence::KernelLog, false) => "the kernel's log says so",
    };
    line("note", word)
}

/// A value as text. Bytes that a plugin returned are made printable.
fn value(value: &Value) -> String {
    match value {
        Value::Nothing | Value::Length => "nothing".into(),
        Value::Unsigned(number) => number.to_string(),
        Value::Signed(number) => number.to_string(),
        Value::Float(number) => number.to_string(),
        Value::Bytes(bytes) => text(bytes),
    }
}

fn output(output: &Output) -> String {
    match output {
        Output::Number(number) => value(number),
        Output::Bytes(bytes) => text(bytes),
        Output::Numbers(numbers) => numbers.iter().map(value).collect::<Vec<_>>().join(","),
    }
}

/// Text as it is, made printable; bytes that are no text as `hex:…`, which is also how they are passed in.
fn text(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => escape(text).to_string(),
        Err(_) => format!("hex:{}", crate::call::hex(bytes)),
    }
}

/// What the program ends with after a call.
pub(super) fn status_of(outcome: &Outcome) -> ExitStatus {
    match outcome {
        Outcome::Returned(_) => ExitStatus::Done,
        Outcome::Refused(CallRefusal::Argument(_)) => ExitStatus::Usage,
        Outcome::Refused(_) => ExitStatus::Refused,
        Outcome::Violated(_)
        | Outcome::Crashed(_)
        | Outcome::Exited { .. }
        | Outcome::TimedOut { .. }
        | Outcome::OutOfMemory { .. }
        | Outcome::Lied { .. } => ExitStatus::Plugin,
    }
}
