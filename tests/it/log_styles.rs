//! The same exchange in every log style, and input that is not a log.

use crate::support;
use crate::support::time;
use chrono::FixedOffset;
use mdm_health::log::{LogError, LogSummary, ReadOptions, Style, read_log};

/// A record in short: time, sender, thread, message.
type Seen = (mdm_health::vocabulary::Time, String, u64, String);

fn read(text: &[u8]) -> Result<(LogSummary, Vec<Seen>), LogError> {
    let mut seen = Vec::new();
    let options = ReadOptions { utc_offset: FixedOffset::west_opt(5 * 3600), ..ReadOptions::default() };
    let summary = read_log(text, &options, |record| {
        let who = format!("{:?}", record.sender);
        seen.push((record.at, who, record.thread, record.message.to_string()));
    })?;
    Ok((summary, seen))
}

fn name(who: &str) -> String {
    format!("Name({who:?})")
}

const SENT: &str = ">>>>> Sending HTTP request (PUT) [Idle] >>>>>";

#[test]
fn compact_style_takes_its_offset_from_the_option() {
    let text = format!(
        "Filtering the log data using \"process == \"mdmclient\"\"\n\
         Timestamp               Ty Process[PID:TID]\n\
         2026-11-23 11:45:00.250 Df mdmclient[300:6c0d] [com.apple.ManagedClient:HTTPUtil] [0:MDMDaemon:HTTPUtil:<0x6c0d>] {SENT}\n"
    );
    let (summary, seen) = read(text.as_bytes()).unwrap();
    assert_eq!((summary.style, summary.records, summary.lines_skipped), (Some(Style::Compact), 1, 0));
    let message = format!("[0:MDMDaemon:HTTPUtil:<0x6c0d>] {SENT}");
    assert_eq!(seen, [(time("2026-11-23T16:45:00.250Z"), name("mdmclient"), 0x6c0d, message)]);
}

#[test]
fn default_style_has_its_own_offset_and_ends_with_totals() {
    let text = format!(
        "Skipping debug messages, pass --debug to include.\n\
         Timestamp                       Thread     Type        Activity             PID    TTL  \n\
         2026-11-23 16:45:00.250000+0000 0x6c0d     Default     0x0                  300    0    mdmclient: [com.apple.ManagedClient:MDMDaemon] [*] [0:MDMDaemon:<0x6c0d>] {SENT}\n\
         2026-11-23 16:45:01.000000+0000 0x1        Info        0x86bf               423    0    remotemanagementd: (RemoteManagement) [com.apple.remotemanagementd:mdmConduit] Got back from MDM: 200\n\
         --------------------------------------------------------------------------------------------------------------------\n\
         Log      - Default:          1, Info:                1, Debug:             0, Error:          0, Fault:          0\n\
         Activity - Create:           0, Transition:          0, Actions:           0\n"
    );
    let (summary, seen) = read(text.as_bytes()).unwrap();
    assert_eq!((summary.style, summary.records, summary.complete), (Some(Style::Default), 2, Some(true)));
    assert_eq!((summary.lines_skipped, summary.lines_not_understood), (0, 0));
    assert_eq!(seen[0].3, format!("[*] [0:MDMDaemon:<0x6c0d>] {SENT}"));
    assert_eq!(seen[1], (time("2026-11-23T16:45:01Z"), name("remotemanagementd"), 1, "Got back from MDM: 200".into()));
}

#[test]
fn syslog_style_has_a_pid_and_no_thread() {
    let text = format!(
        "Timestamp                       (process)[PID]    \n\
         2026-11-23 16:45:00.250000+0000  localhost mdmclient[300]: [com.apple.ManagedClient:HTTPUtil] {SENT}\n"
    );
    let (summary, seen) = read(text.as_bytes()).unwrap();
    assert_eq!((summary.style, summary.records), (Some(Style::Syslog), 1));
    assert_eq!(seen, [(time("2026-11-23T16:45:00.250Z"), name("mdmclient"), 0, SENT.to_owned())]);
}

#[test]
fn a_console_export_joins_its_wrapped_lines() {
    let text = "default\t2026-11-23 16:45:00.250000 -0500\tmdmclient\t[0:MDMDaemon:OSUpdate:<0xbc25>] Version: 13.5 <Build:\n\
                22G74>\n\
                info    2026-11-23 16:45:01.000000 -0500   com.apple.MobileSoftwareUpdate.UpdateBrainService  6d41b000 : Cryptex patch progress: 17%\n";
    let (summary, seen) = read(text.as_bytes()).unwrap();
    assert_eq!((summary.style, summary.records), (Some(Style::Console), 2));
    assert_eq!(seen[0].3, "[0:MDMDaemon:OSUpdate:<0xbc25>] Version: 13.5 <Build:\n22G74>");
    assert_eq!(seen[1].0, time("2026-11-23T21:45:01Z"));
}

