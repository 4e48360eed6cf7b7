//! A file that grows until it is replaced: finds what is new in it without reading the rest again.

use super::{FileEnd, open_regular};
use crate::vocabulary::Time;
use std::fs::Metadata;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// How many bytes before a bookmark are compared: a file that was written anew does not hold the same ones there.
const COMPARED: usize = 256;

/// How a file looks from outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileLook {
    identity: (u64, u64),
    length: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

/// The position up to which a file has been processed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bookmark {
    look: FileLook,
    /// How many bytes have been processed.
    place: u64,
    /// The last of them.
    before: Vec<u8>,
}

/// What became of a file since it was read.
#[derive(Debug)]
pub enum Growth {
    /// Nothing.
    None,
    /// It only grew: these are all the bytes behind the bookmark.
    More {
        /// The end of the file, without the bytes that were already processed.
        bytes: Vec<u8>,
        /// How it looks now.
        look: FileLook,
    },
    /// There was no bookmark, or it is another file.
    Anew {
        end: FileEnd,
        /// How the file looks now; `None` if that is not known, so that the file must be read anew each time.
        look: Option<FileLook>,
    },
}

impl Bookmark {
    /// A bookmark behind the first `place` bytes, none of which were looked at.
    pub fn new(look: FileLook, place: u64) -> Self {
        Self { look, place, before: Vec::new() }
    }

    /// Moves it behind bytes that are done with.
    pub fn move_behind(&mut self, done: &[u8], look: FileLook) {
        self.look = look;
        self.place = self.place.saturating_add(u64::try_from(done.len()).unwrap_or(u64::MAX));
        self.before.extend_from_slice(done.get(done.len().saturating_sub(COMPARED)..).unwrap_or_default());
        self.before.drain(..self.before.len().saturating_sub(COMPARED));
    }
}

impl Growth {
    /// Reads what is new, if the file only grew, else at most its last `limit` bytes.
    pub(super) fn read(path: &Path, limit: u64, known: Option<&Bookmark>) -> io::Result<Self> {
        let mut file = match open_regular(path) {
            // It may just have been rotated.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return FileEnd::read(path, limit).map(|end| Self::Anew { end, look: None });
            }
            file => file?,
        };
        let found = file.metadata()?;
        let look = FileLook::of(&found);
        if known.is_some_and(|known| known.look == look) {
            return Ok(Self::None);
        }
        if let Some(known) = known
            && known.look.identity == look.identity
            && (known.look.length..=known.place.saturating_add(limit)).contains(&look.length)
        {
            let (held, from) = (known.before.len(), known.place - u64::try_from(known.before.len()).unwrap_or(0));
            file.seek(SeekFrom::Start(from))?;
            let mut bytes = Vec::new();
            // What is written meanwhile is for the next reading.
            file.by_ref().take(look.length - from).read_to_end(&mut bytes)?;
            if bytes.starts_with(&known.before) {
                return Ok(Self::More { bytes: bytes.split_off(held), look });
            }
        }
        let end = FileEnd { modified: look.modified(), ..FileEnd::of(file, look.length, limit)? };
        Ok(Self::Anew { end: end.with_rotated(path, limit)?, look: Some(look) })
    }
}

impl FileLook {
    /// When the file was last written.
    pub fn modified(&self) -> Option<Time> {
        chrono::DateTime::from_timestamp(self.modified.0, u32::try_from(self.modified.1).ok()?)
    }

    pub(super) fn of(found: &Metadata) -> Self {
        Self {
            identity: (found.dev(), found.ino()),
            length: found.len(),
            modified: (found.mtime(), found.mtime_nsec()),
            changed: (found.ctime(), found.ctime_nsec()),
        }
    }
}
