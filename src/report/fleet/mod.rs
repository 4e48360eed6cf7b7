//! Many Macs on one page, a line each, the worst first. It can be sorted without a script: each line carries its rank in
//! every order, and the chosen order is a style.

mod counts;
mod line;

pub use line::{Line, Summary};

use super::{POLICY, STYLE, SYMBOLS, html};
use line::Ranks;
use std::fmt::Write as _;

const FLEET_STYLE: &str = include_str!("style.css");

/// The orders: the name of the choice, and what it is called.
const ORDERS: [(&str, &str); 5] = [
    ("worst", "Worst first"),
    ("name", "Name"),
    ("macos", "macOS, oldest first"),
    ("success", "Last success, oldest first"),
    ("captured", "Captured, oldest first"),
];

/// The page. `folder` is where the captures were found.
pub fn page(folder: &str, mut lines: Vec<Line>) -> String {
    lines.sort_by(Line::worse);
    let mut page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"/>\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{}\"/>\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n\
         <meta name=\"color-scheme\" content=\"light dark\"/><meta name=\"referrer\" content=\"no-referrer\"/>\n\
         <title>mdm-health: {} Macs</title>\n<style>\n{STYLE}{FLEET_STYLE}</style></head><body class=\"fleet\">\n{SYMBOLS}\
         <header><h1>MDM health of {} Macs</h1><dl><div><dt>Captures in</dt><dd>{}</dd></div>{}\
         <div><dt>By</dt><dd>mdm-health {}</dd></div></dl>\
         <nav aria-label=\"Parts of this page\"><a href=\"#overview\">Overview</a> <a href=\"#reasons\">Reasons</a> \
         <a href=\"#macs\">Macs</a></nav></header>\n<main>\n",
        html::text(POLICY),
        lines.len(),
        lines.len(),
        html::text(folder),
        span(&lines),
        crate::VERSION,
    );
    page.push_str(&counts::overview(&lines));
    page.push_str(&counts::reasons(&lines));
    page.push_str(&macs(&lines));
    let _ = write!(
        page,
        "</main>\n<footer><p>mdm-health {}. This page contains no script and loads nothing. It names Macs: share it with \
         care.</p></footer>\n</body></html>\n",
        crate::VERSION
    );
    page
}

/// From the oldest capture to the newest.
fn span(lines: &[Line]) -> String {
    let moments = || lines.iter().filter_map(|line| line.summary.as_ref().ok()).map(|summary| &summary.captured);
    let (first, last) = (moments().min_by_key(|moment| moment.at), moments().max_by_key(|moment| moment.at));
    first.zip(last).map_or_else(String::new, |(first, last)| {
        format!("<div><dt>Captured</dt><dd>{} to {}</dd></div>", html::text(&first.day), html::text(&last.day))
    })
}

fn macs(lines: &[Line]) -> String {
    let ranks = Ranks::of(lines);
    let mut section =
        "<section id=\"macs\"><h2>Macs</h2>\n<fieldset class=\"orders\"><legend>Order</legend>".to_owned();
    for (at, (name, words)) in ORDERS.iter().enumerate() {
        let checked = if at == 0 { " checked=\"checked\"" } else { "" };
        let _ =
            write!(section, "<label><input type=\"radio\" name=\"order\" id=\"by-{name}\"{checked}/> {words}</label> ");
    }
    section.push_str(
        "</fieldset>\n<table class=\"macs\"><thead><tr><th scope=\"col\">Mac</th><th scope=\"col\">MDM client</th>\
         <th scope=\"col\">Reason</th><th scope=\"col\">OS updates</th><th scope=\"col\">macOS</th>\
         <th scope=\"col\">Last success</th><th scope=\"col\">Captured</th></tr></thead><tbody>\n",
    );
    let mut met = std::collections::BTreeSet::new();
    for (line, rank) in lines.iter().zip(ranks) {
        let reason = counts::key(line);
        let id = met.insert(reason.clone()).then(|| format!(" id=\"{reason}\""));
        section.push_str(&line.row(&rank, &id.unwrap_or_default()));
    }
    section + "</tbody></table></section>\n"
}
