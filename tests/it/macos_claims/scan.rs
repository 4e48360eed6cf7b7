//! Finds in a source the strings that say something about macOS.

use proc_macro2::{Delimiter, Group, LineColumn, TokenStream, TokenTree};
use std::fmt;

/// The columns of our own database say nothing about macOS.
const OUR_RECORD: &str = "src/facts/record";

/// Something about macOS that the code contains as a string.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Constant {
    pub text: String,
    pub kind: Kind,
    pub file: String,
    pub line: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Path,
    Label,
    Command,
    Key,
    Pattern,
}

impl fmt::Display for Kind {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Path => "an absolute path",
            Self::Label => "a label, domain or subsystem",
            Self::Command => "a command's arguments",
            Self::Key => "a key",
            Self::Pattern => "a pattern",
        })
    }
}

/// The string constants of a source that say something about macOS. Tests, comments and messages for people are none.
pub fn constants(file: &str, source: &str) -> Vec<Constant> {
    let tokens: TokenStream = source.parse().unwrap_or_else(|error| panic!("{file}: {error}"));
    let mut scan = Scan { file, found: Vec::new(), literals: Vec::new() };
    scan.tokens(tokens, "", "");
    scan.found.dedup();
    scan.found
}

/// Every string literal of a source, with its line; those of tests and attributes are left out.
pub fn literals(file: &str, source: &str) -> Vec<(String, usize)> {
    let tokens: TokenStream = source.parse().unwrap_or_else(|error| panic!("{file}: {error}"));
    let mut scan = Scan { file, found: Vec::new(), literals: Vec::new() };
    scan.tokens(tokens, "", "");
    scan.literals
}

struct Scan<'f> {
    file: &'f str,
    found: Vec<Constant>,
    literals: Vec<(String, usize)>,
}

/// Functions and macros that take a sentence for people, a word of our own or what stands between others, and no text of
/// macOS.
const FOR_PEOPLE: [&str; 14] = [
    "format",
    "write",
    "writeln",
    "unknown",
    "not_understood",
    "other",
    "error",
    "off",
    "expect",
    "env",
    "push",
    "join",
    "println",
    "eprintln",
];

/// Functions that look for a text in another, or for a key in a list.
const MATCHING: [&str; 19] = [
    "get",
    "dictionary",
    "list",
    "number",
    "flag",
    "text",
    "value",
    "content",
    "said",
    "strip_prefix",
    "strip_suffix",
    "starts_with",
    "ends_with",
    "contains",
    "split_once",
    "rsplit_once",
    "skip_while",
    "split",
    "dictionary_after",
];