#[test]
fn ndjson_has_the_image_path_and_a_trailer() {
    let text = format!(
        "Filtering the log data using \"process == \"mdmclient\"\"\n{}{{\"count\":1,\"finished\":1}}\n",
        support::ndjson(&format!("2026-11-23 16:45:00 {SENT}"))
    );
    let (summary, seen) = read(text.as_bytes()).unwrap();
    assert_eq!((summary.style, summary.records, summary.complete), (Some(Style::Ndjson), 1, Some(true)));
    assert_eq!(seen[0].1, "Image(\"/usr/libexec/mdmclient\")");
    let without_trailer = text.replace("{\"count\":1,\"finished\":1}\n", "");
    assert_eq!(read(without_trailer.as_bytes()).unwrap().0.complete, Some(false));
}

#[test]
fn a_json_array_is_read_object_by_object() {
    let record = support::ndjson(&format!("2026-11-23 16:45:00 {SENT}"));
    let record = record.trim_end();
    let text = format!("[{{\n{},{record}]", &record[1..]);
    let (summary, seen) = read(text.as_bytes()).unwrap();
    assert_eq!((summary.style, summary.records, summary.complete), (Some(Style::Json), 2, Some(true)));
    assert_eq!(seen[0], seen[1]);
    let cut_off = &text[..text.len() - 20];
    let (summary, seen) = read(cut_off.as_bytes()).unwrap();
    assert_eq!((seen.len(), summary.complete, summary.lines_not_understood), (1, Some(false), 1));
}

#[test]
fn lines_of_other_programs_are_counted_and_end_the_record_before_them() {
    let text = format!(
        "Wed Nov 23 11:44:59 mac-1 helper[26]: **** START ****\n\
         2026-11-23 11:45:00.250 Df mdmclient[300:6c0d] [com.apple.ManagedClient:HTTPUtil] {SENT}\n\
         Wed Nov 23 11:45:01 mac-1 helper[26]: **** TIMESTAMP ****\n\
         2026-11-23 11:45:02.000 Df mdmclient[300:6c0d] [com.apple.ManagedClient:MDMDaemon] first\nsecond\n\nfourth\n"
    );
    let (summary, seen) = read(text.as_bytes()).unwrap();
    assert_eq!((summary.records, summary.lines_skipped, summary.lines_not_understood), (2, 2, 0));
    assert_eq!(seen[0].3, SENT);
    assert_eq!(seen[1].3, "first\nsecond\n\nfourth");
}

#[test]
fn an_empty_file_is_not_a_log() {
    assert_eq!(read(b"").unwrap_err(), LogError::Empty);
    assert_eq!(read(b"\n\n").unwrap_err(), LogError::Empty);
}

