//! What a lane of the timeline holds, before it is drawn: moments and stretches of time, in rows.

use super::scale::Scale;
use crate::vocabulary::Time;
use std::collections::BTreeMap;

/// How many places there are for marks over the whole width; marks of one kind at one place become one.
const PLACES: f64 = 150.0;

pub struct Lane {
    /// What it is about.
    pub name: String,
    /// What it shows, in words.
    pub words: String,
    /// Its rows, from the top.
    pub rows: Vec<Vec<Item>>,
}

/// Something in a row.
pub enum Item {
    /// A moment, or several that are too close to be told apart.
    Mark {
        /// When, or when the first was.
        at: Time,
        kind: Kind,
        /// The details, for whoever points at it.
        details: String,
    },
    /// A stretch of time.
    Bar {
        /// From when.
        from: Time,
        /// Until when, as far as is known.
        to: Time,
        kind: Kind,
        /// A few words to stand in it or beside it; blank for none.
        label: String,
        /// The details, for whoever points at it.
        details: String,
    },
    /// Words at a moment, or at the edge that is nearest to it.
    Note {
        /// Where.
        at: Time,
        /// The words.
        text: String,
    },
}

/// What a mark or a bar is, with a form of its own each. Later ones are drawn over earlier ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A request that the server answered well.
    Answered,
    /// A command that was answered, or a restart that was done.
    Done,
    /// A command that was put off.
    PutOff,
    /// Something was said that is no failure.
    Said,
    /// An update that is being downloaded.
    Downloading,
    /// An update that is being prepared.
    Preparing,
    /// An update that is prepared.
    Prepared,
    /// An update that is being installed.
    Installing,
    /// Nothing was reported since, and nothing else is known to have come.
    Unreported,
    /// An update that is installed.
    Installed,
    Deadline,
    /// A request or a command without an answer.
    Unanswered,
    /// Something failed or was refused.
    Failed,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::Answered,
        Self::Done,
        Self::PutOff,
        Self::Said,
        Self::Downloading,
        Self::Preparing,
        Self::Prepared,
        Self::Installing,
        Self::Unreported,
        Self::Installed,
        Self::Deadline,
        Self::Unanswered,
        Self::Failed,
    ];

    /// The class that gives its colour, and the name of its symbol.
    pub fn class(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Done => "done",
            Self::PutOff => "putoff",
            Self::Said => "said",
            Self::Downloading => "downloading",
            Self::Preparing => "preparing",
            Self::Prepared => "prepared",
            Self::Installing => "installing",
            Self::Unreported => "unreported",
            Self::Installed => "installed",
            Self::Deadline => "deadline",
            Self::Unanswered => "unanswered",
            Self::Failed => "failed",
        }
    }

    /// Its words in the legend.
    pub fn words(self) -> &'static str {
        match self {
            Self::Answered => "request answered",
            Self::Done => "command answered, restart done",
            Self::PutOff => "put off (NotNow)",
            Self::Said => "offer, scan, declaration, other",
            Self::Downloading => "downloading",
            Self::Preparing => "preparing",
            Self::Prepared => "prepared",
            Self::Installing => "installing",
            Self::Unreported => "no further report",
            Self::Installed => "installed",
            Self::Deadline => "deadline",
            Self::Unanswered => "no answer",
            Self::Failed => "failed or refused",
        }
    }

    /// Whether it is always a stretch of time.
    pub fn is_phase(self) -> bool {
        matches!(self, Self::Downloading | Self::Preparing | Self::Prepared | Self::Installing | Self::Unreported)
    }
}

/// Moments gathered into marks, so that a picture has a bounded number of them.
#[derive(Default)]
pub struct Marks(BTreeMap<(Kind, i64), Gathered>);

struct Gathered {
    first: (Time, String),
    last: Time,
    count: u32,
}

impl Marks {
    /// Adds a moment, which must lie in the scale.
    pub fn add(&mut self, scale: Scale, at: Time, kind: Kind, details: String) {
        let place = (scale.percent(at) * PLACES / 100.0) as i64;
        let mark = self.0.entry((kind, place)).or_insert_with(|| Gathered { first: (at, details), last: at, count: 0 });
        mark.last = mark.last.max(at);
        mark.count += 1;
    }

    /// The marks; of several moments the details are what `many` says of their number and the last of them.
    pub fn items(self, many: impl Fn(u32, Kind, Time, Time) -> String) -> Vec<Item> {
        let items = self.0.into_iter().map(|((kind, _), gathered)| {
            let (at, one) = gathered.first;
            let details = if gathered.count == 1 { one } else { many(gathered.count, kind, at, gathered.last) };
            Item::Mark { at, kind, details }
        });
        items.collect()
    }
}
