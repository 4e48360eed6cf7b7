//! osquery's extension manager fails in every way that was seen. Each time the tables are back within ten seconds, or
//! the extension exits with an error code, so that osquery's watcher starts a new one. It never runs on without tables.
//!
//! A few rounds each; `MDM_HEALTH_TEST_ROUNDS=100` makes it thorough, with stops of 30 s. `--nocapture` shows how the
//! rounds ended.
#![allow(clippy::print_stdout, reason = "--nocapture shows the figures of a long run")]

use crate::support::extension::Extension;
use crate::support::manager::{LIMIT, Manager, Peer, REFUSALS, map, until};
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

/// How many rounds run at a time.
const AT_ONCE: usize = 20;

/// The test that plays the manager in a process of its own.
const MANAGER: &str = "manager_faults::an_extension_waits_until_its_killed_predecessor_is_delisted";

/// An extension and its manager.
struct Scene {
    manager: Peer,
    capture: TempDir,
    extension: Extension,
}

/// How a round ended.
struct Ended {
    /// Whether the extension exited.
    gone: bool,
    /// How long after the fault it exited or its tables were back.
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

    /// The extension that the manager lists, if any.
    fn listed(&self) -> Option<Peer> {
        let listed = self.manager.extensions().unwrap_or_default();
        listed.last().map(|uuid| self.manager.behind(*uuid))
    }

    fn tables_answer(&self) -> bool {
        let rows = |peer: Peer| peer.call("mdm_watchdog", &map(&[("action", "generate")]));
        self.listed().is_some_and(|peer| rows(peer).is_ok_and(|answer| answer.rows.len() == 1))
    }

    /// After a fault: the tables are back, or the extension exits with an error code and the next one serves them.
    fn comes_back(mut self) -> Ended {
        let (start, mut gone) = (Instant::now(), None);
        while gone.is_none() && !self.tables_answer() {
            assert!(start.elapsed() < back(), "it lives on without its tables");
            thread::sleep(Duration::from_millis(20));
            gone = self.extension.0.try_wait().unwrap();
        }
        let after = start.elapsed();
        if let Some(ended) = gone {
            assert!(ended.code().is_some_and(|code| code > 0), "{ended}: osquery starts no new one after a clean exit");
            self.extension = extension(&self.manager, &self.capture);
            until("the next one brings the tables back", || self.tables_answer());
        }
        Ended { gone: gone.is_some(), after }
    }
}

fn extension(manager: &Peer, capture: &TempDir) -> Extension {
    Extension::start(&manager.0, &["--source", capture.path().to_str().unwrap()])
}

/// A manager in this process, and a client of it.
fn played() -> (TempDir, Manager, Peer) {
    let folder = tempfile::tempdir().unwrap();
    let manager = Manager::start(folder.path());
    let peer = Peer(manager.socket.clone());
    (folder, manager, peer)
}

/// A manager in a process of its own.
fn process() -> (TempDir, ManagerProcess) {
    let folder = tempfile::tempdir().unwrap();
    let manager = ManagerProcess::start(folder.path(), MANAGER);
    (folder, manager)
}

/// How soon after a fault the tables are back or the extension has exited: ten seconds in a thorough run, which needs a
/// quiet machine. A few rounds among the other tests may take longer.
fn back() -> Duration {
    if rounds() < 10 { LIMIT } else { Duration::from_secs(10) }
}

fn rounds() -> usize {
    env::var("MDM_HEALTH_TEST_ROUNDS").map_or(3, |rounds| rounds.parse().unwrap())
}

/// Runs the rounds, up to [`AT_ONCE`] at a time.
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
fn an_extension_waits_until_its_killed_predecessor_is_delisted() {
    play_if_asked();
    in_rounds("killed itself", |_| {
        let (_folder, manager) = process();
        let mut scene = Scene::running(manager.peer());
        // It stays listed until the manager's next ping, and until then the next one is refused.
        scene.extension.signal(Signal::KILL);
        scene.extension = extension(&scene.manager, &scene.capture);
        let ended = scene.comes_back();
        assert!(!ended.gone);
        ended
    });
}

#[test]
fn osquery_killed_and_restarted() {
    in_rounds("killed and restarted", |round| {
        let (folder, manager) = process();
        let scene = Scene::running(manager.peer());
        manager.signal(Signal::KILL);
        // The next manager starts at once, or after the extension has noticed.
        thread::sleep(Duration::from_millis(500 * (round as u64 % 6)));
        let _manager = ManagerProcess::start(folder.path(), MANAGER);
        scene.comes_back()
    });
}

#[test]
fn osquery_stopped_and_continued() {
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
fn a_signal_ends_the_extension_cleanly_while_osquery_is_stopped() {
    in_rounds("a signal while stopped", |round| {
        let (_folder, manager) = process();
        let scene = Scene::running(manager.peer());
        manager.signal(Signal::STOP);
        // At once, or while it waits for an answer of the manager.
        thread::sleep(Duration::from_millis(500 * (round as u64 % 4)));
        let start = Instant::now();
        scene.extension.signal(if round % 2 == 0 { Signal::TERM } else { Signal::INT });
        assert_eq!(scene.extension.end().0, Some(0));
        assert!(start.elapsed() < back());
        Ended { gone: true, after: start.elapsed() }
    });
}

#[test]
fn osquery_delists_the_extension_silently() {
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
fn osquery_refuses_the_registration_with_each_message() {
    in_rounds("refused", |_| {
        let mut longest = Duration::ZERO;
        for words in REFUSALS {
            let (_folder, manager, peer) = played();
            manager.state().refusal = Some(words);
            let start = Instant::now();
            let scene = Scene::begun(peer);
            assert_eq!(scene.extension.end().0, Some(1), "{words}");
            longest = longest.max(start.elapsed());
            assert!(longest < back(), "{words}");
            manager.state().refusal = None;
            Scene::running(scene.manager);
        }
        Ended { gone: true, after: longest }
    });
}

#[test]
fn osquery_closes_connections_halfway() {
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
fn osquery_closes_connections_halfway_at_startup() {
    in_rounds("closed half-way at the start", |round| {
        let (_folder, manager, peer) = played();
        // The first calls: a ping, the registration, the first check of the list.
        manager.state().breaks = 1 + round % 3;
        let scene = Scene::begun(peer);
        until("the connections are closed", || manager.state().breaks == 0);
        scene.comes_back()
    });
}

#[test]
fn osquery_sends_half_a_call_and_disconnects() {
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
