//! What the audit holds against a file: a stable code, how much it weighs, a sentence, evidence, who decides, and what
//! to do about it.

use std::fmt;

use lazaret_policy::Origin;
use schemars::JsonSchema;
use serde::{Serialize, Serializer};

/// How much a finding weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, JsonSchema, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Worth knowing; nothing to do.
    Note,
    /// The policy permits it, and a reader of the report should look at it.
    Warn,
    /// The file is not loaded.
    Refuse,
}

/// One value that supports a finding. Both parts are printable ASCII.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize)]
pub struct Evidence {
    /// What it is: a field of the format (`p_offset`) or a word (`symbol`).
    pub name: &'static str,
    /// Its value; strings of the file are escaped.
    pub value: String,
}

/// One fact the audit holds against a file.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize)]
pub struct Finding {
    /// What kind of fact, stable across versions.
    pub code: Code,
    /// How much it weighs.
    pub severity: Severity,
    /// One sentence about this file.
    pub what: String,
    /// Offsets, addresses and names that support it.
    pub evidence: Vec<Evidence>,
    /// How many places of the file it holds for; the sentence names the first of them.
    pub times: u64,
    /// The policy key that decides it; `None` for a structural rule, which no policy can lift.
    pub rule: Option<Origin>,
    /// What to change.
    pub next: Option<String>,
}

impl Finding {
    /// A finding about one place, without evidence, decided by no policy key, with the usual advice of its code.
    pub(crate) fn new(code: Code, severity: Severity, what: String) -> Self {
        Self { code, severity, what, evidence: Vec::new(), times: 1, rule: None, next: Some(code.next().to_owned()) }
    }

    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.evidence.push(Evidence { name, value: value.into() });
        self
    }

    pub(crate) fn decided_by(mut self, rule: Option<Origin>) -> Self {
        self.rule = rule;
        self
    }
}

/// Proof that something was refused: only [`Findings`] makes one, so a step cannot stop without saying why.
pub(super) struct Stop(());

/// How many findings of one code are kept apart; a file can break one rule a million times.
const MAX_PER_CODE: usize = 4;

/// How many places are counted before a table is read no further.
const MAX_COUNTED: usize = 10_000;

/// The findings of one reading, bounded whatever the file does.
#[derive(Default)]
pub(super) struct Findings {
    list: Vec<Finding>,
    /// How often anything was found.
    total: usize,
}

impl Findings {
    /// Holds something against the file and goes on reading.
    pub(super) fn refuse(&mut self, code: Code, what: impl FnOnce() -> String) -> &mut Self {
        self.add(code, Severity::Refuse, what)
    }

    /// Reports what the file may do but seldom does for a good reason.
    pub(super) fn warn(&mut self, code: Code, what: impl FnOnce() -> String) -> &mut Self {
        self.add(code, Severity::Warn, what)
    }

    /// Holds something against the file that leaves nothing more to read.
    pub(super) fn stop(&mut self, code: Code, what: impl FnOnce() -> String) -> Stop {
        self.refuse(code, what).halt()
    }

    /// Evidence for what was just added; ignored when that was only counted.
    pub(super) fn with(&mut self, name: &'static str, value: impl FnOnce() -> String) -> &mut Self {
        if let Some(last) = self.list.last_mut().filter(|last| last.times == 1) {
            last.evidence.push(Evidence { name, value: value() });
        }
        self
    }

    /// Ends the reading after the refusal that was just added.
    pub(super) fn halt(&mut self) -> Stop {
        Stop(())
    }

    pub(super) fn refused(&self) -> bool {
        self.list.iter().any(|finding| finding.severity == Severity::Refuse)
    }

    /// Ends the reading if anything was refused, so that one defect is not reported through all that depends on it.
    pub(super) fn settle(&mut self) -> Result<(), Stop> {
        if self.refused() { Err(self.halt()) } else { Ok(()) }
    }

