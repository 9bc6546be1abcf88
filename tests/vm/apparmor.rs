//! AppArmor enforcing, complaining, without the profile, with another of its name, and off; for hosts that are confined
//! themselves and for hosts that are not.

use std::path::Path;

use serde_json::Value as Json;

use super::guest::{Guest, Output, boot};
use super::kernels::{BOTH, Kernel};
use super::machines::{assert_lacks, layers, seven};
use crate::support::{attack, plugin};

/// The usual words for the kernel.
const ON: &str = "lsm=landlock,yama,apparmor,bpf";

/// Those of a stock Void Linux.
const OFF: &str = "lsm=landlock,yama,loadpin,safesetid,integrity";

/// A policy that asks for AppArmor, and with `landlock` for that as well.
fn policy(name: &str, demand: &str, more: &str) -> String {
    format!(
        "lazaret = 1\nname = \"{name}\"\n[trust]\nunsigned = true\n[elf]\nneeded = [\"libc.so.6\"]\n[files]\n\
         read = [\"/srv/granted\"]\nwrite = [\"/srv/written\"]\n[syscalls]\n\
         allow = [\"@compute\", \"@files-read\", \"@files-write\", \"chmod\"{more}]\n[limits]\nfile-size = \"1 MiB\"\n\
         [layers]\n{demand}\n"
    )
}

const REQUIRED: &str = "require = [\"apparmor\"]\noptional = [\"landlock\"]";

/// A policy that lists AppArmor. Without it an old Landlock does not see all that writing is.
fn without_writing(name: &str) -> String {
    let text = policy(name, "optional = [\"landlock\", \"apparmor\"]", "");
    text.replace("write = [\"/srv/written\"]\n", "").replace("\"@files-write\", ", "")
}

/// Writes the policy `name`, what it grants, and its profile where people put them, and returns the option for the policy.
fn prepare(guest: &Guest, name: &str, text: &str) -> String {
    guest.write(&format!("/etc/{name}.toml"), text);
    let granted = "mkdir -p /srv/granted /srv/written /srv/other && chmod 777 /srv/written && chmod 755 /srv && \
                   for d in granted other; do echo inside >/srv/$d/file; done && chown -R user /srv/granted /srv/other";
    assert_eq!(guest.root(granted).status, 0);
    let made = guest.root(&format!("lazaret apparmor /etc/{name}.toml --into /etc/apparmor.d"));
    assert_eq!((made.status, made.stderr.as_str()), (0, ""));
    format!("--policy /etc/{name}.toml")
}

/// Loads profiles as stage 1 of Void Linux does: every file on the first level; `words` may be `-C`.
fn load(guest: &Guest, name: &str, words: &str) {
    let find = format!("find -L /etc/apparmor.d -maxdepth 1 -type f -name '{name}' ! -name '*.new-*_*'");
    let loaded = guest.root(&format!("{find} -exec apparmor_parser -r -K {words} -- '{{}}' +"));
    assert_eq!((loaded.status, loaded.stderr.replace(EXPECTED, "").trim()), (0, ""), "{loaded:?}");
}

/// What the parser says of `-K`.
const EXPECTED: &str =
    "Cache read/write disabled: Police cache file missing. (Kernel needs AppArmor 2.4 compatibility patch.)";

const READ: &str = "read_file(path: cstr, into: out [u8; length], length: u64) -> i64";
const WRITE: &str = "write_file(path: cstr, from: in [u8; length], length: u64) -> i64";

/// What a function of `good/touches_files.c` returned.
fn touch(guest: &Guest, who: &str, file: &Path, [signature, arguments, options]: [&str; 3]) -> String {
    let output = guest.run(who, &format!("lazaret call '{}' '{signature}' {arguments} {options}", file.display()), b"");
    assert_eq!(output.status, 0, "{output:?}");
    output.stdout.lines().next().unwrap_or_default().to_owned()
}

