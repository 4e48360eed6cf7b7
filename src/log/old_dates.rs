//! Dates of syslog's old form, `Nov 23 17:30:01`, which name neither year nor offset. install.log has them on Macs that are
//! hardened by the CIS benchmark, whose remediation text sets `format=bsd`, and on any Mac right after an installation.

use super::{lossy, time};
use crate::vocabulary::Time;
use chrono::{Datelike, NaiveDate, NaiveDateTime, TimeDelta};
use std::collections::VecDeque;

/// What tells the year and the offset of such dates.
#[derive(Clone, Copy)]
pub struct OldDates<'z> {
    /// When the file was last written: none of its lines is later.
    pub until: Time,
    /// The instant of a local time of the Mac; `None` where its zone is unknown.
    pub instant: &'z dyn Fn(NaiveDateTime) -> Option<Time>,
}

/// How much later than the file a line may seem: a Mac that travels may have been in another zone.
const SLACK: TimeDelta = TimeDelta::days(1);

/// How much later than the line behind it a line may be, since clocks are set back. More than that is a year earlier.
const SET_BACK: TimeDelta = TimeDelta::days(31);

/// How many years a date may lie back. February 29 comes every eight years at most.
const YEARS: i32 = 8;

/// Such a date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OldDate {
    month: u32,
    day: u32,
    hour: u32,
    minute: u32,
    second: u32,
}

impl OldDate {
    /// Reads a date at the start of a line, and gives what follows it.
    pub fn parse(line: &str) -> Option<(Self, &str)> {
        const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
        let month = MONTHS.iter().position(|month| line.starts_with(month))?;
        let number = |from: usize, to: usize| line.get(from..to)?.trim_start().parse().ok();
        let mark = |at: usize, mark: u8| (line.as_bytes().get(at) == Some(&mark)).then_some(());
        mark(3, b' ')?;
        mark(6, b' ')?;
        mark(9, b':')?;
        mark(12, b':')?;
        let date = Self {
            month: u32::try_from(month).ok()? + 1,
            day: number(4, 6)?,
            hour: number(7, 9)?,
            minute: number(10, 12)?,
            second: number(13, 15)?,
        };
        date.in_year(2024)?;
        Some((date, line.get(15..)?))
    }

    fn in_year(self, year: i32) -> Option<NaiveDateTime> {
        NaiveDate::from_ymd_opt(year, self.month, self.day)?.and_hms_opt(self.hour, self.minute, self.second)
    }

    /// The latest instant up to that moment that it may name, and the local time.
    fn latest(self, until: Time, dates: &OldDates<'_>) -> Option<(Time, NaiveDateTime)> {
        // A day ahead, because the local year may be another than that of UTC.
        let year = (until + TimeDelta::days(1)).year();
        (year - YEARS..=year).rev().find_map(|year| {
            let local = self.in_year(year)?;
            (dates.instant)(local).filter(|at| *at <= until).map(|at| (at, local))
        })
    }
}

