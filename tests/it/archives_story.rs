//! A log says the same whichever way it is kept.

use crate::support::story::{PRIVATE, Story, fixtures};
use crate::support::tracev3::write;
use crate::support::{ndjson, no_state, rows, tables};
use mdm_health::collect;
use mdm_health::event;
use mdm_health::health::Findings;
use mdm_health::host::Recorded;
use mdm_health::log::ReadOptions;
use mdm_health::report;
use mdm_health::vocabulary::Time;
use std::fs;
use std::path::Path;

fn findings(source: &Path, now: Option<Time>) -> Findings {
    let host = Recorded::open(source, now).unwrap();
    Findings::new(collect::evidence(&host, &ReadOptions::default(), &no_state()))
}

/// All rows of all tables, and the report: without where the log lies and how long reading it took.
fn told(source: &Path, now: Option<Time>) -> (Vec<String>, String) {
    let mut findings = findings(source, now);
    let sources = findings.evidence.other_sources.iter_mut();
    sources.for_each(|status| status.duration_ms = Some(0));
    findings.evidence.asked().into_iter().for_each(|source| source.status_mut().duration_ms = Some(0));
    findings.evidence.install_log.status.duration_ms = Some(0);
    findings.evidence.restarts.status.duration_ms = Some(0);
    let path = source.display().to_string();
    let tables = tables();
    let mut told = Vec::new();
    for table in tables.iter().filter(|table| table.definition().name != "mdm_heal") {
        for row in rows(&findings, table.definition().name) {
            told.push(format!("{} {row:?}", table.definition().name).replace(&path, "SOURCE"));
        }
    }
    (told, report::page("a story", &findings, &tables).replace(&path, "SOURCE"))
}

fn compare(name: &str, story: &Story, archive: &Path) {
    let folder = tempfile::tempdir().unwrap();
    let text = folder.path().join("log.ndjson");
    fs::write(&text, story.ndjson()).unwrap();
    let later = chrono::DateTime::from_timestamp_nanos(story.0.iter().map(|line| line.at).max().unwrap())
        + chrono::TimeDelta::hours(2);
    for now in [None, Some(later)] {
        let (expected, expected_report) = told(&text, now);
        let (found, found_report) = told(archive, now);
        for (one, other) in found.iter().zip(&expected) {
            assert_eq!(one, other, "{name}");
        }
        assert_eq!(found.len(), expected.len(), "{name}");
        assert_eq!(found_report, expected_report, "{name}");
    }
}

#[test]
fn every_fixture_says_the_same_as_text_and_as_tracev3() {
    let names: Vec<&str> = event::programs().iter().map(|program| program.name).collect();
    let stories = fixtures();
    assert!(stories.len() > 20);
    let mut lines = 0;
    for (name, story) in stories {
        // Of other programs an archive only knows that there are records.
        let story = story.only(&names);
        if story.0.is_empty() {
            continue;
        }
        lines += story.0.len();
        let folder = tempfile::tempdir().unwrap();
        let archive = folder.path().join("story.logarchive");
        story.archive(&archive);
        compare(&name, &story, &archive);
    }
    assert!(lines > 200, "{lines}");
}

#[test]
fn what_lies_in_two_files_counts_once_and_files_are_sorted_by_time() {
    for (name, story) in fixtures().into_iter().filter(|(_, story)| story.0.len() > 12) {
        let names: Vec<&str> = event::programs().iter().map(|program| program.name).collect();
        let mut story = story.only(&names);
        story.0.sort_by_key(|line| line.at);
        let count = story.0.len();
        let folder = tempfile::tempdir().unwrap();
        let archive = folder.path().join("story.logarchive");
        // The later half comes first, and what was in memory overlaps with both.
        let files = [
            ("Persist/0000000000000001.tracev3", story.tracev3(count / 2..count)),
            ("Persist/0000000000000002.tracev3", story.tracev3(0..count / 2)),
            ("logdata.LiveData.tracev3", story.tracev3(count / 3..count)),
        ];
        write(&archive, &files, &[story.boot()], &story.programs());
        let text = folder.path().join("log.ndjson");
        fs::write(&text, story.ndjson()).unwrap();
        let told = |source: &Path| {
            let (rows, _) = told(source, None);
            // Duplicates are records too.
            rows.into_iter().filter(|row| !row.starts_with("mdm_health_status")).collect::<Vec<_>>()
        };
        assert_eq!(told(&archive), told(&text), "{name}");
    }
}

#[test]
fn hidden_messages_levels_users_and_paths_stay_what_they_are() {
    let mut story = Story::of_ndjson(&ndjson(
        "2026-11-23 17:00:00 >>>>> Sending HTTP request (PUT) [Idle] >>>>>
         2026-11-23 17:00:01 <<<<< Received HTTP response (200) [Idle] <<<<<
         2026-11-23 17:01:00 <private>
         2026-11-23 17:02:00 <private>
         2026-11-23 17:03:00 </usr/libexec/mdmclient 501> <private>
         2026-11-23 17:04:00 </usr/libexec/mdmclient 501> <<<<< Received HTTP response (200) [Idle] <<<<<
         2026-11-23 17:05:00 </tmp/mdmclient> <<<<< Received HTTP response (200) [Idle] <<<<<
         2026-11-23 17:06:00 Processing server request: DeviceInformation for: <Device> (A-1) PowerNap: no",
    ));
    let levels = ["Default", "Info", "Debug", "Error", "Fault", "Default", "Default", "Info"];
    story.0.iter_mut().zip(levels).for_each(|(line, level)| line.level = level.to_owned());
    assert_eq!(story.0.iter().filter(|line| line.message == PRIVATE).count(), 3);
    let folder = tempfile::tempdir().unwrap();
    let archive = folder.path().join("story.logarchive");
    story.archive(&archive);
    compare("levels", &story, &archive);
    let (told, _) = told(&archive, None);
    let counted = told.iter().find(|row| row.contains("mdmclient_records")).unwrap();
    assert!(counted.contains("5 records") && counted.contains("2 of them <private>"), "{counted}");
    // The program in /tmp only has mdmclient's name.
    assert_eq!(told.iter().filter(|row| row.starts_with("mdm_exchanges ")).count(), 2, "{told:#?}");
}
