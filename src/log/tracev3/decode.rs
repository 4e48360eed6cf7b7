//! The records of wanted pages, decoded by macos-unifiedlogs: many at once, since each call costs.

use super::boots::{Boots, FileBoot};
use super::catalog::ProcessId;
use super::guard::guarded;
use super::record::{Counts, Sink, StoredRecord, hyphenated, is_without_strings, level};
use super::strings::{NoFiles, Strings};
use super::wanted::Part;
use macos_unifiedlogs::iterator::UnifiedLogIterator;
use macos_unifiedlogs::parser::build_log;
use macos_unifiedlogs::unified_log::{LogData, UnifiedLogCatalogData, UnifiedLogData};
use std::collections::HashMap;
use std::sync::Arc;

/// How many records are decoded at once, and how many bytes of values.
const BATCH_RECORDS: usize = 1000;
const BATCH_BYTES: usize = 512 << 10;

/// How many bytes of oversize strings are kept of a file; beyond it the oldest are dropped.
const MAX_OVERSIZE: usize = 4 << 20;

/// How many records of a file may wait for an oversize string that is in another one.
const MAX_DEFERRED: usize = 1000;

/// The kinds of entries in a page that count here; others are activities, signposts and traces.
const LOG_MESSAGE: u8 = 4;
const LOSS: u8 = 7;

/// What decoding needs to know of the log as a whole.
#[derive(Clone, Copy)]
pub struct Context<'c> {
    pub strings: &'c Strings<'c>,
    pub boots: &'c Boots,
    /// The image path of an executable, by its UUID.
    pub image: &'c (dyn Fn(u128) -> Option<Arc<str>> + Sync),
    pub sink: Sink<'c>,
}

/// Decodes the pages of one file.
pub struct Decoder<'c> {
    context: Context<'c>,
    /// The boot that the file belongs to.
    pub boot: FileBoot,
    boot_name: String,
    /// The number of the file, and how many records were given out.
    number: usize,
    given_out: u64,
    /// The file's header, and the oversize strings so far, the newest first: a process may use a number again.
    file: UnifiedLogData,
    waiting: Vec<UnifiedLogCatalogData>,
    records: usize,
    bytes: usize,
    deferred: Vec<UnifiedLogCatalogData>,
    pub counts: Counts,
}

impl<'c> Decoder<'c> {
    /// A decoder for a file with that header chunk; `None` if it cannot be read.
    pub fn new(number: usize, header: Vec<u8>, context: Context<'c>) -> Option<Self> {
        let file = parse(header)?;
        let header = file.header.first()?;
        let uuid = u128::from_str_radix(&header.boot_uuid, 16).ok()?;
        let boot = FileBoot { uuid, timebase: (header.mach_time_numerator, header.mach_time_denominator) };
        Some(Self {
            context,
            boot,
            boot_name: hyphenated(uuid),
            number,
            given_out: 0,
            file,
            waiting: Vec::new(),
            records: 0,
            bytes: 0,
            deferred: Vec::new(),
            counts: Counts::default(),
        })
    }

