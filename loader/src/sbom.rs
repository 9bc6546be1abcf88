//! What a plugin is made of, as a CycloneDX 1.6 document for other programs: the file, the libraries that would be mapped
//! with it, and the modules, crates, packages and compilers that they name.
//!
//! Digests are of the bytes that were audited. Everything else was claimed by the files ([`provenance`](crate::audit::provenance))
//! and is marked so: the property `lazaret:claimed-in` names the section.
//!
//! The same audit gives the same document: it has no clock and no random serial number.
//!
//! ```no_run
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let policies = lazaret::Policies::of_this_machine()?;
//! let policy = policies.resolve("builtin:compute")?;
//! let audit = lazaret::inspect(&lazaret::Opened::open("plugin.so".as_ref())?, &policy);
//! std::fs::write("plugin.cdx.json", format!("{:#}", lazaret::sbom::cyclonedx(&audit)))?;
//! # Ok(())
//! # }
//! ```

mod purl;

use std::collections::{BTreeMap, BTreeSet};

use lazaret_policy::{Digest, GO_STDLIB};
use ring::digest::{SHA256, digest};
use serde_json::{Map, Value, json};

use crate::audit::provenance::{Crate, GoBuild, Provenance};
use crate::call::hex;
use crate::closure::{Audit, LibraryAudit};
use crate::open;

/// What stands in front of the names of properties.
const PROPERTY: &str = "lazaret:";

/// The document, ready to be written as JSON.
#[must_use]
pub fn cyclonedx(audit: &Audit) -> Value {
    let mut parts = Parts::default();
    let own = audit.provenance.as_ref();
    let mut file = component(Kind::Library, &file_ref(audit), &audit.file, None);
    describe(&mut file, own, audit.digest);
    if let Some(facts) = &audit.report.facts {
        property(&mut file, "soname", facts.soname.as_deref());
        property(&mut file, "build-id", facts.build_id.as_deref());
    }
    if file.get("version").is_none()
        && let Some(version) = own.and_then(own_version)
    {
        file.insert("version".to_owned(), version.into());
    }

    let root = file_ref(audit);
    parts.depends.entry(root.clone()).or_default();
    for library in &audit.libraries {
        parts.library(library);
    }
    let own_needs = audit.report.facts.iter().flat_map(|facts| &facts.needed).map(|name| (root.clone(), name));
    let needs = |library: &'_ LibraryAudit| library_ref(&library.name);
    let needs = audit.libraries.iter().flat_map(|one| one.needs.iter().map(move |name| (needs(one), name)));
    // What was not found, or may not be needed, is a finding and no part.
    for (from, name) in own_needs.chain(needs).filter(|(_, name)| audit.libraries.iter().any(|one| one.name == **name))
    {
        parts.depend(&from, library_ref(name));
    }
    if let Some(provenance) = own {
        parts.made_from(&root, provenance);
    }
    let mut document = json!({
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "tools": { "components": [{
                "type": "application",
                "name": "lazaret",
                "version": env!("CARGO_PKG_VERSION"),
            }] },
            "component": file,
        },
        "components": parts.components.into_values().collect::<Vec<_>>(),
        "dependencies": parts.depends.into_iter().map(dependency).collect::<Vec<_>>(),
    });
    let serial = serial_number(&document);
    if let Some(document) = document.as_object_mut() {
        document.insert("serialNumber".to_owned(), serial.into());
    }
    document
}

/// A UUID of version 8 (RFC 9562) out of the document's digest: another document has another one.
fn serial_number(document: &Value) -> String {
    let digest = digest(&SHA256, document.to_string().as_bytes());
    let mut bytes = *digest.as_ref().first_chunk::<16>().unwrap_or(&[0; 16]);
    bytes[6] = bytes[6] & 0x0f | 0x80;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex = hex(&bytes);
    let part = |from: usize, to: usize| hex.get(from..to).unwrap_or_default();
    format!("urn:uuid:{}-{}-{}-{}-{}", part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32))
}

#[derive(Clone, Copy)]
enum Kind {
    Library,
    Application,
}

/// Components by their reference, and what each depends on.
#[derive(Default)]
struct Parts {
    components: BTreeMap<String, Value>,
    depends: BTreeMap<String, BTreeSet<String>>,
}

