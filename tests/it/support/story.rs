//! A log told twice: as `log show --style ndjson` prints it, and as macOS keeps it.

use super::tracev3::{Boot, Entry, File, Format, Packing, Program, Value, write};
use chrono::DateTime;
use serde_json::{Value as Json, json};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// A story.
pub struct Story(pub Vec<Line>);

/// A record of it.
#[derive(Clone)]
pub struct Line {
    pub at: i64,
    pub west: i32,
    pub image: String,
    pub pid: u32,
    pub uid: u32,
    pub thread: u64,
    pub level: String,
    pub subsystem: String,
    pub category: String,
    pub message: String,
}

/// What `log show` prints where a value is hidden.
pub const PRIVATE: &str = "<private>";

/// What the levels are called, and how tracev3 counts them.
const LEVELS: [(&str, u8); 5] = [("Default", 0), ("Info", 1), ("Debug", 2), ("Error", 16), ("Fault", 17)];

impl Story {
    /// The messages of an ndjson log. A record without a user gets root.
    pub fn of_ndjson(text: &str) -> Self {
        let lines = text.lines().filter_map(|line| serde_json::from_str::<Json>(line).ok());
        let messages = lines.filter(|line| line["eventType"] == "logEvent");
        let line = |line: Json| {
            let text = |key: &str| line[key].as_str().unwrap_or_default().to_owned();
            let at = DateTime::parse_from_str(&text("timestamp"), "%F %T%.f%z").unwrap();
            Line {
                at: at.timestamp_nanos_opt().unwrap(),
                west: at.offset().utc_minus_local() / 60,
                image: text("processImagePath"),
                pid: line["processID"].as_u64().unwrap() as u32,
                uid: line["userID"].as_u64().unwrap_or(0) as u32,
                thread: line["threadID"].as_u64().unwrap(),
                level: if text("messageType").is_empty() { "Default".to_owned() } else { text("messageType") },
                subsystem: text("subsystem"),
                category: text("category"),
                message: text("eventMessage"),
            }
        };
        Self(messages.map(line).collect())
    }

    pub fn only(mut self, names: &[&str]) -> Self {
        self.0.retain(|line| names.contains(&line.image.rsplit('/').next().unwrap()));
        self
    }

    pub fn ndjson(&self) -> String {
        let mut text = String::new();
        for line in &self.0 {
            let zone = chrono::FixedOffset::west_opt(line.west * 60).unwrap();
            let at = DateTime::from_timestamp_nanos(line.at).with_timezone(&zone);
            let record = json!({
                "timezoneName": "", "messageType": line.level, "eventType": "logEvent", "source": null,
                "userID": line.uid, "subsystem": line.subsystem, "category": line.category, "threadID": line.thread,
                "bootUUID": "00000000-0000-0000-0000-00000000B007", "processImagePath": line.image,
                "timestamp": at.format("%F %T%.6f%z").to_string(), "machTimestamp": 1, "eventMessage": line.message,
                "processID": line.pid,
            });
            text += &format!("{record}\n");
        }
        text + &format!("{{\"count\":{},\"finished\":1}}\n", self.0.len())
    }

    /// The boot of the story, on an Intel Mac: its ticks are nanoseconds.
    pub fn boot(&self) -> Boot {
        let start = self.0.iter().map(|line| line.at).min().unwrap() - 3_600_000_000_000;
        let mut syncs: Vec<(u64, i64, i32, bool)> =
            self.0.iter().map(|line| ((line.at - start) as u64, line.at, line.west, false)).collect();
        syncs.sort_by_key(|sync| sync.0);
        Boot { uuid: 0xB007, timebase: (1, 1), start, syncs, zone: (self.0[0].west, false) }
    }

    pub fn programs(&self) -> Vec<Program> {
        let writers: BTreeSet<(&String, u32, u32)> =
            self.0.iter().map(|line| (&line.image, line.pid, line.uid)).collect();
        let images: BTreeSet<&String> = writers.iter().map(|(image, ..)| *image).collect();
        let program = |(image, pid, uid): &(&String, u32, u32)| Program {
            image: (*image).clone(),
            uuid: 0xA0 + images.iter().position(|one| one == image).unwrap() as u128,
            pid: *pid,
            uid: *uid,
            formats: vec!["%{public}@".to_owned(), "%{private}@".to_owned()],
            shared_cache: 0,
        };
        writers.iter().map(program).collect()
    }

    /// A tracev3 file with those of the lines.
    pub fn tracev3(&self, lines: std::ops::Range<usize>) -> Vec<u8> {
        self.tracev3_in_steps(lines, usize::MAX)
    }

    /// The same, with all that was said so far written down after every so many lines.
    pub fn tracev3_in_steps(&self, lines: std::ops::Range<usize>, step: usize) -> Vec<u8> {
        let (boot, programs) = (self.boot(), self.programs());
        let mut file = File::new(&boot, &programs, Packing::Lz4);
        for (number, line) in self.0[lines].iter().enumerate() {
            let (format, value) = match line.message.as_str() {
                PRIVATE => (1, Value::Private),
                message => (0, Value::Text(message)),
            };
            let is_writer = |one: &Program| (&one.image, one.pid, one.uid) == (&line.image, line.pid, line.uid);
            file.push(&Entry {
                ticks: (line.at - boot.start) as u64,
                program: programs.iter().position(is_writer).unwrap(),
                thread: line.thread,
                level: LEVELS.iter().find(|(word, _)| *word == line.level).unwrap().1,
                subsystem: &line.subsystem,
                category: &line.category,
                format: Format::Own(format),
                values: vec![value],
            });
            if number % step == step - 1 {
                file.flush();
            }
        }
        file.finish()
    }

    /// Writes a log archive, all in one file.
    pub fn archive(&self, folder: &Path) {
        let file = self.tracev3(0..self.0.len());
        write(folder, &[("Persist/0000000000000001.tracev3", file)], &[self.boot()], &self.programs());
    }
}

/// The stories of the fixtures: their names, and what their logs say.
pub fn fixtures() -> Vec<(String, Story)> {
    let mut stories = Vec::new();
    for folder in ["", "updates"] {
        for entry in fs::read_dir(super::fixture(folder)).unwrap() {
            let path = entry.unwrap().path();
            if let Ok(log) = fs::read_to_string(path.join("log.ndjson")) {
                stories.push((path.file_name().unwrap().to_str().unwrap().to_owned(), Story::of_ndjson(&log)));
            }
        }
    }
    stories.sort_by(|one, other| one.0.cmp(&other.0));
    stories.retain(|(_, story)| !story.0.is_empty());
    stories
}
