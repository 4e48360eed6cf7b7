//! The lanes about OS updates: one an update with its phases, one for what else was said of them.

use super::super::Report;
use super::super::view::RowView;
use super::lane::{Item, Kind, Lane, Marks};
use super::scale::Scale;
use super::{counted, gathered};
use crate::tables::{OS_UPDATE_EVENTS, OS_UPDATE_STATUS};
use crate::vocabulary::Time;
use crate::vocabulary::codes::UpdateEventKind;

/// The most updates that get a lane: the ones last spoken of.
const MOST_LANES: usize = 4;

/// The most phases of one update; the newest count.
const MOST_PHASES: usize = 80;

/// A phase of an update.
struct Phase {
    kind: Kind,
    from: Time,
    to: Time,
    details: String,
}

/// The updates that something is said of in this stretch of time.
pub fn lanes(report: &Report, scale: Scale) -> Vec<Lane> {
    let events = report.rows(&OS_UPDATE_EVENTS);
    let mut updates = report.rows(&OS_UPDATE_STATUS);
    updates.sort_by_key(|update| std::cmp::Reverse(update.time("last_event_at")));
    let mut lanes: Vec<Lane> = updates.into_iter().filter_map(|update| lane(report, scale, update, &events)).collect();
    let left_out = lanes.len().saturating_sub(MOST_LANES);
    lanes.truncate(MOST_LANES);
    if let Some(last) = lanes.last_mut().filter(|_| left_out > 0) {
        last.words += &format!("; {left_out} more updates are not shown (no space)");
    }
    lanes
}

fn lane(report: &Report, scale: Scale, update: RowView<'_>, events: &[RowView<'_>]) -> Option<Lane> {
    let mut items = phases(report, scale, update, events);
    for (column, kind, words) in [
        ("offered_at", Kind::Said, "offered"),
        ("command_received_at", Kind::Said, "ordered by the MDM server"),
        ("installed_at", Kind::Installed, "installed"),
        ("failed_at", Kind::Failed, "failed"),
    ] {
        if let Some(at) = update.time(column).filter(|at| scale.holds(*at)) {
            let why = update.text("error").filter(|_| column == "failed_at").map(|why| format!(": {why}"));
            let details = format!("{} {words}{}", report.clock.time_of_day(at), why.unwrap_or_default());
            items.push(Item::Mark { at, kind, details });
        }
    }
    if items.is_empty() {
        return None;
    }
    let percent = update.number("percent").map(|percent| format!(" {percent} %")).unwrap_or_default();
    let attempts = update.number("attempts").filter(|attempts| *attempts > 1);
    let attempts = attempts.map(|attempts| format!(", attempt {attempts}")).unwrap_or_default();
    let stalled = if update.flag("stalled") == Some(true) { ", stalled" } else { "" };
    let phase = update.text("phase").unwrap_or("phase unknown").replace('_', " ");
    Some(Lane { name: name(update), words: format!("{phase}{percent}{stalled}{attempts}"), rows: vec![items] })
}

fn name(update: RowView<'_>) -> String {
    let build = update.text("build").map(|build| format!(" ({build})")).unwrap_or_default();
    match (update.text("title"), update.text("version"), update.text("product_key")) {
        (Some(title), ..) => format!("{title}{build}"),
        (None, Some(version), _) => format!("Update to {version}{build}"),
        (None, None, Some(key)) => key.to_owned(),
        (None, None, None) => format!("An update that no source names{build}"),
    }
}

