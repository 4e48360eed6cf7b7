//! `heal.db`: the record of every request, and what the limits rest on. It is written before anything is done, and
//! refused as a whole when any of it is damaged.
//!
//! SQLite with `journal_mode = TRUNCATE` and `synchronous = FULL`: a commit is on the disk when it returns, because the
//! journal is synced after it is cut. DELETE would need EXTRA for that. WAL too would keep a commit, but in a second
//! file, which stays behind when only `heal.db` is moved or copied; and rows that go missing open the limit.

use super::clock::{Clock, Moment, RunningTime};
use super::{Conclusion, Request};
use crate::host::HostError;
use crate::host::state::{StateError, StateFolder};
use crate::vocabulary::Time;
use crate::vocabulary::codes::{HealMethod, HealOutcome, SourceReason};
use chrono::{DateTime, TimeDelta};
use rusqlite::{Connection, OpenFlags, OptionalExtension, Row, Transaction, TransactionBehavior, params};
use std::path::{Path, PathBuf};
use std::time::Duration;
use thiserror::Error;

/// Its name in the state folder.
const NAME: &str = "heal.db";

/// The version of its tables, as `user_version`.
const VERSION: i64 = 1;

/// How many requests are kept. Beyond it the oldest go, but never one that began a restart: the limits rest on those.
const MAX_REQUESTS: i64 = 10_000;

/// How long to wait for another process that writes.
const PATIENCE: Duration = Duration::from_secs(10);

/// `began_*` is set when a restart is intended, before its first step. `ran` is running time (see [`super::clock`]).
const TABLES: &str = "
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

/// Why there is no record, and so no heal.
#[derive(Debug, Error)]
pub enum LedgerError {
    /// Its folder or file is not ours alone.
    #[error(transparent)]
    State(#[from] StateError),
    /// It is not what we wrote.
    #[error(
        "the record of restarts {path} is damaged: {why}. Nothing is restarted until somebody has looked at it: keep a copy, then move it away, and a new one begins"
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// A newer version wrote it.
    #[error(
        "the record of restarts {path} was written by a newer version of mdm-health (its version is {found}, not {VERSION}): install that one"
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: i64,
    },
    /// SQLite cannot read or write it.
    #[error("the record of restarts cannot be read or written: {0}. Make sure that there is room on the disk")]
    Sql(#[from] rusqlite::Error),
    /// A capture does not hold it.
    #[error(transparent)]
    Recorded(HostError),
    /// What a capture holds of it cannot be read.
    #[error("restarts.json of the capture is no record of restarts: {0}. It may have been changed by hand")]
    BadRecord(serde_json::Error),
    /// Without clocks no limit can be kept.
    #[error("the clocks cannot be read: {0}")]
    Clock(#[from] HostError),
}

impl LedgerError {
    pub fn reason(&self) -> SourceReason {
        match self {
            Self::State(_) => SourceReason::LedgerNotOurs,
            Self::Damaged { .. } => SourceReason::LedgerDamaged,
            Self::Newer { .. } => SourceReason::LedgerNewer,
            Self::Sql(_) => SourceReason::LedgerUnwritable,
            Self::Recorded(error) => error.reason(),
            Self::BadRecord(_) => SourceReason::NotUnderstood,
            Self::Clock(_) => SourceReason::ClockUnreadable,
        }
    }
}

/// The open record.
pub struct Ledger {
    pub(super) connection: Connection,
}

impl Ledger {
    /// Opens the record, and begins one if there is none.
    pub fn open(folder: &StateFolder) -> Result<Self, LedgerError> {
        if folder.file(NAME)?.is_none() {
            folder.publish(NAME, begin)?;
        }
        Self::find(folder)?.ok_or_else(|| damaged(folder.place(NAME), "it went away"))
    }

    /// Opens the record if there is one.
    pub fn find(folder: &StateFolder) -> Result<Option<Self>, LedgerError> {
        folder.file(NAME)?.map(|path| Self::open_file(&path)).transpose()
    }

    fn open_file(path: &Path) -> Result<Self, LedgerError> {
        let broken = |error: rusqlite::Error| match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::DatabaseCorrupt | rusqlite::ErrorCode::NotADatabase) => {
                damaged(path.to_owned(), error)
            }
            _ => LedgerError::Sql(error),
        };
        let flags =
            OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW;
        let connection = Connection::open_with_flags(path, flags).map_err(broken)?;
        durable(&connection).map_err(broken)?;
        let found: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(broken)?;
        if found > VERSION {
            return Err(LedgerError::Newer { path: path.to_owned(), found });
        }
        // An empty file is a database to SQLite, but not ours: ours is never seen before its tables are in it.
        let sound: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(broken)?;
        if found != VERSION || sound != "ok" {
            return Err(damaged(path.to_owned(), if sound == "ok" { "it holds no record" } else { &sound }));
        }
        Ok(Self { connection })
    }

