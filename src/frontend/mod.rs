//! The ways to ask: the osquery extension, the embedded SQL shell, the watchdog's command line.

mod capture;
pub mod cli;
mod layout;
pub mod osquery;
mod progress;
pub mod shell;
pub mod source;
mod syslog;
mod vtab;
mod watchdog;
