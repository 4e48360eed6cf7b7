//! Timestamps of log lines: `2026-07-26 18:11:22.348728+1200`, with or without the offset.

use super::ReadOptions;
use crate::vocabulary::Time;
use chrono::{FixedOffset, Local, NaiveDate, NaiveDateTime, TimeZone, Timelike, Utc};
use std::ops::Range;

/// A moment as a line carries it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    pub at: Time,
    /// The offset that the line carries, which is that of the Mac at that moment; `None` if it carries none.
    pub offset: Option<FixedOffset>,
}

/// Reads a timestamp at the start of `text` and gives the rest behind it. A blank may stand before the offset.
/// Without an offset, `options` or the machine's zone says it.
pub fn parse<'t>(text: &'t str, options: &ReadOptions) -> Option<(Stamp, &'t str)> {
    if let Some(found) = parse_zoned(text) {
        return Some(found);
    }
    let (local, rest) = local(text)?;
    let at = match options.utc_offset {
        Some(offset) => offset.from_local_datetime(&local).single()?.to_utc(),
        // In the hour that a clock change repeats, the earlier instant; in the one that it skips, as if UTC.
        None => Local.from_local_datetime(&local).earliest().map_or_else(|| local.and_utc(), |time| time.to_utc()),
    };
    Some((Stamp { at, offset: None }, rest))
}

/// Reads a timestamp at the start of `text` that carries its offset, and gives the rest behind it.
pub fn parse_zoned(text: &str) -> Option<(Stamp, &str)> {
    let (local, rest) = local(text)?;
    let (offset, rest) = offset(rest)?;
    Some((Stamp { at: Utc.from_utc_datetime(&local.checked_sub_offset(offset)?), offset: Some(offset) }, rest))
}

/// Reads a timestamp that is the whole text and carries its offset.
pub fn parse_exact(text: &str) -> Option<Stamp> {
    parse_zoned(text).filter(|(_, rest)| rest.is_empty()).map(|(stamp, _)| stamp)
}

/// Reads timestamps one behind the other. Most are of the minute of the one before: of those, only the seconds are read.
#[derive(Debug, Default)]
pub struct Clock {
    last: Option<([u8; LENGTH], Stamp)>,
}

/// The length of `2026-07-26 18:11:22.348728+1200`, and where in it the seconds are.
const LENGTH: usize = 31;
const SECONDS: Range<usize> = 17..26;

impl Clock {
    /// Reads what [`parse_exact`] does, and as it does.
    pub fn read(&mut self, text: &str) -> Option<Stamp> {
        let usual: Option<&[u8; LENGTH]> = text.as_bytes().try_into().ok();
        if let Some(stamp) = usual.and_then(|text| self.within_the_minute(text)) {
            return Some(stamp);
        }
        let stamp = parse_exact(text)?;
        self.last = usual.map(|text| (*text, stamp));
        Some(stamp)
    }

    fn within_the_minute(&self, text: &[u8; LENGTH]) -> Option<Stamp> {
        let (last, stamp) = self.last.as_ref()?;
        let same_minute = text.get(..SECONDS.start) == last.get(..SECONDS.start);
        let same_offset = text.get(SECONDS.end..) == last.get(SECONDS.end..);
        (same_minute && same_offset).then_some(())?;
        let (second, micros) = text.get(SECONDS)?.split_at_checked(2)?;
        let (second, micros) = (digits(second)?, digits(micros.strip_prefix(b".")?)?);
        // Offsets are of whole minutes, so that the seconds are those of UTC.
        let at = stamp.at.naive_utc().with_second(second)?.with_nanosecond(micros * 1000)?.and_utc();
        Some(Stamp { at, ..*stamp })
    }
}

fn local(text: &str) -> Option<(NaiveDateTime, &str)> {
    let bytes = text.as_bytes();
    let number = |from: usize, to: usize| digits(bytes.get(from..to)?);
    let mark = |at: usize, mark: u8| (bytes.get(at) == Some(&mark)).then_some(());
    let date = NaiveDate::from_ymd_opt(i32::try_from(number(0, 4)?).ok()?, number(5, 7)?, number(8, 10)?)?;
    mark(4, b'-')?;
    mark(7, b'-')?;
    mark(10, b' ')?;
    mark(13, b':')?;
    mark(16, b':')?;
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    let Some(fraction) = bytes.get(19..).and_then(|rest| rest.strip_prefix(b".")) else {
        return Some((date.and_hms_opt(hour, minute, second)?, text.get(19..)?));
    };
    let length = fraction.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if length == 0 || length > 9 {
        return None;
    }
    let nanos = digits(fraction.get(..length)?)? * 10u32.pow(9 - u32::try_from(length).ok()?);
    Some((date.and_hms_nano_opt(hour, minute, second, nanos)?, text.get(20 + length..)?))
}

