//! From granted paths and ports to Landlock's bits: everything the kernel and this release both know is handled, and
//! only what the policy grants is let through.

use landlock::{ABI, Access, AccessFs, AccessNet, BitFlags, Scope};

use crate::front::document::{Port, Protocol};
use crate::plan::PortRule;

/// The newest ABI this release knows; a newer kernel enforces this one.
pub(crate) const NEWEST: u32 = crate::front::words::NEWEST_LANDLOCK;

/// What each ABI added, for reports of what an older kernel lacks.
const ADDED: [(u32, &str); 7] = [
    (2, "moving files between directories"),
    (3, "cutting files short"),
    (4, "TCP ports"),
    (5, "device controls"),
    (6, "signals and abstract sockets out of the cell"),
    (9, "sockets in the file system"),
    (10, "UDP ports"),
];

/// Everything of one ABI.
pub(crate) struct Handled {
    pub(crate) fs: u64,
    pub(crate) net: u64,
    pub(crate) scoped: u64,
}

fn abi(level: u32) -> ABI {
    ABI::from(i32::try_from(level).unwrap_or(i32::MAX))
}

pub(crate) fn handled(level: u32) -> Handled {
    let abi = abi(level);
    Handled {
        fs: AccessFs::from_all(abi).bits(),
        net: AccessNet::from_all(abi).bits(),
        scoped: Scope::from_all(abi).bits(),
    }
}

/// What a kernel with this ABI of Landlock cannot enforce with it.
#[must_use]
pub fn lacking(level: u32) -> Vec<&'static str> {
    ADDED.iter().filter(|(abi, _)| *abi > level).map(|(_, what)| *what).collect()
}

/// Reading files and listing directories. Not executing: mapping a library needs no such right, and nothing else may.
pub(crate) fn read_access() -> u64 {
    (AccessFs::ReadFile | AccessFs::ReadDir).bits()
}

/// Creating, changing and removing regular files and directories. Not moving them elsewhere, no devices, sockets, pipes
/// or symbolic links.
pub(crate) fn write_access(level: u32) -> u64 {
    let rights: BitFlags<AccessFs> = AccessFs::WriteFile
        | AccessFs::Truncate
        | AccessFs::MakeReg
        | AccessFs::MakeDir
        | AccessFs::RemoveFile
        | AccessFs::RemoveDir;
    // A rule may only name what the ruleset handles.
    (rights & AccessFs::from_all(abi(level))).bits()
}

/// Rules for ports, one per port.
pub(crate) fn ports(connect: &[Port], bind: &[Port], level: u32) -> Vec<PortRule> {
    let handled = handled(level).net;
    let mut rules: std::collections::BTreeMap<u16, u64> = std::collections::BTreeMap::new();
    for port in connect {
        match port.protocol {
            Protocol::Tcp => *rules.entry(port.number).or_default() |= AccessNet::ConnectTcp as u64,
            Protocol::Udp => {
                *rules.entry(port.number).or_default() |= AccessNet::ConnectSendUdp as u64;
                // The kernel binds the sender to some free port, which Landlock calls port 0.
                *rules.entry(0).or_default() |= AccessNet::BindUdp as u64;
            }
        }
    }
    for port in bind {
        let right = match port.protocol {
            Protocol::Tcp => AccessNet::BindTcp,
            Protocol::Udp => AccessNet::BindUdp,
        };
        *rules.entry(port.number).or_default() |= right as u64;
    }
    let rules = rules.into_iter().map(|(port, access)| PortRule { port, access: access & handled });
    rules.filter(|rule| rule.access != 0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_abi_is_the_crates() {
        assert_eq!(abi(NEWEST), ABI::V10);
        assert_eq!(abi(NEWEST + 1), ABI::V10, "a newer one appeared: extend `ADDED` and the rights");
        assert_ne!(abi(NEWEST - 1), ABI::V10);
    }

    #[test]
    fn what_is_granted_is_always_handled_and_never_executes() {
        for level in 1..=NEWEST {
            let all = handled(level).fs;
            let granted = read_access() | write_access(level);
            assert_eq!(granted & !all, 0, "ABI {level}");
            assert_eq!(granted & (AccessFs::Execute as u64), 0);
            assert_eq!(granted & (AccessFs::MakeSym as u64), 0);
        }
        assert_eq!(lacking(NEWEST), Vec::<&str>::new());
    }

    #[test]
    fn sending_datagrams_needs_a_port_of_ones_own() {
        let dns = Port { protocol: Protocol::Udp, number: 53 };
        let rules = ports(&[dns], &[], 10);
        assert_eq!(rules.iter().map(|rule| rule.port).collect::<Vec<_>>(), [0, 53]);
        assert!(ports(&[dns], &[], 9).is_empty());
    }
}
