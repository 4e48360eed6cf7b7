//! The evidence for a restart: read for it and not before, and only from records that name the user who wrote them.

use super::limits::{self, Refusal};
use super::request::Request;
use crate::collect::Collector;
use crate::health::Findings;
use crate::host::Daemon;
use crate::vocabulary::Time;
use crate::vocabulary::codes::HealRefusal;
use std::sync::Arc;
use std::time::Duration;

/// Findings that a restart may rest on.
pub struct Proof(Arc<Findings>);

impl Proof {
    /// Reads the Mac.
    pub fn read(collector: &Arc<Collector>, timeout: Duration) -> Result<Self, Refusal> {
        collector.findings_to_act_on(timeout).map(Self).ok_or_else(|| {
            let seconds = timeout.as_secs();
            let sentence = format!("Reading this Mac took longer than {seconds} s; try again in a minute.");
            Refusal::new(HealRefusal::EvidenceStale, sentence)
        })
    }

    pub fn findings(&self) -> &Findings {
        &self.0
    }

    /// Whether it proves that a restart of that daemon is called for.
    pub fn judge(&self, daemon: Daemon, request: &Request, now: Time) -> Result<(), Refusal> {
        limits::by_evidence(daemon, request, &self.0, now)?;
        match self.unattributed() {
            0 => Ok(()),
            records => {
                let name = daemon.name();
                let sentence = format!(
                    "{name} is not restarted: {records} records of the log do not name the user who wrote them, so anybody may have."
                );
                Err(Refusal::new(HealRefusal::EvidenceUnknown, sentence))
            }
        }
    }

    /// How many records since the last success do not name the user who wrote them.
    fn unattributed(&self) -> usize {
        let (journal, success) = (&self.0.evidence.journal, self.0.verdict.last_success_at);
        let since = journal.events().chain(journal.updates()).filter(|event| Some(event.at) >= success);
        since.filter(|event| !event.attributed).count()
    }
}
