//! Where the files lie in a tar archive, found in one pass over its headers: GNU tar's and pax's long names and sizes
//! are read, what macOS adds (`._NAME`) is skipped, and so is everything that is no plain file.

use super::Progress;
use super::gzip::Unpacker;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, Read};
use tar::{EntryType, Header};

/// The most files that an archive may hold.
const MAX_FILES: usize = 100_000;

/// The most headers of any kind: each file may have its `._NAME` and an extended header.
const MAX_HEADERS: usize = 5 * MAX_FILES;

/// The longest name of a file, in bytes.
const MAX_NAME: usize = 4096;

/// How much of an extended header is read, in bytes. Names come first; extended attributes may follow.
const MAX_EXTENSION: u64 = 1 << 20;

const BLOCK: u64 = 512;

/// Progress is reported each time this many bytes were read.
const STEP: u64 = 4 << 20;

/// Where the bytes of a file lie in the unpacked archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TarPlace {
    pub from: u64,
    pub size: u64,
    /// When the file was last written, in seconds since 1970.
    pub modified: u64,
}

/// The files of an archive by their paths, without a leading `./`.
#[derive(Debug, Default)]
pub struct Index {
    pub files: BTreeMap<String, TarPlace>,
    /// Why reading stopped before the archive's end.
    pub broken: Option<io::Error>,
}

/// Bytes that are read in order, with stretches that are passed over.
pub trait Stream: Read {
    /// How many bytes were read or passed over.
    fn position(&self) -> u64;
    /// How many bytes of the file itself were read.
    fn packed_position(&self) -> u64 {
        self.position()
    }
    /// Passes over bytes.
    fn pass(&mut self, bytes: u64) -> io::Result<()>;
}

impl Stream for Unpacker {
    fn position(&self) -> u64 {
        Self::position(self)
    }

    fn packed_position(&self) -> u64 {
        self.packed()
    }

    fn pass(&mut self, bytes: u64) -> io::Result<()> {
        self.skip(bytes)
    }
}

/// A file that is not packed.
pub struct Plain {
    file: BufReader<File>,
    position: u64,
    size: u64,
}

impl Plain {
    pub fn new(file: File) -> io::Result<Self> {
        let size = file.metadata()?.len();
        Ok(Self { file: BufReader::new(file), position: 0, size })
    }
}

impl Read for Plain {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer)?;
        self.position += read as u64;
        Ok(read)
    }
}

impl Stream for Plain {
    fn position(&self) -> u64 {
        self.position
    }

    fn pass(&mut self, bytes: u64) -> io::Result<()> {
        let left = self.size.saturating_sub(self.position);
        if bytes > left {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "it is cut off"));
        }
        self.file.seek_relative(i64::try_from(bytes).map_err(io::Error::other)?)?;
        self.position += bytes;
        Ok(())
    }
}

/// What the headers before a file's own say of it.
#[derive(Default)]
struct Extension {
    name: Option<String>,
    size: Option<u64>,
}

/// Goes through an archive once. `on_file` may read a file's bytes in passing.
///
/// An archive that breaks off gives what lies before.
pub fn index<S: Stream>(
    stream: &mut S,
    progress: &dyn Progress,
    mut on_file: impl FnMut(&str, u64, &mut dyn Stream) -> io::Result<()>,
) -> io::Result<Index> {
    let mut index = Index::default();
    match walk(stream, progress, &mut index.files, &mut on_file) {
        Ok(()) => Ok(index),
        // A limit that is exceeded is no damage: what lies before it is not used.
        Err(error) if error.kind() == io::ErrorKind::Other => Err(error),
        Err(error) if index.files.is_empty() => Err(error),
        Err(error) => Ok(Index { broken: Some(error), ..index }),
    }
}

