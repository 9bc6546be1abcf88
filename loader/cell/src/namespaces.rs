//! Namespaces (namespaces(7)): those that a zygote enters for all its cells, and the file tree that a cell makes its own.

use std::ffi::OsStr;
use std::fs;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use lazaret_policy::{Identity, Namespaces, PathRule};
use rustix::fs::{FileType, Mode, OFlags};
use rustix::io::Errno;
use rustix::mount::{
    MountFlags, MountPropagationFlags, MoveMountFlags, OpenTreeFlags, UnmountFlags, mount, mount_change, mount_remount,
    move_mount, open_tree, unmount,
};
use rustix::thread::UnshareFlags;

use crate::confine::{self, NotConfined};
use crate::wire::Network;

/// Enters what all cells of this process share (an empty network, a host name, and for an ordinary user the user namespace
/// that permits the rest), and returns what its cells can have.
///
/// What cannot be had is not an error here: the host knows what its policies require.
pub(crate) fn enter(network: Network) -> Result<Namespaces, NotConfined> {
    let (uid, gid) = (rustix::process::geteuid(), rustix::process::getegid());
    let user = !uid.is_root();
    if user {
        if unshare(UnshareFlags::NEWUSER).is_err() {
            return Ok(Namespaces::NONE);
        }
        // So that a cell can have a user namespace of its own beneath.
        map_identity(Identity { uid: uid.as_raw(), gid: gid.as_raw() })?;
    }
    let uts = unshare(UnshareFlags::NEWUTS).is_ok();
    // All of them need the same capability, which this just tried.
    let may = |name: &str| uts && exists(name);
    let net = network == Network::Own && unshare(UnshareFlags::NEWNET).is_ok();
    Ok(Namespaces { user, pid: may("pid"), mount: may("mnt"), net, ipc: may("ipc"), uts })
}

/// Gives the user and group of this process the numbers that they have outside (user_namespaces(7)); nobody else has one.
fn map_identity(Identity { uid, gid }: Identity) -> Result<(), NotConfined> {
    fs::write("/proc/self/setgroups", "deny")?;
    fs::write("/proc/self/uid_map", format!("{uid} {uid} 1"))?;
    fs::write("/proc/self/gid_map", format!("{gid} {gid} 1"))?;
    Ok(())
}

fn unshare(flags: UnshareFlags) -> Result<(), Errno> {
    // SAFETY: nothing in this process holds on to what it shared with others: it has one thread and just started.
    unsafe { rustix::thread::unshare_unsafe(flags) }
}

/// Whether the kernel has such namespaces and permits any (`/proc/sys/user/max_*_namespaces`).
fn exists(name: &str) -> bool {
    let limit = fs::read_to_string(format!("/proc/sys/user/max_{name}_namespaces"));
    // The link alone: what it leads to has no place in any file tree, and AppArmor lets nobody confined look at that.
    Path::new("/proc/self/ns").join(name).is_symlink() && limit.is_ok_and(|limit| limit.trim() != "0")
}

/// Where the tree is put together. Any directory will do; it is covered only in this mount namespace, and left.
const PLACES: [&str; 3] = ["/tmp", "/run", "/mnt"];

