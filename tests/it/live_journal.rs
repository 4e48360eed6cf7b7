//! Refreshes of the live log: what each reads, what it covers, and what happens when `log show` fails.

use crate::support;
use crate::support::live_mac::{
    LOG, PATIENCE, SUCCESS_AT_5, ask, ask_endless_log, collector, mac, source, starts, state_dir,
};
use crate::support::set_clock::{Clock, SetClock};
use crate::support::time;
use chrono::TimeDelta;
use mdm_health::collect::Collector;
use mdm_health::host::{Command, FileEnd, Host, HostError, Live, LogSource, Output};
use mdm_health::log::ReadOptions;
use mdm_health::vocabulary::Span;
use std::sync::Arc;
use std::time::Duration;

#[test]
fn the_first_refresh_reads_the_window_and_the_next_only_what_is_new() {
    let mac = mac(SUCCESS_AT_5);
    let first = ask(&mac, "2026-11-23T18:00:00Z");
    assert_eq!(first.verdict.state.word(), "ok");
    let second = ask(&mac, "2026-11-23T18:20:00Z");
    assert_eq!(second.verdict.last_success_at, Some(time("2026-11-23T17:00:00Z")));
    let starts = starts(&mac);
    assert_eq!(starts[0], "2026-11-23 16:25:00");
    assert!(starts.contains(&"2026-11-23 17:55:00".to_owned()), "{starts:?}");
    assert_eq!(source(&second, "journal").number("events_kept"), Some(1));
}

#[test]
fn an_event_read_twice_is_kept_once() {
    let mac = mac("2026-11-23 17:59:59 <<<<< Received HTTP response (200) [Idle] <<<<<");
    for minute in 0..4 {
        let findings = ask(&mac, &format!("2026-11-23T18:00:0{minute}Z"));
        assert_eq!(findings.exchanges.len(), 1);
        assert_eq!(source(&findings, "journal").number("events_kept"), Some(1));
    }
}

#[test]
fn the_day_before_is_read_after_the_first_findings() {
    let mac = mac(&format!("2026-11-22 20:00:00 <<<<< Received HTTP response (200) [Idle] <<<<<\n{SUCCESS_AT_5}"));
    let collector = collector(&mac, "2026-11-23T18:00:00Z");
    collector.findings(PATIENCE);
    while Arc::strong_count(&collector) > 1 {
        std::thread::sleep(Duration::from_millis(5));
    }
    let findings = collector.findings(PATIENCE);
    assert_eq!(findings.log_span().map(|span| span.from), Some(time("2026-11-22T18:00:00Z")));
    assert_eq!(findings.exchanges.len(), 2);
    assert!(mac.calls(LOG)[1].contains("--start 2026-11-22 18:00:00+0000 --end 2026-11-23 16:30:00+0000"));
}

#[test]
fn a_one_time_query_waits_for_the_day_before() {
    let mac = mac(&format!("2026-11-22 20:00:00 <<<<< Received HTTP response (200) [Idle] <<<<<\n{SUCCESS_AT_5}"));
    let findings = collector(&mac, "2026-11-23T18:00:00Z").findings_of_a_day(PATIENCE);
    assert_eq!(findings.log_span().map(|span| span.from), Some(time("2026-11-22T18:00:00Z")));
    assert_eq!(findings.exchanges.len(), 2);
}

