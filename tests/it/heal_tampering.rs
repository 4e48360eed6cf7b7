//! Whatever happens to the files of the record after a restart, no second one follows. That root removes the record and
//! its lock is the only way to begin anew (`heal_record.rs`).
#![allow(clippy::disallowed_methods, reason = "a FIFO is made by mkfifo, which every system has")]

use crate::support::heal_mac::HealMac;
use crate::support::random::Random;
use crate::support::tries;
use mdm_health::heal::Request;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::Path;
use std::process::Command;

/// A user who is not the one that runs the tests.
const OTHER: u32 = 12_345;

/// Tampers with a file or folder; says whether it could.
type Tamper = fn(&Path) -> bool;

const TAMPER: [(&str, Tamper); 14] = [
    ("replaced by a folder", |path| remove(path) && fs::create_dir(path).is_ok()),
    ("replaced by an empty file", |path| remove(path) && File::create(path).is_ok()),
    ("replaced by text", |path| remove(path) && fs::write(path, "anything, ".repeat(2_000)).is_ok()),
    ("replaced by a FIFO", |path| remove(path) && fifo(path)),
    ("replaced by a link to /dev/null", |path| remove(path) && symlink("/dev/null", path).is_ok()),
    ("replaced by a link to nothing", |path| remove(path) && symlink("nowhere", path).is_ok()),
    ("moved, with a link in its place", |path| {
        let moved = path.with_extension("moved");
        fs::rename(path, &moved).is_ok() && symlink(&moved, path).is_ok()
    }),
    ("with a second name", |path| path.is_file() && fs::hard_link(path, path.with_extension("second")).is_ok()),
    ("writable by everybody", |path| mode(path, 0o777)),
    ("writable by its group", |path| mode(path, 0o770)),
    ("readable by nobody", |path| mode(path, 0o000)),
    ("of another user", |path| path.exists() && chown(path, Some(OTHER), None).is_ok()),
    ("a byte longer", |path| {
        OpenOptions::new().append(true).open(path).is_ok_and(|mut file| file.write_all(b"x").is_ok())
    }),
    ("cut off", |path| {
        path.is_file() && OpenOptions::new().write(true).open(path).is_ok_and(|file| file.set_len(700).is_ok())
    }),
];

fn remove(path: &Path) -> bool {
    if path.is_dir() { fs::remove_dir_all(path).is_ok() } else { !path.exists() || fs::remove_file(path).is_ok() }
}

fn fifo(path: &Path) -> bool {
    Command::new("mkfifo").arg(path).status().is_ok_and(|status| status.success())
}

fn mode(path: &Path, mode: u32) -> bool {
    path.exists() && fs::set_permissions(path, Permissions::from_mode(mode)).is_ok()
}

#[test]
fn no_way_to_tamper_with_a_file_of_the_record_leads_to_a_second_restart() {
    let mut ways = 0;
    for name in ["heal.db", "heal.lock", "heal.db-journal", "heal.db-wal", "heal.db.new", ""] {
        for (how, tamper) in TAMPER {
            let (mac, healer) = HealMac::restarted();
            let path = mac.state_dir().join(name);
            let path = Path::new(path.to_str().expect("a path").trim_end_matches('/'));
            // A folder that is gone with all that was in it is root's way to begin anew.
            if (name.is_empty() && how == "replaced by a folder") || !tamper(path) {
                continue;
            }
            ways += 1;
            for _ in 0..2 {
                let again = healer.request(&Request::new("restart_mdmclient", None));
                assert!(again.is_err(), "{} {how}: {again:?}", path.display());
            }
            assert_eq!(mac.acts().len(), 1, "{} {how}", path.display());
        }
    }
    assert!(ways >= 44, "only {ways} ways were tried");
}

/// A disk that loses what was on it: sectors or pages of the record are zeros, or its end is missing.
#[test]
fn no_loss_of_a_part_of_the_record_leads_to_a_second_restart() {
    const PAGE: usize = 4096;
    let mut random = Random(44);
    for number in 0..tries(20, 300) {
        let (mac, healer) = HealMac::restarted();
        let path = mac.state_dir().join("heal.db");
        let mut bytes = fs::read(&path).expect("a record");
        let at = random.below(bytes.len());
        if random.chance(30) {
            bytes.truncate(at);
        } else {
            let size = random.of(&[512, PAGE, 2 * PAGE]);
            let from = at / size * size;
            let to = (from + size).min(bytes.len());
            bytes[from..to].fill(0);
        }
        fs::write(&path, bytes).expect("written");
        let again = healer.request(&Request::new("restart_mdmclient", None));
        assert!(again.is_err(), "{number}: {again:?}");
        assert_eq!(mac.acts().len(), 1, "{number}");
    }
}
