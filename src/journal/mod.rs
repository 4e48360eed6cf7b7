//! The events that are kept, in order, and the span of time for which they are complete.

mod aside;
pub mod awake;
pub mod awake_evidence;
mod days;
mod history;
mod profiles;
mod readings;
mod samples;
mod schema;
pub mod store;

pub use aside::AsideReason;
pub use days::{Day, of as days_of};
pub use history::VerdictSpan;
pub use readings::{DayOfReadings, LogReading};

use crate::event::{Channel, Event, EventKind, PowerState};
use crate::log::LogRecord;
use crate::vocabulary::{Fact, Span, Time};
use sha2::{Digest, Sha256};
use std::collections::VecDeque;
use std::iter::Peekable;
use std::sync::Arc;

/// The classes of events. Each has a quota of its own, in memory and on disk, so that a talkative program, or a user's
/// agent, cannot push out what the device channel said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventClass {
    /// What the device channel said: the verdict rests on it.
    Device,
    /// OS updates: softwareupdated writes much.
    Updates,
    /// What users' channels said.
    Users,
    /// Sleep and wake.
    Power,
    /// What was said outside of commands and requests.
    Client,
    /// What macOS hides.
    Private,
}

impl EventClass {
    pub const ALL: [Self; 6] = [Self::Device, Self::Updates, Self::Users, Self::Power, Self::Client, Self::Private];

    pub fn of(event: &Event) -> Self {
        match event.kind {
            EventKind::Update(_) => Self::Updates,
            EventKind::Power(_) => Self::Power,
            EventKind::Client(_) => Self::Client,
            EventKind::Private => Self::Private,
            EventKind::RequestSent { .. }
            | EventKind::ResponseReceived { .. }
            | EventKind::CommandReceived { .. }
            | EventKind::NotNow { .. }
            | EventKind::CommandError { .. }
            | EventKind::Connect { .. }
            | EventKind::NoCommands
            | EventKind::IdentityTrouble(_)
            | EventKind::DeclarativeResponse { .. } => {
                if Channel::is_device(event.channel) {
                    Self::Device
                } else {
                    Self::Users
                }
            }
        }
    }

    /// Its number in the journal's tables.
    pub fn number(self) -> u8 {
        match self {
            Self::Device => 0,
            Self::Updates => 1,
            Self::Users => 2,
            Self::Power => 3,
            Self::Client => 4,
            Self::Private => 5,
        }
    }

    /// How its events are called in sentences.
    pub fn words(self) -> &'static str {
        match self {
            Self::Device => "events",
            Self::Updates => "events about OS updates",
            Self::Users => "events of users' channels",
            Self::Power => "sleeps and wakes",
            Self::Client => "events outside of commands",
            Self::Private => "private messages",
        }
    }
}

/// A value for each class.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PerClass<T> {
    device: T,
    updates: T,
    users: T,
    power: T,
    client: T,
    private: T,
}

impl<T> PerClass<T> {
    pub fn from_fn(mut make: impl FnMut(EventClass) -> T) -> Self {
        Self {
            device: make(EventClass::Device),
            updates: make(EventClass::Updates),
            users: make(EventClass::Users),
            power: make(EventClass::Power),
            client: make(EventClass::Client),
            private: make(EventClass::Private),
        }
    }

    pub fn get(&self, class: EventClass) -> &T {
        match class {
            EventClass::Device => &self.device,
            EventClass::Updates => &self.updates,
            EventClass::Users => &self.users,
            EventClass::Power => &self.power,
            EventClass::Client => &self.client,
            EventClass::Private => &self.private,
        }
    }

