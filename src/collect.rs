//! The way of the data, walked once: from a host to evidence, from evidence to findings, kept as long as they are fresh.

mod live_log;
mod updates;

use crate::Time;
use crate::event;
use crate::facts::certificates::Certificate;
use crate::facts::restarts::Restarts;
use crate::facts::{Fact, awake, certificates, enrollment, identities, management_status, profiles_list};
use crate::heal;
use crate::health::{Evidence, Findings, LogCounts, SourceState, SourceStatus};
use crate::host::{Host, HostError, LogSource, Span};
use crate::journal::Journal;
use crate::log::{self, LogError, LogSummary, ReadOptions};
use chrono::{TimeDelta, Utc};
use live_log::LiveLog;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// How far back a log is read by a program that keeps no journal of it: as far as a capture goes.
const SPAN: TimeDelta = TimeDelta::hours(24);

/// How long findings of a live host are served before it is read again.
const MAX_AGE: Duration = Duration::from_secs(60);

/// The record of restarts, as a source.
const LEDGER: &str = "heal_ledger";

/// Keeps findings fresh for any number of callers; one of them reads, the others wait.
pub struct Collector {
    host: Box<dyn Host>,
    options: ReadOptions,
    state_dir: PathBuf,
    /// Where the journal lies; without one all is read anew each time.
    journal_dir: Option<PathBuf>,
    log: Mutex<Option<LiveLog>>,
    renewal: Mutex<()>,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    findings: Option<(Arc<Findings>, Instant)>,
    reading: bool,
    /// How often what was restarted was read anew by itself.
    renewals: u64,
}

impl Collector {
    /// Nothing is read before it is asked for. `state_dir` holds what mdm-health keeps; `journal_dir` is where the journal
    /// lies; without one all is read anew each time, as of a recorded host.
    pub fn new(
        host: Box<dyn Host>,
        options: ReadOptions,
        state_dir: PathBuf,
        journal_dir: Option<PathBuf>,
    ) -> Arc<Self> {
        let (log, renewal, state, changed) = Default::default();
        Arc::new(Self { host, options, state_dir, journal_dir, log, renewal, state, changed })
    }

    /// The host that is read.
    pub fn host(&self) -> &dyn Host {
        self.host.as_ref()
    }

    /// The folder that holds what mdm-health keeps.
    pub fn state_dir(&self) -> &Path {
        &self.state_dir
    }

    /// Reads anew what was restarted, and nothing else: the rest of the findings stays as old as it is.
    pub fn renew_restarts(&self) {
        let _turn = self.renewal.lock().unwrap_or_else(PoisonError::into_inner);
        let restarts = heal::status::restarts(self.host(), &self.state_dir);
        let mut state = self.lock();
        state.renewals += 1;
        if let Some((findings, _)) = &mut state.findings {
            take_restarts(&mut Arc::make_mut(findings).evidence, &restarts);
        }
    }

    /// The findings, at most a minute old. When reading takes longer than `patience`, the older ones are given; before
    /// there are any, findings that say so.
    pub fn findings(self: &Arc<Self>, patience: Duration) -> Arc<Findings> {
        let mut state = self.lock();
        if let Some(findings) = self.fresh(&state) {
            return findings;
        }
        if !state.reading {
            let reader = self.clone();
            // Without a thread to be had, what is there serves until the next call.
            state.reading = thread::Builder::new().name("reading".to_owned()).spawn(move || reader.read()).is_ok();
        }
        let waited = self.changed.wait_timeout_while(state, patience, |state| state.reading);
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        if let Some(findings) = self.fresh(&state) {
            return findings;
        }
        let now = self.host.now().unwrap_or_else(Utc::now);
        Arc::new(Findings::new(match &state.findings {
            // Older ones are judged for this moment, so that what they no longer cover is unknown.
            Some((findings, _)) => Evidence { now: now.max(findings.evidence.now), ..findings.evidence.clone() },
            None => nothing_yet(now),
        }))
    }

    /// The findings, if they are fresh by the clock that stands still while a Mac sleeps and by the one that does not.
    fn fresh(&self, state: &State) -> Option<Arc<Findings>> {
        let (findings, at) = state.findings.as_ref()?;
        let by_the_clock = || {
            let age = self.host.now()? - findings.evidence.now;
            Some(age.abs() < TimeDelta::from_std(MAX_AGE).ok()?)
        };
        let fresh = !self.host.is_live() || (at.elapsed() < MAX_AGE && by_the_clock().unwrap_or(true));
        fresh.then(|| findings.clone())
    }