/// Runs a command under a profile.
fn under(profile: &str, command: &str) -> String {
    format!("echo 'exec {profile}' >/proc/self/attr/apparmor/exec && exec {command}")
}

#[test]
fn a_cell_is_under_its_profile_alone_where_it_is_enforced() {
    let (touches, endless) = (plugin("good/touches_files.c", &[]), attack("loops_for_ever", &[]));
    // Without Landlock AppArmor is all that looks at files.
    for words in [ON, "lsm=yama,apparmor"] {
        for guest in boot(&BOTH, words, &[&touches, &endless]) {
            let options = prepare(&guest, "x", &policy("x", REQUIRED, ""));
            load(&guest, "lazaret-cell.x", "");
            for who in ["root", "user"] {
                let touch =
                    |signature: &str, arguments: &str| touch(&guest, who, &touches, [signature, arguments, &options]);
                assert_eq!(touch(READ, "/srv/granted/file 100"), "7");
                assert_eq!(touch(READ, "/srv/other/file 100"), "-13");
                assert_eq!(touch(READ, "/etc/passwd 100"), "-13");
                assert_eq!(touch(WRITE, &format!("/srv/written/{who} hello _")), "5");
                assert_eq!(touch(WRITE, "/srv/granted/file hello _"), "-13");
            }
            // What the kernel says while a plugin runs.
            let look = format!(
                "lazaret call '{}' 'result() -> i32' {options} & until cat /proc/[0-9]*/attr/apparmor/current | grep lazaret; \
                 do :; done 2>/dev/null; wait $!",
                endless.display()
            );
            assert_eq!(guest.user(&look).stdout, "lazaret-cell.x (enforce)\n");
        }
    }
}

#[test]
fn a_profile_that_is_missing_lenient_or_another_is_refused_or_reported_as_the_policy_says() {
    let good = plugin("good/types.c", &[]);
    for guest in boot(&BOTH, ON, &[&good]) {
        let required = prepare(&guest, "x", &policy("x", REQUIRED, ""));
        let optional = prepare(&guest, "y", &without_writing("y"));
        let asks = |words: &[&str], fix: &[&str]| {
            for who in ["root", "user"] {
                let refused = guest.run(who, &seven(&good, &required), b"");
                assert_lacks(&refused, &[words, fix, &["`apparmor`", "/etc/x.toml:15"]].concat());
                let reported = layers(&guest.run(who, &seven(&good, &format!("{optional} --json")), b""));
                let why = reported["apparmor"]["absent"]["why"].as_str().expect("absent").replace(".y", ".x");
                assert!(words.iter().all(|word| why.contains(word)), "{why}");
            }
        };
        asks(&["AppArmor has no profile `lazaret-cell.x`"], &["`lazaret apparmor /etc/x.toml --into /etc/apparmor.d`"]);
        load(&guest, "lazaret-cell.[xy]", "-C");
        asks(&["does not enforce the profile `lazaret-cell.x`"], &["aa-enforce", "APPARMOR=enforce"]);
        load(&guest, "lazaret-cell.[xy]", "");
        let enforced = layers(&guest.user(&seven(&good, &format!("{optional} --json"))));
        assert_eq!(enforced["apparmor"]["enforced"]["detail"], "profile lazaret-cell.y, enforced");

        // One more rule, written into the file by hand.
        guest.root("sed -i 's/^}/  \\/etc\\/** r,\\n}/' /etc/apparmor.d/lazaret-cell.[xy]");
        load(&guest, "lazaret-cell.[xy]", "");
        asks(&["the profile `lazaret-cell.x` that AppArmor has is not the one"], &["apparmor_parser -r"]);
        // The right name, and nothing else of it.
        for name in ["x", "y"] {
            guest.write(
                &format!("/etc/apparmor.d/lazaret-cell.{name}"),
                &format!("profile lazaret-cell.{name} {{ /** rw, }}\n"),
            );
        }
        load(&guest, "lazaret-cell.[xy]", "");
        asks(&["is not the one"], &["apparmor_parser -r"]);
        // As it was: nothing is remembered that should not be.
        guest.root("for p in x y; do lazaret apparmor /etc/$p.toml >/etc/apparmor.d/lazaret-cell.$p; done");
        load(&guest, "lazaret-cell.[xy]", "");
        assert_eq!(guest.user(&seven(&good, &required)).status, 0);
        // A policy that changed since.
        guest.root("sed -i s,/srv/granted,/srv/other, /etc/[xy].toml");
        asks(&["is not the one"], &["apparmor_parser -r"]);
        guest.root("sed -i s,/srv/other,/srv/granted, /etc/[xy].toml");

        // The kernel itself can be told to let everything pass, and every label says `enforce` all the same.
        guest.root("printf complain >/sys/module/apparmor/parameters/mode");
        for (who, words) in [("root", "told to enforce no profile"), ("user", "be refused anything by AppArmor")] {
            let refused = guest.run(who, &seven(&good, &required), b"");
            assert!(refused.status == 3 && refused.stderr.contains(words), "{refused:?}");
            assert!(refused.stderr.contains("apparmor.mode="), "{refused:?}");
            let reported = layers(&guest.run(who, &seven(&good, &format!("{optional} --json")), b""));
            assert!(reported["apparmor"]["absent"]["why"].as_str().expect("absent").contains(words), "{reported:?}");
        }
        guest.root("printf enforce >/sys/module/apparmor/parameters/mode");

        guest.root("mv /sbin/apparmor_parser /sbin/parser");
        asks(&["nothing here can say what the profile `lazaret-cell.x`"], &["install apparmor_parser"]);
        guest.root("mv /sbin/parser /sbin/apparmor_parser");
        guest.root("umount /sys/kernel/security");
        asks(&["cannot be seen"], &["mount securityfs at /sys/kernel/security"]);
        guest.root("umount -l /sys/fs/cgroup /sys");
        asks(&["cannot be seen"], &["mount securityfs at /sys/kernel/security"]);
    }
}

