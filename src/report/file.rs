//! The report as a file that only its owner can read: it names servers and users.

use crate::host::destination::Destination;
use rustix::fs::FileType;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use thiserror::Error;

#[derive(Debug, Error)]
pub enum FileError {
    #[error("{0} exists already: pass --force to replace it, or another name")]
    Exists(PathBuf),
    #[error("{0} is not a regular file and is not replaced: pass another name")]
    NotAFile(PathBuf),
    #[error("{0} is not a folder and is not replaced: pass another name")]
    NotAFolder(PathBuf),
    #[error("{path} cannot be written: {why}")]
    Unwritable { path: PathBuf, why: io::Error },
}

/// Where the page goes.
#[derive(Debug, clap::Args)]
pub struct Target {
    /// The file to write, which only its owner can read; `-` for standard output
    #[arg(value_name = "FILE.html")]
    file: PathBuf,
    /// Replace the file if it exists; without this nothing is ever replaced
    #[arg(long)]
    force: bool,
}

impl Target {
    /// Opens the folder, and says whether the file may be written as things stand, before anything long is begun. `None`
    /// is standard output. `give` is whether the user who called sudo may have the page.
    pub fn open(&self, give: bool) -> Result<Option<Destination>, FileError> {
        if self.file.as_os_str() == "-" {
            return Ok(None);
        }
        let unwritable = |why| FileError::Unwritable { path: self.file.clone(), why };
        let destination = Destination::open(&self.file, give).map_err(unwritable)?;
        match destination.kind().map_err(unwritable)? {
            Some(_) if !self.force => Err(FileError::Exists(self.file.clone())),
            Some(kind) if kind != FileType::RegularFile => Err(FileError::NotAFile(self.file.clone())),
            _ => Ok(Some(destination)),
        }
    }

    /// The file; `-` for standard output.
    pub fn path(&self) -> &Path {
        &self.file
    }

    /// Where the pages go that belong to this one: a folder beside it, named after it.
    pub fn folder_beside(&self) -> Result<(String, Destination), FileError> {
        let stem = self.file.file_stem().unwrap_or_default().to_string_lossy();
        let path = self.file.with_file_name(format!("{stem}-macs"));
        let unwritable = |why| FileError::Unwritable { path: path.clone(), why };
        let destination = Destination::open(&path, false).map_err(unwritable)?;
        match destination.kind().map_err(unwritable)? {
            Some(_) if !self.force => Err(FileError::Exists(path)),
            Some(kind) if kind != FileType::Directory => Err(FileError::NotAFolder(path)),
            _ => Ok((format!("{stem}-macs"), destination)),
        }
    }

    /// Writes a page into that folder.
    pub fn write_beside(&self, folder: &Destination, name: &str, page: &str) -> Result<(), FileError> {
        let put =
            folder.within(name).and_then(|file| file.put_file(self.force, |file| file.write_all(page.as_bytes())));
        put.map_err(|why| FileError::Unwritable { path: name.into(), why })
    }

    /// Writes the page, complete or not at all.
    pub fn write(&self, destination: &Destination, page: &str) -> Result<(), FileError> {
        destination.put_file(self.force, |file| file.write_all(page.as_bytes())).map_err(|why| match why.kind() {
            ErrorKind::AlreadyExists if !self.force => FileError::Exists(self.file.clone()),
            _ => FileError::Unwritable { path: self.file.clone(), why },
        })
    }
}
