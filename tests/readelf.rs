//! Every shared object of this machine, read by the audit and by `readelf`: what they say is compared one by one.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use lazaret::audit::{Binding, Code, Object, SymbolKind, read};
use lazaret_policy::Arch;

/// Every file below the library directories, and below that of this compiler, that is a shared object by its first bytes.
pub(crate) fn shared_objects() -> Vec<PathBuf> {
    let mut found = BTreeMap::new();
    let sysroot = Command::new("rustc").args(["--print", "sysroot"]).output().expect("the tests have a compiler");
    let sysroot = String::from_utf8(sysroot.stdout).expect("UTF-8");
    let mut directories: Vec<PathBuf> = ["/usr/lib", "/usr/lib64", "/usr/local/lib", "/lib"].map(PathBuf::from).into();
    directories.push(Path::new(sysroot.trim()).join("lib"));
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(&directory).into_iter().flatten().flatten() {
            let (path, kind) = (entry.path(), entry.file_type().expect("a type"));
            if kind.is_dir() && path.file_name().is_some_and(|name| name != "debug") {
                directories.push(path);
            } else if kind.is_file() && path.file_name().is_some_and(|name| name.to_string_lossy().contains(".so")) {
                let metadata = entry.metadata().expect("it exists");
                found.entry((metadata.dev(), metadata.ino())).or_insert(path);
            }
        }
    }
    let mut paths: Vec<_> = found.into_values().filter(|path| is_shared_object(path)).collect();
    paths.sort();
    paths
}

fn is_shared_object(path: &Path) -> bool {
    let mut head = [0; 20];
    let read = fs::File::open(path).and_then(|mut file| std::io::Read::read_exact(&mut file, &mut head));
    let machine = if cfg!(target_arch = "aarch64") { 183 } else { 62 };
    read.is_ok() && head.starts_with(b"\x7fELF\x02\x01") && head[16] == 3 && head[18] == machine
}

/// Does something with every file on two threads, and returns what was said of any.
pub(crate) fn each(paths: &[PathBuf], look: &(dyn Fn(&Path) -> Vec<String> + Sync)) -> Vec<String> {
    let (next, said) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(path) = paths.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let lines = look(path).into_iter().map(|line| format!("{}: {line}", path.display()));
                    said.lock().expect("nobody panics with it").extend(lines);
                }
            });
        }
    });
    said.into_inner().expect("nobody panics with it")
}

/// What `readelf` says, in the words of the comparison.
#[derive(Default)]
struct Said {
    facts: BTreeMap<String, Vec<String>>,
    symbols: Vec<String>,
}

impl Said {
    fn add(&mut self, name: &str, value: impl Into<String>) {
        self.facts.entry(name.to_owned()).or_default().push(value.into());
    }
}

fn readelf(path: &Path) -> Said {
    let output = Command::new("readelf").args(["-W", "-d", "-l", "--dyn-syms"]).arg(path).env("LC_ALL", "C").output();
    let output = output.unwrap_or_else(|error| panic!("readelf: {error}; run tests/setup"));
    let text = String::from_utf8_lossy(&output.stdout);
    let mut said = Said::default();
    let mut in_dynsym = false;
    for line in text.lines() {
        if line.starts_with("Symbol table ") {
            in_dynsym = line.starts_with("Symbol table '.dynsym'");
        } else if let Some((tag, value)) = dynamic_entry(line) {
            let bracketed = value.split_once('[').and_then(|(_, rest)| rest.strip_suffix(']')).unwrap_or(value);
            match tag {
                "NEEDED" | "SONAME" | "RPATH" | "RUNPATH" => said.add(tag, bracketed),
                "FLAGS" => said.add(tag, format!("{:#x}", bits(value, &FLAGS))),
                "FLAGS_1" => said.add(tag, format!("{:#x}", bits(value.trim_start_matches("Flags:"), &FLAGS_1))),
                _ => {}
            }
        } else if let Some((kind, fields)) = segment(line) {
            said.add(kind, fields);
        } else if in_dynsym {
            said.symbols.extend(symbol(line));
        }
    }
    said
}

