//! The manifest, `plugin.json`: decides what a publisher may say of a plugin, and whether a file is one that it speaks
//! of. JSON under the rules of [`super::json`], signed as raw bytes and never written again.
//!
//! ```json
//! {"_type": "https://lazaret/plugin/v1", "name": "acme/demo", "version": "1.2.3", "epoch": 1, "serial": 7,
//!  "created": "2026-11-22T00:00:00Z", "publisher": "acme",
//!  "targets": [{"arch": "x86_64", "os": "linux", "libc": "glibc",
//!               "files": [{"role": "elf", "path": "demo.so", "size": 2105280, "sha256": "…"}]}]}
//! ```
//!
//! The only way in takes [`Admitted`] bytes: those that enough keys of one publisher signed, or those of a policy that
//! accepts the file without a signature.

use std::collections::BTreeSet;
use std::ffi::OsStr;

use lazaret_policy::{Arch, Digest};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::json::{self, Record, StrictObject, Unreadable, present, words};
use super::signatures::Admitted;
use super::text::{FileName, Hex, HexText, Label, NotAllowed, PluginName, Release, Text, Timestamp, Version};

/// The longest manifest that is hashed or read.
pub(super) const MAX_BYTES: usize = 256 * 1024;
/// The most targets, and files per target.
const MAX_RECORDS: usize = 256;

/// Why a manifest cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// Longer than 256 KiB.
    #[error("`plugin.json` has {0} bytes; at most {MAX_BYTES} are read")]
    TooLarge(usize),
    /// Not a record of this type.
    #[error("`plugin.json` is not a valid record")]
    Json(#[source] Unreadable),
    /// No target, no file in a target, or more than are compared.
    #[error("`plugin.json` has a list of {found} {what}; 1 to {MAX_RECORDS} are accepted")]
    Count {
        /// Which list.
        what: &'static str,
        /// Its length.
        found: usize,
    },
    /// Two targets for the same machine: which one holds would depend on the reader.
    #[error("`plugin.json` has two targets for `{0}`")]
    TargetTwice(String),
    /// One path twice in a target.
    #[error("`plugin.json` lists the file `{0}` twice in one target")]
    FileTwice(FileName),
    /// A target without a plugin.
    #[error("`plugin.json` has a target for `{0}` that lists no file of the role `elf`")]
    NoPlugin(String),
}

impl ManifestError {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::TooLarge(_) => "E-MANIFEST-SIZE",
            Self::Json(_) => "E-MANIFEST-FORMAT",
            Self::Count { .. } | Self::NoPlugin(_) => "E-MANIFEST-CONTENT",
            Self::TargetTwice(_) | Self::FileTwice(_) => "E-MANIFEST-DUPLICATE",
        }
    }
}

/// What a bundle says of its plugin. Whether anybody vouches for it is the verdict's to say.
#[derive(Debug)]
#[non_exhaustive]
pub struct Manifest {
    /// The plugin.
    pub name: PluginName,
    /// Its version, for people.
    pub version: Version,
    /// Raised by a trust document only; a new epoch begins serials anew.
    pub epoch: u64,
    /// Release counter: a lower one within an epoch is a rollback.
    pub serial: u64,
    /// When the publisher says it was made. Moves no clock.
    pub created: Timestamp,
    /// Who says so.
    pub publisher: Label,
    /// What its functions look like.
    pub abi: Option<Abi>,
    /// One per machine and libc, at least one.
    pub targets: Vec<Target>,
    /// The bill of materials.
    pub sbom: Option<Sbom>,
    /// What the plugin asks for, in the language of policies: can take away from a policy, never add to it.
    pub requests: Option<Map<String, Value>>,
    /// Releases this one replaces.
    pub supersedes: Vec<Supersedes>,
}

/// The interface that a plugin implements.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Abi {
    /// Its name.
    pub name: Label,
    /// Its version.
    pub version: u32,
    /// The symbol to begin with.
    pub entry: Text<255>,
}

