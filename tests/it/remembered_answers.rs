//! Commands and files of a live Mac: how long their content is used, what happens when they fail, and that an old
//! answer leads to no verdict and no restart.

use crate::support;
use crate::support::fake_mac::FakeMac;
use crate::support::heal_mac::{self, HealMac};
use crate::support::set_clock::{Clock, SetClock};
use crate::support::{ENROLLED, NOT_ENROLLED, Row, rows, time};
use chrono::TimeDelta;
use mdm_health::collect::Collector;
use mdm_health::heal::Request;
use mdm_health::health::Findings;
use mdm_health::log::ReadOptions;
use std::sync::Arc;
use std::time::Duration;

const PROFILES: &str = "/usr/bin/profiles";
const SYSCTL: &str = "/usr/sbin/sysctl";
const BEGIN: &str = "2026-11-23T18:00:00Z";
const PATIENCE: Duration = Duration::from_secs(60);

/// A Mac that one process asks repeatedly.
struct Watched {
    mac: FakeMac,
    clock: Clock,
    collector: Arc<Collector>,
}

impl Watched {
    /// Its log holds a success at 17:00.
    fn new() -> Self {
        let mac = FakeMac::new();
        mac.command(PROFILES, ENROLLED)
            .command(SYSCTL, "{ sec = 1763300000, usec = 0 } then\n{ sec = 0, usec = 0 } then\n")
            .log(&support::ndjson("2026-11-23 17:00:00 <<<<< Received HTTP response (200) [Idle] <<<<<"));
        let clock = Clock::at(time(BEGIN));
        let host = SetClock::new(mac.root(), &clock);
        let collector =
            Collector::new(Box::new(host), ReadOptions::default(), mac.path("/state"), Some(mac.path("/state")));
        Self { mac, clock, collector }
    }

    /// Refreshes this many minutes after the start.
    fn at(&self, minutes: i64) -> Arc<Findings> {
        self.clock.set(time(BEGIN) + TimeDelta::minutes(minutes));
        self.collector.refresh();
        self.collector.findings(PATIENCE)
    }

    fn times_of_boot_and_wake(&self) -> usize {
        self.mac.calls(SYSCTL).iter().filter(|call| call.contains("kern.waketime")).count()
    }

    fn calls(&self, arguments: &str) -> usize {
        self.mac.calls(PROFILES).iter().filter(|call| call.ends_with(arguments)).count()
    }
}

fn source(findings: &Findings, name: &str) -> Row {
    rows(findings, "mdm_health_status").into_iter().find(|row| row.text("source") == Some(name)).unwrap()
}

fn epoch(minutes: i64) -> Option<i64> {
    Some((time(BEGIN) + TimeDelta::minutes(minutes)).timestamp())
}

#[test]
fn slow_changing_commands_run_every_five_minutes_and_sysctl_on_each_refresh() {
    let watched = Watched::new();
    for minute in 0..10 {
        watched.at(minute);
    }
    assert_eq!(watched.calls("status -type enrollment"), 2);
    assert_eq!(watched.times_of_boot_and_wake(), 10);
}

#[test]
fn the_backfill_reads_only_the_log() {
    let watched = Watched::new();
    watched.at(0);
    assert_eq!(watched.mac.calls("/usr/bin/log").len(), 2, "the window, and the day before it");
    assert_eq!((watched.calls("enrollment"), watched.times_of_boot_and_wake()), (1, 1));
    assert_eq!(source(&watched.at(0), "unified_log").number("covers_from"), epoch(-24 * 60));
}

#[test]
fn a_failed_command_keeps_its_last_output_with_its_age_and_the_error() {
    let watched = Watched::new();
    watched.at(0);
    watched.mac.fails(PROFILES, 3, "no such luck\n");
    let findings = watched.at(20);
    assert_eq!(rows(&findings, "mdm_enrollment")[0].number("enrolled"), Some(1));
    assert_eq!(rows(&findings, "mdm_enrollment")[0].text("server_url"), Some("https://mdm.example.com/mdm"));
    let status = source(&findings, "profiles_status");
    assert_eq!((status.text("state"), status.text("reason")), (Some("partial"), Some("command_failed")));
    assert_eq!((status.number("last_ok_at"), status.number("last_error_at")), (epoch(0), epoch(20)));
    let detail = status.text("detail").unwrap();
    assert!(detail.contains("no such luck") && detail.contains("The tables show the value of 2026-11-23T18:00:00Z"));
    // The server has responded within the window, so the Mac is still ok.
    let verdict = &findings.verdict;
    assert_eq!((verdict.state.word(), verdict.enrolled, verdict.client_stuck), ("ok", Some(true), Some(false)));
    assert!(verdict.detail.contains("an older answer"), "{}", verdict.detail);
}

