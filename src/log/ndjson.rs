//! `log show --style ndjson`: one object a line, a banner line before it or not, a trailer at the end.
//!
//! Shape seen on macOS 26 (values shortened):
//! `{"timezoneName":"","messageType":"Default","eventType":"logEvent","source":null,…,"subsystem":"com.apple.coreaudio",`
//! `"category":"ac","threadID":11498972,…,"bootUUID":"…","processImagePath":"\/System\/…","timestamp":"2026-07-26
//! 18:11:22.348728+1200","machTimestamp":20147685217463,"eventMessage":"…",…,"processID":99240,…}`
//! and at the end `{"count":3335,"finished":1}`.

use super::glance::Places;
use super::time::{self, Clock, Stamp};
use super::{Level, LogRecord, LogSender, LogSummary, ReadOptions, lossy};
use serde::de::{Deserializer, Error, IgnoredAny, Visitor};
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
    #[serde(borrow, default, deserialize_with = "text_or_null")]
    pub subsystem: Cow<'a, str>,
    #[serde(borrow, default, deserialize_with = "text_or_null")]
    pub category: Cow<'a, str>,
    #[serde(borrow, default, deserialize_with = "text_or_null")]
    pub event_message: Cow<'a, str>,
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
        let record = usual_record(&text).or_else(|| serde_json::from_str(&text).ok());
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

/// Reads a field at the start of a text and gives what follows it; `None` if it is another field, or not plain.
type Read = for<'l> fn(&'l str, &mut JsonRecord<'l>) -> Option<&'l str>;

/// The fields of a record of macOS 26, in their order.
const FIELDS: [Read; 23] = [
    |rest, _| past(rest.strip_prefix("\"timezoneName\":")?, DEPTH),
    |rest, record| text(rest.strip_prefix("\"messageType\":")?, &mut record.message_type),
    |rest, record| text(rest.strip_prefix("\"eventType\":")?, &mut record.event_type),
    |rest, _| past(rest.strip_prefix("\"source\":")?, DEPTH),
    |rest, _| past(rest.strip_prefix("\"formatString\":")?, DEPTH),
    |rest, record| number(rest.strip_prefix("\"userID\":")?, record.user_id.insert(0)),
    |rest, _| past(rest.strip_prefix("\"activityIdentifier\":")?, DEPTH),
    |rest, record| text(rest.strip_prefix("\"subsystem\":")?, &mut record.subsystem),
    |rest, record| text(rest.strip_prefix("\"category\":")?, &mut record.category),
    |rest, record| number(rest.strip_prefix("\"threadID\":")?, &mut record.thread_id),
    |rest, _| past(rest.strip_prefix("\"senderImageUUID\":")?, DEPTH),
    |rest, _| past(rest.strip_prefix("\"backtrace\":")?, DEPTH),
    |rest, record| text(rest.strip_prefix("\"bootUUID\":")?, &mut record.boot_uuid),
    |rest, record| text(rest.strip_prefix("\"processImagePath\":")?, &mut record.process_image_path),
    |rest, _| past(rest.strip_prefix("\"senderImagePath\":")?, DEPTH),
    |rest, record| text(rest.strip_prefix("\"timestamp\":")?, &mut record.timestamp),
    |rest, record| number(rest.strip_prefix("\"machTimestamp\":")?, &mut record.mach_timestamp),
    |rest, record| text(rest.strip_prefix("\"eventMessage\":")?, &mut record.event_message),
    |rest, _| past(rest.strip_prefix("\"processImageUUID\":")?, DEPTH),
    |rest, _| past(rest.strip_prefix("\"traceID\":")?, DEPTH),
    |rest, record| number(rest.strip_prefix("\"processID\":")?, &mut record.process_id),
    |rest, _| past(rest.strip_prefix("\"senderProgramCounter\":")?, DEPTH),
    |rest, _| past(rest.strip_prefix("\"parentActivityIdentifier\":")?, DEPTH),
];

/// How deep the values within a field may lie: those of `backtrace` lie two deep.
const DEPTH: usize = 4;

/// A record taken apart by hand, where the line is as `log show` writes it: fields that are known, no blanks between them,
/// and the values that are read of the kind that they always are. That takes about half the time that serde_json takes.
/// `None` if the line is not like that: serde_json then says whether there is a record. What is read here is read as
/// serde_json reads it.
fn usual_record(line: &str) -> Option<JsonRecord<'_>> {
    let mut rest = line.strip_prefix('{')?;
    let mut record = JsonRecord::default();
    let (mut expected, mut seen) = (0, 0u32);
    loop {
        let found = |index: usize| Some((index, FIELDS.get(index)?(rest, &mut record)?));
        let (index, behind) = (expected..FIELDS.len()).chain(0..expected).find_map(found)?;
        // serde_json says what comes of a field that is there twice.
        if seen & 1 << index != 0 {
            return None;
        }
        seen |= 1 << index;
        expected = index + 1;
        match behind.strip_prefix(',') {
            Some(next) => rest = next,
            None => return (behind == "}").then_some(record),
        }
    }
}

