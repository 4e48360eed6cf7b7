//! What the Mac says of itself beside the log: a module for each source. A source says what it is called, how long its
//! value serves, and how it is read ([`Source`]).

pub mod ade_record;
pub mod awake;
pub mod boot_session;
pub mod bootstrap_token;
pub mod certificates;
pub mod ddm_state;
pub mod declarations;
pub mod disk_space;
pub mod enrollment;
pub mod filevault_key;
pub mod hosts_file;
pub mod identities;
pub mod management_status;
pub mod network;
pub mod platform;
pub mod policy;
pub mod power;
pub mod profiles_list;
pub mod record;
pub mod restarts;
pub mod software_update_preferences;
mod system_profiler;
pub mod system_setup;
pub mod system_version;
pub mod zone;

use crate::host::{Command, Host, HostError, Output};
use crate::property_list::parse;
use crate::vocabulary::codes::{SourceName, SourceReason};
use crate::vocabulary::{Fact, Freshness, Limits, Observed, Reading, SourceStatus, Time};
use plist::{Dictionary, Value};

/// A value that is read from the Mac by itself: by a command, or from a file.
pub trait Source: Clone {
    const NAME: SourceName;
    const LIMITS: Limits;

    fn read(host: &dyn Host) -> Reading<Self>;
}

/// A source that can be read again, whatever its value is.
pub trait Ask {
    /// Reads the source, unless its value is fresh enough.
    fn ask(&mut self, host: &dyn Host, freshness: Freshness, now: Time);

    /// Whether its value may be another one a minute later.
    fn is_volatile(&self) -> bool;

    fn status_mut(&mut self) -> &mut SourceStatus;
}

impl<T: Source> Ask for Observed<T> {
    fn ask(&mut self, host: &dyn Host, freshness: Freshness, now: Time) {
        self.renew(T::LIMITS.with(freshness), now, || T::read(host));
    }

    fn is_volatile(&self) -> bool {
        T::LIMITS == Limits::VOLATILE
    }

    fn status_mut(&mut self) -> &mut SourceStatus {
        &mut self.status
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
        Ok(_) => Fact::unknown(
            SourceReason::NotUnderstood,
            format!("{path} is a property list, but its root is not a dictionary."),
        ),
        Err(why) => Fact::unknown(SourceReason::NotUnderstood, format!("{path} is not a property list: {why}.")),
    }
}
