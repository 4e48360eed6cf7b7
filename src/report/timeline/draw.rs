//! The picture in SVG. Moments lie at percentages and everything else is in pixels, so that text keeps its size on a
//! phone and on a large screen.

use super::lane::{Item, Kind, Lane};
use super::scale::Scale;
use super::{Report, html};
use crate::vocabulary::Time;
use std::fmt::Write as _;

/// Heights in pixels.
const TOP: i32 = 22;
const NAME: i32 = 22;
const ROW: i32 = 22;
const GAP: i32 = 10;
const AXIS: i32 = 40;

/// From which width on a bar holds its words, in percent: those of a phase, and any others.
const HOLDS_PHASE: f64 = 6.5;
const HOLDS_WORDS: f64 = 30.0;

/// A bar narrower than this is drawn as a round dot at least, in percent.
const NARROW: f64 = 0.6;

/// The longest words that stand free, in characters.
const LONGEST: usize = 90;

/// A stretch of time behind the lanes.
pub struct Shade {
    /// From when.
    pub from: Time,
    /// Until when.
    pub to: Time,
    /// The class that gives its look.
    pub class: &'static str,
    /// Its words in the legend.
    pub words: &'static str,
    /// A sentence.
    pub details: String,
}

pub fn picture(report: &Report, scale: Scale, lanes: &[Lane], shades: &[Shade]) -> String {
    let mut body = String::new();
    let mut y = TOP;
    for lane in lanes {
        let _ = writeln!(
            body,
            "<text class=\"name\" y=\"{}\">{}<tspan class=\"words\" dx=\"8\">{}</tspan></text>",
            y + 14,
            short(&lane.name),
            short(&lane.words)
        );
        y += NAME;
        for row in &lane.rows {
            let _ = writeln!(body, "<line class=\"rail\" x1=\"0\" x2=\"100%\" y1=\"{0}\" y2=\"{0}\"/>", y + ROW / 2);
            for item in row {
                body.push_str(&drawn(scale, item, y + ROW / 2));
            }
            y += ROW;
        }
        y += GAP;
    }
    let names: Vec<String> = lanes.iter().map(|lane| format!("{}: {}", lane.name, lane.words)).collect();
    format!(
        "<svg class=\"timeline\" role=\"img\" aria-label=\"Timeline. {}.\" aria-describedby=\"timeline-words\" \
         width=\"100%\" height=\"{}\">\n{}{}{body}</svg>\n",
        html::text(&names.join(". ")),
        y + AXIS,
        background(scale, shades, y),
        axis(report, scale, y),
    )
}

fn background(scale: Scale, shades: &[Shade], bottom: i32) -> String {
    let shade = |shade: &Shade| {
        let (from, to) = (scale.percent(shade.from), scale.percent(shade.to));
        format!(
            "<rect class=\"{}\" x=\"{from:.2}%\" y=\"{TOP}\" width=\"{:.2}%\" height=\"{}\"><title>{}</title></rect>\n",
            shade.class,
            to - from,
            bottom - TOP,
            html::text(&shade.details)
        )
    };
    shades.iter().map(shade).collect()
}

fn axis(report: &Report, scale: Scale, y: i32) -> String {
    let mut axis = format!("<line class=\"axis\" x1=\"0\" x2=\"100%\" y1=\"{y}\" y2=\"{y}\"/>\n");
    for (number, tick) in scale.ticks(&report.clock).iter().enumerate() {
        let x = scale.percent(tick.at);
        // On a phone every other one has room.
        let other = if number % 2 == 1 { " other" } else { "" };
        let _ = writeln!(
            axis,
            "<line class=\"grid\" x1=\"{x:.2}%\" x2=\"{x:.2}%\" y1=\"{TOP}\" y2=\"{}\"/><text class=\"tick{other}\" \
             x=\"{x:.2}%\" y=\"{}\">{}</text>",
            y + 5,
            y + 18,
            tick.label
        );
        if let Some(day) = &tick.day {
            let _ = writeln!(axis, "<text class=\"tick day\" x=\"{x:.2}%\" y=\"{}\">{day}</text>", y + 33);
        }
    }
    let now = scale.percent(report.now);
    let label = report.clock.time_of_day(report.now);
    let _ = writeln!(
        axis,
        "<line class=\"now\" x1=\"{now:.2}%\" x2=\"{now:.2}%\" y1=\"{TOP}\" y2=\"{y}\"/>\
         <text class=\"nowlabel\" x=\"100%\" y=\"{}\">verdict for {label}</text>",
        TOP - 8
    );
    axis
}

