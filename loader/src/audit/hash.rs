//! Decides how many symbols there are, from the tables that loaders look names up in (rule Y11): a count that is too
//! small hides symbols from parsers, a chain without an end hangs the loader.

use std::ops::Range;

use super::bytes::{entry, len, u32_at, u64_at};
use super::dynamic::{DT_GNU_HASH, DT_HASH, Dynamic};
use super::finding::{Code, Findings, Stop};
use super::image::Image;
use super::steps;
use super::symbols::{Entry, STB_LOCAL};
use super::text::{hex, shown};

/// What the hash tables say about the symbol table.
pub(super) struct Count {
    /// Symbols at least.
    pub(super) least: u64,
    /// Whether there are no more than that; not known when the only table is an empty GNU one.
    pub(super) exact: bool,
    /// Where the tables lie.
    pub(super) tables: Vec<Range<u64>>,
}

/// Reads the hash tables.
pub(super) fn read(image: &Image<'_>, dynamic: &Dynamic, findings: &mut Findings) -> Result<Count, Stop> {
    let gnu = dynamic.value(DT_GNU_HASH).map(|address| gnu(image, address, findings)).transpose()?;
    let sysv = dynamic.value(DT_HASH).map(|address| sysv(image, address, findings)).transpose()?;
    match (gnu, sysv) {
        (None, None) => Err(findings
            .stop(Code::NotDynamic, || "the dynamic array names no hash table: no symbol can be found".to_owned())),
        (Some(gnu), None) => Ok(gnu),
        (None, Some((count, table))) => Ok(Count { least: count, exact: true, tables: vec![table] }),
        (Some(gnu), Some((count, table))) => {
            if count < gnu.least || (gnu.exact && count != gnu.least) {
                let what = || "the two hash tables disagree about the number of symbols".to_owned();
                let refused = findings.refuse(Code::HashCount, what);
                refused.with("gnu", || gnu.least.to_string()).with("sysv", || count.to_string());
                return Err(findings.halt());
            }
            let tables = gnu.tables.into_iter().chain([table]).collect();
            Ok(Count { least: count, exact: true, tables })
        }
    }
}

/// The beginning of a table. A parser that cannot translate its address counts symbols in another way, or none at all.
fn head(image: &Image<'_>, what: &str, address: u64, size: u64, findings: &mut Findings) -> Result<(), Stop> {
    if image.read(address, size).is_none() {
        let what = || format!("{what} lies outside what one `PT_LOAD` maps from the file");
        return Err(findings.refuse(Code::HashAddress, what).with("address", || hex(address)).halt());
    }
    image.table(what, address, size, findings).map(drop)
}

fn wrong(what: &str, findings: &mut Findings) -> Stop {
    findings.stop(Code::Hash, || format!("the hash table {what}"))
}

/// Buckets name the first symbol of a chain; chains follow the order of the symbols, and the last one has bit 0 set.
fn gnu(image: &Image<'_>, address: u64, findings: &mut Findings) -> Result<Count, Stop> {
    head(image, "the GNU hash table", address, 16, findings)?;
    let bytes = image.read_on(address).unwrap_or_default();
    let Some((head, rest)) = bytes.split_first_chunk::<16>() else {
        return Err(wrong("ends in its header", findings));
    };
    let [nbuckets, symoffset, bloom, shift] =
        [u32_at::<0, _>(head), u32_at::<4, _>(head), u32_at::<8, _>(head), u32_at::<12, _>(head)];
    if nbuckets == 0 || !bloom.is_power_of_two() || shift > 31 {
        return Err(wrong("has no buckets or an impossible filter", findings));
    }
    let buckets_at = usize::try_from(bloom).ok().and_then(|words| words.checked_mul(8));
    let chains_at = usize::try_from(nbuckets).ok().and_then(|buckets| buckets.checked_mul(4)?.checked_add(buckets_at?));
    let (Some(buckets_at), Some(chains_at)) = (buckets_at, chains_at) else {
        return Err(wrong("is larger than its segment", findings));
    };
    let (Some(buckets), Some(chains)) = (rest.get(buckets_at..chains_at), rest.get(chains_at..)) else {
        return Err(wrong("is larger than its segment", findings));
    };
    let mut last = None;
    steps::take(buckets.len() / 4);
    for bucket in buckets.as_chunks::<4>().0.iter().map(u32_at::<0, _>).filter(|&bucket| bucket != 0) {
        if bucket < symoffset {
            return Err(wrong("has a bucket that begins before the first symbol it covers", findings));
        }
        last = last.max(Some(bucket));
    }
    let table = |entries: u64| {
        let size = len(chains_at).saturating_add(16).saturating_add(entries.saturating_mul(4));
        address..address.saturating_add(size)
    };
    let Some(last) = last else {
        return Ok(Count { least: symoffset.max(1).into(), exact: false, tables: vec![table(0)] });
    };
    // Chains lie one behind the other, so where the last one ends every other has ended too.
    let from = last.saturating_sub(symoffset);
    let chain = usize::try_from(from).ok().and_then(|from| chains.as_chunks::<4>().0.get(from..)).unwrap_or_default();
    let length = chain.iter().position(|hash| u32_at::<0, _>(hash) & 1 == 1);
    steps::take(length.unwrap_or(chain.len()));
    match length {
        Some(length) => {
            let entries = u64::from(from).saturating_add(len(length)).saturating_add(1);
            let least = u64::from(symoffset).saturating_add(entries);
            Ok(Count { least, exact: true, tables: vec![table(entries)] })
        }
        None => Err(wrong("has a chain without an end", findings)),
    }
}

