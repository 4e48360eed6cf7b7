//! The lanes of deadlines that DDM sets, and of restarts.

use super::super::Report;
use super::super::clock::distance;
use super::lane::{Item, Kind, Lane, Marks};
use super::scale::Scale;
use super::{counted, gathered};
use crate::tables::{MDM_HEAL, OS_UPDATE_ENFORCEMENT};
use crate::vocabulary::codes::{EnforcementState, HealOutcome};

/// The most rows of declarations that are drawn: the last ones.
const MOST_ROWS: usize = 6;

/// The deadlines; one that lies beyond the picture is named at its edge. What came of them lies in a row below.
pub fn deadlines(report: &Report, scale: Scale) -> Lane {
    let mut rows = Vec::new();
    let all = report.rows(&OS_UPDATE_ENFORCEMENT);
    let (mut waiting, mut past_due, mut met, mut otherwise) = (0, 0, 0, 0);
    for row in &all {
        let state = row.code("state").unwrap_or(EnforcementState::Unknown);
        *match state {
            EnforcementState::Waiting => &mut waiting,
            EnforcementState::PastDue => &mut past_due,
            EnforcementState::Met => &mut met,
            _ => &mut otherwise,
        } += 1;
        // Logs name a declaration for months after it was removed.
        let shown = state != EnforcementState::Stale;
        let Some(deadline) = row.time("deadline_at").filter(|_| shown) else { continue };
        let state = state.word().replace('_', " ");
        let version = row.text("target_os_version").or(row.text("target_build_version")).unwrap_or("an update");
        let when = format!("{}, {}", report.clock.short(deadline), distance(deadline, report.now));
        let id = row.text("declaration_id").unwrap_or("no declaration");
        let mut items = vec![Item::Note { at: deadline, text: format!("{version}: {when}, {state}") }];
        if scale.holds(deadline) {
            let details = format!("{id}: {version} is due {when}, {state}");
            items.push(Item::Mark { at: deadline, kind: Kind::Deadline, details });
        }
        let later = [
            (row.time("padded_deadline_at"), Kind::Deadline, "put off by the Mac".to_owned()),
            (row.time("failed_at"), Kind::Failed, failures(row.number("failure_count"))),
        ];
        let later =
            later.into_iter().filter_map(|(at, kind, words)| Some((at.filter(|at| scale.holds(*at))?, kind, words)));
        let later: Vec<Item> = later
            .flat_map(|(at, kind, words)| {
                let why = row.text("failure_reason").filter(|_| kind == Kind::Failed);
                let why = why.map(|why| format!(": {why}")).unwrap_or_default();
                let details = format!("{} {id} {words}{why}", report.clock.short(at));
                [Item::Mark { at, kind, details }, Item::Note { at, text: words }]
            })
            .collect();
        rows.extend([items, later].into_iter().filter(|row| !row.is_empty()));
    }
    let left_out = rows.len().saturating_sub(MOST_ROWS);
    rows.drain(..left_out);
    let words = counted(&[
        (waiting, "waiting"),
        (past_due, "past due"),
        (met, "met"),
        (otherwise, "otherwise"),
        (left_out, "lines not shown (no space)"),
    ]);
    Lane { name: "Deadlines (DDM)".to_owned(), words, rows }
}

fn failures(count: Option<i64>) -> String {
    match count {
        Some(count @ 2..) => format!("failed {count} times, the last here"),
        _ => "failed".to_owned(),
    }
}

/// What mdm-health was asked to restart.
pub fn restarts(report: &Report, scale: Scale) -> Lane {
    let (mut marks, mut earlier) = (Marks::default(), 0);
    let (mut done, mut not, mut open) = (0, 0, 0);
    for row in report.rows(&MDM_HEAL) {
        let (Some(at), Some(outcome)) = (row.time("requested_at"), row.code("outcome")) else { continue };
        if !scale.holds(at) {
            earlier += 1;
            continue;
        }
        let (kind, count) = match outcome {
            HealOutcome::Done => (Kind::Done, &mut done),
            HealOutcome::DryRun | HealOutcome::Running => (Kind::Said, &mut open),
            _ => (Kind::Failed, &mut not),
        };
        *count += 1;
        let (action, detail) = (row.text("action").unwrap_or_default(), row.text("detail").unwrap_or_default());
        marks.add(scale, at, kind, format!("{} {action}: {}. {detail}", report.clock.time_of_day(at), outcome.word()));
    }
    let words = if report.knows_restarts() {
        counted(&[(done, "done"), (not, "not done"), (open, "dry run or under way"), (earlier, "earlier")])
    } else {
        "unknown: the record of restarts was not read".to_owned()
    };
    Lane { name: "Restarts by mdm-health".to_owned(), words, rows: vec![marks.items(gathered(report))] }
}
