//! The folder that holds what mdm-health keeps: it and all that lies in it are ours alone, and no symbolic link leads
//! out of it.

use rustix::fs::{Mode, OFlags};
use std::fs::{self, DirBuilder, File, Metadata, Permissions, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;
use thiserror::Error;

/// In a folder with this bit, such as /tmp, only its owner can rename what is ours.
const STICKY: u32 = 0o1000;

/// How the names of our files begin, and of those that the Finder leaves.
const OURS: [&str; 3] = ["journal.", "heal.", "."];

/// How often to ask for a lock that somebody holds.
const LOCK_TRIES: u32 = 10;
const BETWEEN_TRIES: Duration = Duration::from_millis(50);

/// Why what mdm-health keeps cannot be used.
#[derive(Debug, Error)]
pub enum StateError {
    /// The system says no.
    #[error("{path} cannot be used: {why}. mdm-health keeps its records there and must run as root")]
    Unusable { path: PathBuf, why: io::Error },
    /// It is a symbolic link, a pipe or another thing.
    #[error("{path} is not {expected} (it may be a symbolic link): inspect it, then move it away")]
    WrongKind {
        path: PathBuf,
        /// What it should be.
        expected: &'static str,
    },
    /// It belongs to somebody else.
    #[error(
        "{path} is owned by uid {owner}, and mdm-health runs as uid {own}: run it as root; if it already does, inspect {path}, then move it away"
    )]
    Foreign {
        path: PathBuf,
        /// Whose it is.
        owner: u32,
        /// Who we are.
        own: u32,
    },
    /// Others can write it.
    #[error("{path} is writable by others (mode {mode:04o}) and cannot be trusted: inspect it, then move it away")]
    Writable {
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// Other things lie in it, and others may need them.
    #[error(
        "{path} is open to others and holds other things than mdm-health's, such as {foreign}: pass a folder of its own as --state-dir, which others need not enter"
    )]
    Shared { path: PathBuf, foreign: String },
    /// Somebody else could put another folder in its place.
    #[error("{path}, above the folder {folder}, {why}: give it to root and make it writable by root only")]
    Above { path: PathBuf, folder: PathBuf, why: String },
}

/// The folder, checked.
#[derive(Debug)]
pub struct StateFolder {
    /// Without any symbolic link.
    path: PathBuf,
}

