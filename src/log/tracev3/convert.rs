//! What was read of an archive, in the terms of any log.

use super::StoreSummary;
use super::record::StoredRecord;
use crate::log::{LogRecord, LogSender, LogSummary};
use std::borrow::Cow;

impl<'r> StoredRecord<'r> {
    /// The record as any style of log gives it.
    pub fn to_log_record(&self) -> LogRecord<'r> {
        LogRecord {
            at: self.moment.at,
            sender: LogSender::Image(Cow::Borrowed(self.image)),
            uid: Some(self.uid),
            level: Some(self.level),
            pid: self.pid,
            thread: self.thread,
            subsystem: Cow::Borrowed(self.subsystem),
            category: Cow::Borrowed(self.category),
            message: Cow::Borrowed(self.message),
            boot: Cow::Borrowed(self.boot),
            mach_time: self.ticks,
        }
    }
}

impl StoreSummary {
    /// What reading came to, as of any log. It begins with the first file in which macOS keeps all kinds of records:
    /// others have some that are much older.
    pub fn to_log_summary(&self) -> LogSummary {
        let untimed: u64 = self.counts.untimed.values().sum();
        LogSummary {
            records: self.counts.records,
            lines_not_understood: self.lost + untimed + self.counts.without_strings,
            first: self.persisted_from.map(|moment| moment.at),
            last: self.last.map(|moment| moment.at),
            offset: self.last.and_then(|moment| moment.offset),
            offsets: self.offsets.clone(),
            ..LogSummary::default()
        }
    }
}
