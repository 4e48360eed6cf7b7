//! The values that are taken out of a capture, and what stands in their places.

use super::text::{decoded, unescaped};
use regex::{Captures, Regex};
use std::collections::HashMap;
use std::sync::LazyLock;

/// The most values that are kept.
pub const MOST: usize = 20_000;

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    Serial,
    Device,
    Host,
    Mail,
    Organisation,
    User,
    Topic,
    Secret,
    Name,
}

impl Kind {
    const ALL: [Self; 9] = [
        Self::Serial,
        Self::Device,
        Self::Host,
        Self::Mail,
        Self::Organisation,
        Self::User,
        Self::Topic,
        Self::Secret,
        Self::Name,
    ];

    fn words(self) -> &'static str {
        match self {
            Self::Serial => "serial numbers",
            Self::Device => "device identifiers",
            Self::Host => "hosts",
            Self::Mail => "e-mail addresses",
            Self::Organisation => "organisations",
            Self::User => "users",
            Self::Topic => "push topics",
            Self::Secret => "tokens and secrets",
            Self::Name => "other names",
        }
    }

    /// What stands for the value of that number, in the value's own form.
    fn placeholder(self, number: usize, value: &str) -> String {
        match self {
            Self::Serial => format!("SERIAL{number}"),
            Self::Device => format!("00000000-0000-0000-0000-{number:012}"),
            Self::Host if value.contains('.') => format!("host{number}.invalid"),
            Self::Host => format!("host{number}"),
            Self::Mail => format!("mail{number}@mail.invalid"),
            Self::Organisation => format!("organisation{number}"),
            Self::User => format!("user{number}"),
            Self::Topic => format!("com.apple.mgmt.External.topic{number}"),
            Self::Secret => format!("secret{number}"),
            Self::Name => format!("name{number}"),
        }
    }

    /// What the value under such a key is, in whatever way the key is written.
    pub fn under(key: &str) -> Option<Self> {
        let key: String = key.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
        let (has, ends) = (
            |words: &[&str]| words.iter().any(|word| key.contains(word)),
            |words: &[&str]| words.iter().any(|word| key.ends_with(word)),
        );
        if ends(&["serialnumber"]) || key == "serial" {
            Some(Self::Serial)
        } else if has(&["udid", "hardwareuuid", "platformuuid"]) {
            Some(Self::Device)
        } else if has(&["email"]) {
            Some(Self::Mail)
        } else if has(&["magic", "password", "passcode", "passphrase", "secret", "bypasscode", "recoverykey"])
            || ends(&["token", "challenge", "accounthash"])
            || key == "pin"
        {
            Some(Self::Secret)
        } else if has(&["organization", "organisation", "orgname", "companyname"]) {
            Some(Self::Organisation)
        } else if ends(&["hostname", "computername", "devicename"]) {
            Some(Self::Host)
        } else if ends(&["username", "fullname", "shortname", "longname", "accountname"]) {
            Some(Self::User)
        } else if ends(&["topic"]) {
            Some(Self::Topic)
        } else if ends(&["clientidentifier", "phonenumber"]) {
            Some(Self::Name)
        } else {
            None
        }
    }
}

/// A label and its value: `SerialNumber = C02…;`, `"UDID" => "…"`, `Serial Number: C02…`. Data is `<0a1b2c3d>`, or
/// `{length = 32, bytes = 0x068b4535 … 61731ac3}`.
static LABELLED: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r#"(?P<label>"?\b(?P<key>[A-Za-z_]{3,40}(?: [A-Za-z_]{2,20}){0,2})"?\s*(?:=>|=|:)\s*)(?P<value>"(?:[^"\\]|\\.)*"|'[^'\n]*'|\{ ?length = [^{}]*\}|<[0-9A-Fa-f ]+>|[^\s;,(){}<>"\]]+)"#,
    )
});
/// A key and its value in XML: `<key>UDID</key><string>…</string>`.
static IN_XML: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"(?P<label><key>(?P<key>[^<]{3,100})</key>\s*<(?:string|data)>\s*)(?P<value>[^<]*[^<\s])")
});
/// Whatever has a label.
pub static LABELLED_ANYHOW: [&LazyLock<Regex>; 2] = [&LABELLED, &IN_XML];

static MAIL: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}"));
static URL: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r#"[a-z][a-z0-9+.-]*://(?:(?P<login>[^/\s@"'<>]+)@)?(?P<host>[^/\s:"'<>;,)?]+)(?P<rest>[^\s"'<>;)]*)"#)
});
static HOME: LazyLock<Regex> = LazyLock::new(|| pattern(r#"/Users/(?P<value>[^/\s"'<>:;,)]+)"#));
static TOPIC: LazyLock<Regex> = LazyLock::new(|| pattern(r"com\.apple\.mgmt\.[A-Za-z]+\.[A-Za-z0-9-]+"));
static DEVICE: LazyLock<Regex> = LazyLock::new(|| pattern(r"\b[0-9A-Fa-f]{8}-[0-9A-Fa-f]{16}\b"));
static HARDWARE_ADDRESS: LazyLock<Regex> = LazyLock::new(|| pattern(r"\b(?:[0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}\b"));
/// A recovery key of FileVault, or a code that bypasses the activation lock.
static RECOVERY: LazyLock<Regex> = LazyLock::new(|| pattern(r"\b[A-Z0-9]{4,5}(?:-[A-Z0-9]{4,5}){5}\b"));
static BEARER: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"(?i)\b(?:bearer|authorization: *basic) +(?P<value>[A-Za-z0-9._~+/=-]{12,})"));

