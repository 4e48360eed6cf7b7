//! The way of the data, walked once: from a host to evidence, from evidence to findings, kept as long as they are fresh.

mod answers;
mod install_log;
mod live_log;
mod remembered;
pub mod source;
mod trouble;
mod updates;

use crate::event;
use crate::facts::policy::Policy;
use crate::facts::record;
use crate::facts::restarts::Restarts;
use crate::health::{Evidence, Findings};
use crate::host::{Host, LogSource};
use crate::journal::Journal;
use crate::journal::store::Retention;
use crate::log::{self, LogSummary, ReadOptions};
use crate::vocabulary::codes::{SourceName, SourceReason, SourceState};
use crate::vocabulary::{Fact, LogCounts, SourceStatus, Span, Time};
use answers::{Answers, Reading, nothing_yet};
use chrono::{TimeDelta, Utc};
use live_log::LiveLog;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};
use trouble::{Trouble, covers, journal_trouble, log_trouble, refused};

/// How far back a log is read by a program that keeps no journal of it: as far as a capture goes.
const SPAN: TimeDelta = TimeDelta::hours(24);

/// How long findings of a live host are served before it is read again.
const MAX_AGE: Duration = Duration::from_secs(60);

/// The record of restarts, as a source.
const LEDGER: SourceName = SourceName::HealLedger;

/// Keeps findings fresh for any number of callers; one of them reads, the others wait.
pub struct Collector {
    host: Box<dyn Host>,
    options: ReadOptions,
    state_dir: PathBuf,
    /// Where the journal lies; without one all is read anew each time.
    journal_dir: Option<PathBuf>,
    memory: Mutex<Option<Memory>>,
    renewal: Mutex<()>,
    state: Mutex<State>,
    changed: Condvar,
}

/// What is remembered of a live Mac from one reading to the next.
struct Memory {
    log: LiveLog,
    answers: Answers,
}

#[derive(Default)]
struct State {
    findings: Option<(Arc<Findings>, Instant)>,
    reading: bool,
    /// Whether what was not read yet of the day before is being read.
    looking_back: bool,
    /// How often what was restarted was read anew by itself.
    renewals: u64,
}

/// A mark of the state, taken away whatever happens, so that the next caller may read and nobody waits in vain.
struct Mark<'c>(&'c Collector, fn(&mut State) -> &mut bool);

