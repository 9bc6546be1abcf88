//! The order in which files are tried.

use super::*;

fn glibc() -> Machine {
    let entry = |name: &str, path: &str, level: Option<&str>| cache::Entry {
        name: name.to_owned(),
        path: path.into(),
        level: level.map(str::to_owned),
    };
    Machine {
        libc: Libc::Glibc,
        arch: Arch::X86_64,
        cache: vec![
            entry("libx.so", "/opt/x/glibc-hwcaps/x86-64-v4/libx.so", Some("x86-64-v4")),
            entry("libx.so", "/opt/x/glibc-hwcaps/x86-64-v3/libx.so", Some("x86-64-v3")),
            entry("libx.so", "/opt/x/libx.so", None),
            entry("liby.so", "/lib/liby.so", None),
        ],
        directories: vec!["/lib".into()],
        path_file: false,
        levels: Vec::new(),
        musl: "/lib/ld-musl-x86_64.so.1".into(),
    }
}

fn requester(rpath: Option<&str>, runpath: Option<&str>) -> Requester {
    let [rpath, runpath] = [rpath, runpath].map(|path| path.map(str::to_owned));
    Requester { origin: Some("/plugins".into()), rpath, runpath, no_default: false }
}

fn tried(machine: &Machine, name: &str, chain: &[&Requester]) -> Vec<String> {
    machine.candidates(name, chain).iter().map(|found| found.path.display().to_string()).collect()
}

#[test]
fn a_runpath_is_its_owners_alone_and_silences_the_rpath_of_everyone_before() {
    let plugin = requester(Some("/r1"), None);
    let plain = requester(None, None);
    let own = requester(Some("/r2"), Some("/run"));
    assert_eq!(tried(&glibc(), "libz.so", &[&plain, &plugin]), ["/r1/libz.so", "/lib/libz.so"]);
    assert_eq!(tried(&glibc(), "libz.so", &[&own, &plugin]), ["/run/libz.so", "/lib/libz.so"]);
    assert_eq!(tried(&glibc(), "libz.so", &[&plain, &own]), ["/lib/libz.so"]);
}

#[test]
fn tokens_are_replaced_and_relative_directories_left_out() {
    let path = "$ORIGIN/a:${ORIGIN}/b:/c/$PLATFORM:$ORIGINAL/d::e:/f/$OTHER";
    let of = requester(None, Some(path));
    let wanted = ["/plugins/a/l.so", "/plugins/b/l.so", "/c/x86_64/l.so", "/f/$OTHER/l.so", "/lib/l.so"];
    assert_eq!(tried(&glibc(), "l.so", &[&of]), wanted);
}

#[test]
fn the_cache_comes_before_the_defaults_and_its_best_entry_for_this_processor_first() {
    let mut machine = glibc();
    assert_eq!(tried(&machine, "libx.so", &[]), ["/opt/x/libx.so", "/lib/libx.so"]);
    machine.levels = vec!["x86-64-v3", "x86-64-v2"];
    let tried = tried(&machine, "libx.so", &[]);
    assert_eq!(tried[0], "/opt/x/glibc-hwcaps/x86-64-v3/libx.so");
    assert_eq!(tried[1], "/lib/glibc-hwcaps/x86-64-v3/libx.so");
}

#[test]
fn nodeflib_leaves_out_the_defaults_and_what_the_cache_has_of_them() {
    let of = Requester { no_default: true, ..requester(None, None) };
    assert_eq!(tried(&glibc(), "liby.so", &[&of]), [""; 0]);
    assert_eq!(tried(&glibc(), "libx.so", &[&of]), ["/opt/x/libx.so"]);
}

#[test]
fn a_name_that_is_a_path_is_not_looked_for() {
    for name in ["", ".", "..", "/lib/libc.so.6", "../l.so"] {
        assert_eq!(tried(&glibc(), name, &[]), [""; 0], "{name}");
    }
}

#[test]
fn musl_searches_the_paths_of_every_ancestor_and_takes_its_own_names_for_itself() {
    let machine = Machine { libc: Libc::Musl, ..glibc() };
    let (own, plugin) = (requester(None, Some("$ORIGIN/a")), requester(Some("/r"), None));
    assert_eq!(tried(&machine, "l.so", &[&own, &plugin]), ["/plugins/a/l.so", "/r/l.so", "/lib/l.so"]);
    for name in ["libc.so", "libpthread.so.0", "libc.musl-x86_64.so.1", "ld-musl-x86_64.so.1"] {
        assert_eq!(tried(&machine, name, &[&own]), ["/lib/ld-musl-x86_64.so.1"], "{name}");
    }
    let unknown = requester(None, Some("/a:$LIB/b"));
    assert_eq!(tried(&machine, "l.so", &[&unknown]), ["/lib/l.so"], "the whole path is ignored");
}

#[test]
fn a_place_that_others_can_fill_is_told_from_one_that_they_cannot() {
    assert_eq!(owners(Path::new("/usr/lib"), &[0]), Ok(()));
    assert!(owners(Path::new("/tmp"), &[0]).is_err());
    assert!(owners(Path::new("/tmp/lazaret-not-there/lib"), &[0]).is_err(), "anybody can make it");
}
