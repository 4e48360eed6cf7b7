//! INSERT through the extension: what osquery sends, and what it gets back.

use crate::support;
use crate::support::extension::{Extension, usable};
use crate::support::heal_mac::{self, HealMac};
use crate::support::manager::{Manager, Map, Peer, map};
use mdm_health::tables;
use std::fs;
use tempfile::TempDir;

/// A Mac whose daemons are stuck, and an extension on it that is allowed to restart them.
fn stuck() -> (TempDir, HealMac, Manager, Extension, Peer) {
    let (folder, mac) = (tempfile::tempdir().unwrap(), HealMac::stuck());
    let policy = "<plist version=\"1.0\"><dict><key>AllowForce</key><true/></dict></plist>";
    mac.write("Library/Managed Preferences/org.mdm-health.plist", policy);
    let manager = Manager::start(folder.path());
    let root = mac.root().to_str().unwrap();
    let extension = Extension::start(&manager.socket, &["--source", "live", "--root", root, "--now", heal_mac::NOW]);
    let peer = manager.extension();
    (folder, mac, manager, extension, peer)
}

/// An INSERT of a row that begins with these values, as osquery sends it.
fn insertion(given: &[serde_json::Value]) -> Map {
    let mut values = given.to_vec();
    values.resize(tables::MDM_HEAL.columns.len(), serde_json::Value::Null);
    let values = serde_json::Value::Array(values).to_string();
    map(&[("action", "insert"), ("auto_rowid", "false"), ("json_value_array", &values)])
}

/// The message of a refused write.
fn refusal(row: &Map) -> &str {
    assert_eq!((row["status"].as_str(), row.contains_key("id")), ("failure", false), "{row:?}");
    &row["message"]
}

#[test]
fn recorded_writes_of_a_real_osqueryi_are_done_or_refused_as_it_expects() {
    let Some(recorded) = support::capture("osquery-wire/osquery-5.23.1.jsonl") else { return };
    let (mut inserted, mut refused, mut read_only) = (0, 0, 0);
    for line in fs::read_to_string(recorded).unwrap().lines() {
        let statement: serde_json::Value = serde_json::from_str(line).unwrap();
        let calls = statement["calls"].as_array().unwrap();
        if calls.iter().all(|call| call["request"]["action"] == "generate") {
            continue;
        }
        let (_folder, mac, _manager, _extension, peer) = stuck();
        let mut kickstarts = 0;
        for call in calls {
            let mut request: Map = serde_json::from_value(call["request"].clone()).unwrap();
            let given: Vec<serde_json::Value> =
                request.get("json_value_array").map_or_else(Vec::new, |values| serde_json::from_str(values).unwrap());
            // The table of the recorded session had fewer columns.
            if request["action"] == "insert" {
                request.insert("json_value_array".to_owned(), insertion(&given)["json_value_array"].clone());
            }
            let answer = peer.call("mdm_heal", &request).unwrap();
            assert_eq!(answer.code, 0, "{statement}");
            match request["action"].as_str() {
                "generate" => answer.rows.iter().for_each(|row| usable("mdm_heal", row)),
                "insert" if given[0] == "restart_mdmclient" => {
                    assert_eq!(answer.rows, [map(&[("status", "success"), ("id", "1")])], "{statement}");
                    let row = &peer.generate("mdm_heal", "{}").rows[0];
                    assert_eq!((row["id"].as_str(), row["outcome"].as_str()), ("1", "done"));
                    assert_eq!(row.get("reason").map(String::as_str), given[1].as_str());
                    assert_eq!(row["force"], given[2].as_i64().unwrap_or(0).to_string());
                    (inserted, kickstarts) = (inserted + 1, kickstarts + 1);
                }
                // No action, or one that only the recorded session had.
                "insert" => {
                    assert!(
                        refusal(&answer.rows[0]).starts_with("mdm_heal: unknown_action: The action must be one of ")
                    );
                    let outcomes = peer.generate("mdm_heal", "{}").rows;
                    assert_eq!(outcomes.last().unwrap()["outcome"], "refused");
                    refused += 1;
                }
                _ => {
                    assert_eq!(answer.rows, [map(&[("status", "readonly")])], "{statement}");
                    assert_eq!(peer.generate("mdm_heal", "{}").rows[0]["outcome"], "done");
                    read_only += 1;
                }
            }
        }
        assert_eq!(mac.acts(), vec!["launchctl kickstart -k system/com.apple.mdmclient.daemon"; kickstarts]);
    }
    assert_eq!((inserted, refused, read_only), (5, 5, 2));
}

