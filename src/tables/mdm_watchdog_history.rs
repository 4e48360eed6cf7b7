//! `mdm_watchdog_history`: which verdicts there were, and from when to when.

use super::MdmWatchdogHistoryRow;
use crate::health::Findings;
use crate::journal::VerdictSpan;

/// In the order in which they were seen; where no journal is kept, the verdict of the moment.
pub fn rows(findings: &Findings) -> Vec<MdmWatchdogHistoryRow> {
    let (now, verdict) = (findings.evidence.now, &findings.verdict);
    let of_now = [VerdictSpan { state: verdict.state, reason: verdict.reason, from: now, to: now }];
    let kept = findings.evidence.history.as_slice();
    let spans = if kept.is_empty() { &of_now } else { kept };
    let row = |span: &VerdictSpan| MdmWatchdogHistoryRow {
        state: Some(span.state),
        reason: Some(span.reason),
        from_at: Some(span.from),
        to_at: Some(span.to),
    };
    spans.iter().map(row).collect()
}