fn drawn(scale: Scale, item: &Item, y: i32) -> String {
    match item {
        Item::Mark { at, kind, details } => format!(
            "<use href=\"#m-{0}\" class=\"{0}\" x=\"{1:.2}%\" y=\"{y}\"><title>{2}</title></use>\n",
            kind.class(),
            scale.percent(*at),
            html::text(details)
        ),
        Item::Bar { from, to, kind, label, details } => {
            bar(*kind, scale.percent(*from), scale.percent(*to), y, label, details)
        }
        Item::Note { at, text } => note(scale.percent(*at), y, scale.holds(*at), text),
    }
}

/// A bar with its words in it, or beside it if it stands alone in its row.
fn bar(kind: Kind, from: f64, to: f64, y: i32, label: &str, details: &str) -> String {
    let (width, class, details) = (to - from, kind.class(), html::text(details));
    let alone = kind == Kind::Unanswered;
    if width < NARROW {
        return format!(
            "<line class=\"bar {class}\" x1=\"{from:.2}%\" x2=\"{to:.2}%\" y1=\"{y}\" y2=\"{y}\"><title>{details}</title></line>\n{}",
            if alone { note(from, y, true, label) } else { String::new() }
        );
    }
    let holds = width >= if kind.is_phase() { HOLDS_PHASE } else { HOLDS_WORDS };
    let words = if holds { format!("<text x=\"7\" y=\"12.5\">{}</text>", html::text(label)) } else { String::new() };
    let mut drawn = format!(
        "<svg class=\"bar {class}\" x=\"{from:.2}%\" y=\"{}\" width=\"{width:.2}%\" height=\"17\"><title>{details}</title>\
         <rect width=\"100%\" height=\"17\" rx=\"3\"/>{words}</svg>\n",
        y - 8
    );
    if alone && !holds {
        drawn.push_str(&note(from, y, true, label));
    }
    drawn
}

/// Words on the side of a place that has more room; beyond the edge they begin or end with an arrow.
fn note(x: f64, y: i32, inside: bool, text: &str) -> String {
    let left = x > 50.0;
    let text = short(text);
    let text = match (inside, left) {
        (true, _) => text,
        (false, true) => format!("{text} →"),
        (false, false) => format!("← {text}"),
    };
    let (class, dx) = match (left, inside) {
        (true, true) => ("note before", -10),
        (true, false) => ("note before", 0),
        (false, true) => ("note", 10),
        (false, false) => ("note", 0),
    };
    format!("<text class=\"{class}\" x=\"{x:.2}%\" dx=\"{dx}\" y=\"{}\">{text}</text>\n", y + 4)
}

/// Words that stand free in the picture, cut where they would run out of it.
fn short(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        None => html::text(text),
        Some((end, _)) => html::text(&format!("{}…", text.get(..end).unwrap_or_default())),
    }
}

/// A form of the legend.
pub fn key(kind: Kind) -> String {
    let class = kind.class();
    let form = if kind.is_phase() {
        format!(
            "<svg class=\"bar {class}\" y=\"2\" height=\"12\" width=\"22\"><rect width=\"22\" height=\"12\" rx=\"3\"/></svg>"
        )
    } else {
        format!("<use href=\"#m-{class}\" class=\"{class}\" x=\"11\" y=\"8\"/>")
    };
    format!("<svg class=\"key\" width=\"22\" height=\"16\" aria-hidden=\"true\">{form}</svg>")
}

/// A shade of the legend.
pub fn shade_key(class: &str) -> String {
    format!(
        "<svg class=\"key\" width=\"22\" height=\"16\" aria-hidden=\"true\"><rect class=\"{class}\" y=\"1\" width=\"22\" \
         height=\"14\"/></svg>"
    )
}
