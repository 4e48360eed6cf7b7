//! The live host on a fake Mac: commands that succeed, hang, flood, fail and write to stderr.

use crate::support;
use crate::support::fake_mac::FakeMac;
use crate::support::processes::is_running;
use crate::support::{ENROLLED, rows, time};
use mdm_health::collect;
use mdm_health::health::Findings;
use mdm_health::host::{Command, Host, HostError, Live};
use mdm_health::log::ReadOptions;
use mdm_health::vocabulary::Span;
use std::io::Read;
use std::os::unix::fs::symlink;
use std::thread;
use std::time::{Duration, Instant};

const PROFILES: &str = "/usr/bin/profiles";
const LOG: &str = "/usr/bin/log";
const SYSCTL: &str = "/usr/sbin/sysctl";

fn live(mac: &FakeMac) -> Live {
    Live::new(mac.root().to_owned(), Some(time("2026-11-23T18:00:00Z")))
}

fn span() -> Span {
    Span { from: time("2026-11-23T15:00:00Z"), to: time("2026-11-23T18:00:00Z") }
}

#[test]
fn a_command_gets_its_arguments_as_a_list_and_an_empty_environment() {
    let mac = FakeMac::new();
    mac.command(PROFILES, ENROLLED).notes_environment(PROFILES);
    let output = live(&mac).run(Command::ProfilesStatus).unwrap();
    assert_eq!((output.code, output.stdout.as_slice()), (Some(0), ENROLLED.as_bytes()));
    assert_eq!(mac.calls(PROFILES), ["3 status -type enrollment"]);
    let environment = mac.environment(PROFILES);
    let ours: Vec<&str> = environment
        .lines()
        .filter(|line| !["PWD=", "_=", "SHLVL=", "OLDPWD="].iter().any(|own| line.starts_with(own)))
        .collect();
    assert_eq!(ours, ["LC_ALL=C"], "the shell's own variables apart");
}

#[test]
fn a_failed_command_gives_its_exit_code_and_its_stderr() {
    let mac = FakeMac::new();
    mac.command(PROFILES, "").fails(PROFILES, 3, "no such luck\n");
    let output = live(&mac).run(Command::ProfilesStatus).unwrap();
    assert_eq!((output.code, output.stderr.as_str()), (Some(3), "no such luck"));
}

#[test]
fn a_missing_command_is_an_error_that_names_it() {
    let error = live(&FakeMac::new()).run(Command::ProfilesStatus).unwrap_err();
    assert!(matches!(error, HostError::CannotStart { .. }), "{error}");
    assert!(error.to_string().contains("usr/bin/profiles"));
}

#[test]
fn a_flood_of_output_is_stopped_at_the_limit() {
    let mac = FakeMac::new();
    mac.command(PROFILES, "").behaves(PROFILES, "flood");
    let error = live(&mac).run(Command::ProfilesStatus).unwrap_err();
    assert!(matches!(error, HostError::TooMuchOutput { .. }), "{error}");
}

#[test]
fn a_flood_on_stderr_does_not_block_the_output() {
    let mac = FakeMac::new();
    mac.command(PROFILES, ENROLLED).behaves(PROFILES, "flood_stderr");
    let output = live(&mac).run(Command::ProfilesStatus).unwrap();
    assert_eq!(output.stdout, ENROLLED.as_bytes());
    assert!(output.stderr.len() <= 64 << 10);
}

