//! What `lazaret doctor` says on machines that switch things off, one after the other.

use serde_json::Value as Json;

use super::guest::{Guest, Output, boot};
use super::kernels::{BOTH, Kernel};

/// The usual words for the kernel.
const USUAL: &str = "lsm=landlock,yama,apparmor,bpf";

/// The checks of one run, which ends with this status.
#[track_caller]
fn checks(output: &Output, status: i32) -> Vec<Json> {
    assert_eq!((output.status, output.stderr.as_str()), (status, ""), "{output:?}");
    let answer: Json = serde_json::from_str(&output.stdout).expect("JSON");
    answer["checks"].as_array().expect("a list").clone()
}

/// That the run says this of a check, with all these words in what was found or in the fix.
#[track_caller]
fn says(output: &Output, status: i32, id: &str, state: &str, words: &[&str]) {
    let checks = checks(output, status);
    let check = checks.iter().find(|check| check["id"] == id).unwrap_or_else(|| panic!("no {id}: {output:?}"));
    assert_eq!(check["state"], state, "{check}");
    for word in words {
        assert!(check.to_string().contains(word), "`{word}` is missing: {check}");
    }
}

const DOCTOR: &str = "lazaret doctor --json";

/// What loads the profiles of the programs.
const BOTH_PROFILES: &str =
    "apparmor_parser -r /etc/apparmor.d/usr.libexec.lazaret.lazaret-cell /etc/apparmor.d/usr.bin.lazaret";

/// A profile for a host that may load plugins.
const HOST: &str = "profile host flags=(attach_disconnected) {\n /** rwmix,\n capability,\n network,\n mount,\n umount,\n \
                    pivot_root,\n signal,\n ptrace,\n change_profile -> &lazaret-cell.*,\n}\n";

/// Loads the profile of `builtin:compute`.
fn load(guest: &Guest, options: &str) {
    let file = "/etc/apparmor.d/lazaret-cell.compute";
    let loaded = guest.root(&format!(
        "mkdir -p /etc/apparmor.d /etc/default; lazaret apparmor builtin:compute >{file} && apparmor_parser -r -K {options} {file}"
    ));
    assert_eq!(loaded.status, 0, "{loaded:?}");
}

