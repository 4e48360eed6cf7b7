//! The samples of the clocks on disk, taken by however many processes: see `awake`.

use super::awake::AwakeSample;
use chrono::DateTime;
use rusqlite::{Connection, Result, params};

/// How many samples are kept. While the Mac stays awake they take one line for all of that time.
const MOST: i64 = 5_000;

/// Adds samples. One between two others that says nothing beyond them is taken out.
pub fn add(connection: &Connection, samples: &[AwakeSample]) -> Result<()> {
    for sample in samples {
        let before = of_boot(connection, &sample.boot)?;
        if let [.., (_, earlier), (number, between)] = before.as_slice()
            && AwakeSample::is_needless(earlier, between, sample)
        {
            connection.prepare_cached("DELETE FROM awake WHERE number = ?1")?.execute([number])?;
        }
        connection
            .prepare_cached("INSERT OR IGNORE INTO awake (boot, at, running, awake) VALUES (?1, ?2, ?3, ?4)")?
            .execute(params![sample.boot.as_ref(), sample.at.timestamp_micros(), sample.running_ms, sample.awake_ms])?;
    }
    connection
        .prepare_cached("DELETE FROM awake WHERE number <= (SELECT MAX(number) FROM awake) - ?1")?
        .execute([MOST])
        .map(|_| ())
}

/// The last two samples of a boot.
fn of_boot(connection: &Connection, boot: &str) -> Result<Vec<(i64, AwakeSample)>> {
    let mut statement = connection.prepare_cached(
        "SELECT number, at, running, awake, boot FROM awake WHERE boot = ?1 ORDER BY running DESC, number DESC LIMIT 2",
    )?;
    let mut samples = statement.query_map([boot], read)?.collect::<Result<Vec<_>>>()?;
    samples.reverse();
    Ok(samples.into_iter().filter_map(|(number, sample)| Some((number, sample?))).collect())
}

/// All of them, in the order in which they were taken.
pub fn all(connection: &Connection) -> Result<Vec<AwakeSample>> {
    let mut statement =
        connection.prepare_cached("SELECT number, at, running, awake, boot FROM awake ORDER BY number")?;
    let samples = statement.query_map([], read)?.collect::<Result<Vec<_>>>()?;
    Ok(samples.into_iter().filter_map(|(_, sample)| sample).collect())
}

fn read(row: &rusqlite::Row<'_>) -> Result<(i64, Option<AwakeSample>)> {
    let at = DateTime::from_timestamp_micros(row.get(1)?);
    let (running_ms, awake_ms, boot) = (row.get(2)?, row.get(3)?, row.get::<_, String>(4)?.into());
    Ok((row.get(0)?, at.map(|at| AwakeSample { at, running_ms, awake_ms, boot })))
}
