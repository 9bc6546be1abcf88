//! The facts of a file that has exactly one reading: what the policy judges, reports show, and later steps ask for.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use lazaret_policy::{Arch, Hardening};

use super::finding::Finding;
use super::init::{Called, When};
use super::notes::Properties;
use super::relocations::Relocations;
use super::strings::Span;
use super::symbols::{Entry, SHN_ABS, STB_GNU_UNIQUE, STB_LOCAL, STB_WEAK, STT_GNU_IFUNC, STT_TLS};
use super::versions::{HIDDEN, VER_FLG_BASE, VER_FLG_WEAK, Version};

/// How many of the functions that run by themselves are kept: a hostile array can fill the file.
pub const MAX_RUNS: usize = 256;

/// A shared object that every supported loader and parser reads alike. Only [`read`](super::read) makes one.
#[derive(Debug)]
pub struct Object {
    pub(super) arch: Arch,
    /// The dynamic string table; spans point into it.
    pub(super) strings: String,
    pub(super) symbols: Vec<Entry>,
    pub(super) versions: BTreeMap<u16, Version>,
    pub(super) needed: Vec<Span>,
    pub(super) soname: Option<Span>,
    pub(super) rpath: Option<Span>,
    pub(super) runpath: Option<Span>,
    pub(super) build_id: Option<Vec<u8>>,
    pub(super) loads: Vec<Load>,
    pub(super) code: super::code::Layout,
    /// `PT_GNU_RELRO`: address and size in the image.
    pub(super) relro: Option<(u64, u64)>,
    /// `DT_FLAGS` and `DT_FLAGS_1`; 0 where the file does not have the tag.
    pub(super) flags: u64,
    pub(super) flags_1: u64,
    pub(super) binds_now: bool,
    /// Flags of `PT_GNU_STACK`; `None` when it is missing, which x86_64 takes for executable.
    pub(super) stack: Option<u32>,
    pub(super) text_relocations: bool,
    pub(super) has_sections: bool,
    pub(super) relocations: Relocations,
    /// `PT_TLS`: bytes in memory, and their alignment.
    pub(super) tls: Option<(u64, u64)>,
    pub(super) properties: Properties,
    /// Whether no executable segment holds headers and tables as well.
    pub(super) separate_code: bool,
    /// Whether it has the symbol table that debuggers read, `SHT_SYMTAB`.
    pub(super) static_symbols: bool,
    /// How many functions run by themselves while the file is mapped: initialisers.
    pub(super) initialisers: u64,
    /// The first of what runs by itself.
    pub(super) runs: Vec<(When, Called)>,
    /// See [`Object::c_names`].
    pub(super) c_names: OnceLock<Vec<usize>>,
    /// See [`Object::functions`].
    pub(super) functions: OnceLock<Vec<(u64, u64, u32)>>,
    /// What was noticed while reading and does not make the file ambiguous.
    pub(super) remarks: Vec<Finding>,
    /// Positions in `symbols` of what others can bind to, by name. Made when first asked: most libraries are asked often.
    pub(super) definitions: OnceLock<[Vec<u32>; 2]>,
}

/// A version that an object expects of a library, from `DT_VERNEED`. Its strings are the file's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NeededVersion<'a> {
    /// The `DT_NEEDED` name of the library.
    pub library: &'a str,
    /// The version.
    pub version: &'a str,
    /// Whether loaders go on without it, `VER_FLG_WEAK`.
    pub weak: bool,
}

/// One mapped part of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, schemars::JsonSchema, serde::Serialize)]
pub struct Load {
    /// Where it is mapped, relative to the load address.
    pub address: u64,
    /// Bytes in memory.
    pub size: u64,
    /// Bytes from the file; the rest is zero.
    pub file_size: u64,
    /// Whether the object may write to it.
    pub writable: bool,
    /// Whether the processor may execute it.
    pub executable: bool,
}