/// What is said everywhere and names nobody.
const COMMON: [&str; 45] = [
    "admin",
    "agent",
    "apple",
    "apple inc",
    "channel",
    "client",
    "command",
    "computer",
    "console",
    "daemon",
    "default",
    "device",
    "enrollment",
    "error",
    "false",
    "guest",
    "host",
    "idle",
    "localhost",
    "mac",
    "macos",
    "managed",
    "management",
    "mdm",
    "mdmclient",
    "name",
    "none",
    "null",
    "profile",
    "request",
    "response",
    "root",
    "secret",
    "server",
    "shared",
    "softwareupdated",
    "software",
    "status",
    "system",
    "true",
    "unknown",
    "update",
    "user",
    "users",
    "yes",
];

/// The values, each with its kind and number. Letters of both cases are equal.
#[derive(Debug, Default)]
pub struct Names {
    all: HashMap<String, String>,
    /// The values as they were found.
    found: Vec<String>,
    counts: HashMap<Kind, usize>,
}

impl Names {
    /// Adds a value, unless it says nothing of whose Mac this is.
    pub fn add(&mut self, kind: Kind, value: &str) {
        let value = bare(value);
        let key = value.to_lowercase();
        let harmless = value.len() < 2
            || COMMON.contains(&key.as_str())
            || key.starts_with("com.apple.") && kind != Kind::Topic
            || kind == Kind::Host && (key == "apple.com" || key.ends_with(".apple.com") || key.ends_with(".invalid"));
        if harmless || self.all.contains_key(&key) || self.are_too_many() {
            return;
        }
        let number = self.counts.entry(kind).or_default();
        *number += 1;
        self.all.insert(key, kind.placeholder(*number, value));
        self.found.push(value.to_owned());
    }

    /// Adds what a text holds.
    pub fn search(&mut self, text: &str) {
        self.search_plain(text);
        for inner in decoded(text) {
            self.search_plain(&inner);
        }
    }

    fn search_plain(&mut self, text: &str) {
        for found in LABELLED_ANYHOW.iter().flat_map(|pattern| pattern.captures_iter(text)) {
            if let Some(kind) = Kind::under(part(&found, "key")) {
                self.add(kind, &unescaped(part(&found, "value")));
            }
        }
        for found in URL.captures_iter(text) {
            let host = part(&found, "host");
            self.add(Kind::Host, host);
            // The name of the organisation's own network.
            if let Some((_, network)) = host.split_once('.').filter(|(_, network)| network.contains('.')) {
                self.add(Kind::Host, network);
            }
            part(&found, "login").split(':').for_each(|word| self.add(Kind::Secret, word));
            let is_key = |word: &&str| word.len() >= 16 && word.contains(|letter: char| letter.is_ascii_digit());
            if !host.to_lowercase().ends_with("apple.com") {
                part(&found, "rest")
                    .split(['/', '?', '&', '=', '#'])
                    .filter(is_key)
                    .for_each(|word| self.add(Kind::Secret, word));
            }
        }
        let whole: [(&Regex, Kind); 5] = [
            (&MAIL, Kind::Mail),
            (&TOPIC, Kind::Topic),
            (&DEVICE, Kind::Device),
            (&HARDWARE_ADDRESS, Kind::Name),
            (&RECOVERY, Kind::Secret),
        ];
        for (pattern, kind) in whole {
            pattern.find_iter(text).for_each(|found| self.add(kind, found.as_str()));
        }
        for (pattern, kind) in [(&HOME, Kind::User), (&BEARER, Kind::Secret)] {
            pattern.captures_iter(text).for_each(|found| self.add(kind, part(&found, "value")));
        }
    }

    /// Whether there are as many as can be kept.
    pub fn are_too_many(&self) -> bool {
        self.found.len() >= MOST
    }

    /// What stands for a value, if it is one of these.
    pub fn placeholder(&self, value: &str) -> Option<&str> {
        self.all.get(&bare(value).to_lowercase()).map(String::as_str)
    }

    /// The values as they were found, and what stands for each.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.found.iter().filter_map(|value| Some((value.as_str(), self.placeholder(value)?)))
    }

    /// How many there are of each kind, for people.
    pub fn summary(&self) -> String {
        let count = |kind: &Kind| Some(format!("{} ({})", kind.words(), self.counts.get(kind)?));
        Kind::ALL.iter().filter_map(count).collect::<Vec<_>>().join(", ")
    }
}

/// A value without the end of the sentence in which it stands.
fn bare(value: &str) -> &str {
    value.trim().trim_end_matches(['.', ','])
}

/// The part of that name, empty where there is none.
pub fn part<'t>(found: &Captures<'t>, name: &str) -> &'t str {
    found.name(name).map_or("", |part| part.as_str())
}

/// A pattern of this program.
#[allow(clippy::expect_used, reason = "every use of it is a constant, and the tests use them all")]
pub fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("a constant pattern")
}
