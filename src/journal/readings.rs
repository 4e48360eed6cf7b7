//! When the log was read and how long that took: what it costs the Mac, over all processes.

use crate::vocabulary::Time;
use chrono::TimeDelta;
use rusqlite::{Connection, Result};

/// For how long it is kept.
const KEPT: TimeDelta = TimeDelta::hours(24);

/// One run of `log show`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogReading {
    pub at: Time,
    pub took_ms: u64,
}

/// The readings of a day.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DayOfReadings {
    pub readings: u64,
    pub took_ms: u64,
}

impl DayOfReadings {
    /// Those of the day before that moment.
    pub fn of(readings: &[LogReading], now: Time) -> Self {
        let within = readings.iter().filter(|reading| now - KEPT <= reading.at && reading.at <= now);
        within.fold(Self::default(), |sum, reading| Self {
            readings: sum.readings + 1,
            took_ms: sum.took_ms.saturating_add(reading.took_ms),
        })
    }
}

pub fn add(connection: &Connection, reading: LogReading) -> Result<()> {
    let at = reading.at.timestamp_micros();
    let took_ms = i64::try_from(reading.took_ms).unwrap_or(i64::MAX);
    connection.prepare_cached("INSERT INTO readings (at, took) VALUES (?1, ?2)")?.execute([at, took_ms])?;
    connection
        .prepare_cached("DELETE FROM readings WHERE at < ?1")?
        .execute([(reading.at - KEPT).timestamp_micros()])?;
    Ok(())
}

/// Those of the day before that moment.
pub fn day(connection: &Connection, now: Time) -> Result<DayOfReadings> {
    let (from, to) = ((now - KEPT).timestamp_micros(), now.timestamp_micros());
    connection
        .prepare_cached("SELECT COUNT(*), COALESCE(SUM(took), 0) FROM readings WHERE at >= ?1 AND at <= ?2")?
        .query_row([from, to], |row| {
            let (readings, took_ms): (i64, i64) = (row.get(0)?, row.get(1)?);
            Ok(DayOfReadings { readings: readings.cast_unsigned(), took_ms: took_ms.cast_unsigned() })
        })
}
