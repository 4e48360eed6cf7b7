//! A capture packed into one file, `.tar.gz`. It is read piece by piece and never unpacked, so that nothing in it can
//! lead out of a folder or fill a disk.

use super::capture::{DESCRIPTION, LOG};
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::ffi::OsStringExt;
use std::path::{Component, Path, PathBuf};
use tar::{EntryType, HeaderMode};

/// What gzip begins with.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// The most that an archive may unpack to, in bytes: a day of a busy Mac's log is far less.
const MOST_BYTES: u64 = 16 << 30;

/// The most pieces that an archive may hold.
const MOST_PIECES: usize = 10_000;

/// The longest name of a piece that is understood, in bytes.
const LONGEST_NAME: u64 = 4096;

/// An archive, and where its pieces lie in it.
#[derive(Debug)]
pub struct Archive {
    path: PathBuf,
    pieces: BTreeMap<PathBuf, Place>,
}

/// Where the bytes of a piece lie in the unpacked archive.
#[derive(Debug, Clone, Copy)]
struct Place {
    from: u64,
    size: u64,
}

impl Archive {
    /// Whether the file is packed.
    pub fn is_one(path: &Path) -> io::Result<bool> {
        let mut begin = Vec::new();
        File::open(path)?.take(GZIP.len() as u64).read_to_end(&mut begin)?;
        Ok(begin == GZIP)
    }

    /// Opens an archive of a capture folder, with that folder's name before its pieces or without.
    pub fn open(path: &Path) -> io::Result<Self> {
        let mut archive = tar::Archive::new(GzDecoder::new(File::open(path)?).take(MOST_BYTES));
        let mut all = BTreeMap::new();
        let mut long_name = None;
        // Raw, since what extends a name may be of any length.
        for entry in archive.entries()?.raw(true) {
            let mut entry = entry?;
            match entry.header().entry_type() {
                EntryType::GNULongName => long_name = Some(read_name(&mut entry)?),
                EntryType::Regular => {
                    let place = Place { from: entry.raw_file_position(), size: entry.size() };
                    all.insert(plain(&long_name.take().map_or_else(|| entry.path(), |name| Ok(name.into()))?), place);
                }
                _ => long_name = None,
            }
            if all.len() > MOST_PIECES {
                return Err(io::Error::other("it holds too many files"));
            }
        }
        if archive.into_inner().limit() == 0 {
            return Err(io::Error::other("it is too large"));
        }
        let depth = |path: &Path| path.components().count();
        let descriptions = all.keys().filter(|path| path.ends_with(DESCRIPTION) && depth(path) <= 2);
        let Some(folder) = descriptions.min_by_key(|path| depth(path)).and_then(|path| path.parent()) else {
            return Err(io::Error::new(ErrorKind::NotFound, format!("it holds no {DESCRIPTION}")));
        };
        let within = |(path, place): (&PathBuf, &Place)| Some((path.strip_prefix(folder).ok()?.to_owned(), *place));
        let pieces = all.iter().filter_map(within).collect();
        Ok(Self { path: path.to_owned(), pieces })
    }

    /// A piece's bytes, and how many they are.
    pub fn piece(&self, within: &str) -> io::Result<(impl Read + Send + use<>, u64)> {
        let place = self.pieces.get(Path::new(within)).ok_or(ErrorKind::NotFound)?;
        let mut unpacked = GzDecoder::new(File::open(&self.path)?);
        io::copy(&mut Read::by_ref(&mut unpacked).take(place.from), &mut io::sink())?;
        Ok((unpacked.take(place.size), place.size))
    }
}

/// A name of more than 100 bytes, as GNU tar puts it before its file: a folder's long name makes one of a short piece's.
fn read_name(entry: &mut impl Read) -> io::Result<PathBuf> {
    let mut name = Vec::new();
    entry.take(LONGEST_NAME).read_to_end(&mut name)?;
    name.truncate(name.iter().position(|byte| *byte == 0).unwrap_or(name.len()));
    Ok(OsString::from_vec(name).into())
}

/// A path without the `./` that some programs put before it.
fn plain(path: &Path) -> PathBuf {
    path.components().filter(|part| *part != Component::CurDir).collect()
}

/// Packs a folder under that name, readable by its owner alone. The log comes last: to read a piece is to pass over what
/// lies before it.
pub fn pack(folder: &Path, name: &Path, into: impl Write) -> io::Result<()> {
    let mut archive = tar::Builder::new(GzEncoder::new(into, Compression::default()));
    archive.mode(HeaderMode::Deterministic);
    let mut pieces = files(folder)?;
    pieces.sort_by_key(|path| (path.ends_with(LOG), path.clone()));
    for path in pieces {
        let piece = path.strip_prefix(folder).map_err(io::Error::other)?;
        let mut file = File::open(&path)?;
        let mut header = tar::Header::new_ustar();
        header.set_metadata_in_mode(&file.metadata()?, HeaderMode::Deterministic);
        header.set_mode(0o600);
        archive.append_data(&mut header, name.join(piece), &mut file)?;
    }
    archive.into_inner()?.finish()?.flush()
}

/// Every file below a folder.
pub fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let (path, kind) = entry.and_then(|entry| Ok((entry.path(), entry.file_type()?)))?;
        if kind.is_dir() {
            found.extend(files(&path)?);
        } else if kind.is_file() {
            found.push(path);
        }
    }
    Ok(found)
}
