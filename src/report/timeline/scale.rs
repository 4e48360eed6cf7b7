//! The stretch of time that the timeline shows, and its ticks.

use super::super::clock::Clock;
use crate::health::window::WINDOW;
use crate::vocabulary::Time;
use chrono::{TimeDelta, Timelike};

/// How far back the timeline reaches beyond the log, if something happened there.
const REACH: TimeDelta = TimeDelta::hours(24);

/// The most that it shows, for a Mac that keeps a journal of weeks.
const MOST: TimeDelta = TimeDelta::days(7);

/// How much is shown of the time before a short log, at least.
const LEAST: TimeDelta = TimeDelta::minutes(5);

/// The distances that ticks may have, in minutes, and how many ticks there are at most.
const STEPS: [i64; 12] = [1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, DAY];
const MOST_TICKS: i64 = 9;

/// Minutes of a day.
const DAY: i64 = 1440;

/// A stretch of time laid over the width of the timeline.
#[derive(Clone, Copy)]
pub struct Scale {
    /// Its first moment.
    pub from: Time,
    /// Its last moment.
    pub to: Time,
}

/// A tick of the axis.
pub struct Tick {
    /// Where.
    pub at: Time,
    /// The time of day, or the day where ticks are days apart.
    pub label: String,
    /// The day, at the first tick of each.
    pub day: Option<String>,
}

impl Scale {
    /// The stretch that holds the log, the window unless the log is shorter, and what happened before the log if it was not long ago.
    pub fn new(now: Time, log_from: Option<Time>, happened: impl Iterator<Item = Time>) -> Self {
        let window = now - WINDOW;
        let from = match log_from {
            Some(from) if from <= window => from.max(now - MOST),
            // A log of minutes is looked at more closely, with some of the time that it does not cover.
            Some(from) if from < now => (from - ((now - from) / 2).max(LEAST)).max(window),
            _ => window,
        };
        let reach = from.min(now - REACH);
        let from = happened.filter(|at| *at >= reach).fold(from, Time::min);
        // A little room at both ends.
        let room = (now - from) / 50;
        Self { from: from - room, to: now + room }
    }

    /// Whether a moment lies in it.
    pub fn holds(self, at: Time) -> bool {
        (self.from..=self.to).contains(&at)
    }

    /// Where a moment lies, in percent; one that lies outside lies at the edge.
    pub fn percent(self, at: Time) -> f64 {
        let (part, whole) = (at.clamp(self.from, self.to) - self.from, self.to - self.from);
        100.0 * part.as_seconds_f64() / whole.as_seconds_f64().max(1.0)
    }

    /// The ticks, at round local times.
    pub fn ticks(self, clock: &Clock<'_>) -> Vec<Tick> {
        let minutes = (self.to - self.from).num_minutes();
        let step = STEPS.into_iter().find(|step| minutes / step < MOST_TICKS).unwrap_or(minutes.max(1));
        let mut ticks: Vec<Tick> = Vec::new();
        let mut at = round(self.from, step, clock);
        let mut last_day = None;
        while at <= self.to {
            if at >= self.from {
                let day = Some(clock.day(at)).filter(|day| last_day.as_ref() != Some(day));
                last_day = day.clone().or(last_day);
                let label = if step < DAY { clock.local(at).format("%H:%M").to_string() } else { clock.day(at) };
                ticks.push(Tick { at, label, day: day.filter(|_| step < DAY) });
            }
            // A clock change moves the round times.
            at = round(at + TimeDelta::minutes(step + step.min(DAY) / 2), step, clock);
        }
        ticks
    }
}

/// The last round local time before a moment, counted from midnight; of steps of days, midnight.
fn round(at: Time, step: i64, clock: &Clock<'_>) -> Time {
    let local = clock.local(at).time();
    let into = i64::from(local.num_seconds_from_midnight()) % (60 * step.min(DAY));
    at - TimeDelta::seconds(into) - TimeDelta::nanoseconds(i64::from(local.nanosecond()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::zone::Zone;
    use chrono::FixedOffset;

    fn time(text: &str) -> Time {
        text.parse().unwrap()
    }

    fn labels(from: &str, to: &str, minutes: i32) -> Vec<String> {
        let zone = Zone::Given(FixedOffset::east_opt(60 * minutes).unwrap());
        let ticks = Scale { from: time(from), to: time(to) }.ticks(&Clock::new(&zone));
        ticks.iter().map(|tick| format!("{}{}", tick.label, tick.day.as_deref().unwrap_or_default())).collect()
    }

    #[test]
    fn ticks_are_round_in_local_time() {
        assert_eq!(
            labels("2026-11-23T17:40:00Z", "2026-11-23T19:10:00Z", 330),
            ["23:1523 Nov", "23:30", "23:45", "00:0024 Nov", "00:15", "00:30"]
        );
        assert_eq!(labels("2026-11-20T03:00:00Z", "2026-11-24T03:00:00Z", 0).len(), 8);
        assert_eq!(labels("2026-11-01T03:00:00Z", "2026-11-08T04:00:00Z", 0)[..2], ["2 Nov", "3 Nov"]);
    }

    #[test]
    fn a_log_of_minutes_is_looked_at_closely() {
        let now = time("2026-11-23T18:00:00Z");
        let minutes = |from: &str| (now - Scale::new(now, Some(time(from)), [].into_iter()).from).num_minutes();
        assert_eq!(minutes("2026-11-23T17:59:40Z"), 5);
        assert_eq!(minutes("2026-11-23T17:40:00Z"), 30);
        assert_eq!(minutes("2026-11-23T16:45:00Z"), 91);
    }

    #[test]
    fn what_happened_long_ago_does_not_stretch_it() {
        let now = time("2026-11-23T18:00:00Z");
        let log_from = Some(time("2026-11-23T15:00:00Z"));
        let from = |at: &str| Scale::new(now, log_from, [time(at)].into_iter()).from;
        assert_eq!(from("2026-10-01T00:00:00Z"), from("2026-11-23T16:00:00Z"));
        assert!(from("2026-11-23T06:00:00Z") < time("2026-11-23T06:00:00Z"));
    }
}