/// The files for one kind of machine.
#[derive(Debug)]
#[non_exhaustive]
pub struct Target {
    /// Processor architecture.
    pub arch: Arch,
    /// Operating system.
    pub os: Os,
    /// Which C library.
    pub libc: Libc,
    /// The oldest release of it.
    pub libc_min: Option<Release>,
    /// The oldest kernel.
    pub kernel_min: Option<Release>,
    /// Processor level, such as `x86-64-v2`.
    pub cpu: Option<Label>,
    /// At least one, with different paths, at least one of the role `elf`.
    pub files: Vec<File>,
}

/// One file.
#[derive(Debug)]
#[non_exhaustive]
pub struct File {
    /// What it is for.
    pub role: Role,
    /// Its name in the bundle.
    pub path: FileName,
    /// Its size in bytes.
    pub size: u64,
    /// Its SHA-256.
    pub sha256: Digest,
    /// Its fs-verity digest, for kernels that have it.
    pub fsverity_sha256: Option<Digest>,
    /// Its build id.
    pub build_id: Option<HexText>,
    /// Its `DT_SONAME`.
    pub soname: Option<Text<255>>,
    /// Its `DT_NEEDED`, in order.
    pub needed: Option<Vec<Text<255>>>,
    /// Symbols it defines.
    pub exports: Option<Vec<Text<4096>>>,
}

/// A bill of materials, by content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Sbom {
    /// Its SHA-256.
    pub sha256: Digest,
    /// Its size in bytes.
    pub size: u64,
}

/// Releases that a release replaces, written `acme/demo<1.2.0`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
#[non_exhaustive]
pub struct Supersedes {
    /// Which plugin.
    pub plugin: PluginName,
    /// Every version before this one.
    pub before: Version,
}

impl TryFrom<String> for Supersedes {
    type Error = NotAllowed;

    fn try_from(text: String) -> Result<Self, NotAllowed> {
        let parts = text.split_once('<').and_then(|(plugin, before)| {
            let plugin = PluginName::try_from(plugin.to_owned()).ok()?;
            Some(Self { plugin, before: Version::try_from(before.to_owned()).ok()? })
        });
        parts.ok_or_else(|| NotAllowed::new("superseded release", &text, "`publisher/name<version`"))
    }
}

words!(
    /// The C library a plugin was built for. An object of one does not load with the other.
    pub Libc, "libc",
    /// The GNU C library.
    Glibc = "glibc",
    /// musl.
    Musl = "musl",
);
words!(
    /// Operating systems.
    pub Os, "operating system",
    /// Linux.
    Linux = "linux",
);
words!(
    /// What a file of a bundle is for.
    pub Role, "role of a file",
    /// An ELF object that can be loaded.
    Elf = "elf",
    /// Data that the plugin reads.
    Asset = "asset",
);
words!(
    /// What `_type` says.
    ManifestType, "type of manifest",
    /// The first and only one.
    V1 = "https://lazaret/plugin/v1",
);
words!(
    /// As a manifest writes it.
    WrittenArch, "architecture",
    /// See [`Arch`].
    X86_64 = "x86_64",
    /// See [`Arch`].
    Aarch64 = "aarch64",
);

impl Manifest {
    /// Reads what may be read.
    pub(super) fn parse(bytes: Admitted<'_>) -> Result<Self, ManifestError> {
        let bytes = bytes.bytes();
        if bytes.len() > MAX_BYTES {
            return Err(ManifestError::TooLarge(bytes.len()));
        }
        let written: Written = json::parse(bytes).map_err(ManifestError::Json)?;
        let ManifestType::V1 = written.kind;
        counted("targets", written.targets.len())?;
        let targets = written.targets.into_iter().map(|target| target.0.resolve()).collect::<Result<Vec<_>, _>>()?;
        let mut machines = BTreeSet::new();
        if let Some(twice) = targets.iter().find(|target| !machines.insert((target.arch, target.libc, &target.cpu))) {
            return Err(ManifestError::TargetTwice(twice.machine()));
        }
        Ok(Self {
            name: written.name,
            version: written.version,
            epoch: written.epoch,
            serial: written.serial,
            created: written.created,
            publisher: written.publisher,
            abi: written.abi.map(|abi| abi.0),
            targets,
            sbom: written.sbom.map(|Record(sbom)| Sbom { sha256: sbom.sha256.0, size: sbom.size }),
            requests: written.requests.map(|requests| requests.0),
            supersedes: written.supersedes.unwrap_or_default(),
        })
    }

