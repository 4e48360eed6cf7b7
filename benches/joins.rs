//! Joins of our own large tables, in the shell and through the extension's socket: by what has an index, and without one.
//!
//! Run it with `cargo bench --bench joins`. The ratios are the result.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a bench that cannot measure may stop")]
#![allow(clippy::disallowed_methods, reason = "the bench starts the program itself")]
#![allow(clippy::print_stdout, reason = "it prints what it measured")]

#[path = "../tests/it/support/manager.rs"]
#[allow(dead_code, reason = "the bench uses its own part")]
mod manager;

use manager::Manager;
use mdm_health::cli::shell::{self, Format};
use mdm_health::collect::{self, Collector};
use mdm_health::heal::Healer;
use mdm_health::health::Findings;
use mdm_health::host::Recorded;
use mdm_health::log::ReadOptions;
use mdm_health::tables;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

const COMMANDS: usize = 555;
const EXCHANGES: usize = 2_223;

fn main() {
    let folder = tempfile::tempdir().unwrap();
    let capture = capture(folder.path());
    in_the_shell(&capture);
    through_the_socket(folder.path(), &capture);
}

fn in_the_shell(capture: &Path) {
    let host = Recorded::open(capture, None).unwrap();
    let evidence = collect::evidence(&host, &ReadOptions::default(), &capture.join("state"));
    let findings = Arc::new(Findings::new(evidence));
    let timed = |condition: &str| {
        let collector = Collector::new(
            Box::new(Recorded::open(capture, None).unwrap()),
            ReadOptions::default(),
            capture.join("state"),
            None,
        );
        let tables = tables::all(Arc::new(Healer::new(collector, None, Duration::ZERO)));
        let sql = format!("SELECT count(*) AS n FROM mdm_exchanges e JOIN mdm_commands_recent c ON {condition}");
        let (findings, start) = (findings.clone(), Instant::now());
        let printed = shell::query(&sql, Format::Csv, tables, move || findings.clone()).unwrap();
        assert_eq!(printed, format!("n\n{COMMANDS}\n"));
        start.elapsed()
    };
    // The plus signs keep SQLite from asking the table for one value.
    let without = timed("+c.command_uuid = +e.command_uuid");
    let with = median(|| timed("c.command_uuid = e.command_uuid"));
    print("in the shell", with, without);
}

/// The inner side of the join as osquery asks for it, once for every row of the outer side.
fn through_the_socket(folder: &Path, capture: &Path) {
    let manager = Manager::start(folder);
    let mut command = Command::new(env!("CARGO_BIN_EXE_mdm-health"));
    command
        .arg("--socket")
        .arg(&manager.socket)
        .args(["--timeout", "10", "--interval", "3"])
        .arg("--source")
        .arg(capture);
    let mut extension = command.stdout(Stdio::null()).spawn().unwrap();
    let peer = manager.extension();
    assert_eq!(peer.generate("mdm_commands_recent", "{}").rows.len(), COMMANDS);
    let all = || {
        let start = Instant::now();
        for _ in 0..EXCHANGES {
            assert_eq!(peer.generate("mdm_commands_recent", "{\"constraints\":[]}").rows.len(), COMMANDS);
        }
        start.elapsed()
    };
    let by_value = || {
        let start = Instant::now();
        for number in 0..EXCHANGES {
            let context = format!(
                r#"{{"constraints":[{{"name":"command_uuid","list":[{{"op":2,"expr":"{}"}}],"affinity":"TEXT"}}]}}"#,
                uuid(number)
            );
            assert_eq!(peer.generate("mdm_commands_recent", &context).rows.len(), usize::from(number < COMMANDS));
        }
        start.elapsed()
    };
    print("through the socket", median(by_value), all());
    extension.kill().unwrap();
    extension.wait().unwrap();
}

fn median(timed: impl Fn() -> Duration) -> Duration {
    let mut times: Vec<Duration> = (0..5).map(|_| timed()).collect();
    times.sort();
    times[2]
}

fn print(place: &str, with: Duration, without: Duration) {
    let ratio = without.as_secs_f64() / with.as_secs_f64();
    println!(
        "{EXCHANGES} by {COMMANDS} rows {place}: {with:.1?}, without an index {without:.1?}, {ratio:.0} times as long"
    );
}

fn uuid(number: usize) -> String {
    format!("7d1c2f0e-4f0a-4c1e-9a55-{number:012}")
}

/// A capture with as many commands, and with as many exchanges, of which some are answers to commands.
fn capture(folder: &Path) -> PathBuf {
    let capture = folder.join("capture");
    std::fs::create_dir_all(capture.join("commands")).unwrap();
    std::fs::write(capture.join("capture.json"), "{\"captured_at\": \"2026-11-23T18:00:00Z\"}").unwrap();
    let enrolled =
        "Enrolled via DEP: Yes\nMDM enrollment: Yes (User Approved)\nMDM server: https://mdm.example.com/mdm\n";
    std::fs::write(capture.join("commands/profiles-status.out"), enrolled).unwrap();
    let mut log = String::new();
    let mut lines = 0;
    for number in 0..EXCHANGES {
        let at = format!("2026-11-23 17:{:02}:{:02}.{:03}", number / 60 % 60, number % 60, number / 3600);
        let about =
            if number < COMMANDS { format!("Acknowledged(ProfileList):{}", uuid(number)) } else { "Idle".to_owned() };
        let received = format!("Processing server request: ProfileList for: <Device> ({}) PowerNap: no", uuid(number));
        let received = (number < COMMANDS).then_some(received);
        for message in received.into_iter().chain([
            format!(">>>>> Sending HTTP request (PUT) [{about}] >>>>>"),
            format!("<<<<< Received HTTP response (200) [{about}] <<<<<"),
        ]) {
            lines += 1;
            let _ = writeln!(
                log,
                "{{\"eventType\":\"logEvent\",\"processImagePath\":\"\\/usr\\/libexec\\/mdmclient\",\"processID\":300,\
                 \"threadID\":27661,\"timestamp\":\"{at}000+0000\",\"eventMessage\":\"[0:MDMDaemon:<0x6c0d>] {message}\"}}"
            );
        }
    }
    let _ = writeln!(log, "{{\"count\":{lines},\"finished\":1}}");
    std::fs::write(capture.join("log.ndjson"), log).unwrap();
    capture
}