#[test]
fn without_apparmor_a_policy_that_requires_it_says_how_to_boot() {
    let good = plugin("good/types.c", &[]);
    for guest in boot(&BOTH, OFF, &[&good]) {
        let required = prepare(&guest, "x", &policy("x", REQUIRED, ""));
        for who in ["root", "user"] {
            let refused = guest.run(who, &seven(&good, &required), b"");
            assert_lacks(&refused, &["runs without AppArmor", "`apparmor=1 security=apparmor`", "`lsm=`"]);
            // A shipped policy lists it as optional.
            let reported = layers(&guest.run(who, &seven(&good, "--json"), b""));
            assert_eq!(reported["apparmor"]["absent"]["why"], "the kernel runs without AppArmor");
        }
    }
}

/// A profile that permits everything but what is taken out of it.
const EVERYTHING: &str = "/** rwmixk,\n capability,\n network,\n ptrace,\n mount,\n umount,\n pivot_root,\n";

#[test]
fn a_host_that_is_confined_stacks_the_profile_of_its_cells_on_its_own() {
    let (touches, endless) = (plugin("good/touches_files.c", &[]), attack("loops_for_ever", &[]));
    for guest in boot(&BOTH, ON, &[&touches, &endless]) {
        let options = prepare(&guest, "x", &policy("x", REQUIRED, ""));
        let optional = prepare(&guest, "y", &without_writing("y"));
        load(&guest, "lazaret-cell.[xy]", "");
        guest.write(
            "/etc/hosts.profile",
            &format!(
                "abi <abi/3.0>,\n\
                 profile service flags=(attach_disconnected) {{\n{EVERYTHING} signal,\n change_profile -> &lazaret-cell.*,\n}}\n\
                 profile narrow flags=(attach_disconnected) {{\n{EVERYTHING} signal,\n change_profile -> &lazaret-cell.*,\n \
                 deny /srv/granted/** r,\n}}\n\
                 profile complaining flags=(attach_disconnected, complain) {{\n}}\n\
                 profile closed flags=(attach_disconnected) {{\n{EVERYTHING} signal,\n}}\n\
                 profile blind {{\n{EVERYTHING} signal,\n change_profile -> &lazaret-cell.*,\n}}\n\
                 profile looking flags=(attach_disconnected) {{\n{EVERYTHING} signal (receive),\n \
                 signal (send) peer=looking,\n signal (send) set=(exists),\n change_profile -> &lazaret-cell.*,\n}}\n\
                 profile harmless flags=(attach_disconnected) {{\n{EVERYTHING} signal (receive),\n \
                 signal (send) peer=harmless,\n change_profile -> &lazaret-cell.*,\n}}\n"
            ),
        );
        assert_eq!(guest.root("apparmor_parser -r -K /etc/hosts.profile").status, 0);
        let read = |profile: &str, prefix: &str, place: &str| {
            under(profile, &format!("{prefix}lazaret call '{}' '{READ}' {place} 100 {options}", touches.display()))
        };
        let first = |output: Output| output.stdout.lines().next().unwrap_or_default().to_owned();
        for who in ["root", "user"] {
            let run = |command: String| guest.run(who, &command, b"");
            for (profile, prefix) in [("service", ""), ("service", "setpriv --nnp "), ("complaining", "")] {
                assert_eq!(first(run(read(profile, prefix, "/srv/granted/file"))), "7", "{profile} {prefix}");
                assert_eq!(first(run(read(profile, prefix, "/srv/other/file"))), "-13", "{profile} {prefix}");
            }
            // What confines the host confines its plugins.
            assert_eq!(first(run(read("narrow", "", "/srv/granted/file"))), "-13");
            let refused = run(read("closed", "", "/srv/granted/file"));
            assert!(refused.status != 0 && refused.stderr.contains("enter its AppArmor profile"), "{refused:?}");
            assert!(refused.stderr.contains("change_profile -> &lazaret-cell.*"), "{refused:?}");
            // A policy that only lists the layer goes on without, and says so.
            let went_on = run(read("closed", "", "/srv/granted/file").replace(&options, &optional));
            assert!(went_on.stderr.contains("without `apparmor`"), "{went_on:?}");
            assert_eq!(first(went_on), "7");
            assert_lacks(&run(read("blind", "", "/srv/granted/file")), &["cannot be seen", "attach_disconnected"]);
            // A host that may not end its cells would leave them behind.
            for profile in ["harmless", "looking"] {
                let refused = run(read(profile, "", "/srv/granted/file"));
                assert_lacks(&refused, &["E-CELL-REACH", "<abstractions/lazaret-host>"]);
            }
            let left = guest.root("cat /proc/[0-9]*/comm | grep lazaret");
            assert_eq!(left.stdout, "", "{left:?}");
        }
        let look = |profile: &str| {
            let host = under(profile, &format!("lazaret call '{}' 'result() -> i32' {options}", endless.display()));
            guest.user(&format!(
                "({host}) & until cat /proc/[0-9]*/attr/apparmor/current | grep cell.x; do :; done 2>/dev/null; wait $!"
            ))
        };
        assert_eq!(look("service").stdout.trim(), "lazaret-cell.x//&service (enforce)");
        // A host that is killed takes its cells along, whatever confines it.
        let host = under("service", &format!("lazaret call '{}' 'result() -> i32' {options}", endless.display()));
        let killed = guest.user(&format!(
            "({host}) & until cat /proc/[0-9]*/attr/apparmor/current | grep -q cell.x; do :; done 2>/dev/null; kill -9 $!; \
             wait $!; while cat /proc/[0-9]*/attr/apparmor/current | grep -q cell.x; do :; done 2>/dev/null; echo gone"
        ));
        assert!(killed.stdout.contains("gone"), "{killed:?}");
    }
}