    /// Writes a new request down that is about to be worked on. Gives its number, and the moment by both clocks.
    pub fn open_request(
        &mut self,
        request: &Request,
        parent: Option<i64>,
        clock: &Clock<'_>,
    ) -> Result<(i64, Moment), LedgerError> {
        let change = write(&mut self.connection)?;
        let now = keep_time(&change, clock)?;
        let id = add(&change, request, parent, now.wall)?;
        change.commit()?;
        Ok((id, now))
    }

    /// Writes a request down that is not worked on, and gives its number.
    pub fn refused(&mut self, request: &Request, clock: &Clock<'_>, why: &Conclusion) -> Result<i64, LedgerError> {
        let change = write(&mut self.connection)?;
        let now = keep_time(&change, clock)?;
        let id = add(&change, request, None, now.wall)?;
        finish(&change, id, why, now.wall)?;
        change.commit()?;
        Ok(id)
    }

    /// Looks at the clocks, if a limit hangs on them: the last restart is then younger than it, in running time.
    pub fn keep_time_for(&mut self, limit: TimeDelta, clock: &Clock<'_>) -> Result<(), LedgerError> {
        let last: Option<i64> =
            self.connection.query_row("SELECT max(began_ran) FROM requests", [], |row| row.get(0))?;
        let change = write(&mut self.connection)?;
        if let (Some(last), Some(time)) = (last, running_time(&change)?)
            && time.ran.saturating_sub(last) < limit.num_seconds()
        {
            keep_time(&change, clock)?;
            change.commit()?;
        }
        Ok(())
    }

    /// The last restart of that name that was begun, whatever came of it.
    pub fn last_begun(&self, action: &str) -> Result<Option<Moment>, LedgerError> {
        Ok(last_begun(&self.connection, action)?)
    }

    /// Writes down that a restart is about to begin, if `allowed` says so of the last one, and gives the moment. Both are
    /// one transaction, so that there never are two in a window, even if somebody removes the lock.
    pub fn intend<R>(
        &mut self,
        id: i64,
        action: &str,
        clock: &Clock<'_>,
        pid_before: Option<u32>,
        allowed: impl FnOnce(Option<Moment>, Moment) -> Result<(), R>,
    ) -> Result<Result<Moment, R>, LedgerError> {
        let change = write(&mut self.connection)?;
        let now = keep_time(&change, clock)?;
        if let Err(refusal) = allowed(last_begun(&change, action)?, now) {
            return Ok(Err(refusal));
        }
        let written = change.execute(
            "UPDATE requests SET began_at = ?, began_ran = ?, pid_before = ? WHERE id = ? AND action = ?",
            params![now.wall.timestamp(), now.ran, pid_before, id, action],
        )?;
        if written != 1 {
            return Err(rusqlite::Error::StatementChangedRows(written).into());
        }
        change.commit()?;
        Ok(Ok(now))
    }

    /// Adds a step that was taken.
    pub fn step(&mut self, id: i64, sentence: &str) -> Result<(), LedgerError> {
        self.connection
            .execute("UPDATE requests SET detail = detail || ? || ' ' WHERE id = ?", params![sentence, id])?;
        Ok(())
    }

    /// Writes down what came of a request.
    pub fn finish(&mut self, id: i64, conclusion: &Conclusion, at: Time) -> Result<(), LedgerError> {
        Ok(finish(&self.connection, id, conclusion, at)?)
    }

    /// Closes what a crash left open. Only who holds the lock may do it: then nobody is at work.
    pub fn close_interrupted(&mut self) -> Result<(), LedgerError> {
        self.connection.execute(
            "UPDATE requests SET outcome = ?1, detail = detail || CASE WHEN began_at IS NULL
                THEN 'mdm-health ended before it was answered.'
                ELSE 'mdm-health ended in the middle of it; it counts as a restart.' END
             WHERE outcome = ?2",
            [HealOutcome::Interrupted.word(), HealOutcome::Running.word()],
        )?;
        Ok(())
    }
}

/// Makes the tables of a new record. Nobody else sees the file yet.
fn begin(path: &Path) -> Result<(), LedgerError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let connection = Connection::open_with_flags(path, flags)?;
    // No journal beside it that a crash could leave behind.
    connection.pragma_update(None, "journal_mode", "MEMORY")?;
    connection.execute_batch(&format!("BEGIN; {TABLES} PRAGMA user_version = {VERSION}; COMMIT;"))?;
    Ok(())
}

