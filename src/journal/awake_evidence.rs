//! Works out when the Mac was awake, from all the evidence there is.
//!
//! Three things are known. Samples of two clocks, of which one pauses in sleep: between two samples of one boot it is
//! known how long the Mac slept, but not when. The log's lines about power, which tell sleep, dark wakes and full wakes
//! apart. And the kernel's times of the last boot and the last wake. Where they disagree, or where the wall clock was set
//! between two samples, less counts as awake, never more.

use super::awake::{AwakeSample, AwakeSpan, AwakeSpans, Elapsed};
use crate::event::PowerState;
use crate::facts::awake::BootAndWake;
use crate::vocabulary::{Span, Time};
use chrono::TimeDelta;

/// How long before a Mac sleeps its log may already say so.
const BEFORE_SLEEP: TimeDelta = TimeDelta::seconds(60);

/// Longer than any dark wake.
const LONGEST_DARK_WAKE: TimeDelta = TimeDelta::hours(12);

/// What is known.
#[derive(Debug, Clone, Copy, Default)]
pub struct AwakeEvidence<'k> {
    /// In the order in which they were taken, by however many processes.
    pub samples: &'k [AwakeSample],
    /// Sleeps and wakes in the order of time.
    pub power: &'k [(Time, PowerState)],
    /// The span for which they are complete.
    pub covers: Option<Span>,
    pub boot_and_wake: Option<BootAndWake>,
    /// The times awake that a capture records.
    pub recorded: &'k [AwakeSpan],
}

impl AwakeEvidence<'_> {
    pub fn spans(&self, now: Time) -> AwakeSpans {
        let gaps: Vec<Gap> = gaps(self.samples).into_iter().filter(|gap| gap.span.to <= now).collect();
        let measured: Vec<Span> = gaps.iter().map(|gap| gap.span).collect();
        let ambiguous = ambiguous(self.samples, self.power);
        let states = States::new(self.power, self.boot_and_wake, now);
        // Measurements count for more than log lines.
        let said = self.said(now).without(&states.asleep).without(&states.dark).without(&ambiguous).without(&measured);
        let known: Vec<Span> = said.spans().iter().map(|span| Span { from: span.from, to: span.to }).collect();
        let recorded = AwakeSpans::of(self.recorded.iter().filter_map(|span| span.within(span.from, now)));
        let recorded = recorded.without(&measured).without(&known);
        let woke_at = self.boot_and_wake.and_then(|times| times.woke_at);
        let counted: Vec<AwakeSpans> = gaps.iter().map(|gap| gap.awake(&states, woke_at).without(&ambiguous)).collect();
        AwakeSpans::of([&recorded, &said].into_iter().chain(&counted).flat_map(AwakeSpans::spans).copied())
    }

    /// What the kernel and the log say about this boot. Nobody knows when the Mac was switched off before it, and times
    /// from before the clock was set cannot be compared with later ones.
    fn said(&self, now: Time) -> AwakeSpans {
        let Some(times) = self.boot_and_wake.filter(|times| times.running_since() <= now) else {
            return AwakeSpans::default();
        };
        let mut said = vec![Span { from: times.running_since(), to: now }];
        if let Some(covers) = self.covers {
            let mut since = Some(times.booted_at).filter(|at| *at >= covers.from);
            for (at, state) in self.power.iter().filter(|(at, _)| *at > times.booted_at && *at <= now) {
                since = match (state, since) {
                    (PowerState::FullWake, _) => Some(*at),
                    (PowerState::Sleep | PowerState::DarkWake, Some(from)) => {
                        said.push(Span { from, to: *at });
                        None
                    }
                    // A wake without a sleep before it: a line is missing.
                    _ => None,
                };
            }
        }
        let set = pairs(self.samples).into_iter().rfind(|(earlier, later)| earlier.until(later).clock_was_set());
        let set_at = set.map(|(_, later)| later.at);
        let said = said.into_iter().map(|span| Span { from: span.from.max(set_at.unwrap_or(span.from)), ..span });
        let said = AwakeSpans::new(said.collect());
        if self.fits_into_this_boot(&said, now) { said } else { AwakeSpans::default() }
    }

    /// Whether the Mac can have been awake for as long as `said` since it booted. If not, its clock was set since then.
    fn fits_into_this_boot(&self, said: &AwakeSpans, now: Time) -> bool {
        let Some((sample, times)) = self.samples.last().zip(self.boot_and_wake) else { return true };
        let booted_at = sample.at - TimeDelta::milliseconds(sample.running_ms);
        let is_of_this_boot = (booted_at - times.booted_at).abs() <= BEFORE_SLEEP;
        let awake = TimeDelta::milliseconds(sample.awake_ms) + (now - sample.at).max(TimeDelta::zero());
        let said: TimeDelta = said.spans().iter().map(AwakeSpan::least).sum();
        !is_of_this_boot || said <= awake + BEFORE_SLEEP
    }
}

/// The time between two samples of one boot.
#[derive(Debug)]
struct Gap {
    span: Span,
    elapsed: Elapsed,
}

/// The gaps between samples, in order and without overlaps. Where the wall clock was set back, what was measured before
/// would overlap with what was measured afterwards, and is left out.
fn gaps(samples: &[AwakeSample]) -> Vec<Gap> {
    let mut gaps: Vec<Gap> = Vec::new();
    for (earlier, later) in pairs(samples) {
        let elapsed = earlier.until(later);
        let lowest = lowest(earlier, later);
        while gaps.pop_if(|last| last.span.from >= lowest).is_some() {}
        if let Some(last) = gaps.last_mut() {
            last.span.to = last.span.to.min(lowest);
        }
        if elapsed.wall > TimeDelta::zero() && elapsed.awake >= TimeDelta::zero() {
            gaps.push(Gap { span: Span { from: earlier.at, to: later.at }, elapsed });
        }
    }
    gaps
}

