//! Decides which file a `DT_NEEDED` name stands for: the one that ld.so(8) of glibc, or the loader of musl, would take
//! (glibc `elf/dl-load.c`, `elf/dl-cache.c`; musl `ldso/dynlink.c`). `LD_LIBRARY_PATH` is not looked at: a cell has none.
//!
//! What is found here is sealed, audited and mapped, so a file that a loader would have tried and that is missing here is
//! never mapped instead. Left out for that reason: `legacy hwcaps` subdirectories of glibc before 2.37.

mod cache;

use std::collections::BTreeSet;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Component, Path, PathBuf};

use lazaret_policy::Arch;
use schemars::JsonSchema;
use serde::Serialize;

use crate::audit::Object;
use crate::open::{self, OpenError};
use crate::trust::Libc;

/// Where libraries are looked for, in order: the directories that `ldconfig` of Debian and of Void knows without being
/// told.
#[cfg(target_arch = "x86_64")]
pub(crate) const LIBRARY_DIRECTORIES: [&str; 6] =
    ["/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/lib64", "/usr/lib64", "/lib", "/usr/lib"];
/// Where libraries are looked for, in order.
#[cfg(target_arch = "aarch64")]
pub(crate) const LIBRARY_DIRECTORIES: [&str; 6] =
    ["/lib/aarch64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/lib64", "/usr/lib64", "/lib", "/usr/lib"];

/// The file in which glibc keeps where libraries are.
pub(crate) const CACHE: &str = "/etc/ld.so.cache";
/// Where musl looks if no file says otherwise.
const MUSL_DIRECTORIES: &str = "/lib:/usr/local/lib:/usr/lib";
/// Largest path file of musl that is read, in bytes.
const PATH_FILE_LIMIT: u64 = 64 * 1024;
/// Most directories of one search path that are looked at: a string of a file can name millions.
const DIRECTORY_LIMIT: usize = 64;
/// Names that musl takes for itself when they begin with `lib` and end here.
const MUSL_SELF: [&str; 7] = ["c.", "pthread.", "rt.", "m.", "dl.", "util.", "xnet."];

/// What led to a library.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, JsonSchema, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FoundBy {
    /// `DT_RPATH` of what needs it, or of what needs that.
    Rpath,
    /// `DT_RUNPATH` of what needs it; on musl also of what needs that.
    Runpath,
    /// `/etc/ld.so.cache`.
    Cache,
    /// The directories in musl's path file.
    PathFile,
    /// A directory that the loader knows by itself.
    Default,
}

/// A file that a name stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) path: PathBuf,
    pub(crate) by: FoundBy,
}

/// What an object says about where its dependencies are.
#[derive(Clone, Debug, Default)]
pub(crate) struct Requester {
    /// The directory it lies in, `$ORIGIN`; unknown for a file that has no place.
    pub(crate) origin: Option<PathBuf>,
    pub(crate) rpath: Option<String>,
    pub(crate) runpath: Option<String>,
    /// `DF_1_NODEFLIB`: neither the default directories nor what the cache has from them.
    pub(crate) no_default: bool,
}

impl Requester {
    pub(crate) fn of(object: &Object, origin: Option<PathBuf>) -> Self {
        const DF_1_NODEFLIB: u64 = 0x800;
        Self {
            origin,
            rpath: object.rpath().map(str::to_owned),
            runpath: object.runpath().map(str::to_owned),
            no_default: object.flags_1() & DF_1_NODEFLIB != 0,
        }
    }
}

/// Where a machine keeps libraries, for one C library.
#[derive(Clone, Debug)]
pub(crate) struct Machine {
    libc: Libc,
    arch: Arch,
    cache: Vec<cache::Entry>,
    /// The default directories, or musl's.
    directories: Vec<PathBuf>,
    /// Whether a path file named them.
    path_file: bool,
    /// Names of subdirectories of `glibc-hwcaps` that this processor has use for, the best first.
    levels: Vec<&'static str>,
    /// The loader of musl, which is its C library as well.
    musl: PathBuf,
}

impl Machine {
    /// This machine as it is now.
    pub(crate) fn of(libc: Libc) -> Self {
        let musl = PathBuf::from(format!("/lib/ld-musl-{}.so.1", arch_name(Arch::NATIVE)));
        match libc {
            Libc::Glibc => Self {
                libc,
                arch: Arch::NATIVE,
                cache: open::small(Path::new(CACHE), cache::CACHE_LIMIT)
                    .map(|bytes| cache::read(&bytes, Arch::NATIVE))
                    .unwrap_or_default(),
                directories: LIBRARY_DIRECTORIES.map(PathBuf::from).to_vec(),
                path_file: false,
                levels: levels(),
                musl,
            },
            Libc::Musl => Self::musl(musl),
        }
    }

