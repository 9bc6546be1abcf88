//! AppArmor: whether it is on, what loads and compiles its profiles, and each profile that Lazaret knows.

use std::fs;
use std::io;
use std::path::Path;

use lazaret_policy::{Lack, ProfileState, Variables, lack_of_profile};
use rustix::io::Errno;

use super::{Check, Shipped, boot};
use crate::apparmor::{self, Lsm, Profiles, Subject};
use crate::audit::escape;
use crate::kernel_log::KernelLog;
use crate::open::shown;

/// The program that the profile [`HOST`] is attached to.
const PROGRAM: &str = "/usr/bin/lazaret";

/// The profiles of the programs themselves.
const HOST: &str = "lazaret";
const CELL: &str = "lazaret-cell";

/// The files that a package has the two in. The cell's comes first: under the host's without it, nothing executes a cell.
const FILES: &str = "/etc/apparmor.d/usr.libexec.lazaret.lazaret-cell /etc/apparmor.d/usr.bin.lazaret";

/// What these files include.
const INCLUDED: [&str; 2] = ["/etc/apparmor.d/tunables/lazaret", "/etc/apparmor.d/abstractions/lazaret-host"];

/// No shipped policy requires AppArmor, so nothing here is worse than a warning, except for a profile that this process is
/// under and without whose companion it starts no cell.
pub(super) fn checks(shipped: &[Shipped], profiles: &Profiles) -> Vec<Check> {
    // Of a name that no profile has: whether the kernel's list of them can be seen at all.
    let seen = apparmor::enforced("");
    if let Err(state @ (ProfileState::Off | ProfileState::Unseen)) = seen {
        let Some(Lack { found, help }) = lack_of_profile(state, "", "", "") else { return Vec::new() };
        let found =
            if apparmor::lsm() == Lsm::On { "on, but which profiles are loaded cannot be seen" } else { &found };
        let here = boot::to_apparmor().filter(|_| state == ProfileState::Off);
        let fix = here.map_or_else(|| help.clone(), |here| format!("{here}; {help}"));
        return [Some(Check::warning("apparmor", found, fix)), loading()].into_iter().flatten().collect();
    }
    let mut checks = vec![Check::ok("apparmor", "on")];
    checks.extend(loading());
    checks.push(parser(shipped, profiles));
    checks.push(log());
    checks.extend(programs());
    for Shipped { name, policy, profile: state } in shipped {
        if let Ok(policy) = policy {
            let known = apparmor::profile(policy, &Variables::default()).name;
            checks.push(profile(name, &known, policy.lack_of_profile(*state, &Variables::default())));
        }
    }
    checks
}

/// The profiles of the programs. They need each other, so both have the same fix.
fn programs() -> [Check; 2] {
    let state = |name| apparmor::enforced(name).err().unwrap_or(ProfileState::Enforced);
    let (host, cell) = (state(HOST), state(CELL));
    let lack = |state, name| {
        let lack = lack_of_profile(state, name, FILES, "")?;
        Some(if state == ProfileState::Missing { Lack { help: to_load(), ..lack } } else { lack })
    };
    let of_host = match fs::read_link("/proc/self/exe") {
        Ok(program) if host == ProfileState::Enforced && program != Path::new(PROGRAM) => {
            let found = format!("`{HOST}` is loaded and enforced, for {PROGRAM}; this program is {}", shown(&program));
            Check::ok(format!("profile-{HOST}"), found)
        }
        _ => profile(HOST, HOST, lack(host, HOST)),
    };
    let of_cell = match lack(cell, CELL) {
        Some(Lack { found, help }) if (host, cell) == (ProfileState::Enforced, ProfileState::Missing) => {
            let id = format!("profile-{CELL}");
            let found = format!("{found}, and `{HOST}` is enforced: under it no cell can be started");
            let under = apparmor::label(Subject::Own).is_ok_and(|label| is_enforced_in(&label, HOST));
            if under { Check::missing(id, found, help) } else { Check::warning(id, found, help) }
        }
        lack => profile(CELL, CELL, lack),
    };
    [of_host, of_cell]
}

/// What loads both profiles, in the order in which nothing fails half-way.
fn to_load() -> String {
    let load = format!("`apparmor_parser -r {FILES}`");
    if FILES.split(' ').chain(INCLUDED).all(|file| Path::new(file).is_file()) {
        return format!("their files lie in /etc/apparmor.d and are not loaded: {load}");
    }
    format!(
        "copy all of `apparmor/`, which comes with Lazaret, to /etc/apparmor.d, then {load}; at every boot the init system \
         loads what lies in /etc/apparmor.d"
    )
}

