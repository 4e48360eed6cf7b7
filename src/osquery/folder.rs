//! A folder that only we can enter, for the sockets between the relay and the crate's server.
//!
//! It lies beside osquery's own socket, where we must be able to make a socket anyway, and its name does not begin with
//! that socket's: osquery removes `<socket>.*` when it starts. Whoever could exchange the folder could exchange osquery's
//! socket as well. A folder that a killed process left behind is used again, so that they never pile up.

use super::NAME;
use std::fs::{self, DirBuilder, File};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

/// How many folders are tried. Each extension that runs beside the same socket has its own.
const FOLDERS: usize = 64;

/// The longest path below the folder of osquery's socket, in bytes with the slash before it: `/.mdm_health.63/m.1`.
pub const LONGEST: usize = NAME.len() + 9;

/// The folder. It is removed when this is dropped.
pub struct Folder {
    path: PathBuf,
    _lock: File,
}

impl Folder {
    /// Makes the folder in `parent`, or takes one that nobody uses any more.
    pub fn take(parent: &Path) -> io::Result<Self> {
        for number in 0..FOLDERS {
            let path = parent.join(format!(".{NAME}.{number}"));
            match DirBuilder::new().mode(0o700).create(&path) {
                Err(why) if why.kind() != ErrorKind::AlreadyExists => return Err(why),
                _ => {}
            }
            if let Some(lock) = ours_alone(&path)? {
                let folder = Self { path, _lock: lock };
                folder.empty();
                return Ok(folder);
            }
        }
        Err(io::Error::other(format!("{FOLDERS} folders .{NAME}.* there are in use or not ours")))
    }

    /// The socket of the stand-in for osquery's manager.
    pub fn manager(&self) -> PathBuf {
        self.path.join("m")
    }

    /// The socket that the crate's server makes of it when it is given that number.
    pub fn server(&self, uuid: i64) -> PathBuf {
        self.path.join(format!("m.{uuid}"))
    }

    fn empty(&self) {
        for socket in fs::read_dir(&self.path).into_iter().flatten().flatten() {
            let _ = fs::remove_file(socket.path());
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        self.empty();
        let _ = fs::remove_dir(&self.path);
    }
}

/// The folder's lock, if the folder is ours, closed to everyone else, and in nobody's use. The lock ends with the process,
/// however that ends.
fn ours_alone(path: &Path) -> io::Result<Option<File>> {
    let Ok(found) = fs::symlink_metadata(path) else { return Ok(None) };
    let closed = found.is_dir() && found.mode() & 0o077 == 0;
    if !closed || found.uid() != rustix::process::geteuid().as_raw() {
        return Ok(None);
    }
    let Ok(lock) = File::open(path) else { return Ok(None) };
    // Meanwhile another process may have taken the folder away, or put another one in its place.
    let same =
        |now: io::Result<fs::Metadata>| now.is_ok_and(|now| (now.dev(), now.ino()) == (found.dev(), found.ino()));
    let ours = lock.try_lock().is_ok() && same(lock.metadata()) && same(fs::symlink_metadata(path));
    Ok(ours.then_some(lock))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    #[test]
    fn two_at_once_get_two_folders_closed_to_others_and_leave_nothing() {
        let parent = tempfile::tempdir().unwrap();
        let (first, second) = (Folder::take(parent.path()).unwrap(), Folder::take(parent.path()).unwrap());
        assert_ne!(first.path, second.path);
        assert_eq!(fs::metadata(&first.path).unwrap().mode() & 0o777, 0o700);
        fs::write(first.manager(), "").unwrap();
        drop((first, second));
        assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_folder_left_behind_is_emptied_and_used_again() {
        let parent = tempfile::tempdir().unwrap();
        let left = parent.path().join(".mdm_health.0");
        DirBuilder::new().mode(0o700).create(&left).unwrap();
        fs::write(left.join("m.1"), "").unwrap();
        let folder = Folder::take(parent.path()).unwrap();
        assert_eq!((&folder.path, fs::read_dir(&left).unwrap().count()), (&left, 0));
    }

    #[test]
    fn a_folder_that_others_can_enter_or_that_is_a_link_is_left_alone() {
        let (parent, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let open = parent.path().join(".mdm_health.0");
        fs::create_dir(&open).unwrap();
        fs::set_permissions(&open, fs::Permissions::from_mode(0o777)).unwrap();
        fs::write(open.join("m"), "").unwrap();
        symlink(elsewhere.path(), parent.path().join(".mdm_health.1")).unwrap();
        let folder = Folder::take(parent.path()).unwrap();
        assert_eq!(folder.path, parent.path().join(".mdm_health.2"));
        assert!(open.join("m").exists());
    }

    #[test]
    fn the_longest_path_is_as_long_as_it_is_said_to_be() {
        let parent = tempfile::tempdir().unwrap();
        let longest = parent.path().join(format!(".{NAME}.{}", FOLDERS - 1)).join("m.1");
        assert_eq!(longest.as_os_str().len() - parent.path().as_os_str().len(), LONGEST);
    }
}
