//! `--syslog`: the entries that arrive. Tested only as root on a machine without a system log, which the test replaces.

use crate::support;
use crate::support::heal_mac::HealMac;
use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::Path;

/// Where syslog(3) writes on Linux.
const LOG: &str = "/dev/log";

/// Stands in for this machine's system log.
struct SystemLog(UnixDatagram);

impl SystemLog {
    fn begin() -> Option<Self> {
        if fs::symlink_metadata(LOG).is_ok() || !rustix::process::geteuid().is_root() {
            return None;
        }
        let socket = UnixDatagram::bind(LOG).ok()?;
        socket.set_nonblocking(true).unwrap();
        Some(Self(socket))
    }

    /// The entries of mdm-health so far.
    fn entries(&self) -> Vec<String> {
        let mut entry = vec![0; 64 << 10];
        let received = std::iter::from_fn(|| self.0.recv(&mut entry).ok().map(|length| entry[..length].to_vec()));
        let texts = received.map(|entry| String::from_utf8(entry).unwrap());
        texts.filter_map(|text| Some(text.split_once(" mdm-health: ")?.1.to_owned())).collect()
    }
}

impl Drop for SystemLog {
    fn drop(&mut self) {
        let _ = fs::remove_file(Path::new(LOG));
    }
}

#[test]
fn one_entry_with_all_lines_is_logged_in_every_output_format() {
    let _alone = support::system_log(true);
    let Some(log) = SystemLog::begin() else {
        eprintln!("not tested: this machine has a system log, or the test does not run as root");
        return;
    };
    let mac = HealMac::stuck();
    let said = |arguments: &[&str]| {
        let output = mac.program(arguments).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    };
    for first in ["diagnose", "heal"] {
        let printed = said(&[first, "--syslog"]);
        assert_eq!((printed.lines().count(), log.entries()), (8, vec![printed]), "{first}");
    }
    let lines = said(&["diagnose"]);
    assert_eq!(log.entries(), Vec::<String>::new());
    assert!(said(&["heal", "--automatic", "--syslog", "--json"]).starts_with('{'));
    assert_eq!(log.entries(), [lines]);
}
