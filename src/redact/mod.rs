//! Takes names and secrets out of a capture, so that it can be shown to others. The same value becomes the same
//! placeholder wherever it stands, so that what belongs together still does, and every piece keeps its form.
//!
//! First every piece is searched for values: what the Mac calls itself, what stands under a label or key that says what
//! it is, what stands in a place for it (a certificate's subject, install.log's host), and what looks like one (an
//! address, a URL, a home folder, a token). Then every piece is written again without them.

mod certificates;
mod checks;
mod find;
mod kind;
mod label_names;
mod labels;
mod looks;
mod names;
mod plists;
mod seeds;
mod spelling;
mod text;
mod tokens;
mod urls;

use crate::facts::identities::read_identities;
use crate::facts::platform::{Platform, read_platform};
use crate::host::Command;
use crate::host::capture::{DESCRIPTION, LOG, MAC, MacDescription, RESTARTS, of_command};
use crate::host::pieces::files;
use crate::host::recording::create;
use crate::log::MAX_RECORD;
use crate::property_list::{self, old_style::dictionary_after};
use kind::Kind;
use names::Names;
use serde_json::Value;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use text::Replacer;
use thiserror::Error;

pub use seeds::Seeds;

#[derive(Debug, Error)]
pub enum RedactError {
    #[error("{path} cannot be redacted: {why}")]
    Piece { path: PathBuf, why: io::Error },
    /// There are more values than memory should hold.
    #[error("this capture holds more than {limit} names, which is too many to redact: ask for fewer --hours")]
    TooManyNames { limit: usize },
    #[error("the names in this capture cannot be searched for: {0}")]
    Search(#[from] aho_corasick::BuildError),
}

/// The head line of `mdmclient DumpManagementStatus`.
const MANAGEMENT_STATUS: &str = "Management status";

/// The fields of a record that say which program of macOS wrote it, and when.
const OF_THE_SYSTEM: [&str; 8] = [
    "timestamp",
    "timezoneName",
    "messageType",
    "eventType",
    "processImagePath",
    "senderImagePath",
    "subsystem",
    "category",
];

/// A capture without its names, and what stands for them.
pub struct Redacted(Replacer);

impl Redacted {
    /// A text about the capture without those names.
    pub fn text(&self, text: &str) -> String {
        self.0.text(text)
    }

    /// How much of what was taken out, for people.
    pub fn summary(&self) -> String {
        self.0.names().summary()
    }
}

/// Writes a copy of the capture in a folder, without its names, into another one that is there.
pub fn redact(from: &Path, into: &Path, seeds: &Seeds) -> Result<Redacted, RedactError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |why| RedactError::Piece { path, why }
    };
    let pieces = files(from).map_err(failed(from))?;
    let mut names = seeds.names();
    let mut certificates = Vec::new();
    for path in &pieces {
        let piece = Piece::of(path.strip_prefix(from).unwrap_or(path));
        piece.collect(path, &mut names, &mut certificates).map_err(failed(path))?;
        if names.are_too_many() {
            return Err(RedactError::TooManyNames { limit: names::MOST });
        }
    }
    let digests = certificates.iter().flat_map(|text| certificates::digests(text, &names)).collect();
    let replacer = Replacer::new(names, digests)?;
    for path in &pieces {
        let within = path.strip_prefix(from).unwrap_or(path);
        let to = create(&into.join(within)).map(BufWriter::new).map_err(failed(path))?;
        Piece::of(within).rewrite(path, to, &replacer).map_err(failed(path))?;
    }
    Ok(Redacted(replacer))
}

/// How a piece is written.
enum Piece {
    /// There is nothing of the Mac's own in it.
    Harmless,
    /// `capture.json`, of which one member says which Mac it is.
    Description,
    /// An object a line, or any text.
    Lines,
    /// Profiles with whatever an administrator put into them.
    Profiles,
    PropertyList,
    Certificates,
    Identities,
    /// A list of properties, of which the Mac's serial number, UUID and model are read.
    Platform,
    /// Nothing but the Mac's name.
    ComputerName,
    /// An old-style property list behind a head line.
    ManagementStatus,
    Json,
    InstallLog,
    Text,
}

