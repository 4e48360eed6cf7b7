//! A Mac as it was recorded: a capture folder, or a single log file.

use super::{Act, Command, FileEnd, Host, HostError, LogSource, Output, Span, read_regular};
use crate::Time;
use serde::Deserialize;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};

/// A capture folder or a log file.
#[derive(Debug)]
pub struct Recorded {
    path: PathBuf,
    /// `None` for a log file.
    description: Option<Description>,
    now: Option<Time>,
}

/// `capture.json`.
#[derive(Debug, Deserialize)]
struct Description {
    captured_at: Time,
    log_from: Option<Time>,
    log_to: Option<Time>,
}

impl Recorded {
    /// Opens a capture. `now` replaces the moment at which it was captured.
    pub fn open(path: &Path, now: Option<Time>) -> Result<Self, HostError> {
        let path = path.to_owned();
        let kind = fs::metadata(&path).map_err(|why| HostError::Unreadable { path: path.clone(), why })?;
        if !kind.is_dir() {
            return Ok(Self { path, description: None, now });
        }
        let file = path.join("capture.json");
        let text = match fs::read(&file) {
            Ok(text) => text,
            Err(_) if path.extension().is_some_and(|ending| ending == "logarchive") => {
                return Err(HostError::LogArchive { path });
            }
            Err(why) if why.kind() == ErrorKind::NotFound => return Err(HostError::NotACapture { path }),
            Err(why) => return Err(HostError::Unreadable { path: file, why }),
        };
        let description = serde_json::from_slice(&text).map_err(|why| HostError::BadDescription { path: file, why })?;
        Ok(Self { path, description: Some(description), now })
    }

    fn read(&self, within: String) -> Result<Vec<u8>, HostError> {
        self.piece(within, read_regular)
    }

    fn piece<T>(&self, within: String, read: impl FnOnce(&Path) -> io::Result<T>) -> Result<T, HostError> {
        if self.description.is_none() {
            return Err(HostError::OnlyALog { path: self.path.clone(), missing: within });
        }
        let path = self.path.join(&within);
        read(&path).map_err(|why| match why.kind() {
            ErrorKind::NotFound => HostError::NotCaptured { capture: self.path.clone(), missing: within },
            _ => HostError::Unreadable { path, why },
        })
    }
}

impl Host for Recorded {
    fn run(&self, command: Command) -> Result<Output, HostError> {
        let piece = |ending| self.read(format!("commands/{}.{ending}", command.name()));
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).trim().to_owned();
        let code = match piece("code") {
            Err(HostError::NotCaptured { .. } | HostError::OnlyALog { .. }) => None,
            other => Some(text(other?)),
        };
        let stdout = match piece("out") {
            // A command that failed need not have printed anything.
            Err(HostError::NotCaptured { .. }) if code.is_some() => Vec::new(),
            other => other?,
        };
        Ok(Output {
            code: code.map_or(Some(0), |code| code.parse().ok()),
            stdout,
            stderr: piece("err").map(text).unwrap_or_default(),
        })
    }

    fn open_log(&self, _: Span) -> Result<Box<dyn LogSource>, HostError> {
        let (path, within) = match &self.description {
            Some(_) => (self.path.join("log.ndjson"), "log.ndjson"),
            None => (self.path.clone(), "log"),
        };
        let file = File::open(&path).map_err(|why| match why.kind() {
            ErrorKind::NotFound => HostError::NotCaptured { capture: self.path.clone(), missing: within.to_owned() },
            _ => HostError::Unreadable { path, why },
        })?;
        let asked = self.description.as_ref().and_then(|asked| Some(Span { from: asked.log_from?, to: asked.log_to? }));
        Ok(Box::new(LogFile { file, asked }))
    }

    fn read_file(&self, path: &str) -> Result<Vec<u8>, HostError> {
        self.read(format!("root{path}"))
    }

    fn read_file_end(&self, path: &str, limit: u64) -> Result<FileEnd, HostError> {
        self.piece(format!("root{path}"), |path| FileEnd::read(path, limit))
    }

    fn now(&self) -> Option<Time> {
        self.now.or(self.description.as_ref().map(|description| description.captured_at))
    }

    fn is_live(&self) -> bool {
        false
    }

    fn read_trusted(&self, _: &str) -> Result<Option<Vec<u8>>, HostError> {
        Err(HostError::NotLive)
    }

    fn uptime(&self) -> Result<i64, HostError> {
        Err(HostError::NotLive)
    }

    fn may_act(&self, _: &Path) -> Result<(), HostError> {
        Err(HostError::NotLive)
    }

    fn act(&self, _: Act) -> Result<Output, HostError> {
        Err(HostError::NotLive)
    }
}

struct LogFile {
    file: File,
    asked: Option<Span>,
}

impl Read for LogFile {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.file.read(buffer)
    }
}

impl LogSource for LogFile {
    fn span(&self) -> Option<Span> {
        self.asked
    }

    fn size(&self) -> Option<u64> {
        self.file.metadata().ok().filter(|file| file.is_file()).map(|file| file.len())
    }

    fn finish(self: Box<Self>) -> Result<(), HostError> {
        Ok(())
    }
}
