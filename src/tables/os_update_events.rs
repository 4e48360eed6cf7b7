//! `os_update_events`: what the logs say of OS updates, in order.

use super::{OsUpdateEventsRow, Text, text};
use crate::event::status_report::StatusReport;
use crate::event::update::{Progress, ReportKind, Transition, UpdateError, UpdateMessage};
use crate::health::Findings;
use crate::health::updates::timeline::{Item, TimelineEntry, TimelineKind};
use crate::vocabulary::codes::UpdateEventKind;

/// In the order of time.
pub fn rows(findings: &Findings) -> Vec<OsUpdateEventsRow> {
    findings.update_timeline.iter().map(row).collect()
}

fn row(entry: &TimelineEntry) -> OsUpdateEventsRow {
    let (progress, transition) = match &entry.what {
        TimelineKind::Message(UpdateMessage::Progress(progress)) => (Some(progress), None),
        TimelineKind::Message(UpdateMessage::Transition(transition)) => (None, Some(transition)),
        _ => (None, None),
    };
    let step = |of: fn(&Transition) -> Option<&str>| owned(transition.and_then(of));
    let percent = match &entry.what {
        TimelineKind::Message(UpdateMessage::BrainProgress { percent, .. }) => Some(*percent),
        _ => progress.and_then(percent),
    };
    let action = match &entry.what {
        TimelineKind::Message(UpdateMessage::InstallRequested { action, .. }) => owned(Some(action)),
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

fn kind(what: &TimelineKind) -> UpdateEventKind {
    match what {
        TimelineKind::Item(_) => UpdateEventKind::Item,
        TimelineKind::Message(said) => match said {
            UpdateMessage::ItemBegan | UpdateMessage::ItemField(_) | UpdateMessage::ItemEnded => UpdateEventKind::Item,
            UpdateMessage::InstallRequested { .. } => UpdateEventKind::Request,
            UpdateMessage::Progress(_)
            | UpdateMessage::PrepareContinues
            | UpdateMessage::AlreadyPrepared { .. }
            | UpdateMessage::Applied => UpdateEventKind::Progress,
            UpdateMessage::Transition(_) => UpdateEventKind::Transition,
            UpdateMessage::ScanStarted { .. }
            | UpdateMessage::ScanEnded { .. }
            | UpdateMessage::Found { .. }
            | UpdateMessage::Offered { .. }
            | UpdateMessage::HeldBack { .. }
            | UpdateMessage::Descriptor { .. }
            | UpdateMessage::RecoveryQuery { .. } => UpdateEventKind::Scan,
            UpdateMessage::BrainQuery { .. } | UpdateMessage::BrainProgress { .. } => UpdateEventKind::Brain,
            UpdateMessage::Declared { .. }
            | UpdateMessage::Enforcing { .. }
            | UpdateMessage::Rejected { .. }
            | UpdateMessage::PaddedDeadline { .. }
            | UpdateMessage::StatusReported(_)
            | UpdateMessage::NoMatch { .. } => UpdateEventKind::Enforcement,
            UpdateMessage::RunsBuild { .. } => UpdateEventKind::System,
            UpdateMessage::NotQueued { .. } | UpdateMessage::ScanFailed(_) => UpdateEventKind::Error,
        },
    }
}

fn detail(what: &TimelineKind) -> Option<String> {
    let said = match what {
        TimelineKind::Item(item) => return item_detail(item),
        TimelineKind::Message(said) => said,
    };
    Some(match said {
        UpdateMessage::ItemBegan
        | UpdateMessage::ItemField(_)
        | UpdateMessage::ItemEnded
        | UpdateMessage::Transition(_) => return None,
        UpdateMessage::InstallRequested { product_keys, .. } => format!("asks for {}", list(product_keys)),
        UpdateMessage::NotQueued { error, .. } => format!("not queued: {error}"),
        UpdateMessage::ScanStarted { detail, .. }
        | UpdateMessage::ScanEnded { detail }
        | UpdateMessage::RecoveryQuery { detail }
        | UpdateMessage::BrainQuery { detail }
        | UpdateMessage::Descriptor { detail }
        | UpdateMessage::Enforcing { detail }
        | UpdateMessage::Rejected { detail, .. }
        | UpdateMessage::NoMatch { detail, .. } => detail.to_string(),
        UpdateMessage::ScanFailed(error) => error_detail(error),
        UpdateMessage::Found { product_keys } => format!("found {}", list(product_keys)),
        UpdateMessage::Offered { product_keys } => format!("new: {}", list(product_keys)),
        UpdateMessage::HeldBack { until, .. } => format!("deferred until {until}"),
        UpdateMessage::AlreadyPrepared { .. } => "prepared already".to_owned(),
        UpdateMessage::Progress(progress) => report(progress.report).to_owned(),
        UpdateMessage::PrepareContinues => "preparation continues".to_owned(),
        UpdateMessage::BrainProgress { step, .. } => step.to_string(),
        UpdateMessage::Applied => "applied, restart pending".to_owned(),
        UpdateMessage::RunsBuild { version, build, .. } => format!("runs {version} ({build})"),
        UpdateMessage::Declared { declaration, .. } => {
            let part = |value: &Option<Box<str>>| value.as_deref().unwrap_or("none").to_owned();
            format!(
                "declared: version {}, build {}, deadline {}",
                part(&declaration.version),
                part(&declaration.build),
                part(&declaration.deadline)
            )
        }
        UpdateMessage::PaddedDeadline { at } => {
            format!("the deadline was moved to {}", crate::vocabulary::rfc3339(*at))
        }
        UpdateMessage::StatusReported(report) => reported(report),
    })
}

fn reported(report: &StatusReport) -> String {
    let failure = report.failure.as_ref().map(|failure| {
        let count = failure.count.map_or_else(|| "unknown".to_owned(), |count| count.to_string());
        failure.reason.as_ref().map_or_else(|| format!("failures {count}"), |why| format!("failures {count}: {why}"))
    });
    let parts = [
        report.install_state.as_ref().map(|state| format!("state {state}")),
        failure,
        report.pending_version.as_ref().map(|version| format!("pending {version}")),
    ];
    format!("told the server: {}", parts.into_iter().flatten().collect::<Vec<_>>().join(", "))
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

fn report(report: ReportKind) -> &'static str {
    match report {
        ReportKind::Start => "start",
        ReportKind::Inter => "inter",
        ReportKind::End => "end",
    }
}

fn owned(value: Option<&str>) -> Option<Text> {
    text(value.map(str::to_owned))
}
