//! The limits, each a pure function: what is known goes in, a refusal or nothing comes out.
//!
//! They are asked in this order, the cheap ones first, so that asking in a loop costs next to nothing: the policy, the
//! time since the last restart, the evidence, and what the last hour of the log says.

use super::clock::{Moment, rounded_up};
use super::last_hour::{Installing, LastHour};
use super::request::Request;
use crate::facts::policy::Policy;
use crate::health::Findings;
use crate::host::{ActError, Daemon, HostError};
use crate::vocabulary::codes::{
    HealAction, HealOutcome, HealRefusal, SoftwareUpdatesReason, SourceReason, WatchdogState,
};
use crate::vocabulary::{Time, rfc3339};
use chrono::TimeDelta;
use std::fmt;

/// How old the evidence for a restart may be: it is read again after a minute, and reading takes time.
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
    /// A refusal where waiting does not help.
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
    let next = now.wall.checked_add_signed(wait).map(rounded_up);
    let until = next.map_or_else(String::new, |next| format!("; next allowed at {}", rfc3339(next)));
    let (name, hours) = (action.word(), policy.minimum_hours);
    let sentence = format!(
        "{name} is refused: the limit is one restart per {hours} h of uptime; the last was at {}{until}.",
        rfc3339(last.wall)
    );
    Err(Refusal { code: HealRefusal::TooSoon.into(), sentence, next_allowed_at: next })
}

/// Refuses to restart a daemon that is known not to be stuck. This check costs nothing, even if it is asked in a loop.
pub fn by_known(daemon: Daemon, findings: &Findings) -> Result<(), Refusal> {
    match stuck(daemon, findings) {
        (Some(false), column) => {
            let (name, detail) = (daemon.name(), &findings.verdict.detail);
            let sentence = format!("{name} is not restarted: {column} is 0. {detail}");
            Err(Refusal::new(HealRefusal::NotStuck, sentence))
        }
        _ => Ok(()),
    }
}

/// mdm-watchdog's rule for that daemon, and the column of `mdm_watchdog` that shows it.
fn stuck(daemon: Daemon, findings: &Findings) -> (Option<bool>, &'static str) {
    match daemon {
        Daemon::Mdmclient => (findings.verdict.client_stuck, "mdm_client_stuck"),
        Daemon::Softwareupdated => (findings.verdict.software_updates_stuck, "mdm_software_updates_stuck"),
    }
}

/// No restart without proof that the daemon is stuck, and none where it cannot help. A request with force is not asked
/// this.
pub fn by_evidence(daemon: Daemon, request: &Request, findings: &Findings, now: Time) -> Result<(), Refusal> {
    let (name, verdict) = (daemon.name(), &findings.verdict);
    let refused = |code: HealRefusal, why: String| Err(Refusal::new(code, format!("{name} is not restarted: {why}")));
    let read_at = findings.evidence.read_at();
    if (now - read_at).abs() > FRESHNESS {
        let why = format!("the latest evidence is from {}; try again in a minute.", rfc3339(read_at));
        return refused(HealRefusal::EvidenceStale, why);
    }
    by_known(daemon, findings)?;
    let (state, detail) = (verdict.state, &verdict.detail);
    match stuck(daemon, findings).0 {
        None => refused(HealRefusal::EvidenceUnknown, format!("whether it is stuck is unknown. {detail}")),
        Some(_) if state == WatchdogState::ServerError => {
            refused(HealRefusal::ServerError, format!("the server refuses, which no restart changes. {detail}"))
        }
        Some(_) if request.automatic && state != WatchdogState::Stuck => {
            let word = state.word();
            let why = format!("automatic heal runs only when state is `stuck`; it is `{word}`. {detail}");
            refused(HealRefusal::NotProven, why)
        }
        Some(_) => Ok(()),
    }
}

/// Refuses to restart a client whose server has just accepted a request: it does not hang, or no longer does. Requests
/// with force skip this check.
pub fn by_success(daemon: Daemon, findings: &Findings, last_hour: &LastHour) -> Result<(), Refusal> {
    let by_client = daemon == Daemon::Mdmclient
        || findings.verdict.software_updates_reason == SoftwareUpdatesReason::LastCommandOsUpdate;
    match last_hour.success_at {
        Some(at) if by_client => {
            let (name, at) = (daemon.name(), rfc3339(at));
            let sentence = format!("{name} is not restarted: the server accepted a request at {at}.");
            Err(Refusal::new(HealRefusal::NotStuck, sentence))
        }
        _ => Ok(()),
    }
}

/// No restart in the middle of an installation, nor where nobody can say whether there is one. With force only what a
/// user cannot have written counts, and only an installation.
pub fn by_installation(daemon: Daemon, request: &Request, last_hour: &LastHour) -> Result<(), Refusal> {
    let refused =
        |code: HealRefusal, why: String| Err(Refusal::new(code, format!("{} is not restarted: {why}", daemon.name())));
    match if request.force { &last_hour.proven } else { last_hour.worst() } {
        Installing::No => Ok(()),
        Installing::Yes { at } => {
            refused(HealRefusal::Installing, format!("an update is being installed, as of {}.", rfc3339(*at)))
        }
        Installing::Preparing { .. } | Installing::Unknown { .. } if request.force => Ok(()),
        Installing::Preparing { at } => {
            let why = format!("an update is being downloaded or prepared, as of {}.", rfc3339(*at));
            refused(HealRefusal::Preparing, why)
        }
        Installing::Unknown { why } => {
            refused(HealRefusal::InstallUnknown, format!("whether an update is being installed is unknown. {why}"))
        }
    }
}
