//! tracev3 files: what is decoded early-filtered is what a whole parse by macos-unifiedlogs gives, filtered afterwards.

use crate::support::capture;
use crate::support::tracev3::{self, Boot, Packing};
use crate::support::tracev3_sample::{Sample, generate};
use macos_unifiedlogs::cache::MemoryStringCache;
use macos_unifiedlogs::filesystem::LogarchiveProvider;
use macos_unifiedlogs::iterator::UnifiedLogIterator;
use macos_unifiedlogs::parser::{build_log, collect_timesync};
use macos_unifiedlogs::traits::{FileProvider, SourceFile};
use macos_unifiedlogs::unified_log::{EventType, LogData, UnifiedLogData};
use mdm_health::host::pieces::{LogStore, Pieces, Shape};
use mdm_health::log::tracev3::{StoreSummary, StoredRecord, Untimed, WantedRecords, Watch, read};
use std::fs;
use std::io::Read;
use std::path::Path;
use std::sync::Mutex;
use tempfile::TempDir;

/// Reads to the end, however long that takes.
pub struct Patient;

impl Watch for Patient {
    fn advance(&self, _: u64) {}

    fn is_over(&self) -> bool {
        false
    }
}

/// A record as both ways of reading give it: all but the time, and the time in nanoseconds.
pub type Line = (String, i64);

pub fn store(path: &Path) -> (Pieces, LogStore) {
    let pieces = Pieces::open(path, &()).unwrap().unwrap();
    match Shape::of(&pieces).unwrap() {
        Shape::Log(store) | Shape::Sysdiagnose(_, Some(store)) => (pieces, store),
        other => panic!("{other:?}"),
    }
}

/// What our reader gives.
pub fn ours(path: &Path, wanted: &[WantedRecords]) -> (Vec<Line>, StoreSummary) {
    let (pieces, store) = store(path);
    let lines = Mutex::new(Vec::new());
    let sink = |record: &StoredRecord<'_>| {
        let line = format!(
            "{} {} {} {} {:?} [{}:{}] {} {}",
            record.image,
            record.pid,
            record.uid,
            record.thread,
            record.level,
            record.subsystem,
            record.category,
            record.boot.replace('-', ""),
            record.message
        );
        lines.lock().unwrap().push((line, record.moment.at.timestamp_nanos_opt().unwrap()));
    };
    let summary = read(&pieces, &store, wanted, &sink, &Patient).unwrap();
    (lines.into_inner().unwrap(), summary)
}

/// What macos-unifiedlogs gives of all of it, of the wanted records. An iPad's archive lacks the paths of its
/// executables, so that a process is named by whatever stands in their place.
fn all(path: &Path, wanted: impl Fn(&LogData) -> bool) -> Vec<Line> {
    let provider = LogarchiveProvider::new(path);
    let cache = MemoryStringCache::default();
    let timesync = collect_timesync(&provider).unwrap();
    let mut oversize = UnifiedLogData::default();
    let mut lines = Vec::new();
    for mut file in provider.tracev3_files() {
        let mut data = Vec::new();
        file.reader().read_to_end(&mut data).unwrap();
        for mut found in (UnifiedLogIterator { data, header: Vec::new(), evidence: String::new() }) {
            found.oversize.append(&mut oversize.oversize);
            let (records, _) = build_log(&found, &provider, &cache, &timesync, false);
            oversize.oversize = found.oversize;
            let wanted = records.iter().filter(|record| record.event_type == EventType::Log && wanted(record));
            lines.extend(wanted.map(|record| {
                // macos-unifiedlogs puts the backtrace before the message.
                let message = match record.message.strip_prefix("Backtrace:\n") {
                    Some(rest) => rest.lines().skip_while(|line| line.starts_with('"')).collect::<Vec<_>>().join("\n"),
                    None => record.message.clone(),
                };
                let image = if record.process.starts_with('/') { record.process.as_str() } else { "" };
                let line = format!(
                    "{image} {} {} {} {:?} [{}:{}] {} {message}",
                    record.pid,
                    record.euid,
                    record.thread_id,
                    record.log_type,
                    record.subsystem,
                    record.category,
                    record.boot_uuid,
                );
                (line, record.time as i64)
            }));
        }
    }
    lines
}

