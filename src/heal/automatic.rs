//! The automatic heal: what the extension's timer runs, and `heal --automatic` once. Off unless the policy sets
//! `AutomaticHealMinutes`.

use super::{Healer, Refusal, Request};
use crate::vocabulary::codes::{HealAction, WatchdogState};
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

/// How often to look whether the policy has changed, and to look after the record: see [`Healer::housekeep`].
const LOOK: Duration = Duration::from_secs(600);

/// Runs until `wait` says that it is over: it lets the given time pass and gives `false` at the end of the program.
///
/// Between two heals lies the policy's time and up to a fifth more by chance, so that a fleet does not act at once. The
/// first one too is waited for: a Mac that has just started has other things to do.
pub fn run(healer: &Healer, mut wait: impl FnMut(Duration) -> bool) {
    let mut waited = Duration::ZERO;
    let mut chance = by_chance();
    healer.housekeep();
    while wait(LOOK) {
        waited += LOOK;
        healer.housekeep();
        let Some(minutes) = minutes(healer) else {
            waited = Duration::ZERO;
            continue;
        };
        if waited >= Duration::from_secs(u64::from(minutes) * 60).mul_f64(1.0 + chance / 5.0) {
            (waited, chance) = (Duration::ZERO, by_chance());
            // What came of it is on record.
            let _ = heal(healer);
        }
    }
}

/// Does once what the timer does each time, for whoever keeps the time.
pub fn once(healer: &Healer) -> Result<(), Refusal> {
    healer.housekeep();
    minutes(healer).map_or(Ok(()), |_| heal(healer))
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

/// A number from 0 to 1. The keys of the standard library's hash tables are the randomness at hand.
fn by_chance() -> f64 {
    f64::from(u32::try_from(RandomState::new().hash_one(0) >> 32).unwrap_or(0)) / f64::from(u32::MAX)
}
