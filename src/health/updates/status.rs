//! One update, and how far it is. A phase never goes back without a reason: a new start, which is counted.

use super::enforcement::Enforcement;
use super::timeline::Item;
use super::versions::{self, key_parts};
use crate::facts::software_update_preferences::RecommendedUpdate;
use crate::health::Evidence;
use crate::vocabulary::Time;
use crate::vocabulary::codes::{SourceName, UpdateKind, UpdatePhase};
use std::cmp::Ordering;
use std::collections::BTreeSet;

/// What an update is known by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Id {
    /// Its product key.
    Key(Box<str>),
    /// Its build, if the log lacks the first lines of mdmclient's list entry, which name the key.
    Build(Box<str>),
    /// Nothing: progress of a product that no source names.
    Untied,
}

/// An update. What no source says is `None`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Update {
    pub product_key: Option<Box<str>>,
    pub title: Option<Box<str>>,
    /// The version that it leads to.
    pub version: Option<Box<str>>,
    /// The build that it leads to.
    pub build: Option<Box<str>>,
    pub kind: Option<UpdateKind>,
    /// Whether it is an update of the system.
    pub of_the_system: bool,
    /// How far it is.
    pub stage: Option<UpdatePhase>,
    /// Whether it failed there.
    pub failed: bool,
    /// How far the stage is.
    pub percent: Option<u8>,
    /// Whether the stage is stalled.
    pub stalled: Option<bool>,
    /// Bytes of it that are downloaded, by the last report that said so.
    pub downloaded_bytes: Option<u64>,
    pub total_bytes: Option<u64>,
    /// How long the stage will take, by softwareupdated's own estimate.
    pub seconds_left: Option<u32>,
    /// How often work on it began.
    pub attempts: u32,
    /// What the MDM server asked for.
    pub install_action: Option<Box<str>>,
    /// In bytes.
    pub download_size: Option<u64>,
    /// Whether it needs a restart.
    pub restart_required: Option<bool>,
    pub critical: Option<bool>,
    /// Whether it can wait for the night.
    pub allows_install_later: Option<bool>,
    /// Whether it is held back.
    pub deferred: Option<bool>,
    /// Until when.
    pub deferred_until: Option<Time>,
    /// When it was first offered.
    pub offered_at: Option<Time>,
    /// When the MDM server last ordered it.
    pub command_received_at: Option<Time>,
    /// The next four fields: when each phase was first reported in the last attempt.
    pub download_started_at: Option<Time>,
    pub downloaded_at: Option<Time>,
    pub prepared_at: Option<Time>,
    pub install_started_at: Option<Time>,
    /// When the Mac first ran it.
    pub installed_at: Option<Time>,
    /// When it last failed.
    pub failed_at: Option<Time>,
    /// Why it last failed.
    pub error: Option<Box<str>>,
    /// When DDM enforces it.
    pub deadline_at: Option<Time>,
    /// When something was last said of it.
    pub last_event_at: Option<Time>,
    /// Who speaks of it.
    pub sources: BTreeSet<SourceName>,
    /// The operation that gave the stage.
    pub(super) operation: u32,
}

impl Update {
    /// What its id says of it.
    pub fn known_by(id: &Id) -> Self {
        match id {
            Id::Key(key) => {
                let parts = key_parts(key);
                Self {
                    product_key: Some(key.clone()),
                    version: parts.map(|parts| parts.version.into()),
                    build: parts.and_then(|parts| parts.build).map(Into::into),
                    kind: parts.and_then(|parts| parts.kind),
                    of_the_system: parts.is_some(),
                    ..Self::default()
                }
            }
            Id::Build(build) => Self { build: Some(build.clone()), ..Self::default() },
            Id::Untied => Self::default(),
        }
    }

    /// How far it is, in SQL's word.
    pub fn phase(&self) -> Option<UpdatePhase> {
        if self.failed { Some(UpdatePhase::Failed) } else { self.stage }
    }

    /// Something was said of it.
    pub fn heard(&mut self, source: SourceName, at: Option<Time>) {
        self.sources.insert(source);
        self.last_event_at = self.last_event_at.max(at);
    }

    pub fn offered(&mut self, at: Option<Time>) {
        self.stage = self.stage.max(Some(UpdatePhase::Offered));
        self.offered_at = match (self.offered_at, at) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
    }

    /// The MDM server ordered it.
    pub fn ordered(&mut self, at: Time) {
        self.stage = self.stage.max(Some(UpdatePhase::CommandReceived));
        self.command_received_at = Some(at);
    }

    /// softwareupdated says that the update is prepared; no report shows how it got there.
    pub fn already_prepared(&mut self, at: Time, title: Option<&str>) {
        self.title = self.title.take().or(title.map(Into::into));
        self.offered(Some(at));
        if self.stage < Some(UpdatePhase::Prepared) {
            self.stage = Some(UpdatePhase::Prepared);
            self.failed = false;
            (self.percent, self.stalled, self.seconds_left) = (None, None, None);
            self.prepared_at.get_or_insert(at);
        }
    }

