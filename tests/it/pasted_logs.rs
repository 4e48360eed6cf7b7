//! Logs as people paste them into mails and tickets: quoted, indented, numbered, with a byte order mark, copied from
//! Console, and wrapped.

use crate::support::{Row, capture, rows};
use mdm_health::collect;
use mdm_health::event;
use mdm_health::health::Findings;
use mdm_health::host::Recorded;
use mdm_health::log::{self, LogError, LogSummary, ReadOptions, Style};
use proptest::prelude::*;
use std::fs::{self, File};
use std::time::SystemTime;

/// A log of the default style: a request, its answer, and a record of several lines.
const DEFAULT: &str = "\
2026-11-23 17:29:59.900000-0500 0x6c0d     Default     0x0                  300    0    mdmclient: [com.apple.ManagedClient:HTTPUtil] [0:MDMDaemon:HTTPUtil:<0x6c0d>] >>>>> Sending HTTP request (PUT) [Idle] >>>>>
2026-11-23 17:30:00.100000-0500 0x6c0d     Default     0x0                  300    0    mdmclient: [com.apple.ManagedClient:HTTPUtil] [0:MDMDaemon:HTTPUtil:<0x6c0d>] <<<<< Received HTTP response (200) [Idle] <<<<<
2026-11-23 17:30:01.000000-0500 0x6c0d     Default     0x0                  300    0    mdmclient: [com.apple.ManagedClient:MDMDaemon] [0:MDMDaemon:<0x6c0d>] Error in pending response: {
    CommandUUID = 17;
    RequestType = InstallProfile;
    Status = Error;
}
2026-11-23 17:30:02.000000-0500 0x6c0e     Error       0x0                  600    0    softwareupdated: (SoftwareUpdateMacController) [com.apple.SoftwareUpdateMacController:SU] [SUMacControllerProgressManager] Reported progress (start): phase:READY stalled:NO portionComplete:0.100000 estimatedTimeRemaining:-1.000000
";

const COMPACT: &str = "\
2026-11-23 17:30:00.100 Df mdmclient[300:6c0d] [com.apple.ManagedClient:HTTPUtil] [0:MDMDaemon:HTTPUtil:<0x6c0d>] <<<<< Received HTTP response (200) [Acknowledged(ScheduleOSUpdate):f1fd75b5-ad4d-42d7-83d7-93384ae977e5] <<<<<
2026-11-23 17:30:01.100 Df mdmclient[300:6c0d] [com.apple.ManagedClient:HTTPUtil] [0:MDMDaemon:HTTPUtil:<0x6c0d>] <<<<< Received HTTP response (200) [Idle] <<<<<
2026-11-23 17:30:02.100 Df mdmclient[300:6c0d] [com.apple.ManagedClient:HTTPUtil] [0:MDMDaemon:HTTPUtil:<0x6c0d>] >>>>> Sending HTTP request (PUT) [Idle] >>>>>
";

/// The records as text, and what reading came to.
fn read(text: &str) -> (Vec<String>, Result<LogSummary, LogError>) {
    let mut found = Vec::new();
    let options = ReadOptions { utc_offset: chrono::FixedOffset::west_opt(5 * 3600), ..ReadOptions::default() };
    let summary = log::read_log(text.as_bytes(), &options, |record| {
        found.push(format!("{} {:?} {}: {}", record.at, record.sender, record.thread, record.message));
    });
    (found, summary)
}

fn each_line(text: &str, with: impl Fn(usize, &str) -> String) -> String {
    text.lines().enumerate().map(|(number, line)| with(number + 1, line) + "\n").collect()
}

