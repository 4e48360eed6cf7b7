//! A fake Mac whose log and journal are tested, and the processes that ask it.

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
pub const PATIENCE: Duration = Duration::from_secs(30);

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
    let live = Live::new(mac.root().to_owned(), Some(time(now))).with_log_limit(Duration::from_secs(1));
    Collector::new(Box::new(live), ReadOptions::default(), state_dir(mac), Some(state_dir(mac)))
}

/// A new process that asks once at that moment, and ends when its readings have.
pub fn ask(mac: &FakeMac, now: &str) -> Arc<Findings> {
    let collector = collector(mac, now);
    let findings = collector.findings(PATIENCE);
    while Arc::strong_count(&collector) > 1 {
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
