//! What a cell can still say when a signal ends it: a note in the replies half, written by a signal handler.
//!
//! That the cell died, and of which signal, is the kernel's word. Everything in the note is the cell's claim: a plugin
//! shares the cell's memory and could have written it.
//!
//! A denied system call arrives here as `SIGSYS` (`SECCOMP_RET_TRAP`). The handler notes the call and makes it once more:
//! with `SIGSYS` blocked, as it is inside its handler, the kernel ends the process by that signal (`seccomp(2)`), so the
//! wait status says what happened even though the handler ran.

use std::io;
use std::mem::MaybeUninit;
use std::ptr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering};

use lazaret_policy::{TRAP_REPORT, TRAP_WATCH, WATCH_ADDRESS};
use libc::{c_int, c_void, siginfo_t, ucontext_t};

use crate::gate;
use crate::probes;
use crate::report::{self, Names, Refusal, Refused};
use crate::shared::Mapping;

/// Which note.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IncidentKind {
    /// seccomp refused a system call.
    Syscall,
    /// A fault: `SIGSEGV`, `SIGBUS`, `SIGILL`, `SIGFPE`, `SIGTRAP`.
    Fault,
    /// `abort(3)`.
    Abort,
    /// A resource limit: `SIGXCPU`, `SIGXFSZ`.
    Limit,
}

/// What the handlers noted. Addresses are the cell's; [`Incident::callers`] are words of its stack that point into the
/// plugin's code, innermost first, so probable callers and no more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incident {
    /// Which note.
    pub kind: IncidentKind,
    /// Signal number.
    pub signal: i32,
    /// The system call's number; `Syscall` only.
    pub syscall: u32,
    /// `AUDIT_ARCH_*` of the call; `Syscall` only.
    pub arch: u32,
    /// Its arguments; `Syscall` only.
    pub arguments: [u64; 6],
    /// Where the program stood.
    pub instruction: u64,
    /// The address that could not be accessed; `Fault` only.
    pub address: u64,
    /// Whether a small allocation failed at that moment: the cell was at its memory limit.
    pub exhausted: bool,
    /// Probable return addresses into the plugin.
    pub callers: Vec<u64>,
}

/// Most probable callers noted.
const CALLERS: usize = 4;

/// 64-bit words of the note, from the start of the replies half.
mod place {
    pub(super) const STATE: usize = 0;
    pub(super) const KIND: usize = 1;
    pub(super) const SIGNAL: usize = 2;
    pub(super) const SYSCALL: usize = 3;
    pub(super) const ARCH: usize = 4;
    pub(super) const ARGUMENTS: usize = 5;
    pub(super) const INSTRUCTION: usize = 11;
    pub(super) const ADDRESS: usize = 12;
    pub(super) const EXHAUSTED: usize = 13;
    pub(super) const CALLERS: usize = 14;
}

const WRITING: u64 = 1;
const COMPLETE: u64 = 2;

/// Reads the note of a dead cell.
pub(crate) fn read(replies: &Mapping) -> Option<Incident> {
    let load = |index: usize| replies.long(index * size_of::<u64>()).load(Ordering::Relaxed);
    if replies.long(place::STATE).load(Ordering::Acquire) != COMPLETE {
        return None;
    }
    let kind = match load(place::KIND) {
        0 => IncidentKind::Syscall,
        1 => IncidentKind::Fault,
        2 => IncidentKind::Abort,
        3 => IncidentKind::Limit,
        _ => return None,
    };
    let mut arguments = [0; 6];
    for (index, argument) in arguments.iter_mut().enumerate() {
        *argument = load(place::ARGUMENTS + index);
    }
    Some(Incident {
        kind,
        signal: load(place::SIGNAL) as i32,
        syscall: load(place::SYSCALL) as u32,
        arch: load(place::ARCH) as u32,
        arguments,
        instruction: load(place::INSTRUCTION),
        address: load(place::ADDRESS),
        exhausted: load(place::EXHAUSTED) != 0,
        callers: (0..CALLERS).map(|index| load(place::CALLERS + index)).filter(|caller| *caller != 0).collect(),
    })
}

/// The note's words, for handlers: set once, before any handler is installed.
static NOTE: AtomicPtr<u64> = AtomicPtr::new(ptr::null_mut());
/// This process, whose id only `abort(3)` signals.
static OWN: AtomicU32 = AtomicU32::new(0);
/// The plugin's executable addresses; 0 until it is mapped.
static CODE_START: AtomicUsize = AtomicUsize::new(0);

static CODE_END: AtomicUsize = AtomicUsize::new(0);

/// Above the stack of every call into the plugin, for the first thread.
static STACK_TOP: AtomicUsize = AtomicUsize::new(0);

