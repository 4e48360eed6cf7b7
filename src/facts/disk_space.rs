//! How much space is free on the data volume, as `df` says. What macOS could purge is not counted.

use super::{Source, from_command};
use crate::host::{Command, Host};
use crate::vocabulary::codes::{SourceName, SourceReason};
use crate::vocabulary::{Fact, Limits, Reading};
use chrono::TimeDelta;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DiskSpace {
    /// In bytes.
    pub free: u64,
}

impl Source for DiskSpace {
    const NAME: SourceName = SourceName::DiskSpace;
    /// It changes slowly, and a process is started for it.
    const LIMITS: Limits = Limits { fresh: TimeDelta::hours(3), shown: TimeDelta::hours(3) };

    fn read(host: &dyn Host) -> Reading<Self> {
        from_command(host, Command::DiskSpace, read_disk_space).into()
    }
}

/// Reads what `df -k -P /System/Volumes/Data` prints, on macOS 10.15 to 26
///
/// ```text
/// Filesystem   1024-blocks      Used Available Capacity  Mounted on
/// /dev/disk3s5   482797652 201326592 268435456    43%    /System/Volumes/Data
/// ```
pub fn read_disk_space(output: &str) -> Fact<DiskSpace> {
    let mut lines = output.lines();
    let headed = lines.next().is_some_and(|head| {
        let mut words = head.split_whitespace().skip(1);
        words.next() == Some("1024-blocks") && words.nth(1) == Some("Available")
    });
    let available = lines.next().filter(|_| headed).and_then(|line| line.split_whitespace().nth(3));
    match available.and_then(|blocks| blocks.parse::<u64>().ok()?.checked_mul(1024)) {
        Some(free) => Fact::Known(DiskSpace { free }),
        None => {
            let shown: String = output.trim().chars().take(80).collect();
            let why = format!("`df -k -P /System/Volumes/Data` printed {shown:?}, which names no available kilobytes.");
            Fact::unknown(SourceReason::NotUnderstood, why)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTPUT: &str = "Filesystem   1024-blocks      Used Available Capacity  Mounted on\n/dev/disk3s5   482797652 201326592 268435456    43%    /System/Volumes/Data\n";

    #[test]
    fn the_available_kilobytes_are_the_free_space() {
        assert_eq!(read_disk_space(OUTPUT), Fact::Known(DiskSpace { free: 268_435_456 * 1024 }));
    }

    #[test]
    fn another_output_is_unknown() {
        let head = OUTPUT.lines().next().unwrap();
        let halves = OUTPUT.replace("1024-blocks", "512-blocks");
        for output in ["", head, &halves, &OUTPUT.replace("268435456", "-5"), "df: no such file"] {
            assert_eq!(read_disk_space(output).known(), None, "{output}");
        }
    }
}
