//! Where a finished capture or report is put. Under `sudo` that folder belongs to a user, who can rename and replace
//! anything in it at any moment. So the folder is opened once, everything happens relative to it, no link in it is
//! followed, and only what we made ourselves is given to the user.

use super::recording::making;
use super::root_folder::who_else_can_change;
use rustix::fs::{AtFlags, Dir, FileType, Gid, Mode, OFlags, RawMode, Stat, Uid};
use rustix::io::Errno;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File, Permissions};
use std::hash::{BuildHasher, RandomState};
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path};
use std::{env, path};
use tempfile::TempDir;

const FILE: Mode = Mode::from_raw_mode(0o600);
const FOLDER: Mode = Mode::from_raw_mode(0o700);
const NEW_FILE: OFlags = OFlags::WRONLY.union(OFlags::CREATE).union(OFlags::EXCL).union(NO_LINK);
const OPEN_FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);
const NO_LINK: OFlags = OFlags::NOFOLLOW.union(OFlags::CLOEXEC);

/// A name in a folder that is held open.
pub struct Destination {
    folder: OwnedFd,
    name: OsString,
    /// The user who is to own what is put there.
    owner: Option<(Uid, Gid)>,
}

impl Destination {
    /// Opens the folder of that path. With `give`, the user who called sudo becomes the owner of what is put there, if
    /// that user may create files there. Otherwise root would give the user files in folders where the user may not
    /// create any.
    pub fn open(path: &Path, give: bool) -> io::Result<Self> {
        let name = path.file_name().ok_or_else(|| io::Error::new(ErrorKind::InvalidInput, "it has no file name"))?;
        let Some((user, group)) = sudo_user() else {
            let folder = rustix::fs::open(parent(path), OPEN_FOLDER, Mode::empty())?;
            return Ok(Self { folder, name: name.to_owned(), owner: None });
        };
        let (folder, led) = walk(parent(path))?;
        let may_write = may_write(&rustix::fs::fstat(&folder)?, user, group);
        match led {
            Some(link) if !may_write => Err(io::Error::other(format!(
                "{} is a symbolic link that belongs to somebody else, and leads where the user who called sudo may not write. Pass the path without that link",
                link.to_string_lossy()
            ))),
            _ => Ok(Self { folder, name: name.to_owned(), owner: (give && may_write).then_some((user, group)) }),
        }
    }

    /// A name in the folder of this name, which is made if it is not there. A link in its place is not followed.
    pub fn within(&self, name: &str) -> io::Result<Self> {
        let _making = making();
        let folder = match make_folder(&self.folder, &self.name) {
            Ok(made) => {
                self.give(&made);
                made
            }
            Err(why) if why.kind() == ErrorKind::AlreadyExists => {
                rustix::fs::openat(&self.folder, &self.name, OPEN_FOLDER.union(NO_LINK), Mode::empty())?
            }
            Err(why) => return Err(why),
        };
        Ok(Self { folder, name: name.into(), owner: self.owner })
    }

    /// What lies there now.
    pub fn kind(&self) -> io::Result<Option<FileType>> {
        match rustix::fs::statat(&self.folder, &self.name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(found) => Ok(Some(FileType::from_raw_mode(found.st_mode))),
            Err(Errno::NOENT) => Ok(None),
            Err(why) => Err(why.into()),
        }
    }

    /// Puts a file there, complete or not at all. `ErrorKind::AlreadyExists` says that something lies there already.
    pub fn put_file(&self, replace: bool, write: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
        let _making = making();
        let fresh = fresh_name();
        let mut file = File::from(rustix::fs::openat(&self.folder, &fresh, NEW_FILE, FILE)?);
        let put = write(&mut file).and_then(|()| self.finish_file(&file)).and_then(|()| {
            if !replace {
                drop(rustix::fs::openat(&self.folder, &self.name, NEW_FILE, FILE)?);
            }
            self.rename(&fresh, &file).inspect_err(|_| {
                if !replace {
                    self.remove(&self.name, AtFlags::empty());
                }
            })
        });
        put.inspect_err(|_| self.remove(&fresh, AtFlags::empty()))
    }