/// Held until it is dropped; a crash lets it go.
#[derive(Debug)]
pub struct Lock(#[allow(dead_code, reason = "the open file is the lock")] File);

impl StateFolder {
    /// The folder if it is there.
    pub fn find(path: &Path) -> Result<Option<Self>, StateError> {
        match fs::symlink_metadata(path) {
            Ok(found) => {
                ours_alone(path, &found, true)?;
                // What lies above the folder may be a link, as /var is on a Mac.
                Ok(Some(Self { path: fs::canonicalize(path).map_err(|why| unusable(path, why))? }))
            }
            Err(why) if is_missing(&why) => Ok(None),
            Err(why) => Err(unusable(path, why)),
        }
    }

    /// The folder, made if it is not there.
    pub fn make(path: &Path) -> Result<Self, StateError> {
        if let Some(parent) = path.parent() {
            DirBuilder::new().recursive(true).mode(0o700).create(parent).map_err(|why| unusable(parent, why))?;
        }
        match DirBuilder::new().mode(0o700).create(path) {
            Err(why) if why.kind() != ErrorKind::AlreadyExists => return Err(unusable(path, why)),
            _ => {}
        }
        Self::find(path)?.ok_or_else(|| unusable(path, ErrorKind::NotFound.into()))
    }

    /// Refuses folders above it in which somebody other than root and us can rename it.
    pub fn check_above(&self) -> Result<(), StateError> {
        let own = rustix::process::geteuid().as_raw();
        for above in self.path.ancestors().skip(1) {
            let found = fs::symlink_metadata(above).map_err(|why| unusable(above, why))?;
            let mode = found.mode() & 0o7777;
            let why = if ![0, own].contains(&found.uid()) {
                format!("is owned by uid {}", found.uid())
            } else if mode & 0o022 != 0 && mode & STICKY == 0 {
                format!("is writable by others (mode {mode:04o})")
            } else {
                continue;
            };
            return Err(StateError::Above { path: above.to_owned(), folder: self.path.clone(), why });
        }
        Ok(())
    }

    /// Where a file of that name lies, or would lie.
    pub fn place(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// The path of a file if it is there.
    pub fn file(&self, name: &str) -> Result<Option<PathBuf>, StateError> {
        // SQLite opens what lies beside its database, and would wait at a FIFO for ever.
        for beside in ["-journal", "-wal", "-shm"] {
            self.one_file(&format!("{name}{beside}"))?;
        }
        self.one_file(name)
    }

    fn one_file(&self, name: &str) -> Result<Option<PathBuf>, StateError> {
        let path = self.place(name);
        match fs::symlink_metadata(&path) {
            Ok(found) => ours_alone(&path, &found, false).map(|()| Some(path)),
            Err(why) if is_missing(&why) => Ok(None),
            Err(why) => Err(unusable(&path, why)),
        }
    }

    /// The path of a file, which is made empty if it is not there.
    pub fn make_file(&self, name: &str) -> Result<PathBuf, StateError> {
        let path = self.place(name);
        match create(&path) {
            Err(why) if why.kind() != ErrorKind::AlreadyExists => Err(unusable(&path, why)),
            _ => self.file(name)?.ok_or_else(|| unusable(&path, ErrorKind::NotFound.into())),
        }
    }

    /// Takes the lock of that name; `None` while somebody else holds it.
    ///
    /// It tries a few times: if a process was killed while it started a command, its forked copy holds the lock for
    /// another moment.
    pub fn lock(&self, name: &str) -> Result<Option<Lock>, StateError> {
        let path = self.place(name);
        let flags = OFlags::CREATE | OFlags::RDWR | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let opened = rustix::fs::open(&path, flags, Mode::RUSR | Mode::WUSR);
        let file = File::from(opened.map_err(|why| unusable(&path, why.into()))?);
        for _ in 0..LOCK_TRIES {
            match file.try_lock() {
                Ok(()) => return Ok(Some(Lock(file))),
                Err(TryLockError::WouldBlock) => thread::sleep(BETWEEN_TRIES),
                Err(TryLockError::Error(why)) => return Err(unusable(&path, why)),
            }
        }
        Ok(None)
    }

    /// Puts a file in place as a whole, unless somebody else was first: at each moment there is either no file of that
    /// name or a complete one. `fill` writes an empty file of ours.
    pub fn publish<E: From<StateError>>(&self, name: &str, fill: impl FnOnce(&Path) -> Result<(), E>) -> Result<(), E> {
        let failed = |why| unusable(&self.path, why);
        let folder = File::open(&self.path).map_err(failed)?;
        while let Err(why) = folder.lock() {
            if why.kind() != ErrorKind::Interrupted {
                return Err(failed(why).into());
            }
        }
        if self.file(name)?.is_some() {
            return Ok(());
        }
        let fresh = self.place(&format!("{name}.new"));
        let failed = |why| unusable(&fresh, why);
        match fs::remove_file(&fresh) {
            Err(why) if !is_missing(&why) => return Err(failed(why).into()),
            _ => {}
        }
        let file = create(&fresh).map_err(failed)?;
        fill(&fresh)?;
        #[allow(
            clippy::disallowed_methods,
            reason = "the record of restarts is on a local disk and must survive a power cut"
        )]
        file.sync_all().map_err(failed)?;
        fs::rename(&fresh, self.place(name)).map_err(failed)?;
        // Not sync_all: on a Mac that asks for more than a folder can give.
        rustix::fs::fsync(&folder).map_err(|why| failed(why.into()))?;
        Ok(())
    }
}

/// Makes a file that only we can read.
fn create(path: &Path) -> io::Result<File> {
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::RDWR | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(rustix::fs::open(path, flags, Mode::RUSR | Mode::WUSR)?.into())
}

