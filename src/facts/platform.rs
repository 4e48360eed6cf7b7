//! Which Mac this is: its name, model, serial number and hardware UUID.

use super::{Source, from_command};
use crate::host::{Command, Host};
use crate::vocabulary::codes::{SourceName, SourceReason};
use crate::vocabulary::{Fact, Flaw, Limits, Reading};

/// The longest name that is taken for one.
const LONGEST: usize = 255;

/// A value that a Mac does not have is `None`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Platform {
    /// As in System Settings: `Grace's MacBook Pro`.
    pub computer_name: Option<String>,
    /// `MacBookPro18,3`.
    pub model: Option<String>,
    pub serial_number: Option<String>,
    /// In capital letters. Another one means another Mac, whatever else was copied.
    pub hardware_uuid: Option<String>,
}

impl Source for Platform {
    const NAME: SourceName = SourceName::Platform;
    const LIMITS: Limits = Limits::STEADY;

    fn read(host: &dyn Host) -> Reading<Self> {
        let mut platform = match from_command(host, Command::Platform, read_platform) {
            Fact::Known(platform) => platform,
            unknown @ Fact::Unknown { .. } => return unknown.into(),
        };
        let flaw = match host.run(Command::ComputerName) {
            Ok(output) if output.code == Some(0) => {
                platform.computer_name = name(&String::from_utf8_lossy(&output.stdout));
                let why = || "`scutil --get ComputerName` printed something other than a name.".to_owned();
                platform.computer_name.is_none().then(|| Flaw { reason: SourceReason::NotUnderstood, why: why() })
            }
            // `ComputerName: not set`.
            Ok(_) => None,
            Err(error) => Some(Flaw { reason: error.reason(), why: format!("{error}.") }),
        };
        Reading { flaw, ..Fact::Known(platform).into() }
    }
}

/// The Mac's hardware UUID alone.
pub fn hardware_uuid(host: &dyn Host) -> Option<String> {
    from_command(host, Command::Platform, read_platform).known().and_then(|platform| platform.hardware_uuid.clone())
}

/// Reads what `ioreg -rd1 -c IOPlatformExpertDevice` prints, which has among much else
///
/// ```text
/// +-o J314sAP  <class IOPlatformExpertDevice, id 0x100000227, registered, matched, active, busy 0 (9203 ms), retain 40>
///     {
///       "IOPlatformSerialNumber" = "C02ZK1ABMD6T"
///       "model" = <"MacBookPro18,3">
///       "IOPlatformUUID" = "7D1F0A52-0C6B-4E55-8F0B-3A4C5D6E7F80"
///     }
/// ```
pub fn read_platform(output: &str) -> Fact<Platform> {
    let mut platform = Platform::default();
    for line in output.lines() {
        match line.split('"').collect::<Vec<_>>().as_slice() {
            [_, "IOPlatformSerialNumber", _, value, ..] => platform.serial_number = name(value),
            [_, "IOPlatformUUID", _, value, ..] if is_uuid(value) => {
                platform.hardware_uuid = Some(value.to_ascii_uppercase());
            }
            [_, "model", _, value, ..] => platform.model = name(value),
            _ => {}
        }
    }
    if platform.hardware_uuid.is_none() && platform.serial_number.is_none() {
        let why = "`ioreg -rd1 -c IOPlatformExpertDevice` named neither a serial number nor a hardware UUID.";
        return Fact::unknown(SourceReason::NotUnderstood, why);
    }
    Fact::Known(platform)
}

fn name(text: &str) -> Option<String> {
    let text = text.trim();
    let is_one = !text.is_empty() && text.len() <= LONGEST && !text.chars().any(char::is_control);
    is_one.then(|| text.to_owned())
}

pub(super) fn is_uuid(text: &str) -> bool {
    text.split('-').map(str::len).eq([8, 4, 4, 4, 12])
        && text.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTPUT: &str = r#"+-o J314sAP  <class IOPlatformExpertDevice, id 0x100000227, registered, matched, active, busy 0 (9203 ms), retain 40>
    {
      "manufacturer" = <"Apple Inc.">
      "IOPlatformSerialNumber" = "C02ZK1ABMD6T"
      "model" = <"MacBookPro18,3">
      "model-number" = <4d4b3138334c4c2f41>
      "IOPlatformUUID" = "7d1f0a52-0c6b-4e55-8f0b-3a4c5d6e7f80"
    }
"#;

    #[test]
    fn a_mac_says_what_it_is() {
        let platform = Platform {
            computer_name: None,
            model: Some("MacBookPro18,3".to_owned()),
            serial_number: Some("C02ZK1ABMD6T".to_owned()),
            hardware_uuid: Some("7D1F0A52-0C6B-4E55-8F0B-3A4C5D6E7F80".to_owned()),
        };
        assert_eq!(read_platform(OUTPUT), Fact::Known(platform));
    }

    #[test]
    fn an_answer_without_serial_number_and_uuid_is_unknown() {
        for output in
            ["", "+-o Root  <class IORegistryEntry>", "\"IOPlatformUUID\" = \"none\"", "\"model\" = <\"Mac14,2\">"]
        {
            assert_eq!(read_platform(output).known(), None, "{output}");
        }
    }

    #[test]
    fn a_name_is_one_line() {
        for (text, one) in [("Grace's MacBook\n", Some("Grace's MacBook")), ("", None), ("one\ntwo\n", None)] {
            assert_eq!(name(text).as_deref(), one, "{text:?}");
        }
    }
}
