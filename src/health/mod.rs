//! What it means: pure rules over events, facts and a clock value.

pub mod commands;
pub mod exchanges;
pub mod watchdog;

use crate::Time;
use crate::event::Event;
use crate::facts::Fact;
use crate::facts::enrollment::ProfilesStatus;
use crate::facts::restarts::Restarts;
use crate::journal::Journal;
use commands::Command;
use exchanges::Exchange;
use watchdog::Verdict;

/// All that was read: what the tables rest on.
#[derive(Debug, Clone)]
pub struct Evidence {
    /// The moment for which a verdict is asked.
    pub now: Time,
    /// What the log said.
    pub journal: Journal,
    /// What `profiles status` says.
    pub profiles_status: Fact<ProfilesStatus>,
    /// Since when the Mac has been awake.
    pub awake_since: Fact<Time>,
    /// What mdm-health itself restarted.
    pub restarts: Fact<Restarts>,
    /// How reading went, one entry a source.
    pub sources: Vec<SourceStatus>,
}

/// How reading a source went: a row of `mdm_health_status`.
#[derive(Debug, Clone, PartialEq)]
pub struct SourceStatus {
    /// The source's name.
    pub source: &'static str,
    /// How it went.
    pub state: SourceState,
    /// A stable code for why it is not ok.
    pub reason: Option<&'static str>,
    /// A sentence for people.
    pub detail: Option<String>,
    /// When it was last read in full.
    pub last_ok_at: Option<Time>,
    /// When reading it last failed.
    pub last_error_at: Option<Time>,
    /// The span read, of a source that has one.
    pub covers: Option<crate::host::Span>,
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

/// How reading a source went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SourceState {
    /// All of it was read.
    Ok,
    /// Some of it was read.
    Partial,
    /// It could not be read.
    Error,
    /// There is no such source here.
    Unavailable,
}

impl SourceState {
    /// The word in SQL.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Partial => "partial",
            Self::Error => "error",
            Self::Unavailable => "unavailable",
        }
    }
}

/// What the evidence means. Everything later than `evidence.now` is left out.
#[derive(Debug, Clone)]
pub struct Findings {
    /// What was read.
    pub evidence: Evidence,
    /// The MDM commands, in the order in which the log first names them.
    pub commands: Vec<Command>,
    /// The HTTP requests, in the order in which they were sent.
    pub exchanges: Vec<Exchange>,
    /// Whether the MDM client is healthy.
    pub verdict: Verdict,
}

impl Findings {
    /// Applies the rules.
    pub fn new(evidence: Evidence) -> Self {
        let events: Vec<&Event> = evidence.journal.events().filter(|event| event.at <= evidence.now).collect();
        let commands = commands::assemble(&events);
        let exchanges = exchanges::pair(&events);
        let verdict = watchdog::judge(&evidence, &events, &commands, &exchanges);
        Self { commands, exchanges, verdict, evidence }
    }
}
