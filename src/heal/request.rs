//! A request and what comes of it: the words that the table and the record share.

use super::Refusal;
use crate::host::Daemon;
use crate::vocabulary::Time;

/// The longest text of who asks that is kept, in characters.
const MAX_TEXT: usize = 512;

/// What may be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Restart Apple's MDM client.
    RestartMdmclient,
    /// Restart Apple's software update daemon.
    RestartSoftwareupdated,
    /// Restart whatever is stuck.
    Heal,
}

impl Action {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::RestartMdmclient, Self::RestartSoftwareupdated, Self::Heal];

    /// The word in SQL.
    pub fn name(self) -> &'static str {
        match self {
            Self::RestartMdmclient => "restart_mdmclient",
            Self::RestartSoftwareupdated => "restart_softwareupdated",
            Self::Heal => "heal",
        }
    }

    /// The action of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.name() == name)
    }

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
    /// The action as it was given, which may be none.
    pub action: String,
    /// Why, for the record.
    pub reason: Option<String>,
    /// To do without evidence.
    pub force: bool,
    /// To decide, but do nothing.
    pub dry_run: bool,
    /// Whether the timer asks.
    pub automatic: bool,
}

impl Request {
    /// A request with texts of bounded length.
    pub fn new(action: &str, reason: Option<&str>) -> Self {
        let bounded = |text: &str| text.chars().take(MAX_TEXT).collect();
        Self { action: bounded(action), reason: reason.map(bounded), ..Self::default() }
    }
}

/// What came of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It is being worked on.
    Running,
    /// What was asked for was done.
    Done,
    /// It was begun and did not work.
    Failed,
    /// It was begun, and whether it worked could not be told.
    Unconfirmed,
    /// It was not begun.
    Refused,
    /// It would have been begun.
    DryRun,
    /// mdm-health ended while it was worked on.
    Interrupted,
}

impl Outcome {
    /// The word in SQL.
    pub fn word(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Unconfirmed => "unconfirmed",
            Self::Refused => "refused",
            Self::DryRun => "dry_run",
            Self::Interrupted => "interrupted",
        }
    }
}

/// The way in which a daemon was restarted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// launchd did it.
    Kickstart,
    /// It got a signal.
    Signal,
}

impl Method {
    /// The word in SQL.
    pub fn word(self) -> &'static str {
        match self {
            Self::Kickstart => "kickstart",
            Self::Signal => "signal",
        }
    }
}

/// How a request ended, for the record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conclusion {
    /// What came of it.
    pub outcome: Outcome,
    /// The way that worked.
    pub method: Option<Method>,
    /// The daemon's pid before.
    pub pid_before: Option<u32>,
    /// The daemon's pid after.
    pub pid_after: Option<u32>,
    /// The exit code of the command that decided.
    pub exit_code: Option<i32>,
    /// A sentence for people.
    pub detail: String,
    /// When the same is allowed again.
    pub next_allowed_at: Option<Time>,
    /// Why it was not begun.
    pub refusal: Option<Refusal>,
}

impl Conclusion {
    /// An outcome and its sentence.
    pub fn new(outcome: Outcome, detail: String) -> Self {
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
        Self { next_allowed_at, refusal: Some(refusal), ..Self::new(Outcome::Refused, detail) }
    }
}
