//! When the Mac last booted and woke, as `sysctl -n kern.boottime kern.waketime` says.

use super::{Source, from_command};
use crate::host::{Command, Host};
use crate::vocabulary::codes::{SourceName, SourceReason};
use crate::vocabulary::{Fact, Limits, Reading, Time};
use chrono::DateTime;

/// The last boot and the last wake. The kernel sets the time of the wake at dark wakes too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BootAndWake {
    pub booted_at: Time,
    /// `None` if the Mac did not sleep since it booted.
    pub woke_at: Option<Time>,
}

impl BootAndWake {
    /// Since when the Mac has not slept.
    pub fn running_since(&self) -> Time {
        self.woke_at.map_or(self.booted_at, |woke_at| woke_at.max(self.booted_at))
    }
}

impl Source for BootAndWake {
    const NAME: SourceName = SourceName::Awake;
    const LIMITS: Limits = Limits::VOLATILE;

    fn read(host: &dyn Host) -> Reading<Self> {
        from_command(host, Command::Awake, read_boot_and_wake).into()
    }
}

/// Reads the output: a line for the boot, then one for the last wake, whose seconds are 0 if the Mac did not sleep:
///
/// ```text
/// { sec = 1763900000, usec = 123456 } Sun Nov 23 12:13:20 2025
/// { sec = 0, usec = 0 } Thu Jan  1 00:00:00 1970
/// ```
pub fn read_boot_and_wake(output: &str) -> Fact<BootAndWake> {
    let mut times = output.lines().filter(|line| !line.trim().is_empty()).map(seconds);
    match (times.next(), times.next(), times.next()) {
        (Some(Some(boot @ 1..)), Some(Some(wake)), None) => {
            let woke_at = (wake != 0).then(|| DateTime::from_timestamp(wake, 0));
            match (DateTime::from_timestamp(boot, 0), woke_at) {
                (Some(booted_at), None) => Fact::Known(BootAndWake { booted_at, woke_at: None }),
                (Some(booted_at), Some(Some(woke_at))) => {
                    Fact::Known(BootAndWake { booted_at, woke_at: Some(woke_at) })
                }
                _ => not_understood(output),
            }
        }
        _ => not_understood(output),
    }
}

fn seconds(line: &str) -> Option<i64> {
    let (seconds, _) = line.trim().strip_prefix("{ sec = ")?.split_once(',')?;
    seconds.trim().parse().ok()
}

fn not_understood(output: &str) -> Fact<BootAndWake> {
    let shown: String = output.trim().chars().take(80).collect();
    Fact::unknown(
        SourceReason::NotUnderstood,
        format!("`sysctl -n kern.boottime kern.waketime` printed {shown:?}, not two times."),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOOT: &str = "{ sec = 1763900000, usec = 123456 } Sun Nov 23 12:13:20 2025\n";

    fn running_since(output: &str) -> Option<i64> {
        read_boot_and_wake(output).known().map(|times| times.running_since().timestamp())
    }

    #[test]
    fn the_mac_has_not_slept_since_the_later_of_boot_and_wake() {
        let wake = "{ sec = 1763903600, usec = 1 } Sun Nov 23 13:13:20 2025\n";
        assert_eq!(running_since(&format!("{BOOT}{wake}")), Some(1763903600));
        let never = "{ sec = 0, usec = 0 } Thu Jan  1 00:00:00 1970\n";
        assert_eq!(running_since(&format!("{BOOT}{never}")), Some(1763900000));
        let before_the_boot = "{ sec = 1763800000, usec = 0 } Sat Nov 22 08:26:40 2025\n";
        assert_eq!(running_since(&format!("{BOOT}{before_the_boot}")), Some(1763900000));
    }

    #[test]
    fn one_line_or_none_or_nonsense_is_unknown() {
        for output in ["", "{ sec = 1763900000, usec = 1 } Sun", "x\ny", "{ sec = 0, usec = 0 }\n{ sec = 0, usec = 0 }"]
        {
            assert_eq!(running_since(output), None, "{output}");
        }
    }
}
