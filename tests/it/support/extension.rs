//! The program, started as an osquery extension.

use super::manager::{Manager, Map, Peer, until};
use super::three_commands;
use mdm_health::tables::{self, ColumnKind};
use rustix::process::{Pid, Signal, kill_process};
use std::ffi::OsStr;
use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// The program, running as an extension. It is killed when this is dropped.
pub struct Extension(pub Child);

impl Extension {
    pub fn start(socket: &Path, arguments: &[&str]) -> Self {
        let socket = socket.to_str().unwrap();
        Self::run(&[&["--verbose", "--socket", socket, "--timeout", "30", "--interval", "1"][..], arguments].concat())
    }

    pub fn on(manager: &Manager, source: &Path) -> Self {
        Self::start(&manager.socket, &["--source", source.to_str().unwrap()])
    }

    pub fn run(arguments: &[&str]) -> Self {
        Self::run_as(env!("CARGO_BIN_EXE_mdm-health"), arguments)
    }

    #[allow(clippy::disallowed_methods, reason = "the tests start the program itself")]
    pub fn run_as(program: impl AsRef<OsStr>, arguments: &[&str]) -> Self {
        let mut command = Command::new(program);
        command.args(arguments).env_remove("MDM_HEALTH_SOURCE").stdout(Stdio::null()).stderr(Stdio::piped());
        Self(command.spawn().unwrap())
    }

    /// Reads its stderr up to a line with these words.
    pub fn said(&mut self, words: &str) {
        // One byte at a time, so that the rest is left for `end`.
        let (stderr, mut line) = (self.0.stderr.as_mut().unwrap(), String::new());
        while !line.contains(words) || !line.ends_with('\n') {
            let mut letter = [0];
            stderr.read_exact(&mut letter).unwrap_or_else(|_| panic!("it said only: {line}"));
            line.push(letter[0].into());
        }
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.0), signal).unwrap();
    }

    /// Waits for the end; returns the exit code and the rest of its stderr.
    pub fn end(mut self) -> (Option<i32>, String) {
        let mut code = None;
        until("the extension ends", || {
            code = self.0.try_wait().unwrap();
            code.is_some()
        });
        let mut said = String::new();
        self.0.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        (code.unwrap().code(), said)
    }
}

impl Drop for Extension {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Checks that every column exists and every number fits its column's type.
pub fn usable(table: &str, row: &Map) {
    let definition = tables::DEFINITIONS.iter().find(|one| one.name == table).unwrap();
    for (name, value) in row {
        let column = definition.columns.iter().find(|column| column.name == name);
        match column.unwrap_or_else(|| panic!("{table} has no {name}")).kind {
            ColumnKind::Integer => assert_eq!(value.parse::<i32>().unwrap().to_string(), *value, "{table}.{name}"),
            ColumnKind::BigInt => assert_eq!(value.parse::<i64>().unwrap().to_string(), *value, "{table}.{name}"),
            ColumnKind::Text => {}
        }
    }
}

/// A manager and an extension on that capture.
pub fn running() -> (TempDir, TempDir, Manager, Extension, Peer) {
    let (folder, capture) = (tempfile::tempdir().unwrap(), three_commands());
    let manager = Manager::start(folder.path());
    let extension = Extension::on(&manager, capture.path());
    let peer = manager.extension();
    (folder, capture, manager, extension, peer)
}