/// Replaces the file tree of this mount namespace by one that has the granted paths, where they were, and `/proc` with this
/// pid namespace in it. `opened` are the rules' paths, opened (`O_PATH`) before; `outside` is who the host is, where this
/// process is in a user namespace of its own.
pub(crate) fn own_tree(rules: &[PathRule], opened: &[OwnedFd], outside: Option<Identity>) -> Result<(), NotConfined> {
    if let Some(outside) = outside {
        // A file system that is mounted here takes no files of a user who has no number here. The maps can only be written
        // while the process is dumpable: what is in /proc is root's otherwise.
        rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::Dumpable)?;
        map_identity(outside)?;
        rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable)?;
    }
    // Before anything is mounted: the place below may lie in what is granted.
    let trees = opened.iter().map(clone_of).collect::<Result<Vec<_>, _>>()?;
    let safe = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    mount_change("/", MountPropagationFlags::REC | MountPropagationFlags::PRIVATE)?;
    let place = PLACES.into_iter().find(|place| Path::new(place).is_dir()).ok_or(NotConfined(libc::ENOENT))?;
    mount("lazaret", place, "tmpfs", safe, Some(c"size=64k,mode=0755"))?;
    rustix::process::chdir(place)?;
    fs::create_dir("proc")?;
    mount("proc", "proc", "proc", safe, Some(c"subset=pid"))?;

    let mut in_order: Vec<(&PathRule, &OwnedFd)> = rules.iter().zip(&trees).collect();
    // A path before those beneath it.
    in_order.sort_by_key(|(rule, _)| rule.path.len());
    for (rule, tree) in in_order {
        // The kernel gives what /proc and the null device hold by other means, or not at all.
        let inside = rule.path.strip_prefix(b"/").unwrap_or(&rule.path);
        if inside.is_empty() {
            return Err(NotConfined(libc::EINVAL));
        }
        graft(Path::new(OsStr::from_bytes(inside)), tree, confine::writes(rule))?;
    }
    // pivot_root(2), "pivot_root(".", ".")": the old root lies over the new one, and goes.
    rustix::process::pivot_root(".", ".")?;
    unmount(".", UnmountFlags::DETACH)?;
    rustix::process::chdir("/")?;
    mount_remount("/", safe | MountFlags::RDONLY | MountFlags::BIND, c"")?;
    Ok(())
}

/// A copy of the mounts at and beneath what `fd` refers to, attached nowhere yet.
fn clone_of(fd: &OwnedFd) -> Result<OwnedFd, NotConfined> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE
        | OpenTreeFlags::OPEN_TREE_CLOEXEC
        | OpenTreeFlags::AT_EMPTY_PATH
        | OpenTreeFlags::AT_RECURSIVE;
    Ok(open_tree(fd.as_fd(), c"", flags)?)
}

/// Puts a tree at `path` of the new one.
fn graft(path: &Path, tree: &OwnedFd, writable: bool) -> Result<(), NotConfined> {
    let directory = FileType::from_raw_mode(rustix::fs::fstat(tree)?.st_mode) == FileType::Directory;
    let made = if directory {
        fs::create_dir_all(path)
    } else {
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::File::options().create(true).append(true).open(path).map(drop)
    };
    // Beneath a path that is grafted already it exists, or the tree is read-only there: then it must exist.
    match made {
        Err(error) if !path.exists() => return Err(error.into()),
        Ok(()) | Err(_) => {}
    }
    let at = rustix::fs::open(path, OFlags::PATH | OFlags::CLOEXEC | OFlags::NOFOLLOW, Mode::empty())?;
    let onto = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    move_mount(tree.as_fd(), c"", at.as_fd(), c"", onto)?;
    attributes(tree, writable)
}

/// `mount_setattr(2)`, for the whole grafted tree.
fn attributes(tree: &OwnedFd, writable: bool) -> Result<(), NotConfined> {
    use std::os::fd::AsRawFd as _;
    let read_only = if writable { 0 } else { libc::MOUNT_ATTR_RDONLY };
    // SAFETY: all-zero is a valid `mount_attr`.
    let mut wanted: libc::mount_attr = unsafe { std::mem::zeroed() };
    wanted.attr_set = read_only | libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NODEV | libc::MOUNT_ATTR_NOEXEC;
    let flags = libc::AT_EMPTY_PATH | libc::AT_RECURSIVE;
    // SAFETY: the path is a string and the attributes are initialised; the kernel copies both.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            tree.as_raw_fd(),
            c"".as_ptr(),
            flags,
            &raw const wanted,
            size_of::<libc::mount_attr>(),
        )
    };
    if result == 0 { Ok(()) } else { Err(std::io::Error::last_os_error().into()) }
}
