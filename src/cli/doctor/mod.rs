//! `doctor`: what this Mac lets mdm-health know. For the first Mac, and for every ticket afterwards. It changes nothing.

mod log;
mod neighbours;
mod print;

use crate::collect;
use crate::event;
use crate::host::{Command, Daemon, Host};
use crate::log::ReadOptions;
use crate::vocabulary::codes::SourceState;
use crate::vocabulary::{Time, rfc3339};
use serde::Serialize;
use std::path::Path;
use std::time::Instant;

/// What to print.
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct DoctorOptions {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// Show examples of what mdmclient says and mdm-health does not know, with names and numbers taken out
    #[arg(long)]
    pub samples: bool,
}

/// How a look went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Outcome {
    Ok,
    /// Some of it was read, or something is not as it should be and nothing fails for it.
    Partly,
    Failed,
    /// There is nothing to look at here.
    None,
}

/// One thing that was looked at.
#[derive(Debug, Serialize)]
struct Look {
    name: String,
    outcome: Outcome,
    #[serde(skip_serializing_if = "Option::is_none")]
    duration_ms: Option<u64>,
    /// How much it gave: records, bytes or entries, as the name says.
    #[serde(skip_serializing_if = "Option::is_none")]
    amount: Option<u64>,
    /// What was found; of a failure, what went wrong and what to do.
    detail: String,
}

impl Look {
    fn new(name: impl Into<String>, outcome: Outcome, detail: impl Into<String>) -> Self {
        Self { name: name.into(), outcome, duration_ms: None, amount: None, detail: detail.into() }
    }
}

/// All that was looked at.
#[derive(Debug, Serialize)]
struct Report {
    version: &'static str,
    source: String,
    checked_at: String,
    sources: Vec<Look>,
    log_readings: Vec<Look>,
    programs: Vec<log::Program>,
    /// Shapes of mdmclient's messages that give no event, the most frequent first.
    unknown_shapes: Vec<log::Shape>,
    launchd: Vec<Look>,
    folders: Vec<Look>,
    neighbours: Vec<Look>,
}

impl Report {
    fn failed(&self) -> bool {
        let looks = [&self.sources, &self.log_readings, &self.launchd, &self.folders, &self.neighbours];
        looks.into_iter().flatten().any(|look| look.outcome == Outcome::Failed)
    }
}

/// Looks at everything, and gives what to print and whether nothing failed.
pub fn run(
    host: &dyn Host,
    source: &str,
    options: &ReadOptions,
    state_dir: &Path,
    wanted: DoctorOptions,
) -> (String, bool) {
    let mut evidence = collect::evidence(host, options, state_dir);
    let now = evidence.now;
    if let Some(cost) = collect::cost_so_far(host, &evidence, state_dir) {
        evidence.set_other_source(cost);
    }
    let (log_readings, talk) = log::look(host, options, now);
    let report = Report {
        version: crate::VERSION,
        source: source.to_owned(),
        checked_at: rfc3339(now),
        sources: evidence.sources().into_iter().map(source_look).collect(),
        log_readings,
        programs: talk.programs(),
        unknown_shapes: talk.unknown_shapes(),
        launchd: if host.is_live() { launchd(host) } else { Vec::new() },
        folders: if host.is_live() { neighbours::folders(host, state_dir) } else { Vec::new() },
        neighbours: if host.is_live() { neighbours::look(host) } else { Vec::new() },
    };
    let printed = if wanted.json { print::json(&report) } else { print::text(&report, wanted.samples) };
    (printed, !report.failed())
}

fn source_look(status: &crate::vocabulary::SourceStatus) -> Look {
    let outcome = match status.state {
        SourceState::Ok => Outcome::Ok,
        SourceState::Partial => Outcome::Partly,
        SourceState::Error => Outcome::Failed,
        SourceState::Unavailable => Outcome::None,
    };
    let reason = status.reason.map(|reason| format!("{}: ", reason.word())).unwrap_or_default();
    let advice = status.reason.map(crate::vocabulary::Code::advice).filter(|advice| !advice.is_empty());
    let detail = status.detail.clone().unwrap_or_default();
    let detail = match advice {
        Some(advice) if !detail.contains(advice.trim_end_matches('.')) => format!("{reason}{detail} {advice}"),
        _ => format!("{reason}{detail}"),
    };
    Look {
        duration_ms: status.duration_ms,
        amount: status.counts.map(|counts| counts.records_read),
        ..Look::new(status.source.word(), outcome, detail)
    }
}

/// The launchd jobs of the daemons that heal may restart, and the second job that starts mdmclient.
fn launchd(host: &dyn Host) -> Vec<Look> {
    let jobs = [
        ("com.apple.mdmclient.daemon", Command::Job(Daemon::Mdmclient)),
        ("com.apple.mdmclient.daemon.runatboot", Command::JobAtBoot),
        ("com.apple.softwareupdated", Command::Job(Daemon::Softwareupdated)),
    ];
    let mut looks: Vec<Look> = jobs.into_iter().map(|(label, command)| job(host, label, command)).collect();
    let running = |label: &str| looks.iter().any(|look| look.name == label && look.amount.is_some());
    if running("com.apple.mdmclient.daemon") && running("com.apple.mdmclient.daemon.runatboot") {
        let detail = "Two mdmclient daemons run; heal looks only at the one of com.apple.mdmclient.daemon.";
        looks.push(Look::new("mdmclient", Outcome::Partly, detail));
    }
    looks
}

fn job(host: &dyn Host, label: &str, command: Command) -> Look {
    let start = Instant::now();
    let answer = host.run(command);
    let duration_ms = u64::try_from(start.elapsed().as_millis()).ok();
    let look = match answer {
        Err(error) => Look::new(label, Outcome::Failed, format!("{error}.")),
        Ok(output) if output.code == Some(0) => {
            let text = String::from_utf8_lossy(&output.stdout);
            let pid = text.lines().find_map(|line| line.trim().strip_prefix("pid = ")?.parse::<u64>().ok());
            let detail = match pid {
                Some(pid) => format!("running, pid {pid}"),
                None => "known to launchd, not running".to_owned(),
            };
            Look { amount: pid, ..Look::new(label, Outcome::Ok, detail) }
        }
        Ok(output) => {
            let said = output.stderr.lines().next().unwrap_or_default().to_owned();
            Look::new(label, Outcome::None, format!("launchd does not know it: {said}"))
        }
    };
    Look { duration_ms, ..look }
}

/// The program that wrote a record, as far as doctor counts it.
fn program_of(record: &crate::log::LogRecord<'_>) -> Option<&'static str> {
    event::programs().iter().find(|program| program.wrote(record)).map(|program| program.name)
}

#[derive(Debug, Clone, Copy)]
struct Window {
    name: &'static str,
    minutes: i64,
}

/// The stretches of log whose reading is timed.
const WINDOWS: [Window; 3] = [
    Window { name: "5 minutes", minutes: 5 },
    Window { name: "90 minutes", minutes: 90 },
    Window { name: "a day", minutes: 1440 },
];

fn span(window: Window, now: Time) -> crate::vocabulary::Span {
    crate::vocabulary::Span { from: now - chrono::TimeDelta::minutes(window.minutes), to: now }
}
