//! The Mac that the program runs on, or a root folder that looks like one.

use super::act::Actor;
use super::pieces::{LogArchive, LogStore, Pieces};
use super::process::{self, Running};
use super::root_folder::below;
use super::{
    Bookmark, Command, FileEnd, Growth, Host, HostError, LogSource, Output, Ownership, SinceBoot, open_regular,
    read_bounded,
};
use crate::vocabulary::{Span, Time};
use chrono::{FixedOffset, Local, Offset, TimeDelta, TimeZone, Utc};
use nix::sys::time::TimeValLike;
use nix::time::ClockId as Clock;
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::time::{ClockId, clock_gettime};
use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

/// Every Mac has this file; nothing else does.
const MARK_OF_A_MAC: &str = "/System/Library/CoreServices/SystemVersion.plist";

/// What shows the log, and collects it.
const LOG: &str = "/usr/bin/log";

/// How many bytes `log collect` may print.
const COLLECT_OUTPUT: usize = 1 << 20;

/// How long `log show` may take.
const LOG_LIMIT: Duration = Duration::from_secs(60);

/// The same for a capture.
const CAPTURE_LIMIT: Duration = Duration::from_secs(20 * 60);

/// A span that ended at least this long ago gets an `--end`. A span up to now gets none, so that nothing of the last
/// second is lost.
const LONG_AGO: TimeDelta = TimeDelta::minutes(1);

/// The largest file of settings that is read, in bytes.
const MAX_TRUSTED: u64 = 1 << 20;

/// A Mac below a root folder, `/` for the real one.
pub struct Live {
    root: PathBuf,
    now: Option<Time>,
    log_limit: Duration,
    /// Whether the log is read to the end that was asked for, even if that is now.
    exact: bool,
    /// The files in which macOS keeps the log, where they are read instead of asking `log show`.
    store: Option<(Pieces, LogStore)>,
    /// Which Mac and which boot it is, neither of which changes while the program runs.
    steady: [OnceLock<Output>; 2],
}

/// Where the folders `diagnostics` and `uuidtext` are.
const LOG_STORE: &str = "/private/var/db";

impl Live {
    /// The Mac below that folder. `now` replaces the clock.
    pub fn new(root: PathBuf, now: Option<Time>) -> Self {
        Self { root, now, log_limit: LOG_LIMIT, exact: false, store: None, steady: Default::default() }
    }

    pub fn with_log_limit(self, log_limit: Duration) -> Self {
        Self { log_limit, ..self }
    }

    /// The same Mac for a capture: its log may take longer to read, and ends at the moment of the capture, so that nothing
    /// in it lies in the future.
    pub fn for_capture(self) -> Self {
        Self { log_limit: CAPTURE_LIMIT, exact: true, ..self }
    }

    /// The same Mac, whose log is read from the files in which macOS keeps it.
    pub fn with_store(self) -> Result<Self, HostError> {
        let path = below(&self.root, LOG_STORE);
        let store = LogStore::of_a_mac();
        let opened = Pieces::open(&path, &()).and_then(|pieces| {
            let pieces = pieces.ok_or(io::ErrorKind::NotADirectory)?;
            store.files(&pieces).map(|_| pieces)
        });
        let pieces = opened.map_err(|why| HostError::Unreadable { path, why })?;
        Ok(Self { store: Some((pieces, store)), ..self })
    }

    /// Whether there is a Mac below that folder.
    pub fn is_a_mac(root: &Path) -> bool {
        below(root, MARK_OF_A_MAC).exists()
    }

    /// What can change something on this Mac: for heal, and nobody else.
    pub fn actor(&self) -> Actor {
        Actor::new(self.root.clone(), self.now)
    }
}

impl Host for Live {
    fn run(&self, command: Command) -> Result<Output, HostError> {
        let [platform, boot] = &self.steady;
        let known = match command {
            Command::Platform => Some(platform),
            Command::BootSession => Some(boot),
            _ => None,
        };
        if let Some(output) = known.and_then(OnceLock::get) {
            return Ok(output.clone());
        }
        let output = process::run(
            below(&self.root, command.path()),
            command.arguments(),
            command.limit(),
            command.output_cap(),
        )?;
        match known.filter(|_| output.code == Some(0)) {
            Some(known) => Ok(known.get_or_init(|| output).clone()),
            None => Ok(output),
        }
    }

