//! Reads a live Mac's log: each refresh reads what is new since the last one, and no more.
//!
//! The first refresh reads only the watchdog's window, so that a verdict is ready soon; so does the first refresh after
//! a long pause. What lies before the window, up to a day, is read afterwards unless it was read already. If `log show`
//! dies or is killed, what it printed until then counts; the rest is not covered.

use super::cost;
use super::journal_file::JournalFile;
use super::log_errors::{LogTrouble, from_the_future, log_error, refused};
use super::native_log;
use super::sources::milliseconds;
use super::talk::Talk;
use crate::event;
use crate::health::Evidence;
use crate::health::window::WINDOW;
use crate::host::pieces::LogArchive;
use crate::host::{Host, HostError, LogSource};
use crate::journal::store::Retention;
use crate::journal::{Journal, KeptEvent, LogReading};
use crate::log::tracev3::ReadPlaces;
use crate::log::{self, LogSummary, ReadOptions};
use crate::vocabulary::codes::{SourceName, SourceReason, SourceState};
use crate::vocabulary::{Fact, LogCounts, SourceStatus, Span, Time};
use chrono::TimeDelta;
use std::path::Path;
use std::time::{Duration, Instant};

/// How many events are written at once.
const CHUNK: usize = 1_000;

/// How much is read again, so that no record falls between two refreshes: the log shows some late, and a clock may be
/// set back a little.
const OVERLAP: TimeDelta = TimeDelta::minutes(5);

/// How much more than the window the first refresh reads.
const MARGIN: TimeDelta = TimeDelta::minutes(5);

/// How far back a refresh reads on from where the last one ended: twice as far as the window, so that a program that is
/// started every 95 minutes leaves no hole.
const READ_ON: TimeDelta = TimeDelta::hours(3);

/// How far back the log is read once there is time for it.
const BACK: TimeDelta = TimeDelta::hours(24);

/// How long after a failed backfill the next is tried.
const BACK_AGAIN: Duration = Duration::from_secs(3600);

/// The log of a live Mac, and what is kept of it: the newest events in memory, and the journal on disk.
pub struct LiveLog {
    /// What is on disk.
    pub file: JournalFile,
    /// The events in memory.
    journal: Journal,
    /// The span that was read without a hole up to the latest moment.
    span: Option<Span>,
    status: SourceStatus,
    talk: Talk,
    /// When the latest record of any process was written.
    heard: Option<Time>,
    no_backfill_before: Option<Instant>,
    /// Up to where the files of the log were read, where they are read themselves.
    places: ReadPlaces,
}

impl LiveLog {
    /// The log of which nothing was read yet, with its journal in that folder.
    pub fn new(folder: &Path, retention: Retention, now: Time) -> Self {
        let status = SourceStatus::of(SourceName::UnifiedLog, &unread::<()>(), now);
        Self {
            file: JournalFile::new(folder, retention),
            journal: Journal::empty(unread()),
            span: None,
            status,
            talk: Talk::default(),
            heard: None,
            no_backfill_before: None,
            places: ReadPlaces::default(),
        }
    }

    /// Loads what other processes wrote to the journal. Call it before taking `now`, so that their spans end before it.
    /// `mac` is the Mac's hardware UUID: a journal that was copied from another Mac says nothing of this one.
    pub fn sync_from_disk(&mut self, mac: Option<&str>, retention: Retention, now: Time) {
        if self.file.assign(mac, retention) {
            // All of it is on disk, and stays there even if it belongs to another Mac.
            (self.journal, self.span) = (Journal::empty(unread()), None);
        }
        if self.file.open(now) {
            // What was read while there was none is on disk before anything is loaded from there.
            let unwritten: Vec<KeptEvent> = self.journal.kept().cloned().collect();
            self.file.append(&unwritten, self.span, now);
        }
        self.load_changes();
    }

    /// Loads what is on disk if another process wrote there: its spans count only together with its events.
    fn load_changes(&mut self) {
        if self.file.changed_elsewhere() {
            self.load();
        }
    }

    fn load(&mut self) {
        if let Some((events, span)) = self.file.load() {
            self.journal = Journal::new(events, unread());
            self.span = span;
        }
    }

