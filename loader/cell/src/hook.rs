//! Puts the call-phase filter in force before the first instruction of the plugin: its IFUNC resolvers and constructors
//! run inside the dynamic loader's call, so only the dynamic loader itself can act between mapping and them.
//!
//! It calls back a module of ours (`hook.c`, rtld-audit(7)), which it maps when the program starts. The two share one page
//! at an agreed address.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::{AsRawFd as _, IntoRawFd as _, OwnedFd, RawFd};
use std::sync::atomic::{AtomicU32, Ordering};

use lazaret_policy::Filter;

use crate::confine::{self, NotConfined};
use crate::sealed::{memory_file, seal};
use crate::wire::Relro;

/// The module, as a shared object.
const MODULE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/hook.so"));

/// The variable by which the dynamic loader learns of the module: the program is started with it as its standard output.
pub const VARIABLE: (&str, &str) = ("LD_AUDIT", "/proc/self/fd/1");

/// The same as in `hook.c`.
const PAGE: *mut Control = 0x20_0000_0000 as *mut Control;
const MAGIC: u32 = 0x6c7a_7274;
const IDLE: u32 = 0;
const ARMED: u32 = 1;
const DONE: u32 = 2;

/// Where the filter begins in a file of orders.
const FILTER: usize = 4096;

/// Bytes of a path, with the zero at its end. A path has a character more for each object that was mapped before.
const NAME: usize = 256;

#[repr(C)]
struct Control {
    magic: u32,
    state: AtomicU32,
    descriptor: i32,
    length: u32,
    closed: [u32; 2],
    filter: *mut libc::sock_filter,
    relro: [u64; 2],
    page_size: u64,
    name: [u8; NAME],
}

/// The module as a sealed file, for whoever starts the program.
///
/// # Errors
/// Whatever `memfd_create(2)`, `write(2)` or sealing answers.
pub fn module() -> io::Result<OwnedFd> {
    let mut file = File::from(memory_file("lazaret-hook")?);
    file.write_all(MODULE)?;
    seal(&file)?;
    Ok(file.into())
}

/// Whether the dynamic loader mapped the module: not every C library has the interface.
pub(crate) fn is_present() -> bool {
    let mut residency = 0;
    // SAFETY: mincore(2) only writes one byte per page to the last argument; of memory that is not mapped it says ENOMEM.
    let mapped = unsafe { libc::mincore(PAGE.cast(), size_of::<Control>(), &raw mut residency) } == 0;
    // SAFETY: the page is mapped, readable, and nobody else in this program has a reason to map anything there.
    mapped && unsafe { (*PAGE).magic } == MAGIC
}

/// Hands the module the filter and the plugin's descriptor, which it closes. Nothing happens before the dynamic loader opens
/// an object under the name `path`.
pub(crate) fn arm(filter: &Filter, relro: Relro, path: &str, plugin: OwnedFd) -> Result<(), NotConfined> {
    // Never freed: the kernel copies it when the module hands it over, at a time that this function does not see.
    let program = Box::leak(confine::program(filter).into_boxed_slice());
    let control = Control::new(program.len(), program.as_mut_ptr(), relro, path, plugin.as_raw_fd(), [0, 0])?;
    let _closed_by_the_module = plugin.into_raw_fd();
    // SAFETY: `is_present` found the page mapped, writable and large enough; this is the only thread.
    unsafe { PAGE.write(control) };
    // SAFETY: as above.
    unsafe { (*PAGE).state.store(ARMED, Ordering::SeqCst) };
    Ok(())
}

/// The same as bytes, for a program that is executed: its module finds them in a file and maps that in the place of the page.
/// `closed` are the first and last of the descriptors that go as well.
pub(crate) fn orders(
    filter: &Filter,
    relro: Relro,
    path: &str,
    plugin: RawFd,
    closed: [u32; 2],
) -> Result<Vec<u8>, NotConfined> {
    let program = confine::program(filter);
    // SAFETY: within what the module maps; nobody looks there before.
    let place = unsafe { PAGE.cast::<u8>().add(FILTER) };
    let control = Control::new(program.len(), place.cast(), relro, path, plugin, closed)?;
    control.state.store(ARMED, Ordering::SeqCst);
    let mut bytes = bytes_of(&control, size_of::<Control>()).to_vec();
    bytes.resize(FILTER, 0);
    bytes.extend_from_slice(bytes_of(program.as_slice(), size_of_val(program.as_slice())));
    bytes.resize(bytes.len().next_multiple_of(FILTER), 0);
    Ok(bytes)
}

/// The first `length` bytes of a value, which must have no padding there.
fn bytes_of<T: ?Sized>(value: &T, length: usize) -> &[u8] {
    // SAFETY: both callers pass the size of the value, whose fields leave no padding: `Control` is ordered so, and `sock_filter`
    // is 2 + 1 + 1 + 4 bytes.
    unsafe { std::slice::from_raw_parts((&raw const *value).cast(), length) }
}

impl Control {
    fn new(
        length: usize,
        filter: *mut libc::sock_filter,
        relro: Relro,
        path: &str,
        descriptor: RawFd,
        closed: [u32; 2],
    ) -> Result<Self, NotConfined> {
        let mut name = [0; NAME];
        name.get_mut(..path.len())
            .filter(|_| path.len() < NAME)
            .ok_or(NotConfined(0))?
            .copy_from_slice(path.as_bytes());
        Ok(Self {
            magic: MAGIC,
            state: AtomicU32::new(IDLE),
            descriptor,
            length: u32::try_from(length).map_err(|_| NotConfined(0))?,
            closed,
            filter,
            relro: [relro.address, relro.size],
            // SAFETY: sysconf(3) only looks up a number, which the kernel gave this program when it started.
            page_size: u64::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).map_err(|_| NotConfined(0))?,
            name,
        })
    }
}

/// Whether the module has installed the filter. The plugin could write this word too; the host counts filters itself.
pub(crate) fn is_done() -> bool {
    // SAFETY: the page was mapped when `arm` wrote it; where the plugin unmapped it, this process ends.
    unsafe { (*PAGE).state.load(Ordering::SeqCst) == DONE }
}
