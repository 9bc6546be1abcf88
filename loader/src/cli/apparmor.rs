//! `lazaret apparmor`: the AppArmor profile of a policy, as text.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use lazaret_policy::{Profile, Variables};

use super::{ApparmorWords, show};
use crate::error::{Error, ExitStatus};
use crate::open::{OpenError, shown};
use crate::{Policies, apparmor};

pub(super) const HELP: &str = "\
Examples:
  lazaret apparmor builtin:compute
  lazaret apparmor codec.toml --into /etc/apparmor.d
  lazaret apparmor codec.toml --bundle /opt/plugins/codec --into /etc/apparmor.d

`apparmor_parser -r FILE` loads it. A policy that grants something of `${bundle}` has a profile for each bundle, with a name of \
its own.";

pub(super) fn run(words: &ApparmorWords, out: &mut impl Write) -> io::Result<ExitStatus> {
    let found = Policies::of_this_machine().and_then(|policies| policies.resolve(&words.policy));
    let found = found.and_then(|policy| Ok((policy, words.bundle.as_deref().map(bundle).transpose()?)));
    let (policy, bundle) = match found {
        Ok(found) => found,
        Err(error) => return show::error(&error, false, out),
    };
    let variables = Variables { bundle, state: None };
    let profile = apparmor::profile(&policy, &variables);
    for dropped in &profile.dropped {
        show::note(&format!("{} is not granted: {}; `--bundle DIRECTORY` gives it one", dropped.what, dropped.why))?;
    }
    if variables.bundle.is_some() && profile == apparmor::profile(&policy, &Variables::default()) {
        show::note("the policy grants nothing of a bundle, so its profile is the same for all")?;
    }
    let Some(directory) = &words.into else {
        write!(out, "{}", profile.text)?;
        return Ok(ExitStatus::Done);
    };
    match put(&profile, directory) {
        Ok(file) => {
            writeln!(out, "{}", shown(&file))?;
            Ok(ExitStatus::Done)
        }
        Err(error) => {
            let message = format!("nothing can be written into `{}`: {error}", shown(directory));
            show::mistake("E-OUTPUT", &message, None, false, out)
        }
    }
}

/// A directory that is a bundle, by the path under which it is known at a load.
fn bundle(directory: &Path) -> Result<PathBuf, Error> {
    let read = |source| OpenError::Read { path: directory.to_owned(), source };
    let unreadable = |source| Error::Read { what: "bundle", source };
    let path = fs::canonicalize(directory).map_err(|error| unreadable(read(error)))?;
    if path.join("plugin.json").is_file() { Ok(path) } else { Err(unreadable(OpenError::NotABundle(path))) }
}

/// Writes the profile in one piece: whoever loads what is there meanwhile finds the old one or the new one.
fn put(profile: &Profile, directory: &Path) -> io::Result<PathBuf> {
    let file = directory.join(&profile.name);
    let part = directory.join(format!(".{}.new", profile.name));
    fs::write(&part, &profile.text)?;
    fs::rename(&part, &file)?;
    Ok(file)
}
