//! What the fuzz targets and the tests of their seeds feed with bytes of any kind: one function a target. Each checks
//! what must hold whatever the bytes are.
#![allow(dead_code, reason = "each target uses its own part")]

use mdm_health::collect;
use mdm_health::event;
use mdm_health::facts::certificates::read_certificates;
use mdm_health::facts::ddm_state::ddm_state;
use mdm_health::facts::old_plist;
use mdm_health::facts::software_update_preferences::software_update_preferences;
use mdm_health::facts::system_version::system_version;
use mdm_health::frontend::osquery::hostile;
use mdm_health::health::Findings;
use mdm_health::host::{Act, Command, FileEnd, Host, HostError, LogSource, Output, Recorded, Span};
use mdm_health::log::{ReadOptions, install_log, read_log};
use std::fs;
use std::path::Path;
use std::sync::{Arc, LazyLock};

/// A target's name and its function.
pub type Entry = (&'static str, fn(&[u8]));

/// Every target.
pub const ENTRIES: &[Entry] = &[
    ("captures", captures),
    ("certificates", certificates),
    ("install_log", install_log),
    ("log", log),
    ("old_plist", old_plist),
    ("osquery_calls", osquery_calls),
    ("property_list", property_list),
    ("thrift_messages", thrift_messages),
];

/// A log in any style. Every record is counted, those that are no messages too, and lies within the span that is told.
pub fn log(data: &[u8]) {
    let options = ReadOptions { utc_offset: "+00:00".parse().ok(), ..ReadOptions::default() };
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

/// install.log. Every record that is handed out is counted; a repetition is counted alone.
pub fn install_log(data: &[u8]) {
    let mut records = 0;
    let read = install_log::read(data, |record| {
        records += 1;
        let _ = event::install_log::recognise(&record);
    });
    assert!(read.is_ok_and(|summary| summary.records >= records), "records were lost");
}

/// A file that softwareupdated keeps: a property list in any of its forms.
pub fn property_list(data: &[u8]) {
    let host = OneFile(data.to_vec());
    let _ = software_update_preferences(&host);
    let _ = ddm_state(&host);
    let _ = system_version(&host);
}

/// A Mac all of whose files are the same.
struct OneFile(Vec<u8>);

impl OneFile {
    fn has_no(&self, missing: &str) -> HostError {
        HostError::NotCaptured { capture: "it".into(), missing: missing.to_owned() }
    }
}

impl Host for OneFile {
    fn run(&self, command: Command) -> Result<Output, HostError> {
        Err(self.has_no(command.name()))
    }

    fn open_log(&self, _: Span) -> Result<Box<dyn LogSource>, HostError> {
        Err(self.has_no("log"))
    }

    fn read_file(&self, _: &str) -> Result<Vec<u8>, HostError> {
        Ok(self.0.clone())
    }

    fn read_file_end(&self, _: &str, _: u64) -> Result<FileEnd, HostError> {
        Ok(FileEnd { bytes: self.0.clone(), left_out: 0 })
    }

    fn read_trusted(&self, _: &str) -> Result<Option<Vec<u8>>, HostError> {
        Ok(Some(self.0.clone()))
    }

    fn now(&self) -> Option<mdm_health::Time> {
        None
    }

    fn uptime(&self) -> Result<i64, HostError> {
        Err(HostError::NotLive)
    }

    fn is_live(&self) -> bool {
        false
    }

    fn may_act(&self, _: &Path) -> Result<(), HostError> {
        Err(HostError::NotLive)
    }

    fn act(&self, _: Act) -> Result<Output, HostError> {
        Err(HostError::NotLive)
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
    for table in hostile::tables() {
        let (definition, rows) = (table.definition(), table.rows(&findings));
        assert!(rows.iter().all(|row| row.len() == definition.columns.len()), "{}", definition.name);
        let tells_a_state = matches!(definition.name, "mdm_watchdog" | "mdm_enrollment" | "mdm_health_status");
        assert!(!tells_a_state || !rows.is_empty(), "{} is silent", definition.name);
    }
}

/// The files of a Mac that a capture may hold, by their last names.
const FILES: &[(&str, &str)] = &[
    ("install.log", "root/private/var/log/install.log"),
    ("com.apple.SoftwareUpdate.plist", "root/Library/Preferences/com.apple.SoftwareUpdate.plist"),
    (
        "SoftwareUpdateDDMStatePersistence.plist",
        "root/private/var/db/softwareupdate/SoftwareUpdateDDMStatePersistence.plist",
    ),
    ("SystemVersion.plist", "root/System/Library/CoreServices/SystemVersion.plist"),
];

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
    for (_, path) in FILES {
        let parent = Path::new(path).parent().unwrap_or(Path::new(""));
        assert!(fs::create_dir_all(folder.path().join(parent)).is_ok());
    }
    for (name, text) in files {
        let (stem, ending) = name.rsplit_once('.').unwrap_or((name, ""));
        match (stem, ending) {
            ("capture", "json") | ("log", "ndjson") => write(name, text),
            (_, "out" | "err" | "code") if COMMANDS.contains(&stem) => write(&format!("commands/{name}"), text),
            _ => {
                let file = FILES.iter().find(|(file, _)| file == name);
                file.into_iter().for_each(|(_, path)| write(path, text));
            }
        }
    }
    let host = Recorded::open(folder.path(), None).or_else(|_| {
        write("capture.json", DESCRIPTION);
        Recorded::open(folder.path(), None)
    });
    match host {
        Ok(host) => Findings::new(collect::evidence(&host, &ReadOptions::default(), folder.path())),
        Err(error) => panic!("{}: {error}", Path::display(folder.path())),
    }
}
