//! The system's log. On a Mac syslog(3) writes into the unified log, in the name of the process that calls it, so that
//! `log show --predicate 'process == "mdm-health"'` finds what was written.

use super::shell::printable;
use nix::syslog::{Facility, Priority, Severity, syslog};

/// Writes each line of a text. Where there is no such log, nobody misses it.
pub fn write(text: &str) {
    // What is less than a notice a Mac does not keep.
    let priority = Priority::new(Severity::LOG_NOTICE, Facility::LOG_DAEMON);
    for line in text.lines() {
        let _ = syslog(priority, printable(line).as_str());
    }
}
