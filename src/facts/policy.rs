//! What the Mac's administrator allows, from the preference domain `org.mdm-health`: what heal may do, and how much is
//! remembered.
//!
//! A configuration profile comes first: where macOS has written its settings to `/Library/Managed Preferences`, the local
//! `/Library/Preferences` do not count, so that nobody on the Mac loosens what its owner set. A policy that is there and
//! cannot be trusted, read or understood turns heal off, and `mdm_health_status` says which and why: it may have been meant to
//! forbid everything.

use crate::host::{Host, HostError};
use crate::property_list;
use crate::vocabulary::codes::{HealAction, SourceName, SourceReason, SourceState};
use crate::vocabulary::{Code, SourceStatus, Time};
use chrono::TimeDelta;
use plist::{Dictionary, Value};
use std::fmt;

/// The preference domain.
pub const DOMAIN: &str = "org.mdm-health";

/// Where settings are looked for, in this order.
const PLACES: [&str; 2] =
    ["/Library/Managed Preferences/org.mdm-health.plist", "/Library/Preferences/org.mdm-health.plist"];

/// Hours between two restarts of a daemon.
const MINIMUM_HOURS: Number = Number { least: 1, usual: 24, most: 24 * 365 };

/// Minutes between two automatic heals.
const LEAST_MINUTES: u32 = 30;
const MOST_MINUTES: u32 = 60 * 24 * 7;

/// Days for which the journal keeps an event. A Mac's usual silence is learned from two weeks of them.
const JOURNAL_DAYS: Number = Number { least: 1, usual: 30, most: 365 };

/// How many events the journal keeps. Each takes a third of a kilobyte; what the rules look at must find room.
const JOURNAL_EVENTS: Number = Number { least: 20_000, usual: 200_000, most: 1_000_000 };

/// Minutes between two readings of the log in the background. `log show` costs nearly the same for five minutes as for
/// an hour.
const REFRESH_MINUTES: Number = Number { least: 5, usual: 30, most: 60 * 24 };

/// The longest text to compare with, in bytes.
const LONGEST_EXPECTED: usize = 2048;

/// What is allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Whether anything is restarted at all.
    pub enabled: bool,
    pub allowed_actions: Vec<HealAction>,
    /// Hours between two restarts of a daemon.
    pub minimum_hours: u32,
    /// Whether a request may do without evidence.
    pub allow_force: bool,
    /// Minutes between two automatic heals; `None` if there are none.
    pub automatic_minutes: Option<u32>,
    /// Days for which the journal keeps an event.
    pub journal_days: u32,
    /// How many events the journal keeps.
    pub journal_events: u32,
    /// Minutes between two readings of the log in the background.
    pub refresh_minutes: u32,
    /// The MDM server and the push topic that this Mac should have.
    pub expected_server_url: Option<String>,
    pub expected_topic: Option<String>,
    /// Where it comes from, for people.
    pub origin: String,
    /// What is wrong with it, a sentence each.
    pub errors: Vec<String>,
}

/// A setting: its key, and how its value is taken.
struct Setting {
    key: &'static str,
    take: fn(&mut Policy, &Value) -> Result<(), Wrong>,
}

/// Every setting. A new one is an entry here and a field of [`Policy`].
const SETTINGS: [Setting; 10] = [
    Setting { key: "Enabled", take: enabled },
    Setting { key: "AllowedActions", take: allowed_actions },
    Setting { key: "MinimumHours", take: |policy, value| MINIMUM_HOURS.take(value, &mut policy.minimum_hours) },
    Setting { key: "AllowForce", take: allow_force },
    Setting { key: "AutomaticHealMinutes", take: automatic_minutes },
    Setting { key: "JournalDays", take: |policy, value| JOURNAL_DAYS.take(value, &mut policy.journal_days) },
    Setting { key: "JournalEvents", take: |policy, value| JOURNAL_EVENTS.take(value, &mut policy.journal_events) },
    Setting { key: "RefreshMinutes", take: |policy, value| REFRESH_MINUTES.take(value, &mut policy.refresh_minutes) },
    Setting { key: "ExpectedServerURL", take: |policy, value| expected(value, &mut policy.expected_server_url) },
    Setting { key: "ExpectedTopic", take: |policy, value| expected(value, &mut policy.expected_topic) },
];

