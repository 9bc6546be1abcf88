//! The table for a terminal of a hundred columns.

use std::io::{self, Write};

use super::super::show::{self, Paint, WIDTH};
use super::symbol;
use crate::prove::{Alone, Part, Proof, Row, Verdict};

/// Widths of the table's columns, with the blanks after each.
const NAME: usize = 42;
const PART: usize = 4;

pub(super) fn print(proof: &Proof, out: &mut impl Write) -> io::Result<()> {
    let parts: Vec<Part> = Part::ALL.into_iter().filter(|part| is_anywhere(proof, *part)).collect();
    let paint = Paint::stdout();
    writeln!(out, "{} on Linux {} ({})", title(proof), proof.kernel.release, proof.kernel.machine)?;
    for group in groups(proof) {
        let columns: String = parts.iter().map(|part| format!("{:<PART$}", short(*part))).collect();
        writeln!(out, "\n{}", paint.bold(format!("{:<NAME$}{columns}", group.to_uppercase()).trim_end()))?;
        for row in proof.acts.iter().filter(|row| row.group == group) {
            print_row(row, &parts, &paint, out)?;
        }
    }
    writeln!(out, "\n{}", legend(proof, &parts))?;
    writeln!(out, "\n{}", summary(proof, &paint))
}

fn print_row(row: &Row, parts: &[Part], paint: &Paint, out: &mut impl Write) -> io::Result<()> {
    write!(out, "{:<NAME$}", row.name)?;
    if row.name.len() >= NAME {
        write!(out, "\n{:NAME$}", "")?;
    }
    for part in parts {
        let symbol = row.alone.get(part).map_or(' ', |alone| symbol(alone).0);
        write!(out, "{symbol:<PART$}")?;
    }
    let room = WIDTH - NAME - parts.len() * PART;
    let (text, line) = verdict(&row.verdict);
    let text = if text.chars().count() > room { format!("{}…", first(&text, room - 1)) } else { text };
    match row.verdict {
        Verdict::Stopped { .. } => writeln!(out, "{text}")?,
        Verdict::Permitted { .. } => writeln!(out, "{}", paint.yellow(&text))?,
        Verdict::NotStopped { .. } => writeln!(out, "{}", paint.bold_red(&text))?,
    }
    line.map_or(Ok(()), |line| writeln!(out, "    {}", paint.yellow(&line)))
}

fn first(text: &str, count: usize) -> String {
    text.chars().take(count).collect()
}

/// What stands in the row, and on a line of its own beneath.
fn verdict(verdict: &Verdict) -> (String, Option<String>) {
    match verdict {
        // What was refused is named; that it was is what the column says.
        Verdict::Stopped { stopped_by: Some(part), how } => {
            (format!("{}: {}", part.name(), how.trim_end_matches(" refused")), None)
        }
        Verdict::Stopped { stopped_by: None, how } => (how.clone(), None),
        Verdict::Permitted { permitted_by, how } => {
            let lines: Vec<String> = permitted_by.iter().map(ToString::to_string).collect();
            let why = how.map_or_else(|| format!("by {}", lines.join(", ")), str::to_owned);
            (if how.is_some() { "harmless" } else { "permitted" }.to_owned(), Some(why))
        }
        Verdict::NotStopped { .. } => ("NOT STOPPED".to_owned(), None),
    }
}

pub(super) fn title(proof: &Proof) -> String {
    let (name, sources) = (crate::audit::escape(&proof.policy.name), proof.policy.sources.join(", "));
    format!("{} acts under the policy {name} ({})", proof.acts.len(), crate::audit::escape(&sources))
}

/// The groups in the order of the acts.
pub(super) fn groups(proof: &Proof) -> Vec<&'static str> {
    let mut groups: Vec<&str> = Vec::new();
    for row in &proof.acts {
        if !groups.contains(&row.group) {
            groups.push(row.group);
        }
    }
    groups
}

/// Whether the policy asks for the part and the machine has it.
pub(super) fn is_anywhere(proof: &Proof, part: Part) -> bool {
    proof.acts.iter().any(|row| row.alone.get(&part).is_some_and(|alone| *alone != Alone::Absent))
}

fn short(part: Part) -> &'static str {
    match part {
        Part::Process => "own",
        Part::Seccomp => "sec",
        Part::Landlock => "lan",
        Part::Apparmor => "aa",
        Part::Namespaces => "ns",
        Part::Mount => "mnt",
        Part::Limits => "lim",
        Part::Mdwe => "wx",
        Part::Cgroup => "cg",
    }
}

fn legend(proof: &Proof, parts: &[Part]) -> String {
    let parts: Vec<String> = parts.iter().map(|part| format!("{} {}", short(*part), part.name())).collect();
    let absent: Vec<&str> = Part::ALL.into_iter().filter(|part| !is_anywhere(proof, *part)).map(Part::name).collect();
    let mut text = wrapped(&format!("Each column is one part of a cell alone: {}", parts.join(", ")));
    if !absent.is_empty() {
        text += &format!("\nNot asked for by the policy, or not there: {}", absent.join(", "));
    }
    let example = [
        Alone::Stopped { how: String::new() },
        Alone::NotStopped,
        Alone::SameAsProcess,
        Alone::Untried,
        Alone::Failed { how: String::new() },
    ];
    let symbols: Vec<String> =
        example.iter().map(symbol).map(|(symbol, means, _)| format!("{symbol} {means}")).collect();
    text += &format!("\n{}", wrapped(&symbols.join(", ")));
    if let Some(label) = &proof.kernel.confined_by {
        text += &format!("\n{}", wrapped(&confined(label)));
    }
    text
}

/// What to make of a table whose cells are under a profile before they enter their own.
pub(super) fn confined(label: &str) -> String {
    format!(
        "Every column also runs under the AppArmor label `{}`, that of the process that cells are forked from; what it stops \
         stands under `{}`",
        crate::audit::escape(label),
        short(Part::Process)
    )
}

fn summary(proof: &Proof, paint: &Paint) -> String {
    let text = wrapped(&sentence(proof));
    if proof.summary.not_stopped > 0 { paint.bold_red(&text) } else { text }
}

/// What all came to.
pub(super) fn sentence(proof: &Proof) -> String {
    let all = &proof.summary;
    let not = match all.not_stopped {
        0 => "none got its way against the policy".to_owned(),
        count => {
            let names: Vec<&str> = proof
                .acts
                .iter()
                .filter(|row| matches!(row.verdict, Verdict::NotStopped { .. }))
                .map(|row| row.name)
                .collect();
            format!("{count} NOT STOPPED: {}", names.join(", "))
        }
    };
    format!("{} of {} acts stopped, {} permitted, {not}", all.stopped, all.acts, all.permitted)
}

fn wrapped(text: &str) -> String {
    show::wrapped(text, WIDTH).join("\n")
}