/// Why a process of this label does not execute the cell program, and what to do about it.
pub(super) fn not_executed(label: &str, no_new_privs: bool, refused: &io::Error) -> (String, String) {
    let names = escape(apparmor::split_mode(label).0);
    // A rule that is not there refuses with EACCES. The kernel asks about no_new_privs after that
    // (`apparmor_bprm_creds_for_exec` of security/apparmor/domain.c).
    if no_new_privs && refused.raw_os_error() == Some(Errno::PERM.raw_os_error()) {
        return (
            format!("this process has no_new_privs, and its AppArmor profile `{names}` cannot be left for `{CELL}`"),
            "start it without no_new_privs, or give the profile `@{lazaret_cell} ix,` (see abstractions/lazaret-host)"
                .to_owned(),
        );
    }
    let found = format!("the AppArmor profile `{names}` of this process does not let it execute the cell program");
    // That one has the rule.
    let fix = if names == HOST {
        to_load()
    } else {
        format!("`include <abstractions/lazaret-host>` in it, and load the profile `{CELL}`")
    };
    (found, fix)
}

/// Whether a process of this label is under a profile, and refused what that does not grant.
fn is_enforced_in(label: &str, profile: &str) -> bool {
    matches!(apparmor::split_mode(label).1, "enforce" | "mixed") && apparmor::names(label).any(|name| name == profile)
}

fn profile(id: &str, name: &str, lack: Option<Lack>) -> Check {
    let id = format!("profile-{id}");
    match lack {
        None => Check::ok(id, format!("`{name}` is loaded and enforced")),
        Some(Lack { found, help }) => Check::warning(id, found, help),
    }
}

/// How profiles are loaded at the next start, where one file says that of all of them.
fn loading() -> Option<Check> {
    let word = boot::loading()?;
    if word == "enforce" {
        return Some(Check::ok("apparmor-boot", "profiles are enforced from the start"));
    }
    let how = if word == "complain" { "in complain mode: nothing is refused" } else { "not at all" };
    let found = format!("{} has `APPARMOR={word}`: profiles are loaded {how}", boot::SETTINGS);
    Some(Check::warning("apparmor-boot", found, format!("set `APPARMOR=enforce` in {}", boot::SETTINGS)))
}

/// Whether the machine's compiler of profiles does what a load asks of it.
fn parser(shipped: &[Shipped], profiles: &Profiles) -> Check {
    let id = "apparmor-parser";
    let lack = lack_of_profile(ProfileState::Uncompared, "", "", "");
    let fix = lack.map(|lack| lack.help).unwrap_or_default();
    let Some(parser) = apparmor::parser() else {
        return Check::warning(id, "there is no apparmor_parser, so no profile can be compared with its policy", fix);
    };
    let parser = shown(parser);
    let first = shipped.iter().find_map(|shipped| shipped.policy.as_ref().ok());
    let tried = first.map(|policy| profiles.compile(&apparmor::profile(policy, &Variables::default()).text));
    match tried {
        Some(Err(error)) => {
            let found = format!("{parser} does not compile the profile of a policy: {error}");
            Check::warning(id, found, format!("{fix}; it must be of AppArmor 3.0 or newer"))
        }
        Some(Ok(_)) | None => Check::ok(id, parser),
    }
}

/// Whether this process may read what AppArmor says of the acts that it refuses.
fn log() -> Check {
    if KernelLog::open().is_some() {
        return Check::ok("kernel-log", "readable: what AppArmor refused is quoted");
    }
    Check::warning(
        "kernel-log",
        "this process may not read it: what AppArmor refused is predicted, not quoted",
        "run the host as root or with CAP_SYSLOG, or set `sysctl kernel.dmesg_restrict=0`",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_keeps_a_cell_program_from_being_executed_has_a_remedy_of_its_own() {
        let refused = |errno: Errno| io::Error::from(errno);
        let (why, fix) = not_executed("codec (enforce)", true, &refused(Errno::PERM));
        assert_eq!(
            why,
            "this process has no_new_privs, and its AppArmor profile `codec` cannot be left for `lazaret-cell`"
        );
        assert!(fix.contains("without no_new_privs") && fix.contains("`@{lazaret_cell} ix,`"), "{fix}");
        for (no_new_privs, errno) in [(false, Errno::ACCESS), (true, Errno::ACCESS), (false, Errno::PERM)] {
            let (why, fix) = not_executed("a//&codec (mixed)", no_new_privs, &refused(errno));
            assert!(why.contains("`a//&codec` of this process does not let it execute"), "{why}");
            assert!(fix.contains("`include <abstractions/lazaret-host>`") && fix.contains("`lazaret-cell`"), "{fix}");
        }
        let (_, fix) = not_executed("lazaret (enforce)", false, &refused(Errno::ACCESS));
        assert!(fix.contains("apparmor_parser -r") && !fix.contains("include"), "{fix}");
    }

    #[test]
    fn a_profile_is_enforced_in_a_label_that_names_it_as_a_whole_and_does_not_complain() {
        for label in ["lazaret (enforce)", "a//&lazaret (enforce)", "lazaret//&a (mixed)"] {
            assert!(is_enforced_in(label, "lazaret"), "{label}");
        }
        for label in
            ["unconfined", "lazaret (complain)", "lazaret", "lazaret-cell (enforce)", "a//lazaret (enforce)", ""]
        {
            assert!(!is_enforced_in(label, "lazaret"), "{label}");
        }
    }
}
