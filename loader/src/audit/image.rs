//! The image view: what a loader maps, from the program headers alone. Decides rules P1–P8 and translates addresses; an
//! address means something only where its whole range lies in the file-backed part of exactly one `PT_LOAD`.

use lazaret_policy::Arch;

use super::bytes::{len, range, u32_at, u64_at};
use super::finding::{Code, Findings, Stop};
use super::header::{Header, PROGRAM_HEADER};
use super::steps;
use super::text::hex;

pub(super) const PT_LOAD: u32 = 1;
pub(super) const PT_DYNAMIC: u32 = 2;
const PT_INTERP: u32 = 3;
pub(super) const PT_NOTE: u32 = 4;
const PT_PHDR: u32 = 6;
pub(super) const PT_TLS: u32 = 7;
pub(super) const PT_GNU_EH_FRAME: u32 = 0x6474_e550;
pub(super) const PT_GNU_STACK: u32 = 0x6474_e551;
pub(super) const PT_GNU_RELRO: u32 = 0x6474_e552;
pub(super) const PT_GNU_PROPERTY: u32 = 0x6474_e553;

const PF_X: u32 = 1;
const PF_W: u32 = 2;

/// The end of what a process can address below the kernel, on every supported paging depth.
const MAX_ADDRESS: u64 = 1 << 46;

/// One program header.
#[derive(Clone, Copy, Debug)]
pub(super) struct Segment {
    pub(super) kind: u32,
    pub(super) flags: u32,
    pub(super) offset: u64,
    pub(super) vaddr: u64,
    pub(super) filesz: u64,
    pub(super) memsz: u64,
    pub(super) align: u64,
}

impl Segment {
    fn parse(header: &[u8; PROGRAM_HEADER]) -> Self {
        Self {
            kind: u32_at::<0, _>(header),
            flags: u32_at::<4, _>(header),
            offset: u64_at::<8, _>(header),
            vaddr: u64_at::<16, _>(header),
            filesz: u64_at::<32, _>(header),
            memsz: u64_at::<40, _>(header),
            align: u64_at::<48, _>(header),
        }
    }

    pub(super) fn writable(&self) -> bool {
        self.flags & PF_W != 0
    }

    pub(super) fn executable(&self) -> bool {
        self.flags & PF_X != 0
    }

    /// Whether `size` bytes at `address` are mapped, by content or by zeros.
    pub(super) fn holds(&self, address: u64, size: u64) -> bool {
        within(address, size, self.vaddr, self.memsz)
    }
}

/// Whether `inner` for `size` bytes lies in `outer` for `room` bytes.
fn within(inner: u64, size: u64, outer: u64, room: u64) -> bool {
    inner.checked_sub(outer).and_then(|from| from.checked_add(size)).is_some_and(|to| to <= room)
}

/// A file as a loader maps it.
pub(super) struct Image<'a> {
    pub(super) bytes: &'a [u8],
    /// Every program header, in file order.
    pub(super) segments: Vec<Segment>,
    /// The `PT_LOAD`s, ascending and apart.
    pub(super) loads: Vec<Segment>,
    /// The one `PT_DYNAMIC`.
    pub(super) dynamic: Segment,
    /// The largest page size with which this file can be mapped, 4 KiB on x86_64.
    page: u64,
}

impl<'a> Image<'a> {
    /// The segment in which all of `size` bytes at `address` come from the file.
    pub(super) fn backed(&self, address: u64, size: u64) -> Option<&Segment> {
        self.loads.iter().inspect(|_| steps::take(1)).find(|load| within(address, size, load.vaddr, load.filesz))
    }

    /// The segment in which all of `size` bytes at `address` are mapped.
    pub(super) fn mapped(&self, address: u64, size: u64) -> Option<&Segment> {
        self.loads.iter().inspect(|_| steps::take(1)).find(|load| load.holds(address, size))
    }

