//! Writing the record of restarts: each request before anything is looked at, each restart before its first step.

use super::clock::{Clock, Moment, RunningTime, rounded_up};
use super::request::{Conclusion, Request};
use crate::facts::record::{self, NAME, OWNER, RecordError, TABLES, TIMERS, VERSION, damaged, time};
use crate::host::HostError;
use crate::host::state::{StateError, StateFolder};
use crate::vocabulary::Time;
use crate::vocabulary::codes::{HealMethod, HealOutcome, SourceReason};
use chrono::TimeDelta;
use rusqlite::{Connection, OpenFlags, OptionalExtension, Row, Transaction, TransactionBehavior, params};
use std::path::Path;
use thiserror::Error;

/// How many requests are kept, whatever came of them. Of the older ones, these stay: those that began a restart, since
/// the limits rest on them, the `heal` that asked for it, and the last one of each action. Even with the longest texts,
/// osquery takes all of them in one answer.
const MAX_REQUESTS: i64 = 1_000;

/// Why a request cannot be recorded, so that nothing is restarted.
#[derive(Debug, Error)]
pub enum LedgerError {
    #[error(transparent)]
    Record(#[from] RecordError),
    /// Without clocks no limit can be kept.
    #[error("the clocks cannot be read: {0}")]
    Clock(#[from] HostError),
}

impl From<rusqlite::Error> for LedgerError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Record(error.into())
    }
}

impl From<StateError> for LedgerError {
    fn from(error: StateError) -> Self {
        Self::Record(error.into())
    }
}

impl LedgerError {
    pub fn reason(&self) -> SourceReason {
        match self {
            Self::Record(error) => error.reason(),
            Self::Clock(_) => SourceReason::ClockUnreadable,
        }
    }
}

/// What runs from time to time, whichever process looks first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Timer {
    /// The automatic heal.
    Heal,
    /// The outputs that the LaunchDaemon writes to the system's log.
    Watchdog,
}

impl Timer {
    fn name(self) -> &'static str {
        match self {
            Self::Heal => "heal",
            Self::Watchdog => "watchdog",
        }
    }
}

/// How much too early a timer may run: launchd starts a job a moment sooner or later.
const SLACK: TimeDelta = TimeDelta::seconds(30);

/// The record, open for writing.
pub struct Ledger {
    connection: Connection,
}

impl Ledger {
    /// Opens the record, and begins one if there never was one.
    pub fn open(folder: &StateFolder) -> Result<Self, LedgerError> {
        if let Some(ledger) = Self::find(folder)? {
            return Ok(ledger);
        }
        folder.publish(NAME, begin)?;
        Self::find(folder)?.ok_or_else(|| damaged(folder.place(NAME), "it was removed meanwhile").into())
    }

    /// Opens the record if there is one.
    pub fn find(folder: &StateFolder) -> Result<Option<Self>, LedgerError> {
        let Some(mut connection) = record::open(folder)? else { return Ok(None) };
        if version(&connection)? < VERSION {
            upgrade(&mut connection)?;
        }
        Ok(Some(Self { connection }))
    }

    /// Makes the record this Mac's. One that was copied from another Mac begins anew, with a row that says so.
    pub fn claim(&mut self, hardware_uuid: Option<&str>, at: Time) -> Result<(), LedgerError> {
        let Some(mac) = hardware_uuid else { return Ok(()) };
        let owner = record::owner(&self.connection)?;
        if owner.as_deref() == Some(mac) {
            return Ok(());
        }
        let change = write(&mut self.connection)?;
        // Another process may have been first.
        let owner = record::owner(&change)?;
        if owner.is_some_and(|owner| owner != mac) {
            let requests: i64 = change.query_row("SELECT count(*) FROM requests", [], |row| row.get(0))?;
            let detail = format!("This record was copied from another Mac. Its {requests} requests were removed.");
            change.execute_batch("DELETE FROM requests; DELETE FROM clock; DELETE FROM timers;")?;
            change.execute(
                "INSERT INTO requests(action, force, dry_run, requested_at, finished_at, outcome, detail)
                 VALUES ('begin_record', 0, 0, ?1, ?1, ?2, ?3)",
                params![at.timestamp(), HealOutcome::BegunAnew.word(), detail],
            )?;
        }
        change.execute("INSERT OR REPLACE INTO owner(one, hardware_uuid) VALUES (1, ?)", [mac])?;
        change.commit()?;
        Ok(())
    }

