//! The watchdog's rules, in their order. Three-valued throughout: what the evidence does not say is unknown.

use super::commands::Command;
use super::enrollment::Enrollment;
use super::exchanges::Exchange;
use super::identity::MdmIdentity;
use super::updates::stuck::{Client, SoftwareUpdates};
use super::{Evidence, Findings};
use crate::event::{Event, EventKind, IdentityTrouble};
use crate::journal::Day;
use crate::vocabulary::codes::{SoftwareUpdatesReason, SourceReason, WatchdogReason, WatchdogState};
use crate::vocabulary::{Fact, Span, Time, rfc3339};
use chrono::TimeDelta;

/// Within this time a success counts as recent.
pub const WINDOW: TimeDelta = TimeDelta::minutes(90);

/// How old the end of the log evidence may be: data is read anew after a minute, and reading takes time.
pub(super) const FRESHNESS: TimeDelta = TimeDelta::minutes(2);

/// How long a request or a command may be under way before it counts as unanswered.
const PATIENCE: TimeDelta = TimeDelta::minutes(5);

/// How far back a Mac's usual silence is looked for.
const HISTORY: TimeDelta = TimeDelta::days(14);

/// How many successes, over how long, make a history.
const HISTORY_SUCCESSES: u64 = 20;
const HISTORY_SPAN: TimeDelta = TimeDelta::days(3);

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
    /// When the server last answered 200.
    pub last_success_at: Option<Time>,
    /// When mdmclient last sent a request.
    pub last_attempt_at: Option<Time>,
    /// The status of the server's last answer.
    pub last_http_status: Option<u16>,
    /// The last command: its RequestType and when it came.
    pub last_command: Option<(Box<str>, Option<Time>)>,
    /// The longest silence that this Mac is used to.
    pub usual_gap: Option<TimeDelta>,
}

impl Verdict {
    /// The verdict where some answers are missing and older ones stand in for them; `shown` is the verdict with those. A
    /// Mac that was enrolled an hour ago at most, and whose server has answered since the window began, is still ok. More
    /// than that old answers do not carry.
    pub(super) fn or_still_ok(self, shown: &Self) -> Self {
        if self.enrolled.is_some() || shown.state != WatchdogState::Ok {
            return self;
        }
        let Self { state, reason, detail, enrolled, client_stuck, .. } = shown.clone();
        let detail = format!("{detail} That this Mac is enrolled is an older answer: see mdm_health_status.");
        Self { state, reason, detail, enrolled, client_stuck, ..self }
    }
}

/// What decided, in SQL's words and in people's.
struct Finding {
    state: WatchdogState,
    reason: WatchdogReason,
    detail: String,
    /// mdm-watchdog's rule.
    stuck: Option<bool>,
}

/// Judges by the rules of the watchdog. `events` are those not later than `evidence.now`, in the order of time.
pub fn judge(
    evidence: &Evidence,
    enrollment: &Enrollment,
    identity: &MdmIdentity,
    events: &[&Event],
    commands: &[Command],
    exchanges: &[Exchange],
    updates: &SoftwareUpdates<'_>,
) -> Verdict {
    let case = Case::new(evidence, events, commands, exchanges);
    let contact = case.contact();
    let trouble = identity.trouble(case.recent_success()).or_else(|| case.identity_trouble());
    let finding = by_enrollment(enrollment).unwrap_or_else(|| match trouble.clone() {
        Some((reason, detail)) => Finding { state: WatchdogState::IdentityError, reason, detail, stuck: contact.stuck },
        None => contact,
    });
    let client = Client {
        not_enrolled: finding.state == WatchdogState::NotEnrolled,
        stuck: finding.stuck,
        last_command: case.last_command(),
    };
    let (software_updates_stuck, software_updates_reason) = updates.judge(evidence, &client);
    let identity_error = match trouble {
        _ if enrollment.enrolled == Some(false) => Some(false),
        Some(_) => Some(true),
        // A server that answers 200 has just accepted the identity.
        None => (case.recent_success().is_some() || identity.is_usable()).then_some(false),
    };
    Verdict {
        state: finding.state,
        reason: finding.reason,
        detail: finding.detail,
        enrolled: enrollment.enrolled,
        identity_error,
        client_stuck: finding.stuck,
        software_updates_stuck,
        software_updates_reason,
        last_success_at: case.last_success,
        last_attempt_at: exchanges.iter().filter_map(|exchange| exchange.started_at).max(),
        last_http_status: exchanges.iter().max_by_key(|exchange| exchange.finished_at).and_then(|last| last.status),
        last_command: case.last_command().map(|command| (command.request_type.clone(), command.last_seen_at())),
        usual_gap: case.usual_gap,
    }
}

