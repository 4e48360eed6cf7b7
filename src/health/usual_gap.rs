//! How long a Mac is usually silent: the longest gap between two successes that it is used to.

use crate::event::Event;
use crate::journal::{Day, days_of};
use crate::vocabulary::Time;
use chrono::TimeDelta;

/// How far back a Mac's usual silence is looked for.
const HISTORY: TimeDelta = TimeDelta::days(14);

/// How many successes, over how long, make a history.
const HISTORY_SUCCESSES: u64 = 20;
const HISTORY_SPAN: TimeDelta = TimeDelta::days(3);

/// The longest gap, if there is a history to tell it from. `kept` are the days of the journal on disk, in order; where there
/// are none, the events tell them. `events` are none later than `now`. A success that lies in the future would hide a
/// silence until then: a day that holds one is counted again from the events.
pub fn usual_gap(kept: &[Day], events: &[&Event], now: Time) -> Option<TimeDelta> {
    let (oldest, newest) = ((now - HISTORY).timestamp_micros(), now.timestamp_micros());
    let from_the_future = |day: &Day| day.last > newest;
    let mut days: Vec<Day> = kept.iter().filter(|day| !from_the_future(day)).copied().collect();
    if kept.is_empty() || kept.iter().any(from_the_future) {
        let known = days.last().map_or(i64::MIN, |day| day.last);
        days.extend(days_of(events.iter().copied()).into_iter().filter(|day| day.first > known));
    }
    let recent: Vec<&Day> = days.iter().filter(|day| day.last >= oldest).collect();
    let (first, last) = (recent.first()?, recent.last()?);
    let successes: u64 = recent.iter().map(|day| day.successes).sum();
    if successes < HISTORY_SUCCESSES || last.last - first.first < HISTORY_SPAN.num_microseconds()? {
        return None;
    }
    let within = recent.iter().map(|day| day.longest_gap);
    let between = recent.iter().zip(recent.iter().skip(1)).map(|(earlier, later)| later.first - earlier.last);
    within.chain(between).max().map(TimeDelta::microseconds)
}
