//! What is kept of a live Mac's log: the newest events in memory, and the journal on disk as long as it can be used.

use crate::host::state::StateFolder;
use crate::journal::awake::AwakeSample;
use crate::journal::store::{KeptEvent, Loaded, Retention, Store, StoreError};
use crate::journal::{AsideReason, Day, DayOfReadings, EventClass, Journal, LogReading, PerClass, VerdictSpan};
use crate::vocabulary::codes::{SourceName, SourceReason, SourceState, WatchdogReason, WatchdogState};
use crate::vocabulary::{Fact, LogCounts, SourceStatus, Span, Time};
use chrono::TimeDelta;
use std::collections::VecDeque;
use std::path::{Path, PathBuf};

/// How many events of a class the rules and tables look at. Older ones stay on disk, where the daily counts include
/// them.
fn most(class: EventClass) -> usize {
    match class {
        EventClass::Device => 5_000,
        EventClass::Updates => 10_000,
        EventClass::Users | EventClass::Power | EventClass::Client => 2_000,
        EventClass::Private => 100,
    }
}

pub struct KeptLog {
    /// Where the journal lies.
    folder: PathBuf,
    /// The Mac's hardware UUID, once it is known.
    mac: Option<String>,
    store: Option<Store>,
    /// Why there is none on disk.
    store_error: Option<String>,
    /// What is kept on disk at most.
    retention: Retention,
    /// The newest events of each class, in order.
    events: PerClass<VecDeque<KeptEvent>>,
    pub span: Option<Span>,
    days: Vec<Day>,
    /// In the order in which they were taken.
    samples: Vec<AwakeSample>,
    /// Those of this process.
    readings: Vec<LogReading>,
    /// Which verdicts there were.
    history: Vec<VerdictSpan>,
}

impl KeptLog {
    /// Nothing yet. While no journal can be kept on disk, memory serves.
    pub fn new(folder: &Path, retention: Retention) -> Self {
        Self {
            folder: folder.to_owned(),
            mac: None,
            store: None,
            store_error: None,
            retention,
            events: PerClass::default(),
            span: None,
            days: Vec::new(),
            samples: Vec::new(),
            readings: Vec::new(),
            history: Vec::new(),
        }
    }

    /// Loads what other processes wrote to the journal. Call it before taking `now`, so that their spans end before it.
    /// `mac` is the Mac's hardware UUID: a journal that was copied from another Mac says nothing of this one.
    pub fn sync_from_disk(&mut self, mac: Option<&str>, retention: Retention, now: Time) {
        self.retention = retention;
        if self.mac.is_none() && mac.is_some() {
            // A journal that was opened before the Mac was known may belong to another one.
            self.mac = mac.map(str::to_owned);
            if self.store.take().is_some() {
                // All of it is on disk, and stays there even if it belongs to another Mac.
                (self.events, self.span) = (PerClass::default(), None);
                (self.days, self.samples, self.history) = (Vec::new(), Vec::new(), Vec::new());
            }
        }
        // Another process removed the file or set it aside: what is written to it is lost.
        self.store.take_if(|store| !store.is_in_place());
        self.open_store(now);
        self.load_changes();
    }

    /// Opens the journal on disk if it is not open: what went wrong the last time may be over.
    fn open_store(&mut self, now: Time) {
        if self.store.is_some() {
            return;
        }
        match open_store(&self.folder, self.mac.as_deref(), now) {
            Ok(store) => {
                (self.store, self.store_error) = (Some(store), None);
                // What was read while there was none is on disk before anything is loaded from there.
                let (span, unwritten) = (self.span, self.events.iter().flat_map(|(_, kept)| kept).cloned().collect());
                self.write(unwritten, span, now);
                let samples = self.samples.clone();
                self.on_disk(|store| store.add_samples(&samples));
            }
            Err(why) => self.store_error = Some(why),
        }
    }

    /// Loads what is on disk if another process wrote there: its spans count only together with its events.
    pub fn load_changes(&mut self) {
        if self.store.as_mut().is_some_and(Store::changed_elsewhere) {
            self.load();
        }
    }

    pub fn load(&mut self) {
        if let Some(Loaded { mut events, span, days, samples, history }) = self.on_disk(|store| store.load(most)) {
            self.events = PerClass::from_fn(|class| std::mem::take(events.get_mut(class)).into());
            (self.span, self.days, self.samples, self.history) = (span, days, samples, history);
        }
    }