/// A function of a file that runs without being called by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run<'a> {
    /// When it runs.
    pub when: When,
    /// Its address relative to the load address; unknown where a symbol of another file decides it, or nothing does.
    pub address: Option<u64>,
    /// The dynamic symbol that names it, or that it lies in, and how far from its start. The string is the file's own.
    pub symbol: Option<(&'a str, u64)>,
}

/// What a symbol stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SymbolKind {
    /// Code.
    Function,
    /// Code that chooses the function while the object is mapped, `STT_GNU_IFUNC`.
    Ifunc,
    /// A variable of each thread.
    ThreadLocal,
    /// A variable, or something untyped.
    Data,
}

/// Who a symbol is visible to when the loader binds names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Binding {
    /// This object alone, `STB_LOCAL`.
    Local,
    /// Every object, `STB_GLOBAL`.
    Global,
    /// Every object; where none defines it, it stays unbound, `STB_WEAK`.
    Weak,
    /// One definition for the whole process, whatever it was loaded for, `STB_GNU_UNIQUE`.
    Unique,
}

/// One symbol of the dynamic symbol table. Its strings are the file's own: escape them before showing them.
#[derive(Clone, Copy, Debug)]
pub struct Symbol<'a> {
    /// Its name, without version.
    pub name: &'a str,
    /// Its version.
    pub version: Option<&'a str>,
    /// The library that its version belongs to.
    pub library: Option<&'a str>,
    /// What it stands for.
    pub kind: SymbolKind,
    /// Who it is visible to.
    pub binding: Binding,
    /// Whether it may stay unbound.
    pub weak: bool,
    /// Whether this file defines it.
    pub defined: bool,
    /// Whether other objects can bind to the definition.
    pub exported: bool,
    /// Its address relative to the load address, or the value of an absolute or thread-local symbol.
    pub value: u64,
    /// Its size in bytes, 0 when unknown.
    pub size: u64,
}

impl Object {
    /// The architecture it is for.
    #[must_use]
    pub fn arch(&self) -> Arch {
        self.arch
    }

    /// `PT_GNU_RELRO`, what is made read-only after relocation: address and size in the image.
    #[must_use]
    pub fn relro(&self) -> Option<(u64, u64)> {
        self.relro
    }

    /// Flags of `PT_GNU_STACK`; `None` when there is none, which x86_64 takes for an executable stack.
    #[must_use]
    pub fn stack(&self) -> Option<u32> {
        self.stack
    }

    /// `DT_FLAGS`, bits named `DF_` in elf(5); 0 when the file does not have the tag.
    #[must_use]
    pub fn flags(&self) -> u64 {
        self.flags
    }

    /// `DT_FLAGS_1`, bits named `DF_1_` in elf(5); 0 when the file does not have the tag.
    #[must_use]
    pub fn flags_1(&self) -> u64 {
        self.flags_1
    }

    /// `DT_SONAME`, the name it goes by when it is loaded.
    #[must_use]
    pub fn soname(&self) -> Option<&str> {
        self.soname.map(|span| self.string(span))
    }

    /// Whether it goes by the name of a part of the C library.
    #[must_use]
    pub fn is_c_library(&self) -> bool {
        self.soname().is_some_and(|name| C_LIBRARIES.contains(&name))
    }

    /// `DT_NEEDED`, in order: plain file names of printable ASCII.
    pub fn needed(&self) -> impl Iterator<Item = &str> {
        self.needed.iter().map(|span| self.string(*span))
    }

    /// `DT_RPATH`, directories searched for dependencies of dependencies too.
    #[must_use]
    pub fn rpath(&self) -> Option<&str> {
        self.rpath.map(|span| self.string(span))
    }

    /// `DT_RUNPATH`, directories searched for direct dependencies.
    #[must_use]
    pub fn runpath(&self) -> Option<&str> {
        self.runpath.map(|span| self.string(span))
    }

    /// The GNU build id, at most 64 bytes.
    #[must_use]
    pub fn build_id(&self) -> Option<&[u8]> {
        self.build_id.as_deref()
    }

