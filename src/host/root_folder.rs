//! The folder given with `--root`. mdm-health runs the programs below it with the caller's rights, so nobody else may own
//! or change anything in it, nor put another folder in its place.

use super::HostError;
use std::collections::HashSet;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Where a Mac keeps what mdm-health knows.
pub const STATE_DIR: &str = "/Library/Application Support/mdm-health";

/// A made-up Mac holds a few dozen files. `--root` is not meant for a whole disk.
const MAX_ENTRIES: usize = 100_000;

const STICKY: u32 = 0o1000;

/// No program lies below it, and the policies and the record of restarts are checked where they are read.
const NOT_RUN: &str = "Library";

/// Where a path of the Mac lies below that folder.
pub fn below(root: &Path, absolute: &str) -> PathBuf {
    root.join(absolute.trim_start_matches('/'))
}

/// Whether this is the root folder of this machine, under whatever name: a bind mount of `/` is one.
pub fn is_real(root: &Path) -> bool {
    let identity = |path: &Path| fs::metadata(path).map(|found| (found.dev(), found.ino())).ok();
    identity(root).is_none_or(|root| Some(root) == identity(Path::new("/")))
}

/// The folder without symbolic links: `/`, or one that is the caller's alone.
pub fn check(root: &Path) -> Result<PathBuf, HostError> {
    if is_real(root) && root.exists() {
        return Ok(PathBuf::from("/"));
    }
    let unreadable = |path: &Path| {
        let path = path.to_owned();
        move |why: io::Error| HostError::Unreadable { path, why }
    };
    let own = rustix::process::geteuid().as_raw();
    let root = fs::canonicalize(root).map_err(unreadable(root))?;
    let refused = |path: &Path, why: String| HostError::ForeignRoot { root: root.clone(), path: path.to_owned(), why };
    let above = root.parent().unwrap_or(&root);
    if let Some((path, why)) = who_else_can_change(above).map_err(unreadable(above))? {
        return Err(refused(&path, why));
    }
    let mut waiting = vec![(root.clone(), false)];
    let (mut seen, mut linked) = (0, HashSet::new());
    while let Some((path, hidden)) = waiting.pop() {
        seen += 1;
        if seen > MAX_ENTRIES {
            return Err(refused(&root, format!("holds more than {MAX_ENTRIES} files")));
        }
        let found = match fs::symlink_metadata(&path) {
            Ok(found) => found,
            // Gone since its folder was listed, such as a file beside a database.
            Err(why) if why.kind() == io::ErrorKind::NotFound && path != root => continue,
            Err(why) => return Err(unreadable(&path)(why)),
        };
        if found.uid() != own {
            return Err(refused(&path, belongs_to(&found)));
        }
        if found.is_symlink() {
            // The link's owner decided where it leads, but its target may belong to somebody else.
            if own == 0
                && let Ok(target) = fs::canonicalize(&path)
            {
                check_linked(&root, &target, &mut linked)?;
            }
            continue;
        }
        if found.mode() & 0o022 != 0 && !hidden {
            return Err(refused(&path, writable(&found)));
        }
        if found.is_dir() {
            // What lies in a folder that others cannot enter is out of their reach, whatever its mode.
            let hidden = hidden || found.mode() & 0o011 == 0;
            for entry in fs::read_dir(&path).map_err(unreadable(&path))? {
                let entry = entry.map_err(unreadable(&path))?.path();
                if entry != root.join(NOT_RUN) {
                    waiting.push((entry, hidden));
                }
            }
        }
    }
    Ok(root)
}

/// Checks what a link of root's leads to, outside the folder itself: root's own programs, and nobody else's.
fn check_linked(root: &Path, target: &Path, linked: &mut HashSet<PathBuf>) -> Result<(), HostError> {
    let refused =
        |path: &Path, why: String| HostError::ForeignRoot { root: root.to_owned(), path: path.to_owned(), why };
    let mut waiting = vec![target.to_owned()];
    while let Some(path) = waiting.pop() {
        if path.starts_with(root) || !linked.insert(path.clone()) {
            continue;
        }
        if linked.len() > MAX_ENTRIES {
            return Err(refused(root, format!("leads to more than {MAX_ENTRIES} files")));
        }
        let unreadable = |why: io::Error| HostError::Unreadable { path: path.clone(), why };
        if let Some((path, why)) = who_else_can_change(path.parent().unwrap_or(&path)).map_err(unreadable)? {
            return Err(refused(&path, why));
        }
        let found = fs::symlink_metadata(&path).map_err(unreadable)?;
        if found.uid() != 0 {
            return Err(refused(&path, belongs_to(&found)));
        }
        if found.is_symlink() {
            waiting.extend(fs::canonicalize(&path));
        } else if found.mode() & 0o022 != 0 {
            return Err(refused(&path, writable(&found)));
        } else if found.is_dir() {
            for entry in fs::read_dir(&path).map_err(unreadable)? {
                waiting.push(entry.map_err(unreadable)?.path());
            }
        }
    }
    Ok(())
}

