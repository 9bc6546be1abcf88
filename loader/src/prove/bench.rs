//! What one thread tries acts with: a directory that they may aim at, the objects that they are in, and plans.

use std::collections::HashMap;
use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use lazaret_cell::wire::Program;
use lazaret_policy::{LayerStatus, Policy};
use ring::rand::{SecureRandom as _, SystemRandom};

use super::acts::{Act, acts};
use super::attempt::Attempt;
use super::part::Part;
use crate::call::{Direction, Kind, Signature, Value};
use crate::closure::Audited;
use crate::error::Error;
use crate::host::Host;
use crate::open::OpenError;
use crate::plan::Planned;

/// Where the acts on files are aimed, as it stands in their objects.
const TARGET: &str = env!("PROVE_TARGET");

/// What of it is replaced.
const DIGITS: &str = "0000000000000000";

/// Nothing here takes long, and what takes for ever must not do so for long.
const TIMES: &str = r#"{"limits": {"call-time": "1 s", "load-time": "2 s"}}"#;

pub(super) struct Bench<'a> {
    host: &'a Host,
    policy: Arc<Policy>,
    /// The directory's random digits.
    digits: String,
    directory: PathBuf,
    /// By object, which may hold many acts.
    planned: HashMap<usize, Planned>,
}

impl<'a> Bench<'a> {
    pub(super) fn new(host: &'a Host, policy: &Arc<Policy>) -> Result<Self, Error> {
        let times = serde_json::from_str(TIMES).map_err(|error| refused(Path::new("lazaret"), error.into()))?;
        let policy = Arc::new(policy.narrowed(&times).map_err(Error::Policy)?);
        let mut random = [0; 8];
        let filled = SystemRandom::new().fill(&mut random);
        filled.map_err(|_| refused(Path::new("/dev/urandom"), io::Error::other("no randomness")))?;
        let digits = format!("{:016x}", u64::from_ne_bytes(random));
        let target = PathBuf::from(TARGET.replace(DIGITS, &digits));
        let directory = target.parent().map(Path::to_owned).unwrap_or_default();
        // Not one that somebody else made; and the cell's user must be able to write there, or no layer would be tried.
        let made = DirBuilder::new().mode(0o700).create(&directory);
        made.map_err(|source| refused(&directory, source))?;
        let bench = Self { host, policy, digits, directory, planned: HashMap::new() };
        fs::set_permissions(&bench.directory, Permissions::from_mode(0o777))
            .map_err(|source| refused(&bench.directory, source))?;
        Ok(bench)
    }

    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    /// What the policy enforces here.
    pub(super) fn enforcement(&self) -> Result<Vec<LayerStatus>, Error> {
        let Some(act) = acts().first() else { return Ok(Vec::new()) };
        Ok(self.plan(act)?.enforcement().layers.clone())
    }

    /// Whether a cell with this part alone has another user than its host, or process ids in which the host has none.
    pub(super) fn is_apart(&mut self, act: &'static Act, part: Part) -> Result<bool, Error> {
        Ok(self.host.kernel()?.root || part.alone(self.planned(act)?.plan()).namespaces.pid)
    }

    /// Whether there is such a part here.
    pub(super) fn has(&mut self, act: &'static Act, part: Part) -> Result<bool, Error> {
        Ok(part.is_in(self.planned(act)?.plan()))
    }

    /// Whether the limits keep the number of processes down.
    pub(super) fn caps_tasks(&mut self, act: &'static Act) -> Result<bool, Error> {
        Ok(self.planned(act)?.plan().limits.tasks != u64::MAX)
    }

    fn plan(&self, act: &Act) -> Result<Planned, Error> {
        let built_in = |source| refused(Path::new("lazaret"), source);
        let audited = Audited::built_in(&aimed(act.object(), &self.digits)).map_err(built_in)?;
        self.host.plan(audited, Arc::clone(&self.policy), Program::Cell)
    }

    fn planned(&mut self, act: &'static Act) -> Result<&Planned, Error> {
        if !self.planned.contains_key(&act.object) {
            let planned = self.plan(act)?;
            self.planned.insert(act.object, planned);
        }
        let missing = || refused(Path::new("lazaret"), io::ErrorKind::NotFound.into());
        self.planned.get(&act.object).ok_or_else(missing)
    }

