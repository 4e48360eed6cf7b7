//! The live log kept up with: what a refresh asks for, what is kept, and what happens when the log or the disk fails.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests fail loudly")]

#[path = "support/fake_mac.rs"]
mod fake_mac;
#[path = "support/set_clock.rs"]
mod set_clock;
mod support;

use chrono::TimeDelta;
use fake_mac::FakeMac;
use mdm_health::collect::Collector;
use mdm_health::health::Findings;
use mdm_health::host::{Act, Command, FileEnd, Host, HostError, Live, LogSource, Output, Span};
use mdm_health::log::ReadOptions;
use set_clock::{Clock, SetClock};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use support::{ENROLLED, Row, rows, time};

const LOG: &str = "/usr/bin/log";
const PATIENCE: Duration = Duration::from_secs(30);

fn mac(records: &str) -> FakeMac {
    let mac = FakeMac::new();
    mac.command("/usr/bin/profiles", ENROLLED)
        .command("/usr/sbin/sysctl", "{ sec = 1763300000, usec = 0 } then\n{ sec = 0, usec = 0 } then\n")
        .log(&support::ndjson(records));
    mac
}

fn state_dir(mac: &FakeMac) -> PathBuf {
    mac.path("/var/lib/mdm-health")
}

fn collector(mac: &FakeMac, now: &str) -> Arc<Collector> {
    let live = Live::new(mac.root().to_owned(), Some(time(now))).with_log_limit(Duration::from_secs(1));
    Collector::new(Box::new(live), ReadOptions::default(), state_dir(mac), Some(state_dir(mac)))
}

/// A new process that asks once at that moment, and ends when its readings have.
fn ask(mac: &FakeMac, now: &str) -> Arc<Findings> {
    let collector = collector(mac, now);
    let findings = collector.findings(PATIENCE);
    while Arc::strong_count(&collector) > 1 {
        std::thread::sleep(Duration::from_millis(5));
    }
    findings
}

fn source(findings: &Findings, name: &str) -> Row {
    rows(findings, "mdm_health_status").into_iter().find(|row| row.text("source") == Some(name)).unwrap()
}

/// The `--start` of each call of `log show`.
fn starts(mac: &FakeMac) -> Vec<String> {
    let after = |call: &String| call.split_once("--start ").unwrap().1[..19].to_owned();
    mac.calls(LOG).iter().map(after).collect()
}

const SUCCESS_AT_5: &str = "2026-11-23 17:00:00 <<<<< Received HTTP response (200) [Idle] <<<<<";

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
fn an_event_that_is_read_twice_is_kept_once() {
    let mac = mac("2026-11-23 17:59:59 <<<<< Received HTTP response (200) [Idle] <<<<<");
    for minute in 0..4 {
        let findings = ask(&mac, &format!("2026-11-23T18:00:0{minute}Z"));
        assert_eq!(findings.exchanges.len(), 1);
        assert_eq!(source(&findings, "journal").number("events_kept"), Some(1));
    }
}

