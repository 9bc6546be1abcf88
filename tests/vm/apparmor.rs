//! Kernels with AppArmor, and with it left out as Void's are started.

use super::guest::boot;
use super::kernels::BOTH;

#[test]
fn a_profile_confines_where_apparmor_is_on_and_cannot_be_loaded_where_it_is_off() {
    let profile = "profile smoke { /** rix, deny /etc/group r, }\n";
    for guest in boot(&BOTH, "lsm=landlock,yama,apparmor,bpf", &[]) {
        guest.write("/etc/smoke", profile);
        assert_eq!(guest.root("apparmor_parser -r -K /etc/smoke").status, 0);
        assert_eq!(guest.root("cat /sys/kernel/security/apparmor/profiles").stdout, "smoke (enforce)\n");
        let confined = "echo exec smoke >/proc/self/attr/apparmor/exec && exec cat";
        assert_eq!(guest.user(&format!("{confined} /etc/passwd")).status, 0);
        let denied = guest.root(&format!("{confined} /etc/group"));
        assert!(denied.status != 0 && denied.stderr.contains("Permission denied"), "{denied:?}");
    }
    for guest in boot(&BOTH, "lsm=landlock,yama,loadpin,safesetid,integrity", &[]) {
        guest.write("/etc/smoke", profile);
        assert_eq!(guest.root("cat /sys/module/apparmor/parameters/enabled").stdout, "N\n");
        assert_ne!(guest.root("apparmor_parser -r -K /etc/smoke").status, 0);
    }
}
