//! The commands that may be run: an allow-list. Nothing else can be named, and none goes through a shell.

use std::time::Duration;

/// A command on the allow-list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Command {
    /// Whether the Mac is enrolled, by which way, and in which server.
    ProfilesStatus,
    /// When the Mac last booted and last woke.
    Awake,
    /// Which boot this is.
    BootSession,
    /// Every process: pid, parent, uid and image path.
    Processes,
}

impl Command {
    /// The absolute path on a Mac.
    pub fn path(self) -> &'static str {
        match self {
            Self::ProfilesStatus => "/usr/bin/profiles",
            Self::Awake | Self::BootSession => "/usr/sbin/sysctl",
            Self::Processes => "/bin/ps",
        }
    }

    /// The arguments, as a list.
    pub fn arguments(self) -> &'static [&'static str] {
        match self {
            Self::ProfilesStatus => &["status", "-type", "enrollment"],
            Self::Awake => &["-n", "kern.boottime", "kern.waketime"],
            // Made anew by the kernel at each boot, and untouched when the clock is set, as kern.boottime is not.
            Self::BootSession => &["-n", "kern.bootsessionuuid"],
            // One -o each: in `-o pid=,uid=` all behind the first equals sign would be pid's heading.
            Self::Processes => &["-axww", "-o", "pid=", "-o", "ppid=", "-o", "uid=", "-o", "comm="],
        }
    }

    /// Its name in a capture folder: `commands/NAME.out`.
    pub fn name(self) -> &'static str {
        match self {
            Self::ProfilesStatus => "profiles-status",
            Self::Awake => "awake",
            Self::BootSession => "boot-session",
            Self::Processes => "processes",
        }
    }

    /// How long it may take before it is killed.
    pub fn limit(self) -> Duration {
        match self {
            // Asked again and again while a restart is under way, which must end soon.
            Self::BootSession | Self::Processes => Duration::from_secs(2),
            Self::ProfilesStatus | Self::Awake => Duration::from_secs(10),
        }
    }

    /// How many bytes it may print.
    pub fn output_cap(self) -> usize {
        4 << 20
    }
}
