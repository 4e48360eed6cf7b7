//! The ways to ask: the osquery extension, the embedded SQL shell, the watchdog's command line, a
//! page for a browser.

mod capture;
pub mod cli;
mod layout;
mod manual;
pub mod osquery;
pub mod packs;
mod pages;
mod progress;
pub mod report;
pub mod shell;
mod signals;
pub mod source;
mod syslog;
mod vtab;
mod watchdog;
