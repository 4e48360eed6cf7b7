//! What is known of one source of evidence: its value now, its last good value, and how reading it went.

use super::codes::{SourceName, SourceReason, SourceState};
use super::{Fact, LogCounts, SourceStatus, Span, Time, rfc3339};
use chrono::TimeDelta;

/// What reading a source gave.
#[derive(Debug, Clone)]
pub struct Reading<T> {
    pub value: Fact<T>,
    /// Why a known value is not the whole truth: the source is then `partial`.
    pub flaw: Option<Flaw>,
    /// The time that the value covers, of a source that has such a span.
    pub covers: Option<Span>,
    /// What was counted, of a log.
    pub counts: Option<LogCounts>,
}

/// What is wrong with a value that is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flaw {
    pub reason: SourceReason,
    /// A sentence for people.
    pub why: String,
}

impl<T> From<Fact<T>> for Reading<T> {
    fn from(value: Fact<T>) -> Self {
        Self { value, flaw: None, covers: None, counts: None }
    }
}

/// How long a value of a source may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// For so long the source is not read again.
    pub fresh: TimeDelta,
    /// For so long the last good value is shown where reading fails.
    pub shown: TimeDelta,
}

impl Limits {
    /// For a command whose answer changes only when somebody changes it.
    pub const SLOW: Self = Self { fresh: TimeDelta::minutes(5), shown: TimeDelta::hours(1) };
    /// For what stays the same as long as the Mac runs.
    pub const STEADY: Self = Self { fresh: TimeDelta::hours(24), shown: TimeDelta::hours(24) };
    /// For what changes seldom, and of which an older answer does no harm.
    pub const HOURLY: Self = Self { fresh: TimeDelta::hours(1), shown: TimeDelta::hours(2) };
    /// For a file: reading it costs next to nothing.
    pub const FILE: Self = Self { fresh: TimeDelta::zero(), shown: TimeDelta::hours(1) };
    /// For what may be different a minute later, so that an old value says nothing.
    pub const VOLATILE: Self = Self { fresh: TimeDelta::zero(), shown: TimeDelta::zero() };
}

/// How old the values of a reading may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// As the limits of each source say.
    Usual,
    /// No older than that, even where a source changes seldom.
    AtMost(TimeDelta),
    /// By so much older where a source changes seldom, to spare the Mac.
    Later(TimeDelta),
}

impl Limits {
    pub fn with(self, freshness: Freshness) -> Self {
        let fresh = match freshness {
            Freshness::Usual => self.fresh,
            Freshness::AtMost(age) => self.fresh.min(age),
            Freshness::Later(_) if self.fresh.is_zero() => self.fresh,
            Freshness::Later(by) => self.fresh + by,
        };
        Self { fresh, ..self }
    }
}

/// A source, as it was last read.
#[derive(Debug, Clone)]
pub struct Observed<T> {
    /// The value now. Verdicts rest on it alone.
    pub now: Fact<T>,
    /// The last good value and when it was read, as long as it may be shown.
    pub last_good: Option<(T, Time)>,
    /// How reading went: its row of `mdm_health_status`.
    pub status: SourceStatus,
}

impl<T> Observed<T> {
    /// A source that was not read yet.
    pub fn unread(source: SourceName, reason: SourceReason, why: &str, now: Time) -> Self {
        let value = Fact::unknown(reason, why);
        // Nothing failed yet.
        let status = SourceStatus { last_error_at: None, ..SourceStatus::of(source, &value, now) };
        Self { now: value, last_good: None, status }
    }

    /// The value now, if it is known.
    pub fn known(&self) -> Option<&T> {
        self.now.known()
    }
}

impl<T: Clone> Observed<T> {
    /// Reads the source, unless its last good value is still fresh.
    pub fn renew(&mut self, limits: Limits, now: Time, read: impl FnOnce() -> Reading<T>) {
        let is_younger = |at: Time, limit: TimeDelta| at <= now && now - at < limit;
        if let Some((_, at)) = &self.last_good
            && self.now.known().is_some()
            && is_younger(*at, limits.fresh)
        {
            self.status.duration_ms = Some(0);
            return;
        }
        let Reading { value, flaw, covers, counts } = read();
        let SourceStatus { source, last_ok_at: was_ok, last_error_at: had_error, .. } = self.status;
        let shown = (self.status.covers, self.status.counts);
        self.status = SourceStatus { covers, counts, ..SourceStatus::of(source, &value, now) };
        match &value {
            Fact::Known(good) => {
                self.last_good = Some((good.clone(), now));
                self.status.last_error_at = had_error;
                if let Some(Flaw { reason, why }) = flaw {
                    self.status.state = SourceState::Partial;
                    (self.status.reason, self.status.detail) = (Some(reason), Some(why));
                    (self.status.last_ok_at, self.status.last_error_at) = (was_ok, Some(now));
                }
            }
            Fact::Unknown { why, .. } => {
                self.status.last_ok_at = was_ok;
                self.status.last_error_at = self.status.last_error_at.or(had_error);
                self.last_good.take_if(|(_, at)| !is_younger(*at, limits.shown));
                if let Some((_, at)) = &self.last_good {
                    self.status.state = SourceState::Partial;
                    (self.status.covers, self.status.counts) = shown;
                    let detail =
                        format!("{why} The tables show the value of {}; no verdict rests on it.", rfc3339(*at));
                    self.status.detail = Some(detail);
                }
            }
        }
        self.now = value;
    }

