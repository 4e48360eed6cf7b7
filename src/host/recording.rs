//! Records a capture: a host that saves what another host answers while the program collects its evidence in the ordinary
//! way. So a capture holds exactly what a live run sees.

use super::capture::{self, Description, RecordedVerdict};
use super::{AwakeTimes, Command, FileEnd, Host, HostError, LogSource, Output, SinceBoot};
use crate::vocabulary::{Span, Time};
use chrono::{FixedOffset, TimeDelta};
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use thiserror::Error;

#[derive(Debug, Error)]
#[error("{path} cannot be written: {why}. Make room on the disk, and run mdm-health as root")]
pub struct RecordingError {
    pub path: PathBuf,
    pub why: io::Error,
}

pub struct Recording {
    host: Box<dyn Host>,
    folder: PathBuf,
    /// How much of the log to request.
    span: TimeDelta,
    now: Option<Time>,
    notes: Arc<Mutex<Notes>>,
}

/// What `capture.json` says beside the time.
#[derive(Default)]
struct Notes {
    log: Option<Span>,
    left_out: Vec<(String, u64)>,
    modified: Vec<(String, Time)>,
    absent: Vec<String>,
    /// The first error.
    trouble: Option<RecordingError>,
}

impl Recording {
    /// `folder` exists and is empty. The whole capture is for one time, a whole second, at which the log ends.
    pub fn new(host: Box<dyn Host>, folder: PathBuf, span: TimeDelta) -> Self {
        let now = host.now().map(|now| now - TimeDelta::nanoseconds(now.timestamp_subsec_nanos().into()));
        Self { host, folder, span, now, notes: Arc::default() }
    }

    /// Adds mdm-health's own record and `capture.json`. What was seen while recording is added to `description`, whose
    /// time is used where the host has none of its own.
    pub fn finish(self, restarts: Option<&[u8]>, description: Description) -> Result<Description, RecordingError> {
        if let Some(restarts) = restarts {
            self.write(capture::RESTARTS, restarts);
        }
        let mut notes = self.notes();
        let description = Description {
            captured_at: self.now.unwrap_or(description.captured_at),
            log_from: notes.log.map(|span| span.from),
            log_to: notes.log.map(|span| span.to),
            utc_offset: description.utc_offset.or(self.host.utc_offset()),
            left_out: std::mem::take(&mut notes.left_out).into_iter().collect(),
            modified: std::mem::take(&mut notes.modified).into_iter().collect(),
            absent: std::mem::take(&mut notes.absent).into_iter().collect(),
            ..description
        };
        drop(notes);
        // Written last, so that an incomplete folder is not a capture.
        let text = serde_json::to_string_pretty(&description).unwrap_or_default() + "\n";
        self.write(capture::DESCRIPTION, text.as_bytes());
        self.notes().trouble.take().map_or(Ok(description), Err)
    }