    /// Reads what is new now, however fresh the findings are, unless a reading is under way.
    pub fn refresh(&self) {
        if !std::mem::replace(&mut self.lock().reading, true) {
            self.read();
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
        let done = Done(self);
        if !self.host.is_live() || self.journal_dir.is_none() {
            let renewals = self.lock().renewals;
            return self.publish(evidence(self.host.as_ref(), &self.options, &self.state_dir), renewals);
        }
        // A look back may still hold the log: the moment that counts is the one at which it is read.
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.host.now().unwrap_or_else(Utc::now);
        let log = log.get_or_insert_with(|| LiveLog::open(self.journal_dir.as_deref(), now));
        log.refresh(self.host.as_ref(), &self.options, now);
        let host = self.host.as_ref();
        // A live Mac's zone is this machine's: what reading the log came to is not needed for it.
        let publish = |log: &LiveLog| {
            let renewals = self.lock().renewals;
            let statuses = log.statuses(now).into();
            self.publish(
                with_facts(host, &self.options, &self.state_dir, None, log.journal(), statuses, now),
                renewals,
            );
        };
        publish(log);
        // From here on nobody waits for this reading, and another may be asked for.
        drop(done);
        if log.look_back(host, &self.options, now) {
            publish(log);
        }
    }

    /// Lets the callers have what was found. `renewals` is the count before it was read.
    fn publish(&self, evidence: Evidence, renewals: u64) {
        let mut findings = Findings::new(evidence);
        let mut state = self.lock();
        // What was restarted meanwhile is not forgotten again.
        if let Some((newer, _)) = state.findings.as_ref().filter(|_| state.renewals != renewals) {
            take_restarts(&mut findings.evidence, &newer.evidence.restarts);
        }
        state.findings = Some((Arc::new(findings), Instant::now()));
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads everything once, the whole log that a recorded host has or the last hours of a live one. `state_dir` holds what
/// mdm-health keeps.
pub fn evidence(host: &dyn Host, options: &ReadOptions, state_dir: &Path) -> Evidence {
    let asked_at = host.now();
    let asked_to = asked_at.unwrap_or_else(Utc::now);
    let start = Instant::now();
    let (mut journal, summary, trouble) = read_log(host, options, Span { from: asked_to - SPAN, to: asked_to });
    let now = asked_at.or(summary.as_ref().and_then(|summary| summary.last)).unwrap_or(asked_to);
    // Records that lie in the future say nothing of the time before now.
    if summary.as_ref().and_then(|summary| summary.first).is_some_and(|first| first > now) {
        journal.records = 0;
    }
    let trouble = trouble.or_else(|| journal_trouble(&journal, now));
    let status = log_status(&journal, summary.as_ref(), trouble, now, milliseconds(start));
    with_facts(host, options, state_dir, summary.as_ref(), journal, vec![status], now)
}

/// Asks for what the Mac says beside its log.
fn with_facts(
    host: &dyn Host,
    options: &ReadOptions,
    state_dir: &Path,
    summary: Option<&LogSummary>,
    journal: Journal,
    mut sources: Vec<SourceStatus>,
    now: Time,
) -> Evidence {
    let (profiles_status, profiles_ms) = timed(|| enrollment::profiles_status(host));
    let (profiles_list, profiles_list_ms) = timed(|| profiles_list::profiles_list(host));
    let (management_status, management_ms) = timed(|| management_status::management_status(host));
    let (identities, identities_ms) = timed(|| identities::identities(host));
    let (certificates, certificates_ms) = timed(|| certificates::certificates(host));
    let (awake_since, awake_ms) = timed(|| awake::awake_since(host));
    let (updates, update_sources) = updates::read(host, options, summary, now);
    let (restarts, restarts_ms) = timed(|| heal::status::restarts(host, state_dir));
    sources.extend([
        fact_status("profiles_status", &profiles_status, now, profiles_ms),
        fact_status("awake", &awake_since, now, awake_ms),
        fact_status("profiles_list", &profiles_list, now, profiles_list_ms),
        fact_status("management_status", &management_status, now, management_ms),
        fact_status("identities", &identities, now, identities_ms),
        certificates_status(&certificates, now, certificates_ms),
        fact_status(LEDGER, &restarts, now, restarts_ms),
        heal::status::policy(host, now),
    ]);
    sources.extend(update_sources);
    Evidence {
        now,
        journal,
        profiles_status,
        profiles_list,
        management_status,
        identities,
        certificates,
        awake_since,
        updates,
        restarts,
        sources,
    }
}

/// What stands in for evidence before the first reading has ended.
fn nothing_yet(now: Time) -> Evidence {
    const WHY: &str = "the first reading is still under way; ask again in a moment.";
    fn unknown<T>() -> Fact<T> {
        Fact::unknown("collecting", WHY)
    }
    let (updates, update_sources) = updates::nothing_yet("collecting", WHY, now);
    let mut sources = vec![
        fact_status("unified_log", &unknown::<()>(), now, 0),
        fact_status("profiles_status", &unknown::<()>(), now, 0),
        fact_status("awake", &unknown::<()>(), now, 0),
        fact_status("profiles_list", &unknown::<()>(), now, 0),
        fact_status("management_status", &unknown::<()>(), now, 0),
        fact_status("identities", &unknown::<()>(), now, 0),
        fact_status("certificates", &unknown::<()>(), now, 0),
        fact_status(LEDGER, &unknown::<()>(), now, 0),
        fact_status("heal_policy", &unknown::<()>(), now, 0),
    ];
    sources.extend(update_sources);
    Evidence {
        now,
        journal: Journal::empty(unknown()),
        profiles_status: unknown(),
        profiles_list: unknown(),
        management_status: unknown(),
        identities: unknown(),
        certificates: unknown(),
        awake_since: unknown(),
        updates,
        restarts: unknown(),
        sources,
    }
}

/// How a source failed, in the terms of `mdm_health_status`.
type Trouble = (SourceState, &'static str, String);

fn read_log(host: &dyn Host, options: &ReadOptions, span: Span) -> (Journal, Option<LogSummary>, Option<Trouble>) {
    let nothing = |(state, reason, why): Trouble| {
        let covers = Fact::unknown(reason, why.clone());
        (Journal::empty(covers), None, Some((state, reason, why)))
    };
    let mut source = match host.open_log(span) {
        Ok(source) => source,
        Err(error) => return nothing(refused(&error)),
    };
    let asked = source.span();
    let mut journal = Journal::empty(Fact::unknown("not_read", "the log was not read."));
    let read = log::read_log(&mut source, options, |record| {
        if let Some(event) = event::recognise(record) {
            journal.push(event);
        }
    });
    let ended = LogSource::finish(source);
    let trouble = log_trouble(read.as_ref(), ended.as_ref().err());
    match (read, trouble) {
        (Ok(summary), trouble) => {
            journal.settle();
            journal.records = summary.records;
            journal.covers = covers(&summary, asked, ended.is_ok(), &journal);
            (journal, Some(summary), trouble)
        }
        (Err(_), Some(trouble)) => nothing(trouble),
        (Err(error), None) => nothing((SourceState::Error, "not_a_log", format!("{error}."))),
    }
}

/// What went wrong while a log was read. A command's own words say more than that it printed nothing.
fn log_trouble(read: Result<&LogSummary, &LogError>, ended: Option<&HostError>) -> Option<Trouble> {
    match (read, ended) {
        (Err(_), Some(error)) => Some(refused(error)),
        (Ok(_), Some(error)) => Some((SourceState::Partial, refused(error).1, refused(error).2)),
        (Err(error), None) => Some((SourceState::Error, "not_a_log", format!("{error}."))),
        (Ok(LogSummary { broken: Some(why), .. }), None) => {
            Some((SourceState::Partial, "cut_off", format!("Reading the log broke off: {why}.")))
        }
        (Ok(LogSummary { complete: Some(false), .. }), None) => {
            let detail = "The log ends without its trailer: it was cut off and counts only up to its last record.";
            Some((SourceState::Partial, "cut_off", detail.to_owned()))
        }
        (Ok(LogSummary { lines_not_understood: lines @ 1.., .. }), None) => {
            let detail = format!("{lines} lines of the log could not be understood: a silence in it proves nothing.");
            Some((SourceState::Partial, "not_understood", detail))
        }
        (Ok(_), None) => None,
    }
}

/// Why the host gave no log, and what to grant where `log` says so.
///
/// `log: Could not open local log store: Operation not permitted` and `Must be admin`: not root, or no Full Disk Access;
/// `log: Could not open local log store: The specified URL did not refer to a valid log archive`: the store is missing.
fn refused(error: &HostError) -> Trouble {
    let HostError::Failed { stderr, .. } = error else {
        return (SourceState::Error, error.reason(), format!("{error}."));
    };
    let (reason, advice) = if stderr.contains("Operation not permitted") || stderr.contains("Must be admin") {
        let advice =
            "Run mdm-health as root; where macOS still refuses, give the program that starts it Full Disk Access";
        ("log_access_denied", advice)
    } else if stderr.contains("did not refer to a valid log archive") {
        ("log_store_missing", "The Mac's log store is missing; it comes back with the next restart")
    } else {
        return (SourceState::Error, error.reason(), format!("{error}."));
    };
    (SourceState::Error, reason, format!("{error}. {advice}."))
}

/// The span for which the events are all there are: what was asked for if the log was read to its end, else only up to
/// the last record.
fn covers(summary: &LogSummary, asked: Option<Span>, ended_well: bool, journal: &Journal) -> Fact<Span> {
    let whole = ended_well && summary.complete != Some(false) && summary.broken.is_none();
    let from = asked.map(|asked| asked.from).or(summary.first);
    let to = if whole { asked.map(|asked| asked.to).or(summary.last) } else { summary.last };
    let from = if journal.dropped > 0 { journal.oldest() } else { from };
    match (from, to) {
        _ if summary.lines_not_understood > 0 => {
            let lines = summary.lines_not_understood;
            Fact::unknown("not_understood", format!("{lines} lines of the log could not be understood."))
        }
        (Some(from), Some(to)) => Fact::Known(Span { from, to }),
        _ if whole => Fact::unknown("log_empty", "the log holds nothing at all."),
        _ => Fact::unknown("cut_off", "the log was cut off before its first record."),
    }
}

/// What is wrong with a log that was read well.
fn journal_trouble(journal: &Journal, now: Time) -> Option<Trouble> {
    let future = journal.events().chain(journal.updates()).filter(|event| event.at > now).count();
    if journal.dropped > 0 {
        let dropped = journal.dropped;
        let detail = format!("{dropped} old events were let go; the log counts from the oldest that was kept.");
        Some((SourceState::Partial, "too_many_events", detail))
    } else if journal.dropped_updates > 0 {
        let dropped = journal.dropped_updates;
        let detail = format!("{dropped} old events about OS updates were let go; what was before them is not known.");
        Some((SourceState::Partial, "too_many_update_events", detail))
    } else if future > 0 {
        let detail = format!("{future} events lie in the future and were left out. Was the clock set back?");
        Some((SourceState::Partial, "future_records", detail))
    } else {
        None
    }
}

fn log_status(
    journal: &Journal,
    summary: Option<&LogSummary>,
    trouble: Option<Trouble>,
    now: Time,
    duration_ms: u64,
) -> SourceStatus {
    let state = trouble.as_ref().map_or(SourceState::Ok, |(state, ..)| *state);
    SourceStatus {
        source: "unified_log",
        state,
        reason: trouble.as_ref().map(|(_, reason, _)| *reason),
        detail: trouble.map(|(.., detail)| detail),
        last_ok_at: (state == SourceState::Ok).then_some(now),
        last_error_at: (state != SourceState::Ok).then_some(now),
        covers: journal.covers.known().copied(),
        counts: summary.map(|summary| LogCounts {
            records_read: summary.records,
            events_kept: u64::try_from(journal.events().len() + journal.updates().len()).unwrap_or(u64::MAX),
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

/// Certificates that are listed but cannot be read make their source a part of what it should be.
fn certificates_status(fact: &Fact<Vec<Certificate>>, now: Time, duration_ms: u64) -> SourceStatus {
    let status = fact_status("certificates", fact, now, duration_ms);
    let listed = fact.known().map(Vec::as_slice).unwrap_or_default();
    let unread: Vec<&String> = listed.iter().filter_map(|certificate| certificate.content.as_ref().err()).collect();
    let Some(first) = unread.first() else { return status };
    SourceStatus {
        state: SourceState::Partial,
        reason: Some("not_understood"),
        detail: Some(format!("{} of {} certificates cannot be read, the first: {first}.", unread.len(), listed.len())),
        last_ok_at: None,
        last_error_at: Some(now),
        ..status
    }
}

/// Puts in what was restarted, and how reading that went.
fn take_restarts(evidence: &mut Evidence, restarts: &Fact<Restarts>) {
    let now = evidence.now;
    for status in evidence.sources.iter_mut().filter(|status| status.source == LEDGER) {
        *status = fact_status(LEDGER, restarts, now, 0);
    }
    evidence.restarts = restarts.clone();
}

fn timed<T>(work: impl FnOnce() -> T) -> (T, u64) {
    let start = Instant::now();
    let result = work();
    (result, milliseconds(start))
}

fn milliseconds(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}
