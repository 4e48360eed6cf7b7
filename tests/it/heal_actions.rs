//! Restarting a daemon on the fake Mac: each answer that launchd may give, and the row that is recorded.

use crate::support::heal_mac::{HealMac, now};
use chrono::TimeDelta;
use mdm_health::facts::record::{self, Entry};
use mdm_health::heal::{Refusal, Request};
use mdm_health::host::{Live, STATE_DIR};
use std::path::Path;
use std::time::Duration;

const KICKSTART: &str = "launchctl kickstart -k system/com.apple.mdmclient.daemon";

/// Requests a restart of mdmclient and returns its row.
fn restart(mac: &HealMac) -> Entry {
    ask(mac, "restart_mdmclient").pop().expect("a row")
}

fn ask(mac: &HealMac, action: &str) -> Vec<Entry> {
    let collector = mac.collector(Box::new(mac.live()));
    let healer = mac.healer(&collector, Duration::from_secs(60));
    let answer = healer.request(&Request::new(action, Some("INC-42")));
    let entries = record::entries(collector.host(), collector.state_dir()).expect("a record");
    let whole = entries.first().expect("a row");
    match answer {
        Ok(id) => assert_eq!((id, whole.outcome.word()), (1, "done")),
        Err(refusal) => {
            assert_eq!(refusal.code.word(), whole.outcome.word());
            assert!(whole.detail.ends_with(&refusal.sentence), "{refusal}");
        }
    }
    entries
}

fn what_counts(entry: &Entry) -> (&str, Option<&str>, Option<i64>, Option<i64>, Option<i32>) {
    (entry.outcome.word(), entry.method.map(|method| method.word()), entry.pid_before, entry.pid_after, entry.exit_code)
}

#[test]
fn launchd_restarts_mdmclient() {
    let mac = HealMac::stuck();
    let row = restart(&mac);
    assert_eq!(what_counts(&row), ("done", Some("kickstart"), Some(300), Some(1300), Some(0)));
    assert_eq!(row.detail, format!("{KICKSTART}: exit code 0. mdmclient was restarted."));
    assert_eq!((row.action.as_str(), row.reason.as_deref()), ("restart_mdmclient", Some("INC-42")));
    assert_eq!(mac.acts(), [KICKSTART]);
}

#[test]
fn restarting_softwareupdated_takes_four_commands_and_records_each() {
    let mac = HealMac::stuck();
    let row = ask(&mac, "restart_softwareupdated").pop().expect("a row");
    assert_eq!(what_counts(&row), ("done", Some("kickstart"), Some(301), Some(1301), Some(0)));
    assert_eq!(
        mac.acts(),
        [
            "dscacheutil -flushcache",
            "killall -HUP mDNSResponder",
            "pkill BrainService",
            "launchctl kickstart -k system/com.apple.softwareupdated"
        ]
    );
    assert_eq!(
        row.detail,
        "dscacheutil -flushcache: exit code 0. killall -HUP mDNSResponder: exit code 0. pkill BrainService: exit code 1. \
         launchctl kickstart -k system/com.apple.softwareupdated: exit code 0. softwareupdated was restarted."
    );
}

#[test]
fn heal_restarts_both_daemons_and_records_each_in_a_row() {
    let mac = HealMac::stuck();
    let rows = ask(&mac, "heal");
    let told: Vec<_> =
        rows.iter().map(|row| (row.action.as_str(), row.reason.as_deref(), row.outcome.word())).collect();
    assert_eq!(
        told,
        [
            ("heal", Some("INC-42"), "done"),
            ("restart_softwareupdated", Some("heal 1: INC-42"), "done"),
            ("restart_mdmclient", Some("heal 1: INC-42"), "done")
        ]
    );
    assert_eq!(mac.acts().len(), 5);
}

#[test]
fn where_kickstart_is_refused_the_daemons_own_process_gets_a_signal() {
    for (behaviour, code, words) in [
        ("refused", 1, "1: Operation not permitted"),
        ("protected", 150, "150: Operation not permitted while System Integrity Protection is engaged"),
    ] {
        let mac = HealMac::stuck();
        mac.set("launchctl", behaviour);
        let row = restart(&mac);
        assert_eq!(what_counts(&row), ("done", Some("signal"), Some(300), Some(1300), Some(0)));
        let refusal = format!("Could not kickstart service \"com.apple.mdmclient.daemon\": {words}");
        assert_eq!(
            row.detail,
            format!("{KICKSTART}: exit code {code} ({refusal}). kill -TERM 300: exit code 0. mdmclient was restarted.")
        );
        assert_eq!(mac.acts(), [KICKSTART, "kill -TERM 300"]);
    }
}

