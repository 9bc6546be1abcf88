//! Cells that execute a runner instead of mapping the plugin themselves: the same layers, and nothing else to execute.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use lazaret::{Cell, CellError, Error, Host, Layer, Opened, Outcome, Ready, Runner, Value};

use crate::support::{attack, bare, call, host, plugin, returned, scratch, source};

/// The runner of the tests, built once.
fn program() -> PathBuf {
    static BUILT: std::sync::OnceLock<PathBuf> = std::sync::OnceLock::new();
    BUILT
        .get_or_init(|| {
            let program = scratch().join("runner");
            let built =
                Command::new("cc").args(["-O1", "-g0"]).arg(source("runner/runner.c")).arg("-o").arg(&program).status();
            assert!(built.expect("a C compiler").success());
            program
        })
        .clone()
}

fn run(host: &Host, runner: &Arc<Runner>, file: &Path) -> Result<Cell<Ready>, Error> {
    let policy = host.policy(&bare())?;
    let planned = host.prepare_for(runner, Opened::open(file)?, policy)?;
    Ok(host.start(&planned)?.cell)
}

#[test]
fn a_runner_maps_the_plugin_and_serves_calls() {
    let host = host();
    let runner = host.runner(&program()).expect("a runner");
    let mut cell = run(&host, &runner, &plugin("good/counts.c", &[])).expect("ready");
    for expected in 1..=3 {
        assert_eq!(returned(call(&mut cell, "count() -> u32", &[])), Value::Unsigned(expected));
    }
    assert!(matches!(call(&mut cell, "crash()", &[]), Outcome::Crashed(_)));
}

#[test]
fn the_kernel_says_of_a_runner_what_it_says_of_a_cell() {
    let host = host();
    let runner = host.runner(&program()).expect("a runner");
    let cell = run(&host, &runner, &plugin("good/counts.c", &[])).expect("ready");
    let status = std::fs::read_to_string(format!("/proc/{}/status", cell.pid())).expect("status");
    for line in ["NoNewPrivs:\t1", "Seccomp:\t2", "CapEff:\t0000000000000000", "Name:\tlazaret-runner"] {
        let name = line.split_once(':').map_or(line, |(name, _)| name);
        let found = status.lines().find(|found| found.starts_with(name));
        if name == "Name" {
            // What is executed is the dynamic loader, under the name of a descriptor.
            continue;
        }
        assert_eq!(found, Some(line));
    }
    // Executing makes a process dumpable again, unless it may not read what it executes: then only root sees its files.
    let own = std::fs::read_link(format!("/proc/{}/exe", cell.pid()));
    assert!(own.is_err() || rustix::process::geteuid().is_root(), "{own:?}");
    let owner =
        std::os::unix::fs::MetadataExt::uid(&std::fs::metadata(format!("/proc/{}/environ", cell.pid())).expect("stat"));
    assert_eq!(owner, 0, "not dumpable: what is in /proc is root's");
}

/// seccomp stops it, in the runner's process, whichever time it is tried at.
#[test]
fn a_plugin_in_a_runner_executes_nothing_and_opens_nothing() {
    let host = host();
    let runner = host.runner(&program()).expect("a runner");
    for act in ["executes", "opens_a_file_not_granted", "maps_writable_executable_memory", "makes_a_memory_file"] {
        let mut cell = run(&host, &runner, &attack(act, &[])).unwrap_or_else(|error| panic!("{act}: {error:?}"));
        match call(&mut cell, "result() -> i32", &[]) {
            // The runner has no handler that would note which call it was; that one was refused is the kernel's word.
            Outcome::Violated(violation) => {
                assert_eq!((violation.layer, violation.claim), (Layer::Seccomp, false), "{act}")
            }
            other => panic!("{act}: {other:?}"),
        }
        match run(&host, &runner, &attack(act, &["-DFROM_CONSTRUCTOR"])) {
            Err(Error::Cell(CellError::Died(outcome))) => {
                assert!(matches!(*outcome, Outcome::Violated(_)), "{act}: {outcome:?}")
            }
            other => panic!("{act} in a constructor: {other:?}"),
        }
    }
}

/// A runner is a program of its own and could try to execute another before it maps the plugin. Landlock has no file that may be
/// executed, and of descriptors only the one that is closed by then.
#[test]
fn a_runner_cannot_execute_anything_else() {
    let host = host();
    for (act, source) in [
        ("a program by its path", "execve(\"/bin/true\", argv, 0);"),
        ("a program by its path, the allowed way", "syscall(SYS_execveat, LIMIT, \"/bin/true\", argv, 0, 0x1000);"),
        ("itself", "syscall(SYS_execveat, LIMIT, \"/proc/self/fd/9\", argv, 0, 0x1000);"),
        ("the plugin", "syscall(SYS_execveat, LIMIT, \"/proc/self/fd/6\", argv, 0, 0x1000);"),
        ("its own replies", "syscall(SYS_execveat, LIMIT, \"/proc/self/fd/5\", argv, 0, 0x1000);"),
        ("the descriptor that it was executed from", "syscall(SYS_execveat, LIMIT, \"\", argv, 0, 0x1000);"),
    ] {
        let file = scratch().join("executes-runner.c");
        let text = format!(
            "#define _GNU_SOURCE\n#include <unistd.h>\n#include <sys/syscall.h>\n#include <sys/resource.h>\n#include <errno.h>\n\
             int main(int argc, char **argv) {{ struct rlimit most; getrlimit(RLIMIT_NOFILE, &most);\n\
             int LIMIT = most.rlim_cur; (void)LIMIT; {source} _exit(errno); }}\n"
        );
        std::fs::write(&file, text).expect("write");
        let program = scratch().join("executes-runner");
        assert!(Command::new("cc").arg(&file).arg("-o").arg(&program).status().expect("a C compiler").success());
        let runner = host.runner(&program).expect("a runner");
        match run(&host, &runner, &plugin("good/counts.c", &[])) {
            // EACCES and EBADF; SIGSYS where the filter refuses the call as such.
            Err(Error::Cell(CellError::Died(outcome))) => match *outcome {
                Outcome::Exited { status } => assert!(matches!(status, 9 | 13), "{act}: {status}"),
                Outcome::Violated(violation) => assert_eq!(violation.layer, Layer::Seccomp, "{act}"),
                other => panic!("{act}: {other:?}"),
            },
            other => panic!("{act}: {other:?}"),
        }
    }
}
