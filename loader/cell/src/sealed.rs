//! A private, immutable copy of a file: what is hashed, audited and mapped is this copy and nothing else.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{MemfdFlags, Mode, SealFlags, fcntl_add_seals, memfd_create};

use crate::shared::Mapping;

/// A memfd sealed against every change (`memfd_create(2)`, `F_SEAL_*` of `fcntl(2)`), and its bytes.
#[derive(Debug)]
pub struct Sealed {
    fd: OwnedFd,
    mapping: Mapping,
}

/// Why a file could not be copied.
#[derive(Debug)]
pub enum CopyError {
    /// It has more bytes than the limit, or grew past it while it was read.
    TooLarge,
    /// Reading it, or making the copy, failed.
    Io(io::Error),
}

impl From<io::Error> for CopyError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl Sealed {
    /// Copies what `file` holds from its current position, at most `limit` bytes, and seals the copy.
    ///
    /// A file that changes meanwhile gives a copy of some mixture; that mixture is then what is verified.
    ///
    /// # Errors
    /// [`CopyError`].
    pub fn copy_of(file: &File, limit: u64) -> Result<Self, CopyError> {
        let fd = memory_file("lazaret-sealed")?;
        let mut copy = File::from(fd);
        let copied = io::copy(&mut file.take(limit.saturating_add(1)), &mut copy)?;
        if copied > limit {
            return Err(CopyError::TooLarge);
        }
        seal(&copy)?;
        // Of the copy, not of what was counted: the seals make this length final.
        let length = usize::try_from(copy.metadata()?.len()).map_err(|_| CopyError::TooLarge)?;
        let fd = OwnedFd::from(copy);
        let mapping = Mapping::sealed(fd.as_fd(), length)?;
        Ok(Self { fd, mapping })
    }

    /// Copies a program, so that a cell can execute the copy and nobody can read it: who executes what he may not read is not
    /// dumpable (`execve(2)`), from the first instruction on.
    ///
    /// # Errors
    /// [`CopyError`], also where the machine forbids executable memory files (`vm.memfd_noexec`).
    pub fn program(file: &File, limit: u64) -> Result<OwnedFd, CopyError> {
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        let fd = match memfd_create("lazaret-program", flags | MemfdFlags::EXEC) {
            Err(rustix::io::Errno::INVAL) => memfd_create("lazaret-program", flags),
            made => made,
        };
        let mut copy = File::from(fd.map_err(io::Error::from)?);
        if io::copy(&mut file.take(limit.saturating_add(1)), &mut copy)? > limit {
            return Err(CopyError::TooLarge);
        }
        rustix::fs::fchmod(&copy, Mode::XUSR | Mode::XGRP | Mode::XOTH).map_err(io::Error::from)?;
        seal(&copy)?;
        Ok(copy.into())
    }

    /// The bytes of the copy.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.mapping.sealed_bytes()
    }
}

/// Seals a memory file against every change, of its seals too.
pub(crate) fn seal(file: &File) -> io::Result<()> {
    Ok(fcntl_add_seals(file, SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL)?)
}

/// A memory file that can be sealed, mapped and not executed as a program: a cell that holds it cannot start it. Mapping its
/// code is another matter, which no mode of a file decides.
pub fn memory_file(name: &str) -> io::Result<OwnedFd> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    match memfd_create(name, flags | MemfdFlags::NOEXEC_SEAL) {
        // Before Linux 6.3. The cell could give itself the right again where a policy lets it change modes.
        Err(rustix::io::Errno::INVAL) => {
            let fd = memfd_create(name, flags)?;
            // As the newer flag leaves it. Whoever the cell becomes must still be able to open it.
            rustix::fs::fchmod(&fd, Mode::from_raw_mode(0o666))?;
            Ok(fd)
        }
        made => Ok(made?),
    }
}

impl AsFd for Sealed {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Seek as _, Write as _};

    fn file_of(bytes: &[u8]) -> File {
        let mut file = File::from(memfd_create("source", MemfdFlags::CLOEXEC).expect("memfd"));
        file.write_all(bytes).expect("write");
        file.rewind().expect("rewind");
        file
    }

    #[test]
    fn a_copy_keeps_its_bytes_when_the_file_changes() {
        let mut source = file_of(b"before");
        let sealed = Sealed::copy_of(&source, 100).expect("copy");
        source.rewind().expect("rewind");
        source.write_all(b"after!").expect("write");
        assert_eq!(sealed.bytes(), b"before");
    }

    #[test]
    fn a_copy_cannot_be_written_grown_or_shrunk() {
        let sealed = Sealed::copy_of(&file_of(b"bytes"), 100).expect("copy");
        let mut again = File::from(sealed.fd.try_clone().expect("clone"));
        assert_eq!(again.write(b"x").expect_err("sealed").raw_os_error(), Some(libc::EPERM));
        assert_eq!(again.set_len(1).expect_err("sealed").raw_os_error(), Some(libc::EPERM));
        assert_eq!(again.set_len(100).expect_err("sealed").raw_os_error(), Some(libc::EPERM));
    }

    #[test]
    fn a_file_past_the_limit_is_refused() {
        assert!(matches!(Sealed::copy_of(&file_of(b"12345"), 4), Err(CopyError::TooLarge)));
        assert_eq!(Sealed::copy_of(&file_of(b"1234"), 4).expect("fits").bytes(), b"1234");
        assert_eq!(Sealed::copy_of(&file_of(b""), 4).expect("empty").bytes(), b"");
    }
}
