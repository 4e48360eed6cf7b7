//! The search for the MDM's identity.
//!
//! Apple documents no way from a profile's identity payload to the item in the keychain. So the identities that are not
//! Apple's own are narrowed down: by the subject that the payload asks for, by the name of its authority, or by a name.
//! If none of these helps and only one is left, that one is taken. If several are left, the identity is ambiguous,
//! which is neither an error nor a proof of health. A source that could not be read makes the identity unknown, never
//! missing.

use super::Evidence;
use super::enrollment::Enrollment;
use super::identity::{Candidate, Certainty, MdmIdentity};
use crate::facts::certificates::{Certificate, Content};
use crate::facts::identities::Identity;
use crate::facts::profiles_list::IdentityPayload;
use crate::vocabulary::codes::{IdentityMatch, IdentityReason, IdentityState};
use crate::vocabulary::{Fact, Time};

/// The identities that macOS makes for itself on every Mac.
const APPLES_OWN: [&str; 2] = ["com.apple.systemdefault", "com.apple.kerberos.kdc"];

/// Finds the MDM's identity among those of the System keychain.
pub fn find(evidence: &Evidence, enrollment: &Enrollment) -> MdmIdentity {
    let certificates = evidence.certificates.known().map(Vec::as_slice).unwrap_or_default();
    let mut candidates: Vec<Candidate> = (evidence.identities.known().into_iter().flatten())
        .filter(|identity| !APPLES_OWN.contains(&identity.name.as_str()))
        .map(|identity| of_identity(identity, certificates, evidence.now))
        .collect();
    if enrollment.enrolled == Some(false) {
        candidates.iter_mut().for_each(|candidate| decide(candidate, Some(false), &enrollment.detail));
        return MdmIdentity { candidates, certainty: Certainty::Certain };
    }
    let payload = enrollment.profile.as_ref().and_then(|profile| profile.identity.as_ref());
    if let Some((reason, why)) = unknown(evidence, enrollment, payload) {
        candidates.insert(0, Candidate { reason: Some(reason), ..none(IdentityState::Unknown, why) });
        return MdmIdentity { candidates, certainty: Certainty::Guessed };
    }
    search(&WantedIdentity::of(payload), certificates, candidates)
}

/// Why the MDM's identity is unknown.
fn unknown(
    evidence: &Evidence,
    enrollment: &Enrollment,
    payload: Option<&IdentityPayload>,
) -> Option<(IdentityReason, String)> {
    if enrollment.enrolled.is_none() {
        return Some((enrollment.reason.into(), enrollment.detail.clone()));
    }
    if let Fact::Unknown { why, .. } = &evidence.identities.now {
        return Some((IdentityReason::IdentitiesUnknown, format!("The identities could not be read: {why}")));
    }
    if let Fact::Unknown { why, .. } = &evidence.certificates.now {
        return Some((IdentityReason::CertificatesUnknown, format!("The certificates could not be read: {why}")));
    }
    let payload = payload.filter(|payload| payload.lies_elsewhere())?;
    let why =
        format!("The {} payload keeps the identity in the hardware, where it cannot be listed.", payload.payload_type);
    Some((IdentityReason::HardwareBound, why))
}

/// What the profile's payload says of the identity that it made.
struct WantedIdentity<'p> {
    payload: Option<&'p IdentityPayload>,
    /// What must be in its subject; empty if there is no common name to know it by.
    subject: Vec<(&'p str, &'p str)>,
}

impl<'p> WantedIdentity<'p> {
    fn of(payload: Option<&'p IdentityPayload>) -> Self {
        // `%HardwareUUID%` and `$SERIALNUMBER` are placeholders that the Mac replaces.
        let is_fixed = |(_, value): &(&str, &str)| !value.contains(['%', '$']);
        let subject = payload.into_iter().flat_map(|payload| &payload.subject);
        let subject: Vec<_> = subject.map(|(kind, value)| (kind.as_str(), value.as_str())).filter(is_fixed).collect();
        let is_name = |(kind, _): &(&str, &str)| kind.eq_ignore_ascii_case("CN") || *kind == "2.5.4.3";
        Self { payload, subject: if subject.iter().any(is_name) { subject } else { Vec::new() } }
    }

    fn fits_subject(&self, content: &Content) -> bool {
        !self.subject.is_empty() && self.subject.iter().all(|(kind, value)| content.subject.has(kind, value))
    }

    fn fits(&self, by: IdentityMatch, candidate: &Candidate) -> bool {
        let content = candidate.content();
        let name = self.payload.and_then(|payload| payload.name.as_deref());
        match (by, name) {
            (IdentityMatch::Subject, _) => content.is_some_and(|content| self.fits_subject(content)),
            (IdentityMatch::Issuer, Some(name)) => {
                content.is_some_and(|content| content.issuer.has("CN", name) || content.issuer.has("O", name))
            }
            (IdentityMatch::Name, Some(name)) => {
                candidate.common_name().is_some_and(|own| own.to_lowercase() == name.to_lowercase())
            }
            (IdentityMatch::OnlyIdentity, _) | (_, None) => false,
        }
    }