#[test]
fn profiles_are_missing_complaining_enforced_or_others_and_the_doctor_tells_them_apart() {
    for guest in boot(&BOTH, USUAL, &[]) {
        let doctor = guest.user(DOCTOR);
        says(&doctor, 0, "apparmor", "ok", &["on"]);
        says(&doctor, 0, "cell", "ok", &[]);
        let make = "lazaret apparmor builtin:compute --into /etc/apparmor.d";
        says(&doctor, 0, "profile-compute", "warning", &[make, "apparmor_parser -r"]);
        for id in ["profile-lazaret", "profile-lazaret-cell"] {
            says(&doctor, 0, id, "warning", &["lie in /etc/apparmor.d and are not loaded", BOTH_PROFILES]);
        }
        says(&doctor, 0, "policy-compute", "ok", &["without", "apparmor"]);

        load(&guest, "-C");
        guest.write("/etc/default/apparmor", "# Void's own\nAPPARMOR=complain\n");
        let doctor = guest.user(DOCTOR);
        says(&doctor, 0, "profile-compute", "warning", &["does not enforce", "aa-enforce"]);
        says(&doctor, 0, "apparmor-boot", "warning", &["complain", "APPARMOR=enforce"]);

        load(&guest, "");
        guest.write("/etc/default/apparmor", "APPARMOR=enforce\n");
        let doctor = guest.user(DOCTOR);
        says(&doctor, 0, "profile-compute", "ok", &["enforced"]);
        says(&doctor, 0, "apparmor-boot", "ok", &[]);
        says(&doctor, 0, "cell", "ok", &[]);
        says(&doctor, 0, "policy-compute", "ok", &["apparmor, namespaces"]);

        // The kernel itself can be told to let everything pass: only root can read so, and only a cell can find out.
        guest.root("printf complain >/sys/module/apparmor/parameters/mode");
        says(&guest.root(DOCTOR), 0, "profile-compute", "warning", &["told to enforce no profile", "apparmor.mode="]);
        says(&guest.user(DOCTOR), 0, "cell", "warning", &["without the AppArmor profile", "apparmor.mode="]);
        guest.root("printf enforce >/sys/module/apparmor/parameters/mode");

        // And from inside of one of its own.
        guest.write("/etc/host", HOST);
        assert_eq!(guest.root("apparmor_parser -r -K /etc/host").status, 0);
        let confined = format!("echo exec host >/proc/self/attr/apparmor/exec && exec {DOCTOR}");
        for doctor in [guest.root(&confined), guest.user(&confined)] {
            says(&doctor, 0, "host", "ok", &["`host (enforce)`"]);
            says(&doctor, 0, "cell", "ok", &["comes up"]);
            says(&doctor, 0, "profile-compute", "ok", &[]);
        }
        let prove = |words: &str| {
            let prove = format!("lazaret prove --act executes {words}");
            guest.root(&format!("echo exec host >/proc/self/attr/apparmor/exec && exec {prove}"))
        };
        let proof: Json = serde_json::from_str(&prove("--json").stdout).expect("JSON");
        assert_eq!(proof["kernel"]["confined_by"], "host (enforce)", "{proof}");
        assert!(prove("").stdout.replace('\n', " ").contains("under the AppArmor label `host (enforce)`"));
        assert!(
            !guest.root("lazaret prove --act executes").stdout.contains("AppArmor label"),
            "of what confines nothing"
        );

        guest.root("sysctl -w kernel.dmesg_restrict=1");
        says(&guest.user(DOCTOR), 0, "kernel-log", "warning", &["kernel.dmesg_restrict=0"]);

        let parser = guest.root("command -v apparmor_parser").stdout.trim().to_owned();
        guest.root(&format!("mv {parser} /etc/parser"));
        let doctor = guest.root(DOCTOR);
        says(&doctor, 0, "kernel-log", "ok", &[]);
        says(&doctor, 0, "apparmor-parser", "warning", &["no apparmor_parser", "install"]);
        says(&doctor, 0, "profile-compute", "warning", &["nothing here can say"]);
        // One that does not know what profiles are written in, as before AppArmor 3.0.
        guest.root(&format!("printf '#!/bin/sh\\nexit 1\\n' >{parser} && chmod 755 {parser}"));
        says(&guest.root(DOCTOR), 0, "apparmor-parser", "warning", &["does not compile", "3.0"]);
        guest.root(&format!("mv /etc/parser {parser}"));

        guest.write("/etc/other", "profile lazaret-cell.compute { /etc/** r, }\n");
        assert_eq!(guest.root("apparmor_parser -r -K /etc/other").status, 0);
        says(&guest.root(DOCTOR), 0, "profile-compute", "warning", &["is not the one", make]);
    }
}

#[test]
fn the_profiles_of_the_programs_are_loaded_together_or_no_cell_starts() {
    for guest in boot(&BOTH, USUAL, &[]) {
        guest.root("mkdir /opt; cp /usr/bin/lazaret /usr/bin/lazaret-cell /opt");
        guest.root("mv /etc/apparmor.d/tunables/lazaret /etc/lazaret-tunables");
        for id in ["profile-lazaret", "profile-lazaret-cell"] {
            says(&guest.user(DOCTOR), 0, id, "warning", &["copy all of `apparmor/`", BOTH_PROFILES]);
        }
        guest.root("mv /etc/lazaret-tunables /etc/apparmor.d/tunables/lazaret");

        assert_eq!(guest.root("apparmor_parser -r -K /etc/apparmor.d/usr.bin.lazaret").status, 0);
        let doctor = guest.user(DOCTOR);
        says(&doctor, 3, "profile-lazaret", "ok", &["is loaded and enforced\""]);
        says(&doctor, 3, "profile-lazaret-cell", "missing", &["no cell can be started", BOTH_PROFILES]);
        says(&doctor, 3, "cell", "missing", &["profile `lazaret` of this process", BOTH_PROFILES]);
        let other = guest.user("/opt/lazaret doctor --json");
        says(&other, 0, "profile-lazaret", "ok", &["for /usr/bin/lazaret; this program is /opt/lazaret"]);
        says(&other, 0, "profile-lazaret-cell", "warning", &["no cell can be started"]);

        // As the fix has it.
        assert_eq!(guest.root(&BOTH_PROFILES.replace("-r", "-r -K")).status, 0);
        let doctor = guest.user(DOCTOR);
        says(&doctor, 0, "host", "ok", &["`lazaret (enforce)`"]);
        for id in ["cell", "profile-lazaret", "profile-lazaret-cell"] {
            says(&doctor, 0, id, "ok", &[]);
        }
    }
}