/// Tells the handlers where the plugin's code lies, so that they can pick probable callers off the stack.
pub(crate) fn plugin_code(start: usize, end: usize) {
    CODE_START.store(start, Ordering::Relaxed);
    CODE_END.store(end, Ordering::Relaxed);
}

/// Stack of the handlers, so that a stack overflow can still be noted.
const STACK: usize = 32 * 1024;

/// Installs the handlers. `replies` must never be unmapped afterwards, hence `'static`.
pub(crate) fn install(replies: &'static Mapping) -> io::Result<()> {
    let note = replies.at(0, report::END).ok_or(io::ErrorKind::InvalidInput)?;
    NOTE.store(note.as_ptr().cast(), Ordering::Release);
    OWN.store(std::process::id(), Ordering::Relaxed);
    STACK_TOP.store((&raw const note).addr(), Ordering::Relaxed);

    static ALTERNATE: OnceLock<Box<[u8]>> = OnceLock::new();
    let stack = ALTERNATE.get_or_init(|| vec![0; STACK].into_boxed_slice());
    let stack = libc::stack_t { ss_sp: stack.as_ptr().cast_mut().cast(), ss_flags: 0, ss_size: STACK };
    // SAFETY: the stack is STACK bytes of memory that is never freed and that nothing else uses.
    cvt(unsafe { libc::sigaltstack(&raw const stack, ptr::null_mut()) })?;

    on(libc::SIGSYS, denied, 0)?;
    // The first process of a pid namespace is not ended by a signal that it leaves to its default (pid_namespaces(7)).
    for signal in [libc::SIGXCPU, libc::SIGXFSZ] {
        on(signal, limited, 0)?;
    }
    for signal in [libc::SIGSEGV, libc::SIGBUS, libc::SIGILL, libc::SIGFPE, libc::SIGTRAP] {
        // RESETHAND: after the note the instruction runs again and the default action ends the process.
        on(signal, faulted, libc::SA_RESETHAND)?;
    }
    Ok(())
}

fn on(signal: c_int, handler: extern "C" fn(c_int, *mut siginfo_t, *mut c_void), flags: c_int) -> io::Result<()> {
    // SAFETY: all-zero is a valid `sigaction`: default action, empty mask.
    let mut action: libc::sigaction = unsafe { MaybeUninit::zeroed().assume_init() };
    action.sa_sigaction = handler as usize;
    action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | flags;
    // SAFETY: `action` is initialised, and the handlers only touch atomics, their own stack and raw system calls, all
    // of which are safe in a signal handler (signal-safety(7)).
    cvt(unsafe { libc::sigaction(signal, &raw const action, ptr::null_mut()) })
}

