//! The tables of the record, and the check that a file holds these and nothing else: a trigger or a table that only looks
//! like one of them could open the limit.

use rusqlite::Connection;

/// The version of the tables, as `user_version`.
pub const VERSION: i64 = 3;

/// `began_*` is set when a restart is intended, before its first step. `ran` is the Mac's running time in seconds.
pub const TABLES: &str = "
    CREATE TABLE requests (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        parent INTEGER,
        action TEXT NOT NULL,
        reason TEXT,
        force INTEGER NOT NULL,
        dry_run INTEGER NOT NULL,
        requested_at INTEGER NOT NULL,
        began_at INTEGER,
        began_ran INTEGER,
        finished_at INTEGER,
        outcome TEXT NOT NULL,
        method TEXT,
        pid_before INTEGER,
        pid_after INTEGER,
        exit_code INTEGER,
        detail TEXT NOT NULL DEFAULT '',
        next_allowed_at INTEGER
    ) STRICT;
    CREATE TABLE clock (
        one INTEGER PRIMARY KEY CHECK (one = 1),
        ran INTEGER NOT NULL,
        boot TEXT,
        uptime INTEGER NOT NULL
    ) STRICT;";

/// What version 2 added: when each timer last ran.
pub const TIMERS: &str = "
    CREATE TABLE timers (
        name TEXT PRIMARY KEY,
        at INTEGER NOT NULL,
        ran INTEGER NOT NULL
    ) STRICT;";

/// What version 3 added: which Mac the record is of.
pub const OWNER: &str = "
    CREATE TABLE owner (
        one INTEGER PRIMARY KEY CHECK (one = 1),
        hardware_uuid TEXT NOT NULL
    ) STRICT;";

/// What of another version's is not the same as ours, in words; `None` if all is.
pub fn difference(record: &Connection, version: i64) -> Result<Option<String>, rusqlite::Error> {
    let fresh = Connection::open_in_memory()?;
    fresh.execute_batch(TABLES)?;
    if version >= 2 {
        fresh.execute_batch(TIMERS)?;
    }
    if version >= 3 {
        fresh.execute_batch(OWNER)?;
    }
    let (ours, found) = (parts(&fresh)?, parts(record)?);
    let same_name = |one: &Part, other: &Part| (&one.kind, &one.name) == (&other.kind, &other.name);
    Ok(found
        .iter()
        .find_map(|part| match ours.iter().find(|our| same_name(our, part)) {
            None => Some(format!("it has a {} {} that mdm-health did not make", part.kind, part.shown())),
            Some(our) if our != part => Some(format!("its {} {} was changed", part.kind, part.shown())),
            Some(_) => None,
        })
        .or_else(|| {
            let missing = ours.iter().find(|our| !found.iter().any(|part| same_name(our, part)))?;
            Some(format!("its {} {} is missing", missing.kind, missing.name))
        }))
}

/// A table, index, trigger or view.
#[derive(PartialEq, Eq)]
struct Part {
    kind: String,
    name: String,
    table: String,
    sql: Option<String>,
}

impl Part {
    /// Its name, cut short: anybody may have given it.
    fn shown(&self) -> String {
        self.name.chars().take(64).collect()
    }
}

fn parts(record: &Connection) -> Result<Vec<Part>, rusqlite::Error> {
    let mut rows = record.prepare("SELECT type, name, tbl_name, sql FROM sqlite_schema")?;
    let part = |row: &rusqlite::Row<'_>| {
        Ok(Part { kind: row.get(0)?, name: row.get(1)?, table: row.get(2)?, sql: row.get(3)? })
    };
    rows.query_map([], part)?.collect()
}