#[test]
fn the_day_before_is_read_after_the_first_answer() {
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
fn a_first_call_that_ends_with_its_answer_waits_for_the_day_before() {
    let mac = mac(&format!("2026-11-22 20:00:00 <<<<< Received HTTP response (200) [Idle] <<<<<\n{SUCCESS_AT_5}"));
    let findings = collector(&mac, "2026-11-23T18:00:00Z").findings_of_a_day(PATIENCE);
    assert_eq!(findings.log_span().map(|span| span.from), Some(time("2026-11-22T18:00:00Z")));
    assert_eq!(findings.exchanges.len(), 2);
}

#[test]
fn calls_that_are_95_minutes_apart_leave_no_hole() {
    let mac = mac("2026-11-23 08:10:00 <<<<< Received HTTP response (200) [Idle] <<<<<
         2026-11-23 09:34:00 <<<<< Received HTTP response (200) [Idle] <<<<<
         2026-11-23 09:36:00 <<<<< Received HTTP response (200) [Idle] <<<<<
         2026-11-23 11:09:00 <<<<< Received HTTP response (200) [Idle] <<<<<");
    // A Mac on which launchd is a little late each time.
    let calls = ["08:00:00", "09:35:04", "11:10:09"].map(|at| ask(&mac, &format!("2026-11-23T{at}Z")));
    let read = ["2026-11-23 06:25:00", "2026-11-22 08:00:00", "2026-11-23 07:55:00", "2026-11-23 09:30:04"];
    assert_eq!(starts(&mac), read, "the first one's window and day, then what is new");
    assert_eq!(calls[2].log_span().map(|span| span.from), Some(time("2026-11-22T08:00:00Z")));
    assert_eq!(calls[2].exchanges.len(), 4);
}

#[test]
fn a_longer_hole_is_filled_after_the_answer_and_nothing_else_is_read_again() {
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
fn a_look_back_that_is_stopped_goes_on_the_next_time_from_where_it_came() {
    let mac = mac(&format!("2026-11-22 20:00:00 <<<<< Received HTTP response (200) [Idle] <<<<<\n{SUCCESS_AT_5}"));
    ask(&mac, "2026-11-23T17:30:00Z");
    let journal = rusqlite::Connection::open(state_dir(&mac).join("journal.db")).unwrap();
    // As after a look back that came to its first record only.
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
fn a_log_that_hangs_is_stopped_and_what_was_read_counts() {
    let mac = mac(SUCCESS_AT_5);
    mac.behaves(LOG, "hang");
    let findings = ask(&mac, "2026-11-23T18:00:00Z");
    let log = source(&findings, "unified_log");
    assert_eq!((log.text("state"), log.text("reason")), (Some("partial"), Some("timed_out")));
    assert_eq!(log.number("covers_to"), Some(time("2026-11-23T17:00:00Z").timestamp()));
    assert_eq!(findings.verdict.state.word(), "ok");
    // Later, when the success is old, the hole in the evidence is no proof of anything.
    let later = ask(&mac, "2026-11-23T19:00:00Z");
    assert_eq!((later.verdict.state.word(), later.verdict.reason), ("unknown", "log_incomplete"));
}

#[test]
fn a_log_that_dies_in_the_middle_loses_nothing_that_was_read() {
    let mac = mac(SUCCESS_AT_5);
    mac.behaves(LOG, "die");
    let findings = ask(&mac, "2026-11-23T18:00:00Z");
    assert_eq!(source(&findings, "unified_log").text("state"), Some("partial"));
    assert_eq!(findings.exchanges.len(), 1);
}

#[test]
fn a_log_that_dies_within_a_line_covers_what_comes_before() {
    let mac = mac(SUCCESS_AT_5);
    mac.behaves(LOG, "cut");
    let findings = ask(&mac, "2026-11-23T18:00:00Z");
    let log = source(&findings, "unified_log");
    assert_eq!((log.text("state"), log.number("lines_not_understood")), (Some("partial"), Some(1)));
    assert_eq!(log.number("covers_to"), Some(time("2026-11-23T17:00:00Z").timestamp()));
}

#[test]
fn a_log_that_prints_garbage_is_read_past_it() {
    let mac = mac(SUCCESS_AT_5);
    mac.behaves(LOG, "garbage");
    let findings = ask(&mac, "2026-11-23T18:00:00Z");
    let log = source(&findings, "unified_log");
    assert_eq!((log.text("state"), log.number("lines_skipped")), (Some("ok"), Some(2000)));
    assert_eq!(findings.verdict.state.word(), "ok");
}

#[test]
fn a_log_that_floods_is_stopped_and_what_was_read_counts() {
    let mac = mac(SUCCESS_AT_5);
    mac.behaves(LOG, "flood");
    let findings = ask(&mac, "2026-11-23T18:00:00Z");
    let log = source(&findings, "unified_log");
    assert_eq!((log.text("state"), log.text("reason")), (Some("partial"), Some("timed_out")));
    assert_eq!(log.number("covers_to"), Some(time("2026-11-23T17:00:00Z").timestamp()));
    assert_eq!((findings.verdict.state.word(), findings.exchanges.len()), ("ok", 1));
}

#[test]
fn a_log_that_goes_back_in_time_gives_what_one_in_order_gives() {
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
fn a_denied_log_says_what_to_grant_and_the_last_good_reading_stays() {
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
fn a_clock_that_was_set_back_makes_the_log_be_read_anew() {
    let mac = mac(SUCCESS_AT_5);
    ask(&mac, "2026-11-24T18:00:00Z");
    let findings = ask(&mac, "2026-11-23T18:00:00Z");
    assert_eq!(starts(&mac)[2], "2026-11-23 16:25:00", "after the window and the look back of the first");
    assert_eq!(findings.verdict.state.word(), "ok");
    assert_eq!(findings.log_span().map(|span| span.to), Some(time("2026-11-23T18:00:00Z")));
}

#[test]
fn a_reading_that_another_process_ended_just_now_is_no_clock_that_was_set_back() {
    let mac = mac(SUCCESS_AT_5);
    ask(&mac, "2026-11-23T18:00:05Z");
    let before = starts(&mac).len();
    // Looked at before the journal it would show less than the journal covers.
    let clock = Clock::ticking(time("2026-11-23T17:59:59Z"), TimeDelta::seconds(4));
    let host = SetClock::new(mac.root(), &clock);
    let collector = Collector::new(Box::new(host), ReadOptions::default(), state_dir(&mac), Some(state_dir(&mac)));
    collector.refresh();
    assert_eq!(starts(&mac)[before..], ["2026-11-23 17:55:05"]);
}

#[test]
fn a_journal_that_somebody_removed_is_written_again_by_who_remembers() {
    let mac = mac(SUCCESS_AT_5);
    let collector = collector(&mac, "2026-11-23T18:00:00Z");
    collector.refresh();
    for file in ["journal.db", "journal.db-wal", "journal.db-shm"] {
        fs::remove_file(state_dir(&mac).join(file)).unwrap();
    }
    mac.file("/usr/bin/log.records", "");
    collector.refresh();
    let findings = ask(&mac, "2026-11-23T18:00:30Z");
    assert_eq!((findings.verdict.state.word(), findings.exchanges.len()), ("ok", 1));
    assert_eq!(source(&findings, "journal").text("state"), Some("ok"));
}

#[test]
fn a_damaged_journal_is_set_aside_by_name_and_built_again() {
    let mac = mac(SUCCESS_AT_5);
    ask(&mac, "2026-11-23T18:00:00Z");
    let file = state_dir(&mac).join("journal.db");
    fs::write(&file, "this is no database, but long enough to be looked at as one: ".repeat(20)).unwrap();
    let findings = ask(&mac, "2026-11-23T18:05:00Z");
    assert_eq!(findings.verdict.state.word(), "ok");
    let journal = source(&findings, "journal");
    assert_eq!((journal.text("state"), journal.text("reason")), (Some("partial"), Some("set_aside")));
    let aside = state_dir(&mac).join("journal.db.damaged-1795457100");
    assert!(journal.text("detail").unwrap().contains(aside.to_str().unwrap()));
    assert!(aside.exists());
}

#[test]
fn a_database_of_somebody_else_is_set_aside() {
    let mac = mac(SUCCESS_AT_5);
    mac.file("/var/lib/mdm-health/x", "");
    let file = state_dir(&mac).join("journal.db");
    let other = rusqlite::Connection::open(&file).unwrap();
    other.execute_batch("CREATE TABLE theirs (x)").unwrap();
    drop(other);
    let findings = ask(&mac, "2026-11-23T18:00:00Z");
    assert_eq!(source(&findings, "journal").text("reason"), Some("set_aside"));
    assert_eq!(findings.verdict.state.word(), "ok");
}

#[test]
fn without_a_place_on_disk_memory_answers_and_says_so() {
    let mac = mac(SUCCESS_AT_5);
    mac.file("/var/lib/mdm-health", "a file where the folder should be");
    let findings = ask(&mac, "2026-11-23T18:00:00Z");
    assert_eq!(findings.verdict.state.word(), "ok");
    let journal = source(&findings, "journal");
    assert_eq!((journal.text("state"), journal.text("reason")), (Some("error"), Some("memory_only")));
}

#[test]
fn an_emptied_log_store_proves_nothing_though_the_journal_remembers() {
    let mac = mac(SUCCESS_AT_5);
    ask(&mac, "2026-11-23T18:00:00Z");
    // Four days later after an OS installation: the store begins anew, and nothing has been said yet.
    mac.file("/usr/bin/log.records", "");
    let findings = ask(&mac, "2026-11-27T18:00:00Z");
    assert_eq!((findings.verdict.state.word(), findings.verdict.reason), ("unknown", "log_empty"));
}

#[test]
fn a_log_store_emptied_since_the_last_reading_proves_nothing_either() {
    // Something that failed, so that nothing but the doubt about the log keeps the Mac from being stuck.
    let mac = mac("2026-11-23 09:00:00 >>>>> Sending HTTP request (PUT) [Idle] >>>>>");
    ask(&mac, "2026-11-23T10:00:00Z");
    mac.file("/usr/bin/log.records", "");
    for now in ["2026-11-23T11:34:59Z", "2026-11-23T13:30:00Z", "2026-11-23T20:00:00Z"] {
        let findings = collector(&mac, now).findings_of_a_day(PATIENCE);
        assert_eq!((findings.verdict.state.word(), findings.verdict.reason), ("unknown", "log_empty"), "{now}");
    }
}

#[test]
fn the_usual_silence_is_told_from_the_journal() {
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

/// A Mac on which something happens while its log is being opened.
struct Meanwhile<F>(Live, F);

impl<F: Fn() + Send + Sync> Host for Meanwhile<F> {
    fn run(&self, command: Command) -> Result<Output, HostError> {
        self.0.run(command)
    }

    fn open_log(&self, span: Span) -> Result<Box<dyn LogSource>, HostError> {
        (self.1)();
        self.0.open_log(span)
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

    fn now(&self) -> Option<mdm_health::Time> {
        self.0.now()
    }

    fn uptime(&self) -> Result<i64, HostError> {
        self.0.uptime()
    }

    fn is_live(&self) -> bool {
        true
    }

    fn may_act(&self, state_dir: &Path) -> Result<(), HostError> {
        self.0.may_act(state_dir)
    }

    fn act(&self, act: Act) -> Result<Output, HostError> {
        self.0.act(act)
    }
}

#[test]
fn an_event_that_another_process_kept_first_counts_here_too() {
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
fn a_journal_that_cannot_be_written_loses_nothing_that_was_read() {
    let mac = mac(SUCCESS_AT_5);
    ask(&mac, "2026-11-23T16:50:00Z");
    let locked = rusqlite::Connection::open(state_dir(&mac).join("journal.db")).unwrap();
    locked.execute_batch("BEGIN IMMEDIATE").unwrap();
    let findings = ask(&mac, "2026-11-23T18:00:00Z");
    assert_eq!(findings.verdict.state.word(), "ok");
    assert_eq!(source(&findings, "journal").text("reason"), Some("memory_only"));
    drop(locked);
    let later = ask(&mac, "2026-11-23T18:01:00Z");
    assert_eq!((later.verdict.state.word(), source(&later, "journal").text("state")), ("ok", Some("ok")));
}

#[test]
fn what_was_read_while_the_journal_could_not_be_written_is_written_when_it_can() {
    let mac = mac(SUCCESS_AT_5);
    ask(&mac, "2026-11-23T16:50:00Z");
    let locked = rusqlite::Connection::open(state_dir(&mac).join("journal.db")).unwrap();
    locked.execute_batch("BEGIN IMMEDIATE").unwrap();
    let collector = collector(&mac, "2026-11-23T18:00:00Z");
    collector.refresh();
    drop(locked);
    // The Mac's own log has let it go by then.
    mac.file("/usr/bin/log.records", "");
    collector.refresh();
    let findings = collector.findings(PATIENCE);
    assert_eq!((findings.verdict.state.word(), findings.exchanges.len()), ("ok", 1));
    assert_eq!(source(&findings, "journal").number("events_kept"), Some(1));
}

/// A journal as the first version of its tables made it, with a success and a step of an update.
fn first_version(mac: &FakeMac) -> rusqlite::Connection {
    mac.file("/var/lib/mdm-health/journal.db", "");
    let journal = rusqlite::Connection::open(state_dir(mac).join("journal.db")).unwrap();
    let at = |text: &str| time(text).timestamp_micros();
    let (success, update) = (at("2026-11-23T17:00:00Z"), at("2026-11-23T17:10:00Z"));
    journal
        .execute_batch(&format!(
            r#"PRAGMA application_id = 1835298152; PRAGMA user_version = 1;
            CREATE TABLE events (
                at INTEGER NOT NULL, mach INTEGER NOT NULL, key INTEGER NOT NULL,
                success INTEGER NOT NULL, body TEXT NOT NULL, PRIMARY KEY (at, mach, key)
            ) WITHOUT ROWID;
            CREATE TABLE spans (first INTEGER NOT NULL, last INTEGER NOT NULL);
            CREATE TABLE days (
                day INTEGER PRIMARY KEY, events INTEGER NOT NULL, successes INTEGER NOT NULL,
                first INTEGER, last INTEGER, longest_gap INTEGER NOT NULL
            );
            INSERT INTO events VALUES ({success}, 1, 1, 1, '{{"at":"2026-11-23T17:00:00Z","pid":300,"thread":7,"channel":"Device",
                "what":{{"ResponseReceived":{{"status":200,"message":"Idle"}}}}}}');
            INSERT INTO events VALUES ({update}, 2, 2, 0, '{{"at":"2026-11-23T17:10:00Z","pid":301,"thread":8,"channel":null,
                "what":{{"Update":{{"said":"PrepareContinues","log":"Unified","process":"softwareupdated"}}}}}}');
            INSERT INTO events VALUES ({update}, 3, 3, 0, 'nothing that can be read');
            INSERT INTO spans VALUES ({success}, {update});
            INSERT INTO days VALUES ({success} / 86400000000, 3, 1, {success}, {success}, 0);"#
        ))
        .unwrap();
    journal
}

#[test]
fn a_journal_of_an_earlier_version_is_brought_up_to_date_and_keeps_its_events() {
    let mac = mac("");
    drop(first_version(&mac));
    let findings = ask(&mac, "2026-11-23T17:12:00Z");
    let journal = source(&findings, "journal");
    assert_eq!((journal.text("detail"), journal.number("events_kept")), (None, Some(3)));
    assert_eq!(findings.verdict.last_success_at, Some(time("2026-11-23T17:00:00Z")));
    assert_eq!(rows(&findings, "os_update_events").len(), 1);
    let journal = rusqlite::Connection::open(state_dir(&mac).join("journal.db")).unwrap();
    let number = |sql: &str| journal.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(number("PRAGMA user_version"), 2);
    assert_eq!((number("SELECT events FROM days"), number("SELECT updates FROM days")), (2, 1));
    assert!(
        !state_dir(&mac).read_dir().unwrap().any(|file| file.unwrap().path().display().to_string().contains("damaged"))
    );
}

#[test]
fn a_journal_of_a_later_version_is_left_alone_and_memory_answers() {
    let mac = mac(SUCCESS_AT_5);
    first_version(&mac).execute_batch("PRAGMA user_version = 3; CREATE TABLE of_the_future (x)").unwrap();
    let before = fs::read(state_dir(&mac).join("journal.db")).unwrap();
    let findings = ask(&mac, "2026-11-23T18:00:00Z");
    assert_eq!(findings.verdict.state.word(), "ok");
    let journal = source(&findings, "journal");
    assert_eq!((journal.text("state"), journal.text("reason")), (Some("error"), Some("memory_only")));
    assert!(journal.text("detail").unwrap().contains("later version"));
    assert_eq!(fs::read(state_dir(&mac).join("journal.db")).unwrap(), before);
}

/// Sets the policy; who may have written it is checked.
fn policy(mac: &FakeMac, settings: &str) {
    let path = "/Library/Managed Preferences/org.mdm-health.plist";
    mac.file(path, &format!("<plist version=\"1.0\"><dict>{settings}</dict></plist>"));
    for path in [mac.path(path).parent().unwrap(), &mac.path(path)] {
        let mode = if path.is_dir() { 0o755 } else { 0o644 };
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }
}

#[test]
fn the_journal_keeps_events_for_as_many_days_as_the_policy_says() {
    let mac = mac(&format!("2026-11-20 17:00:00 <<<<< Received HTTP response (200) [Idle] <<<<<\n{SUCCESS_AT_5}"));
    ask(&mac, "2026-11-20T18:00:00Z");
    let kept = |findings: &Findings| source(findings, "journal").number("events_kept");
    policy(&mac, "<key>JournalDays</key><integer>0</integer>");
    let findings = ask(&mac, "2026-11-23T18:00:00Z");
    assert_eq!(kept(&findings), Some(2), "a bad value leaves the usual 30 days");
    assert!(source(&findings, "heal_policy").text("detail").unwrap().contains("it stays 30."));
    policy(&mac, "<key>JournalDays</key><integer>2</integer>");
    assert_eq!(kept(&ask(&mac, "2026-11-23T18:10:00Z")), Some(1));
}

/// A journal that already holds so many requests, one every ten seconds until the given moment.
fn filled(mac: &FakeMac, many: i64, until: &str) {
    ask(mac, until);
    let last = time(until).timestamp_micros();
    let journal = rusqlite::Connection::open(state_dir(mac).join("journal.db")).unwrap();
    let body = r#"{"pid":300,"thread":7,"channel":"Device","what":{"RequestSent":{"method":"PUT","message":"Idle"}}}"#;
    journal
        .execute_batch(&format!(
            "WITH RECURSIVE ago (number) AS (SELECT 1 UNION ALL SELECT number + 1 FROM ago WHERE number < {many})
             INSERT INTO events SELECT 0, {last} - number * 10000000, number, number, 0,
                 json_set('{body}', '$.at', strftime('%FT%TZ', {last} / 1000000 - number * 10, 'unixepoch')) FROM ago;
             INSERT INTO days (day, events, updates, successes, longest_gap)
                 SELECT at / 86400000000, COUNT(*), 0, 0, 0 FROM events GROUP BY 1;
             UPDATE spans SET first = {last} - {many} * 10000000;"
        ))
        .unwrap();
}

#[test]
fn the_journal_keeps_as_many_events_as_the_policy_says_also_within_a_day() {
    let mac = mac("");
    policy(&mac, "<key>JournalEvents</key><integer>20000</integer>");
    filled(&mac, 22_000, "2026-11-23T17:00:00Z");
    let journal = |findings: &Findings| {
        let status = source(findings, "journal");
        (status.number("events_kept"), status.number("covers_from"))
    };
    let ago = |number: i64| Some(time("2026-11-23T17:00:00Z").timestamp() - 10 * number);
    assert_eq!(journal(&ask(&mac, "2026-11-23T17:00:01Z")), (Some(22_000), ago(22_000)), "a tenth more is borne");
    mac.log_more(&support::ndjson("2026-11-23 17:00:02 >>>>> Sending HTTP request (PUT) [Idle] >>>>>"));
    ask(&mac, "2026-11-23T17:00:03Z");
    // What was let go is not covered any more.
    assert_eq!(journal(&ask(&mac, "2026-11-23T17:00:04Z")), (Some(20_000), ago(19_999)));
    let journal = rusqlite::Connection::open(state_dir(&mac).join("journal.db")).unwrap();
    let count = |sql: &str| journal.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!((count("SELECT COUNT(*) FROM events"), count("SELECT SUM(events) FROM days")), (20_000, 20_000));
}

#[test]
fn a_record_that_the_log_shows_late_or_of_a_clock_set_back_a_little_is_read() {
    let mac = mac("2026-11-23 15:00:00 <<<<< Received HTTP response (200) [Idle] <<<<<");
    ask(&mac, "2026-11-23T18:00:00Z");
    mac.log_more(&support::ndjson("2026-11-23 17:59:40 <<<<< Received HTTP response (200) [Idle] <<<<<"));
    assert_eq!(ask(&mac, "2026-11-23T18:00:30Z").verdict.last_success_at, Some(time("2026-11-23T17:59:40Z")));
}

#[test]
fn a_clock_that_is_a_year_ahead_does_not_empty_the_journal() {
    let mac = mac(SUCCESS_AT_5);
    ask(&mac, "2026-11-23T18:00:00Z");
    let findings = ask(&mac, "2027-11-23T18:00:00Z");
    assert_eq!(source(&findings, "journal").number("events_kept"), Some(1));
}

#[test]
fn a_hole_in_what_was_read_proves_nothing() {
    let received = "2026-11-20 17:00:00 Processing server request: ScheduleOSUpdate for: <Device> (1) PowerNap: no";
    let mac = mac(received);
    ask(&mac, "2026-11-20T17:30:00Z");
    // Its answer, and all else that was said, is older than what is read three days later.
    mac.log_more(&support::ndjson("2026-11-23 16:26:00 hello"));
    let findings = ask(&mac, "2026-11-23T18:00:00Z");
    assert_eq!((findings.verdict.state.word(), findings.verdict.reason), ("quiet", "no_contact"));
}

#[test]
fn a_long_log_with_a_line_that_was_not_understood_covers_nothing_though_its_events_count() {
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
fn a_client_that_talks_of_other_things_is_no_emptied_log() {
    let mac = mac("2026-11-23 17:00:00 hello");
    let collector = collector(&mac, "2026-11-23T18:00:00Z");
    let states: Vec<&str> = (0..3)
        .map(|_| {
            collector.refresh();
            collector.findings(PATIENCE).verdict.reason
        })
        .collect();
    assert_eq!(states, ["no_contact"; 3]);
}
