//! Values that stand under a label: `SerialNumber = C02…;`, `"UDID" => "…"`, `Serial Number: C02…`, `--password …`, and
//! the keys of XML property lists. A value without quotes reaches as far as its kind says.

use super::find::{Find, Scope, pattern};
use super::kind::{Kind, Reach};
use crate::property_list;
use regex::Regex;
use std::borrow::Cow;
use std::ops::Range;
use std::sync::LazyLock;

/// The longest label and the longest quoted value, in bytes.
const MAX_LABEL: usize = 60;
const MAX_VALUE: usize = 4096;
/// The most values of a list under one label.
const MAX_LIST: usize = 50;
/// A name has at most so many words.
const MAX_WORDS: usize = 5;

/// A key and its value in XML: `<key>UDID</key><string>…</string>`.
static IN_XML: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"<key>(?P<key>[^<]{1,100})</key>\s*<(?:string|data|integer)>\s*(?P<value>[^<]*[^<\s])"));
/// `--password hunter2`
static FLAG: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r#"(?:^|\s)--?(?P<key>[A-Za-z][A-Za-z-]{1,30})\s+(?P<value>"[^"\n]*"|'[^'\n]*'|[^\s-]\S*)"#)
});
/// `username 'ghopper'`
static BEFORE_QUOTES: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r#"(?P<key>[A-Za-z][A-Za-z-]{2,24}(?: [A-Za-z]{2,12})?) (?:["“](?P<value>[^"”\n]{1,200})["”]|['‘](?P<other>[^'’\n]{1,200})['’])"#,
    )
});
/// `Grace Hopper`
static PERSON: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"^\p{Lu}[\p{L}\p{M}'’-]+(?: \p{Lu}[\p{L}\p{M}'’.-]*){1,3}$|^\p{Lo}{2,5}$"));
/// `{length = 32, bytes = 0x068b4535 … 61731ac3}` and `<068b4535 172f7bd3>`.
static DATA: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"\{ ?length = \d+, (?:capacity = \d+, )?bytes = 0x[^{}]{1,400}\}|<[0-9A-Fa-f]{8}(?: ?[0-9A-Fa-f]{2,8})+>|<[0-9A-Fa-f]{16,}>",
    )
});

/// Values that say nothing.
const EMPTY: [&str; 14] = [
    "true",
    "false",
    "yes",
    "no",
    "none",
    "null",
    "nil",
    "(null)",
    "<private>",
    "private",
    "unknown",
    "default",
    "enabled",
    "disabled",
];

/// Finds every value with a label.
pub fn find(text: &str, found: &mut Vec<Find>) {
    for at in memchr::memchr2_iter(b'=', b':', text.as_bytes()) {
        let Some(begin) = value_begin(text, at) else { continue };
        let Some(label) = label(text, at) else { continue };
        let Some(kind) = Kind::under(label) else {
            if label.eq_ignore_ascii_case("name") {
                person(text, begin, found);
            }
            continue;
        };
        values(text, begin, kind, text.as_bytes().get(at) == Some(&b'='), found);
    }
    if text.contains("<key>") {
        for captures in IN_XML.captures_iter(text) {
            let kind = captures.name("key").and_then(|key| Kind::under(key.as_str()));
            if let Some((kind, value)) = kind.zip(captures.name("value")) {
                add(text, value.range(), Cow::Borrowed(value.as_str()), kind, Scope::Everywhere, found);
            }
        }
    }
    if text.contains(" -") || text.starts_with('-') {
        for captures in FLAG.captures_iter(text) {
            let kind = captures.name("key").and_then(|key| Kind::under(key.as_str()));
            if let Some((kind, value)) = kind.zip(captures.name("value")) {
                add(text, value.range(), unescaped(value.as_str()), kind, Scope::Everywhere, found);
            }
        }
    }
    if [" \"", " '", " “", " ‘"].iter().any(|quote| text.contains(quote)) {
        for captures in BEFORE_QUOTES.captures_iter(text) {
            let kind = captures.name("key").and_then(|key| Kind::under(key.as_str()));
            let value = captures.name("value").or_else(|| captures.name("other"));
            if let Some((kind, value)) = kind.zip(value) {
                add(text, value.range(), Cow::Borrowed(value.as_str()), kind, Scope::Here, found);
            }
        }
    }
    if text.contains(['{', '<']) {
        for data in DATA.find_iter(text) {
            found.push(Find::whole(data.range(), data.as_str(), Kind::Secret, Scope::Here));
        }
    }
}

/// A name in quotes that looks like a person's: `"name":"Grace Hopper"`.
fn person(text: &str, begin: usize, found: &mut Vec<Find>) {
    let rest = bounded(text, begin);
    let quoted = rest.trim_start_matches('\\').strip_prefix('"');
    let Some(inner) = quoted.and_then(|quoted| quoted.get(..quoted.find(['"', '\\'])?)) else { return };
    if PERSON.is_match(inner) {
        let from = begin + rest.len() - quoted.map_or(0, str::len);
        add(text, from..from + inner.len(), Cow::Borrowed(inner), Kind::User, Scope::Here, found);
    }
}

