//! osquery's manager fails in every way that was seen: each time the tables are back within ten seconds, or the process
//! is gone with a code, so that osquery's watcher starts a new one. It never lives on without its tables.
//!
//! A few rounds each; `MDM_HEALTH_TEST_ROUNDS=100` makes it thorough, and its stops as long as 30 s. With `--nocapture`
//! it prints how the rounds ended.
#![allow(clippy::print_stdout, reason = "the figures are for whoever asked for the long run")]

use crate::support::extension::Extension;
use crate::support::manager::{Manager, Peer, map, until};
use crate::support::manager_process::{ManagerProcess, play_if_asked};
use crate::support::three_commands;
use rustix::process::Signal;
use std::env;
use std::io::Write;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How soon after a fault the tables are back or the process is gone.
const BACK: Duration = Duration::from_secs(10);

/// How many rounds run side by side.
const AT_ONCE: usize = 20;

/// The test that plays the manager when it is started again.
const MANAGER: &str = "manager_faults::a_predecessor_that_was_killed_is_waited_for";

/// An extension and its manager, as osquery's other clients reach it.
struct Scene {
    manager: Peer,
    capture: TempDir,
    extension: Extension,
}

/// How a round ended.
struct Ended {
    /// Whether the process was gone.
    gone: bool,
    /// How long after the fault it was gone, or its tables were back.
    after: Duration,
}

impl Scene {
    fn begun(manager: Peer) -> Self {
        let capture = three_commands();
        Self { extension: extension(&manager, &capture), manager, capture }
    }

    fn running(manager: Peer) -> Self {
        let scene = Self::begun(manager);
        until("the tables answer", || scene.tables_answer());
        scene
    }

    /// The extension that is listed, if there is one.
    fn listed(&self) -> Option<Peer> {
        let listed = self.manager.extensions().unwrap_or_default();
        listed.last().map(|uuid| self.manager.behind(*uuid))
    }

    fn tables_answer(&self) -> bool {
        let rows = |peer: Peer| peer.call("mdm_watchdog", &map(&[("action", "generate")]));
        self.listed().is_some_and(|peer| rows(peer).is_ok_and(|answer| answer.rows.len() == 1))
    }

    /// After a fault: the tables are back, or the process is gone with a code and the next one brings them back.
    fn comes_back(mut self) -> Ended {
        let (start, mut gone) = (Instant::now(), None);
        while gone.is_none() && !self.tables_answer() {
            assert!(start.elapsed() < BACK, "it lives on without its tables");
            thread::sleep(Duration::from_millis(20));
            gone = self.extension.0.try_wait().unwrap();
        }
        let after = start.elapsed();
        if let Some(ended) = gone {
            assert!(ended.code().is_some_and(|code| code > 0), "{ended}: nobody starts a new one after a good end");
            self.extension = extension(&self.manager, &self.capture);
            until("the next one brings the tables back", || self.tables_answer());
        }
        Ended { gone: gone.is_some(), after }
    }
}

fn extension(manager: &Peer, capture: &TempDir) -> Extension {
    Extension::start(&manager.0, &["--source", capture.path().to_str().unwrap()])
}

/// A manager within the test, and the way in that others have to it.
fn played() -> (TempDir, Manager, Peer) {
    let folder = tempfile::tempdir().unwrap();
    let manager = Manager::start(folder.path());
    let peer = Peer(manager.socket.clone());
    (folder, manager, peer)
}

/// A manager that is a process.
fn process() -> (TempDir, ManagerProcess) {
    let folder = tempfile::tempdir().unwrap();
    let manager = ManagerProcess::start(folder.path(), MANAGER);
    (folder, manager)
}

fn rounds() -> usize {
    env::var("MDM_HEALTH_TEST_ROUNDS").map_or(3, |rounds| rounds.parse().unwrap())
}

/// Runs the rounds, some side by side.
fn in_rounds(what: &str, round: impl Fn(usize) -> Ended + Sync) {
    let (next, ended) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..AT_ONCE.min(rounds()) {
            scope.spawn(|| {
                loop {
                    match next.fetch_add(1, Ordering::Relaxed) {
                        number if number < rounds() => {
                            let one = round(number);
                            ended.lock().unwrap().push(one);
                        }
                        _ => break,
                    }
                }
            });
        }
    });
    let ended = ended.into_inner().unwrap();
    let gone = ended.iter().filter(|one| one.gone).count();
    let longest = ended.iter().map(|one| one.after).max().unwrap_or_default();
    println!("{what}: {} rounds, {gone} times gone, else back; after {longest:.1?} at most", ended.len());
}

