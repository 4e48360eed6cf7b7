//! A live Mac below a root folder with a clock that the test sets.

use chrono::TimeDelta;
use mdm_health::host::{Bookmark, Command, FileEnd, Growth, Host, HostError, Live, LogSource, Output, SinceBoot};
use mdm_health::vocabulary::Span;
use mdm_health::vocabulary::Time;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// The clock.
#[derive(Clone)]
pub struct Clock(Arc<Mutex<Time>>, TimeDelta);

impl Clock {
    pub fn at(now: Time) -> Self {
        Self::ticking(now, TimeDelta::zero())
    }

    /// A clock that advances by this much whenever it is read.
    pub fn ticking(now: Time, by: TimeDelta) -> Self {
        Self(Arc::new(Mutex::new(now)), by)
    }

    pub fn set(&self, now: Time) {
        *self.0.lock().unwrap() = now;
    }

    pub fn now(&self) -> Time {
        let mut now = self.0.lock().unwrap();
        *now += self.1;
        *now
    }
}

/// The Mac.
pub struct SetClock {
    root: PathBuf,
    clock: Clock,
}

impl SetClock {
    pub fn new(root: &Path, clock: &Clock) -> Self {
        Self { root: root.to_owned(), clock: clock.clone() }
    }

    fn live(&self) -> Live {
        Live::new(self.root.clone(), Some(self.clock.now()))
    }
}

impl Host for SetClock {
    fn run(&self, command: Command) -> Result<Output, HostError> {
        self.live().run(command)
    }

    fn open_log(&self, span: Span, predicate: &str) -> Result<Box<dyn LogSource>, HostError> {
        self.live().open_log(span, predicate)
    }

    fn read_file(&self, path: &str) -> Result<Vec<u8>, HostError> {
        self.live().read_file(path)
    }

    fn read_file_end(&self, path: &str, limit: u64) -> Result<FileEnd, HostError> {
        self.live().read_file_end(path, limit)
    }

    fn read_growth(&self, path: &str, limit: u64, known: Option<&Bookmark>) -> Result<Growth, HostError> {
        self.live().read_growth(path, limit, known)
    }

    fn read_trusted(&self, path: &str) -> Result<Option<Vec<u8>>, HostError> {
        self.live().read_trusted(path)
    }

    fn now(&self) -> Option<Time> {
        Some(self.clock.now())
    }

    /// It has been running, and never slept, since the epoch of its clock.
    fn since_boot(&self) -> Result<SinceBoot, HostError> {
        let running_ms = self.clock.now().timestamp_millis();
        Ok(SinceBoot { running_ms, awake_ms: running_ms })
    }

    fn uptime(&self) -> Result<Duration, HostError> {
        self.live().uptime()
    }

    fn is_live(&self) -> bool {
        true
    }
}
