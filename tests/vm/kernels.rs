//! Which kernels guests boot, and where they lie on this machine.

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::sync::Mutex;

/// A kernel of Debian for virtual machines ("cloud"), which needs no modules to boot into an initramfs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kernel {
    /// Landlock ABI 2.
    V6_1,
    /// Landlock ABI 6.
    V6_12,
}

/// The oldest and the newest.
pub(super) const BOTH: [Kernel; 2] = [Kernel::V6_1, Kernel::V6_12];

impl fmt::Display for Kernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V6_1 => "6.1",
            Self::V6_12 => "6.12",
        })
    }
}

/// Names the directory of the kernels, here and to `tests/setup`, which puts them there.
const DIRECTORY: &str = "LAZARET_VM_KERNELS";

impl Kernel {
    /// The newest image of this release. Where there is none, a person is told, past the capture of the test's output; machines
    /// that run the tests (`CI=true`) read nothing, so there it fails.
    pub(super) fn image(self) -> Option<PathBuf> {
        static TOLD: Mutex<BTreeSet<Kernel>> = Mutex::new(BTreeSet::new());
        let directory = directory();
        let prefix = format!("vmlinuz-{self}.");
        let images = fs::read_dir(&directory).into_iter().flatten().flatten().map(|entry| entry.path());
        let ours = |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&prefix));
        let image = images.filter(ours).max();
        if image.is_none() {
            let missing = format!("there is no {prefix}* in {}", directory.display());
            let help = format!("`tests/setup vm` puts it there on Debian; elsewhere do it by hand, or set {DIRECTORY}");
            assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "{missing}; {help}");
            if TOLD.lock().expect("nobody panics here").insert(self) {
                writeln!(io::stderr(), "SKIPPED: every test on Linux {self}: {missing}\n{help}")
                    .expect("standard error");
            }
        }
        image
    }
}

fn directory() -> PathBuf {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    set(DIRECTORY).unwrap_or_else(|| {
        let home = || set("HOME").unwrap_or_else(|| "/root".into());
        set("XDG_CACHE_HOME").unwrap_or_else(|| home().join(".cache")).join("lazaret/kernels")
    })
}
