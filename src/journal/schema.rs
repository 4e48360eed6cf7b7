//! The journal's tables: how they came about, and how a file of an earlier version is brought up to date.

use rusqlite::{Connection, ErrorCode, TransactionBehavior};
use std::time::Duration;

/// Marks a file as ours: "mdmh".
const APPLICATION_ID: i32 = 0x6d64_6d68;

/// How long another process's write is waited for.
const BUSY: Duration = Duration::from_secs(3);

/// The steps that created the tables, one for each version. A file's `user_version` says how many of them it has been
/// through; a new file goes through all of them. Steps are added, never changed.
const STEPS: [&str; 6] = [
    "CREATE TABLE events (
         at INTEGER NOT NULL, mach INTEGER NOT NULL, key INTEGER NOT NULL,
         success INTEGER NOT NULL, body TEXT NOT NULL,
         PRIMARY KEY (at, mach, key)
     ) WITHOUT ROWID;
     CREATE TABLE spans (first INTEGER NOT NULL, last INTEGER NOT NULL);
     CREATE TABLE days (
         day INTEGER PRIMARY KEY, events INTEGER NOT NULL, successes INTEGER NOT NULL,
         first INTEGER, last INTEGER, longest_gap INTEGER NOT NULL
     );",
    // Events about OS updates have a quota of their own: softwareupdated is chatty.
    "ALTER TABLE events RENAME TO events_before;
     CREATE TABLE events (
         subject INTEGER NOT NULL, at INTEGER NOT NULL, mach INTEGER NOT NULL, key INTEGER NOT NULL,
         success INTEGER NOT NULL, body TEXT NOT NULL,
         PRIMARY KEY (subject, at, mach, key)
     ) WITHOUT ROWID;
     INSERT INTO events
         SELECT CASE WHEN json_valid(body) THEN json_type(body, '$.what.Update') IS NOT NULL ELSE 0 END,
             at, mach, key, success, body
         FROM events_before;
     DROP TABLE events_before;
     ALTER TABLE days ADD COLUMN updates INTEGER NOT NULL DEFAULT 0;
     UPDATE days SET updates = (
         SELECT COUNT(*) FROM events
         WHERE subject = 1 AND at >= days.day * 86400000000 AND at < (days.day + 1) * 86400000000
     );
     UPDATE days SET events = events - updates;",
    // Who may speak, what counts as a success and how an event is written have changed, so nothing that was recognised
    // by the old rules is kept: the log is read again, as far as it goes back.
    "DELETE FROM events; DELETE FROM spans; DELETE FROM days;",
    // Each class of events has a quota of its own; samples of the clocks say how long the Mac slept, and readings of the
    // log what they cost.
    "DROP TABLE events; DROP TABLE days; DELETE FROM spans;
     CREATE TABLE events (
         class INTEGER NOT NULL, at INTEGER NOT NULL, mach INTEGER NOT NULL, key INTEGER NOT NULL,
         success INTEGER NOT NULL, body TEXT NOT NULL,
         PRIMARY KEY (class, at, mach, key)
     ) WITHOUT ROWID;
     CREATE TABLE counts (
         day INTEGER NOT NULL, class INTEGER NOT NULL, events INTEGER NOT NULL, PRIMARY KEY (day, class)
     ) WITHOUT ROWID;
     CREATE TABLE days (
         day INTEGER PRIMARY KEY, successes INTEGER NOT NULL, first INTEGER, last INTEGER, longest_gap INTEGER NOT NULL
     );
     CREATE TABLE awake (
         number INTEGER PRIMARY KEY AUTOINCREMENT, boot TEXT NOT NULL,
         at INTEGER NOT NULL, running INTEGER NOT NULL, awake INTEGER NOT NULL
     );
     CREATE UNIQUE INDEX awake_of_boot ON awake (boot, running);
     CREATE TABLE readings (at INTEGER NOT NULL, took INTEGER NOT NULL);",
    // Which Mac it belongs to, and which verdicts there were.
    "CREATE TABLE mac (one INTEGER PRIMARY KEY CHECK (one = 1), hardware_uuid TEXT NOT NULL);
     CREATE TABLE history (
         number INTEGER PRIMARY KEY AUTOINCREMENT, state TEXT NOT NULL, reason TEXT NOT NULL,
         first INTEGER NOT NULL, last INTEGER NOT NULL
     );",
    // Which profiles were installed, so that it shows when one was removed.
    "CREATE TABLE profiles (one INTEGER PRIMARY KEY CHECK (one = 1), digest INTEGER NOT NULL, changed INTEGER);",
];

/// Makes a new file ours, brings an older one up to date, and any file fit for several processes. `false` if a later
/// version made it, which is left as it is.
pub fn prepare(connection: &mut Connection) -> rusqlite::Result<bool> {
    connection.busy_timeout(BUSY)?;
    if missing_steps(connection)?.is_none() {
        return Ok(false);
    }
    // A cache need not survive a power cut to the last second; after one, a refresh reads the log again.
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Another process may have changed the file in the meantime.
    let Some(missing) = missing_steps(&transaction)? else { return Ok(false) };
    if !missing.is_empty() {
        missing.iter().try_for_each(|step| transaction.execute_batch(step))?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", i64::try_from(STEPS.len()).unwrap_or_default())?;
    }
    transaction.commit()?;
    Ok(true)
}

/// The steps that a file has not been through; `None` if it has been through more than there are here.
fn missing_steps(connection: &Connection) -> rusqlite::Result<Option<&'static [&'static str]>> {
    let number = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i32>(0));
    let tables: i64 = connection.query_row("SELECT COUNT(*) FROM sqlite_schema", [], |row| row.get(0))?;
    match (tables, number("application_id")?, usize::try_from(number("user_version")?)) {
        (0, ..) => Ok(Some(&STEPS)),
        (_, APPLICATION_ID, Ok(version @ 1..)) => Ok(STEPS.get(version..)),
        _ => Err(damage("it is not a journal of mdm-health")),
    }
}

fn damage(words: &str) -> rusqlite::Error {
    let error = rusqlite::ffi::Error { code: ErrorCode::NotADatabase, extended_code: rusqlite::ffi::SQLITE_NOTADB };
    rusqlite::Error::SqliteFailure(error, Some(words.to_owned()))
}