impl Drop for Mark<'_> {
    fn drop(&mut self) {
        *(self.1)(&mut self.0.lock()) = false;
        self.0.changed.notify_all();
    }
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
        let (memory, renewal, state, changed) = Default::default();
        Arc::new(Self { host, options, state_dir, journal_dir, memory, renewal, state, changed })
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
        let restarts = record::restarts(self.host(), &self.state_dir);
        let mut state = self.lock();
        state.renewals += 1;
        if let Some((findings, _)) = &mut state.findings {
            take_restarts(&mut Arc::make_mut(findings).evidence, &restarts);
        }
    }

    /// The findings, at most a minute old. When reading takes longer than `patience`, the older ones are given; before
    /// there are any, findings that say so.
    pub fn findings(self: &Arc<Self>, patience: Duration) -> Arc<Findings> {
        self.wait_for(patience, false)
    }

    /// The same for whoever is about to act on them: no answer that they rest on may be older than a minute either,
    /// where [`Self::findings`] takes a command's answer of some minutes ago.
    pub fn findings_to_act_on(self: &Arc<Self>, patience: Duration) -> Arc<Findings> {
        self.wait_for(patience, true)
    }

    /// The findings for a program that asks once and ends: a reading of the whole day is waited for, as far as patience goes.
    pub fn findings_of_a_day(self: &Arc<Self>, patience: Duration) -> Arc<Findings> {
        let start = Instant::now();
        let findings = self.findings(patience);
        let left = patience.saturating_sub(start.elapsed());
        let waited = self.changed.wait_timeout_while(self.lock(), left, |state| state.reading || state.looking_back);
        let state = waited.unwrap_or_else(PoisonError::into_inner).0;
        let newest = state.findings.as_ref().map(|(newest, _)| newest.clone());
        newest.filter(|newest| newest.evidence.now >= findings.evidence.now).unwrap_or(findings)
    }

    fn wait_for(self: &Arc<Self>, patience: Duration, to_act: bool) -> Arc<Findings> {
        let (start, mut asked) = (Instant::now(), false);
        let mut state = self.lock();
        loop {
            if let Some(findings) = self.fresh(&state, to_act) {
                return findings;
            }
            // A reading that was under way already may have been content with older answers.
            if !state.reading && !asked {
                asked = true;
                let reader = self.clone();
                // Without a thread to be had, what is there serves until the next call.
                let begun = thread::Builder::new().name("reading".to_owned()).spawn(move || reader.read(to_act));
                state.reading = begun.is_ok();
            }
            let left = patience.saturating_sub(start.elapsed());
            if !state.reading || left.is_zero() {
                break;
            }
            let waited = self.changed.wait_timeout_while(state, left, |state| state.reading);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        let now = self.host.now().unwrap_or_else(Utc::now);
        Arc::new(Findings::new(match &state.findings {
            // Older ones are judged for this moment, so that what they no longer cover is unknown.
            Some((findings, _)) => Evidence { now: now.max(findings.evidence.now), ..findings.evidence.clone() },
            None => nothing_yet(now),
        }))
    }

    /// The findings, if they are fresh by the clock that stands still while a Mac sleeps and by the one that does not.
    fn fresh(&self, state: &State, to_act: bool) -> Option<Arc<Findings>> {
        let (findings, at) = state.findings.as_ref()?;
        let most = TimeDelta::from_std(MAX_AGE).ok()?;
        let Evidence { now, read_at, .. } = findings.evidence;
        let by_the_clock = || Some((self.host.now()? - now).abs() < most);
        let fresh = !self.host.is_live() || (at.elapsed() < MAX_AGE && by_the_clock().unwrap_or(true));
        (fresh && (!to_act || now - read_at < most)).then(|| findings.clone())
    }

    /// Reads what is new now, however fresh the findings are, unless a reading is under way.
    pub fn refresh(&self) {
        if !std::mem::replace(&mut self.lock().reading, true) {
            self.read(false);
        }
    }

    fn read(&self, to_act: bool) {
        let mark = Mark(self, |state| &mut state.reading);
        let Some(journal_dir) = self.journal_dir.as_deref().filter(|_| self.host.is_live()) else {
            let renewals = self.lock().renewals;
            let evidence = evidence(self.host.as_ref(), &self.options, &self.state_dir);
            return self.publish(evidence, renewals, Instant::now());
        };
        // A look back may still hold the log: the moment that counts is the one at which it is read.
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        let host = self.host.as_ref();
        let moment = || host.now().unwrap_or_else(Utc::now);
        let policy = Policy::read(host);
        let retention = Retention::of(policy.journal_days, policy.journal_events);
        let Memory { log, answers } = memory.get_or_insert_with(|| Memory {
            log: LiveLog::new(journal_dir, retention, moment()),
            answers: Answers::default(),
        });
        log.take_over(retention, moment());
        let now = moment();
        log.refresh(host, &self.options, now);
        let (options, state_dir) = (&self.options, self.state_dir.as_path());
        let reading = Reading { host, options, state_dir, policy: Some(policy), now, to_act };
        let renewals = self.lock().renewals;
        // A live Mac's zone is this machine's: what reading the log came to is not needed for it.
        let evidence = answers.evidence(&reading, None, log.journal(), log.statuses(now).into());
        self.publish(evidence, renewals, Instant::now());
        // From here on only who asked for the whole day waits for this reading, and another may be asked for.
        self.lock().looking_back = true;
        let _looking_back = Mark(self, |state| &mut state.looking_back);
        drop(mark);
        if log.look_back(host, &self.options, now) {
            self.publish_log(log.journal(), log.statuses(now));
        }
    }

    /// Lets the callers have what was found at that moment. `renewals` is the count before it was read.
    fn publish(&self, evidence: Evidence, renewals: u64, at: Instant) {
        let mut findings = Findings::new(evidence);
        let mut state = self.lock();
        // What was restarted meanwhile is not forgotten again.
        if let Some((newer, _)) = state.findings.as_ref().filter(|_| state.renewals != renewals) {
            take_restarts(&mut findings.evidence, &newer.evidence.restarts);
        }
        state.findings = Some((Arc::new(findings), at));
    }

    /// Lets the callers have more of the log. All else is as it was found before, and as old.
    fn publish_log(&self, journal: Journal, statuses: [SourceStatus; 2]) {
        let (renewals, published) = {
            let state = self.lock();
            (state.renewals, state.findings.clone())
        };
        if let Some((findings, at)) = published {
            let mut evidence = Evidence { journal, ..findings.evidence.clone() };
            for status in statuses {
                evidence
                    .sources
                    .iter_mut()
                    .filter(|old| old.source == status.source)
                    .for_each(|old| *old = status.clone());
            }
            self.publish(evidence, renewals, at);
        }
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
    let policy = host.is_live().then(|| Policy::read(host));
    let reading = Reading { host, options, state_dir, policy, now, to_act: false };
    Answers::default().evidence(&reading, summary.as_ref(), journal, vec![status])
}

fn read_log(host: &dyn Host, options: &ReadOptions, span: Span) -> (Journal, Option<LogSummary>, Option<Trouble>) {
    let nothing = |(state, reason, why): Trouble| {
        let covers = Fact::unknown(reason, why.clone());
        (Journal::empty(covers), None, Some((state, reason, why)))
    };
    let mut source = match host.open_log(span, &event::predicate()) {
        Ok(source) => source,
        Err(error) => return nothing(refused(&error)),
    };
    let asked = source.span();
    let mut journal = Journal::empty(Fact::unknown(SourceReason::NotRead, "the log was not read."));
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
        (Err(error), None) => nothing((SourceState::Error, SourceReason::NotALog, format!("{error}."))),
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
        source: SourceName::UnifiedLog,
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

fn fact_status<T>(source: SourceName, fact: &Fact<T>, now: Time, duration_ms: u64) -> SourceStatus {
    let (state, reason, detail) = match fact {
        Fact::Known(_) => (SourceState::Ok, None, None),
        Fact::Unknown { reason, why } if *reason == SourceReason::NotCaptured => {
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
