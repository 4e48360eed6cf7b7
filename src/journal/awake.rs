//! When the Mac is known to have been awake: a lower bound, so that silence in sleep never counts.

use crate::vocabulary::{Span, Time};
use chrono::TimeDelta;

/// Stretches of time in which the Mac is known to have been awake, in order and apart from each other. What lies between
/// them is unknown or sleep. A dark wake is not awake.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AwakeSpans(Vec<Span>);

impl AwakeSpans {
    /// Of spans in any order, which may overlap.
    pub fn new(mut spans: Vec<Span>) -> Self {
        spans.retain(|span| span.from < span.to);
        spans.sort_by_key(|span| span.from);
        let mut apart: Vec<Span> = Vec::new();
        for span in spans {
            match apart.last_mut() {
                Some(last) if span.from <= last.to => last.to = last.to.max(span.to),
                _ => apart.push(span),
            }
        }
        Self(apart)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn spans(&self) -> &[Span] {
        &self.0
    }

    /// For how long the Mac was awake between two moments, at least.
    pub fn within(&self, from: Time, to: Time) -> TimeDelta {
        let overlap = |span: &Span| span.to.min(to) - span.from.max(from);
        self.0.iter().map(overlap).filter(|overlap| *overlap > TimeDelta::zero()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::DateTime;

    fn minute(minute: i64) -> Time {
        DateTime::from_timestamp(1_795_000_000 + minute * 60, 0).unwrap()
    }

    fn span(from: i64, to: i64) -> Span {
        Span { from: minute(from), to: minute(to) }
    }

    #[test]
    fn naps_are_left_out_and_overlaps_count_once() {
        let awake = AwakeSpans::new(vec![span(50, 60), span(0, 20), span(10, 30), span(70, 70)]);
        assert_eq!(awake.spans(), [span(0, 30), span(50, 60)]);
        let within = |from, to| awake.within(minute(from), minute(to)).num_minutes();
        assert_eq!([within(0, 60), within(25, 55), within(30, 50), within(60, 10)], [40, 10, 0, 0]);
    }
}
