//! Heal: requests to restart a daemon. The only room that changes anything on the Mac; every front end and the timer use
//! [`Healer::request`].
//!
//! A request is in the record before anything is read, the intent before the first step, each step before the next. A
//! lock lets one request be carried out at a time; whoever holds it closes what a crash has left open.

pub mod actions;
pub mod automatic;
pub mod clock;
pub mod last_hour;
pub mod ledger;
pub mod limits;
pub mod processes;
mod proof;
pub mod request;
mod work;

pub use limits::Refusal;
pub use request::{Conclusion, Request};

use crate::collect::Collector;
use crate::facts::platform;
use crate::facts::policy::Policy;
use crate::facts::record::{self, Entry, LOCK, RecordError};
use crate::health::Findings;
use crate::host::state::StateFolder;
use crate::host::{ActError, Actor, Daemon, HostError};
use crate::vocabulary::Code;
use crate::vocabulary::codes::{HealAction, HealOutcome, HealRefusal};
use chrono::TimeDelta;
use clock::Clock;
use ledger::{Ledger, LedgerError, Timer};
use std::sync::Arc;
use std::time::Duration;
use work::Work;

/// Whether it is time for something that is done from time to time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    Now,
    Later,
    /// There is no record that could say so. A request then says why it cannot be carried out.
    Unknown,
}

/// Carries requests out, within the limits.
pub struct Healer {
    collector: Arc<Collector>,
    /// `None` for a recorded Mac.
    actor: Option<Actor>,
    timeout: Duration,
}

impl Healer {
    /// `timeout` is how long to wait for evidence.
    pub fn new(collector: Arc<Collector>, actor: Option<Actor>, timeout: Duration) -> Self {
        Self { collector, actor, timeout }
    }

    /// Carries a request out and returns its number in the record, or why it was refused or failed. A refused request is
    /// in the record too, if the record can be used.
    pub fn request(&self, request: &Request) -> Result<i64, Refusal> {
        self.answer(request, None)
    }

    /// Refuses a request that cannot be understood, and records that.
    pub fn reject(&self, request: &Request, objection: Refusal) -> Result<i64, Refusal> {
        self.answer(request, Some(objection))
    }

    /// Whether this is a Mac that could be changed, and not a recorded one.
    pub fn can_act(&self) -> bool {
        self.actor.is_some()
    }

    /// Every request in the record.
    pub fn entries(&self) -> Result<Vec<Entry>, RecordError> {
        record::entries(self.collector.host(), self.collector.state_dir())
    }

    /// What is allowed now.
    pub fn policy(&self) -> Policy {
        Policy::read(self.collector.host())
    }

    /// What is known of this Mac, at most a minute old if the Mac answers.
    pub fn findings(&self) -> Arc<Findings> {
        self.collector.findings(self.timeout)
    }

    /// What to do from time to time: closes what a crash left open, and reads the clocks while a limit depends on them,
    /// so that the record knows how long the Mac has been running. A failure only makes the limit longer.
    pub fn housekeep(&self) {
        let _ = self.try_to_housekeep();
    }

    fn try_to_housekeep(&self) -> Result<(), Refusal> {
        self.may_act().map_err(|error| Refusal::from_actor(&error))?;
        let Some(folder) = StateFolder::find(self.collector.state_dir()).map_err(LedgerError::from)? else {
            return Ok(());
        };
        // A lock without a record would mean that somebody removed it.
        let Some(mut ledger) = Ledger::find(&folder)? else { return Ok(()) };
        self.claim(&mut ledger)?;
        if let Some(_lock) = folder.lock(LOCK).map_err(LedgerError::from)? {
            ledger.close_interrupted()?;
        }
        Ok(ledger.keep_time_for(self.policy().limit(), &Clock::new(self.collector.host()))?)
    }

