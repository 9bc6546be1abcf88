//! What stands in sections and data as plain strings: compilers, names of debug files, paths of the machine that built it.

use schemars::JsonSchema;
use serde::Serialize;

use super::{MAX_STRING, string};
use crate::audit::bytes::{range, u32_at};
use crate::audit::image::Image;
use crate::audit::text::shown;
use crate::call::hex;

pub(super) const COMMENT: &str = ".comment";
pub(super) const DEBUG_LINK: &str = ".gnu_debuglink";
pub(super) const ALT_LINK: &str = ".gnu_debugaltlink";

/// How many different compilers are named; a program of many languages has four.
const MAX_COMPILERS: usize = 32;

/// How many paths are named; the rest is counted.
const MAX_PATHS: usize = 8;

/// How much is searched for paths: the time goes with it, and the file chooses its size.
const MAX_SEARCHED: usize = 256 << 20;

/// What paths of people, build services and containers begin with.
const ROOTS: [&[u8]; 8] =
    [b"/home/", b"/Users/", b"/root/", b"/build/", b"/builds/", b"/usr/src/", b"/workspace/", b"/tmp/"];

/// The name of the file with the debugging information, `.gnu_debuglink`.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize)]
pub struct DebugLink {
    /// Its name, without a directory.
    pub name: String,
    /// The CRC-32 of its content.
    pub crc32: u32,
}

/// The name of the file with shared debugging information, `.gnu_debugaltlink`.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize)]
pub struct AltLink {
    /// Its path.
    pub path: String,
    /// Its build id in hexadecimal.
    pub build_id: String,
}

/// Paths of the machine that built a file.
#[derive(Clone, Debug, Default, PartialEq, Eq, JsonSchema, Serialize)]
pub struct Paths {
    /// How many places have one.
    pub count: u64,
    /// Some of them, each once. What follows a path in the file may stand behind it: Go and Rust do not end their strings.
    pub examples: Vec<String>,
}

/// The strings of `.comment`, each once.
pub(super) fn compilers(section: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    // Linkers merge equal strings; others are looked at as far as a list stays readable.
    for text in section.split(|byte| *byte == 0).filter(|text| !text.is_empty()).take(16 * MAX_COMPILERS) {
        if let Ok(text) = string(text)
            && found.len() < MAX_COMPILERS
            && !found.contains(&text)
        {
            found.push(text);
        }
    }
    found
}

/// A name, filled up with zero bytes to a multiple of four, and a CRC (gdb's manual, "Separate Debug Files").
pub(super) fn debug_link(section: &[u8]) -> Result<DebugLink, String> {
    let end = section.iter().position(|byte| *byte == 0).ok_or("the name has no end")?;
    let crc = end.checked_add(1).and_then(|end| end.checked_next_multiple_of(4));
    let crc = crc.and_then(|at| section.get(at..)?.first_chunk::<4>()).ok_or("the checksum is missing")?;
    let name = string(section.get(..end).unwrap_or_default())?;
    if name.is_empty() {
        Err("the name is empty".to_owned())
    } else {
        Ok(DebugLink { name, crc32: u32_at::<0, _>(crc) })
    }
}

/// A path and a build id.
pub(super) fn alt_link(section: &[u8]) -> Result<AltLink, String> {
    let end = section.iter().position(|byte| *byte == 0).ok_or("the path has no end")?;
    let id = section.get(end.saturating_add(1)..).unwrap_or_default();
    if !(1..=64).contains(&id.len()) {
        return Err(format!("the build id has {} bytes", id.len()));
    }
    let path = string(section.get(..end).unwrap_or_default())?;
    Ok(AltLink { path, build_id: hex(id) })
}

/// Searches what is mapped.
pub(super) fn paths(image: &Image<'_>) -> Paths {
    let mut found = Paths::default();
    let mut left = MAX_SEARCHED;
    for load in &image.loads {
        let Some(content) = range(image.bytes, load.offset, load.filesz) else { continue };
        let content = content.get(..left).unwrap_or(content);
        left = left.saturating_sub(content.len());
        search(content, &mut found);
    }
    found
}

fn search(content: &[u8], found: &mut Paths) {
    let part_of_path = |byte: &u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\'' | b'<' | b'>' | b'`' | b'|');
    let mut at = 0_usize;
    while let Some(rest) = content.get(at..)
        && let Some(slash) = rest.iter().position(|byte| *byte == b'/')
    {
        let Some(text) = rest.get(slash..) else { break };
        let place = at.saturating_add(slash);
        at = place.saturating_add(1);
        let Some(root) = ROOTS.iter().find(|root| text.starts_with(root)) else { continue };
        // `/usr/home/` and `file:///home/` are no beginnings of such a path.
        let before = place.checked_sub(1).and_then(|before| content.get(before));
        if before.is_some_and(|byte| matches!(byte, b'/' | b'.' | b'$' | b'}')) {
            continue;
        }
        // Whatever is measured is passed over below, so that each byte is measured once.
        let len = text.iter().take(MAX_STRING).position(|byte| !part_of_path(byte)).unwrap_or(MAX_STRING);
        if len <= root.len() {
            continue;
        }
        found.count = found.count.saturating_add(1);
        at = place.saturating_add(len);
        if found.examples.len() < MAX_PATHS
            && let Some(Ok(path)) = text.get(..len).map(std::str::from_utf8)
        {
            let path = shown(path);
            if !found.examples.contains(&path) {
                found.examples.push(path);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_debug_link_has_a_name_and_a_checksum() {
        let link = debug_link(b"a.debug\0\x04\x03\x02\x01").expect("readable");
        assert_eq!(link, DebugLink { name: "a.debug".to_owned(), crc32: 0x0102_0304 });
        for bad in [b"".as_slice(), b"a.debug", b"a.debug\0", b"a.debug\0\x01\x02\x03", b"\0\0\0\0\x01\x02\x03\x04"] {
            assert!(debug_link(bad).is_err(), "{bad:?}");
        }
        assert_eq!(alt_link(b"/d/x\0\xab\x01").expect("readable").build_id, "ab01");
        assert!(alt_link(b"/d/x\0").is_err() && alt_link(b"/d/x").is_err());
    }

    #[test]
    fn paths_are_named_a_few_times_and_counted() {
        let found = |content: &[u8]| {
            let mut found = Paths::default();
            search(content, &mut found);
            found
        };
        let one = found(b"\0at /home/ada/p/x.c:12\0http://a/b//home/x\0/home/\0/homes/x");
        assert_eq!((one.count, one.examples.as_slice()), (1, ["/home/ada/p/x.c:12".to_owned()].as_slice()));
        let many: String = (0..100_000).map(|at| format!("/build/{at}\0")).collect();
        let many = found(many.as_bytes());
        assert_eq!((many.count, many.examples.len()), (100_000, MAX_PATHS));
        // Slashes without end and one endless path.
        assert_eq!(found(&vec![b'/'; 1 << 20]).count, 0);
        assert_eq!(found(&b"//tmp/".repeat(1 << 18)).count, 0);
        let endless = [b"/tmp/".as_slice(), &vec![b'a'; 1 << 20]].concat();
        assert_eq!(found(&endless).count, 1);
    }

    #[test]
    fn compilers_are_named_once() {
        assert_eq!(compilers(b"\0GCC: (Debian) 12\0GCC: (Debian) 12\0clang\0"), ["GCC: (Debian) 12", "clang"]);
        let many: String = (0..10_000).map(|at| format!("{at}\0")).collect();
        assert_eq!(compilers(many.as_bytes()).len(), MAX_COMPILERS);
    }
}
