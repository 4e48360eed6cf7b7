//! `mdm_client_events`: what the MDM client logs outside of commands, and who may say it.

use crate::support::{Mac, Row};
use insta::assert_snapshot;

const NOW: &str = "2026-11-23T18:00:00Z";
const APSD: &str = "/System/Library/PrivateFrameworks/ApplePushService.framework/apsd";
const REMOTE: &str = "/System/Library/PrivateFrameworks/RemoteManagement.framework/remotemanagementd";
const UNKNOWN_TOKEN: &str =
    "Received incoming push notification for topic: <private> but for a completely unknown token <private>";

fn shown(rows: &[Row]) -> String {
    let columns = ["at", "kind", "channel", "subject", "error_domain", "error_code", "message"];
    let line = |row: &Row| columns.map(|column| row.shown(column)).join(" | ");
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn each_failure_outside_commands_is_a_row_in_the_order_of_time() {
    let mac = Mac::at(NOW).said(&format!(
        "2026-11-23 17:00:00 [ERROR] [0:MDMDaemon:ManagedApps:<0x1>] Aborting app install: Package signature cannot be verified <PKInstallErrorDomain:100>
         2026-11-23 17:00:01 BootPolicy: bootpolicy_mdm_update_dep_mode: exit: OIK/OIC mismatch
         2026-11-23 17:00:02 [ERROR] submitManifestRequest completed.  ID: 1 Error: Error Domain=ASDErrorDomain Code=506 \"Install request is a duplicate\" UserInfo={{x}}
         2026-11-23 17:00:03 </usr/libexec/mdmclient 501> [ERROR] [501:MDMAgent:ManagedApps:<0x1>] Aborting app install: cancelled
         2026-11-23 17:00:04 <{REMOTE} 277> Error while fetching object 2B3C (configuration): Error Domain=InternalError Code=1 \"no\"
         2026-11-23 17:00:05 <{APSD} 0> {UNKNOWN_TOKEN}
         2026-11-23 17:00:06 [ERROR] [0:MDM_PI:<0x8b4a>] [CE] XPC: InstallMDMv1Profile <system> ==> Error Domain=MDMResponseStatus Code=401 \"(null)\"
         2026-11-23 18:00:01 BootPolicy: bootpolicy_mdm_update_dep_mode: exit: OIK/OIC mismatch"
    ));
    assert_snapshot!(shown(&mac.rows("mdm_client_events")), @r"
    1795453200 | app_install_aborted | device | - | PKInstallErrorDomain | 100 | Package signature cannot be verified
    1795453201 | boot_policy_failed | device | - | - | - | OIK/OIC mismatch
    1795453202 | app_install_duplicate | device | 1 | ASDErrorDomain | 506 | Install request is a duplicate
    1795453203 | app_install_aborted | user | - | - | - | cancelled
    1795453204 | declaration_not_fetched | device | 2B3C | InternalError | 1 | no
    1795453205 | push_token_unknown | - | - | - | - | -
    1795453206 | enrollment_failed | device | - | MDMResponseStatus | 401 | -
    ");
}

#[test]
fn they_decide_nothing() {
    let quiet = || Mac::at(NOW).said("2026-11-23 15:30:00 <<<<< Received HTTP response (200) [Idle] <<<<<");
    let noisy = quiet().said(&format!("2026-11-23 17:00:00 <{APSD} 0> {UNKNOWN_TOKEN}"));
    let verdict = |mac: &Mac| ["state", "reason", "mdm_client_stuck"].map(|column| mac.watchdog().shown(column));
    assert_eq!(verdict(&quiet()), verdict(&noisy));
}

#[test]
fn only_the_push_daemon_speaks_of_unknown_tokens() {
    let rows = |who: &str| {
        let mac = Mac::at(NOW).said(&format!("2026-11-23 17:00:00 <{who}> {UNKNOWN_TOKEN}"));
        mac.rows("mdm_client_events").len()
    };
    assert_eq!(rows(&format!("{APSD} 0")), 1);
    assert_eq!([rows(&format!("{APSD} 501")), rows("/tmp/apsd 0"), rows("/usr/libexec/mdmclient 0")], [0, 0, 0]);
}
