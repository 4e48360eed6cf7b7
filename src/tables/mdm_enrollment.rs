//! `mdm_enrollment`: whether the Mac is enrolled, in one row.

use super::{MdmEnrollmentRow, text};
use crate::health::Findings;
use crate::vocabulary::codes::EnrollmentState;

/// Always one row.
pub fn rows(findings: &Findings) -> Vec<MdmEnrollmentRow> {
    let enrollment = findings.enrollment.clone();
    let profile = enrollment.profile.unwrap_or_default();
    let token = enrollment.bootstrap_token;
    vec![MdmEnrollmentRow {
        enrolled: enrollment.enrolled,
        state: Some(match enrollment.enrolled {
            Some(true) => EnrollmentState::Enrolled,
            Some(false) => EnrollmentState::NotEnrolled,
            None => EnrollmentState::Unknown,
        }),
        reason: Some(enrollment.reason),
        detail: text(enrollment.detail),
        enrolled_via_dep: enrollment.enrolled_via_dep,
        user_approved: enrollment.user_approved,
        supervised: enrollment.supervised,
        server_url: text(enrollment.server_url),
        checkin_url: text(profile.checkin_url),
        topic: text(profile.topic),
        access_rights: profile.access_rights.and_then(|rights| i32::try_from(rights).ok()),
        sign_message: profile.sign_message,
        server_capabilities: text(profile.server_capabilities.join(",")).filter(|list| !list.is_empty()),
        profile_identifier: text(profile.identifier),
        profile_uuid: text(profile.uuid),
        organization: text(enrollment.organization),
        installed_at: profile.installed_at,
        identity_certificate_uuid: text(profile.identity_certificate_uuid),
        identity_payload_type: text(profile.identity.map(|identity| identity.payload_type)),
        bootstrap_token_supported: token.and_then(|token| token.supported),
        bootstrap_token_escrowed: token.and_then(|token| token.escrowed),
        sources_agree: enrollment.sources_agree,
    }]
}
