//! `os_update_status`: one row an update.

use super::{OsUpdateStatusRow, epoch, flag, joined, text, word};
use crate::health::Findings;
use crate::health::updates::{Kind, Update};

/// Those with a product key first, in its order.
pub fn rows(findings: &Findings) -> Vec<OsUpdateStatusRow> {
    findings.updates.iter().map(row).collect()
}

fn row(update: &Update) -> OsUpdateStatusRow {
    let owned = |value: &Option<Box<str>>| text(value.as_deref().map(str::to_owned));
    OsUpdateStatusRow {
        product_key: owned(&update.product_key),
        title: owned(&update.title),
        version: owned(&update.version),
        build: owned(&update.build),
        kind: update.kind.map(Kind::word).and_then(word),
        phase: update.phase().and_then(word),
        percent: update.percent.map(i32::from),
        stalled: flag(update.stalled),
        attempts: i32::try_from(update.attempts).ok().filter(|attempts| *attempts > 0),
        install_action: owned(&update.install_action),
        download_size: update.download_size.and_then(super::count),
        restart_required: flag(update.restart_required),
        critical: flag(update.critical),
        allows_install_later: flag(update.allows_install_later),
        deferred: flag(update.deferred),
        deferred_until: epoch(update.deferred_until),
        offered_at: epoch(update.offered_at),
        command_received_at: epoch(update.command_received_at),
        download_started_at: epoch(update.download_started_at),
        downloaded_at: epoch(update.downloaded_at),
        prepared_at: epoch(update.prepared_at),
        install_started_at: epoch(update.install_started_at),
        installed_at: epoch(update.installed_at),
        failed_at: epoch(update.failed_at),
        error: owned(&update.error),
        deadline_at: epoch(update.deadline_at),
        last_event_at: epoch(update.last_event_at),
        source: joined(&update.sources),
    }
}