    /// Where in the file `size` bytes at `address` come from.
    pub(super) fn offset(&self, address: u64, size: u64) -> Option<u64> {
        let load = self.backed(address, size)?;
        address.checked_sub(load.vaddr)?.checked_add(load.offset)
    }

    /// The `size` bytes at `address`.
    pub(super) fn read(&self, address: u64, size: u64) -> Option<&'a [u8]> {
        range(self.bytes, self.offset(address, size)?, size)
    }

    /// Every byte of the file from `address` to the end of what its segment takes from the file.
    pub(super) fn read_on(&self, address: u64) -> Option<&'a [u8]> {
        let load = self.backed(address, 1)?;
        self.read(address, load.filesz.checked_sub(address.checked_sub(load.vaddr)?)?)
    }

    /// Whether one byte of code lies at `address`.
    pub(super) fn executable(&self, address: u64) -> bool {
        self.backed(address, 1).is_some_and(Segment::executable)
    }

    /// The largest page size with which the file can be mapped.
    pub(super) fn page(&self) -> u64 {
        self.page
    }

    /// Whether an address is mapped though no `PT_LOAD` describes it: loaders map whole pages.
    fn in_a_page(&self, address: u64) -> bool {
        let mask = self.page.saturating_sub(1);
        let end = |load: &Segment| load.vaddr.saturating_add(load.memsz).saturating_add(mask) & !mask;
        self.mapped(address, 1).is_none()
            && self.loads.iter().any(|load| (load.vaddr & !mask..end(load)).contains(&address))
    }

    /// A table that loaders read while they relocate: in the file and in one segment. Whether that may be
    /// written is decided in `writable.rs`.
    pub(super) fn table(&self, what: &str, address: u64, size: u64, findings: &mut Findings) -> Result<&'a [u8], Stop> {
        let Some(bytes) = self.read(address, size) else {
            let code = if self.in_a_page(address) { Code::AddressPage } else { Code::Address };
            let refused =
                findings.refuse(code, || format!("{what} lies outside what one `PT_LOAD` maps from the file"));
            return Err(refused.with("address", || hex(address)).with("size", || hex(size)).halt());
        };
        Ok(bytes)
    }

    /// The program headers of a type.
    pub(super) fn of_kind(&self, kind: u32) -> impl Iterator<Item = &Segment> {
        self.segments.iter().filter(move |segment| segment.kind == kind)
    }

    /// Whether the file names a program that is to start it.
    pub(super) fn has_interpreter(&self) -> bool {
        self.of_kind(PT_INTERP).next().is_some()
    }
}

/// Reads the program headers and decides whether every loader maps the same image from them.
pub(super) fn read<'a>(
    bytes: &'a [u8],
    header: &Header,
    arch: Arch,
    findings: &mut Findings,
) -> Result<Image<'a>, Stop> {
    let table = range(bytes, header.phoff, header.table_len()).unwrap_or_default();
    let segments: Vec<_> = table.as_chunks().0.iter().map(Segment::parse).collect();
    let loads: Vec<_> = segments.iter().filter(|segment| segment.kind == PT_LOAD).copied().collect();
    let page = page_size(arch, &loads);
    if loads.is_empty() {
        return Err(findings.stop(Code::Load, || "the file has no `PT_LOAD`: nothing of it would be mapped".to_owned()));
    }
    loads.iter().for_each(|load| check_load(load, page, len(bytes.len()), findings));
    check_order(&loads, page, findings);
    check_counts(&segments, findings);
    let dynamics: Vec<_> = segments.iter().filter(|segment| segment.kind == PT_DYNAMIC).copied().collect();
    let dynamic = match dynamics.as_slice() {
        [dynamic] => *dynamic,
        [] => return Err(findings.stop(Code::NotDynamic, || "the file has no `PT_DYNAMIC`".to_owned())),
        [first, .., last] => {
            let what = || format!("the file has {} `PT_DYNAMIC`, of which loaders use the last", dynamics.len());
            let refused = findings.refuse(Code::DynamicTwice, what);
            return Err(refused.with("first", || hex(first.vaddr)).with("last", || hex(last.vaddr)).halt());
        }
    };
    // Translations through segments that overlap or lie outside the file prove nothing.
    findings.settle()?;
    let image = Image { bytes, segments, loads, dynamic, page };
    check_dynamic(&image, findings)?;
    check_headers(&image, header, findings);
    check_others(&image, findings);
    Ok(image)
}

