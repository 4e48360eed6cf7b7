//! Starts mdm-health: as an osquery extension if osquery's flags are there, else as a command line.

use std::process::ExitCode;

fn main() -> ExitCode {
    mdm_health::frontend::cli::run(std::env::args_os())
}
