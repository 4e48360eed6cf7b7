//! When a live Mac is read. `log show` costs nearly the same for five minutes as for an hour, so it is read seldom.

use crate::vocabulary::Time;
use chrono::TimeDelta;

/// For what a reading is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Somebody asks.
    Query,
    /// Somebody is about to act on it.
    Act,
    /// Nobody waits for it.
    Background,
}

/// How many readings queries may cause when findings are older than a minute. Scheduled queries come at their own
/// times, and nine an hour would read the log two hundred times a day. People ask rarely and get an answer at once.
/// After many queries, the findings at hand are used until they are as old as the background allows.
#[derive(Debug)]
pub struct Budget {
    left: u32,
    /// When the last one was given back.
    filled_at: Option<Time>,
}

/// How many readings queries may have at once.
const MOST: u32 = 6;

/// One of them is given back after this many background readings: then the log is read at most 60 times a day.
const GIVEN_BACK_AFTER: i32 = 6;

impl Default for Budget {
    fn default() -> Self {
        Self { left: MOST, filled_at: None }
    }
}

impl Budget {
    /// Takes one reading, if there is one left. `interval` is that of the background.
    pub fn take(&mut self, now: Time, interval: TimeDelta) -> bool {
        let interval = interval * GIVEN_BACK_AFTER;
        let filled_at = *self.filled_at.get_or_insert(now);
        if now < filled_at {
            // The clock was set back.
            self.filled_at = Some(now);
        } else if interval > TimeDelta::zero() {
            let passed = (now - filled_at).num_seconds() / interval.num_seconds().max(1);
            self.left = MOST.min(self.left.saturating_add(u32::try_from(passed).unwrap_or(MOST)));
            let given = i32::try_from(passed).ok().map_or(now, |passed| filled_at + interval * passed);
            self.filled_at = Some(if self.left == MOST { now } else { given });
        }
        let may = self.left > 0;
        self.left = self.left.saturating_sub(1);
        may
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::DateTime;

    fn minute(minute: i64) -> Time {
        DateTime::from_timestamp(1_795_000_000 + minute * 60, 0).unwrap()
    }

    const INTERVAL: TimeDelta = TimeDelta::minutes(30);

    #[test]
    fn a_few_queries_are_read_for_at_once_and_many_are_served_what_is_known() {
        let mut budget = Budget::default();
        let taken = (0..600).filter(|at| budget.take(minute(*at), INTERVAL)).count();
        assert_eq!(taken, 6 + 3, "six, and one each after 3, 6 and 9 hours");
    }

    #[test]
    fn the_budget_of_a_mac_that_nobody_asks_is_full_again() {
        let mut budget = Budget::default();
        assert_eq!((0..20).filter(|_| budget.take(minute(0), INTERVAL)).count(), 6);
        assert_eq!((0..20).filter(|_| budget.take(minute(24 * 60), INTERVAL)).count(), 6);
    }

    #[test]
    fn a_clock_that_is_set_back_gives_nothing_and_takes_nothing() {
        let mut budget = Budget::default();
        while budget.take(minute(1000), INTERVAL) {}
        assert!(!budget.take(minute(0), INTERVAL));
        assert!(budget.take(minute(180), INTERVAL));
    }
}
