//! AppArmor: whether it is on, what loads and compiles its profiles, and each profile that Lazaret knows.

use lazaret_policy::{Lack, ProfileState, Variables, lack_of_profile};

use super::{Check, Shipped, boot};
use crate::apparmor::{self, Lsm, Profiles};
use crate::kernel_log::KernelLog;
use crate::open::shown;

/// Profiles of the programs themselves, and the files that a package has them in.
const PROGRAMS: [(&str, &str); 2] = [
    ("lazaret", "/etc/apparmor.d/usr.bin.lazaret"),
    ("lazaret-cell", "/etc/apparmor.d/usr.libexec.lazaret.lazaret-cell"),
];

/// No shipped policy requires AppArmor, so nothing here is worse than a warning.
pub(super) fn checks(shipped: &[Shipped], profiles: &Profiles) -> Vec<Check> {
    // Of a name that no profile has: whether the kernel's list of them can be seen at all.
    let seen = apparmor::enforced("");
    if let Err(state @ (ProfileState::Off | ProfileState::Unseen)) = seen {
        let Some(Lack { found, help }) = lack_of_profile(state, "", "", "") else { return Vec::new() };
        let found =
            if apparmor::lsm() == Lsm::On { "on, but which profiles are loaded cannot be seen" } else { &found };
        let here = boot::to_apparmor().filter(|_| state == ProfileState::Off);
        let fix = here.map_or_else(|| help.clone(), |here| format!("{help}; {here}"));
        return [Some(Check::warning("apparmor", found, fix)), loading()].into_iter().flatten().collect();
    }
    let mut checks = vec![Check::ok("apparmor", "on")];
    checks.extend(loading());
    checks.push(parser(shipped, profiles));
    checks.push(log());
    for (name, file) in PROGRAMS {
        let state = apparmor::enforced(name).err().unwrap_or(ProfileState::Enforced);
        let make = format!("install {file}, which comes with Lazaret");
        checks.push(profile(name, name, lack_of_profile(state, name, file, &make)));
    }
    for Shipped { name, policy, profile: state } in shipped {
        if let Ok(policy) = policy {
            let known = apparmor::profile(policy, &Variables::default()).name;
            checks.push(profile(name, &known, policy.lack_of_profile(*state, &Variables::default())));
        }
    }
    checks
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
