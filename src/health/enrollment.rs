//! Whether the Mac is enrolled, in which MDM and how: one answer from three sources.
//!
//! `profiles status` and mdmclient's `ManagedViaMDM` say yes or no. A listed profile with a `com.apple.mdm` payload
//! says yes. A list of the computer's profiles without one speaks against a yes, but is no proof of a no by itself.
//! Where the sources disagree, nothing is decided here: the answer is unknown, and `disputes` says which source says
//! what.

use super::{Evidence, Expected};
use crate::facts::bootstrap_token::BootstrapToken;
use crate::facts::profiles_list::MdmProfile;
use crate::vocabulary::Fact;
use crate::vocabulary::codes::{EnrollmentReason, IdentityReason, WatchdogReason};

/// The sources, by their names in `mdm_health_status`.
const STATUS: &str = "profiles_status";
const MANAGEMENT: &str = "management_status";
/// The sentence for an enrollment in another server than the one that the policy names.
const OTHER_SERVER: &str = "It is not the server, or not the push topic, that the policy names.";

const LIST: &str = "profiles_list";

/// The enrollment as the sources tell it. A field is `None` if they do not say, or if they disagree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enrollment {
    /// Whether the Mac is enrolled.
    pub enrolled: Option<bool>,
    /// A stable code for what decided that.
    pub reason: EnrollmentReason,
    /// A sentence for people.
    pub detail: String,
    /// Whether it came by Automated Device Enrollment.
    pub enrolled_via_dep: Option<bool>,
    /// Whether a user approved it.
    pub user_approved: Option<bool>,
    /// Whether the Mac is supervised.
    pub supervised: Option<bool>,
    /// The server's address.
    pub server_url: Option<String>,
    /// The organization that the profile names.
    pub organization: Option<String>,
    /// The profile that enrolled the Mac.
    pub profile: Option<MdmProfile>,
    /// The bootstrap token of an enrolled Mac.
    pub bootstrap_token: Option<BootstrapToken>,
    /// Whether the Mac has the server and the topic that the policy expects; `None` if the policy names none, or the
    /// Mac's are not known.
    pub expected: Option<bool>,
    /// Whether all sources agree; `None` if no two sources can be compared.
    pub sources_agree: Option<bool>,
}

/// Makes one answer of the three sources.
pub fn decide(evidence: &Evidence) -> Enrollment {
    let status = evidence.profiles_status.known();
    let management = evidence.management_status.known();
    let list = evidence.profiles_list.known();
    let profile = list.and_then(|list| list.mdm.clone());

    let mut comparison = Comparison::default();
    let by_status = status.map(|status| status.enrolled);
    let by_management = management.and_then(|management| management.managed);
    let listed = list.filter(|list| list.lists_computer).map(|list| list.mdm.is_some());
    let enrolled = comparison.flag("enrolled", &[(STATUS, by_status), (MANAGEMENT, by_management), (LIST, listed)]);
    let is_disputed = !comparison.disputes.is_empty();
    let enrolled = enrolled.filter(|yes| *yes || by_status.or(by_management).is_some());
    let enrolled_via_dep = comparison.flag(
        "enrolled_via_dep",
        &[
            (STATUS, status.and_then(|status| status.enrolled_via_dep)),
            (MANAGEMENT, management.and_then(|management| management.enrolled_via_dep)),
        ],
    );
    let user_approved = comparison.flag(
        "user_approved",
        &[
            (STATUS, status.and_then(|status| status.user_approved)),
            (MANAGEMENT, management.and_then(|management| management.user_approved)),
        ],
    );
    let server_url = comparison.url(
        "server_url",
        &[
            (LIST, profile.as_ref().and_then(|profile| profile.server_url.clone())),
            (MANAGEMENT, management.and_then(|management| management.server_url.clone())),
            (STATUS, status.and_then(|status| status.server_url.clone())),
        ],
    );

    let (reason, said) = match (enrolled, &evidence.profiles_status.now) {
        (Some(true), _) => how(enrolled_via_dep, user_approved),
        (Some(false), _) => (EnrollmentReason::NotEnrolled, "This Mac is not enrolled in an MDM.".to_owned()),
        (None, Fact::Unknown { why, .. }) if !is_disputed => {
            (EnrollmentReason::EnrollmentUnknown, format!("Whether this Mac is enrolled is unknown: {why}"))
        }
        (None, _) => {
            (EnrollmentReason::SourcesDisagree, "The sources do not agree on whether this Mac is enrolled.".to_owned())
        }
    };
    let expected = expected(evidence, enrolled, server_url.as_deref(), profile.as_ref());
    let (reason, said) = match expected {
        Some(false) => (EnrollmentReason::OtherServer, format!("{said} {OTHER_SERVER}")),
        _ => (reason, said),
    };
    let detail = [&[said], comparison.disputes.as_slice()].concat().join(" ");
    Enrollment {
        enrolled,
        reason,
        detail,
        enrolled_via_dep,
        user_approved,
        supervised: management.and_then(|management| management.supervised),
        server_url,
        organization: (profile.as_ref().and_then(|profile| profile.organization.clone()))
            .or_else(|| management.and_then(|management| management.organization.clone())),
        profile,
        bootstrap_token: evidence.bootstrap_token.known().filter(|_| enrolled == Some(true)).copied(),
        expected,
        sources_agree: comparison.agreement(),
    }
}

