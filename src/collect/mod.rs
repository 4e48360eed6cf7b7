//! Reads the evidence, from which the rules make findings, and keeps the findings as long as they are fresh.

pub mod archive_log;
mod awake;
mod clocks;
mod cost;
mod install_log;
mod journal_file;
mod live_log;
mod log_errors;
mod native_log;
mod once;
mod schedule;
pub mod source;
mod sources;
mod talk;
mod whole_log;

use crate::facts::Ask as _;
use crate::facts::policy::Policy;
use crate::facts::record;
use crate::health::{Evidence, Findings};
use crate::host::Host;
use crate::journal::store::Retention;
use crate::log::ReadOptions;
use crate::vocabulary::codes::WatchdogReason;
use crate::vocabulary::{Freshness, Limits, Time};
use chrono::{TimeDelta, Utc};
use clocks::Clocks;
use install_log::Follower;
use live_log::LiveLog;
pub use once::{awake_to_record, cost_so_far, evidence, history_to_record};
use schedule::{Budget, Purpose};
use sources::Asking;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// How old findings of a live host may be for whoever asks.
const MAX_AGE: Duration = Duration::from_secs(60);

/// How much older the values of sources that change seldom may be in the background.
const BACKGROUND_AGE: TimeDelta = TimeDelta::minutes(55);

/// Extra age allowed for findings that are served while a slow reading is running.
const LATE: TimeDelta = TimeDelta::minutes(5);

/// How many readings are begun for a caller who acts on the findings, if one of them fails.
const READINGS_TO_ACT_ON: usize = 2;

/// Keeps findings fresh for any number of callers; one of them reads, the others wait.
pub struct Collector {
    host: Box<dyn Host>,
    options: ReadOptions,
    state_dir: PathBuf,
    /// Where the journal lies; without one everything is read anew each time.
    journal_dir: Option<PathBuf>,
    clocks: Clocks,
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

struct State {
    findings: Option<(Arc<Findings>, Instant)>,
    /// How many readings have begun. The last of them is under way while `reading` is set.
    begun: u64,
    /// Which reading was the last for somebody who acts on it, if it has ended.
    to_act_on: u64,
    /// What the first reading has found so far.
    so_far: Option<Evidence>,
    /// When the reading began that is under way.
    reading: Option<Instant>,
    /// Whether older log, of the last day, is being read.
    backfilling: bool,
    /// How often the record of restarts was read by itself.
    renewals: u64,
    /// How often the log is read in the background.
    interval: TimeDelta,
    budget: Budget,
}

/// Clears a mark of the state in any case, so that the next caller may read and nobody waits in vain.
struct Mark<'c>(&'c Collector, fn(&mut State));

impl Drop for Mark<'_> {
    fn drop(&mut self) {
        (self.1)(&mut self.0.lock());
        self.0.changed.notify_all();
    }
}

