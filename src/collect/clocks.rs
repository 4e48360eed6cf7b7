//! Looks at the clocks of a live Mac, and at whether it has settled after a sleep.

use crate::facts::boot_session::boot_session;
use crate::host::Host;
use crate::journal::awake::AwakeSample;
use chrono::Utc;
use std::sync::{Mutex, OnceLock, PoisonError};

/// For how long a Mac must have been awake before anything is read that can wait: after a wake it has other things to do,
/// and most dark wakes are over sooner.
const SETTLE_MS: i64 = 2 * 60_000;

/// A shorter sleep does not count: the Mac has nothing to catch up on after it.
const SLEEP_MS: i64 = 5_000;

#[derive(Default)]
pub struct Clocks {
    /// Which boot this is, which does not change while the program runs.
    boot: OnceLock<Box<str>>,
    looks: Mutex<Looks>,
}

#[derive(Default)]
struct Looks {
    /// Samples that the journal does not have yet.
    new: Vec<AwakeSample>,
    last: Option<AwakeSample>,
    /// The time since boot, not counting sleep, at which a sleep was last noticed.
    woke_ms: Option<i64>,
}

impl Clocks {
    /// Looks at the clocks. Says whether the Mac has settled since it last slept, as far as is known.
    pub fn look(&self, host: &dyn Host) -> bool {
        let at = host.now().unwrap_or_else(Utc::now);
        let Ok(since_boot) = host.since_boot() else { return true };
        let boot = self.boot.get_or_init(|| match boot_session(host) {
            Some(boot) => boot.into(),
            // The samples of one process are certainly from one boot.
            None => format!("a process that began to look at {at}").into(),
        });
        let sample =
            AwakeSample { at, running_ms: since_boot.running_ms, awake_ms: since_boot.awake_ms, boot: boot.clone() };
        let mut looks = self.looks.lock().unwrap_or_else(PoisonError::into_inner);
        let slept =
            |last: &AwakeSample| (sample.running_ms - last.running_ms) - (sample.awake_ms - last.awake_ms) > SLEEP_MS;
        if looks.last.as_ref().is_some_and(slept) {
            looks.woke_ms = Some(sample.awake_ms);
        }
        looks.last = Some(sample.clone());
        sample.clone().add(&mut looks.new);
        looks.woke_ms.is_none_or(|woke_ms| sample.awake_ms - woke_ms >= SETTLE_MS)
    }

    /// The samples that were taken since the last call.
    pub fn take(&self) -> Vec<AwakeSample> {
        std::mem::take(&mut self.looks.lock().unwrap_or_else(PoisonError::into_inner).new)
    }
}
