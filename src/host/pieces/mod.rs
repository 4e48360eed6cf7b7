//! The files of a folder, a tar or a tar.gz, by their paths: indexed once, never unpacked to disk, so that nothing in an
//! archive can lead out of a folder or fill a disk.

mod gzip;
mod image_path;
mod pack;
mod shape;
mod tar_index;

pub use pack::{files, pack};
pub use shape::{LogStore, Shape, ShapeError, is_tracev3};
pub use tar_index::Stream;

use super::{FileLook, open_regular};
use crate::vocabulary::Time;
use chrono::DateTime;
use gzip::{Checkpoints, Unpacker};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tar_index::{Index, Plain, TarPlace};

/// Limits for unpacking a gzip file: the larger of a number of bytes and a multiple of its size. Logs shrink to a thirtieth.
const UNPACKED_AT_LEAST: u64 = 256 << 20;
const UNPACKED_TIMES: u64 = 100;

/// The most files that are listed in a folder.
const MAX_LISTED: usize = 100_000;

/// How deep folders are listed.
const MAX_DEPTH: usize = 16;

/// Where `ustar` stands in a tar header.
const USTAR: (u64, &[u8]) = (257, b"ustar");

/// Whoever waits for an archive to be read.
pub trait Progress: Sync {
    /// A step begins that has to process this many bytes.
    fn begin(&self, what: &'static str, bytes: u64);
    /// How many of these bytes have been processed.
    fn at(&self, bytes: u64);
    fn end(&self);
}

/// Nobody waits.
impl Progress for () {
    fn begin(&self, _: &'static str, _: u64) {}

    fn at(&self, _: u64) {}

    fn end(&self) {}
}

/// A folder or an archive, and where its files lie.
pub struct Pieces {
    path: PathBuf,
    store: Store,
    /// The image paths of uuidtext files, where they were read in passing.
    image_paths: BTreeMap<String, String>,
}

enum Store {
    Folder,
    Tar(Index),
    Gzip(Index, Arc<Checkpoints>),
}

impl std::fmt::Debug for Pieces {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(to, "Pieces({})", self.path.display())
    }
}

impl Pieces {
    /// Indexes a folder or an archive; `None` if the file is neither a tar nor a tar.gz.
    pub fn open(path: &Path, progress: &dyn Progress) -> io::Result<Option<Self>> {
        let mut image_paths = BTreeMap::new();
        let store = if fs::metadata(path)?.is_dir() {
            Store::Folder
        } else {
            let mut file = open_regular(path)?;
            if begins_with(&mut file, 0, &gzip::MAGIC)? {
                let packed = file.metadata()?.len();
                let limit = UNPACKED_AT_LEAST.saturating_add(packed.saturating_mul(UNPACKED_TIMES));
                progress.begin("looking through the archive", packed);
                let mut unpacker = Unpacker::keeping_checkpoints(file, limit);
                let mut index = tar_index::index(&mut unpacker, progress, |name, size, file| {
                    if shape::is_uuidtext(name)
                        && let Some(image) = image_path::image_path(file, size)?
                    {
                        image_paths.insert(name.to_owned(), image);
                    }
                    Ok(())
                })?;
                // The checksum stands at the end.
                if index.broken.is_none() {
                    index.broken = unpacker.skip_to_end().err();
                }
                progress.end();
                Store::Gzip(index, Arc::new(unpacker.into_checkpoints()))
            } else if begins_with(&mut file, USTAR.0, USTAR.1)? {
                file.rewind()?;
                Store::Tar(tar_index::index(&mut Plain::new(file)?, &(), |_, _, _| Ok(()))?)
            } else {
                return Ok(None);
            }
        };
        Ok(Some(Self { path: path.to_owned(), store, image_paths }))
    }

    /// The folder or archive.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Why an archive could not be read to its end, where what lies before can be used.
    pub fn broken(&self) -> Option<&io::Error> {
        match &self.store {
            Store::Folder => None,
            Store::Tar(index) | Store::Gzip(index, _) => index.broken.as_ref(),
        }
    }

    fn index(&self) -> Option<&BTreeMap<String, TarPlace>> {
        match &self.store {
            Store::Folder => None,
            Store::Tar(index) | Store::Gzip(index, _) => Some(&index.files),
        }
    }

    /// The paths of all files below a folder within; `""` is the whole. Links are not followed.
    pub fn list(&self, below: &str) -> io::Result<Vec<String>> {
        let prefix = if below.is_empty() { String::new() } else { format!("{below}/") };
        if let Some(index) = self.index() {
            let from_there = index.range(prefix.clone()..).map(|(name, _)| name);
            return Ok(from_there.take_while(|name| name.starts_with(&prefix)).cloned().collect());
        }
        let mut found = Vec::new();
        list_folder(&self.path.join(below), &prefix, MAX_DEPTH, &mut found)?;
        found.sort();
        Ok(found)
    }

    /// The names in a folder within, of files and of folders.
    pub fn entries(&self, folder: &str) -> io::Result<BTreeSet<String>> {
        let Some(index) = self.index() else {
            let names = fs::read_dir(self.path.join(folder))?
                .take(MAX_LISTED)
                .map(|entry| entry.map(|entry| entry.file_name()));
            return names.filter_map(|name| name.map(|name| name.into_string().ok()).transpose()).collect();
        };
        let prefix = if folder.is_empty() { String::new() } else { format!("{folder}/") };
        let (mut names, mut from) = (BTreeSet::new(), prefix.clone());
        while let Some(path) = index.range(from..).next().and_then(|(path, _)| path.strip_prefix(&prefix)) {
            // One step for each folder, not for each file below it: `0` is the character behind `/`.
            let (name, behind) = path.split_once('/').map_or((path, "\0"), |(name, _)| (name, "0"));
            from = format!("{prefix}{name}{behind}");
            names.insert(name.to_owned());
        }
        Ok(names)
    }