#[test]
fn a_predecessor_that_was_killed_is_waited_for() {
    play_if_asked();
    in_rounds("killed itself", |_| {
        let (_folder, manager) = process();
        let mut scene = Scene::running(manager.peer());
        // It stays listed until the manager pings it the next time, and the next one is refused.
        scene.extension.signal(Signal::KILL);
        scene.extension = extension(&scene.manager, &scene.capture);
        let ended = scene.comes_back();
        assert!(!ended.gone);
        ended
    });
}

#[test]
fn killed_and_restarted() {
    in_rounds("killed and restarted", |round| {
        let (folder, manager) = process();
        let scene = Scene::running(manager.peer());
        manager.signal(Signal::KILL);
        // The next one comes at once, or when the extension has noticed.
        thread::sleep(Duration::from_millis(500 * (round as u64 % 6)));
        let _manager = ManagerProcess::start(folder.path(), MANAGER);
        scene.comes_back()
    });
}

#[test]
fn stopped_for_a_while_and_continued() {
    let stop = Duration::from_secs(if rounds() < 10 { 2 } else { 30 });
    in_rounds("stopped and continued", |_| {
        let (_folder, manager) = process();
        let scene = Scene::running(manager.peer());
        manager.signal(Signal::STOP);
        thread::sleep(stop);
        manager.signal(Signal::CONT);
        scene.comes_back()
    });
}

#[test]
fn a_signal_ends_it_well_while_the_manager_is_stopped() {
    in_rounds("a signal while stopped", |round| {
        let (_folder, manager) = process();
        let scene = Scene::running(manager.peer());
        manager.signal(Signal::STOP);
        // At once, or when it has asked the manager something and waits.
        thread::sleep(Duration::from_millis(500 * (round as u64 % 4)));
        let start = Instant::now();
        scene.extension.signal(if round % 2 == 0 { Signal::TERM } else { Signal::INT });
        assert_eq!(scene.extension.end().0, Some(0));
        assert!(start.elapsed() < BACK);
        Ended { gone: true, after: start.elapsed() }
    });
}

#[test]
fn deregisters_it_in_silence() {
    in_rounds("deregistered", |_| {
        let (_folder, manager, peer) = played();
        let scene = Scene::running(peer);
        manager.state().listed.clear();
        let ended = scene.comes_back();
        assert!(ended.gone);
        ended
    });
}

#[test]
fn refuses_it_with_each_message() {
    in_rounds("refused", |_| {
        let mut longest = Duration::ZERO;
        for words in [
            "Duplicate extension registered",
            "Failed adding registry: Registry item mdm_watchdog conflicts with another item of the same name.",
            "Invalid route info",
            "Incompatible extension SDK version",
            "SQLITE_ERROR",
        ] {
            let (_folder, manager, peer) = played();
            manager.state().refusal = Some(words);
            let start = Instant::now();
            let scene = Scene::begun(peer);
            assert_eq!(scene.extension.end().0, Some(1), "{words}");
            longest = longest.max(start.elapsed());
            assert!(longest < BACK, "{words}");
            manager.state().refusal = None;
            Scene::running(scene.manager);
        }
        Ended { gone: true, after: longest }
    });
}

#[test]
fn closes_connections_half_way() {
    in_rounds("closed half-way", |round| {
        let (_folder, manager, peer) = played();
        let mut scene = Scene::running(peer);
        manager.state().breaks = 1 + round % 4;
        until("the connections are closed", || {
            manager.state().breaks == 0 || scene.extension.0.try_wait().unwrap().is_some()
        });
        manager.state().breaks = 0;
        scene.comes_back()
    });
}

#[test]
fn closes_connections_half_way_while_it_starts() {
    in_rounds("closed half-way at the start", |round| {
        let (_folder, manager, peer) = played();
        // The first questions: a ping, the registration, the first look.
        manager.state().breaks = 1 + round % 3;
        let scene = Scene::begun(peer);
        until("the connections are closed", || manager.state().breaks == 0);
        scene.comes_back()
    });
}

#[test]
fn calls_it_half_way_and_leaves() {
    in_rounds("called half-way", |_| {
        let (_folder, _manager, peer) = played();
        let scene = Scene::running(peer);
        let extension = scene.listed().unwrap();
        for part in [
            &[0x80][..],
            &[0x80, 1, 0, 1, 0, 0, 0, 4, b'c', b'a'],
            &[0x80, 1, 0, 1, 0, 0, 0, 4, b'c', b'a', b'l', b'l', 0, 0, 0, 1, 11, 0, 1, 0, 0, 0, 9],
        ] {
            extension.connect().unwrap().write_all(part).unwrap();
        }
        let ended = scene.comes_back();
        assert!(!ended.gone);
        ended
    });
}
