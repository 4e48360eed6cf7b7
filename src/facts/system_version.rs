//! Which macOS runs, as `SystemVersion.plist` says.

use super::{Source, from_file};
use crate::host::Host;
use crate::property_list::{get, text};
use crate::vocabulary::codes::{SourceName, SourceReason};
use crate::vocabulary::{Fact, Limits, Reading};

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

impl Source for SystemVersion {
    const NAME: SourceName = SourceName::SystemVersion;
    const LIMITS: Limits = Limits::SLOW;

    fn read(host: &dyn Host) -> Reading<Self> {
        let read = |root: &plist::Dictionary| {
            Some(Self { version: get(root, "ProductVersion", text)?, build: get(root, "ProductBuildVersion", text) })
        };
        let value = match from_file(host, PATH, read) {
            Fact::Known(Some(version)) => Fact::Known(version),
            Fact::Known(None) => Fact::unknown(SourceReason::NotUnderstood, format!("{PATH} names no ProductVersion.")),
            Fact::Unknown { reason, why } => Fact::Unknown { reason, why },
        };
        value.into()
    }
}
