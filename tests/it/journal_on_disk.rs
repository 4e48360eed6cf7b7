//! The journal on disk: what is kept and for how long, and what happens when the file or the disk fails.

use crate::support;
use crate::support::fake_mac::{FakeMac, PLATFORM};
use crate::support::live_mac::{PATIENCE, SUCCESS_AT_5, ask, collector, mac, source, state_dir};
use crate::support::{rows, time};
use mdm_health::health::Findings;
use std::fs;
use std::os::unix::fs::PermissionsExt;

#[test]
fn a_journal_removed_while_in_use_is_written_again_from_memory() {
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
fn a_damaged_journal_is_set_aside_and_rebuilt() {
    let mac = mac(SUCCESS_AT_5);
    ask(&mac, "2026-11-23T18:00:00Z");
    let file = state_dir(&mac).join("journal.db");
    fs::write(&file, "this is no database, but long enough to be looked at as one: ".repeat(20)).unwrap();
    let findings = ask(&mac, "2026-11-23T18:05:00Z");
    assert_eq!(findings.verdict.state.word(), "ok");
    let journal = source(&findings, "journal");
    assert_eq!((journal.text("state"), journal.text("reason")), (Some("partial"), Some("set_aside")));
    // The folder's real path: TMPDIR may lie below a symbolic link.
    let aside = fs::canonicalize(state_dir(&mac)).unwrap().join("journal.db.damaged-1795457100");
    assert!(journal.text("detail").unwrap().contains(aside.to_str().unwrap()));
    assert!(aside.exists());
}

#[test]
fn a_database_of_another_program_is_set_aside() {
    let mac = mac(SUCCESS_AT_5);
    fs::create_dir_all(state_dir(&mac)).unwrap();
    let file = state_dir(&mac).join("journal.db");
    let other = rusqlite::Connection::open(&file).unwrap();
    other.execute_batch("CREATE TABLE theirs (x)").unwrap();
    drop(other);
    let findings = ask(&mac, "2026-11-23T18:00:00Z");
    assert_eq!(source(&findings, "journal").text("reason"), Some("set_aside"));
    assert_eq!(findings.verdict.state.word(), "ok");
}

#[test]
fn the_journal_works_below_a_symbolic_link() {
    let mac = mac(SUCCESS_AT_5);
    // As /var and /tmp are on a Mac.
    mac.file("/private/var/lib/x", "");
    std::os::unix::fs::symlink("private/var", mac.root().join("var")).unwrap();
    let findings = ask(&mac, "2026-11-23T18:00:00Z");
    let journal = source(&findings, "journal");
    assert_eq!((journal.text("state"), journal.text("detail")), (Some("ok"), None));
    assert_eq!(journal.number("events_kept"), Some(1));
}

#[test]
fn without_a_journal_folder_memory_serves_and_the_status_says_so() {
    let mac = mac(SUCCESS_AT_5);
    mac.file("/var/lib/mdm-health", "a file where the folder should be");
    let findings = ask(&mac, "2026-11-23T18:00:00Z");
    assert_eq!(findings.verdict.state.word(), "ok");
    let journal = source(&findings, "journal");
    assert_eq!((journal.text("state"), journal.text("reason")), (Some("error"), Some("memory_only")));
}

#[test]
fn a_locked_journal_loses_nothing_that_was_read() {
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
fn what_was_read_while_the_journal_was_locked_is_written_later() {
    let mac = mac(SUCCESS_AT_5);
    ask(&mac, "2026-11-23T16:50:00Z");
    let locked = rusqlite::Connection::open(state_dir(&mac).join("journal.db")).unwrap();
    locked.execute_batch("BEGIN IMMEDIATE").unwrap();
    let collector = collector(&mac, "2026-11-23T18:00:00Z");
    collector.refresh();
    drop(locked);
    // By then the event is gone from the Mac's own log.
    mac.file("/usr/bin/log.records", "");
    collector.refresh();
    let findings = collector.findings(PATIENCE);
    assert_eq!((findings.verdict.state.word(), findings.exchanges.len()), ("ok", 1));
    assert_eq!(source(&findings, "journal").number("events_kept"), Some(1));
}

/// A journal with the first version of its tables, holding a successful response and an update event.
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
fn a_journal_of_an_earlier_version_is_emptied_and_the_log_is_read_again() {
    let mac = mac("2026-11-23 17:05:00 <<<<< Received HTTP response (200) [Idle] <<<<<");
    drop(first_version(&mac));
    let findings = ask(&mac, "2026-11-23T17:12:00Z");
    let journal = source(&findings, "journal");
    assert_eq!((journal.text("detail"), journal.number("events_kept")), (None, Some(1)));
    assert_eq!(findings.verdict.last_success_at, Some(time("2026-11-23T17:05:00Z")));
    assert_eq!(rows(&findings, "os_update_events").len(), 0);
    let journal = rusqlite::Connection::open(state_dir(&mac).join("journal.db")).unwrap();
    let number = |sql: &str| journal.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(number("PRAGMA user_version"), 6);
    assert_eq!(
        (number("SELECT SUM(events) FROM counts"), number("SELECT COUNT(*) FROM events WHERE class = 1")),
        (1, 0)
    );
    assert!(
        !state_dir(&mac).read_dir().unwrap().any(|file| file.unwrap().path().display().to_string().contains("damaged"))
    );
}

#[test]
fn a_journal_of_a_later_version_is_left_alone_and_memory_serves() {
    let mac = mac(SUCCESS_AT_5);
    first_version(&mac).execute_batch("PRAGMA user_version = 99; CREATE TABLE of_the_future (x)").unwrap();
    let before = fs::read(state_dir(&mac).join("journal.db")).unwrap();
    let findings = ask(&mac, "2026-11-23T18:00:00Z");
    assert_eq!(findings.verdict.state.word(), "ok");
    let journal = source(&findings, "journal");
    assert_eq!((journal.text("state"), journal.text("reason")), (Some("error"), Some("memory_only")));
    assert!(journal.text("detail").unwrap().contains("later version"));
    assert_eq!(fs::read(state_dir(&mac).join("journal.db")).unwrap(), before);
}

/// Writes the policy, with the modes that make it trusted.
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
    assert!(source(&findings, "heal_policy").text("detail").unwrap().contains("30 is used."));
    policy(&mac, "<key>JournalDays</key><integer>2</integer>");
    assert_eq!(kept(&ask(&mac, "2026-11-23T18:10:00Z")), Some(1));
}

/// A journal that already holds this many requests, one every ten seconds until the given time.
fn filled(mac: &FakeMac, many: i64, until: &str) {
    ask(mac, until);
    let last = time(until).timestamp_micros();
    let journal = rusqlite::Connection::open(state_dir(mac).join("journal.db")).unwrap();
    let body = r#"{"pid":300,"thread":7,"channel":"Device","kind":{"RequestSent":{"method":"PUT","message":"Idle"}}}"#;
    journal
        .execute_batch(&format!(
            "WITH RECURSIVE ago (number) AS (SELECT 1 UNION ALL SELECT number + 1 FROM ago WHERE number < {many})
             INSERT INTO events SELECT 0, {last} - number * 10000000, number, number, 0,
                 json_set('{body}', '$.at', strftime('%FT%TZ', {last} / 1000000 - number * 10, 'unixepoch')) FROM ago;
             INSERT INTO counts (day, class, events) SELECT at / 86400000000, 0, COUNT(*) FROM events GROUP BY 1;
             UPDATE spans SET first = {last} - {many} * 10000000;"
        ))
        .unwrap();
}

#[test]
fn the_journal_keeps_as_many_events_as_the_policy_says_even_within_a_day() {
    let mac = mac("");
    policy(&mac, "<key>JournalEvents</key><integer>20000</integer>");
    filled(&mac, 22_000, "2026-11-23T17:00:00Z");
    let journal = |findings: &Findings| {
        let status = source(findings, "journal");
        (status.number("events_kept"), status.number("covers_from"))
    };
    let ago = |number: i64| Some(time("2026-11-23T17:00:00Z").timestamp() - 10 * number);
    assert_eq!(journal(&ask(&mac, "2026-11-23T17:00:01Z")), (Some(22_000), ago(22_000)), "up to a tenth more is kept");
    mac.log_more(&support::ndjson("2026-11-23 17:00:02 >>>>> Sending HTTP request (PUT) [Idle] >>>>>"));
    ask(&mac, "2026-11-23T17:00:03Z");
    // What was deleted is no longer covered.
    assert_eq!(journal(&ask(&mac, "2026-11-23T17:00:04Z")), (Some(20_000), ago(19_999)));
    let journal = rusqlite::Connection::open(state_dir(&mac).join("journal.db")).unwrap();
    let count = |sql: &str| journal.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!((count("SELECT COUNT(*) FROM events"), count("SELECT SUM(events) FROM counts")), (20_000, 20_000));
}

#[test]
fn a_clock_that_is_a_year_ahead_does_not_empty_the_journal() {
    let mac = mac(SUCCESS_AT_5);
    ask(&mac, "2026-11-23T18:00:00Z");
    let findings = ask(&mac, "2027-11-23T18:00:00Z");
    assert_eq!(source(&findings, "journal").number("events_kept"), Some(1));
}

#[test]
fn a_journal_that_was_copied_from_another_mac_is_set_aside() {
    let mac = mac("2026-11-23 17:00:00 Processing server request: ProfileList for: <Device> (T-1) PowerNap: no");
    mac.platform();
    let before = ask(&mac, "2026-11-23T18:00:00Z");
    assert_eq!((before.commands.len(), source(&before, "journal").text("reason")), (1, None));
    mac.file("/usr/sbin/ioreg.out", &PLATFORM.replace("7D1F0A52", "00000000"))
        .file("/usr/bin/log.records", &support::ndjson(SUCCESS_AT_5));
    let after = ask(&mac, "2026-11-23T18:10:00Z");
    assert_eq!((after.verdict.state.word(), after.commands.len()), ("ok", 0), "that Mac's command is not this one's");
    let journal = source(&after, "journal");
    assert_eq!((journal.text("state"), journal.text("reason")), (Some("ok"), Some("other_mac")));
    assert!(fs::canonicalize(state_dir(&mac)).unwrap().join("journal.db.of-another-mac-1795457400").exists());
    let history = rows(&after, "mdm_watchdog_history");
    assert_eq!(history.len(), 1, "{history:?}");
    // It is this Mac's from now on.
    assert_eq!(source(&ask(&mac, "2026-11-23T18:20:00Z"), "journal").text("reason"), None);
}

#[test]
fn a_journal_is_kept_while_nobody_knows_which_mac_this_is() {
    let mac = mac(SUCCESS_AT_5);
    mac.platform();
    ask(&mac, "2026-11-23T18:00:00Z");
    mac.file("/usr/sbin/ioreg.out", "").file("/usr/bin/log.records", "");
    let findings = ask(&mac, "2026-11-23T18:10:00Z");
    assert_eq!((findings.exchanges.len(), source(&findings, "journal").text("reason")), (1, None));
}

#[test]
fn a_journal_without_a_history_is_brought_up_to_date_and_keeps_its_events() {
    let mac = mac(SUCCESS_AT_5);
    ask(&mac, "2026-11-23T18:00:00Z");
    let journal = rusqlite::Connection::open(state_dir(&mac).join("journal.db")).unwrap();
    journal.execute_batch("DROP TABLE mac; DROP TABLE history; DROP TABLE profiles; PRAGMA user_version = 4").unwrap();
    drop(journal);
    mac.file("/usr/bin/log.records", "");
    let findings = ask(&mac, "2026-11-23T18:10:00Z");
    assert_eq!((findings.exchanges.len(), source(&findings, "journal").text("detail")), (1, None));
    assert_eq!(rows(&findings, "mdm_watchdog_history").len(), 1);
}
