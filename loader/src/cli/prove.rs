//! `lazaret prove`: the built-in acts under a policy on this machine, as a table for people, as JSON, and as a page.

mod html;
mod terminal;

use std::fs;
use std::io::{self, IsTerminal as _, Write};

use serde::Serialize;

use super::{ProveWords, show};
use crate::Host;
use crate::call::nearest;
use crate::error::{Error, ExitStatus};
use crate::prove::{self, Act, Proof, acts, prove};

pub(super) const HELP: &str = "\
Each act runs for real, in new cells: once with every layer, and once with each layer alone. With layers taken off, a cell \
is still a process of its own without capabilities; acts that would harm the machine are not run then.

Exit status: 0 every act was stopped, or the policy permits it · 1 an act that the policy does not permit got its way, or \
the policy was refused · 3 this machine lacks what the policy requires

Examples:
  lazaret prove
  lazaret prove --policy codec.toml --html proof.html
  lazaret prove --policy builtin:go --act signals_the_host executes
  lazaret prove --json | jq '.acts[] | select(.verdict == \"not-stopped\")'";

#[derive(Serialize)]
struct Answer<'a> {
    schema: u32,
    #[serde(flatten)]
    proof: &'a Proof,
}

pub(super) fn run(words: &ProveWords, out: &mut impl Write) -> io::Result<ExitStatus> {
    let acts = match chosen(&words.act) {
        Ok(acts) => acts,
        Err(name) => return unknown(&name, words.json, out),
    };
    let proof = match proof(words, &acts) {
        Ok(proof) => proof,
        Err(error) => return show::error(&error, words.json, out),
    };
    if words.json {
        show::json(&Answer { schema: show::SCHEMA, proof: &proof }, out)?;
    } else {
        terminal::print(&proof, out)?;
    }
    if let Some(path) = &words.html {
        if let Err(error) = fs::write(path, html::page(&proof)) {
            let message = format!("`{}` cannot be written: {error}", crate::open::shown(path));
            return show::mistake("E-OUTPUT", &message, None, false, out);
        }
        if !words.json {
            show::note(&format!("the page is in `{}`", crate::open::shown(path)))?;
        }
    }
    Ok(if proof.summary.not_stopped > 0 { ExitStatus::Refused } else { ExitStatus::Done })
}

fn proof(words: &ProveWords, acts: &[&'static Act]) -> Result<Proof, Error> {
    let host = Host::new()?;
    let policy = host.policy(&words.policy.policy)?;
    let total = acts.len();
    let watched = !words.json && io::stderr().is_terminal();
    let progress = |act: &Act, done: usize| {
        if watched {
            // A line that cannot be written tells nobody anything, and changes nothing.
            drop(write!(show::messages(), "\r\x1b[K{done}/{total} {}", act.name));
        }
    };
    let proof = prove(&host, &policy, acts, &progress);
    if watched {
        drop(write!(show::messages(), "\r\x1b[K"));
    }
    proof
}

/// The acts of these names, or all; or the first name that is none's.
fn chosen(names: &[String]) -> Result<Vec<&'static Act>, String> {
    if let Some(name) = names.iter().find(|name| acts().iter().all(|act| act.name != name.as_str())) {
        return Err(name.clone());
    }
    Ok(acts().iter().filter(|act| names.is_empty() || names.iter().any(|name| name == act.name)).collect())
}

fn unknown(name: &str, as_json: bool, out: &mut impl Write) -> io::Result<ExitStatus> {
    let message = format!("there is no act `{}`", crate::audit::escape(name));
    let mut near: Vec<&str> = nearest(name, acts().iter().map(|act| act.name)).into_iter().collect();
    let word = name.to_lowercase();
    let alike = acts().iter().map(|act| act.name).filter(|act| word.len() > 2 && act.contains(&word));
    near.extend(alike.take(5));
    let near: Vec<String> = near.into_iter().map(|name| format!("`{name}`")).collect();
    let hint = if near.is_empty() {
        "`lazaret prove` without `--act` tries all, and names them".to_owned()
    } else {
        format!("near it are {}", near.join(", "))
    };
    show::mistake("E-NO-ACT", &message, Some(&hint), as_json, out)
}

/// The symbol of one cell of the table, what it means, and its class on a page.
fn symbol(alone: &prove::Alone) -> (char, &'static str, &'static str) {
    use prove::Alone;
    match alone {
        Alone::Stopped { .. } => ('■', "stops it alone", "stopped"),
        Alone::NotStopped => ('○', "does not stop it", "not"),
        Alone::SameAsProcess => ('·', "ends as in any process of its own", "same"),
        Alone::Absent => (' ', "not asked for, or not there", "absent"),
        Alone::Untried => ('—', "would harm the machine", "untried"),
        Alone::Failed { .. } => ('!', "the cell did not come up", "failed"),
    }
}
