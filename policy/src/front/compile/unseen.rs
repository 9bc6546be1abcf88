//! What a policy's calls can do that the filters cannot tell apart and an old Landlock does not see.

use super::layers::available;
use super::report::MissingLayer;
use crate::front::document::Layer;
use crate::front::kernel::{KernelSupport, ProfileState};
use crate::front::policy::Policy;

impl Policy {
    /// Other acts that a filter cannot tell from permitted ones, and Landlock refuses only from some ABI on.
    pub(super) fn unseen_acts(&self, kernel: &KernelSupport) -> Option<MissingLayer> {
        const TRUNCATING: [u64; 6] = [0, 0, 0x200, 0, 0, 0];
        let rights = &self.effective.calls.rights;
        let truncates = |call: &str| rights.get(call).is_some_and(|right| right.grant.holds(&TRUNCATING));
        // AppArmor lets a file be cut short only where it may be written. Signals it lets pass between cells of one policy, which
        // have one profile.
        let profile = self.asks_for(Layer::Apparmor) && kernel.profile == ProfileState::Enforced;
        let truncating = !profile && (truncates("openat") || self.may("truncate"));
        const OR: &str = ", or load the policy's AppArmor profile and name the layer `apparmor`";
        let acts = [
            ("signals to other processes", "tgkill", self.may("tgkill"), 6, ""),
            ("files being cut short", "openat", truncating, 3, OR),
        ];
        acts.into_iter().filter(|(_, _, granted, ..)| *granted).find_map(|(what, call, _, abi, or)| {
            let (found, help) = available(Layer::Landlock, abi, kernel).err()?;
            let help = format!("{help}{or}");
            let found = format!("{found}, which does not see {what}; the policy allows `{call}`");
            let origin = rights.get(call)?.lines.first()?.origin();
            Some(MissingLayer { layer: Layer::Landlock, required: format!("landlock>={abi}"), origin, found, help })
        })
    }

    /// What a policy's sockets can reach and this kernel's Landlock does not see. Whether ports are listed does not matter:
    /// none listed means none reachable.
    pub(super) fn unseen_sockets(&self, kernel: &KernelSupport) -> Option<MissingLayer> {
        // What a socket is, its domain and types, and the ABI from which Landlock refuses peers that are not granted.
        const SOCKETS: [(&str, u64, &[u64], u32); 5] = [
            ("TCP", 2, &[1], 4),
            ("TCP", 10, &[1], 4),
            ("sockets in the file system", 1, &[1, 2, 3, 5], 9),
            ("UDP", 2, &[2, 3], 10),
            ("UDP", 10, &[2, 3], 10),
        ];
        let reaching = ["connect", "sendto", "sendmsg", "sendmmsg", "bind", "listen"];
        if !reaching.into_iter().any(|call| self.may(call)) {
            return None;
        }
        SOCKETS.into_iter().find_map(|(what, domain, types, abi)| {
            let place = types.iter().find_map(|kind| self.makes_socket(domain, *kind))?;
            let (found, help) = available(Layer::Landlock, abi, kernel).err()?;
            let required = format!("landlock>={abi}");
            let found = format!("{found}, which does not see {what}; the policy allows such sockets");
            Some(MissingLayer { layer: Layer::Landlock, required, origin: place.origin(), found, help })
        })
    }
}
