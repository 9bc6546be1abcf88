//! Control groups (cgroups(7), version 2): memory, tasks and processor time of one cell, counted by the kernel for the cell
//! alone, where the host was given a part of the tree to make groups in.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use lazaret_policy::Cgroup;
use thiserror::Error;

use crate::open;

/// What a group of a cell needs.
const CONTROLLERS: [&str; 3] = ["cpu", "memory", "pids"];

/// What groups of ours are called, in front of the host's process id and a number.
const PREFIX: &str = "lazaret-";

/// A group in which this host can make groups with every controller.
#[derive(Debug)]
pub(crate) struct Delegated {
    path: PathBuf,
}

/// Why there is no such group.
#[derive(Debug, PartialEq, Eq, Error)]
pub(crate) enum NotDelegated {
    #[error("no hierarchy of version 2 with the host in it is mounted")]
    NoTree,
    #[error("the host is in no group beneath the top of the tree, or in one directly beneath it")]
    Top,
    #[error("the group `{}` does not pass on all of cpu, memory and pids", open::shown(_0))]
    Controllers(PathBuf),
    #[error("the group `{}` is not this user's to change", open::shown(_0))]
    Owner(PathBuf),
}

impl Delegated {
    /// The group above this process's own, where it passes the controllers on and this user may make groups in it and move
    /// processes into them. Not the own one: a group that has processes can pass none on ("no internal processes"). None
    /// further up: cells would leave the limits that the host lives under. Not the top: nobody delegated that. Removes what
    /// hosts that were killed left there.
    pub(crate) fn find() -> Result<Self, NotDelegated> {
        let read = |path| fs::read_to_string(path).map_err(|_| NotDelegated::NoTree);
        let own = own_group(&read("/proc/self/mountinfo")?, &read("/proc/self/cgroup")?).ok_or(NotDelegated::NoTree)?;
        let found = own.parent().ok_or(NotDelegated::Top)?;
        let writable = |path: &Path| rustix::fs::access(path, WRITE).is_ok();
        // Every group has a type but the one at the top.
        if !found.join("cgroup.type").exists() {
            return Err(NotDelegated::Top);
        }
        if !passes_on(found) {
            return Err(NotDelegated::Controllers(found.to_owned()));
        }
        if !(writable(found) && writable(&found.join("cgroup.procs"))) {
            return Err(NotDelegated::Owner(found.to_owned()));
        }
        let delegated = Self { path: found.to_owned() };
        delegated.sweep();
        Ok(delegated)
    }

    /// Its directory.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// A new group with the caps of a plan, for one process.
    pub(crate) fn leaf(&self, caps: &Cgroup) -> io::Result<Leaf> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        // Never one that was used before: `cgroup.kill` once written there would end a process that is born in it.
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let own = std::process::id();
        let started = started(own).ok_or(io::ErrorKind::NotFound)?;
        let path = self.path.join(format!("{PREFIX}{}-{own}-{started}-{number}", pid_namespace()));
        fs::create_dir(&path)?;
        let leaf = Leaf { path };
        leaf.cap(caps)?;
        Ok(leaf)
    }

    fn sweep(&self) {
        let Ok(entries) = fs::read_dir(&self.path) else { return };
        // Of this pid namespace: a number means somebody else in another.
        let own = format!("{PREFIX}{}-", pid_namespace());
        for entry in entries.flatten() {
            let name = entry.file_name();
            let host = name.to_str().and_then(|name| {
                let mut numbers = name.strip_prefix(&own)?.split('-').map(|number| number.parse::<u64>().ok());
                Some((u32::try_from(numbers.next()??).ok()?, numbers.next()??))
            });
            if host.is_some_and(|(host, then)| started(host) != Some(then)) {
                drop(Leaf { path: entry.path() });
            }
        }
    }
}

/// When a process started, in clock ticks after the boot (`starttime` of proc_pid_stat(5)): with its number, that process and
/// no later one.
fn started(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name before may hold anything, a parenthesis too.
    stat.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()
}

/// The number of this process's pid namespace.
fn pid_namespace() -> String {
    let link = fs::read_link("/proc/self/ns/pid").unwrap_or_default();
    link.to_string_lossy().chars().filter(char::is_ascii_digit).collect()
}

const WRITE: rustix::fs::Access = rustix::fs::Access::WRITE_OK;