#[test]
fn a_profile_that_lets_no_cell_program_be_executed_is_named() {
    for guest in boot(&BOTH, USUAL, &[]) {
        let codec = |rule: &str| {
            let rules = "/** rwm, /{,s}bin/* ix, /opt/lazaret ix, capability, network, signal, ptrace,";
            guest.write("/etc/codec", &format!("profile codec flags=(attach_disconnected) {{ {rules} {rule} }}\n"));
            assert_eq!(guest.root("apparmor_parser -r -K /etc/codec").status, 0);
        };
        guest.root("mkdir /opt; cp /usr/bin/lazaret /usr/bin/lazaret-cell /opt");
        guest.write("/etc/cell", "profile lazaret-cell { /** rwm, capability, network, signal, ptrace, }\n");
        assert_eq!(guest.root("apparmor_parser -r -K /etc/cell").status, 0);
        let run = |how: &str| {
            guest.root(&format!(
                "echo exec codec >/proc/self/attr/apparmor/exec && exec {how} /opt/lazaret doctor --json"
            ))
        };
        codec("");
        let words = ["profile `codec` of this process does not let it", "`include <abstractions/lazaret-host>`"];
        for how in ["", "setpriv --nnp"] {
            says(&run(how), 3, "cell", "missing", &words);
        }
        codec("/opt/lazaret-cell px -> lazaret-cell,");
        let words = ["no_new_privs", "profile `codec` cannot be left", "`@{lazaret_cell} ix,`"];
        says(&run("setpriv --nnp"), 3, "cell", "missing", &words);
    }
}

#[test]
fn a_stock_void_machine_is_told_what_to_boot_with() {
    for guest in boot(&[Kernel::V6_12], "lsm=landlock,yama,loadpin,safesetid,integrity", &[]) {
        for doctor in [guest.root(DOCTOR), guest.user(DOCTOR)] {
            let words = ["apparmor=1 security=apparmor", "lsm=", "landlock,yama,", "apparmor`"];
            says(&doctor, 0, "apparmor", "warning", &words);
            says(&doctor, 0, "landlock", "ok", &["ABI"]);
            assert!(!doctor.stdout.contains("\"profile-"), "one line says it all: {doctor:?}");
            // What its advice names can be pasted: the kernel's own places in the list are not in it.
            assert!(!doctor.stdout.contains("lsm=capability") && !doctor.stdout.contains(",evm`"), "{doctor:?}");
        }
    }
}

#[test]
fn what_builtin_compute_requires_is_missing_and_what_others_require_is_a_warning() {
    for guest in boot(&BOTH, "lsm=yama,apparmor,bpf", &[]) {
        let doctor = guest.user(DOCTOR);
        says(&doctor, 3, "landlock", "missing", &["no Landlock", "\"here: `lsm=landlock,lockdown,yama,apparmor,bpf`"]);
        assert!(!doctor.stdout.contains("5.13"), "this one is newer: {doctor:?}");
        says(&doctor, 3, "policy-compute", "missing", &["landlock"]);
        says(&doctor, 3, "policy-go", "warning", &["landlock>=6"]);
        says(&doctor, 3, "cell", "ok", &["starts"]);
    }
    for guest in boot(&[Kernel::V6_12], "apparmor=0 lsm=yama,bpf", &[]) {
        let doctor = guest.user(DOCTOR);
        let here = "\"here: `apparmor=1 lsm=landlock,lockdown,yama,apparmor,bpf`, in place of `apparmor=0`";
        says(&doctor, 3, "landlock", "missing", &[here]);
        says(&doctor, 3, "apparmor", "warning", &[here]);
    }
    for guest in boot(&[Kernel::V6_1], USUAL, &[]) {
        let doctor = guest.user(DOCTOR);
        says(&doctor, 0, "landlock", "warning", &["ABI 2", "TCP ports", "Linux 6.12"]);
        says(&doctor, 0, "mdwe", "warning", &["Linux 6.3"]);
        says(&doctor, 0, "policy-compute", "ok", &[]);
        says(&doctor, 0, "policy-go", "warning", &["landlock>=6"]);
        says(&doctor, 0, "policy-network-client", "warning", &["landlock>=4"]);
    }
}

