//! A cell that executes a program instead of mapping the plugin itself: a Go plugin needs one that was built with its own
//! toolchain. The layers stay in force over the execution, and nothing else can be executed, before or after.
//!
//! What is executed is the dynamic loader, from a sealed copy, with everything it is to map as descriptors of sealed copies:
//! the runner, the libraries, the audit module (`hook`) and the plugin. So no file has to be granted, and the call-phase filter
//! comes into force in the runner as it does in a cell without one: when the runner maps the plugin, before any of its code.
//!
//! The program to execute has a number that no descriptor can have afterwards, since it is not below the limit of open files.
//! The filter permits executing that number only, and the execution closes it.

use std::ffi::CString;
use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::{AsRawFd as _, FromRawFd as _, IntoRawFd, OwnedFd, RawFd};

use lazaret_policy::Filter;
use rustix::io::fcntl_dupfd_cloexec;

use crate::confine::NotConfined;
use crate::hook;
use crate::sealed::{memory_file, seal};
use crate::wire::Relro;

/// The numbers of a runner's descriptors. The standard ones are the null device; 3 is not open.
pub mod descriptor {
    /// The host's half of the region, read-only.
    pub const REQUESTS: i32 = 4;
    /// The cell's half of the region.
    pub const REPLIES: i32 = lazaret_policy::RUNNER_REPLIES;
    /// The plugin. The runner maps it as `/proc/self/fd/6`; the call-phase filter comes with that, and closes it.
    pub const PLUGIN: i32 = 6;
    pub(super) const ORDERS: i32 = 7;
    pub(super) const MODULE: i32 = 8;
    pub(super) const RUNNER: i32 = 9;
    pub(super) const LIBRARIES: i32 = 10;
}

// In the order in which `prepare` places them; `hook.c` knows the number of the orders.
const _: () = assert!(
    descriptor::REPLIES == descriptor::REQUESTS + 1
        && descriptor::PLUGIN == descriptor::REQUESTS + 2
        && descriptor::ORDERS == descriptor::REQUESTS + 3
        && descriptor::ORDERS == 7
        && descriptor::MODULE == descriptor::REQUESTS + 4
        && descriptor::RUNNER == descriptor::REQUESTS + 5
        && descriptor::LIBRARIES == descriptor::REQUESTS + 6
);

/// What a runner is executed with.
pub(crate) struct Parts {
    pub(crate) requests: OwnedFd,
    pub(crate) replies: OwnedFd,
    pub(crate) plugin: OwnedFd,
    pub(crate) runner: OwnedFd,
    /// The dynamic loader.
    pub(crate) loader: OwnedFd,
    /// What runner and plugin need, in the order in which it must be mapped.
    pub(crate) libraries: Vec<OwnedFd>,
}

/// A runner whose descriptors lie where they must; only the execution is left.
pub(crate) struct Prepared {
    loader: RawFd,
    arguments: Vec<CString>,
}

/// Puts the descriptors in their places. Before the limits: afterwards neither a number as high as the loader's nor a file
/// could be had. `words` are the runner's arguments after the plugin's path.
pub(crate) fn prepare(
    parts: Parts,
    filter: Option<&Filter>,
    relro: Relro,
    limit: u64,
    words: &[String],
) -> Result<Prepared, NotConfined> {
    let plugin = path(descriptor::PLUGIN);
    let module = hook::module()?;
    let last =
        descriptor::LIBRARIES + RawFd::try_from(parts.libraries.len()).map_err(|_| NotConfined(libc::E2BIG))? - 1;
    let orders = orders(filter, relro, &plugin, [descriptor::MODULE as u32, last as u32])?;
    let mut placed = vec![parts.requests, parts.replies, parts.plugin, orders, module, parts.runner];
    placed.extend(parts.libraries);
    let count = RawFd::try_from(placed.len()).map_err(|_| NotConfined(libc::E2BIG))?;

    // Above everything, so that no move below overwrites what is still to be moved.
    let high = RawFd::try_from(limit).map_err(|_| NotConfined(libc::EMFILE))?;
    let loader = fcntl_dupfd_cloexec(&parts.loader, high)?;
    if loader.as_raw_fd() != high {
        return Err(NotConfined(libc::EMFILE));
    }
    let free = descriptor::REQUESTS + 2 * count + 16;
    let aside: Vec<OwnedFd> = placed.iter().map(|fd| fcntl_dupfd_cloexec(fd, free)).collect::<Result<_, _>>()?;
    for (number, fd) in (descriptor::REQUESTS..).zip(&aside) {
        // SAFETY: dup3(2) closes what was at the number: one of those that were copied aside, or the control socket's
        // predecessor, none of which is used again.
        if unsafe { libc::dup3(fd.as_raw_fd(), number, 0) } == -1 {
            return Err(io::Error::last_os_error().into());
        }
    }
    // All numbers that were placed lie below: what is closed is what they were copied from, where no copy took its place.
    placed
        .into_iter()
        .map(IntoRawFd::into_raw_fd)
        .chain([parts.loader.into_raw_fd()])
        .filter(|fd| *fd > last)
        .for_each(
            // SAFETY: owned by what was given up just now.
            |fd| drop(unsafe { OwnedFd::from_raw_fd(fd) }),
        );
    drop(aside);
    let loader = loader.into_raw_fd();

    let preload: Vec<String> = (descriptor::LIBRARIES..descriptor::REQUESTS + count).map(path).collect();
    let mut arguments = vec!["lazaret-runner".to_owned(), "--inhibit-cache".into()];
    arguments.extend(["--audit".into(), path(descriptor::MODULE)]);
    if !preload.is_empty() {
        arguments.extend(["--preload".into(), preload.join(":")]);
    }
    arguments.extend([path(descriptor::RUNNER), plugin]);
    arguments.extend(words.iter().cloned());
    let arguments = arguments.into_iter().map(CString::new).collect::<Result<_, _>>();
    Ok(Prepared { loader, arguments: arguments.map_err(|_| NotConfined(libc::EINVAL))? })
}

fn path(number: RawFd) -> String {
    format!("/proc/self/fd/{number}")
}

/// What the audit module is to do when the runner maps the plugin, as a file that it finds at its number.
fn orders(filter: Option<&Filter>, relro: Relro, plugin: &str, closed: [u32; 2]) -> Result<OwnedFd, NotConfined> {
    let mut file = File::from(memory_file("lazaret-orders")?);
    if let Some(filter) = filter {
        file.write_all(&hook::orders(filter, relro, plugin, descriptor::PLUGIN, closed)?)?;
    }
    seal(&file)?;
    Ok(file.into())
}

impl Prepared {
    /// Executes it. Returns only where that failed.
    pub(crate) fn execute(&self) -> NotConfined {
        let mut pointers: Vec<*const libc::c_char> = self.arguments.iter().map(|word| word.as_ptr()).collect();
        pointers.push(std::ptr::null());
        let environment: [*const libc::c_char; 1] = [std::ptr::null()];
        // SAFETY: both arrays end with a null pointer and hold strings that live; the empty path with AT_EMPTY_PATH means the
        // descriptor itself.
        unsafe {
            libc::syscall(
                libc::SYS_execveat,
                self.loader,
                c"".as_ptr(),
                pointers.as_ptr(),
                environment.as_ptr(),
                libc::AT_EMPTY_PATH,
            )
        };
        io::Error::last_os_error().into()
    }
}
