//! What the fuzz targets and the tests of their seeds feed with bytes of any kind: one function a target. Each checks
//! what must hold whatever the bytes are.
#![allow(dead_code, reason = "each target uses its own part")]

#[path = "log_archive.rs"]
pub mod log_archive;

use flate2::Compression;
use flate2::write::GzEncoder;
use mdm_health::collect::{self, Collector};
use mdm_health::event;
use mdm_health::facts::certificates::read_certificates;
use mdm_health::facts::policy::Policy;
use mdm_health::facts::zone::Zone;
use mdm_health::heal::clock::Clock;
use mdm_health::heal::processes::Processes;
use mdm_health::health::{Evidence, Findings};
use mdm_health::host::{
    Bookmark, Command, Daemon, FileEnd, Growth, Host, HostError, Live, LogSource, Output, Recorded, pieces,
};
use mdm_health::log::old_dates::OldDates;
use mdm_health::log::{ReadOptions, install_log, read_log};
use mdm_health::osquery::hostile;
use mdm_health::property_list::old_style;
use mdm_health::redact::{Seeds, redact};
use mdm_health::vocabulary::codes::SourceReason;
use mdm_health::vocabulary::{Freshness, Span};
use memchr::memmem;
use std::ffi::OsString;
use std::fs;
use std::io::{Read, Write};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};
use std::time::Duration;
use tempfile::TempDir;

/// A target's name and its function.
pub type Entry = (&'static str, fn(&[u8]));

/// Every target.
pub const ENTRIES: &[Entry] = &[
    ("archives", archives),
    ("arguments", arguments),
    ("captures", captures),
    ("certificates", certificates),
    ("commands", commands),
    ("install_log", install_log),
    ("install_log_growth", install_log_growth),
    ("log", log),
    ("log_strings", log_archive::strings),
    ("old_plist", old_plist),
    ("osquery_calls", osquery_calls),
    ("policy", policy),
    ("property_list", property_list),
    ("redaction", redaction),
    ("thrift_messages", thrift_messages),
    ("tracev3", log_archive::tracev3),
];

/// A log in any style. Every record is counted, those that are no messages too, and lies within the reported span.
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
    let dates = OldDates { until: mdm_health::vocabulary::Time::UNIX_EPOCH, instant: &|local| Some(local.and_utc()) };
    let summary = install_log::read(data, &dates, |record| {
        times.push(record.at);
        let _ = event::install_log::recognise(&record);
    });
    assert!(summary.records >= times.len() as u64, "records were lost");
    let zone = Zone::seen(summary.offsets);
    for at in times {
        let _ = zone.clock(at).and_then(|local| zone.instant(local));
    }
}

/// install.log that grows by one piece after the other, each behind `=== `, and is read whenever it grew. Who follows it
/// says what one says who reads it once.
pub fn install_log_growth(data: &[u8]) {
    const FIRST: &[u8] = b"2026-11-23 11:59:00+00 mac softwareupdated[9]: Scan (f=1, d=0) completed\n";
    let Ok(root) = tempfile::tempdir() else { panic!("there is no place for a log") };
    let path = root.path().join("private/var/log/install.log");
    assert!(fs::create_dir_all(path.parent().unwrap_or(&path)).is_ok());
    let nowhere = PathBuf::from("/dev/null");
    let collector = || {
        let live = Live::new(root.path().to_owned(), Some(mdm_health::vocabulary::Time::UNIX_EPOCH));
        let host = Box::new(SameEverywhere { bytes: Vec::new(), install_log: Some(live) });
        Collector::new(host, ReadOptions::default(), nowhere.clone(), Some(nowhere.clone()))
    };
    let follower = collector();
    let mut text = FIRST;
    let mut rest = data;
    while !text.is_empty() || !rest.is_empty() {
        let file = fs::OpenOptions::new().append(true).create(true).open(&path);
        assert!(file.is_ok_and(|mut file| file.write_all(text).is_ok()));
        follower.refresh();
        let end = memmem::find(rest, b"=== ").unwrap_or(rest.len());
        (text, rest) = (rest.get(..end).unwrap_or_default(), rest.get(end + 4..).unwrap_or_default());
    }
    let told = |collector: &Arc<Collector>| {
        collector.refresh();
        let evidence = &collector.findings(Duration::ZERO).evidence;
        let status = &evidence.install_log.status;
        let status = (status.state, status.reason, status.detail.clone(), status.counts);
        format!("{status:?} {:?} {:?}", evidence.install_log.now, evidence.zone)
    };
    assert_eq!(told(&follower), told(&collector()));
}