/// ` 0x0000000000000001 (NEEDED)             Shared library: [libc.so.6]`
fn dynamic_entry(line: &str) -> Option<(&str, &str)> {
    let rest = line.strip_prefix(" 0x")?;
    let (tag, value) = rest.split_once('(')?.1.split_once(')')?;
    Some((tag, value.trim()))
}

const FLAGS: [(&str, u64); 5] = [("ORIGIN", 1), ("SYMBOLIC", 2), ("TEXTREL", 4), ("BIND_NOW", 8), ("STATIC_TLS", 0x10)];
const FLAGS_1: [(&str, u64); 9] = [
    ("NOW", 1),
    ("GLOBAL", 2),
    ("GROUP", 4),
    ("NODELETE", 8),
    ("INITFIRST", 0x20),
    ("ORIGIN", 0x80),
    ("INTERPOSE", 0x400),
    ("NODEFLIB", 0x800),
    ("PIE", 0x0800_0000),
];

fn bits(words: &str, names: &[(&str, u64)]) -> u64 {
    let bit = |word| names.iter().find(|(name, _)| *name == word).unwrap_or_else(|| panic!("the flag {word}")).1;
    words.split_whitespace().map(bit).fold(0, |sum, bit| sum | bit)
}

/// `  LOAD           0x000000 0x0000000000000000 0x0000000000000000 0x000398 0x000398 R E 0x1000`
fn segment(line: &str) -> Option<(&str, String)> {
    let mut words = line.strip_prefix("  ")?.split_whitespace();
    let kind = words.next().filter(|kind| ["LOAD", "GNU_RELRO", "GNU_STACK"].contains(kind))?;
    let numbers: Vec<u64> = words.clone().take(5).map_while(hex).collect();
    let [_, vaddr, _, filesz, memsz] = numbers[..] else { return None };
    let flags: String = words.skip(5).filter(|word| word.chars().all(|letter| "RWE".contains(letter))).collect();
    Some((kind, if kind == "GNU_STACK" { flags } else { placed(kind, vaddr, filesz, memsz, &flags) }))
}

fn hex(word: &str) -> Option<u64> {
    u64::from_str_radix(word.strip_prefix("0x")?, 16).ok()
}

fn placed(kind: &str, vaddr: u64, filesz: u64, memsz: u64, flags: &str) -> String {
    // The file part of RELRO says nothing: loaders protect what is in memory.
    if kind == "LOAD" { format!("{vaddr:#x} {filesz:#x} {memsz:#x} {flags}") } else { format!("{vaddr:#x} {memsz:#x}") }
}

/// `     2: 0000000000000000     0 FUNC    GLOBAL DEFAULT  UND strlen@GLIBC_2.2.5 (2)`; the other byte may come in brackets
/// behind the visibility.
fn symbol(line: &str) -> Option<String> {
    // So it calls `STB_GNU_UNIQUE` in files that do not say that they are of GNU.
    let line = line.replace("<OS specific>: 10", "UNIQUE");
    let (number, rest) = line.trim_start().split_once(": ")?;
    let number: u64 = number.parse().ok().filter(|number| *number > 0)?;
    let mut words = rest.split_whitespace();
    let (value, size) = (u64::from_str_radix(words.next()?, 16).ok()?, words.next()?);
    let size = hex(size).or_else(|| size.parse().ok())?;
    let (kind, binding, _visibility) = (words.next()?, words.next()?, words.next()?);
    // What follows is a section's number or a word for it, with notes in brackets around, then the name, then the version's
    // number in parentheses.
    let rest: Vec<&str> = words.filter(|word| !word.starts_with('(')).collect();
    let defined = !rest.contains(&"UND");
    // A section has no name of its own, and is shown with that of its header.
    let name = rest.last().filter(|_| rest.len() > 1 && kind != "SECTION").copied().unwrap_or_default();
    // One `@` for a version that is not the default one; which of two is, no policy asks.
    let name = name.replacen("@@", "@", 1);
    let kind = match kind {
        "FUNC" | "IFUNC" | "TLS" => kind,
        _ => "DATA",
    };
    Some(format!("{number} {value:#x} {size} {kind} {binding} {defined} {name}"))
}

