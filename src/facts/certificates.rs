//! The certificates of the System keychain, as `security find-certificate -a -p` prints them.

use super::{Source, from_command};
use crate::host::{Command, Host};
use crate::vocabulary::codes::{SourceName, SourceReason};
use crate::vocabulary::{Fact, Flaw, Limits, Reading, Time};
use chrono::DateTime;
use sha1::Sha1;
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use x509_parser::certificate::X509Certificate;
use x509_parser::objects::{oid_registry, oid2abbrev};
use x509_parser::pem::Pem;
use x509_parser::prelude::FromDer;
use x509_parser::x509::X509Name;

/// The longest name that is kept, in characters; a longer one is cut.
const MAX_NAME: usize = 1024;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// Its SHA-1, in lower-case hexadecimal digits: how the list of identities names it.
    pub sha1: String,
    /// Its SHA-256, in lower-case hexadecimal digits.
    pub sha256: String,
    /// What it says, or why that cannot be read.
    pub content: Result<Content, String>,
}

/// What a certificate says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    /// Whose it is.
    pub subject: Name,
    pub issuer: Name,
    /// Its serial number, in upper-case hexadecimal digits.
    pub serial: String,
    /// The first moment of its validity.
    pub not_before: Time,
    /// The last moment of its validity.
    pub not_after: Time,
    /// Whether it is an authority's, which issues others.
    pub is_authority: bool,
}

/// The name of a subject or an issuer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Name {
    /// The whole name: `O=Example, CN=Mac 42`.
    pub text: String,
    attributes: Vec<Attribute>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Attribute {
    oid: String,
    /// `CN`, `O` and the like, where there is one.
    abbreviation: Option<String>,
    value: String,
}

impl Name {
    /// Whether it has that attribute, named as `CN`, `O`, or by its OID in dots. Letters of both cases are equal.
    pub fn has(&self, kind: &str, value: &str) -> bool {
        let value = value.trim().to_lowercase();
        self.values(kind).any(|own| own.trim().to_lowercase() == value)
    }

    pub fn common_name(&self) -> Option<&str> {
        self.values("CN").next()
    }

    fn values(&self, kind: &str) -> impl Iterator<Item = &str> {
        let is_kind = move |own: &&Attribute| {
            own.oid == kind || own.abbreviation.as_ref().is_some_and(|short| short.eq_ignore_ascii_case(kind))
        };
        self.attributes.iter().filter(is_kind).map(|own| own.value.as_str())
    }
}

impl Source for Vec<Certificate> {
    const NAME: SourceName = SourceName::Certificates;
    const LIMITS: Limits = Limits::HOURLY;

    fn read(host: &dyn Host) -> Reading<Self> {
        let value = from_command(host, Command::Certificates, read_certificates);
        let flaw = value.known().and_then(|all| unreadable(all));
        Reading { flaw, ..value.into() }
    }
}

/// Certificates that are listed and cannot be read make the source `partial`.
fn unreadable(all: &[Certificate]) -> Option<Flaw> {
    let mut errors = all.iter().filter_map(|certificate| certificate.content.as_ref().err());
    let first = errors.next()?;
    let why = format!("{} of {} certificates cannot be read, the first: {first}.", errors.count() + 1, all.len());
    Some(Flaw { reason: SourceReason::NotUnderstood, why })
}

/// Reads certificates in PEM, one behind the other. One that is no X.509 keeps its digests.
pub fn read_certificates(output: &str) -> Fact<Vec<Certificate>> {
    let blocks: Result<Vec<Pem>, _> = Pem::iter_from_buffer(output.as_bytes()).collect();
    let whole = output.trim().is_empty() || output.trim_end().ends_with("-----END CERTIFICATE-----");
    let why = match blocks {
        Ok(_) if !whole => "it does not end with a certificate".to_owned(),
        Ok(blocks) => return Fact::Known(blocks.iter().map(|block| certificate(&block.contents)).collect()),
        Err(error) => format!("a certificate is cut off or damaged ({error})"),
    };
    Fact::unknown(
        SourceReason::NotUnderstood,
        format!("The output of `security find-certificate -a -p` cannot be read: {why}."),
    )
}

fn certificate(der: &[u8]) -> Certificate {
    Certificate {
        sha1: hex(&Sha1::digest(der)).to_lowercase(),
        sha256: hex(&Sha256::digest(der)).to_lowercase(),
        content: match X509Certificate::from_der(der) {
            Ok((_, certificate)) => content(&certificate).ok_or_else(|| "its dates lie out of range".to_owned()),
            Err(error) => Err(format!("it is no X.509 certificate: {error}")),
        },
    }
}

fn content(certificate: &X509Certificate<'_>) -> Option<Content> {
    let validity = certificate.validity();
    Some(Content {
        subject: name(certificate.subject()),
        issuer: name(certificate.issuer()),
        serial: hex(certificate.raw_serial()),
        not_before: DateTime::from_timestamp(validity.not_before.timestamp(), 0)?,
        not_after: DateTime::from_timestamp(validity.not_after.timestamp(), 0)?,
        is_authority: certificate.is_ca(),
    })
}

fn name(name: &X509Name<'_>) -> Name {
    let attributes = name.iter_attributes().filter_map(|attribute| {
        Some(Attribute {
            oid: attribute.attr_type().to_id_string(),
            abbreviation: oid2abbrev(attribute.attr_type(), oid_registry()).ok().map(str::to_owned),
            value: bounded(attribute.as_str().ok()?),
        })
    });
    Name { text: bounded(&name.to_string()), attributes: attributes.collect() }
}

