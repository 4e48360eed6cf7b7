//! Updates that DDM enforces: what the Mac stores about them, what its logs say, and where each one stands.

use super::timeline::{TimelineEntry, TimelineKind};
use super::versions::{compare, compare_builds, same};
use crate::event::status_report::StatusReport;
use crate::event::update::{EnforcedDeclaration, Standing, UpdateMessage};
use crate::facts::ddm_state::{StoredDeclaration, declaration_id};
use crate::facts::software_update_preferences::DdmFailure;
use crate::facts::system_version::SystemVersion;
use crate::facts::zone::Zone;
use crate::health::Evidence;
use crate::vocabulary::Time;
use crate::vocabulary::codes::{EnforcementState, SourceName};
use chrono::{DateTime, NaiveDateTime};
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

/// A declaration of an enforced update. What no source says is `None`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enforcement {
    /// Whether a source names the declaration. If not, this row only holds failures that could not be assigned to a
    /// declaration.
    pub declared: bool,
    /// Whether it is certainly active: the Mac stores it, or its log calls it the applicable one. Other declarations in
    /// the log may have been removed.
    pub certain: bool,
    /// The server's identifier, or the Mac's key if that does not contain one.
    pub declaration_id: Option<String>,
    /// The version to go to.
    pub version: Option<String>,
    /// The build to go to.
    pub build: Option<String>,
    /// The deadline as the declaration has it.
    pub deadline: Option<String>,
    /// The deadline as an instant.
    pub deadline_at: Option<Time>,
    /// Whether it has passed while the Mac does not run what is asked for.
    pub past_due: Option<bool>,
    /// The later deadline that the Mac set for itself after the first one had passed.
    pub padded_deadline_at: Option<Time>,
    /// A page for the user.
    pub details_url: Option<String>,
    /// How it stands.
    pub state: EnforcementState,
    /// How often, why and when the update failed.
    pub failure: Option<DdmFailure>,
    /// What the Mac reported to its server about it.
    pub reported: Option<Reported>,
    /// The sources that name it.
    pub sources: BTreeSet<SourceName>,
    /// When a log last named it.
    pub seen_at: Option<Time>,
}

/// What the Mac last told its server by declarative management.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reported {
    pub at: Time,
    /// `none`, `waiting`, `downloading`, `prepared`, `installing` or `failed`.
    pub state: Option<Box<str>>,
    /// Why the update failed, or how often if no reason was given; `None` if it did not.
    pub failure: Option<String>,
}

impl Enforcement {
    /// Whether the Mac follows this declaration and has not met it yet.
    pub fn in_force(&self) -> bool {
        use EnforcementState::{NoMatch, PastDue, Unknown, Waiting};
        self.declared && matches!(self.state, Waiting | PastDue | NoMatch | Unknown)
    }

    /// Whether the Mac runs what it asks for.
    pub fn is_met(&self) -> bool {
        self.state == EnforcementState::Met
    }

    /// Whether an update to that version and build is what it asks for. A build is more exact than a version.
    pub fn leads_to(&self, version: Option<&str>, build: Option<&str>) -> bool {
        match (&self.build, build, &self.version, version) {
            (Some(wanted), Some(build), ..) => wanted == build,
            (_, _, Some(wanted), Some(version)) => same(wanted, version),
            _ => false,
        }
    }
}

/// What the sources say of one declaration.
#[derive(Default)]
struct Known {
    id: Option<String>,
    version: Option<String>,
    build: Option<String>,
    deadline: Option<String>,
    details_url: Option<String>,
    sources: BTreeSet<SourceName>,
    /// Whether the Mac keeps it.
    stored: bool,
    /// When a log last named it, and in which role.
    named: Option<(Time, Standing)>,
    rejected: Option<Time>,
}