/// How much longer the background may wait on battery.
fn on_battery(state: &State) -> TimeDelta {
    let power = state.findings.as_ref().and_then(|(findings, _)| findings.evidence.power.known());
    if power.is_some_and(|power| power.on_battery) { state.interval } else { TimeDelta::zero() }
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
        let state = State {
            findings: None,
            begun: 0,
            to_act_on: 0,
            so_far: None,
            reading: None,
            backfilling: false,
            renewals: 0,
            interval: Policy::default().refresh_interval(),
            budget: Budget::default(),
        };
        let (clocks, memory, renewal, changed) = Default::default();
        let state = Mutex::new(state);
        Arc::new(Self { host, options, state_dir, journal_dir, clocks, memory, renewal, state, changed })
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

    /// The findings, at most a minute old unless many callers have asked recently. `timeout` counts from the start of
    /// the reading, so four tables wait no longer than one. After the timeout, the caller gets older findings, or, if
    /// there are none yet, what the first reading has found so far.
    pub fn findings(self: &Arc<Self>, timeout: Duration) -> Arc<Findings> {
        let (start, mut asked) = (Instant::now(), false);
        let mut state = self.lock();
        loop {
            if let Some(findings) = self.fresh(&state) {
                return findings;
            }
            if state.reading.is_none() && !asked {
                asked = true;
                let mut purpose = Purpose::Query;
                if self.host.is_live() && !self.may_read(&mut state) {
                    if let Some(findings) = self.recent(&state, TimeDelta::zero()) {
                        return findings;
                    }
                    purpose = Purpose::Background;
                }
                // If no thread can be started, what is there serves until the next call.
                self.begin_reading(&mut state, purpose);
            }
            let Some(began) = state.reading else { break };
            let left = timeout.saturating_sub(began.elapsed().max(start.elapsed()));
            if left.is_zero() {
                break;
            }
            let waited = self.changed.wait_timeout_while(state, left, |state| state.reading.is_some());
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        if let Some(findings) = self.recent(&state, LATE) {
            return findings;
        }
        let now = self.now();
        let older = state.findings.as_ref().map(|(findings, _)| findings.evidence.clone()).or(state.so_far.clone());
        drop(state);
        Arc::new(Findings::new(match older {
            // Older evidence is judged for this moment, so whatever it no longer covers becomes unknown.
            Some(evidence) => Evidence { now: now.max(evidence.now), ..evidence },
            None => Evidence::unread(now),
        }))
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
            while state.reading.is_some() || (state.to_act_on > before && incomplete(&state)) {
                let left = timeout.saturating_sub(start.elapsed());
                if left.is_zero() {
                    break;
                }
                state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
            }
            if state.to_act_on > before || state.reading.is_some() || !self.begin_reading(&mut state, Purpose::Act) {
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
        let under_way = |state: &mut State| state.reading.is_some() || state.backfilling;
        let waited = self.changed.wait_timeout_while(self.lock(), left, under_way);
        let state = waited.unwrap_or_else(PoisonError::into_inner).0;
        let newest = state.findings.as_ref().map(|(newest, _)| newest.clone());
        newest.filter(|newest| newest.evidence.now >= findings.evidence.now).unwrap_or(findings)
    }

    /// Starts a thread that reads, and says whether it could be started.
    fn begin_reading(self: &Arc<Self>, state: &mut State, purpose: Purpose) -> bool {
        let reader = self.clone();
        let begun = thread::Builder::new().name("reading".to_owned()).spawn(move || reader.read(purpose));
        state.reading = begun.is_ok().then(Instant::now);
        state.begun += u64::from(begun.is_ok());
        begun.is_ok()
    }

    /// Whether a query may have the log read now.
    fn may_read(&self, state: &mut State) -> bool {
        state.findings.is_none() || state.budget.take(self.now(), state.interval)
    }

    /// The findings, if they are no older than the background lets them get.
    fn recent(&self, state: &State, late: TimeDelta) -> Option<Arc<Findings>> {
        let (findings, _) = state.findings.as_ref()?;
        let age = self.now() - findings.evidence.now;
        (TimeDelta::zero() <= age && age < state.interval + late).then(|| findings.clone())
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
        if self.may_begin(|_| true) {
            self.read(Purpose::Query);
        }
    }

    /// Looks at the clocks, and reads what is new if it is time for that and the Mac has settled since it woke: on battery
    /// half as often. To be called about once a minute.
    pub fn tick(&self) {
        let settled = self.host.is_live() && self.clocks.look(self.host());
        let is_due = |state: &State| !state.backfilling && self.recent(state, on_battery(state)).is_none();
        if settled && self.may_begin(is_due) {
            self.read(Purpose::Background);
        }
    }

    /// Marks a reading as begun, if none is under way and it is wanted.
    fn may_begin(&self, wanted: impl FnOnce(&State) -> bool) -> bool {
        let mut state = self.lock();
        let begins = state.reading.is_none() && wanted(&state);
        if begins {
            state.reading = Some(Instant::now());
            state.begun += 1;
        }
        begins
    }

    fn now(&self) -> Time {
        self.host.now().unwrap_or_else(Utc::now)
    }

    fn read(&self, purpose: Purpose) {
        let reading = Mark(self, |state| state.reading = None);
        let Some(journal_dir) = self.journal_dir.as_deref().filter(|_| self.host.is_live()) else {
            let renewals = self.lock().renewals;
            let evidence = evidence(self.host.as_ref(), &self.options, &self.state_dir);
            return self.publish(Findings::new(evidence), renewals, Instant::now(), purpose);
        };
        // Older log may still be being read, so the moment is taken when this reading gets its turn.
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        let host = self.host.as_ref();
        let policy = Policy::read(host);
        self.lock().interval = policy.refresh_interval();
        let retention = Retention::of(policy.journal_days, policy.journal_events);
        let Memory { log, install_log, evidence } = memory.get_or_insert_with(|| Memory {
            log: LiveLog::new(journal_dir, retention, self.now()),
            install_log: Follower::default(),
            evidence: Evidence::unread(self.now()),
        });
        evidence.platform.ask(host, Freshness::Usual, self.now());
        let mac = evidence.platform.known().and_then(|platform| platform.hardware_uuid.as_deref());
        log.sync_from_disk(mac, retention, self.now());
        let freshness = match purpose {
            Purpose::Query => Freshness::Usual,
            Purpose::Act => Freshness::AtMost(TimeDelta::zero()),
            Purpose::Background => Freshness::Later(BACKGROUND_AGE),
        };
        let (options, state_dir) = (&self.options, self.state_dir.as_path());
        let asking = |now| Asking { host, options, state_dir, policy: Some(policy.clone()), now, freshness };
        if self.lock().findings.is_none() {
            // Queries that come meanwhile get what is ready, and need not wait for the log.
            evidence.still_reading = true;
            evidence.journal = log.journal();
            evidence.history = log.file.history().to_vec();
            evidence.set_other_source(log.journal_status(self.now()));
            asking(self.now()).read_steady(evidence, |evidence| self.lock().so_far = Some(evidence.clone()));
        }
        self.clocks.look(host);
        log.file.add_samples(self.clocks.take());
        let now = self.now();
        log.refresh(host, options, now);
        log.put_into(evidence, now);
        let renewals = self.lock().renewals;
        // A live Mac's time zone is this machine's, so it does not depend on what was read from the log.
        asking(now).read(evidence, install_log, None);
        let profiles = evidence.profiles_list.known().map(|list| list.digest);
        evidence.profiles_changed_at = profiles.and_then(|digest| log.file.profiles_changed_at(digest, now));
        awake::find(evidence, host, log.file.samples(), None);
        self.publish(judge(evidence, log), renewals, Instant::now(), purpose);
        // From here on, only callers who want the whole day wait for this reading, and a new one may be requested.
        self.lock().backfilling = true;
        let _backfilling = Mark(self, |state| state.backfilling = false);
        drop(reading);
        let backfilled = log.backfill(host, options, now);
        if backfilled || evidence.still_reading {
            log.put_into(evidence, now);
            awake::find(evidence, host, log.file.samples(), None);
            self.publish_log(judge(evidence, log));
        }
    }

    /// Publishes what was read at that moment. `renewals` is the count before it was read.
    fn publish(&self, mut findings: Findings, renewals: u64, at: Instant, purpose: Purpose) {
        let mut state = self.lock();
        // A restart that was recorded in the meantime must not be lost.
        if let Some((newer, _)) = state.findings.as_ref().filter(|_| state.renewals != renewals) {
            findings.evidence.restarts = newer.evidence.restarts.clone();
        }
        state.findings = Some((Arc::new(findings), at));
        if purpose == Purpose::Act {
            state.to_act_on = state.begun;
        }
        state.so_far = None;
    }

    /// Publishes more of the log. Everything else is as old as it was.
    fn publish_log(&self, mut findings: Findings) {
        let (at, renewals) = {
            let state = self.lock();
            let Some((before, at)) = &state.findings else { return };
            findings.evidence.restarts = before.evidence.restarts.clone();
            (*at, state.renewals)
        };
        self.publish(findings, renewals, at, Purpose::Query);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Judges the evidence, and keeps the verdict. A verdict that still waits for more of the log is not recorded.
fn judge(evidence: &mut Evidence, log: &mut LiveLog) -> Findings {
    let mut findings = Findings::new(evidence.clone());
    let (state, reason) = (findings.verdict.state, findings.verdict.reason);
    if reason != WatchdogReason::StillReading {
        evidence.history = log.file.add_verdict(state, reason, evidence.now).to_vec();
        findings.evidence.history = evidence.history.clone();
    }
    findings
}