/// The earliest time that the wall clock may have shown between two samples.
fn lowest(earlier: &AwakeSample, later: &AwakeSample) -> Time {
    let elapsed = earlier.until(later);
    let set_back = if elapsed.clock_was_set() { later.at - elapsed.running } else { earlier.at };
    earlier.at.min(later.at).min(set_back)
}

/// Each sample and the next one of the same boot.
fn pairs(samples: &[AwakeSample]) -> Vec<(&AwakeSample, &AwakeSample)> {
    let mut boots: Vec<&str> = Vec::new();
    for sample in samples {
        if !boots.contains(&sample.boot.as_ref()) {
            boots.push(&sample.boot);
        }
    }
    let mut pairs = Vec::new();
    for boot in boots {
        let mut of_boot: Vec<&AwakeSample> = samples.iter().filter(|sample| sample.boot.as_ref() == boot).collect();
        of_boot.sort_by_key(|sample| sample.running_ms);
        pairs.extend(of_boot.iter().zip(of_boot.iter().skip(1)).map(|(earlier, later)| (*earlier, *later)));
    }
    pairs
}

/// The times that the wall clock showed twice because it was set back, if there are lines about power in them. It is
/// not known which of those lines came first, so the Mac's state is unknown until the next line. In order and without
/// overlaps.
fn ambiguous(samples: &[AwakeSample], power: &[(Time, PowerState)]) -> Vec<Span> {
    let mut twice: Vec<Span> = Vec::new();
    for (earlier, later) in pairs(samples) {
        let elapsed = earlier.until(later);
        if !elapsed.clock_was_set() || elapsed.wall >= elapsed.running {
            continue;
        }
        let (from, highest) = (lowest(earlier, later), earlier.at + elapsed.running);
        let goes_on = twice.iter().any(|span| span.from <= earlier.at && earlier.at <= span.to);
        if goes_on || power.iter().any(|(at, _)| from < *at && *at <= highest) {
            let to = highest.min(later.at + LONGEST_DARK_WAKE).max(later.at);
            let next = power.iter().map(|(at, _)| *at).find(|at| *at > to);
            twice.push(Span { from, to: next.unwrap_or(Time::MAX_UTC).min(to + LONGEST_DARK_WAKE) });
        }
    }
    twice.sort_by_key(|span| span.from);
    twice.dedup_by(|span, before| {
        let joins = span.from <= before.to;
        before.to = if joins { before.to.max(span.to) } else { before.to };
        joins
    });
    twice
}

impl Gap {
    fn awake(&self, states: &States, woke_at: Option<Time>) -> AwakeSpans {
        let Span { from, to } = self.span;
        let slept = self.elapsed.slept();
        // How far the clock was set forward; nobody knows when.
        let unplaced = (self.elapsed.wall - self.elapsed.running).max(TimeDelta::zero());
        let usable = !self.elapsed.clock_was_set();
        let (said, times) = states.asleep_within(self.span);
        let spans = if usable && times > 0 && said <= slept + BEFORE_SLEEP * times {
            // The log says when the Mac slept. A sleep that is not in the log may have been at any time. It is longer
            // than it seems, because the log notes a sleep before it begins.
            let unsaid = if said < slept { slept - said + BEFORE_SLEEP * times } else { TimeDelta::zero() };
            AwakeSpans::of([AwakeSpan { from, to, asleep: unplaced + unsaid }]).without(&states.asleep)
        } else if let Some(woke_at) = woke_at.filter(|at| usable && from < *at && *at < to) {
            // All sleep was before the last wake.
            let before = AwakeSpan { from, to: woke_at, asleep: unplaced + slept };
            AwakeSpans::of([before, AwakeSpan { from: woke_at, to, asleep: unplaced }])
        } else {
            AwakeSpans::of([AwakeSpan { from, to, asleep: unplaced + slept }])
        };
        spans.without(&states.dark)
    }
}

/// When the Mac was not awake, as the log says; in order.
struct States {
    asleep: Vec<Span>,
    dark: Vec<Span>,
}

impl States {
    fn new(power: &[(Time, PowerState)], boot_and_wake: Option<BootAndWake>, now: Time) -> Self {
        let (mut asleep, mut dark) = (Vec::new(), Vec::new());
        let mut later = power.iter().skip(1);
        for (from, state) in power {
            let (from, next) = (*from, later.next());
            let ends = |extra| next.map(|(at, state)| if *state == PowerState::Sleep { *at + extra } else { *at });
            match state {
                PowerState::FullWake | PowerState::Wake => {}
                PowerState::DarkWake => dark.push(Span { from, to: ends(BEFORE_SLEEP).unwrap_or(now.max(from)) }),
                PowerState::Sleep => {
                    // The kernel may know of a wake of which the log has no line.
                    let woke_at = boot_and_wake.map(|times| times.running_since()).filter(|at| *at >= from);
                    asleep.push(Span { from, to: ends(TimeDelta::zero()).or(woke_at).unwrap_or(now.max(from)) });
                }
            }
        }
        Self { asleep, dark }
    }

    /// For how long the Mac slept within a span, and how many times.
    fn asleep_within(&self, span: Span) -> (TimeDelta, i32) {
        let first = self.asleep.partition_point(|one| one.to <= span.from);
        let within = self.asleep.iter().skip(first).take_while(|one| one.from < span.to);
        let lengths = within.map(|one| one.to.min(span.to) - one.from.max(span.from));
        lengths.fold((TimeDelta::zero(), 0), |(sum, times), length| (sum + length, times + 1))
    }
}
