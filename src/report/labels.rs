//! How a verdict looks, and what to do about it.

use crate::vocabulary::Code;
use crate::vocabulary::codes::{WatchdogReason, WatchdogState};

/// How a verdict looks: never by its colour alone.
pub struct Look {
    /// The word for people.
    pub word: &'static str,
    /// The class, which gives the colour.
    pub class: &'static str,
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

/// The look of whether OS updates are stuck. Beside an update that failed it is never that of success.
pub fn updates(stuck: Option<bool>, troubled: bool) -> Look {
    let (word, class, symbol) = match stuck {
        Some(false) if troubled => ("Not stuck, but needs attention", "doubt", "s-warning"),
        Some(false) => ("Not stuck", "good", "s-ok"),
        Some(true) => ("Stuck", "bad", "s-stuck"),
        None if troubled => ("Unknown, but needs attention", "doubt", "s-warning"),
        None => ("Unknown", "doubt", "s-unknown"),
    };
    Look { word, class, symbol }
}

/// The look of a capture that cannot be read.
pub const UNREADABLE: Look = Look { word: "Cannot be read", class: "doubt", symbol: "s-unknown" };

/// What to do about such captures.
pub const UNREADABLE_ADVICE: &str = "Its line says why. Capture these Macs again, or remove the files.";

/// What to do about a verdict: the reason's own advice, else that of the state.
pub fn advice(state: WatchdogState, reason: Option<WatchdogReason>) -> &'static str {
    reason.map(Code::advice).filter(|advice| !advice.is_empty()).unwrap_or(state.advice())
}

/// The symbol of a look.
pub fn symbol(look: &Look) -> String {
    format!("<svg class=\"symbol\" viewBox=\"0 0 32 32\" aria-hidden=\"true\"><use href=\"#{}\"/></svg>", look.symbol)
}

/// A size as macOS writes it, in units of a thousand: `3.4 GB`.
pub fn bytes(bytes: i64) -> String {
    #[allow(clippy::cast_precision_loss, reason = "one decimal is shown")]
    let size = bytes as f64;
    if bytes < 1_000 {
        format!("{bytes} bytes")
    } else if bytes < 1_000_000 {
        format!("{:.0} kB", size / 1e3)
    } else if bytes < 1_000_000_000 {
        format!("{:.0} MB", size / 1e6)
    } else {
        format!("{:.1} GB", size / 1e9)
    }
}

/// What to do about an update that only waits for a restart.
pub const PREPARED_ADVICE: &str = "The update is prepared and needs a restart: have the user save their work, and restart \
    the Mac. If it comes back with the old version, restart `softwareupdated` with `sudo mdm-health heal`.";

/// What to do about an update that failed and is not stuck.
pub const FAILED_ADVICE: &str = "Let the Mac try again, connected to power and to a network. If it fails again, restart \
    the Mac before the next attempt.";

/// What to do about updates that are stuck.
pub const UPDATES_ADVICE: &str = "Restart `softwareupdated`: `sudo mdm-health heal` on the Mac, or `INSERT INTO mdm_heal(action, reason) \
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
