//! What the tables show of heal: its record and its policy. Only looks, and makes nothing that is not there.

use super::entries::Entry;
use super::ledger::{Ledger, LedgerError};
use super::policy::Policy;
use crate::facts::restarts::Restarts;
use crate::host::state::StateFolder;
use crate::host::{Host, HostError};
use crate::vocabulary::codes::{SourceName, SourceReason, SourceState};
use crate::vocabulary::{Fact, SourceStatus, Time};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// mdm-health's record as a capture carries it.
#[derive(Debug, Serialize, Deserialize)]
pub struct Record {
    /// What the watchdog's table shows.
    pub restarts: Restarts,
    /// Every request.
    pub requests: Vec<Entry>,
}

/// The record of a live Mac, or what a capture holds of one.
pub fn record(host: &dyn Host, state_dir: &Path) -> Result<Record, LedgerError> {
    Ok(Record { restarts: known_restarts(host, state_dir)?, requests: entries(host, state_dir)? })
}

/// What mdm-health restarted on this Mac.
pub fn restarts(host: &dyn Host, state_dir: &Path) -> Fact<Restarts> {
    match known_restarts(host, state_dir) {
        Ok(restarts) => Fact::Known(restarts),
        Err(error) => Fact::unknown(error.reason(), format!("{error}.")),
    }
}

fn known_restarts(host: &dyn Host, state_dir: &Path) -> Result<Restarts, LedgerError> {
    read(host, state_dir, Restarts::NONE, Ledger::restarts, |record| record.restarts)
}

/// Every request on record.
pub fn entries(host: &dyn Host, state_dir: &Path) -> Result<Vec<Entry>, LedgerError> {
    read(host, state_dir, Vec::new(), Ledger::entries, |record| record.requests)
}

/// Reads a part of the record. A live Mac without one was never asked for anything; a capture that lacks it says nothing.
fn read<T>(
    host: &dyn Host,
    state_dir: &Path,
    none: T,
    live: impl FnOnce(&Ledger) -> Result<T, LedgerError>,
    recorded: impl FnOnce(Record) -> T,
) -> Result<T, LedgerError> {
    if host.is_live() {
        return find(state_dir)?.map_or(Ok(none), |ledger| live(&ledger));
    }
    let bytes = host.recorded_restarts().map_err(LedgerError::Recorded)?;
    serde_json::from_slice(&bytes).map(recorded).map_err(LedgerError::BadRecord)
}

fn find(state_dir: &Path) -> Result<Option<Ledger>, LedgerError> {
    StateFolder::find(state_dir)?.map_or(Ok(None), |folder| Ledger::find(&folder))
}

/// How far to trust the policy, and what it says. A recorded Mac has none.
pub fn policy(policy: Option<&Policy>, now: Time) -> SourceStatus {
    let status = |state, reason, detail| SourceStatus {
        source: SourceName::HealPolicy,
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
        return status(SourceState::Unavailable, Some(SourceReason::NotCaptured), format!("{}.", HostError::NotLive));
    };
    if policy.errors.is_empty() {
        status(SourceState::Ok, None, policy.to_string())
    } else {
        status(SourceState::Error, Some(SourceReason::BadPolicy), format!("{} {policy}", policy.errors.join(" ")))
    }
}
