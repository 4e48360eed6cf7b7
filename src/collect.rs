//! The way of the data, walked once: from a host to evidence, from evidence to findings, kept as long as they are fresh.

use crate::Time;
use crate::event;
use crate::facts::{Fact, awake, enrollment};
use crate::heal;
use crate::health::{Evidence, Findings, LogCounts, SourceState, SourceStatus};
use crate::host::{Host, HostError, LogSource, Span};
use crate::journal::Journal;
use crate::log::{self, LogError, LogSummary, ReadOptions};
use chrono::{TimeDelta, Utc};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// How far back the live log is read.
const LIVE_SPAN: TimeDelta = TimeDelta::hours(3);

/// How long findings of a live host are served before it is read again.
const MAX_AGE: Duration = Duration::from_secs(60);

/// The record of restarts, as a source.
const LEDGER: &str = "heal_ledger";

/// Keeps findings fresh for any number of callers; one of them reads, the others wait.
pub struct Collector {
    host: Box<dyn Host>,
    options: ReadOptions,
    state_dir: PathBuf,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    findings: Option<(Arc<Findings>, Instant)>,
    reading: bool,
}

impl Collector {
    /// Nothing is read before it is asked for. `state_dir` holds what mdm-health keeps.
    pub fn new(host: Box<dyn Host>, options: ReadOptions, state_dir: PathBuf) -> Arc<Self> {
        Arc::new(Self { host, options, state_dir, state: Mutex::default(), changed: Condvar::new() })
    }

    /// The Mac that the findings are about.
    pub fn host(&self) -> &dyn Host {
        self.host.as_ref()
    }

    /// The folder that holds what mdm-health keeps.
    pub fn state_dir(&self) -> &Path {
        &self.state_dir
    }

    /// Reads anew what was restarted, and nothing else: the rest of the findings stays as old as it is.
    pub fn renew_restarts(&self) {
        let restarts = heal::status::restarts(self.host(), &self.state_dir);
        if let Some((findings, _)) = &mut self.lock().findings {
            let findings = Arc::make_mut(findings);
            let now = findings.evidence.now;
            for status in findings.evidence.sources.iter_mut().filter(|status| status.source == LEDGER) {
                *status = fact_status(LEDGER, &restarts, now, 0);
            }
            findings.evidence.restarts = restarts;
        }
    }

    /// The findings, at most a minute old. When reading takes longer than `patience`, the older ones are given; before
    /// there are any, findings that say so.
    pub fn findings(self: &Arc<Self>, patience: Duration) -> Arc<Findings> {
        let mut state = self.lock();
        if let Some((findings, at)) = &state.findings
            && (!self.host.is_live() || at.elapsed() < MAX_AGE)
        {
            return findings.clone();
        }
        if !state.reading {
            state.reading = true;
            let reader = self.clone();
            thread::spawn(move || reader.read());
        }
        let waited = self.changed.wait_timeout_while(state, patience, |state| state.reading);
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        match &state.findings {
            Some((findings, _)) => findings.clone(),
            None => Arc::new(Findings::new(nothing_yet(self.host.now().unwrap_or_else(Utc::now)))),
        }
    }

    fn read(&self) {
        // Whatever happens in a reading, the next caller may start another one.
        struct Done<'c>(&'c Collector);
        impl Drop for Done<'_> {
            fn drop(&mut self) {
                self.0.lock().reading = false;
                self.0.changed.notify_all();
            }
        }
        let _done = Done(self);
        let findings = Arc::new(Findings::new(evidence(self.host.as_ref(), &self.options, &self.state_dir)));
        self.lock().findings = Some((findings, Instant::now()));
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads everything once.
pub fn evidence(host: &dyn Host, options: &ReadOptions, state_dir: &Path) -> Evidence {
    let asked_at = host.now();
    let asked_to = asked_at.unwrap_or_else(Utc::now);
    let (log, log_ms) = timed(|| read_log(host, options, Span { from: asked_to - LIVE_SPAN, to: asked_to }));
    let (mut journal, summary, error) = log;
    let now = asked_at.or(summary.as_ref().and_then(|summary| summary.last)).unwrap_or(asked_to);
    // Records that lie in the future say nothing of the time before now.
    if summary.as_ref().and_then(|summary| summary.first).is_some_and(|first| first > now) {
        journal.records = 0;
    }
    let (profiles_status, profiles_ms) = timed(|| enrollment::profiles_status(host));
    let (awake_since, awake_ms) = timed(|| awake::awake_since(host));
    let (restarts, restarts_ms) = timed(|| heal::status::restarts(host, state_dir));
    let sources = vec![
        log_status(&journal, summary.as_ref(), error, now, log_ms),
        fact_status("profiles_status", &profiles_status, now, profiles_ms),
        fact_status("awake", &awake_since, now, awake_ms),
        fact_status(LEDGER, &restarts, now, restarts_ms),
        heal::status::policy(host, now),
    ];
    Evidence { now, journal, profiles_status, awake_since, restarts, sources }
}

/// What stands in for evidence before the first reading has ended.
fn nothing_yet(now: Time) -> Evidence {
    const WHY: &str = "the first reading is still under way; ask again in a moment.";
    fn unknown<T>() -> Fact<T> {
        Fact::unknown("collecting", WHY)
    }
    let sources = vec![
        fact_status("unified_log", &unknown::<()>(), now, 0),
        fact_status("profiles_status", &unknown::<()>(), now, 0),
        fact_status("awake", &unknown::<()>(), now, 0),
        fact_status(LEDGER, &unknown::<()>(), now, 0),
        fact_status("heal_policy", &unknown::<()>(), now, 0),
    ];
    Evidence {
        now,
        journal: Journal::empty(unknown()),
        profiles_status: unknown(),
        awake_since: unknown(),
        restarts: unknown(),
        sources,
    }
}

