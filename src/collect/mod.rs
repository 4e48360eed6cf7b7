//! Reads the evidence, from which the rules make findings, and keeps the findings as long as they are fresh.

mod install_log;
mod live_log;
mod log_errors;
pub mod source;
mod sources;
mod whole_log;

use crate::facts::policy::Policy;
use crate::facts::record;
use crate::health::{Evidence, Findings};
use crate::host::Host;
use crate::journal::Journal;
use crate::journal::store::Retention;
use crate::log::ReadOptions;
use crate::vocabulary::{Limits, SourceStatus, Span};
use chrono::{TimeDelta, Utc};
use install_log::Follower;
use live_log::LiveLog;
use sources::{Asking, milliseconds};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};
use whole_log::WholeLog;

/// How far back a log is read by a program that keeps no journal: as far as a capture goes.
const SPAN: TimeDelta = TimeDelta::hours(24);

/// How long findings of a live host are served before it is read again.
const MAX_AGE: Duration = Duration::from_secs(60);

/// How many readings are begun for somebody who acts, if one of them fails.
const READINGS_TO_ACT_ON: usize = 2;

/// Keeps findings fresh for any number of callers; one of them reads, the others wait.
pub struct Collector {
    host: Box<dyn Host>,
    options: ReadOptions,
    state_dir: PathBuf,
    /// Where the journal lies; without one everything is read anew each time.
    journal_dir: Option<PathBuf>,
    memory: Mutex<Option<Memory>>,
    renewal: Mutex<()>,
    state: Mutex<State>,
    changed: Condvar,
}

/// What is kept of a live Mac from one reading to the next.
struct Memory {
    log: LiveLog,
    install_log: Follower,
    evidence: Evidence,
}

#[derive(Default)]
struct State {
    findings: Option<(Arc<Findings>, Instant)>,
    reading: bool,
    /// How many readings have begun. The last of them is under way while `reading` is set.
    begun: u64,
    /// Which reading was the last for somebody who acts on it, if it has ended.
    to_act_on: u64,
    /// Whether older log, of the last day, is being read.
    backfilling: bool,
    /// How often the record of restarts was read by itself.
    renewals: u64,
}

/// Clears a mark of the state whatever happens, so that the next caller may read and nobody waits in vain.
struct Mark<'c>(&'c Collector, fn(&mut State) -> &mut bool);

impl Drop for Mark<'_> {
    fn drop(&mut self) {
        *(self.1)(&mut self.0.lock()) = false;
        self.0.changed.notify_all();
    }
}

impl Collector {
    /// Nothing is read before it is asked for. `state_dir` is the folder of the record of restarts, `journal_dir` that of
    /// the journal; without a journal everything is read anew each time, as of a recorded host.
    pub fn new(
        host: Box<dyn Host>,
        options: ReadOptions,
        state_dir: PathBuf,
        journal_dir: Option<PathBuf>,
    ) -> Arc<Self> {
        let (memory, renewal, state, changed) = Default::default();
        Arc::new(Self { host, options, state_dir, journal_dir, memory, renewal, state, changed })
    }

    pub fn host(&self) -> &dyn Host {
        self.host.as_ref()
    }

    /// The folder of the record of restarts.
    pub fn state_dir(&self) -> &Path {
        &self.state_dir
    }

    /// Reads the record of restarts, and nothing else: the rest of the findings stays as old as it is.
    pub fn refresh_restarts(&self) {
        let _turn = self.renewal.lock().unwrap_or_else(PoisonError::into_inner);
        let restarts = record::restarts(self.host(), &self.state_dir);
        let mut state = self.lock();
        state.renewals += 1;
        if let Some((findings, _)) = &mut state.findings {
            let evidence = &mut Arc::make_mut(findings).evidence;
            evidence.restarts.renew(Limits::VOLATILE, evidence.now, || restarts.into());
        }
    }

    /// The findings, at most a minute old. When reading takes longer than `timeout`, the older ones are given; before
    /// there are any, findings that say so.
    pub fn findings(self: &Arc<Self>, timeout: Duration) -> Arc<Findings> {
        self.wait_for(timeout)
    }

