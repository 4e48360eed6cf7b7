//! What can go wrong with a log, in the terms of `mdm_health_status`, and what of it still counts.

use crate::host::HostError;
use crate::journal::{EventClass, Journal};
use crate::log::{self, LogSummary};
use crate::vocabulary::codes::{SourceReason, SourceState};
use crate::vocabulary::{Fact, Span, Time};

/// How a source failed, in the terms of `mdm_health_status`.
pub type LogTrouble = (SourceState, SourceReason, String);

/// What went wrong while a log was read. A command's own words say more than the fact that it printed nothing.
pub fn log_error(read: Result<&LogSummary, &log::LogError>, ended: Option<&HostError>) -> Option<LogTrouble> {
    match (read, ended) {
        (Err(_), Some(error)) => Some(refused(error)),
        (Ok(_), Some(error)) => Some((SourceState::Partial, refused(error).1, refused(error).2)),
        (Err(error), None) => Some((SourceState::Error, SourceReason::NotALog, format!("{error}."))),
        (Ok(LogSummary { broken: Some(why), .. }), None) => {
            Some((SourceState::Partial, SourceReason::CutOff, format!("Reading the log stopped early: {why}.")))
        }
        (Ok(LogSummary { complete: Some(false), .. }), None) => {
            let detail = "The log ends without its trailer: it was cut off and counts only up to its last record.";
            Some((SourceState::Partial, SourceReason::CutOff, detail.to_owned()))
        }
        (Ok(LogSummary { wrapped_at: Some(width), .. }), None) => {
            let detail = format!(
                "The lines of the log were wrapped at {width} columns by another program, so none of its messages is sure to \
                 be whole. Save the log to a file and pass that."
            );
            Some((SourceState::Partial, SourceReason::NotUnderstood, detail))
        }
        (Ok(LogSummary { lines_not_understood: lines @ 1.., .. }), None) => {
            let detail =
                format!("{lines} lines of the log could not be understood, so a silence in it proves nothing.");
            Some((SourceState::Partial, SourceReason::NotUnderstood, detail))
        }
        (Ok(_), None) => None,
    }
}

/// Why the host gave no log, and what to grant where `log` says so.
///
/// `log: Could not open local log store: Operation not permitted` and `Must be admin`: not root, or no Full Disk Access;
/// `log: Could not open local log store: The specified URL did not refer to a valid log archive`: the store is missing.
pub fn refused(error: &HostError) -> LogTrouble {
    let HostError::Failed { stderr, .. } = error else {
        return (SourceState::Error, error.reason(), format!("{error}."));
    };
    let (reason, advice) = if stderr.contains("Operation not permitted") || stderr.contains("Must be admin") {
        let advice =
            "Run mdm-health as root; where macOS still refuses, give the program that starts it Full Disk Access";
        (SourceReason::LogAccessDenied, advice)
    } else if stderr.contains("did not refer to a valid log archive") {
        (SourceReason::LogStoreMissing, "The Mac's log store is missing; macOS creates it again at the next restart")
    } else {
        return (SourceState::Error, error.reason(), format!("{error}."));
    };
    (SourceState::Error, reason, format!("{error}. {advice}."))
}

/// The span for which the events are all there are: what was asked for if the log was read to its end, else only up to
/// the last record.
pub fn covers(summary: &LogSummary, asked: Option<Span>, ended_well: bool, journal: &Journal) -> Fact<Span> {
    let whole = ended_well && summary.complete != Some(false) && summary.broken.is_none();
    let from = asked.map(|asked| asked.from).or(summary.first);
    let to = if whole { asked.map(|asked| asked.to).or(summary.last) } else { summary.last };
    let from = journal.complete_from.get(EventClass::Device).or(from);
    match (from, to) {
        _ if summary.lines_lost() > 0 => {
            let lines = summary.lines_lost();
            Fact::unknown(SourceReason::NotUnderstood, format!("{lines} lines of the log could not be understood."))
        }
        (Some(from), Some(to)) => Fact::Known(Span { from, to }),
        _ if whole => Fact::unknown(SourceReason::LogEmpty, "the log holds nothing at all."),
        _ => Fact::unknown(SourceReason::CutOff, "the log was cut off before its first record."),
    }
}

/// What is wrong with a log that was read well.
pub fn journal_error(journal: &Journal, now: Time) -> Option<LogTrouble> {
    if let Some((class, dropped)) = journal.dropped.iter().find(|(_, dropped)| **dropped > 0) {
        let events = class.words();
        let (reason, detail) = match class {
            EventClass::Device => (
                SourceReason::TooManyEvents,
                format!("{dropped} old {events} were dropped (limit); coverage starts at the oldest one kept."),
            ),
            EventClass::Updates => (
                SourceReason::TooManyUpdateEvents,
                format!("{dropped} old {events} were dropped (limit); what came before them is unknown."),
            ),
            _ => (SourceReason::TooManyEvents, format!("{dropped} old {events} were dropped (limit).")),
        };
        return Some((SourceState::Partial, reason, detail));
    }
    from_the_future(journal.later_than(now))
}

pub fn from_the_future(events: usize) -> Option<LogTrouble> {
    let detail = || format!("{events} events have times in the future and were left out. Was the clock set back?");
    (events > 0).then(|| (SourceState::Partial, SourceReason::FutureRecords, detail()))
}
