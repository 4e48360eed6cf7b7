//! Starts mdm-health: as an osquery extension if osquery's flags are there, else as a command line.

use mdm_health::{cli, osquery};
use std::ffi::OsString;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    if osquery::are_of_osquery(&arguments) { osquery::run(arguments) } else { cli::run(arguments) }
}
