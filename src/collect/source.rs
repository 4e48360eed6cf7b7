//! `--source`, `--root` and what goes with them: where evidence comes from, the same for every front end.

use crate::collect::Collector;
use crate::host::pieces::Progress;
use crate::host::root_folder;
use crate::host::{Actor, Host, HostError, Live, Recorded, STATE_DIR};
use crate::log::ReadOptions;
use crate::vocabulary::Time;
use chrono::{DateTime, FixedOffset};
use clap::builder::{PathBufValueParser, TypedValueParser as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use thiserror::Error;

/// This Mac, with its log read from the files in which macOS keeps it.
const NATIVE: &str = "native";

/// Where evidence comes from.
#[derive(Debug, Clone, clap::Args)]
pub struct SourceOptions {
    /// `live` for this Mac, `native` for this Mac with its log read from macOS's own files (see the README), or a path: a capture, a sysdiagnose or a log archive (a folder, a .tar or a .tar.gz), or a log file in any style of `log show`
    #[arg(long, global = true, env = "MDM_HEALTH_SOURCE", hide_env_values = true, value_name = "live|native|PATH")]
    pub source: Option<String>,
    /// Root directory of the Mac to inspect. Programs below it are run, so except for / it must belong to you alone
    // Made absolute, because commands are started in another folder than this one.
    #[arg(long, global = true, default_value = "/", value_name = "DIR", value_parser = PathBufValueParser::new().try_map(std::path::absolute))]
    pub root: PathBuf,
    /// Directory for the journal and the restart record [default: /Library/Application Support/mdm-health on a Mac, /var/lib/mdm-health elsewhere]
    #[arg(long, global = true, value_name = "DIR")]
    pub state_dir: Option<PathBuf>,
    /// Judge for this time instead of now; for a recorded Mac, now is when it was recorded; for a log file, its last record
    #[arg(long, global = true, value_name = "RFC3339", value_parser = read_time)]
    pub now: Option<Time>,
    /// UTC offset of the Mac's local time, for a compact log and for deadlines [default: this machine's for a compact log and a live Mac, else the one in the capture or in the Mac's own log lines]
    #[arg(long, global = true, allow_hyphen_values = true, value_name = "±HH:MM", value_parser = read_offset)]
    pub utc_offset: Option<FixedOffset>,
}

#[derive(Debug, Error)]
pub enum SourceError {
    #[error(
        "this machine is not a Mac: pass --source PATH with a capture, a sysdiagnose, a log archive or a log file, for example --source ./mac.tar.gz"
    )]
    NotAMac,
    /// It is unclear whether the live Mac is meant.
    #[error("--source, or MDM_HEALTH_SOURCE, is blank: pass live for this Mac, or the path of a capture or a log file")]
    Blank,
    #[error(transparent)]
    Host(#[from] HostError),
}

impl SourceOptions {
    pub fn open(&self) -> Result<Box<dyn Host>, SourceError> {
        self.open_as(|live| live, &())
    }

    /// Opens the source for somebody who waits: a packed archive is looked through first.
    pub fn open_watched(&self, progress: &dyn Progress) -> Result<Box<dyn Host>, SourceError> {
        self.open_as(|live| live, progress)
    }

    /// Opens the source for a capture.
    pub fn open_for_capture(&self) -> Result<Box<dyn Host>, SourceError> {
        let mut source = self.clone();
        if self.source.as_deref() == Some(NATIVE) {
            // What is captured is what `log show` prints.
            source.source = Some("live".to_owned());
        }
        source.open_as(Live::for_capture, &())
    }

    fn open_as(&self, kind: impl FnOnce(Live) -> Live, progress: &dyn Progress) -> Result<Box<dyn Host>, SourceError> {
        match self.source.as_deref() {
            None if !Live::is_a_mac(&self.root) => Err(SourceError::NotAMac),
            None | Some("live") => Ok(Box::new(kind(Live::new(root_folder::check(&self.root)?, self.now)))),
            Some(NATIVE) => {
                let live = kind(Live::new(root_folder::check(&self.root)?, self.now));
                Ok(Box::new(live.with_store()?))
            }
            Some("") => Err(SourceError::Blank),
            Some(path) => Ok(Box::new(Recorded::open_watched(path.as_ref(), self.now, progress)?)),
        }
    }

    /// What can change something there: for heal, and nobody else. A recorded Mac has none.
    pub fn actor(&self) -> Option<Actor> {
        let root = self.is_live().then(|| root_folder::check(&self.root).ok()).flatten()?;
        Some(Live::new(root, self.now).actor())
    }

    pub fn is_live(&self) -> bool {
        self.source.as_deref().is_none_or(|source| source == "live" || source == NATIVE)
    }

    /// A path, or `live`.
    pub fn name(&self) -> &str {
        self.source.as_deref().unwrap_or("live")
    }

    /// Collects that host's evidence. With `--now` nothing is written to the journal.
    pub fn collector(&self, host: Box<dyn Host>) -> Arc<Collector> {
        let state_dir = self.state_dir();
        let journal_dir = self.now.is_none().then(|| state_dir.clone());
        Collector::new(host, self.read_options(), state_dir, journal_dir)
    }

    pub fn read_options(&self) -> ReadOptions {
        ReadOptions { utc_offset: self.utc_offset, until: None, may_matter: Some(crate::event::may_matter) }
    }

    /// The folder of the journal and the restart record.
    pub fn state_dir(&self) -> PathBuf {
        self.state_dir.clone().unwrap_or_else(|| {
            let folder = if Live::is_a_mac(&self.root) { STATE_DIR } else { "/var/lib/mdm-health" };
            // A bind mount of / has the same record as / itself.
            let root = if root_folder::is_real(&self.root) { Path::new("/") } else { &self.root };
            root.join(folder.trim_start_matches('/'))
        })
    }
}

fn read_time(text: &str) -> Result<Time, String> {
    DateTime::parse_from_rfc3339(text)
        .map(|time| time.to_utc())
        .map_err(|_| "a time looks like 2026-11-23T18:00:00Z or 2026-11-23T18:00:00-05:00".to_owned())
}

fn read_offset(text: &str) -> Result<FixedOffset, String> {
    text.parse().map_err(|_| "an offset looks like -05:00 or +05:30".to_owned())
}
