//! `lazaret call`: load, call one function, print what it returned.

use std::io::{self, Write};

use serde::Serialize;

use super::{CallWords, arguments, show};
use crate::call::Signature;
use crate::error::{Error, ExitStatus};
use crate::outcome::Outcome;
use crate::{Host, Loaded, Opened};

pub(super) const HELP: &str = "\
Arguments, by the type of their parameter:
  numbers           5  -5  0xff  0.25
  cstr              the word itself
  in, inout [u8; n] the word itself; hex:00ff; @FILE for what a file holds; text:… for a text that begins like one of these
  other buffers     1,2,3
  the length of a buffer that is given: its number of elements, or _

Examples:
  lazaret call /usr/lib/x86_64-linux-gnu/libz.so.1 'zlibVersion() -> cstr'
  lazaret call /usr/lib/x86_64-linux-gnu/libz.so.1 \\
      'crc32(crc: u64, buf: in [u8; len], len: u32) -> u64' 0 hello _
  lazaret call /lib/x86_64-linux-gnu/libm.so.6 'cos(x: f64) -> f64' 0.5";

#[derive(Serialize)]
struct Answer<'a> {
    schema: u32,
    #[serde(flatten)]
    ended: show::Ended<'a>,
    reports: &'a crate::Reports,
    enforcement: &'a crate::Enforcement,
    acceptance: &'a crate::trust::Acceptance,
}

pub(super) fn run(words: &CallWords, out: &mut impl Write) -> io::Result<ExitStatus> {
    let signature = match Signature::parse(&words.signature) {
        Ok(signature) => signature,
        Err(error) => return show::signature_error(&error, words.json, out),
    };
    let values = match arguments::values(&signature, &words.arguments) {
        Ok(values) => values,
        Err(error) => {
            return show::mistake("E-ARGUMENT", &error.what, error.hint.as_deref(), words.json, out);
        }
    };
    match load(words) {
        Ok(mut loaded) => {
            if !words.json {
                show::acceptance(loaded.acceptance())?;
                show::without(loaded.cell.enforcement())?;
            }
            let outcome = match loaded.cell.bind(&signature) {
                Ok(function) => loaded.cell.call(&function, &values),
                Err(outcome) => outcome,
            };
            let reports = loaded.cell.reports();
            if let (true, Outcome::Refused(refusal)) = (words.json, &outcome) {
                let hint = refusal.hint();
                show::mistake(refusal.code(), &refusal.to_string(), hint.as_deref(), words.json, out)?;
            } else if words.json {
                let answer = Answer {
                    schema: show::SCHEMA,
                    ended: show::Ended::of(&outcome),
                    reports: &reports,
                    enforcement: loaded.cell.enforcement(),
                    acceptance: loaded.acceptance(),
                };
                show::json(&answer, out)?;
            } else {
                show::reports(&reports)?;
                show::outcome(&outcome, out)?;
            }
            Ok(show::status_of(&outcome))
        }
        Err(error) => show::error(&error, words.json, out),
    }
}

fn load(words: &CallWords) -> Result<Loaded, Error> {
    let mut host = Host::new()?;
    if let Some(trust) = &words.trust {
        host = host.with_trust_document(trust)?;
    }
    if words.explain {
        host = host.watching();
    }
    let policy = host.policy(&words.policy.policy)?;
    host.load(Opened::open(&words.file)?, policy)
}
