//! Which namespaces a cell gets, and what to do where a kernel makes none.

use super::report::State;
use crate::front::condition::{Comparison, Conjunction, Permission, Test, Width};
use crate::front::document::Layer;
use crate::front::kernel::KernelSupport;
use crate::front::policy::Policy;
use crate::front::seccomp;
use crate::front::text::Place;
use crate::plan::Namespaces;

impl Policy {
    /// What the cell gets: everything that this host can make and the policy does not need to share.
    pub(super) fn plan_namespaces(&self, kernel: &KernelSupport) -> Namespaces {
        let have = possible(kernel);
        let net = have.net && self.shares_network().is_none();
        let mount = have.mount && have.pid && self.asks_for(Layer::Mount);
        let own = have.pid || have.ipc || have.uts || net || mount;
        // Root makes the others without one, and a user namespace would keep it from giving the cell another user.
        let user = have.user && !kernel.root && own;
        Namespaces { user, pid: have.pid, mount, net, ipc: have.ipc, uts: have.uts }
    }

    /// The line that grants the network, which a cell with a network namespace of its own would not reach.
    fn shares_network(&self) -> Option<&Place> {
        let all = &self.effective;
        let port = all.connect.items().iter().chain(all.bind.items()).find_map(|port| port.lines.first());
        // The kernel makes no pairs of such sockets, so `socketpair` needs no network.
        port.or_else(|| {
            let right = all.calls.rights.get("socket")?;
            let grant = seccomp::during_call("socket", &right.grant);
            right.lines.first().filter(|_| !grant.and(&internet()).is_never())
        })
    }

    /// What there is instead of all that the layer means.
    pub(super) fn namespaces_missing(&self, kernel: &KernelSupport) -> Option<(String, String)> {
        namespaces_missing(kernel, self.network())
    }

    fn network(&self) -> Network {
        if self.shares_network().is_some() { Network::Shared } else { Network::Own }
    }

    pub(super) fn namespaces_state(&self, kernel: &KernelSupport) -> State {
        let has = self.plan_namespaces(kernel);
        let own = [("pid", has.pid), ("ipc", has.ipc), ("uts", has.uts), ("net", has.net), ("user", has.user)];
        let own: Vec<&str> = own.into_iter().filter(|(_, has)| *has).map(|(name, _)| name).collect();
        let lacks = lacks(kernel, self.network());
        // A user namespace by itself keeps nothing apart.
        if own.iter().all(|name| *name == "user") {
            return State::Absent {
                why: format!("this host cannot make namespaces of the kinds {}", lacks.join(", ")),
            };
        }
        let mut lacking: Vec<String> =
            lacks.into_iter().map(|name| format!("`{name}`: this host cannot make one")).collect();
        if let Some(place) = self.shares_network() {
            lacking.push(format!("`net`: shared with the host, since {} grants the network", place.origin()));
        }
        State::Enforced { detail: format!("its own {}", own.join(", ")), lacking }
    }
}

/// Arguments of `socket` for AF_INET and AF_INET6.
fn internet() -> Permission {
    let mut either = Permission::default();
    for value in [2, 10] {
        let domain = Comparison { index: 0, name: "domain", width: Width::Bits32, test: Test::Equal, value };
        either.add(Conjunction([domain].into()));
    }
    either
}

/// Whether a cell reaches its host's network.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Network {
    Shared,
    Own,
}

/// Needed namespaces that this host cannot make.
fn lacks(kernel: &KernelSupport, network: Network) -> Vec<&'static str> {
    let have = possible(kernel);
    let net = have.net || network == Network::Shared;
    let needed = [("pid", have.pid), ("ipc", have.ipc), ("uts", have.uts), ("net", net)];
    needed.into_iter().filter(|(_, have)| !have).map(|(name, _)| name).collect()
}

/// What there is instead of the namespaces of a cell with such a network.
pub(super) fn namespaces_missing(kernel: &KernelSupport, network: Network) -> Option<(String, String)> {
    let lacks = lacks(kernel, network);
    let names = lacks.join(", ");
    (!lacks.is_empty()).then(|| (format!("this host cannot make namespaces of the kinds {names}"), help(kernel)))
}

/// What this host can make: an ordinary user makes the others inside a user namespace only.
fn possible(kernel: &KernelSupport) -> Namespaces {
    if kernel.root || kernel.namespaces.user { kernel.namespaces } else { Namespaces::NONE }
}

/// What there is instead of a file tree of the cell's own.
pub(super) fn mount_missing(kernel: &KernelSupport) -> Option<(String, String)> {
    let have = possible(kernel);
    let lacks: Vec<&str> = [("mount", have.mount), ("pid", have.pid)]
        .into_iter()
        .filter(|(_, have)| !have)
        .map(|(name, _)| name)
        .collect();
    let names = lacks.join(", ");
    (!lacks.is_empty()).then(|| (format!("this host cannot make namespaces of the kinds {names}"), help(kernel)))
}

fn help(kernel: &KernelSupport) -> String {
    if kernel.root {
        return "use a kernel with CONFIG_NAMESPACES and all kinds beneath it, and keep `user.max_pid_namespaces`, \
                `user.max_net_namespaces` and their like above 0"
            .to_owned();
    }
    "let ordinary users make user namespaces: `sysctl kernel.unprivileged_userns_clone=1` where that exists, \
     `user.max_user_namespaces` above 0, and with AppArmor `kernel.apparmor_restrict_unprivileged_userns=0` or a profile \
     for the host that permits `userns`; or run the host as root"
        .to_owned()
}
