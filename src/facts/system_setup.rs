//! When this Mac's system was first installed and set up. What is older than that came from another Mac, or from before it
//! was erased.

use super::Source;
use crate::host::Host;
use crate::property_list::{get, moment, parse};
use crate::vocabulary::codes::{SourceName, SourceReason};
use crate::vocabulary::{Fact, Limits, Reading, Time};
use plist::Value;

/// macOS makes it when the Setup Assistant ends.
const SETUP_DONE: &str = "/private/var/db/.AppleSetupDone";
/// What was installed, oldest first. The Migration Assistant may bring that of another Mac.
const HISTORY: &str = "/Library/Receipts/InstallHistory.plist";

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SystemSetup {
    /// When the Setup Assistant ended.
    pub done_at: Option<Time>,
    /// The first entry of the history of installations.
    pub first_install_at: Option<Time>,
}

impl Source for SystemSetup {
    const NAME: SourceName = SourceName::SystemSetup;
    const LIMITS: Limits = Limits::HOURLY;

    fn read(host: &dyn Host) -> Reading<Self> {
        let done_at = host.modified(SETUP_DONE).ok().flatten();
        let history = match host.read_file(HISTORY) {
            Ok(bytes) => first_install(&bytes),
            Err(error) if error.is_missing() => Fact::Known(None),
            Err(error) => Fact::from(error),
        };
        match (done_at, history) {
            (None, Fact::Unknown { reason, why }) => Fact::unknown(reason, why).into(),
            (done_at, history) => {
                Fact::Known(SystemSetup { done_at, first_install_at: history.known().copied().flatten() }).into()
            }
        }
    }
}

/// The oldest entry of all. The first one about macOS itself may be an update months later: of a Mac as it leaves the
/// factory, no entry about its macOS was ever published.
fn first_install(bytes: &[u8]) -> Fact<Option<Time>> {
    match parse(bytes) {
        Ok(Value::Array(entries)) => {
            let dates = entries.iter().filter_map(Value::as_dictionary).filter_map(|entry| get(entry, "date", moment));
            Fact::Known(dates.min())
        }
        Ok(_) => Fact::unknown(
            SourceReason::NotUnderstood,
            format!("{HISTORY} is a property list, but its root is not an array."),
        ),
        Err(why) => Fact::unknown(SourceReason::NotUnderstood, format!("{HISTORY} is not a property list: {why}.")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_entry_counts_whatever_it_is_about() {
        let entry = |name: &str, date: &str| {
            format!("<dict><key>date</key><date>{date}</date><key>displayName</key><string>{name}</string></dict>")
        };
        let list = |entries: &str| format!("<plist version=\"1.0\"><array>{entries}</array></plist>").into_bytes();
        let first = |entries: &str| first_install(&list(entries)).known().copied().flatten().map(|at| at.to_rfc3339());
        let app = entry("Example", "2024-01-01T00:00:00Z");
        let system = entry("macOS 15.5", "2025-06-01T10:00:00Z") + &entry("macOS 15.6", "2025-08-01T10:00:00Z");
        assert_eq!(first(&(system.clone() + &app)).as_deref(), Some("2024-01-01T00:00:00+00:00"));
        assert_eq!(first(&system).as_deref(), Some("2025-06-01T10:00:00+00:00"));
        assert_eq!(first(""), None);
        assert_eq!(first_install(b"<plist version=\"1.0\"><dict/></plist>").known(), None);
    }
}
