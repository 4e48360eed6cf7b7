//! Signs that somebody keeps MDM out: the hosts file names the servers of Apple or MDM, or the markers of Automated Device
//! Enrollment contradict each other.

use super::Evidence;
use super::enrollment::Enrollment;
use std::collections::BTreeSet;

/// Apple's hosts for enrollment and push notifications.
const APPLES: [&str; 5] = [
    "iprofiles.apple.com",
    "deviceenrollment.apple.com",
    "mdmenrollment.apple.com",
    "acmdm.apple.com",
    "push.apple.com",
];

/// What was found in the hosts file and in the markers, a sentence each.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeptOut {
    pub hosts: Option<String>,
    pub markers: Option<String>,
}

impl KeptOut {
    pub fn sentences(&self) -> impl Iterator<Item = &str> {
        [&self.hosts, &self.markers].into_iter().flatten().map(String::as_str)
    }
}

pub fn find(evidence: &Evidence, enrollment: &Enrollment) -> KeptOut {
    let record = evidence.ade_record.known();
    let servers: BTreeSet<String> = [
        enrollment.server_url.as_deref(),
        enrollment.profile.as_ref().and_then(|profile| profile.checkin_url.as_deref()),
        record.and_then(|record| record.server_url.as_deref()),
    ]
    .into_iter()
    .flatten()
    .filter_map(host)
    .collect();
    let is_apples = |name: &str| {
        APPLES.iter().any(|one| name.strip_suffix(one).is_some_and(|rest| rest.is_empty() || rest.ends_with('.')))
    };
    let entries = evidence.hosts_file.known().map(|file| file.entries.as_slice()).unwrap_or_default();
    let mut named: Vec<String> = (entries.iter())
        .filter(|(name, _)| is_apples(name) || servers.contains(name))
        .map(|(name, address)| format!("{name} ({address})"))
        .collect();
    let more = named.len().saturating_sub(5);
    named.truncate(5);
    let and = if more > 0 { format!(" and {more} more") } else { String::new() };
    let hosts = (!named.is_empty())
        .then(|| format!("/private/etc/hosts overrides hosts that MDM needs: {}{and}.", named.join(", ")));
    KeptOut { hosts, markers: record.and_then(|record| record.contradiction.clone()) }
}

/// The host of an address, in small letters.
fn host(url: &str) -> Option<String> {
    let (_, rest) = url.split_once("://")?;
    let host = rest.split(['/', '?', '#']).next()?.rsplit('@').next()?;
    let host = host.split(':').next()?.trim_end_matches('.').to_lowercase();
    Some(host).filter(|host| !host.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_of_an_address() {
        assert_eq!(host("https://MDM.example.com:8443/mdm?x").as_deref(), Some("mdm.example.com"));
        assert_eq!(host("mdm.example.com"), None);
    }
}
