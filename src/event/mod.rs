//! What was said: log records made into events. One file a speaker; a record that says nothing of MDM is no event.

pub mod answer;
mod enforcement;
pub mod install_log;
mod mdmclient;
mod os_update_item;
mod remotemanagementd;
mod softwareupdated;
pub mod update;
mod update_brain;

use crate::log::LogRecord;
use crate::vocabulary::Time;
use crate::vocabulary::codes::ChannelKind;
use answer::Answer;
use serde::{Deserialize, Serialize};
use update::{UpdateEvent, UpdateLog, UpdateMessage};

/// The names of the programs that are listened to.
const NAMES: [&str; 4] = [mdmclient::NAME, remotemanagementd::NAME, softwareupdated::NAME, update_brain::NAME];

/// The longest text of an event, in bytes; a longer one is cut.
const MAX_TEXT: usize = 512;

/// Something that a process said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// When it was said.
    pub at: Time,
    /// The process that said it; 0 where the log does not say.
    pub pid: u32,
    /// The thread that said it; 0 where the log does not say.
    pub thread: u64,
    /// The channel that the process served; `None` where the log does not say.
    pub channel: Option<Channel>,
    /// What it said.
    pub kind: EventKind,
}

impl Event {
    /// What the server's answer on the device channel says; `None` if this is none. A user's agent is a process of its
    /// own, and talks on while the daemon hangs: it proves nothing of the Mac.
    pub fn answer(&self) -> Option<Answer> {
        match self.kind {
            _ if matches!(self.channel, Some(Channel::User(_))) => None,
            EventKind::ResponseReceived { status, .. } => Some(Answer::of(status, false)),
            EventKind::DeclarativeResponse { status } => Some(Answer::of(status, true)),
            _ => None,
        }
    }

    /// Whether it counts for how long a Mac is usually silent: a success in a line that macOS keeps on disk. What
    /// remotemanagementd says is kept in memory for minutes only, so that its absence proves nothing.
    pub fn is_kept_success(&self) -> bool {
        matches!(self.kind, EventKind::ResponseReceived { .. }) && self.answer() == Some(Answer::Success)
    }

    /// Whether it is about OS updates alone. Such events are many, and are kept apart from the others.
    pub fn is_update(&self) -> bool {
        matches!(self.kind, EventKind::Update(_))
    }
}

/// The two channels of an enrolled Mac.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Channel {
    /// The Mac itself.
    Device,
    /// A user of it, by uid.
    User(u32),
}

impl Channel {
    pub fn kind(self) -> ChannelKind {
        match self {
            Self::Device => ChannelKind::Device,
            Self::User(_) => ChannelKind::User,
        }
    }
}

/// What a process said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum EventKind {
    /// mdmclient sent an HTTP request.
    RequestSent {
        /// The HTTP method.
        method: Box<str>,
        /// EventKind the request was.
        message: HttpMessage,
    },
    /// mdmclient got the answer to a request.
    ResponseReceived {
        /// The HTTP status.
        status: u16,
        /// EventKind the request was.
        message: HttpMessage,
    },
    /// mdmclient began to work on a command.
    CommandReceived {
        /// The command's RequestType.
        request_type: Box<str>,
        /// The server's CommandUUID; absent in old versions.
        token: Option<Box<str>>,
        /// Whether it came during Power Nap; absent in old versions.
        power_nap: Option<bool>,
    },
    /// mdmclient put a command off.
    NotNow {
        /// The command's RequestType.
        request_type: Box<str>,
        /// Why.
        reason: Box<str>,
    },
    /// A command failed: the first link of its error chain.
    CommandError {
        /// The command's RequestType, where it is named.
        request_type: Option<Box<str>>,
        /// The server's CommandUUID, where it is named.
        token: Option<Box<str>>,
        /// The error's domain.
        domain: Option<Box<str>>,
        /// The error's code.
        code: Option<i64>,
        /// The error's text.
        text: Option<Box<str>>,
    },
    /// mdmclient connects to the server to ask for commands.
    Connect {
        /// Why, in the log's own word: `PushNotification`.
        cause: Box<str>,
    },
    /// The server has no commands for this Mac.
    NoCommands,
    /// mdmclient cannot use its identity.
    IdentityTrouble(IdentityTrouble),
    /// remotemanagementd got an answer from the server.
    DeclarativeResponse {
        /// The HTTP status.
        status: u16,
    },
    /// Something of OS updates.
    Update(Box<UpdateEvent>),
}

/// What mdmclient says of an identity that it cannot use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum IdentityTrouble {
    /// "Unable to create MDM identity".
    NotCreated,
    /// "The specified item is no longer valid. It may have been deleted from the keychain."
    ItemInvalid,
}

/// What an HTTP request to the server was: the text in its bracket.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum HttpMessage {
    /// Asking for the next command.
    Idle,
    /// The answer to a command.
    Answer {
        /// `Acknowledged`, `Error`, `NotNow`, `CommandFormatError`.
        status: Box<str>,
        /// The command's RequestType.
        request_type: Box<str>,
        /// The server's CommandUUID; absent in old versions.
        token: Option<Box<str>>,
    },
    /// A check-in, such as `Authenticate` or `TokenUpdate`.
    CheckIn(Box<str>),
    /// Something else.
    Other(Box<str>),
}

/// The events of a record: none for most.
pub fn recognise(record: &LogRecord<'_>) -> Option<Event> {
    if record.sender.is(mdmclient::IMAGE) {
        mdmclient::recognise(record)
    } else if record.sender.is(remotemanagementd::IMAGE) {
        remotemanagementd::recognise(record)
    } else if record.sender.is(softwareupdated::IMAGE) {
        softwareupdated::recognise(&record.message).map(|said| update_event(record, said, softwareupdated::NAME))
    } else if update_brain::is_sender(&record.sender) {
        update_brain::recognise(&record.message).map(|said| update_event(record, said, update_brain::NAME))
    } else {
        None
    }
}

/// Whether the process with that image path may be one that is listened to. Only the name is looked at, whatever way the
/// slashes before it are written.
pub fn may_matter(image: &[u8]) -> bool {
    NAMES.iter().any(|name| image.ends_with(name.as_bytes()))
}

fn update_event(record: &LogRecord<'_>, said: UpdateMessage, process: &str) -> Event {
    Event { at: record.at, pid: record.pid, thread: record.thread, channel: None, kind: in_unified_log(said, process) }
}

/// Something of OS updates, said by that process in the unified log.
fn in_unified_log(said: UpdateMessage, process: &str) -> EventKind {
    EventKind::Update(Box::new(UpdateEvent { message: said, log: UpdateLog::Unified, process: process.into() }))
}

/// A text of bounded length.
fn bounded(text: &str) -> Box<str> {
    let mut end = text.len().min(MAX_TEXT);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_program_that_is_listened_to_may_matter() {
        for image in [mdmclient::IMAGE, remotemanagementd::IMAGE, softwareupdated::IMAGE] {
            assert!(may_matter(image.as_bytes()) && may_matter(image.replace('/', "\\/").as_bytes()), "{image}");
        }
        assert!(may_matter(update_brain::NAME.as_bytes()));
        assert!(!may_matter(b"\\/usr\\/libexec\\/apsd"));
    }
}
