//! What the Mac tells its server about OS updates by declarative management: `Reporting status {…}`.

use super::update::UpdateMessage;
use super::{Image, Program, Users, Wanted};
use super::{bounded, update_event};
use crate::property_list::old_style;
use plist::{Dictionary, Value};
use serde::{Deserialize, Serialize};

/// The words before the report; the log is searched for them.
pub const WORDS: &str = "Reporting status {";

/// The part of declarative management that watches softwareupdated. Whether it or softwareupdated reports depends on the
/// version of macOS. A second one runs for each user, and does not count.
pub static SUBSCRIBER: Program = Program {
    name: "SoftwareUpdateSubscriber",
    image: Image::At(
        "/System/Library/PrivateFrameworks/RemoteManagement.framework/XPCServices/SoftwareUpdateSubscriber.xpc/Contents/MacOS/SoftwareUpdateSubscriber",
    ),
    users: Users::System,
    wanted: Wanted { messages: &[WORDS], ..Wanted::ALL },
    recognise: |record| Some(update_event(record, recognise(&record.message)?, SUBSCRIBER.name)),
};

/// The status items of a report, as far as it names them: a report holds only what changed.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct StatusReport {
    /// `none`, `waiting`, `downloading`, `prepared`, `installing` or `failed`.
    pub install_state: Option<Box<str>>,
    pub failure: Option<ReportedFailure>,
    /// The version that is to be installed, and its build.
    pub pending_version: Option<Box<str>>,
    pub pending_build: Option<Box<str>>,
    /// When it is to be installed, in the Mac's local time.
    pub pending_at: Option<Box<str>>,
}

impl StatusReport {
    /// The state after this report, given the state before it.
    pub fn after(&self, before: Self) -> Self {
        let (pending_version, pending_build, pending_at) = if self.pending_version.is_some() {
            (self.pending_version.clone(), self.pending_build.clone(), self.pending_at.clone())
        } else {
            (before.pending_version, before.pending_build, before.pending_at)
        };
        Self {
            install_state: self.install_state.clone().or(before.install_state),
            failure: self.failure.clone().or(before.failure),
            pending_version,
            pending_build,
            pending_at,
        }
    }
}

/// How often the update failed, why and when it failed last. A count of 0 says that nothing failed.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ReportedFailure {
    pub count: Option<u32>,
    pub reason: Option<Box<str>>,
    pub at: Option<Box<str>>,
}

/// An old-style property list, with words before and behind it (seen on several versions by the authors of two readers, who
/// show its keys):
///
/// ```text
/// Reporting status {
///     "softwareupdate.failure-reason" =     {
///         count = 0;
///     };
///     "softwareupdate.install-state" = none;
///     "softwareupdate.pending-version" =     {
///         "build-version" = 25G83;
///         "os-version" = "26.6.2";
///         "target-local-date-time" = "2026-08-21T13:00:00";
///     };
/// } (null)
/// ```
pub fn recognise(message: &str) -> Option<UpdateMessage> {
    let at = message.find(WORDS)? + WORDS.len() - 1;
    let report = old_style::dictionary_at_start(message.get(at..)?).ok()?;
    let item = |name: &str| report.get(&format!("softwareupdate.{name}"));
    let (failure, pending) = (item("failure-reason"), item("pending-version"));
    let state = item("install-state");
    state.or(failure).or(pending)?;
    let pending = pending.and_then(Value::as_dictionary);
    Some(UpdateMessage::StatusReported(Box::new(StatusReport {
        install_state: state.and_then(text),
        failure: failure.and_then(Value::as_dictionary).map(|failure| ReportedFailure {
            count: failure.get("count").and_then(text).and_then(|count| count.parse().ok()),
            reason: get(failure, "reason"),
            at: get(failure, "timestamp"),
        }),
        pending_version: pending.and_then(|pending| get(pending, "os-version")),
        pending_build: pending.and_then(|pending| get(pending, "build-version")),
        pending_at: pending.and_then(|pending| get(pending, "target-local-date-time")),
    })))
}

fn get(dictionary: &Dictionary, key: &str) -> Option<Box<str>> {
    dictionary.get(key).and_then(text)
}

/// A text, or a number as text; of a list the texts in it.
fn text(value: &Value) -> Option<Box<str>> {
    let found = match value {
        Value::String(text) => text.clone(),
        Value::Integer(number) => number.to_string(),
        Value::Array(values) => {
            let texts: Vec<&str> = values.iter().filter_map(Value::as_string).collect();
            texts.join(", ")
        }
        _ => return None,
    };
    Some(bounded(&found)).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(message: &str) -> Option<StatusReport> {
        match recognise(message)? {
            UpdateMessage::StatusReported(report) => Some(*report),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_report_is_read_whatever_stands_around_it() {
        let report = report(
            "-[SoftwareUpdateStatus x]: Reporting status {\n    \"softwareupdate.failure-reason\" =     {\n        count = 2;\n        \
             reason = \"Not enough space {really}\";\n        timestamp = \"2026-08-20T10:00:00Z\";\n    };\n    \
             \"softwareupdate.install-reason\" =     {\n        reason =         (\n            declaration\n        );\n    };\n    \
             \"softwareupdate.install-state\" = failed;\n    \"softwareupdate.pending-version\" =     {\n        \"build-version\" = 25G83;\n        \
             \"os-version\" = \"26.6.2\";\n        \"target-local-date-time\" = \"2026-08-21T13:00:00\";\n    };\n} (null)",
        )
        .unwrap();
        assert_eq!(
            report,
            StatusReport {
                install_state: Some("failed".into()),
                failure: Some(ReportedFailure {
                    count: Some(2),
                    reason: Some("Not enough space {really}".into()),
                    at: Some("2026-08-20T10:00:00Z".into()),
                }),
                pending_version: Some("26.6.2".into()),
                pending_build: Some("25G83".into()),
                pending_at: Some("2026-08-21T13:00:00".into()),
            }
        );
    }

    #[test]
    fn what_a_report_does_not_name_is_not_known() {
        let report = report("Reporting status {\n    \"softwareupdate.install-state\" = none;\n} other words").unwrap();
        assert_eq!(report, StatusReport { install_state: Some("none".into()), ..StatusReport::default() });
    }

    #[test]
    fn a_report_of_other_things_or_one_that_was_cut_is_none() {
        for message in [
            "Reporting status {\n    \"device.model.family\" = Mac;\n} (null)",
            "Reporting status {\n    \"softwareupdate.install-state\" = none;\n",
            "Reporting status <private>",
        ] {
            assert_eq!(report(message), None, "{message}");
        }
    }
}
