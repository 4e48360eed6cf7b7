//! Who may speak for a daemon: only a record with the daemon's own path, by a user that the daemon runs as.

use crate::support::{Mac, Row, findings, record, time};
use mdm_health::event::{self, Channel, Event};
use mdm_health::log::{self, ReadOptions};
use std::fs;

const NOW: &str = "2026-11-23T18:00:00Z";
const REMOTE: &str = "/System/Library/PrivateFrameworks/RemoteManagement.framework";
const SOFTWAREUPDATED: &str = "/System/Library/CoreServices/Software Update.app/Contents/Resources/softwareupdated";
const STAGING: &str = "/private/var/db/com.apple.xpc.roleaccountd.staging/exec";
const SUCCESS_BEFORE: &str = "2026-11-23 15:30:00 <<<<< Received HTTP response (200) [Idle] <<<<<";

fn mac() -> Mac {
    Mac::at(NOW).said(SUCCESS_BEFORE)
}

fn state(mac: &Mac) -> String {
    mac.watchdog().shown("state")
}

/// The events of an ndjson log or of text.
fn events(text: &str) -> Vec<Event> {
    let mut events = Vec::new();
    log::read_log(text.as_bytes(), &ReadOptions::default(), |record| events.extend(event::recognise(record))).unwrap();
    events
}

#[test]
fn a_success_under_mdmclients_path_by_a_user_is_that_users_and_no_contact_of_the_mac() {
    let line = "[0:MDMDaemon:HTTPUtil:<0x5a1>] <<<<< Received HTTP response (200) [Idle] <<<<<";
    for (user, expected) in [("", "ok"), (" 0", "ok"), (" 1", "quiet"), (" 200", "quiet"), (" 501", "quiet")] {
        let mac = mac().said(&format!("2026-11-23 17:55:00 </usr/libexec/mdmclient{user}> {line}"));
        assert_eq!(state(&mac), expected, "user{user}");
    }
    let mac = mac().said(&format!("2026-11-23 17:55:00 </usr/libexec/mdmclient 501> {line}"));
    let channels: Vec<String> = mac.rows("mdm_exchanges").iter().map(|row| row.shown("channel")).collect();
    assert_eq!(channels, ["device", "user"], "the text of a user's record says [0:MDMDaemon], and does not decide");
}

#[test]
fn a_command_under_mdmclients_path_by_a_user_does_not_hang_the_mac() {
    let line = "[0:MDMDaemon:<0x5a1>] Processing server request: ScheduleOSUpdate for: <Device> (T-1) PowerNap: no";
    for (user, expected) in [("", "stuck"), (" 501", "quiet")] {
        let mac = mac().said(&format!("2026-11-23 16:00:00 </usr/libexec/mdmclient{user}> {line}"));
        assert_eq!(state(&mac), expected, "user{user}");
    }
}

#[test]
fn a_number_that_no_user_has_is_nobodys_and_not_root() {
    let line =
        record("/usr/libexec/mdmclient", "2026-11-23 17:55:00.000000+0000", 1, 1, "Unable to create MDM identity");
    for (user, expected) in [("0", 1), ("-2", 0), ("4294967294", 0), ("99999999999", 0)] {
        assert_eq!(events(&line.replace("\"userID\":0", &format!("\"userID\":{user}"))).len(), expected, "{user}");
    }
}

#[test]
fn remotemanagementd_lies_in_its_framework_and_runs_as_a_system_account() {
    let says = |who: &str| state(&mac().said(&format!("2026-11-23 17:55:00 <{who}> Got back from MDM: 200")));
    assert_eq!(says(&format!("{REMOTE}/remotemanagementd 277")), "ok");
    for who in [
        format!("{REMOTE}/remotemanagementd 501"),
        format!("{REMOTE}/RemoteManagementAgent 277"),
        format!("{REMOTE}/Versions/A/remotemanagementd 277"),
        "/usr/libexec/remotemanagementd 277".to_owned(),
        "/tmp/remotemanagementd 0".to_owned(),
    ] {
        assert_eq!(says(&who), "quiet", "{who}");
    }
}

fn update_events(who: &str, message: &str) -> Vec<Row> {
    Mac::at(NOW).said(&format!("2026-11-23 17:55:00 <{who}> {message}")).rows("os_update_events")
}

#[test]
fn softwareupdated_runs_as_a_system_account_and_lies_in_software_update() {
    let progress =
        "[SUMacControllerProgressManager] Reported progress (start): phase:APPLYING stalled:NO portionComplete:0.5";
    for (who, rows) in [
        (format!("{SOFTWAREUPDATED} 200"), 1),
        (format!("{SOFTWAREUPDATED} 0"), 1),
        (format!("{SOFTWAREUPDATED} 501"), 0),
        ("/System/Library/PrivateFrameworks/MobileSoftwareUpdate.framework/Support/softwareupdated 0".to_owned(), 0),
    ] {
        assert_eq!(update_events(&who, progress).len(), rows, "{who}");
    }
}

#[test]
fn a_brain_in_the_staging_folder_counts_under_both_names_and_one_in_tmp_does_not() {
    for name in ["com.apple.MobileSoftwareUpdate.UpdateBrainService", "com.apple.NRD.UpdateBrainService"] {
        for (who, percent) in [
            (format!("{STAGING}/16777229.34120.xpc/Contents/MacOS/{name} 0"), Some(17)),
            (format!("{STAGING}/16777229.34120.xpc/Contents/MacOS/{name} 501"), None),
            (format!("/tmp/UpdateBrain-1/AssetData/{name}.xpc/Contents/MacOS/{name} 0"), None),
        ] {
            let rows = update_events(&who, "6d41b000 : Cryptex patch progress: 17%");
            assert_eq!(rows.first().and_then(|row| row.number("percent")), percent, "{who}");
            assert!(rows.iter().all(|row| row.text("process") == Some(name)));
        }
    }
}

#[test]
fn a_user_decides_nothing_about_the_macs_updates() {
    let request =
        "[0:MDMDaemon:OSUpdate:<0x1>] Requesting installUpdates: (032-69593)  InstallAction: Default options: x";
    assert_eq!(update_events("/usr/libexec/mdmclient 0", request).len(), 1);
    assert_eq!(update_events("/usr/libexec/mdmclient 501", request).len(), 0);
}

#[test]
fn an_event_says_whether_its_record_named_the_user() {
    let ndjson =
        record("/usr/libexec/mdmclient", "2026-11-23 17:55:00.000000+0000", 1, 1, "Unable to create MDM identity");
    let without = ndjson.replace("\"userID\":0,", "");
    let compact =
        "2026-11-23 17:55:00.617 Df mdmclient[1:7] [com.apple.ManagedClient:MDMDaemon] Unable to create MDM identity";
    let told = |text: &str| events(text).iter().map(|event| (event.attributed, event.channel)).collect::<Vec<_>>();
    assert_eq!(told(&ndjson), [(true, Some(Channel::Device))]);
    assert_eq!(told(&without), [(false, None)]);
    assert_eq!(told(compact), [(false, None)]);
}

#[test]
fn a_log_without_users_is_taken_at_its_word() {
    let folder = mac().said("2026-11-23 17:55:00 <<<<< Received HTTP response (200) [Idle] <<<<<").folder();
    let path = folder.path().join("log.ndjson");
    let text = fs::read_to_string(&path).unwrap().replace("\"userID\":0,", "");
    fs::write(&path, text).unwrap();
    let findings = findings(folder.path());
    assert_eq!(findings.verdict.state.word(), "ok");
    assert_eq!(findings.verdict.last_success_at, Some(time("2026-11-23T17:55:00Z")));
}
