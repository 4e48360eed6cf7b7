//! The form of a capture: `capture.json`, and the names of its other pieces.

use super::Command;
use crate::vocabulary::Time;
use chrono::FixedOffset;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::{BTreeMap, BTreeSet};

/// The piece that makes a folder a capture.
pub const DESCRIPTION: &str = "capture.json";
/// The unified log.
pub const LOG: &str = "log.ndjson";
/// mdm-health's own record of restarts.
pub const RESTARTS: &str = "restarts.json";

/// The piece with what a command printed (`out`), complained of (`err`), or how it ended (`code`).
pub fn of_command(command: Command, ending: &str) -> String {
    format!("commands/{}.{ending}", command.name())
}

/// The piece with a file of the Mac.
pub fn of_file(path: &str) -> String {
    format!("root{path}")
}

/// `capture.json`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Description {
    /// The moment to judge for.
    pub captured_at: Time,
    /// Which Mac it is, for people: the pieces say the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mac: Option<MacDescription>,
    /// The Mac's version of macOS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub macos: Option<String>,
    /// The Mac's build of macOS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub build: Option<String>,
    /// The span that was asked of the log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_from: Option<Time>,
    /// Its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_to: Option<Time>,
    /// The offset of the Mac's local time when it was captured, `-08:00`.
    #[serde(default, skip_serializing_if = "Option::is_none", serialize_with = "write", deserialize_with = "read")]
    pub utc_offset: Option<FixedOffset>,
    /// When the Mac was awake, as far as its journal knew.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub awake: Vec<AwakeTimes>,
    /// Which verdicts there were, as far as the Mac's journal knew.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<RecordedVerdict>,
    /// How many bytes of a file lie before those that were recorded, by its path.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub left_out: BTreeMap<String, u64>,
    /// When files whose content is not recorded were last written, by their paths.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub modified: BTreeMap<String, Time>,
    /// The files that the Mac does not have, by their paths.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub absent: BTreeSet<String>,
}

/// What people call a Mac by. The only part of `capture.json` with names in it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MacDescription {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serial_number: Option<String>,
    /// The address of the MDM server that it is enrolled in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mdm_server: Option<String>,
}

/// The member of `capture.json` with names in it.
pub const MAC: &str = "mac";

/// A stretch of time in which the verdict stayed the same, in the words of `mdm_watchdog_history`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordedVerdict {
    pub state: String,
    pub reason: String,
    pub from: Time,
    pub to: Time,
}

/// A stretch of time in which the Mac was awake: `["2026-11-23T15:00:00Z", "2026-11-23T17:10:00Z"]`. A third member
/// gives the seconds that the Mac slept in it, if nobody knows when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum AwakeTimes {
    Whole(Time, Time),
    Partly(Time, Time, u32),
}

fn write<S: Serializer>(offset: &Option<FixedOffset>, serializer: S) -> Result<S::Ok, S::Error> {
    offset.map(|offset| offset.to_string()).serialize(serializer)
}

fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<FixedOffset>, D::Error> {
    let text: Option<String> = Option::deserialize(deserializer)?;
    text.map(|text| text.parse().map_err(|_| serde::de::Error::custom("utc_offset must look like -08:00"))).transpose()
}