/// The evidence, and what follows from it at once.
struct Case<'e> {
    evidence: &'e Evidence,
    events: &'e [&'e Event],
    commands: &'e [Command],
    exchanges: &'e [Exchange],
    last_success: Option<Time>,
    usual_gap: Option<TimeDelta>,
}

impl<'e> Case<'e> {
    fn new(
        evidence: &'e Evidence,
        events: &'e [&'e Event],
        commands: &'e [Command],
        exchanges: &'e [Exchange],
    ) -> Self {
        let last_success = events.iter().rev().find(|event| event.is_success()).map(|event| event.at);
        let usual_gap = usual_gap(&evidence.journal.days, evidence.now);
        Self { evidence, events, commands, exchanges, last_success, usual_gap }
    }

    /// The last success, if it came within the window.
    fn recent_success(&self) -> Option<Time> {
        self.last_success.filter(|success| self.evidence.now - *success <= WINDOW)
    }

    /// Rule 3, beside what the keychain shows: mdmclient's own words, if no success came after them.
    fn identity_trouble(&self) -> Option<(WatchdogReason, String)> {
        let last = self.events.iter().rev().find_map(|event| match event.kind {
            EventKind::IdentityTrouble(trouble) => Some((event.at, trouble)),
            _ => None,
        });
        let (at, trouble) = last.filter(|(at, _)| self.last_success.is_none_or(|success| *at > success))?;
        let (reason, words) = match trouble {
            IdentityTrouble::NotCreated => (WatchdogReason::IdentityNotCreated, "Unable to create MDM identity"),
            IdentityTrouble::ItemInvalid => {
                (WatchdogReason::IdentityItemInvalid, "The specified item is no longer valid")
            }
        };
        Some((reason, format!("mdmclient said at {}: {words}. The Mac has to be enrolled again.", rfc3339(at))))
    }

    /// Rules 4 to 8.
    fn contact(&self) -> Finding {
        if let Some(success) = self.recent_success() {
            return Finding {
                state: WatchdogState::Ok,
                reason: WatchdogReason::RecentSuccess,
                detail: format!("The server answered 200 at {}.", rfc3339(success)),
                stuck: Some(false),
            };
        }
        self.doubt().or_else(|| self.failure()).unwrap_or_else(|| self.silence())
    }

    /// Rule 5: reasons not to trust a silence.
    fn doubt(&self) -> Option<Finding> {
        let (now, journal) = (self.evidence.now, &self.evidence.journal);
        let covers = match &journal.covers {
            Fact::Known(covers) => Some(covers),
            Fact::Unknown { reason: SourceReason::LogEmpty, .. } => None,
            Fact::Unknown { why, .. } => {
                return Some(unknown(WatchdogReason::LogUnreadable, format!("The log was not read: {why}")));
            }
        };
        let Some(covers) = covers.filter(|_| journal.records > 0) else {
            let detail = "The log holds nothing at all for the time asked, as after an OS installation or `log erase`.";
            return Some(unknown(WatchdogReason::LogEmpty, detail.to_owned()));
        };
        if covers.from > now - WINDOW || covers.to < now - FRESHNESS {
            let (from, to) = (rfc3339(covers.from), rfc3339(covers.to));
            let detail =
                format!("The log was read from {from} to {to}, which leaves out a part of the last 90 minutes.");
            return Some(unknown(WatchdogReason::LogIncomplete, detail));
        }
        match &self.evidence.awake_since {
            Fact::Unknown { why, .. } => Some(unknown(
                WatchdogReason::AwakeUnknown,
                format!("Since when the Mac is awake could not be told: {why}"),
            )),
            Fact::Known(since) if *since > now => Some(unknown(
                WatchdogReason::AwakeUnknown,
                format!("The Mac woke at {}, which has not come yet.", rfc3339(*since)),
            )),
            Fact::Known(since) if now - *since < WINDOW => Some(unknown(
                WatchdogReason::RecentlyAwake,
                format!("The Mac is awake only since {}.", rfc3339(*since)),
            )),
            Fact::Known(_) => None,
        }
    }

    /// Rule 6: what failed since the last success.
    fn failure(&self) -> Option<Finding> {
        let old_enough = |at: &Time| *at <= self.evidence.now - PATIENCE;
        // What came before the covered span may have been answered where nobody looked.
        let covered = self.log_from().max(self.last_success);
        let since = |at: &Time| covered.is_none_or(|covered| *at >= covered);
        let hung =
            self.commands.iter().filter(|command| command.is_pending()).filter_map(|command| {
                command.last_received_at.filter(since).filter(old_enough).map(|at| (command, at))
            });
        if let Some((command, at)) = hung.max_by_key(|(_, at)| *at) {
            let detail = format!("{} was received at {} and never answered.", command.request_type, rfc3339(at));
            return Some(stuck(WatchdogReason::CommandHung, detail));
        }
        let unanswered: Vec<Time> = (self.exchanges.iter())
            .filter(|exchange| exchange.finished_at.is_none())
            .filter_map(|exchange| exchange.started_at.filter(since).filter(old_enough))
            .collect();
        if let Some(last) = unanswered.iter().max() {
            let detail = format!("{} requests got no answer, the last sent at {}.", unanswered.len(), rfc3339(*last));
            return Some(stuck(WatchdogReason::RequestsUnanswered, detail));
        }
        let errors: Vec<(Time, u16)> = (self.exchanges.iter())
            .filter(|exchange| exchange.was_refused())
            .filter_map(|exchange| Some((exchange.finished_at.filter(since)?, exchange.status?)))
            .collect();
        errors.iter().max().map(|(at, status)| {
            let detail =
                format!("The server refused {} requests, the last at {} with {status}.", errors.len(), rfc3339(*at));
            stuck(WatchdogReason::ServerErrors, detail)
        })
    }

    /// Rules 7 and 8.
    fn silence(&self) -> Finding {
        // Before the covered span nobody listened.
        let since = self.last_success.max(self.evidence.awake_since.known().copied()).max(self.log_from());
        let silence = since.map(|since| self.evidence.now - since);
        let last = self.last_success.map_or_else(|| "in the log".to_owned(), |at| format!("since {}", rfc3339(at)));
        if let (Some(silence), Some(usual)) = (silence, self.usual_gap)
            && silence > WINDOW.max(usual * 3 / 2)
        {
            let usual = usual.num_minutes();
            let detail = format!(
                "No exchange {last}. Nothing failed, but this Mac is never silent for more than {usual} minutes."
            );
            return stuck(WatchdogReason::SilentTooLong, detail);
        }
        Finding {
            state: WatchdogState::Quiet,
            reason: WatchdogReason::NoContact,
            detail: format!(
                "No exchange {last}. Nothing failed: most servers push only when they have something to say."
            ),
            stuck: Some(true),
        }
    }

    /// Where the span begins for which the events are all there are.
    fn log_from(&self) -> Option<Time> {
        self.evidence.journal.covers.known().map(|covers| covers.from)
    }

    /// The command received last; of equal times the later in the log.
    fn last_command(&self) -> Option<&'e Command> {
        self.commands.iter().max_by_key(|command| command.last_seen_at())
    }
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
        None => Some(unknown(enrollment.reason.into(), enrollment.detail.clone())),
    }
}