fn expected(
    evidence: &Evidence,
    enrolled: Option<bool>,
    server_url: Option<&str>,
    profile: Option<&MdmProfile>,
) -> Option<bool> {
    let Expected { server_url: wanted_url, topic: wanted_topic } = &evidence.expected;
    let topic = profile.and_then(|profile| profile.topic.as_deref());
    let by_url = wanted_url.as_ref().map(|wanted| server_url.map(|url| server(url) == server(wanted)));
    let by_topic = wanted_topic.as_ref().map(|wanted| topic.map(|topic| topic == wanted));
    let asked: Vec<Option<bool>> = [by_url, by_topic].into_iter().flatten().collect();
    if enrolled != Some(true) || asked.is_empty() {
        None
    } else if asked.contains(&Some(false)) {
        Some(false)
    } else {
        (!asked.contains(&None)).then_some(true)
    }
}

fn how(enrolled_via_dep: Option<bool>, user_approved: Option<bool>) -> (EnrollmentReason, String) {
    let (reason, how) = match (enrolled_via_dep, user_approved) {
        (Some(true), _) => (EnrollmentReason::Automated, " by Automated Device Enrollment"),
        (_, Some(true)) => (EnrollmentReason::UserApproved, ", and a user approved that"),
        (_, Some(false)) => (EnrollmentReason::NotUserApproved, ", and no user approved that"),
        (_, None) => (EnrollmentReason::ApprovalUnknown, "; whether a user approved that is unknown"),
    };
    (reason, format!("This Mac is enrolled in an MDM{how}."))
}

/// Compares what sources say of the same things.
#[derive(Default)]
struct Comparison {
    compared: bool,
    disputes: Vec<String>,
}

impl Comparison {
    fn flag(&mut self, what: &str, claims: &[(&str, Option<bool>)]) -> Option<bool> {
        let words = |flag: &bool| if *flag { "yes" } else { "no" }.to_owned();
        self.settle(what, claims, |flag| *flag, words)
    }

    /// Sources may differ in how much of the path they show, so only the servers are compared.
    fn url(&mut self, what: &str, claims: &[(&str, Option<String>)]) -> Option<String> {
        self.settle(what, claims, |url| server(url), Clone::clone)
    }

    /// The value that all sources with a value agree on, in the first one's words. `None` if no source has one, or if
    /// they disagree.
    fn settle<T: Clone, Key: PartialEq>(
        &mut self,
        what: &str,
        claims: &[(&str, Option<T>)],
        key: impl Fn(&T) -> Key,
        words: impl Fn(&T) -> String,
    ) -> Option<T> {
        let spoken: Vec<(&str, &T)> =
            claims.iter().filter_map(|(source, claim)| Some((*source, claim.as_ref()?))).collect();
        let (_, first) = spoken.first()?;
        self.compared |= spoken.len() > 1;
        if spoken.iter().all(|(_, claim)| key(claim) == key(first)) {
            return Some((*first).clone());
        }
        let said: Vec<String> =
            spoken.iter().map(|(source, claim)| format!("{source} says {}", words(claim))).collect();
        self.disputes.push(format!("{what}: {}.", said.join(", ")));
        None
    }

    fn agreement(&self) -> Option<bool> {
        if self.disputes.is_empty() { self.compared.then_some(true) } else { Some(false) }
    }
}

/// Scheme, host and port of an address.
fn server(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let host = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    format!("{scheme}://{host}").to_lowercase()
}

/// For a Mac that is not enrolled, or may not be.
impl From<EnrollmentReason> for WatchdogReason {
    fn from(reason: EnrollmentReason) -> Self {
        match reason {
            EnrollmentReason::NotEnrolled => Self::NotEnrolled,
            EnrollmentReason::SourcesDisagree => Self::SourcesDisagree,
            _ => Self::EnrollmentUnknown,
        }
    }
}

/// For a Mac that may not be enrolled.
impl From<EnrollmentReason> for IdentityReason {
    fn from(reason: EnrollmentReason) -> Self {
        match reason {
            EnrollmentReason::SourcesDisagree => Self::SourcesDisagree,
            _ => Self::EnrollmentUnknown,
        }
    }
}