/// What the audit says, in the same words.
fn ours(object: &Object) -> Said {
    let mut said = Said::default();
    object.needed().for_each(|name| said.add("NEEDED", name));
    for (name, value) in [("SONAME", object.soname()), ("RPATH", object.rpath()), ("RUNPATH", object.runpath())] {
        value.into_iter().for_each(|value| said.add(name, value));
    }
    for load in object.loads() {
        let (write, execute) = (if load.writable { "W" } else { "" }, if load.executable { "E" } else { "" });
        said.add("LOAD", placed("LOAD", load.address, load.file_size, load.size, &format!("R{write}{execute}")));
    }
    object
        .relro()
        .into_iter()
        .for_each(|(vaddr, memsz)| said.add("GNU_RELRO", placed("GNU_RELRO", vaddr, 0, memsz, "")));
    if let Some(flags) = object.stack() {
        let letters = [(4, "R"), (2, "W"), (1, "E")];
        said.add(
            "GNU_STACK",
            letters.iter().filter(|(bit, _)| flags & bit != 0).map(|(_, name)| *name).collect::<String>(),
        );
    }
    for (number, symbol) in object.symbols().enumerate() {
        let kind = match symbol.kind {
            SymbolKind::Function => "FUNC",
            SymbolKind::Ifunc => "IFUNC",
            SymbolKind::ThreadLocal => "TLS",
            SymbolKind::Data => "DATA",
        };
        let binding = match symbol.binding {
            Binding::Local => "LOCAL",
            Binding::Global => "GLOBAL",
            Binding::Weak => "WEAK",
            Binding::Unique => "UNIQUE",
        };
        // The symbol that stands for a version itself is shown without it.
        let version = symbol.version.filter(|version| *version != symbol.name || !symbol.defined);
        let version = version.map(|version| format!("@{version}")).unwrap_or_default();
        let (number, value, size, defined) = (number + 1, symbol.value, symbol.size, symbol.defined);
        said.symbols.push(format!("{number} {value:#x} {size} {kind} {binding} {defined} {}{version}", symbol.name));
    }
    said
}

/// What differs between the two, one line for each.
fn differences(path: &Path) -> Vec<String> {
    let bytes = fs::read(path).expect("a library can be read");
    let object = match read(&bytes, Arch::NATIVE) {
        Ok(object) => object,
        Err(findings) => return findings.iter().filter_map(|finding| unexplained(finding.code)).collect(),
    };
    let (mut theirs, mine) = (readelf(path), ours(&object));
    let mut different = Vec::new();
    let flags = [("FLAGS", object.flags()), ("FLAGS_1", object.flags_1())];
    for (name, value) in flags {
        // A tag that is there with no bit set says the same as none.
        let said = theirs.facts.remove(name).map_or("0x0".to_owned(), |said| said.concat());
        if said != format!("{value:#x}") {
            different.push(format!("{name}: {said}, and {value:#x} here"));
        }
    }
    if theirs.facts != mine.facts {
        different.push(format!("{:?}, and {:?} here", theirs.facts, mine.facts));
    }
    // It prints the section `.dynsym`, and nothing where there are no section headers.
    let has_sections = lazaret::audit::Facts::of(&object).section_headers;
    if has_sections {
        let pairs = theirs.symbols.iter().zip(&mine.symbols).filter(|(theirs, mine)| theirs != mine);
        different.extend(pairs.take(3).map(|(theirs, mine)| format!("symbol {theirs}, and {mine} here")));
        if theirs.symbols.len() != mine.symbols.len() {
            different.push(format!("{} symbols, and {} here", theirs.symbols.len(), mine.symbols.len()));
        }
    }
    different
}

/// Files that have no one reading, and why there are some: each is a refusal, and what `readelf` says is not compared.
fn unexplained(code: Code) -> Option<String> {
    match code {
        // Programs with `.so` in their names, and objects that say that they are not to be loaded.
        Code::Pie | Code::NoOpen | Code::Interpreter => None,
        // Libraries for one place, which name a dependency by a path.
        Code::NeededName => None,
        _ => Some(format!("refused: {code}")),
    }
}

#[test]
fn every_shared_object_of_this_machine_is_what_readelf_says() {
    let paths = shared_objects();
    assert!(paths.len() >= 20, "only {} libraries are installed", paths.len());
    let different = each(&paths, &differences);
    assert!(different.is_empty(), "{} of {} files:\n{}", different.len(), paths.len(), different.join("\n"));
}
