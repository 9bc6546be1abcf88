//! `lazaret policy`: what is wrong with a policy, and what it means.

use std::io::{self, IsTerminal as _, Write};

use lazaret_policy::{Diagnostic, Palette};
use serde::Serialize;

use super::{PolicyWords, show};
use crate::Policies;
use crate::error::{Error, ExitStatus};

#[derive(Serialize)]
struct Checked<'a> {
    schema: u32,
    policies: Vec<Entry<'a>>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Entry<'a> {
    Checked(CheckedPolicy<'a>),
    Unreadable { policy: &'a str, error: serde_json::Value },
}

#[derive(Serialize)]
struct CheckedPolicy<'a> {
    policy: &'a str,
    valid: bool,
    diagnostics: Vec<Diagnostic>,
}

pub(super) fn run(words: &PolicyWords, out: &mut impl Write) -> io::Result<ExitStatus> {
    match words {
        PolicyWords::Check { policies, json } => check(policies, *json, out),
        PolicyWords::Explain { policy, json } => explain(policy, *json, out),
        PolicyWords::Schema => {
            writeln!(out, "{}", lazaret_policy::json_schema())?;
            Ok(ExitStatus::Done)
        }
    }
}

fn check(names: &[String], as_json: bool, out: &mut impl Write) -> io::Result<ExitStatus> {
    let policies = match Policies::of_this_machine() {
        Ok(policies) => policies,
        Err(error) => return show::error(&error, as_json, out),
    };
    let palette = if io::stderr().is_terminal() { Palette::Coloured } else { Palette::Plain };
    let mut status = ExitStatus::Done;
    let mut unreadable = false;
    let mut checked = Checked { schema: show::SCHEMA, policies: Vec::new() };
    for name in names {
        let (valid, diagnostics) = match policies.resolve(name) {
            Ok(policy) => (true, policy.warnings().clone()),
            Err(Error::Policy(diagnostics)) => {
                status = ExitStatus::Refused;
                (false, diagnostics)
            }
            Err(error) => {
                // The others are still checked; that one could not be read outranks what they say.
                unreadable = true;
                if as_json {
                    let error = serde_json::to_value(show::reason(&error)?)?;
                    checked.policies.push(Entry::Unreadable { policy: name, error });
                } else {
                    show::error(&error, false, out)?;
                }
                continue;
            }
        };
        if !as_json {
            write!(show::messages(), "{}", diagnostics.render(palette))?;
            if valid {
                writeln!(out, "{}: valid", crate::audit::escape(name))?;
            }
        }
        let diagnostics = diagnostics.as_slice().to_vec();
        checked.policies.push(Entry::Checked(CheckedPolicy { policy: name, valid, diagnostics }));
    }
    if as_json {
        show::json(&checked, out)?;
    }
    Ok(if unreadable { ExitStatus::Usage } else { status })
}

fn explain(name: &str, as_json: bool, out: &mut impl Write) -> io::Result<ExitStatus> {
    let policy = match Policies::of_this_machine().and_then(|policies| policies.resolve(name)) {
        Ok(policy) => policy,
        Err(error) => return show::error(&error, as_json, out),
    };
    let explanation = policy.explain();
    if as_json {
        #[derive(Serialize)]
        struct Explained<'a> {
            schema: u32,
            #[serde(flatten)]
            explanation: &'a lazaret_policy::Explanation,
        }
        show::json(&Explained { schema: show::SCHEMA, explanation: &explanation }, out)?;
    } else {
        write!(out, "{explanation}")?;
    }
    Ok(ExitStatus::Done)
}
