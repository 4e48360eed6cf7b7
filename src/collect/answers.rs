//! What the Mac says beside its log. A command whose answer changes seldom is not run at each reading, and its last good
//! answer is kept where it fails; what changes with every sleep or is acted upon is asked each time.

use super::remembered::{Answer, Limits, Remembered};
use super::updates::{self, UpdateAnswers};
use super::{LEDGER, MAX_AGE, fact_status, timed};
use crate::facts::certificates::Certificate;
use crate::facts::enrollment::ProfilesStatus;
use crate::facts::identities::Identity;
use crate::facts::management_status::ManagementStatus;
use crate::facts::policy::Policy;
use crate::facts::profiles_list::ProfilesList;
use crate::facts::{awake, certificates, enrollment, identities, management_status, profiles_list, record};
use crate::health::{Evidence, StandIns};
use crate::host::Host;
use crate::journal::Journal;
use crate::log::{LogSummary, ReadOptions};
use crate::vocabulary::codes::{SourceName, SourceReason, SourceState};
use crate::vocabulary::{Fact, SourceStatus, Time};
use chrono::TimeDelta;
use std::path::Path;

/// One reading: whom to ask, for which moment.
pub struct Reading<'h> {
    /// The Mac.
    pub host: &'h dyn Host,
    /// How to read what a log leaves open.
    pub options: &'h ReadOptions,
    /// The folder that holds what mdm-health keeps.
    pub state_dir: &'h Path,
    /// What the Mac's administrator allows; `None` of a recorded Mac.
    pub policy: Option<Policy>,
    /// The moment for which a verdict is asked.
    pub now: Time,
    /// Whether somebody is about to act on it, so that no answer may be older than findings may be.
    pub to_act: bool,
}

impl Reading<'_> {
    /// How long the answer of a command serves that changes seldom.
    fn slow(&self) -> Limits {
        let most = TimeDelta::from_std(MAX_AGE).unwrap_or_default();
        if self.to_act { Limits { fresh: most, ..Limits::SLOW } } else { Limits::SLOW }
    }
}

/// The last good answers.
#[derive(Default)]
pub struct Answers {
    profiles_status: Remembered<ProfilesStatus>,
    profiles_list: Remembered<ProfilesList>,
    management_status: Remembered<ManagementStatus>,
    identities: Remembered<Vec<Identity>>,
    certificates: Remembered<Vec<Certificate>>,
    updates: UpdateAnswers,
}

impl Answers {
    /// Asks for what is missing. `summary` is what reading a recorded log came to, `sources` how reading the log went.
    pub fn evidence(
        &mut self,
        reading: &Reading<'_>,
        summary: Option<&LogSummary>,
        journal: Journal,
        mut sources: Vec<SourceStatus>,
    ) -> Evidence {
        let Reading { host, now, .. } = *reading;
        let slow = reading.slow();
        let profiles_status =
            self.profiles_status.ask(SourceName::ProfilesStatus, slow, now, || enrollment::profiles_status(host));
        let profiles_list =
            self.profiles_list.ask(SourceName::ProfilesList, slow, now, || profiles_list::profiles_list(host));
        let management_status = self
            .management_status
            .ask(SourceName::ManagementStatus, slow, now, || management_status::management_status(host));
        let identities = self.identities.ask(SourceName::Identities, slow, now, || identities::identities(host));
        let certificates =
            self.certificates.ask(SourceName::Certificates, slow, now, || certificates::certificates(host));
        let certificates_status = certificates_status(&certificates);
        let (awake_since, awake_ms) = timed(|| awake::awake_since(host));
        let (updates, update_sources, old_updates) = self.updates.ask(reading, slow, summary);
        let (restarts, restarts_ms) = timed(|| record::restarts(host, reading.state_dir));
        sources.extend([
            profiles_status.status,
            fact_status(SourceName::Awake, &awake_since, now, awake_ms),
            profiles_list.status,
            management_status.status,
            identities.status,
            certificates_status,
            fact_status(LEDGER, &restarts, now, restarts_ms),
            Policy::status(reading.policy.as_ref(), now),
        ]);
        sources.extend(update_sources);
        let oldest =
            sources.iter().filter(|source| source.state == SourceState::Ok).filter_map(|ok| ok.last_ok_at).min();
        Evidence {
            now,
            read_at: oldest.unwrap_or(now),
            journal,
            profiles_status: profiles_status.fact,
            profiles_list: profiles_list.fact,
            management_status: management_status.fact,
            identities: identities.fact,
            certificates: certificates.fact,
            awake_since,
            still_reading: false,
            updates,
            restarts,
            stand_ins: StandIns {
                profiles_status: profiles_status.stand_in,
                profiles_list: profiles_list.stand_in,
                management_status: management_status.stand_in,
                identities: identities.stand_in,
                certificates: certificates.stand_in,
                ..old_updates
            },
            sources,
        }
    }
}

/// What stands in for evidence before the first reading has ended.
pub fn nothing_yet(now: Time) -> Evidence {
    const WHY: &str = "the first reading is still under way; ask again in a moment.";
    fn unknown<T>() -> Fact<T> {
        Fact::unknown(SourceReason::Collecting, WHY)
    }
    let (updates, update_sources) = updates::nothing_yet(SourceReason::Collecting, WHY, now);
    let mut sources = vec![
        fact_status(SourceName::UnifiedLog, &unknown::<()>(), now, 0),
        fact_status(SourceName::ProfilesStatus, &unknown::<()>(), now, 0),
        fact_status(SourceName::Awake, &unknown::<()>(), now, 0),
        fact_status(SourceName::ProfilesList, &unknown::<()>(), now, 0),
        fact_status(SourceName::ManagementStatus, &unknown::<()>(), now, 0),
        fact_status(SourceName::Identities, &unknown::<()>(), now, 0),
        fact_status(SourceName::Certificates, &unknown::<()>(), now, 0),
        fact_status(LEDGER, &unknown::<()>(), now, 0),
        fact_status(SourceName::HealPolicy, &unknown::<()>(), now, 0),
    ];
    sources.extend(update_sources);
    Evidence {
        now,
        read_at: now,
        journal: Journal::empty(unknown()),
        profiles_status: unknown(),
        profiles_list: unknown(),
        management_status: unknown(),
        identities: unknown(),
        certificates: unknown(),
        awake_since: unknown(),
        still_reading: true,
        updates,
        restarts: unknown(),
        stand_ins: StandIns::default(),
        sources,
    }
}

/// Certificates that are listed but cannot be read make their source a part of what it should be.
fn certificates_status(answer: &Answer<Vec<Certificate>>) -> SourceStatus {
    let status = answer.status.clone();
    let listed = answer.fact.known().map(Vec::as_slice).unwrap_or_default();
    let unread: Vec<&String> = listed.iter().filter_map(|certificate| certificate.content.as_ref().err()).collect();
    let Some(first) = unread.first() else { return status };
    SourceStatus {
        state: SourceState::Partial,
        reason: Some(SourceReason::NotUnderstood),
        detail: Some(format!("{} of {} certificates cannot be read, the first: {first}.", unread.len(), listed.len())),
        last_ok_at: None,
        last_error_at: status.last_ok_at,
        ..status
    }
}
