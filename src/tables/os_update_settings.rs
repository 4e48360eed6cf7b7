//! `os_update_settings`: the settings for OS updates and the last scan, in one row.

use super::{OsUpdateSettingsRow, joined, text};
use crate::health::Findings;
use crate::health::updates::blockers;

/// Always one row.
pub fn rows(findings: &Findings) -> Vec<OsUpdateSettingsRow> {
    let shown = findings.evidence.with_last_good();
    let evidence = shown.as_ref().unwrap_or(&findings.evidence);
    let system = evidence.system_version.known();
    let state = evidence.ddm_state.known();
    let local = evidence.preferences.known().cloned().unwrap_or_default();
    let settings = state.and_then(|state| state.settings.clone());
    let settings_ids = settings.as_ref().and_then(|settings| joined(&settings.declaration_ids));
    let ddm = settings.unwrap_or_default();
    let blocked = blockers::of_the_mac(&findings.evidence);
    vec![OsUpdateSettingsRow {
        macos_version: text(system.map(|system| system.version.clone())),
        macos_build: text(system.and_then(|system| system.build.clone())),
        last_successful_scan_at: local.last_successful_scan_at,
        last_full_scan_at: local.last_full_scan_at,
        last_background_scan_at: local.last_background_scan_at,
        last_result_code: local.last_result_code,
        last_session_successful: local.last_session_successful,
        updates_available: local.updates_available,
        recommended_updates_available: local.recommended_updates_available,
        automatic_check: local.automatic_check,
        automatic_download: local.automatic_download,
        automatic_install_macos: local.automatic_install_macos,
        config_data_install: local.config_data_install,
        critical_update_install: local.critical_update_install,
        auto_install_product_keys: local.auto_install_product_keys.as_deref().and_then(joined),
        ddm_declarations: state
            .and_then(|state| state.declarations.as_ref())
            .and_then(|declarations| i64::try_from(declarations.len()).ok()),
        ddm_settings_ids: settings_ids,
        ddm_admin_install_required: ddm.admin_install_required,
        ddm_automatic_download: ddm.automatic_download,
        ddm_automatic_install_macos: ddm.automatic_install_macos,
        ddm_automatic_install_security: ddm.automatic_install_security,
        ddm_notifications: ddm.notifications,
        ddm_rapid_security_response: ddm.rapid_security_response,
        ddm_rapid_security_response_rollback: ddm.rapid_security_response_rollback,
        mdm_blocked_by: blocked.map(|(by, _)| by),
        mdm_blocked_at: blocked.map(|(_, at)| at),
    }]
}
