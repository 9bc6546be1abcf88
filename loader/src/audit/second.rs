//! The view of a second parser, goblin. It is taken in pieces and after the strict view: `Elf::parse` pays for tables
//! that no loader reads and keeps several times their size (goblin 0.10). Whatever differs is refused; goblin
//! turns addresses that it cannot translate into file offset 0, so a difference is how that would be seen.

use goblin::container::Ctx;
use goblin::elf::dynamic::Dynamic as Array;
use goblin::elf::{Elf, ProgramHeader, RelocSection, Symtab};
use goblin::strtab::Strtab;

use super::bytes::range;
use super::dynamic::{DT_NULL, DT_SONAME, DT_STRSZ, DT_STRTAB, DT_SYMTAB, Dynamic};
use super::finding::{Code, Findings};
use super::header::Header;
use super::image::Image;
use super::relocations::Relocations;
use super::strings::{Span, Strings};
use super::symbols::{Entry, SYMBOL};

/// The strict view that goblin has to share.
pub(super) struct Strict<'a> {
    pub(super) header: &'a Header,
    pub(super) image: &'a Image<'a>,
    pub(super) dynamic: &'a Dynamic,
    pub(super) strings: &'a Strings<'a>,
    pub(super) needed: &'a [Span],
    pub(super) relocations: &'a Relocations,
    /// All but the empty first one.
    pub(super) symbols: &'a [Entry],
}

/// Compares the two views of a file that the strict one found nothing against.
pub(super) fn compare(strict: &Strict<'_>, findings: &mut Findings) {
    match differs(strict) {
        Ok(None) => {}
        Ok(Some(what)) => {
            findings.refuse(Code::AmbiguousParser, || format!("the parser `goblin` reads {what} differently"));
        }
        Err(error) => {
            let what = || "the parser `goblin` cannot read the file".to_owned();
            findings.refuse(Code::AmbiguousParser, what).with("error", || super::text::shown(&error.to_string()));
        }
    }
}

