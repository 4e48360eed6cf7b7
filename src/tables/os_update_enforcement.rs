//! `os_update_enforcement`: one row a DDM declaration of an enforced update.

use super::{OsUpdateEnforcementRow, text};
use crate::health::Findings;
use crate::health::updates::blockers::Blockers;
use crate::health::updates::enforcement::Enforcement;
use crate::health::updates::failure_code::FailureCode;

/// In the order of their deadlines; those without one first.
pub fn rows(findings: &Findings) -> Vec<OsUpdateEnforcementRow> {
    findings.enforcements.iter().map(|enforcement| row(enforcement, findings)).collect()
}

fn row(enforcement: &Enforcement, findings: &Findings) -> OsUpdateEnforcementRow {
    let (failure, reported) = (enforcement.failure.as_ref(), enforcement.reported.as_ref());
    let reason = failure.and_then(|failure| failure.reason.as_deref());
    let code = reason.or(reported.and_then(|reported| reported.failure.as_deref())).and_then(FailureCode::find);
    let blockers = Blockers::of(enforcement, findings);
    OsUpdateEnforcementRow {
        declaration_id: text(enforcement.declaration_id.clone()),
        target_os_version: text(enforcement.version.clone()),
        target_build_version: text(enforcement.build.clone()),
        target_local_datetime: text(enforcement.deadline.clone()),
        deadline_at: enforcement.deadline_at,
        past_due: enforcement.past_due,
        padded_deadline_at: enforcement.padded_deadline_at,
        details_url: text(enforcement.details_url.clone()),
        state: Some(enforcement.state),
        failure_count: failure.and_then(|failure| failure.count),
        failure_reason: text(failure.and_then(|failure| failure.reason.clone())),
        failure_domain: text(code.as_ref().map(|code| code.domain.clone())),
        failure_code: code.as_ref().map(|code| code.code),
        known_failure: code.as_ref().and_then(|code| code.known),
        failure_meaning: text(code.as_ref().map(FailureCode::meaning)),
        failed_at: failure.and_then(|failure| failure.at),
        reported_state: text(reported.and_then(|reported| reported.state.clone()).map(String::from)),
        reported_failure: text(reported.and_then(|reported| reported.failure.clone())),
        reported_at: reported.map(|reported| reported.at),
        blocked: blockers.blocked,
        blockers: Some(blockers.found),
        blockers_detail: text(Some(blockers.detail.join(" ")).filter(|detail| !detail.is_empty())),
        source: Some(enforcement.sources.iter().copied().collect()),
        seen_at: enforcement.seen_at,
    }
}
