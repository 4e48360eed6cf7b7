//! A log in which macOS hides what mdmclient says: a silence in it is none.
use crate::support::live_mac::{ask, mac, source};
use crate::support::{self, Mac, rows};
use std::fmt::Write as _;

const NOW: &str = "2026-11-23T18:00:00Z";
const SUCCESS: &str = "<<<<< Received HTTP response (200) [Idle] <<<<<";
const READABLE: &str = "[0:MDMDaemon:<0x1>] Saved PRK escrow file: YES  Length: 460";
/// The same program as a user's agent.
const AGENT: &str = "</usr/libexec/mdmclient 501>";

/// What mdmclient said, every five minutes from one time to another.
fn every_five_minutes(from: &str, to: &str, message: &str) -> String {
    let mut lines = String::new();
    let (mut at, to) = (support::time(from), support::time(to));
    while at <= to {
        let _ = writeln!(lines, "{} {message}", at.format("%F %T"));
        at += chrono::TimeDelta::minutes(5);
    }
    lines
}

fn verdict(lines: &str) -> [String; 3] {
    let row = Mac::at(NOW).said(lines).watchdog();
    ["state", "reason", "mdm_client_stuck"].map(|column| row.shown(column))
}

fn records(lines: &str) -> [String; 3] {
    let sources = Mac::at(NOW).said(lines).rows("mdm_health_status");
    let row = sources.iter().find(|row| row.text("source") == Some("mdmclient_records")).unwrap();
    ["state", "reason", "detail"].map(|column| row.shown(column))
}

#[test]
fn where_all_is_private_the_verdict_is_unknown() {
    let all = every_five_minutes("2026-11-23T15:00:00Z", "2026-11-23T17:55:00Z", "<private>");
    assert_eq!(verdict(&all), ["unknown", "private_messages", "-"]);
    let [state, reason, detail] = records(&all);
    assert_eq!((state.as_str(), reason.as_str()), ("error", "private_messages"));
    assert_eq!(detail, "36 records (36 Default), 36 of them <private>.");
}

#[test]
fn messages_hidden_since_the_last_success_may_have_been_answers() {
    let success = format!("2026-11-23 15:30:00 {SUCCESS}\n");
    let hidden = every_five_minutes("2026-11-23T15:35:00Z", "2026-11-23T17:55:00Z", "<private>");
    assert_eq!(verdict(&(success.clone() + &hidden)), ["unknown", "private_messages", "-"]);
    // A command that came before them may have been answered in one of them.
    let command = "2026-11-23 15:31:00 Processing server request: ProfileList for: <Device> (A-1) PowerNap: no\n";
    assert_eq!(verdict(&(success.clone() + command + &hidden)), ["unknown", "private_messages", "-"]);
    assert_eq!(verdict(&(success.clone() + command)), ["stuck", "command_hung", "1"]);
}

#[test]
fn some_private_messages_among_readable_ones_decide_nothing() {
    let success = format!("2026-11-23 15:30:00 {SUCCESS}\n");
    let hidden = every_five_minutes("2026-11-23T15:35:00Z", "2026-11-23T17:55:00Z", "<private>");
    let readable = every_five_minutes("2026-11-23T15:36:00Z", "2026-11-23T17:56:00Z", READABLE);
    let mixed = success + &hidden + &readable;
    assert_eq!(verdict(&mixed), ["quiet", "no_contact", "1"]);
    let [state, reason, detail] = records(&mixed);
    assert_eq!((state.as_str(), reason.as_str()), ("partial", "private_messages"));
    assert!(detail.contains("59 records") && detail.contains("29 of them <private>"), "{detail}");
    // None of the requests and answers is readable: they are what is hidden.
    assert_eq!(verdict(&(hidden + &readable)), ["unknown", "private_messages", "-"]);
}

#[test]
fn a_success_that_can_be_read_is_a_success() {
    let hidden = every_five_minutes("2026-11-23T15:00:00Z", "2026-11-23T17:55:00Z", "<private>");
    let success = format!("2026-11-23 17:30:00 {SUCCESS}\n");
    assert_eq!(verdict(&(hidden + &success)), ["ok", "recent_success", "0"]);
}

#[test]
fn what_a_users_agent_hides_makes_nothing_unknown() {
    let hidden = every_five_minutes("2026-11-23T15:00:00Z", "2026-11-23T17:55:00Z", &format!("{AGENT} <private>"));
    let readable = every_five_minutes("2026-11-23T15:01:00Z", "2026-11-23T17:56:00Z", READABLE);
    assert_eq!(verdict(&(hidden + &readable)), ["quiet", "no_contact", "1"]);
}

#[test]
fn a_live_mac_still_knows_it_after_a_restart_in_a_pause() {
    let hidden = every_five_minutes("2026-11-23T12:00:00Z", "2026-11-23T17:15:00Z", "<private>");
    let mac = mac(&hidden);
    let reason = |now: &str| rows(&ask(&mac, now), "mdm_watchdog")[0].shown("reason");
    assert_eq!(reason("2026-11-23T17:30:00Z"), "private_messages");
    let findings = ask(&mac, "2026-11-23T18:00:00Z");
    assert_eq!(rows(&findings, "mdm_watchdog")[0].shown("reason"), "private_messages");
    // What was read this time holds none.
    assert_eq!(source(&findings, "mdmclient_records").shown("state"), "ok");
}

#[test]
fn info_lines_teach_nothing_of_a_macs_usual_silence() {
    const RMD: &str = "/System/Library/PrivateFrameworks/RemoteManagement.framework/remotemanagementd";
    // Every hour for two weeks: at Default level a Mac that is never silent for long, at Info level no history at all.
    let history = |image: &str, message: &str, level: &str| {
        let mut records = String::new();
        let mut at = support::time("2026-11-10T00:00:00Z");
        while at < support::time("2026-11-23T08:00:00Z") {
            let record = support::record(image, &at.format("%F %T%.6f%z").to_string(), 300, 1, message);
            records += &(record.replace("\"messageType\":\"Default\"", &format!("\"messageType\":\"{level}\"")) + "\n");
            at += chrono::TimeDelta::hours(1);
        }
        let mac = Mac::at(NOW).log_span("2026-11-10T00:00:00Z", NOW).awake_since("2026-11-09T00:00:00Z");
        let row = mac.log_text(&(records + "{\"count\":1,\"finished\":1}\n")).watchdog();
        (row.shown("reason"), row.shown("usual_gap_seconds"))
    };
    assert_eq!(history(support::MDMCLIENT, SUCCESS, "Default"), ("silent_too_long".to_owned(), "3600".to_owned()));
    assert_eq!(history(support::MDMCLIENT, SUCCESS, "Info"), ("no_contact".to_owned(), "-".to_owned()));
    assert_eq!(history(RMD, "Got back from MDM: 200", "Info"), ("no_contact".to_owned(), "-".to_owned()));
}
