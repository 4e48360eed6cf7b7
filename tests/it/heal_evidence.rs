//! What a restart rests on: proof that cannot be forged, read again for the act, and no installation under way.

use crate::support::NOT_ENROLLED;
use crate::support::heal_mac::{HealMac, by_user, mdmclient, now, progress, without_user};
use chrono::{Local, TimeDelta};
use mdm_health::facts::record::{self, Entry};
use mdm_health::heal::Request;
use mdm_health::vocabulary::codes::HealOutcome;
use std::fs::{self, File};
use std::time::Duration;

const KICKSTART: &str = "launchctl kickstart -k system/com.apple.mdmclient.daemon";
const INSTALL_LOG: &str = "private/var/log/install.log";

/// A Mac whose policy allows force.
fn stuck() -> HealMac {
    let mac = HealMac::stuck();
    let policy = "<plist version=\"1.0\"><dict><key>AllowForce</key><true/></dict></plist>";
    mac.write("Library/Managed Preferences/org.mdm-health.plist", policy);
    mac
}

/// The records of a Mac that is stuck, and those.
fn stuck_and(more: &[String]) -> Vec<String> {
    let success = mdmclient("15:10:00", "<<<<< Received HTTP response (200) [Idle] <<<<<");
    let command = "Processing server request: ScheduleOSUpdate for: <Device> (0001_ScheduleOSUpdate) PowerNap: no";
    [success, mdmclient("15:30:00", command)].into_iter().chain(more.iter().cloned()).collect()
}

fn success(time: &str) -> String {
    mdmclient(time, "<<<<< Received HTTP response (200) [Idle] <<<<<")
}

/// Asks, and gives the word of a refusal.
fn ask(mac: &HealMac, action: &str, force: bool) -> Result<i64, &'static str> {
    let healer = mac.healer(&mac.collector(Box::new(mac.live())), Duration::from_secs(60));
    let request = Request { force, ..Request::new(action, None) };
    healer.request(&request).map_err(|refusal| refusal.code.word())
}

fn restart(mac: &HealMac) -> Result<i64, &'static str> {
    ask(mac, "restart_mdmclient", false)
}

fn forced(mac: &HealMac) -> Result<i64, &'static str> {
    ask(mac, "restart_mdmclient", true)
}

fn entries(mac: &HealMac) -> Vec<Entry> {
    record::entries(&mac.live(), &mac.state_dir()).expect("a record")
}

fn install_log(mac: &HealMac, time: &str, message: &str) {
    mac.write(INSTALL_LOG, install_line(time, message));
}

fn install_line(time: &str, message: &str) -> String {
    format!("2026-11-23 {time}-08 mac softwareupdated[301]: {message}\n")
}

const APPLIED: &str = "SUOSUPostLogoutInstallOperation: Applied MSU update";

/// An outage of the server makes the columns 1, and no restart of a client ends it.
#[test]
fn a_server_that_refuses_has_nothing_restarted_but_by_force() {
    let refused = |time| mdmclient(time, "<<<<< Received HTTP response (503) [Idle] <<<<<");
    let mac = stuck();
    mac.say(&[success("15:10:00"), refused("16:30:00"), refused("17:30:00"), refused("17:58:00")]);
    assert_eq!(restart(&mac), Err("server_error"));
    assert_eq!(ask(&mac, "heal", false), Err("server_error"));
    let detail = entries(&mac).pop().expect("a row").detail;
    assert!(detail.contains("the server refuses, which no restart changes"), "{detail}");
    assert_eq!(mac.acts(), [""; 0]);
    assert_eq!(forced(&mac), Ok(3));
    assert_eq!(mac.acts(), [KICKSTART]);
}

/// What the tables show may be a minute old; what a restart rests on is read for it.
#[test]
fn the_evidence_is_read_again_for_the_act() {
    for action in ["restart_mdmclient", "restart_softwareupdated", "heal"] {
        let mac = stuck();
        let collector = mac.collector(Box::new(mac.live()));
        let known = collector.findings(Duration::from_secs(60));
        assert_eq!((known.verdict.client_stuck, known.verdict.software_updates_stuck), (Some(true), Some(true)));
        mac.set("profiles", NOT_ENROLLED);
        let healer = mac.healer(&collector, Duration::from_secs(60));
        let ended = healer.request(&Request::new(action, None)).map_err(|refusal| refusal.code.word());
        // To heal what is not stuck is done by doing nothing.
        assert_eq!(ended, if action == "heal" { Ok(1) } else { Err("not_stuck") }, "{action}");
        assert_eq!(mac.acts(), [""; 0], "{action}");
    }
}