/// Where the value behind a separator begins; `None` where it separates nothing, as in `==`, `://` and `::`.
fn value_begin(text: &str, at: usize) -> Option<usize> {
    let (before, behind) = (text.get(..at)?, text.get(at + 1..)?);
    let is_part = before.ends_with(['=', ':', '!', '<', '>', '+', '-'])
        || behind.starts_with(['=', ':', '/'])
        || before.ends_with(|letter: char| letter.is_ascii_digit())
            && behind.starts_with(|letter: char| letter.is_ascii_digit());
    if is_part {
        return None;
    }
    let value = behind.strip_prefix('>').unwrap_or(behind).trim_start_matches([' ', '\t']);
    Some(text.len() - value.len())
}

/// The label before a separator: a quoted text, or up to four words.
fn label(text: &str, at: usize) -> Option<&str> {
    let before = text.get(..at)?.trim_end_matches([' ', '\t']);
    if let Some(quoted) = before.strip_suffix(['"', '\'', '”', '’']) {
        let quoted = quoted.trim_end_matches('\\');
        let begin = quoted.rfind(['"', '\'', '“', '‘'])? + 1;
        return quoted.get(begin..).filter(|label| label.len() <= MAX_LABEL);
    }
    let is_label = |letter: char| letter.is_alphanumeric() || matches!(letter, ' ' | '_' | '-' | '(' | ')');
    let words = before.rfind(|letter| !is_label(letter)).and_then(|stop| before.get(stop..));
    let words = words.map_or(before, |words| words.trim_start_matches(|letter| !is_label(letter)));
    // `Serial Number (system)`
    let words =
        words.rsplit_once('(').filter(|(_, rest)| rest.ends_with(')')).map_or(words, |(words, _)| words).trim_end();
    let begin = words.char_indices().rev().filter(|(_, letter)| *letter == ' ').nth(3).map_or(0, |(at, _)| at + 1);
    words.get(begin..).filter(|label| !label.is_empty() && label.len() <= MAX_LABEL)
}

/// The value there, or the values of a list.
fn values(text: &str, begin: usize, kind: Kind, is_assigned: bool, found: &mut Vec<Find>) {
    let rest = text.get(begin..).unwrap_or_default();
    if !rest.starts_with(['(', '[']) {
        value(text, begin, kind, is_assigned, found);
        return;
    }
    let mut at = begin + 1;
    for _ in 0..MAX_LIST {
        let rest = text.get(at..).unwrap_or_default();
        let next = rest.trim_start_matches([' ', '\t', '\n', '\r', ',']);
        at += rest.len() - next.len();
        if next.is_empty() || next.starts_with([')', ']', '(', '[', '{']) {
            return;
        }
        let end = value(text, at, kind, true, found);
        if end <= at {
            return;
        }
        at = end;
    }
}

/// Adds the value there, and gives its end.
fn value(text: &str, begin: usize, kind: Kind, is_assigned: bool, found: &mut Vec<Find>) -> usize {
    let rest = bounded(text, begin);
    // `\"` within a text that is quoted itself.
    let escapes = rest.len() - rest.trim_start_matches('\\').len();
    let head = rest.get(escapes..).unwrap_or_default();
    let closing = match head.chars().next() {
        Some('"') => "\"",
        Some('\'') => "'",
        Some('“') => "”",
        Some('‘') => "’",
        Some('«') => "»",
        Some('{' | '<') if escapes == 0 => return begin,
        _ => return bare(text, begin, kind, is_assigned, found),
    };
    let opening = head.chars().next().map_or(0, char::len_utf8);
    let inner = head.get(opening..).unwrap_or_default();
    let ending = format!("{}{closing}", rest.get(..escapes).unwrap_or_default());
    let end = if closing == "\"" && escapes == 0 { end_of_quoted(inner) } else { inner.find(&ending) };
    let Some(end) = end else {
        // The quotes are not closed: the text was cut off.
        let line = inner.lines().next().unwrap_or_default();
        let from = begin + escapes + opening;
        add(text, from..from + line.len(), Cow::Borrowed(line), kind, Scope::Here, found);
        return from + line.len();
    };
    let from = begin + escapes + opening;
    let whole = text.get(from - opening..from + end + closing.len()).unwrap_or_default();
    let meant = if closing == "\"" && escapes == 0 {
        Cow::Owned(unescaped(whole).into_owned())
    } else {
        Cow::Borrowed(inner.get(..end).unwrap_or_default())
    };
    add(text, from..from + end, meant, kind, Scope::Everywhere, found);
    from + end + ending.len()
}

/// What follows there, as far as a value can reach.
fn bounded(text: &str, begin: usize) -> &str {
    let rest = text.get(begin..).unwrap_or_default();
    rest.get(..rest.floor_char_boundary(MAX_VALUE)).unwrap_or_default()
}

/// The end of a quoted text, in which quotes may be escaped.
fn end_of_quoted(inner: &str) -> Option<usize> {
    let mut escaped = false;
    inner.bytes().position(|byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    })
}

