//! First step: takes a private copy of what was named, before anything is looked at.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use lazaret_cell::sealed::{CopyError, Sealed};
use rustix::fs::{FileType, Mode, OFlags};
use thiserror::Error;

use crate::trust::MAX_SIGNATURES;

/// Largest plugin or library, in bytes. Far above real ones; keeps a sparse file from filling the memory.
pub const FILE_LIMIT: u64 = 1 << 30;

/// Largest `plugin.json`, in bytes (the trust step has the same limit and the last word).
const MANIFEST_LIMIT: u64 = 256 * 1024;

/// Largest signature file, in bytes.
const SIGNATURE_LIMIT: u64 = 64 * 1024;

/// Most entries of a bundle directory that are looked at.
const ENTRY_LIMIT: usize = 1024;

/// Why a file could not be opened.
#[derive(Debug, Error)]
pub enum OpenError {
    /// The path cannot be read.
    #[error("`{}` cannot be read", shown(path))]
    Read {
        /// The path.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A device, a FIFO, a socket.
    #[error("`{}` is {what}, not a file", shown(path))]
    NotAFile {
        /// The path.
        path: PathBuf,
        /// What it is.
        what: &'static str,
    },
    /// The file is larger than any plugin.
    #[error("`{}` has more than {limit} bytes", shown(path))]
    TooLarge {
        /// The path.
        path: PathBuf,
        /// The limit, in bytes.
        limit: u64,
    },
    /// A directory that is not a bundle.
    #[error("`{}` is a directory without `plugin.json`, so it is no bundle", shown(.0))]
    NotABundle(PathBuf),
    /// A bundle directory must have one shared object.
    #[error("the bundle `{}` has {count} shared objects, not one", shown(path))]
    Objects {
        /// The directory.
        path: PathBuf,
        /// How many there are.
        count: usize,
    },
    /// More entries or signatures than are looked at.
    #[error("the bundle `{}` has too many {what}; {limit} are looked at", shown(path))]
    Crowded {
        /// The directory.
        path: PathBuf,
        /// Of what.
        what: &'static str,
        /// How many are permitted.
        limit: usize,
    },
}

/// A path as messages show it: a file's name is its maker's words.
pub(crate) fn shown(path: &Path) -> String {
    crate::audit::escape(&path.to_string_lossy())
}

impl OpenError {
    /// Stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Read { .. } => "E-OPEN-READ",
            Self::NotAFile { .. } => "E-OPEN-NOT-A-FILE",
            Self::TooLarge { .. } => "E-OPEN-TOO-LARGE",
            Self::NotABundle(_) => "E-OPEN-NOT-A-BUNDLE",
            Self::Objects { .. } => "E-OPEN-OBJECTS",
            Self::Crowded { .. } => "E-OPEN-CROWDED",
        }
    }

    /// What to do about it.
    #[must_use]
    pub const fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Read { .. } => Some("check the path, and that this user may read it"),
            Self::TooLarge { .. } => Some("no plugin is that large; is it the right file?"),
            Self::NotAFile { .. } => Some("give a shared object, or the directory of a bundle"),
            Self::NotABundle(_) => Some("a bundle has `plugin.json`, its signature and one shared object"),
            Self::Objects { .. } => Some("give one shared object, or a bundle with one"),
            Self::Crowded { .. } => Some("take out what does not belong to the bundle"),
        }
    }
}

/// A signature file of a bundle, not yet looked into.
#[derive(Debug)]
pub(crate) struct SignatureBytes {
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
}

/// A plugin as it was found: a sealed copy, and the bytes beside it. Nothing of it has been parsed.
#[derive(Debug)]
pub struct Opened {
    pub(crate) name: OsString,
    pub(crate) plugin: Sealed,
    pub(crate) manifest: Option<Vec<u8>>,
    pub(crate) signatures: Vec<SignatureBytes>,
    /// The bundle's directory, where it is one.
    pub(crate) bundle: Option<PathBuf>,
    /// The directory it lies in, which `$ORIGIN` of a search path stands for.
    pub(crate) directory: Option<PathBuf>,
}

