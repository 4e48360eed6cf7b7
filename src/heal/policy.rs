//! What the Mac's administrator allows: `Enabled`, `AllowedActions`, `MinimumHours`, `AllowForce` and
//! `AutomaticHealMinutes` of the preference domain `org.mdm-health`; and how much is remembered: `JournalDays` and
//! `JournalEvents`.
//!
//! A configuration profile comes first: where macOS has put its settings in `/Library/Managed Preferences`, the local
//! `/Library/Preferences` do not count, so that nobody on the Mac loosens what its owner set. A file that others than
//! root may have written is ignored, and `mdm_health_status` says so. A setting that cannot be understood is replaced
//! by its safe value, never by a guess; an unknown key may have been meant to forbid something, so heal stays off
//! until it is gone.

use crate::host::{Host, HostError};
use crate::journal::store::Retention;
use crate::property_list;
use crate::vocabulary::Code;
use crate::vocabulary::codes::HealAction;
use chrono::TimeDelta;
use plist::{Dictionary, Value};
use std::fmt;

/// The preference domain.
pub const DOMAIN: &str = "org.mdm-health";

/// Where settings are looked for, in this order.
const PLACES: [&str; 2] =
    ["/Library/Managed Preferences/org.mdm-health.plist", "/Library/Preferences/org.mdm-health.plist"];

/// The settings there are.
const KEYS: [&str; 7] =
    ["Enabled", "AllowedActions", "MinimumHours", "AllowForce", "AutomaticHealMinutes", "JournalDays", "JournalEvents"];

/// Hours between two restarts of a daemon: usual, least, most.
const USUAL_HOURS: u32 = 24;
const LEAST_HOURS: u32 = 1;
const MOST_HOURS: u32 = 24 * 365;

/// Minutes between two automatic heals: least, most.
const LEAST_MINUTES: u32 = 30;
const MOST_MINUTES: u32 = 60 * 24 * 7;

/// Days for which the journal keeps an event: usual, least, most. Two weeks of them tell a Mac's usual silence.
const USUAL_DAYS: u32 = 30;
const LEAST_DAYS: u32 = 1;
const MOST_DAYS: u32 = 365;

/// How many events the journal keeps: usual, least, most. They take a third of a kilobyte each. What the rules look at
/// must find room.
const USUAL_EVENTS: u32 = 200_000;
const LEAST_EVENTS: u32 = 20_000;
const MOST_EVENTS: u32 = 1_000_000;

/// What is allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Whether anything is restarted at all.
    pub enabled: bool,
    /// What may be asked for.
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
    /// Where it comes from, for people.
    pub origin: String,
    /// What is wrong with it, a sentence each.
    pub errors: Vec<String>,
}