    /// What is mapped, ascending.
    #[must_use]
    pub fn loads(&self) -> &[Load] {
        &self.loads
    }

    /// What the file says of its own code.
    #[must_use]
    pub fn properties(&self) -> Properties {
        self.properties
    }

    /// `PT_TLS`, memory that each thread has of its own: bytes, and their alignment.
    #[must_use]
    pub fn thread_local(&self) -> Option<(u64, u64)> {
        self.tls
    }

    /// What runs while the file is mapped and unmapped, in the order in which loaders call it: at most
    /// [`MAX_RUNS`] functions of a file that may have a million. The symbols are searched for each.
    pub fn runs(&self) -> impl Iterator<Item = Run<'_>> {
        self.runs.iter().map(|(when, called)| match *called {
            Called::Address(address) => {
                // Most have no dynamic symbol, and the one in front of it is another function.
                let inside = |entry: &&Entry| address.saturating_sub(entry.value) < entry.size.max(1);
                let entry = self.function_before(address).filter(inside);
                let symbol = entry.map(|entry| (self.string(entry.name), address.saturating_sub(entry.value)));
                Run { when: *when, address: Some(address), symbol }
            }
            Called::Symbol(index) => {
                // The empty first symbol is not kept.
                let entry = usize::try_from(index).ok().and_then(|index| self.symbols.get(index.checked_sub(1)?));
                Run {
                    when: *when,
                    address: entry.filter(|entry| entry.defined()).map(|entry| entry.value),
                    symbol: entry.map(|entry| (self.string(entry.name), 0)),
                }
            }
            Called::Unknown => Run { when: *when, address: None, symbol: None },
        })
    }

    /// Where those are that the file itself has, in no order; nothing is searched for.
    pub(super) fn run_addresses(&self) -> impl Iterator<Item = u64> {
        self.runs.iter().filter_map(|(_, called)| match called {
            Called::Address(address) => Some(*address),
            Called::Symbol(_) | Called::Unknown => None,
        })
    }

    /// Every symbol of the dynamic symbol table, in its order.
    pub fn symbols(&self) -> impl Iterator<Item = Symbol<'_>> {
        self.symbols.iter().map(|entry| self.symbol(entry))
    }

    /// Symbols that others have to define.
    pub fn imports(&self) -> impl Iterator<Item = Symbol<'_>> {
        self.symbols().filter(|symbol| !symbol.defined)
    }

    /// Symbols that others can bind to.
    pub fn exports(&self) -> impl Iterator<Item = Symbol<'_>> {
        self.symbols().filter(|symbol| symbol.exported)
    }

    /// Symbols that others have to define and that a relocation refers to: what a loader looks up before anything runs.
    pub fn bound_imports(&self) -> impl Iterator<Item = Symbol<'_>> {
        // Numbers begin with the empty first symbol, which is not kept.
        let at = |number: &u32| self.symbols.get(usize::try_from(*number).ok()?.checked_sub(1)?);
        let undefined = self.relocations.symbols.iter().filter_map(at).filter(|entry| !entry.defined());
        undefined.map(|entry| self.symbol(entry))
    }

    /// What it expects of libraries, `DT_VERNEED`.
    pub fn needed_versions(&self) -> impl Iterator<Item = NeededVersion<'_>> {
        self.versions.values().filter_map(|version| {
            let (library, weak) = (self.string(version.library?), version.flags & VER_FLG_WEAK != 0);
            Some(NeededVersion { library, version: self.string(version.name), weak })
        })
    }

    /// The versions it defines, `DT_VERDEF`, without the one that is its own name.
    pub fn defined_versions(&self) -> impl Iterator<Item = &str> {
        let own = self.versions.values().filter(|version| version.library.is_none());
        own.filter(|version| version.flags & VER_FLG_BASE == 0).map(|version| self.string(version.name))
    }

    /// Whether a reference binds to this object, as `do_lookup_x` of glibc (`elf/dl-lookup.c`) decides: a version has to
    /// be the definition's, unless the definition has none; without one, the definition that is not hidden counts.
    #[must_use]
    pub fn defines(&self, name: &str, version: Option<&str>) -> bool {
        let found =
            |list: &[u32], key: (&str, Option<&str>)| list.binary_search_by_key(&key, |at| self.key(*at)).is_ok();
        let [all, unhidden] = self.definitions();
        match version {
            Some(version) => found(all, (name, Some(version))) || found(all, (name, None)),
            None => {
                let at = unhidden.partition_point(|at| self.key(*at).0 < name);
                unhidden.get(at).is_some_and(|at| self.key(*at).0 == name)
            }
        }
    }

    /// Definitions by name and version, all of them and those that a reference without a version binds to. Sorted, so that a
    /// million of one name cost no more than others.
    fn definitions(&self) -> &[Vec<u32>; 2] {
        self.definitions.get_or_init(|| {
            let binds = |entry: &Entry| {
                // glibc passes over a symbol at address 0, which a definition in a section never has.
                entry.exported() && (entry.value != 0 || entry.section == SHN_ABS || entry.kind() == STT_TLS)
            };
            let all = (0_u32..).zip(&self.symbols).filter(|(_, entry)| binds(entry));
            let mut all: Vec<u32> = all.map(|(at, _)| at).collect();
            all.sort_by_key(|at| self.key(*at));
            let unhidden = |at: &u32| {
                let number = self.entry(*at).map_or(0, |entry| entry.version);
                self.key(*at).1.is_none() || number & HIDDEN == 0 || number & !HIDDEN == 2
            };
            let unhidden = all.iter().copied().filter(unhidden).collect();
            [all, unhidden]
        })
    }

    fn entry(&self, at: u32) -> Option<&Entry> {
        self.symbols.get(usize::try_from(at).ok()?)
    }

    fn key(&self, at: u32) -> (&str, Option<&str>) {
        self.entry(at).map(|entry| self.symbol(entry)).map_or(("", None), |symbol| (symbol.name, symbol.version))
    }

    /// Whether a function of that name can be found in this object.
    #[must_use]
    pub fn exports_function(&self, name: &str) -> bool {
        self.symbols.iter().any(|entry| entry.exported() && entry.function() && self.string(entry.name) == name)
    }

    /// The function that an address, relative to the load address, lies in or behind, and how far from its
    /// start.
    #[must_use]
    pub fn symbol_at(&self, address: u64) -> Option<(&str, u64)> {
        let nearest = self.function_before(address)?;
        Some((self.string(nearest.name), address.checked_sub(nearest.value)?))
    }

    /// The function that begins nearest at or before an address, in the same segment.
    pub(super) fn function_before(&self, address: u64) -> Option<&Entry> {
        let load = self.loads.iter().find(|load| address.checked_sub(load.address).is_some_and(|at| at < load.size))?;
        let at = self.functions().partition_point(|entry| entry.0 <= address).checked_sub(1)?;
        let (value, _, index) = self.functions().get(at)?;
        self.symbols.get(usize::try_from(*index).ok()?).filter(|_| *value >= load.address)
    }

    /// Symbols whose name a C library or a compiler knows. Looked for once: that takes longer than all that is asked of them.
    pub(super) fn c_names(&self) -> impl Iterator<Item = Symbol<'_>> {
        let known = |entry: &Entry| lazaret_policy::groups_of(self.string(entry.name)).next().is_some();
        let found = self.c_names.get_or_init(|| {
            self.symbols.iter().zip(0_usize..).filter(|(entry, _)| known(entry)).map(|(_, index)| index).collect()
        });
        found.iter().filter_map(|index| self.symbols.get(*index)).map(|entry| self.symbol(entry))
    }

    /// Whether it exports one of some names. Those that a C library knows are in a short list.
    pub(crate) fn exports_one_of(&self, names: &BTreeSet<&str>) -> bool {
        if names.iter().all(|name| lazaret_policy::groups_of(name).next().is_some()) {
            return self.c_names().any(|symbol| symbol.exported && names.contains(symbol.name));
        }
        self.exports().any(|symbol| names.contains(symbol.name))
    }

    /// Where functions begin, how long they are, and their symbols. Of several names for one address the longest is last, which
    /// says most often where one is: aliases have size 0. Sorted when it is first asked for, since most files never are.
    pub(super) fn functions(&self) -> &[(u64, u64, u32)] {
        self.functions.get_or_init(|| {
            let named = self.symbols.iter().zip(0_u32..).filter(|(entry, _)| entry.defined() && entry.function());
            let mut functions: Vec<_> = named.map(|(entry, index)| (entry.value, entry.size, index)).collect();
            functions.sort_unstable();
            functions
        })
    }

    /// Why the object does not have a property, with the numbers that show it; `None` when it has it.
    #[must_use]
    pub fn lacks(&self, property: Hardening) -> Option<Lack> {
        let flag = |name, value: bool| (name, if value { "yes" } else { "no" }.to_owned());
        let lack = |what: &str, evidence| Some(Lack { what: what.to_owned(), evidence });
        match property {
            Hardening::FullRelro => {
                let evidence = vec![flag("PT_GNU_RELRO", self.relro.is_some()), flag("BIND_NOW", self.binds_now)];
                match (self.relro.is_some(), self.binds_now) {
                    (true, true) => None,
                    (true, false) => {
                        lack("the file binds symbols lazily, through a table that stays writable", evidence)
                    }
                    (false, _) => lack("the file has no part that becomes read-only after relocation", evidence),
                }
            }
            Hardening::NxStack => match self.stack {
                None => lack("the file does not say that its stack must not be executable", Vec::new()),
                Some(flags) if flags & 1 != 0 => {
                    lack("the file wants an executable stack", vec![("p_flags", super::text::hex(flags.into()))])
                }
                Some(_) => None,
            },
            Hardening::NoWx => {
                let load = self.loads.iter().find(|load| load.writable && load.executable)?;
                lack(
                    "the file has memory that is writable and executable",
                    vec![("p_vaddr", super::text::hex(load.address))],
                )
            }
            Hardening::NoTextrel if self.text_relocations => {
                lack("the file has its code changed while it is relocated", Vec::new())
            }
            Hardening::NoRpath => {
                let paths = [("DT_RPATH", self.rpath()), ("DT_RUNPATH", self.runpath())];
                let evidence: Vec<_> =
                    paths.into_iter().filter_map(|(name, path)| Some((name, super::text::shown(path?)))).collect();
                if evidence.is_empty() { None } else { lack("the file says where to search for libraries", evidence) }
            }
            Hardening::NoIfunc => {
                let symbols =
                    self.symbols.iter().filter(|entry| entry.defined() && entry.kind() == STT_GNU_IFUNC).count();
                let evidence =
                    vec![("IRELATIVE", self.relocations.irelative.to_string()), ("STT_GNU_IFUNC", symbols.to_string())];
                let none = symbols == 0 && self.relocations.irelative == 0;
                if none { None } else { lack("the file has functions that run while it is relocated", evidence) }
            }
            Hardening::NoTextrel => None,
            Hardening::StackProtector => {
                let checks = |name: &str| matches!(name, "__stack_chk_fail" | "__stack_chk_guard");
                let none = !self.c_names().any(|symbol| checks(symbol.name));
                none.then(|| lack("no function of the file checks its stack before it returns", Vec::new())).flatten()
            }
            Hardening::Fortify => {
                let Fortified { checked, unchecked } = self.fortified();
                let evidence = vec![("unchecked", unchecked.to_string())];
                let none = checked == 0 && unchecked > 0;
                none.then(|| lack("the file calls functions that have a checking twin, and no such twin", evidence))
                    .flatten()
            }
            Hardening::ControlFlow => {
                let of = self.properties;
                let parts = match self.arch {
                    Arch::X86_64 => [("IBT", of.indirect_branch_tracking), ("SHSTK", of.shadow_stack)],
                    Arch::Aarch64 => [("BTI", of.branch_target_identification), ("PAC", of.pointer_authentication)],
                };
                let all = parts.iter().all(|(_, holds)| *holds);
                let evidence = parts.into_iter().map(|(name, holds)| flag(name, holds)).collect();
                if all {
                    None
                } else {
                    lack("not all code of the file keeps to protected branches and returns", evidence)
                }
            }
            Hardening::SeparateCode if !self.separate_code => {
                lack("an executable part of the file holds its headers or tables as well", Vec::new())
            }
            Hardening::SeparateCode => None,
            Hardening::BuildId => {
                self.build_id.is_none().then(|| lack("the file does not say which build it is", Vec::new())).flatten()
            }
        }
    }

    /// How many functions of the C library the file calls by their checking twin, and how many that have one without it.
    pub(super) fn fortified(&self) -> Fortified {
        let mut sum = Fortified::default();
        for symbol in self.c_names().filter(|symbol| !symbol.defined) {
            if symbol.name.starts_with("__") && symbol.name.ends_with("_chk") {
                sum.checked = sum.checked.saturating_add(1);
            } else if is_c(&format!("__{}_chk", symbol.name)) {
                sum.unchecked = sum.unchecked.saturating_add(1);
            }
        }
        sum
    }

    pub(super) fn string(&self, span: Span) -> &str {
        span.of(&self.strings)
    }

    pub(super) fn symbol(&self, entry: &Entry) -> Symbol<'_> {
        let version = self.versions.get(&(entry.version & !HIDDEN)).filter(|_| entry.version & !HIDDEN > 1);
        Symbol {
            name: self.string(entry.name),
            version: version.map(|version| self.string(version.name)),
            library: version.and_then(|version| version.library).map(|library| self.string(library)),
            kind: match entry.kind() {
                STT_GNU_IFUNC => SymbolKind::Ifunc,
                STT_TLS => SymbolKind::ThreadLocal,
                _ if entry.function() => SymbolKind::Function,
                _ => SymbolKind::Data,
            },
            binding: match entry.binding() {
                STB_LOCAL => Binding::Local,
                STB_WEAK => Binding::Weak,
                STB_GNU_UNIQUE => Binding::Unique,
                _ => Binding::Global,
            },
            weak: entry.binding() == STB_WEAK,
            defined: entry.defined(),
            exported: entry.exported(),
            value: entry.value,
            size: entry.size,
        }
    }
}

/// Why a hardening property does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lack {
    /// One sentence.
    pub what: String,
    /// Names and values that show it; strings of the file are escaped.
    pub evidence: Vec<(&'static str, String)>,
}

/// Imports of functions that glibc has a checking twin of, as `__memcpy_chk` is one of `memcpy`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, schemars::JsonSchema, serde::Serialize)]
pub struct Fortified {
    /// Twins.
    pub checked: u64,
    /// Functions that have one. A compiler leaves these where it can prove that nothing overflows.
    pub unchecked: u64,
}

/// Whether a C library exports something of that name; not what compilers add to every library.
pub(super) fn is_c(name: &str) -> bool {
    lazaret_policy::groups_of(name).any(|group| group != "compiler-runtime" && group != "runtime")
}

/// The names by which C libraries go: they define what others must not.
pub(crate) const C_LIBRARIES: [&str; 10] = [
    "libc.so.6",
    "libm.so.6",
    "libpthread.so.0",
    "libdl.so.2",
    "librt.so.1",
    "libutil.so.1",
    "libresolv.so.2",
    "libanl.so.1",
    "ld-linux-x86-64.so.2",
    "ld-linux-aarch64.so.1",
];