#[test]
fn what_stands_before_each_line_changes_nothing() {
    let ndjson = crate::support::ndjson(
        "2026-11-23 17:30:00 <<<<< Received HTTP response (200) [Idle] <<<<<\n2026-11-23 17:30:01 hello",
    ) + "{\"count\":2,\"finished\":1}\n";
    for (log, style) in [(DEFAULT, Style::Default), (COMPACT, Style::Compact), (&ndjson, Style::Ndjson)] {
        let (plain, summary) = read(log);
        let summary = summary.unwrap();
        assert_eq!((summary.style, summary.lines_not_understood, summary.lines_skipped), (Some(style), 0, 0));
        for pasted in [
            each_line(log, |_, line| format!("> {line}")),
            each_line(log, |_, line| format!(">> {line}")),
            each_line(log, |_, line| format!("    {line}")),
            each_line(log, |_, line| format!("\t{line}")),
            each_line(log, |number, line| format!("{number:6}\t{line}")),
            each_line(log, |number, line| format!("{number}: {line}")),
            format!("\u{feff}{log}"),
            format!("\u{feff}{}", log.replace('\n', "\r\n")),
        ] {
            assert_eq!(read(&pasted), (plain_of(&pasted, &plain), Ok(summary.clone())), "{pasted}");
        }
    }
}

/// Behind a line number, the line's own leading blanks look like those that follow the number.
fn plain_of(pasted: &str, plain: &[String]) -> Vec<String> {
    let numbered = pasted.starts_with("     1\t") || pasted.starts_with("1: ");
    plain.iter().map(|record| if numbered { record.replace("\n    ", "\n") } else { record.clone() }).collect()
}

#[test]
fn text_before_a_pasted_log_is_skipped_and_counted() {
    let text = format!("Hello,\n\nthis is our log:\n{}", each_line(DEFAULT, |_, line| format!("> {line}")));
    let (records, summary) = read(&text);
    assert_eq!((records.len(), summary.unwrap().lines_skipped), (4, 2));
}

#[test]
fn a_line_that_begins_with_a_date_and_fits_no_head_is_not_understood() {
    let broken = "2026-11-23 17:30:01.500000-0500 0x6c0d     Default     0x0                  300    0    mdmcli\n";
    for text in [format!("{DEFAULT}{broken}"), format!("{broken}{DEFAULT}")] {
        let (records, summary) = read(&text);
        assert_eq!((records.len(), summary.unwrap().lines_not_understood), (4, 1));
    }
    let foreign = format!("{DEFAULT}2026-11-23T11:45:02Z jamf[233]: x\nNov 23 11:45:02 mac jamf[233]: x\n");
    let summary = read(&foreign).1.unwrap();
    assert_eq!((summary.lines_not_understood, summary.lines_skipped), (0, 2));
}

/// A log file with that text, looked at a minute after its last record.
fn verdict(text: &str) -> (String, Row) {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), text).unwrap();
    let host = Recorded::open(file.path(), Some(crate::support::time("2026-11-23T22:31:00Z"))).unwrap();
    let options = ReadOptions { utc_offset: chrono::FixedOffset::west_opt(5 * 3600), ..ReadOptions::default() };
    let findings = Findings::new(collect::evidence(&host, &options, &crate::support::no_state()));
    let contact = findings.verdict.last_success_at.map_or("none".to_owned(), |at| at.to_string());
    (contact, rows(&findings, "mdm_health_status").remove(0))
}

/// Wraps lines at a width: within words, or before the word that does not fit.
fn wrap(text: &str, width: usize, within_words: bool) -> String {
    let mut wrapped = String::new();
    for line in text.lines() {
        let mut line = line;
        while line.len() > width {
            let at = if within_words { width } else { line[..=width].rfind(' ').filter(|at| *at > 0).unwrap_or(width) };
            wrapped += &line[..at];
            wrapped.push('\n');
            line = line[at..].trim_start_matches(if within_words { '\0' } else { ' ' });
        }
        wrapped += line;
        wrapped.push('\n');
    }
    wrapped
}

#[test]
fn a_log_that_was_wrapped_proves_nothing() {
    assert_eq!(verdict(DEFAULT).0, "2026-11-23 22:30:00.100 UTC");
    for text in [DEFAULT, COMPACT] {
        for width in 60..=132 {
            for within_words in [true, false] {
                let wrapped = wrap(text, width, within_words);
                for pasted in [wrapped.clone(), each_line(&wrapped, |_, line| format!("> {line}"))] {
                    let (contact, status) = verdict(&pasted);
                    assert_eq!(contact, "none", "{width} {within_words}\n{pasted}");
                    assert_ne!(status.text("state"), Some("ok"), "{width} {within_words}\n{pasted}");
                }
            }
        }
    }
}

