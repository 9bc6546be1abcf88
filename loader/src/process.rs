//! Processes of this host: started or adopted, held by a pidfd, and never left behind.

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use lazaret_cell::hook;
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::net::{AddressFamily, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags, SocketType};
use rustix::process::{Pid, PidfdFlags, Signal, WaitId, WaitIdOptions};

/// How a process ended, in the kernel's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    Status(i32),
    Signal(i32),
}

/// A running child. Dropping it kills and reaps it.
#[derive(Debug)]
pub(crate) struct Process {
    pid: Pid,
    pidfd: OwnedFd,
    exit: Option<Exit>,
    /// Whose child it is. A host that forked has this memory too, and must not end its parent's processes.
    parent: u32,
}

impl Process {
    /// Starts `program` with one end of a socket pair as its standard input, the module of the dynamic loader's hook as its
    /// standard output, and no other descriptor, and returns the other end.
    pub(crate) fn start(program: &Path) -> io::Result<(Self, OwnedFd)> {
        let (ours, theirs) = pair()?;
        let child = spawn(program.to_owned(), theirs)?;
        let pid = Pid::from_child(&child);
        // The child is not waited for yet, so its number cannot have been given to another process.
        let pidfd = match rustix::process::pidfd_open(pid, PidfdFlags::empty()) {
            Ok(pidfd) => pidfd,
            Err(errno) => {
                let mut child = child;
                child.kill()?;
                child.wait()?;
                return Err(errno.into());
            }
        };
        Ok((Self { pid, pidfd, exit: None, parent: std::process::id() }, ours))
    }

    /// Takes over a child of this process, whoever forked it.
    pub(crate) fn adopt(pidfd: OwnedFd) -> io::Result<Self> {
        // proc(5), "/proc/pid/fdinfo": the number of the process that a pidfd refers to, -1 once it is reaped.
        let path = format!("/proc/self/fdinfo/{}", pidfd.as_raw_fd());
        let about = std::fs::read_to_string(path)?;
        let pid = about.lines().find_map(|line| line.strip_prefix("Pid:")?.trim().parse().ok()).and_then(Pid::from_raw);
        let pid = pid.ok_or(io::ErrorKind::InvalidData)?;
        // A child and nobody else: what this handle refers to is killed when it is dropped.
        let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        rustix::io::retry_on_intr(|| rustix::process::waitid(WaitId::PidFd(pidfd.as_fd()), look))
            .map_err(|_| io::Error::other("a handle of a process that is no child"))?;
        Ok(Self { pid, pidfd, exit: None, parent: std::process::id() })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.pid.as_raw_nonzero().get().unsigned_abs()
    }

    /// Whether this process may send it signals (`kill(2)` with signal 0): its own AppArmor profile may forbid that.
    pub(crate) fn in_reach(&self) -> bool {
        // A child that is not waited for yet keeps its number.
        matches!(rustix::process::test_kill_process(self.pid), Ok(()) | Err(rustix::io::Errno::SRCH))
    }

    /// How it ended, if it has.
    pub(crate) fn exited(&mut self) -> Option<Exit> {
        self.reap(WaitIdOptions::EXITED | WaitIdOptions::NOHANG)
    }

    /// Kills it, and returns how it ended: what came first counts.
    pub(crate) fn kill(&mut self) -> Option<Exit> {
        if self.exited().is_none()
            && let Err(errno) = rustix::process::pidfd_send_signal(&self.pidfd, Signal::KILL)
        {
            tracing::debug!(pid = self.pid(), %errno, "kill");
            // ESRCH: it has just ended by itself.
            if errno != rustix::io::Errno::SRCH {
                // A child that this process may not end: its own AppArmor profile forbids it. Nobody waits for ever.
                tracing::error!(pid = self.pid(), %errno, "this process may not end its own child");
                let _ended = readable(&self.pidfd, Duration::from_secs(1));
                return self.exited();
            }
        }
        self.reap(WaitIdOptions::EXITED)
    }

    fn reap(&mut self, options: WaitIdOptions) -> Option<Exit> {
        if self.exit.is_none() {
            let waited =
                rustix::io::retry_on_intr(|| rustix::process::waitid(WaitId::PidFd(self.pidfd.as_fd()), options));
            self.exit = match waited {
                Ok(Some(status)) => {
                    status.exit_status().map(Exit::Status).or_else(|| status.terminating_signal().map(Exit::Signal))
                }
                Ok(None) => None,
                // Somebody else in this host waits for every child and took the status; the process is gone.
                Err(_) => Some(Exit::Signal(0)),
            };
        }
        self.exit
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.parent == std::process::id() {
            self.kill();
        }
    }
}

