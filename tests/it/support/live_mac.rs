//! A fake Mac whose log and journal are tested, and the collectors that read it.

use super::fake_mac::FakeMac;
use super::{self as support, ENROLLED, Row, rows, time};
use mdm_health::collect::Collector;
use mdm_health::health::Findings;
use mdm_health::host::Live;
use mdm_health::log::ReadOptions;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

pub const LOG: &str = "/usr/bin/log";
/// Longer than any refresh takes, even on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// How long `log show` may run where it never ends: long enough to start it and to read its records on a busy machine.
const ENDLESS_LOG: Duration = Duration::from_secs(2);

pub fn mac(records: &str) -> FakeMac {
    let mac = FakeMac::new();
    mac.command("/usr/bin/profiles", ENROLLED)
        .command("/usr/sbin/sysctl", "{ sec = 1763300000, usec = 0 } then\n{ sec = 0, usec = 0 } then\n")
        .log(&support::ndjson(records));
    mac
}

pub fn state_dir(mac: &FakeMac) -> PathBuf {
    mac.path("/var/lib/mdm-health")
}

pub fn collector(mac: &FakeMac, now: &str) -> Arc<Collector> {
    collect(mac, Live::new(mac.root().to_owned(), Some(time(now))))
}

fn collect(mac: &FakeMac, live: Live) -> Arc<Collector> {
    Collector::new(Box::new(live), ReadOptions::default(), state_dir(mac), Some(state_dir(mac)))
}

/// The findings of a new process at that time, with the backfill of the day before: whether the first findings already
/// include it depends on which thread runs first.
pub fn ask(mac: &FakeMac, now: &str) -> Arc<Findings> {
    answer(&collector(mac, now))
}

/// The same where `log show` never ends and is killed early.
pub fn ask_endless_log(mac: &FakeMac, now: &str) -> Arc<Findings> {
    answer(&collect(mac, Live::new(mac.root().to_owned(), Some(time(now))).with_log_limit(ENDLESS_LOG)))
}

fn answer(collector: &Arc<Collector>) -> Arc<Findings> {
    let findings = collector.findings_of_a_day(PATIENCE);
    // The journal is closed before another collector opens it.
    while Arc::strong_count(collector) > 1 {
        std::thread::sleep(Duration::from_millis(5));
    }
    findings
}

pub fn source(findings: &Findings, name: &str) -> Row {
    rows(findings, "mdm_health_status").into_iter().find(|row| row.text("source") == Some(name)).unwrap()
}

/// The `--start` of each call of `log show`.
pub fn starts(mac: &FakeMac) -> Vec<String> {
    let after = |call: &String| call.split_once("--start ").unwrap().1[..19].to_owned();
    mac.calls(LOG).iter().map(after).collect()
}

pub const SUCCESS_AT_5: &str = "2026-11-23 17:00:00 <<<<< Received HTTP response (200) [Idle] <<<<<";
