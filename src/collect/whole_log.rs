//! Reads the whole log once: of a recorded Mac, or of a live one that has no journal.

use super::archive_log;
use super::log_errors::{LogTrouble, covers, journal_error, log_error, refused};
use super::talk::Talk;
use crate::event;
use crate::host::{Host, LogSource};
use crate::journal::Journal;
use crate::log::{self, LogSummary, ReadOptions};
use crate::vocabulary::codes::{SourceName, SourceReason, SourceState};
use crate::vocabulary::{Fact, LogCounts, SourceStatus, Span, Time, rfc3339};

/// The log that was read.
pub struct WholeLog {
    pub journal: Journal,
    /// `None` if it could not be read.
    pub summary: Option<LogSummary>,
    pub error: Option<LogTrouble>,
    pub talk: Talk,
    /// A remark about a log that was read well.
    pub note: Option<String>,
    /// When the Mac that wrote the last record booted, if the log says it.
    pub booted_at: Option<Time>,
}

impl WholeLog {
    pub fn read(host: &dyn Host, options: &ReadOptions, span: Span) -> Self {
        if let Some(archive) = host.log_archive() {
            return archive_log::read(archive);
        }
        let mut source = match host.open_log(span, &event::predicate()) {
            Ok(source) => source,
            Err(error) => return Self::unread(refused(&error)),
        };
        let asked = source.span();
        let until = host.now().or(source.written());
        let options = &ReadOptions { until, ..*options };
        let mut journal = Journal::empty(Fact::unknown(SourceReason::NotRead, "the log was not read."));
        let mut talk = Talk::default();
        let read = log::read_log(&mut source, options, |record| {
            talk.take(record);
            if let Some(event) = event::recognise(record) {
                journal.push(event);
            }
        });
        let ended = LogSource::finish(source);
        let error = log_error(read.as_ref(), ended.as_ref().err());
        match (read, error) {
            (Ok(summary), error) => {
                if summary.wrapped_at.is_some() {
                    journal =
                        Journal::empty(Fact::unknown(SourceReason::NotUnderstood, "the log's lines were wrapped."));
                }
                journal.sort();
                journal.readable_at = talk.readable_at;
                journal.records = summary.records;
                journal.covers = covers(&summary, asked, ended.is_ok(), &journal);
                let note = until.filter(|_| summary.undated).map(|until| {
                    let which =
                        if host.now().is_some() { "the moment asked about" } else { "when the file was last written" };
                    format!("Its times have no date: they are the last ones before {}, {which}.", rfc3339(until))
                });
                Self { journal, summary: Some(summary), error, talk, note, booted_at: None }
            }
            (Err(_), Some(error)) => Self::unread(error),
            (Err(error), None) => Self::unread((SourceState::Error, SourceReason::NotALog, format!("{error}."))),
        }
    }

    pub fn unread((state, reason, why): LogTrouble) -> Self {
        let journal = Journal::empty(Fact::unknown(reason, why.clone()));
        let error = Some((state, reason, why));
        Self { journal, summary: None, error, talk: Talk::default(), note: None, booted_at: None }
    }

    /// The moment for which a verdict is asked is known only after the log was read: for a plain log file it is the
    /// time of the last record.
    pub fn judge_at(&mut self, now: Time) {
        // Records that lie in the future say nothing of the time before now.
        if self.summary.as_ref().and_then(|summary| summary.first).is_some_and(|first| first > now) {
            self.journal.records = 0;
        }
        self.error = self.error.take().or_else(|| journal_error(&self.journal, now));
    }

    pub fn status(&self, now: Time, duration_ms: u64) -> SourceStatus {
        let state = self.error.as_ref().map_or(SourceState::Ok, |(state, ..)| *state);
        SourceStatus {
            reason: self.error.as_ref().map(|(_, reason, _)| *reason),
            detail: self.error.as_ref().map(|(.., detail)| detail.clone()).or(self.note.clone()),
            last_error_at: (state != SourceState::Ok).then_some(now),
            covers: self.journal.covers.known().copied(),
            counts: self.summary.as_ref().map(|summary| LogCounts {
                records_read: summary.records,
                events_kept: u64::try_from(self.journal.len()).unwrap_or(u64::MAX),
                lines_skipped: summary.lines_skipped,
                lines_not_understood: summary.lines_not_understood,
            }),
            duration_ms: Some(duration_ms),
            ..SourceStatus::new(SourceName::UnifiedLog, state, now)
        }
    }
}
