//! One request that is carried out: the limits, the intent on record, the restart, and what came of it.

use super::actions::Restart;
use super::clock::{Clock, Moment};
use super::last_hour::LastHour;
use super::ledger::{Ledger, LedgerError};
use super::limits::{self, Refusal};
use super::processes::Processes;
use super::proof::Proof;
use super::request::{Conclusion, Request};
use crate::collect::Collector;
use crate::facts::policy::Policy;
use crate::host::{Actor, Daemon, Host};
use crate::vocabulary::Time;
use crate::vocabulary::codes::{HealAction, HealOutcome, HealRefusal};
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

impl From<LedgerError> for Refusal {
    fn from(error: LedgerError) -> Self {
        Self::new(error.reason(), format!("{error}."))
    }
}

/// What a request needs while it is carried out. An error of its functions means that the record cannot be kept.
pub struct Work<'h> {
    pub collector: &'h Arc<Collector>,
    /// How long to wait for evidence.
    pub timeout: Duration,
    pub host: &'h dyn Host,
    pub actor: &'h Actor,
    pub clock: Clock<'h>,
    pub ledger: Ledger,
    pub policy: Policy,
}

impl Work<'_> {
    /// Restarts what is stuck. Each restart is a request of its own in the record, with all the limits of one.
    pub fn heal(&mut self, id: i64, request: &Request) -> Result<Conclusion, Refusal> {
        let (stuck, proof) = match self.stuck(request) {
            Ok(stuck) => stuck,
            // A request to a whole fleet would otherwise fail on each healthy Mac.
            Err(refusal) if refusal.code == HealRefusal::NotStuck.into() => {
                let detail = format!("Nothing is stuck: {}", refusal.sentence);
                return Ok(Conclusion::new(HealOutcome::NothingToDo, detail));
            }
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

    /// The stuck daemons, in the order in which to restart them: a stuck softwareupdated blocks mdmclient.
    fn stuck(&self, request: &Request) -> Result<(Vec<Daemon>, Arc<Proof>), Refusal> {
        limits::by_policy(HealAction::Heal, request, &self.policy)?;
        if request.force {
            let sentence = "`force` does not work with `heal`; use restart_mdmclient or restart_softwareupdated.";
            return Err(Refusal::new(HealRefusal::ForceNamesNoDaemon, sentence));
        }
        if let Some(known) = self.collector.findings_at_hand() {
            limits::by_known(Daemon::Mdmclient, &known).or(limits::by_known(Daemon::Softwareupdated, &known))?;
        }
        let proof = Arc::new(Proof::read(self.collector, self.timeout)?);
        let now = self.now()?;
        let judge = |daemon| proof.judge(daemon, request, now);
        let stuck = match (judge(Daemon::Softwareupdated), judge(Daemon::Mdmclient)) {
            (Ok(()), Ok(())) => vec![Daemon::Softwareupdated, Daemon::Mdmclient],
            (Ok(()), Err(_)) => vec![Daemon::Softwareupdated],
            (Err(_), Ok(())) => vec![Daemon::Mdmclient],
            // If one daemon is not stuck, that says nothing about the other.
            (Err(updates), Err(client)) => {
                return Err(if client.code == HealRefusal::NotStuck.into() { updates } else { client });
            }
        };
        Ok((stuck, proof))
    }

    /// Restarts a daemon, if all limits agree. `proof` is what was read for it already.
    pub fn restart(
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

    pub fn finish(&mut self, id: i64, conclusion: &Conclusion) -> Result<(), Refusal> {
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
                self.collector.findings_at_hand().map_or(Ok(()), |known| limits::by_known(daemon, &known))?;
                Some(Arc::new(Proof::read(self.collector, self.timeout)?))
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
