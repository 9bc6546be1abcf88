//! A virtual machine, from its boot to its end, and the commands that run in it.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Condvar, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::initramfs;
use super::kernels::Kernel;
use crate::support::{directory, text};

/// How long a boot or a command may take. Everything is emulated, and the other tests want the processors as well.
const PATIENCE: Duration = Duration::from_secs(120);

/// Boots one guest after the other, with these words on the kernel's command line, and with these files where they lie here.
/// Kernels that this machine lacks are left out ([`Kernel::image`] says so).
pub(super) fn boot(kernels: &[Kernel], words: &str, files: &[&Path]) -> impl Iterator<Item = Guest> {
    kernels.iter().filter_map(move |kernel| Some(Guest::boot(*kernel, &kernel.image()?, words, files)))
}

/// A running virtual machine. It ends, and leaves nothing, when this is dropped: a test that fails prints what ran in it and
/// its console then.
pub(super) struct Guest {
    pub(super) kernel: Kernel,
    qemu: Child,
    commands: ChildStdin,
    answers: Receiver<String>,
    /// Where what belongs to it lies.
    directory: PathBuf,
    transcript: Mutex<String>,
    /// Last: the next one starts when this one is gone.
    _turn: Turn,
}

/// How a command in a guest ended.
#[derive(Debug)]
pub(super) struct Output {
    pub(super) status: i32,
    pub(super) stdout: String,
    pub(super) stderr: String,
}

impl Guest {
    fn boot(kernel: Kernel, image: &Path, words: &str, files: &[&Path]) -> Self {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        // Made before it is this one's turn.
        let archive = initramfs::with(files);
        let turn = Turn::take();
        let directory = directory(&format!("guest-{number}"));
        let initrd = directory.join("initrd");
        fs::write(&initrd, archive).expect("write the initramfs");
        // Whatever ends the thread of this test ends the machine.
        let mut qemu = Command::new("setpriv");
        qemu.args(["--pdeathsig", "KILL"]).arg(initramfs::program("qemu-system-x86_64"));
        // Emulated, since many machines that run tests are virtual themselves.
        qemu.args(["-accel", "tcg", "-m", "1024", "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"]);
        qemu.arg("-serial").arg(format!("file:{}", directory.join("console").display())).args(["-serial", "stdio"]);
        qemu.arg("-kernel").arg(image).arg("-initrd").arg(&initrd);
        // A panic ends it at once.
        qemu.args(["-append", &format!("console=ttyS0 quiet panic=-1 {words}")]);
        let errors = File::create(directory.join("errors")).expect("a file for qemu's errors");
        qemu.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(errors);
        let mut qemu = qemu.spawn().expect("run qemu");
        let commands = qemu.stdin.take().expect("piped");
        let lines = BufReader::new(qemu.stdout.take().expect("piped")).lines().map_while(Result::ok);
        let (sender, answers) = mpsc::channel();
        // Ends with the machine.
        std::thread::spawn(move || lines.map(|line| sender.send(line)).all(|sent| sent.is_ok()));
        let transcript = Mutex::new(String::new());
        let guest = Self { kernel, qemu, commands, answers, directory, transcript, _turn: turn };
        assert_eq!(guest.answer(), "ready", "Linux {kernel} {words}");
        guest
    }

    /// Runs a command line of the shell as root.
    pub(super) fn root(&self, command: &str) -> Output {
        self.run("root", command, b"")
    }

    /// Runs it as an ordinary user (1000), who is in no group but their own.
    pub(super) fn user(&self, command: &str) -> Output {
        self.run("user", command, b"")
    }

    /// Runs it as either, with this on its standard input.
    pub(super) fn run(&self, who: &str, command: &str, input: &[u8]) -> Output {
        let line = format!("{who} {} {}\n", STANDARD.encode(command), STANDARD.encode(input));
        let gone = (&self.commands).write_all(line.as_bytes());
        gone.unwrap_or_else(|error| panic!("the guest is gone: {error}, before `{command}`"));
        self.note(&format!("{who}$ {command}"));
        let answer = self.answer();
        let fields: Vec<&str> = answer.split(' ').collect();
        let [status, stdout, stderr] = fields[..] else { panic!("`{command}` was answered by `{answer}`") };
        let plain = |field: &str| text(&STANDARD.decode(field).expect("base64"));
        let status = status.parse().expect("a status");
        let output = Output { status, stdout: plain(stdout), stderr: plain(stderr) };
        self.note(&format!("{}{}status {}", output.stdout, output.stderr, output.status));
        output
    }

    /// Writes a short file in the guest, for everybody to read. The port takes 40 KiB a second.
    pub(super) fn write(&self, path: &str, text: &str) {
        let output = self.run("root", &format!("cat >{path}"), text.as_bytes());
        assert_eq!(output.status, 0, "{output:?}");
    }

    fn answer(&self) -> String {
        let answer = self.answers.recv_timeout(PATIENCE);
        answer.unwrap_or_else(|error| panic!("the guest does not answer: {error}"))
    }

    fn note(&self, line: &str) {
        writeln!(self.transcript.lock().expect("one thread"), "{line}").expect("memory");
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let ended = self.qemu.kill().and_then(|()| self.qemu.wait());
        if std::thread::panicking() {
            let read = |name: &str| {
                String::from_utf8_lossy(&fs::read(self.directory.join(name)).unwrap_or_default()).into_owned()
            };
            let transcript = self.transcript.lock().map(|text| text.clone()).unwrap_or_default();
            eprintln!("--- Linux {}, what ran in it:\n{transcript}", self.kernel);
            eprintln!("--- its console:\n{}\n--- qemu, {ended:?}:\n{}", read("console"), read("errors"));
        }
        if let Err(error) = fs::remove_dir_all(&self.directory) {
            eprintln!("{}: {error}", self.directory.display());
        }
    }
}

/// One of the machines that may run at once: each takes a whole processor.
struct Turn;

static FREE: Mutex<usize> = Mutex::new(2);
static FREED: Condvar = Condvar::new();

impl Turn {
    fn take() -> Self {
        let free = FREE.lock().expect("nobody panics here");
        *FREED.wait_while(free, |free| *free == 0).expect("nobody panics here") -= 1;
        Self
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        *FREE.lock().expect("nobody panics here") += 1;
        FREED.notify_one();
    }
}