    fn notes(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Saves a piece. A piece that is read twice is saved once.
    fn write(&self, within: &str, bytes: &[u8]) {
        let path = self.folder.join(within);
        match create(&path).and_then(|mut file| file.write_all(bytes)) {
            Err(why) if why.kind() != ErrorKind::AlreadyExists => self.trouble(path, why),
            _ => {}
        }
    }

    fn trouble(&self, path: PathBuf, why: io::Error) {
        self.notes().trouble.get_or_insert(RecordingError { path, why });
    }

    /// Notes a file that the Mac does not have.
    fn note_absence<T>(&self, path: &str, answer: &Result<T, HostError>) {
        if matches!(answer, Err(HostError::Unreadable { why, .. }) if why.kind() == ErrorKind::NotFound) {
            self.notes().absent.push(path.to_owned());
        }
    }
}

/// Held while a file of a capture is made. The signal handler takes it for good before it removes the work folder.
pub fn making() -> MutexGuard<'static, ()> {
    static MAKING: Mutex<()> = Mutex::new(());
    MAKING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Makes a file that only its owner can read, and its folders likewise.
pub fn create(path: &Path) -> io::Result<File> {
    let _making = making();
    let folder = path.parent().unwrap_or(path);
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

impl Host for Recording {
    fn run(&self, command: Command) -> Result<Output, HostError> {
        let answer = self.host.run(command);
        if let Ok(Output { code, stdout, stderr }) = &answer {
            self.write(&capture::of_command(command, "out"), stdout);
            if !stderr.is_empty() {
                self.write(&capture::of_command(command, "err"), stderr.as_bytes());
            }
            if *code != Some(0) {
                let code = code.map_or("signal".to_owned(), |code| code.to_string());
                self.write(&capture::of_command(command, "code"), format!("{code}\n").as_bytes());
            }
        }
        answer
    }

    fn open_log(&self, span: Span, predicate: &str) -> Result<Box<dyn LogSource>, HostError> {
        let source = self.host.open_log(Span { from: span.to - self.span, ..span }, predicate)?;
        self.notes().log = source.span();
        let path = self.folder.join(capture::LOG);
        Ok(Box::new(RecordedLog { source, file: None, path, notes: self.notes.clone() }))
    }

    fn read_file(&self, path: &str) -> Result<Vec<u8>, HostError> {
        let answer = self.host.read_file(path);
        self.note_absence(path, &answer);
        if let Ok(bytes) = &answer {
            self.write(&capture::of_file(path), bytes);
        }
        answer
    }

    fn read_file_end(&self, path: &str, limit: u64) -> Result<FileEnd, HostError> {
        let answer = self.host.read_file_end(path, limit);
        self.note_absence(path, &answer);
        if let Ok(end) = &answer {
            self.write(&capture::of_file(path), &end.bytes);
            if end.left_out > 0 {
                self.notes().left_out.push((path.to_owned(), end.left_out));
            }
        }
        answer
    }

    fn modified(&self, path: &str) -> Result<Option<Time>, HostError> {
        let answer = self.host.modified(path);
        match &answer {
            Ok(Some(at)) => self.notes().modified.push((path.to_owned(), *at)),
            Ok(None) => self.notes().absent.push(path.to_owned()),
            Err(_) => {}
        }
        answer
    }

    fn now(&self) -> Option<Time> {
        self.now
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

    /// Ownership is not recorded, so these files are not saved.
    fn read_trusted(&self, path: &str) -> Result<Option<Vec<u8>>, HostError> {
        self.host.read_trusted(path)
    }

    fn since_boot(&self) -> Result<SinceBoot, HostError> {
        self.host.since_boot()
    }

    fn recorded_version(&self) -> Option<(String, Option<String>)> {
        self.host.recorded_version()
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

/// The log, saved while it is read.
struct RecordedLog {
    source: Box<dyn LogSource>,
    /// `None` before the first byte: an unreadable log must not look like an empty one.
    file: Option<BufWriter<File>>,
    path: PathBuf,
    notes: Arc<Mutex<Notes>>,
}

impl RecordedLog {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(BufWriter::new(create(&self.path)?)),
        };
        file.write_all(bytes)
    }

    /// Reading goes on after a write error; the first error ends the capture.
    fn note(&self, written: io::Result<()>) {
        if let Err(why) = written {
            let mut notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
            notes.trouble.get_or_insert(RecordingError { path: self.path.clone(), why });
        }
    }
}

impl Read for RecordedLog {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.source.read(buffer)?;
        if let Some(bytes) = buffer.get(..read).filter(|bytes| !bytes.is_empty()) {
            let written = self.write(bytes);
            self.note(written);
        }
        Ok(read)
    }
}

impl LogSource for RecordedLog {
    fn span(&self) -> Option<Span> {
        self.source.span()
    }

    fn written(&self) -> Option<Time> {
        self.source.written()
    }

    fn size(&self) -> Option<u64> {
        self.source.size()
    }

    fn finish(mut self: Box<Self>) -> Result<(), HostError> {
        let written = self.file.as_mut().map_or(Ok(()), Write::flush);
        self.note(written);
        self.source.finish()
    }
}
