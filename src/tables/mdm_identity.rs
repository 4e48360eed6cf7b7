//! `mdm_identity`: the identities that may be the MDM's.

use super::{MdmIdentityRow, text};
use crate::health::Findings;
use crate::health::identity::Candidate;
use crate::vocabulary::Time;

/// One row a candidate, or one for what is missing or unknown; the MDM's comes first.
pub fn rows(findings: &Findings) -> Vec<MdmIdentityRow> {
    findings.identity.candidates.iter().map(|candidate| row(candidate, findings.evidence.now)).collect()
}

fn row(candidate: &Candidate, now: Time) -> MdmIdentityRow {
    let content = candidate.content();
    let seconds_left = content.map(|content| (content.not_after - now).num_seconds());
    MdmIdentityRow {
        common_name: text(candidate.common_name().map(str::to_owned)),
        subject: text(content.map(|content| content.subject.text.clone())),
        issuer: text(content.map(|content| content.issuer.text.clone())),
        serial: text(content.map(|content| content.serial.clone())),
        sha1: text(candidate.sha1.clone()),
        sha256: text(candidate.certificate.as_ref().map(|certificate| certificate.sha256.clone())),
        not_before: content.map(|content| content.not_before),
        not_after: content.map(|content| content.not_after),
        has_private_key: candidate.has_private_key,
        is_mdm_identity: candidate.is_mdm_identity,
        matched_by: candidate.matched_by,
        state: Some(candidate.state),
        reason: candidate.reason,
        detail: text(candidate.detail.clone()),
        days_left: seconds_left.map(|seconds| seconds.div_euclid(24 * 60 * 60)),
    }
}
