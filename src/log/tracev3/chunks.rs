//! The chunks of a tracev3 file, one after the other, with every size checked. Behind damage the next chunk is searched
//! for, so that a bad byte costs one chunk and not the rest of the file.

use super::bytes::Cursor;
use super::{catalog, chunkset};
use memchr::memmem::Finder;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::sync::LazyLock;
use thiserror::Error;

/// The tag of a header.
pub const HEADER: u32 = 0x1000;

/// The largest chunk that is read, in bytes. macOS writes chunks of up to about 64 KB.
pub const MAX_CHUNK: u64 = 4 << 20;

/// How many bytes are read where a chunk may be passed over, and where one is searched for.
const PEEK: usize = 4 << 10;
const SEARCH: usize = 256 << 10;

/// A tag, a second tag and a size stand before the data.
pub const PREAMBLE: u64 = 16;

/// What all catalogs and chunksets have in their tags, from the second byte on.
static TAGS: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"\x60\0\0\x11\0\0\0"));

/// A chunk, and where its data lies in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk {
    pub tag: u32,
    pub data: Range<u64>,
    /// Whether the file ends within it.
    pub is_cut: bool,
    /// Whether something before it could not be read, so that others may be missing there.
    pub is_behind_damage: bool,
}

/// Why a stretch of a file is lost.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Damage {
    #[error("there is no chunk at byte {at}")]
    NoChunk { at: u64 },
    #[error("the chunk at byte {at} claims {size} bytes")]
    WrongSize { at: u64, size: u64 },
    #[error("it ends within a chunk")]
    Cut,
}

/// A file that is read chunk by chunk.
pub struct Chunks<R> {
    file: R,
    size: u64,
    /// What was read of the file last, and where that lies.
    window: Vec<u8>,
    window_at: u64,
    /// Where the next chunk begins, and what the last one was.
    next: u64,
    last: Option<Chunk>,
    is_behind_damage: bool,
    damage: Vec<Damage>,
}

impl<R: Read + Seek> Chunks<R> {
    pub fn new(file: R, size: u64) -> Self {
        Self {
            file,
            size,
            window: Vec::new(),
            window_at: 0,
            next: 0,
            last: None,
            is_behind_damage: false,
            damage: Vec::new(),
        }
    }

    /// What was lost since this was asked last.
    pub fn take_damage(&mut self) -> Vec<Damage> {
        std::mem::take(&mut self.damage)
    }

    /// The next chunk; `None` at the end of the file.
    pub fn next_chunk(&mut self) -> io::Result<Option<Chunk>> {
        while self.next < self.size {
            let at = self.next;
            let Some((tag, size)) = self.start(at)? else {
                if let Some(chunk) = self.pass_damage(at)? {
                    return Ok(Some(chunk));
                }
                continue;
            };
            let (from, left) = (at + PREAMBLE, self.size.saturating_sub(at + PREAMBLE));
            let size = if tag == chunkset::TAG { self.checked_size(from, size)? } else { size };
            if size <= MAX_CHUNK.min(left) {
                return Ok(Some(self.found(tag, from..from + size, false)));
            }
            // Either the file ends here, or the size is wrong and the next chunk is somewhere else.
            if let Some(next) = self.search(from)? {
                self.damage.push(Damage::WrongSize { at, size });
                let chunk = self.found(tag, from..next.min(from + MAX_CHUNK), false);
                (self.next, self.is_behind_damage) = (next, true);
                return Ok(Some(chunk));
            }
            self.next = self.size;
            if size > MAX_CHUNK {
                self.damage.push(Damage::WrongSize { at, size });
                continue;
            }
            self.damage.push(Damage::Cut);
            return Ok(Some(self.found(tag, from..self.size, true)));
        }
        Ok(None)
    }

    /// Goes on at a place where a chunk begins.
    pub fn go_to(&mut self, at: u64) {
        (self.next, self.last, self.is_behind_damage) = (at, None, false);
    }

    /// The data of a chunk.
    pub fn data(&mut self, chunk: &Chunk) -> io::Result<&[u8]> {
        let length = usize::try_from(chunk.data.end - chunk.data.start).map_err(io::Error::other)?;
        let bytes = self.bytes(chunk.data.start, length)?;
        Ok(bytes.get(..length).unwrap_or(bytes))
    }

    /// The first bytes of a chunk's data, without reading the rest.
    pub fn peek(&mut self, chunk: &Chunk, length: usize) -> io::Result<&[u8]> {
        let bytes = self.bytes(chunk.data.start, length)?;
        Ok(bytes.get(..length).unwrap_or(bytes))
    }

    fn found(&mut self, tag: u32, data: Range<u64>, is_cut: bool) -> Chunk {
        self.next = data.end.next_multiple_of(8);
        let is_behind_damage = std::mem::take(&mut self.is_behind_damage);
        let chunk = Chunk { tag, data, is_cut, is_behind_damage };
        self.last = Some(chunk.clone());
        chunk
    }

