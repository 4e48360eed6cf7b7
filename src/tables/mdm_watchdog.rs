//! `mdm_watchdog`: the verdict in one row.

use super::{MdmWatchdogRow, text};
use crate::health::Findings;
use crate::health::window::WINDOW;

/// Always one row.
pub fn rows(findings: &Findings) -> Vec<MdmWatchdogRow> {
    let verdict = &findings.verdict;
    let covers = findings.log_span();
    let last_command = verdict.last_command.as_ref();
    let restarts = findings.evidence.restarts.known();
    vec![MdmWatchdogRow {
        mdm_enrolled: verdict.enrolled,
        mdm_identity_error: verdict.identity_error,
        mdm_client_stuck: verdict.client_stuck,
        mdm_software_updates_stuck: verdict.software_updates_stuck,
        mdm_client_restarted: restarts.and_then(|restarts| restarts.mdmclient.by_last_heal),
        software_update_daemon_restarted: restarts.and_then(|restarts| restarts.softwareupdated.by_last_heal),
        last_mdm_kickstart: restarts.and_then(|restarts| restarts.mdmclient.last_at),
        last_software_update_daemon_kickstart: restarts.and_then(|restarts| restarts.softwareupdated.last_at),
        state: Some(verdict.state),
        reason: Some(verdict.reason),
        detail: text(verdict.detail.clone()),
        last_success_at: verdict.last_success_at,
        last_attempt_at: verdict.last_attempt_at,
        last_push_at: verdict.last_push_at,
        last_http_status: verdict.last_http_status.map(i32::from),
        last_command_type: text(last_command.map(|(request_type, _)| request_type.to_string())),
        last_command_at: last_command.and_then(|(_, at)| *at),
        software_updates_reason: Some(verdict.software_updates_reason),
        window_seconds: i32::try_from(WINDOW.num_seconds()).ok(),
        usual_gap_seconds: verdict.usual_gap.map(|gap| gap.num_seconds()),
        awake_since: findings.evidence.awake.known().and_then(|awake| awake.since(findings.evidence.now)),
        awake_seconds: verdict.awake_seconds,
        log_from: covers.map(|span| span.from),
        log_to: covers.map(|span| span.to),
        checked_at: Some(findings.evidence.now),
    }]
}
