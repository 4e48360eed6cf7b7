//! Takes names and secrets out of a capture, so that it can be shown to others: the same value becomes the same
//! placeholder wherever it stands, so that what belongs together still does, and every piece keeps its form.
//!
//! First every piece is searched for values: those under a key that names one (`SerialNumber`, `ProfileOrganization`),
//! those in a place that holds one (a certificate's subject, install.log's host), and those that look like one (e-mail
//! addresses, URLs, home folders). Then every piece is written anew without them.

mod certificates;
mod names;
mod plists;
mod text;

use crate::facts::identities::read_identities;
use crate::host::Command;
use crate::host::capture::{DESCRIPTION, LOG, RESTARTS, of_command};
use crate::host::pieces::files;
use crate::host::recording::create;
use crate::log::MAX_RECORD;
use crate::property_list;
use names::{Kind, Names};
use serde_json::Value;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use text::Replacer;
use thiserror::Error;

/// Why a capture cannot be redacted.
#[derive(Debug, Error)]
pub enum RedactError {
    /// A piece cannot be read or written.
    #[error("{path} cannot be redacted: {why}")]
    Piece {
        /// The piece.
        path: PathBuf,
        /// The system's words.
        why: io::Error,
    },
    /// There are more values than memory should hold.
    #[error("this capture holds more than {limit} names, which is too many to redact")]
    TooManyNames {
        /// The most.
        limit: usize,
    },
    /// The values cannot be searched for.
    #[error("the names in this capture cannot be searched for: {0}")]
    Search(#[from] aho_corasick::BuildError),
}

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
pub fn redact(from: &Path, into: &Path) -> Result<Redacted, RedactError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |why| RedactError::Piece { path, why }
    };
    let pieces = files(from).map_err(failed(from))?;
    let mut names = Names::default();
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
    /// An object a line, or any text.
    Lines,
    /// Profiles with whatever an administrator put into them.
    Profiles,
    PropertyList,
    Certificates,
    Identities,
    Json,
    InstallLog,
    Text,
}

impl Piece {
    fn of(within: &Path) -> Self {
        let within = within.to_string_lossy();
        let is = |command| within == of_command(command, "out");
        if within == DESCRIPTION || within.ends_with(".code") || is(Command::Awake) {
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
        } else if within.ends_with(".plist") {
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
            Self::Identities => to.write_all(replacer.identities(&read_text(path)?).as_bytes())?,
            Self::InstallLog => to.write_all(replacer.install_log(&read_text(path)?).as_bytes())?,
            Self::Text => to.write_all(replacer.text(&read_text(path)?).as_bytes())?,
        }
        to.flush()
    }
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
            fields.into_iter().map(|(key, value)| (replacer.plain(&key), json_without(value, replacer))).collect()
        }
        other => other,
    }
}
