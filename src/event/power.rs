//! When the Mac slept and woke, as powerd says it in the unified log and softwareupdated in install.log.

use super::{Event, EventKind};
use super::{Image, Program, Users, Wanted};
use crate::log::LogRecord;
use serde::{Deserialize, Serialize};

/// What the Mac goes over to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum PowerState {
    Sleep,
    /// Awake for a task of the system, with the display off; nobody uses the Mac.
    DarkWake,
    FullWake,
    /// Awake; whether dark or full does not show.
    Wake,
}

pub static POWERD: Program = Program {
    name: "powerd",
    image: Image::At("/System/Library/CoreServices/powerd.bundle/powerd"),
    users: Users::System,
    // The subsystem was `powerd` in 10.15 and is `com.apple.powerd` today.
    wanted: Wanted {
        category: "sleepWake",
        messages: &["Entering Sleep state", "Entering DarkWake state", "Wake from ", "DarkWake to FullWake"],
        ..Wanted::ALL
    },
    recognise: |record: &LogRecord<'_>| Some(Event::new(record, EventKind::Power(said_by_powerd(&record.message)?))),
};

/// `Entering Sleep state due to 'Maintenance Sleep'`, `DarkWake from Deep Idle [CDNP]`, `Wake from Deep Idle [CDNVA]` in the
/// unified log; `pmset -g log` shows the same sentences, and `DarkWake to FullWake from …` and `Entering DarkWake state due to
/// 'Clamshell Sleep'` beside them.
fn said_by_powerd(message: &str) -> Option<PowerState> {
    let starts = [
        ("Entering Sleep state", PowerState::Sleep),
        ("Entering DarkWake state", PowerState::DarkWake),
        ("DarkWake to FullWake", PowerState::FullWake),
        ("DarkWake from ", PowerState::DarkWake),
        ("Wake from ", PowerState::FullWake),
    ];
    starts.iter().find(|(start, _)| message.starts_with(start)).map(|(_, state)| *state)
}

/// `SUOSUPowerEventObserver: System will sleep` (13), by softwareupdated and by SoftwareUpdateNotificationManager. Before it
/// comes `System is considering sleep`, which may come to nothing. Whether a dark wake makes them speak is not known.
pub fn said_in_install_log(message: &str) -> Option<PowerState> {
    match message.strip_prefix("SUOSUPowerEventObserver: System ")?.trim_end() {
        "will sleep" => Some(PowerState::Sleep),
        "will power on" | "has powered on" => Some(PowerState::Wake),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dark_wake_is_told_from_a_full_one() {
        use PowerState::{DarkWake, FullWake, Sleep};
        for (message, state) in [
            ("Entering Sleep state due to 'Maintenance Sleep'", Some(Sleep)),
            ("Entering Sleep state due to 'Idle Sleep': Using AC (Charge:0%)", Some(Sleep)),
            ("Entering DarkWake state due to 'Clamshell Sleep'", Some(DarkWake)),
            ("DarkWake from Deep Idle [CDNP] : due to rtc/Maintenance", Some(DarkWake)),
            ("DarkWake to FullWake from Deep Idle [CDNVA] : due to HID Activity", Some(FullWake)),
            ("Wake from Deep Idle [CDNVA]", Some(FullWake)),
            ("Wake reason: \"<private>\"  identity: \"<private>\"", None),
            ("Summary- [System: PrevIdle DeclUser kDisp] Wake from ", None),
        ] {
            assert_eq!(said_by_powerd(message), state, "{message}");
        }
    }

    #[test]
    fn what_is_only_considered_did_not_happen() {
        use PowerState::{Sleep, Wake};
        for (words, state) in [
            ("is considering sleep", None),
            ("will sleep", Some(Sleep)),
            ("will power on", Some(Wake)),
            ("has powered on", Some(Wake)),
            ("will restart", None),
        ] {
            assert_eq!(said_in_install_log(&format!("SUOSUPowerEventObserver: System {words}")), state, "{words}");
        }
    }
}