    pub fn get_mut(&mut self, class: EventClass) -> &mut T {
        match class {
            EventClass::Device => &mut self.device,
            EventClass::Updates => &mut self.updates,
            EventClass::Users => &mut self.users,
            EventClass::Power => &mut self.power,
            EventClass::Client => &mut self.client,
            EventClass::Private => &mut self.private,
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = (EventClass, &T)> {
        EventClass::ALL.into_iter().map(|class| (class, self.get(class)))
    }
}

/// An event, with what identifies its record, so that the same record is recognised when it is read again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptEvent {
    /// What was said.
    pub event: Arc<Event>,
    mach: i64,
    key: i64,
}

impl KeptEvent {
    /// The event of a record.
    pub fn new(event: Event, record: &LogRecord<'_>) -> Self {
        let mut hash = Sha256::new();
        hash.update(record.boot.as_bytes());
        hash.update(record.thread.to_le_bytes());
        hash.update(record.message.as_bytes());
        let mut key = [0; 8];
        key.iter_mut().zip(hash.finalize()).for_each(|(to, from)| *to = from);
        Self { event: Arc::new(event), mach: record.mach_time.cast_signed(), key: i64::from_le_bytes(key) }
    }

    pub fn class(&self) -> EventClass {
        EventClass::of(&self.event)
    }

    /// Where it stands among the others: by time, then by the ticks since boot.
    pub fn place(&self) -> (i64, i64, i64) {
        (self.event.at.timestamp_micros(), self.mach, self.key)
    }
}

impl From<Event> for KeptEvent {
    /// An event of a log that is read once, so that no record of it comes again.
    fn from(event: Event) -> Self {
        Self { event: Arc::new(event), mach: 0, key: 0 }
    }
}

/// How many events of a class are kept of a log that is read as a whole; beyond it the oldest are dropped.
pub fn most(class: EventClass) -> usize {
    match class {
        EventClass::Device | EventClass::Updates => 15_000,
        EventClass::Users | EventClass::Power | EventClass::Client => 5_000,
        EventClass::Private => 500,
    }
}

/// How many events of a class are kept in memory of a live Mac's log. Older ones stay on disk, where the daily counts
/// include them.
pub fn most_of_live_log(class: EventClass) -> usize {
    match class {
        EventClass::Device => 5_000,
        EventClass::Updates => 10_000,
        EventClass::Users | EventClass::Power | EventClass::Client => 2_000,
        EventClass::Private => 100,
    }
}

/// Events in order, and how sure it is that there were no others.
#[derive(Debug, Clone)]
pub struct Journal {
    /// Of each class, in the order of time.
    events: PerClass<VecDeque<KeptEvent>>,
    /// How many old events of a class were dropped.
    pub dropped: PerClass<u64>,
    /// Since when the events of a class are complete; `None` if none were dropped.
    pub complete_from: PerClass<Option<Time>>,
    /// Records that were read, of any process, not later than the moment of the verdict.
    pub records: u64,
    /// When mdmclient's daemon last wrote a record that can be read, as far as was seen.
    pub readable_at: Option<Time>,
    /// The span that the log evidence covers without a hole; unknown if the log could not be read.
    pub covers: Fact<Span>,
    /// The days with successes, oldest first, as far back as they are kept on disk; empty without a journal on disk, when
    /// the events tell them.
    pub days: Vec<Day>,
}

impl Journal {
    /// A journal without events, before anything was read.
    pub fn empty(covers: Fact<Span>) -> Self {
        Self::new(PerClass::default(), covers)
    }

    /// A journal of events that are in order already.
    pub fn new(events: PerClass<VecDeque<KeptEvent>>, covers: Fact<Span>) -> Self {
        let (dropped, complete_from, days) = Default::default();
        Self { events, dropped, complete_from, records: 0, readable_at: None, covers, days }
    }

    /// Adds an event of a log that is read as a whole, behind the others of its class.
    pub fn push(&mut self, event: Event) {
        let class = EventClass::of(&event);
        let events = self.events.get_mut(class);
        if events.len() == most(class) {
            events.pop_front();
            *self.dropped.get_mut(class) += 1;
        }
        events.push_back(event.into());
    }

    /// Puts the events in the order of their times, equal times in the order of the log.
    pub fn sort(&mut self) {
        for class in EventClass::ALL {
            let events = self.events.get_mut(class);
            events.make_contiguous().sort_by_key(|kept| kept.event.at);
            *self.complete_from.get_mut(class) =
                events.front().filter(|_| *self.dropped.get(class) > 0).map(|kept| kept.event.at);
        }
    }

