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

/// The longest gap, if there is enough history to know it. `kept` holds the days of the journal on disk, in order;
/// without them, `events` is used. No event is later than `now`. A success in the future would hide a silence until
/// then, so a day that contains one is counted again from the events.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Channel, EventKind, HttpMessage};
    use crate::log::Level;
    use chrono::DateTime;

    const DAY: i64 = 24;

    fn hour(hour: i64) -> Time {
        DateTime::from_timestamp(1_795_046_400 + hour * 3600, 0).unwrap()
    }

    fn success(at: i64, level: Level) -> Event {
        let kind = EventKind::ResponseReceived { status: 200, message: HttpMessage::Idle };
        let channel = Some(Channel::Device);
        Event { at: hour(at), pid: 300, thread: 1, channel, attributed: true, level: Some(level), kind }
    }

    /// A success every two hours for six days, and these beside them.
    fn gap(others: &[(i64, Level)], kept: bool) -> Option<i64> {
        let usual = (0..72).map(|number| (number * 2, Level::Default));
        let mut events: Vec<Event> =
            usual.chain(others.iter().copied()).map(|(at, level)| success(at, level)).collect();
        events.sort_by_key(|event| event.at);
        let now = hour(10 * DAY);
        let days = if kept { days_of(events.iter()) } else { Vec::new() };
        let known: Vec<&Event> = events.iter().filter(|event| event.at <= now).collect();
        usual_gap(&days, &known, now).map(|gap| gap.num_hours())
    }

    #[test]
    fn lines_that_macos_keeps_in_memory_only_say_nothing_of_what_is_usual() {
        assert_eq!((gap(&[], true), gap(&[], false)), (Some(2), Some(2)));
        let in_memory = [(8 * DAY, Level::Info), (9 * DAY, Level::Debug)];
        assert_eq!((gap(&in_memory, true), gap(&in_memory, false)), (Some(2), Some(2)));
        let kept = [(8 * DAY, Level::Default)];
        assert_eq!((gap(&kept, true), gap(&kept, false)), (Some(50), Some(50)));
    }

    #[test]
    fn a_success_in_the_future_makes_no_silence_usual() {
        let future = [(10 * DAY + 2, Level::Default), (11 * DAY, Level::Default)];
        assert_eq!((gap(&future, true), gap(&future, false)), (Some(2), Some(2)));
    }
}
