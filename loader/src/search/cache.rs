//! Reads `/etc/ld.so.cache`, in which `ldconfig` keeps where libraries are: the form `glibc-ld.so.cache1.1` of glibc
//! (`sysdeps/generic/dl-cache.h`). Root writes it, but what is not as it should be is passed over all the same: the loader
//! then finds less, never something else.

use std::path::PathBuf;

use lazaret_policy::Arch;

/// Largest cache that is read, in bytes. A full distribution has some 300 KiB; a sparse file cannot fill the memory.
pub(super) const CACHE_LIMIT: u64 = 8 << 20;
/// Most names of processor levels; glibc knows three for each processor.
const LEVEL_LIMIT: usize = 64;

const MAGIC: &[u8] = b"glibc-ld.so.cache1.1";
const HEADER: usize = 48;
const ENTRY: usize = 24;
const EXTENSION_MAGIC: u32 = 0xeaa4_2174;
const TAG_GLIBC_HWCAPS: u32 = 1;
/// `DL_CACHE_HWCAP_EXTENSION`: the low half of the word is a position in the list of levels.
const LEVEL_BIT: u64 = 1 << 62;

/// One library in the cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) path: PathBuf,
    /// The processor it is for, as directories beneath `glibc-hwcaps` are called; `None` fits every one.
    pub(super) level: Option<String>,
}

/// The libraries of one architecture, in the order of the cache; none of a file in another form.
pub(super) fn read(bytes: &[u8], arch: Arch) -> Vec<Entry> {
    entries(bytes, arch).unwrap_or_default()
}

fn entries(bytes: &[u8], arch: Arch) -> Option<Vec<Entry>> {
    // `FLAG_ELF_LIBC6` with `FLAG_X8664_LIB64` or `FLAG_AARCH64_LIB64`.
    let wanted = match arch {
        Arch::X86_64 => 0x0303,
        Arch::Aarch64 => 0x0a03,
    };
    // Of no order of bytes (from before glibc 2.33), or of little-endian machines.
    let little = matches!(bytes.get(28)? & 3, 0 | 2);
    if !bytes.starts_with(MAGIC) || !little {
        return None;
    }
    let count = usize::try_from(word(bytes, 20)?).ok()?;
    let table = bytes.get(HEADER..HEADER.checked_add(count.checked_mul(ENTRY)?)?)?;
    let levels = levels(bytes).unwrap_or_default();
    let entry = |entry: &[u8]| {
        let hwcap = u64::from(word(entry, 16)?) | u64::from(word(entry, 20)?) << 32;
        let level = match hwcap {
            0 => None,
            // Levels of before glibc 2.33 are bits of another kind, and later loaders do not use them.
            _ if hwcap & LEVEL_BIT == 0 => return None,
            _ => Some(levels.get(usize::try_from(hwcap & 0xffff_ffff).ok()?)?.clone()),
        };
        let (name, path) = (string(bytes, word(entry, 4)?)?, string(bytes, word(entry, 8)?)?);
        // A relative path would depend on where the host stands.
        let fits = word(entry, 0)? == wanted && path.starts_with('/') && !name.is_empty();
        fits.then(|| Entry { name: name.to_owned(), path: path.into(), level })
    };
    Some(table.as_chunks::<ENTRY>().0.iter().filter_map(|bytes| entry(bytes)).collect())
}

