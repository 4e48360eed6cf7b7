//! The first minutes of a Mac whose log of the last day is still being read: no verdict before that, and at once whatever
//! answers at once.

use crate::support::fake_mac::FakeMac;
use crate::support::live_mac::{PATIENCE, mac, state_dir};
use crate::support::{rows, time};
use mdm_health::collect::Collector;
use mdm_health::health::Findings;
use mdm_health::host::{Command, FileEnd, Host, HostError, Live, LogSource, Output};
use mdm_health::log::ReadOptions;
use mdm_health::vocabulary::{Span, Time};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

const NOW: &str = "2026-11-23T18:00:00Z";

/// How many times the log may be opened.
#[derive(Clone, Default)]
struct Gate(Arc<(Mutex<usize>, Condvar)>);

impl Gate {
    fn open(&self, times: usize) {
        *self.0.0.lock().unwrap() += times;
        self.0.1.notify_all();
    }

    fn pass(&self) {
        let mut left = self.0.1.wait_while(self.0.0.lock().unwrap(), |left| *left == 0).unwrap();
        *left -= 1;
    }
}

/// A Mac whose log waits at a gate.
struct Slow(Live, Gate);

impl Host for Slow {
    fn run(&self, command: Command) -> Result<Output, HostError> {
        self.0.run(command)
    }

    fn open_log(&self, span: Span, predicate: &str) -> Result<Box<dyn LogSource>, HostError> {
        self.1.pass();
        self.0.open_log(span, predicate)
    }

    fn read_file(&self, path: &str) -> Result<Vec<u8>, HostError> {
        self.0.read_file(path)
    }

    fn read_file_end(&self, path: &str, limit: u64) -> Result<FileEnd, HostError> {
        self.0.read_file_end(path, limit)
    }

    fn read_trusted(&self, path: &str) -> Result<Option<Vec<u8>>, HostError> {
        self.0.read_trusted(path)
    }

    fn now(&self) -> Option<Time> {
        self.0.now()
    }

    fn uptime(&self) -> Result<Duration, HostError> {
        self.0.uptime()
    }

    fn is_live(&self) -> bool {
        true
    }
}

fn slow(mac: &FakeMac) -> (Arc<Collector>, Gate) {
    let gate = Gate::default();
    let host = Slow(Live::new(mac.root().to_owned(), Some(time(NOW))), gate.clone());
    (Collector::new(Box::new(host), ReadOptions::default(), state_dir(mac), Some(state_dir(mac))), gate)
}

fn verdict(findings: &Findings) -> (&str, &str) {
    (findings.verdict.state.word(), findings.verdict.reason.word())
}

#[test]
fn a_command_that_hung_before_the_window_is_not_quiet_while_the_day_is_still_being_read() {
    let mac = mac("2026-11-23 15:29:00 <<<<< Received HTTP response (200) [Idle] <<<<<
         2026-11-23 15:30:00 Processing server request: ProfileList for: <Device> (T-1) PowerNap: no");
    let (collector, gate) = slow(&mac);
    gate.open(1);
    let first = collector.findings(PATIENCE);
    assert_eq!(verdict(&first), ("unknown", "still_reading"));
    assert_eq!((first.verdict.client_stuck, first.verdict.enrolled), (None, Some(true)));
    assert!(first.verdict.detail.contains("still being read"), "{}", first.verdict.detail);
    let history = rows(&first, "mdm_watchdog_history");
    assert_eq!(history.len(), 1, "what is shown is the verdict of the moment");
    gate.open(1);
    let whole = collector.findings_of_a_day(PATIENCE);
    assert_eq!(verdict(&whole), ("stuck", "command_hung"));
    let reasons: Vec<String> = rows(&whole, "mdm_watchdog_history").iter().map(|row| row.shown("reason")).collect();
    assert_eq!(reasons, ["command_hung"], "a verdict that waits for the log is none that the Mac had");
}

#[test]
fn a_success_within_the_window_is_ok_at_once() {
    let mac = mac("2026-11-23 17:00:00 <<<<< Received HTTP response (200) [Idle] <<<<<");
    let (collector, gate) = slow(&mac);
    gate.open(1);
    assert_eq!(verdict(&collector.findings(PATIENCE)), ("ok", "recent_success"));
    gate.open(1);
}

#[test]
fn what_answers_at_once_is_served_although_nothing_of_the_log_was_read() {
    let mac = mac("");
    mac.platform();
    let (collector, gate) = slow(&mac);
    // Until the commands have answered, which takes no longer on a busy machine than this.
    let mut findings = collector.findings(Duration::from_millis(100));
    for _ in 0..600 {
        if findings.evidence.platform.known().is_some() && findings.verdict.enrolled.is_some() {
            break;
        }
        findings = collector.findings(Duration::from_millis(100));
        std::thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(verdict(&findings), ("unknown", "still_reading"));
    let enrollment = rows(&findings, "mdm_enrollment").remove(0);
    assert_eq!((enrollment.number("enrolled"), enrollment.text("state")), (Some(1), Some("enrolled")));
    let source = |name: &str| {
        let rows = rows(&findings, "mdm_health_status");
        rows.into_iter().find(|row| row.text("source") == Some(name)).unwrap().shown("state")
    };
    assert_eq!((source("profiles_status").as_str(), source("unified_log").as_str()), ("ok", "error"));
    gate.open(2);
}
