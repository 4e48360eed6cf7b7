//! What the Mac says of itself beside the log: each fact is known, or it is known why not.

pub mod awake;
mod binary_plist;
pub mod certificates;
pub mod ddm_state;
pub mod enrollment;
pub mod identities;
pub mod management_status;
pub mod old_plist;
pub mod profiles_list;
pub mod property_list;
pub mod restarts;
pub mod software_update_preferences;
pub mod system_version;
mod xml_plist;
pub mod zone;

use crate::host::{Command, Host, HostError, Output};

/// Something that was found out, or why it could not be. An unknown fact is never a false one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fact<T> {
    /// It was found out.
    Known(T),
    /// It could not be found out.
    Unknown {
        /// A stable code.
        reason: &'static str,
        /// A sentence for people.
        why: String,
    },
}

impl<T> Fact<T> {
    /// The value, if it is known.
    pub fn known(&self) -> Option<&T> {
        match self {
            Self::Known(value) => Some(value),
            Self::Unknown { .. } => None,
        }
    }

    /// The same of another kind.
    pub fn map<U>(self, with: impl FnOnce(T) -> U) -> Fact<U> {
        match self {
            Self::Known(value) => Fact::Known(with(value)),
            Self::Unknown { reason, why } => Fact::Unknown { reason, why },
        }
    }

    /// An unknown fact.
    pub fn unknown(reason: &'static str, why: impl Into<String>) -> Self {
        Self::Unknown { reason, why: why.into() }
    }
}

impl<T> From<HostError> for Fact<T> {
    fn from(error: HostError) -> Self {
        Self::unknown(error.reason(), format!("{error}."))
    }
}

/// Runs a command and reads its output; a failure of either is an unknown fact.
pub fn from_command<T>(host: &dyn Host, command: Command, read: impl FnOnce(&str) -> Fact<T>) -> Fact<T> {
    match host.run(command) {
        Err(error) => error.into(),
        Ok(Output { code: Some(0), stdout, .. }) => read(&String::from_utf8_lossy(&stdout)),
        Ok(Output { code, stderr, .. }) => {
            HostError::Failed { path: command.path().into(), code, stderr: stderr.trim().to_owned() }.into()
        }
    }
}
