//! What a value is, what stands for it, and which labels say so: `SerialNumber`, `first name`, `x-api-key`.

use super::label_names::{LABELS, NO_LABELS, PARTS};

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
    /// An IP address.
    Address,
    /// The address of a network card.
    Hardware,
    /// A number of a telephone, modem, SIM or card.
    Number,
    /// A Wi-Fi network.
    Network,
    Name,
}

impl Kind {
    pub const ALL: [Self; 13] = [
        Self::Serial,
        Self::Device,
        Self::Host,
        Self::Mail,
        Self::Organisation,
        Self::User,
        Self::Topic,
        Self::Secret,
        Self::Address,
        Self::Hardware,
        Self::Number,
        Self::Network,
        Self::Name,
    ];

    pub fn words(self) -> &'static str {
        match self {
            Self::Serial => "serial numbers",
            Self::Device => "device identifiers",
            Self::Host => "hosts",
            Self::Mail => "e-mail addresses",
            Self::Organisation => "organisations",
            Self::User => "users",
            Self::Topic => "push topics",
            Self::Secret => "tokens and secrets",
            Self::Address => "IP addresses",
            Self::Hardware => "hardware addresses",
            Self::Number => "telephone and device numbers",
            Self::Network => "Wi-Fi networks",
            Self::Name => "other names",
        }
    }

    /// What stands for the value of that number, in the value's own form.
    pub fn placeholder(self, number: usize, value: &str) -> String {
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
            // The ranges for documentation and for tests of speed.
            Self::Address if value.contains(':') => format!("2001:db8::{:x}:{:x}", number >> 16, number & 0xffff),
            Self::Address => format!("198.18.{}.{}", number >> 8 & 0xff, number & 0xff),
            Self::Hardware => {
                format!("02:00:00:{:02x}:{:02x}:{:02x}", number >> 16 & 0xff, number >> 8 & 0xff, number & 0xff)
            }
            Self::Number => format!("number{number}"),
            Self::Network => format!("network{number}"),
            Self::Name => format!("name{number}"),
        }
    }

    /// How far an unquoted value of the kind reaches.
    pub fn reach(self) -> Reach {
        match self {
            Self::User | Self::Organisation | Self::Name => Reach::Name,
            Self::Secret | Self::Network => Reach::Rest,
            _ => Reach::Word,
        }
    }

    /// What the value under a label is, in whatever way the label is written.
    pub fn under(label: &str) -> Option<Self> {
        let words = words(label);
        if NO_LABELS.iter().any(|label| ends_with(&words, label)) {
            return None;
        }
        let by_last_words =
            |(kind, labels): &(Self, &[&str])| labels.iter().any(|label| ends_with(&words, label)).then_some(*kind);
        let joined = words.concat();
        let by_part = |(kind, parts): &(Self, &[&str])| parts.iter().any(|part| joined.contains(part)).then_some(*kind);
        LABELS.iter().find_map(by_last_words).or_else(|| PARTS.iter().find_map(by_part))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// To the next blank.
    Word,
    /// A few words, if they look like a name.
    Name,
    /// To the end of the line or the next label.
    Rest,
}

/// Whether the words end with those of a label.
fn ends_with(words: &[String], label: &str) -> bool {
    let mut words = words.iter().rev();
    label.rsplit(' ').all(|one| words.next().is_some_and(|word| word == one))
}

/// The words of a label: `UserLongName`, `user_long_name` and `User Long Name` are the same.
fn words(label: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let letters: Vec<char> = label.chars().collect();
    let mut begins = true;
    for (at, letter) in letters.iter().enumerate() {
        if !letter.is_alphanumeric() {
            begins = true;
            continue;
        }
        let before = at.checked_sub(1).and_then(|before| letters.get(before));
        let behind = letters.get(at + 1);
        // `userName`, and `URLString`.
        begins |= letter.is_uppercase()
            && (before.is_some_and(|before| before.is_lowercase() || before.is_ascii_digit())
                || before.is_some_and(|before| before.is_uppercase())
                    && behind.is_some_and(|behind| behind.is_lowercase()));
        match words.last_mut().filter(|_| !begins) {
            Some(word) => word.extend(letter.to_lowercase()),
            None => words.push(letter.to_lowercase().collect()),
        }
        begins = false;
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_known_in_every_way_of_writing() {
        for (label, kind) in [
            ("SerialNumber", Some(Kind::Serial)),
            ("Serial Number (system)", Some(Kind::Serial)),
            ("hardwareSerialNumber", Some(Kind::Serial)),
            ("UDID", Some(Kind::Device)),
            ("x-api-key", Some(Kind::Secret)),
            ("PushMagic", Some(Kind::Secret)),
            ("JSESSIONID", Some(Kind::Secret)),
            ("password_hash", Some(Kind::Secret)),
            ("UserLongName", Some(Kind::User)),
            ("user", Some(Kind::User)),
            ("family_name", Some(Kind::User)),
            ("joined by user", Some(Kind::User)),
            ("SSID_STR", Some(Kind::Network)),
            ("Current Wi-Fi Network", Some(Kind::Network)),
            ("wifiMACAddress", Some(Kind::Hardware)),
            ("ProfileOrgName", Some(Kind::Organisation)),
            ("OrganizationZipCode", Some(Kind::Name)),
            ("Error Domain", None),
            ("token length", None),
            ("EndUserSession2", None),
            ("state", None),
            ("name", None),
            ("", None),
        ] {
            assert_eq!(Kind::under(label), kind, "{label}");
        }
    }
}
