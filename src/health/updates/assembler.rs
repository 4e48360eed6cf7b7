//! The fold that builds the updates: which ones are on offer, which update a progress line belongs to, and who started
//! an operation.

use super::enforcement::Enforcement;
use super::operation::{Attribution, Operation};
use super::product_keys::ProductKeys;
use super::status::{Id, Update, finish};
use super::timeline::{Item, TimelineEntry, TimelineKind};
use crate::event::update::{ReportKind, UpdateLog, UpdateMessage};
use crate::event::{Event, EventKind, HttpMessage};
use crate::facts::software_update_preferences::{DdmFailure, RecommendedUpdate};
use crate::health::Evidence;
use crate::vocabulary::Time;
use crate::vocabulary::codes::{SourceName, UpdatePhase};
use chrono::TimeDelta;
use std::collections::{BTreeMap, BTreeSet};

/// For how long progress is credited to the update that mdmclient asked for last.
const REQUEST_HOLDS: TimeDelta = TimeDelta::hours(24);

/// The name of the preferences among the sources.
const PREFERENCES: SourceName = SourceName::SoftwareUpdatePreferences;

/// Puts the updates together, and ties the entries of the timeline to them. `events` are those of the unified log.
pub fn assemble<'e>(
    events: impl Iterator<Item = &'e Event>,
    entries: &mut [TimelineEntry],
    evidence: &Evidence,
    enforcements: &[Enforcement],
    now: Time,
) -> Vec<Update> {
    let preferences = evidence.preferences.known();
    let recommended = preferences.and_then(|preferences| preferences.recommended.as_deref()).unwrap_or_default();
    let mut fold = Assembler::new(entries, recommended, enforcements);
    let mut steps: Vec<(Time, Step<'_>)> = (0..entries.len())
        .filter_map(|index| Some((entries.get(index)?.at, Step::Entry(index))))
        .chain(events.filter_map(|event| Some((event.at, order(event)?))))
        .collect();
    if let Some(preferences) = preferences {
        let first = |key: &str| preferences.first_offered.iter().find(|(one, _)| one == key).map(|(_, at)| *at);
        for update in recommended {
            let times = [first(&update.product_key), preferences.last_successful_scan_at];
            steps.extend(times.into_iter().flatten().map(|at| (at, Step::Offer(update))));
        }
        let failure = preferences.ddm_failure.as_ref();
        steps.extend(failure.and_then(|failure| Some((failure.at?, Step::Failure(failure)))));
    }
    steps.retain(|(at, _)| *at <= now);
    steps.sort_by_key(|(at, step)| (*at, step.rank()));
    for (at, step) in steps {
        fold.step(at, step, entries);
    }
    fold.close(entries);
    for update in recommended {
        fold.recommended(update, None);
    }
    finish(fold.finish(), evidence, enforcements)
}

/// ScheduleOSUpdate, from its receipt to its answer.
fn order(event: &Event) -> Option<Step<'static>> {
    match &event.kind {
        EventKind::CommandReceived { request_type, .. } if &**request_type == "ScheduleOSUpdate" => {
            Some(Step::Received)
        }
        EventKind::RequestSent { message: HttpMessage::Answer { request_type, .. }, .. }
            if &**request_type == "ScheduleOSUpdate" =>
        {
            Some(Step::Answered)
        }
        _ => None,
    }
}

/// What the fold takes in.
#[derive(Clone, Copy)]
enum Step<'a> {
    /// The preferences recommend an update: since a known moment, or still.
    Offer(&'a RecommendedUpdate),
    /// A ScheduleOSUpdate was received.
    Received,
    /// An entry of the timeline, by its index.
    Entry(usize),
    /// A ScheduleOSUpdate was answered.
    Answered,
    /// An enforced update failed.
    Failure(&'a DdmFailure),
}

impl Step<'_> {
    /// The order at the same instant.
    fn rank(self) -> (u8, usize) {
        match self {
            Self::Offer(_) => (0, 0),
            Self::Received => (1, 0),
            Self::Entry(index) => (2, index),
            Self::Answered => (3, 0),
            Self::Failure(_) => (4, 0),
        }
    }
}

/// What is known between two steps.
struct Assembler {
    updates: BTreeMap<Id, Update>,
    keys: ProductKeys,
    /// Updates of the system on offer.
    offered: BTreeSet<Id>,
    /// What mdmclient asked for last.
    requested: Option<(Time, BTreeSet<Id>)>,
    /// The ScheduleOSUpdate in work.
    order: Option<Time>,
    /// The operation in work.
    operation: Option<Operation>,
    operations: u32,
    /// The process of the operation before.
    last_process: Option<u32>,
    /// The build that ran last.
    running: Option<Box<str>>,
    /// The update that DDM enforces, if it is exactly one.
    enforced: Option<Id>,
}