impl Default for Policy {
    /// Without a policy: on request, with evidence, once in 24 hours.
    fn default() -> Self {
        Self {
            enabled: true,
            allowed_actions: HealAction::ALL.to_vec(),
            minimum_hours: USUAL_HOURS,
            allow_force: false,
            automatic_minutes: None,
            journal_days: USUAL_DAYS,
            journal_events: USUAL_EVENTS,
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

    /// What the journal keeps at most.
    pub fn retention(&self) -> Retention {
        Retention::of(self.journal_days, self.journal_events)
    }

    /// Reads the Mac's policy.
    pub fn read(host: &dyn Host) -> Self {
        let mut ignored = Vec::new();
        for path in PLACES {
            match host.read_trusted(path) {
                Ok(None) => {}
                Ok(Some(bytes)) => {
                    let mut policy = Self::from_plist(&bytes, path);
                    policy.errors.splice(0..0, ignored);
                    return policy;
                }
                Err(error @ HostError::NotTrusted { .. }) => ignored.push(format!("{error}.")),
                // It is there and may forbid everything.
                Err(error) => return Self::off(path, ignored, format!("Heal is off: {error}.")),
            }
        }
        Self { errors: ignored, ..Self::default() }
    }

    /// Reads the settings of a file.
    pub fn from_plist(bytes: &[u8], path: &str) -> Self {
        match property_list::parse(bytes) {
            Ok(Value::Dictionary(settings)) => Self::from_settings(&settings, path),
            Ok(_) => Self::off(path, Vec::new(), format!("Heal is off: {path} is a plist but no dictionary.")),
            Err(why) => Self::off(path, Vec::new(), format!("Heal is off: {path} is not a plist: {why}.")),
        }
    }

    fn off(path: &str, mut errors: Vec<String>, error: String) -> Self {
        errors.push(error);
        Self { enabled: false, origin: format!("an error in {path}"), errors, ..Self::default() }
    }

    fn from_settings(settings: &Dictionary, path: &str) -> Self {
        let mut policy = Self { origin: path.to_owned(), ..Self::default() };
        let mut unknown = false;
        for (key, value) in settings {
            // What macOS and MDM servers say of the payload itself is no setting.
            let known = KEYS.contains(&key.as_str());
            if !known && key.starts_with("Payload") {
                continue;
            }
            unknown |= !known;
            if let Err(error) = policy.set(key, value) {
                policy.errors.push(format!("{path}: {error}"));
            }
        }
        policy.enabled &= !unknown;
        policy
    }

    /// Takes a setting; what is wrong with it comes back, and the safe value stands.
    fn set(&mut self, key: &str, value: &Value) -> Result<(), String> {
        match key {
            "Enabled" => {
                self.enabled = false;
                self.enabled = value.as_boolean().ok_or("Enabled is not a boolean; heal is off.")?;
            }
            "AllowForce" => {
                self.allow_force = value.as_boolean().ok_or("AllowForce is not a boolean; force is not allowed.")?;
            }
            "AllowedActions" => {
                self.allowed_actions.clear();
                let names = value.as_array().ok_or("AllowedActions is not an array; no action is allowed.")?;
                let actions = names.iter().map(|name| name.as_string().and_then(HealAction::from_word));
                let all: Vec<&str> = HealAction::ALL.iter().map(|action| action.word()).collect();
                self.allowed_actions = actions.collect::<Option<_>>().ok_or_else(|| {
                    format!("AllowedActions names something else than {}; no action is allowed.", all.join(", "))
                })?;
            }
            "MinimumHours" => {
                self.minimum_hours = bounded(key, value, LEAST_HOURS, USUAL_HOURS, MOST_HOURS)?;
            }
            "JournalDays" => self.journal_days = bounded(key, value, LEAST_DAYS, USUAL_DAYS, MOST_DAYS)?,
            "JournalEvents" => self.journal_events = bounded(key, value, LEAST_EVENTS, USUAL_EVENTS, MOST_EVENTS)?,
            "AutomaticHealMinutes" => {
                let minutes = whole_number(value, 0, 0).or(whole_number(value, LEAST_MINUTES, MOST_MINUTES));
                let minutes = minutes.ok_or_else(|| {
                    format!("AutomaticHealMinutes is neither 0 nor a whole number from {LEAST_MINUTES} to {MOST_MINUTES}; it stays off.")
                })?;
                self.automatic_minutes = Some(minutes).filter(|minutes| *minutes > 0);
            }
            _ => {
                let shown: String = key.chars().take(64).collect();
                return Err(format!("{shown} is not a setting; heal is off until it is gone."));
            }
        }
        Ok(())
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

/// A whole number within its bounds; else what is wrong, and the usual one stands.
fn bounded(key: &str, value: &Value, least: u32, usual: u32, most: u32) -> Result<u32, String> {
    whole_number(value, least, most)
        .ok_or_else(|| format!("{key} is not a whole number from {least} to {most}; it stays {usual}."))
}

fn whole_number(value: &Value, least: u32, most: u32) -> Option<u32> {
    let number = u32::try_from(value.as_unsigned_integer()?).ok()?;
    (least..=most).contains(&number).then_some(number)
}
