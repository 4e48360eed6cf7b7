//! The Mac: the only room that touches processes, files and the clock. [`Live`] is the machine itself below a root
//! folder; [`Recorded`] is a capture folder or a single log file. Everything after it is a function of its input.
//!
//! A [`Host`] only reads. What changes something needs an [`Actor`].

mod act;
mod archived;
pub mod capture;
mod command;
mod daemon;
pub mod destination;
mod growing;
mod live;
pub mod pieces;
mod process;
mod recorded;
pub mod recording;
pub mod root_folder;
mod rotated;
pub mod socket;
pub mod state;

pub use act::{Act, ActError, Actor};
pub use capture::AwakeTimes;
pub use command::Command;
pub use daemon::Daemon;
pub use growing::{Bookmark, FileLook, Growth};
pub use live::Live;
pub use process::kill_all;
pub use recorded::Recorded;
pub use root_folder::STATE_DIR;

use crate::vocabulary::codes::SourceReason;
use crate::vocabulary::{Fact, Span, Time};
use chrono::FixedOffset;
use pieces::LogArchive;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::Duration;
use thiserror::Error;

/// The largest file that is read whole, in bytes; a log is streamed.
const MOST_BYTES: u64 = 64 << 20;

/// What a command printed, and how it ended. Standard output and standard error are cut at the command's output cap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// The exit code; `None` if a signal ended the command.
    pub code: Option<i32>,
    pub stdout: Vec<u8>,
    pub stderr: String,
}

/// A log that is being read: its bytes, and at the end whether they are complete.
pub trait LogSource: Read + Send {
    /// The span that was asked of the log; `None` if it is whatever the log holds.
    fn span(&self) -> Option<Span>;
    /// When the log was last written, where that is known.
    fn written(&self) -> Option<Time> {
        None
    }
    /// How many bytes there are to read, where that is known beforehand.
    fn size(&self) -> Option<u64> {
        None
    }
    /// Ends the reading and says whether the log could be read to its end.
    fn finish(self: Box<Self>) -> Result<(), HostError>;
}

/// Whose a file or folder is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ownership {
    pub uid: u32,
    pub gid: u32,
    /// The bits of `st_mode`.
    pub mode: u32,
}

/// The end of a file, and of what was rotated away before its beginning.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FileEnd {
    /// The last bytes.
    pub bytes: Vec<u8>,
    /// How many bytes before them were left out.
    pub left_out: u64,
    /// How many of the bytes, the first ones, come from the file that was rotated away.
    pub rotated: usize,
    /// Why that file could not be read, if there is one.
    pub rotated_unread: Option<String>,
    /// When the file was last written; `None` where that is not known.
    pub modified: Option<Time>,
}

impl FileEnd {
    fn read(path: &Path, limit: u64) -> io::Result<Self> {
        let end = open_regular(path).and_then(|file| {
            let found = file.metadata()?;
            Ok(Self { modified: FileLook::of(&found).modified(), ..Self::of(file, found.len(), limit)? })
        });
        rotated::join(end, limit, |ending| open_beside(path, ending))
    }

    /// With what was rotated away before its beginning, up to `limit` bytes in all.
    fn with_rotated(self, path: &Path, limit: u64) -> io::Result<Self> {
        rotated::join(Ok(self), limit, |ending| open_beside(path, ending))
    }

    /// The end of a file of that length. What is written meanwhile is left for the next reading.
    fn of(mut file: File, length: u64, limit: u64) -> io::Result<Self> {
        let left_out = length.saturating_sub(limit);
        file.seek(SeekFrom::Start(left_out))?;
        // Allocated at once: a buffer that grows takes twice the memory.
        let mut bytes = Vec::with_capacity(usize::try_from(length - left_out).unwrap_or(0));
        file.take(length - left_out).read_to_end(&mut bytes)?;
        Ok(Self { bytes, left_out, ..Self::default() })
    }
}

fn open_beside(path: &Path, ending: &str) -> io::Result<Box<dyn Read>> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(ending);
    Ok(Box::new(open_regular(Path::new(&beside))?))
}

/// Opens a regular file. Opening a pipe would wait for its writer, and a device may never end.
fn open_regular(path: &Path) -> io::Result<File> {
    if fs::metadata(path)?.is_file() { File::open(path) } else { Err(io::Error::other("it is not a regular file")) }
}

/// Reads a file of bounded size.
fn read_bounded(file: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(MOST_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MOST_BYTES { Err(io::Error::other("it is too large")) } else { Ok(bytes) }
}

/// The clocks that no setting changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SinceBoot {
    /// Milliseconds since boot, with sleep.
    pub running_ms: i64,
    /// Milliseconds since boot, without sleep.
    pub awake_ms: i64,
}

