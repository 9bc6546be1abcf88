//! Decides what an ELF file is and whether a policy accepts it, from its bytes alone; nothing of it is executed.
//!
//! A file that a loader and an auditor can read differently is refused, whatever it contains: [`read`] builds the image
//! that a loader maps and compares it with the section headers and with a second parser. What has one reading becomes
//! an [`Object`], and [`judge`] holds the policy against it.
//!
//! Both are total: no bytes make them panic or loop, and [`read`] keeps at most eight times the size of the file.

mod bytes;
mod code;
mod dynamic;
mod finding;
mod habits;
mod hash;
mod header;
mod image;
mod init;
mod judge;
mod notes;
mod object;
pub mod provenance;
mod relocations;
mod report;
mod second;
mod sections;
mod steps;
mod strings;
mod symbols;
mod text;
mod versions;
mod writable;

#[cfg(test)]
mod sample;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod totality;

use std::ops::Range;
use std::sync::OnceLock;

use lazaret_policy::Arch;

pub use code::{DirectSyscalls, Kind, MAX_PLACES, Place, direct_syscalls};
pub use finding::{Code, Evidence, Finding, Severity};
pub use init::When;
pub use judge::{Denial, Subject, judge, tally};
pub use notes::Properties;
pub use object::{Binding, Fortified, Lack, Load, MAX_RUNS, NeededVersion, Object, Run, Symbol, SymbolKind};
pub use report::{Facts, Import, Report, RunFact, SCHEMA, ThreadLocal, Verdict};

pub(crate) use object::C_LIBRARIES;
pub(crate) use text::escaped as escape;

use bytes::len;
use dynamic::{
    DT_FLAGS, DT_FLAGS_1, DT_JMPREL, DT_PLTRELSZ, DT_RELA, DT_RELASZ, DT_RELR, DT_RELRSZ, DT_RPATH, DT_RUNPATH,
    DT_SONAME, DT_STRSZ, DT_STRTAB, DT_SYMTAB, DT_VERSYM,
};
use finding::{Findings, Stop};
use image::{PT_GNU_RELRO, PT_GNU_STACK, PT_TLS, Segment};
use init::Called;

/// Reads the bytes of a file that is to be mapped on `arch`.
///
/// # Errors
///
/// What makes the file no shared object for this target, or one with more than one reading. No policy can lift these.
pub fn read(bytes: &[u8], arch: Arch) -> Result<Object, Vec<Finding>> {
    let mut findings = Findings::default();
    match object(bytes, arch, &mut findings) {
        Ok(mut object) if !findings.refused() => {
            object.remarks = findings.into_list();
            Ok(object)
        }
        Ok(_) | Err(_) => Err(findings.into_list()),
    }
}

