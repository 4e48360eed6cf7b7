//! Values that are known by their looks, or by the words around them: addresses, numbers with a check digit, home folders,
//! names of computers, LDAP names.

use super::checks::{digits, has_digit, has_letter, is_checked, is_escape};
use super::find::{Find, Scope, pattern};
use super::kind::Kind;
use super::{tokens, urls};
use regex::Regex;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::ops::Range;
use std::sync::LazyLock;

/// What is found by a pattern: its part `value`, or all of it.
struct Look {
    pattern: LazyLock<Regex>,
    /// One of these stands in every text that can match.
    gate: &'static [&'static str],
    kind: Kind,
    scope: Scope,
    accept: fn(&str) -> bool,
}

const fn look(
    pattern: fn() -> Regex,
    gate: &'static [&'static str],
    kind: Kind,
    scope: Scope,
    accept: fn(&str) -> bool,
) -> Look {
    Look { pattern: LazyLock::new(pattern), gate, kind, scope, accept }
}

const ANY: fn(&str) -> bool = |_| true;
const MODELS: &str =
    "(?:MacBook(?:[ -]Pro|[ -]Air)?|iMac(?:[ -]Pro)?|Mac[ -]mini|Mac[ -]Studio|Mac[ -]Pro|Mac|iPhone|iPad)";

