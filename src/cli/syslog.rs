//! The system's log. On a Mac syslog(3) writes into the unified log, in the name of the process that calls it, so that
//! `log show --predicate 'process == "mdm-health"'` finds what was written.

use crate::vocabulary::printable;
use nix::syslog::{Facility, Priority, Severity, syslog};

/// Writes a text of one or more lines as one entry, so that whoever finds one of its lines has them all. Where there is
/// no such log, nobody misses it.
pub fn write(text: &str) {
    // What is less than a notice a Mac does not keep.
    let priority = Priority::new(Severity::LOG_NOTICE, Facility::LOG_DAEMON);
    let lines: Vec<String> = text.lines().map(printable).collect();
    let _ = syslog(priority, lines.join("\n").as_str());
}
