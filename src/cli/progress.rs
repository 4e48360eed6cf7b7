//! A progress bar for people who wait for a long log; nothing where nobody looks.

use crate::host::{
    AwakeTimes, Bookmark, Command, FileEnd, Growth, Host, HostError, LogSource, Output, Ownership, SinceBoot,
};
use crate::vocabulary::{Span, Time};
use chrono::FixedOffset;
use indicatif::{ProgressBar, ProgressFinish, ProgressStyle};
use std::io::{self, IsTerminal, Read};
use std::time::Duration;

/// The same host, with a progress bar on standard error if that is a terminal.
pub fn watched(host: Box<dyn Host>) -> Box<dyn Host> {
    if io::stderr().is_terminal() { Box::new(Watched(host)) } else { host }
}

/// A sign of life on standard error, if that is a terminal, until it is dropped.
pub fn spinner(words: &'static str) -> ProgressBar {
    let bar = ProgressBar::new_spinner().with_message(words).with_finish(ProgressFinish::AndClear);
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}

struct Watched(Box<dyn Host>);

impl Host for Watched {
    fn run(&self, command: Command) -> Result<Output, HostError> {
        self.0.run(command)
    }

    fn open_log(&self, span: Span, predicate: &str) -> Result<Box<dyn LogSource>, HostError> {
        let source = self.0.open_log(span, predicate)?;
        let (bar, template) = match source.size() {
            Some(size) => {
                (ProgressBar::new(size), "reading the log {bar:30} {bytes}/{total_bytes} {bytes_per_sec} {eta} left")
            }
            None => (ProgressBar::new_spinner(), "reading the log {spinner} {bytes} {bytes_per_sec} for {elapsed}"),
        };
        // A template that indicatif does not like leaves its own in place.
        let style = ProgressStyle::with_template(template);
        Ok(Box::new(WatchedLog { source, bar: bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar())) }))
    }

    fn read_file(&self, path: &str) -> Result<Vec<u8>, HostError> {
        self.0.read_file(path)
    }

    fn read_file_end(&self, path: &str, limit: u64) -> Result<FileEnd, HostError> {
        self.0.read_file_end(path, limit)
    }

    fn read_growth(&self, path: &str, limit: u64, known: Option<&Bookmark>) -> Result<Growth, HostError> {
        self.0.read_growth(path, limit, known)
    }

    fn ownership(&self, path: &str) -> Result<Option<Ownership>, HostError> {
        self.0.ownership(path)
    }

    fn now(&self) -> Option<Time> {
        self.0.now()
    }

    fn is_live(&self) -> bool {
        self.0.is_live()
    }

    fn utc_offset(&self) -> Option<FixedOffset> {
        self.0.utc_offset()
    }

    fn recorded_restarts(&self) -> Result<Vec<u8>, HostError> {
        self.0.recorded_restarts()
    }

    fn read_trusted(&self, path: &str) -> Result<Option<Vec<u8>>, HostError> {
        self.0.read_trusted(path)
    }

    fn since_boot(&self) -> Result<SinceBoot, HostError> {
        self.0.since_boot()
    }

    fn recorded_awake(&self) -> &[AwakeTimes] {
        self.0.recorded_awake()
    }

    fn uptime(&self) -> Result<Duration, HostError> {
        self.0.uptime()
    }
}

struct WatchedLog {
    source: Box<dyn LogSource>,
    bar: ProgressBar,
}

impl Read for WatchedLog {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.source.read(buffer)?;
        self.bar.inc(u64::try_from(read).unwrap_or(0));
        Ok(read)
    }
}

impl LogSource for WatchedLog {
    fn span(&self) -> Option<Span> {
        self.source.span()
    }

    fn written(&self) -> Option<Time> {
        self.source.written()
    }

    fn finish(self: Box<Self>) -> Result<(), HostError> {
        self.bar.finish_and_clear();
        self.source.finish()
    }
}