    /// Records a new request that is about to be carried out. Returns its number, and the moment by both clocks.
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

    /// Records a request that is not carried out, and returns its number.
    pub fn refused(&mut self, request: &Request, clock: &Clock<'_>, why: &Conclusion) -> Result<i64, LedgerError> {
        let change = write(&mut self.connection)?;
        let now = keep_time(&change, clock)?;
        let id = add(&change, request, None, now.wall)?;
        finish(&change, id, why, now.wall)?;
        change.commit()?;
        Ok(id)
    }

    /// Reads the clocks if a limit depends on them: if the last restart is younger than the limit, in running time.
    pub fn keep_time_for(&mut self, limit: TimeDelta, clock: &Clock<'_>) -> Result<(), LedgerError> {
        let last: Option<i64> =
            self.connection.query_row("SELECT max(began_ran) FROM requests", [], |row| row.get(0))?;
        let change = write(&mut self.connection)?;
        if let (Some(last), Some(time)) = (last, running_time(&change)?)
            && time.ran.saturating_sub(last) <= limit.num_seconds()
        {
            keep_time(&change, clock)?;
            change.commit()?;
        }
        Ok(())
    }

    /// The last restart of that name that began, whatever came of it.
    pub fn last_begun(&self, action: &str) -> Result<Option<Moment>, LedgerError> {
        Ok(last_begun(&self.connection, action)?)
    }

    /// Records that a restart is about to begin, if `allowed` agrees after seeing the last one, and returns the moment.
    /// Both happen in one transaction, so that there are never two restarts within the limit, even if somebody removes
    /// the lock.
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
        let now = now.rounded_up();
        let written = change.execute(
            "UPDATE requests SET began_at = ?, began_ran = ?, pid_before = ? WHERE id = ? AND action = ?",
            params![now.wall.timestamp(), now.ran.num_seconds(), pid_before, id, action],
        )?;
        if written != 1 {
            return Err(rusqlite::Error::StatementChangedRows(written).into());
        }
        change.commit()?;
        Ok(Ok(now))
    }

    /// Withdraws the note that a restart is about to begin. Allowed only before a step that could disturb the daemon: a
    /// restart that has begun counts.
    pub fn withdraw(&mut self, id: i64) -> Result<(), LedgerError> {
        self.connection.execute("UPDATE requests SET began_at = NULL, began_ran = NULL WHERE id = ?", [id])?;
        Ok(())
    }

    /// Records a step that was taken.
    pub fn step(&mut self, id: i64, sentence: &str) -> Result<(), LedgerError> {
        self.connection
            .execute("UPDATE requests SET detail = detail || ? || ' ' WHERE id = ?", params![sentence, id])?;
        Ok(())
    }

    /// Whether the wall clock alone says that the timer is not due yet. It costs next to nothing to ask.
    pub fn ran_just_now(&self, timer: Timer, interval: TimeDelta, wall: Time) -> Result<bool, LedgerError> {
        let passed = last_run(&self.connection, timer)?.map(|last| wall - last.wall);
        Ok(passed.is_some_and(|passed| TimeDelta::zero() <= passed && passed < interval - SLACK))
    }

    /// Whether that timer is due, since it last ran `interval` ago or more; then it runs now. One that never ran is due at
    /// once if `at_first` says so, and else in an interval from now.
    pub fn is_due(
        &mut self,
        timer: Timer,
        interval: TimeDelta,
        at_first: bool,
        clock: &Clock<'_>,
    ) -> Result<bool, LedgerError> {
        let change = write(&mut self.connection)?;
        let now = keep_time(&change, clock)?;
        let last = last_run(&change, timer)?;
        let due = last.map_or(at_first, |last| last.waiting(interval - SLACK, now).is_none());
        if due || last.is_none() {
            change.execute(
                "INSERT OR REPLACE INTO timers(name, at, ran) VALUES (?, ?, ?)",
                params![timer.name(), now.wall.timestamp(), now.ran.num_seconds()],
            )?;
        }
        change.commit()?;
        Ok(due)
    }

    /// Records what came of a request.
    pub fn finish(&mut self, id: i64, conclusion: &Conclusion, at: Time) -> Result<(), LedgerError> {
        Ok(finish(&self.connection, id, conclusion, at)?)
    }

    /// Closes what a crash left open. Only the holder of the lock may do it: then no other request is being carried out.
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
    connection.execute_batch(&format!("BEGIN; {TABLES} {TIMERS} {OWNER} PRAGMA user_version = {VERSION}; COMMIT;"))?;
    Ok(())
}

