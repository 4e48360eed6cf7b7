//! `mdm_health_status`: how far to trust the other tables.

use super::{MdmHealthStatusRow, Text, text};
use crate::health::Findings;
use crate::vocabulary::SourceStatus;

/// One row a source.
pub fn rows(findings: &Findings) -> Vec<MdmHealthStatusRow> {
    findings.evidence.sources().into_iter().map(row).collect()
}

fn row(status: &SourceStatus) -> MdmHealthStatusRow {
    MdmHealthStatusRow {
        source: Some(status.source),
        state: Some(status.state),
        reason: status.reason,
        detail: text(status.detail.clone()),
        last_ok_at: status.last_ok_at,
        last_error_at: status.last_error_at,
        covers_from: status.covers.map(|span| span.from),
        covers_to: status.covers.map(|span| span.to),
        records_read: status.counts.map(|counts| counts.records_read),
        events_kept: status.counts.map(|counts| counts.events_kept),
        lines_skipped: status.counts.map(|counts| counts.lines_skipped),
        lines_not_understood: status.counts.map(|counts| counts.lines_not_understood),
        duration_ms: status.duration_ms.map(|ms| i64::try_from(ms).unwrap_or(i64::MAX)),
        version: Some(Text::Borrowed(crate::VERSION)),
    }
}
