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
    if !Path::new("/sys/module/apparmor").exists() {
        // sysfs that is not mounted says nothing.
        return Path::new("/sys/module").exists().then(|| "this kernel was built without it".to_owned());
    }
    words(&fs::read_to_string("/proc/cmdline").ok()?, &modules()?)
}

/// The words for the kernel command line `now`, where the modules `running` run.
fn words(now: &str, running: &[String]) -> Option<String> {
    if let Some(other) = running.iter().find(|module| EXCLUSIVE.contains(&module.as_str())) {
        return Some(format!("the kernel runs `{other}`, and only one of the two at a time"));
    }
    let last = |key: &str| now.split_whitespace().filter_map(|word| word.strip_prefix(key)).next_back();
    if last("lsm=").is_none() {
        let instead = last("security=").filter(|module| *module != "apparmor");
        let instead = instead.map(|module| format!(", in place of `security={}`", escape(module))).unwrap_or_default();
        return Some(format!("here: `apparmor=1 security=apparmor`{instead}"));
    }
    let on = if last("apparmor=") == Some("0") { "apparmor=1 " } else { "" };
    Some(format!("here: `{on}{}`", list(running, "apparmor")))
}

/// What turns Landlock on here, beyond what is true of every machine.
pub(super) fn to_landlock() -> Option<String> {
    Some(format!("if this kernel was built with it, here: `{}`", list(&modules()?, "landlock")))
}

/// `lsm=` with the modules that run, and one more. Always with Landlock: what stands in this list and the kernel does not have,
/// it ignores; what does not stand in it is off.
fn list(running: &[String], more: &str) -> String {
    // Those that are in no list: the kernel puts them first or last by itself (`LSM_ORDER_FIRST`, `LSM_ORDER_LAST`).
    let fixed = |module: &&str| matches!(*module, "capability" | "ima" | "evm");
    let running = running.iter().map(String::as_str).filter(|module| !fixed(module) && *module != more);
    // BPF looks at what the others let through.
    let (late, early): (Vec<&str>, Vec<&str>) = running.partition(|module| *module == "bpf");
    let landlock = (more != "landlock" && !early.contains(&"landlock")).then_some("landlock");
    let list: Vec<&str> = landlock.into_iter().chain(early).chain([more]).chain(late).collect();
    format!("lsm={}", list.join(","))
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
        assert_eq!(words("ro quiet", &void).as_deref(), Some("here: `apparmor=1 security=apparmor`"));
        assert_eq!(
            words("ro lsm=landlock,yama,loadpin,safesetid,integrity", &void).as_deref(),
            Some("here: `lsm=landlock,yama,loadpin,safesetid,integrity,apparmor`")
        );
        assert_eq!(
            words("apparmor=0 lsm=bpf,yama", &modules("lockdown,capability,bpf,yama")).as_deref(),
            Some("here: `apparmor=1 lsm=landlock,lockdown,yama,apparmor,bpf`")
        );
        assert_eq!(words("lsm=", &modules("capability")).as_deref(), Some("here: `lsm=landlock,apparmor`"));
    }

    #[test]
    fn what_the_kernel_places_by_itself_is_in_no_list() {
        let running = modules("lockdown,capability,apparmor,yama,bpf,ima,evm");
        assert_eq!(list(&running, "landlock"), "lsm=lockdown,apparmor,yama,landlock,bpf");
    }

    #[test]
    fn one_large_module_takes_the_place_of_another() {
        let fedora = modules("lockdown,capability,yama,selinux,bpf,landlock");
        assert!(words("ro", &fedora).expect("words").contains("`selinux`"));
        let tomoyo = modules("capability,yama,tomoyo");
        let words = words("security=tomoyo", &tomoyo).expect("words");
        assert_eq!(words, "here: `apparmor=1 security=apparmor`, in place of `security=tomoyo`");
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
