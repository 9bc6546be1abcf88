//! Loads what is accepted with the system's loader, in a cell, and compares what was mapped with what the audit said. Files
//! are made from descriptions, or are a compiler's (`LAZARET_FUZZ_PLUGIN`) with the same changes. A host never fails over one.
//!
//! The memory of a cell is read from outside, which only root may: a cell is not dumpable (`proc_pid_maps(5)`).
#![no_main]

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use lazaret::audit::{Object, Report, SymbolKind, read};
use lazaret::{Cell, CellError, Error, Host, Opened, Outcome, Ready, Signature, Value};
use lazaret_fuzz::{elf, noise, seed};
use lazaret_policy::{Arch, Policy};

const PAGE: u64 = 0x1000;
/// Permits whatever can be loaded: what is asked is whether the audit was right, not whether a policy is strict. A load and
/// its calls end by these limits before the fuzzer's own ends the run.
const POLICY: &str = "lazaret = 1\nname = \"mapped\"\n[trust]\nunsigned = true\n[elf]\n\
                      needed = [\"libc.so.6\", \"libm.so.6\", \"ld-linux-x86-64.so.2\"]\n\
                      [syscalls]\nallow = [\"@compute\"]\n[limits]\ncall-time = \"2 s\"\nload-time = \"5 s\"\n";

struct Bench {
    host: Host,
    policy: Arc<Policy>,
    file: PathBuf,
    compiled: Vec<u8>,
    descriptors: usize,
}

thread_local!(static BENCH: OnceCell<Bench> = const { OnceCell::new() });

libfuzzer_sys::fuzz_target!(init: seed(noise()), |input: &[u8]| {
    let Some(file) = elf::described(input).map(elf::File::legible) else { return };
    BENCH.with(|bench| {
        let bench = bench.get_or_init(Bench::new);
        let compiled = !file.is_whole() && input.len() % 4 == 0;
        let bytes = if compiled { file.applied_to(&bench.compiled) } else { file.bytes() };
        let ran = file.is_loadable().then(|| file.initialisers());
        bench.load(&bytes, ran);
    });
});

impl Bench {
    fn new() -> Self {
        let program = std::env::var_os("LAZARET_CELL").expect("LAZARET_CELL is the cell program: `make fuzz` sets it");
        let plugin =
            std::env::var_os("LAZARET_FUZZ_PLUGIN").expect("LAZARET_FUZZ_PLUGIN is a plugin: `make fuzz` sets it");
        let directory = std::env::temp_dir().join(format!("lazaret-mapped-{}", std::process::id()));
        fs::create_dir_all(&directory).expect("a directory for plugins");
        let policy = directory.join("mapped.toml");
        fs::write(&policy, POLICY).expect("the policy can be written");
        let host = Host::with_cell_program(Path::new(&program)).expect("a host");
        let policy = host.policy(policy.to_str().expect("UTF-8")).expect("a policy");
        let compiled = fs::read(plugin).expect("the plugin can be read");
        let mut bench = Self { host, policy, file: directory.join("plugin.so"), compiled, descriptors: 0 };
        // What is opened once, so that no later load opens anything that stays. And a run that loads nothing compares nothing.
        for needs in [&[][..], &[1; 400]] {
            bench.load(&elf::described(needs).expect("a description").whole().bytes(), None);
        }
        assert!(bench.load(&bench.compiled, None), "a compiled file is loaded");
        bench.descriptors = descriptors();
        bench
    }

    /// Whether it was loaded, and so compared.
    fn load(&self, bytes: &[u8], ran: Option<u64>) -> bool {
        fs::write(&self.file, bytes).expect("the plugin can be written");
        let before = sealed(Path::new("/proc/self/maps"));
        let planned = self.host.prepare(Opened::open(&self.file).expect("it can be read"), Arc::clone(&self.policy));
        let planned = match planned {
            Ok(planned) => planned,
            Err(Error::Audit(_)) => return false,
            Err(other) => panic!("refused by another step than the audit: {other:?}"),
        };
        let object = read(bytes, Arch::NATIVE).expect("the host's audit accepted it");
        let new: Vec<_> =
            sealed(Path::new("/proc/self/maps")).into_keys().filter(|file| !before.contains_key(file)).collect();
        let loaded = match self.host.start(&planned) {
            Ok(loaded) => {
                self.compare(loaded.cell, &object, &new, ran);
                true
            }
            Err(Error::Cell(CellError::NotMapped { .. } | CellError::Died(_))) if ran.is_none() => false,
            Err(error) => panic!("the audit accepted what a cell could not load: {error:?}"),
        };
        assert!(self.descriptors == 0 || descriptors() <= self.descriptors + 8, "descriptors are left behind");
        loaded
    }