    /// Takes a catalog with a chunkset behind it, both as chunks, and decodes once there are enough records. `pages` is
    /// how many pages the chunkset has, where that is known. `false` if it has several and not all of them can be read:
    /// then nothing was taken, and they are to be pushed one by one.
    pub fn push<'p>(
        &mut self,
        chunks: Vec<u8>,
        pages: Option<u64>,
        part: impl Fn(ProcessId) -> Option<&'p Part>,
    ) -> bool {
        let found = parse(chunks);
        let read: usize =
            found.iter().flat_map(|found| &found.catalog_data).map(|catalog| catalog.firehose.len()).sum();
        if pages.is_some_and(|pages| pages > 1 && (read as u64) < pages) {
            return false;
        }
        let Some(mut found) = found else {
            self.counts.damaged += pages.unwrap_or(1);
            return true;
        };
        for catalog in &mut found.catalog_data {
            self.counts.damaged += pages.unwrap_or(0).saturating_sub(catalog.firehose.len() as u64);
            (catalog.simpledump, catalog.statedump) = Default::default();
            let mut pages = std::mem::take(&mut catalog.firehose);
            for page in &mut pages {
                let id = (page.first_number_proc_id, page.second_number_proc_id);
                let (part, mut losses) = (part(id), 0);
                page.public_data.retain_mut(|entry| {
                    let subsystem = entry.firehose_non_activity.subsystem_value;
                    let is_wanted = match part {
                        None => false,
                        Some(Part::All) => true,
                        Some(Part::Subsystems(identifiers)) => identifiers.contains(&subsystem),
                    };
                    losses += u64::from(part.is_some() && entry.log_activity_type == LOSS);
                    // `log show` has the backtrace in a field of its own, not in the message.
                    entry.message.backtrace_strings.clear();
                    is_wanted && entry.log_activity_type == LOG_MESSAGE
                });
                if losses > 0 {
                    let image = image_of(catalog, id, self.context).unwrap_or_default();
                    *self.counts.losses.entry(image.to_string()).or_default() += losses;
                }
                let items = page.public_data.iter().flat_map(|entry| &entry.message.item_info);
                self.bytes += items.map(|item| 64 + item.message_strings.len()).sum::<usize>();
                self.records += page.public_data.len();
            }
            pages.retain(|page| !page.public_data.is_empty());
            catalog.firehose = pages;
        }
        found.oversize.append(&mut self.file.oversize);
        self.file.oversize = found.oversize;
        self.drop_oversize();
        self.waiting.extend(found.catalog_data.into_iter().filter(|catalog| !catalog.firehose.is_empty()));
        if self.records >= BATCH_RECORDS || self.bytes >= BATCH_BYTES {
            self.flush();
        }
        true
    }

    fn drop_oversize(&mut self) {
        let mut sum = 0;
        let kept = self.file.oversize.iter().take_while(|oversize| {
            let items = &oversize.message_items.item_info;
            sum += items.iter().map(|item| 64 + item.message_strings.len()).sum::<usize>();
            sum <= MAX_OVERSIZE
        });
        let kept = kept.count();
        self.file.oversize.truncate(kept);
    }

    /// Decodes what waits.
    pub fn flush(&mut self) {
        let mut waiting = std::mem::take(&mut self.waiting);
        (self.records, self.bytes) = (0, 0);
        for catalog in &mut waiting {
            self.defer(catalog);
        }
        self.decode(waiting);
    }

    /// Ends the file. What is left may need oversize strings of another file, or have them.
    pub fn finish(mut self) -> (Counts, Leftover<'c>) {
        self.flush();
        (std::mem::take(&mut self.counts), Leftover(self))
    }

    /// Sets records aside whose oversize string was not seen yet.
    fn defer(&mut self, catalog: &mut UnifiedLogCatalogData) {
        for page in &mut catalog.firehose {
            let id = (page.first_number_proc_id, page.second_number_proc_id);
            let is_missing = |reference: u32| {
                let is_it = |number: u32, process: ProcessId| number == reference && process == id;
                reference != 0
                    && !self
                        .file
                        .oversize
                        .iter()
                        .any(|one| is_it(one.data_ref_index, (one.first_proc_id, one.second_proc_id)))
            };
            let room = MAX_DEFERRED.saturating_sub(self.deferred.len());
            if room == 0 || !page.public_data.iter().any(|entry| is_missing(entry.firehose_non_activity.data_ref_value))
            {
                continue;
            }
            let mut page_of_missing = page.clone();
            page_of_missing.public_data.retain(|entry| is_missing(entry.firehose_non_activity.data_ref_value));
            page.public_data.retain(|entry| !is_missing(entry.firehose_non_activity.data_ref_value));
            let catalog =
                UnifiedLogCatalogData { catalog: catalog.catalog.clone(), ..UnifiedLogCatalogData::default() };
            self.deferred.push(UnifiedLogCatalogData { firehose: vec![page_of_missing], ..catalog });
        }
    }

    fn decode(&mut self, catalogs: Vec<UnifiedLogCatalogData>) {
        self.name_shared_strings(&catalogs);
        if let Some(catalogs) = self.decode_all(catalogs) {
            self.decode_singly(catalogs);
        }
    }

    /// Decodes all of it at once, or gives it back after a panic.
    fn decode_all(&mut self, catalogs: Vec<UnifiedLogCatalogData>) -> Option<Vec<UnifiedLogCatalogData>> {
        self.file.catalog_data = catalogs;
        // Times are ours: macos-unifiedlogs has them as floating-point numbers, and takes a timebase that it does not
        // know for another.
        let no_times = HashMap::new();
        let decoded = guarded(|| build_log(&self.file, &NoFiles, self.context.strings, &no_times, false).0);
        let catalogs = std::mem::take(&mut self.file.catalog_data);
        match decoded {
            Some(decoded) => {
                self.give_out(&catalogs, &decoded);
                None
            }
            None => Some(catalogs),
        }
    }

    /// Decodes page by page, and a page that panics record by record.
    fn decode_singly(&mut self, catalogs: Vec<UnifiedLogCatalogData>) {
        for mut catalog in catalogs {
            for page in std::mem::take(&mut catalog.firehose) {
                let one = UnifiedLogCatalogData { firehose: vec![page], ..catalog.clone() };
                let Some(page) = self.decode_all(vec![one]).and_then(|mut one| one.pop()?.firehose.pop()) else {
                    continue;
                };
                let entries = page.public_data.iter();
                for entry in entries {
                    let mut page = page.clone();
                    page.public_data = vec![entry.clone()];
                    let one = UnifiedLogCatalogData { firehose: vec![page], ..catalog.clone() };
                    self.counts.damaged += u64::from(self.decode_all(vec![one]).is_some());
                }
            }
        }
    }

    fn name_shared_strings(&self, catalogs: &[UnifiedLogCatalogData]) {
        let mut named: HashMap<&str, Vec<u64>> = HashMap::new();
        for catalog in catalogs {
            for page in &catalog.firehose {
                let key = format!("{}_{}", page.first_number_proc_id, page.second_number_proc_id);
                let Some(process) = catalog.catalog.catalog_process_info_entries.get(&key) else { continue };
                let offsets = page.public_data.iter().filter_map(|entry| {
                    let place = &entry.firehose_non_activity.firehose_formatters;
                    let is_shared = place.shared_cache || place.large_shared_cache != 0;
                    let (large, cache) = (place.has_large_offset, place.large_shared_cache);
                    is_shared.then(|| shared_offset(entry.format_string_location, large, cache))
                });
                named.entry(&process.dsc_uuid).or_default().extend(offsets);
            }
        }
        for (uuid, mut offsets) in named.into_iter().filter(|(_, offsets)| !offsets.is_empty()) {
            self.context.strings.name_shared(uuid, &mut offsets);
        }
    }

    fn give_out(&mut self, catalogs: &[UnifiedLogCatalogData], decoded: &[LogData]) {
        let mut decoded = decoded.iter();
        for catalog in catalogs {
            for page in &catalog.firehose {
                let image = image_of(catalog, (page.first_number_proc_id, page.second_number_proc_id), self.context);
                for (entry, data) in page.public_data.iter().zip(&mut decoded) {
                    let delta =
                        u64::from(entry.continous_time_delta) | u64::from(entry.continous_time_delta_upper) << 32;
                    let ticks = page.base_continous_time.wrapping_add(delta);
                    self.give_out_one(page.base_continous_time, ticks, image.as_deref(), data);
                }
            }
        }
    }

    fn give_out_one(&mut self, base: u64, ticks: u64, image: Option<&str>, data: &LogData) {
        self.counts.without_strings += u64::from(is_without_strings(data));
        match self.context.boots.moment(self.boot, ticks, base) {
            Ok(moment) => {
                self.counts.records += 1;
                self.given_out += 1;
                (self.context.sink)(&StoredRecord {
                    moment,
                    ticks,
                    place: (self.number, self.given_out),
                    boot: &self.boot_name,
                    image: image.unwrap_or_default(),
                    pid: u32::try_from(data.pid).unwrap_or(0),
                    uid: data.euid,
                    thread: data.thread_id,
                    level: level(data.log_type),
                    subsystem: &data.subsystem,
                    category: &data.category,
                    message: &data.message,
                });
            }
            Err(why) => *self.counts.untimed.entry(why).or_default() += 1,
        }
    }
}

