//! A Mac as it was recorded: a capture folder, or a single log file.

use super::archive::Archive;
use super::capture::{self, Description};
use super::{Command, FileEnd, Host, HostError, LogSource, Output, open_regular, read_bounded};
use crate::vocabulary::{Span, Time};
use chrono::FixedOffset;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};

/// A capture, in a folder or packed, or a log file.
#[derive(Debug)]
pub struct Recorded {
    path: PathBuf,
    form: Form,
    now: Option<Time>,
}

/// What was recorded.
#[derive(Debug)]
enum Form {
    LogFile,
    Capture(Pieces, Description),
}

/// Where the pieces of a capture lie.
#[derive(Debug)]
enum Pieces {
    Folder(PathBuf),
    Archive(Archive),
}

/// A piece that is being read, and its size in bytes.
type Piece = (Box<dyn Read + Send>, u64);

impl Pieces {
    /// Opens a piece. A capture may come from anywhere: a pipe in it would hang, a device never end.
    fn open(&self, within: &str) -> io::Result<Piece> {
        let folder = match self {
            Self::Archive(archive) => {
                return archive.piece(within).map(|(piece, size)| (Box::new(piece) as Box<dyn Read + Send>, size));
            }
            Self::Folder(folder) => folder,
        };
        let file = open_regular(&folder.join(within))?;
        let size = file.metadata()?.len();
        Ok((Box::new(file), size))
    }

    /// Reads a piece of bounded size.
    fn read(&self, within: &str) -> io::Result<Vec<u8>> {
        read_bounded(self.open(within)?.0)
    }
}

impl Recorded {
    /// Opens a capture or a log file. `now` replaces the moment at which it was captured.
    pub fn open(path: &Path, now: Option<Time>) -> Result<Self, HostError> {
        let path = path.to_owned();
        let unreadable = |why| HostError::Unreadable { path: path.clone(), why };
        let kind = fs::metadata(&path).map_err(unreadable)?;
        let pieces = if kind.is_dir() {
            Pieces::Folder(path.clone())
        } else if kind.is_file() && Archive::is_one(&path).map_err(unreadable)? {
            let archive = Archive::open(&path).map_err(|why| HostError::BadArchive { path: path.clone(), why })?;
            Pieces::Archive(archive)
        } else {
            return Ok(Self { path, form: Form::LogFile, now });
        };
        let file = path.join(capture::DESCRIPTION);
        let text = match pieces.read(capture::DESCRIPTION) {
            Ok(text) => text,
            Err(_) if path.extension().is_some_and(|ending| ending == "logarchive") => {
                return Err(HostError::LogArchive { path });
            }
            Err(why) if why.kind() == ErrorKind::NotFound => return Err(HostError::NotACapture { path }),
            Err(why) => return Err(HostError::Unreadable { path: file, why }),
        };
        let description = serde_json::from_slice(&text).map_err(|why| HostError::BadDescription { path: file, why })?;
        Ok(Self { path, form: Form::Capture(pieces, description), now })
    }

    fn description(&self) -> Option<&Description> {
        match &self.form {
            Form::LogFile => None,
            Form::Capture(_, description) => Some(description),
        }
    }

    fn piece<T>(&self, within: &str, read: impl FnOnce(&Pieces) -> io::Result<T>) -> Result<T, HostError> {
        let missing = within.to_owned();
        let Form::Capture(pieces, _) = &self.form else {
            return Err(HostError::OnlyALog { path: self.path.clone(), missing });
        };
        read(pieces).map_err(|why| match why.kind() {
            ErrorKind::NotFound => HostError::NotCaptured { capture: self.path.clone(), missing },
            _ => HostError::Unreadable { path: self.path.join(within), why },
        })
    }

    fn read(&self, within: &str) -> Result<Vec<u8>, HostError> {
        self.piece(within, |pieces| pieces.read(within))
    }

    /// A file that the Mac did not have is another thing than one that was not recorded.
    fn not_absent(&self, path: &str) -> Result<(), HostError> {
        if self.description().is_some_and(|description| description.absent.contains(path)) {
            let (path, why) = (self.path.join(capture::of_file(path)), ErrorKind::NotFound.into());
            return Err(HostError::Unreadable { path, why });
        }
        Ok(())
    }
}

impl Host for Recorded {
    fn run(&self, command: Command) -> Result<Output, HostError> {
        let piece = |ending| self.read(&capture::of_command(command, ending));
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

    fn open_log(&self, _: Span, _: &str) -> Result<Box<dyn LogSource>, HostError> {
        let Form::Capture(_, description) = &self.form else {
            let unreadable = |why| HostError::Unreadable { path: self.path.clone(), why };
            let file = File::open(&self.path).map_err(unreadable)?;
            let size = file.metadata().ok().filter(|file| file.is_file()).map(|file| file.len());
            return Ok(Box::new(LogFile { text: Box::new(file), size, asked: None }));
        };
        let (text, size) = self.piece(capture::LOG, |pieces| pieces.open(capture::LOG))?;
        let asked = description.log_from.zip(description.log_to).map(|(from, to)| Span { from, to });
        Ok(Box::new(LogFile { text, size: Some(size), asked }))
    }

    fn read_file(&self, path: &str) -> Result<Vec<u8>, HostError> {
        self.not_absent(path)?;
        self.read(&capture::of_file(path))
    }

    fn read_file_end(&self, path: &str, limit: u64) -> Result<FileEnd, HostError> {
        self.not_absent(path)?;
        let within = capture::of_file(path);
        let mut end = self.piece(&within, |pieces| {
            let (mut text, size) = pieces.open(&within)?;
            let left_out = io::copy(&mut text.by_ref().take(size.saturating_sub(limit)), &mut io::sink())?;
            let mut bytes = Vec::new();
            text.take(limit).read_to_end(&mut bytes)?;
            Ok(FileEnd { bytes, left_out })
        })?;
        let before = self.description().and_then(|description| description.left_out.get(path)).unwrap_or(&0);
        end.left_out = end.left_out.saturating_add(*before);
        Ok(end)
    }

    fn now(&self) -> Option<Time> {
        self.now.or(self.description().map(|description| description.captured_at))
    }

    fn is_live(&self) -> bool {
        false
    }

    fn utc_offset(&self) -> Option<FixedOffset> {
        self.description()?.utc_offset
    }

    fn recorded_restarts(&self) -> Result<Vec<u8>, HostError> {
        self.read(capture::RESTARTS)
    }

    fn read_trusted(&self, _: &str) -> Result<Option<Vec<u8>>, HostError> {
        Err(HostError::NotLive { missing: "policy" })
    }

    fn uptime(&self) -> Result<i64, HostError> {
        Err(HostError::NotLive { missing: "running time" })
    }
}

struct LogFile {
    text: Box<dyn Read + Send>,
    size: Option<u64>,
    asked: Option<Span>,
}

impl Read for LogFile {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.text.read(buffer)
    }
}

impl LogSource for LogFile {
    fn span(&self) -> Option<Span> {
        self.asked
    }

    fn size(&self) -> Option<u64> {
        self.size
    }

    fn finish(self: Box<Self>) -> Result<(), HostError> {
        Ok(())
    }
}
