//! Which files are audited, and by how many threads: what the words name, and every shared object in what is a directory
//! and no bundle.

use std::fs;
use std::io::{self, IsTerminal as _, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::sync_channel;
use std::thread;

use super::super::show;

/// How deep directories are looked into. Links are not followed, so there is no circle; a tree made to be endless is.
const MAX_DEPTH: usize = 64;

/// Results that may wait for somebody to take them: what an audit says can be as large as the file.
const WAITING: usize = 4;

/// The files that words stand for, each once, and whether any word was a directory of files.
pub(super) fn named(words: &[PathBuf]) -> (Vec<PathBuf>, bool) {
    let mut files = Vec::new();
    let mut walked = false;
    for word in words {
        if word.is_dir() && !word.join("plugin.json").exists() {
            walked = true;
            files.extend(shared_objects(word));
        } else {
            files.push(word.clone());
        }
    }
    (files, walked)
}

/// The shared objects beneath a directory, by their names and first bytes, in order. What cannot be read is no file of
/// anybody's plugin, and left out.
fn shared_objects(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut next = vec![(directory.to_owned(), 0)];
    while let Some((directory, depth)) = next.pop() {
        let entries = fs::read_dir(&directory).into_iter().flatten().flatten();
        for (path, kind) in entries.filter_map(|entry| Some((entry.path(), entry.file_type().ok()?))) {
            if kind.is_dir() && depth < MAX_DEPTH {
                next.push((path, depth + 1));
            } else if kind.is_file() && is_shared_object(&path) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// `libz.so`, `libz.so.1.2.13` and `_ssl.cpython-311-x86_64-linux-gnu.so`, if they are ELF files and no linker scripts.
fn is_shared_object(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let named = name.ends_with(".so") || name.contains(".so.");
    let mut magic = [0; 4];
    named && fs::File::open(path).and_then(|mut file| file.read_exact(&mut magic)).is_ok() && &magic == b"\x7fELF"
}

/// Does `work` for each file on all processors, and hands the results to `take` in the order of the files. A bar shows
/// how far it is where `bar` is set and somebody looks.
pub(super) fn each<T: Send>(
    files: &[PathBuf],
    bar: bool,
    work: impl Fn(&Path) -> T + Sync,
    mut take: impl FnMut(&Path, T) -> io::Result<()>,
) -> io::Result<()> {
    let threads = thread::available_parallelism().map_or(1, usize::from).min(files.len());
    let next = AtomicUsize::new(0);
    let (sender, results) = sync_channel(WAITING);
    let watched = bar && io::stderr().is_terminal();
    thread::scope(|scope| {
        for _ in 0..threads {
            let sender = sender.clone();
            let (next, work) = (&next, &work);
            scope.spawn(move || {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some(path) = files.get(at) else { return };
                    // Nobody listens any more where writing the results failed.
                    if sender.send((at, work(path))).is_err() {
                        return;
                    }
                }
            });
        }
        drop(sender);
        let mut early = std::collections::BTreeMap::new();
        let mut written = 0;
        for (done, (at, result)) in results.into_iter().enumerate() {
            early.insert(at, result);
            while let Some(result) = early.remove(&written) {
                take(&files[written], result)?;
                written += 1;
            }
            if watched {
                progress(done + 1, files.len());
            }
        }
        Ok(())
    })
}

/// A line that is written over; the last one is wiped.
fn progress(done: usize, total: usize) {
    const CELLS: usize = 40;
    let filled = done * CELLS / total.max(1);
    let bar = format!("{}{}", "█".repeat(filled), "░".repeat(CELLS - filled));
    let line = if done == total { String::new() } else { format!("{bar} {done}/{total}") };
    // A line that cannot be written tells nobody anything, and changes nothing.
    drop(write!(show::messages(), "\r\x1b[K{line}"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_the_order_of_the_files_whoever_is_done_first() {
        let files: Vec<PathBuf> = (0..200).map(|at| PathBuf::from(at.to_string())).collect();
        let mut taken = Vec::new();
        let work = |path: &Path| {
            let at: u64 = path.to_string_lossy().parse().expect("a number");
            thread::sleep(std::time::Duration::from_micros(at % 7 * 300));
            at
        };
        each(&files, false, work, |_, at| {
            taken.push(at);
            Ok(())
        })
        .expect("taken");
        assert_eq!(taken, (0..200).collect::<Vec<_>>());
    }

    #[test]
    fn a_writer_that_fails_ends_the_work() {
        let files: Vec<PathBuf> = (0..1000).map(|at| PathBuf::from(at.to_string())).collect();
        let full = |_: &Path, ()| Err(io::ErrorKind::StorageFull.into());
        assert!(each(&files, false, |_| (), full).is_err());
        each(&[], false, |_| (), |_, ()| Ok(())).expect("nothing to do");
    }
}
