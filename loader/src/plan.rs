//! Fourth step: what the policy means on this kernel.

use std::sync::Arc;

use lazaret_cell::wire::{Network, Program};
use lazaret_policy::{
    Demand, KernelSupport, Layer, LayerStatus, Layout, Missing, Plan, Policy, ProfileState, State, Variables,
};

use crate::apparmor::Profiles;
use crate::audit::Object;
use crate::cell::{Cell, CellError, Confined, Enforcement, Load, Trial};
use crate::cgroup::Delegated;
use crate::closure::Audited;
use crate::error::Error;
use crate::libraries::{Libraries, Library};
use crate::runner::Runner;
use crate::trust::Verdict;
use crate::zygote::Zygote;

/// Libraries, by the names they are needed by, each after those that it needs itself.
pub(crate) type NamedLibraries = Vec<(String, Arc<Library>)>;

/// A plugin with everything that its cell needs: the sealed files, and what to enforce in numbers.
#[derive(Debug)]
pub struct Planned {
    load: Load,
    libraries: NamedLibraries,
    runner: Option<Arc<Runner>>,
    verdict: Arc<Verdict>,
}

impl Audited {
    /// Compiles the policy for this kernel.
    ///
    /// # Errors
    /// [`Missing`] names every layer that the policy requires and the kernel lacks.
    pub(crate) fn plan(
        self,
        policy: Arc<Policy>,
        kernel: &KernelSupport,
        profiles: &Profiles,
        runs: Program,
    ) -> Result<Planned, Missing> {
        let variables = Variables { bundle: self.bundle, state: None };
        // Only who asks for it pays for the look.
        let (state, profile) =
            if policy.asks_for(Layer::Apparmor) { profiles.look(&policy, &variables) } else { (kernel.profile, None) };
        let (state, profile) = match (runs, state) {
            (Program::Runner, ProfileState::Enforced) => (ProfileState::Unfit, None),
            _ => (state, profile),
        };
        let planned = policy.plan(&KernelSupport { profile: state, ..*kernel }, &variables)?;
        for layer in &planned.enforcement {
            tracing::info!(?layer, "layer");
        }
        let load = Load {
            plugin: Arc::new(self.plugin),
            object: Arc::new(self.object),
            plan: planned.plan,
            profile,
            enforcement: Enforcement { layers: planned.enforcement, dropped: planned.dropped },
            policy,
        };
        Ok(Planned { load, libraries: self.libraries, runner: None, verdict: Arc::new(self.verdict) })
    }
}

impl Planned {
    /// What the cell enforces, in numbers.
    pub(crate) fn plan(&self) -> &Plan {
        &self.load.plan
    }

    /// The same plugin under another plan. For `prove`, which takes layers off one by one, and for layers that turn out to be
    /// out of reach: the confirmation compares the cell with the plan that it got.
    pub(crate) fn under(&self, plan: Plan) -> Self {
        let load = Load { plan, ..self.load.clone() };
        Self {
            load,
            libraries: self.libraries.clone(),
            runner: self.runner.clone(),
            verdict: Arc::clone(&self.verdict),
        }
    }

    /// The same without the AppArmor profile, which its cell could not enter, where the policy lists the layer as optional.
    pub(crate) fn without_profile(&self, error: &CellError) -> Option<Self> {
        let mut without = self.under(Plan { apparmor: None, ..self.plan().clone() });
        without.load.profile = None;
        let mut layers = without.load.enforcement.layers.iter_mut();
        let optional = |status: &&mut LayerStatus| (status.layer, status.demand) == (Layer::Apparmor, Demand::Optional);
        layers.find(optional)?.state = State::Absent { why: error.to_string() };
        tracing::warn!(%error, "without AppArmor");
        Some(without)
    }

    /// Which network its cell has.
    pub(crate) fn network(&self) -> Network {
        if self.load.plan.namespaces.net { Network::Own } else { Network::Host }
    }

    /// The same, in cells that watch what Landlock refuses.
    pub(crate) fn watch(mut self, kernel: &KernelSupport) -> Result<Self, CellError> {
        self.load.policy.watch(&mut self.load.plan, kernel).map_err(CellError::Rules)?;
        Ok(self)
    }

    /// The same, mapped by a runner.
    pub(crate) fn run_by(
        mut self,
        runner: Arc<Runner>,
        libraries: &Libraries,
        kernel: &KernelSupport,
    ) -> Result<Self, Error> {
        self.load.policy.for_runner(&mut self.load.plan, kernel).map_err(CellError::Rules)?;
        // A runner has a process image of its own, so nothing of the cell program's is there for the plugin.
        let own = runner.libraries.iter().map(|(name, _)| name.as_str());
        // What the audit found stays what it is: another search could find another file, which no pin was compared with.
        let audited = std::mem::take(&mut self.libraries);
        let known = |name: &str| audited.iter().find(|(known, _)| known == name).map(|(_, library)| library);
        let objects = audited.iter().filter_map(|(_, library)| library.object.as_ref().ok());
        let needs = own.chain(self.load.object.needed()).chain(objects.flat_map(Object::needed));
        let mut all = libraries.closure(&mut needs.filter(|name| known(name).is_none()))?;
        for (name, library) in &mut all {
            if let Some(known) = known(name) {
                *library = Arc::clone(known);
            }
        }
        let rest = audited.iter().filter(|(name, _)| !all.iter().any(|(there, _)| there == name));
        let rest: NamedLibraries = rest.cloned().collect();
        all.extend(rest);
        self.libraries = all;
        self.runner = Some(runner);
        Ok(self)
    }

    pub(crate) fn runner(&self) -> Option<&Arc<Runner>> {
        self.runner.as_ref()
    }

    /// Whether its cells may have the address-space layout of others.
    pub(crate) fn layout(&self) -> Layout {
        self.load.policy.layout()
    }

    /// What is enforced, layer by layer.
    pub(crate) fn enforcement(&self) -> &Enforcement {
        &self.load.enforcement
    }

    pub(crate) fn libraries(&self) -> &[(String, Arc<Library>)] {
        &self.libraries
    }

    pub(crate) fn verdict(&self) -> &Arc<Verdict> {
        &self.verdict
    }

    /// Forks a cell, and returns it once it says that it is confined. `libraries` are those that it must still map.
    pub(crate) fn spawn(
        &self,
        zygote: &Arc<Zygote>,
        libraries: NamedLibraries,
        groups: Option<&Delegated>,
        trial: Trial,
    ) -> Result<Cell<Confined>, CellError> {
        let mut load = self.load.clone();
        if let Some(apparmor) = &mut load.plan.apparmor {
            apparmor.trial = trial == Trial::Yes;
        }
        Cell::spawn(load, libraries, self.runner.as_deref(), zygote, groups)
    }
}