/// Judges every declaration. `entries` are those not later than `now`, in order.
pub fn judge(entries: &[TimelineEntry], evidence: &Evidence, now: Time) -> Vec<Enforcement> {
    let mut known: BTreeMap<String, Known> = BTreeMap::new();
    for entry in entries {
        match &entry.what {
            TimelineKind::Message(UpdateMessage::Declared { standing, declaration }) => {
                let one = take(&mut known, declaration);
                one.named = one.named.max(Some((entry.at, *standing)));
                one.sources.insert(entry.log.source());
            }
            TimelineKind::Message(UpdateMessage::Rejected { declaration, .. }) if declaration.key.is_some() => {
                let one = take(&mut known, declaration);
                one.rejected = Some(entry.at);
                one.sources.insert(entry.log.source());
            }
            _ => {}
        }
    }
    let stored = evidence.ddm_state.known().and_then(|state| state.declarations.as_deref());
    for declaration in stored.unwrap_or_default() {
        store(&mut known, declaration);
    }
    let current = current(&known, stored.is_some());
    let mut all: Vec<Enforcement> =
        known.into_iter().map(|(known_by, one)| stand(one, current.contains(&known_by), evidence, now)).collect();
    no_matches(&mut all, entries, evidence);
    pad(&mut all, entries);
    fail(&mut all, evidence, now);
    report(&mut all, entries);
    all.sort_by(|one, other| (one.deadline_at, &one.declaration_id).cmp(&(other.deadline_at, &other.declaration_id)));
    all
}

/// What a log says of a declaration; the last word counts.
fn take<'k>(known: &'k mut BTreeMap<String, Known>, declaration: &EnforcedDeclaration) -> &'k mut Known {
    let id = declaration.key.as_deref().map(|key| declaration_id(key).unwrap_or_else(|| key.to_owned()));
    // A declaration without a key is told apart by its content.
    let known_by = id.clone().unwrap_or_else(|| format!("{:?} {:?}", declaration.version, declaration.deadline));
    let one = known.entry(known_by).or_default();
    one.id = id;
    let last = |text: &Option<Box<str>>, before: &mut Option<String>| {
        if let Some(text) = text {
            *before = Some(text.to_string());
        }
    };
    last(&declaration.version, &mut one.version);
    last(&declaration.build, &mut one.build);
    last(&declaration.deadline, &mut one.deadline);
    last(&declaration.details_url, &mut one.details_url);
    one
}

/// Adds a declaration that the Mac stores; the stored values replace what the logs say.
fn store(known: &mut BTreeMap<String, Known>, declaration: &StoredDeclaration) {
    let id = declaration_id(&declaration.key).unwrap_or_else(|| declaration.key.clone());
    let one = known.entry(id.clone()).or_default();
    one.id = Some(id);
    one.stored = true;
    one.sources.insert(SourceName::DdmState);
    one.version.clone_from(&declaration.version);
    one.build.clone_from(&declaration.build);
    one.deadline.clone_from(&declaration.deadline);
    one.details_url.clone_from(&declaration.details_url);
}

/// The declarations that the Mac follows: those that it stores. If that is not known, it is the one that a log named
/// last; if several were named in the same second, the one with the strongest role. Logs keep naming old and refused
/// declarations for months.
fn current(known: &BTreeMap<String, Known>, stored: bool) -> BTreeSet<String> {
    if stored {
        return known.iter().filter(|(_, one)| one.stored).map(|(id, _)| id.clone()).collect();
    }
    let accepted = known.iter().filter(|(_, one)| !is_rejected(one));
    let newest = accepted.filter_map(|(id, one)| Some((one.named?, id))).max();
    newest.map(|(_, id)| id.clone()).into_iter().collect()
}

fn is_rejected(one: &Known) -> bool {
    let named = one.named.map(|(at, _)| at);
    !one.stored && one.rejected.is_some_and(|rejected| named.is_none_or(|named| rejected >= named))
}

