//! What every guest finds in its file tree: busybox, our programs, AppArmor's parser, and the libraries of these and of plugins.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::support::{CELL, LAZARET, library, scratch, text};

/// The archive with these files besides. The kernel unpacks one archive after the other.
pub(super) fn with(files: &[&Path]) -> Vec<u8> {
    // The same for all guests, made once.
    static ARCHIVE: OnceLock<Vec<u8>> = OnceLock::new();
    let mut more = Archive::default();
    for file in files {
        more.copy(file, file.to_str().expect("UTF-8"));
    }
    [ARCHIVE.get_or_init(pack), more.finish().as_slice()].concat()
}

fn pack() -> Vec<u8> {
    let (busybox, parser) = (program("busybox"), program("apparmor_parser"));
    let mut archive = Archive::default();
    archive.add("/init", 0o755, include_bytes!("init"));
    archive.add("/etc/passwd", 0o644, b"root:x:0:0::/:/bin/sh\nuser:x:1000:1000::/home/user:/bin/sh\n");
    archive.add("/etc/group", 0o644, b"root:x:0:\nuser:x:1000:\n");
    archive.copy(&busybox, "/bin/busybox");
    archive.copy(&parser, "/sbin/apparmor_parser");
    for (program, name) in [(LAZARET, "lazaret"), (CELL, "lazaret-cell")] {
        archive.add(&format!("/usr/bin/{name}"), 0o755, &stripped(Path::new(program)));
    }
    let plugins = ["libm.so.6", "libstdc++.so.6", "libz.so.1"].map(library);
    let linked = [Path::new(LAZARET), Path::new(CELL), &busybox, &parser].into_iter().flat_map(libraries);
    for library in plugins.into_iter().chain(linked).collect::<BTreeSet<_>>() {
        archive.copy(&library, library.to_str().expect("UTF-8"));
    }
    // Where a distribution's parser looks for what rules mean (`abi`) and what kernels know, where it comes with such files.
    for tree in
        ["abi", "abstractions", "tunables", "tunables/home.d", "tunables/multiarch.d", "tunables/xdg-user-dirs.d"]
    {
        archive.tree(&Path::new("/etc/apparmor.d").join(tree), &format!("/etc/apparmor.d/{tree}"));
    }
    for tree in ["/etc/apparmor", "/usr/share/apparmor-features"] {
        archive.tree(Path::new(tree), tree);
    }
    // What is shipped lies in place, and nothing loads it but a scenario.
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../apparmor");
    for tree in ["", "/abstractions", "/tunables", "/local"] {
        archive.tree(&shipped.join(tree.trim_start_matches('/')), &format!("/etc/apparmor.d{tree}"));
    }
    archive.finish()
}

/// A program of this machine; those for root are not in everybody's `PATH`.
pub(super) fn program(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places = std::env::split_paths(&path).chain(["/usr/sbin", "/sbin"].map(PathBuf::from));
    let found = places.map(|place| place.join(name)).find(|file| file.is_file());
    found.unwrap_or_else(|| panic!("{name} is not installed; run `tests/setup vm`"))
}

/// The bytes of a program without what only a debugger reads: nine tenths of it.
fn stripped(program: &Path) -> Vec<u8> {
    let small = scratch().join("stripped");
    let status = Command::new("strip").arg("-o").arg(&small).arg(program).status().expect("run strip");
    assert!(status.success(), "strip {}", program.display());
    let bytes = fs::read(&small).expect("what strip wrote");
    fs::remove_file(&small).expect("remove it");
    bytes
}

/// The libraries that a program is linked with, the dynamic loader among them; none of a static one.
fn libraries(program: &Path) -> Vec<PathBuf> {
    let output = Command::new("ldd").arg(program).output().expect("run ldd");
    // `libc.so.6 => /lib/libc.so.6 (0x…)`, and `/lib64/ld-linux-x86-64.so.2 (0x…)`.
    let words = |line: &str| line.split_whitespace().find(|word| word.starts_with('/')).map(PathBuf::from);
    text(&output.stdout).lines().filter_map(words).collect()
}

/// An archive of the kind that the kernel unpacks (`newc`, cpio(5)).
#[derive(Default)]
struct Archive {
    bytes: Vec<u8>,
    paths: BTreeSet<PathBuf>,
}

impl Archive {
    fn copy(&mut self, from: &Path, to: &str) {
        let bytes = fs::read(from).unwrap_or_else(|error| panic!("{}: {error}", from.display()));
        let mode = fs::metadata(from).expect("metadata").permissions().mode() & 0o777;
        self.add(to, mode, &bytes);
    }

    /// The files of a directory.
    fn tree(&mut self, from: &Path, to: &str) {
        let entries = fs::read_dir(from).into_iter().flatten().flatten();
        for file in entries.map(|entry| entry.path()).filter(|path| path.is_file()) {
            let name = file.file_name().and_then(|name| name.to_str()).expect("UTF-8");
            self.copy(&file, &format!("{to}/{name}"));
        }
    }

    fn add(&mut self, path: &str, mode: u32, bytes: &[u8]) {
        let parents: Vec<&Path> = Path::new(path).ancestors().skip(1).collect();
        for parent in parents.into_iter().rev().filter(|parent| *parent != Path::new("/")) {
            if self.paths.insert(parent.to_owned()) {
                self.entry(parent.to_str().expect("UTF-8"), 0o040_755, b"");
            }
        }
        self.entry(path, 0o100_000 | mode, bytes);
    }

    fn entry(&mut self, path: &str, mode: u32, bytes: &[u8]) {
        let name = path.trim_start_matches('/');
        // inode, mode, uid, gid, links, mtime, size, device (2), device of a node (2), length of the name with its end, checksum
        let fields = [0, mode, 0, 0, 1, 0, size(bytes), 0, 0, 0, 0, size(name.as_bytes()) + 1, 0];
        self.bytes.extend_from_slice(b"070701");
        self.bytes.extend(fields.iter().flat_map(|field| format!("{field:08X}").into_bytes()));
        self.bytes.extend_from_slice(name.as_bytes());
        self.bytes.push(0);
        self.pad();
        self.bytes.extend_from_slice(bytes);
        self.pad();
    }

    fn pad(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }

    fn finish(mut self) -> Vec<u8> {
        self.entry("TRAILER!!!", 0, b"");
        self.bytes
    }
}

fn size(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).expect("less than 4 GiB")
}
