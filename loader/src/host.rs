//! A host program's side of everything: where the cell program lies, what the machine says, and the steps of a load.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use lazaret_cell::wire::{Network, Program, Step};
use lazaret_policy::{KernelSupport, Layout, Policy};

use crate::apparmor::{self, Profiles};
use crate::cell::{Cell, CellError, Ready, Trial};
use crate::cgroup::Delegated;
use crate::closure::Audited;
use crate::error::Error;
use crate::kernel;
use crate::libraries::{Libraries, Library};
use crate::open::{self, Opened};
use crate::plan::{NamedLibraries, Planned};
use crate::policies::Policies;
use crate::runner::Runner;
use crate::trust::{Acceptance, TrustDocument, Verdict};
use crate::zygote::{Had, Zygote, Zygotes};

/// Largest trust document, in bytes.
const TRUST_LIMIT: u64 = 1024 * 1024;

/// What loads plugins: made once by a host program.
#[derive(Debug)]
pub struct Host {
    cell_program: PathBuf,
    libraries: Libraries,
    kernel: OnceLock<KernelSupport>,
    groups: OnceLock<Option<Delegated>>,
    zygotes: Zygotes,
    profiles: Profiles,
    policies: Policies,
    trust: Option<TrustDocument>,
    /// Whether cells watch what Landlock refuses.
    watching: bool,
}

/// A plugin that is ready to be called.
#[derive(Debug)]
pub struct Loaded {
    /// The cell it lives in.
    pub cell: Cell<Ready>,
    verdict: Arc<Verdict>,
}

impl Loaded {
    /// On whose word the file was accepted.
    #[must_use]
    pub fn acceptance(&self) -> &Acceptance {
        self.verdict.acceptance()
    }
}

impl Host {
    /// Where the cell program is looked for when it does not lie beside the host program.
    pub const CELL_PROGRAMS: [&str; 2] = ["/usr/libexec/lazaret/lazaret-cell", "/usr/lib/lazaret/lazaret-cell"];

    /// A host whose cell program lies beside this program, or where packages put it.
    ///
    /// # Errors
    /// [`CellError::Start`] when there is none, [`CellError::NoProc`], and [`Error::Read`] when the machine's ceiling cannot be read.
    pub fn new() -> Result<Self, Error> {
        kernel::has_proc()?;
        let beside = std::env::current_exe().ok().and_then(|exe| Some(exe.parent()?.join("lazaret-cell")));
        let installed = Self::CELL_PROGRAMS.map(PathBuf::from);
        let found = beside.iter().chain(&installed).find(|program| program.is_file());
        match found {
            Some(program) => Self::with_cell_program(program),
            None => Err(Error::Cell(CellError::Start {
                program: "lazaret-cell".into(),
                source: io::ErrorKind::NotFound.into(),
            })),
        }
    }

    /// A host whose cell program is this one.
    ///
    /// # Errors
    /// As [`Host::new`].
    pub fn with_cell_program(program: &Path) -> Result<Self, Error> {
        kernel::has_proc()?;
        let start = |source| CellError::Start { program: open::shown(program), source };
        let program = fs::canonicalize(program).map_err(start)?;
        let libraries = Libraries::of_cells(&program)?;
        let policies = Policies::of_this_machine()?;
        let (kernel, groups) = (OnceLock::new(), OnceLock::new());
        Ok(Self {
            cell_program: program,
            libraries,
            kernel,
            groups,
            zygotes: Zygotes::default(),
            profiles: Profiles::default(),
            policies,
            trust: None,
            watching: false,
        })
    }

    /// Uses a trust document, which says what keys the publishers of a policy have.
    ///
    /// # Errors
    /// [`Error::Read`] when it cannot be read, [`Error::Trust`] when it has mistakes.
    pub fn with_trust_document(mut self, path: &Path) -> Result<Self, Error> {
        let unreadable = |source| Error::Read { what: "trust document", source };
        let bytes = open::small(path, TRUST_LIMIT).map_err(unreadable)?;
        self.trust = Some(TrustDocument::parse(&bytes).map_err(|error| Error::Trust(error.into()))?);
        Ok(self)
    }

    /// Resolves policies in another way than under the machine's ceiling.
    #[must_use]
    pub fn with_policies(mut self, policies: Policies) -> Self {
        self.policies = policies;
        self
    }

    /// Has cells watch the calls that Landlock may refuse, so that [`Cell::reports`] tells which file or port it was: to find
    /// out what a plugin needs. The same is permitted; each such call costs some microseconds more. A runner's are not watched.
    #[must_use]
    pub fn watching(mut self) -> Self {
        self.watching = true;
        self
    }

    /// The machine's libraries, as read for earlier loads.
    #[must_use]
    pub fn libraries(&self) -> &Libraries {
        &self.libraries
    }

    /// What this machine's kernel can enforce. Asked once; the answer needs a process, which later forks cells.
    ///
    /// # Errors
    /// [`CellError`] when the cell program cannot be started.
    pub fn kernel(&self) -> Result<&KernelSupport, CellError> {
        if let Some(kernel) = self.kernel.get() {
            return Ok(kernel);
        }
        let zygote = self.zygotes.of(&self.cell_program, Network::Own)?;
        Ok(self.kernel.get_or_init(|| kernel::probe(zygote.namespaces(), self.groups())))
    }

    /// The AppArmor label of the process that cells are forked from, where that is under a profile itself.
    pub(crate) fn confined_by(&self) -> Result<Option<String>, CellError> {
        let zygote = self.zygotes.of(&self.cell_program, Network::Own)?;
        // Which cannot be read where AppArmor is off.
        Ok(zygote.label().ok().filter(|label| !apparmor::is_unconfined(label)).map(str::to_owned))
    }

