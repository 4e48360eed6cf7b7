//! Reads the log of an archive. Its records come from several files at once and in no order, and a record may lie in two
//! of them.

use super::log_errors::{LogTrouble, covers};
use super::talk::Talk;
use super::whole_log::WholeLog;
use crate::event::{self, Event};
use crate::host::pieces::{LogArchive, Progress};
use crate::journal::{EventClass, Journal, PerClass, most};
use crate::log::tracev3::{self, Sink, StoreSummary, StoredRecord, WantedRecords, Watch};
use crate::vocabulary::codes::{SourceReason, SourceState};
use crate::vocabulary::{Fact, Time};
use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long reading an archive may take. The largest ones take seconds; a malicious one could take forever.
const LIMIT: Duration = Duration::from_secs(30 * 60);

/// How many records are remembered, to notice the same record in another file.
const MAX_SEEN: usize = 1 << 20;

/// The subsystems that suggest which program wrote a record if the archive lacks its path.
const TELLTALES: [(&str, &str); 3] = [
    ("mdmclient", "com.apple.ManagedClient"),
    ("remotemanagementd", "com.apple.remotemanagementd"),
    ("softwareupdated", "com.apple.SoftwareUpdateMacController"),
];

/// The programs whose missing records could be taken for a silence of the client.
const CLIENTS: [&str; 2] = ["mdmclient", "remotemanagementd"];

pub fn read(archive: LogArchive<'_>) -> WholeLog {
    let events = Mutex::new(Events::default());
    let talk = Mutex::new(Talk::default());
    let read = read_records(archive, &|record| {
        let record_of_log = record.to_log_record();
        talk.lock().unwrap_or_else(PoisonError::into_inner).take(&record_of_log);
        if let Some(event) = event::recognise(&record_of_log) {
            events.lock().unwrap_or_else(PoisonError::into_inner).take(record, event);
        }
    });
    let summary = match read {
        Ok(summary) => summary,
        Err(why) => {
            let why = format!("{} cannot be read: {why}.", archive.pieces.path().display());
            return WholeLog::unread((SourceState::Error, SourceReason::Unreadable, why));
        }
    };
    if summary.files == 0 {
        let why = format!("{} holds no tracev3 file, so there is no log.", archive.pieces.path().display());
        return WholeLog::unread((SourceState::Error, SourceReason::LogEmpty, why));
    }
    let error = error(&summary, archive);
    let log = summary.to_log_summary();
    let mut journal = Journal::empty(Fact::unknown(SourceReason::NotRead, "the log was not read."));
    events.into_inner().unwrap_or_else(PoisonError::into_inner).hand_over(&mut journal);
    // Of other processes it is only known that there are records.
    journal.records = log.records.max(summary.has_records.into());
    journal.covers = match &error {
        Some((_, reason, why)) => Fact::unknown(*reason, why.clone()),
        None => covers(&log, None, true, &journal),
    };
    let talk = talk.into_inner().unwrap_or_else(PoisonError::into_inner);
    journal.readable_at = talk.readable_at;
    WholeLog { journal, summary: Some(log), error, talk, note: note(&summary), booted_at: summary.booted_at }
}

/// Hands out the records of the programs that are listened to, from several threads and in no order.
pub fn read_records(archive: LogArchive<'_>, sink: Sink<'_>) -> io::Result<StoreSummary> {
    let waiting = Waiting::new(archive.progress);
    let read = tracev3::read(archive.pieces, archive.store, &wanted(), sink, &waiting);
    archive.progress.end();
    read
}

pub fn wanted() -> Vec<WantedRecords> {
    let wanted = event::programs().iter().map(|program| WantedRecords {
        process: program.name.to_owned(),
        subsystem: program.wanted.subsystem.to_owned(),
        category: program.wanted.category.to_owned(),
        telltale: TELLTALES
            .iter()
            .find(|(name, _)| *name == program.name)
            .map_or("", |(_, subsystem)| subsystem)
            .to_owned(),
    });
    wanted.collect()
}

