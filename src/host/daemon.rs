//! The daemons that heal may restart.

/// The first uid that is not a system account's.
const FIRST_PERSON: u32 = 500;

/// A daemon that heal may restart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Daemon {
    /// Apple's MDM client: the daemon of the device channel, not the agents of users.
    Mdmclient,
    /// Apple's software update daemon.
    Softwareupdated,
}

impl Daemon {
    /// Its name for people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mdmclient => "mdmclient",
            Self::Softwareupdated => "softwareupdated",
        }
    }

    /// The full path of its program.
    pub fn image(self) -> &'static str {
        match self {
            Self::Mdmclient => "/usr/libexec/mdmclient",
            Self::Softwareupdated => {
                "/System/Library/CoreServices/Software Update.app/Contents/Resources/softwareupdated"
            }
        }
    }

    /// Whether it may run as that user. Users have an mdmclient of their own as an agent; softwareupdated runs as
    /// `_softwareupdate` (200) or as root, and people have uids from 500 on.
    pub fn may_run_as(self, uid: u32) -> bool {
        match self {
            Self::Mdmclient => uid == 0,
            Self::Softwareupdated => uid < FIRST_PERSON,
        }
    }

    /// launchd's name for it.
    pub fn service(self) -> &'static str {
        match self {
            Self::Mdmclient => "system/com.apple.mdmclient.daemon",
            Self::Softwareupdated => "system/com.apple.softwareupdated",
        }
    }
}