/// Where the group of this process lies: `0::` of `/proc/self/cgroup`, beneath the mount of the version 2 tree.
fn own_group(mounts: &str, groups: &str) -> Option<PathBuf> {
    // mountinfo: id parent device root place options… - type source options (proc_pid_mountinfo(5)).
    let (root, place) = mounts.lines().find_map(|line| {
        let (front, back) = line.split_once(" - ")?;
        let mut fields = front.split_whitespace().skip(3);
        (back.split_whitespace().next() == Some("cgroup2")).then_some((fields.next()?, fields.next()?))
    })?;
    let beneath = version_2(groups)?.strip_prefix(root).ok()?;
    Some(Path::new(place).join(beneath))
}

/// The group of version 2 in `/proc/PID/cgroup`, from the root of its tree.
fn version_2(groups: &str) -> Option<&Path> {
    groups.lines().find_map(|line| line.strip_prefix("0::")).map(Path::new)
}

fn passes_on(group: &Path) -> bool {
    let passed = fs::read_to_string(group.join("cgroup.subtree_control")).unwrap_or_default();
    CONTROLLERS.iter().all(|controller| passed.split_whitespace().any(|one| one == *controller))
}

/// The group of one cell. Dropping it ends every process in it and removes it.
#[derive(Debug)]
pub(crate) struct Leaf {
    path: PathBuf,
}

impl Leaf {
    fn cap(&self, caps: &Cgroup) -> io::Result<()> {
        const PERIOD: u64 = 100_000;
        let quota = u64::from(caps.cpu_percent) * PERIOD / 100;
        self.write("memory.max", &caps.memory.to_string())?;
        // Absent where the kernel counts no swap: then there is none to cap.
        match self.write("memory.swap.max", "0") {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            other => other?,
        }
        self.write("memory.oom.group", "1")?;
        self.write("pids.max", &caps.tasks.to_string())?;
        self.write("cpu.max", &format!("{quota} {PERIOD}"))
    }

    fn write(&self, name: &str, value: &str) -> io::Result<()> {
        // Opened for writing only: these files are not created.
        fs::OpenOptions::new().write(true).open(self.path.join(name)).and_then(|mut file| {
            use io::Write as _;
            file.write_all(value.as_bytes())
        })
    }

    /// Moves a process in.
    pub(crate) fn adopt(&self, pid: u32) -> io::Result<()> {
        self.write("cgroup.procs", &pid.to_string())
    }

    /// Whether a process is in it, for the look from outside.
    pub(crate) fn holds(&self, pid: u32) -> bool {
        let groups = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default();
        version_2(&groups).is_some_and(|group| group.file_name() == self.path.file_name())
    }

    /// Whether the kernel ended a process of it for want of memory.
    pub(crate) fn ran_out_of_memory(&self) -> bool {
        let events = fs::read_to_string(self.path.join("memory.events")).unwrap_or_default();
        let killed = events.lines().find_map(|line| line.strip_prefix("oom_kill "));
        killed.is_some_and(|count| count.trim() != "0")
    }
}

impl Drop for Leaf {
    fn drop(&mut self) {
        // Since Linux 5.14; its process is dead already, and it could have made no other.
        if let Err(error) = self.write("cgroup.kill", "1") {
            tracing::debug!(%error, "cgroup.kill");
        }
        for pause in [0, 1, 2, 4, 8, 16, 32, 64] {
            std::thread::sleep(Duration::from_millis(pause));
            match fs::remove_dir(&self.path) {
                // Busy until the last of its processes is gone for good.
                Err(error) if error.kind() == io::ErrorKind::ResourceBusy => {}
                _ => return,
            }
        }
        tracing::warn!(group = %self.path.display(), "a control group could not be removed");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_has_one_start() {
        let own = started(std::process::id()).expect("this process");
        assert_eq!(started(std::process::id()), Some(own));
        assert!(started(1).expect("the first process") <= own);
        assert_eq!(started(u32::MAX), None);
    }

    #[test]
    fn the_own_group_lies_beneath_the_mount_of_version_2() {
        let mounts = "24 1 0:22 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n\
                      30 24 0:26 / /sys/fs/cgroup/unified rw,nosuid - cgroup2 cgroup2 rw\n";
        let groups = "2:memory:/x\n0::/service/host\n";
        assert_eq!(own_group(mounts, groups), Some("/sys/fs/cgroup/unified/service/host".into()));
        let part = "30 24 0:26 /service /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n";
        assert_eq!(own_group(part, groups), Some("/sys/fs/cgroup/host".into()));
        assert_eq!(own_group(part, "0::/other\n"), None);
        assert_eq!(own_group("", groups), None);
    }
}