static LOOKS: [Look; 32] = [
    // With `%40` for the sign in a URL. A Kerberos principal has the same form.
    look(
        || {
            pattern(
                r"[\p{L}\p{M}\p{N}_](?:[\p{L}\p{M}\p{N}._+'-]|%[0-9A-Fa-f]{2})*(?:@|%40)[\p{L}\p{M}\p{N}][\p{L}\p{M}\p{N}.-]*[\p{L}\p{M}\p{N}]",
            )
        },
        &["@", "%40"],
        Kind::Mail,
        Scope::Everywhere,
        |value| !value.contains("@0x") && !value.ends_with(".png"),
    ),
    // `"Grace Hopper"@example.com`
    look(|| pattern(r#""(?P<value>[^"\n@]{1,64})\\?"@[\p{L}\p{N}]"#), &["\"@"], Kind::User, Scope::Everywhere, ANY),
    // A URL as a value of another one: `url=https%3A%2F%2Fexample.com%2Fpath`.
    look(
        || pattern(r#"(?i)%3A%2F%2F[^%\s&"'<>]+%(?:2F|3A|3F)(?P<value>[^\s&"'<>]{3,})"#),
        &["%2F", "%2f"],
        Kind::Secret,
        Scope::Here,
        ANY,
    ),
    // `serial number is c02xl0gyjgh5`
    look(
        || pattern(r"(?i)\bserial(?: number| no\.?)?(?: is| was|:|=)* ['\x22“]?(?P<value>[A-Za-z0-9]{8,14})\b"),
        &["erial", "ERIAL"],
        Kind::Serial,
        Scope::Everywhere,
        |value| has_digit(value) && has_letter(value),
    ),
    // `\\server\share\folder`
    look(
        || pattern(r"\\\\(?P<value>[\p{L}\p{N}][\p{L}\p{M}\p{N}.$_-]*(?:\\{1,2}[\p{L}\p{N}][\p{L}\p{M}\p{N}.$_ -]*)+)"),
        &["\\\\"],
        Kind::Host,
        Scope::Here,
        |value| !is_escape(value),
    ),
    look(
        || pattern(r"com\.apple\.mgmt\.[A-Za-z]+\.[A-Za-z0-9-]+"),
        &["com.apple.mgmt."],
        Kind::Topic,
        Scope::Everywhere,
        ANY,
    ),
    // The identifier of a Mac with Apple silicon, and that of one with an Intel processor.
    look(|| pattern(r"\b[0-9A-Fa-f]{8}-[0-9A-Fa-f]{16}\b"), &["-"], Kind::Device, Scope::Here, ANY),
    look(
        || pattern(r"\b[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}\b"),
        &["-"],
        Kind::Device,
        Scope::Here,
        ANY,
    ),
    look(
        || {
            pattern(
                r"\b(?:[0-9A-Fa-f]{1,2}:){5}[0-9A-Fa-f]{1,2}\b|\b(?:[0-9A-Fa-f]{2}-){5}[0-9A-Fa-f]{2}\b|\b(?:[0-9A-Fa-f]{4}\.){2}[0-9A-Fa-f]{4}\b",
            )
        },
        &[":", "-", "."],
        Kind::Hardware,
        Scope::Here,
        |value| !value.contains('.') || value.contains(|letter: char| letter.is_ascii_alphabetic()),
    ),
    look(
        || pattern(r"\b[0-9a-f]{12}\b|\b[0-9A-F]{12}\b"),
        &[""],
        Kind::Hardware,
        Scope::Here,
        |value| has_letter(value) && has_digit(value),
    ),
    // A recovery key of FileVault, or a code that bypasses the activation lock.
    look(|| pattern(r"\b[A-Z0-9]{4,5}(?:-[A-Z0-9]{4,5}){5}\b"), &["-"], Kind::Secret, Scope::Everywhere, ANY),
    look(
        || pattern(r"(?i)\b(?:bearer|basic|digest|negotiate|token)[ :=]+(?P<value>[A-Za-z0-9._~+/=-]{12,})"),
        &["earer", "asic", "igest", "egotiate", "oken", "EARER", "ASIC", "OKEN"],
        Kind::Secret,
        Scope::Everywhere,
        |value| has_digit(value) || value.len() >= 24,
    ),
    look(
        || pattern(r"(?:Users|home)\\?/(?P<value>[^/\\\s\x22'<>:;,)]+(?:(?: |\\ )[^/\\\s\x22'<>:;,)]+){0,3})\\?/"),
        &["Users/", "home/", "Users\\/", "home\\/"],
        Kind::User,
        Scope::Everywhere,
        ANY,
    ),
    look(
        || pattern(r#"[\x22'](?:/Users|/home)/(?P<value>[^/\x22'\n]+)[\x22'/]"#),
        &["Users/", "home/"],
        Kind::User,
        Scope::Everywhere,
        ANY,
    ),
    look(
        || pattern(r#"/(?:Users|home)\\?/(?P<value>[^/\\\s\x22'<>:;,)]+)"#),
        &["Users/", "home/", "Users\\/", "home\\/"],
        Kind::User,
        Scope::Everywhere,
        ANY,
    ),
    look(
        || pattern(r"(?:^|[\s\x22'(=:])~(?P<value>\p{L}[\p{L}\p{M}\p{N}._-]{1,40})/"),
        &["~"],
        Kind::User,
        Scope::Everywhere,
        ANY,
    ),
    look(
        || pattern(r"/Volumes/(?P<value>[^/\x22'<>:;,)\n]{1,60})/"),
        &["/Volumes/"],
        Kind::Name,
        Scope::Everywhere,
        ANY,
    ),
    look(
        || pattern(r"/Volumes/(?P<value>[^/\s\x22'<>:;,)]{1,60})"),
        &["/Volumes/"],
        Kind::Name,
        Scope::Everywhere,
        ANY,
    ),
    look(
        || pattern(r"/var/folders/[A-Za-z0-9_+]{2}/(?P<value>[A-Za-z0-9_+]{10,60})"),
        &["/var/folders/"],
        Kind::Secret,
        Scope::Here,
        ANY,
    ),
    // `ACME\ghopper`, but not a letter that is escaped.
    look(
        || pattern(r"\b(?P<value>[A-Za-z][A-Za-z0-9-]{1,14}\\{1,2}[\p{L}][\p{L}\p{M}\p{N}._-]{2,40})"),
        &["\\"],
        Kind::User,
        Scope::Here,
        |value| !is_escape(value),
    ),
    look(
        || {
            pattern(
                r"(?P<value>[\p{L}\p{N}][\p{L}\p{M}\p{N}-]{0,62})\.(?:local|lan|internal|home|corp|intranet|localdomain)\b",
            )
        },
        &[".local", ".lan", ".internal", ".home", ".corp", ".intranet"],
        Kind::Host,
        Scope::Everywhere,
        ANY,
    ),
    look(
        || {
            pattern(&format!(
                r"(?P<value>\p{{Lu}}[\p{{L}}\p{{M}}-]+(?: \p{{Lu}}[\p{{L}}\p{{M}}-]+)?)(?:['’`]s?|s['’]) {MODELS}"
            ))
        },
        &["Mac", "iPhone", "iPad"],
        Kind::User,
        Scope::Everywhere,
        ANY,
    ),
    look(
        || pattern(&format!(r"(?P<value>[\p{{L}}\p{{M}}]{{1,30}}?)(?:的|の|의) ?{MODELS}")),
        &["的", "の", "의"],
        Kind::User,
        Scope::Everywhere,
        ANY,
    ),
    look(
        || {
            pattern(&format!(
                r"{MODELS} ?(?:von|de|di|da|do|van|af|av|för|пользователя|—|–) ?(?P<value>[\p{{Lu}}\p{{Lo}}][\p{{L}}\p{{M}}'’-]+(?: [\p{{Lu}}\p{{Lo}}][\p{{L}}\p{{M}}'’-]+){{0,2}})"
            ))
        },
        &["Mac", "iPhone", "iPad"],
        Kind::User,
        Scope::Everywhere,
        ANY,
    ),
    look(
        || {
            pattern(
                r"\b(?P<value>[\p{L}\p{N}][\p{L}\p{M}\p{N}-]{0,60}?-(?:MacBook(?:-Pro|-Air)?|iMac(?:-Pro)?|Mac-mini|Mac-Studio|Mac-Pro|MBP|MBA|Mac)(?:-[0-9]{1,3})?)\b",
            )
        },
        &["Mac", "MBP", "MBA"],
        Kind::Host,
        Scope::Everywhere,
        ANY,
    ),
    look(
        || {
            pattern(
                r#"(?i)\b(?:wi-?fi|wlan|airport|wireless|ssid|network)(?: network)?(?: name)?(?: is| was)?[:=]? ?["'“‘«](?P<value>[^"'”’»\n]{1,64})["'”’»]"#,
            )
        },
        &["\"", "'", "“", "‘", "«"],
        Kind::Network,
        Scope::Everywhere,
        |value| !value.starts_with("com.") && !value.contains('/'),
    ),
    look(
        || {
            pattern(
                r#"(?i)\b(?:associated|connected|connecting|joined|joining|join|roamed|switched)(?: to| with)?(?: the)? ["'“‘](?P<value>[^"'”’\n]{1,64})["'”’]"#,
            )
        },
        &["\"", "'", "“", "‘"],
        Kind::Network,
        Scope::Everywhere,
        |value| !value.starts_with("com.") && !value.contains('/'),
    ),
    look(
        || pattern(r#"(?i)\bssid (?P<value>[^\s"'“‘,;:=()<>]{2,32})"#),
        &["ssid ", "SSID "],
        Kind::Network,
        Scope::Here,
        ANY,
    ),
    // `uid=501(ghopper)`
    look(|| pattern(r"\buid=[0-9]+\((?P<value>[^)\s]{1,64})\)"), &["uid="], Kind::User, Scope::Everywhere, ANY),
    look(
        || {
            pattern(
                r"(?i)\b(?:console|for|as|by|of|current) user (?P<value>[\p{L}\p{N}][\p{L}\p{M}\p{N}._-]{2,40})|\buser (?P<who>[\p{L}\p{N}][\p{L}\p{M}\p{N}._-]{2,40}) (?:has |is )?(?:logged|signed|authenticated)",
            )
        },
        &["user ", "User "],
        Kind::User,
        Scope::Here,
        ANY,
    ),
    // `password hunter2`, with a digit among letters.
    look(
        || {
            pattern(
                r"(?i)\b(?:password|passwd|passcode|passphrase|api ?key|token|secret|pin)(?: is| was)? (?P<value>[^\s,;:=()<>]{4,100})",
            )
        },
        &["ass", "ASS", "ey ", "EY ", "oken ", "ecret ", "in ", "PIN "],
        Kind::Secret,
        Scope::Here,
        |value| {
            has_digit(value) && has_letter(value) || value.len() >= 6 && value.bytes().all(|byte| byte.is_ascii_digit())
        },
    ),
    look(
        || pattern(r"\b(?P<value>(?:MacBook(?:-Pro|-Air)?|MBP|MBA|iMac)-[\p{L}\p{N}][\p{L}\p{M}\p{N}-]{1,60})\b"),
        &["MacBook", "MBP", "MBA", "iMac"],
        Kind::Host,
        Scope::Everywhere,
        |value| !["MacBook-Pro", "MacBook-Air", "iMac-Pro"].contains(&value),
    ),
];

static IPV4: LazyLock<Regex> = LazyLock::new(|| pattern(r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}"));
static IPV6: LazyLock<Regex> = LazyLock::new(|| pattern(r"[0-9A-Fa-f:]*:[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*[0-9A-Fa-f:]"));
static NUMBER: LazyLock<Regex> = LazyLock::new(|| pattern(r"[0-9](?:[ -]?[0-9]){13,31}"));
static PHONE: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"\+[1-9][0-9]{0,2}(?:[ .-]?\(?[0-9]{2,5}\)?){2,5}|\(?[0-9]{3}\)?[ .-][0-9]{3}[ .-][0-9]{4}")
});
/// `CN=Grace Hopper,OU=Rockets,DC=acme,DC=test`
static LDAP: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?i)\b(?P<key>CN|OU|DC|O|L|ST|E|SN|GN|UID|STREET|EMAILADDRESS|GIVENNAME|SURNAME|TITLE) ?= ?(?P<value>[^,;+\x22<>=/\n\\ ][^,;+\x22<>=/\n\\]{0,99})",
    )
});