#[test]
fn a_command_that_hangs_is_killed_at_its_deadline_with_its_children() {
    let mac = FakeMac::new();
    mac.command(PROFILES, "").behaves(PROFILES, "hang_with_child");
    let error = live(&mac).run(Command::ProfilesStatus).unwrap_err();
    assert!(matches!(error, HostError::TimedOut { .. }), "{error}");
    let child = std::fs::read_to_string(mac.path("/usr/bin/profiles.child")).unwrap();
    let start = Instant::now();
    while is_running(&child) {
        assert!(start.elapsed() < Duration::from_secs(60), "the child is still running");
        thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn only_regular_files_are_read() {
    let mac = FakeMac::new();
    symlink("/dev/zero", mac.root().join("endless")).unwrap();
    for path in ["/endless", "/System"] {
        let error = live(&mac).read_file(path).unwrap_err();
        assert!(error.to_string().ends_with("it is not a regular file"), "{error}");
    }
}

#[test]
fn the_log_is_read_with_a_predicate_and_streamed() {
    let mac = FakeMac::new();
    mac.command(LOG, "{\"count\":0,\"finished\":1}\n");
    let mut log = live(&mac).open_log(span(), &mdm_health::event::predicate()).unwrap();
    let mut text = String::new();
    log.read_to_string(&mut text).unwrap();
    assert_eq!(log.span(), Some(span()));
    log.finish().unwrap();
    assert_eq!(text, "{\"count\":0,\"finished\":1}\n");
    let call = mac.calls(LOG).remove(0);
    assert!(
        call.starts_with("9 show --style ndjson --info --debug --start 2026-11-23 15:00:00+0000 --predicate "),
        "{call}"
    );
}

#[test]
fn a_denied_log_is_reported_with_the_words_of_log_show() {
    let mac = FakeMac::new();
    mac.command(LOG, "").fails(LOG, 64, "log: Could not open local log store: Operation not permitted\n");
    mac.command(PROFILES, ENROLLED).command(SYSCTL, "");
    let findings = Findings::new(collect::evidence(&live(&mac), &ReadOptions::default(), &support::no_state()));
    let status = &rows(&findings, "mdm_health_status")[0];
    assert_eq!((status.text("state"), status.text("reason")), (Some("error"), Some("log_access_denied")));
    assert!(status.text("detail").unwrap().contains("Operation not permitted"));
    assert_eq!(rows(&findings, "mdm_watchdog")[0].text("reason"), Some("log_unreadable"));
}

#[test]
fn a_live_mac_with_a_recent_response_is_ok() {
    let mac = FakeMac::new();
    mac.command(PROFILES, ENROLLED);
    mac.command(SYSCTL, "{ sec = 1763300000, usec = 0 } then\n{ sec = 0, usec = 0 } then\n");
    let said = support::ndjson("2026-11-23 17:59:00 <<<<< Received HTTP response (200) [Idle] <<<<<");
    mac.command(LOG, &format!("{said}{{\"count\":1,\"finished\":1}}\n"));
    let findings = Findings::new(collect::evidence(&live(&mac), &ReadOptions::default(), &support::no_state()));
    let row = &rows(&findings, "mdm_watchdog")[0];
    assert_eq!((row.text("state"), row.number("mdm_client_stuck")), (Some("ok"), Some(0)));
    assert!(rows(&findings, "mdm_health_status")[..3].iter().all(|row| row.text("state") == Some("ok")));
}

#[test]
fn commands_run_with_these_arguments_and_none_asks_apple() {
    let mac = FakeMac::new();
    let (mdmclient, security) = ("/usr/libexec/mdmclient", "/usr/bin/security");
    for command in [PROFILES, SYSCTL, LOG, mdmclient, security] {
        mac.command(command, "");
    }
    collect::evidence(&live(&mac), &ReadOptions::default(), &support::no_state());
    assert_eq!(
        mac.calls(PROFILES),
        ["3 status -type enrollment", "3 -C -o stdout-xml", "3 status -type bootstraptoken"]
    );
    assert_eq!(mac.calls(mdmclient), ["1 DumpManagementStatus"]);
    let keychain = "/Library/Keychains/System.keychain";
    let calls = [format!("2 find-identity {keychain}"), format!("4 find-certificate -a -p {keychain}")];
    assert_eq!(mac.calls(security), calls);
}

#[test]
fn a_log_that_dies_covers_only_what_was_read() {
    let mac = FakeMac::new();
    mac.command(PROFILES, ENROLLED);
    mac.command(SYSCTL, "{ sec = 1763300000, usec = 0 } then\n{ sec = 0, usec = 0 } then\n");
    let said = support::ndjson("2026-11-23 15:10:00 <<<<< Received HTTP response (200) [Idle] <<<<<");
    mac.command(LOG, &said).fails(LOG, 1, "log: interrupted\n");
    let findings = Findings::new(collect::evidence(&live(&mac), &ReadOptions::default(), &support::no_state()));
    let status = &rows(&findings, "mdm_health_status")[0];
    assert_eq!((status.text("state"), status.text("reason")), (Some("partial"), Some("command_failed")));
    assert_eq!(status.number("covers_to"), Some(time("2026-11-23T15:10:00Z").timestamp()));
    let row = &rows(&findings, "mdm_watchdog")[0];
    assert_eq!((row.text("state"), row.text("reason")), (Some("unknown"), Some("log_incomplete")));
}
