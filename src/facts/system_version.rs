//! Which macOS runs, as `SystemVersion.plist` says.

use super::from_file;
use crate::host::Host;
use crate::property_list::{get, text};
use crate::vocabulary::Fact;
use crate::vocabulary::codes::SourceReason;

/// The file that every Mac has.
pub const PATH: &str = "/System/Library/CoreServices/SystemVersion.plist";

/// The system that runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SystemVersion {
    /// Such as `15.6.1`.
    pub version: String,
    /// Such as `24G90`.
    pub build: Option<String>,
}

impl SystemVersion {
    /// The first number of the version.
    pub fn major(&self) -> Option<u32> {
        self.version.split('.').next()?.parse().ok()
    }
}

/// Reads the file.
pub fn system_version(host: &dyn Host) -> Fact<SystemVersion> {
    let read = |root: &plist::Dictionary| {
        Some(SystemVersion {
            version: get(root, "ProductVersion", text)?,
            build: get(root, "ProductBuildVersion", text),
        })
    };
    match from_file(host, PATH, read) {
        Fact::Known(Some(version)) => Fact::Known(version),
        Fact::Known(None) => Fact::unknown(SourceReason::NotUnderstood, format!("{PATH} names no ProductVersion.")),
        Fact::Unknown { reason, why } => Fact::Unknown { reason, why },
    }
}
