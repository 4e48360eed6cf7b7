//! `os_update_status`: one row an update.

use super::{OsUpdateStatusRow, text};
use crate::health::Findings;
use crate::health::updates::Update;
use crate::health::updates::failure_code::FailureCode;

/// Those with a product key first, in its order.
pub fn rows(findings: &Findings) -> Vec<OsUpdateStatusRow> {
    findings.updates.iter().map(row).collect()
}

fn row(update: &Update) -> OsUpdateStatusRow {
    let failure = update.error.as_deref().and_then(FailureCode::find);
    let owned = |value: &Option<Box<str>>| text(value.as_deref().map(str::to_owned));
    OsUpdateStatusRow {
        product_key: owned(&update.product_key),
        title: owned(&update.title),
        version: owned(&update.version),
        build: owned(&update.build),
        kind: update.kind,
        phase: update.phase(),
        percent: update.percent,
        stalled: update.stalled,
        downloaded_bytes: update.downloaded_bytes,
        total_bytes: update.total_bytes,
        seconds_left: update.seconds_left.map(i64::from),
        attempts: Some(update.attempts).filter(|attempts| *attempts > 0),
        install_action: owned(&update.install_action),
        download_size: update.download_size,
        restart_required: update.restart_required,
        critical: update.critical,
        allows_install_later: update.allows_install_later,
        deferred: update.deferred,
        deferred_until: update.deferred_until,
        offered_at: update.offered_at,
        command_received_at: update.command_received_at,
        download_started_at: update.download_started_at,
        downloaded_at: update.downloaded_at,
        prepared_at: update.prepared_at,
        install_started_at: update.install_started_at,
        installed_at: update.installed_at,
        failed_at: update.failed_at,
        error: owned(&update.error),
        error_domain: text(failure.as_ref().map(|failure| failure.domain.clone())),
        error_code: failure.as_ref().map(|failure| failure.code),
        known_error: failure.as_ref().and_then(|failure| failure.known),
        error_meaning: text(failure.as_ref().map(FailureCode::meaning)),
        deadline_at: update.deadline_at,
        last_event_at: update.last_event_at,
        source: Some(update.sources.iter().copied().collect()),
    }
}
