//! Shared by the tests: a recorded Mac described in a few lines, and its rows.

pub mod captured;
pub mod cost_day;
pub mod extension;
pub mod fake_mac;
pub mod fleet_day;
pub mod heal_mac;
pub mod keychain;
pub mod live_mac;
pub mod manager;
pub mod manager_process;
pub mod processes;
pub mod random;
pub mod set_clock;
pub mod story;
pub mod sysdiagnose;
pub mod target_volume;
pub mod terminal;
pub mod tracev3;
pub mod tracev3_sample;
pub mod update_lines;

use mdm_health::cli::shell::{self, Format};
use mdm_health::collect::{self, Collector};
use mdm_health::heal::Healer;
use mdm_health::health::Findings;
use mdm_health::host::Recorded;
use mdm_health::log::ReadOptions;
use mdm_health::tables::{self, Table, Value};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

pub const ENROLLED: &str =
    "Enrolled via DEP: Yes\nMDM enrollment: Yes (User Approved)\nMDM server: https://mdm.example.com/mdm\n";
pub const NOT_ENROLLED: &str = "Enrolled via DEP: No\nMDM enrollment: No\n";
/// What `scutil --nwi` prints with and without a network.
pub const ONLINE: &str = "Network information\n\nIPv4 network interface information\n     en0 : flags      : 0x5 (IPv4,DNS)\n           \
     address    : 192.0.2.23\n           reach      : 0x00000002 (Reachable)\n\n   REACH : flags 0x00000002 (Reachable)\n\n\
     IPv6 network interface information\n   No IPv6 states found\n\n   REACH : flags 0x00000000 (Not Reachable)\n\n\
     Network interfaces: en0\n";
pub const OFFLINE: &str = "Network information\n\nIPv4 network interface information\n   No IPv4 states found\n\n   \
     REACH : flags 0x00000000 (Not Reachable)\n\nIPv6 network interface information\n   No IPv6 states found\n\n   \
     REACH : flags 0x00000000 (Not Reachable)\n";
pub const MDMCLIENT: &str = "/usr/libexec/mdmclient";

/// How often a test tries what it tries: more often with MDM_HEALTH_THOROUGH=1, which takes minutes.
pub fn tries(usual: usize, thorough: usize) -> usize {
    if std::env::var_os("MDM_HEALTH_THOROUGH").is_some_and(|set| set == "1") { thorough } else { usual }
}

/// A folder for what one Mac consists of: in memory where there is room, since tests make and sync many thousands of small
/// files. TMPDIR wins.
pub fn folder() -> TempDir {
    let has_room = || rustix::fs::statvfs("/dev/shm").is_ok_and(|found| found.f_bavail * found.f_frsize > 1 << 30);
    let in_memory = std::env::var_os("TMPDIR").is_none() && has_room();
    in_memory.then(|| TempDir::new_in("/dev/shm").ok()).flatten().unwrap_or_else(|| TempDir::new().unwrap())
}

/// A capture folder being built. The Mac is enrolled and awake for a week unless set otherwise.
pub struct Mac {
    now: &'static str,
    span: Option<(String, String)>,
    log: Option<String>,
    commands: BTreeMap<&'static str, String>,
    files: BTreeMap<&'static str, String>,
}

impl Mac {
    /// A Mac captured at that time, with a log of the three hours before it that holds one record of another process.
    pub fn at(now: &'static str) -> Self {
        let week = 7 * 86_400;
        let (from, booted) = (time(now) - chrono::TimeDelta::hours(3), time(now).timestamp() - week);
        let mac = Self {
            now,
            span: Some((from.to_rfc3339(), now.to_owned())),
            log: None,
            commands: BTreeMap::new(),
            files: BTreeMap::new(),
        };
        let other = record("/usr/sbin/cfprefsd", &from.format("%F %T%.6f%z").to_string(), 0, 0, "nothing of ours");
        mac.log_text(&format!("{other}\n{{\"count\":1,\"finished\":1}}\n"))
            .command("profiles-status", ENROLLED)
            .awake_since_epoch(booted)
    }

    /// What mdmclient said, a line each: `2026-11-23 17:00:00 >>>>> Sending …`, in UTC or with an offset behind the
    /// time. A path in angle brackets before the message names another process, and a number behind the path its user,
    /// who else is root: `</usr/libexec/mdmclient 501> …`.
    pub fn said(self, lines: &str) -> Self {
        let log = ndjson(lines) + &self.log.clone().unwrap_or_default();
        self.log_text(&log)
    }

    /// The whole log, as `log show --style ndjson` prints it.
    pub fn log_text(mut self, text: &str) -> Self {
        self.log = Some(text.to_owned());
        self
    }

