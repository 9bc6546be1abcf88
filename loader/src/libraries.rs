//! The shared libraries of this machine, as one host sees them: sealed, hashed and read once, and again when a file changed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use lazaret_cell::sealed::Sealed;
use lazaret_policy::{Arch, Digest};

use crate::audit::{self, Finding, Object};
use crate::cell::CellError;
use crate::closure::find;
use crate::error::Error;
use crate::open::{self, OpenError};
use crate::plan::NamedLibraries;
use crate::search::{CACHE, Machine};
use crate::trust::Libc;
use crate::verify::digest_of;

/// Libraries that so many plugins need that cells are forked with them mapped: mapping the C++ library takes longer than
/// everything else of a load. No others: their initialisers run before there is a plan to confine them.
const USUAL: [&str; 3] = ["libm.so.6", "libgcc_s.so.1", "libstdc++.so.6"];

/// A library: the sealed copy that is mapped, and what was read of exactly these bytes.
#[derive(Debug)]
pub(crate) struct Library {
    pub(crate) sealed: Sealed,
    /// What it is, or why the audit cannot say.
    pub(crate) object: Result<Object, Vec<Finding>>,
    digest: OnceLock<Digest>,
}

impl Library {
    /// SHA-256 of the sealed copy.
    pub(crate) fn digest(&self) -> Digest {
        *self.digest.get_or_init(|| digest_of(&self.sealed))
    }
}

/// What tells whether a file is still the one that was copied.
#[derive(Debug, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    fn of(path: &Path) -> io::Result<Self> {
        let file = fs::metadata(path)?;
        Ok(Self {
            device: file.dev(),
            inode: file.ino(),
            size: file.size(),
            modified: (file.mtime(), file.mtime_nsec()),
            changed: (file.ctime(), file.ctime_nsec()),
        })
    }
}

/// The machine's libraries. Those that the cell program itself has mapped are *resident*: mapping them twice would give a
/// process two C libraries.
#[derive(Debug, Default)]
pub struct Libraries {
    resident: BTreeSet<String>,
    read: Mutex<BTreeMap<PathBuf, (Stamp, Arc<Library>)>>,
    /// Where libraries are, as of a state of the loader's cache.
    directories: Mutex<Option<(Option<Stamp>, Arc<Machine>)>>,
}

impl Libraries {
    /// With what the cell program and its libraries need.
    pub(crate) fn of_cells(program: &Path) -> Result<Self, Error> {
        let start = |source| CellError::Start { program: open::shown(program), source };
        let bytes = fs::read(program).map_err(start)?;
        let elf = goblin::elf::Elf::parse(&bytes).map_err(|error| start(io::Error::other(error)))?;
        let mut libraries = Self::default();
        let mut next: Vec<String> = elf.libraries.iter().map(|name| (*name).to_owned()).collect();
        while let Some(name) = next.pop() {
            let found = find(&name, &libraries);
            if let Some(path) = found.filter(|_| !libraries.resident.contains(&name)) {
                let library = libraries.library(&path)?;
                if let Ok(object) = &library.object {
                    next.extend(object.needed().map(str::to_owned));
                }
            }
            libraries.resident.insert(name);
        }
        Ok(libraries)
    }

    /// Everything that some names lead to, each library after those that it needs itself. The dynamic loader is left out: it
    /// is there.
    pub(crate) fn closure(&self, names: &mut dyn Iterator<Item = &str>) -> Result<NamedLibraries, OpenError> {
        let mut found = Vec::new();
        let mut seen = BTreeSet::new();
        for name in names {
            self.add(name, &mut seen, &mut found)?;
        }
        Ok(found)
    }

    fn add(&self, name: &str, seen: &mut BTreeSet<String>, found: &mut NamedLibraries) -> Result<(), OpenError> {
        if name.starts_with("ld-") || !seen.insert(name.to_owned()) {
            return Ok(());
        }
        let missing = || OpenError::Read { path: name.into(), source: io::ErrorKind::NotFound.into() };
        let library = self.library(&find(name, self).ok_or_else(missing)?)?;
        if let Ok(object) = &library.object {
            // As deep as libraries need each other, which is bounded by how many there are: each is seen once.
            for needed in object.needed() {
                self.add(needed, seen, found)?;
            }
        }
        found.push((name.to_owned(), library));
        Ok(())
    }

    /// Where libraries for a C library are. What glibc's cache says is read again when that changed.
    pub(crate) fn directories(&self, libc: Libc) -> Arc<Machine> {
        if libc == Libc::Musl {
            return Arc::new(Machine::of(libc));
        }
        // Before the look, as with libraries.
        let stamp = Stamp::of(Path::new(CACHE)).ok();
        let mut known = self.directories.lock().unwrap_or_else(PoisonError::into_inner);
        match &*known {
            Some((then, machine)) if *then == stamp => Arc::clone(machine),
            _ => {
                let machine = Arc::new(Machine::of(libc));
                *known = Some((stamp, Arc::clone(&machine)));
                machine
            }
        }
    }

    /// The names of what the cell program has mapped; empty for an audit without a host.
    pub(crate) fn residents(&self) -> &BTreeSet<String> {
        &self.resident
    }

    pub(crate) fn is_resident(&self, name: &str) -> bool {
        self.resident.contains(name)
    }

    /// Whether a library belongs into the process that cells are forked from: one of the usual ones that needs nothing which
    /// is not there.
    pub(crate) fn is_usual(&self, name: &str, library: &Library) -> bool {
        let there = |name: &str| self.is_resident(name) || USUAL.contains(&name);
        USUAL.contains(&name)
            && library.object.as_ref().is_ok_and(|object| object.needed().all(there))
            && self.is_of_the_machine(name, library)
    }

    /// Whether a library is another than the machine's of one of the usual names: a policy pins one that lies beside a
    /// plugin. Its initialisers are not to run where cells come from, and a process that has the machine's would bind to that.
    pub(crate) fn replaces_usual(&self, name: &str, library: &Library) -> bool {
        USUAL.contains(&name) && !self.is_of_the_machine(name, library)
    }

    /// The machine's library of a name.
    pub(crate) fn installed(&self, name: &str) -> Option<Arc<Library>> {
        self.library(&find(name, self)?).ok()
    }

    fn is_of_the_machine(&self, name: &str, library: &Library) -> bool {
        self.installed(name)
            .is_some_and(|own| std::ptr::eq(&raw const *own, library) || own.digest() == library.digest())
    }

    /// A library as it is now.
    pub(crate) fn library(&self, path: &Path) -> Result<Arc<Library>, OpenError> {
        let unreadable = |source| OpenError::Read { path: path.to_owned(), source };
        // Before the copy: a change meanwhile makes the next look differ.
        let stamp = Stamp::of(path).map_err(unreadable)?;
        let known = |read: &BTreeMap<PathBuf, (Stamp, Arc<Library>)>| {
            read.get(path).filter(|(then, _)| *then == stamp).map(|(_, library)| Arc::clone(library))
        };
        if let Some(library) = known(&self.read.lock().unwrap_or_else(PoisonError::into_inner)) {
            return Ok(library);
        }
        let sealed = open::seal(path)?;
        let object = audit::read(sealed.bytes(), Arch::NATIVE);
        let library = Arc::new(Library { sealed, object, digest: OnceLock::new() });
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        // Whoever else read it meanwhile was first: there is one copy of one file.
        if let Some(library) = known(&read) {
            return Ok(library);
        }
        read.insert(path.to_owned(), (stamp, Arc::clone(&library)));
        Ok(library)
    }
}
