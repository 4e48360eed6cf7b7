//! What is known of the Mac before anything is searched: its own serial number, identifiers, names, accounts and Wi-Fi
//! networks, which are then found wherever they stand, in a sentence too. And the identifiers that stay.

use super::kind::Kind;
use super::names::Names;
use crate::facts::platform::read_platform;
use crate::host::{Command, Host};
use crate::property_list;
use crate::vocabulary::Fact;
use std::collections::BTreeSet;

/// Root can read it; its keys are `wifi.network.ssid.NAME`.
const KNOWN_NETWORKS: &str = "/Library/Preferences/com.apple.wifi.known-networks.plist";
const NETWORK: &str = "wifi.network.ssid.";

/// Accounts of people begin there; those below are macOS's own.
const FIRST_PERSON: u32 = 500;

/// A part of a person's name is looked for by itself if it has so many letters.
const LONG_PART: usize = 4;

/// What is known beforehand.
#[derive(Debug, Default)]
pub struct Seeds {
    values: Vec<(Kind, String)>,
    kept: BTreeSet<String>,
    /// What this Mac did not say, in sentences.
    pub missing: Vec<String>,
}

impl Seeds {
    /// Asks a live Mac for its own names.
    pub fn ask(host: &dyn Host) -> Self {
        let mut seeds = Self::default();
        seeds.answer(host, Command::Platform, |seeds, text| {
            if let Fact::Known(platform) = read_platform(text) {
                seeds.add(Kind::Serial, &platform.serial_number.unwrap_or_default());
                seeds.add(Kind::Device, &platform.hardware_uuid.unwrap_or_default());
            }
        });
        for command in [Command::ComputerName, Command::LocalHostName, Command::HostName] {
            // A Mac whose HostName is not set ends with an error.
            if let Ok(output) = host.run(command) {
                if output.code == Some(0) {
                    seeds.add(Kind::Host, String::from_utf8_lossy(&output.stdout).trim());
                }
            } else {
                seeds.missing.push(format!("{} did not give the Mac's names", command.path()));
            }
        }
        seeds.answer(host, Command::Users, |seeds, text| text.split("\n\n").for_each(|user| seeds.user(user)));
        if let Ok(bytes) = host.read_file(KNOWN_NETWORKS) {
            let networks =
                property_list::parse(&bytes).ok().and_then(plist::Value::into_dictionary).unwrap_or_default();
            networks.keys().filter_map(|key| key.strip_prefix(NETWORK)).for_each(|name| seeds.add(Kind::Network, name));
        }
        seeds.missing.sort();
        seeds.missing.dedup();
        seeds
    }

    /// Identifiers of commands and profiles, which stay: UUIDs, and `0001_ScheduleOSUpdate`, a number with the type of a
    /// request.
    pub fn keep(&mut self, identifiers: impl IntoIterator<Item = String>, request_types: &BTreeSet<&str>) {
        let is_numbered = |identifier: &str| {
            identifier.split_once('_').is_some_and(|(number, request_type)| {
                (1..=8).contains(&number.len())
                    && number.bytes().all(|byte| byte.is_ascii_digit())
                    && request_types.contains(request_type)
            })
        };
        let kept = identifiers.into_iter().filter(|identifier| is_uuid(identifier) || is_numbered(identifier));
        self.kept.extend(kept);
    }

    pub fn names(&self) -> Names {
        let mut names = Names::keeping(self.kept.iter().cloned());
        self.values.iter().for_each(|(kind, value)| names.add(*kind, value));
        names
    }

    fn answer(&mut self, host: &dyn Host, command: Command, read: impl FnOnce(&mut Self, &str)) {
        match host.run(command) {
            Ok(output) if output.code == Some(0) => read(self, &String::from_utf8_lossy(&output.stdout)),
            Ok(_) => self.missing.push(format!("{} ended with an error", command.path())),
            Err(error) => self.missing.push(error.to_string()),
        }
    }

    /// `name: ghopper`, `uid: 501`, `dir: /Users/ghopper` and `gecos: Grace Hopper`, a line each.
    fn user(&mut self, lines: &str) {
        let field = |name: &str| {
            lines
                .lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
                .map(str::trim)
                .unwrap_or_default()
        };
        if field("uid").parse::<u32>().is_ok_and(|uid| (FIRST_PERSON..u32::MAX - 2).contains(&uid)) {
            self.add(Kind::User, field("name"));
            self.add(Kind::User, field("dir").rsplit('/').next().unwrap_or_default());
            let full = field("gecos");
            self.add(Kind::User, full);
            full.split([' ', '-']).filter(|part| part.chars().count() >= LONG_PART || !part.is_ascii()).for_each(
                |part| {
                    self.add(Kind::User, part);
                },
            );
        }
    }

    fn add(&mut self, kind: Kind, value: &str) {
        if !value.is_empty() {
            self.values.push((kind, value.to_owned()));
        }
    }
}

/// Anything else that a server calls a command may be a name.
fn is_uuid(text: &str) -> bool {
    let lengths = text.split('-').map(str::len);
    lengths.eq([8, 4, 4, 4, 12]) && text.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit())
}
