//! Whether the Mac is enrolled, as `profiles status -type enrollment` says.

use super::{Source, from_command};
use crate::host::{Command, Host};
use crate::vocabulary::codes::{SourceName, SourceReason};
use crate::vocabulary::{Fact, Limits, Reading};

/// What `profiles status` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProfilesStatus {
    /// Whether the Mac is enrolled in an MDM.
    pub enrolled: bool,
    /// Whether a user approved the enrollment; `None` if the Mac is not enrolled or other words stand there.
    pub user_approved: Option<bool>,
    /// Whether it came by Automated Device Enrollment.
    pub enrolled_via_dep: Option<bool>,
    /// The server's address, where it is named.
    pub server_url: Option<String>,
}

impl Source for ProfilesStatus {
    const NAME: SourceName = SourceName::ProfilesStatus;
    const LIMITS: Limits = Limits::SLOW;

    fn read(host: &dyn Host) -> Reading<Self> {
        from_command(host, Command::ProfilesStatus, read_profiles_status).into()
    }
}

/// Reads the output, which on macOS 14 to 26 is
///
/// ```text
/// Enrolled via DEP: No
/// MDM enrollment: Yes (User Approved)
/// MDM server: https://mdm.example.com/mdm/connect
/// ```
///
/// with `No` or a plain `Yes` for the second value, and no third line when not enrolled. Any other `Yes (…)` says that the
/// Mac is enrolled, and not whether a user approved it.
pub fn read_profiles_status(output: &str) -> Fact<ProfilesStatus> {
    let value = |label: &str| {
        output
            .lines()
            .find_map(|line| Some(line.trim().strip_prefix(label)?.trim_start_matches([':', '/', ' ']).trim()))
    };
    let enrollment = value("MDM enrollment");
    let (enrolled, user_approved) = match enrollment {
        Some("No") => (false, None),
        Some("Yes") => (true, Some(false)),
        Some("Yes (User Approved)") => (true, Some(true)),
        Some(other) if other.starts_with("Yes (") => (true, None),
        _ => {
            let shown: String = output.trim().chars().take(80).collect();
            return Fact::unknown(
                SourceReason::NotUnderstood,
                format!("`profiles status -type enrollment` printed {shown:?}, which says neither Yes nor No."),
            );
        }
    };
    let enrolled_via_dep = match value("Enrolled via DEP") {
        Some("Yes") => Some(true),
        Some("No") => Some(false),
        _ => None,
    };
    let server_url = value("MDM server").filter(|url| !url.is_empty()).map(str::to_owned);
    Fact::Known(ProfilesStatus { enrolled, user_approved, enrolled_via_dep, server_url })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(output: &str) -> ProfilesStatus {
        match read_profiles_status(output) {
            Fact::Known(status) => status,
            Fact::Unknown { why, .. } => panic!("{why}"),
        }
    }

    #[test]
    fn a_mac_that_is_not_enrolled() {
        let status = known("Enrolled via DEP: No\nMDM enrollment: No\n");
        assert_eq!(
            status,
            ProfilesStatus { enrolled: false, user_approved: None, enrolled_via_dep: Some(false), server_url: None }
        );
    }

    #[test]
    fn enrolled_by_hand_and_approved() {
        let status =
            known("Enrolled via DEP: No\nMDM enrollment: Yes (User Approved)\nMDM server: https://m.example/c\n");
        assert!(status.enrolled);
        assert_eq!((status.user_approved, status.enrolled_via_dep), (Some(true), Some(false)));
        assert_eq!(status.server_url.as_deref(), Some("https://m.example/c"));
    }

    #[test]
    fn enrolled_by_hand_without_approval() {
        let status = known("Enrolled via DEP: No\nMDM enrollment: Yes\nMDM server: https://10.0.0.1:9444/mdm\n");
        assert_eq!((status.enrolled, status.user_approved), (true, Some(false)));
        assert_eq!(status.server_url.as_deref(), Some("https://10.0.0.1:9444/mdm"));
    }

    #[test]
    fn enrolled_by_automated_device_enrollment() {
        let status =
            known("Enrolled via DEP: Yes\nMDM enrollment: Yes (User Approved)\nMDM server: https://m.example\n");
        assert_eq!((status.enrolled, status.enrolled_via_dep), (true, Some(true)));
    }

    #[test]
    fn unknown_words_behind_yes_leave_the_approval_unknown() {
        for words in ["Yes (User Assigned)", "Yes (Device Owner)", "Yes (Utilisateur)"] {
            let status = known(&format!("Enrolled via DEP: No\nMDM enrollment: {words}\n"));
            assert_eq!((status.enrolled, status.user_approved), (true, None), "{words}");
        }
    }

    #[test]
    fn any_other_output_is_unknown_with_a_reason() {
        for output in
            ["", "MDM enrollment: Maybe", "Enrolled via DEP: Yes", "profiles: command not found", "\u{1b}[31m"]
        {
            match read_profiles_status(output) {
                Fact::Unknown { reason, .. } => assert_eq!(reason, SourceReason::NotUnderstood, "{output}"),
                Fact::Known(status) => panic!("{output} gave {status:?}"),
            }
        }
    }
}
