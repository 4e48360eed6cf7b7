//! A Mac below a root folder: scripts as its commands (`tests/heal_mac`), files as its state.

use super::fake_mac::PLATFORM;
use super::folder;
use chrono::{DateTime, Utc};
use mdm_health::collect::Collector;
use mdm_health::heal::{Healer, Request};
use mdm_health::host::{Host, Live};
use mdm_health::log::ReadOptions;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

/// The time for which the log is written.
pub const NOW: &str = "2026-11-23T18:00:00Z";

/// A command, and the script that replaces it.
const COMMANDS: [(&str, &str); 10] = [
    ("bin/launchctl", "launchctl"),
    ("bin/kill", "kill"),
    ("bin/ps", "ps"),
    ("usr/bin/dscacheutil", "act"),
    ("usr/bin/killall", "act"),
    ("usr/bin/pkill", "act"),
    ("usr/bin/log", "log"),
    ("usr/bin/profiles", "say"),
    ("usr/sbin/sysctl", "say"),
    ("usr/sbin/ioreg", "say"),
];

/// The root folder, deleted on drop.
pub struct HealMac {
    folder: TempDir,
}

impl HealMac {
    /// An enrolled, healthy Mac with both daemons running and an empty log.
    pub fn new() -> Self {
        let mac = Self { folder: folder() };
        let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/heal_mac");
        for (command, script) in COMMANDS {
            let path = mac.root().join(command);
            fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
            symlink(scripts.join(script), path).expect("a link");
        }
        mac.write("System/Library/CoreServices/SystemVersion.plist", "<plist version=\"1.0\"><dict/></plist>");
        mac.write(
            "private/var/log/install.log",
            "2026-11-23 10:00:00-08 mac softwareupdated[301]: SUScan: Elapsed scan time = 4.5\n",
        );
        for (file, text) in [
            ("acts", ""),
            ("delay", "0"),
            ("launchctl", "works"),
            ("print", "works"),
            ("kill", "respawns"),
            ("ps", "works"),
            ("log", "works"),
            ("daemons/com.apple.mdmclient.daemon", "300"),
            ("daemons/com.apple.softwareupdated", "301"),
            (
                "profiles",
                "Enrolled via DEP: Yes\nMDM enrollment: Yes (User Approved)\nMDM server: https://mdm.example.com\n",
            ),
            (
                "awake",
                "{ sec = 1795280000, usec = 0 } Sat Nov 21 17:33:20 2026\n{ sec = 0, usec = 0 } Thu Jan  1 00:00:00 1970\n",
            ),
            ("platform", PLATFORM),
            ("boot", "11111111-2222-3333-4444-555555555555\n"),
        ] {
            mac.set(file, text);
        }
        mac.say(&[]);
        mac
    }

    /// A Mac whose mdmclient received a command about OS updates two and a half hours ago and never answered it: both
    /// `…_stuck` columns are 1, and the state is stuck.
    pub fn stuck() -> Self {
        let mac = Self::new();
        mac.say(&[
            mdmclient("15:10:00", "<<<<< Received HTTP response (200) [Idle] <<<<<"),
            mdmclient(
                "15:30:00",
                "Processing server request: ScheduleOSUpdate for: <Device> (0001_ScheduleOSUpdate) PowerNap: no",
            ),
        ]);
        mac
    }

    /// A Mac whose mdmclient was just restarted, so that the limit is closed.
    pub fn restarted() -> (Self, Healer) {
        let mac = Self::stuck();
        let healer = mac.healer(&mac.collector(Box::new(mac.live())), Duration::from_secs(60));
        assert_eq!(healer.request(&Request::new("restart_mdmclient", Some("INC-42"))), Ok(1));
        (mac, healer)
    }

    /// The Mac's root directory.
    pub fn root(&self) -> &Path {
        self.folder.path()
    }

    /// The state folder of mdm-health.
    pub fn state_dir(&self) -> PathBuf {
        self.root().join("Library/Application Support/mdm-health")
    }

    /// Sets how the Mac behaves: a file in `fake`, see `tests/heal_mac/README.md`.
    pub fn set(&self, file: &str, text: &str) {
        self.write(&format!("fake/{file}"), text);
    }

    /// The content of a file in `fake`.
    pub fn get(&self, file: &str) -> String {
        fs::read_to_string(self.root().join("fake").join(file)).expect("a file").trim().to_owned()
    }

