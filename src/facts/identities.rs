//! The identities of the System keychain, as `security find-identity` lists them: certificates with their private keys.

use super::{Source, from_command};
use crate::host::{Command, Host};
use crate::vocabulary::codes::{SourceName, SourceReason};
use crate::vocabulary::{Fact, Limits, Reading};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The certificate's SHA-1, in lower-case hexadecimal digits.
    pub sha1: String,
    /// Its name, mostly the certificate's common name.
    pub name: String,
    /// What `security` holds against it, such as `CSSMERR_TP_CERT_EXPIRED`.
    pub error: Option<String>,
}

impl Source for Vec<Identity> {
    const NAME: SourceName = SourceName::Identities;
    const LIMITS: Limits = Limits::HOURLY;

    fn read(host: &dyn Host) -> Reading<Self> {
        from_command(host, Command::Identities, read_identities).into()
    }
}

/// Reads the output (its layout is long-stable; the common name is made up):
///
/// ```text
/// Policy: X.509 Basic
///   Matching identities
///   1) 0123456789ABCDEF0123456789ABCDEF01234567 "5D0C1A6E-2B0F-4B6E-9E53-0C7A2F4D1B11"
///   2) 89ABCDEF0123456789ABCDEF0123456789ABCDEF "com.apple.systemdefault" (CSSMERR_TP_CERT_EXPIRED)
///      2 identities found
///
///   Valid identities only
///   1) 0123456789ABCDEF0123456789ABCDEF01234567 "5D0C1A6E-2B0F-4B6E-9E53-0C7A2F4D1B11"
///      1 valid identities found
/// ```
///
/// The first list has them all, and counts only if it is as long as it says.
pub fn read_identities(output: &str) -> Fact<Vec<Identity>> {
    let mut identities: Vec<Identity> = Vec::new();
    let mut lines = output.lines().map(str::trim).skip_while(|line| *line != "Matching identities").skip(1);
    loop {
        let Some(line) = lines.next() else {
            return not_understood("it holds no whole list of matching identities");
        };
        if let Some(count) = line.strip_suffix(" identities found") {
            return match count.parse() == Ok(identities.len()) {
                true => Fact::Known(identities),
                false => not_understood(&format!("it lists {} identities but says {line:?}", identities.len())),
            };
        }
        match entry(line) {
            Some(identity) => identities.push(identity),
            None if line.is_empty() => {}
            None => {
                let shown: String = line.chars().take(80).collect();
                return not_understood(&format!("{shown:?} is no identity"));
            }
        }
    }
}

fn entry(line: &str) -> Option<Identity> {
    let (number, rest) = line.split_once(") ")?;
    number.parse::<u32>().ok()?;
    let (sha1, rest) = rest.split_once(' ')?;
    let is_sha1 = sha1.len() == 40 && sha1.bytes().all(|byte| byte.is_ascii_hexdigit());
    let (name, behind) = rest.strip_prefix('"').filter(|_| is_sha1)?.rsplit_once('"')?;
    let error = match behind.trim() {
        "" => None,
        tag => Some(tag.strip_prefix('(')?.strip_suffix(')')?.to_owned()),
    };
    Some(Identity { sha1: sha1.to_ascii_lowercase(), name: name.to_owned(), error })
}

fn not_understood(what: &str) -> Fact<Vec<Identity>> {
    Fact::unknown(
        SourceReason::NotUnderstood,
        format!("The output of `security find-identity` cannot be read: {what}."),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TWO: &str = r#"
Policy: X.509 Basic
  Matching identities
  1) 0123456789ABCDEF0123456789ABCDEF01234567 "Mac "42" (left)"
  2) 89ABCDEF0123456789ABCDEF0123456789ABCDEF "com.apple.systemdefault" (CSSMERR_TP_CERT_EXPIRED)
     2 identities found

  Valid identities only
  1) 0123456789ABCDEF0123456789ABCDEF01234567 "Mac "42" (left)"
     1 valid identities found
"#;

    fn two() -> Vec<Identity> {
        vec![
            Identity {
                sha1: "0123456789abcdef0123456789abcdef01234567".to_owned(),
                name: "Mac \"42\" (left)".to_owned(),
                error: None,
            },
            Identity {
                sha1: "89abcdef0123456789abcdef0123456789abcdef".to_owned(),
                name: "com.apple.systemdefault".to_owned(),
                error: Some("CSSMERR_TP_CERT_EXPIRED".to_owned()),
            },
        ]
    }

    fn why(output: &str) -> String {
        match read_identities(output) {
            Fact::Known(identities) => panic!("{identities:?}"),
            Fact::Unknown { why, .. } => why,
        }
    }

    #[test]
    fn all_identities_with_what_is_held_against_them() {
        assert_eq!(read_identities(TWO), Fact::Known(two()));
    }

    #[test]
    fn none_at_all_is_an_answer() {
        let none = "\nPolicy: X.509 Basic\n  Matching identities\n     0 identities found\n\n  Valid identities only\n     \
                    0 valid identities found\n";
        assert_eq!(read_identities(none), Fact::Known(vec![]));
    }

    #[test]
    fn a_list_of_valid_identities_only_is_not_enough() {
        let valid = "  1) 0123456789ABCDEF0123456789ABCDEF01234567 \"Mac\"\n     1 valid identities found\n";
        assert!(why(valid).ends_with("it holds no whole list of matching identities."));
    }

    #[test]
    fn a_line_that_is_lost_or_not_understood_is_a_sentence() {
        let lost: String = TWO.lines().filter(|line| !line.contains("2) ")).map(|line| format!("{line}\n")).collect();
        assert!(why(&lost).ends_with("it lists 1 identities but says \"2 identities found\"."));
        assert!(why(&TWO.replace("  1) ", "  1) x")).contains("is no identity"));
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "\\PC{0,80}", line in "[0-9A-F)( \"]{0,60}") {
            let _ = (read_identities(&text), read_identities(&format!("Matching identities\n{line}")));
        }

        #[test]
        fn a_cut_list_is_the_whole_one_or_none(cut in any::<prop::sample::Index>()) {
            if let Fact::Known(identities) = read_identities(TWO.get(..cut.index(TWO.len())).unwrap()) {
                prop_assert_eq!(identities, two());
            }
        }
    }
}