/// `fullfsync`: on a Mac a plain fsync does not reach the disk.
fn durable(connection: &Connection) -> Result<(), rusqlite::Error> {
    connection.busy_timeout(PATIENCE)?;
    connection.execute_batch("PRAGMA synchronous = FULL; PRAGMA fullfsync = ON;")?;
    connection.pragma_update(None, "journal_mode", "TRUNCATE")
}

fn write(connection: &mut Connection) -> Result<Transaction<'_>, rusqlite::Error> {
    connection.transaction_with_behavior(TransactionBehavior::Immediate)
}

/// The ledger's clock at the last look; `None` before the first.
fn running_time(connection: &Connection) -> Result<Option<RunningTime>, rusqlite::Error> {
    let read = |row: &Row<'_>| Ok(RunningTime { ran: row.get(0)?, boot: row.get(1)?, uptime: row.get(2)? });
    connection.query_row("SELECT ran, boot, uptime FROM clock", [], read).optional()
}

/// Looks at the clocks, within the transaction: looks are written in the order in which they were taken.
fn keep_time(change: &Transaction<'_>, clock: &Clock<'_>) -> Result<Moment, LedgerError> {
    let clocks = clock.look()?;
    let last = running_time(change)?;
    let time = last.map_or_else(|| RunningTime::first(&clocks), |last| last.advance(&clocks));
    let row = params![time.ran, time.boot, time.uptime];
    change.execute("INSERT OR REPLACE INTO clock(one, ran, boot, uptime) VALUES (1, ?, ?, ?)", row)?;
    Ok(Moment { wall: clocks.wall, ran: time.ran })
}

/// Adds a request, and lets the oldest go if there are too many.
fn add(change: &Transaction<'_>, request: &Request, parent: Option<i64>, at: Time) -> Result<i64, rusqlite::Error> {
    let Request { action, reason, force, dry_run, .. } = request;
    change.execute(
        "INSERT INTO requests(parent, action, reason, force, dry_run, requested_at, outcome)
         VALUES (?, ?, ?, ?, ?, ?, ?)",
        params![parent, action, reason, force, dry_run, at.timestamp(), HealOutcome::Running.word()],
    )?;
    let id = change.last_insert_rowid();
    change.execute(
        "DELETE FROM requests WHERE id <= ? AND began_at IS NULL AND outcome <> ?",
        params![id - MAX_REQUESTS, HealOutcome::Running.word()],
    )?;
    Ok(id)
}

fn finish(connection: &Connection, id: i64, conclusion: &Conclusion, at: Time) -> Result<(), rusqlite::Error> {
    let Conclusion { outcome, method, pid_before, pid_after, exit_code, detail, next_allowed_at, .. } = conclusion;
    let (method, next) = (method.map(HealMethod::word), next_allowed_at.map(|next| next.timestamp()));
    connection.execute(
        "UPDATE requests SET finished_at = ?, outcome = ?, method = ?, pid_before = coalesce(?, pid_before),
            pid_after = ?, exit_code = ?, detail = detail || ?, next_allowed_at = ? WHERE id = ?",
        params![at.timestamp(), outcome.word(), method, pid_before, pid_after, exit_code, detail.trim(), next, id],
    )?;
    Ok(())
}

fn last_begun(connection: &Connection, action: &str) -> Result<Option<Moment>, rusqlite::Error> {
    let sql =
        "SELECT began_at, began_ran FROM requests WHERE action = ? AND began_at IS NOT NULL ORDER BY id DESC LIMIT 1";
    let read = |row: &Row<'_>| Ok(time(row, "began_at")?.zip(Some(row.get("began_ran")?)));
    let last = connection.query_row(sql, [action], read).optional()?.flatten();
    Ok(last.map(|(wall, ran)| Moment { wall, ran }))
}

/// A moment of a row.
pub(super) fn time(row: &Row<'_>, column: &str) -> Result<Option<Time>, rusqlite::Error> {
    let Some(seconds) = row.get::<_, Option<i64>>(column)? else { return Ok(None) };
    let time = DateTime::from_timestamp(seconds, 0);
    // An act that cannot be dated must not go unseen.
    time.map(Some).ok_or(rusqlite::Error::IntegralValueOutOfRange(0, seconds))
}

fn damaged(path: PathBuf, why: impl ToString) -> LedgerError {
    LedgerError::Damaged { path, why: why.to_string() }
}
