//! What this machine's kernel can enforce, asked once.

use std::fs;
use std::path::Path;

use lazaret_policy::{Arch, Identity, KernelSupport, Namespaces, ProfileState};

use crate::cell::CellError;
use crate::cgroup::Delegated;
use crate::confirm;

/// Asks the running kernel. Which namespaces a cell can have, only a process that tries can tell; which groups, where the
/// host stands in their tree.
#[must_use]
pub(crate) fn probe(namespaces: Namespaces, groups: Option<&Delegated>) -> KernelSupport {
    KernelSupport {
        arch: Arch::NATIVE,
        landlock_abi: lazaret_cell::probe::landlock_abi(),
        seccomp: lazaret_cell::probe::seccomp(),
        mdwe: lazaret_cell::probe::mdwe(),
        namespaces,
        root: is_root(),
        cgroup: groups.is_some(),
        // Of no policy yet.
        profile: ProfileState::Missing,
        processors: std::thread::available_parallelism().map_or(1, |count| count.get().try_into().unwrap_or(u32::MAX)),
    }
}

/// Whether `/proc` is there. Where it is not, each thing that is looked for in it seems to be missing, and would be blamed: even
/// the cell program beside this one.
pub(crate) fn has_proc() -> Result<(), CellError> {
    if Path::new("/proc/self").exists() { Ok(()) } else { Err(CellError::NoProc) }
}

/// The user and group of one cell: its own, so that limits that the kernel counts by user are the cell's alone, and cells
/// cannot reach each other. By chance out of 250 million between the ranges that systemd and containers use (`UIDS-GIDS`
/// of systemd): ids that follow from process ids repeat in other pid namespaces. `None` where the id does not exist in this
/// user namespace.
pub(crate) fn cell_identity(random: u32) -> Option<Identity> {
    const FIRST: u32 = 0x7000_0000;
    const COUNT: u32 = 250_000_000;
    let id = FIRST.checked_add(random % COUNT)?;
    let exists = |map: &str| {
        fs::read_to_string(map).unwrap_or_default().lines().any(|line| {
            let mut numbers = line.split_whitespace().map(|number| number.parse::<u64>().unwrap_or(0));
            let (inside, _, count) = (numbers.next().unwrap_or(0), numbers.next(), numbers.next().unwrap_or(0));
            (inside..inside.saturating_add(count)).contains(&u64::from(id))
        })
    };
    (exists("/proc/self/uid_map") && exists("/proc/self/gid_map")).then_some(Identity { uid: id, gid: id })
}

/// Whether any of the process's user ids is 0: also one that is only kept aside must not reach a cell.
fn is_root() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    confirm::field(&status, "Uid").is_none_or(|ids| ids.split_whitespace().any(|id| id == "0"))
}
