//! A Mac as it was recorded: a capture, a single log file, or an archive that macOS made.

use super::archived::Archived;
use super::capture::{self, Description, RecordedVerdict};
use super::pieces::{LogArchive, Piece, Pieces, Progress, Shape, ShapeError, is_tracev3};
use super::{AwakeTimes, Command, FileEnd, FileLook, Host, HostError, LogSource, Output, read_bounded, rotated};
use crate::vocabulary::{Span, Time};
use chrono::FixedOffset;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::Duration;

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
    Capture(Box<Capture>),
    Archive(Box<Archived>),
}

/// A capture folder, or one that is packed.
#[derive(Debug)]
struct Capture {
    pieces: Pieces,
    /// The folder within the archive.
    folder: String,
    description: Description,
}

impl Capture {
    fn open(pieces: Pieces, folder: String) -> Result<Self, HostError> {
        let file = pieces.path().join(&folder).join(capture::DESCRIPTION);
        let read = piece(&pieces, &folder, capture::DESCRIPTION).and_then(read_bounded);
        let text = read.map_err(|why| HostError::Unreadable { path: file.clone(), why })?;
        let description = serde_json::from_slice(&text).map_err(|why| HostError::BadDescription { path: file, why })?;
        Ok(Self { pieces, folder, description })
    }

    fn piece(&self, name: &str) -> io::Result<Piece> {
        piece(&self.pieces, &self.folder, name)
    }
}

fn piece(pieces: &Pieces, folder: &str, name: &str) -> io::Result<Piece> {
    if folder.is_empty() { pieces.piece(name) } else { pieces.piece(&format!("{folder}/{name}")) }
}

impl Recorded {
    /// Opens a capture, a log file, a sysdiagnose or a log archive. `now` replaces the moment at which it was made.
    pub fn open(path: &Path, now: Option<Time>) -> Result<Self, HostError> {
        Self::open_watched(path, now, &())
    }

    /// The same for somebody who waits.
    pub fn open_watched(path: &Path, now: Option<Time>, progress: &dyn Progress) -> Result<Self, HostError> {
        let path = path.to_owned();
        let unreadable = |why| HostError::Unreadable { path: path.clone(), why };
        let kind = fs::metadata(&path).map_err(unreadable)?;
        let is_folder = kind.is_dir();
        // A pipe is a log file.
        let pieces = if is_folder || kind.is_file() { Pieces::open(&path, progress) } else { Ok(None) };
        let pieces = match pieces {
            Ok(Some(pieces)) => pieces,
            Ok(None) if kind.is_file() && is_tracev3(&path) => {
                return Err(HostError::BadArchive { path, why: ShapeError::LoneTracev3 });
            }
            Ok(None) => return Ok(Self { path, form: Form::LogFile, now }),
            Err(why) => return Err(HostError::BadArchive { path, why: ShapeError::Unreadable(why) }),
        };
        match Shape::of(&pieces) {
            Ok(Shape::Capture(_)) if let Some(why) = pieces.broken() => {
                let why = io::Error::new(why.kind(), why.to_string());
                Err(HostError::BadArchive { path, why: ShapeError::Unreadable(why) })
            }
            Ok(Shape::Capture(folder)) => {
                Ok(Self { path, form: Form::Capture(Box::new(Capture::open(pieces, folder)?)), now })
            }
            Ok(shape) => match Archived::new(pieces, shape) {
                Ok(archive) => Ok(Self { path, form: Form::Archive(Box::new(archive)), now }),
                Err(why) => Err(HostError::BadArchive { path, why }),
            },
            Err(ShapeError::Unknown) if is_folder => Err(HostError::NotACapture { path }),
            Err(why) => Err(HostError::BadArchive { path, why }),
        }
    }

    fn description(&self) -> Option<&Description> {
        match &self.form {
            Form::LogFile | Form::Archive(_) => None,
            Form::Capture(capture) => Some(&capture.description),
        }
    }

    fn piece(&self, within: &str) -> Result<Piece, HostError> {
        let missing = within.to_owned();
        let Form::Capture(capture) = &self.form else { return Err(self.lacks(within)) };
        capture.piece(within).map_err(|why| match why.kind() {
            ErrorKind::NotFound => HostError::NotCaptured { capture: self.path.clone(), missing },
            _ => self.unreadable(within, why),
        })
    }

    /// What only a capture has.
    fn lacks(&self, missing: &str) -> HostError {
        match &self.form {
            Form::Archive(archive) => archive.lacks(missing),
            _ => HostError::OnlyALog { path: self.path.clone(), missing: missing.to_owned() },
        }
    }

    /// A file of the Mac.
    fn file(&self, path: &str) -> Result<Piece, HostError> {
        match &self.form {
            Form::Capture(_) => self.piece(&capture::of_file(path)),
            Form::Archive(archive) => archive.mac_file(path),
            Form::LogFile => Err(self.lacks(path)),
        }
    }

    fn unreadable(&self, within: &str, why: io::Error) -> HostError {
        HostError::Unreadable { path: self.path.join(within), why }
    }

    fn read(&self, within: &str) -> Result<Vec<u8>, HostError> {
        read_bounded(self.piece(within)?).map_err(|why| self.unreadable(within, why))
    }

