//! Reads what is known of OS updates beside the unified log: softwareupdated's files, and install.log.

use super::{fact_status, timed};
use crate::Time;
use crate::event::{Event, install_log as events};
use crate::facts::zone::Zone;
use crate::facts::{Fact, ddm_state, software_update_preferences, system_version};
use crate::health::{LogCounts, SourceState, SourceStatus, UpdateEvidence};
use crate::host::{Host, HostError, Span};
use crate::log::install_log::{self, InstallSummary, OffsetSpan};
use crate::log::{LogSummary, ReadOptions};
use std::collections::VecDeque;

/// Where install.log is.
const INSTALL_LOG: &str = "/private/var/log/install.log";

/// How much of install.log is read, from its end, in bytes: the file only ever grows until somebody removes it.
const INSTALL_LOG_END: u64 = 8 << 20;

/// How many events of install.log are kept; beyond it the oldest go.
const MAX_EVENTS: usize = 20_000;

/// Reads all of it. `log` is what reading the unified log came to.
pub fn read(
    host: &dyn Host,
    options: &ReadOptions,
    log: Option<&LogSummary>,
    now: Time,
) -> (UpdateEvidence, Vec<SourceStatus>) {
    let (install_log, install_log_ms) = timed(|| read_install_log(host));
    let (preferences, preferences_ms) = timed(|| software_update_preferences::software_update_preferences(host));
    let (ddm_state, ddm_state_ms) = timed(|| ddm_state::ddm_state(host));
    let (system_version, system_version_ms) = timed(|| system_version::system_version(host));
    let zone = zone(host, options, &install_log, log, now);
    let sources = vec![
        install_log_status(&install_log, now, install_log_ms),
        fact_status("software_update_preferences", &preferences, now, preferences_ms),
        fact_status("ddm_state", &ddm_state, now, ddm_state_ms),
        fact_status("system_version", &system_version, now, system_version_ms),
        zone_status(&zone, now),
    ];
    let install_log = match install_log {
        Fact::Known(read) => Fact::Known(read.events.into()),
        Fact::Unknown { reason, why } => Fact::Unknown { reason, why },
    };
    (UpdateEvidence { install_log, preferences, ddm_state, system_version, zone }, sources)
}

/// What stands in for it before the first reading has ended.
pub fn nothing_yet(reason: &'static str, why: &str, now: Time) -> (UpdateEvidence, Vec<SourceStatus>) {
    let names = ["install_log", "software_update_preferences", "ddm_state", "system_version", "time_zone"];
    let sources = names.map(|name| fact_status(name, &Fact::<()>::unknown(reason, why), now, 0)).into();
    (UpdateEvidence::unknown(reason, why), sources)
}

/// install.log, read.
struct InstallLog {
    events: VecDeque<Event>,
    summary: InstallSummary,
    /// Bytes before the part that was read.
    left_out: u64,
    /// Events that were let go.
    dropped: u64,
}

fn read_install_log(host: &dyn Host) -> Fact<InstallLog> {
    let end = match host.read_file_end(INSTALL_LOG, INSTALL_LOG_END) {
        Ok(end) => end,
        Err(error) => return error.into(),
    };
    let (mut kept, mut dropped) = (VecDeque::new(), 0);
    let read = install_log::read(end.bytes.as_slice(), |record| {
        if let Some(event) = events::recognise(&record) {
            if kept.len() == MAX_EVENTS {
                kept.pop_front();
                dropped += 1;
            }
            kept.push_back(event);
        }
    });
    match read {
        Ok(summary) if summary.records == 0 && !end.bytes.is_empty() => {
            Fact::unknown("not_understood", format!("No line of {INSTALL_LOG} has the form of an installation log."))
        }
        Ok(summary) => Fact::Known(InstallLog { events: kept, summary, left_out: end.left_out, dropped }),
        Err(why) => HostError::Unreadable { path: INSTALL_LOG.into(), why }.into(),
    }
}

fn install_log_status(read: &Fact<InstallLog>, now: Time, duration_ms: u64) -> SourceStatus {
    let status = fact_status("install_log", read, now, duration_ms);
    let Fact::Known(log) = read else { return status };
    let InstallSummary { records, lines_skipped, lines_not_understood, first, last, .. } = log.summary;
    let oldest = log.events.front().filter(|_| log.dropped > 0).map(|event| event.at).or(first);
    let partial = match (log.left_out, log.dropped) {
        (0, 0) => None,
        (_, 0) => Some((
            "end_only",
            format!(
                "Only the last {} MiB were read; {} bytes before them were left out.",
                INSTALL_LOG_END >> 20,
                log.left_out
            ),
        )),
        (_, dropped) => Some(("too_many_events", format!("{dropped} old events were let go."))),
    };
    SourceStatus {
        state: if partial.is_some() { SourceState::Partial } else { status.state },
        reason: partial.as_ref().map(|(reason, _)| *reason),
        detail: partial.map(|(_, detail)| detail),
        covers: oldest.zip(last).map(|(from, to)| Span { from, to }),
        counts: Some(LogCounts {
            records_read: records,
            events_kept: u64::try_from(log.events.len()).unwrap_or(u64::MAX),
            lines_skipped,
            lines_not_understood,
        }),
        ..status
    }
}

/// The zone that was given, else the machine's own for a live Mac, else what the capture says of its moment and what the
/// Mac's lines carry: those of install.log, and the last of the unified log, of which a capture once had some in UTC
/// beside the Mac's own.
fn zone(
    host: &dyn Host,
    options: &ReadOptions,
    install_log: &Fact<InstallLog>,
    log: Option<&LogSummary>,
    now: Time,
) -> Zone {
    if let Some(offset) = options.utc_offset {
        return Zone::Given(offset);
    }
    if host.is_live() {
        return Zone::Machine;
    }
    let mut spans = install_log.known().map(|log| log.summary.offsets.clone()).unwrap_or_default();
    let last = log.and_then(|log| log.last.zip(log.offset));
    let recorded = host.utc_offset().map(|offset| (now, offset));
    spans.extend(recorded.or(last).map(|(at, offset)| OffsetSpan { from: at, to: at, offset }));
    Zone::seen(spans)
}

fn zone_status(zone: &Zone, now: Time) -> SourceStatus {
    const UNKNOWN: &str = "No line of this Mac carries an offset, so its local time is not known: pass --utc-offset.";
    let fact = if *zone == Zone::Unknown { Fact::unknown("zone_unknown", UNKNOWN) } else { Fact::Known(()) };
    let detail = match zone {
        Zone::Given(offset) => Some(format!("The offset {offset} was given.")),
        Zone::Machine => Some("This machine's own zone.".to_owned()),
        Zone::Seen(_) => {
            Some("The offsets that this Mac's lines carry; a clock change after them is not known.".to_owned())
        }
        Zone::Unknown => None,
    };
    let status = fact_status("time_zone", &fact, now, 0);
    // Nothing failed: there is no such line.
    let state = if *zone == Zone::Unknown { SourceState::Unavailable } else { status.state };
    SourceStatus { state, detail: status.detail.clone().or(detail), last_error_at: None, ..status }
}
