//! What the fuzz targets and the tests of their seeds feed with bytes of any kind: one function a target. Each checks
//! what must hold whatever the bytes are.
#![allow(dead_code, reason = "each target uses its own part")]

use mdm_health::collect;
use mdm_health::event;
use mdm_health::facts::awake::awake_since;
use mdm_health::facts::certificates::{self, read_certificates};
use mdm_health::facts::ddm_state::ddm_state;
use mdm_health::facts::enrollment::profiles_status;
use mdm_health::facts::identities::identities;
use mdm_health::facts::management_status::management_status;
use mdm_health::facts::old_plist;
use mdm_health::facts::profiles_list::profiles_list;
use mdm_health::facts::software_update_preferences::software_update_preferences;
use mdm_health::facts::system_version::system_version;
use mdm_health::facts::zone::Zone;
use mdm_health::frontend::osquery::hostile;
use mdm_health::heal::actions;
use mdm_health::heal::clock::Clock;
use mdm_health::heal::policy::Policy;
use mdm_health::health::Findings;
use mdm_health::host::{Act, Command, Daemon, FileEnd, Host, HostError, LogSource, Output, Recorded, Span};
use mdm_health::log::{ReadOptions, install_log, read_log};
use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::path::Path;
use std::sync::{Arc, LazyLock};

/// A target's name and its function.
pub type Entry = (&'static str, fn(&[u8]));

/// Every target.
pub const ENTRIES: &[Entry] = &[
    ("arguments", arguments),
    ("captures", captures),
    ("certificates", certificates),
    ("commands", commands),
    ("install_log", install_log),
    ("log", log),
    ("old_plist", old_plist),
    ("osquery_calls", osquery_calls),
    ("policy", policy),
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

/// install.log. Every record that is handed out is counted; a repetition is counted alone. Its times say the zone.
pub fn install_log(data: &[u8]) {
    let mut times = Vec::new();
    let read = install_log::read(data, |record| {
        times.push(record.at);
        let _ = event::install_log::recognise(&record);
    });
    let Ok(summary) = read else { panic!("bytes in memory can be read") };
    assert!(summary.records >= times.len() as u64, "records were lost");
    let zone = Zone::seen(summary.offsets);
    for at in times {
        let _ = zone.clock(at).and_then(|local| zone.instant(local));
    }
}

/// A file that softwareupdated keeps: a property list in any of its forms.
pub fn property_list(data: &[u8]) {
    let host = SameEverywhere(data.to_vec());
    let _ = software_update_preferences(&host);
    let _ = ddm_state(&host);
    let _ = system_version(&host);
}

/// What a command printed, whichever: each reading of an output. No signal goes to launchd or to a whole group.
pub fn commands(data: &[u8]) {
    let mac = SameEverywhere(data.to_vec());
    let _ = (profiles_status(&mac), profiles_list(&mac), management_status(&mac));
    let _ = (identities(&mac), certificates::certificates(&mac), awake_since(&mac));
    let told = Clock::new(&mac).look().is_ok_and(|clocks| clocks.boot.is_some());
    assert!(!told || String::from_utf8_lossy(data).trim().len() == 36, "that is no boot");
    for daemon in [Daemon::Mdmclient, Daemon::Softwareupdated] {
        assert!(actions::pids(&mac, daemon).unwrap_or_default().iter().all(|pid| *pid > 1));
    }
}

/// A Mac all of whose files are the same, and all of whose commands print that too.
struct SameEverywhere(Vec<u8>);

impl Host for SameEverywhere {
    fn run(&self, _: Command) -> Result<Output, HostError> {
        Ok(Output { code: Some(0), stdout: self.0.clone(), stderr: String::new() })
    }

    fn open_log(&self, _: Span) -> Result<Box<dyn LogSource>, HostError> {
        Err(HostError::NotCaptured { capture: "it".into(), missing: "log".to_owned() })
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
        Some(mdm_health::Time::UNIX_EPOCH)
    }

    fn uptime(&self) -> Result<i64, HostError> {
        Ok(0)
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

/// A policy. Whatever it says, a daemon is not restarted more than once an hour, and what is not understood is safe.
pub fn policy(data: &[u8]) {
    let policy = Policy::from_plist(data, "/p");
    assert!(policy.minimum_hours >= 1 && policy.limit().num_hours() >= 1, "{policy:?}");
    assert!(policy.automatic_minutes.is_none_or(|minutes| minutes >= 30), "{policy:?}");
    let safe = |error: &String| match error.split_whitespace().nth(1) {
        Some("AllowForce") => !policy.allow_force,
        Some("AllowedActions") => policy.allowed_actions.is_empty(),
        Some("MinimumHours") => policy.minimum_hours == Policy::default().minimum_hours,
        Some("AutomaticHealMinutes") => policy.automatic_minutes.is_none(),
        _ => false,
    };
    assert!(!policy.enabled || policy.errors.iter().all(safe), "{policy:?}");
}

/// A command line as osquery would write it, a word a line. No wait that it sets is without end.
pub fn arguments(data: &[u8]) {
    let words = data.split(|byte| *byte == b'\n').map(|word| OsString::from_vec(word.to_vec())).collect();
    if let Some([timeout, interval]) = hostile::arguments(words) {
        assert!(timeout.as_secs() <= 3600 && (1..=3600).contains(&interval.as_secs()), "{timeout:?} {interval:?}");
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