    /// Whether it is a folder, not an archive.
    pub fn is_folder(&self) -> bool {
        matches!(self.store, Store::Folder)
    }

    /// The size of a file, in bytes.
    pub fn size(&self, name: &str) -> Option<u64> {
        match self.index() {
            Some(index) => index.get(name).map(|place| place.size),
            None => fs::metadata(self.path.join(name)).ok().map(|file| file.len()),
        }
    }

    /// When a file was last written.
    pub fn modified(&self, name: &str) -> Option<Time> {
        let Some(index) = self.index() else {
            return FileLook::of(&fs::metadata(self.path.join(name)).ok()?).modified();
        };
        let at = i64::try_from(index.get(name)?.modified).ok().filter(|at| *at > 0)?;
        DateTime::from_timestamp(at, 0)
    }

    /// Whether there is a file of that path.
    pub fn has(&self, name: &str) -> bool {
        match self.index() {
            Some(index) => index.contains_key(name),
            None => self.path.join(name).is_file(),
        }
    }

    /// Opens a file. A folder may come from anywhere: a pipe in it would hang, a device never end.
    pub fn piece(&self, name: &str) -> io::Result<Piece> {
        let place = self.index().map(|index| index.get(name).copied().ok_or(ErrorKind::NotFound)).transpose()?;
        let Some(TarPlace { from, size, .. }) = place else {
            let file = open_regular(&self.path.join(name))?;
            let size = file.metadata()?.len();
            return Ok(Piece { source: Source::Plain(file), from: 0, size, position: 0 });
        };
        let mut file = File::open(&self.path)?;
        let source = match &self.store {
            Store::Gzip(_, checkpoints) => {
                let mut unpacker = Unpacker::new(file);
                unpacker.seek(from, checkpoints)?;
                Source::Gzip(Box::new(unpacker), checkpoints.clone())
            }
            Store::Folder | Store::Tar(_) => {
                file.seek(SeekFrom::Start(from))?;
                Source::Plain(file)
            }
        };
        Ok(Piece { source, from, size, position: 0 })
    }

    /// The image path that a uuidtext file names; `None` if there is no such file or it is damaged.
    pub fn image_path(&self, name: &str) -> io::Result<Option<String>> {
        if let Store::Gzip(..) = self.store {
            return Ok(self.image_paths.get(name).cloned());
        }
        let mut piece = match self.piece(name) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            piece => piece?,
        };
        let size = piece.size();
        match image_path::image_path(&mut piece, size) {
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(None),
            path => path,
        }
    }
}

/// The log of an archive.
#[derive(Clone, Copy)]
pub struct LogArchive<'h> {
    pub pieces: &'h Pieces,
    pub store: &'h LogStore,
    pub progress: &'h dyn Progress,
}

/// A file that is being read.
pub struct Piece {
    source: Source,
    from: u64,
    size: u64,
    position: u64,
}

enum Source {
    Plain(File),
    Gzip(Box<Unpacker>, Arc<Checkpoints>),
}

impl Piece {
    /// How many bytes it has.
    pub fn size(&self) -> u64 {
        self.size
    }
}

impl Read for Piece {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.size.saturating_sub(self.position)).unwrap_or(usize::MAX);
        let end = buffer.len().min(left);
        let Some(buffer) = buffer.get_mut(..end).filter(|buffer| !buffer.is_empty()) else { return Ok(0) };
        let read = match &mut self.source {
            Source::Plain(file) => file.read(buffer)?,
            Source::Gzip(unpacker, _) => unpacker.read(buffer)?,
        };
        self.position += read as u64;
        Ok(read)
    }
}

impl Seek for Piece {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let to = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::Current(by) => self.position.checked_add_signed(by),
            SeekFrom::End(by) => self.size.checked_add_signed(by),
        };
        // Beyond the end nothing is read, and nothing need be unpacked.
        let to = to.ok_or(ErrorKind::InvalidInput)?.min(self.size);
        match &mut self.source {
            Source::Plain(file) => drop(file.seek(SeekFrom::Start(self.from + to))?),
            Source::Gzip(unpacker, checkpoints) => unpacker.seek(self.from + to, checkpoints)?,
        }
        self.position = to;
        Ok(to)
    }
}

impl Stream for Piece {
    fn position(&self) -> u64 {
        self.position
    }

    fn pass(&mut self, bytes: u64) -> io::Result<()> {
        let bytes = i64::try_from(bytes).map_err(io::Error::other)?;
        self.seek(SeekFrom::Current(bytes)).map(drop)
    }
}

fn begins_with(file: &mut File, at: u64, bytes: &[u8]) -> io::Result<bool> {
    let mut found = Vec::new();
    file.seek(SeekFrom::Start(at))?;
    file.by_ref().take(bytes.len() as u64).read_to_end(&mut found)?;
    file.rewind()?;
    Ok(found == bytes)
}

fn list_folder(folder: &Path, prefix: &str, depth: usize, found: &mut Vec<String>) -> io::Result<()> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        let (kind, name) = (entry.file_type()?, entry.file_name());
        // Names that are not UTF-8 are skipped: nobody looks for them.
        let Some(name) = name.to_str().filter(|name| !name.starts_with("._")) else { continue };
        if kind.is_dir() && depth > 0 {
            list_folder(&entry.path(), &format!("{prefix}{name}/"), depth - 1, found)?;
        } else if kind.is_file() {
            found.push(format!("{prefix}{name}"));
        }
        if found.len() > MAX_LISTED {
            return Err(io::Error::other(format!("it holds more than {MAX_LISTED} files")));
        }
    }
    Ok(())
}
