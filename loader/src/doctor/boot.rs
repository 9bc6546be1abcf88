//! What the kernel was started with, and how the machine loads profiles when it starts.

use std::fs;
use std::path::Path;

use crate::audit::escape;
use crate::open;

/// Where securityfs belongs.
pub(super) const SECURITYFS: &str = "/sys/kernel/security";

/// The list of the security modules that run.
pub(super) const MODULES: &str = "/sys/kernel/security/lsm";

/// Security modules of which the kernel runs only one at a time (`LSM_FLAG_EXCLUSIVE`), AppArmor aside.
const EXCLUSIVE: [&str; 2] = ["selinux", "smack"];

/// The first release of Linux with Landlock.
pub(super) const LANDLOCK: (u32, u32) = (5, 13);

/// Largest file of settings.
const SETTINGS_LIMIT: u64 = 64 * 1024;

/// Where Void Linux says how profiles are loaded, and what reads that.
pub(super) const SETTINGS: &str = "/etc/default/apparmor";
const LOADS: &str = "/etc/runit/core-services/09-apparmor.sh";

/// Whether securityfs is mounted (statfs(2)).
pub(super) fn has_securityfs() -> bool {
    const MAGIC: i64 = 0x7363_6673;
    rustix::fs::statfs(SECURITYFS).is_ok_and(|found| found.f_type == MAGIC)
}

/// The security modules that run, in their order, escaped. `None` where securityfs does not say.
pub(super) fn modules() -> Option<Vec<String>> {
    let list = fs::read_to_string(MODULES).ok()?;
    Some(list.trim().split(',').map(escape).collect())
}

/// What turns AppArmor on here, beyond what is true of every machine.
pub(super) fn to_apparmor() -> Option<String> {
    if !is_built_in() {
        // sysfs that is not mounted says nothing.
        return Path::new("/sys/module").exists().then(|| "this kernel was built without it".to_owned());
    }
    let running = modules()?;
    if let Some(other) = exclusive(&running) {
        return Some(format!("the kernel runs `{other}`, and only one of the two at a time"));
    }
    words(&command_line()?, &running, true)
}

/// What turns Landlock on here, beyond what is true of every machine.
pub(super) fn to_landlock() -> Option<String> {
    words(&command_line()?, &modules()?, is_built_in())
}

/// Whether this kernel has AppArmor, running or not. Of Landlock nothing says that.
fn is_built_in() -> bool {
    Path::new("/sys/module/apparmor").exists()
}

fn command_line() -> Option<String> {
    fs::read_to_string("/proc/cmdline").ok()
}

/// What runs in AppArmor's place.
fn exclusive(running: &[String]) -> Option<&str> {
    running.iter().map(String::as_str).find(|module| EXCLUSIVE.contains(module))
}

/// The words for the kernel command line `now`, where the modules `running` run: one answer for Landlock and AppArmor, since
/// a list for one of them switches the other off. Where this kernel has AppArmor, it is one of those that are to run.
fn words(now: &str, running: &[String], apparmor: bool) -> Option<String> {
    let last = |key: &str| now.split_whitespace().filter_map(|word| word.strip_prefix(key)).next_back();
    let runs = |module: &str| running.iter().any(|other| other == module);
    let apparmor = apparmor && exclusive(running).is_none() && !runs("apparmor");
    if !apparmor && runs("landlock") {
        return None;
    }
    let mut instead = Vec::new();
    let off = last("apparmor=").filter(|word| apparmor && *word == "0");
    instead.extend(off.map(|_| "`apparmor=0`".to_owned()));
    // Without a list, the kernel's own is in force, and has Landlock.
    let words = if last("lsm=").is_none() && runs("landlock") {
        let other = last("security=").filter(|module| *module != "apparmor");
        instead.extend(other.map(|module| format!("`security={}`", escape(module))));
        "apparmor=1 security=apparmor".to_owned()
    } else {
        format!("{}{}", if off.is_some() { "apparmor=1 " } else { "" }, list(running, apparmor))
    };
    let instead = if instead.is_empty() { String::new() } else { format!(", in place of {}", instead.join(" and ")) };
    Some(format!("here: `{words}`{instead}"))
}

/// `lsm=` with the modules that run, and AppArmor if it is to. Always with Landlock: what stands in this list and the kernel
/// does not have, it ignores; what does not stand in it is off.
fn list(running: &[String], apparmor: bool) -> String {
    // Those that are in no list: the kernel puts them first or last by itself (`LSM_ORDER_FIRST`, `LSM_ORDER_LAST`).
    let fixed = |module: &&str| matches!(*module, "capability" | "ima" | "evm");
    let running = running.iter().map(String::as_str).filter(|module| !fixed(module));
    // BPF looks at what the others let through.
    let (late, early): (Vec<&str>, Vec<&str>) = running.partition(|module| *module == "bpf");
    let landlock = (!early.contains(&"landlock")).then_some("landlock");
    let list: Vec<&str> = landlock.into_iter().chain(early).chain(apparmor.then_some("apparmor")).chain(late).collect();
    format!("lsm={}", list.join(","))
}