    /// The findings, if they are there and at most a minute old.
    pub fn findings_at_hand(&self) -> Option<Arc<Findings>> {
        self.fresh(&self.lock())
    }

    /// The findings of a reading that begins after this call and asks every source, for whoever acts on them at once.
    /// `None` if it does not end within `timeout`.
    pub fn findings_to_act_on(self: &Arc<Self>, timeout: Duration) -> Option<Arc<Findings>> {
        let (start, mut state) = (Instant::now(), self.lock());
        let before = state.begun;
        let incomplete = |state: &State| {
            let still_reading = |(findings, _): &(Arc<Findings>, Instant)| findings.evidence.still_reading;
            state.backfilling && state.findings.as_ref().is_some_and(still_reading)
        };
        for _ in 0..READINGS_TO_ACT_ON {
            while state.reading || (state.to_act_on > before && incomplete(&state)) {
                let left = timeout.saturating_sub(start.elapsed());
                if left.is_zero() {
                    break;
                }
                state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
            }
            if state.to_act_on > before || state.reading || !self.begin_reading(&mut state, true) {
                break;
            }
        }
        (state.to_act_on > before).then(|| state.findings.as_ref().map(|(findings, _)| findings.clone())).flatten()
    }

    /// The findings for a program that asks once and ends: it waits until the whole last day is read, or for `timeout`.
    pub fn findings_of_a_day(self: &Arc<Self>, timeout: Duration) -> Arc<Findings> {
        let start = Instant::now();
        let findings = self.findings(timeout);
        let left = timeout.saturating_sub(start.elapsed());
        let waited = self.changed.wait_timeout_while(self.lock(), left, |state| state.reading || state.backfilling);
        let state = waited.unwrap_or_else(PoisonError::into_inner).0;
        let newest = state.findings.as_ref().map(|(newest, _)| newest.clone());
        newest.filter(|newest| newest.evidence.now >= findings.evidence.now).unwrap_or(findings)
    }

