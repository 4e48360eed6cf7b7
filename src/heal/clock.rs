//! How long a Mac has been running since something happened, whatever was done to its clock.
//!
//! The wall clock alone cannot keep a limit of 24 hours: set forward it opens the limit, set back it locks the Mac
//! out, and after a restart nobody can say whether it was set meanwhile. The time since boot cannot be set, but begins
//! again with each boot. So the record keeps a clock of its own, the *running time*: the seconds for which this Mac was
//! seen running, added up over boots. At each look
//!
//! - in the same boot, it grows by what the time since boot has grown;
//! - in another boot, by all the time of that boot: the last look lies before it;
//! - if it is unknown whether it is the same boot, it does not grow.
//!
//! It never runs faster than time, so a limit that it opens is truly over. It runs slower where nobody looked: a
//! Mac that is switched off earns nothing, and neither does a boot in which no request came and no timer ran. That
//! only makes the limit longer, until the Mac has run for the whole of it in one go, or in pieces that were seen.
//!
//! The wall clock counts too ([`Moment::waiting`]): if it says that the time is not over, it is not. A wall clock that stands
//! before the act was set back and knows nothing of it. So neither clock alone opens the limit, and neither setting a
//! clock a year forward nor a year back locks a Mac out for more than twice the limit.
//!
//! The record holds whole seconds. The moment of an act is rounded up, so that no limit opens a fraction of a second early.

use crate::facts::boot_session::boot_session;
use crate::host::{Host, HostError};
use crate::vocabulary::Time;
use chrono::{DurationRound, TimeDelta};
use std::time::Duration;

/// What the clocks of the Mac say at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clocks {
    pub wall: Time,
    /// The time since boot.
    pub uptime: Duration,
    /// Which boot; `None` if that is unknown.
    pub boot: Option<String>,
}

/// Looks at the clocks of a Mac.
pub struct Clock<'h> {
    host: &'h dyn Host,
    boot: Option<String>,
}

impl<'h> Clock<'h> {
    /// Asks the Mac which boot this is; it does not change any more.
    pub fn new(host: &'h dyn Host) -> Self {
        Self { host, boot: boot_session(host) }
    }

    pub fn look(&self) -> Result<Clocks, HostError> {
        Ok(Clocks { wall: self.wall()?, uptime: self.host.uptime()?, boot: self.boot.clone() })
    }

    pub fn wall(&self) -> Result<Time, HostError> {
        self.host.now().ok_or(HostError::NotLive { missing: "clock" })
    }
}

/// The record's clock, as it stood at the last look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunningTime {
    /// Seconds that the Mac was seen running.
    pub ran: i64,
    /// Which boot it was then.
    pub boot: Option<String>,
    /// The whole seconds since that boot.
    pub uptime: i64,
}

impl RunningTime {
    /// The first look.
    pub fn first(clocks: &Clocks) -> Self {
        Self { ran: 0, boot: clocks.boot.clone(), uptime: whole_seconds(clocks) }
    }

    /// The next look.
    pub fn advance(&self, clocks: &Clocks) -> Self {
        let uptime = whole_seconds(clocks);
        let (grown, uptime) = match (&self.boot, &clocks.boot) {
            // Within a boot the seconds do not shrink; if they do, they are not counted a second time.
            (Some(then), Some(now)) if then == now => {
                (uptime.saturating_sub(self.uptime).max(0), uptime.max(self.uptime))
            }
            (Some(_), Some(_)) => (uptime, uptime),
            // Boot unknown both times: the difference is a lower bound, even across a reboot.
            (None, None) => (uptime.saturating_sub(self.uptime).max(0), uptime),
            _ => (0, uptime),
        };
        Self { ran: self.ran.saturating_add(grown), boot: clocks.boot.clone(), uptime }
    }

    /// The moment of that look, to the fraction of a second.
    pub fn moment(&self, clocks: &Clocks) -> Moment {
        let fraction = TimeDelta::nanoseconds(clocks.uptime.subsec_nanos().into());
        let ran = TimeDelta::try_seconds(self.ran).and_then(|ran| ran.checked_add(&fraction));
        Moment { wall: clocks.wall, ran: ran.unwrap_or(TimeDelta::MAX) }
    }
}

