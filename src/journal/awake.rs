//! When the Mac is known to have been awake: a lower bound, so that silence in sleep never counts.

use crate::vocabulary::{Span, Time};
use chrono::TimeDelta;

/// How old the end of the last span may be for the Mac to be awake now.
const FRESHNESS: TimeDelta = TimeDelta::minutes(2);

/// Two clocks are not read at the very same moment: less than this is no sleep.
const NO_SLEEP: TimeDelta = TimeDelta::seconds(1);

/// How far apart the wall clock and the clock since boot may come between two samples without one having been set.
pub(super) const DRIFT: TimeDelta = TimeDelta::seconds(2);

/// A span in which the Mac slept for a known time at an unknown moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AwakeSpan {
    pub from: Time,
    pub to: Time,
    /// The longest time that the Mac may have slept in this span.
    pub asleep: TimeDelta,
}

impl AwakeSpan {
    /// A stretch of time in which the Mac was awake throughout.
    pub fn whole(from: Time, to: Time) -> Self {
        Self { from, to, asleep: TimeDelta::zero() }
    }

    /// For how long the Mac was awake within it, at least.
    pub fn least(&self) -> TimeDelta {
        (self.to - self.from - self.asleep).max(TimeDelta::zero())
    }

    /// The part of the span between two moments; `None` if nothing is known about it, because all of the sleep may lie
    /// there.
    pub(super) fn within(&self, from: Time, to: Time) -> Option<Self> {
        let cut = Self { from: self.from.max(from), to: self.to.min(to), ..*self };
        (cut.to - cut.from > cut.asleep).then_some(cut)
    }

    fn is_whole(&self) -> bool {
        self.asleep <= NO_SLEEP
    }
}

/// Stretches of time in which the Mac is known to have been awake, in order and apart from each other. What lies between
/// them is unknown or sleep. A dark wake is not awake.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AwakeSpans(Vec<AwakeSpan>);

impl AwakeSpans {
    /// Of spans in any order, which may overlap, in which the Mac was awake throughout.
    pub fn new(mut spans: Vec<Span>) -> Self {
        spans.retain(|span| span.from < span.to);
        spans.sort_by_key(|span| span.from);
        let mut apart: Vec<AwakeSpan> = Vec::new();
        for span in spans {
            match apart.last_mut() {
                Some(last) if span.from <= last.to => last.to = last.to.max(span.to),
                _ => apart.push(AwakeSpan::whole(span.from, span.to)),
            }
        }
        Self(apart)
    }

    /// Of spans that do not overlap, in any order.
    pub fn of(spans: impl IntoIterator<Item = AwakeSpan>) -> Self {
        let mut spans: Vec<AwakeSpan> = spans.into_iter().filter(|span| span.least() > TimeDelta::zero()).collect();
        spans.sort_by_key(|span| span.from);
        Self(spans)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn spans(&self) -> &[AwakeSpan] {
        &self.0
    }

    /// For how long the Mac was awake between two moments, at least.
    pub fn within(&self, from: Time, to: Time) -> TimeDelta {
        let first = self.0.partition_point(|span| span.to <= from);
        let later = self.0.iter().skip(first).take_while(|span| span.from < to);
        later.filter_map(|span| span.within(from, to)).map(|span| span.least()).sum()
    }

    /// Since when the Mac has been awake without a pause; `None` if it is not known to be awake now.
    pub fn since(&self, now: Time) -> Option<Time> {
        let mut spans = self.0.iter().rev().filter_map(|span| span.within(span.from, now));
        let last = spans.next().filter(|last| last.is_whole() && last.to >= now - FRESHNESS)?;
        let mut since = last.from;
        for span in spans {
            if !span.is_whole() || span.to < since {
                break;
            }
            since = span.from;
        }
        Some(since)
    }

    /// The same without what lies within other spans, which are in order.
    pub(super) fn without(self, others: &[Span]) -> Self {
        let mut left = Vec::new();
        for span in self.0 {
            let first = others.partition_point(|other| other.to <= span.from);
            let mut rest = Some(span);
            for other in others.iter().skip(first).take_while(|other| other.from < span.to) {
                let Some(part) = rest else { break };
                left.extend(part.within(part.from, other.from));
                rest = part.within(other.to, part.to);
            }
            left.extend(rest);
        }
        Self(left)
    }
}

/// What the clocks said at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AwakeSample {
    /// By the wall clock, which can be set.
    pub at: Time,
    /// Milliseconds since boot, with sleep.
    pub running_ms: i64,
    /// Milliseconds since boot, without sleep.
    pub awake_ms: i64,
    pub boot: Box<str>,
}

impl AwakeSample {
    /// What the clocks say of the time between this sample and a later one of the same boot.
    pub(super) fn until(&self, later: &Self) -> Elapsed {
        Elapsed {
            wall: later.at - self.at,
            running: TimeDelta::milliseconds(later.running_ms.saturating_sub(self.running_ms)),
            awake: TimeDelta::milliseconds(later.awake_ms.saturating_sub(self.awake_ms)),
        }
    }