impl Parts {
    fn add(&mut self, reference: &str, component: Map<String, Value>) {
        // Whatever a file says twice is one component.
        self.components.entry(reference.to_owned()).or_insert(component.into());
        self.depends.entry(reference.to_owned()).or_default();
    }

    fn depend(&mut self, on_behalf: &str, on: String) {
        if on_behalf != on {
            self.depends.entry(on_behalf.to_owned()).or_default().insert(on);
        }
    }

    fn library(&mut self, library: &LibraryAudit) {
        let reference = library_ref(&library.name);
        let mut one = component(Kind::Library, &reference, &crate::audit::escape(&library.name), None);
        describe(&mut one, library.provenance.as_ref(), library.digest);
        property(&mut one, "path", Some(&open::shown(&library.path)));
        self.add(&reference, one);
        if let Some(provenance) = &library.provenance {
            self.made_from(&reference, provenance);
        }
    }

    /// What the file behind `owner` is made from.
    fn made_from(&mut self, owner: &str, provenance: &Provenance) {
        if let Some(go) = &provenance.go {
            self.go(owner, go);
        }
        self.crates(owner, &provenance.crates);
        for text in &provenance.compilers {
            let (name, version) = compiler(text);
            let reference = format!("compiler:{text}");
            let mut one = component(Kind::Application, &reference, &name, version);
            // It made the file and is no part of it.
            one.insert("scope".to_owned(), "excluded".into());
            property(&mut one, "claimed-in", Some(".comment"));
            property(&mut one, "comment", Some(text));
            self.add(&reference, one);
            self.depend(owner, reference);
        }
    }

    /// Go lists every module and says nothing about which needs which: all hang on the file.
    fn go(&mut self, owner: &str, go: &GoBuild) {
        let toolchain = go.toolchain.strip_prefix("go").unwrap_or(&go.toolchain);
        let mut parts = vec![(GO_STDLIB, Some(toolchain), None, None)];
        for module in &go.modules {
            let (path, version, sum) = match &module.replaced_by {
                // A directory is no name that anybody else knows: the module keeps its own, without a version.
                Some(by) if by.is_directory() => (module.path.as_str(), None, None),
                Some(by) => (by.path.as_str(), by.version.as_deref(), by.sum.as_deref()),
                None => (module.path.as_str(), module.version.as_deref(), module.sum.as_deref()),
            };
            parts.push((path, version, sum, module.replaced_by.as_ref().map(|_| module.path.as_str())));
        }
        for (path, version, sum, replaces) in parts {
            let reference = format!("go:{path}@{}", version.unwrap_or_default());
            let mut one = component(Kind::Library, &reference, path, version);
            one.insert("purl".to_owned(), purl::go(path, version).into());
            property(&mut one, "claimed-in", Some(".go.buildinfo"));
            property(&mut one, "go-sum", sum);
            property(&mut one, "go-replaces", replaces);
            self.add(&reference, one);
            self.depend(owner, reference);
        }
    }

    fn crates(&mut self, owner: &str, crates: &[Crate]) {
        // The crate that was built is the file.
        let reference = |one: &Crate| match one.root {
            true => owner.to_owned(),
            false => format!("cargo:{}@{} ({})", one.name, one.version, one.source),
        };
        let has_root = crates.iter().any(|one| one.root);
        for one in crates {
            let from = reference(one);
            if !one.root {
                let mut part = component(Kind::Library, &from, &one.name, Some(&one.version));
                // Other registries may have another crate of the same name.
                if one.source == "crates.io" {
                    part.insert("purl".to_owned(), purl::cargo(&one.name, &one.version).into());
                }
                if one.build_only {
                    part.insert("scope".to_owned(), "excluded".into());
                }
                property(&mut part, "claimed-in", Some(".dep-v0"));
                property(&mut part, "source", Some(&one.source));
                self.add(&from, part);
                if !has_root {
                    self.depend(owner, from.clone());
                }
            }
            for on in one.dependencies.iter().filter_map(|place| crates.get(*place)) {
                self.depend(&from, reference(on));
            }
        }
    }
}

