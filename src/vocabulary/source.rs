//! How reading a source went, as `mdm_health_status` shows it.

use super::codes::{SourceName, SourceReason, SourceState};
use super::{Span, Time};

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
