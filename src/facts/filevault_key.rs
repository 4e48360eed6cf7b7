//! When macOS last wrote the FileVault recovery key for the MDM server. The key itself is never read.

use super::Source;
use crate::host::Host;
use crate::vocabulary::codes::SourceName;
use crate::vocabulary::{Fact, Limits, Reading, Time};

/// Encrypted for the server, which gets it in the answer to its next SecurityInfo command.
const PATH: &str = "/private/var/db/FileVaultPRK.dat";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileVaultKey {
    /// `None` if there is no such file.
    pub written_at: Option<Time>,
}

impl Source for FileVaultKey {
    const NAME: SourceName = SourceName::FilevaultKey;
    const LIMITS: Limits = Limits::HOURLY;

    fn read(host: &dyn Host) -> Reading<Self> {
        match host.modified(PATH) {
            Ok(written_at) => Fact::Known(Self { written_at }).into(),
            Err(error) => Fact::from(error).into(),
        }
    }
}
