//! The record of restarts, `heal.db`, as everybody reads it. Only heal writes it.
//!
//! SQLite with `journal_mode = TRUNCATE` and `synchronous = FULL`: a commit is on the disk when it returns, because the
//! journal is synced after it is cut. DELETE would need EXTRA for that. WAL would keep a commit too, but in a second
//! file, which stays behind when only `heal.db` is moved or copied; and rows that go missing open the limit.

mod entries;
mod schema;

pub use entries::{Entry, owner, time};
pub use schema::{OWNER, TABLES, TIMERS, VERSION};

use super::platform;
use super::restarts::Restarts;
use crate::host::state::{StateError, StateFolder};
use crate::host::{Host, HostError};
use crate::vocabulary::Fact;
use crate::vocabulary::codes::SourceReason;
use rusqlite::{Connection, OpenFlags};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::time::Duration;
use thiserror::Error;

/// Its name in the state folder.
pub const NAME: &str = "heal.db";

/// The file beside it that is locked while a request is carried out. It stays, and shows that there was a record.
pub const LOCK: &str = "heal.lock";

/// How long to wait for another process that is writing.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// Why the record cannot be used. Without it nothing is restarted.
#[derive(Debug, Error)]
pub enum RecordError {
    #[error(transparent)]
    State(#[from] StateError),
    #[error(
        "the record of restarts {path} is damaged: {why}. Nothing is restarted until an admin acts: keep a copy, then as root move it and {LOCK} beside it away, and a new record is created"
    )]
    Damaged { path: PathBuf, why: String },
    #[error(
        "the record of restarts {path} was written by a newer version of mdm-health (its version is {found}, not {VERSION}): install that one"
    )]
    Newer { path: PathBuf, found: i64 },
    /// There was one, and somebody took it away.
    #[error(
        "the record of restarts {path} was removed, so nobody knows what was restarted. Nothing is restarted until an admin acts: put it back, or as root remove {LOCK} beside it, and a new record is created"
    )]
    Missing { path: PathBuf },
    #[error("the record of restarts cannot be read or written: {0}. Make sure that there is room on the disk")]
    Sql(rusqlite::Error),
    /// Its tables are ours, and what stands in them is not.
    #[error(
        "the record of restarts {NAME} holds a value that mdm-health never wrote: {0}. Nothing is restarted until somebody has looked at it: keep a copy, then move it and {LOCK} beside it away as root, and a new one is begun"
    )]
    ForeignValue(rusqlite::Error),
    /// A capture does not hold it.
    #[error(transparent)]
    NotCaptured(HostError),
    #[error("restarts.json of the capture is not a valid record of restarts: {0}. It may have been changed by hand")]
    BadCapture(serde_json::Error),
}

impl From<rusqlite::Error> for RecordError {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::Error::{
            FromSqlConversionFailure, IntegralValueOutOfRange, InvalidColumnType, InvalidQuery, Utf8Error,
        };
        match error {
            FromSqlConversionFailure(..)
            | IntegralValueOutOfRange(..)
            | InvalidColumnType(..)
            | InvalidQuery
            | Utf8Error(..) => Self::ForeignValue(error),
            _ => Self::Sql(error),
        }
    }
}

impl RecordError {
    pub fn reason(&self) -> SourceReason {
        match self {
            Self::State(_) => SourceReason::LedgerNotOurs,
            Self::Damaged { .. } | Self::ForeignValue(_) => SourceReason::LedgerDamaged,
            Self::Newer { .. } => SourceReason::LedgerNewer,
            Self::Missing { .. } => SourceReason::LedgerMissing,
            Self::Sql(_) => SourceReason::LedgerUnwritable,
            Self::NotCaptured(error) => error.reason(),
            Self::BadCapture(_) => SourceReason::NotUnderstood,
        }
    }
}

/// The record as a capture carries it.
#[derive(Debug, Serialize, Deserialize)]
pub struct Record {
    /// What `mdm_watchdog` shows.
    pub restarts: Restarts,
    pub requests: Vec<Entry>,
}

/// The record of a live Mac, or what a capture holds of one.
pub fn record(host: &dyn Host, state_dir: &Path) -> Result<Record, RecordError> {
    Ok(Record { restarts: known_restarts(host, state_dir)?, requests: entries(host, state_dir)? })
}

