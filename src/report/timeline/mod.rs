//! The timeline: a picture of lanes over one axis of time, its legend, and the same in words.

mod contact;
mod dates;
mod draw;
mod lane;
mod scale;
mod updates;

use super::{Report, html};
use crate::health::window::WINDOW;
use crate::tables::{
    MDM_COMMANDS_RECENT, MDM_EXCHANGES, MDM_WATCHDOG, OS_UPDATE_ENFORCEMENT, OS_UPDATE_EVENTS, OS_UPDATE_STATUS,
};
use crate::vocabulary::Time;
use draw::Shade;
use lane::{Item, Kind, Lane};
use scale::Scale;
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// The picture with what belongs to it.
pub fn section(report: &Report) -> String {
    let scale = scale(report);
    let mut lanes = vec![contact::exchanges(report, scale), contact::commands(report, scale)];
    lanes.extend(updates::lanes(report, scale));
    lanes.extend([updates::said(report, scale), dates::deadlines(report, scale), dates::restarts(report, scale)]);
    let (drawn, empty): (Vec<Lane>, Vec<Lane>) =
        lanes.into_iter().partition(|lane| lane.rows.iter().any(|row| !row.is_empty()));
    let shades = shades(report, scale);
    let zone = report.clock.name(scale.from, scale.to);
    let mut section = format!(
        "<section id=\"timeline\"><h2>Timeline</h2><p class=\"note\">In {zone}. <span class=\"mouse\">Point at a \
         mark for its details.</span></p>\n<figure>{}<figcaption>{}",
        draw::picture(report, scale, &drawn, &shades),
        legend(&drawn, &shades)
    );
    section.push_str("<details class=\"prints\"><summary>The timeline in words</summary><ul id=\"timeline-words\">");
    for lane in &drawn {
        let _ = write!(section, "<li><strong>{}:</strong> {}", html::text(&lane.name), html::text(&lane.words));
        section.push_str(&notable(lane));
        section.push_str("</li>");
    }
    for shade in &shades {
        let _ = write!(section, "<li>{}</li>", html::text(&shade.details));
    }
    section.push_str("</ul></details>");
    if !empty.is_empty() {
        let names: Vec<String> =
            empty.iter().map(|lane| format!("{} ({})", html::text(&lane.name), html::text(&lane.words))).collect();
        let _ = write!(section, "<p class=\"note\">Nothing to draw: {}.</p>", names.join("; "));
    }
    section + "</figcaption></figure></section>\n"
}

/// The stretch of time that is shown.
fn scale(report: &Report) -> Scale {
    let of = |table, columns: &'static [&'static str]| {
        let rows = report.rows(table).into_iter();
        rows.flat_map(move |row| columns.iter().filter_map(move |column| row.time(column)))
    };
    let happened = of(&MDM_EXCHANGES, &["started_at", "finished_at"])
        .chain(of(&MDM_COMMANDS_RECENT, &["received_at", "responded_at"]))
        .chain(of(
            &OS_UPDATE_STATUS,
            &["download_started_at", "downloaded_at", "prepared_at", "install_started_at", "failed_at"],
        ))
        .chain(of(&OS_UPDATE_EVENTS, &["at"]))
        .chain(of(&OS_UPDATE_ENFORCEMENT, &["deadline_at", "failed_at"]));
    Scale::new(report.now, report.first(&MDM_WATCHDOG).time("log_from"), happened)
}

/// What lies behind the lanes: the window, the time before the Mac woke, and what the log does not cover.
fn shades(report: &Report, scale: Scale) -> Vec<Shade> {
    let row = report.first(&MDM_WATCHDOG);
    let clock = &report.clock;
    let mut shades = vec![Shade {
        from: report.now - WINDOW,
        to: report.now,
        class: "window",
        words: "the 90-minute window",
        details: format!("A success counts as recent from {} on.", clock.short(report.now - WINDOW)),
    }];
    if let Some(awake) = row.time("awake_since").filter(|awake| *awake > scale.from) {
        let details = format!("The Mac has been awake since {}.", clock.short(awake));
        shades.push(Shade { from: scale.from, to: awake, class: "asleep", words: "before the Mac woke", details });
    }
    let uncovered =
        |from, to, details| Shade { from, to, class: "uncovered", words: "not covered by the log", details };
    match row.time("log_from").zip(row.time("log_to")) {
        None => shades.push(uncovered(scale.from, report.now, "The log covers none of this.".to_owned())),
        Some((from, to)) => {
            if from > scale.from && from - scale.from > (scale.to - scale.from) / 40 {
                let details = format!("The log covers nothing before {}.", clock.short(from));
                shades.push(uncovered(scale.from, from, details));
            }
            if to < report.now && report.now - to > (scale.to - scale.from) / 40 {
                shades.push(uncovered(to, report.now, format!("The log covers nothing after {}.", clock.short(to))));
            }
        }
    }
    shades
}

/// The forms that are used, with their meaning.
fn legend(lanes: &[Lane], shades: &[Shade]) -> String {
    let items = lanes.iter().flat_map(|lane| lane.rows.iter().flatten());
    let used: BTreeSet<Kind> = items
        .filter_map(|item| match item {
            Item::Mark { kind, .. } | Item::Bar { kind, .. } => Some(*kind),
            Item::Note { .. } => None,
        })
        .collect();
    let mut legend = "<ul class=\"legend\">".to_owned();
    for kind in Kind::ALL.into_iter().filter(|kind| used.contains(kind)) {
        let _ = write!(legend, "<li>{}{}</li>", draw::key(kind), kind.words());
    }
    let mut shown = BTreeSet::new();
    for shade in shades.iter().filter(|shade| shown.insert(shade.class)) {
        let _ = write!(legend, "<li>{}{}</li>", draw::shade_key(shade.class), shade.words);
    }
    legend + "</ul>"
}

/// The details of what failed or has no answer.
fn notable(lane: &Lane) -> String {
    const MOST: usize = 20;
    let details = lane.rows.iter().flatten().filter_map(|item| match item {
        Item::Mark { kind: Kind::Failed | Kind::Unanswered | Kind::Deadline | Kind::Installed, details, .. } => {
            Some(details)
        }
        Item::Bar { details, .. } => Some(details),
        Item::Mark { .. } | Item::Note { .. } => None,
    });
    let items: String = details.take(MOST).map(|details| format!("<li>{}</li>", html::text(details))).collect();
    if items.is_empty() { items } else { format!("<ul>{items}</ul>") }
}

/// Counts in words, without those that are zero.
fn counted(counts: &[(usize, &str)]) -> String {
    let words: Vec<String> =
        counts.iter().filter(|(count, _)| *count > 0).map(|(count, words)| format!("{count} {words}")).collect();
    if words.is_empty() { "none".to_owned() } else { words.join(", ") }
}

/// The details of a mark that stands for several moments.
fn gathered(report: &Report) -> impl Fn(u32, Kind, Time, Time) -> String {
    |count, kind, first, last| {
        let clock = &report.clock;
        format!("{count} × {}, {} to {}", kind.words(), clock.time_of_day(first), clock.time_of_day(last))
    }
}