#[test]
fn the_shipped_profiles_confine_the_programs_and_every_shipped_policy() {
    let (good, touches) = (plugin("good/types.c", &[]), plugin("good/touches_files.c", &[]));
    let endless = attack("loops_for_ever", &[]);
    for guest in boot(&BOTH, ON, &[&good, &touches, &endless]) {
        let options = prepare(&guest, "x", &policy("x", "require = [\"apparmor\", \"landlock\", \"mount\"]", ""));
        // What builtin:network-client grants.
        guest.root(
            "mkdir -p /etc/ssl/certs /usr/share/ca-certificates; touch /etc/hosts /etc/resolv.conf /etc/nsswitch.conf",
        );
        // As stage 1 does it, once and all of it.
        load(&guest, "*", "");
        let loaded = guest.root("cat /sys/kernel/security/apparmor/profiles").stdout;
        assert!(loaded.lines().all(|line| line.ends_with(" (enforce)")) && loaded.lines().count() >= 7, "{loaded}");
        for who in ["root", "user"] {
            let run = |command: &str| guest.run(who, command, b"");
            let mut policies = vec!["compute", "file-reader"];
            if guest.kernel == Kernel::V6_12 {
                policies.extend(["go", "network-client"]);
            }
            for name in policies {
                let states = layers(&run(&seven(&good, &format!("--json --policy builtin:{name}"))));
                let detail = format!("profile lazaret-cell.{name}, enforced");
                assert_eq!(states["apparmor"]["enforced"]["detail"], detail.as_str(), "{who}");
                // Nothing else is lost by being confined.
                assert!(states["namespaces"]["enforced"].is_object(), "{states:?}");
            }
            let touch =
                |signature: &str, arguments: &str| touch(&guest, who, &touches, [signature, arguments, &options]);
            assert_eq!(touch(READ, "/srv/granted/file 100"), "7");
            assert_eq!(touch(READ, "/etc/passwd 100"), "-2", "not in its file tree");
            assert_eq!(touch(WRITE, &format!("/srv/written/{who} hello _")), "5");
            // What a person does with the program still works.
            let inspected =
                run(&format!("cd /tmp && lazaret inspect '{}' >report.{who} && cat report.{who}", good.display()));
            assert!(inspected.stdout.contains("sha256:"), "{inspected:?}");
            // And what it never does is refused: executing other programs, for one.
            let started = guest.run(who, &under("lazaret", "sh -c 'echo here; /bin/cat /etc/passwd; exit 7'"), b"");
            assert_eq!((started.status, started.stdout.as_str()), (7, "here\n"), "{started:?}");
        }
        let look = format!(
            "lazaret call '{}' 'result() -> i32' & until cat /proc/[0-9]*/attr/apparmor/current | grep cell.compute; do :; done \
             2>/dev/null; wait $!",
            endless.display()
        );
        assert_eq!(guest.user(&look).stdout, "lazaret-cell//&lazaret-cell.compute (enforce)\n");
        // Nothing that is right is refused on the way.
        let denied = guest.root(
            "dmesg | grep 'apparmor=\"DENIED\"' | grep -v 'profile=\"lazaret-cell.x\"\\|comm=\"sh\"\\|family=\"ash\"'",
        );
        assert_eq!(denied.stdout, "", "{denied:?}");
    }
}

