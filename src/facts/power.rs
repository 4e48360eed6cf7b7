//! Where the Mac's power comes from and how full its battery is, as `pmset -g batt` says.

use super::{Source, from_command};
use crate::host::{Command, Host};
use crate::vocabulary::codes::{SourceName, SourceReason};
use crate::vocabulary::{Fact, Limits, Reading};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Power {
    pub on_battery: bool,
    /// Of the internal battery, in percent; `None` of a Mac without one.
    pub charge: Option<u8>,
}

impl Source for Power {
    const NAME: SourceName = SourceName::Power;
    const LIMITS: Limits = Limits::HOURLY;

    fn read(host: &dyn Host) -> Reading<Self> {
        from_command(host, Command::Power, read_power).into()
    }
}

/// Reads the output, which on macOS 10.12 to 26 is
///
/// ```text
/// Now drawing from 'Battery Power'
///  -InternalBattery-0 (id=4653155)    85%; discharging; 4:30 remaining present: true
/// ```
///
/// or `'AC Power'`, without a second line on a Mac that has no battery. A UPS has lines of its own.
pub fn read_power(output: &str) -> Fact<Power> {
    let source = output.lines().next().and_then(|line| line.trim().strip_prefix("Now drawing from '"));
    let on_battery = match source.and_then(|source| source.strip_suffix('\'')) {
        Some("AC Power") => false,
        Some("Battery Power") => true,
        // `'UPS Power'` among them.
        _ => {
            let shown: String = output.trim().chars().take(80).collect();
            let why = format!("`pmset -g batt` printed {shown:?}, which names neither AC Power nor Battery Power.");
            return Fact::unknown(SourceReason::NotUnderstood, why);
        }
    };
    let battery = output.lines().find(|line| line.trim_start().starts_with("-InternalBattery"));
    let charge = battery.and_then(|line| {
        let (before, _) = line.split_once('%')?;
        before.rsplit(|letter: char| !letter.is_ascii_digit()).next()?.parse().ok().filter(|charge| *charge <= 100)
    });
    Fact::Known(Power { on_battery, charge })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_laptop_says_its_source_and_charge() {
        let output = "Now drawing from 'Battery Power'\n -InternalBattery-0 (id=4653155)\t85%; discharging; 4:30 remaining present: true\n";
        assert_eq!(read_power(output), Fact::Known(Power { on_battery: true, charge: Some(85) }));
        let plugged = output.replace("Battery Power", "AC Power").replace("\t85%", " 100%");
        assert_eq!(read_power(&plugged), Fact::Known(Power { on_battery: false, charge: Some(100) }));
    }

    #[test]
    fn a_mac_without_a_battery_has_no_charge() {
        assert_eq!(read_power("Now drawing from 'AC Power'\n"), Fact::Known(Power { on_battery: false, charge: None }));
    }

    #[test]
    fn another_output_is_unknown() {
        for output in ["", "Now drawing from 'UPS Power'", "Now drawing from", "pmset: not found"] {
            assert_eq!(read_power(output).known(), None, "{output}");
        }
        let odd = "Now drawing from 'Battery Power'\n -InternalBattery-0 (id=1)\t185%; x";
        assert_eq!(read_power(odd), Fact::Known(Power { on_battery: true, charge: None }));
    }
}
