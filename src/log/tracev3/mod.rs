//! The unified log as macOS keeps it: tracev3 files, timesync files and the files of format strings, in a log archive, a
//! sysdiagnose or a copy of the store. Only the pages of wanted processes are unpacked and decoded.
//!
//! The format is documented by libyal's dtformats; records are decoded by macos-unifiedlogs. A file may be damaged or
//! made by somebody who means harm: sizes are checked before they reach it, and its panics end with the record that
//! caused them.

mod boots;
mod bytes;
mod catalog;
mod chunks;
mod chunkset;
mod convert;
mod decode;
mod file;
mod follow;
mod format_strings;
mod guard;
mod record;
mod shared_cache;
mod strings;
mod wanted;

pub use boots::{Moment, Untimed};
pub use file::Watch;
pub use follow::ReadPlaces;
pub use record::{Counts, Sink, StoredRecord};
pub use wanted::WantedRecords;

use super::install_log::OffsetSpan;
use crate::host::pieces::{LogStore, Pieces};
use crate::vocabulary::Time;
use boots::Boots;
use decode::{Context, Leftover, decode_leftover};
use file::{Extent, FileSummary};
use std::collections::{BTreeSet, HashMap};
use std::io::{self, Read};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use strings::Strings;

/// The largest timesync file that is read, in bytes. A Mac's have about a hundred kilobytes.
const MAX_TIMESYNC: u64 = 16 << 20;

/// The most images that are looked up. A Mac runs about a thousand programs.
const MAX_IMAGES: usize = 1 << 16;

/// How many threads read files at once, at most.
const MAX_THREADS: usize = 8;

/// How a log was read.
#[derive(Debug, Default)]
pub struct StoreSummary {
    pub counts: Counts,
    /// How many tracev3 files there are.
    pub files: usize,
    /// Whether there is a record of any process.
    pub has_records: bool,
    /// The latest record of any process, and the earliest in the files where macOS keeps all kinds of records.
    pub last: Option<Moment>,
    pub persisted_from: Option<Moment>,
    /// When the Mac had booted that wrote the latest record.
    pub booted_at: Option<Time>,
    /// The Mac's offsets in the course of time.
    pub offsets: Vec<OffsetSpan>,
    /// Chunks, pages and records that could not be read, and what the first of them was.
    pub lost: u64,
    pub first_lost: Option<String>,
    /// Files that end within a chunk. The last file of a store that is being written does.
    pub cut_files: usize,
    /// Whether reading stopped before the end, because its time was over.
    pub is_stopped: bool,
    /// How many executables wrote records whose path no file tells, and how many of those may be wanted ones.
    pub nameless: usize,
    pub suspects: BTreeSet<u128>,
    /// Whether there are files that were not read, since they were last written before all that was asked for.
    pub has_older: bool,
}

/// Reads a log and hands the wanted records out, from several threads and in no order.
pub fn read(
    pieces: &Pieces,
    store: &LogStore,
    wanted: &[WantedRecords],
    sink: Sink<'_>,
    watch: &dyn Watch,
) -> io::Result<StoreSummary> {
    let (files, timesync) = store.files(pieces)?;
    let files: Vec<_> = files.into_iter().map(|name| (name, Extent::Whole)).collect();
    read_extents(pieces, store, &timesync, &files, wanted, sink, watch, |_, _| {})
}

/// Reads files of a log as far as each is to be read, and says of each what that came to.
#[allow(clippy::too_many_arguments, reason = "all of it is what a log consists of and who wants what of it")]
fn read_extents(
    pieces: &Pieces,
    store: &LogStore,
    timesync: &[String],
    files: &[(String, Extent)],
    wanted: &[WantedRecords],
    sink: Sink<'_>,
    watch: &dyn Watch,
    done: impl FnMut(&str, &FileSummary) + Send,
) -> io::Result<StoreSummary> {
    let mut summary = StoreSummary { files: files.len(), ..StoreSummary::default() };
    let boots = read_boots(pieces, timesync, &mut summary);
    summary.offsets = boots.offsets();
    let images = Images::new(pieces, store);
    let strings = Strings::new(pieces, store);
    let image = |uuid| images.path(uuid);
    let context = Context { strings: &strings, boots: &boots, image: &image, sink };
    let leftovers = read_files(pieces, files, wanted, context, watch, &mut summary, done);
    summary.counts.add(decode_leftover(leftovers));
    summary.lost += summary.counts.damaged;
    summary.nameless = images.nameless();
    Ok(summary)
}

