//! OS updates: whether they are stuck, what to do first, and how far each one is.

use super::clock::distance;
use super::labels;
use super::targets::{Target, targets};
use super::{Report, html};
use crate::tables::{MDM_WATCHDOG, OS_UPDATE_SETTINGS};
use crate::vocabulary::Code;
use crate::vocabulary::codes::{EnforcementState, SoftwareUpdatesReason, UpdateBlocker, UpdatePhase};
use std::fmt::Write as _;

/// The most updates that are shown in full; the tables hold them all.
const MOST_TARGETS: usize = 4;

/// The card.
pub fn section(report: &Report) -> String {
    let row = report.first(&MDM_WATCHDOG);
    let stuck = row.flag("mdm_software_updates_stuck");
    let reason: Option<SoftwareUpdatesReason> = row.code("software_updates_reason");
    let targets = targets(report);
    let look = labels::updates(stuck, targets.iter().any(Target::troubled));
    let first = targets.first();
    let sentence = first.and_then(|target| headline(report, target, stuck, reason));
    let sentence = sentence.unwrap_or_else(|| html::text(reason.map_or("", Code::meaning)));
    let advice = remedy(report, first, stuck);
    let advice = advice.map(|advice| format!("<p class=\"advice\"><strong>What to do first:</strong> {advice}</p>"));
    let mut section = format!(
        "<section id=\"updates\" class=\"verdict small {}\" aria-labelledby=\"updates-word\">{}<div class=\"grows\">\
         <p class=\"over\">OS updates</p><h2 id=\"updates-word\">{}</h2><p>{sentence} <code>{}</code></p>{}\n",
        look.class,
        labels::symbol(&look),
        look.word,
        reason.map_or("", SoftwareUpdatesReason::word),
        advice.unwrap_or_default(),
    );
    section.push_str("<div class=\"targets\">\n");
    for target in targets.iter().take(MOST_TARGETS) {
        section.push_str(&card(report, target));
    }
    section.push_str("</div>");
    if let Some(more @ 1..) = targets.len().checked_sub(MOST_TARGETS) {
        let _ = write!(
            section,
            "<p class=\"note\">{more} more are in the tables <code>os_update_status</code> and \
             <code>os_update_enforcement</code>.</p>"
        );
    }
    section + "</div></section>\n"
}

/// What is wrong with the first update, or what it waits for, with its version and date.
fn headline(
    report: &Report,
    target: &Target<'_>,
    stuck: Option<bool>,
    reason: Option<SoftwareUpdatesReason>,
) -> Option<String> {
    let name = html::text(&target.name());
    let due = target.deadline().map(|at| report.moment(at));
    let failed = target.failed_at().map(|at| report.clock.element(at));
    Some(match (reason, due, failed) {
        (Some(SoftwareUpdatesReason::EnforcementPastDue), Some(due), _) => {
            format!("<strong>{name}</strong> was due {due}, and nothing moved within the last 90 minutes.")
        }
        (Some(SoftwareUpdatesReason::UpdateInProgress), Some(due), _) => {
            format!("<strong>{name}</strong> was due {due}; it is moving.")
        }
        (Some(SoftwareUpdatesReason::EnforcementFailing), _, Some(failed)) => {
            let times = target.failures().map(|count| format!(" {count} times")).unwrap_or_default();
            format!("<strong>{name}</strong> failed{times}, the last time {failed}, and nothing moved since.")
        }
        _ if stuck == Some(true) => return None,
        (_, _, Some(failed)) if target.troubled() => {
            let again = target.attempts().filter(|attempts| *attempts > 1 && target.is_moving());
            let again = again.map(|attempts| format!(" Attempt {attempts} is under way."));
            format!("<strong>{name}</strong> failed {failed}.{}", again.unwrap_or_default())
        }
        _ if target.state() == Some(EnforcementState::NoMatch) => {
            format!("Apple offers nothing that fits the enforced update <strong>{name}</strong>.")
        }
        _ if target.state() == Some(EnforcementState::Rejected) => {
            format!("The Mac refused the enforced update <strong>{name}</strong> as invalid.")
        }
        (_, Some(due), None) if target.state() == Some(EnforcementState::Waiting) => {
            format!("<strong>{name}</strong> is due {due}.")
        }
        _ => return None,
    })
}

/// What helps most likely: first what the Mac lacks, then what the declaration lacks, then a restart.
fn remedy(report: &Report, target: Option<&Target<'_>>, stuck: Option<bool>) -> Option<String> {
    let troubled = stuck == Some(true) || target.is_some_and(Target::troubled);
    let blockers: Vec<&str> = blockers(report, target).into_iter().map(UpdateBlocker::advice).collect();
    let state = target.and_then(Target::state);
    let known = target.and_then(Target::known);
    let phase = target.and_then(Target::phase);
    if troubled && !blockers.is_empty() {
        return Some(html::prose(&blockers.join(" ")));
    }
    let advice = match (stuck, state, phase) {
        (_, Some(state @ (EnforcementState::NoMatch | EnforcementState::Rejected)), _) => state.advice(),
        _ if known.is_some_and(|known| !known.advice().is_empty()) && troubled => known.map_or("", Code::advice),
        (_, _, Some(UpdatePhase::Prepared)) if stuck == Some(true) => labels::PREPARED_ADVICE,
        _ if stuck == Some(true) => labels::UPDATES_ADVICE,
        (_, _, Some(UpdatePhase::Failed)) => labels::FAILED_ADVICE,
        _ => return None,
    };
    Some(html::prose(advice))
}