/// Adds what is known by its looks.
pub fn find(text: &str, found: &mut Vec<Find>) {
    urls::find(text, found);
    tokens::find(text, found);
    for look in &LOOKS {
        if look.gate.iter().any(|gate| text.contains(gate)) {
            for captures in look.pattern.captures_iter(text) {
                let value = captures.name("value").or_else(|| captures.name("who")).or_else(|| captures.get(0));
                if let Some(value) = value.filter(|value| (look.accept)(value.as_str())) {
                    push(text, value.range(), look.kind, look.scope, found);
                }
            }
        }
    }
    if text.contains('.') {
        let is_address = |value: &str| value.parse::<Ipv4Addr>().is_ok_and(|address| !address.is_loopback());
        for value in IPV4.find_iter(text).filter(|value| is_address(value.as_str())) {
            // A version has the same form: `CFNetwork/1.2.3.4`, `version 1.2.3.4`, `1.2.3.4.5`.
            let before = text.get(..value.start()).unwrap_or_default();
            let behind = text.get(value.end()..).unwrap_or_default();
            let in_number = before
                .ends_with(|letter: char| letter.is_alphanumeric() || ['.', '_', '-'].contains(&letter))
                || behind.starts_with(|letter: char| letter.is_alphanumeric() || letter == '_')
                || behind.starts_with('.')
                    && behind.get(1..).is_some_and(|behind| behind.starts_with(|letter: char| letter.is_ascii_digit()));
            let is_version = before.ends_with('/') && !before.ends_with("//")
                || before.trim_end().to_ascii_lowercase().ends_with("version");
            if !in_number && !is_version {
                push(text, value.range(), Kind::Address, Scope::Here, found);
            }
        }
    }
    if text.contains(':') {
        for value in IPV6.find_iter(text).filter(|value| value.as_str().parse::<Ipv6Addr>().is_ok()) {
            if value.len() > 4 && is_apart(text, &value.range()) {
                push(text, value.range(), Kind::Address, Scope::Here, found);
            }
        }
    }
    for value in NUMBER.find_iter(text).filter(|value| is_checked(value.as_str()) && is_apart(text, &value.range())) {
        push(text, value.range(), Kind::Number, Scope::Here, found);
    }
    for value in PHONE.find_iter(text).filter(|value| is_apart(text, &value.range())) {
        if (8..=15).contains(&digits(value.as_str())) {
            push(text, value.range(), Kind::Number, Scope::Here, found);
        }
    }
    if text.contains('=') {
        ldap(text, found);
    }
}

