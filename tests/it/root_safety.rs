//! The files that the program creates when it runs as root: private ones of its own, and none through a link.

use crate::support;
use crate::support::ENROLLED;
use crate::support::extension::Extension;
use crate::support::fake_mac::FakeMac;
use crate::support::heal_mac::{self, HealMac};
use crate::support::manager::{Manager, map, until};
use mdm_health::tables;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

const QUERY: &str = "SELECT source, state, reason FROM mdm_health_status WHERE source = 'journal'";

fn mac() -> FakeMac {
    let mac = FakeMac::new();
    let at = chrono::Utc::now().format("%Y-%m-%d %H:%M:%S");
    mac.command("/usr/bin/profiles", ENROLLED)
        .command("/usr/sbin/sysctl", "{ sec = 1763300000, usec = 0 } then\n{ sec = 0, usec = 0 } then\n")
        .log(&support::ndjson(&format!("{at} <<<<< Received HTTP response (200) [Idle] <<<<<")));
    mac
}

/// The arguments of a shell that runs the program with umask 000, in a folder that is also the one for temporary files.
fn carelessly<'a>(elsewhere: &'a Path, arguments: &[&'a str]) -> Vec<&'a str> {
    let script = "umask 000; cd \"$1\"; export TMPDIR=\"$1\"; shift; exec \"$@\"";
    let program = env!("CARGO_BIN_EXE_mdm-health");
    [&["-c", script, "sh", elsewhere.to_str().unwrap(), program][..], arguments].concat()
}

#[allow(clippy::disallowed_methods, reason = "the tests start the program itself")]
fn run(elsewhere: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new("/bin/sh");
    command.args(carelessly(elsewhere, arguments)).env_remove("MDM_HEALTH_SOURCE");
    command.output().unwrap()
}

fn query(mac: &FakeMac, state_dir: &Path, elsewhere: &Path) -> Output {
    let (root, state_dir) = (mac.root().to_str().unwrap(), state_dir.to_str().unwrap());
    run(elsewhere, &["query", QUERY, "--csv", "--source", "live", "--root", root, "--state-dir", state_dir])
}

fn journal_row(output: &Output) -> String {
    let printed = String::from_utf8(output.stdout.clone()).unwrap();
    printed.lines().nth(1).unwrap_or_else(|| panic!("{output:?}")).to_owned()
}

/// Everything below a folder, with its mode.
fn modes(folder: &Path) -> BTreeMap<PathBuf, u32> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let (path, kind) = (entry.path(), entry.metadata().unwrap());
        found.insert(path.clone(), kind.mode() & 0o7777);
        if kind.is_dir() {
            found.extend(modes(&path));
        }
    }
    found
}

/// A folder for the state and one that must stay empty.
fn places() -> (TempDir, TempDir) {
    (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap())
}

#[test]
fn every_file_it_creates_is_private_and_in_the_state_folder() {
    let (mac, (place, elsewhere)) = (mac(), places());
    let before = modes(mac.root());
    let output = query(&mac, &place.path().join("above/state"), elsewhere.path());
    assert_eq!(journal_row(&output), "journal,ok,");
    let made = modes(place.path());
    assert!(made.keys().any(|path| path.ends_with("journal.db")), "{made:?}");
    for (path, mode) in &made {
        assert_eq!(*mode, if path.is_dir() { 0o700 } else { 0o600 }, "{}", path.display());
        assert_eq!(fs::metadata(path).unwrap().uid(), rustix::process::geteuid().as_raw());
    }
    assert_eq!(modes(elsewhere.path()), BTreeMap::new());
    // Without the files in which the fake commands record their calls.
    let mut after = modes(mac.root());
    after.retain(|path, _| path.extension().is_none_or(|ending| ending != "calls"));
    assert_eq!(after, before);
}

