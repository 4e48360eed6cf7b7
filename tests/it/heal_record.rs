//! The record of restarts under attack: what is changed, removed or flooded opens no limit.

use crate::support::fake_mac::PLATFORM;
use crate::support::heal_mac::{HealMac, now};
use mdm_health::facts::record::{self, Entry, TABLES};
use mdm_health::heal::{Healer, Refusal, Request};
use rusqlite::Connection;
use std::fs::{self, DirBuilder, Permissions};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt, chown};
use std::path::PathBuf;
use std::time::Duration;

fn again(healer: &Healer) -> Result<i64, Refusal> {
    healer.request(&Request::new("restart_mdmclient", None))
}

fn database(mac: &HealMac) -> PathBuf {
    mac.state_dir().join("heal.db")
}

fn entries(mac: &HealMac) -> Vec<Entry> {
    record::entries(&mac.live(), &mac.state_dir()).expect("a record")
}

/// What `mdm_health_status`, `mdm_heal` and `mdm_watchdog` show of a record that cannot be used.
fn shown(mac: &HealMac) -> String {
    let sql = "SELECT state || ' ' || reason, (SELECT group_concat(outcome) FROM mdm_heal), \
               (SELECT mdm_client_restarted IS NULL AND last_mdm_kickstart IS NULL FROM mdm_watchdog) \
               FROM mdm_health_status WHERE source = 'heal_ledger'";
    let output = mac.program(&["query", "--csv", sql]).output().expect("run");
    String::from_utf8_lossy(&output.stdout).lines().last().unwrap_or_default().to_owned()
}

#[test]
fn a_record_whose_tables_were_changed_is_damaged_and_opens_no_limit() {
    let attacks = [
        (
            "CREATE TRIGGER forget AFTER INSERT ON requests BEGIN UPDATE requests SET began_at = NULL, began_ran = NULL; END",
            "it has a trigger forget that mdm-health did not make",
        ),
        (
            "ALTER TABLE requests RENAME TO others; CREATE VIEW requests AS SELECT * FROM others WHERE began_at IS NULL",
            "that mdm-health did not make",
        ),
        (
            "CREATE TABLE copy AS SELECT * FROM requests WHERE 0; DROP TABLE requests; ALTER TABLE copy RENAME TO requests",
            "its table requests was changed",
        ),
        (
            "DROP TABLE clock; CREATE TABLE clock (one INTEGER PRIMARY KEY, ran INTEGER NOT NULL, boot TEXT, \
             uptime INTEGER NOT NULL) STRICT; INSERT INTO clock VALUES (2, 999999999, NULL, 0)",
            "its table clock was changed",
        ),
        ("DROP TABLE requests", "its table requests is missing"),
        ("DROP TABLE clock", "its table clock is missing"),
        ("DROP TABLE timers", "its table timers is missing"),
        ("CREATE INDEX quick ON requests(began_at)", "it has a index quick that mdm-health did not make"),
        ("CREATE TABLE more (a)", "it has a table more that mdm-health did not make"),
        ("ALTER TABLE requests ADD COLUMN more TEXT", "its table requests was changed"),
        ("PRAGMA user_version = 1", "it has a table timers that mdm-health did not make"),
        ("PRAGMA user_version = 0", "it holds no record"),
        ("PRAGMA user_version = -1", "it holds no record"),
    ];
    for (sql, words) in attacks {
        let (mac, healer) = HealMac::restarted();
        Connection::open(database(&mac)).and_then(|record| record.execute_batch(sql)).expect("changed");
        let refusal = again(&healer).expect_err(sql);
        assert_eq!(refusal.code.word(), "ledger_damaged", "{sql}: {refusal}");
        assert!(refusal.sentence.contains(words), "{sql}: {refusal}");
        assert!(refusal.sentence.contains("as root move it and heal.lock beside it away"), "{refusal}");
        assert_eq!(mac.acts().len(), 1, "{sql}");
        assert_eq!(shown(&mac), "error ledger_damaged,unreadable,1", "{sql}");
    }
}