    /// Writes a file that only its owner can write, in a folder that only its owner can write.
    pub fn write(&self, path: &str, text: impl AsRef<[u8]>) {
        let path = self.root().join(path);
        let folder = path.parent().expect("a parent");
        fs::create_dir_all(folder).expect("a folder");
        fs::set_permissions(folder, Permissions::from_mode(0o755)).expect("permissions");
        fs::write(&path, text).expect("a file");
        fs::set_permissions(&path, Permissions::from_mode(0o644)).expect("permissions");
    }

    /// Replaces the log with these records.
    pub fn say(&self, records: &[String]) {
        self.set("log.ndjson", &log(records));
    }

    /// Makes these records the log once a daemon was looked up, which is right before it is restarted.
    pub fn say_later(&self, records: &[String]) {
        self.set("later.ndjson", &log(records));
    }

    /// The commands that changed something, in order.
    pub fn acts(&self) -> Vec<String> {
        self.get("acts").lines().map(str::to_owned).collect()
    }

    /// How often a kickstart of a daemon was run.
    pub fn restarts(&self, label: &str) -> usize {
        self.acts()
            .iter()
            .filter(|act| act.starts_with("launchctl kickstart -k system/") && act.ends_with(label))
            .count()
    }

    /// The live host at `NOW`.
    pub fn live(&self) -> Live {
        Live::new(self.root().to_owned(), Some(now()))
    }

    /// Carries requests out on this Mac.
    pub fn healer(&self, collector: &Arc<Collector>, timeout: Duration) -> Healer {
        Healer::new(collector.clone(), Some(self.live().actor()), timeout)
    }

    /// A collector whose state folder is this Mac's.
    pub fn collector(&self, host: Box<dyn Host>) -> Arc<Collector> {
        Collector::new(host, ReadOptions::default(), self.state_dir(), None)
    }

    /// The program on this Mac at `NOW`.
    #[allow(clippy::disallowed_methods)]
    pub fn program(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mdm-health"));
        command.arg("--root").arg(self.root()).args(["--now", NOW]).args(arguments);
        command
    }
}

/// Records as `log show` prints them.
fn log(records: &[String]) -> String {
    let lines: String = records.iter().map(|record| format!("{record}\n")).collect();
    format!("{lines}{{\"count\":{},\"finished\":1}}\n", records.len())
}

/// `NOW`.
pub fn now() -> DateTime<Utc> {
    DateTime::parse_from_rfc3339(NOW).expect("a time").to_utc()
}

/// A log record of mdmclient on the day of `NOW`.
pub fn mdmclient(time: &str, message: &str) -> String {
    record(time, "/usr/libexec/mdmclient", "com.apple.ManagedClient", message)
}

/// The same record without the user who wrote it.
pub fn without_user(record: &str) -> String {
    let mut record: serde_json::Value = serde_json::from_str(record).expect("a record");
    record.as_object_mut().and_then(|record| record.remove("userID")).expect("a user");
    record.to_string()
}

/// The same record by another user.
pub fn by_user(uid: u32, record: &str) -> String {
    let mut record: serde_json::Value = serde_json::from_str(record).expect("a record");
    record.as_object_mut().and_then(|record| record.insert("userID".to_owned(), uid.into())).expect("a user");
    record.to_string()
}

/// A progress record of softwareupdated on the day of `NOW`.
pub fn progress(time: &str, kind: &str, phase: &str) -> String {
    record(
        time,
        "/System/Library/CoreServices/Software Update.app/Contents/Resources/softwareupdated",
        "com.apple.SoftwareUpdateMacController",
        &format!(
            "[SUMacControllerProgressManager] Reported progress ({kind}): phase:{phase} stalled:NO portionComplete:0.010000 estimatedTimeRemaining:-1.000000"
        ),
    )
}

fn record(time: &str, image: &str, subsystem: &str, message: &str) -> String {
    serde_json::json!({
        "timestamp": format!("2026-11-23 {time}.000000+0000"),
        "eventType": "logEvent",
        "messageType": "Default",
        "processImagePath": image,
        "subsystem": subsystem,
        "category": "",
        "eventMessage": message,
        "userID": if image.starts_with("/System/") { 200 } else { 0 },
        "processID": 300,
        "threadID": 77,
        "bootUUID": "11111111-2222-3333-4444-555555555555",
        "machTimestamp": 1,
    })
    .to_string()
}
