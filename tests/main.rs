//! Everything that Lazaret promises, tried on real files: plugins that the tests build, libraries of the distribution, and
//! the programs as a user runs them.
#![expect(clippy::disallowed_methods, reason = "the tests build plugins and run the programs")]

mod apparmor;
mod attacks;
mod bad_input;
mod calls;
mod checksec;
mod cli;
mod closure;
#[cfg(target_arch = "x86_64")]
mod differentials;
mod direct_syscalls;
mod doctor;
mod hostile;
mod inspect;
mod layers;
mod prove;
mod provenance;
mod readelf;
mod real_libraries;
mod runner;
mod structure;
mod supervise;
mod support;
mod trust;
#[cfg(target_arch = "x86_64")]
mod vm;
