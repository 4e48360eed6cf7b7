//! A Mac as a sysdiagnose or a log archive holds it.

use super::pieces::{LogStore, Piece, Pieces, Shape, ShapeError};
use super::{HostError, read_bounded};
use crate::property_list::{dictionary, get, number, parse};
use crate::vocabulary::Time;
use chrono::{DateTime, FixedOffset};
use std::io::ErrorKind;

/// How a sysdiagnose names itself: `sysdiagnose_2026.11.23_18-00-00+0100_macOS_Mac14-2_24G90`.
const SYSDIAGNOSE: &str = "sysdiagnose_";

/// One of the files that are written when it is made.
const SW_VERS: &str = "sw_vers.txt";

/// Files of the Mac that have another path in a sysdiagnose.
const COPIES: [(&str, &str); 1] = [("/private/var/log/install.log", "logs/install.log")];

/// A sysdiagnose or a log archive.
#[derive(Debug)]
pub struct Archived {
    pieces: Pieces,
    /// The folder of the sysdiagnose within the pieces; `None` of a log archive.
    sysdiagnose: Option<String>,
    log: Option<LogStore>,
    made_at: Option<Time>,
    utc_offset: Option<FixedOffset>,
}

impl Archived {
    /// An archive of that shape, which is no capture.
    pub fn new(pieces: Pieces, shape: Shape) -> Result<Self, ShapeError> {
        let (sysdiagnose, log) = match shape {
            Shape::Capture(folder) => (Some(folder), None),
            Shape::Sysdiagnose(folder, log) => (Some(folder), log),
            Shape::Log(log) => (None, Some(log)),
        };
        if let Some(log) = &log {
            log.check_model(&pieces)?;
            if sysdiagnose.is_none() && log.files(&pieces)?.0.is_empty() {
                return Err(ShapeError::NoLog);
            }
        }
        let at_end = log.as_ref().and_then(|log| end_of_log(&pieces, log));
        let named = named_moment(&pieces, sysdiagnose.as_deref());
        let made_at = at_end.or(named.map(|named| named.to_utc()));
        // If there is a log, its last record is better evidence for the moment.
        let written = || pieces.modified(&within(sysdiagnose.as_deref()?, SW_VERS)).filter(|_| log.is_none());
        let made_at = made_at.or_else(written);
        Ok(Self { pieces, sysdiagnose, log, made_at, utc_offset: named.map(|named| *named.offset()) })
    }

    pub fn pieces(&self) -> &Pieces {
        &self.pieces
    }

    /// The log, if there is one.
    pub fn log(&self) -> Option<&LogStore> {
        self.log.as_ref()
    }

    /// When it was made: what the log says of its end, else the sysdiagnose's name, else when a file in it was written.
    pub fn made_at(&self) -> Option<Time> {
        self.made_at
    }

    /// The offset of the Mac's local time when it was made, which the sysdiagnose's name has.
    pub fn utc_offset(&self) -> Option<FixedOffset> {
        self.utc_offset
    }

    /// A file of a sysdiagnose, by its path there; `None` of a log archive.
    pub fn sysdiagnose_file(&self, name: &str) -> Option<Result<Piece, HostError>> {
        let folder = self.sysdiagnose.as_deref()?;
        let within = within(folder, name);
        Some(self.pieces.piece(&within).map_err(|why| match why.kind() {
            ErrorKind::NotFound => self.lacks(name),
            _ => HostError::Unreadable { path: self.pieces.path().join(within), why },
        }))
    }

    /// A file by its path on the Mac.
    pub fn mac_file(&self, path: &str) -> Result<Piece, HostError> {
        let copy = COPIES.iter().find(|(original, _)| *original == path);
        copy.and_then(|(_, copy)| self.sysdiagnose_file(copy)).unwrap_or_else(|| Err(self.lacks(path)))
    }

    /// What is not in such an archive.
    pub fn lacks(&self, missing: &str) -> HostError {
        let (path, missing) = (self.pieces.path().to_owned(), missing.to_owned());
        match self.sysdiagnose {
            Some(_) => HostError::NotInSysdiagnose { path, missing },
            None => HostError::OnlyALog { path, missing },
        }
    }
}

fn within(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}

/// `EndTimeRef` in a log archive's `Info.plist`, in nanoseconds since 1970. Archives of macOS 10.13 have no `WallTime`.
fn end_of_log(pieces: &Pieces, log: &LogStore) -> Option<Time> {
    let bytes = pieces.piece(&log.info()).and_then(read_bounded).ok()?;
    let info = parse(&bytes).ok()?.into_dictionary()?;
    let end = get(dictionary(&info, "EndTimeRef")?, "WallTime", number)?;
    Some(DateTime::from_timestamp_nanos(end)).filter(|end| end.timestamp() > 0)
}

fn named_moment(pieces: &Pieces, folder: Option<&str>) -> Option<DateTime<FixedOffset>> {
    let path = pieces.path().file_name()?.to_str()?;
    let name = [folder?, path].into_iter().find_map(|name| name.strip_prefix(SYSDIAGNOSE))?;
    DateTime::parse_and_remainder(name, "%Y.%m.%d_%H-%M-%S%z").ok().map(|(at, _)| at)
}
