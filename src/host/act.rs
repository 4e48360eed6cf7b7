//! Changing something on the Mac: an allow-list of commands apart from those that only read, and [`Actor`], the only thing
//! that runs them. [`Live::actor`](super::Live::actor) makes one, and only heal holds it. A recorded Mac has none.

use super::daemon::Daemon;
use super::root_folder::{STATE_DIR, below, is_real};
use super::{HostError, Output, process};
use crate::vocabulary::Time;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;
use thiserror::Error;

/// How much a command that changes something may print, in bytes.
const OUTPUT_CAP: usize = 64 << 10;

/// A command that changes something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// Empties the cache of names.
    FlushNames,
    /// Makes mDNSResponder read everything anew.
    ReloadNames,
    /// Ends the update brain; softwareupdated starts it when it needs it.
    EndUpdateBrain,
    /// Makes launchd end the daemon and start it.
    Kickstart(Daemon),
    /// Asks the process with exactly this pid to end.
    Terminate(u32),
}

impl Act {
    /// The absolute path on a Mac.
    pub fn path(self) -> &'static str {
        match self {
            Self::FlushNames => "/usr/bin/dscacheutil",
            Self::ReloadNames => "/usr/bin/killall",
            Self::EndUpdateBrain => "/usr/bin/pkill",
            Self::Kickstart(_) => "/bin/launchctl",
            Self::Terminate(_) => "/bin/kill",
        }
    }

    pub fn arguments(self) -> Vec<String> {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        match self {
            Self::FlushNames => words(&["-flushcache"]),
            Self::ReloadNames => words(&["-HUP", "mDNSResponder"]),
            Self::EndUpdateBrain => words(&["BrainService"]),
            Self::Kickstart(daemon) => words(&["kickstart", "-k", daemon.service()]),
            Self::Terminate(pid) => words(&["-TERM", &pid.to_string()]),
        }
    }

    /// How long it may take before it is killed. launchd gives a daemon 5 seconds to end before it kills it.
    pub fn limit(self) -> Duration {
        Duration::from_secs(if matches!(self, Self::Kickstart(_)) { 10 } else { 2 })
    }

    /// Its name and arguments as a person would type them.
    pub fn line(self) -> String {
        let name = self.path().rsplit('/').next().unwrap_or_default();
        format!("{name} {}", self.arguments().join(" "))
    }
}

/// Changes something on the Mac below a root folder.
#[derive(Debug, Clone)]
pub struct Actor {
    root: PathBuf,
    /// A moment that replaces the clock.
    now: Option<Time>,
}

impl Actor {
    pub(super) fn new(root: PathBuf, now: Option<Time>) -> Self {
        Self { root, now }
    }

    /// Whether anything may be changed, with the record in that state folder.
    pub fn may_act(&self, state_dir: &Path) -> Result<(), ActError> {
        if !is_real(&self.root) {
            return Ok(());
        }
        let user = rustix::process::geteuid();
        if !user.is_root() {
            Err(ActError::NotRoot { uid: user.as_raw() })
        } else if self.now.is_some() {
            Err(ActError::NotNow)
        } else if state_dir != Path::new(STATE_DIR) {
            Err(ActError::OtherLedger { path: state_dir.to_owned() })
        } else {
            Ok(())
        }
    }

    /// Runs a command that changes something. A non-zero exit code is an answer, not an error.
    pub fn act(&self, act: Act) -> Result<Output, HostError> {
        process::run(below(&self.root, act.path()), &act.arguments(), act.limit(), OUTPUT_CAP)
    }

    /// Lets time pass between two looks.
    pub fn pause(&self, time: Duration) {
        thread::sleep(time);
    }
}

/// Why nothing may be changed.
#[derive(Debug, Error)]
pub enum ActError {
    #[error("this is a recorded Mac, and only a live one can be healed: leave out --source on the Mac itself")]
    Recorded,
    #[error(
        "only root may restart a daemon, and mdm-health runs as uid {uid}: run it with sudo, or as an extension of osqueryd"
    )]
    NotRoot { uid: u32 },
    #[error("--now cannot be used with heal: leave it out")]
    NotNow,
    #[error(
        "--state-dir cannot be used with heal: restarts are limited by the one record in {STATE_DIR}, not by {path}"
    )]
    OtherLedger { path: PathBuf },
}
