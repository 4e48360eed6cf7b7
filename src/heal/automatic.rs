//! The automatic heal, and how often the LaunchDaemon looks. Both intervals come from the record, so that they hold
//! whichever process looks and however often it is started. Automatic heal is off unless the policy sets
//! `AutomaticHealMinutes`.

use super::ledger::Timer;
use super::limits::Refusal;
use super::request::Request;
use super::{Due, Healer};
use crate::vocabulary::codes::{HealAction, WatchdogState};
use chrono::TimeDelta;
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

/// How often to look whether it is time, and to look after the record: see [`Healer::housekeep`].
const LOOK: Duration = Duration::from_secs(600);

/// Minutes between two looks of the LaunchDaemon, as mdm-watchdog has them.
const WATCHDOG_MINUTES: u32 = 95;

/// Runs until `wait` says that it is over: it lets the given time pass and returns `false` at the end of the program.
///
/// Between two heals lies the policy's time and up to a fifth more by chance, so that a fleet does not act at once. The
/// first one is waited for too: a Mac that has just started has other things to do.
pub fn run(healer: &Healer, mut wait: impl FnMut(Duration) -> bool) {
    let mut chance = by_chance();
    healer.housekeep();
    while wait(LOOK) {
        healer.housekeep();
        let Some(minutes) = minutes(healer) else { continue };
        let interval = TimeDelta::minutes(minutes.into());
        let interval = interval + interval * i32::from(chance) / (5 * i32::from(u8::MAX));
        if healer.is_due(Timer::Heal, interval, false) == Due::Now {
            chance = by_chance();
            // What came of it is on record.
            let _ = heal(healer);
        }
    }
}

/// What the LaunchDaemon runs at each start. `None` if it looked less than 95 minutes ago, or less than the policy's
/// minutes if those are fewer: then there is nothing to do.
pub fn once(healer: &Healer) -> Option<Result<(), Refusal>> {
    let minutes = minutes(healer);
    let look = TimeDelta::minutes(minutes.unwrap_or(WATCHDOG_MINUTES).min(WATCHDOG_MINUTES).into());
    if healer.is_due(Timer::Watchdog, look, true) == Due::Later {
        return None;
    }
    healer.housekeep();
    let interval = minutes.map(|minutes| TimeDelta::minutes(minutes.into()));
    let due = interval.is_some_and(|interval| healer.is_due(Timer::Heal, interval, true) != Due::Later);
    Some(if due { heal(healer) } else { Ok(()) })
}

/// The policy's minutes between two heals; `None` if there are to be none.
fn minutes(healer: &Healer) -> Option<u32> {
    let policy = healer.policy();
    policy.automatic_minutes.filter(|_| policy.enabled)
}

/// Asks for a heal if the verdict is that the client is stuck; a look that finds nothing is no request.
fn heal(healer: &Healer) -> Result<(), Refusal> {
    if healer.findings().verdict.state != WatchdogState::Stuck {
        return Ok(());
    }
    let request = Request { automatic: true, ..Request::new(HealAction::Heal.word(), Some("automatic heal")) };
    healer.request(&request).map(|_| ())
}

/// A random number. The keys of the standard library's hash tables are the randomness at hand.
fn by_chance() -> u8 {
    RandomState::new().hash_one(0).to_be_bytes()[0]
}
