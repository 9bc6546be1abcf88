//! Maps sealed libraries and the plugin with the system's own dynamic loader, by descriptor and never by name.

use std::ffi::{CStr, c_int, c_void};
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicUsize, Ordering};

use lazaret_policy::Filter;
use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};

use crate::hook;
use crate::wire::Relro;

/// The plugin in memory.
pub(crate) struct Mapped {
    pub(crate) library: Library,
    pub(crate) place: Place,
}

/// Where the dynamic loader put an object.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    /// What is added to the addresses in the file.
    pub(crate) bias: usize,
    /// First executable address.
    pub(crate) code_start: usize,
    /// End of the last executable segment.
    pub(crate) code_end: usize,
}

/// The dynamic loader's own words.
pub(crate) struct NotMapped(pub(crate) String);

/// Maps a library that the plugin, or a later library, needs. The dynamic loader finds it again by its `DT_SONAME`.
pub(crate) fn library(fd: BorrowedFd<'_>) -> Result<(), NotMapped> {
    // Never unmapped: the plugin keeps pointers into it, and a cell ends as a whole.
    std::mem::forget(open(&path_of(fd))?);
    Ok(())
}

/// Maps the plugin. Its constructors, IFUNC resolvers and TLS initialisers run inside this call, under the given filter.
/// Afterwards the descriptor is closed.
pub(crate) fn plugin(plugin: OwnedFd, relro: Relro, filter: Option<&Filter>) -> Result<Mapped, NotMapped> {
    let path = path_of(plugin.as_fd());
    let Some(filter) = filter else {
        let library = open(&path)?;
        return Ok(Mapped { library, place: place_of(&path) });
    };
    let unhooked = || NotMapped("the call-phase filter was not installed while the plugin was mapped".to_owned());
    hook::arm(filter, relro, &path, plugin).map_err(|_| unhooked())?;
    let library = open(&path)?;
    if !hook::is_done() {
        return Err(unhooked());
    }
    Ok(Mapped { library, place: place_of(&path) })
}

fn open(path: &str) -> Result<Library, NotMapped> {
    // NOW: lazy binding would read symbol names again at the first call, when initialisers may have changed them. LOCAL:
    // a plugin's symbols never stand in for anybody else's.
    // SAFETY: opening runs the file's initialisers, which are untrusted. That is what this process is for: every layer
    // is in force, nothing of value is in its memory, and its host believes nothing it says.
    unsafe { Library::open(Some(path), RTLD_NOW | RTLD_LOCAL) }.map_err(|error| NotMapped(error.to_string()))
}

/// A path that was never used before: numbers of descriptors come again, and the dynamic loader takes a path that it knows for
/// the object that it opened there.
fn path_of(fd: BorrowedFd<'_>) -> String {
    static PATHS: AtomicUsize = AtomicUsize::new(1);
    format!("/proc/self/fd{}{}", "/".repeat(PATHS.fetch_add(1, Ordering::Relaxed)), fd.as_raw_fd())
}

fn place_of(path: &str) -> Place {
    struct Search<'a> {
        path: &'a str,
        place: Place,
    }

    extern "C" fn visit(info: *mut libc::dl_phdr_info, _: libc::size_t, search: *mut c_void) -> c_int {
        // SAFETY: `dl_iterate_phdr` passes on the pointer given below, to a live `Search` nobody else uses meanwhile.
        let search = unsafe { &mut *search.cast::<Search<'_>>() };
        // SAFETY: the loader passes a valid `dl_phdr_info` for the time of the call.
        let info = unsafe { &*info };
        if info.dlpi_name.is_null() || info.dlpi_phdr.is_null() {
            return 0;
        }
        // SAFETY: the loader's names are NUL-terminated and live as long as the object.
        let name = unsafe { CStr::from_ptr(info.dlpi_name) };
        if name.to_bytes() != search.path.as_bytes() {
            return 0;
        }
        // SAFETY: the loader passes `dlpi_phnum` program headers at `dlpi_phdr`.
        let headers = unsafe { std::slice::from_raw_parts(info.dlpi_phdr, usize::from(info.dlpi_phnum)) };
        let bias = info.dlpi_addr as usize;
        let code = headers.iter().filter(|header| header.p_type == libc::PT_LOAD && header.p_flags & libc::PF_X != 0);
        let starts = code.clone().map(|header| bias.wrapping_add(header.p_vaddr as usize));
        let ends = code.map(|header| bias.wrapping_add((header.p_vaddr.wrapping_add(header.p_memsz)) as usize));
        search.place = Place { bias, code_start: starts.min().unwrap_or(0), code_end: ends.max().unwrap_or(0) };
        1
    }

    let mut search = Search { path, place: Place::default() };
    // SAFETY: `visit` has the required signature and does not unwind; `search` outlives the call.
    unsafe { libc::dl_iterate_phdr(Some(visit), (&raw mut search).cast()) };
    search.place
}