    fn wait_for(self: &Arc<Self>, timeout: Duration) -> Arc<Findings> {
        let (start, mut asked) = (Instant::now(), false);
        let mut state = self.lock();
        loop {
            if let Some(findings) = self.fresh(&state) {
                return findings;
            }
            if !state.reading && !asked {
                asked = true;
                // If no thread can be started, what is there serves until the next call.
                self.begin_reading(&mut state, false);
            }
            let left = timeout.saturating_sub(start.elapsed());
            if !state.reading || left.is_zero() {
                break;
            }
            let waited = self.changed.wait_timeout_while(state, left, |state| state.reading);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        let now = self.host.now().unwrap_or_else(Utc::now);
        Arc::new(Findings::new(match &state.findings {
            // Older evidence is judged for this moment, so that what it no longer covers is unknown.
            Some((findings, _)) => Evidence { now: now.max(findings.evidence.now), ..findings.evidence.clone() },
            None => Evidence::unread(now),
        }))
    }

    /// Starts a thread that reads, and says whether it could be started.
    fn begin_reading(self: &Arc<Self>, state: &mut State, to_act: bool) -> bool {
        let reader = self.clone();
        let begun = thread::Builder::new().name("reading".to_owned()).spawn(move || reader.read(to_act));
        state.reading = begun.is_ok();
        state.begun += u64::from(state.reading);
        state.reading
    }

    /// The findings, if they are fresh by `Instant` (which pauses in sleep) and by the wall clock.
    fn fresh(&self, state: &State) -> Option<Arc<Findings>> {
        let (findings, at) = state.findings.as_ref()?;
        let most = TimeDelta::from_std(MAX_AGE).ok()?;
        let now = findings.evidence.now;
        let by_the_clock = || Some((self.host.now()? - now).abs() < most);
        let fresh = !self.host.is_live() || (at.elapsed() < MAX_AGE && by_the_clock().unwrap_or(true));
        fresh.then(|| findings.clone())
    }

    /// Reads what is new now, however fresh the findings are, unless a reading is under way.
    pub fn refresh(&self) {
        let mut state = self.lock();
        if !std::mem::replace(&mut state.reading, true) {
            state.begun += 1;
            drop(state);
            self.read(false);
        }
    }

    fn read(&self, to_act: bool) {
        let mark = Mark(self, |state| &mut state.reading);
        let Some(journal_dir) = self.journal_dir.as_deref().filter(|_| self.host.is_live()) else {
            let renewals = self.lock().renewals;
            let evidence = evidence(self.host.as_ref(), &self.options, &self.state_dir);
            return self.publish(evidence, renewals, Instant::now(), to_act);
        };
        // Older log may still be being read: the moment that counts is the one at which it is this reading's turn.
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        let host = self.host.as_ref();
        let moment = || host.now().unwrap_or_else(Utc::now);
        let policy = Policy::read(host);
        let retention = Retention::of(policy.journal_days, policy.journal_events);
        let Memory { log, install_log, evidence } = memory.get_or_insert_with(|| Memory {
            log: LiveLog::new(journal_dir, retention, moment()),
            install_log: Follower::default(),
            evidence: Evidence::unread(moment()),
        });
        log.sync_from_disk(retention, moment());
        let now = moment();
        log.refresh(host, &self.options, now);
        evidence.journal = log.journal();
        log.statuses(now).into_iter().for_each(|status| evidence.set_other_source(status));
        let (options, state_dir) = (&self.options, self.state_dir.as_path());
        let oldest = if to_act { TimeDelta::zero() } else { TimeDelta::MAX };
        let renewals = self.lock().renewals;
        // A live Mac's zone is this machine's: what reading the log came to is not needed for it.
        let asking = Asking { host, options, state_dir, policy: Some(policy), now, oldest };
        asking.read(evidence, install_log, None);
        self.publish(evidence.clone(), renewals, Instant::now(), to_act);
        // From here on only those who asked for the whole day wait for this reading, and another may be asked for.
        self.lock().backfilling = true;
        let _backfilling = Mark(self, |state| &mut state.backfilling);
        drop(mark);
        if log.backfill(host, &self.options, now) {
            self.publish_log(log.journal(), log.statuses(now));
        }
    }

    /// Publishes what was read at that moment. `renewals` is the count before it was read; `to_act` marks the reading under
    /// way as one to act on.
    fn publish(&self, evidence: Evidence, renewals: u64, at: Instant, to_act: bool) {
        let mut findings = Findings::new(evidence);
        let mut state = self.lock();
        // What was restarted meanwhile is not forgotten again.
        if let Some((newer, _)) = state.findings.as_ref().filter(|_| state.renewals != renewals) {
            findings.evidence.restarts = newer.evidence.restarts.clone();
        }
        state.findings = Some((Arc::new(findings), at));
        if to_act {
            state.to_act_on = state.begun;
        }
    }

    /// Publishes more of the log. Everything else stays as it is, and as old.
    fn publish_log(&self, journal: Journal, statuses: [SourceStatus; 2]) {
        let (renewals, published) = {
            let state = self.lock();
            (state.renewals, state.findings.clone())
        };
        if let Some((findings, at)) = published {
            let mut evidence = Evidence { journal, ..findings.evidence.clone() };
            statuses.into_iter().for_each(|status| evidence.set_other_source(status));
            self.publish(evidence, renewals, at, false);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads everything once: the whole log that a recorded host has, or the last hours of a live one. `state_dir` is the
/// folder of the record of restarts.
pub fn evidence(host: &dyn Host, options: &ReadOptions, state_dir: &Path) -> Evidence {
    let asked_at = host.now();
    let asked_to = asked_at.unwrap_or_else(Utc::now);
    let start = Instant::now();
    let mut log = WholeLog::read(host, options, Span { from: asked_to - SPAN, to: asked_to });
    let now = asked_at.or(log.summary.as_ref().and_then(|summary| summary.last)).unwrap_or(asked_to);
    log.judge_at(now);
    let mut evidence = Evidence::unread(now);
    evidence.set_other_source(log.status(now, milliseconds(start)));
    evidence.journal = log.journal;
    let policy = host.is_live().then(|| Policy::read(host));
    let asking = Asking { host, options, state_dir, policy, now, oldest: TimeDelta::MAX };
    asking.read(&mut evidence, &mut Follower::default(), log.summary.as_ref());
    evidence
}