/// Where evidence comes from. It only reads: nothing here changes the Mac.
pub trait Host: Send + Sync {
    /// Runs an allow-listed command to its end. A non-zero exit code is an answer, not an error.
    fn run(&self, command: Command) -> Result<Output, HostError>;
    /// Opens the unified log for the given span and, of a live Mac, for the records that the predicate of `log show`
    /// selects; a recorded host gives what it has.
    fn open_log(&self, span: Span, predicate: &str) -> Result<Box<dyn LogSource>, HostError>;
    /// Has the Mac write the last hours of its whole log, as it keeps it, as a log archive to a path that does not exist.
    fn collect_log(&self, _to: &Path, _hours: u16) -> Result<(), HostError> {
        Err(HostError::NotLive { missing: "log to collect" })
    }
    /// The unified log as macOS keeps it, of a host that has it in that form and not as text.
    fn log_archive(&self) -> Option<LogArchive<'_>> {
        None
    }
    /// A file that a sysdiagnose has beside the log, by its path there; `None` of a host that is no sysdiagnose.
    fn sysdiagnose_file(&self, _name: &str) -> Option<Result<Vec<u8>, HostError>> {
        None
    }
    /// Reads a file by its absolute path on the Mac.
    fn read_file(&self, path: &str) -> Result<Vec<u8>, HostError>;
    /// Reads at most the last `limit` bytes of a file that may be large, by its absolute path on the Mac. A file that is
    /// shorter is preceded by the end of what was rotated away: `NAME.0.gz`, `NAME.0.bz2` or `NAME.0`.
    fn read_file_end(&self, path: &str, limit: u64) -> Result<FileEnd, HostError>;
    /// Reads what is new behind a bookmark in a file that grows, by its absolute path on the Mac: at most `limit` bytes. A
    /// host whose files stay as they are gives all of it.
    fn read_growth(&self, path: &str, limit: u64, _known: Option<&Bookmark>) -> Result<Growth, HostError> {
        self.read_file_end(path, limit).map(|end| Growth::Anew { end, look: None })
    }
    /// The moment for which a verdict is asked; `None` for a plain log file, whose last record then says it.
    fn now(&self) -> Option<Time>;
    /// Whether the evidence changes by itself, so that it must be read again after a while.
    fn is_live(&self) -> bool;
    /// The offset of the Mac's local time at that moment, where it is known.
    fn utc_offset(&self) -> Option<FixedOffset> {
        None
    }
    /// What a capture holds of mdm-health's own record of restarts, to be shown and nothing else. A live Mac has the
    /// record itself.
    fn recorded_restarts(&self) -> Result<Vec<u8>, HostError> {
        Err(HostError::NotLive { missing: "such record" })
    }
    /// Reads a file that nobody but root can have written; `None` if there is none. Who could write a file is not
    /// recorded, so of a recorded Mac none is trusted.
    fn read_trusted(&self, path: &str) -> Result<Option<Vec<u8>>, HostError>;
    /// Whose a file or folder is, by its absolute path on the Mac; a link is not followed. `None` if there is none.
    fn ownership(&self, _path: &str) -> Result<Option<Ownership>, HostError> {
        Err(HostError::NotLive { missing: "such file to look at" })
    }
    /// When a file was last written, by its absolute path on the Mac, without a look at what is in it. `None` if there is
    /// none.
    fn modified(&self, _path: &str) -> Result<Option<Time>, HostError> {
        Err(HostError::NotLive { missing: "such file to look at" })
    }
    /// How long the Mac has been running, asleep or awake. No setting of the clock changes it.
    fn uptime(&self) -> Result<Duration, HostError>;
    /// How long it has been running, with sleep and without.
    fn since_boot(&self) -> Result<SinceBoot, HostError> {
        Err(HostError::NotLive { missing: "clock" })
    }
    /// The version and build of macOS that a capture names, for where none of the Mac's own files was kept.
    fn recorded_version(&self) -> Option<(String, Option<String>)> {
        None
    }
    /// What a capture says of when the Mac was awake.
    fn recorded_awake(&self) -> &[AwakeTimes] {
        &[]
    }

    /// What a capture says of the verdicts that there were.
    fn recorded_history(&self) -> &[capture::RecordedVerdict] {
        &[]
    }
}

