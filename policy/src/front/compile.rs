//! The last step, and the only one that knows a kernel: from [`Policy`] to [`Plan`], with a report of what is enforced,
//! or a list of what this machine lacks.

use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use serde::Serialize;

use crate::front::document::{GrantedPath, Layer, Limit, Port, Protocol, Root};
use crate::front::kernel::KernelSupport;
use crate::front::narrow::{DEFAULTS, Granted};
use crate::front::policy::Policy;
use crate::front::rules::Origin;
use crate::front::{landlock, seccomp};
use crate::plan::{Channel, Identity, Landlock, Limits, PathRule, Plan, Seccomp};

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

/// One layer in a report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LayerStatus {
    /// Which.
    pub layer: Layer,
    /// Whether the load depends on it.
    pub demand: Demand,
    /// Whether it is enforced.
    pub state: State,
    /// The line that asks for it.
    pub origin: Origin,
}

/// Whether a load depends on a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Demand {
    /// Without it the load is refused.
    Required,
    /// Without it the load goes on, and the report says so.
    Optional,
}

/// Whether a layer is enforced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// It is.
    Enforced {
        /// At which level, or how.
        detail: String,
        /// What a newer kernel would enforce as well.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        lacking: Vec<String>,
    },
    /// It is not.
    Absent {
        /// Why.
        why: String,
    },
}

/// A grant that is not in the plan, because its variable has no value here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Dropped {
    /// The grant as written.
    pub what: String,
    /// Why it is not granted.
    pub why: String,
    /// The line that grants it.
    pub origin: Origin,
}

/// This machine lacks what the policy requires.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Missing {
    /// Each missing layer.
    pub layers: Vec<MissingLayer>,
}

/// One missing layer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MissingLayer {
    /// Which.
    pub layer: Layer,
    /// What is required, as in `landlock>=4`.
    pub required: String,
    /// The line that requires it, or grants what needs it.
    pub origin: Origin,
    /// What there is instead.
    pub found: String,
    /// How to get it.
    pub help: String,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("this machine lacks what the policy requires: ")?;
        for (at, layer) in self.layers.iter().enumerate() {
            let comma = if at > 0 { ", " } else { "" };
            write!(f, "{comma}`{}` ({})", layer.required, layer.found)?;
        }
        Ok(())
    }
}

impl std::error::Error for Missing {}