/// Buckets and chains are indices of symbols, 0 ends a chain; one chain entry per symbol.
fn sysv(image: &Image<'_>, address: u64, findings: &mut Findings) -> Result<(u64, Range<u64>), Stop> {
    head(image, "the hash table", address, 8, findings)?;
    let bytes = image.read_on(address).unwrap_or_default();
    let Some(head) = entry::<8>(bytes, 0) else { return Err(wrong("ends in its header", findings)) };
    let (nbuckets, nchain) = (u32_at::<0, _>(head), u32_at::<4, _>(head));
    let words = bytes.get(8..).unwrap_or_default().as_chunks::<4>().0;
    let tables = usize::try_from(nbuckets).ok().and_then(|buckets| {
        let (buckets, chains) = words.split_at_checked(buckets)?;
        Some((buckets, chains.get(..usize::try_from(nchain).ok()?)?))
    });
    let Some((buckets, chains)) = tables else { return Err(wrong("is larger than its segment", findings)) };
    if nbuckets == 0 || nchain == 0 {
        return Err(wrong("has no buckets or no chains", findings));
    }
    // A symbol is in one chain: one that is met twice closes a circle, or makes the walk longer than the table.
    let mut met = vec![false; chains.len()];
    for bucket in buckets {
        steps::take(1);
        let mut index = u32_at::<0, _>(bucket);
        while index != 0 {
            steps::take(1);
            let at = usize::try_from(index).unwrap_or(usize::MAX);
            let (Some(seen), Some(next)) = (met.get_mut(at), chains.get(at)) else {
                let what = || "the hash table refers to more symbols than it counts".to_owned();
                return Err(findings.refuse(Code::HashCount, what).with("nchain", || nchain.to_string()).halt());
            };
            if std::mem::replace(seen, true) {
                return Err(wrong("has chains that meet or go in a circle", findings));
            }
            index = u32_at::<0, _>(next);
        }
    }
    let words = u64::from(nbuckets).saturating_add(nchain.into()).saturating_add(2);
    Ok((nchain.into(), address..address.saturating_add(words.saturating_mul(4))))
}

/// Refuses definitions that no loader finds. A relocation that names one is bound to another file's, though this one has
/// what looks like its own: an import that no parser shows. Loaders ask the GNU table where there are two. `symbols` are
/// all but the empty first one, of tables that [`read`] found to be sound.
pub(super) fn find_all(
    image: &Image<'_>,
    dynamic: &Dynamic,
    symbols: &[Entry],
    strings: &str,
    findings: &mut Findings,
) {
    let gnu = dynamic.value(DT_GNU_HASH).and_then(|address| Gnu::of(image.read_on(address)?));
    let sysv = dynamic.value(DT_HASH).and_then(|address| sysv_buckets(image.read_on(address)?));
    let mut chain = gnu.as_ref().map_or(0, |gnu| gnu.symoffset);
    for (index, symbol) in (1_usize..).zip(symbols) {
        steps::take(1);
        let name = symbol.name.of(strings);
        let found = || match (&gnu, &sysv) {
            (Some(gnu), _) => gnu.finds(index, chain, name.as_bytes()),
            (None, Some((count, buckets))) => {
                let bucket = sysv_hash(name.as_bytes()).checked_rem(*count);
                buckets.get(index).copied().flatten() == bucket
            }
            (None, None) => false,
        };
        if symbol.defined() && symbol.binding() != STB_LOCAL && !found() {
            let what = || format!("the hash table does not find `{}`, which the file defines", shown(name));
            findings.refuse(Code::Hash, what).with("index", || index.to_string());
            if findings.enough() {
                return;
            }
        }
        if gnu.as_ref().is_some_and(|gnu| gnu.ends(index)) {
            chain = index.saturating_add(1);
        }
    }
}

