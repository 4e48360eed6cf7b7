//! `mdm_software_updates_stuck`: mdm-watchdog's rule, plus what DDM enforces. DDM is the main way to update from macOS
//! 14 on, and the only one on 27. Three-valued: stuck needs proof, and not stuck needs evidence.

use super::enforcement::Enforcement;
use super::timeline::{TimelineEntry, TimelineKind};
use crate::event::update::UpdateMessage;
use crate::health::Evidence;
use crate::health::commands::MdmCommand;
use crate::health::window::{FRESHNESS, WINDOW};
use crate::journal::EventClass;
use crate::vocabulary::codes::{SoftwareUpdatesReason, SourceReason};
use crate::vocabulary::{Fact, Time};
use chrono::TimeDelta;

/// The first macOS without MDM commands for OS updates.
const DDM_ONLY: u32 = 27;

/// How long ago a failure may be to show that an update keeps failing.
const RECENT_FAILURE: TimeDelta = TimeDelta::hours(24);

/// The Mac counts failures by itself. A count of one is a failure; from two on, it has risen.
const RISEN: i64 = 2;

/// What is known of OS updates, with and without what install.log says: any user can write there.
pub struct SoftwareUpdates<'f> {
    pub all: LogView<'f>,
    pub trusted: LogView<'f>,
}

/// What some of the logs tell of OS updates.
pub struct LogView<'f> {
    /// In the order of time.
    pub timeline: &'f [TimelineEntry],
    /// What DDM enforces.
    pub enforcements: &'f [Enforcement],
}

/// Whether it is stuck, and a stable code for what decided that.
type StuckAnswer = (Option<bool>, SoftwareUpdatesReason);

/// What the rule for the MDM client found.
pub struct Client<'f> {
    /// Whether the Mac is enrolled in no MDM.
    pub not_enrolled: bool,
    /// mdm-watchdog's rule.
    pub stuck: Option<bool>,
    /// The command that was received last.
    pub last_command: Option<&'f MdmCommand>,
}

impl SoftwareUpdates<'_> {
    /// Judges. install.log may show that an update moves or was put off, and never makes it stuck.
    pub fn judge(&self, evidence: &Evidence, client: &Client<'_>) -> StuckAnswer {
        let (all, trusted) = (self.all.judge(evidence, client), self.trusted.judge(evidence, client));
        match (all.0, trusted.0) {
            (Some(true), Some(true)) => trusted,
            (Some(true), _) if evidence.ddm_state.known().is_some() => trusted,
            (Some(true), _) => (None, SoftwareUpdatesReason::EnforcementUnknown),
            (_, Some(true)) => all,
            // Where neither says that it is stuck, install.log changes nothing.
            (_, _) if evidence.ddm_state.known().is_some() => trusted,
            (_, _) => all,
        }
    }
}

