//! A progress bar for people who wait for a long log; nothing where nobody looks.

use crate::host::capture::RecordedVerdict;
use crate::host::pieces::{LogArchive, Progress};
use crate::host::{
    AwakeTimes, Bookmark, Command, FileEnd, Growth, Host, HostError, LogSource, Output, Ownership, SinceBoot,
};
use crate::vocabulary::{Span, Time};
use chrono::FixedOffset;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressFinish, ProgressStyle};
use std::io::{self, IsTerminal, Read};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// How long nobody needs a sign of life.
const PATIENCE: Duration = Duration::from_millis(200);

/// The same host, with a progress bar on standard error if that is a terminal.
pub fn watched(host: Box<dyn Host>) -> Box<dyn Host> {
    let archive = ArchiveProgress::default();
    if io::stderr().is_terminal() { Box::new(Watched { host, archive }) } else { host }
}

/// A sign of life on standard error, if that is a terminal, until it is dropped.
pub fn spinner(words: &'static str) -> ProgressBar {
    let bar = ProgressBar::new_spinner().with_message(words).with_finish(ProgressFinish::AndClear);
    shown_later(bar)
}

/// A bar for so many things, on standard error if that is a terminal.
pub fn counter(things: usize) -> ProgressBar {
    let bar = ProgressBar::new(u64::try_from(things).unwrap_or(u64::MAX)).with_finish(ProgressFinish::AndClear);
    if io::stderr().is_terminal() { shown_later(bar) } else { ProgressBar::hidden() }
}

/// Shows a bar once it has waited for a while: most readings end sooner, and a bar would only flicker.
fn shown_later(bar: ProgressBar) -> ProgressBar {
    bar.set_draw_target(ProgressDrawTarget::hidden());
    let later = bar.downgrade();
    // Without a thread there is no bar, and nothing else is lost.
    let _ = thread::Builder::new().name("progress".to_owned()).spawn(move || {
        thread::sleep(PATIENCE);
        if let Some(bar) = later.upgrade().filter(|bar| !bar.is_finished()) {
            bar.set_draw_target(ProgressDrawTarget::stderr());
            bar.enable_steady_tick(Duration::from_millis(100));
        }
    });
    bar
}

struct Watched {
    host: Box<dyn Host>,
    archive: ArchiveProgress,
}

/// Shows how far an archive is read, on standard error if that is a terminal.
#[derive(Default)]
pub struct ArchiveProgress(Mutex<Option<ProgressBar>>);

impl Progress for ArchiveProgress {
    fn begin(&self, what: &'static str, bytes: u64) {
        if io::stderr().is_terminal() {
            let template = "{msg} {bar:30} {bytes}/{total_bytes} {bytes_per_sec} {eta} left";
            *self.bar() = Some(bar(Some(bytes), template).with_message(what));
        }
    }

    fn at(&self, bytes: u64) {
        self.bar().iter().for_each(|bar| bar.set_position(bytes));
    }

    fn end(&self) {
        self.bar().take().iter().for_each(ProgressBar::finish_and_clear);
    }
}

impl ArchiveProgress {
    fn bar(&self) -> MutexGuard<'_, Option<ProgressBar>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A bar for so many bytes, or a spinner where their number is not known.
fn bar(bytes: Option<u64>, template: &str) -> ProgressBar {
    let bar = bytes.map_or_else(ProgressBar::new_spinner, ProgressBar::new);
    // A template that indicatif does not like leaves its own in place.
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    shown_later(bar.with_style(style).with_finish(ProgressFinish::AndClear))
}

impl Host for Watched {
    fn run(&self, command: Command) -> Result<Output, HostError> {
        self.host.run(command)
    }

    fn open_log(&self, span: Span, predicate: &str) -> Result<Box<dyn LogSource>, HostError> {
        let source = self.host.open_log(span, predicate)?;
        let size = source.size();
        let template = match size {
            Some(_) => "reading the log {bar:30} {bytes}/{total_bytes} {bytes_per_sec} {eta} left",
            None => "reading the log {spinner} {bytes} {bytes_per_sec} for {elapsed}",
        };
        Ok(Box::new(WatchedLog { source, bar: bar(size, template) }))
    }

    fn collect_log(&self, to: &Path, hours: u16) -> Result<(), HostError> {
        self.host.collect_log(to, hours)
    }

    fn log_archive(&self) -> Option<LogArchive<'_>> {
        self.host.log_archive().map(|archive| LogArchive { progress: &self.archive, ..archive })
    }

    fn sysdiagnose_file(&self, name: &str) -> Option<Result<Vec<u8>, HostError>> {
        self.host.sysdiagnose_file(name)
    }

    fn read_file(&self, path: &str) -> Result<Vec<u8>, HostError> {
        self.host.read_file(path)
    }

    fn read_file_end(&self, path: &str, limit: u64) -> Result<FileEnd, HostError> {
        self.host.read_file_end(path, limit)
    }

    fn read_growth(&self, path: &str, limit: u64, known: Option<&Bookmark>) -> Result<Growth, HostError> {
        self.host.read_growth(path, limit, known)
    }

    fn ownership(&self, path: &str) -> Result<Option<Ownership>, HostError> {
        self.host.ownership(path)
    }

    fn modified(&self, path: &str) -> Result<Option<Time>, HostError> {
        self.host.modified(path)
    }

    fn recorded_version(&self) -> Option<(String, Option<String>)> {
        self.host.recorded_version()
    }

    fn now(&self) -> Option<Time> {
        self.host.now()
    }

    fn is_live(&self) -> bool {
        self.host.is_live()
    }

    fn utc_offset(&self) -> Option<FixedOffset> {
        self.host.utc_offset()
    }

    fn recorded_restarts(&self) -> Result<Vec<u8>, HostError> {
        self.host.recorded_restarts()
    }

    fn read_trusted(&self, path: &str) -> Result<Option<Vec<u8>>, HostError> {
        self.host.read_trusted(path)
    }

    fn since_boot(&self) -> Result<SinceBoot, HostError> {
        self.host.since_boot()
    }

    fn recorded_awake(&self) -> &[AwakeTimes] {
        self.host.recorded_awake()
    }

    fn recorded_history(&self) -> &[RecordedVerdict] {
        self.host.recorded_history()
    }

    fn uptime(&self) -> Result<Duration, HostError> {
        self.host.uptime()
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
