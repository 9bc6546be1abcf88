//! From a policy to the AppArmor profile of its cells, as text for `apparmor_parser(8)` (apparmor.d(5), ABI 3.0). It grants
//! what Landlock grants, and of what Landlock does not see (sockets, signals, locks) what the filters grant. Everything else
//! that AppArmor mediates it refuses: executing, mapping files as code, tracing, capabilities, mounts, other profiles; and
//! changing modes and owners outside of what may be written. It does not look at times and attributes of files.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

use crate::front::compile::{Dropped, Variables, expand};
use crate::front::document::{GrantedPath, Root};
use crate::front::narrow::Granted;
use crate::front::policy::Policy;
use crate::front::text::Place;

/// What the names of the profiles of cells begin with. The rest is the name of the policy.
pub const PROFILE_PREFIX: &str = "lazaret-cell.";

/// An AppArmor profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// The name under which the kernel has it once it is loaded. No two policies of one name can be loaded at a time.
    pub name: String,
    /// What `apparmor_parser(8)` reads.
    pub text: String,
    /// Grants that are not in it, because their variable has no value.
    pub dropped: Vec<Dropped>,
}

/// Rights to a path and everything beneath it.
#[derive(Default)]
struct Rights {
    read: bool,
    write: bool,
    why: Vec<String>,
}

/// Address families that a profile can name, `socket(2)`.
const FAMILIES: [(&str, u64); 9] = [
    ("unix", 1),
    ("inet", 2),
    ("inet6", 10),
    ("netlink", 16),
    ("packet", 17),
    ("bluetooth", 31),
    ("alg", 38),
    ("vsock", 40),
    ("xdp", 44),
];

/// Types of sockets that a profile can name, `socket(2)`.
const TYPES: [(&str, u64); 6] = [("stream", 1), ("dgram", 2), ("raw", 3), ("rdm", 4), ("seqpacket", 5), ("packet", 10)];

impl Policy {
    /// The profile of this policy's cells; what a plugin's requests take away is left to the other layers. `resolve` follows the
    /// symbolic links of a path, as a cell does when it opens what it is granted: AppArmor compares the place that a path leads to.
    /// It answers `None` where that cannot be said.
    #[must_use]
    pub fn apparmor(&self, variables: &Variables, resolve: impl Fn(&Path) -> Option<PathBuf>) -> Profile {
        let policy = self.unasked();
        let name = policy.profile_name(variables);
        let (files, dropped) = policy.files(variables, resolve);
        let mut text = format!(
            "# AppArmor profile of the cells of the policy `{}`, made by `lazaret apparmor`. A load compares what the\n\
             # kernel has with what the policy says: change the policy, and make this file anew.\n\n\
             abi <abi/3.0>,\n\nprofile {name} {{\n\
             \x20 # Every cell: its standard descriptors, and being looked at and ended from outside.\n\
             \x20 /dev/null rw,\n  ptrace (readby),\n  signal (receive),\n",
            policy.name(),
        );
        for (path, rights) in &files {
            text.push('\n');
            for why in &rights.why {
                line(&mut text, &format!("# {why}"));
            }
            for rule in rules(path, rights, policy.may_lock()) {
                line(&mut text, &rule);
            }
        }
        for dropped in &dropped {
            let what = format!("# {}: not granted, since {} ({})", dropped.what, dropped.why, dropped.origin);
            text.push('\n');
            line(&mut text, &printable(&what));
        }
        for (family, domain) in FAMILIES {
            for (name, kind) in TYPES {
                if let Some(place) = policy.makes_socket(domain, kind) {
                    let _infallible = write!(text, "\n  # {}\n  network {family} {name},\n", why("", place));
                }
            }
        }
        if let Some(place) = policy.may_signal() {
            // A process that was confined before has both labels.
            let _infallible = write!(
                text,
                "\n  # {}\n  signal (send) peer={name},\n  signal (send) peer={{**//&,}}{name}{{//&**,}},\n",
                why("", place)
            );
        }
        text.push_str("}\n");
        Profile { name, text, dropped }
    }

