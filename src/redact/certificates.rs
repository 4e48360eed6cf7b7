//! Certificates without names. A certificate cannot be edited, so one is made that says the same of other names: the
//! same serial number, validity and use, a key that is none, no signature, and no extension but the one that makes an
//! authority. Its digests change, and are changed wherever else they stand.

use super::names::Names;
use super::plists::of_attribute;
use crate::facts::certificates::hex;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::DateTime;
use sha1::Sha1;
use sha2::{Digest, Sha256};
use x509_parser::certificate::X509Certificate;
use x509_parser::pem::Pem;
use x509_parser::prelude::FromDer;
use x509_parser::time::ASN1Time;
use x509_parser::x509::X509Name;

/// The algorithm Ed25519: a sequence with its OID.
const ALGORITHM: [u8; 7] = [0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70];
/// Version 3, as a certificate has it.
const VERSION: [u8; 5] = [0xa0, 0x03, 0x02, 0x01, 0x02];
/// The only extension: basic constraints, of an authority.
const AUTHORITY: [u8; 18] =
    [0xa3, 0x10, 0x30, 0x0e, 0x30, 0x0c, 0x06, 0x03, 0x55, 0x1d, 0x13, 0x04, 0x05, 0x30, 0x03, 0x01, 0x01, 0xff];

/// Adds the names in certificates.
pub fn collect(text: &str, names: &mut Names) {
    for pem in blocks(text) {
        let Ok((_, certificate)) = X509Certificate::from_der(&pem.contents) else { continue };
        for name in [certificate.subject(), certificate.issuer()] {
            for attribute in name.iter_attributes() {
                if let Ok(value) = attribute.as_str() {
                    names.add(of_attribute(&attribute.attr_type().to_id_string()), value);
                }
            }
        }
    }
}

/// Every digest of a certificate, and that of the one which stands for it.
pub fn digests(text: &str, names: &Names) -> Vec<(String, String)> {
    let pair = |pem: Pem| {
        let (old, new) = (pem.contents.as_slice(), anew(&pem.contents, names));
        [(hex(&Sha1::digest(old)), hex(&Sha1::digest(&new))), (hex(&Sha256::digest(old)), hex(&Sha256::digest(&new)))]
    };
    blocks(text).flat_map(pair).collect()
}

/// Certificates in PEM, with other names.
pub fn without(text: &str, names: &Names) -> String {
    let block = |pem: Pem| {
        let encoded = STANDARD.encode(anew(&pem.contents, names));
        let lines = encoded.as_bytes().chunks(64).map(String::from_utf8_lossy);
        format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.collect::<Vec<_>>().join("\n"))
    };
    let certificates: String = blocks(text).map(block).collect();
    // What is damaged stays so.
    let whole = text.trim().is_empty() || Pem::iter_from_buffer(text.as_bytes()).all(|pem| pem.is_ok());
    if whole { certificates } else { certificates + "redacted\n" }
}

fn blocks(text: &str) -> impl Iterator<Item = Pem> {
    Pem::iter_from_buffer(text.as_bytes()).map_while(Result::ok)
}

/// The certificate that stands for one; for what is none, something that is none either.
fn anew(der: &[u8], names: &Names) -> Vec<u8> {
    let key = Sha256::digest(der);
    let Ok((_, certificate)) = X509Certificate::from_der(der) else { return key.to_vec() };
    let validity = certificate.validity();
    let Some((from, to)) = moment(validity.not_before).zip(moment(validity.not_after)) else { return key.to_vec() };
    let public_key = sequence(&[ALGORITHM.to_vec(), bits(&key)]);
    let mut parts = vec![
        VERSION.to_vec(),
        element(0x02, certificate.raw_serial()),
        ALGORITHM.to_vec(),
        name(certificate.issuer(), names),
        sequence(&[from, to]),
        name(certificate.subject(), names),
        public_key,
    ];
    if certificate.is_ca() {
        parts.push(AUTHORITY.to_vec());
    }
    sequence(&[sequence(&parts), ALGORITHM.to_vec(), bits(&[0; 64])])
}

fn name(name: &X509Name<'_>, names: &Names) -> Vec<u8> {
    let attribute = |attribute: &x509_parser::x509::AttributeTypeAndValue<'_>| {
        let value = attribute.as_str().map_or("redacted", |value| names.placeholder(value).unwrap_or(harmless(value)));
        sequence(&[element(0x06, attribute.attr_type().as_bytes()), element(0x0c, value.as_bytes())])
    };
    let relative =
        name.iter_rdn().map(|relative| element(0x31, &relative.iter().map(attribute).collect::<Vec<_>>().concat()));
    sequence(&relative.collect::<Vec<_>>())
}

/// A value that counts for no name. What Apple calls its own may still end with whose Mac it is.
fn harmless(value: &str) -> &str {
    let is_apples = value.to_ascii_lowercase().starts_with("com.apple.");
    let is_word = |byte: u8| byte.is_ascii_lowercase() || byte == b'.';
    if is_apples && !value.bytes().all(is_word) { "redacted" } else { value }
}