fn bounded(text: &str) -> String {
    text.chars().take(MAX_NAME).collect()
}

/// Bytes as digits, `0A1F`.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut digits, byte| {
        let _ = write!(digits, "{byte:02X}");
        digits
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rcgen::{BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, KeyPair, date_time_ymd};
    use std::sync::LazyLock;

    /// A certificate of "Mac 42" at Example, and one of an authority.
    static TWO: LazyLock<(String, String)> = LazyLock::new(|| {
        let key = KeyPair::generate().unwrap();
        let mut mac = CertificateParams::default();
        mac.distinguished_name = DistinguishedName::new();
        mac.distinguished_name.push(DnType::OrganizationName, "Example, \"Inc.\"");
        mac.distinguished_name.push(DnType::CommonName, "Mac é 42");
        mac.serial_number = Some(vec![0x0a, 0xff].into());
        mac.not_before = date_time_ymd(2026, 1, 2);
        mac.not_after = date_time_ymd(2027, 1, 2);
        let mut authority = CertificateParams::default();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        (mac.self_signed(&key).unwrap().pem(), authority.self_signed(&key).unwrap().pem())
    });

    fn known(output: &str) -> Vec<Certificate> {
        match read_certificates(output) {
            Fact::Known(certificates) => certificates,
            Fact::Unknown { why, .. } => panic!("{why}"),
        }
    }

    fn why(output: &str) -> String {
        match read_certificates(output) {
            Fact::Known(certificates) => panic!("{certificates:?}"),
            Fact::Unknown { why, .. } => why,
        }
    }

    #[test]
    fn what_a_certificate_says() {
        let (mac, authority) = &*TWO;
        let certificates = known(&format!("{mac}{authority}"));
        let [mac, authority] = certificates.as_slice() else { panic!("{certificates:?}") };
        let content = mac.content.as_ref().unwrap();
        assert_eq!(content.subject.common_name(), Some("Mac é 42"));
        assert_eq!(content.subject.text, "O=Example, \"Inc.\", CN=Mac é 42");
        assert_eq!(content.issuer, content.subject);
        assert_eq!(content.serial, "0AFF");
        assert_eq!(content.not_before.to_rfc3339(), "2026-01-02T00:00:00+00:00");
        assert_eq!(content.not_after.to_rfc3339(), "2027-01-02T00:00:00+00:00");
        assert!(!content.is_authority && authority.content.as_ref().unwrap().is_authority);
        assert_eq!((mac.sha1.len(), mac.sha256.len()), (40, 64));
        assert_ne!(mac.sha1, authority.sha1);
    }

    #[test]
    fn attributes_are_found_by_abbreviation_or_oid_in_letters_of_either_case() {
        let certificates = known(&TWO.0);
        let subject = &certificates[0].content.as_ref().unwrap().subject;
        assert!(subject.has("CN", "MAC É 42") && subject.has("2.5.4.3", "mac é 42") && subject.has("cn", " Mac é 42 "));
        assert!(!subject.has("O", "Mac é 42") && !subject.has("CN", "Mac") && !subject.has("", "Mac é 42"));
    }

    #[test]
    fn a_certificate_that_is_no_x509_keeps_its_digests() {
        let certificates = known(&format!("-----BEGIN CERTIFICATE-----\nAAEC\n-----END CERTIFICATE-----\n{}", TWO.0));
        assert_eq!(certificates.len(), 2);
        assert_eq!(certificates[0].sha1, "0c7a623fd2bbc05b06423be359e4021d36e721ad");
        assert!(certificates[0].content.is_err() && certificates[1].content.is_ok());
    }

    #[test]
    fn an_empty_keychain_prints_nothing() {
        assert_eq!(known(""), vec![]);
    }

    #[test]
    fn what_is_cut_off_or_no_certificate_is_a_sentence() {
        let begins = "The output of `security find-certificate -a -p` cannot be read: ";
        assert_eq!(why("security: error\n"), format!("{begins}it does not end with a certificate."));
        let cut = TWO.0.get(..TWO.0.len() / 2).unwrap();
        assert!(why(cut).starts_with(&format!("{begins}a certificate is cut off or damaged")));
        assert!(why(&TWO.0.replacen("MII", "M*I", 1)).starts_with(begins));
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "\\PC{0,80}", body in "[A-Za-z0-9+/=\\n -]{0,80}") {
            let _ = read_certificates(&text);
            let _ = read_certificates(&format!("-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n"));
        }

        #[test]
        fn no_damage_to_a_certificate_panics(at in any::<prop::sample::Index>(), bytes in prop::collection::vec(any::<u8>(), 0..4)) {
            let mut der = Pem::iter_from_buffer(TWO.0.as_bytes()).next().unwrap().unwrap().contents;
            let at = at.index(der.len());
            der.splice(at..(at + bytes.len()).min(der.len()), bytes);
            let _ = certificate(&der);
            der.truncate(at);
            prop_assert!(certificate(&der).content.is_err());
        }

        #[test]
        fn a_cut_output_is_not_read(cut in any::<prop::sample::Index>()) {
            let end = TWO.1.trim_end().len();
            let cut = format!("{}{}", TWO.0, TWO.1.get(..1 + cut.index(end - 1)).unwrap());
            prop_assert!(read_certificates(&cut).known().is_none());
        }
    }
}
