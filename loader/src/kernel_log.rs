//! What AppArmor says of a cell in the kernel's log: the kernel's own word on what it refused, where this process may read
//! it. Without an audit daemon it is in `/dev/kmsg` (`Documentation/ABI/testing/dev-kmsg`), which needs `CAP_SYSLOG` where
//! `kernel.dmesg_restrict` is 1; with one, in the daemon's file. Both lose records when many come at once, so that nothing is
//! there proves nothing.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::fs::{Mode, OFlags, SeekFrom as Place};

use crate::call::unhex;
use crate::{apparmor, process};

/// Where auditd(8) writes.
const AUDIT: &str = "/var/log/audit/audit.log";

/// Longest record of `/dev/kmsg`, `PRINTK_MESSAGE_MAX` of the kernel, and room for what stands before it.
const RECORD: usize = 8 * 1024;

/// Most that is read of an audit daemon's file in one look: later records are dropped.
const AUDIT_LIMIT: u64 = 1 << 20;

/// Most denials that one look returns.
const DENIALS: usize = 64;

/// The logs, from the moment at which they were opened on.
#[derive(Debug)]
pub(crate) struct KernelLog {
    messages: Option<OwnedFd>,
    audit: Option<File>,
    /// Profiles whose denials count.
    profiles: Vec<String>,
}

/// One thing that AppArmor refused to somebody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Denial {
    /// What was tried, in AppArmor's words: `open`, `signal`, `capable`.
    pub(crate) operation: String,
    /// The profile, or a label of several, that refused it.
    pub(crate) profile: String,
    /// The path.
    pub(crate) name: Option<Vec<u8>>,
    /// Letters of what was asked for and refused, as in a profile.
    pub(crate) denied: String,
    /// Process id in the first pid namespace.
    pid: u32,
}

impl KernelLog {
    /// Opens what may be read; `None` where that is nothing.
    pub(crate) fn open() -> Option<Self> {
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        // Reading is what needs the capability on some kernels, opening on others.
        let readable = |fd: &OwnedFd| !matches!(rustix::io::read(fd, &mut [0; RECORD]), Err(rustix::io::Errno::PERM));
        let messages = rustix::fs::open("/dev/kmsg", flags, Mode::empty()).ok().filter(readable);
        let messages = messages.filter(|fd| rustix::fs::seek(fd, Place::End(0)).is_ok());
        let audit = File::open(AUDIT).ok().filter(|mut file| file.seek(SeekFrom::End(0)).is_ok());
        (messages.is_some() || audit.is_some()).then_some(Self { messages, audit, profiles: Vec::new() })
    }

    /// Looks for what these profiles refused. The number of a process alone says little: it is that of the first pid namespace, and
    /// this host may be in another.
    pub(crate) fn of(self, profiles: Vec<String>) -> Self {
        Self { profiles, ..self }
    }

    /// What was refused to a process since the last look. The kernel writes its log a moment after the fact: where something is
    /// expected, the look takes up to `patience`.
    pub(crate) fn denials(&mut self, pid: u32, patience: Duration) -> Vec<Denial> {
        let began = Instant::now();
        let mut found = Vec::new();
        loop {
            self.read(pid, &mut found);
            let left = patience.saturating_sub(began.elapsed());
            if !found.is_empty() || left.is_zero() {
                return found;
            }
            let waited = self.messages.as_ref().map(|fd| process::readable(fd, left));
            if !matches!(waited, Some(Ok(true))) {
                // Nothing came, or there is nothing to wait with: one last look.
                self.read(pid, &mut found);
                return found;
            }
        }
    }

    fn read(&mut self, pid: u32, found: &mut Vec<Denial>) {
        let profiles = &self.profiles;
        let mut keep = |line: &str| {
            let ours = |denial: &Denial| {
                denial.pid == pid
                    && apparmor::names(&denial.profile).any(|name| profiles.iter().any(|ours| ours == name))
            };
            // What a trial of ours was refused (`confine::profile`) is no plugin's.
            if let Some(denial) = parse(line).filter(ours).filter(|_| !line.contains(" family=\"ash\" "))
                && found.len() < DENIALS
            {
                found.push(denial);
            }
        };
        let mut record = [0; RECORD];
        // One record with each read; one that was overwritten meanwhile is an error, and the next read goes on behind it.
        for _ in 0..DENIALS * 64 {
            match self.messages.as_ref().map(|fd| rustix::io::read(fd, &mut record)) {
                Some(Ok(length)) => keep(&String::from_utf8_lossy(record.get(..length).unwrap_or_default())),
                Some(Err(rustix::io::Errno::PIPE | rustix::io::Errno::INTR)) => {}
                _ => break,
            }
        }
        let mut text = Vec::new();
        let read = self.audit.as_mut().map(|file| file.take(AUDIT_LIMIT).read_to_end(&mut text));
        if !matches!(read, Some(Err::<usize, io::Error>(_))) {
            String::from_utf8_lossy(&text).split_inclusive('\n').for_each(keep);
        }
    }
}

