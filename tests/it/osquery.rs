//! The program as an osquery extension: what it registers, and how it answers calls.

use crate::support;
use crate::support::extension::{Extension, running, usable};
use crate::support::fake_mac::FakeMac;
use crate::support::manager::{LIMIT, Manager, Map, map, ping_over, until};
use crate::support::processes::is_running;
use mdm_health::tables::{self, Value};
use rustix::process::Signal;
use std::fs;
use std::io::{Read, Write};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

const LOG: &str = "/usr/bin/log";
const PROFILES: &str = "/usr/bin/profiles";

/// The rows that the library gives, in osquery's format.
fn expected(capture: &Path, table: &str) -> Vec<Map> {
    let findings = support::findings(capture);
    let table = support::tables().into_iter().find(|one| one.definition().name == table).unwrap();
    let names = table.definition().columns.iter().map(|column| column.name);
    let row = |values: Vec<Value>| {
        let texts = values.into_iter().map(|value| match value {
            Value::Null => None,
            Value::Integer(number) => Some(number.to_string()),
            Value::Text(text) => Some(text.into_owned()),
        });
        names.clone().zip(texts).filter_map(|(name, text)| Some((name.to_owned(), text?))).collect()
    };
    table.rows(&findings).into_iter().map(row).collect()
}

#[test]
fn registration_has_the_name_the_version_and_every_table_with_its_columns() {
    let (_folder, _capture, manager, _extension, _) = running();
    let registration = manager.state().registrations[0].clone();
    assert_eq!((registration.name.as_str(), registration.version.as_str()), ("mdm_health", env!("CARGO_PKG_VERSION")));
    assert_eq!(registration.sdk_version, "5.23.1");
    let registered = &registration.registry["table"];
    assert_eq!(registered.len(), tables::DEFINITIONS.len());
    for table in tables::DEFINITIONS {
        let columns: Vec<Map> = (table.columns.iter())
            .map(|column| {
                let options = 8 + if column.hidden { 16 } else { 0 } + if column.indexed { 1 } else { 0 };
                let options = options.to_string();
                map(&[("id", "column"), ("name", column.name), ("type", column.kind.sql()), ("op", &options)])
            })
            .collect();
        assert_eq!(registered[table.name], columns, "{}", table.name);
    }
}

#[test]
fn rows_are_sent_as_strings_and_null_as_a_missing_key() {
    let (_folder, capture, _manager, _extension, peer) = running();
    for table in tables::DEFINITIONS {
        let answer = peer.generate(table.name, "{}");
        assert_eq!((answer.code, answer.message.as_str()), (0, "OK"));
        let volatile = |mut row: Map| {
            row.remove("duration_ms");
            // Neither capture has the record of restarts, and each detail names its own folder.
            if row.get("outcome").is_some_and(|outcome| outcome == "unreadable") {
                row.remove("detail");
            }
            row
        };
        let rows: Vec<Map> = answer.rows.into_iter().map(volatile).collect();
        assert_eq!(rows, expected(capture.path(), table.name).into_iter().map(volatile).collect::<Vec<_>>());
    }
    assert!(!peer.generate("mdm_commands_recent", "{}").rows[2].contains_key("responded_at"));
    assert_eq!(peer.call("mdm_watchdog", &map(&[("action", "columns")])).unwrap().rows[0]["name"], "mdm_enrolled");
}

#[test]
fn recorded_calls_of_a_real_osqueryi_get_rows_that_sqlite_accepts() {
    let Some(recorded) = support::capture("osquery-wire/osquery-5.23.1.jsonl") else { return };
    let (_folder, _capture, _manager, _extension, peer) = running();
    let mut asked = 0;
    for line in fs::read_to_string(recorded).unwrap().lines() {
        let statement: serde_json::Value = serde_json::from_str(line).unwrap();
        for call in statement["calls"].as_array().unwrap() {
            // The recorded session had a writable table; its calls go to a read-only one here.
            let table = call["item"].as_str().unwrap().replace("mdm_heal", "mdm_health_status");
            let request: Map = serde_json::from_value(call["request"].clone()).unwrap();
            let answer = peer.call(&table, &request).unwrap();
            asked += 1;
            if request["action"] == "generate" {
                assert_eq!(answer.code, 0, "{statement}");
                assert!(!answer.rows.is_empty(), "{statement}");
                answer.rows.iter().for_each(|row| usable(&table, row));
            } else if request["action"] != "insert" {
                assert_eq!(answer.rows, [map(&[("status", "readonly")])], "{statement}");
            }
        }
    }
    assert_eq!(asked, 30);
}