    /// A policy that grants something in a place that differs from load to load has a profile for each place.
    pub(crate) fn profile_name(&self, variables: &Variables) -> String {
        let name = format!("{PROFILE_PREFIX}{}", self.name());
        let all = &self.unasked().effective;
        let granted = |root| all.read.items().iter().chain(all.write.items()).any(|item| item.value.root == root);
        let places = [(Root::Bundle, &variables.bundle), (Root::State, &variables.state)];
        let places = places.into_iter().filter(|(root, _)| granted(*root)).filter_map(|(_, place)| place.as_ref());
        let mut bytes = places.flat_map(|place| place.as_os_str().as_bytes().iter().chain(&[0])).peekable();
        if bytes.peek().is_none() {
            return name;
        }
        // FNV-1a: a name to tell places apart, and no proof of anything. What is loaded under it is compared as a whole.
        let hash = bytes
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3));
        format!("{name}.{hash:016x}")
    }

    /// Granted files and trees, by the place that they lead to.
    fn files(
        &self,
        variables: &Variables,
        resolve: impl Fn(&Path) -> Option<PathBuf>,
    ) -> (BTreeMap<PathBuf, Rights>, Vec<Dropped>) {
        let mut files: BTreeMap<PathBuf, Rights> = BTreeMap::new();
        let mut dropped = Vec::new();
        let mut grant = |item: &Granted<GrantedPath>, read, write, key: &str| match expand(&item.value, variables) {
            Ok((mut path, followed)) => {
                // Links are followed as far as a cell follows them. Where one lies beneath, the rule names a place that the kernel
                // never arrives at, and grants nothing.
                let beneath = path.split_off(path.len().min(followed as usize));
                let led = PathBuf::from(OsString::from_vec(path));
                let mut place = resolve(&led).unwrap_or(led);
                let beneath = beneath.strip_prefix(b"/").unwrap_or(&beneath);
                if !beneath.is_empty() {
                    place.push(OsStr::from_bytes(beneath));
                }
                let rights = files.entry(place).or_default();
                rights.read |= read;
                rights.write |= write;
                rights.why.extend(item.lines.iter().map(|place| why(&format!("{}: ", item.value), place)));
            }
            Err(why) => {
                dropped.push(Dropped { what: format!("{key} {}", item.value), why, origin: item.lines[0].origin() });
            }
        };
        let all = &self.effective;
        for item in all.read.items() {
            grant(item, true, false, "files.read");
        }
        for item in all.write.items() {
            let read = !all.write_only.iter().any(|(outer, _)| outer.contains(&item.value));
            grant(item, read, true, "files.write");
        }
        (files, dropped)
    }

    /// Whether files may be locked, which Landlock does not see.
    fn may_lock(&self) -> bool {
        const F_SETLK: u64 = 6;
        const F_OFD_SETLK: u64 = 37;
        let fcntl = self.effective.calls.rights.get("fcntl");
        let by_fcntl = |command| fcntl.is_some_and(|right| right.grant.holds(&[0, command, 0, 0, 0, 0]));
        self.may("flock") || by_fcntl(F_SETLK) || by_fcntl(F_OFD_SETLK)
    }

    /// The line that lets a cell send signals.
    fn may_signal(&self) -> Option<&Place> {
        let calls = ["kill", "tkill", "tgkill", "pidfd_send_signal", "rt_sigqueueinfo", "rt_tgsigqueueinfo"];
        let right = |call: &&str| self.effective.calls.rights.get(*call).filter(|right| !right.grant.is_never());
        calls.iter().find_map(right)?.lines.first()
    }
}

/// The rules of one path: it, and what lies beneath where it is a directory.
fn rules(path: &Path, rights: &Rights, lock: bool) -> Vec<String> {
    let path = quoted(path.as_os_str().as_bytes());
    let path = path.strip_suffix('/').unwrap_or(&path);
    let letters = [(rights.read, 'r'), (rights.write, 'w'), (lock, 'k')];
    let letters: String = letters.into_iter().filter(|(has, _)| *has).map(|(_, letter)| letter).collect();
    let mut rules = Vec::new();
    if !path.is_empty() {
        rules.push(format!("\"{path}\" {letters},"));
    }
    if rights.read {
        rules.push(format!("\"{path}/\" r,"));
    }
    rules.push(format!("\"{path}/**\" {letters},"));
    rules
}

fn line(text: &mut String, line: &str) {
    text.push_str("  ");
    text.push_str(line);
    text.push('\n');
}

/// A comment that names a line of a policy.
fn why(what: &str, place: &Place) -> String {
    printable(&format!("{what}{}", place.origin()))
}

/// Text that stays within its comment.
fn printable(text: &str) -> String {
    text.chars().flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] }).collect()
}

/// A path between quotes that means itself and nothing else. Whatever could mean something to patterns, variables or quotes
/// is written as a number (apparmor.d(5), "Quoting"): the parser takes such a byte for itself, and it ends no string, as a
/// backslash before a quote does.
fn quoted(path: &[u8]) -> String {
    let mut out = String::new();
    for byte in path {
        if byte.is_ascii_alphanumeric() || b"/._-+=:~% ".contains(byte) {
            out.push(char::from(*byte));
        } else {
            let _infallible = write!(out, "\\{byte:03o}");
        }
    }
    out
}
