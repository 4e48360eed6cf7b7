//! `watch`, and the progress bar: what a person at a terminal sees.

use crate::support;
use crate::support::fake_mac::FakeMac;
use crate::support::terminal::Terminal;
use rustix::process::{Pid, Signal, kill_process};

fn mac(said: &str) -> FakeMac {
    let mac = FakeMac::new();
    let at = (chrono::Utc::now() - chrono::TimeDelta::seconds(20)).format("%Y-%m-%d %H:%M:%S");
    mac.command("/usr/bin/profiles", support::ENROLLED)
        .command("/usr/sbin/sysctl", "{ sec = 1763300000, usec = 0 } then\n{ sec = 0, usec = 0 } then\n")
        .log(&support::ndjson(&format!("{at} {said}")));
    mac
}

const SUCCESS: &str = "<<<<< Received HTTP response (200) [Idle] <<<<<";

fn watch(mac: &FakeMac, more: &[&str]) -> Terminal {
    let (root, state) = (mac.root().to_str().unwrap().to_owned(), mac.path("/state"));
    let arguments = [&["watch", "--source", "live", "--root", &root, "--state-dir", state.to_str().unwrap()], more];
    Terminal::start(&arguments.concat(), 110, mac.root())
}

#[test]
fn watch_shows_what_is_new_and_ends_well_at_ctrl_c() {
    let mac = mac(SUCCESS);
    let mut terminal = watch(&mac, &["--every", "2"]);
    let first = terminal.waits_for("Last exchanges");
    assert!(first.contains("| ok ") && first.contains("recent_success"), "{first}");
    let at = chrono::Utc::now().format("%Y-%m-%d %H:%M:%S");
    let line = "Processing server request: DeviceInformation for: <Device> (0001_DeviceInformation) PowerNap: no";
    mac.log(&support::ndjson(&format!("{at} {SUCCESS}\n{at} {line}")));
    let next = terminal.waits_for("DeviceInformation");
    assert!(next.contains("\u{1b}[H\u{1b}[2J"), "the page is shown in place of the last one: {next:?}");
    kill_process(Pid::from_child(&terminal.child), Signal::INT).unwrap();
    assert_eq!(terminal.ends().0, Some(0));
}

#[test]
fn watch_escapes_what_the_log_says() {
    let hostile = "Processing server request: a\u{1b}]0;t\u{7}\u{1b}[31mb\u{202e} for: <Device> (0001_a) PowerNap: no";
    let (code, shown) = watch(&mac(hostile), &["--times", "1"]).ends();
    assert_eq!(code, Some(0), "{shown}");
    assert!(shown.contains("\\u{1b}]0;t\\u{7}\\u{1b}[31mb\\u{202e}"), "{shown:?}");
    let plain = shown.replace("\u{1b}[H\u{1b}[2J", "");
    assert!(!plain.contains(['\u{1b}', '\u{7}', '\u{202e}']), "{shown:?}");
}

/// How often the log is read depends on how long that takes, and not on how often somebody wants it.
#[test]
fn watch_rests_four_times_as_long_as_a_reading_took() {
    let mac = mac(SUCCESS);
    mac.behaves("/usr/bin/log", "slow");
    let (code, shown) = watch(&mac, &["--every", "2", "--times", "2"]).ends();
    assert_eq!(code, Some(0), "{shown}");
    let took_and_rest = |page: &str| -> Option<(f64, f64)> {
        let (took, rest) = page.strip_prefix("Read in ")?.split_once(" s, again in ")?;
        Some((took.parse().ok()?, rest.split(' ').next()?.parse().ok()?))
    };
    let pages: Vec<(f64, f64)> = shown.split("\u{1b}[2J").filter_map(took_and_rest).collect();
    assert_eq!(pages.len(), 2, "{shown}");
    assert!(pages.iter().all(|(took, rest)| *took > 0.9 && *rest + 1.0 >= took * 4.0), "{pages:?}");
}

#[test]
fn watch_is_for_the_mac_itself() {
    let home = tempfile::tempdir().unwrap();
    let source = support::fixture("quiet-healthy-day");
    let (code, shown) = Terminal::start(&["watch", "--source", source.to_str().unwrap()], 100, home.path()).ends();
    assert_eq!(code, Some(2));
    assert!(shown.contains("a recorded Mac does not change"), "{shown}");
}

#[test]
fn a_bar_is_shown_only_of_what_takes_its_time() {
    let query = |mac: &FakeMac| {
        let (root, state) = (mac.root().to_str().unwrap().to_owned(), mac.path("/state"));
        let sql = "SELECT count(*) AS rows FROM mdm_exchanges";
        let arguments = ["query", sql, "--source", "live", "--root", &root, "--state-dir", state.to_str().unwrap()];
        Terminal::start(&arguments, 110, mac.root()).ends().1
    };
    let slow = mac(SUCCESS);
    slow.behaves("/usr/bin/log", "slow");
    assert!(query(&slow).contains("reading the log"), "two seconds are long");
    // What is read at once gives no sign; a busy machine may make any reading long.
    let shown: Vec<String> = (0..5).map(|_| query(&mac(SUCCESS))).collect();
    assert!(shown.iter().any(|shown| !shown.contains("reading the log")), "{shown:?}");
}
