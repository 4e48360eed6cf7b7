//! The played manager in its own process, which can be stopped and killed: the test binary, started again.

use super::manager::{Manager, Peer, until};
use rustix::process::{Pid, Signal, kill_process};
use std::env;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{self, Child, Command, Stdio};
use std::thread;
use std::time::Duration;

/// The variable that gives the manager's folder to the process that plays it.
const FOLDER: &str = "MDM_HEALTH_TEST_MANAGER";

/// How often the manager pings its extensions.
const INTERVAL: Duration = Duration::from_secs(1);

/// A manager's process, killed on drop.
pub struct ManagerProcess {
    socket: PathBuf,
    process: Child,
}

impl ManagerProcess {
    /// Starts this test, which must begin with [`play_if_asked`], as a manager in that folder.
    #[allow(clippy::disallowed_methods, reason = "the tests start themselves again")]
    pub fn start(folder: &Path, test: &str) -> Self {
        let mut command = Command::new(env::current_exe().unwrap());
        command.args(["--exact", test, "--nocapture"]).env(FOLDER, folder).stdin(Stdio::piped()).stdout(Stdio::null());
        let started = Self { process: command.spawn().unwrap(), socket: folder.join("osquery.em") };
        until("the manager answers", || started.peer().ping().is_ok());
        started
    }

    pub fn peer(&self) -> Peer {
        Peer(self.socket.clone())
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.process), signal).unwrap();
    }
}

impl Drop for ManagerProcess {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Plays the manager and does not return, in a process started for it.
pub fn play_if_asked() {
    let Some(folder) = env::var_os(FOLDER) else { return };
    // It ends with its parent process, however that ends.
    thread::spawn(|| {
        let _ = io::stdin().read(&mut [0]);
        process::exit(0);
    });
    play(Path::new(&folder));
}

/// Like osquery it first removes the sockets at and beside its path, accepts one extension per name, and delists any
/// that does not answer a ping.
fn play(folder: &Path) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        if entry.file_name().to_string_lossy().starts_with("osquery.em") {
            // An extension that ends removes its own socket.
            let _ = fs::remove_file(entry.path());
        }
    }
    let manager = Manager::giving(i64::from(process::id() % 65_536), folder);
    manager.state().one_at_a_time = true;
    loop {
        thread::sleep(INTERVAL);
        let listed = manager.state().listed.clone();
        for uuid in listed {
            if Peer(manager.socket.clone()).behind(uuid).ping().is_err() {
                manager.state().listed.retain(|listed| *listed != uuid);
            }
        }
    }
}
