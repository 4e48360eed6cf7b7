//! States and reasons in plain words, and what to do about them, as the README has it.

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
pub fn state(state: &str) -> Look {
    let (word, class, symbol) = match state {
        "ok" => ("OK", "good", "s-ok"),
        "quiet" => ("Quiet", "calm", "s-quiet"),
        "stuck" => ("Stuck", "bad", "s-stuck"),
        "identity_error" => ("Identity error", "bad", "s-identity"),
        "not_enrolled" => ("Not enrolled", "doubt", "s-none"),
        _ => ("Unknown", "doubt", "s-unknown"),
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

/// What to do about a verdict.
pub fn advice(state: &str, reason: &str) -> &'static str {
    match (state, reason) {
        ("ok", _) => "Nothing to do.",
        ("quiet", _) => {
            "Nothing to do: most servers push only when they have something to say. If you expect more, send this Mac a \
             command and look again."
        }
        ("stuck", "server_errors") => {
            "Look at the MDM server: it answers, but refuses this Mac’s requests. Restarting the Mac’s client does not \
             change that."
        }
        ("stuck", _) => {
            "Heal: `sudo mdm-health heal` on the Mac, or `INSERT INTO mdm_heal(action, reason) VALUES \
             ('restart_mdmclient', 'why')` as a live query. A daemon is restarted once in 24 hours at most."
        }
        ("identity_error", _) => "Enroll the Mac again. A restart does not bring an identity back.",
        ("not_enrolled", _) => "Enroll the Mac, if it should have an MDM.",
        (_, "enrollment_unknown") => {
            "Give it more to go by: on the Mac run it as root; elsewhere pass a capture folder, since a log file alone \
             does not tell whether a Mac is enrolled."
        }
        (_, "sources_disagree") => {
            "See under Enrollment which source says what, and trust none of them before you know."
        }
        (_, "log_unreadable" | "log_empty") => {
            "See under Sources what kept the log from being read, mend that, and look again."
        }
        (_, "log_incomplete") => "Look again with a log that covers the 90 minutes before the moment that is judged.",
        (_, "recently_awake") => "Look again when the Mac has been awake for 90 minutes.",
        _ => "See under Sources what could not be read, and why.",
    }
}

/// What decided whether OS updates are stuck.
pub fn updates_reason(reason: &str) -> &'static str {
    match reason {
        "client_not_stuck" => "The MDM client is not stuck, and no enforced update is.",
        "client_unknown" => "Whether the MDM client is stuck could not be told.",
        "not_enrolled" => "The Mac is not enrolled.",
        "last_command_os_update" => {
            "The MDM client is stuck, and the last command that it received is about OS updates."
        }
        "last_command_other" => {
            "The MDM client is stuck, but the last command that it received is not about OS updates."
        }
        "no_command_seen" => "The MDM client is stuck, and the log holds no command that would tell on what.",
        "enforcement_past_due" => {
            "An update that DDM enforces is past its deadline, and nothing moved within the last 90 minutes."
        }
        "enforcement_failing" => "An update that DDM enforces fails again and again, and nothing moved since.",
        "enforcement_unknown" => "How the updates stand that DDM enforces could not be told.",
        "enforcement_on_time" => "What DDM enforces is not past due.",
        "update_in_progress" => "An enforced update is past due, but it is moving.",
        "no_enforcement" => "DDM enforces no update.",
        _ => "",
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tables::MDM_WATCHDOG;

    /// The codes that the page of `mdm_watchdog` lists for a column.
    fn codes(column: &str) -> Vec<&'static str> {
        let column = MDM_WATCHDOG.columns.iter().find(|one| one.name == column).unwrap();
        let names = column.description.split('`').skip(1).step_by(2);
        names.filter(|name| MDM_WATCHDOG.columns.iter().all(|one| one.name != *name)).collect()
    }

    #[test]
    fn every_state_has_a_look_and_only_unknown_is_unknown() {
        let states = codes("state");
        assert_eq!(states.len(), 6);
        for word in states {
            assert_eq!(state(word).word == "Unknown", word == "unknown", "{word}");
        }
    }

    #[test]
    fn every_reason_about_updates_has_words() {
        let reasons = codes("software_updates_reason");
        assert_eq!(reasons.len(), 12);
        for reason in reasons {
            assert_ne!(updates_reason(reason), "", "{reason}");
        }
    }
}
