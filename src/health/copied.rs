//! Whether the enrollment was copied from another Mac, as the Migration Assistant does with "Other Files & Folders":
//! the profiles and the System keychain come along, so the Mac looks enrolled, but the server knows another Mac.
//!
//! Each sign can have another cause. Two independent signs decide; one alone is only a hint.

use super::Evidence;
use super::enrollment::Enrollment;
use super::identity::{Candidate, MdmIdentity};
use super::updates::compare_versions;
use crate::vocabulary::codes::IdentityState;
use crate::vocabulary::{Time, rfc3339};
use chrono::TimeDelta;
use std::cmp::Ordering;

/// How long before the end of the Setup Assistant a profile may be installed: Automated Device Enrollment comes before it.
const IN_SETUP: TimeDelta = TimeDelta::days(1);

/// How far an authority may backdate a certificate, so that Macs whose clocks are slow accept it.
const BACKDATED: TimeDelta = TimeDelta::days(7);

/// How many independent signs mean "copied", and how many must have been checked before the answer can be "not copied".
const ENOUGH: usize = 2;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Copied {
    /// `None` if the Mac is not enrolled, one sign was found, or too few could be looked for.
    pub copied: Option<bool>,
    /// The signs that were found, a sentence each.
    pub evidence: Vec<String>,
}

/// The payload of an identity that the server makes.
const PKCS12: &str = "com.apple.security.pkcs12";

/// One kind of sign: `None` if it cannot be looked for, else what was found.
type Sign = Option<Option<String>>;

pub fn find(evidence: &Evidence, enrollment: &Enrollment, identity: &MdmIdentity) -> Copied {
    if enrollment.enrolled != Some(true) {
        return Copied::default();
    }
    let signs = [
        older_than_this_mac(evidence, enrollment, identity),
        without_key(identity),
        without_ade_record(evidence, enrollment),
        of_another_serial(evidence, identity),
        made_under_a_later_system(evidence),
    ];
    let looked_for = signs.iter().flatten().count();
    let found: Vec<String> = signs.into_iter().flatten().flatten().collect();
    let copied = match found.len() {
        0 => (looked_for >= ENOUGH).then_some(false),
        signs => (signs >= ENOUGH).then_some(true),
    };
    Copied { copied, evidence: found }
}

/// The profile or the certificate is older than this Mac's system.
fn older_than_this_mac(evidence: &Evidence, enrollment: &Enrollment, identity: &MdmIdentity) -> Sign {
    let setup = evidence.system_setup.known()?;
    let begin: Time = setup.first_install_at.max(setup.done_at.map(|done| done - IN_SETUP))?;
    let profile = enrollment.profile.as_ref().and_then(|profile| profile.installed_at);
    // A PKCS #12 file may have been made long before the enrollment.
    let made_here = |_: &&Candidate| {
        enrollment
            .profile
            .as_ref()
            .and_then(|profile| profile.identity.as_ref())
            .is_some_and(|payload| payload.payload_type != PKCS12)
    };
    let certificate = identity.found().filter(made_here).and_then(Candidate::content);
    let certificate = certificate.map(|content| content.not_before + BACKDATED);
    let things = [("MDM profile was installed", profile), ("identity's certificate was issued", certificate)];
    let (what, at) = things.into_iter().filter_map(|(what, at)| Some((what, at?))).min_by_key(|(_, at)| *at)?;
    let why = || format!("The {what} before {}, and this Mac was set up after {}.", rfc3339(at), rfc3339(begin));
    Some((at < begin).then(why))
}

fn without_key(identity: &MdmIdentity) -> Sign {
    let state = identity.found()?.state;
    match state {
        IdentityState::NoPrivateKey | IdentityState::Missing => {
            Some(Some("The private key of the MDM identity is not on this Mac.".to_owned()))
        }
        IdentityState::Unknown | IdentityState::Ambiguous => None,
        _ => Some(None),
    }
}

/// Enrolled by Automated Device Enrollment, and Apple has no record of this Mac.
fn without_ade_record(evidence: &Evidence, enrollment: &Enrollment) -> Sign {
    let found = evidence.ade_record.known()?.found?;
    let by_ade = enrollment.enrolled_via_dep?;
    let why = "The enrollment is one by Automated Device Enrollment, and Apple has no such record of this Mac.";
    Some((by_ade && !found).then(|| why.to_owned()))
}

/// The certificate names a serial number, and it is not this Mac's.
fn of_another_serial(evidence: &Evidence, identity: &MdmIdentity) -> Sign {
    let own = evidence.platform.known()?.serial_number.as_deref()?;
    let subject = identity.found()?.content()?.subject.common_name()?;
    let named: Vec<&str> = subject
        .split(|letter: char| !letter.is_ascii_alphanumeric())
        .filter(|word| is_serial_number(word) || word.eq_ignore_ascii_case(own))
        .collect();
    let first = named.first()?;
    let is_own = named.iter().any(|word| word.eq_ignore_ascii_case(own));
    Some(
        (!is_own)
            .then(|| format!("The identity's certificate names the serial number {first}, and this Mac's is {own}.")),
    )
}

/// Ten or twelve capitals and digits of both kinds, without I and O.
fn is_serial_number(word: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_digit() || (byte.is_ascii_uppercase() && byte != b'I' && byte != b'O');
    matches!(word.len(), 10 | 12)
        && word.bytes().all(fits)
        && word.bytes().any(|byte| byte.is_ascii_digit())
        && word.bytes().any(|byte| byte.is_ascii_uppercase())
}

/// mdmclient notes under which macOS the enrollment was made. No Mac goes back to an older one without being erased.
fn made_under_a_later_system(evidence: &Evidence) -> Sign {
    let then = evidence.management_status.known()?.enrolled_under.as_deref()?;
    let now = &evidence.system_version.known()?.version;
    let order = compare_versions(then, now)?;
    Some(
        (order == Ordering::Greater)
            .then(|| format!("The enrollment was made under macOS {then}, and this Mac runs {now}.")),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_like_a_serial_number() {
        for (word, is) in [
            ("C02ZK1ABMD6T", true),
            ("J9Q4X2K7LM", true),
            ("DEVICE1234", false),
            ("MACBOOKPRO", false),
            ("1234567890", false),
            ("c02zk1abmd6t", false),
        ] {
            assert_eq!(is_serial_number(word), is, "{word}");
        }
    }
}
