//! How the Mac is managed, as `mdmclient DumpManagementStatus` says.

use super::{Source, from_command};
use crate::host::{Command, Host};
use crate::property_list::old_style::dictionary_after;
use crate::vocabulary::codes::{SourceName, SourceReason};
use crate::vocabulary::{Fact, Limits, Reading};
use plist::{Dictionary, Value};

/// What mdmclient says. What it does not say is `None`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ManagementStatus {
    /// Whether an MDM manages the Mac.
    pub managed: Option<bool>,
    /// Whether the Mac is supervised.
    pub supervised: Option<bool>,
    /// Whether the MDM came by Automated Device Enrollment.
    pub enrolled_via_dep: Option<bool>,
    /// Whether a user approved the MDM.
    pub user_approved: Option<bool>,
    /// The server's address.
    pub server_url: Option<String>,
    /// The organization that the enrollment profile names.
    pub organization: Option<String>,
    /// The version of macOS under which the enrollment was made.
    pub enrolled_under: Option<String>,
}

impl Source for ManagementStatus {
    const NAME: SourceName = SourceName::ManagementStatus;
    const LIMITS: Limits = Limits::HOURLY;

    fn read(host: &dyn Host) -> Reading<Self> {
        from_command(host, Command::ManagementStatus, read_management_status).into()
    }
}

/// Reads the output, which on macOS 15 is
///
/// ```text
/// Management status: {
///     DeviceIsSupervised = 1;
///     EnrolledInDEP = 1;
///     MDMs =     {
///         "00000000-0000-0000-A000-000000000000" =         {
///             IsDEP = 1;
///             IsUserApproved = 1;
///             OrigInstallOSVersion = "15.5";
///             ProfileOrgName = Example;
///             ServerURL = "https://mdm.example.com/connect";
///         };
///     };
///     ManagedViaMDM = 1;
/// }
/// ```
///
/// with more keys. The keys of an MDM count only if there is exactly one. EnrolledInDEP is not read: what it says of a
/// Mac that Apple has assigned and that is not enrolled was never shown.
pub fn read_management_status(output: &str) -> Fact<ManagementStatus> {
    let status = match dictionary_after(output, "Management status") {
        Ok(status) => status,
        Err(error) => {
            return Fact::unknown(
                SourceReason::NotUnderstood,
                format!("The output of `mdmclient DumpManagementStatus` cannot be read: {error}."),
            );
        }
    };
    let mdms = status.get("MDMs").and_then(Value::as_dictionary).into_iter().flat_map(Dictionary::values);
    let mdms: Vec<&Dictionary> = mdms.filter_map(Value::as_dictionary).collect();
    let mdm = match mdms.as_slice() {
        [mdm] => Some(*mdm),
        _ => None,
    };
    let text = |key: &str| mdm.and_then(|mdm| mdm.get(key)?.as_string()).map(str::to_owned);
    Fact::Known(ManagementStatus {
        managed: flag(&status, "ManagedViaMDM"),
        supervised: flag(&status, "DeviceIsSupervised"),
        enrolled_via_dep: mdm.and_then(|mdm| flag(mdm, "IsDEP")),
        user_approved: mdm.and_then(|mdm| flag(mdm, "IsUserApproved")),
        server_url: text("ServerURL"),
        organization: text("ProfileOrgName"),
        enrolled_under: text("OrigInstallOSVersion"),
    })
}

fn flag(dictionary: &Dictionary, key: &str) -> Option<bool> {
    match dictionary.get(key)?.as_string()? {
        "1" => Some(true),
        "0" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ENROLLED: &str = "\
Management status: {
    DeviceIsSupervised = 1;
    EnrolledInDEP = 1;
    MDMs =     {
        \"00000000-0000-0000-A000-000000000000\" =         {
            IsDEP = 1;
            IsUserApproved = 1;
            OrganizationInfo =             {
                OrganizationName = \"Example, Inc.\";
            };
            ProfileOrgName = Example;
            ServerURL = \"https://mdm.example.com/connect\";
        };
    };
    ManagedViaMDM = 1;
}
";

    fn known(output: &str) -> ManagementStatus {
        match read_management_status(output) {
            Fact::Known(status) => status,
            Fact::Unknown { why, .. } => panic!("{why}"),
        }
    }

    #[test]
    fn one_mdm_by_automated_device_enrollment() {
        assert_eq!(
            known(ENROLLED),
            ManagementStatus {
                managed: Some(true),
                supervised: Some(true),
                enrolled_via_dep: Some(true),
                user_approved: Some(true),
                server_url: Some("https://mdm.example.com/connect".to_owned()),
                organization: Some("Example".to_owned()),
                enrolled_under: None,
            }
        );
    }

    #[test]
    fn a_mac_without_mdm() {
        let status = known("Management status: {\n    EnrolledInDEP = 0;\n    ManagedViaMDM = 0;\n}\n");
        assert_eq!((status.managed, status.enrolled_via_dep), (Some(false), None));
    }

    #[test]
    fn of_two_mdms_neither_is_taken_and_a_missing_key_says_nothing() {
        let two =
            ENROLLED.replace("    MDMs =     {\n", "    MDMs =     {\n        other = { IsUserApproved = 0; };\n");
        let status = known(&two);
        assert_eq!((status.user_approved, status.server_url), (None, None));
        assert_eq!(known("Management status: {\n}\n"), ManagementStatus::default());
    }

    #[test]
    fn what_is_no_status_is_a_sentence() {
        for (output, why) in [
            ("", "no line begins with `Management status:`"),
            ("Management status: (null)\n", "line 1: a dictionary was expected, but \"(null)\" was found"),
        ] {
            let why = format!("The output of `mdmclient DumpManagementStatus` cannot be read: {why}.");
            assert_eq!(read_management_status(output), Fact::Unknown { reason: SourceReason::NotUnderstood, why });
        }
    }

    proptest! {
        #[test]
        fn no_text_panics_and_a_cut_status_is_never_one(text in "\\PC{0,80}", cut in any::<prop::sample::Index>()) {
            let _ = (read_management_status(&text), read_management_status(&format!("Management status: {text}")));
            let cut = ENROLLED.get(..cut.index(ENROLLED.trim_end().len())).unwrap();
            prop_assert!(read_management_status(cut).known().is_none());
        }
    }
}