/// The instants of all such dates at the beginning of lines, in the order of the lines: no line is later than the file, nor
/// much later than the line behind it. `None` where the zone is unknown.
pub fn instants<'l>(
    lines: impl DoubleEndedIterator<Item = Option<&'l [u8]>>,
    dates: &OldDates<'_>,
) -> VecDeque<Option<(Time, NaiveDateTime)>> {
    let mut found = VecDeque::new();
    let mut until = dates.until + SLACK;
    for line in lines.rev().flatten() {
        let first = line.first().copied().unwrap_or_default();
        let at = if first.is_ascii_uppercase() {
            OldDate::parse(&lossy(line)).and_then(|(date, _)| {
                let latest = date.latest(until, dates);
                found.push_front(latest);
                latest.map(|(at, _)| at)
            })
        } else if first.is_ascii_digit() {
            time::parse_zoned(&lossy(line)).map(|(stamp, _)| stamp.at)
        } else {
            None
        };
        until = at.map_or(until, |at| until.min(at + SET_BACK));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::{DateTime, Utc};

    fn time(text: &str) -> Time {
        text.parse().unwrap()
    }

    fn all(text: &str, until: &str) -> Vec<String> {
        let utc = |local: NaiveDateTime| Some(DateTime::<Utc>::from_naive_utc_and_offset(local, Utc));
        let found = instants(
            text.as_bytes().split(|byte| *byte == b'\n').map(Some),
            &OldDates { until: time(until), instant: &utc },
        );
        found.into_iter().map(|at| at.unwrap().0.format("%F %R").to_string()).collect()
    }

    #[test]
    fn a_december_line_read_in_january_is_last_years() {
        let log = "Dec 31 23:59:00 h p[1]: x\nJan  1 00:01:00 h p[1]: x\n";
        assert_eq!(all(log, "2027-01-01T00:02:00Z"), ["2026-12-31 23:59", "2027-01-01 00:01"]);
        assert_eq!(all(log, "2026-12-30T23:59:59Z"), ["2025-12-31 23:59", "2026-01-01 00:01"]);
    }

    #[test]
    fn a_file_that_spans_years_goes_back_a_year_at_each_turn() {
        let log = "Nov  1 10:00:00 h p[1]: x\nMar  1 10:00:00 h p[1]: x\nNov  1 10:00:00 h p[1]: x\nFeb  1 10:00:00 h p[1]: x\n";
        assert_eq!(
            all(log, "2026-02-02T00:00:00Z"),
            ["2024-11-01 10:00", "2025-03-01 10:00", "2025-11-01 10:00", "2026-02-01 10:00"]
        );
    }

    #[test]
    fn a_clock_that_is_set_back_by_days_changes_no_year() {
        let log = "Nov 23 10:00:00 h p[1]: x\nNov  7 10:00:00 h p[1]: x\n";
        assert_eq!(all(log, "2026-11-23T18:00:00Z"), ["2026-11-23 10:00", "2026-11-07 10:00"]);
    }

    #[test]
    fn a_line_with_a_year_tells_that_of_the_lines_before_it() {
        let log = "Nov  7 19:44:39 h p[1]: x\n2023-11-07 19:45:00+00 h p[1]: y\n\tmore\nNov  7 19:46:00 h p[1]: x\n2023-11-08 00:00:00+00 h p[1]: y\n";
        assert_eq!(all(log, "2026-11-23T18:00:00Z"), ["2023-11-07 19:44", "2023-11-07 19:46"]);
    }

    #[test]
    fn lines_a_little_out_of_order_and_february_29_have_their_year() {
        assert_eq!(
            all("Jan  2 10:00:01 h p[1]: x\nJan  2 10:00:00 h p[1]: x\n", "2026-01-02T10:00:00Z"),
            ["2026-01-02 10:00", "2026-01-02 10:00"]
        );
        assert_eq!(all("Feb 29 10:00:00 h p[1]: x\n", "2027-01-01T00:00:00Z"), ["2024-02-29 10:00"]);
    }

    #[test]
    fn what_is_no_date_is_none() {
        for line in [
            "Nov 31 17:30:01 h",
            "Nov 23 24:30:01 h",
            "Now 23 17:30:01 h",
            "Nov 23 17:30 h",
            "Nov",
            "",
            "Növ 23 17:30:01",
        ] {
            assert_eq!(OldDate::parse(line), None, "{line}");
        }
        assert_eq!(OldDate::parse("Nov  3 07:30:01 h").map(|(_, rest)| rest), Some(" h"));
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics_and_no_date_lies_in_the_future(
            lines in proptest::collection::vec("(Jan|Feb|Nov|Dec) [ 123][0-9] [0-2][0-9]:[0-5][0-9]:[0-6][0-9] h|\\PC{0,20}|2026-0[1-9]-1[0-9] 10:00:00\\+00 h", 0..20),
        ) {
            let utc = |local: NaiveDateTime| Some(DateTime::<Utc>::from_naive_utc_and_offset(local, Utc));
            let until = time("2026-06-15T12:00:00Z");
            for at in instants(lines.iter().map(|line| Some(line.as_bytes())), &OldDates { until, instant: &utc }).into_iter().flatten() {
                proptest::prop_assert!(at.0 <= until + SLACK);
            }
        }
    }
}