fn version(connection: &Connection) -> Result<i64, rusqlite::Error> {
    connection.query_row("PRAGMA user_version", [], |row| row.get(0))
}

/// Adds what an older version did not have.
fn upgrade(connection: &mut Connection) -> Result<(), rusqlite::Error> {
    let change = write(connection)?;
    // Another process may have been first.
    let found = version(&change)?;
    if found < 2 {
        change.execute_batch(TIMERS)?;
    }
    if found < VERSION {
        change.execute_batch(&format!("{OWNER} PRAGMA user_version = {VERSION};"))?;
        change.commit()?;
    }
    Ok(())
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
    Ok(time.moment(&clocks))
}

/// Adds a request, and drops the oldest if there are too many.
fn add(change: &Transaction<'_>, request: &Request, parent: Option<i64>, at: Time) -> Result<i64, rusqlite::Error> {
    let Request { action, reason, force, dry_run, .. } = request;
    change.execute(
        "INSERT INTO requests(parent, action, reason, force, dry_run, requested_at, outcome)
         VALUES (?, ?, ?, ?, ?, ?, ?)",
        params![parent, action, reason, force, dry_run, at.timestamp(), HealOutcome::Running.word()],
    )?;
    let id = change.last_insert_rowid();
    change.execute(
        "DELETE FROM requests WHERE id <= ? AND began_at IS NULL AND outcome <> ?
         AND id NOT IN (SELECT parent FROM requests WHERE parent IS NOT NULL AND began_at IS NOT NULL)
         AND id NOT IN (SELECT max(id) FROM requests WHERE parent IS NULL AND dry_run = 0
                        AND action IN ('heal', 'restart_mdmclient', 'restart_softwareupdated') GROUP BY action)",
        params![id - MAX_REQUESTS, HealOutcome::Running.word()],
    )?;
    Ok(id)
}

fn finish(connection: &Connection, id: i64, conclusion: &Conclusion, at: Time) -> Result<(), rusqlite::Error> {
    let Conclusion { outcome, method, pid_before, pid_after, exit_code, detail, next_allowed_at, .. } = conclusion;
    let (method, next) = (method.map(HealMethod::word), next_allowed_at.map(|next| rounded_up(next).timestamp()));
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
    connection.query_row(sql, [action], |row| moment(row, "began_at", "began_ran")).optional()
}

fn last_run(connection: &Connection, timer: Timer) -> Result<Option<Moment>, rusqlite::Error> {
    let sql = "SELECT at, ran FROM timers WHERE name = ?";
    connection.query_row(sql, [timer.name()], |row| moment(row, "at", "ran")).optional()
}

/// A moment of the record, in whole seconds. A value that no clock can show is an error; it never counts as "no
/// moment".
fn moment(row: &Row<'_>, wall: &str, ran: &str) -> Result<Moment, rusqlite::Error> {
    let seconds: i64 = row.get(ran)?;
    let impossible = || rusqlite::Error::IntegralValueOutOfRange(0, seconds);
    Ok(Moment {
        wall: time(row, wall)?.ok_or_else(impossible)?,
        ran: TimeDelta::try_seconds(seconds).ok_or_else(impossible)?,
    })
}
