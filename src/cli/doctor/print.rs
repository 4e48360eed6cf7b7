//! What was looked at, as lines for a person or as JSON.

use super::{Look, Outcome, Report};
use crate::vocabulary::{printable, printable_json};
use std::fmt::Write as _;

pub fn json(report: &Report) -> String {
    let printed = serde_json::to_string_pretty(report).unwrap_or_default();
    printable_json(&printed) + "\n"
}

/// The most shapes that are shown; JSON has them all.
const SHOWN_SHAPES: usize = 20;

/// A line each.
pub fn text(report: &Report, samples: bool) -> String {
    let mut page = format!("mdm-health {} looks at {}, {}\n", report.version, report.source, report.checked_at);
    section(&mut page, "Sources", &report.sources);
    section(&mut page, "The log", &report.log_readings);
    let _ = writeln!(page, "\nWho speaks in the log");
    for program in &report.programs {
        let levels: Vec<String> = program.levels.iter().map(|(level, count)| format!("{count} {level}")).collect();
        let levels = if levels.is_empty() { String::new() } else { format!(" ({})", levels.join(", ")) };
        let _ = writeln!(
            page,
            "          {}: {} records{levels}, {} private, {} understood",
            program.name, program.records, program.private, program.events
        );
    }
    let unknown: u64 = report.unknown_shapes.iter().map(|shape| shape.count).sum();
    let _ = writeln!(
        page,
        "          messages of mdmclient that mdm-health does not use: {unknown}, of {} shapes{}",
        report.unknown_shapes.len(),
        if samples { ":" } else { "; --samples shows them" }
    );
    if samples {
        for shape in report.unknown_shapes.iter().take(SHOWN_SHAPES) {
            let _ = writeln!(page, "          {:>6} {}", shape.count, printable(&shape.shape));
        }
    }
    section(&mut page, "launchd", &report.launchd);
    section(&mut page, "Owners and modes", &report.folders);
    section(&mut page, "Neighbours", &report.neighbours);
    let _ = writeln!(page, "\n{}", if report.failed() { "Something failed: see above." } else { "Nothing failed." });
    page
}

fn section(page: &mut String, heading: &str, looks: &[Look]) {
    if looks.is_empty() {
        return;
    }
    let _ = writeln!(page, "\n{heading}");
    for look in looks {
        let word = match look.outcome {
            Outcome::Ok => "ok",
            Outcome::Partly => "partly",
            Outcome::Failed => "failed",
            Outcome::None => "-",
        };
        let took = look.duration_ms.map(|ms| format!("{}.{} s", ms / 1000, ms % 1000 / 100)).unwrap_or_default();
        let amount = look.amount.filter(|_| heading != "launchd").map(|amount| format!("{amount} records"));
        let facts: Vec<String> = [Some(took).filter(|took| !took.is_empty()), amount].into_iter().flatten().collect();
        let facts = if facts.is_empty() { String::new() } else { format!(" ({})", facts.join(", ")) };
        let detail = if look.detail.trim().is_empty() { String::new() } else { format!(": {}", look.detail.trim()) };
        let _ = writeln!(page, "  {word:<7} {}{facts}{}", look.name, printable(&detail));
    }
}