/// `+1200`, `-04`, `+05:30`, `Z`, with a blank before it or not.
fn offset(text: &str) -> Option<(FixedOffset, &str)> {
    let text = text.strip_prefix(' ').unwrap_or(text);
    if let Some(rest) = text.strip_prefix('Z') {
        return Some((FixedOffset::east_opt(0)?, rest));
    }
    let sign = match text.bytes().next()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let hours = digits(text.as_bytes().get(1..3)?)?;
    let behind = text.get(3..)?;
    let after_colon = behind.strip_prefix(':').unwrap_or(behind);
    let minutes = after_colon.as_bytes().get(..2).and_then(digits);
    let rest = if minutes.is_some() { after_colon.get(2..)? } else { behind };
    let seconds = i32::try_from(hours * 3600 + minutes.unwrap_or(0) * 60).ok()?;
    Some((FixedOffset::east_opt(sign * seconds)?, rest))
}

fn digits(bytes: &[u8]) -> Option<u32> {
    bytes.iter().try_fold(0u32, |sum, byte| {
        byte.is_ascii_digit().then_some(())?;
        sum.checked_mul(10)?.checked_add(u32::from(byte - b'0'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utc(text: &str) -> String {
        parse_exact(text).unwrap().at.to_rfc3339()
    }

    #[test]
    fn a_time_with_its_offset_is_an_instant() {
        assert_eq!(utc("2026-07-26 18:11:22.348728+1200"), "2026-07-26T06:11:22.348728+00:00");
        assert_eq!(utc("2023-08-15 22:15:15.348017 -0500"), "2023-08-16T03:15:15.348017+00:00");
        assert_eq!(utc("2023-08-02 17:15:13+08"), "2023-08-02T09:15:13+00:00");
        assert_eq!(utc("2023-08-02 17:15:13+05:30"), "2023-08-02T11:45:13+00:00");
    }

    #[test]
    fn a_time_without_an_offset_takes_the_one_given() {
        let options = ReadOptions { utc_offset: FixedOffset::west_opt(5 * 3600), ..ReadOptions::default() };
        let (stamp, rest) = parse("2023-05-04 05:12:03.617 Df mdmclient", &options).unwrap();
        assert_eq!((stamp.at.to_rfc3339().as_str(), rest), ("2023-05-04T10:12:03.617+00:00", " Df mdmclient"));
        assert_eq!(stamp.offset, None, "it is not the line that says the offset");
    }

    #[test]
    fn what_is_no_time_is_none() {
        for text in ["", "2023", "2023-13-01 00:00:00+00", "2023-01-01T00:00:00+00", "2023-01-01 00:00:00.+00", "é"] {
            assert_eq!(parse_exact(text), None, "{text}");
        }
    }

    #[test]
    fn within_a_minute_the_seconds_and_their_fraction_are_read() {
        let mut clock = Clock::default();
        for text in ["2026-07-26 18:11:59.000001+1200", "2026-07-26 18:11:00.999999+1200"] {
            assert_eq!(clock.read(text), parse_exact(text));
            assert!(clock.within_the_minute(text.as_bytes().try_into().unwrap()).is_some(), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn a_clock_reads_each_time_as_if_it_were_the_first(
            texts in proptest::collection::vec(
                "2026-11-2[34] 1[67]:4[59]:[0-9:]{2}[.,]([0-9]{6}|[0-9]{0,10})([+-]0[05]([03]0|:30|:3|6)|Z|)", 1..20,
            ),
        ) {
            let mut clock = Clock::default();
            for text in texts {
                proptest::prop_assert_eq!(clock.read(&text), parse_exact(&text), "{}", text);
            }
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,40}", digits in "[0-9:. +-]{0,40}") {
            let options = ReadOptions::default();
            let _ = (parse(&text, &options), parse(&digits, &options), parse_exact(&digits));
        }
    }
}