    /// Whether that timer is due, by the record; if so, it counts as run now. `at_first`: whether one that never ran is due
    /// at once.
    fn is_due(&self, timer: Timer, interval: TimeDelta, at_first: bool) -> Due {
        let due = || -> Result<bool, LedgerError> {
            let (host, folder) = (self.collector.host(), StateFolder::make(self.collector.state_dir())?);
            let mut ledger = Ledger::open(&folder)?;
            self.claim(&mut ledger)?;
            if host.now().is_some_and(|wall| ledger.ran_just_now(timer, interval, wall).unwrap_or(false)) {
                return Ok(false);
            }
            ledger.is_due(timer, interval, at_first, &Clock::new(host))
        };
        match self.may_act().ok().map(|_| due()) {
            Some(Ok(true)) => Due::Now,
            Some(Ok(false)) => Due::Later,
            Some(Err(_)) | None => Due::Unknown,
        }
    }

    /// Makes sure that the record is this Mac's, and not one that was copied along from another.
    fn claim(&self, ledger: &mut Ledger) -> Result<(), LedgerError> {
        let host = self.collector.host();
        let now = host.now().ok_or(HostError::NotLive { missing: "clock" })?;
        ledger.claim(platform::hardware_uuid(host).as_deref(), now)
    }

    /// What changes something, if it may.
    fn may_act(&self) -> Result<&Actor, ActError> {
        let actor = self.actor.as_ref().ok_or(ActError::Recorded)?;
        actor.may_act(self.collector.state_dir())?;
        Ok(actor)
    }

    fn answer(&self, request: &Request, objection: Option<Refusal>) -> Result<i64, Refusal> {
        let carried_out = self.carry_out(request, objection);
        self.collector.refresh_restarts();
        let (id, conclusion) = carried_out?;
        match conclusion.outcome {
            HealOutcome::Done | HealOutcome::DryRun | HealOutcome::NothingToDo => Ok(id),
            other => Err(conclusion.refusal.unwrap_or_else(|| Refusal::new(other, conclusion.detail))),
        }
    }

    fn carry_out(&self, request: &Request, objection: Option<Refusal>) -> Result<(i64, Conclusion), Refusal> {
        let actor = self.may_act().map_err(|error| Refusal::from_actor(&error))?;
        let (host, state_dir) = (self.collector.host(), self.collector.state_dir());
        let folder = StateFolder::make(state_dir).map_err(LedgerError::from)?;
        let mut ledger = Ledger::open(&folder)?;
        self.claim(&mut ledger)?;
        let lock = folder.lock(LOCK).map_err(LedgerError::from)?;
        let clock = Clock::new(host);
        let objection = objection.map_or_else(|| understand(request, lock.is_some()), Err);
        let action = match objection {
            Ok(action) => action,
            Err(refusal) => {
                let conclusion = refusal.into();
                return Ok((ledger.refused(request, &clock, &conclusion)?, conclusion));
            }
        };
        // We hold the lock, so whatever is open was left so by a crash.
        ledger.close_interrupted()?;
        let (id, asked) = ledger.open_request(request, None, &clock)?;
        let (collector, timeout, policy) = (&self.collector, self.timeout, self.policy());
        let mut work = Work { collector, timeout, host, actor, clock, ledger, policy };
        let conclusion = match action {
            HealAction::Heal => work.heal(id, request)?,
            HealAction::RestartMdmclient => work.restart(id, Daemon::Mdmclient, request, asked, None)?,
            HealAction::RestartSoftwareupdated => work.restart(id, Daemon::Softwareupdated, request, asked, None)?,
        };
        work.finish(id, &conclusion)?;
        Ok((id, conclusion))
    }
}

/// What is asked for, if the request may be carried out now.
fn understand(request: &Request, has_lock: bool) -> Result<HealAction, Refusal> {
    let Some(action) = HealAction::from_word(&request.action) else {
        let names = HealAction::ALL.iter().map(|action| action.word()).collect::<Vec<_>>().join(", ");
        return Err(Refusal::new(HealRefusal::UnknownAction, format!("The action must be one of {names}.")));
    };
    if has_lock {
        Ok(action)
    } else {
        Err(Refusal::new(HealRefusal::Busy, "Another request is being carried out; try again in a minute."))
    }
}
