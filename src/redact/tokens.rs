//! Tokens and keys: by the heads that their makers give them, by their form, and by how random they look. Serial numbers
//! are among them: ten to twelve capitals and digits.

use super::find::{Find, Scope, pattern};
use super::kind::Kind;
use super::looks::is_apart;
use super::spelling;
use regex::Regex;
use std::sync::LazyLock;

/// From this length on a token is no word.
const LONG: usize = 20;

static PEM: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"(?s)-----BEGIN [^-]{1,40}-----.*?(?:-----END [^-]{1,40}-----|\z)"));
/// Three parts in base64, the first of which begins an object.
static JWT: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"\beyJ[A-Za-z0-9_-]{6,}\.[A-Za-z0-9_-]{4,}(?:\.[A-Za-z0-9_-]*){0,3}"));
/// Of AWS, GitHub, GitLab, Slack, Google, Stripe, OpenAI, npm, SendGrid, DigitalOcean, Okta.
static WITH_HEAD: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"\b(?:(?:AKIA|ASIA|AROA|AIDA)[A-Z0-9]{12,}|(?:gh[oprsu]|github_pat|glpat|xox[abeoprs]|xapp|sk|pk|rk|whsec|npm|dop_v1|dapi|shpat|hf|ya29|AIza|EAAC|SG|00)[_.-]?(?:live[_-]|test[_-]|proj-)?[A-Za-z0-9_.-]{16,})",
    )
});
static SERIAL: LazyLock<Regex> = LazyLock::new(|| pattern(r"[A-HJ-NP-Z0-9]{10,12}"));
static TOKEN: LazyLock<Regex> = LazyLock::new(|| pattern(r"[A-Za-z0-9+/_=-]{20,}"));
/// The key of an update, `MSU_UPDATE_22E772610a_patch_13.3.1_rsr`, as far as a token reaches.
static PRODUCT: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"^MSU_UPDATE_[0-9]{2}[A-Z][0-9]{1,7}[a-z]?_[a-z]{4,6}_[0-9]{1,2}$"));
/// `com.apple.RemoteManagement.SoftwareUpdateExtension/1:ID.TOKEN`, each in base64.
static DECLARATION: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"/[0-9]{1,3}:(?P<id>[A-Za-z0-9+/_-]{2,}={0,2})\.(?P<token>[A-Za-z0-9+/_-]{2,}={0,2})"));

/// Adds tokens and serial numbers.
pub fn find(text: &str, found: &mut Vec<Find>) {
    if text.contains("-----BEGIN ") {
        for key in PEM.find_iter(text) {
            found.push(Find {
                span: Some(key.range()),
                value: Some("redacted".to_owned()),
                kind: Kind::Secret,
                scope: Scope::Here,
            });
        }
    }
    if text.contains("/1:") || text.contains(':') && text.contains('/') {
        for declaration in DECLARATION.captures_iter(text) {
            for part in ["id", "token"].iter().filter_map(|part| declaration.name(part)) {
                found.push(match spelling::decode(part.as_str()).and_then(spelling::readable) {
                    // It is replaced within base64, so that it stays an identifier.
                    Some(inner) => Find::known(&inner, Kind::Name),
                    None => Find::whole(part.range(), part.as_str(), Kind::Secret, Scope::Here),
                });
            }
        }
    }
    if text.contains("eyJ") {
        for token in JWT.find_iter(text) {
            found.push(Find::whole(token.range(), token.as_str(), Kind::Secret, Scope::Here));
        }
    }
    for token in WITH_HEAD.find_iter(text) {
        let is_random = token.as_str().bytes().any(|byte| byte.is_ascii_digit());
        if is_random && !token.as_str().contains("..") {
            found.push(Find::whole(token.range(), token.as_str(), Kind::Secret, Scope::Here));
        }
    }
    for serial in SERIAL.find_iter(text) {
        if is_serial(serial.as_str()) && is_apart(text, &serial.range()) {
            found.push(Find::whole(serial.range(), serial.as_str(), Kind::Serial, Scope::Everywhere));
        }
    }
    for token in TOKEN.find_iter(text) {
        if is_random(token.as_str()) && !PRODUCT.is_match(token.as_str()) {
            found.push(Find::whole(token.range(), token.as_str(), Kind::Secret, Scope::Here));
        }
    }
}

/// Letters and digits, neither of them few.
fn is_serial(value: &str) -> bool {
    let digits = value.bytes().filter(u8::is_ascii_digit).count();
    digits >= 1 && value.len() - digits >= 2
}

/// Whether a token looks like chance: digits among letters of both cases, or hexadecimal digits. Words in capitals at
/// their beginnings, product keys and paths change less often from one class of letter to another.
fn is_random(token: &str) -> bool {
    let token = token.trim_matches(['/', '-', '_', '=', '+']);
    if token.len() < LONG {
        return false;
    }
    if token.len() >= 32 && token.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return true;
    }
    let class = |byte: u8| match byte {
        b'0'..=b'9' => 0,
        b'a'..=b'z' => 1,
        b'A'..=b'Z' => 2,
        _ => 3,
    };
    let classes: Vec<u8> = token.bytes().map(class).collect();
    let changes = classes.windows(2).filter(|pair| pair.first() != pair.last()).count();
    let runs_of_digits = classes.split(|class| *class != 0).filter(|run| !run.is_empty()).count();
    let has = |class: u8| classes.contains(&class);
    let parts = token.split(['_', '-', '/', '+', '=']);
    let longest = parts.map(str::len).max().unwrap_or(0);
    let both_cases = has(1) && has(2) && runs_of_digits >= 2 && changes * 3 >= classes.len();
    let one_case = (has(1) != has(2)) && runs_of_digits >= 3 && longest >= LONG && changes * 4 >= classes.len();
    (both_cases && longest >= 8) || one_case
}
