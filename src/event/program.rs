//! Who may speak: the programs that are listened to, known by image path and user, and which of their messages are read.
//!
//! Any process can write any text into the log, but not under another program's path. So a record counts for a daemon only
//! with the daemon's own path, and only from a user that the daemon runs as. A style without paths has names, and one
//! without users is taken at its word; what acts on events has to look at [`Event::attributed`].

use super::Event;
use crate::log::{LogRecord, LogSender};

/// Users with a smaller uid are system accounts: root, `_rmd` (277), `_softwareupdate` (200).
const FIRST_PERSON: u32 = 500;

/// A program that is listened to.
pub struct Program {
    /// The file name of its image, which is all that text styles have.
    pub name: &'static str,
    pub(super) image: Image,
    pub(super) users: Users,
    pub wanted: Wanted,
    /// The event of one of its records; `None` for most.
    pub(super) recognise: fn(&LogRecord<'_>) -> Option<Event>,
}

/// Where a program lies.
pub(super) enum Image {
    At(&'static str),
    /// Where the path differs from Mac to Mac.
    Where(fn(&str) -> bool),
}

/// As whom a program runs.
pub(super) enum Users {
    /// As root or another system account.
    System,
    /// As anybody; its file says what that means.
    All,
}

/// The records of a program that are asked of the log; an empty text stands for any.
pub struct Wanted {
    pub subsystem: &'static str,
    pub category: &'static str,
    /// The message has to contain one of these; any message will do if there are none.
    pub messages: &'static [&'static str],
}

impl Wanted {
    pub const ALL: Self = Self { subsystem: "", category: "", messages: &[] };
}

impl Program {
    /// Whether a record is this program's, as far as the style says.
    pub fn wrote(&self, record: &LogRecord<'_>) -> bool {
        let is_ours = match &record.sender {
            LogSender::Image(path) => match self.image {
                Image::At(image) => path == image,
                Image::Where(is_image) => is_image(path),
            },
            LogSender::Name(name) => name == self.name,
        };
        is_ours
            && match self.users {
                Users::All => true,
                Users::System => record.uid.is_none_or(|uid| uid < FIRST_PERSON),
            }
    }

    /// The part of the predicate of `log show` that fetches what is wanted of it.
    pub(super) fn predicate(&self) -> String {
        let Wanted { subsystem, category, messages } = &self.wanted;
        let mut terms = vec![format!("process == \"{}\"", self.name)];
        terms.extend(Some(subsystem).filter(|text| !text.is_empty()).map(|text| format!("subsystem == \"{text}\"")));
        terms.extend(Some(category).filter(|text| !text.is_empty()).map(|text| format!("category == \"{text}\"")));
        match messages.iter().map(|text| format!("eventMessage CONTAINS \"{text}\"")).collect::<Vec<_>>().as_slice() {
            [] => {}
            [one] => terms.push(one.clone()),
            many => terms.push(format!("({})", many.join(" OR "))),
        }
        match terms.as_slice() {
            [one] => one.clone(),
            many => format!("({})", many.join(" AND ")),
        }
    }
}
