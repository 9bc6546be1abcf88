//! One system call instruction at an agreed address: where a cell watches what Landlock refuses, the filters let the calls that
//! Landlock looks at through from there and from nowhere else (`plan::GATE`). The plugin could jump there too, and would make a
//! call that its policy permits; it only would not be told of.

use std::io;
use std::ptr;

use lazaret_policy::{GATE, GATE_RETURN};

use crate::confine::NotConfined;

/// Moves the number and six arguments of a C function to where a system call has them, makes it, and returns.
#[cfg(target_arch = "x86_64")]
const CODE: &[u8] = &[
    0x48, 0x89, 0xf8, // mov rax, rdi
    0x48, 0x89, 0xf7, // mov rdi, rsi
    0x48, 0x89, 0xd6, // mov rsi, rdx
    0x48, 0x89, 0xca, // mov rdx, rcx
    0x4d, 0x89, 0xc2, // mov r10, r8
    0x4d, 0x89, 0xc8, // mov r8, r9
    0x4c, 0x8b, 0x4c, 0x24, 0x08, // mov r9, [rsp + 8]
    0x0f, 0x05, // syscall
    0xc3, // ret
];

#[cfg(target_arch = "aarch64")]
const CODE: &[u8] = &[
    0xe8, 0x03, 0x00, 0xaa, // mov x8, x0
    0xe0, 0x03, 0x01, 0xaa, // mov x0, x1
    0xe1, 0x03, 0x02, 0xaa, // mov x1, x2
    0xe2, 0x03, 0x03, 0xaa, // mov x2, x3
    0xe3, 0x03, 0x04, 0xaa, // mov x3, x4
    0xe4, 0x03, 0x05, 0xaa, // mov x4, x5
    0xe5, 0x03, 0x06, 0xaa, // mov x5, x6
    0x01, 0x00, 0x00, 0xd4, // svc #0
    0xc0, 0x03, 0x5f, 0xd6, // ret
];

/// Bytes of the instruction that returns.
const RETURN: usize = if cfg!(target_arch = "x86_64") { 1 } else { 4 };

/// Where the code begins, so that the address behind its system call is the agreed one.
const START: usize = (GATE_RETURN - GATE) as usize + RETURN - CODE.len();

/// Maps the gate. Before the layers, which let nothing that was written become executable.
pub(crate) fn install() -> Result<(), NotConfined> {
    const SIZE: usize = 4096;
    let writable = libc::PROT_READ | libc::PROT_WRITE;
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED_NOREPLACE;
    // SAFETY: NOREPLACE: nothing that is mapped goes.
    let page = unsafe { libc::mmap(GATE as *mut _, SIZE, writable, flags, -1, 0) };
    if page != GATE as *mut _ {
        return Err(io::Error::last_os_error().into());
    }
    // SAFETY: inside the page that was mapped just now, which nobody else knows of.
    let start = unsafe { page.cast::<u8>().add(START) };
    // SAFETY: `CODE` ends inside the page.
    unsafe { ptr::copy_nonoverlapping(CODE.as_ptr(), start, CODE.len()) };
    // SAFETY: the page is this module's.
    let done = unsafe { libc::mprotect(page, SIZE, libc::PROT_READ | libc::PROT_EXEC) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error().into()) }
}

/// Makes a call at the gate, and returns what the kernel does: a negative number is an error.
///
/// # Safety
/// [`install`] must have mapped the gate. The call must be one that the interrupted program may make.
pub(crate) unsafe fn call(number: i64, [a, b, c, d, e, f]: [u64; 6]) -> i64 {
    type Gate = extern "C" fn(i64, u64, u64, u64, u64, u64, u64) -> i64;
    // SAFETY: there is code of this type at that address by this function's contract.
    let gate = unsafe { std::mem::transmute::<usize, Gate>(GATE as usize + START) };
    gate(number, a, b, c, d, e, f)
}