/// What follows the head that only the kernel's audit writes: in `/dev/kmsg` a record of the kernel's own (facility 0), in the
/// daemon's file a line of type AVC. Other messages quote what any process chose, such as the name of a program.
fn denied(record: &str) -> Option<&str> {
    let stamp = match record.strip_prefix("type=") {
        Some(line) => line.strip_prefix("AVC msg=audit(").or_else(|| line.strip_prefix("1400 msg=audit("))?,
        None => {
            let (head, message) = record.split_once(';')?;
            let priority: u32 = head.split(',').next()?.parse().ok()?;
            message.strip_prefix("audit: type=1400 audit(").filter(|_| priority < 8)?
        }
    };
    let (stamp, words) = stamp.split_once("): ")?;
    let plain = stamp.bytes().all(|byte| byte.is_ascii_digit() || b".:".contains(&byte));
    words.strip_prefix("apparmor=\"DENIED\" ").filter(|_| plain)
}

/// Reads a record of a denial: `apparmor="DENIED"` and words with `=` (`security/apparmor/audit.c`). A value stands between
/// quotes, or where it holds bytes that are no plain text, in hexadecimal without them. A record that was cut is none.
fn parse(record: &str) -> Option<Denial> {
    let words = denied(record.strip_suffix('\n')?)?;
    let value = |key: &str| {
        let mut rest = words;
        loop {
            let at = rest.find(key)?;
            let starts = rest.get(..at)?.chars().next_back().is_none_or(|before| before == ' ');
            rest = rest.get(at + key.len()..)?;
            if let Some(value) = rest.strip_prefix('=').filter(|_| starts) {
                return Some(value);
            }
        }
    };
    let quoted = |key: &str| {
        let value = value(key)?;
        match value.strip_prefix('"') {
            Some(value) => value.split_once('"').map(|(value, _)| value.as_bytes().to_vec()),
            None => unhex(value.split([' ', '\n']).next()?.as_bytes()),
        }
    };
    let text = |key: &str| quoted(key).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let pid = value("pid")?.split([' ', '\n']).next()?.parse().ok()?;
    Some(Denial {
        operation: text("operation")?,
        profile: text("profile").or_else(|| text("label"))?,
        name: quoted("name"),
        denied: text("denied_mask").unwrap_or_default(),
        pid,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPEN: &str = "5,1203,38004771,-;audit: type=1400 audit(1795523523.967:9): apparmor=\"DENIED\" operation=\"open\" \
                        class=\"file\" profile=\"lazaret-cell.compute\" name=\"/etc/passwd\" pid=222 comm=\"name= pid=1\" \
                        requested_mask=\"r\" denied_mask=\"r\" fsuid=0 ouid=0\n";

    #[test]
    fn a_denial_is_read_word_by_word() {
        let denial = parse(OPEN).expect("a denial");
        assert_eq!(
            (denial.operation.as_str(), denial.profile.as_str(), denial.pid),
            ("open", "lazaret-cell.compute", 222)
        );
        assert_eq!((denial.name.as_deref(), denial.denied.as_str()), (Some(&b"/etc/passwd"[..]), "r"));
        let stacked = OPEN.replace("profile=\"lazaret-cell.compute\"", "label=\"host//&lazaret-cell.compute\"");
        assert_eq!(parse(&stacked).expect("a denial").profile, "host//&lazaret-cell.compute");
        let odd = OPEN.replace("\"/etc/passwd\"", "2F746D702F22FF0A");
        assert_eq!(parse(&odd).expect("a denial").name.as_deref(), Some(&b"/tmp/\"\xff\n"[..]));
    }

    #[test]
    fn what_is_no_denial_is_none() {
        for other in [
            "",
            "6,1,1,-;a message",
            &OPEN.replace("DENIED", "ALLOWED"),
            &OPEN.replace("DENIED", "STATUS"),
            &OPEN.replace("pid=222", "pid=many"),
            &OPEN.replace("operation=\"open\" ", ""),
            "apparmor=\"DENIED\" operation=\"open",
            "apparmor=\"DENIED\" operation= profile= pid=",
            // What other messages of the kernel's quote, and what others write to the log.
            &OPEN.replace("audit: type=1400", "process 'audit: type=1400"),
            &OPEN.replace("5,1203", "13,1203"),
            &OPEN.replace("audit(1795523523.967:9)", "audit(apparmor=\"DENIED\")"),
            &OPEN.replace("): apparmor", "): name apparmor"),
            OPEN.trim_end(),
        ] {
            assert_eq!(parse(other), None, "{other}");
        }
        assert_eq!(unhex(b"2F7"), None);
        assert_eq!(unhex(b"zz"), None);
        assert_eq!(unhex("é".as_bytes()), None);
    }

    #[test]
    fn cut_records_are_read_as_far_as_they_go_or_not_at_all() {
        for length in 0..OPEN.len() {
            drop(parse(&OPEN[..length]));
        }
    }
}
