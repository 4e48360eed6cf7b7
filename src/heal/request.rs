//! A request, and what comes of it.

use super::limits::Refusal;
use crate::host::Daemon;
use crate::vocabulary::Time;
use crate::vocabulary::codes::{HealAction, HealMethod, HealOutcome};

/// How much of a text in a request is kept, in characters.
const MAX_TEXT: usize = 512;

impl HealAction {
    /// The action that restarts that daemon.
    pub fn of(daemon: Daemon) -> Self {
        match daemon {
            Daemon::Mdmclient => Self::RestartMdmclient,
            Daemon::Softwareupdated => Self::RestartSoftwareupdated,
        }
    }
}

/// What somebody asks for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Request {
    /// The action as it was given; it may not exist.
    pub action: String,
    /// Why, for the record.
    pub reason: Option<String>,
    /// Do without evidence.
    pub force: bool,
    /// Only decide.
    pub dry_run: bool,
    /// Whether the timer asks, and not a person.
    pub automatic: bool,
}

impl Request {
    /// A request with texts of bounded length.
    pub fn new(action: &str, reason: Option<&str>) -> Self {
        let bounded = |text: &str| text.chars().take(MAX_TEXT).collect();
        Self { action: bounded(action), reason: reason.map(bounded), ..Self::default() }
    }
}

/// How a request ended, for the record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conclusion {
    pub outcome: HealOutcome,
    /// How the daemon was restarted.
    pub method: Option<HealMethod>,
    pub pid_before: Option<u32>,
    pub pid_after: Option<u32>,
    /// The exit code of the command that decided.
    pub exit_code: Option<i32>,
    /// A sentence for people.
    pub detail: String,
    /// When the same is allowed again.
    pub next_allowed_at: Option<Time>,
    /// Why it did not begin.
    pub refusal: Option<Refusal>,
}

impl Conclusion {
    pub fn new(outcome: HealOutcome, detail: String) -> Self {
        Self {
            outcome,
            method: None,
            pid_before: None,
            pid_after: None,
            exit_code: None,
            detail,
            next_allowed_at: None,
            refusal: None,
        }
    }
}

impl From<Refusal> for Conclusion {
    fn from(refusal: Refusal) -> Self {
        let (next_allowed_at, detail) = (refusal.next_allowed_at, refusal.to_string());
        Self { next_allowed_at, refusal: Some(refusal), ..Self::new(HealOutcome::Refused, detail) }
    }
}
