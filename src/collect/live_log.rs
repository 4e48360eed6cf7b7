//! The live log, kept up with: each refresh reads what is new since the last one, and no more.
//!
//! The first refresh reads the watchdog's window, so that a verdict is there soon, and so does one after a long pause;
//! what lies before it and was not read yet, up to a day, is read afterwards. What was read before `log show` died or
//! was stopped counts; the rest is not covered.

use super::log_errors::{LogError, from_the_future, log_error, refused};
use crate::event;
use crate::health::window::WINDOW;
use crate::host::state::StateFolder;
use crate::host::{Host, HostError, LogSource};
use crate::journal::store::{Kept, Loaded, Retention, Store, StoreError};
use crate::journal::{Day, Journal};
use crate::log::{self, LogSummary, ReadOptions};
use crate::vocabulary::codes::{SourceName, SourceReason, SourceState};
use crate::vocabulary::{Fact, LogCounts, SourceStatus, Span, Time};
use chrono::TimeDelta;
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How many events the rules and tables look at; older ones stay on disk, and the days tell of them.
const IN_MEMORY: usize = 5_000;

/// How many events about OS updates alone they look at.
const UPDATES_IN_MEMORY: usize = 10_000;

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

/// How long after a failed look back the next is tried.
const BACK_AGAIN: Duration = Duration::from_secs(3600);

/// The journal of a live Mac, on disk where possible and in memory always.
pub struct LiveLog {
    /// Where the journal lies.
    folder: PathBuf,
    store: Option<Store>,
    /// Why there is none on disk.
    store_trouble: Option<String>,
    /// What is kept on disk at most.
    retention: Retention,
    /// The newest events, in order.
    kept: VecDeque<Kept>,
    /// The newest events about OS updates alone, in order.
    updates: VecDeque<Kept>,
    span: Option<Span>,
    days: Vec<Day>,
    status: SourceStatus,
    /// When the latest record of any process was written.
    heard: Option<Time>,
    no_look_back_before: Option<Instant>,
}

impl LiveLog {
    /// The log of which nothing was read yet, with its journal in a folder. While none can be kept there, memory
    /// serves.
    pub fn new(folder: &Path, retention: Retention, now: Time) -> Self {
        let unread: Fact<()> = Fact::unknown(SourceReason::NotRead, "the log was not read yet.");
        let status = SourceStatus::of(SourceName::UnifiedLog, &unread, now);
        Self {
            folder: folder.to_owned(),
            store: None,
            store_trouble: None,
            retention,
            kept: VecDeque::new(),
            updates: VecDeque::new(),
            span: None,
            days: Vec::new(),
            status,
            heard: None,
            no_look_back_before: None,
        }
    }

    /// Takes over what other processes have kept. Their readings end before the moment for which the next one is made,
    /// if that is taken afterwards.
    pub fn sync_from_disk(&mut self, retention: Retention, now: Time) {
        self.retention = retention;
        // A file that was removed or set aside by somebody else is nobody's journal any more.
        self.store.take_if(|store| !store.is_in_place());
        self.open_store(now);
        self.load_changes();
    }

    /// Opens the journal on disk, if it is not open: what went wrong the last time may be over.
    fn open_store(&mut self, now: Time) {
        if self.store.is_some() {
            return;
        }
        match open_store(&self.folder, now) {
            Ok(store) => {
                (self.store, self.store_trouble) = (Some(store), None);
                // What was read while there was none is on disk before anything is taken from there.
                let (span, unwritten) = (self.span, self.kept.iter().chain(&self.updates).cloned().collect());
                self.write(unwritten, span, now);
            }
            Err(why) => self.store_trouble = Some(why),
        }
    }

    /// Reads what is new.
    pub fn refresh(&mut self, host: &dyn Host, options: &ReadOptions, now: Time) {
        // A log read up to a time that has not come yet: the clock was set back, and the spans mean nothing any more.
        if self.span.is_some_and(|span| span.to > now) {
            self.span = None;
            self.on_disk(Store::forget_spans);
        }
        let read_on = self.span.map(|span| span.to - OVERLAP).filter(|from| *from > now - READ_ON);
        let from = read_on.unwrap_or(now - WINDOW - MARGIN);
        self.read(host, options, Span { from, to: now }, now);
    }