fn stand(one: Known, is_current: bool, evidence: &Evidence, now: Time) -> Enforcement {
    let deadline = one.deadline.as_deref().and_then(|text| Deadline::read(text, &evidence.zone));
    let passed = deadline.as_ref().map(|deadline| deadline.has_passed(&evidence.zone, now));
    let met = evidence.system_version.known().and_then(|system| is_met(&one, system));
    let rejected = is_rejected(&one);
    let (state, past_due) = match (met, passed) {
        _ if rejected => (EnforcementState::Rejected, Some(false)),
        (Some(true), _) => (EnforcementState::Met, Some(false)),
        _ if !is_current => (EnforcementState::Stale, Some(false)),
        (_, Some(false)) => (EnforcementState::Waiting, Some(false)),
        (Some(false), Some(true)) => (EnforcementState::PastDue, Some(true)),
        (None, Some(true)) | (_, None) => (EnforcementState::Unknown, None),
    };
    Enforcement {
        declared: true,
        certain: one.stored || one.named.is_some_and(|(_, standing)| standing >= Standing::Enforced),
        declaration_id: one.id,
        version: one.version,
        build: one.build,
        deadline: one.deadline,
        deadline_at: deadline.map(|deadline| deadline.at),
        past_due,
        padded_deadline_at: None,
        details_url: one.details_url,
        state,
        failure: None,
        reported: None,
        sources: one.sources,
        seen_at: one.named.map(|(at, _)| at).max(one.rejected),
    }
}

/// Whether the Mac runs what is asked for, or something later.
fn is_met(one: &Known, system: &SystemVersion) -> Option<bool> {
    let builds = || compare_builds(system.build.as_deref()?, one.build.as_deref()?);
    match one.version.as_deref().map(|wanted| compare(&system.version, wanted)) {
        Some(Some(Ordering::Equal)) if one.build.is_some() => builds().map(Ordering::is_ge),
        Some(order) => order.map(Ordering::is_ge),
        None => builds().map(Ordering::is_ge),
    }
}

struct Deadline {
    at: Time,
    /// The Mac's local time, if it is stated in that.
    local: Option<NaiveDateTime>,
}

impl Deadline {
    /// `2026-08-21T13:00:00`, the Mac's local time, or with a Z or an offset.
    fn read(text: &str, zone: &Zone) -> Option<Self> {
        if let Ok(at) = DateTime::parse_from_rfc3339(text.trim()) {
            return Some(Self { at: at.to_utc(), local: None });
        }
        let local = text.trim().parse().ok()?;
        Some(Self { at: zone.instant(local)?, local: Some(local) })
    }

    /// Compares both the instant and the Mac's clock: they differ if the clock changed in between and that is not
    /// known.
    fn has_passed(&self, zone: &Zone, now: Time) -> bool {
        let by_clock = self.local.is_none_or(|local| zone.clock(now).is_some_and(|clock| clock >= local));
        self.at <= now && by_clock
    }
}

/// Marks the declarations that Apple offers no update for, unless a matching one was offered since.
fn no_matches(all: &mut [Enforcement], entries: &[TimelineEntry], evidence: &Evidence) {
    let only = only_in_force(all);
    let mut asked_for: Option<&str> = None;
    let mut last: BTreeMap<usize, Time> = BTreeMap::new();
    for entry in entries {
        match &entry.what {
            TimelineKind::Message(UpdateMessage::ScanStarted { version, .. }) => asked_for = version.as_deref(),
            TimelineKind::Message(UpdateMessage::NoMatch { version, enforced, .. }) => {
                match version.as_deref().or(asked_for) {
                    Some(version) => last.extend(
                        (all.iter().enumerate())
                            .filter(|(_, one)| one.version.as_deref().is_some_and(|wanted| same(wanted, version)))
                            .map(|(index, _)| (index, entry.at)),
                    ),
                    None => last.extend(only.filter(|_| *enforced).map(|index| (index, entry.at))),
                }
            }
            _ => {}
        }
    }
    for (index, at) in last {
        let Some(one) = all.get_mut(index).filter(|one| one.in_force()) else { continue };
        if offered_at(one, entries, evidence).is_none_or(|offered| offered < at) {
            one.state = EnforcementState::NoMatch;
        }
    }
}