#[test]
fn no_query_context_removes_a_row() {
    let (_folder, _capture, _manager, _extension, peer) = running();
    let all = peer.generate("mdm_commands_recent", "{}");
    assert_eq!(all.rows.len(), 3);
    let limit = r#"{"constraints":[{"name":"command_uuid","list":[{"op":73,"expr":"1"},{"op":74,"expr":"1"}],"affinity":"TEXT"}],"colsUsed":["command_uuid"],"colsUsedBitset":18446744073709551615}"#;
    let old = r#"{"constraints":[{"name":"command_uuid","list":"","affinity":"TEXT"},{"name":"status","list":[{"op":"2","expr":"none"}]}]}"#;
    let deep = "[".repeat(100_000);
    let long = format!("{{\"constraints\":\"{}\"}}", "x".repeat(1 << 20));
    for context in [limit, old, "", "null", "7", "{", "{\"constraints\":7}", "\u{0}", &deep, &long] {
        let context_begins: String = context.chars().take(40).collect();
        assert_eq!(peer.generate("mdm_commands_recent", context), all, "{context_begins}");
    }
    assert_eq!(peer.call("mdm_commands_recent", &map(&[("action", "generate")])).unwrap(), all);
}

/// A join by what has an index asks for the rows with one value after the other.

#[test]
fn equality_on_an_indexed_column_gives_the_rows_with_that_value_and_perhaps_others() {
    let (_folder, _capture, _manager, _extension, peer) = running();
    let all = peer.generate("mdm_commands_recent", "{}").rows;
    let equals = |uuids: &[&str]| {
        let list: Vec<String> = uuids.iter().map(|uuid| format!(r#"{{"op":2,"expr":"{uuid}"}}"#)).collect();
        let context =
            format!(r#"{{"constraints":[{{"name":"command_uuid","list":[{}],"affinity":"TEXT"}}]}}"#, list.join(","));
        peer.generate("mdm_commands_recent", &context).rows
    };
    for row in &all {
        assert_eq!(equals(&[&row["command_uuid"]]), std::slice::from_ref(row));
    }
    assert_eq!(equals(&[&all[2]["command_uuid"], &all[0]["command_uuid"]]), [all[0].clone(), all[2].clone()]);
    assert_eq!(equals(&["of no command"]), Vec::<Map>::new());
    assert_eq!(equals(&[""]), all, "osquery shows a text that is missing as an empty one");
}

#[test]
fn no_other_constraint_removes_a_row() {
    let (_folder, _capture, _manager, _extension, peer) = running();
    let all = peer.generate("mdm_commands_recent", "{}");
    // All operators that osquery sends or names (73 and 74 are LIMIT and OFFSET), and some unknown ones.
    for op in [4, 8, 16, 32, 64, 65, 66, 67, 68, 69, 70, 71, 72, 73, 74, 75, 150, 255] {
        for op in [op.to_string(), format!("\"{op}\"")] {
            let one = format!(r#"{{"op":{op},"expr":"0"}}"#);
            let context = format!(
                r#"{{"constraints":[{{"name":"command_uuid","list":[{one},{one}],"affinity":"TEXT"}},{{"name":"received_at","list":[{one},{{"op":2,"expr":"0"}}],"affinity":"BIGINT"}}],"colsUsed":["status"],"colsUsedBitset":2}}"#
            );
            assert_eq!(peer.generate("mdm_commands_recent", &context), all, "{context}");
        }
    }
}

#[test]
fn a_join_that_asks_a_thousand_times_reads_the_mac_once() {
    let (folder, mac) = (tempfile::tempdir().unwrap(), FakeMac::new());
    mac.command(PROFILES, support::ENROLLED).log("");
    let manager = Manager::start(folder.path());
    let root = mac.root().to_str().unwrap();
    let _extension = Extension::start(&manager.socket, &["--source", "live", "--root", root]);
    let peer = manager.extension();
    let start = Instant::now();
    for outer in 0..1000 {
        let context = format!(
            r#"{{"constraints":[{{"name":"checked_at","list":[{{"op":32,"expr":"{outer}"}}],"affinity":"BIGINT"}}]}}"#
        );
        assert_eq!(peer.generate("mdm_watchdog", &context).rows.len(), 1);
    }
    let looks = mac.calls(PROFILES).iter().filter(|call| call.contains(" status ")).count();
    // Findings serve for a minute. The first refresh is followed by the backfill of the log.
    assert!((1..=2 + start.elapsed().as_secs() / 60).contains(&(looks as u64)), "{looks} looks");
}

#[test]
fn a_write_to_a_read_only_table_is_refused_as_osquery_expects() {
    let (_folder, _capture, _manager, _extension, peer) = running();
    let columns = tables::DEFINITIONS.iter().find(|table| table.name == "mdm_watchdog").unwrap().columns.len();
    let values = format!("[{}]", vec!["null"; columns].join(","));
    for request in [
        map(&[("action", "insert"), ("auto_rowid", "false"), ("json_value_array", &values)]),
        map(&[("action", "update"), ("id", "0"), ("json_value_array", &values)]),
        map(&[("action", "delete"), ("id", "0")]),
    ] {
        assert_eq!(peer.call("mdm_watchdog", &request).unwrap().rows, [map(&[("status", "readonly")])], "{request:?}");
    }
}

#[test]
fn calls_that_make_no_sense_get_an_error() {
    let (_folder, _capture, _manager, _extension, peer) = running();
    let answer = peer.call("mdm_watchdog", &map(&[("action", "dance")])).unwrap();
    assert_eq!((answer.code, answer.rows.len()), (1, 0));
    assert!(peer.call("no_such_table", &map(&[("action", "generate")])).is_err());
    assert!(peer.call_in("config", "mdm_watchdog", &map(&[("action", "generate")])).is_err());
    let Err(thrift::Error::Application(exception)) = peer.ask("options") else { panic!("there are no options") };
    assert_eq!(exception.kind, thrift::ApplicationErrorKind::UnknownMethod);
    for garbage in [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0x80, 1, 0, 1, 0x7f, 0xff, 0xff, 0xff], &[0; 64]] {
        let mut stream = peer.connect().unwrap();
        stream.write_all(garbage).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        assert_eq!(answer, b"", "{garbage:?}");
    }
    assert_eq!(peer.generate("mdm_watchdog", "{}").rows.len(), 1);
}

#[test]
fn idle_connections_do_not_block_osquery() {
    let (_folder, _capture, _manager, _extension, peer) = running();
    let idle: Vec<_> = (0..16).map(|_| peer.connect().unwrap()).collect();
    assert_eq!(peer.ping().unwrap(), 0);
    assert_eq!(peer.generate("mdm_watchdog", "{}").rows.len(), 1);
    // Idle connections are still served; beyond the limit the one idle longest is closed.
    assert_eq!(ping_over(&idle[1]).unwrap(), 0);
    let _more: Vec<_> = (0..64).map(|_| peer.connect().unwrap()).collect();
    assert_eq!(peer.ping().unwrap(), 0);
    assert!(ping_over(&idle[0]).is_err());
}

#[test]
fn a_new_connection_is_not_closed_for_another() {
    let (_folder, _capture, _manager, _extension, peer) = running();
    loop {
        let start = Instant::now();
        let mut connections: Vec<_> = (0..64).map(|_| peer.connect().unwrap()).collect();
        assert_eq!(ping_over(&connections[63]).unwrap(), 0, "all have been let in");
        let one_more = peer.connect().unwrap();
        thread::sleep(Duration::from_millis(100));
        let first = ping_over(&connections[0]);
        // After a second idle it may be closed: if the machine was that slow, try again.
        if start.elapsed() < Duration::from_secs(1) {
            assert_eq!(first.unwrap(), 0);
            connections.remove(0);
            assert_eq!(ping_over(&one_more).unwrap(), 0);
            break;
        }
    }
}

#[test]
fn many_clients_at_once_are_all_answered() {
    let (_folder, _capture, _manager, _extension, peer) = running();
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..25 {
                    assert_eq!(peer.generate("mdm_commands_recent", "{}").rows.len(), 3);
                }
            });
        }
    });
}

