//! Log text, in whatever style, made into records: one streaming reader with flat memory.
//!
//! The style is recognised from the text itself. A record stays one record over several lines; lines of other
//! programs are skipped and counted; what should have been a record and cannot be read is counted too, so that
//! no line is lost silently.

mod clipboard;
mod glance;
pub mod install_log;
mod json_array;
mod lines;
pub mod ndjson;
pub mod old_dates;
mod pasted;
mod text;
mod time;
pub mod tracev3;

use crate::vocabulary::Time;
use chrono::FixedOffset;
use install_log::OffsetSpan;
use lines::{Line, Lines};
use pasted::Pasted;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::io::Read;
use thiserror::Error;
use time::Stamp;

/// The longest record that is read, in bytes; a longer one is counted as not understood.
pub const MAX_RECORD: usize = 1 << 20;

/// Who wrote a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogSender<'a> {
    /// The process's full image path, as ndjson and json carry it.
    Image(Cow<'a, str>),
    /// Only the process's name, as the text styles carry it. Any program may have that name.
    Name(Cow<'a, str>),
}

impl LogSender<'_> {
    /// Whether this is the program with that image path, as far as the style can tell.
    pub fn is(&self, image: &str) -> bool {
        match self {
            Self::Image(path) => path == image,
            Self::Name(name) => image.rsplit('/').next() == Some(name.as_ref()),
        }
    }
}

/// How important its writer calls a record. Info and Debug records are kept in memory for minutes only, unless a profile
/// says otherwise; the others are written to disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Level {
    Debug,
    Info,
    Default,
    Error,
    Fault,
}

impl Level {
    pub const ALL: [Self; 5] = [Self::Debug, Self::Info, Self::Default, Self::Error, Self::Fault];

    /// The level as a style spells it: `Default` in ndjson and the default style, `Df` in the compact one, `default` in
    /// Console. Of the compact style only `Df` was ever seen.
    fn from_word(word: &str) -> Option<Self> {
        Some(match word {
            "Default" | "default" | "Df" => Self::Default,
            "Info" | "info" | "I" => Self::Info,
            "Debug" | "debug" | "Db" => Self::Debug,
            "Error" | "error" | "E" => Self::Error,
            "Fault" | "fault" | "F" => Self::Fault,
            _ => return None,
        })
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogRecord<'a> {
    /// When it was written.
    pub at: Time,
    /// Who wrote it.
    pub sender: LogSender<'a>,
    /// The user that the writer ran as. ndjson and json have it; the text styles do not.
    pub uid: Option<u32>,
    /// `None` where the style has none, or where the record is no message.
    pub level: Option<Level>,
    /// The writer's process id; 0 where the style has none.
    pub pid: u32,
    /// The writer's thread id; 0 where the style has none.
    pub thread: u64,
    /// The subsystem, such as `com.apple.ManagedClient`; empty where there is none.
    pub subsystem: Cow<'a, str>,
    /// The category, such as `HTTPUtil`; empty where there is none.
    pub category: Cow<'a, str>,
    /// The message, with its line breaks.
    pub message: Cow<'a, str>,
    /// The boot that the record belongs to; empty where the style has none.
    pub boot: Cow<'a, str>,
    /// Ticks since that boot; 0 where the style has none.
    pub mach_time: u64,
}

/// The styles of log text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// `log show --style ndjson`: an object a line, with a trailer.
    Ndjson,
    /// `log show --style json`: one array.
    Json,
    /// `log show`, with the columns Timestamp, Thread, Type, Activity, PID, TTL.
    Default,
    /// `log show --style compact`: times without an offset.
    Compact,
    /// `log show --style syslog`.
    Syslog,
    /// What Console exports.
    Console,
    /// What Console copies: times without a date.
    Clipboard,
}

/// How to read what the text leaves open.
#[derive(Debug, Clone, Copy, Default)]
pub struct ReadOptions {
    /// The offset of the Mac's local time: of log times without one (compact style), for which the machine's own zone
    /// serves if `None`, and of deadlines.
    pub utc_offset: Option<FixedOffset>,
    /// The moment that no record is later than, for a style whose times have no date.
    pub until: Option<Time>,
    /// Tells from an image path, with its slashes escaped or not, whether a process may matter. Where most records are
    /// of processes that do not, theirs are counted and not parsed.
    pub may_matter: Option<fn(&[u8]) -> bool>,
}

