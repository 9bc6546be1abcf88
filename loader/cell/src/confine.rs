//! The layers: each function puts one in force for the calling thread, which is the only one of the process.

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};

use caps::{CapSet, Capability};
use landlock::{
    ABI, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible as _, NetPort, PathBeneath, Ruleset, RulesetAttr as _,
    RulesetCreated, RulesetCreatedAttr as _, RulesetStatus, Scope,
};
use lazaret_policy::{Apparmor, Filter, Identity, Instruction, Landlock, Limits, PathRule};
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fs::{Mode, OFlags, ResolveFlags};
use rustix::process::{Gid, Resource, Rlimit, Uid};
use rustix::thread::CapabilitiesSecureBits;

/// A layer that is not in force, with `errno` where the kernel gave one.
#[derive(Debug)]
pub(crate) struct NotConfined(pub(crate) i32);

impl From<io::Error> for NotConfined {
    fn from(error: io::Error) -> Self {
        Self(error.raw_os_error().unwrap_or(0))
    }
}

impl From<rustix::io::Errno> for NotConfined {
    fn from(errno: rustix::io::Errno) -> Self {
        Self(errno.raw_os_error())
    }
}

impl From<caps::errors::CapsError> for NotConfined {
    fn from(_: caps::errors::CapsError) -> Self {
        // The crate keeps the errno only as text.
        Self(0)
    }
}

type Result<T> = std::result::Result<T, NotConfined>;

/// A check of our own that did not hold.
const UNPROVEN: NotConfined = NotConfined(0);

/// `setrlimit(2)`: what the plan says, and 0 for what no plugin needs. Soft and hard limit are the same, but for processor
/// time: there the soft one ends the process by `SIGXCPU`, which says why, and the hard one by `SIGKILL`, which does not.
pub(crate) fn limits(limits: &Limits) -> Result<()> {
    let set = [
        (Resource::Data, limits.data),
        (Resource::As, limits.address_space),
        (Resource::Stack, limits.stack),
        (Resource::Cpu, limits.cpu_seconds),
        (Resource::Nofile, limits.open_files),
        (Resource::Fsize, limits.file_size),
        (Resource::Nproc, limits.tasks),
        (Resource::Core, 0),
        (Resource::Memlock, 0),
        (Resource::Msgqueue, 0),
        (Resource::Nice, 0),
        (Resource::Rtprio, 0),
        (Resource::Sigpending, 64),
    ];
    for (resource, value) in set {
        // The host's own hard limit may be lower; an ordinary user cannot raise it, and lower is stricter.
        let hard = rustix::process::getrlimit(resource).maximum.unwrap_or(u64::MAX);
        let current = value.min(hard);
        let maximum = if resource == Resource::Cpu { current.saturating_add(1).min(hard) } else { current };
        rustix::process::setrlimit(resource, Rlimit { current: Some(current), maximum: Some(maximum) })?;
    }
    Ok(())
}

/// Empties the capability bounding and ambient sets and locks the securebits, so that no capability comes back through
/// uid 0, a file or the ambient set (capabilities(7)). Needs `CAP_SETPCAP`; without it there is nothing to come back.
pub(crate) fn bounding() -> Result<()> {
    caps::clear(None, CapSet::Ambient)?;
    if !caps::has_cap(None, CapSet::Effective, Capability::CAP_SETPCAP)? {
        return Ok(());
    }
    caps::clear(None, CapSet::Bounding)?;
    // The crate takes a failed read for an absent capability; read once more.
    if !caps::read(None, CapSet::Bounding)?.is_empty() {
        return Err(UNPROVEN);
    }
    let bits = CapabilitiesSecureBits::NO_ROOT
        | CapabilitiesSecureBits::NO_ROOT_LOCKED
        | CapabilitiesSecureBits::NO_SETUID_FIXUP
        | CapabilitiesSecureBits::NO_SETUID_FIXUP_LOCKED
        | CapabilitiesSecureBits::KEEP_CAPS_LOCKED
        | CapabilitiesSecureBits::NO_CAP_AMBIENT_RAISE
        | CapabilitiesSecureBits::NO_CAP_AMBIENT_RAISE_LOCKED;
    rustix::thread::set_capabilities_secure_bits(bits)?;
    Ok(())
}