/// What paths mean is the kernel's to say: the one that is written, and no other.
#[test]
fn odd_paths_mean_themselves() {
    let touches = plugin("good/touches_files.c", &[]);
    let odd = [
        "a *",
        "b?c",
        "[x]y",
        "{p,q}",
        "q\"uote",
        "back\\slash",
        "@{HOME}",
        "ünïcode ☃",
        "tab\there",
        "#no,comment",
        "^k",
    ];
    let others = ["a b", "bxc", "xy", "p", "q\\\"uote", "backslash", "root", "unicode", "tab here", "no", "k"];
    for guest in boot(&[Kernel::V6_12], "lsm=yama,apparmor", &[&touches]) {
        let place = |name: &&str| format!("/srv/odd/{name}");
        let granted = serde_json::to_string(&odd.iter().map(place).collect::<Vec<_>>()).expect("JSON");
        let text = policy("odd", REQUIRED, "").replace("[\"/srv/granted\"]", &granted);
        guest.root("mkdir -p /srv/odd");
        for name in odd.iter().chain(&others) {
            guest.run("root", "IFS= read -r name; echo inside >\"/srv/odd/$name\"", format!("{name}\n").as_bytes());
        }
        let options = prepare(&guest, "odd", &text);
        load(&guest, "lazaret-cell.odd", "");
        for (names, result) in [(odd, "7"), (others, "-13")] {
            for name in names {
                let call = format!(
                    "IFS= read -r name; lazaret call '{}' '{READ}' \"/srv/odd/$name\" 100 {options}",
                    touches.display()
                );
                let output = guest.run("user", &call, format!("{name}\n").as_bytes());
                assert_eq!(output.stdout.lines().next(), Some(result), "{name}: {output:?}");
            }
        }
    }
}