/// What differs, if anything does.
fn differs(strict: &Strict<'_>) -> goblin::error::Result<Option<&'static str>> {
    let bytes = strict.image.bytes;
    let header = Elf::parse_header(bytes)?;
    let mine = strict.header;
    if (header.e_phoff, header.e_phnum, header.e_shoff, header.e_shnum)
        != (mine.phoff, mine.phnum, mine.shoff, mine.shnum)
    {
        return Ok(Some("the header"));
    }
    let ctx = Ctx::new(header.container()?, header.endianness()?);
    let phoff = usize::try_from(header.e_phoff).unwrap_or(usize::MAX);
    let segments = ProgramHeader::parse(bytes, phoff, header.e_phnum.into(), ctx)?;
    let same_segments = segments.len() == strict.image.segments.len()
        && segments.iter().zip(&strict.image.segments).all(|(theirs, mine)| {
            (theirs.p_type, theirs.p_flags, theirs.p_offset, theirs.p_vaddr)
                == (mine.kind, mine.flags, mine.offset, mine.vaddr)
                && (theirs.p_filesz, theirs.p_memsz, theirs.p_align) == (mine.filesz, mine.memsz, mine.align)
        });
    if !same_segments {
        return Ok(Some("the program headers"));
    }
    let Some(array) = Array::parse(bytes, &segments, ctx)? else { return Ok(Some("the dynamic array")) };
    if !same_array(&array, strict) {
        return Ok(Some("the dynamic array"));
    }
    // A name at offset 0 is the empty string for loaders, and none at all for goblin.
    if strict.dynamic.value(DT_SONAME) == Some(0) {
        return Ok(Some("`DT_SONAME`"));
    }
    if !same_tables(&array, strict) {
        return Ok(Some("the place of a table"));
    }
    for (table, size) in [(array.info.rela, array.info.relasz), (array.info.jmprel, array.info.pltrelsz)] {
        if RelocSection::parse(bytes, table, size, true, ctx)?.len() != size.checked_div(24).unwrap_or(0) {
            return Ok(Some("the relocations"));
        }
    }
    let symbols = Symtab::parse(bytes, array.info.symtab, strict.symbols.len().saturating_add(1), ctx)?;
    Ok((!same_symbols(&array, &symbols, strict)).then_some("the symbols"))
}

fn same_array(array: &Array, strict: &Strict<'_>) -> bool {
    let entries = array.dyns.split_last().filter(|(last, _)| last.d_tag == DT_NULL).map(|(_, entries)| entries);
    entries.is_some_and(|entries| {
        let mut needed = strict.dynamic.needed.iter();
        entries.len() == strict.dynamic.count
            && entries.iter().all(|entry| match entry.d_tag {
                super::dynamic::DT_NEEDED => needed.next() == Some(&entry.d_val),
                tag => strict.dynamic.value(tag) == Some(entry.d_val),
            })
            && needed.next().is_none()
    })
}

fn same_tables(array: &Array, strict: &Strict<'_>) -> bool {
    let offset = |tag, size| strict.dynamic.value(tag).and_then(|address| strict.image.offset(address, size));
    let is = |theirs: usize, mine: Option<u64>| u64::try_from(theirs).ok() == mine;
    let info = &array.info;
    // A table that is absent stays at 0 with goblin.
    let relocations = [(info.rela, info.relasz), (info.jmprel, info.pltrelsz)];
    let same_relocations = relocations.iter().zip(strict.relocations.tables).all(|(theirs, mine)| match mine {
        Some((offset, size)) => is(theirs.0, Some(offset)) && is(theirs.1, Some(size)),
        None => theirs.1 == 0,
    });
    is(info.strtab, offset(DT_STRTAB, 1))
        && is(info.strsz, strict.dynamic.value(DT_STRSZ))
        && is(info.symtab, offset(DT_SYMTAB, SYMBOL))
        && same_relocations
}

fn same_symbols(array: &Array, symbols: &Symtab<'_>, strict: &Strict<'_>) -> bool {
    let (strtab, strsz) = (array.info.strtab, array.info.strsz);
    let table = strict.strings.table;
    let bytes = u64::try_from(strtab).ok().zip(u64::try_from(strsz).ok());
    let Some(bytes) = bytes.and_then(|(start, size)| range(strict.image.bytes, start, size)) else { return false };
    if bytes != table.as_bytes() {
        return false;
    }
    // Unparsed, so that nothing is kept per string. Reading at a span is safe: its bytes are text and end inside.
    let strings = Strtab::new(bytes, 0);
    let read =
        |span: Span| strings.get_unsafe(usize::try_from(span.start).unwrap_or(usize::MAX)) == Some(span.of(table));
    // A name of a symbol is the same when its place is: both views end it at the first NUL of the same bytes.
    strict.needed.iter().all(|needed| read(*needed))
        && symbols.iter().skip(1).zip(strict.symbols).all(|(theirs, mine)| {
            usize::try_from(mine.name.start) == Ok(theirs.st_name)
                && (theirs.st_info, theirs.st_other, theirs.st_shndx) == (mine.info, mine.other, mine.section.into())
                && (theirs.st_value, theirs.st_size) == (mine.value, mine.size)
        })
}

#[cfg(test)]
mod tests {
    use lazaret_policy::Arch;

    use super::super::sample::Sample;
    use super::super::{dynamic, header, image, init, relocations, strings, symbols, versions, writable};
    use super::*;

    /// The strict view of the sample, falsified in one place, compared with goblin's of the same bytes.
    fn difference(
        falsify: impl FnOnce(&mut Header, &mut Dynamic, &mut Vec<Span>, &mut Relocations, &mut Vec<Entry>),
    ) -> Vec<Code> {
        let (bytes, arch) = (Sample::new().bytes(), Arch::X86_64);
        let mut findings = Findings::default();
        let all = |findings: &mut Findings| {
            let mut header = header::read(&bytes, arch, findings)?;
            let image = image::read(&bytes, &header, arch, findings)?;
            let mut dynamic = dynamic::read(&image, arch, findings)?;
            let mut strings = strings::read(&image, &dynamic, findings)?;
            let mut needed = strings.needed(&dynamic, findings);
            let mut inits = init::read(&image, &dynamic, findings);
            let mut relocations =
                relocations::read(&image, &dynamic, arch, &mut inits, &writable::read(&image, &dynamic), findings)?;
            let table = symbols::table(&image, &dynamic, 4, findings)?;
            let versions = versions::read(&image, &dynamic, &mut strings, &needed, 4, findings)?;
            let mut symbols = symbols::read(&image, table, &versions, &mut strings, findings);
            falsify(&mut header, &mut dynamic, &mut needed, &mut relocations, &mut symbols);
            compare(
                &Strict {
                    header: &header,
                    image: &image,
                    dynamic: &dynamic,
                    strings: &strings,
                    needed: &needed,
                    relocations: &relocations,
                    symbols: &symbols,
                },
                findings,
            );
            Ok::<_, super::super::finding::Stop>(())
        };
        assert!(all(&mut findings).is_ok(), "the sample is read to the end");
        findings.into_list().iter().map(|finding| finding.code).collect()
    }

    #[test]
    fn two_parsers_that_agree_raise_nothing() {
        assert_eq!(difference(|_, _, _, _, _| {}), []);
    }

    /// Found by the fuzz target `agreement`.
    #[test]
    fn a_soname_that_only_loaders_see_is_refused() {
        let mut sample = Sample::new();
        sample.soname = None;
        sample.tags.push((DT_SONAME, 0));
        let findings = super::super::read(&sample.bytes(), Arch::X86_64).expect_err("goblin sees no name");
        assert_eq!(findings.iter().map(|finding| finding.code).collect::<Vec<_>>(), [Code::AmbiguousParser]);
        sample.tags.pop();
        sample.soname = Some("");
        let object = super::super::read(&sample.bytes(), Arch::X86_64).expect("both see an empty name");
        assert_eq!(object.soname(), Some(""));
    }

    #[test]
    fn any_difference_between_two_parsers_is_refused() {
        let refused = [Code::AmbiguousParser];
        assert_eq!(difference(|header, _, _, _, _| header.shoff = 0), refused);
        assert_eq!(difference(|_, dynamic, _, _, _| dynamic.needed[0] = 0), refused);
        assert_eq!(difference(|_, dynamic, _, _, _| dynamic.needed.clear()), refused);
        assert_eq!(difference(|_, dynamic, _, _, _| dynamic.count = 3), refused);
        assert_eq!(difference(|_, _, needed, _, _| needed[0].len = 3), refused);
        assert_eq!(difference(|_, _, _, relocations, _| relocations.tables[0] = None), refused);
        assert_eq!(difference(|_, _, _, _, symbols| symbols[0].value = 1), refused);
        assert_eq!(difference(|_, _, _, _, symbols| symbols[1].name = symbols[0].name), refused);
    }
}
