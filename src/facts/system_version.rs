//! Which macOS runs: one answer for all that compares versions.
//!
//! A program that was linked with an SDK before 26 may be given another `SystemVersion.plist`, in which 26.6.2 is 16.6.2.
//! `.SystemVersionPlatform.plist` beside it is the same for every program, and so is what the kernel says to sysctl.

use super::{Source, from_command, from_file};
use crate::host::{Command, Host};
use crate::property_list::{get, text};
use crate::vocabulary::codes::{SourceName, SourceReason};
use crate::vocabulary::{Fact, Flaw, Limits, Reading};

pub const PLATFORM: &str = "/System/Library/CoreServices/.SystemVersionPlatform.plist";
pub const PATH: &str = "/System/Library/CoreServices/SystemVersion.plist";

/// The output of `sw_vers` in a sysdiagnose.
const SW_VERS: &str = "sw_vers.txt";

/// The system that runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SystemVersion {
    /// Such as `15.6.1`.
    pub version: String,
    /// Such as `24G90`.
    pub build: Option<String>,
}

impl SystemVersion {
    /// The first number of the version.
    pub fn major(&self) -> Option<u32> {
        self.version.split('.').next()?.parse().ok()
    }

    /// Whether it is what macOS shows to programs that are too old for its real version: there is no macOS 16, and 10.16
    /// was 11.
    fn is_for_old_programs(&self) -> bool {
        self.version == "16" || self.version.starts_with("16.") || self.version.starts_with("10.16")
    }

    fn differs(&self, other: &Self) -> bool {
        let builds = self.build.as_ref().zip(other.build.as_ref());
        self.version != other.version || builds.is_some_and(|(one, other)| one != other)
    }

    fn words(&self) -> String {
        match &self.build {
            Some(build) => format!("{} ({build})", self.version),
            None => self.version.clone(),
        }
    }
}

impl Source for SystemVersion {
    const NAME: SourceName = SourceName::SystemVersion;
    const LIMITS: Limits = Limits::STEADY;

    fn read(host: &dyn Host) -> Reading<Self> {
        let sw_vers = host.sysdiagnose_file(SW_VERS).map(|output| output.map_or_else(Fact::from, in_sw_vers));
        let (path, file) = match (sw_vers, in_file(host, PLATFORM)) {
            (Some(sw_vers), _) => (SW_VERS, sw_vers),
            (None, Fact::Known(version)) => (PLATFORM, Fact::Known(version)),
            (None, Fact::Unknown { .. }) => (PATH, in_file(host, PATH)),
        };
        let kernel = from_command(host, Command::SystemVersion, in_kernel);
        let recorded = host.recorded_version().map(|(version, build)| Self { version, build });
        decide(path, file, kernel, recorded)
    }
}

/// The answer and what is wrong with it. `recorded` is what a capture says by itself.
fn decide(
    path: &str,
    file: Fact<SystemVersion>,
    kernel: Fact<SystemVersion>,
    recorded: Option<SystemVersion>,
) -> Reading<SystemVersion> {
    let reading = |value, flaw| Reading { flaw, ..Fact::Known(value).into() };
    match (file, kernel) {
        (Fact::Known(file), Fact::Known(kernel)) if file.differs(&kernel) => {
            let (one, other) = (file.words(), kernel.words());
            let used = if path == PLATFORM { file } else { kernel };
            let why = format!("{path} says {one} and the kernel says {other}; {} is used.", used.version);
            reading(used, Some(Flaw { reason: SourceReason::VersionsDiffer, why }))
        }
        (Fact::Known(file), kernel) if !file.is_for_old_programs() => reading(file, unread(kernel)),
        (Fact::Unknown { reason, why }, Fact::Known(kernel)) => {
            let flaw = Flaw { reason, why: format!("{why} The kernel's version is used.") };
            reading(kernel, Some(flaw).filter(|flaw| flaw.reason != SourceReason::NotCaptured))
        }
        (file, _) => match (file, recorded.filter(|recorded| !recorded.is_for_old_programs())) {
            (Fact::Known(_) | Fact::Unknown { reason: SourceReason::NotCaptured, .. }, Some(recorded)) => {
                Fact::Known(recorded).into()
            }
            (Fact::Known(file), None) => Fact::unknown(
                SourceReason::NotUnderstood,
                format!("{path} says {}, which macOS shows to old programs instead of its real version.", file.words()),
            )
            .into(),
            (unknown, _) => unknown.into(),
        },
    }
}

/// Why the file could not be compared. An older capture does not hold what the kernel said, and lacks nothing by that.
fn unread(kernel: Fact<SystemVersion>) -> Option<Flaw> {
    match kernel {
        Fact::Known(_) | Fact::Unknown { reason: SourceReason::NotCaptured, .. } => None,
        Fact::Unknown { reason, why } => {
            Some(Flaw { reason, why: format!("The version in the file was not compared with the kernel's: {why}") })
        }
    }
}

fn in_file(host: &dyn Host, path: &str) -> Fact<SystemVersion> {
    let read = |root: &plist::Dictionary| {
        let version = get(root, "ProductVersion", text)?;
        Some(SystemVersion { version, build: get(root, "ProductBuildVersion", text) })
    };
    match from_file(host, path, read) {
        Fact::Known(Some(version)) => Fact::Known(version),
        Fact::Known(None) => Fact::unknown(SourceReason::NotUnderstood, format!("{path} names no ProductVersion.")),
        Fact::Unknown { reason, why } => Fact::Unknown { reason, why },
    }
}

