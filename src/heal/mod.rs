//! Heal: from a request over the decision and the act to the record of it. The only room that changes anything on the
//! Mac, and the one way in for every front end and for the timer: [`Healer::request`].
//!
//! The request is on record before anything is looked at, the intent before the first step, each step before the next.
//! A lock on the machine lets one request work at a time; whoever holds it closes what a crash has left open.

pub mod actions;
pub mod automatic;
pub mod clock;
pub mod last_hour;
pub mod ledger;
pub mod limits;
pub mod processes;
mod proof;
pub mod request;

pub use limits::Refusal;
pub use request::{Conclusion, Request};

use crate::collect::Collector;
use crate::facts::policy::Policy;
use crate::facts::record::{self, Entry, LOCK, RecordError};
use crate::health::Findings;
use crate::host::state::StateFolder;
use crate::host::{ActError, Actor, Daemon, Host};
use crate::vocabulary::codes::{HealAction, HealOutcome, HealRefusal};
use crate::vocabulary::{Code, Time};
use actions::Restart;
use chrono::TimeDelta;
use clock::{Clock, Moment};
use last_hour::LastHour;
use ledger::{Ledger, LedgerError, Timer};
use processes::Processes;
use proof::Proof;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

impl From<LedgerError> for Refusal {
    fn from(error: LedgerError) -> Self {
        Self::new(error.reason(), format!("{error}."))
    }
}

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

    /// Carries a request out and gives its number in the record; else says why not. A refused request is on record too,
    /// unless there is no record to be had.
    pub fn request(&self, request: &Request) -> Result<i64, Refusal> {
        self.answer(request, None)
    }

    /// Refuses a request that cannot be understood, on record.
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

    /// What changes something, if it may.
    fn may_act(&self) -> Result<&Actor, ActError> {
        let actor = self.actor.as_ref().ok_or(ActError::Recorded)?;
        actor.may_act(self.collector.state_dir())?;
        Ok(actor)
    }

    fn answer(&self, request: &Request, objection: Option<Refusal>) -> Result<i64, Refusal> {
        let answer = self.on_record(request, objection);
        self.collector.refresh_restarts();
        let (id, conclusion) = answer?;
        match conclusion.outcome {
            HealOutcome::Done | HealOutcome::DryRun => Ok(id),
            other => Err(conclusion.refusal.unwrap_or_else(|| Refusal::new(other, conclusion.detail))),
        }
    }

    fn on_record(&self, request: &Request, objection: Option<Refusal>) -> Result<(i64, Conclusion), Refusal> {
        let actor = self.may_act().map_err(|error| Refusal::from_actor(&error))?;
        let (host, state_dir) = (self.collector.host(), self.collector.state_dir());
        let folder = StateFolder::make(state_dir).map_err(LedgerError::from)?;
        let mut ledger = Ledger::open(&folder)?;
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
        // Nobody else is at work, so whatever is open was left so by a crash.
        ledger.close_interrupted()?;
        let (id, asked) = ledger.open_request(request, None, &clock)?;
        let mut work = Work { healer: self, host, actor, clock, ledger, policy: self.policy() };
        let conclusion = match action {
            HealAction::Heal => work.heal(id, request)?,
            HealAction::RestartMdmclient => work.restart(id, Daemon::Mdmclient, request, asked, None)?,
            HealAction::RestartSoftwareupdated => work.restart(id, Daemon::Softwareupdated, request, asked, None)?,
        };
        work.finish(id, &conclusion)?;
        Ok((id, conclusion))
    }
}

/// What is asked for, if it is the request's turn.
fn understand(request: &Request, turn: bool) -> Result<HealAction, Refusal> {
    let Some(action) = HealAction::from_word(&request.action) else {
        let names = HealAction::ALL.iter().map(|action| action.word()).collect::<Vec<_>>().join(", ");
        return Err(Refusal::new(HealRefusal::UnknownAction, format!("The action is none of {names}.")));
    };
    if turn {
        Ok(action)
    } else {
        Err(Refusal::new(HealRefusal::Busy, "Another request is being worked on; ask again in a minute."))
    }
}

/// One request at work. An error of its functions means that the record cannot be kept.
struct Work<'h> {
    healer: &'h Healer,
    host: &'h dyn Host,
    actor: &'h Actor,
    clock: Clock<'h>,
    ledger: Ledger,
    policy: Policy,
}

