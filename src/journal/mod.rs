//! The events that were kept, in order, and the span of time for which they are all there are.

mod days;
pub mod store;

use crate::Time;
use crate::event::Event;
use crate::facts::Fact;
use crate::host::Span;
use std::collections::VecDeque;

/// How many events are kept; beyond it the oldest go, and the span begins later.
pub const MAX_EVENTS: usize = 40_000;

/// Events in order, and how far to trust that there were no others.
#[derive(Debug, Clone)]
pub struct Journal {
    events: VecDeque<Event>,
    /// How many old events were let go.
    pub dropped: u64,
    /// Records that were read, of any process, not later than the moment of the verdict.
    pub records: u64,
    /// The span that the log evidence covers without a hole; unknown if the log could not be read.
    pub covers: Fact<Span>,
}

impl Journal {
    /// A journal without events, before anything was read.
    pub fn empty(covers: Fact<Span>) -> Self {
        Self { events: VecDeque::new(), dropped: 0, records: 0, covers }
    }

    /// Adds an event behind the others.
    pub fn push(&mut self, event: Event) {
        if self.events.len() == MAX_EVENTS {
            self.events.pop_front();
            self.dropped += 1;
        }
        self.events.push_back(event);
    }

    /// Puts the events in the order of their times; equal times keep the order of the log.
    pub fn sort(&mut self) {
        self.events.make_contiguous().sort_by_key(|event| event.at);
    }

    /// The events, oldest first.
    pub fn events(&self) -> impl DoubleEndedIterator<Item = &Event> + ExactSizeIterator + Clone {
        self.events.iter()
    }

    /// The time of the oldest event kept.
    pub fn oldest(&self) -> Option<Time> {
        self.events.front().map(|event| event.at)
    }
}