    fn open_log(&self, span: Span, predicate: &str) -> Result<Box<dyn LogSource>, HostError> {
        let moment = |at: Time| at.format("%Y-%m-%d %H:%M:%S+0000").to_string();
        let (start, end) = (moment(span.from), moment(span.to));
        let mut arguments = vec!["show", "--style", "ndjson", "--info", "--debug", "--start", &start];
        if self.exact || span.to < self.now.unwrap_or_else(Utc::now) - LONG_AGO {
            arguments.extend(["--end", &end]);
        }
        arguments.extend(["--predicate", predicate]);
        let running = process::start(below(&self.root, LOG), &arguments, self.log_limit)?;
        Ok(Box::new(LogShow { running, span }))
    }

    fn collect_log(&self, to: &Path, hours: u16) -> Result<(), HostError> {
        let (path, last) = (below(&self.root, LOG), format!("{hours}h"));
        // It is run in another folder.
        let to = std::path::absolute(to).map_err(|why| HostError::Unreadable { path: to.to_owned(), why })?;
        let arguments = ["collect".as_ref(), "--output".as_ref(), to.as_os_str(), "--last".as_ref(), last.as_ref()];
        match process::run(path.clone(), &arguments, self.log_limit, COLLECT_OUTPUT)? {
            Output { code: Some(0), .. } => Ok(()),
            Output { code, stderr, .. } => Err(HostError::Failed { path, code, stderr }),
        }
    }

    fn log_archive(&self) -> Option<LogArchive<'_>> {
        self.store.as_ref().map(|(pieces, store)| LogArchive { pieces, store, progress: &() })
    }

    fn read_file(&self, path: &str) -> Result<Vec<u8>, HostError> {
        let path = below(&self.root, path);
        open_regular(&path).and_then(read_bounded).map_err(|why| HostError::Unreadable { path, why })
    }

    fn read_file_end(&self, path: &str, limit: u64) -> Result<FileEnd, HostError> {
        let path = below(&self.root, path);
        FileEnd::read(&path, limit).map_err(|why| HostError::Unreadable { path, why })
    }

    fn read_growth(&self, path: &str, limit: u64, known: Option<&Bookmark>) -> Result<Growth, HostError> {
        let path = below(&self.root, path);
        Growth::read(&path, limit, known).map_err(|why| HostError::Unreadable { path, why })
    }

    fn ownership(&self, path: &str) -> Result<Option<Ownership>, HostError> {
        let path = below(&self.root, path);
        match fs::symlink_metadata(&path) {
            Ok(found) => Ok(Some(Ownership { uid: found.uid(), gid: found.gid(), mode: found.mode() })),
            Err(why) if why.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(why) => Err(HostError::Unreadable { path, why }),
        }
    }

    fn modified(&self, path: &str) -> Result<Option<Time>, HostError> {
        let path = below(&self.root, path);
        match fs::symlink_metadata(&path).and_then(|found| found.modified()) {
            Ok(at) => Ok(Some(at.into())),
            Err(why) if why.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(why) => Err(HostError::Unreadable { path, why }),
        }
    }

    fn now(&self) -> Option<Time> {
        Some(self.now.unwrap_or_else(Utc::now))
    }

    fn is_live(&self) -> bool {
        true
    }

    fn utc_offset(&self) -> Option<FixedOffset> {
        let now = self.now.unwrap_or_else(Utc::now);
        Some(Local.offset_from_utc_datetime(&now.naive_utc()).fix())
    }

    fn read_trusted(&self, path: &str) -> Result<Option<Vec<u8>>, HostError> {
        let path = below(&self.root, path);
        let unreadable = |why: io::Error| HostError::Unreadable { path: path.clone(), why };
        // NONBLOCK, so that a pipe in its place does not make us wait.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = match rustix::fs::open(&path, flags, Mode::empty()) {
            Ok(file) => File::from(file),
            Err(Errno::NOENT | Errno::NOTDIR) => return no_file(path),
            Err(Errno::LOOP) => return Err(HostError::NotTrusted { path, why: "is a symbolic link".to_owned() }),
            // A socket or a device without a driver.
            Err(Errno::NXIO | Errno::OPNOTSUPP) => {
                return Err(HostError::NotTrusted { path, why: "is not a regular file".to_owned() });
            }
            Err(why) => return Err(unreadable(why.into())),
        };
        let found = file.metadata().map_err(unreadable)?;
        let folder = fs::symlink_metadata(path.parent().unwrap_or(&self.root)).map_err(unreadable)?;
        // The owner of the root folder: root on a Mac, the test's user on a fake one.
        let owner = fs::metadata(&self.root).map_err(unreadable)?.uid();
        if let Some(why) = distrust(&found, &folder, owner) {
            return Err(HostError::NotTrusted { path, why });
        }
        let mut bytes = Vec::new();
        file.take(MAX_TRUSTED).read_to_end(&mut bytes).map_err(unreadable)?;
        Ok(Some(bytes))
    }

    fn since_boot(&self) -> Result<SinceBoot, HostError> {
        // This machine's clocks cannot be used if the moment is not now.
        if self.now.is_some() {
            return Err(HostError::NotLive { missing: "clock of its own" });
        }
        // By their numbers, since no crate names those of both systems: on macOS CLOCK_MONOTONIC runs on in sleep and
        // CLOCK_UPTIME_RAW pauses; on Linux CLOCK_BOOTTIME runs on and CLOCK_MONOTONIC pauses.
        let is_a_mac = std::env::consts::OS == "macos";
        let running = Clock::from_raw(if is_a_mac { 6 } else { 7 });
        let awake = Clock::from_raw(if is_a_mac { 8 } else { 1 });
        // In this order: what passes between the two looks counts as sleep, never as time awake.
        let awake_ms = milliseconds(awake)?;
        Ok(SinceBoot { running_ms: milliseconds(running)?, awake_ms })
    }

    /// CLOCK_MONOTONIC: on a Mac it runs on during sleep and is untouched when the clock is set. On Linux it pauses in
    /// sleep, so the result there may be too small, but never too large.
    fn uptime(&self) -> Result<Duration, HostError> {
        let time = clock_gettime(ClockId::Monotonic);
        let (seconds, nanos) = (u64::try_from(time.tv_sec), u32::try_from(time.tv_nsec));
        Ok(Duration::new(seconds.unwrap_or(0), nanos.unwrap_or(0)))
    }
}

