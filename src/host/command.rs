//! The commands that may be run: an allow-list. Nothing else can be named, and none goes through a shell.

use super::daemon::Daemon;
use std::time::Duration;

/// Where a Mac keeps the identity of its MDM.
const SYSTEM_KEYCHAIN: &str = "/Library/Keychains/System.keychain";

/// A command on the allow-list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Command {
    /// Whether the Mac is enrolled, by which way, and in which server.
    ProfilesStatus,
    /// The profiles of the computer with their payloads, the MDM's among them.
    ProfilesList,
    /// What mdmclient itself says of the Mac's management.
    ManagementStatus,
    /// The identities of the System keychain: certificates whose private keys are there too. Without `-v`, which
    /// would leave out those that are expired.
    Identities,
    /// The certificates of the System keychain.
    Certificates,
    /// When the Mac last booted and last woke.
    Awake,
    /// Whether any network interface is up.
    Network,
    /// Which macOS runs, as the kernel says.
    SystemVersion,
    /// Whether the server takes the bootstrap token and holds it.
    BootstrapToken,
    /// How much space is free on the data volume.
    DiskSpace,
    /// Where the Mac's power comes from, and the charge of its battery.
    Power,
    BootSession,
    /// launchd's job of a daemon: its pid among much else.
    Job(Daemon),
    /// launchd's job that starts mdmclient once at boot, beside the one of the daemon.
    JobAtBoot,
    /// Every process: pid, parent, uid and argv[0].
    Processes,
    /// The Mac's model, serial number and hardware UUID.
    Platform,
    ComputerName,
    /// This and the following are asked for redaction only.
    LocalHostName,
    HostName,
    /// The accounts with their full names and home folders.
    Users,
}

impl Command {
    /// The absolute path on a Mac.
    pub fn path(self) -> &'static str {
        match self {
            Self::ProfilesStatus | Self::ProfilesList | Self::BootstrapToken => "/usr/bin/profiles",
            Self::ManagementStatus => "/usr/libexec/mdmclient",
            Self::Identities | Self::Certificates => "/usr/bin/security",
            Self::Awake | Self::BootSession | Self::SystemVersion => "/usr/sbin/sysctl",
            Self::Job(_) | Self::JobAtBoot => "/bin/launchctl",
            Self::Network => "/usr/sbin/scutil",
            Self::DiskSpace => "/bin/df",
            Self::Power => "/usr/bin/pmset",
            Self::Processes => "/bin/ps",
            Self::Platform => "/usr/sbin/ioreg",
            Self::ComputerName | Self::LocalHostName | Self::HostName => "/usr/sbin/scutil",
            Self::Users => "/usr/bin/dscacheutil",
        }
    }

    /// The arguments, as a list.
    pub fn arguments(self) -> &'static [&'static str] {
        match self {
            Self::ProfilesStatus => &["status", "-type", "enrollment"],
            Self::ProfilesList => &["-C", "-o", "stdout-xml"],
            Self::ManagementStatus => &["DumpManagementStatus"],
            Self::Identities => &["find-identity", SYSTEM_KEYCHAIN],
            Self::Certificates => &["find-certificate", "-a", "-p", SYSTEM_KEYCHAIN],
            Self::Awake => &["-n", "kern.boottime", "kern.waketime"],
            Self::Network => &["--nwi"],
            // In kilobytes, a line a volume.
            Self::DiskSpace => &["-k", "-P", "/System/Volumes/Data"],
            Self::Power => &["-g", "batt"],
            Self::SystemVersion => &["-n", "kern.osproductversion", "kern.osversion"],
            Self::BootstrapToken => &["status", "-type", "bootstraptoken"],
            // Made anew by the kernel at each boot, and untouched when the clock is set, as kern.boottime is not.
            Self::BootSession => &["-n", "kern.bootsessionuuid"],
            Self::Job(Daemon::Mdmclient) => &["print", "system/com.apple.mdmclient.daemon"],
            Self::Job(Daemon::Softwareupdated) => &["print", "system/com.apple.softwareupdated"],
            Self::JobAtBoot => &["print", "system/com.apple.mdmclient.daemon.runatboot"],
            // One -o each: in `-o pid=,uid=` all behind the first equals sign would be pid's heading.
            Self::Processes => &["-axww", "-o", "pid=", "-o", "ppid=", "-o", "uid=", "-o", "comm="],
            Self::Platform => &["-rd1", "-c", "IOPlatformExpertDevice"],
            Self::ComputerName => &["--get", "ComputerName"],
            Self::LocalHostName => &["--get", "LocalHostName"],
            Self::HostName => &["--get", "HostName"],
            Self::Users => &["-q", "user"],
        }
    }

    /// Its name in a capture folder: `commands/NAME.out`.
    pub fn name(self) -> &'static str {
        match self {
            Self::ProfilesStatus => "profiles-status",
            Self::ProfilesList => "profiles-list",
            Self::ManagementStatus => "management-status",
            Self::Identities => "identities",
            Self::Certificates => "certificates",
            Self::Awake => "awake",
            Self::Network => "network",
            Self::DiskSpace => "disk-space",
            Self::Power => "power",
            Self::SystemVersion => "system-version",
            Self::BootstrapToken => "bootstrap-token",
            Self::BootSession => "boot-session",
            Self::Job(Daemon::Mdmclient) => "job-mdmclient",
            Self::Job(Daemon::Softwareupdated) => "job-softwareupdated",
            Self::JobAtBoot => "job-mdmclient-at-boot",
            Self::Processes => "processes",
            Self::Platform => "platform",
            Self::ComputerName => "computer-name",
            Self::LocalHostName => "local-host-name",
            Self::HostName => "host-name",
            Self::Users => "users",
        }
    }

    /// How long it may take before it is killed.
    pub fn limit(self) -> Duration {
        match self {
            // Asked again and again while a restart is under way, which must end soon.
            Self::BootSession | Self::Job(_) | Self::JobAtBoot | Self::Processes => Duration::from_secs(2),
            _ => Duration::from_secs(10),
        }
    }

    /// How many bytes it may print.
    pub fn output_cap(self) -> usize {
        4 << 20
    }
}
