//! Layers and shipped policies: what the kernel at hand has, and what the policies ask for.

use std::sync::Arc;

use lazaret_policy::{
    KernelSupport, Lack, Layer, Missing, MissingLayer, Planned, Policy, ProfileState, State as Enforcement, Variables,
    lack, lacking_landlock,
};

use super::{Check, DEFAULT, boot};
use crate::cgroup::{Delegated, NotDelegated};
use crate::error::{Error, chain};
use crate::open::shown;

/// An ABI of Landlock far above any.
const EVERY_LANDLOCK: u32 = 32;

/// A policy that ships with Lazaret, under this machine's ceiling.
pub(super) struct Shipped {
    pub(super) name: &'static str,
    pub(super) policy: Result<Arc<Policy>, Error>,
    /// How its AppArmor profile stands.
    pub(super) profile: ProfileState,
}

/// What the checks of layers and policies are about.
pub(super) struct Machine {
    pub(super) kernel: KernelSupport,
    pub(super) shipped: Vec<Shipped>,
}

impl Machine {
    /// The policy of whoever names none.
    pub(super) fn default(&self) -> Option<&Shipped> {
        self.shipped.iter().find(|shipped| shipped.name == DEFAULT)
    }

    fn plan(&self, shipped: &Shipped, landlock_abi: u32) -> Option<Result<Planned, Missing>> {
        let policy = shipped.policy.as_ref().ok()?;
        let kernel = KernelSupport { profile: shipped.profile, landlock_abi, ..self.kernel };
        Some(policy.plan(&kernel, &Variables::default()))
    }

    /// A layer that is not there: how bad that is, the default policy says.
    fn lacks(&self, layer: Layer, lack: Lack) -> Check {
        let Lack { found, help } = lack;
        let policy = self.default().and_then(|shipped| shipped.policy.as_ref().ok());
        if policy.is_some_and(|policy| policy.required_layers().any(|(required, ..)| required == layer)) {
            Check::missing(layer.name(), found, help)
        } else {
            Check::warning(layer.name(), found, help)
        }
    }

    fn layer(&self, layer: Layer, found: impl Into<String>) -> Check {
        match lack(layer, 0, &self.kernel) {
            None => Check::ok(layer.name(), found),
            Some(lack) => self.lacks(layer, lack),
        }
    }

    /// A check for each layer that a kernel may lack. `started` is whether the cell program did, which alone can say which
    /// namespaces there are.
    pub(super) fn layers(&self, started: bool, groups: &Result<Delegated, NotDelegated>) -> Vec<Check> {
        let mut checks = vec![self.landlock(), self.layer(Layer::Seccomp, "filters that end a process")];
        checks.push(self.layer(Layer::Mdwe, "memory that was writable never becomes executable"));
        let own = self.kernel.namespaces;
        let names = [("pid", own.pid), ("ipc", own.ipc), ("uts", own.uts), ("net", own.net), ("user", own.user)];
        let names: Vec<&str> = names.into_iter().filter(|(_, has)| *has).map(|(name, _)| name).collect();
        for (layer, found) in [
            (Layer::Namespaces, format!("a cell can have its own {}", names.join(", "))),
            (Layer::Mount, "a cell can have a file tree of its own".to_owned()),
        ] {
            checks.push(if started {
                self.layer(layer, found)
            } else {
                Check::warning(layer.name(), "only a cell program that starts can say", "first what `cell` above needs")
            });
        }
        checks.push(match (groups, lack(Layer::Cgroup, 0, &self.kernel)) {
            (Ok(groups), _) => Check::ok("cgroup", format!("`{}` is delegated to the host", shown(groups.path()))),
            (Err(why), Some(lack)) => {
                self.lacks(Layer::Cgroup, Lack { found: format!("{}: {why}", lack.found), ..lack })
            }
            (Err(why), None) => Check::ok("cgroup", why.to_string()),
        });
        checks.push(self.limits());
        checks
    }

