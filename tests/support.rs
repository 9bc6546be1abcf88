//! What the tests share: building plugins, hosts and policies, and running the program.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use lazaret::{Cell, Error, Host, Loaded, Opened, Outcome, Ready, Signature, Value};

/// The programs under test.
pub(crate) const LAZARET: &str = env!("CARGO_BIN_EXE_lazaret");
pub(crate) const CELL: &str = env!("CARGO_BIN_EXE_lazaret-cell");

/// A directory of this run, for what the tests build and write.
pub(crate) fn scratch() -> &'static Path {
    static SCRATCH: OnceLock<PathBuf> = OnceLock::new();
    SCRATCH.get_or_init(|| {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("run-{}", std::process::id()));
        fs::create_dir_all(&path).expect("a directory for the tests");
        path
    })
}

/// An empty directory of its own.
pub(crate) fn directory(name: &str) -> PathBuf {
    let path = scratch().join(name);
    fs::create_dir_all(&path).expect("a directory for a test");
    path
}

/// Where the sources of test plugins lie.
pub(crate) fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/plugins").join(name)
}

/// Builds a plugin from `tests/plugins`, once for each set of flags.
pub(crate) fn plugin(name: &str, flags: &[&str]) -> PathBuf {
    build(&source(name), flags)
}

/// Builds the plugin of one hostile act, wherever it is grouped in `loader/attacks`.
pub(crate) fn attack(act: &str, flags: &[&str]) -> PathBuf {
    let groups = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("attacks")).expect("the groups of acts");
    let files = groups.map(|group| group.expect("a group").path().join(act).with_extension("c"));
    let source = files.into_iter().find(|file| file.exists()).unwrap_or_else(|| panic!("no act `{act}`"));
    let include = format!("-I{}", Path::new(env!("CARGO_MANIFEST_DIR")).join("attacks").display());
    build(&source, &[&[include.as_str()], flags].concat())
}

fn build(source: &Path, flags: &[&str]) -> PathBuf {
    // A place for each file: one waits for its own compiler, not for that of another.
    static BUILT: Mutex<Option<HashMap<String, Arc<OnceLock<PathBuf>>>>> = Mutex::new(None);
    let key = format!("{} {}", source.display(), flags.join(" "));
    let place = {
        let mut built = BUILT.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        Arc::clone(built.get_or_insert_default().entry(key).or_default())
    };
    place.get_or_init(|| compile(source, flags)).clone()
}

fn compile(source: &Path, flags: &[&str]) -> PathBuf {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let stem = source.file_stem().expect("a name").to_string_lossy().into_owned();
    let path = scratch().join(format!("{stem}-{number}.so"));
    let mut command = match source.extension().and_then(OsStr::to_str) {
        Some("c") => compiler("cc", &["-shared", "-fPIC", "-O1", "-g0", "-pthread"]),
        Some("cpp") => compiler("c++", &["-shared", "-fPIC", "-O1", "-std=c++17", "-pthread"]),
        Some("rs") => compiler("rustc", &["--edition=2024", "--crate-type=cdylib", "-O"]),
        _ => panic!("no compiler for {}", source.display()),
    };
    command.args(flags).arg(source).arg("-o").arg(&path);
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}; run tests/setup"));
    assert!(output.status.success(), "{command:?}\n{}", String::from_utf8_lossy(&output.stderr));
    path
}

fn compiler(name: &str, flags: &[&str]) -> Command {
    let mut command = Command::new(name);
    command.args(flags);
    command
}

/// A host with the cell program under test.
pub(crate) fn host() -> Host {
    Host::with_cell_program(Path::new(CELL)).expect("a host")
}

/// Writes a policy and returns its path.
pub(crate) fn policy_file(name: &str, text: &str) -> PathBuf {
    // Tests run at the same time, and several may write the same one: nobody must read half of it.
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    let path = directory("policies").join(format!("{name}.toml"));
    let half = path.with_extension(NUMBER.fetch_add(1, Ordering::Relaxed).to_string());
    fs::write(&half, text).expect("write a policy");
    fs::rename(&half, &path).expect("put the policy in place");
    path
}

/// What `builtin:compute` permits, for files whose imports it would refuse before anything is mapped.
pub(crate) fn bare() -> String {
    let text = "lazaret = 1\nname = \"bare\"\n[trust]\nunsigned = true\n[elf]\nneeded = [\"libc.so.6\"]\n\
                [syscalls]\nallow = [\"@compute\", \"@threads\"]\n[limits]\nthreads = 16\n";
    policy_file("bare", text).to_str().expect("UTF-8").to_owned()
}

/// Loads a plugin under a policy.
pub(crate) fn load(plugin: &Path, policy: &str) -> Result<Loaded, Error> {
    let host = host();
    let policy = host.policy(policy)?;
    host.load(Opened::open(plugin)?, policy)
}

/// Loads a plugin under `builtin:compute`.
pub(crate) fn compute(plugin: &Path) -> Cell<Ready> {
    load(plugin, "builtin:compute").unwrap_or_else(|error| panic!("{}: {error:?}", plugin.display())).cell
}

/// Calls a function in a ready cell.
pub(crate) fn call(cell: &mut Cell<Ready>, signature: &str, arguments: &[Value]) -> Outcome {
    let signature = Signature::parse(signature).expect("a valid signature");
    match cell.bind(&signature) {
        Ok(function) => cell.call(&function, arguments),
        Err(outcome) => outcome,
    }
}

/// What a call returned, which it must have.
#[track_caller]
pub(crate) fn returned(outcome: Outcome) -> Value {
    match outcome {
        Outcome::Returned(returned) => returned.result,
        other => panic!("not returned: {other:?}"),
    }
}

/// Bytes as a value.
pub(crate) fn bytes(bytes: &[u8]) -> Value {
    Value::Bytes(bytes.to_vec())
}

/// Runs the program.
pub(crate) fn lazaret<I: AsRef<OsStr>>(words: impl IntoIterator<Item = I>) -> Output {
    Command::new(LAZARET).args(words).output().expect("run lazaret")
}

/// What the program wrote, as text.
pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("the program writes UTF-8")
}

/// A shared library of the distribution.
pub(crate) fn library(name: &str) -> PathBuf {
    let directories = ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib"];
    directories
        .iter()
        .map(|directory| Path::new(directory).join(name))
        .find(|path| path.exists())
        .unwrap_or_else(|| panic!("{name} is not installed; run tests/setup"))
}
