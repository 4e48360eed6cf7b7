//! The hosts that `/private/etc/hosts` gives an address, past what the name servers say.

use super::Source;
use crate::host::Host;
use crate::vocabulary::codes::SourceName;
use crate::vocabulary::{Fact, Limits, Reading};

const PATH: &str = "/private/etc/hosts";

/// The most entries that are kept; files that keep advertisements away have more.
const MOST: usize = 200_000;

/// The entries but for those of the Mac itself, as names in small letters with their addresses.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HostsFile {
    pub entries: Vec<(String, String)>,
}

impl Source for HostsFile {
    const NAME: SourceName = SourceName::HostsFile;
    const LIMITS: Limits = Limits::HOURLY;

    fn read(host: &dyn Host) -> Reading<Self> {
        match host.read_file(PATH) {
            Ok(bytes) => Fact::Known(read_hosts(&String::from_utf8_lossy(&bytes))).into(),
            Err(error) if error.is_missing() => Fact::Known(HostsFile::default()).into(),
            Err(error) => Fact::from(error).into(),
        }
    }
}

/// Reads lines such as `0.0.0.0 iprofiles.apple.com deviceenrollment.apple.com # a comment`.
pub fn read_hosts(text: &str) -> HostsFile {
    let mut entries = Vec::new();
    for line in text.lines() {
        let line = line.split('#').next().unwrap_or_default();
        let mut words = line.split_whitespace();
        let Some(address) = words.next() else { continue };
        let names = words.map(|name| name.trim_end_matches('.').to_lowercase());
        entries.extend(names.filter(|name| name.contains('.')).map(|name| (name, address.to_owned())));
        if entries.len() >= MOST {
            break;
        }
    }
    HostsFile { entries }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_their_addresses_and_without_comments() {
        let text = "##\n127.0.0.1\tlocalhost\n::1 localhost\n0.0.0.0  Iprofiles.Apple.com. a.example # b.example\n#1.1.1.1 c.example\n";
        let entry = |name: &str| (name.to_owned(), "0.0.0.0".to_owned());
        assert_eq!(read_hosts(text).entries, [entry("iprofiles.apple.com"), entry("a.example")]);
    }
}