/// When something that fits was last offered.
fn offered_at(one: &Enforcement, entries: &[TimelineEntry], evidence: &Evidence) -> Option<Time> {
    let fits =
        |key: &str| super::versions::key_parts(key).is_some_and(|parts| one.leads_to(Some(parts.version), parts.build));
    let logged = entries.iter().rev().find(|entry| match &entry.what {
        TimelineKind::Item(item) => item.product_key.as_deref().is_some_and(fits),
        TimelineKind::Message(UpdateMessage::Found { product_keys }) => product_keys.iter().any(|key| fits(key)),
        TimelineKind::Message(_) => false,
    });
    let preferences = evidence.preferences.known();
    let recommended = preferences.and_then(|preferences| {
        let updates = preferences.recommended.as_ref()?;
        updates.iter().any(|update| fits(&update.product_key)).then_some(preferences.last_successful_scan_at)?
    });
    logged.map(|entry| entry.at).max(recommended)
}

/// The line with the later deadline names no declaration, so it belongs to the only one in force.
fn pad(all: &mut [Enforcement], entries: &[TimelineEntry]) {
    let padded = entries.iter().rev().find_map(|entry| match entry.what {
        TimelineKind::Message(UpdateMessage::PaddedDeadline { at }) => Some(at),
        _ => None,
    });
    let only = only_in_force(all).and_then(|index| all.get_mut(index));
    if let (Some(one), Some(padded)) = (only, padded)
        && one.deadline_at.is_some_and(|deadline| padded > deadline)
    {
        one.padded_deadline_at = Some(padded);
    }
}

/// The Mac counts failures without naming a declaration. They belong to the only declaration in force, or to the only
/// one there is. Otherwise they get a row of their own.
fn fail(all: &mut Vec<Enforcement>, evidence: &Evidence, now: Time) {
    let failure = evidence.preferences.known().and_then(|preferences| preferences.ddm_failure.clone());
    let Some(failure) = failure.filter(|failure| failure.at.is_none_or(|at| at <= now)) else { return };
    let only = only_in_force(all).or((all.len() == 1).then_some(0));
    if let Some(one) = only.and_then(|index| all.get_mut(index)) {
        one.sources.insert(SourceName::SoftwareUpdatePreferences);
        one.failure = Some(failure);
        return;
    }
    all.push(Enforcement {
        declared: false,
        certain: false,
        declaration_id: None,
        version: None,
        build: None,
        deadline: None,
        deadline_at: None,
        past_due: None,
        padded_deadline_at: None,
        details_url: None,
        state: EnforcementState::Unknown,
        failure: Some(failure),
        reported: None,
        sources: BTreeSet::from([SourceName::SoftwareUpdatePreferences]),
        seen_at: None,
    });
}

/// A report names a version but no declaration, so it belongs to the declaration with that version. Without a version
/// it belongs to the only one in force, or to the only one there is.
fn report(all: &mut [Enforcement], entries: &[TimelineEntry]) {
    let mut last: Option<(StatusReport, &TimelineEntry)> = None;
    for entry in entries {
        if let TimelineKind::Message(UpdateMessage::StatusReported(report)) = &entry.what {
            // A report holds only what changed.
            let before = last.map(|(before, _)| before).unwrap_or_default();
            last = Some((report.after(before), entry));
        }
    }
    let Some((report, entry)) = last else { return };
    let (version, build) = (report.pending_version.as_deref(), report.pending_build.as_deref());
    let index = if version.is_some() || build.is_some() {
        let mut fitting = all.iter().enumerate().filter(|(_, one)| one.declared && one.leads_to(version, build));
        let one = fitting.next().map(|(index, _)| index);
        one.filter(|_| fitting.next().is_none())
    } else {
        only_in_force(all).or((all.len() == 1).then_some(0))
    };
    if let Some(one) = index.and_then(|index| all.get_mut(index)) {
        let failure = report.failure.filter(|failure| failure.count != Some(0));
        one.reported = Some(Reported {
            at: entry.at,
            state: report.install_state,
            failure: failure.and_then(|failure| match (failure.reason, failure.count) {
                (Some(reason), _) => Some(reason.into()),
                (None, Some(count)) => Some(format!("failed {count} times")),
                (None, None) => None,
            }),
        });
        one.sources.insert(entry.log.source());
    }
}

fn only_in_force(all: &[Enforcement]) -> Option<usize> {
    let mut in_force = all.iter().enumerate().filter(|(_, one)| one.in_force()).map(|(index, _)| index);
    in_force.next().filter(|_| in_force.next().is_none())
}
