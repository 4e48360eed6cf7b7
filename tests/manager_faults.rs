//! osquery's manager fails in every way that was seen: each time the tables are back within ten seconds, or the process
//! is gone with a code, so that osquery's watcher starts a new one. It never lives on without its tables.
//!
//! A few rounds each; `MDM_HEALTH_TEST_ROUNDS=100` makes it thorough, and its stops as long as 30 s.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests fail loudly")]

#[path = "support/extension.rs"]
mod extension;
#[path = "support/manager.rs"]
mod manager;
mod support;

use extension::Extension;
use manager::{Manager, Peer, map, until};
use std::env;
use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use support::three_commands;
use tempfile::TempDir;

/// How soon after a fault the tables are back or the process is gone.
const BACK: Duration = Duration::from_secs(10);

/// How many rounds run side by side.
const AT_ONCE: usize = 10;

/// A manager and its extension.
struct Scene {
    folder: TempDir,
    capture: TempDir,
    manager: Manager,
    extension: Extension,
}

impl Scene {
    fn running() -> Self {
        let (folder, capture) = (tempfile::tempdir().unwrap(), three_commands());
        let manager = Manager::start(folder.path());
        let extension = Extension::on(&manager, capture.path());
        manager.extension();
        Self { folder, capture, manager, extension }
    }

    /// Whether osquery lists an extension and gets rows from it.
    fn tables_answer(&self) -> bool {
        let peer = Peer(self.manager.extension_socket());
        let rows = || peer.call("mdm_watchdog", &map(&[("action", "generate")]));
        !self.manager.state().listed.is_empty() && rows().is_ok_and(|answer| answer.rows.len() == 1)
    }

    /// After a fault: the tables are back, or the process is gone with a code and the next one brings them back. Gives
    /// whether it was gone.
    fn comes_back(mut self) -> bool {
        let (start, mut gone) = (Instant::now(), None);
        while gone.is_none() && !self.tables_answer() {
            assert!(start.elapsed() < BACK, "it lives on without its tables");
            thread::sleep(Duration::from_millis(20));
            gone = self.extension.0.try_wait().unwrap();
        }
        let Some(ended) = gone else { return false };
        assert_ne!(ended.code(), Some(0), "nobody starts a new one after a good end");
        self.extension = Extension::on(&self.manager, self.capture.path());
        until("the next one brings the tables back", || self.tables_answer());
        true
    }
}

fn rounds() -> usize {
    env::var("MDM_HEALTH_TEST_ROUNDS").map_or(3, |rounds| rounds.parse().unwrap())
}

/// Runs the rounds, some side by side.
fn in_rounds(round: impl Fn(usize) + Sync) {
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..AT_ONCE.min(rounds()) {
            scope.spawn(|| {
                loop {
                    match next.fetch_add(1, Ordering::Relaxed) {
                        number if number < rounds() => round(number),
                        _ => break,
                    }
                }
            });
        }
    });
}

#[test]
fn killed_and_restarted() {
    in_rounds(|round| {
        let mut scene = Scene::running();
        scene.manager.vanish();
        // The next one comes at once, or when the extension has noticed.
        thread::sleep(Duration::from_millis(500 * (round as u64 % 6)));
        scene.manager = Manager::restarted(scene.folder.path());
        scene.comes_back();
    });
}

#[test]
fn stopped_for_a_while_and_continued() {
    let stop = Duration::from_secs(if rounds() < 10 { 2 } else { 30 });
    in_rounds(|_| {
        let scene = Scene::running();
        scene.manager.state().mute = true;
        thread::sleep(stop);
        scene.manager.state().mute = false;
        scene.comes_back();
    });
}

#[test]
fn deregisters_it_in_silence() {
    in_rounds(|_| {
        let scene = Scene::running();
        scene.manager.state().listed.clear();
        assert!(scene.comes_back());
    });
}

#[test]
fn refuses_it_with_each_message() {
    in_rounds(|_| {
        for words in [
            "Duplicate extension registered",
            "Failed adding registry: Registry item mdm_watchdog conflicts with another item of the same name.",
            "Invalid route info",
            "Incompatible extension SDK version",
            "SQLITE_ERROR",
        ] {
            let (folder, capture) = (tempfile::tempdir().unwrap(), three_commands());
            let manager = Manager::refusing(folder.path(), words);
            let start = Instant::now();
            assert_eq!(Extension::on(&manager, capture.path()).end().0, Some(1), "{words}");
            assert!(start.elapsed() < BACK, "{words}");
            manager.state().refusal = None;
            let _extension = Extension::on(&manager, capture.path());
            assert_eq!(manager.extension().generate("mdm_watchdog", "{}").rows.len(), 1);
        }
    });
}

#[test]
fn closes_connections_half_way() {
    in_rounds(|round| {
        let mut scene = Scene::running();
        scene.manager.state().breaks = 1 + round % 4;
        until("the connections are closed", || {
            scene.manager.state().breaks == 0 || scene.extension.0.try_wait().unwrap().is_some()
        });
        scene.manager.state().breaks = 0;
        scene.comes_back();
    });
}

#[test]
fn closes_connections_half_way_while_it_starts() {
    in_rounds(|round| {
        let (folder, capture) = (tempfile::tempdir().unwrap(), three_commands());
        let manager = Manager::start(folder.path());
        // The first questions: a ping, the registration, the first look.
        manager.state().breaks = 1 + round % 3;
        let extension = Extension::on(&manager, capture.path());
        until("the connections are closed", || manager.state().breaks == 0);
        Scene { folder, capture, manager, extension }.comes_back();
    });
}

#[test]
fn calls_it_half_way_and_leaves() {
    in_rounds(|_| {
        let scene = Scene::running();
        let peer = Peer(scene.manager.extension_socket());
        for part in [
            &[0x80][..],
            &[0x80, 1, 0, 1, 0, 0, 0, 4, b'c', b'a'],
            &[0x80, 1, 0, 1, 0, 0, 0, 4, b'c', b'a', b'l', b'l', 0, 0, 0, 1, 11, 0, 1, 0, 0, 0, 9],
        ] {
            peer.connect().unwrap().write_all(part).unwrap();
        }
        assert!(!scene.comes_back());
    });
}