    /// Resolves a policy: a file, or `builtin:NAME`.
    ///
    /// # Errors
    /// As [`Policies::resolve`].
    pub fn policy(&self, name: &str) -> Result<Arc<Policy>, Error> {
        self.policies.resolve(name)
    }

    /// Loads a plugin: the steps of ARCHITECTURE.md and nothing else.
    ///
    /// # Errors
    /// The step that refused, with why.
    pub fn load(&self, opened: Opened, policy: Arc<Policy>) -> Result<Loaded, Error> {
        self.start(&self.prepare(opened, policy)?)
    }

    /// The steps of a load that need no process. What they return can be started any number of times: the sealed copies do
    /// not change.
    ///
    /// # Errors
    /// The step that refused, with why.
    pub fn prepare(&self, opened: Opened, policy: Arc<Policy>) -> Result<Planned, Error> {
        self.prepare_as(Program::Cell, opened, policy)
    }

    fn prepare_as(&self, runs: Program, opened: Opened, policy: Arc<Policy>) -> Result<Planned, Error> {
        let verified = opened.verify(&policy, self.trust.as_ref())?;
        let policy = verified.narrow(policy).map_err(Error::Policy)?;
        let audited = verified.audit(&policy, &self.libraries).map_err(Error::Audit)?;
        let planned = self.plan(audited, policy, runs)?;
        Ok(if self.watching { planned.watch(self.kernel()?)? } else { planned })
    }

    /// What the policy means on this machine.
    pub(crate) fn plan(&self, audited: Audited, policy: Arc<Policy>, runs: Program) -> Result<Planned, Error> {
        audited.plan(policy, self.kernel()?, &self.profiles, runs).map_err(Error::Plan)
    }

    /// Takes a copy of a runner: a program that maps plugins of its kind in their cells.
    ///
    /// # Errors
    /// [`Error::Open`] when it, or a library that it needs, cannot be read.
    pub fn runner(&self, path: &Path) -> Result<Arc<Runner>, Error> {
        Ok(Arc::new(Runner::open(path, &self.libraries)?))
    }

    /// As [`Host::prepare`], for a plugin that a runner maps.
    ///
    /// # Errors
    /// The step that refused, with why.
    pub fn prepare_for(&self, runner: &Arc<Runner>, opened: Opened, policy: Arc<Policy>) -> Result<Planned, Error> {
        self.prepare_as(Program::Runner, opened, policy)?.run_by(Arc::clone(runner), &self.libraries, self.kernel()?)
    }

    /// The steps of a load from the process on: a new cell.
    ///
    /// # Errors
    /// The step that refused, with why.
    pub fn start(&self, planned: &Planned) -> Result<Loaded, Error> {
        match self.start_once(planned) {
            // The process that cells are forked from is gone, for reasons of the machine's. Nothing was mapped; a new one may do.
            Err(Error::Cell(CellError::Channel(error))) => {
                tracing::warn!(%error, "the process that cells are forked from is replaced");
                self.start_once(planned)
            }
            // Only a cell that tries can tell whether the host's own profile lets it.
            Err(Error::Cell(error @ CellError::Step { step: Step::Profile | Step::ProfileProof, .. })) => {
                match planned.without_profile(&error) {
                    Some(planned) => self.start_once(&planned),
                    None => Err(Error::Cell(error)),
                }
            }
            other => other,
        }
    }

    fn start_once(&self, planned: &Planned) -> Result<Loaded, Error> {
        let (zygote, libraries) = self.zygote(planned)?;
        if zygote.needs_trial(planned.plan()).map_err(CellError::Channel)? {
            planned.spawn(&zygote, libraries.clone(), self.groups(), Trial::Yes)?.end()?;
            zygote.tried(planned.plan());
        }
        let cell = planned.spawn(&zygote, libraries, self.groups(), Trial::No)?.confirm()?;
        Ok(Loaded { cell, verdict: Arc::clone(planned.verdict()) })
    }

    /// Where control groups for cells can be made.
    fn groups(&self) -> Option<&Delegated> {
        self.groups.get_or_init(|| Delegated::find().ok()).as_ref()
    }

    /// A process to fork the cell from, and the libraries that the cell must still map.
    fn zygote(&self, planned: &Planned) -> Result<(Arc<Zygote>, NamedLibraries), CellError> {
        let replaces = |(name, library): &(String, Arc<Library>)| self.libraries.replaces_usual(name, library);
        let own = planned.runner().is_none() && planned.libraries().iter().any(replaces);
        loop {
            let zygote = match planned.layout() {
                Layout::Shared if !own => self.zygotes.of(&self.cell_program, planned.network())?,
                // It forks this one cell and ends.
                Layout::Shared | Layout::Fresh => Arc::new(Zygote::start(&self.cell_program, planned.network())?),
            };
            let mut rest = Vec::new();
            let mut outdated = false;
            for (name, library) in planned.libraries() {
                let usual = planned.runner().is_none() && self.libraries.is_usual(name, library);
                match if usual { zygote.have(name, library)? } else { Had::Not } {
                    Had::Mapped => {}
                    Had::Not => rest.push((name.clone(), Arc::clone(library))),
                    Had::Another => outdated = true,
                }
            }
            if !outdated {
                return Ok((zygote, rest));
            }
            // The file changed since that process mapped it. A new one maps the library that was audited.
            zygote.spend();
        }
    }
}
