//! The error in what the Mac says of a failure: domain and code, and what they mean where that is public.

use crate::vocabulary::Code;
use crate::vocabulary::codes::KnownError;

/// The longest domain that is taken for one.
const LONGEST: usize = 64;

/// The most errors that are looked at in one text.
const MOST: usize = 16;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailureCode {
    pub domain: String,
    pub code: i64,
    /// What is known of it, or of an error beneath it.
    pub known: Option<KnownError>,
    /// Whether it, or an error beneath it, is about a full disk.
    pub disk_is_full: bool,
}

impl FailureCode {
    /// The first error of a text is the outermost. If nobody knows what it means, one beneath it may say it.
    pub fn find(text: &str) -> Option<Self> {
        let all: Vec<(&str, i64)> = errors(text).into_iter().take(MOST).collect();
        let (domain, code) = *all.first()?;
        let known: Vec<KnownError> = all.iter().filter_map(|(domain, code)| known(domain, *code)).collect();
        let full = [KnownError::NSPOSIXErrorDomain28, KnownError::NSCocoaErrorDomain640];
        let disk_is_full = known.iter().any(|known| full.contains(known));
        Some(Self { domain: domain.to_owned(), code, known: known.first().copied(), disk_is_full })
    }

    /// A sentence or two: what it means and what to do, or that nobody says it.
    pub fn meaning(&self) -> String {
        match self.known {
            Some(known) => format!("{} {}", known.meaning(), known.advice()),
            None => format!("No public source says what {} {} means.", self.domain, self.code),
        }
    }
}

/// Codes of NSURLErrorDomain are negative; a positive one is something else.
fn known(domain: &str, code: i64) -> Option<KnownError> {
    let sign_is_right = (code < 0) == (domain == "NSURLErrorDomain");
    KnownError::from_word(&format!("{domain}_{}", code.unsigned_abs())).filter(|_| sign_is_right)
}

/// In their order: `Error Domain=NSURLErrorDomain Code=-1009 "…"`, `[SUMacControllerErrorPrepareFailed=7740]` of
/// SUMacControllerError, `[NSPOSIXErrorDomain:2]` and `(SUMacControllerError error 7507.)`.
fn errors(text: &str) -> Vec<(&str, i64)> {
    let is_name = |letter: char| letter.is_ascii_alphanumeric() || letter == '.' || letter == '_';
    let mut found = Vec::new();
    for (at, letter) in text.char_indices().filter(|(_, letter)| is_name(*letter)) {
        let (before, from) = text.split_at(at);
        if before.ends_with(is_name) || found.len() >= MOST {
            continue;
        }
        let end = from.find(|letter: char| !is_name(letter)).unwrap_or(from.len());
        let (name, behind) = from.split_at(end);
        if name.len() > LONGEST || !letter.is_ascii_alphabetic() {
            continue;
        }
        let of = |mark: &str| behind.strip_prefix(mark).and_then(number);
        if before.ends_with("Domain=") {
            found.extend(of(" Code=").map(|code| (name, code)));
        } else if let Some(code) = of("=").filter(|_| name.starts_with("SUMacControllerError")) {
            found.push(("SUMacControllerError", code));
        } else if name.ends_with("Domain") {
            found.extend(of(":").or_else(|| of(" error ")).map(|code| (name, code)));
        } else if name.ends_with("Error") {
            found.extend(of(" error ").map(|code| (name, code)));
        }
    }
    found
}

/// The number at the beginning of a text.
fn number(text: &str) -> Option<i64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let end = digits.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(digits.len());
    text.get(..text.len() - digits.len() + end)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn found(text: &str) -> Option<(String, i64, Option<&'static str>)> {
        FailureCode::find(text).map(|found| (found.domain, found.code, found.known.map(KnownError::word)))
    }

    #[test]
    fn each_form_of_an_error_is_read() {
        for (text, domain, code, known) in [
            (
                "Error Domain=NSURLErrorDomain Code=-1009 \"The Internet connection appears to be offline.\"",
                "NSURLErrorDomain",
                -1009,
                Some("NSURLErrorDomain_1009"),
            ),
            (
                "[SUMacControllerErrorAccessRequestDenied=7507] Access request was denied",
                "SUMacControllerError",
                7507,
                Some("SUMacControllerError_7507"),
            ),
            (
                "The operation couldn\u{2019}t be completed. (SUMacControllerError error 7999.)",
                "SUMacControllerError",
                7999,
                None,
            ),
            ("<NSPOSIXErrorDomain:28>", "NSPOSIXErrorDomain", 28, Some("NSPOSIXErrorDomain_28")),
        ] {
            assert_eq!(found(text), Some((domain.to_owned(), code, known)), "{text}");
        }
        for text in ["", "Software update failed.", "Code=5", "NSURLErrorDomain", "Error Domain= Code=1", "x:28"] {
            assert_eq!(found(text), None, "{text}");
        }
    }

    #[test]
    fn an_error_beneath_an_unknown_one_explains_it_and_the_first_keeps_its_number() {
        let text = "Error Domain=SUMacControllerError Code=7999 \"…\" UserInfo={NSUnderlyingError=0x6 {Error Domain=NSPOSIXErrorDomain Code=28 \"No space left on device\"}}";
        assert_eq!(found(text), Some(("SUMacControllerError".to_owned(), 7999, Some("NSPOSIXErrorDomain_28"))));
    }

    #[test]
    fn an_unknown_code_says_so_and_a_code_of_the_wrong_sign_is_unknown() {
        let unknown = FailureCode::find("Error Domain=SUMacControllerError Code=1 \"x\"").unwrap();
        assert_eq!(unknown.meaning(), "No public source says what SUMacControllerError 1 means.");
        assert_eq!(
            found("Error Domain=NSURLErrorDomain Code=1009 \"x\""),
            Some(("NSURLErrorDomain".to_owned(), 1009, None))
        );
    }

    #[test]
    fn every_known_error_has_a_public_source_an_advice_and_a_number() {
        assert!(KnownError::ALL.len() >= 30);
        for error in KnownError::ALL {
            let definition = error.definition().unwrap();
            assert!(!definition.source.is_empty() && !definition.advice.is_empty(), "{}", definition.word);
            let (domain, code) = definition.word.rsplit_once('_').unwrap();
            let sign = if domain == "NSURLErrorDomain" { "-" } else { "" };
            let text = format!("Error Domain={domain} Code={sign}{code} \"x\"");
            assert_eq!(found(&text).unwrap().2, Some(definition.word));
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_a_panic(text in ".{0,300}") {
            let _ = FailureCode::find(&text);
        }
    }
}