/// In the text styles, and in a line of ndjson that has lost it, nobody knows which user wrote a record.
#[test]
fn a_record_without_a_user_proves_nothing_for_a_restart() {
    let mac = stuck();
    let records = stuck_and(&[]);
    let (success, command) = (&records[0], &records[1]);
    let all: Vec<String> = records.iter().map(|record| without_user(record)).collect();
    let (of_success, of_command) =
        (vec![without_user(success), command.clone()], vec![success.clone(), without_user(command)]);
    for unattributed in [of_command, of_success, all] {
        mac.say(&unattributed);
        assert_eq!(mac.collector(Box::new(mac.live())).findings(Duration::from_secs(60)).verdict.state.word(), "stuck");
        for action in ["restart_mdmclient", "restart_softwareupdated", "heal"] {
            assert_eq!(ask(&mac, action, false), Err("evidence_unknown"), "{action}");
        }
        let detail = entries(&mac).pop().expect("a row").detail;
        assert!(detail.contains("do not name the user who wrote them"), "{detail}");
        assert_eq!(mac.acts(), [""; 0]);
    }
    // That the server accepts requests needs no proof to leave the client alone.
    mac.say(&stuck_and(&[without_user(&self::success("17:59:40"))]));
    assert_eq!(restart(&mac), Err("not_stuck"));
    // An installation that anybody may have made up does not block a forced restart.
    mac.say(&stuck_and(&[without_user(&progress("17:55:00", "start", "APPLYING"))]));
    assert_eq!(restart(&mac), Err("evidence_unknown"));
    assert_eq!(mac.acts(), [""; 0]);
    assert!(forced(&mac).is_ok());
}

/// What a user's own process can write: the same lines under the daemons' paths, which the log marks with the user.
#[test]
fn what_a_user_forges_changes_no_verdict_and_neither_provokes_nor_stops_a_restart() {
    let well = vec![success("15:10:00"), success("17:30:00")];
    let trouble = [
        mdmclient("17:40:00", "Processing server request: ScheduleOSUpdate for: <Device> (T-9) PowerNap: no"),
        mdmclient("17:41:00", ">>>>> Sending HTTP request (PUT) [Idle] >>>>>"),
        mdmclient("17:42:00", "<<<<< Received HTTP response (503) [Idle] <<<<<"),
        mdmclient("17:43:00", "Unable to create MDM identity"),
        mdmclient("17:44:00", "Calling MDM_Connect (At login: no) <PushNotification> for: https://mdm.example.com/mdm"),
    ];
    let excuse = [
        success("17:45:00"),
        mdmclient("17:46:00", "No commands from server: https://mdm.example.com/mdm"),
        mdmclient("17:47:00", "<<<<< Received HTTP response (503) [Idle] <<<<<"),
        progress("17:48:00", "start", "APPLYING"),
    ];
    let verdict = |mac: &HealMac| {
        let findings = mac.collector(Box::new(mac.live())).findings(Duration::from_secs(60));
        let verdict = &findings.verdict;
        let flags = [verdict.identity_error, verdict.client_stuck, verdict.software_updates_stuck];
        (verdict.state.word(), verdict.reason.word(), flags, verdict.last_success_at)
    };
    for (before, forged, ends) in [(well, &trouble[..], Err("not_stuck")), (stuck_and(&[]), &excuse[..], Ok(1))] {
        let mac = stuck();
        mac.say(&before);
        let honest = verdict(&mac);
        let forged = forged.iter().map(|record| by_user(501, record));
        mac.say(&before.iter().cloned().chain(forged).collect::<Vec<_>>());
        assert_eq!(verdict(&mac), honest);
        assert_eq!(restart(&mac), ends, "{honest:?}");
        assert_eq!(mac.restarts("com.apple.mdmclient.daemon"), usize::from(ends.is_ok()));
    }
}

#[test]
fn a_success_that_comes_right_before_the_restart_stops_it_and_costs_no_wait() {
    for action in ["restart_mdmclient", "restart_softwareupdated"] {
        let mac = stuck();
        mac.say_later(&stuck_and(&[success("17:59:40")]));
        assert_eq!(ask(&mac, action, false), Err("not_stuck"), "{action}");
        assert!(!mac.acts().iter().any(|act| act.contains("kickstart") || act.contains("pkill")), "{:?}", mac.acts());
        let row = entries(&mac).pop().expect("a row");
        assert_eq!((row.outcome.word(), row.next_allowed_at), ("refused", None), "{action}");
        assert!(row.detail.contains("the server accepted a request at 2026-11-23T17:59:40Z"), "{}", row.detail);
        mac.say_later(&stuck_and(&[]));
        assert_eq!(ask(&mac, action, false), Ok(2), "{action}: the limit is still open");
    }
}

#[test]
fn an_installation_that_begins_right_before_the_restart_stops_it_and_costs_no_wait() {
    let flushes = ["dscacheutil -flushcache", "killall -HUP mDNSResponder"];
    for force in [false, true] {
        for (action, steps) in [("restart_mdmclient", &flushes[..0]), ("restart_softwareupdated", &flushes[..])] {
            let mac = stuck();
            mac.say_later(&stuck_and(&[progress("17:59:59", "start", "APPLYING")]));
            assert_eq!(ask(&mac, action, force), Err("installing"), "{action}, {force}");
            assert_eq!(mac.acts(), steps, "{action}, {force}: the daemon and the update brain are left alone");
            mac.say_later(&stuck_and(&[]));
            assert_eq!(ask(&mac, action, force), Ok(2), "{action}, {force}: the limit is still open");
        }
    }
}