/// Reads what `sysctl -n kern.osproductversion kern.osversion` prints: `26.6.2`, then `25G83`.
fn in_kernel(output: &str) -> Fact<SystemVersion> {
    let mut lines = output.lines().map(str::trim).filter(|line| !line.is_empty());
    let is_version = |word: &&str| word.len() < 20 && word.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let is_build = |word: &&str| word.len() < 20 && word.bytes().all(|byte| byte.is_ascii_alphanumeric());
    match (lines.next().filter(is_version), lines.next().filter(is_build), lines.next()) {
        (Some(version), Some(build), None) => {
            Fact::Known(SystemVersion { version: version.to_owned(), build: Some(build.to_owned()) })
        }
        _ => {
            let shown: String = output.trim().chars().take(80).collect();
            let why =
                format!("`sysctl -n kern.osproductversion kern.osversion` printed {shown:?}, which is no version.");
            Fact::unknown(SourceReason::NotUnderstood, why)
        }
    }
}

/// Reads what `sw_vers` prints: `ProductName:\t\tmacOS`, `ProductVersion:\t\t15.6.1`, `BuildVersion:\t\t24G90`.
fn in_sw_vers(output: Vec<u8>) -> Fact<SystemVersion> {
    let output = String::from_utf8_lossy(&output);
    let value = |key: &str| {
        let line = output.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
        line.map(str::trim).filter(|value| !value.is_empty()).map(str::to_owned)
    };
    match value("ProductVersion") {
        Some(version) => Fact::Known(SystemVersion { version, build: value("BuildVersion") }),
        None => Fact::unknown(SourceReason::NotUnderstood, format!("{SW_VERS} names no ProductVersion.")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(version: &str, build: &str) -> SystemVersion {
        SystemVersion { version: version.to_owned(), build: Some(build.to_owned()) }
    }

    fn missing() -> Fact<SystemVersion> {
        Fact::unknown(SourceReason::NotCaptured, "not kept.")
    }

    fn answer(reading: &Reading<SystemVersion>) -> (Option<&str>, Option<SourceReason>) {
        let reason = reading.flaw.as_ref().map(|flaw| flaw.reason).or(match &reading.value {
            Fact::Unknown { reason, .. } => Some(*reason),
            Fact::Known(_) => None,
        });
        (reading.value.known().map(|version| version.version.as_str()), reason)
    }

    #[test]
    fn the_platform_file_comes_first_and_a_kernel_that_says_otherwise_is_named() {
        let one = decide(PLATFORM, Fact::Known(of("26.6.2", "25G83")), Fact::Known(of("26.6.2", "25G83")), None);
        assert_eq!(answer(&one), (Some("26.6.2"), None));
        let other = decide(PLATFORM, Fact::Known(of("26.6.2", "25G83")), Fact::Known(of("26.6.1", "25G71")), None);
        assert_eq!(answer(&other), (Some("26.6.2"), Some(SourceReason::VersionsDiffer)));
        let why = other.flaw.unwrap().why;
        assert!(why.contains("26.6.2 (25G83) and the kernel says 26.6.1 (25G71)"), "{why}");
    }

    #[test]
    fn the_kernel_is_believed_where_the_other_file_says_16() {
        let reading = decide(PATH, Fact::Known(of("16.6.2", "25G83")), Fact::Known(of("26.6.2", "25G83")), None);
        assert_eq!(answer(&reading), (Some("26.6.2"), Some(SourceReason::VersionsDiffer)));
    }

    #[test]
    fn a_16_that_nothing_corrects_is_unknown() {
        let reading = decide(PATH, Fact::Known(of("16.6.2", "25G83")), missing(), None);
        assert_eq!(answer(&reading), (None, Some(SourceReason::NotUnderstood)));
        let reading = decide(PATH, Fact::Known(of("16.6.2", "25G83")), missing(), Some(of("16.6.2", "25G83")));
        assert_eq!(answer(&reading), (None, Some(SourceReason::NotUnderstood)));
    }

    #[test]
    fn a_capture_speaks_for_itself_only_where_no_file_was_kept() {
        let recorded = || Some(of("26.6.2", "25G83"));
        assert_eq!(answer(&decide(PATH, missing(), missing(), recorded())), (Some("26.6.2"), None));
        assert_eq!(
            answer(&decide(PATH, Fact::Known(of("16.6.2", "25G83")), missing(), recorded())),
            (Some("26.6.2"), None)
        );
        assert_eq!(
            answer(&decide(PATH, Fact::Known(of("15.6", "24G84")), missing(), recorded())),
            (Some("15.6"), None)
        );
        let damaged = Fact::unknown(SourceReason::NotUnderstood, "it is no property list.");
        assert_eq!(answer(&decide(PATH, damaged, missing(), recorded())), (None, Some(SourceReason::NotUnderstood)));
    }

    #[test]
    fn a_kernel_that_does_not_answer_leaves_the_file_and_says_so() {
        let silent = || Fact::unknown(SourceReason::TimedOut, "sysctl hung.");
        let reading = decide(PLATFORM, Fact::Known(of("26.6.2", "25G83")), silent(), None);
        assert_eq!(answer(&reading), (Some("26.6.2"), Some(SourceReason::TimedOut)));
    }

    #[test]
    fn what_the_kernel_prints() {
        assert_eq!(in_kernel("26.6.2\n25G83\n").known(), Some(&of("26.6.2", "25G83")));
        for output in ["", "26.6.2\n", "sysctl: unknown oid", "26.6.2\n25G83\nmore\n", "{ sec = 1 }\n{ sec = 0 }\n"] {
            assert_eq!(in_kernel(output).known(), None, "{output}");
        }
    }
}