/// What is wrong with a value: the end of a sentence that begins with the key.
enum Wrong {
    /// Another value holds, which the sentence names.
    Replaced(String),
    /// Nobody can say what was meant, so heal is off.
    TurnsHealOff(&'static str),
}

impl Default for Policy {
    /// Without a policy: on request, with evidence, once in 24 hours.
    fn default() -> Self {
        Self {
            enabled: true,
            allowed_actions: HealAction::ALL.to_vec(),
            minimum_hours: MINIMUM_HOURS.usual,
            allow_force: false,
            automatic_minutes: None,
            journal_days: JOURNAL_DAYS.usual,
            journal_events: JOURNAL_EVENTS.usual,
            refresh_minutes: REFRESH_MINUTES.usual,
            expected_server_url: None,
            expected_topic: None,
            origin: "the built-in policy".to_owned(),
            errors: Vec::new(),
        }
    }
}

impl Policy {
    /// The time between two restarts of a daemon.
    pub fn limit(&self) -> TimeDelta {
        TimeDelta::hours(self.minimum_hours.into())
    }

    /// The time between two readings of the log in the background.
    pub fn refresh_interval(&self) -> TimeDelta {
        TimeDelta::minutes(self.refresh_minutes.into())
    }

    /// Reads the Mac's policy: the first file that is there, whatever it is.
    pub fn read(host: &dyn Host) -> Self {
        for path in PLACES {
            match host.read_trusted(path) {
                Ok(None) => {}
                Ok(Some(bytes)) => return Self::from_plist(&bytes, path),
                Err(error) => return Self::off(path, format!("Heal is off: {error}.")),
            }
        }
        Self::default()
    }

    /// Reads the settings of a file.
    pub fn from_plist(bytes: &[u8], path: &str) -> Self {
        match property_list::parse(bytes) {
            Ok(Value::Dictionary(settings)) => Self::from_settings(&settings, path),
            Ok(_) => Self::off(path, format!("Heal is off: {path} is a property list, but not a dictionary.")),
            Err(why) => Self::off(path, format!("Heal is off: {path} is not a property list: {why}.")),
        }
    }

    fn off(path: &str, error: String) -> Self {
        Self { enabled: false, origin: format!("an error in {path}"), errors: vec![error], ..Self::default() }
    }

    fn from_settings(settings: &Dictionary, path: &str) -> Self {
        let mut policy = Self { origin: path.to_owned(), ..Self::default() };
        let mut off = false;
        for (key, value) in settings {
            let taken = match SETTINGS.iter().find(|setting| setting.key == key) {
                Some(setting) => (setting.take)(&mut policy, value),
                // A whole profile in place of its settings, which stand deeper in it and would be overlooked.
                None if key == "PayloadContent" => Err(Wrong::TurnsHealOff(
                    "is a part of a profile, and no setting: put the settings themselves there; heal is off until then.",
                )),
                // What macOS and MDM servers add about the payload itself.
                None if key.starts_with("Payload") => Ok(()),
                // It may have been meant to forbid something.
                None => Err(Wrong::TurnsHealOff("is not a setting; heal is off until it is removed.")),
            };
            let shown: String = key.chars().take(64).collect();
            match taken {
                Ok(()) => {}
                Err(Wrong::Replaced(why)) => policy.errors.push(format!("{path}: {shown} {why}")),
                Err(Wrong::TurnsHealOff(why)) => {
                    off = true;
                    policy.errors.push(format!("{path}: {shown} {why}"));
                }
            }
        }
        policy.enabled &= !off;
        policy
    }

    /// Whether it could be read, and what it says, for `mdm_health_status`. A recorded Mac has none.
    pub fn status(policy: Option<&Self>, now: Time) -> SourceStatus {
        let (state, reason, detail) = match policy {
            None => {
                let detail = format!("{}.", HostError::NotLive { missing: "policy" });
                (SourceState::Unavailable, Some(SourceReason::NotCaptured), detail)
            }
            Some(policy) if policy.errors.is_empty() => (SourceState::Ok, None, policy.to_string()),
            Some(policy) => {
                let detail = format!("{} {policy}", policy.errors.join(" "));
                (SourceState::Error, Some(SourceReason::BadPolicy), detail)
            }
        };
        SourceStatus {
            source: SourceName::HealPolicy,
            state,
            reason,
            detail: Some(detail),
            last_ok_at: (state == SourceState::Ok).then_some(now),
            last_error_at: (state == SourceState::Error).then_some(now),
            covers: None,
            counts: None,
            duration_ms: None,
        }
    }
}

impl fmt::Display for Policy {
    /// One sentence for people.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let journal = format!("The journal keeps {} days and {} events.", self.journal_days, self.journal_events);
        if !self.enabled {
            return write!(out, "Heal is off, by {}. {journal}", self.origin);
        }
        let actions: Vec<&str> = self.allowed_actions.iter().map(|action| action.word()).collect();
        let actions = if actions.is_empty() { "nothing".to_owned() } else { actions.join(", ") };
        let force = if self.allow_force { "allowed" } else { "not allowed" };
        let automatic = self.automatic_minutes.map_or("off".to_owned(), |minutes| format!("every {minutes} minutes"));
        write!(
            out,
            "By {}: {actions} on request, each daemon once in {} hours; force is {force}; the automatic heal is {automatic}. {journal}",
            self.origin, self.minimum_hours
        )
    }
}