/// Which daemons mdm-health restarted on this Mac, and when.
pub fn restarts(host: &dyn Host, state_dir: &Path) -> Fact<Restarts> {
    match known_restarts(host, state_dir) {
        Ok(restarts) => Fact::Known(restarts),
        Err(error) => Fact::unknown(error.reason(), format!("{error}.")),
    }
}

/// Every request in the record, in the order in which they came.
pub fn entries(host: &dyn Host, state_dir: &Path) -> Result<Vec<Entry>, RecordError> {
    read(host, state_dir, Vec::new(), |record| Ok(entries::all(record)?), |record| record.requests)
}

fn known_restarts(host: &dyn Host, state_dir: &Path) -> Result<Restarts, RecordError> {
    read(host, state_dir, Restarts::NONE, |record| Ok(entries::restarts(record)?), |record| record.restarts)
}

/// Reads a part of the record. A live Mac without a record was never asked for anything; a capture without one says
/// nothing.
fn read<T>(
    host: &dyn Host,
    state_dir: &Path,
    none: T,
    live: impl FnOnce(&Connection) -> Result<T, RecordError>,
    captured: impl FnOnce(Record) -> T,
) -> Result<T, RecordError> {
    if host.is_live() {
        let folder = StateFolder::find(state_dir)?;
        let record = folder.map_or(Ok(None), |folder| open(&folder))?;
        let Some(record) = record else { return Ok(none) };
        return if is_of_another_mac(&record, host)? { Ok(none) } else { live(&record) };
    }
    let bytes = host.recorded_restarts().map_err(RecordError::NotCaptured)?;
    serde_json::from_slice(&bytes).map(captured).map_err(RecordError::BadCapture)
}

/// Whether it was copied from another Mac: then it says nothing of this one, and begins anew with the next request.
fn is_of_another_mac(record: &Connection, host: &dyn Host) -> Result<bool, RecordError> {
    let owner = entries::owner(record)?;
    Ok(owner.is_some_and(|owner| platform::hardware_uuid(host).is_some_and(|mac| mac != owner)))
}

/// Opens the record, if there ever was one, after checking that it is whole and ours.
pub fn open(folder: &StateFolder) -> Result<Option<Connection>, RecordError> {
    folder.check_above()?;
    // Looked for first: the record is in place before anybody takes the lock.
    let locked_before = folder.file(LOCK)?.is_some();
    match folder.file(NAME)? {
        Some(path) => open_file(&path).map(Some),
        None if locked_before => Err(RecordError::Missing { path: folder.place(NAME) }),
        None => Ok(None),
    }
}

fn open_file(path: &Path) -> Result<Connection, RecordError> {
    let broken = |error: rusqlite::Error| match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::DatabaseCorrupt | rusqlite::ErrorCode::NotADatabase) => {
            damaged(path.to_owned(), error)
        }
        _ => RecordError::Sql(error),
    };
    // For writing, so that what a crash left in its journal can be rolled back.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let connection = Connection::open_with_flags(path, flags).map_err(broken)?;
    make_durable(&connection).map_err(broken)?;
    let found: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(broken)?;
    if found > VERSION {
        return Err(RecordError::Newer { path: path.to_owned(), found });
    }
    // An empty file is a database to SQLite, but not ours: ours is never seen before its tables are in it.
    let sound: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(broken)?;
    if sound != "ok" {
        return Err(damaged(path.to_owned(), sound));
    }
    if found <= 0 {
        return Err(damaged(path.to_owned(), "it holds no record"));
    }
    if let Some(why) = schema::difference(&connection, found).map_err(broken)? {
        return Err(damaged(path.to_owned(), why));
    }
    // A record of which a disk lost a part must not pass for another Mac's, which would begin anew.
    if entries::owner(&connection).map_err(broken)?.is_some_and(|owner| !platform::is_uuid(&owner)) {
        return Err(damaged(path.to_owned(), "it does not say of which Mac it is"));
    }
    Ok(connection)
}

/// `fullfsync`: on a Mac a plain fsync does not reach the disk.
fn make_durable(connection: &Connection) -> Result<(), rusqlite::Error> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.execute_batch("PRAGMA synchronous = FULL; PRAGMA fullfsync = ON;")?;
    connection.pragma_update(None, "journal_mode", "TRUNCATE")
}

pub fn damaged(path: PathBuf, why: impl ToString) -> RecordError {
    RecordError::Damaged { path, why: why.to_string() }
}
