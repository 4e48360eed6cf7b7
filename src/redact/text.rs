//! Texts without names, in whatever way the names are written in them.

use super::find::{part, pattern};
use super::names::{Names, find};
use super::spelling::{self, BASE64};
use aho_corasick::{AhoCorasick, AhoCorasickKind, Anchored, BuildError, Input, Match, MatchKind, StartKind};
use regex::{Captures, Regex};
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::LazyLock;

/// A value with fewer letters, or a number with fewer digits, stays in a sentence, where it is as likely something else.
/// Under a label that says what it is it does not.
const SHORTEST: usize = 4;
const SHORTEST_NUMBER: usize = 6;
/// In a script without blanks between words, a name has two letters.
const SHORTEST_DENSE: usize = 2;

/// From this length on a value is looked for within words too.
const LONG: usize = 8;

/// How many times base64 is looked for within base64.
const NESTED: u8 = 3;

/// The host in a line of install.log, in every form of its time: `2023-08-02 17:15:13+08`, `…+05:30`, `…-0330`, with `T`
/// or fractions of seconds, and without a year as right after an installation.
static HOST: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?m)^(?P<label>(?:\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(?:[.,]\d{1,9})? ?(?:Z|[+-]\d{2}(?::?\d{2})?)?|[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d) +)(?P<value>\S+)",
    )
});
/// `  1) 0123456789ABCDEF0123456789ABCDEF01234567 "Mac "42"" (CSSMERR_TP_CERT_EXPIRED)`
static IDENTITY: LazyLock<Regex> =
    LazyLock::new(|| pattern(r#"(?m)^(?P<label>\s*\d+\) [0-9A-Fa-f]{40} ")(?P<value>.*)(?P<rest>"[^"\n]*)$"#));

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

/// A stretch of a text, and what takes its place.
struct Change {
    span: Range<usize>,
    with: String,
    /// Of two changes of the same stretch the lower one is made.
    rank: u8,
}

impl Replacer {
    /// `digests` are other texts to replace, of certificates that are written anew.
    pub fn new(names: Names, digests: Vec<(String, String)>) -> Result<Self, BuildError> {
        let is_long_enough = |value: &str| {
            let is_number = value.bytes().all(|byte| byte.is_ascii_digit());
            let shortest = match () {
                () if is_number => SHORTEST_NUMBER,
                () if is_dense(value) => SHORTEST_DENSE,
                () => SHORTEST,
            };
            value.chars().count() >= shortest
        };
        let known = names.iter().filter(|(value, _)| is_long_enough(value));
        let known = known.map(|(value, with)| (value.to_owned(), with.to_owned()));
        let mut all = BTreeMap::new();
        for (value, with) in digests.into_iter().chain(known) {
            for spelling in spelling::spellings(&value) {
                let whole = spelling.chars().count() < LONG && !is_dense(&spelling);
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

    pub fn names(&self) -> &Names {
        &self.names
    }

    /// A text without names.
    pub fn text(&self, text: &str) -> String {
        self.without(text, NESTED)
    }

    /// A text that is a value as a whole.
    pub fn value(&self, value: &str) -> String {
        self.names.placeholder(value).map_or_else(|| self.text(value), str::to_owned)
    }

    /// install.log, in each line of which the Mac's name stands.
    pub fn install_log(&self, text: &str) -> String {
        let without = |line: &str| match HOST.captures(line) {
            Some(found) => {
                let head = part(&found, "label");
                let rest = found.get(0).and_then(|head| line.get(head.end()..)).unwrap_or_default();
                format!("{head}{}{}", self.value(part(&found, "value")), self.text(rest))
            }
            None => self.text(line),
        };
        text.split('\n').map(without).collect::<Vec<_>>().join("\n")
    }

    /// The list of identities, each with its name.
    pub fn identities(&self, text: &str) -> String {
        let mut without = String::with_capacity(text.len());
        let mut at = 0;
        for found in IDENTITY.captures_iter(text) {
            let Some(whole) = found.get(0) else { continue };
            without += &self.text(text.get(at..whole.start()).unwrap_or_default());
            without += &self.identity(&found);
            at = whole.end();
        }
        without + &self.text(text.get(at..).unwrap_or_default())
    }

    fn identity(&self, found: &Captures<'_>) -> String {
        let (head, name) = (part(found, "label"), part(found, "value"));
        format!("{}{}{}", self.plain(head), self.value(name), self.text(part(found, "rest")))
    }

    /// Bytes without names: what is not text is left out as a whole.
    pub fn bytes(&self, bytes: &[u8]) -> Vec<u8> {
        std::str::from_utf8(bytes).map(|text| self.text(text).into_bytes()).unwrap_or_default()
    }

    fn without(&self, text: &str, nested: u8) -> String {
        let mut changes = self.known(text);
        for found in find(text) {
            let Some(span) = found.span else { continue };
            let written = text.get(span.clone()).unwrap_or_default();
            let value = found.value.as_deref().unwrap_or(written);
            if self.names.is_kept(value) {
                changes.push(Change { span, with: written.to_owned(), rank: 0 });
            } else if value == "redacted" {
                changes.push(Change { span, with: value.to_owned(), rank: 0 });
            } else if let Some(with) = self.names.placeholder(value) {
                changes.push(Change { span, with: with.to_owned(), rank: 2 });
            }
        }
        if nested > 0 {
            changes.extend(BASE64.find_iter(text).filter_map(|found| {
                let with = self.encoded(found.as_str(), nested - 1)?;
                Some(Change { span: found.range(), with, rank: 3 })
            }));
        }
        made(text, changes)
    }

    /// A text without the names that are looked for everywhere.
    pub fn plain(&self, text: &str) -> String {
        made(text, self.known(text))
    }

    /// What is encoded in base64, if there is a name in it.
    fn encoded(&self, token: &str, nested: u8) -> Option<String> {
        let bytes = spelling::decode(token)?;
        match spelling::readable(bytes.clone()) {
            Some(inner) => {
                let with = self.names.placeholder(&inner).map_or_else(|| self.without(&inner, nested), str::to_owned);
                (with != inner).then(|| spelling::encode_like(token, with.as_bytes()))
            }
            None => self.finder.is_match(&bytes).then(|| "redacted".to_owned()),
        }
    }

    /// Where the names stand that are looked for everywhere.
    fn known(&self, text: &str) -> Vec<Change> {
        let (mut changes, mut at) = (Vec::new(), 0);
        while let Some((found, with)) = self.next(text, at) {
            changes.push(Change { span: found.range(), with: with.to_owned(), rank: 1 });
            at = found.end();
        }
        changes
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

/// The text with its changes. Where two of them overlap, the one that begins first and reaches further is made, and what
/// of the other one lies behind it goes as well.
fn made(text: &str, mut changes: Vec<Change>) -> String {
    changes.sort_by_key(|change| (change.span.start, std::cmp::Reverse(change.span.end), change.rank));
    let mut without = String::with_capacity(text.len());
    let mut at = 0;
    for change in changes {
        if change.span.start >= at {
            without.push_str(text.get(at..change.span.start).unwrap_or_default());
            without.push_str(&change.with);
            at = change.span.end;
        } else if change.span.end > at && change.rank > 0 {
            without.push_str("redacted");
            at = change.span.end;
        }
    }
    without.push_str(text.get(at..).unwrap_or_default());
    without
}

/// Whether no word goes on before or behind it.
fn is_whole(text: &str, found: &Match) -> bool {
    let before = text.get(..found.start()).and_then(|before| before.chars().next_back());
    let behind = text.get(found.end()..).and_then(|behind| behind.chars().next());
    ![before, behind].into_iter().flatten().any(char::is_alphanumeric)
}

/// Whether words are not separated by blanks in its script: Chinese, Japanese, Thai.
fn is_dense(value: &str) -> bool {
    value.chars().all(|letter| matches!(letter, '\u{e00}'..='\u{e7f}' | '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '\u{ac00}'..='\u{d7af}' | '\u{20000}'..='\u{3ffff}'))
}

/// The hosts of install.log's lines.
pub fn hosts(text: &str) -> impl Iterator<Item = &str> {
    HOST.captures_iter(text).map(|found| part(&found, "value"))
}

#[cfg(test)]
mod tests {
    use super::super::kind::Kind;
    use super::*;
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
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

    /// A line without a quote, which was once taken for the end of the line before it and left as it was.
    #[test]
    fn what_follows_an_identity_is_redacted_too() {
        let replacer = replacer(&[(Kind::User, "ghopper"), (Kind::Mail, "g@acme.test")]);
        let list =
            "  1) 0123456789ABCDEF0123456789ABCDEF01234567 \"Mac 42\" (of ghopper)\nnothing of g@acme.test (x)\n";
        let without = replacer.identities(list);
        assert!(!without.contains("ghopper") && !without.contains("g@acme.test"), "{without}");
        assert!(without.contains("\"Mac 42\" (of user1)\nnothing of mail1@mail.invalid (x)\n"), "{without}");
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
