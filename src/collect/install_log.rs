//! install.log, kept up with: the file grows until somebody removes it, and a reading looks only at what was added.
//!
//! What stands before the last record is done with. The last one is read again each time, since more lines may follow it.

use crate::event::{Event, install_log as events};
use crate::host::{Bookmark, Growth, Host, HostError};
use crate::log::install_log::{self, InstallSummary};
use crate::vocabulary::Fact;
use crate::vocabulary::codes::SourceReason;
use memchr::memrchr;
use std::collections::VecDeque;
use std::sync::Arc;

/// Where install.log is.
const INSTALL_LOG: &str = "/private/var/log/install.log";

/// How much of it is read at once, from its end, in bytes.
pub const END: u64 = 8 << 20;

/// How many events are kept; beyond it the oldest go.
const MAX_EVENTS: usize = 20_000;

/// How many changes of the Mac's offset are kept.
const MAX_OFFSETS: usize = 1_000;

/// How many lines the last record may have; where it has more, all that is new is read again the next time.
const MAX_LINES: usize = 1_000;

/// What was read of it.
#[derive(Debug, Clone, Default)]
pub struct InstallLog {
    /// The events, in the order of the file.
    pub events: VecDeque<Arc<Event>>,
    /// What reading came to.
    pub summary: InstallSummary,
    /// Bytes before the part that was read.
    pub left_out: u64,
    /// Events that were let go.
    pub dropped: u64,
    /// Whether it holds anything.
    holds: bool,
}

/// The log, and up to where it is done with.
#[derive(Default)]
pub struct Follower {
    bookmark: Option<Bookmark>,
    done: InstallLog,
    /// With the last record.
    whole: InstallLog,
}

impl Follower {
    /// Reads what is new.
    pub fn read(&mut self, host: &dyn Host) -> Fact<InstallLog> {
        let (bytes, look) = match host.read_growth(INSTALL_LOG, END, self.bookmark.as_ref()) {
            Err(error) => return error.into(),
            Ok(Growth::None) => return self.whole.clone().known(),
            Ok(Growth::More { bytes, look }) => (bytes, Some(look)),
            Ok(Growth::Anew { end, look }) => {
                *self = Self::default();
                self.done.left_out = end.left_out;
                self.bookmark = look.clone().map(|look| Bookmark::new(look, end.left_out));
                (end.bytes, look)
            }
        };
        let (before, last) = bytes.split_at_checked(last_record(&bytes)).unwrap_or_default();
        let added = self.done.add(before).and_then(|()| {
            self.whole = self.done.clone();
            self.whole.add(last)
        });
        if let Err(why) = added {
            *self = Self::default();
            return HostError::Unreadable { path: INSTALL_LOG.into(), why }.into();
        }
        if let (Some(bookmark), Some(look)) = (&mut self.bookmark, look) {
            bookmark.move_behind(before, look);
        }
        self.whole.clone().known()
    }
}

impl InstallLog {
    fn known(self) -> Fact<Self> {
        if self.summary.records == 0 && self.holds {
            let why = format!("No line of {INSTALL_LOG} looks like an installation log.");
            return Fact::unknown(SourceReason::NotUnderstood, why);
        }
        Fact::Known(self)
    }

    /// Adds whole records.
    fn add(&mut self, text: &[u8]) -> std::io::Result<()> {
        let added = install_log::read(text, |record| {
            if let Some(event) = events::recognise(&record) {
                if self.events.len() == MAX_EVENTS {
                    self.events.pop_front();
                    self.dropped += 1;
                }
                self.events.push_back(Arc::new(event));
            }
        })?;
        self.holds |= !text.is_empty();
        let sum = &mut self.summary;
        sum.records += added.records;
        sum.lines_skipped += added.lines_skipped;
        sum.lines_not_understood += added.lines_not_understood;
        sum.first = sum.first.into_iter().chain(added.first).min();
        sum.last = sum.last.max(added.last);
        for span in added.offsets {
            let room = sum.offsets.len() < MAX_OFFSETS;
            match sum.offsets.last_mut() {
                Some(last) if last.offset == span.offset => {
                    (last.from, last.to) = (last.from.min(span.from), last.to.max(span.to));
                }
                _ if room => sum.offsets.push(span),
                _ => {}
            }
        }
        Ok(())
    }
}

/// Where the last record begins; 0 if none is found among the last lines.
fn last_record(text: &[u8]) -> usize {
    // A line that has no end yet may grow into another one.
    let mut end = memrchr(b'\n', text).unwrap_or(0);
    for _ in 0..MAX_LINES {
        let from = memrchr(b'\n', text.get(..end).unwrap_or_default()).map_or(0, |line_end| line_end + 1);
        if from == 0 || begins_record(text.get(from..end).unwrap_or_default()) {
            return from;
        }
        end = from - 1;
    }
    0
}

/// Whether a line begins a record, or at least ends the one before it.
fn begins_record(line: &[u8]) -> bool {
    let may = line.first().is_some_and(|first| first.is_ascii_digit() || *first == b'-');
    may && install_log::read(line, |_| {}).is_ok_and(|read| read.records + read.lines_not_understood > 0)
}