/// What reading a log came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogSummary {
    /// The style; `None` if the text held nothing at all.
    pub style: Option<Style>,
    /// Records read, of any process.
    pub records: u64,
    /// Lines of other programs.
    pub lines_skipped: u64,
    /// Lines that should have been records and could not be read.
    pub lines_not_understood: u64,
    /// Whether the last of those is the last line of all, which was cut off.
    pub cut: bool,
    /// The earliest record's time.
    pub first: Option<Time>,
    /// The latest record's time.
    pub last: Option<Time>,
    /// The offset of the latest record's time, which is that of the Mac then; `None` if the style carries none.
    pub offset: Option<FixedOffset>,
    /// The Mac's offsets in the course of time, where the log has them beside its records.
    pub offsets: Vec<OffsetSpan>,
    /// Whether the log was read to its end: `Some(false)` if its trailer is missing, `None` if the style has none.
    pub complete: Option<bool>,
    /// Why reading stopped early, if the input broke.
    pub broken: Option<String>,
    /// Whether the records have no date, so that it was taken from [`ReadOptions::until`].
    pub undated: bool,
    /// The width at which another program has wrapped the lines. No message of such a log is sure to be whole.
    pub wrapped_at: Option<usize>,
}

/// Why a text is not a log.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum LogError {
    /// Nothing in it.
    #[error("the log is empty: not even the trailer that `log show` ends with is there")]
    Empty,
    /// No line of it looks like a log's.
    #[error(
        "this is not a log in a style that mdm-health knows (ndjson, json, default, compact, syslog, Console export or \
         clipboard). If its lines were wrapped, as in a mail, save the log to a file and pass that"
    )]
    NotALog,
    /// Its times have no date, and nothing says of which day they are.
    #[error("its times have no date: pass the moment at which it was copied with --now")]
    NoDate,
    /// The first bytes cannot be read.
    #[error("the log cannot be read: {why}")]
    Unreadable { why: String },
}

/// Reads a log to its end and hands every record to `on_record`, in the order of the text.
///
/// Memory stays flat whatever the input. An input that breaks in the middle is no error: what was read counts, and
/// `broken` and `complete` say so.
pub fn read_log(
    input: impl Read,
    options: &ReadOptions,
    mut on_record: impl FnMut(&LogRecord<'_>),
) -> Result<LogSummary, LogError> {
    let mut lines = Lines::new(input, MAX_RECORD);
    let mut reader = Reader {
        options,
        summary: LogSummary::default(),
        text: text::Assembler::default(),
        ndjson: ndjson::Reader::default(),
        pasted: Pasted::Plain,
    };
    let (mut empty, mut first) = (true, true);
    loop {
        match lines.next_line() {
            Ok(Some(Line::Whole(line))) => {
                // The byte order mark that Windows programs put before UTF-8.
                let line = line.strip_prefix(b"\xef\xbb\xbf").filter(|_| first).unwrap_or(line);
                first = false;
                empty &= line.is_empty();
                if reader.summary.style.is_none() && line.first() == Some(&b'[') && json_array::begins(line) {
                    reader.summary.style = Some(Style::Json);
                    json_array::read(lines.into_rest(), &mut reader.summary, &mut on_record);
                    // A program has a line with nothing but a bracket too.
                    let is_none = reader.summary.records == 0 && reader.summary.complete != Some(true);
                    let is_none = is_none && reader.summary.broken.is_none();
                    return if is_none { Err(LogError::NotALog) } else { Ok(reader.summary) };
                }
                let copied = || Pasted::candidates(line).find(|(_, line)| clipboard::is_one(line));
                let copied = reader.summary.style.is_none().then(copied).flatten().map(|(pasted, _)| pasted);
                if let Some(pasted) = copied {
                    let until = options.until.ok_or(LogError::NoDate)?;
                    reader.summary.style = Some(Style::Clipboard);
                    clipboard::read(lines.into_rest(), pasted, until, &mut reader.summary, &mut on_record);
                    return Ok(reader.summary);
                }
                let not_understood = reader.summary.lines_not_understood;
                reader.line(line, &mut on_record);
                // A `log show` that was stopped stops within a line: that one is missing as is all that lies behind it.
                reader.summary.cut = lines.cut
                    && reader.summary.style == Some(Style::Ndjson)
                    && reader.summary.lines_not_understood > not_understood;
            }
            Ok(Some(Line::TooLong)) => {
                empty = false;
                reader.text.close(&mut reader.summary, &mut on_record);
                reader.summary.lines_not_understood += 1;
            }
            Ok(None) => break,
            Err(error) => {
                if empty {
                    return Err(LogError::Unreadable { why: error.to_string() });
                }
                reader.summary.broken = Some(error.to_string());
                break;
            }
        }
    }
    reader.text.close(&mut reader.summary, &mut on_record);
    let mut summary = reader.summary;
    if let Some((width, records)) = reader.text.wrapped() {
        summary.wrapped_at = Some(width);
        summary.lines_not_understood += records;
    }
    match summary.style {
        None if empty => Err(LogError::Empty),
        None => Err(LogError::NotALog),
        Some(Style::Ndjson) if summary.complete.is_none() => {
            summary.complete = Some(false);
            Ok(summary)
        }
        Some(_) => Ok(summary),
    }
}

/// The state between two lines.
struct Reader<'o> {
    options: &'o ReadOptions,
    summary: LogSummary,
    text: text::Assembler,
    ndjson: ndjson::Reader,
    pasted: Pasted,
}

