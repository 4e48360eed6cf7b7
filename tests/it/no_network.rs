//! The program opens no network socket, only local ones. strace watches it; without strace nothing is tested.
#![allow(clippy::disallowed_methods, reason = "the tests start the program itself")]

use crate::support;
use crate::support::extension::Extension;
use crate::support::heal_mac::{HealMac, NOW};
use crate::support::manager::Manager;
use std::fs;
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

/// The system calls by which a program reaches others.
const CALLS: &str = "trace=socket,socketpair,connect,bind,sendto,sendmsg,execve";

/// Runs the program under strace, which writes its system calls and its children's to a file.
struct Watched(TempDir);

impl Watched {
    fn new() -> Option<Self> {
        if Command::new("strace")
            .args(["-f", "-e", "trace=socket", "true"])
            .output()
            .is_ok_and(|run| run.status.success())
        {
            return Some(Self(tempfile::tempdir().unwrap()));
        }
        eprintln!("not tested: strace is missing or not permitted");
        None
    }

    fn calls(&self) -> String {
        fs::read_to_string(self.0.path().join("calls")).unwrap()
    }

    fn arguments<'a>(&self, calls: &'a Path) -> [&'a str; 6] {
        ["-f", "-A", "-e", CALLS, "-o", calls.to_str().unwrap()]
    }

    fn run(&self, mac: &HealMac, arguments: &[&str]) {
        let calls = self.0.path().join("calls");
        let mut program = Command::new("strace");
        program.args(self.arguments(&calls)).arg(env!("CARGO_BIN_EXE_mdm-health"));
        program.arg("--root").arg(mac.root()).args(["--now", NOW]).args(arguments);
        let output = program.env_remove("MDM_HEALTH_SOURCE").output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

/// Checks that there are calls and that every socket among them is local.
fn all_local(calls: &str) {
    assert!(calls.contains("execve("), "strace saw the program");
    for call in calls.lines() {
        let opens = call.contains(" socket(") || call.contains(" socketpair(");
        assert!(!opens || call.contains("(AF_UNIX, "), "{call}");
        assert!(!call.contains("AF_INET") && !call.contains("AF_NETLINK"), "{call}");
    }
}

#[test]
fn no_subcommand_opens_a_network_socket() {
    let Some(watched) = Watched::new() else { return };
    let _log = support::system_log(false);
    let mac = HealMac::stuck();
    mac.write(
        "Library/Managed Preferences/org.mdm-health.plist",
        "<?xml version=\"1.0\"?><plist version=\"1.0\"><dict><key>AutomaticHealMinutes</key><integer>95</integer></dict></plist>",
    );
    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    watched.run(&mac, &["query", "SELECT * FROM mdm_watchdog, mdm_health_status"]);
    watched.run(&mac, &["diagnose", "--syslog"]);
    watched.run(&mac, &["heal", "--automatic", "--syslog"]);
    watched.run(&mac, &["capture", &place("capture")]);
    watched.run(&mac, &["capture", &place("capture.tar.gz")]);
    watched.run(&mac, &["diagnose", "--source", &place("capture.tar.gz")]);
    let calls = watched.calls();
    all_local(&calls);
    assert!(calls.contains("socket(AF_UNIX, SOCK_DGRAM"), "the system log was written");
    assert!(mac.acts().len() == 5, "something was restarted");
}

#[test]
fn the_extension_opens_no_network_socket() {
    let Some(watched) = Watched::new() else { return };
    let (folder, mac) = (tempfile::tempdir().unwrap(), HealMac::stuck());
    let manager = Manager::start(folder.path());
    let calls = watched.0.path().join("calls");
    let (socket, root) = (manager.socket.to_str().unwrap(), mac.root().to_str().unwrap());
    let program = [env!("CARGO_BIN_EXE_mdm-health"), "--socket", socket, "--timeout", "30", "--interval", "1"];
    let arguments = [&watched.arguments(&calls)[..], &program, &["--root", root, "--now", NOW]].concat();
    let extension = Extension::run_as("strace", &arguments);
    let peer = manager.extension();
    for table in mdm_health::tables::DEFINITIONS {
        assert_eq!(peer.generate(table.name, "{}").code, 0, "{}", table.name);
    }
    peer.shutdown().unwrap();
    assert_eq!(extension.end().0, Some(0));
    all_local(&watched.calls());
}
