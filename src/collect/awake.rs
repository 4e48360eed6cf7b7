//! When the Mac was awake, worked out from everything that is known about it, and which evidence that rests on.

use crate::event::{EventKind, PowerState};
use crate::facts::awake::BootAndWake;
use crate::health::Evidence;
use crate::host::{AwakeTimes, Host};
use crate::journal::EventClass;
use crate::journal::awake::{AwakeSample, AwakeSpan, AwakeSpans};
use crate::journal::awake_evidence::AwakeEvidence;
use crate::vocabulary::codes::{SourceReason, SourceState};
use crate::vocabulary::{Fact, Span, Time, rfc3339};
use chrono::TimeDelta;

/// The most stretches of time that are taken from a capture.
const MOST_RECORDED: usize = 10_000;

/// Adds the times awake to the evidence. The log, install.log and the times of boot and wake must have been read
/// before. `booted_at` is the last boot, if the log itself says it.
pub fn find(evidence: &mut Evidence, host: &dyn Host, samples: &[AwakeSample], booted_at: Option<Time>) {
    let now = evidence.now;
    let power = power(evidence);
    let recorded = recorded(host.recorded_awake());
    let by_kernel = evidence.boot_and_wake.known().copied();
    let by_log = booted_at.filter(|_| by_kernel.is_none());
    let by_log = by_log.and_then(|booted_at| said_in_log(booted_at, &power, covers(evidence)?));
    let known = AwakeEvidence {
        samples,
        power: &power,
        covers: covers(evidence),
        boot_and_wake: by_kernel.or(by_log),
        recorded: &recorded,
    };
    let spans = known.spans(now);
    let status = &mut evidence.boot_and_wake.status;
    status.detail = Some(rests_on(&known, by_log.is_some(), &spans, status.detail.take(), now));
    if !spans.is_empty() && (status.state == SourceState::Error || by_log.is_some()) {
        status.state = SourceState::Partial;
    }
    evidence.awake = match &evidence.boot_and_wake.now {
        Fact::Unknown { reason, why } if spans.is_empty() => Fact::unknown(*reason, why.clone()),
        Fact::Known(times) if spans.is_empty() && times.running_since() > now => {
            let woke_at = rfc3339(times.running_since());
            Fact::unknown(SourceReason::FutureRecords, format!("The last wake, at {woke_at}, lies in the future."))
        }
        _ => Fact::Known(spans),
    };
}

/// Sleeps and wakes: powerd's lines, else those of install.log, where any user can write.
fn power(evidence: &Evidence) -> Vec<(Time, PowerState)> {
    let power = evidence.journal.power();
    if !power.is_empty() {
        return power;
    }
    let install_log = evidence.install_log.known().into_iter().flatten();
    let mut power: Vec<(Time, PowerState)> = install_log
        .filter_map(|event| match &event.kind {
            EventKind::Power(state) => Some((event.at, *state)),
            _ => None,
        })
        .collect();
    power.sort_by_key(|(at, _)| *at);
    power
}

/// The span for which the lines about power are complete. A line that is missing in install.log proves nothing.
fn covers(evidence: &Evidence) -> Option<Span> {
    let covers = evidence.journal.covers.known().filter(|_| evidence.journal.of(EventClass::Power).len() > 0)?;
    let from = evidence.journal.complete_from.get(EventClass::Power).map_or(covers.from, |at| at.max(covers.from));
    Some(Span { from, ..*covers })
}

fn recorded(times: &[AwakeTimes]) -> Vec<AwakeSpan> {
    let spans = times.iter().take(MOST_RECORDED).map(|times| match *times {
        AwakeTimes::Whole(from, to) => AwakeSpan::whole(from, to),
        AwakeTimes::Partly(from, to, asleep) => AwakeSpan { from, to, asleep: TimeDelta::seconds(asleep.into()) },
    });
    let mut spans: Vec<AwakeSpan> = spans.collect();
    spans.sort_by_key(|span| span.from);
    let mut end = Time::MIN_UTC;
    spans.retain(|span| {
        let is_apart = span.from >= end && span.from < span.to;
        end = if is_apart { span.to } else { end };
        is_apart
    });
    spans
}

/// The times awake in the form that a capture records.
pub fn to_record(awake: &Fact<AwakeSpans>) -> Vec<AwakeTimes> {
    let spans = awake.known().map(AwakeSpans::spans).unwrap_or_default();
    let newest = spans.iter().skip(spans.len().saturating_sub(MOST_RECORDED));
    newest
        .map(|span| match u32::try_from(span.asleep.num_milliseconds().saturating_add(999) / 1000) {
            Ok(0) | Err(_) => AwakeTimes::Whole(span.from, span.to),
            Ok(asleep) => AwakeTimes::Partly(span.from, span.to, asleep),
        })
        .collect()
}

/// The last boot, and the last wake according to powerd's lines. A log that begins after the boot and shows no wake
/// since then says nothing about that time.
fn said_in_log(booted_at: Time, power: &[(Time, PowerState)], covers: Span) -> Option<BootAndWake> {
    let wakes = power.iter().filter(|(at, state)| *state == PowerState::FullWake && *at > booted_at);
    let woke_at = wakes.map(|(at, _)| *at).max();
    (woke_at.is_some() || covers.from <= booted_at).then_some(BootAndWake { booted_at, woke_at })
}

fn rests_on(known: &AwakeEvidence<'_>, by_log: bool, spans: &AwakeSpans, error: Option<String>, now: Time) -> String {
    let of_the_day = spans.within(now - TimeDelta::hours(24), now);
    let (hours, minutes) = (of_the_day.num_hours(), of_the_day.num_minutes() % 60);
    let mut sources = Vec::new();
    if known.boot_and_wake.is_some() {
        let what = if by_log { "the time of boot in the log" } else { "the kernel's times of boot and wake" };
        sources.push(what.to_owned());
    }
    for (many, what) in [
        (known.samples.len(), "samples of the clocks"),
        (known.power.len(), "lines about sleep and wake"),
        (known.recorded.len(), "times from the capture's journal"),
    ] {
        if many > 0 {
            sources.push(format!("{many} {what}"));
        }
    }
    let sources = if sources.is_empty() { "nothing".to_owned() } else { sources.join(", ") };
    let error = error.map(|error| format!("{error} ")).unwrap_or_default();
    format!("{error}Awake for at least {hours} h {minutes} min of the last 24 hours; known from {sources}.")
}