/// Why something could not be read from the Mac, live or recorded.
#[derive(Debug, Error)]
pub enum HostError {
    /// The program is not there or cannot be started.
    #[error("{path} cannot be started: {why}. Check that this is a Mac, and run mdm-health as root")]
    CannotStart { path: PathBuf, why: std::io::Error },
    /// The program was killed at its deadline.
    #[error("{path} did not finish within {} s and was killed", .limit.as_secs())]
    TimedOut { path: PathBuf, limit: Duration },
    /// The program printed more than its cap.
    #[error("{path} printed more than {limit} bytes and was killed")]
    TooMuchOutput {
        path: PathBuf,
        /// The cap in bytes.
        limit: usize,
    },
    /// `log show` ended with an error.
    #[error("{path} ended with {}: {stderr}", describe_code(.code))]
    Failed {
        path: PathBuf,
        /// The exit code; `None` for a signal.
        code: Option<i32>,
        /// What it printed to standard error.
        stderr: String,
    },
    /// The capture does not hold the output of that command.
    #[error("the capture {capture} has no {missing}: it was not recorded")]
    NotCaptured {
        /// The capture folder or log file.
        capture: PathBuf,
        /// What is missing, as a path within the capture.
        missing: String,
    },
    /// The source is a log file or archive and nothing else.
    #[error("{path} is a log and does not contain {missing}: pass a capture or a sysdiagnose for that")]
    OnlyALog {
        /// The log file or log archive.
        path: PathBuf,
        /// What was asked of it.
        missing: String,
    },
    /// The source is a sysdiagnose, which has no such thing.
    #[error("the sysdiagnose {path} does not contain {missing}")]
    NotInSysdiagnose {
        path: PathBuf,
        /// What was asked of it.
        missing: String,
    },
    /// The log of an archive was asked for as text.
    #[error("the log of {path} is in tracev3 files, not in text")]
    LogNotText { path: PathBuf },
    /// A file cannot be read.
    #[error("{path} cannot be read: {why}")]
    Unreadable { path: PathBuf, why: std::io::Error },
    /// Somebody other than root may have written a file that must be root's.
    #[error(
        "{path} cannot be trusted, because it {why}: the file and its folder must be owned by root and writable by root only"
    )]
    NotTrusted {
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// `--root` names a folder that somebody else owns or can change.
    #[error(
        "--root {root} is refused, because {path} {why}: the programs below it would run with your rights, so all of it must be yours alone (root's, if you are root)"
    )]
    ForeignRoot {
        root: PathBuf,
        /// What somebody else owns or can change: the folder, something in it, or a folder above it.
        path: PathBuf,
        why: String,
    },
    /// A recorded Mac does not have it.
    #[error("a recorded Mac has no {missing}")]
    NotLive { missing: &'static str },
    /// The source is a folder without `capture.json`.
    #[error("{path} is a folder but not a capture: it has no capture.json. Pass a capture folder, or a log file")]
    NotACapture { path: PathBuf },
    /// The source is packed, and no capture is in it.
    #[error(
        "{path} cannot be used: {why}. Pass a capture, a sysdiagnose or a log archive of a Mac, as a folder, a .tar or a .tar.gz"
    )]
    BadArchive {
        path: PathBuf,
        /// What is wrong with it.
        why: pieces::ShapeError,
    },
    /// `capture.json` is not what it should be.
    #[error(
        "{path} is not a capture's description: {why}. It needs at least {{\"captured_at\": \"2026-11-23T18:00:00Z\"}}"
    )]
    BadDescription {
        path: PathBuf,
        /// What is wrong with it.
        why: serde_json::Error,
    },
}

impl HostError {
    /// Whether there is no such file.
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Unreadable { why, .. } if why.kind() == io::ErrorKind::NotFound)
    }

    /// Why a source that failed so is not `ok`.
    pub fn reason(&self) -> SourceReason {
        match self {
            Self::CannotStart { .. } => SourceReason::CannotStart,
            Self::TimedOut { .. } => SourceReason::TimedOut,
            Self::TooMuchOutput { .. } => SourceReason::TooMuchOutput,
            Self::Failed { .. } => SourceReason::CommandFailed,
            Self::NotCaptured { .. }
            | Self::OnlyALog { .. }
            | Self::NotInSysdiagnose { .. }
            | Self::LogNotText { .. }
            | Self::NotLive { .. } => SourceReason::NotCaptured,
            Self::Unreadable { .. } => SourceReason::Unreadable,
            Self::NotTrusted { .. } | Self::ForeignRoot { .. } => SourceReason::NotTrusted,
            Self::NotACapture { .. } | Self::BadArchive { .. } | Self::BadDescription { .. } => {
                SourceReason::BadCapture
            }
        }
    }
}

fn describe_code(code: &Option<i32>) -> String {
    code.map_or_else(|| "a signal".to_owned(), |code| format!("exit code {code}"))
}

impl<T> From<HostError> for Fact<T> {
    fn from(error: HostError) -> Self {
        Self::unknown(error.reason(), format!("{error}."))
    }
}