fn ldap(text: &str, found: &mut Vec<Find>) {
    for captures in LDAP.captures_iter(text) {
        let (Some(key), Some(value)) = (captures.name("key"), captures.name("value")) else { continue };
        let alone = ["CN", "OU", "DC"].iter().any(|name| key.as_str().eq_ignore_ascii_case(name));
        let in_chain = |text: Option<&str>| text.is_some_and(|text| text.starts_with([',', '+', '/']));
        let chained = in_chain(text.get(value.end()..))
            || text.get(..key.start()).is_some_and(|before| before.trim_end().ends_with([',', '+', '/']));
        if !(alone || chained && text.to_ascii_uppercase().contains("CN=")) {
            continue;
        }
        let kind = match key.as_str().to_ascii_uppercase().as_str() {
            "O" | "OU" => Kind::Organisation,
            "DC" => Kind::Host,
            "E" | "EMAILADDRESS" => Kind::Mail,
            _ => Kind::Name,
        };
        push(text, value.start()..value.start() + value.as_str().trim_end().len(), kind, Scope::Everywhere, found);
    }
}

fn push(text: &str, span: Range<usize>, kind: Kind, scope: Scope, found: &mut Vec<Find>) {
    let value = text.get(span.clone()).unwrap_or_default();
    match kind {
        Kind::User | Kind::Name => {
            // `first%20last`, `first\ last`; and each word may stand alone.
            let meant = value.replace("%20", " ").replace("\\ ", " ");
            if meant != value {
                found.push(Find::known(&meant, kind));
            }
            if meant.contains(' ') {
                meant.split(' ').for_each(|word| found.push(Find::known(word, kind)));
            }
            if let Some((domain, user)) = value.split_once('\\') {
                found.push(Find::known(user.trim_start_matches('\\'), Kind::User));
                found.push(Find { scope: Scope::Here, ..Find::known(domain, Kind::Host) });
            }
        }
        Kind::Mail => {
            // What stands before the sign is often a user's name elsewhere.
            let user = value.split(['@', '%', '+']).next().unwrap_or_default();
            if user.len() >= 6 {
                found.push(Find::known(user, Kind::User));
            }
        }
        _ => {}
    }
    found.push(Find::whole(span, value, kind, scope));
}

/// Whether no letter or digit touches it.
pub fn is_apart(text: &str, span: &Range<usize>) -> bool {
    let before = text.get(..span.start).and_then(|before| before.chars().next_back());
    let behind = text.get(span.end..).and_then(|behind| behind.chars().next());
    ![before, behind].into_iter().flatten().any(|letter| letter.is_alphanumeric() || letter == '_')
}
