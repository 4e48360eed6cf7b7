//! The page as a file that only its owner can read: it names servers and users.

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Why the page was not written.
#[derive(Debug, Error)]
pub enum FileError {
    /// There is such a file.
    #[error("{0} exists already: pass --force to replace it, or another name")]
    Exists(PathBuf),
    /// It is no plain file.
    #[error("{0} is not a regular file and is not replaced: pass another name")]
    NotAFile(PathBuf),
    /// The system says no.
    #[error("{path} cannot be written: {why}")]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// The system's words.
        why: io::Error,
    },
}

/// Where the page goes.
#[derive(Debug, clap::Args)]
pub struct Target {
    /// The file to make, which only its owner can read; `-` for standard output
    #[arg(value_name = "FILE.html")]
    file: PathBuf,
    /// Replace the file if it is there; without this nothing is ever replaced
    #[arg(long)]
    force: bool,
}

impl Target {
    /// Whether the file may be written as things stand, before anything long is begun.
    pub fn check(&self) -> Result<(), FileError> {
        match fs::symlink_metadata(&self.file) {
            _ if self.is_stdout() => Ok(()),
            Ok(_) if !self.force => Err(FileError::Exists(self.file.clone())),
            Ok(found) if !found.is_file() => Err(FileError::NotAFile(self.file.clone())),
            Ok(_) => Ok(()),
            Err(why) if why.kind() == ErrorKind::NotFound => Ok(()),
            Err(why) => Err(FileError::Unwritable { path: self.file.clone(), why }),
        }
    }

    /// Writes the page into the file as a whole or not at all.
    pub fn write(&self, page: &str) -> Result<(), FileError> {
        self.check()?;
        let failed = |why: io::Error| match why.kind() {
            ErrorKind::AlreadyExists if !self.force => FileError::Exists(self.file.clone()),
            _ => FileError::Unwritable { path: self.file.clone(), why },
        };
        if !self.force {
            return create(&self.file, page).map_err(failed);
        }
        let fresh = self.file.with_extension(format!("{}.new", std::process::id()));
        create(&fresh, page).map_err(failed)?;
        fs::rename(&fresh, &self.file).map_err(|why| {
            let _ = fs::remove_file(&fresh);
            failed(why)
        })
    }

    /// Whether it goes to standard output.
    pub fn is_stdout(&self) -> bool {
        self.file.as_os_str() == "-"
    }
}

/// Makes a file that was not there; a part of one is taken away again.
fn create(path: &Path, page: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    // Not sync_all: on macOS that is F_FULLFSYNC, which an SMB share refuses.
    let written = file.write_all(page.as_bytes()).and_then(|()| Ok(rustix::fs::fsync(&file)?));
    written.inspect_err(|_| {
        let _ = fs::remove_file(path);
    })
}
