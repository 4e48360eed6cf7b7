//! What reading costs the Mac: the row `cost` of `mdm_health_status`.

use crate::journal::DayOfReadings;
use crate::vocabulary::codes::{SourceName, SourceState};
use crate::vocabulary::{SourceStatus, Time};

/// Milliseconds of a day.
const DAY: u64 = 86_400_000;

pub fn status(day: DayOfReadings, now: Time) -> SourceStatus {
    let DayOfReadings { readings, took_ms } = day;
    // In hundredths of a per cent of one core.
    let share = took_ms.saturating_mul(10_000) / DAY;
    let detail = format!(
        "The log was read {readings} times in the last 24 hours, in {}.{} s of log show: {}.{:02} % of one core at most.",
        took_ms / 1000,
        took_ms % 1000 / 100,
        share / 100,
        share % 100
    );
    SourceStatus {
        detail: Some(detail),
        duration_ms: Some(took_ms),
        ..SourceStatus::new(SourceName::Cost, SourceState::Ok, now)
    }
}
