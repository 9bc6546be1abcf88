//! What this machine can enforce, check by check, and what to do where it cannot. What a load would be refused for is asked of
//! the same code that refuses it.

mod apparmor;
mod boot;
mod machine;

use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _};
use std::path::Path;
use std::sync::Arc;

use lazaret_cell::hook;
use lazaret_cell::wire::Program;
use lazaret_policy::{Layer, Namespaces, Policy, ProfileState, Variables, lack_of_profile};
use rustix::fs::Access;
use serde::Serialize;

use crate::apparmor::{Subject, label};
use crate::audit::escape;
use crate::cell::CellError;
use crate::cgroup::Delegated;
use crate::closure::Audited;
use crate::confirm;
use crate::error::{Error, chain};
use crate::host::Host;
use crate::kernel;
use crate::open::OpenError;
use crate::policies::Policies;
use machine::{Machine, Shipped};

/// The policy of whoever names none: what it requires, a machine must have.
const DEFAULT: &str = "compute";

/// A machine, looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Diagnosis {
    /// Every check, in an order for people.
    pub checks: Vec<Check>,
}

/// What one check found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// Stable name, in kebab case. Checks about a shipped policy end with its name.
    pub id: String,
    /// What was found. Strings of the kernel's are escaped.
    pub found: String,
    /// How it stands.
    #[serde(flatten)]
    pub state: State,
}

/// How a check stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum State {
    /// As it should be.
    Ok,
    /// Plugins can be loaded under `builtin:compute`, but something is less than it could be, or another policy cannot be
    /// enforced.
    Warning {
        /// What to do about it.
        fix: String,
    },
    /// `builtin:compute` cannot be enforced.
    Missing {
        /// What to do about it.
        fix: String,
    },
}

impl Diagnosis {
    /// Whether `builtin:compute` can be enforced.
    #[must_use]
    pub fn is_able(&self) -> bool {
        !self.checks.iter().any(|check| matches!(check.state, State::Missing { .. }))
    }
}

impl State {
    /// The word of the JSON.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning { .. } => "warning",
            Self::Missing { .. } => "missing",
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn fix(&self) -> Option<&str> {
        match self {
            Self::Ok => None,
            Self::Warning { fix } | Self::Missing { fix } => Some(fix),
        }
    }
}

impl Check {
    fn ok(id: impl Into<String>, found: impl Into<String>) -> Self {
        Self { id: id.into(), found: found.into(), state: State::Ok }
    }

    fn warning(id: impl Into<String>, found: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { id: id.into(), found: found.into(), state: State::Warning { fix: fix.into() } }
    }

    fn missing(id: impl Into<String>, found: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { id: id.into(), found: found.into(), state: State::Missing { fix: fix.into() } }
    }
}

/// Looks at this machine. Where there is no host, the reason is one of the findings, and everything else is looked at all the
/// same.
///
/// Starts a cell under `builtin:compute` and ends it; nothing else is changed.
#[must_use]
pub fn examine(host: Result<&Host, &Error>) -> Diagnosis {
    let groups = Delegated::find();
    let started = host.map_err(Trouble::of).and_then(|host| {
        let kernel = host.kernel().map_err(|error| Trouble::of(&Error::Cell(error)))?;
        Ok((host, *kernel))
    });
    let kernel = match &started {
        Ok((_, kernel)) => *kernel,
        Err(_) => kernel::probe(Namespaces::NONE, groups.as_ref().ok()),
    };
    let profiles = crate::apparmor::Profiles::default();
    let shipped: Vec<Shipped> = lazaret_policy::builtin_names()
        .map(|name| {
            let reference = format!("builtin:{name}");
            let policy = match host {
                Ok(host) => host.policy(&reference),
                Err(_) => Policies::of_this_machine().and_then(|policies| policies.resolve(&reference)),
            };
            let look = |policy: &Arc<Policy>| profiles.look(policy, &Variables::default()).0;
            let profile = policy.as_ref().map_or(ProfileState::Missing, look);
            Shipped { name, policy, profile }
        })
        .collect();

    let machine = Machine { kernel, shipped };
    let mut checks = vec![release(), procfs(), modules(), own()];
    checks.push(cell(started.as_ref().map(|(host, _)| *host), &machine));
    checks.extend(machine.layers(started.is_ok(), &groups));
    checks.extend(apparmor::checks(&machine.shipped, &profiles));
    checks.extend(machine.shipped.iter().map(|shipped| machine.policy(shipped)));
    Diagnosis { checks }
}

/// Why there is no cell.
struct Trouble {
    found: String,
    fix: Option<String>,
}

impl Trouble {
    fn of(error: &Error) -> Self {
        let (found, fix) = (chain(error), error.hint());
        match error {
            Error::Cell(CellError::Start { program, source }) => match not_executed(Path::new(program), source) {
                Some((why, fix)) => Self { found: format!("{found}; {why}"), fix: Some(fix) },
                None => Self { found, fix },
            },
            _ => Self { found, fix },
        }
    }
}

/// Why the AppArmor profile of this process is what keeps the cell program from being executed, and what to do about it.
fn not_executed(program: &Path, source: &io::Error) -> Option<(String, String)> {
    // Of profiles access(2) knows nothing: what it refuses, the program's own mode does, or its mount.
    let may = || rustix::fs::access(program, Access::EXEC_OK).is_ok();
    if source.kind() != io::ErrorKind::PermissionDenied || !may() {
        return None;
    }
    let label = label(Subject::Own).ok().filter(|label| !crate::apparmor::is_unconfined(label))?;
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let no_new_privs = confirm::field(&status, "NoNewPrivs") == Some("1");
    Some(apparmor::not_executed(&label, no_new_privs, source))
}