impl Work<'_> {
    /// Restarts what is stuck. Each restart is a request of its own on record, with all the limits of one.
    fn heal(&mut self, id: i64, request: &Request) -> Result<Conclusion, Refusal> {
        let (stuck, proof) = match self.stuck(request) {
            Ok(stuck) => stuck,
            Err(refusal) => return Ok(refusal.into()),
        };
        let mut whole = Conclusion::new(HealOutcome::Refused, String::new());
        for daemon in stuck {
            let action = HealAction::of(daemon).word();
            let reason = format!("heal {id}: {}", request.reason.as_deref().unwrap_or_default());
            let part = Request { action: action.to_owned(), reason: Some(reason), ..request.clone() };
            let (part_id, asked) = self.ledger.open_request(&part, Some(id), &self.clock)?;
            let conclusion = self.restart(part_id, daemon, &part, asked, Some(&proof))?;
            self.finish(part_id, &conclusion)?;
            whole.outcome = together(whole.outcome, conclusion.outcome);
            whole.next_allowed_at = [whole.next_allowed_at, conclusion.next_allowed_at].into_iter().flatten().min();
            let _ =
                write!(whole.detail, "{action} (id {part_id}) {}: {} ", conclusion.outcome.word(), conclusion.detail);
        }
        Ok(whole)
    }

    /// The daemons that are stuck, in the order in which to restart them: a stuck softwareupdated holds mdmclient up.
    fn stuck(&self, request: &Request) -> Result<(Vec<Daemon>, Arc<Proof>), Refusal> {
        limits::by_policy(HealAction::Heal, request, &self.policy)?;
        if request.force {
            let sentence = "`force` does not work with `heal`; use restart_mdmclient or restart_softwareupdated.";
            return Err(Refusal::new(HealRefusal::ForceNamesNoDaemon, sentence));
        }
        if let Some(known) = self.healer.collector.findings_at_hand() {
            limits::by_known(Daemon::Mdmclient, &known).or(limits::by_known(Daemon::Softwareupdated, &known))?;
        }
        let proof = Arc::new(Proof::read(&self.healer.collector, self.healer.timeout)?);
        let now = self.now()?;
        let judge = |daemon| proof.judge(daemon, request, now);
        let stuck = match (judge(Daemon::Softwareupdated), judge(Daemon::Mdmclient)) {
            (Ok(()), Ok(())) => vec![Daemon::Softwareupdated, Daemon::Mdmclient],
            (Ok(()), Err(_)) => vec![Daemon::Softwareupdated],
            (Err(_), Ok(())) => vec![Daemon::Mdmclient],
            // That one of them is not stuck says nothing of the other.
            (Err(updates), Err(client)) => {
                return Err(if client.code == HealRefusal::NotStuck.into() { updates } else { client });
            }
        };
        Ok((stuck, proof))
    }

    /// Restarts a daemon, if all limits agree. `proof` is what was read for it already.
    fn restart(
        &mut self,
        id: i64,
        daemon: Daemon,
        request: &Request,
        asked: Moment,
        proof: Option<&Arc<Proof>>,
    ) -> Result<Conclusion, Refusal> {
        let Decision { processes, proof, last_hour } = match self.decide(daemon, request, asked, proof) {
            Ok(decision) => decision,
            Err(refusal) => return Ok(refusal.into()),
        };
        let pid_before = processes.only();
        if request.dry_run {
            let detail = format!("{} would be restarted now; this was a dry run.", daemon.name());
            return Ok(Conclusion { pid_before, ..Conclusion::new(HealOutcome::DryRun, detail) });
        }
        let (action, policy, host) = (HealAction::of(daemon), &self.policy, self.host);
        let allowed = |last, now| limits::by_time(action, policy, last, now);
        let begun = match self.ledger.intend(id, action.word(), &self.clock, pid_before, allowed)? {
            Ok(begun) => begun,
            Err(refusal) => return Ok(refusal.into()),
        };
        let (ledger, clock) = (&mut self.ledger, &self.clock);
        // Reading takes seconds, in which an installation may begin or the client wake up.
        let still_allowed = || {
            let now = clock.wall().map_err(LedgerError::from)?;
            let since = last_hour.look_again(host, now);
            proof.map_or(Ok(()), |proof| limits::by_success(daemon, proof.findings(), &since))?;
            limits::by_installation(daemon, request, &since)
        };
        let restart = Restart { host, actor: self.actor, daemon, before: &processes };
        match restart.run(|step| ledger.step(id, &step), still_allowed)? {
            Ok(conclusion) => {
                Ok(Conclusion { next_allowed_at: begun.wall.checked_add_signed(policy.limit()), ..conclusion })
            }
            Err(refusal) => {
                ledger.withdraw(id)?;
                Ok(refusal.into())
            }
        }
    }

    fn finish(&mut self, id: i64, conclusion: &Conclusion) -> Result<(), Refusal> {
        let now = self.now()?;
        Ok(self.ledger.finish(id, conclusion, now)?)
    }

    fn now(&self) -> Result<Time, Refusal> {
        self.clock.wall().map_err(|error| LedgerError::from(error).into())
    }

    /// Asks the limits, the cheap ones first.
    fn decide(
        &self,
        daemon: Daemon,
        request: &Request,
        asked: Moment,
        proof: Option<&Arc<Proof>>,
    ) -> Result<Decision, Refusal> {
        let (action, host) = (HealAction::of(daemon), self.host);
        limits::by_policy(action, request, &self.policy)?;
        limits::by_time(action, &self.policy, self.ledger.last_begun(action.word())?, asked)?;
        let proof = match proof {
            _ if request.force => None,
            Some(proof) => Some(proof.clone()),
            None => {
                self.healer.collector.findings_at_hand().map_or(Ok(()), |known| limits::by_known(daemon, &known))?;
                Some(Arc::new(Proof::read(&self.healer.collector, self.healer.timeout)?))
            }
        };
        if let Some(proof) = &proof {
            proof.judge(daemon, request, self.now()?)?;
        }
        let last_hour = LastHour::look(host, self.now()?);
        if let Some(proof) = &proof {
            limits::by_success(daemon, proof.findings(), &last_hour)?;
        }
        limits::by_installation(daemon, request, &last_hour)?;
        let processes = Processes::find(host, daemon).map_err(|error| Refusal::from_host(&error))?;
        Ok(Decision { processes, proof, last_hour })
    }
}

/// What a restart rests on.
struct Decision {
    processes: Processes,
    /// `None` with force.
    proof: Option<Arc<Proof>>,
    last_hour: LastHour,
}

/// The outcome of two restarts together.
fn together(one: HealOutcome, other: HealOutcome) -> HealOutcome {
    [HealOutcome::Failed, HealOutcome::Unconfirmed, HealOutcome::Done, HealOutcome::DryRun, HealOutcome::Refused]
        .into_iter()
        .find(|outcome| [one, other].contains(outcome))
        .unwrap_or(HealOutcome::Refused)
}