/// The reports of a call with `--explain --json`.
fn reports(output: &Output) -> Vec<Json> {
    let answer: Json = serde_json::from_str(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"));
    answer["reports"]["list"].as_array().cloned().unwrap_or_default()
}

#[test]
fn what_apparmor_refused_is_read_from_the_log_or_predicted_and_a_report_says_which() {
    let (touches, changes) = (plugin("good/touches_files.c", &[]), plugin("good/changes_mode.c", &[]));
    // AppArmor before Landlock, so that it is asked first.
    for guest in boot(&BOTH, "lsm=apparmor,landlock,yama", &[&touches, &changes]) {
        let options = prepare(&guest, "x", &policy("x", "require = [\"apparmor\", \"landlock\"]", ""));
        load(&guest, "lazaret-cell.x", "");
        guest.root("sysctl -w kernel.dmesg_restrict=1 kernel.printk_ratelimit=0");
        for (who, evidence) in [("root", "kernel-log"), ("user", "prediction")] {
            let read = format!("lazaret call '{}' '{READ}' /srv/other/file 100 {options} --explain", touches.display());
            let found = reports(&guest.run(who, &format!("{read} --json"), b""));
            let [report] = &found[..] else { panic!("{who}: {found:?}") };
            assert_eq!(
                (report["path"].as_str(), report["evidence"].as_str()),
                (Some("/srv/other/file"), Some(evidence))
            );
            // Either would have: only the log knows.
            assert_eq!(report["layer"], if who == "root" { "apparmor" } else { "landlock" });
            assert_eq!(report["place"]["symbol"], "read_file");
            let shown = guest.run(who, &read, b"").stderr;
            assert!(
                shown.contains("`/srv/other/file`") && shown.contains("read = [\"/srv/granted\", \"/srv/other/file\"]"),
                "{shown}"
            );
            let word = if who == "root" { "the kernel's log says" } else { "predicted from the plan" };
            assert!(shown.contains(word), "{shown}");
            // What Landlock does not see: a mode.
            let change = format!(
                "lazaret call '{}' 'change_mode(path: cstr) -> i32' {{}} {options} --explain --json",
                changes.display()
            );
            let found = reports(&guest.run(who, &change.replace("{}", "/srv/granted/file"), b""));
            let [report] = &found[..] else { panic!("{who}: {found:?}") };
            assert_eq!((report["layer"].as_str(), report["evidence"].as_str()), (Some("apparmor"), Some(evidence)));
            assert_eq!(report["act"], "chmod");
            // Its permitted twin.
            guest.root("echo >/srv/written/mine; chown user /srv/written/mine");
            let permitted = guest.run(who, &change.replace("{}", "/srv/written/mine"), b"");
            if who == "user" {
                assert!(permitted.stdout.contains("\"signed\": 0") || reports(&permitted).is_empty(), "{permitted:?}");
            }
        }
    }
}

/// Acts that tell the layers apart. The others are tried by `lazaret prove` on the machine that runs the tests.
const ACTS: [&str; 34] = [
    "opens_a_file_not_granted",
    "creates_a_file",
    "truncates_a_file",
    "lists_the_root",
    "looks_whether_a_file_exists",
    "gives_a_file_a_second_name",
    "makes_a_pipe_with_a_name",
    "locks_a_file",
    "changes_the_mode_of_a_file",
    "changes_the_owner_of_a_file",
    "changes_the_times_of_a_file",
    "signals_the_host",
    "signals_the_host_by_handle",
    "signals_a_thread_of_the_host",
    "traces_the_host",
    "seizes_the_host",
    "reads_the_memory_of_the_host",
    "writes_into_the_memory_of_the_host",
    "reads_the_environment_of_the_host",
    "takes_a_descriptor_of_the_host",
    "connects_to_an_abstract_socket",
    "mounts",
    "leaves_its_namespaces",
    "executes",
    "executes_from_memory",
    "takes_capabilities",
    "connects",
    "opens_an_udp_socket",
    "opens_a_netlink_socket_for_routes",
    "opens_a_packet_socket",
    "opens_a_local_socket",
    "makes_data_executable",
    "maps_executable_memory",
    "maps_code_from_a_memory_file",
];

/// The columns of the table: what is left of a cell.
const PARTS: [&str; 6] = ["process", "seccomp", "landlock", "apparmor", "namespaces", "mdwe"];

/// What one act came to: with all layers, and with each part alone.
fn columns(act: &Json) -> Vec<String> {
    let together = match act["verdict"].as_str() {
        Some("stopped") => act["stopped_by"].as_str().unwrap_or("several"),
        other => panic!("{other:?}: {act}"),
    };
    let alone = PARTS.map(|part| match act["alone"][part]["result"].as_str() {
        Some("stopped") => "stops",
        Some("not-stopped") => "-",
        Some("same-as-process") => "own",
        Some("untried") => "untried",
        Some("absent") => "absent",
        other => panic!("{other:?}: {act}"),
    });
    std::iter::once(together).chain(alone).map(str::to_owned).collect()
}

/// With all layers every act is stopped; what each layer does to it alone, on each kernel, stands in SECURITY.md.
/// `LAZARET_BLESS=1` writes that table anew after a change that is meant.
#[test]
fn every_act_is_stopped_and_the_documents_say_by_which_layer_on_which_kernel() {
    let mut found: Vec<Vec<Vec<String>>> = Vec::new();
    for guest in boot(&BOTH, ON, &[]) {
        guest.root("lazaret apparmor builtin:compute >/etc/apparmor.d/lazaret-cell.compute");
        load(&guest, "lazaret-cell.compute", "");
        for who in ["root", "user"] {
            let proof = guest.run(who, &format!("lazaret prove --json --act {}", ACTS.join(" ")), b"");
            assert_eq!(proof.status, 0, "{who}: {proof:?}");
            let proof: Json = serde_json::from_str(&proof.stdout).expect("JSON");
            let acts = proof["acts"].as_array().expect("acts");
            let act =
                |name: &&str| acts.iter().find(|act| act["name"] == *name).map(columns).expect("what was asked for");
            let rows = ACTS.iter().map(act).collect();
            if who == "user" {
                found.push(rows);
            }
        }
    }
    // One kernel alone makes no table.
    let [old, new] = &found[..] else { return };
    let mut table = format!("| act | all | {} |\n|{}\n", PARTS.join(" | "), "---|".repeat(PARTS.len() + 2));
    for ((name, old), new) in ACTS.iter().zip(old).zip(new) {
        let both = |(old, new): (&String, &String)| if old == new { old.clone() } else { format!("{old} / {new}") };
        let columns: Vec<String> = old.iter().zip(new).map(both).collect();
        table += &format!("| `{name}` | {} |\n", columns.join(" | "));
    }
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../SECURITY.md");
    let text = std::fs::read_to_string(&file).expect("SECURITY.md");
    let (before, rest) = text.split_once("<!-- acts -->\n").expect("where the table begins");
    let (stands, after) = rest.split_once("<!-- end of acts -->\n").expect("where it ends");
    if std::env::var_os("LAZARET_BLESS").is_some() {
        std::fs::write(&file, format!("{before}<!-- acts -->\n{table}<!-- end of acts -->\n{after}")).expect("write");
    } else {
        assert_eq!(stands, table, "if this is meant, bless it");
    }
}

/// The profile that the abstraction for hosts begins with, as it stands there, with what it says of root.
fn host_profile(no_new_privs: bool) -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../apparmor/abstractions/lazaret-host");
    let text = std::fs::read_to_string(file).expect("shipped");
    let lines: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("#   ")).collect();
    let end = lines.iter().position(|line| *line == "}").expect("a profile");
    let (mut profile, others) = (lines[..end].join("\n"), &lines[end + 1..]);
    let (root, confined): (Vec<&str>, Vec<&str>) = others.iter().partition(|line| line.contains("capability"));
    assert_eq!((root.len(), confined.len()), (1, 2), "{others:?}");
    if no_new_privs {
        profile = profile.replace("@{lazaret_cell} px -> lazaret-cell,", &confined.join("\n"));
    }
    format!("{profile}\n{}\n}}\n", root.join("\n"))
}