#[test]
fn the_extension_creates_nothing_that_others_can_access() {
    let (mac, (place, elsewhere)) = (mac(), places());
    let (manager, state) = (Manager::start(place.path()), place.path().join("state"));
    let (socket, root, state) =
        (manager.socket.to_str().unwrap(), mac.root().to_str().unwrap(), state.to_str().unwrap());
    let arguments = ["--socket", socket, "--source", "live", "--root", root, "--state-dir", state];
    let _extension = Extension::run_as("/bin/sh", &carelessly(elsewhere.path(), &arguments));
    let peer = manager.extension();
    until("the journal is there", || peer.generate("mdm_watchdog", "{}").rows[0]["state"] == "ok");
    // A request, so that there is a record.
    let values = format!("[\"heal\"{}]", ",null".repeat(tables::MDM_HEAL.columns.len() - 1));
    peer.call("mdm_heal", &map(&[("action", "insert"), ("json_value_array", &values)])).unwrap();
    let mut made = modes(place.path());
    made.remove(&manager.socket);
    for name in ["journal.db", "heal.db", "osquery.em.4242", "m.1"] {
        assert!(made.keys().any(|path| path.ends_with(name)), "{name}: {made:?}");
    }
    assert!(made.values().all(|mode| mode & 0o077 == 0), "{made:?}");
    assert_eq!(modes(elsewhere.path()), BTreeMap::new());
}

#[test]
fn a_journal_that_others_can_read_is_made_private_while_in_use() {
    let (mac, (place, elsewhere)) = (mac(), places());
    query(&mac, place.path(), elsewhere.path());
    let journal = place.path().join("journal.db");
    // Another connection keeps the journal's WAL files in place.
    let other = rusqlite::Connection::open(&journal).unwrap();
    other.query_row("SELECT COUNT(*) FROM events", [], |row| row.get::<_, i64>(0)).unwrap();
    query(&mac, place.path(), elsewhere.path());
    let made = modes(place.path());
    assert!(made.len() > 1, "there are no companions: {made:?}");
    assert!(made.values().all(|mode| *mode == 0o600), "{made:?}");
}

#[test]
fn no_link_in_or_at_the_state_folder_is_followed() {
    for name in ["", "journal.db", "journal.db-wal", "journal.db-shm", "journal.db-journal"] {
        for target in ["aim", "missing"] {
            let (mac, (place, elsewhere)) = (mac(), places());
            let aim = elsewhere.path().join(target);
            let state = place.path().join("state");
            if name.is_empty() {
                if target == "aim" {
                    fs::create_dir(&aim).unwrap();
                }
                symlink(&aim, &state).unwrap();
            } else {
                if target == "aim" {
                    fs::write(&aim, "somebody's").unwrap();
                }
                fs::create_dir(&state).unwrap();
                symlink(&aim, state.join(name)).unwrap();
            }
            let before = modes(elsewhere.path());
            let output = query(&mac, &state, elsewhere.path());
            assert_eq!(output.status.code(), Some(0), "{output:?}");
            assert_eq!(modes(elsewhere.path()), before, "{name} to {target}: {}", journal_row(&output));
            if target == "aim" && !name.is_empty() {
                assert_eq!(fs::read_to_string(&aim).unwrap(), "somebody's", "{name}");
            }
            if name.is_empty() || name == "journal.db" {
                assert_eq!(journal_row(&output), "journal,error,memory_only", "{name} to {target}");
            }
        }
    }
}

#[test]
fn no_link_in_place_of_the_record_of_restarts_is_followed_and_nothing_is_restarted() {
    for name in ["heal.db", "heal.db.new", "heal.lock", "heal.db-wal", "heal.db-shm", "heal.db-journal"] {
        for target in ["aim", "missing"] {
            let (mac, elsewhere) = (HealMac::stuck(), tempfile::tempdir().unwrap());
            let aim = elsewhere.path().join(target);
            if target == "aim" {
                fs::write(&aim, "somebody's").unwrap();
            }
            let root = mac.root().to_str().unwrap();
            fs::create_dir_all(mac.state_dir()).unwrap();
            symlink(&aim, mac.state_dir().join(name)).unwrap();
            let before = modes(elsewhere.path());
            let output = run(elsewhere.path(), &["heal", "--source", "live", "--root", root, "--now", heal_mac::NOW]);
            assert_eq!(modes(elsewhere.path()), before, "{name} to {target}: {output:?}");
            assert!(target == "missing" || fs::read_to_string(&aim).unwrap() == "somebody's", "{name}");
            let stands_in_the_way = ["heal.db", "heal.lock"].contains(&name);
            assert!(!stands_in_the_way || mac.acts().is_empty(), "{name} to {target}: {output:?}");
        }
    }
}
