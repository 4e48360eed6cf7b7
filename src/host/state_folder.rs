//! The folder in which the program keeps what it must remember: its owner's alone, and never reached through a link.

use rustix::process::geteuid;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Why the folder or a file in it is not used.
#[derive(Debug, Error)]
pub enum StateError {
    /// It cannot be made or looked at.
    #[error("{path} cannot be used: {why}. mdm-health keeps its state there; run it as root, or pass --state-dir")]
    Unusable {
        /// The folder or file.
        path: PathBuf,
        /// The system's words.
        why: io::Error,
    },
    /// It is a symbolic link, or not what it should be.
    #[error("{path} is not {wanted} of its own (a symbolic link, perhaps): remove it")]
    WrongKind {
        /// The folder or file.
        path: PathBuf,
        /// `a folder` or `a file`.
        wanted: &'static str,
    },
    /// Somebody else could have written it.
    #[error("{path} belongs to user {owner}, or others may write to it: remove it, or make it root's with mode 0700")]
    NotOurs {
        /// The folder or file.
        path: PathBuf,
        /// Whose it is.
        owner: u32,
    },
}

/// Makes the folder with mode 0700, or checks the one that is there.
pub fn private_folder(path: &Path) -> Result<(), StateError> {
    if fs::symlink_metadata(path).is_err_and(|error| error.kind() == ErrorKind::NotFound) {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
        made.map_err(|why| StateError::Unusable { path: path.to_owned(), why })?;
    }
    check(path, "a folder", |kind| kind.is_dir())
}

/// Makes an empty file with mode 0600 in such a folder, or checks the one that is there.
pub fn private_file(path: &Path) -> Result<(), StateError> {
    let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    match made {
        Err(why) if why.kind() != ErrorKind::AlreadyExists => Err(StateError::Unusable { path: path.to_owned(), why }),
        _ => check(path, "a file", |kind| kind.is_file()),
    }
}

fn check(path: &Path, wanted: &'static str, fit: impl Fn(&fs::FileType) -> bool) -> Result<(), StateError> {
    let unusable = |why| StateError::Unusable { path: path.to_owned(), why };
    let found = fs::symlink_metadata(path).map_err(unusable)?;
    if !fit(&found.file_type()) {
        return Err(StateError::WrongKind { path: path.to_owned(), wanted });
    }
    if found.uid() != geteuid().as_raw() || found.mode() & 0o022 != 0 {
        return Err(StateError::NotOurs { path: path.to_owned(), owner: found.uid() });
    }
    // What was ours but open for reading is closed.
    let mode = if found.is_dir() { 0o700 } else { 0o600 };
    if found.mode() & 0o777 != mode {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).map_err(unusable)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o777
    }

    #[test]
    fn a_new_folder_and_its_file_are_their_owners_alone() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("a/b");
        private_folder(&folder).unwrap();
        let file = folder.join("journal.db");
        private_file(&file).unwrap();
        private_file(&file).unwrap();
        assert_eq!((mode(&folder), mode(&file)), (0o700, 0o600));
    }

    #[test]
    fn a_link_is_not_followed() {
        let place = tempfile::tempdir().unwrap();
        let (real, link) = (place.path().join("real"), place.path().join("link"));
        fs::create_dir(&real).unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        assert!(matches!(private_folder(&link), Err(StateError::WrongKind { .. })));
        std::os::unix::fs::symlink(place.path().join("elsewhere"), real.join("journal.db")).unwrap();
        assert!(matches!(private_file(&real.join("journal.db")), Err(StateError::WrongKind { .. })));
        assert!(!place.path().join("elsewhere").exists());
    }

    #[test]
    fn what_others_may_write_is_refused() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("open");
        fs::create_dir(&folder).unwrap();
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).unwrap();
        assert!(matches!(private_folder(&folder), Err(StateError::NotOurs { .. })));
    }
}
