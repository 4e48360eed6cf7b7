//! One row for each day: how often the server answered, so that a Mac's usual silence is known without reading all
//! events, and how many events of each class there were.

use super::{Event, EventClass};
use rusqlite::{Connection, OptionalExtension, Result, params};

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

/// The days on disk that have any successes, oldest first.
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

/// Counts an event that was just added. An event in order costs the same however many the day holds. A late one, as
/// when older log is read after newer, returns its day, which must then be counted again.
pub fn add(connection: &Connection, event: &Event) -> Result<Option<i64>> {
    let at = event.at.timestamp_micros();
    let day = at.div_euclid(DAY);
    connection
        .prepare_cached(
            "INSERT INTO counts (day, class, events) VALUES (?1, ?2, 1)
             ON CONFLICT (day, class) DO UPDATE SET events = events + 1",
        )?
        .execute(params![day, EventClass::of(event).number()])?;
    if !event.is_kept_success() {
        return Ok(None);
    }
    connection
        .prepare_cached("INSERT OR IGNORE INTO days (day, successes, longest_gap) VALUES (?1, 0, 0)")?
        .execute([day])?;
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
                 WHERE class = ?4 AND at >= ?2 AND at < ?3 AND success = 1
             )
             UPDATE days SET (successes, first, last, longest_gap) =
                 (SELECT COUNT(*), MIN(at), MAX(at), COALESCE(MAX(gap), 0) FROM answers)
             WHERE day = ?1",
        )?
        .execute(params![day, day * DAY, (day + 1) * DAY, EventClass::Device.number()])?;
    Ok(())
}

/// How many events of a class are on disk.
pub fn count(connection: &Connection, class: EventClass) -> Result<u64> {
    let sum: Option<i64> = connection
        .prepare_cached("SELECT SUM(events) FROM counts WHERE class = ?1")?
        .query_row([class.number()], |row| row.get(0))?;
    Ok(sum.unwrap_or(0).cast_unsigned())
}

/// Counts again after the events of a class before a moment were dropped.
pub fn dropped_before(connection: &Connection, class: EventClass, at: i64) -> Result<()> {
    let (day, number) = (at.div_euclid(DAY), class.number());
    connection.prepare_cached("DELETE FROM counts WHERE class = ?1 AND day < ?2")?.execute(params![number, day])?;
    connection
        .prepare_cached(
            "UPDATE counts SET events = (SELECT COUNT(*) FROM events WHERE class = ?1 AND at >= ?3 AND at < ?4)
             WHERE class = ?1 AND day = ?2",
        )?
        .execute(params![number, day, at, (day + 1) * DAY])?;
    if class == EventClass::Device {
        connection.prepare_cached("DELETE FROM days WHERE day < ?1")?.execute([day])?;
        count_again(connection, day)?;
    }
    Ok(())
}

/// The start of the newest day that holds an event.
pub fn newest(connection: &Connection) -> Result<Option<i64>> {
    let day: Option<i64> =
        connection.prepare_cached("SELECT MAX(day) FROM counts")?.query_row([], |row| row.get(0)).optional()?.flatten();
    Ok(day.map(|day| day * DAY))
}

/// Forgets the days before a moment.
pub fn forget_before(connection: &Connection, at: i64) -> Result<()> {
    let day = at.div_euclid(DAY);
    connection.prepare_cached("DELETE FROM counts WHERE day < ?1")?.execute([day])?;
    connection.prepare_cached("DELETE FROM days WHERE day < ?1")?.execute([day]).map(|_| ())
}

/// The start of the day of a moment.
pub fn start_of_day(at: i64) -> i64 {
    at.div_euclid(DAY).saturating_mul(DAY)
}
