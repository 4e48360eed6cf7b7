//! Hosts: in URLs, with the login, path and query around them, and by themselves.

use super::find::{Find, Scope, pattern};
use super::kind::Kind;
use regex::Regex;
use std::ops::Range;
use std::sync::LazyLock;

static URL: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r#"(?i)\b[a-z][a-z0-9+.-]*:\\?/\\?/(?:(?P<login>[^/\s@"'<>]+)@)?(?P<host>\[[0-9A-Fa-f:.]+\]|[^/\\\s:"'<>;,)?&]+)(?P<rest>[^\s"'<>;)]*)"#,
    )
});
/// A name with dots, and perhaps a port.
static HOST: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"(?P<host>[\p{L}\p{N}][\p{L}\p{M}\p{N}-]*(?:\.[\p{L}\p{N}][\p{L}\p{M}\p{N}-]*)+)(?P<port>:[0-9]{2,5}\b)?")
});

/// The ends of hosts' names. Names of packages (`com.apple.mdm`) begin with one of them.
const ENDS: [&str; 40] = [
    "com", "net", "org", "edu", "gov", "mil", "int", "io", "dev", "cloud", "biz", "info", "us", "uk", "ca", "de", "fr",
    "eu", "ch", "at", "nl", "be", "it", "es", "pt", "se", "no", "fi", "dk", "pl", "cz", "ru", "ua", "cn", "jp", "kr",
    "au", "nz", "br", "test",
];

/// The words of paths that name nobody.
const PATH: [&str; 44] = [
    "mdm",
    "mdmm",
    "checkin",
    "check-in",
    "server",
    "serverurl",
    "connect",
    "command",
    "commands",
    "api",
    "v1",
    "v2",
    "v3",
    "v4",
    "enroll",
    "enrollment",
    "scep",
    "acme",
    "profile",
    "profiles",
    "device",
    "devices",
    "computer",
    "computers",
    "depprofile",
    "cloudconfig",
    "mdmserviceconfig",
    ".well-known",
    "com.apple.remotemanagement",
    "declarative",
    "declarativemanagement",
    "ota",
    "apple",
    "manifest",
    "manifests",
    "package",
    "packages",
    "index.html",
    "status",
    "update",
    "updates",
    "assets",
    "help",
    "x",
];

/// Adds hosts and what stands around them.
pub fn find(text: &str, found: &mut Vec<Find>) {
    if text.contains(":/") || text.contains(":\\/") {
        for url in URL.captures_iter(text) {
            let Some(host) = url.name("host") else { continue };
            add_host(text, host.range(), found);
            if let Some(login) = url.name("login") {
                parts(login.as_str(), login.start(), &[':'], |span, _| {
                    found.push(Find { span: Some(span), value: None, kind: Kind::Secret, scope: Scope::Everywhere });
                });
            }
            let is_apples = host.as_str().to_lowercase().ends_with("apple.com");
            if let Some(rest) = url.name("rest").filter(|_| !is_apples) {
                around(rest.as_str(), rest.start(), found);
            }
        }
    }
    if text.contains('.') {
        for host in HOST.captures_iter(text) {
            let Some(whole) = host.name("host") else { continue };
            if is_host(whole.as_str(), host.name("port").is_some()) && stands_alone(text, &whole.range()) {
                add_host(text, whole.range(), found);
            }
        }
    }
}

/// A host, and the name of its organization's own network.
fn add_host(text: &str, span: Range<usize>, found: &mut Vec<Find>) {
    let host = text.get(span.clone()).unwrap_or_default();
    if let Some((_, network)) = host.split_once('.').filter(|(_, network)| network.contains('.')) {
        found.push(Find::known(network, Kind::Host));
    }
    let kind = if host.parse::<std::net::IpAddr>().is_ok() { Kind::Address } else { Kind::Host };
    found.push(Find { span: Some(span), value: None, kind, scope: Scope::Everywhere });
}

/// The parts of a path that are no common words, and every value of a query.
fn around(rest: &str, at: usize, found: &mut Vec<Find>) {
    let path = rest.get(..rest.find(['?', '#', '&']).unwrap_or(rest.len())).unwrap_or_default();
    let path = path.trim_start_matches(|letter: char| letter == ':' || letter.is_ascii_digit());
    let begin =
        at + rest.len() - rest.trim_start_matches(|letter: char| letter == ':' || letter.is_ascii_digit()).len();
    parts(path, begin, &['/', '\\', ','], |span, word| {
        if !PATH.contains(&word.to_lowercase().as_str()) {
            found.push(Find { span: Some(span), value: None, kind: Kind::Secret, scope: scope(word) });
        }
    });
    let query = begin + path.len();
    parts(rest.get(query - at..).unwrap_or_default(), query, &['?', '#', '&'], |span, pair| {
        let value = pair.find('=').map_or(span.clone(), |equals| span.start + equals + 1..span.end);
        let word = pair.get(value.start - span.start..).unwrap_or_default();
        found.push(Find { span: Some(value), value: None, kind: Kind::Secret, scope: scope(word) });
    });
}

/// What is long and has digits is the same wherever it stands.
fn scope(word: &str) -> Scope {
    let is_key = word.len() >= 16 && word.contains(|letter: char| letter.is_ascii_digit());
    if is_key { Scope::Everywhere } else { Scope::Here }
}

fn parts(text: &str, begin: usize, between: &[char], mut each: impl FnMut(Range<usize>, &str)) {
    let mut at = begin;
    for part in text.split(between) {
        let word = part.trim_end_matches(['.', ',']);
        if !word.is_empty() {
            each(at..at + word.len(), word);
        }
        at += part.len() + 1;
    }
}

/// Whether a name with dots is a host's: `mdm.acme.test`, but no version, file, package or class.
fn is_host(name: &str, has_port: bool) -> bool {
    let lower = name.to_lowercase();
    let mut labels = lower.split('.');
    let (first, last) = (labels.next().unwrap_or_default(), labels.next_back().unwrap_or_default());
    let is_package = ENDS.contains(&first);
    let has_letter = last.chars().any(char::is_alphabetic);
    let is_foreign = !last.is_ascii() && last.chars().all(char::is_alphabetic);
    has_letter
        && !is_package
        && !lower.ends_with("apple.com")
        && (has_port || ENDS.contains(&last) || is_foreign || last.starts_with("xn--"))
}

/// Whether it is no part of a longer word, a path, or an e-mail address, which is found as a whole.
fn stands_alone(text: &str, span: &Range<usize>) -> bool {
    let before = text.get(..span.start).and_then(|before| before.chars().next_back());
    let behind = text.get(span.end..).and_then(|behind| behind.chars().next());
    !before.is_some_and(|letter| letter.is_alphanumeric() || ['.', '_', '@', '-', '/'].contains(&letter))
        && !behind.is_some_and(|letter| letter.is_alphanumeric() || ['_', '(', '@'].contains(&letter))
}
