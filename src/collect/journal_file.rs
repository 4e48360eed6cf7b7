//! The journal of a live Mac on disk, as long as it can be used. While it cannot, what it would hold is kept in memory.

use crate::host::state::StateFolder;
use crate::journal::awake::AwakeSample;
use crate::journal::store::{Loaded, Retention, Store, StoreError};
use crate::journal::{AsideReason, Day, DayOfReadings, KeptEvent, LogReading, PerClass, VerdictSpan, most_of_live_log};
use crate::vocabulary::codes::{SourceName, SourceReason, SourceState, WatchdogReason, WatchdogState};
use crate::vocabulary::{LogCounts, SourceStatus, Span, Time};
use chrono::TimeDelta;
use std::collections::VecDeque;
use std::path::{Path, PathBuf};

pub struct JournalFile {
    /// Where it lies.
    folder: PathBuf,
    /// The Mac's hardware UUID, once it is known.
    mac: Option<String>,
    store: Option<Store>,
    /// Why there is none on disk.
    store_error: Option<String>,
    /// What is kept on disk at most.
    retention: Retention,
    days: Vec<Day>,
    /// In the order in which they were taken.
    samples: Vec<AwakeSample>,
    /// Those of this process.
    readings: Vec<LogReading>,
    /// Which verdicts there were.
    history: Vec<VerdictSpan>,
}

impl JournalFile {
    /// The journal in that folder, which is opened later.
    pub fn new(folder: &Path, retention: Retention) -> Self {
        Self {
            folder: folder.to_owned(),
            mac: None,
            store: None,
            store_error: None,
            retention,
            days: Vec::new(),
            samples: Vec::new(),
            readings: Vec::new(),
            history: Vec::new(),
        }
    }

    /// Assigns it to the Mac with that hardware UUID, once that is known. Says whether it was open before: then it may be
    /// another Mac's, and what was loaded from it is to be forgotten.
    pub fn assign(&mut self, mac: Option<&str>, retention: Retention) -> bool {
        self.retention = retention;
        if self.mac.is_some() || mac.is_none() {
            return false;
        }
        self.mac = mac.map(str::to_owned);
        let was_open = self.store.take().is_some();
        if was_open {
            (self.days, self.samples, self.history) = (Vec::new(), Vec::new(), Vec::new());
        }
        was_open
    }

    /// Opens it if it is not open, since what went wrong the last time may be over. Says whether it was opened now.
    pub fn open(&mut self, now: Time) -> bool {
        // Another process removed the file or set it aside: what is written to it is lost.
        self.store.take_if(|store| !store.is_in_place());
        if self.store.is_some() {
            return false;
        }
        match open_store(&self.folder, self.mac.as_deref(), now) {
            Ok(store) => {
                (self.store, self.store_error) = (Some(store), None);
                let samples = self.samples.clone();
                self.on_disk(|store| store.add_samples(&samples));
                self.store.is_some()
            }
            Err(why) => {
                self.store_error = Some(why);
                false
            }
        }
    }

    /// Whether another process wrote there since this was asked last.
    pub fn changed_elsewhere(&mut self) -> bool {
        self.store.as_mut().is_some_and(Store::changed_elsewhere)
    }

    /// The newest events of each class, and the span of the log that was read; `None` if they cannot be loaded.
    pub fn load(&mut self) -> Option<(PerClass<VecDeque<KeptEvent>>, Option<Span>)> {
        let Loaded { events, span, days, samples, history } = self.on_disk(|store| store.load(most_of_live_log))?;
        (self.days, self.samples, self.history) = (days, samples, history);
        Some((events, span))
    }

    /// Writes events, each once, and what was read of the log.
    pub fn append(&mut self, new: &[KeptEvent], span: Option<Span>, now: Time) {
        let retention = self.retention;
        if !new.is_empty() || span.is_some() {
            self.on_disk(|store| store.append(new, span, retention, now));
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

    /// The days that hold successes, oldest first.
    pub fn days(&self) -> &[Day] {
        &self.days
    }

    /// Forgets which spans were read, as when the clock was set back; the events stay.
    pub fn forget_spans(&mut self) {
        self.on_disk(Store::forget_spans);
    }

    /// The span that was read before the last one, beyond a hole.
    pub fn span_before(&mut self, span: Span) -> Option<Span> {
        self.on_disk(|store| store.span_before(span)).flatten()
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

    /// How keeping it went; `covers` is the span of the log that was read.
    pub fn status(&self, covers: Option<Span>, now: Time) -> SourceStatus {
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
            covers,
            counts,
            ..SourceStatus::new(SourceName::Journal, state, now)
        }
    }
}

fn open_store(folder: &Path, mac: Option<&str>, now: Time) -> Result<Store, String> {
    let made = StateFolder::make(folder).and_then(|folder| folder.make_file("journal.db"));
    // Uses the path that StateFolder returns: `folder` may lie below a link, as /var and /tmp do on a Mac.
    let path = made.map_err(|error| format!("{error}."))?;
    Store::open(&path, mac, now).map_err(|error| format!("{error}."))
}
