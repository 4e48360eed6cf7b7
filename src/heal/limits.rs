//! The limits, each a pure function: what is known goes in, a refusal or nothing comes out.
//!
//! They are asked in this order, the cheap ones first, so that asking in a loop costs next to nothing: the policy, the
//! time since the last restart, the evidence, what is being installed.

use super::Request;
use super::activity::InstallActivity;
use super::clock::Moment;
use crate::facts::policy::Policy;
use crate::health::Findings;
use crate::host::{ActError, Daemon, HostError};
use crate::vocabulary::codes::{HealAction, HealOutcome, HealRefusal, SourceReason, WatchdogState};
use crate::vocabulary::{Time, rfc3339};
use chrono::TimeDelta;
use std::fmt;

/// How old the evidence for a restart may be: it is read anew after a minute, and reading takes time.
const FRESHNESS: TimeDelta = TimeDelta::minutes(3);

/// The word that begins a refusal: one of heal's own, why a source that it needs failed, or what came of the restart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusalCode {
    Heal(HealRefusal),
    Source(SourceReason),
    Outcome(HealOutcome),
}

impl RefusalCode {
    pub fn word(self) -> &'static str {
        match self {
            Self::Heal(code) => code.word(),
            Self::Source(code) => code.word(),
            Self::Outcome(code) => code.word(),
        }
    }
}

impl From<HealRefusal> for RefusalCode {
    fn from(code: HealRefusal) -> Self {
        Self::Heal(code)
    }
}

impl From<SourceReason> for RefusalCode {
    fn from(code: SourceReason) -> Self {
        Self::Source(code)
    }
}

impl From<HealOutcome> for RefusalCode {
    fn from(code: HealOutcome) -> Self {
        Self::Outcome(code)
    }
}

/// Why a request is not carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub code: RefusalCode,
    /// A sentence for people.
    pub sentence: String,
    /// When the same request is allowed, as far as that can be told.
    pub next_allowed_at: Option<Time>,
}

impl Refusal {
    /// A refusal that no waiting helps against.
    pub fn new(code: impl Into<RefusalCode>, sentence: impl Into<String>) -> Self {
        Self { code: code.into(), sentence: sentence.into(), next_allowed_at: None }
    }

    /// For a Mac that cannot be read.
    pub fn from_host(error: &HostError) -> Self {
        Self::new(error.reason(), format!("Nothing was restarted: {error}."))
    }

    /// For a Mac that may not be changed.
    pub fn from_actor(error: &ActError) -> Self {
        let code: RefusalCode = match error {
            ActError::Recorded => SourceReason::NotCaptured.into(),
            ActError::NotRoot { .. } => HealRefusal::NotRoot.into(),
            ActError::NotNow => HealRefusal::NotNow.into(),
            ActError::OtherLedger { .. } => HealRefusal::OtherLedger.into(),
        };
        Self::new(code, format!("Nothing was restarted: {error}."))
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {}", self.code.word(), self.sentence)
    }
}

/// What the policy says.
pub fn by_policy(action: HealAction, request: &Request, policy: &Policy) -> Result<(), Refusal> {
    let name = action.word();
    if !policy.enabled {
        let sentence = format!("{name} is refused: heal is switched off by {}.", policy.origin);
        return Err(Refusal::new(HealRefusal::SwitchedOff, sentence));
    }
    if !policy.allowed_actions.contains(&action) {
        let sentence = format!("{name} is refused: it is not among the AllowedActions of {}.", policy.origin);
        return Err(Refusal::new(HealRefusal::ActionNotAllowed, sentence));
    }
    if request.force && !policy.allow_force {
        let sentence = format!("{name} is refused: force is 1, and {} does not set AllowForce.", policy.origin);
        return Err(Refusal::new(HealRefusal::ForceNotAllowed, sentence));
    }
    Ok(())
}

/// Once in a while for each daemon, whatever came of it. `last` is the last restart that was begun.
pub fn by_time(action: HealAction, policy: &Policy, last: Option<Moment>, now: Moment) -> Result<(), Refusal> {
    let Some((last, wait)) = last.and_then(|last| Some((last, last.waiting(policy.limit(), now)?))) else {
        return Ok(());
    };
    let next = now.wall.checked_add_signed(wait);
    let until = next.map_or_else(String::new, |next| format!("; next allowed at {}", rfc3339(next)));
    let (name, hours) = (action.word(), policy.minimum_hours);
    let sentence = format!(
        "{name} is refused: the limit is once in {hours} hours in which the Mac runs, and the last was at {}{until}.",
        rfc3339(last.wall)
    );
    Err(Refusal { code: HealRefusal::TooSoon.into(), sentence, next_allowed_at: next })
}

/// No restart without proof that the daemon is stuck. A request with force is not asked this.
pub fn by_evidence(daemon: Daemon, request: &Request, findings: &Findings, now: Time) -> Result<(), Refusal> {
    let (name, verdict) = (daemon.name(), &findings.verdict);
    let (stuck, column) = match daemon {
        Daemon::Mdmclient => (verdict.client_stuck, "mdm_client_stuck"),
        Daemon::Softwareupdated => (verdict.software_updates_stuck, "mdm_software_updates_stuck"),
    };
    let read_at = findings.evidence.read_at();
    if (now - read_at).abs() > FRESHNESS {
        let at = rfc3339(read_at);
        let sentence = format!("{name} is not restarted: the evidence is of {at} and no newer; ask again in a minute.");
        return Err(Refusal::new(HealRefusal::EvidenceStale, sentence));
    }
    let detail = &verdict.detail;
    match stuck {
        None => {
            let sentence = format!("{name} is not restarted: whether it is stuck could not be told. {detail}");
            Err(Refusal::new(HealRefusal::EvidenceUnknown, sentence))
        }
        Some(false) => {
            let sentence = format!("{name} is not restarted: {column} is 0. {detail}");
            Err(Refusal::new(HealRefusal::NotStuck, sentence))
        }
        Some(true) if request.automatic && verdict.state != WatchdogState::Stuck => {
            let state = verdict.state.word();
            let sentence = format!(
                "{name} is not restarted: the automatic heal wants the state stuck, and it is {state}. {detail}"
            );
            Err(Refusal::new(HealRefusal::NotProven, sentence))
        }
        Some(true) => Ok(()),
    }
}

/// No restart in the middle of an installation, nor where nobody can say whether there is one.
pub fn by_activity(daemon: Daemon, request: &Request, activity: &InstallActivity) -> Result<(), Refusal> {
    let name = daemon.name();
    match activity {
        InstallActivity::None => Ok(()),
        InstallActivity::Installing { at } => {
            let sentence = format!("{name} is not restarted: an update is being installed, as of {}.", rfc3339(*at));
            Err(Refusal::new(HealRefusal::Installing, sentence))
        }
        InstallActivity::Preparing { .. } | InstallActivity::Unknown { .. } if request.force => Ok(()),
        InstallActivity::Preparing { at } => {
            let sentence =
                format!("{name} is not restarted: an update is being fetched or prepared, as of {}.", rfc3339(*at));
            Err(Refusal::new(HealRefusal::Preparing, sentence))
        }
        InstallActivity::Unknown { why } => {
            let sentence =
                format!("{name} is not restarted: whether an update is being installed could not be told. {why}");
            Err(Refusal::new(HealRefusal::InstallUnknown, sentence))
        }
    }
}
