//! One line a day of how often the server answered, so that a Mac's usual silence can be told without reading all events.

use super::Event;
use rusqlite::{Connection, Result, params};

/// Microseconds of a day.
const DAY: i64 = 86_400_000_000;

/// A day's successes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Day {
    /// How many.
    pub successes: u64,
    /// The first, in microseconds since 1970.
    pub first: i64,
    /// The last, in microseconds since 1970.
    pub last: i64,
    /// The longest time between two of them, in microseconds.
    pub longest_gap: i64,
}

/// The days of events in the order of time.
pub fn of<'e>(events: impl Iterator<Item = &'e Event>) -> Vec<Day> {
    let mut days: Vec<Day> = Vec::new();
    for at in events.filter(|event| event.is_kept_success()).map(|event| event.at.timestamp_micros()) {
        match days.last_mut() {
            Some(day) if start_of_day(day.last) == start_of_day(at) => {
                day.successes += 1;
                day.longest_gap = day.longest_gap.max(at - day.last);
                day.last = at;
            }
            _ => days.push(Day { successes: 1, first: at, last: at, longest_gap: 0 }),
        }
    }
    days
}

/// The days that are kept on disk and have any, oldest first.
pub fn all(connection: &Connection) -> Result<Vec<Day>> {
    let mut statement = connection
        .prepare_cached("SELECT successes, first, last, longest_gap FROM days WHERE successes > 0 ORDER BY day")?;
    let days = statement.query_map([], |row| {
        let successes: i64 = row.get(0)?;
        Ok(Day {
            successes: successes.cast_unsigned(),
            first: row.get(1)?,
            last: row.get(2)?,
            longest_gap: row.get(3)?,
        })
    })?;
    days.collect()
}

/// Counts an event that was just added. One in order costs the same whatever the day holds. One that comes late, as when
/// older log is read after newer, gives its day, which then has to be counted again.
pub fn add(connection: &Connection, event: &Event) -> Result<Option<i64>> {
    let at = event.at.timestamp_micros();
    let day = at.div_euclid(DAY);
    let update = i64::from(event.is_update());
    connection
        .prepare_cached(
            "INSERT INTO days (day, events, updates, successes, first, last, longest_gap)
                 VALUES (?1, ?2, ?3, 0, NULL, NULL, 0)
             ON CONFLICT (day) DO UPDATE SET events = events + ?2, updates = updates + ?3",
        )?
        .execute([day, 1 - update, update])?;
    if !event.is_kept_success() {
        return Ok(None);
    }
    let in_order = connection
        .prepare_cached(
            "UPDATE days SET successes = successes + 1, first = COALESCE(first, ?2),
                 longest_gap = MAX(longest_gap, ?2 - COALESCE(last, ?2)), last = ?2
             WHERE day = ?1 AND COALESCE(last, ?2) <= ?2",
        )?
        .execute(params![day, at])?;
    Ok((in_order == 0).then_some(day))
}

/// Counts a day's successes from its events.
pub fn count_again(connection: &Connection, day: i64) -> Result<()> {
    connection
        .prepare_cached(
            "WITH answers AS (
                 SELECT at, at - LAG(at, 1, at) OVER (ORDER BY at) AS gap FROM events
                 WHERE subject = 0 AND at >= ?2 AND at < ?3 AND success = 1
             )
             UPDATE days SET (successes, first, last, longest_gap) =
                 (SELECT COUNT(*), MIN(at), MAX(at), COALESCE(MAX(gap), 0) FROM answers)
             WHERE day = ?1",
        )?
        .execute(params![day, day * DAY, (day + 1) * DAY])?;
    Ok(())
}

/// How many events are kept of those that are about OS updates alone, or of the others.
pub fn sum(connection: &Connection, updates: bool) -> Result<u64> {
    let sum = if updates { "SELECT SUM(updates) FROM days" } else { "SELECT SUM(events) FROM days" };
    let sum: Option<i64> = connection.prepare_cached(sum)?.query_row([], |row| row.get(0))?;
    Ok(sum.unwrap_or(0).cast_unsigned())
}

/// Counts again after events before a moment were let go: those about OS updates alone, or the others.
pub fn let_go_before(connection: &Connection, updates: bool, at: i64) -> Result<()> {
    let day = at.div_euclid(DAY);
    let (none, some) = if updates {
        (
            "UPDATE days SET updates = 0 WHERE day < ?1 AND updates > 0",
            "UPDATE days SET updates = (SELECT COUNT(*) FROM events WHERE subject = 1 AND at >= ?2 AND at < ?3) WHERE day = ?1",
        )
    } else {
        (
            "UPDATE days SET (events, successes, first, last, longest_gap) = (0, 0, NULL, NULL, 0)
             WHERE day < ?1 AND events > 0",
            "UPDATE days SET events = (SELECT COUNT(*) FROM events WHERE subject = 0 AND at >= ?2 AND at < ?3) WHERE day = ?1",
        )
    };
    connection.prepare_cached(none)?.execute([day])?;
    connection.prepare_cached(some)?.execute([day, at, (day + 1) * DAY])?;
    if !updates {
        count_again(connection, day)?;
    }
    connection.prepare_cached("DELETE FROM days WHERE events = 0 AND updates = 0")?.execute([]).map(|_| ())
}

/// The start of the newest day that holds an event.
pub fn newest(connection: &Connection) -> Result<Option<i64>> {
    let day: Option<i64> = connection.prepare_cached("SELECT MAX(day) FROM days")?.query_row([], |row| row.get(0))?;
    Ok(day.map(|day| day * DAY))
}

/// Forgets the days before a moment.
pub fn forget_before(connection: &Connection, at: i64) -> Result<()> {
    connection.prepare_cached("DELETE FROM days WHERE day < ?1")?.execute([at.div_euclid(DAY)]).map(|_| ())
}

/// The start of the day of a moment.
pub fn start_of_day(at: i64) -> i64 {
    at.div_euclid(DAY).saturating_mul(DAY)
}