impl Scan<'_> {
    /// Walks tokens: `caller` is the function or macro whose arguments they are, `function` the function they lie in.
    fn tokens(&mut self, tokens: TokenStream, caller: &str, function: &str) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let mut function = function.to_owned();
        let mut pascal_case = false;
        let mut at = 0;
        while let Some(token) = tokens.get(at) {
            if let Some((attribute, length)) = attribute(&tokens, at) {
                let words = attribute.stream().to_string();
                if words.starts_with("cfg") && words.contains("test") {
                    at = item_end(&tokens, at + length);
                    continue;
                }
                pascal_case |= words.contains("rename_all") && words.contains("PascalCase");
                if words.starts_with("serde") {
                    self.renamed(attribute);
                }
                at += length;
                continue;
            }
            match token {
                TokenTree::Ident(word) if *word == "fn" => function = ident(tokens.get(at + 1)).unwrap_or_default(),
                TokenTree::Group(group) => {
                    let name = called(&tokens, at);
                    if function == "arguments" && group.delimiter() == Delimiter::Bracket {
                        self.command(group);
                    } else if pascal_case && group.delimiter() == Delimiter::Brace {
                        pascal_case = false;
                        self.fields(group);
                    } else {
                        self.tokens(group.stream(), name.as_deref().unwrap_or(caller), &function);
                    }
                }
                TokenTree::Literal(literal) => {
                    if let Some(text) = text_of(&literal.to_string()) {
                        self.text(&text, literal.span().start(), caller);
                    }
                }
                _ => {}
            }
            at += 1;
        }
    }

    fn text(&mut self, text: &str, place: LineColumn, caller: &str) {
        self.literals.push((text.to_owned(), place.line));
        let words = text.trim();
        if is_path(words) {
            return self.push(words, Kind::Path, place);
        }
        if is_label(words) {
            return self.push(words, Kind::Label, place);
        }
        // A piece of a log predicate: what it compares with stands in quotation marks.
        if ["CONTAINS", "BEGINSWITH", "ENDSWITH", "LIKE", "MATCHES", "=="]
            .iter()
            .any(|word| text.contains(&format!("{word} \"")))
        {
            // What a template leaves open is no text of macOS.
            for quoted in text.split('"').skip(1).step_by(2).filter(|quoted| !quoted.contains('{')) {
                self.push(quoted.trim(), if is_label(quoted) { Kind::Label } else { Kind::Pattern }, place);
            }
            return;
        }
        let own_word = text.bytes().all(|byte| byte.is_ascii_lowercase() || b"_-. ".contains(&byte));
        let too_short = text.bytes().filter(u8::is_ascii_alphanumeric).count() < 3;
        if FOR_PEOPLE.contains(&caller) || too_short || text.contains('{') && text.contains('}') {
            return;
        }
        let matches = MATCHING.contains(&caller);
        if self.file.starts_with("src/event") && !own_word {
            self.push(words, Kind::Pattern, place);
        } else if is_key(words) && !own_word {
            self.push(words, Kind::Key, place);
        } else if matches && self.file.starts_with("src/facts") && !self.file.starts_with(OUR_RECORD) {
            // Here even `count` is a key, but `not_understood` is a reason of ours.
            if !own_word || !text.contains('_') {
                self.push(words, Kind::Key, place);
            }
        } else if matches && !own_word {
            self.push(words, Kind::Pattern, place);
        }
    }

    /// `["status", "-type", "enrollment"]`, in `fn arguments`: a command line, up to what is no literal.
    fn command(&mut self, group: &Group) {
        let mut words = Vec::new();
        let place = group.span_open().start();
        for token in group.stream() {
            match token {
                TokenTree::Literal(literal) => words.extend(text_of(&literal.to_string())),
                TokenTree::Punct(comma) if comma.as_char() == ',' => {}
                _ => break,
            }
        }
        if !words.is_empty() {
            self.push(&words.join(" "), Kind::Command, place);
        }
    }

    /// `#[serde(rename = "_computerlevel")]`
    fn renamed(&mut self, attribute: &Group) {
        let Some(TokenTree::Group(inside)) = attribute.stream().into_iter().nth(1) else { return };
        let inside: Vec<TokenTree> = inside.stream().into_iter().collect();
        for (at, token) in inside.iter().enumerate() {
            let is_rename = ["rename", "alias"].contains(&ident(Some(token)).unwrap_or_default().as_str());
            if let (true, Some(TokenTree::Literal(literal))) = (is_rename, inside.get(at + 2)) {
                let text = text_of(&literal.to_string()).unwrap_or_default();
                self.push(&text, Kind::Key, literal.span().start());
            }
        }
    }

    /// The fields of a struct whose keys are its names in `PascalCase`.
    fn fields(&mut self, group: &Group) {
        let tokens: Vec<TokenTree> = group.stream().into_iter().collect();
        let mut renamed = false;
        for (at, token) in tokens.iter().enumerate() {
            if let Some((attribute, _)) = attribute(&tokens, at) {
                renamed |= attribute.to_string().contains("rename");
                self.renamed(attribute);
                continue;
            }
            let colon =
                |token: Option<&TokenTree>| matches!(token, Some(TokenTree::Punct(mark)) if mark.as_char() == ':');
            let (TokenTree::Ident(name), true, false) = (token, colon(tokens.get(at + 1)), colon(tokens.get(at + 2)))
            else {
                continue;
            };
            let within_a_path = at.checked_sub(1).is_some_and(|before| colon(tokens.get(before)));
            if !within_a_path && !std::mem::take(&mut renamed) {
                let pascal: String = name.to_string().split('_').map(capital).collect();
                self.push(&pascal, Kind::Key, name.span().start());
            }
        }
    }

    fn push(&mut self, text: &str, kind: Kind, place: LineColumn) {
        if !text.is_empty() {
            self.found.push(Constant { text: text.to_owned(), kind, file: self.file.to_owned(), line: place.line });
        }
    }
}

