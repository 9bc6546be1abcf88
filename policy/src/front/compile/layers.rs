//! Layer by layer: whether a kernel has it, how it is enforced, and what to do where it is not.

use super::Variables;
use super::cgroup::cgroup_missing;
use super::namespaces::{Network, mount_missing, namespaces_missing};
use super::report::{Demand, Lack, LayerStatus, State};
use crate::front::document::Layer;
use crate::front::kernel::KernelSupport;
use crate::front::narrow::DEFAULTS;
use crate::front::policy::Policy;
use crate::front::rules::Origin;
use crate::front::{landlock, seccomp};

impl Policy {
    /// `None` for a layer that nobody asks for and that is not enforced.
    pub(super) fn status(&self, layer: Layer, kernel: &KernelSupport, variables: &Variables) -> Option<LayerStatus> {
        let required = self.effective.required.get(&layer).map(|(abi, place)| (*abi, place.origin()));
        let optional = self.effective.optional.get(&layer).map(|place| (0, place.origin()));
        let demand = if required.is_some() { Demand::Required } else { Demand::Optional };
        let asked = required.or(optional);
        let abi = asked.as_ref().map_or(0, |(abi, _)| *abi);
        let state = match (layer, self.available(layer, 0, kernel, variables)) {
            (Layer::Namespaces, _) => self.namespaces_state(kernel),
            // What a file tree costs, only who asks for it pays.
            (Layer::Mount | Layer::Apparmor, Ok(())) if asked.is_none() => return None,
            (_, Ok(())) => State::Enforced {
                detail: self.detail(layer, abi, kernel, variables),
                lacking: self.lacking(layer, kernel),
            },
            (_, Err((why, _))) => State::Absent { why },
        };
        if asked.is_none() && matches!(state, State::Absent { .. }) {
            return None;
        }
        let origin = asked.map_or_else(
            || Origin { source: DEFAULTS.to_owned(), line: 0, key: "layers.optional".to_owned() },
            |(_, origin)| origin,
        );
        Some(LayerStatus { layer, demand, state, origin })
    }

    /// Whether a policy names the layer, as required or as optional.
    #[must_use]
    pub fn asks_for(&self, layer: Layer) -> bool {
        self.effective.required.contains_key(&layer) || self.effective.optional.contains_key(&layer)
    }

    /// Whether all that the policy means by a layer is there.
    pub(super) fn available(
        &self,
        layer: Layer,
        abi: u32,
        kernel: &KernelSupport,
        variables: &Variables,
    ) -> Result<(), (String, String)> {
        match layer {
            Layer::Namespaces => self.namespaces_missing(kernel).map_or(Ok(()), Err),
            Layer::Apparmor => self.profile_missing(kernel, variables).map_or(Ok(()), Err),
            other => available(other, abi, kernel),
        }
    }

    fn detail(&self, layer: Layer, abi: u32, kernel: &KernelSupport, variables: &Variables) -> String {
        match layer {
            Layer::Landlock => {
                let level = kernel.landlock_abi.min(landlock::NEWEST);
                let asked = if abi > 0 { format!(", {abi} required") } else { String::new() };
                format!("ABI {level}{asked}")
            }
            Layer::Seccomp => {
                let phases = seccomp::Phases::of(&self.effective.calls);
                let [load, call] = [&phases.load, &phases.call].map(|phase| phase.allow.len());
                format!("{call} syscalls while calls are served; {load} while the plugin is mapped and initialises")
            }
            Layer::Capabilities => "none left".to_owned(),
            Layer::Limits => "set, soft and hard alike".to_owned(),
            Layer::Mdwe => "memory that was writable never becomes executable".to_owned(),
            Layer::Mount => "a file tree of its own: the granted paths and nothing else".to_owned(),
            Layer::Cgroup => self.cgroup_detail(),
            Layer::Apparmor => format!("profile {}, enforced", self.profile_name(variables)),
            Layer::Namespaces => String::new(),
        }
    }

    fn lacking(&self, layer: Layer, kernel: &KernelSupport) -> Vec<String> {
        match layer {
            Layer::Landlock => landlock::lacking(kernel.landlock_abi).into_iter().map(str::to_owned).collect(),
            Layer::Limits => {
                let group = kernel.cgroup;
                let threads = kernel.root || self.plan_namespaces(kernel).user || group;
                let text = "`threads`: without root, a user namespace or a control group a cell shares its user, and the \
                            kernel counts all tasks of a user";
                let mut lacking = Vec::new();
                lacking.extend((!threads).then(|| text.to_owned()));
                // Threads that are capped use no more processors than there are threads.
                let processors = group || threads && !self.caps_processors();
                let text = "`processors`: only a control group caps how much time is used at once";
                lacking.extend((!processors).then(|| text.to_owned()));
                lacking
            }
            _ => Vec::new(),
        }
    }
}

/// What there is instead of a layer on a kernel, whatever policy asks for it; `abi` is the least that Landlock must have. Of
/// AppArmor only a policy can say, or [`lack_of_profile`](super::lack_of_profile).
#[must_use]
pub fn lack(layer: Layer, abi: u32, kernel: &KernelSupport) -> Option<Lack> {
    let lack = match layer {
        Layer::Namespaces => namespaces_missing(kernel, Network::Own),
        other => available(other, abi, kernel).err(),
    };
    lack.map(|(found, help)| Lack { found, help })
}

/// What there is instead of a layer, and how to get it.
pub(super) fn available(layer: Layer, abi: u32, kernel: &KernelSupport) -> Result<(), (String, String)> {
    let lacks = |found: &str, help: &str| Err((found.to_owned(), help.to_owned()));
    match layer {
        Layer::Landlock if kernel.landlock_abi == 0 => lacks(
            "the kernel has no Landlock",
            "use Linux 5.13 or newer with CONFIG_SECURITY_LANDLOCK, and `landlock` in the `lsm=` list of the kernel \
             command line",
        ),
        Layer::Landlock if kernel.landlock_abi < abi => Err((
            format!("the kernel has Landlock ABI {}", kernel.landlock_abi),
            format!("use {} or newer", first_kernel(abi)),
        )),
        Layer::Seccomp if !kernel.seccomp => {
            lacks("the kernel has no seccomp filters", "use a kernel with CONFIG_SECCOMP_FILTER")
        }
        Layer::Mdwe if !kernel.mdwe => lacks("the kernel has no PR_SET_MDWE", "use Linux 6.3 or newer"),
        Layer::Mount => mount_missing(kernel).map_or(Ok(()), Err),
        Layer::Cgroup => cgroup_missing(kernel).map_or(Ok(()), Err),
        Layer::Landlock
        | Layer::Seccomp
        | Layer::Capabilities
        | Layer::Limits
        | Layer::Mdwe
        | Layer::Namespaces
        | Layer::Apparmor => Ok(()),
    }
}

/// The first release of Linux with a Landlock ABI.
fn first_kernel(abi: u32) -> &'static str {
    match abi {
        0 | 1 => "Linux 5.13",
        2 => "Linux 5.19",
        3 => "Linux 6.2",
        4 => "Linux 6.7",
        5 => "Linux 6.10",
        6 => "Linux 6.12",
        7 => "Linux 6.15",
        8 => "Linux 7.0",
        9 => "Linux 7.1",
        _ => "Linux 7.2",
    }
}
