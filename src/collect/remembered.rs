//! An answer of the Mac that serves for a while: asked again when it is old, kept for a time when asking fails.

use super::milliseconds;
use crate::Time;
use crate::facts::Fact;
use crate::health::{SourceState, SourceStatus};
use chrono::{SecondsFormat, TimeDelta};
use std::time::Instant;

/// How long an answer serves.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Without asking again.
    pub fresh: TimeDelta,
    /// In place of one that could not be had.
    pub stands_in: TimeDelta,
}

impl Limits {
    /// For what changes with every sleep: asked each time, and never replaced by an old answer.
    pub const ALWAYS: Self = Self { fresh: TimeDelta::zero(), stands_in: TimeDelta::zero() };
    /// For what changes when somebody changes it.
    pub const SLOW: Self = Self { fresh: TimeDelta::minutes(5), stands_in: TimeDelta::hours(1) };
}

/// The last good answer of a source.
#[derive(Debug, Clone)]
pub struct Remembered<T> {
    good: Option<(T, Time)>,
    failed_at: Option<Time>,
}

impl<T> Default for Remembered<T> {
    fn default() -> Self {
        Self { good: None, failed_at: None }
    }
}

impl<T: Clone> Remembered<T> {
    /// The answer, asked for if need be, and how that went.
    pub fn ask(
        &mut self,
        source: &'static str,
        limits: Limits,
        now: Time,
        read: impl FnOnce() -> Fact<T>,
    ) -> (Fact<T>, SourceStatus) {
        let start = Instant::now();
        let younger = |at: Time, limit: TimeDelta| at <= now && now - at < limit;
        let fact = match &self.good {
            Some((good, at)) if younger(*at, limits.fresh) => Fact::Known(good.clone()),
            _ => match read() {
                Fact::Known(good) => {
                    self.good = Some((good.clone(), now));
                    Fact::Known(good)
                }
                unknown => {
                    self.failed_at = Some(now);
                    unknown
                }
            },
        };
        let mut status = super::fact_status(source, &fact, now, milliseconds(start));
        status.last_ok_at = self.good.as_ref().map(|(_, at)| *at);
        status.last_error_at = self.failed_at;
        match (fact, &self.good) {
            (Fact::Unknown { why, .. }, Some((good, at))) if younger(*at, limits.stands_in) => {
                let when = at.to_rfc3339_opts(SecondsFormat::Secs, true);
                status.state = SourceState::Partial;
                status.detail = Some(format!("{why} The answer of {when} stands in."));
                (Fact::Known(good.clone()), status)
            }
            (fact, _) => (fact, status),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::DateTime;

    fn minute(minute: i64) -> Time {
        DateTime::from_timestamp(1_795_000_000 + minute * 60, 0).unwrap()
    }

    fn fails() -> Fact<i32> {
        Fact::unknown("timed_out", "it hung.")
    }

    #[test]
    fn a_fresh_answer_is_not_asked_for_again() {
        let mut memory = Remembered::default();
        memory.ask("profiles_status", Limits::SLOW, minute(0), || Fact::Known(1));
        let (fact, status) = memory.ask("profiles_status", Limits::SLOW, minute(4), || panic!("asked again"));
        assert_eq!(fact, Fact::Known(1));
        assert_eq!((status.state, status.last_ok_at), (SourceState::Ok, Some(minute(0))));
        assert_eq!(memory.ask("profiles_status", Limits::SLOW, minute(5), || Fact::Known(2)).0, Fact::Known(2));
    }

    #[test]
    fn a_failed_one_leaves_the_last_good_answer_with_its_age_and_the_error_in_sight() {
        let mut memory = Remembered::default();
        memory.ask("profiles_status", Limits::SLOW, minute(0), || Fact::Known(1));
        let (fact, status) = memory.ask("profiles_status", Limits::SLOW, minute(30), fails);
        assert_eq!(fact, Fact::Known(1));
        assert_eq!((status.state, status.reason), (SourceState::Partial, Some("timed_out")));
        assert_eq!((status.last_ok_at, status.last_error_at), (Some(minute(0)), Some(minute(30))));
        assert!(status.detail.unwrap().contains("it hung. The answer of 20"));
    }

    #[test]
    fn an_old_answer_stands_in_for_an_hour_and_no_longer() {
        let mut memory = Remembered::default();
        memory.ask("profiles_status", Limits::SLOW, minute(0), || Fact::Known(1));
        assert_eq!(memory.ask("profiles_status", Limits::SLOW, minute(59), fails).0, Fact::Known(1));
        let (fact, status) = memory.ask("profiles_status", Limits::SLOW, minute(60), fails);
        assert_eq!((fact, status.state), (fails(), SourceState::Error));
    }

    #[test]
    fn what_changes_with_every_sleep_is_asked_each_time_and_never_replaced() {
        let mut memory = Remembered::default();
        memory.ask("awake", Limits::ALWAYS, minute(0), || Fact::Known(1));
        assert_eq!(memory.ask("awake", Limits::ALWAYS, minute(0), || Fact::Known(2)).0, Fact::Known(2));
        assert_eq!(memory.ask("awake", Limits::ALWAYS, minute(0), fails).0, fails());
    }

    #[test]
    fn an_answer_from_the_future_is_none() {
        let mut memory = Remembered::default();
        memory.ask("profiles_status", Limits::SLOW, minute(60), || Fact::Known(1));
        assert_eq!(memory.ask("profiles_status", Limits::SLOW, minute(0), || Fact::Known(2)).0, Fact::Known(2));
    }
}