    /// Keeps events, each once, on disk and in memory, and what was read of the log.
    pub fn add(&mut self, new: Vec<KeptEvent>, span: Option<Span>, now: Time) {
        // Another process may have written the same events first, so only memory says what is new here.
        let mut new = self.write(new, span, now);
        for class in EventClass::ALL {
            let (of_class, others) = new.into_iter().partition(|kept| kept.class() == class);
            add(self.events.get_mut(class), of_class, most(class));
            new = others;
        }
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

    /// Adds samples of the clocks.
    pub fn add_samples(&mut self, new: Vec<AwakeSample>) {
        self.on_disk(|store| store.add_samples(&new));
        new.into_iter().for_each(|sample| sample.add(&mut self.samples));
    }

    pub fn add_reading(&mut self, reading: LogReading) {
        self.readings.retain(|old| old.at > reading.at - TimeDelta::hours(24));
        self.readings.push(reading);
        self.on_disk(|store| store.add_reading(reading));
    }

    /// The readings of the day before that moment: by all processes where there is a journal on disk.
    pub fn day_of_readings(&mut self, now: Time) -> DayOfReadings {
        self.on_disk(|store| store.readings(now)).unwrap_or_else(|| DayOfReadings::of(&self.readings, now))
    }

    /// Adds the verdict of one moment, and gives all that there were. Without a journal on disk there is nothing to give.
    pub fn add_verdict(&mut self, state: WatchdogState, reason: WatchdogReason, at: Time) -> &[VerdictSpan] {
        let history = self.on_disk(|store| store.add_verdict(state, reason, at).and_then(|()| store.history()));
        self.history = history.unwrap_or_default();
        &self.history
    }

    /// When the set of installed profiles last became another one, as far as the journal saw.
    pub fn profiles_changed_at(&mut self, digest: i64, now: Time) -> Option<Time> {
        self.on_disk(|store| store.note_profiles(digest, now)).flatten()
    }

    /// Which verdicts there were.
    pub fn history(&self) -> &[VerdictSpan] {
        &self.history
    }

    pub fn samples(&self) -> &[AwakeSample] {
        &self.samples
    }

    /// Forgets which spans were read, as when the clock was set back; the events stay.
    pub fn forget_spans(&mut self) {
        self.span = None;
        self.on_disk(Store::forget_spans);
    }

    /// The span that was read before the last one, beyond a hole.
    pub fn span_before(&mut self, span: Span) -> Option<Span> {
        self.on_disk(|store| store.span_before(span)).flatten()
    }

    /// Writes events to the journal on disk, if there is one, and gives them back.
    fn write(&mut self, kept: Vec<KeptEvent>, span: Option<Span>, now: Time) -> Vec<KeptEvent> {
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
                self.store_error = Some(format!("{error}."));
                self.store = None;
                None
            }
        }
    }

    /// The events and what they cover. `unread` is why nothing was read, if so.
    pub fn journal(&self, records: u64, unread: (SourceReason, String)) -> Journal {
        // The rules do not see events that are only on disk.
        let complete_from = PerClass::from_fn(|class| {
            let kept = self.events.get(class);
            kept.front().filter(|_| kept.len() >= most(class)).map(|kept| kept.event.at)
        });
        let covers = match self.span {
            Some(span) => Fact::Known(Span {
                from: complete_from.get(EventClass::Device).map_or(span.from, |at| at.max(span.from)),
                ..span
            }),
            None => Fact::unknown(unread.0, unread.1),
        };
        let events = PerClass::from_fn(|class| self.events.get(class).iter().map(|kept| kept.event.clone()).collect());
        let mut journal = Journal::new(events, self.days.clone(), records, covers);
        journal.complete_from = complete_from;
        journal
    }

    /// How many events are in memory.
    pub fn len(&self) -> usize {
        self.events.iter().map(|(_, kept)| kept.len()).sum()
    }

    /// How many of them lie after that moment.
    pub fn later_than(&self, now: Time) -> usize {
        // They are in order, so those of the future are the last.
        let future = |kept: &VecDeque<KeptEvent>| kept.iter().rev().take_while(|kept| kept.event.at > now).count();
        self.events.iter().map(|(_, kept)| future(kept)).sum()
    }

    /// Whether an event in memory is as wanted; the newest of each class are looked at first.
    pub fn any(&self, wanted: impl Fn(Time) -> bool) -> bool {
        self.events.iter().any(|(_, kept)| kept.iter().rev().any(|kept| wanted(kept.event.at)))
    }

    /// How keeping the journal on disk went.
    pub fn status(&self, now: Time) -> SourceStatus {
        let counts = self
            .store
            .as_ref()
            .and_then(|store| store.count().ok())
            .map(|events_kept| LogCounts { events_kept, ..LogCounts::default() });
        let aside = self.store.as_ref().and_then(|store| store.set_aside.as_ref());
        let (state, reason, detail) = match (&self.store_error, aside) {
            (Some(why), _) => (SourceState::Error, Some(SourceReason::MemoryOnly), Some(why.clone())),
            (None, Some((AsideReason::Damaged, aside))) => (
                SourceState::Partial,
                Some(SourceReason::SetAside),
                Some(format!(
                    "The journal was damaged, or another program's. It is now {}, and a new one was begun.",
                    aside.display()
                )),
            ),
            // All is well with the new one.
            (None, Some((AsideReason::OfAnotherMac, aside))) => (
                SourceState::Ok,
                Some(SourceReason::OtherMac),
                Some(format!("The journal was another Mac's. It is now {}, and a new one was begun.", aside.display())),
            ),
            (None, None) => (SourceState::Ok, None, None),
        };
        SourceStatus {
            reason,
            detail,
            last_error_at: (state == SourceState::Error).then_some(now),
            covers: self.span,
            counts,
            ..SourceStatus::new(SourceName::Journal, state, now)
        }
    }
}

/// Adds events to those in memory, in order and each once, and drops the oldest.
fn add(kept: &mut VecDeque<KeptEvent>, new: Vec<KeptEvent>, most: usize) {
    let mut late = Vec::new();
    for one in new {
        if kept.back().is_none_or(|last| last.place() < one.place()) {
            kept.push_back(one);
        } else if kept.binary_search_by_key(&one.place(), KeptEvent::place).is_err() {
            late.push(one);
        }
    }
    if !late.is_empty() {
        late.sort_by_key(KeptEvent::place);
        late.dedup_by_key(|one| one.place());
        kept.extend(late);
        kept.make_contiguous().sort_by_key(KeptEvent::place);
    }
    while kept.len() > most {
        kept.pop_front();
    }
}

fn open_store(folder: &Path, mac: Option<&str>, now: Time) -> Result<Store, String> {
    let made = StateFolder::make(folder).and_then(|folder| folder.make_file("journal.db"));
    // Uses the path that StateFolder returns: `folder` may lie below a link, as /var and /tmp do on a Mac.
    let path = made.map_err(|error| format!("{error}."))?;
    Store::open(&path, mac, now).map_err(|error| format!("{error}."))
}