/// A moment as UTCTime up to 2049, and as GeneralizedTime from then on.
fn moment(at: ASN1Time) -> Option<Vec<u8>> {
    let at = DateTime::from_timestamp(at.timestamp(), 0)?;
    let text = at.format("%Y%m%d%H%M%SZ").to_string();
    let short = text.get(2..).filter(|_| text.as_str() >= "1950" && text.as_str() < "2050");
    Some(short.map_or_else(|| element(0x18, text.as_bytes()), |short| element(0x17, short.as_bytes())))
}

fn sequence(parts: &[Vec<u8>]) -> Vec<u8> {
    element(0x30, &parts.concat())
}

fn bits(bytes: &[u8]) -> Vec<u8> {
    element(0x03, &[&[0], bytes].concat())
}

/// An element of DER: its tag, how long it is, and what it holds.
fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    let digits: Vec<u8> = length.iter().copied().skip_while(|byte| *byte == 0).collect();
    let head = match (content.len(), u8::try_from(digits.len())) {
        (short @ 0..=127, _) => vec![tag, u8::try_from(short).unwrap_or_default()],
        (_, count) => [vec![tag, 0x80 | count.unwrap_or_default()], digits].concat(),
    };
    [&head, content].concat()
}

#[cfg(test)]
mod tests {
    use super::super::kind::Kind;
    use super::*;
    use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, KeyPair, date_time_ymd};

    #[test]
    fn the_one_that_stands_for_a_certificate_says_the_same_of_other_names() {
        let key = KeyPair::generate().unwrap();
        let long = "Acme ".repeat(60);
        for (is_ca, last_year) in [(true, 2049), (true, 2050), (false, 2027)] {
            let mut params = CertificateParams::new(vec!["mdm.acme.test".to_owned()]).unwrap();
            params.distinguished_name.push(DnType::CommonName, long.trim());
            params.distinguished_name.push(DnType::CountryName, "US");
            params.is_ca = if is_ca { IsCa::Ca(BasicConstraints::Unconstrained) } else { IsCa::NoCa };
            (params.not_before, params.not_after) = (date_time_ymd(1999, 12, 31), date_time_ymd(last_year, 6, 1));
            let pem = params.self_signed(&key).unwrap().pem();
            let mut names = Names::default();
            collect(&pem, &mut names);
            assert!(names.placeholder(&long).is_some());
            let text = without(&pem, &names);
            let (old, new) = (blocks(&pem).next().unwrap().contents, blocks(&text).next().unwrap().contents);
            let (_, before) = X509Certificate::from_der(&old).unwrap();
            let (rest, after) = X509Certificate::from_der(&new).unwrap();
            assert!(rest.is_empty());
            assert_eq!(
                (before.validity(), before.is_ca(), before.raw_serial()),
                (after.validity(), after.is_ca(), after.raw_serial())
            );
            assert_eq!(after.subject(), after.issuer());
            assert_eq!(after.subject().iter_common_name().next().unwrap().as_str().ok(), names.placeholder(&long));
            assert!(!String::from_utf8_lossy(&new).contains("cme"));
            assert_eq!(
                digests(&pem, &names),
                [&Sha1::digest(&old)[..], &Sha256::digest(&old)]
                    .map(hex)
                    .into_iter()
                    .zip([&Sha1::digest(&new)[..], &Sha256::digest(&new)].map(hex))
                    .collect::<Vec<_>>()
            );
        }
    }

    #[test]
    fn what_is_apples_own_stays_unless_it_may_say_whose_mac_it_is() {
        let key = KeyPair::generate().unwrap();
        for (name, expected) in [
            ("com.apple.systemdefault", "com.apple.systemdefault"),
            ("com.apple.idms.appleid.C02ZK1ABMD6T", "redacted"),
        ] {
            let mut params = CertificateParams::default();
            params.distinguished_name.push(DnType::CommonName, name);
            let pem = params.self_signed(&key).unwrap().pem();
            let mut names = Names::default();
            collect(&pem, &mut names);
            let without = blocks(&without(&pem, &names)).next().unwrap().contents;
            let (_, certificate) = X509Certificate::from_der(&without).unwrap();
            assert_eq!(certificate.subject().iter_common_name().next().unwrap().as_str().ok(), Some(expected));
        }
    }

    #[test]
    fn what_is_no_certificate_and_what_is_damaged_stay_so() {
        let mut names = Names::default();
        names.add(Kind::Name, "secret name");
        let nothing =
            format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", STANDARD.encode("secret name"));
        let text = without(&nothing, &names);
        assert_eq!((blocks(&text).count(), text.contains(&STANDARD.encode("secret name"))), (1, false));
        assert!(X509Certificate::from_der(&blocks(&text).next().unwrap().contents).is_err());
        assert!(without(&nothing[..50], &names).ends_with("redacted\n"));
        assert_eq!(without("", &names), "");
    }
}
