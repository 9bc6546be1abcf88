//! The order of versions, in each ecosystem's own way. A text that has no place in that order is no version.

use std::cmp::Ordering;

use super::{Ecosystem, GO_STDLIB};

/// A version that others can be compared with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Version {
    /// Go and Rust: semver 2, without what stands behind `+`.
    Semantic(semver::Version),
    /// deb-version(7).
    Debian(Parts),
    /// rpm-version(7).
    Rpm(Parts),
}

/// `epoch:version-release` of a package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Parts {
    epoch: u32,
    version: String,
    release: Option<String>,
}

impl Version {
    /// Reads the version of a module called `name`.
    pub(super) fn read(ecosystem: Ecosystem, name: &str, text: &str) -> Option<Self> {
        match ecosystem {
            Ecosystem::Go if name == GO_STDLIB => match text.strip_prefix("go") {
                Some(text) => toolchain(text),
                None => semantic(text).or_else(|| toolchain(text)),
            },
            Ecosystem::Go => semantic(text.strip_prefix('v').unwrap_or(text)),
            Ecosystem::Cargo => semantic(text),
            Ecosystem::Deb => parts(text).map(Self::Debian),
            Ecosystem::Rpm => parts(text).map(Self::Rpm),
        }
    }

    /// How it stands to another; `None` for one of another kind.
    pub(super) fn order(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Semantic(mine), Self::Semantic(theirs)) => Some(mine.cmp_precedence(theirs)),
            (Self::Debian(mine), Self::Debian(theirs)) => {
                // No revision is the revision 0, deb-version(7).
                let revision = |parts: &Parts| parts.release.clone().unwrap_or_default();
                let versions = debian(&mine.version, &theirs.version);
                let order = mine.epoch.cmp(&theirs.epoch).then(versions);
                Some(order.then_with(|| debian(&revision(mine), &revision(theirs))))
            }
            (Self::Rpm(mine), Self::Rpm(theirs)) => {
                // A version without a release stands for all of them, as in an RPM dependency.
                let releases = mine.release.as_deref().zip(theirs.release.as_deref());
                let order = mine.epoch.cmp(&theirs.epoch).then(rpm(&mine.version, &theirs.version));
                Some(order.then_with(|| releases.map_or(Ordering::Equal, |(mine, theirs)| rpm(mine, theirs))))
            }
            _ => None,
        }
    }
}

/// A semantic version whose last numbers may be missing: people write `0.17`.
fn semantic(text: &str) -> Option<Version> {
    let end = text.find(['-', '+']).unwrap_or(text.len());
    let (numbers, rest) = text.split_at_checked(end)?;
    let zeros = match numbers.matches('.').count() {
        0 => ".0.0",
        1 => ".0",
        _ => "",
    };
    semver::Version::parse(&format!("{numbers}{zeros}{rest}")).ok().map(Version::Semantic)
}

/// A version as the Go toolchain calls itself behind `go`: `1.25.5`, `1.25rc1`, with the suffix of a vendor behind `-` and
/// experiments behind a space, which do not count (`go help`'s "toolchain", `go/version`).
fn toolchain(text: &str) -> Option<Version> {
    let text = text.split(['-', '+', ' ']).next()?;
    let end = text.find(|one: char| one.is_ascii_alphabetic()).unwrap_or(text.len());
    let (numbers, stage) = text.split_at_checked(end)?;
    if stage.is_empty() {
        return semantic(numbers);
    }
    let (stage, number) = ["beta", "rc"].iter().find_map(|name| Some((*name, stage.strip_prefix(name)?)))?;
    let Version::Semantic(mut version) = semantic(numbers)? else { return None };
    version.pre = semver::Prerelease::new(&format!("{stage}.{number}")).ok()?;
    Some(Version::Semantic(version))
}

fn parts(text: &str) -> Option<Parts> {
    let (epoch, rest) = text.split_once(':').unwrap_or(("0", text));
    let (version, release) = rest.rsplit_once('-').map_or((rest, None), |(version, release)| (version, Some(release)));
    let known = |byte: u8| byte.is_ascii_alphanumeric() || b".+~^_-:".contains(&byte);
    let plain =
        !version.is_empty() && text.bytes().all(known) && version.starts_with(|one: char| one.is_ascii_alphanumeric());
    plain.then_some(())?;
    Some(Parts { epoch: epoch.parse().ok()?, version: version.to_owned(), release: release.map(str::to_owned) })
}

/// Runs of other characters and runs of digits, in turns (dpkg, `lib/dpkg/version.c`, `verrevcmp`).
fn debian(mine: &str, theirs: &str) -> Ordering {
    // A tilde is before the end, letters are before everything else.
    let weight = |byte: Option<&u8>| match byte {
        None => 0,
        Some(b'~') => -1,
        Some(byte) if byte.is_ascii_digit() => 0,
        Some(byte) if byte.is_ascii_alphabetic() => i32::from(*byte),
        Some(byte) => i32::from(*byte) + 256,
    };
    let is_text = |bytes: &[u8]| bytes.first().is_some_and(|byte| !byte.is_ascii_digit());
    let (mut mine, mut theirs) = (mine.as_bytes(), theirs.as_bytes());
    while !mine.is_empty() || !theirs.is_empty() {
        while is_text(mine) || is_text(theirs) {
            let order = weight(mine.first()).cmp(&weight(theirs.first()));
            if order.is_ne() {
                return order;
            }
            mine = mine.get(1..).unwrap_or_default();
            theirs = theirs.get(1..).unwrap_or_default();
        }
        let (left, right) = (take(&mut mine, u8::is_ascii_digit), take(&mut theirs, u8::is_ascii_digit));
        let order = number(left, right);
        if order.is_ne() {
            return order;
        }
    }
    Ordering::Equal
}

