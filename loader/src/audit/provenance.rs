//! What a file says about its making: toolchain, modules, package, compilers, debug files, and paths of the machine that
//! built it.
//!
//! All of this is *claimed*. Nothing of it is signed by itself, no loader looks at it, and whoever can change the file can
//! write or remove it. It finds what somebody forgot about, such as a plugin with an old module, and says nothing about a
//! plugin that hides one. Most of it stands in sections, which the strict view does not need; without section headers what
//! is mapped is read: notes, and what the Go linker writes into data.
//!
//! ```no_run
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let bytes = std::fs::read("plugin.so")?;
//! if let Ok(object) = lazaret::audit::read(&bytes, lazaret_policy::Arch::NATIVE) {
//!     let provenance = lazaret::audit::provenance::read(&bytes, &object);
//!     for module in provenance.modules() {
//!         println!("{} {}", module.name, module.version.unwrap_or("(no version)"));
//!     }
//! }
//! # Ok(())
//! # }
//! ```

mod go;
mod judge;
mod notes;
mod plain;
mod rust;

use lazaret_policy::{Claim, Ecosystem, GO_STDLIB};
use schemars::JsonSchema;
use serde::Serialize;

use super::finding::Findings;
use super::image::{self, Image};
use super::object::Object;
use super::sections::{self, Sections};
use super::{header, text};

pub use go::{GoBuild, GoModule, GoReplacement};
pub use judge::judge;
pub use notes::{Dlopen, Package};
pub use plain::{AltLink, DebugLink, Paths};
pub use rust::Crate;

/// The longest string that is taken over; a longer one is no name of anything, and many would fill memory.
const MAX_STRING: usize = 4096;

/// What a file says about its making. Every string is printable ASCII.
#[derive(Clone, Debug, Default, PartialEq, Eq, JsonSchema, Serialize)]
pub struct Provenance {
    /// Go build information.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub go: Option<GoBuild>,
    /// The Go linker's build id, from its note.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub go_build_id: Option<String>,
    /// Crates, from the data of `cargo auditable`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub crates: Vec<Crate>,
    /// The package note of a distribution.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub package: Option<Package>,
    /// Libraries that the file may open while it runs, from its notes. `DT_NEEDED` does not have them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub dlopen: Vec<Dlopen>,
    /// Compilers and linkers, from `.comment`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub compilers: Vec<String>,
    /// The file that has the debugging information.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub debug_link: Option<DebugLink>,
    /// The file that has debugging information shared between several files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub debug_alt_link: Option<AltLink>,
    /// Paths of the machine that built it; `None` where nobody looked for them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paths: Option<Paths>,
    /// What is there and cannot be read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub broken: Vec<Broken>,
}

/// An account that is there and cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize)]
pub struct Broken {
    /// Where it stands: the name of a section.
    pub found: &'static str,
    /// Which account a policy would miss, if any.
    pub claim: Option<Claim>,
    /// Why it cannot be read.
    pub why: String,
}

/// One module, crate or package that a file says it is made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Module<'a> {
    /// Where its name comes from.
    pub ecosystem: Ecosystem,
    /// Its name.
    pub name: &'a str,
    /// Its version as it was written.
    pub version: Option<&'a str>,
    /// Where the file says so: the name of a section.
    pub found: &'static str,
}

