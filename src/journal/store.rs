//! The journal on disk: recognised events, the spans of the log that were read, and how often the server answered.
//!
//! It is a cache in SQLite, shared by several processes. A damaged or foreign file is set aside and built again. Events
//! are keyed by their time first, so that new ones always land at the end of the tree and a refresh costs the same
//! whatever is kept; a record that is read twice has the same key and is kept once.

use super::aside::{AsideReason, set_aside};
use super::awake::AwakeSample;
use super::days::{self, Day};
use super::history::{self, VerdictSpan};
use super::{DayOfReadings, EventClass, KeptEvent, LogReading, PerClass, readings, samples, schema};
use crate::vocabulary::codes::{WatchdogReason, WatchdogState};
use crate::vocabulary::{Span, Time};
use chrono::{DateTime, TimeDelta};
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, Transaction, TransactionBehavior, params};
use std::collections::{BTreeSet, VecDeque};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use thiserror::Error;

/// What is kept at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// How long an event is kept.
    pub age: TimeDelta,
    /// How many events of the device channel are kept, and up to a tenth more; the oldest are dropped first.
    pub events: u64,
}

impl Retention {
    pub fn of(days: u32, events: u32) -> Self {
        Self { age: TimeDelta::days(days.into()), events: events.into() }
    }

    fn most(&self, class: EventClass) -> u64 {
        match class {
            EventClass::Device => self.events,
            EventClass::Updates => self.events / 2,
            EventClass::Users | EventClass::Power | EventClass::Client => self.events / 10,
            // Only whether there are any matters, and when the last one came.
            EventClass::Private => self.events / 100,
        }
    }
}

/// Why the journal on disk is of no use.
#[derive(Debug, Error)]
pub enum StoreError {
    /// SQLite or the disk refuses.
    #[error(
        "the journal {path} cannot be used: {why}. Until then results are kept in memory only and are lost when mdm-health restarts"
    )]
    Unusable { path: PathBuf, why: rusqlite::Error },
    /// A later version of the program made it.
    #[error("the journal {path} was made by a later version of mdm-health and is left alone; update this one")]
    Later { path: PathBuf },
    /// A file that is of no use cannot be moved away.
    #[error("the journal {path} is damaged or another Mac's and cannot be set aside: {why}. Remove it")]
    CannotSetAside { path: PathBuf, why: std::io::Error },
}

/// What the journal on disk holds at one moment.
#[derive(Debug)]
pub struct Loaded {
    /// The newest events of each class, oldest first.
    pub events: PerClass<VecDeque<KeptEvent>>,
    /// The span of the log that was read without a hole up to the latest moment.
    pub span: Option<Span>,
    /// The days that hold successes, oldest first.
    pub days: Vec<Day>,
    /// In the order in which they were taken.
    pub samples: Vec<AwakeSample>,
    /// In the order in which they were seen.
    pub history: Vec<VerdictSpan>,
}

/// The journal on disk.
#[derive(Debug)]
pub struct Store {
    connection: Connection,
    path: PathBuf,
    /// Which file it is, even if the path leads to another one later.
    identity: Option<(u64, u64)>,
    /// Why an old file was set aside when this one was created, and the name that the old file was given.
    pub set_aside: Option<(AsideReason, PathBuf)>,
    seen_version: i64,
}

impl Store {
    /// Opens the journal in a folder that is there, or makes it. Its path must go through no link: SQLite follows none.
    /// `mac` is this Mac's hardware UUID, if it is known.
    pub fn open(path: &Path, mac: Option<&str>, now: Time) -> Result<Self, StoreError> {
        let flaw = match Self::try_open(path) {
            Err(StoreError::Unusable { why, .. }) if is_damage(&why) => AsideReason::Damaged,
            other => {
                let store = other?;
                match mac {
                    Some(mac) if !store.belongs_to(mac)? => AsideReason::OfAnotherMac,
                    _ => return Ok(store),
                }
            }
        };
        let aside = set_aside(path, flaw, now)?;
        let mut store = Self::try_open(path)?;
        if let Some(mac) = mac {
            store.belongs_to(mac)?;
        }
        store.set_aside = Some((flaw, aside));
        Ok(store)
    }