    /// Landlock is as it should be where it has what every shipped policy needs of it.
    fn landlock(&self) -> Check {
        let has = self.kernel.landlock_abi;
        let lacking = lacking_landlock(has);
        let unseen =
            if lacking.is_empty() { String::new() } else { format!("; it does not see {}", lacking.join(", ")) };
        let needed = self.shipped.iter().map(|shipped| self.least_landlock(shipped)).max().unwrap_or(0);
        match (lack(Layer::Landlock, 0, &self.kernel), needed > has) {
            (Some(Lack { found, help }), _) => self.lacks(Layer::Landlock, Lack { found, help: to_landlock(help) }),
            (None, true) => {
                let lack = lack(Layer::Landlock, needed, &self.kernel);
                let help = lack.map(|lack| lack.help).unwrap_or_default();
                Check::warning("landlock", format!("ABI {has}{unseen}"), help)
            }
            (None, false) => Check::ok("landlock", format!("ABI {has}{unseen}")),
        }
    }

    /// The least ABI under which a policy lacks nothing of Landlock, 0 where no ABI changes that.
    fn least_landlock(&self, shipped: &Shipped) -> u32 {
        let lacks = |abi| match self.plan(shipped, abi) {
            Some(Err(missing)) => missing.layers.iter().any(|one| one.layer == Layer::Landlock),
            _ => false,
        };
        (1..=EVERY_LANDLOCK).find(|abi| !lacks(*abi)).unwrap_or(0)
    }

    /// What limits leave open, a control group caps.
    fn limits(&self) -> Check {
        // Landlock has a check of its own.
        let planned = self.default().and_then(|shipped| self.plan(shipped, EVERY_LANDLOCK));
        let layers = planned.and_then(Result::ok).map(|planned| planned.enforcement).unwrap_or_default();
        let lacking = layers.iter().find_map(|status| match &status.state {
            Enforcement::Enforced { lacking, .. } if status.layer == Layer::Limits => Some(lacking.join("; ")),
            _ => None,
        });
        match lacking.filter(|lacking| !lacking.is_empty()) {
            Some(lacking) => {
                let lack = lack(Layer::Cgroup, 0, &self.kernel);
                Check::warning("limits", format!("not capped: {lacking}"), lack.map_or(String::new(), |lack| lack.help))
            }
            None => Check::ok("limits", "memory, processor time, files, threads"),
        }
    }

    /// Whether a shipped policy can be enforced.
    pub(super) fn policy(&self, shipped: &Shipped) -> Check {
        let id = format!("policy-{}", shipped.name);
        let short = |found: String, fix: String| {
            if shipped.name == DEFAULT { Check::missing(&id, found, fix) } else { Check::warning(&id, found, fix) }
        };
        match (shipped.policy.as_ref().err(), self.plan(shipped, self.kernel.landlock_abi)) {
            (Some(error), _) => {
                let check = || format!("`lazaret policy check builtin:{}` says more", shipped.name);
                short(chain(error), error.hint().unwrap_or_else(check))
            }
            (None, Some(Err(missing))) => {
                let lacks: Vec<String> =
                    missing.layers.iter().map(|layer| format!("`{}` ({})", layer.required, layer.found)).collect();
                let is_off = |layer| layer == Layer::Landlock && self.kernel.landlock_abi == 0;
                let fix = |layer: &MissingLayer| {
                    if is_off(layer.layer) { to_landlock(layer.help.clone()) } else { layer.help.clone() }
                };
                let mut fixes: Vec<String> = missing.layers.iter().map(fix).collect();
                fixes.dedup();
                short(format!("cannot be enforced, lacks {}", lacks.join(", ")), fixes.join("; "))
            }
            (None, Some(Ok(planned))) => {
                let with = |absent: bool| {
                    let is = |state: &Enforcement| matches!(state, Enforcement::Absent { .. }) == absent;
                    let layers = planned.enforcement.iter().filter(|status| is(&status.state));
                    layers.map(|status| status.layer.name()).collect::<Vec<_>>().join(", ")
                };
                let (has, lacks) = (with(false), with(true));
                let without =
                    if lacks.is_empty() { String::new() } else { format!("; without {lacks}, which is optional") };
                Check::ok(id, format!("this machine has what it requires: {has}{without}"))
            }
            (None, None) => Check::ok(id, "not looked at"),
        }
    }
}

/// What turns Landlock on where it is off: of a kernel that is new enough, nobody needs to hear how new one must be.
fn to_landlock(help: String) -> String {
    let release = rustix::system::uname();
    let help = if boot::is_at_least(&release.release().to_string_lossy(), boot::LANDLOCK) {
        "the kernel needs CONFIG_SECURITY_LANDLOCK, and `landlock` in the `lsm=` list of its command line".to_owned()
    } else {
        help
    };
    boot::to_landlock().map_or_else(|| help.clone(), |here| format!("{here}; {help}"))
}
