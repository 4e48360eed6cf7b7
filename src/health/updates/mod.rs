//! Builds the updates from every source that mentions them: a fold over the events in chronological order.
//!
//! A line about progress names no product. It belongs to the update in hand: the one that mdmclient asked for, or the
//! only one of the system that is on offer. With two or none it stays untied: a row without product key.

mod assembler;
pub mod blockers;
pub mod enforcement;
pub mod failure_code;
mod operation;
mod status;
pub mod stuck;
pub mod timeline;
mod versions;

pub use status::{Id, Update};
pub use versions::compare as compare_versions;

use crate::event::{Event, EventKind, HttpMessage};
use crate::health::Evidence;
use crate::vocabulary::Time;
use crate::vocabulary::codes::{UpdateKind, UpdatePhase};
use assembler::{Assembler, Step};
use enforcement::Enforcement;
use std::cmp::Ordering;
use timeline::TimelineEntry;

/// Puts the updates together, and ties the entries of the timeline to them. `events` are those of the unified log.
pub fn assemble<'e>(
    events: impl Iterator<Item = &'e Event>,
    entries: &mut [TimelineEntry],
    evidence: &Evidence,
    enforcements: &[Enforcement],
    now: Time,
) -> Vec<Update> {
    let preferences = evidence.preferences.known();
    let recommended = preferences.and_then(|preferences| preferences.recommended.as_deref()).unwrap_or_default();
    let mut fold = Assembler::new(entries, recommended, enforcements);
    let mut steps: Vec<(Time, Step<'_>)> = (0..entries.len())
        .filter_map(|index| Some((entries.get(index)?.at, Step::Entry(index))))
        .chain(events.filter_map(|event| Some((event.at, order(event)?))))
        .collect();
    if let Some(preferences) = preferences {
        let first = |key: &str| preferences.first_offered.iter().find(|(one, _)| one == key).map(|(_, at)| *at);
        for update in recommended {
            let times = [first(&update.product_key), preferences.last_successful_scan_at];
            steps.extend(times.into_iter().flatten().map(|at| (at, Step::Offer(update))));
        }
        let failure = preferences.ddm_failure.as_ref();
        steps.extend(failure.and_then(|failure| Some((failure.at?, Step::Failure(failure)))));
    }
    steps.retain(|(at, _)| *at <= now);
    steps.sort_by_key(|(at, step)| (*at, step.rank()));
    for (at, step) in steps {
        fold.step(at, step, entries);
    }
    fold.close(entries);
    for update in recommended {
        fold.recommended(update, None);
    }
    finish(fold.finish(), evidence, enforcements)
}

/// ScheduleOSUpdate, from its receipt to its answer.
fn order(event: &Event) -> Option<Step<'static>> {
    match &event.kind {
        EventKind::CommandReceived { request_type, .. } if &**request_type == "ScheduleOSUpdate" => {
            Some(Step::Received)
        }
        EventKind::RequestSent { message: HttpMessage::Answer { request_type, .. }, .. }
            if &**request_type == "ScheduleOSUpdate" =>
        {
            Some(Step::Answered)
        }
        _ => None,
    }
}

/// What only the whole shows.
fn finish(mut updates: Vec<Update>, evidence: &Evidence, enforcements: &[Enforcement]) -> Vec<Update> {
    let system = evidence.system_version.known();
    for update in &mut updates {
        let runs = system.and_then(|system| system.build.as_deref());
        if update.build.is_some() && update.build.as_deref() == runs && update.stage < Some(UpdatePhase::Installed) {
            update.installed(None);
        }
        if let (None, true, Some(version), Some(system)) = (update.kind, update.of_the_system, &update.version, system)
        {
            update.kind = kind_by_version(version, system.major());
        }
        let fits = |one: &&Enforcement| one.leads_to(update.version.as_deref(), update.build.as_deref());
        if let Some(enforcement) = enforcements.iter().filter(|one| one.in_force() || one.is_met()).find(fits) {
            update.deadline_at = enforcement.deadline_at;
            update.sources.extend(&enforcement.sources);
        }
    }
    let running = system.map(|system| system.version.as_str());
    updates.retain(|update| !is_past(update, running));
    updates
}

/// Whether an offer is of yesterday: the Mac runs a later version, and never worked on it.
fn is_past(update: &Update, running: Option<&str>) -> bool {
    let older = |version: &str| versions::compare(version, running?).map(|order| order == Ordering::Less);
    update.of_the_system
        && !update.failed
        && update.stage <= Some(UpdatePhase::CommandReceived)
        && update.version.as_deref().and_then(older) == Some(true)
}

fn kind_by_version(version: &str, running: Option<u32>) -> Option<UpdateKind> {
    let major: u32 = version.split('.').next()?.parse().ok()?;
    Some(if major > running? { UpdateKind::Major } else { UpdateKind::Minor })
}
