//! What a load is given, reports and refuses on kernels of several ages, and on machines that switch things off.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value as Json;

use super::guest::{Guest, Output, boot};
use super::kernels::{BOTH, Kernel};
use crate::support::{attack, plugin};

/// The usual words for the kernel.
const USUAL: &str = "lsm=landlock,yama,apparmor,bpf";

/// Calls a function of `good/types.c`, which answers 7.
pub(super) fn seven(plugin: &Path, options: &str) -> String {
    format!("lazaret call '{}' 'u8(x: u8) -> u8' 7 {options}", plugin.display())
}

/// Puts a policy into the guest that requires layers on top of `builtin:compute`, and returns the option that names it.
fn requiring(guest: &Guest, layer: &str) -> String {
    let text = format!("lazaret = 1\nname = \"x\"\nextends = \"builtin:compute\"\n[layers]\nrequire = [\"{layer}\"]\n");
    guest.write("/etc/requiring.toml", &text);
    "--policy /etc/requiring.toml".to_owned()
}

/// What each layer's state is, of a call with `--json`.
#[track_caller]
pub(super) fn layers(output: &Output) -> BTreeMap<String, Json> {
    assert_eq!(output.status, 0, "{output:?}");
    let answer: Json = serde_json::from_str(&output.stdout).expect("JSON");
    let layers = answer["enforcement"]["layers"].as_array().expect("a list");
    layers.iter().map(|layer| (layer["layer"].as_str().expect("a name").to_owned(), layer["state"].clone())).collect()
}

/// That the machine lacks something, and that these words are said about it.
#[track_caller]
pub(super) fn assert_lacks(output: &Output, words: &[&str]) {
    assert_eq!(output.status, 3, "{output:?}");
    for word in words {
        assert!(output.stderr.contains(word), "`{word}` is missing: {output:?}");
    }
}

#[test]
fn root_and_ordinary_users_call_good_plugins_and_see_hostile_ones_end() {
    let (good, hostile) = (plugin("good/types.c", &[]), attack("executes", &[]));
    for guest in boot(&BOTH, USUAL, &[&good, &hostile]) {
        for who in ["root", "user"] {
            let returned = guest.run(who, &seven(&good, ""), b"");
            assert_eq!((returned.status, returned.stdout.as_str()), (0, "7\n"), "{returned:?}");
            let ended = guest.run(who, &format!("lazaret call '{}' 'result() -> i32'", hostile.display()), b"");
            assert_eq!((ended.status, ended.stdout.as_str()), (4, ""), "{ended:?}");
            assert!(ended.stderr.contains("violation[V-SYSCALL]: the plugin tried `execve` and seccomp stopped it"));
        }
    }
}

#[test]
fn landlock_is_as_new_as_the_kernel_and_what_needs_a_newer_one_is_refused() {
    let good = plugin("good/types.c", &[]);
    for guest in boot(&BOTH, USUAL, &[&good]) {
        let states = layers(&guest.user(&seven(&good, "--json")));
        let landlock = &states["landlock"]["enforced"];
        let lacking = landlock["lacking"].to_string();
        let newer = guest.user(&seven(&good, &requiring(&guest, "landlock>=4")));
        let go = guest.user(&seven(&good, "--policy builtin:go"));
        match guest.kernel {
            Kernel::V6_1 => {
                assert_eq!(landlock["detail"], "ABI 2");
                assert!(lacking.contains("TCP ports") && lacking.contains("cutting files short"), "{lacking}");
                assert!(states["mdwe"]["absent"].is_object(), "{states:?}");
                assert_lacks(&newer, &["`landlock>=4`", "/etc/requiring.toml:5", "Landlock ABI 2", "Linux 6.7"]);
                assert_lacks(&go, &["`landlock>=6`", "builtin:go", "Landlock ABI 2", "Linux 6.12"]);
            }
            Kernel::V6_12 => {
                assert_eq!(landlock["detail"], "ABI 6");
                assert!(!lacking.contains("TCP ports") && lacking.contains("UDP ports"), "{lacking}");
                assert!(states["mdwe"]["enforced"].is_object(), "{states:?}");
                assert_eq!((newer.status, go.status), (0, 0), "{newer:?} {go:?}");
            }
        }
    }
}

#[test]
fn without_landlock_only_a_policy_that_lists_it_as_optional_is_loaded() {
    let good = plugin("good/types.c", &[]);
    let text = "lazaret = 1\nname = \"x\"\n[trust]\nunsigned = true\n[elf]\nneeded = [\"libc.so.6\"]\n\
                [syscalls]\nallow = [\"@compute\"]\n[layers]\nrequire = [\"seccomp\"]\noptional = [\"landlock\"]\n";
    for guest in boot(&BOTH, "lsm=yama,apparmor,bpf", &[&good]) {
        assert_lacks(&guest.user(&seven(&good, "")), &["builtin:compute", "no Landlock", "`lsm=` list"]);
        guest.write("/etc/optional.toml", text);
        let without = guest.user(&seven(&good, "--policy /etc/optional.toml"));
        assert_eq!((without.status, without.stdout.as_str()), (0, "7\n"), "{without:?}");
        assert!(without.stderr.contains("note: without `landlock`"), "{without:?}");
    }
}

