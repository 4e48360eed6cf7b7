//! What the Mac says of itself beside the log: each fact is known, or it is known why not.

pub mod awake;
pub mod certificates;
pub mod ddm_state;
pub mod enrollment;
pub mod identities;
pub mod management_status;
pub mod policy;
pub mod profiles_list;
pub mod record;
pub mod restarts;
pub mod software_update_preferences;
pub mod system_version;
pub mod zone;

use crate::host::{Command, Host, HostError, Output};
use crate::property_list::parse;
use crate::vocabulary::Fact;
use crate::vocabulary::codes::SourceReason;
use plist::{Dictionary, Value};

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

/// Reads a file whose root is a dictionary. A failure of any kind is an unknown fact.
pub fn from_file<T>(host: &dyn Host, path: &str, read: impl FnOnce(&Dictionary) -> T) -> Fact<T> {
    match host.read_file(path) {
        Err(error) => error.into(),
        Ok(bytes) => from_bytes(&bytes, path, read),
    }
}

/// Reads the bytes of such a file.
pub fn from_bytes<T>(bytes: &[u8], path: &str, read: impl FnOnce(&Dictionary) -> T) -> Fact<T> {
    match parse(bytes) {
        Ok(Value::Dictionary(root)) => Fact::Known(read(&root)),
        Ok(_) => Fact::unknown(SourceReason::NotUnderstood, format!("{path} is a property list, but no dictionary.")),
        Err(why) => Fact::unknown(SourceReason::NotUnderstood, format!("{path} is no property list: {why}.")),
    }
}
