//! Whether a cell is confined, as seen from outside: what the kernel says about the process in `/proc` (proc(5)) against
//! what the plan demands. The cell's own word is not asked.

use std::fmt;
use std::fs;
use std::io;

use lazaret_policy::Plan;
use serde::Serialize;

use crate::apparmor::{self, LoadedProfile, Subject};
use crate::cgroup::Leaf;
use crate::zygote::Zygote;

/// Something that the kernel says differently from the plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unconfined {
    /// Field of `/proc/PID/status`, or row of `/proc/PID/limits`.
    pub field: String,
    /// What the plan demands.
    pub wanted: String,
    /// What the kernel says.
    pub found: String,
}

impl fmt::Display for Unconfined {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { field, wanted, found } = self;
        write!(f, "the kernel says `{field}: {found}` of the cell where the plan demands `{wanted}`")
    }
}

impl std::error::Error for Unconfined {}

/// When the look is taken: which filters must be in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Before the plugin is mapped.
    Load,
    /// Before the first call.
    Call,
}

/// What a cell has of its host, and that is no plan's.
#[derive(Debug)]
pub(crate) struct Inherited {
    /// Seccomp filters that this process itself lives under, and that every child inherits.
    filters: u64,
    /// The AppArmor label of the process that cells are forked from, where the plan has a profile.
    label: Option<String>,
}

impl Inherited {
    /// Asks, and has the cell stack its profile where there is one before it: what confines the host confines its plugins,
    /// and a host with `no_new_privs` can do nothing else.
    pub(crate) fn of(zygote: &Zygote, plan: &mut Plan) -> Result<Self, Unconfined> {
        let path = "/proc/self/status";
        let status = fs::read_to_string(path).map_err(|error| unreadable(path, &error))?;
        let filters = field(&status, "Seccomp_filters").and_then(|count| count.parse().ok()).unwrap_or(0);
        let Some(apparmor) = &mut plan.apparmor else { return Ok(Self { filters, label: None }) };
        let label = zygote.label().map_err(|error| unreadable(LABEL, &error))?;
        apparmor.stacked = !apparmor::is_unconfined(label);
        Ok(Self { filters, label: Some(label.to_owned()) })
    }

    /// The profiles that a cell is under; none where the plan has none.
    pub(crate) fn profiles(&self, plan: &Plan) -> Option<Vec<String>> {
        let entered = plan.apparmor.as_ref()?.profile.clone();
        Some(apparmor::names(self.label.as_ref()?).map(str::to_owned).chain([entered]).collect())
    }
}

/// Where a process's label is (proc_pid_attr(5)).
const LABEL: &str = "attr/apparmor/current";

/// The label of a process or thread is what the profile of the plan makes of the one before.
fn label(of: Subject, plan: &Plan, inherited: &Inherited) -> Result<(), Unconfined> {
    let (Some(apparmor), Some(before)) = (&plan.apparmor, &inherited.label) else { return Ok(()) };
    let label = match apparmor::label(of) {
        Ok(label) => label,
        Err(error) if matches!(of, Subject::Thread(..)) && is_gone(&error) => return Ok(()),
        Err(error) => return Err(unreadable(LABEL, &error)),
    };
    let entered = apparmor::entered(&label, &apparmor.profile, before);
    entered.map_err(|wanted| Unconfined { field: LABEL.to_owned(), wanted, found: label })
}

/// The profile that the kernel has is still the one that the policy means.
pub(crate) fn profile_stands(profile: Option<&LoadedProfile>) -> Result<(), Unconfined> {
    if profile.is_none_or(LoadedProfile::stands) {
        return Ok(());
    }
    let (wanted, found) = ("as the policy says".to_owned(), "replaced meanwhile".to_owned());
    Err(Unconfined { field: "AppArmor profile".to_owned(), wanted, found })
}

/// Compares the process with the plan.
pub(crate) fn confirm(pid: u32, plan: &Plan, phase: Phase, inherited: &Inherited) -> Result<(), Unconfined> {
    let path = format!("/proc/{pid}/status");
    let status = fs::read_to_string(&path).map_err(|error| unreadable(&path, &error))?;
    let wanted = demanded(plan, phase, inherited.filters);
    compare(&status, &wanted)?;
    label(Subject::Process(pid), plan, inherited)?;
    if phase == Phase::Call {
        // A plugin's initialisers may have started threads; each has its own filters and credentials.
        let path = format!("/proc/{pid}/task");
        for task in fs::read_dir(&path).map_err(|error| unreadable(&path, &error))? {
            let task = task.map_err(|error| unreadable(&path, &error))?;
            if let Some(thread) = task.file_name().to_str().and_then(|name| name.parse().ok()) {
                label(Subject::Thread(pid, thread), plan, inherited)?;
            }
            let path = task.path().join("status");
            match fs::read_to_string(&path) {
                Ok(status) => compare(&status, &wanted)?,
                Err(error) if is_gone(&error) => {}
                Err(error) => return Err(unreadable(&path.display().to_string(), &error)),
            }
        }
    }
    if plan.namespaces.pid {
        first_of_its_namespace(&status, pid)?;
    }
    limits(pid, plan)
}