fn compare(mut ours: Vec<Line>, mut all: Vec<Line>) {
    ours.sort();
    all.sort();
    assert_eq!(ours.len(), all.len());
    for ((our_line, our_time), (line, time)) in ours.iter().zip(&all) {
        assert_eq!(our_line, line);
        assert!(our_time.abs_diff(*time) <= 512, "{our_time} {time}: {line}");
    }
}

fn processes(names: &[&str]) -> Vec<WantedRecords> {
    names.iter().map(|name| WantedRecords::of_process(name)).collect()
}

fn subsystem(subsystem: &str, category: &str) -> [WantedRecords; 1] {
    [WantedRecords { subsystem: subsystem.to_owned(), category: category.to_owned(), ..WantedRecords::default() }]
}

#[test]
fn the_synthetic_archive_gives_what_a_whole_parse_gives() {
    let Some(path) = capture("logarchive/synthetic.logarchive") else { return };
    for names in [&["mdmclient"][..], &["mdmclient", "softwareupdated"], &["nobody"]] {
        let (lines, summary) = ours(&path, &processes(names));
        let is_wanted = |record: &LogData| names.iter().any(|name| record.process.rsplit('/').next() == Some(name));
        assert_eq!(summary.lost, 0, "{summary:?}");
        compare(lines, all(&path, is_wanted));
    }
}

/// A copy of an archive with a timesync file more.
fn with_boot(path: &Path, boot: &Boot) -> TempDir {
    let copy = tempfile::tempdir().unwrap();
    for file in mdm_health::host::pieces::files(path).unwrap() {
        let to = copy.path().join(file.strip_prefix(path).unwrap());
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(file, to).unwrap();
    }
    fs::write(copy.path().join("timesync/0000000000000003.timesync"), tracev3::timesync(std::slice::from_ref(boot)))
        .unwrap();
    copy
}

#[test]
fn an_ipads_archive_gives_what_a_whole_parse_gives() {
    let Some(path) = capture("logarchive/ipados15.logarchive") else { return };
    // Its own timesync file is of other boots.
    let boot = Boot {
        uuid: 0xA6EB_C8E3_0A1C_40E8_93B9_DA3A_7F67_1D19,
        timebase: (125, 3),
        start: 1_649_855_670_341_146_000,
        syncs: vec![
            (1, 1_649_855_670_341_146_000, 300, true),
            (69_487_032_292_802, 1_652_750_963_353_346_000, 300, true),
        ],
        zone: (300, true),
    };
    let copy = with_boot(&path, &boot);
    for (subsystem, count) in
        [("com.apple.su", 239), ("com.apple.ManagedConfiguration", 10), ("com.apple.mobileassetd", 961)]
    {
        let (lines, summary) = ours(copy.path(), &self::subsystem(subsystem, ""));
        assert_eq!((lines.len(), summary.lost), (count, 0), "{summary:?}");
        assert!(summary.nameless > 50, "{summary:?}");
        compare(lines, all(copy.path(), |record| record.subsystem == subsystem));
    }
}

#[test]
fn a_boot_without_timesync_is_counted_and_never_1970() {
    let Some(path) = capture("logarchive/ipados15.logarchive") else { return };
    let (lines, summary) = ours(&path, &subsystem("com.apple.su", ""));
    assert_eq!(lines, []);
    assert_eq!(summary.counts.untimed.into_iter().collect::<Vec<_>>(), [(Untimed::NoTimesync, 239)]);
}

#[test]
fn a_generated_archive_gives_what_a_whole_parse_gives() {
    for packing in [Packing::Lz4, Packing::Stored] {
        let folder = tempfile::tempdir().unwrap();
        generate(folder.path(), Sample { bytes: 3 << 20, files: 3, one_in: 30, packing });
        let (lines, summary) = ours(folder.path(), &processes(&["mdmclient", "softwareupdated"]));
        assert_eq!((summary.lost, summary.counts.without_strings), (0, 0), "{summary:?}");
        let names = ["mdmclient", "softwareupdated"];
        compare(
            lines,
            all(folder.path(), |record| names.iter().any(|name| record.process.ends_with(&format!("/{name}")))),
        );
        let (lines, _) = ours(folder.path(), &subsystem("com.apple.remotemanagementd", "mdmConduit"));
        compare(lines, all(folder.path(), |record| record.subsystem == "com.apple.remotemanagementd"));
    }
}
