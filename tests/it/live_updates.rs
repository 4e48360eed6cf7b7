//! OS updates on a live Mac: what is kept, how much of a large install.log is read, and which time zone applies.

use crate::support;
use crate::support::fake_mac::FakeMac;
use crate::support::{ENROLLED, Row, rows, time};
use mdm_health::collect::Collector;
use mdm_health::facts::{ddm_state, system_version};
use mdm_health::health::Findings;
use mdm_health::host::Live;
use mdm_health::journal::EventClass;
use mdm_health::log::ReadOptions;
use std::fmt::Write as _;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

const NOW: &str = "2026-11-23T18:00:00Z";
const INSTALL_LOG: &str = "/private/var/log/install.log";
const SUCCESS: &str = "2026-11-23 17:00:00 <<<<< Received HTTP response (200) [Idle] <<<<<";

fn mac(log: &str) -> FakeMac {
    let mac = FakeMac::new();
    mac.command("/usr/bin/profiles", ENROLLED)
        .command("/usr/sbin/sysctl", "{ sec = 1763300000, usec = 0 } then\n{ sec = 0, usec = 0 } then\n")
        .log(&support::ndjson(log));
    mac
}

/// Asks once, as a new process, and waits until the day before has been read too.
fn ask(mac: &FakeMac) -> Arc<Findings> {
    let live = Live::new(mac.root().to_owned(), Some(time(NOW)));
    let state = mac.path("/var/lib/mdm-health");
    let collector = Collector::new(Box::new(live), ReadOptions::default(), state.clone(), Some(state));
    let findings = collector.findings_of_a_day(Duration::from_secs(120));
    while Arc::strong_count(&collector) > 1 {
        std::thread::sleep(Duration::from_millis(5));
    }
    findings
}

fn source(findings: &Findings, name: &str) -> Row {
    rows(findings, "mdm_health_status").into_iter().find(|row| row.text("source") == Some(name)).unwrap()
}

/// This many lines of softwareupdated within the last hour, each a transition of a state machine.
fn chatter(lines: usize) -> String {
    let image = "</System/Library/CoreServices/Software Update.app/Contents/Resources/softwareupdated>";
    (0..lines).fold(String::new(), |mut text, line| {
        let (minute, second) = (line / 200 % 59, line % 60);
        let _ = writeln!(text, "2026-11-23 17:{minute:02}:{second:02} {image} [FSM(m)] >S> a{line} >E> b >N> c >A> d");
        text
    })
}

#[test]
fn many_softwareupdated_lines_do_not_push_out_events_of_mdmclient() {
    let mac = mac(&format!("{SUCCESS}\n{}", chatter(11_000)));
    let first = ask(&mac);
    assert_eq!((first.verdict.state.word(), first.verdict.last_success_at), ("ok", Some(time("2026-11-23T17:00:00Z"))));
    assert_eq!(first.evidence.journal.events().count(), 1);
    let from = *first.evidence.journal.complete_from.get(EventClass::Updates);
    assert!(
        from.is_some_and(|from| from > time("2026-11-23T17:00:00Z")),
        "some events were dropped, which limits the span: {from:?}"
    );
}

#[test]
fn update_events_are_kept_in_the_journal() {
    let progress = "2026-11-23 17:30:00 </System/Library/CoreServices/Software Update.app/Contents/Resources/softwareupdated> \
                    [SUMacControllerProgressManager] Reported progress (start): phase:APPLYING stalled:NO portionComplete:0.010000";
    let mac = mac(&format!("{SUCCESS}\n{progress}"));
    let first = ask(&mac);
    mac.log("");
    let second = ask(&mac);
    assert_eq!(first.updates, second.updates);
    assert_eq!(second.updates[0].phase().map(|phase| phase.word()), Some("installing"));
    assert_eq!(source(&second, "journal").number("events_kept"), Some(2));
}

#[test]
fn only_the_end_of_a_large_install_log_is_read_and_the_status_says_so() {
    let mac = mac(SUCCESS);
    let mut text = String::from(
        "2026-01-01 00:00:00+00 host softwareupdated[1]: softwareupdated: Starting with build 26.1 (25B78)\n",
    );
    while text.len() < 9 << 20 {
        text.push_str("2026-11-23 12:00:00+00 host softwareupdated[754]: Refreshing available updates from scan, again and again\n");
    }
    text.push_str(
        "2026-11-23 12:00:01+00 host softwareupdated[754]: softwareupdated: Starting with build 26.6.2 (25G83)\n",
    );
    mac.file(INSTALL_LOG, &text);
    let findings = ask(&mac);
    let status = source(&findings, "install_log");
    assert_eq!((status.text("state"), status.text("reason")), (Some("partial"), Some("end_only")));
    assert_eq!(status.number("covers_from"), Some(time("2026-11-23T12:00:00Z").timestamp()));
    let events = rows(&findings, "os_update_events");
    assert_eq!(events.len(), 1, "the first line lies before the part that is read");
    assert_eq!(events[0].text("detail"), Some("runs 26.6.2 (25G83)"));
}

#[test]
fn a_live_mac_without_the_ddm_state_file_has_no_declaration() {
    let findings = ask(&mac(SUCCESS));
    assert_eq!(source(&findings, "ddm_state").text("state"), Some("ok"));
    assert_eq!(rows(&findings, "os_update_settings")[0].number("ddm_declarations"), Some(0));
    let missing = source(&findings, "software_update_preferences");
    assert_eq!((missing.text("state"), missing.text("reason")), (Some("error"), Some("unreadable")));
}

/// The deadline and state on a live Mac before a clock change, where the deadline comes after the change.
#[allow(clippy::disallowed_methods, reason = "the tests start the program itself")]
fn deadline(mac: &FakeMac, zone: &str, more: &[&str]) -> String {
    let root = mac.root().to_str().unwrap();
    let sql = "SELECT datetime(deadline_at, 'unixepoch') AS at, state FROM os_update_enforcement";
    let output = Command::new(env!("CARGO_BIN_EXE_mdm-health"))
        .args(["--source", "live", "--root", root, "--now", "2026-10-31T12:00:00Z", "query", "--csv", sql])
        .args(more)
        .env("TZ", zone)
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap().lines().nth(1).unwrap_or_default().to_owned()
}

#[test]
fn a_deadline_after_a_clock_change_uses_the_machines_zone_at_that_date() {
    let mac = mac("");
    mac.file(
        ddm_state::PATH,
        "<plist version=\"1.0\"><dict><key>SUCorePersistedStatePolicyFields</key><dict><key>Declarations</key><dict>\
         <key>k</key><dict><key>TargetOSVersion</key><string>27.0.1</string><key>TargetLocalDateTime</key>\
         <string>2026-11-01T09:00:00</string></dict></dict></dict></dict></plist>",
    )
    .file(
        system_version::PATH,
        "<plist version=\"1.0\"><dict><key>ProductVersion</key><string>27.0</string></dict></plist>",
    );
    // Daylight saving time ends at 02:00 that day.
    assert_eq!(deadline(&mac, "EST5EDT,M3.2.0,M11.1.0", &[]), "2026-11-01 14:00:00,waiting");
    assert_eq!(deadline(&mac, "NZST-12NZDT,M9.5.0,M4.1.0/3", &[]), "2026-10-31 20:00:00,waiting");
    assert_eq!(deadline(&mac, "EST5EDT,M3.2.0,M11.1.0", &["--utc-offset", "+13:00"]), "2026-10-31 20:00:00,waiting");
}
