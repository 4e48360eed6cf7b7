//! How fast a log archive is read: wanted records alone, against a whole parse by macos-unifiedlogs with the records
//! filtered afterwards, in the same run. Both have to give the same records. Then the whole program: from a log archive to
//! the row of `mdm_watchdog` against `cat`, and from a packed sysdiagnose to the report page against `gunzip`.
//!
//! Run it with `cargo bench --bench archives`. Absolute speeds depend on the machine; the ratios are the result.
//! `cargo bench --bench archives -- --make FOLDER` makes the archive and keeps it; `-- --read FOLDER` and
//! `-- --parse FOLDER` read it once, for whoever measures a whole process.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "the writer of archives is the tests'")]
#![allow(clippy::disallowed_methods, reason = "the bench starts the program itself")]

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
use mdm_health::log::tracev3::{StoredRecord, WantedRecords, Watch, read};
use std::env;
use std::error::Error;
use std::fs;
use std::hash::{BuildHasher, RandomState};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use tracev3::Packing;
use tracev3_sample::{Sample, generate};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const MEGABYTES: usize = 100;
const ROUNDS: usize = 3;

/// How large the log of the packed sysdiagnose is, so that the whole is about 200 MB packed, and how many other files lie
/// beside it.
const SYSDIAGNOSE_MEGABYTES: usize = 260;
const OTHER_FILES: usize = 1500;

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
        whole_program(folder.path())?;
    }
    packed_sysdiagnose()
}

/// From the archive to `mdm_watchdog`'s row.
fn whole_program(archive: &Path) -> Result<()> {
    let itself = env::current_exe()?;
    let files = fs::read_dir(archive.join("Persist"))?.map(|entry| entry.map(|entry| entry.path()));
    let files: Vec<PathBuf> = files.collect::<std::io::Result<_>>()?;
    let query = ["query", "SELECT state, reason FROM mdm_watchdog", "--source"];
    let program = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mdm-health"));
        command.args(query).arg(archive);
        command
    };
    let parse = || {
        let mut command = Command::new(&itself);
        command.arg("--parse").arg(archive);
        command
    };
    let cat = || {
        let mut command = Command::new("cat");
        command.args(&files);
        command
    };
    compare("the row of mdm_watchdog", program, &[("cat", &cat), ("a whole parse", &parse)])
}

/// From a sysdiagnose as a Mac packs it to the report page.
fn packed_sysdiagnose() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let name = "sysdiagnose_2026.11.23_18-00-00+0100_macOS_Mac14-2_24G90";
    let inside = folder.path().join(name);
    let bytes = SYSDIAGNOSE_MEGABYTES * 1_000_000;
    generate(&inside.join("system_logs.logarchive"), Sample { bytes, files: 50, ..sample(100) });
    fs::write(inside.join("sw_vers.txt"), "ProductVersion:\t\t15.6.1\nBuildVersion:\t\t24G90\n")?;
    for number in 0..OTHER_FILES {
        let other = inside.join(format!("logs/other-{}/{number}.txt", number % 40));
        fs::create_dir_all(other.parent().ok_or("no folder")?)?;
        fs::write(other, format!("line {number} of some output\n").repeat(200))?;
    }
    let packed = folder.path().join(format!("{name}.tar.gz"));
    let mut tar = Command::new("tar");
    tar.arg("-czf").arg(&packed).arg("-C").arg(folder.path()).arg(name);
    if !tar.status()?.success() {
        return Err("tar failed".into());
    }
    fs::remove_dir_all(&inside)?;
    println!("a packed sysdiagnose of {} MB", fs::metadata(&packed)?.len() / 1_000_000);
    let report = folder.path().join("report.html");
    let program = || {
        let _ = fs::remove_file(&report);
        let mut command = Command::new(env!("CARGO_BIN_EXE_mdm-health"));
        command.arg("report").arg(&report).arg("--source").arg(&packed);
        command
    };
    let gunzip = || {
        let mut command = Command::new("gunzip");
        command.arg("-c").arg(&packed);
        command
    };
    compare("the report page", program, &[("gunzip", &gunzip)])?;
    let index = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mdm-health"));
        // Opens the source and refuses it before anything is read of its log.
        command.arg("capture").arg(folder.path().join("capture")).arg("--source").arg(&packed);
        command
    };
    compare("the index alone", index, &[("gunzip", &gunzip)])
}

/// Runs the program and what it is compared with in turns, and prints how they compare.
fn compare(what: &str, program: impl Fn() -> Command, others: &[(&str, &dyn Fn() -> Command)]) -> Result<()> {
    let mut ratios: Vec<Vec<f64>> = vec![Vec::new(); others.len()];
    let (mut times, mut most) = (Vec::new(), 0);
    for _ in 0..ROUNDS {
        let (one, resident) = run(program())?;
        times.push(one);
        most = most.max(resident);
        for ((_, other), ratios) in others.iter().zip(&mut ratios) {
            ratios.push(one.as_secs_f64() / run(other())?.0.as_secs_f64());
        }
    }
    times.sort();
    println!("{what}: {:?}, at most {} MB resident", times[ROUNDS / 2], most / 1024);
    for ((name, _), ratios) in others.iter().zip(&mut ratios) {
        ratios.sort_by(f64::total_cmp);
        println!("  {:.2} times as long as {name}", ratios[ROUNDS / 2]);
    }
    Ok(())
}

/// How long a program runs, and how many kilobytes it has resident at most, where the system tells it.
fn run(mut command: Command) -> Result<(Duration, u64)> {
    let start = Instant::now();
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    let status = format!("/proc/{}/status", child.id());
    let mut most = 0;
    while child.try_wait()?.is_none() {
        let text = fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        most = line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse().ok()).unwrap_or(most);
        thread::sleep(Duration::from_millis(1));
    }
    Ok((start.elapsed(), most))
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
    let sink = |record: &StoredRecord<'_>| {
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
    let summary = read(&pieces, &store, &[WantedRecords::of_process("mdmclient")], &sink, &Patient)?;
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