    /// Goes on behind a place where a chunk should be and is none: from the start of the last chunk's data on, since its
    /// size may be what is wrong. A catalog whose size was too small is given once more, as far as the next chunk.
    fn pass_damage(&mut self, at: u64) -> io::Result<Option<Chunk>> {
        let last = self.last.take();
        let next = self.search(last.as_ref().map_or(at, |last| last.data.start))?;
        if next.is_none() {
            // Padding at the end is no damage.
            let rest = self.bytes(at, PEEK)?;
            if rest.iter().all(|byte| *byte == 0) {
                self.next = self.size;
                return Ok(None);
            }
        }
        // Too little is left to tell what begins there.
        let is_cut = next.is_none() && self.size - at < 2 * PREAMBLE;
        self.damage.push(if is_cut { Damage::Cut } else { Damage::NoChunk { at } });
        self.is_behind_damage = true;
        let again = last.filter(|last| last.tag == catalog::TAG).map(|last| {
            let end = next.unwrap_or(self.size).min(last.data.start + MAX_CHUNK);
            self.found(catalog::TAG, last.data.start..end, false)
        });
        self.is_behind_damage = true;
        self.last = None;
        self.next = next.unwrap_or(self.size);
        Ok(again)
    }

    /// The size of a chunkset: what its preamble says, unless that leads nowhere and what stands at the start of its data
    /// leads to the next chunk.
    fn checked_size(&mut self, from: u64, size: u64) -> io::Result<u64> {
        let Some(inner) = chunkset::inner_length(self.bytes(from, 12)?).filter(|inner| *inner != size) else {
            return Ok(size);
        };
        let mut leads_on = |size: u64| {
            let Some(end) = from.checked_add(size).and_then(|end| end.checked_next_multiple_of(8)) else {
                return Ok(false);
            };
            Ok::<_, io::Error>(size <= MAX_CHUNK && (from + size == self.size || self.start(end)?.is_some()))
        };
        Ok(if !leads_on(size)? && leads_on(inner)? { inner } else { size })
    }

    /// The tag and size of a chunk, if one begins there.
    fn start(&mut self, at: u64) -> io::Result<Option<(u32, u64)>> {
        let mut cursor = Cursor(self.bytes(at, 32)?);
        let preamble = (|| Some((cursor.u32()?, cursor.u32()?, cursor.u64()?)))();
        Ok(preamble.filter(|(tag, ..)| is_likely(*tag, cursor.0)).map(|(tag, _, size)| (tag, size)))
    }

    /// Where the next catalog or chunkset begins, from a place on. Chunks lie at multiples of eight bytes.
    fn search(&mut self, from: u64) -> io::Result<Option<u64>> {
        let mut from = from.next_multiple_of(8);
        while from < self.size {
            let window = self.bytes(from, SEARCH)?;
            let mut candidates =
                TAGS.find_iter(window).filter_map(|at| at.checked_sub(1)).filter(|at| at.is_multiple_of(8));
            let found = candidates.find(|at| {
                let mut cursor = Cursor(window.get(*at..).unwrap_or_default());
                let tag = cursor.u32();
                cursor.take(12).is_some() && tag.is_some_and(|tag| is_likely(tag, cursor.0))
            });
            if let Some(found) = found {
                return Ok(Some(from + found as u64));
            }
            if window.len() < SEARCH {
                return Ok(None);
            }
            // A tag may lie across the end of the window.
            from += (SEARCH - 64) as u64;
        }
        Ok(None)
    }

    /// Bytes of the file from a place on, so many at least unless the file ends before.
    fn bytes(&mut self, at: u64, length: usize) -> io::Result<&[u8]> {
        let window_end = self.window_at + self.window.len() as u64;
        if (self.window_at..=window_end).contains(&at) {
            let passed = usize::try_from(at - self.window_at).map_err(io::Error::other)?;
            if self.window.len() - passed >= length {
                return Ok(self.window.get(passed..).unwrap_or_default());
            }
            self.window.drain(..passed);
        } else {
            self.window.clear();
            self.file.seek(SeekFrom::Start(at))?;
        }
        self.window_at = at;
        let missing = length.saturating_sub(self.window.len()).max(PEEK);
        let read = self.file.by_ref().take(missing as u64).read_to_end(&mut self.window);
        match read {
            // A packed file that is cut off ends there.
            Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => Err(error),
            _ => Ok(&self.window),
        }
    }
}

/// Whether a chunk with that tag can have data that begins so.
fn is_likely(tag: u32, data: &[u8]) -> bool {
    match tag {
        HEADER => data.len() >= 16,
        catalog::TAG => data.len() >= 16,
        chunkset::TAG => chunkset::is_likely(data),
        _ => false,
    }
}
