//! An answer of the Mac that serves for a while: asked for again when it is old, kept for a time when asking fails.

use super::{fact_status, milliseconds};
use crate::vocabulary::codes::{SourceName, SourceState};
use crate::vocabulary::{Fact, SourceStatus, Time, rfc3339};
use chrono::TimeDelta;
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
    /// For a command whose answer changes when somebody changes it.
    pub const SLOW: Self = Self { fresh: TimeDelta::minutes(5), stands_in: TimeDelta::hours(1) };
    /// For a file: to read it costs next to nothing.
    pub const FILE: Self = Self { fresh: TimeDelta::zero(), stands_in: TimeDelta::hours(1) };
}

/// The last good answer of a source.
#[derive(Debug)]
pub struct Remembered<T> {
    good: Option<(T, Time)>,
    failed_at: Option<Time>,
}

impl<T> Default for Remembered<T> {
    fn default() -> Self {
        Self { good: None, failed_at: None }
    }
}

/// What asking came to.
#[derive(Debug)]
pub struct Answer<T> {
    /// The answer, no older than its limit.
    pub fact: Fact<T>,
    /// The last good one, where there is none now.
    pub stand_in: Option<T>,
    /// How it went.
    pub status: SourceStatus,
}

impl<T: Clone> Remembered<T> {
    /// The answer, asked for if need be.
    pub fn ask(&mut self, source: SourceName, limits: Limits, now: Time, read: impl FnOnce() -> Fact<T>) -> Answer<T> {
        let start = Instant::now();
        let younger = |at: Time, limit: TimeDelta| at <= now && now - at < limit;
        let fact = match &self.good {
            Some((good, at)) if younger(*at, limits.fresh) => Fact::Known(good.clone()),
            _ => {
                let fact = read();
                if let Fact::Known(good) = &fact {
                    self.good = Some((good.clone(), now));
                }
                fact
            }
        };
        let mut status = fact_status(source, &fact, now, milliseconds(start));
        self.failed_at = status.last_error_at.or(self.failed_at);
        status.last_ok_at = self.good.as_ref().map(|(_, at)| *at);
        status.last_error_at = self.failed_at;
        let mut stand_in = None;
        if let (Fact::Unknown { why, .. }, Some((good, at))) = (&fact, &self.good)
            && younger(*at, limits.stands_in)
        {
            stand_in = Some(good.clone());
            status.state = SourceState::Partial;
            status.detail = Some(format!("{why} The answer of {} stands in, but not for a verdict.", rfc3339(*at)));
        }
        Answer { fact, stand_in, status }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vocabulary::codes::SourceReason;
    use chrono::DateTime;

    fn minute(minute: i64) -> Time {
        DateTime::from_timestamp(1_795_000_000 + minute * 60, 0).unwrap()
    }

    fn fails() -> Fact<i32> {
        Fact::unknown(SourceReason::TimedOut, "it hung.")
    }

    fn ask(memory: &mut Remembered<i32>, at: Time, read: impl FnOnce() -> Fact<i32>) -> Answer<i32> {
        memory.ask(SourceName::ProfilesStatus, Limits::SLOW, at, read)
    }

    #[test]
    fn a_fresh_answer_is_not_asked_for_again_and_keeps_its_time() {
        let mut memory = Remembered::default();
        ask(&mut memory, minute(0), || Fact::Known(1));
        let answer = ask(&mut memory, minute(4), || panic!("asked again"));
        assert_eq!(answer.fact, Fact::Known(1));
        assert_eq!((answer.status.state, answer.status.last_ok_at), (SourceState::Ok, Some(minute(0))));
        assert_eq!(ask(&mut memory, minute(5), || Fact::Known(2)).fact, Fact::Known(2));
    }

    #[test]
    fn a_failed_one_leaves_the_last_good_answer_with_its_age_and_the_error_in_sight() {
        let mut memory = Remembered::default();
        ask(&mut memory, minute(0), || Fact::Known(1));
        let answer = ask(&mut memory, minute(30), fails);
        assert_eq!((answer.fact, answer.stand_in), (fails(), Some(1)));
        assert_eq!((answer.status.state, answer.status.reason), (SourceState::Partial, Some(SourceReason::TimedOut)));
        assert_eq!((answer.status.last_ok_at, answer.status.last_error_at), (Some(minute(0)), Some(minute(30))));
        assert!(answer.status.detail.unwrap().starts_with("it hung. The answer of 20"));
    }

    #[test]
    fn an_old_answer_stands_in_for_an_hour_and_no_longer() {
        let mut memory = Remembered::default();
        ask(&mut memory, minute(0), || Fact::Known(1));
        assert_eq!(ask(&mut memory, minute(59), fails).stand_in, Some(1));
        let answer = ask(&mut memory, minute(60), fails);
        assert_eq!((answer.stand_in, answer.status.state), (None, SourceState::Error));
        assert_eq!(answer.status.last_ok_at, Some(minute(0)));
    }

    #[test]
    fn an_answer_from_the_future_is_none() {
        let mut memory = Remembered::default();
        ask(&mut memory, minute(60), || Fact::Known(1));
        assert_eq!(ask(&mut memory, minute(0), fails).stand_in, None);
        assert_eq!(ask(&mut memory, minute(0), || Fact::Known(2)).fact, Fact::Known(2));
    }
}
