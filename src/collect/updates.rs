//! What is known of OS updates beside the unified log: softwareupdated's files, and install.log.

use super::answers::Reading;
use super::fact_status;
use super::install_log::{Follower, InstallLog};
use super::remembered::{Answer, Limits, Remembered};
use crate::facts::ddm_state::DdmState;
use crate::facts::software_update_preferences::SoftwareUpdatePreferences;
use crate::facts::system_version::SystemVersion;
use crate::facts::zone::Zone;
use crate::facts::{ddm_state, software_update_preferences, system_version};
use crate::health::{StandIns, UpdateEvidence};
use crate::log::LogSummary;
use crate::log::install_log::{InstallSummary, OffsetSpan};
use crate::vocabulary::codes::{SourceName, SourceReason, SourceState};
use crate::vocabulary::{Fact, LogCounts, SourceStatus, Span, Time};

/// The last good answers.
#[derive(Default)]
pub struct UpdateAnswers {
    follower: Follower,
    install_log: Remembered<InstallLog>,
    preferences: Remembered<SoftwareUpdatePreferences>,
    ddm_state: Remembered<DdmState>,
    system_version: Remembered<SystemVersion>,
}

impl UpdateAnswers {
    /// Asks for all of it. `slow` is how long an answer serves that changes seldom, `log` what reading a recorded log
    /// came to. Of the older answers that stand in for others only those about updates are filled.
    pub fn ask(
        &mut self,
        reading: &Reading<'_>,
        slow: Limits,
        log: Option<&LogSummary>,
    ) -> (UpdateEvidence, Vec<SourceStatus>, StandIns) {
        let Reading { host, now, .. } = *reading;
        let install_log = self.install_log.ask(SourceName::InstallLog, Limits::FILE, now, || self.follower.read(host));
        let preferences = self.preferences.ask(SourceName::SoftwareUpdatePreferences, Limits::FILE, now, || {
            software_update_preferences::software_update_preferences(host)
        });
        let ddm_state = self.ddm_state.ask(SourceName::DdmState, Limits::FILE, now, || ddm_state::ddm_state(host));
        let system_version =
            self.system_version.ask(SourceName::SystemVersion, slow, now, || system_version::system_version(host));
        let zone = zone(reading, &install_log.fact, log);
        let sources = vec![
            install_log_status(&install_log),
            preferences.status,
            ddm_state.status,
            system_version.status,
            zone_status(&zone, now),
        ];
        let events = |log: InstallLog| log.events.into();
        let stand_ins = StandIns {
            install_log: install_log.stand_in.map(events),
            preferences: preferences.stand_in,
            ddm_state: ddm_state.stand_in,
            system_version: system_version.stand_in,
            ..StandIns::default()
        };
        let evidence = UpdateEvidence {
            install_log: install_log.fact.map(events),
            preferences: preferences.fact,
            ddm_state: ddm_state.fact,
            system_version: system_version.fact,
            zone,
        };
        (evidence, sources, stand_ins)
    }
}

/// What stands in for it before the first reading has ended.
pub fn nothing_yet(reason: SourceReason, why: &str, now: Time) -> (UpdateEvidence, Vec<SourceStatus>) {
    let names = [
        SourceName::InstallLog,
        SourceName::SoftwareUpdatePreferences,
        SourceName::DdmState,
        SourceName::SystemVersion,
        SourceName::TimeZone,
    ];
    let sources = names.map(|name| fact_status(name, &Fact::<()>::unknown(reason, why), now, 0)).into();
    (UpdateEvidence::unknown(reason, why), sources)
}

fn install_log_status(answer: &Answer<InstallLog>) -> SourceStatus {
    let status = answer.status.clone();
    let Some(log) = answer.fact.known().or(answer.stand_in.as_ref()) else { return status };
    let InstallSummary { records, lines_skipped, lines_not_understood, first, last, .. } = log.summary;
    let oldest = log.events.front().filter(|_| log.dropped > 0).map(|event| event.at).or(first);
    let partial = match (log.left_out, log.dropped) {
        (0, 0) => None,
        (left_out, 0) => {
            Some((SourceReason::EndOnly, format!("Only the end was read; {left_out} bytes before it were left out.")))
        }
        (_, dropped) => Some((SourceReason::TooManyEvents, format!("{dropped} old events were dropped (limit)."))),
    };
    // That it could not be read now matters more.
    let partial = partial.filter(|_| status.state == SourceState::Ok);
    let (reason, detail) = partial.map_or((status.reason, status.detail), |(reason, why)| (Some(reason), Some(why)));
    SourceStatus {
        state: if reason.is_some() { SourceState::Partial } else { status.state },
        reason,
        detail,
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
fn zone(reading: &Reading<'_>, install_log: &Fact<InstallLog>, log: Option<&LogSummary>) -> Zone {
    if let Some(offset) = reading.options.utc_offset {
        return Zone::Given(offset);
    }
    if reading.host.is_live() {
        return Zone::Machine;
    }
    let mut spans = install_log.known().map(|log| log.summary.offsets.clone()).unwrap_or_default();
    let last = log.and_then(|log| log.last.zip(log.offset));
    let recorded = reading.host.utc_offset().map(|offset| (reading.now, offset));
    spans.extend(recorded.or(last).map(|(at, offset)| OffsetSpan { from: at, to: at, offset }));
    Zone::seen(spans)
}

fn zone_status(zone: &Zone, now: Time) -> SourceStatus {
    const UNKNOWN: &str = "No line of this Mac carries an offset, so its local time is not known: pass --utc-offset.";
    let fact = if *zone == Zone::Unknown { Fact::unknown(SourceReason::ZoneUnknown, UNKNOWN) } else { Fact::Known(()) };
    let detail = match zone {
        Zone::Given(offset) => Some(format!("The offset {offset} was given.")),
        Zone::Machine => Some("This machine's own zone.".to_owned()),
        Zone::Seen(_) => {
            Some("The offsets that this Mac's lines carry; a clock change after them is not known.".to_owned())
        }
        Zone::Unknown => None,
    };
    let status = fact_status(SourceName::TimeZone, &fact, now, 0);
    // Nothing failed: there is no such line.
    let state = if *zone == Zone::Unknown { SourceState::Unavailable } else { status.state };
    SourceStatus { state, detail: status.detail.clone().or(detail), last_error_at: None, ..status }
}
