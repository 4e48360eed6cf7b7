//! The updates that a reader asks about: what DDM enforces, and what is being worked on, each with its two rows.

use super::Report;
use super::view::RowView;
use crate::tables::{OS_UPDATE_ENFORCEMENT, OS_UPDATE_STATUS};
use crate::vocabulary::Time;
use crate::vocabulary::codes::{EnforcementState, KnownError, UpdateKind, UpdatePhase};

/// An update with what enforces it; at least one of the two is there.
pub struct Target<'r> {
    pub enforcement: Option<RowView<'r>>,
    pub update: Option<RowView<'r>>,
}

/// Those in trouble first, then by their deadlines.
pub fn targets<'r>(report: &'r Report<'_>) -> Vec<Target<'r>> {
    let mut updates = report.rows(&OS_UPDATE_STATUS);
    let mut targets = Vec::new();
    for enforcement in report.rows(&OS_UPDATE_ENFORCEMENT) {
        // Logs name a declaration for months after it was removed.
        if enforcement.code("state") != Some(EnforcementState::Stale) {
            let its = updates.iter().position(|update| leads_to(enforcement, *update));
            targets.push(Target { enforcement: Some(enforcement), update: its.map(|at| updates.remove(at)) });
        }
    }
    targets.extend(
        updates
            .into_iter()
            .filter(|update| is_of_the_system(*update))
            .map(|update| Target { enforcement: None, update: Some(update) }),
    );
    targets.sort_by_key(|target| (target.rank(), target.deadline()));
    targets
}

/// Whether the update is what the declaration asks for.
fn leads_to(enforcement: RowView<'_>, update: RowView<'_>) -> bool {
    let same = |one: Option<&str>, other: Option<&str>| one.is_some() && one == other;
    let target = enforcement.text("target_build_version");
    let deadline = enforcement.time("deadline_at");
    // The table has compared the two, and writes the deadline into the update's row.
    (deadline.is_some() && update.time("deadline_at") == deadline)
        || same(target, update.text("build"))
        || (target.is_none() && same(enforcement.text("target_os_version"), update.text("version")))
}

fn is_of_the_system(update: RowView<'_>) -> bool {
    !matches!(update.code("kind"), Some(UpdateKind::App | UpdateKind::ConfigData))
}

impl<'r> Target<'r> {
    /// `macOS 26.1 (25B78)`, or its title.
    pub fn name(&self) -> String {
        let of = |row: Option<RowView<'r>>, column: &str| row.and_then(|row| row.text(column));
        let version = of(self.update, "version").or(of(self.enforcement, "target_os_version"));
        let build = of(self.update, "build").or(of(self.enforcement, "target_build_version"));
        let suffix = build.map(|build| format!(" ({build})")).unwrap_or_default();
        match (of(self.update, "title"), version, of(self.update, "product_key")) {
            (Some(title), ..) => format!("{title}{suffix}"),
            (None, Some(version), _) => format!("macOS {version}{suffix}"),
            (None, None, Some(key)) => key.to_owned(),
            _ if build.is_some() => format!("macOS{suffix}"),
            _ => "An update that no source names".to_owned(),
        }
    }

    pub fn deadline(&self) -> Option<Time> {
        let of = |row: Option<RowView<'r>>| row.and_then(|row| row.time("deadline_at"));
        of(self.enforcement).or(of(self.update))
    }

    /// As the declaration has it.
    pub fn deadline_text(&self) -> Option<&'r str> {
        self.enforcement?.text("target_local_datetime")
    }

    /// How it stands; `None` of what no declaration asks for.
    pub fn state(&self) -> Option<EnforcementState> {
        let enforcement = self.enforcement?;
        let state = enforcement.code("state");
        // Failures of a declaration that no source names have a row of their own, in an unknown state.
        state.filter(|state| *state != EnforcementState::Unknown || enforcement.text("declaration_id").is_some())
    }

    pub fn phase(&self) -> Option<UpdatePhase> {
        self.update?.code("phase")
    }

    pub fn attempts(&self) -> Option<i64> {
        self.update?.number("attempts")
    }

    /// How often it failed, by the Mac's own count.
    pub fn failures(&self) -> Option<i64> {
        self.enforcement?.number("failure_count")
    }

    pub fn failed_at(&self) -> Option<Time> {
        let of = |row: Option<RowView<'r>>| row.and_then(|row| row.time("failed_at"));
        of(self.update).max(of(self.enforcement))
    }

    /// Why it last failed, in the Mac's words.
    pub fn why(&self) -> Option<&'r str> {
        let update = self.update.and_then(|row| row.text("error"));
        update.or_else(|| self.enforcement?.text("failure_reason"))
    }

    /// What the Mac's words mean, where they name an error.
    pub fn meaning(&self) -> Option<&'r str> {
        let update = self.update.and_then(|row| row.text("error_meaning"));
        update.or_else(|| self.enforcement?.text("failure_meaning"))
    }

    /// The error, if its meaning is public.
    pub fn known(&self) -> Option<KnownError> {
        let update = self.update.and_then(|row| row.code("known_error"));
        update.or_else(|| self.enforcement?.code("known_failure"))
    }

    /// Whether nothing is left to do.
    pub fn is_over(&self) -> bool {
        self.phase() == Some(UpdatePhase::Installed) || self.state() == Some(EnforcementState::Met)
    }

    /// Whether work on it was reported last, not its end.
    pub fn is_moving(&self) -> bool {
        let phase = self.phase();
        matches!(phase, Some(UpdatePhase::Downloading | UpdatePhase::Preparing | UpdatePhase::Installing))
    }

    /// Whether it failed, or cannot succeed as it stands.
    pub fn troubled(&self) -> bool {
        let failed = self.phase() == Some(UpdatePhase::Failed)
            || self.failed_at().is_some()
            || self.failures().is_some_and(|count| count > 0)
            || self.enforcement.and_then(|row| row.text("reported_failure")).is_some();
        let hopeless = matches!(self.state(), Some(EnforcementState::NoMatch | EnforcementState::Rejected));
        let late = self.state() == Some(EnforcementState::PastDue);
        !self.is_over() && (failed || hopeless || late)
    }

    fn rank(&self) -> u8 {
        match self.state() {
            _ if self.is_over() => 4,
            Some(EnforcementState::PastDue) => 0,
            _ if self.troubled() => 1,
            Some(_) => 2,
            None => 3,
        }
    }
}
