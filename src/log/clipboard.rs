//! What Console puts on the clipboard: level, time with offset and no date, process, message, with tabs between (macOS 26):
//! `default<TAB>23:58:54.801197-0400<TAB>mdmclient<TAB>[0:MDMDaemon:HTTPUtil:<0x2fdb>] <<<<< Received HTTP response (200) [Idle] <<<<<`
//!
//! The last line is the latest up to the moment at which the log is looked at. Where times go back by more than half a day from
//! one line to the next, midnight lies between them.

use super::time::{self, Stamp};
use super::{Level, LogRecord, LogSender, LogSummary, MAX_RECORD, Pasted, lossy};
use crate::vocabulary::Time;
use chrono::{DateTime, FixedOffset, NaiveDate, NaiveTime, TimeDelta};
use std::borrow::Cow;
use std::io::{self, ErrorKind, Read};

/// How much is read, in bytes: all of it is held, since the days are counted back from the last line.
const MOST: u64 = 64 << 20;

/// A line whose time is earlier than that of the line before it by more than this is of the next day.
const NEXT_DAY: TimeDelta = TimeDelta::hours(12);

/// A line taken apart.
struct CopiedLine<'l> {
    level: Option<Level>,
    at: NaiveTime,
    offset: FixedOffset,
    process: &'l str,
    message: &'l str,
}

/// Whether a line is one of these.
pub fn is_one(line: &[u8]) -> bool {
    parse(&lossy(line)).is_some()
}

fn parse(line: &str) -> Option<CopiedLine<'_>> {
    let mut parts = line.splitn(4, '\t');
    let (level, at, process, message) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let level = Some(Level::from_word(&level.to_ascii_lowercase())?);
    // Read with any date, of which the time is taken.
    let (stamp, rest) = time::parse_zoned(&format!("2000-01-02 {at}")).map(|(stamp, rest)| (stamp, rest.is_empty()))?;
    let offset = stamp.offset.filter(|_| rest)?;
    let named = !process.is_empty() && !process.contains('\n');
    named.then(|| CopiedLine { level, at: stamp.at.with_timezone(&offset).time(), offset, process, message })
}

/// Reads the lines to their end and hands every record to `on_record`. `until` is the moment that no line is later than.
pub fn read(
    input: impl Read,
    pasted: Pasted,
    until: Time,
    summary: &mut LogSummary,
    on_record: &mut impl FnMut(&LogRecord<'_>),
) {
    let mut text = Vec::new();
    match input.take(MOST + 1).read_to_end(&mut text) {
        Err(error) if error.kind() != ErrorKind::Interrupted => summary.broken = Some(error.to_string()),
        _ if text.len() as u64 > MOST => {
            summary.broken = Some(io::Error::other(format!("more than {MOST} bytes from the clipboard")).to_string());
        }
        _ => {}
    }
    let lines: Vec<Cow<'_, str>> = text
        .split(|byte| *byte == b'\n')
        .map(|line| lossy(pasted.strip(line.strip_suffix(b"\r").unwrap_or(line))))
        .collect();
    let records = records(&lines, summary);
    let days = days(&records, until);
    for ((line, more), day) in records.iter().zip(days) {
        let Some(at) = day else {
            summary.lines_not_understood += 1;
            continue;
        };
        let stamp = Stamp { at: at.to_utc(), offset: Some(line.offset) };
        summary.count(stamp);
        let mut message = Cow::Borrowed(line.message);
        for line in *more {
            let message = message.to_mut();
            message.push('\n');
            message.push_str(line);
        }
        on_record(&LogRecord {
            at: stamp.at,
            sender: LogSender::Name(Cow::Borrowed(line.process)),
            uid: None,
            level: line.level,
            pid: 0,
            thread: 0,
            subsystem: Cow::Borrowed(""),
            category: Cow::Borrowed(""),
            message: Cow::Borrowed(message.trim_end_matches('\n')),
            boot: Cow::Borrowed(""),
            mach_time: 0,
        });
    }
    summary.undated = true;
}

/// A record's first line and its others.
type CopiedRecord<'l> = (CopiedLine<'l>, &'l [Cow<'l, str>]);