    /// Whether so much was found that counting the rest is wasted work.
    pub(super) fn enough(&self) -> bool {
        self.total >= MAX_COUNTED
    }

    pub(super) fn into_list(self) -> Vec<Finding> {
        self.list
    }

    fn add(&mut self, code: Code, severity: Severity, what: impl FnOnce() -> String) -> &mut Self {
        self.total = self.total.saturating_add(1);
        let same = self.list.iter().filter(|finding| finding.code == code).count();
        if same < MAX_PER_CODE {
            self.list.push(Finding::new(code, severity, what()));
        } else if let Some(at) = self.list.iter().rposition(|finding| finding.code == code) {
            // Moved to the end, so that evidence which follows finds a counted finding and is dropped.
            let mut last = self.list.remove(at);
            last.times = last.times.saturating_add(1);
            self.list.push(last);
        }
        self
    }
}

macro_rules! codes {
    ($($(#[$doc:meta])* $code:ident = $name:literal, $next:literal;)*) => {
        /// What kind of fact a finding is. The names are a contract: scripts and policies outside rely on them.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Code { $($(#[$doc])* $code,)* }

        impl Code {
            /// Every code, in the order in which a file is read.
            pub const ALL: &'static [Self] = &[$(Self::$code,)*];

            /// The stable name.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$code => $name,)* }
            }

            /// What whoever made the file can change.
            #[must_use]
            pub const fn next(self) -> &'static str {
                match self { $(Self::$code => $next,)* }
            }
        }
    };
}

