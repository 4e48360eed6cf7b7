//! `/var/log/install.log` made into records.
//!
//! A line is `2023-08-02 17:15:13+08 MacBook-Air softwareupdated[88542]: Scan (f=1, d=0) completed ` (macOS 13.4.1), or the
//! same behind a date of syslog's old form, `Nov 23 17:30:01`; a dump over several lines is one record. Process names may
//! contain blanks, and they are only as true as the file: syslog writes it, and takes the name that the writer gives.

use super::old_dates::{OldDate, OldDates, instants};
use super::time::{self, Stamp};
use super::{MAX_RECORD, lossy, text};
use crate::vocabulary::Time;
use chrono::{FixedOffset, NaiveDateTime, TimeDelta};
use std::collections::VecDeque;
use std::ops::Range;

/// How many changes of the offset are kept. A Mac that travels has a few a month.
const MAX_OFFSETS: usize = 1000;

/// The longest name of a process.
const MAX_NAME: usize = 128;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InstallRecord<'a> {
    /// When it was written, to the second.
    pub at: Time,
    /// The Mac's offset at that moment.
    pub offset: FixedOffset,
    /// The name that the writer gave itself.
    pub process: &'a str,
    /// The writer's process id; 0 where the line has none.
    pub pid: u32,
    /// The message, with its line breaks.
    pub message: &'a str,
}

/// A stretch of lines with the same offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OffsetSpan {
    /// The first line's time.
    pub from: Time,
    /// The last line's time.
    pub to: Time,
    pub offset: FixedOffset,
}

/// What reading the file came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InstallSummary {
    /// Records read, of any process; `--- last message repeated 1 time ---` is one of them.
    pub records: u64,
    /// Lines before the first record, and those whose date is unknown.
    pub lines_skipped: u64,
    /// How many of them have a date without year and offset while the Mac's zone is unknown.
    pub undated: u64,
    /// Lines that should have been records and could not be read.
    pub lines_not_understood: u64,
    /// The earliest record's time.
    pub first: Option<Time>,
    /// The latest record's time.
    pub last: Option<Time>,
    /// The Mac's offsets, in the order of the lines.
    pub offsets: Vec<OffsetSpan>,
}

/// Reads the file's text and hands every record to `on_record`, in the order of the file.
pub fn read(text: &[u8], dates: &OldDates<'_>, mut on_record: impl FnMut(InstallRecord<'_>)) -> InstallSummary {
    let mut reader = Reader { instants: instants(lines(text), dates), ..Reader::default() };
    for line in lines(text) {
        match line {
            Some(line) => reader.line(&lossy(line), &mut on_record),
            None => {
                reader.close(&mut on_record);
                reader.summary.lines_not_understood += 1;
            }
        }
    }
    reader.close(&mut on_record);
    reader.summary
}

/// The lines of a text, without their ends; `None` for one that is too long.
fn lines(text: &[u8]) -> impl DoubleEndedIterator<Item = Option<&[u8]>> {
    let text = text.strip_suffix(b"\n").unwrap_or(text);
    text.split(|byte| *byte == b'\n')
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
        .map(|line| (line.len() < MAX_RECORD).then_some(line))
}

/// A header line, taken apart.
struct Header {
    at: Time,
    offset: FixedOffset,
    process: Range<usize>,
    pid: u32,
    message: usize,
}

/// The state between two lines.
#[derive(Default)]
struct Reader {
    summary: InstallSummary,
    open: Option<Header>,
    text: String,
    /// Of the dates of the old form that are still to come.
    instants: VecDeque<Option<(Time, NaiveDateTime)>>,
}

/// What a line begins with.
enum Begin {
    Record(Header),
    /// `--- last message repeated 1 time ---`, with a time before it or not.
    Repeated,
    /// A time, and then nothing that a record has.
    Unreadable,
    /// A date without year and offset.
    Undated,
    /// Another program's line, with a date that begins with a day of the week.
    Foreign,
    /// No time: more of the record before it.
    More,
}

