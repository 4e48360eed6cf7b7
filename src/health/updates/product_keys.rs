//! The product keys that the evidence names, and what an update without one may be.

use super::enforcement::Enforcement;
use super::status::Id;
use super::timeline::{TimelineEntry, TimelineKind};
use super::versions::key_parts;
use crate::event::update::UpdateMessage;
use crate::facts::software_update_preferences::RecommendedUpdate;
use std::collections::{BTreeMap, BTreeSet};

/// All product keys that are named anywhere.
pub struct ProductKeys {
    all: BTreeSet<Box<str>>,
    of_build: BTreeMap<Box<str>, BTreeSet<Box<str>>>,
}

impl ProductKeys {
    pub fn named_in(entries: &[TimelineEntry], recommended: &[RecommendedUpdate]) -> Self {
        let mut all: BTreeSet<Box<str>> = recommended.iter().map(|update| update.product_key.as_str().into()).collect();
        for entry in entries {
            match &entry.what {
                TimelineKind::Item(item) => all.extend(item.product_key.clone()),
                TimelineKind::Message(
                    UpdateMessage::Found { product_keys }
                    | UpdateMessage::Offered { product_keys }
                    | UpdateMessage::InstallRequested { product_keys, .. },
                ) => all.extend(product_keys.iter().cloned()),
                TimelineKind::Message(UpdateMessage::AlreadyPrepared { product_key, .. }) => {
                    all.insert(product_key.clone());
                }
                TimelineKind::Message(_) => {}
            }
        }
        let mut of_build: BTreeMap<Box<str>, BTreeSet<Box<str>>> = BTreeMap::new();
        for key in &all {
            if let Some(build) = key_parts(key).and_then(|parts| parts.build) {
                of_build.entry(build.into()).or_default().insert(key.clone());
            }
        }
        Self { all, of_build }
    }

    /// What an update of that build is known by; `None` if it may be one of several.
    pub fn id_of_build(&self, build: &str) -> Option<Id> {
        match self.of_build.get(build) {
            Some(keys) if keys.len() == 1 => keys.first().cloned().map(Id::Key),
            Some(_) => None,
            None => Some(Id::Build(build.into())),
        }
    }

    /// The one update that is enforced; `None` if several are, or if several keys fit.
    pub fn enforced(&self, enforcements: &[Enforcement]) -> Option<Id> {
        let mut in_force = enforcements.iter().filter(|enforcement| enforcement.in_force());
        let (Some(one), None) = (in_force.next(), in_force.next()) else { return None };
        let mut fits = self
            .all
            .iter()
            .filter(|key| key_parts(key).is_some_and(|parts| one.leads_to(Some(parts.version), parts.build)));
        fits.next().filter(|_| fits.next().is_none()).cloned().map(Id::Key)
    }
}
