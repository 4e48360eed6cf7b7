//! Whether the MDM client and its server are in contact: rules 4 to 11 of the watchdog, in their order. Three-valued: what
//! the evidence does not say is unknown.
//!
//! Only the device channel counts. A user's agent is a process of its own, and talks on while the daemon hangs.

use super::commands::MdmCommand;
use super::exchanges::Exchange;
use super::window::{FRESHNESS, PATIENCE, WINDOW};
use crate::event::answer::Answer;
use crate::event::{Channel, Event, EventKind};
use crate::journal::awake::AwakeSpans;
use crate::vocabulary::codes::{SourceReason, WatchdogReason, WatchdogState};
use crate::vocabulary::{Fact, Span, Time, rfc3339};
use chrono::TimeDelta;

/// The cause of a connection that a push made.
const PUSH: &str = "PushNotification";

/// What the rules go by.
pub struct Contact<'e> {
    pub now: Time,
    /// The span for which the events are complete.
    pub covers: &'e Fact<Span>,
    /// How many records of any process lie in that span. A log without any was emptied.
    pub records: u64,
    /// Whether the log of the last day is still being read.
    pub still_reading: bool,
    /// When mdmclient's daemon last wrote a record that macOS hides, and one that can be read.
    pub private_at: Option<Time>,
    pub readable_at: Option<Time>,
    /// When the Mac is known to have been awake, or why that is unknown.
    pub awake: Fact<AwakeSpans>,
    /// Whether the Mac has no network connection now; false where that is unknown.
    pub offline: bool,
    /// The longest silence that this Mac is used to.
    pub usual_gap: Option<TimeDelta>,
    /// In the order of time, none later than `now`.
    pub events: &'e [&'e Event],
    pub commands: &'e [MdmCommand],
    pub exchanges: &'e [Exchange],
}

/// The state, and what decided it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub state: WatchdogState,
    pub reason: WatchdogReason,
    pub detail: String,
    /// mdm-watchdog's rule: no success within the window.
    pub stuck: Option<bool>,
}

impl Finding {
    pub fn unknown(reason: WatchdogReason, detail: impl Into<String>) -> Self {
        Self { state: WatchdogState::Unknown, reason, detail: detail.into(), stuck: None }
    }

    fn stuck(reason: WatchdogReason, detail: String) -> Self {
        Self { state: WatchdogState::Stuck, reason, detail, stuck: Some(true) }
    }
}