    /// For a loader of musl at some path: its path file is in `etc` beside the directory that it lies in.
    fn musl(loader: PathBuf) -> Self {
        let arch = Arch::NATIVE;
        let root = loader.parent().and_then(Path::parent).unwrap_or(Path::new("/"));
        let file = open::small(&root.join(format!("etc/ld-musl-{}.path", arch_name(arch))), PATH_FILE_LIMIT).ok();
        let text = file.as_deref().and_then(|bytes| std::str::from_utf8(bytes).ok());
        let directories = text.unwrap_or(MUSL_DIRECTORIES).split([':', '\n']).filter(|part| part.starts_with('/'));
        Self {
            libc: Libc::Musl,
            arch,
            cache: Vec::new(),
            directories: directories.take(DIRECTORY_LIMIT).map(PathBuf::from).collect(),
            path_file: text.is_some(),
            levels: Vec::new(),
            musl: loader,
        }
    }

    /// Every file that the loader would try for a name, in order. `chain` begins with who needs it, and goes on with who
    /// needs that, up to the plugin.
    pub(crate) fn candidates(&self, name: &str, chain: &[&Requester]) -> Vec<Found> {
        // A name that is a path would lead anywhere; the audit refuses such a `DT_NEEDED`, but a `DT_SONAME` may say anything.
        if name.contains('/') || matches!(name, "" | "." | "..") {
            return Vec::new();
        }
        match self.libc {
            Libc::Glibc => self.of_glibc(name, chain),
            Libc::Musl => self.of_musl(name, chain),
        }
    }

    fn of_glibc(&self, name: &str, chain: &[&Requester]) -> Vec<Found> {
        let in_directory = |directory: &Path, by| -> Vec<Found> {
            let levels = self.levels.iter().map(|level| directory.join("glibc-hwcaps").join(level).join(name));
            levels.chain([directory.join(name)]).map(|path| Found { path, by }).collect()
        };
        let mut found = Vec::new();
        let (runpath, no_default) =
            chain.first().map_or((None, false), |first| (first.runpath.as_deref(), first.no_default));
        if runpath.is_none() {
            for ancestor in chain.iter().filter(|ancestor| ancestor.runpath.is_none()) {
                let directories = self.expanded(ancestor.rpath.as_deref(), ancestor);
                found.extend(directories.iter().flat_map(|path| in_directory(path, FoundBy::Rpath)));
            }
        }
        if let Some(first) = chain.first() {
            let directories = self.expanded(runpath, first);
            found.extend(directories.iter().flat_map(|path| in_directory(path, FoundBy::Runpath)));
        }
        let is_default = |path: &Path| self.directories.iter().any(|directory| path.starts_with(directory));
        let cached = self.cached(name).filter(|path| !(no_default && is_default(path)));
        found.extend(cached.map(|path| Found { path: path.to_owned(), by: FoundBy::Cache }));
        if !no_default {
            found.extend(self.directories.iter().flat_map(|path| in_directory(path, FoundBy::Default)));
        }
        found
    }

    /// The best entry of the cache for this processor.
    fn cached(&self, name: &str) -> Option<&Path> {
        let rank = |entry: &cache::Entry| match &entry.level {
            None => Some(self.levels.len()),
            Some(level) => self.levels.iter().position(|known| known == level),
        };
        let same = self.cache.iter().filter(|entry| entry.name == name);
        // Of equals the first, as the loader does.
        same.filter_map(|entry| Some((rank(entry)?, entry)))
            .min_by_key(|(rank, _)| *rank)
            .map(|(_, e)| e.path.as_path())
    }

    fn of_musl(&self, name: &str, chain: &[&Requester]) -> Vec<Found> {
        let own = name.strip_prefix("lib").is_some_and(|rest| MUSL_SELF.iter().any(|own| rest.starts_with(own)));
        let file_name = self.musl.file_name().and_then(|name| name.to_str());
        // Distributions call it by a name of their own too (`libc.musl-x86_64.so.1`), which begins with `libc.`.
        if own || Some(name) == file_name {
            return vec![Found { path: self.musl.clone(), by: FoundBy::Default }];
        }
        let mut found = Vec::new();
        for ancestor in chain {
            let (path, by) = match &ancestor.runpath {
                Some(path) => (Some(path.as_str()), FoundBy::Runpath),
                None => (ancestor.rpath.as_deref(), FoundBy::Rpath),
            };
            found.extend(self.expanded(path, ancestor).into_iter().map(|path| Found { path: path.join(name), by }));
        }
        let by = if self.path_file { FoundBy::PathFile } else { FoundBy::Default };
        found.extend(self.directories.iter().map(|path| Found { path: path.join(name), by }));
        found
    }