impl Assembler {
    /// Before the first step.
    fn new(entries: &[TimelineEntry], recommended: &[RecommendedUpdate], enforcements: &[Enforcement]) -> Self {
        let keys = ProductKeys::named_in(entries, recommended);
        let enforced = keys.enforced(enforcements);
        Self {
            updates: BTreeMap::new(),
            keys,
            offered: BTreeSet::new(),
            requested: None,
            order: None,
            operation: None,
            operations: 0,
            last_process: None,
            running: None,
            enforced,
        }
    }

    /// Takes a step. Steps come in the order of time.
    fn step(&mut self, at: Time, step: Step<'_>, entries: &mut [TimelineEntry]) {
        match step {
            Step::Offer(update) => self.recommended(update, Some(at)),
            Step::Received => {
                self.order_ends();
                self.order = Some(at);
            }
            Step::Answered => self.order_ends(),
            Step::Failure(failure) => {
                // What was reported before the failure counts before it.
                self.close(entries);
                if let Some(id) = self.enforced.clone() {
                    let update = self.update(&id);
                    update.heard(PREFERENCES, Some(at));
                    update.failed(at, failure.reason.as_deref().map(Into::into));
                }
            }
            Step::Entry(index) => {
                if let Some(entry) = entries.get(index).cloned() {
                    self.entry(index, &entry, entries);
                }
            }
        }
    }

    fn entry(&mut self, index: usize, entry: &TimelineEntry, entries: &mut [TimelineEntry]) {
        let (at, from) = (entry.at, entry.log.source());
        match &entry.what {
            TimelineKind::Item(item) => self.item(item, at, from),
            TimelineKind::Message(UpdateMessage::Found { product_keys }) => self.found(product_keys, at, from),
            TimelineKind::Message(UpdateMessage::Offered { product_keys }) => self.offer(product_keys, at, from),
            TimelineKind::Message(UpdateMessage::HeldBack { product_key, until }) => {
                let update = self.update(&Id::Key(product_key.clone()));
                update.heard(from, Some(at));
                update.offered(Some(at));
                update.held_back(until);
            }
            TimelineKind::Message(UpdateMessage::AlreadyPrepared { product_key, title }) => {
                self.close(entries);
                let id = Id::Key(product_key.clone());
                let update = self.update(&id);
                update.heard(from, Some(at));
                update.already_prepared(at, title.as_deref());
                self.on_offer(id);
            }
            TimelineKind::Message(UpdateMessage::InstallRequested { product_keys, action }) => {
                self.install_requested(product_keys, action, at, from);
            }
            TimelineKind::Message(UpdateMessage::NotQueued { product_key, error, .. }) => {
                self.close(entries);
                let id = product_key.clone().map_or(Id::Untied, Id::Key);
                let update = self.update(&id);
                update.heard(from, Some(at));
                update.failed(at, Some(error.clone()));
            }
            TimelineKind::Message(UpdateMessage::Progress(progress)) => {
                let attribution = self.attribution(at);
                let first = &*progress.phase == "ACCEPTED" && progress.report == ReportKind::Start;
                let operation = self.operation(entry.pid, first, entries);
                operation.progress(entry, index, progress, attribution);
                if operation.is_complete() {
                    self.close(entries);
                }
            }
            TimelineKind::Message(
                said @ (UpdateMessage::PrepareContinues | UpdateMessage::Applied | UpdateMessage::BrainProgress { .. }),
            ) => {
                let attribution = self.attribution(at);
                // The brain is a process of its own, not the one that these operations belong to.
                let pid = if matches!(said, UpdateMessage::BrainProgress { .. }) { 0 } else { entry.pid };
                self.operation(pid, false, entries).said(entry, index, said, attribution);
            }
            TimelineKind::Message(UpdateMessage::RunsBuild { build, previous, .. }) => {
                self.close(entries);
                if let Some(previous) = previous {
                    self.running = Some(previous.clone());
                }
                self.runs(build, at, from);
            }
            TimelineKind::Message(_) => {}
        }
    }

    /// The current operation. A new one begins if `first` says so, or if another process reports.
    fn operation(&mut self, pid: u32, first: bool, entries: &mut [TimelineEntry]) -> &mut Operation {
        if self.operation.as_ref().is_some_and(|operation| first || !operation.is_of(pid)) {
            self.close(entries);
        }
        let (operations, last) = (&mut self.operations, self.last_process);
        let operation = self.operation.get_or_insert_with(|| {
            *operations += 1;
            Operation::new(*operations, !first && last != Some(pid))
        });
        operation.spoken_by(pid);
        operation
    }

    /// Ends the operation in work and credits it to its update.
    fn close(&mut self, entries: &mut [TimelineEntry]) {
        let Some(operation) = self.operation.take() else { return };
        self.last_process = Some(operation.process());
        let id = match &operation.attribution {
            Attribution::One(id) => id.clone(),
            Attribution::None | Attribution::Many => Id::Untied,
        };
        if id == Id::Untied && !operation.has_stage() {
            return;
        }
        operation.credit(self.update(&id));
        if let Id::Key(key) = &id {
            for index in operation.entries {
                if let Some(entry) = entries.get_mut(index) {
                    entry.product_key = Some(key.clone());
                }
            }
        }
    }