/// Who else than root and we ourselves can rename or replace what lies in a folder: the folder, or one above it, and why.
/// The path is absolute and without links.
pub fn who_else_can_change(folder: &Path) -> io::Result<Option<(PathBuf, String)>> {
    let own = rustix::process::geteuid().as_raw();
    for folder in folder.ancestors() {
        let found = fs::symlink_metadata(folder)?;
        if ![0, own].contains(&found.uid()) {
            return Ok(Some((folder.to_owned(), belongs_to(&found))));
        }
        // In a sticky folder such as /tmp others cannot rename what is ours.
        if found.mode() & 0o022 != 0 && found.mode() & STICKY == 0 {
            return Ok(Some((folder.to_owned(), writable(&found))));
        }
    }
    Ok(None)
}

fn belongs_to(found: &Metadata) -> String {
    format!("belongs to uid {}", found.uid())
}

fn writable(found: &Metadata) -> String {
    format!("is writable by others (mode {:04o})", found.mode() & 0o7777)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::Permissions;
    use std::os::unix::fs::{PermissionsExt, chown, lchown, symlink};
    use tempfile::TempDir;

    const PROGRAM: &str = "usr/bin/profiles";

    /// A folder that looks like a Mac, open for reading to everyone.
    fn mac() -> TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("usr/bin")).unwrap();
        fs::write(folder.path().join(PROGRAM), "#!/bin/sh\n").unwrap();
        symlink("/bin/sh", folder.path().join("usr/bin/log")).unwrap();
        for (path, mode) in [("", 0o755), ("usr", 0o755), ("usr/bin", 0o755), (PROGRAM, 0o755)] {
            set_mode(&folder.path().join(path), mode);
        }
        folder
    }

    fn set_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    fn is_root() -> bool {
        rustix::process::geteuid().is_root()
    }

    #[track_caller]
    fn refused(root: &Path, words: &str) {
        let refusal = check(root).expect_err(words).to_string();
        assert!(refusal.contains(words), "{refusal}");
    }

    #[test]
    fn a_folder_of_the_callers_own_is_taken_without_links() {
        let (mac, other) = (mac(), tempfile::tempdir().unwrap());
        let link = other.path().join("link");
        symlink(mac.path(), &link).unwrap();
        assert_eq!(check(&link).unwrap(), fs::canonicalize(mac.path()).unwrap());
    }

    #[test]
    fn the_real_root_is_recognized_by_device_and_inode() {
        let other = tempfile::tempdir().unwrap();
        symlink("/", other.path().join("link")).unwrap();
        for root in [Path::new("/"), Path::new("//"), Path::new("/usr/.."), &other.path().join("link")] {
            assert_eq!((is_real(root), check(root).unwrap()), (true, PathBuf::from("/")), "{root:?}");
        }
        assert!(!is_real(other.path()));
    }

    #[test]
    fn nothing_in_it_may_be_writable_by_others_unless_they_cannot_reach_it() {
        for path in ["", "usr", "usr/bin", PROGRAM] {
            let mac = mac();
            let root = fs::canonicalize(mac.path()).unwrap();
            set_mode(&root.join(path), 0o775);
            refused(&root, "is writable by others (mode 0775)");
            if !path.is_empty() {
                set_mode(&root, 0o700);
                check(&root).unwrap();
            }
        }
    }

    #[test]
    fn nothing_in_it_may_belong_to_somebody_else() {
        if !is_root() {
            return;
        }
        for path in ["", "usr", "usr/bin", PROGRAM, "usr/bin/log"] {
            let mac = mac();
            let root = fs::canonicalize(mac.path()).unwrap();
            set_mode(&root, 0o700);
            lchown(root.join(path), Some(1234), None).unwrap();
            refused(&root, "belongs to uid 1234");
        }
    }

    /// A root of root's own, whose folder of programs is a link to somebody else's.
    #[test]
    fn nothing_that_a_link_in_it_leads_to_may_belong_to_somebody_else() {
        if !is_root() {
            return;
        }
        let (mac, other) = (mac(), tempfile::tempdir().unwrap());
        set_mode(other.path(), 0o755);
        let programs = other.path().join("bin");
        fs::create_dir(&programs).unwrap();
        fs::write(programs.join("profiles"), "#!/bin/sh\n").unwrap();
        for path in [&programs, &programs.join("profiles")] {
            set_mode(path, 0o755);
        }
        fs::remove_dir_all(mac.path().join("usr/bin")).unwrap();
        symlink(&programs, mac.path().join("usr/bin")).unwrap();
        check(mac.path()).unwrap();
        for theirs in ["", "bin", "bin/profiles"] {
            lchown(other.path().join(theirs), Some(1234), None).unwrap();
            refused(mac.path(), "belongs to uid 1234");
            lchown(other.path().join(theirs), Some(0), None).unwrap();
        }
        set_mode(&programs.join("profiles"), 0o777);
        refused(mac.path(), "is writable by others (mode 0777)");
    }

    #[test]
    fn nobody_else_may_put_another_folder_in_its_place() {
        let mac = mac();
        let above = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(above.path()).unwrap().join("root");
        fs::rename(mac.path(), &root).unwrap();
        set_mode(above.path(), 0o777);
        refused(&root, "is writable by others (mode 0777)");
        set_mode(above.path(), 0o1777);
        check(&root).unwrap();
        if is_root() {
            set_mode(above.path(), 0o755);
            chown(above.path(), Some(1234), None).unwrap();
            refused(&root, "belongs to uid 1234");
        }
    }
}
