//! Which profiles were installed when the Mac was last asked, and since when: a profile that was removed is in no list.

use crate::vocabulary::Time;
use chrono::DateTime;
use rusqlite::{Connection, OptionalExtension, Result, params};

/// Notes the set of profiles by its digest, and gives the time at which another set than the one before was first seen.
/// `None` if there was only one.
pub fn note(connection: &Connection, digest: i64, now: Time) -> Result<Option<Time>> {
    let known: Option<(i64, Option<i64>)> = connection
        .prepare_cached("SELECT digest, changed FROM profiles")?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let changed = match known {
        Some((last, changed)) if last == digest => return Ok(changed.and_then(DateTime::from_timestamp_micros)),
        Some(_) => Some(now.timestamp_micros()),
        None => None,
    };
    connection
        .prepare_cached("INSERT OR REPLACE INTO profiles (one, digest, changed) VALUES (1, ?1, ?2)")?
        .execute(params![digest, changed])?;
    Ok(changed.and_then(DateTime::from_timestamp_micros))
}
