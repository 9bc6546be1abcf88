//! What the kernel has of a policy's AppArmor profile, and under which profile a process is (apparmor(7); the files are those
//! of `security/apparmor/apparmorfs.c` and of proc_pid_attr(5)).

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use lazaret_cell::sealed::memory_file;
use lazaret_policy::{Policy, Profile, ProfileState, Variables};
use ring::digest::{Algorithm, SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};
use rustix::fd::OwnedFd;

use crate::call::hex;
use crate::process;

/// The profiles that are loaded, as far as this process's policy namespace has them.
const PROFILES: &str = "/sys/kernel/security/apparmor/policy/profiles";

/// Where distributions have the compiler of profiles; Void the last.
const PARSERS: [&str; 3] = ["/usr/sbin/apparmor_parser", "/sbin/apparmor_parser", "/usr/bin/apparmor_parser"];

/// How long that may take. It takes some hundredths of a second.
const PATIENCE: Duration = Duration::from_secs(20);

/// Largest compiled profile.
const COMPILED_LIMIT: usize = 64 << 20;

/// Files that have the digest of a loaded profile as it was given to the kernel, with how it was made: SHA-256 from Linux 6.6
/// on, SHA-1 before.
const DIGESTS: [(&str, &Algorithm); 2] = [("raw_sha256", &SHA256), ("raw_sha1", &SHA1_FOR_LEGACY_USE_ONLY)];

/// Whether AppArmor is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lsm {
    On,
    Off,
    /// procfs is not mounted, or this process may not read it.
    Unseen,
}

/// Asks the kernel for this process's own label: it answers `EINVAL` where AppArmor is off, and has no such file where it is
/// not built in.
pub(crate) fn lsm() -> Lsm {
    match label(Subject::Own) {
        Ok(_) => Lsm::On,
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => Lsm::Off,
        Err(error) if error.kind() == io::ErrorKind::NotFound && Path::new("/proc/self").exists() => Lsm::Off,
        Err(_) => Lsm::Unseen,
    }
}

/// What the kernel is told to do with all profiles (`apparmor.mode`); `None` to whoever may not read it.
pub(crate) fn overruled() -> Option<bool> {
    // A program that breaks a profile is killed then, which refuses it as well.
    word(Path::new("/sys/module/apparmor/parameters/mode")).map(|mode| !matches!(mode.as_str(), "enforce" | "kill"))
}

/// A profile that is loaded and enforced, and has the rules that a policy means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LoadedProfile {
    name: String,
    /// Which of [`DIGESTS`] the kernel has, in hexadecimal.
    digest: (&'static str, String),
}

impl LoadedProfile {
    /// Whether it is still what it was. It may lie in another place: somebody loaded it anew.
    pub(crate) fn stands(&self) -> bool {
        let (file, digest) = &self.digest;
        enforced(&self.name).is_ok_and(|place| word(&place.join(file)).as_ref() == Some(digest))
    }
}

/// Compiles profiles, and keeps what came of it.
#[derive(Debug, Default)]
pub(crate) struct Profiles {
    /// By text: the digests of what it compiles to, in the order of [`DIGESTS`].
    compiled: Mutex<BTreeMap<String, [String; 2]>>,
}

/// The profile of a policy on this machine: symbolic links are followed as they lie now.
pub(crate) fn profile(policy: &Policy, variables: &Variables) -> Profile {
    policy.apparmor(variables, |path| fs::canonicalize(path).ok())
}