    /// Keeps events, each once, on disk and in memory, and what was read of the log.
    fn keep(&mut self, new: Vec<KeptEvent>, span: Option<Span>, now: Time) {
        self.file.append(&new, span, now);
        // Another process may have written the same events first, so only memory says what is new here.
        self.journal.add(new);
        if let Some(span) = span {
            let touches = |old: &Span| old.from <= span.to && span.from <= old.to;
            self.span = Some(match self.span {
                Some(old) if touches(&old) => Span { from: old.from.min(span.from), to: old.to.max(span.to) },
                Some(old) if old.to > span.to => old,
                _ => span,
            });
        }
    }

    /// Reads what is new.
    pub fn refresh(&mut self, host: &dyn Host, options: &ReadOptions, now: Time) {
        // The log was read up to a time in the future: the clock was set back, and the spans mean nothing any more.
        if self.span.is_some_and(|span| span.to > now) {
            self.span = None;
            self.file.forget_spans();
        }
        let read_on = self.span.map(|span| span.to - OVERLAP).filter(|from| *from > now - READ_ON);
        let from = read_on.unwrap_or(now - WINDOW - MARGIN);
        if read_on.is_none() {
            self.places = ReadPlaces::default();
        }
        self.read(host, options, Span { from, to: now }, now);
    }

    /// Whether the log of the last day was not read yet and is to be.
    pub fn is_backfill_due(&self, now: Time) -> bool {
        let may = self.no_backfill_before.is_none_or(|at| Instant::now() >= at);
        may && self.span.is_none_or(|span| span.from > now - BACK)
    }

    /// Reads what lies before the covered span, up to a day or to what was read before, unless that is done already.
    /// Returns whether it read anything.
    pub fn backfill(&mut self, host: &dyn Host, options: &ReadOptions, now: Time) -> bool {
        let Some(span) = self.span.filter(|_| self.is_backfill_due(now)) else { return false };
        self.no_backfill_before = Some(Instant::now() + BACK_AGAIN);
        let status = self.status.clone();
        // What lies beyond the gap was read before, and need not be read again.
        let before = self.file.span_before(span);
        let from = before.map_or(now - BACK, |before| (before.to - OVERLAP).max(now - BACK));
        let places = std::mem::take(&mut self.places);
        self.read(host, options, Span { from, to: span.from + OVERLAP }, now);
        self.places = places;
        if before.is_some() {
            self.load();
        }
        let failed = self.status.detail.take();
        // The verdict rests on the refresh, so a failed backfill does not change it: less of the past is known, and the
        // status says so.
        self.status = match failed {
            Some(why) if status.state == SourceState::Ok => SourceStatus {
                state: SourceState::Partial,
                reason: Some(SourceReason::LookBackFailed),
                detail: Some(format!("Backfill incomplete: older log entries could not be read: {why}")),
                covers: self.span,
                last_error_at: Some(now),
                ..status
            },
            _ => SourceStatus { covers: self.span, ..status },
        };
        true
    }

    /// Puts what is known of the log, and what reading it cost, into the evidence.
    pub fn put_into(&mut self, evidence: &mut Evidence, now: Time) {
        evidence.journal = self.journal();
        evidence.still_reading = self.is_backfill_due(now);
        let statuses = [self.status.clone(), self.talk.status(None, now), self.journal_status(now)];
        statuses.into_iter().for_each(|status| evidence.set_other_source(status));
        evidence.set_other_source(cost::status(self.file.day_of_readings(now), now));
    }

    /// The events and what they cover.
    pub fn journal(&self) -> Journal {
        let why_not = match &self.status {
            SourceStatus { reason: Some(reason), detail: Some(why), .. } => Fact::unknown(*reason, why.as_str()),
            _ => unread(),
        };
        let mut journal = self.journal.clone();
        journal.cover(self.span.map_or(why_not, Fact::Known));
        (journal.records, journal.readable_at) = (self.records(), self.talk.readable_at);
        journal.days = self.file.days().to_vec();
        journal
    }

    /// The least number of records known to be in the covered span: an emptied log store looks like one that never held
    /// anything.
    fn records(&self) -> u64 {
        let read = self.status.counts.map_or(0, |counts| counts.records_read);
        let within = |at: Time| self.span.is_some_and(|span| span.from <= at && at <= span.to);
        read.max(u64::from(self.heard.is_some_and(within) || self.journal.any(within)))
    }

    /// How keeping the journal on disk went.
    pub fn journal_status(&self, now: Time) -> SourceStatus {
        self.file.status(self.span, now)
    }