#[test]
fn runs_95_minutes_apart_leave_no_gap() {
    let mac = mac("2026-11-23 08:10:00 <<<<< Received HTTP response (200) [Idle] <<<<<
         2026-11-23 09:34:00 <<<<< Received HTTP response (200) [Idle] <<<<<
         2026-11-23 09:36:00 <<<<< Received HTTP response (200) [Idle] <<<<<
         2026-11-23 11:09:00 <<<<< Received HTTP response (200) [Idle] <<<<<");
    // launchd starts it a few seconds late each time.
    let calls = ["08:00:00", "09:35:04", "11:10:09"].map(|at| ask(&mac, &format!("2026-11-23T{at}Z")));
    let read = ["2026-11-23 06:25:00", "2026-11-22 08:00:00", "2026-11-23 07:55:00", "2026-11-23 09:30:04"];
    assert_eq!(starts(&mac), read, "the first one's window and day, then what is new");
    assert_eq!(calls[2].log_span().map(|span| span.from), Some(time("2026-11-22T08:00:00Z")));
    assert_eq!(calls[2].exchanges.len(), 4);
}

#[test]
fn a_longer_gap_is_filled_by_the_backfill_and_nothing_else_is_read_again() {
    let mac = mac("2026-11-23 07:00:00 <<<<< Received HTTP response (200) [Idle] <<<<<
         2026-11-23 12:00:00 <<<<< Received HTTP response (200) [Idle] <<<<<
         2026-11-23 17:00:00 <<<<< Received HTTP response (200) [Idle] <<<<<");
    ask(&mac, "2026-11-23T08:00:00Z");
    let findings = collector(&mac, "2026-11-23T18:00:00Z").findings_of_a_day(PATIENCE);
    assert!(mac.calls(LOG)[2].contains("--start 2026-11-23 16:25:00+0000 --predicate"));
    assert!(mac.calls(LOG)[3].contains("--start 2026-11-23 07:55:00+0000 --end 2026-11-23 16:30:00+0000"));
    assert_eq!(findings.log_span().map(|span| span.from), Some(time("2026-11-22T08:00:00Z")));
    assert_eq!(findings.exchanges.len(), 3);
}

#[test]
fn a_backfill_that_was_stopped_continues_next_time() {
    let mac = mac(&format!("2026-11-22 20:00:00 <<<<< Received HTTP response (200) [Idle] <<<<<\n{SUCCESS_AT_5}"));
    ask(&mac, "2026-11-23T17:30:00Z");
    let journal = rusqlite::Connection::open(state_dir(&mac).join("journal.db")).unwrap();
    // As if the backfill had stopped after its first record.
    let at = |text: &str| time(text).timestamp_micros();
    let (from, to, window) = (at("2026-11-22T17:30:00Z"), at("2026-11-22T20:00:00Z"), at("2026-11-23T15:55:00Z"));
    journal
        .execute_batch(&format!("UPDATE spans SET first = {window}; INSERT INTO spans VALUES ({from}, {to})"))
        .unwrap();
    let findings = collector(&mac, "2026-11-23T18:00:00Z").findings_of_a_day(PATIENCE);
    assert!(mac.calls(LOG)[3].contains("--start 2026-11-22 19:55:00+0000 --end 2026-11-23 16:00:00+0000"));
    assert_eq!(findings.log_span().map(|span| span.from), Some(time("2026-11-22T17:30:00Z")));
}

#[test]
fn a_log_that_hangs_is_killed_and_what_was_read_counts() {
    let mac = mac(SUCCESS_AT_5);
    mac.behaves(LOG, "hang");
    let findings = ask_endless_log(&mac, "2026-11-23T18:00:00Z");
    let log = source(&findings, "unified_log");
    assert_eq!((log.text("state"), log.text("reason")), (Some("partial"), Some("timed_out")));
    assert_eq!(log.number("covers_to"), Some(time("2026-11-23T17:00:00Z").timestamp()));
    assert_eq!(findings.verdict.state.word(), "ok");
    // Later, when the success is too old, the gap in the evidence proves nothing.
    let later = ask_endless_log(&mac, "2026-11-23T19:00:00Z");
    assert_eq!((later.verdict.state.word(), later.verdict.reason.word()), ("unknown", "log_incomplete"));
}

#[test]
fn a_log_that_dies_loses_nothing_that_was_read() {
    let mac = mac(SUCCESS_AT_5);
    mac.behaves(LOG, "die");
    let findings = ask(&mac, "2026-11-23T18:00:00Z");
    assert_eq!(source(&findings, "unified_log").text("state"), Some("partial"));
    assert_eq!(findings.exchanges.len(), 1);
}

#[test]
fn a_log_that_dies_within_a_line_covers_the_lines_before() {
    let mac = mac(SUCCESS_AT_5);
    mac.behaves(LOG, "cut");
    let findings = ask(&mac, "2026-11-23T18:00:00Z");
    let log = source(&findings, "unified_log");
    assert_eq!((log.text("state"), log.number("lines_not_understood")), (Some("partial"), Some(1)));
    assert_eq!(log.number("covers_to"), Some(time("2026-11-23T17:00:00Z").timestamp()));
}

#[test]
fn garbage_in_the_log_is_skipped() {
    let mac = mac(SUCCESS_AT_5);
    mac.behaves(LOG, "garbage");
    let findings = ask(&mac, "2026-11-23T18:00:00Z");
    let log = source(&findings, "unified_log");
    assert_eq!((log.text("state"), log.number("lines_skipped")), (Some("ok"), Some(2000)));
    assert_eq!(findings.verdict.state.word(), "ok");
}

#[test]
fn a_log_that_floods_is_killed_and_what_was_read_counts() {
    let mac = mac(SUCCESS_AT_5);
    mac.behaves(LOG, "flood");
    let findings = ask_endless_log(&mac, "2026-11-23T18:00:00Z");
    let log = source(&findings, "unified_log");
    assert_eq!((log.text("state"), log.text("reason")), (Some("partial"), Some("timed_out")));
    assert_eq!(log.number("covers_to"), Some(time("2026-11-23T17:00:00Z").timestamp()));
    assert_eq!((findings.verdict.state.word(), findings.exchanges.len()), ("ok", 1));
}

#[test]
fn a_log_in_reverse_order_gives_the_same_as_one_in_order() {
    let records = "2026-11-23 16:50:00 >>>>> Sending HTTP request (PUT) [Idle] >>>>>
         2026-11-23 16:50:01 <<<<< Received HTTP response (200) [Idle] <<<<<
         2026-11-23 17:10:00 >>>>> Sending HTTP request (PUT) [Idle] >>>>>
         2026-11-23 17:10:02 <<<<< Received HTTP response (200) [Idle] <<<<<";
    let (forward, back) = (mac(records), mac(records));
    back.behaves(LOG, "back");
    let [forward, back] = [forward, back].map(|mac| ask(&mac, "2026-11-23T18:00:00Z"));
    assert_eq!(back.exchanges.len(), 2);
    assert_eq!((&forward.exchanges, &forward.verdict), (&back.exchanges, &back.verdict));
    let [forward, back] = [forward, back].map(|findings| source(&findings, "unified_log"));
    for column in ["state", "reason", "covers_from", "covers_to", "records_read", "events_kept"] {
        assert_eq!(forward.shown(column), back.shown(column), "{column}");
    }
}

#[test]
fn a_denied_log_says_what_to_grant_and_keeps_the_last_good_findings() {
    let mac = mac(SUCCESS_AT_5);
    ask(&mac, "2026-11-23T18:00:00Z");
    mac.behaves(LOG, "denied");
    let findings = ask(&mac, "2026-11-23T18:05:00Z");
    let log = source(&findings, "unified_log");
    assert_eq!((log.text("state"), log.text("reason")), (Some("error"), Some("log_access_denied")));
    assert!(log.text("detail").unwrap().contains("Full Disk Access"));
    assert_eq!(findings.verdict.last_success_at, Some(time("2026-11-23T17:00:00Z")));
    assert_eq!(log.number("covers_to"), Some(time("2026-11-23T18:00:00Z").timestamp()));
}

#[test]
fn a_clock_set_back_makes_the_log_be_read_again() {
    let mac = mac(SUCCESS_AT_5);
    ask(&mac, "2026-11-24T18:00:00Z");
    let findings = ask(&mac, "2026-11-23T18:00:00Z");
    assert_eq!(starts(&mac)[2], "2026-11-23 16:25:00", "after the window and the look back of the first");
    assert_eq!(findings.verdict.state.word(), "ok");
    assert_eq!(findings.log_span().map(|span| span.to), Some(time("2026-11-23T18:00:00Z")));
}

#[test]
fn a_refresh_that_another_process_just_finished_is_not_taken_for_a_clock_set_back() {
    let mac = mac(SUCCESS_AT_5);
    ask(&mac, "2026-11-23T18:00:05Z");
    let before = starts(&mac).len();
    // A `now` taken before the journal was read would lie before the end of what the journal covers.
    let clock = Clock::ticking(time("2026-11-23T17:59:59Z"), TimeDelta::seconds(4));
    let host = SetClock::new(mac.root(), &clock);
    let collector = Collector::new(Box::new(host), ReadOptions::default(), state_dir(&mac), Some(state_dir(&mac)));
    collector.refresh();
    assert_eq!(starts(&mac)[before..], ["2026-11-23 17:55:05"]);
}

#[test]
fn an_emptied_log_store_proves_nothing_although_the_journal_has_events() {
    let mac = mac(SUCCESS_AT_5);
    ask(&mac, "2026-11-23T18:00:00Z");
    // Four days later, after an OS installation: the log store is new and still empty.
    mac.file("/usr/bin/log.records", "");
    let findings = ask(&mac, "2026-11-27T18:00:00Z");
    assert_eq!((findings.verdict.state.word(), findings.verdict.reason.word()), ("unknown", "log_empty"));
}

#[test]
fn a_log_store_emptied_since_the_last_refresh_proves_nothing() {
    // An unanswered request, so that only the doubt about the log keeps the Mac from being stuck.
    let mac = mac("2026-11-23 09:00:00 >>>>> Sending HTTP request (PUT) [Idle] >>>>>");
    ask(&mac, "2026-11-23T10:00:00Z");
    mac.file("/usr/bin/log.records", "");
    for now in ["2026-11-23T11:34:59Z", "2026-11-23T13:30:00Z", "2026-11-23T20:00:00Z"] {
        let findings = collector(&mac, now).findings_of_a_day(PATIENCE);
        assert_eq!((findings.verdict.state.word(), findings.verdict.reason.word()), ("unknown", "log_empty"), "{now}");
    }
}

#[test]
fn the_usual_gap_is_computed_from_the_journal() {
    let mut records = String::new();
    for day in 10..=22 {
        for hour in [2, 10, 18] {
            records += &format!("2026-11-{day} {hour:02}:00:00 <<<<< Received HTTP response (200) [Idle] <<<<<\n");
        }
    }
    let mac = mac(&records);
    for day in 10..=22 {
        for hour in [3, 11, 19] {
            ask(&mac, &format!("2026-11-{day}T{hour:02}:00:00Z"));
        }
    }
    let findings = ask(&mac, "2026-11-22T21:00:00Z");
    assert_eq!(findings.verdict.usual_gap.map(|gap| gap.num_hours()), Some(8));
}

/// A Mac on which something happens while its log is opened.
struct Meanwhile<F>(Live, F);

impl<F: Fn() + Send + Sync> Host for Meanwhile<F> {
    fn run(&self, command: Command) -> Result<Output, HostError> {
        self.0.run(command)
    }

    fn open_log(&self, span: Span, predicate: &str) -> Result<Box<dyn LogSource>, HostError> {
        (self.1)();
        self.0.open_log(span, predicate)
    }

    fn read_file(&self, path: &str) -> Result<Vec<u8>, HostError> {
        self.0.read_file(path)
    }

    fn read_file_end(&self, path: &str, limit: u64) -> Result<FileEnd, HostError> {
        self.0.read_file_end(path, limit)
    }

    fn read_trusted(&self, path: &str) -> Result<Option<Vec<u8>>, HostError> {
        self.0.read_trusted(path)
    }

    fn now(&self) -> Option<mdm_health::vocabulary::Time> {
        self.0.now()
    }

    fn uptime(&self) -> Result<Duration, HostError> {
        self.0.uptime()
    }

    fn is_live(&self) -> bool {
        true
    }
}

#[test]
fn an_event_that_another_process_stored_first_counts() {
    let mac = Arc::new(mac("2026-11-23 17:55:00 <<<<< Received HTTP response (200) [Idle] <<<<<"));
    let now = "2026-11-23T18:00:00Z";
    let other = mac.clone();
    let live = Live::new(mac.root().to_owned(), Some(time(now)));
    let host = Meanwhile(live, move || drop(ask(&other, now)));
    let collector = Collector::new(Box::new(host), ReadOptions::default(), state_dir(&mac), Some(state_dir(&mac)));
    let findings = collector.findings(PATIENCE);
    assert_eq!(findings.verdict.state.word(), "ok");
    assert_eq!(findings.exchanges.len(), 1);
}

#[test]
fn a_record_shown_late_is_read() {
    let mac = mac("2026-11-23 15:00:00 <<<<< Received HTTP response (200) [Idle] <<<<<");
    ask(&mac, "2026-11-23T18:00:00Z");
    mac.log_more(&support::ndjson("2026-11-23 17:59:40 <<<<< Received HTTP response (200) [Idle] <<<<<"));
    assert_eq!(ask(&mac, "2026-11-23T18:00:30Z").verdict.last_success_at, Some(time("2026-11-23T17:59:40Z")));
}

#[test]
fn a_gap_in_what_was_read_proves_nothing() {
    let received = "2026-11-20 17:00:00 Processing server request: ScheduleOSUpdate for: <Device> (1) PowerNap: no";
    let mac = mac(received);
    ask(&mac, "2026-11-20T17:30:00Z");
    // Its response and all other events are older than what is read three days later.
    mac.log_more(&support::ndjson("2026-11-23 16:26:00 hello"));
    let findings = ask(&mac, "2026-11-23T18:00:00Z");
    assert_eq!((findings.verdict.state.word(), findings.verdict.reason.word()), ("quiet", "no_contact"));
}

#[test]
fn a_log_with_a_malformed_line_covers_nothing_but_its_events_count() {
    let mac = mac("2026-11-23 16:00:00 hello");
    mac.log_more("{\"timestamp\":\"2026-11-23 16:30:00.000000+0000\", broken}\n");
    let many: String = (0..1_100)
        .map(|number| {
            let at = format!("2026-11-23 16:{:02}:{:02}.000000+0000", 30 + number / 60, number % 60);
            support::record(support::MDMCLIENT, &at, 300, number, ">>>>> Sending HTTP request (PUT) [Idle] >>>>>")
                + "\n"
        })
        .collect();
    mac.log_more(&many);
    let findings = ask(&mac, "2026-11-23T18:00:00Z");
    assert_eq!((findings.log_span(), findings.exchanges.len()), (None, 1_100));
    assert_eq!(source(&findings, "unified_log").text("reason"), Some("not_understood"));
}

#[test]
fn a_log_with_other_messages_of_mdmclient_is_not_empty() {
    let mac = mac("2026-11-23 17:00:00 hello");
    let collector = collector(&mac, "2026-11-23T18:00:00Z");
    let states: Vec<&str> = (0..3)
        .map(|_| {
            collector.refresh();
            collector.findings(PATIENCE).verdict.reason.word()
        })
        .collect();
    assert_eq!(states, ["no_contact"; 3]);
}