impl Contact<'_> {
    pub fn judge(&self) -> Finding {
        if let Some(success) = self.recent_success() {
            return Finding {
                state: WatchdogState::Ok,
                reason: WatchdogReason::RecentSuccess,
                detail: format!("The server accepted a request at {}.", rfc3339(success)),
                stuck: Some(false),
            };
        }
        self.log_falls_short()
            .or_else(|| self.awake_falls_short())
            .or_else(|| self.private())
            .or_else(|| self.refused())
            .or_else(|| self.hung().into_iter().flatten().next().map(|(_, finding)| finding))
            .or_else(|| self.offline())
            .or_else(|| self.unanswered())
            .unwrap_or_else(|| self.silence())
    }

    /// The last success on the device channel.
    pub fn last_success(&self) -> Option<Time> {
        self.events.iter().rev().find(|event| event.answer() == Some(Answer::Success)).map(|event| event.at)
    }

    /// Rule 4: the last success, if it came within the window.
    pub fn recent_success(&self) -> Option<Time> {
        self.last_success().filter(|success| self.now - *success <= WINDOW)
    }

    /// Rule 5: the log could not be read, or does not reach back far enough.
    fn log_falls_short(&self) -> Option<Finding> {
        let reading = || {
            let detail = "The log of the last day is still being read; ask again in a minute.";
            Finding::unknown(WatchdogReason::StillReading, detail)
        };
        let covers = match self.covers {
            Fact::Known(covers) => Some(covers),
            Fact::Unknown { reason: SourceReason::LogEmpty, .. } => None,
            Fact::Unknown { reason: SourceReason::Collecting | SourceReason::NotRead, .. } => return Some(reading()),
            Fact::Unknown { why, .. } => {
                return Some(Finding::unknown(WatchdogReason::LogUnreadable, format!("The log was not read: {why}")));
            }
        };
        let success = self.last_success().filter(|success| covers.is_some_and(|covers| covers.from <= *success));
        if self.still_reading && success.is_none() {
            return Some(reading());
        }
        let Some(covers) = covers.filter(|_| self.records > 0) else {
            let detail = "The log holds nothing at all for the time asked, as after an OS installation or `log erase`.";
            return Some(Finding::unknown(WatchdogReason::LogEmpty, detail));
        };
        let ends_early = covers.to < self.now - FRESHNESS;
        // A longer log would show more, unless the Mac has not been awake for the window at all.
        let begins_late = success.is_none()
            && self.awake_since(covers.from) < WINDOW
            && (self.now - covers.from < WINDOW || self.awake_since(Time::MIN_UTC) >= WINDOW);
        (ends_early || begins_late).then(|| {
            let detail = format!(
                "The log was read from {} to {}, which reaches neither the last success nor back over 90 minutes in which \
                 the Mac was awake.",
                rfc3339(covers.from),
                rfc3339(covers.to)
            );
            Finding::unknown(WatchdogReason::LogIncomplete, detail)
        })
    }

    /// Rule 6: the Mac has not been awake for long enough since the last success.
    fn awake_falls_short(&self) -> Option<Finding> {
        let awake = match &self.awake {
            Fact::Known(_) => self.silence_awake(),
            Fact::Unknown { why, .. } => {
                let detail = format!("When the Mac was awake is unknown: {why}");
                return Some(Finding::unknown(WatchdogReason::AwakeUnknown, detail));
            }
        };
        (awake < WINDOW).then(|| {
            let since = match self.last_success() {
                Some(success) => format!("since the last success at {}", rfc3339(success)),
                None => "in the time that the log covers".to_owned(),
            };
            let detail = format!("The Mac is known to have been awake for {} minutes {since}.", awake.num_minutes());
            Finding::unknown(WatchdogReason::RecentlyAwake, detail)
        })
    }

    /// Still rule 6: what mdmclient wrote since the last success cannot be read, so it may have been an answer. This
    /// applies if nothing readable came since then or within the window, or if none of the log's requests and answers
    /// is readable.
    fn private(&self) -> Option<Finding> {
        let since = self.last_success().max(self.covers_from());
        let private_at = self.private_at.filter(|at| since.is_none_or(|since| *at > since))?;
        let long_ago = since.map_or(self.now - WINDOW, |since| since.max(self.now - WINDOW));
        let readable = self.readable_at.is_some_and(|at| at > long_ago);
        let is_http =
            |kind: &EventKind| matches!(kind, EventKind::RequestSent { .. } | EventKind::ResponseReceived { .. });
        let covered = |at: Time| self.covers_from().is_none_or(|from| at >= from);
        (!readable || !self.device_events(is_http).any(covered)).then(|| {
            let detail = format!(
                "macOS shows what mdmclient wrote as <private>, the last time at {}: whether the server answered is unknown.",
                rfc3339(private_at)
            );
            Finding::unknown(WatchdogReason::PrivateMessages, detail)
        })
    }

    /// Rule 7: the server refuses, and nothing has hung since it last did.
    fn refused(&self) -> Option<Finding> {
        let refusals: Vec<(Time, u16)> = (self.device_exchanges())
            .filter(|exchange| exchange.answer() == Some(Answer::Refusal))
            .filter_map(|exchange| Some((self.counted(exchange.finished_at)?, exchange.status?)))
            .collect();
        let (at, status) = *refusals.iter().max()?;
        if self.hung().iter().flatten().any(|(hung_at, _)| *hung_at > at) {
            return None;
        }
        let (requests, when) = (refusals.len(), rfc3339(at));
        let detail = format!("The server refused {requests} requests, the last at {when} with {status}.");
        let (state, reason) = (WatchdogState::ServerError, WatchdogReason::ServerRefuses);
        Some(Finding { state, reason, detail, stuck: Some(true) })
    }

    /// Rule 8: what hangs, and since when. A hung command is better evidence than a push without a request.
    fn hung(&self) -> [Option<(Time, Finding)>; 2] {
        let command = self.hung_command().map(|(at, request_type)| {
            let detail = format!("{request_type} was received at {} and never answered.", rfc3339(at));
            (at, Finding::stuck(WatchdogReason::CommandHung, detail))
        });
        let push = self.unfollowed_push().map(|at| {
            let detail =
                format!("A push made mdmclient connect at {}, and it sent no request within 5 minutes.", rfc3339(at));
            (at, Finding::stuck(WatchdogReason::PushNotFollowed, detail))
        });
        [command, push]
    }

    /// The last command that was received and never answered, if the device channel has sent nothing since.
    fn hung_command(&self) -> Option<(Time, &str)> {
        let pending =
            self.commands.iter().filter(|command| command.is_pending() && Channel::is_device(command.channel));
        let received = pending.filter_map(|command| {
            let at = self.counted(command.last_received_at).filter(|at| self.is_old(*at))?;
            Some((at, command.request_type.as_ref()))
        });
        received.max_by_key(|(at, _)| *at).filter(|(at, _)| self.requests().all(|sent| sent <= *at))
    }

    /// The last push that made mdmclient connect and that no request followed. It counts only if a request followed an
    /// earlier push: then both kinds of line are known to be visible on this Mac.
    fn unfollowed_push(&self) -> Option<Time> {
        let pushes: Vec<Time> = self.pushes().collect();
        let visible = pushes.iter().find(|push| self.is_followed(**push))?;
        let later = pushes.iter().rev().filter(|push| *push > visible);
        later
            .copied()
            .find(|push| self.counted(Some(*push)).is_some() && self.is_old(*push) && !self.is_followed(*push))
    }

    /// When pushes made mdmclient connect.
    pub fn pushes(&self) -> impl Iterator<Item = Time> {
        self.device_events(|what| matches!(what, EventKind::Connect { cause } if &**cause == PUSH))
    }

    /// Whether a request, or the server's word that there are no commands, came within the patience after a push.
    fn is_followed(&self, push: Time) -> bool {
        let answers = self.device_events(|what| matches!(what, EventKind::NoCommands));
        self.requests().chain(answers).any(|at| at >= push && self.patience_between(push, at) <= PATIENCE)
    }

    /// Rule 9.
    fn offline(&self) -> Option<Finding> {
        let detail = "The Mac has no network connection now, so a silence says nothing.";
        self.offline.then(|| Finding::unknown(WatchdogReason::Offline, detail))
    }

    /// Rule 10, first half: requests that got no answer, and no answer of any kind came after them.
    fn unanswered(&self) -> Option<Finding> {
        let answered = self.last_answer();
        let sent: Vec<Time> = (self.device_exchanges())
            .filter(|exchange| exchange.finished_at.is_none())
            .filter_map(|exchange| self.counted(exchange.started_at))
            .filter(|at| self.is_old(*at) && answered.is_none_or(|answered| *at > answered))
            .collect();
        let last = sent.iter().max()?;
        let detail = format!("{} requests got no answer, the last sent at {}.", sent.len(), rfc3339(*last));
        Some(Finding::stuck(WatchdogReason::RequestsUnanswered, detail))
    }

    /// Rule 10, second half, and rule 11.
    fn silence(&self) -> Finding {
        let last = self.last_success().map_or_else(|| "in the log".to_owned(), |at| format!("since {}", rfc3339(at)));
        if let Some(usual) = self.usual_gap
            && self.awake_since_answer() > WINDOW.max(usual * 3 / 2)
        {
            let detail = format!(
                "No success {last}. Nothing failed, but this Mac is never silent for more than {} minutes.",
                usual.num_minutes()
            );
            return Finding::stuck(WatchdogReason::SilentTooLong, detail);
        }
        Finding {
            state: WatchdogState::Quiet,
            reason: WatchdogReason::NoContact,
            detail: format!(
                "No success {last}. Nothing failed: most servers push only when they have something to say."
            ),
            stuck: Some(true),
        }
    }

    /// For how long the Mac has been awake since the last success, or since the log begins.
    fn silence_awake(&self) -> TimeDelta {
        self.awake_since(self.last_success().max(self.covers_from()).unwrap_or(self.now))
    }

    /// How long the Mac has been awake since the server last answered at all, or since the log begins.
    fn awake_since_answer(&self) -> TimeDelta {
        self.awake_since(self.last_answer().max(self.covers_from()).unwrap_or(self.now))
    }

    /// The least time that the Mac has been awake since the last success; `None` if that is unknown.
    pub fn awake_since_success(&self) -> Option<TimeDelta> {
        self.awake.known().map(|_| self.silence_awake())
    }

    fn last_answer(&self) -> Option<Time> {
        self.events.iter().rev().find(|event| event.answer().is_some()).map(|event| event.at)
    }

    fn awake_since(&self, from: Time) -> TimeDelta {
        self.awake.known().map_or(TimeDelta::zero(), |awake| awake.within(from, self.now))
    }

    /// Whether the Mac has been awake for the allowed response time since `at`.
    fn is_old(&self, at: Time) -> bool {
        self.awake_since(at) >= PATIENCE
    }

    /// How much of the allowed response time has passed between two moments. If the Mac is not known to have been awake
    /// in between, all of that time counts, so that a late request is never taken for one that followed the push.
    fn patience_between(&self, from: Time, to: Time) -> TimeDelta {
        let awake = self.awake.known().map(|awake| awake.within(from, to)).unwrap_or_default();
        if awake.is_zero() { to - from } else { awake }
    }

    fn covers_from(&self) -> Option<Time> {
        self.covers.known().map(|covers| covers.from)
    }

    /// Keeps a moment only if it is no earlier than the last success and lies within the covered span. An earlier one
    /// may have been answered without a trace in the log.
    fn counted(&self, at: Option<Time>) -> Option<Time> {
        let since = self.covers_from().max(self.last_success());
        at.filter(|at| since.is_none_or(|since| *at >= since))
    }

    fn device_exchanges(&self) -> impl Iterator<Item = &Exchange> {
        self.exchanges.iter().filter(|exchange| Channel::is_device(exchange.channel))
    }

    fn device_events(&self, wanted: impl Fn(&EventKind) -> bool) -> impl Iterator<Item = Time> {
        self.events
            .iter()
            .filter(move |event| Channel::is_device(event.channel) && wanted(&event.kind))
            .map(|event| event.at)
    }

    /// When the device channel sent something.
    fn requests(&self) -> impl Iterator<Item = Time> {
        self.device_events(|what| matches!(what, EventKind::RequestSent { .. }))
    }
}
