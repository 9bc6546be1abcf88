//! The processes that cells are forked from, as their host sees them: started at the first load, and replaced as soon as a
//! cell of theirs crashed, violated or lied, so that nobody can try an address-space layout twice.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use lazaret_cell::wire::{self, Network, Order, Word};
use lazaret_policy::{Namespaces, Plan};
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags};
use rustix::process::PidfdFlags;

use crate::apparmor::{self, Subject};
use crate::cell::CellError;
use crate::libraries::Library;
use crate::open;
use crate::process::{self, Process};

/// How long a zygote may take for anything it is asked. It does nothing that waits.
const PATIENCE: Duration = Duration::from_secs(10);

/// One process that forks cells.
#[derive(Debug)]
pub(crate) struct Zygote {
    /// One order at a time. Dropping it ends the process.
    line: Mutex<Line>,
    namespaces: Namespaces,
    label: OnceLock<String>,
    /// AppArmor profiles of which a cell was tried.
    tried: Mutex<BTreeSet<String>>,
    /// Process id of the host that started it: a host that forked must not give orders to its parent's.
    host: u32,
    spent: AtomicBool,
}

/// Whether a process has a library mapped.
pub(crate) enum Had {
    /// This one.
    Mapped,
    /// None of that name.
    Not,
    /// Another of that name.
    Another,
}

#[derive(Debug)]
struct Line {
    process: Process,
    socket: OwnedFd,
    /// Libraries that every cell of it has mapped.
    libraries: BTreeMap<String, Arc<Library>>,
}

impl Zygote {
    /// Starts one.
    pub(crate) fn start(program: &Path, network: Network) -> Result<Self, CellError> {
        let start = |source| CellError::Start { program: open::shown(program), source };
        let (process, socket) = Process::start(program).map_err(start)?;
        let own = rustix::process::pidfd_open(rustix::process::getpid(), PidfdFlags::empty());
        let own = own.map_err(|errno| CellError::Channel(errno.into()))?;
        let mut line = Line { process, socket, libraries: BTreeMap::new() };
        match line.ask(Order::Begin(network), own.as_fd())? {
            (Word::Ready { namespaces }, None) => Ok(Self {
                line: Mutex::new(line),
                namespaces,
                label: OnceLock::new(),
                tried: Mutex::default(),
                host: std::process::id(),
                spent: AtomicBool::new(false),
            }),
            (word, _) => Err(unexpected(word)),
        }
    }

    /// Its AppArmor label, which cells inherit: what the host's profiles say of executing it, or the host's own.
    pub(crate) fn label(&self) -> io::Result<&str> {
        if let Some(label) = self.label.get() {
            return Ok(label);
        }
        let pid = self.line.lock().unwrap_or_else(PoisonError::into_inner).process.pid();
        let label = apparmor::label(Subject::Process(pid))?;
        Ok(self.label.get_or_init(|| label))
    }

    /// Whether the first cell under the plan's AppArmor profile has to show that the kernel refuses it something and that this
    /// process may end it, before one is used: what only root can read of the first, and what no look can tell of the second.
    pub(crate) fn needs_trial(&self, plan: &Plan) -> io::Result<bool> {
        let Some(apparmor) = &plan.apparmor else { return Ok(false) };
        if self.tried.lock().unwrap_or_else(PoisonError::into_inner).contains(&apparmor.profile) {
            return Ok(false);
        }
        Ok(apparmor::overruled().is_none() || !apparmor::is_unconfined(self.label()?))
    }

    /// It did.
    pub(crate) fn tried(&self, plan: &Plan) {
        let mut tried = self.tried.lock().unwrap_or_else(PoisonError::into_inner);
        tried.extend(plan.apparmor.iter().map(|apparmor| apparmor.profile.clone()));
    }

    /// What its cells can have.
    pub(crate) fn namespaces(&self) -> Namespaces {
        self.namespaces
    }

    /// Asks, and does without this process from then on if it does not answer.
    fn ask(
        &self,
        line: &mut Line,
        order: Order,
        descriptor: BorrowedFd<'_>,
    ) -> Result<(Word, Option<OwnedFd>), CellError> {
        line.ask(order, descriptor).inspect_err(|_| self.spend())
    }

