//! What a decoded record says, and what is counted on the way.

use super::boots::{Moment, Untimed};
use crate::log::Level;
use macos_unifiedlogs::unified_log::{LogData, LogType};
use std::collections::BTreeMap;

/// A decoded log message.
#[derive(Debug, Clone, Copy)]
pub struct StoredRecord<'r> {
    pub moment: Moment,
    /// Continuous time: ticks since the boot.
    pub ticks: u64,
    /// The number of its file, and its own number among the records of that file.
    pub place: (usize, u64),
    /// The UUID of the boot, as `log show` writes it.
    pub boot: &'r str,
    /// The full path of the process; empty if its uuidtext file is missing.
    pub image: &'r str,
    pub pid: u32,
    pub uid: u32,
    pub thread: u64,
    pub level: Level,
    pub subsystem: &'r str,
    pub category: &'r str,
    pub message: &'r str,
}

/// Where decoded records go, from several threads.
pub type Sink<'s> = &'s (dyn Fn(&StoredRecord<'_>) + Sync);

/// How many records were decoded, and how many could not be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// Records that were given out.
    pub records: u64,
    /// Pages or records that are damaged.
    pub damaged: u64,
    /// Records whose format string or value is missing. They are given out too.
    pub without_strings: u64,
    /// How often logd noted that it lost records of a process, by its path.
    pub losses: BTreeMap<String, u64>,
    /// Records without a time, by why.
    pub untimed: BTreeMap<Untimed, u64>,
}

impl Counts {
    pub fn add(&mut self, other: Self) {
        self.records += other.records;
        self.damaged += other.damaged;
        self.without_strings += other.without_strings;
        for (image, count) in other.losses {
            *self.losses.entry(image).or_default() += count;
        }
        for (why, count) in other.untimed {
            *self.untimed.entry(why).or_default() += count;
        }
    }
}

pub fn level(kind: LogType) -> Level {
    match kind {
        LogType::Info => Level::Info,
        LogType::Debug => Level::Debug,
        LogType::Error => Level::Error,
        LogType::Fault => Level::Fault,
        _ => Level::Default,
    }
}

/// Whether macos-unifiedlogs put words of its own where a string is missing.
pub fn is_without_strings(data: &LogData) -> bool {
    const FORMATS: [&str; 5] = [
        "Unknown shared string message",
        "Failed to get string message from ",
        "Error: Invalid shared string offset",
        "Error: Invalid offset ",
        "Error: Invalid UUID index",
    ];
    FORMATS.iter().any(|format| data.raw_message.starts_with(format)) || data.message.contains("<Missing message data>")
}

/// `E955FE07AB9D48ECA85197AC5C611182` as `log show` writes it: `E955FE07-AB9D-48EC-A851-97AC5C611182`.
pub fn hyphenated(uuid: u128) -> String {
    let digits = format!("{uuid:032X}");
    let part = |from: usize, to: usize| digits.get(from..to).unwrap_or_default().to_owned();
    [part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32)].join("-")
}