/// The page size to judge by. A kernel for aarch64 may have larger pages than the 4 KiB of x86_64, and a loader refuses
/// a file whose alignment is below the page: what holds for the largest page that is left holds for the smaller ones.
fn page_size(arch: Arch, loads: &[Segment]) -> u64 {
    const SMALLEST: u64 = 0x1000;
    const LARGEST: u64 = 0x1_0000;
    match arch {
        Arch::X86_64 => SMALLEST,
        Arch::Aarch64 => {
            let align = loads.iter().map(|load| load.align).min().unwrap_or(SMALLEST);
            if align.is_power_of_two() { align.clamp(SMALLEST, LARGEST) } else { SMALLEST }
        }
    }
}

fn check_load(load: &Segment, page: u64, file: u64, findings: &mut Findings) {
    let end = load.vaddr.checked_add(load.memsz).filter(|&end| end < MAX_ADDRESS);
    let wrong = if load.filesz > load.memsz {
        Some("takes more from the file than it maps")
    } else if load.memsz == 0 {
        Some("maps nothing")
    } else if end.is_none() {
        Some("lies outside the address space")
    } else if !load.align.is_power_of_two() || load.align < page {
        Some("has an alignment that is not a power of two or below a page")
    } else if (load.vaddr ^ load.offset) & page.saturating_sub(1) != 0 {
        Some("has an address and an offset that differ within a page")
    } else if load.filesz < load.memsz && !load.writable() {
        Some("is filled with zeros but not writable, where loaders differ")
    } else {
        None
    };
    if let Some(wrong) = wrong {
        findings.refuse(Code::Load, || format!("the `PT_LOAD` at `{:#x}` {wrong}", load.vaddr));
        evidence(load, findings);
    }
    if load.filesz > 0 && load.offset.checked_add(load.filesz).is_none_or(|end| end > file) {
        findings.refuse(Code::LoadPastEnd, || {
            format!("the `PT_LOAD` at `{:#x}` reaches past the end of the file", load.vaddr)
        });
        evidence(load, findings);
        findings.with("file_size", || hex(file));
    }
}

fn check_order(loads: &[Segment], page: u64, findings: &mut Findings) {
    let mask = page.saturating_sub(1);
    for pair in loads.windows(2) {
        let [below, above] = pair else { continue };
        let end = below.vaddr.saturating_add(below.memsz).saturating_add(mask) & !mask;
        if above.vaddr & !mask < end {
            let what =
                || format!("the `PT_LOAD` at `{:#x}` begins inside or before the one in front of it", above.vaddr);
            findings.refuse(Code::LoadOverlap, what).with("end_of_previous", || hex(end));
            evidence(above, findings);
        }
    }
}

fn check_counts(segments: &[Segment], findings: &mut Findings) {
    let once = [
        (PT_INTERP, "PT_INTERP"),
        (PT_PHDR, "PT_PHDR"),
        (PT_TLS, "PT_TLS"),
        (PT_GNU_STACK, "PT_GNU_STACK"),
        (PT_GNU_RELRO, "PT_GNU_RELRO"),
        (PT_GNU_PROPERTY, "PT_GNU_PROPERTY"),
        (PT_GNU_EH_FRAME, "PT_GNU_EH_FRAME"),
    ];
    for (kind, name) in once {
        let count = segments.iter().filter(|segment| segment.kind == kind).count();
        if count > 1 {
            findings.refuse(Code::AmbiguousSegment, || {
                format!("the file has {count} `{name}`, and loaders differ in which counts")
            });
        }
    }
}

