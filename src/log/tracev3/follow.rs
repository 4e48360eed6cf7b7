//! A log store that is being written, read again and again: each time what is new, from the last catalog on, as far as
//! chunks are whole.

use super::file::Extent;
use super::record::Sink;
use super::{StoreSummary, WantedRecords, Watch, read_extents};
use crate::host::pieces::{LogStore, Pieces};
use crate::vocabulary::Time;
use std::collections::{BTreeMap, BTreeSet};
use std::io;

/// Up to where the files of a store were read, by their names. What was read behind the last catalog is read once more,
/// since records may refer to texts there.
#[derive(Debug, Default)]
pub struct ReadPlaces(BTreeMap<String, Place>);

#[derive(Debug, Clone, Copy)]
struct Place {
    size: u64,
    catalog_at: Option<u64>,
}

impl ReadPlaces {
    /// Whether nothing was read yet.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Reads what is new in files that were written since a moment.
    pub fn read(
        &mut self,
        pieces: &Pieces,
        store: &LogStore,
        since: Time,
        wanted: &[WantedRecords],
        sink: Sink<'_>,
        watch: &dyn Watch,
    ) -> io::Result<StoreSummary> {
        let (names, timesync) = store.files(pieces)?;
        let there: BTreeSet<&String> = names.iter().collect();
        self.0.retain(|name, _| there.contains(name));
        let (mut files, mut has_older) = (Vec::new(), false);
        let mut sizes = BTreeMap::new();
        for name in &names {
            let Some(size) = pieces.size(name) else { continue };
            let known = self.0.get(name).filter(|place| place.size <= size);
            if known.is_none() && pieces.modified(name).is_some_and(|at| at < since) {
                has_older = true;
            } else if known.is_none_or(|place| place.size < size) {
                files.push((name.clone(), Extent::Growing { catalog_at: known.and_then(|place| place.catalog_at) }));
                sizes.insert(name.clone(), size);
            }
        }
        if files.is_empty() {
            return Ok(StoreSummary { files: names.len(), has_older, ..StoreSummary::default() });
        }
        let places = &mut self.0;
        let summary = read_extents(pieces, store, &timesync, &files, wanted, sink, watch, |name, file| {
            if let Some(size) = sizes.get(name).filter(|_| !file.is_stopped) {
                places.insert(name.to_owned(), Place { size: *size, catalog_at: file.catalog_at });
            }
        })?;
        Ok(StoreSummary { files: names.len(), has_older, ..summary })
    }
}