fn cvt(result: c_int) -> io::Result<()> {
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// The part of `siginfo_t` that `SIGSYS` fills (`_sigsys` in asm-generic/siginfo.h), which libc does not expose.
#[repr(C)]
struct SysInfo {
    signal: c_int,
    errno: c_int,
    code: c_int,
    padding: c_int,
    call_address: *mut c_void,
    syscall: c_int,
    arch: u32,
}

/// `SYS_SECCOMP` of asm-generic/siginfo.h: the signal comes from a filter, not from `kill(2)`.
const SYS_SECCOMP: c_int = 1;

extern "C" fn denied(signal: c_int, info: *mut siginfo_t, context: *mut c_void) {
    // SAFETY: with SA_SIGINFO the kernel passes a `siginfo_t`, of which `SysInfo` is the view for SIGSYS.
    let info = unsafe { &*info.cast::<SysInfo>() };
    // SAFETY: with SA_SIGINFO the third argument is the interrupted `ucontext_t`, which is the handler's to change.
    let context = unsafe { &mut *context.cast::<ucontext_t>() };
    let registers = Registers::of(context);
    if info.code != SYS_SECCOMP {
        end(128 + signal);
    }
    let [_, path, flags, ..] = registers.arguments;
    // SAFETY: the kernel refused the call before it looked at the path. Where the path is no string, this process ends.
    if i64::from(info.syscall) == libc::SYS_openat && unsafe { probes::is_probe(path as *const _, flags) } {
        Registers::answer(context, i64::from(-libc::EACCES));
        return;
    }
    // The filter's word, which comes with the signal: `SECCOMP_RET_DATA` (seccomp(2)).
    if info.errno == c_int::from(TRAP_REPORT) {
        tell(Refused::Filter, info.syscall as u32, &registers, Names::Nothing);
        Registers::answer(context, i64::from(-libc::EPERM));
        return;
    }
    if let Ok(word) = u16::try_from(info.errno)
        && word & TRAP_WATCH != 0
    {
        watch(word & !TRAP_WATCH, info.syscall, &registers, context);
        return;
    }
    let [target, _, sent, ..] = registers.arguments;
    let abort = i64::from(info.syscall) == libc::SYS_tgkill
        && target == u64::from(OWN.load(Ordering::Relaxed))
        && sent == libc::SIGABRT as u64;
    let kind = if abort { IncidentKind::Abort } else { IncidentKind::Syscall };
    let signal = if abort { libc::SIGABRT } else { signal };
    note(kind, signal, &registers, |set| {
        set(place::SYSCALL, info.syscall as u32 as u64);
        set(place::ARCH, info.arch.into());
        for (index, argument) in registers.arguments.into_iter().enumerate() {
            set(place::ARGUMENTS + index, argument);
        }
    });
    if abort {
        // abort(3) signals itself with tgkill(2), which the filters refuse: its target cannot be checked there. The
        // exit status is the shell's for a process that died of SIGABRT.
        end(128 + libc::SIGABRT);
    }
    let [a, b, c, d, e, f] = registers.arguments;
    // SAFETY: the filter just refused this very call, and filters are never removed: it does not happen this time either.
    unsafe { libc::syscall(info.syscall.into(), a, b, c, d, e, f) };
    // Reached only where the policy answers with an errno after all.
    end(128 + signal);
}

/// Makes a call that the filters permit, and tells the host if the kernel refuses it.
fn watch(what: u16, number: c_int, registers: &Registers, context: &mut ucontext_t) {
    // SAFETY: the filter traps this way only where the plan says so, and then the gate was mapped before it was installed.
    let result = unsafe { gate::call(number.into(), registers.arguments) };
    Registers::answer(context, result);
    let errno = c_int::try_from(-result).unwrap_or(0);
    if !matches!(errno, libc::EACCES | libc::EPERM | libc::EXDEV | libc::ENOENT) {
        return;
    }
    let path = match what {
        WATCH_ADDRESS => Names::Address(registers.arguments[1] as *const u8),
        index => Names::Path(registers.arguments.get(usize::from(index)).map_or(ptr::null(), |path| *path as *const _)),
    };
    tell(Refused::Kernel(errno), number as u32, registers, path);
}

/// Tells the host of a call that was refused and did not end the cell.
fn tell(refused: Refused, syscall: u32, registers: &Registers, names: Names) {
    let mut found = [0; 2];
    let mut count = 0;
    callers(registers, &mut |value| {
        if let Some(place) = found.get_mut(count) {
            *place = value;
            count += 1;
        }
        count < found.len()
    });
    let refusal = Refusal {
        refused,
        syscall,
        arguments: &registers.arguments,
        instruction: registers.instruction,
        callers: found,
        names,
    };
    // SAFETY: `install` stored the address of the replies half, which is never unmapped; the path is what the plugin gave
    // the kernel, which just read it.
    unsafe { report::write(NOTE.load(Ordering::Acquire), &refusal) };
}

extern "C" fn faulted(signal: c_int, info: *mut siginfo_t, context: *mut c_void) {
    // SAFETY: with SA_SIGINFO the kernel passes the `siginfo_t` of the fault.
    let info = unsafe { &*info };
    // SAFETY: with SA_SIGINFO the third argument is the interrupted `ucontext_t`.
    let registers = Registers::of(unsafe { &*context.cast::<ucontext_t>() });
    // SAFETY: these signals carry an address (sigaction(2)).
    let address = unsafe { info.si_addr() } as u64;
    note(IncidentKind::Fault, signal, &registers, |set| set(place::ADDRESS, address));
    if signal == libc::SIGTRAP {
        // The program stands behind the instruction that trapped, and would go on.
        end(128 + signal);
    }
}

extern "C" fn limited(signal: c_int, _: *mut siginfo_t, context: *mut c_void) {
    // SAFETY: with SA_SIGINFO the third argument is the interrupted `ucontext_t`.
    let registers = Registers::of(unsafe { &*context.cast::<ucontext_t>() });
    note(IncidentKind::Limit, signal, &registers, |_| {});
    // The exit status is the shell's for a process that died of the signal.
    end(128 + signal);
}

/// Writes the note, unless one is there: the first incident is the cause.
fn note(kind: IncidentKind, signal: c_int, registers: &Registers, more: impl FnOnce(&dyn Fn(usize, u64))) {
    let base = NOTE.load(Ordering::Acquire);
    let set = |index: usize, value: u64| {
        // SAFETY: `install` stored the address of `place::END` words that are never unmapped; all indices are below it.
        let word = unsafe { base.add(index) };
        // SAFETY: aligned, mapped, and accessed only atomically.
        unsafe { AtomicU64::from_ptr(word) }.store(value, Ordering::Relaxed);
    };
    // SAFETY: as in `set`.
    let state = unsafe { AtomicU64::from_ptr(base) };
    if state.compare_exchange(0, WRITING, Ordering::Relaxed, Ordering::Relaxed).is_err() {
        return;
    }
    set(place::KIND, kind as u64);
    set(place::SIGNAL, signal as u64);
    set(place::INSTRUCTION, registers.instruction);
    more(&set);
    state.store(COMPLETE, Ordering::Release);
    // From here on a fault in the handler costs only the details below.
    set(place::EXHAUSTED, u64::from(exhausted()));
    let mut found = 0;
    callers(registers, &mut |value| {
        set(place::CALLERS + found, value);
        found += 1;
        found < CALLERS
    });
}

/// Whether the process is at its memory limit: a small mapping is refused.
fn exhausted() -> bool {
    const PROBE: usize = 256 * 1024;
    let protection = libc::PROT_READ | libc::PROT_WRITE;
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    // SAFETY: an anonymous mapping at an address of the kernel's choice replaces nothing.
    let probe = unsafe { libc::mmap(ptr::null_mut(), PROBE, protection, flags, -1, 0) };
    if probe == libc::MAP_FAILED {
        return true;
    }
    // SAFETY: the range was mapped just now and nobody knows of it. The process ends; a failure changes nothing.
    unsafe { libc::munmap(probe, PROBE) };
    false
}

/// Gives `take` the words above the stack pointer that point into the plugin's code, until it has enough. On the stack of the
/// first thread that is the next 512; elsewhere no further than the page goes: the next one may not be mapped, and the stack
/// pointer is the plugin's to choose.
fn callers(registers: &Registers, take: &mut dyn FnMut(u64) -> bool) {
    const PAGE: usize = 4096;
    const NEAR: usize = 256 * 1024;
    let code = CODE_START.load(Ordering::Relaxed) as u64..CODE_END.load(Ordering::Relaxed) as u64;
    let mut word = registers.stack as usize & !(size_of::<u64>() - 1);
    let top = STACK_TOP.load(Ordering::Relaxed);
    let end = match top.checked_sub(word) {
        Some(depth) if depth < NEAR => word + depth.min(PAGE),
        _ => (word | (PAGE - 1)).wrapping_add(1),
    } & !(size_of::<u64>() - 1);
    if code.contains(&registers.instruction) {
        return;
    }
    while word != end {
        // SAFETY: aligned, and on the page of the stack pointer or between it and a frame that is still there. Where that is
        // not mapped this faults, and the kernel ends the process, whose stack pointer does not point to its stack.
        let value = unsafe { ptr::read_volatile(word as *const u64) };
        if code.contains(&value) && !take(value) {
            return;
        }
        word = word.wrapping_add(size_of::<u64>());
    }
}

/// Leaves without running anything of the plugin's (`atexit(3)`, destructors).
pub(crate) fn end(status: c_int) -> ! {
    // SAFETY: `_exit` is async-signal-safe and does not return.
    unsafe { libc::_exit(status) }
}

struct Registers {
    instruction: u64,
    stack: u64,
    arguments: [u64; 6],
}

impl Registers {
    #[cfg(target_arch = "x86_64")]
    fn of(context: &ucontext_t) -> Self {
        let register = |index: c_int| context.uc_mcontext.gregs[index as usize] as u64;
        Self {
            instruction: register(libc::REG_RIP),
            stack: register(libc::REG_RSP),
            // syscall(2), "Architecture calling conventions".
            arguments: [libc::REG_RDI, libc::REG_RSI, libc::REG_RDX, libc::REG_R10, libc::REG_R8, libc::REG_R9]
                .map(register),
        }
    }

    /// What the interrupted system call returns.
    #[cfg(target_arch = "x86_64")]
    fn answer(context: &mut ucontext_t, result: i64) {
        context.uc_mcontext.gregs[libc::REG_RAX as usize] = result;
    }

    /// What the interrupted system call returns.
    #[cfg(target_arch = "aarch64")]
    fn answer(context: &mut ucontext_t, result: i64) {
        context.uc_mcontext.regs[0] = result as u64;
    }

    #[cfg(target_arch = "aarch64")]
    fn of(context: &ucontext_t) -> Self {
        let machine = &context.uc_mcontext;
        Self {
            instruction: machine.pc,
            stack: machine.sp,
            arguments: [0, 1, 2, 3, 4, 5].map(|index: usize| machine.regs[index]),
        }
    }
}
