//! The text styles of `log show` and Console: header lines recognised, further lines joined to their record.

use super::time::{self, Stamp};
use super::{Level, LogRecord, LogSender, LogSummary, MAX_RECORD, ReadOptions, Style, lossy};
use regex::{Captures, Regex};
use std::borrow::Cow;
use std::ops::Range;
use std::sync::LazyLock;

/// A pattern that the program was built with.
macro_rules! pattern {
    ($text:expr) => {
        LazyLock::new(|| {
            #[allow(clippy::expect_used, reason = "a constant pattern; every test compiles it")]
            Regex::new($text).expect("a constant pattern")
        })
    };
}

/// Behind the time, macOS 13: ` Df mdmclient[13645:73a2] [com.apple.ManagedClient:HTTPUtil] [0:MDMDaemon:…`
static COMPACT: LazyLock<Regex> =
    pattern!(r"^ (?<level>[A-Z][a-z]?)\s+(?<name>\S.*?)\[(?<pid>\d+):(?<thread>[0-9a-f]+)\] ");

/// Behind the time, macOS 12:
/// ` 0x137ae    Debug       0x0                  2183   0    mdmclient: [com.apple.ManagedClient:MDMAgent] [501:…`
static DEFAULT: LazyLock<Regex> = pattern!(
    r"^\s+0x(?<thread>[0-9a-f]+)\s+(?<level>[A-Z][a-z]+)\s+0x[0-9a-f]+\s+(?<pid>\d+)\s+\d+\s+(?<name>\S.*?): "
);

/// Behind the time, 10.12: `  localhost logger[1496]: msg`
static SYSLOG: LazyLock<Regex> = pattern!(r"^\s+\S+ (?<name>\S.*?)\[(?<pid>\d+)\]: ");

/// Before the time, Console on 13.4: `default 2023-08-15 22:15:15.348017 -0500 mdmclient [0:MDMDaemon:…`
static CONSOLE_LEVEL: LazyLock<Regex> = pattern!(r"^(?i:default|info|debug|error|fault)\s+");
/// Behind the time of the same line.
static CONSOLE: LazyLock<Regex> = pattern!(r"^\s+(?<name>\S+)\s");

/// What may stand before a message: `(libnetwork.dylib) ` and `[com.apple.ManagedClient:HTTPUtil] `. A subsystem
/// begins with a letter, so that mdmclient's own `[501:MDMAgent] ` is not taken for one.
static SENDER_AND_SUBSYSTEM: LazyLock<Regex> =
    pattern!(r"^\s*(?:\([^()\n]*\) )?(?:\[(?<subsystem>[A-Za-z][^\[\]:\s]*):(?<category>[^\[\]:\s]*)\] ?)?");

/// What `log` prints around its records, macOS 12 to 26: `Filtering the log data using "…"`, `Skipping debug
/// messages, pass --debug to include.`, the column heads, a rule, `Log      - Default:          6, Info: …` and
/// `Activity - Create:           0, …`.
static BANNER: LazyLock<Regex> = pattern!(
    r#"^(?:Filtering the log data using "|Skipping (?:info and )?debug messages|Timestamp\s+(?:Ty |Thread |\(process\))|-{40,}$|Log\s+- Default:\s+\d|Activity\s+- Create:\s+\d)"#
);

/// A line that another program wrote into the same file, with a date of its own: `Wed Mar 29 20:02:47 ASVM-12-3-1
/// super[2646]: …`, or syslogd's `Mar 31 10:03:33 bogon system_installd[349]: …`.
static FOREIGN: LazyLock<Regex> = pattern!(
    r"^(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) )?(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) [ \d]\d \d\d:\d\d:\d\d "
);