impl LogView<'_> {
    /// Judges. What DDM says counts where it says that something is stuck, or leaves it open; on macOS 27 it is all
    /// that counts.
    fn judge(&self, evidence: &Evidence, client: &Client<'_>) -> StuckAnswer {
        if client.not_enrolled {
            return (Some(false), SoftwareUpdatesReason::NotEnrolled);
        }
        let by_ddm = self.by_ddm(evidence);
        let major = evidence.system_version.known().and_then(|system| system.major());
        if major.is_some_and(|major| major >= DDM_ONLY) {
            return by_ddm.unwrap_or((Some(false), SoftwareUpdatesReason::NoEnforcement));
        }
        match (by_command(client), by_ddm) {
            (_, Some(stuck @ (Some(true), _))) => stuck,
            ((Some(false), _), Some(open @ (None, _))) => open,
            (by_command, _) => by_command,
        }
    }

    /// What DDM says; `None` if it enforces nothing, as far as this Mac's files and logs show.
    fn by_ddm(&self, evidence: &Evidence) -> Option<StuckAnswer> {
        let in_force: Vec<&Enforcement> = self.enforcements.iter().filter(|one| one.in_force()).collect();
        if in_force.is_empty() {
            return match &evidence.ddm_state.now {
                Fact::Known(_) => None,
                // Up to macOS 26 the commands decide; without the file there is no sign that DDM is used.
                Fact::Unknown { reason: SourceReason::NotCaptured, .. } if !self.is_ddm_only(evidence) => None,
                Fact::Unknown { .. } => Some((None, SoftwareUpdatesReason::EnforcementUnknown)),
            };
        }
        let answers: Vec<StuckAnswer> = in_force
            .iter()
            .map(|one| match self.one(one, evidence) {
                // An old declaration, which the log may name for months, proves nothing.
                (Some(true), _) if !one.certain => (None, SoftwareUpdatesReason::EnforcementUnknown),
                answer => answer,
            })
            .collect();
        let first = |wanted: Option<bool>| answers.iter().find(|(stuck, _)| *stuck == wanted).copied();
        first(Some(true)).or_else(|| first(None)).or_else(|| first(Some(false)))
    }

    fn is_ddm_only(&self, evidence: &Evidence) -> bool {
        let major = evidence.system_version.known().and_then(|system| system.major());
        major.is_some_and(|major| major >= DDM_ONLY)
    }

    fn one(&self, enforcement: &Enforcement, evidence: &Evidence) -> StuckAnswer {
        let now = evidence.now;
        if let Some(answer) = self.failing(enforcement, evidence) {
            return answer;
        }
        let due = match (enforcement.past_due, enforcement.deadline_at) {
            (Some(true), Some(deadline)) => deadline.max(enforcement.padded_deadline_at.unwrap_or(deadline)),
            (Some(false), _) => return (Some(false), SoftwareUpdatesReason::EnforcementOnTime),
            _ => return (None, SoftwareUpdatesReason::EnforcementUnknown),
        };
        if due > now - WINDOW {
            return (Some(false), SoftwareUpdatesReason::EnforcementOnTime);
        }
        if self.last_progress().is_some_and(|at| at > now - WINDOW) {
            return (Some(false), SoftwareUpdatesReason::UpdateInProgress);
        }
        // A Mac that slept could not install, and a log that does not reach back shows no progress.
        let awake = evidence.awake.known().is_some_and(|awake| awake.within(due, now) >= WINDOW);
        if awake && covers(evidence, now - WINDOW) {
            (Some(true), SoftwareUpdatesReason::EnforcementPastDue)
        } else {
            (None, SoftwareUpdatesReason::EnforcementUnknown)
        }
    }

    /// The update fails again and again: the count has risen, the last failure is recent, and nothing moved since.
    fn failing(&self, enforcement: &Enforcement, evidence: &Evidence) -> Option<StuckAnswer> {
        let failure = enforcement.failure.as_ref().filter(|failure| failure.count >= Some(RISEN))?;
        let failed_at = failure.at.filter(|at| evidence.now - *at <= RECENT_FAILURE)?;
        if self.last_progress().is_some_and(|at| at > failed_at) {
            return None;
        }
        Some(if covers(evidence, failed_at) {
            (Some(true), SoftwareUpdatesReason::EnforcementFailing)
        } else {
            (None, SoftwareUpdatesReason::EnforcementUnknown)
        })
    }

    /// When work on an update last moved.
    fn last_progress(&self) -> Option<Time> {
        let moves = |entry: &&TimelineEntry| match &entry.what {
            TimelineKind::Message(said) => {
                matches!(
                    said,
                    UpdateMessage::Progress(_)
                        | UpdateMessage::PrepareContinues
                        | UpdateMessage::BrainProgress { .. }
                        | UpdateMessage::Applied
                )
            }
            TimelineKind::Item(_) => false,
        };
        self.timeline.iter().rev().find(moves).map(|entry| entry.at)
    }
}

/// Whether the unified log was read from that moment until now, and all that it says of OS updates is at hand.
fn covers(evidence: &Evidence, from: Time) -> bool {
    let covers = evidence.journal.covers.known();
    evidence.journal.records > 0
        && evidence.journal.complete_from.get(EventClass::Updates).is_none_or(|since| since <= from)
        && covers.is_some_and(|covers| covers.from <= from && covers.to >= evidence.now - FRESHNESS)
}

/// mdm-watchdog's rule: the client is stuck, and the last command was about OS updates.
fn by_command(client: &Client<'_>) -> StuckAnswer {
    match (client.stuck, client.last_command) {
        (None, _) => (None, SoftwareUpdatesReason::ClientUnknown),
        (Some(false), _) => (Some(false), SoftwareUpdatesReason::ClientNotStuck),
        (Some(true), None) => (None, SoftwareUpdatesReason::NoCommandSeen),
        (Some(true), Some(command)) if command.is_os_update() => {
            (Some(true), SoftwareUpdatesReason::LastCommandOsUpdate)
        }
        (Some(true), Some(_)) => (Some(false), SoftwareUpdatesReason::LastCommandOther),
    }
}