    /// Whether it belongs to that Mac. A journal that belongs to no Mac yet is assigned to that one.
    fn belongs_to(&self, mac: &str) -> Result<bool, StoreError> {
        let ask = || {
            self.connection.execute("INSERT OR IGNORE INTO mac (one, hardware_uuid) VALUES (1, ?1)", [mac])?;
            self.connection.query_row("SELECT hardware_uuid = ?1 FROM mac", [mac], |row| row.get(0))
        };
        ask().map_err(|why| self.unusable(why))
    }

    fn try_open(path: &Path) -> Result<Self, StoreError> {
        let unusable = |why| StoreError::Unusable { path: path.to_owned(), why };
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX
            | OpenFlags::SQLITE_OPEN_NOFOLLOW;
        let mut connection = Connection::open_with_flags(path, flags).map_err(unusable)?;
        if !schema::prepare(&mut connection).map_err(unusable)? {
            return Err(StoreError::Later { path: path.to_owned() });
        }
        Ok(Self { connection, path: path.to_owned(), identity: identity(path), set_aside: None, seen_version: -1 })
    }

    /// Adds events, each once, and marks the span as read. All of it or nothing is on disk afterwards.
    pub fn append(
        &mut self,
        kept: &[KeptEvent],
        span: Option<Span>,
        retention: Retention,
        now: Time,
    ) -> Result<(), StoreError> {
        let work = |transaction: &Transaction<'_>| {
            let mut late = BTreeSet::new();
            for kept in kept {
                if insert(transaction, kept)?
                    && let Some(day) = days::add(transaction, &kept.event)?
                {
                    late.insert(day);
                }
            }
            for day in late {
                days::count_again(transaction, day)?;
            }
            if let Some(span) = span {
                cover(transaction, span)?;
            }
            prune(transaction, retention, now)
        };
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate);
        transaction
            .and_then(|transaction| work(&transaction).and_then(|()| transaction.commit()))
            .map_err(|why| StoreError::Unusable { path: self.path.clone(), why })
    }

    /// What there is at one moment, whatever other processes write meanwhile.
    pub fn load(&self, most: fn(EventClass) -> usize) -> Result<Loaded, StoreError> {
        let snapshot = self.connection.unchecked_transaction().map_err(|why| self.unusable(why))?;
        let mut events = PerClass::default();
        for class in EventClass::ALL {
            *events.get_mut(class) = self.newest(class, most(class))?;
        }
        let samples = samples::all(&self.connection).map_err(|why| self.unusable(why))?;
        let history = self.history()?;
        let loaded = Loaded { events, span: self.latest_span()?, days: self.days()?, samples, history };
        snapshot.commit().map_err(|why| self.unusable(why))?;
        Ok(loaded)
    }

    /// The newest events of a class, oldest first.
    fn newest(&self, class: EventClass, most: usize) -> Result<VecDeque<KeptEvent>, StoreError> {
        let read = || {
            let mut statement = self.connection.prepare_cached(
                "SELECT mach, key, body FROM events WHERE class = ?1 ORDER BY at DESC, mach DESC, key DESC LIMIT ?2",
            )?;
            let most = i64::try_from(most).unwrap_or(i64::MAX);
            let row = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get::<_, String>(2)?));
            let rows = statement.query_map(params![class.number(), most], row)?;
            rows.collect::<Result<Vec<_>, _>>()
        };
        let rows = read().map_err(|why| self.unusable(why))?;
        // If this version does not know a body, another version wrote it, and that version can read it.
        let kept = rows.into_iter().rev().filter_map(|(mach, key, body)| {
            serde_json::from_str(&body).ok().map(|event| KeptEvent { event: Arc::new(event), mach, key })
        });
        Ok(kept.collect())
    }

    /// The span of the log that was read without a hole up to the latest moment.
    fn latest_span(&self) -> Result<Option<Span>, StoreError> {
        self.last_span(i64::MAX)
    }

    /// The span that was read before another one, beyond a hole.
    pub fn span_before(&self, span: Span) -> Result<Option<Span>, StoreError> {
        self.last_span(span.from.timestamp_micros())
    }

    /// The last span that ends before a moment.
    fn last_span(&self, before: i64) -> Result<Option<Span>, StoreError> {
        let found = self
            .connection
            .query_row("SELECT first, last FROM spans WHERE last < ?1 ORDER BY last DESC LIMIT 1", [before], |row| {
                Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?))
            })
            .optional()
            .map_err(|why| self.unusable(why))?;
        Ok(found.and_then(|(first, last)| Some(Span { from: moment(first)?, to: moment(last)? })))
    }

    /// Adds samples of the clocks.
    pub fn add_samples(&mut self, new: &[AwakeSample]) -> Result<(), StoreError> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate);
        transaction
            .and_then(|transaction| samples::add(&transaction, new).and_then(|()| transaction.commit()))
            .map_err(|why| self.unusable(why))
    }

    /// Adds the verdict of one moment.
    pub fn add_verdict(&mut self, state: WatchdogState, reason: WatchdogReason, at: Time) -> Result<(), StoreError> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate);
        transaction
            .and_then(|transaction| history::add(&transaction, state, reason, at).and_then(|()| transaction.commit()))
            .map_err(|why| self.unusable(why))
    }

    /// Notes which profiles are installed, and gives when they last changed.
    pub fn note_profiles(&mut self, digest: i64, now: Time) -> Result<Option<Time>, StoreError> {
        super::profiles::note(&self.connection, digest, now).map_err(|why| self.unusable(why))
    }

    pub fn history(&self) -> Result<Vec<VerdictSpan>, StoreError> {
        history::all(&self.connection).map_err(|why| self.unusable(why))
    }

    pub fn add_reading(&mut self, reading: LogReading) -> Result<(), StoreError> {
        readings::add(&self.connection, reading).map_err(|why| self.unusable(why))
    }

    /// The readings of the day before that moment, by all processes.
    pub fn readings(&self, now: Time) -> Result<DayOfReadings, StoreError> {
        readings::day(&self.connection, now).map_err(|why| self.unusable(why))
    }

    /// Forgets which spans were read, as when the clock was set back; the events stay.
    pub fn forget_spans(&mut self) -> Result<(), StoreError> {
        self.connection.execute("DELETE FROM spans", []).map(|_| ()).map_err(|why| self.unusable(why))
    }

    /// The days that hold successes, oldest first.
    pub fn days(&self) -> Result<Vec<Day>, StoreError> {
        days::all(&self.connection).map_err(|why| self.unusable(why))
    }

    /// How many events are kept.
    pub fn count(&self) -> Result<u64, StoreError> {
        let count =
            self.connection.query_row("SELECT COALESCE(SUM(events), 0) FROM counts", [], |row| row.get::<_, i64>(0));
        count.map(i64::cast_unsigned).map_err(|why| self.unusable(why))
    }

    /// Whether another process wrote since this was asked last.
    pub fn changed_elsewhere(&mut self) -> bool {
        let version = self.connection.pragma_query_value(None, "data_version", |row| row.get(0)).unwrap_or(-1);
        std::mem::replace(&mut self.seen_version, version) != version || version == -1
    }

    /// Whether its path still leads to it.
    pub fn is_in_place(&self) -> bool {
        identity(&self.path) == self.identity
    }

    fn unusable(&self, why: rusqlite::Error) -> StoreError {
        StoreError::Unusable { path: self.path.clone(), why }
    }
}

