//! Which daemons mdm-health restarted, as its own record says.

use crate::vocabulary::Time;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restarts {
    pub mdmclient: DaemonRestarts,
    pub softwareupdated: DaemonRestarts,
}

impl Restarts {
    pub const NONE: Self = {
        let none = DaemonRestarts { by_last_heal: Some(false), last_at: None };
        Self { mdmclient: none, softwareupdated: none }
    };
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DaemonRestarts {
    /// Whether the last request that could have restarted it did; a dry run could not. `None` if it is under way, was
    /// interrupted, or could not be confirmed.
    pub by_last_heal: Option<bool>,
    /// When it was last restarted; `None` if never.
    pub last_at: Option<Time>,
}
