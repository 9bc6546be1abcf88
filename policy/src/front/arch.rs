//! Syscall names and numbers of the two architectures, from the kernel's tables as the `syscalls` crate ships them.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use crate::front::kernel::Arch;

impl Arch {
    /// Both architectures.
    pub const ALL: [Self; 2] = [Self::X86_64, Self::Aarch64];

    /// The word that data files and reports use.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64",
            Self::Aarch64 => "aarch64",
        }
    }
}

/// The name of a syscall number.
#[must_use]
pub fn syscall_name(arch: Arch, number: u32) -> Option<&'static str> {
    let number = usize::try_from(number).ok()?;
    match arch {
        Arch::X86_64 => syscalls::x86_64::Sysno::new(number).map(|call| call.name()),
        Arch::Aarch64 => syscalls::aarch64::Sysno::new(number).map(|call| common_name(call.name())),
    }
}

/// The tables call number 79 of aarch64 `fstatat`; the kernel's headers and every libc say `newfstatat`.
fn common_name(name: &'static str) -> &'static str {
    if name == "fstatat" { "newfstatat" } else { name }
}

/// The number of a syscall name, where the architecture has it.
#[must_use]
pub fn syscall_number(arch: Arch, name: &str) -> Option<u32> {
    let number = match arch {
        Arch::X86_64 => name.parse::<syscalls::x86_64::Sysno>().ok()?.id(),
        Arch::Aarch64 if name == "newfstatat" => syscalls::aarch64::Sysno::fstatat.id(),
        Arch::Aarch64 if name == "fstatat" => return None,
        Arch::Aarch64 => name.parse::<syscalls::aarch64::Sysno>().ok()?.id(),
    };
    u32::try_from(number).ok()
}

static NAMES: LazyLock<BTreeSet<&'static str>> = LazyLock::new(|| {
    let x86_64 = syscalls::x86_64::Sysno::iter().map(|call| call.name());
    let aarch64 = syscalls::aarch64::Sysno::iter().map(|call| common_name(call.name()));
    x86_64.chain(aarch64).collect()
});

/// Every name that exists on at least one architecture, in order.
pub(crate) fn known_names() -> &'static BTreeSet<&'static str> {
    &NAMES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_agree_on_both_architectures() {
        assert_eq!(syscall_number(Arch::X86_64, "mmap"), Some(9));
        assert_eq!(syscall_number(Arch::Aarch64, "mmap"), Some(222));
        assert_eq!(syscall_number(Arch::Aarch64, "open"), None);
        for arch in Arch::ALL {
            for name in known_names() {
                if let Some(number) = syscall_number(arch, name) {
                    assert_eq!(syscall_name(arch, number), Some(*name));
                }
            }
        }
        assert_eq!(syscall_name(Arch::X86_64, u32::MAX), None);
    }
}