    fn how(&self, by: IdentityMatch) -> String {
        let kind = self.payload.map(|payload| payload.payload_type.as_str()).unwrap_or_default();
        match by {
            IdentityMatch::Subject => format!("Its subject is the one that the {kind} payload asks for."),
            IdentityMatch::Issuer => format!("The {kind} payload names its issuer."),
            IdentityMatch::Name => format!("The {kind} payload gives its name."),
            IdentityMatch::OnlyIdentity => "No other identity is there but Apple's own.".to_owned(),
        }
    }
}

/// Narrows the candidates down.
fn search(wanted: &WantedIdentity<'_>, certificates: &[Certificate], candidates: Vec<Candidate>) -> MdmIdentity {
    let mut left = candidates;
    if !left.iter().any(|candidate| wanted.fits(IdentityMatch::Subject, candidate)) {
        let without_key = certificates.iter().filter(|certificate| {
            let is_wanted = |content: &Content| !content.is_authority && wanted.fits_subject(content);
            certificate.content.as_ref().is_ok_and(is_wanted)
                && !left.iter().any(|candidate| candidate.sha1.as_ref() == Some(&certificate.sha1))
        });
        let without_key: Vec<Candidate> = without_key.map(of_certificate).collect();
        left.extend(without_key);
    }
    let contradicted =
        !wanted.subject.is_empty() && !left.iter().any(|candidate| wanted.fits(IdentityMatch::Subject, candidate));
    let (mut others, mut matched_by) = (Vec::new(), None);
    for by in [IdentityMatch::Subject, IdentityMatch::Issuer, IdentityMatch::Name] {
        if matched_by.is_some() && left.len() == 1 {
            break;
        }
        let (fitting, rest): (Vec<_>, Vec<_>) = left.into_iter().partition(|candidate| wanted.fits(by, candidate));
        if fitting.is_empty() {
            left = rest;
        } else {
            (left, matched_by) = (fitting, Some(by));
            others.extend(rest);
        }
    }
    others.iter_mut().for_each(|other| decide(other, Some(false), "Another identity is the MDM identity."));
    let certainty = match left.as_mut_slice() {
        [] => {
            left.push(missing());
            match wanted.payload {
                Some(payload) if payload.is_of_known_type() => Certainty::Certain,
                _ => Certainty::Guessed,
            }
        }
        [identity] => {
            let by = matched_by.unwrap_or(IdentityMatch::OnlyIdentity);
            identity.matched_by = Some(by);
            let but = if contradicted { " But the payload asks for another subject." } else { "" };
            decide(identity, Some(true), &format!("{}{but}", wanted.how(by)));
            match by {
                _ if contradicted => Certainty::Contradicted,
                IdentityMatch::OnlyIdentity => Certainty::Guessed,
                _ => Certainty::Certain,
            }
        }
        several => {
            let why = format!("{} identities could be the MDM identity, and nothing shows which.", several.len());
            for candidate in several {
                (candidate.state, candidate.reason) = (IdentityState::Ambiguous, None);
                decide(candidate, None, &why);
            }
            Certainty::Guessed
        }
    };
    left.extend(others);
    MdmIdentity { candidates: left, certainty }
}

fn of_identity(identity: &Identity, certificates: &[Certificate], now: Time) -> Candidate {
    let certificate = certificates.iter().find(|certificate| certificate.sha1 == identity.sha1);
    let unread = match certificate.map(|certificate| &certificate.content) {
        Some(Ok(_)) => None,
        Some(Err(why)) => Some(format!("Its certificate cannot be read: {why}.")),
        None => Some("Its certificate is not listed.".to_owned()),
    };
    let held_against = identity.error.as_ref().map(|error| format!("`security` says {error} of it."));
    Candidate {
        name: Some(identity.name.clone()),
        sha1: Some(identity.sha1.clone()),
        certificate: certificate.cloned(),
        has_private_key: Some(true),
        reason: unread.is_some().then_some(IdentityReason::CertificateUnreadable),
        error: identity.error.clone(),
        ..none(
            IdentityState::of(certificate, now),
            [unread, held_against].into_iter().flatten().collect::<Vec<_>>().join(" "),
        )
    }
}

/// A certificate whose private key is not there.
fn of_certificate(certificate: &Certificate) -> Candidate {
    Candidate {
        sha1: Some(certificate.sha1.clone()),
        certificate: Some(certificate.clone()),
        has_private_key: Some(false),
        ..none(IdentityState::NoPrivateKey, String::new())
    }
}

/// The placeholder for an identity that is missing or unknown.
fn none(state: IdentityState, detail: String) -> Candidate {
    Candidate {
        name: None,
        sha1: None,
        certificate: None,
        has_private_key: None,
        is_mdm_identity: None,
        matched_by: None,
        state,
        reason: None,
        detail,
        error: None,
    }
}

/// The placeholder for an identity that should be there.
fn missing() -> Candidate {
    Candidate {
        is_mdm_identity: Some(true),
        has_private_key: Some(false),
        ..none(IdentityState::Missing, "No identity but Apple's own is in the System keychain.".to_owned())
    }
}

fn decide(candidate: &mut Candidate, is_mdm_identity: Option<bool>, why: &str) {
    candidate.is_mdm_identity = is_mdm_identity;
    candidate.detail = format!("{why} {}", candidate.detail).trim_end().to_owned();
}
