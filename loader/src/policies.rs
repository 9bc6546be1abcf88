//! Where policies come from on this machine: files, those that ship with Lazaret, and the ceiling that caps them all.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;

use lazaret_policy::{Policy, Request, Source};

use crate::error::Error;
use crate::open::{self, OpenError};

/// The configuration of this machine. `ceiling.toml` in it caps every policy, where it exists.
const CONFIGURATION: &str = "/etc/lazaret";

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
    /// [`Error::Read`] when the ceiling is there and cannot be read: a cap that cannot be seen is not a cap that is absent.
    pub fn of_this_machine() -> Result<Self, Error> {
        Self::of(Path::new(CONFIGURATION))
    }

    fn of(configuration: &Path) -> Result<Self, Error> {
        // Not whether the path leads anywhere, but whether there is anything: a link that dangles is a ceiling that somebody
        // put there and that cannot be seen.
        let absent =
            |path: &Path| fs::symlink_metadata(path).is_err_and(|error| error.kind() == io::ErrorKind::NotFound);
        let link = fs::symlink_metadata(configuration).is_ok_and(|metadata| metadata.is_symlink());
        let ceiling = configuration.join("ceiling.toml");
        if absent(&ceiling) && !link {
            return Ok(Self { ceiling: None });
        }
        Self::under(&ceiling)
    }

    /// Under a ceiling of the caller's, in place of the machine's.
    ///
    /// # Errors
    /// [`Error::Read`] when it cannot be read.
    pub fn under(ceiling: &Path) -> Result<Self, Error> {
        Ok(Self { ceiling: Some(read("ceiling", ceiling)?) })
    }

    /// Resolves a policy: a file, or `builtin:NAME`.
    ///
    /// # Errors
    /// [`Error::Policy`] with every mistake, [`Error::Read`] or [`Error::NoBuiltin`] when there is no such policy.
    pub fn resolve(&self, name: &str) -> Result<Arc<Policy>, Error> {
        let policy = match name.strip_prefix(BUILTIN) {
            Some(name) => lazaret_policy::builtin(name).cloned().ok_or_else(|| Error::NoBuiltin(name.to_owned()))?,
            None => read("policy", Path::new(name))?,
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
    read("policy", &path).map_err(|error| match error {
        Error::Read { source: OpenError::Read { source, .. }, .. } => source.to_string(),
        Error::Read { source, .. } => source.to_string(),
        other => other.to_string(),
    })
}

fn read(what: &'static str, path: &Path) -> Result<Source, Error> {
    let unreadable = |source| Error::Read { what, source };
    let bytes = open::small(path, lazaret_policy::MAX_TEXT as u64).map_err(unreadable)?;
    let text = String::from_utf8(bytes).map_err(|_| {
        let source = io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8 text");
        unreadable(OpenError::Read { path: path.to_owned(), source })
    })?;
    Ok(Source { name: path.display().to_string(), text })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_ceiling_that_cannot_be_seen_is_not_a_ceiling_that_is_absent() {
        let place = std::env::temp_dir().join(format!("lazaret-ceiling-{}", std::process::id()));
        fs::create_dir_all(place.join("real")).expect("a directory");
        assert!(Policies::of(&place.join("none")).expect("no directory, no ceiling").ceiling.is_none());
        assert!(Policies::of(&place.join("real")).expect("no file, no ceiling").ceiling.is_none());
        symlink("/no/such/file", place.join("real/ceiling.toml")).expect("a link");
        assert!(Policies::of(&place.join("real")).is_err(), "the file is a link that dangles");
        symlink("/no/such/directory", place.join("link")).expect("a link");
        assert!(Policies::of(&place.join("link")).is_err(), "the directory is a link that dangles");
        fs::remove_file(place.join("real/ceiling.toml")).expect("remove");
        fs::write(place.join("real/ceiling.toml"), "lazaret = 1\nname = \"c\"\n").expect("write");
        assert!(Policies::of(&place.join("real")).expect("a ceiling").ceiling.is_some());
        fs::remove_dir_all(&place).expect("remove");
    }
}
