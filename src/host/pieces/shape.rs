//! What a folder or an archive is: a capture, a sysdiagnose, a log archive, or a copy of a Mac's own log store.

use super::Pieces;
use crate::host::capture::DESCRIPTION;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use thiserror::Error;

/// How many folders at the top of an archive are looked into.
const MAX_TOP_FOLDERS: usize = 16;

/// A Mac's sysdiagnose has it, an iPhone's has not.
const MAC_VERSION: &str = "sw_vers.txt";
/// An iPhone's sysdiagnose has it, a Mac's has not.
const IOS_VERSION: &str = "logs/SystemVersion/SystemVersion.plist";
/// The log within a sysdiagnose.
const SYSTEM_LOGS: &str = "system_logs.logarchive";

/// The size of a tracev3 file's header, and where the hardware model stands in it.
const HEADER_SIZE: u64 = 224;
/// What a tracev3 file begins with: the tags of its header.
const HEADER_TAGS: [u8; 8] = [0x00, 0x10, 0, 0, 0x11, 0, 0, 0];
const MODEL: std::ops::Range<usize> = 104..136;

/// The folders of a log archive that hold its tracev3 files.
const LOG_FOLDERS: [&str; 4] = ["Persist", "Special", "HighVolume", "Signpost"];
/// What logd held in memory when the archive was made.
const LIVE_DATA: &str = "logdata.LiveData.tracev3";

/// What was found, and the folder within the pieces that it lies in; `""` where that is the whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shape {
    /// A capture made by this program.
    Capture(String),
    /// A sysdiagnose. Its log may be missing.
    Sysdiagnose(String, Option<LogStore>),
    /// A `.logarchive`, or `diagnostics` beside `uuidtext`.
    Log(LogStore),
}

/// Why it is none of these.
#[derive(Debug, Error)]
pub enum ShapeError {
    /// It was made on an iPhone, an iPad or another device that is no Mac.
    #[error(
        "it is not a Mac's: it has {IOS_VERSION}, which only the sysdiagnose of an iPhone, iPad, Apple Watch or Apple TV has"
    )]
    NotAMac,
    /// Its log was written by a device that is no Mac.
    #[error("it is not a Mac's: its log was written on {model}")]
    NotAMacsLog { model: String },
    /// A log archive without a log.
    #[error("it is a log archive without any tracev3 file")]
    NoLog,
    /// One file of a log archive.
    #[error("it is a single tracev3 file, and the texts of its records are in others beside it")]
    LoneTracev3,
    /// Nothing in it is known.
    #[error(
        "it holds no {DESCRIPTION} (a capture), no {MAC_VERSION} or {SYSTEM_LOGS} (a sysdiagnose), and no log archive"
    )]
    Unknown,
    /// It cannot be listed.
    #[error("{0}")]
    Unreadable(#[from] io::Error),
}

/// Where the files of a log lie within the pieces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogStore {
    diagnostics: String,
    uuidtext: String,
}

impl LogStore {
    /// The store of a Mac, below `/private/var/db`.
    pub fn of_a_mac() -> Self {
        Self { diagnostics: "diagnostics".to_owned(), uuidtext: "uuidtext".to_owned() }
    }

    fn archive(folder: &str) -> Self {
        Self { diagnostics: folder.to_owned(), uuidtext: folder.to_owned() }
    }

    /// The tracev3 files, and the timesync files.
    pub fn files(&self, pieces: &Pieces) -> io::Result<(Vec<String>, Vec<String>)> {
        let mut tracev3 = Vec::new();
        for folder in LOG_FOLDERS {
            tracev3.extend(pieces.list(&join(&self.diagnostics, folder))?);
        }
        tracev3.retain(|name| name.ends_with(".tracev3"));
        let live = join(&self.diagnostics, LIVE_DATA);
        tracev3.extend(pieces.has(&live).then_some(live));
        let mut timesync = pieces.list(&join(&self.diagnostics, "timesync"))?;
        timesync.retain(|name| name.ends_with(".timesync"));
        Ok((tracev3, timesync))
    }

