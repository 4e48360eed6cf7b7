//! The commands that change something: an allow-list of its own, apart from those that only look. Only
//! [`crate::heal`] uses them.

use std::time::Duration;

/// A daemon that may be restarted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Daemon {
    /// Apple's MDM client: the daemon that serves the device channel, not the agents of the users.
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

    fn service(self) -> &'static str {
        match self {
            Self::Mdmclient => "system/com.apple.mdmclient.daemon",
            Self::Softwareupdated => "system/com.apple.softwareupdated",
        }
    }
}

/// A command that changes something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// Empties the cache of names.
    FlushNames,
    /// Has mDNSResponder read everything anew.
    ReloadNames,
    /// Ends the update brain; softwareupdated starts it when it needs it.
    EndUpdateBrain,
    /// Has launchd end the daemon and start it.
    Kickstart(Daemon),
    /// Asks the process with exactly this pid to end.
    Terminate(u32),
}

impl Act {
    /// The absolute path on a Mac.
    pub fn path(self) -> &'static str {
        match self {
            Self::FlushNames => "/usr/bin/dscacheutil",
            Self::ReloadNames => "/usr/bin/killall",
            Self::EndUpdateBrain => "/usr/bin/pkill",
            Self::Kickstart(_) => "/bin/launchctl",
            Self::Terminate(_) => "/bin/kill",
        }
    }

    /// The arguments, as a list.
    pub fn arguments(self) -> Vec<String> {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        match self {
            Self::FlushNames => words(&["-flushcache"]),
            Self::ReloadNames => words(&["-HUP", "mDNSResponder"]),
            Self::EndUpdateBrain => words(&["BrainService"]),
            Self::Kickstart(daemon) => words(&["kickstart", "-k", daemon.service()]),
            Self::Terminate(pid) => words(&["-TERM", &pid.to_string()]),
        }
    }

    /// How long it may take before it is stopped. launchd gives a daemon 5 seconds to end before it kills it.
    pub fn limit(self) -> Duration {
        Duration::from_secs(if matches!(self, Self::Kickstart(_)) { 10 } else { 2 })
    }

    /// Its name and arguments as a person would type them.
    pub fn line(self) -> String {
        let name = self.path().rsplit('/').next().unwrap_or_default();
        format!("{name} {}", self.arguments().join(" "))
    }
}