#[test]
fn a_log_that_hangs_delays_neither_other_calls_nor_the_end() {
    let (folder, mac) = (tempfile::tempdir().unwrap(), FakeMac::new());
    mac.command(LOG, "").behaves(LOG, "hang_with_child");
    let manager = Manager::start(folder.path());
    let root = mac.root().to_str().unwrap();
    let extension = Extension::start(&manager.socket, &["--source", "live", "--root", root]);
    let peer = manager.extension();
    let slow: Vec<_> = (0..8)
        .map(|_| {
            let peer = peer.clone();
            thread::spawn(move || peer.generate("mdm_watchdog", "{}"))
        })
        .collect();
    until("the log is being read", || mac.path("/usr/bin/log.child").exists());
    assert_eq!(peer.ping().unwrap(), 0);
    assert!(!peer.call("mdm_commands_recent", &map(&[("action", "columns")])).unwrap().rows.is_empty());
    assert!(slow.iter().all(|answer| !answer.is_finished()), "they were answered only after the log");
    for _ in 0..20 {
        assert_eq!(peer.ping().unwrap(), 0);
        assert!(!peer.call("mdm_commands_recent", &map(&[("action", "columns")])).unwrap().rows.is_empty());
    }
    for answer in slow {
        let answer = answer.join().unwrap();
        assert_eq!((answer.code, answer.rows[0]["state"].as_str()), (0, "unknown"));
    }
    let child = fs::read_to_string(mac.path("/usr/bin/log.child")).unwrap();
    extension.signal(Signal::TERM);
    let start = Instant::now();
    assert_eq!(extension.end().0, Some(0));
    assert!(start.elapsed() < LIMIT / 2);
    until("what it had started has ended", || !is_running(&child));
}