fn text<'l>(value: &'l str, field: &mut Cow<'l, str>) -> Option<&'l str> {
    let mut before = String::new();
    let (last, rest) = quoted(value, |part, letter| {
        if before.is_empty() {
            before.reserve(128);
        }
        before.push_str(part);
        before.push(letter);
    })?;
    *field = if before.is_empty() { Cow::Borrowed(last) } else { Cow::Owned(before + last) };
    Some(rest)
}

/// A text within its quotes, and what follows them. `on_escape` gets what stands before each escaped letter, and the
/// letter; what is returned of the text is what stands behind the last of them.
fn quoted<'l>(value: &'l str, mut on_escape: impl FnMut(&'l str, char)) -> Option<(&'l str, &'l str)> {
    let mut rest = value.strip_prefix('"')?;
    loop {
        let end = special(rest.as_bytes())?;
        let (part, behind) = (rest.get(..end)?, rest.get(end..)?);
        if let Some(behind) = behind.strip_prefix('"') {
            return Some((part, behind));
        }
        let escaped = behind.strip_prefix('\\')?;
        on_escape(
            part,
            match escaped.as_bytes().first()? {
                b'b' => '\u{8}',
                b'f' => '\u{c}',
                b'n' => '\n',
                b'r' => '\r',
                b't' => '\t',
                letter @ (b'"' | b'\\' | b'/') => char::from(*letter),
                // A letter written by its number is left to serde_json.
                _ => return None,
            },
        );
        rest = escaped.get(1..)?;
    }
}

/// Where the first quote, backslash or control character is. Eight bytes are looked at at once, which for texts of a few
/// words is faster than any search that has to be called.
fn special(text: &[u8]) -> Option<usize> {
    const EACH: u64 = u64::from_ne_bytes([1; 8]);
    // The lowest byte of those that are marked is below the limit, and so are none before it.
    let below = |word: u64, limit: u8| word.wrapping_sub(EACH * u64::from(limit)) & !word & (EACH << 7);
    let is = |word: u64, byte: u8| below(word ^ (EACH * u64::from(byte)), 1);
    let (words, rest) = text.as_chunks();
    for (index, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let found = is(word, b'"') | is(word, b'\\') | below(word, b' ');
        if found != 0 {
            return Some(index * 8 + found.trailing_zeros() as usize / 8);
        }
    }
    let at = rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | ..b' '))?;
    Some(words.len() * 8 + at)
}

fn number<'l, N: TryFrom<u64>>(value: &'l str, field: &mut N) -> Option<&'l str> {
    let (number, rest) = digits(value)?;
    *field = number.parse::<u64>().ok()?.try_into().ok()?;
    Some(rest)
}

/// What follows a value that nobody wants.
fn past(value: &str, depth: usize) -> Option<&str> {
    match value.as_bytes().first()? {
        b'"' => quoted(value, |_, _| {}).map(|(_, rest)| rest),
        b'0'..=b'9' => digits(value).map(|(_, rest)| rest),
        b'{' if depth > 0 => past_all(value.get(1..)?, '}', depth - 1),
        b'[' if depth > 0 => past_all(value.get(1..)?, ']', depth - 1),
        _ => {
            let mut values = serde_json::Deserializer::from_str(value).into_iter::<IgnoredAny>();
            values.next()?.ok()?;
            value.get(values.byte_offset()..)
        }
    }
}

/// What follows the values of an object or a list.
fn past_all(mut rest: &str, close: char, depth: usize) -> Option<&str> {
    if let Some(behind) = rest.strip_prefix(close) {
        return Some(behind);
    }
    loop {
        if close == '}' {
            rest = quoted(rest, |_, _| {})?.1.strip_prefix(':')?;
        }
        rest = past(rest, depth)?;
        match rest.strip_prefix(',') {
            Some(next) => rest = next,
            None => return rest.strip_prefix(close),
        }
    }
}

/// A whole number and what follows it. Zeros before it are no JSON.
fn digits(value: &str) -> Option<(&str, &str)> {
    let length = value.bytes().position(|byte| !byte.is_ascii_digit())?;
    value.split_at_checked(length).filter(|(number, _)| *number == "0" || !number.starts_with('0') && length > 0)
}

#[cfg(test)]
mod tests;
