//! Builds the hostile plugin that `lazaret demo` shows off and the acts that `lazaret prove` tries, and puts them into the
//! program. They are never run outside of a cell.
#![expect(clippy::disallowed_methods, reason = "a build script is told where to write by its environment")]

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

fn main() {
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    demo(&out);
    acts(&out);
}

fn demo(out: &Path) {
    let source = "src/cli/demo/hostile.c";
    println!("cargo::rerun-if-changed={source}");
    let mut command = cc::Build::new().opt_level(1).warnings(true).get_compiler().to_command();
    command.args(["-shared", "-fPIC", "-fno-builtin", "-nostdlib", "-s"]);
    command.arg(source).arg("-o").arg(out.join("hostile.so"));
    command.args(["-Wl,-soname,libthumbnail.so", "-Wl,-z,relro,-z,now,-z,noexecstack", "-Wl,--build-id=none"]);
    run(&mut command);
}

/// One file of `attacks`.
struct Act {
    name: String,
    group: String,
    source: PathBuf,
    text: String,
}

/// The file that acts on files aim at. `lazaret prove` puts random digits in the place of the zeros, and makes it.
const TARGET: &str = "/tmp/lazaret-prove-0000000000000000/file";

/// Words in the source of an act that runs before it is called, or takes a name that others use: it gets an object of its
/// own, so that it does not run for the others.
const BY_ITSELF: [&str; 5] = ["constructor", "destructor", "ifunc", "__asm__(\".section", "*malloc("];

impl Act {
    fn is_by_itself(&self) -> bool {
        BY_ITSELF.iter().any(|word| self.text.contains(word))
    }

    /// How the host calls it.
    fn signature(&self) -> String {
        let (name, text) = (&self.name, &self.text);
        match self.line("called as") {
            Some(signature) => signature.to_owned(),
            None if text.contains("\"lane.h\"") => format!("region_{name}(buffer: out [u8; 16]) -> i32"),
            None => format!("attack_{name}() -> i32"),
        }
    }

    /// What stands behind `word` on a line of its own among the first ones.
    fn line(&self, word: &str) -> Option<&str> {
        let mut first = self.text.lines().take_while(|line| !line.starts_with("#include"));
        first.find_map(|line| line.strip_prefix("/* ")?.strip_suffix(" */")?.strip_prefix(word)?.strip_prefix(": "))
    }

    /// The comment that the file begins with, or its name.
    fn sentence(&self) -> String {
        let comment = self.text.trim_start().strip_prefix("/*").and_then(|rest| rest.split_once("*/"));
        match comment {
            Some((comment, _)) => {
                let words = comment.split_whitespace().filter(|word| *word != "*");
                words.collect::<Vec<_>>().join(" ")
            }
            None => self.name.replace('_', " "),
        }
    }

    fn compile(&self, into: &Path) {
        let mut command = cc::Build::new().opt_level(1).get_compiler().to_command();
        command.args(["-c", "-fPIC", "-g0", "-pthread", "-w", "-Iattacks"]);
        command.arg(format!("-DACT=attack_{}", self.name)).arg(format!("-DIN_THE_REGION=region_{}", self.name));
        command.arg(format!("-DTARGET=\"{TARGET}\""));
        run(command.arg(&self.source).arg("-o").arg(into));
    }
}

fn acts(out: &Path) {
    println!("cargo::rerun-if-changed=attacks");
    let mut acts: Vec<Act> = Vec::new();
    for group in sorted(Path::new("attacks")) {
        for source in sorted(&group).into_iter().filter(|path| path.extension().is_some_and(|end| end == "c")) {
            let name = |path: &Path| path.file_stem().expect("a name").to_string_lossy().into_owned();
            let text = fs::read_to_string(&source).expect("an act");
            acts.push(Act { name: name(&source), group: name(&group), source, text });
        }
    }
    let objects: Vec<PathBuf> = acts.iter().map(|act| out.join(format!("attack-{}.o", act.name))).collect();
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some((act, object)) = acts.iter().zip(&objects).nth(next.fetch_add(1, Ordering::Relaxed)) {
                    act.compile(object);
                }
            });
        }
    });
    let together = acts.iter().zip(&objects).filter(|(act, _)| !act.is_by_itself()).map(|(_, object)| object);
    link(together, &out.join("attacks.so"));
    let mut objects_of_acts = vec![out.join("attacks.so")];
    let mut table = String::new();
    for (act, object) in acts.iter().zip(&objects) {
        let mut number = 0;
        if act.is_by_itself() {
            let library = out.join(format!("attack-{}.so", act.name));
            link([object].into_iter(), &library);
            number = objects_of_acts.len();
            objects_of_acts.push(library);
        }
        let (name, group, sentence, signature) = (&act.name, &act.group, act.sentence(), act.signature());
        let [alone, succeeds, fails] = ["alone", "succeeds with", "fails with"].map(|word| act.line(word));
        let [contained, leaves] = ["contained by", "leaves"].map(|word| act.line(word));
        let [permitted, harmless] = ["permitted by", "harmless"].map(|word| act.line(word));
        writeln!(
            table,
            "Act {{ name: {name:?}, group: {group:?}, sentence: {sentence:?}, signature: {signature:?}, \
             alone: {alone:?}, succeeds_with: {succeeds:?}, fails_with: {fails:?}, contained_by: {contained:?}, \
             leaves: {leaves:?}, permitted_by: {permitted:?}, \
             harmless: {harmless:?}, object: {number} }},"
        )
        .expect("a string");
    }
    println!("cargo::rustc-env=PROVE_TARGET={TARGET}");
    let mut text = format!("static ACTS: &[Act] = &[\n{table}];\nstatic OBJECTS: &[&[u8]] = &[\n");
    for library in objects_of_acts {
        writeln!(text, "include_bytes!({:?}),", library.to_str().expect("UTF-8")).expect("a string");
    }
    fs::write(out.join("acts.rs"), text + "];\n").expect("write the table of acts");
}

fn sorted(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    paths
}

fn link<'a>(objects: impl Iterator<Item = &'a PathBuf>, into: &Path) {
    let mut command = cc::Build::new().opt_level(1).get_compiler().to_command();
    command.args(["-shared", "-fPIC", "-pthread", "-s", "-Wl,-z,relro,-z,now,-z,noexecstack", "-Wl,--build-id=none"]);
    run(command.args(objects).arg("-o").arg(into));
}

fn run(command: &mut Command) {
    let status = command.status().expect("a C compiler is part of what a build needs");
    assert!(status.success(), "a hostile plugin did not build: {command:?}");
}
