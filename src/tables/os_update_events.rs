//! `os_update_events`: what the logs say of OS updates, in order.

use super::{OsUpdateEventsRow, Text, text};
use crate::event::update::{Progress, Report, Said, Transition, UpdateError};
use crate::health::Findings;
use crate::health::updates::timeline::{Entry, Happening, Item};
use crate::vocabulary::codes::UpdateEventKind;

/// In the order of time.
pub fn rows(findings: &Findings) -> Vec<OsUpdateEventsRow> {
    findings.update_timeline.iter().map(row).collect()
}

fn row(entry: &Entry) -> OsUpdateEventsRow {
    let (progress, transition) = match &entry.what {
        Happening::Said(Said::Progress(progress)) => (Some(progress), None),
        Happening::Said(Said::Transition(transition)) => (None, Some(transition)),
        _ => (None, None),
    };
    let step = |of: fn(&Transition) -> Option<&str>| owned(transition.and_then(of));
    let percent = match &entry.what {
        Happening::Said(Said::BrainProgress { percent, .. }) => Some(*percent),
        _ => progress.and_then(percent),
    };
    let action = match &entry.what {
        Happening::Said(Said::InstallRequested { action, .. }) => owned(Some(action)),
        _ => step(|transition| transition.action.as_deref()),
    };
    OsUpdateEventsRow {
        at: Some(entry.at),
        process: owned(Some(&entry.process)),
        kind: Some(kind(&entry.what)),
        product_key: owned(entry.product_key.as_deref()),
        phase: owned(progress.map(|progress| &*progress.phase)),
        percent,
        stalled: progress.and_then(|progress| progress.stalled),
        machine: step(|transition| Some(&transition.machine)),
        from_state: step(|transition| Some(&transition.from)),
        event: step(|transition| Some(&transition.event)),
        to_state: step(|transition| transition.to.as_deref()),
        action,
        detail: text(detail(&entry.what)),
    }
}

fn percent(progress: &Progress) -> Option<u8> {
    u8::try_from(progress.portion? / 10_000).ok()
}

fn kind(what: &Happening) -> UpdateEventKind {
    match what {
        Happening::Item(_) => UpdateEventKind::Item,
        Happening::Said(said) => match said {
            Said::ItemBegan | Said::ItemField(_) | Said::ItemEnded => UpdateEventKind::Item,
            Said::InstallRequested { .. } => UpdateEventKind::Request,
            Said::Progress(_) | Said::PrepareContinues | Said::Applied => UpdateEventKind::Progress,
            Said::Transition(_) => UpdateEventKind::Transition,
            Said::ScanStarted { .. } | Said::ScanEnded { .. } | Said::Found { .. } | Said::RecoveryQuery { .. } => {
                UpdateEventKind::Scan
            }
            Said::BrainQuery { .. } | Said::BrainProgress { .. } => UpdateEventKind::Brain,
            Said::Declared { .. } | Said::Rejected { .. } | Said::PaddedDeadline { .. } | Said::NoMatch { .. } => {
                UpdateEventKind::Enforcement
            }
            Said::RunsBuild { .. } => UpdateEventKind::System,
            Said::NotQueued { .. } | Said::ScanFailed(_) => UpdateEventKind::Error,
        },
    }
}

fn detail(what: &Happening) -> Option<String> {
    let said = match what {
        Happening::Item(item) => return item_detail(item),
        Happening::Said(said) => said,
    };
    Some(match said {
        Said::ItemBegan | Said::ItemField(_) | Said::ItemEnded | Said::Transition(_) => return None,
        Said::InstallRequested { product_keys, .. } => format!("asks for {}", list(product_keys)),
        Said::NotQueued { error, .. } => format!("not queued: {error}"),
        Said::ScanStarted { detail, .. }
        | Said::ScanEnded { detail }
        | Said::RecoveryQuery { detail }
        | Said::BrainQuery { detail }
        | Said::Rejected { detail, .. }
        | Said::NoMatch { detail, .. } => detail.to_string(),
        Said::ScanFailed(error) => error_detail(error),
        Said::Found { product_keys } => format!("found {}", list(product_keys)),
        Said::Progress(progress) => report(progress.report).to_owned(),
        Said::PrepareContinues => "preparing goes on".to_owned(),
        Said::BrainProgress { step, .. } => step.to_string(),
        Said::Applied => "applied, the restart is to come".to_owned(),
        Said::RunsBuild { version, build } => format!("runs {version} ({build})"),
        Said::Declared { declaration, .. } => {
            let part = |value: &Option<Box<str>>| value.as_deref().unwrap_or("none").to_owned();
            format!(
                "declared: version {}, build {}, deadline {}",
                part(&declaration.version),
                part(&declaration.build),
                part(&declaration.deadline)
            )
        }
        Said::PaddedDeadline { at } => format!("the deadline is put off to {}", crate::vocabulary::rfc3339(*at)),
    })
}

fn item_detail(item: &Item) -> Option<String> {
    let (version, build) = item.version.clone().unwrap_or_default();
    let parts = [
        item.title.clone(),
        version.map(|version| format!("version {version}").into()),
        build.map(|build| format!("build {build}").into()),
    ];
    let parts: Vec<Box<str>> = parts.into_iter().flatten().collect();
    Some(parts.join(", ")).filter(|detail| !detail.is_empty())
}

fn error_detail(error: &UpdateError) -> String {
    match (&error.domain, error.code) {
        (Some(domain), Some(code)) => format!("{domain} {code}: {}", error.text),
        _ => error.text.to_string(),
    }
}

fn list(product_keys: &[Box<str>]) -> String {
    if product_keys.is_empty() { "none".to_owned() } else { product_keys.join(", ") }
}

fn report(report: Report) -> &'static str {
    match report {
        Report::Start => "start",
        Report::Inter => "inter",
        Report::End => "end",
    }
}

fn owned(value: Option<&str>) -> Option<Text> {
    text(value.map(str::to_owned))
}
