//! What the log gives: how long reading it takes, who speaks in it at which level, and what mdmclient says that is not known.

use super::{Look, Outcome, WINDOWS, program_of, span};
use crate::collect::archive_log;
use crate::event;
use crate::host::pieces::LogArchive;
use crate::host::{Host, LogSource};
use crate::log::{self, LogRecord, LogSummary, ReadOptions};
use crate::vocabulary::{Time, rfc3339};
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// The most shapes that are kept, so that a log made to hold many does not fill the memory.
const MOST_SHAPES: usize = 2_000;

/// The longest shape, in characters.
const LONGEST_SHAPE: usize = 160;

/// The program whose unknown messages are counted.
const MDMCLIENT: &str = "mdmclient";

/// What one program wrote.
#[derive(Debug, Default, Serialize)]
pub struct Program {
    pub name: &'static str,
    pub records: u64,
    pub levels: BTreeMap<String, u64>,
    /// Records whose message macOS hides.
    pub private: u64,
    /// Records that gave an event.
    pub events: u64,
}

/// A message with everything that differs from Mac to Mac taken out.
#[derive(Debug, Serialize)]
pub struct Shape {
    pub shape: String,
    pub count: u64,
}

/// What was read.
#[derive(Debug, Default)]
pub struct Talk {
    programs: BTreeMap<&'static str, Program>,
    shapes: BTreeMap<String, u64>,
}

impl Talk {
    pub fn programs(&self) -> Vec<Program> {
        let all = event::programs().iter().map(|program| program.name);
        all.map(|name| match self.programs.get(name) {
            Some(found) => Program { name, levels: found.levels.clone(), ..*found },
            None => Program { name, ..Program::default() },
        })
        .collect()
    }

    pub fn unknown_shapes(&self) -> Vec<Shape> {
        let mut shapes: Vec<Shape> =
            self.shapes.iter().map(|(shape, count)| Shape { shape: shape.clone(), count: *count }).collect();
        shapes.sort_by_key(|shape| std::cmp::Reverse(shape.count));
        shapes
    }

    fn take(&mut self, record: &LogRecord<'_>) {
        let Some(name) = program_of(record) else { return };
        let program = self.programs.entry(name).or_default();
        program.records += 1;
        let level = record.level.map_or_else(|| "unknown".to_owned(), |level| format!("{level:?}"));
        *program.levels.entry(level).or_default() += 1;
        program.private += u64::from(event::is_private(record));
        if event::recognise(record).is_some() {
            program.events += 1;
        } else if name == MDMCLIENT {
            let shape = shape(&record.message);
            if self.shapes.len() < MOST_SHAPES || self.shapes.contains_key(&shape) {
                *self.shapes.entry(shape).or_default() += 1;
            }
        }
    }
}

/// Times the reading of a few stretches of a live log, the last and longest of which is counted; a recorded log is read once.
pub fn look(host: &dyn Host, options: &ReadOptions, now: Time) -> (Vec<Look>, Talk) {
    if !host.is_live() {
        let window = super::Window { name: "the whole log", minutes: 1440 };
        let mut talk = Talk::default();
        let look = match host.log_archive() {
            Some(archive) => read_archive(archive, window, &mut talk),
            None => read(host, options, window, now, &mut talk),
        };
        return (vec![look], talk);
    }
    let mut looks = Vec::new();
    let mut talk = Talk::default();
    for window in WINDOWS {
        talk = Talk::default();
        looks.push(read(host, options, window, now, &mut talk));
        // A log that cannot be read at all is not tried again at greater length.
        if looks.last().is_some_and(|look| look.outcome == Outcome::Failed) {
            break;
        }
    }
    (looks, talk)
}

fn read(host: &dyn Host, options: &ReadOptions, window: super::Window, now: Time, talk: &mut Talk) -> Look {
    let start = Instant::now();
    let failed = |sentence: String| Look::new(window.name, Outcome::Failed, sentence);
    let mut source = match host.open_log(span(window, now), &event::predicate()) {
        Ok(source) => source,
        Err(error) => return failed(format!("{error}.")),
    };
    let read = log::read_log(&mut source, options, |record| talk.take(record));
    let ended = LogSource::finish(source);
    let duration_ms = u64::try_from(start.elapsed().as_millis()).ok();
    let look = match (read, ended) {
        (_, Err(error)) => failed(format!("{error}.")),
        (Err(error), Ok(())) => failed(format!("{error}.")),
        (Ok(summary), Ok(())) => look_of(&summary, window),
    };
    Look { duration_ms, ..look }
}

/// Reads the log of a sysdiagnose or a log archive, whose records come from several threads.
fn read_archive(archive: LogArchive<'_>, window: super::Window, talk: &mut Talk) -> Look {
    let start = Instant::now();
    let shared = Mutex::new(std::mem::take(talk));
    let read = archive_log::read_records(archive, &|record| {
        shared.lock().unwrap_or_else(PoisonError::into_inner).take(&record.to_log_record());
    });
    *talk = shared.into_inner().unwrap_or_else(PoisonError::into_inner);
    let look = match read {
        Ok(summary) => look_of(&summary.to_log_summary(), window),
        Err(error) => Look::new(window.name, Outcome::Failed, format!("{error}.")),
    };
    Look { duration_ms: u64::try_from(start.elapsed().as_millis()).ok(), ..look }
}

fn look_of(summary: &LogSummary, window: super::Window) -> Look {
    let covers = match (summary.first, summary.last) {
        (Some(first), Some(last)) => format!("records from {} to {}", rfc3339(first), rfc3339(last)),
        (None, Some(last)) => format!("records up to {}", rfc3339(last)),
        _ if summary.records > 0 => "records without times".to_owned(),
        _ => "no record at all".to_owned(),
    };
    let (outcome, lost) = match summary.lines_lost() {
        0 => (Outcome::Ok, String::new()),
        lost => (Outcome::Partly, format!("; {lost} lines were not understood")),
    };
    Look { amount: Some(summary.records), ..Look::new(window.name, outcome, format!("{covers}{lost}")) }
}

/// A message without what names this Mac or its users: every word with a digit, an `@`, a slash or a capital letter that
/// is not at its beginning becomes `…`, and so does what stands in quotes.
fn shape(message: &str) -> String {
    let first_line = message.lines().next().unwrap_or_default();
    let mut quoted = false;
    let mut words: Vec<&str> = Vec::new();
    for word in first_line.split_whitespace() {
        let quotes = word.matches(['"', '\'', '“', '”']).count();
        let inside = quoted || quotes > 0;
        quoted ^= quotes % 2 == 1;
        let letters = word.trim_matches(|letter: char| !letter.is_alphanumeric());
        let plain = !inside
            && letters.chars().all(|letter| letter.is_ascii_alphabetic())
            && !letters.chars().skip(1).any(|letter| letter.is_ascii_uppercase());
        let shown = if plain { word } else { "…" };
        if shown != "…" || words.last() != Some(&"…") {
            words.push(shown);
        }
    }
    words.join(" ").chars().take(LONGEST_SHAPE).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shape_holds_no_name_number_or_address() {
        assert_eq!(
            shape(
                "[0:MDMDaemon:<0x1>] Saved PRK escrow file: YES  Length: 460 for \"Anna Example\" at anna@example.com"
            ),
            "… Saved … escrow file: … Length: … for … at …"
        );
        assert_eq!(shape("Enrolling https://mdm.example.com/mdm\nsecond line"), "Enrolling …");
        assert_eq!(shape(""), "");
    }
}
