//! Whether the Mac has a network connection now, as `scutil --nwi` says without any traffic.

use super::{Source, from_command};
use crate::host::{Command, Host};
use crate::vocabulary::codes::{SourceName, SourceReason};
use crate::vocabulary::{Fact, Limits, Reading};

/// Whether an interface is up that has an address and a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Network {
    Online,
    Offline,
}

impl Source for Network {
    const NAME: SourceName = SourceName::Network;
    const LIMITS: Limits = Limits::VOLATILE;

    fn read(host: &dyn Host) -> Reading<Self> {
        from_command(host, Command::Network, read_network).into()
    }
}

/// Reads the output, which on macOS 12 to 26 is
///
/// ```text
/// Network information
///
/// IPv4 network interface information
///      en0 : flags      : 0x5 (IPv4,DNS)
///            address    : 192.168.1.23
///            reach      : 0x00000002 (Reachable)
///
///    REACH : flags 0x00000002 (Reachable)
///
/// IPv6 network interface information
///    No IPv6 states found
///
///    REACH : flags 0x00000000 (Not Reachable)
///
/// Network interfaces: en0
/// ```
///
/// Without a network there are no states of either kind and no interfaces, or the only line is `No network information`.
pub fn read_network(output: &str) -> Fact<Network> {
    let lines: Vec<&str> = output.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let has = |text: &str| lines.contains(&text);
    let interfaces = lines.iter().find_map(|line| line.strip_prefix("Network interfaces:")).map(str::trim);
    let no_interfaces = interfaces.is_none_or(str::is_empty);
    match lines.as_slice() {
        ["No network information"] | ["Network information", "No network information"] => Fact::Known(Network::Offline),
        ["Network information", ..] if !no_interfaces => Fact::Known(Network::Online),
        ["Network information", ..] if has("No IPv4 states found") && has("No IPv6 states found") => {
            Fact::Known(Network::Offline)
        }
        _ => {
            let shown: String = output.trim().chars().take(80).collect();
            let why = format!(
                "`scutil --nwi` printed {shown:?}, which names no interface and does not say that there is none."
            );
            Fact::unknown(SourceReason::NotUnderstood, why)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ONLINE: &str = "Network information

IPv4 network interface information
     en0 : flags      : 0x5 (IPv4,DNS)
           address    : 192.168.1.23
           reach      : 0x00000002 (Reachable)

   REACH : flags 0x00000002 (Reachable)

IPv6 network interface information
   No IPv6 states found

   REACH : flags 0x00000000 (Not Reachable)

Network interfaces: en0
";

    const OFFLINE: &str = "Network information

IPv4 network interface information
   No IPv4 states found

   REACH : flags 0x00000000 (Not Reachable)

IPv6 network interface information
   No IPv6 states found

   REACH : flags 0x00000000 (Not Reachable)
";

    #[test]
    fn an_interface_that_is_up_is_a_connection() {
        assert_eq!(read_network(ONLINE), Fact::Known(Network::Online));
    }

    #[test]
    fn no_states_and_no_interfaces_are_none() {
        for output in [OFFLINE, &format!("{OFFLINE}\nNetwork interfaces:\n"), "No network information\n"] {
            assert_eq!(read_network(output), Fact::Known(Network::Offline), "{output}");
        }
    }

    #[test]
    fn half_an_answer_or_another_one_is_unknown() {
        let half = OFFLINE.split("IPv6").next().unwrap();
        for output in ["", half, "scutil: command not found", "Network information", "Network interfaces: en0"] {
            assert_eq!(read_network(output).known(), None, "{output}");
        }
    }

    proptest! {
        #[test]
        fn an_answer_that_is_cut_off_never_says_offline_of_a_mac_that_is_online(end in 0..ONLINE.len()) {
            prop_assert_ne!(read_network(ONLINE.get(..end).unwrap_or_default()), Fact::Known(Network::Offline));
        }
    }
}