/// A file that softwareupdated keeps: a property list in any of its forms.
pub fn property_list(data: &[u8]) {
    ask_every_source(&SameEverywhere { bytes: data.to_vec(), install_log: None });
}

/// What any command printed: each reading of an output. No signal goes to launchd or to a whole group.
pub fn commands(data: &[u8]) {
    let mac = SameEverywhere { bytes: data.to_vec(), install_log: None };
    ask_every_source(&mac);
    let told = Clock::new(&mac).look().is_ok_and(|clocks| clocks.boot.is_some());
    assert!(!told || String::from_utf8_lossy(data).trim().len() == 36, "that is no boot");
    for daemon in [Daemon::Mdmclient, Daemon::Softwareupdated] {
        let pids = Processes::find(&mac, daemon).map(|found| found.pids).unwrap_or_default();
        assert!(pids.iter().all(|pid| *pid > 1));
    }
}

fn ask_every_source(host: &dyn Host) {
    let now = mdm_health::vocabulary::Time::UNIX_EPOCH;
    let mut evidence = Evidence::unread(now);
    for source in evidence.asked() {
        source.ask(host, Freshness::Usual, now);
    }
    assert!(evidence.asked().iter_mut().all(|source| source.status_mut().reason != Some(SourceReason::Collecting)));
}

/// A Mac all of whose files are the same, and all of whose commands print that too. A live one has an install.log.
struct SameEverywhere {
    bytes: Vec<u8>,
    install_log: Option<Live>,
}

impl Host for SameEverywhere {
    fn run(&self, _: Command) -> Result<Output, HostError> {
        Ok(Output { code: Some(0), stdout: self.bytes.clone(), stderr: String::new() })
    }

    fn open_log(&self, _: Span, _: &str) -> Result<Box<dyn LogSource>, HostError> {
        Err(HostError::NotCaptured { capture: "it".into(), missing: "log".to_owned() })
    }

    fn read_file(&self, _: &str) -> Result<Vec<u8>, HostError> {
        Ok(self.bytes.clone())
    }

    fn read_file_end(&self, _: &str, _: u64) -> Result<FileEnd, HostError> {
        Ok(FileEnd { bytes: self.bytes.clone(), ..FileEnd::default() })
    }

    fn read_growth(&self, path: &str, limit: u64, known: Option<&Bookmark>) -> Result<Growth, HostError> {
        match &self.install_log {
            Some(live) => live.read_growth(path, limit, known),
            None => self.read_file_end(path, limit).map(|end| Growth::Anew { end, look: None }),
        }
    }

    fn read_trusted(&self, _: &str) -> Result<Option<Vec<u8>>, HostError> {
        Ok(Some(self.bytes.clone()))
    }

    fn now(&self) -> Option<mdm_health::vocabulary::Time> {
        Some(mdm_health::vocabulary::Time::UNIX_EPOCH)
    }

    fn uptime(&self) -> Result<Duration, HostError> {
        Ok(Duration::ZERO)
    }

    fn is_live(&self) -> bool {
        self.install_log.is_some()
    }
}

/// An old-style property list, whole and behind a head line.
pub fn old_plist(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let _ = old_style::parse(&text);
    let _ = old_style::dictionary_after(&text, "Daemon response");
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
        Some("MinimumHours") => policy.minimum_hours >= Policy::default().minimum_hours,
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
    let (folder, mac) = capture(&files(&text));
    let findings = Findings::new(collect::evidence(&mac, &ReadOptions::default(), folder.path()));
    for table in hostile::tables(mac) {
        let (definition, rows) = (table.definition(), table.rows(&findings));
        assert!(rows.iter().all(|row| row.len() == definition.columns.len()), "{}", definition.name);
        let tells_a_state = matches!(definition.name, "mdm_watchdog" | "mdm_enrollment" | "mdm_health_status");
        assert!(!tells_a_state || !rows.is_empty(), "{} is silent", definition.name);
    }
}