fn component(kind: Kind, reference: &str, name: &str, version: Option<&str>) -> Map<String, Value> {
    let kind = match kind {
        Kind::Library => "library",
        Kind::Application => "application",
    };
    let mut out = Map::new();
    out.insert("type".to_owned(), kind.into());
    out.insert("bom-ref".to_owned(), reference.into());
    out.insert("name".to_owned(), name.into());
    if let Some(version) = version.filter(|version| !version.is_empty()) {
        out.insert("version".to_owned(), version.into());
    }
    out
}

fn property(component: &mut Map<String, Value>, name: &str, value: Option<&str>) {
    let Some(value) = value else { return };
    let list = component.entry("properties").or_insert_with(|| Value::Array(Vec::new()));
    if let Some(list) = list.as_array_mut() {
        list.push(json!({ "name": format!("{PROPERTY}{name}"), "value": value }));
    }
}

/// A file's digest, and the package that it says it belongs to.
fn describe(component: &mut Map<String, Value>, provenance: Option<&Provenance>, digest: Digest) {
    let hex = hex(&digest.0);
    component.insert("hashes".to_owned(), json!([{ "alg": "SHA-256", "content": hex }]));
    let Some(package) = provenance.and_then(|provenance| provenance.package.as_ref()) else { return };
    if let Some(version) = &package.version {
        component.insert("version".to_owned(), version.as_str().into());
    }
    if let Some(purl) = purl::package(package) {
        component.insert("purl".to_owned(), purl.into());
    }
    property(component, "claimed-in", Some(".note.package"));
    property(component, "package", Some(&package.name));
    property(component, "package-type", Some(&package.kind));
    property(component, "os-cpe", package.os_cpe.as_deref());
}

/// The version that the file says it has itself.
fn own_version(provenance: &Provenance) -> Option<String> {
    let go = provenance.go.as_ref().and_then(|go| go.main.as_ref()?.version.clone());
    go.or_else(|| provenance.crates.iter().find(|one| one.root).map(|one| one.version.clone()))
}

/// Name and version out of `GCC: (Debian 12.2.0-14) 12.2.0`, `rustc version 1.95.0 (…)` or `Linker: LLD 18.1.3`; the whole
/// text where no version stands.
fn compiler(text: &str) -> (String, Option<&str>) {
    let mut depth = 0_u32;
    let mut name: Vec<&str> = Vec::new();
    for word in text.split(' ') {
        // What stands in brackets is about whoever packaged it.
        let inside = depth > 0 || word.starts_with('(');
        for byte in word.bytes() {
            match byte {
                b'(' => depth = depth.saturating_add(1),
                b')' => depth = depth.saturating_sub(1),
                _ => {}
            }
        }
        if inside {
            continue;
        }
        if word.starts_with(|first: char| first.is_ascii_digit()) && !name.is_empty() {
            let name = name.join(" ");
            let name = name.strip_suffix(" version").unwrap_or(&name);
            return (name.strip_prefix("Linker: ").unwrap_or(name).trim_end_matches(':').to_owned(), Some(word));
        }
        name.push(word);
    }
    (text.to_owned(), None)
}

fn dependency((reference, on): (String, BTreeSet<String>)) -> Value {
    if on.is_empty() { json!({ "ref": reference }) } else { json!({ "ref": reference, "dependsOn": on }) }
}

fn file_ref(audit: &Audit) -> String {
    audit.digest.to_string()
}

fn library_ref(name: &str) -> String {
    format!("library:{}", crate::audit::escape(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compilers_are_named_as_they_name_themselves() {
        for (text, name, version) in [
            ("GCC: (Debian 12.2.0-14+deb12u1) 12.2.0", "GCC", Some("12.2.0")),
            ("GCC: (GNU) 13.2.1 20231205", "GCC", Some("13.2.1")),
            ("rustc version 1.95.0 (59807616e 2026-04-14)", "rustc", Some("1.95.0")),
            ("Linker: LLD 22.1.2 (/checkout/src 1cb4e38)", "LLD", Some("22.1.2")),
            ("Debian clang version 14.0.6", "Debian clang", Some("14.0.6")),
            ("2.0", "2.0", None),
            (": () ", ": () ", None),
            (")(((", ")(((", None),
        ] {
            assert_eq!(compiler(text), (name.to_owned(), version), "{text}");
        }
    }
}
