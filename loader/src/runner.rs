//! A runner: a program that a cell executes to map the plugin, where the cell program cannot (Go plugins need one built with
//! their own toolchain). It speaks the region; `tests/plugins/runner` has one in C.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use lazaret_cell::sealed::{CopyError, Sealed};

use crate::error::Error;
use crate::libraries::Libraries;
use crate::open::{self, FILE_LIMIT, OpenError};
use crate::plan::NamedLibraries;

/// A runner with its dynamic loader and its libraries, all sealed. Its maker is trusted as the host is: it is not audited, and
/// what keeps it in its cell are the layers.
#[derive(Debug)]
pub struct Runner {
    pub(crate) program: Sealed,
    /// The dynamic loader that the program names, as something to execute.
    pub(crate) loader: OwnedFd,
    pub(crate) libraries: NamedLibraries,
}

impl Runner {
    /// Takes copies of a program, of the dynamic loader that it names (`PT_INTERP`), and of the libraries that it needs.
    pub(crate) fn open(path: &Path, libraries: &Libraries) -> Result<Self, Error> {
        let unreadable = |path: &Path, source| OpenError::Read { path: path.to_owned(), source };
        let program = open::seal(path)?;
        let elf = goblin::elf::Elf::parse(program.bytes());
        let elf = elf.map_err(|error| unreadable(path, io::Error::other(error)))?;
        let none = || unreadable(path, io::Error::other("it is no program: it names no dynamic loader"));
        let interpreter = Path::new(elf.interpreter.ok_or_else(none)?);
        let file = File::open(interpreter).map_err(|source| unreadable(interpreter, source))?;
        let loader = Sealed::program(&file, FILE_LIMIT).map_err(|error| match error {
            CopyError::TooLarge => OpenError::TooLarge { path: interpreter.to_owned(), limit: FILE_LIMIT },
            CopyError::Io(source) => unreadable(interpreter, source),
        })?;
        let libraries = libraries.closure(&mut elf.libraries.iter().copied())?;
        Ok(Self { program, loader, libraries })
    }
}
