//! Processes that a test did not start itself.

use std::path::Path;
use std::process::Command;

/// Whether that process is still running. A killed one may remain as a zombie of whoever adopted it.
pub fn is_running(pid: &str) -> bool {
    let pid = pid.trim();
    let state = if Path::new("/proc/self/stat").exists() {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        stat.rsplit(") ").next().unwrap_or_default().to_owned()
    } else {
        // As on a Mac.
        #[allow(clippy::disallowed_methods, reason = "the tests look at processes themselves")]
        let ps = Command::new("/bin/ps").args(["-o", "stat=", "-p", pid]).output().unwrap();
        String::from_utf8(ps.stdout).unwrap().trim().to_owned()
    };
    !state.is_empty() && !state.starts_with('Z')
}

#[test]
fn a_child_runs_until_it_is_killed_though_nobody_has_reaped_it() {
    #[allow(clippy::disallowed_methods, reason = "the tests look at processes themselves")]
    let mut child = Command::new("/bin/sleep").arg("600").spawn().unwrap();
    let pid = child.id().to_string();
    assert!(is_running(&pid));
    child.kill().unwrap();
    while is_running(&pid) {
        std::thread::yield_now();
    }
    child.wait().unwrap();
    assert!(!is_running(&pid));
}