    /// Adds events of a live Mac's log, in order and each once, and drops the oldest.
    pub fn add(&mut self, mut new: Vec<KeptEvent>) {
        for class in EventClass::ALL {
            let (of_class, others) = new.into_iter().partition(|kept| kept.class() == class);
            add(self.events.get_mut(class), of_class, most_of_live_log(class));
            new = others;
        }
    }

    /// Says which span of a live Mac's log was read. The rules do not see events that are only on disk.
    pub fn cover(&mut self, span: Fact<Span>) {
        self.complete_from = PerClass::from_fn(|class| {
            let kept = self.events.get(class);
            kept.front().filter(|_| kept.len() >= most_of_live_log(class)).map(|kept| kept.event.at)
        });
        let complete_from = *self.complete_from.get(EventClass::Device);
        self.covers = span.map(|span| Span { from: complete_from.map_or(span.from, |at| at.max(span.from)), ..span });
    }

    /// Every event with what identifies its record.
    pub fn kept(&self) -> impl Iterator<Item = &KeptEvent> {
        self.events.iter().flat_map(|(_, events)| events)
    }

    /// What was said of commands and requests, on all channels, oldest first.
    pub fn events(&self) -> impl Iterator<Item = &Event> + Clone {
        let (device, users) = (self.of(EventClass::Device), self.of(EventClass::Users));
        Merged { one: device.peekable(), other: users.peekable() }
    }

    /// The events of a class, oldest first.
    pub fn of(&self, class: EventClass) -> impl DoubleEndedIterator<Item = &Event> + ExactSizeIterator + Clone {
        self.events.get(class).iter().map(|kept| kept.event.as_ref())
    }

    /// The events about OS updates alone, oldest first.
    pub fn updates(&self) -> impl DoubleEndedIterator<Item = &Event> + ExactSizeIterator + Clone {
        self.of(EventClass::Updates)
    }

    /// When the Mac went to sleep and woke, oldest first.
    pub fn power(&self) -> Vec<(Time, PowerState)> {
        let state = |event: &Event| match &event.kind {
            EventKind::Power(state) => Some((event.at, *state)),
            _ => None,
        };
        self.of(EventClass::Power).filter_map(state).collect()
    }

    /// When mdmclient's daemon last said something that macOS hides, up to that moment.
    pub fn private_at(&self, now: Time) -> Option<Time> {
        self.of(EventClass::Private).rev().map(|event| event.at).find(|at| *at <= now)
    }

    /// How many events there are.
    pub fn len(&self) -> usize {
        self.events.iter().map(|(_, events)| events.len()).sum()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many events lie after that moment.
    pub fn later_than(&self, now: Time) -> usize {
        // They are in order, so those of the future are the last.
        let future = |kept: &VecDeque<KeptEvent>| kept.iter().rev().take_while(|kept| kept.event.at > now).count();
        self.events.iter().map(|(_, events)| future(events)).sum()
    }

    /// Whether an event was said at a moment as wanted; the newest of each class are looked at first.
    pub fn any(&self, wanted: impl Fn(Time) -> bool) -> bool {
        self.events.iter().any(|(_, events)| events.iter().rev().any(|kept| wanted(kept.event.at)))
    }
}

/// Adds events to others of their class, in order and each once, and drops the oldest.
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

/// Two lists in the order of time as one.
#[derive(Clone)]
struct Merged<'e, A: Iterator<Item = &'e Event>, B: Iterator<Item = &'e Event>> {
    one: Peekable<A>,
    other: Peekable<B>,
}

impl<'e, A: Iterator<Item = &'e Event>, B: Iterator<Item = &'e Event>> Iterator for Merged<'e, A, B> {
    type Item = &'e Event;

    fn next(&mut self) -> Option<&'e Event> {
        match (self.one.peek(), self.other.peek()) {
            (Some(one), Some(other)) if other.at < one.at => self.other.next(),
            (None, _) => self.other.next(),
            _ => self.one.next(),
        }
    }
}
