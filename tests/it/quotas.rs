//! Each class of events has a quota of its own: a talkative user's agent pushes nothing out that the device said.

use crate::support::live_mac::{ask, mac, source, state_dir};
use crate::support::{Mac, ndjson, time};
use chrono::TimeDelta;
use std::fs;
use std::os::unix::fs::PermissionsExt;

const NOW: &str = "2026-11-23T18:00:00Z";
const DEVICE: &str = "2026-11-23 17:00:00 Processing server request: ProfileList for: <Device> (T-1) PowerNap: no\n\
     2026-11-23 17:00:01 >>>>> Sending HTTP request (PUT) [Acknowledged(ProfileList):T-1] >>>>>\n\
     2026-11-23 17:00:02 <<<<< Received HTTP response (200) [Acknowledged(ProfileList):T-1] <<<<<\n";

/// So many requests by the agent of a user, the last one right before now.
fn agent(many: i64) -> String {
    let at = |ago: i64| (time(NOW) - TimeDelta::milliseconds(ago * 400)).format("%F %T%.6f").to_string();
    let line = |ago: i64| {
        format!("{}+0000 </usr/libexec/mdmclient 501> >>>>> Sending HTTP request (PUT) [Idle] >>>>>\n", at(ago))
    };
    (1..=many).rev().map(line).collect()
}

#[test]
fn a_users_agent_pushes_nothing_of_the_device_out_of_a_recorded_log() {
    let mac = Mac::at(NOW).said(&(DEVICE.to_owned() + &agent(6_000)));
    let findings = mac.findings();
    assert_eq!((findings.verdict.state.word(), findings.commands.len()), ("ok", 1));
    assert_eq!(findings.exchanges.len(), 5_001, "the oldest of the user are left out");
    assert_eq!(findings.log_span().map(|span| span.from), Some(time("2026-11-23T15:00:00Z")), "the log covers as much");
    let log = mac.rows("mdm_health_status").into_iter().find(|row| row.text("source") == Some("unified_log")).unwrap();
    assert_eq!((log.text("state"), log.text("reason")), (Some("partial"), Some("too_many_events")));
    assert!(log.text("detail").unwrap().contains("1000 old events of users' channels were dropped"));
}

#[test]
fn a_users_agent_pushes_nothing_of_the_device_out_of_memory_and_journal() {
    let mac = mac(DEVICE);
    mac.log_more(&ndjson(&agent(3_000)));
    let policy = "/Library/Managed Preferences/org.mdm-health.plist";
    mac.file(policy, "<plist version=\"1.0\"><dict><key>JournalEvents</key><integer>20000</integer></dict></plist>");
    fs::set_permissions(mac.path(policy).parent().unwrap(), fs::Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(mac.path(policy), fs::Permissions::from_mode(0o644)).unwrap();
    let first = ask(&mac, NOW);
    // The log of the Mac is gone; the journal is not.
    mac.file("/usr/bin/log.records", "");
    let later = ask(&mac, "2026-11-23T18:10:00Z");
    for findings in [&first, &later] {
        assert_eq!((findings.verdict.state.word(), findings.commands.len()), ("ok", 1));
        assert_eq!(findings.exchanges.len(), 2_001, "the device's and the newest of the user's");
        assert_eq!(findings.log_span().map(|span| span.from), Some(time("2026-11-22T18:00:00Z")));
    }
    let journal = rusqlite::Connection::open(state_dir(&mac).join("journal.db")).unwrap();
    let count = |class: i64| {
        let sql = "SELECT COUNT(*), (SELECT events FROM counts WHERE class = ?1) FROM events WHERE class = ?1";
        journal.query_row(sql, [class], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?))).unwrap()
    };
    let (users, counted) = count(2);
    assert_eq!((count(0), users), ((3, 3), counted));
    assert!((2_000..=2_200).contains(&users), "{users}");
    assert_eq!(source(&later, "journal").number("events_kept"), Some(3 + users));
}
