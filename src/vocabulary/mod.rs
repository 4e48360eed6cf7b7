//! The words that every room shares: times and spans, facts that may be unknown, and how reading a source went.

pub mod codes;
mod fact;
mod observed;
mod source;
mod text;

pub use codes::Code;
pub use fact::Fact;
pub use observed::{Flaw, Freshness, Limits, Observed, Reading};
pub use source::{LogCounts, SourceStatus};
pub use text::{printable, printable_json};

use chrono::SecondsFormat;

/// A moment. UTC inside the program; epoch seconds in SQL.
pub type Time = chrono::DateTime<chrono::Utc>;

/// A stretch of time, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    pub from: Time,
    pub to: Time,
}

/// `2026-11-23T17:00:00Z`, as sentences for people have it.
pub fn rfc3339(at: Time) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}
