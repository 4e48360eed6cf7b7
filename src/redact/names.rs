//! The values that are taken out of a capture, and what stands in their places.

use super::find::{Find, Scope};
use super::kind::Kind;
use super::{labels, looks};
use std::collections::{BTreeSet, HashMap};

/// The most values that are looked for in every text, and the most that are replaced where they are found.
pub const MOST: usize = 20_000;
const MOST_IN_PLACE: usize = 500_000;

/// What is said everywhere and names nobody.
const COMMON: [&str; 72] = [
    "admin",
    "agent",
    "apple",
    "apple inc",
    "apple inc.",
    "channel",
    "client",
    "command",
    "computer",
    "console",
    "daemon",
    "data",
    "default",
    "device",
    "enrollment",
    "error",
    "false",
    "guest",
    "host",
    "idle",
    "installer",
    "library",
    "local",
    "localhost",
    "mac",
    "macos",
    "managed",
    "management",
    "macintosh hd",
    "macintosh hd - data",
    "mdm",
    "mdmclient",
    "name",
    "network",
    "none",
    "null",
    "preboot",
    "private",
    "process",
    "profile",
    "public",
    "recovery",
    "request",
    "response",
    "root",
    "running",
    "script",
    "secret",
    "server",
    "service",
    "session",
    "shared",
    "software",
    "softwareupdate",
    "softwareupdated",
    "state",
    "status",
    "success",
    "system",
    "token",
    "true",
    "type",
    "unknown",
    "unset",
    "update",
    "updates",
    "user",
    "users",
    "version",
    "volume",
    "wheel",
    "yes",
];

/// Values that say as little, also where a secret is expected.
const NO_SECRET: [&str; 10] = ["true", "false", "yes", "no", "none", "null", "0", "1", "required", "missing"];

/// Everything in a text that names somebody.
pub fn find(text: &str) -> Vec<Find> {
    let mut found = Vec::new();
    labels::find(text, &mut found);
    looks::find(text, &mut found);
    found
}

/// The values, each with its placeholder. Upper and lower case are equal.
#[derive(Debug, Default)]
pub struct Names {
    all: HashMap<String, String>,
    /// Those that are looked for everywhere, as they were found.
    everywhere: Vec<String>,
    is_everywhere: BTreeSet<String>,
    counts: HashMap<Kind, usize>,
    /// Identifiers that stay.
    kept: BTreeSet<String>,
}

impl Names {
    /// Identifiers of commands and profiles stay, so that what belongs together still does.
    pub fn keeping(kept: impl IntoIterator<Item = String>) -> Self {
        Self { kept: kept.into_iter().map(|value| value.to_lowercase()).collect(), ..Self::default() }
    }

    pub fn is_kept(&self, value: &str) -> bool {
        self.kept.contains(&bare(value).to_lowercase())
    }

    /// Adds a value that is looked for everywhere.
    pub fn add(&mut self, kind: Kind, value: &str) {
        self.add_as(kind, value, Scope::Everywhere);
    }

    fn add_as(&mut self, kind: Kind, value: &str, scope: Scope) {
        let value = bare(value);
        let key = value.to_lowercase();
        if says_nothing(kind, &key) || self.kept.contains(&key) || self.all.len() >= MOST_IN_PLACE {
            return;
        }
        if !self.all.contains_key(&key) {
            let number = self.counts.entry(kind).or_default();
            *number += 1;
            self.all.insert(key.clone(), kind.placeholder(*number, value));
        }
        let is_common = COMMON.contains(&key.as_str());
        if scope == Scope::Everywhere && !is_common && !self.are_too_many() && self.is_everywhere.insert(key) {
            self.everywhere.push(value.to_owned());
        }
    }

    /// Adds what a text holds.
    pub fn search(&mut self, text: &str) {
        for found in find(text) {
            let written = found.span.and_then(|span| text.get(span)).unwrap_or_default();
            self.add_as(found.kind, found.value.as_deref().unwrap_or(written), found.scope);
        }
        for inner in super::spelling::decoded(text) {
            for found in find(&inner) {
                let written = found.span.and_then(|span| inner.get(span)).unwrap_or_default();
                self.add_as(found.kind, found.value.as_deref().unwrap_or(written), found.scope);
            }
        }
    }

    /// Whether there are as many as can be looked for.
    pub fn are_too_many(&self) -> bool {
        self.everywhere.len() >= MOST
    }

    /// What stands for a value, if it is one of these.
    pub fn placeholder(&self, value: &str) -> Option<&str> {
        self.all.get(&bare(value).to_lowercase()).map(String::as_str)
    }

    /// The values that are looked for everywhere, as they were found, and what stands for each.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.everywhere.iter().filter_map(|value| Some((value.as_str(), self.placeholder(value)?)))
    }

    /// How many there are of each kind, for people.
    pub fn summary(&self) -> String {
        let count = |kind: &Kind| Some(format!("{} ({})", kind.words(), self.counts.get(kind)?));
        Kind::ALL.iter().filter_map(count).collect::<Vec<_>>().join(", ")
    }
}

/// Whether a value, in lower case, says nothing of whose Mac this is.
fn says_nothing(kind: Kind, key: &str) -> bool {
    match kind {
        _ if key.len() < 2 => true,
        Kind::Secret => NO_SECRET.contains(&key),
        Kind::Topic => COMMON.contains(&key),
        Kind::Host if key == "apple.com" || key.ends_with(".apple.com") || key.ends_with(".invalid") => true,
        Kind::Mail if key.ends_with("@mail.invalid") => true,
        Kind::Device if key.starts_with("00000000-0000-0000-0000-") => true,
        Kind::Address => {
            ["127.", "198.18.", "255.", "2001:db8::", "::1"].iter().any(|head| key.starts_with(head))
                || key == "0.0.0.0"
        }
        Kind::Hardware => key.starts_with("02:00:00:") || key.trim_matches(['0', ':']).is_empty(),
        _ => COMMON.contains(&key) || key.starts_with("com.apple."),
    }
}

/// A value without the end of the sentence in which it stands.
fn bare(value: &str) -> &str {
    value.trim().trim_end_matches(['.', ','])
}
