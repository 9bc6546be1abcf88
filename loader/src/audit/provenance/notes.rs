//! What notes say: the package of a distribution, libraries that are opened at run time, the Go linker's build id. Notes
//! are mapped, so they are read from segments, and from sections where a linker script left them out of a segment.

use lazaret_policy::Claim;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Provenance, View, string};
use crate::audit::bytes::range;
use crate::audit::image::PT_NOTE;
use crate::audit::notes::Notes;

/// Where the package note stands.
pub(super) const PACKAGE: &str = ".note.package";
const DLOPEN: &str = ".note.dlopen";

/// Owner and types of notes, <https://uapi-group.org/specifications/specs/package_metadata_for_executable_files/> and
/// <https://uapi-group.org/specifications/specs/elf_dlopen_metadata/>.
const FDO: &[u8] = b"FDO\0";
const NT_PACKAGE: u32 = 0xcafe_1a7e;
const NT_DLOPEN: u32 = 0x407c_0c0a;

/// Go's linker, `cmd/link/internal/ld/elf.go`.
const GO: &[u8] = b"Go\0\0";
const NT_GO_BUILD_ID: u32 = 4;

/// The most notes that are looked at: sections may overlap, and each may begin at another byte of the same notes.
const MAX_NOTES: usize = 1024;

/// The longest JSON text of a note, and the most of its libraries.
const MAX_JSON: usize = 64 << 10;
const MAX_LIBRARIES: usize = 256;

/// The package of a distribution that a file says it belongs to.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize)]
pub struct Package {
    /// The kind of package: `deb`, `rpm`, `apk`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Its version, as its kind writes them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Its architecture, in the distribution's words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub architecture: Option<String>,
    /// The distribution, as `ID` of os-release(5) has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub os: Option<String>,
    /// The distribution's version.
    #[serde(rename = "osVersion", skip_serializing_if = "Option::is_none")]
    pub os_version: Option<String>,
    /// The distribution as a CPE.
    #[serde(rename = "osCpe", skip_serializing_if = "Option::is_none")]
    pub os_cpe: Option<String>,
}

/// Libraries that a file may open while it runs.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize)]
pub struct Dlopen {
    /// Names, tried in order.
    pub soname: Vec<String>,
    /// What it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub feature: Option<String>,
    /// What it is for, in a sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// `required`, `recommended` or `suggested`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<String>,
}

/// Reads what the notes say into `provenance`. Of several notes of one kind the first counts, but for dlopen notes.
pub(super) fn read(view: &View<'_>, provenance: &mut Provenance) {
    let bytes = view.image.bytes;
    let segments = view.image.of_kind(PT_NOTE);
    let segments = segments.filter_map(|one| Some((range(bytes, one.offset, one.filesz)?, one.align)));
    let notes = segments.chain(view.sections.notes(bytes)).flat_map(|(area, align)| Notes::new(area, align));
    let mut package_seen = false;
    for note in notes.take(MAX_NOTES) {
        match (note.owner, note.kind) {
            (FDO, NT_PACKAGE) if !package_seen => {
                package_seen = true;
                provenance.package = provenance.keep(PACKAGE, Some(Claim::PackageNote), package(note.content));
            }
            (FDO, NT_DLOPEN) => {
                for one in provenance.keep(DLOPEN, None, dlopen(note.content)).unwrap_or_default() {
                    // The section is read as well as the segment that it lies in.
                    if provenance.dlopen.len() < MAX_LIBRARIES && !provenance.dlopen.contains(&one) {
                        provenance.dlopen.push(one);
                    }
                }
            }
            (GO, NT_GO_BUILD_ID) if provenance.go_build_id.is_none() => {
                provenance.go_build_id = string(note.content).ok();
            }
            _ => {}
        }
    }
}

/// A JSON text, which ends with a zero byte and may be filled up with more.
fn json<'de, T: Deserialize<'de>>(content: &'de [u8]) -> Result<T, String> {
    let end = content.iter().position(|byte| *byte == 0).unwrap_or(content.len());
    let text = content.get(..end).unwrap_or_default();
    if text.len() > MAX_JSON {
        return Err(format!("it has {} bytes; {MAX_JSON} are read", text.len()));
    }
    serde_json::from_slice(text)
        .map_err(|error| format!("it is not the JSON it should be at column {}", error.column()))
}

fn field(object: &Value, name: &str) -> Result<Option<String>, String> {
    object.get(name).and_then(Value::as_str).map(|text| string(text.as_bytes())).transpose()
}

fn package(content: &[u8]) -> Result<Package, String> {
    let object: Value = json(content)?;
    Ok(Package {
        kind: field(&object, "type")?.ok_or("it has no `type`")?,
        name: field(&object, "name")?.ok_or("it has no `name`")?,
        version: field(&object, "version")?,
        architecture: field(&object, "architecture")?,
        os: field(&object, "os")?,
        os_version: field(&object, "osVersion")?,
        os_cpe: field(&object, "osCpe")?,
    })
}

fn dlopen(content: &[u8]) -> Result<Vec<Dlopen>, String> {
    let list: Vec<Value> = json(content)?;
    let one = |object: &Value| {
        let names = object.get("soname").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
        Ok(Dlopen {
            soname: names.take(MAX_LIBRARIES).map(|name| string(name.as_bytes())).collect::<Result<_, String>>()?,
            feature: field(object, "feature")?,
            description: field(object, "description")?,
            priority: field(object, "priority")?,
        })
    };
    list.iter().take(MAX_LIBRARIES).map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_note_is_read_and_what_is_none_says_why() {
        let note = br#"{"type":"deb","os":"debian","name":"zlib","version":"1:1.3","architecture":"amd64"}"#;
        let read = package(&[note.as_slice(), &[0; 5]].concat()).expect("readable");
        assert_eq!((read.kind.as_str(), read.name.as_str(), read.version.as_deref()), ("deb", "zlib", Some("1:1.3")));
        for (text, why) in [("{}", "`type`"), (r#"{"type":"deb"}"#, "`name`"), ("", "JSON"), ("[1", "JSON")] {
            assert!(package(text.as_bytes()).expect_err(text).contains(why), "{text}");
        }
        assert!(package(&vec![b'['; MAX_JSON + 1]).expect_err("long").contains("bytes"));
        assert!(package(&vec![b'['; MAX_JSON]).expect_err("deep").contains("JSON"));
    }

    #[test]
    fn libraries_opened_at_run_time_are_read() {
        let note =
            br#"[{"soname":["libbpf.so.1","libbpf.so.0"],"feature":"bpf","priority":"suggested"},{"soname":[]}]"#;
        let read = dlopen(note).expect("readable");
        assert_eq!((read[0].soname.len(), read[0].priority.as_deref()), (2, Some("suggested")));
        assert!(dlopen(b"{}").is_err());
    }
}
