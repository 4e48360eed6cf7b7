//! What the evidence means: pure rules over events, facts and a clock value.

pub mod commands;
pub mod contact;
pub mod copied;
pub mod enrollment;
mod evidence;
pub mod exchanges;
pub mod identity;
mod identity_search;
pub mod kept_out;
pub mod updates;
mod usual_gap;
pub mod watchdog;
pub mod window;

use crate::event::Event;
use crate::event::update::UpdateLog;
use commands::MdmCommand;
use copied::Copied;
use enrollment::Enrollment;
pub use evidence::{Evidence, Expected};
use exchanges::Exchange;
use identity::MdmIdentity;
use updates::Update;
use updates::enforcement::{self, Enforcement};
use updates::stuck::{LogView, SoftwareUpdates};
use updates::timeline::{self, TimelineEntry};
use watchdog::Verdict;

/// What the evidence means. Everything later than `evidence.now` is left out.
#[derive(Debug, Clone)]
pub struct Findings {
    /// What was read, without old values in the place of those that could not be read now.
    pub evidence: Evidence,
    /// The MDM commands, in the order in which the log first names them.
    pub commands: Vec<MdmCommand>,
    /// The HTTP requests, in the order in which they were sent.
    pub exchanges: Vec<Exchange>,
    /// Whether the Mac is enrolled, in what and how.
    pub enrollment: Enrollment,
    /// Whether the enrollment was copied from another Mac.
    pub copied: Copied,
    /// The MDM's identity and the other candidates.
    pub identity: MdmIdentity,
    /// The OS updates.
    pub updates: Vec<Update>,
    /// What happened around them, in order.
    pub update_timeline: Vec<TimelineEntry>,
    /// The updates that DDM enforces.
    pub enforcements: Vec<Enforcement>,
    /// Whether the MDM client is healthy.
    pub verdict: Verdict,
}

impl Findings {
    /// Applies the rules. The verdict rests only on what was read now: nothing is restarted because of something that
    /// was true an hour ago, and no Mac looks healthy because of it. The tables also show last good values of sources
    /// that fail now.
    pub fn new(evidence: Evidence) -> Self {
        let shown = evidence.with_last_good().map(Self::judged);
        let proven = Self::judged(evidence);
        match shown {
            None => proven,
            Some(shown) => {
                let verdict = proven.verdict.or_still_ok(&shown.verdict);
                Self { verdict, evidence: proven.evidence, ..shown }
            }
        }
    }

    fn judged(evidence: Evidence) -> Self {
        let now = evidence.now;
        let events: Vec<&Event> = evidence.journal.events().filter(|event| event.at <= now).collect();
        let commands = commands::assemble(&events);
        let exchanges = exchanges::pair(&events);
        let enrollment = enrollment::decide(&evidence);
        let identity = identity_search::find(&evidence, &enrollment);
        let copied = copied::find(&evidence, &enrollment, &identity);
        let installs = evidence.install_log.known().into_iter().flatten();
        let installs = installs.map(AsRef::as_ref).filter(|event: &&Event| event.at <= now);
        let updates = evidence.journal.updates().filter(|event| event.at <= now);
        let mut update_timeline = timeline::timeline(updates.chain(installs));
        let enforcements = enforcement::judge(&update_timeline, &evidence, now);
        let log = events.iter().copied();
        let updates = updates::assemble(log, &mut update_timeline, &evidence, &enforcements, now);
        let trusted: Vec<TimelineEntry> =
            update_timeline.iter().filter(|entry| entry.log == UpdateLog::Unified).cloned().collect();
        let trusted_enforcements = enforcement::judge(&trusted, &evidence, now);
        let software = SoftwareUpdates {
            all: LogView { timeline: &update_timeline, enforcements: &enforcements },
            trusted: LogView { timeline: &trusted, enforcements: &trusted_enforcements },
        };
        let found = watchdog::FoundEnrollment { enrollment: &enrollment, identity: &identity, copied: &copied };
        let verdict = watchdog::judge(&evidence, &found, &events, &commands, &exchanges, &software);
        Self {
            commands,
            exchanges,
            enrollment,
            copied,
            identity,
            updates,
            update_timeline,
            enforcements,
            verdict,
            evidence,
        }
    }
}