/// A GNU hash table.
struct Gnu<'a> {
    symoffset: usize,
    shift: u32,
    bloom: &'a [[u8; 8]],
    buckets: &'a [[u8; 4]],
    chains: &'a [[u8; 4]],
}

impl<'a> Gnu<'a> {
    fn of(bytes: &'a [u8]) -> Option<Self> {
        let (head, rest) = bytes.split_first_chunk::<16>()?;
        let [buckets, symoffset, bloom] = [u32_at::<0, _>(head), u32_at::<4, _>(head), u32_at::<8, _>(head)]
            .map(|number| usize::try_from(number).unwrap_or(usize::MAX));
        let (bloom, rest) = rest.split_at_checked(bloom.checked_mul(8)?)?;
        let (buckets, chains) = rest.split_at_checked(buckets.checked_mul(4)?)?;
        let (bloom, buckets, chains) = (bloom.as_chunks().0, buckets.as_chunks().0, chains.as_chunks().0);
        Some(Self { symoffset, shift: u32_at::<12, _>(head), bloom, buckets, chains })
    }

    fn chained(&self, index: usize) -> Option<u32> {
        self.chains.get(index.checked_sub(self.symoffset)?).map(u32_at::<0, _>)
    }

    fn ends(&self, index: usize) -> bool {
        self.chained(index).is_some_and(|hash| hash & 1 == 1)
    }

    /// Whether a lookup of `name` comes to a symbol, before which the last chain ended at `chain`.
    fn finds(&self, index: usize, chain: usize, name: &[u8]) -> bool {
        let hash = gnu_hash(name);
        let place = |number: u32, of: usize| usize::try_from(number).ok()?.checked_rem(of);
        let word = place(hash >> 6, self.bloom.len()).and_then(|at| self.bloom.get(at)).map_or(0, u64_at::<0, _>);
        let passes = |bits: u32| word >> (bits & 63) & 1 == 1;
        let bucket = place(hash, self.buckets.len()).and_then(|at| self.buckets.get(at)).map(u32_at::<0, _>);
        let bucket = bucket.and_then(|bucket| usize::try_from(bucket).ok());
        let same = self.chained(index).is_some_and(|chained| (chained ^ hash) >> 1 == 0);
        same && passes(hash)
            && passes(hash.checked_shr(self.shift).unwrap_or(0))
            && bucket.is_some_and(|bucket| (chain..=index).contains(&bucket))
    }
}

/// How many buckets a table has, and the bucket through which each symbol is come to.
fn sysv_buckets(bytes: &[u8]) -> Option<(u32, Vec<Option<u32>>)> {
    let head = entry::<8>(bytes, 0)?;
    let (nbuckets, nchain) = (u32_at::<0, _>(head), u32_at::<4, _>(head));
    let words = bytes.get(8..)?.as_chunks::<4>().0;
    let (buckets, chains) = words.split_at_checked(usize::try_from(nbuckets).ok()?)?;
    let chains = chains.get(..usize::try_from(nchain).ok()?)?;
    let mut through = vec![None; chains.len()];
    for (bucket, first) in (0_u32..).zip(buckets) {
        let mut index = usize::try_from(u32_at::<0, _>(first)).ok()?;
        // Chains do not meet: whatever was come to before would be a circle.
        while index != 0 && through.get(index)?.is_none() {
            *through.get_mut(index)? = Some(bucket);
            index = usize::try_from(u32_at::<0, _>(chains.get(index)?)).ok()?;
        }
    }
    Some((nbuckets, through))
}

/// The GNU hash of a name.
pub(super) fn gnu_hash(name: &[u8]) -> u32 {
    name.iter().fold(5381_u32, |hash, &byte| hash.wrapping_mul(33).wrapping_add(byte.into()))
}

/// The hash of a name in `DT_HASH`, and of versions (System V ABI, `elf_hash`).
pub(super) fn sysv_hash(name: &[u8]) -> u32 {
    name.iter().fold(0_u32, |hash, &byte| {
        let hash = (hash << 4).wrapping_add(byte.into());
        let high = hash & 0xf000_0000;
        (hash ^ high >> 24) & !high
    })
}