    /// Puts a copy of a folder there, complete or not at all. Nobody else may be able to change the folder that is copied.
    pub fn put_folder(&self, from: &Path) -> io::Result<()> {
        let _making = making();
        let fresh = fresh_name();
        let folder = make_folder(&self.folder, &fresh)?;
        let put = self.copy(from, &folder).and_then(|()| {
            self.give(&folder);
            // An empty folder makes way for another one; nothing else does.
            rustix::fs::mkdirat(&self.folder, &self.name, FOLDER)?;
            self.rename(&fresh, &folder).inspect_err(|_| self.remove(&self.name, AtFlags::REMOVEDIR))
        });
        put.inspect_err(|_| {
            let _ = clear(&folder);
            self.remove(&fresh, AtFlags::REMOVEDIR);
        })
    }

    fn copy(&self, from: &Path, into: &OwnedFd) -> io::Result<()> {
        for entry in fs::read_dir(from)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                let folder = make_folder(into, &entry.file_name())?;
                self.copy(&entry.path(), &folder)?;
                self.give(&folder);
            } else {
                let mut file = File::from(rustix::fs::openat(into, entry.file_name(), NEW_FILE, FILE)?);
                io::copy(&mut File::open(entry.path())?, &mut file)?;
                self.finish_file(&file)?;
            }
        }
        Ok(())
    }

    fn finish_file(&self, file: &File) -> io::Result<()> {
        rustix::fs::fsync(file)?;
        self.give(file);
        Ok(())
    }

    /// By its descriptor, so that nothing is given away that was swapped for it. A disk that knows no owners may refuse.
    fn give(&self, made: impl AsFd) {
        if let Some((user, group)) = self.owner {
            let _ = rustix::fs::fchown(made, Some(user), Some(group));
        }
    }

    fn remove(&self, name: &OsString, flags: AtFlags) {
        let _ = rustix::fs::unlinkat(&self.folder, name, flags);
    }

    fn rename(&self, fresh: &OsString, made: impl AsFd) -> io::Result<()> {
        rustix::fs::renameat(&self.folder, fresh, &self.folder, &self.name)?;
        let placed = rustix::fs::statat(&self.folder, &self.name, AtFlags::SYMLINK_NOFOLLOW)?;
        let made = rustix::fs::fstat(made)?;
        if (placed.st_dev, placed.st_ino) == (made.st_dev, made.st_ino) {
            Ok(())
        } else {
            Err(io::Error::other("somebody replaced it while it was written"))
        }
    }
}

/// A new folder that only we can enter, in which work goes on until it is finished: beside the destination if nobody else
/// can change that folder, else among the system's temporary files. It is removed with the value.
pub fn work_folder(beside: &Path) -> io::Result<TempDir> {
    let mut trouble = None;
    for folder in [parent(beside).to_owned(), env::temp_dir(), "/tmp".into()] {
        let folder = path::absolute(folder).and_then(fs::canonicalize)?;
        match who_else_can_change(&folder)? {
            None => {
                let mut builder = tempfile::Builder::new();
                return builder.prefix(PREFIX).permissions(Permissions::from_mode(0o700)).tempdir_in(folder);
            }
            Some((path, why)) => trouble = Some(format!("{} {why}", path.display())),
        }
    }
    Err(io::Error::other(format!(
        "there is no folder to work in that nobody else can change: {}",
        trouble.unwrap_or_default()
    )))
}

/// How many links a path may go through, as on macOS.
const MAX_LINKS: u32 = 32;

const PREFIX: &str = ".mdm-health-";

fn fresh_name() -> OsString {
    format!("{PREFIX}{:016x}", RandomState::new().hash_one(0)).into()
}

fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Opens a folder step by step, so that nobody can swap a part of the path unnoticed. Also returns the link on the way,
/// if any, that belongs to neither root nor us: its owner chose where it leads.
fn walk(path: &Path) -> io::Result<(OwnedFd, Option<OsString>)> {
    let own = rustix::process::geteuid().as_raw();
    let start = if path.is_absolute() { "/" } else { "." };
    let mut at = rustix::fs::open(start, OPEN_FOLDER, Mode::empty())?;
    let mut waiting: Vec<OsString> = steps(path);
    let (mut led, mut links) = (None, 0);
    while let Some(step) = waiting.pop() {
        let found = rustix::fs::statat(&at, &step, AtFlags::SYMLINK_NOFOLLOW)?;
        if FileType::from_raw_mode(found.st_mode) != FileType::Symlink {
            at = rustix::fs::openat(&at, &step, OPEN_FOLDER.union(NO_LINK), Mode::empty())?;
            continue;
        }
        links += 1;
        if links > MAX_LINKS {
            return Err(Errno::LOOP.into());
        }
        if ![0, own].contains(&found.st_uid) {
            led = Some(step.clone());
        }
        let target = rustix::fs::readlinkat(&at, &step, Vec::new())?;
        let target = Path::new(OsStr::from_bytes(target.as_bytes()));
        if target.is_absolute() {
            at = rustix::fs::open("/", OPEN_FOLDER, Mode::empty())?;
        }
        waiting.extend(steps(target));
    }
    Ok((at, led))
}

/// The names in a path below its root, the last one first.
fn steps(path: &Path) -> Vec<OsString> {
    let names = path.components().rev().filter(|part| !matches!(part, Component::RootDir | Component::CurDir));
    names.map(|part| part.as_os_str().to_owned()).collect()
}

/// Makes a folder and opens it, unless somebody put another one in its place meanwhile.
fn make_folder(within: &OwnedFd, name: &OsString) -> io::Result<OwnedFd> {
    rustix::fs::mkdirat(within, name, FOLDER)?;
    let folder = rustix::fs::openat(within, name, OPEN_FOLDER.union(NO_LINK), Mode::empty())?;
    let found = rustix::fs::fstat(&folder)?;
    let is_ours = found.st_uid == rustix::process::geteuid().as_raw() && found.st_mode & 0o077 == 0;
    if is_ours && names(&folder)?.is_empty() {
        Ok(folder)
    } else {
        Err(io::Error::other("somebody replaced its folder while it was written"))
    }
}

/// Removes everything in a folder.
fn clear(folder: &OwnedFd) -> io::Result<()> {
    for name in names(folder)? {
        if rustix::fs::unlinkat(folder, &name, AtFlags::empty()).is_err() {
            clear(&rustix::fs::openat(folder, &name, OPEN_FOLDER.union(NO_LINK), Mode::empty())?)?;
            rustix::fs::unlinkat(folder, &name, AtFlags::REMOVEDIR)?;
        }
    }
    Ok(())
}

fn names(folder: &OwnedFd) -> io::Result<Vec<std::ffi::CString>> {
    let mut names = Vec::new();
    for entry in Dir::read_from(folder)? {
        let name = entry?.file_name().to_owned();
        if ![c".", c".."].contains(&name.as_c_str()) {
            names.push(name);
        }
    }
    Ok(names)
}

/// The user who called sudo, if we are root through it.
fn sudo_user() -> Option<(Uid, Gid)> {
    if !rustix::process::geteuid().is_root() {
        return None;
    }
    let id = |name| env::var(name).ok()?.parse::<u32>().ok().filter(|id| *id != u32::MAX);
    let user = id("SUDO_UID").filter(|user| *user != 0)?;
    Some((Uid::from_raw(user), Gid::from_raw(id("SUDO_GID")?)))
}

/// Whether that user may make files in a folder, as far as its mode says.
fn may_write(folder: &Stat, user: Uid, group: Gid) -> bool {
    let needed: RawMode = if folder.st_uid == user.as_raw() {
        0o300
    } else if folder.st_gid == group.as_raw() {
        0o030
    } else {
        0o003
    };
    folder.st_mode & needed == needed
}
