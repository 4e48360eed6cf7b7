//! The past verdicts, each with its first and last time. They are kept longer than the log that they rest on.

use crate::vocabulary::codes::{WatchdogReason, WatchdogState};
use crate::vocabulary::{Code, Time};
use chrono::{DateTime, TimeDelta};
use rusqlite::{Connection, OptionalExtension, Result, params};

/// How many rows are kept: enough for a month of a Mac whose verdict changes every quarter of an hour.
const MOST: i64 = 3_000;

/// How much older than the last verdict one from another process may be. If it is older still, its clock was set back.
const LATE: TimeDelta = TimeDelta::minutes(10);

/// A stretch of time in which every look gave the same verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VerdictSpan {
    pub state: WatchdogState,
    pub reason: WatchdogReason,
    /// When it was first seen.
    pub from: Time,
    /// When it was last seen.
    pub to: Time,
}

/// Adds the verdict of one moment: to the last span if it is the same, else as a new one.
pub fn add(connection: &Connection, state: WatchdogState, reason: WatchdogReason, at: Time) -> Result<()> {
    let last: Option<(i64, String, String, i64)> = connection
        .prepare_cached("SELECT number, state, reason, last FROM history ORDER BY number DESC LIMIT 1")?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))
        .optional()?;
    let micros = at.timestamp_micros();
    if let Some((number, last_state, last_reason, last_at)) = last {
        let behind = last_at.saturating_sub(micros);
        if (1..=LATE.num_microseconds().unwrap_or(i64::MAX)).contains(&behind) {
            return Ok(());
        }
        if (last_state.as_str(), last_reason.as_str()) == (state.word(), reason.word()) && behind <= 0 {
            return connection
                .prepare_cached("UPDATE history SET last = ?1 WHERE number = ?2")?
                .execute([micros, number])
                .map(|_| ());
        }
    }
    connection
        .prepare_cached("INSERT INTO history (state, reason, first, last) VALUES (?1, ?2, ?3, ?3)")?
        .execute(params![state.word(), reason.word(), micros])?;
    connection
        .prepare_cached("DELETE FROM history WHERE number <= (SELECT MAX(number) FROM history) - ?1")?
        .execute([MOST])
        .map(|_| ())
}

/// All of them, in the order in which they were seen. One with a word of another version is left out.
pub fn all(connection: &Connection) -> Result<Vec<VerdictSpan>> {
    let mut statement = connection.prepare_cached("SELECT state, reason, first, last FROM history ORDER BY number")?;
    let rows = statement.query_map([], |row| {
        let (state, reason): (String, String) = (row.get(0)?, row.get(1)?);
        let (from, to) = (DateTime::from_timestamp_micros(row.get(2)?), DateTime::from_timestamp_micros(row.get(3)?));
        Ok(WatchdogState::from_word(&state)
            .zip(WatchdogReason::from_word(&reason))
            .zip(from.zip(to))
            .map(|((state, reason), (from, to))| VerdictSpan { state, reason, from, to }))
    })?;
    Ok(rows.collect::<Result<Vec<_>>>()?.into_iter().flatten().collect())
}

/// Forgets what ended before a moment.
pub fn forget_before(connection: &Connection, at: i64) -> Result<()> {
    connection.prepare_cached("DELETE FROM history WHERE last < ?1")?.execute([at]).map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::super::schema;
    use super::*;
    use WatchdogReason::{CommandHung, NoContact, RecentSuccess};
    use WatchdogState::{Ok as Well, Quiet, Stuck};

    fn minute(minute: i64) -> Time {
        DateTime::from_timestamp(1_795_000_000 + minute * 60, 0).unwrap()
    }

    fn seen(verdicts: &[(i64, WatchdogState, WatchdogReason)]) -> Vec<(WatchdogState, i64, i64)> {
        let mut connection = Connection::open_in_memory().unwrap();
        schema::prepare(&mut connection).unwrap();
        verdicts.iter().for_each(|(at, state, reason)| add(&connection, *state, *reason, minute(*at)).unwrap());
        let since = |at: Time| (at - minute(0)).num_minutes();
        all(&connection).unwrap().iter().map(|span| (span.state, since(span.from), since(span.to))).collect()
    }

    #[test]
    fn looks_with_the_same_verdict_are_one_span() {
        let spans = seen(&[
            (0, Well, RecentSuccess),
            (30, Well, RecentSuccess),
            (120, Quiet, NoContact),
            (150, Quiet, NoContact),
            (180, Stuck, CommandHung),
            (210, Well, RecentSuccess),
        ]);
        assert_eq!(spans, [(Well, 0, 30), (Quiet, 120, 150), (Stuck, 180, 180), (Well, 210, 210)]);
    }

    #[test]
    fn a_verdict_that_another_process_came_to_earlier_changes_nothing() {
        let spans = seen(&[(30, Well, RecentSuccess), (29, Quiet, NoContact), (31, Well, RecentSuccess)]);
        assert_eq!(spans, [(Well, 30, 31)]);
    }

    #[test]
    fn after_the_clock_was_set_back_a_new_span_begins() {
        let spans = seen(&[(300, Well, RecentSuccess), (0, Well, RecentSuccess), (30, Quiet, NoContact)]);
        assert_eq!(spans, [(Well, 300, 300), (Well, 0, 0), (Quiet, 30, 30)]);
    }
}
