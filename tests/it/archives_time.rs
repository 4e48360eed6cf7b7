//! When records of an archive were written, and the Mac's zone then.

use crate::archives_tracev3::{Patient, store};
use crate::support::time;
use crate::support::tracev3::{Boot, Entry, File, Format, Packing, Value, write};
use crate::support::tracev3_sample::{boot, programs};
use mdm_health::log::tracev3::{Moment, StoreSummary, StoredRecord, Untimed, WantedRecords, read};
use std::sync::Mutex;

const SECOND: u64 = 1_000_000_000;

/// A boot on an Intel Mac, whose ticks are nanoseconds.
fn intel(start: &str) -> Boot {
    let start = time(start).timestamp_nanos_opt().unwrap();
    Boot { uuid: 7, timebase: (1, 1), start, syncs: Vec::new(), zone: (360, false) }
}

/// The moments of records at these ticks, in their order, and how the archive was read.
fn moments(header: &Boot, boots: &[Boot], ticks: &[u64]) -> (Vec<Moment>, StoreSummary) {
    let (programs, folder) = (programs(), tempfile::tempdir().unwrap());
    let mut file = File::new(header, &programs, Packing::Lz4);
    let texts: Vec<String> = ticks.iter().map(u64::to_string).collect();
    for (ticks, text) in ticks.iter().zip(&texts) {
        let (subsystem, category, values) = ("com.apple.ManagedClient", "HTTPUtil", vec![Value::Text(text)]);
        let (format, ticks) = (Format::Own(0), *ticks);
        file.push(&Entry { ticks, program: 0, thread: 1, level: 0, subsystem, category, format, values });
        // Pages of their own, so that each counts from its own time.
        file.flush();
    }
    write(folder.path(), &[("Persist/1.tracev3", file.finish())], boots, &programs);
    let (pieces, store) = store(folder.path());
    let found = Mutex::new(Vec::new());
    let sink = |record: &StoredRecord<'_>| {
        assert_eq!(record.message, record.ticks.to_string());
        found.lock().unwrap().push((record.ticks, record.moment));
    };
    let summary = read(&pieces, &store, &[WantedRecords::of_process("mdmclient")], &sink, &Patient).unwrap();
    let mut found = found.into_inner().unwrap();
    found.sort_by_key(|(ticks, _)| *ticks);
    (found.into_iter().map(|(_, moment)| moment).collect(), summary)
}

fn shown(moments: &[Moment]) -> Vec<String> {
    let show = |moment: &Moment| moment.at.with_timezone(&moment.offset.unwrap()).format("%F %T%.9f %:z").to_string();
    moments.iter().map(show).collect()
}

#[test]
fn an_hour_that_a_clock_change_repeats_is_told_apart_by_its_offset() {
    // 2026-11-01 in Chicago: at 02:00 summer time it becomes 01:00.
    let start = intel("2026-11-01T05:00:00Z");
    let at = |hours: u64| start.start + (hours * 3600 * SECOND) as i64;
    let syncs = vec![(0, at(0), 360, true), (2 * 3600 * SECOND, at(2), 360, false)];
    let boot = Boot { syncs, ..start };
    let (moments, summary) =
        moments(&boot, std::slice::from_ref(&boot), &[5400 * SECOND, 5400 * SECOND + 1, 9000 * SECOND]);
    assert_eq!(
        shown(&moments),
        [
            "2026-11-01 01:30:00.000000000 -05:00",
            "2026-11-01 01:30:00.000000001 -05:00",
            "2026-11-01 01:30:00.000000000 -06:00"
        ]
    );
    assert_eq!(summary.last.unwrap().at, time("2026-11-01T07:30:00Z"));
}

#[test]
fn ticks_of_apple_silicon_are_converted_without_rounding() {
    let boot = boot();
    let last = boot.syncs[99].0;
    // 24 ticks are a microsecond; after a hundred days a double has no nanoseconds left.
    let (moments, _) =
        moments(&boot, std::slice::from_ref(&boot), &[last + 24, last + 48, last + 8_640_000 * 24_000_000]);
    let base = boot.syncs[99].1;
    let nanoseconds: Vec<i64> = moments.iter().map(|moment| moment.at.timestamp_nanos_opt().unwrap() - base).collect();
    assert_eq!(nanoseconds, [1000, 2000, 8_640_000 * SECOND as i64]);
}

