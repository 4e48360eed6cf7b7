//! `capture --redact` on every recorded Mac: what the rows are about stays as it is.

use crate::redaction::all_files;
use crate::support::fixture;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

#[allow(clippy::disallowed_methods, reason = "the tests start the program itself")]
fn run(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_mdm-health")).args(arguments).env_remove("MDM_HEALTH_SOURCE").output().unwrap()
}

/// Every capture among the fixtures.
fn captures() -> Vec<PathBuf> {
    let files = all_files(&fixture(""));
    let folders = files.iter().filter(|path| path.ends_with("capture.json")).filter_map(|path| path.parent());
    folders.map(Path::to_owned).collect()
}

/// What rows are about is nobody's: each recorded Mac keeps its times, versions, product keys, titles, states and types.
#[test]
fn no_recorded_mac_loses_a_version_a_product_or_a_time() {
    let sql =
        "SELECT product_key, title, version, build, phase, percent, offered_at, installed_at FROM os_update_status";
    let events = "SELECT at, process, kind, product_key, phase, percent, event, to_state FROM os_update_events";
    let enforced = "SELECT target_os_version, target_build_version, target_local_datetime, deadline_at, state \
                    FROM os_update_enforcement";
    let commands = "SELECT command_uuid, request_type, channel, received_at, status, error_domain, error_code \
                    FROM mdm_commands_recent";
    let exchanges = "SELECT started_at, method, message_type, request_type, http_status FROM mdm_exchanges";
    let verdict = "SELECT state, reason, last_success_at, last_command_type FROM mdm_watchdog";
    let folder = tempfile::tempdir().unwrap();
    let mut compared = 0;
    for (at, whole) in captures().into_iter().enumerate() {
        let redacted = folder.path().join(at.to_string());
        let output = run(&["capture", "--redact", redacted.to_str().unwrap(), "--source", whole.to_str().unwrap()]);
        assert!(output.status.success(), "{whole:?}: {}", String::from_utf8_lossy(&output.stderr));
        let sql = [sql, events, enforced, commands, exchanges, verdict].join("; ");
        let rows = |source: &Path| {
            let output = run(&["query", "--csv", &sql, "--source", source.to_str().unwrap()]);
            assert!(output.status.success(), "{source:?}: {}", String::from_utf8_lossy(&output.stderr));
            String::from_utf8(output.stdout).unwrap()
        };
        assert_eq!(rows(&redacted), rows(&whole), "{whole:?}");
        compared += 1;
    }
    assert!(compared >= 25, "{compared}");
}