/// Runs a program of the machine's to its end, with nothing in its environment, and returns what it printed.
pub(crate) fn output(
    program: &Path,
    words: &[&str],
    stdin: OwnedFd,
    limit: usize,
    patience: Duration,
) -> io::Result<Vec<u8>> {
    let began = Instant::now();
    #[expect(clippy::disallowed_methods, reason = "a program of the machine's, which no policy is about")]
    let mut command = Command::new(program);
    command.args(words).env_clear().current_dir("/").stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn()?;
    let mut read = || -> io::Result<Vec<u8>> {
        let mut pipe = OwnedFd::from(child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?);
        let mut printed = Vec::new();
        loop {
            if !readable(&pipe, patience.saturating_sub(began.elapsed()))? {
                return Err(io::ErrorKind::TimedOut.into());
            }
            let mut bytes = [0; 16 * 1024];
            match rustix::io::retry_on_intr(|| rustix::io::read(&mut pipe, &mut bytes))? {
                0 => return Ok(printed),
                length => printed.extend_from_slice(&bytes[..length]),
            }
            if printed.len() > limit {
                return Err(io::ErrorKind::FileTooLarge.into());
            }
        }
    };
    let printed = read();
    // It may go on after it closed its output.
    let status = loop {
        match child.try_wait() {
            Ok(None) if printed.is_err() || began.elapsed() >= patience => {
                child.kill()?;
                child.wait().ok();
                return printed.and(Err(io::ErrorKind::TimedOut.into()));
            }
            Ok(None) => thread::sleep(Duration::from_millis(1)),
            Ok(Some(status)) => break Some(status),
            // A host that ignores SIGCHLD, or waits for every child: how it ended is lost. What it printed is there.
            Err(error) if error.raw_os_error() == Some(rustix::io::Errno::CHILD.raw_os_error()) => break None,
            Err(error) => return Err(error),
        }
    };
    match (printed, status) {
        (Ok(_), Some(status)) if !status.success() => {
            Err(io::Error::other(format!("{} failed: {status}", program.display())))
        }
        (printed, _) => printed,
    }
}

/// A pair of sockets that keep messages whole.
pub(crate) fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(rustix::net::socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?)
}

/// Sends a message with descriptors. A peer that is gone is an error and not a signal.
pub(crate) fn send(socket: &OwnedFd, message: &[u8], descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
    let mut space = vec![MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(descriptors.len()))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !ancillary.push(SendAncillaryMessage::ScmRights(descriptors)) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    rustix::net::sendmsg(socket, &[IoSlice::new(message)], &mut ancillary, SendFlags::NOSIGNAL)?;
    Ok(())
}

/// Waits until the socket has something to read or is closed by the peer, at most `limit`.
pub(crate) fn readable(socket: &OwnedFd, limit: Duration) -> io::Result<bool> {
    let began = Instant::now();
    loop {
        let left =
            Timespec::try_from(limit.saturating_sub(began.elapsed())).map_err(|_| io::ErrorKind::InvalidInput)?;
        let mut fds = [PollFd::new(socket, PollFlags::IN)];
        match rustix::event::poll(&mut fds, Some(&left)) {
            Ok(count) => return Ok(count > 0),
            // poll(2) is not restarted after a handler of the host's, whatever SA_RESTART says.
            Err(rustix::io::Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
}

struct Order {
    program: PathBuf,
    stdin: OwnedFd,
    answer: mpsc::SyncSender<io::Result<Child>>,
}

/// Starts a child on a thread that lives as long as the host: a cell dies with the *thread* that started it
/// (`PR_SET_PDEATHSIG(2const)`), and a caller's thread may be short-lived.
fn spawn(program: PathBuf, stdin: OwnedFd) -> io::Result<Child> {
    // With the process it lives in: a host that forked has no such thread, though it has this memory.
    static SPAWNER: Mutex<Option<(u32, mpsc::Sender<Order>)>> = Mutex::new(None);
    let (answer, answered) = mpsc::sync_channel(1);
    let orders = {
        let mut spawner = SPAWNER.lock().unwrap_or_else(PoisonError::into_inner);
        match &*spawner {
            Some((process, orders)) if *process == std::process::id() => orders.clone(),
            _ => {
                let orders = spawner_thread()?;
                *spawner = Some((std::process::id(), orders.clone()));
                orders
            }
        }
    };
    let gone = |()| io::Error::other("the thread that starts cells is gone");
    orders.send(Order { program, stdin, answer }).map_err(|_| gone(()))?;
    answered.recv().map_err(|_| gone(()))?
}

fn spawner_thread() -> io::Result<mpsc::Sender<Order>> {
    let (orders, received) = mpsc::channel::<Order>();
    let work = move || {
        for Order { program, stdin, answer } in received {
            let child = hook::module().and_then(|hook| command(&program, stdin, hook).spawn());
            if let Err(mpsc::SendError(Ok(mut child))) = answer.send(child) {
                // Nobody waits any more, so nobody would end it.
                drop(child.kill().and_then(|()| child.wait()));
            }
        }
    };
    thread::Builder::new().name("lazaret-spawner".into()).spawn(work)?;
    Ok(orders)
}

#[expect(clippy::disallowed_methods, reason = "the one place that starts a process")]
fn command(program: &Path, stdin: OwnedFd, hook: OwnedFd) -> Command {
    let mut command = Command::new(program);
    let (name, value) = hook::VARIABLE;
    command.env_clear().env(name, value).current_dir("/").stdin(stdin).stdout(hook).stderr(Stdio::null());
    command
}