/// What a journal knows beside events, for a program that does not write there.
#[derive(Debug, Default)]
pub struct JournalGlance {
    pub samples: Vec<AwakeSample>,
    pub history: Vec<VerdictSpan>,
    /// The readings of the last day, by all processes; `None` without a journal.
    pub readings: Option<DayOfReadings>,
}

/// Looks at a journal, by a path without links. It says nothing if it cannot be read, or is another Mac's than that with this hardware UUID.
pub fn glance(path: &Path, mac: Option<&str>, now: Time) -> JournalGlance {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let Ok(journal) = Connection::open_with_flags(path, flags) else { return JournalGlance::default() };
    let owner = journal.query_row("SELECT hardware_uuid FROM mac", [], |row| row.get::<_, String>(0)).ok();
    if owner.zip(mac).is_some_and(|(owner, mac)| owner != mac) {
        return JournalGlance::default();
    }
    JournalGlance {
        samples: samples::all(&journal).unwrap_or_default(),
        history: history::all(&journal).unwrap_or_default(),
        readings: readings::day(&journal, now).ok(),
    }
}

/// Adds an event, if it is not there yet, and says whether it was not.
fn insert(transaction: &Transaction<'_>, kept: &KeptEvent) -> rusqlite::Result<bool> {
    let Ok(body) = serde_json::to_string(kept.event.as_ref()) else { return Ok(false) };
    let (at, mach, key) = kept.place();
    let added = transaction
        .prepare_cached(
            "INSERT OR IGNORE INTO events (class, at, mach, key, success, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![kept.class().number(), at, mach, key, kept.event.is_kept_success(), body])?;
    Ok(added == 1)
}

/// Marks a span as read; spans that touch become one.
fn cover(transaction: &Transaction<'_>, span: Span) -> rusqlite::Result<()> {
    let (from, to) = (span.from.timestamp_micros(), span.to.timestamp_micros());
    let (first, last): (Option<i64>, Option<i64>) = transaction.query_row(
        "SELECT MIN(first), MAX(last) FROM spans WHERE first <= ?2 AND last >= ?1",
        [from, to],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    transaction.execute("DELETE FROM spans WHERE first <= ?2 AND last >= ?1", [from, to])?;
    let joined = [first.unwrap_or(from).min(from), last.unwrap_or(to).max(to)];
    transaction.execute("INSERT INTO spans (first, last) VALUES (?1, ?2)", joined).map(|_| ())
}

const DELETE: &str = "DELETE FROM events WHERE class = ?1 AND at < ?2";

fn prune(transaction: &Transaction<'_>, retention: Retention, now: Time) -> rusqlite::Result<()> {
    // A clock that is far ahead must not empty the journal: age counts back from what was said last.
    let newest = days::newest(transaction)?.map_or(now.timestamp_micros(), |newest| newest.min(now.timestamp_micros()));
    let by_age = newest.saturating_sub(retention.age.num_microseconds().unwrap_or(i64::MAX));
    let cutoff = days::start_of_day(by_age);
    days::forget_before(transaction, cutoff)?;
    history::forget_before(transaction, cutoff)?;
    for class in EventClass::ALL {
        transaction.prepare_cached(DELETE)?.execute(params![class.number(), cutoff])?;
    }
    uncover(transaction, cutoff)?;
    for class in EventClass::ALL {
        let oldest = prune_by_count(transaction, class, retention.most(class))?;
        if let Some(oldest) = oldest.filter(|_| class == EventClass::Device) {
            uncover(transaction, oldest)?;
        }
    }
    Ok(())
}

/// Drops the oldest events of a class where there are too many, and gives the time of the oldest that stays. Finding it
/// costs as much as reading all of them, so it is done only once in a while.
fn prune_by_count(transaction: &Transaction<'_>, class: EventClass, most: u64) -> rusqlite::Result<Option<i64>> {
    if days::count(transaction, class)? <= most.saturating_add(most / 10) {
        return Ok(None);
    }
    let last = i64::try_from(most.saturating_sub(1)).unwrap_or(i64::MAX);
    let oldest: Option<i64> = transaction
        .prepare_cached("SELECT at FROM events WHERE class = ?1 ORDER BY at DESC LIMIT 1 OFFSET ?2")?
        .query_row(params![class.number(), last], |row| row.get(0))
        .optional()?;
    if let Some(oldest) = oldest {
        transaction.prepare_cached(DELETE)?.execute(params![class.number(), oldest])?;
        days::dropped_before(transaction, class, oldest)?;
    }
    Ok(oldest)
}

/// Marks what lies before a moment as not read.
fn uncover(transaction: &Transaction<'_>, before: i64) -> rusqlite::Result<()> {
    transaction.prepare_cached("DELETE FROM spans WHERE last < ?1")?.execute([before])?;
    transaction.prepare_cached("UPDATE spans SET first = ?1 WHERE first < ?1")?.execute([before]).map(|_| ())
}

fn identity(path: &Path) -> Option<(u64, u64)> {
    fs::symlink_metadata(path).ok().map(|found| (found.dev(), found.ino()))
}

fn moment(micros: i64) -> Option<Time> {
    DateTime::from_timestamp_micros(micros)
}

fn is_damage(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt))
}