    /// Distinguishes a file that the Mac did not have from one that was not recorded.
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
        if !matches!(self.form, Form::Capture(_)) {
            let words = [&[command.path()], command.arguments()].concat().join(" ");
            return Err(self.lacks(&format!("the output of `{words}`")));
        }
        let piece = |ending| self.read(&capture::of_command(command, ending));
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).trim().to_owned();
        let code = match piece("code") {
            Err(HostError::NotCaptured { .. }) => None,
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
        if let Form::Archive(archive) = &self.form {
            let no_text = HostError::LogNotText { path: self.path.clone() };
            return Err(archive.log().map_or_else(|| archive.lacks("a log archive"), |_| no_text));
        }
        let Form::Capture(capture) = &self.form else {
            let unreadable = |why| HostError::Unreadable { path: self.path.clone(), why };
            let file = File::open(&self.path).map_err(unreadable)?;
            // A pipe has neither a size nor a time.
            let found = file.metadata().ok().filter(|file| file.is_file());
            let size = found.as_ref().map(|file| file.len());
            let written = found.and_then(|found| FileLook::of(&found).modified());
            return Ok(Box::new(LogFile { text: Box::new(file), size, asked: None, written }));
        };
        let text = self.piece(capture::LOG)?;
        let size = Some(text.size());
        let Description { log_from, log_to, .. } = capture.description;
        let asked = log_from.zip(log_to).map(|(from, to)| Span { from, to });
        Ok(Box::new(LogFile { text: Box::new(text), size, asked, written: None }))
    }

    fn log_archive(&self) -> Option<LogArchive<'_>> {
        let Form::Archive(archive) = &self.form else { return None };
        Some(LogArchive { pieces: archive.pieces(), store: archive.log()?, progress: &() })
    }

    fn sysdiagnose_file(&self, name: &str) -> Option<Result<Vec<u8>, HostError>> {
        let Form::Archive(archive) = &self.form else { return None };
        let piece = archive.sysdiagnose_file(name)?;
        Some(piece.and_then(|piece| read_bounded(piece).map_err(|why| self.unreadable(name, why))))
    }

    fn read_file(&self, path: &str) -> Result<Vec<u8>, HostError> {
        self.not_absent(path)?;
        read_bounded(self.file(path)?).map_err(|why| self.unreadable(&capture::of_file(path), why))
    }

    fn read_file_end(&self, path: &str, limit: u64) -> Result<FileEnd, HostError> {
        self.not_absent(path)?;
        let within = capture::of_file(path);
        let mut piece = self.file(path)?;
        let before = self.description().and_then(|description| description.left_out.get(path)).copied().unwrap_or(0);
        let left_out = piece.size().saturating_sub(limit);
        let mut bytes = Vec::new();
        let read = piece.seek(SeekFrom::Start(left_out)).and_then(|_| piece.take(limit).read_to_end(&mut bytes));
        let end = read.map(|_| FileEnd { bytes, left_out: left_out.saturating_add(before), ..FileEnd::default() });
        let open = |ending: &str| -> io::Result<Box<dyn Read>> {
            match &self.form {
                Form::Capture(capture) => Ok(Box::new(capture.piece(&format!("{within}{ending}"))?)),
                Form::LogFile | Form::Archive(_) => Err(ErrorKind::NotFound.into()),
            }
        };
        rotated::join(end, limit, open).map_err(|why| self.unreadable(&within, why))
    }

    fn modified(&self, path: &str) -> Result<Option<Time>, HostError> {
        if self.not_absent(path).is_err() {
            return Ok(None);
        }
        let at = self.description().and_then(|description| description.modified.get(path));
        let missing = || HostError::NotCaptured { capture: self.path.clone(), missing: format!("time of {path}") };
        at.map(|at| Some(*at)).ok_or_else(missing)
    }

    fn now(&self) -> Option<Time> {
        self.now.or(match &self.form {
            Form::LogFile => None,
            Form::Capture(capture) => Some(capture.description.captured_at),
            Form::Archive(archive) => archive.made_at(),
        })
    }

    fn is_live(&self) -> bool {
        false
    }

    fn utc_offset(&self) -> Option<FixedOffset> {
        match &self.form {
            Form::Archive(archive) => archive.utc_offset(),
            _ => self.description()?.utc_offset,
        }
    }

    fn recorded_version(&self) -> Option<(String, Option<String>)> {
        let description = self.description()?;
        Some((description.macos.clone()?, description.build.clone()))
    }

    fn recorded_awake(&self) -> &[AwakeTimes] {
        self.description().map_or(&[], |description| &description.awake)
    }

    fn recorded_history(&self) -> &[RecordedVerdict] {
        self.description().map_or(&[], |description| &description.history)
    }

    fn recorded_restarts(&self) -> Result<Vec<u8>, HostError> {
        match &self.form {
            Form::Capture(_) => self.read(capture::RESTARTS),
            _ => Err(self.lacks("mdm-health's own record of restarts")),
        }
    }

    fn read_trusted(&self, _: &str) -> Result<Option<Vec<u8>>, HostError> {
        Err(HostError::NotLive { missing: "policy" })
    }

    fn uptime(&self) -> Result<Duration, HostError> {
        Err(HostError::NotLive { missing: "running time" })
    }
}

struct LogFile {
    text: Box<dyn Read + Send>,
    size: Option<u64>,
    asked: Option<Span>,
    written: Option<Time>,
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

    fn written(&self) -> Option<Time> {
        self.written
    }

    fn size(&self) -> Option<u64> {
        self.size
    }

    fn finish(self: Box<Self>) -> Result<(), HostError> {
        Ok(())
    }
}
