//! Reads a live Mac's log from the files in which macOS keeps it, without `log show`. These files lack what macOS holds
//! only in memory, and what it has not written yet.

use super::archive_log::{self, Waiting};
use super::log_errors::LogTrouble;
use super::talk::Talk;
use crate::event;
use crate::host::pieces::LogArchive;
use crate::journal::KeptEvent;
use crate::log::LogSummary;
use crate::log::tracev3::{ReadPlaces, StoredRecord};
use crate::vocabulary::codes::{SourceReason, SourceState};
use crate::vocabulary::{Span, Time};
use chrono::TimeDelta;
use std::sync::{Mutex, PoisonError};

/// For this long before the newest record in the files, other records may still be only in memory. It is not known how
/// long macOS keeps a page of records in memory if a program logs little.
const UNWRITTEN: TimeDelta = TimeDelta::minutes(10);

/// What was read.
pub struct NativeLog {
    pub events: Vec<KeptEvent>,
    pub summary: LogSummary,
    /// The part of the span for which the events are complete.
    pub covered: Option<Span>,
    pub error: Option<LogTrouble>,
}

/// Reads what is new since `places`, or all of the span if nothing was read yet.
pub fn read(
    archive: LogArchive<'_>,
    places: &mut ReadPlaces,
    talk: &mut Talk,
    span: Span,
) -> Result<NativeLog, LogTrouble> {
    let is_first = places.is_empty();
    let found = Mutex::new((Vec::new(), talk));
    let is_asked_for = |at: Time| at <= span.to && (at >= span.from || !is_first);
    let sink = |record: &StoredRecord<'_>| {
        let record = record.to_log_record();
        if !is_asked_for(record.at) {
            return;
        }
        let event = event::recognise(&record);
        let (events, talk) = &mut *found.lock().unwrap_or_else(PoisonError::into_inner);
        talk.take(&record);
        events.extend(event.map(|event| KeptEvent::new(event, &record)));
    };
    let waiting = Waiting::new(archive.progress);
    let (pieces, store) = (archive.pieces, archive.store);
    let read = places.read(pieces, store, span.from, &archive_log::wanted(), &sink, &waiting);
    archive.progress.end();
    let summary = read.map_err(|why| {
        let why = format!("{} cannot be read: {why}. Run mdm-health as root.", pieces.path().display());
        (SourceState::Error, SourceReason::Unreadable, why)
    })?;
    if summary.files == 0 {
        let why = format!("{} holds no tracev3 file, so there is no log.", pieces.path().display());
        return Err((SourceState::Error, SourceReason::LogStoreMissing, why));
    }
    let error = archive_log::error(&summary, archive);
    let log = summary.to_log_summary();
    let begins = if is_first && !summary.has_older { log.first.max(Some(span.from)) } else { Some(span.from) };
    let ends = log.last.map(|last| (last - UNWRITTEN).min(span.to));
    let covered = begins.zip(ends).filter(|(from, to)| error.is_none() && from <= to);
    let (mut events, _) = found.into_inner().unwrap_or_else(PoisonError::into_inner);
    events.sort_by_key(KeptEvent::place);
    Ok(NativeLog { events, covered: covered.map(|(from, to)| Span { from, to }), error, summary: log })
}
