//! What it means: pure rules over events, facts and a clock value.

pub mod commands;
pub mod contact;
pub mod enrollment;
pub mod exchanges;
pub mod identity;
mod identity_search;
pub mod updates;
mod usual_gap;
pub mod watchdog;
pub mod window;

use crate::event::Event;
use crate::event::update::UpdateLog;
use crate::facts::certificates::Certificate;
use crate::facts::ddm_state::DdmState;
use crate::facts::enrollment::ProfilesStatus;
use crate::facts::identities::Identity;
use crate::facts::management_status::ManagementStatus;
use crate::facts::profiles_list::ProfilesList;
use crate::facts::restarts::Restarts;
use crate::facts::software_update_preferences::SoftwareUpdatePreferences;
use crate::facts::system_version::SystemVersion;
use crate::facts::zone::Zone;
use crate::journal::Journal;
use crate::journal::awake::AwakeSpans;
use crate::vocabulary::codes::SourceReason;
use crate::vocabulary::{Fact, SourceStatus, Span, Time};
use commands::Command;
use enrollment::Enrollment;
use exchanges::Exchange;
use identity::MdmIdentity;
use std::sync::Arc;
use updates::Update;
use updates::enforcement::{self, Enforcement};
use updates::stuck::{SoftwareUpdates, Told};
use updates::timeline::{self, Entry};
use watchdog::Verdict;

/// All that was read: what the tables rest on.
#[derive(Debug, Clone)]
pub struct Evidence {
    /// The moment for which a verdict is asked.
    pub now: Time,
    /// When the oldest of the answers below was had; those that stand in for others apart.
    pub read_at: Time,
    /// What the log said.
    pub journal: Journal,
    /// What `profiles status` says.
    pub profiles_status: Fact<ProfilesStatus>,
    /// What the list of profiles says.
    pub profiles_list: Fact<ProfilesList>,
    /// What mdmclient says of the Mac's management.
    pub management_status: Fact<ManagementStatus>,
    /// The identities of the System keychain.
    pub identities: Fact<Vec<Identity>>,
    /// The certificates of the System keychain.
    pub certificates: Fact<Vec<Certificate>>,
    /// Since when the Mac has been awake.
    pub awake_since: Fact<Time>,
    /// Whether the log of the last day is still being read.
    pub still_reading: bool,
    /// What is known of OS updates beside the unified log.
    pub updates: UpdateEvidence,
    /// What mdm-health itself restarted.
    pub restarts: Fact<Restarts>,
    /// Older answers, where there is none now.
    pub stand_ins: StandIns,
    /// How reading went, one entry a source.
    pub sources: Vec<SourceStatus>,
}

/// The last good answers of sources that could not be read this time. The tables show them; a verdict does not rest on
/// them, so that nothing is restarted for what was true an hour ago, and no Mac looks healthy for it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StandIns {
    /// What `profiles status` said.
    pub profiles_status: Option<ProfilesStatus>,
    /// What the list of profiles said.
    pub profiles_list: Option<ProfilesList>,
    /// What mdmclient said of the Mac's management.
    pub management_status: Option<ManagementStatus>,
    /// The identities of the System keychain.
    pub identities: Option<Vec<Identity>>,
    /// The certificates of the System keychain.
    pub certificates: Option<Vec<Certificate>>,
    /// What install.log said.
    pub install_log: Option<Vec<Arc<Event>>>,
    /// What softwareupdated's preferences said.
    pub preferences: Option<SoftwareUpdatePreferences>,
    /// What softwareupdated kept of declarative management.
    pub ddm_state: Option<DdmState>,
    /// Which macOS ran.
    pub system_version: Option<SystemVersion>,
}

impl Evidence {
    /// When the Mac was awake, at least.
    pub fn awake(&self) -> Fact<AwakeSpans> {
        let since = self.awake_since.clone();
        since.map(|from| AwakeSpans::new(vec![Span { from, to: self.now }]))
    }

    /// Whether the Mac is known to have no network connection now.
    pub fn offline(&self) -> bool {
        false
    }

