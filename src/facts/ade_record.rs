//! Whether Apple has assigned this Mac to an MDM server (Automated Device Enrollment), as the Mac last knew. Apple is never
//! asked: `profiles show` would do that.

use super::{Source, from_bytes};
use crate::host::{Host, HostError};
use crate::property_list::{get, text};
use crate::vocabulary::codes::{SourceName, SourceReason};
use crate::vocabulary::{Fact, Flaw, Limits, Reading};

const FOUND: &str = "/private/var/db/ConfigurationProfiles/Settings/.cloudConfigRecordFound";
const NOT_FOUND: &str = "/private/var/db/ConfigurationProfiles/Settings/.cloudConfigRecordNotFound";
const ACTIVATED: &str = "/private/var/db/ConfigurationProfiles/Settings/.cloudConfigHasActivationRecord";
const PROFILE: &str = "/private/var/db/ConfigurationProfiles/Settings/.cloudConfigProfileInstalled";

/// What the markers say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AdeRecord {
    /// Whether there is a record; `None` if there are no markers, or they contradict each other.
    pub found: Option<bool>,
    /// The server that the record names.
    pub server_url: Option<String>,
    /// How the markers contradict each other.
    pub contradiction: Option<String>,
}

impl Source for AdeRecord {
    const NAME: SourceName = SourceName::AdeRecord;
    const LIMITS: Limits = Limits::HOURLY;

    fn read(host: &dyn Host) -> Reading<Self> {
        let record = host.read_file(FOUND);
        let markers = [NOT_FOUND, ACTIVATED, PROFILE].map(|path| host.read_file(path));
        let all = || std::iter::once(&record).chain(&markers);
        // What is neither there nor missing makes the whole of it unknown.
        let trouble = all().filter_map(|one| one.as_ref().err()).find(|error| !error.is_missing());
        if let Some(error) = trouble.filter(|error| !is_not_captured(error) || all().all(Result::is_err)) {
            return Fact::unknown(error.reason(), format!("{error}.")).into();
        }
        let [not_found, activated, profile] = markers.map(|marker| marker.is_ok());
        let server_url = record.as_ref().ok().and_then(|bytes| {
            let url = |root: &plist::Dictionary| get(root, "EnrollmentServerURL", text);
            from_bytes(bytes, FOUND, url).known().cloned().flatten()
        });
        let found = decide(record.is_ok(), not_found, activated, profile, server_url);
        let flaw = found.contradiction.clone().map(|why| Flaw { reason: SourceReason::MarkersContradict, why });
        Reading { flaw, ..Fact::Known(found).into() }
    }
}

/// macOS removes the other markers before it writes that there is no record. Scripts that keep MDM out remove the record
/// and write the other marker by hand.
fn decide(record: bool, not_found: bool, activated: bool, profile: bool, server_url: Option<String>) -> AdeRecord {
    let beside = [(record, "a record"), (activated, "an activation record"), (profile, "an installed record")];
    let beside: Vec<&str> = beside.into_iter().filter(|(there, _)| *there).map(|(_, words)| words).collect();
    let contradiction = (not_found && !beside.is_empty()).then(|| {
        format!("The Mac notes that Apple has no ADE record of it, and beside that {}.", beside.join(" and "))
    });
    let found = match (record, not_found) {
        _ if contradiction.is_some() => None,
        (true, _) => Some(true),
        (_, true) => Some(false),
        (false, false) => None,
    };
    AdeRecord { found, server_url, contradiction }
}

fn is_not_captured(error: &HostError) -> bool {
    error.reason() == SourceReason::NotCaptured
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_or_none_or_neither() {
        assert_eq!(decide(true, false, true, true, None).found, Some(true));
        assert_eq!(decide(false, true, false, false, None).found, Some(false));
        assert_eq!(decide(false, false, false, false, None).found, None);
        assert_eq!(decide(true, false, false, false, None).contradiction, None);
    }

    #[test]
    fn no_record_beside_one_is_a_contradiction() {
        for (record, activated, profile) in [(true, false, false), (false, true, false), (false, false, true)] {
            let markers = decide(record, true, activated, profile, None);
            assert!(markers.found.is_none() && markers.contradiction.is_some(), "{record} {activated} {profile}");
        }
    }
}
