//! `mdm_watchdog_history`: each change of the verdict once, whatever becomes of the process that saw it.

use crate::support::extension::Extension;
use crate::support::fake_mac::FakeMac;
use crate::support::live_mac::{ask, mac, state_dir};
use crate::support::manager::{Manager, until};
use crate::support::set_clock::{Clock, SetClock};
use crate::support::{self, ENROLLED, Mac, NOT_ENROLLED, rows, time};
use chrono::{TimeDelta, Utc};
use mdm_health::collect::Collector;
use mdm_health::host::Live;
use mdm_health::log::ReadOptions;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

/// A Mac whose server answered every hour of the day up to now.
fn answered_each_hour() -> FakeMac {
    let at = |hours: i64| (Utc::now() - TimeDelta::hours(hours)).format("%Y-%m-%d %H:%M:%S");
    let line = |hours: i64| format!("{} <<<<< Received HTTP response (200) [Idle] <<<<<\n", at(hours));
    let mac = mac(&(1..24).rev().map(line).collect::<String>());
    mac.platform();
    mac
}

/// A process that looks at the Mac at these hours before now, after which its enrollment is as said.
fn looks(mac: &FakeMac, looks: &[(i64, &str)]) {
    let clock = Clock::at(Utc::now());
    let host = SetClock::new(mac.root(), &clock);
    let collector = Collector::new(Box::new(host), ReadOptions::default(), state_dir(mac), Some(state_dir(mac)));
    for (hours, enrollment) in looks {
        clock.set(Utc::now() - TimeDelta::hours(*hours));
        mac.command("/usr/bin/profiles", enrollment);
        collector.refresh();
    }
}

/// What the extension says when it has just started, before it is killed with `kill -9`.
fn extension_says(mac: &FakeMac, enrollment: &str) -> Vec<(String, i64, i64)> {
    mac.command("/usr/bin/profiles", enrollment);
    let folder = tempfile::tempdir().unwrap();
    let manager = Manager::start(folder.path());
    let (root, state_dir) = (mac.root().to_str().unwrap(), state_dir(mac));
    let of_mac = ["--source", "live", "--root", root, "--state-dir", state_dir.to_str().unwrap()];
    let _killed = Extension::start(&manager.socket, &of_mac);
    let peer = manager.extension();
    let wanted = if enrollment == ENROLLED { "ok" } else { "not_enrolled" };
    let mut history = Vec::new();
    until("the verdict is in the history", || {
        let rows = peer.generate("mdm_watchdog_history", "{}").rows;
        let number = |row: &support::manager::Map, column: &str| row[column].parse::<i64>().unwrap();
        history = rows
            .iter()
            .map(|row| (row["state"].clone(), number(row, "from_at"), number(row, "to_at")))
            .collect::<Vec<_>>();
        history.len() > 1 && history.last().is_some_and(|last| last.0 == wanted && Utc::now().timestamp() - last.2 < 60)
    });
    history
}

#[test]
fn ten_changes_over_restarts_and_kills_are_kept_once_each() {
    let mac = answered_each_hour();
    looks(&mac, &[(20, ENROLLED), (19, ENROLLED), (18, NOT_ENROLLED), (17, NOT_ENROLLED), (16, ENROLLED)]);
    looks(&mac, &[(15, ENROLLED), (14, NOT_ENROLLED), (13, ENROLLED), (12, ENROLLED), (11, NOT_ENROLLED)]);
    assert_eq!(extension_says(&mac, ENROLLED).len(), 7);
    assert_eq!(extension_says(&mac, NOT_ENROLLED).len(), 8);
    assert_eq!(extension_says(&mac, ENROLLED).len(), 9);
    let history = extension_says(&mac, NOT_ENROLLED);
    let states: Vec<&str> = history.iter().map(|(state, ..)| state.as_str()).collect();
    assert_eq!(states, ["ok", "not_enrolled"].repeat(5));
    assert!(history.iter().all(|(_, from, to)| from <= to), "{history:?}");
    assert!(history.windows(2).all(|pair| pair[0].2 <= pair[1].1), "{history:?}");
    let hours = |index: usize| (history[index].2 - history[index].1) / 3600;
    assert_eq!([hours(0), hours(1), hours(2), hours(3), hours(4)], [1, 1, 1, 0, 1]);
}

#[test]
fn the_history_is_kept_for_as_many_days_as_the_policy_says() {
    let mac = mac("2026-11-20 17:00:00 <<<<< Received HTTP response (200) [Idle] <<<<<");
    let policy = "/Library/Managed Preferences/org.mdm-health.plist";
    mac.file(policy, "<plist version=\"1.0\"><dict><key>JournalDays</key><integer>2</integer></dict></plist>");
    fs::set_permissions(mac.path(policy).parent().unwrap(), fs::Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(mac.path(policy), fs::Permissions::from_mode(0o644)).unwrap();
    let states = |now: &str| {
        mac.log_more(&support::ndjson(&format!(
            "{} >>>>> Sending HTTP request (PUT) [Idle] >>>>>",
            now.replace(['T', 'Z'], " ").trim()
        )));
        ask(&mac, now);
        let findings = ask(&mac, now);
        rows(&findings, "mdm_watchdog_history").iter().map(|row| row.shown("state")).collect::<Vec<_>>()
    };
    assert_eq!(states("2026-11-20T18:00:00Z"), ["ok"]);
    assert_eq!(states("2026-11-21T18:00:00Z").len(), 2);
    let later = states("2026-11-25T18:00:00Z");
    assert_eq!(later.len(), 1, "{later:?}");
}

#[test]
fn a_capture_carries_the_history_and_one_without_has_the_verdict_of_its_moment() {
    let mac = answered_each_hour();
    looks(&mac, &[(3, ENROLLED), (2, NOT_ENROLLED), (1, ENROLLED)]);
    let now = Utc::now().to_rfc3339();
    let history =
        |findings| rows(findings, "mdm_watchdog_history").iter().map(|row| row.shown("state")).collect::<Vec<_>>();
    let host = Live::new(mac.root().to_owned(), Some(time(&now)));
    let evidence = mdm_health::collect::evidence(&host, &ReadOptions::default(), &state_dir(&mac));
    let live = Arc::new(mdm_health::health::Findings::new(evidence));
    assert_eq!(history(&live), ["ok", "not_enrolled", "ok"]);
    let folder = tempfile::tempdir().unwrap();
    let capture = folder.path().join("capture");
    #[allow(clippy::disallowed_methods, reason = "the tests start the program itself")]
    let mut program = std::process::Command::new(env!("CARGO_BIN_EXE_mdm-health"));
    program
        .arg("capture")
        .arg(&capture)
        .arg("--redact")
        .arg("--root")
        .arg(mac.root())
        .arg("--state-dir")
        .arg(state_dir(&mac));
    let output = program.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(history(&support::findings(&capture)), ["ok", "not_enrolled", "ok"]);
    let without = Mac::at("2026-11-23T18:00:00Z").rows("mdm_watchdog_history");
    assert_eq!((without.len(), without[0].number("to_at")), (1, Some(time("2026-11-23T18:00:00Z").timestamp())));
}
