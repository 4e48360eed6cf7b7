//! What the fuzz targets and the tests of their seeds feed with bytes of any kind: one function a target. Each checks
//! what must hold whatever the bytes are.
#![allow(dead_code, reason = "each target uses its own part")]

use mdm_health::collect;
use mdm_health::event;
use mdm_health::facts::{certificates::read_certificates, old_plist};
use mdm_health::frontend::osquery::hostile;
use mdm_health::health::Findings;
use mdm_health::host::Recorded;
use mdm_health::log::{ReadOptions, read_log};
use mdm_health::tables;
use std::fs;
use std::path::Path;
use std::sync::{Arc, LazyLock};

/// A target's name and its function.
pub type Entry = (&'static str, fn(&[u8]));

/// Every target.
pub const ENTRIES: &[Entry] = &[
    ("captures", captures),
    ("certificates", certificates),
    ("log", log),
    ("old_plist", old_plist),
    ("osquery_calls", osquery_calls),
    ("thrift_messages", thrift_messages),
];

/// A log in any style. Every record is counted, those that are no messages too, and lies within the span that is told.
pub fn log(data: &[u8]) {
    let options = ReadOptions { utc_offset: "+00:00".parse().ok() };
    let (mut records, mut times) = (0, Vec::new());
    let read = read_log(data, &options, |record| {
        records += 1;
        times.push(record.at);
        let _ = event::recognise(record);
    });
    if let Ok(summary) = read {
        assert!(summary.records >= records);
        assert!(times.iter().all(|at| summary.first <= Some(*at) && Some(*at) <= summary.last));
    }
}

/// An old-style property list, whole and behind a head line.
pub fn old_plist(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let _ = old_plist::parse(&text);
    let _ = old_plist::dictionary_after(&text, "Daemon response");
}

/// Certificates in PEM.
pub fn certificates(data: &[u8]) {
    if let Some(listed) = read_certificates(&String::from_utf8_lossy(data)).known() {
        assert!(listed.iter().all(|certificate| certificate.sha1.len() == 40 && certificate.sha256.len() == 64));
    }
}

/// Messages in Thrift's binary protocol, one behind the other.
pub fn thrift_messages(data: &[u8]) {
    assert!(hostile::messages(data, 1 << 20) <= data.len());
}

/// The action in the first line, the context or the values of an INSERT in the others.
pub fn osquery_calls(data: &[u8]) {
    static FINDINGS: LazyLock<Arc<Findings>> = LazyLock::new(|| Arc::new(findings(&[("capture.json", DESCRIPTION)])));
    let text = String::from_utf8_lossy(data);
    let (action, rest) = text.split_once('\n').unwrap_or((&text, ""));
    let codes = hostile::calls(&FINDINGS, action, rest, rest);
    let answered = matches!(action, "generate" | "columns" | "insert" | "update" | "delete");
    assert!(codes.iter().all(|code| *code == Some(if answered { 0 } else { 1 })), "{action}: {codes:?}");
}

const DESCRIPTION: &str = r#"{"captured_at": "2026-11-23T18:00:00Z"}"#;

/// A capture folder: files, each behind a line `=== NAME`. Every table answers with whole rows, and those that tell a
/// state never fall silent.
pub fn captures(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let files: Vec<(&str, &str)> = text.split("=== ").filter_map(|file| file.split_once('\n')).collect();
    let findings = findings(&files);
    for table in tables::all() {
        let (definition, rows) = (table.definition(), table.rows(&findings));
        assert!(rows.iter().all(|row| row.len() == definition.columns.len()), "{}", definition.name);
        let tells_a_state = matches!(definition.name, "mdm_watchdog" | "mdm_enrollment" | "mdm_health_status");
        assert!(!tells_a_state || !rows.is_empty(), "{} is silent", definition.name);
    }
}

/// What the rules make of a capture folder of those files. Names outside of a capture are left out; without a
/// description, or with one that is refused, there is one that is not.
fn findings(files: &[(&str, &str)]) -> Findings {
    const COMMANDS: &[&str] =
        &["profiles-status", "profiles-list", "management-status", "identities", "certificates", "awake"];
    let Ok(folder) = tempfile::tempdir() else { panic!("there is no place for a capture") };
    let write = |name: &str, text: &str| {
        let written = fs::write(folder.path().join(name), text);
        assert!(written.is_ok(), "{name} cannot be written");
    };
    assert!(fs::create_dir(folder.path().join("commands")).is_ok());
    for (name, text) in files {
        let (stem, ending) = name.rsplit_once('.').unwrap_or((name, ""));
        match (stem, ending) {
            ("capture", "json") | ("log", "ndjson") => write(name, text),
            (_, "out" | "err" | "code") if COMMANDS.contains(&stem) => write(&format!("commands/{name}"), text),
            _ => {}
        }
    }
    let host = Recorded::open(folder.path(), None).or_else(|_| {
        write("capture.json", DESCRIPTION);
        Recorded::open(folder.path(), None)
    });
    match host {
        Ok(host) => Findings::new(collect::evidence(&host, &ReadOptions::default())),
        Err(error) => panic!("{}: {error}", Path::display(folder.path())),
    }
}