fn milliseconds(clock: Clock) -> Result<i64, HostError> {
    let unreadable =
        |why: nix::errno::Errno| HostError::Unreadable { path: "the clock since boot".into(), why: why.into() };
    clock.now().map(|time| time.num_milliseconds()).map_err(unreadable)
}

/// Handles a missing file. If its folder is a link that leads nowhere, it is unclear which file was meant, so that is
/// an error.
fn no_file(path: PathBuf) -> Result<Option<Vec<u8>>, HostError> {
    match path.parent().map(fs::symlink_metadata) {
        Some(Ok(folder)) if !folder.is_dir() => {
            Err(HostError::NotTrusted { path, why: "lies in a folder that is none, or a symbolic link".to_owned() })
        }
        _ => Ok(None),
    }
}

/// Why somebody other than `owner` may have written a file.
fn distrust(file: &Metadata, folder: &Metadata, owner: u32) -> Option<String> {
    if !file.is_file() {
        return Some("is not a regular file".to_owned());
    }
    if file.len() > MAX_TRUSTED {
        return Some(format!("is larger than {MAX_TRUSTED} bytes"));
    }
    if !folder.is_dir() {
        return Some("lies in a folder that is a symbolic link".to_owned());
    }
    [("", file), ("lies in a folder that ", folder)].into_iter().find_map(|(which, found)| {
        if found.uid() != owner {
            Some(format!("{which}is owned by uid {}", found.uid()))
        } else if found.mode() & 0o022 != 0 {
            Some(format!("{which}is writable by others (mode {:04o})", found.mode() & 0o7777))
        } else {
            None
        }
    })
}

/// A running `log show`.
struct LogShow {
    running: Running,
    span: Span,
}

impl Read for LogShow {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.running.read(buffer)
    }
}

impl LogSource for LogShow {
    fn span(&self) -> Option<Span> {
        Some(self.span)
    }

    fn finish(self: Box<Self>) -> Result<(), HostError> {
        self.running.finish()
    }
}