#[test]
fn a_binary_file_is_not_a_log() {
    let bytes: Vec<u8> = (0..100_000u32).map(|number| (number.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    assert_eq!(read(&bytes).unwrap_err(), LogError::NotALog);
}

#[test]
fn a_truncated_record_is_counted() {
    let whole = support::ndjson(&format!("2026-11-23 16:45:00 {SENT}"));
    let text = format!("{whole}{}", &whole[..whole.len() / 2]);
    let (summary, seen) = read(text.as_bytes()).unwrap();
    assert_eq!((seen.len(), summary.lines_not_understood, summary.complete), (1, 1, Some(false)));
}

#[test]
fn a_line_of_100_megabytes_is_counted_and_skipped() {
    let record = support::ndjson(&format!("2026-11-23 16:45:00 {SENT}"));
    let mut text = record.clone().into_bytes();
    text.resize(text.len() + (100 << 20), b'x');
    text.extend_from_slice(format!("\n{record}{{\"count\":2,\"finished\":1}}\n").as_bytes());
    let (summary, seen) = read(&text).unwrap();
    assert_eq!((seen.len(), summary.lines_not_understood, summary.complete), (2, 1, Some(true)));
}

#[test]
fn invalid_utf_8_loses_a_character_not_the_record() {
    let record = support::ndjson("2026-11-23 16:45:00 caf~ au lait");
    let text: Vec<u8> = record.bytes().map(|byte| if byte == b'~' { 0xe9 } else { byte }).collect();
    let (_, seen) = read(&text).unwrap();
    assert_eq!(seen[0].3, "caf\u{fffd} au lait");
}

#[test]
fn an_activity_is_a_record_but_not_a_message() {
    let record = support::ndjson(&format!("2026-11-23 16:45:00 {SENT}"));
    let text = format!("{record}{}", record.replace("logEvent", "activityCreateEvent"));
    let (summary, seen) = read(text.as_bytes()).unwrap();
    assert_eq!((summary.records, seen.len()), (2, 1));
}

#[test]
fn records_of_other_processes_are_counted_but_not_parsed() {
    let mut text = String::new();
    for number in 0..2_000 {
        let image = if number % 25 == 0 { support::MDMCLIENT } else { "/usr/sbin/cfprefsd" };
        let at = format!("2026-11-23 {:02}:{:02}:00.000000+0000", number / 60 % 24, number % 60);
        text += &(support::record(image, &at, 300, number, SENT) + "\n");
    }
    text += "{\"processImagePath\":\"\\/usr\\/sbin\\/cfprefsd\",\"timestamp\":\"cut\n{\"count\":2000,\"finished\":1}\n";
    let read = |may_matter: Option<fn(&[u8]) -> bool>| {
        let mut mattering = Vec::new();
        let options = ReadOptions { may_matter, ..ReadOptions::default() };
        let summary = read_log(text.as_bytes(), &options, |record| {
            if record.sender.is(support::MDMCLIENT) {
                mattering.push(record.thread);
            }
        });
        (summary.unwrap(), mattering)
    };
    let (all, mattering) = read(None);
    assert_eq!((all.records, all.lines_not_understood, mattering.len()), (2_000, 1, 80));
    assert_eq!(read(Some(mdm_health::event::may_matter)), (all, mattering));
}

#[test]
fn a_second_run_after_a_trailer_needs_its_own_trailer() {
    let run = support::ndjson(&format!("2026-11-23 16:45:00 {SENT}")) + "{\"count\":1,\"finished\":1}\n";
    assert_eq!(read(format!("{run}{run}").as_bytes()).unwrap().0.complete, Some(true));
    let cut_off = format!("{run}{}", support::ndjson(&format!("2026-11-23 16:46:00 {SENT}")));
    assert_eq!(read(cut_off.as_bytes()).unwrap().0.complete, Some(false));
}

/// A line of a log file: a header, a continuation, or something else.
fn any_line() -> impl proptest::strategy::Strategy<Value = String> {
    use proptest::prelude::*;
    prop_oneof![
        Just(format!("2026-11-23 11:45:00.250 Df mdmclient[300:6c0d] [com.apple.ManagedClient:HTTPUtil] {SENT}")),
        Just("2026-11-23 16:45:00.250000+0000 0x6c0d Default 0x0 300 0 mdmclient: [a:b] message".to_owned()),
        Just("2026-11-23 16:45:00.250000+0000  localhost mdmclient[300]: message".to_owned()),
        Just("default 2026-11-23 16:45:00.250000 -0500 mdmclient message".to_owned()),
        Just(support::ndjson("2026-11-23 16:45:00 message").trim_end().to_owned()),
        Just("{\"count\":3,\"finished\":1}".to_owned()),
        Just("Filtering the log data using \"x\"".to_owned()),
        Just("Wed Nov 23 11:44:59 mac-1 helper[26]: x".to_owned()),
        Just("[{".to_owned()),
        Just("]".to_owned()),
        "\\PC{0,30}",
    ]
}

proptest::proptest! {
    #[test]
    fn no_text_panics(lines in proptest::collection::vec(any_line(), 0..12)) {
        let _ = read(lines.join("\n").as_bytes());
    }

    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..400)) {
        let _ = read(&bytes);
    }

    #[test]
    fn no_line_of_a_text_log_is_lost(lines in proptest::collection::vec("[a-z ]{1,20}", 0..20)) {
        // Lines after a header belong to its record.
        let header = "2026-11-23 11:45:00.250 Df mdmclient[300:6c0d] [a:b] first";
        let text = format!("{header}\n{}", lines.join("\n"));
        let (summary, seen) = read(text.as_bytes()).unwrap();
        proptest::prop_assert_eq!(summary.records, 1);
        let expected = if lines.is_empty() { "first".to_owned() } else { format!("first\n{}", lines.join("\n")) };
        proptest::prop_assert_eq!(&seen[0].3, &expected);
    }
}
