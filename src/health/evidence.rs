//! The evidence: all that was read of a Mac. The list at the end of this file is the only list of sources.

use crate::event::Event;
use crate::facts::ade_record::AdeRecord;
use crate::facts::awake::BootAndWake;
use crate::facts::bootstrap_token::BootstrapToken;
use crate::facts::certificates::Certificate;
use crate::facts::ddm_state::DdmState;
use crate::facts::declarations::Declarations;
use crate::facts::disk_space::DiskSpace;
use crate::facts::enrollment::ProfilesStatus;
use crate::facts::filevault_key::FileVaultKey;
use crate::facts::hosts_file::HostsFile;
use crate::facts::identities::Identity;
use crate::facts::management_status::ManagementStatus;
use crate::facts::network::Network;
use crate::facts::platform::Platform;
use crate::facts::power::Power;
use crate::facts::profiles_list::ProfilesList;
use crate::facts::restarts::Restarts;
use crate::facts::software_update_preferences::SoftwareUpdatePreferences;
use crate::facts::system_setup::SystemSetup;
use crate::facts::system_version::SystemVersion;
use crate::facts::zone::Zone;
use crate::facts::{Ask, Source};
use crate::journal::awake::AwakeSpans;
use crate::journal::{Journal, VerdictSpan};
use crate::vocabulary::codes::{SourceName, SourceReason, SourceState};
use crate::vocabulary::{Fact, Observed, SourceStatus, Time};
use std::sync::Arc;

/// What the policy expects of the enrollment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Expected {
    pub server_url: Option<String>,
    pub topic: Option<String>,
}

/// Makes `Evidence` from the list of sources, with the code that handles each of them. A source in the first part knows
/// how to read itself ([`Source`]). Those in the second part are read by `collect`; the source's name follows its type.
macro_rules! evidence {
    (
        asked: { $($(#[$asked_doc:meta])* $asked:ident: $Asked:ty,)* }
        read_by_collect: { $($(#[$read_doc:meta])* $read:ident: $Read:ty = $name:ident,)* }
    ) => {
        /// All that was read, and how that went.
        #[derive(Debug, Clone)]
        pub struct Evidence {
            /// The moment for which a verdict is asked.
            pub now: Time,
            /// What the unified log said.
            pub journal: Journal,
            /// When the Mac was awake, at least.
            pub awake: Fact<AwakeSpans>,
            /// Whether the log of the last day is still being read.
            pub still_reading: bool,
            /// Which verdicts there were before this one.
            pub history: Vec<VerdictSpan>,
            /// The Mac's time zone.
            pub zone: Zone,
            /// When the set of installed profiles last changed, as far as the journal saw.
            pub profiles_changed_at: Option<Time>,
            /// The server and the push topic that the policy expects.
            pub expected: Expected,
            /// How reading went for the sources that have no [`Observed`] below: the unified log, what mdmclient wrote
            /// in it, the journal, the time zone, the policy.
            pub other_sources: Vec<SourceStatus>,
            $($(#[$asked_doc])* pub $asked: Observed<$Asked>,)*
            $($(#[$read_doc])* pub $read: Observed<$Read>,)*
        }

        impl Evidence {
            /// Before anything was read.
            pub fn unread(now: Time) -> Self {
                let other_sources = [SourceName::UnifiedLog, SourceName::MdmclientRecords, SourceName::HealPolicy, SourceName::TimeZone];
                Self {
                    now,
                    journal: Journal::empty(Fact::unknown(UNREAD, WHY_UNREAD)),
                    awake: Fact::unknown(UNREAD, WHY_UNREAD),
                    still_reading: false,
                    history: Vec::new(),
                    zone: Zone::Unknown,
                    profiles_changed_at: None,
                    expected: Expected::default(),
                    other_sources: other_sources.map(|name| Observed::<()>::unread(name, UNREAD, WHY_UNREAD, now).status).into(),
                    $($asked: Observed::unread(<$Asked as Source>::NAME, UNREAD, WHY_UNREAD, now),)*
                    $($read: Observed::unread(SourceName::$name, UNREAD, WHY_UNREAD, now),)*
                }
            }

            /// The sources that are read by asking each of them.
            pub fn asked(&mut self) -> Vec<&mut dyn Ask> {
                vec![$(&mut self.$asked),*]
            }

            /// How reading each source went, in the order of the rows of `mdm_health_status`.
            pub fn sources(&self) -> Vec<&SourceStatus> {
                let mut sources: Vec<&SourceStatus> = self.other_sources.iter().collect();
                sources.extend([$(&self.$asked.status,)* $(&self.$read.status,)*]);
                sources.sort_by_key(|status| status.source);
                sources
            }

            /// The same evidence, with last good values for sources that cannot be read now; `None` if there is no such
            /// value.
            pub fn with_last_good(&self) -> Option<Self> {
                let mut shown = self.clone();
                let used = [$(shown.$asked.use_last_good(),)* $(shown.$read.use_last_good(),)*];
                used.contains(&true).then_some(shown)
            }
        }
    };
}

const UNREAD: SourceReason = SourceReason::Collecting;
const WHY_UNREAD: &str = "The first reading is still under way; ask again in a moment.";

impl Evidence {
    /// When the oldest of the values now in use was read.
    pub fn read_at(&self) -> Time {
        let sources = self.sources();
        let used = sources.iter().filter(|source| source.state == SourceState::Ok);
        used.filter_map(|source| source.last_ok_at).min().unwrap_or(self.now)
    }

    /// Whether the Mac is known to have no network connection now.
    pub fn offline(&self) -> bool {
        self.network.known() == Some(&Network::Offline)
    }

    /// Replaces the status of a source that has no [`Observed`].
    pub fn set_other_source(&mut self, status: SourceStatus) {
        match self.other_sources.iter_mut().find(|old| old.source == status.source) {
            Some(old) => *old = status,
            None => self.other_sources.push(status),
        }
    }
}

evidence! {
    asked: {
        /// Whether the Mac is enrolled, as `profiles status` says.
        profiles_status: ProfilesStatus,
        /// The profile that enrolled it.
        profiles_list: ProfilesList,
        /// What mdmclient says of the Mac's management.
        management_status: ManagementStatus,
        /// Whether the MDM server holds the bootstrap token.
        bootstrap_token: BootstrapToken,
        /// Whether Apple has assigned the Mac to an MDM server.
        ade_record: AdeRecord,
        /// The hosts that a file gives an address.
        hosts_file: HostsFile,
        /// When the Mac was set up.
        system_setup: SystemSetup,
        /// When the FileVault key was written for the server.
        filevault_key: FileVaultKey,
        /// The identities of the System keychain.
        identities: Vec<Identity>,
        /// The certificates of the System keychain.
        certificates: Vec<Certificate>,
        /// When the Mac last booted and woke.
        boot_and_wake: BootAndWake,
        /// Whether the Mac has a network connection now.
        network: Network,
        preferences: SoftwareUpdatePreferences,
        /// What softwareupdated keeps of declarative management.
        ddm_state: DdmState,
        /// How much space is free on the data volume.
        disk_space: DiskSpace,
        /// The Mac's power source and charge.
        power: Power,
        /// Which macOS runs.
        system_version: SystemVersion,
        /// Which Mac this is.
        platform: Platform,
        /// The declarations that remotemanagementd holds.
        declarations: Declarations,
    }
    read_by_collect: {
        /// What install.log says.
        install_log: Vec<Arc<Event>> = InstallLog,
        /// What mdm-health itself restarted.
        restarts: Restarts = HealLedger,
    }
}
