//! The verdict, what to do about it, and what it rests on.

use super::clock::length;
use super::labels;
use super::view::RowView;
use super::{Report, html};
use crate::tables::MDM_WATCHDOG;
use crate::vocabulary::codes::{WatchdogReason, WatchdogState};
use chrono::TimeDelta;
use std::fmt::Write as _;

/// The verdict.
pub fn section(report: &Report) -> String {
    let row = report.first(&MDM_WATCHDOG);
    let state = row.code("state").unwrap_or(WatchdogState::Unknown);
    let reason: Option<WatchdogReason> = row.code("reason");
    let look = labels::state(state);
    format!(
        "<section id=\"verdict\" class=\"verdict {}\" aria-labelledby=\"verdict-word\">{}<div>\
         <p class=\"over\">MDM client</p><h2 id=\"verdict-word\">{}</h2>\
         <p class=\"lead\">{}</p><p class=\"codes\">state <code>{}</code>, reason <code>{}</code></p>\
         <p class=\"advice\"><strong>What to do:</strong> {}</p></div></section>\n",
        look.class,
        labels::symbol(&look),
        look.word,
        report.clock.sentence(row.text("detail").unwrap_or_default()),
        state.word(),
        reason.map_or("", WatchdogReason::word),
        html::prose(labels::advice(state, reason)),
    )
}

/// The figures behind the verdict.
pub fn evidence(report: &Report) -> String {
    let facts = facts(report, report.first(&MDM_WATCHDOG));
    let facts: String =
        facts.iter().map(|(name, value)| format!("<div><dt>{name}</dt><dd>{value}</dd></div>\n")).collect();
    format!("<div class=\"box\"><h2>Evidence</h2><dl class=\"facts\">\n{facts}</dl></div>\n")
}

/// What mdm-watchdog would print.
pub fn outputs(report: &Report) -> String {
    let row = report.first(&MDM_WATCHDOG);
    let mut page = "<div class=\"box\"><h2>Outputs of mdm-watchdog</h2><table class=\"outputs\"><thead><tr>\
        <th scope=\"col\">Question</th><th scope=\"col\">Answer</th></tr></thead><tbody>\n"
        .to_owned();
    for (column, question) in labels::OUTPUTS {
        let answer = output(report, row, column);
        let _ = writeln!(page, "<tr><th scope=\"row\">{question} <code>{column}</code></th><td>{answer}</td></tr>");
    }
    page.push_str(
        "</tbody></table><p class=\"note\">They follow mdm-watchdog’s own rule: every silence of 90 minutes counts as stuck. \
         The verdict above needs more than a silence.</p></div>\n",
    );
    page
}

fn facts(report: &Report, row: RowView<'_>) -> [(&'static str, String); 8] {
    let moment = |column: &str| row.time(column).map(|at| report.moment(at));
    let or_none = |value: Option<String>, none: &str| value.unwrap_or_else(|| format!("<i>{none}</i>"));
    let command = row.text("last_command_type").map(|command| {
        let at = moment("last_command_at").map_or_else(String::new, |at| format!("<br/>{at}"));
        format!("<code>{}</code>{at}", html::text(command))
    });
    let span = row.time("log_from").zip(row.time("log_to")).map(|(from, to)| {
        let covered = length(to - from);
        format!("{} to<br/>{} <small>{covered}</small>", report.clock.element(from), report.clock.element(to))
    });
    let gap = row.number("usual_gap_seconds").and_then(TimeDelta::try_seconds);
    [
        ("Last success", or_none(moment("last_success_at"), "none in the log")),
        ("Last attempt", or_none(moment("last_attempt_at"), "none in the log")),
        (
            "Last HTTP status",
            or_none(row.number("last_http_status").map(|status| status.to_string()), "none in the log"),
        ),
        ("Last command", or_none(command, "none in the log")),
        ("Usual gap between successes", or_none(gap.map(|gap| format!("up to {}", length(gap))), "too little history")),
        ("Awake since", or_none(moment("awake_since"), "unknown")),
        ("The log covers", or_none(span, "nothing, as it could not be read")),
        (
            "Window for a success",
            or_none(row.number("window_seconds").map(|seconds| format!("{} minutes", seconds / 60)), ""),
        ),
    ]
}

/// One of mdm-watchdog's outputs. A restart that never was is not the same as one that is not known.
fn output(report: &Report, row: RowView<'_>, column: &str) -> String {
    let unknown = || "<i>unknown</i>".to_owned();
    if column.starts_with("last_") {
        let none = || if report.knows_restarts() { "never".to_owned() } else { unknown() };
        return row.time(column).map_or_else(none, |at| report.moment(at));
    }
    match row.flag(column) {
        None => unknown(),
        Some(false) => "no".to_owned(),
        Some(true) => "<strong>yes</strong>".to_owned(),
    }
}
