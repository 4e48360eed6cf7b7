//! A live Mac made from a fixture: the fixture's content, and a complete enrollment for what it lacks.

use super::fake_mac::{FakeMac, SYSTEM_VERSION};
use super::keychain::{Keychain, MANAGED, profiles_list, scep};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output};

/// The commands of a capture: name, path, first argument.
const COMMANDS: [(&str, &str, &str); 7] = [
    ("profiles-status", "/usr/bin/profiles", "status"),
    ("profiles-list", "/usr/bin/profiles", "-C"),
    ("management-status", "/usr/libexec/mdmclient", "DumpManagementStatus"),
    ("identities", "/usr/bin/security", "find-identity"),
    ("certificates", "/usr/bin/security", "find-certificate"),
    ("awake", "/usr/sbin/sysctl", "-n"),
    ("network", "/usr/sbin/scutil", "--nwi"),
];

const PREFERENCES: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<plist version=\"1.0\"><dict><key>AutomaticDownload</key><true/>\
     <key>LastSuccessfulDate</key><date>2026-11-23T10:00:00Z</date></dict></plist>";
const SYSTEM: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<plist version=\"1.0\"><dict><key>ProductBuildVersion</key><string>24G90</string>\
     <key>ProductVersion</key><string>15.6.1</string></dict></plist>";

/// The Mac, and the time for which it is read.
pub struct Captured {
    pub mac: FakeMac,
    pub now: String,
    /// Its time zone in POSIX form, for TZ.
    pub zone: &'static str,
}

impl Captured {
    /// The Mac that a fixture records.
    pub fn of(fixture: &Path, zone: &'static str) -> Self {
        let read = |piece: &str| fs::read_to_string(fixture.join(piece)).ok();
        let description: serde_json::Value = serde_json::from_str(&read("capture.json").unwrap()).unwrap();
        let now = description["captured_at"].as_str().unwrap().to_owned();
        let mac = FakeMac::new();
        let keychain = Keychain::at(&now).identity("C02XXXXXXXXX", "Example CA", -100..265);
        let identities = keychain.identities();
        let list = profiles_list(&scep("C02XXXXXXXXX"));
        for (name, path, first) in COMMANDS {
            let usual = match name {
                "profiles-list" => &list,
                "management-status" => MANAGED,
                "identities" => &identities,
                "certificates" => keychain.certificates(),
                "profiles-status" => super::ENROLLED,
                "network" => super::ONLINE,
                _ => "{ sec = 1763300000, usec = 0 } then\n{ sec = 0, usec = 0 } then\n",
            };
            // A fixture with identities has the matching certificates.
            let recorded = read(&format!("commands/{name}.out"));
            mac.answers(path, first, recorded.as_deref().unwrap_or(usual));
        }
        mac.platform()
            .file(SYSTEM_VERSION, SYSTEM)
            .file("/Library/Preferences/com.apple.SoftwareUpdate.plist", PREFERENCES)
            .file(
                "/private/var/log/install.log",
                "2026-11-20 10:00:00-08 mac softwareupdated[301]: SUScan: Elapsed scan time = 4.5\n",
            );
        let log = read("log.ndjson").unwrap();
        let records: String =
            log.lines().filter(|line| !line.starts_with("{\"count\"")).map(|line| format!("{line}\n")).collect();
        mac.log(&records);
        copy(&fixture.join("root"), mac.root());
        let version = fs::read_to_string(mac.path(SYSTEM_VERSION)).unwrap();
        mac.file(SYSTEM_VERSION, &version);
        Self { mac, now, zone }
    }

    /// Runs the program on this Mac.
    pub fn live(&self, arguments: &[&str]) -> Output {
        self.program(&self.of_this_mac(arguments)).output().unwrap()
    }

    /// Starts the program on this Mac.
    pub fn start(&self, arguments: &[&str]) -> Child {
        self.program(&self.of_this_mac(arguments)).spawn().unwrap()
    }

    /// Runs the program on a capture.
    pub fn recorded(&self, capture: &Path, arguments: &[&str]) -> Output {
        self.program(&[arguments, &["--source", capture.to_str().unwrap()]].concat()).output().unwrap()
    }

    fn of_this_mac<'a>(&'a self, arguments: &[&'a str]) -> Vec<&'a str> {
        [arguments, &["--root", self.mac.root().to_str().unwrap(), "--now", &self.now]].concat()
    }

    #[allow(clippy::disallowed_methods, reason = "the tests start the program itself")]
    fn program(&self, arguments: &[&str]) -> Command {
        let mut program = Command::new(env!("CARGO_BIN_EXE_mdm-health"));
        program.args(arguments).env_remove("MDM_HEALTH_SOURCE").env("TZ", self.zone);
        program
    }

    /// Captures the Mac; returns the capture and what was printed.
    pub fn capture(&self, into: &Path, name: &str, arguments: &[&str]) -> (PathBuf, String) {
        let to = into.join(name);
        let output = self.live(&[&["capture", to.to_str().unwrap()], arguments].concat());
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        (to, String::from_utf8(output.stdout).unwrap())
    }
}

/// Copies a folder, if it exists.
fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).into_iter().flatten() {
        let (path, to) = (entry.as_ref().unwrap().path(), to.join(entry.unwrap().file_name()));
        if path.is_dir() {
            fs::create_dir_all(&to).unwrap();
            copy(&path, &to);
        } else {
            fs::copy(&path, &to).unwrap();
        }
    }
}
