//! What the log says: records made into events. Each program that is listened to has a file with its patterns and with
//! what is asked of the log for them. A record that says nothing of MDM is no event.
//!
//! Any process can write any text into the log, but not under another program's path. So a record counts for a daemon
//! only if it has the daemon's own path and comes from a user that the daemon runs as. Some styles have only names
//! instead of paths, and some have no users; their lines are taken at their word. Code that acts on events must check
//! [`Event::attributed`].

pub mod answer;
mod apsd;
mod client_event;
mod command_error;
mod enforcement;
pub mod install_log;
mod mdmclient;
mod os_update_item;
mod power;
mod remotemanagementd;
mod softwareupdated;
pub mod status_report;
pub mod update;
mod update_brain;

pub use client_event::ClientEvent;
pub use power::PowerState;

use crate::log::{Level, LogRecord, LogSender};
use crate::vocabulary::Time;
use crate::vocabulary::codes::ChannelKind;
use answer::Answer;
use serde::{Deserialize, Serialize};
use update::{UpdateEvent, UpdateLog, UpdateMessage};

/// The programs that are listened to.
static PROGRAMS: [&Program; 8] = [
    &mdmclient::PROGRAM,
    &remotemanagementd::PROGRAM,
    &softwareupdated::PROGRAM,
    &update_brain::PROGRAM,
    &update_brain::RECOVERY_PROGRAM,
    &status_report::SUBSCRIBER,
    &power::POWERD,
    &apsd::PROGRAM,
];

/// Users with a smaller uid are system accounts: root, `_rmd` (277), `_softwareupdate` (200).
const FIRST_PERSON: u32 = 500;

/// A program that is listened to.
pub struct Program {
    /// The file name of its image, which is all that text styles have.
    pub name: &'static str,
    image: Image,
    users: Users,
    pub wanted: Wanted,
    /// The event of one of its records; `None` for most.
    recognise: fn(&LogRecord<'_>) -> Option<Event>,
}

/// Where a program lies.
enum Image {
    At(&'static str),
    /// Where the path differs from Mac to Mac.
    Where(fn(&str) -> bool),
}

/// As whom a program runs.
enum Users {
    /// As root or another system account.
    System,
    /// As anybody; its file says what that means.
    All,
}

/// The records of a program that are asked of the log; an empty text stands for any.
pub struct Wanted {
    pub subsystem: &'static str,
    pub category: &'static str,
    /// The message must contain one of these; if the list is empty, any message counts.
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
    fn predicate(&self) -> String {
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

/// What macOS shows in place of a message that it hides.
const PRIVATE: &str = "<private>";

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
    /// Whether the record names the user that wrote it, so that no other user can have written it. Text styles and
    /// install.log name no user: their lines may be shown, but nothing may be restarted because of them.
    pub attributed: bool,
    /// `None` where the log does not say.
    pub level: Option<Level>,
    /// What it said.
    pub kind: EventKind,
}

impl Event {
    fn new(record: &LogRecord<'_>, kind: EventKind) -> Self {
        Self {
            at: record.at,
            pid: record.pid,
            thread: record.thread,
            channel: None,
            attributed: record.uid.is_some(),
            level: record.level,
            kind,
        }
    }

    /// What the server's answer on the device channel says; `None` if this is none. A user's agent is a process of its
    /// own and keeps talking while the daemon hangs, so it proves nothing about the Mac.
    pub fn answer(&self) -> Option<Answer> {
        match self.kind {
            _ if !Channel::is_device(self.channel) => None,
            EventKind::ResponseReceived { status, .. } => Some(Answer::of(status, false)),
            EventKind::DeclarativeResponse { status } => Some(Answer::of(status, true)),
            _ => None,
        }
    }

    /// Whether it counts towards how long a Mac is usually silent: a success in a line that macOS keeps on disk. Info
    /// and Debug lines are kept in memory for minutes only, so their absence proves nothing. What remotemanagementd
    /// says about answers is always Info, even if the style does not show the level.
    pub fn is_kept_success(&self) -> bool {
        let in_memory = matches!(self.level, Some(Level::Info | Level::Debug));
        matches!(self.kind, EventKind::ResponseReceived { .. }) && !in_memory && self.answer() == Some(Answer::Success)
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
    /// Whether it is the Mac's own. A line that names no channel is taken for the device's.
    pub fn is_device(channel: Option<Self>) -> bool {
        !matches!(channel, Some(Self::User(_)))
    }

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
        /// What the request was.
        message: HttpMessage,
    },
    /// mdmclient got the answer to a request.
    ResponseReceived {
        /// The HTTP status.
        status: u16,
        /// What the request was.
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
    /// The Mac went to sleep or woke.
    Power(PowerState),
    /// mdmclient's daemon said something that macOS shows as `<private>`.
    Private,
    /// Something that the MDM client said outside of commands.
    Client(Box<ClientEvent>),
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

/// The event of a record; `None` for most.
pub fn recognise(record: &LogRecord<'_>) -> Option<Event> {
    PROGRAMS.iter().find(|program| program.wrote(record)).and_then(|program| (program.recognise)(record))
}

/// Whether a record is of mdmclient's daemon, which serves the device channel, as far as the style says.
pub fn is_of_the_mdm_daemon(record: &LogRecord<'_>) -> bool {
    record.uid.is_none_or(|uid| uid == 0) && mdmclient::PROGRAM.wrote(record)
}

/// Whether macOS hides the whole message of a record.
pub fn is_private(record: &LogRecord<'_>) -> bool {
    record.message.trim() == PRIVATE
}

/// The programs that are listened to, and what is wanted of each.
pub fn programs() -> &'static [&'static Program] {
    &PROGRAMS
}

/// The predicate with which `log show` fetches everything that is recognised here.
pub fn predicate() -> String {
    PROGRAMS.map(Program::predicate).join(" OR ")
}

/// Whether the process with that image path may be one that is listened to. Only the file name is compared, so that it
/// does not matter whether the slashes before it are escaped.
pub fn may_matter(image: &[u8]) -> bool {
    PROGRAMS.iter().any(|program| {
        image.strip_suffix(program.name.as_bytes()).is_some_and(|folder| folder.is_empty() || folder.ends_with(b"/"))
    })
}

/// The event of a record that says something of OS updates.
fn update_event(record: &LogRecord<'_>, message: UpdateMessage, process: &str) -> Event {
    Event::new(record, in_unified_log(message, process))
}

/// Something of OS updates, said by that process in the unified log.
fn in_unified_log(message: UpdateMessage, process: &str) -> EventKind {
    EventKind::Update(Box::new(UpdateEvent { message, log: UpdateLog::Unified, process: process.into() }))
}

/// A text of bounded length.
fn bounded(text: &str) -> Box<str> {
    cut(text, MAX_TEXT).into()
}

fn cut(text: &str, most: usize) -> &str {
    let mut end = text.len().min(most);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_program_that_is_listened_to_may_matter() {
        for program in programs() {
            let escaped = format!("\\/usr\\/libexec\\/{}", program.name);
            assert!(may_matter(program.name.as_bytes()) && may_matter(escaped.as_bytes()), "{}", program.name);
        }
        assert!(!may_matter(b"\\/usr\\/libexec\\/configd") && !may_matter(b"/tmp/notmdmclient"));
    }
}
