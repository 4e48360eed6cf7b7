//! The program's command line: arguments, output formats, exit codes and errors.

use crate::support;
use crate::support::fake_mac::FakeMac;
use crate::support::processes::is_running;
use crate::support::{Mac, fixture};
use rustix::process::{Pid, Signal, kill_process};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

#[allow(clippy::disallowed_methods, reason = "the tests start the program itself")]
fn run(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_mdm-health")).args(arguments).env_remove("MDM_HEALTH_SOURCE").output().unwrap()
}

fn on(source: &Path, arguments: &[&str]) -> Output {
    run(&[arguments, &["--source", source.to_str().unwrap()]].concat())
}

fn stdout(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).unwrap()
}

fn stderr(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).unwrap()
}

#[test]
fn diagnose_prints_the_eight_outputs_of_mdm_watchdog() {
    let capture = fixture("update-command-never-answered");
    let lines = "MDMEnrolled: true\nMDMIdentityError: unknown\nMDMClientStuck: true\nMDMSoftwareUpdatesStuck: true\n\
                 MDMClientRestarted: unknown\nSoftwareUpdateDaemonRestarted: unknown\nLastMDMKickstart: unknown\n\
                 LastSoftwareUpdateDaemonKickstart: unknown\n";
    for diagnose in ["diagnose", "-diagnose", "--diagnose"] {
        let output = on(&capture, &[diagnose]);
        assert_eq!((output.status.code(), stdout(&output)), (Some(0), lines), "{diagnose}");
    }
}

#[test]
fn diagnose_json_gives_the_reason_and_null_for_unknown() {
    let output = on(&fixture("update-command-never-answered"), &["diagnose", "--json"]);
    assert_eq!(stdout(&output).lines().count(), 1);
    let object: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        object,
        serde_json::json!({
            "MDMEnrolled": true,
            "MDMIdentityError": null,
            "MDMClientStuck": true,
            "MDMSoftwareUpdatesStuck": true,
            "MDMClientRestarted": null,
            "SoftwareUpdateDaemonRestarted": null,
            "LastMDMKickstart": null,
            "LastSoftwareUpdateDaemonKickstart": null,
            "State": "stuck",
            "Reason": "command_hung",
            "Detail": "ScheduleOSUpdate was received at 2026-11-23T16:02:15Z and never answered.",
        })
    );
}

#[test]
fn diagnose_prints_unknown_without_evidence() {
    let output = on(Mac::at("2026-11-23T18:00:00Z").without_log().folder().path(), &["-diagnose"]);
    assert!(stdout(&output).contains("MDMClientStuck: unknown\n"), "{}", stdout(&output));
}

#[test]
fn diagnose_with_syslog_works_with_and_without_a_system_log() {
    let _log = support::system_log(false);
    let folder = Mac::at("2026-11-23T18:00:00Z").folder();
    let (with, without) = (on(folder.path(), &["diagnose", "--syslog"]), on(folder.path(), &["diagnose"]));
    assert_eq!((with.status.code(), stdout(&with), stderr(&with)), (Some(0), stdout(&without), ""));
}

#[test]
fn query_json_has_numbers_strings_and_null() {
    let sql = "SELECT state, mdm_client_stuck, usual_gap_seconds FROM mdm_watchdog";
    let output = on(&fixture("quiet-healthy-day"), &["query", sql, "--json"]);
    let rows: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(rows, serde_json::json!([{"state": "ok", "mdm_client_stuck": 0, "usual_gap_seconds": null}]));
}

#[test]
fn a_hidden_column_is_shown_only_when_it_is_named() {
    let columns = |sql: &str| {
        let output = on(&fixture("quiet-healthy-day"), &["query", sql, "--csv"]);
        stdout(&output).lines().next().unwrap().to_owned()
    };
    assert!(!columns("SELECT * FROM mdm_watchdog").contains("checked_at"));
    assert_eq!(columns("SELECT checked_at FROM mdm_watchdog"), "checked_at");
}

