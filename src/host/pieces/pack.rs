//! Packs a capture folder into a `.tar.gz`.

use crate::host::capture::LOG;
use flate2::Compression;
use flate2::write::GzEncoder;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use tar::HeaderMode;

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
