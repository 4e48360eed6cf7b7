//! What remotemanagementd, the client of declarative management, says.

use super::{Channel, Event, EventKind};
use crate::log::LogRecord;

/// The only program that speaks for it.
pub const IMAGE: &str = "/usr/libexec/remotemanagementd";
/// Its name.
pub const NAME: &str = "remotemanagementd";

/// `[com.apple.remotemanagementd:mdmConduit] Got back from MDM: 200` (macOS 15, Info level): a second, independent
/// proof that the server answers.
pub fn recognise(record: &LogRecord<'_>) -> Option<Event> {
    let status = record.message.strip_prefix("Got back from MDM: ")?.trim().parse().ok()?;
    Some(Event {
        at: record.at,
        pid: record.pid,
        thread: record.thread,
        channel: Some(Channel::Device),
        kind: EventKind::DeclarativeResponse { status },
    })
}