    /// Drops the log's trailer, as when `log show` was killed.
    pub fn cut_off(self) -> Self {
        let log = self.log.clone().unwrap_or_default();
        let kept: Vec<&str> = log.lines().filter(|line| !line.starts_with("{\"count\"")).collect();
        self.log_text(&(kept.join("\n") + "\n"))
    }

    pub fn without_log(mut self) -> Self {
        self.log = None;
        self
    }

    /// Sets the span for which the log was read.
    pub fn log_span(mut self, from: &str, to: &str) -> Self {
        self.span = Some((from.to_owned(), to.to_owned()));
        self
    }

    pub fn command(mut self, name: &'static str, output: &str) -> Self {
        self.commands.insert(name, output.to_owned());
        self
    }

    /// Adds a file at a path of the Mac.
    pub fn file(mut self, path: &'static str, text: &str) -> Self {
        self.files.insert(path, text.to_owned());
        self
    }

    pub fn without_file(mut self, path: &str) -> Self {
        self.files.retain(|one, _| *one != path);
        self
    }

    pub fn without(mut self, command: &str) -> Self {
        self.commands.retain(|name, _| *name != command);
        self
    }

    pub fn awake_since(self, since: &str) -> Self {
        self.awake_since_epoch(time(since).timestamp())
    }

    fn awake_since_epoch(self, since: i64) -> Self {
        let boot = since - 86_400;
        self.command("awake", &format!("{{ sec = {boot}, usec = 0 }} then\n{{ sec = {since}, usec = 0 }} then\n"))
    }

    /// Writes the capture folder.
    pub fn folder(&self) -> TempDir {
        let folder = folder();
        fs::create_dir(folder.path().join("commands")).unwrap();
        let span = self
            .span
            .as_ref()
            .map_or_else(String::new, |(from, to)| format!(", \"log_from\": \"{from}\", \"log_to\": \"{to}\""));
        let description = format!("{{\"captured_at\": \"{}\", \"macos\": \"15.6.1\"{span}}}", self.now);
        fs::write(folder.path().join("capture.json"), description).unwrap();
        if let Some(log) = &self.log {
            fs::write(folder.path().join("log.ndjson"), log).unwrap();
        }
        for (path, text) in &self.files {
            let path = folder.path().join("root").join(path.trim_start_matches('/'));
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        for (name, output) in &self.commands {
            fs::write(folder.path().join(format!("commands/{name}.out")), output).unwrap();
        }
        folder
    }

    /// The findings.
    pub fn findings(&self) -> Findings {
        let folder = self.folder();
        findings(folder.path())
    }

    /// The one row of `mdm_watchdog`.
    pub fn watchdog(&self) -> Row {
        rows(&self.findings(), "mdm_watchdog").remove(0)
    }

    /// A table's rows.
    pub fn rows(&self, table: &str) -> Vec<Row> {
        rows(&self.findings(), table)
    }
}

/// A row by column name.
#[derive(Debug, Clone, PartialEq)]
pub struct Row(BTreeMap<&'static str, Value>);

impl Row {
    pub fn text(&self, column: &str) -> Option<&str> {
        match self.0.get(column).unwrap_or_else(|| panic!("no column {column}")) {
            Value::Text(text) => Some(text),
            Value::Null => None,
            Value::Integer(number) => panic!("{column} is the number {number}"),
        }
    }

    /// A value as text: `-` for NULL.
    pub fn shown(&self, column: &str) -> String {
        match self.0.get(column).unwrap_or_else(|| panic!("no column {column}")) {
            Value::Text(text) => text.to_string(),
            Value::Integer(number) => number.to_string(),
            Value::Null => "-".to_owned(),
        }
    }

    pub fn number(&self, column: &str) -> Option<i64> {
        match self.0.get(column).unwrap_or_else(|| panic!("no column {column}")) {
            Value::Integer(number) => Some(*number),
            Value::Null => None,
            Value::Text(text) => panic!("{column} is the text {text}"),
        }
    }
}

pub fn findings(source: &Path) -> Findings {
    let host = Recorded::open(source, None).unwrap();
    Findings::new(collect::evidence(&host, &ReadOptions::default(), &no_state()))
}

/// A state folder that does not exist.
pub fn no_state() -> PathBuf {
    fixture("quiet-healthy-day/state")
}

/// Every table, over a Mac on which nothing can be changed.
pub fn tables() -> Vec<Box<dyn Table>> {
    let host = Recorded::open(&fixture("quiet-healthy-day"), None).unwrap();
    let collector = Collector::new(Box::new(host), ReadOptions::default(), no_state(), None);
    tables::all(Arc::new(Healer::new(collector, None, Duration::ZERO)))
}

pub fn rows(findings: &Findings, table: &str) -> Vec<Row> {
    let tables = tables();
    let table = tables.iter().find(|one| one.definition().name == table).unwrap_or_else(|| panic!("no table {table}"));
    let names = table.definition().columns.iter().map(|column| column.name);
    table.rows(findings).into_iter().map(|row| Row(names.clone().zip(row).collect())).collect()
}

/// The rows of a query, as its JSON says them.
pub fn query(sql: &str, findings: &Arc<Findings>) -> Vec<serde_json::Value> {
    let findings = findings.clone();
    let printed = shell::query(sql, Format::Json, tables(), move || findings.clone());
    serde_json::from_str(&printed.unwrap_or_else(|error| panic!("{error}: {sql}"))).unwrap()
}

/// The fixtures, by name.
pub fn captures() -> BTreeMap<String, PathBuf> {
    let within = |folder: &str| fs::read_dir(fixture(folder)).unwrap().map(|entry| entry.unwrap().path());
    let folders = within("").chain(within("updates")).filter(|path| path.join("capture.json").exists());
    folders.map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), path)).collect()
}