/// A value without quotes.
fn bare(text: &str, begin: usize, kind: Kind, is_assigned: bool, found: &mut Vec<Find>) -> usize {
    let rest = bounded(text, begin);
    let is_cookie = kind == Kind::Secret
        && text.get(..begin).unwrap_or_default().to_ascii_lowercase().trim_end().ends_with("cookie:");
    let stop: &[char] = match kind.reach() {
        _ if is_cookie => &['\n', '\r', '"'],
        Reach::Word => &[' ', '\t', '\n', '\r', ';', ',', '(', ')', '{', '}', '<', '>', '"', '\'', ']', '|', '&'],
        Reach::Name | Reach::Rest => &['\n', '\r', '\t', ';', ',', '(', ')', '{', '}', '<', '>', '"', ']', '|', '&'],
    };
    let stretch = rest.get(..rest.find(stop).unwrap_or(rest.len())).unwrap_or_default();
    let end = if is_cookie || kind.reach() == Reach::Word {
        stretch.len()
    } else {
        end_of_name(stretch, kind.reach(), is_assigned)
    };
    let value = stretch.get(..end).unwrap_or_default().trim_end();
    let bare = value.trim_end_matches(['.', ',', ':']);
    // A word in a sentence is as likely none.
    let is_word = !is_assigned && bare.bytes().all(|byte| byte.is_ascii_lowercase());
    if is_word && kind == Kind::Host {
        return begin;
    }
    let scope = if is_word && kind != Kind::Secret { Scope::Here } else { Scope::Everywhere };
    add(text, begin..begin + bare.len(), Cow::Borrowed(bare), kind, scope, found);
    let first = bare.split(' ').next().unwrap_or_default();
    if first.len() < bare.len() && !is_word {
        found.push(Find::known(first, kind));
    }
    begin + value.len()
}

/// Where a name ends that is followed by other words.
fn end_of_name(stretch: &str, reach: Reach, is_assigned: bool) -> usize {
    let words: Vec<(usize, &str)> = {
        let mut at = 0;
        stretch
            .split_inclusive(' ')
            .map(|word| {
                let begin = at;
                at += word.len();
                (begin, word.trim_end())
            })
            .collect()
    };
    let end_of = |count: usize| words.get(count.saturating_sub(1)).map_or(0, |(begin, word)| begin + word.len());
    let is_label = |word: &str| {
        word.contains('=') || word.ends_with(':') || word.starts_with("--") || ["|", "-", "—"].contains(&word)
    };
    // The next label may have several words; at least the first word is the value's.
    let next_label = words.iter().skip(1).position(|(_, word)| is_label(word)).map(|at| at + 1);
    let whole = next_label.unwrap_or(words.len());
    let is_lowercase = |word: &str| word.chars().all(|letter| letter.is_ascii_lowercase() || letter == '\'');
    let capitalized = |word: &str| {
        word.chars().next().is_some_and(|first| first.is_uppercase() || !first.is_lowercase() && first.is_alphabetic())
    };
    let leading =
        1 + words.iter().skip(1).take(whole.saturating_sub(1)).take_while(|(_, word)| capitalized(word)).count();
    let fits = whole <= MAX_WORDS && next_label.is_none();
    match reach {
        Reach::Rest if fits => end_of(whole),
        Reach::Rest => end_of(1),
        _ if is_assigned && (fits || next_label.is_some() && whole <= 3) => end_of(whole),
        _ if fits && whole <= 2 => end_of(whole),
        _ if fits
            && words.iter().take(whole).any(|(_, word)| !is_lowercase(word))
            && words.iter().take(whole).all(|(_, word)| capitalized(word)) =>
        {
            end_of(whole)
        }
        _ => end_of(leading.min(MAX_WORDS)),
    }
}

fn add(text: &str, span: Range<usize>, value: Cow<'_, str>, kind: Kind, scope: Scope, found: &mut Vec<Find>) {
    let trimmed = value.trim();
    if trimmed.is_empty() || EMPTY.contains(&trimmed.to_ascii_lowercase().as_str()) || !may_be(kind, trimmed) {
        return;
    }
    let written = text.get(span.clone()).unwrap_or_default();
    found.push(Find {
        span: Some(span),
        value: if written == trimmed { None } else { Some(trimmed.to_owned()) },
        kind,
        scope,
    });
}

/// Whether the value can be one of its kind.
fn may_be(kind: Kind, value: &str) -> bool {
    let is_number = value.bytes().all(|byte| byte.is_ascii_digit());
    let is_elsewhere_found = value.contains("://") || value.starts_with('/') || value.starts_with("0x");
    match kind {
        Kind::Secret => true,
        _ if is_elsewhere_found => false,
        // The ids of accounts on a Mac begin at 501, the same on each.
        Kind::User => (!is_number || value.len() > 3) && !is_apples(value),
        Kind::Hardware => value.contains([':', '-', '.']) || value.len() == 12,
        _ => true,
    }
}

/// The title of an update: `macOS Sequoia 15.6`.
pub fn is_apples(value: &str) -> bool {
    ["macOS ", "Safari", "XProtect", "Rosetta", "Command Line Tools", "Gatekeeper", "com.apple."]
        .iter()
        .any(|head| value.starts_with(head))
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