    /// The targets for a machine; more than one where they differ in processor level.
    pub fn targets_for(&self, arch: Arch, libc: Libc) -> impl Iterator<Item = &Target> {
        self.targets.iter().filter(move |target| (target.arch, target.os, target.libc) == (arch, Os::Linux, libc))
    }
}

impl Target {
    /// The loadable object of this name.
    #[must_use]
    pub fn plugin(&self, name: &OsStr) -> Option<&File> {
        self.files.iter().find(|file| file.role == Role::Elf && OsStr::new(file.path.as_str()) == name)
    }

    fn machine(&self) -> String {
        let arch = match self.arch {
            Arch::X86_64 => WrittenArch::X86_64,
            Arch::Aarch64 => WrittenArch::Aarch64,
        };
        let cpu = self.cpu.as_ref().map_or(String::new(), |cpu| format!("-{cpu}"));
        format!("{arch}-{}-{}{cpu}", self.os, self.libc)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(rename = "_type")]
    kind: ManifestType,
    name: PluginName,
    version: Version,
    epoch: u64,
    serial: u64,
    created: Timestamp,
    publisher: Label,
    #[serde(default, deserialize_with = "present")]
    abi: Option<Record<Abi>>,
    targets: Vec<Record<WrittenTarget>>,
    #[serde(default, deserialize_with = "present")]
    sbom: Option<Record<WrittenSbom>>,
    #[serde(default, deserialize_with = "present")]
    requests: Option<StrictObject>,
    #[serde(default, deserialize_with = "present")]
    supersedes: Option<Vec<Supersedes>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenTarget {
    arch: WrittenArch,
    os: Os,
    libc: Libc,
    #[serde(default, deserialize_with = "present")]
    libc_min: Option<Release>,
    #[serde(default, deserialize_with = "present")]
    kernel_min: Option<Release>,
    #[serde(default, deserialize_with = "present")]
    cpu: Option<Label>,
    files: Vec<Record<WrittenFile>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenFile {
    role: Role,
    path: FileName,
    size: u64,
    sha256: Hex,
    #[serde(default, deserialize_with = "present")]
    fsverity_sha256: Option<Hex>,
    #[serde(default, deserialize_with = "present")]
    build_id: Option<HexText>,
    #[serde(default, deserialize_with = "present")]
    soname: Option<Text<255>>,
    #[serde(default, deserialize_with = "present")]
    needed: Option<Vec<Text<255>>>,
    #[serde(default, deserialize_with = "present")]
    exports: Option<Vec<Text<4096>>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenSbom {
    sha256: Hex,
    size: u64,
}

impl WrittenTarget {
    fn resolve(self) -> Result<Target, ManifestError> {
        counted("files", self.files.len())?;
        let files: Vec<File> = self.files.into_iter().map(|file| file.0.resolve()).collect();
        let mut paths = BTreeSet::new();
        if let Some(twice) = files.iter().find(|file| !paths.insert(&file.path)) {
            return Err(ManifestError::FileTwice(twice.path.clone()));
        }
        let arch = match self.arch {
            WrittenArch::X86_64 => Arch::X86_64,
            WrittenArch::Aarch64 => Arch::Aarch64,
        };
        let Self { os, libc, libc_min, kernel_min, cpu, .. } = self;
        let target = Target { arch, os, libc, libc_min, kernel_min, cpu, files };
        if target.files.iter().all(|file| file.role != Role::Elf) {
            return Err(ManifestError::NoPlugin(target.machine()));
        }
        Ok(target)
    }
}

impl WrittenFile {
    fn resolve(self) -> File {
        let Self { role, path, size, build_id, soname, needed, exports, .. } = self;
        let (sha256, fsverity_sha256) = (self.sha256.0, self.fsverity_sha256.map(|hex| hex.0));
        File { role, path, size, sha256, fsverity_sha256, build_id, soname, needed, exports }
    }
}

const fn counted(what: &'static str, found: usize) -> Result<(), ManifestError> {
    if found == 0 || found > MAX_RECORDS { Err(ManifestError::Count { what, found }) } else { Ok(()) }
}