/// Why some of what the Mac kept was not read.
pub fn error(summary: &StoreSummary, archive: LogArchive<'_>) -> Option<LogTrouble> {
    let partial = |reason, why: String| Some((SourceState::Partial, reason, why));
    let lost_by_client = summary
        .counts
        .losses
        .iter()
        .filter(|(image, _)| CLIENTS.contains(&image.rsplit('/').next().unwrap_or_default()));
    let lost_by_client: Vec<String> = lost_by_client.map(|(image, _)| image.clone()).collect();
    let untimed = summary.counts.untimed.iter().next();
    if summary.is_stopped {
        let why = format!("Reading the log was stopped after {} minutes.", LIMIT.as_secs() / 60);
        partial(SourceReason::TimedOut, why)
    } else if let Some(why) = archive.pieces.broken() {
        partial(
            SourceReason::CutOff,
            format!("{} could not be read to its end: {why}.", archive.pieces.path().display()),
        )
    } else if summary.has_records && summary.last.is_none() {
        let why = "No timesync file tells when its records were written, so none of them is used.";
        partial(SourceReason::NoTime, why.to_owned())
    } else if let Some((why, _)) = untimed {
        let count: u64 = summary.counts.untimed.values().sum();
        partial(SourceReason::NoTime, format!("{count} records have no time and were left out: {why}."))
    } else if summary.lost > 0 {
        let first = summary.first_lost.as_deref().unwrap_or("no reason is known");
        let why = format!(
            "{} parts of the log could not be read, the first: {first}. A silence in it proves nothing.",
            summary.lost
        );
        partial(SourceReason::NotUnderstood, why)
    } else if !summary.suspects.is_empty() {
        let why = format!(
            "{} programs whose names are missing in the archive may be mdmclient, remotemanagementd or softwareupdated.",
            summary.suspects.len()
        );
        partial(SourceReason::StringsMissing, why)
    } else if summary.counts.without_strings > 0 {
        let why = format!("The texts of {} records are missing in the archive.", summary.counts.without_strings);
        partial(SourceReason::StringsMissing, why)
    } else if !lost_by_client.is_empty() {
        partial(SourceReason::RecordsLost, format!("macOS itself lost records of {}.", lost_by_client.join(" and ")))
    } else {
        None
    }
}

/// What else is worth knowing where nothing is wrong.
fn note(summary: &StoreSummary) -> Option<String> {
    let nameless = summary.nameless;
    (nameless > 0).then(|| format!("The names of {nameless} other programs are missing in the archive."))
}

/// Passes the progress on, and ends the reading when it takes too long.
pub struct Waiting<'p> {
    since: Instant,
    read: AtomicU64,
    progress: &'p dyn Progress,
}

impl<'p> Waiting<'p> {
    pub fn new(progress: &'p dyn Progress) -> Self {
        Self { since: Instant::now(), read: AtomicU64::new(0), progress }
    }
}

impl Watch for Waiting<'_> {
    fn begin(&self, bytes: u64) {
        self.progress.begin("reading the log", bytes);
    }

    fn advance(&self, bytes: u64) {
        self.progress.at(self.read.fetch_add(bytes, Ordering::Relaxed) + bytes);
    }

    fn is_over(&self) -> bool {
        self.since.elapsed() > LIMIT
    }
}

/// The order of events: their times, then their places in the log.
type Order = (Time, (usize, u64));

/// The newest events.
#[derive(Default)]
struct Events {
    kept: PerClass<BTreeMap<Order, Event>>,
    dropped: PerClass<u64>,
    /// Records that gave an event, by their hashes, and the file of each.
    seen: HashMap<u64, usize>,
    hasher: RandomState,
}

impl Events {
    fn take(&mut self, record: &StoredRecord<'_>, event: Event) {
        let identity = (record.boot, record.ticks, record.thread, record.pid, record.message);
        let hash = self.hasher.hash_one(identity);
        let (file, _) = record.place;
        if self.seen.len() >= MAX_SEEN {
            self.seen.clear();
        }
        if *self.seen.entry(hash).or_insert(file) != file {
            return;
        }
        let class = EventClass::of(&event);
        let kept = self.kept.get_mut(class);
        kept.insert((event.at, record.place), event);
        if kept.len() > most(class) {
            kept.pop_first();
            *self.dropped.get_mut(class) += 1;
        }
    }

    fn hand_over(mut self, journal: &mut Journal) {
        for class in EventClass::ALL {
            std::mem::take(self.kept.get_mut(class)).into_values().for_each(|event| journal.push(event));
            *journal.dropped.get_mut(class) += *self.dropped.get(class);
        }
        journal.sort();
    }
}
