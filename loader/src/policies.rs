//! Where policies come from on this machine: files, those that ship with Lazaret, and the ceiling that caps them all.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;

use lazaret_policy::{Policy, Request, Source};

use crate::error::Error;
use crate::open::{self, OpenError};

/// The policy that caps every other on this machine, where it exists.
const CEILING: &str = "/etc/lazaret/ceiling.toml";

/// Prefix of the policies that ship with Lazaret.
const BUILTIN: &str = "builtin:";

/// Resolves policies under the ceiling of this machine.
#[derive(Debug)]
pub struct Policies {
    ceiling: Option<Source>,
}

impl Policies {
    /// Under `/etc/lazaret/ceiling.toml`, where that exists.
    ///
    /// # Errors
    /// [`Error::Open`] when the ceiling is there and cannot be read: a cap that cannot be seen is not a cap that is absent.
    pub fn of_this_machine() -> Result<Self, Error> {
        match fs::exists(CEILING) {
            Ok(false) => Ok(Self { ceiling: None }),
            _ => Self::under(Path::new(CEILING)),
        }
    }

    /// Under a ceiling of the caller's, in place of the machine's.
    ///
    /// # Errors
    /// [`Error::Open`] when it cannot be read.
    pub fn under(ceiling: &Path) -> Result<Self, Error> {
        Ok(Self { ceiling: Some(read(ceiling)?) })
    }

    /// Resolves a policy: a file, or `builtin:NAME`.
    ///
    /// # Errors
    /// [`Error::Policy`] with every mistake, [`Error::Open`] or [`Error::NoBuiltin`] when there is no such policy.
    pub fn resolve(&self, name: &str) -> Result<Arc<Policy>, Error> {
        let policy = match name.strip_prefix(BUILTIN) {
            Some(name) => lazaret_policy::builtin(name).cloned().ok_or_else(|| Error::NoBuiltin(name.to_owned()))?,
            None => read(Path::new(name))?,
        };
        let request = Request { policy, ceiling: self.ceiling.clone() };
        let policy = Policy::resolve(&request, fetch).map_err(Error::Policy)?;
        for warning in policy.warnings() {
            tracing::warn!(policy = name, line = warning.line, %warning.message, "policy");
        }
        Ok(Arc::new(policy))
    }
}

/// What a policy extends: a path relative to the directory of the policy that names it.
fn fetch(path: &str, by: &str) -> Result<Source, String> {
    let path = Path::new(by).parent().unwrap_or(Path::new("")).join(path);
    read(&path).map_err(|error| match error {
        Error::Open(OpenError::Read { source, .. }) => source.to_string(),
        Error::Open(error) => error.to_string(),
        other => other.to_string(),
    })
}

fn read(path: &Path) -> Result<Source, Error> {
    let bytes = open::small(path, lazaret_policy::MAX_TEXT as u64)?;
    let text = String::from_utf8(bytes).map_err(|_| {
        let source = io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8 text");
        OpenError::Read { path: path.to_owned(), source }
    })?;
    Ok(Source { name: path.display().to_string(), text })
}