    /// Runs an act in a new cell: with every part of the plan, or with one.
    pub(super) fn attempt(&mut self, act: &'static Act, alone: Option<Part>) -> Result<Attempt, Error> {
        self.lay_out()?;
        let left = act.leaves.map(Path::new).filter(|path| fs::symlink_metadata(path).is_err());
        let attempt = self.run(act, alone)?;
        // Nothing was there, so what is there now is the act's. It is mostly not.
        if let Some(Err(error)) = left.map(fs::remove_file) {
            tracing::debug!(act = act.name, %error, "nothing was left");
        }
        Ok(attempt)
    }

    fn run(&mut self, act: &'static Act, alone: Option<Part>) -> Result<Attempt, Error> {
        let host = self.host;
        let planned = self.planned(act)?;
        let plan = planned.plan().clone();
        let loaded = match alone {
            None => host.start(planned),
            Some(part) => host.start(&planned.under(part.alone(&plan))),
        };
        let mut loaded = match loaded {
            Ok(loaded) => loaded,
            Err(error) => return Ok(Attempt::of_error(act, error)),
        };
        let signature = Signature::parse(act.signature)
            .map_err(|error| refused(Path::new("lazaret"), io::Error::other(error.to_string())))?;
        let outcome = match loaded.cell.bind(&signature) {
            Ok(function) => loaded.cell.call(&function, &arguments(&signature)),
            Err(outcome) => outcome,
        };
        let in_force = Part::ALL.into_iter().filter(|part| part.is_in(&plan));
        let mut in_force = in_force.filter(|part| alone.is_none_or(|alone| alone == *part));
        Ok(match (Attempt::of_outcome(act, &outcome), act.is_contained(&mut in_force)) {
            (Attempt::GotItsWay, Some(part)) => {
                Attempt::Stopped { by: Some(part), how: "done where nobody sees it".to_owned() }
            }
            (attempt, _) => attempt,
        })
    }

    /// The files that acts may aim at, as if none had run yet.
    fn lay_out(&self) -> Result<(), Error> {
        let laid = || -> io::Result<()> {
            for entry in fs::read_dir(&self.directory)? {
                let path = entry?.path();
                if path.is_dir() && !path.is_symlink() { fs::remove_dir_all(&path)? } else { fs::remove_file(&path)? }
            }
            for name in ["file", "file.other"] {
                let file = self.directory.join(name);
                fs::write(&file, "for acts to aim at")?;
                fs::set_permissions(&file, Permissions::from_mode(0o666))?;
            }
            Ok(())
        };
        laid().map_err(|source| refused(&self.directory, source))
    }
}

impl Drop for Bench<'_> {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.directory) {
            tracing::warn!(%error, directory = %self.directory.display(), "what the acts were aimed at stays behind");
        }
    }
}

fn refused(path: &Path, source: io::Error) -> Error {
    Error::Read { what: "place of the acts", source: OpenError::Read { path: path.to_owned(), source } }
}

/// The object with its acts aimed at another directory, whose name is as long.
fn aimed(object: &[u8], digits: &str) -> Vec<u8> {
    let mut bytes = object.to_vec();
    let name = TARGET.split('/').find(|name| name.contains(DIGITS)).unwrap_or(DIGITS);
    let other = name.replace(DIGITS, digits);
    let mut at = 0;
    while let Some(found) = bytes.get(at..).and_then(|rest| find(rest, name.as_bytes())) {
        at += found;
        if let Some(place) = bytes.get_mut(at..at + name.len()) {
            place.copy_from_slice(other.as_bytes());
        }
        at += name.len();
    }
    bytes
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

/// Zeros for whatever a function is given.
fn arguments(signature: &Signature) -> Vec<Value> {
    let given = signature.parameters.iter().filter_map(|parameter| match &parameter.kind {
        Kind::Buffer { direction: Direction::Out, .. } => None,
        _ => Some(Value::Bytes(vec![0; 16])),
    });
    given.collect()
}