/// A packed capture: the bytes as they are, and as a tar that is packed here, with the sums in its headers put right.
/// Whatever is read of that lies in it.
pub fn archives(data: &[u8]) {
    let mut tar = data.to_vec();
    for block in tar.chunks_exact_mut(512).filter(|block| block.get(257..262) == Some(b"ustar")) {
        let mut header = tar::Header::from_byte_slice(block).clone();
        header.set_cksum();
        block.copy_from_slice(header.as_bytes());
    }
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    let packed = packed.write_all(&tar).and_then(|()| packed.finish()).unwrap_or_default();
    let _ = pieces(data);
    let plain = if tar.starts_with(&[0x1f, 0x8b]) { Vec::new() } else { pieces(&tar) };
    for piece in [pieces(&packed), plain].concat() {
        assert!(memmem::find(&tar, &piece).is_some(), "nothing such is in the archive: {piece:?}");
    }
}

/// What is read of a packed capture.
fn pieces(packed: &[u8]) -> Vec<Vec<u8>> {
    let Ok(mut file) = tempfile::NamedTempFile::new() else { panic!("there is no place for an archive") };
    assert!(file.write_all(packed).is_ok());
    let Ok(mac) = Recorded::open(file.path(), None) else { return Vec::new() };
    let outputs = COMMANDS.iter().map(|command| mac.run(*command).map(|output| output.stdout));
    let path = |path: &str| path.trim_start_matches("root").to_owned();
    let whole = FILES.iter().map(|(_, file)| mac.read_file(&path(file)));
    let ends = FILES.iter().map(|(_, file)| mac.read_file_end(&path(file), 100).map(|end| end.bytes));
    let mut pieces: Vec<_> = outputs.chain(whole).chain(ends).chain([mac.recorded_restarts()]).flatten().collect();
    if let Ok(mut log) = mac.open_log(
        Span { from: mdm_health::vocabulary::Time::UNIX_EPOCH, to: mdm_health::vocabulary::Time::UNIX_EPOCH },
        "",
    ) {
        let mut text = Vec::new();
        assert!(log.read_to_end(&mut text).is_err() || log.size() >= Some(text.len() as u64));
        pieces.push(text);
    }
    pieces
}

/// What says whose Mac a capture is of, and the texts that are to be nowhere after redaction.
const OWNER: &str = "SerialNumber = C02ZK1ABMD6T; OrganizationName = \"Acmé & Söhne\"; Email = grace@acme.test";
const PRIVATE: &[&str] = &["c02zk1abmd6t", "acmé & söhne", "acmé &amp; söhne", "grace@acme.test"];

/// A capture folder in the same form, redacted. Versions, exit codes and times are copied as they are.
pub fn redaction(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (whole, _) = capture(&files(&text));
    let Ok(redacted) = tempfile::tempdir() else { panic!("there is no place for a capture") };
    assert!(fs::write(whole.path().join("commands/profiles-list.err"), OWNER).is_ok());
    if let Err(error) = redact(whole.path(), redacted.path(), &Seeds::default()) {
        panic!("{error}");
    }
    for path in pieces::files(redacted.path()).unwrap_or_default() {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name != "capture.json" && name != "awake.out" && !name.ends_with(".code") {
            let text = fs::read(&path).unwrap_or_default().to_ascii_lowercase();
            let left = PRIVATE.iter().find(|private| memmem::find(&text, private.as_bytes()).is_some());
            assert_eq!(left, None, "in {name}");
        }
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

/// The commands whose answers it may hold.
const COMMANDS: &[Command] = &[
    Command::ProfilesStatus,
    Command::ProfilesList,
    Command::ManagementStatus,
    Command::Identities,
    Command::Certificates,
    Command::Awake,
];

/// Files, each behind a line `=== NAME`.
fn files(text: &str) -> Vec<(&str, &str)> {
    text.split("=== ").filter_map(|file| file.split_once('\n')).collect()
}

/// What the rules make of a capture folder of those files.
fn findings(files: &[(&str, &str)]) -> Findings {
    let (folder, mac) = capture(files);
    Findings::new(collect::evidence(&mac, &ReadOptions::default(), folder.path()))
}

/// A capture folder of those files. Names outside of a capture are left out; without a description, or with one that is
/// refused, there is one that is not.
fn capture(files: &[(&str, &str)]) -> (TempDir, Recorded) {
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
            ("capture" | "restarts", "json") | ("log", "ndjson") => write(name, text),
            (_, "out" | "err" | "code") if COMMANDS.iter().any(|command| command.name() == stem) => {
                write(&format!("commands/{name}"), text);
            }
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
        Ok(host) => (folder, host),
        Err(error) => panic!("{}: {error}", Path::display(folder.path())),
    }
}