/// The names of processor levels, which the extension of the file holds.
fn levels(bytes: &[u8]) -> Option<Vec<String>> {
    let start = usize::try_from(word(bytes, 32)?).ok()?;
    let extension = bytes.get(start..)?;
    if start == 0 || word(extension, 0)? != EXTENSION_MAGIC {
        return None;
    }
    let sections = extension.get(8..)?.as_chunks::<16>().0.iter();
    let mut sections = sections.take(usize::try_from(word(extension, 4)?).ok()?);
    let section = sections.find(|section| word(*section, 0) == Some(TAG_GLIBC_HWCAPS))?;
    let [from, size] = [8, 12].map(|at| word(section, at).and_then(|value| usize::try_from(value).ok()));
    let names = bytes.get(from?..from?.checked_add(size?)?)?.as_chunks::<4>().0;
    names.iter().take(LEVEL_LIMIT).map(|at| Some(string(bytes, u32::from_le_bytes(*at))?.to_owned())).collect()
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// A string ends at its zero byte, and is no longer than a path.
fn string(bytes: &[u8], at: u32) -> Option<&str> {
    const PATH_MAX: usize = 4096;
    let rest = bytes.get(usize::try_from(at).ok()?..)?;
    let end = rest.iter().take(PATH_MAX).position(|byte| *byte == 0)?;
    std::str::from_utf8(rest.get(..end)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A cache of two libraries, one of them for a processor level too.
    fn sample() -> Vec<u8> {
        let strings =
            b"libx.so.1\0/lib/libx.so.1\0/lib/glibc-hwcaps/x86-64-v3/libx.so.1\0x86-64-v3\0liby.so\0/lib32/liby.so\0";
        let at = |text: &str| {
            let place = strings.windows(text.len() + 1).position(|window| window == format!("{text}\0").as_bytes());
            u32::try_from(HEADER + 3 * ENTRY + place.expect("a string")).expect("small")
        };
        let mut bytes = MAGIC.to_vec();
        bytes.extend(3_u32.to_le_bytes());
        bytes.extend(u32::try_from(strings.len()).expect("small").to_le_bytes());
        bytes.extend([2, 0, 0, 0]);
        let extension = HEADER + 3 * ENTRY + strings.len();
        bytes.extend(u32::try_from(extension).expect("small").to_le_bytes());
        bytes.extend([0; 12]);
        for (flags, name, path, hwcap) in [
            (0x0303_u32, "libx.so.1", "/lib/glibc-hwcaps/x86-64-v3/libx.so.1", LEVEL_BIT),
            (0x0303, "libx.so.1", "/lib/libx.so.1", 0),
            (0x0003, "liby.so", "/lib32/liby.so", 0),
        ] {
            for word in [flags, at(name), at(path), 0] {
                bytes.extend(word.to_le_bytes());
            }
            bytes.extend(hwcap.to_le_bytes());
        }
        bytes.extend(strings);
        let list = u32::try_from(extension + 8 + 16).expect("small");
        for word in [EXTENSION_MAGIC, 1, TAG_GLIBC_HWCAPS, 0, list, 4, at("x86-64-v3")] {
            bytes.extend(word.to_le_bytes());
        }
        bytes
    }

    #[test]
    fn libraries_of_the_architecture_are_read_with_their_levels_and_others_are_not() {
        let read = read(&sample(), Arch::X86_64);
        let read: Vec<_> = read.iter().map(|entry| (entry.path.to_str(), entry.level.as_deref())).collect();
        let special = (Some("/lib/glibc-hwcaps/x86-64-v3/libx.so.1"), Some("x86-64-v3"));
        assert_eq!(read, [special, (Some("/lib/libx.so.1"), None)]);
        assert_eq!(super::read(&sample(), Arch::Aarch64), []);
    }

    #[test]
    fn no_byte_of_a_cache_makes_reading_panic_or_find_more() {
        let whole = sample();
        for end in 0..whole.len() {
            assert!(read(&whole[..end], Arch::X86_64).len() <= 2, "cut at {end}");
        }
        for at in 0..whole.len() {
            for value in [0, 1, 0x7f, 0x80, 0xff] {
                let mut bytes = whole.clone();
                bytes[at] = value;
                let read = read(&bytes, Arch::X86_64);
                assert!(read.len() <= 3 && read.iter().all(|entry| entry.path.is_absolute()), "byte {at} = {value}");
            }
        }
    }
}
