//! `mdm-health heal` and `diagnose`: mdm-watchdog's outputs, with the recorded restarts.

use crate::support;
use crate::support::heal_mac::{HealMac, mdmclient};

/// Standard output, standard error and the exit code.
fn run(mac: &HealMac, arguments: &[&str]) -> (String, String, Option<i32>) {
    let output = mac.program(arguments).output().expect("run");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr), output.status.code())
}

/// The eight lines for a Mac on which both daemons are stuck.
fn stuck(restarted: bool, last: &str) -> String {
    format!(
        "MDMEnrolled: true\nMDMIdentityError: unknown\nMDMClientStuck: true\nMDMSoftwareUpdatesStuck: true\n\
         MDMClientRestarted: {restarted}\nSoftwareUpdateDaemonRestarted: {restarted}\nLastMDMKickstart: {last}\n\
         LastSoftwareUpdateDaemonKickstart: {last}\n"
    )
}

const NEVER: &str = "0001-01-01 00:00:00 +0000 UTC";
const NOW: &str = "2026-11-23 18:00:00 +0000 UTC";

#[test]
fn heal_restarts_what_is_stuck_once() {
    for heal in ["heal", "-heal", "--heal"] {
        let mac = HealMac::stuck();
        assert_eq!(run(&mac, &["diagnose"]), (stuck(false, NEVER), String::new(), Some(0)));
        assert_eq!(run(&mac, &[heal]), (stuck(true, NOW), String::new(), Some(0)), "{heal}");
        assert_eq!(run(&mac, &["diagnose"]).0, stuck(true, NOW), "{heal}");
        let (printed, stderr, code) = run(&mac, &[heal]);
        assert_eq!((printed, code), (stuck(false, NOW), Some(1)), "{heal}");
        assert!(
            stderr.starts_with("mdm-health: refused: restart_softwareupdated (id 5) refused: too_soon: "),
            "{stderr}"
        );
        assert_eq!(mac.acts().len(), 5, "{heal}");
    }
}

#[test]
fn heal_leaves_a_healthy_mac_alone_and_succeeds() {
    let mac = HealMac::new();
    mac.say(&[mdmclient("17:59:00", "<<<<< Received HTTP response (200) [Idle] <<<<<")]);
    let (printed, stderr, code) = run(&mac, &["heal"]);
    assert!(
        printed.contains("MDMClientStuck: false\n") && printed.contains(&format!("LastMDMKickstart: {NEVER}\n")),
        "{printed}"
    );
    assert_eq!((stderr.as_str(), code), ("", Some(0)));
    assert_eq!(mac.acts(), Vec::<String>::new());
}

#[test]
fn heal_without_evidence_fails() {
    let mac = HealMac::stuck();
    mac.set("log", "fails");
    let (printed, stderr, code) = run(&mac, &["heal"]);
    assert!(printed.contains("MDMClientStuck: unknown\n"), "{printed}");
    assert!(stderr.starts_with("mdm-health: evidence_unknown: "), "{stderr}");
    assert_eq!((code, mac.acts().len()), (Some(1), 0));
}

#[test]
fn an_unreadable_record_gives_unknown_and_not_never() {
    let mac = HealMac::stuck();
    mac.write("Library/Application Support/mdm-health/heal.db", "damaged");
    let (printed, ..) = run(&mac, &["diagnose"]);
    for line in
        ["MDMClientRestarted: unknown\n", "LastMDMKickstart: unknown\n", "LastSoftwareUpdateDaemonKickstart: unknown\n"]
    {
        assert!(printed.contains(line), "{printed}");
    }
    let (_, stderr, code) = run(&mac, &["heal"]);
    assert!(stderr.starts_with("mdm-health: ledger_damaged: the record of restarts "), "{stderr}");
    assert_eq!(code, Some(1));
}

#[test]
fn a_select_after_an_insert_in_the_same_query_shows_the_result() {
    let mac = HealMac::stuck();
    let sql = "INSERT INTO mdm_heal(action, reason) VALUES ('restart_mdmclient', 'ticket 42; \"quoted\" ''é'''); \
               SELECT id, action, reason, force, dry_run, outcome, method, pid_before, pid_after, exit_code FROM mdm_heal";
    let (printed, stderr, code) = run(&mac, &["query", "--csv", sql]);
    assert_eq!((stderr.as_str(), code), ("", Some(0)));
    assert_eq!(
        printed,
        "id,action,reason,force,dry_run,outcome,method,pid_before,pid_after,exit_code\n\
         1,restart_mdmclient,\"ticket 42; \"\"quoted\"\" 'é'\",0,0,done,kickstart,300,1300,0\n"
    );
    let watchdog = "SELECT mdm_client_restarted, software_update_daemon_restarted, last_mdm_kickstart, \
                    last_software_update_daemon_kickstart FROM mdm_watchdog";
    let (printed, ..) = run(&mac, &["query", "--json", watchdog]);
    let printed: serde_json::Value = serde_json::from_str(&printed).expect("json");
    assert_eq!(
        printed[0],
        serde_json::json!({
            "mdm_client_restarted": 1,
            "software_update_daemon_restarted": 0,
            "last_mdm_kickstart": support::heal_mac::now().timestamp(),
            "last_software_update_daemon_kickstart": null,
        })
    );
}

