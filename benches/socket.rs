//! A query through the extension's socket, osquery's way (a connection for the ping, another for the call), against a
//! bare osquery-rust-ng table with the same columns and rows.
//!
//! Run it with `cargo bench --bench socket`. The ratios are the result.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a bench that cannot measure may stop")]
#![allow(clippy::disallowed_methods, reason = "the bench starts the program itself")]

#[path = "../tests/it/support/manager.rs"]
#[allow(dead_code, reason = "the bench uses its own part")]
mod manager;

use manager::{Manager, Map, Peer};
use osquery_rust_ng::plugin::{ColumnDef, ColumnOptions, ColumnType, Plugin, ReadOnlyTable};
use osquery_rust_ng::{ExtensionPluginRequest, ExtensionResponse, ExtensionStatus, Server};
use std::fmt::Write as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const CALLS: usize = 2_000;
const COMMANDS: usize = 1_000;

fn main() {
    let folder = tempfile::tempdir().unwrap();
    let capture = capture(folder.path());
    let (ours_at, bare_at) = (folder.path().join("ours"), folder.path().join("bare"));
    std::fs::create_dir(&ours_at).unwrap();
    std::fs::create_dir(&bare_at).unwrap();
    let manager = Manager::start(&ours_at);
    let mut extension = extension(&manager.socket, &capture);
    let ours = manager.extension();
    let bare_manager = Manager::start(&bare_at);
    for (table, calls) in [("mdm_watchdog", CALLS), ("mdm_commands_recent", CALLS / 10)] {
        let rows = ours.generate(table, "{\"constraints\":[]}").rows;
        let columns = manager.state().registrations[0].registry["table"][table].clone();
        bare_manager.state().uuid += 1;
        let bare = bare(&bare_manager, table, columns, rows.clone());
        let generate = |peer: &Peer| assert_eq!(peer.generate(table, "{\"constraints\":[]}").rows.len(), rows.len());
        compare(&format!("{table}, {} rows", rows.len()), calls, &ours, &bare, generate);
        // What osquery asks of every table when a query comes beside another.
        let request = manager::map(&[("action", "columns")]);
        let columns = |peer: &Peer| assert!(!peer.call(table, &request).unwrap().rows.is_empty());
        compare(&format!("{table}, its columns"), calls, &ours, &bare, columns);
    }
    extension.kill().unwrap();
    extension.wait().unwrap();
}

/// Calls the two in turn and prints the median and the 99th percentile of each.
fn compare(what: &str, calls: usize, ours: &Peer, bare: &Peer, call: impl Fn(&Peer)) {
    let timed = |peer: &Peer| {
        let start = Instant::now();
        call(peer);
        start.elapsed()
    };
    for _ in 0..calls / 10 {
        timed(ours);
        timed(bare);
    }
    let (mut with_ours, mut with_bare): (Vec<Duration>, Vec<Duration>) =
        (0..calls).map(|_| (timed(ours), timed(bare))).unzip();
    with_ours.sort();
    with_bare.sort();
    for (name, place) in [("p50", calls / 2), ("p99", calls * 99 / 100)] {
        let (ours, bare) = (with_ours[place], with_bare[place]);
        let ratio = ours.as_secs_f64() / bare.as_secs_f64();
        println!("{what}, {name}: {ours:.0?}, bare table {bare:.0?}, {ratio:.2} times");
    }
}

fn extension(socket: &Path, capture: &Path) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mdm-health"));
    command.arg("--socket").arg(socket).args(["--timeout", "10", "--interval", "3"]).arg("--source").arg(capture);
    command.stdout(Stdio::null()).spawn().unwrap()
}

/// A table of the crate's own kind, with the same columns and rows.
struct Bare {
    name: String,
    columns: Vec<Map>,
    rows: Vec<Map>,
}

impl ReadOnlyTable for Bare {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn columns(&self) -> Vec<ColumnDef> {
        (self.columns.iter())
            .map(|column| ColumnDef::new(&column["name"], ColumnType::Text, ColumnOptions::DEFAULT))
            .collect()
    }

    fn generate(&self, _: ExtensionPluginRequest) -> ExtensionResponse {
        ExtensionResponse::new(ExtensionStatus::new(0, None, None), self.rows.clone())
    }

    fn shutdown(&self) {}
}

fn bare(manager: &Manager, name: &str, columns: Vec<Map>, rows: Vec<Map>) -> Peer {
    let mut server = Server::new(Some(name), manager.socket.to_str().unwrap()).unwrap();
    server.register_plugin(Plugin::readonly_table(Bare { name: name.to_owned(), columns, rows }));
    std::thread::spawn(move || server.run());
    let peer = Peer(manager.extension_socket());
    manager::until("the bare table answers", || peer.ping().is_ok());
    peer
}

/// A capture folder with a thousand commands.
fn capture(folder: &Path) -> std::path::PathBuf {
    let capture = folder.join("capture");
    std::fs::create_dir_all(capture.join("commands")).unwrap();
    std::fs::write(capture.join("capture.json"), "{\"captured_at\": \"2026-11-23T18:00:00Z\"}").unwrap();
    let enrolled =
        "Enrolled via DEP: Yes\nMDM enrollment: Yes (User Approved)\nMDM server: https://mdm.example.com/mdm\n";
    std::fs::write(capture.join("commands/profiles-status.out"), enrolled).unwrap();
    let mut log = String::new();
    for number in 0..COMMANDS {
        let at = format!("2026-11-23 17:{:02}:{:02}", number / 60 % 60, number % 60);
        for message in [
            format!(
                "Processing server request: ProfileList for: <Device> (7d1c2f0e-4f0a-4c1e-9a55-{number:012}) PowerNap: no"
            ),
            format!(
                ">>>>> Sending HTTP request (PUT) [Acknowledged(ProfileList):7d1c2f0e-4f0a-4c1e-9a55-{number:012}] >>>>>"
            ),
            format!(
                "<<<<< Received HTTP response (200) [Acknowledged(ProfileList):7d1c2f0e-4f0a-4c1e-9a55-{number:012}] <<<<<"
            ),
        ] {
            let _ = writeln!(
                log,
                "{{\"eventType\":\"logEvent\",\"processImagePath\":\"\\/usr\\/libexec\\/mdmclient\",\"processID\":300,\
                 \"threadID\":27661,\"timestamp\":\"{at}.000000+0000\",\"eventMessage\":\"[0:MDMDaemon:<0x6c0d>] {message}\"}}"
            );
        }
    }
    let _ = writeln!(log, "{{\"count\":{},\"finished\":1}}", COMMANDS * 3);
    std::fs::write(capture.join("log.ndjson"), log).unwrap();
    capture
}