fn whole_seconds(clocks: &Clocks) -> i64 {
    i64::try_from(clocks.uptime.as_secs()).unwrap_or(i64::MAX)
}

/// That time, or the next whole second.
pub fn rounded_up(time: Time) -> Time {
    time.duration_round_up(TimeDelta::seconds(1)).unwrap_or(time)
}

/// A moment by both clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    pub wall: Time,
    /// The running time.
    pub ran: TimeDelta,
}

impl Moment {
    /// The same moment, or the next whole second of each clock.
    pub fn rounded_up(&self) -> Self {
        let whole = TimeDelta::seconds(self.ran.num_seconds());
        let ran = if whole < self.ran { whole + TimeDelta::seconds(1) } else { whole };
        Self { wall: rounded_up(self.wall), ran }
    }

    /// How long to wait from `now` until that moment is at least `limit` in the past; `None` if it is already.
    pub fn waiting(&self, limit: TimeDelta, now: Moment) -> Option<TimeDelta> {
        let ran = now.ran.checked_sub(&self.ran).unwrap_or(TimeDelta::MAX).max(TimeDelta::zero());
        let by_running_time = limit - ran.min(limit);
        let passed = now.wall - self.wall;
        let by_wall_clock = if passed < TimeDelta::zero() { TimeDelta::zero() } else { limit - passed.min(limit) };
        Some(by_running_time.max(by_wall_clock)).filter(|wait| *wait > TimeDelta::zero())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::DateTime;
    use proptest::prelude::*;

    const HOUR: i64 = 3600;
    const DAY: i64 = 24 * HOUR;
    const YEAR: i64 = 365 * DAY;
    const LIMIT: TimeDelta = TimeDelta::hours(24);

    /// What somebody saw who asked: seconds of the wall clock after the act, the boot, seconds since boot.
    type Look = (i64, &'static str, i64);

    fn clocks((wall, boot, uptime): Look) -> Clocks {
        let wall = DateTime::from_timestamp(1_800_000_000 + wall, 0).expect("a time");
        let uptime = Duration::from_secs(uptime.unsigned_abs());
        Clocks { wall, uptime, boot: (!boot.is_empty()).then(|| boot.to_owned()) }
    }

    /// The act is at the first look. How many seconds to wait at the last.
    fn wait(looks: &[Look]) -> i64 {
        let (act, later) = looks.split_first().expect("an act");
        let mut time = RunningTime::first(&clocks(*act));
        let begun = time.moment(&clocks(*act)).rounded_up();
        let mut now = begun;
        for look in later {
            time = time.advance(&clocks(*look));
            now = time.moment(&clocks(*look));
        }
        begun.waiting(LIMIT, now).map_or(0, |wait| wait.num_seconds())
    }

    #[test]
    fn stories_of_clocks_and_boots() {
        let up = 5 * DAY;
        let stories: &[(&str, &[Look], i64)] = &[
            ("an hour later", &[(0, "a", up), (HOUR, "a", up + HOUR)], 23 * HOUR),
            ("a day later", &[(0, "a", up), (DAY, "a", up + DAY)], 0),
            ("set a year forward", &[(0, "a", up), (YEAR, "a", up + HOUR)], 23 * HOUR),
            ("set a year back", &[(0, "a", up), (HOUR - YEAR, "a", up + HOUR)], 23 * HOUR),
            ("set a year back, a day later", &[(0, "a", up), (DAY - YEAR, "a", up + DAY)], 0),
            ("acted while a year ahead, then set right", &[(YEAR, "a", up), (HOUR, "a", up + HOUR)], 23 * HOUR),
            ("acted while a year ahead, a day later", &[(YEAR, "a", up), (DAY, "a", up + DAY)], 0),
            ("set an hour back: the wall clock keeps it longer", &[(0, "a", up), (23 * HOUR, "a", up + DAY)], HOUR),
            ("started anew", &[(0, "a", up), (HOUR, "b", 60)], DAY - 60),
            ("started anew and set a year forward", &[(0, "a", up), (YEAR, "b", 60)], DAY - 60),
            ("started anew and set a year back", &[(0, "a", up), (-YEAR, "b", 60)], DAY - 60),
            ("started anew and up for a day", &[(0, "a", up), (2 * DAY, "b", DAY)], 0),
            ("the same though set a year back", &[(0, "a", up), (-YEAR, "b", DAY)], 0),
            ("off for a month, then up for an hour", &[(0, "a", up), (30 * DAY, "b", HOUR)], 23 * HOUR),
            (
                "three days of ten hours, each seen at its end",
                &[(0, "a", up), (DAY, "b", 10 * HOUR), (2 * DAY, "c", 10 * HOUR), (3 * DAY, "d", 10 * HOUR)],
                0,
            ),
            (
                "a crash in a loop, asked at each start",
                &[(0, "a", 60), (100, "b", 30), (200, "c", 30), (300, "d", 30)],
                DAY - 90,
            ),
            ("which boot it is, is unknown", &[(0, "", up), (HOUR, "", up + HOUR)], 23 * HOUR),
            ("nor after a start", &[(0, "", up), (HOUR, "", 60), (2 * HOUR, "", 60 + HOUR)], 23 * HOUR),
            ("known before and not now", &[(0, "a", up), (DAY, "", up + DAY)], DAY),
            ("known before and then again", &[(0, "a", up), (DAY, "", up + DAY), (DAY, "a", up + DAY + 9)], DAY),
            ("the seconds since boot shrink within a boot", &[(0, "a", up), (1, "a", 1), (DAY, "a", up)], DAY),
        ];
        for (story, looks, seconds) in stories {
            assert_eq!(wait(looks), *seconds, "{story}");
        }
    }

    /// An act nine tenths into a second opens the limit a day after that, and not with the second.
    #[test]
    fn no_limit_opens_a_fraction_of_a_second_early() {
        let at = |seconds: i64, nanos: u32| {
            let clocks = clocks((seconds, "a", 5 * DAY + seconds));
            Clocks {
                wall: clocks.wall + TimeDelta::nanoseconds(nanos.into()),
                uptime: clocks.uptime + Duration::from_nanos(nanos.into()),
                ..clocks
            }
        };
        for (nanos, first_open) in [(0, DAY), (1, DAY + 1), (900_000_000, DAY + 1)] {
            let time = RunningTime::first(&at(0, nanos));
            let begun = time.moment(&at(0, nanos)).rounded_up();
            let waiting = |clocks: &Clocks| begun.waiting(LIMIT, time.advance(clocks).moment(clocks));
            assert!(waiting(&at(first_open - 1, 999_999_999)).is_some(), "{nanos}");
            assert_eq!(waiting(&at(first_open, 0)), None, "{nanos}");
        }
    }

    proptest! {
        /// Whatever the wall clock says and however often the Mac restarts: the limit opens only if the Mac has really
        /// run for that long, and the remaining wait is never longer than the limit plus the second that rounding adds.
        /// All in milliseconds.
        #[test]
        fn the_limit_never_opens_early(
            at in 0..1000_i64,
            up in 0..1000_i64,
            pieces in proptest::collection::vec(
                (0..20_000 * HOUR, any::<bool>(), -2000 * YEAR..2000 * YEAR, any::<bool>()), 1..12)
        ) {
            let (mut boot, mut uptime, mut truly_ran) = (0_u32, 1000 * DAY + up, 0);
            let looked = |wall: i64, uptime: i64, boot: Option<String>| {
                let wall = clocks((0, "", 0)).wall + TimeDelta::milliseconds(wall);
                Clocks { wall, uptime: Duration::from_millis(uptime.unsigned_abs()), boot }
            };
            let first = looked(at, uptime, Some("0".to_owned()));
            let mut time = RunningTime::first(&first);
            let begun = time.moment(&first).rounded_up();
            for (passed, starts_again, wall, told) in pieces {
                if starts_again {
                    boot += 1;
                    uptime = 0;
                }
                uptime += passed;
                truly_ran += passed;
                let look = looked(at + wall, uptime, told.then(|| boot.to_string()));
                time = time.advance(&look);
                let wait = begun.waiting(LIMIT, time.moment(&look));
                prop_assert!(wait.is_some() || truly_ran >= 1000 * DAY);
                prop_assert!(wait.is_none_or(|wait| wait <= LIMIT + TimeDelta::seconds(1)));
            }
        }
    }
}
