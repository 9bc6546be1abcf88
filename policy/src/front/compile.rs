//! The last step, and the only one that knows a kernel: from [`Policy`] to [`Plan`], with a report of what is enforced,
//! or a list of what this machine lacks.

mod apparmor;
mod cgroup;
mod layers;
mod namespaces;
mod report;
mod unseen;

use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use serde::Serialize;

use crate::front::document::{GrantedPath, Layer, Limit, Port, Protocol, Root};
use crate::front::kernel::KernelSupport;
use crate::front::narrow::Granted;
use crate::front::policy::Policy;
use crate::front::{landlock, seccomp};
use crate::plan::{Channel, Identity, Landlock, Limits, PathRule, Plan, Seccomp};

pub use apparmor::lack_of_profile;
use layers::available;
pub use layers::lack;
pub use report::{Demand, Dropped, Lack, LayerStatus, Missing, MissingLayer, State};

/// The user and group that cells of a root host become: `nobody`, the kernel's overflow id.
const NOBODY: u32 = 65_534;

/// How long a cell spins for its next request, where a second processor can bring it.
const SPIN_NS: u32 = 20_000;

/// What `${bundle}` and `${state}` stand for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Variables {
    /// Root of the bundle's assets.
    pub bundle: Option<PathBuf>,
    /// The plugin's own writable directory.
    pub state: Option<PathBuf>,
}

/// A plan and what it does and does not enforce.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Planned {
    /// What the cell enforces.
    #[serde(skip)]
    pub plan: Plan,
    /// Every layer a policy can name, in the order of [`Layer::ALL`]; layers nobody asked for and nobody enforces are
    /// left out.
    pub enforcement: Vec<LayerStatus>,
    /// Grants that are not in the plan.
    pub dropped: Vec<Dropped>,
}

/// The rules of a policy do not fit into the kernel's 4096 instructions together with what a runner, or watching, needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RulesTooLarge;

impl std::fmt::Display for RulesTooLarge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the syscall rules and what a runner or watching needs do not fit into one kernel filter")
    }
}

impl std::error::Error for RulesTooLarge {}

impl Policy {
    /// What the policy means on a kernel.
    ///
    /// # Errors
    /// [`Missing`] when the kernel, or this release, cannot enforce what the policy requires.
    pub fn plan(&self, kernel: &KernelSupport, variables: &Variables) -> Result<Planned, Missing> {
        let missing = self.missing(kernel, variables);
        if !missing.is_empty() {
            return Err(Missing { layers: missing });
        }
        let mut dropped = Vec::new();
        let seccomp =
            if kernel.seccomp { self.filters[&kernel.arch].clone() } else { Seccomp { load: None, call: None } };
        let plan = Plan {
            limits: self.plan_limits(kernel),
            cgroup: self.plan_cgroup(kernel),
            identity: kernel.root.then_some(Identity { uid: NOBODY, gid: NOBODY }),
            namespaces: self.plan_namespaces(kernel),
            mdwe: kernel.mdwe,
            landlock: self.plan_landlock(kernel, variables, &mut dropped),
            apparmor: self.plan_apparmor(kernel, variables),
            seccomp,
            watch: false,
            channel: Channel {
                message: u32::try_from(self.limit(Limit::Message).value).unwrap_or(u32::MAX),
                spin_ns: if kernel.processors > 1 { SPIN_NS } else { 0 },
            },
        };
        let enforcement = Layer::ALL.into_iter().filter_map(|layer| self.status(layer, kernel, variables)).collect();
        Ok(Planned { plan, enforcement, dropped })
    }

    /// Turns a plan of this policy into one whose cell executes a runner: `execveat(2)` of the one descriptor that lies at
    /// [`Limits::open_files`], where no later one can lie.
    ///
    /// # Errors
    /// [`RulesTooLarge`] when the rules fit into a filter without these and not with them.
    pub fn for_runner(&self, plan: &mut Plan, kernel: &KernelSupport) -> Result<(), RulesTooLarge> {
        if let Some(load) = &mut plan.seccomp.load {
            let refusals = self.effective.refusals();
            let compiled =
                seccomp::compile_for_runner(&self.effective.calls, &refusals, kernel.arch, plan.limits.open_files);
            *load = compiled.map_err(|seccomp::TooLarge| RulesTooLarge)?;
        }
        Ok(())
    }

    /// Turns a plan of this policy into one whose cell watches what Landlock refuses, and reports it with its path. It permits
    /// the same; each call that Landlock looks at costs some microseconds more.
    ///
    /// # Errors
    /// [`RulesTooLarge`] when the rules fit into a filter without this and not with it.
    pub fn watch(&self, plan: &mut Plan, kernel: &KernelSupport) -> Result<(), RulesTooLarge> {
        if let Some(call) = &mut plan.seccomp.call {
            let compiled = seccomp::compile_watching(&self.effective.calls, &self.effective.refusals(), kernel.arch);
            *call = compiled.map_err(|seccomp::TooLarge| RulesTooLarge)?;
            plan.watch = true;
        }
        Ok(())
    }

