//! The strings that records refer to: those of executables, in a uuidtext file each, and those of the shared cache, of
//! which only the ones that are named are read.

use super::format_strings::tame;
use super::shared_cache::SharedCache;
use crate::host::pieces::{LogStore, Pieces};
use macos_unifiedlogs::dsc::SharedCacheStrings;
use macos_unifiedlogs::traits::{FileProvider, SourceFile, StringCache};
use macos_unifiedlogs::uuidtext::UUIDText;
use std::collections::HashMap;
use std::io::{self, Read};
use std::iter;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The largest uuidtext file that is read, in bytes. macOS writes a few megabytes for the largest programs.
const MAX_UUIDTEXT: u64 = 64 << 20;

/// How many bytes of uuidtext files are kept in memory; beyond it all are forgotten and read again where needed.
const MAX_KEPT: usize = 8 << 20;

/// The strings of a log, read where they are needed. Threads share them.
pub struct Strings<'p> {
    pieces: &'p Pieces,
    store: &'p LogStore,
    uuidtext: Mutex<KeptStrings>,
    shared: Mutex<HashMap<String, Option<SharedCache>>>,
}

/// Files by the UUIDs of their images; `None` for one that is missing or damaged.
#[derive(Default)]
struct KeptStrings {
    files: HashMap<String, Option<Arc<UUIDText>>>,
    bytes: usize,
}

impl<'p> Strings<'p> {
    pub fn new(pieces: &'p Pieces, store: &'p LogStore) -> Self {
        Self { pieces, store, uuidtext: Mutex::default(), shared: Mutex::default() }
    }

    /// Reads strings of a shared cache that records are about to name, by their offsets.
    pub fn name_shared(&self, uuid: &str, offsets: &mut Vec<u64>) {
        if let Some(cache) = self.shared_cache(uuid).get_mut(uuid).and_then(Option::as_mut) {
            offsets.sort_unstable();
            offsets.dedup();
            cache.name(offsets);
        }
    }

    fn shared_cache(&self, uuid: &str) -> MutexGuard<'_, HashMap<String, Option<SharedCache>>> {
        let mut caches = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        if !caches.contains_key(uuid) {
            let number = u128::from_str_radix(uuid, 16).ok();
            let piece = number.and_then(|number| self.pieces.piece(&self.store.shared_cache(number)).ok());
            caches.insert(uuid.to_owned(), piece.and_then(|piece| SharedCache::open(piece).ok().flatten()));
        }
        caches
    }

    fn read_uuidtext(&self, uuid: &str) -> Option<UUIDText> {
        let number = u128::from_str_radix(uuid, 16).ok()?;
        let piece = self.pieces.piece(&self.store.uuidtext(number)).ok()?;
        let mut bytes = Vec::new();
        piece.take(MAX_UUIDTEXT).read_to_end(&mut bytes).ok()?;
        let (_, mut file) = UUIDText::parse_uuidtext(&bytes).ok()?;
        let strings = file.entry_descriptors.iter().map(|range| u64::from(range.entry_size)).sum::<u64>();
        let strings = usize::try_from(strings).ok()?;
        tame(file.footer_data.get_mut(..strings)?);
        Some(file)
    }
}

impl StringCache for Strings<'_> {
    fn get_or_load_uuidtext(&self, uuid: &str, _: &impl FileProvider) -> Option<Arc<UUIDText>> {
        let lock = || self.uuidtext.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(file) = lock().files.get(uuid) {
            return file.clone();
        }
        let file = self.read_uuidtext(uuid).map(Arc::new);
        let mut kept = lock();
        kept.bytes += file.as_ref().map_or(0, |file| file.footer_data.len()) + 128;
        if kept.bytes > MAX_KEPT {
            *kept = KeptStrings::default();
        }
        kept.files.insert(uuid.to_owned(), file.clone());
        file
    }

    fn get_or_load_dsc(&self, uuid: &str, _: &impl FileProvider) -> Option<Arc<SharedCacheStrings>> {
        self.shared_cache(uuid).get(uuid)?.as_ref().map(SharedCache::named)
    }
}

/// macos-unifiedlogs asks for its files here, and has none: what it needs is in [`Strings`] before.
pub struct NoFiles;

/// A file that does not exist.
pub struct NoFile;

impl SourceFile for NoFile {
    fn reader(&mut self) -> impl Read {
        io::empty()
    }

    fn source_path(&self) -> &str {
        ""
    }
}

impl FileProvider for NoFiles {
    fn tracev3_files(&self) -> impl Iterator<Item = impl SourceFile> {
        iter::empty::<NoFile>()
    }

    fn uuidtext_files(&self) -> impl Iterator<Item = impl SourceFile> {
        iter::empty::<NoFile>()
    }

    fn read_uuidtext(&self, _: &str) -> Result<UUIDText, io::Error> {
        Err(io::ErrorKind::NotFound.into())
    }

    fn dsc_files(&self) -> impl Iterator<Item = impl SourceFile> {
        iter::empty::<NoFile>()
    }

    fn read_dsc_uuid(&self, _: &str) -> Result<SharedCacheStrings, io::Error> {
        Err(io::ErrorKind::NotFound.into())
    }

    fn timesync_files(&self) -> impl Iterator<Item = impl SourceFile> {
        iter::empty::<NoFile>()
    }
}
