//! The events that are kept, in order, and the span of time for which they are all there are.

mod aside;
pub mod awake;
pub mod awake_evidence;
mod class;
mod days;
mod history;
mod profiles;
mod readings;
mod samples;
mod schema;
pub mod store;

pub use aside::AsideReason;
pub use class::{EventClass, PerClass};
pub use days::{Day, of as days_of};
pub use history::VerdictSpan;
pub use readings::{DayOfReadings, LogReading};

use crate::event::{Event, EventKind, PowerState};
use crate::vocabulary::{Fact, Span, Time};
use std::collections::VecDeque;
use std::iter::Peekable;
use std::sync::Arc;

/// How many events of a class are kept of a log that is read as a whole; beyond it the oldest are dropped.
pub fn most(class: EventClass) -> usize {
    match class {
        EventClass::Device | EventClass::Updates => 15_000,
        EventClass::Users | EventClass::Power | EventClass::Client => 5_000,
        EventClass::Private => 500,
    }
}

/// Events in order, and how far to trust that there were no others.
#[derive(Debug, Clone)]
pub struct Journal {
    /// Of each class, in the order of time.
    events: PerClass<VecDeque<Arc<Event>>>,
    /// How many old events of a class were dropped.
    pub dropped: PerClass<u64>,
    /// Since when the events of a class are all there are; `None` if none were dropped.
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
        Self::new(PerClass::default(), Vec::new(), 0, covers)
    }

    /// A journal of events that are in order already.
    pub fn new(events: PerClass<VecDeque<Arc<Event>>>, days: Vec<Day>, records: u64, covers: Fact<Span>) -> Self {
        let (dropped, complete_from) = (PerClass::default(), PerClass::default());
        Self { events, dropped, complete_from, records, readable_at: None, covers, days }
    }

    /// Adds an event behind the others of its class.
    pub fn push(&mut self, event: Event) {
        let class = EventClass::of(&event);
        let events = self.events.get_mut(class);
        if events.len() == most(class) {
            events.pop_front();
            *self.dropped.get_mut(class) += 1;
        }
        events.push_back(Arc::new(event));
    }

    /// Puts the events in the order of their times, equal times in the order of the log.
    pub fn sort(&mut self) {
        for class in EventClass::ALL {
            let events = self.events.get_mut(class);
            events.make_contiguous().sort_by_key(|event| event.at);
            *self.complete_from.get_mut(class) =
                events.front().filter(|_| *self.dropped.get(class) > 0).map(|event| event.at);
        }
    }

    /// What was said of commands and requests, on all channels, oldest first.
    pub fn events(&self) -> impl Iterator<Item = &Event> + Clone {
        let (device, users) = (self.of(EventClass::Device), self.of(EventClass::Users));
        Merged { one: device.peekable(), other: users.peekable() }
    }

    /// The events of a class, oldest first.
    pub fn of(&self, class: EventClass) -> impl DoubleEndedIterator<Item = &Event> + ExactSizeIterator + Clone {
        self.events.get(class).iter().map(AsRef::as_ref)
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
        self.events.iter().flat_map(|(_, events)| events).filter(|event| event.at > now).count()
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