/// A file that was read: its oversize strings, and its records whose oversize string is in another file.
pub struct Leftover<'c>(Decoder<'c>);

/// Decodes the records that are left of all files, with the oversize strings of all of them.
pub fn decode_leftover(mut files: Vec<Leftover<'_>>) -> Counts {
    let mut counts = Counts::default();
    for at in 0..files.len() {
        let Some(Leftover(file)) = files.get_mut(at) else { break };
        let deferred = std::mem::take(&mut file.deferred);
        if deferred.is_empty() {
            continue;
        }
        let boot = file.boot.uuid;
        let oversize =
            files.iter().filter(|other| other.0.boot.uuid == boot).flat_map(|other| other.0.file.oversize.clone());
        let oversize = oversize.collect();
        let Some(Leftover(file)) = files.get_mut(at) else { break };
        let own = std::mem::replace(&mut file.file.oversize, oversize);
        file.decode(deferred);
        file.file.oversize = own;
        counts.add(std::mem::take(&mut file.counts));
    }
    counts
}

/// The path of a process, whether or not its strings are there.
fn image_of(catalog: &UnifiedLogCatalogData, (first, second): ProcessId, context: Context<'_>) -> Option<Arc<str>> {
    let process = catalog.catalog.catalog_process_info_entries.get(&format!("{first}_{second}"))?;
    u128::from_str_radix(&process.main_uuid, 16).ok().and_then(context.image)
}

/// Reads chunks; `None` after a panic, or if there is not even a header or a catalog in them.
fn parse(chunks: Vec<u8>) -> Option<UnifiedLogData> {
    let (header, evidence) = Default::default();
    guarded(|| UnifiedLogIterator { data: chunks, header, evidence }.next())?
}

/// The offset by which macos-unifiedlogs looks a string of the shared cache up.
fn shared_offset(location: u32, large_offset: u16, large_shared_cache: u16) -> u64 {
    let base = match large_offset {
        0 => 0,
        1 | 2 if large_offset > large_shared_cache => 0x8000_0000 * u64::from(large_offset),
        _ if large_shared_cache != 0 => 0x1_0000_0000 * u64::from(large_shared_cache / 2),
        _ => 0x1_0000_0000 * u64::from(large_offset),
    };
    base + u64::from(location)
}