/// Refuses what others own or can write. What others can only read is closed to them.
fn ours_alone(path: &Path, found: &Metadata, folder: bool) -> Result<(), StateError> {
    let path = path.to_owned();
    let own = rustix::process::geteuid().as_raw();
    let mode = found.mode() & 0o777;
    if (folder && !found.is_dir()) || (!folder && !found.is_file()) {
        return Err(StateError::WrongKind { path, expected: if folder { "a folder" } else { "a regular file" } });
    }
    if found.uid() != own {
        return Err(StateError::Foreign { path, owner: found.uid(), own });
    }
    if mode & 0o022 != 0 {
        return Err(StateError::Writable { path, mode });
    }
    if mode & 0o077 != 0 {
        // `--state-dir /etc` would lock everybody out of it.
        if folder && let Some(foreign) = holds_foreign(&path).map_err(|why| unusable(&path, why))? {
            return Err(StateError::Shared { path, foreign });
        }
        let closed = Permissions::from_mode(if folder { 0o700 } else { 0o600 });
        fs::set_permissions(&path, closed).map_err(|why| unusable(&path, why))?;
    }
    Ok(())
}

/// What lies in a folder and is none of the files that mdm-health keeps.
fn holds_foreign(folder: &Path) -> io::Result<Option<String>> {
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if !OURS.iter().any(|start| name.starts_with(start)) {
            return Ok(Some(name.chars().take(64).collect()));
        }
    }
    Ok(None)
}

fn is_missing(why: &io::Error) -> bool {
    matches!(why.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

fn unusable(path: &Path, why: io::Error) -> StateError {
    StateError::Unusable { path: path.to_owned(), why }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o777
    }

    #[test]
    fn a_new_folder_and_its_file_are_their_owners_alone() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("a/b");
        let folder = StateFolder::make(&path).unwrap();
        let file = folder.make_file("journal.db").unwrap();
        assert_eq!(folder.make_file("journal.db").unwrap(), file);
        assert_eq!((mode(&path), mode(&file)), (0o700, 0o600));
    }

    #[test]
    fn what_was_ours_but_open_for_reading_is_closed() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("journal.db");
        fs::write(&file, "").unwrap();
        fs::set_permissions(place.path(), Permissions::from_mode(0o755)).unwrap();
        fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
        StateFolder::make(place.path()).unwrap().make_file("journal.db").unwrap();
        assert_eq!((mode(place.path()), mode(&file)), (0o700, 0o600));
    }

    #[test]
    fn a_folder_of_other_things_is_neither_closed_nor_used() {
        let place = tempfile::tempdir().unwrap();
        fs::write(place.path().join("passwd"), "").unwrap();
        fs::set_permissions(place.path(), Permissions::from_mode(0o755)).unwrap();
        let refusal = StateFolder::make(place.path()).unwrap_err().to_string();
        assert!(refusal.contains("such as passwd: pass a folder of its own"), "{refusal}");
        assert_eq!(mode(place.path()), 0o755);
    }

    #[test]
    fn a_link_is_not_followed() {
        let place = tempfile::tempdir().unwrap();
        let (real, link) = (place.path().join("real"), place.path().join("link"));
        fs::create_dir(&real).unwrap();
        symlink(&real, &link).unwrap();
        assert!(matches!(StateFolder::make(&link), Err(StateError::WrongKind { .. })));
        symlink(place.path().join("elsewhere"), real.join("journal.db")).unwrap();
        let folder = StateFolder::make(&real).unwrap();
        assert!(matches!(folder.make_file("journal.db"), Err(StateError::WrongKind { .. })));
        assert!(!place.path().join("elsewhere").exists());
    }

    #[test]
    fn what_others_may_write_is_refused() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("open");
        fs::create_dir(&folder).unwrap();
        fs::set_permissions(&folder, Permissions::from_mode(0o777)).unwrap();
        assert!(matches!(StateFolder::make(&folder), Err(StateError::Writable { .. })));
    }
}