/// Runs of digits and runs of letters; everything else separates them (rpm, `rpmio/rpmvercmp.cc`).
fn rpm(mine: &str, theirs: &str) -> Ordering {
    let separates = |byte: &u8| !byte.is_ascii_alphanumeric() && !matches!(byte, b'~' | b'^');
    let (mut mine, mut theirs) = (mine.as_bytes(), theirs.as_bytes());
    loop {
        take(&mut mine, separates);
        take(&mut theirs, separates);
        match (mine.split_first(), theirs.split_first()) {
            // A tilde is before the end, a caret behind it and before everything else.
            (Some((b'~', left)), Some((b'~', right))) | (Some((b'^', left)), Some((b'^', right))) => {
                (mine, theirs) = (left, right);
                continue;
            }
            (Some((b'~', _)), _) => return Ordering::Less,
            (_, Some((b'~', _))) => return Ordering::Greater,
            (Some((b'^', _)), right) => return if right.is_some() { Ordering::Less } else { Ordering::Greater },
            (left, Some((b'^', _))) => return if left.is_some() { Ordering::Greater } else { Ordering::Less },
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => return Ordering::Less,
            (Some(_), None) => return Ordering::Greater,
            (Some((first, _)), Some((other, _))) if first.is_ascii_digit() != other.is_ascii_digit() => {
                return if first.is_ascii_digit() { Ordering::Greater } else { Ordering::Less };
            }
            (Some((first, _)), Some(_)) => {
                let digits = first.is_ascii_digit();
                let kind = if digits { u8::is_ascii_digit } else { u8::is_ascii_alphabetic };
                let (left, right) = (take(&mut mine, kind), take(&mut theirs, kind));
                let order = if digits { number(left, right) } else { left.cmp(right) };
                if order.is_ne() {
                    return order;
                }
            }
        }
    }
}

/// Takes the bytes at the front that are of a kind.
fn take<'a>(bytes: &mut &'a [u8], kind: impl Fn(&u8) -> bool) -> &'a [u8] {
    let end = bytes.iter().position(|byte| !kind(byte)).unwrap_or(bytes.len());
    let (front, rest) = bytes.split_at_checked(end).unwrap_or((bytes, &[]));
    *bytes = rest;
    front
}

/// Numbers of any length.
fn number(mine: &[u8], theirs: &[u8]) -> Ordering {
    let trim = |digits: &[u8]| digits.iter().copied().skip_while(|byte| *byte == b'0').collect::<Vec<_>>();
    let (mine, theirs) = (trim(mine), trim(theirs));
    mine.len().cmp(&theirs.len()).then_with(|| mine.cmp(&theirs))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn ascend(ecosystem: Ecosystem, versions: &[&str]) {
        let read = |text: &&str| Version::read(ecosystem, "a", text).unwrap_or_else(|| panic!("{text}"));
        for (at, low) in versions.iter().enumerate() {
            assert_eq!(read(low).order(&read(low)), Some(Ordering::Equal), "{low}");
            for high in &versions[at + 1..] {
                assert_eq!(read(low).order(&read(high)), Some(Ordering::Less), "{low} {high}");
                assert_eq!(read(high).order(&read(low)), Some(Ordering::Greater), "{high} {low}");
            }
        }
    }

    #[test]
    fn debian_versions_ascend_as_dpkg_has_them() {
        // `dpkg --compare-versions` agrees with every pair.
        ascend(
            Ecosystem::Deb,
            &[
                "0~~",
                "0~~a",
                "0~",
                "0",
                "0a",
                "0+",
                "1.0~rc1-1",
                "1.0-1~bpo1",
                "1.0-1",
                "1.0-1+b1",
                "1.0-2",
                "1.0a-1",
                "1.0.1-1",
                "1.10-1",
                "1:0.1",
            ],
        );
    }

    #[test]
    fn rpm_versions_ascend_as_rpm_has_them() {
        // From rpm's own tests (`tests/rpmvercmp.at`).
        ascend(
            Ecosystem::Rpm,
            &[
                "1.0~rc1", "1.0~rc2", "1.0", "1.0^", "1.0^git1", "1.0.1", "1.1", "1.1.a", "1.1.0", "1.10", "2.0",
                "1:0.1",
            ],
        );
        let order = |mine, theirs| rpm(mine, theirs);
        assert_eq!(order("2_0", "2.0"), Ordering::Equal);
        assert_eq!(order("5.5p1", "5.5p10"), Ordering::Less);
        assert_eq!(order("10xyz", "10.1xyz"), Ordering::Less);
        assert_eq!(order("xyz.4", "8"), Ordering::Less);
        assert_eq!(order("20101122", "20101121"), Ordering::Greater);
    }
}
