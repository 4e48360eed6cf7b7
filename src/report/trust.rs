//! Enrollment, identity, and how far the sources can be trusted, so that a verdict that is unknown explains itself.

use super::view::RowView;
use super::{Report, html};
use crate::tables::{MDM_ENROLLMENT, MDM_HEALTH_STATUS, MDM_IDENTITY};
use crate::vocabulary::codes::SourceState;
use std::fmt::Write as _;

/// The most identities that are shown; the table holds them all.
const MOST_IDENTITIES: usize = 4;

/// Whether the Mac is enrolled, and in what.
pub fn enrollment(report: &Report) -> String {
    let row = report.first(&MDM_ENROLLMENT);
    let mut page = format!(
        "<div class=\"box\"><h2>Enrollment</h2><p><strong>{}</strong> {}</p><dl class=\"facts\">",
        state(row),
        report.clock.sentence(row.text("detail").unwrap_or_default())
    );
    for (name, column) in [("Server", "server_url"), ("Organization", "organization")] {
        if let Some(text) = row.text(column) {
            let _ = write!(page, "<div><dt>{name}</dt><dd>{}</dd></div>", html::text(text));
        }
    }
    for (name, column) in [
        ("Automated Device Enrollment", "enrolled_via_dep"),
        ("User approved", "user_approved"),
        ("Supervised", "supervised"),
    ] {
        if let Some(flag) = row.flag(column) {
            let _ = write!(page, "<div><dt>{name}</dt><dd>{}</dd></div>", if flag { "yes" } else { "no" });
        }
    }
    page + "</dl></div>\n"
}

/// The identity that is the MDM's, or those that may be.
pub fn identity(report: &Report) -> String {
    let all: Vec<RowView<'_>> =
        report.rows(&MDM_IDENTITY).into_iter().filter(|row| row.flag("is_mdm_identity") != Some(false)).collect();
    let mut page = "<div class=\"box\"><h2>Identity</h2>".to_owned();
    for row in all.iter().take(MOST_IDENTITIES) {
        let name = row.text("common_name").map(|name| format!(" {}", html::text(name))).unwrap_or_default();
        let _ = write!(page, "<p><strong>{}</strong>{name}</p><dl class=\"facts\">", state(*row));
        if let Some(issuer) = row.text("issuer") {
            let _ = write!(page, "<div><dt>Issuer</dt><dd>{}</dd></div>", html::text(issuer));
        }
        if let Some(end) = row.time("not_after") {
            let _ = write!(page, "<div><dt>Valid until</dt><dd>{}</dd></div>", report.moment(end));
        }
        let _ = write!(page, "</dl><p>{}</p>", report.clock.sentence(row.text("detail").unwrap_or_default()));
    }
    if all.is_empty() {
        page.push_str("<p>There is no MDM identity.</p>");
    }
    if let Some(more @ 1..) = all.len().checked_sub(MOST_IDENTITIES) {
        let _ = write!(page, "<p>{more} more are in the table <code>mdm_identity</code>.</p>");
    }
    page + "</div>\n"
}

/// What failed in full; what is not there by its name, with the reasons for whoever asks.
pub fn sources(report: &Report) -> String {
    let is = |row: &RowView<'_>, state: SourceState| row.code("state") == Some(state);
    let name = |row: &RowView<'_>| format!("<code>{}</code>", html::text(row.text("source").unwrap_or_default()));
    let item = |row: &RowView<'_>| {
        let detail = report.clock.sentence(row.text("detail").unwrap_or_default());
        format!("<li>{} <strong>{}</strong> {detail}</li>", name(row), state(*row))
    };
    let all = report.rows(&MDM_HEALTH_STATUS);
    let (absent, others): (Vec<RowView<'_>>, Vec<RowView<'_>>) =
        all.iter().partition(|row| is(row, SourceState::Unavailable));
    let troubled: Vec<String> = others.iter().filter(|row| !is(row, SourceState::Ok)).map(item).collect();
    let (good, all) = (others.len() - troubled.len(), all.len());
    let mut page =
        format!("<div class=\"box\" id=\"sources\"><h2>Sources</h2><p>{good} of {all} were read in full.</p>");
    if !troubled.is_empty() {
        let _ = write!(page, "<ul class=\"sources\">{}</ul>", troubled.concat());
    }
    if !absent.is_empty() {
        let names: Vec<String> = absent.iter().map(name).collect();
        let _ = write!(
            page,
            "<p class=\"note\">Not available here, which says nothing about this Mac: {}.</p><details>\
             <summary>Why they are not available</summary><ul class=\"sources\">{}</ul></details>",
            names.join(", "),
            absent.iter().map(item).collect::<String>()
        );
    }
    page + "</div>\n"
}

fn state(row: RowView<'_>) -> String {
    let mut letters = html::text(row.text("state").unwrap_or("unknown")).replace('_', " ");
    if let Some(first) = letters.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    letters
}