#[test]
fn joined_tables_use_the_same_evidence() {
    let sql = "SELECT w.state, COUNT(*) AS commands FROM mdm_watchdog w JOIN mdm_commands_recent c \
               ON c.received_at <= w.last_success_at GROUP BY w.state";
    let output = on(&fixture("quiet-healthy-day"), &["query", sql, "--csv"]);
    assert_eq!(stdout(&output), "state,commands\nok,3\n");
}

#[test]
fn a_read_only_table_refuses_a_write() {
    let output = on(&fixture("quiet-healthy-day"), &["query", "INSERT INTO mdm_watchdog(state) VALUES ('ok')"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(stderr(&output), "mdm-health: table mdm_watchdog may not be modified.\n");
}

#[test]
fn a_wrong_query_fails_with_a_message() {
    let output = on(&fixture("quiet-healthy-day"), &["query", "SELECT a FROM nowhere"]);
    assert_eq!((output.status.code(), stdout(&output)), (Some(1), ""));
    assert!(stderr(&output).contains("no such table: nowhere"), "{}", stderr(&output));
    assert_eq!(on(&fixture("quiet-healthy-day"), &["query", "  "]).status.code(), Some(1));
}

#[test]
fn without_a_source_a_machine_that_is_not_a_mac_says_what_to_pass() {
    let empty = tempfile::tempdir().unwrap();
    let output = run(&["diagnose", "--root", empty.path().to_str().unwrap()]);
    assert_eq!((output.status.code(), stdout(&output)), (Some(2), ""));
    assert!(stderr(&output).contains("pass --source"), "{}", stderr(&output));
}

#[test]
fn a_blank_source_is_refused() {
    let mac = FakeMac::new();
    let output = run(&["diagnose", "--source", "", "--root", mac.root().to_str().unwrap()]);
    assert_eq!((output.status.code(), stdout(&output)), (Some(2), ""));
    assert!(stderr(&output).contains("MDM_HEALTH_SOURCE, is blank: pass live"), "{}", stderr(&output));
}

#[test]
fn on_a_mac_the_default_source_is_the_mac() {
    let mac = FakeMac::new();
    mac.command("/usr/bin/profiles", support::NOT_ENROLLED);
    let output = run(&["diagnose", "--root", mac.root().to_str().unwrap()]);
    assert!(stdout(&output).starts_with("MDMEnrolled: false\n"), "{}", stdout(&output));
}

#[test]
fn the_first_query_on_a_mac_shows_events_from_hours_ago() {
    let mac = FakeMac::new();
    let at = (chrono::Utc::now() - chrono::TimeDelta::hours(5)).format("%Y-%m-%d %H:%M:%S");
    mac.log(&support::ndjson(&format!("{at} <<<<< Received HTTP response (200) [Idle] <<<<<")));
    let (root, state) = (mac.root().to_str().unwrap(), mac.path("/state"));
    let sql = "SELECT http_status FROM mdm_exchanges";
    let output = run(&["query", sql, "--csv", "--root", root, "--state-dir", state.to_str().unwrap()]);
    assert_eq!((stdout(&output), stderr(&output)), ("http_status\n200\n", ""));
}

#[test]
#[allow(clippy::disallowed_methods, reason = "the tests start the program itself")]
fn the_root_may_be_a_relative_path() {
    let mac = FakeMac::new();
    mac.command("/usr/bin/profiles", support::NOT_ENROLLED);
    let mut program = Command::new(env!("CARGO_BIN_EXE_mdm-health"));
    program.args(["diagnose", "--root", "."]).current_dir(mac.root()).env_remove("MDM_HEALTH_SOURCE");
    let output = program.output().unwrap();
    assert!(stdout(&output).starts_with("MDMEnrolled: false\n"), "{}", stdout(&output));
}

#[test]
#[allow(clippy::disallowed_methods, reason = "the tests start the program itself")]
fn an_interrupted_command_leaves_no_process_running() {
    for arguments in [&["diagnose"][..], &["query", "SELECT * FROM mdm_watchdog"], &["report", "-"]] {
        let mac = FakeMac::new();
        mac.command("/usr/bin/log", "").behaves("/usr/bin/log", "hang_with_child");
        let mut program = Command::new(env!("CARGO_BIN_EXE_mdm-health"));
        program.args(arguments).args(["--source", "live", "--root"]).arg(mac.root()).stdout(Stdio::null());
        let mut running = program.spawn().unwrap();
        let child = || std::fs::read_to_string(mac.path("/usr/bin/log.child")).unwrap_or_default();
        while !child().ends_with('\n') {
            assert_eq!(running.try_wait().unwrap(), None, "it did not wait for the log");
            std::thread::sleep(Duration::from_millis(5));
        }
        kill_process(Pid::from_child(&running), Signal::INT).unwrap();
        assert_eq!(running.wait().unwrap().code(), Some(128 + Signal::INT.as_raw()));
        let start = Instant::now();
        while is_running(&child()) {
            assert!(start.elapsed() < Duration::from_secs(60), "what it had started is still running");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

#[test]
fn a_source_that_cannot_be_opened_gives_exit_code_2_and_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let other = tempfile::tempdir().unwrap();
    let archive = other.path().join("system.logarchive");
    std::fs::create_dir(&archive).unwrap();
    let bad = folder.path().join("bad");
    std::fs::create_dir(&bad).unwrap();
    std::fs::write(bad.join("capture.json"), "{}").unwrap();
    let nowhere = folder.path().join("nowhere-on-earth");
    std::fs::create_dir(&nowhere).unwrap();
    let description = r#"{"captured_at": "2026-11-23T18:00:00Z", "utc_offset": "Berlin"}"#;
    std::fs::write(nowhere.join("capture.json"), description).unwrap();
    for (source, words) in [
        (folder.path().join("nowhere"), "cannot be read"),
        (folder.path().to_owned(), "no capture.json"),
        (archive, "without any tracev3 file"),
        (bad, "captured_at"),
        (nowhere, "utc_offset must look like -08:00"),
    ] {
        let output = on(&source, &["diagnose"]);
        assert_eq!(output.status.code(), Some(2), "{source:?}");
        assert!(stderr(&output).contains(words), "{}", stderr(&output));
    }
}

#[test]
fn a_file_that_is_neither_a_log_nor_a_capture_gives_exit_code_2_and_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("notes.txt");
    let program = [&b"\x7fELF\x02\n[\n\x00\x01\n"[..], &[0; 4096], b"\n"].concat();
    for (content, reason) in [
        (&b""[..], "the log is empty"),
        (b"hello\nworld\n", "is not a log in a style"),
        (&[0, 159, 146], "is not a log in a style"),
        (b"{\"captured_at\": \"2026-11-23T18:00:00Z\"}\n", "is not a log in a style"),
        (&program, "is not a log in a style"),
    ] {
        std::fs::write(&file, content).unwrap();
        for arguments in [&["query", "SELECT 1"][..], &["diagnose"], &["report", "-"], &["heal"]] {
            let output = on(&file, arguments);
            assert_eq!((output.status.code(), stdout(&output)), (Some(2), ""), "{arguments:?}: {content:?}");
            assert!(stderr(&output).contains("is neither a log of a Mac nor a capture: "), "{}", stderr(&output));
            assert!(stderr(&output).contains(reason), "{}", stderr(&output));
        }
    }
    // A log that holds nothing is a log.
    for log in ["{\"count\":0,\"finished\":1}\n", "[]\n"] {
        std::fs::write(&file, log).unwrap();
        let output = on(&file, &["query", "SELECT state FROM mdm_watchdog", "--csv"]);
        assert_eq!(stdout(&output), "state\nunknown\n", "{}", stderr(&output));
    }
}

#[test]
fn a_log_file_alone_leaves_the_enrollment_unknown() {
    let output =
        on(&fixture("quiet-healthy-day").join("log.ndjson"), &["query", "SELECT detail FROM mdm_watchdog", "--csv"]);
    assert!(
        stdout(&output).contains("does not contain the output of `/usr/bin/profiles status -type enrollment`"),
        "{}",
        stdout(&output)
    );
}

#[test]
fn the_time_and_the_utc_offset_can_be_set() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("compact.log");
    std::fs::write(&log, "2026-11-23 11:45:00.250 Df mdmclient[300:6c0d] [com.apple.ManagedClient:HTTPUtil] >>>>> Sending HTTP request (PUT) [Idle] >>>>>\n").unwrap();
    let sql = "SELECT checked_at, last_attempt_at FROM mdm_watchdog";
    let output = on(&log, &["query", sql, "--csv", "--now", "2026-11-23T18:00:00Z", "--utc-offset", "-05:00"]);
    let (now, attempt) = (support::time("2026-11-23T18:00:00Z"), support::time("2026-11-23T16:45:00Z"));
    assert_eq!(stdout(&output), format!("checked_at,last_attempt_at\n{},{}\n", now.timestamp(), attempt.timestamp()));
    for wrong in [["--now", "yesterday"], ["--utc-offset", "Berlin"]] {
        assert_eq!(on(&log, &[&["diagnose"][..], &wrong].concat()).status.code(), Some(2));
    }
}

#[test]
fn control_characters_and_formulas_are_escaped_in_csv_and_tables() {
    let hung =
        "2026-11-23 16:29:00 Processing server request: =cmd()\u{1b}[31m\u{7}\u{202e} for: <Device> (+1) PowerNap: no";
    let mac = Mac::at("2026-11-23T18:00:00Z").said(hung);
    let folder = mac.folder();
    let sql = "SELECT request_type, command_uuid FROM mdm_commands_recent";
    let csv = on(folder.path(), &["query", sql, "--csv"]);
    assert_eq!(stdout(&csv).lines().nth(1), Some("'=cmd()\\u{1b}[31m\\u{7}\\u{202e},'+1"));
    let table = on(folder.path(), &["query", sql]);
    assert!(stdout(&table).contains("=cmd()\\u{1b}[31m\\u{7}\\u{202e}"), "{}", stdout(&table));
    assert!(!stdout(&table).contains(['\u{1b}', '\u{7}', '\u{202e}']));
}

#[test]
fn control_characters_are_escaped_in_json() {
    let sql = "SELECT char(155, 127, 8238, 27) || char(10) AS said";
    let output = on(&fixture("quiet-healthy-day"), &["query", sql, "--json"]);
    assert_eq!(stdout(&output), "[\n  {\"said\":\"\\u009b\\u007f\\u202e\\u001b\\n\"}\n]\n");
    let rows: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(rows[0]["said"], "\u{9b}\u{7f}\u{202e}\u{1b}\n");
}

#[test]
#[allow(clippy::disallowed_methods, reason = "the tests start the program itself")]
fn a_full_disk_for_standard_output_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    // Files of this shell and its children cannot grow, as on a full disk.
    let full = "trap '' XFSZ; ulimit -f 0; exec \"$0\" tables > \"$1\"";
    let output = Command::new("/bin/sh")
        .args(["-c", full, env!("CARGO_BIN_EXE_mdm-health")])
        .arg(folder.path().join("tables.md"))
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).starts_with("mdm-health: standard output cannot be written: "), "{}", stderr(&output));
}

#[test]
fn help_and_version_work_in_every_spelling() {
    for flag in ["help", "-help", "--help", "-h"] {
        let output = run(&[flag]);
        assert_eq!(output.status.code(), Some(0), "{flag}");
        assert!(stdout(&output).contains("diagnose"), "{flag}");
    }
    for flag in ["version", "-version", "--version"] {
        assert!(stdout(&run(&[flag])).contains(env!("CARGO_PKG_VERSION")), "{flag}");
    }
}

#[test]
fn help_explains_every_output_and_every_exit_code() {
    let json = on(&fixture("quiet-healthy-day"), &["diagnose", "--json"]);
    let outputs: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(&json.stdout).unwrap();
    for help in [&["-help"][..], &["help"], &["diagnose", "--help"], &["help", "heal"]] {
        let output = run(help);
        for name in outputs.keys().filter(|name| name.contains("MDM") || name.contains("Daemon")) {
            assert!(stdout(&output).contains(name), "{help:?} says nothing of {name}");
        }
        assert!(stdout(&output).contains("Exit codes:"), "{help:?}");
    }
}