/// The steps of reading; each looks only at what the steps before it found to be sound.
fn object(bytes: &[u8], arch: Arch, findings: &mut Findings) -> Result<Object, Stop> {
    let header = header::read(bytes, arch, findings)?;
    let image = image::read(bytes, &header, arch, findings)?;
    let dynamic = dynamic::read(&image, arch, findings)?;
    findings.settle()?;
    let sections = sections::read(bytes, &header, findings)?;
    let mut strings = strings::read(&image, &dynamic, findings)?;
    let needed = strings.needed(&dynamic, findings);
    let soname = strings.of_tag(&dynamic, DT_SONAME, findings);
    let rpath = strings.of_tag(&dynamic, DT_RPATH, findings);
    let runpath = strings.of_tag(&dynamic, DT_RUNPATH, findings);

    findings.settle()?;
    let exposed = writable::read(&image, &dynamic);
    let mut inits = init::read(&image, &dynamic, findings);
    let relocations = relocations::read(&image, &dynamic, arch, &mut inits, &exposed, findings)?;
    relocations.packed_for(needed.iter().map(|span| span.of(strings.table)), findings);
    inits.finish(&image, findings);
    findings.settle()?;
    let (count, hash_tables) = symbol_count(&image, &dynamic, &sections, &relocations, findings)?;
    sections.compare(&image, &dynamic, count, findings);
    let table = symbols::table(&image, &dynamic, count, findings)?;
    let versions = versions::read(&image, &dynamic, &mut strings, &needed, count, findings)?;
    let symbols = symbols::read(&image, table, &versions, &mut strings, findings);
    let ifuncs = symbols.iter().filter(|symbol| symbol.defined() && symbol.kind() == symbols::STT_GNU_IFUNC).count();
    let resolvers = relocations.irelative.saturating_add(len(ifuncs));
    let sized = [
        (DT_STRTAB, dynamic.value(DT_STRSZ)),
        (DT_SYMTAB, Some(count.saturating_mul(symbols::SYMBOL))),
        (DT_VERSYM, Some(count.saturating_mul(2))),
        (DT_RELA, dynamic.value(DT_RELASZ)),
        (DT_JMPREL, dynamic.value(DT_PLTRELSZ)),
        (DT_RELR, dynamic.value(DT_RELRSZ)),
    ];
    let sized = sized.into_iter().filter_map(|(tag, size)| {
        let start = dynamic.value(tag)?;
        Some(start..start.saturating_add(size?))
    });
    let tables: Vec<_> = sized.chain(hash_tables).chain(versions.tables.iter().cloned()).collect();
    exposed.judge(&image, &dynamic, &tables, resolvers, findings);
    findings.settle()?;
    hash::find_all(&image, &dynamic, &symbols, strings.table, findings);
    // What needs no C library is for either.
    let glibc = |name: &str| name == "libc.so.6" || name.starts_with("ld-linux");
    let glibc = needed.iter().any(|span| glibc(span.of(strings.table)));
    symbols::bind(&symbols, &relocations.symbols, !glibc, strings.table, findings);
    let strict = second::Strict {
        header: &header,
        image: &image,
        dynamic: &dynamic,
        strings: &strings,
        needed: &needed,
        relocations: &relocations,
        symbols: &symbols,
    };
    second::compare(&strict, findings);

    let resolvers = relocations.resolvers.clone().into_iter();
    let resolvers = resolvers.map(|address| (When::Resolver, Called::Address(address)));
    let load = |load: &Segment| Load {
        address: load.vaddr,
        size: load.memsz,
        file_size: load.filesz,
        writable: load.writable(),
        executable: load.executable(),
    };
    Ok(Object {
        arch,
        strings: strings.table.to_owned(),
        versions: versions.by_number,
        symbols,
        needed,
        soname,
        rpath,
        runpath,
        build_id: notes::build_id(&image).map(<[u8]>::to_vec),
        code: code::layout(&image, arch),
        loads: image.loads.iter().map(load).collect(),
        relro: image.of_kind(PT_GNU_RELRO).find(|relro| relro.memsz > 0).map(|relro| (relro.vaddr, relro.memsz)),
        flags: dynamic.value(DT_FLAGS).unwrap_or(0),
        flags_1: dynamic.value(DT_FLAGS_1).unwrap_or(0),
        binds_now: dynamic.binds_now(),
        stack: image.of_kind(PT_GNU_STACK).next().map(|stack| stack.flags),
        text_relocations: dynamic.text_relocations(),
        has_sections: !sections.is_empty(),
        tls: image.of_kind(PT_TLS).next().map(|tls| (tls.memsz, tls.align)),
        properties: notes::properties(&image, arch),
        separate_code: separate_code(&image, &dynamic),
        static_symbols: sections.has_static_symbols(),
        initialisers: len(inits.runs().filter(|(when, _)| matches!(when, When::Init | When::InitArray)).count()),
        runs: resolvers.chain(inits.runs()).take(MAX_RUNS).collect(),
        relocations,
        c_names: OnceLock::new(),
        functions: OnceLock::new(),
        remarks: Vec::new(),
        definitions: OnceLock::new(),
    })
}

/// Whether no segment that is executed holds the headers, the names or the symbols, where data could serve as code.
fn separate_code(image: &image::Image<'_>, dynamic: &dynamic::Dynamic) -> bool {
    let tables = [DT_STRTAB, DT_SYMTAB].map(|tag| dynamic.value(tag));
    image
        .loads
        .iter()
        .filter(|load| load.executable())
        .all(|load| load.offset > 0 && tables.iter().flatten().all(|&address| !load.holds(address, 1)))
}

/// How many symbols there are, and where the tables lie that say so. The format does not say: loaders follow hash chains,
/// parsers count in different ways.
fn symbol_count(
    image: &image::Image<'_>,
    dynamic: &dynamic::Dynamic,
    sections: &sections::Sections,
    relocations: &relocations::Relocations,
    findings: &mut Findings,
) -> Result<(u64, Vec<Range<u64>>), Stop> {
    let hashed = hash::read(image, dynamic, findings)?;
    let used = u64::from(relocations.last_symbol).saturating_add(1);
    if !hashed.exact {
        // An empty GNU table covers nothing: imports are known from relocations, and from the section where it stands.
        let count = hashed.least.max(used).max(sections.symbol_count().unwrap_or(0));
        return Ok((count, hashed.tables));
    }
    if used > hashed.least {
        let what = || "a relocation uses a symbol behind the last one that the hash tables know".to_owned();
        let refused = findings.refuse(Code::SymbolTable, what);
        refused.with("symbol", || relocations.last_symbol.to_string()).with("symbols", || hashed.least.to_string());
        return Err(findings.halt());
    }
    Ok((hashed.least, hashed.tables))
}