impl Reader<'_> {
    fn line(&mut self, line: &[u8], on_record: &mut impl FnMut(&LogRecord<'_>)) {
        let stripped = self.pasted.strip(line);
        match self.summary.style {
            Some(Style::Ndjson) => self.ndjson.line(stripped, self.options, &mut self.summary, on_record),
            Some(style) => self.text.line(style, stripped, self.options, &mut self.summary, on_record),
            None => self.first_line(line, on_record),
        }
    }

    /// A line before the style is known: the first record, banner or trailer decides.
    fn first_line(&mut self, line: &[u8], on_record: &mut impl FnMut(&LogRecord<'_>)) {
        for (pasted, line) in Pasted::candidates(line) {
            if line.first() == Some(&b'{') && ndjson::is_record_or_trailer(line) {
                (self.summary.style, self.pasted) = (Some(Style::Ndjson), pasted);
                return self.ndjson.line(line, self.options, &mut self.summary, on_record);
            }
            if let Some(style) = text::style_of(line, self.options) {
                (self.summary.style, self.pasted) = (Some(style), pasted);
                return self.text.line(style, line, self.options, &mut self.summary, on_record);
            }
        }
        let any = |is: fn(&[u8]) -> bool| Pasted::candidates(line).any(|(_, line)| is(line));
        if any(|line| line.first() == Some(&b'{') || text::begins_with_date(line)) {
            self.summary.lines_not_understood += 1;
        } else if !any(|line| line.is_empty() || text::is_banner(line)) {
            self.summary.lines_skipped += 1;
        }
    }
}

impl LogSummary {
    /// Lines that could not be understood within what was read: a last one that was cut off lies behind it.
    pub fn lines_lost(&self) -> u64 {
        self.lines_not_understood.saturating_sub(self.cut.into())
    }

    /// Counts a record and widens the span that the records cover.
    fn count(&mut self, Stamp { at, offset }: Stamp) {
        self.records += 1;
        self.first = Some(self.first.map_or(at, |first| first.min(at)));
        if self.last.is_none_or(|last| last <= at) {
            (self.last, self.offset) = (Some(at), offset);
        }
    }
}

/// A line as text; a byte that is no UTF-8 costs a letter, not the line. Checking first is four times as fast as
/// converting at once, and nearly every line passes.
fn lossy(line: &[u8]) -> Cow<'_, str> {
    std::str::from_utf8(line).map_or_else(|_| String::from_utf8_lossy(line), Cow::Borrowed)
}
