//! What the tables show of heal: its record and its policy. Only looks, and makes nothing that is not there.

use super::entries::Entry;
use super::ledger::{Ledger, LedgerError};
use super::policy::Policy;
use crate::Time;
use crate::facts::Fact;
use crate::facts::restarts::Restarts;
use crate::health::{SourceState, SourceStatus};
use crate::host::state::StateFolder;
use crate::host::{Host, HostError};
use std::path::Path;

/// What mdm-health restarted on this Mac. A recorded Mac's is not this machine's.
pub fn restarts(host: &dyn Host, state_dir: &Path) -> Fact<Restarts> {
    if !host.is_live() {
        return HostError::NotLive.into();
    }
    match find(state_dir).and_then(|ledger| ledger.map_or_else(|| Ok(Restarts::NONE), |ledger| ledger.restarts())) {
        Ok(restarts) => Fact::Known(restarts),
        Err(error) => Fact::unknown(error.code(), format!("{error}.")),
    }
}

/// Every request on record.
pub fn entries(host: &dyn Host, state_dir: &Path) -> Result<Vec<Entry>, LedgerError> {
    if !host.is_live() {
        return Ok(Vec::new());
    }
    find(state_dir)?.map_or_else(|| Ok(Vec::new()), |ledger| ledger.entries())
}

fn find(state_dir: &Path) -> Result<Option<Ledger>, LedgerError> {
    StateFolder::find(state_dir)?.map_or(Ok(None), |folder| Ledger::find(&folder))
}

/// How far to trust the policy, and what it says. A recorded Mac has none.
pub fn policy(policy: Option<&Policy>, now: Time) -> SourceStatus {
    let status = |state, reason, detail| SourceStatus {
        source: "heal_policy",
        state,
        reason,
        detail: Some(detail),
        last_ok_at: (state == SourceState::Ok).then_some(now),
        last_error_at: (state == SourceState::Error).then_some(now),
        covers: None,
        counts: None,
        duration_ms: None,
    };
    let Some(policy) = policy else {
        return status(SourceState::Unavailable, Some("not_captured"), format!("{}.", HostError::NotLive));
    };
    if policy.errors.is_empty() {
        status(SourceState::Ok, None, policy.to_string())
    } else {
        status(SourceState::Error, Some("bad_policy"), format!("{} {policy}", policy.errors.join(" ")))
    }
}
