//! The program `lazaret`: what its words mean. Everything it can do, the library can do.

mod apparmor;
mod arguments;
mod call;
mod demo;
mod doctor;
mod inspect;
mod page;
mod policy;
mod prove;
mod show;

use std::ffi::OsString;
use std::io::{self, IsTerminal as _, Write};
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
Exit status: 0 done · 1 the file or the policy was refused, or an act was not stopped · 2 usage, or input that cannot be read · 3 this machine lacks \
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
    #[command(after_help = inspect::HELP)]
    Inspect(InspectWords),
    /// Try the built-in attacks in cells under a policy on this machine.
    ///
    /// Prints for each act what stopped it, which line of the policy permits it, or that it was not stopped; and what each
    /// layer does to it alone.
    #[command(after_help = prove::HELP)]
    Prove(ProveWords),
    /// Check and explain policies.
    #[command(subcommand)]
    Policy(PolicyWords),
    /// Say what this machine can enforce, and what to do where it cannot.
    ///
    /// One line for each check: ok, warning or missing. Starts one cell, and changes nothing.
    #[command(after_help = doctor::HELP)]
    Doctor(DoctorWords),
    /// Print the AppArmor profile of a policy.
    ///
    /// It grants the cells of the policy what Landlock grants them. Where it is loaded and enforced, and the policy names the layer
    /// `apparmor`, cells enter it.
    #[command(after_help = apparmor::HELP)]
    Apparmor(ApparmorWords),
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
    /// Watch the cell, and say which files and ports Landlock or AppArmor refused. Permits the same.
    #[arg(long)]
    explain: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct InspectWords {
    /// Shared objects, bundles, or directories of shared objects.
    #[arg(required_unless_present = "schema", value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    policy: PolicyChoice,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    /// Print SARIF 2.1.0, for code scanning.
    #[arg(long, conflicts_with = "json")]
    sarif: bool,
    /// Write a page that needs nothing else to be read.
    #[arg(long, value_name = "OUT")]
    html: Option<PathBuf>,
    /// Write what the one file says it is made from: an SBOM (CycloneDX 1.6).
    #[arg(long, value_name = "OUT")]
    sbom: Option<PathBuf>,
    /// Print the JSON Schema of what `--json` prints.
    #[arg(long, conflicts_with_all = ["json", "sarif", "html", "sbom", "files"])]
    schema: bool,
}

#[derive(Debug, Args)]
struct ProveWords {
    #[command(flatten)]
    policy: PolicyChoice,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    /// Write a page that needs nothing else to be read.
    #[arg(long, value_name = "OUT")]
    html: Option<PathBuf>,
    /// Try these acts alone.
    #[arg(long, value_name = "NAME", num_args = 1..)]
    act: Vec<String>,
}

#[derive(Debug, Args)]
struct DoctorWords {
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct ApparmorWords {
    /// A policy file, or `builtin:NAME`.
    policy: String,
    /// The directory of the bundle that `${bundle}` stands for.
    #[arg(long, value_name = "DIRECTORY")]
    bundle: Option<PathBuf>,
    /// Write it into this directory, under the name of the profile, and print where it is.
    #[arg(long, value_name = "DIRECTORY")]
    into: Option<PathBuf>,
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
    let mut out = Output(io::stdout().lock());
    match run(&mut out).and_then(|status| out.flush().map(|()| status)) {
        Ok(status) => ExitCode::from(status as u8),
        Err(error) => {
            let message = format!("the output cannot be written: {error}");
            // Nothing more can be done for somebody whose standard error is closed as well.
            let _told = show::mistake("E-OUTPUT", &message, None, false, &mut io::sink());
            ExitCode::from(ExitStatus::Usage as u8)
        }
    }
}

fn run(out: &mut impl Write) -> io::Result<ExitStatus> {
    let words = match Words::try_parse() {
        Ok(words) => words,
        Err(error) => return usage(&error, out),
    };
    if let Err(message) = log_to_stderr(words.log.as_deref()) {
        return show::mistake("E-USAGE", &message, None, false, out);
    }
    match words.command {
        Command::Demo => demo::run(out),
        Command::Call(words) => call::run(&words, out),
        Command::Inspect(words) => inspect::run(&words, out),
        Command::Prove(words) => prove::run(&words, out),
        Command::Policy(words) => policy::run(&words, out),
        Command::Doctor(words) => doctor::run(&words, out),
        Command::Apparmor(words) => apparmor::run(&words, out),
    }
}

/// Help and version are output; everything else that clap says is a mistake, in JSON where the words ask for it.
fn usage(error: &clap::Error, out: &mut impl Write) -> io::Result<ExitStatus> {
    if !error.use_stderr() {
        write!(out, "{}", error.render())?;
        return Ok(ExitStatus::Done);
    }
    if std::env::args_os().any(|word| word == "--json") {
        let text = error.to_string();
        let message = text.lines().next().unwrap_or_default().trim_start_matches("error: ");
        return show::mistake("E-USAGE", message, Some("`lazaret help` lists the commands"), true, out);
    }
    write!(
        show::messages(),
        "{}",
        if io::stderr().is_terminal() { error.render().ansi().to_string() } else { error.to_string() }
    )?;
    Ok(ExitStatus::Usage)
}

/// Standard output, for somebody who may have seen enough (`lazaret … | head`): then the rest is not written, and the
/// status is what it would have been.
struct Output<W>(W);

impl<W: Write> Write for Output<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.0.write(bytes) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(bytes.len()),
            written => written,
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self.0.flush() {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            flushed => flushed,
        }
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
