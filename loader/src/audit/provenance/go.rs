//! What the Go linker writes: toolchain, modules and build settings (`runtime/debug.BuildInfo`). Found and read as Go's own
//! `debug/buildinfo` does.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use super::{View, string};
use crate::audit::bytes::{entry, range, u64_at};
use crate::audit::text::hex;

/// Where it stands.
pub(super) const SECTION: &str = ".go.buildinfo";

const MAGIC: &[u8; 14] = b"\xff Go buildinf:";

/// The blob begins at a multiple of this.
const ALIGN: u64 = 16;

/// What stands in front of the inline strings: magic, pointer size, flags, and room for two pointers.
const HEAD: usize = 32;

/// Flags: the strings follow the head (Go 1.18 and later), instead of two pointers to them.
const INLINE: u8 = 2;
const BIG_ENDIAN: u8 = 1;

/// What stands in front of the module text and behind it.
const SENTINEL: usize = 16;

/// The longest module text, about ten times that of the largest programs: it is kept, a few times over.
const MAX_TEXT: usize = 1 << 20;

/// The most modules and settings: lines are cheap to write.
const MAX_LINES: usize = 16_384;

/// The Go build information of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq, JsonSchema, Serialize)]
pub struct GoBuild {
    /// The toolchain, `go1.25.5`.
    pub toolchain: String,
    /// The path of the main package.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The module of the main package.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub main: Option<GoModule>,
    /// The modules that it is built from.
    pub modules: Vec<GoModule>,
    /// Build settings, such as `-buildmode` and `vcs.revision`.
    pub settings: BTreeMap<String, String>,
}

/// A Go module.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize)]
pub struct GoModule {
    /// Its path.
    pub path: String,
    /// Its version: `v1.2.3`, a pseudo-version, or `(devel)`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Its checksum as in `go.sum`, `h1:` and base64.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sum: Option<String>,
    /// What was taken in its place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replaced_by: Option<GoReplacement>,
}

/// What a `replace` line of `go.mod` put in the place of a module.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize)]
pub struct GoReplacement {
    /// A module, or a directory.
    pub path: String,
    /// Its version; none for a directory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Its checksum as in `go.sum`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sum: Option<String>,
}

impl GoReplacement {
    /// Whether it is a directory of the machine that built the file.
    #[must_use]
    pub fn is_directory(&self) -> bool {
        // `go help mod edit`: a path that begins so is a directory, every other one is a module.
        self.path.starts_with(['.', '/'])
    }
}

/// Reads the build information, if there is any.
pub(super) fn read(view: &View<'_>) -> Result<Option<GoBuild>, String> {
    let Some(blob) = find(view) else { return Ok(None) };
    let (toolchain, text) = strings(blob, |address, len| {
        let offset = view.image.offset(address, len)?;
        range(view.image.bytes, offset, len)
    })?;
    build(toolchain, text).map(Some)
}

/// The blob and what follows it: in its section, or in the first segment that is written to and not executed.
fn find<'a>(view: &View<'a>) -> Option<&'a [u8]> {
    let (start, data) = match view.section(SECTION) {
        // A section of that name is aligned as the blob is.
        Some(data) => (0, data),
        None => {
            let load = view.image.loads.iter().find(|load| load.writable() && !load.executable())?;
            (load.vaddr, range(view.image.bytes, load.offset, load.filesz)?)
        }
    };
    let skipped = start.checked_next_multiple_of(ALIGN)?.checked_sub(start)?;
    let mut rest = data.get(usize::try_from(skipped).ok()?..)?;
    loop {
        if rest.starts_with(MAGIC) {
            return Some(rest);
        }
        rest = rest.get(usize::try_from(ALIGN).ok()?..)?;
    }
}

/// The toolchain and the module text.
fn strings<'a>(blob: &'a [u8], at: impl Fn(u64, u64) -> Option<&'a [u8]>) -> Result<(&'a [u8], &'a [u8]), String> {
    let head = entry::<HEAD>(blob, 0).ok_or("it ends inside its head")?;
    let [.., size, flags] = *entry::<16>(blob, 0).ok_or("it ends inside its head")?;
    if flags & INLINE != 0 {
        let (toolchain, rest) = counted(blob.get(HEAD..).unwrap_or_default())?;
        let (text, _) = counted(rest)?;
        return Ok((toolchain, text));
    }
    if size != 8 || flags & BIG_ENDIAN != 0 {
        return Err("it was written for another kind of processor".to_owned());
    }
    // Each points to a Go string: an address and a length.
    let pointed = |pointer: u64| {
        let place = at(pointer, 16).and_then(|place| entry::<16>(place, 0));
        let place = place.ok_or_else(|| format!("it points to {}, where no string is", hex(pointer)))?;
        let (address, len) = (u64_at::<0, _>(place), u64_at::<8, _>(place));
        if len == 0 {
            return Ok(&[] as &[u8]);
        }
        at(address, len).ok_or_else(|| format!("it points to a string at {}, which is not there", hex(address)))
    };
    Ok((pointed(u64_at::<16, _>(head))?, pointed(u64_at::<24, _>(head))?))
}

