//! How fast a log archive is read: wanted records alone, against a whole parse by macos-unifiedlogs with the records
//! filtered afterwards, in the same run. Both have to give the same records.
//!
//! Run it with `cargo bench --bench archives`. Absolute speeds depend on the machine; the ratios are the result.
//! `cargo bench --bench archives -- --make FOLDER` makes the archive and keeps it; `-- --read FOLDER` and
//! `-- --parse FOLDER` read it once, for whoever measures a whole process.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "the writer of archives is the tests'")]

#[path = "../tests/it/support/tracev3.rs"]
mod tracev3;
#[path = "../tests/it/support/tracev3_sample.rs"]
mod tracev3_sample;

use macos_unifiedlogs::cache::MemoryStringCache;
use macos_unifiedlogs::filesystem::LogarchiveProvider;
use macos_unifiedlogs::iterator::UnifiedLogIterator;
use macos_unifiedlogs::parser::{build_log, collect_timesync};
use macos_unifiedlogs::traits::{FileProvider, SourceFile};
use macos_unifiedlogs::unified_log::{EventType, UnifiedLogData};
use mdm_health::host::pieces::{Pieces, Shape};
use mdm_health::log::tracev3::{Record, Wanted, Watch, read};
use std::env;
use std::error::Error;
use std::fs;
use std::hash::{BuildHasher, RandomState};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tracev3::Packing;
use tracev3_sample::{Sample, generate};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const MEGABYTES: usize = 100;
const ROUNDS: usize = 3;

/// Reads to the end, however long that takes.
struct Patient;

impl Watch for Patient {
    fn advance(&self, _: u64) {}

    fn is_over(&self) -> bool {
        false
    }
}

fn main() -> Result<()> {
    let arguments: Vec<String> = env::args().collect();
    let after = |flag: &str| {
        let at = arguments.iter().position(|argument| argument == flag)?;
        arguments.get(at + 1).map(PathBuf::from)
    };
    if let Some(folder) = after("--make") {
        fs::create_dir_all(&folder)?;
        let one_in = after("--one-in").and_then(|number| number.to_str()?.parse().ok()).unwrap_or(30);
        println!("{} records", generate(&folder, sample(one_in)));
        return Ok(());
    }
    let hasher = RandomState::new();
    if let Some(folder) = after("--read") {
        println!("{:?}", wanted_records(&folder, &hasher)?);
        return Ok(());
    }
    if let Some(folder) = after("--parse") {
        println!("{:?}", all_records(&folder, &hasher)?);
        return Ok(());
    }
    for one_in in [30, 500] {
        let folder = tempfile::tempdir()?;
        let records = generate(folder.path(), sample(one_in));
        println!("{records} records, {MEGABYTES} MB, one in {one_in} of mdmclient, {ROUNDS} rounds, medians");
        let (mut read, mut parse, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            let (one, found) = timed(|| wanted_records(folder.path(), &hasher))?;
            let (other, expected) = timed(|| all_records(folder.path(), &hasher))?;
            if found != expected || found.0 == 0 {
                return Err(format!("{found:?} is not {expected:?}").into());
            }
            read.push(one);
            parse.push(other);
            ratios.push(other.as_secs_f64() / one.as_secs_f64());
        }
        let median = |times: &mut Vec<Duration>| {
            times.sort();
            times.get(ROUNDS / 2).copied().unwrap_or_default()
        };
        ratios.sort_by(f64::total_cmp);
        let ratio = ratios.get(ROUNDS / 2).copied().unwrap_or_default();
        println!(
            "wanted: {:?}; whole parse: {:?}; {ratio:.1} times as fast, records equal",
            median(&mut read),
            median(&mut parse)
        );
    }
    Ok(())
}

fn sample(one_in: u64) -> Sample {
    Sample { bytes: MEGABYTES * 1_000_000, files: 10, one_in, packing: Packing::Lz4 }
}

fn timed<T>(work: impl FnOnce() -> Result<T>) -> Result<(Duration, T)> {
    let start = Instant::now();
    let result = work()?;
    Ok((start.elapsed(), result))
}

/// How many records there are, and the sum of the hashes of what they say.
type Found = (u64, u64);

fn wanted_records(folder: &Path, hasher: &RandomState) -> Result<Found> {
    let pieces = Pieces::open(folder, &())?.ok_or("no folder")?;
    let Shape::Log(store) = Shape::of(&pieces)? else { return Err("no log archive".into()) };
    let (count, sum) = (AtomicU64::new(0), AtomicU64::new(0));
    let sink = |record: &Record<'_>| {
        count.fetch_add(1, Ordering::Relaxed);
        let hash = hasher.hash_one((
            record.image,
            record.pid,
            record.uid,
            record.thread,
            record.subsystem,
            record.category,
            record.message,
        ));
        sum.fetch_add(hash, Ordering::Relaxed);
    };
    let summary = read(&pieces, &store, &[Wanted::of_process("mdmclient")], &sink, &Patient)?;
    if summary.lost > 0 { Err(format!("{summary:?}").into()) } else { Ok((count.into_inner(), sum.into_inner())) }
}

/// The same as macos-unifiedlogs' own example reads all records: file by file, catalog by catalog.
fn all_records(folder: &Path, hasher: &RandomState) -> Result<Found> {
    let provider = LogarchiveProvider::new(folder);
    let cache = MemoryStringCache::default();
    let timesync = collect_timesync(&provider)?;
    let mut oversize = UnifiedLogData::default();
    let (mut count, mut sum) = (0, 0_u64);
    for mut file in provider.tracev3_files() {
        let mut data = Vec::new();
        file.reader().read_to_end(&mut data)?;
        for mut found in (UnifiedLogIterator { data, header: Vec::new(), evidence: String::new() }) {
            found.oversize.append(&mut oversize.oversize);
            let (records, _) = build_log(&found, &provider, &cache, &timesync, false);
            oversize.oversize = found.oversize;
            for record in records {
                if record.event_type == EventType::Log && record.process.ends_with("/mdmclient") {
                    let pid = u32::try_from(record.pid)?;
                    count += 1;
                    sum = sum.wrapping_add(hasher.hash_one((
                        record.process.as_str(),
                        pid,
                        record.euid,
                        record.thread_id,
                        record.subsystem.as_str(),
                        record.category.as_str(),
                        record.message.as_str(),
                    )));
                }
            }
        }
    }
    Ok((count, sum))
}
