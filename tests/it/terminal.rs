//! What the program prints is safe for a terminal, whatever the caller's own arguments, paths and queries carry: a script
//! may have taken them from anywhere.

use crate::support::captured::Captured;
use crate::support::fixture;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::process::CommandExt;
use std::process::{Command, Output};

/// Colors, the title of the window, a clear screen, a C1 control character, text that runs backwards, a line separator.
const HOSTILE: &str = "a\u{1b}[31mb\u{1b}]0;t\u{7}\u{1b}[2Jc\u{9b}31m\u{202e}d\u{2028}e\rf\u{8}g\u{7f}h";

#[allow(clippy::disallowed_methods, reason = "the tests start the program itself")]
fn run(arguments: &[&OsStr]) -> Output {
    let mut program = Command::new(env!("CARGO_BIN_EXE_mdm-health"));
    program.args(arguments).env_remove("MDM_HEALTH_SOURCE").output().unwrap()
}

fn is_safe(text: &str) -> bool {
    let turned = |letter| matches!(letter, '\u{61c}' | '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    !text.contains(|letter: char| (letter.is_control() && letter != '\n') || turned(letter))
}

#[track_caller]
fn check(output: &Output, what: &dyn std::fmt::Debug) {
    for printed in [&output.stdout, &output.stderr] {
        let printed = std::str::from_utf8(printed).unwrap();
        assert!(is_safe(printed), "{what:?}: {printed:?}");
    }
    assert!(!(output.stdout.is_empty() && output.stderr.is_empty()), "{what:?}: nothing was printed");
}

#[test]
fn no_argument_reaches_the_terminal_as_it_is() {
    let capture = fixture("quiet-healthy-day");
    let source = capture.to_str().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let absent = folder.path().join(HOSTILE);
    let taken = folder.path().join(format!("{HOSTILE}-taken"));
    fs::write(&taken, "not a log\n").unwrap();
    let open = folder.path().join(format!("{HOSTILE}-root"));
    fs::create_dir_all(open.join("System/Library/CoreServices")).unwrap();
    fs::write(open.join("System/Library/CoreServices/SystemVersion.plist"), "").unwrap();
    let nowhere = absent.join("x");
    let sql = format!("SELECT '{HOSTILE}' AS \"{HOSTILE}\", 1 AS \"=1{HOSTILE}\"");
    let bad_sql = format!("SELECT \"{HOSTILE}\" FROM \"{HOSTILE}\"");
    let attach = format!("ATTACH '{HOSTILE}' AS x");
    let pragma = format!("PRAGMA \"{HOSTILE}\"");
    let insert = format!("INSERT INTO mdm_heal(action, reason) VALUES ('{HOSTILE}', '{HOSTILE}')");
    let (absent, taken, open) = (absent.to_str().unwrap(), taken.to_str().unwrap(), open.to_str().unwrap());
    let nowhere = nowhere.to_str().unwrap();
    let written = folder.path().join(format!("{HOSTILE}.html"));
    let written = written.to_str().unwrap();
    let flag = format!("--{HOSTILE}");
    let flag_with_value = format!("--source={HOSTILE}");
    let cases: Vec<Vec<&str>> = vec![
        vec![HOSTILE],
        vec![&flag],
        vec![&flag_with_value, "diagnose"],
        vec!["diagnose", HOSTILE],
        vec!["diagnose", &flag],
        vec!["diagnose", "--now", HOSTILE],
        vec!["diagnose", "--utc-offset", HOSTILE],
        vec!["diagnose", "--source", HOSTILE],
        vec!["diagnose", "--source", absent],
        vec!["diagnose", "--source", taken],
        vec!["diagnose", "--source", "live", "--root", absent],
        vec!["diagnose", "--source", "live", "--root", open],
        vec!["diagnose", "--source", "live", "--root", open, "--state-dir", taken],
        vec!["query", "SELECT * FROM mdm_health_status", "--source", "live", "--root", open, "--state-dir", taken],
        vec!["diagnose", "--json", "--source", taken],
        vec!["heal", "--source", taken],
        vec!["heal", HOSTILE],
        vec!["query", &sql, "--source", source],
        vec!["query", &sql, "--source", source, "--csv"],
        vec!["query", &sql, "--source", source, "--json"],
        vec!["query", &bad_sql, "--source", source],
        vec!["query", &attach, "--source", source],
        vec!["query", &pragma, "--source", source],
        vec!["query", &insert, "--source", source],
        vec!["query", HOSTILE, "--source", source],
        vec!["query", "SELECT 1", HOSTILE],
        vec!["query", "SELECT * FROM mdm_health_status", "--source", taken],
        vec!["query", "SELECT * FROM mdm_health_status", "--source", taken, "--csv"],
        vec!["query", "SELECT * FROM mdm_health_status", "--source", taken, "--json"],
        vec!["query", "-f", absent],
        vec!["query", "-f", taken, "--source", source],
        vec!["query", "--", HOSTILE, "--source", source],
        vec!["query", &flag],
        vec!["query", "-f", absent, "SELECT 1"],
        vec!["watch", HOSTILE],
        vec!["watch", "--every", HOSTILE],
        vec!["watch", "--source", absent],
        vec!["watch", "--source", "live", "--root", absent],
        vec!["report", written, "--source", source],
        vec!["report", "--fleet", absent, "-"],
        vec!["report", "-", "--source", taken],
        vec!["report", "-", "--source", absent],
        vec!["report", nowhere, "--source", source],
        vec!["report", taken, "--source", source],
        vec!["report", taken, HOSTILE],
        vec!["capture", nowhere, "--source", source],
        vec!["capture", taken, "--source", source],
        vec!["capture", absent, "--source", source],
        vec!["capture", absent, "--hours", HOSTILE],
        vec!["capture", absent, "--source", taken],
        vec!["tables", HOSTILE],
        vec!["packs", HOSTILE],
        vec!["codes", HOSTILE],
        vec!["completions", HOSTILE],
        vec!["help", HOSTILE],
        vec!["man", HOSTILE],
        vec!["version", &flag],
        vec!["--socket", HOSTILE, "--timeout", "0", "--source", taken],
        vec!["--socket", nowhere, "--timeout", "0", "--source", absent],
        vec!["--socket", nowhere, "--timeout", HOSTILE, "--now", HOSTILE],
        vec!["--socket", nowhere, "--utc-offset", HOSTILE],
        vec!["--socket", nowhere, "--timeout", "0", "--verbose", "--source", "live", "--root", absent],
    ];
    for arguments in &cases {
        let arguments: Vec<&OsStr> = arguments.iter().map(OsStr::new).collect();
        check(&run(&arguments), &arguments);
    }
    // What is not UTF-8 is shown with replacement characters.
    let bytes = OsString::from_vec(b"a\x1b[31m\xff\x9b31m".to_vec());
    for arguments in [vec![bytes.as_os_str()], vec![OsStr::new("diagnose"), OsStr::new("--source"), &bytes]] {
        check(&run(&arguments), &arguments);
    }
}

#[test]
#[allow(clippy::disallowed_methods, reason = "the tests start the program itself")]
fn neither_the_programs_own_name_nor_its_environment_reaches_the_terminal_as_it_is() {
    for arguments in [&["--help"][..], &["-h"], &["diagnose", "--help"], &["--nonsense"], &[], &["diagnose"]] {
        let mut program = Command::new(env!("CARGO_BIN_EXE_mdm-health"));
        program.arg0(HOSTILE).args(arguments).env("MDM_HEALTH_SOURCE", HOSTILE);
        check(&program.output().unwrap(), &arguments);
    }
}

#[test]
fn the_name_of_a_redacted_capture_is_printed_safely() {
    let mac = Captured::of(&fixture("quiet-healthy-day"), "UTC0");
    for name in [HOSTILE.to_owned(), format!("{HOSTILE}.tar.gz")] {
        let to = mac.mac.root().join(name);
        check(&mac.live(&["capture", "--redact", to.to_str().unwrap()]), &to);
    }
}
