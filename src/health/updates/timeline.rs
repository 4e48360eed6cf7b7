//! What happened around OS updates, in one order: mdmclient's items, built from their fields, and all other messages.

use crate::event::update::{ItemField, UpdateLog, UpdateMessage};
use crate::event::{Event, EventKind};
use crate::vocabulary::Time;
use std::collections::HashMap;
use std::mem;

/// One thing that happened. Entries of the same instant have an order of their own, so that the order in which events
/// come does not matter.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct TimelineEntry {
    pub at: Time,
    pub what: TimelineKind,
    /// The log it stands in.
    pub log: UpdateLog,
    /// The name of the process that said it.
    pub process: Box<str>,
    /// Its process id; 0 where the log has none.
    pub pid: u32,
    /// The product that it is about: the one that the line names, or the current update.
    pub product_key: Option<Box<str>>,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum TimelineKind {
    /// mdmclient listed an update.
    Item(Box<Item>),
    /// Something else.
    Message(UpdateMessage),
}

/// A version and a build, as far as the log shows them.
pub type Release = (Option<Box<str>>, Option<Box<str>>);

/// An update as mdmclient listed it. A field that the log does not show is `None`.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Item {
    pub product_key: Option<Box<str>>,
    pub title: Option<Box<str>>,
    /// The version, and the build.
    pub version: Option<Release>,
    /// Whether it is held back, and until when in the log's words.
    pub deferred: Option<(bool, Option<Box<str>>)>,
    pub macos: Option<bool>,
    /// Whether it is a major one; `Some(None)` if it is no update of the system.
    pub major: Option<Option<bool>>,
    /// Whether it is a rapid security response.
    pub rapid_response: Option<bool>,
    /// In bytes.
    pub download_size: Option<u64>,
    /// Whether it is configuration data.
    pub config_data: Option<bool>,
    pub firmware: Option<bool>,
    /// Whether it can wait for the night.
    pub allows_install_later: Option<bool>,
    pub critical: Option<bool>,
    /// Whether it needs a restart.
    pub restart_required: Option<bool>,
}

impl Item {
    /// Takes a field; gives it back if that one is there already.
    fn take<'f>(&mut self, field: &'f ItemField) -> Option<&'f ItemField> {
        fn set<T>(place: &mut Option<T>, value: T) -> bool {
            let free = place.is_none();
            place.get_or_insert(value);
            free
        }
        let taken = match field {
            ItemField::ProductKey(key) => set(&mut self.product_key, key.clone()),
            ItemField::Title(title) => set(&mut self.title, title.clone()),
            ItemField::Version { version, build } => set(&mut self.version, (version.clone(), build.clone())),
            ItemField::Deferred { deferred, until } => set(&mut self.deferred, (*deferred, until.clone())),
            ItemField::MacOs(macos) => set(&mut self.macos, *macos),
            ItemField::Major(major) => set(&mut self.major, *major),
            ItemField::RapidResponse(rapid) => set(&mut self.rapid_response, *rapid),
            ItemField::DownloadSize(size) => set(&mut self.download_size, *size),
            ItemField::ConfigData(config_data) => set(&mut self.config_data, *config_data),
            ItemField::Firmware(firmware) => set(&mut self.firmware, *firmware),
            ItemField::AllowsInstallLater(allows) => set(&mut self.allows_install_later, *allows),
            ItemField::Critical(critical) => set(&mut self.critical, *critical),
            ItemField::RestartRequired(restart) => set(&mut self.restart_required, *restart),
        };
        (!taken).then_some(field)
    }

    /// Its build, where the log shows it.
    pub fn build(&self) -> Option<&str> {
        self.version.as_ref()?.1.as_deref()
    }

    /// Whether it is an update of the system, as far as the log shows.
    pub fn of_the_system(&self) -> bool {
        self.macos == Some(true) || matches!(self.major, Some(Some(_))) || self.rapid_response == Some(true)
    }
}

/// Makes the timeline. Events of one thread must have the order of the log; otherwise their order does not matter.
pub fn timeline<'e>(events: impl Iterator<Item = &'e Event>) -> Vec<TimelineEntry> {
    let mut events: Vec<&Event> = events.collect();
    events.sort_by_key(|event| event.at);
    let mut entries = Vec::new();
    let mut open: HashMap<(u32, u64), TimelineEntry> = HashMap::new();
    for event in events {
        let EventKind::Update(update) = &event.kind else { continue };
        let entry = |what| TimelineEntry {
            at: event.at,
            what,
            log: update.log,
            process: update.process.clone(),
            pid: event.pid,
            product_key: None,
        };
        let worker = (event.pid, event.thread);
        match &update.message {
            UpdateMessage::ItemBegan => {
                entries.extend(open.insert(worker, entry(TimelineKind::Item(Box::default()))));
            }
            UpdateMessage::ItemField(field) => {
                // An item without its first line still counts: the log may begin in the middle of it.
                let item = open.entry(worker).or_insert_with(|| entry(TimelineKind::Item(Box::default())));
                // A field that appears again belongs to the next item, whose first line is missing.
                if let Some(again) = take(item, field) {
                    entries.push(mem::replace(item, entry(TimelineKind::Item(Box::default()))));
                    take(item, again);
                }
            }
            UpdateMessage::ItemEnded => entries.extend(open.remove(&worker)),
            said => {
                let product_key = named(said);
                entries.push(TimelineEntry { product_key, ..entry(TimelineKind::Message(said.clone())) });
            }
        }
    }
    entries.extend(open.into_values());
    // A first line without fields is not an item.
    entries.retain(|entry| entry.what != TimelineKind::Item(Box::default()));
    entries.sort();
    // An event that was read twice happened only once.
    entries.dedup();
    entries
}

/// The one product that is named.
fn named(said: &UpdateMessage) -> Option<Box<str>> {
    match said {
        UpdateMessage::NotQueued { product_key, .. } => product_key.clone(),
        UpdateMessage::HeldBack { product_key, .. } | UpdateMessage::AlreadyPrepared { product_key, .. } => {
            Some(product_key.clone())
        }
        UpdateMessage::Found { product_keys }
        | UpdateMessage::Offered { product_keys }
        | UpdateMessage::InstallRequested { product_keys, .. } => match product_keys.as_slice() {
            [one] => Some(one.clone()),
            _ => None,
        },
        _ => None,
    }
}

fn take<'f>(entry: &mut TimelineEntry, field: &'f ItemField) -> Option<&'f ItemField> {
    match &mut entry.what {
        TimelineKind::Item(item) => {
            let again = item.take(field);
            entry.product_key = item.product_key.clone();
            again
        }
        TimelineKind::Message(_) => None,
    }
}
