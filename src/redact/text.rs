//! Texts without names, whatever way the names are spelled in them.

use super::names::{Kind, LABELLED_ANYHOW, Names, part, pattern};
use crate::property_list;
use aho_corasick::{AhoCorasick, AhoCorasickKind, Anchored, BuildError, Input, Match, MatchKind, StartKind};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use regex::{Captures, Regex};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::LazyLock;

/// A value with fewer letters, or a number with fewer digits, stays in a sentence, where it is as likely something else.
/// Under a label that says what it is it does not.
const SHORTEST: usize = 4;
const SHORTEST_NUMBER: usize = 6;

/// From this length on a value is looked for within words too.
const LONG: usize = 8;

static BASE64: LazyLock<Regex> = LazyLock::new(|| pattern(r"[A-Za-z0-9+/]{6,}={1,2}|[A-Za-z0-9+/]{8,}"));
/// A certificate or key within a text.
static PEM: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?s)-----BEGIN [^-]{1,40}-----.*?-----END [^-]{1,40}-----"));
/// `2023-08-02 17:15:13+08 MacBook-Air softwareupdated[88542]: …`, and without year as right after an installation.
static HOST: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?m)^(?P<label>(?:\d{4}-\d\d-\d\d \d\d:\d\d:\d\d[+-]\d{2,4}|[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d) )(?P<value>\S+)",
    )
});
/// `  1) 0123456789ABCDEF0123456789ABCDEF01234567 "Mac "42"" (CSSMERR_TP_CERT_EXPIRED)`
static IDENTITY: LazyLock<Regex> =
    LazyLock::new(|| pattern(r#"(?m)^(?P<label>\s*\d+\) [0-9A-Fa-f]{40} ")(?P<value>.*)(?P<rest>"[^"]*)$"#));

/// Looks for all names at once, and puts what stands for them in their places.
pub struct Replacer {
    names: Names,
    finder: AhoCorasick,
    replacements: Vec<Replacement>,
}

struct Replacement {
    with: String,
    /// Whether it is looked for between words only.
    whole: bool,
}

impl Replacer {
    /// `digests` are other texts to replace, of certificates that are written anew.
    pub fn new(names: Names, digests: Vec<(String, String)>) -> Result<Self, BuildError> {
        let known = names.iter().filter(|(value, _)| {
            let is_number = value.bytes().all(|byte| byte.is_ascii_digit());
            value.chars().count() >= if is_number { SHORTEST_NUMBER } else { SHORTEST }
        });
        let known = known.map(|(value, with)| (value.to_owned(), with.to_owned()));
        let mut all = BTreeMap::new();
        for (value, with) in known.chain(digests) {
            // The search knows both cases of plain letters only.
            let cases = [value.to_lowercase(), value.to_uppercase(), value];
            for spelling in cases.iter().flat_map(|value| spellings(value)) {
                let whole = spelling.chars().count() < LONG;
                all.entry(spelling.to_ascii_lowercase()).or_insert(Replacement { with: with.clone(), whole });
            }
        }
        let (patterns, replacements): (Vec<String>, _) = all.into_iter().unzip();
        let finder = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            .ascii_case_insensitive(true)
            .kind(Some(AhoCorasickKind::ContiguousNFA))
            .start_kind(StartKind::Both)
            .build(patterns)?;
        Ok(Self { names, finder, replacements })
    }

    /// The names.
    pub fn names(&self) -> &Names {
        &self.names
    }

    /// A text without them.
    pub fn text(&self, text: &str) -> String {
        let mut text = PEM.replace_all(text, "redacted").into_owned();
        for pattern in LABELLED_ANYHOW {
            text = pattern.replace_all(&text, |found: &Captures<'_>| self.labelled(found)).into_owned();
        }
        let text = BASE64.replace_all(&text, |found: &Captures<'_>| self.encoded(found));
        self.plain(&text)
    }

    /// A text that is a value as a whole.
    pub fn value(&self, value: &str) -> String {
        self.names.placeholder(value).map_or_else(|| self.text(value), str::to_owned)
    }

    /// install.log, in each line of which the Mac's name stands.
    pub fn install_log(&self, text: &str) -> String {
        self.text(&HOST.replace_all(text, |found: &Captures<'_>| self.in_place(found)))
    }

    /// The list of identities, each with its name.
    pub fn identities(&self, text: &str) -> String {
        self.text(&IDENTITY.replace_all(text, |found: &Captures<'_>| self.in_place(found)))
    }

    fn in_place(&self, found: &Captures<'_>) -> String {
        format!("{}{}{}", part(found, "label"), self.value(part(found, "value")), part(found, "rest"))
    }

    /// A value under a label, however short it is.
    fn labelled(&self, found: &Captures<'_>) -> String {
        let whole = || part(found, "label").to_owned() + part(found, "value");
        let Some(with) =
            Kind::under(part(found, "key")).and_then(|_| self.names.placeholder(&unescaped(part(found, "value"))))
        else {
            return whole();
        };
        let value = part(found, "value");
        let quote = value.get(..1).filter(|first| ["\"", "'"].contains(first)).unwrap_or_default();
        format!("{}{quote}{with}{quote}", part(found, "label"))
    }

    /// What is encoded in base64, if there is a name in it.
    fn encoded(&self, found: &Captures<'_>) -> String {
        let text = found.get(0).map_or("", |found| found.as_str());
        match STANDARD.decode(text) {
            Ok(bytes) if self.finder.is_match(&bytes) => String::from_utf8(bytes)
                .map_or_else(|_| "redacted".to_owned(), |inner| STANDARD.encode(self.plain(&inner))),
            _ => text.to_owned(),
        }
    }

    /// Bytes without names: what is no text is let go as a whole.
    pub fn bytes(&self, bytes: &[u8]) -> Vec<u8> {
        std::str::from_utf8(bytes).map(|text| self.text(text).into_bytes()).unwrap_or_default()
    }

    /// A text without the names as they stand in it.
    pub fn plain(&self, text: &str) -> String {
        let mut without = String::with_capacity(text.len());
        let mut at = 0;
        while let Some((found, with)) = self.next(text, at) {
            without.push_str(text.get(at..found.start()).unwrap_or_default());
            without.push_str(with);
            at = found.end();
        }
        without.push_str(text.get(at..).unwrap_or_default());
        without
    }

    /// The next name from there on, and what stands for it.
    fn next(&self, text: &str, from: usize) -> Option<(Match, &str)> {
        let (mut span, mut anchored) = (from..text.len(), Anchored::No);
        loop {
            match self.finder.find(Input::new(text).span(span.clone()).anchored(anchored)) {
                Some(found) => match self.replacements.get(found.pattern().as_usize()) {
                    Some(replacement) if !replacement.whole || is_whole(text, &found) => {
                        return Some((found, &replacement.with));
                    }
                    // A part of a word. A shorter name may begin there too,
                    _ => (span, anchored) = (found.start()..found.end() - 1, Anchored::Yes),
                },
                // or one behind it, within the same word.
                None if anchored == Anchored::Yes => (span, anchored) = (span.start + 1..text.len(), Anchored::No),
                None => return None,
            }
        }
    }
}

/// Whether no word goes on before or behind it.
fn is_whole(text: &str, found: &Match) -> bool {
    let before = text.get(..found.start()).and_then(|before| before.chars().next_back());
    let behind = text.get(found.end()..).and_then(|behind| behind.chars().next());
    ![before, behind].into_iter().flatten().any(char::is_alphanumeric)
}

/// The hosts of install.log's lines.
pub fn hosts(text: &str) -> impl Iterator<Item = &str> {
    HOST.captures_iter(text).map(|found| part(&found, "value"))
}

/// The texts that are encoded in base64 within a text.
pub fn decoded(text: &str) -> impl Iterator<Item = String> {
    BASE64.find_iter(text).filter_map(|found| {
        let inner = String::from_utf8(STANDARD.decode(found.as_str()).ok()?).ok()?;
        (!inner.contains(|letter: char| letter.is_control() && !letter.is_whitespace())).then_some(inner)
    })
}

/// A value as it is meant: without quotes and their escapes.
pub fn unescaped(value: &str) -> Cow<'_, str> {
    if !value.starts_with('"') {
        return Cow::Borrowed(value.strip_prefix('\'').and_then(|value| value.strip_suffix('\'')).unwrap_or(value));
    }
    match property_list::parse(format!("({value})").as_bytes()).ok().and_then(plist::Value::into_array).as_deref() {
        Some([plist::Value::String(text)]) => Cow::Owned(text.clone()),
        _ => Cow::Borrowed(value.trim_matches('"')),
    }
}

/// The ways in which a value is written: as it is, in XML, in JSON, in a URL, and in a property list as text.
fn spellings(value: &str) -> Vec<String> {
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
    all.push(escaped(&quoted));
    for head in ["\\u", "\\U", "\\\\U"] {
        all.push(escaped(&|one| quoted(one).or_else(|| numbered(head, one))));
    }
    all.push(escaped(&|one| {
        let mut bytes = [0; 4];
        (!one.is_ascii_alphanumeric() && !"-._~".contains(one)).then(|| {
            one.encode_utf8(&mut bytes).bytes().fold(String::new(), |mut text, byte| {
                let _ = write!(text, "%{byte:02X}");
                text
            })
        })
    }));
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn replacer(names: &[(Kind, &str)]) -> Replacer {
        let mut all = Names::default();
        names.iter().for_each(|(kind, value)| all.add(*kind, value));
        Replacer::new(all, vec![("ABCDEF".to_owned(), "FEDCBA".to_owned())]).unwrap()
    }

    #[test]
    fn a_short_name_is_a_word_and_a_long_one_is_found_anywhere() {
        let replacer = replacer(&[(Kind::User, "anna"), (Kind::Serial, "C02ZK1ABMD6T"), (Kind::Host, "g-1")]);
        for (text, without) in [
            ("anna, Anna's savanna", "user1, user1's savanna"),
            ("idC02ZK1ABMD6Tx c02zk1abmd6t", "idSERIAL1x SERIAL1"),
            ("g-1 of anna", "g-1 of user1"),
            ("hostName = g-1;", "hostName = host1;"),
            ("sha abcdef", "sha FEDCBA"),
        ] {
            assert_eq!(replacer.text(text), without);
        }
    }

    #[test]
    fn a_name_that_is_only_a_part_of_a_word_hides_no_other_one() {
        let replacer = replacer(&[(Kind::Serial, "C02ZK1ABMD6T"), (Kind::User, "mac-c0"), (Kind::User, "anna")]);
        assert_eq!(replacer.text("mac-C02ZK1ABMD6T"), "mac-SERIAL1");
        let names: Vec<_> = [(Kind::User, "anna"), (Kind::Host, "anna-mb")].into();
        assert_eq!(self::replacer(&names).text("anna-mb of anna-mbp"), "host1 of user1-mbp");
    }

    #[test]
    fn a_name_is_found_in_every_spelling() {
        let replacer = replacer(&[(Kind::Organisation, "Söhne & \"Co\"")]);
        for text in [
            "Söhne & \"Co\"",
            "SÖHNE & \"CO\"",
            "Söhne &amp; \"Co\"",
            "Söhne &amp; &quot;Co&quot;",
            "S\\u00f6hne & \\\"Co\\\"",
            "S\\U00f6hne & \\\"Co\\\"",
            "S\\\\U00f6hne & \\\"Co\\\"",
            "S%C3%B6hne%20%26%20%22Co%22",
        ] {
            assert_eq!(replacer.text(&format!("of {text}.")), "of organisation1.", "{text}");
        }
        let encoded = STANDARD.encode("of Söhne & \"Co\"");
        assert_eq!(replacer.text(&encoded), STANDARD.encode("of organisation1"));
        assert_eq!(replacer.text(&STANDARD.encode([b"\xff\xfe", "Söhne & \"Co\"".as_bytes()].concat())), "redacted");
    }

    #[test]
    fn a_secret_is_taken_out_in_whatever_form_it_has_under_its_label() {
        for (text, without) in [
            ("PushToken = {length = 32, bytes = 0x068b4535 172f7bd3 ... 61731ac3};", "PushToken = secret1;"),
            ("UnlockToken = { length = 4, bytes = 0x068b4535 };", "UnlockToken = secret1;"),
            ("UnlockToken = <068b4535 172f7bd3>;", "UnlockToken = secret1;"),
            ("Password='two words'", "Password='secret1'"),
            ("<key>Password</key>\n<string>two words</string>", "<key>Password</key>\n<string>secret1</string>"),
            ("<key>UnlockToken</key><data>\nAAEC\nAwQ=\n</data>", "<key>UnlockToken</key><data>\nsecret1\n</data>"),
            ("PhoneNumber = \"+1 306 555 1212\";", "PhoneNumber = \"name1\";"),
            ("the key is AB12-CD34-EF56-GH78-IJ90-KL12.", "the key is secret1."),
            ("iTunesStoreAccountHash = \"NQBfrI+cV1y9dfhj2iA0000=\";", "iTunesStoreAccountHash = \"secret1\";"),
        ] {
            let mut names = Names::default();
            names.search(text);
            assert_eq!(Replacer::new(names, Vec::new()).unwrap().text(text), without);
        }
    }

    #[test]
    fn what_holds_no_name_stays_as_it_is() {
        let replacer = replacer(&[(Kind::Organisation, "Acme")]);
        for text in [
            "",
            "/usr/libexec/mdmclient",
            "[0:MDMDaemon:HTTPUtil:<0x2001>] >>>>> Sending HTTP request (PUT) [Idle] >>>>>",
        ] {
            assert_eq!(replacer.text(text), text);
        }
    }

    proptest! {
        #[test]
        fn no_text_panics_and_no_long_name_stays(text in "\\PC{0,80}", name in "[a-z]{9,12}") {
            let mut names = Names::default();
            names.search(&text);
            names.add(Kind::Name, &name);
            let replacer = Replacer::new(names, Vec::new()).unwrap();
            let without = replacer.text(&format!("{text} {name}{text}"));
            prop_assert!(!without.contains(&name));
        }
    }
}
