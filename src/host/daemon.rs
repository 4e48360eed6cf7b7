//! The daemons that heal may restart.

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

    /// The user it runs as, where that tells it from another process of the same program: users have an mdmclient of
    /// their own as an agent. softwareupdated runs once, as `_softwareupdate` (200) or as root.
    pub fn uid(self) -> Option<u32> {
        match self {
            Self::Mdmclient => Some(0),
            Self::Softwareupdated => None,
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
