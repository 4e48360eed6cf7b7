//! install.log in the forms that it has besides the usual one: dates without a year, and what was rotated away.

use crate::support::fake_mac::FakeMac;
use crate::support::set_clock::{Clock, SetClock};
use crate::support::{Mac, rows};
use crate::support::{findings, time};
use chrono::{FixedOffset, TimeDelta};
use mdm_health::collect::Collector;
use mdm_health::log::ReadOptions;
use std::fs;
use std::io::Write;
use std::time::Duration;

const INSTALL_LOG: &str = "/private/var/log/install.log";

fn told(mac: &Mac) -> Vec<String> {
    let status = mac.rows("mdm_health_status").into_iter().find(|row| row.text("source") == Some("install_log"));
    let status = status.unwrap();
    ["state", "reason", "records_read", "covers_from"].map(|column| status.shown(column)).to_vec()
}

#[test]
fn dates_without_a_year_are_told_by_the_moment_of_the_capture_and_the_offset_of_the_log() {
    let line = "Nov 23 17:30:01 macbook softwareupdated[754]: Scan (f=1, d=0) completed\n";
    let log = |at: &'static str| {
        let last = time(at).with_timezone(&FixedOffset::west_opt(4 * 3600).unwrap()) - TimeDelta::minutes(5);
        Mac::at(at).said(&format!("{} hello", last.format("%F %T%.6f%z"))).file(INSTALL_LOG, line)
    };
    let at = |text: &str| time(text).timestamp().to_string();
    assert_eq!(told(&log("2026-11-23T22:00:00Z")), ["ok", "-", "1", &at("2026-11-23T21:30:01Z")]);
    // A date that has not come yet is last year's.
    assert_eq!(told(&log("2026-08-30T20:00:00Z")), ["ok", "-", "1", &at("2025-11-23T21:30:01Z")]);
    let events = log("2026-11-23T22:00:00Z").rows("os_update_events");
    assert_eq!((events.len(), events[0].text("kind")), (1, Some("scan")));
}

#[test]
fn without_a_zone_such_dates_are_a_source_that_cannot_be_read() {
    let line = "Nov 23 17:30:01 macbook softwareupdated[754]: Scan (f=1, d=0) completed\n";
    let mac = Mac::at("2026-11-23T22:00:00Z").without_log().file(INSTALL_LOG, line);
    assert_eq!(told(&mac)[..2], ["error", "zone_unknown"]);
}

fn packed(name: &str, text: &str) -> Vec<u8> {
    if name.ends_with("gz") {
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packed.write_all(text.as_bytes()).unwrap();
        packed.finish().unwrap()
    } else {
        let mut packed = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
        packed.write_all(text.as_bytes()).unwrap();
        packed.finish().unwrap()
    }
}

const OLD: &str = "2026-11-22 09:15:13+00 mac softwareupdated[9]: Scan (f=1, d=0) completed\n";
const NEW: &str = "2026-11-23 17:15:13+00 mac softwareupdated[9]: Scan (f=1, d=0) completed\n";

/// When the scans of a live Mac were that install.log tells, and how reading it went.
fn scans(mac: &FakeMac) -> (Vec<i64>, String, i64) {
    let host = SetClock::new(mac.root(), &Clock::at(time("2026-11-23T18:00:00Z")));
    let collector =
        Collector::new(Box::new(host), ReadOptions::default(), mac.path("/state"), Some(mac.path("/state")));
    let mut told = Vec::new();
    // The second reading finds nothing new, and says the same.
    for _ in 0..2 {
        collector.refresh();
        let findings = collector.findings(Duration::from_secs(60));
        let status = rows(&findings, "mdm_health_status");
        let status = status.iter().find(|row| row.text("source") == Some("install_log")).unwrap();
        let scans = rows(&findings, "os_update_events").iter().filter_map(|row| row.number("at")).collect();
        told.push((scans, status.shown("state"), status.number("records_read").unwrap_or_default()));
    }
    assert_eq!(told[0], told[1]);
    told.remove(0)
}

#[test]
fn what_was_rotated_away_is_read_before_the_new_file() {
    let (old, new) = (time("2026-11-22T09:15:13Z").timestamp(), time("2026-11-23T17:15:13Z").timestamp());
    for name in ["install.log.0.gz", "install.log.0.bz2"] {
        let mac = FakeMac::new();
        mac.file(INSTALL_LOG, NEW);
        fs::write(mac.path(&format!("/private/var/log/{name}")), packed(name, OLD)).unwrap();
        assert_eq!(scans(&mac), (vec![old, new], "ok".to_owned(), 2), "{name}");
        // Between the rotation and the first new line there is no file.
        fs::remove_file(mac.path(INSTALL_LOG)).unwrap();
        assert_eq!(scans(&mac), (vec![old], "ok".to_owned(), 1), "{name}");
    }
}

#[test]
fn a_rotated_file_that_is_damaged_leaves_the_new_one_readable() {
    let mac = FakeMac::new();
    mac.file(INSTALL_LOG, NEW).file("/private/var/log/install.log.0.gz", "no archive");
    let new = time("2026-11-23T17:15:13Z").timestamp();
    assert_eq!(scans(&mac), (vec![new], "partial".to_owned(), 1));
}

#[test]
fn a_captured_log_that_was_rotated_is_read_with_the_file_beside_it() {
    let mac = Mac::at("2026-11-23T18:00:00Z").file(INSTALL_LOG, NEW);
    let folder = mac.folder();
    fs::write(folder.path().join("root/private/var/log/install.log.0.gz"), packed("gz", OLD)).unwrap();
    assert_eq!(rows(&findings(folder.path()), "os_update_events").len(), 2);
}