/// A line of another program with a date in a form that `log` never prints: `2026-11-23T11:45:02Z jamf[233]: …`.
static OTHER_TIME: LazyLock<Regex> = pattern!(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d");

/// A date as `log` prints it. Where no head of a record follows, something has damaged the line.
static DATE: LazyLock<regex::bytes::Regex> = LazyLock::new(|| {
    #[allow(clippy::expect_used, reason = "a constant pattern; every test compiles it")]
    regex::bytes::Regex::new(r"^(?i-u:(?:default|info|debug|error|fault)\s+)?\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")
        .expect("a constant pattern")
});

/// The widest lines that a program wraps at. Whole lines of a log are longer.
const WIDEST_WRAP: usize = 132;

/// A header line, taken apart.
struct Header {
    stamp: Stamp,
    level: Option<Level>,
    name: Range<usize>,
    pid: u32,
    thread: u64,
    message: usize,
}

/// The style of a header line; `None` if it is none.
pub fn style_of(line: &[u8], options: &ReadOptions) -> Option<Style> {
    let line = lossy(line);
    [Style::Default, Style::Compact, Style::Syslog, Style::Console]
        .into_iter()
        .find(|style| header(*style, &line, options).is_some())
}

/// Whether `log` printed the line around its records.
pub fn is_banner(line: &[u8]) -> bool {
    std::str::from_utf8(line).is_ok_and(|line| BANNER.is_match(line))
}

/// Whether another program wrote the line, with a date of its own that names no year or no offset.
pub fn is_foreign(line: &str) -> bool {
    FOREIGN.is_match(line)
}

/// Whether a line begins with a date as `log` prints it, with or without Console's level before it.
pub fn begins_with_date(line: &[u8]) -> bool {
    DATE.is_match(line)
}

fn header(style: Style, line: &str, options: &ReadOptions) -> Option<Header> {
    let before = match style {
        Style::Console => CONSOLE_LEVEL.find(line)?.end(),
        _ => 0,
    };
    // The cheap look first: every header has a digit where its time begins.
    line.as_bytes().get(before).filter(|byte| byte.is_ascii_digit())?;
    let (stamp, rest) = time::parse(line.get(before..)?, options)?;
    let pattern = match style {
        Style::Compact => &COMPACT,
        Style::Default => &DEFAULT,
        Style::Syslog => &SYSLOG,
        Style::Console => &CONSOLE,
        Style::Ndjson | Style::Json | Style::Clipboard => return None,
    };
    let found = pattern.captures(rest)?;
    let behind = line.len() - rest.len();
    let name = found.name("name")?;
    let level = match style {
        Style::Console => line.get(..before).map(str::trim_end),
        _ => found.name("level").map(|level| level.as_str()),
    };
    Some(Header {
        stamp,
        level: level.and_then(Level::from_word),
        name: behind + name.start()..behind + name.end(),
        pid: number(&found, "pid", 10).and_then(|pid| pid.try_into().ok()).unwrap_or(0),
        thread: number(&found, "thread", 16).unwrap_or(0),
        message: behind + found.get(0)?.end(),
    })
}

fn number(found: &Captures<'_>, group: &str, radix: u32) -> Option<u64> {
    u64::from_str_radix(found.name(group)?.as_str(), radix).ok()
}

/// Joins the lines of a record.
#[derive(Default)]
pub struct Assembler {
    open: Option<Header>,
    text: String,
    widths: Widths,
}

/// How wide the lines are, from which it shows whether a program has wrapped them.
#[derive(Default)]
struct Widths {
    /// The widest line of all.
    widest: usize,
    /// Records whose first line goes on in a line that is neither indented nor consists of brackets, as the further lines
    /// of a dump do.
    broken: u64,
    /// How far the narrowest of these first lines would reach with the first word of the line behind it.
    reach: Option<usize>,
}

impl Widths {
    /// Takes the second line of a record.
    fn second(&mut self, first: usize, line: &str) {
        if line.starts_with("  ") || line.starts_with('\t') || line.chars().all(|letter| "{}()[];, ".contains(letter)) {
            return;
        }
        let word = line.split(' ').next().map_or(0, |word| word.chars().count());
        let reach = first + 1 + word;
        self.broken += 1;
        self.reach = Some(self.reach.map_or(reach, |least| least.min(reach)));
    }

    /// A program that wraps breaks a line only where the next word does not fit, and leaves none that is wider.
    fn wrapped(&self) -> Option<(usize, u64)> {
        let fits = self.reach.is_some_and(|reach| reach >= self.widest);
        (fits && self.widest <= WIDEST_WRAP).then_some((self.widest, self.broken))
    }
}

impl Assembler {
    /// Takes the next line: a header, more of the record before it, or a line of somebody else.
    pub fn line(
        &mut self,
        style: Style,
        line: &[u8],
        options: &ReadOptions,
        summary: &mut LogSummary,
        on_record: &mut impl FnMut(&LogRecord<'_>),
    ) {
        let line = lossy(line);
        let width = line.chars().count();
        self.widths.widest = self.widths.widest.max(width);
        if let Some(header) = header(style, &line, options) {
            self.close(summary, on_record);
            self.text.push_str(&line);
            self.open = Some(header);
        } else if BANNER.is_match(&line) {
            if line.starts_with("Log") {
                summary.complete = Some(true);
            }
            self.close(summary, on_record);
        } else if is_foreign(&line) || OTHER_TIME.is_match(&line) {
            self.close(summary, on_record);
            summary.lines_skipped += 1;
        } else if DATE.is_match(line.as_bytes()) {
            self.close(summary, on_record);
            summary.lines_not_understood += 1;
        } else if self.open.is_some() && self.text.len() + line.len() < MAX_RECORD {
            if !self.text.contains('\n') {
                self.widths.second(self.text.chars().count(), &line);
            }
            self.text.push('\n');
            self.text.push_str(&line);
        } else if self.open.is_some() {
            summary.lines_not_understood += 1;
        } else {
            summary.lines_skipped += u64::from(!line.is_empty());
        }
    }

    /// The width at which the lines were wrapped, and how many records were.
    pub fn wrapped(&self) -> Option<(usize, u64)> {
        self.widths.wrapped()
    }

    /// Ends the record in hand, if there is one.
    pub fn close(&mut self, summary: &mut LogSummary, on_record: &mut impl FnMut(&LogRecord<'_>)) {
        if let Some(header) = self.open.take() {
            summary.count(header.stamp);
            on_record(&record(&header, self.text.trim_end_matches('\n')));
        }
        self.text.clear();
    }
}

fn record<'t>(header: &Header, text: &'t str) -> LogRecord<'t> {
    let message = text.get(header.message..).unwrap_or_default();
    let tags = SENDER_AND_SUBSYSTEM.captures(message);
    let tag = |group| tags.as_ref().and_then(|tags| tags.name(group)).map_or("", |tag| tag.as_str());
    let end = tags.as_ref().and_then(|tags| tags.get(0)).map_or(0, |tags| tags.end());
    LogRecord {
        at: header.stamp.at,
        sender: LogSender::Name(Cow::Borrowed(text.get(header.name.clone()).unwrap_or_default())),
        uid: None,
        level: header.level,
        pid: header.pid,
        thread: header.thread,
        subsystem: Cow::Borrowed(tag("subsystem")),
        category: Cow::Borrowed(tag("category")),
        message: Cow::Borrowed(message.get(end..).unwrap_or_default()),
        boot: Cow::Borrowed(""),
        mach_time: 0,
    }
}