    /// Puts the last good value in the place of one that is unknown now. Says whether it did.
    pub fn use_last_good(&mut self) -> bool {
        match &self.last_good {
            Some((good, _)) if self.now.known().is_none() => {
                self.now = Fact::Known(good.clone());
                true
            }
            _ => false,
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

    fn fails() -> Reading<i32> {
        Fact::unknown(SourceReason::TimedOut, "it hung.").into()
    }

    fn unread() -> Observed<i32> {
        Observed::unread(SourceName::ProfilesStatus, SourceReason::Collecting, "not yet.", minute(0))
    }

    fn read_at_0() -> Observed<i32> {
        let mut observed = unread();
        observed.renew(Limits::SLOW, minute(0), || Fact::Known(1).into());
        observed
    }

    #[test]
    fn a_fresh_value_is_not_read_again_and_keeps_its_time() {
        let mut observed = read_at_0();
        observed.renew(Limits::SLOW, minute(4), || panic!("read again"));
        assert_eq!(observed.now, Fact::Known(1));
        assert_eq!((observed.status.state, observed.status.last_ok_at), (SourceState::Ok, Some(minute(0))));
        observed.renew(Limits::SLOW, minute(5), || Fact::Known(2).into());
        assert_eq!(observed.now, Fact::Known(2));
    }

    #[test]
    fn a_failure_keeps_the_last_good_value_with_its_age_and_shows_the_error() {
        let mut observed = read_at_0();
        observed.renew(Limits::SLOW, minute(30), fails);
        assert_eq!((observed.known(), &observed.last_good), (None, &Some((1, minute(0)))));
        let status = &observed.status;
        assert_eq!((status.state, status.reason), (SourceState::Partial, Some(SourceReason::TimedOut)));
        assert_eq!((status.last_ok_at, status.last_error_at), (Some(minute(0)), Some(minute(30))));
        assert!(status.detail.as_deref().unwrap().starts_with("it hung. The tables show the value of 20"));
        assert!(observed.use_last_good());
        assert_eq!(observed.known(), Some(&1));
    }

    #[test]
    fn the_last_good_value_is_shown_for_an_hour_and_no_longer() {
        let mut observed = read_at_0();
        observed.renew(Limits::SLOW, minute(59), fails);
        assert!(observed.last_good.is_some());
        observed.renew(Limits::SLOW, minute(60), fails);
        assert_eq!((observed.last_good, observed.status.state), (None, SourceState::Error));
        assert_eq!(observed.status.last_ok_at, Some(minute(0)));
        assert!(!observed.use_last_good());
    }

    #[test]
    fn a_value_from_the_future_counts_for_nothing() {
        let mut observed = unread();
        observed.renew(Limits::SLOW, minute(60), || Fact::Known(1).into());
        observed.renew(Limits::SLOW, minute(0), fails);
        assert_eq!(observed.last_good, None);
        observed.renew(Limits::SLOW, minute(60), || Fact::Known(1).into());
        observed.renew(Limits::SLOW, minute(0), || Fact::Known(2).into());
        assert_eq!(observed.known(), Some(&2));
    }

    #[test]
    fn after_a_failure_the_source_is_read_again_however_young_its_last_good_value_is() {
        let mut observed = read_at_0();
        observed.renew(Limits { fresh: TimeDelta::zero(), ..Limits::SLOW }, minute(1), fails);
        observed.renew(Limits::SLOW, minute(2), || Fact::Known(3).into());
        assert_eq!(observed.known(), Some(&3));
    }

    #[test]
    fn a_flawed_value_counts_and_its_source_is_partial_until_it_is_read_without_the_flaw() {
        let mut observed = read_at_0();
        let flaw = Flaw { reason: SourceReason::NotUnderstood, why: "one of two.".to_owned() };
        observed.renew(Limits::FILE, minute(1), || Reading { flaw: Some(flaw), ..Fact::Known(2).into() });
        assert_eq!((observed.known(), observed.status.state), (Some(&2), SourceState::Partial));
        assert_eq!(observed.status.detail.as_deref(), Some("one of two."));
        assert_eq!((observed.status.last_ok_at, observed.status.last_error_at), (Some(minute(0)), Some(minute(1))));
        observed.renew(Limits::FILE, minute(2), || Fact::Known(3).into());
        assert_eq!((observed.status.state, observed.status.detail.as_deref()), (SourceState::Ok, None));
    }

    #[test]
    fn a_source_that_this_mac_lacks_is_unavailable_and_no_error() {
        let mut observed = unread();
        observed.renew(Limits::SLOW, minute(1), || Fact::unknown(SourceReason::NotCaptured, "not there.").into());
        assert_eq!((observed.status.state, observed.status.last_error_at), (SourceState::Unavailable, None));
    }
}