#[test]
fn records_of_several_lines_are_not_taken_for_wrapped_ones() {
    for log in [DEFAULT.to_owned(), DEFAULT.lines().skip(2).take(5).map(|line| format!("{line}\n")).collect()] {
        assert_eq!(read(&log).1.unwrap().wrapped_at, None, "{log}");
    }
    for name in [
        "log/mdm-update-12.3-to-13.3.httputil.compact.log",
        "log/mdm-update-12.3-to-13.3.softwareupdated.compact.log",
        "log/mdm-update-13.0-to-13.3.1.httputil.compact.log",
        "log/mdm-update-13.0-to-13.3.1.softwareupdated.compact.log",
        "log/remotemanagementd.macos15.default.txt",
        "log/schedule-os-update-13.4-to-13.5.console.txt",
    ] {
        let Some(path) = capture(name) else { return };
        let mut records = 0;
        let summary = log::read_log(File::open(path).unwrap(), &ReadOptions::default(), |_| records += 1).unwrap();
        assert_eq!((summary.wrapped_at, summary.lines_not_understood), (None, 0), "{name}");
        assert!(records > 0);
    }
}

/// The same lines as Console copies them.
const CLIPBOARD: &str = "\
default\t17:29:59.900000-0500\tmdmclient\t[0:MDMDaemon:HTTPUtil:<0x6c0d>] >>>>> Sending HTTP request (PUT) [Idle] >>>>>
default\t17:30:00.100000-0500\tmdmclient\t[0:MDMDaemon:HTTPUtil:<0x6c0d>] <<<<< Received HTTP response (200) [Idle] <<<<<
default\t17:30:00.500000-0500\tsoftwareupdated\t[Progress] Scan reported progress (end): phase:SOFTWARE_UPDATE stalled:NO portionComplete:19.000000 estimatedTimeRemaining:-1.000000
";

#[test]
fn what_console_copies_is_of_the_day_of_the_moment_asked_about_and_says_so() {
    for text in [CLIPBOARD.to_owned(), each_line(CLIPBOARD, |_, line| format!("> {line}"))] {
        let (contact, status) = verdict(&text);
        assert_eq!((contact.as_str(), status.text("state")), ("2026-11-23 22:30:00.100 UTC", Some("ok")));
        assert_eq!(status.number("records_read"), Some(3));
        assert!(status.text("detail").unwrap().contains("the last ones before 2026-11-23T22:31:00Z"), "{status:?}");
    }
}

#[test]
fn what_console_copies_is_of_the_day_of_the_file_where_no_moment_is_given() {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), CLIPBOARD).unwrap();
    let written = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_790_000_000);
    file.as_file().set_modified(written).unwrap();
    let findings = crate::support::findings(file.path());
    // 1790000000 is 2026-09-21T13:33:20Z.
    assert_eq!(findings.evidence.now, crate::support::time("2026-09-20T22:30:00.500Z"));
    let status = rows(&findings, "mdm_health_status").remove(0);
    assert!(status.text("detail").unwrap().contains("when the file was last written"), "{status:?}");
}

#[test]
fn without_any_moment_such_a_log_cannot_be_read() {
    let read = log::read_log(CLIPBOARD.as_bytes(), &ReadOptions::default(), |_| {});
    assert_eq!(read, Err(LogError::NoDate));
}

proptest! {
    #[test]
    fn no_pasted_text_panics(lines in proptest::collection::vec("[> \t0-9]{0,6}(2026-11-23 17:30:00[.0-9]{0,4}( Df mdmclient\\[3:6\\] x)?|default\t17:30:00.1-0500\tx\ty|\\PC{0,12})", 0..12)) {
        let text = lines.join("\n");
        let options = ReadOptions { until: Some(crate::support::time("2026-11-23T22:31:00Z")), ..ReadOptions::default() };
        let mut records = 0;
        let summary = log::read_log(text.as_bytes(), &options, |record| {
            let _ = event::recognise(record);
            records += 1;
        });
        if let Ok(summary) = summary {
            prop_assert_eq!(summary.records, records);
        }
    }
}
