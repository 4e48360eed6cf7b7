//! How reading a source went, as `mdm_health_status` shows it.

use super::codes::{SourceName, SourceReason, SourceState};
use super::{Fact, Span, Time};

/// How reading a source went: a row of `mdm_health_status`.
#[derive(Debug, Clone, PartialEq)]
pub struct SourceStatus {
    pub source: SourceName,
    pub state: SourceState,
    /// Why it is not ok.
    pub reason: Option<SourceReason>,
    /// A sentence for people.
    pub detail: Option<String>,
    /// When it was last read in full.
    pub last_ok_at: Option<Time>,
    /// When reading it last failed.
    pub last_error_at: Option<Time>,
    /// The span read, of a source that has one.
    pub covers: Option<Span>,
    /// What was counted, of a log.
    pub counts: Option<LogCounts>,
    /// Milliseconds that reading took.
    pub duration_ms: Option<u64>,
}

impl SourceStatus {
    /// The status of a source that was read just now and gave that value.
    pub fn of<T>(source: SourceName, value: &Fact<T>, now: Time) -> Self {
        match value {
            Fact::Known(_) => Self::new(source, SourceState::Ok, now),
            Fact::Unknown { reason, why } => {
                let state = match reason {
                    SourceReason::NotCaptured | SourceReason::NoKnownCommand => SourceState::Unavailable,
                    _ => SourceState::Error,
                };
                Self { reason: Some(*reason), detail: Some(why.clone()), ..Self::new(source, state, now) }
            }
        }
    }

    /// A source in that state at that time, without further words.
    pub fn new(source: SourceName, state: SourceState, now: Time) -> Self {
        Self {
            source,
            state,
            reason: None,
            detail: None,
            last_ok_at: (state == SourceState::Ok).then_some(now),
            last_error_at: matches!(state, SourceState::Error | SourceState::Partial).then_some(now),
            covers: None,
            counts: None,
            duration_ms: None,
        }
    }
}

/// What was counted while reading a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LogCounts {
    /// Records of any process.
    pub records_read: u64,
    /// Records that were recognised and kept.
    pub events_kept: u64,
    /// Lines of other programs.
    pub lines_skipped: u64,
    /// Lines that should have been records.
    pub lines_not_understood: u64,
}