impl Reader {
    fn line(&mut self, line: &str, on_record: &mut impl FnMut(InstallRecord<'_>)) {
        let old = OldDate::parse(line).map(|_| self.instants.pop_front().flatten());
        match begin(line, old) {
            Begin::Record(header) => {
                self.close(on_record);
                self.text.push_str(line);
                self.open = Some(header);
            }
            Begin::Repeated => {
                self.close(on_record);
                self.summary.records += 1;
            }
            Begin::Unreadable => {
                self.close(on_record);
                self.summary.lines_not_understood += 1;
            }
            Begin::Undated => {
                self.close(on_record);
                self.summary.lines_skipped += 1;
                self.summary.undated += 1;
            }
            Begin::Foreign => {
                self.close(on_record);
                self.summary.lines_skipped += 1;
            }
            Begin::More if self.open.is_none() => self.summary.lines_skipped += u64::from(!line.is_empty()),
            Begin::More if self.text.len() + line.len() < MAX_RECORD => {
                self.text.push('\n');
                self.text.push_str(line);
            }
            Begin::More => self.summary.lines_not_understood += 1,
        }
    }

    /// Ends the record in hand, if there is one.
    fn close(&mut self, on_record: &mut impl FnMut(InstallRecord<'_>)) {
        if let Some(header) = self.open.take() {
            self.summary.count(header.at, header.offset);
            on_record(InstallRecord {
                at: header.at,
                offset: header.offset,
                process: self.text.get(header.process).unwrap_or_default(),
                pid: header.pid,
                message: self.text.get(header.message..).unwrap_or_default().trim_end(),
            });
        }
        self.text.clear();
    }
}

/// Whether a line begins a record, or at least ends the one before it.
pub fn begins_record(line: &[u8]) -> bool {
    let may = line.first().is_some_and(|first| first.is_ascii_alphanumeric() || *first == b'-');
    may && {
        let line = lossy(line);
        !matches!(begin(&line, OldDate::parse(&line).map(|_| None)), Begin::More)
    }
}

/// What a line begins with; `old` is the instant of its date if that is of the old form, as far as it can be told.
fn begin(line: &str, old: Option<Option<(Time, NaiveDateTime)>>) -> Begin {
    let repeated = |text: &str| text.starts_with("--- last message repeated ") && text.trim_end().ends_with(" ---");
    if repeated(line) {
        return Begin::Repeated;
    }
    let dated = match old {
        Some(instant) => {
            let rest = OldDate::parse(line).map_or("", |(_, rest)| rest);
            // The installer of macOS calls the Mac `localhost`, and its zone need not be the Mac's.
            if rest.starts_with(" localhost ") {
                return Begin::Undated;
            }
            let Some((at, offset)) = instant.and_then(|(at, local)| Some((at, offset(at, local)?))) else {
                return Begin::Undated;
            };
            Some((at, offset, rest))
        }
        None if text::is_foreign(line) => return Begin::Foreign,
        None => line
            .starts_with(|first: char| first.is_ascii_digit())
            .then(|| time::parse_zoned(line))
            .flatten()
            .and_then(|(Stamp { at, offset }, rest)| Some((at, offset?, rest))),
    };
    let Some((at, offset, rest)) = dated else { return Begin::More };
    let Some((_host, said)) = rest.strip_prefix(' ').and_then(|rest| rest.split_once(' ')) else {
        return Begin::Unreadable;
    };
    if repeated(said) {
        return Begin::Repeated;
    }
    let Some((writer, message)) = said.split_once(": ").or_else(|| Some((said.strip_suffix(':')?, ""))) else {
        return Begin::Unreadable;
    };
    let (name, pid) = writer
        .strip_suffix(']')
        .and_then(|writer| writer.rsplit_once('['))
        .and_then(|(name, pid)| Some((name, pid.parse().ok()?)))
        .unwrap_or((writer, 0));
    if name.is_empty() || name.len() > MAX_NAME {
        return Begin::Unreadable;
    }
    let from = line.len() - said.len();
    Begin::Record(Header { at, offset, process: from..from + name.len(), pid, message: line.len() - message.len() })
}

/// The offset of a clock that shows that local time at that instant.
fn offset(at: Time, local: NaiveDateTime) -> Option<FixedOffset> {
    let ahead: TimeDelta = local - at.naive_utc();
    FixedOffset::east_opt(i32::try_from(ahead.num_seconds()).ok()?)
}

impl InstallSummary {
    fn count(&mut self, at: Time, offset: FixedOffset) {
        self.records += 1;
        self.first = Some(self.first.map_or(at, |first| first.min(at)));
        self.last = Some(self.last.map_or(at, |last| last.max(at)));
        let room = self.offsets.len() < MAX_OFFSETS;
        match self.offsets.last_mut() {
            Some(span) if span.offset == offset => (span.from, span.to) = (span.from.min(at), span.to.max(at)),
            _ if room => self.offsets.push(OffsetSpan { from: at, to: at, offset }),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Seen = (String, String, u32, String);

    /// What a Mac in UTC-5 holds whose file was last written on 2026-11-23.
    fn all(text: &str) -> (Vec<Seen>, InstallSummary) {
        let offset = FixedOffset::west_opt(5 * 3600).unwrap();
        let instant = |local: NaiveDateTime| Some(local.checked_sub_offset(offset)?.and_utc());
        read_with(text, &instant)
    }

    fn read_with(text: &str, instant: &dyn Fn(NaiveDateTime) -> Option<Time>) -> (Vec<Seen>, InstallSummary) {
        let mut found = Vec::new();
        let dates = OldDates { until: "2026-11-23T23:00:00Z".parse().unwrap(), instant };
        let summary = read(text.as_bytes(), &dates, |record| {
            let at = record.at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
            found.push((at, record.process.to_owned(), record.pid, record.message.to_owned()));
        });
        (found, summary)
    }

    fn one(text: &str) -> Seen {
        let (mut found, summary) = all(text);
        assert_eq!((found.len(), summary.records), (1, 1), "{text}");
        found.remove(0)
    }

    #[test]
    fn offsets_of_hours_and_of_half_hours_are_read() {
        for (offset, utc) in [("-04", "16:00:00"), ("+08", "04:00:00"), ("+05:30", "06:30:00"), ("-03:30", "15:30:00")]
        {
            let (at, ..) = one(&format!("2026-08-30 12:00:00{offset} host softwareupdated[754]: hello\n"));
            assert_eq!(at, format!("2026-08-30T{utc}Z"), "{offset}");
        }
    }

    #[test]
    fn a_process_name_may_hold_blanks_and_the_pid_may_be_missing() {
        let (_, process, pid, message) = one("2026-08-30 12:00:00-04 host Installer Progress[321]: 10%: fine\n");
        assert_eq!((process.as_str(), pid, message.as_str()), ("Installer Progress", 321, "10%: fine"));
        let (_, process, pid, message) = one("2026-08-30 12:00:00-04 host softwareupdated: Starting\n");
        assert_eq!((process.as_str(), pid, message.as_str()), ("softwareupdated", 0, "Starting"));
    }

    #[test]
    fn a_dump_over_several_lines_is_one_record() {
        let (.., message) =
            one("2026-08-30 12:00:00-04 host softwareupdated[754]: SUOSUServiceDaemon: progressInfo = {\n\
             \x20   progress = 100;\n    bytesDownloaded = 0;\n}\n");
        assert_eq!(message, "SUOSUServiceDaemon: progressInfo = {\n    progress = 100;\n    bytesDownloaded = 0;\n}");
    }

    #[test]
    fn a_repeated_message_is_counted_and_ends_the_record_before_it() {
        let (found, summary) = all("2026-08-30 12:00:00-04 host softwareupdated[754]: hello\n\
             2026-08-30 12:00:01-04 host --- last message repeated 3 times ---\n\
             --- last message repeated 1 time ---\n");
        assert_eq!((found.len(), summary.records, summary.lines_skipped), (1, 3, 0));
        assert_eq!(found[0].3, "hello");
    }

    #[test]
    fn dates_without_year_and_offset_are_those_of_the_file_and_the_zone() {
        let log = "Nov 23 17:30:01 macbook softwareupdated[754]: Scan (f=1, d=0) completed\n\tmore\n\
                   Nov 23 17:30:02 macbook --- last message repeated 2 times ---\nNov 23 17:30:03 macbook\n";
        let (found, summary) = all(log);
        let text = "Scan (f=1, d=0) completed\n\tmore".to_owned();
        assert_eq!(found, [("2026-11-23T22:30:01Z".to_owned(), "softwareupdated".to_owned(), 754, text)]);
        assert_eq!((summary.records, summary.lines_skipped, summary.lines_not_understood), (2, 0, 1));
        assert_eq!(summary.offsets.iter().map(|span| span.offset.to_string()).collect::<Vec<_>>(), ["-05:00"]);
    }

    #[test]
    fn dates_without_year_and_offset_are_counted_where_the_zone_is_unknown() {
        let log = "Nov  7 19:44:39 macbook softwareupdated[312]: Starting with build 14.1 (23B74)\n\
                   2023-11-07 19:44:40-05 host softwareupdated[312]: hello\nNov  7 19:44:41 macbook opendirectoryd[1]: x\n";
        let (found, summary) = read_with(log, &|_| None);
        assert_eq!((found.len(), summary.records, summary.lines_skipped, summary.undated), (1, 1, 2, 2));
        assert_eq!(found[0].3, "hello");
    }

    #[test]
    fn the_installers_dates_are_in_a_zone_of_its_own_and_counted() {
        let (found, summary) =
            all("Nov 23 19:44:39 localhost softwareupdated[312]: Starting with build 14.1 (23B74)\n");
        assert_eq!((found.len(), summary.records, summary.undated), (0, 0, 1));
    }

    #[test]
    fn what_ends_a_record_is_known_by_its_beginning() {
        for (line, begins) in [
            ("Nov 23 17:30:01 macbook softwareupdated[754]: x", true),
            ("2026-11-23 17:30:01+00 macbook softwareupdated[754]: x", true),
            ("2026-11-23 17:30:01+00", true),
            ("--- last message repeated 2 times ---", true),
            ("November", false),
            ("\tmore", false),
            ("", false),
        ] {
            assert_eq!(begins_record(line.as_bytes()), begins, "{line}");
        }
    }

    #[test]
    fn a_time_without_a_writer_is_not_understood() {
        let (found, summary) =
            all("2023-11-07 19:44:40-05\n2023-11-07 19:44:40-05 host\n2023-11-07 19:44:40-05 host x\n");
        assert_eq!((found.len(), summary.lines_not_understood), (0, 3));
    }

    #[test]
    fn the_offsets_are_kept_with_the_time_for_which_they_held() {
        let (_, summary) = all("2026-10-31 23:00:00-04 h p[1]: a\n2026-11-01 01:30:00-04 h p[1]: b\n\
             2026-11-01 01:30:00-05 h p[1]: c\n");
        let spans = summary.offsets.iter().map(|span| (span.offset.to_string(), (span.to - span.from).num_minutes()));
        assert_eq!(spans.collect::<Vec<_>>(), [("-04:00".to_owned(), 150), ("-05:00".to_owned(), 0)]);
    }

    proptest::proptest! {
        #[test]
        fn no_line_is_lost_silently(lines in proptest::collection::vec(
            "2026-08-30 12:00:00-04 h p\\[1\\]: x|2026-08-30 12:00:00-04 h|Nov  7 19:44:39 x|\tmore|--- last message repeated 2 times ---|\\PC{0,20}[a-z]",
            0..20,
        )) {
            let (mut shown, mut lines_shown) = (0, 0);
            let dates = OldDates { until: "2026-11-23T23:00:00Z".parse().unwrap(), instant: &|local| Some(local.and_utc()) };
            let summary = read(lines.join("\n").as_bytes(), &dates, |record| {
                shown += 1;
                lines_shown += u64::try_from(record.message.split('\n').count()).unwrap();
            });
            let repeated = summary.records - shown;
            let accounted = lines_shown + repeated + summary.lines_skipped + summary.lines_not_understood;
            proptest::prop_assert_eq!(accounted, u64::try_from(lines.len()).unwrap());
        }

        #[test]
        fn no_text_panics(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200)) {
            let dates = OldDates { until: Time::UNIX_EPOCH, instant: &|local| Some(local.and_utc()) };
            let _ = read(&bytes, &dates, |_| {});
        }
    }
}