pub fn time(text: &str) -> mdm_health::vocabulary::Time {
    text.parse().unwrap()
}

/// Lines in the format of `said`, as ndjson without a trailer.
pub fn ndjson(lines: &str) -> String {
    let mut text = String::new();
    for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (at, rest) = line.split_at(19);
        let (fraction, rest) = rest.split_once(' ').unwrap();
        let at = if fraction.contains(['+', '-']) { format!("{at}{fraction}") } else { format!("{at}{fraction}+0000") };
        let (image, message) = match rest.strip_prefix("</").and_then(|rest| rest.split_once("> ")) {
            Some((image, message)) => (format!("/{image}"), message),
            None => (MDMCLIENT.to_owned(), rest),
        };
        let by_user = || image.rsplit_once(' ').and_then(|(image, uid)| Some((image, uid.parse().ok()?)));
        let (image, uid) = by_user().unwrap_or((&image, 0));
        text += &record_by(uid, image, &at, 300, 0x6c0d, message);
        text.push('\n');
    }
    text
}

/// One ndjson record of root's in the shape seen on macOS 26.
pub fn record(image: &str, at: &str, pid: u32, thread: u64, message: &str) -> String {
    record_by(0, image, at, pid, thread, message)
}

fn record_by(uid: i64, image: &str, at: &str, pid: u32, thread: u64, message: &str) -> String {
    let quoted = |text: &str| serde_json::to_string(text).unwrap().replace('/', "\\/");
    format!(
        "{{\"timezoneName\":\"\",\"messageType\":\"Default\",\"eventType\":\"logEvent\",\"source\":null,\"userID\":{uid},\
         \"subsystem\":\"com.apple.ManagedClient\",\"category\":\"HTTPUtil\",\"threadID\":{thread},\"bootUUID\":\"B\",\
         \"processImagePath\":{},\"timestamp\":\"{at}\",\"machTimestamp\":1,\"eventMessage\":{},\"processID\":{pid}}}",
        quoted(image),
        quoted(message),
    )
}

/// A lock on this machine's system log, across threads and test runs: the test that listens in its place locks it
/// alone, tests that write with `--syslog` share it.
pub fn system_log(alone: bool) -> File {
    let path = std::env::temp_dir().join("mdm-health-tests-system-log.lock");
    let file = File::options().create(true).append(true).open(path).unwrap();
    if alone { file.lock() } else { file.lock_shared() }.unwrap();
    file
}

/// A file of other people's captures, where they are present.
pub fn capture(name: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data").join(name);
    if !path.exists() {
        eprintln!("{} is missing: this test checks nothing", path.display());
        return None;
    }
    Some(path)
}

/// A capture with three commands, one of them never answered.
pub fn three_commands() -> TempDir {
    Mac::at("2026-11-23T18:00:00Z")
        .said(
            "2026-11-23 17:00:00 Processing server request: DeviceInformation for: <Device> (A-1) PowerNap: no
             2026-11-23 17:00:01 >>>>> Sending HTTP request (PUT) [Acknowledged(DeviceInformation):A-1] >>>>>
             2026-11-23 17:00:02 <<<<< Received HTTP response (200) [Acknowledged(DeviceInformation):A-1] <<<<<
             2026-11-23 17:10:00 Processing server request: ProfileList for: <Device> (A-2) PowerNap: no
             2026-11-23 17:10:01 >>>>> Sending HTTP request (PUT) [Acknowledged(ProfileList):A-2] >>>>>
             2026-11-23 17:10:02 <<<<< Received HTTP response (200) [Acknowledged(ProfileList):A-2] <<<<<
             2026-11-23 17:20:00 Processing server request: ScheduleOSUpdate for: <Device> (A-3) PowerNap: no",
        )
        .folder()
}

/// A fixture: a readable capture of our own.
pub fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}
