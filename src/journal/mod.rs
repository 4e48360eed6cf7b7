//! The events that were kept, in order, and the span of time for which they are all there are.

pub mod awake;
mod days;
mod schema;
pub mod store;

pub use days::{Day, of as days_of};

use crate::event::Event;
use crate::vocabulary::{Fact, Span, Time};
use std::collections::VecDeque;
use std::sync::Arc;

/// How many events are kept, and how many about OS updates; beyond it the oldest go, and the span begins later.
pub const MAX_EVENTS: usize = 15_000;

/// Events in order, and how far to trust that there were no others.
#[derive(Debug, Clone)]
pub struct Journal {
    events: VecDeque<Arc<Event>>,
    /// Those about OS updates alone: softwareupdated is chatty, and must not displace what was said of the MDM.
    updates: VecDeque<Arc<Event>>,
    /// How many old events were let go.
    pub dropped: u64,
    /// How many old events about OS updates were let go.
    pub dropped_updates: u64,
    /// From when on the events about OS updates are all there are; `None` if none were let go.
    pub updates_from: Option<Time>,
    /// Records that were read, of any process, not later than the moment of the verdict.
    pub records: u64,
    /// The span that the log evidence covers without a hole; unknown if the log could not be read.
    pub covers: Fact<Span>,
    /// The days with successes, oldest first, as far back as they are kept on disk; empty without a journal on disk, when
    /// the events tell them.
    pub days: Vec<Day>,
}

impl Journal {
    /// A journal without events, before anything was read.
    pub fn empty(covers: Fact<Span>) -> Self {
        Self::new(VecDeque::new(), VecDeque::new(), Vec::new(), 0, covers)
    }

    /// A journal of events that are in order already.
    pub fn new(
        events: VecDeque<Arc<Event>>,
        updates: VecDeque<Arc<Event>>,
        days: Vec<Day>,
        records: u64,
        covers: Fact<Span>,
    ) -> Self {
        Self { events, updates, dropped: 0, dropped_updates: 0, updates_from: None, records, covers, days }
    }

    /// Adds an event behind the others.
    pub fn push(&mut self, event: Event) {
        let (events, dropped) = if event.is_update() {
            (&mut self.updates, &mut self.dropped_updates)
        } else {
            (&mut self.events, &mut self.dropped)
        };
        if events.len() == MAX_EVENTS {
            events.pop_front();
            *dropped += 1;
        }
        events.push_back(Arc::new(event));
    }

    /// Puts the events in the order of their times, equal times in the order of the log.
    pub fn sort(&mut self) {
        self.events.make_contiguous().sort_by_key(|event| event.at);
        self.updates.make_contiguous().sort_by_key(|event| event.at);
        self.updates_from = self.updates.front().filter(|_| self.dropped_updates > 0).map(|event| event.at);
    }

    /// The events, oldest first, without those about OS updates alone.
    pub fn events(&self) -> impl DoubleEndedIterator<Item = &Event> + ExactSizeIterator + Clone {
        self.events.iter().map(AsRef::as_ref)
    }

    /// The events about OS updates alone, oldest first.
    pub fn updates(&self) -> impl DoubleEndedIterator<Item = &Event> + ExactSizeIterator + Clone {
        self.updates.iter().map(AsRef::as_ref)
    }

    /// The time of the oldest event kept.
    pub fn oldest(&self) -> Option<Time> {
        self.events.front().map(|event| event.at)
    }
}