#[test]
fn a_killed_daemon_counts_as_restarted_though_launchd_starts_it_only_on_demand() {
    let mac = HealMac::stuck();
    mac.set("launchctl", "refused");
    mac.set("kill", "ends");
    let row = restart(&mac);
    assert_eq!(what_counts(&row), ("done", Some("signal"), Some(300), None, Some(0)));
    assert!(row.detail.ends_with("The process of mdmclient was ended; launchd starts it again when it is needed."));
}

#[test]
fn an_unchanged_pid_is_no_restart() {
    let mac = HealMac::stuck();
    mac.set("launchctl", "same");
    let row = restart(&mac);
    assert_eq!(what_counts(&row), ("failed", None, Some(300), Some(300), Some(0)));
    assert!(row.detail.ends_with("mdmclient was not restarted: its process is still the same."), "{}", row.detail);
    assert_eq!(mac.acts(), [KICKSTART]);
}

/// It counts as not restarted although it may still end later, and it is not signalled again for a day.
#[test]
fn a_daemon_that_ignores_sigterm_was_not_restarted_and_is_left_alone_for_a_day() {
    let mac = HealMac::stuck();
    mac.set("launchctl", "refused");
    mac.set("kill", "ignored");
    let row = restart(&mac);
    assert_eq!(what_counts(&row), ("failed", None, Some(300), Some(300), Some(0)));
    let sentence = "mdmclient was not restarted: it got SIGTERM and its process is still the same. It may still end; if it \
                    does not, restart the Mac.";
    assert!(row.detail.ends_with(sentence), "{}", row.detail);
    assert_eq!(row.next_allowed_at, Some(now() + TimeDelta::hours(24)));
    assert_eq!(mac.acts(), [KICKSTART, "kill -TERM 300"]);
    let again = mac.healer(&mac.collector(Box::new(mac.live())), Duration::from_secs(60));
    let refusal = again.request(&Request::new("restart_mdmclient", None)).expect_err("refused");
    assert_eq!(refusal.code.word(), "too_soon");
    assert_eq!(mac.acts().len(), 2);
}

/// Any user can start a program that calls itself `/usr/libexec/mdmclient`, and macOS has a second daemon of that name:
/// launchd says which process belongs to the label.
#[test]
fn launchd_identifies_the_daemon_among_processes_of_the_same_name() {
    let mac = HealMac::stuck();
    mac.set("ps", "two");
    mac.set("launchctl", "refused");
    let row = restart(&mac);
    assert_eq!(what_counts(&row), ("done", Some("signal"), Some(300), Some(1300), Some(0)));
    assert_eq!(mac.acts(), [KICKSTART, "kill -TERM 300"]);
}

/// ps shows the name that a program gives itself, and a user's program may call itself softwareupdated.
#[test]
fn a_users_program_that_calls_itself_softwareupdated_is_not_taken_for_it() {
    let mac = HealMac::stuck();
    mac.set("print", "odd");
    mac.set("launchctl", "refused");
    let row = ask(&mac, "restart_softwareupdated").pop().expect("a row");
    assert_eq!(what_counts(&row), ("done", Some("signal"), Some(301), Some(1301), Some(0)));
    assert_eq!(mac.acts().last().map(String::as_str), Some("kill -TERM 301"));
}

#[test]
fn a_restart_fails_where_kickstart_and_kill_are_both_refused() {
    let mac = HealMac::stuck();
    mac.set("launchctl", "protected");
    mac.set("kill", "refused");
    let row = restart(&mac);
    assert_eq!(what_counts(&row), ("failed", None, Some(300), None, Some(1)));
    assert!(row.detail.contains("kill -TERM 300: exit code 1 (kill: 300: Operation not permitted)."), "{}", row.detail);
    assert!(
        row.detail.ends_with("mdmclient was not restarted: launchctl and kill were both refused."),
        "{}",
        row.detail
    );
}