impl Findings {
    /// The end of the span that the log evidence covers, or why that is unknown.
    pub fn log_span(&self) -> Option<Span> {
        self.evidence.journal.covers.known().copied()
    }
}

/// The longest silence between two successes, if there is a history to tell it from.
fn usual_gap(days: &[Day], now: Time) -> Option<TimeDelta> {
    let (oldest, newest) = ((now - HISTORY).timestamp_micros(), now.timestamp_micros());
    let recent: Vec<&Day> = days.iter().filter(|day| day.last >= oldest && day.first <= newest).collect();
    let (first, last) = (recent.first()?, recent.last()?);
    let successes: u64 = recent.iter().map(|day| day.successes).sum();
    if successes < HISTORY_SUCCESSES || last.last - first.first < HISTORY_SPAN.num_microseconds()? {
        return None;
    }
    let within = recent.iter().map(|day| day.longest_gap);
    let between = recent.iter().zip(recent.iter().skip(1)).map(|(earlier, later)| later.first - earlier.last);
    within.chain(between).max().map(TimeDelta::microseconds)
}

fn unknown(reason: WatchdogReason, detail: String) -> Finding {
    Finding { state: WatchdogState::Unknown, reason, detail, stuck: None }
}

fn stuck(reason: WatchdogReason, detail: String) -> Finding {
    Finding { state: WatchdogState::Stuck, reason, detail, stuck: Some(true) }
}
