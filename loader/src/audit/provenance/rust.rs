//! What `cargo auditable` writes: every crate, as compressed JSON (`auditable-serde`'s format 0 and 1).

use std::borrow::Cow;

use miniz_oxide::inflate::{TINFLStatus, decompress_to_vec_zlib_with_limit};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::string;

/// Where it stands.
pub(super) const SECTION: &str = ".dep-v0";

/// What the data may unfold to, as `auditable-info` has it: a few kilobytes of zlib unfold to gigabytes.
const MAX_JSON: usize = 8 << 20;

/// The most crates: the largest programs have a thousand.
const MAX_CRATES: usize = 16_384;

/// The most edges between crates.
const MAX_EDGES: usize = 1 << 20;

/// A crate that a file says it is made from.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize)]
pub struct Crate {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Where it came from: `crates.io`, `git`, `local`, `registry`.
    pub source: String,
    /// Whether it only took part in building, as build scripts and procedural macros do.
    pub build_only: bool,
    /// Whether it is the crate that was built.
    pub root: bool,
    /// Its own dependencies: places in the list of crates.
    pub dependencies: Vec<usize>,
}

#[derive(Deserialize)]
struct Data<'a> {
    #[serde(borrow)]
    packages: Vec<Entry<'a>>,
}

#[derive(Deserialize)]
struct Entry<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow)]
    version: Cow<'a, str>,
    #[serde(borrow)]
    source: Cow<'a, str>,
    #[serde(borrow, default)]
    kind: Cow<'a, str>,
    #[serde(default)]
    dependencies: Vec<u32>,
    #[serde(default)]
    root: bool,
}

/// Reads the content of the section.
pub(super) fn read(section: &[u8]) -> Result<Vec<Crate>, String> {
    let json = decompress_to_vec_zlib_with_limit(section, MAX_JSON).map_err(|error| match error.status {
        TINFLStatus::HasMoreOutput => format!("it unfolds to more than {} MiB", MAX_JSON >> 20),
        _ => "it is not compressed as zlib does".to_owned(),
    })?;
    let data: Data<'_> = serde_json::from_slice(&json).map_err(|error| {
        format!("it is not a list of crates, from line {} column {} on", error.line(), error.column())
    })?;
    let count = data.packages.len();
    if !(1..=MAX_CRATES).contains(&count) {
        return Err(format!("it lists {count} crates; 1 to {MAX_CRATES} are read"));
    }
    if data.packages.iter().filter(|entry| entry.root).count() > 1 {
        return Err("it names more than one crate as what was built".to_owned());
    }
    let mut edges = 0_usize;
    data.packages
        .iter()
        .map(|entry| {
            edges = edges.saturating_add(entry.dependencies.len());
            let places =
                entry.dependencies.iter().map(|place| usize::try_from(*place).ok().filter(|place| *place < count));
            let dependencies = places.collect::<Option<Vec<_>>>().filter(|_| edges <= MAX_EDGES);
            Ok(Crate {
                name: string(entry.name.as_bytes())?,
                version: string(entry.version.as_bytes())?,
                source: string(entry.source.as_bytes())?,
                build_only: entry.kind == "build",
                root: entry.root,
                dependencies: dependencies.ok_or("a crate depends on what is not listed")?,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use miniz_oxide::deflate::compress_to_vec_zlib;

    use super::*;

    fn parsed(json: &str) -> Result<Vec<Crate>, String> {
        read(&compress_to_vec_zlib(json.as_bytes(), 9))
    }

    #[test]
    fn crates_and_what_they_depend_on_are_read() {
        let crates = parsed(
            r#"{"packages":[{"name":"a","version":"0.1.0","source":"local","root":true,"dependencies":[1,2]},
            {"name":"b","version":"1.2.3","source":"crates.io"},
            {"name":"cc","version":"1.0.0","source":"crates.io","kind":"build","later":{}}],"format":1}"#,
        )
        .expect("readable");
        assert_eq!((crates[0].dependencies.as_slice(), crates[0].root), ([1, 2].as_slice(), true));
        assert_eq!(crates.iter().map(|one| one.build_only).collect::<Vec<_>>(), [false, false, true]);
    }

    #[test]
    fn a_bomb_and_a_list_that_contradicts_itself_are_refused() {
        let bomb = compress_to_vec_zlib(&vec![b' '; 64 << 20], 9);
        assert!(bomb.len() < 1 << 20 && read(&bomb).expect_err("a bomb").contains("8 MiB"));
        let package = r#"{"name":"a","version":"1.0.0","source":"local""#;
        let list = |packages: &[&str]| format!(r#"{{"packages":[{}]}}"#, packages.join(","));
        let root = format!(r#"{package},"root":true}}"#);
        assert!(parsed(&list(&[&root])).is_ok());
        assert!(parsed(&list(&[&root, &root])).expect_err("two").contains("more than one"));
        assert!(parsed(&list(&[&format!(r#"{package},"dependencies":[1]}}"#)])).expect_err("1").contains("not listed"));
        assert!(parsed(&list(&[&format!(r#"{package},"dependencies":[-1]}}"#)])).is_err());
        assert!(parsed(&list(&[])).is_err());
        let many = vec![r#"{"name":"a","version":"1","source":"l"}"#; MAX_CRATES + 1];
        assert!(parsed(&list(&many)).expect_err("many").contains("16384"));
        let deep = format!("{}{}", "[".repeat(1 << 20), "]".repeat(1 << 20));
        assert!(parsed(&format!(r#"{{"packages":{deep}}}"#)).is_err());
        assert!(read(b"").is_err() && read(b"{}").is_err());
    }

    #[test]
    fn what_a_file_writes_cannot_move_the_cursor() {
        let crates = parsed(r#"{"packages":[{"name":"\u001b[2J","version":"1","source":"local"}]}"#).expect("readable");
        assert!(!crates[0].name.contains('\x1b'));
    }
}