#[test]
fn the_restarted_columns_are_about_the_last_heal_that_could_restart_the_daemon() {
    let mac = HealMac::stuck();
    let columns = || {
        let sql = "SELECT mdm_client_restarted, software_update_daemon_restarted FROM mdm_watchdog";
        run(&mac, &["query", "--csv", sql]).0.lines().last().expect("a row").to_owned()
    };
    let insert = |action: &str, dry_run: u8| {
        run(&mac, &["query", &format!("INSERT INTO mdm_heal(action, dry_run) VALUES ('{action}', {dry_run})")]);
        columns()
    };
    assert_eq!(columns(), "0,0");
    assert_eq!(insert("restart_softwareupdated", 0), "0,1");
    assert_eq!(insert("restart_mdmclient", 1), "0,1");
    assert_eq!(insert("heal", 0), "1,0");
    assert_eq!(insert("nonsense", 0), "1,0");
    assert_eq!(insert("restart_mdmclient", 0), "0,0");
}

/// Writes a policy with automatic heal on and these other settings.
fn automatic(mac: &HealMac, settings: &str) {
    let policy = format!(
        "<?xml version=\"1.0\"?><plist version=\"1.0\"><dict><key>AutomaticHealMinutes</key><integer>95</integer>\
         {settings}</dict></plist>"
    );
    mac.write("Library/Managed Preferences/org.mdm-health.plist", policy);
}

#[test]
fn automatic_heal_only_diagnoses_without_a_policy() {
    for policy in [None, Some("<key>Enabled</key><false/>")] {
        let mac = HealMac::stuck();
        if let Some(settings) = policy {
            automatic(&mac, settings);
        }
        assert_eq!(run(&mac, &["heal", "--automatic"]), (stuck(false, NEVER), String::new(), Some(0)));
        assert_eq!(mac.acts(), Vec::<String>::new());
        assert_eq!(run(&mac, &["query", "--csv", "SELECT count(*) AS n FROM mdm_heal"]).0, "n\n0\n");
    }
}

/// launchd may start it as often as it likes.
#[test]
fn automatic_heal_started_again_at_once_does_nothing() {
    for policy in [None, Some("")] {
        let mac = HealMac::stuck();
        if let Some(settings) = policy {
            automatic(&mac, settings);
        }
        assert_eq!(run(&mac, &["heal", "--automatic"]).2, Some(0));
        let acts = mac.acts();
        // Not even the log is read.
        mac.set("log", "fails");
        let (printed, stderr, code) = run(&mac, &["heal", "--automatic"]);
        assert_eq!((printed.as_str(), code), ("", Some(0)));
        assert!(
            stderr.starts_with("mdm-health: the last look of heal --automatic is less than 95 minutes old"),
            "{stderr}"
        );
        assert_eq!(mac.acts(), acts);
    }
}

#[test]
fn automatic_heal_restarts_what_is_stuck_where_the_policy_allows_it() {
    let mac = HealMac::stuck();
    automatic(&mac, "");
    assert_eq!(run(&mac, &["heal", "--automatic"]), (stuck(true, NOW), String::new(), Some(0)));
    let reasons = "SELECT reason FROM mdm_heal WHERE action = 'heal'";
    assert_eq!(run(&mac, &["query", "--csv", reasons]).0, "reason\nautomatic heal\n");
    assert_eq!(mac.acts().len(), 5);
}

#[test]
fn automatic_heal_does_not_act_on_silence_alone() {
    let mac = HealMac::new();
    automatic(&mac, "");
    mac.say(&[mdmclient("15:10:00", "<<<<< Received HTTP response (200) [Idle] <<<<<")]);
    let (printed, stderr, code) = run(&mac, &["heal", "--automatic"]);
    assert!(printed.contains("MDMClientStuck: true\n"), "{printed}");
    assert_eq!((stderr.as_str(), code), ("", Some(0)));
    assert_eq!(mac.acts(), Vec::<String>::new());
}

#[test]
fn heal_json_has_the_times_of_the_restarts() {
    let mac = HealMac::stuck();
    let (printed, stderr, code) = run(&mac, &["heal", "--json"]);
    let object: serde_json::Value = serde_json::from_str(&printed).expect("json");
    for (name, value) in [
        ("MDMClientRestarted", serde_json::json!(true)),
        ("SoftwareUpdateDaemonRestarted", serde_json::json!(true)),
        ("LastMDMKickstart", serde_json::json!("2026-11-23T18:00:00Z")),
        ("LastSoftwareUpdateDaemonKickstart", serde_json::json!("2026-11-23T18:00:00Z")),
        ("State", serde_json::json!("stuck")),
    ] {
        assert_eq!(object[name], value, "{name}");
    }
    assert_eq!((stderr.as_str(), code), ("", Some(0)));
}