#[test]
fn a_restart_that_no_clock_can_date_closes_the_limit() {
    let impossible = ["began_ran = -9223372036854775808", "began_ran = NULL", "began_at = 9000000000000000000"];
    for values in impossible {
        let (mac, healer) = HealMac::restarted();
        let sql = format!("UPDATE requests SET {values}");
        Connection::open(database(&mac)).and_then(|record| record.execute_batch(&sql)).expect("changed");
        let refusal = again(&healer).expect_err(values);
        assert_eq!(refusal.code.word(), "ledger_damaged", "{values}: {refusal}");
        assert!(refusal.sentence.contains("holds a value that mdm-health never wrote"), "{refusal}");
        assert_eq!(mac.acts().len(), 1, "{values}");
    }
}

#[test]
fn a_record_that_was_removed_beside_its_lock_turns_heal_off_until_root_says_so() {
    let (mac, healer) = HealMac::restarted();
    let copy = fs::read(database(&mac)).expect("a record");
    fs::remove_file(database(&mac)).expect("removed");
    for _ in 0..2 {
        let refusal = again(&healer).expect_err("refused");
        assert_eq!(refusal.code.word(), "ledger_missing");
        assert!(refusal.sentence.contains("put it back, or as root remove heal.lock beside it"), "{refusal}");
    }
    assert!(!database(&mac).exists(), "no new record may begin by itself");
    assert_eq!(shown(&mac), "error ledger_missing,unreadable,1");
    assert_eq!(mac.acts().len(), 1);
    // Put back, all is as before.
    fs::write(database(&mac), copy).expect("put back");
    assert_eq!(again(&healer).expect_err("refused").code.word(), "too_soon");
    // Or somebody who is root says that a new one may begin.
    fs::remove_file(database(&mac)).and_then(|()| fs::remove_file(mac.state_dir().join("heal.lock"))).expect("removed");
    assert_eq!(again(&healer), Ok(1));
    assert_eq!(mac.acts().len(), 2);
}

#[test]
fn a_record_in_a_folder_that_others_could_replace_is_not_used() {
    let (mac, healer) = HealMac::restarted();
    let above = mac.state_dir().parent().expect("a folder").to_owned();
    let set = |mode| fs::set_permissions(&above, Permissions::from_mode(mode)).expect("permissions");
    for mode in [0o775, 0o777, 0o757] {
        set(mode);
        let refusal = again(&healer).expect_err("refused");
        assert_eq!(refusal.code.word(), "ledger_not_ours");
        let words =
            format!("is writable by others (mode {mode:04o}): give it to root and make it writable by root only");
        assert!(refusal.sentence.contains(&words), "{refusal}");
        assert_eq!(shown(&mac), "error ledger_not_ours,unreadable,1");
    }
    // In a sticky folder nobody can rename what is ours.
    set(0o1777);
    assert_eq!(again(&healer).expect_err("refused").code.word(), "too_soon");
    set(0o755);
    if chown(&above, Some(12345), None).is_ok() {
        assert_eq!(again(&healer).expect_err("refused").code.word(), "ledger_not_ours");
    }
    assert_eq!(mac.acts().len(), 1);
}