codes! {
    /// No bytes at all.
    Empty = "ELF-EMPTY", "copy the file again; this one has no content";
    /// Another kind of file.
    NotElf = "ELF-NOT-ELF", "give the shared object itself, not a linker script, an archive or a compressed file";
    /// The file ends inside a table that its header announces.
    Truncated = "ELF-TRUNCATED", "copy or build the file again; its end is missing";
    /// Not a 64-bit file.
    Class = "ELF-CLASS", "build the plugin for a 64-bit target";
    /// Not a little-endian file.
    Endian = "ELF-ENDIAN", "build the plugin for a little-endian target";
    /// Identification bytes that loaders disagree about.
    Ident = "ELF-IDENT", "link with an unmodified GNU or LLVM linker for Linux";
    /// Another processor.
    Machine = "ELF-MACHINE", "build the plugin for the architecture of this machine";
    /// A relocatable object, `ET_REL`.
    TypeRelocatable = "ELF-TYPE-REL", "link the object with `-shared`";
    /// An executable with fixed addresses, `ET_EXEC`.
    TypeExecutable = "ELF-TYPE-EXEC", "link with `-shared -fPIC`; a program is not a plugin";
    /// A core dump, `ET_CORE`.
    TypeCore = "ELF-TYPE-CORE", "give the plugin, not the dump of a crashed process";
    /// A type that is none of the four.
    TypeUnknown = "ELF-TYPE", "link with `-shared`";
    /// A position-independent executable.
    Pie = "ELF-PIE", "link with `-shared` instead of `-pie`; a program is not a plugin";
    /// A shared object that can also be started.
    Interpreter = "ELF-INTERPRETER", "link without an `.interp` section unless the plugin is meant to be started";
    /// Header or table entries of an unusual size.
    EntrySize = "ELF-ENTRY-SIZE", "link with an unmodified GNU or LLVM linker";
    /// No program headers, or more than any linker writes.
    SegmentCount = "ELF-SEGMENT-COUNT", "link again without editing the program headers";
    /// A `PT_LOAD` that cannot be mapped as it says.
    Load = "ELF-LOAD", "link again without editing the program headers";
    /// A `PT_LOAD` reaches past the end of the file.
    LoadPastEnd = "ELF-LOAD-PAST-END", "copy or build the file again; its end is missing";
    /// `PT_LOAD`s that overlap or are out of order, so that their order decides what is mapped.
    LoadOverlap = "ELF-LOAD-OVERLAP", "link again without editing the program headers";
    /// A segment type of which there must be one at most, twice.
    AmbiguousSegment = "ELF-AMBIGUOUS-SEGMENT", "link again; loaders differ in which of the segments they use";
    /// More than one `PT_DYNAMIC`: loaders use the last, most parsers the first.
    DynamicTwice = "ELF-DYNAMIC-TWICE", "link again without editing the program headers";
    /// The dynamic array at its place in the file is not the one at its address.
    DynamicOffset = "ELF-DYNAMIC-OFFSET", "link again without editing `PT_DYNAMIC`";
    /// A dynamic array of another size in the file than in memory, or not of whole entries.
    DynamicSize = "ELF-DYNAMIC-SIZE", "link again without editing `PT_DYNAMIC`";
    /// No dynamic array, or one without its tables.
    NotDynamic = "ELF-NOT-DYNAMIC", "link with `-shared`; without dynamic linking information nothing can be loaded";
    /// A `PT_TLS` that would be copied wrongly.
    Tls = "ELF-TLS", "link again without editing the program headers";
    /// `PT_PHDR` describes another table than the header does.
    AmbiguousHeaders = "ELF-AMBIGUOUS-HEADERS", "link again without editing the program headers";
    /// `PT_GNU_RELRO` reaches beyond its segment.
    Relro = "ELF-RELRO", "link again with `-z relro`, without editing the program headers";
    /// A note or table segment whose file part is not what is mapped.
    SegmentOffset = "ELF-SEGMENT-OFFSET", "link again without editing the program headers";
    /// The dynamic array has no end, or goes on after it.
    DynamicEnd = "ELF-DYNAMIC-END", "link again without editing the dynamic array";
    /// A tag that may stand once, twice: loaders differ in which one they use.
    AmbiguousTag = "ELF-AMBIGUOUS-TAG", "link again without editing the dynamic array";
    /// Two string tables: every name has two readings.
    StringTableTwice = "ELF-STRING-TABLE-TWICE", "link again without editing the dynamic array";
    /// Two hash tables of one kind: glibc looks names up in the last, musl in the first GNU table.
    HashTwice = "ELF-HASH-TWICE", "link again without editing the dynamic array";
    /// `DT_AUXILIARY`: glibc loads a library that no `DT_NEEDED` names.
    Auxiliary = "ELF-AUXILIARY", "link without `-f`; name libraries that are needed with `-l`";
    /// `DT_FILTER`: glibc loads a library that no `DT_NEEDED` names.
    Filter = "ELF-FILTER", "link without `-F`; name libraries that are needed with `-l`";
    /// `DT_AUDIT` or `DT_DEPAUDIT`: a library that watches and redirects the loader.
    Auditor = "ELF-AUDITOR", "link without `--audit` and `--depaudit`";
    /// Initialisers that only programs have.
    PreInit = "ELF-PREINIT", "move what stands in `.preinit_array` into `.init_array`";
    /// Relocations without addend, which musl applies and glibc does not.
    RelWithoutAddend = "ELF-REL", "link with a linker for this target, which writes `DT_RELA`";
    /// A tag with unknown meaning.
    UnknownTag = "ELF-UNKNOWN-TAG", "link for this target; if a linker of today writes the tag, report it to us";
    /// `DF_1_NOOPEN`: the file says that it must not be opened.
    NoOpen = "ELF-NO-OPEN", "link without `-z nodlopen`";
    /// A table outside the file-backed part of one `PT_LOAD`.
    Address = "ELF-ADDRESS", "link again without editing the dynamic array";
    /// A table in the pages of a `PT_LOAD` but not in the part that its header describes: mapped, and for parsers not there.
    AddressPage = "ELF-ADDRESS-PAGE", "link again without editing the dynamic array";
    /// A table in memory that relocations or code change before every name is bound.
    RelocatedTable = "ELF-RELOCATED-TABLE", "link again, or leave out the step that edits the file: tables lie among data";
    /// A table in memory that code could change, once it runs.
    WritableTable = "ELF-WRITABLE-TABLE", "link again, or leave out the step that edits the file: patchelf moves tables there";
    /// A string table that does not hold strings.
    StringTable = "ELF-STRING-TABLE", "link again without editing the string table";
    /// A string table with bytes that are not UTF-8, of which parsers drop strings or the whole file.
    StringEncoding = "ELF-STRING-ENCODING", "give files and symbols names of ASCII characters";
    /// The name of a dependency lies outside the string table, where loaders read it and parsers drop it.
    NeededString = "ELF-NEEDED-STRING", "link again without editing the string table";
    /// The soname lies outside the string table.
    SonameString = "ELF-SONAME-STRING", "link again without editing the string table";
    /// `DT_RPATH` or `DT_RUNPATH` lies outside the string table.
    SearchPathString = "ELF-SEARCH-PATH-STRING", "link again without editing the string table";
    /// The name of a symbol lies outside the string table, or is shared without measure.
    SymbolString = "ELF-SYMBOL-STRING", "link again without editing the string table";
    /// The name of a version or of its library lies outside the string table.
    VersionString = "ELF-VERSION-STRING", "link again without editing the string table";
    /// A dependency whose name is a path, a pattern or not printable.
    NeededName = "ELF-NEEDED-NAME", "link dependencies by their plain soname";
    /// A hash table that does not find its symbols, or never ends.
    Hash = "ELF-HASH", "link again with `--hash-style=gnu`";
    /// A hash table that is mapped from no part of the file, or only by the rounding to pages.
    HashAddress = "ELF-HASH-ADDRESS", "link again without editing the dynamic array";
    /// A hash table that counts fewer symbols than there are: the others exist for loaders only.
    HashCount = "ELF-HASH-COUNT", "link again without editing the hash tables";
    /// A symbol table that does not hold what the other tables refer to.
    SymbolTable = "ELF-SYMBOL-TABLE", "link again without editing the symbol table";
    /// A symbol that loaders and parsers read differently.
    Symbol = "ELF-SYMBOL", "link again without editing the symbol table";
    /// An undefined symbol with a value, which some parsers do not take for an import.
    UndefinedValue = "ELF-UNDEFINED-VALUE", "link again without editing the symbol table";
    /// A relocation table that is not made of whole entries: loaders apply the last part as one.
    RelocationSize = "ELF-RELOCATION-SIZE", "link again without editing the relocations";
    /// An entry size or kind of relocations at which glibc stops the process.
    RelocationEntry = "ELF-RELOCATION-ENTRY", "link again without editing the relocations";
    /// A relocation table that contradicts what the dynamic array says about it.
    RelocationTable = "ELF-RELOCATION-TABLE", "link again without editing the relocations";
    /// A relocation of a type that no plugin needs, or without its symbol.
    RelocationType = "ELF-RELOCATION-TYPE", "compile with `-fPIC` and link with `-shared`";
    /// A relocation of a type for symbols that has none: it stores a constant of the file's choice.
    RelocationConstant = "ELF-RELOCATION-CONSTANT", "link again without editing the relocations";
    /// A relocation that changes code or constants, announced by `DT_TEXTREL`.
    RelocationText = "ELF-RELOCATION-TEXT", "compile every object with `-fPIC`, and link with `-z text`";
    /// A relocation that changes code or constants, announced by `DF_TEXTREL` alone, which only glibc looks at.
    RelocationTextFlag = "ELF-RELOCATION-TEXT-FLAG", "compile every object with `-fPIC`, and link with `-z text`";
    /// A relocation that writes where it must not.
    RelocationTarget = "ELF-RELOCATION-TARGET", "compile every object with `-fPIC`; text must not be relocated";
    /// Packed relocations (`DT_RELR`) in a file for musl, which ignores them before 1.2.4: its pointers stay unrelocated.
    PackedForMusl = "ELF-RELR-MUSL", "link with `-z nopack-relative-relocs` for a musl that is older than 1.2.4";
    /// An initialiser or finaliser that is not code.
    Init = "ELF-INIT", "link again without editing the initialisers";
    /// An initialiser that no relocation writes.
    InitUnrelocated = "ELF-INIT-UNRELOCATED", "look at what writes the slot before constructors run";
    /// Version tables that do not agree with symbols and dependencies.
    Versions = "ELF-VERSIONS", "link again without editing symbol versions or dependencies";
    /// A version of a library that is not a dependency, at which glibc stops the process.
    VersionLibrary = "ELF-VERSION-LIBRARY", "link again with the library whose versions are used";
    /// The section headers tell another story than the segments.
    AmbiguousSections = "ELF-AMBIGUOUS-SECTIONS", "link again, or remove the section headers with `strip`";
    /// A second parser reads the file differently.
    AmbiguousParser = "ELF-AMBIGUOUS-PARSER", "link again; if the file is unmodified, report it to us";
    /// A dependency that the policy does not list.
    NeededDenied = "NEEDED-DENIED", "link without the library, or add its name to `elf.needed`";
    /// A library that the policy lists is not there, or cannot be read.
    LibraryMissing = "NEEDED-NOT-FOUND", "install the library, or build the plugin without it";
    /// A library is not the file that the policy pins.
    LibraryDigest = "NEEDED-DIGEST", "install the version that was pinned, or review this one and pin its digest";
    /// A search path of a file leads to a library that neither the machine nor the policy answers for.
    LibraryRedirected = "NEEDED-REDIRECTED", "pin the digest of the library in `elf.needed`, or link without the search path";
    /// A library does not go by the name it is needed by, so a loader would search once more.
    LibraryName = "NEEDED-SONAME", "install the library under its own soname";
    /// The file is made for another C library than cells have.
    LibcFlavour = "LIBC-FLAVOUR", "build the plugin for the C library of this machine";
    /// A directory of a search path that others may fill.
    SearchPathWritable = "SEARCH-PATH-WRITABLE", "link without `-rpath`, or name a directory that only root can change";
    /// A library lacks a version of its symbols that is needed, so loading fails.
    VersionMissing = "SYMBOL-VERSION-MISSING", "build against a version of the library that is not newer than this machine's";
    /// Symbols that nothing in reach defines, so loading fails.
    Unresolved = "UNRESOLVED-SYMBOL", "link with the library that defines the symbols";
    /// Weak symbols that nothing in reach defines.
    UnresolvedWeak = "UNRESOLVED-WEAK", "nothing; the file has to look whether these are there before it uses them";
    /// An instruction that enters the kernel, where the policy denies direct system calls.
    DirectSyscall = "DIRECT-SYSCALL", "call the C library instead, or allow it with `direct-syscalls`; the cell's filters hold either way";
    /// Bytes of such an instruction inside another or in data.
    DirectSyscallBytes = "DIRECT-SYSCALL-BYTES", "nothing, unless the code jumps there; data can be kept apart with `-z separate-code`";
    /// A symbol that the policy denies.
    ImportDenied = "IMPORT-DENIED", "build the plugin without it, or take it out of `imports.deny`";
    /// A symbol that the policy requires is missing.
    ExportMissing = "EXPORT-MISSING", "export the function with default visibility and C linkage";
    /// The plugin calls itself like a library that the policy trusts.
    SonameTrusted = "SONAME-TRUSTED", "give the plugin a soname of its own with `-soname`";
    /// A module, crate or package that the policy denies.
    ModuleDenied = "MODULE-DENIED", "build with a version that the policy does not deny, or without the module";
    /// The file does not say what it is made from, and the policy demands it.
    ProvenanceMissing = "PROVENANCE-MISSING", "build with Go modules, `cargo auditable` or `ld --package-metadata`, and keep those sections";
    /// What a file says about its making cannot be read.
    ProvenanceBroken = "PROVENANCE-BROKEN", "build again; what the file says about its making was cut or changed";
    /// Not `full-relro`.
    NoFullRelro = "HARDENING-FULL-RELRO", "link with `-Wl,-z,relro,-z,now`";
    /// Not `nx-stack`.
    ExecutableStack = "HARDENING-NX-STACK", "link with `-Wl,-z,noexecstack`";
    /// Not `no-wx`.
    WritableCode = "HARDENING-NO-WX", "link without `-N` and without writable code sections";
    /// Not `no-textrel`.
    TextRelocations = "HARDENING-NO-TEXTREL", "compile every object with `-fPIC`";
    /// Not `no-rpath`.
    SearchPath = "HARDENING-NO-RPATH", "link without `-rpath`, or remove it with `patchelf --remove-rpath`";
    /// Not `no-ifunc`.
    Ifunc = "HARDENING-NO-IFUNC", "build without `ifunc` and `target_clones` attributes";
    /// Not `stack-protector`.
    NoStackProtector = "HARDENING-STACK-PROTECTOR", "compile with `-fstack-protector-strong`";
    /// Not `fortify`.
    NoFortify = "HARDENING-FORTIFY", "compile with `-O2 -D_FORTIFY_SOURCE=3`";
    /// Not `control-flow`.
    NoControlFlow = "HARDENING-CONTROL-FLOW", "compile every object with `-fcf-protection`, on aarch64 with `-mbranch-protection=standard`";
    /// Not `separate-code`.
    NoSeparateCode = "HARDENING-SEPARATE-CODE", "link with `-Wl,-z,separate-code`";
    /// Not `build-id`.
    NoBuildId = "HARDENING-BUILD-ID", "link with `-Wl,--build-id`";
    /// Exports functions under names of the C library.
    Interposes = "INTERPOSED-SYMBOL", "rename the functions or hide them; another file could be bound to them";
    /// Flags that change what the loader does with the file.
    LoaderFlags = "LOADER-FLAGS", "link without the `-z` option that sets the flag, unless it is needed";
    /// Thread-local memory of a fixed place.
    StaticTls = "STATIC-TLS", "compile without `-ftls-model=initial-exec`; loading fails where the room is used up";
    /// No `DT_SONAME`.
    NoSoname = "SONAME-MISSING", "link with `-Wl,-soname,NAME`";
    /// Functions that cannot be used safely.
    UnsafeFunction = "UNSAFE-FUNCTION", "call the function that its manual page names instead";
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl JsonSchema for Code {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Code".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let names: Vec<&str> = Self::ALL.iter().map(|code| code.name()).collect();
        schemars::json_schema!({
            "description": "What kind of fact a finding is. The names are a contract; later releases may add some.",
            "enum": names,
        })
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn codes_are_distinct_and_each_has_advice() {
        let names: BTreeSet<_> = Code::ALL.iter().map(|code| code.name()).collect();
        assert_eq!(names.len(), Code::ALL.len());
        assert!(Code::ALL.iter().all(|code| !code.next().is_empty() && !code.next().ends_with('.')));
    }

    #[test]
    fn a_rule_broken_a_million_times_is_reported_a_few_times_and_counted() {
        let mut findings = Findings::default();
        (0..1_000_000).for_each(|at| {
            findings.refuse(Code::Symbol, || format!("symbol {at}")).with("index", || at.to_string());
        });
        let list = findings.into_list();
        assert_eq!(list.len(), MAX_PER_CODE);
        assert_eq!(list.iter().map(|finding| finding.times).sum::<u64>(), 1_000_000);
        assert!(list.iter().all(|finding| finding.evidence.len() == 1));
    }
}
