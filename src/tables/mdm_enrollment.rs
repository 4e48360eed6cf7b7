//! `mdm_enrollment`: whether the Mac is enrolled, in one row.

use super::{MdmEnrollmentRow, text};
use crate::event::answer::Answer;
use crate::event::{EventKind, HttpMessage};
use crate::health::Findings;
use crate::vocabulary::Time;
use crate::vocabulary::codes::{AdeRecordState, EnrollmentState};

/// Always one row.
pub fn rows(findings: &Findings) -> Vec<MdmEnrollmentRow> {
    let enrollment = findings.enrollment.clone();
    let profile = enrollment.profile.unwrap_or_default();
    let token = enrollment.bootstrap_token;
    let shown = findings.evidence.with_last_good();
    let evidence = shown.as_ref().unwrap_or(&findings.evidence);
    let record = evidence.ade_record.known();
    let list = evidence.profiles_list.known();
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
        copied: findings.copied.copied,
        copied_evidence: text(findings.copied.evidence.join(" ")).filter(|signs| !signs.is_empty()),
        ade_record: Some(match record.and_then(|record| record.found) {
            Some(true) => AdeRecordState::Found,
            Some(false) => AdeRecordState::NotFound,
            None => AdeRecordState::Unknown,
        }),
        ade_server_url: text(record.and_then(|record| record.server_url.clone())),
        expected: enrollment.expected,
        filevault_key_pending: filevault_key_pending(findings),
        profiles_count: list.and_then(|list| list.count).map(u64::from),
        profiles_changed_at: list.and_then(|list| list.newest_at.max(evidence.profiles_changed_at)),
        bootstrap_token_supported: token.and_then(|token| token.supported),
        bootstrap_token_escrowed: token.and_then(|token| token.escrowed),
        sources_agree: enrollment.sources_agree,
    }]
}

/// Whether the server has not got the FileVault key since macOS wrote it. It is a part of the answer to SecurityInfo.
fn filevault_key_pending(findings: &Findings) -> Option<bool> {
    let evidence = &findings.evidence;
    let Some(written_at) = evidence.filevault_key.known()?.written_at else { return Some(false) };
    let took = |at: Time, kind: &EventKind| match kind {
        EventKind::ResponseReceived { status, message: HttpMessage::Answer { status: word, request_type, .. } } => {
            at > written_at
                && &**request_type == "SecurityInfo"
                && &**word == "Acknowledged"
                && Answer::of(*status, false) == Answer::Success
        }
        _ => false,
    };
    if evidence.journal.events().any(|event| event.at <= evidence.now && took(event.at, &event.kind)) {
        return Some(false);
    }
    // Only where the log shows all that came since is a missing answer one.
    evidence.journal.covers.known().filter(|covers| covers.from <= written_at).map(|_| true)
}