/// A string behind its length, and what follows.
fn counted(bytes: &[u8]) -> Result<(&[u8], &[u8]), String> {
    let mut len = 0_u64;
    for (at, byte) in bytes.iter().take(10).enumerate() {
        let shift = u32::try_from(at).unwrap_or(u32::MAX).saturating_mul(7);
        let part = u64::from(byte & 0x7f);
        // The tenth byte has room for one bit only.
        let shifted = part.checked_shl(shift).filter(|shifted| shifted.checked_shr(shift) == Some(part));
        len |= shifted.ok_or("the length of a string is no number")?;
        if byte & 0x80 == 0 {
            let rest = bytes.get(at.saturating_add(1)..).unwrap_or_default();
            let len = usize::try_from(len).unwrap_or(usize::MAX);
            return rest.split_at_checked(len).ok_or_else(|| format!("it ends inside a string of {len} bytes"));
        }
    }
    Err("the length of a string is no number".to_owned())
}

/// What the two strings say.
fn build(toolchain: &[u8], text: &[u8]) -> Result<GoBuild, String> {
    if toolchain.is_empty() {
        return Err("it names no toolchain".to_owned());
    }
    let mut build = GoBuild { toolchain: string(toolchain)?, ..GoBuild::default() };
    if text.len() > MAX_TEXT {
        return Err(format!("the list of modules has {} bytes; {MAX_TEXT} are read", text.len()));
    }
    // Programs that were not built from modules have none.
    if text.is_empty() {
        return Ok(build);
    }
    let ends = text.len().checked_sub(SENTINEL).filter(|ends| *ends > SENTINEL);
    let text = ends.and_then(|ends| text.get(SENTINEL..ends)).filter(|text| text.ends_with(b"\n"));
    let text = text.ok_or("the list of modules has no beginning or no end")?;
    let mut lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    // Which module a `=>` line is about.
    let mut last_is_main = false;
    for line in lines.by_ref().take(MAX_LINES) {
        let (word, rest) = split(line, b'\t').ok_or("a line has no value")?;
        match word {
            b"path" => build.path = Some(string(rest)?),
            b"mod" => {
                build.main = Some(module(rest)?);
                last_is_main = true;
            }
            b"dep" => {
                build.modules.push(module(rest)?);
                last_is_main = false;
            }
            b"=>" => {
                let of = if last_is_main { build.main.as_mut() } else { build.modules.last_mut() };
                let GoModule { path, version, sum, .. } = module(rest)?;
                of.ok_or("a replacement replaces nothing")?.replaced_by = Some(GoReplacement { path, version, sum });
            }
            b"build" => {
                let (key, value) = split(rest, b'=').ok_or("a build setting has no value")?;
                let (key, value) = (string(key)?, setting(value)?);
                build.settings.insert(key, value);
            }
            // Later toolchains may say more.
            _ => {}
        }
    }
    if lines.next().is_some() {
        return Err(format!("it has more than {MAX_LINES} lines"));
    }
    Ok(build)
}

fn split(line: &[u8], at: u8) -> Option<(&[u8], &[u8])> {
    let place = line.iter().position(|byte| *byte == at)?;
    Some((line.get(..place)?, line.get(place.checked_add(1)?..)?))
}

fn module(line: &[u8]) -> Result<GoModule, String> {
    let mut fields = line.split(|byte| *byte == b'\t');
    let mut next = || fields.next().filter(|field| !field.is_empty()).map(string).transpose();
    let path = next()?.ok_or("a module has no path")?;
    Ok(GoModule { path, version: next()?, sum: next()?, replaced_by: None })
}