/// P2: the array that a parser finds by its offset is the one that a loader finds by its address, to its last byte.
fn check_dynamic(image: &Image<'_>, findings: &mut Findings) -> Result<(), Stop> {
    let dynamic = &image.dynamic;
    let (code, wrong) = if dynamic.filesz == 0 || !dynamic.filesz.is_multiple_of(16) {
        (Code::DynamicSize, "is not made of whole entries")
    } else if image.offset(dynamic.vaddr, dynamic.filesz) != Some(dynamic.offset) {
        (Code::DynamicOffset, "is at another place of the file than its address is mapped from")
    } else if dynamic.filesz != dynamic.memsz {
        (Code::DynamicSize, "has another size in memory than in the file")
    } else {
        return Ok(());
    };
    findings.refuse(code, || format!("`PT_DYNAMIC` {wrong}"));
    evidence(dynamic, findings);
    Err(findings.halt())
}

/// P6: loaders read the headers where the ELF header says, programs later where `PT_PHDR` says.
fn check_headers(image: &Image<'_>, header: &Header, findings: &mut Findings) {
    for table in image.of_kind(PT_PHDR) {
        let size = header.table_len();
        let same = table.offset == header.phoff && table.filesz == size && table.memsz == size;
        if !same || image.offset(table.vaddr, size) != Some(header.phoff) {
            findings
                .refuse(Code::AmbiguousHeaders, || "`PT_PHDR` describes another table than the ELF header".to_owned());
            evidence(table, findings);
        }
    }
}

fn check_others(image: &Image<'_>, findings: &mut Findings) {
    for segment in &image.segments {
        let translates = segment.filesz == 0 || image.offset(segment.vaddr, segment.filesz) == Some(segment.offset);
        match segment.kind {
            // P5: `filesz` bytes are copied into a block of `memsz`.
            PT_TLS => {
                let aligned = segment.align <= 1 || segment.align.is_power_of_two();
                if segment.filesz > segment.memsz || segment.memsz >= MAX_ADDRESS || !aligned || !translates {
                    findings.refuse(Code::Tls, || {
                        "`PT_TLS` would be copied past its block or from another place".to_owned()
                    });
                    evidence(segment, findings);
                }
            }
            // P7: loaders protect this range without looking whose it is.
            PT_GNU_RELRO => {
                let mask = image.page.saturating_sub(1);
                let inside = image.loads.iter().any(|load| {
                    // Not what is filled with zeros behind the file's part: memory that is read-only is not counted as data.
                    let room = load.vaddr.saturating_add(load.filesz).saturating_add(mask) & !mask;
                    load.writable() && within(segment.vaddr, segment.memsz, load.vaddr, room.saturating_sub(load.vaddr))
                });
                if !inside {
                    findings.refuse(Code::Relro, || {
                        "`PT_GNU_RELRO` reaches beyond the file's part of one writable `PT_LOAD`".to_owned()
                    });
                    evidence(segment, findings);
                }
            }
            // P8
            PT_NOTE | PT_GNU_PROPERTY | PT_GNU_EH_FRAME | PT_INTERP if !translates => {
                let what = || {
                    format!(
                        "the segment of type `{:#x}` is at another place of the file than its address is mapped from",
                        segment.kind
                    )
                };
                findings.refuse(Code::SegmentOffset, what);
                evidence(segment, findings);
            }
            _ => {}
        }
    }
}

fn evidence(segment: &Segment, findings: &mut Findings) {
    findings.with("p_offset", || hex(segment.offset)).with("p_vaddr", || hex(segment.vaddr));
    findings.with("p_filesz", || hex(segment.filesz)).with("p_memsz", || hex(segment.memsz));
    findings.with("p_flags", || hex(segment.flags.into())).with("p_align", || hex(segment.align));
}
