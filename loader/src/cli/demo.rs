//! `lazaret demo`: a real library of this machine, and then a hostile plugin, in a minute of reading.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use lazaret_policy::{Policy, State};

use super::show;
use crate::call::{Signature, Value};
use crate::error::{Error, ExitStatus};
use crate::outcome::Outcome;
use crate::search::LIBRARY_DIRECTORIES;
use crate::{Host, Loaded, Opened};

/// The plugin built from `demo/hostile.c`.
const HOSTILE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/hostile.so"));

/// What the hostile plugin does, and what it would have meant.
const ACTS: [(&str, &str); 5] = [
    ("steal_ssh_key", "open /root/.ssh/id_ed25519"),
    ("phone_home", "make a network socket"),
    ("run_a_shell", "execute /bin/sh"),
    ("reach_into_the_host", "write to memory that is not its own"),
    ("never_return", "keep its caller waiting for ever"),
];

pub(super) fn run(out: &mut impl Write) -> io::Result<ExitStatus> {
    match Host::new().and_then(|host| Ok((host.policy("builtin:compute")?, host))) {
        Ok((policy, host)) => show(&host, &policy, out),
        Err(error) => show::error(&error, false, out),
    }
}

fn show(host: &Host, policy: &Arc<Policy>, out: &mut impl Write) -> io::Result<ExitStatus> {
    writeln!(out, "Lazaret lets a program use native plugins that it does not trust.\n")?;
    if let Err(error) = real_library(host, policy, out)? {
        return show::error(&error, false, out);
    }
    if let Err(error) = hostile_plugin(host, policy, out)? {
        return show::error(&error, false, out);
    }
    writeln!(out, "This program, their host, goes on. What else there is:")?;
    writeln!(out, "  lazaret inspect FILE                what a file is and needs; nothing of it is executed")?;
    writeln!(out, "  lazaret call FILE 'SIGNATURE' ARG…  one function of it, in a cell")?;
    writeln!(out, "  lazaret policy explain builtin:compute")?;
    Ok(ExitStatus::Done)
}

/// Loads and times it.
fn load(host: &Host, policy: &Arc<Policy>, file: &Path) -> Result<(Loaded, std::time::Duration), Error> {
    let began = Instant::now();
    let loaded = host.load(Opened::open(file)?, Arc::clone(policy))?;
    Ok((loaded, began.elapsed()))
}

fn real_library(host: &Host, policy: &Arc<Policy>, out: &mut impl Write) -> io::Result<Result<(), Error>> {
    let found = LIBRARY_DIRECTORIES.iter().map(|directory| Path::new(directory).join("libz.so.1"));
    let Some(zlib) = found.into_iter().find(|path| path.exists()) else {
        writeln!(out, "1. zlib is not installed on this machine, so there is nothing to show of it.\n")?;
        return Ok(Ok(()));
    };
    writeln!(out, "1. A library of this machine: {}", zlib.display())?;
    let (mut loaded, took) = match load(host, policy, &zlib) {
        Ok(loaded) => loaded,
        Err(error) => return Ok(Err(error)),
    };
    let layers: Vec<String> = loaded
        .cell
        .enforcement()
        .layers
        .iter()
        .filter(|status| matches!(status.state, State::Enforced { .. }))
        .map(|status| status.layer.name().to_owned())
        .collect();
    writeln!(out, "   audited, then mapped in process {} under {}", loaded.cell.pid(), layers.join(", "))?;
    writeln!(out, "   ready after {took:.1?}")?;
    let hello = [Value::Unsigned(0), Value::Bytes(b"hello".to_vec()), Value::Length];
    for (signature, arguments) in
        [("zlibVersion() -> cstr", &[][..]), ("crc32(crc: u64, buf: in [u8; len], len: u32) -> u64", &hello)]
    {
        write!(out, "   {signature}\n     = ")?;
        show::outcome(&call(&mut loaded, signature, arguments), out)?;
    }
    writeln!(out)?;
    Ok(Ok(()))
}

fn hostile_plugin(host: &Host, policy: &Arc<Policy>, out: &mut impl Write) -> io::Result<Result<(), Error>> {
    let file = match HostileFile::write() {
        Ok(file) => file,
        Err(source) => {
            let path = std::env::temp_dir();
            return Ok(Err(Error::Open(crate::OpenError::Read { path, source })));
        }
    };
    writeln!(
        out,
        "2. A hostile plugin. It claims to scale pictures, and imports nothing that an audit could object to."
    )?;
    let (mut loaded, _) = match load(host, policy, &file.0) {
        Ok(loaded) => loaded,
        Err(error) => return Ok(Err(error)),
    };
    write!(out, "   thumbnail_width(1024) = ")?;
    let width = "thumbnail_width(width: u32) -> u32";
    show::outcome(&call(&mut loaded, width, &[Value::Unsigned(1024)]), out)?;
    writeln!(out, "   It also tries, each time in a new cell, to")?;
    for (function, meaning) in ACTS {
        let (mut loaded, _) = match load(host, policy, &file.0) {
            Ok(loaded) => loaded,
            Err(error) => return Ok(Err(error)),
        };
        out.flush()?;
        let began = Instant::now();
        let outcome = call(&mut loaded, &format!("{function}() -> i32"), &[]);
        writeln!(out, "   - {meaning}\n       {}; {:.1?}", stopped(&outcome), began.elapsed())?;
    }
    writeln!(out)?;
    Ok(Ok(()))
}

fn call(loaded: &mut Loaded, signature: &str, arguments: &[Value]) -> Outcome {
    match Signature::parse(signature).map(|signature| loaded.cell.bind(&signature)) {
        Ok(Ok(function)) => loaded.cell.call(&function, arguments),
        Ok(Err(outcome)) => outcome,
        // The signatures are this file's own, and a test calls them all.
        Err(error) => unreachable!("{error}"),
    }
}

/// One line about what came of an act.
fn stopped(outcome: &Outcome) -> String {
    let at = |place: &Option<crate::Place>| place.as_ref().map(|place| format!(" at {place}")).unwrap_or_default();
    match outcome {
        Outcome::Violated(violation) => {
            format!("stopped by {}: `{}`{}", violation.layer.name(), violation.act, at(&violation.place))
        }
        Outcome::Crashed(crash) => format!("ended by {}{}, in its own process", crash.name, at(&crash.place)),
        Outcome::TimedOut { .. } => "killed at the deadline of the policy (`limits.call-time`)".into(),
        other => format!("NOT STOPPED: {other:?}"),
    }
}

/// A file that is gone when the demo ends.
struct HostileFile(PathBuf);

impl HostileFile {
    fn write() -> io::Result<Self> {
        let path = std::env::temp_dir().join(format!("lazaret-demo-{}.so", std::process::id()));
        // Not through a name that somebody else has put there.
        let mut file = std::fs::OpenOptions::new().write(true).create_new(true).open(&path)?;
        let hostile = Self(path);
        file.write_all(HOSTILE)?;
        Ok(hostile)
    }
}

impl Drop for HostileFile {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_file(&self.0) {
            tracing::warn!(%error, "the demo's plugin stays behind");
        }
    }
}