fn enabled(policy: &mut Policy, value: &Value) -> Result<(), Wrong> {
    policy.enabled = value.as_boolean().ok_or(Wrong::TurnsHealOff("is not a boolean; heal is off."))?;
    Ok(())
}

fn allow_force(policy: &mut Policy, value: &Value) -> Result<(), Wrong> {
    let wrong = || Wrong::Replaced("is not a boolean; force is not allowed.".to_owned());
    policy.allow_force = value.as_boolean().ok_or_else(wrong)?;
    Ok(())
}

fn allowed_actions(policy: &mut Policy, value: &Value) -> Result<(), Wrong> {
    policy.allowed_actions.clear();
    let not_an_array = || Wrong::Replaced("is not an array; no action is allowed.".to_owned());
    let names = value.as_array().ok_or_else(not_an_array)?;
    let actions = names.iter().map(|name| name.as_string().and_then(HealAction::from_word));
    policy.allowed_actions = actions.collect::<Option<_>>().ok_or_else(|| {
        let all: Vec<&str> = HealAction::ALL.iter().map(|action| action.word()).collect();
        Wrong::Replaced(format!("names something other than {}; no action is allowed.", all.join(", ")))
    })?;
    Ok(())
}

fn automatic_minutes(policy: &mut Policy, value: &Value) -> Result<(), Wrong> {
    let minutes = whole_number(value).and_then(|number| u32::try_from(number).ok());
    match minutes.filter(|minutes| *minutes == 0 || (LEAST_MINUTES..=MOST_MINUTES).contains(minutes)) {
        Some(minutes) => {
            policy.automatic_minutes = Some(minutes).filter(|minutes| *minutes > 0);
            Ok(())
        }
        None => Err(Wrong::Replaced(format!(
            "is neither 0 nor a whole number from {LEAST_MINUTES} to {MOST_MINUTES}; automatic heal stays off."
        ))),
    }
}

fn expected(value: &Value, into: &mut Option<String>) -> Result<(), Wrong> {
    let text = value.as_string().map(str::trim).filter(|text| !text.is_empty() && text.len() <= LONGEST_EXPECTED);
    let wrong = || Wrong::Replaced("is not a text that can be compared; nothing is.".to_owned());
    *into = Some(text.ok_or_else(wrong)?.to_owned());
    Ok(())
}

/// A whole number and its bounds.
struct Number {
    least: u32,
    usual: u32,
    most: u32,
}

impl Number {
    /// A number above the bounds is taken as the highest: it asks for as much as there is. Of one below them nobody can
    /// say how much was meant, and the usual one holds.
    fn take(&self, value: &Value, into: &mut u32) -> Result<(), Wrong> {
        let Self { least, usual, most } = *self;
        let number = whole_number(value);
        let number = number.ok_or(Wrong::TurnsHealOff("is not a whole number; heal is off until it is corrected."))?;
        let taken = u32::try_from(number).unwrap_or(if number < 0 { 0 } else { u32::MAX });
        *into = match taken {
            _ if taken > most => most,
            _ if taken < least => usual,
            _ => taken,
        };
        if *into == taken {
            return Ok(());
        }
        Err(Wrong::Replaced(format!("is {number}, not a whole number from {least} to {most}; {into} is used.")))
    }
}

/// A whole number, also one written as text, as in `defaults write org.mdm-health MinimumHours 48`.
fn whole_number(value: &Value) -> Option<i128> {
    match value {
        Value::Integer(number) => number.as_signed().map(i128::from).or_else(|| number.as_unsigned().map(i128::from)),
        Value::String(text) => text.trim().parse::<i64>().ok().map(i128::from),
        _ => None,
    }
}