impl Piece {
    fn of(within: &Path) -> Self {
        let within = within.to_string_lossy();
        let is = |command| within == of_command(command, "out");
        if within == DESCRIPTION {
            Self::Description
        } else if within.ends_with(".code") || is(Command::Awake) || is(Command::SystemVersion) {
            Self::Harmless
        } else if within == LOG {
            Self::Lines
        } else if within == RESTARTS {
            Self::Json
        } else if is(Command::ProfilesList) {
            Self::Profiles
        } else if is(Command::Certificates) {
            Self::Certificates
        } else if is(Command::Identities) {
            Self::Identities
        } else if is(Command::Platform) {
            Self::Platform
        } else if is(Command::ComputerName) {
            Self::ComputerName
        } else if is(Command::ManagementStatus) {
            Self::ManagementStatus
        } else if within.ends_with(".plist") || within.ends_with(".cloudConfigRecordFound") {
            Self::PropertyList
        } else if within.ends_with("/install.log") {
            Self::InstallLog
        } else {
            Self::Text
        }
    }

    /// Searches it for names.
    fn collect(&self, path: &Path, names: &mut Names, certificates: &mut Vec<String>) -> io::Result<()> {
        match self {
            Self::Harmless => return Ok(()),
            Self::Description => {
                let mac = description(path)?.get(MAC).cloned().unwrap_or_default();
                json_texts(&mac, &mut |text| names.search(text));
                let mac: MacDescription = serde_json::from_value(mac).unwrap_or_default();
                names.add(Kind::Host, &mac.name.unwrap_or_default());
                names.add(Kind::Serial, &mac.serial_number.unwrap_or_default());
                return Ok(());
            }
            Self::Lines => {
                return each_line(path, |line| {
                    match serde_json::from_slice(line) {
                        Ok(value) => json_texts(&value, &mut |text| names.search(text)),
                        Err(_) => names.search(&String::from_utf8_lossy(line)),
                    }
                    Ok(())
                });
            }
            _ => {}
        }
        let bytes = fs::read(path)?;
        let text = String::from_utf8_lossy(&bytes);
        names.search(&text);
        match self {
            Self::Profiles | Self::PropertyList => {
                if let Ok(value) = property_list::parse(&bytes) {
                    plists::collect(&value, names);
                }
            }
            Self::Certificates => {
                certificates::collect(&text, names);
                certificates.push(text.into_owned());
            }
            Self::Identities => {
                for identity in read_identities(&text).known().into_iter().flatten() {
                    names.add(Kind::Name, &identity.name);
                }
            }
            Self::ManagementStatus => {
                if let Ok(status) = dictionary_after(&text, MANAGEMENT_STATUS) {
                    plists::collect(&status.into(), names);
                }
            }
            Self::Platform => {
                let platform = read_platform(&text).known().cloned().unwrap_or_default();
                names.add(Kind::Serial, &platform.serial_number.unwrap_or_default());
                names.add(Kind::Device, &platform.hardware_uuid.unwrap_or_default());
            }
            Self::ComputerName => names.add(Kind::Host, text.trim()),
            Self::InstallLog => text::hosts(&text).for_each(|host| names.add(Kind::Host, host)),
            _ => {}
        }
        Ok(())
    }

    /// Writes it without them.
    fn rewrite(&self, path: &Path, mut to: impl Write, replacer: &Replacer) -> io::Result<()> {
        match self {
            Self::Harmless => {
                io::copy(&mut File::open(path)?, &mut to)?;
            }
            Self::Description => {
                let mut written = description(path)?;
                if let Some(mac) = written.get_mut(MAC) {
                    *mac = json_without(mac.take(), replacer);
                }
                serde_json::to_writer_pretty(&mut to, &written)?;
                to.write_all(b"\n")?;
            }
            Self::Lines => each_line(path, |line| {
                match serde_json::from_slice(line) {
                    Ok(value) => serde_json::to_writer(&mut to, &json_without(value, replacer))?,
                    Err(_) => to.write_all(replacer.text(&String::from_utf8_lossy(line)).as_bytes())?,
                }
                to.write_all(b"\n")
            })?,
            Self::Json => match serde_json::from_slice(&fs::read(path)?) {
                Ok(value) => serde_json::to_writer_pretty(&mut to, &json_without(value, replacer))?,
                Err(_) => to.write_all(replacer.text(&read_text(path)?).as_bytes())?,
            },
            Self::Profiles | Self::PropertyList => {
                let bytes = fs::read(path)?;
                let strict = matches!(self, Self::Profiles);
                let written = property_list::parse(&bytes).ok().and_then(|value| plists::xml(value, replacer, strict));
                match (written, std::str::from_utf8(&bytes)) {
                    (Some(xml), _) => to.write_all(&xml)?,
                    (None, Ok(text)) => to.write_all(replacer.text(text).as_bytes())?,
                    // Nobody can tell what is in it.
                    (None, Err(_)) => to.write_all(b"redacted\n")?,
                }
            }
            Self::Certificates => {
                to.write_all(certificates::without(&read_text(path)?, replacer.names()).as_bytes())?;
            }
            Self::ManagementStatus => {
                let text = read_text(path)?;
                let without = match dictionary_after(&text, MANAGEMENT_STATUS) {
                    Ok(status) => format!("{MANAGEMENT_STATUS}: {}\n", plists::old_style(status.into(), replacer)),
                    Err(_) => replacer.text(&text),
                };
                to.write_all(without.as_bytes())?;
            }
            Self::Platform => to.write_all(replacer.text(&what_is_read(&read_text(path)?)).as_bytes())?,
            Self::Identities => to.write_all(replacer.identities(&read_text(path)?).as_bytes())?,
            Self::InstallLog => to.write_all(replacer.install_log(&read_text(path)?).as_bytes())?,
            Self::Text | Self::ComputerName => to.write_all(replacer.text(&read_text(path)?).as_bytes())?,
        }
        to.flush()
    }
}