#[test]
fn a_refused_restart_names_the_limit_and_the_next_allowed_time() {
    let (_folder, mac, _manager, _extension, peer) = stuck();
    let restart = insertion(&["restart_mdmclient".into(), "INC-42".into()]);
    let ask = || peer.call("mdm_heal", &restart).unwrap().rows.remove(0);
    assert_eq!(ask(), map(&[("status", "success"), ("id", "1")]));
    let row = ask();
    let sentence = refusal(&row);
    assert!(
        sentence.starts_with(
            "mdm_heal: too_soon: restart_mdmclient is refused: the limit is one restart per 24 h of uptime"
        )
    );
    assert!(sentence.ends_with("next allowed at 2026-11-24T18:00:00Z"), "{sentence}");
    assert_eq!(mac.acts().len(), 1);
    let watchdog = &peer.generate("mdm_watchdog", "{}").rows[0];
    let restarted = heal_mac::now().timestamp().to_string();
    assert_eq!((&*watchdog["mdm_client_stuck"], &watchdog["last_mdm_kickstart"]), ("1", &restarted));
}

/// Whoever may run live queries may be refused as often as they like: osquery still reads the table, and the restart is in it.
#[test]
fn ten_thousand_refused_requests_leave_the_table_readable_in_osquery() {
    let (_folder, mac, _manager, _extension, peer) = stuck();
    let restart = peer.call("mdm_heal", &insertion(&["restart_mdmclient".into(), "INC-42".into()])).unwrap();
    assert_eq!(restart.rows, [map(&[("status", "success"), ("id", "1")])]);
    let longest = "\u{1F34F}".repeat(512);
    let flood = rusqlite::Connection::open(mac.state_dir().join("heal.db")).unwrap();
    let sql = "WITH RECURSIVE number(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < 10000)
               INSERT INTO requests(action, reason, force, dry_run, requested_at, outcome, detail)
               SELECT ?1, ?1, 0, 0, 0, 'refused', ?1 FROM number";
    flood.execute(sql, [&longest]).unwrap();
    drop(flood);
    for _ in 0..20 {
        let row = peer.call("mdm_heal", &insertion(&["up".into(), longest.repeat(50).into()])).unwrap().rows.remove(0);
        assert!(refusal(&row).starts_with("mdm_heal: unknown_action"), "{row:?}");
    }
    let rows = peer.generate("mdm_heal", "{}").rows;
    assert!((1000..=1010).contains(&rows.len()), "{}", rows.len());
    assert_eq!(
        (rows[0]["id"].as_str(), rows[0]["outcome"].as_str(), rows[0]["reason"].as_str()),
        ("1", "done", "INC-42")
    );
    assert_eq!(rows.last().unwrap()["outcome"], "refused");
    assert_eq!(mac.acts().len(), 1);
}

#[test]
fn a_recorded_mac_is_never_healed() {
    let folder = tempfile::tempdir().unwrap();
    let manager = Manager::start(folder.path());
    let _extension = Extension::on(&manager, &support::fixture("update-command-never-answered"));
    let peer = manager.extension();
    let answer = peer.call("mdm_heal", &insertion(&["restart_mdmclient".into()])).unwrap();
    assert!(refusal(&answer.rows[0]).contains("this is a recorded Mac"), "{:?}", answer.rows);
    let record = peer.generate("mdm_heal", "{}").rows;
    assert_eq!((record.len(), &*record[0]["outcome"]), (1, "unreadable"));
}