#[test]
fn a_host_with_the_profile_that_the_abstraction_begins_with_loads_plugins() {
    let touches = plugin("good/touches_files.c", &[]);
    for guest in boot(&[Kernel::V6_12], ON, &[&touches]) {
        prepare(&guest, "x", &policy("x", "require = [\"apparmor\", \"landlock\", \"namespaces\"]", ""));
        load(&guest, "lazaret-cell.x", "");
        load(&guest, "usr.libexec*", "");
        let placed = guest.root(&format!(
            "mkdir -p /etc/codec-service /usr/libexec/codec-service && cp /etc/x.toml /etc/codec-service/ && \
             cp '{}' /usr/libexec/codec-service/plugin.so && cp /usr/bin/lazaret /usr/bin/codec-service",
            touches.display()
        ));
        assert_eq!(placed.status, 0, "{placed:?}");
        for (no_new_privs, prefix) in [(false, ""), (true, "setpriv --nnp ")] {
            guest.write("/etc/apparmor.d/usr.bin.codec-service", &host_profile(no_new_privs));
            load(&guest, "usr.bin.codec-service", "");
            guest.root("dmesg -c >/dev/null");
            for who in ["root", "user"] {
                let call = |place: &str| {
                    let service = format!("{prefix}codec-service call /usr/libexec/codec-service/plugin.so");
                    let call = format!("{service} '{READ}' {place} 100 --policy /etc/codec-service/x.toml");
                    let output = guest.run(who, &call, b"");
                    assert_eq!(output.status, 0, "{output:?}");
                    output.stdout.lines().next().unwrap_or_default().to_owned()
                };
                assert_eq!((call("/srv/granted/file").as_str(), call("/srv/other/file").as_str()), ("7", "-13"));
            }
            let ours = "family=\"ash\"\\|name=\"/srv/other/file\"";
            let denied = guest.root(&format!("dmesg | grep 'apparmor=\"DENIED\"' | grep -v '{ours}'"));
            assert_eq!(denied.stdout, "", "{denied:?}");
        }
    }
}
