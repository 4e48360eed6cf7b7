//! The extension on a Mac whose `log` misbehaves: osquery gets a correct answer within its time limit.

use crate::support;
use crate::support::ENROLLED;
use crate::support::extension::Extension;
use crate::support::fake_mac::FakeMac;
use crate::support::manager::{Manager, Peer, until};
use chrono::{TimeDelta, Utc};
use std::thread;
use tempfile::TempDir;

/// An extension on such a Mac, whose log holds a response from an hour ago.
struct Asked {
    _mac: FakeMac,
    _manager: Manager,
    _extension: Extension,
    peer: Peer,
    _folder: TempDir,
}

impl Asked {
    fn new(behaviour: &str) -> Self {
        let (mac, folder) = (FakeMac::new(), tempfile::tempdir().unwrap());
        let at = (Utc::now() - TimeDelta::hours(1)).format("%Y-%m-%d %H:%M:%S");
        mac.command("/usr/bin/profiles", ENROLLED)
            .command("/usr/sbin/sysctl", "{ sec = 1763300000, usec = 0 } then\n{ sec = 0, usec = 0 } then\n")
            .log(&support::ndjson(&format!("{at} <<<<< Received HTTP response (200) [Idle] <<<<<")))
            .behaves("/usr/bin/log", behaviour);
        let manager = Manager::start(folder.path());
        let root = mac.root().to_str().unwrap();
        let extension = Extension::start(&manager.socket, &["--source", "live", "--root", root]);
        let peer = manager.extension();
        Self { _mac: mac, _manager: manager, _extension: extension, peer, _folder: folder }
    }

    /// State and reason of the unified log.
    fn log(&self) -> (String, Option<String>) {
        let rows = self.peer.generate("mdm_health_status", "{}").rows;
        let log = rows.into_iter().find(|row| row["source"] == "unified_log").unwrap();
        (log["state"].clone(), log.get("reason").cloned())
    }

    fn exchanges(&self) -> usize {
        self.peer.generate("mdm_exchanges", "{}").rows.len()
    }
}

/// The first refresh ends with this state and reason of the log, and what was read until then counts.
fn ends_with(behaviour: &str, state: &str, reason: Option<&str>) {
    let asked = Asked::new(behaviour);
    let mut log = asked.log();
    until("the first reading ends", || {
        log = asked.log();
        log.1.as_deref() != Some("collecting")
    });
    assert_eq!((log.0.as_str(), log.1.as_deref()), (state, reason), "{behaviour}");
    assert_eq!(asked.exchanges(), usize::from(behaviour != "denied"), "{behaviour}");
}

#[test]
fn a_query_does_not_wait_for_a_log_that_hangs_or_floods() {
    let holds_none_up = |behaviour: &str| {
        let asked = Asked::new(behaviour);
        // The log may take a minute; an answer before that says that it is still being read.
        assert_eq!(asked.log(), ("error".to_owned(), Some("collecting".to_owned())), "{behaviour}");
        let verdict = asked.peer.generate("mdm_watchdog", "{}").rows;
        assert_eq!((verdict.len(), verdict[0]["state"].as_str()), (1, "unknown"), "{behaviour}");
    };
    thread::scope(|scope| {
        scope.spawn(|| holds_none_up("hang"));
        scope.spawn(|| holds_none_up("flood"));
    });
}

#[test]
fn a_log_that_dies_is_partial() {
    ends_with("die", "partial", Some("command_failed"));
}

#[test]
fn garbage_in_the_log_is_skipped() {
    ends_with("garbage", "ok", None);
}

#[test]
fn a_denied_log_is_an_error() {
    ends_with("denied", "error", Some("log_access_denied"));
}

#[test]
fn a_log_in_reverse_order_is_read() {
    ends_with("back", "ok", None);
}
