//! Since when the Mac has been awake, as `sysctl -n kern.boottime kern.waketime` says.

use super::from_command;
use crate::host::{Command, Host};
use crate::vocabulary::codes::SourceReason;
use crate::vocabulary::{Fact, Time};
use chrono::DateTime;

/// Asks the Mac.
pub fn awake_since(host: &dyn Host) -> Fact<Time> {
    from_command(host, Command::Awake, read_awake)
}

/// Reads the output: a line for the boot, then one for the last wake, whose seconds are 0 if the Mac never slept:
///
/// ```text
/// { sec = 1763900000, usec = 123456 } Sun Nov 23 12:13:20 2025
/// { sec = 0, usec = 0 } Thu Jan  1 00:00:00 1970
/// ```
///
/// The answer is the later of the two.
pub fn read_awake(output: &str) -> Fact<Time> {
    let mut times = output.lines().filter(|line| !line.trim().is_empty()).map(seconds);
    match (times.next(), times.next(), times.next()) {
        (Some(Some(boot)), Some(Some(wake)), None) if boot > 0 => match DateTime::from_timestamp(boot.max(wake), 0) {
            Some(time) => Fact::Known(time),
            None => not_understood(output),
        },
        _ => not_understood(output),
    }
}

fn seconds(line: &str) -> Option<i64> {
    let (seconds, _) = line.trim().strip_prefix("{ sec = ")?.split_once(',')?;
    seconds.trim().parse().ok()
}

fn not_understood(output: &str) -> Fact<Time> {
    let shown: String = output.trim().chars().take(80).collect();
    Fact::unknown(
        SourceReason::NotUnderstood,
        format!("`sysctl kern.boottime kern.waketime` printed {shown:?}, not two times."),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(output: &str) -> Option<i64> {
        read_awake(output).known().map(|time| time.timestamp())
    }

    #[test]
    fn the_later_of_boot_and_wake_counts() {
        let boot = "{ sec = 1763900000, usec = 123456 } Sun Nov 23 12:13:20 2025\n";
        assert_eq!(
            known(&format!("{boot}{{ sec = 1763903600, usec = 1 }} Sun Nov 23 13:13:20 2025\n")),
            Some(1763903600)
        );
        assert_eq!(known(&format!("{boot}{{ sec = 0, usec = 0 }} Thu Jan  1 00:00:00 1970\n")), Some(1763900000));
    }

    #[test]
    fn one_line_or_none_or_nonsense_is_unknown() {
        for output in ["", "{ sec = 1763900000, usec = 1 } Sun", "x\ny", "{ sec = 0, usec = 0 }\n{ sec = 0, usec = 0 }"]
        {
            assert_eq!(known(output), None, "{output}");
        }
    }
}