/// As many refused requests as anybody cares to make, with the longest texts: osquery takes 32 MiB in one answer.
#[test]
fn refused_requests_push_no_restart_out_and_leave_the_table_readable() {
    let (mac, healer) = HealMac::restarted();
    let heal = healer.request(&Request::new("heal", Some("INC-43"))).expect("softwareupdated is stuck too");
    let longest = "\u{1F34F}".repeat(10_000);
    let flood = Connection::open(database(&mac)).expect("a record");
    let sql = "WITH RECURSIVE number(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < 10000)
               INSERT INTO requests(action, reason, force, dry_run, requested_at, outcome, detail)
               SELECT ?1, ?1, 0, 0, 0, 'refused', ?1 FROM number";
    flood.execute(sql, [longest.chars().take(512).collect::<String>()]).expect("flooded");
    for _ in 0..20 {
        let refused = healer.request(&Request::new(&longest, Some(&longest))).expect_err("refused");
        assert_eq!(refused.code.word(), "unknown_action");
    }
    let rows = entries(&mac);
    let bytes = |row: &Entry| row.action.len() + row.reason.as_ref().map_or(0, String::len) + row.detail.len() + 500;
    assert!(rows.len() <= 1010, "{}", rows.len());
    assert!(rows.iter().map(bytes).sum::<usize>() < 16 << 20);
    let kept: Vec<_> = rows.iter().take(4).map(|row| (row.id, row.action.as_str(), row.outcome.word())).collect();
    let expected =
        [(1, "restart_mdmclient", "done"), (heal, "heal", "done"), (heal + 1, "restart_softwareupdated", "done")];
    assert_eq!(kept[..3], expected);
    assert_eq!(again(&healer).expect_err("refused").code.word(), "too_soon");
    let columns = "SELECT mdm_client_restarted, software_update_daemon_restarted FROM mdm_watchdog";
    let output = mac.program(&["query", "--csv", columns]).output().expect("run");
    assert!(String::from_utf8_lossy(&output.stdout).ends_with("\n0,1\n"), "{output:?}");
}

#[test]
fn a_record_of_the_first_version_is_taken_over() {
    let mac = HealMac::stuck();
    DirBuilder::new().recursive(true).mode(0o700).create(mac.state_dir()).expect("a folder");
    let old = Connection::open(database(&mac)).expect("a database");
    old.execute_batch(&format!("BEGIN; {TABLES} PRAGMA user_version = 1; COMMIT;")).expect("tables");
    let restart = "INSERT INTO requests(action, force, dry_run, requested_at, began_at, began_ran, outcome)
                   VALUES ('restart_mdmclient', 0, 0, ?1, ?1, 0, 'done')";
    old.execute(restart, [now().timestamp()]).expect("a restart");
    drop(old);
    assert_eq!(entries(&mac).len(), 1, "reading changes nothing");
    let healer = mac.healer(&mac.collector(Box::new(mac.live())), Duration::from_secs(60));
    assert_eq!(again(&healer).expect_err("refused").code.word(), "too_soon");
    let version: i64 = Connection::open(database(&mac))
        .and_then(|record| record.query_row("PRAGMA user_version", [], |row| row.get(0)))
        .expect("a version");
    assert_eq!((version, entries(&mac).len()), (3, 2));
    assert_eq!(mac.acts(), [""; 0]);
}

#[test]
fn a_record_that_was_copied_from_another_mac_begins_anew_and_says_so() {
    let mac = HealMac::stuck();
    let healer = || mac.healer(&mac.collector(Box::new(mac.live())), Duration::from_secs(60));
    again(&healer()).expect("restarted");
    assert_eq!(again(&healer()).expect_err("refused").code.word(), "too_soon");
    let other = PLATFORM.replace("7D1F0A52", "00000000");
    mac.set("platform", "ioreg: no answer");
    assert_eq!(entries(&mac).len(), 2, "which Mac it is is unknown, so the record stays");
    assert_eq!(again(&healer()).expect_err("refused").code.word(), "too_soon");
    mac.set("platform", &other);
    assert_eq!(entries(&mac).len(), 0, "what another Mac did is nothing that this one did");
    let restarts = record::restarts(&mac.live(), &mac.state_dir());
    assert_eq!(restarts.known().map(|restarts| restarts.mdmclient.last_at), Some(None));
    again(&healer()).expect("restarted, for the first time on this Mac");
    let rows: Vec<_> =
        entries(&mac).into_iter().map(|entry| (entry.action, entry.outcome.word(), entry.detail)).collect();
    assert_eq!((rows[0].0.as_str(), rows[0].1), ("begin_record", "begun_anew"));
    assert_eq!(rows[0].2, "This record was copied from another Mac. Its 3 requests were removed.");
    assert_eq!((rows.len(), rows[1].0.as_str(), rows[1].1), (2, "restart_mdmclient", "done"));
    assert_eq!(mac.restarts("com.apple.mdmclient.daemon"), 2);
}