impl Provenance {
    /// What the file says it is made from, as far as it runs: crates that only built it are left out.
    ///
    /// A Go module that was replaced stands here as what replaced it, and under its own name too when the other has
    /// another name: its code may be in the file under either. One that was replaced by a directory has no version.
    pub fn modules(&self) -> impl Iterator<Item = Module<'_>> {
        let package = self.package.as_ref().and_then(|package| {
            let ecosystem = Ecosystem::ALL.into_iter().find(|one| one.name() == package.kind)?;
            let packages = matches!(ecosystem, Ecosystem::Deb | Ecosystem::Rpm);
            let (name, version) = (package.name.as_str(), package.version.as_deref());
            packages.then_some(Module { ecosystem, name, version, found: notes::PACKAGE })
        });
        let crates = self.crates.iter().filter(|one| !one.build_only).map(|one| Module {
            ecosystem: Ecosystem::Cargo,
            name: &one.name,
            version: Some(&one.version),
            found: rust::SECTION,
        });
        self.go.iter().flat_map(go_modules).chain(crates).chain(package)
    }

    /// Whether the file has an account that can be read.
    #[must_use]
    pub fn has(&self, claim: Claim) -> bool {
        match claim {
            Claim::Any => Claim::ALL.into_iter().any(|claim| claim != Claim::Any && self.has(claim)),
            Claim::GoBuildinfo => self.go.is_some(),
            Claim::RustAuditData => !self.crates.is_empty(),
            Claim::PackageNote => self.package.is_some(),
        }
    }

    /// Keeps what could be read, and why something could not: once for each place, of which a file may have a thousand.
    fn keep<T>(&mut self, found: &'static str, claim: Option<Claim>, read: Result<T, String>) -> Option<T> {
        read.map_err(|why| {
            if self.broken.iter().all(|broken| broken.found != found) {
                self.broken.push(Broken { found, claim, why });
            }
        })
        .ok()
    }
}

fn go_modules(build: &GoBuild) -> impl Iterator<Item = Module<'_>> {
    let module = |name, version| Module { ecosystem: Ecosystem::Go, name, version, found: go::SECTION };
    let toolchain = std::iter::once(module(GO_STDLIB, Some(build.toolchain.as_str())));
    toolchain.chain(build.main.iter().chain(&build.modules).flat_map(move |one| {
        let (own, other) = match &one.replaced_by {
            None => (Some((one.path.as_str(), one.version.as_deref())), None),
            Some(by) if by.is_directory() => (Some((one.path.as_str(), None)), None),
            Some(by) if by.path == one.path => (None, Some((by.path.as_str(), by.version.as_deref()))),
            Some(by) => {
                (Some((one.path.as_str(), one.version.as_deref())), Some((by.path.as_str(), by.version.as_deref())))
            }
        };
        own.into_iter().chain(other).map(move |(name, version)| module(name, version))
    }))
}

/// Reads what a file says about its making, all of it. `object` is what [`read`](super::read) made of the same bytes.
///
/// Total on any bytes; what cannot be read is in [`Provenance::broken`]. Looks at every byte that is mapped.
#[must_use]
pub fn read(bytes: &[u8], object: &Object) -> Provenance {
    let mut provenance = claims(bytes, object);
    provenance.paths = View::of(bytes, object).map(|view| plain::paths(&view.image));
    provenance
}

/// As [`read`], without looking for paths: what a policy asks about, at the cost of a few tables.
#[must_use]
pub fn claims(bytes: &[u8], object: &Object) -> Provenance {
    let mut provenance = Provenance::default();
    let Some(view) = View::of(bytes, object) else { return provenance };

    let go = provenance.keep(go::SECTION, Some(Claim::GoBuildinfo), go::read(&view));
    provenance.go = go.flatten();
    let crates = view.section(rust::SECTION).map_or(Ok(Vec::new()), rust::read);
    provenance.crates = provenance.keep(rust::SECTION, Some(Claim::RustAuditData), crates).unwrap_or_default();
    notes::read(&view, &mut provenance);
    provenance.compilers = view.section(plain::COMMENT).map(plain::compilers).unwrap_or_default();
    let link = view.section(plain::DEBUG_LINK).map(plain::debug_link).transpose();
    provenance.debug_link = provenance.keep(plain::DEBUG_LINK, None, link).flatten();
    let link = view.section(plain::ALT_LINK).map(plain::alt_link).transpose();
    provenance.debug_alt_link = provenance.keep(plain::ALT_LINK, None, link).flatten();
    provenance
}

/// Segments and sections of a file that was read before.
struct View<'a> {
    image: Image<'a>,
    sections: Sections,
    /// The names of sections.
    names: &'a [u8],
}

impl<'a> View<'a> {
    fn of(bytes: &'a [u8], object: &Object) -> Option<Self> {
        // Whatever there is to find was found when the object was read.
        let mut findings = Findings::default();
        let header = header::read(bytes, object.arch(), &mut findings).ok()?;
        let image = image::read(bytes, &header, object.arch(), &mut findings).ok()?;
        let sections = sections::read(bytes, &header, &mut findings).ok()?;
        let names = sections.names(bytes, &header);
        Some(Self { image, sections, names })
    }