/// Why the log was not read to its end.
enum LogTrouble {
    Host(HostError),
    Text(LogError),
}

fn read_log(host: &dyn Host, options: &ReadOptions, span: Span) -> (Journal, Option<LogSummary>, Option<LogTrouble>) {
    let mut source = match host.open_log(span) {
        Ok(source) => source,
        Err(error) => return (Journal::empty(unreadable(&error)), None, Some(LogTrouble::Host(error))),
    };
    let asked = source.span();
    let mut journal = Journal::empty(Fact::unknown("not_read", "the log was not read."));
    let read = log::read_log(&mut source, options, |record| {
        if let Some(event) = event::recognise(record) {
            journal.push(event);
        }
    });
    let ended = LogSource::finish(source);
    journal.sort();
    match (read, ended) {
        (Ok(summary), ended) => {
            journal.records = summary.records;
            journal.covers = covers(&summary, asked, ended.is_ok(), &journal);
            (journal, Some(summary), ended.err().map(LogTrouble::Host))
        }
        // The command's own words say more than that it printed nothing.
        (Err(_), Err(error)) => (Journal::empty(unreadable(&error)), None, Some(LogTrouble::Host(error))),
        (Err(error), Ok(())) => {
            let covers = Fact::unknown("not_a_log", format!("{error}."));
            (Journal::empty(covers), None, Some(LogTrouble::Text(error)))
        }
    }
}

fn unreadable(error: &HostError) -> Fact<Span> {
    Fact::unknown(error.reason(), format!("{error}."))
}

/// The span for which the events are all there are: what was asked for if the log was read to its end, else only up to
/// the last record.
fn covers(summary: &LogSummary, asked: Option<Span>, ended_well: bool, journal: &Journal) -> Fact<Span> {
    let whole = ended_well && summary.complete != Some(false) && summary.broken.is_none();
    let from = asked.map(|asked| asked.from).or(summary.first);
    let to = if whole { asked.map(|asked| asked.to).or(summary.last) } else { summary.last };
    let from = if journal.dropped > 0 { journal.oldest() } else { from };
    match (from, to) {
        (Some(from), Some(to)) => Fact::Known(Span { from, to }),
        _ if whole => Fact::unknown("log_empty", "the log holds nothing at all."),
        _ => Fact::unknown("cut_off", "the log was cut off before its first record."),
    }
}

fn log_status(
    journal: &Journal,
    summary: Option<&LogSummary>,
    error: Option<LogTrouble>,
    now: Time,
    duration_ms: u64,
) -> SourceStatus {
    let future = journal.events().filter(|event| event.at > now).count();
    let (state, reason, detail) = match (&error, summary) {
        (Some(LogTrouble::Host(error)), Some(_)) => {
            (SourceState::Partial, Some(error.reason()), Some(format!("{error}.")))
        }
        (Some(LogTrouble::Host(error)), None) => (SourceState::Error, Some(error.reason()), Some(format!("{error}."))),
        (Some(LogTrouble::Text(error)), _) => (SourceState::Error, Some("not_a_log"), Some(format!("{error}."))),
        (None, Some(LogSummary { broken: Some(why), .. })) => {
            (SourceState::Partial, Some("cut_off"), Some(format!("Reading the log broke off: {why}.")))
        }
        (None, Some(summary)) if summary.complete == Some(false) => (
            SourceState::Partial,
            Some("cut_off"),
            Some("The log ends without its trailer: it was cut off and counts only up to its last record.".to_owned()),
        ),
        (None, _) if journal.dropped > 0 => (
            SourceState::Partial,
            Some("too_many_events"),
            Some(format!("{} old events were let go; the log counts from the oldest that was kept.", journal.dropped)),
        ),
        (None, _) if future > 0 => (
            SourceState::Partial,
            Some("future_records"),
            Some(format!("{future} events lie in the future and were left out. Was the clock set back?")),
        ),
        (None, _) => (SourceState::Ok, None, None),
    };
    SourceStatus {
        source: "unified_log",
        state,
        reason,
        detail,
        last_ok_at: (state == SourceState::Ok).then_some(now),
        last_error_at: (state != SourceState::Ok).then_some(now),
        covers: journal.covers.known().copied(),
        counts: summary.map(|summary| LogCounts {
            records_read: summary.records,
            events_kept: u64::try_from(journal.events().len()).unwrap_or(u64::MAX),
            lines_skipped: summary.lines_skipped,
            lines_not_understood: summary.lines_not_understood,
        }),
        duration_ms: Some(duration_ms),
    }
}

fn fact_status<T>(source: &'static str, fact: &Fact<T>, now: Time, duration_ms: u64) -> SourceStatus {
    let (state, reason, detail) = match fact {
        Fact::Known(_) => (SourceState::Ok, None, None),
        Fact::Unknown { reason, why } if *reason == "not_captured" => {
            (SourceState::Unavailable, Some(*reason), Some(why.clone()))
        }
        Fact::Unknown { reason, why } => (SourceState::Error, Some(*reason), Some(why.clone())),
    };
    SourceStatus {
        source,
        state,
        reason,
        detail,
        last_ok_at: (state == SourceState::Ok).then_some(now),
        last_error_at: (state == SourceState::Error).then_some(now),
        covers: None,
        counts: None,
        duration_ms: Some(duration_ms),
    }
}

fn timed<T>(work: impl FnOnce() -> T) -> (T, u64) {
    let start = Instant::now();
    let result = work();
    (result, u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX))
}