#[test]
fn a_log_that_cannot_be_read_right_before_the_restart_stops_it() {
    let mac = stuck();
    mac.set("later.ndjson", "{\"timestamp\":\"cut o");
    assert_eq!(restart(&mac), Err("install_unknown"));
    assert_eq!(mac.acts(), [""; 0]);
}

/// Any user can write to install.log.
#[test]
fn what_only_install_log_says_delays_a_restart_and_does_not_block_a_forced_one() {
    for message in [APPLIED, "SUOSUServiceDaemon: progressInfo = {"] {
        let mac = stuck();
        install_log(&mac, "09:55:00", message);
        assert!(matches!(restart(&mac), Err("installing" | "preparing")), "{message}");
        assert_eq!(mac.acts(), [""; 0]);
        assert_eq!(forced(&mac), Ok(2), "{message}");
    }
    let mac = HealMac::new();
    install_log(&mac, "09:55:00", "SoftwareUpdate: Enforcing past due update");
    mac.say(&[success("17:50:00")]);
    for action in ["restart_mdmclient", "restart_softwareupdated"] {
        assert_eq!(ask(&mac, action, false), Err("not_stuck"), "{action}");
    }
    assert_eq!(ask(&mac, "heal", false), Ok(3));
    assert_eq!(entries(&mac).pop().expect("a row").outcome, HealOutcome::NothingToDo);
}

#[test]
fn what_the_unified_log_says_of_an_installation_blocks_a_forced_restart_too() {
    let mac = stuck();
    mac.say(&stuck_and(&[progress("17:30:00", "start", "APPLYING")]));
    assert_eq!(forced(&mac), Err("installing"));
    assert_eq!(mac.acts(), [""; 0]);
}

/// Lines of other programs behind the one about an installation.
fn talkative(bytes: usize) -> String {
    let line = install_line("09:58:00", "SUScan: Elapsed scan time = 4.5").replace("softwareupdated", "talkative");
    install_line("09:50:00", APPLIED) + &line.repeat(bytes / line.len() + 1)
}

#[test]
fn an_installation_is_found_behind_many_lines_of_others() {
    let mac = stuck();
    mac.write(INSTALL_LOG, talkative(513 << 10));
    assert_eq!(restart(&mac), Err("installing"));
}

#[test]
fn an_end_of_install_log_that_does_not_reach_back_for_an_hour_is_unknown() {
    let mac = stuck();
    mac.write(INSTALL_LOG, talkative(9 << 20));
    assert_eq!(restart(&mac), Err("install_unknown"));
    let detail = entries(&mac).pop().expect("a row").detail;
    assert!(detail.contains("does not cover the last hour"), "{detail}");
    assert_eq!(mac.acts(), [""; 0]);
    assert_eq!(forced(&mac), Ok(2), "what any user can write there does not block a forced one");
}

/// A Mac hardened by the CIS benchmark writes dates without a year. The file's own time tells it.
#[test]
fn an_installation_dated_without_a_year_is_one() {
    let local =
        |minutes| (now() - TimeDelta::minutes(minutes)).with_timezone(&Local).format("%b %e %H:%M:%S").to_string();
    let line = |minutes, message: &str| format!("{} mac softwareupdated[301]: {message}\n", local(minutes));
    let other = "SUScan: Elapsed scan time = 4.5";
    let mac = stuck();
    mac.write(INSTALL_LOG, line(90, other) + &line(10, APPLIED) + &line(5, other));
    File::options()
        .write(true)
        .open(mac.root().join(INSTALL_LOG))
        .and_then(|file| file.set_modified(now().into()))
        .expect("a time");
    assert_eq!(restart(&mac), Err("installing"));
    mac.write(INSTALL_LOG, line(90, APPLIED) + &line(5, other));
    assert_eq!(restart(&mac), Ok(2));
}

/// A new file that begins minutes ago says nothing of the hour if what was before it cannot be read.
#[test]
fn an_installation_in_the_file_that_was_just_rotated_away_is_one() {
    let mac = stuck();
    let quiet = install_line("09:58:00", "SUScan: Elapsed scan time = 4.5");
    mac.write(INSTALL_LOG, &quiet);
    mac.write(&format!("{INSTALL_LOG}.0"), install_line("09:30:00", APPLIED));
    assert_eq!(restart(&mac), Err("installing"));
    mac.write(&format!("{INSTALL_LOG}.0.gz"), "not packed");
    assert_eq!(restart(&mac), Err("install_unknown"));
    assert_eq!(mac.acts(), [""; 0]);
    for ending in ["0", "0.gz"] {
        fs::remove_file(mac.root().join(format!("{INSTALL_LOG}.{ending}"))).expect("removed");
    }
    assert_eq!(restart(&mac), Ok(3));
}

#[test]
fn without_install_log_the_unified_log_decides() {
    let mac = stuck();
    fs::remove_file(mac.root().join(INSTALL_LOG)).expect("removed");
    mac.say(&stuck_and(&[progress("17:50:00", "inter", "PREPARING_UPDATE")]));
    assert_eq!(restart(&mac), Err("preparing"));
    mac.say(&stuck_and(&[]));
    assert_eq!(restart(&mac), Ok(2));
}
