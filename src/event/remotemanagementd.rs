//! What remotemanagementd, the client of declarative management, says.

use super::{Channel, Event, EventKind, client_event};
use super::{Image, Program, Users, Wanted};
use crate::log::LogRecord;

/// Its agent for a user, RemoteManagementAgent, lies in the same folder, writes in the same subsystem and does not count.
pub static PROGRAM: Program = Program {
    name: "remotemanagementd",
    image: Image::At("/System/Library/PrivateFrameworks/RemoteManagement.framework/remotemanagementd"),
    users: Users::System,
    wanted: Wanted {
        subsystem: "com.apple.remotemanagementd",
        category: "mdmConduit",
        messages: &["Got back from MDM: ", "Error while fetching object "],
    },
    recognise,
};

/// `Got back from MDM: 200` (macOS 15, Info level): a second, independent proof that the server answers. 204 is an answer
/// without a body, and 404 to a fetch says that the object is gone.
fn recognise(record: &LogRecord<'_>) -> Option<Event> {
    let kind = match record.message.strip_prefix("Got back from MDM: ") {
        Some(status) => EventKind::DeclarativeResponse { status: status.trim().parse().ok()? },
        None => EventKind::Client(Box::new(client_event::of_remotemanagementd(&record.message)?)),
    };
    Some(Event { channel: Some(Channel::Device), ..Event::new(record, kind) })
}