    /// The directories of a search path. Relative ones are left out: they depend on where a process stands, and a cell
    /// stands elsewhere than its host.
    fn expanded(&self, path: Option<&str>, requester: &Requester) -> Vec<PathBuf> {
        let Some(path) = path else { return Vec::new() };
        let separators: &[char] = if self.libc == Libc::Musl { &[':', '\n'] } else { &[':'] };
        let all = path.split(separators).take(DIRECTORY_LIMIT);
        let all: Option<Vec<_>> = match self.libc {
            Libc::Glibc => Some(all.filter_map(|part| self.token(part, requester)).collect()),
            // One token that it does not know, and musl ignores the whole path.
            Libc::Musl => all.map(|part| self.token(part, requester)).collect(),
        };
        all.unwrap_or_default().into_iter().map(PathBuf::from).filter(|path| path.is_absolute()).collect()
    }

    /// A directory with its dynamic string tokens replaced (ld.so(8)); `None` where one has no value.
    fn token(&self, part: &str, requester: &Requester) -> Option<String> {
        let mut out = String::new();
        let mut rest = part;
        while let Some((before, after)) = rest.split_once('$') {
            out.push_str(before);
            let known =
                [("ORIGIN", true), ("LIB", false), ("PLATFORM", false)].into_iter().find_map(|(token, both)| {
                    if !both && self.libc == Libc::Musl {
                        return None;
                    }
                    let braced = after.strip_prefix('{').and_then(|rest| rest.strip_prefix(token)?.strip_prefix('}'));
                    let plain = || {
                        let rest = after.strip_prefix(token)?;
                        let ends = !rest.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
                        (ends || self.libc == Libc::Musl).then_some(rest)
                    };
                    Some((token, braced.or_else(plain)?))
                });
            match known {
                Some(("ORIGIN", after)) => {
                    out.push_str(requester.origin.as_deref()?.to_str()?);
                    rest = after;
                }
                Some(("LIB", after)) => {
                    out.push_str(self.lib());
                    rest = after;
                }
                Some((_, after)) => {
                    out.push_str(arch_name(self.arch));
                    rest = after;
                }
                None if self.libc == Libc::Musl => return None,
                None => {
                    out.push('$');
                    rest = after;
                }
            }
        }
        out.push_str(rest);
        Some(out)
    }

    /// What `$LIB` stands for, which is built into a loader: where its C library is.
    fn lib(&self) -> &str {
        let has = |directory: &&PathBuf| directory.join("libc.so.6").exists();
        let directory = self.directories.iter().find(has).and_then(|path| path.to_str()).unwrap_or("/lib");
        directory.strip_prefix("/usr/").or_else(|| directory.strip_prefix('/')).unwrap_or(directory)
    }

    /// The file that the loader would take.
    pub(crate) fn find(&self, name: &str, chain: &[&Requester]) -> Option<Found> {
        self.candidates(name, chain).into_iter().find(|candidate| self.takes(&candidate.path))
    }

    /// Whether a loader stops at a file, to map it or to fail with it. glibc goes on behind files of another class or
    /// processor, and musl behind none.
    fn takes(&self, path: &Path) -> bool {
        match open::head::<20>(path) {
            Ok(head) => {
                let elf = head.starts_with(b"\x7fELF");
                let fits = head.get(4) == Some(&2) && head.get(18..20) == Some(&machine(self.arch).to_le_bytes()[..]);
                // Another order of bytes is an error of glibc's, not a reason to go on.
                !elf || fits || self.libc == Libc::Musl || head.get(5) != Some(&1)
            }
            Err(OpenError::Read { source, .. }) => !matches!(
                source.kind(),
                ErrorKind::NotFound
                    | ErrorKind::NotADirectory
                    | ErrorKind::PermissionDenied
                    | ErrorKind::InvalidFilename
            ),
            Err(_) => true,
        }
    }