/// Becomes another user and group, with no supplementary group.
pub(crate) fn identity(identity: Identity) -> Result<()> {
    let (uid, gid) = (Uid::from_raw(identity.uid), Gid::from_raw(identity.gid));
    rustix::thread::set_thread_groups(&[])?;
    rustix::thread::set_thread_res_gid(gid, gid, gid)?;
    rustix::thread::set_thread_res_uid(uid, uid, uid)?;
    Ok(())
}

/// Drops every capability. After the change of user: with `NO_SETUID_FIXUP` that change keeps them.
pub(crate) fn capabilities() -> Result<()> {
    for set in [CapSet::Inheritable, CapSet::Permitted] {
        caps::clear(None, set)?;
    }
    for set in [CapSet::Permitted, CapSet::Effective, CapSet::Inheritable, CapSet::Ambient] {
        if !caps::read(None, set)?.is_empty() {
            return Err(UNPROVEN);
        }
    }
    Ok(())
}

/// Dies with the thread of the host that started the zygote, and makes sure that the host lives: the signal is not sent for
/// a death that came before. After the change of user, which clears the setting (`PR_SET_PDEATHSIG(2const)`).
pub(crate) fn parent_death(host: &OwnedFd) -> Result<()> {
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
    // A pidfd can be read from once its process has ended (pidfd_open(2)).
    let mut ended = [PollFd::new(host, PollFlags::IN)];
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    if rustix::event::poll(&mut ended, Some(&now))? == 0 { Ok(()) } else { Err(UNPROVEN) }
}

/// No core dump, no tracing by the same user.
pub(crate) fn not_dumpable() -> Result<()> {
    Ok(rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable)?)
}

/// Opens the label of this thread for writing (proc_pid_attr(5)).
pub(crate) fn own_label() -> Result<OwnedFd> {
    let file = c"/proc/thread-self/attr/apparmor/current";
    Ok(rustix::fs::open(file, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?)
}

/// Enters an AppArmor profile, at once and for good: it lets nobody into another. After the capabilities are gone, which the
/// profile then need not grant, and before `no_new_privs`, with which a confined process enters no other profile. The
/// host reads the label from outside; what this process could read of it, the profile refuses by now.
pub(crate) fn profile(apparmor: &Apparmor, label: OwnedFd) -> Result<()> {
    let verb = if apparmor.stacked { "stack" } else { "changeprofile" };
    let order = format!("{verb} {}", apparmor.profile);
    // The kernel takes an order in one piece or not at all.
    if rustix::io::write(&label, order.as_bytes())? == order.len() { Ok(()) } else { Err(UNPROVEN) }
}

/// A negative probe: the kernel can be told to let everything pass (`apparmor.mode=complain`), and every label says `enforce` all
/// the same. No profile permits such a socket, since no policy can name its family, and AppArmor is asked before the kernel looks
/// whether it has any.
pub(crate) fn profile_holds() -> Result<()> {
    const AF_ASH: libc::c_int = 18;
    // SAFETY: socket(2) takes only integers.
    let socket = unsafe { libc::socket(AF_ASH, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) };
    match io::Error::last_os_error().raw_os_error() {
        Some(libc::EACCES) if socket == -1 => Ok(()),
        _ => Err(UNPROVEN),
    }
}

/// `no_new_privs`, which Landlock and seccomp need of an ordinary user.
pub(crate) fn no_new_privs() -> Result<()> {
    Ok(rustix::thread::set_no_new_privs(true)?)
}

/// `PR_SET_SPECULATION_CTRL(2const)`: no speculative store bypass and no speculative indirect branches that another process can
/// steer, for good, where the processor has them and the kernel leaves them to processes. Inherited by every cell.
pub(crate) fn speculation() -> Result<()> {
    for which in [libc::PR_SPEC_STORE_BYPASS, libc::PR_SPEC_INDIRECT_BRANCH] {
        // SAFETY: this prctl reads a state and takes only integers.
        let state = unsafe { libc::prctl(libc::PR_GET_SPECULATION_CTRL, which as libc::c_ulong, 0, 0, 0) };
        let disabled = libc::PR_SPEC_DISABLE | libc::PR_SPEC_FORCE_DISABLE;
        if state < 0 || state as libc::c_uint & libc::PR_SPEC_PRCTL == 0 || state as libc::c_uint & disabled != 0 {
            // The processor is not affected, or the kernel decides for everybody, or it is so already.
            continue;
        }
        let force = libc::c_ulong::from(libc::PR_SPEC_FORCE_DISABLE);
        // SAFETY: as above; it changes how the processor speculates for this process.
        let result = unsafe { libc::prctl(libc::PR_SET_SPECULATION_CTRL, which as libc::c_ulong, force, 0, 0) };
        if result == -1 {
            return Err(io::Error::last_os_error().into());
        }
    }
    Ok(())
}

/// `PR_SET_MDWE(2const)`: no mapping gains `PROT_EXEC`.
pub(crate) fn mdwe() -> Result<()> {
    // SAFETY: this prctl takes only integers and changes what later mappings may do.
    let result = unsafe { libc::prctl(libc::PR_SET_MDWE, libc::PR_MDWE_REFUSE_EXEC_GAIN, 0, 0, 0) };
    if result == -1 { Err(io::Error::last_os_error().into()) } else { Ok(()) }
}

/// Opens what a rule names, without any right to it (`O_PATH`). Where the path goes on in a bundle no link is followed, or
/// whoever made the bundle would choose what is granted.
pub(crate) fn open_path(rule: &PathRule) -> Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    let (followed, rest) = rule.path.split_at_checked(rule.followed as usize).ok_or(UNPROVEN)?;
    let root = rustix::fs::open(followed, flags, Mode::empty())?;
    let rest = rest.strip_prefix(b"/").unwrap_or(rest);
    if rest.is_empty() {
        return Ok(root);
    }
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    Ok(rustix::fs::openat2(root, rest, flags, Mode::empty(), resolve)?)
}

