//! Reads a Mac once: for captures, and for hosts that do not change.

use super::install_log::Follower;
use super::sources::{Asking, milliseconds};
use super::whole_log::WholeLog;
use super::{awake, cost};
use crate::facts::policy::Policy;
use crate::health::Evidence;
use crate::host::capture::RecordedVerdict;
use crate::host::state::StateFolder;
use crate::host::{AwakeTimes, Host};
use crate::journal::VerdictSpan;
use crate::journal::store::{self, JournalGlance};
use crate::log::ReadOptions;
use crate::vocabulary::codes::{WatchdogReason, WatchdogState};
use crate::vocabulary::{Code, Freshness, SourceStatus, Span};
use chrono::{TimeDelta, Utc};
use std::path::Path;
use std::time::Instant;

/// How far back a log is read by a program that keeps no journal: as far as a capture goes.
const SPAN: TimeDelta = TimeDelta::hours(24);

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
    let read = log.summary.as_ref().and_then(|summary| summary.first.zip(summary.last));
    evidence.set_other_source(log.talk.status(read.map(|(from, to)| Span { from, to }), now));
    evidence.journal = log.journal;
    let booted_at = log.booted_at;
    let policy = host.is_live().then(|| Policy::read(host));
    let asking = Asking { host, options, state_dir, policy, now, freshness: Freshness::Usual };
    asking.read(&mut evidence, &mut Follower::default(), log.summary.as_ref());
    let JournalGlance { samples, history, .. } = journal(host, &evidence, state_dir);
    awake::find(&mut evidence, host, &samples, booted_at);
    evidence.history = if host.is_live() { history } else { recorded_history(host) };
    evidence
}

/// What the journal of a live Mac knows, for a program that does not write to it. A journal that is not a file of ours
/// alone is ignored.
fn journal(host: &dyn Host, evidence: &Evidence, state_dir: &Path) -> JournalGlance {
    let mac = evidence.platform.known().and_then(|platform| platform.hardware_uuid.as_deref());
    let folder = StateFolder::find(state_dir).ok().flatten().filter(|_| host.is_live());
    let path = folder.and_then(|folder| folder.file("journal.db").ok().flatten());
    path.map_or_else(JournalGlance::default, |path| store::glance(&path, mac, evidence.now))
}

/// What the extension and other processes cost a live Mac in the last day; `None` without a journal.
pub fn cost_so_far(host: &dyn Host, evidence: &Evidence, state_dir: &Path) -> Option<SourceStatus> {
    journal(host, evidence, state_dir).readings.map(|day| cost::status(day, evidence.now))
}

/// The verdicts that a capture holds; one with words of another version is left out.
fn recorded_history(host: &dyn Host) -> Vec<VerdictSpan> {
    let span = |one: &RecordedVerdict| {
        let (state, reason) = (WatchdogState::from_word(&one.state)?, WatchdogReason::from_word(&one.reason)?);
        Some(VerdictSpan { state, reason, from: one.from, to: one.to })
    };
    host.recorded_history().iter().filter_map(span).collect()
}

/// The verdicts that a capture is to hold.
pub fn history_to_record(evidence: &Evidence) -> Vec<RecordedVerdict> {
    let word = |span: &VerdictSpan| RecordedVerdict {
        state: span.state.word().to_owned(),
        reason: span.reason.word().to_owned(),
        from: span.from,
        to: span.to,
    };
    evidence.history.iter().map(word).collect()
}

/// What a capture is to say of when the Mac was awake, beyond what the pieces of the capture say.
pub fn awake_to_record(host: &dyn Host, evidence: &Evidence, state_dir: &Path) -> Vec<AwakeTimes> {
    if journal(host, evidence, state_dir).samples.is_empty() {
        host.recorded_awake().to_vec()
    } else {
        awake::to_record(&evidence.awake)
    }
}