    fn read(&mut self, host: &dyn Host, options: &ReadOptions, span: Span, now: Time) {
        if let Some(archive) = host.log_archive() {
            return self.read_store(archive, span, now);
        }
        let start = Instant::now();
        let mut source = match host.open_log(span, &event::predicate()) {
            Ok(source) => source,
            Err(error) => return self.note(None, Some(refused(&error)), now, start),
        };
        let mut chunk = Vec::new();
        let read = log::read_log(&mut source, options, |record| {
            self.talk.take(record);
            if let Some(event) = event::recognise(record) {
                chunk.push(KeptEvent::new(event, record));
                if chunk.len() == CHUNK {
                    // The covered span is known only at the end: an earlier line may not have been understood.
                    self.keep(std::mem::take(&mut chunk), None, now);
                }
            }
        });
        let ended = LogSource::finish(source);
        let mut covered = covered(read.as_ref().ok(), ended.as_ref().err(), span);
        if read.as_ref().is_ok_and(|summary| summary.records == 0) && self.knows_of_before(now - WINDOW) {
            // A log that holds nothing at all for longer than the window may have been emptied in between, so the
            // covered span does not extend from the earlier records to now.
            covered = covered.map(|span| Span { from: span.from.max(now - WINDOW), ..span });
            covered = covered.filter(|span| span.from <= span.to);
        }
        self.talk.counted(covered, now);
        self.keep(chunk, covered, now);
        self.load_changes();
        self.heard = self.heard.max(read.as_ref().ok().and_then(|summary| summary.last));
        let error = log_error(read.as_ref(), ended.as_ref().err());
        let error = error.or_else(|| from_the_future(self.journal.later_than(now)));
        self.note(read.ok(), error, now, start);
    }

    /// Reads what is new in the files of the log.
    fn read_store(&mut self, archive: LogArchive<'_>, span: Span, now: Time) {
        let start = Instant::now();
        let read = match native_log::read(archive, &mut self.places, &mut self.talk, span) {
            Ok(read) => read,
            Err(error) => return self.note(None, Some(error), now, start),
        };
        let counted = read.summary.last.map(|last| Span { to: last.max(span.from), ..span });
        self.talk.counted(counted, now);
        self.keep(read.events, read.covered, now);
        self.load_changes();
        self.heard = self.heard.max(read.summary.last);
        let error = read.error.or_else(|| from_the_future(self.journal.later_than(now)));
        self.note(Some(read.summary), error, now, start);
    }

    /// Whether anything is known to have been said before that moment.
    fn knows_of_before(&self, at: Time) -> bool {
        self.heard.is_some_and(|heard| heard < at) || self.journal.any(|said| said < at)
    }

    fn note(&mut self, summary: Option<LogSummary>, error: Option<LogTrouble>, now: Time, start: Instant) {
        let took_ms = milliseconds(start);
        self.file.add_reading(LogReading { at: now, took_ms });
        let state = error.as_ref().map_or(SourceState::Ok, |(state, ..)| *state);
        let events_kept = u64::try_from(self.journal.len()).unwrap_or(u64::MAX);
        self.status = SourceStatus {
            reason: error.as_ref().map(|(_, reason, _)| *reason),
            detail: error.map(|(.., detail)| detail),
            last_ok_at: if state == SourceState::Ok { Some(now) } else { self.status.last_ok_at },
            last_error_at: if state == SourceState::Ok { self.status.last_error_at } else { Some(now) },
            covers: self.span,
            counts: summary.map(|summary| LogCounts {
                records_read: summary.records,
                events_kept,
                lines_skipped: summary.lines_skipped,
                lines_not_understood: summary.lines_not_understood,
            }),
            duration_ms: Some(took_ms),
            ..SourceStatus::new(SourceName::UnifiedLog, state, now)
        };
    }
}

fn unread<T>() -> Fact<T> {
    Fact::unknown(SourceReason::NotRead, "the log was not read yet.")
}

/// What a reading covers: all that was asked for if it came to its end, else up to its last record.
fn covered(summary: Option<&LogSummary>, ended: Option<&HostError>, asked: Span) -> Option<Span> {
    let summary = summary?;
    // A line that could not be understood may be the one that matters.
    if summary.lines_lost() > 0 {
        return None;
    }
    if ended.is_none() && summary.complete == Some(true) && summary.broken.is_none() {
        return Some(asked);
    }
    summary.last.filter(|last| *last >= asked.from).map(|last| Span { from: asked.from, to: last.min(asked.to) })
}