/// Makes the ruleset of the plan's Landlock domain, or fails: every right is demanded of the kernel, none is best effort.
pub(crate) fn ruleset(plan: &Landlock, paths: Vec<OwnedFd>) -> Result<RulesetCreated> {
    let made = || -> std::result::Result<_, landlock::RulesetError> {
        let mut ruleset = Ruleset::default().set_compatibility(CompatLevel::HardRequirement);
        ruleset = ruleset.handle_access(fs_rights(plan.handled_fs))?;
        if plan.handled_net != 0 {
            ruleset = ruleset.handle_access(BitFlags::<AccessNet>::from_bits_truncate(plan.handled_net))?;
        }
        if plan.scoped != 0 {
            ruleset = ruleset.scope(BitFlags::<Scope>::from_bits_truncate(plan.scoped))?;
        }
        let mut created = ruleset.create()?;
        for (rule, fd) in plan.paths.iter().zip(paths) {
            // A right of directories on a file is an error of the kernel's; what was meant is the rest.
            let access = if is_directory(&fd) { rule.access } else { rule.access & file_rights() };
            created = created.add_rule(PathBeneath::new(fd, fs_rights(access)))?;
        }
        for rule in &plan.ports {
            let access = BitFlags::<AccessNet>::from_bits_truncate(rule.access);
            created = created.add_rule(NetPort::new(rule.port, access))?;
        }
        Ok(created)
    };
    made().map_err(|error| NotConfined(errno_of(&error)))
}

/// Enters the domain.
pub(crate) fn landlock(ruleset: RulesetCreated) -> Result<()> {
    match ruleset.restrict_self() {
        Ok(status) if status.ruleset == RulesetStatus::FullyEnforced && status.no_new_privs => Ok(()),
        Ok(_) => Err(UNPROVEN),
        Err(error) => Err(NotConfined(errno_of(&error))),
    }
}

/// A negative probe: nothing outside shows whether a Landlock domain is in force (landlock(7)), so the cell tries what it
/// must not be able to do, namely to list the root directory.
pub(crate) fn landlock_holds(plan: &Landlock) -> Result<()> {
    let listable = |rule: &PathRule| rule.path == b"/";
    if plan.paths.iter().any(listable) {
        return Ok(());
    }
    match rustix::fs::open(c"/", OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()) {
        Err(rustix::io::Errno::ACCESS) => Ok(()),
        Err(errno) => Err(errno.into()),
        Ok(_) => Err(UNPROVEN),
    }
}