#[test]
fn where_users_may_make_no_namespaces_a_load_says_so_or_is_refused() {
    let good = plugin("good/types.c", &[]);
    for guest in boot(&BOTH, USUAL, &[&good]) {
        let needed = requiring(&guest, "namespaces");
        for (off, on) in [
            ("user.max_user_namespaces=0", "user.max_user_namespaces=1000"),
            ("kernel.unprivileged_userns_clone=0", "kernel.unprivileged_userns_clone=1"),
        ] {
            assert_eq!(guest.root(&format!("sysctl -w {off}")).status, 0);
            let states = layers(&guest.user(&seven(&good, "--json")));
            assert!(states.get("namespaces").is_none_or(|state| state["absent"].is_object()), "{states:?}");
            assert!(states["limits"]["enforced"]["lacking"].to_string().contains("`threads`"), "{states:?}");
            let refused = guest.user(&seven(&good, &needed));
            assert_lacks(&refused, &["`namespaces`", "pid, ipc, uts, net", off.split('=').next().expect("a name")]);
            assert_eq!(guest.root(&format!("sysctl -w {on}")).status, 0);
        }
        // Root needs no user namespace for the others.
        guest.root("sysctl -w user.max_user_namespaces=0");
        assert_eq!(guest.root(&seven(&good, &needed)).status, 0);
    }
}

#[test]
fn a_delegated_control_group_caps_a_cell_and_is_empty_afterwards() {
    let endless = attack("loops_for_ever", &[]);
    let file = endless.display();
    for guest in boot(&BOTH, USUAL, &[&endless]) {
        let policy = requiring(&guest, "cgroup");
        let call = format!("lazaret call '{file}' 'result() -> i32' {policy}");
        let lacks = ["`cgroup`", "no cgroup v2", "Delegate=yes", "cgroup.subtree_control"];
        assert_lacks(&guest.user(&call), &lacks);
        let delegate = "cd /sys/fs/cgroup && echo +memory +pids +cpu >cgroup.subtree_control && mkdir -p given/host && \
                        echo +memory +pids +cpu >given/cgroup.subtree_control && chown -R user given";
        assert_eq!(guest.root(delegate).status, 0);
        for who in ["root", "user"] {
            // What the group of the cell says while the plugin runs, and what is left when it was ended.
            let look = format!(
                "echo $$ >/sys/fs/cgroup/given/host/cgroup.procs; su {who} -c \"{call}\" & cd /sys/fs/cgroup/given; \
                 until grep -q . lazaret-*/cgroup.procs; do :; done 2>/dev/null; \
                 cat lazaret-*/memory.max lazaret-*/pids.max lazaret-*/cpu.max; wait $!; echo $?; ls -d */"
            );
            let seen = guest.root(&look);
            let lines: Vec<&str> = seen.stdout.lines().collect();
            let [memory, tasks, time, status, "host/"] = lines[..] else { panic!("{seen:?}") };
            // `limits` of builtin:compute: 256 MiB, messages of 1 MiB each way, a stack of 8 MiB; 16 threads.
            assert_eq!((memory, tasks, time), (&*((256 + 2 + 8) << 20).to_string(), "17", "1600000 100000"));
            assert_eq!(status, "4", "{seen:?}");
        }
        // Not mounted is not delegated.
        guest.root("umount -l /sys/fs/cgroup");
        assert_lacks(&guest.user(&call), &lacks);
    }
}

#[test]
fn a_file_tree_of_its_own_has_what_is_granted_on_old_and_new_kernels() {
    let reads = plugin("good/touches_files.c", &[]);
    let text = "lazaret = 1\nname = \"x\"\n[trust]\nunsigned = true\n[elf]\nneeded = [\"libc.so.6\"]\n\
                [files]\nread = [\"/etc/granted\"]\n[syscalls]\nallow = [\"@compute\", \"@files-read\"]\n\
                [layers]\nrequire = [\"landlock\", \"mount\"]\n";
    for guest in boot(&BOTH, USUAL, &[&reads]) {
        guest.write("/etc/tree.toml", text);
        guest.root("mkdir /etc/granted && echo inside >/etc/granted/file");
        for (who, path, result) in [
            ("root", "/etc/granted/file", "7"),
            ("root", "/etc/passwd", "-2"),
            ("user", "/etc/granted/file", "7"),
            ("user", "/etc/passwd", "-2"),
        ] {
            let signature = "read_file(path: cstr, into: out [u8; length], length: u64) -> i64";
            let call = format!("lazaret call '{}' '{signature}' {path} 100 --policy /etc/tree.toml", reads.display());
            let output = guest.run(who, &call, b"");
            // The first line is what the function returned: bytes that it read, or the negative errno.
            assert_eq!((output.status, output.stdout.lines().next()), (0, Some(result)), "{who}: {output:?}");
        }
    }
}

#[test]
fn a_host_that_cannot_see_its_cells_in_proc_says_how_to_mount_it() {
    let good = plugin("good/types.c", &[]);
    for guest in boot(&BOTH, USUAL, &[&good]) {
        guest.root("mount -o remount,hidepid=2 /proc");
        assert_lacks(&guest.user(&seven(&good, "")), &["E-CELL-UNCONFINED", "hidepid"]);
        guest.root("umount -l /proc");
        for who in ["root", "user"] {
            let refused = guest.run(who, &seven(&good, ""), b"");
            assert_lacks(&refused, &["E-CELL-PROC", "`/proc` is not mounted", "mount -t proc proc /proc"]);
        }
    }
}

#[test]
fn the_order_of_security_modules_changes_nothing() {
    let good = plugin("good/types.c", &[]);
    let mut found = BTreeMap::new();
    for order in ["lsm=landlock,yama,apparmor,bpf", "lsm=bpf,apparmor,yama,landlock"] {
        for guest in boot(&BOTH, order, &[&good]) {
            let (root, user) = (guest.root(&seven(&good, "--json")), guest.user(&seven(&good, "--json")));
            let states = (layers(&root), layers(&user));
            let first = found.entry(guest.kernel).or_insert_with(|| states.clone());
            assert_eq!(*first, states, "{order}");
        }
    }
}
