//! Moves a journal that is of no use out of the way.

use super::store::StoreError;
use crate::vocabulary::Time;
use std::fs;
use std::path::{Path, PathBuf};

/// Why it is of no use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AsideReason {
    /// It is damaged, or another program's.
    Damaged,
    /// It was copied from another Mac, as Migration Assistant does.
    OfAnotherMac,
}

impl AsideReason {
    fn word(self) -> &'static str {
        match self {
            Self::Damaged => "damaged",
            Self::OfAnotherMac => "of-another-mac",
        }
    }
}

/// Moves the file away, removes its companions, and gives its new name.
pub fn set_aside(path: &Path, flaw: AsideReason, now: Time) -> Result<PathBuf, StoreError> {
    let named = |path: &Path, ending: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(ending);
        PathBuf::from(name)
    };
    let aside = named(path, &format!(".{}-{}", flaw.word(), now.timestamp()));
    fs::rename(path, &aside).map_err(|why| StoreError::CannotSetAside { path: path.to_owned(), why })?;
    for companion in ["-wal", "-shm"] {
        // Without its database a companion is worth nothing, and beside a new one it would do harm.
        let _ = fs::remove_file(named(path, companion));
    }
    Ok(aside)
}
