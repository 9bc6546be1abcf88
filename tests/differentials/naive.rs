//! What an auditor writes in an afternoon: one parser, its lists, and no question whether a loader reads the same.

use goblin::elf::Elf;

const NEEDED: [&str; 4] = ["libc.so.6", "libm.so.6", "libgood.so", "ld-linux-x86-64.so.2"];
const DENIED: [&str; 8] = ["system", "execve", "dlopen", "dlsym", "socket", "mprotect", "fork", "popen"];

/// What it says of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Naive {
    Passes,
    Refuses,
    CannotParse,
}

pub(super) fn audit(bytes: &[u8]) -> Naive {
    let Ok(elf) = Elf::parse(bytes) else { return Naive::CannotParse };
    let loads = || elf.program_headers.iter().filter(|header| header.p_type == 1);
    let mut imports = elf.dynsyms.iter().filter(|symbol| symbol.is_import());
    let stack = elf.program_headers.iter().find(|header| header.p_type == 0x6474_e551);
    let info = elf.dynamic.as_ref().map(|dynamic| &dynamic.info);
    let harmless = elf.libraries.iter().all(|library| NEEDED.contains(library))
        && !imports.any(|symbol| elf.dynstrtab.get_at(symbol.st_name).is_some_and(|name| DENIED.contains(&name)))
        && elf.rpaths.is_empty()
        && elf.runpaths.is_empty()
        && !loads().any(|load| load.p_flags & 3 == 3)
        && stack.is_none_or(|stack| stack.p_flags & 1 == 0)
        && info.is_none_or(|info| !info.textrel && info.init == 0);
    if harmless { Naive::Passes } else { Naive::Refuses }
}
