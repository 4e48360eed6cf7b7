//! How a verdict looks, and what to do about it.

use crate::vocabulary::Code;
use crate::vocabulary::codes::{WatchdogReason, WatchdogState};

/// How a verdict looks: never by its colour alone.
pub struct Look {
    /// The word for people.
    pub word: &'static str,
    /// The class, which gives the colour.
    pub class: &'static str,
    /// The symbol.
    pub symbol: &'static str,
}

/// The look of a state of `mdm_watchdog`.
pub fn state(state: WatchdogState) -> Look {
    let (word, class, symbol) = match state {
        WatchdogState::Ok => ("OK", "good", "s-ok"),
        WatchdogState::Quiet => ("Quiet", "calm", "s-quiet"),
        WatchdogState::Stuck => ("Stuck", "bad", "s-stuck"),
        WatchdogState::ServerError => ("Server error", "bad", "s-stuck"),
        WatchdogState::IdentityError => ("Identity error", "bad", "s-identity"),
        WatchdogState::NotEnrolled => ("Not enrolled", "doubt", "s-none"),
        WatchdogState::Unknown => ("Unknown", "doubt", "s-unknown"),
    };
    Look { word, class, symbol }
}

/// The look of whether OS updates are stuck.
pub fn updates(stuck: Option<bool>) -> Look {
    let (word, class, symbol) = match stuck {
        Some(false) => ("Not stuck", "good", "s-ok"),
        Some(true) => ("Stuck", "bad", "s-stuck"),
        None => ("Unknown", "doubt", "s-unknown"),
    };
    Look { word, class, symbol }
}

/// What to do about a verdict: the reason's own advice, else that of the state.
pub fn advice(state: WatchdogState, reason: Option<WatchdogReason>) -> &'static str {
    reason.map(Code::advice).filter(|advice| !advice.is_empty()).unwrap_or(state.advice())
}

/// What to do about updates that are stuck.
pub const UPDATES_ADVICE: &str = "Heal: `sudo mdm-health heal` on the Mac, or `INSERT INTO mdm_heal(action, reason) \
    VALUES ('restart_softwareupdated', 'why')` as a live query. It is refused while an update is being installed.";

/// mdm-watchdog's outputs: the column, and the question that it answers.
pub const OUTPUTS: [(&str, &str); 8] = [
    ("mdm_enrolled", "Enrolled in an MDM?"),
    ("mdm_identity_error", "MDM identity unusable?"),
    ("mdm_client_stuck", "No success for 90 minutes?"),
    ("mdm_software_updates_stuck", "OS updates stuck?"),
    ("mdm_client_restarted", "MDM client restarted by the last heal?"),
    ("software_update_daemon_restarted", "Update daemon restarted by the last heal?"),
    ("last_mdm_kickstart", "MDM client last restarted"),
    ("last_software_update_daemon_kickstart", "Update daemon last restarted"),
];