    fn compare(&self, mut cell: Cell<Ready>, object: &Object, files: &[u64], ran: Option<u64>) {
        let maps = PathBuf::from(format!("/proc/{}/maps", cell.pid()));
        let all = sealed(&maps);
        let mut mapped = all.iter().filter(|(file, _)| files.contains(file));
        if let (Some((_, first)), None) = (mapped.next(), mapped.next()) {
            same_pages(object, *first, &maps);
        } else if self.descriptors > 0 {
            panic!("the cell maps no file, or several, that this load brought: {files:?} of {all:?}");
        }
        let functions = object.exports().filter(|symbol| symbol.kind == SymbolKind::Function);
        for name in functions.map(|symbol| symbol.name).take(3) {
            let Ok(signature) = Signature::parse(&format!("{name}() -> u32")) else { continue };
            match cell.bind(&signature) {
                Ok(function) if ran.is_some() => match (cell.call(&function, &[]), ran) {
                    (Outcome::Returned(returned), Some(ran)) if name == elf::RAN => {
                        assert_eq!(returned.result, Value::Unsigned(ran), "other initialisers ran than the audit saw");
                    }
                    (Outcome::Returned(_), _) => {}
                    (other, _) => panic!("`{name}`: {other:?}"),
                },
                Ok(_) => {}
                Err(outcome) => assert!(ran.is_none(), "the audit says that it exports `{name}`: {outcome:?}"),
            }
        }
        let facts = Report::new(Some(object), Vec::new()).facts.expect("an object has facts");
        if let Some(ran) = ran {
            assert_eq!(u64::from(ran.count_ones()), facts.initialisers, "the audit counts other initialisers");
        }
    }
}

/// Every page between the first and the last of the object is writable and executable where the audit says so, and nowhere else.
fn same_pages(object: &Object, first: u64, maps: &Path) {
    let down = |address: u64| address & !(PAGE - 1);
    let Some(start) = object.loads().first().map(|load| down(load.address)) else { return };
    let bias = first.wrapping_sub(start);
    let mut said = BTreeMap::new();
    for load in object.loads() {
        for page in (down(load.address)..load.address + load.size).step_by(PAGE as usize) {
            said.insert(page, (load.writable, load.executable));
        }
    }
    // The loader protects whole pages up to the one in which the range ends (`_dl_protect_relro`).
    if let Some((address, size)) = object.relro() {
        for page in (down(address)..down(address + size)).step_by(PAGE as usize) {
            said.insert(page, (false, false));
        }
    }
    let Ok(text) = fs::read_to_string(maps) else { return };
    let found: Vec<_> = text.lines().filter_map(line).collect();
    let last = said.keys().next_back().copied().unwrap_or(start);
    for page in (start..=last).step_by(PAGE as usize) {
        let place = bias.wrapping_add(page);
        let range = found.iter().find(|range| (range.start..range.end).contains(&place));
        let is = range.map_or((false, false), |range| (range.writable, range.executable));
        let wanted = said.get(&page).copied().unwrap_or((false, false));
        assert_eq!(is, wanted, "page {page:#x}, (writable, executable) and what the audit said\n{text}");
    }
}

struct Range {
    start: u64,
    end: u64,
    writable: bool,
    executable: bool,
    file: Option<u64>,
}

/// One line of `maps`: range, permissions, offset, device, inode, name (proc_pid_maps(5)).
fn line(line: &str) -> Option<Range> {
    let mut words = line.split_ascii_whitespace();
    let (start, end) = words.next()?.split_once('-')?;
    let permissions = words.next()?.as_bytes();
    let inode = words.nth(2)?.parse().ok()?;
    let file = words.next().is_some_and(|name| name.starts_with("/memfd:lazaret-sealed")).then_some(inode);
    let number = |digits| u64::from_str_radix(digits, 16).ok();
    Some(Range {
        start: number(start)?,
        end: number(end)?,
        writable: permissions.get(1) == Some(&b'w'),
        executable: permissions.get(2) == Some(&b'x'),
        file,
    })
}

/// Sealed copies that a process maps, by inode, and where the first page of each lies.
fn sealed(maps: &Path) -> BTreeMap<u64, u64> {
    let text = match fs::read_to_string(maps) {
        Ok(text) => text,
        Err(error) => panic!("{}: {error}; the memory of cells can be compared by root only", maps.display()),
    };
    let mut files = BTreeMap::new();
    for range in text.lines().filter_map(line) {
        if let Some(file) = range.file {
            files.entry(file).or_insert(range.start);
        }
    }
    files
}

fn descriptors() -> usize {
    fs::read_dir("/proc/self/fd").map_or(0, Iterator::count)
}