    /// Adds a sample to those of this and other boots. A sample before it that says nothing any more is taken out.
    pub fn add(self, to: &mut Vec<Self>) {
        let mut of_boot = to.iter().enumerate().rev().filter(|(_, one)| one.boot == self.boot);
        if let (Some((place, between)), Some((_, before))) = (of_boot.next(), of_boot.next())
            && Self::is_needless(before, between, &self)
        {
            to.remove(place);
        }
        to.push(self);
    }

    /// Whether the middle one of three samples of a boot adds nothing to the other two: the Mac did not sleep, and
    /// nobody set its clock.
    pub(super) fn is_needless(before: &Self, between: &Self, after: &Self) -> bool {
        [before.until(between), between.until(after), before.until(after)].iter().all(Elapsed::is_steady)
    }
}

/// The time between two samples, by each of the clocks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Elapsed {
    pub wall: TimeDelta,
    pub running: TimeDelta,
    pub awake: TimeDelta,
}

impl Elapsed {
    pub fn slept(&self) -> TimeDelta {
        (self.running - self.awake).max(TimeDelta::zero())
    }

    pub fn clock_was_set(&self) -> bool {
        (self.wall - self.running).abs() > DRIFT
    }

    fn is_steady(&self) -> bool {
        self.slept() <= NO_SLEEP && (self.wall - self.running).abs() <= NO_SLEEP && self.awake >= TimeDelta::zero()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::DateTime;

    fn minute(minute: i64) -> Time {
        DateTime::from_timestamp(1_795_000_000 + minute * 60, 0).unwrap()
    }

    fn span(from: i64, to: i64) -> Span {
        Span { from: minute(from), to: minute(to) }
    }

    fn partly(from: i64, to: i64, asleep: i64) -> AwakeSpan {
        AwakeSpan { from: minute(from), to: minute(to), asleep: TimeDelta::minutes(asleep) }
    }

    #[test]
    fn naps_are_left_out_and_overlaps_count_once() {
        let awake = AwakeSpans::new(vec![span(50, 60), span(0, 20), span(10, 30), span(70, 70)]);
        assert_eq!(awake.spans(), [partly(0, 30, 0), partly(50, 60, 0)]);
        let within = |from, to| awake.within(minute(from), minute(to)).num_minutes();
        assert_eq!([within(0, 60), within(25, 55), within(30, 50), within(60, 10)], [40, 10, 0, 0]);
    }

    #[test]
    fn a_sleep_at_an_unknown_time_counts_in_full_against_any_part() {
        let awake = AwakeSpans::of([partly(100, 110, 0), partly(0, 60, 20), partly(70, 80, 10)]);
        let within = |from, to| awake.within(minute(from), minute(to)).num_minutes();
        assert_eq!([within(0, 60), within(0, 30), within(30, 60), within(0, 20), within(0, 200)], [40, 10, 10, 0, 50]);
    }

    #[test]
    fn the_mac_is_awake_since_the_last_sleep_that_may_have_been() {
        let awake = AwakeSpans::of([partly(0, 60, 20), partly(60, 70, 0), partly(70, 90, 0)]);
        assert_eq!(awake.since(minute(90)), Some(minute(60)));
        assert_eq!(awake.since(minute(80)), Some(minute(60)));
        assert_eq!(awake.since(minute(93)), None, "nothing is known of the last minutes");
        assert_eq!(awake.since(minute(60)), None, "it slept a part of that hour");
        assert_eq!(AwakeSpans::default().since(minute(0)), None);
    }

    #[test]
    fn what_lies_within_others_is_taken_out() {
        let awake = AwakeSpans::of([partly(0, 30, 0), partly(40, 60, 5)]);
        let left = awake.without(&[span(10, 20), span(25, 45), span(52, 53), span(59, 70)]);
        assert_eq!(left.spans(), [partly(0, 10, 0), partly(20, 25, 0), partly(45, 52, 5), partly(53, 59, 5)]);
    }

    #[test]
    fn a_sample_between_two_others_is_kept_where_the_mac_slept_or_its_clock_was_set() {
        let sample = |at: i64, running: i64, awake: i64| AwakeSample {
            at: minute(at),
            running_ms: running * 60_000,
            awake_ms: awake * 60_000,
            boot: "one".into(),
        };
        let is_needless = |between, after| AwakeSample::is_needless(&sample(0, 100, 90), &between, &after);
        assert!(is_needless(sample(10, 110, 100), sample(20, 120, 110)));
        assert!(!is_needless(sample(10, 110, 95), sample(20, 120, 105)), "slept before");
        assert!(!is_needless(sample(10, 110, 100), sample(20, 120, 105)), "slept after");
        assert!(!is_needless(sample(40, 110, 100), sample(50, 120, 110)), "the clock was set");
    }
}
