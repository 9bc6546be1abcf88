//! Fourth step: what the policy means on this kernel.

use std::sync::Arc;

use lazaret_cell::wire::Network;
use lazaret_policy::{KernelSupport, Missing, Policy, Variables};

use crate::cell::{Cell, CellError, Confined, Enforcement, Load};
use crate::closure::Audited;
use crate::trust::Verdict;
use crate::zygote::Zygote;

/// A plugin with everything that its cell needs: the sealed files, and what to enforce in numbers.
#[derive(Debug)]
pub struct Planned {
    load: Load,
    verdict: Verdict,
}

impl Audited {
    /// Compiles the policy for this kernel.
    ///
    /// # Errors
    /// [`Missing`] names every layer that the policy requires and the kernel lacks.
    pub fn plan(self, policy: Arc<Policy>, kernel: &KernelSupport) -> Result<Planned, Missing> {
        let variables = Variables { bundle: self.bundle, state: None };
        let planned = policy.plan(kernel, &variables)?;
        for layer in &planned.enforcement {
            tracing::info!(?layer, "layer");
        }
        let load = Load {
            plugin: self.plugin,
            libraries: self.libraries,
            object: self.object,
            plan: planned.plan,
            enforcement: Enforcement { layers: planned.enforcement, dropped: planned.dropped },
            policy,
        };
        Ok(Planned { load, verdict: self.verdict })
    }
}

impl Planned {
    /// Which network its cell has.
    pub(crate) fn network(&self) -> Network {
        if self.load.plan.namespaces.net { Network::Own } else { Network::Host }
    }

    /// Forks the cell, and returns it once it says that it is confined.
    pub(crate) fn spawn(self, zygote: &Arc<Zygote>) -> Result<(Cell<Confined>, Verdict), CellError> {
        Ok((Cell::spawn(self.load, zygote)?, self.verdict))
    }
}