    /// Makes every later load start another one.
    pub(crate) fn spend(&self) {
        self.spent.store(true, Ordering::Relaxed);
    }

    /// Whether cells may still be forked from it.
    fn serves(&self) -> bool {
        !self.spent.load(Ordering::Relaxed) && self.host == std::process::id()
    }

    /// Maps a library in it, if it has none of that name, so that every later cell has it.
    pub(crate) fn have(&self, name: &str, library: &Arc<Library>) -> Result<Had, CellError> {
        let mut line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(had) = line.libraries.get(name) {
            return Ok(if Arc::ptr_eq(had, library) { Had::Mapped } else { Had::Another });
        }
        match self.ask(&mut line, Order::Library, library.sealed.as_fd())? {
            (Word::Library { mapped: true }, None) => {
                line.libraries.insert(name.to_owned(), Arc::clone(library));
                Ok(Had::Mapped)
            }
            (Word::Library { mapped: false }, None) => Ok(Had::Not),
            (word, _) => Err(unexpected(word)),
        }
    }

    /// Forks a cell, which reads its orders from `control`.
    pub(crate) fn fork(&self, namespaces: Namespaces, control: OwnedFd) -> Result<Process, CellError> {
        let mut line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        let forked = match self.ask(&mut line, Order::Cell(namespaces), control.as_fd())? {
            (Word::Born, Some(pidfd)) => Process::adopt(pidfd).map_err(CellError::Channel),
            (word, _) => Err(unexpected(word)),
        };
        if forked.is_err() {
            // Whatever is wrong with it, the next load does not find it again.
            self.spend();
        }
        forked
    }
}

fn unexpected(word: Word) -> CellError {
    match word {
        Word::Failed(failure) => CellError::Step { step: failure.step, errno: failure.errno, subject: None },
        _ => CellError::Channel(io::ErrorKind::InvalidData.into()),
    }
}

impl Line {
    fn ask(&mut self, order: Order, descriptor: BorrowedFd<'_>) -> Result<(Word, Option<OwnedFd>), CellError> {
        let answered = self.exchange(order, descriptor);
        if answered.is_err() {
            // Whatever it is about to say now would be taken for the answer to the next order.
            self.process.kill();
        }
        answered.map_err(CellError::Channel)
    }

    fn exchange(&self, order: Order, descriptor: BorrowedFd<'_>) -> io::Result<(Word, Option<OwnedFd>)> {
        process::send(&self.socket, &order.to_bytes(), &[descriptor])?;
        if !process::readable(&self.socket, PATIENCE)? {
            return Err(io::ErrorKind::TimedOut.into());
        }
        let mut bytes = [0; wire::ORDER_LIMIT];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let received = rustix::net::recvmsg(
            &self.socket,
            &mut [IoSliceMut::new(&mut bytes)],
            &mut ancillary,
            RecvFlags::CMSG_CLOEXEC,
        )?;
        let mut descriptors = ancillary.drain().filter_map(|part| match part {
            RecvAncillaryMessage::ScmRights(rights) => Some(rights),
            _ => None,
        });
        let descriptor = descriptors.next().and_then(|mut rights| rights.next());
        let word = bytes.get(..received.bytes).and_then(Word::from_bytes).ok_or(io::ErrorKind::InvalidData)?;
        Ok((word, descriptor))
    }
}

/// The zygotes of one host: one for each network that its cells may have.
#[derive(Debug, Default)]
pub(crate) struct Zygotes {
    by_network: Mutex<BTreeMap<Network, Arc<Zygote>>>,
}

impl Zygotes {
    /// The one that cells are forked from now.
    pub(crate) fn of(&self, program: &Path, network: Network) -> Result<Arc<Zygote>, CellError> {
        let mut all = self.by_network.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(zygote) = all.get(&network).filter(|zygote| zygote.serves()) {
            return Ok(Arc::clone(zygote));
        }
        let zygote = Arc::new(Zygote::start(program, network)?);
        all.insert(network, Arc::clone(&zygote));
        Ok(zygote)
    }
}
