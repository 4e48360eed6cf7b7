//! `log show --style ndjson`: one object a line, a banner line before it or not, a trailer at the end.
//!
//! Shape seen on macOS 26 (values shortened):
//! `{"timezoneName":"","messageType":"Default","eventType":"logEvent","source":null,…,"subsystem":"com.apple.coreaudio",`
//! `"category":"ac","threadID":11498972,…,"bootUUID":"…","processImagePath":"\/System\/…","timestamp":"2026-07-26
//! 18:11:22.348728+1200","machTimestamp":20147685217463,"eventMessage":"…",…,"processID":99240,…}`
//! and at the end `{"count":3335,"finished":1}`.

use super::glance::Places;
use super::scan;
use super::time::{self, Clock, Stamp};
use super::{Level, LogRecord, LogSender, LogSummary, ReadOptions, lossy};
use serde::de::{Deserializer, Error, Visitor};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fmt;

/// The fields of a record that are read; the others are passed over.
#[derive(Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct JsonRecord<'a> {
    /// When, local, with its offset.
    #[serde(borrow, default, deserialize_with = "text_or_null")]
    pub timestamp: Cow<'a, str>,
    /// The level, such as `Default`.
    #[serde(borrow, default, deserialize_with = "text_or_null")]
    pub message_type: Cow<'a, str>,
    /// `logEvent`, or another kind that is no message.
    #[serde(borrow, default, deserialize_with = "text_or_null")]
    pub event_type: Cow<'a, str>,
    /// The writer's full path.
    #[serde(borrow, default, deserialize_with = "text_or_null")]
    pub process_image_path: Cow<'a, str>,
    /// The subsystem.
    #[serde(borrow, default, deserialize_with = "text_or_null")]
    pub subsystem: Cow<'a, str>,
    /// The category.
    #[serde(borrow, default, deserialize_with = "text_or_null")]
    pub category: Cow<'a, str>,
    /// The message.
    #[serde(borrow, default, deserialize_with = "text_or_null")]
    pub event_message: Cow<'a, str>,
    /// The boot.
    #[serde(borrow, default, rename = "bootUUID", deserialize_with = "text_or_null")]
    pub boot_uuid: Cow<'a, str>,
    /// The user that the writer ran as.
    #[serde(default, rename = "userID")]
    pub user_id: Option<i64>,
    /// The writer's process id.
    #[serde(default, rename = "processID")]
    pub process_id: u32,
    /// The writer's thread id.
    #[serde(default, rename = "threadID")]
    pub thread_id: u64,
    /// Ticks since boot.
    #[serde(default)]
    pub mach_timestamp: u64,
}

/// What `log show` ends with.
#[derive(Deserialize)]
struct Trailer {
    #[serde(rename = "count")]
    _count: u64,
    finished: u8,
}

/// Whether the line can begin an ndjson log.
pub(super) fn is_record_or_trailer(line: &[u8]) -> bool {
    trailer(line).is_some()
        || serde_json::from_str::<JsonRecord<'_>>(&lossy(line))
            .is_ok_and(|record| time::parse_exact(&record.timestamp).is_some())
}

/// How many records are parsed before it is judged whether most of them matter.
const SAMPLE: u32 = 256;

/// What the lines so far tell.
#[derive(Debug, Default)]
pub(super) struct Reader {
    clock: Clock,
    places: Places,
    sampled: u32,
    mattered: u32,
}

impl Reader {
    /// Reads one line.
    pub(super) fn line(
        &mut self,
        line: &[u8],
        options: &ReadOptions,
        summary: &mut LogSummary,
        on_record: &mut impl FnMut(&LogRecord<'_>),
    ) {
        if line.first() != Some(&b'{') {
            // A blank line or the banner of `log stream`: `Filtering the log data using "…"`; anything else is foreign.
            summary.lines_skipped += u64::from(!line.is_empty() && !super::text::is_banner(line));
            return;
        }
        if let Some(trailer) = trailer(line) {
            summary.complete = Some(trailer.finished == 1);
            return;
        }
        // More records behind a trailer are a second run, which needs a trailer of its own.
        if summary.complete == Some(true) {
            summary.complete = None;
        }
        match options.may_matter.and_then(|may_matter| self.of_no_matter(line, may_matter)) {
            Some(stamp) => summary.count(stamp),
            None => self.object(line, summary, on_record),
        }
    }

    /// The time of a record of a process that does not matter. Where most do, as behind a narrow predicate, a look at
    /// each line would only cost.
    fn of_no_matter(&mut self, line: &[u8], may_matter: fn(&[u8]) -> bool) -> Option<Stamp> {
        if self.sampled == SAMPLE && self.mattered > SAMPLE / 4 {
            return None;
        }
        let seen = self.places.glance(line)?;
        let matters = may_matter(seen.image);
        if self.sampled < SAMPLE {
            self.sampled += 1;
            self.mattered += u32::from(matters);
        }
        if matters { None } else { self.clock.read(seen.timestamp) }
    }

    /// Reads one object; whatever is no record counts as not understood.
    pub(super) fn object(
        &mut self,
        object: &[u8],
        summary: &mut LogSummary,
        on_record: &mut impl FnMut(&LogRecord<'_>),
    ) {
        let text = lossy(object);
        let record = scan::record(&text).or_else(|| serde_json::from_str(&text).ok());
        let timed = record.and_then(|record| Some((self.clock.read(&record.timestamp)?, record)));
        let Some((stamp, record)) = timed else {
            summary.lines_not_understood += 1;
            return;
        };
        summary.count(stamp);
        // `log show` also lists activities, signposts and losses: they are records, but no messages.
        if record.event_type == "logEvent" {
            on_record(&LogRecord {
                at: stamp.at,
                sender: LogSender::Image(record.process_image_path),
                // A user id out of range speaks for no user. It is not treated as a missing one.
                uid: record.user_id.map(|id| u32::try_from(id).unwrap_or(u32::MAX)),
                level: Level::from_word(&record.message_type),
                pid: record.process_id,
                thread: record.thread_id,
                subsystem: record.subsystem,
                category: record.category,
                message: record.event_message,
                boot: record.boot_uuid,
                mach_time: record.mach_timestamp,
            });
        }
    }
}

fn trailer(line: &[u8]) -> Option<Trailer> {
    line.starts_with(b"{\"count\":").then(|| serde_json::from_slice(line).ok()).flatten()
}

/// Text, borrowed where it has no escapes; `null` is the empty text.
fn text_or_null<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Cow<'de, str>, D::Error> {
    struct TextOrNull;
    impl<'de> Visitor<'de> for TextOrNull {
        type Value = Cow<'de, str>;
        fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
            to.write_str("a text or null")
        }
        fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
            Ok(Cow::Borrowed(text))
        }
        fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
            Ok(Cow::Owned(text.to_owned()))
        }
        fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
            Ok(Cow::Borrowed(""))
        }
    }
    deserializer.deserialize_any(TextOrNull)
}