fn release() -> Check {
    let uname = rustix::system::uname();
    let [release, machine] = [uname.release(), uname.machine()].map(|word| escape(&word.to_string_lossy()));
    Check::ok("kernel", format!("Linux {release} on {machine}"))
}

fn procfs() -> Check {
    match kernel::has_proc().map_err(Error::Cell) {
        Ok(()) => Check::ok("procfs", "mounted at /proc"),
        Err(error) => {
            let Trouble { found, fix } = Trouble::of(&error);
            Check::missing("procfs", found, fix.unwrap_or_default())
        }
    }
}

/// The security modules that the kernel runs with.
fn modules() -> Check {
    if let Some(list) = boot::modules() {
        return Check::ok("lsm", list.join(", "));
    }
    if boot::has_securityfs() {
        return Check::warning(
            "lsm",
            "the list of security modules cannot be read",
            format!("let the host read {}", boot::MODULES),
        );
    }
    let unknown = fs::read_to_string("/proc/filesystems").is_ok_and(|known| !known.contains("\tsecurityfs\n"));
    let fix = if unknown {
        "use a kernel with CONFIG_SECURITYFS, where AppArmor is wanted".to_owned()
    } else {
        format!(
            "`mount -t securityfs securityfs {}`, with sysfs at /sys before; in a container, outside of it",
            boot::SECURITYFS
        )
    };
    Check::warning(
        "lsm",
        "which security modules run cannot be seen: securityfs is not mounted at /sys/kernel/security",
        fix,
    )
}

/// Under what this process itself lives, and its cells with it.
fn own() -> Check {
    let user = rustix::process::geteuid();
    let who = if user.is_root() { "root".to_owned() } else { format!("user {}", user.as_raw()) };
    let Ok(status) = fs::read_to_string("/proc/self/status") else {
        let found = format!("{who}; what confines it cannot be seen");
        return Check::warning("host", found, "let the host read /proc/self/status, with procfs at /proc");
    };
    let mut under = Vec::new();
    match label(Subject::Own) {
        Ok(label) if !crate::apparmor::is_unconfined(&label) => under.push(format!("AppArmor `{}`", escape(&label))),
        // Off, or unconfined; what else stands in the way, the checks of AppArmor say.
        Ok(_) | Err(_) => {}
    }
    let number = |name| confirm::field(&status, name).and_then(|value| value.parse::<u64>().ok()).unwrap_or(0);
    match (number("Seccomp"), number("Seccomp_filters")) {
        (0, _) => {}
        (_, 0) => under.push("seccomp".to_owned()),
        (_, 1) => under.push("1 seccomp filter".to_owned()),
        (_, count) => under.push(format!("{count} seccomp filters")),
    }
    if number("NoNewPrivs") != 0 {
        under.push("no_new_privs".to_owned());
    }
    let under = if under.is_empty() { "confined by nothing".to_owned() } else { format!("under {}", under.join(", ")) };
    Check::ok("host", format!("{who}, {under}"))
}

/// Whether a cell comes up.
fn cell(host: Result<&Host, &Trouble>, machine: &Machine) -> Check {
    let failed = |found: &str, fix: Option<&str>| {
        Check::missing("cell", found, fix.unwrap_or("`lazaret --log debug doctor` says more"))
    };
    let host = match host {
        Ok(host) => host,
        Err(trouble) => return failed(&trouble.found, trouble.fix.as_deref()),
    };
    let Some(Ok(policy)) = machine.default().map(|shipped| &shipped.policy) else {
        return Check::ok("cell", "the cell program starts");
    };
    match come_up(host, Arc::clone(policy)) {
        Ok(None) => Check::ok("cell", format!("comes up, and is confined as builtin:{DEFAULT} says")),
        // Only a cell that tries can tell: see `Host::start`.
        Ok(Some(why)) => {
            let lack = lack_of_profile(ProfileState::Overruled, "", "", "").map(|lack| lack.help).unwrap_or_default();
            let fix =
                format!("{lack}; a host with a profile of its own needs `change_profile -> &lazaret-cell.*,` in it");
            Check::warning("cell", format!("comes up without the AppArmor profile, which is there: {why}"), fix)
        }
        // Which is what other checks are about.
        Err(Error::Plan(_)) => Check::ok("cell", format!("its program starts; builtin:{DEFAULT} cannot be enforced")),
        Err(error) => {
            let Trouble { found, fix } = Trouble::of(&error);
            failed(&found, fix.as_deref())
        }
    }
}

/// Loads the one shared object that this program has with it and that does nothing by itself. Where the cell could not enter
/// its AppArmor profile, and went on without: why.
fn come_up(host: &Host, policy: Arc<Policy>) -> Result<Option<String>, Error> {
    let bytes = || {
        let mut module = File::from(hook::module()?);
        let mut bytes = Vec::new();
        module.rewind()?;
        module.read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let audited = bytes().and_then(|bytes| Audited::built_in(&bytes));
    let audited = audited.map_err(|source| Error::Open(OpenError::Read { path: "lazaret-hook".into(), source }))?;
    let planned = host.plan(audited, policy, Program::Cell)?;
    let loaded = host.start(&planned)?;
    let entered = planned.plan().apparmor.is_some();
    let lost = loaded.cell.enforcement().layers.iter().find_map(|layer| match &layer.state {
        lazaret_policy::State::Absent { why } if layer.layer == Layer::Apparmor => Some(why.clone()),
        _ => None,
    });
    Ok(lost.filter(|_| entered))
}
