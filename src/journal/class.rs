//! The classes of events. Each has a quota of its own, in memory and on disk, so that a talkative program, or a user's
//! agent, cannot push out what the device channel said.

use crate::event::{Channel, Event, EventKind};

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
        match (&event.kind, event.channel) {
            (EventKind::Update(_), _) => Self::Updates,
            (EventKind::Power(_), _) => Self::Power,
            (EventKind::Client(_), _) => Self::Client,
            (EventKind::Private, _) => Self::Private,
            (_, Some(Channel::User(_))) => Self::Users,
            _ => Self::Device,
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