    /// The same with older answers where there are none now; `None` if none stands in.
    pub fn with_stand_ins(&self) -> Option<Self> {
        (self.stand_ins != StandIns::default()).then(|| {
            let (mut shown, old) = (self.clone(), self.stand_ins.clone());
            stand_in(&mut shown.profiles_status, old.profiles_status);
            stand_in(&mut shown.profiles_list, old.profiles_list);
            stand_in(&mut shown.management_status, old.management_status);
            stand_in(&mut shown.identities, old.identities);
            stand_in(&mut shown.certificates, old.certificates);
            stand_in(&mut shown.updates.install_log, old.install_log);
            stand_in(&mut shown.updates.preferences, old.preferences);
            stand_in(&mut shown.updates.ddm_state, old.ddm_state);
            stand_in(&mut shown.updates.system_version, old.system_version);
            shown
        })
    }
}

fn stand_in<T>(fact: &mut Fact<T>, old: Option<T>) {
    if let Some(old) = old {
        *fact = Fact::Known(old);
    }
}

/// What is known of OS updates beside the unified log.
#[derive(Debug, Clone)]
pub struct UpdateEvidence {
    /// What install.log says.
    pub install_log: Fact<Vec<Arc<Event>>>,
    /// What softwareupdated's preferences say.
    pub preferences: Fact<SoftwareUpdatePreferences>,
    /// What softwareupdated keeps of declarative management.
    pub ddm_state: Fact<DdmState>,
    /// Which macOS runs.
    pub system_version: Fact<SystemVersion>,
    /// The Mac's time zone.
    pub zone: Zone,
}

impl UpdateEvidence {
    /// Nothing is known, for that reason.
    pub fn unknown(reason: SourceReason, why: &str) -> Self {
        Self {
            install_log: Fact::unknown(reason, why),
            preferences: Fact::unknown(reason, why),
            ddm_state: Fact::unknown(reason, why),
            system_version: Fact::unknown(reason, why),
            zone: Zone::Unknown,
        }
    }
}

/// What the evidence means. Everything later than `evidence.now` is left out.
#[derive(Debug, Clone)]
pub struct Findings {
    /// What was read, without the answers that stand in for others.
    pub evidence: Evidence,
    /// The MDM commands, in the order in which the log first names them.
    pub commands: Vec<Command>,
    /// The HTTP requests, in the order in which they were sent.
    pub exchanges: Vec<Exchange>,
    /// Whether the Mac is enrolled, in what and how.
    pub enrollment: Enrollment,
    /// The MDM's identity and the other candidates.
    pub identity: MdmIdentity,
    /// The OS updates.
    pub updates: Vec<Update>,
    /// What happened around them, in order.
    pub update_timeline: Vec<Entry>,
    /// The updates that DDM enforces.
    pub enforcements: Vec<Enforcement>,
    /// Whether the MDM client is healthy.
    pub verdict: Verdict,
}

impl Findings {
    /// Applies the rules: for the verdict to what was read, for the rest to older answers too.
    pub fn new(evidence: Evidence) -> Self {
        let shown = evidence.with_stand_ins().map(Self::judged);
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
        let installs = evidence.updates.install_log.known().into_iter().flatten();
        let installs = installs.map(AsRef::as_ref).filter(|event: &&Event| event.at <= now);
        let updates = evidence.journal.updates().filter(|event| event.at <= now);
        let mut update_timeline = timeline::timeline(updates.chain(installs));
        let enforcements = enforcement::judge(&update_timeline, &evidence.updates, now);
        let log = events.iter().copied();
        let updates = updates::assemble(log, &mut update_timeline, &evidence.updates, &enforcements, now);
        let trusted: Vec<Entry> =
            update_timeline.iter().filter(|entry| entry.log == UpdateLog::Unified).cloned().collect();
        let trusted_enforcements = enforcement::judge(&trusted, &evidence.updates, now);
        let software = SoftwareUpdates {
            all: Told { timeline: &update_timeline, enforcements: &enforcements },
            trusted: Told { timeline: &trusted, enforcements: &trusted_enforcements },
        };
        let verdict = watchdog::judge(&evidence, &enrollment, &identity, &events, &commands, &exchanges, &software);
        Self { commands, exchanges, enrollment, identity, updates, update_timeline, enforcements, verdict, evidence }
    }
}
