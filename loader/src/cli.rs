//! The program `lazaret`: what its words mean. Everything it can do, the library can do.

mod arguments;
mod call;
mod demo;
mod inspect;
mod policy;
mod show;

use std::ffi::OsString;
use std::io::{self, IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::error::ExitStatus;

/// Use native plugins that you do not trust.
///
/// A plugin is verified and audited before a byte of it is mapped, and then runs in a process that may do only what its
/// policy permits.
#[derive(Debug, Parser)]
#[command(name = "lazaret", version, max_term_width = 100, after_help = EXIT_HELP)]
struct Words {
    /// Logs to standard error: `info`, `debug`, or a filter such as `lazaret=trace`.
    #[arg(long, global = true, value_name = "FILTER")]
    log: Option<String>,
    #[command(subcommand)]
    command: Command,
}

const EXIT_HELP: &str = "\
Exit status: 0 done · 1 the file or the policy was refused · 2 usage, or input that cannot be read · 3 this machine lacks \
what the policy requires · 4 the plugin violated, crashed, lied, or ran out of time or memory · 70 a bug";

#[derive(Debug, Subcommand)]
enum Command {
    /// Show in a minute what Lazaret is for.
    ///
    /// Audits a real library of this machine, loads it and calls it; then loads a hostile one, and shows what stopped it.
    Demo,
    /// Load a plugin into a cell, call one function, print what it returned.
    #[command(after_help = call::HELP)]
    Call(CallWords),
    /// Audit files. Nothing of them is executed.
    Inspect(InspectWords),
    /// Check and explain policies.
    #[command(subcommand)]
    Policy(PolicyWords),
}

#[derive(Debug, Args)]
struct CallWords {
    /// A shared object, or the directory of a bundle.
    file: PathBuf,
    /// The function: `crc32(crc: u64, buf: in [u8; len], len: u32) -> u64`.
    signature: String,
    /// One word for each parameter that is not `out`; `_` for the length of a buffer that is given.
    #[arg(allow_negative_numbers = true)]
    arguments: Vec<OsString>,
    #[command(flatten)]
    policy: PolicyChoice,
    /// The trust document, which says what keys the publishers of a policy have.
    #[arg(long, value_name = "FILE")]
    trust: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct InspectWords {
    /// Shared objects, or directories of bundles.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    #[command(flatten)]
    policy: PolicyChoice,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct PolicyChoice {
    /// A policy file, or `builtin:NAME`.
    #[arg(long, value_name = "POLICY", default_value = "builtin:compute")]
    policy: String,
}

#[derive(Debug, Subcommand)]
enum PolicyWords {
    /// Report every mistake in policies.
    Check {
        /// Policy files, or `builtin:NAME`.
        #[arg(required = true)]
        policies: Vec<String>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Print every effective grant with the line that gives it, and every removed one with the line that took it.
    Explain {
        /// A policy file, or `builtin:NAME`.
        policy: String,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Print the JSON Schema of the policy language, for editors.
    Schema,
}

/// Runs the program on the words of its command line.
#[must_use]
pub fn main() -> ExitCode {
    let words = match Words::try_parse() {
        Ok(words) => words,
        Err(error) => {
            // Help and version go to standard output with status 0, mistakes to standard error with 2: clap's own rule
            // is the contract's.
            let status = if error.use_stderr() { ExitStatus::Usage } else { ExitStatus::Done };
            return finish(error.print(), status);
        }
    };
    if let Err(message) = log_to_stderr(words.log.as_deref()) {
        return finish(writeln!(io::stderr(), "error[E-USAGE]: {message}"), ExitStatus::Usage);
    }
    let mut out = io::stdout().lock();
    let result = match words.command {
        Command::Demo => demo::run(&mut out),
        Command::Call(words) => call::run(&words, &mut out),
        Command::Inspect(words) => inspect::run(&words, &mut out),
        Command::Policy(words) => policy::run(&words, &mut out),
    };
    match result.and_then(|status| out.flush().map(|()| status)) {
        Ok(status) => ExitCode::from(status as u8),
        Err(error) => finish(Err(error), ExitStatus::Bug),
    }
}

/// Ends after output. A reader that has gone away (`lazaret … | head`) has seen what it wanted.
fn finish(written: io::Result<()>, status: ExitStatus) -> ExitCode {
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => ExitCode::from(ExitStatus::Bug as u8),
        _ => ExitCode::from(status as u8),
    }
}

fn log_to_stderr(filter: Option<&str>) -> Result<(), String> {
    let Some(filter) = filter else { return Ok(()) };
    let filter = tracing_subscriber::EnvFilter::try_new(filter)
        .map_err(|error| format!("`--log` takes a level or a filter: {error}"))?;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .try_init()
        .map_err(|error| error.to_string())
}
