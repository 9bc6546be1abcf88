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
    files: Vec<File>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum File {
    Audited(Box<Audit>),
    Unreadable { file: String, error: serde_json::Value },
}

pub(super) fn run(words: &InspectWords, out: &mut impl Write) -> io::Result<ExitStatus> {
    let policies = Policies::of_this_machine();
    let policy = match policies.and_then(|policies| policies.resolve(&words.policy.policy)) {
        Ok(policy) => policy,
        Err(error) => return show::error(&error, words.json, out),
    };
    let mut status = ExitStatus::Done;
    let mut unreadable = false;
    let mut inspected = Inspected { schema: show::SCHEMA, files: Vec::new() };
    for file in &words.files {
        let opened = match Opened::open(file) {
            Ok(opened) => opened,
            Err(error) => {
                // The others are still audited; that one could not be read outranks what they say.
                let error = Error::Open(error);
                unreadable = true;
                if words.json {
                    let error = serde_json::to_value(show::reason(&error)?)?;
                    inspected.files.push(File::Unreadable { file: crate::open::shown(file), error });
                } else {
                    show::error(&error, false, out)?;
                }
                continue;
            }
        };
        let audit = crate::inspect(&opened, &policy);
        if audit.verdict() == Verdict::Refused {
            status = ExitStatus::Refused;
        }
        if words.json {
            inspected.files.push(File::Audited(Box::new(audit)));
        } else {
            writeln!(out, "{audit}")?;
            if opened.is_bundle() {
                show::note("an audit is about the shared object; `plugin.json` and signatures are for loading")?;
            }
        }
    }
    if words.json {
        show::json(&inspected, out)?;
    }
    Ok(if unreadable { ExitStatus::Usage } else { status })
}
