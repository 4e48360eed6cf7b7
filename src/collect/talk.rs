//! What mdmclient's daemon wrote in the log: how many records at each level, and how many of them macOS shows as
//! `<private>`. Their content is unknown, so they cannot show that the client was silent.

use crate::event;
use crate::log::{Level, LogRecord};
use crate::vocabulary::codes::{SourceName, SourceReason, SourceState};
use crate::vocabulary::{LogCounts, SourceStatus, Span, Time};
use chrono::TimeDelta;
use std::collections::BTreeMap;

/// For how long the records of a live log are counted.
const COUNTED: TimeDelta = TimeDelta::hours(24);

#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    /// In the order of `Level::ALL`, and those of which no level is known.
    levels: [u64; Level::ALL.len()],
    unknown_level: u64,
    private: u64,
}

#[derive(Debug, Clone, Default)]
pub struct Talk {
    /// By the hour since 1970.
    hours: BTreeMap<i64, Counts>,
    /// What was counted: a record that is read again is not counted again.
    counted: Option<Span>,
    /// When the last record that can be read was written.
    pub readable_at: Option<Time>,
}

impl Talk {
    pub fn take(&mut self, record: &LogRecord<'_>) {
        if !event::is_of_the_mdm_daemon(record) {
            return;
        }
        let private = event::is_private(record);
        if !private {
            self.readable_at = self.readable_at.max(Some(record.at));
        }
        if self.counted.is_some_and(|span| span.from <= record.at && record.at <= span.to) {
            return;
        }
        let counts = self.hours.entry(hour(record.at)).or_default();
        counts.private += u64::from(private);
        let level = record.level.and_then(|level| Level::ALL.iter().position(|one| *one == level));
        match level.and_then(|place| counts.levels.get_mut(place)) {
            Some(count) => *count += 1,
            None => counts.unknown_level += 1,
        }
    }

    /// Marks a span of a live log as counted.
    pub fn counted(&mut self, span: Option<Span>, now: Time) {
        let Some(span) = span else { return };
        let known =
            self.counted.map_or(span, |known| Span { from: known.from.min(span.from), to: known.to.max(span.to) });
        self.counted = Some(Span { from: known.from.max(now - COUNTED).min(known.to), ..known });
        self.hours.retain(|at, _| *at > hour(now - COUNTED) && *at <= hour(now));
    }

    /// The row of `mdm_health_status`; `read` is what was read of the log, if it could be read.
    pub fn status(&self, read: Option<Span>, now: Time) -> SourceStatus {
        let status = |state| SourceStatus::new(SourceName::MdmclientRecords, state, now);
        let Some(covers) = self.counted.or(read) else {
            let (reason, detail) = (Some(SourceReason::NotRead), Some("The log was not read.".to_owned()));
            return SourceStatus { reason, detail, ..status(SourceState::Unavailable) };
        };
        let mut sum = Counts::default();
        for counts in self.hours.values() {
            sum.levels.iter_mut().zip(counts.levels).for_each(|(sum, count)| *sum += count);
            sum.unknown_level += counts.unknown_level;
            sum.private += counts.private;
        }
        let records = sum.levels.iter().sum::<u64>() + sum.unknown_level;
        let (state, reason) = match sum.private {
            0 => (SourceState::Ok, None),
            private if private < records => (SourceState::Partial, Some(SourceReason::PrivateMessages)),
            _ => (SourceState::Error, Some(SourceReason::PrivateMessages)),
        };
        let levels = Level::ALL.iter().zip(sum.levels).map(|(level, count)| (format!("{level:?}"), count));
        let levels = levels.chain([("without a level".to_owned(), sum.unknown_level)]).filter(|(_, count)| *count > 0);
        let levels: Vec<String> = levels.map(|(level, count)| format!("{count} {level}")).collect();
        let detail = match records {
            0 => "mdmclient's daemon wrote no record in this time.".to_owned(),
            _ => format!("{records} records ({}), {} of them <private>.", levels.join(", "), sum.private),
        };
        let counts = LogCounts { records_read: records, ..LogCounts::default() };
        SourceStatus { reason, detail: Some(detail), covers: Some(covers), counts: Some(counts), ..status(state) }
    }
}

fn hour(at: Time) -> i64 {
    at.timestamp().div_euclid(3600)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::LogSender;
    use chrono::DateTime;

    fn minute(minute: i64) -> Time {
        DateTime::from_timestamp(1_795_000_000 + minute * 60, 0).unwrap()
    }

    fn record(at: Time, message: &str, uid: u32, level: Level) -> LogRecord<'_> {
        LogRecord {
            at,
            sender: LogSender::Image("/usr/libexec/mdmclient".into()),
            uid: Some(uid),
            level: Some(level),
            pid: 1,
            thread: 1,
            subsystem: "".into(),
            category: "".into(),
            message: message.into(),
            boot: "".into(),
            mach_time: 0,
        }
    }

    #[test]
    fn records_are_counted_once_and_users_agents_not_at_all() {
        let mut talk = Talk::default();
        let first = Span { from: minute(0), to: minute(30) };
        talk.take(&record(minute(1), "<private>", 0, Level::Default));
        talk.take(&record(minute(2), "No commands", 0, Level::Info));
        talk.take(&record(minute(3), "<private>", 501, Level::Default));
        talk.counted(Some(first), minute(30));
        talk.take(&record(minute(2), "No commands", 0, Level::Info));
        talk.take(&record(minute(31), "<private>", 0, Level::Default));
        talk.counted(Some(Span { from: minute(25), to: minute(60) }), minute(60));
        let status = talk.status(None, minute(60));
        assert_eq!((status.state, status.reason), (SourceState::Partial, Some(SourceReason::PrivateMessages)));
        assert_eq!(status.detail.as_deref(), Some("3 records (1 Info, 2 Default), 2 of them <private>."));
        assert_eq!(status.covers, Some(Span { from: minute(0), to: minute(60) }));
        assert_eq!(talk.readable_at, Some(minute(2)));
    }

    #[test]
    fn after_a_day_they_count_no_more() {
        let mut talk = Talk::default();
        talk.take(&record(minute(1), "<private>", 0, Level::Default));
        talk.counted(Some(Span { from: minute(0), to: minute(30) }), minute(30));
        let now = minute(30) + COUNTED + TimeDelta::hours(1);
        talk.take(&record(now, "No commands", 0, Level::Default));
        talk.counted(Some(Span { from: minute(30), to: now }), now);
        let status = talk.status(None, now);
        assert_eq!(
            (status.state, status.detail.as_deref()),
            (SourceState::Ok, Some("1 records (1 Default), 0 of them <private>."))
        );
    }

    #[test]
    fn a_log_that_was_not_read_has_no_counts() {
        let status = Talk::default().status(None, minute(0));
        assert_eq!((status.state, status.reason), (SourceState::Unavailable, Some(SourceReason::NotRead)));
    }
}