#[test]
fn an_old_enrollment_makes_no_mac_stuck_or_quiet_and_is_dropped_after_an_hour() {
    let watched = Watched::new();
    watched.at(0);
    watched.mac.fails(PROFILES, 3, "no such luck\n");
    let silent = watched.at(40);
    assert_eq!(rows(&silent, "mdm_enrollment")[0].number("enrolled"), Some(1));
    assert_eq!((silent.verdict.state.word(), silent.verdict.reason.word()), ("unknown", "enrollment_unknown"));
    assert_eq!((silent.verdict.enrolled, silent.verdict.client_stuck), (None, None));
    let later = watched.at(61);
    assert_eq!(rows(&later, "mdm_enrollment")[0].number("enrolled"), None);
    let status = source(&later, "profiles_status");
    assert_eq!((status.text("state"), status.number("last_ok_at")), (Some("error"), epoch(0)));
}

#[test]
fn an_old_not_enrolled_gives_no_verdict() {
    let watched = Watched::new();
    watched.mac.command(PROFILES, NOT_ENROLLED);
    assert_eq!(watched.at(0).verdict.state.word(), "not_enrolled");
    watched.mac.fails(PROFILES, 3, "no such luck\n");
    assert_eq!(watched.at(20).verdict.state.word(), "unknown");
}

#[test]
fn a_command_that_works_again_is_ok_and_keeps_the_time_of_its_last_error() {
    let watched = Watched::new();
    watched.at(0);
    watched.mac.fails(PROFILES, 3, "no such luck\n");
    watched.at(10);
    watched.mac.fails(PROFILES, 0, "");
    let status = source(&watched.at(12), "profiles_status");
    assert_eq!((status.text("state"), status.text("detail")), (Some("ok"), None));
    assert_eq!((status.number("last_ok_at"), status.number("last_error_at")), (epoch(12), epoch(10)));
}

#[test]
fn an_unreadable_file_keeps_its_last_content() {
    const PREFERENCES: &str = "/Library/Preferences/com.apple.SoftwareUpdate.plist";
    let watched = Watched::new();
    watched.mac.file(
        PREFERENCES,
        "<plist version=\"1.0\"><dict><key>AutomaticDownload</key><true/><key>LastUpdatesAvailable</key>\
         <integer>2</integer></dict></plist>",
    );
    watched.at(0);
    watched.mac.file(PREFERENCES, "half written");
    let findings = watched.at(1);
    assert_eq!(rows(&findings, "os_update_settings")[0].number("automatic_download"), Some(1));
    let status = source(&findings, "software_update_preferences");
    assert_eq!((status.text("state"), status.text("reason")), (Some("partial"), Some("not_understood")));
    assert_eq!((status.number("last_ok_at"), status.number("last_error_at")), (epoch(0), epoch(1)));
}

/// Requests a restart on a stuck Mac four minutes after its findings were read; returns the code of the refusal.
fn restart_later(meanwhile: impl FnOnce(&HealMac), patience: Duration) -> String {
    let mac = HealMac::stuck();
    let clock = Clock::at(heal_mac::now());
    let collector = mac.collector(Box::new(SetClock::new(mac.root(), &clock)));
    assert_eq!(collector.findings(PATIENCE).verdict.client_stuck, Some(true));
    meanwhile(&mac);
    clock.set(heal_mac::now() + TimeDelta::minutes(4));
    let refusal =
        mac.healer(&collector, patience).request(&Request::new("restart_mdmclient", Some("test"))).unwrap_err();
    assert_eq!(mac.acts(), [""; 0]);
    refusal.code.word().to_owned()
}

#[test]
fn heal_runs_the_commands_again() {
    assert_eq!(restart_later(|mac| mac.set("profiles", NOT_ENROLLED), PATIENCE), "not_stuck");
}

#[test]
fn heal_does_not_act_on_an_old_answer() {
    assert_eq!(restart_later(|mac| mac.set("profiles", "nonsense"), PATIENCE), "evidence_unknown");
}

#[test]
fn heal_does_not_act_on_old_findings() {
    assert_eq!(restart_later(|mac| mac.set("delay", "1"), Duration::ZERO), "evidence_stale");
}