/// Whether a rule grants more than reading.
pub(crate) fn writes(rule: &PathRule) -> bool {
    !(BitFlags::<AccessFs>::from_bits_truncate(rule.access) & !AccessFs::from_read(ABI::V10)).is_empty()
}

fn fs_rights(bits: u64) -> BitFlags<AccessFs> {
    BitFlags::from_bits_truncate(bits)
}

fn file_rights() -> u64 {
    AccessFs::from_file(ABI::V10).bits()
}

fn is_directory(fd: &OwnedFd) -> bool {
    rustix::fs::fstat(fd.as_fd())
        .is_ok_and(|stat| rustix::fs::FileType::from_raw_mode(stat.st_mode) == rustix::fs::FileType::Directory)
}

fn errno_of(error: &(dyn std::error::Error + 'static)) -> i32 {
    std::iter::successors(Some(error), |error| error.source())
        .find_map(|error| error.downcast_ref::<io::Error>()?.raw_os_error())
        .unwrap_or(0)
}

/// A filter as the kernel takes it.
pub(crate) fn program(filter: &Filter) -> Vec<libc::sock_filter> {
    let instruction = |one: &Instruction| libc::sock_filter { code: one.code, jt: one.jt, jf: one.jf, k: one.k };
    filter.0.iter().map(instruction).collect()
}

/// Installs one filter, `seccomp(2)`, for every thread: a plugin's initialisers may have started some. `no_new_privs` is
/// set; the filter is a plan's, which is never empty.
pub(crate) fn seccomp(filter: &Filter) -> Result<()> {
    let mut program = program(filter);
    const THREADS: libc::c_ulong = libc::SECCOMP_FILTER_FLAG_TSYNC;
    let length = u16::try_from(program.len()).map_err(|_| UNPROVEN)?;
    let program = libc::sock_fprog { len: length, filter: program.as_mut_ptr() };
    // SAFETY: `program` points to `len` initialised instructions, which the kernel copies before the call returns.
    let result =
        unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, THREADS, &raw const program) };
    match result {
        0 => Ok(()),
        -1 => Err(io::Error::last_os_error().into()),
        // The number of a thread that has other filters than this one and could not be brought into line.
        _ => Err(UNPROVEN),
    }
}

/// Opens the null device anew for output and errors: an open file that cells shared would carry flags, locks and an offset from
/// one to the other.
pub(crate) fn own_null_device() -> Result<()> {
    let null = rustix::fs::open(c"/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?;
    rustix::stdio::dup2_stdout(&null)?;
    rustix::stdio::dup2_stderr(&null)?;
    Ok(())
}

/// Closes every descriptor from `first` on.
pub(crate) fn close_others(first: u32) -> Result<()> {
    // SAFETY: nothing in this process uses a descriptor above those that its caller keeps.
    let result = unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, 0) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error().into()) }
}

/// Overwrites the environment: it said how this program was started.
pub(crate) fn forget_environment() {
    // SAFETY: `environ` is the C library's, an array of strings that ends with a null pointer; this is the only thread.
    let mut entry = unsafe { environ };
    loop {
        // SAFETY: not past the null pointer at the end.
        let text = unsafe { *entry };
        if text.is_null() {
            break;
        }
        // SAFETY: a string of the process's own initial stack.
        let length = unsafe { libc::strlen(text) };
        // SAFETY: as long as the string, which is writable (execve(2)).
        unsafe { std::ptr::write_bytes(text, 0, length) };
        // SAFETY: within the array, as above.
        entry = unsafe { entry.add(1) };
    }
    // SAFETY: no other thread, and nobody holds on to what getenv(3) returned.
    unsafe { libc::clearenv() };
}

unsafe extern "C" {
    static environ: *mut *mut libc::c_char;
}

/// Puts standard output, which is `/dev/null`, in the place of standard input, which was the control socket. Not simply
/// closed: the first file that a plugin opens would be its standard input, and the third what it prints errors to.
pub(crate) fn no_control() -> Result<()> {
    // SAFETY: nothing in this process refers to standard input from here on.
    let result = unsafe { libc::dup3(1, 0, 0) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error().into()) }
}