fn records<'l>(lines: &'l [Cow<'l, str>], summary: &mut LogSummary) -> Vec<CopiedRecord<'l>> {
    let mut records: Vec<CopiedRecord<'l>> = Vec::new();
    let mut from = 0;
    for (index, text) in lines.iter().enumerate() {
        if text.len() >= MAX_RECORD {
            summary.lines_not_understood += 1;
        } else if let Some(line) = parse(text) {
            from = index + 1;
            records.push((line, &[]));
        } else if let Some((_, more)) = records.last_mut() {
            *more = lines.get(from..=index).unwrap_or_default();
        } else {
            summary.lines_skipped += u64::from(!text.is_empty());
        }
    }
    records
}

/// The moments of the records: the last one is the latest up to `until`.
fn days(records: &[CopiedRecord<'_>], until: Time) -> Vec<Option<DateTime<FixedOffset>>> {
    let mut found = Vec::with_capacity(records.len());
    let mut behind: Option<(NaiveDate, NaiveTime)> = None;
    for (line, _) in records.iter().rev() {
        let date = match behind {
            Some((date, at)) if at - line.at < -NEXT_DAY => date.pred_opt(),
            Some((date, _)) => Some(date),
            None => {
                let until = until.with_timezone(&line.offset);
                let today = until.date_naive();
                if line.at <= until.time() { Some(today) } else { today.pred_opt() }
            }
        };
        behind = date.map(|date| (date, line.at));
        found.push(date.and_then(|date| date.and_time(line.at).and_local_timezone(line.offset).single()));
    }
    found.reverse();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str, until: &str) -> (Vec<(String, String, String)>, LogSummary) {
        let (mut found, mut summary) = (Vec::new(), LogSummary::default());
        read(text.as_bytes(), Pasted::Plain, until.parse().unwrap(), &mut summary, &mut |record| {
            let LogSender::Name(name) = &record.sender else { panic!("{record:?}") };
            found.push((record.at.format("%F %T").to_string(), name.to_string(), record.message.to_string()));
        });
        (found, summary)
    }

    fn times(text: &str, until: &str) -> Vec<String> {
        all(text, until).0.into_iter().map(|(at, ..)| at).collect()
    }

    #[test]
    fn the_day_is_that_before_the_moment_at_which_it_is_looked_at() {
        let line = "default\t23:58:54.801197-0400\tmdmclient\thello\n";
        assert_eq!(times(line, "2026-11-24T04:00:00Z"), ["2026-11-24 03:58:54"]);
        assert_eq!(times(line, "2026-11-24T03:58:00Z"), ["2026-11-23 03:58:54"], "it has not come yet");
    }

    #[test]
    fn midnight_lies_between_lines_that_go_back_and_not_between_lines_out_of_order() {
        let log = "default\t12:00:01.000000+0000\tp\ta\nerror\t23:59:59.000000+0000\tp\tb\nInfo\t00:00:01.000000+0000\tp\tc\n\
                   debug\t00:00:00.500000+0000\tp\td\nfault\t18:00:00.000000+0000\tp\te\n";
        assert_eq!(
            times(log, "2026-11-23T18:00:00Z"),
            [
                "2026-11-22 12:00:01",
                "2026-11-22 23:59:59",
                "2026-11-23 00:00:01",
                "2026-11-23 00:00:00",
                "2026-11-23 18:00:00"
            ]
        );
    }

    #[test]
    fn a_record_keeps_its_lines_and_its_tabs() {
        let log = "a head\ndefault\t10:00:00.1+0100\tmdmclient\ta\tb\n{\n\tc\n}\ndefault\t10:00:01.1+0100\tapsd\tx\n";
        let (found, summary) = all(log, "2026-11-23T18:00:00Z");
        let at = |second| format!("2026-11-23 09:00:0{second}");
        assert_eq!(
            found,
            [(at(0), "mdmclient".to_owned(), "a\tb\n{\n\tc\n}".to_owned()), (at(1), "apsd".to_owned(), "x".to_owned()),]
        );
        assert_eq!((summary.records, summary.lines_skipped, summary.undated), (2, 1, true));
    }

    #[test]
    fn other_lines_are_none_of_these() {
        for line in [
            "default 23:58:54.801197-0400 mdmclient hello",
            "default\t23:58:54.801197\tmdmclient\thello",
            "default\t24:58:54.801197-0400\tmdmclient\thello",
            "loud\t23:58:54.801197-0400\tmdmclient\thello",
            "default\t23:58:54.801197-0400\t\thello",
            "default\t2026-11-23 23:58:54.801197-0400\tmdmclient\thello",
            "",
        ] {
            assert!(!is_one(line.as_bytes()), "{line}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics_and_no_line_lies_in_the_future(
            lines in proptest::collection::vec("(default|error)\t[0-2][0-9]:[0-5][0-9]:[0-6][0-9].5[+-]0[0-9]00\tp\tx|\\PC{0,9}", 0..20),
        ) {
            let until: Time = "2026-11-23T18:00:00Z".parse().unwrap();
            let (found, summary) = all(&lines.join("\n"), "2026-11-23T18:00:00Z");
            proptest::prop_assert_eq!(found.len() as u64, summary.records);
            let latest = found.last().map(|(at, ..)| at.clone());
            proptest::prop_assert!(latest.is_none_or(|at| at <= until.format("%F %T").to_string()));
        }
    }
}