    /// Where a file is that the machine answers for, wherever a search path led: it lies beneath the directories in which
    /// the machine keeps libraries, and nobody but root can change it or what leads to it. That is the path to read: a link
    /// in somebody's directory can lead elsewhere by then.
    pub(crate) fn answers_for(&self, path: &Path) -> Option<PathBuf> {
        let path = fs::canonicalize(path).ok()?;
        let cached = self.cache.iter().filter_map(|entry| entry.path.parent());
        let known: BTreeSet<&Path> = self.directories.iter().map(PathBuf::as_path).chain(cached).collect();
        let beneath = known.into_iter().filter_map(|known| fs::canonicalize(known).ok());
        let answers = beneath.into_iter().any(|known| path.starts_with(known)) && owners(&path, &[0]).is_ok();
        answers.then_some(path)
    }

    /// What is wrong with the directories of an object's search path: each with the reason.
    pub(crate) fn complaints(&self, requester: &Requester) -> Vec<(String, &'static str)> {
        let paths = [&requester.rpath, &requester.runpath].into_iter().flatten();
        let parts = paths.flat_map(|path| path.split(':').take(DIRECTORY_LIMIT));
        let own = [0, rustix::process::geteuid().as_raw()];
        parts
            .filter_map(|part| {
                let directory = self.token(part, requester)?;
                let directory = Path::new(&directory);
                let why = if directory.is_relative() {
                    "is relative, so it depends on where a process stands"
                } else {
                    owners(directory, &own).err()?
                };
                Some((part.to_owned(), why))
            })
            .collect()
    }
}

/// Whether nobody else than some users can put another file in the place of a path: every existing part of it is theirs,
/// and of what does not exist the place where it would be made.
fn owners(path: &Path, users: &[u32]) -> Result<(), &'static str> {
    const STICKY: u32 = 0o1000;
    let mut so_far = PathBuf::new();
    let mut shared = false;
    for component in path.components() {
        if component == Component::ParentDir {
            // A link before it would lead elsewhere than the text says.
            so_far = fs::canonicalize(&so_far).unwrap_or(so_far);
        }
        so_far.push(component);
        match fs::metadata(&so_far) {
            Ok(meta) => {
                let (mode, directory) = (meta.mode(), meta.is_dir());
                if !users.contains(&meta.uid()) {
                    return Err("belongs to a user who is neither root nor this one");
                }
                shared = mode & 0o022 != 0;
                // In a sticky directory others can add files, and leave alone what is there.
                if shared && !(directory && mode & STICKY != 0) {
                    return Err("can be changed by others");
                }
            }
            Err(_) if shared => return Err("is not there, and others can make it"),
            Err(_) => return Ok(()),
        }
    }
    // The last directory is where files would be put.
    if shared { Err("can be filled by others") } else { Ok(()) }
}

/// Which C library an object is made for, by what it needs; `None` where it needs none.
pub(crate) fn libc_of(object: &Object) -> Option<Libc> {
    object.needed().find_map(|name| {
        if name == "libc.so.6" || name.starts_with("ld-linux") {
            Some(Libc::Glibc)
        } else if name == "libc.so" || name.starts_with("libc.musl-") || name.starts_with("ld-musl-") {
            Some(Libc::Musl)
        } else {
            None
        }
    })
}

fn arch_name(arch: Arch) -> &'static str {
    match arch {
        Arch::X86_64 => "x86_64",
        Arch::Aarch64 => "aarch64",
    }
}

/// `EM_X86_64`, `EM_AARCH64`.
fn machine(arch: Arch) -> u16 {
    match arch {
        Arch::X86_64 => 62,
        Arch::Aarch64 => 183,
    }
}

/// The levels of the psABI that this processor has, the best first (glibc `sysdeps/x86_64/dl-hwcaps-subdirs.c`).
#[cfg(target_arch = "x86_64")]
fn levels() -> Vec<&'static str> {
    use std::is_x86_feature_detected as has;
    let v2 = has!("cmpxchg16b") && has!("popcnt") && has!("sse3") && has!("sse4.1") && has!("sse4.2") && has!("ssse3");
    let v3 = v2 && has!("avx2") && has!("bmi1") && has!("bmi2") && has!("f16c") && has!("fma") && has!("lzcnt");
    let v3 = v3 && has!("movbe");
    let v4 = v3 && has!("avx512f") && has!("avx512bw") && has!("avx512cd") && has!("avx512dq") && has!("avx512vl");
    [(v4, "x86-64-v4"), (v3, "x86-64-v3"), (v2, "x86-64-v2")]
        .into_iter()
        .filter_map(|(has, level)| has.then_some(level))
        .collect()
}

/// glibc knows no levels of this processor.
#[cfg(target_arch = "aarch64")]
fn levels() -> Vec<&'static str> {
    Vec::new()
}

#[cfg(test)]
mod tests;