    /// Reads what lies before the covered span, up to a day or to what was read before, if that was not done yet. Says
    /// whether it read anything.
    pub fn backfill(&mut self, host: &dyn Host, options: &ReadOptions, now: Time) -> bool {
        let Some(span) = self.span.filter(|span| span.from > now - BACK) else { return false };
        if self.no_look_back_before.is_some_and(|at| Instant::now() < at) {
            return false;
        }
        self.no_look_back_before = Some(Instant::now() + BACK_AGAIN);
        let status = self.status.clone();
        // What is known of a hole's other side need not be read again.
        let before = self.on_disk(|store| store.span_before(span)).flatten();
        let from = before.map_or(now - BACK, |before| (before.to - OVERLAP).max(now - BACK));
        self.read(host, options, Span { from, to: span.from + OVERLAP }, now);
        if before.is_some() {
            self.load();
        }
        let failed = self.status.detail.take();
        // The verdict rests on the refresh. A look back that failed leaves less of the past, and says so.
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

    /// The events and what they cover.
    pub fn journal(&self) -> Journal {
        // What is on disk only is not looked at.
        let from = |kept: &VecDeque<Kept>, most| kept.front().filter(|_| kept.len() >= most).map(|kept| kept.event.at);
        let covers = match (self.span, &self.status) {
            (Some(span), _) => Fact::Known(Span {
                from: from(&self.kept, IN_MEMORY).map_or(span.from, |at| at.max(span.from)),
                ..span
            }),
            (None, SourceStatus { reason: Some(reason), detail: Some(why), .. }) => Fact::unknown(*reason, why.clone()),
            (None, _) => Fact::unknown(SourceReason::NotRead, "the log was not read yet."),
        };
        let events = |kept: &VecDeque<Kept>| kept.iter().map(|kept| kept.event.clone()).collect();
        let days = self.days.clone();
        let mut journal = Journal::new(events(&self.kept), events(&self.updates), days, self.records(), covers);
        journal.updates_from = from(&self.updates, UPDATES_IN_MEMORY);
        journal
    }

    /// How much the covered span is known to hold at least: a log store that was emptied looks like one that holds nothing at all.
    fn records(&self) -> u64 {
        let read = self.status.counts.map_or(0, |counts| counts.records_read);
        let within = |at: Time| self.span.is_some_and(|span| span.from <= at && at <= span.to);
        let kept = || self.kept.iter().rev().chain(self.updates.iter().rev()).any(|kept| within(kept.event.at));
        read.max(u64::from(self.heard.is_some_and(within) || kept()))
    }

    /// How reading went: the log, and the journal on disk.
    pub fn statuses(&self, now: Time) -> [SourceStatus; 2] {
        let counts = self
            .store
            .as_ref()
            .and_then(|store| store.count().ok())
            .map(|events_kept| LogCounts { events_kept, ..LogCounts::default() });
        let aside = self.store.as_ref().and_then(|store| store.set_aside.as_ref());
        let (state, reason, detail) = match (&self.store_trouble, aside) {
            (Some(why), _) => (SourceState::Error, Some(SourceReason::MemoryOnly), Some(why.clone())),
            (None, Some(aside)) => (
                SourceState::Partial,
                Some(SourceReason::SetAside),
                Some(format!(
                    "The journal was damaged, or another program's. It is now {}, and a new one was begun.",
                    aside.display()
                )),
            ),
            (None, None) => (SourceState::Ok, None, None),
        };
        let journal = SourceStatus {
            source: SourceName::Journal,
            state,
            reason,
            detail,
            last_ok_at: (state == SourceState::Ok).then_some(now),
            last_error_at: (state == SourceState::Error).then_some(now),
            covers: self.span,
            counts,
            duration_ms: None,
        };
        [self.status.clone(), journal]
    }

    /// Takes over what is on disk, if another process wrote there: its spans count only together with its events.
    fn load_changes(&mut self) {
        if self.store.as_mut().is_some_and(Store::changed_elsewhere) {
            self.load();
        }
    }

    /// Takes over what is on disk.
    fn load(&mut self) {
        if let Some(Loaded { events, updates, span, days }) =
            self.on_disk(|store| store.load(IN_MEMORY, UPDATES_IN_MEMORY))
        {
            (self.kept, self.updates, self.span, self.days) = (events.into(), updates.into(), span, days);
        }
    }

    fn read(&mut self, host: &dyn Host, options: &ReadOptions, span: Span, now: Time) {
        let start = Instant::now();
        let mut source = match host.open_log(span, &event::predicate()) {
            Ok(source) => source,
            Err(error) => return self.note(None, Some(refused(&error)), now, start),
        };
        let mut chunk = Vec::new();
        let read = log::read_log(&mut source, options, |record| {
            if let Some(event) = event::recognise(record) {
                chunk.push(Kept::new(event, record));
                if chunk.len() == CHUNK {
                    // What is covered is known at the end: a line before this one may not have been understood.
                    self.keep(std::mem::take(&mut chunk), None, now);
                }
            }
        });
        let ended = LogSource::finish(source);
        let mut covered = covered(read.as_ref().ok(), ended.as_ref().err(), span);
        if read.as_ref().is_ok_and(|summary| summary.records == 0) && self.remembers_before(now - WINDOW) {
            // A log that holds nothing at all for longer than the window may have been emptied meanwhile: it does not
            // join what was heard before it to now.
            covered = covered.map(|span| Span { from: span.from.max(now - WINDOW), ..span });
            covered = covered.filter(|span| span.from <= span.to);
        }
        self.keep(chunk, covered, now);
        self.load_changes();
        self.heard = self.heard.max(read.as_ref().ok().and_then(|summary| summary.last));
        let trouble = log_error(read.as_ref(), ended.as_ref().err());
        // They are in order, so those of the future are the last.
        let future = |kept: &VecDeque<Kept>| kept.iter().rev().take_while(|kept| kept.event.at > now).count();
        let trouble = trouble.or_else(|| from_the_future(future(&self.kept) + future(&self.updates)));
        self.note(read.ok(), trouble, now, start);
    }

    /// Whether anything is known to have been said before that moment.
    fn remembers_before(&self, at: Time) -> bool {
        let oldest = self.kept.front().into_iter().chain(self.updates.front()).map(|kept| kept.event.at);
        oldest.chain(self.heard).any(|said| said < at)
    }

    /// Keeps events, each once, on disk and in memory.
    fn keep(&mut self, chunk: Vec<Kept>, span: Option<Span>, now: Time) {
        // Another process may have brought the same events to disk first: what is new here is told by memory alone.
        let (updates, others) = self.write(chunk, span, now).into_iter().partition(|kept| kept.event.is_update());
        add(&mut self.kept, others, IN_MEMORY);
        add(&mut self.updates, updates, UPDATES_IN_MEMORY);
        if let Some(span) = span {
            let touches = |old: &Span| old.from <= span.to && span.from <= old.to;
            self.span = Some(match self.span {
                Some(old) if touches(&old) => Span { from: old.from.min(span.from), to: old.to.max(span.to) },
                Some(old) if old.to > span.to => old,
                _ => span,
            });
        }
        self.days = self.on_disk(|store| store.days()).unwrap_or_default();
    }

    /// Writes events to the journal on disk, if there is one, and gives them back.
    fn write(&mut self, kept: Vec<Kept>, span: Option<Span>, now: Time) -> Vec<Kept> {
        let retention = self.retention;
        if !kept.is_empty() || span.is_some() {
            self.on_disk(|store| store.append(&kept, span, retention, now));
        }
        kept
    }

    /// Does something with the journal on disk. When that fails, memory serves until it can be opened again.
    fn on_disk<T>(&mut self, work: impl FnOnce(&mut Store) -> Result<T, StoreError>) -> Option<T> {
        let store = self.store.as_mut()?;
        match work(store) {
            Ok(result) => Some(result),
            Err(error) => {
                self.store_trouble = Some(format!("{error}."));
                self.store = None;
                None
            }
        }
    }

    fn note(&mut self, summary: Option<LogSummary>, trouble: Option<LogError>, now: Time, start: Instant) {
        let state = trouble.as_ref().map_or(SourceState::Ok, |(state, ..)| *state);
        let events_kept = u64::try_from(self.kept.len() + self.updates.len()).unwrap_or(u64::MAX);
        self.status = SourceStatus {
            source: SourceName::UnifiedLog,
            state,
            reason: trouble.as_ref().map(|(_, reason, _)| *reason),
            detail: trouble.map(|(.., detail)| detail),
            last_ok_at: if state == SourceState::Ok { Some(now) } else { self.status.last_ok_at },
            last_error_at: if state == SourceState::Ok { self.status.last_error_at } else { Some(now) },
            covers: self.span,
            counts: summary.map(|summary| LogCounts {
                records_read: summary.records,
                events_kept,
                lines_skipped: summary.lines_skipped,
                lines_not_understood: summary.lines_not_understood,
            }),
            duration_ms: u64::try_from(start.elapsed().as_millis()).ok(),
        };
    }
}

/// Adds events to those in memory, in order and each once, and lets the oldest go.
fn add(kept: &mut VecDeque<Kept>, new: Vec<Kept>, most: usize) {
    let mut late = Vec::new();
    for one in new {
        if kept.back().is_none_or(|last| last.place() < one.place()) {
            kept.push_back(one);
        } else if kept.binary_search_by_key(&one.place(), Kept::place).is_err() {
            late.push(one);
        }
    }
    if !late.is_empty() {
        late.sort_by_key(Kept::place);
        late.dedup_by_key(|one| one.place());
        kept.extend(late);
        kept.make_contiguous().sort_by_key(Kept::place);
    }
    while kept.len() > most {
        kept.pop_front();
    }
}

fn open_store(folder: &Path, now: Time) -> Result<Store, String> {
    let made = StateFolder::make(folder).and_then(|folder| folder.make_file("journal.db"));
    // Not by `folder`, above which there may be a link, as /var and /tmp are on a Mac.
    let path = made.map_err(|error| format!("{error}."))?;
    Store::open(&path, now).map_err(|error| format!("{error}."))
}

/// What a reading covers: all that was asked for if it came to its end, else up to its last record.
fn covered(summary: Option<&LogSummary>, ended: Option<&HostError>, asked: Span) -> Option<Span> {
    let summary = summary?;
    // What could not be understood may have been the one line that matters.
    if summary.lines_lost() > 0 {
        return None;
    }
    if ended.is_none() && summary.complete == Some(true) && summary.broken.is_none() {
        return Some(asked);
    }
    summary.last.filter(|last| *last >= asked.from).map(|last| Span { from: asked.from, to: last.min(asked.to) })
}