impl Profiles {
    /// How the profile stands, and where it is if all is well.
    pub(crate) fn look(&self, policy: &Policy, variables: &Variables) -> (ProfileState, Option<LoadedProfile>) {
        // Where there is no AppArmor, as on most machines, nobody writes a profile.
        let profile = on().map(|()| profile(policy, variables));
        let (profile, place) = match profile.and_then(|profile| enforced(&profile.name).map(|place| (profile, place))) {
            Ok(found) => found,
            Err(state) => return (state, None),
        };
        let has = DIGESTS.iter().enumerate().find_map(|(at, (file, _))| Some((at, *file, word(&place.join(file))?)));
        let Some((at, file, has)) = has else { return (ProfileState::Uncompared, None) };
        // What was compiled earlier need not be what the parser makes of it now: it may be another since, or its settings.
        let known = self.known(&profile.text).filter(|digests| digests[at] == has);
        match known.map_or_else(|| self.compile(&profile.text), Ok) {
            Ok(digests) if digests[at] == has => {
                (ProfileState::Enforced, Some(LoadedProfile { name: profile.name, digest: (file, has) }))
            }
            Ok(_) => (ProfileState::Different, None),
            Err(error) => {
                tracing::warn!(%error, "apparmor_parser");
                (ProfileState::Uncompared, None)
            }
        }
    }

    /// The digests of what a text compiled to the last time.
    fn known(&self, text: &str) -> Option<[String; 2]> {
        self.compiled.lock().unwrap_or_else(PoisonError::into_inner).get(text).cloned()
    }

    /// The digests of what a text compiles to.
    pub(crate) fn compile(&self, text: &str) -> io::Result<[String; 2]> {
        let parser = parser().ok_or(io::ErrorKind::NotFound)?;
        // As the init system compiles it: with the machine's own settings, for the kernel that runs.
        let words = ["--skip-kernel-load", "--skip-cache", "--quiet", "--stdout"];
        let bytes = process::output(parser, &words, text_file(text)?, COMPILED_LIMIT, PATIENCE)?;
        let digests = DIGESTS.map(|(_, algorithm)| hex(digest(algorithm, &bytes).as_ref()));
        let mut compiled = self.compiled.lock().unwrap_or_else(PoisonError::into_inner);
        compiled.insert(text.to_owned(), digests.clone());
        Ok(digests)
    }
}

/// Where the compiler of profiles is.
pub(crate) fn parser() -> Option<&'static Path> {
    PARSERS.into_iter().map(Path::new).find(|parser| parser.is_file())
}

fn text_file(text: &str) -> io::Result<OwnedFd> {
    let file = memory_file("lazaret-profile")?;
    let mut file = fs::File::from(file);
    io::Write::write_all(&mut file, text.as_bytes())?;
    io::Seek::rewind(&mut file)?;
    Ok(file.into())
}

/// Where the kernel has a profile of that name. Its directories are called by the name and a number.
fn find(name: &str) -> io::Result<Option<PathBuf>> {
    for entry in fs::read_dir(PROFILES)? {
        let entry = entry?;
        let numbered = |number: &str| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        let file = entry.file_name();
        let place = file.to_str().and_then(|file| file.strip_prefix(name)?.strip_prefix('.'));
        if place.is_some_and(numbered) && word(&entry.path().join("name")).as_deref() == Some(name) {
            return Ok(Some(entry.path()));
        }
    }
    Ok(None)
}

/// That AppArmor is on, or how every profile stands where it is not.
fn on() -> Result<(), ProfileState> {
    match lsm() {
        Lsm::On => Ok(()),
        Lsm::Off => Err(ProfileState::Off),
        Lsm::Unseen => Err(ProfileState::Unseen),
    }
}

/// Where the kernel has an enforced profile of that name, whatever its rules are; or how it stands instead.
pub(crate) fn enforced(name: &str) -> Result<PathBuf, ProfileState> {
    on()?;
    match find(name) {
        Ok(Some(_)) if overruled() == Some(true) => Err(ProfileState::Overruled),
        Ok(Some(place)) if is_enforced(&place) => Ok(place),
        Ok(Some(_)) => Err(ProfileState::Lenient),
        Ok(None) => Err(ProfileState::Missing),
        Err(error) => {
            tracing::warn!(%error, path = PROFILES, "AppArmor's profiles");
            Err(ProfileState::Unseen)
        }
    }
}

fn is_enforced(place: &Path) -> bool {
    word(&place.join("mode")).as_deref() == Some("enforce")
}

/// A file of one line.
fn word(path: &Path) -> Option<String> {
    fs::read_to_string(path).ok().map(|text| text.trim_end_matches('\n').to_owned())
}