impl Policy {
    /// What the policy means on a kernel.
    ///
    /// # Errors
    /// [`Missing`] when the kernel, or this release, cannot enforce what the policy requires.
    pub fn plan(&self, kernel: &KernelSupport, variables: &Variables) -> Result<Planned, Missing> {
        let missing = self.missing(kernel);
        if !missing.is_empty() {
            return Err(Missing { layers: missing });
        }
        let mut dropped = Vec::new();
        let seccomp =
            if kernel.seccomp { self.filters[&kernel.arch].clone() } else { Seccomp { load: None, call: None } };
        let plan = Plan {
            limits: self.plan_limits(kernel),
            identity: kernel.root.then_some(Identity { uid: NOBODY, gid: NOBODY }),
            mdwe: kernel.mdwe,
            namespaces: crate::plan::Namespaces { mount: false, net: kernel.namespaces.net && self.effective.connect.items().is_empty() && self.effective.bind.items().is_empty(), ..kernel.namespaces },
            landlock: self.plan_landlock(kernel, variables, &mut dropped),
            seccomp,
            channel: Channel {
                message: u32::try_from(self.limit(Limit::Message).value).unwrap_or(u32::MAX),
                spin_ns: if kernel.processors > 1 { SPIN_NS } else { 0 },
            },
        };
        let enforcement = Layer::ALL.into_iter().filter_map(|layer| self.status(layer, kernel)).collect();
        Ok(Planned { plan, enforcement, dropped })
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
            // the user with a whole session, from starting its threads. Only a user of the cell's own can be capped.
            tasks: if kernel.root { value(Limit::Threads) } else { u64::MAX },
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

    fn missing(&self, kernel: &KernelSupport) -> Vec<MissingLayer> {
        let mut missing = Vec::new();
        for (layer, abi, origin) in self.required_layers() {
            let required = if abi > 0 { format!("{}>={abi}", layer.name()) } else { layer.name().to_owned() };
            if let Err((found, help)) = available(layer, abi, kernel) {
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

    /// Other acts that a filter cannot tell from permitted ones, and Landlock refuses only from some ABI on.
    fn unseen_acts(&self, kernel: &KernelSupport) -> Option<MissingLayer> {
        const TRUNCATING: [u64; 6] = [0, 0, 0x200, 0, 0, 0];
        let rights = &self.effective.calls.rights;
        let truncates = |call: &str| rights.get(call).is_some_and(|right| right.grant.holds(&TRUNCATING));
        let acts = [
            ("signals to other processes", "tgkill", self.may("tgkill"), 6),
            ("files being cut short", "openat", truncates("openat") || self.may("truncate"), 3),
        ];
        acts.into_iter().filter(|(.., granted, _)| *granted).find_map(|(what, call, _, abi)| {
            let (found, help) = available(Layer::Landlock, abi, kernel).err()?;
            let found = format!("{found}, which does not see {what}; the policy allows `{call}`");
            let origin = rights.get(call)?.lines.first()?.origin();
            Some(MissingLayer { layer: Layer::Landlock, required: format!("landlock>={abi}"), origin, found, help })
        })
    }

    /// What a policy's sockets can reach and this kernel's Landlock does not see. Whether ports are listed does not matter:
    /// none listed means none reachable.
    fn unseen_sockets(&self, kernel: &KernelSupport) -> Option<MissingLayer> {
        // What a socket is, its domain and types, and the ABI from which Landlock refuses peers that are not granted.
        const SOCKETS: [(&str, u64, &[u64], u32); 5] = [
            ("TCP", 2, &[1], 4),
            ("TCP", 10, &[1], 4),
            ("sockets in the file system", 1, &[1, 2, 3, 5], 9),
            ("UDP", 2, &[2, 3], 10),
            ("UDP", 10, &[2, 3], 10),
        ];
        // SOCK_NONBLOCK and SOCK_CLOEXEC may be part of a type.
        const FLAGS: [u64; 4] = [0, 0x800, 0x8_0000, 0x8_0800];
        let reaching = ["connect", "sendto", "sendmsg", "sendmmsg", "bind", "listen"];
        if !reaching.into_iter().any(|call| self.may(call)) {
            return None;
        }
        // One half of a pair reaches whatever a socket of its kind reaches.
        ["socket", "socketpair"].into_iter().find_map(|call| {
            let right = self.effective.calls.rights.get(call)?;
            let grant = seccomp::during_call(call, &right.grant);
            SOCKETS.into_iter().find_map(|(what, domain, types, abi)| {
                let mut kinds = types.iter().flat_map(|kind| FLAGS.map(|flags| kind | flags));
                let admitted =
                    kinds.any(|kind| (0..=17).any(|protocol| grant.holds(&[domain, kind, protocol, 0, 0, 0])));
                let (found, help) = available(Layer::Landlock, abi, kernel).err().filter(|_| admitted)?;
                let required = format!("landlock>={abi}");
                let found = format!("{found}, which does not see {what}; the policy allows such sockets");
                let origin = right.lines.first()?.origin();
                Some(MissingLayer { layer: Layer::Landlock, required, origin, found, help })
            })
        })
    }

    /// `None` for a layer that nobody asks for and that is not enforced.
    fn status(&self, layer: Layer, kernel: &KernelSupport) -> Option<LayerStatus> {
        let required = self.effective.required.get(&layer).map(|(abi, place)| (*abi, place.origin()));
        let optional = self.effective.optional.get(&layer).map(|place| (0, place.origin()));
        let demand = if required.is_some() { Demand::Required } else { Demand::Optional };
        let asked = required.or(optional);
        let abi = asked.as_ref().map_or(0, |(abi, _)| *abi);
        let state = match available(layer, 0, kernel) {
            Ok(()) => State::Enforced { detail: self.detail(layer, abi, kernel), lacking: lacking(layer, kernel) },
            Err((found, _)) => {
                asked.as_ref()?;
                State::Absent { why: found }
            }
        };
        let origin = asked.map_or_else(
            || Origin { source: DEFAULTS.to_owned(), line: 0, key: "layers.optional".to_owned() },
            |(_, origin)| origin,
        );
        Some(LayerStatus { layer, demand, state, origin })
    }

    fn detail(&self, layer: Layer, abi: u32, kernel: &KernelSupport) -> String {
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
            Layer::Apparmor | Layer::Cgroup | Layer::Namespaces => String::new(),
        }
    }
}

fn lacking(layer: Layer, kernel: &KernelSupport) -> Vec<String> {
    match layer {
        Layer::Landlock => landlock::lacking(kernel.landlock_abi).into_iter().map(str::to_owned).collect(),
        Layer::Limits if !kernel.root => {
            vec!["`threads`: without root a cell shares its user, and the kernel counts all tasks of a user".to_owned()]
        }
        _ => Vec::new(),
    }
}

/// What there is instead of a layer, and how to get it.
fn available(layer: Layer, abi: u32, kernel: &KernelSupport) -> Result<(), (String, String)> {
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
        Layer::Apparmor | Layer::Cgroup | Layer::Namespaces => lacks(
            "this release does not enforce that layer",
            "take the layer out of `layers.require`, or list it as optional",
        ),
        Layer::Landlock | Layer::Seccomp | Layer::Capabilities | Layer::Limits | Layer::Mdwe => Ok(()),
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

/// The path in bytes, and how many of them may lead through links: all that a policy wrote out, and of a variable only its
/// value.
fn expand(path: &GrantedPath, variables: &Variables) -> Result<(Vec<u8>, u32), String> {
    let length = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    let (name, root) = match path.root {
        Root::Absolute if path.rest.is_empty() => return Ok((b"/".to_vec(), 1)),
        Root::Absolute => {
            return Ok((path.rest.clone().into_bytes(), u32::try_from(path.followed).unwrap_or(u32::MAX)));
        }
        Root::Bundle => ("${bundle}", &variables.bundle),
        Root::State => ("${state}", &variables.state),
    };
    let Some(root) = root else { return Err(format!("`{name}` has no value in this load")) };
    let bytes = root.as_os_str().as_bytes();
    if !root.is_absolute() || bytes.contains(&0) {
        return Err(format!("the value of `{name}` is not an absolute path"));
    }
    let bytes = bytes.strip_suffix(b"/").unwrap_or(bytes);
    let whole = [bytes, path.rest.as_bytes()].concat();
    Ok(if whole.is_empty() { (b"/".to_vec(), 1) } else { (whole, length(bytes)) })
}
