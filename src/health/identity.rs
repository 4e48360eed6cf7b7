//! The MDM's identity: which it is, how that was decided, and whether it can be used. `identity_search` finds it.

use crate::facts::certificates::{Certificate, Content};
use crate::vocabulary::codes::{IdentityMatch, IdentityReason, IdentityState, WatchdogReason};
use crate::vocabulary::{Time, rfc3339};
use chrono::TimeDelta;

/// A certificate counts as expiring from this long before its end.
pub const EXPIRING: TimeDelta = TimeDelta::days(30);

/// `security` reports this for most MDM identities, because their authorities are private. It does not matter here.
const NOT_TRUSTED: &str = "CSSMERR_TP_NOT_TRUSTED";

impl IdentityState {
    /// The state of an identity whose private key is there.
    pub(super) fn of(certificate: Option<&Certificate>, now: Time) -> Self {
        match certificate.map(|certificate| &certificate.content) {
            None | Some(Err(_)) => Self::Unknown,
            Some(Ok(content)) if now > content.not_after => Self::Expired,
            Some(Ok(content)) if now < content.not_before => Self::NotYetValid,
            Some(Ok(content)) if content.not_after - now <= EXPIRING => Self::Expiring,
            Some(Ok(_)) => Self::Valid,
        }
    }
}

/// An identity that may be the MDM's, or what stands for it if there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Its name in the keychain.
    pub name: Option<String>,
    /// The SHA-1 of its certificate, in lower-case hexadecimal digits.
    pub sha1: Option<String>,
    /// Its certificate, if that is listed.
    pub certificate: Option<Certificate>,
    /// Whether its private key is there.
    pub has_private_key: Option<bool>,
    /// Whether it is the MDM's.
    pub is_mdm_identity: Option<bool>,
    /// What showed that.
    pub matched_by: Option<IdentityMatch>,
    /// Whether it can be used.
    pub state: IdentityState,
    /// A stable code for why that is unknown.
    pub reason: Option<IdentityReason>,
    /// Sentences for people.
    pub detail: String,
    /// What `security` holds against it, such as `CSSMERR_TP_CERT_EXPIRED`.
    pub error: Option<String>,
}

impl Candidate {
    /// What its certificate says, if that could be read.
    pub fn content(&self) -> Option<&Content> {
        self.certificate.as_ref()?.content.as_ref().ok()
    }

    pub fn common_name(&self) -> Option<&str> {
        self.content().and_then(|content| content.subject.common_name()).or(self.name.as_deref())
    }
}

/// The candidates and what is known of the MDM's identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MdmIdentity {
    /// The candidates. An enrolled Mac has at least one, which may be a placeholder for an identity that is missing or
    /// unknown.
    pub candidates: Vec<Candidate>,
    pub(super) certainty: Certainty,
}

/// How sure we are which identity is the MDM's, or that there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Certainty {
    /// The profile says what to look for, and exactly that was found, or is missing.
    Certain,
    /// The profile does not say.
    Guessed,
    /// The profile asks for another subject than the one that was found.
    Contradicted,
}

impl MdmIdentity {
    /// The MDM's identity, or what stands for it.
    pub fn found(&self) -> Option<&Candidate> {
        self.candidates.iter().find(|candidate| candidate.is_mdm_identity == Some(true))
    }

    /// Why the MDM's identity cannot be used: a stable code and a sentence.
    ///
    /// Trouble with a certain identity counts even if the server answered within the window: an expired identity stays
    /// expired even if the server is lenient, and a deleted one is gone. If the identity is only a guess, an answer
    /// that came after it became unusable counts for more: then it is not the MDM's, or its state does not matter.
    pub fn trouble(&self, recent_success: Option<Time>) -> Option<(WatchdogReason, String)> {
        let identity = self.found()?;
        let (reason, since, what) = match (identity.state, identity.content()) {
            (IdentityState::Missing, _) => (WatchdogReason::IdentityMissing, None, "is missing".to_owned()),
            (IdentityState::NoPrivateKey, _) => {
                (WatchdogReason::IdentityNoPrivateKey, None, "has no private key".to_owned())
            }
            (IdentityState::Expired, Some(Content { not_after, .. })) => {
                (WatchdogReason::IdentityExpired, Some(*not_after), format!("expired at {}", rfc3339(*not_after)))
            }
            (IdentityState::NotYetValid, Some(Content { not_before, .. })) => {
                (WatchdogReason::IdentityNotYetValid, None, format!("is not valid before {}", rfc3339(*not_before)))
            }
            _ => return None,
        };
        let remedy = match identity.state {
            IdentityState::NotYetValid => "Is the Mac's clock right?",
            _ => "The Mac has to be enrolled again.",
        };
        let name = identity.common_name().map(|name| format!(" {name:?}")).unwrap_or_default();
        let sentence = format!("The MDM's identity{name} {what}. {} {remedy}", identity.detail);
        let since_then = recent_success.filter(|success| since.is_none_or(|since| *success > since));
        (self.certainty == Certainty::Certain || since_then.is_none()).then_some((reason, sentence))
    }

    /// Whether the MDM's identity was found and can be used, with nothing that speaks against it.
    pub fn is_usable(&self) -> bool {
        self.certainty != Certainty::Contradicted
            && self.found().is_some_and(|identity| {
                matches!(identity.state, IdentityState::Valid | IdentityState::Expiring)
                    && identity.error.as_deref().is_none_or(|error| error == NOT_TRUSTED)
            })
    }
}
