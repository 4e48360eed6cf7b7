//! Follows install.log: a reading looks only at what was added since the last one. At 50 MB macOS rotates the file, and what
//! was rotated away is read once more before the new one.
//!
//! What stands before the last record is done with. The last one is read again each time, since more lines may follow it.

use crate::event::{Event, install_log as events};
use crate::facts::zone::Zone;
use crate::host::{Bookmark, Growth, Host};
use crate::log::install_log::{self, InstallSummary};
use crate::log::old_dates::OldDates;
use crate::vocabulary::codes::SourceReason;
use crate::vocabulary::{Fact, Time};
use memchr::memrchr;
use std::collections::VecDeque;
use std::sync::Arc;

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
    /// Old events that were dropped.
    pub dropped: u64,
    /// Why the file that was rotated away could not be read.
    pub rotated_unread: Option<String>,
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
    /// Reads what is new. Dates without year and offset are of the Mac's zone, and not later than `now`.
    pub fn read(&mut self, host: &dyn Host, zone: &Zone, now: Time) -> Fact<InstallLog> {
        let instant = |local| zone.instant(local);
        let until =
            |modified: Option<Time>| OldDates { until: modified.map_or(now, |at| at.min(now)), instant: &instant };
        let (bytes, look, dates) = match host.read_growth(INSTALL_LOG, END, self.bookmark.as_ref()) {
            Err(error) => return error.into(),
            Ok(Growth::None) => return self.whole.clone().known(),
            Ok(Growth::More { bytes, look }) => {
                let dates = until(look.modified());
                (bytes, Some(look), dates)
            }
            Ok(Growth::Anew { mut end, look }) => {
                *self = Self::default();
                let dates = until(end.modified);
                let current = end.bytes.split_off(end.rotated);
                self.done.add(&end.bytes, &dates);
                self.done.left_out = end.left_out;
                self.done.rotated_unread = end.rotated_unread;
                let before = if end.rotated > 0 { 0 } else { end.left_out };
                self.bookmark = look.clone().map(|look| Bookmark::new(look, before));
                (current, look, dates)
            }
        };
        let (before, last) = bytes.split_at_checked(last_record(&bytes)).unwrap_or_default();
        self.done.add(before, &dates);
        self.whole = self.done.clone();
        self.whole.add(last, &dates);
        if let (Some(bookmark), Some(look)) = (&mut self.bookmark, look) {
            bookmark.move_behind(before, look);
        }
        self.whole.clone().known()
    }
}

impl InstallLog {
    fn known(self) -> Fact<Self> {
        if self.summary.records == 0 && self.holds {
            if self.summary.undated > 0 {
                let why = format!("The dates in {INSTALL_LOG} name no offset, and the Mac's time zone is unknown.");
                return Fact::unknown(SourceReason::ZoneUnknown, why);
            }
            let why = format!("No line of {INSTALL_LOG} looks like an installation log.");
            return Fact::unknown(SourceReason::NotUnderstood, why);
        }
        Fact::Known(self)
    }

    /// Adds whole records.
    fn add(&mut self, text: &[u8], dates: &OldDates<'_>) {
        let added = install_log::read(text, dates, |record| {
            if let Some(event) = events::recognise(&record) {
                if self.events.len() == MAX_EVENTS {
                    self.events.pop_front();
                    self.dropped += 1;
                }
                self.events.push_back(Arc::new(event));
            }
        });
        self.holds |= !text.is_empty();
        let sum = &mut self.summary;
        sum.records += added.records;
        sum.lines_skipped += added.lines_skipped;
        sum.undated += added.undated;
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
    }
}

/// Where the last record begins; 0 if none is found among the last lines.
fn last_record(text: &[u8]) -> usize {
    // A line that has no end yet may grow into another one.
    let mut end = memrchr(b'\n', text).unwrap_or(0);
    for _ in 0..MAX_LINES {
        let from = memrchr(b'\n', text.get(..end).unwrap_or_default()).map_or(0, |line_end| line_end + 1);
        if from == 0 || install_log::begins_record(text.get(from..end).unwrap_or_default()) {
            return from;
        }
        end = from - 1;
    }
    0
}