impl Opened {
    /// Opens a shared object or a bundle directory: `plugin.json`, signatures `plugin.json*.sig` as `ssh-keygen -Y sign`
    /// writes them, and one shared object.
    ///
    /// # Errors
    /// [`OpenError`]. A path that changes while it is read gives some copy; what follows works on that copy alone.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        let read = |source| OpenError::Read { path: path.to_owned(), source };
        if fs::metadata(path).map_err(read)?.is_dir() {
            return Self::open_bundle(path);
        }
        let name = path.file_name().unwrap_or(path.as_os_str()).to_owned();
        let plugin = seal(path)?;
        let directory = path
            .parent()
            .and_then(|parent| std::path::absolute(if parent == "" { Path::new(".") } else { parent }).ok());
        Ok(Self { name, plugin, manifest: None, signatures: Vec::new(), bundle: None, directory })
    }

    /// Whether it is a bundle, and not a shared object by itself.
    #[must_use]
    pub fn is_bundle(&self) -> bool {
        self.bundle.is_some()
    }

    fn open_bundle(path: &Path) -> Result<Self, OpenError> {
        let read = |source| OpenError::Read { path: path.to_owned(), source };
        let mut names = Vec::new();
        for entry in fs::read_dir(path).map_err(read)? {
            names.push(entry.map_err(read)?.file_name());
            if names.len() > ENTRY_LIMIT {
                return Err(OpenError::Crowded { path: path.to_owned(), what: "entries", limit: ENTRY_LIMIT });
            }
        }
        // Directories have no order; reports should.
        names.sort();
        if !names.iter().any(|name| name == "plugin.json") {
            return Err(OpenError::NotABundle(path.to_owned()));
        }
        let objects: Vec<&OsString> = names.iter().filter(|name| is_object(name)).collect();
        let [object] = objects[..] else {
            return Err(OpenError::Objects { path: path.to_owned(), count: objects.len() });
        };
        let signature_names: Vec<&OsString> = names.iter().filter(|name| is_signature(name)).collect();
        if signature_names.len() > MAX_SIGNATURES {
            return Err(OpenError::Crowded { path: path.to_owned(), what: "signatures", limit: MAX_SIGNATURES });
        }
        let signature = |name: &&OsString| {
            let bytes = small(&path.join(name), SIGNATURE_LIMIT)?;
            Ok(SignatureBytes { name: name.to_string_lossy().into_owned(), bytes })
        };
        Ok(Self {
            name: object.clone(),
            plugin: seal(&path.join(object))?,
            manifest: Some(small(&path.join("plugin.json"), MANIFEST_LIMIT)?),
            signatures: signature_names.iter().map(signature).collect::<Result<_, _>>()?,
            bundle: Some(fs::canonicalize(path).map_err(read)?),
            directory: fs::canonicalize(path).ok(),
        })
    }
}

/// `demo.so`, `libz.so.1.2.13`.
fn is_object(name: &OsStr) -> bool {
    let bytes = name.as_bytes();
    bytes.ends_with(b".so") || bytes.windows(4).any(|window| window == b".so.")
}

fn is_signature(name: &OsStr) -> bool {
    name.as_bytes().starts_with(b"plugin.json") && name.as_bytes().ends_with(b".sig")
}

/// Opens a regular file without waiting for whoever might write a FIFO.
fn regular(path: &Path) -> Result<File, OpenError> {
    let read = |errno: rustix::io::Errno| OpenError::Read { path: path.to_owned(), source: errno.into() };
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
    // Opening a device can have effects of its own, so look before; and look again at what was opened.
    let kind = FileType::from_raw_mode(rustix::fs::stat(path).map_err(read)?.st_mode);
    let refuse = |kind| match kind {
        FileType::RegularFile => Ok(()),
        other => Err(OpenError::NotAFile { path: path.to_owned(), what: name_of(other) }),
    };
    refuse(kind)?;
    let fd = rustix::fs::open(path, flags, Mode::empty()).map_err(read)?;
    refuse(FileType::from_raw_mode(rustix::fs::fstat(&fd).map_err(read)?.st_mode))?;
    Ok(File::from(fd))
}

fn name_of(kind: FileType) -> &'static str {
    match kind {
        FileType::Directory => "a directory",
        FileType::Fifo => "a FIFO",
        FileType::Socket => "a socket",
        FileType::CharacterDevice | FileType::BlockDevice => "a device",
        FileType::Symlink => "a symbolic link",
        FileType::RegularFile | FileType::Unknown => "something else",
    }
}

/// A sealed copy of a file.
pub(crate) fn seal(path: &Path) -> Result<Sealed, OpenError> {
    let file = regular(path)?;
    Sealed::copy_of(&file, FILE_LIMIT).map_err(|error| match error {
        CopyError::TooLarge => OpenError::TooLarge { path: path.to_owned(), limit: FILE_LIMIT },
        CopyError::Io(source) => OpenError::Read { path: path.to_owned(), source },
    })
}

/// The first bytes of a file, zeros where it ends before.
pub(crate) fn head<const N: usize>(path: &Path) -> Result<[u8; N], OpenError> {
    let mut bytes = Vec::with_capacity(N);
    let read = regular(path)?.take(N as u64).read_to_end(&mut bytes);
    read.map_err(|source| OpenError::Read { path: path.to_owned(), source })?;
    bytes.resize(N, 0);
    Ok(std::array::from_fn(|at| bytes.get(at).copied().unwrap_or_default()))
}

/// The bytes of a small file.
pub(crate) fn small(path: &Path, limit: u64) -> Result<Vec<u8>, OpenError> {
    let mut bytes = Vec::new();
    let read = regular(path)?.take(limit + 1).read_to_end(&mut bytes);
    let read = read.map_err(|source| OpenError::Read { path: path.to_owned(), source })?;
    if read as u64 > limit {
        return Err(OpenError::TooLarge { path: path.to_owned(), limit });
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versioned_names_are_objects_and_others_are_not() {
        for name in ["a.so", "libz.so.1.2.13"] {
            assert!(is_object(OsStr::new(name)), "{name}");
        }
        for name in ["plugin.json", "so", "a.sock", "a.so-old"] {
            assert!(!is_object(OsStr::new(name)), "{name}");
        }
    }

    #[test]
    fn a_device_is_not_opened() {
        let error = Opened::open(Path::new("/dev/zero")).expect_err("device");
        assert_eq!(error.code(), "E-OPEN-NOT-A-FILE");
    }
}
