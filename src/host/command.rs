//! The commands that may be run: an allow-list. Nothing else can be named, and none goes through a shell.

use std::time::Duration;

/// A command on the allow-list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Command {
    /// Whether the Mac is enrolled, by which way, and in which server.
    ProfilesStatus,
    /// When the Mac last booted and last woke.
    Awake,
}

impl Command {
    /// The absolute path on a Mac.
    pub fn path(self) -> &'static str {
        match self {
            Self::ProfilesStatus => "/usr/bin/profiles",
            Self::Awake => "/usr/sbin/sysctl",
        }
    }

    /// The arguments, as a list.
    pub fn arguments(self) -> &'static [&'static str] {
        match self {
            Self::ProfilesStatus => &["status", "-type", "enrollment"],
            Self::Awake => &["-n", "kern.boottime", "kern.waketime"],
        }
    }

    /// Its name in a capture folder: `commands/NAME.out`.
    pub fn name(self) -> &'static str {
        match self {
            Self::ProfilesStatus => "profiles-status",
            Self::Awake => "awake",
        }
    }

    /// How long it may take before it is killed.
    pub fn limit(self) -> Duration {
        Duration::from_secs(10)
    }

    /// How many bytes it may print.
    pub fn output_cap(self) -> usize {
        4 << 20
    }
}