/// Whether the kernel is of this release or a later one.
pub(super) fn is_at_least(release: &str, least: (u32, u32)) -> bool {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map_while(|number| number.parse().ok());
    numbers.next().zip(numbers.next()).is_some_and(|has| has >= least)
}

/// How Void Linux loads profiles: the word of [`SETTINGS`], or nothing. `None` on machines that do it otherwise.
pub(super) fn loading() -> Option<String> {
    let text = open::small(Path::new(SETTINGS), SETTINGS_LIMIT).unwrap_or_default();
    let word = assigned(&String::from_utf8_lossy(&text)).map(|word| escape(&word));
    word.or_else(|| Path::new(LOADS).exists().then(String::new))
}

/// What a file of a shell assigns to `APPARMOR`.
fn assigned(text: &str) -> Option<String> {
    let mut values = text.lines().filter_map(|line| {
        let line = line.trim_start();
        line.strip_prefix("export ").unwrap_or(line).trim_start().strip_prefix("APPARMOR=")
    });
    let value = values.next_back()?;
    let word = match value.chars().next() {
        Some(quote @ ('"' | '\'')) => value[1..].split(quote).next(),
        _ => value.split(|c: char| c.is_whitespace() || matches!(c, ';' | '#')).next(),
    };
    Some(word.unwrap_or_default().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn modules(list: &str) -> Vec<String> {
        list.split(',').map(str::to_owned).collect()
    }

    #[test]
    fn a_command_line_with_a_list_gets_the_whole_list() {
        let void = modules("capability,landlock,yama,loadpin,safesetid,integrity");
        for (now, running, has) in [
            ("ro quiet", &void, "here: `apparmor=1 security=apparmor`"),
            (
                "ro lsm=landlock,yama,loadpin,safesetid,integrity",
                &void,
                "here: `lsm=landlock,yama,loadpin,safesetid,integrity,apparmor`",
            ),
            ("lsm=", &modules("capability"), "here: `lsm=landlock,apparmor`"),
            // A list that the kernel was built with, and that lacks Landlock.
            ("ro", &modules("capability,yama"), "here: `lsm=landlock,yama,apparmor`"),
        ] {
            assert_eq!(words(now, running, true).as_deref(), Some(has), "{now}");
        }
    }

    #[test]
    fn what_is_in_the_way_is_named() {
        let running = modules("lockdown,capability,bpf,yama");
        assert_eq!(
            words("apparmor=0 lsm=bpf,yama", &running, true).as_deref(),
            Some("here: `apparmor=1 lsm=landlock,lockdown,yama,apparmor,bpf`, in place of `apparmor=0`")
        );
        let landlock = modules("capability,landlock,yama,tomoyo");
        assert_eq!(
            words("apparmor=0", &landlock, true).as_deref(),
            Some("here: `apparmor=1 security=apparmor`, in place of `apparmor=0`")
        );
        assert_eq!(
            words("security=tomoyo apparmor=0", &landlock, true).as_deref(),
            Some("here: `apparmor=1 security=apparmor`, in place of `apparmor=0` and `security=tomoyo`")
        );
        assert_eq!(
            words("apparmor=0 apparmor=1", &landlock, true).as_deref(),
            Some("here: `apparmor=1 security=apparmor`"),
            "the last one counts"
        );
    }

    #[test]
    fn a_list_for_landlock_alone_is_for_a_kernel_that_has_apparmor_running_or_cannot_have_it() {
        let running = modules("lockdown,capability,apparmor,yama,bpf,ima,evm");
        let whole = Some("here: `lsm=landlock,lockdown,apparmor,yama,bpf`");
        assert_eq!(words("ro", &running, true).as_deref(), whole);
        assert_eq!(words("apparmor=0", &modules("yama"), false).as_deref(), Some("here: `lsm=landlock,yama`"));
        let fedora = modules("lockdown,capability,yama,selinux,bpf");
        assert_eq!(words("ro", &fedora, true).as_deref(), Some("here: `lsm=landlock,lockdown,yama,selinux,bpf`"));
        assert_eq!(exclusive(&fedora), Some("selinux"));
        assert_eq!(words("ro", &modules("landlock,apparmor"), true), None, "both run");
    }

    #[test]
    fn releases_are_compared_as_numbers() {
        for (release, newer) in [
            ("5.13.0", true),
            ("6.1.0-18-amd64", true),
            ("5.4.1_1", false),
            ("5.13-rc1", true),
            ("4.19", false),
            ("", false),
        ] {
            assert_eq!(is_at_least(release, (5, 13)), newer, "{release}");
        }
    }

    #[test]
    fn the_last_assignment_of_a_shell_counts() {
        for (text, word) in [
            ("", None),
            ("# APPARMOR=enforce\n", None),
            ("# disable, complain or enforce\nAPPARMOR=complain\n", Some("complain")),
            ("APPARMOR=complain\nAPPARMOR=\"enforce\" # all\n", Some("enforce")),
            ("export APPARMOR='enforce'", Some("enforce")),
            ("APPARMOR=enforce # all", Some("enforce")),
            ("APPARMOR=", Some("")),
            ("MY_APPARMOR=enforce", None),
            ("APPARMOR=\"", Some("")),
        ] {
            assert_eq!(assigned(text).as_deref(), word, "{text}");
        }
    }
}
