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
    policies: Vec<CheckedPolicy<'a>>,
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
    let mut checked = Checked { schema: show::SCHEMA, policies: Vec::new() };
    for name in names {
        let (valid, diagnostics) = match policies.resolve(name) {
            Ok(policy) => (true, policy.warnings().clone()),
            Err(Error::Policy(diagnostics)) => {
                status = ExitStatus::Refused;
                (false, diagnostics)
            }
            // A file that cannot be read ends the check: what the words mean is unclear.
            Err(error) => return show::error(&error, as_json, out),
        };
        if !as_json {
            write!(io::stderr(), "{}", diagnostics.render(palette))?;
            if valid {
                writeln!(out, "{name}: valid")?;
            }
        }
        checked.policies.push(CheckedPolicy { policy: name, valid, diagnostics: diagnostics.as_slice().to_vec() });
    }
    if as_json {
        show::json(&checked, out)?;
    }
    Ok(status)
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
