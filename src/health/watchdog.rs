//! The verdict: rules 1 to 3 of the watchdog, and what the others found. Three-valued throughout: what the evidence does not
//! say is unknown.

use super::commands::MdmCommand;
use super::contact::{Contact, Finding};
use super::copied::Copied;
use super::enrollment::Enrollment;
use super::exchanges::Exchange;
use super::identity::MdmIdentity;
use super::kept_out::{self, KeptOut};
use super::updates::stuck::{Client, SoftwareUpdates};
use super::usual_gap::usual_gap;
use super::{Evidence, Findings};
use crate::event::{Channel, Event, EventKind, IdentityTrouble};
use crate::vocabulary::codes::{SoftwareUpdatesReason, WatchdogReason, WatchdogState};
use crate::vocabulary::{Span, Time, rfc3339};
use chrono::TimeDelta;

/// The verdict and what it rests on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The verdict in one word.
    pub state: WatchdogState,
    /// A stable code for what decided it.
    pub reason: WatchdogReason,
    /// A sentence for people.
    pub detail: String,
    /// Whether the Mac is enrolled.
    pub enrolled: Option<bool>,
    /// Whether the identity cannot be used.
    pub identity_error: Option<bool>,
    /// mdm-watchdog's rule: no success within the window.
    pub client_stuck: Option<bool>,
    /// Whether OS updates are stuck.
    pub software_updates_stuck: Option<bool>,
    /// A stable code for what decided that.
    pub software_updates_reason: SoftwareUpdatesReason,
    /// When the server last accepted a request of the device.
    pub last_success_at: Option<Time>,
    /// When mdmclient last sent a request.
    pub last_attempt_at: Option<Time>,
    /// When a push last made mdmclient connect.
    pub last_push_at: Option<Time>,
    /// The status of the server's last answer.
    pub last_http_status: Option<u16>,
    /// The last command: its RequestType and when it came.
    pub last_command: Option<(Box<str>, Option<Time>)>,
    /// The longest silence that this Mac is used to.
    pub usual_gap: Option<TimeDelta>,
    /// For how many seconds the Mac has been awake since the last success, at least; without a success since the log
    /// begins. `None` if nothing is known of when it was awake.
    pub awake_seconds: Option<i64>,
}

impl Verdict {
    /// The verdict if some answers are missing and older ones take their place; `shown` is the verdict with those older
    /// answers. A Mac that was enrolled at most an hour ago, and whose server has answered since the window began, is
    /// still ok. Old answers prove nothing else.
    pub(super) fn or_still_ok(self, shown: &Self) -> Self {
        if self.enrolled.is_some() || shown.state != WatchdogState::Ok {
            return self;
        }
        let Self { state, reason, detail, enrolled, client_stuck, .. } = shown.clone();
        let detail = format!("{detail} That this Mac is enrolled is an older answer: see mdm_health_status.");
        Self { state, reason, detail, enrolled, client_stuck, ..self }
    }
}

/// What is known of the Mac's enrollment.
pub struct FoundEnrollment<'f> {
    pub enrollment: &'f Enrollment,
    pub identity: &'f MdmIdentity,
    pub copied: &'f Copied,
}