    fn plan_limits(&self, kernel: &KernelSupport) -> Limits {
        let value = |limit| self.limit(limit).value;
        Limits {
            data: value(Limit::Memory).min(value(Limit::AddressSpace)),
            address_space: value(Limit::AddressSpace),
            stack: value(Limit::Stack),
            cpu_seconds: value(Limit::CpuTime).div_ceil(1000),
            open_files: value(Limit::OpenFiles),
            file_size: value(Limit::FileSize),
            // The kernel counts every task of the user: a small number would keep an ordinary user's cell, which shares
            // the user with a whole session, from starting its threads. Only a user of the cell's own can be capped, or
            // the user inside a namespace of the cell's own, where the namespace's first process counts as well.
            tasks: match (kernel.root, self.plan_namespaces(kernel).user) {
                (true, _) => value(Limit::Threads),
                (false, true) => value(Limit::Threads) + 1,
                (false, false) => u64::MAX,
            },
        }
    }

    fn plan_landlock(
        &self,
        kernel: &KernelSupport,
        variables: &Variables,
        dropped: &mut Vec<Dropped>,
    ) -> Option<Landlock> {
        let abi = kernel.landlock_abi.min(landlock::NEWEST);
        if abi == 0 {
            return None;
        }
        let all = &self.effective;
        let mut paths: Vec<PathRule> = Vec::new();
        let mut grant = |path: &Granted<GrantedPath>, access: u64, key: &str| match expand(&path.value, variables) {
            Ok((path, followed)) => {
                match paths.iter_mut().find(|rule| (&rule.path, rule.followed) == (&path, followed)) {
                    Some(rule) => rule.access |= access,
                    None => paths.push(PathRule { path, followed, access }),
                }
            }
            Err(why) => {
                dropped.push(Dropped { what: format!("{key} {}", path.value), why, origin: path.lines[0].origin() });
            }
        };
        for path in all.read.items() {
            grant(path, landlock::read_access(), "files.read");
        }
        for path in all.write.items() {
            let write_only = all.write_only.iter().any(|(outer, _)| outer.contains(&path.value));
            let read = if write_only { 0 } else { landlock::read_access() };
            grant(path, landlock::write_access(abi) | read, "files.write");
        }
        let port = |items: &[Granted<Port>]| items.iter().map(|port| port.value).collect::<Vec<_>>();
        let ports = landlock::ports(&port(all.connect.items()), &port(all.bind.items()), abi);
        let handled = landlock::handled(abi);
        Some(Landlock { abi, handled_fs: handled.fs, handled_net: handled.net, scoped: handled.scoped, paths, ports })
    }

    fn missing(&self, kernel: &KernelSupport, variables: &Variables) -> Vec<MissingLayer> {
        let mut missing = Vec::new();
        for (layer, abi, origin) in self.required_layers() {
            let required = if abi > 0 { format!("{}>={abi}", layer.name()) } else { layer.name().to_owned() };
            if let Err((found, help)) = self.available(layer, abi, kernel, variables) {
                missing.push(MissingLayer { layer, required, origin, found, help });
            }
        }
        // A port that Landlock cannot tell from another is every port.
        let ports = self.effective.connect.items().iter().chain(self.effective.bind.items());
        for port in ports {
            let abi = match port.value.protocol {
                Protocol::Tcp => 4,
                Protocol::Udp => 10,
            };
            let known = missing.iter().any(|one| one.layer == Layer::Landlock);
            if let (false, Err((found, help))) = (known, available(Layer::Landlock, abi, kernel)) {
                let required = format!("landlock>={abi}");
                let origin = port.lines[0].origin();
                missing.push(MissingLayer { layer: Layer::Landlock, required, origin, found, help });
            }
        }
        if missing.is_empty() {
            missing.extend(self.unseen_sockets(kernel));
        }
        if missing.is_empty() {
            missing.extend(self.unseen_acts(kernel));
        }
        missing
    }
}

/// The path in bytes, and how many of them may lead through links: all that a policy wrote out, and of a variable only its
/// value.
pub(crate) fn expand(path: &GrantedPath, variables: &Variables) -> Result<(Vec<u8>, u32), String> {
    let length = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    let (name, root) = match path.root {
        Root::Absolute if path.rest.is_empty() => return Ok((b"/".to_vec(), 1)),
        Root::Absolute => {
            return Ok((path.rest.clone().into_bytes(), u32::try_from(path.followed).unwrap_or(u32::MAX)));
        }
        Root::Bundle => ("${bundle}", &variables.bundle),
        Root::State => ("${state}", &variables.state),
    };
    let Some(root) = root else { return Err(format!("`{name}` has no value here")) };
    let bytes = root.as_os_str().as_bytes();
    if !root.is_absolute() || bytes.contains(&0) {
        return Err(format!("the value of `{name}` is not an absolute path"));
    }
    let bytes = bytes.strip_suffix(b"/").unwrap_or(bytes);
    let whole = [bytes, path.rest.as_bytes()].concat();
    Ok(if whole.is_empty() { (b"/".to_vec(), 1) } else { (whole, length(bytes)) })
}
