//! `lazaret apparmor`: the AppArmor profile of a policy, as text.

use std::io::{self, Write};

use lazaret_policy::Variables;

use super::{ApparmorWords, show};
use crate::error::{Error, ExitStatus};
use crate::open::OpenError;
use crate::{Policies, apparmor};

pub(super) const HELP: &str = "\
Examples:
  lazaret apparmor builtin:compute > /etc/apparmor.d/lazaret-cell.compute
  apparmor_parser -r /etc/apparmor.d/lazaret-cell.compute
  lazaret apparmor codec.toml --bundle /opt/plugins/codec

The file is named like the profile, which its last lines begin with. A policy that grants `${bundle}` has a profile for each
bundle.";

pub(super) fn run(words: &ApparmorWords, out: &mut impl Write) -> io::Result<ExitStatus> {
    let policy = match Policies::of_this_machine().and_then(|policies| policies.resolve(&words.policy)) {
        Ok(policy) => policy,
        Err(error) => return show::error(&error, false, out),
    };
    let bundle = match words.bundle.as_ref().map(std::fs::canonicalize).transpose() {
        Ok(bundle) => bundle,
        Err(source) => {
            let path = words.bundle.clone().unwrap_or_default();
            let error = Error::Read { what: "bundle", source: OpenError::Read { path, source } };
            return show::error(&error, false, out);
        }
    };
    let profile = apparmor::profile(&policy, &Variables { bundle, state: None });
    for dropped in &profile.dropped {
        writeln!(
            show::messages(),
            "warning: {} is not granted: {}; `--bundle DIRECTORY` gives it one",
            dropped.what,
            dropped.why
        )?;
    }
    write!(out, "{}", profile.text)?;
    Ok(ExitStatus::Done)
}
