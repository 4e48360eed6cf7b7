//! `mdm_health_status`: how far to trust the other tables.

use super::{MdmHealthStatusRow, count, epoch, text, word};
use crate::health::Findings;
use crate::vocabulary::SourceStatus;

/// One row a source.
pub fn rows(findings: &Findings) -> Vec<MdmHealthStatusRow> {
    findings.evidence.sources.iter().map(row).collect()
}

fn row(status: &SourceStatus) -> MdmHealthStatusRow {
    MdmHealthStatusRow {
        source: word(status.source),
        state: word(status.state.word()),
        reason: status.reason.and_then(word),
        detail: text(status.detail.clone()),
        last_ok_at: epoch(status.last_ok_at),
        last_error_at: epoch(status.last_error_at),
        covers_from: epoch(status.covers.map(|span| span.from)),
        covers_to: epoch(status.covers.map(|span| span.to)),
        records_read: status.counts.and_then(|counts| count(counts.records_read)),
        events_kept: status.counts.and_then(|counts| count(counts.events_kept)),
        lines_skipped: status.counts.and_then(|counts| count(counts.lines_skipped)),
        lines_not_understood: status.counts.and_then(|counts| count(counts.lines_not_understood)),
        duration_ms: status.duration_ms.and_then(count),
        version: word(crate::VERSION),
    }
}