/// Whose label.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Subject {
    /// The calling thread's.
    Own,
    /// That of a process.
    Process(u32),
    /// That of one thread of a process.
    Thread(u32, u32),
}

/// The label of a process or thread, as the kernel writes it: `unconfined`, or names of profiles with `//&` between them,
/// and in brackets whether they are enforced.
pub(crate) fn label(of: Subject) -> io::Result<String> {
    let path = match of {
        Subject::Own => "/proc/thread-self/attr/apparmor/current".to_owned(),
        Subject::Process(pid) => format!("/proc/{pid}/attr/apparmor/current"),
        Subject::Thread(pid, thread) => format!("/proc/{pid}/task/{thread}/attr/apparmor/current"),
    };
    fs::read_to_string(path).map(|label| label.trim_end_matches('\n').to_owned())
}

/// The label of this process, where it is confined.
pub(crate) fn own() -> Option<String> {
    label(Subject::Own).ok().filter(|label| !is_unconfined(label))
}

/// Whether a process of this label is confined by nothing.
pub(crate) fn is_unconfined(label: &str) -> bool {
    label == "unconfined"
}

/// What the label of a cell must be that entered `profile` from a process with the label `before`; `Err` has what it must be
/// if `label` is something else. That `profile` itself is enforced is not all that a label of several says: the kernel calls
/// one `mixed` of which the others complain, so [`LoadedProfile::stands`] is asked as well.
pub(crate) fn entered(label: &str, profile: &str, before: &str) -> Result<(), String> {
    if is_unconfined(before) {
        let wanted = format!("{profile} (enforce)");
        return if label == wanted { Ok(()) } else { Err(wanted) };
    }
    let (before, _) = split_mode(before);
    let wanted: BTreeSet<&str> = before.split(STACKED).chain([profile]).collect();
    let (names, mode) = split_mode(label);
    if names.split(STACKED).collect::<BTreeSet<_>>() == wanted && matches!(mode, "enforce" | "mixed") {
        return Ok(());
    }
    Err(format!("{before}{STACKED}{profile} (enforce)"))
}

/// The profiles that a label names.
pub(crate) fn names(label: &str) -> impl Iterator<Item = &str> {
    split_mode(label).0.split(STACKED)
}

/// Between the names of a label.
const STACKED: &str = "//&";

/// The names of a label, and the mode behind them; none for what is unconfined.
pub(crate) fn split_mode(label: &str) -> (&str, &str) {
    label.strip_suffix(')').and_then(|label| label.rsplit_once(" (")).unwrap_or((label, ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_compared_as_a_whole() {
        let is = |label, before| entered(label, "lazaret-cell.a", before).is_ok();
        assert!(is("lazaret-cell.a (enforce)", "unconfined"));
        for forged in [
            "lazaret-cell.a (complain)",
            "lazaret-cell.a (enforce) (complain)",
            "lazaret-cell.a (mixed)",
            "lazaret-cell.ab (enforce)",
            ":other://lazaret-cell.a (enforce)",
            "lazaret-cell.a//&unconfined (enforce)",
            "lazaret-cell.a//null-/bin/sh (enforce)",
            "lazaret-cell.a",
            "unconfined",
            "",
        ] {
            assert!(!is(forged, "unconfined"), "{forged}");
        }
    }

    #[test]
    fn a_confined_host_adds_its_own_label() {
        let is = |label, before| entered(label, "lazaret-cell.a", before).is_ok();
        assert!(is("host//&lazaret-cell.a (enforce)", "host (enforce)"));
        assert!(is("a//&host//&lazaret-cell.a (mixed)", "host//&a (complain)"));
        for forged in [
            "lazaret-cell.a (enforce)",
            "host (enforce)",
            "host//&lazaret-cell.a (complain)",
            "other//&lazaret-cell.a (enforce)",
            "host//&lazaret-cell.a",
            "host//&other//&lazaret-cell.a (enforce)",
        ] {
            assert!(!is(forged, "host (enforce)"), "{forged}");
        }
    }
}