fn capital(word: &str) -> String {
    let (first, rest) = word.split_at(word.len().min(1));
    first.to_uppercase() + rest
}

/// `#[…]` or `#![…]` at that place, and of how many tokens.
fn attribute(tokens: &[TokenTree], at: usize) -> Option<(&Group, usize)> {
    let is = |at: usize, mark: char| matches!(tokens.get(at), Some(TokenTree::Punct(found)) if found.as_char() == mark);
    let bracket = if is(at, '#') && is(at + 1, '!') { at + 2 } else { at + 1 };
    match tokens.get(bracket) {
        Some(TokenTree::Group(group)) if is(at, '#') && group.delimiter() == Delimiter::Bracket => {
            Some((group, bracket + 1 - at))
        }
        _ => None,
    }
}

/// The place behind an item: behind its braces or its semicolon.
fn item_end(tokens: &[TokenTree], from: usize) -> usize {
    let ends = |token: &TokenTree| match token {
        TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
        TokenTree::Punct(mark) => mark.as_char() == ';',
        _ => false,
    };
    tokens.iter().skip(from).position(ends).map_or(tokens.len(), |length| from + length + 1)
}

fn ident(token: Option<&TokenTree>) -> Option<String> {
    match token {
        Some(TokenTree::Ident(word)) => Some(word.to_string()),
        _ => None,
    }
}

/// The name before an argument list: `get` of `get(…)`, `format` of `format!(…)`.
fn called(tokens: &[TokenTree], at: usize) -> Option<String> {
    let before = |steps: usize| at.checked_sub(steps).and_then(|at| tokens.get(at));
    match before(1) {
        Some(TokenTree::Punct(mark)) if mark.as_char() == '!' => ident(before(2)),
        token => ident(token),
    }
}

/// The text of a string literal; `None` for characters, bytes and numbers.
fn text_of(literal: &str) -> Option<String> {
    if let Some(raw) = literal.strip_prefix('r') {
        let hashes = raw.len() - raw.trim_start_matches('#').len();
        return raw.get(hashes + 1..raw.len() - hashes - 1).map(str::to_owned);
    }
    let mut letters = literal.strip_prefix('"')?.strip_suffix('"')?.chars().peekable();
    let mut text = String::new();
    while let Some(letter) = letters.next() {
        match (letter, if letter == '\\' { letters.next() } else { None }) {
            ('\\', Some('n' | 'r' | 't' | '0')) => text.push(' '),
            ('\\', Some('\n')) => while letters.next_if(|letter| letter.is_whitespace()).is_some() {},
            ('\\', Some(escaped)) => text.push(escaped),
            (letter, _) => text.push(letter),
        }
    }
    Some(text)
}

fn is_path(text: &str) -> bool {
    let mut letters = text.chars();
    letters.next() == Some('/') && letters.next().is_some_and(|letter| letter.is_ascii_alphabetic())
}

/// `com.apple.mdm`, `system/com.apple.softwareupdated`, `org.mdm-health`, `kern.boottime`.
fn is_label(text: &str) -> bool {
    let text = text.strip_prefix("system/").unwrap_or(text);
    let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte));
    plain && ["com.", "org.", "io.", "kern."].iter().any(|start| text.starts_with(start))
}

/// `ProfileUUID`, `adminInstallRequired`, `_computerlevel`: one word with a capital in it, or a leading underscore.
fn is_key(text: &str) -> bool {
    let word = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let humps = text.bytes().skip(1).any(|byte| byte.is_ascii_uppercase());
    let letters = text.bytes().any(|byte| byte.is_ascii_lowercase());
    word && (letters && (humps || text.starts_with(|first: char| first.is_ascii_uppercase())) || text.starts_with('_'))
}