    /// It is held back until a moment, in the log's words.
    pub fn held_back(&mut self, until: &str) {
        self.deferred = Some(true);
        self.deferred_until = crate::property_list::moment_in_text(until);
    }

    pub fn failed(&mut self, at: Time, why: Option<Box<str>>) {
        if self.stage != Some(UpdatePhase::Installed) {
            self.failed = true;
        }
        self.failed_at = Some(at);
        self.error = why.or(self.error.take());
    }

    /// The Mac runs it, since that moment if that is known.
    pub fn installed(&mut self, at: Option<Time>) {
        self.stage = Some(UpdatePhase::Installed);
        self.failed = false;
        (self.percent, self.stalled, self.seconds_left) = (None, None, None);
        self.installed_at = self.installed_at.or(at);
    }

    /// What mdmclient lists of it; the last list counts.
    pub fn listed(&mut self, item: &Item) {
        let (version, build) = item.version.clone().unwrap_or_default();
        self.title = item.title.clone().or(self.title.take());
        self.version = version.or(self.version.take());
        self.build = build.or(self.build.take());
        self.of_the_system |= item.of_the_system();
        self.download_size = item.download_size.or(self.download_size);
        self.restart_required = item.restart_required.or(self.restart_required);
        self.critical = item.critical.or(self.critical);
        self.allows_install_later = item.allows_install_later.or(self.allows_install_later);
        if let Some((deferred, until)) = &item.deferred {
            self.deferred = Some(*deferred);
            self.deferred_until = until.as_deref().and_then(crate::property_list::moment_in_text);
        }
        self.kind = self.kind.or(item_kind(item));
    }

    /// What softwareupdated's preferences say of it.
    pub fn recommended(&mut self, update: &RecommendedUpdate) {
        self.title = self.title.take().or(update.title.as_deref().map(Into::into));
        self.version = self.version.take().or(update.version.as_deref().map(Into::into));
        self.of_the_system |= update.of_the_system;
        // `macOS Catalina 10.15.7 Update`, whose key is digits: of the system, and no application.
        let titled_macos = update.title.as_deref().is_some_and(|title| title.starts_with("macOS "));
        if self.kind.is_none() && !update.of_the_system && !titled_macos {
            let named = |words: &str| {
                [&update.title, &update.identifier].into_iter().flatten().any(|name| name.contains(words))
            };
            // XProtectPlistConfigData, XProtectPayloads and their like.
            let config_data = named("ConfigData") || named("XProtect");
            self.kind = Some(if config_data { UpdateKind::ConfigData } else { UpdateKind::App });
        }
    }
}

fn item_kind(item: &Item) -> Option<UpdateKind> {
    let is = |flag: Option<bool>| flag == Some(true);
    match item.major {
        _ if is(item.rapid_response) => Some(UpdateKind::Rsr),
        _ if is(item.config_data) => Some(UpdateKind::ConfigData),
        _ if is(item.firmware) => Some(UpdateKind::Firmware),
        Some(Some(major)) => Some(if major { UpdateKind::Major } else { UpdateKind::Minor }),
        _ if item.macos == Some(false) && item.config_data == Some(false) && item.firmware == Some(false) => {
            Some(UpdateKind::App)
        }
        _ => None,
    }
}

/// What only the whole shows.
pub fn finish(mut updates: Vec<Update>, evidence: &Evidence, enforcements: &[Enforcement]) -> Vec<Update> {
    let system = evidence.system_version.known();
    for update in &mut updates {
        let runs = system.and_then(|system| system.build.as_deref());
        if update.build.is_some() && update.build.as_deref() == runs && update.stage < Some(UpdatePhase::Installed) {
            update.installed(None);
        }
        if let (None, true, Some(version), Some(system)) = (update.kind, update.of_the_system, &update.version, system)
        {
            update.kind = kind_by_version(version, system.major());
        }
        let fits = |one: &&Enforcement| one.leads_to(update.version.as_deref(), update.build.as_deref());
        if let Some(enforcement) = enforcements.iter().filter(|one| one.in_force() || one.is_met()).find(fits) {
            update.deadline_at = enforcement.deadline_at;
            update.sources.extend(&enforcement.sources);
        }
    }
    let running = system.map(|system| system.version.as_str());
    updates.retain(|update| !is_past(update, running));
    updates
}

/// Whether an offer is of yesterday: the Mac runs a later version, and never worked on it.
fn is_past(update: &Update, running: Option<&str>) -> bool {
    let older = |version: &str| versions::compare(version, running?).map(|order| order == Ordering::Less);
    update.of_the_system
        && !update.failed
        && update.stage <= Some(UpdatePhase::CommandReceived)
        && update.version.as_deref().and_then(older) == Some(true)
}

fn kind_by_version(version: &str, running: Option<u32>) -> Option<UpdateKind> {
    let major: u32 = version.split('.').next()?.parse().ok()?;
    Some(if major > running? { UpdateKind::Major } else { UpdateKind::Minor })
}