fn read_boots(pieces: &Pieces, files: &[String], summary: &mut StoreSummary) -> Boots {
    let mut boots = Boots::default();
    for name in files {
        let mut bytes = Vec::new();
        match pieces.piece(name).and_then(|piece| piece.take(MAX_TIMESYNC).read_to_end(&mut bytes)) {
            Ok(_) => boots.add(&bytes),
            Err(error) => summary.lose(name, &error.to_string(), 1),
        }
    }
    if boots.is_damaged {
        summary.lose("timesync", "a file there is damaged", 1);
    }
    boots.sort();
    boots
}

/// Reads the files, several at once where there are processors for it.
fn read_files<'c>(
    pieces: &Pieces,
    files: &[(String, Extent)],
    wanted: &[WantedRecords],
    context: Context<'c>,
    watch: &dyn Watch,
    summary: &mut StoreSummary,
    on_file: impl FnMut(&str, &FileSummary) + Send,
) -> Vec<Leftover<'c>> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new((Vec::new(), summary, on_file));
    let read_all = || loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        let Some((name, extent)) = files.get(number) else { break };
        let opened = pieces.piece(name).map(|piece| (piece.size(), piece));
        let read = opened.map(|(size, piece)| file::read(number, piece, size, wanted, *extent, context, watch));
        let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
        let (leftovers, summary, on_file) = &mut *done;
        match read {
            Ok((file, leftover)) => {
                on_file(name, &file);
                summary.add(name, file, context.boots);
                leftovers.extend(leftover);
            }
            // A file of a live store may be removed meanwhile.
            Err(error) if *extent != Extent::Whole && error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => summary.lose(name, &error.to_string(), 1),
        }
    };
    watch.begin(files.iter().filter_map(|(name, _)| pieces.size(name)).sum());
    let threads = thread::available_parallelism().map_or(1, usize::from).min(MAX_THREADS).min(files.len());
    thread::scope(|scope| {
        // Where no further thread can be had, this one reads all.
        let started: Vec<_> =
            (1..threads).filter_map(|_| thread::Builder::new().spawn_scoped(scope, read_all).ok()).collect();
        read_all();
        drop(started);
    });
    done.into_inner().unwrap_or_else(PoisonError::into_inner).0
}

impl StoreSummary {
    fn add(&mut self, name: &str, file: FileSummary, boots: &Boots) {
        self.counts.add(file.counts);
        self.has_records |= file.has_records;
        self.is_stopped |= file.is_stopped;
        self.cut_files += usize::from(file.is_cut);
        if let Some(why) = file.first_lost {
            self.lose(name, &why, file.lost);
        }
        let span = file.boot.zip(file.span);
        let ends = span.into_iter().flat_map(|(boot, (from, to))| [(boot, from), (boot, to)]);
        self.suspects.extend(file.suspects);
        for (boot, ticks) in ends {
            let Ok(moment) = boots.moment(boot, ticks, ticks) else { continue };
            if LogStore::has_all_kinds(name) && self.persisted_from.is_none_or(|from| moment.at < from.at) {
                self.persisted_from = Some(moment);
            }
            if self.last.is_none_or(|last| moment.at > last.at) {
                (self.last, self.booted_at) = (Some(moment), boots.began(boot, ticks));
            }
        }
    }

    fn lose(&mut self, name: &str, why: &str, count: u64) {
        self.lost += count;
        self.first_lost.get_or_insert_with(|| format!("{name}: {why}"));
    }
}

/// The image paths of executables, each looked up once.
struct Images<'p> {
    pieces: &'p Pieces,
    store: &'p LogStore,
    paths: Mutex<HashMap<u128, Option<Arc<str>>>>,
}

impl<'p> Images<'p> {
    fn new(pieces: &'p Pieces, store: &'p LogStore) -> Self {
        Self { pieces, store, paths: Mutex::default() }
    }

    fn path(&self, uuid: u128) -> Option<Arc<str>> {
        let mut paths = self.paths.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(path) = paths.get(&uuid) {
            return path.clone();
        }
        let path = self.pieces.image_path(&self.store.uuidtext(uuid)).ok().flatten().map(Arc::from);
        if paths.len() < MAX_IMAGES {
            paths.insert(uuid, path.clone());
        }
        path
    }

    /// The kernel has no UUID and no path.
    fn nameless(&self) -> usize {
        let paths = self.paths.lock().unwrap_or_else(PoisonError::into_inner);
        paths.iter().filter(|(uuid, path)| **uuid != 0 && path.is_none()).count()
    }
}
