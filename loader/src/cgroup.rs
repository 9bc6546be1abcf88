//! Control groups (cgroups(7), version 2): memory, tasks and processor time of one cell, counted by the kernel for the cell
//! alone, where the host was given a part of the tree to make groups in.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use lazaret_policy::Cgroup;

/// What a group of a cell needs.
const CONTROLLERS: [&str; 3] = ["cpu", "memory", "pids"];

/// What groups of ours are called, in front of the host's process id and a number.
const PREFIX: &str = "lazaret-";

/// A group in which this host can make groups with every controller.
#[derive(Debug)]
pub(crate) struct Delegated {
    path: PathBuf,
}

impl Delegated {
    /// The nearest group above this process that passes the controllers on and belongs to its user. Not the process's own:
    /// a group that has processes can pass none on ("no internal processes"). Removes what hosts that were killed left there.
    pub(crate) fn find() -> Option<Self> {
        let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
        let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
        let own = own_group(&mounts, &groups)?;
        let found =
            own.ancestors().skip(1).find(|group| passes_on(group) && rustix::fs::access(*group, WRITE).is_ok())?;
        let delegated = Self { path: found.to_owned() };
        delegated.sweep();
        Some(delegated)
    }

    /// A new group with the caps of a plan, for one process.
    pub(crate) fn leaf(&self, caps: &Cgroup) -> io::Result<Leaf> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        // Never one that was used before: `cgroup.kill` once written there would end a process that is born in it.
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = self.path.join(format!("{PREFIX}{}-{}-{number}", pid_namespace(), std::process::id()));
        fs::create_dir(&path)?;
        let leaf = Leaf { path };
        leaf.cap(caps)?;
        Ok(leaf)
    }

    fn sweep(&self) {
        let Ok(entries) = fs::read_dir(&self.path) else { return };
        for entry in entries.flatten() {
            let name = entry.file_name();
            // Of this pid namespace: a number means somebody else in another.
            let own = format!("{PREFIX}{}-", pid_namespace());
            let host = name.to_str().and_then(|name| name.strip_prefix(&own)?.split('-').next());
            let host = host.filter(|host| host.parse::<u32>().is_ok());
            if host.is_some_and(|host| !Path::new("/proc").join(host).exists()) {
                drop(Leaf { path: entry.path() });
            }
        }
    }
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
    let path = groups.lines().find_map(|line| line.strip_prefix("0::"))?;
    let beneath = Path::new(path).strip_prefix(root).ok()?;
    Some(Path::new(place).join(beneath))
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

    /// The name of the group, for the look from outside.
    pub(crate) fn holds(&self, pid: u32) -> bool {
        let groups = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default();
        let path = groups.lines().find_map(|line| line.strip_prefix("0::"));
        path.is_some_and(|path| Path::new(path).file_name() == self.path.file_name())
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