/// A value with spaces or quotes is written as a Go string.
fn setting(value: &[u8]) -> Result<String, String> {
    match serde_json::from_slice::<String>(value) {
        Ok(text) => string(text.as_bytes()),
        Err(_) => string(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(lines: &str) -> Vec<u8> {
        [&[b'<'; SENTINEL], lines.as_bytes(), &[b'>'; SENTINEL]].concat()
    }

    fn inline(parts: &[&[u8]]) -> Vec<u8> {
        let mut blob = [MAGIC.as_slice(), &[0, INLINE], &[0; 16]].concat();
        for part in parts {
            let mut len = part.len();
            while len >= 0x80 {
                blob.push(len as u8 | 0x80);
                len >>= 7;
            }
            blob.push(len as u8);
            blob.extend(*part);
        }
        blob
    }

    fn parsed(blob: &[u8]) -> Result<GoBuild, String> {
        let (toolchain, text) = strings(blob, |_, _| None)?;
        build(toolchain, text)
    }

    #[test]
    fn modules_replacements_and_settings_are_read() {
        let lines = "path\texample.com/p\nmod\texample.com/p\t(devel)\t\ndep\tgolang.org/x/crypto\tv0.5.0\th1:x=\n\
                     =>\tgolang.org/x/crypto\tv0.20.0\th1:y=\ndep\texample.com/d\tv1.0.0\n=>\t./d\t\t\n\
                     build\t-buildmode=c-shared\nbuild\t-ldflags=\"-s -w\"\n";
        let build = parsed(&inline(&[b"go1.25.5", &text(lines)])).expect("readable");
        assert_eq!((build.toolchain.as_str(), build.path.as_deref()), ("go1.25.5", Some("example.com/p")));
        assert_eq!(build.main.expect("a main module").version.as_deref(), Some("(devel)"));
        let by: Vec<_> = build.modules.iter().map(|module| module.replaced_by.as_ref().expect("replaced")).collect();
        assert_eq!((by[0].version.as_deref(), by[0].is_directory()), (Some("v0.20.0"), false));
        assert_eq!((by[1].version.as_deref(), by[1].is_directory()), (None, true));
        assert_eq!(build.modules[0].sum.as_deref(), Some("h1:x="));
        assert_eq!(build.settings["-ldflags"], "-s -w");
        assert_eq!(build.settings["-buildmode"], "c-shared");
    }

    #[test]
    fn the_form_with_pointers_is_followed() {
        let list = text("path\tcommand-line-arguments\n");
        // At 0x100 two Go strings, at 0x200 the toolchain, at 0x300 the list.
        let place = |address: u64, len: u64| [address.to_le_bytes(), len.to_le_bytes()].concat();
        let mut memory = vec![0; 0x400];
        memory[0x100..0x110].copy_from_slice(&place(0x200, 6));
        memory[0x110..0x120].copy_from_slice(&place(0x300, list.len() as u64));
        memory[0x200..0x206].copy_from_slice(b"go1.16");
        memory[0x300..0x300 + list.len()].copy_from_slice(&list);
        let blob = |second: u64| [MAGIC.as_slice(), &[8, 0], &place(0x100, second)].concat();
        let at = |address: u64, len: u64| range(&memory, address, len);
        let good = blob(0x110);
        let (toolchain, list) = strings(&good, at).expect("readable");
        assert_eq!(build(toolchain, list).expect("readable").path.as_deref(), Some("command-line-arguments"));
        let (behind, nowhere) = (blob(0x3f8), blob(u64::MAX));
        assert!(strings(&behind, at).expect_err("behind the end").contains("0x3f8"));
        assert!(strings(&nowhere, at).is_err());
    }

    #[test]
    fn what_is_cut_short_overflows_or_lies_is_refused() {
        let whole = inline(&[b"go1.25.5", &text("path\tp\n")]);
        assert!((0..whole.len()).all(|len| parsed(&whole[..len]).is_err()));
        let head = &whole[..HEAD];
        assert!(parsed(&[head, &[0xff; 9], &[0x01]].concat()).expect_err("huge").contains("ends inside"));
        assert!(parsed(&[head, &[0xff; 9], &[0x02]].concat()).expect_err("too huge").contains("no number"));
        assert!(parsed(&[head, &[0xff; 10]].concat()).expect_err("endless").contains("no number"));
        let refused = |lines: &str| parsed(&inline(&[b"go1.25.5", &text(lines)])).expect_err(lines);
        assert!(refused("=>\tgolang.org/x/crypto\tv0.20.0\n").contains("replaces nothing"));
        assert!(refused("dep\n").contains("no value"));
        assert!(refused("dep\t\tv1\n").contains("no path"));
        assert!(refused("no line break").contains("no end"));
        assert!(refused(&"dep\ta\n".repeat(MAX_LINES + 1)).contains("lines"));
        assert!(refused(&"dep\ta\n".repeat(MAX_TEXT)).contains("bytes"));
        assert!(parsed(&inline(&[b"", b""])).is_err());
        assert!(parsed(&inline(&[b"go1.25.5", b""])).expect("no modules").modules.is_empty());
    }

    #[test]
    fn what_a_file_writes_cannot_move_the_cursor() {
        let build = parsed(&inline(&[b"go1.25.5\x1b[2J", &text("path\t\x1b[2J\n")])).expect("readable");
        assert!(!format!("{build:?}").contains('\x1b'));
    }
}
