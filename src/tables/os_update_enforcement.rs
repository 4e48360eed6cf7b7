//! `os_update_enforcement`: one row a DDM declaration of an enforced update.

use super::{OsUpdateEnforcementRow, epoch, flag, joined, text, word};
use crate::health::Findings;
use crate::health::updates::enforcement::Enforcement;

/// In the order of their deadlines; those without one first.
pub fn rows(findings: &Findings) -> Vec<OsUpdateEnforcementRow> {
    findings.enforcements.iter().map(row).collect()
}

fn row(enforcement: &Enforcement) -> OsUpdateEnforcementRow {
    let failure = enforcement.failure.as_ref();
    OsUpdateEnforcementRow {
        declaration_id: text(enforcement.declaration_id.clone()),
        target_os_version: text(enforcement.version.clone()),
        target_build_version: text(enforcement.build.clone()),
        target_local_datetime: text(enforcement.deadline.clone()),
        deadline_at: epoch(enforcement.deadline_at),
        past_due: flag(enforcement.past_due),
        padded_deadline_at: epoch(enforcement.padded_deadline_at),
        details_url: text(enforcement.details_url.clone()),
        state: word(enforcement.state.word()),
        failure_count: failure.and_then(|failure| failure.count),
        failure_reason: text(failure.and_then(|failure| failure.reason.clone())),
        failed_at: epoch(failure.and_then(|failure| failure.at)),
        source: joined(&enforcement.sources),
        seen_at: epoch(enforcement.seen_at),
    }
}