/// What keeps the Mac from installing it.
fn blockers(report: &Report, target: Option<&Target<'_>>) -> Vec<UpdateBlocker> {
    let words = target.and_then(|target| target.enforcement?.text("blockers")).unwrap_or_default();
    let mut blockers: Vec<UpdateBlocker> = words.split(',').filter_map(UpdateBlocker::from_word).collect();
    let of_the_mac = report.first(&OS_UPDATE_SETTINGS).code("mdm_blocked_by");
    blockers.extend(of_the_mac.filter(|blocker| !blockers.contains(blocker)));
    blockers
}

/// One update.
fn card(report: &Report, target: &Target<'_>) -> String {
    let mut facts: Vec<(&str, String)> = Vec::new();
    if let Some(deadline) = target.deadline() {
        facts.push(("Deadline", report.moment(deadline)));
    } else if let Some(text) = target.deadline_text() {
        facts.push(("Deadline", format!("{} <small>the Mac’s time, zone unknown</small>", html::text(text))));
    }
    if let Some(later) = target.enforcement.and_then(|row| row.time("padded_deadline_at")) {
        facts.push(("Put off by the Mac until", report.moment(later)));
    }
    if let Some(state) = target.state() {
        facts.push((
            "Enforcement",
            format!("<strong>{}</strong><br/>{}", spoken(state.word()), html::text(state.meaning())),
        ));
    }
    facts.push(("Phase", phase(report, target)));
    if let Some(attempts) = target.attempts() {
        facts.push(("Attempts", attempts.to_string()));
    }
    facts.extend(failure(report, target).map(|failure| ("Last failure", failure)));
    if let Some(told) = target.enforcement.and_then(|row| row.text("reported_state")) {
        let why = target.enforcement.and_then(|row| row.text("reported_failure"));
        let why = why.map(|why| format!(": {}", html::text(why))).unwrap_or_default();
        facts.push(("Told its server", format!("{}{why}", html::text(told))));
    }
    let blockers = blockers(report, Some(target));
    if !blockers.is_empty() && !target.is_over() {
        let sentences: Vec<String> = blockers.into_iter().map(|blocker| html::prose(blocker.meaning())).collect();
        let figures = target.enforcement.and_then(|row| row.text("blockers_detail"));
        let figures = figures.map(|figures| format!("<br/><small>{}</small>", html::text(figures)));
        facts.push(("Blocked by", sentences.join("<br/>") + &figures.unwrap_or_default()));
    } else if target.enforcement.and_then(|row| row.flag("blocked")) == Some(false) {
        facts.push(("Blocked by", "nothing: space, power, bootstrap token and boot policy are in order".to_owned()));
    }
    let facts: String =
        facts.iter().map(|(name, value)| format!("<div><dt>{name}</dt><dd>{value}</dd></div>\n")).collect();
    format!("<div class=\"target\"><h3>{}</h3><dl class=\"facts\">\n{facts}</dl></div>\n", html::text(&target.name()))
}

/// How far it is: `preparing, 64 %, 1.2 of 3.4 GB, 12 min left, stalled`.
fn phase(report: &Report, target: &Target<'_>) -> String {
    let Some(update) = target.update else {
        return "<i>no source says that the Mac works on it</i>".to_owned();
    };
    let Some(phase) = target.phase() else { return "<i>unknown</i>".to_owned() };
    let mut words = vec![format!("<strong>{}</strong>", spoken(phase.word()))];
    words.extend(update.number("percent").map(|percent| format!("{percent} %")));
    words.extend(match (update.number("downloaded_bytes"), update.number("total_bytes")) {
        (Some(done), Some(all)) => Some(format!("{} of {}", labels::bytes(done), labels::bytes(all))),
        (Some(done), None) => Some(format!("{} downloaded", labels::bytes(done))),
        (None, all) => all.or(update.number("download_size")).map(|all| format!("{} in all", labels::bytes(all))),
    });
    let left = update.number("seconds_left").and_then(chrono::TimeDelta::try_seconds);
    words.extend(left.map(|left| format!("{} left", super::clock::length(left))));
    words.extend((update.flag("stalled") == Some(true)).then(|| "<strong>stalled</strong>".to_owned()));
    let last = update.time("last_event_at").map(|at| distance(at, report.now));
    words.join(", ") + &last.map(|last| format!(" <small>last mentioned {last}</small>")).unwrap_or_default()
}

/// When it last failed, and why in the Mac's words.
fn failure(report: &Report, target: &Target<'_>) -> Option<String> {
    let (at, why) = (target.failed_at(), target.why());
    if at.is_none() && why.is_none() {
        return None;
    }
    let at = at.map(|at| report.moment(at)).unwrap_or_default();
    let why = why.map(|why| format!("<br/>{}", html::text(why))).unwrap_or_default();
    let times = target.failures().filter(|count| *count > 1);
    let times = times.map(|count| format!("<br/>It failed {count} times in all.")).unwrap_or_default();
    let meaning = target.meaning().map(|meaning| format!("<br/>{}", html::prose(meaning)));
    Some(format!("{at}{why}{}{times}", meaning.unwrap_or_default()))
}

fn spoken(word: &str) -> String {
    word.replace('_', " ")
}