/// Of the Mac's properties only those that are read: others hold its serial number in hexadecimal.
fn what_is_read(text: &str) -> String {
    let Platform { model, serial_number, hardware_uuid, .. } = read_platform(text).known().cloned().unwrap_or_default();
    let of = |key: &str, value: Option<String>| value.map(|value| format!("      \"{key}\" = \"{value}\"\n"));
    let properties =
        [of("IOPlatformSerialNumber", serial_number), of("IOPlatformUUID", hardware_uuid), of("model", model)];
    format!("    {{\n{}    }}\n", properties.into_iter().flatten().collect::<String>())
}

fn description(path: &Path) -> io::Result<Value> {
    Ok(serde_json::from_slice(&fs::read(path)?)?)
}

fn read_text(path: &Path) -> io::Result<String> {
    Ok(String::from_utf8_lossy(&fs::read(path)?).into_owned())
}

/// Every line of a file of any size. One that is longer than a record can be stays one that cannot be read.
fn each_line(path: &Path, mut work: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
    let mut reader = BufReader::new(File::open(path)?);
    let mut line = Vec::new();
    loop {
        line.clear();
        if Read::by_ref(&mut reader).take(MAX_RECORD as u64 + 2).read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        if line.pop_if(|last| *last == b'\n').is_none() && line.len() > MAX_RECORD {
            reader.skip_until(b'\n')?;
            line = vec![b'x'; MAX_RECORD + 1];
        }
        work(&line)?;
    }
}

/// Every text of a JSON value.
fn json_texts(value: &Value, work: &mut impl FnMut(&str)) {
    match value {
        Value::String(text) => work(text),
        Value::Array(values) => values.iter().for_each(|value| json_texts(value, work)),
        Value::Object(fields) => fields.values().for_each(|value| json_texts(value, work)),
        _ => {}
    }
}

/// A JSON value without the names in its texts.
fn json_without(value: Value, replacer: &Replacer) -> Value {
    match value {
        Value::String(text) => Value::String(replacer.text(&text)),
        Value::Array(values) => values.into_iter().map(|value| json_without(value, replacer)).collect(),
        Value::Object(fields) => {
            let field = |(key, value): (String, Value)| match &value {
                Value::String(text) if is_of_the_system(&key, text) => (key, value),
                _ => (replacer.plain(&key), json_without(value, replacer)),
            };
            fields.into_iter().map(field).collect()
        }
        other => other,
    }
}

/// Whether a field holds words of macOS alone.
fn is_of_the_system(key: &str, text: &str) -> bool {
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"._-: +".contains(&byte);
    OF_THE_SYSTEM.contains(&key)
        && match text.strip_prefix('/') {
            Some(path) => {
                ["usr/", "System/", "sbin/", "bin/", "Library/Apple/"].iter().any(|head| path.starts_with(head))
            }
            None => {
                text.len() <= 64
                    && text.bytes().all(is_name)
                    && (key != "subsystem" && key != "category"
                        || text.starts_with("com.apple.")
                        || !text.contains('.'))
            }
        }
}