#[test]
fn a_restart_that_cannot_be_confirmed_is_unconfirmed() {
    let mac = HealMac::stuck();
    mac.set("print", "blind");
    let row = restart(&mac);
    assert_eq!(what_counts(&row), ("unconfirmed", None, Some(300), None, Some(0)));
    assert!(row.detail.contains("Whether mdmclient was restarted is unknown"), "{}", row.detail);
    let query = "SELECT mdm_client_restarted IS NULL AS unknown FROM mdm_watchdog";
    let told = mac.program(&["query", "--csv", query]).output().expect("run").stdout;
    assert_eq!(String::from_utf8_lossy(&told), "unknown\n1\n");
    let mac = HealMac::stuck();
    mac.set("print", "odd");
    mac.set("ps", "blind");
    mac.set("launchctl", "refused");
    let row = restart(&mac);
    assert_eq!(what_counts(&row), ("failed", None, Some(300), None, Some(1)));
    assert_eq!(mac.acts(), [KICKSTART], "without a look there is no signal");
}

/// Only a refused kickstart leads to a signal, no other failure of launchctl.
#[test]
fn a_service_unknown_to_launchd_gets_no_signal() {
    let mac = HealMac::stuck();
    mac.set("launchctl", "unknown");
    let row = restart(&mac);
    assert_eq!(what_counts(&row), ("failed", None, Some(300), None, Some(113)));
    assert_eq!(mac.acts(), [KICKSTART]);
}

#[test]
fn an_mdmclient_that_is_not_running_is_started() {
    let mac = HealMac::stuck();
    mac.set("daemons/com.apple.mdmclient.daemon", "");
    let row = restart(&mac);
    assert_eq!(what_counts(&row), ("done", Some("kickstart"), None, Some(1000), Some(0)));
}

#[test]
fn an_mdmclient_that_is_not_running_gets_no_signal() {
    let mac = HealMac::stuck();
    mac.set("daemons/com.apple.mdmclient.daemon", "");
    mac.set("launchctl", "refused");
    let row = restart(&mac);
    assert_eq!(what_counts(&row), ("failed", None, None, None, Some(1)));
    assert!(row.detail.ends_with("launchctl was refused, and it was not running, so there was nothing to end."));
    assert_eq!(mac.acts(), [KICKSTART]);
}

/// The fake Mac always has a user's agent, an mdmclient run by hand and two programs with similar names; here a second
/// process matches in every respect.
#[test]
fn where_two_processes_match_neither_gets_a_signal() {
    let mac = HealMac::stuck();
    mac.set("print", "odd");
    mac.set("ps", "two");
    mac.set("launchctl", "refused");
    let row = restart(&mac);
    assert_eq!(what_counts(&row), ("failed", None, None, None, Some(1)));
    assert!(row.detail.contains("its process is not one and the same"), "{}", row.detail);
    assert_eq!(mac.acts(), [KICKSTART]);
}

#[test]
fn where_two_processes_match_kickstart_still_restarts_the_right_one() {
    let mac = HealMac::stuck();
    mac.set("print", "odd");
    mac.set("ps", "two");
    let row = restart(&mac);
    assert_eq!(what_counts(&row), ("done", Some("kickstart"), None, Some(1300), Some(0)));
}

#[test]
fn a_launchctl_that_hangs_is_killed_and_nothing_more_is_run() {
    let mac = HealMac::stuck();
    mac.set("launchctl", "hangs");
    let row = restart(&mac);
    assert_eq!(what_counts(&row), ("failed", None, Some(300), Some(300), None));
    assert!(row.detail.contains("did not finish within 10 s and was killed"), "{}", row.detail);
    assert!(row.detail.ends_with("mdmclient was not restarted: its process is still the same."), "{}", row.detail);
    assert_eq!(mac.acts(), [KICKSTART]);
}

/// This changes nothing on the machine that runs the test: it only asks who may act.
#[test]
fn on_a_real_mac_only_root_may_act_without_now_and_with_the_one_record() {
    let code = |host: Live, state_dir: &str| {
        let error = host.actor().may_act(Path::new(state_dir)).err()?;
        Some(Refusal::from_actor(&error).code.word())
    };
    let real = |root: &str| Live::new(root.into(), None);
    for root in ["/", "//", "/tmp/..", "/no such folder"] {
        if rustix::process::geteuid().is_root() {
            assert_eq!(code(real(root), STATE_DIR), None);
            assert_eq!(code(real(root), "/tmp/another"), Some("other_ledger"));
            assert_eq!(code(Live::new(root.into(), Some(now())), STATE_DIR), Some("not_now"));
        } else {
            assert_eq!(code(real(root), STATE_DIR), Some("not_root"));
        }
    }
    let mac = HealMac::new();
    assert_eq!(code(mac.live(), "/tmp/another"), None);
}