/// From each report of progress to the next. The last phase may still last: nobody knows after its last report.
fn phases(report: &Report, scale: Scale, update: RowView<'_>, events: &[RowView<'_>]) -> Vec<Item> {
    let failed = update.time("failed_at");
    let mut phases: Vec<Phase> = Vec::new();
    let mut open = false;
    for event in events.iter().filter(|event| is_of(update, **event)) {
        let (Some(at), Some(reported)) = (event.time("at"), kind(*event)) else { continue };
        if let Some(last) = phases.last_mut().filter(|_| open) {
            // A failure ends what was under way.
            let ended = failed.filter(|failed| (last.from..at).contains(failed));
            last.to = ended.unwrap_or(at);
            open = ended.is_none();
        }
        let Some(kind) = reported else {
            // What is prepared stays so when the operation ends.
            open &= phases.last().is_some_and(|last| last.kind == Kind::Prepared);
            continue;
        };
        if !open || phases.last().is_none_or(|last| last.kind != kind) {
            phases.push(Phase { kind, from: at, to: at, details: String::new() });
        }
        open = true;
        if let Some(last) = phases.last_mut() {
            let percent = event.number("percent").map(|percent| format!(", {percent} %")).unwrap_or_default();
            last.details = format!("{percent} at {}", report.clock.short(at));
        }
    }
    if let Some(last) = phases.last_mut().filter(|_| open)
        && let Some(failed) = failed.filter(|failed| *failed >= last.to)
    {
        (last.to, open) = (failed, false);
    }
    let rest = phases.last().filter(|last| open && update.text("phase") == Some(last.kind.words())).map(|last| last.to);
    let skipped = phases.len().saturating_sub(MOST_PHASES);
    let mut items: Vec<Item> = phases
        .into_iter()
        .skip(skipped)
        .filter(|phase| phase.to >= scale.from)
        .map(|Phase { kind, from, to, details }| {
            let details =
                format!("{}, {} to {}{details}", kind.words(), report.clock.short(from), report.clock.short(to));
            Item::Bar { from, to, kind, label: kind.words().to_owned(), details }
        })
        .collect();
    if let Some(from) = rest.filter(|from| report.now - *from > (scale.to - scale.from) / 50) {
        let details = format!("no further report since {}", report.clock.short(from));
        items.push(Item::Bar { from, to: report.now, kind: Kind::Unreported, label: String::new(), details });
    }
    items
}

/// Whether an event is about that update. One without a product is of the update without a product on which work began.
fn is_of(update: RowView<'_>, event: RowView<'_>) -> bool {
    let product_key = update.text("product_key");
    product_key == event.text("product_key") && (product_key.is_some() || update.number("attempts").is_some())
}

/// The phase that an event reports; `Some(None)` where an operation ends.
fn kind(event: RowView<'_>) -> Option<Option<Kind>> {
    match (event.code("kind"), event.text("phase")) {
        (Some(UpdateEventKind::Progress), Some(phase)) => Some(match phase {
            "COMPLETED" => None,
            "PREPARED" | "PREPARED_COMMITTING_STASH" => Some(Kind::Prepared),
            "APPLYING" => Some(Kind::Installing),
            phase if phase.starts_with("DOWNLOADING") => Some(Kind::Downloading),
            phase if phase.starts_with("PREPARING") => Some(Kind::Preparing),
            // ACCEPTED, READY and the like: no stage that anybody asks for.
            _ => return None,
        }),
        (Some(UpdateEventKind::Brain), _) if event.number("percent").is_some() => Some(Some(Kind::Preparing)),
        _ => None,
    }
}

/// All that is no progress: scans, declarations, errors.
pub fn said(report: &Report, scale: Scale) -> Lane {
    let (mut marks, mut others, mut errors, mut earlier) = (Marks::default(), 0, 0, 0);
    for event in report.rows(&OS_UPDATE_EVENTS) {
        let (Some(at), Some(what)) = (event.time("at"), event.code("kind")) else { continue };
        if matches!(what, UpdateEventKind::Progress | UpdateEventKind::Brain) {
            continue;
        }
        if !scale.holds(at) {
            earlier += 1;
            continue;
        }
        let (kind, count) =
            if what == UpdateEventKind::Error { (Kind::Failed, &mut errors) } else { (Kind::Said, &mut others) };
        *count += 1;
        let said = event.text("detail").or(event.text("event")).unwrap_or_default();
        let who = event.text("process").unwrap_or_default();
        marks.add(scale, at, kind, format!("{} {who}, {}: {said}", report.clock.time_of_day(at), what.word()));
    }
    let words = counted(&[(others, "noted"), (errors, "failed"), (earlier, "earlier")]);
    Lane { name: "Other OS update events".to_owned(), words, rows: vec![marks.items(gathered(report))] }
}