/// The cell is process 1 of a pid namespace that lies within this one (`NSpid`, proc_pid_status(5)).
fn first_of_its_namespace(status: &str, pid: u32) -> Result<(), Unconfined> {
    let found = field(status, "NSpid").unwrap_or("(absent)");
    let wanted = format!("{pid}\t1");
    if found == wanted {
        return Ok(());
    }
    Err(Unconfined { field: "NSpid".into(), wanted, found: found.to_owned() })
}

/// The cell is in its control group.
pub(crate) fn in_group(pid: u32, group: &Leaf) -> Result<(), Unconfined> {
    if group.holds(pid) {
        return Ok(());
    }
    Err(Unconfined { field: "cgroup".into(), wanted: "the cell's own group".into(), found: "another".into() })
}

/// Whether a thread ended between listing and looking (`ENOENT`, `ESRCH`).
fn is_gone(error: &io::Error) -> bool {
    const ESRCH: i32 = 3;
    error.kind() == io::ErrorKind::NotFound || error.raw_os_error() == Some(ESRCH)
}

/// Fields of `status` and what the plan wants in them.
fn demanded(plan: &Plan, phase: Phase, inherited: u64) -> Vec<(&'static str, String)> {
    let filters = match phase {
        Phase::Load => plan.seccomp.load.as_slice().len(),
        Phase::Call => plan.seccomp.load.as_slice().len() + plan.seccomp.call.as_slice().len(),
    };
    let filters = inherited + filters as u64;
    let mut wanted = vec![
        ("NoNewPrivs", "1".to_owned()),
        ("Seccomp", if filters == 0 { "0" } else { "2" }.to_owned()),
        ("Seccomp_filters", filters.to_string()),
    ];
    let none = format!("{:016x}", 0);
    wanted.extend(["CapInh", "CapPrm", "CapEff", "CapAmb"].map(|set| (set, none.clone())));
    if plan.identity.is_some() || plan.namespaces.user {
        // Where it could be dropped, the bounding set must be empty.
        wanted.push(("CapBnd", none));
    }
    if let Some(identity) = plan.identity {
        wanted.push(("Uid", four(identity.uid)));
        wanted.push(("Gid", four(identity.gid)));
        wanted.push(("Groups", String::new()));
    } else {
        // Whoever the host is: one user and one group, none kept aside to return to.
        wanted.push(("Uid", four(rustix::process::getuid().as_raw())));
        wanted.push(("Gid", four(rustix::process::getgid().as_raw())));
    }
    if phase == Phase::Load {
        // Landlock and seccomp hold for the thread that entered them and for its later children: there may be no other.
        wanted.push(("Threads", "1".to_owned()));
    }
    wanted
}

fn compare(status: &str, wanted: &[(&str, String)]) -> Result<(), Unconfined> {
    for (name, wanted) in wanted {
        let found = field(status, name).unwrap_or("(absent)");
        if found != wanted {
            let (field, wanted) = ((*name).to_owned(), wanted.clone());
            return Err(Unconfined { field, wanted, found: found.to_owned() });
        }
    }
    Ok(())
}

/// Real, effective, saved and file-system id, as `/proc/PID/status` has them.
fn four(id: u32) -> String {
    format!("{id}\t{id}\t{id}\t{id}")
}

fn limits(pid: u32, plan: &Plan) -> Result<(), Unconfined> {
    let path = format!("/proc/{pid}/limits");
    let table = fs::read_to_string(&path).map_err(|error| unreadable(&path, &error))?;
    let most = [
        ("Max data size", plan.limits.data),
        ("Max address space", plan.limits.address_space),
        ("Max stack size", plan.limits.stack),
        ("Max cpu time", plan.limits.cpu_seconds),
        ("Max processes", plan.limits.tasks),
        ("Max open files", plan.limits.open_files),
        ("Max file size", plan.limits.file_size),
        ("Max core file size", 0),
    ];
    for (name, most) in most {
        let row = table.lines().find_map(|line| line.strip_prefix(name)).unwrap_or("");
        let soft = row.split_whitespace().next().unwrap_or("(absent)");
        // Lower than the plan is the host's own limit, which a child inherits and cannot raise.
        if soft.parse::<u64>().is_ok_and(|soft| soft <= most) || most == u64::MAX {
            continue;
        }
        return Err(Unconfined { field: name.to_owned(), wanted: most.to_string(), found: soft.to_owned() });
    }
    Ok(())
}

fn unreadable(path: &str, error: &io::Error) -> Unconfined {
    Unconfined { field: path.to_owned(), wanted: "readable".into(), found: error.to_string() }
}

/// A field of `/proc/PID/status`.
pub(crate) fn field<'a>(status: &'a str, name: &str) -> Option<&'a str> {
    status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
}