#[test]
fn namespaces_and_control_groups_are_told_with_what_is_in_the_way() {
    for guest in boot(&BOTH, USUAL, &[]) {
        says(&guest.user(DOCTOR), 0, "namespaces", "ok", &["pid, ipc, uts, net, user"]);
        guest.root("sysctl -w user.max_user_namespaces=0");
        let doctor = guest.user(DOCTOR);
        says(&doctor, 0, "namespaces", "warning", &["pid, ipc, uts, net", "user.max_user_namespaces"]);
        says(&doctor, 0, "mount", "warning", &["user.max_user_namespaces"]);
        says(&doctor, 0, "limits", "warning", &["`threads`"]);
        says(&guest.root(DOCTOR), 0, "namespaces", "ok", &[]);
        guest.root("sysctl -w user.max_user_namespaces=1000");

        says(&guest.user(DOCTOR), 0, "cgroup", "warning", &["top of the tree", "Delegate=yes"]);
        let within = |command: &str| format!("echo $$ >/sys/fs/cgroup/given/host/cgroup.procs; {command}");
        let all = "echo +memory +pids +cpu >cgroup.subtree_control";
        assert_eq!(guest.root(&format!("cd /sys/fs/cgroup && {all} && mkdir -p given/host")).status, 0);
        says(&guest.root(&within(DOCTOR)), 0, "cgroup", "warning", &["`/sys/fs/cgroup/given` does not pass on"]);
        assert_eq!(guest.root(&format!("cd /sys/fs/cgroup/given && {all}")).status, 0);
        says(&guest.root(&within(DOCTOR)), 0, "cgroup", "ok", &["/sys/fs/cgroup/given"]);
        let user = within(&format!("su user -c '{DOCTOR}'"));
        says(&guest.root(&user), 0, "cgroup", "warning", &["not this user's"]);
        guest.root("chown -R user /sys/fs/cgroup/given");
        says(&guest.root(&user), 0, "cgroup", "ok", &[]);
        guest.root("umount -l /sys/fs/cgroup");
        says(&guest.root(DOCTOR), 0, "cgroup", "warning", &["no hierarchy of version 2"]);
    }
}

#[test]
fn file_systems_that_are_not_mounted_are_named_and_blamed_for_nothing_else() {
    for guest in boot(&[Kernel::V6_12], USUAL, &[]) {
        guest.root("umount -l /sys/kernel/security");
        for doctor in [guest.root(DOCTOR), guest.user(DOCTOR)] {
            says(&doctor, 0, "lsm", "warning", &["mount -t securityfs"]);
            says(&doctor, 0, "apparmor", "warning", &["on, but", "securityfs"]);
            says(&doctor, 0, "cell", "ok", &[]);
        }
        guest.root("umount -l /sys");
        says(&guest.user(DOCTOR), 0, "cell", "ok", &[]);
        guest.root("mount -o remount,hidepid=2 /proc");
        says(&guest.user(DOCTOR), 3, "cell", "missing", &["hidepid"]);
        guest.root("umount -l /proc");
        for doctor in [guest.root(DOCTOR), guest.user(DOCTOR)] {
            says(&doctor, 3, "procfs", "missing", &["mount -t proc proc /proc"]);
            says(&doctor, 3, "cell", "missing", &["mount -t proc proc /proc"]);
            says(&doctor, 3, "seccomp", "ok", &[]);
        }
    }
}
