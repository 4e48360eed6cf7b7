//! How many Macs are in which state and why, for people who do not read lines.

use super::super::{html, labels};
use super::line::{Badness, Line};
use crate::vocabulary::Code;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// What a Mac needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Need {
    Attention,
    /// Nobody knows.
    Unknown,
    Nothing,
}

impl Need {
    fn of(line: &Line) -> Self {
        match line.badness() {
            Badness::Unreadable | Badness::Unknown => Self::Unknown,
            Badness::Quiet | Badness::Ok => Self::Nothing,
            _ => Self::Attention,
        }
    }

    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Attention => ("bad", "need attention"),
            Self::Unknown => ("doubt", "cannot be judged"),
            Self::Nothing => ("good", "need nothing"),
        }
    }
}

/// The three figures, and a bar of them.
pub fn overview(lines: &[Line]) -> String {
    let mut counts: BTreeMap<Need, usize> = BTreeMap::new();
    for line in lines {
        *counts.entry(Need::of(line)).or_default() += 1;
    }
    let all = lines.len().max(1);
    let (mut figures, mut bar, mut from) = (String::new(), String::new(), 0);
    let mut said = Vec::new();
    for need in [Need::Attention, Need::Unknown, Need::Nothing] {
        let count = counts.get(&need).copied().unwrap_or(0);
        let (class, words) = need.words();
        let _ = write!(figures, "<li class=\"{class}\"><strong>{count}</strong> {words}</li>");
        let tenths = |count: usize| count * 1000 / all;
        let (x, to) = (tenths(from), tenths(from + count));
        let _ = write!(
            bar,
            "<rect class=\"{class}\" x=\"{}.{}%\" width=\"{}.{}%\" height=\"14\"><title>{count} {words}</title></rect>",
            x / 10,
            x % 10,
            (to - x) / 10,
            (to - x) % 10,
        );
        from += count;
        said.push(format!("{count} {words}"));
    }
    format!(
        "<section id=\"overview\" class=\"overview\"><h2>Overview</h2><ul class=\"figures\">{figures}</ul>\
         <svg class=\"share\" role=\"img\" aria-label=\"{}\" width=\"100%\" height=\"14\">{bar}</svg></section>\n",
        said.join(", ")
    )
}

/// The state and reason of a line as an id: the first line of each has it.
pub fn key(line: &Line) -> String {
    match &line.summary {
        Err(_) => "r-unreadable".to_owned(),
        Ok(summary) => format!("r-{}-{}", summary.state.word(), summary.reason.map_or("none", |reason| reason.word())),
    }
}

/// A table of the client's reasons, and one of the updates'.
pub fn reasons(lines: &[Line]) -> String {
    let mut section = "<section id=\"reasons\"><h2>Reasons</h2>\n<table class=\"reasons\"><thead><tr>\
        <th scope=\"col\">Macs</th><th scope=\"col\">MDM client</th><th scope=\"col\">Reason</th>\
        <th scope=\"col\">What to do</th></tr></thead><tbody>\n"
        .to_owned();
    let mut met: Vec<(String, usize, &Line)> = Vec::new();
    for line in lines {
        let key = key(line);
        match met.iter_mut().find(|(known, ..)| *known == key) {
            Some((_, count, _)) => *count += 1,
            None => met.push((key, 1, line)),
        }
    }
    met.sort_by_key(|(_, count, line)| (line.client(), std::cmp::Reverse(*count)));
    for (key, count, line) in &met {
        let (look, reason, advice) = match &line.summary {
            Err(_) => (labels::UNREADABLE, String::new(), labels::UNREADABLE_ADVICE),
            Ok(summary) => (
                labels::state(summary.state),
                summary.reason.map(|reason| meaning(reason.word(), reason.meaning())).unwrap_or_default(),
                labels::advice(summary.state, summary.reason),
            ),
        };
        let _ = writeln!(
            section,
            "<tr><td><a href=\"#{key}\">{count}</a></td><th scope=\"row\" class=\"{}\">{}{}</th><td>{reason}</td><td>{}</td></tr>",
            look.class,
            labels::symbol(&look),
            look.word,
            html::prose(advice),
        );
    }
    section.push_str("</tbody></table>\n");
    section.push_str(&updates(lines));
    section + "</section>\n"
}

fn updates(lines: &[Line]) -> String {
    let mut counts: BTreeMap<_, usize> = BTreeMap::new();
    for summary in lines.iter().filter_map(|line| line.summary.as_ref().ok()) {
        let reason = summary.updates_reason.map_or(("", ""), |reason| (reason.word(), reason.meaning()));
        // What is stuck first, then what is in trouble, what is well, and what nobody knows.
        let rank = match summary.updates_stuck {
            Some(true) => 0,
            Some(false) if summary.updates_troubled => 1,
            Some(false) => 2,
            None => 3,
        };
        *counts.entry((rank, summary.updates().word, reason.0, reason.1)).or_default() += 1;
    }
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by_key(|((rank, ..), count)| (*rank, std::cmp::Reverse(*count)));
    let mut table = "<table class=\"reasons\"><thead><tr><th scope=\"col\">Macs</th><th scope=\"col\">OS updates</th>\
        <th scope=\"col\">Reason</th></tr></thead><tbody>\n"
        .to_owned();
    for ((_, word, reason, said), count) in counts {
        let _ =
            writeln!(table, "<tr><td>{count}</td><th scope=\"row\">{word}</th><td>{}</td></tr>", meaning(reason, said));
    }
    table + "</tbody></table>\n"
}

fn meaning(word: &str, meaning: &str) -> String {
    format!("<code>{word}</code> {}", html::prose(meaning))
}
