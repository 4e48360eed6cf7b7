//! How long a Mac has been running since something happened, whatever was done to its clock.
//!
//! The wall clock alone cannot keep a limit of 24 hours: set forward it opens the limit, set back it locks the Mac
//! out, and after a restart nobody can say whether it was set meanwhile. The seconds since boot cannot be set, but
//! begin again with each boot. So the ledger keeps a clock of its own, the *running time*: the seconds that this Mac
//! was seen running, added up over boots. At each look
//!
//! - in the same boot, it grows by what the seconds since boot have grown;
//! - in another boot, by all the seconds of that boot: the last look lies before it;
//! - if it cannot be told whether it is the same boot, it does not grow.
//!
//! It never runs faster than time, so a limit that it opens is truly over. It runs slower where nobody looked: a
//! Mac that is switched off earns nothing, and neither does a boot in which no request came and no timer ran. That
//! only makes the limit longer, until the Mac has run for the whole of it in one go, or in pieces that were seen.
//!
//! The wall clock has its say beside it ([`Moment::waiting`]): if it too says that the time is not over, it is not. A wall
//! clock that stands before the act was set back and knows nothing of it. So neither clock alone opens the limit, and
//! neither setting a clock a year forward nor a year back locks a Mac out for more than twice the limit.

use crate::host::{Command, Host, HostError};
use crate::vocabulary::Time;
use chrono::TimeDelta;

/// What the clocks of the Mac say at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clocks {
    /// The wall clock.
    pub wall: Time,
    /// Seconds since boot.
    pub uptime: i64,
    /// Which boot; `None` if that cannot be told.
    pub boot: Option<String>,
}

/// Looks at the clocks of a Mac.
pub struct Clock<'h> {
    host: &'h dyn Host,
    boot: Option<String>,
}

impl<'h> Clock<'h> {
    /// Asks the Mac which boot it is, which does not change any more.
    pub fn new(host: &'h dyn Host) -> Self {
        // `5A0C1F0E-6C1B-4B0A-9C1D-0F6A2B3C4D5E`
        let boot = host.run(Command::BootSession).ok().filter(|output| output.code == Some(0)).and_then(|output| {
            let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
            (text.len() == 36 && text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')).then_some(text)
        });
        Self { host, boot }
    }

    /// What all clocks say.
    pub fn look(&self) -> Result<Clocks, HostError> {
        Ok(Clocks { wall: self.wall()?, uptime: self.host.uptime()?, boot: self.boot.clone() })
    }

    /// What the wall clock says.
    pub fn wall(&self) -> Result<Time, HostError> {
        self.host.now().ok_or(HostError::NotLive { missing: "clock" })
    }
}

/// The ledger's clock, as it stood at the last look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunningTime {
    /// Seconds that the Mac was seen running.
    pub ran: i64,
    /// Which boot it was then.
    pub boot: Option<String>,
    /// The seconds since that boot.
    pub uptime: i64,
}

impl RunningTime {
    /// The first look.
    pub fn first(clocks: &Clocks) -> Self {
        Self { ran: 0, boot: clocks.boot.clone(), uptime: clocks.uptime }
    }

    /// The next look.
    pub fn advance(&self, clocks: &Clocks) -> Self {
        let (grown, uptime) = match (&self.boot, &clocks.boot) {
            // Within a boot the seconds do not shrink; if they do, they are not counted a second time.
            (Some(then), Some(now)) if then == now => {
                (clocks.uptime.saturating_sub(self.uptime).max(0), clocks.uptime.max(self.uptime))
            }
            (Some(_), Some(_)) => (clocks.uptime.max(0), clocks.uptime),
            // Untold then and now: what has grown is the least that has passed, also if it is another boot.
            (None, None) => (clocks.uptime.saturating_sub(self.uptime).max(0), clocks.uptime),
            _ => (0, clocks.uptime),
        };
        Self { ran: self.ran.saturating_add(grown), boot: clocks.boot.clone(), uptime }
    }
}

/// When something was begun, by both clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// By the wall clock.
    pub wall: Time,
    /// By the ledger's.
    pub ran: i64,
}

impl Moment {
    /// How long it is from `now` until that moment lies `limit` back; nothing if it does.
    pub fn waiting(&self, limit: TimeDelta, now: Moment) -> Option<TimeDelta> {
        let ran = TimeDelta::try_seconds(now.ran.saturating_sub(self.ran).max(0)).unwrap_or(TimeDelta::MAX);
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
        Clocks { wall, uptime, boot: (!boot.is_empty()).then(|| boot.to_owned()) }
    }

    /// The act is at the first look. How many seconds to wait at the last.
    fn wait(looks: &[Look]) -> i64 {
        let (act, later) = looks.split_first().expect("an act");
        let mut time = RunningTime::first(&clocks(*act));
        let begun = Moment { wall: clocks(*act).wall, ran: time.ran };
        let mut now = begun;
        for look in later {
            time = time.advance(&clocks(*look));
            now = Moment { wall: clocks(*look).wall, ran: time.ran };
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
            ("which boot it is cannot be told", &[(0, "", up), (HOUR, "", up + HOUR)], 23 * HOUR),
            ("nor after a start", &[(0, "", up), (HOUR, "", 60), (2 * HOUR, "", 60 + HOUR)], 23 * HOUR),
            ("told before and not now", &[(0, "a", up), (DAY, "", up + DAY)], DAY),
            ("told before and then again", &[(0, "a", up), (DAY, "", up + DAY), (DAY, "a", up + DAY + 9)], DAY),
            ("the seconds since boot shrink within a boot", &[(0, "a", up), (1, "a", 1), (DAY, "a", up)], DAY),
        ];
        for (story, looks, seconds) in stories {
            assert_eq!(wait(looks), *seconds, "{story}");
        }
    }

    proptest! {
        /// Whatever the wall clock says and however often the Mac starts anew: the limit is open only if the Mac has
        /// truly run for that long, and it never asks for more than itself again.
        #[test]
        fn the_limit_never_opens_early(
            pieces in proptest::collection::vec((0..20 * HOUR, any::<bool>(), -2 * YEAR..2 * YEAR, any::<bool>()), 1..12)
        ) {
            let (mut boot, mut uptime, mut truly_ran) = (0_u32, DAY, 0);
            let first = Clocks { wall: clocks((0, "", 0)).wall, uptime, boot: Some("0".to_owned()) };
            let mut time = RunningTime::first(&first);
            let begun = Moment { wall: first.wall, ran: 0 };
            for (seconds, starts_anew, wall, told) in pieces {
                if starts_anew {
                    boot += 1;
                    uptime = 0;
                }
                uptime += seconds;
                truly_ran += seconds;
                let boot = told.then(|| boot.to_string());
                let look = Clocks { wall: first.wall + TimeDelta::seconds(wall), uptime, boot };
                time = time.advance(&look);
                let wait = begun.waiting(LIMIT, Moment { wall: look.wall, ran: time.ran });
                prop_assert!(time.ran <= truly_ran);
                prop_assert!(wait.is_some() || truly_ran >= DAY);
                prop_assert!(wait.is_none_or(|wait| wait <= LIMIT));
            }
        }
    }
}
