//! Decides from the ELF header whether this is a shared object for the target at all (rules H1–H3 of the strict view:
//! glibc compares these bytes exactly, musl hardly looks at them, goblin accepts other classes and byte orders).

use lazaret_policy::Arch;

use super::bytes::{entry, len, range, u16_at, u32_at, u64_at};
use super::finding::{Code, Findings, Stop};
use super::text::hex;

/// The size of an ELF header, `e_ehsize`.
pub(super) const HEADER: usize = 64;
/// The size of a program header, `e_phentsize`.
pub(super) const PROGRAM_HEADER: usize = 56;
/// More than any linker writes. Loaders keep the whole table on their stack.
const MAX_SEGMENTS: u16 = 64;

const MAGIC: &[u8] = b"\x7fELF";
const EM_X86_64: u16 = 62;
const EM_AARCH64: u16 = 183;

/// What the header says about the rest of the file.
pub(super) struct Header {
    pub(super) phoff: u64,
    pub(super) phnum: u16,
    pub(super) shoff: u64,
    pub(super) shentsize: u16,
    pub(super) shnum: u16,
    pub(super) shstrndx: u16,
}

impl Header {
    /// The size of the program header table in bytes.
    pub(super) fn table_len(&self) -> u64 {
        u64::from(self.phnum).saturating_mul(len(PROGRAM_HEADER))
    }
}

/// Reads the header of a shared object for `arch`.
pub(super) fn read(bytes: &[u8], arch: Arch, findings: &mut Findings) -> Result<Header, Stop> {
    identify(bytes, findings)?;
    let Some(header) = entry::<HEADER>(bytes, 0) else {
        return Err(truncated(bytes, "the ELF header", findings));
    };
    machine(u16_at::<18, _>(header), arch, findings)?;
    kind(u16_at::<16, _>(header), findings)?;

    let version = u32_at::<20, _>(header);
    if version != 1 {
        findings.refuse(Code::Ident, || format!("the header has version {version} instead of 1"));
    }
    let (ehsize, phentsize) = (u16_at::<52, _>(header), u16_at::<54, _>(header));
    if usize::from(ehsize) != HEADER || usize::from(phentsize) != PROGRAM_HEADER {
        let what = || "loaders would read the program headers at different places".to_owned();
        let stop = findings.refuse(Code::EntrySize, what);
        stop.with("e_ehsize", || ehsize.to_string()).with("e_phentsize", || phentsize.to_string());
        return Err(stop.halt());
    }
    let read = Header {
        phoff: u64_at::<32, _>(header),
        phnum: u16_at::<56, _>(header),
        shoff: u64_at::<40, _>(header),
        shentsize: u16_at::<58, _>(header),
        shnum: u16_at::<60, _>(header),
        shstrndx: u16_at::<62, _>(header),
    };
    if !(1..=MAX_SEGMENTS).contains(&read.phnum) {
        let what = || format!("the file has {} program headers; 1 to {MAX_SEGMENTS} are read", read.phnum);
        return Err(findings.stop(Code::SegmentCount, what));
    }
    if range(bytes, read.phoff, read.table_len()).is_none() {
        return Err(truncated(bytes, "the program headers", findings));
    }
    Ok(read)
}

fn truncated(bytes: &[u8], inside: &str, findings: &mut Findings) -> Stop {
    let what = || format!("the file ends before the end of {inside}");
    findings.refuse(Code::Truncated, what).with("file_size", || bytes.len().to_string()).halt()
}

/// The identification, as far as the file goes: a short 32-bit file is called a 32-bit file.
fn identify(bytes: &[u8], findings: &mut Findings) -> Result<(), Stop> {
    if bytes.is_empty() {
        return Err(findings.stop(Code::Empty, || "the file is empty".to_owned()));
    }
    let magic = bytes.get(..MAGIC.len()).unwrap_or(bytes);
    if !MAGIC.starts_with(magic) {
        let what = || "the file does not begin like an ELF file".to_owned();
        return Err(findings.refuse(Code::NotElf, what).with("first_bytes", || format!("{magic:02x?}")).halt());
    }
    match bytes.get(4) {
        Some(1) => return Err(findings.stop(Code::Class, || "the file is a 32-bit ELF file".to_owned())),
        Some(2) | None => {}
        Some(class) => return Err(findings.stop(Code::Class, || format!("the file has the unknown ELF class {class}"))),
    }
    match bytes.get(5) {
        Some(2) => return Err(findings.stop(Code::Endian, || "the file is a big-endian ELF file".to_owned())),
        Some(1) | None => {}
        Some(order) => {
            return Err(findings.stop(Code::Endian, || format!("the file has the unknown byte order {order}")));
        }
    }
    if let Some([version, abi, rest @ ..]) = bytes.get(6..16) {
        // System V or GNU, nothing after it: glibc compares these bytes with exactly that, musl ignores them.
        if *version != 1 || !matches!(abi, 0 | 3) || rest.iter().any(|&byte| byte != 0) {
            let what = || "the file is not for Linux, or its identification was changed".to_owned();
            findings.refuse(Code::Ident, what).with("e_ident", || format!("{:02x?}", &bytes.get(..16)));
        }
    }
    Ok(())
}

fn machine(machine: u16, arch: Arch, findings: &mut Findings) -> Result<(), Stop> {
    let wanted = match arch {
        Arch::X86_64 => EM_X86_64,
        Arch::Aarch64 => EM_AARCH64,
    };
    if machine == wanted {
        return Ok(());
    }
    let known = match machine {
        3 => " (i386)",
        8 => " (MIPS)",
        21 => " (ppc64)",
        22 => " (s390)",
        40 => " (arm)",
        EM_X86_64 => " (x86_64)",
        EM_AARCH64 => " (aarch64)",
        243 => " (riscv)",
        258 => " (loongarch)",
        _ => "",
    };
    let what = || format!("the file is for machine {machine}{known}, and this one is machine {wanted} ({arch:?})");
    Err(findings.refuse(Code::Machine, what).with("e_machine", || machine.to_string()).halt())
}

fn kind(kind: u16, findings: &mut Findings) -> Result<(), Stop> {
    let (code, what) = match kind {
        3 => return Ok(()),
        1 => (Code::TypeRelocatable, "the file is an object file that was not linked"),
        2 => (Code::TypeExecutable, "the file is a program with fixed addresses"),
        4 => (Code::TypeCore, "the file is a core dump"),
        _ => (Code::TypeUnknown, "the file is of an unknown ELF type"),
    };
    Err(findings.refuse(code, || what.to_owned()).with("e_type", || hex(kind.into())).halt())
}
