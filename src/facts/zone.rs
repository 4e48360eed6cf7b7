//! The Mac's time zone, as far as it is known: DDM states its deadlines in the Mac's local time.

use crate::log::install_log::OffsetSpan;
use crate::vocabulary::Time;
use chrono::{FixedOffset, Local, MappedLocalTime, NaiveDateTime, TimeDelta, TimeZone};

/// What is known of the zone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Zone {
    Given(FixedOffset),
    /// It is that of the machine that runs the program.
    Machine,
    /// It is known from the Mac's own lines. Between them, and before and after them, the nearest line counts: a clock
    /// change that no line has seen is not known.
    Seen(Vec<OffsetSpan>),
    /// Nothing is known.
    #[default]
    Unknown,
}

impl Zone {
    /// The zone that lines were seen with.
    pub fn seen(spans: Vec<OffsetSpan>) -> Self {
        if spans.is_empty() { Self::Unknown } else { Self::Seen(spans) }
    }

    /// The instant of a local time. In the hour that a clock change repeats it is the later one, so that no deadline
    /// passes too early; in the hour that one skips, clocks have been put forward already.
    pub fn instant(&self, local: NaiveDateTime) -> Option<Time> {
        match self {
            Self::Given(offset) => at_offset(local, *offset),
            Self::Machine => machine_instant(local),
            Self::Seen(spans) => spans
                .iter()
                .filter_map(|span| Some((at_offset(local, span.offset)?, span)))
                .min_by_key(|(at, span)| (distance(*at, span), span.from))
                .map(|(at, _)| at),
            Self::Unknown => None,
        }
    }

    /// What the Mac's clock shows at an instant.
    pub fn clock(&self, at: Time) -> Option<NaiveDateTime> {
        let offset = match self {
            Self::Given(offset) => *offset,
            Self::Machine => return Some(at.with_timezone(&Local).naive_local()),
            Self::Seen(spans) => spans.iter().min_by_key(|span| (distance(at, span), span.from))?.offset,
            Self::Unknown => return None,
        };
        at.naive_utc().checked_add_offset(offset)
    }
}

fn at_offset(local: NaiveDateTime, offset: FixedOffset) -> Option<Time> {
    Some(local.checked_sub_offset(offset)?.and_utc())
}

fn machine_instant(local: NaiveDateTime) -> Option<Time> {
    match Local.from_local_datetime(&local) {
        MappedLocalTime::Single(at) | MappedLocalTime::Ambiguous(_, at) => Some(at.to_utc()),
        MappedLocalTime::None => {
            let later = local.checked_add_signed(TimeDelta::hours(1))?;
            Some(Local.from_local_datetime(&later).earliest()?.to_utc())
        }
    }
}

/// How far an instant is from the lines of a span.
fn distance(at: Time, span: &OffsetSpan) -> TimeDelta {
    if at < span.from {
        span.from - at
    } else if at > span.to {
        at - span.to
    } else {
        TimeDelta::zero()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> Time {
        text.parse().unwrap()
    }

    fn local(text: &str) -> NaiveDateTime {
        text.parse().unwrap()
    }

    fn span(from: &str, to: &str, hours: i32) -> OffsetSpan {
        OffsetSpan { from: time(from), to: time(to), offset: FixedOffset::east_opt(hours * 3600).unwrap() }
    }

    #[test]
    fn the_nearest_line_says_the_offset() {
        let zone = Zone::seen(vec![
            span("2026-10-20T12:00:00Z", "2026-11-01T05:00:00Z", -4),
            span("2026-11-01T07:00:00Z", "2026-11-02T12:00:00Z", -5),
        ]);
        assert_eq!(zone.instant(local("2026-10-31T09:00:00")), Some(time("2026-10-31T13:00:00Z")));
        assert_eq!(zone.instant(local("2026-11-01T09:00:00")), Some(time("2026-11-01T14:00:00Z")));
        assert_eq!(zone.clock(time("2026-11-01T14:00:00Z")), Some(local("2026-11-01T09:00:00")));
        assert_eq!(zone.instant(local("2027-01-01T09:00:00")), Some(time("2027-01-01T14:00:00Z")));
    }

    #[test]
    fn without_lines_nothing_is_known() {
        let zone = Zone::seen(Vec::new());
        assert_eq!(
            (zone.instant(local("2026-11-01T09:00:00")), zone.clock(time("2026-11-01T14:00:00Z"))),
            (None, None)
        );
    }

    #[test]
    fn a_given_offset_counts_for_all_times() {
        let zone = Zone::Given(FixedOffset::east_opt(13 * 3600).unwrap());
        assert_eq!(zone.instant(local("2027-01-16T00:30:00")), Some(time("2027-01-15T11:30:00Z")));
    }

    #[test]
    fn the_machine_s_own_zone_goes_both_ways() {
        let at = Zone::Machine.instant(local("2026-06-15T12:00:00")).unwrap();
        assert_eq!(Zone::Machine.clock(at), Some(local("2026-06-15T12:00:00")));
    }
}