    /// The update that progress lines are credited to.
    fn attribution(&self, at: Time) -> Attribution {
        let requested = self.requested.as_ref().filter(|(asked, _)| at - *asked <= REQUEST_HOLDS);
        only(requested.map_or(&self.offered, |(_, ids)| ids).iter())
    }

    fn update(&mut self, id: &Id) -> &mut Update {
        self.updates.entry(id.clone()).or_insert_with(|| Update::known_by(id))
    }

    fn item(&mut self, item: &Item, at: Time, from: SourceName) {
        let of_build = || self.keys.id_of_build(item.build()?);
        let id = item.product_key.clone().map(Id::Key).or_else(of_build);
        let Some(id) = id else { return };
        let update = self.update(&id);
        update.heard(from, Some(at));
        update.listed(item);
        update.offered(Some(at));
        self.on_offer(id);
    }

    fn on_offer(&mut self, id: Id) {
        if self
            .updates
            .get(&id)
            .is_some_and(|update| update.of_the_system && update.stage < Some(UpdatePhase::Installed))
        {
            self.offered.insert(id);
        }
    }

    /// Replaces the list of offers by what a scan found. A scan does not list a deferred update, so that one may still
    /// be on offer.
    fn found(&mut self, product_keys: &[Box<str>], at: Time, from: SourceName) {
        let updates = &self.updates;
        self.offered.retain(|id| updates.get(id).is_some_and(|update| update.deferred == Some(true)));
        self.offer(product_keys, at, from);
    }

    fn offer(&mut self, product_keys: &[Box<str>], at: Time, from: SourceName) {
        for key in product_keys {
            let id = Id::Key(key.clone());
            let update = self.update(&id);
            update.heard(from, Some(at));
            update.offered(Some(at));
            self.on_offer(id);
        }
    }

    /// The preferences recommend the update, at the given moment if one is known.
    fn recommended(&mut self, recommended: &RecommendedUpdate, at: Option<Time>) {
        let id = Id::Key(recommended.product_key.as_str().into());
        let update = self.update(&id);
        update.heard(PREFERENCES, None);
        update.recommended(recommended);
        update.offered(at);
        if at.is_some() {
            self.on_offer(id);
        }
    }

    fn install_requested(&mut self, product_keys: &[Box<str>], action: &str, at: Time, from: SourceName) {
        // A request by version names no product key.
        let ordered = if product_keys.is_empty() { None } else { self.order.take() };
        let mut of_the_system = BTreeSet::new();
        for key in product_keys {
            let id = Id::Key(key.clone());
            let update = self.update(&id);
            update.heard(from, Some(at));
            update.install_action = Some(action.into());
            if let Some(ordered) = ordered {
                update.ordered(ordered);
            }
            if update.of_the_system {
                of_the_system.insert(id);
            }
        }
        if !of_the_system.is_empty() {
            self.requested = Some((at, of_the_system));
        }
    }

    /// A ScheduleOSUpdate ended without saying which update it was for, so it was for the only update on offer. That
    /// may also be one for Safari or XProtect.
    fn order_ends(&mut self) {
        let Some(ordered) = self.order.take() else { return };
        let others = self.updates.iter().filter(|(id, update)| {
            !update.of_the_system && **id != Id::Untied && update.stage < Some(UpdatePhase::Installed)
        });
        let id = match only(self.offered.iter().chain(others.map(|(id, _)| id))) {
            Attribution::One(id) => id,
            Attribution::None | Attribution::Many => Id::Untied,
        };
        let update = self.update(&id);
        update.heard(UpdateLog::Unified.source(), Some(ordered));
        update.ordered(ordered);
    }

    fn runs(&mut self, build: &str, at: Time, from: SourceName) {
        let changed = self.running.as_deref().is_some_and(|before| before != build);
        self.running = Some(build.into());
        for (id, update) in &mut self.updates {
            if update.build.as_deref() == Some(build) && update.stage < Some(UpdatePhase::Installed) {
                // Without a change of the build, or work on the update, the Mac may have been running it for a long
                // time.
                let since = changed || update.stage >= Some(UpdatePhase::Downloading);
                update.installed(since.then_some(at));
                update.heard(from, Some(at));
                self.offered.remove(id);
            }
        }
        if let Some((_, requested)) = &mut self.requested {
            let updates = &self.updates;
            requested.retain(|id| updates.get(id).is_none_or(|update| update.stage < Some(UpdatePhase::Installed)));
            if requested.is_empty() {
                self.requested = None;
            }
        }
    }

    fn finish(mut self) -> Vec<Update> {
        // A ScheduleOSUpdate that was never answered.
        self.order_ends();
        self.updates.into_values().collect()
    }
}

/// The id, if there is only one.
fn only<'i>(mut ids: impl Iterator<Item = &'i Id>) -> Attribution {
    match (ids.next(), ids.next()) {
        (None, _) => Attribution::None,
        (Some(one), None) => Attribution::One(one.clone()),
        (Some(_), Some(_)) => Attribution::Many,
    }
}
