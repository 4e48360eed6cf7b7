//! Reads every source of evidence beside the unified log.

use super::install_log::{Follower, InstallLog};
use crate::facts::Ask;
use crate::facts::policy::Policy;
use crate::facts::record;
use crate::facts::zone::Zone;
use crate::health::{Evidence, Expected, enrollment, kept_out};
use crate::host::Host;
use crate::log::install_log::{InstallSummary, OffsetSpan};
use crate::log::{LogSummary, ReadOptions};
use crate::vocabulary::codes::{SourceName, SourceReason, SourceState};
use crate::vocabulary::{Fact, Flaw, Freshness, Limits, LogCounts, Reading, SourceStatus, Span, Time};
use std::path::Path;
use std::time::Instant;

/// Whom to ask, for which moment.
pub struct Asking<'h> {
    pub host: &'h dyn Host,
    /// How to read what a log leaves open.
    pub options: &'h ReadOptions,
    /// The folder of the journal and of the record of restarts.
    pub state_dir: &'h Path,
    /// What the Mac's administrator allows; `None` of a recorded Mac.
    pub policy: Option<Policy>,
    /// The moment for which a verdict is asked.
    pub now: Time,
    /// How old values may be.
    pub freshness: Freshness,
}

impl Asking<'_> {
    /// Reads the sources that do not change by the minute, and calls `each` after each of them.
    pub fn read_steady(&self, evidence: &mut Evidence, mut each: impl FnMut(&Evidence)) {
        evidence.now = self.now;
        for place in 0..evidence.asked().len() {
            let mut sources = evidence.asked();
            if let Some(source) = sources.get_mut(place).filter(|source| !source.is_volatile()) {
                self.ask(*source);
                each(evidence);
            }
        }
    }

    fn ask(&self, source: &mut dyn Ask) {
        let start = Instant::now();
        source.ask(self.host, self.freshness, self.now);
        source.status_mut().duration_ms = Some(milliseconds(start));
    }

    /// Reads the sources into the evidence, which still holds their last values. `log` is the result of reading the
    /// whole of a recorded log.
    pub fn read(&self, evidence: &mut Evidence, install_log: &mut Follower, log: Option<&LogSummary>) {
        let (host, now) = (self.host, self.now);
        evidence.now = now;
        evidence.asked().into_iter().for_each(|source| self.ask(source));
        let start = Instant::now();
        let mut offsets = Vec::new();
        let zone = self.zone(Vec::new(), log);
        evidence.install_log.renew(Limits::FILE, now, || {
            let value = install_log.read(host, &zone, now);
            offsets = value.known().map(|log| log.summary.offsets.clone()).unwrap_or_default();
            install_log_reading(value)
        });
        evidence.install_log.status.duration_ms = Some(milliseconds(start));
        evidence.restarts.renew(Limits::VOLATILE, now, || record::restarts(host, self.state_dir).into());
        evidence.set_other_source(Policy::status(self.policy.as_ref(), now));
        evidence.expected = self.policy.as_ref().map(expected).unwrap_or_default();
        note_overridden_hosts(evidence);
        evidence.zone = self.zone(offsets, log);
        evidence.set_other_source(zone_status(&evidence.zone, now));
    }

    /// The zone that was given. Otherwise a live Mac uses the machine's own, and a recorded one uses the offset that
    /// the capture gives for its moment and those in the Mac's lines: those of install.log, and the last one of the
    /// unified log. One capture had some lines in UTC beside the Mac's own offset.
    fn zone(&self, mut spans: Vec<OffsetSpan>, log: Option<&LogSummary>) -> Zone {
        if let Some(offset) = self.options.utc_offset {
            return Zone::Given(offset);
        }
        if self.host.is_live() {
            return Zone::Machine;
        }
        spans.extend(log.map(|log| log.offsets.clone()).unwrap_or_default());
        let last = log.and_then(|log| log.last.zip(log.offset));
        let recorded = self.host.utc_offset().map(|offset| (self.now, offset));
        spans.extend(recorded.or(last).map(|(at, offset)| OffsetSpan { from: at, to: at, offset }));
        Zone::seen(spans)
    }
}

fn expected(policy: &Policy) -> Expected {
    Expected { server_url: policy.expected_server_url.clone(), topic: policy.expected_topic.clone() }
}

/// Whether the entries of the hosts file matter is known only once the MDM server is known.
fn note_overridden_hosts(evidence: &mut Evidence) {
    let hosts = kept_out::find(evidence, &enrollment::decide(evidence)).hosts;
    let (now, is_known) = (evidence.now, evidence.hosts_file.known().is_some());
    let status = &mut evidence.hosts_file.status;
    if let Some(why) = hosts.filter(|_| is_known) {
        (status.state, status.last_error_at) = (SourceState::Partial, Some(now));
        (status.reason, status.detail) = (Some(SourceReason::MdmHostsOverridden), Some(why));
    } else if status.reason == Some(SourceReason::MdmHostsOverridden) {
        (status.state, status.reason, status.detail) = (SourceState::Ok, None, None);
    }
}

fn install_log_reading(value: Fact<InstallLog>) -> Reading<Vec<std::sync::Arc<crate::event::Event>>> {
    let log = match value {
        Fact::Known(log) => log,
        Fact::Unknown { reason, why } => return Fact::unknown(reason, why).into(),
    };
    let InstallSummary { records, lines_skipped, lines_not_understood, first, last, .. } = log.summary;
    let oldest = log.events.front().filter(|_| log.dropped > 0).map(|event| event.at).or(first);
    let flaw = match (log.left_out, log.dropped) {
        (0, 0) => log.rotated_unread.map(|why| Flaw {
            reason: SourceReason::EndOnly,
            why: format!("Lines before the last rotation are missing: {why}."),
        }),
        (left_out, 0) => {
            let why = format!("Only the end was read; the {left_out} bytes before it were skipped.");
            Some(Flaw { reason: SourceReason::EndOnly, why })
        }
        (_, dropped) => {
            Some(Flaw { reason: SourceReason::TooManyEvents, why: format!("{dropped} old events were dropped.") })
        }
    };
    Reading {
        flaw,
        covers: oldest.zip(last).map(|(from, to)| Span { from, to }),
        counts: Some(LogCounts {
            records_read: records,
            events_kept: u64::try_from(log.events.len()).unwrap_or(u64::MAX),
            lines_skipped,
            lines_not_understood,
        }),
        value: Fact::Known(log.events.into()),
    }
}

fn zone_status(zone: &Zone, now: Time) -> SourceStatus {
    let ok = |detail: String| SourceStatus {
        detail: Some(detail),
        duration_ms: Some(0),
        ..SourceStatus::new(SourceName::TimeZone, SourceState::Ok, now)
    };
    match zone {
        Zone::Given(offset) => ok(format!("The offset {offset} was given.")),
        Zone::Machine => ok("This machine's own zone.".to_owned()),
        Zone::Seen(_) => ok("The offsets in this Mac's log lines; a clock change after them is unknown.".to_owned()),
        // Nothing failed: there is no such line.
        Zone::Unknown => SourceStatus {
            reason: Some(SourceReason::ZoneUnknown),
            detail: Some(
                "No log line of this Mac carries an offset, so its local time is unknown: pass --utc-offset."
                    .to_owned(),
            ),
            duration_ms: Some(0),
            ..SourceStatus::new(SourceName::TimeZone, SourceState::Unavailable, now)
        },
    }
}

pub fn milliseconds(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}