fn walk<S: Stream>(
    stream: &mut S,
    progress: &dyn Progress,
    files: &mut BTreeMap<String, TarPlace>,
    on_file: &mut impl FnMut(&str, u64, &mut dyn Stream) -> io::Result<()>,
) -> io::Result<()> {
    let mut extension = Extension::default();
    for _ in 0..MAX_HEADERS {
        let mut block = [0; BLOCK as usize];
        stream.read_exact(&mut block)?;
        if block == [0; BLOCK as usize] {
            return Ok(());
        }
        let header = Header::from_byte_slice(&block);
        if header.cksum().map_err(invalid)? != checksum(&block) {
            return Err(invalid("the checksum of a header does not match"));
        }
        let kind = header.entry_type();
        let is_file = matches!(kind, EntryType::Regular | EntryType::Continuous);
        let size = if is_file { extension.size } else { None }.map_or_else(|| header.entry_size(), Ok);
        let size = if has_data(kind) { size.map_err(invalid)? } else { 0 };
        let from = stream.position();
        let end = size.checked_next_multiple_of(BLOCK).and_then(|padded| from.checked_add(padded));
        let end = end.ok_or_else(|| invalid("the size of a file is impossible"))?;
        match kind {
            EntryType::GNULongName => extension.name = Some(gnu_name(&bytes(stream, size)?)),
            EntryType::XHeader => pax(&bytes(stream, size)?, &mut extension),
            // What follows belongs to no file, or to the one behind it.
            EntryType::GNULongLink | EntryType::XGlobalHeader => {}
            _ => {
                let Extension { name, .. } = std::mem::take(&mut extension);
                let name =
                    name.map_or_else(|| plain(&String::from_utf8_lossy(&header.path_bytes())), |name| plain(&name));
                if is_file && !is_apple_double(&name) && name.len() <= MAX_NAME {
                    on_file(&name, size, stream)?;
                    files.insert(name, TarPlace { from, size, modified: header.mtime().unwrap_or(0) });
                    if files.len() > MAX_FILES {
                        return Err(io::Error::other(format!("it holds more than {MAX_FILES} files")));
                    }
                }
            }
        }
        while stream.position() < end {
            stream.pass((end - stream.position()).min(STEP))?;
            progress.at(stream.packed_position());
        }
    }
    Err(io::Error::other(format!("it holds more than {MAX_FILES} files")))
}

fn invalid(why: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

/// Links, folders and devices have no data, whatever their size field says.
fn has_data(kind: EntryType) -> bool {
    !matches!(
        kind,
        EntryType::Link
            | EntryType::Symlink
            | EntryType::Char
            | EntryType::Block
            | EntryType::Directory
            | EntryType::Fifo
    )
}

/// The sum of a header's bytes, with its own checksum as eight blanks.
fn checksum(block: &[u8]) -> u32 {
    let sum = |bytes: &[u8]| bytes.iter().map(|byte| u32::from(*byte)).sum::<u32>();
    let blanks = 8 * u32::from(b' ');
    sum(block) - block.get(148..156).map_or(0, sum) + blanks
}

fn bytes(stream: &mut impl Read, size: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    stream.take(size.min(MAX_EXTENSION)).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn gnu_name(bytes: &[u8]) -> String {
    let end = memchr::memchr(0, bytes).unwrap_or(bytes.len());
    String::from_utf8_lossy(bytes.get(..end).unwrap_or_default()).into_owned()
}

/// The `path` and `size` of a pax header: records `LENGTH KEY=VALUE\n`, their length counted with all of it.
fn pax(mut bytes: &[u8], extension: &mut Extension) {
    while let Some(record) = next_record(&mut bytes) {
        if let Some(path) = record.strip_prefix(b"path=") {
            extension.name = Some(String::from_utf8_lossy(path).into_owned());
        } else if let Some(size) = record.strip_prefix(b"size=") {
            extension.size = std::str::from_utf8(size).ok().and_then(|size| size.parse().ok());
        }
    }
}

fn next_record<'b>(bytes: &mut &'b [u8]) -> Option<&'b [u8]> {
    let digits = memchr::memchr(b' ', bytes.get(..20.min(bytes.len()))?)?;
    let length: usize = std::str::from_utf8(bytes.get(..digits)?).ok()?.parse().ok()?;
    let record = bytes.get(digits + 1..length.checked_sub(1)?)?;
    *bytes = bytes.get(length..)?;
    Some(record)
}

/// A path without the `.` parts that some programs put into it.
fn plain(path: &str) -> String {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    parts.join("/")
}

/// `._NAME` holds what a Mac's file system knows of NAME beside its content.
fn is_apple_double(path: &str) -> bool {
    path.rsplit('/').next().is_some_and(|name| name.starts_with("._"))
}