/// Judges by the rules of the watchdog. `events` are those not later than `evidence.now`, in the order of time.
pub fn judge(
    evidence: &Evidence,
    found: &FoundEnrollment<'_>,
    events: &[&Event],
    commands: &[MdmCommand],
    exchanges: &[Exchange],
    updates: &SoftwareUpdates<'_>,
) -> Verdict {
    let FoundEnrollment { enrollment, identity, copied } = found;
    let usual_gap = usual_gap(&evidence.journal.days, events, evidence.now);
    let contact = Contact {
        now: evidence.now,
        covers: &evidence.journal.covers,
        records: evidence.journal.records,
        still_reading: evidence.still_reading,
        private_at: evidence.journal.private_at(evidence.now),
        readable_at: evidence.journal.readable_at,
        awake: evidence.awake.clone(),
        offline: evidence.offline(),
        usual_gap,
        events,
        commands,
        exchanges,
    };
    let trouble = of_another_mac(copied)
        .or_else(|| identity.trouble(contact.recent_success()))
        .or_else(|| identity_trouble(events, contact.last_success()));
    let finding = by_enrollment(enrollment).unwrap_or_else(|| match trouble.clone() {
        Some((reason, detail)) => {
            // If the enrollment is another Mac's, it does not matter whether the client is stuck: no restart helps.
            let stuck = contact.judge().stuck.filter(|_| reason != WatchdogReason::EnrollmentCopied);
            Finding { state: WatchdogState::IdentityError, reason, detail, stuck }
        }
        None => contact.judge(),
    });
    let finding =
        Finding { detail: with_hints(finding.detail, &kept_out::find(evidence, enrollment), copied), ..finding };
    let last_command = last_command(commands);
    let client =
        Client { not_enrolled: finding.state == WatchdogState::NotEnrolled, stuck: finding.stuck, last_command };
    let (software_updates_stuck, software_updates_reason) = updates.judge(evidence, &client);
    let identity_error = match trouble {
        _ if enrollment.enrolled == Some(false) => Some(false),
        Some(_) => Some(true),
        // A server that accepts a request has just accepted the identity.
        None => (contact.recent_success().is_some() || identity.is_usable()).then_some(false),
    };
    let device = exchanges.iter().filter(|exchange| Channel::is_device(exchange.channel));
    Verdict {
        state: finding.state,
        reason: finding.reason,
        detail: finding.detail,
        enrolled: enrollment.enrolled,
        identity_error,
        client_stuck: finding.stuck,
        software_updates_stuck,
        software_updates_reason,
        last_success_at: contact.last_success(),
        last_attempt_at: device.clone().filter_map(|exchange| exchange.started_at).max(),
        last_push_at: contact.pushes().last(),
        last_http_status: device.max_by_key(|exchange| exchange.finished_at).and_then(|last| last.status),
        last_command: last_command.map(|command| (command.request_type.clone(), command.last_seen_at())),
        usual_gap,
        awake_seconds: contact.awake_since_success().map(|awake| awake.num_seconds()),
    }
}

/// A sentence with what else may be behind it.
fn with_hints(detail: String, kept_out: &KeptOut, copied: &Copied) -> String {
    let sign = copied.evidence.first().filter(|_| copied.copied.is_none());
    let sign = sign.map(|sign| format!("A sign that this enrollment was copied from another Mac: {sign}"));
    let hints = kept_out.sentences().map(str::to_owned).chain(sign);
    [detail].into_iter().chain(hints).collect::<Vec<_>>().join(" ")
}

/// Rule 3, before anything else: an enrollment that belongs to another Mac.
fn of_another_mac(copied: &Copied) -> Option<(WatchdogReason, String)> {
    let detail = || {
        format!(
            "This enrollment was copied from another Mac, so what the server sends does not reach this one. {} Remove the \
             MDM profile and enroll this Mac again.",
            copied.evidence.join(" ")
        )
    };
    (copied.copied == Some(true)).then(|| (WatchdogReason::EnrollmentCopied, detail()))
}

/// Rule 3, in addition to what the keychain shows: mdmclient's own words, if no success came after them.
fn identity_trouble(events: &[&Event], last_success: Option<Time>) -> Option<(WatchdogReason, String)> {
    let last = events.iter().rev().find_map(|event| match event.kind {
        EventKind::IdentityTrouble(trouble) => Some((event.at, trouble)),
        _ => None,
    });
    let (at, trouble) = last.filter(|(at, _)| last_success.is_none_or(|success| *at > success))?;
    let (reason, words) = match trouble {
        IdentityTrouble::NotCreated => (WatchdogReason::IdentityNotCreated, "Unable to create MDM identity"),
        IdentityTrouble::ItemInvalid => (WatchdogReason::IdentityItemInvalid, "The specified item is no longer valid"),
    };
    Some((reason, format!("mdmclient said at {}: {words}. The Mac has to be enrolled again.", rfc3339(at))))
}

/// The command that the device channel received last; of equal times the later in the log.
fn last_command(commands: &[MdmCommand]) -> Option<&MdmCommand> {
    let device = commands.iter().filter(|command| Channel::is_device(command.channel));
    device.max_by_key(|command| command.last_seen_at())
}

/// Rules 1 and 2.
fn by_enrollment(enrollment: &Enrollment) -> Option<Finding> {
    match enrollment.enrolled {
        Some(true) => None,
        Some(false) => Some(Finding {
            state: WatchdogState::NotEnrolled,
            reason: enrollment.reason.into(),
            detail: enrollment.detail.clone(),
            stuck: Some(false),
        }),
        None => Some(Finding::unknown(enrollment.reason.into(), enrollment.detail.clone())),
    }
}

impl Findings {
    /// The span that the log evidence covers; `None` if the log could not be read.
    pub fn log_span(&self) -> Option<Span> {
        self.evidence.journal.covers.known().copied()
    }
}