    /// Refuses a log that was written on an iPhone or another device that is no Mac.
    ///
    /// The header of a tracev3 file has the hardware model: `Macmini7,1` and `Mac14,2` of Macs, `J96AP` of an iPad.
    pub fn check_model(&self, pieces: &Pieces) -> Result<(), ShapeError> {
        let (files, _) = self.files(pieces)?;
        let mut header = Vec::new();
        if let Some(first) = files.first() {
            pieces.piece(first)?.take(HEADER_SIZE).read_to_end(&mut header)?;
        }
        let model = header.get(MODEL).unwrap_or_default();
        let end = memchr::memchr(0, model).unwrap_or(model.len());
        let model = String::from_utf8_lossy(model.get(..end).unwrap_or_default()).into_owned();
        // The name of a board, as iPhones and iPads give it; a Mac's model has a comma.
        if model.ends_with("AP") && !model.contains(',') {
            return Err(ShapeError::NotAMacsLog { model });
        }
        Ok(())
    }

    /// Whether a file is one of those that hold the records of all processes, for as long as there is room. In other
    /// files macOS keeps some kinds of records for longer.
    pub fn has_all_kinds(name: &str) -> bool {
        name.rsplit('/').nth(1) == Some("Persist")
    }

    /// The file with the strings of an image.
    pub fn uuidtext(&self, uuid: u128) -> String {
        let name = format!("{uuid:032X}");
        let (folder, rest) = name.split_at(2);
        join(&self.uuidtext, &format!("{folder}/{rest}"))
    }

    /// The file with the strings of a shared cache.
    pub fn shared_cache(&self, uuid: u128) -> String {
        join(&self.uuidtext, &format!("dsc/{uuid:032X}"))
    }

    /// What a `.logarchive` says of itself.
    pub fn info(&self) -> String {
        join(&self.diagnostics, "Info.plist")
    }
}

impl Shape {
    /// Finds out what it is.
    pub fn of(pieces: &Pieces) -> Result<Self, ShapeError> {
        let top = pieces.entries("")?;
        if let Some(shape) = look_at(pieces, "", &top)? {
            return Ok(shape);
        }
        if pieces.is_folder() {
            return Err(ShapeError::Unknown);
        }
        for folder in top.iter().take(MAX_TOP_FOLDERS) {
            if let Some(shape) = look_at(pieces, folder, &pieces.entries(folder)?)? {
                return Ok(shape);
            }
        }
        Err(ShapeError::Unknown)
    }
}

fn look_at(pieces: &Pieces, folder: &str, names: &BTreeSet<String>) -> Result<Option<Shape>, ShapeError> {
    let has = |name: &str| names.contains(name);
    if has(DESCRIPTION) && pieces.has(&join(folder, DESCRIPTION)) {
        return Ok(Some(Shape::Capture(folder.to_owned())));
    }
    if has("diagnostics") && has("uuidtext") {
        let store = LogStore { diagnostics: join(folder, "diagnostics"), uuidtext: join(folder, "uuidtext") };
        return Ok(Some(Shape::Log(store)));
    }
    let is_named_archive = match folder {
        "" => pieces.path().extension().is_some_and(|ending| ending == "logarchive"),
        folder => folder.ends_with(".logarchive"),
    };
    if has("timesync") || has(LIVE_DATA) || is_named_archive {
        return Ok(Some(Shape::Log(LogStore::archive(folder))));
    }
    if pieces.has(&join(folder, IOS_VERSION)) && !has(MAC_VERSION) {
        return Err(ShapeError::NotAMac);
    }
    let log =
        || names.iter().find(|name| name.ends_with(".logarchive")).map(|name| LogStore::archive(&join(folder, name)));
    if has(MAC_VERSION) || has(SYSTEM_LOGS) {
        let system_logs = has(SYSTEM_LOGS).then(|| LogStore::archive(&join(folder, SYSTEM_LOGS)));
        return Ok(Some(Shape::Sysdiagnose(folder.to_owned(), system_logs.or_else(log))));
    }
    Ok(log().map(Shape::Log))
}

fn join(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}

/// Whether a file that is no folder and not packed is a tracev3 file.
pub fn is_tracev3(path: &Path) -> bool {
    let mut start = [0; HEADER_TAGS.len()];
    File::open(path).is_ok_and(|mut file| file.read_exact(&mut start).is_ok() && start == HEADER_TAGS)
}

/// Whether a path is that of a uuidtext file: `AB/414C1EC0233A05AF22029CC5E160EA`.
pub fn is_uuidtext(path: &str) -> bool {
    let hexadecimal = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let mut parts = path.rsplit('/');
    let (name, folder) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    name.len() == 30 && folder.len() == 2 && hexadecimal(name) && hexadecimal(folder)
}