#[test]
fn a_clock_that_was_set_counts_from_then_on() {
    let start = intel("2026-11-20T00:00:00Z");
    let set = (100 * SECOND, start.start + 500 * SECOND as i64, 360, false);
    let boot = Boot { syncs: vec![(0, start.start, 360, false), set], ..start };
    let (moments, _) = moments(&boot, std::slice::from_ref(&boot), &[99 * SECOND, 101 * SECOND]);
    let utc: Vec<String> = moments.iter().map(|moment| moment.at.format("%T").to_string()).collect();
    assert_eq!(utc, ["00:01:39", "00:08:21"]);
}

#[test]
fn records_of_one_boot_in_two_timesync_files_count_together() {
    let start = intel("2026-11-20T00:00:00Z");
    let late = Boot { syncs: vec![(100 * SECOND, start.start + 500 * SECOND as i64, 360, false)], ..start.clone() };
    let early = Boot { syncs: vec![(1, start.start + 1, 360, false)], ..start.clone() };
    // The later one first, as a folder may list them.
    let (moments, _) = moments(&start, &[late, early], &[50 * SECOND, 150 * SECOND]);
    let utc: Vec<String> = moments.iter().map(|moment| moment.at.format("%T").to_string()).collect();
    assert_eq!(utc, ["00:00:50", "00:09:10"]);
}

#[test]
fn what_has_no_time_is_counted_by_why_and_never_1970() {
    let known = intel("2026-11-20T00:00:00Z");
    let synced = |boot: Boot| Boot { syncs: vec![(1, boot.start, 0, false)], ..boot };
    for (header, boots, why) in [
        (known.clone(), vec![], Untimed::NoTimesync),
        (known.clone(), vec![synced(Boot { uuid: 8, ..known.clone() })], Untimed::NoTimesync),
        (known.clone(), vec![synced(Boot { timebase: (7, 3), ..known.clone() })], Untimed::UnknownTimebase(7, 3)),
        (known.clone(), vec![synced(Boot { timebase: (1, 0), ..known.clone() })], Untimed::UnknownTimebase(1, 0)),
        // The file and the timesync file disagree.
        (known.clone(), vec![synced(Boot { timebase: (125, 3), ..known.clone() })], Untimed::UnknownTimebase(125, 3)),
        (known.clone(), vec![synced(Boot { start: 0, ..known.clone() })], Untimed::Impossible),
        (known.clone(), vec![synced(Boot { start: i64::MAX, ..known.clone() })], Untimed::Impossible),
    ] {
        let (moments, summary) = moments(&header, &boots, &[SECOND, 2 * SECOND]);
        assert_eq!(moments, []);
        assert_eq!(summary.counts.untimed.into_iter().collect::<Vec<_>>(), [(why, 2)]);
        assert_eq!((summary.counts.records, summary.persisted_from, summary.last), (0, None, None));
    }
    // The same fraction, not reduced.
    let boot = Boot { timebase: (1_000_000_000, 24_000_000), ..synced(boot()) };
    assert_eq!(moments(&boot, std::slice::from_ref(&boot), &[24_000_000]).0.len(), 1);
}

#[test]
fn a_damaged_timesync_file_gives_what_can_be_read_of_it() {
    let boot = boot();
    let bytes = crate::support::tracev3::timesync(std::slice::from_ref(&boot));
    let (programs, folder) = (programs(), tempfile::tempdir().unwrap());
    let mut file = File::new(&boot, &programs, Packing::Lz4);
    let (subsystem, category) = ("com.apple.ManagedClient", "HTTPUtil");
    file.push(&Entry {
        ticks: boot.syncs[50].0,
        program: 0,
        thread: 1,
        level: 0,
        subsystem,
        category,
        format: Format::Own(0),
        values: vec![Value::Text("x")],
    });
    write(folder.path(), &[("Persist/1.tracev3", file.finish())], &[], &programs);
    let mut damaged = bytes.clone();
    damaged[48 + 32 * 20..48 + 32 * 21].fill(0xff);
    for (timesync, is_damaged) in [(bytes.clone(), false), (damaged, true), (bytes[..bytes.len() - 5].to_vec(), true)] {
        std::fs::write(folder.path().join("timesync/0000000000000001.timesync"), timesync).unwrap();
        let (pieces, store) = store(folder.path());
        let summary = read(&pieces, &store, &[WantedRecords::of_process("mdmclient")], &|_| {}, &Patient).unwrap();
        assert_eq!(summary.counts.records, 1);
        assert_eq!(summary.lost > 0, is_damaged, "{summary:?}");
        assert!(!is_damaged || summary.first_lost.unwrap().starts_with("timesync: "));
    }
}
