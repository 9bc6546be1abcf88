//! `lazaret doctor`: what this machine can enforce, as lines for people or as JSON.

use std::io::{self, Write};

use serde::Serialize;

use super::DoctorWords;
use super::show::{self, Paint};
use crate::Host;
use crate::doctor::{Check, Diagnosis, State, examine};
use crate::error::ExitStatus;

pub(super) const HELP: &str = "\
`missing`: `builtin:compute`, the policy of whoever names none, cannot be enforced. `warning`: something optional is not there, \
or another shipped policy cannot be enforced. Run it as the user that loads plugins, where it loads them: both decide.

Exit status: 0 nothing is missing · 3 something is missing

Examples:
  lazaret doctor
  lazaret doctor --json | jq -r '.checks[] | select(.fix) | .id + \": \" + .fix'";

/// Width of the column of states, with the blank after it.
const STATE: usize = 9;

#[derive(Serialize)]
struct Answer<'a> {
    schema: u32,
    #[serde(flatten)]
    diagnosis: &'a Diagnosis,
}

pub(super) fn run(words: &DoctorWords, out: &mut impl Write) -> io::Result<ExitStatus> {
    let host = Host::new();
    let diagnosis = examine(host.as_ref());
    if words.json {
        show::json(&Answer { schema: show::SCHEMA, diagnosis: &diagnosis }, out)?;
    } else {
        let name = diagnosis.checks.iter().map(|check| check.id.len()).max().unwrap_or(0) + 2;
        diagnosis.checks.iter().try_for_each(|check| print(check, name, out))?;
    }
    Ok(if diagnosis.is_able() { ExitStatus::Done } else { ExitStatus::Machine })
}

fn print(check: &Check, name: usize, out: &mut impl Write) -> io::Result<()> {
    let paint = Paint::stdout();
    // Padded before it is coloured: what colours is not seen, and counts.
    let word = format!("{:<STATE$}", check.state.word());
    let word = match check.state {
        State::Ok => paint.green(&word),
        State::Warning { .. } => paint.yellow(&word),
        State::Missing { .. } => paint.bold_red(&word),
    };
    write!(out, "{word}{:<name$}", check.id)?;
    let indent = STATE + name;
    let fix = check.state.fix().map(|fix| format!("fix: {fix}"));
    let texts = [Some(&check.found), fix.as_ref()].into_iter().flatten();
    let lines: Vec<String> = texts.flat_map(|text| show::wrapped(text, show::WIDTH - indent)).collect();
    writeln!(out, "{}", lines.join(&format!("\n{:indent$}", "")))
}
