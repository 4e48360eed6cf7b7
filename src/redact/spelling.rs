//! The ways in which a value is written: as it is, in other cases and forms of Unicode, escaped in XML, JSON, URLs and
//! property lists, and within base64.

use super::find::pattern;
use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use regex::Regex;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::LazyLock;
use unicode_normalization::UnicodeNormalization as _;

const ANY_PADDING: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, ANY_PADDING);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, ANY_PADDING);

pub static BASE64: LazyLock<Regex> = LazyLock::new(|| pattern(r"[A-Za-z0-9+/_-]{6,}={1,2}|[A-Za-z0-9+/_-]{8,}"));

/// What a token of base64 holds; `None` if it is none.
pub fn decode(token: &str) -> Option<Vec<u8>> {
    STANDARD.decode(token).or_else(|_| URL_SAFE.decode(token)).ok()
}

/// In the way in which it was written.
pub fn encode_like(token: &str, bytes: &[u8]) -> String {
    let encoded = if token.contains(['-', '_']) { URL_SAFE.encode(bytes) } else { STANDARD.encode(bytes) };
    if token.ends_with('=') || token.len().is_multiple_of(4) {
        encoded
    } else {
        encoded.trim_end_matches('=').to_owned()
    }
}

/// Text that was in base64. Most words of eight letters are base64 of something that is none.
pub fn readable(bytes: Vec<u8>) -> Option<String> {
    let text = String::from_utf8(bytes).ok()?;
    (!text.contains(|letter: char| letter.is_control() && !letter.is_whitespace())).then_some(text)
}

/// The texts that are encoded in base64 within a text.
pub fn decoded(text: &str) -> impl Iterator<Item = String> {
    BASE64.find_iter(text).filter_map(|found| readable(decode(found.as_str())?))
}

/// Every way of writing a value but for the case of plain letters.
pub fn spellings(value: &str) -> BTreeSet<String> {
    let mut forms = BTreeSet::from([value.to_owned(), value.nfc().collect(), value.nfd().collect()]);
    if !value.is_ascii() {
        forms.extend(forms.clone().iter().flat_map(|form| [form.to_lowercase(), form.to_uppercase()]));
    }
    // A name on a Mac is written with either.
    if value.contains(['\'', '’']) {
        forms.extend(forms.clone().iter().flat_map(|form| [form.replace('\'', "’"), form.replace('’', "'")]));
    }
    forms.iter().flat_map(|form| escaped(form)).collect()
}

fn escaped(value: &str) -> Vec<String> {
    let mut all = vec![value.to_owned()];
    let xml = value.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    all.push(xml.replace('"', "&quot;").replace('\'', "&apos;"));
    all.push(xml);
    let escaped = |letter: &dyn Fn(char) -> Option<String>| {
        value.chars().fold(String::new(), |mut text, one| {
            text += &letter(one).unwrap_or_else(|| one.to_string());
            text
        })
    };
    let quoted = |one: char| ['"', '\\'].contains(&one).then(|| format!("\\{one}"));
    let numbered = |head: &str, one: char| {
        let mut units = [0; 2];
        (!one.is_ascii()).then(|| {
            one.encode_utf16(&mut units).iter().fold(String::new(), |mut text, unit| {
                let _ = write!(text, "{head}{unit:04x}");
                text
            })
        })
    };
    let bytes = |is_plain: fn(char) -> bool, write: &dyn Fn(u8) -> String| {
        escaped(&|one| {
            let mut bytes = [0; 4];
            (!is_plain(one)).then(|| one.encode_utf8(&mut bytes).bytes().map(write).collect())
        })
    };
    all.push(escaped(&quoted));
    for head in ["\\u", "\\U", "\\\\U", "\\\\u"] {
        all.push(escaped(&|one| quoted(one).or_else(|| numbered(head, one))));
    }
    all.push(bytes(|one| one.is_ascii_alphanumeric() || "-._~".contains(one), &|byte| format!("%{byte:02X}")));
    // `\303\251`
    all.push(bytes(|one| one.is_ascii(), &|byte| format!("\\{byte:03o}")));
    // `first+last` in a form, and `first-last` in a host's name.
    if value.contains(' ') {
        all.push(value.replace(' ', "+"));
        all.push(value.replace(' ', "-"));
        all.push(value.replace(' ', "\\ "));
    }
    all
}
