//! Moments as people read them: in the Mac's local time if its zone is known, else in UTC, and always with the offset.

use super::html;
use crate::facts::zone::Zone;
use crate::vocabulary::Time;
use chrono::{NaiveDateTime, SecondsFormat, TimeDelta};

/// The clock that the page goes by.
pub struct Clock<'z> {
    zone: &'z Zone,
}

impl<'z> Clock<'z> {
    /// The Mac's clock.
    pub fn new(zone: &'z Zone) -> Self {
        Self { zone }
    }

    /// What the clock shows.
    pub fn local(&self, at: Time) -> NaiveDateTime {
        self.zone.clock(at).unwrap_or_else(|| at.naive_utc())
    }

    /// Date, time and offset: `2026-11-23 17:02:15 +01:00`.
    pub fn full(&self, at: Time) -> String {
        format!("{} {}", self.local(at).format("%Y-%m-%d %H:%M:%S"), self.offset(at))
    }

    /// The time of day: `17:02:15`.
    pub fn time_of_day(&self, at: Time) -> String {
        self.local(at).format("%H:%M:%S").to_string()
    }

    /// Day and time: `23 Nov 17:02`.
    pub fn short(&self, at: Time) -> String {
        self.local(at).format("%-d %b %H:%M").to_string()
    }

    /// The day: `23 Nov`.
    pub fn day(&self, at: Time) -> String {
        self.local(at).format("%-d %b").to_string()
    }

    /// A moment as an element that a program can read too.
    pub fn element(&self, at: Time) -> String {
        let exact = at.to_rfc3339_opts(SecondsFormat::Secs, true);
        format!("<time datetime=\"{exact}\">{}</time>", self.full(at))
    }

    /// Which time the page shows between two moments.
    pub fn name(&self, from: Time, to: Time) -> String {
        if *self.zone == Zone::Unknown {
            return "UTC, because the Mac’s time zone is unknown".to_owned();
        }
        let name = |at| match self.offset(at).as_str() {
            "UTC" => "UTC".to_owned(),
            offset => format!("UTC{offset}"),
        };
        let (first, last) = (name(from), name(to));
        if first == last {
            format!("the Mac’s local time ({first})")
        } else {
            format!("the Mac’s local time ({first}, then {last})")
        }
    }

    /// A sentence of the evidence, with its moments on the same clock as the rest of the page.
    pub fn sentence(&self, sentence: &str) -> String {
        // Like all text of a page it is cut and escaped first; neither touches a moment.
        let escaped = html::text(sentence);
        let words = escaped.split_inclusive(' ').map(|word| {
            let moment = word.trim_end_matches([' ', '.', ',', ';', ':', ')']);
            match moment.parse::<Time>() {
                Ok(at) => format!("{}{}", self.element(at), word.get(moment.len()..).unwrap_or_default()),
                Err(_) => word.to_owned(),
            }
        });
        words.collect()
    }

    fn offset(&self, at: Time) -> String {
        let minutes = (self.local(at) - at.naive_utc()).num_minutes();
        if minutes == 0 {
            return "UTC".to_owned();
        }
        let sign = if minutes < 0 { '−' } else { '+' };
        format!("{sign}{:02}:{:02}", minutes.abs() / 60, minutes.abs() % 60)
    }
}

/// A length of time in its two largest units: `1 h 58 min`.
pub fn length(time: TimeDelta) -> String {
    let seconds = time.num_seconds().abs();
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    let two = |first: i64, one: &str, second: i64, other: &str| {
        if second == 0 { format!("{first} {one}") } else { format!("{first} {one} {second} {other}") }
    };
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => two(minutes, "min", if minutes < 10 { seconds % 60 } else { 0 }, "s"),
        (0, ..) => two(hours, "h", minutes, "min"),
        _ => two(days, "d", hours, "h"),
    }
}

/// How long before or after now.
pub fn distance(at: Time, now: Time) -> String {
    if at > now { format!("in {}", length(at - now)) } else { format!("{} earlier", length(now - at)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::FixedOffset;

    fn time(text: &str) -> Time {
        text.parse().unwrap()
    }

    #[test]
    fn moments_in_a_sentence_go_by_the_clock_of_the_page() {
        let zone = Zone::Given(FixedOffset::west_opt(5 * 3600).unwrap());
        assert_eq!(
            Clock::new(&zone).sentence("<b> was received at 2026-11-23T16:02:15Z."),
            "&lt;b&gt; was received at <time datetime=\"2026-11-23T16:02:15Z\">2026-11-23 11:02:15 −05:00</time>."
        );
    }

    #[test]
    fn without_a_zone_it_is_utc_and_says_so() {
        let (clock, at) = (Clock::new(&Zone::Unknown), time("2026-11-23T16:02:15Z"));
        assert_eq!(clock.full(at), "2026-11-23 16:02:15 UTC");
        assert!(clock.name(at, at).starts_with("UTC"));
    }

    #[test]
    fn lengths_have_two_units_at_most() {
        let texts = [9, 70, 1260, 7080, 7200, 90_000].map(|seconds| length(TimeDelta::seconds(seconds)));
        assert_eq!(texts, ["9 s", "1 min 10 s", "21 min", "1 h 58 min", "2 h", "1 d 1 h"]);
    }
}
