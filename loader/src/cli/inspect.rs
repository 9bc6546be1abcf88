//! `lazaret inspect`: the audit of files. Nothing of them is executed, and nobody needs to vouch for them.

use std::io::{self, Write};

use serde::Serialize;

use super::{InspectWords, show};
use crate::audit::Verdict;
use crate::error::ExitStatus;
use crate::{Audit, Error, Opened, Policies};

#[derive(Serialize)]
struct Inspected {
    schema: u32,
    files: Vec<Audit>,
}

pub(super) fn run(words: &InspectWords, out: &mut impl Write) -> io::Result<ExitStatus> {
    let policies = Policies::of_this_machine();
    let policy = match policies.and_then(|policies| policies.resolve(&words.policy.policy)) {
        Ok(policy) => policy,
        Err(error) => return show::error(&error, words.json, out),
    };
    let mut status = ExitStatus::Done;
    let mut inspected = Inspected { schema: show::SCHEMA, files: Vec::new() };
    for file in &words.files {
        let opened = match Opened::open(file) {
            Ok(opened) => opened,
            Err(error) => return show::error(&Error::Open(error), words.json, out),
        };
        let audit = crate::inspect(&opened, &policy);
        if audit.verdict() == Verdict::Refused {
            status = ExitStatus::Refused;
        }
        if words.json {
            inspected.files.push(audit);
        } else {
            writeln!(out, "{audit}")?;
        }
    }
    if words.json {
        show::json(&inspected, out)?;
    }
    Ok(status)
}
