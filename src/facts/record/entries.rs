//! Reading the record's requests, and which daemons they restarted.

use crate::facts::restarts::{DaemonRestarts, Restarts};
use crate::vocabulary::codes::{HealAction, HealMethod, HealOutcome};
use crate::vocabulary::{Code, Time};
use chrono::DateTime;
use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, Row};
use serde::{Deserialize, Serialize};

/// A request in the record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    pub id: i64,
    /// What was asked for, as it was given.
    pub action: String,
    /// Why, in the words of who asked.
    pub reason: Option<String>,
    pub force: bool,
    pub dry_run: bool,
    pub requested_at: Option<Time>,
    pub finished_at: Option<Time>,
    pub outcome: HealOutcome,
    /// How the daemon was restarted.
    pub method: Option<HealMethod>,
    pub pid_before: Option<i64>,
    pub pid_after: Option<i64>,
    /// The exit code of the command that decided.
    pub exit_code: Option<i32>,
    /// What was done, and why.
    pub detail: String,
    /// When the same is allowed again.
    pub next_allowed_at: Option<Time>,
}

/// All requests, in the order in which they came.
pub fn all(record: &Connection) -> Result<Vec<Entry>, rusqlite::Error> {
    let mut rows = record.prepare("SELECT * FROM requests ORDER BY id")?;
    rows.query_map([], entry)?.collect()
}

/// What `mdm_watchdog` shows.
pub fn restarts(record: &Connection) -> Result<Restarts, rusqlite::Error> {
    Ok(Restarts {
        mdmclient: daemon_restarts(record, HealAction::RestartMdmclient)?,
        softwareupdated: daemon_restarts(record, HealAction::RestartSoftwareupdated)?,
    })
}

fn daemon_restarts(record: &Connection, action: HealAction) -> Result<DaemonRestarts, rusqlite::Error> {
    let last_at = record
        .query_row(
            "SELECT began_at FROM requests WHERE action = ? AND outcome = 'done' AND began_at IS NOT NULL
             ORDER BY id DESC LIMIT 1",
            [action.word()],
            |row| time(row, "began_at"),
        )
        .optional()?;
    // The last request that could have restarted it, and whether it or a part of it did.
    let restarted = record
        .query_row(
            "SELECT max(CASE WHEN part.began_at IS NULL THEN 0 WHEN part.outcome = 'done' THEN 2
                WHEN part.outcome IN ('running', 'interrupted', 'unconfirmed') THEN 1 ELSE 0 END)
             FROM requests part WHERE part.action = ?1 AND coalesce(part.parent, part.id) =
                (SELECT max(id) FROM requests WHERE parent IS NULL AND dry_run = 0 AND action IN (?1, 'heal'))",
            [action.word()],
            |row| row.get::<_, Option<i64>>(0),
        )
        .optional()?
        .flatten();
    let by_last_heal = match restarted {
        Some(2) => Some(true),
        Some(1) => None,
        _ => Some(false),
    };
    Ok(DaemonRestarts { by_last_heal, last_at: last_at.flatten() })
}

/// The hardware UUID of the Mac that the record is of; `None` if it is not known yet.
pub fn owner(record: &Connection) -> Result<Option<String>, rusqlite::Error> {
    // Before version 3 there was no such table.
    if !record.table_exists(None, "owner")? {
        return Ok(None);
    }
    record.query_row("SELECT hardware_uuid FROM owner", [], |row| row.get(0)).optional()
}

fn entry(row: &Row<'_>) -> Result<Entry, rusqlite::Error> {
    Ok(Entry {
        id: row.get("id")?,
        action: row.get("action")?,
        reason: row.get("reason")?,
        force: row.get("force")?,
        dry_run: row.get("dry_run")?,
        requested_at: time(row, "requested_at")?,
        finished_at: time(row, "finished_at")?,
        outcome: word(row, "outcome")?.ok_or(rusqlite::Error::InvalidQuery)?,
        method: word(row, "method")?,
        pid_before: row.get("pid_before")?,
        pid_after: row.get("pid_after")?,
        exit_code: row.get("exit_code")?,
        detail: row.get("detail")?,
        next_allowed_at: time(row, "next_allowed_at")?,
    })
}

/// A word of a set. One that we never wrote makes the row unreadable.
fn word<C: Code>(row: &Row<'_>, column: &str) -> Result<Option<C>, rusqlite::Error> {
    let Some(word) = row.get::<_, Option<String>>(column)? else { return Ok(None) };
    let unknown = || rusqlite::Error::FromSqlConversionFailure(0, Type::Text, format!("{word} is not known").into());
    C::from_word(&word).map(Some).ok_or_else(unknown)
}

/// A moment. One that no clock can show is an error: a restart that cannot be dated must not go unseen.
pub fn time(row: &Row<'_>, column: &str) -> Result<Option<Time>, rusqlite::Error> {
    let Some(seconds) = row.get::<_, Option<i64>>(column)? else { return Ok(None) };
    DateTime::from_timestamp(seconds, 0).map(Some).ok_or(rusqlite::Error::IntegralValueOutOfRange(0, seconds))
}
