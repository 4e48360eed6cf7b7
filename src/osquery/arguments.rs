//! The command line with which osquery starts an extension.

use crate::collect::source::SourceOptions;
use clap::Parser;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;
use thiserror::Error;

/// osquery's own defaults for `--extensions_timeout` and `--extensions_interval`, in seconds.
const DEFAULT_SECONDS: u64 = 3;

/// The longest time that is taken from the command line, in seconds.
const LONGEST_SECONDS: u64 = 3600;

/// What osquery, or a person by hand, passed.
#[derive(Debug)]
pub struct Arguments {
    /// The manager's socket.
    pub socket: PathBuf,
    /// How long to wait for it.
    pub timeout: Duration,
    /// How often to look whether we are still registered.
    pub interval: Duration,
    /// Whether to say what is going on.
    pub verbose: bool,
    /// Where evidence comes from.
    pub source: SourceOptions,
}

/// Why the command line cannot be followed.
#[derive(Debug, Error)]
pub enum ArgumentError {
    /// There is no socket to register at.
    #[error(
        "this is an osquery extension, and osquery starts it with --socket: try osqueryi --extension PATH, or ask without osquery: mdm-health query \"SELECT * FROM mdm_watchdog\""
    )]
    NoSocket,
    /// The source's flags are wrong.
    #[error("{}", .0.to_string().lines().next().unwrap_or_default().trim_start_matches("error: "))]
    Source(#[from] clap::Error),
}

/// clap's reading of the flags that are ours.
#[derive(Debug, Parser)]
#[command(no_binary_name = true, disable_help_flag = true)]
struct SourceFlags {
    #[command(flatten)]
    source: SourceOptions,
}

/// Whether osquery started the program: it passes its socket. The file's name decides only when nothing is passed.
pub fn are_of_osquery(arguments: &[OsString]) -> bool {
    match arguments {
        [program] => program.to_str().is_some_and(|program| program.ends_with(".ext")),
        _ => arguments.iter().skip(1).any(|argument| flag(argument).is_some_and(|(name, _)| name == "socket")),
    }
}

impl Arguments {
    /// Reads the command line, with the program's name first. Unknown flags are ignored: osquery may add some.
    pub fn read(arguments: Vec<OsString>) -> Result<Self, ArgumentError> {
        let (mut socket, mut verbose, mut ours) = (None, false, Vec::new());
        let (mut timeout, mut interval) = (DEFAULT_SECONDS, DEFAULT_SECONDS);
        let mut rest = arguments.into_iter().skip(1);
        while let Some(argument) = rest.next() {
            let Some((name, joined)) = flag(&argument) else { continue };
            let joined = joined.map(OsString::from);
            match name {
                "verbose" => verbose = joined.is_none_or(|value| value == "true" || value == "1"),
                "socket" => socket = joined.or_else(|| rest.next()),
                "timeout" => timeout = seconds(joined.or_else(|| rest.next())),
                "interval" => interval = seconds(joined.or_else(|| rest.next())),
                "source" | "root" | "state-dir" | "now" | "utc-offset" => {
                    let mut whole = OsString::from(format!("--{name}="));
                    whole.push(joined.or_else(|| rest.next()).unwrap_or_default());
                    ours.push(whole);
                }
                _ => {}
            }
        }
        Ok(Self {
            socket: socket.filter(|socket| !socket.is_empty()).ok_or(ArgumentError::NoSocket)?.into(),
            timeout: Duration::from_secs(timeout),
            interval: Duration::from_secs(interval.max(1)),
            verbose,
            source: SourceFlags::try_parse_from(ours)?.source,
        })
    }
}

/// A flag's name, with one dash or two, and the value joined to it.
fn flag(argument: &OsString) -> Option<(&str, Option<&str>)> {
    let text = argument.to_str()?;
    let name = text.strip_prefix("--").or_else(|| text.strip_prefix('-'))?;
    Some(name.split_once('=').map_or((name, None), |(name, value)| (name, Some(value))))
}

fn seconds(value: Option<OsString>) -> u64 {
    let number = value.and_then(|value| value.to_str()?.parse::<u64>().ok());
    number.unwrap_or(DEFAULT_SECONDS).min(LONGEST_SECONDS)
}