    /// The content of the first section of that name.
    fn section(&self, name: &str) -> Option<&'a [u8]> {
        self.sections.named(self.image.bytes, self.names, name)
    }
}

/// A string of the file, escaped.
fn string(bytes: &[u8]) -> Result<String, String> {
    if bytes.len() > MAX_STRING {
        return Err(format!("a string has {} bytes; {MAX_STRING} are read", bytes.len()));
    }
    std::str::from_utf8(bytes).map(text::escaped).map_err(|_| "a string is not UTF-8".to_owned())
}

#[cfg(test)]
mod tests {
    use lazaret_policy::Arch;
    use miniz_oxide::deflate::compress_to_vec_zlib;

    use super::super::sample::Sample;
    use super::*;
    use crate::noise::Noise;

    fn note(owner: &[u8; 4], kind: u32, content: &[u8]) -> Vec<u8> {
        let head = [4, u32::try_from(content.len()).expect("short"), kind].map(u32::to_le_bytes).concat();
        let mut note = [head.as_slice(), owner, content].concat();
        note.resize(note.len().next_multiple_of(4), 0);
        note
    }

    fn sections() -> Vec<(&'static str, u32, Vec<u8>)> {
        let modules = b"\x30................path\tp\ndep\ta.b/c\tv1.0.0\n................";
        let go = [b"\xff Go buildinf:\0\x02".as_slice(), &[0; 16], b"\x08go1.25.5", &modules[1..]].concat();
        let mut go = go;
        go.insert(32 + 9, u8::try_from(modules.len() - 1).expect("short"));
        let crates = br#"{"packages":[{"name":"a","version":"1.0.0","source":"crates.io","root":true}]}"#;
        let package = br#"{"type":"deb","os":"debian","name":"a","version":"1"}"#;
        vec![
            (go::SECTION, 1, go),
            (rust::SECTION, 1, compress_to_vec_zlib(crates, 9)),
            (notes::PACKAGE, 7, note(b"FDO\0", 0xcafe_1a7e, package)),
            (".note.dlopen", 7, note(b"FDO\0", 0x407c_0c0a, br#"[{"soname":["libz.so.1"]}]"#)),
            (".note.go.buildid", 7, note(b"Go\0\0", 4, b"abc/def")),
            (plain::COMMENT, 1, b"GCC: (Debian) 12\0".to_vec()),
            (plain::DEBUG_LINK, 1, b"a.debug\0\x01\x02\x03\x04".to_vec()),
            (plain::ALT_LINK, 1, b"/a\0\x01\x02".to_vec()),
        ]
    }

    /// A sample with all of the sections behind it, the object it was read as, and where the sections begin.
    fn sample() -> (Vec<u8>, Object, usize) {
        let mut sample = Sample::new();
        sample.sections = false;
        let mut bytes = sample.bytes();
        let object = super::super::read(&bytes, Arch::X86_64).expect("one reading");
        let start = bytes.len();
        let (mut names, mut headers) = (b"\0".to_vec(), vec![0; 64]);
        let mut header = |name: usize, kind: u32, offset: usize, size: usize| {
            headers.extend(u32::try_from(name).expect("short").to_le_bytes());
            headers.extend(kind.to_le_bytes());
            headers.extend([0, 0, offset as u64, size as u64, 0, 4, 0].map(u64::to_le_bytes).concat());
        };
        for (name, kind, content) in sections() {
            let at = bytes.len().next_multiple_of(16);
            bytes.resize(at, 0);
            header(names.len(), kind, at, content.len());
            bytes.extend(content);
            names.extend(name.as_bytes());
            names.push(0);
        }
        header(0, 3, bytes.len(), names.len());
        bytes.extend(names);
        let (shoff, count) = (bytes.len() as u64, (headers.len() / 64) as u16);
        bytes.extend(headers);
        bytes[40..48].copy_from_slice(&shoff.to_le_bytes());
        for (at, value) in [(58, 64), (60, count), (62, count - 1)] {
            bytes[at..at + 2].copy_from_slice(&value.to_le_bytes());
        }
        (bytes, object, start)
    }

    #[test]
    fn every_account_of_a_file_is_found_by_the_name_of_its_section() {
        let (bytes, object, _) = sample();
        let found = read(&bytes, &object);
        assert_eq!(found.broken, []);
        let named: Vec<_> = found.modules().map(|module| (module.ecosystem, module.name, module.version)).collect();
        let expected = [
            (Ecosystem::Go, "stdlib", Some("go1.25.5")),
            (Ecosystem::Go, "a.b/c", Some("v1.0.0")),
            (Ecosystem::Cargo, "a", Some("1.0.0")),
            (Ecosystem::Deb, "a", Some("1")),
        ];
        assert_eq!(named, expected);
        assert_eq!(found.dlopen[0].soname, ["libz.so.1"]);
        assert_eq!(found.go_build_id.as_deref(), Some("abc/def"));
        assert_eq!(found.compilers, ["GCC: (Debian) 12"]);
        assert_eq!(found.debug_link.map(|link| link.crc32), Some(0x0403_0201));
        assert_eq!(found.debug_alt_link.map(|link| link.build_id).as_deref(), Some("0102"));
        assert!(Claim::ALL.into_iter().all(|claim| read(&bytes, &object).has(claim)));
    }

    #[test]
    fn no_change_to_a_file_makes_reading_panic_or_write_to_a_terminal() {
        let (bytes, object, start) = sample();
        for len in 0..bytes.len() {
            drop(read(&bytes[..len], &object));
        }
        let mut random = Noise(0x1234_5678_9abc_def1);
        let values = [0, 1, 0x7f, 0x80, 0xff, 0x7fff_ffff, 0xffff_ffff, u64::MAX >> 1, u64::MAX, 0x1b5b_324a];
        let (mut broken, mut whole) = (0, 0);
        for _ in 0..6_000 {
            let mut changed = bytes.clone();
            for _ in 0..=random.below(3) {
                let at =
                    if random.below(8) == 0 { random.below(64) } else { start + random.below(bytes.len() - start) };
                let value = if random.below(2) == 0 { random.next() } else { values[random.below(values.len())] };
                let width = [1, 2, 4, 8][random.below(4)].min(changed.len() - at);
                changed[at..at + width].copy_from_slice(&value.to_le_bytes()[..width]);
            }
            let found = read(&changed, &object);
            let counted = if found.broken.is_empty() { &mut whole } else { &mut broken };
            *counted += 1;
            let json = serde_json::to_string(&found).expect("serialisable");
            assert!(json.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{json}");
        }
        assert!(broken > 500 && whole > 500, "{broken} broken, {whole} whole");
    }

    #[test]
    fn thousands_of_sections_over_the_same_notes_cost_no_more_than_a_few() {
        let (mut bytes, object, _) = sample();
        let area = bytes.len();
        bytes.extend(note(b"FDO\0", 0x407c_0c0a, br#"[{"soname":["libz.so.1"]}]"#).repeat(50_000));
        let (shoff, size) = (bytes.len(), bytes.len() - area);
        for _ in 0..u16::MAX {
            let mut header = [0; 64];
            header[4] = 7;
            header[24..32].copy_from_slice(&(area as u64).to_le_bytes());
            header[32..40].copy_from_slice(&(size as u64).to_le_bytes());
            bytes.extend(header);
        }
        bytes[40..48].copy_from_slice(&(shoff as u64).to_le_bytes());
        bytes[60..62].copy_from_slice(&u16::MAX.to_le_bytes());
        let start = std::time::Instant::now();
        let found = read(&bytes, &object);
        assert_eq!((found.dlopen.len(), found.broken), (1, vec![]));
        bytes[area + 20..area + size].fill(b'[');
        let found = read(&bytes, &object);
        assert!(found.dlopen.is_empty() && found.broken.len() == 1, "{:?}", found.broken);
        // Not a measurement: all of them would take hours.
        assert!(start.elapsed().as_secs() < 30);
    }
}
